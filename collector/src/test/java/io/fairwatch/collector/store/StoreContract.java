package io.fairwatch.collector.store;

import static io.fairwatch.collector.store.Given.BOOT;
import static io.fairwatch.collector.store.Given.NOON;
import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.cgroup;
import static io.fairwatch.collector.store.Given.device;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.process;
import static io.fairwatch.collector.store.Given.run;
import static io.fairwatch.collector.store.Given.silent;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.Given.stranger;
import static io.fairwatch.collector.store.Given.untranslated;
import static io.fairwatch.collector.store.Given.using;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.AgentState;
import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuProcess.Kind;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.MigInstance;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.UserUse;
import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Qos;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.run.SlurmUser;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What every store promises. */
abstract class StoreContract {
    private static final String A = "GPU-a";
    private static final String B = "GPU-b";

    private Path directory;
    private Store store;

    /** Opens the store that lies in a directory, or a fresh one. */
    abstract Store open(Path directory) throws StoreException;

    @BeforeEach
    void openStore(@TempDir Path temporary) throws StoreException {
        directory = temporary;
        store = open(directory);
    }

    @AfterEach
    void closeStore() throws StoreException {
        store.close();
    }

    private void reopen() throws StoreException {
        store.close();
        store = open(directory);
    }

    private int append(NodeSnapshot... snapshots) throws StoreException {
        return store.append(List.of(snapshots));
    }

    // ---- readings

    @Test
    @DisplayName("a fresh store knows nothing")
    void knowsNothing() throws StoreException {
        assertEquals(List.of(), store.nodes());
        assertEquals(List.of(), store.gpus());
        assertEquals(Optional.empty(), store.view());
        assertEquals(Optional.empty(), store.accountingUntil());
        assertEquals(List.of(), store.liveRuns());
        assertEquals(List.of(), store.gpuUse(List.of(), 0));
        assertEquals(List.of(), store.jobUse(List.of()));
        assertEquals(List.of(), store.newestReadings(List.of(), NOON));
        assertEquals(0, store.append(List.of()));
    }

    @Test
    @DisplayName("a reading comes back as it was sent, without its processes")
    void readingComesBack() throws StoreException {
        GpuReading sent = gpu(A, 0.94, 5211034311.2, process(40123, 83549));
        append(snapshot("node-a", 1, at(30), sent));
        GpuReading expected = new GpuReading(
                sent.device(),
                sent.utilization(),
                sent.memoryUtilization(),
                sent.memoryUsedBytes(),
                sent.memoryReservedBytes(),
                sent.powerWatts(),
                sent.powerLimitWatts(),
                sent.energyJoules(),
                sent.temperatureCelsius(),
                sent.smClockHertz(),
                Optional.empty(),
                Optional.empty());
        assertEquals(List.of(new GpuReadingAt("node-a", at(30), expected)), store.newestReadings(List.of(A), at(30)));
    }

    @Test
    @DisplayName("readings come back as they came, oldest first, each with whose processes it shows")
    void readingsAsTheyCame() throws StoreException {
        GpuReading first = gpu(A, 0.94, 10, process(40123, 83549), process(40124, 7, 4711, JobRef.Evidence.ENVIRON));
        GpuReading second = gpu(A, 0, 20);
        append(
                snapshot("node-a", 2, at(60), second, gpu(B, 0.1, 1)),
                snapshot("node-a", 1, at(30), first, silent(B)),
                snapshot("node-a", 3, at(90), gpu(A, 0, 30)));
        List<PastReading> past = new ArrayList<>();
        store.readings(List.of(A), at(0), at(60), past::add);
        assertEquals(List.of(at(30), at(60)), past.stream().map(PastReading::at).toList());
        assertEquals(Given.PERIOD, past.get(0).period());
        assertEquals(first.utilization(), past.get(0).reading().utilization());
        assertEquals(
                first.processes().orElseThrow().stream()
                        .map(process -> process.pid() + " " + process.uid() + " "
                                + process.job().orElseThrow().jobId() + " "
                                + process.job().orElseThrow().evidence())
                        .toList(),
                past.get(0).reading().processes().orElseThrow().stream()
                        .map(process -> process.pid() + " " + process.uid() + " "
                                + process.job().orElseThrow().jobId() + " "
                                + process.job().orElseThrow().evidence())
                        .toList());
        assertEquals(Optional.of(List.of()), past.get(1).reading().processes(), "nobody is not the same as not told");
        past.clear();
        store.readings(List.of(B), at(0), at(30), past::add);
        assertEquals(Optional.empty(), past.get(0).reading().processes());
        store.readings(List.of(), at(0), at(30), past::add);
        assertEquals(1, past.size());
    }

    @Test
    @DisplayName("what nodes read of a job's cgroup comes back as it came")
    void cgroupsAsTheyCame() throws StoreException {
        JobCgroup one = cgroup(1, 10, 1000, 3);
        append(
                snapshot("node-b", BOOT, 1, at(30), List.of(), List.of(one)),
                snapshot("node-a", BOOT, 1, at(20), List.of(), List.of(one, cgroup(2, 1, 1, 1))),
                snapshot("node-a", BOOT, 2, at(61), List.of(), List.of(one)));
        List<PastCgroup> past = new ArrayList<>();
        store.cgroups(List.of(1L), at(0), at(60), past::add);
        assertEquals(
                List.of(
                        new PastCgroup("node-a", at(20), Given.PERIOD, one),
                        new PastCgroup("node-b", at(30), Given.PERIOD, one)),
                past);
    }

    @Test
    @DisplayName("an absent reading comes back absent, not zero")
    void absentStaysAbsent() throws StoreException {
        append(snapshot("node-a", 1, at(30), silent(A)));
        assertEquals(List.of(new GpuReadingAt("node-a", at(30), silent(A))), store.newestReadings(List.of(A), at(60)));
        GpuUse use = store.gpuUse(List.of(new RunSpan(run(1, allocated("node-a", 0, A)), NOON, at(30))), 0)
                .get(0);
        assertEquals(1, use.samples());
        assertEquals(OptionalDouble.empty(), use.utilizationMeanRatio());
        assertEquals(OptionalDouble.empty(), use.utilizationMaxRatio());
        assertEquals(Optional.empty(), use.lastBusyAt());
        assertEquals(OptionalLong.empty(), use.memoryUsedMaxBytes());
        assertEquals(OptionalInt.empty(), use.processesMax());
        assertEquals(OptionalDouble.empty(), use.energyJoules());
    }

    @Test
    @DisplayName("a snapshot that comes twice is kept once: in one batch, in two, after a restart")
    void keptOnce() throws StoreException {
        NodeSnapshot first = snapshot("node-a", 1, at(30), gpu(A, 0.5, 0));
        assertEquals(1, append(first, first));
        assertEquals(0, append(first));
        reopen();
        assertEquals(0, append(first));
        assertEquals(2, append(first, snapshot("node-a", 2, at(60)), snapshot("node-b", 1, at(30))));
        assertEquals(1, append(snapshot("node-a", "another-boot", 1, at(90), List.of(), List.of())));
        assertEquals(
                1,
                store.gpuUse(List.of(new RunSpan(run(1, allocated("node-a", 0, A)), NOON, at(60))), 0)
                        .get(0)
                        .samples());
    }

    @Test
    @DisplayName("sequences with gaps are told apart, whatever order they come in")
    void gaps() throws StoreException {
        Random random = new Random(4711);
        List<Long> sequences = new ArrayList<>();
        for (long sequence = 1; sequence <= 60; sequence++) {
            if (sequence % 7 != 0) {
                sequences.add(sequence);
            }
        }
        sequences.add(Long.MAX_VALUE);
        sequences.add(Long.MAX_VALUE - 1);
        Collections.shuffle(sequences, random);
        for (long sequence : sequences) {
            assertEquals(
                    1, append(snapshot("node-a", sequence, at((double) (sequence % 1000)))), () -> "new: " + sequence);
        }
        reopen();
        for (long sequence : sequences) {
            assertEquals(
                    0,
                    append(snapshot("node-a", sequence, at((double) (sequence % 1000)))),
                    () -> "again: " + sequence);
        }
        assertEquals(1, append(snapshot("node-a", 7, at(7))));
        assertEquals(0, append(snapshot("node-a", 7, at(7))));
    }

    @Test
    @DisplayName("the order of appends does not matter")
    void orderDoesNotMatter() throws StoreException {
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int i = 1; i <= 12; i++) {
            snapshots.add(snapshot("node-a", i, at(30 * i), gpu(A, i / 20.0, 100.0 * i, process(i, 1))));
        }
        Collections.shuffle(snapshots, new Random(1));
        for (NodeSnapshot snapshot : snapshots) {
            append(snapshot);
        }
        NodeState node = store.nodes().get(0);
        assertEquals(at(30), node.firstAt());
        assertEquals(at(360), node.lastAt());
        assertEquals(at(360), store.gpus().get(0).lastAt());
        GpuUse use = store.gpuUse(List.of(new RunSpan(run(1, allocated("node-a", 0, A)), NOON, at(360))), 0.29)
                .get(0);
        assertEquals(12, use.samples());
        assertEquals(360, use.coveredSeconds());
        assertEquals(0.325, use.utilizationMeanRatio().orElseThrow(), 1e-9);
        assertEquals(OptionalDouble.of(1100), use.energyJoules());
        assertEquals(Optional.of(at(360)), use.lastBusyAt());
    }

    @Test
    @DisplayName("a node is what its newest snapshot says; a late one only moves its beginning")
    void newestSnapshotWins() throws StoreException {
        append(snapshot("node-a", 2, at(60), gpu(A, 0.5, 0)));
        append(snapshot("node-a", 1, at(30), silent(A)));
        assertEquals(List.of(new GpuSeen("node-a", device(A), at(60))), store.gpus());
        NodeState node = store.nodes().get(0);
        assertEquals(at(30), node.firstAt());
        assertEquals(at(60), node.lastAt());
        assertEquals(Optional.of("535.183.01"), node.driver());
        // a GPU that moved
        append(snapshot("node-b", 1, at(90), gpu(A, 0.5, 0)));
        assertEquals(List.of(new GpuSeen("node-b", device(A), at(90))), store.gpus());
    }

    @Test
    @DisplayName("some nodes are those that are known of them")
    void someNodes() throws StoreException {
        append(snapshot("node-a", 1, at(30)), snapshot("node-b", 1, at(60)), snapshot("node-c", 1, at(60)));
        assertEquals(
                List.of("node-a", "node-c"),
                store.nodes(List.of("node-c", "node-x", "node-a", "node-c")).stream()
                        .map(NodeState::node)
                        .toList());
        assertEquals(List.of(), store.nodes(List.of()));
    }

    @Test
    @DisplayName("everything that a node says of itself comes back")
    void nodeComesBack() throws StoreException {
        ScratchUse raid = new ScratchUse(
                "/raid",
                30_000,
                20_000,
                10_000,
                OptionalLong.empty(),
                OptionalLong.empty(),
                Optional.of(new ScratchUse.Directories(
                        "walk",
                        at(-60),
                        List.of(new ScratchUse.DirectoryUse(
                                "o'neil \"x\" \uD83D\uDE00",
                                OptionalInt.of(5),
                                Optional.empty(),
                                ScratchUse.Owner.GONE,
                                7,
                                8,
                                Optional.of(at(-5)),
                                Optional.empty())),
                        0)),
                Optional.empty());
        ScratchUse uncounted = new ScratchUse(
                "/scratch", 1, 1, 0, OptionalLong.of(5), OptionalLong.of(0), Optional.empty(), Optional.empty());
        Map<String, ProbeOutcome> probes = Map.of(
                "nvml",
                new ProbeOutcome.Failed("the driver's 'answer' did not come", Duration.ofSeconds(5)),
                "scratch",
                new ProbeOutcome.Nothing("none configured"));
        NodeSnapshot sent = new NodeSnapshot(
                1,
                "node-a",
                BOOT,
                1,
                at(30),
                Duration.ofSeconds(5),
                new AgentState("0.1.0", NOON, 3, OptionalDouble.empty(), OptionalLong.of(5)),
                probes,
                Optional.empty(),
                Optional.empty(),
                List.of(),
                List.of(),
                List.of(new UserUse(
                        5,
                        Optional.empty(),
                        1,
                        0,
                        OptionalDouble.empty(),
                        9,
                        OptionalDouble.empty(),
                        0,
                        OptionalLong.empty())),
                List.of(raid, uncounted));
        append(sent);
        reopen();
        assertEquals(
                List.of(new NodeState(
                        "node-a",
                        at(30),
                        at(30),
                        Duration.ofSeconds(5),
                        "0.1.0",
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        probes,
                        List.of(new UserUse(
                                5,
                                Optional.empty(),
                                1,
                                0,
                                OptionalDouble.empty(),
                                9,
                                OptionalDouble.empty(),
                                0,
                                OptionalLong.empty())),
                        List.of(raid, uncounted))),
                store.nodes());
    }

    @Test
    @DisplayName("a scratch mount keeps its newest count while snapshots come without one, whatever their order")
    void scratchCountsStay() throws StoreException {
        ScratchUse counted = scratch("/raid", 100, Optional.of(at(10)), Optional.of(at(20)));
        ScratchUse users = scratch("/raid", 200, Optional.empty(), Optional.of(at(50)));
        ScratchUse plain = scratch("/raid", 300, Optional.empty(), Optional.empty());
        List<ScratchUse> expected = List.of(
                scratch("/raid", 300, Optional.of(at(10)), Optional.of(at(50))),
                scratch("/other", 1, Optional.empty(), Optional.empty()));
        for (String order : List.of("012", "021", "102", "120", "201", "210")) {
            for (boolean together : List.of(true, false)) {
                String node = "node-" + order + together;
                List<NodeSnapshot> snapshots = List.of(
                        withScratch(node, 1, at(30), counted),
                        withScratch(node, 2, at(60), users),
                        withScratch(node, 3, at(90), plain, scratch("/other", 1, Optional.empty(), Optional.empty())));
                List<NodeSnapshot> ordered =
                        order.chars().mapToObj(c -> snapshots.get(c - '0')).toList();
                if (together) {
                    store.append(ordered);
                } else {
                    for (NodeSnapshot snapshot : ordered) {
                        append(snapshot);
                    }
                }
            }
        }
        reopen();
        assertEquals(12, store.nodes().size());
        store.nodes().forEach(node -> assertEquals(expected, node.scratch(), node.node()));
    }

    @Test
    @DisplayName("a count that is sent again replaces the one before; a mount that is gone is gone")
    void scratchCountsMoveOn() throws StoreException {
        append(withScratch("node-a", 1, at(30), scratch("/raid", 100, Optional.of(at(10)), Optional.of(at(20)))));
        ScratchUse again = scratch("/raid", 100, Optional.of(at(40)), Optional.of(at(40)));
        append(withScratch("node-a", 2, at(60), again));
        assertEquals(List.of(again), store.nodes().get(0).scratch());
        append(withScratch("node-a", 3, at(90)));
        assertEquals(List.of(), store.nodes().get(0).scratch());
    }

    private static ScratchUse scratch(
            String mount, long usedBytes, Optional<Instant> directoriesAt, Optional<Instant> usersAt) {
        return new ScratchUse(
                mount,
                1000,
                usedBytes,
                500,
                OptionalLong.empty(),
                OptionalLong.empty(),
                directoriesAt.map(when -> new ScratchUse.Directories("walk", when, List.of(), 0)),
                usersAt.map(when -> new ScratchUse.Users("quota", when, List.of())));
    }

    private static NodeSnapshot withScratch(String node, long sequence, Instant at, ScratchUse... scratch) {
        NodeSnapshot plain = snapshot(node, sequence, at);
        return new NodeSnapshot(
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
                List.of(scratch));
    }

    @Test
    @DisplayName("the newest reading is the newest at or before the asked instant, however old")
    void newestReading() throws StoreException {
        append(
                snapshot("node-a", 1, at(-100_000), gpu(B, 0.1, 0)),
                snapshot("node-a", 2, at(30), gpu(A, 0.2, 0)),
                snapshot("node-a", 3, at(60), gpu(A, 0.3, 0)),
                snapshot("node-a", 4, at(90), gpu(A, 0.4, 0)));
        List<GpuReadingAt> newest = store.newestReadings(List.of(A, B, "GPU-unknown", A), at(60));
        assertEquals(
                Map.of(A, at(60), B, at(-100_000)),
                Map.of(
                        newest.get(0).reading().device().uuid(),
                        newest.get(0).at(),
                        newest.get(1).reading().device().uuid(),
                        newest.get(1).at()));
        assertEquals(2, newest.size());
    }

    @Test
    @DisplayName("which job was seen on which GPU, by the half-open interval")
    void jobsOnGpus() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0, 0, process(1, 7), process(2, 7)), gpu(B, 0, 0, process(3, 8))),
                snapshot("node-a", 2, at(60), gpu(A, 0, 0, process(1, 7))),
                snapshot("node-a", 3, at(90), gpu(A, 0, 0, process(1, 7))));
        assertEquals(
                List.of(new JobOnGpu(7, "node-a", A, at(30), at(60)), new JobOnGpu(8, "node-a", B, at(30), at(30))),
                store.jobsOnGpus(at(30), at(90)));
    }

    // ---- allocated and used

    private GpuUse use(Run run, Instant from, Instant to) throws StoreException {
        List<GpuUse> uses = store.gpuUse(List.of(new RunSpan(run, from, to)), 0.05);
        assertEquals(1, uses.size());
        GpuUse without =
                store.gpuUse(List.of(new RunSpan(run, from, to)), 0.05, false).get(0);
        assertEquals(
                List.of(
                        uses.get(0).samples(),
                        uses.get(0).busySeconds(),
                        uses.get(0).memoryUsedMaxBytes()),
                List.of(without.samples(), without.busySeconds(), without.memoryUsedMaxBytes()),
                "without energy all else is the same");
        assertTrue(without.energyJoules().isEmpty()
                || without.energyJoules().equals(uses.get(0).energyJoules()));
        return uses.get(0);
    }

    @Test
    @DisplayName("a period counts as far as it lies in the interval")
    void clipped() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 1.0, 0)),
                snapshot("node-a", 2, at(60), gpu(A, 0.0, 0)),
                snapshot("node-a", 3, at(90), gpu(A, 0.5, 0)));
        // 10 s of the first, 30 s of the second, 20 s of the third
        GpuUse use = use(run(1, allocated("node-a", 0, A)), at(20), at(80));
        assertEquals(3, use.samples());
        assertEquals(60, use.coveredSeconds());
        assertEquals(1, use.coverage());
        assertEquals(
                (10 * 1.0 + 30 * 0.0 + 20 * 0.5) / 60,
                use.utilizationMeanRatio().orElseThrow(),
                1e-9);
        assertEquals(OptionalDouble.of(1), use.utilizationMaxRatio());
        assertEquals(Optional.of(at(80)), use.lastBusyAt(), "clipped to the end of the interval");
        // the third alone, whose end lies outside: how busy is known, what lay in memory at its end is not this run's
        GpuUse short1 = use(run(1, allocated("node-a", 0, A)), at(60), at(80));
        assertEquals(1, short1.samples());
        assertEquals(OptionalLong.empty(), short1.memoryUsedMaxBytes());
    }

    @Test
    @DisplayName("overlapping periods never cover more than the interval")
    void overlapping() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0.5, 0)),
                snapshot("node-a", "boot-2", 1, at(30), List.of(gpu(A, 0.5, 0)), List.of()),
                snapshot("node-a", 2, at(40), gpu(A, 0.5, 0)));
        GpuUse use = use(run(1, allocated("node-a", 0, A)), NOON, at(40));
        assertEquals(40, use.coveredSeconds());
        assertEquals(0.5, use.utilizationMeanRatio().orElseThrow(), 1e-9);
    }

    @Test
    @DisplayName("the mean is weighted over readings that have a utilization; the others only cover")
    void meanOverKnown() throws StoreException {
        append(snapshot("node-a", 1, at(30), gpu(A, 0.5, 0)), snapshot("node-a", 2, at(60), silent(A)));
        GpuUse use = use(run(1, allocated("node-a", 0, A)), NOON, at(120));
        assertEquals(OptionalDouble.of(0.5), use.utilizationMeanRatio());
        assertEquals(60, use.coveredSeconds());
        assertEquals(0.5, use.coverage());
        assertEquals(2, use.samples());
    }

    @Test
    @DisplayName("busy is above the threshold, not at it")
    void busyAbove() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0.06, 0)),
                snapshot("node-a", 2, at(60), gpu(A, 0.05, 0)),
                snapshot("node-a", 3, at(90), gpu(A, 0, 0)));
        assertEquals(
                Optional.of(at(30)),
                use(run(1, allocated("node-a", 0, A)), NOON, at(90)).lastBusyAt());
        assertEquals(
                Optional.empty(),
                use(run(1, allocated("node-a", 0, A)), at(30), at(90)).lastBusyAt());
    }

    @Test
    @DisplayName("no process of the job on its GPU is zero when the list was told, absent when it never was")
    void processes() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0.5, 0, process(1, 1), process(2, 1), process(3, 99))),
                snapshot("node-a", 2, at(60), gpu(A, 0.5, 0, process(1, 1))));
        Run mine = run(1, allocated("node-a", 0, A));
        assertEquals(OptionalInt.of(2), use(mine, NOON, at(60)).processesMax());
        assertEquals(OptionalInt.of(1), use(mine, at(30), at(60)).processesMax());
        assertEquals(
                OptionalInt.of(0),
                use(run(2, allocated("node-a", 0, A)), NOON, at(60)).processesMax());
        append(snapshot("node-a", 3, at(90), silent(B)));
        assertEquals(
                OptionalInt.empty(),
                use(run(2, allocated("node-a", 1, B)), NOON, at(90)).processesMax());
    }

    @Test
    @DisplayName("a process that names a job by its environment alone counts only if it is the owner's")
    void environment() throws StoreException {
        append(snapshot(
                "node-a",
                1,
                at(30),
                gpu(A, 0.5, 0, process(1, 1, 666, JobRef.Evidence.ENVIRON)),
                gpu(B, 0.5, 0, process(2, 1, 21001, JobRef.Evidence.ENVIRON))));
        List<GpuUse> uses = store.gpuUse(List.of(new RunSpan(run(1), NOON, at(30))), 0);
        assertEquals(1, uses.size());
        assertEquals(B, uses.get(0).device().orElseThrow().uuid());
    }

    @Test
    @DisplayName("energy is what the counter rose, from zero again where it fell")
    void energy() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0, 1000)),
                snapshot("node-a", 2, at(60), gpu(A, 0, 1600)),
                snapshot("node-a", 3, at(90), silent(A)),
                snapshot("node-a", 4, at(120), gpu(A, 0, 1700)),
                snapshot("node-a", 5, at(150), gpu(A, 0, 10)),
                snapshot("node-a", 6, at(180), gpu(A, 0, 60)));
        Run run = run(1, allocated("node-a", 0, A));
        assertEquals(OptionalDouble.of(600 + 100 + 50), use(run, NOON, at(180)).energyJoules());
        assertEquals(OptionalDouble.empty(), use(run, NOON, at(59)).energyJoules(), "one reading is no difference");
    }

    @Test
    @DisplayName("a GPU that was given but never seen, and one whose device is not known, are there without readings")
    void unseen() throws StoreException {
        Run run = run(1, allocated("node-a", 0, "GPU-never-seen"), untranslated("node-a", 1));
        List<GpuUse> uses = store.gpuUse(List.of(new RunSpan(run, NOON, at(60))), 0);
        assertEquals(2, uses.size());
        for (int i = 0; i < 2; i++) {
            GpuUse use = uses.get(i);
            assertEquals(Optional.of(run.gpus().get(i)), use.allocated());
            assertEquals("node-a", use.node());
            assertEquals(Optional.empty(), use.device());
            assertEquals(0, use.samples());
            assertEquals(0, use.coverage());
            assertEquals(OptionalInt.empty(), use.processesMax());
        }
    }

    @Test
    @DisplayName("a GPU that a job uses without having been given it is there, with its device")
    void unallocated() throws StoreException {
        append(snapshot("node-a", 1, at(30), gpu(A, 0.9, 0), gpu(B, 0.9, 0, process(1, 1))));
        List<GpuUse> uses = store.gpuUse(List.of(new RunSpan(run(1, allocated("node-a", 0, A)), NOON, at(30))), 0);
        assertEquals(2, uses.size());
        assertEquals(OptionalInt.of(0), uses.get(0).processesMax());
        assertEquals(Optional.empty(), uses.get(1).allocated());
        assertEquals(Optional.of(device(B)), uses.get(1).device());
        assertEquals("node-a", uses.get(1).node());
        assertEquals(OptionalInt.of(1), uses.get(1).processesMax());
        assertEquals(OptionalDouble.of(0.9), uses.get(1).utilizationMeanRatio());
    }

    private GpuUse.Share share(long job, Instant to) throws StoreException {
        return store.gpuUse(List.of(new RunSpan(run(job), NOON, to)), 0)
                .get(0)
                .share()
                .orElseThrow();
    }

    private void assertShare(GpuUse.Share expected, long job, Instant to) throws StoreException {
        GpuUse.Share share = share(job, to);
        assertEquals(
                expected.utilizationMeanRatio().orElseThrow(),
                share.utilizationMeanRatio().orElseThrow(),
                1e-9);
        assertEquals(
                expected,
                new GpuUse.Share(
                        share.sharedSeconds(),
                        share.gpuSeconds(),
                        expected.utilizationMeanRatio(),
                        share.utilizationEstimated(),
                        share.memoryUsedMaxBytes(),
                        share.memoryEstimated()));
    }

    @Test
    @DisplayName("a GPU that several jobs use is split by their processes where the driver tells of each")
    void sharedTold() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0.8, 0, using(1, 1, 0.5, 300), using(2, 1, 0.1, 50))),
                snapshot(
                        "node-a",
                        2,
                        at(60),
                        gpu(A, 0.9, 0, using(1, 1, 0.5, 300), using(2, 1, 0.1, 100), using(3, 2, 0.3, 70))),
                snapshot("node-a", 3, at(90), gpu(A, 0.4, 0, using(3, 2, 0.4, 60))));
        assertShare(new GpuUse.Share(30, 45, OptionalDouble.of(0.7), false, OptionalLong.of(400), false), 1, at(90));
        assertShare(new GpuUse.Share(30, 45, OptionalDouble.of(0.35), false, OptionalLong.of(70), false), 2, at(90));
        GpuUse whole =
                store.gpuUse(List.of(new RunSpan(run(1), NOON, at(90))), 0).get(0);
        assertEquals(60, whole.coveredSeconds(), "all else is the GPU's");
        assertEquals(0.85, whole.utilizationMeanRatio().orElseThrow(), 1e-9);
        assertEquals(45, whole.gpuSeconds());
    }

    @Test
    @DisplayName("where the driver does not tell of each process, a GPU is divided by the jobs on it, and that is said")
    void sharedEstimated() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0.9, 0, using(1, 1, 0.2, -1), using(3, 2, 0.6, 70))),
                snapshot(
                        "node-a",
                        2,
                        at(60),
                        gpu(
                                A,
                                0.9,
                                0,
                                using(1, 1, 0.2, -1),
                                using(2, 1, -1, -1),
                                using(3, 2, 0.6, 70),
                                using(4, 3, -1, 7))));
        GpuUse.Share one = share(1, at(60));
        assertEquals((0.2 + 0.9 / 3) / 2, one.utilizationMeanRatio().orElseThrow(), 1e-9);
        assertTrue(one.utilizationEstimated());
        assertEquals(OptionalLong.of((1L << 30) / 2), one.memoryUsedMaxBytes());
        assertTrue(one.memoryEstimated());
        GpuUse.Share two = share(2, at(60));
        assertEquals(0.6, two.utilizationMeanRatio().orElseThrow(), 1e-9);
        assertFalse(two.utilizationEstimated());
        assertFalse(two.memoryEstimated());
        assertEquals(60, one.gpuSeconds() + two.gpuSeconds() + share(3, at(60)).gpuSeconds(), 0.01, "all there was");
    }

    @Test
    @DisplayName("whoever is on a GPU without a job has no part of its time, but one's own part is no more all of it")
    void sharedWithStranger() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0.9, 0, using(1, 1, 0.2, 9), stranger(2, Kind.COMPUTE))),
                snapshot("node-a", 2, at(60), gpu(A, 0.9, 0, using(1, 1, -1, 9), stranger(2, Kind.COMPUTE))),
                snapshot("node-a", 3, at(90), gpu(A, 0.9, 0, using(1, 1, 0.2, 9), stranger(2, Kind.GRAPHICS))));
        GpuUse.Share share = share(1, at(90));
        assertEquals(60, share.sharedSeconds(), "a screen is nobody");
        assertEquals(90, share.gpuSeconds());
        assertEquals((0.2 + 0.9 + 0.9) / 3, share.utilizationMeanRatio().orElseThrow(), 1e-9);
        assertTrue(share.utilizationEstimated());
        assertEquals(OptionalLong.of(9), share.memoryUsedMaxBytes());
    }

    @Test
    @DisplayName("a period counts no hour of a shared GPU for two jobs, whether they are summed up already or not")
    void sharedInPeriod() throws StoreException {
        Run one = run(1, NOON, Optional.of(at(60)));
        Run two = run(2, NOON, Optional.of(at(60)));
        store.saveRuns(List.of(one, two));
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0.9, 0, process(1, 1), process(2, 2))),
                snapshot("node-a", 2, at(60), gpu(A, 0.9, 0, process(1, 1), process(2, 2))));
        for (boolean summed : List.of(false, true)) {
            if (summed) {
                List<RunSummary> summaries = new ArrayList<>();
                for (Run run : List.of(one, two)) {
                    summaries.add(new RunSummary(
                            run.key(),
                            at(60),
                            at(61),
                            0,
                            store.gpuUse(List.of(new RunSpan(run, NOON, at(60))), 0),
                            Optional.empty()));
                }
                store.saveSummaries(summaries);
            }
            PeriodFacts facts = store.period(new PeriodQuestion(
                    at(-600),
                    at(600),
                    0,
                    List.of(),
                    node -> "",
                    account -> "",
                    Optional.empty(),
                    Optional.empty(),
                    words -> {}));
            assertEquals(
                    60_000,
                    facts.groups().stream()
                            .mapToLong(group -> group.sums().use().outsideMs())
                            .sum(),
                    summed ? "by summaries" : "by readings");
        }
    }

    @Test
    @DisplayName("one that nobody else uses at the same time, and one that Slurm gave, are not called shared")
    void notShared() throws StoreException {
        append(
                snapshot(
                        "node-a",
                        1,
                        at(30),
                        gpu(A, 0.9, 0, process(1, 1)),
                        gpu(B, 0.9, 0, process(3, 2), process(4, 3))),
                snapshot("node-a", 2, at(60), gpu(A, 0.9, 0, process(2, 2))));
        assertEquals(
                List.of(Optional.empty()),
                store.gpuUse(List.of(new RunSpan(run(1), NOON, at(60))), 0).stream()
                        .map(GpuUse::share)
                        .toList());
        assertEquals(
                Optional.empty(),
                use(run(2, allocated("node-a", 1, B)), NOON, at(30)).share());
    }

    @Test
    @DisplayName("two runs of one requeued job keep their own time, and two jobs on one GPU both have it")
    void runsDoNotMerge() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 1.0, 0, process(1, 1))),
                snapshot("node-a", 2, at(60), gpu(A, 0.5, 0, process(5, 1), process(6, 1), process(7, 2))),
                snapshot("node-a", 3, at(90), gpu(A, 0.0, 0)));
        Run before = run(1, NOON, Optional.of(at(30)), allocated("node-a", 0, A));
        Run after = run(1, at(30), Optional.empty(), allocated("node-a", 0, A));
        Run sharing = run(2, at(30), Optional.empty(), allocated("node-a", 0, A));
        List<GpuUse> uses = store.gpuUse(
                List.of(
                        new RunSpan(before, NOON, at(30)),
                        new RunSpan(after, at(30), at(90)),
                        new RunSpan(sharing, at(30), at(90))),
                0);
        assertEquals(
                List.of(before.key(), after.key(), sharing.key()),
                uses.stream().map(GpuUse::run).toList());
        assertEquals(
                List.of(1.0, 0.25, 0.25),
                uses.stream()
                        .map(use -> use.utilizationMeanRatio().orElseThrow())
                        .toList());
        assertEquals(
                List.of(1, 2, 1),
                uses.stream().map(use -> use.processesMax().orElseThrow()).toList());
    }

    @Test
    @DisplayName("CPU and memory of a job are summed over its nodes; a job that was not seen is left out")
    void jobUse() throws StoreException {
        append(
                snapshot("node-a", BOOT, 1, at(30), List.of(), List.of(cgroup(1, 100, 1000, 3))),
                snapshot("node-a", BOOT, 2, at(60), List.of(), List.of(cgroup(1, 130, 3000, 2))),
                snapshot("node-b", BOOT, 1, at(40), List.of(), List.of(cgroup(1, 50, 500, 1))),
                snapshot("node-b", BOOT, 2, at(70), List.of(), List.of(cgroup(1, 51, 400, 1), cgroup(9, 1, 1, 1))));
        assertEquals(
                List.of(new JobUse(
                        run(1).key(),
                        2,
                        OptionalDouble.of(31),
                        OptionalLong.of(3400),
                        OptionalInt.of(4),
                        List.of(
                                onNode("node-a", 2, OptionalDouble.of(30), 3000, 3),
                                onNode("node-b", 2, OptionalDouble.of(1), 500, 1)))),
                store.jobUse(List.of(new RunSpan(run(1), NOON, at(70)), new RunSpan(run(2), NOON, at(70)))));
        assertEquals(
                List.of(new JobUse(
                        run(1).key(),
                        1,
                        OptionalDouble.empty(),
                        OptionalLong.of(1000),
                        OptionalInt.of(3),
                        List.of(onNode("node-a", 1, OptionalDouble.empty(), 1000, 3)))),
                store.jobUse(List.of(new RunSpan(run(1), NOON, at(30)))));
    }

    private static JobUse.OnNode onNode(
            String node, int samples, OptionalDouble cpuSeconds, long memoryUsedMaxBytes, int processesMax) {
        return new JobUse.OnNode(
                node,
                samples,
                cpuSeconds,
                OptionalLong.of(memoryUsedMaxBytes),
                OptionalLong.empty(),
                OptionalInt.of(processesMax),
                JobUse.Counters.NOT_KNOWN);
    }

    @Test
    @DisplayName("what a job's cgroup counts is told as it stood last, of each node, and killed processes of all")
    void jobCounters() throws StoreException {
        append(
                snapshot("node-a", BOOT, 1, at(30), List.of(), List.of(detailed(1, 0, 5))),
                snapshot("node-a", BOOT, 2, at(60), List.of(), List.of(detailed(1, 2, 7))),
                snapshot("node-b", BOOT, 1, at(60), List.of(), List.of(detailed(1, 1, 1))),
                snapshot("node-b", BOOT, 2, at(90), List.of(), List.of(detailed(1, 9, 9))));
        JobUse use = store.jobUse(List.of(new RunSpan(run(1), NOON, at(60)))).get(0);
        assertEquals(OptionalLong.of(3), use.oomKills());
        assertEquals(
                new JobUse.Counters(
                        OptionalInt.of(8),
                        OptionalDouble.of(1.5),
                        OptionalLong.of(7),
                        OptionalLong.of(2),
                        OptionalLong.of(3),
                        OptionalLong.of(1000),
                        OptionalLong.of(2000),
                        OptionalDouble.of(4),
                        OptionalDouble.of(5),
                        OptionalDouble.of(6)),
                use.nodes().get(0).counters());
    }

    private static JobCgroup detailed(long jobId, long oomKills, long swap) {
        JobCgroup plain = cgroup(jobId, 1, 1, 1);
        return new JobCgroup(
                plain.jobId(),
                plain.sluid(),
                plain.uid(),
                plain.processes(),
                plain.cpuSeconds(),
                plain.memoryUsedBytes(),
                plain.memoryCurrentBytes(),
                plain.memoryPeakBytes(),
                plain.memoryLimitBytes(),
                Optional.of(new JobDetail(
                        OptionalInt.of(8),
                        OptionalInt.of(16),
                        OptionalDouble.empty(),
                        OptionalDouble.of(1.5),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.of(swap),
                        OptionalLong.of(oomKills),
                        OptionalLong.of(3),
                        OptionalLong.of(1000),
                        OptionalLong.of(2000),
                        OptionalDouble.of(4),
                        OptionalDouble.of(5),
                        OptionalDouble.of(6),
                        Optional.of(List.of(0, 3)))));
    }

    @Test
    @DisplayName("what a GPU tells beyond that comes back, and is averaged over a run")
    void work() throws StoreException {
        GpuReading first = withDetail(gpu(A, 0.5, 1000), detail(0.5, List.of(79, 48)));
        GpuReading second = withDetail(gpu(A, 0, 1300), detail(0.25, List.of()));
        append(snapshot("node-a", 1, at(30), first), snapshot("node-a", 2, at(60), second));
        assertEquals(
                second.detail(),
                store.newestReadings(List.of(A), at(60)).get(0).reading().detail());
        GpuUse.Work work = use(run(1, allocated("node-a", 0, A)), NOON, at(60)).work();
        assertEquals(OptionalInt.of(2), work.xids());
        assertEquals(OptionalDouble.of(0.375), work.activity().tensorMeanRatio());
        assertEquals(OptionalDouble.empty(), work.activity().graphicsMeanRatio());
        assertEquals(301.4, work.powerMeanWatts().orElseThrow(), 1e-9);
        assertEquals(OptionalDouble.of(301.4), work.powerMaxWatts());
        assertEquals(OptionalDouble.of(61), work.temperatureMaxCelsius());
        assertEquals(OptionalLong.of(1L << 30), work.memoryUsedMeanBytes());
        assertEquals(OptionalDouble.of(300), work.idleEnergyJoules(), "the second period was not busy");
    }

    private static GpuReading withDetail(GpuReading plain, GpuDetail detail) {
        return new GpuReading(
                plain.device(),
                plain.utilization(),
                plain.memoryUtilization(),
                plain.memoryUsedBytes(),
                plain.memoryReservedBytes(),
                plain.powerWatts(),
                plain.powerLimitWatts(),
                plain.energyJoules(),
                plain.temperatureCelsius(),
                plain.smClockHertz(),
                plain.processes(),
                Optional.of(detail));
    }

    /** Only what the store keeps. */
    private static GpuDetail detail(double tensorRatio, List<Integer> xids) {
        return new GpuDetail(
                OptionalDouble.of(55),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                Optional.of(List.of("sw_power_cap", "gpu_idle")),
                Optional.of(new GpuDetail.Activity(
                        OptionalDouble.empty(),
                        OptionalDouble.of(0.9),
                        OptionalDouble.of(0.4),
                        OptionalDouble.of(tensorRatio),
                        OptionalDouble.of(0.2),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty())),
                Optional.of(new GpuDetail.Traffic(
                        OptionalDouble.of(1e9),
                        OptionalDouble.of(2e9),
                        OptionalDouble.empty(),
                        OptionalDouble.empty())),
                Optional.of(new GpuDetail.Health(
                        OptionalLong.of(1),
                        OptionalLong.of(0),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.of(4),
                        Optional.of(false),
                        OptionalLong.empty(),
                        Optional.of(xids),
                        OptionalInt.of(79))));
    }

    @Test
    @DisplayName("a MIG instance comes back with the GPU that it is a slice of")
    void slice() throws StoreException {
        GpuDevice slice = new GpuDevice(
                "MIG-1",
                0,
                OptionalInt.empty(),
                Optional.empty(),
                "A100 MIG 1g.5gb",
                OptionalLong.empty(),
                Optional.of(new MigInstance(A, 7, 0, OptionalInt.of(14), Optional.of("1g.5gb"))));
        GpuReading plain = silent("MIG-1");
        append(snapshot(
                "node-a",
                1,
                at(30),
                new GpuReading(
                        slice,
                        plain.utilization(),
                        plain.memoryUtilization(),
                        plain.memoryUsedBytes(),
                        plain.memoryReservedBytes(),
                        plain.powerWatts(),
                        plain.powerLimitWatts(),
                        plain.energyJoules(),
                        plain.temperatureCelsius(),
                        plain.smClockHertz(),
                        plain.processes(),
                        plain.detail())));
        assertEquals(List.of(new GpuSeen("node-a", slice, at(30))), store.gpus());
    }

    // ---- slot by slot

    @Test
    @DisplayName("a run's GPUs slot by slot: means and largest values, no point where nothing was read")
    void gpuSeries() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0.2, 0)),
                snapshot("node-a", 2, at(60), gpu(A, 0.4, 0)),
                snapshot("node-a", 3, at(90), silent(A)),
                snapshot("node-a", 5, at(150), gpu(A, 0.9, 0), gpu(B, 0.8, 0, process(1, 1))),
                snapshot("node-a", 6, at(180), gpu(A, 1.0, 0), gpu(B, 1.0, 0, process(1, 2))));
        Run run = run(1, NOON, Optional.of(at(150)), allocated("node-a", 0, A), untranslated("node-a", 1));
        Slots slots = new Slots(NOON, at(240), Duration.ofSeconds(60));
        List<GpuSeries> series = store.gpuSeries(new RunSpan(run, NOON, at(150)), slots);
        assertEquals(3, series.size());
        GpuSeries mine = series.get(0);
        assertEquals(run.gpus().get(0), mine.allocated().orElseThrow());
        assertEquals(
                List.of(at(0), at(60), at(120)),
                mine.points().stream().map(GpuSeries.Point::from).toList());
        GpuSeries.Point first = mine.points().get(0);
        assertEquals(2, first.samples());
        assertEquals(60, first.coveredSeconds());
        assertEquals(0.3, first.utilizationMeanRatio().orElseThrow(), 1e-9);
        assertEquals(OptionalDouble.of(0.4), first.utilizationMaxRatio());
        assertEquals(OptionalLong.of(1L << 30), first.memoryUsedMaxBytes());
        assertEquals(301.4, first.powerMeanWatts().orElseThrow(), 1e-9);
        assertEquals(OptionalDouble.empty(), mine.points().get(1).utilizationMeanRatio());
        assertEquals(OptionalLong.empty(), mine.points().get(1).memoryUsedMeanBytes());
        assertEquals(
                new GpuSeries("node-a", Optional.of(run.gpus().get(1)), Optional.empty(), List.of()), series.get(1));
        assertEquals(Optional.empty(), series.get(2).allocated());
        assertEquals(Optional.of(device(B)), series.get(2).device());
        assertEquals(
                List.of(at(120)),
                series.get(2).points().stream().map(GpuSeries.Point::from).toList());

        List<GpuSeries> both = store.gpuSeries(List.of(B, A, "GPU-unknown"), slots);
        assertEquals(
                List.of(device(A).uuid(), B),
                both.stream().map(one -> one.device().orElseThrow().uuid()).toList());
        assertEquals(2, both.get(0).points().get(2).samples(), "whoever had it");
        assertEquals(List.of(), store.gpuSeries(List.of(), slots));
    }

    @Test
    @DisplayName("how busy the GPUs of several runs were, each cut by itself, is what each run's series say")
    void gpuMeans() throws StoreException {
        append(
                snapshot("node-a", 1, at(30), gpu(A, 0.2, 0)),
                snapshot("node-a", 2, at(60), gpu(A, 0.4, 0)),
                snapshot("node-a", 3, at(90), silent(A)),
                snapshot("node-a", 5, at(150), gpu(A, 0.9, 0), gpu(B, 0.8, 0, process(1, 1))),
                snapshot("node-a", 6, at(180), gpu(A, 1.0, 0), gpu(B, 0.6, 0)));
        Run run = run(1, NOON, Optional.of(at(150)), allocated("node-a", 0, A), untranslated("node-a", 1));
        Run other = run(2, at(60), Optional.empty(), allocated("node-a", 0, A), allocated("node-a", 1, B));
        RunSpan whole = new RunSpan(run, NOON, at(150));
        RunSpan part = new RunSpan(run, at(30), at(90));
        RunSpan others = new RunSpan(other, at(60), at(180));
        OptionalDouble none = OptionalDouble.empty();
        assertEquals(
                Map.of(
                        whole, // three times 50 s
                        Map.of(A, List.of(OptionalDouble.of(0.2), OptionalDouble.of(0.4), OptionalDouble.of(0.9))),
                        part, // three times 20 s; what ended when it began is not of it
                        Map.of(A, List.of(none, OptionalDouble.of(0.4), none)),
                        others, // three times 40 s; at 90 s nothing was measured
                        Map.of(
                                A, List.of(none, none, OptionalDouble.of(0.95)),
                                B, List.of(none, none, OptionalDouble.of(0.7)))),
                store.gpuMeans(Stream.of(whole, part, others)
                        .collect(Collectors.toMap(span -> span, span -> Slots.atMost(span.from(), span.to(), 3)))));
        assertEquals(Map.of(), store.gpuMeans(Map.of()));
        RunSpan without = new RunSpan(run(3, NOON, Optional.empty()), NOON, at(60));
        assertEquals(Map.of(without, Map.of()), store.gpuMeans(Map.of(without, Slots.atMost(NOON, at(60), 3))));
    }

    @Test
    @DisplayName("a job's CPU and memory slot by slot on each node; what counts before the first reading is not known")
    void jobSeries() throws StoreException {
        append(
                snapshot("node-a", BOOT, 1, at(30), List.of(), List.of(cgroup(1, 100, 1000, 3))),
                snapshot("node-a", BOOT, 2, at(60), List.of(), List.of(cgroup(1, 160, 3000, 2))),
                snapshot("node-a", BOOT, 3, at(120), List.of(), List.of(cgroup(1, 190, 2000, 2))),
                snapshot("node-b", BOOT, 1, at(40), List.of(), List.of(cgroup(1, 50, 500, 1))));
        List<JobSeries> series =
                store.jobSeries(new RunSpan(run(1), NOON, at(120)), new Slots(NOON, at(120), Duration.ofSeconds(60)));
        assertEquals(
                List.of(
                        new JobSeries(
                                "node-a",
                                List.of(
                                        new JobSeries.Point(
                                                NOON,
                                                2,
                                                OptionalDouble.of(2),
                                                OptionalLong.of(2000),
                                                OptionalLong.of(3000),
                                                OptionalInt.of(3)),
                                        new JobSeries.Point(
                                                at(60),
                                                1,
                                                OptionalDouble.of(0.5),
                                                OptionalLong.of(2000),
                                                OptionalLong.of(2000),
                                                OptionalInt.of(2)))),
                        new JobSeries(
                                "node-b",
                                List.of(new JobSeries.Point(
                                        NOON,
                                        1,
                                        OptionalDouble.empty(),
                                        OptionalLong.of(500),
                                        OptionalLong.of(500),
                                        OptionalInt.of(1))))),
                series);
    }

    // ---- what runs did in all

    @Test
    @DisplayName("an ended run is to be summarized once its hours are sealed, and its summary comes back as it was")
    void summaries() throws StoreException {
        Run ended = run(1, NOON, Optional.of(at(90)), allocated("node-a", 0, A), untranslated("node-a", 1));
        Run before = run(2, at(-9000), Optional.of(at(-8000)));
        store.saveRuns(List.of(ended, before, run(3)));
        append(
                snapshot(
                        "node-a",
                        BOOT,
                        1,
                        at(30),
                        List.of(gpu(A, 0.5, 100, process(1, 1))),
                        List.of(cgroup(1, 1, 1, 1))),
                snapshot("node-a", BOOT, 2, at(60), List.of(gpu(A, 0.75, 200)), List.of(detailed(1, 2, 0))));
        store.maintain(at(3600));
        assertEquals(List.of(), store.runsToSummarize(10), "its hour is kept open");
        store.maintain(at(7200));
        assertEquals(List.of(ended), store.runsToSummarize(10), "the other ended before anything was read");
        RunSpan whole = new RunSpan(ended, NOON, at(90));
        RunSummary summary = new RunSummary(
                ended.key(),
                at(90),
                at(7201),
                0.05,
                store.gpuUse(List.of(whole), 0.05),
                store.jobUse(List.of(whole)).stream().findFirst());
        assertEquals(OptionalDouble.of(0.625), summary.gpus().get(0).utilizationMeanRatio());
        store.saveSummaries(List.of(summary));
        store.saveSummaries(List.of(summary));
        reopen();
        assertEquals(List.of(summary), store.summaries(List.of(ended.key(), run(3).key())));
        GpuUse first = summary.gpus().get(0);
        GpuUse shared = new GpuUse(
                first.run(),
                first.node(),
                Optional.empty(),
                first.device(),
                first.from(),
                first.to(),
                first.samples(),
                first.coveredSeconds(),
                first.busySeconds(),
                first.idleSeconds(),
                first.utilizationMeanRatio(),
                first.utilizationMaxRatio(),
                first.lastBusyAt(),
                first.memoryUsedMaxBytes(),
                first.processesMax(),
                first.energyJoules(),
                first.work(),
                Optional.of(new GpuUse.Share(20, 15, OptionalDouble.of(0.3), true, OptionalLong.empty(), false)));
        RunSummary withShare = new RunSummary(ended.key(), at(90), at(9000), 0.01, List.of(shared), Optional.empty());
        store.saveSummaries(List.of(withShare));
        assertEquals(List.of(withShare), store.summaries(List.of(ended.key())));
        store.saveSummaries(List.of(summary));
        assertEquals(List.of(), store.summaries(List.of()));
        assertEquals(List.of(), store.runsToSummarize(10));
    }

    // ---- Slurm

    @Test
    @DisplayName("what a view says again is as of then; what it no longer names stays as it was, until it is back")
    void sameAgain() throws StoreException {
        AllocatedGpu gpu = allocated("node-a", 0, A);
        long first = 10;
        double seconds = 0;
        for (String views : List.of("12 1 12", "12 12 1", "1 1 12", "12  12", "2 1 2")) {
            Map<Long, Instant> expected = new TreeMap<>();
            for (String named : views.split(" ", -1)) {
                seconds += 30;
                Instant now = at(seconds);
                List<Run> runs = new ArrayList<>();
                for (int i = 1; i <= 2; i++) {
                    if (named.contains(Integer.toString(i))) {
                        // only the first view that names a job names its GPUs
                        GivenRun job = GivenRun.job(first + i).asOf(now);
                        runs.add(
                                expected.containsKey(first + i)
                                        ? job.run()
                                        : job.on(gpu).run());
                        expected.put(first + i, now);
                    }
                }
                store.saveView(view(now, runs.toArray(new Run[0])));
                assertEquals(expected, asOf(store.liveRuns(), first), views);
            }
            assertEquals(expected.get(first + 2), store.runsOf(first + 2).get(0).asOf(), views);
            reopen();
            assertEquals(expected, asOf(store.liveRuns(), first), views);
            assertEquals(List.of(gpu), store.runsOf(first + 1).get(0).gpus(), views);
            first += 10;
        }
    }

    private static Map<Long, Instant> asOf(List<Run> runs, long first) {
        return runs.stream()
                .filter(run -> run.key().jobId() > first)
                .collect(Collectors.toMap(run -> run.key().jobId(), Run::asOf, (a, b) -> b, TreeMap::new));
    }

    @Test
    @DisplayName("a run whose limit was changed, and one that was suspended, are kept as the newest view tells them")
    void changedInView() throws StoreException {
        store.saveView(view(at(30), GivenRun.job(1).asOf(at(30)).run()));
        Run suspended = GivenRun.job(1)
                .asOf(at(60))
                .state(JobState.SUSPENDED)
                .suspended(Duration.ofSeconds(7))
                .run();
        store.saveView(view(at(60), suspended));
        assertEquals(List.of(suspended), store.liveRuns());
        reopen();
        assertEquals(List.of(suspended), store.liveRuns());
    }

    @Test
    @DisplayName("whatever comes in views and between them, what lives now is what a fresh look at the file says")
    void livesNow() throws StoreException {
        Random random = new Random(17);
        for (int round = 0; round < 60; round++) {
            Instant now = at(30.0 * round);
            List<Run> runs = new ArrayList<>();
            Map<RunKey, Run> known =
                    store.liveRuns().stream().collect(Collectors.toMap(Run::key, Function.identity(), (a, b) -> b));
            for (int job = 1; job <= 12; job++) {
                GivenRun run = GivenRun.job(job)
                        .from(at(100.0 * (random.nextInt(20) == 0 ? round : job)))
                        .asOf(random.nextInt(30) == 0 ? now.minusSeconds(30) : now)
                        .suspended(Duration.ofSeconds(random.nextInt(10) == 0 ? 7 : 0));
                if (random.nextInt(3) != 0) {
                    run = run.on(random.nextInt(4) == 0 ? untranslated("node-a", job) : allocated("node-a", job, A));
                }
                if (random.nextInt(12) == 0) {
                    run = run.until(at(100_000));
                }
                if (random.nextInt(8) != 0) {
                    Run told = run.run();
                    Run before = random.nextBoolean() ? known.getOrDefault(told.key(), told) : told;
                    runs.add(before.toldAgain(told)); // as whoever reads Slurm's answers does
                }
            }
            List<PendingJob> pending = random.nextBoolean()
                    ? List.of()
                    : List.of(new PendingJob(
                            "lab", 99, "99", runs.get(0).owner(), "x\u0000y", at(random.nextInt(3)), "Resources", ""));
            List<SlurmNode> nodes = List.of(new SlurmNode(
                    "node-a",
                    random.nextInt(3) == 0 ? "idle" : "mixed",
                    OptionalInt.of(8),
                    OptionalLong.empty(),
                    OptionalInt.of(4),
                    "gpu:4",
                    SlurmNode.Given.NOT_TOLD));
            store.saveView(new SlurmView(now, "lab", runs, pending, nodes));
            if (random.nextInt(4) == 0) {
                store.saveRuns(List.of(GivenRun.job(1 + random.nextInt(12))
                        .from(at(100.0 * (1 + random.nextInt(12))))
                        .until(at(200_000))
                        .run()));
            }
            Set<Run> live = Set.copyOf(store.liveRuns());
            Optional<SlurmView> view = store.view();
            List<List<Run>> byJob = new ArrayList<>();
            for (int job = 1; job <= 12; job++) {
                long number = job;
                List<Run> its = store.runsOf(number);
                assertEquals(
                        store.runsWithin(Instant.EPOCH, at(1e9)).stream()
                                .filter(run -> run.key().jobId() == number)
                                .collect(Collectors.toSet()),
                        Set.copyOf(its),
                        "round " + round + ", job " + job);
                byJob.add(its);
            }
            assertEquals(live.size(), store.liveRuns().size());
            if (round % 5 == 4) {
                reopen();
                assertEquals(Set.copyOf(store.liveRuns()), live, "round " + round);
                assertEquals(store.view(), view, "round " + round);
                for (int job = 1; job <= 12; job++) {
                    assertEquals(store.runsOf(job), byJob.get(job - 1), "round " + round + ", job " + job);
                }
            }
        }
    }

    private static SlurmView view(Instant at, Run... runs) {
        return new SlurmView(at, "lab", List.of(runs), List.of(), List.of());
    }

    @Test
    @DisplayName("a run comes back as it was saved")
    void runComesBack() throws StoreException {
        Run task = run(
                12,
                NOON,
                Optional.empty(),
                new Run.JobIds(OptionalLong.of(10), OptionalLong.of(2), OptionalLong.empty(), OptionalInt.empty()),
                "a'; DROP TABLE run; --\n\u0001 \uD83D\uDE00",
                allocated("node-b", 1, B),
                untranslated("node-a", 0));
        store.saveRuns(List.of(task));
        reopen();
        assertEquals(List.of(task), store.liveRuns());
        assertEquals(List.of(task), store.runsOf(12));
        assertEquals(List.of(task), store.runsOf(10));
        assertEquals(List.of(), store.runsOf(2));
    }

    @Test
    @DisplayName("texts that no database takes come back readable and break nothing")
    void hostileTexts() throws StoreException {
        String name = "a\0b\uD800c'\"\\%_;\r\n";
        store.saveRuns(List.of(run(1, NOON, Optional.empty(), Run.JobIds.PLAIN, name)));
        assertEquals("a\uFFFDb\uFFFDc'\"\\%_;\r\n", store.liveRuns().get(0).name());
        assertEquals(List.of(), store.newestReadings(List.of("' OR 1=1 --", "\0"), NOON));
        FindingRow finding = finding(1, "rule'\0", NOON, FindingRow.State.FOUND);
        store.saveFindings(List.of(finding), List.of());
        store.saveFindings(List.of(finding), List.of());
        assertEquals(1, store.openFindings().size());
    }

    @Test
    @DisplayName("runs of an array and of a het job are found by their leader, newest first")
    void leaders() throws StoreException {
        Run array = run(
                11,
                at(10),
                Optional.empty(),
                new Run.JobIds(OptionalLong.of(10), OptionalLong.of(1), OptionalLong.empty(), OptionalInt.empty()),
                "x");
        Run het = run(
                21,
                at(20),
                Optional.empty(),
                new Run.JobIds(OptionalLong.empty(), OptionalLong.empty(), OptionalLong.of(10), OptionalInt.of(1)),
                "x");
        Run first = run(10, at(0), Optional.of(at(5)));
        Run again = run(10, at(30), Optional.empty());
        store.saveRuns(List.of(array, het, first, again));
        assertEquals(List.of(again, het, array, first), store.runsOf(10));
    }

    @Test
    @DisplayName("runs within an interval are those that held something in it, by start")
    void within() throws StoreException {
        Run ended = run(1, at(0), Optional.of(at(10)));
        Run live = run(2, at(5), Optional.empty());
        Run later = run(3, at(20), Optional.of(at(30)));
        store.saveRuns(List.of(later, live, ended));
        assertEquals(List.of(ended, live), store.runsWithin(at(0), at(20)));
        assertEquals(List.of(live), store.runsWithin(at(10), at(20)));
        assertEquals(List.of(live, later), store.runsWithin(at(10), at(21)));
    }

    @Test
    @DisplayName("ended runs come newest first, filtered, in parts that neither repeat nor leave out any")
    void endedRuns() throws StoreException {
        Run live = run(1);
        Run anna = GivenRun.job(2)
                .from(at(0))
                .until(at(10))
                .owner("anna", "es", "gpu", "")
                .state(JobState.FAILED)
                .run();
        Run bob = GivenRun.job(3)
                .from(at(0))
                .until(at(20))
                .owner("bob", "es.shj", "cpu", "")
                .run();
        Run later = GivenRun.job(2)
                .from(at(30))
                .until(at(40))
                .owner("anna", "es", "gpu", "")
                .run();
        store.saveRuns(List.of(live, anna, bob, later));
        assertEquals(keys(later, bob, anna), keys(ended(4, Optional.empty())));
        assertEquals(keys(later, bob), keys(ended(2, Optional.empty())));
        assertEquals(keys(anna), keys(ended(2, Optional.of(bob.key()))));
        assertEquals(keys(bob, anna), keys(ended(9, Optional.of(later.key()))));
        assertEquals(keys(later, anna), keys(store.runs(query(Optional.of("anna"), Set.of(), "user"))));
        assertEquals(keys(bob), keys(store.runs(query(Optional.of("es.shj"), Set.of(), "account"))));
        assertEquals(keys(bob), keys(store.runs(query(Optional.of("cpu"), Set.of(), "partition"))));
        assertEquals(keys(anna), keys(store.runs(query(Optional.empty(), Set.of(JobState.FAILED), ""))));
        String node = anna.allocation().nodes().get(0);
        assertEquals(3, store.runs(query(Optional.of(node), Set.of(), "node")).size());
        assertEquals(
                0,
                store.runs(query(Optional.of(node.substring(1)), Set.of(), "node"))
                        .size());
        assertEquals(
                0,
                store.runs(query(Optional.of("' OR 1=1 --"), Set.of(), "user")).size());
    }

    @Test
    @DisplayName("ended runs of a time are those that ended after its beginning and started before its end")
    void endedRunsOfATime() throws StoreException {
        Run early = GivenRun.job(2).from(at(0)).until(at(10)).run();
        Run late = GivenRun.job(3).from(at(30)).until(at(40)).run();
        store.saveRuns(List.of(early, late));
        assertEquals(keys(late), keys(store.runs(times(Optional.of(at(10)), Optional.empty()))));
        assertEquals(keys(late, early), keys(store.runs(times(Optional.of(at(9)), Optional.of(at(31))))));
        assertEquals(keys(early), keys(store.runs(times(Optional.empty(), Optional.of(at(30))))));
    }

    private List<Run> ended(int limit, Optional<RunKey> after) throws StoreException {
        return store.runs(new RunQuery(
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Set.of(),
                Optional.empty(),
                Optional.empty(),
                after,
                limit));
    }

    private static RunQuery query(Optional<String> value, Set<JobState> states, String what) {
        return new RunQuery(
                value.filter(v -> what.equals("user")),
                value.filter(v -> what.equals("account")),
                value.filter(v -> what.equals("partition")),
                value.filter(v -> what.equals("node")),
                states,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                100);
    }

    private static RunQuery times(Optional<Instant> since, Optional<Instant> until) {
        return new RunQuery(
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Set.of(),
                since,
                until,
                Optional.empty(),
                100);
    }

    private static List<RunKey> keys(Run... runs) {
        return keys(List.of(runs));
    }

    private static List<RunKey> keys(List<Run> runs) {
        return runs.stream().map(Run::key).toList();
    }

    @Test
    @DisplayName("a run that Slurm no longer shows stays live until its end is told")
    void staysLive() throws StoreException {
        Run live = run(1);
        store.saveView(view(at(0), live));
        store.saveView(view(at(30)));
        assertEquals(List.of(live), store.liveRuns());
        Run ended = run(1, NOON, Optional.of(at(40)));
        store.saveRuns(List.of(ended));
        assertEquals(List.of(), store.liveRuns());
        assertEquals(List.of(ended), store.runsOf(1));
    }

    @Test
    @DisplayName("GPUs once known are kept when a newer answer names none, or not their devices")
    void gpusAreKept() throws StoreException {
        AllocatedGpu known = allocated("node-a", 0, A);
        store.saveView(view(at(0), run(1, known)));
        store.saveView(view(at(30), run(1)));
        assertEquals(List.of(known), store.liveRuns().get(0).gpus());
        store.saveView(view(at(60), run(1, untranslated("node-a", 0), untranslated("node-a", 1))));
        assertEquals(
                List.of(known, untranslated("node-a", 1)),
                store.liveRuns().get(0).gpus());
        AllocatedGpu confirmed =
                new AllocatedGpu("node-a", 0, Optional.empty(), Optional.of(B), AllocatedGpu.Confidence.CONFIRMED);
        store.saveView(view(at(90), run(1, confirmed, untranslated("node-a", 1))));
        store.saveRuns(List.of(run(1, NOON, Optional.of(at(100)))));
        assertEquals(
                List.of(confirmed, untranslated("node-a", 1)),
                store.runsOf(1).get(0).gpus());
    }

    @Test
    @DisplayName("the newest answer replaces what waits and the nodes, all of it")
    void viewComesBack() throws StoreException {
        PendingJob waits = new PendingJob(
                "lab",
                5,
                "5_[3-4%2]",
                new Run.Owner("eve", OptionalInt.empty(), "its", "batch", ""),
                "x",
                at(-10),
                "Resources",
                "cpu=1",
                Optional.of("thesis, deadline"),
                Optional.of("course"));
        SlurmNode node = new SlurmNode(
                "node-a",
                "idle+drain",
                OptionalInt.of(96),
                OptionalLong.empty(),
                OptionalInt.empty(),
                "",
                new SlurmNode.Given(OptionalInt.of(8), OptionalLong.empty(), OptionalInt.of(0)));
        store.saveView(new SlurmView(at(0), "lab", List.of(run(1)), List.of(waits), List.of(node)));
        reopen();
        assertEquals(Optional.of(new SlurmView(at(0), "lab", List.of(), List.of(waits), List.of(node))), store.view());
        store.saveView(view(at(30)));
        assertEquals(Optional.of(view(at(30))), store.view());
    }

    @Test
    @DisplayName("until when the accounting is known survives a restart")
    void accountingUntil() throws StoreException {
        store.saveAccountingUntil(at(0));
        store.saveAccountingUntil(at(60));
        reopen();
        assertEquals(Optional.of(at(60)), store.accountingUntil());
        assertEquals(Optional.empty(), store.accountingFrom());
        store.saveAccountingFrom(at(-600));
        reopen();
        assertEquals(Optional.of(at(-600)), store.accountingFrom());
        assertEquals(Optional.of(at(60)), store.accountingUntil());
    }

    @Test
    @DisplayName("the newest answer about accounts replaces the one before, and comes back as it was told")
    void accounts() throws StoreException {
        assertEquals(Optional.empty(), store.accounts());
        Limits limits = new Limits(
                "cpu=20,gres/gpu=1",
                "cpu=8",
                "",
                OptionalInt.of(3),
                OptionalInt.empty(),
                Optional.of(Duration.ofDays(2)));
        AccountTree tree = new AccountTree(
                at(0),
                "lab",
                List.of(
                        new Account("root", Optional.empty(), "", "root", List.of(), List.of("normal"), Limits.NONE),
                        new Account(
                                "es'|<b>",
                                Optional.of("root"),
                                "a \"department\"\n",
                                "aau",
                                List.of("anna@es.aau.dk"),
                                List.of(),
                                limits)),
                List.of(
                        new Association(
                                "bob",
                                "es'|<b>",
                                Optional.of("batch"),
                                Optional.of("normal"),
                                List.of("normal", "short"),
                                OptionalLong.of(7),
                                limits),
                        new Association(
                                "bob",
                                "root",
                                Optional.empty(),
                                Optional.empty(),
                                List.of(),
                                OptionalLong.empty(),
                                Limits.NONE)),
                List.of(
                        new SlurmUser("bob", Optional.of("es'|<b>"), "Operator"),
                        new SlurmUser("eve", Optional.empty(), "None")),
                List.of(new Qos("normal", 100, limits)));
        store.saveAccounts(
                new AccountTree(at(-60), "lab", tree.accounts(), tree.associations(), tree.users(), tree.qos()));
        store.saveAccounts(tree);
        reopen();
        assertEquals(Optional.of(tree), store.accounts());
    }

    @Test
    @DisplayName(
            "when a run became eligible and was resumed, its comment and reservation come back, and absent stays absent")
    void eligibleAndResumed() throws StoreException {
        Run plain = run(1);
        Run told = new Run(
                plain.key(),
                plain.ids(),
                plain.owner(),
                plain.name(),
                plain.interactive(),
                plain.submit(),
                plain.end(),
                plain.timeLimit(),
                Duration.ofSeconds(20),
                plain.state(),
                plain.stateText(),
                plain.allocation(),
                plain.gpus(),
                plain.asOf(),
                new Run.Also(
                        Optional.of(at(-30)), Optional.of(at(90)), Optional.of("a 'comment'"), Optional.of("course")));
        store.saveRuns(List.of(told, run(2)));
        reopen();
        assertEquals(List.of(told), store.runsOf(1));
        assertEquals(Run.Also.NOT_TOLD, store.runsOf(2).get(0).also());
    }

    // ---- findings and notices

    private static FindingRow finding(long jobId, String rule, Instant since, FindingRow.State state) {
        return new FindingRow(
                run(jobId).key(),
                rule,
                since,
                state,
                since.plusSeconds(60),
                Optional.empty(),
                Optional.of(at(99)),
                "eve",
                "Your job's GPU is idle.",
                "scancel " + jobId,
                "{\"gpus\":2}",
                new FindingRow.Progress(2, 1, Optional.of(at(98))),
                jobId % 2 == 0
                        ? Map.of()
                        : Map.of("da", new FindingRow.Said("Dit jobs GPU st\u00e5r \"ubrugt\".", "scancel\n" + jobId)));
    }

    private static Notice notice(String id, long jobId, Notice.State state, Instant createdAt) {
        return new Notice(
                id,
                run(jobId).key(),
                "idle",
                at(0),
                new Notice.Aim(1, Notice.Channel.OWNER, Notice.Topic.FINDING, "eve"),
                "eve",
                Optional.empty(),
                state,
                Optional.of("mail"),
                createdAt,
                createdAt,
                0,
                "mailbox 'full'");
    }

    @Test
    @DisplayName("a finding is one row through all its states; a new episode is another")
    void findings() throws StoreException {
        store.saveFindings(
                List.of(
                        finding(1, "idle", at(0), FindingRow.State.SUSPECTED),
                        finding(2, "idle", at(0), FindingRow.State.SUSPECTED)),
                List.of());
        FindingRow resolved = finding(1, "idle", at(0), FindingRow.State.RESOLVED);
        FindingRow again = finding(1, "idle", at(300), FindingRow.State.FOUND);
        store.saveFindings(List.of(resolved, again), List.of());
        reopen();
        assertEquals(List.of(again, resolved), store.findingsOf(1));
        assertEquals(List.of(finding(2, "idle", at(0), FindingRow.State.SUSPECTED), again), store.openFindings());
    }

    @Test
    @DisplayName("a notice is one row through all its states, and is found by them, oldest first")
    void notices() throws StoreException {
        store.saveFindings(
                List.of(),
                List.of(
                        notice("n2", 1, Notice.State.PLANNED, at(20)),
                        notice("n1", 1, Notice.State.PLANNED, at(10)),
                        notice("n3", 2, Notice.State.PLANNED, at(30))));
        store.saveFindings(List.of(), List.of(notice("n3", 2, Notice.State.SENDING, at(30))));
        assertEquals(
                List.of("n1", "n2"),
                store.noticesIn(List.of(Notice.State.PLANNED)).stream()
                        .map(Notice::id)
                        .toList());
        assertEquals(
                3,
                store.noticesIn(List.of(Notice.State.PLANNED, Notice.State.SENDING))
                        .size());
        assertEquals(List.of(), store.noticesIn(List.of()));
        assertEquals(
                List.of(notice("n2", 1, Notice.State.PLANNED, at(20)), notice("n1", 1, Notice.State.PLANNED, at(10))),
                store.noticesOf(1));
        assertEquals(List.of(), store.noticesIn(List.of(Notice.State.PLANNED), at(20)));
        assertEquals(
                List.of("n2"),
                store.noticesIn(List.of(Notice.State.PLANNED), at(19)).stream()
                        .map(Notice::id)
                        .toList());
    }

    @Test
    @DisplayName(
            "what a mail announced is kept with it; an episode is found by what it is about, its rule and beginning")
    void announced() throws StoreException {
        Notice warning = notice("n1", 1, Notice.State.DELIVERED, at(10))
                .announcing(Optional.of(new Notice.Announced("cancel", at(90))));
        FindingRow first = finding(1, "idle", at(0), FindingRow.State.RESOLVED);
        store.saveFindings(List.of(first, finding(1, "idle", at(300), FindingRow.State.FOUND)), List.of(warning));
        Subject waits = new Subject.Waiting("lab", 7, at(0));
        FindingRow waiting = new FindingRow(
                waits,
                "idle",
                at(0),
                FindingRow.State.RESOLVED,
                at(1),
                Optional.of(at(2)),
                Optional.empty(),
                "eve",
                "It waits.",
                "",
                "{}",
                FindingRow.Progress.NONE);
        store.saveFindings(List.of(waiting), List.of());
        reopen();
        assertEquals(List.of(warning), store.noticesOf(1));
        assertEquals(Optional.of(first), store.finding(run(1).key(), "idle", at(0)));
        assertEquals(Optional.of(waiting), store.finding(waits, "idle", at(0)));
        assertEquals(Optional.empty(), store.finding(waits, "idle", at(1)));
        assertEquals(Optional.empty(), store.finding(waits, "busy", at(0)));
    }

    @Test
    @DisplayName("a mail that came back is one row through its changes, newest first")
    void bounces() throws StoreException {
        Bounce first = new Bounce(
                "b1",
                at(10),
                "mail",
                "eve@example.org",
                Bounce.Kind.FAILED,
                Optional.of("5.1.1"),
                "550 no 'such' user",
                Optional.empty(),
                Optional.empty());
        Bounce second = new Bounce(
                "b2",
                at(20),
                "mail2",
                "eve@example.org",
                Bounce.Kind.DELAYED,
                Optional.empty(),
                "",
                Optional.empty(),
                Optional.empty());
        store.saveBounces(List.of(first, second));
        store.saveBounces(List.of(first.taken(at(30)).forgotten(at(40))));
        store.saveBounces(List.of());
        reopen();
        assertEquals(List.of(second, first.taken(at(30)).forgotten(at(40))), store.bounces(at(0)));
        assertEquals(List.of(second), store.bounces(at(10)));
    }

    @Test
    @DisplayName("the trail names a job that waits by its number alone")
    void auditOfWaiting() throws StoreException {
        AuditEntry entry = new AuditEntry(
                "a1",
                at(0),
                "fairwatch",
                "hold",
                AuditEntry.Outcome.DONE,
                Optional.empty(),
                Optional.of("idle"),
                "eve",
                "",
                "{}",
                OptionalLong.of(7));
        store.saveDecisions(new Store.Decisions(List.of(), List.of(), List.of(), List.of(entry)));
        assertEquals(
                List.of(entry),
                store.audit(new Store.AuditFilter(Optional.of(7L), Optional.empty(), Optional.empty(), 10)));
    }

    @Test
    @DisplayName("an exemption is one row through its changes, and is gone when it has ended")
    void exemptions() throws StoreException {
        Exemption needed = new Exemption(
                "e1",
                Exemption.Scope.RUN,
                Exemption.valueOf(run(1).key()),
                Optional.of("idle"),
                at(0),
                Optional.of(at(100)),
                "owner eve",
                "a \"demo\"");
        Exemption always = new Exemption(
                "e2", Exemption.Scope.USER, "svc", Optional.empty(), at(1), Optional.empty(), "staff eva", "");
        store.saveDecisions(new Store.Decisions(List.of(), List.of(), List.of(needed, always), List.of()));
        reopen();
        assertEquals(List.of(needed, always), store.exemptions(at(99)));
        assertEquals(List.of(always), store.exemptions(at(100)));
        store.saveDecisions(new Store.Decisions(List.of(), List.of(), List.of(always.endedAt(at(50))), List.of()));
        assertEquals(List.of(needed), store.exemptions(at(60)));
    }

    @Test
    @DisplayName("the audit trail is only ever appended to, and is asked by job, user and time, newest first")
    void audit() throws StoreException {
        AuditEntry first = new AuditEntry(
                "a1",
                at(10),
                "fairwatch",
                "cancel",
                AuditEntry.Outcome.INTENDED,
                Optional.of(run(1).key()),
                Optional.of("idle"),
                "eve",
                "it was told",
                "{}");
        AuditEntry other = new AuditEntry(
                "a2",
                at(20),
                "staff eva",
                "comment",
                AuditEntry.Outcome.NOTED,
                Optional.empty(),
                Optional.empty(),
                "bob",
                "called",
                "{}");
        store.saveDecisions(new Store.Decisions(List.of(), List.of(), List.of(), List.of(first, other)));
        AuditEntry forged = new AuditEntry(
                "a1",
                at(10),
                "nobody",
                "cancel",
                AuditEntry.Outcome.DONE,
                Optional.empty(),
                Optional.empty(),
                "",
                "",
                "{}");
        store.saveDecisions(new Store.Decisions(List.of(), List.of(), List.of(), List.of(forged)));
        reopen();
        assertEquals(List.of(other, first), store.audit(filter(Optional.empty(), Optional.empty(), Optional.empty())));
        assertEquals(List.of(first), store.audit(filter(Optional.of(1L), Optional.empty(), Optional.empty())));
        assertEquals(List.of(other), store.audit(filter(Optional.empty(), Optional.of("bob"), Optional.empty())));
        assertEquals(List.of(other), store.audit(filter(Optional.empty(), Optional.empty(), Optional.of(at(20)))));
        assertEquals(
                List.of(other),
                store.audit(new Store.AuditFilter(Optional.empty(), Optional.empty(), Optional.empty(), 1)));
        for (AuditEntry one : List.of(first, other)) {
            assertEquals(
                    List.of(first, other).stream()
                            .filter(entry -> entry.outcome() == one.outcome())
                            .sorted(Comparator.comparing(AuditEntry::at).reversed())
                            .toList(),
                    store.audit(new Store.AuditFilter(
                            Optional.empty(), Optional.empty(), Optional.empty(), Optional.of(one.outcome()), 100)));
        }
    }

    private static Store.AuditFilter filter(Optional<Long> job, Optional<String> user, Optional<Instant> from) {
        return new Store.AuditFilter(job, user, from, 100);
    }

    @Test
    @DisplayName("a closed store says so, and closing it again does nothing")
    void closed() throws StoreException {
        store.close();
        StoreException reading = assertThrows(StoreException.class, store::nodes);
        assertEquals("store: nodes: the store is closed", reading.getMessage());
        StoreException writing = assertThrows(StoreException.class, () -> append(snapshot("node-a", 1, at(30))));
        assertEquals("store: append: the store is closed", writing.getMessage());
        store.close();
    }
}
