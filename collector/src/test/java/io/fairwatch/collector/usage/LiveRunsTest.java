package io.fairwatch.collector.usage;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.cgroup;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.process;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.GpuSeries;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.LiveRuns.RunUse;
import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The store is the truth: what memory answers is what the store answers. */
class LiveRunsTest {
    private static final double BUSY = 0.01;
    private static final Run ONE =
            job(1).from(at(100)).on(allocated("node-a", 0, "GPU-a0")).run();
    private static final Run WIDE = job(2).from(at(-7000))
            .on(allocated("node-a", 1, "GPU-a1"), allocated("node-b", 0, "GPU-b0"))
            .run();
    private static final Run BEFORE = job(3).from(at(-3000))
            .until(at(2900))
            .on(allocated("node-b", 1, "GPU-b1"))
            .run();
    private static final Run REQUEUED =
            job(3).from(at(3025)).on(allocated("node-b", 1, "GPU-b1")).run();
    /** On a product that tells how it worked. */
    private static final Run HOPPER =
            job(5).from(at(200)).on(allocated("node-b", 0, "GPU-b0")).run();
    /** Of which nobody told what it draws. */
    private static final Run QUIET =
            job(6).from(at(300)).on(allocated("node-a", 1, "GPU-a1")).run();

    private static final Run WITHOUT = job(4).from(at(50)).run();
    private static final List<Run> RUNS = List.of(ONE, WIDE, REQUEUED, WITHOUT);

    private final Store store;
    private LiveRuns live = new LiveRuns(BUSY);
    private int answered;
    private int unanswered;
    private boolean told;

    LiveRunsTest(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    // ---- a cluster of two nodes, drawn

    private static final class Cluster {
        private final Random random;
        private final double[] joules = new double[4];
        private final double[] cpuSeconds = new double[5];

        Cluster(long seed) {
            this.random = new Random(seed);
        }

        /** What two nodes send within some time, oldest first. */
        List<NodeSnapshot> snapshots(int fromSecond, int toSecond) {
            List<NodeSnapshot> all = new ArrayList<>();
            for (int second = fromSecond; second < toSecond; second += 30) {
                all.add(snapshot("node-a", 0, second + 7));
                all.add(snapshot("node-b", 2, second + 19));
            }
            return all;
        }

        private NodeSnapshot snapshot(String node, int first, int second) {
            Instant at = at(second).plusMillis(random.nextInt(400) - 200);
            List<GpuReading> gpus = new ArrayList<>();
            for (int i = first; i < first + 2; i++) {
                gpus.add(reading(i, second));
            }
            List<JobCgroup> jobs = new ArrayList<>();
            for (int job : node.equals("node-a") ? new int[] {1, 2, 4} : new int[] {2, 3}) {
                cpuSeconds[job] = second > 3000 && second < 3040 ? 0 : cpuSeconds[job] + 30 * random.nextDouble();
                if (random.nextInt(50) != 0) {
                    jobs.add(cgroup(job, cpuSeconds[job], (long) random.nextInt(1 << 20) << 10, random.nextInt(9)));
                }
            }
            return Given.snapshot(node, Given.BOOT, 10_000 + second, at, gpus, jobs);
        }

        private GpuReading reading(int number, int second) {
            String uuid = List.of("GPU-a0", "GPU-a1", "GPU-b0", "GPU-b1").get(number);
            double busy = second / 900 % 3 == number % 3 || random.nextInt(4) == 0 ? 0 : random.nextDouble();
            joules[number] = random.nextInt(300) == 0 ? 0 : joules[number] + 9000 * random.nextDouble();
            long job = List.of(1L, 2L, 2L, 3L).get(number);
            GpuProcess[] processes = random.nextInt(10) == 0
                    ? new GpuProcess[0]
                    : new GpuProcess[] {
                        process(100, job), process(101, job, 4711, JobRef.Evidence.ENVIRON), process(102, 99)
                    };
            GpuReading reading = gpu(uuid, busy, joules[number], processes);
            if (random.nextInt(200) == 0) {
                return lost(uuid);
            }
            boolean hopper = number == 2;
            return new GpuReading(
                    reading.device(),
                    random.nextInt(40) == 0 ? Optional.empty() : reading.utilization(),
                    Optional.of(new Utilization(busy / 2, busy, busy, 9, Utilization.Source.RING)),
                    OptionalLong.of((long) random.nextInt(30_000) << 20),
                    reading.memoryReservedBytes(),
                    number == 1 ? OptionalDouble.empty() : OptionalDouble.of(100 + random.nextInt(200)),
                    reading.powerLimitWatts(),
                    random.nextInt(30) == 0 ? OptionalDouble.empty() : reading.energyJoules(),
                    OptionalDouble.of(30 + random.nextInt(40)),
                    reading.smClockHertz(),
                    random.nextInt(30) == 0 ? Optional.empty() : reading.processes(),
                    hopper
                            ? Optional.of(detail(random.nextInt(60) == 0 ? List.of(79, 31) : List.of()))
                            : Optional.empty());
        }

        private GpuDetail detail(List<Integer> xids) {
            return new GpuDetail(
                    OptionalDouble.of(55),
                    OptionalDouble.empty(),
                    OptionalDouble.empty(),
                    Optional.of(List.of("sw_power_cap")),
                    Optional.of(new GpuDetail.Activity(
                            OptionalDouble.of(random.nextDouble()),
                            OptionalDouble.of(random.nextDouble()),
                            OptionalDouble.empty(),
                            OptionalDouble.of(random.nextDouble()),
                            OptionalDouble.of(random.nextDouble()),
                            OptionalDouble.empty(),
                            OptionalDouble.empty(),
                            OptionalDouble.empty(),
                            OptionalDouble.empty())),
                    Optional.empty(),
                    Optional.of(health(xids)));
        }

        private static GpuDetail.Health health(List<Integer> xids) {
            return new GpuDetail.Health(
                    OptionalLong.of(3),
                    OptionalLong.of(0),
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    Optional.empty(),
                    OptionalLong.empty(),
                    Optional.of(xids),
                    OptionalInt.empty());
        }

        private GpuReading lost(String uuid) {
            return new GpuReading(
                    Given.device(uuid),
                    Optional.empty(),
                    Optional.empty(),
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    OptionalDouble.empty(),
                    OptionalDouble.empty(),
                    OptionalDouble.empty(),
                    OptionalDouble.empty(),
                    OptionalDouble.empty(),
                    Optional.empty(),
                    Optional.of(new GpuDetail(
                            OptionalDouble.empty(),
                            OptionalDouble.empty(),
                            OptionalDouble.empty(),
                            Optional.empty(),
                            Optional.empty(),
                            Optional.empty(),
                            Optional.of(health(List.of(79))))));
        }
    }

    private void send(List<NodeSnapshot> snapshots) throws StoreException {
        store.append(snapshots);
        live.take(snapshots);
    }

    // ---- the same as the store

    /** How many of the runs memory answers for; what it says of them is what the store says. */
    private int compared(Instant now) throws Exception {
        int answered = 0;
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        for (Run run : RUNS) {
            Optional<RunUse> use = live.use(run, nodes, now);
            if (use.isEmpty()) {
                assertFalse(live.whole(run, nodes, now).isPresent(), "neither is known of " + run.key());
            } else {
                answered++;
                assertEquals(Optional.of(use.get().whole()), live.whole(run, nodes, now));
                for (GpuUse whole : use.get().whole()) {
                    assertSame(asked(run, whole), whole, "whole of " + run.key());
                }
                for (GpuUse hour : use.get().lastHour()) {
                    assertSame(asked(run, hour), hour, "last hour of " + run.key());
                    assertTrue(hour.from().equals(LiveRuns.hourBefore(hour.to()))
                            || hour.from().equals(run.key().start()));
                }
                assertSame(
                        store.jobUse(List.of(new RunSpan(run, run.key().start(), now))).stream()
                                .findFirst(),
                        use.get().job(),
                        "CPU of " + run.key());
                for (int minutes : new int[] {10, 60, 120, 240}) {
                    lately(run, Duration.ofMinutes(minutes), nodes, now);
                }
                assertEquals(
                        store
                                .newestReadings(
                                        run.gpus().stream()
                                                .flatMap(gpu -> gpu.uuid().stream())
                                                .toList(),
                                        now)
                                .stream()
                                .filter(reading ->
                                        !reading.at().isBefore(run.key().start()))
                                .collect(Collectors.toMap(
                                        reading -> reading.reading().device().uuid(), reading -> reading)),
                        use.get().newest());
            }
        }
        return answered;
    }

    private void lately(Run run, Duration length, Map<String, NodeState> nodes, Instant now) throws Exception {
        Instant to = Horizon.of(run, nodes, now);
        Instant begin = LiveRuns.begin(length, to).orElseThrow();
        assertTrue(!begin.isAfter(to.minus(length))
                && begin.isAfter(to.minus(length).minus(Duration.ofMinutes(length.toMinutes() > 65 ? 30 : 10))));
        Instant from = begin.isAfter(run.key().start()) ? begin : run.key().start();
        Optional<LiveRuns.Lately> lately = live.since(run, length, to, nodes, now);
        if (lately.isEmpty()) {
            unanswered++;
            return;
        }
        answered++;
        boolean isOnOne = lately.get().tellsJob();
        assertTrue(!isOnOne || run.allocation().nodes().size() == 1);
        for (GpuUse use : lately.get().gpus()) {
            assertEquals(from, use.from());
            assertEquals(to, use.to());
            if (isOnOne && length.compareTo(Duration.ofHours(1)) <= 0) {
                assertSame(asked(run, use), use, length + " of " + run.key());
            } else if (isOnOne) {
                assertAlike(asked(run, use), use, length + " of " + run.key());
            }
        }
        if (!isOnOne) {
            return; // and one of its nodes has told more than the other
        }
        Optional<JobUse> job =
                store.jobUse(List.of(new RunSpan(run, from, to))).stream().findFirst();
        assertEquals(job.isPresent(), lately.get().job().isPresent(), length + " of " + run.key());
        if (job.isPresent() && length.compareTo(Duration.ofHours(1)) <= 0) {
            assertSame(inWindow(job.get()), inWindow(lately.get().job().get()), length + " of " + run.key());
        } else if (job.isPresent()) {
            // between half hours of which the store told the counter rose, too
            JobUse rough = lately.get().job().get();
            double cpu = job.get().cpuSeconds().orElseThrow();
            assertEquals(cpu, rough.cpuSeconds().orElseThrow(), 0.02 * cpu);
            assertEquals(job.get().memoryUsedMaxBytes(), rough.memoryUsedMaxBytes());
            assertEquals(job.get().processesMax(), rough.processesMax());
            assertEquals(
                    job.get().nodes().get(0).samples(), rough.nodes().get(0).samples());
        }
    }

    /** Of hours, roughly what rules ask for. */
    private void assertAlike(GpuUse expected, GpuUse actual, String what) throws Exception {
        double length = Duration.between(expected.from(), expected.to()).toSeconds();
        // a reading that two half hours share counts in both where the store told of them
        assertEquals(expected.samples(), actual.samples(), 10, what);
        assertEquals(expected.coveredSeconds(), actual.coveredSeconds(), 1e-3 * length, what);
        assertEquals(expected.busySeconds(), actual.busySeconds(), 1e-3 * length, what);
        assertEquals(expected.idleSeconds(), actual.idleSeconds(), 1e-3 * length, what);
        assertAlike(expected.utilizationMeanRatio(), actual.utilizationMeanRatio(), 1e-3, what);
        assertAlike(expected.utilizationMaxRatio(), actual.utilizationMaxRatio(), 2e-5, what);
        assertEquals(expected.lastBusyAt(), actual.lastBusyAt(), what);
        assertEquals(
                (double) expected.memoryUsedMaxBytes().orElse(-1),
                (double) actual.memoryUsedMaxBytes().orElse(-1),
                1e-6 * expected.memoryUsedMaxBytes().orElse(0),
                what);
        assertEquals(expected.processesMax(), actual.processesMax(), what);
        GpuUse.Work work = expected.work();
        GpuUse.Work rough = actual.work();
        assertAlike(work.powerMeanWatts(), rough.powerMeanWatts(), 1, what);
        assertAlike(work.powerMaxWatts(), rough.powerMaxWatts(), 0.1, what);
        assertAlike(work.memoryUtilizationMeanRatio(), rough.memoryUtilizationMeanRatio(), 0.01, what);
        told |= work.activity().tensorMeanRatio().isPresent();
        assertAlike(work.activity().smMeanRatio(), rough.activity().smMeanRatio(), 0.01, what);
        assertAlike(work.activity().tensorMeanRatio(), rough.activity().tensorMeanRatio(), 0.01, what);
        assertAlike(work.activity().dramMeanRatio(), rough.activity().dramMeanRatio(), 0.01, what);
        assertEquals(OptionalDouble.empty(), actual.energyJoules(), "not kept");
    }

    private static void assertAlike(OptionalDouble expected, OptionalDouble actual, double within, String what) {
        assertEquals(expected.isPresent(), actual.isPresent(), what);
        assertEquals(expected.orElse(0), actual.orElse(0), within, what);
    }

    /** Counters that grow over a run's life are those of all of it. */
    private static JobUse inWindow(JobUse use) {
        return new JobUse(
                use.run(),
                use.nodesSeen(),
                use.cpuSeconds(),
                use.memoryUsedMaxBytes(),
                use.processesMax(),
                use.nodes().stream()
                        .map(node -> new JobUse.OnNode(
                                node.node(),
                                node.samples(),
                                node.cpuSeconds(),
                                node.memoryUsedMaxBytes(),
                                node.memoryLimitBytes(),
                                node.processesMax(),
                                JobUse.Counters.NOT_KNOWN))
                        .toList());
    }

    private GpuUse asked(Run run, GpuUse like) throws StoreException {
        return store.gpuUse(List.of(new RunSpan(run, like.from(), like.to())), BUSY).stream()
                .filter(use -> use.allocated().equals(like.allocated()))
                .findFirst()
                .orElseThrow();
    }

    /**
     * Equal but for how sums of real numbers are rounded, and that the store counts no more time as covered than there is,
     * part by part: snapshots of one node overlap by milliseconds. Of several nodes together the store knows only what was
     * most in the same five minutes once these are rolled up.
     */
    private static void assertSame(Object expected, Object actual, String what) throws Exception {
        if (expected instanceof Record && expected.getClass().equals(actual.getClass())) {
            for (RecordComponent part : expected.getClass().getRecordComponents()) {
                part.getAccessor().setAccessible(true);
                assertSame(
                        part.getAccessor().invoke(expected),
                        part.getAccessor().invoke(actual),
                        what + " " + part.getName());
            }
        } else if (expected instanceof Optional<?> one && actual instanceof Optional<?> other) {
            assertEquals(one.isPresent(), other.isPresent(), what);
            if (one.isPresent() && other.isPresent()) {
                assertSame(one.get(), other.get(), what);
            }
        } else if (expected instanceof OptionalDouble one && actual instanceof OptionalDouble other) {
            assertEquals(one.isPresent(), other.isPresent(), what + ": " + one + ", " + other);
            assertEquals(one.orElse(0), other.orElse(0), Math.abs(one.orElse(0)) * 1e-4, what);
        } else if (expected instanceof Double one && actual instanceof Double other) {
            assertEquals(one, other, 0.8, what);
        } else if (what.endsWith("memoryUsedMeanBytes")
                && expected instanceof OptionalLong one
                && actual instanceof OptionalLong other) {
            assertEquals(one.isPresent(), other.isPresent(), what);
            assertEquals((double) one.orElse(0), (double) other.orElse(0), one.orElse(0) * 1e-4, what);
        } else if (what.matches("CPU of .*\\] (memoryUsedMaxBytes|processesMax)")) {
            assertTrue(most(actual) <= most(expected) && most(actual) > 0.7 * most(expected), what + actual + expected);
        } else if (expected instanceof List<?> one && actual instanceof List<?> other) {
            assertEquals(one.size(), other.size(), what);
            for (int i = 0; i < one.size(); i++) {
                assertSame(one.get(i), other.get(i), what + " " + i);
            }
        } else {
            assertEquals(expected, actual, what);
        }
    }

    private static double most(Object value) {
        return value instanceof OptionalLong bytes ? bytes.orElse(-1) : ((OptionalInt) value).orElse(-1);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2})
    @DisplayName("what came since a run began adds up to what the store says, at any time")
    void fromTheBeginning(long seed) throws Exception {
        Cluster cluster = new Cluster(seed);
        int times = 0;
        store.saveRuns(List.of(BEFORE));
        send(cluster.snapshots(-7200, -6960));
        for (int second = -6960; second < 9000; second += 2660) {
            int now = second;
            live.follow(
                    store,
                    RUNS.stream()
                            .filter(run -> run.key().start().isBefore(at(now)))
                            .toList(),
                    at(now));
            send(cluster.snapshots(second, second + 2660));
            assertEquals(
                    (int) RUNS.stream()
                            .filter(run -> run.key().start().isBefore(at(now)))
                            .count(),
                    compared(at(second + 2660)));
            times++;
        }
        assertTrue(answered > 16 * times / 2);
        assertEquals(0, unanswered);
    }

    @Test
    @DisplayName("what runs did in their last minutes and hours is what the store says, however long they last")
    void lately() throws Exception {
        Cluster cluster = new Cluster(13);
        List<Run> runs = List.of(ONE, HOPPER, QUIET, WITHOUT);
        live.follow(store, runs, at(0));
        for (int second = 0; second < 7 * 4200; second += 4200) {
            send(cluster.snapshots(second, second + 4200));
            Instant now = at(second + 4200);
            Map<String, NodeState> nodes =
                    store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
            for (int minutes : new int[] {30, 60, 90, 240}) {
                for (Run run : runs) {
                    lately(run, Duration.ofMinutes(minutes), nodes, now);
                }
            }
        }
        assertTrue(told, "how it worked");
        assertEquals(0, unanswered);
        live = new LiveRuns(BUSY);
        Instant now = at(7 * 4200);
        live.follow(store, runs, now);
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        lately(ONE, Duration.ofHours(1), nodes, now);
        assertEquals(0, unanswered, "an hour is read again after a start");
        for (Run run : runs) {
            lately(run, Duration.ofHours(4), nodes, now);
        }
        assertEquals(0, unanswered, "the store told of the hours before");
    }

    @ParameterizedTest
    @ValueSource(longs = {4})
    @DisplayName("after a start anew it says the same, sealed hours and roll-ups included")
    void afterStart(long seed) throws Exception {
        Cluster cluster = new Cluster(seed);
        store.saveRuns(List.of(BEFORE));
        send(cluster.snapshots(-7200, 18_000));
        store.maintain(at(18_000));
        for (int second = 18_000; second < 25_200; second += 3600) {
            live = new LiveRuns(BUSY);
            assertEquals(0, compared(at(second)), "the store alone knows");
            live.follow(store, RUNS, at(second));
            assertEquals(4, compared(at(second)));
            send(cluster.snapshots(second, second + 600));
            assertEquals(4, compared(at(second + 600)));
            send(cluster.snapshots(second + 600, second + 3600));
            store.maintain(at(second + 3600));
        }
        assertEquals(4, compared(at(25_200)));
    }

    @Test
    @DisplayName("what comes again changes nothing, what comes late is left to the store until it is taken up anew")
    void lateAndAgain() throws Exception {
        Cluster cluster = new Cluster(7);
        List<NodeSnapshot> all = cluster.snapshots(-7200, 7200);
        NodeSnapshot late = all.get(400);
        List<NodeSnapshot> others = new ArrayList<>(all);
        others.remove(late);
        send(others.subList(0, 380));
        live.follow(store, RUNS, at(0));
        send(others.subList(380, others.size()));
        live.take(others.subList(others.size() - 2, others.size()));
        assertEquals(4, compared(at(7200)));

        send(List.of(late));
        int left = compared(at(7200));
        assertTrue(left < 4, "node " + late.node() + " has told something that does not fit");
        live.follow(store, RUNS, at(7210));
        assertEquals(4, compared(at(7210)), "and then the store is asked once");
    }

    @Test
    @DisplayName("when one node lags behind the others, what a run had on all of them is left to the store")
    void lagging() throws Exception {
        List<NodeSnapshot> all = new Cluster(11).snapshots(-7200, 7200);
        send(all.subList(0, 380));
        live.follow(store, RUNS, at(0));
        List<NodeSnapshot> rest = all.subList(380, all.size());
        send(rest.stream().filter(one -> one.node().equals("node-a")).toList());
        send(rest.stream().filter(one -> !one.node().equals("node-a")).toList());
        assertEquals(3, compared(at(7200)), "all but the run on both nodes");
        live.follow(store, RUNS, at(7210));
        assertEquals(4, compared(at(7210)));
    }

    @Test
    @DisplayName("when a second node reports a run of one, its nodes are added up once the store was asked again")
    void onMore() throws Exception {
        List<NodeSnapshot> all = new Cluster(12).snapshots(0, 1200);
        send(all.subList(0, 40));
        live.follow(store, RUNS, at(600));
        assertEquals(4, compared(at(600)));
        List<NodeSnapshot> rest = new ArrayList<>(all.subList(40, all.size()));
        for (int second = 605; second < 1200; second += 30) {
            rest.add(Given.snapshot(
                    "node-c",
                    Given.BOOT,
                    50_000 + second,
                    at(second),
                    List.of(),
                    List.of(cgroup(1, second, 1 << 28, 3))));
        }
        rest.sort(java.util.Comparator.comparing(NodeSnapshot::at));
        send(rest);
        assertEquals(3, compared(at(1200)), "all but the run that is on a node which Slurm did not name");
        live.follow(store, RUNS, at(1210));
        live.follow(store, RUNS, at(1520));
        assertEquals(4, compared(at(1520)));
    }

    @Test
    @DisplayName("snapshots that come while the store is asked count once, whether it knew them or not")
    void meanwhile() throws Exception {
        Cluster cluster = new Cluster(8);
        List<NodeSnapshot> all = cluster.snapshots(-7200, 3600);
        send(all.subList(0, 600));
        List<NodeSnapshot> known = all.subList(600, 604);
        List<NodeSnapshot> fresh = all.subList(604, 610);
        store.append(known); // durable, and told only while the store is being asked
        live.follow(
                new Interrupted(store, () -> {
                            live.take(known);
                            send(fresh);
                        })
                        .store(),
                RUNS,
                at(1960));
        assertEquals(4, compared(at(1960)));
    }

    @Test
    @DisplayName("a run on a GPU that Slurm did not give it is left to the store")
    void notGiven() throws Exception {
        send(new Cluster(9).snapshots(0, 600));
        live.follow(store, RUNS, at(600));
        assertEquals(4, compared(at(600)));
        send(List.of(Given.snapshot("node-a", 99_999, at(640), gpu("GPU-a1", 0.5, 1, process(5, 1)))));
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        assertFalse(live.use(ONE, nodes, at(640)).isPresent());

        live = new LiveRuns(BUSY);
        live.follow(store, RUNS, at(700));
        assertFalse(live.use(ONE, nodes, at(700)).isPresent(), "after a start, too");
        assertTrue(live.use(WIDE, nodes, at(700)).isPresent());
    }

    @Test
    @DisplayName("a run that has ended, or whose GPUs Slurm names otherwise now, is left to the store")
    void changed() throws Exception {
        send(new Cluster(10).snapshots(0, 600));
        live.follow(store, List.of(ONE), at(600));
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        assertTrue(live.use(ONE, nodes, at(600)).isPresent());
        Run other = job(1).from(at(100))
                .on(allocated("node-a", 0, "GPU-a0"), allocated("node-a", 1, "GPU-a1"))
                .run();
        assertFalse(live.use(other, nodes, at(600)).isPresent());
        assertFalse(live.use(job(1).from(at(100)).until(at(590)).run(), nodes, at(600))
                .isPresent());
        live.follow(store, List.of(other), at(610));
        assertTrue(live.use(other, nodes, at(610)).isPresent());
        live.follow(store, List.of(), at(620));
        assertFalse(live.use(other, nodes, at(620)).isPresent());
    }

    @Test
    @DisplayName("of a node that is silent the hour goes on without readings")
    void silent() throws Exception {
        send(new Cluster(11).snapshots(0, 3000));
        live.follow(store, RUNS, at(3000));
        assertEquals(4, compared(at(6000)));
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        GpuUse hour = live.use(ONE, nodes, at(6000)).orElseThrow().lastHour().get(0);
        assertEquals(at(6000), hour.to());
        assertTrue(hour.coverage() < 0.3, "" + hour);
    }

    @Test
    @DisplayName(
            "over a run's life it draws what the store draws; of one that began before it was told, the store does")
    void course() throws Exception {
        List<NodeSnapshot> all = new Cluster(12).snapshots(0, 9000);
        send(all.subList(0, 6));
        live.follow(store, RUNS, at(120));
        for (int sent : new int[] {20, 100, 300, all.size()}) {
            List<NodeSnapshot> more = all.subList(sent == 20 ? 6 : sent == 100 ? 20 : sent == 300 ? 100 : 300, sent);
            send(more);
            Instant now = more.get(more.size() - 1).at();
            Map<String, NodeState> nodes =
                    store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
            RunUse use = live.use(ONE, nodes, now).orElseThrow();
            LiveRuns.RunCourse drawn = live.course(ONE, use.whole(), now, 60).orElseThrow();
            assertTrue(Duration.between(drawn.slots().from(), now)
                            .compareTo(drawn.slots().length().multipliedBy(60))
                    <= 0);
            List<GpuSeries.Point> points = drawn.gpus().get(0).points();
            List<GpuSeries.Point> expected =
                    store.gpuSeries(new RunSpan(ONE, ONE.key().start(), now), drawn.slots()).get(0).points().stream()
                            .filter(point -> point.utilizationMeanRatio().isPresent())
                            .toList();
            assertEquals(
                    expected.stream().map(GpuSeries.Point::from).toList(),
                    points.stream().map(GpuSeries.Point::from).toList());
            for (int i = 0; i < points.size(); i++) {
                assertEquals(
                        expected.get(i).utilizationMeanRatio().orElseThrow(),
                        points.get(i).utilizationMeanRatio().orElseThrow(),
                        0.03);
                assertEquals(
                        expected.get(i).utilizationMaxRatio().orElseThrow() > BUSY,
                        points.get(i).utilizationMaxRatio().orElseThrow() > BUSY);
            }
            assertTrue(drawn.slots().length().toSeconds() < 600);
        }
        assertFalse(live.course(WIDE, List.of(), at(9000), 60).isPresent(), "it began an hour before");
    }

    /** A store that lets something happen before it answers the last question of those who ask it for a run. */
    private record Interrupted(Store asked, Meanwhile meanwhile) {
        interface Meanwhile {
            void happens() throws StoreException;
        }

        Store store() {
            return (Store) java.lang.reflect.Proxy.newProxyInstance(
                    Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                        if (method.getName().equals("readings")) {
                            meanwhile.happens();
                        }
                        return method.invoke(asked, arguments);
                    });
        }
    }

    @Test
    @DisplayName(
            "the last hour begins at full ten minutes, four hours at a full half, and of nine minutes it tells nothing")
    void begins() {
        assertEquals(at(0), LiveRuns.hourBefore(at(3600)));
        assertEquals(at(0), LiveRuns.hourBefore(at(4199)));
        assertEquals(at(600), LiveRuns.hourBefore(at(4200)));
        assertEquals(Optional.of(at(600)), LiveRuns.begin(Duration.ofMinutes(30), at(2999)));
        assertEquals(Optional.of(at(0)), LiveRuns.begin(Duration.ofHours(4), at(4 * 3600 + 1799)));
        assertEquals(Optional.of(at(1800)), LiveRuns.begin(Duration.ofHours(4), at(4 * 3600 + 1800)));
        assertEquals(Optional.empty(), LiveRuns.begin(Duration.ofMinutes(9), at(3600)));
        assertEquals(Optional.empty(), LiveRuns.begin(Duration.ofHours(5), at(3600)));
    }
}
