package io.fairwatch.agent;

import io.fairwatch.agent.probe.nvml.GpuReadings;
import io.fairwatch.agent.wire.AgentState;
import io.fairwatch.agent.wire.GpuDriver;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.UserUse;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** A snapshot while its probes report one after another. Confined to one thread at a time. */
final class SnapshotDraft {
    private final Instant at;
    private final Duration period;
    private final Map<String, ProbeOutcome> probes = new TreeMap<>();
    private Optional<HostReading> host = Optional.empty();
    private Optional<GpuDriver> gpuDriver = Optional.empty();
    private List<GpuReading> gpus = List.of();
    private List<JobCgroup> jobs = List.of();
    private List<UserUse> users = List.of();
    private List<ScratchUse> scratch = List.of();

    SnapshotDraft(Instant at, Duration period) {
        this.at = at;
        this.period = period;
    }

    Instant at() {
        return at;
    }

    void outcome(String probe, ProbeOutcome outcome) {
        probes.put(probe, outcome);
    }

    void host(HostReading reading) {
        host = Optional.of(reading);
    }

    void gpus(GpuReadings readings) {
        gpuDriver = Optional.of(readings.driver());
        gpus = readings.gpus();
    }

    void jobs(List<JobCgroup> readings) {
        jobs = readings;
    }

    void users(List<UserUse> readings) {
        users = readings;
    }

    void scratch(List<ScratchUse> readings) {
        scratch = readings;
    }

    List<ScratchUse> scratch() {
        return scratch;
    }

    NodeSnapshot finish(String node, String bootId, long sequence, AgentState agent) {
        return new NodeSnapshot(
                NodeSnapshot.VERSION,
                node,
                bootId,
                sequence,
                at,
                period,
                agent,
                probes,
                host,
                gpuDriver,
                gpus,
                jobs,
                users,
                scratch);
    }
}
