package io.fairwatch.collector.judge;

import static io.fairwatch.collector.store.Given.BOOT;
import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.cgroup;
import static io.fairwatch.collector.store.Given.device;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.process;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.LiveRuns;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Shipped rules, from stored readings to what is found: windows of ten minutes, nodes that report every 30 s. */
class RulesOnReadingsTest {
    private static final SlurmNode DGX = new SlurmNode(
            "node-a", "mixed", OptionalInt.of(96), OptionalLong.of(1440L << 30), OptionalInt.of(16), "gpu:v100:16");

    private Store store;
    private Instant now = at(605);
    private List<SlurmNode> nodes = List.of(DGX);
    private List<PendingJob> pending = List.of();

    /** Up to so many running jobs are all judged by the store. */
    int many() {
        return Integer.MAX_VALUE;
    }

    Store store() {
        return store;
    }

    @BeforeEach
    void open(@TempDir Path temporary) throws Exception {
        store = DuckDbStore.open(temporary.resolve("store"), DuckDbStore.Settings.DEFAULTS);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    /** One snapshot. */
    private interface Moment {
        NodeSnapshot at(int second);
    }

    private void reports(int to, Moment moment) throws StoreException {
        store.append(IntStream.rangeClosed(1, to / 30)
                .mapToObj(number -> moment.at(number * 30))
                .toList());
    }

    private static NodeSnapshot node(int second, List<GpuReading> gpus, JobCgroup... jobs) {
        return snapshot("node-a", BOOT, second, at(second), gpus, List.of(jobs));
    }

    private Judge judge(String rule, Map<String, Object> more) throws Exception {
        Map<String, Object> settings = new HashMap<>(Map.of("window", "10m", "warm_up", "10m", "hold", "0s"));
        settings.putAll(more);
        RuleSet rules = Shipped.only(List.of(rule), Map.of(rule, settings));
        return new Judge(
                store,
                live(),
                () -> rules,
                (finding, run, aim) -> Optional.of(List.of(notice(finding))),
                () -> now,
                new Judge.Settings(
                        0.01,
                        Duration.ofMinutes(5),
                        new Ladder(List.of(new Ladder.Step(Ladder.Target.OWNER, Duration.ZERO)))),
                many());
    }

    /** What is known without asking the store. */
    private LiveRuns live() throws StoreException {
        LiveRuns live = new LiveRuns(0.01);
        if (many() == 0) {
            live.follow(store, store.liveRuns(), now);
        }
        return live;
    }

    private static Notice notice(FindingRow finding) {
        return new Notice(
                finding.subject() + " " + finding.rule() + " " + finding.since(),
                finding.subject(),
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

    private void slurmSays(GivenRun... jobs) throws StoreException {
        List<Run> runs = new ArrayList<>();
        for (GivenRun job : jobs) {
            runs.add(job.asOf(now).run());
        }
        store.saveView(new SlurmView(now, "lab", runs, pending, nodes));
    }

    private Judge.Cycle cycle(String rule, Map<String, Object> more, GivenRun... jobs) throws Exception {
        slurmSays(jobs);
        return judge(rule, more).cycle(Set.of());
    }

    private FindingRow only() throws StoreException {
        List<FindingRow> rows = store.openFindings();
        assertEquals(1, rows.size(), rows.toString());
        return rows.get(0);
    }

    private static Judge.Cycle judged(int runs, int findings, int unknown) {
        return new Judge.Cycle(runs, findings, unknown, Optional.empty());
    }

    /** A GPU that says more of itself. */
    private static GpuReading drawing(String uuid, double busy, double traffic, double watts, GpuProcess... processes) {
        return new GpuReading(
                device(uuid),
                Optional.of(new Utilization(busy, busy, busy, 178, Utilization.Source.RING)),
                Optional.of(new Utilization(traffic, traffic, traffic, 178, Utilization.Source.RING)),
                OptionalLong.of(1L << 30),
                OptionalLong.of(1L << 20),
                OptionalDouble.of(watts),
                OptionalDouble.of(350),
                OptionalDouble.of(0),
                OptionalDouble.of(61),
                OptionalDouble.of(1.53e9),
                Optional.of(List.of(processes)),
                Optional.empty());
    }

    private static GivenRun oneGpu(long id) {
        return job(id).on(allocated("node-a", 0, "GPU-a"));
    }

    // ---- rules

    @Test
    @DisplayName("keep-alive: a GPU that looks busy, draws little, reads no memory and is fed by no CPU")
    void keepAlive() throws Exception {
        reports(
                600,
                second -> node(
                        second,
                        List.of(
                                drawing("GPU-a", 1, 0, 80, process(1, 1)),
                                drawing("GPU-b", 1, 0.4, 290, process(2, 2))),
                        cgroup(1, second, 1 << 30, 2),
                        cgroup(2, second, 1 << 30, 2)));
        assertEquals(
                judged(2, 1, 0), cycle("keep-alive", Map.of(), oneGpu(1), job(2).on(allocated("node-a", 1, "GPU-b"))));
        assertTrue(only().summary().contains("it draws 80 W of 350 W"), only().summary());
        assertEquals(1, only().run().jobId());
    }

    @Test
    @DisplayName("gpu-not-held: a process on a GPU that was not given, but never one in a shard or by MPS")
    void notHeldInParts() throws Exception {
        reports(
                600,
                second -> node(second, List.of(gpu("GPU-a", 0.9, 0, process(1, 1), process(2, 2), process(3, 3)))));
        assertEquals(
                judged(3, 1, 0),
                cycle(
                        "gpu-not-held",
                        Map.of(),
                        job(1).gpus(0).tres("cpu=1,node=1"),
                        job(2).gpus(0).tres("cpu=1,node=1,gres/shard=4"),
                        job(3).gpus(0).tres("cpu=1,node=1,gres/mps=50")));
        assertEquals(1, only().run().jobId());
    }

    @Test
    @DisplayName("gpus-not-together: two GPUs that take turns")
    void notTogether() throws Exception {
        reports(
                600,
                second -> node(
                        second,
                        List.of(
                                gpu("GPU-a", second <= 240 ? 0.9 : 0, 0, process(1, 1)),
                                gpu("GPU-b", second > 360 ? 0.9 : 0, 0, process(2, 1)),
                                gpu("GPU-c", 0.9, 0, process(3, 2)),
                                gpu("GPU-d", 0.9, 0, process(4, 2)))));
        assertEquals(
                judged(2, 1, 0),
                cycle(
                        "gpus-not-together",
                        Map.of(),
                        job(1).on(allocated("node-a", 0, "GPU-a"), allocated("node-a", 1, "GPU-b")),
                        job(2).on(allocated("node-a", 2, "GPU-c"), allocated("node-a", 3, "GPU-d"))));
        assertTrue(only().summary().contains("It holds 2 GPUs"), only().summary());
        assertTrue(only().fix().contains("#SBATCH --gres=gpu:1\n"), only().fix());
    }

    @Test
    @DisplayName("too many cores and too much memory with one GPU of a DGX-2: its share is 6 CPUs and 90 GiB")
    void shareOfTheNode() throws Exception {
        reports(
                600,
                second -> node(
                        second, List.of(gpu("GPU-a", 0.9, 0, process(1, 1))), cgroup(1, 2.0 * second, 20L << 30, 3)));
        GivenRun greedy = oneGpu(1).cpus(40).memory(700L << 30);
        assertEquals(judged(1, 1, 0), cycle("too-many-cores-per-gpu", Map.of(), greedy));
        assertTrue(
                only().summary().contains("holds 40 CPUs with 1 GPU; their share of the node is 6"), only().summary());
        assertTrue(only().fix().contains("#SBATCH --cpus-per-task=3"), only().fix());
        assertEquals(judged(1, 1, 0), cycle("too-much-memory-per-gpu", Map.of(), greedy));
        FindingRow memory = store.findingsOf(1).stream()
                .filter(row -> row.rule().equals("too-much-memory-per-gpu"))
                .findFirst()
                .orElseThrow();
        assertTrue(memory.fix().contains("#SBATCH --mem=24G"), memory.fix());
        assertEquals(
                judged(1, 0, 0),
                cycle("too-many-cores-per-gpu", Map.of(), oneGpu(1).cpus(6)));
    }

    @Test
    @DisplayName("CPU time and memory of a job that its node was silent about for long are not known")
    void silentCgroup() throws Exception {
        reports(
                600,
                second -> second <= 300
                        ? node(second, List.of(gpu("GPU-a", 0.9, 0, process(1, 1))))
                        : node(second, List.of(gpu("GPU-a", 0.9, 0, process(1, 1))), cgroup(1, second, 20L << 30, 3)));
        assertEquals(
                judged(1, 0, 1),
                cycle("too-many-cores-per-gpu", Map.of(), oneGpu(1).cpus(40)));
    }

    @Test
    @DisplayName("scratch that is a large part of a full disk, that nobody wrote to, and whose owner is gone")
    void scratch() throws Exception {
        ScratchUse raid = new ScratchUse(
                "/raid",
                30_000_000_000_000L,
                28_000_000_000_000L,
                2_000_000_000_000L,
                OptionalLong.empty(),
                OptionalLong.empty(),
                Optional.of(new ScratchUse.Directories(
                        "walk",
                        at(0),
                        List.of(
                                directory("its.anna", "anna", ScratchUse.Owner.KNOWN, 12_000_000_000_000L, 1),
                                directory("its.bo", "bo", ScratchUse.Owner.KNOWN, 5_000_000_000L, 100),
                                directory("its.gone", "1234", ScratchUse.Owner.GONE, 7_000_000_000L, 300)),
                        0)),
                Optional.empty());
        reports(60, second -> {
            NodeSnapshot plain = node(second, List.of());
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
                    List.of(raid));
        });
        now = at(65);
        assertEquals(judged(0, 1, 0), cycle("scratch-over-share", Map.of()));
        assertEquals("anna", only().user());
        assertTrue(
                only().summary().contains("/raid/its.anna on node-a holds 10.9 TiB, 40 % of the disk"),
                only().summary());
        assertEquals(judged(0, 2, 0), cycle("scratch-untouched", Map.of()), "bo, and who is gone");
        assertEquals(judged(0, 1, 0), cycle("scratch-owner-gone", Map.of()));
        assertTrue(store.openFindings().stream()
                .anyMatch(row -> row.rule().equals("scratch-owner-gone")
                        && row.summary().contains("6.5 GiB lie in 1 directory whose owners are gone: /raid/its.gone")));
    }

    private static ScratchUse.DirectoryUse directory(
            String name, String owner, ScratchUse.Owner is, long bytes, int daysUntouched) {
        return new ScratchUse.DirectoryUse(
                name,
                OptionalInt.of(1000),
                Optional.of(owner),
                is,
                bytes,
                10,
                Optional.of(at(0).minus(Duration.ofDays(daysUntouched))),
                Optional.empty());
    }

    @Test
    @DisplayName("a node whose GPUs Slurm does not manage: who touches none is told, who uses one is no thief")
    void unmanagedGpus() throws Exception {
        nodes = List.of(new SlurmNode(
                "node-a", "mixed", OptionalInt.of(32), OptionalLong.of(1L << 38), OptionalInt.empty(), ""));
        reports(
                600,
                second -> node(
                        second,
                        List.of(gpu("GPU-a", 0.9, 0, process(2, 2)), gpu("GPU-b", 0, 0)),
                        cgroup(1, second, 1 << 30, 2),
                        cgroup(2, second, 1 << 30, 2)));
        assertEquals(judged(2, 1, 0), cycle("gpu-node-unused", Map.of(), job(1), job(2)));
        assertEquals(1, only().run().jobId());
        assertTrue(
                only().summary().startsWith("It runs on node-a, which has 2 GPUs, and has touched none"),
                only().summary());
        assertEquals(judged(2, 0, 0), cycle("gpu-not-held", Map.of(), job(1), job(2)));
        // where Slurm manages them, holding none is no waste
        nodes = List.of(DGX);
        assertEquals(judged(2, 0, 0), cycle("gpu-node-unused", Map.of(), job(1), job(2)));
    }

    @Test
    @DisplayName("gpu-not-held: a job that computes on a card that it was not given; what its own did is doubtful then")
    void notHeld() throws Exception {
        reports(600, second -> node(second, List.of(gpu("GPU-a", 0, 0), gpu("GPU-b", 0.9, 0, process(1, 1)))));
        assertEquals(judged(1, 1, 0), cycle("gpu-not-held", Map.of(), oneGpu(1)));
        assertTrue(
                only().summary().startsWith("It runs on 1 GPU that it does not hold (node-a GPU-b); it holds 1"),
                only().summary());
        assertEquals(judged(1, 0, 1), cycle("idle-gpu", Map.of(), oneGpu(1)));
    }

    @Test
    @DisplayName("of a node whose GPUs were not watched all the time it is not known whether a job touched one")
    void unmanagedAndUnseen() throws Exception {
        nodes = List.of(new SlurmNode(
                "node-a", "mixed", OptionalInt.of(32), OptionalLong.of(1L << 38), OptionalInt.empty(), ""));
        reports(
                600,
                second -> node(
                        second,
                        second < 300 ? List.of(gpu("GPU-a", 0, 0)) : List.of(gpu("GPU-a", 0, 0), gpu("GPU-b", 0, 0)),
                        cgroup(1, second, 1 << 30, 2)));
        assertEquals(judged(1, 0, 1), cycle("gpu-node-unused", Map.of(), job(1)));
    }

    // ---- one among many

    @Test
    @DisplayName("of a hundred idle jobs one has data that make no sense, and one has none: the others are found")
    void hundredJobs() throws Exception {
        List<GpuReading> gpus = new ArrayList<>();
        GivenRun[] jobs = new GivenRun[100];
        for (int i = 0; i < 100; i++) {
            if (i != 70) {
                gpus.add(gpu("GPU-" + i, 0, 0));
            }
            jobs[i] = job(i + 1).on(allocated("node-a", i, "GPU-" + i)).owner("user" + i, "es", "batch", "normal");
        }
        jobs[40].cpus(-7);
        reports(600, second -> node(second, gpus));
        assertEquals(judged(100, 98, 2), cycle("idle-gpu", Map.of(), jobs));
        assertEquals(98, store.openFindings().size());
        assertEquals(98, store.noticesIn(List.of(Notice.State.values())).size());
        assertEquals(List.of(), store.findingsOf(41));
        assertEquals(List.of(), store.findingsOf(71));
    }

    // ---- whom a rule leaves alone, and for whom it is different

    @Test
    @DisplayName("a reservation or a word of the comment exempts until the exemption ends")
    void exemptions() throws Exception {
        reports(
                600,
                second -> node(
                        second,
                        List.of(gpu("GPU-a", 0, 0), gpu("GPU-b", 0, 0), gpu("GPU-c", 0, 0), gpu("GPU-d", 0, 0))));
        GivenRun[] jobs = {
            job(1).on(allocated("node-a", 0, "GPU-a")).reservation("course"),
            job(2).on(allocated("node-a", 1, "GPU-b")).comment("thesis; deadline, please"),
            job(3).on(allocated("node-a", 2, "GPU-c")).reservation("other").comment("no deadlines"),
            job(4).on(allocated("node-a", 3, "GPU-d"))
        };
        Map<String, Object> exempt = Map.of(
                "exempt",
                Map.of(
                        "reservations",
                        List.of(Map.of("name", "course", "reason", "a course", "until", "2026-11-21")),
                        "comments",
                        List.of("deadline")));
        assertEquals(judged(4, 2, 0), cycle("idle-gpu", exempt, jobs), "without a reservation nobody is unknown");
        assertEquals(
                List.of(3L, 4L),
                store.openFindings().stream()
                        .map(row -> row.run().jobId())
                        .sorted()
                        .toList());
        Map<String, Object> ended = Map.of(
                "exempt", Map.of("reservations", List.of(Map.of("name", "course", "until", "2026-11-20T12:10:00Z"))));
        assertEquals(judged(4, 4, 0), cycle("idle-gpu", ended, jobs), "no exemption holds any more");
    }

    @Test
    @DisplayName(
            "settings for a partition, a kind of GPU, an account or a QoS hold for whom they mean, and no one else")
    void settingsForSome() throws Exception {
        reports(
                600,
                second -> node(
                        second,
                        List.of(gpu("GPU-a", 0, 0), gpu("GPU-b", 0, 0), gpu("GPU-c", 0, 0), gpu("GPU-d", 0, 0))));
        GivenRun[] jobs = {
            job(1).on(allocated("node-a", 0, "GPU-a")).owner("anna", "es", "teaching", "normal"),
            job(2).on(kind("a100", 1, "GPU-b")),
            job(3).on(allocated("node-a", 2, "GPU-c")).owner("bo", "cs", "batch", "deadline"),
            job(4).on(allocated("node-a", 3, "GPU-d"))
        };
        Map<String, Object> some = Map.of(
                "for",
                List.of(
                        Map.of("partitions", List.of("teaching"), "enabled", false),
                        Map.of("gpu_models", List.of("a100"), "warm_up", "1h"),
                        Map.of(
                                "accounts",
                                List.of("cs"),
                                "qos",
                                List.of("deadline"),
                                "window",
                                "1h",
                                "warm_up",
                                "1h")));
        assertEquals(judged(4, 1, 0), cycle("idle-gpu", some, jobs));
        assertEquals(4, only().run().jobId());

        // letters and deeds know only what a run is called
        Rule rule = Shipped.only(List.of("idle-gpu"), Map.of("idle-gpu", some))
                .rules()
                .get(0);
        assertFalse(rule.effective(Map.of(Rule.Match.Of.PARTITIONS, "teaching")).enabled());
        assertEquals(
                Duration.ofHours(1),
                rule.effective(Map.of(Rule.Match.Of.GPU_MODELS, "a100"))
                        .timing()
                        .warmUp());
        assertEquals(rule, rule.effective(Map.of(Rule.Match.Of.ACCOUNTS, "cs")), "of both, or it is not meant");
        assertEquals(
                Duration.ofHours(1),
                rule.effective(Map.of(Rule.Match.Of.ACCOUNTS, "cs", Rule.Match.Of.QOS, "deadline"))
                        .timing()
                        .window());
    }

    private static AllocatedGpu kind(String type, int index, String uuid) {
        return new AllocatedGpu("node-a", index, Optional.of(type), Optional.of(uuid), AllocatedGpu.Confidence.CERTAIN);
    }

    @Test
    @DisplayName("a waiting job is exempt by its reservation and comment, too")
    void pendingExempt() throws Exception {
        pending = List.of(
                waits(5, Optional.of("course"), Optional.empty()), waits(6, Optional.empty(), Optional.empty()));
        now = at(3000);
        assertEquals(
                judged(0, 1, 0),
                cycle("pending-never-starts", Map.of("exempt", Map.of("reservations", List.of("course")))));
    }

    private static PendingJob waits(long id, Optional<String> reservation, Optional<String> comment) {
        return new PendingJob(
                "lab",
                id,
                Long.toString(id),
                new Run.Owner("eve", OptionalInt.empty(), "its", "batch", ""),
                "x",
                at(0),
                "PartitionTimeLimit",
                "cpu=1",
                comment,
                reservation);
    }

    // ---- a clock that is set back

    @Test
    @DisplayName("a clock that is set back finds nobody anew, tells nobody again, and forgets nothing")
    void clockSetBack() throws Exception {
        reports(1200, second -> node(second, List.of(gpu("GPU-a", 0, 0))));
        Judge judge = judge("idle-gpu", Map.of("hold", "1m"));
        for (int second : new int[] {605, 640, 670, 700}) {
            now = at(second);
            slurmSays(oneGpu(1));
            judge.cycle(Set.of());
        }
        FindingRow before = only();
        assertEquals(FindingRow.State.FOUND, before.state());
        assertEquals(1, store.noticesOf(1).size());

        for (int second : new int[] {630, 640, 660, 900, 1205}) {
            now = at(second);
            slurmSays(oneGpu(1));
            judge.cycle(Set.of());
            assertEquals(before.since(), only().since(), "at " + second);
            assertTrue(!only().lastSeen().isBefore(before.lastSeen()), "at " + second);
            assertEquals(FindingRow.State.FOUND, only().state());
        }
        assertEquals(at(1205), only().lastSeen());
        assertEquals(1, store.noticesOf(1).size());
    }
}
