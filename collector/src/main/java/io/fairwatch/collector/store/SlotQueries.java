package io.fairwatch.collector.store;

import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.store.Store.RunSpan;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** Readings of given GPUs and of runs' jobs in slots of five minutes, for whoever goes through long times in one pass. Stateless. */
final class SlotQueries {
    /** What is sealed, by its roll-ups; what is not is in no roll-up and is still in its table. */
    private static final String SLOTS = """
            WITH job AS (
              SELECT uuid, at_ms, max(processes_max) AS processes FROM :jobs WHERE at_ms > ? AND at_ms <= ?
              GROUP BY uuid, at_ms
            ), slot AS (
              SELECT r.uuid, r.at_ms - 300000 AS slot_ms, r.covered_ms, r.measured_ms, r.used_ms, r.busy_ms,
                r.utilization_max, r.memory_max, r.power_mean,
                CASE WHEN r.told > 0 THEN COALESCE(j.processes, 0) END AS processes, :rolled_detail
              FROM :rolled r LEFT JOIN job j ON j.uuid = r.uuid AND j.at_ms = r.at_ms
              WHERE r.at_ms > ? AND r.at_ms <= ?
              UNION ALL
              SELECT r.uuid, r.at_ms - 1 - (r.at_ms - 1) % 300000, sum(r.period_ms),
                sum(CASE WHEN r.utilization_mean IS NOT NULL THEN r.period_ms END),
                sum(r.utilization_mean * r.period_ms),
                sum(CASE WHEN r.utilization_max > ? THEN r.period_ms ELSE 0 END),
                max(r.utilization_max), max(r.memory_used_bytes), avg(r.power_watts), max(r.process_count), :detail
              FROM gpu_reading r WHERE r.at_ms > ? AND r.at_ms <= ?
              GROUP BY r.uuid, r.at_ms - 1 - (r.at_ms - 1) % 300000
            )
            SELECT s.no, t.uuid, t.slot_ms, CAST(t.covered_ms AS BIGINT), CAST(COALESCE(t.measured_ms, 0) AS BIGINT),
              CAST(COALESCE(t.used_ms, 0) AS DOUBLE), CAST(COALESCE(t.busy_ms, 0) AS BIGINT), t.utilization_max,
              CAST(t.memory_max AS BIGINT), t.power_mean, CAST(t.processes AS INTEGER), t.traffic, t.sm, t.tensor, t.dram
            FROM slot t JOIN span_gpu g ON g.uuid = t.uuid
            JOIN span s ON s.no = g.no AND t.slot_ms >= s.from_ms AND t.slot_ms + 300000 <= s.to_ms
            ORDER BY t.slot_ms, s.no""";

    private static final String ROLLED_DETAIL =
            "r.memory_utilization_mean AS traffic, r.sm_mean AS sm, r.tensor_mean AS tensor, r.dram_mean AS dram";

    private static final String DETAIL =
            "avg(r.memory_utilization_mean), avg(r.sm_ratio), avg(r.tensor_ratio), avg(r.dram_ratio)";

    /** Four columns that a long time need not be read for. */
    private static final String NO_DETAIL = "CAST(NULL AS DOUBLE) AS traffic, CAST(NULL AS DOUBLE) AS sm,"
            + " CAST(NULL AS DOUBLE) AS tensor, CAST(NULL AS DOUBLE) AS dram";

    private static final String JOB_SLOTS = """
            WITH slot AS (
              SELECT r.job_id, r.node, r.at_ms - 300000 AS slot_ms, r.covered_ms, r.cpu_first, r.cpu_last, r.memory_max,
                r.processes_max
              FROM :rolled r WHERE r.at_ms > ? AND r.at_ms <= ?
              UNION ALL
              SELECT r.job_id, r.node, r.at_ms - 1 - (r.at_ms - 1) % 300000, sum(r.period_ms),
                arg_min(r.cpu_seconds, r.at_ms), arg_max(r.cpu_seconds, r.at_ms), max(r.memory_used_bytes), max(r.processes)
              FROM job_reading r WHERE r.at_ms > ? AND r.at_ms <= ?
              GROUP BY r.job_id, r.node, r.at_ms - 1 - (r.at_ms - 1) % 300000
            )
            SELECT s.no, t.node, t.slot_ms, CAST(t.covered_ms AS BIGINT), t.cpu_first, t.cpu_last,
              CAST(t.memory_max AS BIGINT), CAST(t.processes_max AS INTEGER)
            FROM slot t JOIN span s ON s.job_id = t.job_id AND t.slot_ms >= s.from_ms AND t.slot_ms + 300000 <= s.to_ms
            ORDER BY t.slot_ms, s.no, t.node""";

    private static final String OUTSIDE = """
            WITH snapshot AS (
              SELECT uuid, at_ms, count(*) AS processes FROM gpu_process
              WHERE at_ms > ? AND at_ms <= ? AND job_id IS NULL AND kind <> 'GRAPHICS' AND uid IS NOT NULL
              GROUP BY uuid, at_ms
            ), most AS (
              SELECT uuid, max(processes) AS processes FROM snapshot GROUP BY uuid
            )
            SELECT r.uuid, min(r.node), CAST(sum(r.period_ms) AS BIGINT), CAST(count(r.process_count) AS INTEGER),
              CAST(max(m.processes) AS INTEGER), max(r.utilization_max)
            FROM gpu_reading r LEFT JOIN most m ON m.uuid = r.uuid
            WHERE r.at_ms > ? AND r.at_ms <= ? GROUP BY r.uuid ORDER BY r.uuid""";

    private static final String OUTSIDERS = """
            SELECT DISTINCT uuid, uid FROM gpu_process
            WHERE at_ms > ? AND at_ms <= ? AND job_id IS NULL AND kind <> 'GRAPHICS' AND uid IS NOT NULL
            ORDER BY uuid, uid""";

    private SlotQueries() {}

    static List<GpuOutside> outside(Session session, Instant from, Instant to) throws SQLException {
        long first = from.toEpochMilli();
        long last = to.toEpochMilli();
        Map<String, List<Integer>> uids = new HashMap<>();
        session.query(
                OUTSIDERS,
                cells -> uids.computeIfAbsent(cells.text(), none -> new ArrayList<>())
                        .add(cells.integer()),
                first,
                last);
        return session.query(
                OUTSIDE,
                cells -> {
                    String uuid = cells.text();
                    String node = cells.text();
                    long covered = cells.number();
                    boolean told = cells.integer() > 0;
                    OptionalInt most = cells.maybeInteger();
                    return new GpuOutside(
                            uuid,
                            node,
                            covered,
                            most.isPresent() || !told ? most : OptionalInt.of(0),
                            uids.getOrDefault(uuid, List.of()),
                            cells.maybeReal());
                },
                first,
                last,
                first,
                last);
    }

    static List<GpuSlot> slots(
            Session session,
            Sources sources,
            List<RunSpan> spans,
            Instant from,
            Instant to,
            double busyAboveRatio,
            boolean detail)
            throws SQLException {
        if (spans.isEmpty()) {
            return List.of();
        }
        stage(session, spans);
        long first = from.toEpochMilli();
        long last = to.toEpochMilli();
        return session.query(
                SLOTS.replace(":rolled_detail", detail ? ROLLED_DETAIL : NO_DETAIL)
                        .replace(":detail", detail ? DETAIL : NO_DETAIL)
                        .replace(":jobs", sources.of("gpu_job_5m", first, last))
                        .replace(":rolled", sources.of("gpu_5m", first, last)),
                cells -> new GpuSlot(
                        cells.integer(),
                        cells.text(),
                        cells.time(),
                        Math.min(GpuSlot.LENGTH_MS, cells.number()),
                        Math.min(GpuSlot.LENGTH_MS, cells.number()),
                        Math.min(GpuSlot.LENGTH_MS, cells.real()),
                        Math.min(GpuSlot.LENGTH_MS, cells.number()),
                        cells.maybeReal(),
                        cells.maybeNumber(),
                        cells.maybeReal(),
                        cells.maybeInteger(),
                        cells.maybeReal(),
                        cells.maybeReal(),
                        cells.maybeReal(),
                        cells.maybeReal()),
                first,
                last,
                first,
                last,
                busyAboveRatio,
                first,
                last);
    }

    static List<JobSlot> jobs(Session session, Sources sources, List<RunSpan> spans, Instant from, Instant to)
            throws SQLException {
        if (spans.isEmpty()) {
            return List.of();
        }
        stage(session, spans);
        long first = from.toEpochMilli();
        long last = to.toEpochMilli();
        return session.query(
                JOB_SLOTS.replace(":rolled", sources.of("job_5m", first, last)),
                cells -> new JobSlot(
                        cells.integer(),
                        cells.text(),
                        cells.time(),
                        Math.min(GpuSlot.LENGTH_MS, cells.number()),
                        cells.maybeReal(),
                        cells.maybeReal(),
                        cells.maybeNumber(),
                        cells.maybeInteger()),
                first,
                last,
                first,
                last);
    }

    private static void stage(Session session, List<RunSpan> spans) throws SQLException {
        session.execute("CREATE OR REPLACE TEMPORARY TABLE span (no INTEGER NOT NULL, job_id BIGINT NOT NULL,"
                + " from_ms BIGINT NOT NULL, to_ms BIGINT NOT NULL)");
        session.execute("CREATE OR REPLACE TEMPORARY TABLE span_gpu (no INTEGER NOT NULL, uuid VARCHAR NOT NULL)");
        try (Rows rows = session.appendTemporary("span")) {
            for (int no = 0; no < spans.size(); no++) {
                rows.number(no)
                        .number(spans.get(no).run().key().jobId())
                        .time(spans.get(no).from())
                        .time(spans.get(no).to())
                        .end();
            }
        }
        try (Rows rows = session.appendTemporary("span_gpu")) {
            for (int no = 0; no < spans.size(); no++) {
                for (AllocatedGpu gpu : spans.get(no).run().gpus()) {
                    if (gpu.uuid().isPresent()) {
                        rows.number(no).text(gpu.uuid().get()).end();
                    }
                }
            }
        }
    }
}
