package io.fairwatch.collector.run;

import java.time.Instant;

/** What a finding is about: a run, a waiting job, a node, or a user. */
public sealed interface Subject permits RunKey, Subject.Waiting, Subject.OnNode, Subject.Person {
    /** Slurm's {@code ClusterName}. */
    String cluster();

    /**
     * A job that waits.
     *
     * @param jobId raw job id
     * @param submit when it was submitted, since Slurm gives ids out again
     */
    record Waiting(String cluster, long jobId, Instant submit) implements Subject {
        public Waiting {
            if (jobId <= 0) {
                throw new IllegalArgumentException("jobId: " + jobId + " (expected: 1 or more)");
            }
        }
    }

    /**
     * A node.
     *
     * @param node Slurm's {@code NodeName}
     */
    record OnNode(String cluster, String node) implements Subject {}

    /**
     * A user.
     *
     * @param user login name
     */
    record Person(String cluster, String user) implements Subject {}
}
