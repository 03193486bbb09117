package io.fairwatch.collector.text;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/** Texts of others made safe to show, and plain words for numbers. */
public final class Plain {
    private static final DateTimeFormatter MINUTE = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT);
    private static final int REPLACEMENT = 0xFFFD;
    private static final double KIBI = 1024;

    private Plain() {}

    // ---- texts of others

    /**
     * A text on one line: white space becomes one space; control characters, halves of surrogate pairs and everything
     * invisible that turns the direction of writing become U+FFFD, so that one sees that something was there.
     *
     * @param longest most characters; a longer text is cut and ends in {@code ...}
     */
    public static String line(String text, int longest) {
        StringBuilder out = new StringBuilder(Math.min(text.length(), longest));
        text.codePoints().limit(4L * longest).forEach(c -> {
            if (Character.isWhitespace(c) || Character.isSpaceChar(c)) {
                if (out.length() > 0 && out.charAt(out.length() - 1) != ' ') {
                    out.append(' ');
                }
            } else {
                out.appendCodePoint(isVisible(c) ? c : REPLACEMENT);
            }
        });
        String line = out.toString().strip();
        if (line.length() <= longest) {
            return line;
        }
        int end = longest - 3;
        return line.substring(0, Character.isHighSurrogate(line.charAt(end - 1)) ? end - 1 : end) + "...";
    }

    private static boolean isVisible(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }

    /** The lines of a text, each made safe; lines that begin with four spaces keep them. */
    public static List<String> lines(String text, int longest) {
        List<String> lines = new ArrayList<>();
        text.lines().forEach(raw -> {
            String line = line(raw, longest);
            lines.add(line.isEmpty() || !raw.startsWith("    ") ? line : "    " + line);
        });
        return lines;
    }

    /** Escapes for HTML text and attributes. */
    public static String html(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                .replace("'", "&#39;");
    }

    /** Breaks a text at spaces; a word that is longer than a line stays whole, so that it can be copied. */
    public static String wrap(String text, int width, String indent) {
        StringBuilder out = new StringBuilder();
        int column = 0;
        for (String word : text.split(" ", -1)) {
            if (column == 0) {
                out.append(indent);
                column = indent.length();
            } else if (column + 1 + word.length() > width) {
                out.append('\n').append(indent);
                column = indent.length();
            } else {
                out.append(' ');
                column++;
            }
            out.append(word);
            column += word.length();
        }
        return out.toString();
    }

    // ---- numbers

    /** E.g. {@code 20 s}, {@code 45 min}, {@code 2 h 30 min}, {@code 3 days 4 h}; never rounded up. */
    public static String duration(Duration duration) {
        long seconds = Math.max(0, duration.toSeconds());
        if (seconds < 60) {
            return seconds + " s";
        }
        long minutes = seconds / 60;
        if (minutes < 60) {
            return minutes + " min";
        }
        if (minutes < 24 * 60) {
            return minutes / 60 + " h" + (minutes % 60 == 0 ? "" : " " + minutes % 60 + " min");
        }
        long days = minutes / (24 * 60);
        long hours = minutes / 60 % 24;
        return days + (days == 1 ? " day" : " days") + (hours == 0 ? "" : " " + hours + " h");
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

    /** Whole percent; what is more than nothing never becomes 0 %, what is less than all never 100 %. */
    public static String percent(double ratio) {
        if (ratio > 0 && ratio < 0.01) {
            return "<1 %";
        }
        return (ratio < 1 ? Math.min(99, Math.round(ratio * 100)) : 100) + " %";
    }

    /** As {@link #percent(double)}; {@code unknown} when absent. */
    public static String percent(OptionalDouble ratio) {
        return ratio.isPresent() ? percent(ratio.getAsDouble()) : "unknown";
    }

    /** Whole percent of what was seen, cut; a few milliseconds between two clocks are no hole. */
    public static String coverage(double ratio) {
        return (long) Math.floor(Math.min(1, ratio + 0.002) * 100) + " %";
    }

    /** {@code 2026-11-20 14:02} in the site's zone. */
    public static String minute(Instant at, ZoneId zone) {
        return MINUTE.format(at.atZone(zone));
    }
}
