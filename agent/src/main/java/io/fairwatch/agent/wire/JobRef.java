package io.fairwatch.agent.wire;

import java.util.Optional;

/**
 * The Slurm job that a process belongs to, and how that is known. Immutable.
 *
 * @param jobId raw job id: an array task's or a het component's own number
 * @param step {@code batch}, {@code extern}, {@code interactive} or a number; absent when not known
 * @param evidence how it is known, strongest first in {@link Evidence}
 */
public record JobRef(long jobId, Optional<String> step, Evidence evidence) {

    /** How the job of a process is known, strongest first. */
    public enum Evidence {
        /** The process sits in the job's cgroup, where only root can put it. */
        CGROUP,
        /** An ancestor is the job's slurmstepd. */
        ANCESTRY,
        /** Its environment says so; the user can write anything there. */
        ENVIRON
    }

    public JobRef {
        Check.positive("job.job_id", jobId);
        step.ifPresent(name -> Check.name("job.step", name));
    }
}
