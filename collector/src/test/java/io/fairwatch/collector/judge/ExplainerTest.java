package io.fairwatch.collector.judge;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Exemption;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.Ladder;
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
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** All shipped rules on a real store; jobs begin at noon, nodes report every 30 s. */
class ExplainerTest {
    private Store store;
    private Explainer explainer;
    private Judge judge;
    private Instant now = at(0);

    @BeforeEach
    void open(@TempDir Path temporary) throws Exception {
        store = DuckDbStore.open(temporary.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        List<RuleFile> files = new ArrayList<>();
        for (String name : resource("index.txt").lines().toList()) {
            files.add(new RuleFile(name, resource(name)));
        }
        RuleSet rules = RuleSet.read(files).changed("test", "user-zero-gpu-hours", Map.of("hours_at_least", "1.0"));
        Judge.Settings settings = new Judge.Settings(
                0.01, Duration.ofMinutes(5), new Ladder(List.of(new Ladder.Step(Ladder.Target.OWNER, Duration.ZERO))));
        explainer = new Explainer(store, () -> rules, () -> now, settings);
        judge = new Judge(store, rules, (finding, run, aim) -> Optional.empty(), () -> now, settings);
    }

    private static String resource(String name) throws Exception {
        try (InputStream in = Objects.requireNonNull(RuleSet.class.getResourceAsStream(name))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private void reports(int to, double use) throws StoreException {
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int end = 30; end <= to; end += 30) {
            snapshots.add(snapshot("node-a", end, at(end), gpu("GPU-a", use, 0)));
        }
        store.append(snapshots);
    }

    private void slurmSays(List<Run> runs, List<PendingJob> pending, List<SlurmNode> nodes) throws StoreException {
        store.saveView(new SlurmView(now, "lab", runs, pending, nodes));
    }

    private Explainer.RuleAnswer answer(String job, String rule) throws StoreException {
        return explainer.why(job).orElseThrow().parts().get(0).answers().stream()
                .filter(answer -> answer.rule().equals(rule))
                .findFirst()
                .orElseThrow();
    }

    @Test
    @DisplayName("a found job is told with what the rule saw, its thresholds, and what came of it")
    void found() throws StoreException {
        reports(7200, 0);
        now = at(7205);
        slurmSays(List.of(job(1).on(allocated("node-a", 0, "GPU-a")).asOf(now).run()), List.of(), List.of());
        judge.cycle(Set.of());
        Explainer.RuleAnswer idle = answer("1", "idle-gpu");
        assertEquals("finding", idle.verdict());
        assertTrue(idle.cancellable());
        assertEquals(0.01, idle.thresholds().get("busy_above_ratio"));
        assertEquals(0.0, idle.members().get(0).get("utilization_max_ratio"));
        assertEquals("GPU-a", idle.members().get(0).get("name"));
        assertEquals("found", idle.episodes().get(0).state());
        assertTrue(
                store.openFindings().stream()
                        .anyMatch(row -> row.subject().equals(new Subject.Person("lab", "anna"))
                                && row.rule().equals("user-zero-gpu-hours")
                                && row.summary().contains("2.0 GPU-hours")),
                store.openFindings().toString());
        String page = new WhyText(ZoneOffset.UTC).page(explainer.why("1").orElseThrow());
        assertTrue(page.startsWith("Job 1 of anna, running since 2026-11-20 12:00"), page);
        assertTrue(page.contains("\nFINDING idle-gpu: Its GPU has done nothing for 2 h."), page);
        assertTrue(page.contains("episode: found since 2026-11-20 14:00"), page);
    }

    @Test
    @DisplayName("a rule that lacks a fact says which")
    void notKnown() throws StoreException {
        reports(7200, 0.9);
        now = at(7205);
        slurmSays(List.of(job(1).on(allocated("node-a", 0, "GPU-a")).asOf(now).run()), List.of(), List.of());
        assertEquals("clear", answer("1", "idle-gpu").verdict());
        Explainer.RuleAnswer cores = answer("1", "too-many-cores-per-gpu");
        assertEquals("unknown", cores.verdict());
        assertTrue(
                cores.absent().containsAll(List.of("job.node_cpus", "job.node_gpus")),
                cores.absent().toString());
    }

    @Test
    @DisplayName("a job that waits though GPUs are free is told why, and the finding ends when it starts")
    void waiting() throws StoreException {
        SlurmNode node = new SlurmNode(
                "node-a", "mixed", OptionalInt.of(96), OptionalLong.of(1536L << 30), OptionalInt.of(16), "gpu:v100:16");
        GivenRun hog = job(1).on(allocated("node-a", 0, "GPU-a")).memory(1500L << 30);
        PendingJob waits = new PendingJob(
                "lab",
                2,
                "2",
                new Run.Owner("bob", OptionalInt.empty(), "es", "batch", "normal"),
                "train",
                at(0),
                "Resources",
                "cpu=6,mem=200G,node=1,gres/gpu=1,gres/gpu:v100=1");
        now = at(1800);
        slurmSays(List.of(hog.asOf(now).run()), List.of(waits), List.of(node));
        Explainer.RuleAnswer answer = answer("2", "pending-though-gpus-free");
        assertEquals("finding", answer.verdict());
        assertTrue(answer.why().contains("wants 200.0 GiB of memory, and 36.0 GiB are free there"), answer.why());
        judge.cycle(Set.of());
        now = at(1800 + 900);
        slurmSays(List.of(hog.asOf(now).run()), List.of(waits), List.of(node));
        judge.cycle(Set.of());
        assertEquals(1, store.openFindings().size());
        Explainer.RuleAnswer told = answer("2", "pending-though-gpus-free");
        assertEquals(1, told.episodes().size(), "what came of it is told of waiting jobs, too");
        assertEquals(Optional.empty(), told.excused());
        store.saveDecisions(new Store.Decisions(
                List.of(),
                List.of(),
                List.of(new Exemption(
                        "e",
                        Exemption.Scope.WAITING,
                        Exemption.valueOf(new Subject.Waiting("lab", 2, at(0))),
                        Optional.empty(),
                        now,
                        Optional.empty(),
                        "staff eva",
                        "promised")),
                List.of()));
        assertEquals(
                Optional.of("staff eva: promised"),
                answer("2", "pending-though-gpus-free").excused());
        String page = new WhyText(ZoneOffset.UTC).page(explainer.why("2").orElseThrow());
        assertTrue(page.contains("excused by: staff eva: promised\n"), page);
        slurmSays(List.of(hog.asOf(now).run()), List.of(), List.of(node));
        judge.cycle(Set.of());
        assertEquals(List.of(), store.openFindings());
    }

    @Test
    @DisplayName("nobody knows a job that never was, and what is no number is refused")
    void unknownJob() throws StoreException {
        assertEquals(Optional.empty(), explainer.why("9"));
        assertThrows(IllegalArgumentException.class, () -> explainer.why("9; rm"));
    }

    @Test
    @DisplayName("a run that ended gets its notes once, also when the collector looks again")
    void notes() throws StoreException {
        now = at(4000);
        slurmSays(List.of(), List.of(), List.of());
        store.saveRuns(List.of(job(5).until(at(3600))
                .timeLimit(Duration.ofDays(7))
                .asOf(at(3700))
                .run()));
        store.saveAccountingUntil(at(3900));
        judge.cycle(Set.of());
        judge.cycle(Set.of());
        assertEquals(
                List.of("time-limit-too-long"),
                store.findingsOf(5).stream().map(row -> row.rule()).toList());
        assertTrue(store.findingsOf(5).get(0).fix().contains("#SBATCH --time=01:30:00"));
        assertEquals(List.of(), store.openFindings());
    }

    @Test
    @DisplayName("a process outside of any job is found on its node, once it has lasted")
    void usersAndNodes() throws StoreException {
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int end = 600; end <= 172_800; end += 600) {
            snapshots.add(snapshot("node-a", end, at(end), gpu("GPU-a", 0, 0)));
        }
        store.append(snapshots);
        for (int end = 172_830; end <= 173_430; end += 30) {
            store.append(List.of(snapshot("node-a", end, at(end), gpu("GPU-a", 0, 0, outsider()))));
        }
        Run run = job(7).on(allocated("node-a", 0, "GPU-a")).asOf(at(173_440)).run();
        now = at(173_440);
        slurmSays(List.of(run), List.of(), List.of());
        judge.cycle(Set.of());
        now = at(173_440 + 301);
        for (int end = 173_460; end <= 173_730; end += 30) {
            store.append(List.of(snapshot("node-a", end, at(end), gpu("GPU-a", 0, 0, outsider()))));
        }
        slurmSays(List.of(job(7).on(allocated("node-a", 0, "GPU-a")).asOf(now).run()), List.of(), List.of());
        judge.cycle(Set.of());
        List<String> found = store.openFindings().stream()
                .filter(row -> row.state() == io.fairwatch.collector.store.FindingRow.State.FOUND)
                .map(row -> row.subject() + " " + row.rule())
                .toList();
        assertTrue(found.contains("OnNode[cluster=lab, node=node-a] gpu-outside-jobs"), found.toString());
    }

    private static io.fairwatch.agent.wire.GpuProcess outsider() {
        return new io.fairwatch.agent.wire.GpuProcess(
                99,
                io.fairwatch.agent.wire.GpuProcess.Kind.COMPUTE,
                OptionalInt.of(21007),
                Optional.empty(),
                OptionalLong.of(1L << 20),
                java.util.OptionalDouble.empty());
    }
}
