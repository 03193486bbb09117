package io.fairwatch.collector.store;

import java.util.List;
import java.util.stream.Stream;

/**
 * Which tables of readings are sealed, how their rows are sorted, and what five minutes of them become. Immutable.
 *
 * <p>A reading belongs to the five minutes in which its period ends; its whole period counts there. So rows add up: the
 * inside of a long time is the sum of its roll-ups, exactly, and several rows of one GPU and time, of which one was made
 * from what came late, are as good as one.
 */
final class Rollups {
    static final long HOUR_MS = 3_600_000;
    static final long LENGTH_MS = 300_000;

    /** The five minutes in which a row's time lies, by their end. */
    private static final String BUCKET = "(r.at_ms - 1 - (r.at_ms - 1) % " + LENGTH_MS + " + " + LENGTH_MS + ")";

    // What a job's processes are to a GPU in one snapshot: g sums them up, h tells the jobs there if others were there,
    // too.

    static final String SHARED = "CASE WHEN h.jobs IS NULL THEN 0 ELSE 1 END";
    static final String ESTIMATED = "CASE WHEN h.jobs IS NOT NULL AND g.told < g.processes THEN 1 ELSE 0 END";
    static final String PARTS = "CASE WHEN h.jobs IS NULL THEN 1.0 ELSE 1.0 / h.jobs END";
    static final String GPU_PARTS =
            "CASE WHEN h.jobs IS NULL THEN 1.0 WHEN g.told < g.processes THEN 1.0 / h.jobs ELSE 0.0 END";
    static final String OWN_USE =
            "CASE WHEN h.jobs IS NULL OR g.told < g.processes THEN 0.0 ELSE LEAST(1.0, g.use) END";

    /** The hour in which a row's time lies, by its beginning: what ends with the hour belongs to it. */
    static long hour(long atMs) {
        return Math.floorDiv(atMs - 1, HOUR_MS) * HOUR_MS;
    }

    /**
     * A table of readings.
     *
     * @param table its name
     * @param order how sealed rows are sorted: by what questions are about
     * @param period the column that holds the length of a row's period, or a constant
     * @param rollup the table of its roll-ups
     * @param rollupOrder how those are sorted
     * @param sum the query that makes roll-ups, with {@code :rows} for the rows of five minutes
     */
    record Readings(String table, String order, String period, String rollup, String rollupOrder, String sum) {
        /** The query that makes the roll-ups of the five minutes that end at {@code toMs} from the table's rows. */
        String sum(long toMs, double busyAboveRatio) {
            long fromMs = toMs - LENGTH_MS;
            return sum.replace(
                            ":rows",
                            "(SELECT * FROM " + table + " WHERE at_ms > " + fromMs + " AND at_ms <= " + toMs + ")")
                    .replace(":above", Double.toString(busyAboveRatio))
                    .replace(":from", Long.toString(fromMs))
                    .replace(":to", Long.toString(toMs));
        }
    }

    static final List<Readings> ALL = List.of(
            new Readings("gpu_reading", "uuid, at_ms", "period_ms", "gpu_5m", "uuid, at_ms", gpus()),
            new Readings("gpu_process", "job_id, uuid, at_ms", "0", "gpu_job_5m", "job_id, uuid, at_ms", jobsOnGpus()),
            new Readings("job_reading", "job_id, node, at_ms", "period_ms", "job_5m", "job_id, node, at_ms", jobs()),
            new Readings("user_reading", "uid, node, at_ms", "period_ms", "user_5m", "uid, node, at_ms", users()),
            new Readings("node_reading", "node, at_ms", "period_ms", "node_5m", "node, at_ms", nodes()));

    private Rollups() {}

    /** All tables that are kept in sealed files. */
    static List<String> tables() {
        return ALL.stream()
                .flatMap(readings -> Stream.of(readings.table(), readings.rollup()))
                .toList();
    }

    private static String mean(String column) {
        return "sum(" + column + " * period_ms) / NULLIF(sum(CASE WHEN " + column
                + " IS NOT NULL THEN period_ms END), 0)";
    }

    private static String gpus() {
        // the counter's step to each reading from the one before it in the same five minutes, and who held the GPU
        return """
                WITH busy AS (SELECT CAST(:above AS DOUBLE) AS above),
                part AS (
                  SELECT r.*, :bucket AS bucket_ms, r.energy_joules - lag(r.energy_joules) OVER (
                    PARTITION BY r.uuid, (r.energy_joules IS NULL) ORDER BY r.at_ms) AS step_joules
                  FROM :rows r
                ), sums AS (
                  SELECT uuid, bucket_ms, max(node) AS node,
                    sum(CASE WHEN :lost THEN 0 ELSE 1 END) AS samples, max(at_ms) AS last_ms,
                    sum(CASE WHEN :lost THEN 0 ELSE period_ms END) AS covered_ms,
                    sum(CASE WHEN utilization_mean IS NOT NULL THEN period_ms END) AS measured_ms,
                    sum(utilization_mean * period_ms) AS used_ms,
                    sum(CASE WHEN utilization_max > above THEN period_ms ELSE 0 END) AS busy_ms,
                    sum(CASE WHEN utilization_max <= above THEN period_ms ELSE 0 END) AS idle_ms,
                    max(utilization_max) AS utilization_max,
                    max(CASE WHEN utilization_max > above THEN at_ms END) AS busy_at_ms,
                    :mean(memory_used_bytes) AS memory_mean, max(memory_used_bytes) AS memory_max,
                    count(process_count) AS told,
                    arg_min(energy_joules, at_ms) AS energy_first, arg_max(energy_joules, at_ms) AS energy_last,
                    bool_or(CASE WHEN energy_joules IS NOT NULL AND step_joules IS NULL
                      THEN utilization_max <= above END) AS first_idle,
                    sum(CASE WHEN step_joules > 0 THEN step_joules WHEN step_joules IS NOT NULL THEN 0 END)
                      AS energy_joules,
                    sum(CASE WHEN step_joules IS NULL OR utilization_max IS NULL THEN NULL
                      WHEN utilization_max <= above AND step_joules > 0 THEN step_joules ELSE 0 END)
                      AS idle_energy_joules,
                    :mean(power_watts) AS power_mean, max(power_watts) AS power_max,
                    :mean(memory_utilization_mean) AS memory_utilization_mean,
                    max(temperature_celsius) AS temperature_max, :mean(graphics_ratio) AS graphics_mean,
                    :mean(sm_ratio) AS sm_mean, :mean(occupancy_ratio) AS occupancy_mean,
                    :mean(tensor_ratio) AS tensor_mean, :mean(dram_ratio) AS dram_mean,
                    sum(CASE WHEN xids = '' THEN 0
                      WHEN xids IS NOT NULL THEN length(xids) - length(replace(xids, ',', '')) + 1 END) AS xids,
                    max(above) AS above
                  FROM part r CROSS JOIN busy GROUP BY uuid, bucket_ms
                ), held AS (
                  SELECT s.uuid, s.bucket_ms, count(*) AS holders, min(h.job_id) AS job_id,
                    min(h.start_ms) AS run_start_ms
                  FROM sums s JOIN (
                    SELECT DISTINCT g.uuid, r.cluster, r.job_id, r.start_ms, r.end_ms
                    FROM run_gpu g JOIN run r
                      ON r.cluster = g.cluster AND r.job_id = g.job_id AND r.start_ms = g.start_ms
                    WHERE g.uuid IS NOT NULL AND r.start_ms < :to AND (r.end_ms IS NULL OR r.end_ms > :from)
                  ) h ON h.uuid = s.uuid AND h.start_ms < s.bucket_ms
                    AND (h.end_ms IS NULL OR h.end_ms > s.bucket_ms - :length)
                  GROUP BY s.uuid, s.bucket_ms
                )
                SELECT s.uuid, s.bucket_ms AS at_ms, s.node, CAST(s.samples AS INTEGER) AS samples, s.last_ms,
                  CAST(s.covered_ms AS BIGINT) AS covered_ms, CAST(s.measured_ms AS BIGINT) AS measured_ms, s.used_ms,
                  s.above AS busy_above, CAST(s.busy_ms AS BIGINT) AS busy_ms, CAST(s.idle_ms AS BIGINT) AS idle_ms,
                  s.utilization_max, s.busy_at_ms, s.memory_mean, s.memory_max, CAST(s.told AS INTEGER) AS told,
                  s.energy_first, s.energy_last, s.first_idle, s.energy_joules, s.idle_energy_joules, s.power_mean,
                  s.power_max, s.memory_utilization_mean, s.temperature_max, s.graphics_mean, s.sm_mean,
                  s.occupancy_mean, s.tensor_mean, s.dram_mean, CAST(s.xids AS INTEGER) AS xids,
                  CAST(coalesce(h.holders, 0) AS INTEGER) AS holders,
                  CASE WHEN h.holders = 1 THEN h.job_id END AS job_id,
                  CASE WHEN h.holders = 1 THEN h.run_start_ms END AS run_start_ms
                FROM sums s LEFT JOIN held h ON h.uuid = s.uuid AND h.bucket_ms = s.bucket_ms""".replace(":bucket", BUCKET)
                .replace(":length", Long.toString(LENGTH_MS))
                .replace(":lost", UseQueries.LOST)
                .replaceAll(":mean\\((\\w+)\\)", mean("$1"));
    }

    private static String jobsOnGpus() {
        // nearly every GPU has one job, which the first of these finds out; what the others do is about the rest alone
        return """
                WITH several AS (
                  SELECT uuid, at_ms FROM :rows r GROUP BY uuid, at_ms
                  HAVING min(job_id) <> max(job_id)
                    OR (count(job_id) > 0 AND count(CASE WHEN job_id IS NULL AND kind <> 'GRAPHICS' THEN 1 END) > 0)
                ), shared AS (
                  SELECT r.uuid, r.at_ms, count(DISTINCT r.job_id) AS jobs
                  FROM :rows r JOIN several s ON s.uuid = r.uuid AND s.at_ms = r.at_ms
                  GROUP BY r.uuid, r.at_ms
                )
                SELECT g.job_id, g.uuid, g.bucket_ms AS at_ms, min(g.node) AS node, g.uid, g.environ,
                  CAST(count(*) AS INTEGER) AS snapshots, CAST(max(g.processes) AS INTEGER) AS processes_max,
                  CAST(max(g.memory) AS BIGINT) AS memory_max, CAST(sum(:shared) AS INTEGER) AS shared,
                  CAST(sum(:estimated) AS INTEGER) AS estimated, CAST(sum(:parts) AS DOUBLE) AS parts,
                  CAST(sum(:gpu_parts) AS DOUBLE) AS gpu_parts, CAST(sum(:own_use) AS DOUBLE) AS own_use
                FROM (
                  SELECT r.job_id, r.uuid, r.at_ms, :bucket AS bucket_ms, min(r.node) AS node, r.uid,
                    r.evidence = 'ENVIRON' AS environ, count(*) AS processes, sum(r.memory_used_bytes) AS memory,
                    sum(r.utilization_ratio) AS use, count(r.utilization_ratio) AS told
                  FROM :rows r WHERE r.job_id IS NOT NULL
                  GROUP BY r.job_id, r.uuid, r.at_ms, r.uid, r.evidence = 'ENVIRON'
                ) g LEFT JOIN shared h ON h.uuid = g.uuid AND h.at_ms = g.at_ms
                GROUP BY g.job_id, g.uuid, g.bucket_ms, g.uid, g.environ""".replace(":bucket", BUCKET)
                .replace(":shared", SHARED)
                .replace(":estimated", ESTIMATED)
                .replace(":parts", PARTS)
                .replace(":gpu_parts", GPU_PARTS)
                .replace(":own_use", OWN_USE);
    }

    private static String jobs() {
        return """
                SELECT job_id, node, bucket_ms AS at_ms, max(uid) AS uid, CAST(count(*) AS INTEGER) AS samples,
                  max(at_ms) AS last_ms, CAST(sum(period_ms) AS BIGINT) AS covered_ms,
                  arg_min(cpu_seconds, at_ms) AS cpu_first, arg_max(cpu_seconds, at_ms) AS cpu_last,
                  sum(CASE WHEN step > 0 THEN step WHEN step IS NOT NULL THEN 0 END) AS cpu_seconds,
                  :mean(memory_used_bytes) AS memory_mean, max(memory_used_bytes) AS memory_max,
                  max(memory_limit_bytes) AS memory_limit_max, max(processes) AS processes_max, max(cpus) AS cpus,
                  max(cpu_system_seconds) AS cpu_system_seconds, max(swap_used_bytes) AS swap_max,
                  max(oom_kills) AS oom_kills, max(memory_limit_hits) AS memory_limit_hits,
                  max(read_bytes) AS read_bytes, max(written_bytes) AS written_bytes,
                  max(cpu_stalled_seconds) AS cpu_stalled_seconds,
                  max(memory_stalled_seconds) AS memory_stalled_seconds,
                  max(io_stalled_seconds) AS io_stalled_seconds
                FROM (
                  SELECT r.*, :bucket AS bucket_ms, r.cpu_seconds - lag(r.cpu_seconds) OVER (
                    PARTITION BY r.job_id, r.node, (r.cpu_seconds IS NULL) ORDER BY r.at_ms) AS step
                  FROM :rows r
                ) s
                GROUP BY job_id, node, bucket_ms""".replace(":bucket", BUCKET).replaceAll(":mean\\((\\w+)\\)", mean("$1"));
    }

    private static String users() {
        return """
                SELECT uid, node, bucket_ms AS at_ms, max(user_name) AS user_name, CAST(count(*) AS INTEGER) AS samples,
                  CAST(sum(period_ms) AS BIGINT) AS covered_ms, sum(cpu_seconds) AS cpu_seconds,
                  sum(cpu_seconds_in_jobs) AS cpu_seconds_in_jobs, :mean(resident_bytes) AS resident_mean,
                  max(resident_bytes) AS resident_max, max(resident_bytes_in_jobs) AS resident_in_jobs_max,
                  max(processes) AS processes_max, max(processes_in_jobs) AS processes_in_jobs_max
                FROM (SELECT r.*, :bucket AS bucket_ms FROM :rows r) s
                GROUP BY uid, node, bucket_ms""".replace(":bucket", BUCKET).replaceAll(":mean\\((\\w+)\\)", mean("$1"));
    }

    private static String nodes() {
        return """
                SELECT node, bucket_ms AS at_ms, CAST(count(*) AS INTEGER) AS samples,
                  CAST(sum(period_ms) AS BIGINT) AS covered_ms, max(logical_cpus) AS logical_cpus,
                  :mean(cpu_busy_ratio) AS cpu_busy_mean, max(cpu_busy_ratio) AS cpu_busy_max,
                  max(memory_total_bytes) AS memory_total_bytes,
                  :mean(memory_available_bytes) AS memory_available_mean,
                  min(memory_available_bytes) AS memory_available_min, :mean(load_average) AS load_mean,
                  max(swap_used_bytes) AS swap_used_max, max(agent_dropped) AS agent_dropped
                FROM (SELECT r.*, :bucket AS bucket_ms FROM :rows r) s
                GROUP BY node, bucket_ms""".replace(":bucket", BUCKET).replaceAll(":mean\\((\\w+)\\)", mean("$1"));
    }
}
