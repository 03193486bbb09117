package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * What the collector may do to a job, each on its own, never to a list. Before anything is done Slurm is asked anew: the
 * job must still be the one that is meant (cluster, number, owner, and start), for numbers come back and a requeued job
 * starts again. Afterwards Slurm is asked whether it happened. Every call blocks for at most a few deadlines of
 * {@link SlurmSettings#timeout}; thread-safe.
 *
 * <p>For another's job this takes the right of an Operator. Nothing here decides whether it should be done, or tells
 * anybody: that is for whoever calls, who also keeps the record.
 */
public interface SlurmActions {
    /** Cancels one run: one task of an array, one component of a heterogeneous job, never the whole of either. */
    Result cancel(Target target) throws InterruptedException;

    /** Keeps a waiting job from starting. A running one is refused. */
    Result hold(Target target) throws InterruptedException;

    /** Puts a running job back to wait; held, if asked, so that it does not start again by itself. */
    Result requeue(Target target, boolean held) throws InterruptedException;

    /** Shortens the time limit of a job. A limit that is not shorter than the present one is refused. */
    Result shorten(Target target, Duration limit) throws InterruptedException;

    /** Moves a waiting job to another QoS; Slurm moves no running one. */
    Result changeQos(Target target, String qos) throws InterruptedException;

    /**
     * Which job is meant. Immutable.
     *
     * @param cluster Slurm's {@code ClusterName}
     * @param jobId raw job id
     * @param name how Slurm is told which one: {@code 83549}, {@code 83549_3} or {@code 83549+1}. The raw id of the last
     *     task of an array and of the leader of a heterogeneous job means all of them
     * @param user login name of its owner
     * @param start when the run started; absent for a job that waits
     */
    record Target(String cluster, long jobId, String name, String user, Optional<Instant> start) {
        public static Target of(Run run) {
            return new Target(
                    run.key().cluster(),
                    run.key().jobId(),
                    run.displayId(),
                    run.owner().user(),
                    Optional.of(run.key().start()));
        }

        /** A job that waits; its number must not be that of an array, for that means the tasks that run, too. */
        public static Target of(PendingJob job) {
            return new Target(
                    job.cluster(),
                    job.jobId(),
                    Long.toString(job.jobId()),
                    job.owner().user(),
                    Optional.empty());
        }
    }

    /** How it went. */
    sealed interface Result {
        /**
         * Slurm was asked afterwards and says that it is so.
         *
         * @param at when Slurm was asked afterwards
         * @param detail what Slurm says of the job then, e.g. {@code state COMPLETING}
         */
        record Done(Instant at, String detail) implements Result {}

        /**
         * Nothing was done, and the same call would be refused again: the job is not the one that was meant, has ended, is
         * in no state for this, or the right is missing.
         */
        record Refused(String reason) implements Result {}

        /** It is not known to have happened: Slurm did not answer, or did not do what it said. Trying again may help. */
        record Failed(String reason) implements Result {}
    }
}
