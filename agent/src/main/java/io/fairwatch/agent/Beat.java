package io.fairwatch.agent;

import java.time.Duration;

/**
 * When to look and when to take a snapshot, by a clock that nobody sets: it neither steps with the time of day nor runs
 * while the node is suspended. Confined to one event loop.
 */
final class Beat {
    /** What is to be done at a beat. */
    enum Step {
        /** Take a snapshot. */
        SNAPSHOT,
        /** Look at what forgets within a period. */
        LOOK,
        /**
         * The process was stopped for more than a period. What was to be looked at in between is forgotten by now, so a
         * snapshot would claim a mean over a time that nobody watched: read once to begin anew, and send nothing.
         */
        ANEW
    }

    private final long periodNanos;
    private final long intervalNanos;
    private final int looks;
    private long dueNanos;
    private long beats;

    /**
     * @param looks how many beats make up a period; the first of each is the snapshot's
     * @param dueNanos the first beat
     */
    Beat(Duration period, int looks, long dueNanos) {
        this.periodNanos = period.toNanos();
        this.intervalNanos = period.toNanos() / looks;
        this.looks = looks;
        this.dueNanos = dueNanos;
    }

    /** Milliseconds until the next beat, 1 or more. */
    long millisUntilDue(long nowNanos) {
        return Math.max(1, (dueNanos - nowNanos + 999_999) / 1_000_000);
    }

    /** What is due now. Beats that were missed are left out; their rhythm stays. */
    Step next(long nowNanos) {
        long late = nowNanos - dueNanos;
        long missed = Math.max(0, late / intervalNanos);
        long first = beats;
        beats += 1 + missed;
        dueNanos += (1 + missed) * intervalNanos;
        if (late > periodNanos) {
            return Step.ANEW;
        }
        return (first + looks - 1) / looks * looks < beats ? Step.SNAPSHOT : Step.LOOK;
    }
}
