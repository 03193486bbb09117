package io.fairwatch.collector.store;

import static io.fairwatch.collector.store.Given.BOOT;
import static io.fairwatch.collector.store.Given.NOON;
import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.cgroup;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.process;
import static io.fairwatch.collector.store.Given.run;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.Given.using;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Hours become files and roll-ups, days are forgotten, and nobody who asks notices. */
class SealingTest {
    static final String A = "GPU-a";
    static final String B = "GPU-b";
    private static final Run RUN = run(1, at(100), Optional.empty(), allocated("node-a", 0, A));

    /** A day of readings is kept; otherwise as usual. */
    static final DuckDbStore.Settings SETTINGS = new DuckDbStore.Settings(
            1, 128, 64, Duration.ofSeconds(60), new Keep(Duration.ofDays(1), Duration.ofDays(730), Map.of()), 0.01, 0);

    /** Some hours of a node with two GPUs of which job 1 has one and uses the other now and then. */
    static List<NodeSnapshot> hours(int hours) {
        Random random = new Random(7);
        List<NodeSnapshot> snapshots = new ArrayList<>();
        double energy = 0;
        double cpu = 0;
        for (int i = 1; i <= hours * 120; i++) {
            double busy = random.nextInt(4) == 0 ? 0 : Math.round(random.nextDouble() * 1000) / 1000.0;
            energy = i == 333 ? 5 : energy + 1500 + 6000 * busy;
            cpu += 30 * random.nextDouble();
            snapshots.add(snapshot(
                    "node-a",
                    BOOT,
                    i,
                    at(30 * i + 10),
                    List.of(
                            gpu(A, busy, energy, process(1, 1)),
                            random.nextInt(3) == 0
                                    ? gpu(B, 0.5, energy, process(2, 1), process(3, 1))
                                    : gpu(B, 0.9, energy, process(4, 2))),
                    List.of(cgroup(1, cpu, 1000 + random.nextInt(1000), 1 + random.nextInt(3)))));
        }
        return snapshots;
    }

    private static List<String> files(Path store) throws IOException {
        Path sealed = store.resolve("sealed");
        if (!Files.exists(sealed)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(sealed)) {
            return files.filter(Files::isRegularFile)
                    .map(file -> sealed.relativize(file).toString())
                    .sorted()
                    .toList();
        }
    }

    private static List<String> files(Path store, String table) throws IOException {
        return files(store).stream()
                .filter(name -> name.startsWith(table + "/"))
                .map(name -> name.substring(table.length() + 1))
                .toList();
    }

    private static List<GpuUse> gpuUse(Store store, Instant from, Instant to) throws StoreException {
        return store.gpuUse(List.of(new RunSpan(RUN, from, to)), 0.01);
    }

    @Test
    @DisplayName("the hour that runs and the one before stay; older ones become a file each, the day's roll-ups one")
    void layout(@TempDir Path directory) throws Exception {
        try (DuckDbStore store = DuckDbStore.open(directory, SETTINGS)) {
            store.append(hours(4));
            store.maintain(at(4 * 3600 + 60));
            assertEquals(
                    List.of("day=20261120/12.parquet", "day=20261120/13.parquet", "day=20261120/14.parquet"),
                    files(directory, "gpu_reading"));
            assertEquals(List.of("day=20261120/1.parquet"), files(directory, "gpu_5m"));
            List<String> before = files(directory);
            store.maintain(at(4 * 3600 + 120));
            assertEquals(before, files(directory), "nothing is due");
            store.maintain(at(6 * 3600));
            assertEquals(
                    List.of("day=20261120/1.parquet", "day=20261120/2.parquet"),
                    files(directory, "gpu_5m"),
                    "the old one is left to those who read it");
        }
        DuckDbStore.open(directory, SETTINGS).close();
        assertEquals(List.of("day=20261120/2.parquet"), files(directory, "gpu_5m"));
    }

    @Test
    @DisplayName("from roll-ups comes the same answer as from readings; when these are gone, within five minutes")
    void sameAnswer(@TempDir Path directory) throws Exception {
        List<NodeSnapshot> snapshots = hours(7);
        Instant from = at(100);
        Instant to = at(6.6 * 3600);
        Slots slots = Slots.atMost(from, to, 30);
        List<GpuUse> expected;
        List<JobUse> expectedJob;
        List<GpuSeries> expectedSeries;
        List<JobSeries> expectedJobSeries;
        Map<String, List<OptionalDouble>> expectedMeans;
        RunSpan span = new RunSpan(RUN, from, to);
        try (DuckDbStore store = DuckDbStore.open(directory.resolve("readings"), SETTINGS)) {
            store.append(snapshots);
            expected = gpuUse(store, from, to);
            expectedJob = store.jobUse(List.of(span));
            expectedSeries = store.gpuSeries(span, slots);
            expectedJobSeries = store.jobSeries(span, slots);
            expectedMeans =
                    Objects.requireNonNull(store.gpuMeans(Map.of(span, slots)).get(span));
            assertEquals(
                    expectedSeries.get(0).points().stream()
                            .map(GpuSeries.Point::utilizationMeanRatio)
                            .toList(),
                    expectedMeans.values().iterator().next());
        }
        try (DuckDbStore store = DuckDbStore.open(directory.resolve("sealed"), SETTINGS)) {
            store.append(snapshots);
            store.maintain(at(8 * 3600));
            assertSame(expected, gpuUse(store, from, to), 1e-9, "rolled up inside");
            assertSameJob(expectedJob, store.jobUse(List.of(span)), 1e-9, "rolled up inside");
            assertEquals(
                    expectedSeries.get(0).points().size(),
                    store.gpuSeries(span, slots).get(0).points().size());
            assertSameMeans(expectedMeans, store.gpuMeans(Map.of(span, slots)).get(span), 1e-9);
            for (int i = 0; i < expectedSeries.get(0).points().size(); i++) {
                GpuSeries.Point point = expectedSeries.get(0).points().get(i);
                GpuSeries.Point rolled =
                        store.gpuSeries(span, slots).get(0).points().get(i);
                assertEquals(point.samples(), rolled.samples());
                near(point.utilizationMeanRatio(), rolled.utilizationMeanRatio(), 1e-9, "point " + i);
                near(point.powerMeanWatts(), rolled.powerMeanWatts(), 1e-9, "point " + i);
                near(
                        expectedJobSeries.get(0).points().get(i).cpusMean(),
                        store.jobSeries(span, slots).get(0).points().get(i).cpusMean(),
                        0.05,
                        "point " + i);
            }
            store.maintain(at(60 * 3600));
            store.maintain(at(61 * 3600));
            assertTrue(files(directory.resolve("sealed"), "gpu_5m").size() >= 1);
        }
        try (DuckDbStore store = DuckDbStore.open(directory.resolve("sealed"), SETTINGS)) {
            assertEquals(List.of(), files(directory.resolve("sealed"), "gpu_reading"), "the day is forgotten");
            assertSame(expected, gpuUse(store, from, to), 0.03, "readings are gone");
            assertSameJob(expectedJob, store.jobUse(List.of(span)), 0.03, "readings are gone");
            List<GpuSeries> series = store.gpuSeries(span, slots);
            assertEquals(expectedSeries.size(), series.size());
            // what lies partly outside of the span is left out by both
            assertSameMeans(
                    Map.of(
                            "GPU-a",
                            series.get(0).points().stream()
                                    .map(GpuSeries.Point::utilizationMeanRatio)
                                    .toList()),
                    store.gpuMeans(Map.of(span, slots)).get(span),
                    1e-9);
        }
    }

    private static void assertSameMeans(
            Map<String, List<OptionalDouble>> expected,
            @Nullable Map<String, List<OptionalDouble>> means,
            double within) {
        assertNotNull(means);
        assertEquals(expected.keySet(), means.keySet());
        expected.forEach((uuid, parts) -> {
            List<OptionalDouble> its = means.getOrDefault(uuid, List.of());
            assertEquals(parts.size(), its.size());
            for (int i = 0; i < parts.size(); i++) {
                near(parts.get(i), its.get(i), within, uuid + " " + i);
            }
        });
    }

    @Test
    @DisplayName(
            "what jobs had of a shared GPU is the same from readings, from roll-ups, and when the readings are gone")
    void shared(@TempDir Path directory) throws Exception {
        Random random = new Random(11);
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int i = 1; i <= 7 * 120; i++) {
            List<GpuProcess> on = new ArrayList<>(List.of(using(1, 1, random.nextDouble() / 2, 500 + i)));
            if (random.nextInt(3) == 0) {
                on.add(using(2, 2, random.nextDouble() / 2, 70));
            }
            if (random.nextInt(5) == 0) {
                on.add(using(3, 1, -1, 7)); // then nobody tells what all of job 1 used
            }
            if (random.nextInt(5) == 0) {
                on.add(using(4, 3, 0.1, 7));
            }
            snapshots.add(snapshot("node-a", i, at(30 * i), gpu(B, 0.75, i, on.toArray(GpuProcess[]::new))));
        }
        Run one = run(1, at(0), Optional.empty());
        RunSpan span = new RunSpan(one, at(0), at(6.5 * 3600));
        GpuUse.Share expected;
        try (DuckDbStore store = DuckDbStore.open(directory.resolve("readings"), SETTINGS)) {
            store.append(snapshots);
            expected = store.gpuUse(List.of(span), 0.01).get(0).share().orElseThrow();
            double parts = 0;
            for (long job = 1; job <= 3; job++) {
                parts += store.gpuUse(
                                List.of(new RunSpan(run(job, at(0), Optional.empty()), at(0), at(6.5 * 3600))), 0.01)
                        .get(0)
                        .gpuSeconds();
            }
            assertEquals(6.5 * 3600, parts, 0.1, "no hour counts for two");
        }
        assertTrue(expected.sharedSeconds() > 3600 && expected.utilizationEstimated() && !expected.memoryEstimated());
        try (DuckDbStore store = DuckDbStore.open(directory.resolve("sealed"), SETTINGS)) {
            store.append(snapshots.subList(0, 333));
            store.append(snapshots.subList(334, 840));
            store.maintain(at(8 * 3600));
            store.append(snapshots.subList(333, 334)); // late: rolled up by itself
            store.maintain(at(9 * 3600));
            assertSame(
                    expected, store.gpuUse(List.of(span), 0.01).get(0).share().orElseThrow(), "rolled up inside");
            store.maintain(at(60 * 3600));
            store.maintain(at(61 * 3600));
        }
        try (DuckDbStore store = DuckDbStore.open(directory.resolve("sealed"), SETTINGS)) {
            assertEquals(List.of(), files(directory.resolve("sealed"), "gpu_reading"), "the day is forgotten");
            assertSame(
                    expected, store.gpuUse(List.of(span), 0.01).get(0).share().orElseThrow(), "readings are gone");
        }
    }

    @Test
    @DisplayName("a job's own use of a shared GPU is the same rolled up when its processes are of two users")
    void sharedByTwoUsers(@TempDir Path directory) throws Exception {
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int i = 1; i <= 240; i++) {
            GpuProcess own = using(1, 1, 0.25, 500);
            GpuProcess helper = new GpuProcess(
                    5, own.kind(), OptionalInt.of(0), own.job(), own.memoryUsedBytes(), OptionalDouble.of(0.125));
            snapshots.add(snapshot("node-a", i, at(30 * i), gpu(B, 0.75, i, own, helper, using(2, 2, 0.25, 70))));
        }
        RunSpan span = new RunSpan(run(1, at(0), Optional.empty()), at(0), at(3600));
        try (DuckDbStore store = DuckDbStore.open(directory, SETTINGS)) {
            store.append(snapshots);
            GpuUse.Share expected =
                    store.gpuUse(List.of(span), 0.01).get(0).share().orElseThrow();
            near(OptionalDouble.of(0.375), expected.utilizationMeanRatio(), 1e-6, "readings");
            store.maintain(at(60 * 3600));
            store.maintain(at(61 * 3600));
            GpuUse.Share rolled =
                    store.gpuUse(List.of(span), 0.01).get(0).share().orElseThrow();
            near(expected.utilizationMeanRatio(), rolled.utilizationMeanRatio(), 1e-6, "readings are gone");
            assertEquals(expected.gpuSeconds(), rolled.gpuSeconds(), 0.01);
        }
    }

    private static void assertSame(GpuUse.Share expected, GpuUse.Share actual, String message) {
        assertEquals(expected.sharedSeconds(), actual.sharedSeconds(), 0.01, message);
        assertEquals(expected.gpuSeconds(), actual.gpuSeconds(), 0.01, message);
        near(expected.utilizationMeanRatio(), actual.utilizationMeanRatio(), 1e-6, message);
        assertEquals(expected.utilizationEstimated(), actual.utilizationEstimated(), message);
        assertEquals(expected.memoryUsedMaxBytes(), actual.memoryUsedMaxBytes(), message);
        assertEquals(expected.memoryEstimated(), actual.memoryEstimated(), message);
    }

    @Test
    @DisplayName("what GPUs did of late is the same before and after their readings are sealed, and across that border")
    void pastAcrossTheBorder(@TempDir Path directory) throws Exception {
        try (DuckDbStore store = DuckDbStore.open(directory, SETTINGS)) {
            store.append(hours(5));
            List<GpuPast> past = sorted(store.gpuPast(at(0), at(5 * 3600 + 300), 0.01));
            List<GpuMoment> moments = moments(store, at(3590), at(3 * 3600 + 500));
            List<PastReading> readings = readings(store, at(1000), at(4 * 3600 + 100));
            List<PastCgroup> cgroups = cgroups(store, at(1000), at(4 * 3600 + 100));
            assertEquals(List.of(A, B), past.stream().map(GpuPast::uuid).toList());
            assertEquals(13_500 / 30 * 2, readings.size(), "both GPUs, every half a minute");
            assertEquals(readings.size() / 2, cgroups.size());
            store.seal(at(2 * 3600)); // the hours from there on stay where they are
            assertFalse(files(directory, "gpu_reading").isEmpty());
            assertEquals(past, sorted(store.gpuPast(at(0), at(5 * 3600 + 300), 0.01)));
            assertEquals(moments, moments(store, at(3590), at(3 * 3600 + 500)));
            assertEquals(readings, readings(store, at(1000), at(4 * 3600 + 100)));
            assertEquals(cgroups, cgroups(store, at(1000), at(4 * 3600 + 100)));
            store.seal(at(5 * 3600 + 3600)); // all of it
            assertEquals(past, sorted(store.gpuPast(at(0), at(5 * 3600 + 300), 0.01)));
            assertEquals(moments, moments(store, at(3590), at(3 * 3600 + 500)));
            assertEquals(readings, readings(store, at(1000), at(4 * 3600 + 100)));
            assertEquals(cgroups, cgroups(store, at(1000), at(4 * 3600 + 100)));
        }
    }

    private static List<GpuPast> sorted(List<GpuPast> past) {
        return past.stream().sorted(Comparator.comparing(GpuPast::uuid)).toList();
    }

    private static List<GpuMoment> moments(Store store, Instant from, Instant to) throws StoreException {
        List<GpuMoment> moments = new ArrayList<>();
        store.gpuMoments(from, to, moments::add);
        return moments.stream()
                .sorted(Comparator.comparing(GpuMoment::at).thenComparing(GpuMoment::uuid))
                .toList();
    }

    private static List<PastReading> readings(Store store, Instant from, Instant to) throws StoreException {
        List<PastReading> readings = new ArrayList<>();
        store.readings(List.of(A, B, A), from, to, readings::add);
        return readings;
    }

    private static List<PastCgroup> cgroups(Store store, Instant from, Instant to) throws StoreException {
        List<PastCgroup> cgroups = new ArrayList<>();
        store.cgroups(List.of(1L, 2L), from, to, cgroups::add);
        return cgroups;
    }

    private static void assertSame(List<GpuUse> expected, List<GpuUse> actual, double tolerance, String message) {
        assertEquals(expected.size(), actual.size(), message);
        for (int i = 0; i < expected.size(); i++) {
            GpuUse one = expected.get(i);
            GpuUse other = actual.get(i);
            boolean given = one.allocated().isPresent();
            // which of five minutes another job had of a GPU that was not given is known only by their number
            double near = given ? tolerance : Math.max(tolerance, 0.1);
            assertEquals(one.allocated(), other.allocated(), message);
            assertEquals(one.device(), other.device(), message);
            assertEquals(one.samples(), other.samples(), Math.max(1, one.samples() * near), message);
            assertEquals(one.coveredSeconds(), other.coveredSeconds(), one.coveredSeconds() * near, message);
            assertEquals(one.busySeconds(), other.busySeconds(), one.coveredSeconds() * near, message);
            assertEquals(one.idleSeconds(), other.idleSeconds(), one.coveredSeconds() * near, message);
            assertEquals(one.processesMax(), other.processesMax(), message);
            if (given) {
                near(one.utilizationMeanRatio(), other.utilizationMeanRatio(), tolerance, message);
                near(one.utilizationMaxRatio(), other.utilizationMaxRatio(), tolerance, message);
                near(one.energyJoules(), other.energyJoules(), tolerance, message);
                near(one.work().idleEnergyJoules(), other.work().idleEnergyJoules(), tolerance, message);
                near(one.work().powerMeanWatts(), other.work().powerMeanWatts(), tolerance, message);
                assertEquals(one.memoryUsedMaxBytes(), other.memoryUsedMaxBytes(), message);
            }
        }
    }

    private static void assertSameJob(List<JobUse> expected, List<JobUse> actual, double tolerance, String message) {
        assertEquals(1, expected.size());
        assertEquals(1, actual.size(), message);
        near(expected.get(0).cpuSeconds(), actual.get(0).cpuSeconds(), tolerance, message);
        assertEquals(expected.get(0).memoryUsedMaxBytes(), actual.get(0).memoryUsedMaxBytes(), message);
        assertEquals(expected.get(0).processesMax(), actual.get(0).processesMax(), message);
        assertEquals(
                expected.get(0).nodes().get(0).samples(),
                actual.get(0).nodes().get(0).samples(),
                Math.max(1, 800 * tolerance),
                message);
    }

    private static void near(OptionalDouble expected, OptionalDouble actual, double tolerance, String message) {
        assertEquals(expected.isPresent(), actual.isPresent(), message);
        if (expected.isPresent()) {
            double value = expected.getAsDouble();
            assertEquals(value, actual.getAsDouble(), Math.max(1e-6, Math.abs(value) * tolerance), message);
        }
    }

    @Test
    @DisplayName("what comes for a sealed hour gets a file of its own, counts at once, and makes summaries anew")
    void late(@TempDir Path directory) throws Exception {
        List<NodeSnapshot> snapshots = hours(1);
        Run ended = run(1, NOON, Optional.of(at(3000)), allocated("node-a", 0, A));
        try (DuckDbStore store = DuckDbStore.open(directory, SETTINGS)) {
            store.saveRuns(List.of(ended));
            store.append(snapshots.subList(0, 20));
            store.append(snapshots.subList(21, 119));
            store.maintain(at(2 * 3600));
            RunSpan whole = new RunSpan(ended, NOON, at(3000));
            assertEquals(List.of(ended), store.runsToSummarize(9));
            store.saveSummaries(List.of(new RunSummary(
                    ended.key(), at(3000), at(7200), 0.01, store.gpuUse(List.of(whole), 0.01), Optional.empty())));
            assertEquals(99, store.gpuUse(List.of(whole), 0.01).get(0).samples());
            assertEquals(List.of(), store.runsToSummarize(9));

            store.append(List.of(snapshots.get(20)));
            assertEquals(118 + 1, gpuUse(store, NOON, at(3600)).get(0).samples(), "at once");
            store.maintain(at(3 * 3600));
            assertEquals(
                    List.of("day=20261120/12-1.parquet", "day=20261120/12.parquet"), files(directory, "gpu_reading"));
            assertEquals(118 + 1, gpuUse(store, NOON, at(3600)).get(0).samples(), "sealed");
            assertEquals(List.of(ended), store.runsToSummarize(9), "more is known of it now");
            assertEquals(100, store.gpuUse(List.of(whole), 0.01).get(0).samples());
        }
    }

    @Test
    @DisplayName("readings are taken while an hour is sealed, also for that hour, and none is lost")
    void goesOn(@TempDir Path directory) throws Exception {
        List<NodeSnapshot> snapshots = hours(1);
        List<NodeSnapshot> waiting = new ArrayList<>(snapshots.subList(60, 119));
        DuckDbStore[] self = new DuckDbStore[1];
        try (DuckDbStore store = DuckDbStore.open(directory, SETTINGS, step -> {
            try {
                if (!waiting.isEmpty()) {
                    self[0].append(List.of(waiting.remove(0)));
                    self[0].nodes();
                }
            } catch (StoreException e) {
                throw new IllegalStateException(e);
            }
        })) {
            self[0] = store;
            store.append(snapshots.subList(0, 60));
            store.maintain(at(2 * 3600));
            assertTrue(waiting.size() < 45, waiting.size() + " waiting");
            int taken = 119 - waiting.size();
            assertEquals(taken, gpuUse(store, NOON, at(3600)).get(0).samples());
            store.maintain(at(3 * 3600));
            waiting.clear();
            store.maintain(at(4 * 3600));
            assertTrue(gpuUse(store, NOON, at(3600)).get(0).samples() >= taken);
        }
    }

    @Test
    @DisplayName("sealing that fails at any step changes nothing, and the next time does all of it")
    void fails(@TempDir Path directory) throws Exception {
        for (Sealer.Step step : Sealer.Step.values()) {
            if (step == Sealer.Step.COMMITTED || step == Sealer.Step.UNLINKED) {
                continue; // nothing is left to fail
            }
            Path its = directory.resolve(step.name());
            boolean[] failing = {true};
            try (DuckDbStore store = DuckDbStore.open(its, SETTINGS, now -> {
                if (now == step && failing[0]) {
                    throw new UncheckedIOException(new IOException("as told"));
                }
            })) {
                store.append(hours(1));
                assertThrows(UncheckedIOException.class, () -> store.maintain(at(2 * 3600)), step.name());
                assertEquals(120, gpuUse(store, NOON, at(3600)).get(0).samples(), step.name());
                failing[0] = false;
                store.maintain(at(2 * 3600));
                assertEquals(120, gpuUse(store, NOON, at(3600)).get(0).samples(), step.name());
            }
            DuckDbStore.open(its, SETTINGS).close();
            assertEquals(8, files(its).size(), step.name() + ": " + files(its));
        }
    }

    @Test
    @DisplayName("a disk that is nearly full takes no reading and says so, and takes them again by itself")
    void nearlyFull(@TempDir Path directory) throws Exception {
        int everything = (int) (Files.getFileStore(directory).getTotalSpace() >> 20) + 1;
        try (DuckDbStore store = DuckDbStore.open(
                directory,
                new DuckDbStore.Settings(1, 128, 64, Duration.ofSeconds(60), Keep.DEFAULTS, 0.01, everything))) {
            StoreException refused = assertThrows(StoreException.class, () -> store.append(hours(1)));
            assertTrue(String.valueOf(refused.getMessage()).contains("the disk is full"), refused::toString);
            assertEquals(List.of(), store.nodes());
        }
        try (DuckDbStore store = DuckDbStore.open(directory, SETTINGS)) {
            assertEquals(120, store.append(hours(1)));
        }
    }
}
