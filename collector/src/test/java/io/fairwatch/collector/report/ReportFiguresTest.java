package io.fairwatch.collector.report;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.cgroup;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import io.fairwatch.collector.report.Report.Scope;
import io.fairwatch.collector.report.ReportSettings.People;
import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.run.Qos;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.run.SlurmUser;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.UpkeepRound;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every figure of a report on a small period, by hand. The period is the hour from noon unless said otherwise. */
class ReportFiguresTest {
    private static final Period HOUR = new Period("the hour", at(0), at(3600));
    private static final ZoneId COPENHAGEN = ZoneId.of("Europe/Copenhagen");
    private static final String A = "GPU-a";
    private static final String B = "GPU-b";

    private Store store;
    private long sequence = 0;

    @BeforeEach
    void open(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    // ---- what a test says

    private void runs(GivenRun... jobs) throws StoreException {
        store.saveRuns(Arrays.stream(jobs).map(GivenRun::run).toList());
    }

    private static SlurmNode node(String name, String state, int gpus, String model) {
        return new SlurmNode(
                name,
                state,
                OptionalInt.of(64),
                OptionalLong.of(512L << 30),
                gpus > 0 ? OptionalInt.of(gpus) : OptionalInt.empty(),
                gpus > 0 ? "gpu:" + model + ":" + gpus : "");
    }

    /** Slurm says the same of these nodes, every ten minutes of {@code [from, to]} seconds. */
    private void nodes(int from, int to, SlurmNode... nodes) throws StoreException {
        for (int second = from; second <= to; second += 600) {
            store.saveView(new SlurmView(at(second), "lab", List.of(), List.of(), List.of(nodes)));
        }
    }

    /** Snapshots of node-a, one at the end of each 30 s within {@code [from, to)} seconds. */
    private void reports(int from, int to, List<JobCgroup> jobs, GpuReading... gpus) throws StoreException {
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int end = from + 30; end <= to; end += 30) {
            snapshots.add(snapshot("node-a", Given.BOOT, ++sequence, at(end), List.of(gpus), jobs));
        }
        store.append(snapshots);
    }

    private void reports(int from, int to, GpuReading... gpus) throws StoreException {
        reports(from, to, List.of(), gpus);
    }

    private void finding(Run run, int since, Optional<Instant> told, Optional<Instant> cleared, FindingRow.State state)
            throws StoreException {
        store.saveFindings(
                List.of(new FindingRow(
                        run.key(),
                        "idle-gpu",
                        at(since),
                        state,
                        at(since),
                        cleared,
                        told,
                        run.owner().user(),
                        "idle",
                        "end it",
                        "{}",
                        FindingRow.Progress.NONE)),
                List.of());
    }

    private static ReportSettings settings(ReportSettings.Tree tree, People people) {
        return new ReportSettings(
                SemesterCalendar.AALBORG,
                Map.of(),
                Map.of(),
                tree,
                Map.of(),
                people,
                OptionalDouble.of(100),
                "(a test)",
                "1cpu",
                Duration.ofDays(90),
                0.01);
    }

    private Report report(Period period, Scope scope, ReportSettings settings, ZoneId zone) throws StoreException {
        return new ReportMaker(
                        store,
                        settings,
                        new ReportMaker.Site(
                                "the cluster",
                                zone,
                                "test",
                                () -> List.of(new ReportMaker.RuleInForce(
                                        "idle-gpu", "GPUs that do nothing", "window=30 min"))))
                .make(period, scope, settings.people(), step -> {});
    }

    private Report report() throws StoreException {
        return report(HOUR, new Scope.Cluster(), settings(ReportSettings.Tree.NONE, People.NAMES), ZoneOffset.UTC);
    }

    private static Section section(Report report, String id) {
        return id.equals("whole") ? report.whole() : report.section(id).orElseThrow();
    }

    private static double value(Report report, String id, String name, String column) {
        Sheet sheet = section(report, id).sheet();
        List<Cell> row = sheet.rows().stream()
                .filter(cells -> cells.get(0).value().equals(Optional.of(name)))
                .findFirst()
                .orElseThrow(() -> new AssertionError(id + ": no row " + name + " in " + sheet.rows()));
        return row.get(sheet.column(column)).drawn();
    }

    private static List<Double> row(Report report, String id, String name, String... columns) {
        return Arrays.stream(columns)
                .map(column -> value(report, id, name, column))
                .toList();
    }

    private static List<Cell> said(Report report, String id, String key) {
        return section(report, id).says().stream()
                .filter(say -> say.key().equals(key))
                .findFirst()
                .orElseThrow()
                .cells();
    }

    // ---- what there was

    @Test
    @DisplayName(
            "available: nodes in service; down, planned, drained and switched off nodes stand apart, by their reason")
    void available() throws StoreException {
        SlurmNode[] others = {
            node("node-b", "idle+drain", 2, "v100"),
            node("node-c", "idle+cloud+powered_down", 1, "t4"),
            node("node-d", "idle+maint", 3, "t4"),
            node("node-e", "mixed+drain", 5, "t4"),
            node("node-f", "idle", 0, "")
        };
        for (int second = 0; second <= 3600; second += 600) {
            List<SlurmNode> all = new ArrayList<>(List.of(others));
            all.add(node("node-a", second == 1200 || second == 1800 ? "down" : "mixed", 4, "v100"));
            store.saveView(new SlurmView(at(second), "lab", List.of(), List.of(), all));
        }
        Report report = report();
        // node-a: down from 1200 to 2400; node-e still drains, and what runs there holds it
        assertEquals(4 * 2400 + 5 * 3600, report.headline().get(0).value().drawn());
        assertEquals(
                List.of(4 * 2400.0 + 5 * 3600, 4 * 1200.0 + 2 * 3600 + 3600 + 3 * 3600),
                row(report, "whole", "all", "free", "out"));
        assertEquals(
                List.of(4 * 1200.0, 0.0, 0.0, 0.0),
                row(report, "out-of-service", "node-a", "down", "planned", "drained", "off"));
        assertEquals(
                List.of(0.0, 0.0, 2 * 3600.0, 0.0),
                row(report, "out-of-service", "node-b", "down", "planned", "drained", "off"));
        assertEquals(3600, value(report, "out-of-service", "node-c", "off"));
        assertEquals(3 * 3600, value(report, "out-of-service", "node-d", "planned"));
        assertEquals(List.of(4 * 2400.0, 4 * 1200.0 + 2 * 3600), row(report, "by-model", "v100", "available", "out"));
        // CPUs of what is in service: node-a as long as it was, node-e, and node-f, which has no GPU
        assertEquals(
                64 * (2400.0 + 3600 + 3600),
                said(report, "processors", "processors.says").get(0).drawn());
    }

    @Test
    @DisplayName("hours in which nobody asked Slurm are unknown: nothing is called free in them")
    void unknownHours() throws StoreException {
        nodes(0, 600, node("node-a", "idle", 4, "v100"));
        nodes(3000, 3600, node("node-a", "idle", 4, "v100"));
        runs(job(1).from(at(1000)).until(at(2000)).gpus(1));
        Report report = report();
        assertEquals(4 * 1200, report.headline().get(0).value().drawn());
        assertEquals("available.part", report.headline().get(0).explained().key());
    }

    @Test
    @DisplayName("a day of 25 hours has 25 hours: held, and twice two o'clock on that Sunday")
    void summerTimeEnds() throws StoreException {
        Period day = Period.parse(
                SemesterCalendar.AALBORG,
                Optional.empty(),
                Optional.of("2026-10-25"),
                Optional.of("2026-10-26"),
                COPENHAGEN,
                at(0));
        runs(
                job(1).from(day.from()).until(day.to()).gpus(1),
                job(2).from(Instant.parse("2026-10-25T00:00:00Z"))
                        .until(Instant.parse("2026-10-25T01:00:00Z"))
                        .gpus(1));
        store.saveAccountingUntil(day.to());
        Report report = report(day, new Scope.Cluster(), settings(ReportSettings.Tree.NONE, People.NAMES), COPENHAGEN);
        assertEquals((25 + 1) * 3600, value(report, "by-account", "es", "held"));
        assertEquals(1.5, value(report, "week", "day.7", "h02")); // 2 GPUs the first time, 1 the second
        assertEquals(1, value(report, "week", "day.7", "h03"));
    }

    @Test
    @DisplayName("GPUs of nodes of which Slurm knows none are stated apart")
    void unknownToSlurm() throws StoreException {
        nodes(0, 3600, node("node-a", "idle", 0, ""));
        reports(0, 600, gpu(A, 0.5, 0), gpu(B, 0, 0));
        assertTrue(report().sources().contains(Say.of("source.unknown-to-slurm", Cell.count(2))));
    }

    // ---- what was used of it

    @Test
    @DisplayName("CPU time and memory of those whose nodes told, beside what was held")
    void processors() throws StoreException {
        reports(0, 30, List.of(cgroup(1, 0, 4L << 30, 1)), gpu(A, 0, 0));
        reports(30, 1200, List.of(cgroup(1, 600, 4L << 30, 1)), gpu(A, 0, 0));
        runs(
                job(1).until(at(1200)).cpus(4).memory(16L << 30).on(allocated("node-a", 0, A)),
                job(2).until(at(1200)).cpus(2).memory(8L << 30).gpus(1));
        Report report = report();
        assertEquals(
                List.of(6 * 1200.0, 600.0, 4 * 1200.0),
                row(report, "processors", "batch", "cpu-held", "cpu-used", "cpu-seen"));
        assertEquals(
                List.of(24 * 1024 * 1200.0, 4 * 1024 * 1200.0, 16 * 1024 * 1200.0),
                row(report, "processors", "batch", "memory-held", "memory-most", "memory-seen"));
    }

    @Test
    @DisplayName("suspended at a time that nobody tells, and cut by the border: nothing is taken off, and that is said")
    void suspendedAndCut() throws StoreException {
        runs(job(1).from(at(-1800)).until(at(1800)).gpus(1).cpus(4).suspended(Duration.ofMinutes(5)));
        Report report = report();
        assertEquals(
                List.of(1800.0, 0.0, 4 * 1800.0), row(report, "by-account", "es", "held", "suspended", "cpu-held"));
        assertTrue(report.sources().contains(Say.of("source.suspended", Cell.hours(0), Cell.count(1))));
    }

    @Test
    @DisplayName("energy is power times time, held or not; idle energy and CO2 are its parts, with the stated factor")
    void energy() throws StoreException {
        nodes(0, 3600, node("node-a", "idle", 1, "v100"));
        reports(0, 600, gpu(A, 0.5, 0)); // 301.4 W
        reports(600, 1800, gpu(A, 0, 0));
        Report report = report();
        assertEquals(301.4 * 1800, value(report, "energy", "v100", "energy"), 0.5);
        assertEquals(301.4 * 1200, value(report, "energy", "v100", "idle-energy"), 0.5);
        assertEquals(1800, value(report, "energy", "v100", "powered"));
        assertEquals(301.4 * 1800 / 3.6e6 * 0.1, value(report, "energy", "v100", "co2"), 1e-4);
        assertEquals(Cell.number(100), said(report, "energy", "energy.co2").get(2));
    }

    @Test
    @DisplayName("how full and how busy: each run in its field, and by its mean utilisation")
    void fitAndEfficiency() throws StoreException {
        reports(0, 600, gpu(A, 0.55, 0), gpu(B, 0.05, 0)); // 1 of 32 GiB in use
        runs(
                job(1).until(at(600)).on(allocated("node-a", 0, A)),
                job(2).until(at(300)).on(allocated("node-a", 1, B)));
        Report report = report();
        assertEquals(List.of(300.0 / 900, 600.0 / 900), row(report, "fit", "tenth.0", "use0", "use5"));
        assertEquals(Cell.ratio(300L, 900L), said(report, "fit", "fit.says").get(0));
        assertEquals(List.of(1.0, 600.0), row(report, "efficiency", "tenth.5", "runs", "seen"));
        assertEquals(List.of(1.0, 300.0), row(report, "efficiency", "tenth.0", "runs", "seen"));
        assertEquals(List.of(0.0, 0.0), row(report, "efficiency", "tenth.9", "runs", "seen"));
    }

    // ---- waiting

    @Test
    @DisplayName(
            "waiting from submission to start; idle held GPUs of the same model could have served it, free ones first")
    void waitingAndServed() throws StoreException {
        nodes(0, 3600, node("node-a", "mixed", 2, "v100"), node("node-b", "idle", 9, "t4"));
        reports(0, 3600, gpu(A, 0, 0), gpu(B, 0, 0)); // both idle all the time
        runs(
                job(1).from(at(-30)).until(at(1800)).gpus(2).tres("gres/gpu=2,gres/gpu:v100=2"),
                job(2).from(at(1800)).until(at(3600)).gpus(2).tres("gres/gpu=2,gres/gpu:v100=2")); // waited 60 s
        Report held = report();
        assertEquals(List.of(1.0, 60.0, 120.0), row(held, "waiting", "v100", "started", "wait-mean", "wait-gpu"));
        assertEquals(
                List.of(120.0, 120.0, 0.0, 0.0, 0.0),
                row(held, "served", "v100", "waited", "wait-idle", "wait-free", "wait-busy", "wait-unknown"));
        assertEquals(60, value(held, "waiting-map", "v100", "week-2026-11-20"));
    }

    @Test
    @DisplayName("waiting while GPUs were free, or busy, or while nobody knows, is not blamed on idle ones")
    void waitingOtherwise() throws StoreException {
        nodes(0, 3600, node("node-a", "mixed", 2, "v100"));
        reports(0, 3600, gpu(A, 0.9, 0), gpu(B, 0.9, 0));
        runs(
                job(2).from(at(1800)).until(at(3600)).gpus(1).tres("gres/gpu=1,gres/gpu:v100=1"),
                job(3).from(at(1800)).until(at(3600)).gpus(1).tres("gres/gpu=1,gres/gpu:t4=1"));
        Report report = report();
        // v100: 7200 in service less 1800 held were free
        assertEquals(
                List.of(60.0, 0.0, 60.0, 0.0, 0.0),
                row(report, "served", "v100", "waited", "wait-idle", "wait-free", "wait-busy", "wait-unknown"));
        // no node tells of a t4
        assertEquals(List.of(60.0, 60.0), row(report, "served", "t4", "waited", "wait-unknown"));
        runs(job(1).from(at(-60)).until(at(3600)).gpus(2).tres("gres/gpu=2,gres/gpu:v100=2"));
        assertEquals(
                List.of(60.0, 0.0, 0.0, 60.0),
                row(report(), "served", "v100", "waited", "wait-idle", "wait-free", "wait-busy"));
    }

    // ---- fairness, trend

    @Test
    @DisplayName("fairness: had of wanted by department, and Jain's index of it")
    void fairness() throws StoreException {
        nodes(0, 3600, node("node-a", "mixed", 8, "v100"));
        runs(
                job(1).owner("a", "es.shj", "batch", "")
                        .from(at(600))
                        .until(at(1140))
                        .gpus(1), // 540 of 600
                job(2).owner("b", "cs", "batch", "")
                        .from(at(600))
                        .until(at(660))
                        .gpus(1)); // 60 of 120
        Report report = report();
        assertEquals(List.of(540.0, 600.0, 0.9), row(report, "fairness", "es", "held", "wanted", "had-share"));
        assertEquals(List.of(60.0, 120.0, 0.5), row(report, "fairness", "cs", "held", "wanted", "had-share"));
        assertEquals(
                1.4 * 1.4 / (2 * (0.81 + 0.25)),
                said(report, "fairness", "fairness.says").get(0).drawn(),
                1e-9);
    }

    @Test
    @DisplayName("trend and improvement: less idle than the share of the period before would have meant")
    void trend() throws StoreException {
        Period second = new Period("now", at(12 * 3600), at(24 * 3600));
        reports(0, 6 * 3600, gpu(A, 1, 0));
        reports(6 * 3600, 12 * 3600, gpu(A, 0, 0)); // half idle, then a twelfth
        reports(12 * 3600, 23 * 3600, gpu(A, 1, 0));
        reports(23 * 3600, 24 * 3600, gpu(A, 0, 0));
        runs(
                job(1).owner("anna", "es", "batch", "").until(at(12 * 3600)).on(allocated("node-a", 0, A)),
                job(2).owner("anna", "es", "batch", "")
                        .from(at(12 * 3600))
                        .until(at(24 * 3600))
                        .on(allocated("node-a", 0, A)));
        Report report = new ReportMaker(
                        store,
                        settings(ReportSettings.Tree.NONE, People.NAMES),
                        new ReportMaker.Site("the cluster", ZoneOffset.UTC, "test", List::of))
                .make(new Period(second.name(), second.from(), second.to()));
        String before = section(report, "trend")
                .sheet()
                .rows()
                .get(0)
                .get(0)
                .value()
                .orElseThrow()
                .toString();
        // days are compared with as many days before: noon of the 20th to midnight is half a day, so one day before
        assertEquals(List.of(11 * 3600.0, 3600.0, 12 * 3600.0), row(report, "trend", "now", "used", "idle", "held"));
        assertFalse(before.equals("now"), before);
    }

    /** Noon of the first of May, 203 days before the hour: of the semester before. */
    private static final int SPRING = -203 * 86_400;

    /** Ten hours of node-a from {@code from}: each GPU is idle for its first hours, as many as said, and busy after. */
    private void tenHours(int from, Map<String, Integer> idleHours) throws StoreException {
        for (int hour = 0; hour < 10; hour++) {
            int now = hour;
            reports(
                    from + hour * 3600,
                    from + (hour + 1) * 3600,
                    idleHours.entrySet().stream()
                            .sorted(Map.Entry.comparingByKey())
                            .map(gpu -> gpu(gpu.getKey(), now < gpu.getValue() ? 0 : 1, 0))
                            .toArray(GpuReading[]::new));
        }
    }

    private static GivenRun of(String user, long id, int from, int seconds, String... gpus) {
        GivenRun run = job(id).owner(user, "es", "batch", "").from(at(from)).until(at(from + seconds));
        return run.on(Arrays.stream(gpus)
                .map(uuid -> allocated("node-a", uuid.charAt(4) - 'a', uuid))
                .toArray(AllocatedGpu[]::new));
    }

    @Test
    @DisplayName("improved most between semesters: idle share before less now, times what was seen now; largest first")
    void improved() throws StoreException {
        int ten = 36_000;
        tenHours(SPRING, Map.of(A, 10, B, 0, "GPU-c", 5, "GPU-d", 1, "GPU-e", 10, "GPU-f", 10));
        tenHours(0, Map.of(A, 3, B, 0, "GPU-c", 2, "GPU-d", 0, "GPU-e", 0, "GPU-f", 0, "GPU-g", 2));
        runs(
                // anna: 10 of 20 GPU-hours idle, then 3 of 12 in six hours: (0.50 - 0.25) x 12 h = 3 h
                of("anna", 1, SPRING, ten, A, B),
                of("anna", 11, 0, 6 * 3600, A, B),
                // bob: 5 of 10, which is just enough, then 2 of 20: (0.50 - 0.10) x 20 h = 8 h
                of("bob", 2, SPRING, ten, "GPU-c"),
                of("bob", 12, 0, ten, "GPU-c", "GPU-d"),
                // carl: 1 of 10, then 2 of 10: worse
                of("carl", 3, SPRING, ten, "GPU-d"),
                of("carl", 13, 0, ten, "GPU-g"),
                // dora: idle all the time, but seen for half a minute less than ten hours; then never idle
                of("dora", 4, SPRING, ten - 30, "GPU-e"),
                of("dora", 14, 0, ten, "GPU-e"),
                // erik: the same, too little seen now
                of("erik", 5, SPRING, ten, "GPU-f"),
                of("erik", 15, 0, ten - 30, "GPU-f"));
        Period autumn = Period.parse(
                SemesterCalendar.AALBORG,
                Optional.of("2026-autumn"),
                Optional.empty(),
                Optional.empty(),
                COPENHAGEN,
                at(0));
        Report report =
                report(autumn, new Scope.Cluster(), settings(ReportSettings.Tree.NONE, People.NAMES), COPENHAGEN);
        assertEquals(
                List.of(
                        List.of(Cell.text("bob"), Cell.ratio(0.5, 1), Cell.ratio(0.1, 1), Cell.hours(8 * 3_600_000)),
                        List.of(Cell.text("anna"), Cell.ratio(0.5, 1), Cell.ratio(0.25, 1), Cell.hours(3 * 3_600_000))),
                section(report, "improved").sheet().rows());
    }

    // ---- scratch

    private static DirectoryUse directory(
            String name, Optional<String> owner, Owner ownerIs, long bytes, Optional<Instant> lastWrite) {
        return new DirectoryUse(name, OptionalInt.of(4711), owner, ownerIs, bytes, 1, lastWrite, Optional.empty());
    }

    private static DirectoryUse owned(String name, String owner, long bytes, Instant lastWrite) {
        return directory(name, Optional.of(owner), Owner.KNOWN, bytes, Optional.of(lastWrite));
    }

    private static DirectoryUse ownerGone(String name, long bytes, Instant lastWrite) {
        return directory(name, Optional.empty(), Owner.GONE, bytes, Optional.of(lastWrite));
    }

    /** What a node has on its scratch mount, and when that was counted. */
    private void scratch(String node, long total, long used, Instant counted, DirectoryUse... directories)
            throws StoreException {
        scratch(node, counted, mount("/raid", total, used, Optional.of(count("walk", counted, directories))));
    }

    private static Directories count(String method, Instant counted, DirectoryUse... directories) {
        return new Directories(method, counted, List.of(directories), 0);
    }

    private static ScratchUse mount(String path, long total, long used, Optional<Directories> directories) {
        return new ScratchUse(
                path,
                total,
                used,
                total - used,
                OptionalLong.empty(),
                OptionalLong.empty(),
                directories,
                Optional.empty());
    }

    private void scratch(String node, Instant at, ScratchUse... mounts) throws StoreException {
        NodeSnapshot plain = snapshot(node, ++sequence, at);
        store.append(List.of(new NodeSnapshot(
                plain.version(),
                plain.node(),
                plain.bootId(),
                plain.sequence(),
                plain.at(),
                plain.period(),
                plain.agent(),
                plain.probes(),
                plain.host(),
                plain.gpuDriver(),
                plain.gpus(),
                plain.jobs(),
                plain.users(),
                List.of(mounts))));
    }

    @Test
    @DisplayName("scratch: use by user over all nodes, untouched for 90 days when it was counted, owners gone")
    void scratch() throws StoreException {
        Instant first = at(0);
        Instant second = at(86_400);
        Instant old = first.minus(Duration.ofDays(90)); // to the second: not yet
        scratch(
                "node-a",
                1000,
                600,
                first,
                owned("anna", "anna", 300, first.minus(Duration.ofDays(10))),
                owned("anna.old", "anna", 100, old),
                owned("bob", "bob", 50, old.minusSeconds(1)),
                ownerGone("left", 70, old.minus(Duration.ofDays(300))),
                ownerGone("late", 30, first));
        scratch(
                "node-b",
                500,
                200,
                second,
                // the first node's count would not call this old, the second's does
                owned("anna", "anna", 60, second.minus(Duration.ofDays(90)).minusSeconds(1)),
                directory("unasked", Optional.empty(), Owner.NOT_ASKED, 20, Optional.empty()));
        Report report = report();
        assertEquals(
                List.of(
                        // 300 + 100 + 60, of which 60 are old
                        List.of(Cell.text("anna"), Cell.count(3), Cell.bytes(460), Cell.bytes(60)),
                        // 70 + 30 + 20, of which 70 are old
                        List.of(Cell.word("nobody-known"), Cell.count(3), Cell.bytes(120), Cell.bytes(70)),
                        List.of(Cell.text("bob"), Cell.count(1), Cell.bytes(50), Cell.bytes(50))),
                section(report, "scratch").sheet().rows());
        // 600 + 200 of 1000 + 500; 50 + 70 + 60 untouched; 70 + 30 of owners who are gone
        assertEquals(
                List.of(Cell.bytes(800), Cell.bytes(1500), Cell.bytes(180), Cell.count(90), Cell.bytes(100)),
                said(report, "scratch", "scratch.says"));
        assertEquals(
                List.of(Say.of("scratch.note", Cell.time(first))),
                section(report, "scratch").notes());
        // what the script would clear: the old and the ownerless, none twice
        assertEquals(
                List.of("/raid/left", "/raid/anna", "/raid/bob", "/raid/late"),
                report.scripts().stream()
                        .filter(script -> script.name().equals("old-scratch.sh"))
                        .flatMap(script -> script.text().lines())
                        .filter(line -> line.contains("/raid/"))
                        .map(line -> line.replaceFirst(".*(/raid/\\w+).*", "$1"))
                        .toList());
    }

    @Test
    @DisplayName(
            "scratch: a CephFS that many nodes share is counted once, by the newest count; disks of nodes are each's own")
    void sharedScratch() throws StoreException {
        Instant old = at(0).minus(Duration.ofDays(100));
        ScratchUse raid = mount("/raid", 100, 10, Optional.of(count("walk", at(0), owned("anna", "anna", 10, old))));
        scratch(
                "node-a",
                at(60),
                raid,
                mount("/ceph", 5000, 600, Optional.of(count("ceph", at(60), owned("bob", "bob", 600, old)))));
        scratch(
                "node-b",
                at(30),
                raid,
                mount("/ceph", 5000, 500, Optional.of(count("ceph", at(30), owned("bob", "bob", 500, old)))));
        scratch("node-c", at(90), mount("/ceph", 5000, 650, Optional.empty()));
        Report report = report();
        // 600 of 5000 on the shared one, and twice 10 of 100
        assertEquals(
                List.of(Cell.bytes(620), Cell.bytes(5200), Cell.bytes(620), Cell.count(90), Cell.bytes(0)),
                said(report, "scratch", "scratch.says"));
        assertEquals(
                List.of(
                        List.of(Cell.text("bob"), Cell.count(1), Cell.bytes(600), Cell.bytes(600)),
                        List.of(Cell.text("anna"), Cell.count(2), Cell.bytes(20), Cell.bytes(20))),
                section(report, "scratch").sheet().rows());
    }

    @Test
    @DisplayName("scratch: files have every user, however few the page shows")
    void scratchOfMany() throws StoreException {
        DirectoryUse[] many = new DirectoryUse[40];
        for (int i = 0; i < many.length; i++) {
            many[i] = owned("of" + i, "user" + i, 1 + i, at(0));
        }
        scratch("node-a", 1000, 820, at(0), many);
        Section section = section(report(), "scratch");
        assertEquals(
                40 * 41 / 2, // 1 + 2 + .. + 40
                section.sheet().rows().stream()
                        .mapToDouble(row -> row.get(2).drawn())
                        .sum());
        assertEquals(25, section.onPage());
    }

    // ---- findings

    private Report found() throws StoreException {
        reports(0, 900, gpu(A, 0, 0), gpu(B, 0, 0));
        reports(900, 3600, gpu(A, 0, 0), gpu(B, 0.5, 0));
        Run cancelled = job(1).owner("anna", "es", "batch", "")
                .until(at(1800))
                .state(JobState.CANCELLED)
                .timeLimit(Duration.ofHours(2))
                .on(allocated("node-a", 0, A))
                .run();
        Run recovered = job(2).owner("bob", "cs", "batch", "")
                .until(at(2400))
                .on(allocated("node-a", 1, B))
                .run();
        Run untold =
                job(3).owner("carl", "cs", "batch", "").until(at(2400)).gpus(1).run();
        store.saveRuns(List.of(cancelled, recovered, untold));
        finding(cancelled, 0, Optional.of(at(1200)), Optional.empty(), FindingRow.State.TOLD);
        finding(recovered, 0, Optional.of(at(600)), Optional.of(at(900)), FindingRow.State.RESOLVED);
        finding(untold, 60, Optional.empty(), Optional.empty(), FindingRow.State.FOUND);
        finding(untold, 90, Optional.empty(), Optional.empty(), FindingRow.State.SUSPECTED);
        return report();
    }

    @Test
    @DisplayName("findings: told, recovered, cancelled, saved against the time limit, and lost after the warning")
    void findings() throws StoreException {
        Report report = found();
        assertEquals(
                List.of(3.0, 2.0, 1.0, 1.0),
                row(report, "findings", "idle-gpu", "found", "told", "recovered", "cancelled"));
        assertEquals(7200 - 1800, value(report, "findings", "idle-gpu", "saved"));
        assertEquals(600 + 300, value(report, "findings", "idle-gpu", "idle-after"));
        assertEquals(600, value(report, "by-user", "anna", "lost"));
        assertEquals(300, value(report, "by-account", "cs", "lost"));
        assertEquals(
                List.of(1800.0, 900.0),
                List.of(value(report, "wasters", "anna", "idle"), value(report, "wasters", "bob", "idle")));
    }

    @Test
    @DisplayName("sealing, roll-ups and summaries change no figure")
    void sealed() throws StoreException {
        Report hot = found();
        new UpkeepRound(store, 0.01, () -> at(5 * 3600)).run();
        assertEquals(
                2,
                store.summaries(List.of(job(1).run().key(), job(2).run().key())).size());
        Report sealed = report();
        for (Section section : hot.sections()) {
            assertEquals(
                    section.sheet().rows(),
                    section(sealed, section.id()).sheet().rows(),
                    section.id());
        }
        assertEquals(hot.sections(), sealed.sections());
        assertEquals(hot.whole(), sealed.whole());
        assertEquals(hot.headline(), sealed.headline());
    }

    @Test
    @DisplayName("a run whose owner two rules told of is lost and saved once")
    void twoRules() throws StoreException {
        found();
        Run run = job(1).run();
        store.saveFindings(
                List.of(new FindingRow(
                        run.key(),
                        "another-rule",
                        at(300),
                        FindingRow.State.TOLD,
                        at(300),
                        Optional.empty(),
                        Optional.of(at(1500)),
                        "anna",
                        "",
                        "",
                        "{}",
                        FindingRow.Progress.NONE)),
                List.of());
        Report report = report();
        assertEquals(
                900, section(report, "findings").says().get(0).cells().get(5).drawn());
        assertEquals(
                5400, section(report, "findings").says().get(0).cells().get(4).drawn());
    }

    @Test
    @DisplayName("what was ended after the period, and saved by that, belongs to the period in which it was")
    void endedLater() throws StoreException {
        Run run = job(1).until(at(5400))
                .state(JobState.CANCELLED)
                .timeLimit(Duration.ofHours(2))
                .gpus(3)
                .run();
        store.saveRuns(List.of(run));
        finding(run, 0, Optional.of(at(600)), Optional.empty(), FindingRow.State.TOLD);
        assertEquals(List.of(1.0, 0.0, 0.0), row(report(), "findings", "idle-gpu", "told", "cancelled", "saved"));
        Report next = report(
                new Period("the hour after", at(3600), at(7200)),
                new Scope.Cluster(),
                settings(ReportSettings.Tree.NONE, People.NAMES),
                ZoneOffset.UTC);
        assertEquals(List.of(1.0, 1.0, 3 * 1800.0), row(next, "findings", "idle-gpu", "told", "cancelled", "saved"));
    }

    // ---- people

    private static String everything(Report report) throws Exception {
        return new ReportFiles(report, "en")
                .all(Map.of()).entrySet().stream()
                        .filter(file -> !file.getKey().endsWith(".pdf"))
                        .map(file -> new String(file.getValue(), java.nio.charset.StandardCharsets.UTF_8))
                        .collect(Collectors.joining("\n"));
    }

    @Test
    @DisplayName("people by name, by number, or not at all: then no file has a name, scripts included")
    void people() throws Exception {
        found();
        Map<People, String> files = new java.util.EnumMap<>(People.class);
        for (People people : People.values()) {
            files.put(
                    people,
                    everything(report(
                            HOUR, new Scope.Cluster(), settings(ReportSettings.Tree.NONE, people), ZoneOffset.UTC)));
        }
        assertTrue(files.getOrDefault(People.NAMES, "").contains("anna"));
        assertFalse(files.getOrDefault(People.PSEUDONYMS, "anna").contains("anna"));
        assertTrue(files.getOrDefault(People.PSEUDONYMS, "").contains("Person 1"));
        assertFalse(files.getOrDefault(People.NONE, "anna").contains("anna"));
        assertFalse(files.getOrDefault(People.NONE, "Person").contains("Person 1"));
    }

    @Test
    @DisplayName("my semester: one person's runs alone, by name, with nothing of the others")
    void mine() throws Exception {
        found();
        Report report =
                report(HOUR, new Scope.Person("bob"), settings(ReportSettings.Tree.NONE, People.NONE), ZoneOffset.UTC);
        assertEquals(List.of(2400.0, 300.0), row(report, "by-account", "cs", "held", "lost"));
        assertFalse(everything(report).contains("anna"));
    }

    // ---- accounts

    private void tree() throws StoreException {
        List<Account> accounts = new ArrayList<>();
        for (String[] pair : new String[][] {
            {"root", ""}, {"tech", "root"}, {"cs", "tech"}, {"phd", "cs"}, {"science", "root"}, {"math", "science"}
        }) {
            accounts.add(new Account(
                    pair[0],
                    pair[1].isEmpty() ? Optional.empty() : Optional.of(pair[1]),
                    "",
                    "",
                    List.of(),
                    List.of(),
                    Limits.NONE));
        }
        List<Association> associations = new ArrayList<>();
        for (String user : List.of("a", "b", "c", "never", "admin")) {
            associations.add(association(user, List.of("normal")));
        }
        associations.add(association("small", List.of("1cpu")));
        store.saveAccounts(new AccountTree(
                at(0),
                "lab",
                accounts,
                associations,
                List.of(new SlurmUser("admin", Optional.empty(), "Administrator")),
                List.of(new Qos(
                        "allgpus",
                        1,
                        new Limits(
                                "cpu=48,gres/gpu=8",
                                "",
                                "",
                                OptionalInt.empty(),
                                OptionalInt.empty(),
                                Optional.of(Duration.ofDays(21)))))));
    }

    private static Association association(String user, List<String> qos) {
        return new Association(user, "cs", Optional.empty(), Optional.empty(), qos, OptionalLong.empty(), Limits.NONE);
    }

    private void charged() throws StoreException {
        tree();
        runs(
                job(1).owner("a", "phd", "batch", "").until(at(100)).gpus(1),
                job(2).owner("b", "cs", "batch", "").until(at(200)).gpus(1),
                job(3).owner("c", "math", "batch", "").until(at(400)).gpus(1),
                job(4).owner("c", "elsewhere.x", "batch", "").until(at(800)).gpus(1),
                job(5).owner("b", "tech", "batch", "").until(at(1600)).gpus(1));
    }

    private static List<String> held(Report report, String id) {
        Sheet sheet = section(report, id).sheet();
        return sheet.rows().stream()
                .map(row -> row.get(0).value().orElseThrow() + " "
                        + Math.round(row.get(sheet.column("held")).drawn()))
                .toList();
    }

    @Test
    @DisplayName("Slurm's tree: departments and faculties by its levels, accounts below rolled in")
    void accountTree() throws StoreException {
        charged();
        Report report = report(
                HOUR, new Scope.Cluster(), settings(ReportSettings.Tree.FACULTIES, People.NAMES), ZoneOffset.UTC);
        assertEquals(List.of("tech 1600", "elsewhere 800", "math 400", "cs 300"), held(report, "by-department"));
        assertEquals(List.of("tech 1900", "none 800", "science 400"), held(report, "by-faculty"));
        assertEquals(
                List.of("science 400", "· math 400", "tech 1900", "· cs 300", "· · phd 100"),
                held(report, "account-tree"));
        Report shallow = report(
                HOUR, new Scope.Cluster(), settings(ReportSettings.Tree.DEPARTMENTS, People.NAMES), ZoneOffset.UTC);
        assertEquals(List.of("tech 1900", "elsewhere 800", "science 400"), held(shallow, "by-department"));
    }

    @Test
    @DisplayName("an account's report takes in the accounts below it and no others")
    void accountScope() throws StoreException {
        charged();
        Report report = report(
                HOUR, new Scope.Accounts("cs"), settings(ReportSettings.Tree.NONE, People.NAMES), ZoneOffset.UTC);
        assertEquals(List.of("cs 200", "phd 100"), held(report, "by-account"));
    }

    @Test
    @DisplayName("a configured department holds for the accounts below it, before Slurm's tree is asked")
    void configuredFirst() throws StoreException {
        charged();
        ReportSettings configured = new ReportSettings(
                SemesterCalendar.AALBORG,
                Map.of("Science and Technology", List.of("Computing")),
                Map.of("Computing", List.of("cs")),
                ReportSettings.Tree.FACULTIES,
                Map.of(),
                People.NAMES,
                OptionalDouble.empty(),
                "",
                "1cpu",
                Duration.ofDays(90),
                0.01);
        Report report = report(HOUR, new Scope.Cluster(), configured, ZoneOffset.UTC);
        assertEquals(List.of("tech 1600", "elsewhere 800", "math 400", "Computing 300"), held(report, "by-department"));
        assertEquals(
                List.of("tech 1600", "none 800", "science 400", "Science and Technology 300"),
                held(report, "by-faculty"));
    }

    @Test
    @DisplayName(
            "users without a job are those who may run some: not administrators, not who has the small QoS already")
    void inactive() throws StoreException {
        charged();
        assertEquals(
                List.of("never"),
                section(report(), "inactive").sheet().rows().stream()
                        .map(row -> row.get(0).value().orElseThrow().toString())
                        .toList());
    }

    @Test
    @DisplayName("users without a job: files have all, however few the page shows")
    void manyInactive() throws StoreException {
        List<Association> associations = new ArrayList<>();
        for (int i = 0; i < 250; i++) {
            associations.add(association("user" + i, List.of("normal")));
        }
        store.saveAccounts(new AccountTree(at(0), "lab", List.of(), associations, List.of(), List.of()));
        Section section = section(report(), "inactive");
        assertEquals(250, section.sheet().rows().size());
        assertEquals(25, section.onPage());
    }

    @Test
    @DisplayName("QoS that never fit: limits too short or far too long, GPUs that no run took or never that many")
    void terms() throws StoreException {
        tree();
        List<Run> runs = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            runs.add(job(100 + i)
                    .owner("a", "short", "batch", "q")
                    .until(at(60))
                    .gpus(1)
                    .state(i < 4 ? JobState.TIMEOUT : JobState.COMPLETED)
                    .timeLimit(Duration.ofSeconds(60))
                    .run());
            runs.add(job(200 + i)
                    .owner("a", "long", "batch", "q")
                    .until(at(60))
                    .gpus(1)
                    .timeLimit(Duration.ofSeconds(301))
                    .run());
            runs.add(job(300 + i)
                    .owner("a", "none", "batch", "allgpus")
                    .until(at(60))
                    .timeLimit(Duration.ofSeconds(61))
                    .run());
            runs.add(job(400 + i)
                    .owner("a", "few", "batch", "allgpus")
                    .until(at(60))
                    .gpus(2)
                    .timeLimit(Duration.ofSeconds(61))
                    .run());
            runs.add(job(500 + i)
                    .owner("a", "fits", "batch", "allgpus")
                    .until(at(60))
                    .gpus(3)
                    .timeLimit(Duration.ofSeconds(61))
                    .run());
        }
        store.saveRuns(runs);
        Sheet sheet = section(report(), "terms").sheet();
        assertEquals(
                List.of("few terms.too-many", "long terms.too-long", "none terms.no-gpu", "short terms.too-short"),
                sheet.rows().stream()
                        .map(row -> row.get(0).value().orElseThrow() + " "
                                + row.get(sheet.column("why")).value().orElseThrow())
                        .sorted()
                        .toList());
    }
}
