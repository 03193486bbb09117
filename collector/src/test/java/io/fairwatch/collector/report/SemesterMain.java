package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Report.Scope;
import io.fairwatch.collector.report.ReportSettings.People;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.GivenSemester;
import io.fairwatch.collector.store.Store;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Makes a report of a played semester, says how long it took, and leaves it in a directory. What {@code
 * deploy/bench/report} runs: {@code SemesterMain DIRECTORY RUNS GPUS RUNS_BEFORE}.
 */
public final class SemesterMain {
    private static final ZoneId ZONE = ZoneId.of("Europe/Copenhagen");

    private SemesterMain() {}

    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        int runs = Integer.parseInt(arguments[1]);
        int gpus = Integer.parseInt(arguments[2]);
        int before = Integer.parseInt(arguments[3]);
        Path where = directory.resolve("store");
        if (!Files.exists(where)) {
            long began = System.nanoTime();
            if (before > 0) {
                make(where, 2, before, gpus, "2026-spring", false);
            }
            make(where, 1, runs, gpus, "2026-autumn", true);
            System.out.printf("made in %.1f s%n", seconds(began));
        }
        ReportSettings settings = new ReportSettings(
                SemesterCalendar.AALBORG,
                Map.of(),
                Map.of(),
                ReportSettings.Tree.FACULTIES,
                Map.of(),
                People.PSEUDONYMS,
                OptionalDouble.of(120),
                "(an example)",
                "1cpu",
                Duration.ofDays(90),
                0.01);
        ReportMaker.Site site = new ReportMaker.Site(
                "AI Cloud (invented)",
                ZONE,
                "benchmark",
                () -> List.of(new ReportMaker.RuleInForce("idle-gpu", "GPUs that do nothing", "window=30 min")));
        try (Store store = DuckDbStore.open(where, DuckDbStore.Settings.DEFAULTS)) {
            ReportMaker maker = new ReportMaker(store, settings, site);
            for (int round = 1; round <= Integer.getInteger("rounds", 3); round++) {
                long cpu = cpuNanos();
                long began = System.nanoTime();
                long start = began;
                StringBuilder steps = new StringBuilder();
                long[] last = {began};
                String[] doing = {"begin"};
                Report report = maker.make(period("2026-autumn"), new Scope.Cluster(), People.PSEUDONYMS, step -> {
                    steps.append(String.format(" %s %.2f", doing[0], seconds(last[0])));
                    last[0] = System.nanoTime();
                    doing[0] = step;
                });
                double made = seconds(began);
                double used = (cpuNanos() - cpu) / 1e9;
                ReportFiles files = new ReportFiles(report, "en");
                began = System.nanoTime();
                String html = files.html();
                double page = seconds(began);
                began = System.nanoTime();
                byte[] pdf = files.pdf();
                System.out.printf(
                        "round %d: report %.2f s (%.2f s of CPU), page %.2f s (%d kB), PDF %.2f s (%d kB);%s %s %.2f%n",
                        round,
                        made,
                        used,
                        page,
                        html.length() / 1000,
                        seconds(began),
                        pdf.length / 1000,
                        steps,
                        doing[0],
                        made - (last[0] - start) / 1e9);
                if (round == 1) {
                    Files.writeString(directory.resolve("report.html"), html);
                    Files.write(directory.resolve("report.pdf"), pdf);
                    Files.writeString(directory.resolve("report-da.html"), new ReportFiles(report, "da").html());
                    Files.writeString(directory.resolve("report.txt"), files.text());
                    Files.writeString(directory.resolve("report.json"), files.json());
                    Files.write(directory.resolve("all.zip"), files.zip(Map.of()));
                }
            }
            System.out.printf(
                    "heap %d MB in use%n",
                    (Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory()) >> 20);
        }
        try (var status = Files.lines(Path.of("/proc/self/status"))) {
            status.filter(line -> line.startsWith("VmHWM")).forEach(System.out::println);
        }
    }

    private static void make(Path where, long seed, int runs, int gpus, String semester, boolean rollups)
            throws Exception {
        Period period = period(semester);
        GivenSemester.make(where, seed, runs, gpus, period.from(), period.to(), rollups);
    }

    private static Period period(String semester) {
        return Period.parse(
                SemesterCalendar.AALBORG,
                Optional.of(semester),
                Optional.empty(),
                Optional.empty(),
                ZONE,
                Instant.EPOCH);
    }

    private static long cpuNanos() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    private static double seconds(long began) {
        return (System.nanoTime() - began) / 1e9;
    }
}
