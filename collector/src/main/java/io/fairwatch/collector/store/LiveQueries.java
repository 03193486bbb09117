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

    static void moments(Session session, Instant from, Instant to, Consumer<GpuMoment> each) throws SQLException {
        session.query(
                """
                SELECT uuid, at_ms, period_ms, utilization_mean, utilization_max FROM gpu_reading
                WHERE at_ms > ? AND at_ms <= ? AND (utilization_max IS NOT NULL OR memory_used_bytes IS NOT NULL
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

    static List<JobOnGpu> openToJobs(Session session, Instant from, Instant to, List<GpuSeen> gpus)
            throws SQLException {
        Map<String, Map<String, String>> byMinor = byMinor(gpus);
        List<JobOnGpu> open = new ArrayList<>();
        session.query(
                """
                SELECT job_id, node, gpu_minors, min(at_ms), max(at_ms) FROM job_reading
                WHERE gpu_minors <> '' AND at_ms >= ? AND at_ms < ?
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

    static List<GpuPast> past(Session session, Instant from, Instant to, double busyAboveRatio) throws SQLException {
        return session.query(
                """
                SELECT uuid, min(at_ms - period_ms), max(at_ms), CAST(sum(period_ms) AS BIGINT),
                  max(CASE WHEN utilization_max > ? THEN at_ms END)
                FROM gpu_reading WHERE at_ms > ? AND at_ms <= ? AND utilization_max IS NOT NULL
                GROUP BY uuid""",
                cells -> new GpuPast(cells.text(), cells.time(), cells.time(), cells.length(), cells.maybeTime()),
                busyAboveRatio,
                from.toEpochMilli(),
                to.toEpochMilli());
    }
}
