package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Cell.Kind;
import io.fairwatch.collector.report.Sheet.Column;
import io.fairwatch.collector.text.Plain;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Locale;
import java.util.MissingResourceException;
import java.util.ResourceBundle;

/**
 * One language of the report: its words, and how it writes numbers. Texts of others come back on one line and are not
 * escaped. Confined to one thread.
 */
final class Words {
    private static final String BUNDLE = "io.fairwatch.collector.report.words";
    private static final int LONGEST = 60;

    /** The languages that there are. */
    enum Language {
        EN,
        DA;

        String code() {
            return name().toLowerCase(Locale.ROOT);
        }

        static Language of(String code) {
            for (Language language : values()) {
                if (language.code().equals(code)) {
                    return language;
                }
            }
            throw new IllegalArgumentException("language: " + code + " (expected: en or da)");
        }
    }

    private final Language language;
    private final ResourceBundle words;
    private final DecimalFormatSymbols symbols;
    private final ZoneId zone;

    Words(Language language, ZoneId zone) {
        this.language = language;
        // the words of English are those without a language, so that no other language can take their place
        this.words = ResourceBundle.getBundle(
                BUNDLE,
                language == Language.EN ? Locale.ROOT : Locale.forLanguageTag(language.code()),
                ResourceBundle.Control.getNoFallbackControl(ResourceBundle.Control.FORMAT_PROPERTIES));
        this.symbols = new DecimalFormatSymbols(Locale.ROOT);
        symbols.setDecimalSeparator(language == Language.DA ? ',' : '.');
        symbols.setGroupingSeparator(language == Language.DA ? '.' : ',');
        this.zone = zone;
    }

    String code() {
        return language.code();
    }

    /** The words of a key. */
    String text(String key) {
        try {
            return words.getString(key);
        } catch (MissingResourceException e) {
            throw new IllegalStateException("no words for " + key, e);
        }
    }

    boolean has(String key) {
        return words.containsKey(key);
    }

    String say(Say say) {
        String pattern = text(say.key());
        StringBuilder said = new StringBuilder();
        int at = 0;
        while (at < pattern.length()) {
            int open = pattern.indexOf('{', at);
            if (open < 0 || open + 2 >= pattern.length() || pattern.charAt(open + 2) != '}') {
                said.append(pattern, at, pattern.length());
                break;
            }
            said.append(pattern, at, open)
                    .append(cell(say.cells().get(Character.digit(pattern.charAt(open + 1), 10)), 2000));
            at = open + 3;
        }
        return said.toString();
    }

    /** A column's heading, with its unit. */
    String heading(Column column) {
        String key = column.key();
        if (key.matches("h\\d\\d")) {
            return key.substring(1);
        }
        if (key.startsWith("week-")) { // day and month of its begin
            return key.substring(13) + "." + key.substring(10, 12);
        }
        if (key.matches("use\\d")) {
            return text("tenth." + key.substring(3));
        }
        return text("column." + key);
    }

    /** A value as people read it. */
    String cell(Cell cell) {
        return cell(cell, LONGEST);
    }

    private String cell(Cell cell, int longest) {
        if (cell.value().isEmpty()) {
            return text("unknown.short");
        }
        Object value = cell.value().get();
        return switch (cell.kind()) {
            case TEXT -> Plain.line((String) value, longest);
            case WORD -> text((String) value);
            case COUNT -> number(((Long) value).doubleValue(), 0);
            case HOURS -> decimals((Double) value / 3600);
            case MEMORY_HOURS -> decimals((Double) value / 1024 / 3600);
            case NUMBER ->
                number((Double) value, Math.abs((Double) value) < 100 ? Math.abs((Double) value) < 10 ? 2 : 1 : 0);
            case LENGTH -> length((Double) value);
            case RATIO -> percent((Double) value);
            case ENERGY -> decimals((Double) value / 3.6e6);
            case MASS -> decimals((Double) value);
            case BYTES -> bytes(((Long) value).doubleValue());
            case TIME -> Plain.minute((Instant) value, zone);
        };
    }

    /** As much of a number as people can use. */
    private String decimals(double value) {
        double size = Math.abs(value);
        return number(value, size == 0 || size >= 1000 ? 0 : size >= 10 ? 1 : 2);
    }

    private String number(double value, int decimals) {
        DecimalFormat format = new DecimalFormat(decimals == 0 ? "#,##0" : "#,##0." + "0".repeat(decimals), symbols);
        format.setRoundingMode(java.math.RoundingMode.HALF_UP);
        return format.format(value);
    }

    /** What is more than nothing never becomes 0 %, and what is less than all never 100 %. */
    private String percent(double ratio) {
        if (ratio > 0 && ratio < 0.001) {
            return "<" + number(0.1, 1) + " %";
        }
        if (ratio > 0 && ratio < 0.0995) {
            return number(ratio * 100, 1) + " %";
        }
        return number(ratio < 1 ? Math.min(99, ratio * 100) : ratio * 100, 0) + " %";
    }

    private String length(double seconds) {
        if (seconds < 60) {
            return number(seconds, 0) + " s";
        }
        if (seconds < 3600) {
            return number(seconds / 60, 0) + " min";
        }
        if (seconds < 48 * 3600) {
            return number(seconds / 3600, 1) + " " + text("unit.hours");
        }
        return number(seconds / 86_400, 1) + " " + text("unit.days");
    }

    private String bytes(double bytes) {
        String[] units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
        int unit = 0;
        double value = bytes;
        while (value >= 1024 && unit < units.length - 1) {
            value /= 1024;
            unit++;
        }
        return number(value, unit == 0 || value >= 100 ? 0 : 1) + " " + units[unit];
    }

    /** Whether a column reads to the right. */
    static boolean isNumber(Column column) {
        return column.kind().isNumber() && column.kind() != Kind.TIME;
    }
}
