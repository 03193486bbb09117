package io.fairwatch.collector.judge;

import static io.fairwatch.collector.store.Given.BOOT;
import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.cgroup;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.process;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.judge.Backtest.Outcome;
import io.fairwatch.collector.judge.Backtest.Plan;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.RuleFile;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Three jobs from noon to six in the evening: one idle throughout, one idle and then at work, one at work. */
class BacktestTest {
    private Store store;
    private Backtest backtest;
    private final List<Double> progress = new ArrayList<>();

    @BeforeEach
    void open(@TempDir Path temporary) throws Exception {
        store = DuckDbStore.open(temporary.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        try (InputStream in = Objects.requireNonNull(RuleSet.class.getResourceAsStream("idle-gpu.yaml"));
                InputStream nodes =
                        Objects.requireNonNull(RuleSet.class.getResourceAsStream("scratch-owner-gone.yaml"))) {
            RuleSet rules = RuleSet.read(List.of(
                    new RuleFile("idle-gpu.yaml", new String(in.readAllBytes(), StandardCharsets.UTF_8)),
                    new RuleFile("scratch-owner-gone.yaml", new String(nodes.readAllBytes(), StandardCharsets.UTF_8))));
            backtest = new Backtest(store, () -> rules, 0.01);
        }
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int end = 30; end <= 21_600; end += 30) {
            snapshots.add(snapshot(
                    "node-a",
                    end,
                    at(end),
                    gpu("GPU-a", 0, 0),
                    gpu("GPU-b", end > 14_400 ? 0.9 : 0, 0, process(1, 2)),
                    gpu("GPU-c", 0.9, 0, process(2, 3))));
        }
        store.append(snapshots);
        store.saveRuns(List.of(
                job(1).on(allocated("node-a", 0, "GPU-a")).until(at(21_600)).run(),
                job(2).on(allocated("node-a", 1, "GPU-b")).until(at(21_600)).run(),
                job(3).on(allocated("node-a", 2, "GPU-c")).until(at(21_600)).run()));
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private Outcome rehearse(Map<String, String> settings) throws Exception {
        return backtest.rehearse(
                new Plan("idle-gpu", at(-3600), at(25_200), settings, Duration.ofHours(1)), progress::add, () -> false);
    }

    @Test
    @DisplayName("who would have been told and ended, what that would have saved, and who worked again by himself")
    void outcome() throws Exception {
        Outcome outcome = rehearse(Map.of());
        assertEquals(3, outcome.runs());
        assertEquals(
                List.of("1", "2"),
                outcome.episodes().stream().map(Backtest.Episode::job).sorted().toList());
        Backtest.Episode idle = outcome.episodes().stream()
                .filter(one -> one.job().equals("1"))
                .findFirst()
                .orElseThrow();
        assertEquals(at(3600), idle.toldAt());
        assertEquals(Optional.of(at(7200)), idle.cancelledAt());
        assertEquals(4.0, idle.gpuHoursSaved(), 0.001);
        assertEquals(Optional.empty(), idle.recoveredAt());
        Backtest.Episode woke = outcome.episodes().stream()
                .filter(one -> one.job().equals("2"))
                .findFirst()
                .orElseThrow();
        assertEquals(Optional.of(at(14_700)), woke.recoveredAt());
        assertEquals(1, outcome.wronglyCancelled());
        assertEquals(2, outcome.cancelled());
        assertEquals(8.0, outcome.gpuHoursSaved(), 0.001);
        assertEquals(1.0, progress.get(progress.size() - 1));
        String page = new BacktestText(ZoneOffset.UTC).page(outcome);
        assertTrue(page.contains("GPU-hours saved by ending                    8.0"), page);
    }

    @Test
    @DisplayName("what was sealed into files, and is known by its five minutes only, says the same")
    void sealed() throws Exception {
        Outcome before = rehearse(Map.of());
        store.maintain(at(36 * 3600));
        store.maintain(at(37 * 3600));
        Outcome after = rehearse(Map.of());
        assertEquals(before.judgements(), after.judgements());
        assertEquals(before.episodes(), after.episodes());
        assertEquals(before.gpuHoursSaved(), after.gpuHoursSaved());
    }

    @Test
    @DisplayName("a run that began before the time that is looked at is not judged before a whole window was seen")
    void beganBefore() throws Exception {
        Outcome outcome = backtest.rehearse(
                new Plan("idle-gpu", at(7200), at(25_200), Map.of(), Duration.ofHours(1)), progress::add, () -> false);
        assertEquals(at(7200 + 3600), outcome.episodes().get(0).toldAt());
    }

    @Test
    @DisplayName("it stops when nobody waits for it any more")
    void stops() throws Exception {
        Outcome outcome = backtest.rehearse(
                new Plan("idle-gpu", at(-10 * 86_400), at(25_200), Map.of(), Duration.ofHours(1)),
                progress::add,
                () -> !progress.isEmpty());
        assertEquals(1, progress.size());
        assertEquals(0, outcome.told());
    }

    @Test
    @DisplayName("a longer window by --set tells later, and a warm-up longer than the runs tells nobody")
    void otherSettings() throws Exception {
        Outcome later = rehearse(Map.of("window", "2h", "warm_up", "2h"));
        assertEquals(at(7200), later.episodes().get(0).toldAt());
        assertEquals(0, rehearse(Map.of("warm_up", "12h")).told());
    }

    /** Ten hours of a job on two GPUs and of one on none, of which all is known; each keeps one of its 16 CPUs at work. */
    private void tenHours() throws Exception {
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int end = 60_030; end <= 96_000; end += 30) {
            snapshots.add(snapshot(
                    "node-a",
                    BOOT,
                    end,
                    at(end),
                    List.of(traffic(gpu("GPU-d", 0.6, 0, process(3, 4))), traffic(gpu("GPU-e", 0.1, 0, process(4, 4)))),
                    List.of(cgroup(4, end - 60_000, 8L << 30, 3), cgroup(5, end - 60_000, 1L << 30, 1))));
        }
        store.append(snapshots);
        store.saveView(new Store.SlurmView(
                at(96_000),
                "lab",
                List.of(),
                List.of(),
                List.of(new SlurmNode(
                        "node-a",
                        "mixed",
                        OptionalInt.of(96),
                        OptionalLong.of(1536L << 30),
                        OptionalInt.of(16),
                        "gpu:v100:16"))));
        store.saveRuns(List.of(
                job(4).from(at(60_000))
                        .on(allocated("node-a", 3, "GPU-d"), allocated("node-a", 4, "GPU-e"))
                        .cpus(16)
                        .memory(64L << 30)
                        .until(at(96_000))
                        .run(),
                job(5).from(at(60_000))
                        .cpus(16)
                        .memory(64L << 30)
                        .until(at(96_000))
                        .run()));
    }

    private static GpuReading traffic(GpuReading reading) {
        return new GpuReading(
                reading.device(),
                reading.utilization(),
                Optional.of(new Utilization(0.3, 0.4, 0.3, 178, Utilization.Source.RING)),
                reading.memoryUsedBytes(),
                reading.memoryReservedBytes(),
                reading.powerWatts(),
                reading.powerLimitWatts(),
                reading.energyJoules(),
                reading.temperatureCelsius(),
                reading.smClockHertz(),
                reading.processes(),
                reading.detail());
    }

    private static Outcome rehearse(Store store, RuleSet rules, String rule) throws Exception {
        return new Backtest(store, () -> rules, 0.01)
                .rehearse(
                        new Plan(rule, at(57_600), at(97_200), Map.of(), Duration.ofHours(1)), done -> {}, () -> false);
    }

    @Test
    @DisplayName("rules that ask about CPU time, memory, traffic and GPUs at one time are rehearsed, sealed or not")
    void wholeJobs() throws Exception {
        tenHours();
        RuleSet rules = Shipped.all();
        List<String> unknown = new ArrayList<>();
        List<String> notGiven = List.of("gpu-node-unused", "gpu-not-held");
        for (String name : notGiven) {
            assertThrows(IllegalArgumentException.class, () -> rehearse(store, rules, name));
        }
        for (Rule rule : rules.rules()) {
            if (rule.scope() == Rule.Scope.RUNNING_JOB && !notGiven.contains(rule.name())) {
                Outcome outcome = rehearse(store, rules, rule.name());
                assertTrue(outcome.judgements() > 0, rule.name());
                if (outcome.unknown() == outcome.judgements()) {
                    unknown.add(rule.name());
                }
            }
        }
        assertEquals(List.of("no-tensor-cores"), unknown, "no GPU here tells of its tensor cores");
        Outcome serial = rehearse(store, rules, "serial-on-many-cores");
        assertEquals(
                List.of("5"),
                serial.episodes().stream().map(Backtest.Episode::job).toList());
        assertEquals(at(63_600), serial.episodes().get(0).toldAt());
        Outcome uneven = rehearse(store, rules, "gpu-imbalance");
        store.maintain(at(60 * 3600));
        store.maintain(at(61 * 3600));
        assertEquals(
                serial.episodes(),
                rehearse(store, rules, "serial-on-many-cores").episodes());
        assertEquals(uneven.episodes(), rehearse(store, rules, "gpu-imbalance").episodes());
    }

    @Test
    @DisplayName("a wrong setting, an unknown rule, or a rule about nodes is refused with a sentence")
    void refused() {
        assertThrows(RuleSet.RuleException.class, () -> rehearse(Map.of("windwo", "2h")));
        assertThrows(
                RuleSet.RuleException.class,
                () -> backtest.rehearse(
                        new Plan("idle", at(0), at(10), Map.of(), Duration.ZERO), progress::add, () -> false));
        assertThrows(
                IllegalArgumentException.class,
                () -> backtest.rehearse(
                        new Plan("scratch-owner-gone", at(0), at(10), Map.of(), Duration.ZERO),
                        progress::add,
                        () -> false));
    }
}
