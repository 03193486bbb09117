package io.fairwatch.collector.notice;

import java.time.DayOfWeek;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * When people are left in peace. Immutable.
 *
 * @param from no mails from this time of the day on; the same as {@code to}: at no time
 * @param to until this, also over midnight
 * @param workDays mails go out on these days of the week only; all seven: on each
 * @param holidays days on which none go out
 * @param weeklyDay day of the week on which those who want one mail a week get it
 * @param zone of all these
 */
public record QuietTime(
        LocalTime from,
        LocalTime to,
        Set<DayOfWeek> workDays,
        Set<LocalDate> holidays,
        DayOfWeek weeklyDay,
        ZoneId zone) {
    public QuietTime {
        workDays = Set.copyOf(workDays);
        holidays = Set.copyOf(holidays);
        if (workDays.isEmpty()) {
            throw new IllegalArgumentException("workDays: none (expected: at least one day of the week)");
        }
        if (!workDays.contains(weeklyDay)) {
            throw new IllegalArgumentException("weeklyDay: " + weeklyDay + " (expected: one of workDays)");
        }
    }

    /** Mails go out at any time; weekly ones on Mondays. */
    public static QuietTime none(ZoneId zone) {
        return new QuietTime(
                LocalTime.MIDNIGHT, LocalTime.MIDNIGHT, Set.of(DayOfWeek.values()), Set.of(), DayOfWeek.MONDAY, zone);
    }

    /**
     * Reads a file of holidays: a day such as {@code 2026-12-24} at the beginning of each line, the rest is for people.
     *
     * @param problems takes what is wrong, one sentence each
     */
    public static Set<LocalDate> holidays(String name, String content, List<String> problems) {
        Set<LocalDate> days = new TreeSet<>();
        int number = 0;
        for (String raw : content.lines().toList()) {
            number++;
            String line = raw.strip();
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            try {
                days.add(LocalDate.parse(line.split("\\s+", 2)[0]));
            } catch (DateTimeParseException e) {
                problems.add(name + ":" + number + ": " + line + " (expected: a day such as 2026-12-24)");
            }
        }
        return days;
    }

    /** Whether mails wait now. */
    boolean isQuiet(Instant now) {
        ZonedDateTime local = now.atZone(zone);
        LocalTime time = local.toLocalTime();
        boolean quietHour = from.isBefore(to)
                ? !time.isBefore(from) && time.isBefore(to)
                : from.isAfter(to) && (!time.isBefore(from) || time.isBefore(to));
        return quietHour || !isWorkDay(local.toLocalDate());
    }

    /** Whether this is the day for weekly mails; a holiday puts them off to the next day of work. */
    boolean isWeeklyDay(Instant now) {
        LocalDate day = now.atZone(zone).toLocalDate();
        List<LocalDate> passedOver = new ArrayList<>();
        LocalDate due = day;
        while (due.getDayOfWeek() != weeklyDay && passedOver.size() < 6) {
            due = due.minusDays(1);
            passedOver.add(due);
        }
        return isWorkDay(day) && passedOver.stream().noneMatch(this::isWorkDay);
    }

    private boolean isWorkDay(LocalDate day) {
        return workDays.contains(day.getDayOfWeek()) && !holidays.contains(day);
    }
}
