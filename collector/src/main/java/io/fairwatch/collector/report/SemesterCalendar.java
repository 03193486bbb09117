package io.fairwatch.collector.report;

import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.MonthDay;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * How a site divides its years. A semester is named by the year in which it begins, e.g. {@code 2026-autumn}. Immutable.
 *
 * @param parts the semesters of a year by name, in the order of their begin
 */
public record SemesterCalendar(Map<String, Part> parts) {
    /** Aalborg University's: 1 September to the end of January, 1 February to the end of June. */
    public static final SemesterCalendar AALBORG = of(
            "spring", new Part(MonthDay.of(2, 1), MonthDay.of(7, 1)),
            "autumn", new Part(MonthDay.of(9, 1), MonthDay.of(2, 1)));

    /** Plain half years. */
    public static final SemesterCalendar HALF_YEARS = of(
            "h1", new Part(MonthDay.of(1, 1), MonthDay.of(7, 1)),
            "h2", new Part(MonthDay.of(7, 1), MonthDay.of(1, 1)));

    private static final Pattern NAME = Pattern.compile("(\\d{4})-([a-z][a-z0-9]{0,19})");

    /**
     * A semester of any year. Immutable.
     *
     * @param from first day
     * @param to first day after it; in the next year when it is not after {@code from}
     */
    public record Part(MonthDay from, MonthDay to) {
        /** Reads days such as {@code 09-01}. */
        public static Part parse(String from, String to) {
            return new Part(day("from", from), day("to", to));
        }

        private static MonthDay day(String what, String text) {
            try {
                if (text.matches("\\d\\d-\\d\\d")) {
                    return MonthDay.parse("--" + text);
                }
            } catch (DateTimeException expected) {
                // no calendar has that day: said below
            }
            throw new IllegalArgumentException(what + ": " + text + " (expected: month and day such as 09-01)");
        }
    }

    /** A semester of one year. */
    record Semester(String name, LocalDate from, LocalDate to) {}

    public SemesterCalendar {
        Map<String, Part> copy = new LinkedHashMap<>();
        parts.entrySet().stream()
                .sorted(Map.Entry.comparingByValue((a, b) -> a.from().compareTo(b.from())))
                .forEach(part -> copy.put(part.getKey(), part.getValue()));
        parts = Collections.unmodifiableMap(copy);
        if (parts.isEmpty()) {
            throw new IllegalArgumentException("semesters: none (expected: one or more)");
        }
        parts.keySet().stream()
                .filter(name -> !name.matches("[a-z][a-z0-9]{0,19}"))
                .findFirst()
                .ifPresent(name -> {
                    throw new IllegalArgumentException(
                            "semesters: " + name + " (expected: small letters and digits, e.g. autumn)");
                });
    }

    private static SemesterCalendar of(String first, Part one, String second, Part other) {
        return new SemesterCalendar(Map.of(first, one, second, other));
    }

    /** The semester with this name. */
    Semester find(String name) {
        Matcher matcher = NAME.matcher(name);
        Optional<Part> part = matcher.matches() ? Optional.ofNullable(parts.get(matcher.group(2))) : Optional.empty();
        if (part.isEmpty()) {
            throw new IllegalArgumentException("semester: " + name + " (expected: such as "
                    + parts.keySet().stream().map(known -> "2026-" + known).collect(Collectors.joining(" or ")) + ")");
        }
        return semester(Integer.parseInt(matcher.group(1)), matcher.group(2), part.get());
    }

    private static Semester semester(int year, String name, Part part) {
        LocalDate from = part.from().atYear(year);
        LocalDate to = part.to().atYear(part.to().isAfter(part.from()) ? year : year + 1);
        return new Semester(String.format("%04d-%s", year, name), from, to);
    }

    /** The semesters before one, newest first. */
    List<Semester> before(Semester semester, int count) {
        List<Semester> found = new ArrayList<>();
        for (int year = semester.from().getYear();
                found.size() < count && year > semester.from().getYear() - count - 1;
                year--) {
            List<Map.Entry<String, Part>> newestFirst = new ArrayList<>(parts.entrySet());
            Collections.reverse(newestFirst);
            for (Map.Entry<String, Part> part : newestFirst) {
                Semester other = semester(year, part.getKey(), part.getValue());
                if (other.from().isBefore(semester.from()) && found.size() < count) {
                    found.add(other);
                }
            }
        }
        return found;
    }

    /** The semester that ended last at or before a day. */
    Optional<Semester> endedBy(LocalDate day) {
        Optional<Semester> newest = Optional.empty();
        for (int year = day.getYear() - 2; year <= day.getYear(); year++) {
            for (Map.Entry<String, Part> entry : parts.entrySet()) {
                Semester semester = semester(year, entry.getKey(), entry.getValue());
                if (!semester.to().isAfter(day)
                        && (newest.isEmpty()
                                || semester.to().isAfter(newest.get().to()))) {
                    newest = Optional.of(semester);
                }
            }
        }
        return newest;
    }
}
