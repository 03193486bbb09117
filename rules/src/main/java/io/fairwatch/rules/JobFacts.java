package io.fairwatch.rules;

import java.time.Instant;
import java.util.List;
import java.util.Objects;

/** All that is known of one run of a job when rules are asked about it, while it runs or after its end. Immutable.
 *
 * @param job what Slurm says; {@code job} in a rule. Source: the Slurm sync of the collector
 * @param use what the nodes saw of the job as a whole; in a rule these facts belong to {@code job} too
 * @param from start of the window, inclusive: of a running job {@code to} less the rule's window, even when the run is
 *     younger than that (readings from before the run's start are never in it); of a finished one its start. Source: the
 *     collector
 * @param to end of the window, exclusive: the moment of judging, or the end of a finished run
 * @param gpus one entry per GPU that Slurm allocated to the run, and per other GPU on its nodes on which the run had a
 *     process. An allocated GPU of which nothing is known is still listed, or left out: what is missing against
 *     {@link JobAllocation.Resources#gpusAllocated()} counts as a GPU that is not known
 * @param nodes one entry per node of the run, also of those that said nothing of it
 * @param queue who waits for GPUs of its kind */
public record JobFacts(
        JobAllocation job,
        JobUse use,
        Instant from,
        Instant to,
        List<GpuFacts> gpus,
        List<JobNode> nodes,
        QueueFacts queue)
        implements SubjectFacts {
    /** Checks the window and copies the lists. */
    public JobFacts {
        Objects.requireNonNull(job, "job");
        Objects.requireNonNull(use, "use");
        Facts.window(from, to);
        gpus = List.copyOf(gpus);
        nodes = List.copyOf(nodes);
        Objects.requireNonNull(queue, "queue");
    }

    /** Facts without anything of single nodes and the queue. */
    public JobFacts(JobAllocation job, JobUse use, Instant from, Instant to, List<GpuFacts> gpus) {
        this(job, use, from, to, gpus, List.of(), QueueFacts.NOT_KNOWN);
    }
}
