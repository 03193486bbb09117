package io.fairwatch.collector.report;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.Given.untranslated;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.report.ReportSettings.People;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.NodeService;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GivenNodes;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.PeriodFacts.NodeSpan;
import io.fairwatch.collector.store.Store;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The year 2026 in Copenhagen, of which everything follows from a few formulas: everybody does the same each day. Its
 * first half has 181 days less the hour of 29 March, its second 184 days and the hour of 25 October.
 */
class ReportYearTest {
    private static final ZoneId ZONE = ZoneId.of("Europe/Copenhagen");
    private static final long H = 3600;
    private static final LocalDate NEW_YEAR = LocalDate.parse("2026-01-01");
    private static final LocalDate JULY = LocalDate.parse("2026-07-01");
    private static final LocalDate END = LocalDate.parse("2027-01-01");

    /** Days, and hours that the clock adds. */
    private record Half(long days, long clock) {
        long hours() {
            return 24 * days + clock;
        }
    }

    private static final Half FIRST = new Half(181, -1);
    private static final Half SECOND = new Half(184, 1);
    private static final Half YEAR = new Half(365, 0);

    private static Store store;
    private static final Map<Half, Report> REPORTS = new HashMap<>();
    private static final List<Run> RUNS = new ArrayList<>();
    private static final List<NodeSnapshot> SNAPSHOTS = new ArrayList<>();
    private static final List<FindingRow> FINDINGS = new ArrayList<>();
    private static long jobs = 1000;

    // ---- the year

    private static Instant on(LocalDate day, int hour) {
        return day.plusDays(hour / 24).atTime(hour % 24, 0).atZone(ZONE).toInstant();
    }

    private static Instant on(String localTime) {
        return LocalDateTime.parse(localTime).atZone(ZONE).toInstant();
    }

    private static GivenRun run(String user, String account, Instant from, Instant to) {
        return job(++jobs).owner(user, account, "batch", "normal").from(from).until(to);
    }

    /** One reading for each ten minutes of {@code [from, to)}. */
    private static void reads(String node, Instant from, Instant to, GpuReading... gpus) {
        for (Instant end = from.plusSeconds(600); !end.isAfter(to); end = end.plusSeconds(600)) {
            NodeSnapshot plain = snapshot(node, SNAPSHOTS.size() + 1, end, gpus);
            SNAPSHOTS.add(new NodeSnapshot(
                    plain.version(),
                    plain.node(),
                    plain.bootId(),
                    plain.sequence(),
                    plain.at(),
                    Duration.ofMinutes(10),
                    plain.agent(),
                    plain.probes(),
                    plain.host(),
                    plain.gpuDriver(),
                    plain.gpus(),
                    plain.jobs(),
                    plain.users(),
                    plain.scratch()));
        }
    }

    private static void told(Run run, Instant since, Instant told) {
        FINDINGS.add(new FindingRow(
                run.key(),
                "idle-gpu",
                since,
                FindingRow.State.TOLD,
                since,
                Optional.empty(),
                Optional.of(told),
                run.owner().user(),
                "",
                "",
                "{}",
                FindingRow.Progress.NONE));
    }

    private static NodeSpan node(String name, NodeService service, Instant from, Instant to, int gpus, String gres) {
        return new NodeSpan(
                name,
                from,
                to,
                service,
                OptionalInt.of(64),
                OptionalLong.of(512L << 30),
                gpus > 0 ? OptionalInt.of(gpus) : OptionalInt.empty(),
                gres);
    }

    /**
     * Nothing happens to 8 typed and 4 untyped GPUs. 16 others are down for 36 hours in February, and planned down from
     * noon of 30 June to noon of 2 July, 12 hours of one half and 36 of the other. Of node-c Slurm knows no GPU.
     */
    private static List<NodeSpan> nodes() {
        Instant begin = on(NEW_YEAR, 0);
        Instant end = on(END, 0);
        List<NodeSpan> spans = new ArrayList<>(List.of(
                node("node-a", NodeService.IN_SERVICE, begin, end, 8, "gpu:v100:8(S:0-1)"),
                node("node-b", NodeService.IN_SERVICE, begin, end, 4, "gpu:4"),
                node("node-c", NodeService.IN_SERVICE, begin, end, 0, "")));
        Instant[] changes = {
            begin, on("2026-02-10T00:00"), on("2026-02-11T12:00"), on("2026-06-30T12:00"), on("2026-07-02T12:00"), end
        };
        NodeService[] services = {
            NodeService.IN_SERVICE,
            NodeService.DOWN,
            NodeService.IN_SERVICE,
            NodeService.PLANNED,
            NodeService.IN_SERVICE
        };
        for (int i = 0; i < services.length; i++) {
            spans.add(node("node-d", services[i], changes[i], changes[i + 1], 16, "gpu:t4:16"));
        }
        return spans;
    }

    private static void eachDay(LocalDate day) {
        // anna: three jobs of two typed GPUs, four CPUs and 16 GiB, of an hour and a half each
        for (int hour : new int[] {8, 10, 12}) {
            RUNS.add(run("anna", "es", on(day, hour), on(day, hour).plusSeconds(5400))
                    .gpus(2)
                    .memory(16L << 30)
                    .tres("cpu=4,mem=16G,node=1,gres/gpu=2,gres/gpu:v100=2")
                    .run());
        }
        // tom: a GPU from ten to two, busy for two hours and idle for two, of which he is told after the first; he
        // cancels what could have run for two hours more
        Run tom = run("tom", "es", on(day, 10), on(day, 14))
                .state(JobState.CANCELLED)
                .timeLimit(Duration.ofHours(6))
                .on(allocated("node-a", 0, "GPU-a"))
                .run();
        RUNS.add(tom);
        reads("node-a", on(day, 10), on(day, 12), gpu("GPU-a", 1, 0));
        reads("node-a", on(day, 12), on(day, 14), gpu("GPU-a", 0, 0));
        told(tom, on(day, 12), on(day, 13));
        // cleo: an hour of eight CPUs without a GPU
        RUNS.add(run("cleo", "cpu", on(day, 9), on(day, 10)).cpus(8).run());
    }

    /** nils: from eleven in the evening to five, whatever the clock does meanwhile, on a node whose GPUs have no type. */
    private static void night(LocalDate day) {
        RUNS.add(run("nils", "cs", on(day, 23), on(day, 24 + 5))
                .on(untranslated("node-b", 0))
                .tres("cpu=4,node=1,gres/gpu=1")
                .run());
    }

    private static void eachHalf(LocalDate first) {
        // requeued after an hour: two runs of one job, 4 GPUs
        Instant noon = on(first.plusDays(10), 12);
        RUNS.add(job(500).owner("rick", "once", "batch", "normal")
                .from(noon)
                .until(noon.plusSeconds(H))
                .gpus(4)
                .state(JobState.NODE_FAIL)
                .run());
        RUNS.add(job(500).owner("rick", "once", "batch", "normal")
                .from(noon.plusSeconds(2 * H))
                .until(noon.plusSeconds(4 * H))
                .gpus(4)
                .run());
        // an array of ten, twenty minutes and a GPU each
        for (int task = 0; task < 10; task++) {
            RUNS.add(run("arne", "once", noon, noon.plusSeconds(1200))
                    .gpus(1)
                    .ids(new Run.JobIds(
                            OptionalLong.of(700), OptionalLong.of(task), OptionalLong.empty(), OptionalInt.empty()))
                    .run());
        }
        // a heterogeneous job: 2 GPUs beside 1 GPU, for three hours
        for (int part = 0; part < 2; part++) {
            RUNS.add(run("hetty", "once", noon, noon.plusSeconds(3 * H))
                    .gpus(2 - part)
                    .ids(new Run.JobIds(
                            OptionalLong.empty(), OptionalLong.empty(), OptionalLong.of(800), OptionalInt.of(part)))
                    .run());
        }
        // two types in one job, an hour; a job of which Slurm does not tell how many GPUs it has
        RUNS.add(run("tina", "once", noon, noon.plusSeconds(H))
                .gpus(3)
                .tres("gres/gpu=3,gres/gpu:t4=1,gres/gpu:v100=2")
                .run());
        RUNS.add(run("una", "once", noon, noon.plusSeconds(H)).gpusNotTold().run());
        // suspended for two hours of ten: its GPU stays held, its four CPUs do not
        RUNS.add(run("sus", "slow", noon, noon.plusSeconds(10 * H))
                .gpus(1)
                .suspended(Duration.ofHours(2))
                .run());
    }

    /** Over midnight of 1 July, when the halves meet. */
    private static void betweenHalves() {
        // suspended for an hour, nobody tells on which side
        RUNS.add(run("sus", "slow", on("2026-06-30T20:00"), on("2026-07-01T06:00"))
                .gpus(1)
                .suspended(Duration.ofHours(1))
                .run());
        // rita: two GPUs from eight to six; idle until ten, half busy until two, idle after; told at eleven. She
        // cancels two hours before the time limit
        Run rita = run("rita", "border", on("2026-06-30T20:00"), on("2026-07-01T06:00"))
                .state(JobState.CANCELLED)
                .timeLimit(Duration.ofHours(12))
                .on(allocated("node-a", 1, "GPU-b"), allocated("node-a", 2, "GPU-c"))
                .run();
        RUNS.add(rita);
        reads("node-a", on("2026-06-30T20:00"), on("2026-06-30T22:00"), gpu("GPU-b", 0, 0), gpu("GPU-c", 0, 0));
        reads("node-a", on("2026-06-30T22:00"), on("2026-07-01T02:00"), gpu("GPU-b", 0.5, 0), gpu("GPU-c", 0.5, 0));
        reads("node-a", on("2026-07-01T02:00"), on("2026-07-01T06:00"), gpu("GPU-b", 0, 0), gpu("GPU-c", 0, 0));
        told(rita, on("2026-06-30T20:00"), on("2026-06-30T23:00"));
    }

    @BeforeAll
    static void year(@TempDir Path directory) throws Exception {
        GivenNodes.make(directory.resolve("store"), on(END, 0), nodes());
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        night(NEW_YEAR.minusDays(1));
        for (LocalDate day = NEW_YEAR; day.isBefore(END); day = day.plusDays(1)) {
            eachDay(day);
            night(day);
        }
        eachHalf(NEW_YEAR);
        eachHalf(JULY);
        betweenHalves();
        reads("node-c", on(NEW_YEAR, 0), on(NEW_YEAR, 1), gpu("GPU-unknown", 0, 0));
        store.saveRuns(RUNS);
        store.append(SNAPSHOTS);
        store.saveFindings(FINDINGS, List.of());
        ReportMaker maker = new ReportMaker(
                store,
                new ReportSettings(
                        SemesterCalendar.HALF_YEARS,
                        Map.of(),
                        Map.of(),
                        ReportSettings.Tree.NONE,
                        Map.of(),
                        People.NAMES,
                        OptionalDouble.empty(),
                        "",
                        "1cpu",
                        Duration.ofDays(90),
                        0.01),
                new ReportMaker.Site("the cluster", ZONE, "test", List::of));
        REPORTS.put(FIRST, maker.make(period(Optional.of("2026-h1"))));
        REPORTS.put(SECOND, maker.make(period(Optional.of("2026-h2"))));
        REPORTS.put(YEAR, maker.make(period(Optional.empty())));
    }

    private static Period period(Optional<String> semester) {
        Optional<String> none = Optional.empty();
        return Period.parse(
                SemesterCalendar.HALF_YEARS,
                semester,
                semester.isPresent() ? none : Optional.of(NEW_YEAR.toString()),
                semester.isPresent() ? none : Optional.of(END.toString()),
                ZONE,
                on(END, 0));
    }

    @AfterAll
    static void close() throws Exception {
        store.close();
    }

    // ---- what the reports say

    private static Report report(Half half) {
        return Objects.requireNonNull(REPORTS.get(half));
    }

    private static Sheet sheet(Half half, String id) {
        Report report = report(half);
        return id.equals("whole")
                ? report.whole().sheet()
                : report.section(id).orElseThrow().sheet();
    }

    private static List<Long> row(Half half, String id, String name, String... columns) {
        Sheet sheet = sheet(half, id);
        List<Cell> row = sheet.rows().stream()
                .filter(cells -> cells.get(0).value().equals(Optional.of(name)))
                .findFirst()
                .orElseThrow(() -> new AssertionError(id + ": no row " + name + " in " + sheet.rows()));
        return Arrays.stream(columns)
                .map(column -> Math.round(row.get(sheet.column(column)).drawn()))
                .toList();
    }

    /** The same for both halves and the year. */
    private static void assertEach(
            String id, String name, List<String> columns, List<Long> first, List<Long> second, List<Long> year) {
        String[] asked = columns.toArray(String[]::new);
        assertEquals(first, row(FIRST, id, name, asked), name + ": first half");
        assertEquals(second, row(SECOND, id, name, asked), name + ": second half");
        assertEquals(year, row(YEAR, id, name, asked), name + ": year");
    }

    @Test
    @DisplayName("every day the same: GPUs, CPUs and memory are days times one day's")
    void days() {
        for (Half half : List.of(FIRST, SECOND, YEAR)) {
            // 2 GPUs, 4 CPUs and 16 GiB, 3 times 1.5 h
            assertEquals(
                    List.of(3 * half.days(), 9 * H * half.days(), 18 * H * half.days(), 72 * 1024 * H * half.days()),
                    row(half, "by-user", "anna", "runs", "held", "cpu-held", "memory-held"));
            assertEquals(
                    List.of(half.days(), 0L, 8 * H * half.days()),
                    row(half, "by-account", "cpu", "runs", "held", "cpu-held"));
        }
    }

    @Test
    @DisplayName("nights over midnight, over the halves' border and over both changes of the clock")
    void nights() {
        for (Half half : List.of(FIRST, SECOND, YEAR)) {
            // the first is cut to its five hours, the last to its one; the clock takes one off and gives one
            assertEquals(
                    List.of(half.days() + 1, H * (6 * half.days() + half.clock())),
                    row(half, "by-account", "cs", "runs", "held"));
            // an untyped GPU on a node of which nobody knows the model
            assertEquals(
                    List.of(4 * H * half.hours(), H * (6 * half.days() + half.clock())),
                    row(half, "by-model", "unknown", "available", "held"));
        }
    }

    @Test
    @DisplayName("seen, used, idle, idle after the warning, and saved")
    void used() {
        for (Half half : List.of(FIRST, SECOND, YEAR)) {
            assertEquals(
                    List.of(
                            4 * H * half.days(),
                            4 * H * half.days(),
                            2 * H * half.days(),
                            2 * H * half.days(),
                            H * half.days()),
                    row(half, "by-user", "tom", "held", "seen", "used", "idle", "lost"));
        }
        // 4 h and 6 h of two GPUs; half busy for two hours on either side; idle for 2 h and for 4 h, those after told
        assertEach(
                "by-user",
                "rita",
                List.of("runs", "held", "seen", "used", "idle", "lost"),
                List.of(1L, 8 * H, 8 * H, 2 * H, 4 * H, 0L),
                List.of(1L, 12 * H, 12 * H, 2 * H, 8 * H, 8 * H),
                List.of(1L, 20 * H, 20 * H, 4 * H, 12 * H, 8 * H));
        // rita's run is in both halves, and so is what was found of it; she cancelled in the second, 2 GPUs for 2 h
        assertEach(
                "findings",
                "idle-gpu",
                List.of("found", "told", "cancelled", "idle-after", "saved"),
                List.of(182L, 182L, 181L, 181 * H, 2 * 181 * H),
                List.of(185L, 185L, 185L, (184 + 8) * H, (2 * 184 + 4) * H),
                List.of(366L, 366L, 366L, (365 + 8) * H, (2 * 365 + 4) * H));
    }

    @Test
    @DisplayName("requeued, array, heterogeneous, of two types, of no told number: once in each half")
    void once() {
        // 4 GPUs for 1 h and for 2 h; 10 times 20 min; 2 + 1 GPUs for 3 h; 3 GPUs for 1 h; and one that counts nothing
        long held = 12 * H + 10 * 1200 + 9 * H + 3 * H;
        assertEach(
                "by-account",
                "once",
                List.of("runs", "held"),
                List.of(2L + 10 + 2 + 1 + 1, held),
                List.of(16L, held),
                List.of(32L, 2 * held));
        assertEach("by-model", "t4+v100", List.of("held"), List.of(3 * H), List.of(3 * H), List.of(6 * H));
        for (Half half : List.of(FIRST, SECOND)) {
            assertTrue(report(half).sources().contains(Say.of("source.untold", Cell.count(1))));
        }
        assertTrue(report(YEAR).sources().contains(Say.of("source.untold", Cell.count(2))));
    }

    @Test
    @DisplayName("suspended time stays on GPUs and comes off CPUs, except where a border cuts it: then it is said")
    void suspended() {
        // 10 h in either half, and one of 10 h over the border, 4 h before and 6 h after, with 4 CPUs each
        assertEach(
                "by-account",
                "slow",
                List.of("runs", "held", "suspended", "cpu-held"),
                List.of(2L, 14 * H, 2 * H, 4 * (8 + 4) * H),
                List.of(2L, 16 * H, 2 * H, 4 * (8 + 6) * H),
                // the year has the whole run, and so knows the hour
                List.of(3L, 30 * H, 5 * H, 4 * (8 + 8 + 9) * H));
        assertTrue(
                report(FIRST).sources().contains(Say.of("source.suspended", Cell.hours(2 * H * 1000), Cell.count(1))));
        assertTrue(
                report(YEAR).sources().contains(Say.of("source.suspended", Cell.hours(5 * H * 1000), Cell.count(0))));
    }

    @Test
    @DisplayName("available: every hour of the clock, less nodes down and planned; GPUs that Slurm does not know apart")
    void available() {
        long[] down = {36, 0, 36};
        long[] planned = {12, 36, 48};
        List<Half> halves = List.of(FIRST, SECOND, YEAR);
        for (int i = 0; i < halves.size(); i++) {
            Half half = halves.get(i);
            long service = (8 + 4 + 16) * H * half.hours() - 16 * H * (down[i] + planned[i]);
            assertEquals(
                    service, Math.round(report(half).headline().get(0).value().drawn()));
            long held = row(half, "whole", "all", "held").get(0);
            assertEquals(
                    List.of(service - held, 16 * H * (down[i] + planned[i])), row(half, "whole", "all", "free", "out"));
            assertEquals(
                    List.of(16 * H * down[i], 16 * H * planned[i]),
                    row(half, "out-of-service", "node-d", "down", "planned"));
            assertEquals(
                    List.of(8 * H * half.hours(), 16 * H * (half.hours() - down[i] - planned[i])),
                    List.of(
                            row(half, "by-model", "v100", "available").get(0),
                            row(half, "by-model", "t4", "available").get(0)));
            assertTrue(report(half).sources().contains(Say.of("source.unknown-to-slurm", Cell.count(1))));
        }
    }

    @Test
    @DisplayName("the whole: the sum of everybody, to the second, and two halves make a year")
    void whole() {
        List<Half> halves = List.of(FIRST, SECOND, YEAR);
        long[] once = {12 * H + 12_000 + 12 * H, 12 * H + 12_000 + 12 * H, 2 * (24 * H + 12_000)};
        long[] slow = {14 * H, 16 * H, 30 * H};
        long[] rita = {8 * H, 12 * H, 20 * H};
        for (int i = 0; i < halves.size(); i++) {
            Half half = halves.get(i);
            // anna 9, tom 4 and nils 6 GPU-hours a day
            assertEquals(
                    (9 + 4 + 6) * H * half.days() + H * half.clock() + once[i] + slow[i] + rita[i],
                    row(half, "whole", "all", "held").get(0));
        }
        String[] whole = {"held", "used", "partly", "idle", "unseen", "free", "out"};
        assertSums("whole", "all", whole);
        String[] use = {"held", "used", "partly", "idle", "lost", "unseen", "seen", "memory-held"};
        for (String user :
                List.of("anna", "tom", "nils", "cleo", "rita", "rick", "arne", "hetty", "tina", "una", "sus")) {
            assertSums("by-user", user, use);
        }
        for (String size : List.of("size.0", "size.1", "size.2", "size.4")) {
            assertSums("by-size", size, use);
        }
    }

    private static void assertSums(String id, String name, String... columns) {
        List<Long> first = row(FIRST, id, name, columns);
        List<Long> second = row(SECOND, id, name, columns);
        List<Long> sums = new ArrayList<>();
        for (int i = 0; i < columns.length; i++) {
            sums.add(first.get(i) + second.get(i));
        }
        assertEquals(sums, row(YEAR, id, name, columns), name);
    }

    @Test
    @DisplayName("waiting: everybody waited a minute, and is counted where they started")
    void waiting() {
        for (Half half : List.of(FIRST, SECOND, YEAR)) {
            Sheet waiting = sheet(half, "waiting");
            long started = waiting.rows().stream()
                    .mapToLong(
                            row -> Math.round(row.get(waiting.column("started")).drawn()))
                    .sum();
            long halves = half.equals(YEAR) ? 2 : 1;
            // anna 3, tom and nils 1 a day; of those once in each half 15 have GPUs that are told, and one is
            // suspended; the two over the border started in the first half
            assertEquals(5 * half.days() + 16 * halves + (half.equals(SECOND) ? 0 : 2), started);
            // GPUs on v100: anna 6 and tom 1 a day; once in each half 8, 10, 3 and 1; over the border 1 and 2
            assertEquals(
                    List.of(60L, 60 * (7 * half.days() + 22 * halves + (half.equals(SECOND) ? 0 : 3))),
                    row(half, "waiting", "v100", "wait-mean", "wait-gpu"));
        }
    }
}
