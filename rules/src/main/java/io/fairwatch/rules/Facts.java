package io.fairwatch.rules;

import java.time.Instant;

/** Range checks that all facts share. */
final class Facts {
    private Facts() {}

    static void ratio(String name, double value) {
        if (!(value >= 0 && value <= 1)) {
            throw new IllegalArgumentException(name + ": " + value + " (expected: 0..1)");
        }
    }

    static void notNegative(String name, double value) {
        if (!(value >= 0)) {
            throw new IllegalArgumentException(name + ": " + value + " (expected: 0 or more)");
        }
    }

    static void notNegative(String name, long value) {
        if (value < 0) {
            throw new IllegalArgumentException(name + ": " + value + " (expected: 0 or more)");
        }
    }

    static void window(Instant from, Instant to) {
        if (!from.isBefore(to)) {
            throw new IllegalArgumentException("window: from " + from + " to " + to + " (expected: from before to)");
        }
    }
}
