package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** Exemptions and the audit trail into tables and back. Immutable; every method works within the given session. */
final class AuditTables {
    static final String EXEMPTION_TABLE = """
            CREATE TABLE IF NOT EXISTS exemption (
              id VARCHAR NOT NULL, scope VARCHAR NOT NULL, value VARCHAR NOT NULL, rule VARCHAR, from_ms BIGINT NOT NULL,
              until_ms BIGINT, said_by VARCHAR NOT NULL, reason VARCHAR NOT NULL)""";

    // only ever appended to
    static final String AUDIT_TABLE = """
            CREATE TABLE IF NOT EXISTS audit (
              id VARCHAR NOT NULL, at_ms BIGINT NOT NULL, actor VARCHAR NOT NULL, what VARCHAR NOT NULL,
              outcome VARCHAR NOT NULL, cluster VARCHAR, job_id BIGINT, start_ms BIGINT, rule VARCHAR,
              user_name VARCHAR NOT NULL, reason VARCHAR NOT NULL, inputs VARCHAR NOT NULL)""";

    private AuditTables() {}

    static void saveExemptions(Session session, Collection<Exemption> exemptions) throws SQLException {
        if (exemptions.isEmpty()) {
            return;
        }
        Map<String, Exemption> newest = new LinkedHashMap<>();
        exemptions.forEach(one -> newest.put(Rows.clean(one.id()), one));
        try (Rows rows = Schema.stage(session, "exemption")) {
            for (Exemption one : newest.values()) {
                rows.text(one.id())
                        .word(one.scope())
                        .text(one.value())
                        .text(one.rule())
                        .time(one.from())
                        .time(one.until())
                        .text(one.by())
                        .text(one.reason())
                        .end();
            }
        }
        Schema.replace(session, "exemption", "id");
    }

    /** Appends entries; one whose id is there changes nothing. */
    static void append(Session session, Collection<AuditEntry> entries) throws SQLException {
        if (entries.isEmpty()) {
            return;
        }
        try (Rows rows = Schema.stage(session, "audit")) {
            for (AuditEntry entry : entries) {
                rows.text(entry.id())
                        .time(entry.at())
                        .text(entry.actor())
                        .text(entry.what())
                        .word(entry.outcome());
                if (entry.run().isPresent()) {
                    RunTables.key(rows, entry.run().get());
                } else {
                    rows.none().number(entry.job()).none();
                }
                rows.text(entry.rule())
                        .text(entry.user())
                        .text(entry.reason())
                        .text(entry.inputs())
                        .end();
            }
        }
        session.execute("INSERT INTO audit SELECT * FROM staged_audit s WHERE NOT EXISTS (SELECT 1 FROM audit"
                + " WHERE audit.id = s.id)");
    }

    static List<Exemption> exemptions(Session session, Instant now) throws SQLException {
        return session.query(
                "SELECT id, scope, value, rule, from_ms, until_ms, said_by, reason FROM exemption"
                        + " WHERE until_ms IS NULL OR until_ms > ? ORDER BY from_ms, id",
                cells -> new Exemption(
                        cells.text(),
                        cells.word(Exemption.Scope.class),
                        cells.text(),
                        cells.maybeText(),
                        cells.time(),
                        cells.maybeTime(),
                        cells.text(),
                        cells.text()),
                now.toEpochMilli());
    }

    static List<AuditEntry> audit(Session session, Store.AuditFilter filter) throws SQLException {
        StringBuilder where = new StringBuilder();
        List<Object> values = new ArrayList<>();
        filter.jobId().ifPresent(job -> and(where, "job_id = ?", values, job));
        filter.user().ifPresent(user -> and(where, "user_name = ?", values, user));
        filter.from().ifPresent(from -> and(where, "at_ms >= ?", values, from.toEpochMilli()));
        filter.outcome().ifPresent(outcome -> and(where, "outcome = ?", values, outcome.name()));
        values.add(filter.most());
        return session.query(
                "SELECT id, at_ms, actor, what, outcome, cluster, job_id, start_ms, rule, user_name, reason, inputs"
                        + " FROM audit" + where + " ORDER BY at_ms DESC, id LIMIT ?",
                AuditTables::entry,
                values.toArray());
    }

    private static void and(StringBuilder where, String condition, List<Object> values, Object value) {
        where.append(where.isEmpty() ? " WHERE " : " AND ").append(condition);
        values.add(value);
    }

    private static AuditEntry entry(Cells cells) throws SQLException {
        String id = cells.text();
        Instant at = cells.time();
        String actor = cells.text();
        String what = cells.text();
        AuditEntry.Outcome outcome = cells.word(AuditEntry.Outcome.class);
        Optional<String> cluster = cells.maybeText();
        OptionalLong job = cells.maybeNumber();
        Optional<Instant> start = cells.maybeTime();
        return new AuditEntry(
                id,
                at,
                actor,
                what,
                outcome,
                cluster.isPresent() && job.isPresent() && start.isPresent()
                        ? Optional.of(new RunKey(cluster.get(), job.getAsLong(), start.get()))
                        : Optional.empty(),
                cells.maybeText(),
                cells.text(),
                cells.text(),
                cells.text(),
                job);
    }
}
