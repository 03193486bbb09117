package io.fairwatch.collector.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Findings and notices into tables and back. Immutable; every method works within the given session. */
final class FindingTables {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private static final String FINDING = """
            SELECT cluster, job_id, start_ms, rule, since_ms, state, last_seen_ms, clear_since_ms, told_ms, user_name,
            summary, fix, evidence, step_planned, step_done, step_done_ms, subject_kind, subject_name,
            translations FROM finding""";

    private static final String NOTICE = """
            SELECT id, cluster, job_id, start_ms, rule, since_ms, step, channel, topic, recipient, user_name, address,
            state, mail, created_ms, changed_ms, attempts, detail, subject_kind, subject_name, announced, announced_ms
            FROM notice""";

    private FindingTables() {}

    static void save(Session session, Collection<FindingRow> findings, Collection<Notice> notices) throws SQLException {
        record Episode(Subject subject, String rule, Instant since) {}
        if (!findings.isEmpty()) {
            Map<Episode, FindingRow> newest = new LinkedHashMap<>();
            for (FindingRow finding : findings) {
                newest.put(
                        new Episode(
                                stored(finding.subject()),
                                Rows.clean(finding.rule()),
                                Instant.ofEpochMilli(finding.since().toEpochMilli())),
                        finding);
            }
            try (Rows rows = Schema.stage(session, "finding")) {
                for (FindingRow finding : newest.values()) {
                    place(rows, finding.subject());
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
                            .time(finding.progress().doneAt());
                    kind(rows, finding.subject())
                            .text(translations(finding.translations()))
                            .end();
                }
            }
            Schema.replace(
                    session,
                    "finding",
                    "cluster",
                    "job_id",
                    "start_ms",
                    "subject_kind",
                    "subject_name",
                    "rule",
                    "since_ms");
        }
        if (!notices.isEmpty()) {
            Map<String, Notice> newest = new LinkedHashMap<>();
            notices.forEach(notice -> newest.put(Rows.clean(notice.id()), notice));
            try (Rows rows = Schema.stage(session, "notice")) {
                for (Notice notice : newest.values()) {
                    rows.text(notice.id());
                    place(rows, notice.subject());
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
                            .text(notice.detail());
                    kind(rows, notice.subject())
                            .text(notice.announced().map(Notice.Announced::deed))
                            .time(notice.announced().map(Notice.Announced::notBefore))
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
                FINDING + " WHERE job_id = ? AND subject_kind = 'RUN' ORDER BY since_ms DESC, start_ms DESC, rule",
                FindingTables::finding,
                jobId);
    }

    /** The episode of exactly that. */
    static Optional<FindingRow> one(Session session, Subject subject, String rule, Instant since) throws SQLException {
        Subject wanted = stored(subject);
        return session
                .query(
                        FINDING + " WHERE rule = ? AND since_ms = ?",
                        FindingTables::finding,
                        Rows.clean(rule),
                        since.toEpochMilli())
                .stream()
                .filter(row -> row.subject().equals(wanted))
                .findFirst();
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

    // ---- what they are about: cluster, number and time first, kind and name last

    private static Subject stored(Subject subject) {
        if (subject instanceof RunKey run) {
            return RunTables.stored(run);
        }
        String cluster = Rows.clean(subject.cluster());
        if (subject instanceof Subject.Waiting job) {
            return new Subject.Waiting(
                    cluster, job.jobId(), Instant.ofEpochMilli(job.submit().toEpochMilli()));
        }
        return subject instanceof Subject.OnNode node
                ? new Subject.OnNode(cluster, Rows.clean(node.node()))
                : new Subject.Person(cluster, Rows.clean(((Subject.Person) subject).user()));
    }

    private static void place(Rows rows, Subject subject) throws SQLException {
        if (subject instanceof RunKey run) {
            RunTables.key(rows, run);
        } else if (subject instanceof Subject.Waiting job) {
            rows.text(job.cluster()).number(job.jobId()).time(job.submit());
        } else {
            rows.text(subject.cluster()).number(0L).time(Instant.EPOCH);
        }
    }

    private static Rows kind(Rows rows, Subject subject) throws SQLException {
        if (subject instanceof Subject.OnNode node) {
            return rows.word(Kind.NODE).text(node.node());
        }
        return subject instanceof Subject.Person person
                ? rows.word(Kind.USER).text(person.user())
                : rows.word(subject instanceof RunKey ? Kind.RUN : Kind.PENDING).text("");
    }

    /** Words of the column {@code subject_kind}. */
    private enum Kind {
        RUN,
        PENDING,
        NODE,
        USER
    }

    /** The first columns, until the last two say what they mean. */
    private record Place(String cluster, long jobId, Instant at) {
        static Place read(Cells cells) throws SQLException {
            return new Place(cells.text(), cells.number(), cells.time());
        }

        Subject with(Kind kind, String name) {
            return switch (kind) {
                case RUN -> new RunKey(cluster, jobId, at);
                case PENDING -> new Subject.Waiting(cluster, jobId, at);
                case NODE -> new Subject.OnNode(cluster, name);
                case USER -> new Subject.Person(cluster, name);
            };
        }
    }

    private static FindingRow finding(Cells cells) throws SQLException {
        Place place = Place.read(cells);
        String rule = cells.text();
        Instant since = cells.time();
        FindingRow.State state = cells.word(FindingRow.State.class);
        Instant lastSeen = cells.time();
        Optional<Instant> clearSince = cells.maybeTime();
        Optional<Instant> toldAt = cells.maybeTime();
        String user = cells.text();
        String summary = cells.text();
        String fix = cells.text();
        String evidence = cells.text();
        FindingRow.Progress progress = new FindingRow.Progress(cells.integer(), cells.integer(), cells.maybeTime());
        Subject subject = place.with(cells.word(Kind.class), cells.text());
        return new FindingRow(
                subject,
                rule,
                since,
                state,
                lastSeen,
                clearSince,
                toldAt,
                user,
                summary,
                fix,
                evidence,
                progress,
                translations(cells.maybeText()));
    }

    /** Absent where there are none, so that most rows of most sites hold nothing. */
    private static Optional<String> translations(Map<String, FindingRow.Said> translations) {
        if (translations.isEmpty()) {
            return Optional.empty();
        }
        ObjectNode root = JSON.createObjectNode();
        translations.forEach((language, said) ->
                root.putObject(language).put("summary", said.summary()).put("fix", said.fix()));
        return Optional.of(root.toString());
    }

    private static Map<String, FindingRow.Said> translations(Optional<String> text) {
        if (text.isEmpty()) {
            return Map.of();
        }
        Map<String, FindingRow.Said> translations = new LinkedHashMap<>();
        try {
            JSON.readTree(text.get())
                    .properties()
                    .forEach(entry -> translations.put(
                            entry.getKey(),
                            new FindingRow.Said(
                                    entry.getValue().path("summary").asText(),
                                    entry.getValue().path("fix").asText())));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("translations of a finding: " + text.get() + " (expected: JSON)", e);
        }
        return translations;
    }

    private static Notice notice(Cells cells) throws SQLException {
        String id = cells.text();
        Place place = Place.read(cells);
        String rule = cells.text();
        Instant since = cells.time();
        Notice.Aim aim = new Notice.Aim(
                cells.integer(), cells.word(Notice.Channel.class), cells.word(Notice.Topic.class), cells.text());
        String user = cells.text();
        Optional<String> address = cells.maybeText();
        Notice.State state = cells.word(Notice.State.class);
        Optional<String> mail = cells.maybeText();
        Instant createdAt = cells.time();
        Instant changedAt = cells.time();
        int attempts = cells.integer();
        String detail = cells.text();
        Subject subject = place.with(cells.word(Kind.class), cells.text());
        Optional<String> deed = cells.maybeText();
        Optional<Instant> notBefore = cells.maybeTime();
        return new Notice(
                id,
                subject,
                rule,
                since,
                aim,
                user,
                address,
                state,
                mail,
                createdAt,
                changedAt,
                attempts,
                detail,
                deed.isPresent() && notBefore.isPresent()
                        ? Optional.of(new Notice.Announced(deed.get(), notBefore.get()))
                        : Optional.empty());
    }
}
