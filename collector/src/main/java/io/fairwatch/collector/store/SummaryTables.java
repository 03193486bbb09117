package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;

/**
 * What runs did in all, into tables and back. Immutable; every method works within the given session.
 *
 * <p>One row for each run, GPU and node, with flat columns, so that a report over a million runs is a few aggregates. What a
 * report needs of a run's GPUs stands in the run's own row: adding up their rows would take longer than the rest of it.
 * The GPU as Slurm gave it stays in {@code run_gpu} alone.
 */
final class SummaryTables {
    private static final String JOINED =
            " JOIN staged_run_key k ON k.cluster = s.cluster AND k.job_id = s.job_id AND k.start_ms = s.start_ms";

    private static final String OF_RUNS = """
            SELECT s.cluster, s.job_id, s.start_ms, s.end_ms, s.made_ms, s.busy_above, s.nodes_seen, s.cpu_seconds,
              s.memory_max_bytes, s.processes_max FROM run_summary s""" + JOINED;

    private static final String OF_GPUS = """
            SELECT s.cluster, s.job_id, s.start_ms, s.node, s.uuid, s.given, s.gres_index, s.samples, s.covered_ms,
              s.measured_ms, s.used_ms, s.busy_ms, s.idle_ms, s.utilization_max, s.last_busy_ms, s.memory_max_bytes,
              s.memory_mean_bytes, s.processes_max, s.energy_joules, s.idle_energy_joules, s.power_mean_watts,
              s.power_max_watts, s.memory_utilization_mean, s.temperature_max_celsius, s.graphics_mean, s.sm_mean,
              s.occupancy_mean, s.tensor_mean, s.dram_mean, s.xids, s.shared_ms, s.own_ms, s.own_utilization_mean,
              s.own_utilization_estimated, s.own_memory_max_bytes, s.own_memory_estimated FROM run_gpu_summary s""" + JOINED + " ORDER BY s.place";

    private static final String OF_NODES = """
            SELECT s.cluster, s.job_id, s.start_ms, s.node, s.samples, s.cpu_seconds, s.memory_max_bytes,
              s.memory_limit_bytes, s.processes_max, s.cpus, s.cpu_system_seconds, s.swap_max_bytes, s.oom_kills,
              s.memory_limit_hits, s.read_bytes, s.written_bytes, s.cpu_stalled_seconds, s.memory_stalled_seconds,
              s.io_stalled_seconds FROM run_node_summary s""" + JOINED + " ORDER BY s.node";

    /** From the rows of GPUs, where a summary was made before it had these columns. */
    static final String FILL_GIVEN = """
            UPDATE run_summary SET given_known = g.known, given_measured_ms = g.measured_ms, given_used_ms = g.used_ms,
              given_idle_ms = g.idle_ms, given_energy_joules = g.energy_joules, given_energy_ms = g.energy_ms,
              given_idle_energy_joules = g.idle_energy_joules, given_memory_used_bytes = g.memory_used,
              given_memory_total_bytes = g.memory_total, outside_ms = g.outside_ms
            FROM (
              SELECT r.cluster, r.job_id, r.start_ms,
                CAST(COALESCE(sum(CASE WHEN r.given AND r.uuid IS NOT NULL THEN 1 END), 0) AS INTEGER) AS known,
                CAST(COALESCE(sum(CASE WHEN r.given THEN r.measured_ms END), 0) AS BIGINT) AS measured_ms,
                CAST(COALESCE(sum(CASE WHEN r.given THEN r.used_ms END), 0) AS BIGINT) AS used_ms,
                CAST(COALESCE(sum(CASE WHEN r.given THEN r.idle_ms END), 0) AS BIGINT) AS idle_ms,
                CAST(sum(CASE WHEN r.given THEN CAST(round(r.energy_joules) AS BIGINT) END) AS BIGINT) AS energy_joules,
                CAST(COALESCE(sum(CASE WHEN r.given AND r.energy_joules IS NOT NULL THEN r.covered_ms END), 0) AS BIGINT)
                  AS energy_ms,
                CAST(sum(CASE WHEN r.given THEN CAST(round(r.idle_energy_joules) AS BIGINT) END) AS BIGINT)
                  AS idle_energy_joules,
                CAST(sum(CASE WHEN r.given AND u.memory_total_bytes IS NOT NULL THEN r.memory_max_bytes END) AS BIGINT)
                  AS memory_used,
                CAST(sum(CASE WHEN r.given AND r.memory_max_bytes IS NOT NULL THEN u.memory_total_bytes END) AS BIGINT)
                  AS memory_total,
                CAST(COALESCE(sum(CASE WHEN NOT r.given THEN r.covered_ms END), 0) AS BIGINT) AS outside_ms
              FROM run_gpu_summary r LEFT JOIN gpu u ON u.uuid = r.uuid
              GROUP BY r.cluster, r.job_id, r.start_ms) g
            WHERE g.cluster = run_summary.cluster AND g.job_id = run_summary.job_id AND g.start_ms = run_summary.start_ms""";

    /** As {@link #FILL_GIVEN}, of those that have no such rows. */
    static final String FILL_GIVEN_NONE = """
            UPDATE run_summary SET given_known = 0, given_measured_ms = 0, given_used_ms = 0, given_idle_ms = 0,
              given_energy_ms = 0, outside_ms = 0
            WHERE given_known IS NULL""";

    private SummaryTables() {}

    /** Ended runs without a summary whose end is sealed and lies after the first reading. */
    static List<Run> due(Session session, int most) throws SQLException {
        return RunTables.runs(session, """
                r.end_ms IS NOT NULL
                AND r.end_ms <= (SELECT max(CAST(value AS BIGINT)) FROM meta WHERE name = 'sealed_until_ms')
                AND r.end_ms > (SELECT min(first_at_ms) FROM node)
                AND NOT EXISTS (SELECT 1 FROM run_summary s
                  WHERE s.cluster = r.cluster AND s.job_id = r.job_id AND s.start_ms = r.start_ms)""", "r.end_ms, r.job_id LIMIT " + most);
    }

    static void save(Session session, Collection<RunSummary> saved) throws SQLException {
        Map<RunKey, RunSummary> summaries = new LinkedHashMap<>();
        saved.forEach(summary -> summaries.put(RunTables.stored(summary.run()), summary));
        if (summaries.isEmpty()) {
            return;
        }
        stage(session, summaries.keySet());
        for (String table : List.of("run_summary", "run_gpu_summary", "run_node_summary")) {
            session.execute("DELETE FROM " + table + " WHERE EXISTS (SELECT 1 FROM staged_run_key k WHERE k.cluster = "
                    + table + ".cluster AND k.job_id = " + table + ".job_id AND k.start_ms = " + table
                    + ".start_ms)");
        }
        try (Rows rows = session.append("run_summary")) {
            for (Map.Entry<RunKey, RunSummary> entry : summaries.entrySet()) {
                RunTables.key(rows, entry.getKey());
                run(rows, entry.getValue());
            }
        }
        try (Rows rows = session.append("run_gpu_summary")) {
            for (Map.Entry<RunKey, RunSummary> entry : summaries.entrySet()) {
                int place = 0;
                for (GpuUse gpu : entry.getValue().gpus()) {
                    RunTables.key(rows, entry.getKey());
                    rows.number(place++);
                    gpu(rows, gpu);
                }
            }
        }
        try (Rows rows = session.append("run_node_summary")) {
            for (Map.Entry<RunKey, RunSummary> entry : summaries.entrySet()) {
                if (entry.getValue().job().isPresent()) {
                    for (JobUse.OnNode node : entry.getValue().job().get().nodes()) {
                        RunTables.key(rows, entry.getKey());
                        node(rows, node);
                    }
                }
            }
        }
    }

    private static void stage(Session session, Collection<RunKey> keys) throws SQLException {
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE staged_run_key (
                  cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL)""");
        try (Rows rows = session.appendTemporary("staged_run_key")) {
            for (RunKey key : keys) {
                RunTables.key(rows, key);
                rows.end();
            }
        }
    }

    private static void run(Rows rows, RunSummary summary) throws SQLException {
        List<GpuUse> gpus = summary.gpus();
        rows.time(summary.end())
                .time(summary.madeAt())
                .real(summary.busyAboveRatio())
                .number(gpus.size())
                .number(gpus.stream().mapToLong(gpu -> ms(gpu.coveredSeconds())).sum())
                .number(gpus.stream().mapToLong(SummaryTables::measuredMs).sum())
                .number(gpus.stream().mapToLong(SummaryTables::usedMs).sum())
                .number(gpus.stream().mapToLong(gpu -> ms(gpu.busySeconds())).sum())
                .number(gpus.stream().mapToLong(gpu -> ms(gpu.idleSeconds())).sum())
                .real(sum(gpus, GpuUse::energyJoules))
                .real(sum(gpus, gpu -> gpu.work().idleEnergyJoules()));
        if (summary.job().isPresent()) {
            JobUse job = summary.job().get();
            rows.number(job.nodesSeen())
                    .real(job.cpuSeconds())
                    .number(job.memoryUsedMaxBytes())
                    .number(job.processesMax());
        } else {
            rows.none(4);
        }
        given(rows, gpus);
        rows.end();
    }

    private static void given(Rows rows, List<GpuUse> gpus) throws SQLException {
        List<GpuUse> given =
                gpus.stream().filter(gpu -> gpu.allocated().isPresent()).toList();
        List<GpuUse> metered =
                given.stream().filter(gpu -> gpu.energyJoules().isPresent()).toList();
        List<GpuUse> filled = given.stream()
                .filter(gpu -> gpu.memoryUsedMaxBytes().isPresent()
                        && gpu.device()
                                .map(device -> device.memoryTotalBytes().isPresent())
                                .orElse(false))
                .toList();
        rows.number(Math.toIntExact(given.stream()
                        .filter(gpu ->
                                gpu.allocated().flatMap(AllocatedGpu::uuid).isPresent())
                        .count()))
                .number(given.stream().mapToLong(SummaryTables::measuredMs).sum())
                .number(given.stream().mapToLong(SummaryTables::usedMs).sum())
                .number(given.stream().mapToLong(gpu -> ms(gpu.idleSeconds())).sum())
                .number(whole(given, GpuUse::energyJoules))
                .number(metered.stream()
                        .mapToLong(gpu -> ms(gpu.coveredSeconds()))
                        .sum())
                .number(whole(given, gpu -> gpu.work().idleEnergyJoules()))
                .number(bytes(filled, gpu -> gpu.memoryUsedMaxBytes().orElseThrow()))
                .number(bytes(
                        filled,
                        gpu -> gpu.device().orElseThrow().memoryTotalBytes().orElseThrow()))
                .number(gpus.stream()
                        .filter(gpu -> gpu.allocated().isEmpty())
                        .mapToLong(gpu -> ms(gpu.gpuSeconds()))
                        .sum());
    }

    private static OptionalLong bytes(List<GpuUse> gpus, ToLongFunction<GpuUse> value) {
        return gpus.isEmpty()
                ? OptionalLong.empty()
                : OptionalLong.of(gpus.stream().mapToLong(value).sum());
    }

    /** Each rounded, so that no order of adding matters. */
    private static OptionalLong whole(List<GpuUse> gpus, Function<GpuUse, OptionalDouble> value) {
        List<OptionalDouble> known =
                gpus.stream().map(value).filter(OptionalDouble::isPresent).toList();
        return known.isEmpty()
                ? OptionalLong.empty()
                : OptionalLong.of(known.stream()
                        .mapToLong(one -> Math.round(one.getAsDouble()))
                        .sum());
    }

    private static void gpu(Rows rows, GpuUse gpu) throws SQLException {
        GpuUse.Work work = gpu.work();
        rows.text(gpu.node())
                .text(
                        gpu.allocated().isPresent()
                                ? gpu.allocated().get().uuid()
                                : gpu.device().map(GpuDevice::uuid))
                .flag(gpu.allocated().isPresent())
                .number(gpu.allocated()
                        .map(given -> OptionalInt.of(given.gresIndex()))
                        .orElse(OptionalInt.empty()))
                .number(gpu.samples())
                .number(ms(gpu.coveredSeconds()))
                .number(measuredMs(gpu))
                .number(usedMs(gpu))
                .number(ms(gpu.busySeconds()))
                .number(ms(gpu.idleSeconds()))
                .real(gpu.utilizationMaxRatio())
                .time(gpu.lastBusyAt())
                .number(gpu.memoryUsedMaxBytes())
                .number(work.memoryUsedMeanBytes())
                .number(gpu.processesMax())
                .real(gpu.energyJoules())
                .real(work.idleEnergyJoules())
                .real(work.powerMeanWatts())
                .real(work.powerMaxWatts())
                .real(work.memoryUtilizationMeanRatio())
                .real(work.temperatureMaxCelsius())
                .real(work.activity().graphicsMeanRatio())
                .real(work.activity().smMeanRatio())
                .real(work.activity().occupancyMeanRatio())
                .real(work.activity().tensorMeanRatio())
                .real(work.activity().dramMeanRatio())
                .number(work.xids());
        if (gpu.share().isPresent()) {
            GpuUse.Share share = gpu.share().get();
            rows.number(ms(share.sharedSeconds()))
                    .number(ms(share.gpuSeconds()))
                    .real(share.utilizationMeanRatio())
                    .flag(share.utilizationEstimated())
                    .number(share.memoryUsedMaxBytes())
                    .flag(share.memoryEstimated());
        } else {
            rows.none(6);
        }
        rows.end();
    }

    private static void node(Rows rows, JobUse.OnNode node) throws SQLException {
        JobUse.Counters counters = node.counters();
        rows.text(node.node())
                .number(node.samples())
                .real(node.cpuSeconds())
                .number(node.memoryUsedMaxBytes())
                .number(node.memoryLimitBytes())
                .number(node.processesMax())
                .number(counters.cpus())
                .real(counters.cpuSystemSeconds())
                .number(counters.swapUsedMaxBytes())
                .number(counters.oomKills())
                .number(counters.memoryLimitHits())
                .number(counters.readBytes())
                .number(counters.writtenBytes())
                .real(counters.cpuStalledSeconds())
                .real(counters.memoryStalledSeconds())
                .real(counters.ioStalledSeconds())
                .end();
    }

    private static long ms(double seconds) {
        return Math.round(seconds * 1000);
    }

    /** Time of which it is known how busy the GPU was: then its largest sample is known too. */
    private static long measuredMs(GpuUse gpu) {
        return ms(gpu.busySeconds()) + ms(gpu.idleSeconds());
    }

    private static long usedMs(GpuUse gpu) {
        return Math.round(gpu.utilizationMeanRatio().orElse(0) * measuredMs(gpu));
    }

    private static OptionalDouble sum(List<GpuUse> gpus, Function<GpuUse, OptionalDouble> value) {
        List<OptionalDouble> known =
                gpus.stream().map(value).filter(OptionalDouble::isPresent).toList();
        return known.isEmpty()
                ? OptionalDouble.empty()
                : OptionalDouble.of(
                        known.stream().mapToDouble(OptionalDouble::getAsDouble).sum());
    }

    static List<RunSummary> of(Session session, Sources sources, Collection<RunKey> wanted) throws SQLException {
        if (wanted.isEmpty()) {
            return List.of();
        }
        stage(session, wanted.stream().map(RunTables::stored).collect(Collectors.toSet()));
        Map<RunKey, List<AllocatedGpu>> given = RunTables.gpus(
                session,
                "JOIN staged_run_key k ON k.cluster = g.cluster AND k.job_id = g.job_id AND k.start_ms = g.start_ms");
        Map<String, GpuDevice> devices = sources.devices(session.query(
                "SELECT DISTINCT s.uuid FROM run_gpu_summary s" + JOINED + " WHERE s.uuid IS NOT NULL", Cells::text));
        record Head(Instant end, Instant madeAt, double busyAbove, OptionalInt nodesSeen, JobUse job) {}
        Map<RunKey, Head> heads = new LinkedHashMap<>();
        session.query(OF_RUNS, cells -> {
            RunKey key = RunTables.key(cells);
            Instant end = cells.time();
            Instant madeAt = cells.time();
            double busyAbove = cells.real();
            OptionalInt nodesSeen = cells.maybeInteger();
            JobUse job = new JobUse(
                    key, nodesSeen.orElse(0), cells.maybeReal(), cells.maybeNumber(), cells.maybeInteger(), List.of());
            return heads.put(key, new Head(end, madeAt, busyAbove, nodesSeen, job)) == null;
        });
        Map<RunKey, List<GpuUse>> gpus = new HashMap<>();
        session.query(OF_GPUS, cells -> {
            RunKey key = RunTables.key(cells);
            Head head = heads.get(key);
            return head != null
                    && gpus.computeIfAbsent(key, first -> new ArrayList<>())
                            .add(gpu(cells, key, head.end(), given.getOrDefault(key, List.of()), devices));
        });
        Map<RunKey, List<JobUse.OnNode>> nodes = new HashMap<>();
        session.query(OF_NODES, cells -> nodes.computeIfAbsent(RunTables.key(cells), first -> new ArrayList<>())
                .add(node(cells)));
        List<RunSummary> summaries = new ArrayList<>();
        heads.forEach((key, head) -> summaries.add(new RunSummary(
                key,
                head.end(),
                head.madeAt(),
                head.busyAbove(),
                gpus.getOrDefault(key, List.of()),
                head.nodesSeen().isEmpty()
                        ? Optional.empty()
                        : Optional.of(new JobUse(
                                key,
                                head.job().nodesSeen(),
                                head.job().cpuSeconds(),
                                head.job().memoryUsedMaxBytes(),
                                head.job().processesMax(),
                                nodes.getOrDefault(key, List.of()))))));
        return summaries;
    }

    private static GpuUse gpu(
            Cells cells, RunKey key, Instant end, List<AllocatedGpu> given, Map<String, GpuDevice> devices)
            throws SQLException {
        String node = cells.text();
        Optional<String> uuid = cells.maybeText();
        boolean wasGiven = cells.flag();
        OptionalInt gresIndex = cells.maybeInteger();
        Optional<AllocatedGpu> allocated = wasGiven && gresIndex.isPresent()
                ? given.stream()
                        .filter(gpu -> gpu.node().equals(node) && gpu.gresIndex() == gresIndex.getAsInt())
                        .findFirst()
                : Optional.empty();
        int samples = cells.integer();
        double coveredSeconds = cells.number() / 1000.0;
        long measuredMs = cells.number();
        long usedMs = cells.number();
        double busySeconds = cells.number() / 1000.0;
        double idleSeconds = cells.number() / 1000.0;
        OptionalDouble max = cells.maybeReal();
        Optional<Instant> lastBusyAt = cells.maybeTime();
        OptionalLong memoryMax = cells.maybeNumber();
        OptionalLong memoryMean = cells.maybeNumber();
        OptionalInt processesMax = cells.maybeInteger();
        OptionalDouble energy = cells.maybeReal();
        GpuUse.Work work = new GpuUse.Work(
                cells.maybeReal(),
                cells.maybeReal(),
                cells.maybeReal(),
                cells.maybeReal(),
                memoryMean,
                cells.maybeReal(),
                new GpuUse.Activity(
                        cells.maybeReal(), cells.maybeReal(), cells.maybeReal(), cells.maybeReal(), cells.maybeReal()),
                cells.maybeInteger());
        OptionalLong sharedMs = cells.maybeNumber();
        long ownMs = cells.number();
        GpuUse.Share share = new GpuUse.Share(
                sharedMs.orElse(0) / 1000.0,
                ownMs / 1000.0,
                cells.maybeReal(),
                cells.flag(),
                cells.maybeNumber(),
                cells.flag());
        return new GpuUse(
                key,
                node,
                allocated,
                uuid.flatMap(id -> Optional.ofNullable(devices.get(id))),
                key.start(),
                end,
                samples,
                coveredSeconds,
                busySeconds,
                idleSeconds,
                measuredMs == 0 ? OptionalDouble.empty() : OptionalDouble.of((double) usedMs / measuredMs),
                max,
                lastBusyAt,
                memoryMax,
                processesMax,
                energy,
                work,
                sharedMs.isPresent() ? Optional.of(share) : Optional.empty());
    }

    private static JobUse.OnNode node(Cells cells) throws SQLException {
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
}
