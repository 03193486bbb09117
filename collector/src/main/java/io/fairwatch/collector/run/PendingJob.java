package io.fairwatch.collector.run;

import java.time.Instant;
import java.util.Optional;

/**
 * A job that waits. Immutable.
 *
 * @param cluster Slurm's {@code ClusterName}
 * @param jobId raw job id
 * @param displayId as people write it, e.g. {@code 5_[3-4%2]} for the waiting rest of an array
 * @param owner whose it is
 * @param name job name
 * @param submit when it was submitted
 * @param reason why it waits, in Slurm's word, e.g. {@code Resources}
 * @param request what it asks for, in Slurm's TRES text
 * @param comment what its owner wrote beside it, as it is; absent without
 * @param reservation the reservation that it waits for; absent outside of any
 */
public record PendingJob(
        String cluster,
        long jobId,
        String displayId,
        Run.Owner owner,
        String name,
        Instant submit,
        String reason,
        String request,
        Optional<String> comment,
        Optional<String> reservation) {

    /** Whether it is the waiting rest of an array: then its number means the tasks that run, too. */
    public boolean isRestOfArray() {
        return displayId.startsWith(jobId + "_");
    }

    /** A job without a comment, outside of any reservation. */
    public PendingJob(
            String cluster,
            long jobId,
            String displayId,
            Run.Owner owner,
            String name,
            Instant submit,
            String reason,
            String request) {
        this(cluster, jobId, displayId, owner, name, submit, reason, request, Optional.empty(), Optional.empty());
    }
}
