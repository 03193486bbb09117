package io.fairwatch.collector.store;

import java.time.Duration;
import java.time.Instant;

/**
 * An interval {@code [from, to)} cut into slots of one length, the last of which may reach beyond it. Immutable. A
 * reading belongs to the slot in which the period that it covers ends.
 *
 * @param from begin of the first slot
 * @param to end of the interval
 * @param length of each slot
 */
public record Slots(Instant from, Instant to, Duration length) {
    private static final Duration ROLL_UP = Duration.ofMinutes(5);

    public Slots {
        if (length.compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException("length: " + length + " (expected: one second or more)");
        }
        if (to.isBefore(from)) {
            throw new IllegalArgumentException("to: " + to + " (expected: not before from, " + from + ")");
        }
    }

    /**
     * The shortest slots of whole seconds of which at most {@code most} cover an interval. From five minutes on they are
     * whole multiples of that and begin at such, so that each holds whole roll-ups; then the first begins before
     * {@code from}.
     */
    public static Slots atMost(Instant from, Instant to, int most) {
        if (most < 2) {
            throw new IllegalArgumentException("most: " + most + " (expected: 2 or more)");
        }
        long lengthMs = Math.max(0, to.toEpochMilli() - from.toEpochMilli());
        Duration step = whole(lengthMs, most, Duration.ofSeconds(1));
        if (step.compareTo(ROLL_UP) < 0) {
            return new Slots(from, to, step);
        }
        // one slot fewer, because the first begins up to five minutes early
        step = whole(lengthMs, most - 1, ROLL_UP);
        long early = Math.floorMod(from.toEpochMilli(), ROLL_UP.toMillis());
        return new Slots(from.minusMillis(early), to, step);
    }

    /** How many there are, at least one. */
    public int count() {
        long step = length.toMillis();
        return (int) Math.max(1, (Duration.between(from, to).toMillis() + step - 1) / step);
    }

    private static Duration whole(long lengthMs, int slots, Duration unit) {
        long unitMs = unit.toMillis();
        return Duration.ofMillis(Math.max(1, (lengthMs + slots * unitMs - 1) / (slots * unitMs)) * unitMs);
    }
}
