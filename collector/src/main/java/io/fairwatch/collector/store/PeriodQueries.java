package io.fairwatch.collector.store;

import io.fairwatch.collector.store.PeriodFacts.Fit;
import io.fairwatch.collector.store.PeriodFacts.Group;
import io.fairwatch.collector.store.PeriodFacts.GroupKey;
import io.fairwatch.collector.store.PeriodFacts.LastRun;
import io.fairwatch.collector.store.PeriodFacts.NodeSpan;
import io.fairwatch.collector.store.PeriodFacts.Sums;
import io.fairwatch.collector.store.PeriodFacts.Terms;
import io.fairwatch.collector.store.PeriodFacts.Use;
import io.fairwatch.collector.store.PeriodFacts.Wait;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/**
 * Adds up a period set-wise: a million runs become a table of pieces (see {@link PeriodPieces}) within the database, and
 * only sums of it leave the database. Stateless; every method works within the given session, whose temporary tables hold
 * what one question needs.
 */
final class PeriodQueries {
    private static final String GROUPS = """
            SELECT user_no, account_no, partition_no, qos_no, model_no, group_no, size, interactive, count(*),
              CAST(sum((finish_ms - begin_ms) * gpus) AS BIGINT),
              CAST(sum(least(COALESCE(suspended_ms, 0), finish_ms - begin_ms) * gpus) AS BIGINT),
              CAST(sum((finish_ms - begin_ms - least(COALESCE(suspended_ms, 0), finish_ms - begin_ms)) * cpus) AS BIGINT),
              CAST(sum(CAST((finish_ms - begin_ms) * memory_mib AS BIGINT)) AS BIGINT),
              count(*) - count(suspended_ms),
              CAST(sum(CASE WHEN untold THEN 1 ELSE 0 END) AS BIGINT),
              CAST(COALESCE(sum(seen_ms), 0) AS BIGINT), CAST(COALESCE(sum(used_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(idle_ms), 0) AS BIGINT), CAST(COALESCE(sum(outside_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(energy_joules), 0) AS BIGINT), CAST(COALESCE(sum(energy_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(idle_energy_joules), 0) AS BIGINT),
              CAST(COALESCE(sum(cpu_used_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(CASE WHEN cpu_used_ms IS NOT NULL THEN
                (finish_ms - begin_ms - least(COALESCE(suspended_ms, 0), finish_ms - begin_ms)) * cpus END), 0) AS BIGINT),
              CAST(COALESCE(sum(CAST(memory_max_bytes / 1048576.0 * (finish_ms - begin_ms) AS BIGINT)), 0) AS BIGINT),
              CAST(COALESCE(sum(CASE WHEN memory_max_bytes IS NOT NULL THEN
                CAST((finish_ms - begin_ms) * memory_mib AS BIGINT) END), 0) AS BIGINT),
              CAST(COALESCE(sum(lost_ms), 0) AS BIGINT),
              CAST(sum(CASE WHEN start_ms >= ? THEN 1 ELSE 0 END) AS BIGINT),
              CAST(sum(CASE WHEN start_ms >= ? THEN greatest(0, start_ms - submit_ms) ELSE 0 END) AS BIGINT),
              CAST(sum(CASE WHEN start_ms >= ? THEN greatest(0, start_ms - submit_ms) * gpus ELSE 0 END) AS BIGINT)
            FROM piece
            GROUP BY user_no, account_no, partition_no, qos_no, model_no, group_no, size, interactive""";

    /** Of runs that started in the period; the week is made of comparisons with its begins. */
    private static final String WAITS = """
            SELECT model_no, week, count(*), CAST(sum(wait_ms) AS BIGINT),
              CAST(percentile_cont(0.5) WITHIN GROUP (ORDER BY wait_ms) AS BIGINT),
              CAST(percentile_cont(0.9) WITHIN GROUP (ORDER BY wait_ms) AS BIGINT)
            FROM (
              SELECT model_no, greatest(0, start_ms - submit_ms) AS wait_ms, CAST(0%s AS INTEGER) AS week
              FROM piece WHERE gpus > 0 AND submit_ms > 0 AND start_ms >= ? AND start_ms < ?) w
            GROUP BY model_no, week""";

    private static final String FITS = """
            SELECT CAST(use_tenth AS INTEGER), CAST(memory_tenth AS INTEGER), count(*), CAST(sum(seen_ms) AS BIGINT)
            FROM (
              SELECT least(9, floor(used_ms * 10.0 / seen_ms)) AS use_tenth,
                CASE WHEN gpu_memory_bytes > 0 AND gpu_memory_used_bytes IS NOT NULL
                  THEN least(9, floor(gpu_memory_used_bytes * 10.0 / gpu_memory_bytes)) END AS memory_tenth, seen_ms
              FROM piece WHERE seen_ms > 0) f
            GROUP BY use_tenth, memory_tenth ORDER BY use_tenth, memory_tenth""";

    private static final String TERMS = """
            SELECT account_no, qos_no, count(*), CAST(sum(CASE WHEN timed_out THEN 1 ELSE 0 END) AS BIGINT),
              CAST(max(gpus) AS INTEGER), CAST(COALESCE(sum(time_limit_ms), 0) AS BIGINT),
              CAST(COALESCE(sum(CASE WHEN time_limit_ms IS NOT NULL THEN end_ms - start_ms END), 0) AS BIGINT),
              percentile_cont(0.95) WITHIN GROUP (ORDER BY
                CASE WHEN time_limit_ms > 0 THEN least(1.0, (end_ms - start_ms) * 1.0 / time_limit_ms) END)
            FROM piece WHERE end_ms IS NOT NULL GROUP BY account_no, qos_no""";

    private static final String LAST_RUNS = """
            SELECT user_name, cluster, account, max(COALESCE(end_ms, as_of_ms)) FROM run WHERE start_ms < ?
            GROUP BY user_name, cluster, account ORDER BY user_name, cluster, account""";

    private PeriodQueries() {}

    static PeriodFacts facts(Session session, Sources sources, PeriodQuestion question) throws SQLException {
        long to = question.to().toEpochMilli();
        Optional<Instant> viewAt = RunTables.viewAt(session);
        question.progress().accept("nodes");
        List<NodeSpan> nodes = viewAt.isEmpty()
                ? List.of()
                : NodeStateTables.within(session, question.from(), question.to(), viewAt.get());
        Map<String, String> models = models(session);
        question.progress().accept("runs");
        PeriodPieces pieces = PeriodPieces.make(session, question, models);
        question.progress().accept("use");
        PeriodUse.complete(session, sources, question);
        question.progress().accept("findings");
        List<PeriodFacts.FindingFact> findings = PeriodFindings.all(session, sources, question);
        question.progress().accept("groups");
        List<Group> groups = groups(session, pieces, question);
        question.progress().accept("hours");
        PeriodHours.Held hours = PeriodHours.held(session, pieces, question);
        question.progress().accept("waiting");
        List<Wait> waits = waits(session, pieces, question);
        List<Fit> fits = session.query(
                FITS, cells -> new Fit(cells.integer(), cells.maybeInteger(), cells.number(), cells.number()));
        List<Terms> terms = terms(session, pieces);
        question.progress().accept("readings");
        PeriodHours.Used used = PeriodHours.used(session, sources, question, models);
        return new PeriodFacts(
                RunTables.accountingUntil(session),
                viewAt,
                used.first(),
                groups,
                hours.models(),
                hours.departments(),
                used.hours(),
                waits,
                fits,
                nodes,
                models,
                findings,
                terms,
                session.query(
                        LAST_RUNS, cells -> new LastRun(cells.text(), cells.text(), cells.text(), cells.time()), to));
    }

    /** Sums by everything that runs are divided by, and nothing else: what a comparison with an earlier period needs. */
    static List<Group> groups(Session session, Sources sources, PeriodQuestion question) throws SQLException {
        question.progress().accept("runs");
        PeriodPieces pieces = PeriodPieces.make(session, question, models(session));
        question.progress().accept("use");
        PeriodUse.complete(session, sources, question);
        question.progress().accept("groups");
        return groups(session, pieces, question);
    }

    /** One row for each run, as far as it lies in the period, sorted; written by the database itself. */
    private static final String RUNS = """
            COPY (
              SELECT p.cluster, p.job_id, p.start_ms, p.end_ms, p.submit_ms, n.shown AS user_name, r.account,
                d.text AS department, r.partition_name, r.qos, r.state, p.interactive, m.text AS model,
                g.text AS node_group, p.gpus, p.cpus, p.memory_mib, p.time_limit_ms, p.begin_ms, p.finish_ms,
                p.suspended_ms, p.seen_ms, p.used_ms, p.idle_ms, p.outside_ms, p.energy_joules, p.idle_energy_joules,
                p.gpu_memory_used_bytes, p.gpu_memory_bytes, p.cpu_used_ms, p.memory_max_bytes, p.lost_ms
              FROM piece p
              JOIN run r ON r.cluster = p.cluster AND r.job_id = p.job_id AND r.start_ms = p.start_ms
              JOIN period_shown n ON n.no = p.user_no
              JOIN period_department_text d ON d.no = p.department_no
              JOIN period_model_text m ON m.no = p.model_no
              JOIN period_group_text g ON g.no = p.group_no
              ORDER BY p.start_ms, p.job_id, p.cluster
            ) TO '%s' (FORMAT PARQUET, COMPRESSION ZSTD)""";

    static void copyRuns(
            Session session, Sources sources, PeriodQuestion question, UnaryOperator<String> shown, Path file)
            throws SQLException {
        PeriodPieces pieces = PeriodPieces.make(session, question, models(session));
        PeriodUse.complete(session, sources, question);
        PeriodFindings.all(session, sources, question);
        pieces.users.save(session, "period_shown", "shown", shown);
        pieces.departments.save(session, "period_department_text", "text", UnaryOperator.identity());
        pieces.models.save(session, "period_model_text", "text", UnaryOperator.identity());
        pieces.groups.save(session, "period_group_text", "text", UnaryOperator.identity());
        // DuckDB takes no parameter there; the path is the store's own
        session.execute(RUNS.formatted(file.toString().replace("'", "''")));
    }

    /** GPU model of each node that has one: Slurm's type, or the name by NVML where Slurm's GRES has no type. */
    private static Map<String, String> models(Session session) throws SQLException {
        Map<String, String> models = new TreeMap<>();
        session.query("""
                SELECT g.node, g.name FROM gpu g ORDER BY g.node, g.last_at_ms, g.name""", cells -> models.put(cells.text(), cells.text()) == null);
        Map<String, String> told = new HashMap<>();
        Session.Mapper<Boolean> type = cells -> {
            String node = cells.text();
            String types = PeriodPieces.gresTypes(cells.text());
            return types.isEmpty() || told.put(node, types) == null;
        };
        session.query("SELECT name, gres FROM node_state ORDER BY from_ms", type);
        session.query("SELECT name, gres FROM slurm_node ORDER BY place", type);
        models.putAll(told);
        return models;
    }

    // ---- sums

    private static List<Group> groups(Session session, PeriodPieces pieces, PeriodQuestion question)
            throws SQLException {
        long from = question.from().toEpochMilli();
        List<Group> groups = new ArrayList<>(session.query(
                GROUPS,
                cells -> new Group(
                        new GroupKey(
                                pieces.users.text(cells.integer()),
                                pieces.accounts.text(cells.integer()),
                                pieces.partitions.text(cells.integer()),
                                pieces.qos.text(cells.integer()),
                                pieces.models.text(cells.integer()),
                                pieces.groups.text(cells.integer()),
                                cells.integer(),
                                cells.flag()),
                        sums(cells)),
                from,
                from,
                from));
        groups.sort(Comparator.comparing(Group::key, ORDER));
        return groups;
    }

    private static final Comparator<GroupKey> ORDER = Comparator.comparing(GroupKey::user)
            .thenComparing(GroupKey::account)
            .thenComparing(GroupKey::partition)
            .thenComparing(GroupKey::qos)
            .thenComparing(GroupKey::model)
            .thenComparing(GroupKey::nodeGroup)
            .thenComparingInt(GroupKey::size)
            .thenComparing(GroupKey::interactive);

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
                        cells.number(),
                        cells.number()),
                cells.number(),
                cells.number(),
                cells.number());
    }

    private static List<Wait> waits(Session session, PeriodPieces pieces, PeriodQuestion question) throws SQLException {
        StringBuilder week = new StringBuilder();
        for (Instant begin : question.weeks()) {
            if (begin.isAfter(question.from())) {
                week.append(" + CASE WHEN start_ms >= ")
                        .append(begin.toEpochMilli())
                        .append(" THEN 1 ELSE 0 END");
            }
        }
        List<Wait> waits = new ArrayList<>(session.query(
                WAITS.formatted(week),
                cells -> new Wait(
                        pieces.models.text(cells.integer()),
                        cells.integer(),
                        cells.number(),
                        cells.number(),
                        cells.number(),
                        cells.number()),
                question.from().toEpochMilli(),
                question.to().toEpochMilli()));
        waits.sort(Comparator.comparing(Wait::model).thenComparingInt(Wait::week));
        return waits;
    }

    private static List<Terms> terms(Session session, PeriodPieces pieces) throws SQLException {
        List<Terms> terms = new ArrayList<>(session.query(
                TERMS,
                cells -> new Terms(
                        pieces.accounts.text(cells.integer()),
                        pieces.qos.text(cells.integer()),
                        cells.number(),
                        cells.number(),
                        cells.integer(),
                        cells.number(),
                        cells.number(),
                        cells.maybeReal())));
        terms.sort(Comparator.comparing(Terms::account).thenComparing(Terms::qos));
        return terms;
    }
}
