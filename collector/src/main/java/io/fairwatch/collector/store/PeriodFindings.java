package io.fairwatch.collector.store;

import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.PeriodFacts.FindingFact;
import java.sql.SQLException;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Findings of a period and what became of their runs. What a run left idle after its owner was told is counted once,
 * whatever number of rules told of it, and noted in its piece. Stateless.
 */
final class PeriodFindings {
    private static final String FINDINGS = """
            SELECT f.cluster, f.job_id, f.start_ms, f.rule, f.user_name, f.since_ms, f.told_ms, f.clear_since_ms,
              p.gpus, p.end_ms, p.start_ms + p.time_limit_ms, r.state
            FROM finding f
            JOIN piece p ON p.cluster = f.cluster AND p.job_id = f.job_id AND p.start_ms = f.start_ms
            JOIN run r ON r.cluster = f.cluster AND r.job_id = f.job_id AND r.start_ms = f.start_ms
            WHERE f.subject_kind = 'RUN' AND f.state <> 'SUSPECTED' AND f.since_ms < ?
            ORDER BY f.since_ms, f.job_id, f.start_ms, f.rule""";

    /** Runs of which somebody was told while they held something of the period, and from when to when that was. */
    private static final String TOLD = """
            CREATE OR REPLACE TEMPORARY TABLE period_told AS
            SELECT p.cluster, p.job_id, p.start_ms, greatest(p.begin_ms, min(f.told_ms)) AS told_ms, p.finish_ms
            FROM finding f
            JOIN piece p ON p.cluster = f.cluster AND p.job_id = f.job_id AND p.start_ms = f.start_ms
            WHERE f.subject_kind = 'RUN' AND f.state <> 'SUSPECTED' AND f.since_ms < ? AND f.told_ms IS NOT NULL
            GROUP BY p.cluster, p.job_id, p.start_ms, p.begin_ms, p.finish_ms
            HAVING greatest(p.begin_ms, min(f.told_ms)) < p.finish_ms""";

    /**
     * Sealed hours by roll-ups: of five minutes in which the warning came, or the run ended, as much as lies between. Five
     * minutes in which several runs held the GPU belong to none of them: less is told than was.
     */
    private static final String IDLE = """
            CREATE OR REPLACE TEMPORARY TABLE period_lost AS
            SELECT cluster, job_id, start_ms, CAST(sum(idle_ms) AS BIGINT) AS lost_ms
            FROM (
              SELECT t.cluster, t.job_id, t.start_ms, CAST(r.idle_ms * ((least(r.at_ms, t.finish_ms)
                - greatest(r.at_ms - %1$d, t.told_ms)) / %1$d.0) AS BIGINT) AS idle_ms
              FROM :rollups
              JOIN period_told t ON t.job_id = r.job_id AND t.start_ms = r.run_start_ms
              WHERE r.at_ms > t.told_ms AND r.at_ms - %1$d < t.finish_ms AND r.idle_ms > 0
              UNION ALL
              SELECT t.cluster, t.job_id, t.start_ms, least(r.at_ms, t.finish_ms) - greatest(r.at_ms - r.period_ms, t.told_ms)
              FROM gpu_reading r
              JOIN run_gpu g ON g.uuid = r.uuid
              JOIN period_told t ON t.cluster = g.cluster AND t.job_id = g.job_id AND t.start_ms = g.start_ms
              WHERE r.utilization_max <= ? AND r.at_ms > t.told_ms AND r.at_ms - r.period_ms < t.finish_ms
            ) i
            GROUP BY cluster, job_id, start_ms""".formatted(Rollups.LENGTH_MS);

    private PeriodFindings() {}

    static List<FindingFact> all(Session session, Sources sources, PeriodQuestion question) throws SQLException {
        long to = question.to().toEpochMilli();
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
                to);
        Optional<Instant> firstTold =
                facts.stream().flatMap(fact -> fact.told().stream()).min(Instant::compareTo);
        if (firstTold.isEmpty()) {
            return facts;
        }
        session.update(TOLD, to);
        session.update(
                IDLE.replace(
                        ":rollups",
                        sources.of("gpu_5m", firstTold.get().toEpochMilli(), to + Rollups.LENGTH_MS) + " r"),
                question.busyAboveRatio());
        session.execute("""
                UPDATE piece SET lost_ms = l.lost_ms FROM period_lost l
                WHERE l.cluster = piece.cluster AND l.job_id = piece.job_id AND l.start_ms = piece.start_ms""");
        Map<RunKey, Long> idle = new HashMap<>();
        session.query(
                "SELECT cluster, job_id, start_ms, lost_ms FROM period_lost",
                cells -> idle.put(RunTables.key(cells), cells.number()) == null);
        return facts.stream()
                .map(fact -> {
                    Long ms = fact.told().isPresent() ? idle.remove(fact.run()) : null;
                    return ms == null ? fact : withIdle(fact, ms);
                })
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
