package io.fairwatch.collector.enforce;

import io.fairwatch.collector.run.Run;
import java.util.Locale;
import java.util.Optional;

/** Does things to jobs in Slurm, and looks whether they happened. */
@FunctionalInterface
public interface Deeds {
    /**
     * Does it to exactly this run: Slurm must still say the same owner and start. Blocks for at most a few deadlines.
     *
     * @throws InterruptedException if the caller was interrupted; then it is not known whether it was done
     */
    Outcome take(Deed deed, Run run) throws InterruptedException;

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

        static Optional<Deed> of(String word) {
            for (Deed deed : values()) {
                if (deed.word().equals(word)) {
                    return Optional.of(deed);
                }
            }
            return Optional.empty();
        }

        /** Whether the run ends by it. */
        boolean endsRun() {
            return this == CANCEL || this == REQUEUE;
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
