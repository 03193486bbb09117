package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.Store.RunSpan;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;

/**
 * Allocated and used, joined: a fixed number of queries for any number of spans. Immutable; every method works within
 * the given session.
 *
 * <p>Two kinds of readings lie differently in a span {@code (from, to)}. What was measured <em>over</em> a period (how
 * busy) belongs to it as far as the period overlaps it. What was read <em>at</em> an instant (memory, processes, the
 * energy counter) belongs to it if {@code from < at <= to}, so that the next owner's memory is never the last one's.
 *
 * <p>A GPU that is lost sends a last reading with nothing but its XIDs: they are counted, but nothing was seen.
 *
 * <p>Of a GPU that Slurm did not give, only the snapshots count that show a process of the job on it: the rest is
 * somebody else's.
 */
final class UseQueries {
    /** A job that only a process's environment names could be anybody's invention: its owner must agree. */
    private static final String GPU_USE = """
            WITH snapshot_of_job AS (
              SELECT s.no, p.uuid, p.node, p.at_ms, count(*) AS processes
              FROM span s JOIN gpu_process p ON p.job_id = s.job_id AND p.at_ms > s.from_ms AND p.at_ms <= s.to_ms
              WHERE p.at_ms > ? AND p.at_ms <= ?
                AND (p.evidence <> 'ENVIRON' OR p.uid IS NULL OR s.uid IS NULL OR p.uid = s.uid)
              GROUP BY s.no, p.uuid, p.node, p.at_ms
            ), seen AS (
              SELECT no, uuid, min(node) AS node, max(processes) AS processes
              FROM snapshot_of_job GROUP BY no, uuid
            ), pair AS (
              SELECT DISTINCT no, uuid, TRUE AS given FROM span_gpu
              UNION ALL
              SELECT s.no, s.uuid, FALSE FROM seen s
              WHERE NOT EXISTS (SELECT 1 FROM span_gpu g WHERE g.no = s.no AND g.uuid = s.uuid)
            ), part AS (
              SELECT s.no, r.uuid, r.at_ms, s.to_ms,
                CASE WHEN r.at_ms < s.to_ms THEN r.at_ms ELSE s.to_ms END
                  - CASE WHEN r.at_ms - r.period_ms > s.from_ms THEN r.at_ms - r.period_ms ELSE s.from_ms END
                  AS covered_ms,
                r.utilization_mean, r.utilization_max,
                CASE WHEN r.at_ms <= s.to_ms THEN r.memory_used_bytes END AS memory,
                CASE WHEN r.at_ms <= s.to_ms THEN r.process_count END AS told,
                r.power_watts, r.memory_utilization_mean, r.temperature_celsius, r.graphics_ratio, r.sm_ratio,
                r.occupancy_ratio, r.tensor_ratio, r.dram_ratio,
                CASE WHEN r.xids IS NOT NULL AND r.utilization_max IS NULL AND r.memory_used_bytes IS NULL
                  AND r.power_watts IS NULL AND r.temperature_celsius IS NULL AND r.process_count IS NULL
                  THEN 1 END AS lost,
                CASE WHEN r.xids = '' THEN 0
                  WHEN r.xids IS NOT NULL THEN length(r.xids) - length(replace(r.xids, ',', '')) + 1 END AS xids
              FROM gpu_reading r
              JOIN pair p ON p.uuid = r.uuid
              JOIN span s ON s.no = p.no AND r.at_ms > s.from_ms AND r.at_ms - r.period_ms < s.to_ms
              WHERE r.at_ms > ? AND r.at_ms < ?
                AND (p.given OR EXISTS (
                  SELECT 1 FROM snapshot_of_job j WHERE j.no = p.no AND j.uuid = p.uuid AND j.at_ms = r.at_ms))
            ), reading AS (
              SELECT no, uuid, count(*) - count(lost) AS samples,
                sum(CASE WHEN lost IS NULL THEN covered_ms ELSE 0 END) AS covered_ms,
                sum(CASE WHEN utilization_mean IS NOT NULL THEN utilization_mean * covered_ms END)
                  AS busy_ms,
                sum(CASE WHEN utilization_mean IS NOT NULL THEN covered_ms END) AS measured_ms,
                sum(CASE WHEN utilization_max > ? THEN covered_ms ELSE 0 END) AS active_ms,
                sum(CASE WHEN utilization_max <= ? THEN covered_ms ELSE 0 END) AS idle_ms,
                max(utilization_max) AS utilization_max,
                max(CASE WHEN utilization_max > ? THEN
                  CASE WHEN at_ms < to_ms THEN at_ms ELSE to_ms END END) AS busy_at_ms,
                max(memory) AS memory, count(told) AS told, max(power_watts) AS power_max,
                max(temperature_celsius) AS temperature_max, sum(xids) AS xids"""
            + mean("power_watts") + mean("memory_utilization_mean") + mean("memory") + mean("graphics_ratio")
            + mean("sm_ratio") + mean("occupancy_ratio") + mean("tensor_ratio") + mean("dram_ratio") + """

              FROM part GROUP BY no, uuid
            )
            SELECT p.no, p.uuid, seen.node, CAST(seen.processes AS INTEGER), CAST(reading.samples AS INTEGER),
              CAST(reading.covered_ms AS BIGINT), CAST(reading.active_ms AS BIGINT), CAST(reading.idle_ms AS BIGINT),
              reading.busy_ms / NULLIF(reading.measured_ms, 0), reading.utilization_max, reading.busy_at_ms,
              reading.memory, CAST(reading.told AS INTEGER), reading.mean_power_watts, reading.power_max,
              reading.mean_memory_utilization_mean, CAST(round(reading.mean_memory) AS BIGINT),
              reading.temperature_max, reading.mean_graphics_ratio, reading.mean_sm_ratio,
              reading.mean_occupancy_ratio, reading.mean_tensor_ratio, reading.mean_dram_ratio,
              CAST(reading.xids AS INTEGER)
            FROM pair p
            LEFT JOIN seen ON seen.no = p.no AND seen.uuid = p.uuid
            LEFT JOIN reading ON reading.no = p.no AND reading.uuid = p.uuid""";

    private static final String GPU_ENERGY = """
            WITH step AS (
              SELECT p.no, p.uuid, r.utilization_max, r.energy_joules
                - lag(r.energy_joules) OVER (PARTITION BY p.no, p.uuid ORDER BY r.at_ms) AS joules
              FROM gpu_reading r
              JOIN used p ON p.uuid = r.uuid
              JOIN span s ON s.no = p.no AND r.at_ms > s.from_ms AND r.at_ms <= s.to_ms
              WHERE r.at_ms > ? AND r.at_ms <= ? AND r.energy_joules IS NOT NULL
            )
            SELECT no, uuid, sum(CASE WHEN joules > 0 THEN joules ELSE 0 END),
              sum(CASE WHEN utilization_max IS NULL THEN NULL
                WHEN utilization_max <= ? AND joules > 0 THEN joules ELSE 0 END)
            FROM step
            WHERE joules IS NOT NULL GROUP BY no, uuid""";

    /** Of each job on each node, and of each job on all of them: most memory at one time needs both. */
    private static final String JOB_PARTS = """
            WITH part AS (
              SELECT s.no, r.node, r.at_ms, r.period_ms, r.processes, r.memory_used_bytes, r.cpu_seconds
                - lag(r.cpu_seconds) OVER (PARTITION BY s.no, r.node ORDER BY r.at_ms) AS cpu_seconds,
                r.memory_limit_bytes, r.cpus, r.cpu_system_seconds, r.swap_used_bytes, r.oom_kills,
                r.memory_limit_hits, r.read_bytes, r.written_bytes, r.cpu_stalled_seconds, r.memory_stalled_seconds,
                r.io_stalled_seconds
              FROM span s JOIN job_reading r ON r.job_id = s.job_id AND r.at_ms > s.from_ms AND r.at_ms <= s.to_ms
              WHERE r.at_ms > ? AND r.at_ms <= ?
            )""";

    private static final String JOB_ON_NODE = JOB_PARTS + """

            SELECT no, node, CAST(count(*) AS INTEGER),
              sum(CASE WHEN cpu_seconds > 0 THEN cpu_seconds WHEN cpu_seconds IS NOT NULL THEN 0 END),
              max(memory_used_bytes), max(memory_limit_bytes), max(processes), max(cpus), max(cpu_system_seconds),
              max(swap_used_bytes), max(oom_kills), max(memory_limit_hits), max(read_bytes), max(written_bytes),
              max(cpu_stalled_seconds), max(memory_stalled_seconds), max(io_stalled_seconds)
            FROM part GROUP BY no, node ORDER BY no, node""";

    private static final String JOB_USE = JOB_PARTS + """
            , whole AS (
              SELECT no, max(period_ms) AS width_ms FROM part GROUP BY no
            ), slot AS (
              SELECT p.no, p.node, p.at_ms - p.at_ms % w.width_ms AS slot_ms,
                max(p.memory_used_bytes) AS memory, max(p.processes) AS processes
              FROM part p JOIN whole w ON w.no = p.no
              GROUP BY p.no, p.node, p.at_ms - p.at_ms % w.width_ms
            )
            SELECT no, CAST(max(memory) AS BIGINT), CAST(max(processes) AS INTEGER) FROM (
              SELECT no, slot_ms, sum(memory) AS memory, sum(processes) AS processes FROM slot
              GROUP BY no, slot_ms) x
            GROUP BY no ORDER BY no""";

    /** Snapshots of nodes are not taken at one time: within these minutes they count as together. */
    private static final String TOGETHER = """
            SELECT no, CAST(max(busy) AS INTEGER) FROM (
              SELECT p.no, count(DISTINCT r.uuid) AS busy FROM span_gpu p
              JOIN span s ON s.no = p.no
              JOIN gpu_reading r ON r.uuid = p.uuid AND r.at_ms > s.from_ms AND r.at_ms <= s.to_ms
              WHERE r.at_ms > ? AND r.at_ms <= ? AND r.utilization_max > ?
              GROUP BY p.no, r.at_ms - r.at_ms % 120000) x
            GROUP BY no""";

    /** The longest period that a snapshot may have. */
    private static final long LONGEST_PERIOD_MS = Duration.ofDays(1).toMillis();

    private record Pair(int no, String uuid) {}

    private record Energy(OptionalDouble joules, OptionalDouble idleJoules) {
        static final Energy NOT_KNOWN = new Energy(OptionalDouble.empty(), OptionalDouble.empty());
    }

    /** A row of {@link #GPU_USE}. */
    private record Used(
            Optional<String> node,
            OptionalInt processes,
            int samples,
            long coveredMs,
            long activeMs,
            long idleMs,
            OptionalDouble mean,
            OptionalDouble max,
            Optional<Instant> busyAt,
            OptionalLong memory,
            int told,
            GpuUse.Work work) {
        static final Used NOTHING = new Used(
                Optional.empty(),
                OptionalInt.empty(),
                0,
                0,
                0,
                0,
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                Optional.empty(),
                OptionalLong.empty(),
                0,
                GpuUse.Work.NOT_KNOWN);

        OptionalInt processesMax() {
            return processes.isPresent() || told == 0 ? processes : OptionalInt.of(0);
        }
    }

    private UseQueries() {}

    static List<GpuUse> gpuUse(Session session, List<RunSpan> spans, double busyAboveRatio) throws SQLException {
        if (spans.isEmpty()) {
            return List.of();
        }
        stage(session, spans);
        long earliest = earliest(spans);
        long latest = latest(spans);
        List<Map<String, Used>> used = new ArrayList<>();
        spans.forEach(span -> used.add(new TreeMap<>()));
        session.query(
                GPU_USE,
                cells -> used.get(cells.integer()).put(cells.text(), used(cells)) == null,
                earliest,
                latest,
                earliest,
                latest + LONGEST_PERIOD_MS,
                busyAboveRatio,
                busyAboveRatio,
                busyAboveRatio);
        Map<Pair, Energy> energy = energy(session, used, earliest, latest, busyAboveRatio);
        Map<String, GpuDevice> devices = SnapshotTables.devices(session, "used");
        List<GpuUse> uses = new ArrayList<>();
        for (int no = 0; no < spans.size(); no++) {
            RunSpan span = spans.get(no);
            Set<String> allocated = new HashSet<>();
            for (AllocatedGpu gpu : span.run().gpus()) {
                String uuid = gpu.uuid().map(Rows::clean).orElse("");
                allocated.add(uuid);
                uses.add(use(
                        span,
                        gpu.node(),
                        Optional.of(gpu),
                        Optional.ofNullable(devices.get(uuid)),
                        used.get(no).getOrDefault(uuid, Used.NOTHING),
                        energy.getOrDefault(new Pair(no, uuid), Energy.NOT_KNOWN)));
            }
            for (Map.Entry<String, Used> other : used.get(no).entrySet()) {
                String uuid = other.getKey();
                if (!allocated.contains(uuid)) {
                    uses.add(use(
                            span,
                            other.getValue().node().orElse(""),
                            Optional.empty(),
                            Optional.ofNullable(devices.get(uuid)),
                            other.getValue(),
                            energy.getOrDefault(new Pair(no, uuid), Energy.NOT_KNOWN)));
                }
            }
        }
        return uses;
    }

    private static GpuUse use(
            RunSpan span,
            String node,
            Optional<AllocatedGpu> allocated,
            Optional<GpuDevice> device,
            Used used,
            Energy energy) {
        long lengthMs = Math.max(0, span.to().toEpochMilli() - span.from().toEpochMilli());
        return new GpuUse(
                span.run().key(),
                node,
                allocated,
                device,
                span.from(),
                span.to(),
                used.samples(),
                Math.min(used.coveredMs(), lengthMs) / 1000.0,
                Math.min(used.activeMs(), lengthMs) / 1000.0,
                Math.min(used.idleMs(), lengthMs) / 1000.0,
                used.mean(),
                used.max(),
                used.busyAt(),
                used.memory(),
                used.processesMax(),
                energy.joules(),
                new GpuUse.Work(
                        energy.idleJoules(),
                        used.work().powerMeanWatts(),
                        used.work().powerMaxWatts(),
                        used.work().memoryUtilizationMeanRatio(),
                        used.work().memoryUsedMeanBytes(),
                        used.work().temperatureMaxCelsius(),
                        used.work().activity(),
                        used.work().xids()));
    }

    private static Used used(Cells cells) throws SQLException {
        return new Used(
                cells.maybeText(),
                cells.maybeInteger(),
                cells.integer(),
                cells.number(),
                cells.number(),
                cells.number(),
                cells.maybeReal(),
                cells.maybeReal(),
                cells.maybeTime(),
                cells.maybeNumber(),
                cells.integer(),
                new GpuUse.Work(
                        OptionalDouble.empty(),
                        cells.maybeReal(),
                        cells.maybeReal(),
                        cells.maybeReal(),
                        cells.maybeNumber(),
                        cells.maybeReal(),
                        activity(cells),
                        cells.maybeInteger()));
    }

    /** Five cells. */
    static GpuUse.Activity activity(Cells cells) throws SQLException {
        return new GpuUse.Activity(
                cells.maybeReal(), cells.maybeReal(), cells.maybeReal(), cells.maybeReal(), cells.maybeReal());
    }

    /** A column's mean over the time that its readings cover, as {@code mean_COLUMN}, after a comma. */
    static String mean(String column) {
        return ",\n sum(" + column + " * covered_ms) / NULLIF(sum(CASE WHEN " + column
                + " IS NOT NULL THEN covered_ms END), 0) AS mean_" + column;
    }

    private static Map<Pair, Energy> energy(
            Session session, List<Map<String, Used>> used, long earliest, long latest, double busyAboveRatio)
            throws SQLException {
        session.execute("CREATE OR REPLACE TEMPORARY TABLE used (no INTEGER NOT NULL, uuid VARCHAR NOT NULL)");
        try (Rows rows = session.appendTemporary("used")) {
            for (int no = 0; no < used.size(); no++) {
                for (String uuid : used.get(no).keySet()) {
                    rows.number(no).text(uuid).end();
                }
            }
        }
        Map<Pair, Energy> energy = new HashMap<>();
        session.query(
                GPU_ENERGY,
                cells -> {
                    Pair pair = new Pair(cells.integer(), cells.text());
                    return energy.put(pair, new Energy(cells.maybeReal(), cells.maybeReal())) == null;
                },
                earliest,
                latest,
                busyAboveRatio);
        return energy;
    }

    static Map<RunKey, Integer> gpusTogether(Session session, List<RunSpan> spans, double busyAboveRatio)
            throws SQLException {
        Map<RunKey, Integer> together = new HashMap<>();
        if (spans.isEmpty()) {
            return together;
        }
        stage(session, spans);
        session.query(
                TOGETHER,
                cells -> together.put(spans.get(cells.integer()).run().key(), cells.integer()) == null,
                earliest(spans),
                latest(spans),
                busyAboveRatio);
        return together;
    }

    static List<JobUse> jobUse(Session session, List<RunSpan> spans) throws SQLException {
        if (spans.isEmpty()) {
            return List.of();
        }
        stage(session, spans);
        Map<Integer, List<JobUse.OnNode>> nodes = new HashMap<>();
        session.query(
                JOB_ON_NODE,
                cells -> nodes.computeIfAbsent(cells.integer(), no -> new ArrayList<>())
                        .add(onNode(cells)),
                earliest(spans),
                latest(spans));
        return session.query(
                JOB_USE,
                cells -> {
                    int no = cells.integer();
                    List<JobUse.OnNode> seen = nodes.getOrDefault(no, List.of());
                    return new JobUse(
                            spans.get(no).run().key(),
                            seen.size(),
                            cpuSeconds(seen),
                            cells.maybeNumber(),
                            cells.maybeInteger(),
                            seen);
                },
                earliest(spans),
                latest(spans));
    }

    private static OptionalDouble cpuSeconds(List<JobUse.OnNode> nodes) {
        return nodes.stream().anyMatch(node -> node.cpuSeconds().isPresent())
                ? OptionalDouble.of(nodes.stream()
                        .mapToDouble(node -> node.cpuSeconds().orElse(0))
                        .sum())
                : OptionalDouble.empty();
    }

    private static JobUse.OnNode onNode(Cells cells) throws SQLException {
        return new JobUse.OnNode(
                cells.text(),
                cells.integer(),
                cells.maybeReal(),
                cells.maybeNumber(),
                cells.maybeNumber(),
                cells.maybeInteger(),
                new JobUse.Counters(
                        cells.maybeInteger(),
                        cells.maybeReal(),
                        cells.maybeNumber(),
                        cells.maybeNumber(),
                        cells.maybeNumber(),
                        cells.maybeNumber(),
                        cells.maybeNumber(),
                        cells.maybeReal(),
                        cells.maybeReal(),
                        cells.maybeReal()));
    }

    private static void stage(Session session, List<RunSpan> spans) throws SQLException {
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE span (
                  no INTEGER NOT NULL, job_id BIGINT NOT NULL, uid INTEGER, from_ms BIGINT NOT NULL,
                  to_ms BIGINT NOT NULL)""");
        session.execute("CREATE OR REPLACE TEMPORARY TABLE span_gpu (no INTEGER NOT NULL, uuid VARCHAR NOT NULL)");
        try (Rows rows = session.appendTemporary("span")) {
            for (int no = 0; no < spans.size(); no++) {
                Run run = spans.get(no).run();
                rows.number(no)
                        .number(run.key().jobId())
                        .number(run.owner().uid())
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

    private static long earliest(List<RunSpan> spans) {
        return spans.stream()
                .mapToLong(span -> span.from().toEpochMilli())
                .min()
                .orElse(0);
    }

    private static long latest(List<RunSpan> spans) {
        return spans.stream().mapToLong(span -> span.to().toEpochMilli()).max().orElse(0);
    }
}
