package io.fairwatch.collector.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PeriodTest {
    private static final ZoneId COPENHAGEN = ZoneId.of("Europe/Copenhagen");
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");

    private static Period semester(String name) {
        return Period.parse(
                SemesterCalendar.AALBORG, Optional.of(name), Optional.empty(), Optional.empty(), COPENHAGEN, NOW);
    }

    private static Period days(String from, String to) {
        return Period.parse(
                SemesterCalendar.AALBORG, Optional.empty(), Optional.of(from), Optional.of(to), COPENHAGEN, NOW);
    }

    private static String complaint(Optional<String> semester, Optional<String> from, Optional<String> to) {
        return String.valueOf(assertThrows(
                        IllegalArgumentException.class,
                        () -> Period.parse(SemesterCalendar.AALBORG, semester, from, to, COPENHAGEN, NOW))
                .getMessage());
    }

    @Test
    @DisplayName("autumn is September to January: it begins in summer time, ends in winter time, and has an hour more")
    void autumn() {
        assertEquals(
                new Period("2026-autumn", Instant.parse("2026-08-31T22:00:00Z"), Instant.parse("2027-01-31T23:00:00Z")),
                semester("2026-autumn"));
        assertEquals(
                Duration.ofDays(30 + 31 + 30 + 31 + 31).plusHours(1),
                Duration.between(
                        semester("2026-autumn").from(), semester("2026-autumn").to()));
    }

    @Test
    @DisplayName("spring is February to June, and has an hour less")
    void spring() {
        assertEquals(
                new Period("2027-spring", Instant.parse("2027-01-31T23:00:00Z"), Instant.parse("2027-06-30T22:00:00Z")),
                semester("2027-spring"));
        assertEquals(semester("2026-autumn").to(), semester("2027-spring").from());
    }

    @Test
    @DisplayName(
            "days are those of the site: the last day is not counted, and one that the clock changes on has 25 hours")
    void ofTheSite() {
        Period period = days("2026-10-25", "2026-10-26");
        assertEquals(
                new Period(
                        "2026-10-25 to 2026-10-26",
                        Instant.parse("2026-10-24T22:00:00Z"),
                        Instant.parse("2026-10-25T23:00:00Z")),
                period);
        assertEquals(Duration.ofHours(25), Duration.between(period.from(), period.to()));
        assertEquals(
                Duration.ofHours(23),
                Duration.between(
                        days("2027-03-28", "2027-03-29").from(),
                        days("2027-03-28", "2027-03-29").to()));
    }

    @Test
    @DisplayName("without an end it reaches to now")
    void since() {
        assertEquals(
                new Period("since 2026-11-01", Instant.parse("2026-10-31T23:00:00Z"), NOW),
                Period.parse(
                        SemesterCalendar.AALBORG,
                        Optional.empty(),
                        Optional.of("2026-11-01"),
                        Optional.empty(),
                        COPENHAGEN,
                        NOW));
    }

    @ParameterizedTest
    @CsvSource({"2026-summer", "26-autumn", "2026", "'2026-autumn '", "2026-Autumn", "''"})
    @DisplayName("a semester that is none is named in the answer")
    void noSemester(String text) {
        assertEquals(
                "semester: " + text + " (expected: such as 2026-spring or 2026-autumn)",
                complaint(Optional.of(text), Optional.empty(), Optional.empty()));
    }

    @ParameterizedTest
    @CsvSource({"yesterday", "2026-9-1", "2026-02-29", "01.09.2026", "-999999999-01-01", "+999999999-12-31", "''"})
    @DisplayName("a day that is none, or that no store can hold, is named in the answer")
    void noDay(String text) {
        assertEquals(
                "from: " + text + " (expected: a day such as 2026-09-01)",
                complaint(Optional.empty(), Optional.of(text), Optional.empty()));
        assertEquals(
                "to: " + text + " (expected: a day such as 2026-09-01)",
                complaint(Optional.empty(), Optional.of("2026-09-01"), Optional.of(text)));
    }

    @Test
    @DisplayName("nothing asked for, or two things at once, is answered with what is expected")
    void nothingOrBoth() {
        assertEquals(
                "from: missing (expected: a day such as 2026-09-01, or a semester)",
                complaint(Optional.empty(), Optional.empty(), Optional.of("2026-09-01")));
        assertEquals(
                "semester: comes with from or to (expected: one or the other)",
                complaint(Optional.of("2026-autumn"), Optional.empty(), Optional.of("2026-09-01")));
    }

    @Test
    @DisplayName("a period that ends before it begins, or has no length, is refused")
    void wrongWayRound() {
        assertEquals(
                "period: 2026-08-31T22:00:00Z to 2026-08-31T22:00:00Z (expected: from before to)",
                complaint(Optional.empty(), Optional.of("2026-09-01"), Optional.of("2026-09-01")));
        assertEquals(
                "period: 2026-12-31T23:00:00Z to 2026-11-20T12:00:00Z (expected: from before to)",
                complaint(Optional.empty(), Optional.of("2027-01-01"), Optional.empty()));
    }

    @Test
    @DisplayName("half years are a calendar too, and a site's own semesters may cross the year")
    void calendars() {
        assertEquals(
                new Period("2026-h2", Instant.parse("2026-06-30T22:00:00Z"), Instant.parse("2026-12-31T23:00:00Z")),
                Period.of(SemesterCalendar.HALF_YEARS.find("2026-h2"), COPENHAGEN));
        SemesterCalendar own = new SemesterCalendar(Map.of("winter", SemesterCalendar.Part.parse("10-15", "03-01")));
        assertEquals(
                new Period("2026-winter", Instant.parse("2026-10-14T22:00:00Z"), Instant.parse("2027-02-28T23:00:00Z")),
                Period.of(own.find("2026-winter"), COPENHAGEN));
    }

    @Test
    @DisplayName("the semesters before one are those of its calendar, newest first")
    void before() {
        assertEquals(
                List.of("2026-spring", "2025-autumn", "2025-spring"),
                semester("2026-autumn").before(SemesterCalendar.AALBORG, COPENHAGEN, 3).stream()
                        .map(Period::name)
                        .toList());
    }

    @Test
    @DisplayName("days are compared with as many days just before them")
    void daysBefore() {
        assertEquals(
                List.of(new Period(
                        "2026-10-24 to 2026-10-25",
                        Instant.parse("2026-10-23T22:00:00Z"),
                        Instant.parse("2026-10-24T22:00:00Z"))),
                days("2026-10-25", "2026-10-26").before(SemesterCalendar.AALBORG, COPENHAGEN, 3));
    }

    @ParameterizedTest
    @CsvSource({
        "2026-07-01T12:00:00Z,2026-spring",
        "2026-08-30T12:00:00Z,2026-spring",
        "2027-01-31T22:59:59Z,2026-spring",
        "2027-01-31T23:00:00Z,2026-autumn",
        "2026-01-10T00:00:00Z,2025-spring"
    })
    @DisplayName("the newest semester is the one that ended last, to the second in the site's zone")
    void newest(Instant now, String name) {
        assertEquals(
                Optional.of(name),
                Period.newest(SemesterCalendar.AALBORG, COPENHAGEN, now).map(Period::name));
    }
}
