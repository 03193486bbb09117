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
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.UpkeepRound;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.RuleFile;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
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
        assertEquals(8.0, outcome.gpuHoursSaved().getAsDouble(), 0.001);
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

    // ---- finished jobs and users

    private static final Instant LATER = at(97_200);

    /** The live judge, asked once at an instant; what it found. */
    private List<FindingRow> judgedLive(RuleSet rules, Instant now, List<Run> live) throws Exception {
        store.saveView(new Store.SlurmView(now, "lab", live, List.of(), List.of()));
        store.saveAccountingUntil(now);
        new Judge(
                        store,
                        rules,
                        (finding, run, aim) -> Optional.empty(),
                        () -> now,
                        new Judge.Settings(0.01, Duration.ofMinutes(5), new Ladder(List.of())))
                .cycle(Set.of());
        return store.openFindings();
    }

    @Test
    @DisplayName("a rule about finished jobs notes what the live judge notes, by readings, by summaries and sealed")
    void finished() throws Exception {
        tenHours();
        RuleSet rules = Shipped.all();
        store.saveMark("finished_judged_until", at(92_000));
        judgedLive(rules, LATER, List.of());
        List<FindingRow> noted = store.findingsOf(5).stream()
                .filter(row -> row.rule().equals("low-cpu-use"))
                .toList();
        assertEquals(1, noted.size());

        Outcome byReadings = rehearse(store, rules, "low-cpu-use");
        assertEquals(
                List.of("5"),
                byReadings.episodes().stream().map(Backtest.Episode::job).toList());
        Backtest.Episode note = byReadings.episodes().get(0);
        assertEquals(noted.get(0).summary(), note.summary());
        assertEquals(noted.get(0).since(), note.toldAt());
        assertEquals(2, byReadings.runs(), "those that ended in the time");
        assertEquals(OptionalDouble.empty(), byReadings.gpuHoursSaved(), "nothing is ended, nothing is saved");
        new UpkeepRound(store, 0.01, () -> at(50 * 3600)).run();
        assertEquals(
                2,
                store.summaries(List.of(
                                job(4).from(at(60_000)).run().key(),
                                job(5).from(at(60_000)).run().key()))
                        .size());
        assertEquals(byReadings, rehearse(store, rules, "low-cpu-use"));
        store.maintain(at(60 * 3600));
        store.maintain(at(61 * 3600));
        assertEquals(byReadings, rehearse(store, rules, "low-cpu-use"));
        for (Rule rule : rules.rules()) {
            if (rule.scope() == Rule.Scope.FINISHED_JOB) {
                assertEquals(2, rehearse(store, rules, rule.name()).runs(), rule.name());
            }
        }
        String page = new BacktestText(ZoneOffset.UTC).page(byReadings);
        assertTrue(page.contains("with a note                                  1   (in lookups"), page);
        assertTrue(page.contains("It used 6 %"), page);
        assertEquals(
                0,
                rehearse(store, rules, "low-cpu-use", Map.of("used_below_ratio", "0.05"))
                        .told(),
                "another threshold");
    }

    @Test
    @DisplayName("a run that ends with a day belongs to the next one, and to that alone")
    void endsWithTheDay() throws Exception {
        tenHours();
        Instant end = store.runsOf(5).get(0).end().orElseThrow();
        RuleSet rules = Shipped.all();
        Outcome outcome = new Backtest(store, () -> rules, 0.01)
                .rehearse(
                        new Plan(
                                "low-cpu-use",
                                end.minus(Duration.ofDays(1)),
                                end.plusSeconds(3600),
                                Map.of(),
                                Duration.ofHours(1)),
                        done -> {},
                        () -> false);
        assertEquals(
                List.of("5"),
                outcome.episodes().stream().map(Backtest.Episode::job).toList());
    }

    private static Outcome rehearse(Store store, RuleSet rules, String rule, Map<String, String> settings)
            throws Exception {
        return new Backtest(store, () -> rules, 0.01)
                .rehearse(new Plan(rule, at(57_600), LATER, settings, Duration.ofHours(1)), done -> {}, () -> false);
    }

    @Test
    @DisplayName("a rule about users tells whom the live judge tells, on the day, and again only when it was over")
    void users() throws Exception {
        tenHours();
        RuleSet rules = Shipped.all().changed("--set", "user-low-cpu-efficiency", Map.of("hours_at_least", "100.0"));
        FindingRow live = judgedLive(rules, LATER, List.of()).stream()
                .filter(row -> row.rule().equals("user-low-cpu-efficiency"))
                .findFirst()
                .orElseThrow();

        Map<String, String> settings = Map.of("hours_at_least", "100.0");
        Outcome outcome = rehearse(store, rules, "user-low-cpu-efficiency", settings);
        assertEquals(1, outcome.told());
        Backtest.Episode told = outcome.episodes().get(0);
        assertEquals("anna", told.user());
        assertEquals(LATER, told.toldAt());
        assertEquals(live.summary(), told.summary());
        assertEquals(Optional.empty(), told.recoveredAt());
        assertEquals(1, outcome.judgements(), "one user at one instant");

        new UpkeepRound(store, 0.01, () -> at(50 * 3600)).run();
        Outcome later = new Backtest(store, () -> rules, 0.01)
                .rehearse(
                        new Plan(
                                "user-low-cpu-efficiency",
                                at(57_600),
                                at(57_600 + 20 * 86_400),
                                settings,
                                Duration.ZERO),
                        progress::add,
                        () -> false);
        assertEquals(20, progress.size(), "a day at a time");
        assertEquals(1, later.told(), "not told again while it is so");
        assertEquals(told.user(), later.episodes().get(0).user());
        assertEquals(at(57_600 + 86_400), later.episodes().get(0).toldAt());
        assertTrue(later.episodes().get(0).recoveredAt().isPresent(), "a week later nothing is left of it");
        String page = new BacktestText(ZoneOffset.UTC).page(later);
        assertTrue(page.contains("people told                                  1"), page);
    }

    @Test
    @DisplayName("a run that goes on at the time is a running one for a rule about users, whatever became of it")
    void stillRunning() throws Exception {
        tenHours();
        RuleSet rules = Shipped.all();
        Map<String, String> settings = Map.of("hours_above", "0.1", "used_below_ratio", "0.99");
        Plan before = new Plan("user-time-limits", at(57_600), at(90_000), settings, Duration.ZERO);
        Plan after = new Plan("user-time-limits", at(57_600), LATER, settings, Duration.ZERO);
        Backtest both = new Backtest(store, () -> rules, 0.01);
        Outcome then = both.rehearse(before, done -> {}, () -> false);
        assertEquals("3 jobs of yours", jobsMeant(then), "two of the five had not ended by then");
        assertEquals("5 jobs of yours", jobsMeant(both.rehearse(after, done -> {}, () -> false)));
    }

    private static String jobsMeant(Outcome outcome) {
        return outcome.episodes().get(0).summary().replaceFirst("(?s).*days (\\d jobs of yours).*", "$1");
    }

    @Test
    @DisplayName(
            "rules about waiting jobs, nodes and directories are refused with what is not kept; the others are not")
    void notKept() throws Exception {
        RuleSet rules = Shipped.all();
        List<String> refused = new ArrayList<>();
        for (Rule rule : rules.rules()) {
            if (rule.scope() == Rule.Scope.RUNNING_JOB) {
                continue;
            }
            try {
                rehearse(store, rules, rule.name());
            } catch (IllegalArgumentException sentence) {
                String said = String.valueOf(sentence.getMessage());
                assertTrue(
                        said.contains("kept of now only")
                                || said.contains("newest answer is kept")
                                || said.contains("only the present is kept"),
                        said);
                refused.add(rule.name());
            }
        }
        assertEquals(
                List.of(
                        "gpu-outside-jobs",
                        "pending-needs-memory-said",
                        "pending-never-starts",
                        "pending-though-gpus-free",
                        "scratch-over-share",
                        "scratch-owner-gone",
                        "scratch-untouched"),
                refused.stream().sorted().toList());
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
