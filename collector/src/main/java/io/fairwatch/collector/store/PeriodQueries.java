package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.PeriodFacts.FindingFact;
import io.fairwatch.collector.store.PeriodFacts.Fit;
import io.fairwatch.collector.store.PeriodFacts.Group;
import io.fairwatch.collector.store.PeriodFacts.GroupKey;
import io.fairwatch.collector.store.PeriodFacts.HourSum;
import io.fairwatch.collector.store.PeriodFacts.HourUse;
import io.fairwatch.collector.store.PeriodFacts.LastRun;
import io.fairwatch.collector.store.PeriodFacts.NodeSpan;
import io.fairwatch.collector.store.PeriodFacts.Sums;
import io.fairwatch.collector.store.PeriodFacts.Terms;
import io.fairwatch.collector.store.PeriodFacts.Use;
import io.fairwatch.collector.store.PeriodFacts.Wait;
import io.fairwatch.collector.store.Store.RunSpan;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;

/**
 * Adds up a period set-wise: a million runs become a table of pieces (each run cut to the period, one row) within the
 * database, and only sums of it leave the database. Stateless; every method works within the given session, whose
 * temporary tables hold what one question needs.
 *
 * <p>What a run was given is told by texts that many runs share: TRES and node lists. Each distinct text is read once, in
 * Java, and joined back.
 */
final class PeriodQueries {
    private static final long HOUR_MS = Duration.ofHours(1).toMillis();

    /** So many runs at a time are joined with their readings. */
    private static final int CHUNK = 5_000;

    /** Runs that held their allocation in the period; one without an end that Slurm has not confirmed since is none. */
    private static final String PIECE = """
            CREATE OR REPLACE TEMPORARY TABLE piece AS
            SELECT r.cluster, r.job_id, r.start_ms, r.user_name, r.account, r.partition_name, r.qos, r.interactive,
              r.submit_ms, r.state, r.time_limit_ms, r.end_ms, COALESCE(r.gpus, 0) AS gpus, r.gpus IS NULL AS untold,
              COALESCE(r.cpus, 0) AS cpus, COALESCE(r.memory_bytes, 0) / 1048576.0 AS memory_mib,
              CASE WHEN COALESCE(r.gpus, 0) = 0 THEN '' ELSE COALESCE(t.model, n.model) END AS model, n.node_group,
              CASE WHEN r.gpus IS NULL OR r.gpus <= 2 THEN COALESCE(r.gpus, 0) WHEN r.gpus <= 4 THEN 4
                WHEN r.gpus <= 8 THEN 8 WHEN r.gpus <= 16 THEN 16 ELSE 17 END AS size,
              greatest(r.start_ms, ?) AS begin_ms,
              greatest(r.start_ms, ?, least(COALESCE(r.end_ms, r.as_of_ms), ?)) AS finish_ms,
              CASE WHEN r.start_ms >= ? AND COALESCE(r.end_ms, r.as_of_ms) <= ? THEN r.suspended_ms
                WHEN r.suspended_ms = 0 THEN 0 END AS suspended_ms
            FROM run r
            LEFT JOIN period_tres t ON t.tres = r.tres
            JOIN period_nodes n ON n.nodes = r.nodes
            WHERE r.start_ms < ? AND (r.end_ms > ? OR (r.end_ms IS NULL AND r.as_of_ms > ?))
              AND (NOT CAST(? AS BOOLEAN) OR r.user_name = ?)
              AND (NOT CAST(? AS BOOLEAN) OR r.account IN (SELECT account FROM period_account))""";

    /** Where neither TRES nor nodes tell the model, the GPUs themselves may. */
    private static final String MODEL_BY_GPU = """
            UPDATE piece SET model = t.model
            FROM (
              SELECT g.cluster, g.job_id, g.start_ms,
                CASE WHEN min(g.type) = max(g.type) THEN min(g.type) ELSE min(g.type) || '+' || max(g.type) END AS model
              FROM run_gpu g WHERE g.type IS NOT NULL GROUP BY g.cluster, g.job_id, g.start_ms) t
            WHERE piece.model LIKE '%?%' AND t.cluster = piece.cluster AND t.job_id = piece.job_id
              AND t.start_ms = piece.start_ms""";

    private static final String GROUPS = """
            SELECT p.user_name, p.account, p.partition_name, p.qos, p.model, p.node_group, CAST(p.size AS INTEGER),
              p.interactive, count(*),
              CAST(sum((p.finish_ms - p.begin_ms) * p.gpus) AS BIGINT),
              CAST(sum(COALESCE(least(p.suspended_ms, p.finish_ms - p.begin_ms), 0) * p.gpus) AS BIGINT),
              CAST(sum((p.finish_ms - p.begin_ms - COALESCE(least(p.suspended_ms, p.finish_ms - p.begin_ms), 0))
                * p.cpus) AS BIGINT),
              CAST(sum(CAST((p.finish_ms - p.begin_ms) * p.memory_mib AS BIGINT)) AS BIGINT),
              count(*) - count(p.suspended_ms),
              CAST(sum(CASE WHEN p.untold THEN 1 ELSE 0 END) AS BIGINT),
              CAST(COALESCE(sum(u.seen_ms), 0) AS BIGINT), CAST(COALESCE(sum(u.used_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(u.idle_ms), 0) AS BIGINT), CAST(COALESCE(sum(u.outside_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(u.energy_joules), 0) AS BIGINT), CAST(COALESCE(sum(u.energy_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(u.idle_energy_joules), 0) AS BIGINT),
              CAST(COALESCE(sum(u.cpu_used_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(CASE WHEN u.cpu_used_ms IS NOT NULL THEN
                (p.finish_ms - p.begin_ms - COALESCE(least(p.suspended_ms, p.finish_ms - p.begin_ms), 0)) * p.cpus END), 0)
                AS BIGINT),
              CAST(COALESCE(sum(CAST(u.memory_max_bytes / 1048576.0 * (p.finish_ms - p.begin_ms) AS BIGINT)), 0) AS BIGINT),
              CAST(COALESCE(sum(CASE WHEN u.memory_max_bytes IS NOT NULL THEN
                CAST((p.finish_ms - p.begin_ms) * p.memory_mib AS BIGINT) END), 0) AS BIGINT),
              CAST(sum(CASE WHEN p.start_ms >= ? THEN 1 ELSE 0 END) AS BIGINT),
              CAST(sum(CASE WHEN p.start_ms >= ? THEN greatest(0, p.start_ms - p.submit_ms) ELSE 0 END) AS BIGINT),
              CAST(sum(CASE WHEN p.start_ms >= ? THEN greatest(0, p.start_ms - p.submit_ms) * p.gpus ELSE 0 END)
                AS BIGINT)
            FROM piece p
            LEFT JOIN period_use u ON u.cluster = p.cluster AND u.job_id = p.job_id AND u.start_ms = p.start_ms
            GROUP BY p.user_name, p.account, p.partition_name, p.qos, p.model, p.node_group, p.size, p.interactive
            ORDER BY p.user_name, p.account, p.partition_name, p.qos, p.model, p.node_group, p.size, p.interactive""";

    /**
     * What begins and ends in each hour: the number of GPUs, and their time to the hour's end. With the level carried
     * from hour to hour these make the exact GPU time of each hour, without a row for each run and hour.
     */
    private static final String HOURS = """
            SELECT name, CAST(hour AS INTEGER), CAST(sum(held) AS BIGINT), CAST(sum(held * left_ms) AS BIGINT),
              CAST(sum(waiting) AS BIGINT), CAST(sum(waiting * left_ms) AS BIGINT)
            FROM (
              SELECT name, held, waiting, (at_ms - at_ms %% %1$d) / %1$d AS hour, %1$d - at_ms %% %1$d AS left_ms
              FROM (
                SELECT %2$s AS name, begin_ms - ? AS at_ms, gpus AS held, 0 AS waiting
                FROM piece p %3$s WHERE gpus > 0 AND finish_ms > begin_ms
                UNION ALL
                SELECT %2$s, finish_ms - ?, -gpus, 0 FROM piece p %3$s WHERE gpus > 0 AND finish_ms > begin_ms
                UNION ALL
                SELECT %2$s, greatest(submit_ms, ?) - ?, 0, gpus FROM piece p %3$s
                WHERE gpus > 0 AND start_ms > submit_ms AND start_ms > ? AND submit_ms > 0
                UNION ALL
                SELECT %2$s, start_ms - ?, 0, -gpus FROM piece p %3$s
                WHERE gpus > 0 AND start_ms > submit_ms AND start_ms > ? AND submit_ms > 0
              ) change
            ) hourly
            GROUP BY name, hour ORDER BY name, hour""";

    /** Summaries of whole runs; what is cut at a border is not whole. */
    private static final String SUMMARIES = """
            INSERT INTO period_use
            SELECT p.cluster, p.job_id, p.start_ms, COALESCE(g.seen_ms, 0), COALESCE(g.used_ms, 0),
              COALESCE(g.idle_ms, 0), CASE WHEN COALESCE(g.known, 0) >= p.gpus THEN COALESCE(g.outside_ms, 0) ELSE 0 END,
              g.energy_joules, COALESCE(g.energy_ms, 0), g.idle_energy_joules, g.memory_used, g.memory_total,
              CAST(round(s.cpu_seconds * 1000) AS BIGINT), s.memory_max_bytes
            FROM piece p
            JOIN run_summary s ON s.cluster = p.cluster AND s.job_id = p.job_id AND s.start_ms = p.start_ms
            LEFT JOIN (
              SELECT r.cluster, r.job_id, r.start_ms,
                CAST(sum(CASE WHEN r.given THEN r.measured_ms ELSE 0 END) AS BIGINT) AS seen_ms,
                CAST(sum(CASE WHEN r.given THEN r.used_ms ELSE 0 END) AS BIGINT) AS used_ms,
                CAST(sum(CASE WHEN r.given THEN r.idle_ms ELSE 0 END) AS BIGINT) AS idle_ms,
                CAST(sum(CASE WHEN r.given THEN 0 ELSE r.covered_ms END) AS BIGINT) AS outside_ms,
                CAST(sum(CASE WHEN r.given THEN CAST(round(r.energy_joules) AS BIGINT) END) AS BIGINT) AS energy_joules,
                CAST(sum(CASE WHEN r.given AND r.energy_joules IS NOT NULL THEN r.covered_ms ELSE 0 END) AS BIGINT)
                  AS energy_ms,
                CAST(sum(CASE WHEN r.given THEN CAST(round(r.idle_energy_joules) AS BIGINT) END) AS BIGINT)
                  AS idle_energy_joules,
                CAST(sum(CASE WHEN r.given AND u.memory_total_bytes IS NOT NULL THEN r.memory_max_bytes END) AS BIGINT)
                  AS memory_used,
                CAST(sum(CASE WHEN r.given AND r.memory_max_bytes IS NOT NULL THEN u.memory_total_bytes END) AS BIGINT)
                  AS memory_total,
                sum(CASE WHEN r.given AND r.uuid IS NOT NULL THEN 1 ELSE 0 END) AS known
              FROM run_gpu_summary r LEFT JOIN gpu u ON u.uuid = r.uuid
              WHERE r.start_ms >= ? AND r.start_ms < ?
              GROUP BY r.cluster, r.job_id, r.start_ms) g
              ON g.cluster = p.cluster AND g.job_id = p.job_id AND g.start_ms = p.start_ms
            WHERE p.start_ms >= ? AND p.end_ms <= ? AND s.end_ms = p.end_ms""";

    /** Runs without a summary of just what lies in the period, from the time of which there are readings. */
    private static final String NOT_SUMMARIZED = """
            SELECT p.cluster, p.job_id, p.start_ms FROM piece p
            WHERE p.finish_ms > p.begin_ms AND p.finish_ms > (SELECT min(first_at_ms) FROM node)
              AND NOT EXISTS (
                SELECT 1 FROM period_use u
                WHERE u.cluster = p.cluster AND u.job_id = p.job_id AND u.start_ms = p.start_ms)
            ORDER BY p.start_ms, p.job_id, p.cluster""";

    private static final String WAITS = """
            SELECT p.model, CAST(w.no AS INTEGER), count(*), CAST(sum(greatest(0, p.start_ms - p.submit_ms)) AS BIGINT),
              CAST(percentile_cont(0.5) WITHIN GROUP (ORDER BY greatest(0, p.start_ms - p.submit_ms)) AS BIGINT),
              CAST(percentile_cont(0.9) WITHIN GROUP (ORDER BY greatest(0, p.start_ms - p.submit_ms)) AS BIGINT)
            FROM piece p JOIN period_week w ON p.start_ms >= w.from_ms AND p.start_ms < w.to_ms
            WHERE p.gpus > 0 AND p.submit_ms > 0
            GROUP BY p.model, w.no ORDER BY p.model, w.no""";

    private static final String FITS = """
            SELECT CAST(use_tenth AS INTEGER), CAST(memory_tenth AS INTEGER), count(*), CAST(sum(seen_ms) AS BIGINT)
            FROM (
              SELECT least(9, floor(used_ms * 10.0 / seen_ms)) AS use_tenth,
                CASE WHEN gpu_memory_bytes > 0 AND gpu_memory_used_bytes IS NOT NULL
                  THEN least(9, floor(gpu_memory_used_bytes * 10.0 / gpu_memory_bytes)) END AS memory_tenth, seen_ms
              FROM period_use WHERE seen_ms > 0) f
            GROUP BY use_tenth, memory_tenth ORDER BY use_tenth, memory_tenth""";

    /** All GPUs, by the hour in which their period ends: readings that are not sealed, roll-ups of those that are. */
    private static final String USED_HOURS = """
            SELECT COALESCE(m.model, '?'), CAST((r.at_ms - 1 - ? - (r.at_ms - 1 - ?) %% %1$d) / %1$d AS INTEGER),
              CAST(COALESCE(sum(r.measured_ms), 0) AS BIGINT), CAST(COALESCE(sum(r.used_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(r.idle_ms), 0) AS BIGINT), CAST(COALESCE(sum(r.powered_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(r.millijoules), 0) / 1000 AS BIGINT),
              CAST(COALESCE(sum(r.idle_millijoules), 0) / 1000 AS BIGINT)
            FROM (
              SELECT node, at_ms, CASE WHEN utilization_mean IS NOT NULL THEN period_ms END AS measured_ms,
                CAST(utilization_mean * period_ms AS BIGINT) AS used_ms,
                CASE WHEN utilization_max <= ? THEN period_ms ELSE 0 END AS idle_ms,
                CASE WHEN power_watts IS NOT NULL THEN period_ms END AS powered_ms,
                CAST(power_watts * period_ms AS BIGINT) AS millijoules,
                CASE WHEN utilization_max <= ? THEN CAST(power_watts * period_ms AS BIGINT) END AS idle_millijoules
              FROM gpu_reading
              UNION ALL
              SELECT node, at_ms, measured_ms, CAST(used_ms AS BIGINT), idle_ms,
                CASE WHEN power_mean IS NOT NULL THEN covered_ms END, CAST(power_mean * covered_ms AS BIGINT),
                CAST(COALESCE(idle_energy_joules * 1000,
                  power_mean * CASE WHEN busy_ms = 0 THEN idle_ms ELSE 0 END) AS BIGINT)
              FROM :rollups
            ) r LEFT JOIN period_model m ON m.node = r.node
            WHERE r.at_ms > ? AND r.at_ms <= ?
            GROUP BY 1, 2 ORDER BY 1, 2""".formatted(HOUR_MS);

    private static final String FINDINGS = """
            SELECT f.cluster, f.job_id, f.start_ms, f.rule, f.user_name, f.since_ms, f.told_ms, f.clear_since_ms, p.gpus,
              p.end_ms, p.start_ms + p.time_limit_ms, p.state
            FROM finding f
            JOIN piece p ON p.cluster = f.cluster AND p.job_id = f.job_id AND p.start_ms = f.start_ms
            WHERE f.subject_kind = 'RUN' AND f.state <> 'SUSPECTED' AND f.since_ms < ?
            ORDER BY f.since_ms, f.job_id, f.start_ms, f.rule""";

    private static final String TERMS = """
            SELECT account, qos, count(*), CAST(sum(CASE WHEN state = 'TIMEOUT' THEN 1 ELSE 0 END) AS BIGINT),
              CAST(max(gpus) AS INTEGER), CAST(COALESCE(sum(time_limit_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(CASE WHEN time_limit_ms IS NOT NULL THEN end_ms - start_ms END), 0) AS BIGINT),
              percentile_cont(0.95) WITHIN GROUP (ORDER BY
                CASE WHEN time_limit_ms > 0 THEN least(1.0, (end_ms - start_ms) * 1.0 / time_limit_ms) END)
            FROM piece WHERE end_ms IS NOT NULL
            GROUP BY account, qos ORDER BY account, qos""";

    private static final String LAST_RUNS = """
            SELECT user_name, cluster, account, max(COALESCE(end_ms, as_of_ms)) FROM run WHERE start_ms < ?
            GROUP BY user_name, cluster, account ORDER BY user_name, cluster, account""";

    private PeriodQueries() {}

    static PeriodFacts facts(Session session, Sources sources, PeriodQuestion question) throws SQLException {
        long from = question.from().toEpochMilli();
        long to = question.to().toEpochMilli();
        Optional<Instant> viewAt = RunTables.viewAt(session);
        question.progress().accept("nodes");
        List<NodeSpan> nodes = viewAt.isEmpty()
                ? List.of()
                : NodeStateTables.within(session, question.from(), question.to(), viewAt.get());
        Map<String, String> models = models(session);
        question.progress().accept("runs");
        pieces(session, question, models);
        question.progress().accept("use");
        use(session, sources, question);
        question.progress().accept("groups");
        List<Group> groups = groups(session, from);
        question.progress().accept("hours");
        List<HourSum> modelHours = hours(session, "p.model", "", from, to);
        List<HourSum> departmentHours =
                hours(session, "d.department", "JOIN period_department d ON d.account = p.account", from, to);
        question.progress().accept("waiting");
        List<Wait> waits = waits(session, question);
        question.progress().accept("readings");
        List<HourUse> usedHours = usedHours(session, sources, question, models);
        List<Fit> fits = session.query(
                FITS, cells -> new Fit(cells.integer(), cells.maybeInteger(), cells.number(), cells.number()));
        question.progress().accept("findings");
        List<FindingFact> findings = findings(session, sources, question);
        return new PeriodFacts(
                RunTables.accountingUntil(session),
                viewAt,
                firstReading(session, sources, from, to),
                groups,
                modelHours,
                departmentHours,
                usedHours,
                waits,
                fits,
                nodes,
                models,
                findings,
                session.query(
                        TERMS,
                        cells -> new Terms(
                                cells.text(),
                                cells.text(),
                                cells.number(),
                                cells.number(),
                                cells.integer(),
                                cells.number(),
                                cells.number(),
                                cells.maybeReal())),
                session.query(
                        LAST_RUNS, cells -> new LastRun(cells.text(), cells.text(), cells.text(), cells.time()), to));
    }

    /** Sums by everything that runs are divided by, and nothing else: what a comparison with an earlier period needs. */
    static List<Group> groups(Session session, Sources sources, PeriodQuestion question) throws SQLException {
        question.progress().accept("runs");
        pieces(session, question, models(session));
        question.progress().accept("use");
        use(session, sources, question);
        question.progress().accept("groups");
        return groups(session, question.from().toEpochMilli());
    }

    /** One row for each run, as far as it lies in the period, sorted; written by the database itself. */
    private static final String RUNS = """
            COPY (
              SELECT p.cluster, p.job_id, p.start_ms, p.end_ms, p.submit_ms, n.shown AS user_name, p.account,
                d.department, p.partition_name, p.qos, p.state, p.interactive, p.model, p.node_group, p.gpus, p.cpus,
                p.memory_mib, p.time_limit_ms, p.begin_ms, p.finish_ms, p.suspended_ms, u.seen_ms, u.used_ms, u.idle_ms,
                u.outside_ms, u.energy_joules, u.idle_energy_joules, u.gpu_memory_used_bytes, u.gpu_memory_bytes,
                u.cpu_used_ms, u.memory_max_bytes
              FROM piece p
              JOIN period_shown n ON n.user_name = p.user_name
              JOIN period_department d ON d.account = p.account
              LEFT JOIN period_use u ON u.cluster = p.cluster AND u.job_id = p.job_id AND u.start_ms = p.start_ms
              ORDER BY p.start_ms, p.job_id, p.cluster
            ) TO '%s' (FORMAT PARQUET, COMPRESSION ZSTD)""";

    static void copyRuns(
            Session session, Sources sources, PeriodQuestion question, UnaryOperator<String> shown, Path file)
            throws SQLException {
        pieces(session, question, models(session));
        use(session, sources, question);
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE period_shown (user_name VARCHAR NOT NULL, shown VARCHAR NOT NULL)""");
        List<String> users = session.query("SELECT DISTINCT user_name FROM piece ORDER BY user_name", Cells::text);
        try (Rows rows = session.appendTemporary("period_shown")) {
            for (String user : users) {
                rows.text(user).text(shown.apply(user)).end();
            }
        }
        // DuckDB takes no parameter there; the path is the store's own
        session.execute(RUNS.formatted(file.toString().replace("'", "''")));
    }

    // ---- what texts mean

    /** GPU model of each node that has one: Slurm's type, or the name by NVML where Slurm's GRES has no type. */
    private static Map<String, String> models(Session session) throws SQLException {
        Map<String, String> models = new TreeMap<>();
        session.query("""
                SELECT g.node, g.name FROM gpu g ORDER BY g.node, g.last_at_ms, g.name""", cells -> models.put(cells.text(), cells.text()) == null);
        Map<String, String> told = new HashMap<>();
        Session.Mapper<Boolean> type = cells -> {
            String node = cells.text();
            String types = gresTypes(cells.text());
            return types.isEmpty() || told.put(node, types) == null;
        };
        session.query("SELECT name, gres FROM node_state ORDER BY from_ms", type);
        session.query("SELECT name, gres FROM slurm_node ORDER BY place", type);
        models.putAll(told);
        return models;
    }

    /** Types of GPUs in Slurm's GRES text, e.g. {@code gpu:v100:16(S:0-1)}; empty where it names none. */
    static String gresTypes(String gres) {
        Set<String> types = new TreeSet<>();
        for (String entry : gres.split(",(?![^(]*\\))", -1)) {
            String[] parts = entry.replaceFirst("\\(.*", "").split(":", -1);
            if (parts[0].strip().equals("gpu") && parts.length > 1 && !parts[1].matches("\\d+")) {
                types.add(parts[1].strip());
            }
        }
        return String.join("+", types);
    }

    /** Types of GPUs in Slurm's TRES text, e.g. {@code gres/gpu=2,gres/gpu:v100=2}; empty where it names none. */
    static String tresTypes(String tres) {
        Set<String> types = new TreeSet<>();
        for (String entry : tres.split(",", -1)) {
            int equals = entry.indexOf('=');
            if (entry.startsWith("gres/gpu:") && equals > 0 && !entry.endsWith("=0")) {
                types.add(entry.substring("gres/gpu:".length(), equals));
            }
        }
        return String.join("+", types);
    }

    private static void pieces(Session session, PeriodQuestion question, Map<String, String> models)
            throws SQLException {
        long from = question.from().toEpochMilli();
        long to = question.to().toEpochMilli();
        String within = " FROM run r WHERE r.start_ms < ? AND (r.end_ms > ? OR (r.end_ms IS NULL AND r.as_of_ms > ?))";
        session.execute(
                "CREATE OR REPLACE TEMPORARY TABLE period_tres (tres VARCHAR NOT NULL, model VARCHAR NOT NULL)");
        List<String> tres = session.query("SELECT DISTINCT r.tres" + within, Cells::text, to, from, from);
        try (Rows rows = session.appendTemporary("period_tres")) {
            for (String text : tres) {
                String types = tresTypes(text);
                if (!types.isEmpty()) {
                    rows.text(text).text(types).end();
                }
            }
        }
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE period_nodes (
                  nodes VARCHAR NOT NULL, node_group VARCHAR NOT NULL, model VARCHAR NOT NULL)""");
        List<String> lists = session.query("SELECT DISTINCT r.nodes" + within, Cells::text, to, from, from);
        try (Rows rows = session.appendTemporary("period_nodes")) {
            for (String text : lists) {
                Set<String> groups = new HashSet<>();
                Set<String> types = new TreeSet<>();
                for (String node : Json.read(text, String[].class)) {
                    groups.add(question.nodeGroup().apply(node));
                    types.add(models.getOrDefault(node, PeriodFacts.UNKNOWN));
                }
                rows.text(text)
                        .text(
                                groups.size() == 1
                                        ? groups.iterator().next()
                                        : groups.isEmpty() ? PeriodFacts.UNKNOWN : PeriodFacts.SEVERAL)
                        .text(types.isEmpty() ? PeriodFacts.UNKNOWN : String.join("+", types))
                        .end();
            }
        }
        session.execute("CREATE OR REPLACE TEMPORARY TABLE period_account (account VARCHAR NOT NULL)");
        try (Rows rows = session.appendTemporary("period_account")) {
            for (String account : question.accounts().orElse(Set.of())) {
                rows.text(account).end();
            }
        }
        session.update(
                PIECE,
                from,
                from,
                to,
                from,
                to,
                to,
                from,
                from,
                question.user().isPresent(),
                question.user().orElse(""),
                question.accounts().isPresent());
        if (!session.query("SELECT 1 FROM piece WHERE model LIKE '%?%' LIMIT 1", Cells::integer)
                .isEmpty()) {
            session.execute(MODEL_BY_GPU);
        }
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE period_department (
                  account VARCHAR NOT NULL, department VARCHAR NOT NULL)""");
        List<String> accounts = session.query("SELECT DISTINCT account FROM piece", Cells::text);
        try (Rows rows = session.appendTemporary("period_department")) {
            for (String account : accounts) {
                rows.text(account).text(question.department().apply(account)).end();
            }
        }
    }

    // ---- used

    private static void use(Session session, Sources sources, PeriodQuestion question) throws SQLException {
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE period_use (
                  cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL, seen_ms BIGINT NOT NULL,
                  used_ms BIGINT NOT NULL, idle_ms BIGINT NOT NULL, outside_ms BIGINT NOT NULL, energy_joules BIGINT,
                  energy_ms BIGINT NOT NULL, idle_energy_joules BIGINT, gpu_memory_used_bytes BIGINT,
                  gpu_memory_bytes BIGINT, cpu_used_ms BIGINT, memory_max_bytes BIGINT)""");
        long from = question.from().toEpochMilli();
        long to = question.to().toEpochMilli();
        session.update(SUMMARIES, from, to, from, to);
        List<RunKey> keys = session.query(NOT_SUMMARIZED, RunTables::key);
        for (int at = 0; at < keys.size(); at += CHUNK) {
            List<RunSpan> spans =
                    spans(session, keys.subList(at, Math.min(keys.size(), at + CHUNK)), question.from(), question.to());
            useOf(session, sources, spans, question.busyAboveRatio());
        }
    }

    private static List<RunSpan> spans(Session session, List<RunKey> keys, Instant from, Instant to)
            throws SQLException {
        List<RunSpan> spans = new ArrayList<>();
        for (Run run : RunTables.runs(session, keys)) {
            Instant begin = later(run.key().start(), from);
            Instant end = run.end().orElse(run.asOf());
            Instant finish = later(begin, end.isBefore(to) ? end : to);
            spans.add(new RunSpan(run, begin, finish));
        }
        return spans;
    }

    private static Instant later(Instant a, Instant b) {
        return a.isAfter(b) ? a : b;
    }

    private static final class Tally {
        boolean allKnown;
        long seen;
        long used;
        long idle;
        long outside;
        boolean energyTold;
        long energy;
        long energyMs;
        long idleEnergy;
        boolean memoryTold;
        long memoryUsed;
        long memory;
    }

    private static void useOf(Session session, Sources sources, List<RunSpan> spans, double busyAboveRatio)
            throws SQLException {
        Map<RunKey, Tally> tallies = new HashMap<>();
        for (RunSpan span : spans) {
            Tally tally = new Tally();
            Run run = span.run();
            tally.allKnown =
                    run.gpus().stream().filter(gpu -> gpu.uuid().isPresent()).count()
                            >= run.allocation().gpus().orElse(0);
            tallies.put(run.key(), tally);
        }
        for (GpuUse use : UseQueries.gpuUse(session, sources, spans, busyAboveRatio)) {
            add(Objects.requireNonNull(tallies.get(use.run())), use);
        }
        Map<RunKey, JobUse> jobs = new HashMap<>();
        UseQueries.jobUse(session, sources, spans).forEach(use -> jobs.put(use.run(), use));
        try (Rows rows = session.appendTemporary("period_use")) {
            for (RunSpan span : spans) {
                RunKey key = span.run().key();
                Tally tally = tallies.get(key);
                Optional<JobUse> job = Optional.ofNullable(jobs.get(key));
                if (tally == null || (tally.seen == 0 && tally.outside == 0 && job.isEmpty())) {
                    continue;
                }
                RunTables.key(rows, key);
                rows.number(tally.seen).number(tally.used).number(tally.idle).number(tally.outside);
                optional(rows, tally.energyTold, tally.energy).number(tally.energyMs);
                optional(rows, tally.energyTold, tally.idleEnergy);
                optional(rows, tally.memoryTold, tally.memoryUsed);
                optional(rows, tally.memoryTold, tally.memory);
                optional(
                        rows,
                        job.isPresent() && job.get().cpuSeconds().isPresent(),
                        job.isPresent() ? Math.round(job.get().cpuSeconds().orElse(0) * 1000) : 0);
                optional(
                        rows,
                        job.isPresent() && job.get().memoryUsedMaxBytes().isPresent(),
                        job.isPresent() ? job.get().memoryUsedMaxBytes().orElse(0) : 0);
                rows.end();
            }
        }
    }

    private static Rows optional(Rows rows, boolean told, long value) throws SQLException {
        return told ? rows.number(value) : rows.none();
    }

    private static void add(Tally tally, GpuUse use) {
        if (use.allocated().isEmpty()) {
            if (tally.allKnown) {
                tally.outside += Math.round(use.coveredSeconds() * 1000);
            }
            return;
        }
        // a reading without utilisation says nothing of use
        double measured = Math.min(use.coveredSeconds(), use.busySeconds() + use.idleSeconds());
        tally.seen += Math.round(measured * 1000);
        tally.used += Math.round(measured * 1000 * use.utilizationMeanRatio().orElse(0));
        tally.idle += Math.round(use.idleSeconds() * 1000);
        if (use.energyJoules().isPresent()) {
            tally.energyTold = true;
            tally.energy += Math.round(use.energyJoules().getAsDouble());
            tally.energyMs += Math.round(use.coveredSeconds() * 1000);
            tally.idleEnergy += Math.round(use.work().idleEnergyJoules().orElse(0));
        }
        Optional<GpuDevice> device = use.device();
        if (use.memoryUsedMaxBytes().isPresent()
                && device.isPresent()
                && device.get().memoryTotalBytes().isPresent()) {
            tally.memoryTold = true;
            tally.memoryUsed += use.memoryUsedMaxBytes().getAsLong();
            tally.memory += device.get().memoryTotalBytes().getAsLong();
        }
    }

    // ---- sums

    private static List<Group> groups(Session session, long from) throws SQLException {
        return session.query(
                GROUPS,
                cells -> new Group(
                        new GroupKey(
                                cells.text(),
                                cells.text(),
                                cells.text(),
                                cells.text(),
                                cells.text(),
                                cells.text(),
                                cells.integer(),
                                cells.flag()),
                        sums(cells)),
                from,
                from,
                from);
    }

    private static Sums sums(Cells cells) throws SQLException {
        return new Sums(
                cells.number(),
                cells.number(),
                cells.number(),
                cells.number(),
                cells.number(),
                cells.number(),
                cells.number(),
                new Use(
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number()),
                cells.number(),
                cells.number(),
                cells.number());
    }

    /** A level that changes within hours, and the time held of it. */
    private record Change(String name, int hour, long held, long heldMs, long waiting, long waitingMs) {}

    private static List<HourSum> hours(Session session, String name, String join, long from, long to)
            throws SQLException {
        List<Change> changes = session.query(
                HOURS.formatted(HOUR_MS, name, join),
                cells -> new Change(
                        cells.text(), cells.integer(), cells.number(), cells.number(), cells.number(), cells.number()),
                from,
                from,
                from,
                from,
                from,
                from,
                from);
        int hours = (int) ((to - from + HOUR_MS - 1) / HOUR_MS);
        List<HourSum> sums = new ArrayList<>();
        String current = "";
        int hour = hours;
        long held = 0;
        long waiting = 0;
        for (Change change : changes) {
            if (!change.name().equals(current)) {
                fill(sums, current, hour, hours, held, waiting);
                current = change.name();
                hour = change.hour();
                held = 0;
                waiting = 0;
            }
            fill(sums, current, hour, Math.min(change.hour(), hours), held, waiting);
            if (change.hour() < hours) {
                sums.add(new HourSum(
                        current,
                        change.hour(),
                        held * HOUR_MS + change.heldMs(),
                        waiting * HOUR_MS + change.waitingMs()));
            }
            hour = change.hour() + 1;
            held += change.held();
            waiting += change.waiting();
        }
        fill(sums, current, hour, hours, held, waiting);
        return sums;
    }

    private static void fill(List<HourSum> sums, String name, int from, int to, long held, long waiting) {
        for (int hour = from; hour < to && (held != 0 || waiting != 0); hour++) {
            sums.add(new HourSum(name, hour, held * HOUR_MS, waiting * HOUR_MS));
        }
    }

    private static List<Wait> waits(Session session, PeriodQuestion question) throws SQLException {
        session.execute(
                "CREATE OR REPLACE TEMPORARY TABLE period_week (no INTEGER NOT NULL, from_ms BIGINT NOT NULL, to_ms BIGINT NOT NULL)");
        try (Rows rows = session.appendTemporary("period_week")) {
            Instant begin = question.from();
            int no = 0;
            for (Instant week : question.weeks()) {
                if (week.isAfter(begin)) {
                    rows.number(no).time(begin).time(week).end();
                }
                begin = week;
                no++;
            }
            rows.number(no).time(begin).time(question.to()).end();
        }
        return session.query(
                WAITS,
                cells -> new Wait(
                        cells.text(), cells.integer(), cells.number(), cells.number(), cells.number(), cells.number()));
    }

    private static List<HourUse> usedHours(
            Session session, Sources sources, PeriodQuestion question, Map<String, String> models) throws SQLException {
        session.execute(
                "CREATE OR REPLACE TEMPORARY TABLE period_model (node VARCHAR NOT NULL, model VARCHAR NOT NULL)");
        try (Rows rows = session.appendTemporary("period_model")) {
            for (Map.Entry<String, String> entry : new TreeMap<>(models).entrySet()) {
                rows.text(entry.getKey()).text(entry.getValue()).end();
            }
        }
        long from = question.from().toEpochMilli();
        return session.query(
                USED_HOURS.replace(
                        ":rollups", sources.of("gpu_5m", from, question.to().toEpochMilli()) + " f"),
                cells -> new HourUse(
                        cells.text(),
                        cells.integer(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number()),
                from,
                from,
                question.busyAboveRatio(),
                question.busyAboveRatio(),
                from,
                question.to().toEpochMilli());
    }

    private static Optional<Instant> firstReading(Session session, Sources sources, long from, long to)
            throws SQLException {
        return session.query(
                        "SELECT min(at_ms) FROM (SELECT at_ms FROM gpu_reading UNION ALL SELECT at_ms FROM "
                                + sources.of("gpu_5m", from, to) + " f) r WHERE at_ms > ? AND at_ms <= ?",
                        Cells::maybeTime,
                        from,
                        to)
                .get(0);
    }

    // ---- findings

    private static List<FindingFact> findings(Session session, Sources sources, PeriodQuestion question)
            throws SQLException {
        List<FindingFact> facts = session.query(
                FINDINGS,
                cells -> new FindingFact(
                        RunTables.key(cells),
                        cells.text(),
                        cells.text(),
                        cells.time(),
                        cells.maybeTime(),
                        cells.maybeTime(),
                        cells.integer(),
                        cells.maybeTime(),
                        cells.maybeTime(),
                        cells.word(JobState.class),
                        0),
                question.to().toEpochMilli());
        List<RunKey> told = facts.stream()
                .filter(fact -> fact.told().isPresent())
                .map(FindingFact::run)
                .distinct()
                .toList();
        Map<RunKey, Instant> toldAt = new HashMap<>();
        facts.forEach(
                fact -> fact.told().ifPresent(at -> toldAt.merge(fact.run(), at, (a, b) -> a.isBefore(b) ? a : b)));
        Map<RunKey, Long> idle = new HashMap<>();
        for (int at = 0; at < told.size(); at += CHUNK) {
            List<RunSpan> after = new ArrayList<>();
            for (RunSpan span : spans(
                    session, told.subList(at, Math.min(told.size(), at + CHUNK)), question.from(), question.to())) {
                Instant begin =
                        later(span.from(), toldAt.getOrDefault(span.run().key(), span.to()));
                after.add(new RunSpan(span.run(), begin, later(begin, span.to())));
            }
            for (GpuUse use : UseQueries.gpuUse(session, sources, after, question.busyAboveRatio())) {
                if (use.allocated().isPresent()) {
                    idle.merge(use.run(), Math.round(use.idleSeconds() * 1000), Long::sum);
                }
            }
        }
        Set<RunKey> counted = new HashSet<>();
        return facts.stream()
                .map(fact -> fact.told().isPresent() && counted.add(fact.run())
                        ? withIdle(fact, idle.getOrDefault(fact.run(), 0L))
                        : fact)
                .toList();
    }

    private static FindingFact withIdle(FindingFact fact, long idleMs) {
        return new FindingFact(
                fact.run(),
                fact.rule(),
                fact.user(),
                fact.since(),
                fact.told(),
                fact.cleared(),
                fact.gpus(),
                fact.end(),
                fact.limit(),
                fact.state(),
                idleMs);
    }
}
