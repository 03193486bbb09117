package io.fairwatch.rules;

import java.time.Instant;
import java.util.List;
import java.util.Objects;

/** All that is known of one running job when one rule is asked about it. Immutable.
 *
 * @param job what Slurm says; {@code job} in a rule. Source: the Slurm sync of the collector
 * @param use what the nodes saw of the job as a whole; in a rule these facts belong to {@code job} too
 * @param from start of the window, inclusive: {@code to} less the rule's window, even when the run is younger than
 *     that (readings from before the run's start are never in it). Source: the collector
 * @param to end of the window, exclusive: the moment of judging
 * @param gpus one entry per GPU that Slurm allocated to the run, and per other GPU on its nodes on which the run had a
 *     process. An allocated GPU of which nothing is known is still listed, or left out: what is missing against
 *     {@link JobAllocation.Resources#gpusAllocated()} counts as a GPU that is not known */
public record JobFacts(JobAllocation job, JobUse use, Instant from, Instant to, List<GpuFacts> gpus) {
    /** Checks the window and copies the list. */
    public JobFacts {
        Objects.requireNonNull(job, "job");
        Objects.requireNonNull(use, "use");
        if (!from.isBefore(to)) {
            throw new IllegalArgumentException("window: from " + from + " to " + to + " (expected: from before to)");
        }
        gpus = List.copyOf(gpus);
    }
}
