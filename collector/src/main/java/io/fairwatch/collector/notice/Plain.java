package io.fairwatch.collector.notice;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Texts of others made safe to show, and plain words for numbers. */
final class Plain {
    private static final int REPLACEMENT = 0xFFFD;

    private Plain() {}

    /**
     * A text on one line: white space becomes one space; control characters, halves of surrogate pairs and everything
     * invisible that turns the direction of writing become U+FFFD, so that one sees that something was there.
     *
     * @param longest most characters; a longer text is cut and ends in {@code ...}
     */
    static String line(String text, int longest) {
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
    static List<String> lines(String text, int longest) {
        List<String> lines = new ArrayList<>();
        text.lines().forEach(raw -> lines.add((raw.startsWith("    ") ? "    " : "") + line(raw, longest)));
        return lines;
    }

    /** Escapes for HTML text and attributes. */
    static String html(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                .replace("'", "&#39;");
    }

    /** E.g. {@code 45 min}, {@code 2 h 30 min}, {@code 3 days 4 h}; never rounded up. */
    static String duration(Duration duration) {
        long minutes = Math.max(0, duration.toMinutes());
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

    /** Breaks a text at spaces; a word that is longer than a line stays whole, so that it can be copied. */
    static String wrap(String text, int width, String indent) {
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
}
