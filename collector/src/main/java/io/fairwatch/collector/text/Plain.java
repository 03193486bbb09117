package io.fairwatch.collector.text;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.OptionalDouble;

/** Values as plain text for people. What users wrote is made harmless here. */
public final class Plain {
    private static final DateTimeFormatter MINUTE = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT);
    private static final double KIBI = 1024;

    private Plain() {}

    /** Text that somebody else wrote, on one line: what could steer a terminal or turn the writing becomes {@code ?}. */
    public static String text(String foreign, int longest) {
        StringBuilder plain = new StringBuilder();
        foreign.codePoints().limit(longest).forEach(c -> plain.appendCodePoint(harmless(c) ? c : '?'));
        return foreign.codePointCount(0, foreign.length()) > longest ? plain + "..." : plain.toString();
    }

    private static boolean harmless(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED -> false;
            default -> true;
        };
    }

    /** {@code 2 h 31 min}, {@code 3 d 4 h}, {@code 45 s}. */
    public static String duration(Duration duration) {
        long seconds = Math.max(0, duration.toSeconds());
        if (seconds < 60) {
            return seconds + " s";
        }
        if (seconds < 3600) {
            return seconds / 60 + " min" + (seconds < 600 && seconds % 60 > 0 ? " " + seconds % 60 + " s" : "");
        }
        if (seconds < 86_400) {
            return seconds / 3600 + " h" + (seconds % 3600 >= 60 ? " " + seconds % 3600 / 60 + " min" : "");
        }
        return seconds / 86_400 + " d" + (seconds % 86_400 >= 3600 ? " " + seconds % 86_400 / 3600 + " h" : "");
    }

    /** {@code 31.0 GiB}. */
    public static String bytes(long bytes) {
        String[] units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
        double value = bytes;
        int unit = 0;
        while (value >= KIBI && unit < units.length - 1) {
            value /= KIBI;
            unit++;
        }
        return unit == 0 ? bytes + " B" : String.format(Locale.ROOT, "%.1f %s", value, units[unit]);
    }

    /** {@code 94 %}; a little above zero is {@code <1 %}, since zero means that nothing ran. */
    public static String percent(double ratio) {
        if (ratio > 0 && ratio < 0.01) {
            return "<1 %";
        }
        return String.format(Locale.ROOT, "%.0f %%", Math.floor(ratio * 100 + 0.5));
    }

    /** As {@link #percent(double)}; {@code unknown} when absent. */
    public static String percent(OptionalDouble ratio) {
        return ratio.isPresent() ? percent(ratio.getAsDouble()) : "unknown";
    }

    /** {@code 2026-11-20 14:02} in the site's zone. */
    public static String minute(Instant at, ZoneId zone) {
        return MINUTE.format(at.atZone(zone));
    }
}
