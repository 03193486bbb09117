package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.MigInstance;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.UserUse;
import io.fairwatch.agent.wire.Utilization;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;

/** Snapshots into tables, and what is newest out of them. Immutable; every method works within the given session. */
final class SnapshotTables {
    static final String READING_COLUMNS = """
            r.node, r.at_ms, r.utilization_mean, r.utilization_max, r.utilization_last, r.utilization_samples,
            r.utilization_source, r.memory_utilization_mean, r.memory_utilization_max, r.memory_utilization_last,
            r.memory_utilization_samples, r.memory_utilization_source, r.memory_used_bytes, r.memory_reserved_bytes,
            r.power_watts, r.power_limit_watts, r.energy_joules, r.temperature_celsius, r.sm_clock_hertz,
            r.memory_temperature_celsius, r.clock_limits, r.graphics_ratio, r.sm_ratio, r.occupancy_ratio, r.tensor_ratio,
            r.dram_ratio, r.pcie_sent_bytes_per_second, r.pcie_received_bytes_per_second,
            r.nvlink_sent_bytes_per_second, r.nvlink_received_bytes_per_second, r.ecc_corrected, r.ecc_uncorrected,
            r.remapped_rows, r.reset_needed, r.xids, r.last_xid,
            """;

    static final String DEVICE_COLUMNS = """
            g.uuid, g.nvml_index, g.minor_number, g.pci_bus_id, g.name, g.memory_total_bytes, g.mig_parent_uuid,
            g.mig_gpu_instance, g.mig_compute_instance, g.mig_multiprocessors, g.mig_profile""";

    private static final GpuDetail.Activity NO_ACTIVITY = new GpuDetail.Activity(
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty());

    private static final GpuDetail.Traffic NO_TRAFFIC = new GpuDetail.Traffic(
            OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.empty());

    private static final GpuDetail.Health NO_HEALTH = new GpuDetail.Health(
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            Optional.empty(),
            OptionalLong.empty(),
            Optional.empty(),
            OptionalInt.empty());

    private static final GpuDetail NO_DETAIL = new GpuDetail(
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty());

    private SnapshotTables() {}

    /** Keeps snapshots of which none was there before. */
    static void append(Session session, Inventory inventory, Collection<NodeSnapshot> snapshots) throws SQLException {
        appendNodes(session, snapshots);
        appendGpus(session, snapshots);
        appendProcesses(session, snapshots);
        appendJobs(session, snapshots);
        appendUsers(session, snapshots);
        inventory.append(session, snapshots);
    }

    private static void appendNodes(Session session, Collection<NodeSnapshot> snapshots) throws SQLException {
        try (Rows rows = session.append("node_reading")) {
            for (NodeSnapshot snapshot : snapshots) {
                rows.text(snapshot.node())
                        .time(snapshot.at())
                        .length(snapshot.period())
                        .text(snapshot.bootId())
                        .number(snapshot.sequence());
                if (snapshot.host().isPresent()) {
                    HostReading host = snapshot.host().get();
                    rows.number(host.logicalCpus())
                            .real(host.cpuBusyRatio())
                            .number(host.memoryTotalBytes())
                            .number(host.memoryAvailableBytes())
                            .real(host.loadAverage());
                } else {
                    rows.none(5);
                }
                rows.time(snapshot.agent().startedAt())
                        .number(snapshot.agent().droppedSnapshots())
                        .real(snapshot.agent().cpuSeconds())
                        .number(snapshot.agent().residentBytes());
                if (snapshot.host().isPresent()) {
                    rows.number(snapshot.host().get().swapTotalBytes())
                            .number(snapshot.host().get().swapUsedBytes());
                } else {
                    rows.none(2);
                }
                rows.end();
            }
        }
    }

    private static void appendGpus(Session session, Collection<NodeSnapshot> snapshots) throws SQLException {
        try (Rows rows = session.append("gpu_reading")) {
            for (NodeSnapshot snapshot : snapshots) {
                for (GpuReading gpu : gpus(snapshot)) {
                    rows.text(gpu.device().uuid())
                            .time(snapshot.at())
                            .length(snapshot.period())
                            .text(snapshot.node());
                    utilization(rows, gpu.utilization());
                    utilization(rows, gpu.memoryUtilization());
                    rows.number(gpu.memoryUsedBytes())
                            .number(gpu.memoryReservedBytes())
                            .real(gpu.powerWatts())
                            .real(gpu.powerLimitWatts())
                            .real(gpu.energyJoules())
                            .real(gpu.temperatureCelsius())
                            .real(gpu.smClockHertz());
                    if (gpu.processes().isPresent()) {
                        rows.number(
                                distinct(gpu.processes().get(), GpuProcess::pid).size());
                    } else {
                        rows.none();
                    }
                    detail(rows, gpu.detail());
                    rows.end();
                }
            }
        }
    }

    /** What rules, lookups and reports ask of it; the rest is not kept. */
    private static void detail(Rows rows, Optional<GpuDetail> detail) throws SQLException {
        if (detail.isEmpty()) {
            rows.none(17);
            return;
        }
        rows.real(detail.get().memoryTemperatureCelsius()).list(detail.get().clockLimits());
        if (detail.get().activity().isPresent()) {
            GpuDetail.Activity activity = detail.get().activity().get();
            rows.real(activity.graphicsRatio())
                    .real(activity.smRatio())
                    .real(activity.occupancyRatio())
                    .real(activity.tensorRatio())
                    .real(activity.dramRatio());
        } else {
            rows.none(5);
        }
        if (detail.get().traffic().isPresent()) {
            GpuDetail.Traffic traffic = detail.get().traffic().get();
            rows.real(traffic.pcieSentBytesPerSecond())
                    .real(traffic.pcieReceivedBytesPerSecond())
                    .real(traffic.nvlinkSentBytesPerSecond())
                    .real(traffic.nvlinkReceivedBytesPerSecond());
        } else {
            rows.none(4);
        }
        if (detail.get().health().isPresent()) {
            GpuDetail.Health health = detail.get().health().get();
            rows.number(health.eccCorrected())
                    .number(health.eccUncorrected())
                    .number(health.remappedRows())
                    .flag(health.resetNeeded())
                    .list(health.xids())
                    .number(health.lastXid());
        } else {
            rows.none(6);
        }
    }

    private static void utilization(Rows rows, Optional<Utilization> utilization) throws SQLException {
        if (utilization.isPresent()) {
            Utilization known = utilization.get();
            rows.real(known.meanRatio())
                    .real(known.maxRatio())
                    .real(known.lastRatio())
                    .number(known.samples())
                    .word(known.source());
        } else {
            rows.none(5);
        }
    }

    private static void appendProcesses(Session session, Collection<NodeSnapshot> snapshots) throws SQLException {
        try (Rows rows = session.append("gpu_process")) {
            for (NodeSnapshot snapshot : snapshots) {
                for (GpuReading gpu : gpus(snapshot)) {
                    for (GpuProcess process : distinct(gpu.processes().orElse(List.of()), GpuProcess::pid)) {
                        Optional<JobRef> job = process.job();
                        rows.text(gpu.device().uuid())
                                .time(snapshot.at())
                                .text(snapshot.node())
                                .number(process.pid())
                                .word(process.kind())
                                .number(process.uid());
                        if (job.isPresent()) {
                            rows.number(job.get().jobId())
                                    .text(job.get().step())
                                    .word(job.get().evidence());
                        } else {
                            rows.none(3);
                        }
                        rows.number(process.memoryUsedBytes())
                                .real(process.utilizationRatio())
                                .end();
                    }
                }
            }
        }
    }

    private static void appendJobs(Session session, Collection<NodeSnapshot> snapshots) throws SQLException {
        try (Rows rows = session.append("job_reading")) {
            for (NodeSnapshot snapshot : snapshots) {
                for (JobCgroup job : distinct(snapshot.jobs(), JobCgroup::jobId)) {
                    rows.text(snapshot.node())
                            .number(job.jobId())
                            .time(snapshot.at())
                            .length(snapshot.period())
                            .text(job.sluid())
                            .number(job.uid())
                            .number(job.processes())
                            .real(job.cpuSeconds())
                            .number(job.memoryUsedBytes())
                            .number(job.memoryCurrentBytes())
                            .number(job.memoryPeakBytes())
                            .number(job.memoryLimitBytes());
                    jobDetail(rows, job.detail());
                    rows.end();
                }
            }
        }
    }

    private static void jobDetail(Rows rows, Optional<JobDetail> detail) throws SQLException {
        if (detail.isEmpty()) {
            rows.none(13);
            return;
        }
        JobDetail job = detail.get();
        rows.number(job.cpus())
                .number(job.threads())
                .real(job.cpuSystemSeconds())
                .number(job.memoryCacheBytes())
                .number(job.swapUsedBytes())
                .number(job.oomKills())
                .number(job.memoryLimitHits())
                .number(job.readBytes())
                .number(job.writtenBytes())
                .real(job.cpuStalledSeconds())
                .real(job.memoryStalledSeconds())
                .real(job.ioStalledSeconds())
                .list(job.gpuMinors());
    }

    private static void appendUsers(Session session, Collection<NodeSnapshot> snapshots) throws SQLException {
        try (Rows rows = session.append("user_reading")) {
            for (NodeSnapshot snapshot : snapshots) {
                for (UserUse user : distinct(snapshot.users(), UserUse::uid)) {
                    rows.text(snapshot.node())
                            .time(snapshot.at())
                            .length(snapshot.period())
                            .number(user.uid())
                            .text(user.name())
                            .number(user.processes())
                            .number(user.processesInJobs())
                            .real(user.cpuSeconds())
                            .number(user.residentBytes())
                            .real(user.cpuSecondsInJobs())
                            .number(user.residentBytesInJobs())
                            .number(user.proportionalBytes())
                            .end();
                }
            }
        }
    }

    private static List<GpuReading> gpus(NodeSnapshot snapshot) {
        return distinct(snapshot.gpus(), gpu -> gpu.device().uuid());
    }

    /** The list without those whose key came before: one node says one thing of one GPU, process, job or user at a time. */
    private static <T> List<T> distinct(List<T> list, Function<T, Object> key) {
        Set<Object> seen = new HashSet<>();
        List<T> kept = new ArrayList<>(list.size());
        for (T element : list) {
            if (seen.add(key.apply(element))) {
                kept.add(element);
            }
        }
        return kept;
    }

    static List<GpuReadingAt> newestReadings(Session session, Sources sources, Set<String> uuids, Instant at)
            throws SQLException {
        // almost always the newest reading is minutes old; only GPUs that have none there are sought in all of the past
        Map<String, GpuReadingAt> found = new LinkedHashMap<>();
        long atMs = at.toEpochMilli();
        for (long from :
                new long[] {atMs - 15 * 60_000, atMs - Duration.ofDays(1).toMillis(), Long.MIN_VALUE}) {
            Set<String> missing = new HashSet<>(uuids);
            missing.removeAll(found.keySet());
            if (!missing.isEmpty()) {
                newestReadings(session, sources, missing, from, atMs, found);
            }
        }
        return List.copyOf(found.values());
    }

    private static void newestReadings(
            Session session,
            Sources sources,
            Set<String> uuids,
            long fromMs,
            long atMs,
            Map<String, GpuReadingAt> found)
            throws SQLException {
        String readings = sources.of("gpu_reading", Math.max(Long.MIN_VALUE + 1, fromMs) - 1, atMs);
        Asked wanted = Asked.of(
                session,
                "wanted",
                List.of(new Asked.Column("uuid", "VARCHAR")),
                uuids.stream().map(uuid -> List.of(Rows.clean(uuid))).toList());
        new Sql()
                .with(List.of(wanted))
                .add("newest AS (SELECT x.uuid, max(x.at_ms) AS at_ms FROM ")
                .add(readings)
                .add(" x JOIN wanted w ON w.uuid = x.uuid WHERE x.at_ms >= ? AND x.at_ms <= ?", fromMs, atMs)
                .among("x.uuid", uuids)
                .add(" GROUP BY x.uuid) SELECT " + READING_COLUMNS + DEVICE_COLUMNS + " FROM ")
                .add(readings)
                .add(" r JOIN newest n ON n.uuid = r.uuid AND n.at_ms = r.at_ms JOIN gpu g ON g.uuid = r.uuid")
                .add(" WHERE r.at_ms >= ? AND r.at_ms <= ?", fromMs, atMs)
                .among("r.uuid", uuids)
                .add(" ORDER BY r.node, g.nvml_index, g.uuid")
                .query(session, cells -> {
                    GpuReadingAt reading = reading(cells, sources);
                    return found.putIfAbsent(reading.reading().device().uuid(), reading) == null;
                });
    }

    /** Reads {@link #READING_COLUMNS} and {@link #DEVICE_COLUMNS}. */
    static GpuReadingAt reading(Cells cells, Sources sources) throws SQLException {
        String node = cells.text();
        Instant at = cells.time();
        Optional<Utilization> utilization = utilization(cells);
        Optional<Utilization> memoryUtilization = utilization(cells);
        var memoryUsed = cells.maybeNumber();
        var memoryReserved = cells.maybeNumber();
        var power = cells.maybeReal();
        var powerLimit = cells.maybeReal();
        var energy = cells.maybeReal();
        var temperature = cells.maybeReal();
        var clock = cells.maybeReal();
        Optional<GpuDetail> detail = detail(cells);
        GpuDevice device = sources.shared(device(cells));
        return new GpuReadingAt(
                node,
                at,
                new GpuReading(
                        device,
                        utilization,
                        memoryUtilization,
                        memoryUsed,
                        memoryReserved,
                        power,
                        powerLimit,
                        energy,
                        temperature,
                        clock,
                        Optional.empty(),
                        detail));
    }

    private static Optional<GpuDetail> detail(Cells cells) throws SQLException {
        OptionalDouble memoryTemperature = cells.maybeReal();
        Optional<List<String>> clockLimits = cells.maybeList();
        GpuDetail.Activity activity = new GpuDetail.Activity(
                cells.maybeReal(),
                cells.maybeReal(),
                cells.maybeReal(),
                cells.maybeReal(),
                cells.maybeReal(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty());
        GpuDetail.Traffic traffic =
                new GpuDetail.Traffic(cells.maybeReal(), cells.maybeReal(), cells.maybeReal(), cells.maybeReal());
        GpuDetail.Health health = new GpuDetail.Health(
                cells.maybeNumber(),
                cells.maybeNumber(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                cells.maybeNumber(),
                cells.maybeFlag(),
                OptionalLong.empty(),
                cells.maybeList()
                        .map(codes -> codes.stream().map(Integer::valueOf).toList()),
                cells.maybeInteger());
        GpuDetail detail = new GpuDetail(
                memoryTemperature,
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                clockLimits,
                Optional.of(activity).filter(known -> !known.equals(NO_ACTIVITY)),
                Optional.of(traffic).filter(known -> !known.equals(NO_TRAFFIC)),
                Optional.of(health).filter(known -> !known.equals(NO_HEALTH)));
        return Optional.of(detail).filter(known -> !known.equals(NO_DETAIL));
    }

    /** A reading as it comes back from the tables. */
    static GpuReading kept(GpuReading reading, GpuDevice device) {
        Optional<GpuDetail> detail = reading.detail()
                .map(known -> new GpuDetail(
                        known.memoryTemperatureCelsius(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        known.clockLimits(),
                        known.activity().map(SnapshotTables::kept).filter(activity -> !activity.equals(NO_ACTIVITY)),
                        known.traffic().filter(traffic -> !traffic.equals(NO_TRAFFIC)),
                        known.health().map(SnapshotTables::kept).filter(health -> !health.equals(NO_HEALTH))))
                .filter(known -> !known.equals(NO_DETAIL));
        return new GpuReading(
                device,
                reading.utilization(),
                reading.memoryUtilization(),
                reading.memoryUsedBytes(),
                reading.memoryReservedBytes(),
                reading.powerWatts(),
                reading.powerLimitWatts(),
                reading.energyJoules(),
                reading.temperatureCelsius(),
                reading.smClockHertz(),
                Optional.empty(),
                detail);
    }

    private static GpuDetail.Activity kept(GpuDetail.Activity activity) {
        return new GpuDetail.Activity(
                activity.graphicsRatio(),
                activity.smRatio(),
                activity.occupancyRatio(),
                activity.tensorRatio(),
                activity.dramRatio(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty());
    }

    private static GpuDetail.Health kept(GpuDetail.Health health) {
        return new GpuDetail.Health(
                health.eccCorrected(),
                health.eccUncorrected(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                health.remappedRows(),
                health.resetNeeded(),
                OptionalLong.empty(),
                health.xids(),
                health.lastXid());
    }

    private static Optional<Utilization> utilization(Cells cells) throws SQLException {
        var mean = cells.maybeReal();
        double max = cells.real();
        double last = cells.real();
        int samples = cells.integer();
        Optional<String> source = cells.maybeText();
        return mean.isPresent() && source.isPresent()
                ? Optional.of(new Utilization(
                        mean.getAsDouble(), max, last, samples, Utilization.Source.valueOf(source.get())))
                : Optional.empty();
    }

    /** Reads {@link #DEVICE_COLUMNS}. */
    static GpuDevice device(Cells cells) throws SQLException {
        return new GpuDevice(
                cells.text(),
                cells.integer(),
                cells.maybeInteger(),
                cells.maybeText(),
                cells.text(),
                cells.maybeNumber(),
                slice(cells));
    }

    private static Optional<MigInstance> slice(Cells cells) throws SQLException {
        Optional<String> parent = cells.maybeText();
        int gpuInstance = cells.integer();
        int computeInstance = cells.integer();
        OptionalInt multiprocessors = cells.maybeInteger();
        Optional<String> profile = cells.maybeText();
        return parent.map(uuid -> new MigInstance(uuid, gpuInstance, computeInstance, multiprocessors, profile));
    }

    /** The counter begins anew with each start of an agent. */
    static List<AgentLoss> agentLosses(Session session, Sources sources, Instant from, Instant to) throws SQLException {
        return session.query(
                "SELECT node, CAST(sum(lost) AS BIGINT) FROM ("
                        + "SELECT node, max(agent_dropped) - min(agent_dropped) AS lost FROM "
                        + sources.of("node_reading", from.toEpochMilli() - 1, to.toEpochMilli()) + """
                 r WHERE at_ms >= ? AND at_ms < ? GROUP BY node, agent_started_ms) x
                GROUP BY node HAVING sum(lost) > 0 ORDER BY node""",
                cells -> new AgentLoss(cells.text(), cells.number()),
                from.toEpochMilli(),
                to.toEpochMilli());
    }

    static List<JobOnGpu> jobsOnGpus(Session session, Sources sources, Instant from, Instant to) throws SQLException {
        return session.query(
                "SELECT job_id, node, uuid, min(at_ms), max(at_ms) FROM "
                        + sources.of("gpu_process", from.toEpochMilli() - 1, to.toEpochMilli()) + """
                 r WHERE job_id IS NOT NULL AND evidence <> 'ENVIRON' AND at_ms >= ? AND at_ms < ?
                GROUP BY job_id, node, uuid ORDER BY job_id, node, uuid""",
                cells -> new JobOnGpu(cells.number(), cells.text(), cells.text(), cells.time(), cells.time()),
                from.toEpochMilli(),
                to.toEpochMilli());
    }
}
