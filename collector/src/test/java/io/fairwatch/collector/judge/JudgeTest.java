package io.fairwatch.collector.judge;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.process;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.Given.untranslated;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.judge.Judge.Cycle;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.FindingRow.State;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.Overrides;
import io.fairwatch.rules.RuleSet.RuleException;
import io.fairwatch.rules.RuleSet.RuleFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The shipped rule for idle GPUs, with a window and a warm-up of 10 min and an end after 20 min, on a real store. Nodes
 * report every 30 s; jobs begin at noon.
 */
class JudgeTest {
    private static final String A = "GPU-a";
    private static final String B = "GPU-b";

    private Path directory;
    private Store store;
    private Judge judge;
    private Instant now = at(0);
    private final List<FindingRow> planned = new ArrayList<>();
    private Episodes.Planner planner = (finding, run, aim) -> {
        planned.add(finding);
        return Optional.of(List.of(notice(finding)));
    };

    @BeforeEach
    void open(@TempDir Path temporary) throws Exception {
        directory = temporary.resolve("store");
        start();
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private void start() throws StoreException, IOException, RuleException {
        store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS);
        judge = judge(idleGpuRule("10m"));
    }

    private Judge judge(RuleSet rules) {
        return new Judge(
                store,
                rules,
                (finding, run, aim) -> planner.plan(finding, run, aim),
                () -> now,
                new Judge.Settings(
                        0.01,
                        Duration.ofMinutes(5),
                        new Ladder(List.of(new Ladder.Step(Ladder.Target.OWNER, Duration.ZERO)))));
    }

    /** The collector is killed and started again. */
    private void restart() throws Exception {
        store.close();
        start();
    }

    private static RuleSet idleGpuRule(String window) throws IOException, RuleException {
        try (InputStream in = Objects.requireNonNull(RuleSet.class.getResourceAsStream("idle-gpu.yaml"))) {
            return RuleSet.read(
                    List.of(new RuleFile("idle-gpu.yaml", new String(in.readAllBytes(), StandardCharsets.UTF_8))),
                    new Overrides(
                            "test",
                            Map.of("idle-gpu", Map.of("window", window, "warm_up", window, "resolve_after", "20m"))));
        }
    }

    private static Notice notice(FindingRow finding) {
        return new Notice(
                finding.run().jobId() + " " + finding.rule() + " " + finding.since(),
                finding.run(),
                finding.rule(),
                finding.since(),
                new Notice.Aim(1, Notice.Channel.OWNER, Notice.Topic.FINDING, finding.user()),
                finding.user(),
                Optional.empty(),
                Notice.State.PLANNED,
                Optional.empty(),
                finding.since(),
                finding.since(),
                0,
                "");
    }

    /** Snapshots of node-a, one at the end of each period of 30 s within {@code [from, to)} seconds. */
    private void reports(int from, int to, GpuReading... gpus) throws StoreException {
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int end = from + 30; end <= to; end += 30) {
            snapshots.add(snapshot("node-a", end, at(end), gpus));
        }
        store.append(snapshots);
    }

    private void slurmSays(GivenRun... jobs) throws StoreException {
        List<Run> runs = new ArrayList<>();
        for (GivenRun job : jobs) {
            runs.add(job.asOf(now).run());
        }
        store.saveView(new SlurmView(now, "lab", runs, List.of(), List.of()));
    }

    /** Slurm answers, and all are judged. */
    private Cycle cycle(int seconds, GivenRun... jobs) throws StoreException {
        now = at(seconds);
        slurmSays(jobs);
        return judge.cycle(Set.of());
    }

    private static Cycle judged(int runs, int findings, int unknown) {
        return new Cycle(runs, findings, unknown, Optional.empty());
    }

    private List<Notice> notices() throws StoreException {
        return store.noticesIn(List.of(Notice.State.values()));
    }

    private FindingRow only(long jobId) throws StoreException {
        List<FindingRow> rows = store.findingsOf(jobId);
        assertEquals(1, rows.size(), rows.toString());
        return rows.get(0);
    }

    private static GivenRun oneGpu(long jobId) {
        return job(jobId).on(allocated("node-a", 0, A));
    }

    private static GpuReading idle(String uuid) {
        return gpu(uuid, 0, 0);
    }

    private static GpuReading busy(String uuid, long jobId) {
        return gpu(uuid, 0.9, 0, process(100, jobId));
    }

    // ---- who is found

    @Test
    @DisplayName("an idle job is found once, and its owner is to be told once")
    void idleJob() throws StoreException {
        reports(0, 600, gpu(A, 0, 0, process(100, 1)));
        assertEquals(judged(1, 1, 0), cycle(605, oneGpu(1)));
        assertEquals(
                new FindingRow(
                        oneGpu(1).run().key(),
                        "idle-gpu",
                        at(605),
                        State.FOUND,
                        at(605),
                        Optional.empty(),
                        Optional.empty(),
                        "anna",
                        "Its GPU has done nothing for 10 min. It has not been used since the job started.",
                        only(1).fix(),
                        only(1).evidence(),
                        new FindingRow.Progress(1, 0, Optional.empty()),
                        Map.of("da", only(1).said("da"))),
                only(1));
        assertTrue(only(1).fix().contains("scancel 1\n"), only(1).fix());
        assertEquals(
                "Jobbets GPU har ikke lavet noget i 10 min. Den har ikke v\u00e6ret brugt, siden jobbet startede.",
                only(1).said("da").summary());
        assertEquals(only(1).summary(), only(1).said("fr").summary());
        assertEquals(List.of(notice(only(1))), notices());

        reports(600, 660, gpu(A, 0, 0, process(100, 1)));
        assertEquals(judged(1, 1, 0), cycle(665, oneGpu(1)));
        assertEquals(at(605), only(1).since());
        assertEquals(at(665), only(1).lastSeen());
        assertEquals(1, planned.size());
    }

    @Test
    @DisplayName("the numbers behind a finding are kept, and which GPUs it means")
    void evidence() throws StoreException {
        reports(0, 600, idle(A), busy(B, 1));
        cycle(605, job(1).on(allocated("node-a", 0, A), allocated("node-a", 1, B)));
        assertEquals(
                "{\"idle_gpus\":1,\"allocated_gpus\":2,\"idle_seconds\":600,\"idle_gpu_seconds\":600,"
                        + "\"memory_held_bytes\":1073741824,\"lowest_coverage\":1.0,\"busy_above_ratio\":0.01,"
                        + "\"memory_held_above_bytes\":1073741824,\"loaded_model_memory_ratio\":0.5,"
                        + "\"selected\":[\"GPU-a\"]}",
                only(1).evidence());
    }

    @Test
    @DisplayName("a busy job is not found")
    void busyJob() throws StoreException {
        reports(0, 600, busy(A, 1));
        assertEquals(judged(1, 0, 0), cycle(605, oneGpu(1)));
        assertEquals(List.of(), store.findingsOf(1));
        assertEquals(List.of(), notices());
    }

    @Test
    @DisplayName("one busy moment in the window is enough")
    void oneBusyMoment() throws StoreException {
        reports(0, 30, busy(A, 1));
        reports(30, 600, idle(A));
        assertEquals(judged(1, 0, 0), cycle(605, oneGpu(1)));
        // half a minute later it has left the window
        reports(600, 630, idle(A));
        assertEquals(judged(1, 1, 0), cycle(635, oneGpu(1)));
        assertTrue(only(1).summary().contains("It was busy earlier"), only(1).summary());
    }

    @Test
    @DisplayName("one idle GPU of two is a finding of that one")
    void oneOfTwo() throws StoreException {
        reports(0, 600, busy(A, 1), idle(B));
        cycle(605, job(1).on(allocated("node-a", 0, A), allocated("node-a", 1, B)));
        assertTrue(only(1).summary().startsWith("1 of its 2 GPUs has done nothing for 10 min."), only(1).summary());
        assertTrue(only(1).evidence().endsWith("\"selected\":[\"GPU-b\"]}"), only(1).evidence());
    }

    @Test
    @DisplayName("a job without any process on its GPU is found, and told so")
    void noProcess() throws StoreException {
        reports(0, 600, idle(A));
        cycle(605, oneGpu(1));
        assertTrue(
                only(1).summary().endsWith("No process of the job was on it in the last 10 min."), only(1).summary());
    }

    @Test
    @DisplayName("what the last owner of a GPU did does not count for the next")
    void formerOwner() throws StoreException {
        reports(0, 300, busy(A, 7));
        reports(300, 900, idle(A));
        cycle(905, oneGpu(2).from(at(300)));
        assertTrue(only(2).summary().contains("It has not been used since the job started."), only(2).summary());
    }

    @Test
    @DisplayName("jobs without GPUs are not bothered, even on a node whose GPUs are idle")
    void withoutGpus() throws StoreException {
        reports(0, 600, idle(A), gpu(B, 0, 0, process(100, 2)));
        assertEquals(judged(3, 0, 0), cycle(605, job(1), job(2), job(3).gpusNotTold()));
        assertEquals(List.of(), store.openFindings());
    }

    // ---- who cannot be judged

    @Test
    @DisplayName(
            "a run of which people are to be told is judged by all rules at once; one whose mail only waits is not")
    void toTell() throws Exception {
        judge = judge(idleGpuRule("60m"));
        reports(0, 3660, idle(A));
        assertEquals(judged(1, 1, 0), cycle(3605, oneGpu(1)));
        Notice notice = notices().get(0);
        assertTrue(judge.isCertain(notice), "just found");
        now = at(3665);
        slurmSays(oneGpu(1));
        judge.cycle(Set.of());
        assertFalse(judge.isCertain(notice), "the rule rests, so it may have ceased to be true");
        Set<Subject> toTell = Set.of(oneGpu(1).run().key());
        judge.cycle(toTell);
        assertTrue(judge.isCertain(notice), "it is still so");
        reports(3660, 3720, busy(A, 1));
        now = at(3725);
        slurmSays(oneGpu(1));
        judge.cycle(toTell);
        assertFalse(judge.isCertain(notice));
        assertEquals(Optional.of(at(3725)), only(1).clearSince());
    }

    @Test
    @DisplayName("what a rule found ends when the rule is taken away")
    void ruleTakenAway() throws Exception {
        judge = judge(idleGpuRule("60m"));
        reports(0, 3660, idle(A));
        cycle(3605, oneGpu(1));
        assertEquals(FindingRow.State.FOUND, only(1).state());
        judge = judge(Shipped.only(List.of("serial-on-many-cores"), Map.of()));
        assertEquals(judged(1, 0, 0), cycle(3665, oneGpu(1)));
        assertEquals(List.of(), store.openFindings());
        assertEquals(FindingRow.State.RESOLVED, store.findingsOf(1).get(0).state());
    }

    @Test
    @DisplayName("with a rule those that cover it are asked, however long their windows are")
    void coveringRulesAreAsked() throws Exception {
        List<RuleFile> files = new ArrayList<>();
        for (String name : List.of("gpu-memory-hoarded.yaml", "idle-gpu.yaml")) {
            try (InputStream in = Objects.requireNonNull(RuleSet.class.getResourceAsStream(name))) {
                files.add(new RuleFile(name, new String(in.readAllBytes(), StandardCharsets.UTF_8)));
            }
        }
        judge = judge(RuleSet.read(
                files,
                new Overrides(
                        "test",
                        Map.of(
                                "idle-gpu",
                                Map.<String, Object>of("window", "30m", "warm_up", "30m"),
                                "gpu-memory-hoarded",
                                Map.<String, Object>of("memory_held_ratio", 0.01)))));
        planner = (finding, run, aim) -> Optional.of(List.of());
        reports(0, 7500, gpu(A, 0, 0, process(100, 1)));
        cycle(7205, oneGpu(1));
        cycle(7365, oneGpu(1));
        assertEquals(
                List.of("gpu-memory-hoarded"),
                store.openFindings().stream().map(FindingRow::rule).toList());
    }

    @Test
    @DisplayName("a rule whose window is an hour is asked every five minutes, as a mean over an hour changes slowly")
    void longWindowsRest() throws Exception {
        judge = judge(idleGpuRule("60m"));
        planner = (finding, run, aim) -> Optional.of(List.of());
        reports(0, 3600, idle(A));
        assertEquals(judged(1, 1, 0), cycle(3605, oneGpu(1)));
        reports(3600, 3900, busy(A, 1));
        assertEquals(judged(1, 0, 0), cycle(3665, oneGpu(1)));
        assertEquals(judged(1, 0, 0), cycle(3904, oneGpu(1)));
        assertEquals(Optional.empty(), only(1).clearSince(), "nobody asked");
        assertEquals(judged(1, 0, 0), cycle(3905, oneGpu(1)));
        assertEquals(Optional.of(at(3905)), only(1).clearSince());
    }

    @Test
    @DisplayName("before Slurm has answered nobody is judged")
    void noView() throws StoreException {
        assertEquals(new Cycle(0, 0, 0, Optional.of("Slurm has not answered yet")), judge.cycle(Set.of()));
    }

    @Test
    @DisplayName("on a stale answer of Slurm nobody is judged and nothing is changed")
    void staleView() throws StoreException {
        reports(0, 1200, idle(A));
        cycle(605, oneGpu(1));
        FindingRow before = only(1);
        store.saveRuns(List.of(oneGpu(1).until(at(650)).run()));
        now = at(605 + 301);
        assertEquals(
                new Cycle(0, 0, 0, Optional.of("Slurm's newest answer is of 2026-11-20T12:10:05Z")),
                judge.cycle(Set.of()));
        assertEquals(before, only(1));
        // at the limit it is fresh
        now = at(605 + 300);
        assertEquals(Optional.empty(), judge.cycle(Set.of()).skipped());
    }

    @Test
    @DisplayName("a run that the newest answer does not name is left alone")
    void missingFromView() throws StoreException {
        reports(0, 660, idle(A), idle(B));
        cycle(605, oneGpu(1));
        FindingRow before = only(1);
        assertEquals(judged(0, 0, 0), cycle(665));
        assertEquals(before, only(1));
    }

    @Test
    @DisplayName("with too few readings it is unknown whether a GPU was idle, and nobody hears of it")
    void tooLittleCoverage() throws StoreException {
        reports(0, 300, idle(A));
        reports(390, 600, idle(A)); // 510 s of 600 s: 85 %
        assertEquals(judged(1, 0, 1), cycle(605, oneGpu(1)));
        assertEquals(List.of(), store.findingsOf(1));
        assertEquals(List.of(), planned);
    }

    @Test
    @DisplayName("a node that fell silent makes its jobs unknown, and what was found of them stays")
    void silentNode() throws StoreException {
        reports(0, 600, idle(A));
        cycle(605, oneGpu(1));
        FindingRow before = only(1);
        assertEquals(judged(1, 0, 1), cycle(900, oneGpu(1)));
        assertEquals(before, only(1));
    }

    @Test
    @DisplayName("a GPU whose device is not known cannot be called idle")
    void untranslatedGpu() throws StoreException {
        reports(0, 600, idle(A));
        assertEquals(judged(1, 0, 1), cycle(605, job(1).on(untranslated("node-a", 0))));
    }

    @Test
    @DisplayName("GPUs that Slurm gave and did not name cannot be called idle")
    void unnamedGpus() throws StoreException {
        reports(0, 600, idle(A));
        assertEquals(judged(1, 0, 1), cycle(605, job(1).gpus(2)));
    }

    @Test
    @DisplayName("a suspended job is left alone, and so is what was found of it")
    void suspended() throws StoreException {
        reports(0, 600, idle(A), idle(B));
        GivenRun other = job(2).on(allocated("node-a", 1, B)).state(JobState.SUSPENDED);
        cycle(605, oneGpu(1), other);
        assertEquals(List.of(), store.findingsOf(2));
        FindingRow before = only(1);
        reports(600, 660, idle(A), idle(B));
        assertEquals(judged(0, 0, 0), cycle(665, oneGpu(1).state(JobState.SUSPENDED), other));
        assertEquals(before, only(1));
    }

    @Test
    @DisplayName(
            "idleness while suspended is no fault; once a whole window has passed since it was resumed, idleness is")
    void resumed() throws StoreException {
        reports(0, 1200, idle(A), idle(B));
        GivenRun job = oneGpu(1).suspended(Duration.ofMinutes(5)).resumed(at(300));
        assertEquals(judged(1, 0, 1), cycle(605, job));
        assertEquals(judged(1, 1, 0), cycle(905, job));
        // idle since noon; what counts is the time since it was resumed, at 300
        assertTrue(only(1).evidence().contains("\"idle_seconds\":605"), only(1).evidence());

        assertEquals(judged(1, 0, 1), cycle(1205, oneGpu(1).suspended(Duration.ofMinutes(5))), "not told when");
    }

    @Test
    @DisplayName("one job whose facts make no sense does not keep others from being judged")
    void oddFacts() throws StoreException {
        reports(0, 600, idle(A), idle(B));
        assertEquals(judged(2, 1, 1), cycle(605, oneGpu(1).cpus(-1), job(2).on(allocated("node-a", 1, B))));
        assertEquals(List.of(), store.findingsOf(1));
        assertEquals(State.FOUND, only(2).state());
    }

    @Test
    @DisplayName("a notice that cannot be planned keeps back its own finding alone, which is made at the next cycle")
    void planFails() throws StoreException {
        Episodes.Planner good = planner;
        planner = (finding, run, aim) -> {
            if (finding.run().jobId() == 1) {
                throw new IllegalStateException("as told");
            }
            return good.plan(finding, run, aim);
        };
        reports(0, 600, idle(A), idle(B));
        GivenRun other = job(2).on(allocated("node-a", 1, B));
        assertEquals(judged(2, 1, 1), cycle(605, oneGpu(1), other));
        assertEquals(List.of(), store.findingsOf(1));
        assertEquals(1, store.noticesOf(2).size());

        planner = good;
        assertEquals(judged(2, 2, 0), cycle(615, oneGpu(1), other));
        assertEquals(1, store.noticesOf(1).size());
        assertEquals(1, store.noticesOf(2).size());
    }

    // ---- how an episode goes on

    @Test
    @DisplayName("it ends when the GPU has worked again for long enough; a later one is another, with its own notice")
    void worksAgain() throws StoreException {
        reports(0, 600, idle(A));
        cycle(605, oneGpu(1));
        reports(600, 1830, busy(A, 1));
        cycle(635, oneGpu(1));
        assertEquals(State.FOUND, only(1).state());
        assertEquals(Optional.of(at(635)), only(1).clearSince());
        assertEquals(at(605), only(1).lastSeen());
        cycle(1834, oneGpu(1));
        assertEquals(State.FOUND, only(1).state());
        cycle(1835, oneGpu(1));
        assertEquals(State.RESOLVED, only(1).state());
        assertTrue(only(1).summary().startsWith("Its GPU has done nothing"), "what was said of it stays");

        reports(1830, 2430, idle(A));
        cycle(2435, oneGpu(1));
        assertEquals(
                List.of(State.FOUND, State.RESOLVED),
                store.findingsOf(1).stream().map(FindingRow::state).toList());
        assertEquals(2, notices().size());
    }

    @Test
    @DisplayName("idle again before that is the same matter, and nobody is told again")
    void relapse() throws StoreException {
        reports(0, 600, idle(A));
        cycle(605, oneGpu(1));
        reports(600, 630, busy(A, 1));
        cycle(635, oneGpu(1));
        reports(630, 1260, idle(A));
        cycle(1265, oneGpu(1));
        assertEquals(State.FOUND, only(1).state());
        assertEquals(Optional.empty(), only(1).clearSince());
        assertEquals(1, planned.size());
    }

    @Test
    @DisplayName("it ends with the run")
    void runEnds() throws StoreException {
        reports(0, 600, idle(A));
        cycle(605, oneGpu(1));
        store.saveRuns(List.of(oneGpu(1).until(at(650)).run()));
        assertEquals(judged(0, 0, 0), cycle(665));
        assertEquals(State.RESOLVED, only(1).state());
        assertEquals(Optional.of(at(665)), only(1).clearSince());
        assertEquals(List.of(), store.openFindings());
    }

    @Test
    @DisplayName("a requeued job's new run is judged by what it does itself")
    void requeued() throws StoreException {
        reports(0, 600, idle(A));
        cycle(605, oneGpu(1));
        store.saveRuns(List.of(oneGpu(1).until(at(610)).run()));
        reports(600, 660, idle(A));
        assertEquals(judged(1, 0, 0), cycle(665, oneGpu(1).from(at(615))));
        assertEquals(State.RESOLVED, only(1).state());
    }

    @Test
    @DisplayName("a collector that was killed goes on where it stood, and tells nobody again")
    void killed() throws Exception {
        reports(0, 600, idle(A));
        cycle(605, oneGpu(1));
        restart();
        reports(600, 660, idle(A));
        assertEquals(judged(1, 1, 0), cycle(665, oneGpu(1)));
        assertEquals(at(605), only(1).since());
        assertEquals(1, planned.size());
        assertEquals(1, notices().size());
    }

    @Test
    @DisplayName("that the owner was told is kept")
    void told() throws StoreException {
        reports(0, 600, idle(A));
        cycle(605, oneGpu(1));
        FindingRow found = only(1);
        store.saveFindings(List.of(found.delivered(1, true, at(610))), List.of());
        reports(600, 660, idle(A));
        cycle(665, oneGpu(1));
        assertEquals(State.TOLD, only(1).state());
        assertEquals(Optional.of(at(610)), only(1).toldAt());
        assertEquals(1, planned.size());
    }
}
