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
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Allocated and used, joined: a fixed number of queries for any number of spans. Immutable; every method works within
 * the given session.
 *
 * <p>Two kinds of readings lie differently in a span {@code (from, to)}. What was measured <em>over</em> a period (how
 * busy) belongs to it as far as the period overlaps it. What was read <em>at</em> an instant (memory, processes, the
 * energy counter) belongs to it if {@code from < at <= to}, so that the next owner's memory is never the last one's.
 *
 * <p>Of a GPU that Slurm did not give, only the snapshots count that show a process of the job on it: the rest is
 * somebody else's. It alone may be shared, by MPS, in shards, or because Slurm manages no GPUs there: what of it is the
 * run's is told beside, see {@link GpuUse.Share}. For GPUs that were given nothing of that is asked.
 *
 * <p>Readings and roll-ups (see {@link Spans}) become rows of one shape, which are then summed up together. A span that
 * is a whole ended run is answered from its summary.
 */
final class UseQueries {
    /** The longest period that a snapshot may have. */
    private static final long LONGEST_PERIOD_MS = Duration.ofDays(1).toMillis();

    /** A GPU that is lost sends a last reading with nothing but its XIDs: they are counted, but nothing was seen. */
    static final String LOST = "(r.xids IS NOT NULL AND r.utilization_max IS NULL AND r.memory_used_bytes IS NULL"
            + " AND r.power_watts IS NULL AND r.temperature_celsius IS NULL AND r.process_count IS NULL)";

    /** Outside the part of the span that roll-ups answer; rows that are not sealed are in no roll-up. */
    static final String NOT_ROLLED = " AND NOT (r.sealed AND r.at_ms > s.roll_from_ms AND r.at_ms <= s.roll_to_ms)";

    static final String ROLLED = " AND r.at_ms > s.roll_from_ms AND r.at_ms <= s.roll_to_ms";

    /** How much of the five minutes lies in the span: all of them, but at its ends where no readings are left. */
    private static final String SHARE_OF_TIME = "(LEAST(r.at_ms, s.to_ms) - GREATEST(r.at_ms - " + Rollups.LENGTH_MS
            + ", s.from_ms)) / CAST(" + Rollups.LENGTH_MS + " AS DOUBLE)";

    private static final String GPU_SUMS = """
            SELECT no, uuid, CAST(round(sum(samples)) AS INTEGER), CAST(round(sum(covered_ms)) AS BIGINT),
              CAST(round(sum(busy_ms)) AS BIGINT), CAST(round(sum(idle_ms)) AS BIGINT),
              sum(used_ms) / NULLIF(sum(measured_ms), 0), max(utilization_max), max(busy_at_ms), max(memory_max),
              CAST(sum(told) AS INTEGER), max(power_max), max(temperature_max), CAST(sum(xids) AS INTEGER)"""
            + mean("power_mean")
            + mean("memory_utilization_mean")
            + mean("memory_mean")
            + mean("graphics_mean")
            + mean("sm_mean")
            + mean("occupancy_mean")
            + mean("tensor_mean")
            + mean("dram_mean");

    private static final String OF_ITEMS = " FROM item GROUP BY no, uuid";

    /** What {@link #GPU_SUMS} adds where a GPU may be shared. */
    private static final String SHARE_SUMS = """
            , CAST(round(COALESCE(sum(shared_ms), 0)) AS BIGINT), CAST(round(COALESCE(sum(own_ms), 0)) AS BIGINT),
             sum(own_used_ms) / NULLIF(sum(own_measured_ms), 0), COALESCE(sum(estimated_ms), 0) > 0, max(own_memory),
             sum(memory_estimated) > 0""";

    /** Columns of an item where a GPU may be shared; {@code j} sums up what the run's processes are to it. */
    private static final String SHARE = """
            , :covered * j.shared / j.snapshots AS shared_ms, :covered * j.parts / j.snapshots AS own_ms,
              :covered * j.estimated / j.snapshots AS estimated_ms,
              CASE WHEN :mean IS NOT NULL OR j.gpu_parts = 0 THEN :covered END AS own_measured_ms,
              CASE WHEN :mean IS NOT NULL OR j.gpu_parts = 0
                THEN :covered * (j.gpu_parts * COALESCE(:mean, 0) / j.snapshots + j.own_use / :times) END AS own_used_ms,
              CASE WHEN :whole THEN CAST(COALESCE(j.memory, round(:memory * j.parts / j.snapshots)) AS BIGINT) END
                AS own_memory,
              CASE WHEN j.memory IS NULL AND j.shared > 0 AND :memory IS NOT NULL THEN 1 ELSE 0 END AS memory_estimated""";

    private static final String SHARE_OF_READING = SHARE.replace(
                    ":covered", "(LEAST(r.at_ms, s.to_ms) - GREATEST(r.at_ms - r.period_ms, s.from_ms))")
            .replace(":mean", "r.utilization_mean")
            .replace(":times", "j.snapshots")
            .replace(":whole", "r.at_ms <= s.to_ms")
            .replace(":memory", "r.memory_used_bytes");

    private static final String SHARE_OF_ROLLUP = SHARE.replace(
                    ":covered", "(r.covered_ms * " + SHARE_OF_TIME + " * LEAST(1, j.snapshots / r.samples))")
            .replace(":mean", "(r.used_ms / NULLIF(r.measured_ms, 0))")
            // a snapshot with processes of two users, or found in two ways, is in two rows of j; what came late is in
            // two of r
            .replace(":times", "LEAST(j.snapshots, sum(r.samples) OVER (PARTITION BY s.no, r.uuid, r.at_ms))")
            .replace(":whole", SHARE_OF_TIME + " >= 1")
            .replace(":memory", "r.memory_max");

    private record Pair(int no, String uuid) {}

    private record Energy(OptionalDouble joules, OptionalDouble idleJoules) {
        static final Energy NOT_KNOWN = new Energy(OptionalDouble.empty(), OptionalDouble.empty());
    }

    /** Where a job's processes were seen, and how many at one time. */
    private record Seen(String node, int processes) {}

    /** A row of {@link #GPU_SUMS}. */
    private record Used(
            int samples,
            long coveredMs,
            long busyMs,
            long idleMs,
            OptionalDouble mean,
            OptionalDouble max,
            Optional<Instant> busyAt,
            OptionalLong memory,
            int told,
            GpuUse.Work work,
            Optional<GpuUse.Share> share) {
        static final Used NOTHING = new Used(
                0,
                0,
                0,
                0,
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                Optional.empty(),
                OptionalLong.empty(),
                0,
                GpuUse.Work.NOT_KNOWN,
                Optional.empty());
    }

    private UseQueries() {}

    /** A column's mean over the time that its rows cover, after a comma. */
    private static String mean(String column) {
        return ",\n sum(" + column + " * covered_ms) / NULLIF(sum(CASE WHEN " + column
                + " IS NOT NULL THEN covered_ms END), 0)";
    }

    static List<GpuUse> gpuUse(
            Session session, Sources sources, List<RunSpan> asked, double busyAboveRatio, boolean energy)
            throws SQLException {
        Map<RunSpan, List<GpuUse>> done = fromSummaries(session, sources, asked, busyAboveRatio);
        List<RunSpan> spans = asked.stream()
                .filter(span -> !done.containsKey(span))
                .distinct()
                .toList();
        done.putAll(fromReadings(session, sources, spans, busyAboveRatio, energy));
        return asked.stream()
                .flatMap(span -> done.getOrDefault(span, List.of()).stream())
                .toList();
    }

    /** Spans that are whole ended runs and have a summary that names the same devices. */
    private static Map<RunSpan, List<GpuUse>> fromSummaries(
            Session session, Sources sources, List<RunSpan> asked, double busyAboveRatio) throws SQLException {
        Map<RunSpan, List<GpuUse>> answers = new HashMap<>();
        Map<RunKey, RunSummary> summaries = summaries(session, sources, asked);
        for (RunSpan span : asked) {
            RunSummary summary = summaries.get(RunTables.stored(span.run().key()));
            if (summary != null
                    && summary.busyAboveRatio() == busyAboveRatio
                    && isWhole(span, summary)
                    && devices(summary)
                            .containsAll(Spans.of(List.of(span), Sources.NONE, 0, false)
                                    .given()
                                    .get(0))) {
                answers.put(span, summary.gpus());
            }
        }
        return answers;
    }

    private static Map<RunKey, RunSummary> summaries(Session session, Sources sources, List<RunSpan> asked)
            throws SQLException {
        Set<RunKey> ended = asked.stream()
                .map(RunSpan::run)
                .filter(run -> run.end().isPresent())
                .map(Run::key)
                .collect(Collectors.toSet());
        return SummaryTables.of(session, sources, ended).stream()
                .collect(Collectors.toMap(RunSummary::run, Function.identity(), (a, b) -> b));
    }

    private static boolean isWhole(RunSpan span, RunSummary summary) {
        return span.run().end().equals(Optional.of(summary.end()))
                && !span.from().isAfter(summary.run().start())
                && !span.to().isBefore(summary.end());
    }

    private static Set<String> devices(RunSummary summary) {
        return summary.gpus().stream()
                .flatMap(gpu -> gpu.device().stream())
                .map(GpuDevice::uuid)
                .collect(Collectors.toSet());
    }

    private static Map<RunSpan, List<GpuUse>> fromReadings(
            Session session, Sources sources, List<RunSpan> list, double busyAboveRatio, boolean withEnergy)
            throws SQLException {
        if (list.isEmpty()) {
            return Map.of();
        }
        Spans spans = Spans.of(
                list,
                sources,
                Math.max(sources.keptFromMs("gpu_reading"), sources.keptFromMs("gpu_process")),
                sources.isBusyAbove(busyAboveRatio));
        Asked asked = spans.asked(session);
        List<Map<String, Seen>> seen = seen(session, sources, spans, asked, list);
        List<Set<String>> given = spans.given();
        List<Set<String>> others = new ArrayList<>();
        for (int no = 0; no < list.size(); no++) {
            if (given.get(no).containsAll(seen.get(no).keySet())) {
                others.add(Set.of()); // nearly always, and a large cluster has a hundred thousand runs
                continue;
            }
            Set<String> rest = new LinkedHashSet<>(seen.get(no).keySet());
            rest.removeAll(given.get(no));
            others.add(rest);
        }
        Map<Pair, Used> used = used(session, sources, spans, asked, list, given, true, busyAboveRatio);
        used.putAll(used(session, sources, spans, asked, list, others, false, busyAboveRatio));
        List<Set<String>> all = new ArrayList<>();
        for (int no = 0; no < list.size(); no++) {
            Set<String> both = given.get(no);
            if (!others.get(no).isEmpty()) {
                both = new LinkedHashSet<>(both);
                both.addAll(others.get(no));
            }
            all.add(both);
        }
        Map<Pair, Energy> energy = withEnergy ? energy(session, sources, spans, asked, all, busyAboveRatio) : Map.of();
        Map<String, GpuDevice> devices =
                sources.devices(all.stream().flatMap(Set::stream).collect(Collectors.toSet()));
        Map<RunSpan, List<GpuUse>> uses = new HashMap<>();
        for (int no = 0; no < list.size(); no++) {
            RunSpan span = list.get(no);
            List<GpuUse> its = new ArrayList<>();
            for (AllocatedGpu gpu : span.run().gpus()) {
                Pair pair = new Pair(no, gpu.uuid().map(Rows::clean).orElse(""));
                its.add(use(span, gpu.node(), Optional.of(gpu), devices, pair, seen.get(no), used, energy));
            }
            for (String uuid : new TreeMap<>(seen.get(no)).keySet()) {
                if (others.get(no).contains(uuid)) {
                    Seen where = seen.get(no).getOrDefault(uuid, new Seen("", 0));
                    its.add(use(
                            span,
                            where.node(),
                            Optional.empty(),
                            devices,
                            new Pair(no, uuid),
                            seen.get(no),
                            used,
                            energy));
                }
            }
            uses.put(span, its);
        }
        return uses;
    }

    private static GpuUse use(
            RunSpan span,
            String node,
            Optional<AllocatedGpu> allocated,
            Map<String, GpuDevice> devices,
            Pair pair,
            Map<String, Seen> seen,
            Map<Pair, Used> all,
            Map<Pair, Energy> energies) {
        Used used = all.getOrDefault(pair, Used.NOTHING);
        Energy energy = energies.getOrDefault(pair, Energy.NOT_KNOWN);
        Seen where = seen.get(pair.uuid());
        long lengthMs = Math.max(0, span.to().toEpochMilli() - span.from().toEpochMilli());
        GpuUse.Work work = used.work();
        return new GpuUse(
                span.run().key(),
                node,
                allocated,
                Optional.ofNullable(devices.get(pair.uuid())),
                span.from(),
                span.to(),
                used.samples(),
                Math.min(used.coveredMs(), lengthMs) / 1000.0,
                Math.min(used.busyMs(), lengthMs) / 1000.0,
                Math.min(used.idleMs(), lengthMs) / 1000.0,
                used.mean(),
                used.max(),
                used.busyAt(),
                used.memory(),
                processesMax(where, used),
                energy.joules(),
                new GpuUse.Work(
                        energy.idleJoules(),
                        work.powerMeanWatts(),
                        work.powerMaxWatts(),
                        work.memoryUtilizationMeanRatio(),
                        work.memoryUsedMeanBytes(),
                        work.temperatureMaxCelsius(),
                        work.activity(),
                        work.xids()),
                used.share());
    }

    private static OptionalInt processesMax(@Nullable Seen seen, Used used) {
        if (seen != null) {
            return OptionalInt.of(seen.processes());
        }
        return used.told() == 0 ? OptionalInt.empty() : OptionalInt.of(0);
    }

    private static List<Long> jobs(List<RunSpan> spans) {
        return spans.stream().map(span -> span.run().key().jobId()).distinct().toList();
    }

    private static List<Map<String, Seen>> seen(
            Session session, Sources sources, Spans spans, Asked asked, List<RunSpan> list) throws SQLException {
        List<Map<String, Seen>> seen = new ArrayList<>(Collections.nCopies(list.size(), Map.of()));
        Sql sql = new Sql().with(List.of(asked)).add("snapshot AS (").add(snapshots(sources, spans, jobs(list)));
        if (spans.isRolled()) {
            sql.add(" UNION ALL ").add(rolledSnapshots(sources, spans, jobs(list)));
        }
        sql.add(") SELECT no, uuid, min(node), CAST(max(processes) AS INTEGER) FROM snapshot GROUP BY no, uuid");
        sql.query(session, cells -> {
            int no = cells.integer();
            String uuid = cells.sharedText();
            Seen where = new Seen(cells.sharedText(), cells.integer());
            Map<String, Seen> before = seen.get(no);
            if (before.isEmpty()) {
                seen.set(no, Map.of(uuid, where));
            } else {
                Map<String, Seen> more = new HashMap<>(before);
                more.put(uuid, where);
                seen.set(no, more);
            }
            return true;
        });
        return seen;
    }

    /** A job that only a process's environment names could be anybody's invention: its owner must agree. */
    private static Sql snapshots(Sources sources, Spans spans, List<Long> jobs) {
        return new Sql()
                .add("SELECT s.no, r.uuid, r.node, r.at_ms, 1.0 AS snapshots, count(*) AS processes FROM span s JOIN ")
                .add(sources.of("gpu_process", spans.readings()))
                .add(" r ON r.job_id = s.job_id AND r.at_ms > s.from_ms AND r.at_ms <= s.to_ms")
                .add(" WHERE r.at_ms > ? AND r.at_ms <= ?", spans.earliest(), spans.latest())
                .among("r.job_id", jobs)
                .add(" AND (r.evidence <> 'ENVIRON' OR r.uid IS NULL OR s.uid IS NULL OR r.uid = s.uid)")
                .add(NOT_ROLLED)
                .add(" GROUP BY s.no, r.uuid, r.node, r.at_ms");
    }

    private static Sql rolledSnapshots(Sources sources, Spans spans, List<Long> jobs) {
        return new Sql()
                .add(
                        "SELECT s.no, r.uuid, max(r.node) AS node, r.at_ms, CAST(sum(r.snapshots) AS DOUBLE) AS snapshots,")
                .add(" max(r.processes_max) AS processes")
                .add(" FROM span s JOIN ")
                .add(sources.of("gpu_job_5m", spans.rollups()))
                .add(" r ON r.job_id = s.job_id" + ROLLED + " WHERE TRUE")
                .among("r.job_id", jobs)
                .add(" AND (NOT r.environ OR r.uid IS NULL OR s.uid IS NULL OR r.uid = s.uid)")
                .add(" GROUP BY s.no, r.uuid, r.at_ms");
    }

    /** As {@link #snapshots}, of some GPUs, each snapshot with what the run's processes are to the GPU in it. */
    private static Sql shares(Sources sources, Spans spans, List<Long> jobs, Set<String> uuids) {
        return new Sql()
                .add("shared AS (SELECT r.uuid, r.at_ms, count(DISTINCT r.job_id) AS jobs FROM ")
                .add(sources.of("gpu_process", spans.readings()))
                .add(" r WHERE r.at_ms > ? AND r.at_ms <= ?", spans.earliest(), spans.latest())
                .among("r.uuid", uuids)
                .add(" GROUP BY r.uuid, r.at_ms HAVING min(r.job_id) <> max(r.job_id)")
                .add(" OR (count(r.job_id) > 0")
                .add(" AND count(CASE WHEN r.job_id IS NULL AND r.kind <> 'GRAPHICS' THEN 1 END) > 0)),\n")
                .add("snapshot AS (SELECT g.no, g.uuid, g.at_ms, 1.0 AS snapshots, g.memory, ")
                .add(Rollups.SHARED + " AS shared, " + Rollups.ESTIMATED + " AS estimated, ")
                .add(Rollups.PARTS + " AS parts, " + Rollups.GPU_PARTS + " AS gpu_parts, ")
                .add(Rollups.OWN_USE + " AS own_use")
                .add(" FROM (SELECT s.no, r.uuid, r.at_ms, count(*) AS processes, sum(r.memory_used_bytes) AS memory,")
                .add(" sum(r.utilization_ratio) AS use, count(r.utilization_ratio) AS told FROM span s JOIN ")
                .add(sources.of("gpu_process", spans.readings()))
                .add(" r ON r.job_id = s.job_id AND r.at_ms > s.from_ms AND r.at_ms <= s.to_ms")
                .add(" WHERE r.at_ms > ? AND r.at_ms <= ?", spans.earliest(), spans.latest())
                .among("r.job_id", jobs)
                .among("r.uuid", uuids)
                .add(" AND (r.evidence <> 'ENVIRON' OR r.uid IS NULL OR s.uid IS NULL OR r.uid = s.uid)")
                .add(NOT_ROLLED)
                .add(" GROUP BY s.no, r.uuid, r.at_ms) g")
                .add(" LEFT JOIN shared h ON h.uuid = g.uuid AND h.at_ms = g.at_ms)");
    }

    /** The same of roll-ups; those made before they told of it count as not shared. */
    private static Sql rolledShares(Sources sources, Spans spans, List<Long> jobs, Set<String> uuids) {
        return new Sql()
                .add("SELECT s.no, r.uuid, r.at_ms, CAST(sum(r.snapshots) AS DOUBLE) AS snapshots,")
                .add(" max(r.memory_max) AS memory, COALESCE(sum(r.shared), 0) AS shared,")
                .add(" COALESCE(sum(r.estimated), 0) AS estimated, sum(COALESCE(r.parts, r.snapshots)) AS parts,")
                .add(" sum(COALESCE(r.gpu_parts, r.snapshots)) AS gpu_parts, COALESCE(sum(r.own_use), 0) AS own_use")
                .add(" FROM span s JOIN ")
                .add(sources.of("gpu_job_5m", spans.rollups()))
                .add(" r ON r.job_id = s.job_id" + ROLLED + " WHERE TRUE")
                .among("r.job_id", jobs)
                .among("r.uuid", uuids)
                .add(" AND (NOT r.environ OR r.uid IS NULL OR s.uid IS NULL OR r.uid = s.uid)")
                .add(" GROUP BY s.no, r.uuid, r.at_ms");
    }

    private static Map<Pair, Used> used(
            Session session,
            Sources sources,
            Spans spans,
            Asked asked,
            List<RunSpan> list,
            List<Set<String>> pairs,
            boolean given,
            double busyAboveRatio)
            throws SQLException {
        Map<Pair, Used> used = new HashMap<>();
        Set<String> uuids = pairs.stream().flatMap(Set::stream).collect(Collectors.toSet());
        if (uuids.isEmpty()) {
            return used;
        }
        Asked gpus = gpus(session, "span_gpu", pairs);
        Sql sql = new Sql().with(List.of(asked, gpus));
        if (!given) {
            sql.add(shares(sources, spans, jobs(list), uuids)).add(",\n");
        }
        sql.add("""
                item AS (
                SELECT s.no, r.uuid, CASE WHEN :lost THEN 0.0 ELSE 1.0 END AS samples,
                  CASE WHEN :lost THEN 0.0
                    ELSE LEAST(r.at_ms, s.to_ms) - GREATEST(r.at_ms - r.period_ms, s.from_ms) END AS covered_ms,
                  CASE WHEN r.utilization_mean IS NOT NULL
                    THEN LEAST(r.at_ms, s.to_ms) - GREATEST(r.at_ms - r.period_ms, s.from_ms) END AS measured_ms,
                  r.utilization_mean * (LEAST(r.at_ms, s.to_ms) - GREATEST(r.at_ms - r.period_ms, s.from_ms)) AS used_ms,
                  CASE WHEN r.utilization_max > ?
                    THEN LEAST(r.at_ms, s.to_ms) - GREATEST(r.at_ms - r.period_ms, s.from_ms) ELSE 0 END AS busy_ms,
                  CASE WHEN r.utilization_max <= ?
                    THEN LEAST(r.at_ms, s.to_ms) - GREATEST(r.at_ms - r.period_ms, s.from_ms) ELSE 0 END AS idle_ms,
                  r.utilization_max, CASE WHEN r.utilization_max > ? THEN LEAST(r.at_ms, s.to_ms) END AS busy_at_ms,
                  CASE WHEN r.at_ms <= s.to_ms THEN r.memory_used_bytes END AS memory_max,
                  CASE WHEN r.at_ms <= s.to_ms THEN CAST(r.memory_used_bytes AS DOUBLE) END AS memory_mean,
                  CASE WHEN r.at_ms <= s.to_ms AND r.process_count IS NOT NULL THEN 1 ELSE 0 END AS told,
                  r.power_watts AS power_mean, r.power_watts AS power_max,
                  r.memory_utilization_mean, r.temperature_celsius AS temperature_max,
                  r.graphics_ratio AS graphics_mean, r.sm_ratio AS sm_mean, r.occupancy_ratio AS occupancy_mean,
                  r.tensor_ratio AS tensor_mean, r.dram_ratio AS dram_mean,
                  CASE WHEN r.xids = '' THEN 0
                    WHEN r.xids IS NOT NULL THEN length(r.xids) - length(replace(r.xids, ',', '')) + 1 END AS xids
                """.replace(":lost", LOST), busyAboveRatio, busyAboveRatio, busyAboveRatio)
                .add(given ? "" : SHARE_OF_READING)
                .add(" FROM ")
                .add(sources.of("gpu_reading", spans.readings()))
                .add("""
                 r JOIN span_gpu g ON g.uuid = r.uuid
                JOIN span s ON s.no = g.no AND r.at_ms > s.from_ms AND r.at_ms - r.period_ms < s.to_ms""");
        if (!given) {
            sql.add(" JOIN snapshot j ON j.no = s.no AND j.uuid = r.uuid AND j.at_ms = r.at_ms");
        }
        sql.add(" WHERE r.at_ms > ? AND r.at_ms < ?", spans.earliest(), spans.latest() + LONGEST_PERIOD_MS)
                .among("r.uuid", uuids)
                .add(NOT_ROLLED);
        if (spans.isRolled()) {
            String share = given ? SHARE_OF_TIME : "(" + SHARE_OF_TIME + " * LEAST(1, j.snapshots / r.samples))";
            sql.add("\nUNION ALL\n")
                    .add("""
                    SELECT s.no, r.uuid, r.samples * :share, r.covered_ms * :share, r.measured_ms * :share,
                      r.used_ms * :share, r.busy_ms * :share, r.idle_ms * :share,
                      CASE WHEN :share >= 1 THEN r.utilization_max END, CASE WHEN :share >= 1 THEN r.busy_at_ms END,
                      CASE WHEN :share >= 1 THEN r.memory_max END, r.memory_mean, r.told, r.power_mean,
                      CASE WHEN :share >= 1 THEN r.power_max END, r.memory_utilization_mean,
                      CASE WHEN :share >= 1 THEN r.temperature_max END, r.graphics_mean, r.sm_mean, r.occupancy_mean,
                      r.tensor_mean, r.dram_mean, r.xids
                    """.replace(":share", share))
                    .add(given ? "" : SHARE_OF_ROLLUP)
                    .add(" FROM ")
                    .add(sources.of("gpu_5m", spans.rollups()))
                    .add(" r JOIN span_gpu g ON g.uuid = r.uuid JOIN span s ON s.no = g.no" + ROLLED);
            if (!given) {
                sql.add(" JOIN (")
                        .add(rolledShares(sources, spans, jobs(list), uuids))
                        .add(") j ON j.no = s.no AND j.uuid = r.uuid AND j.at_ms = r.at_ms");
            }
            sql.add(" WHERE TRUE").among("r.uuid", uuids);
        }
        sql.add(")\n" + GPU_SUMS + (given ? "" : SHARE_SUMS) + OF_ITEMS);
        sql.query(
                session, cells -> used.put(new Pair(cells.integer(), cells.sharedText()), used(cells, given)) == null);
        return used;
    }

    static Asked gpus(Session session, String name, List<Set<String>> pairs) throws SQLException {
        List<List<Object>> rows = new ArrayList<>();
        for (int no = 0; no < pairs.size(); no++) {
            for (String uuid : pairs.get(no)) {
                rows.add(List.of(no, uuid));
            }
        }
        return Asked.of(session, name, Spans.GPU_COLUMNS, rows);
    }

    private static Used used(Cells cells, boolean given) throws SQLException {
        int samples = cells.integer();
        long coveredMs = cells.number();
        long busyMs = cells.number();
        long idleMs = cells.number();
        OptionalDouble mean = cells.maybeReal();
        OptionalDouble max = cells.maybeReal();
        Optional<Instant> busyAt = cells.maybeTime();
        OptionalLong memory = cells.maybeNumber();
        int told = cells.integer();
        OptionalDouble powerMax = cells.maybeReal();
        OptionalDouble temperatureMax = cells.maybeReal();
        OptionalInt xids = cells.maybeInteger();
        GpuUse.Work work = new GpuUse.Work(
                OptionalDouble.empty(),
                cells.maybeReal(),
                powerMax,
                cells.maybeReal(),
                cells.maybeRounded(),
                temperatureMax,
                activity(cells),
                xids);
        return new Used(
                samples,
                coveredMs,
                busyMs,
                idleMs,
                mean,
                max,
                busyAt,
                memory,
                told,
                work,
                given ? Optional.empty() : share(cells));
    }

    /** Six cells; empty: nobody else was there. */
    private static Optional<GpuUse.Share> share(Cells cells) throws SQLException {
        long sharedMs = cells.number();
        long ownMs = cells.number();
        OptionalDouble mean = cells.maybeReal();
        boolean estimated = cells.flag();
        GpuUse.Share share =
                new GpuUse.Share(sharedMs / 1000.0, ownMs / 1000.0, mean, estimated, cells.maybeNumber(), cells.flag());
        return sharedMs == 0 ? Optional.empty() : Optional.of(share);
    }

    /** Five cells. */
    static GpuUse.Activity activity(Cells cells) throws SQLException {
        return new GpuUse.Activity(
                cells.maybeReal(), cells.maybeReal(), cells.maybeReal(), cells.maybeReal(), cells.maybeReal());
    }

    /** What the counters rose: from reading to reading, and within roll-ups. */
    private static Map<Pair, Energy> energy(
            Session session, Sources sources, Spans spans, Asked asked, List<Set<String>> pairs, double busyAboveRatio)
            throws SQLException {
        Map<Pair, Energy> energy = new HashMap<>();
        Set<String> uuids = pairs.stream().flatMap(Set::stream).collect(Collectors.toSet());
        if (uuids.isEmpty()) {
            return energy;
        }
        Asked gpus = gpus(session, "used_gpu", pairs);
        Sql sql = new Sql()
                .with(List.of(asked, gpus))
                .add("""
                        item AS (
                        SELECT s.no, r.uuid, r.at_ms AS last_ms, r.energy_joules AS energy_first,
                          r.energy_joules AS energy_last, r.utilization_max <= ? AS first_idle,
                          CAST(NULL AS DOUBLE) AS joules_within, CAST(NULL AS DOUBLE) AS idle_within
                        FROM\s""", busyAboveRatio)
                .add(sources.of("gpu_reading", spans.readings()))
                .add("""
                         r JOIN used_gpu g ON g.uuid = r.uuid
                        JOIN span s ON s.no = g.no AND r.at_ms > s.from_ms AND r.at_ms <= s.to_ms
                        WHERE r.energy_joules IS NOT NULL""")
                .add(" AND r.at_ms > ? AND r.at_ms <= ?", spans.earliest(), spans.latest())
                .among("r.uuid", uuids)
                .add(NOT_ROLLED);
        if (spans.isRolled()) {
            sql.add("\nUNION ALL\n")
                    .add("""
                    SELECT s.no, r.uuid, r.last_ms, r.energy_first, r.energy_last, r.first_idle,
                      r.energy_joules * :share, r.idle_energy_joules * :share
                    FROM\s""".replace(":share", SHARE_OF_TIME))
                    .add(sources.of("gpu_5m", spans.rollups()))
                    .add(" r JOIN used_gpu g ON g.uuid = r.uuid JOIN span s ON s.no = g.no" + ROLLED)
                    .add(" WHERE r.energy_first IS NOT NULL")
                    .among("r.uuid", uuids);
        }
        sql.add("""
                ), step AS (
                  SELECT no, uuid, first_idle, joules_within, idle_within,
                    energy_first - lag(energy_last) OVER (PARTITION BY no, uuid ORDER BY last_ms) AS joules
                  FROM item
                )
                SELECT no, uuid, sum(CASE WHEN joules > 0 THEN joules WHEN joules IS NOT NULL THEN 0 END),
                  sum(joules_within),
                  sum(CASE WHEN joules IS NULL OR first_idle IS NULL THEN NULL
                    WHEN first_idle AND joules > 0 THEN joules ELSE 0 END),
                  sum(idle_within)
                FROM step GROUP BY no, uuid""");
        sql.query(
                session,
                cells -> energy.put(
                                new Pair(cells.integer(), cells.sharedText()),
                                new Energy(
                                        sum(cells.maybeReal(), cells.maybeReal()),
                                        sum(cells.maybeReal(), cells.maybeReal())))
                        == null);
        return energy;
    }

    /** Readings alone: what happened in the same minutes is not in roll-ups; what is no longer kept is left out. */
    static Map<RunKey, Integer> gpusTogether(
            Session session, Sources sources, List<RunSpan> list, double busyAboveRatio) throws SQLException {
        Map<RunKey, Integer> together = new HashMap<>();
        if (list.isEmpty()) {
            return together;
        }
        Spans spans = Spans.of(list, sources, Long.MIN_VALUE, false);
        List<Set<String>> given = spans.given();
        new Sql()
                .with(List.of(spans.asked(session), gpus(session, "span_gpu", given)))
                .add(
                        "busy AS (SELECT g.no, count(DISTINCT r.uuid) AS busy FROM span_gpu g JOIN span s ON s.no = g.no JOIN ")
                .add(sources.of("gpu_reading", spans.readings()))
                .add(" r ON r.uuid = g.uuid AND r.at_ms > s.from_ms AND r.at_ms <= s.to_ms")
                .add(" WHERE r.at_ms > ? AND r.at_ms <= ?", spans.earliest(), spans.latest())
                .among("r.uuid", given.stream().flatMap(Set::stream).collect(Collectors.toSet()))
                .add(" AND r.utilization_max > ? GROUP BY g.no, r.at_ms - r.at_ms % 120000)", busyAboveRatio)
                .add(" SELECT no, CAST(max(busy) AS INTEGER) FROM busy GROUP BY no")
                .query(
                        session,
                        cells -> together.put(list.get(cells.integer()).run().key(), cells.integer()) == null);
        return together;
    }

    private static OptionalDouble sum(OptionalDouble one, OptionalDouble other) {
        return one.isEmpty() && other.isEmpty() ? one : OptionalDouble.of(one.orElse(0) + other.orElse(0));
    }

    // ---- CPU and memory

    static List<JobUse> jobUse(Session session, Sources sources, List<RunSpan> asked) throws SQLException {
        Map<RunKey, RunSummary> summaries = summaries(session, sources, asked);
        Map<RunSpan, Optional<JobUse>> done = new HashMap<>();
        for (RunSpan span : asked) {
            RunSummary summary = summaries.get(RunTables.stored(span.run().key()));
            if (summary != null && isWhole(span, summary)) {
                done.put(span, summary.job());
            }
        }
        List<RunSpan> rest = asked.stream()
                .filter(span -> !done.containsKey(span))
                .distinct()
                .toList();
        jobsFromReadings(session, sources, rest).forEach((span, use) -> done.put(span, Optional.of(use)));
        return asked.stream()
                .flatMap(span -> done.getOrDefault(span, Optional.empty()).stream())
                .toList();
    }

    private static Map<RunSpan, JobUse> jobsFromReadings(Session session, Sources sources, List<RunSpan> list)
            throws SQLException {
        if (list.isEmpty()) {
            return Map.of();
        }
        Spans spans = Spans.of(list, sources, sources.keptFromMs("job_reading"), true);
        Asked asked = spans.asked(session);
        Map<Integer, List<JobUse.OnNode>> nodes = new HashMap<>();
        jobItems(sources, spans, asked, list).add("""
                        , part AS (
                          SELECT item.*, cpu_first - lag(cpu_last)
                            OVER (PARTITION BY no, node, (cpu_last IS NULL) ORDER BY last_ms) AS step
                          FROM item
                        )
                        SELECT no, node, CAST(round(sum(samples)) AS INTEGER),
                          sum(CASE WHEN step > 0 THEN step WHEN step IS NOT NULL THEN 0 END), sum(cpu_within),
                          max(memory_max), max(limit_max), max(processes_max), max(cpus), max(cpu_system_seconds),
                          max(swap_max), max(oom_kills), max(memory_limit_hits), max(read_bytes), max(written_bytes),
                          max(cpu_stalled_seconds), max(memory_stalled_seconds), max(io_stalled_seconds)
                        FROM part GROUP BY no, node ORDER BY no, node""").query(session, cells -> nodes.computeIfAbsent(
                        cells.integer(), no -> new ArrayList<>())
                .add(onNode(cells)));
        // on one node, what it took at one time is what it took there
        List<Integer> several = nodes.entrySet().stream()
                .filter(its -> its.getValue().size() > 1)
                .map(Map.Entry::getKey)
                .toList();
        Map<RunSpan, Most> together =
                together(session, sources, several.stream().map(list::get).toList());
        Map<RunSpan, JobUse> uses = new HashMap<>();
        nodes.forEach((no, its) -> {
            RunSpan span = list.get(no);
            Most most = its.size() == 1
                    ? new Most(its.get(0).memoryUsedMaxBytes(), its.get(0).processesMax())
                    : together.getOrDefault(span, new Most(OptionalLong.empty(), OptionalInt.empty()));
            uses.put(
                    span,
                    new JobUse(span.run().key(), its.size(), cpuSeconds(its), most.memory(), most.processes(), its));
        });
        return uses;
    }

    /** Of runs on several nodes. */
    private static Map<RunSpan, Most> together(Session session, Sources sources, List<RunSpan> list)
            throws SQLException {
        Map<RunSpan, Most> most = new HashMap<>();
        if (list.isEmpty()) {
            return most;
        }
        Spans spans = Spans.of(list, sources, sources.keptFromMs("job_reading"), true);
        jobItems(sources, spans, spans.asked(session), list)
                .add("""
                        , width AS (
                          SELECT no, max(width_ms) AS width_ms FROM item GROUP BY no
                        ), slot AS (
                          SELECT i.no, i.node, i.last_ms - i.last_ms % w.width_ms AS slot_ms,
                            max(i.memory_max) AS memory, max(i.processes_max) AS processes
                          FROM item i JOIN width w ON w.no = i.no
                          GROUP BY i.no, i.node, i.last_ms - i.last_ms % w.width_ms
                        )
                        SELECT no, CAST(max(memory) AS BIGINT), CAST(max(processes) AS INTEGER) FROM (
                          SELECT no, slot_ms, sum(memory) AS memory, sum(processes) AS processes FROM slot
                          GROUP BY no, slot_ms) x
                        GROUP BY no""")
                .query(
                        session,
                        cells ->
                                most.put(list.get(cells.integer()), new Most(cells.maybeNumber(), cells.maybeInteger()))
                                        == null);
        return most;
    }

    /** Most memory and processes at one time. */
    private record Most(OptionalLong memory, OptionalInt processes) {}

    private static Sql jobItems(Sources sources, Spans spans, Asked asked, List<RunSpan> list) {
        Sql sql = new Sql()
                .with(List.of(asked))
                .add("""
                        item AS (
                        SELECT s.no, r.node, r.at_ms AS last_ms, r.period_ms AS width_ms, 1.0 AS samples,
                          r.cpu_seconds AS cpu_first, r.cpu_seconds AS cpu_last, CAST(NULL AS DOUBLE) AS cpu_within,
                          r.memory_used_bytes AS memory_max, r.memory_limit_bytes AS limit_max,
                          r.processes AS processes_max, r.cpus, r.cpu_system_seconds, r.swap_used_bytes AS swap_max,
                          r.oom_kills, r.memory_limit_hits, r.read_bytes, r.written_bytes, r.cpu_stalled_seconds,
                          r.memory_stalled_seconds, r.io_stalled_seconds
                        FROM span s JOIN\s""")
                .add(sources.of("job_reading", spans.readings()))
                .add(" r ON r.job_id = s.job_id AND r.at_ms > s.from_ms AND r.at_ms <= s.to_ms")
                .add(" WHERE r.at_ms > ? AND r.at_ms <= ?", spans.earliest(), spans.latest())
                .among("r.job_id", jobs(list))
                .add(NOT_ROLLED);
        if (spans.isRolled()) {
            sql.add("\nUNION ALL\n")
                    .add("""
                    SELECT s.no, r.node, r.last_ms, :length, r.samples * :share, r.cpu_first, r.cpu_last,
                      r.cpu_seconds * :share, CASE WHEN :share >= 1 THEN r.memory_max END, r.memory_limit_max,
                      CASE WHEN :share >= 1 THEN r.processes_max END, r.cpus, r.cpu_system_seconds,
                      CASE WHEN :share >= 1 THEN r.swap_max END, r.oom_kills, r.memory_limit_hits, r.read_bytes,
                      r.written_bytes, r.cpu_stalled_seconds, r.memory_stalled_seconds, r.io_stalled_seconds
                    FROM span s JOIN\s""".replace(":share", SHARE_OF_TIME).replace(":length", "" + Rollups.LENGTH_MS))
                    .add(sources.of("job_5m", spans.rollups()))
                    .add(" r ON r.job_id = s.job_id" + ROLLED + " WHERE TRUE")
                    .among("r.job_id", jobs(list));
        }
        return sql.add(")");
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
                sum(cells.maybeReal(), cells.maybeReal()),
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
