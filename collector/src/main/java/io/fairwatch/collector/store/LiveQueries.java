package io.fairwatch.collector.store;

import java.sql.SQLException;
import java.time.Instant;
import java.util.List;
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
