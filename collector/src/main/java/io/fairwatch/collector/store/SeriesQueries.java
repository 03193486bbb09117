package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.store.Store.RunSpan;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** Readings slot by slot, made small where they lie. Immutable; every method works within the given session. */
final class SeriesQueries {
    private static final String GPU_POINTS = """
            SELECT uuid, slot, CAST(count(*) AS INTEGER), CAST(sum(covered_ms) AS BIGINT), max(utilization_max),
              max(memory), max(power_watts)"""
            + UseQueries.mean("utilization_mean") + UseQueries.mean("memory") + UseQueries.mean("power_watts")
            + UseQueries.mean("graphics_ratio") + UseQueries.mean("sm_ratio") + UseQueries.mean("occupancy_ratio")
            + UseQueries.mean("tensor_ratio") + UseQueries.mean("dram_ratio") + """
            , max(node)
            FROM (
              SELECT r.uuid, r.node, (r.at_ms - 1 - ? - (r.at_ms - 1 - ?) % ?) AS slot, r.period_ms AS covered_ms,
                r.utilization_mean, r.utilization_max, r.memory_used_bytes AS memory, r.power_watts, r.graphics_ratio,
                r.sm_ratio, r.occupancy_ratio, r.tensor_ratio, r.dram_ratio
              FROM gpu_reading r
              WHERE r.at_ms > ? AND r.at_ms <= ? AND r.uuid IN (:uuids):more
            ) x
            GROUP BY uuid, slot ORDER BY uuid, slot""";

    private static final String SEEN = " AND EXISTS (SELECT 1 FROM gpu_process p WHERE p.job_id = ?"
            + " AND p.evidence <> 'ENVIRON' AND p.uuid = r.uuid AND p.at_ms = r.at_ms AND p.at_ms > ? AND p.at_ms <= ?)";

    private static final String USED = """
            SELECT uuid, min(node) FROM gpu_process
            WHERE job_id = ? AND evidence <> 'ENVIRON' AND at_ms > ? AND at_ms <= ? GROUP BY uuid ORDER BY 2, 1""";

    private static final String JOB_POINTS = """
            SELECT node, slot, CAST(count(*) AS INTEGER),
              sum(CASE WHEN cpu_seconds >= 0 THEN cpu_seconds END)
                / NULLIF(sum(CASE WHEN cpu_seconds >= 0 THEN step_ms END), 0) * 1000,
              CAST(round(avg(memory_used_bytes)) AS BIGINT), max(memory_used_bytes), max(processes)
            FROM (
              SELECT r.node, (r.at_ms - 1 - ? - (r.at_ms - 1 - ?) % ?) AS slot, r.memory_used_bytes, r.processes,
                r.cpu_seconds - lag(r.cpu_seconds) OVER (PARTITION BY r.node ORDER BY r.at_ms) AS cpu_seconds,
                r.at_ms - lag(r.at_ms) OVER (PARTITION BY r.node ORDER BY r.at_ms) AS step_ms
              FROM job_reading r WHERE r.job_id = ? AND r.at_ms > ? AND r.at_ms <= ?
            ) x
            GROUP BY node, slot ORDER BY node, slot""";

    private SeriesQueries() {}

    static List<GpuSeries> ofRun(Session session, RunSpan span, Slots slots) throws SQLException {
        long jobId = span.run().key().jobId();
        long fromMs = Math.max(ms(slots.from()), ms(span.from()));
        long toMs = Math.min(ms(slots.to()), ms(span.to()));
        List<AllocatedGpu> given = span.run().gpus();
        Set<String> uuids = new LinkedHashSet<>();
        given.forEach(gpu -> gpu.uuid().map(Rows::clean).ifPresent(uuids::add));
        Map<String, String> others = new LinkedHashMap<>();
        session.query(
                USED,
                cells -> {
                    String uuid = cells.text();
                    return !uuids.contains(uuid) && others.put(uuid, cells.text()) == null;
                },
                jobId,
                fromMs,
                toMs);
        Map<String, Read> points = points(session, uuids, slots, fromMs, toMs, "");
        points.putAll(points(session, others.keySet(), slots, fromMs, toMs, SEEN, jobId, fromMs, toMs));
        Set<String> all = new LinkedHashSet<>(uuids);
        all.addAll(others.keySet());
        Map<String, GpuDevice> devices = SnapshotTables.devices(session, all);
        List<GpuSeries> series = new ArrayList<>();
        for (AllocatedGpu gpu : given) {
            String uuid = gpu.uuid().map(Rows::clean).orElse("");
            series.add(new GpuSeries(
                    gpu.node(),
                    Optional.of(gpu),
                    Optional.ofNullable(devices.get(uuid)),
                    points.getOrDefault(uuid, Read.NOTHING).points()));
        }
        others.forEach((uuid, node) -> series.add(new GpuSeries(
                node,
                Optional.empty(),
                Optional.ofNullable(devices.get(uuid)),
                points.getOrDefault(uuid, Read.NOTHING).points())));
        return series;
    }

    static List<GpuSeries> ofGpus(Session session, Set<String> uuids, Slots slots) throws SQLException {
        Map<String, GpuDevice> devices = SnapshotTables.devices(session, uuids);
        Map<String, Read> points = points(session, uuids, slots, ms(slots.from()), ms(slots.to()), "");
        List<GpuSeries> series = new ArrayList<>();
        new TreeMap<>(devices).forEach((uuid, device) -> {
            Read read = points.getOrDefault(uuid, Read.NOTHING);
            series.add(new GpuSeries(read.node(), Optional.empty(), Optional.of(device), read.points()));
        });
        return series;
    }

    /** What was read of one GPU. */
    private record Read(String node, List<GpuSeries.Point> points) {
        static final Read NOTHING = new Read("", List.of());
    }

    private static Map<String, Read> points(
            Session session,
            Collection<String> uuids,
            Slots slots,
            long fromMs,
            long toMs,
            String condition,
            Object... its)
            throws SQLException {
        Map<String, List<GpuSeries.Point>> points = new HashMap<>();
        Map<String, String> nodes = new HashMap<>();
        if (!uuids.isEmpty()) {
            List<Object> parameters = new ArrayList<>(
                    List.of(ms(slots.from()), ms(slots.from()), slots.length().toMillis(), fromMs, toMs));
            parameters.addAll(uuids);
            parameters.addAll(List.of(its));
            session.query(
                    GPU_POINTS
                            .replace(":uuids", "?" + ", ?".repeat(uuids.size() - 1))
                            .replace(":more", condition),
                    cells -> {
                        String uuid = cells.text();
                        points.computeIfAbsent(uuid, first -> new ArrayList<>()).add(point(cells, slots));
                        return nodes.put(uuid, cells.text()) == null;
                    },
                    parameters.toArray());
        }
        Map<String, Read> read = new HashMap<>();
        points.forEach((uuid, list) -> read.put(uuid, new Read(nodes.getOrDefault(uuid, ""), list)));
        return read;
    }

    private static GpuSeries.Point point(Cells cells, Slots slots) throws SQLException {
        Instant from = slots.from().plusMillis(cells.number());
        int samples = cells.integer();
        double coveredSeconds = cells.number() / 1000.0;
        var max = cells.maybeReal();
        var memoryMax = cells.maybeNumber();
        var powerMax = cells.maybeReal();
        var mean = cells.maybeReal();
        var memoryMean = cells.maybeRounded();
        var powerMean = cells.maybeReal();
        return new GpuSeries.Point(
                from,
                samples,
                coveredSeconds,
                mean,
                max,
                memoryMean,
                memoryMax,
                powerMean,
                powerMax,
                UseQueries.activity(cells));
    }

    static List<JobSeries> ofJob(Session session, RunSpan span, Slots slots) throws SQLException {
        Map<String, List<JobSeries.Point>> points = new TreeMap<>();
        session.query(
                JOB_POINTS,
                cells -> points.computeIfAbsent(cells.text(), node -> new ArrayList<>())
                        .add(new JobSeries.Point(
                                slots.from().plusMillis(cells.number()),
                                cells.integer(),
                                cells.maybeReal(),
                                cells.maybeNumber(),
                                cells.maybeNumber(),
                                cells.maybeInteger())),
                ms(slots.from()),
                ms(slots.from()),
                slots.length().toMillis(),
                span.run().key().jobId(),
                Math.max(ms(slots.from()), ms(span.from())),
                Math.min(ms(slots.to()), ms(span.to())));
        List<JobSeries> series = new ArrayList<>();
        points.forEach((node, list) -> series.add(new JobSeries(node, list)));
        return series;
    }

    private static long ms(Instant instant) {
        return instant.toEpochMilli();
    }
}
