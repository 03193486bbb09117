package io.fairwatch.collector.report;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What a report covers. Immutable.
 *
 * @param name as people call it, e.g. {@code 2026-autumn} or {@code 2026-09-01 to 2026-10-01}
 * @param from begin, included
 * @param to end, not included
 */
public record Period(String name, Instant from, Instant to) {
    /** Four digits: ISO's longer years reach beyond what instants can be stored as. */
    private static final Pattern DAY = Pattern.compile("\\d{4}-\\d{2}-\\d{2}");

    public Period {
        if (!from.isBefore(to)) {
            throw new IllegalArgumentException("period: " + from + " to " + to + " (expected: from before to)");
        }
    }

    /**
     * The period that somebody asked for, by semester or by days in the site's zone.
     *
     * @param calendar the site's semesters
     * @param semester e.g. {@code 2026-autumn}; excludes the others
     * @param from first day
     * @param to first day not counted; absent: up to {@code now}
     * @throws IllegalArgumentException naming what was wrong
     */
    public static Period parse(
            SemesterCalendar calendar,
            Optional<String> semester,
            Optional<String> from,
            Optional<String> to,
            ZoneId zone,
            Instant now) {
        if (semester.isPresent()) {
            if (from.isPresent() || to.isPresent()) {
                throw new IllegalArgumentException("semester: comes with from or to (expected: one or the other)");
            }
            return of(calendar.find(semester.get()), zone);
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

    static Period of(SemesterCalendar.Semester semester, ZoneId zone) {
        return new Period(semester.name(), start(semester.from(), zone), start(semester.to(), zone));
    }

    /** The semester that ended last at {@code now}, by the site's zone. */
    public static Optional<Period> newest(SemesterCalendar calendar, ZoneId zone, Instant now) {
        return calendar.endedBy(LocalDate.ofInstant(now, zone)).map(semester -> of(semester, zone));
    }

    /**
     * Periods to compare with, newest first: the semesters before it, or as many days as it has, just before it.
     *
     * @param count how many semesters
     */
    List<Period> before(SemesterCalendar calendar, ZoneId zone, int count) {
        try {
            return calendar.before(calendar.find(name), count).stream()
                    .map(semester -> of(semester, zone))
                    .toList();
        } catch (IllegalArgumentException expected) {
            LocalDate first = LocalDate.ofInstant(from, zone);
            long days = Math.max(1, ChronoUnit.DAYS.between(first, LocalDate.ofInstant(to, zone)));
            LocalDate earlier = first.minusDays(days);
            return List.of(new Period(earlier + " to " + first, start(earlier, zone), start(first, zone)));
        }
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
