package io.fairwatch.collector.store;

import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import org.duckdb.DuckDBConnection;
import org.duckdb.DuckDBDriver;

/**
 * A semester of a university's GPUs, invented from a seed within the database: runs with their summaries, GPUs, node
 * states, and readings or roll-ups as asked. For benchmarks and for looking at reports; nothing in it is real.
 */
public final class GivenSemester {
    private static final String PEOPLE = """
            CREATE TEMPORARY TABLE person AS
            SELECT CAST(i AS INTEGER) AS no,
              'user' || lpad(CAST(i AS VARCHAR), 3, '0') || CASE WHEN i %% 7 = 0 THEN '@student.aau.dk' ELSE '@cs.aau.dk' END
                AS name,
              CASE WHEN i %% 19 < 7 THEN 'cs' WHEN i %% 19 < 11 THEN 'es.shj' WHEN i %% 19 < 14 THEN 'es'
                WHEN i %% 19 < 16 THEN 'math' WHEN i %% 19 < 17 THEN 'bio' ELSE 'build' END AS account,
              hash(i * 31 + %1$d) %% 100 AS habit
            FROM range(%2$d) t(i)""";

    /** Eight nodes of each kind until there are enough GPUs. */
    private static final String NODES = """
            CREATE TEMPORARY TABLE place AS
            SELECT CAST(i AS INTEGER) AS gpu, CAST(i // 8 AS INTEGER) AS node_no,
              CASE (i // 8) %% 4 WHEN 0 THEN 'nv-ai' WHEN 1 THEN 'a768-l40s' WHEN 2 THEN 'i256-a10' ELSE 'a256-t4' END
                || '-' || lpad(CAST(i // 32 + 1 AS VARCHAR), 2, '0') AS node,
              CASE (i // 8) %% 4 WHEN 0 THEN 'v100' WHEN 1 THEN 'l40s' WHEN 2 THEN 'a10' ELSE 't4' END AS model,
              'GPU-' || lpad(CAST(i AS VARCHAR), 6, '0') AS uuid
            FROM range(%1$d) t(i)""";

    private static final String RUNS = """
            INSERT INTO run (cluster, job_id, start_ms, user_name, uid, account, partition_name, qos, name, interactive,
              submit_ms, end_ms, time_limit_ms, suspended_ms, state, state_text, nodes, cpus, memory_bytes, gpus, tres,
              as_of_ms)
            SELECT 'lab', j.i + 1000, j.start_ms, p.name, 20000 + p.no, p.account,
              CASE WHEN p.account = 'bio' THEN 'aicentre' ELSE 'prioritized' END,
              CASE WHEN j.h %% 11 = 0 THEN 'allgpus' WHEN j.h %% 13 = 0 THEN 'short' ELSE 'normal' END, 'train', j.h %% 5 = 0,
              j.start_ms - j.wait_ms, j.start_ms + j.length_ms, j.length_ms * (1 + j.h %% 6), 0,
              CASE WHEN j.h %% 17 = 0 THEN 'CANCELLED' WHEN j.h %% 23 = 0 THEN 'TIMEOUT' ELSE 'COMPLETED' END, 'COMPLETED',
              '["' || n.node || '"]', 6 * j.gpus, 40000000000 * j.gpus, j.gpus,
              'cpu=' || 6 * j.gpus || ',mem=' || 40 * j.gpus || 'G,node=1,gres/gpu=' || j.gpus, j.start_ms + j.length_ms
            FROM (
              SELECT i, h, %1$d + CAST(h %% %2$d AS BIGINT) // 1000 * 1000 AS start_ms,
                CAST(hash(i * 3 + %4$d) %% %5$d AS BIGINT) * CAST(hash(i * 5) %% 100 AS BIGINT) // 50 // 1000 * 1000 + 60000
                  AS length_ms,
                CAST(hash(i * 7) %% 100 AS BIGINT) * CAST(hash(i * 11) %% 400 AS BIGINT) * 1000 AS wait_ms,
                CASE WHEN h %% 20 = 0 THEN 0 WHEN h %% 20 < 14 THEN 1 WHEN h %% 20 < 17 THEN 2 WHEN h %% 20 < 19 THEN 4 ELSE 8
                END AS gpus
              FROM (SELECT i, CAST(hash(i + %4$d) >> 1 AS BIGINT) AS h FROM range(%3$d) t(i))) j
            JOIN person p ON p.no = CAST(pow((hash(j.i * 13) %% 1000) / 1000.0, 2) * (SELECT count(*) FROM person) AS INTEGER)
            JOIN (SELECT DISTINCT node_no, node FROM place) n
              ON n.node_no = j.h %% (SELECT count(DISTINCT node_no) FROM place)""";

    private static final String SUMMARIES = """
            INSERT INTO run_gpu_summary (cluster, job_id, start_ms, place, node, uuid, given, gres_index, samples, covered_ms,
              measured_ms, used_ms, busy_ms, idle_ms, utilization_max, memory_max_bytes, processes_max, energy_joules,
              idle_energy_joules)
            SELECT 'lab', s.job_id, s.start_ms, s.place, s.node, s.uuid, TRUE, s.place, 10, s.seen_ms, s.seen_ms,
              CAST(s.seen_ms * (1 - s.idle) * s.busy AS BIGINT), s.seen_ms - CAST(s.seen_ms * s.idle AS BIGINT),
              CAST(s.seen_ms * s.idle AS BIGINT), s.busy, CAST(s.full * 34359738368 AS BIGINT), 1,
              s.seen_ms / 1000.0 * (60 + 220 * (1 - s.idle) * s.busy), s.seen_ms / 1000.0 * 55 * s.idle
            FROM (
              SELECT r.job_id, r.start_ms, CAST(k.k AS INTEGER) AS place, g.node, g.uuid,
                CAST((r.end_ms - r.start_ms) * 0.97 AS BIGINT) AS seen_ms,
                CASE WHEN p.habit < 12 THEN 0.85 WHEN p.habit < 30 THEN 0.35 ELSE 0.03 END
                  * (50 + hash(r.job_id) %% 50) / 100.0 AS idle,
                CASE WHEN p.habit < 20 THEN 0.3 ELSE 0.9 END * (40 + hash(r.job_id * 3) %% 60) / 100.0 AS busy,
                (5 + hash(r.job_id * 17) %% 90) / 100.0 AS full
              FROM run r
              JOIN range(8) k(k) ON k.k < r.gpus
              JOIN person p ON p.name = r.user_name
              JOIN place g ON r.nodes = '["' || g.node || '"]' AND g.gpu %% 8 = (k.k + r.job_id) %% 8) s""";

    private static final String RUN_SUMMARIES = """
            INSERT INTO run_summary (cluster, job_id, start_ms, end_ms, made_ms, busy_above, gpus, covered_ms, measured_ms,
              used_ms, busy_ms, idle_ms, nodes_seen, cpu_seconds, memory_max_bytes, processes_max)
            SELECT 'lab', job_id, start_ms, end_ms, end_ms, 0.01, gpus, 0, 0, 0, 0, 0, 1,
              (end_ms - start_ms) / 1000.0 * cpus * (10 + hash(job_id) %% 70) / 100.0,
              CAST(memory_bytes * (5 + hash(job_id * 3) %% 80) / 100 AS BIGINT), 4 FROM run""";

    private GivenSemester() {}

    /**
     * Makes the store in a directory, without a collector.
     *
     * @param runs how many
     * @param gpus how many, eight a node
     */
    public static void make(Path directory, long seed, int runs, int gpus, Instant from, Instant to)
            throws StoreException, SQLException {
        DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS).close();
        long lengthMs = Duration.between(from, to).toMillis();
        // as long as the GPUs are held about four fifths of the time
        long meanMs = (long) (lengthMs * (double) gpus / runs * 0.8 / 1.7);
        try (DuckDBConnection connection = new DuckDBDriver()
                        .connect("jdbc:duckdb:" + directory.resolve("fairwatch.duckdb"), new java.util.Properties())
                        .unwrap(DuckDBConnection.class);
                Session session = new Session(connection, Duration.ZERO)) {
            session.execute("SET threads = 2");
            session.execute(PEOPLE.formatted(seed, 300));
            session.execute(NODES.formatted(gpus));
            session.execute(RUNS.formatted(from.toEpochMilli(), lengthMs, runs, seed, Math.max(120_000, 2 * meanMs)));
            session.execute(SUMMARIES.replace("%%", "%"));
            session.execute(RUN_SUMMARIES.replace("%%", "%"));
            session.execute("""
                    INSERT INTO gpu (uuid, node, last_at_ms, nvml_index, minor_number, pci_bus_id, name, memory_total_bytes)
                    SELECT uuid, node, %d, gpu %% 8, gpu %% 8, NULL, 'Simulated', 34359738368 FROM place""".formatted(to.toEpochMilli()));
            session.execute("""
                    INSERT INTO node_state (name, from_ms, until_ms, service, cpus, memory_bytes, gpus, gres)
                    SELECT DISTINCT node, %1$d, CASE WHEN node_no = 5 THEN %2$d ELSE %3$d END, 'IN_SERVICE', 64,
                      549755813888, 8, 'gpu:' || model || ':8' FROM place
                    UNION ALL SELECT DISTINCT node, %2$d, %3$d, 'DOWN', 64, 549755813888, 8, 'gpu:' || model || ':8'
                    FROM place WHERE node_no = 5""".formatted(from.toEpochMilli(), from.toEpochMilli() + lengthMs / 2, to.toEpochMilli()));
            session.execute("INSERT INTO meta (name, value) VALUES ('view_at_ms', '" + to.toEpochMilli()
                    + "'), ('view_cluster', 'lab'), ('accounting_until_ms', '" + to.toEpochMilli() + "')");
            session.execute("CHECKPOINT");
        }
    }
}
