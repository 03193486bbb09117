package io.fairwatch.collector.store;

import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Findings and notices into tables and back. Immutable; every method works within the given session. */
final class FindingTables {
    private static final String FINDING = """
            SELECT cluster, job_id, start_ms, rule, since_ms, state, last_seen_ms, clear_since_ms, told_ms, user_name,
            summary, fix, evidence, step_planned, step_done, step_done_ms FROM finding""";

    private static final String NOTICE = """
            SELECT id, cluster, job_id, start_ms, rule, since_ms, step, channel, topic, recipient, user_name, address,
            state, mail, created_ms, changed_ms, attempts, detail FROM notice""";

    private FindingTables() {}

    static void save(Session session, Collection<FindingRow> findings, Collection<Notice> notices) throws SQLException {
        record Episode(Object run, String rule, Instant since) {}
        if (!findings.isEmpty()) {
            Map<Episode, FindingRow> newest = new LinkedHashMap<>();
            for (FindingRow finding : findings) {
                newest.put(
                        new Episode(
                                RunTables.stored(finding.run()),
                                Rows.clean(finding.rule()),
                                Instant.ofEpochMilli(finding.since().toEpochMilli())),
                        finding);
            }
            try (Rows rows = Schema.stage(session, "finding")) {
                for (FindingRow finding : newest.values()) {
                    RunTables.key(rows, finding.run());
                    rows.text(finding.rule())
                            .time(finding.since())
                            .word(finding.state())
                            .time(finding.lastSeen())
                            .time(finding.clearSince())
                            .time(finding.toldAt())
                            .text(finding.user())
                            .text(finding.summary())
                            .text(finding.fix())
                            .text(finding.evidence())
                            .number(finding.progress().planned())
                            .number(finding.progress().done())
                            .time(finding.progress().doneAt())
                            .end();
                }
            }
            Schema.replace(session, "finding", "cluster", "job_id", "start_ms", "rule", "since_ms");
        }
        if (!notices.isEmpty()) {
            Map<String, Notice> newest = new LinkedHashMap<>();
            notices.forEach(notice -> newest.put(Rows.clean(notice.id()), notice));
            try (Rows rows = Schema.stage(session, "notice")) {
                for (Notice notice : newest.values()) {
                    rows.text(notice.id());
                    RunTables.key(rows, notice.run());
                    rows.text(notice.rule())
                            .time(notice.since())
                            .number(notice.aim().step())
                            .word(notice.aim().channel())
                            .word(notice.aim().topic())
                            .text(notice.aim().recipient())
                            .text(notice.user())
                            .text(notice.address())
                            .word(notice.state())
                            .text(notice.mail())
                            .time(notice.createdAt())
                            .time(notice.changedAt())
                            .number(notice.attempts())
                            .text(notice.detail())
                            .end();
                }
            }
            Schema.replace(session, "notice", "id");
        }
    }

    static List<FindingRow> open(Session session) throws SQLException {
        return session.query(
                FINDING + " WHERE state <> 'RESOLVED' ORDER BY since_ms, job_id, rule", FindingTables::finding);
    }

    static List<FindingRow> of(Session session, long jobId) throws SQLException {
        return session.query(
                FINDING + " WHERE job_id = ? ORDER BY since_ms DESC, start_ms DESC, rule",
                FindingTables::finding,
                jobId);
    }

    static List<Notice> noticesOf(Session session, long jobId) throws SQLException {
        return session.query(NOTICE + " WHERE job_id = ? ORDER BY created_ms DESC, id", FindingTables::notice, jobId);
    }

    static List<Notice> noticesIn(Session session, Collection<Notice.State> states) throws SQLException {
        if (states.isEmpty()) {
            return List.of();
        }
        Object[] names = states.stream().map(Enum::name).toArray();
        String marks = "?" + ", ?".repeat(names.length - 1);
        return session.query(
                NOTICE + " WHERE state IN (" + marks + ") ORDER BY created_ms, id", FindingTables::notice, names);
    }

    static List<Notice> noticesIn(Session session, Collection<Notice.State> states, Instant changedAfter)
            throws SQLException {
        if (states.isEmpty()) {
            return List.of();
        }
        List<Object> values = new ArrayList<>(states.stream().map(Enum::name).toList());
        String marks = "?" + ", ?".repeat(values.size() - 1);
        values.add(changedAfter.toEpochMilli());
        return session.query(
                NOTICE + " WHERE state IN (" + marks + ") AND changed_ms > ? ORDER BY created_ms, id",
                FindingTables::notice,
                values.toArray());
    }

    private static FindingRow finding(Cells cells) throws SQLException {
        return new FindingRow(
                RunTables.key(cells),
                cells.text(),
                cells.time(),
                cells.word(FindingRow.State.class),
                cells.time(),
                cells.maybeTime(),
                cells.maybeTime(),
                cells.text(),
                cells.text(),
                cells.text(),
                cells.text(),
                new FindingRow.Progress(cells.integer(), cells.integer(), cells.maybeTime()));
    }

    private static Notice notice(Cells cells) throws SQLException {
        return new Notice(
                cells.text(),
                RunTables.key(cells),
                cells.text(),
                cells.time(),
                new Notice.Aim(
                        cells.integer(),
                        cells.word(Notice.Channel.class),
                        cells.word(Notice.Topic.class),
                        cells.text()),
                cells.text(),
                cells.maybeText(),
                cells.word(Notice.State.class),
                cells.maybeText(),
                cells.time(),
                cells.time(),
                cells.integer(),
                cells.text());
    }
}
