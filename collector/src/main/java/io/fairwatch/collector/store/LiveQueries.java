package io.fairwatch.collector.store;

import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** What the view of all GPUs lately is made of. Immutable; every method works within the given session. */
final class LiveQueries {
    private LiveQueries() {}

    static void moments(Session session, Sources sources, Instant from, Instant to, Consumer<GpuMoment> each)
            throws SQLException {
        session.query(
                "SELECT uuid, at_ms, period_ms, utilization_mean, utilization_max FROM "
                        + sources.of("gpu_reading", from.toEpochMilli(), to.toEpochMilli()) + """
                 r WHERE at_ms > ? AND at_ms <= ? AND (utilization_max IS NOT NULL OR memory_used_bytes IS NOT NULL
                  OR power_watts IS NOT NULL OR process_count IS NOT NULL)
                ORDER BY at_ms""",
                cells -> {
                    each.accept(new GpuMoment(
                            cells.text(), cells.time(), cells.length(), cells.maybeReal(), cells.maybeReal()));
                    return true;
                },
                from.toEpochMilli(),
                to.toEpochMilli());
    }

    static List<JobOnGpu> openToJobs(Session session, Sources sources, Instant from, Instant to, List<GpuSeen> gpus)
            throws SQLException {
        Map<String, Map<String, String>> byMinor = byMinor(gpus);
        List<JobOnGpu> open = new ArrayList<>();
        session.query(
                "SELECT job_id, node, gpu_minors, min(at_ms), max(at_ms) FROM "
                        + sources.of("job_reading", from.toEpochMilli() - 1, to.toEpochMilli()) + """
                 r WHERE gpu_minors <> '' AND at_ms >= ? AND at_ms < ?
                GROUP BY job_id, node, gpu_minors ORDER BY job_id, node, gpu_minors""",
                cells -> {
                    long job = cells.number();
                    String node = cells.text();
                    String[] minors = cells.text().split(",", -1);
                    Instant first = cells.time();
                    Instant last = cells.time();
                    for (String minor : minors) {
                        String uuid = byMinor.getOrDefault(node, Map.of()).get(minor);
                        if (uuid != null) {
                            open.add(new JobOnGpu(job, node, uuid, first, last));
                        }
                    }
                    return true;
                },
                from.toEpochMilli(),
                to.toEpochMilli());
        return open;
    }

    /** By node and minor number as text; a number that two devices have, as slices do with their GPU, names none. */
    private static Map<String, Map<String, String>> byMinor(List<GpuSeen> gpus) {
        Map<String, Map<String, String>> byMinor = new HashMap<>();
        for (GpuSeen gpu : gpus) {
            if (gpu.device().minorNumber().isPresent()) {
                byMinor.computeIfAbsent(gpu.node(), node -> new HashMap<>())
                        .merge(
                                Integer.toString(gpu.device().minorNumber().getAsInt()),
                                gpu.device().uuid(),
                                (one, other) -> "");
            }
        }
        byMinor.values().forEach(minors -> minors.values().removeIf(String::isEmpty));
        return byMinor;
    }

    /** Readings that are not sealed, roll-ups of those that are. */
    static List<GpuPast> past(Session session, Sources sources, Instant from, Instant to, double busyAboveRatio)
            throws SQLException {
        return session.query(
                """
                SELECT uuid, min(from_ms), max(to_ms), CAST(sum(measured_ms) AS BIGINT), max(busy_at_ms) FROM (
                  SELECT uuid, at_ms, at_ms - period_ms AS from_ms, at_ms AS to_ms, period_ms AS measured_ms,
                    CASE WHEN utilization_max > ? THEN at_ms END AS busy_at_ms
                  FROM gpu_reading WHERE utilization_max IS NOT NULL
                  UNION ALL
                  SELECT uuid, at_ms, GREATEST(at_ms - 300000, last_ms - covered_ms), last_ms, measured_ms, busy_at_ms
                  FROM :rollups WHERE measured_ms > 0
                ) r WHERE at_ms > ? AND at_ms <= ? GROUP BY uuid""".replace(":rollups", sources.of("gpu_5m", from.toEpochMilli(), to.toEpochMilli()) + " f"),
                cells -> new GpuPast(cells.text(), cells.time(), cells.time(), cells.length(), cells.maybeTime()),
                busyAboveRatio,
                from.toEpochMilli(),
                to.toEpochMilli());
    }
}
