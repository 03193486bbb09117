package io.fairwatch.collector.report;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a report covers. Immutable.
 *
 * @param name as people call it, e.g. {@code 2026-autumn} or {@code 2026-09-01 to 2026-10-01}
 * @param from begin, included
 * @param to end, not included
 */
public record Period(String name, Instant from, Instant to) {
    private static final Pattern SEMESTER = Pattern.compile("(\\d{4})-(autumn|spring)");

    /** Four digits: ISO's longer years reach beyond what instants can be stored as. */
    private static final Pattern DAY = Pattern.compile("\\d{4}-\\d{2}-\\d{2}");

    public Period {
        if (!from.isBefore(to)) {
            throw new IllegalArgumentException("period: " + from + " to " + to + " (expected: from before to)");
        }
    }

    /**
     * The period that somebody asked for, by semester or by days in the site's zone. Autumn runs from 1 September to the
     * end of January, spring from 1 February to the end of June.
     *
     * @param semester e.g. {@code 2026-autumn}; excludes the others
     * @param from first day
     * @param to first day not counted; absent: up to {@code now}
     * @throws IllegalArgumentException naming what was wrong
     */
    public static Period parse(
            Optional<String> semester, Optional<String> from, Optional<String> to, ZoneId zone, Instant now) {
        if (semester.isPresent()) {
            if (from.isPresent() || to.isPresent()) {
                throw new IllegalArgumentException("semester: comes with from or to (expected: one or the other)");
            }
            Matcher parts = SEMESTER.matcher(semester.get());
            if (!parts.matches()) {
                throw new IllegalArgumentException(
                        "semester: " + semester.get() + " (expected: such as 2026-autumn or 2026-spring)");
            }
            int year = Integer.parseInt(parts.group(1));
            boolean autumn = parts.group(2).equals("autumn");
            LocalDate first = LocalDate.of(year, autumn ? 9 : 2, 1);
            LocalDate end = autumn ? LocalDate.of(year + 1, 2, 1) : LocalDate.of(year, 7, 1);
            return new Period(semester.get(), start(first, zone), start(end, zone));
        }
        LocalDate first = day(
                "from",
                from.orElseThrow(() -> new IllegalArgumentException(
                        "from: missing (expected: a day such as 2026-09-01, or a semester)")));
        if (to.isEmpty()) {
            return new Period("since " + first, start(first, zone), now);
        }
        LocalDate end = day("to", to.get());
        return new Period(first + " to " + end, start(first, zone), start(end, zone));
    }

    private static LocalDate day(String what, String text) {
        try {
            if (DAY.matcher(text).matches()) {
                return LocalDate.parse(text);
            }
        } catch (DateTimeException expected) {
            // no calendar has that day: said below
        }
        throw new IllegalArgumentException(what + ": " + text + " (expected: a day such as 2026-09-01)");
    }

    private static Instant start(LocalDate day, ZoneId zone) {
        return day.atStartOfDay(zone).toInstant();
    }
}
