package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.AgentState;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuDriver;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.UserUse;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.function.BiFunction;

/** An afternoon of a small cluster: jobs start at noon, somebody asks two hours later. A test says what matters to it. */
public final class Samples {
    public static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
    public static final Instant NOW = Instant.parse("2026-11-20T14:00:10Z");
    /** When Slurm was asked last. */
    public static final Instant SLURM_AT = NOW.minusSeconds(5);

    public static final ZoneId COPENHAGEN = ZoneId.of("Europe/Copenhagen");
    public static final Duration PERIOD = Duration.ofSeconds(30);
    public static final JobLookup.Settings SETTINGS = new JobLookup.Settings(0.01, Duration.ofSeconds(75));

    static final long MIB = 1 << 20;
    static final long V100_BYTES = 32_480 * MIB;

    private Samples() {}

    // ---- what Slurm says

    /** A job of one node that began at noon and runs. */
    public static Run running(long jobId, AllocatedGpu... gpus) {
        return run(jobId, Run.JobIds.PLAIN, "train-llm", NOON, Optional.empty(), List.of("nv-ai-01"), gpus);
    }

    static Run run(
            long jobId,
            Run.JobIds ids,
            String name,
            Instant start,
            Optional<Instant> end,
            List<String> nodes,
            AllocatedGpu... gpus) {
        return new Run(
                new RunKey("aicloud", jobId, start),
                ids,
                new Run.Owner("tlj@its.aau.dk", OptionalInt.of(21004), "es.shj", "prioritized", "normal"),
                name,
                false,
                start.minusSeconds(600),
                end,
                Optional.of(Duration.ofDays(2)),
                Duration.ZERO,
                end.isPresent() ? JobState.COMPLETED : JobState.RUNNING,
                end.isPresent() ? "COMPLETED" : "RUNNING",
                new Run.Allocation(
                        nodes,
                        OptionalInt.of(16),
                        OptionalLong.of(90L << 30),
                        OptionalInt.of(gpus.length),
                        "cpu=16,mem=90G,gres/gpu=" + gpus.length),
                List.of(gpus),
                end.map(at -> at.plusSeconds(30)).orElse(SLURM_AT));
    }

    /** The same run with another number of GPUs by Slurm's account, which need not name them. */
    static Run withGpuCount(Run run, int gpus) {
        Run.Allocation given = run.allocation();
        return new Run(
                run.key(),
                run.ids(),
                run.owner(),
                run.name(),
                run.interactive(),
                run.submit(),
                run.end(),
                run.timeLimit(),
                run.suspended(),
                run.state(),
                run.stateText(),
                new Run.Allocation(
                        given.nodes(),
                        given.cpus(),
                        given.memoryBytes(),
                        OptionalInt.of(gpus),
                        "cpu=16,mem=90G,gres/gpu=" + gpus),
                run.gpus(),
                run.asOf());
    }

    static Run.JobIds task(long array, long task) {
        return new Run.JobIds(OptionalLong.of(array), OptionalLong.of(task), OptionalLong.empty(), OptionalInt.empty());
    }

    static Run.JobIds component(long leader, int offset) {
        return new Run.JobIds(
                OptionalLong.empty(), OptionalLong.empty(), OptionalLong.of(leader), OptionalInt.of(offset));
    }

    public static AllocatedGpu allocated(String node, int number) {
        return new AllocatedGpu(
                node, number, Optional.of("v100"), Optional.of(uuid(node, number)), AllocatedGpu.Confidence.CERTAIN);
    }

    public static PendingJob pending(long jobId, String displayId) {
        return new PendingJob(
                "aicloud",
                jobId,
                displayId,
                new Run.Owner("tlj@its.aau.dk", OptionalInt.of(21004), "es.shj", "prioritized", "normal"),
                "train-llm",
                Instant.parse("2026-11-20T13:50:00Z"),
                "Resources",
                "gres/gpu=1");
    }

    /** Slurm's answer of {@link #SLURM_AT}. */
    public static void slurmSays(Store store, List<Run> runs, PendingJob... pending) throws StoreException {
        slurmSays(store, SLURM_AT, runs, pending);
    }

    static void slurmSays(Store store, Instant at, List<Run> runs, PendingJob... pending) throws StoreException {
        store.saveView(new SlurmView(
                at,
                "aicloud",
                runs,
                List.of(pending),
                List.of(new SlurmNode(
                        "nv-ai-01",
                        "mixed",
                        OptionalInt.of(96),
                        OptionalLong.empty(),
                        OptionalInt.of(16),
                        "gpu:v100:16"))));
    }

    // ---- what nodes send

    static String uuid(String node, int number) {
        return "GPU-" + node + "-" + number;
    }

    static GpuDevice device(String node, int number) {
        return new GpuDevice(
                uuid(node, number),
                number,
                OptionalInt.of(number),
                Optional.of("00000000:3" + number + ":00.0"),
                "Tesla V100-SXM3-32GB",
                OptionalLong.of(V100_BYTES),
                Optional.empty());
    }

    /** A GPU of a node, with a process of each of the jobs on it. */
    public static GpuReading gpu(
            String node, int number, double busyRatio, double memoryBusyRatio, long usedMib, long... jobs) {
        List<GpuProcess> processes = new ArrayList<>();
        for (long job : jobs) {
            processes.add(io.fairwatch.collector.store.Given.process(4000 + number, job));
        }
        return new GpuReading(
                device(node, number),
                Optional.of(busy(busyRatio)),
                Optional.of(busy(memoryBusyRatio)),
                OptionalLong.of(usedMib * MIB),
                OptionalLong.empty(),
                OptionalDouble.of(61.5),
                OptionalDouble.of(350),
                OptionalDouble.empty(),
                OptionalDouble.of(48),
                OptionalDouble.empty(),
                Optional.of(processes),
                Optional.empty());
    }

    private static Utilization busy(double ratio) {
        return new Utilization(ratio, ratio, ratio, 178, Utilization.Source.RING);
    }

    /** A GPU that is there and tells nothing of itself. */
    static GpuReading mute(String node, int number) {
        return new GpuReading(
                new GpuDevice(
                        uuid(node, number),
                        number,
                        OptionalInt.empty(),
                        Optional.empty(),
                        "GRID A100X-10C",
                        OptionalLong.empty(),
                        Optional.empty()),
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
                Optional.empty());
    }

    /** A job's cgroup that keeps two cores busy since noon and holds 12 GiB. */
    static JobCgroup cgroup(long jobId, Instant at) {
        return io.fairwatch.collector.store.Given.cgroup(
                jobId, 2.0 * Duration.between(NOON, at).toSeconds(), 12L << 30, 3);
    }

    /** What one node sends at one time. */
    public record Sent(List<GpuReading> gpus, List<JobCgroup> jobs) {
        public static Sent of(GpuReading... gpus) {
            return new Sent(List.of(gpus), List.of());
        }
    }

    /** A node sends a snapshot every period after {@code from}, up to {@code to}. */
    public static void send(Store store, String node, Instant from, Instant to, BiFunction<Integer, Instant, Sent> what)
            throws StoreException {
        List<NodeSnapshot> snapshots = new ArrayList<>();
        int number = 1;
        for (Instant at = from.plus(PERIOD); !at.isAfter(to); at = at.plus(PERIOD)) {
            Sent sent = what.apply(number, at);
            snapshots.add(snapshot(node, at, sent, Optional.empty(), Map.of()));
            number++;
        }
        store.append(snapshots);
    }

    /** A node sends the same from noon to two o'clock. */
    public static void sendAllTheTime(Store store, String node, GpuReading... gpus) throws StoreException {
        send(store, node, NOON, NOW.minusSeconds(10), (number, at) -> Sent.of(gpus));
    }

    public static NodeSnapshot snapshot(
            String node, Instant at, Sent sent, Optional<String> simulated, Map<String, ProbeOutcome> probes) {
        Map<String, ProbeOutcome> all = new TreeMap<>(probes);
        all.putIfAbsent("nvml", new ProbeOutcome.Read(Duration.ofMillis(11)));
        return new NodeSnapshot(
                NodeSnapshot.VERSION,
                node,
                "0b3f7c1e-5a52-4a42-9c1e-52a0a5a4d9d1",
                at.getEpochSecond() - NOON.minus(Duration.ofDays(3)).getEpochSecond(),
                at,
                PERIOD,
                new AgentState("0.1.0", NOON, 0, OptionalDouble.of(1.5), OptionalLong.empty()),
                all,
                Optional.of(new HostReading(
                        96,
                        OptionalDouble.of(0.125),
                        1L << 40,
                        3L << 38,
                        OptionalDouble.of(11.5),
                        OptionalLong.empty(),
                        OptionalLong.empty())),
                Optional.of(new GpuDriver("535.183.01", simulated)),
                sent.gpus(),
                sent.jobs(),
                List.of(new UserUse(
                        21004,
                        Optional.of("tlj@its.aau.dk"),
                        12,
                        9,
                        OptionalDouble.of(60),
                        12L << 30,
                        OptionalDouble.empty(),
                        0,
                        OptionalLong.empty())),
                List.of(new ScratchUse(
                        "/raid",
                        30L << 40,
                        12L << 40,
                        18L << 40,
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        Optional.of(new ScratchUse.Directories(
                                "walk",
                                NOON,
                                List.of(new ScratchUse.DirectoryUse(
                                        "its.tlj",
                                        OptionalInt.of(21004),
                                        Optional.of("tlj@its.aau.dk"),
                                        ScratchUse.Owner.KNOWN,
                                        12L << 40,
                                        37_508,
                                        Optional.of(Instant.parse("2026-08-01T10:00:00Z")),
                                        Optional.empty())),
                                0)),
                        Optional.empty())));
    }

    // ---- what rules found

    public static FindingRow finding(Run run, FindingRow.State state) {
        return new FindingRow(
                run.key(),
                "idle-gpu",
                Instant.parse("2026-11-20T13:20:00Z"),
                state,
                NOW.minusSeconds(20),
                state == FindingRow.State.RESOLVED
                        ? Optional.of(Instant.parse("2026-11-20T13:40:00Z"))
                        : Optional.empty(),
                state == FindingRow.State.TOLD ? Optional.of(Instant.parse("2026-11-20T13:21:00Z")) : Optional.empty(),
                run.owner().user(),
                "1 of its 2 GPUs has not been used for 1 h.",
                "Ask for one GPU.",
                "{}",
                state == FindingRow.State.TOLD
                        ? new FindingRow.Progress(1, 1, Optional.of(Instant.parse("2026-11-20T13:21:00Z")))
                        : FindingRow.Progress.NONE);
    }
}
