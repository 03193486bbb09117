package io.fairwatch.rules;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** A language that rules can speak to owners: how it says numbers, lengths of time and lists. */
enum Language {
    /** What the rules' own {@code summary} and {@code fix} are written in. */
    ENGLISH("en", '.', ',', " and ", "day", "days", "h", "(not known)"),
    DANISH("da", ',', '.', " og ", "dag", "dage", "t", "(ukendt)");

    private final String tag;
    private final char decimal;
    private final char grouping;
    private final String and;
    private final String day;
    private final String days;
    private final String hours;
    private final String notKnown;

    Language(
            String tag,
            char decimal,
            char grouping,
            String and,
            String day,
            String days,
            String hours,
            String notKnown) {
        this.tag = tag;
        this.decimal = decimal;
        this.grouping = grouping;
        this.and = and;
        this.day = day;
        this.days = days;
        this.hours = hours;
        this.notKnown = notKnown;
    }

    /** The language of a tag such as {@code da}. */
    static Optional<Language> of(String tag) {
        return Arrays.stream(values())
                .filter(language -> language.tag.equals(tag))
                .findFirst();
    }

    /** Tags of those that a rule can be translated into. */
    static List<String> others() {
        return Arrays.stream(values())
                .filter(language -> language != ENGLISH)
                .map(Language::tag)
                .toList();
    }

    String tag() {
        return tag;
    }

    /** What is written for an absent fact. */
    String notKnown() {
        return notKnown;
    }

    /** Says 5400 seconds as "1 h 30 min"; the two largest units, rounded down, so that nobody is told of more than there
     * was. */
    String duration(long seconds) {
        long minutes = seconds / 60;
        long whole = minutes / 60;
        long most = whole / 24;
        if (most > 0) {
            return most + " " + (most == 1 ? day : days) + (whole % 24 > 0 ? " " + whole % 24 + " " + hours : "");
        }
        if (whole > 0) {
            return whole + " " + hours + (minutes % 60 > 0 ? " " + minutes % 60 + " min" : "");
        }
        return minutes > 0 ? minutes + " min" : seconds + " s";
    }

    /** Says ["a", "b", "c"] as "a, b and c". */
    String list(List<String> words) {
        int last = words.size() - 1;
        return last < 1 ? String.join("", words) : String.join(", ", words.subList(0, last)) + and + words.get(last);
    }

    /** A number as {@link java.util.Locale#ROOT} writes it, e.g. {@code 1,234.5}, as this language does. */
    String number(String root) {
        if (this == ENGLISH) {
            return root;
        }
        StringBuilder out = new StringBuilder(root.length());
        for (int i = 0; i < root.length(); i++) {
            char letter = root.charAt(i);
            out.append(letter == '.' ? decimal : letter == ',' ? grouping : letter);
        }
        return out.toString();
    }
}
