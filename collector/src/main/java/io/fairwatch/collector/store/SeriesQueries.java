package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.store.Asked.Column;
import io.fairwatch.collector.store.Sources.Interval;
import io.fairwatch.collector.store.Spans.Cut;
import io.fairwatch.collector.store.Store.RunSpan;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Readings slot by slot, made small where they lie. Immutable; every method works within the given session. Slots of five
 * minutes or more are made from roll-ups where there are some, see {@link Spans}.
 */
final class SeriesQueries {
    private static final String GPU_POINTS = """
            ) SELECT uuid, slot, CAST(sum(samples) AS INTEGER), CAST(sum(covered_ms) AS BIGINT), max(utilization_max),
              max(memory_max), max(power_max), sum(used_ms) / NULLIF(sum(measured_ms), 0)"""
            + mean("memory_mean")
            + mean("power_mean")
            + mean("graphics_mean")
            + mean("sm_mean")
            + mean("occupancy_mean")
            + mean("tensor_mean")
            + mean("dram_mean")
            + ", max(node) FROM item GROUP BY uuid, slot ORDER BY uuid, slot";

    private static final String JOB_POINTS = """
            ), part AS (
              SELECT item.*, cpu_first - lag(cpu_last) OVER w AS step, last_ms - lag(last_ms) OVER w AS step_ms
              FROM item WINDOW w AS (PARTITION BY node, (cpu_last IS NULL) ORDER BY last_ms)
            )
            SELECT node, slot, CAST(sum(samples) AS INTEGER),
              sum(CASE WHEN step >= 0 THEN step + cpu_within END)
                / NULLIF(sum(CASE WHEN step >= 0 THEN step_ms END), 0) * 1000,
              sum(memory_mean * covered_ms) / NULLIF(sum(CASE WHEN memory_mean IS NOT NULL THEN covered_ms END), 0),
              max(memory_max), max(processes_max)
            FROM part GROUP BY node, slot ORDER BY node, slot""";

    private static final List<Column> CUT_COLUMNS =
            List.of(new Column("no", "INTEGER"), new Column("from_ms", "BIGINT"), new Column("slot_ms", "BIGINT"));

    private SeriesQueries() {}

    /** Whether each slot holds whole roll-ups. */
    private static boolean holdsRollups(Slots slots) {
        return slots.length().toMillis() % Rollups.LENGTH_MS == 0
                && slots.from().toEpochMilli() % Rollups.LENGTH_MS == 0;
    }

    /** A part of time that is asked, cut as a span is. */
    private record Part(Slots slots, Cut cut) {
        static Part of(Slots slots, long fromMs, long toMs, Sources sources, String table) {
            return new Part(
                    slots,
                    Cut.of(
                            fromMs,
                            Math.max(fromMs, toMs),
                            sources.keptFromMs(table),
                            sources.sealedUntilMs(),
                            holdsRollups(slots)));
        }

        List<Interval> readings() {
            return cut.isRolled()
                    ? List.of(new Interval(cut.fromMs(), cut.rollFromMs()), new Interval(cut.rollToMs(), cut.toMs()))
                    : List.of(new Interval(cut.fromMs(), cut.toMs()));
        }

        List<Interval> rollups() {
            return List.of(new Interval(cut.rollFromMs(), cut.rollToMs()));
        }

        /** Begin of a row's slot, counted from the first one's. */
        String slot() {
            long from = slots.from().toEpochMilli();
            String past = "(r.at_ms - 1 - " + from + ")";
            return past + " - " + past + " % " + slots.length().toMillis() + " AS slot";
        }

        String isReading() {
            return " r.at_ms > " + cut.fromMs() + " AND r.at_ms <= " + cut.toMs() + " AND NOT (r.sealed AND r.at_ms > "
                    + cut.rollFromMs() + " AND r.at_ms <= " + cut.rollToMs() + ")";
        }

        /** Roll-ups of which all lies in the asked time. */
        String isRolled() {
            return " r.at_ms > " + cut.rollFromMs() + " AND r.at_ms <= " + cut.rollToMs() + " AND r.at_ms - "
                    + Rollups.LENGTH_MS + " >= " + cut.fromMs() + " AND r.at_ms <= " + cut.toMs();
        }
    }

    private static String mean(String column) {
        return ",\n sum(" + column + " * covered_ms) / NULLIF(sum(CASE WHEN " + column
                + " IS NOT NULL THEN covered_ms END), 0)";
    }

    static List<GpuSeries> ofRun(Session session, Sources sources, RunSpan span, Slots slots) throws SQLException {
        long jobId = span.run().key().jobId();
        long fromMs = Math.max(ms(slots.from()), ms(span.from()));
        long toMs = Math.min(ms(slots.to()), ms(span.to()));
        Part part = Part.of(slots, fromMs, toMs, sources, "gpu_reading");
        List<AllocatedGpu> given = span.run().gpus();
        Set<String> uuids = new LinkedHashSet<>();
        given.forEach(gpu -> gpu.uuid().map(Rows::clean).ifPresent(uuids::add));
        Map<String, String> others = new LinkedHashMap<>();
        Sql used = new Sql()
                .add("SELECT uuid, min(node) FROM (SELECT r.uuid, r.node FROM ")
                .add(sources.of("gpu_process", part.readings()))
                .add(" r WHERE r.job_id = ? AND r.evidence <> 'ENVIRON' AND", jobId)
                .add(part.isReading());
        if (part.cut().isRolled()) {
            used.add(" UNION ALL SELECT r.uuid, r.node FROM ")
                    .add(sources.of("gpu_job_5m", part.rollups()))
                    .add(" r WHERE r.job_id = ? AND NOT r.environ AND", jobId)
                    .add(part.isRolled());
        }
        used.add(") x GROUP BY uuid ORDER BY 2, 1").query(session, cells -> {
            String uuid = cells.text();
            return !uuids.contains(uuid) && others.put(uuid, cells.text()) == null;
        });
        Map<String, Read> points = points(session, sources, uuids, part, Optional.empty());
        points.putAll(points(session, sources, others.keySet(), part, Optional.of(jobId)));
        Set<String> all = new LinkedHashSet<>(uuids);
        all.addAll(others.keySet());
        Map<String, GpuDevice> devices = sources.devices(all);
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

    static List<GpuSeries> ofGpus(Session session, Sources sources, Set<String> uuids, Slots slots)
            throws SQLException {
        Map<String, GpuDevice> devices = sources.devices(uuids);
        Part part = Part.of(slots, ms(slots.from()), ms(slots.to()), sources, "gpu_reading");
        Map<String, Read> points = points(session, sources, uuids, part, Optional.empty());
        List<GpuSeries> series = new ArrayList<>();
        new TreeMap<>(devices).forEach((uuid, device) -> {
            Read read = points.getOrDefault(uuid, Read.NOTHING);
            series.add(new GpuSeries(read.node(), Optional.empty(), Optional.of(device), read.points()));
        });
        return series;
    }

    static Map<RunSpan, Map<String, List<OptionalDouble>>> means(
            Session session, Sources sources, Map<RunSpan, Slots> wanted) throws SQLException {
        List<RunSpan> list = new ArrayList<>();
        List<List<Object>> cuts = new ArrayList<>();
        wanted.forEach((span, slots) -> {
            cuts.add(List.of(list.size(), ms(slots.from()), slots.length().toMillis()));
            list.add(span);
        });
        Spans spans = Spans.of(list, sources, sources.keptFromMs("gpu_reading"), span -> {
            Slots slots = wanted.get(span);
            return slots != null && holdsRollups(slots);
        });
        List<Set<String>> given = spans.given();
        Map<RunSpan, Map<String, List<OptionalDouble>>> means = new LinkedHashMap<>();
        wanted.forEach((span, slots) -> {
            Map<String, List<OptionalDouble>> its = new HashMap<>();
            for (String uuid : given.get(means.size())) {
                its.put(uuid, new ArrayList<>(Collections.nCopies(slots.count(), OptionalDouble.empty())));
            }
            means.put(span, its);
        });
        Set<String> uuids = given.stream().flatMap(Set::stream).collect(Collectors.toSet());
        if (uuids.isEmpty()) {
            return means;
        }
        List<Asked> asked = List.of(
                spans.asked(session),
                UseQueries.gpus(session, "span_gpu", given),
                Asked.of(session, "cut", CUT_COLUMNS, cuts));
        Sql sql = new Sql()
                .with(asked)
                .add("item AS (SELECT s.no, r.uuid, r.at_ms - 1 - c.from_ms AS past_ms, c.slot_ms,")
                .add(" r.period_ms AS measured_ms, r.utilization_mean * r.period_ms AS used_ms FROM ")
                .add(sources.of("gpu_reading", spans.readings()))
                .add(" r JOIN span_gpu g ON g.uuid = r.uuid")
                .add(" JOIN span s ON s.no = g.no AND r.at_ms > s.from_ms AND r.at_ms <= s.to_ms")
                .add(" JOIN cut c ON c.no = s.no")
                .add(" WHERE r.at_ms > ? AND r.at_ms <= ?", spans.earliest(), spans.latest())
                .among("r.uuid", uuids)
                .add(" AND r.utilization_mean IS NOT NULL" + UseQueries.NOT_ROLLED);
        if (spans.isRolled()) {
            sql.add(
                            " UNION ALL SELECT s.no, r.uuid, r.at_ms - 1 - c.from_ms, c.slot_ms, r.measured_ms, r.used_ms FROM ")
                    .add(sources.of("gpu_5m", spans.rollups()))
                    .add(" r JOIN span_gpu g ON g.uuid = r.uuid JOIN span s ON s.no = g.no" + UseQueries.ROLLED)
                    .add(" JOIN cut c ON c.no = s.no WHERE r.measured_ms > 0 AND r.at_ms <= s.to_ms")
                    .add(" AND r.at_ms - " + Rollups.LENGTH_MS + " >= s.from_ms")
                    .among("r.uuid", uuids);
        }
        sql.add(") SELECT no, uuid, CAST((past_ms - past_ms % slot_ms) / slot_ms AS INTEGER) AS slot,")
                .add(" sum(used_ms) / sum(measured_ms) FROM item GROUP BY no, uuid, slot")
                .query(session, cells -> {
                    List<OptionalDouble> its = means.getOrDefault(list.get(cells.integer()), Map.of())
                            .getOrDefault(cells.sharedText(), List.of());
                    int slot = cells.integer();
                    OptionalDouble mean = cells.maybeReal();
                    return slot >= 0 && slot < its.size() && its.set(slot, mean).isEmpty();
                });
        return means;
    }

    /** What was read of one GPU. */
    private record Read(String node, List<GpuSeries.Point> points) {
        static final Read NOTHING = new Read("", List.of());
    }

    /** Points of GPUs; only of snapshots that show a process of {@code jobId}, if it is given. */
    private static Map<String, Read> points(
            Session session, Sources sources, Collection<String> uuids, Part part, Optional<Long> jobId)
            throws SQLException {
        Map<String, List<GpuSeries.Point>> points = new HashMap<>();
        Map<String, String> nodes = new HashMap<>();
        if (!uuids.isEmpty()) {
            String among = " AND r.uuid IN (?" + ", ?".repeat(uuids.size() - 1) + ")";
            Sql sql = new Sql()
                    .add("WITH item AS (SELECT r.uuid, r.node, ")
                    .add(part.slot())
                    .add("""
                    , 1 AS samples, r.period_ms AS covered_ms,
                      CASE WHEN r.utilization_mean IS NOT NULL THEN r.period_ms END AS measured_ms,
                      r.utilization_mean * r.period_ms AS used_ms, r.utilization_max,
                      CAST(r.memory_used_bytes AS DOUBLE) AS memory_mean, r.memory_used_bytes AS memory_max,
                      r.power_watts AS power_mean, r.power_watts AS power_max, r.graphics_ratio AS graphics_mean,
                      r.sm_ratio AS sm_mean, r.occupancy_ratio AS occupancy_mean, r.tensor_ratio AS tensor_mean,
                      r.dram_ratio AS dram_mean
                    FROM\s""")
                    .add(sources.of("gpu_reading", part.readings()))
                    .add(" r WHERE" + part.isReading());
            sql.add(among, uuids.toArray());
            if (jobId.isPresent()) {
                sql.add(" AND EXISTS (SELECT 1 FROM ")
                        .add(sources.of("gpu_process", part.readings()))
                        .add(" p WHERE p.job_id = ? AND p.evidence <> 'ENVIRON'", jobId.get())
                        .add(" AND p.uuid = r.uuid AND p.at_ms = r.at_ms)");
            }
            if (part.cut().isRolled()) {
                sql.add(" UNION ALL SELECT r.uuid, r.node, ")
                        .add(part.slot())
                        .add("""
                        , r.samples, r.covered_ms, r.measured_ms, r.used_ms, r.utilization_max, r.memory_mean,
                          r.memory_max, r.power_mean, r.power_max, r.graphics_mean, r.sm_mean, r.occupancy_mean,
                          r.tensor_mean, r.dram_mean
                        FROM\s""")
                        .add(sources.of("gpu_5m", part.rollups()))
                        .add(" r WHERE" + part.isRolled());
                sql.add(among, uuids.toArray());
                if (jobId.isPresent()) {
                    sql.add(" AND EXISTS (SELECT 1 FROM ")
                            .add(sources.of("gpu_job_5m", part.rollups()))
                            .add(" p WHERE p.job_id = ? AND NOT p.environ", jobId.get())
                            .add(" AND p.uuid = r.uuid AND p.at_ms = r.at_ms)");
                }
            }
            sql.add(GPU_POINTS).query(session, cells -> {
                String uuid = cells.text();
                points.computeIfAbsent(uuid, first -> new ArrayList<>()).add(point(cells, part.slots()));
                return nodes.put(uuid, cells.text()) == null;
            });
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

    static List<JobSeries> ofJob(Session session, Sources sources, RunSpan span, Slots slots) throws SQLException {
        long jobId = span.run().key().jobId();
        Part part = Part.of(
                slots,
                Math.max(ms(slots.from()), ms(span.from())),
                Math.min(ms(slots.to()), ms(span.to())),
                sources,
                "job_reading");
        Sql sql = new Sql()
                .add("WITH item AS (SELECT r.node, ")
                .add(part.slot())
                .add("""
                , r.at_ms AS last_ms, 1 AS samples, r.period_ms AS covered_ms, r.cpu_seconds AS cpu_first,
                  r.cpu_seconds AS cpu_last, CAST(0 AS DOUBLE) AS cpu_within,
                  CAST(r.memory_used_bytes AS DOUBLE) AS memory_mean, r.memory_used_bytes AS memory_max,
                  r.processes AS processes_max
                FROM\s""")
                .add(sources.of("job_reading", part.readings()))
                .add(" r WHERE r.job_id = ? AND", jobId);
        sql.add(part.isReading());
        if (part.cut().isRolled()) {
            sql.add(" UNION ALL SELECT r.node, ")
                    .add(part.slot())
                    .add("""
                    , r.last_ms, r.samples, r.covered_ms, r.cpu_first, r.cpu_last, coalesce(r.cpu_seconds, 0),
                      r.memory_mean, r.memory_max, r.processes_max
                    FROM\s""")
                    .add(sources.of("job_5m", part.rollups()))
                    .add(" r WHERE r.job_id = ? AND", jobId);
            sql.add(part.isRolled());
        }
        Map<String, List<JobSeries.Point>> points = new TreeMap<>();
        sql.add(JOB_POINTS).query(session, cells -> points.computeIfAbsent(cells.text(), node -> new ArrayList<>())
                .add(new JobSeries.Point(
                        slots.from().plusMillis(cells.number()),
                        cells.integer(),
                        cells.maybeReal(),
                        cells.maybeRounded(),
                        cells.maybeNumber(),
                        cells.maybeInteger())));
        List<JobSeries> series = new ArrayList<>();
        points.forEach((node, list) -> series.add(new JobSeries(node, list)));
        return series;
    }

    private static long ms(Instant instant) {
        return instant.toEpochMilli();
    }
}
