package io.fairwatch.agent.probe;

import io.fairwatch.agent.wire.JobRef;
import java.util.Optional;
import java.util.OptionalInt;

/** Whose a process is and which Slurm job it belongs to. Implementations are thread-safe and do not block for long. */
public interface ProcessLookup {
    /** The job of a process; empty when it belongs to none or is gone. */
    Optional<JobRef> jobOf(int pid);

    /** The owner of a process; empty when it is gone, or works for a job that cannot be named: it is not outside jobs. */
    OptionalInt uidOf(int pid);
}
