package io.fairwatch.collector.run;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Which run of which job. Immutable.
 *
 * @param cluster Slurm's {@code ClusterName}
 * @param jobId raw job id: an array task's or a het component's own number. Source: {@code job_id}, {@code JobIDRaw}
 * @param start when this run started, whole seconds
 */
public record RunKey(String cluster, long jobId, Instant start) implements Subject {
    public RunKey {
        cluster = cluster.intern(); // a hundred thousand runs share their texts
        if (jobId <= 0) {
            throw new IllegalArgumentException("jobId: " + jobId + " (expected: 1 or more)");
        }
    }

    /** Without the cluster, of which there is one: runs are looked up by the hundred thousand. */
    @Override
    public int hashCode() {
        return 31 * Long.hashCode(jobId) + start.hashCode();
    }

    /** What differs first comes first, for the same reason. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof RunKey key
                && jobId == key.jobId
                && start.equals(key.start)
                && cluster.equals(key.cluster);
    }
}
