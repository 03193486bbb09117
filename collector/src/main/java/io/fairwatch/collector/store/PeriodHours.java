package io.fairwatch.collector.store;

import io.fairwatch.collector.store.PeriodFacts.HourSum;
import io.fairwatch.collector.store.PeriodFacts.HourUse;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** A period hour by hour: GPUs held and waited for by Slurm's word, and what nodes saw of all GPUs. Stateless. */
final class PeriodHours {
    private static final long HOUR_MS = Duration.ofHours(1).toMillis();

    /** By model and by department. */
    record Held(List<HourSum> models, List<HourSum> departments) {}

    /** What nodes saw, and the time of their first reading in the period. */
    record Used(List<HourUse> hours, Optional<Instant> first) {}

    /**
     * What begins and ends in each hour: the number of GPUs, and their time to the hour's end. With the level carried
     * from hour to hour these make the exact GPU time of each hour, without a row for each run and hour. A run that waits
     * no more begins to hold at the same instant.
     */
    private static final String CHANGES = """
            SELECT model_no, department_no, CAST(hour_ms / %1$d AS INTEGER), CAST(sum(held) AS BIGINT),
              CAST(sum(held * left_ms) AS BIGINT), CAST(sum(waiting) AS BIGINT), CAST(sum(waiting * left_ms) AS BIGINT)
            FROM (
              SELECT model_no, department_no, held, waiting, at_ms - at_ms %% %1$d AS hour_ms, %1$d - at_ms %% %1$d AS left_ms
              FROM (
                SELECT model_no, department_no, begin_ms - ? AS at_ms, gpus AS held,
                  CASE WHEN start_ms > submit_ms AND start_ms > ? AND submit_ms > 0 THEN -gpus ELSE 0 END AS waiting
                FROM piece WHERE gpus > 0
                UNION ALL
                SELECT model_no, department_no, finish_ms - ?, -gpus, 0 FROM piece WHERE gpus > 0
                UNION ALL
                SELECT model_no, department_no, greatest(submit_ms, ?) - ?, 0, gpus FROM piece
                WHERE gpus > 0 AND start_ms > submit_ms AND start_ms > ? AND submit_ms > 0
              ) change
            ) hourly
            GROUP BY GROUPING SETS ((model_no, hour_ms), (department_no, hour_ms))""".formatted(HOUR_MS);

    /**
     * All GPUs, by the hour in which their period ends: readings that are not sealed, roll-ups of those that are. Of five
     * minutes in which the GPU was idle and busy, the counter's steps tell what was taken while idle; the step from the
     * five minutes before is not among them, so a little less is told than was.
     */
    private static final String USED = """
            SELECT COALESCE(m.model, '?'), CAST(h.hour_ms / %1$d AS INTEGER), CAST(COALESCE(sum(h.measured_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(h.used_ms), 0) AS BIGINT), CAST(COALESCE(sum(h.idle_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(h.powered_ms), 0) AS BIGINT), CAST(COALESCE(sum(h.millijoules), 0) / 1000 AS BIGINT),
              CAST(COALESCE(sum(h.idle_millijoules), 0) / 1000 AS BIGINT), min(h.first_ms)
            FROM (
              SELECT node, since_ms - since_ms %% %1$d AS hour_ms, min(since_ms) AS first_ms,
                sum(measured_ms) AS measured_ms, sum(used_ms) AS used_ms, sum(idle_ms) AS idle_ms,
                sum(powered_ms) AS powered_ms, sum(millijoules) AS millijoules, sum(idle_millijoules) AS idle_millijoules
              FROM (
                SELECT node, at_ms - 1 - ? AS since_ms, CASE WHEN utilization_mean IS NOT NULL THEN period_ms END AS measured_ms,
                  CAST(utilization_mean * period_ms AS BIGINT) AS used_ms,
                  CASE WHEN utilization_max <= ? THEN period_ms ELSE 0 END AS idle_ms,
                  CASE WHEN power_watts IS NOT NULL THEN period_ms END AS powered_ms,
                  CAST(power_watts * period_ms AS BIGINT) AS millijoules,
                  CASE WHEN utilization_max <= ? THEN CAST(power_watts * period_ms AS BIGINT) END AS idle_millijoules
                FROM gpu_reading WHERE at_ms > ? AND at_ms <= ?
                UNION ALL
                SELECT node, at_ms - 1 - ?, measured_ms, CAST(used_ms AS BIGINT), idle_ms,
                  CASE WHEN power_mean IS NOT NULL THEN covered_ms END, CAST(power_mean * covered_ms AS BIGINT),
                  CAST(CASE WHEN busy_ms = 0 THEN power_mean * idle_ms WHEN idle_ms > 0 THEN idle_energy_joules * 1000 END
                    AS BIGINT)
                FROM :rollups WHERE at_ms > ? AND at_ms <= ?
              ) r
              GROUP BY node, since_ms - since_ms %% %1$d) h
            LEFT JOIN period_model m ON m.node = h.node
            GROUP BY 1, 2 ORDER BY 1, 2""".formatted(HOUR_MS);

    private PeriodHours() {}

    // ---- held and waited for

    /** A level that changes within hours, and the time held of it. */
    private record Change(int hour, long held, long heldMs, long waiting, long waitingMs) {}

    static Held held(Session session, PeriodPieces pieces, PeriodQuestion question) throws SQLException {
        long from = question.from().toEpochMilli();
        Map<String, List<Change>> models = new TreeMap<>();
        Map<String, List<Change>> departments = new TreeMap<>();
        session.query(
                CHANGES,
                cells -> {
                    var model = cells.maybeInteger();
                    var department = cells.maybeInteger();
                    List<Change> changes = model.isPresent()
                            ? models.computeIfAbsent(pieces.models.text(model.getAsInt()), name -> new ArrayList<>())
                            : departments.computeIfAbsent(
                                    pieces.departments.text(department.orElseThrow()), name -> new ArrayList<>());
                    return changes.add(new Change(
                            cells.integer(), cells.number(), cells.number(), cells.number(), cells.number()));
                },
                from,
                from,
                from,
                from,
                from,
                from);
        long length = question.to().toEpochMilli() - from;
        int hours = (int) ((length + HOUR_MS - 1) / HOUR_MS);
        return new Held(sums(models, hours), sums(departments, hours));
    }

    private static List<HourSum> sums(Map<String, List<Change>> changes, int hours) {
        List<HourSum> sums = new ArrayList<>();
        changes.forEach((name, list) -> {
            list.sort(Comparator.comparingInt(Change::hour));
            int hour = 0;
            long held = 0;
            long waiting = 0;
            for (Change change : list) {
                fill(sums, name, hour, Math.min(change.hour(), hours), held, waiting);
                long heldMs = held * HOUR_MS + change.heldMs();
                long waitMs = waiting * HOUR_MS + change.waitingMs();
                if (change.hour() < hours && (heldMs != 0 || waitMs != 0)) {
                    sums.add(new HourSum(name, change.hour(), heldMs, waitMs));
                }
                hour = change.hour() + 1;
                held += change.held();
                waiting += change.waiting();
            }
            fill(sums, name, hour, hours, held, waiting);
        });
        return sums;
    }

    private static void fill(List<HourSum> sums, String name, int from, int to, long held, long waiting) {
        for (int hour = from; hour < to && (held != 0 || waiting != 0); hour++) {
            sums.add(new HourSum(name, hour, held * HOUR_MS, waiting * HOUR_MS));
        }
    }

    // ---- seen

    static Used used(Session session, Sources sources, PeriodQuestion question, Map<String, String> models)
            throws SQLException {
        session.execute(
                "CREATE OR REPLACE TEMPORARY TABLE period_model (node VARCHAR NOT NULL, model VARCHAR NOT NULL)");
        try (Rows rows = session.appendTemporary("period_model")) {
            for (Map.Entry<String, String> entry : new TreeMap<>(models).entrySet()) {
                rows.text(entry.getKey()).text(entry.getValue()).end();
            }
        }
        long from = question.from().toEpochMilli();
        long to = question.to().toEpochMilli();
        List<Instant> first = new ArrayList<>();
        List<HourUse> hours = session.query(
                USED.replace(":rollups", sources.of("gpu_5m", from, to) + " f"),
                cells -> {
                    HourUse use = new HourUse(
                            cells.text(),
                            cells.integer(),
                            cells.number(),
                            cells.number(),
                            cells.number(),
                            cells.number(),
                            cells.number(),
                            cells.number());
                    first.add(question.from().plusMillis(cells.number() + 1));
                    return use;
                },
                from,
                question.busyAboveRatio(),
                question.busyAboveRatio(),
                from,
                to,
                from,
                from,
                to);
        return new Used(hours, first.stream().min(Comparator.naturalOrder()));
    }
}
