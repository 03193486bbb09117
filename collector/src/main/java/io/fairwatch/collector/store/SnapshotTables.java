package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.UserUse;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.store.Inventory.GpuMark;
import io.fairwatch.collector.store.Inventory.NodeMark;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/** Snapshots into tables, and what is newest out of them. Immutable; every method works within the given session. */
final class SnapshotTables {
    /** Which of two snapshots of one node is newer, so that the order in which they come does not matter. */
    private static final Comparator<NodeMark> NEWNESS = Comparator.comparingLong(NodeMark::lastMs)
            .thenComparing(NodeMark::bootId)
            .thenComparingLong(NodeMark::sequence);

    private static final Comparator<GpuMark> GPU_NEWNESS =
            Comparator.comparingLong(GpuMark::lastMs).thenComparing(GpuMark::node);

    /** The part of a node's newest snapshot that is kept as JSON. */
    private record State(
            Optional<String> driver,
            Optional<String> simulated,
            Optional<HostReading> host,
            Map<String, ProbeOutcome> probes,
            List<UserUse> users) {}

    private static final String READING_COLUMNS = """
            r.node, r.at_ms, r.utilization_mean, r.utilization_max, r.utilization_last, r.utilization_samples,
            r.utilization_source, r.memory_utilization_mean, r.memory_utilization_max, r.memory_utilization_last,
            r.memory_utilization_samples, r.memory_utilization_source, r.memory_used_bytes, r.memory_reserved_bytes,
            r.power_watts, r.power_limit_watts, r.energy_joules, r.temperature_celsius, r.sm_clock_hertz,
            """;

    private static final String DEVICE_COLUMNS =
            "g.uuid, g.nvml_index, g.minor_number, g.pci_bus_id, g.name, g.memory_total_bytes";

    private SnapshotTables() {}

    /** Keeps snapshots of which none was there before. */
    static void append(Session session, Inventory inventory, Collection<NodeSnapshot> snapshots) throws SQLException {
        appendNodes(session, snapshots);
        appendGpus(session, snapshots);
        appendProcesses(session, snapshots);
        appendJobs(session, snapshots);
        appendUsers(session, snapshots);
        replaceNodes(session, inventory, snapshots);
        replaceGpus(session, inventory, snapshots);
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
                    rows.none().none().none().none().none();
                }
                rows.time(snapshot.agent().startedAt())
                        .number(snapshot.agent().droppedSnapshots())
                        .real(snapshot.agent().cpuSeconds())
                        .number(snapshot.agent().residentBytes())
                        .end();
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
                    rows.end();
                }
            }
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
            rows.none().none().none().none().none();
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
                            rows.none().none().none();
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
                            .number(job.memoryLimitBytes())
                            .end();
                }
            }
        }
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
                            .end();
                }
            }
        }
    }

    private static void replaceNodes(Session session, Inventory inventory, Collection<NodeSnapshot> snapshots)
            throws SQLException {
        Map<String, NodeSnapshot> newest = new LinkedHashMap<>();
        Set<String> known = new HashSet<>();
        Set<String> begunEarlier = new LinkedHashSet<>();
        Map<String, List<NodeSnapshot>> counting = new LinkedHashMap<>();
        for (NodeSnapshot snapshot : snapshots) {
            String node = snapshot.node();
            if (ScratchCounts.any(snapshot)) {
                counting.computeIfAbsent(node, first -> new ArrayList<>()).add(snapshot);
            }
            long atMs = snapshot.at().toEpochMilli();
            NodeMark now = new NodeMark(atMs, atMs, snapshot.bootId(), snapshot.sequence());
            NodeMark before = inventory.nodes.get(node);
            if (before != null && !newest.containsKey(node)) {
                known.add(node);
            }
            if (before == null || NEWNESS.compare(now, before) > 0) {
                newest.put(node, snapshot);
                long firstMs = before == null ? atMs : Math.min(atMs, before.firstMs());
                inventory.nodes.put(node, new NodeMark(firstMs, atMs, now.bootId(), now.sequence()));
            } else if (atMs < before.firstMs()) {
                // a late snapshot may be the first one, but never takes the place of a newer one
                begunEarlier.add(node);
                inventory.nodes.put(node, new NodeMark(atMs, before.lastMs(), before.bootId(), before.sequence()));
            }
        }
        Map<String, List<ScratchUse>> scratch = scratch(session, newest, known, counting);
        Schema.delete(
                session,
                "node",
                "node",
                newest.keySet().stream().filter(known::contains).toList());
        try (Rows rows = session.append("node")) {
            for (NodeSnapshot snapshot : newest.values()) {
                State state = new State(
                        snapshot.gpuDriver().map(driver -> driver.version()),
                        snapshot.gpuDriver().flatMap(driver -> driver.simulated()),
                        snapshot.host(),
                        snapshot.probes(),
                        snapshot.users());
                rows.text(snapshot.node())
                        .number(firstMs(inventory, snapshot.node()))
                        .time(snapshot.at())
                        .text(snapshot.bootId())
                        .number(snapshot.sequence())
                        .length(snapshot.period())
                        .text(snapshot.agent().version())
                        .text(Json.write(state))
                        .text(Json.write(scratch.getOrDefault(snapshot.node(), snapshot.scratch())))
                        .end();
            }
        }
        begunEarlier.removeAll(newest.keySet());
        for (String node : begunEarlier) {
            session.update("UPDATE node SET first_at_ms = ? WHERE node = ?", firstMs(inventory, node), node);
        }
        scratch.keySet().removeAll(newest.keySet());
        for (Map.Entry<String, List<ScratchUse>> late : scratch.entrySet()) {
            session.update("UPDATE node SET scratch = ? WHERE node = ?", Json.write(late.getValue()), late.getKey());
        }
    }

    /** The scratch of nodes where it is another than their newest snapshot says, because a count is in an older one. */
    private static Map<String, List<ScratchUse>> scratch(
            Session session,
            Map<String, NodeSnapshot> newest,
            Set<String> known,
            Map<String, List<NodeSnapshot>> counting)
            throws SQLException {
        Set<String> concerned = new LinkedHashSet<>(counting.keySet());
        newest.values().stream().filter(ScratchCounts::missing).forEach(snapshot -> concerned.add(snapshot.node()));
        Map<String, List<ScratchUse>> stored = ScratchCounts.read(
                session,
                concerned.stream()
                        .filter(node -> known.contains(node) || !newest.containsKey(node))
                        .toList());
        Map<String, List<ScratchUse>> merged = new LinkedHashMap<>();
        for (String node : concerned) {
            List<ScratchUse> before = stored.getOrDefault(node, List.of());
            NodeSnapshot now = newest.get(node);
            List<ScratchUse> uses = now == null ? before : ScratchCounts.newer(now.scratch(), before);
            for (NodeSnapshot snapshot : counting.getOrDefault(node, List.of())) {
                uses = ScratchCounts.newer(uses, snapshot.scratch());
            }
            if (now != null || !uses.equals(before)) {
                merged.put(node, uses);
            }
        }
        return merged;
    }

    private static long firstMs(Inventory inventory, String node) {
        return Objects.requireNonNull(inventory.nodes.get(node)).firstMs();
    }

    private static void replaceGpus(Session session, Inventory inventory, Collection<NodeSnapshot> snapshots)
            throws SQLException {
        Map<String, GpuDevice> newest = new LinkedHashMap<>();
        Set<String> known = new HashSet<>();
        for (NodeSnapshot snapshot : snapshots) {
            GpuMark now = new GpuMark(snapshot.at().toEpochMilli(), snapshot.node());
            for (GpuReading gpu : gpus(snapshot)) {
                String uuid = gpu.device().uuid();
                GpuMark before = inventory.gpus.get(uuid);
                if (before != null && !newest.containsKey(uuid)) {
                    known.add(uuid);
                }
                if (before == null || GPU_NEWNESS.compare(now, before) >= 0) {
                    newest.put(uuid, gpu.device());
                    inventory.gpus.put(uuid, now);
                }
            }
        }
        Schema.delete(
                session,
                "gpu",
                "uuid",
                newest.keySet().stream().filter(known::contains).toList());
        try (Rows rows = session.append("gpu")) {
            for (GpuDevice device : newest.values()) {
                GpuMark mark = Objects.requireNonNull(inventory.gpus.get(device.uuid()));
                rows.text(device.uuid())
                        .text(mark.node())
                        .number(mark.lastMs())
                        .number(device.index())
                        .number(device.minorNumber())
                        .text(device.pciBusId())
                        .text(device.name())
                        .number(device.memoryTotalBytes())
                        .end();
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

    static List<NodeState> nodes(Session session) throws SQLException {
        return session.query("""
                SELECT node, first_at_ms, last_at_ms, period_ms, agent_version, state, scratch FROM node
                ORDER BY node""", cells -> {
            String node = cells.text();
            Instant first = cells.time();
            Instant last = cells.time();
            var period = cells.length();
            String agent = cells.text();
            State state = Json.read(cells.text(), State.class);
            ScratchUse[] scratch = Json.read(cells.text(), ScratchUse[].class);
            return new NodeState(
                    node,
                    first,
                    last,
                    period,
                    agent,
                    state.driver(),
                    state.simulated(),
                    state.host(),
                    state.probes(),
                    state.users(),
                    Arrays.asList(scratch));
        });
    }

    static List<GpuSeen> gpus(Session session) throws SQLException {
        return session.query(
                "SELECT g.node, " + DEVICE_COLUMNS + ", g.last_at_ms FROM gpu g ORDER BY g.node, g.nvml_index, g.uuid",
                cells -> new GpuSeen(cells.text(), device(cells), cells.time()));
    }

    static List<GpuReadingAt> newestReadings(Session session, Set<String> uuids, Instant at) throws SQLException {
        // almost always the newest reading is minutes old; only GPUs that have none there are sought in all of the past
        Map<String, GpuReadingAt> found = new LinkedHashMap<>();
        for (long from : new long[] {at.toEpochMilli() - 15 * 60_000, Long.MIN_VALUE}) {
            Set<String> missing = new HashSet<>(uuids);
            missing.removeAll(found.keySet());
            if (!missing.isEmpty()) {
                newestReadings(session, missing, from, at.toEpochMilli(), found);
            }
        }
        return List.copyOf(found.values());
    }

    private static void newestReadings(
            Session session, Set<String> uuids, long fromMs, long atMs, Map<String, GpuReadingAt> found)
            throws SQLException {
        session.execute("CREATE OR REPLACE TEMPORARY TABLE wanted (uuid VARCHAR NOT NULL)");
        try (Rows rows = session.appendTemporary("wanted")) {
            for (String uuid : uuids) {
                rows.text(uuid).end();
            }
        }
        session.query(
                "SELECT " + READING_COLUMNS + DEVICE_COLUMNS + """

                        FROM gpu_reading r JOIN (
                          SELECT x.uuid, max(x.at_ms) AS at_ms FROM gpu_reading x JOIN wanted w ON w.uuid = x.uuid
                          WHERE x.at_ms >= ? AND x.at_ms <= ? GROUP BY x.uuid
                        ) n ON n.uuid = r.uuid AND n.at_ms = r.at_ms
                        JOIN gpu g ON g.uuid = r.uuid
                        WHERE r.at_ms >= ? AND r.at_ms <= ?
                        ORDER BY r.node, g.nvml_index, g.uuid""",
                cells -> {
                    GpuReadingAt reading = reading(cells);
                    return found.putIfAbsent(reading.reading().device().uuid(), reading) == null;
                },
                fromMs,
                atMs,
                fromMs,
                atMs);
    }

    private static GpuReadingAt reading(Cells cells) throws SQLException {
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
        return new GpuReadingAt(
                node,
                at,
                new GpuReading(
                        device(cells),
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
                        Optional.empty()));
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
    private static GpuDevice device(Cells cells) throws SQLException {
        return new GpuDevice(
                cells.text(),
                cells.integer(),
                cells.maybeInteger(),
                cells.maybeText(),
                cells.text(),
                cells.maybeNumber(),
                Optional.empty());
    }

    /** The devices whose uuid stands in a temporary table, by uuid. */
    static Map<String, GpuDevice> devices(Session session, String table) throws SQLException {
        Map<String, GpuDevice> devices = new HashMap<>();
        session.query(
                "SELECT " + DEVICE_COLUMNS + " FROM gpu g WHERE g.uuid IN (SELECT uuid FROM " + table + ")", cells -> {
                    GpuDevice device = device(cells);
                    return devices.put(device.uuid(), device) == null;
                });
        return devices;
    }

    static List<JobOnGpu> jobsOnGpus(Session session, Instant from, Instant to) throws SQLException {
        return session.query(
                """
                SELECT job_id, node, uuid, min(at_ms), max(at_ms) FROM gpu_process
                WHERE job_id IS NOT NULL AND evidence <> 'ENVIRON' AND at_ms >= ? AND at_ms < ?
                GROUP BY job_id, node, uuid ORDER BY job_id, node, uuid""",
                cells -> new JobOnGpu(cells.number(), cells.text(), cells.text(), cells.time(), cells.time()),
                from.toEpochMilli(),
                to.toEpochMilli());
    }
}
