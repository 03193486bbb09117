package io.fairwatch.collector.enforce;

import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;

/** Does things to jobs in Slurm, and looks whether they happened. */
@FunctionalInterface
public interface Deeds {
    /**
     * Does it to exactly this job: Slurm must still say the same owner, and the same start if it runs. Blocks for at most a
     * few deadlines.
     *
     * @throws InterruptedException if the caller was interrupted; then it is not known whether it was done
     */
    Outcome take(Deed deed, Job job) throws InterruptedException;

    /** What can be done. */
    enum Deed {
        CANCEL,
        HOLD,
        REQUEUE,
        SHORTEN,
        LOWER_QOS;

        /** As ladders, notices and people write it. */
        public String word() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The deed that a word means. */
        public static Optional<Deed> of(String word) {
            for (Deed deed : values()) {
                if (deed.word().equals(word)) {
                    return Optional.of(deed);
                }
            }
            return Optional.empty();
        }

        /** Whether the job ends by it. */
        boolean ends() {
            return this == CANCEL || this == REQUEUE;
        }

        /**
         * Whether a rule must have said that a job may be ended for what it found: one that runs ends by a shorter time
         * limit, too, if later.
         */
        public boolean needsLeave(Subject job) {
            return ends() || (this == SHORTEN && job instanceof RunKey);
        }

        /** Whether Slurm does it to jobs that run; it holds back and moves only those that wait. */
        public boolean isForRunning() {
            return this != HOLD && this != LOWER_QOS;
        }

        /** Whether Slurm does it to jobs that wait. */
        public boolean isForWaiting() {
            return this != REQUEUE;
        }
    }

    /** A job to which something is to be done: one that runs, or one that waits. */
    sealed interface Job {
        /** What findings about it are about. */
        Subject subject();

        /** Whose it is, where. */
        Run.Owner owner();

        /** Raw job id. */
        long id();

        /** As Slurm's commands are told which one. */
        String name();

        /** Slurm's word for its state. */
        String state();

        /** When Slurm said so. */
        Instant asOf();

        /** It runs, or ran. */
        record Running(Run run) implements Job {
            @Override
            public RunKey subject() {
                return run.key();
            }

            @Override
            public Run.Owner owner() {
                return run.owner();
            }

            @Override
            public long id() {
                return run.key().jobId();
            }

            @Override
            public String name() {
                return run.displayId();
            }

            @Override
            public String state() {
                return run.stateText();
            }

            @Override
            public Instant asOf() {
                return run.asOf();
            }
        }

        /** It waits. */
        record Waiting(PendingJob job, Instant asOf) implements Job {
            @Override
            public Subject.Waiting subject() {
                return new Subject.Waiting(job.cluster(), job.jobId(), job.submit());
            }

            @Override
            public Run.Owner owner() {
                return job.owner();
            }

            @Override
            public long id() {
                return job.jobId();
            }

            @Override
            public String name() {
                return Long.toString(job.jobId());
            }

            @Override
            public String state() {
                return "PENDING (" + job.reason() + ")";
            }
        }
    }

    /** How it went. */
    sealed interface Outcome {
        /** It was done, and Slurm says so. */
        record Done(String detail) implements Outcome {}

        /** It was not done and will not be. */
        record Refused(String reason) implements Outcome {}

        /** It is not known to have happened; trying again may help. */
        record Failed(String reason) implements Outcome {}
    }
}
