package io.fairwatch.agent.wire;

import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/** The few checks that all wire records share. Every message says what it is, what it was and what was expected. */
final class Check {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,252}");
    private static final Pattern UUID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9/._:-]{0,95}");
    private static final int SHOWN = 60;

    private Check() {}

    static void name(String what, String value) {
        matches(what, value, NAME, "letters, digits, '.', '_' and '-', at most 253");
    }

    static void uuid(String what, String value) {
        matches(what, value, UUID, "letters, digits, '-', '/', '.', ':' and '_', at most 96");
    }

    static void text(String what, String value, int longest) {
        require(
                value.length() <= longest && value.chars().noneMatch(Character::isISOControl),
                what,
                shown(value),
                "text without control characters, at most " + longest);
    }

    static void ratio(String what, OptionalDouble value) {
        value.ifPresent(v -> ratio(what, v));
    }

    static void ratio(String what, double value) {
        require(value >= 0 && value <= 1, what, value, "0..1");
    }

    static void notNegative(String what, OptionalDouble value) {
        value.ifPresent(v -> require(v >= 0 && Double.isFinite(v), what, v, "a finite number, 0 or more"));
    }

    static void notNegative(String what, OptionalLong value) {
        value.ifPresent(v -> notNegative(what, v));
    }

    static void notNegative(String what, OptionalInt value) {
        value.ifPresent(v -> notNegative(what, (long) v));
    }

    static void notNegative(String what, long value) {
        require(value >= 0, what, value, "0 or more");
    }

    static void positive(String what, long value) {
        require(value > 0, what, value, "1 or more");
    }

    static void atMost(String what, int size, int most) {
        require(size <= most, what, size + " entries", "at most " + most);
    }

    private static void matches(String what, String value, Pattern pattern, String expected) {
        require(pattern.matcher(value).matches(), what, shown(value), expected);
    }

    private static void require(boolean holds, String what, Object was, String expected) {
        if (!holds) {
            throw new IllegalArgumentException(what + ": " + was + " (expected: " + expected + ")");
        }
    }

    private static String shown(String value) {
        StringBuilder shown = new StringBuilder("\"");
        value.codePoints()
                .limit(SHOWN)
                .forEach(c -> shown.appendCodePoint(Character.isISOControl(c) || c > 0x7e ? '?' : c));
        return shown.append(value.length() > SHOWN ? "...\"" : "\"").toString();
    }
}
