package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.AgentState;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuDriver;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** Values for tests of the store: small ones, of which a test says only what matters to it. */
public final class Given {
    public static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
    public static final Duration PERIOD = Duration.ofSeconds(30);
    public static final String BOOT = "0b3f7c1e-5a52-4a42-9c1e-52a0a5a4d9d1";

    private Given() {}

    /** Noon and some seconds. */
    public static Instant at(double seconds) {
        return NOON.plusMillis(Math.round(seconds * 1000));
    }

    public static NodeSnapshot snapshot(String node, long sequence, Instant at, GpuReading... gpus) {
        return snapshot(node, BOOT, sequence, at, List.of(gpus), List.of());
    }

    public static NodeSnapshot snapshot(
            String node, String boot, long sequence, Instant at, List<GpuReading> gpus, List<JobCgroup> jobs) {
        return new NodeSnapshot(
                NodeSnapshot.VERSION,
                node,
                boot,
                sequence,
                at,
                PERIOD,
                new AgentState("0.1.0", NOON, 0, OptionalDouble.of(1.5), OptionalLong.empty()),
                Map.of("nvml", new ProbeOutcome.Read(Duration.ofMillis(11))),
                Optional.of(new HostReading(
                        96,
                        OptionalDouble.empty(),
                        1L << 40,
                        1L << 39,
                        OptionalDouble.of(11.5),
                        OptionalLong.empty(),
                        OptionalLong.empty())),
                Optional.of(new GpuDriver("535.183.01", Optional.empty())),
                gpus,
                jobs,
                List.of(),
                List.of());
    }

    public static GpuDevice device(String uuid) {
        return new GpuDevice(
                uuid,
                0,
                OptionalInt.of(3),
                Optional.of("00000000:34:00.0"),
                "V100",
                OptionalLong.of(1L << 35),
                Optional.empty());
    }

    /** A GPU of which nothing is known but that it is there. */
    public static GpuReading silent(String uuid) {
        return new GpuReading(
                new GpuDevice(
                        uuid, 1, OptionalInt.empty(), Optional.empty(), "MIG", OptionalLong.empty(), Optional.empty()),
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

    /** A GPU with one utilization for mean, maximum and last, and with the given processes. */
    public static GpuReading gpu(String uuid, double busyRatio, double energyJoules, GpuProcess... processes) {
        return new GpuReading(
                device(uuid),
                Optional.of(new Utilization(busyRatio, busyRatio, busyRatio, 178, Utilization.Source.RING)),
                Optional.empty(),
                OptionalLong.of(1L << 30),
                OptionalLong.of(1L << 20),
                OptionalDouble.of(301.4),
                OptionalDouble.of(350),
                OptionalDouble.of(energyJoules),
                OptionalDouble.of(61),
                OptionalDouble.of(1.53e9),
                Optional.of(List.of(processes)),
                Optional.empty());
    }

    public static GpuProcess process(int pid, long jobId) {
        return process(pid, jobId, 21001, JobRef.Evidence.CGROUP);
    }

    public static GpuProcess process(int pid, long jobId, int uid, JobRef.Evidence evidence) {
        return new GpuProcess(
                pid,
                GpuProcess.Kind.COMPUTE,
                OptionalInt.of(uid),
                Optional.of(new JobRef(jobId, Optional.of("0"), evidence)),
                OptionalLong.of(1L << 29),
                OptionalDouble.empty());
    }

    /** A process of which the driver tells what it uses; negative: that it does not. */
    public static GpuProcess using(int pid, long jobId, double utilizationRatio, long memoryBytes) {
        return new GpuProcess(
                pid,
                GpuProcess.Kind.COMPUTE,
                OptionalInt.of(21001),
                Optional.of(new JobRef(jobId, Optional.of("0"), JobRef.Evidence.CGROUP)),
                memoryBytes < 0 ? OptionalLong.empty() : OptionalLong.of(memoryBytes),
                utilizationRatio < 0 ? OptionalDouble.empty() : OptionalDouble.of(utilizationRatio));
    }

    /** A process that belongs to no job. */
    public static GpuProcess stranger(int pid, GpuProcess.Kind kind) {
        return new GpuProcess(
                pid, kind, OptionalInt.of(0), Optional.empty(), OptionalLong.of(5), OptionalDouble.empty());
    }

    public static JobCgroup cgroup(long jobId, double cpuSeconds, long memoryUsedBytes, int processes) {
        return new JobCgroup(
                jobId,
                Optional.empty(),
                OptionalInt.of(21001),
                OptionalInt.of(processes),
                OptionalDouble.of(cpuSeconds),
                OptionalLong.of(memoryUsedBytes),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                Optional.empty());
    }

    public static AllocatedGpu allocated(String node, int gresIndex, String uuid) {
        return new AllocatedGpu(
                node, gresIndex, Optional.of("v100"), Optional.of(uuid), AllocatedGpu.Confidence.CERTAIN);
    }

    public static AllocatedGpu untranslated(String node, int gresIndex) {
        return new AllocatedGpu(node, gresIndex, Optional.empty(), Optional.empty(), AllocatedGpu.Confidence.UNKNOWN);
    }

    /** A live run that began at noon. */
    public static Run run(long jobId, AllocatedGpu... gpus) {
        return run(jobId, NOON, Optional.empty(), gpus);
    }

    public static Run run(long jobId, Instant start, Optional<Instant> end, AllocatedGpu... gpus) {
        return run(jobId, start, end, Run.JobIds.PLAIN, "train", gpus);
    }

    public static Run run(
            long jobId, Instant start, Optional<Instant> end, Run.JobIds ids, String name, AllocatedGpu... gpus) {
        return new Run(
                new RunKey("lab", jobId, start),
                ids,
                new Run.Owner("tlj@its.aau.dk", OptionalInt.of(21001), "its", "batch", "normal"),
                name,
                false,
                start.minusSeconds(60),
                end,
                Optional.of(Duration.ofHours(12)),
                Duration.ofSeconds(5),
                end.isPresent() ? JobState.COMPLETED : JobState.RUNNING,
                end.isPresent() ? "COMPLETED" : "RUNNING",
                new Run.Allocation(
                        List.of("node-b", "node-a"),
                        OptionalInt.of(4),
                        OptionalLong.empty(),
                        OptionalInt.of(gpus.length),
                        "cpu=4,gres/gpu=" + gpus.length),
                List.of(gpus),
                start.plusSeconds(1));
    }
}
