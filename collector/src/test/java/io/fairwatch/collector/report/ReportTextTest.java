package io.fairwatch.collector.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.report.Report.Line;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReportTextTest {
    private static final ZoneId COPENHAGEN = ZoneId.of("Europe/Copenhagen");
    private static final Period AUTUMN =
            new Period("2026-autumn", Instant.parse("2026-08-31T22:00:00Z"), Instant.parse("2027-01-31T23:00:00Z"));

    private final ReportText text = new ReportText(COPENHAGEN);

    private static Report report(Optional<String> simulated, Line total, Map<String, List<Line>> groups) {
        return new Report(AUTUMN, Optional.of(Instant.parse("2026-11-20T12:00:00Z")), simulated, total, groups);
    }

    private static Report ofUser(String name) {
        Line line = new Line(name, 1, 3600, 3600, 0, 0, 0);
        return report(Optional.empty(), line, Map.of("user", List.of(line)));
    }

    /** Anna used half of 100 GPU-hours and idled a quarter, all seen; nobody saw Bob's 10. */
    private static Report twoUsers() {
        Map<String, List<Line>> groups = new LinkedHashMap<>();
        groups.put(
                "user",
                List.of(
                        new Line("anna", 12, 360_000, 360_000, 180_000, 90_000, 0),
                        new Line("bob", 1, 36_000, 0, 0, 0, 1_800)));
        groups.put("account", List.of(new Line("", 13, 396_000, 360_000, 180_000, 90_000, 1_800)));
        return report(Optional.empty(), new Line("all", 13, 396_000, 360_000, 180_000, 90_000, 1_800), groups);
    }

    @Test
    @DisplayName("the page says what was held, what of it was seen, and what was done with it")
    void page() {
        assertEquals("""
                GPU use, 2026-autumn: 2026-09-01 00:00 to 2027-02-01 00:00 (Europe/Copenhagen)

                13 runs held 110 GPU-hours. Seen of them: 91 %.
                Of what was seen, 50 % was used and 25 % idle (25 GPU-hours in which nothing ran).
                Beside that, 0.50 GPU-hours on GPUs that Slurm did not give (not known to Slurm, or not the job's own).
                In the bars: # used, - idle, . neither (ran, but not all the time), ? not seen.

                by user   runs   GPU-hours   used   idle   not seen   outside
                anna        12         100     50     25       0.00      0.00   [##########.....-----]
                bob          1          10   0.00   0.00         10      0.50   [????????????????????]

                by account   runs   GPU-hours   used   idle   not seen   outside
                (none)         13         110     50     25         10      0.50   [#########....-----??]

                Sources: allocated by Slurm, ended jobs complete until 2026-11-20 13:00; used by NVML on the nodes. \
                Nothing that was not seen was filled in.
                """, text.page(twoUsers()));
    }

    @Test
    @DisplayName("nothing seen is unknown, not nothing used")
    void nothingSeen() {
        String page = text.page(report(Optional.empty(), new Line("all", 1, 7200, 0, 0, 0, 0), Map.of()));
        assertTrue(page.contains("1 run held 2.00 GPU-hours. Seen of them: 0 %."), page);
        assertTrue(page.contains("Of what was seen, unknown was used and unknown idle"), page);
    }

    @Test
    @DisplayName("a period without GPU time, and accounting that never answered, say so")
    void empty() {
        String page = text.page(
                new Report(AUTUMN, Optional.empty(), Optional.empty(), new Line("all", 0, 0, 0, 0, 0, 0), Map.of()));
        assertTrue(page.contains("0 runs held 0.00 GPU-hours. Seen of them: unknown."), page);
        assertTrue(page.contains("allocated by Slurm, whose accounting has not answered yet;"), page);
        assertFalse(page.contains("Beside that"), page);
    }

    @Test
    @DisplayName("simulated GPUs are named first, and in each line of the CSV")
    void simulated() {
        Line total = new Line("all", 1, 3600, 3600, 0, 0, 0);
        Report report = report(Optional.of("GPUs are simulated."), total, Map.of("user", List.of(total)));
        assertTrue(text.page(report).startsWith("** GPUs are simulated. **\n"));
        assertTrue(text.csv(report).lines().skip(1).allMatch(line -> line.endsWith(",yes")));
    }

    @Test
    @DisplayName("a long group is cut on the page, which says so, and whole in the CSV")
    void longGroup() {
        List<Line> users = new ArrayList<>();
        for (int i = 100; i < 132; i++) {
            users.add(new Line("user" + i, 1, 3600, 0, 0, 0, 0));
        }
        Report report = report(Optional.empty(), new Line("all", 32, 32 * 3600, 0, 0, 0, 0), Map.of("user", users));
        String page = text.page(report);
        assertTrue(page.contains("\nuser129 "), page);
        assertFalse(page.contains("user130"), page);
        assertTrue(page.contains("\n... and 2 more, see --csv\n"), page);
        assertEquals(1 + 1 + 32, text.csv(report).lines().count());
    }

    @Test
    @DisplayName("the CSV has seconds, one line for each group and name")
    void csv() {
        assertEquals("""
                by,name,runs,allocated_gpu_seconds,seen_gpu_seconds,used_gpu_seconds,idle_gpu_seconds,outside_gpu_seconds,simulated
                all,"all",13,396000,360000.0,180000.0,90000.0,1800.0,no
                user,"anna",12,360000,360000.0,180000.0,90000.0,0.0,no
                user,"bob",1,36000,0.0,0.0,0.0,1800.0,no
                account,"",13,396000,360000.0,180000.0,90000.0,1800.0,no
                """, text.csv(twoUsers()));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '^',
            value = {
                "=cmd(1)             | \"'=cmd(1)\"",
                "+1                  | \"'+1\"",
                "-1                  | \"'-1\"",
                "@SUM(A1)            | \"'@SUM(A1)\"",
                "^ \t=1^             | \"'=1\"",
                "say \"hi\",\"x\"    | \"say \"\"hi\"\",\"\"x\"\"\"",
                "\"=1                | \"\"\"=1\"",
                "a=b                 | \"a=b\""
            })
    @DisplayName("no name becomes a formula or a second field")
    void hostileNames(String name, String field) {
        assertTrue(text.csv(ofUser(name)).contains("\nuser," + field + ",1,3600,"), text.csv(ofUser(name)));
    }

    @Test
    @DisplayName("no name becomes a second line, of the CSV or of the page")
    void newlines() {
        String name = "eve\r\nall,\"all\",0\u2028x\u0000\u202e";
        assertEquals("""
                user,"eve all,""all"",0 x\ufffd\ufffd",1,3600,3600.0,0.0,0.0,0.0,no
                """, text.csv(ofUser(name)).lines().skip(2).findFirst().orElse("") + "\n");
        assertEquals(
                text.page(ofUser("eve")).lines().count(),
                text.page(ofUser(name)).lines().count());
    }

    @Test
    @DisplayName("the language of the machine changes nothing")
    void locale() {
        Locale before = Locale.getDefault();
        String english = text.page(twoUsers()) + text.csv(twoUsers());
        try {
            Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
            assertEquals(english, text.page(twoUsers()) + text.csv(twoUsers()));
        } finally {
            Locale.setDefault(before);
        }
    }
}
