package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.DayOfWeek;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class QuietTimeTest {
    private final QuietTime quiet = new QuietTime(
            LocalTime.of(18, 0),
            LocalTime.of(7, 30),
            EnumSet.range(DayOfWeek.MONDAY, DayOfWeek.FRIDAY),
            Set.of(LocalDate.of(2026, 12, 24), LocalDate.of(2026, 12, 25)),
            DayOfWeek.THURSDAY,
            Samples.ZONE);

    @Test
    @DisplayName("over midnight, on days off and on holidays people are left in peace, by the site's clock")
    void isQuiet() {
        assertEquals(true, quiet.isQuiet(Instant.parse("2026-11-23T06:29:59Z")));
        assertEquals(false, quiet.isQuiet(Instant.parse("2026-11-23T06:30:00Z")));
        assertEquals(false, quiet.isQuiet(Instant.parse("2026-11-23T16:59:59Z")));
        assertEquals(true, quiet.isQuiet(Instant.parse("2026-11-23T17:00:00Z")));
        assertEquals(true, quiet.isQuiet(Instant.parse("2026-11-22T12:00:00Z")));
        assertEquals(true, quiet.isQuiet(Instant.parse("2026-12-24T12:00:00Z")));
        assertEquals(false, QuietTime.none(Samples.ZONE).isQuiet(Instant.parse("2026-11-22T00:00:00Z")));
    }

    @Test
    @DisplayName("a weekly mail that falls on a holiday goes out on the next day of work")
    void weekly() {
        assertEquals(true, quiet.isWeeklyDay(Instant.parse("2026-11-26T12:00:00Z")));
        assertEquals(false, quiet.isWeeklyDay(Instant.parse("2026-11-27T12:00:00Z")));
        assertEquals(false, quiet.isWeeklyDay(Instant.parse("2026-12-24T12:00:00Z")));
        assertEquals(false, quiet.isWeeklyDay(Instant.parse("2026-12-26T12:00:00Z")));
        assertEquals(true, quiet.isWeeklyDay(Instant.parse("2026-12-28T12:00:00Z")));
        assertEquals(false, quiet.isWeeklyDay(Instant.parse("2026-12-29T12:00:00Z")));
    }

    @Test
    @DisplayName("a file of holidays is days with words for people; what is no day is said with its line")
    void holidays() {
        List<String> problems = new ArrayList<>();
        assertEquals(
                Set.of(LocalDate.of(2026, 12, 24)),
                QuietTime.holidays("holidays", "# 2026\n2026-12-24 Christmas Eve\n\n24.12.2027\n", problems));
        assertEquals(List.of("holidays:4: 24.12.2027 (expected: a day such as 2026-12-24)"), problems);
    }
}
