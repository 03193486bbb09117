package io.fairwatch.agent.wire;

import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** The few checks that all wire records share. Every message says what it is, what it was and what was expected. */
final class Check {
    private static final int LONGEST_NAME = 253;
    private static final int LONGEST_UUID = 96;
    private static final int SHOWN = 60;

    private Check() {}

    static void name(String what, String value) {
        word(what, value, "._-", LONGEST_NAME, "letters, digits, '.', '_' and '-', at most 253");
    }

    static void uuid(String what, String value) {
        word(what, value, "/._:-", LONGEST_UUID, "letters, digits, '-', '/', '.', ':' and '_', at most 96");
    }

    static void text(String what, String value, int longest) {
        boolean holds = value.length() <= longest;
        for (int i = 0; holds && i < value.length(); i++) {
            holds = !Character.isISOControl(value.charAt(i));
        }
        if (!holds) {
            throw wrong(what, shown(value), "text without control characters, at most " + longest);
        }
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

    /** A letter or digit, then such and some others; without a regular expression, because it is asked all the time. */
    private static void word(String what, String value, String others, int longest, String expected) {
        boolean holds = !value.isEmpty() && value.length() <= longest && isLetterOrDigit(value.charAt(0));
        for (int i = 1; holds && i < value.length(); i++) {
            char c = value.charAt(i);
            holds = isLetterOrDigit(c) || others.indexOf(c) >= 0;
        }
        if (!holds) {
            throw wrong(what, shown(value), expected);
        }
    }

    private static boolean isLetterOrDigit(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    }

    private static void require(boolean holds, String what, Object was, String expected) {
        if (!holds) {
            throw wrong(what, was, expected);
        }
    }

    private static IllegalArgumentException wrong(String what, Object was, String expected) {
        return new IllegalArgumentException(what + ": " + was + " (expected: " + expected + ")");
    }

    private static String shown(String value) {
        StringBuilder shown = new StringBuilder("\"");
        value.codePoints()
                .limit(SHOWN)
                .forEach(c -> shown.appendCodePoint(Character.isISOControl(c) || c > 0x7e ? '?' : c));
        return shown.append(value.length() > SHOWN ? "...\"" : "\"").toString();
    }
}
