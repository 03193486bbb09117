package io.fairwatch.collector.report;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.process;
import static io.fairwatch.collector.store.Given.silent;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.Given.untranslated;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The period is the hour from noon; nodes report every 30 s. */
class ReportMakerTest {
    private static final String A = "GPU-a";
    private static final String B = "GPU-b";
    /** What runs together had, in seconds. */
    private record Line(String name, long runs, long held, long seen, long used, long idle, long outside) {}

    private static final Period HOUR = new Period("the hour", at(0), at(3600));

    private Store store;

    @BeforeEach
    void open(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private Report report(Period period, GivenRun... jobs) throws StoreException {
        List<Run> runs = new ArrayList<>();
        for (GivenRun job : jobs) {
            runs.add(job.run());
        }
        store.saveRuns(runs);
        return maker(store).make(period);
    }

    private static ReportMaker maker(Store store) {
        return new ReportMaker(
                store,
                ReportSettings.DEFAULTS,
                new ReportMaker.Site(
                        "the cluster",
                        ZoneOffset.UTC,
                        "test",
                        () -> List.of(
                                new ReportMaker.RuleInForce("idle-gpu", "GPUs that do nothing", "window=30 min"))));
    }

    private static List<Line> lines(Report report, String by) {
        Sheet sheet = report.section("by-" + by).orElseThrow().sheet();
        return sheet.rows().stream()
                .map(row -> new Line(
                        row.get(0).value().orElseThrow().toString(),
                        whole(sheet, row, "runs"),
                        whole(sheet, row, "held"),
                        whole(sheet, row, "seen"),
                        whole(sheet, row, "used"),
                        whole(sheet, row, "idle"),
                        whole(sheet, row, "outside")))
                .toList();
    }

    private static long whole(Sheet sheet, List<Cell> row, String column) {
        return Math.round(row.get(sheet.column(column)).drawn());
    }

    private static Line all(Report report) {
        return lines(report, "account").stream()
                .reduce(
                        new Line("all", 0, 0, 0, 0, 0, 0),
                        (a, b) -> new Line(
                                "all",
                                a.runs() + b.runs(),
                                a.held() + b.held(),
                                a.seen() + b.seen(),
                                a.used() + b.used(),
                                a.idle() + b.idle(),
                                a.outside() + b.outside()));
    }

    private Line total(GivenRun... jobs) throws StoreException {
        return all(report(HOUR, jobs));
    }

    private long held(GivenRun... jobs) throws StoreException {
        return total(jobs).held();
    }

    /** Snapshots of node-a, one at the end of each period of 30 s within {@code [from, to)} seconds. */
    private void reports(int from, int to, GpuReading... gpus) throws StoreException {
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int end = from + 30; end <= to; end += 30) {
            snapshots.add(snapshot("node-a", 100_000 + end, at(end), gpus));
        }
        store.append(snapshots);
    }

    private static AllocatedGpu typed(int gresIndex, String type) {
        return new AllocatedGpu(
                "node-a", gresIndex, Optional.of(type), Optional.empty(), AllocatedGpu.Confidence.UNKNOWN);
    }

    private static List<String> names(Report report, String by) {
        return lines(report, by).stream()
                .map(line -> line.name() + " " + line.runs() + " " + line.held())
                .toList();
    }

    // ---- allocated, by Slurm's word

    @Test
    @DisplayName("an empty period holds nothing")
    void nothing() throws StoreException {
        assertEquals(new Line("all", 0, 0, 0, 0, 0, 0), total());
    }

    @Test
    @DisplayName("a run within the period counts its seconds times its GPUs")
    void within() throws StoreException {
        assertEquals(3 * (1727 - 100), held(job(1).from(at(100)).until(at(1727)).gpus(3)));
    }

    @Test
    @DisplayName("a run is cut at both borders, to the second")
    void cut() throws StoreException {
        assertEquals(2 * 17, held(job(1).from(at(-500)).until(at(17)).gpus(2)));
        assertEquals(2 * 17 + 5 * 1, held(job(2).from(at(3599)).until(at(9999)).gpus(5)));
        assertEquals(
                2 * 17 + 5 * 1 + 3600,
                held(job(3).from(at(-9999)).until(at(9999)).gpus(1)));
    }

    @Test
    @DisplayName("a run that only touches a border is not in the period")
    void touching() throws StoreException {
        assertEquals(
                0,
                total(
                                job(1).from(at(-100)).until(at(0)).gpus(1),
                                job(2).from(at(3600)).until(at(3700)).gpus(1))
                        .runs());
    }

    @Test
    @DisplayName("two periods that meet add up to the one that spans both")
    void addUp() throws StoreException {
        GivenRun run = job(1).from(at(-100)).until(at(5003)).gpus(3);
        long both = all(report(new Period("both", at(-3600), at(7200)), run)).held();
        long first = all(report(new Period("first", at(-3600), at(1234)))).held();
        long second = all(report(new Period("second", at(1234), at(7200)))).held();
        assertEquals(both, first + second);
        assertEquals(3 * 5103, both);
    }

    @Test
    @DisplayName("a run that is still running counts as far as Slurm has confirmed it")
    void running() throws StoreException {
        assertEquals(2 * 1800, held(job(1).asOf(at(1800)).gpus(2)));
        assertEquals(2 * 1800 + 3600, held(job(2).asOf(at(9999)).gpus(1)));
    }

    @Test
    @DisplayName("a run that Slurm has not confirmed since the period began is not in it")
    void notConfirmed() throws StoreException {
        reports(-60, 60, gpu(A, 0.5, 0));
        assertEquals(
                new Line("all", 0, 0, 0, 0, 0, 0),
                total(job(1).from(at(-600)).asOf(at(-10)).on(allocated("node-a", 0, A))));
    }

    @Test
    @DisplayName("a run that begins later than Slurm was asked, by another clock, counts nothing yet")
    void clocksDiffer() throws StoreException {
        reports(0, 60, gpu(A, 0.5, 0));
        assertEquals(
                new Line("all", 1, 0, 0, 0, 0, 0),
                total(job(1).from(at(12)).asOf(at(10)).on(allocated("node-a", 0, A))));
    }

    @Test
    @DisplayName("GPUs stay held while a run is suspended; the suspended time of a whole run is told beside it")
    void suspended() throws StoreException {
        Report report = report(
                HOUR,
                job(1).until(at(1000)).suspended(Duration.ofSeconds(301)).gpus(2),
                job(2).asOf(at(1800))
                        .state(JobState.SUSPENDED)
                        .suspended(Duration.ofSeconds(61))
                        .gpus(1));
        assertEquals(2 * 1000 + 1800, all(report).held());
        Sheet sheet = report.section("by-account").orElseThrow().sheet();
        assertEquals(2 * 301 + 61, whole(sheet, sheet.rows().get(0), "suspended"));
        assertEquals(
                4 * (1000 - 301) + 4 * (1800 - 61), whole(sheet, sheet.rows().get(0), "cpu-held"));
    }

    @Test
    @DisplayName("of a run that is cut nobody knows where it was suspended, so nothing is taken off, and that is said")
    void suspendedAndCut() throws StoreException {
        Duration pause = Duration.ofSeconds(301);
        Report report = report(
                HOUR,
                job(1).from(at(-900)).until(at(100)).suspended(pause).gpus(1),
                job(2).from(at(3000)).until(at(9999)).suspended(pause).gpus(1),
                job(3).from(at(3200)).asOf(at(9999)).suspended(pause).gpus(1));
        assertEquals(100 + 600 + 400, all(report).held());
        assertTrue(report.sources().stream()
                .anyMatch(say -> say.key().equals("source.suspended")
                        && say.cells().get(1).equals(Cell.count(3))));
    }

    @Test
    @DisplayName("GPUs count by gres/gpu alone: typed entries are the same ones again")
    void typedNotSummed() throws StoreException {
        Report report =
                report(HOUR, job(1).until(at(100)).gpus(2).tres("cpu=4,gres/gpu=2,gres/gpu:v100=1,gres/gpu:a100=1"));
        assertEquals(200, all(report).held());
        assertEquals(List.of("a100+v100 1 200"), names(report, "model"));
    }

    @Test
    @DisplayName("each task of an array and each component of a het job counts for itself")
    void arrayAndHet() throws StoreException {
        Run.JobIds task =
                new Run.JobIds(OptionalLong.of(10), OptionalLong.of(1), OptionalLong.empty(), OptionalInt.empty());
        Run.JobIds component =
                new Run.JobIds(OptionalLong.empty(), OptionalLong.empty(), OptionalLong.of(20), OptionalInt.of(1));
        Line total = total(
                job(10).until(at(10)).gpus(1),
                job(11).ids(task).until(at(20)).gpus(1),
                job(20).until(at(40)).gpus(2),
                job(21).ids(component).until(at(80)).gpus(4));
        assertEquals(4, total.runs());
        assertEquals(10 + 20 + 2 * 40 + 4 * 80, total.held());
    }

    @Test
    @DisplayName("both runs of a requeued job count")
    void requeued() throws StoreException {
        Line total = total(
                job(1).until(at(600)).gpus(2),
                job(1).from(at(660)).until(at(700)).gpus(2));
        assertEquals(2, total.runs());
        assertEquals(2 * 600 + 2 * 40, total.held());
    }

    @Test
    @DisplayName("a run without GPUs, or of which Slurm tells none, is a run that held no GPU time")
    void withoutGpus() throws StoreException {
        Report report =
                report(HOUR, job(1).until(at(600)), job(2).until(at(600)).gpusNotTold());
        assertEquals(new Line("all", 2, 0, 0, 0, 0, 0), all(report));
        assertEquals(List.of(), names(report, "model"));
        assertEquals(List.of("size.0 2 0"), names(report, "size"));
    }

    // ---- used, by the nodes' word

    @Test
    @DisplayName("used and idle are what was seen, and what was not seen stands apart")
    void used() throws StoreException {
        reports(0, 600, gpu(A, 0.5, 0)); // half used for 600 s
        reports(600, 900, gpu(A, 0, 0)); // idle for 300 s, then silence
        Line total = total(job(1).until(at(1800)).on(allocated("node-a", 0, A)));
        assertEquals(new Line("all", 1, 1800, 900, 300, 300, 0), total);
        assertEquals(900, total.held() - total.seen());
    }

    @Test
    @DisplayName("readings are cut at the borders of the period and of the run as the allocation is")
    void usedIsCut() throws StoreException {
        reports(-60, 60, gpu(A, 1, 0), gpu(B, 0, 0));
        assertEquals(
                new Line("all", 2, 20 + 45, 20 + 45, 20, 45, 0),
                total(
                        job(1).from(at(-60)).until(at(20)).on(allocated("node-a", 0, A)),
                        job(2).from(at(5)).until(at(50)).on(allocated("node-a", 1, B))));
    }

    @Test
    @DisplayName("a reading without utilisation is not taken for use of any kind")
    void withoutUtilization() throws StoreException {
        reports(0, 300, gpu(A, 1, 0));
        reports(300, 600, silent(A));
        Line total = total(job(1).until(at(600)).on(allocated("node-a", 0, A)));
        assertEquals(new Line("all", 1, 600, 300, 300, 0, 0), total);
        assertEquals(300, total.held() - total.seen());
    }

    @Test
    @DisplayName("a GPU whose device is not known was not seen")
    void untranslatedGpu() throws StoreException {
        reports(0, 600, gpu(A, 1, 0));
        assertEquals(
                new Line("all", 1, 600, 0, 0, 0, 0), total(job(1).until(at(600)).on(untranslated("node-a", 0))));
    }

    @Test
    @DisplayName("use of a GPU that Slurm did not give stands apart")
    void outside() throws StoreException {
        reports(0, 600, gpu(A, 1, 0), gpu(B, 1, 0, process(100, 1)));
        assertEquals(
                new Line("all", 1, 600, 600, 600, 0, 600),
                total(job(1).until(at(600)).on(allocated("node-a", 0, A))));
    }

    @Test
    @DisplayName("a run without GPUs that uses one uses it outside")
    void outsideWithoutGpus() throws StoreException {
        reports(0, 600, gpu(B, 1, 0, process(100, 1)));
        assertEquals(
                new Line("all", 1, 0, 0, 0, 0, 600), total(job(1).until(at(600)).gpusNotTold()));
    }

    @Test
    @DisplayName("nothing is called outside while it is not known which GPUs Slurm gave")
    void outsideNotKnown() throws StoreException {
        reports(0, 600, gpu(A, 1, 0, process(100, 1)), gpu(B, 1, 0, process(200, 2)));
        assertEquals(
                new Line("all", 2, 1200, 0, 0, 0, 0),
                total(
                        job(1).until(at(600)).on(untranslated("node-a", 0)),
                        job(2).until(at(600)).gpus(1)));
    }

    // ---- groups

    @Test
    @DisplayName("the same runs divided: most GPU time first, then by name")
    void groups() throws StoreException {
        Report report = report(
                HOUR,
                job(1).owner("bob", "math", "batch", "normal").until(at(100)).on(typed(0, "a100")),
                job(2).owner("anna", "math", "batch", "").until(at(100)).on(typed(1, "v100")),
                job(3).owner("anna", "es", "short", "").until(at(50)).gpus(2).tres("gres/gpu=2,gres/gpu:a100=2"),
                job(4).owner("zoe", "es", "short", "").until(at(50)).gpus(1),
                job(5).owner("carl", "", "short", "").until(at(100)).gpus(1));
        assertEquals(List.of("anna 2 200", "bob 1 100", "carl 1 100", "zoe 1 50"), names(report, "user"));
        assertEquals(List.of("math 2 200", "es 2 150", "none 1 100"), names(report, "account"));
        assertEquals(List.of("short 3 250", "batch 2 200"), names(report, "partition"));
        assertEquals(List.of("none 4 350", "normal 1 100"), names(report, "qos"));
        assertEquals(List.of("a100 2 200", "unknown 2 150", "v100 1 100"), names(report, "model"));
        assertEquals(List.of("math 2 200", "es 2 150", "none 1 100"), names(report, "department"));
        assertEquals(450, all(report).held());
    }

    @Test
    @DisplayName("the report says how far the accounting is known")
    void accountingUntil() throws StoreException {
        assertTrue(report(HOUR).sources().contains(Say.of("source.slurm.never")));
        Instant until = at(3000);
        store.saveAccountingUntil(until);
        assertTrue(report(HOUR).sources().contains(Say.of("source.slurm", Cell.time(until))));
    }

    @Test
    @DisplayName("the same facts make the same bytes, whatever order they came in")
    void sameBytes(@TempDir Path other) throws Exception {
        List<Run> runs = new ArrayList<>();
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int i = 1; i <= 20; i++) {
            runs.add(job(i).owner("user" + i % 7, "es", "batch", "")
                    .from(at(i))
                    .until(at(100 + i * 7))
                    .on(allocated("node-a", i % 2, i % 2 == 0 ? A : B))
                    .run());
            snapshots.add(snapshot("node-a", i, at(30 * i), gpu(A, i / 23.0, 0), gpu(B, i / 29.0, 0, process(9, i))));
        }
        store.saveRuns(runs);
        store.append(snapshots);
        Report first = maker(store).make(HOUR);

        Collections.reverse(runs);
        Collections.reverse(snapshots);
        try (Store second = DuckDbStore.open(other.resolve("other"), DuckDbStore.Settings.DEFAULTS)) {
            second.append(snapshots);
            second.saveRuns(runs);
            Report again = maker(second).make(HOUR);
            assertArrayEquals(new ReportFiles(first, "en").zip(Map.of()), new ReportFiles(again, "en").zip(Map.of()));
        }
        assertEquals(first, maker(store).make(HOUR));
    }
}
