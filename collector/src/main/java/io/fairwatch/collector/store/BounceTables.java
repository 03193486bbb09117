package io.fairwatch.collector.store;

import java.sql.SQLException;
import java.time.Instant;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Mails that came back, into a table and out of it. Immutable; every method works within the given session. */
final class BounceTables {
    static final String TABLE = """
            CREATE TABLE IF NOT EXISTS bounce (
              id VARCHAR NOT NULL, at_ms BIGINT NOT NULL, mail VARCHAR NOT NULL, address VARCHAR NOT NULL,
              kind VARCHAR NOT NULL, status VARCHAR, reason VARCHAR NOT NULL, taken_ms BIGINT, forgotten_ms BIGINT)""";

    private BounceTables() {}

    static void save(Session session, Collection<Bounce> bounces) throws SQLException {
        if (bounces.isEmpty()) {
            return;
        }
        Map<String, Bounce> newest = new LinkedHashMap<>();
        bounces.forEach(one -> newest.put(Rows.clean(one.id()), one));
        try (Rows rows = Schema.stage(session, "bounce")) {
            for (Bounce one : newest.values()) {
                rows.text(one.id())
                        .time(one.at())
                        .text(one.mail())
                        .text(one.address())
                        .word(one.kind())
                        .text(one.status())
                        .text(one.reason())
                        .time(one.takenAt())
                        .time(one.forgottenAt())
                        .end();
            }
        }
        Schema.replace(session, "bounce", "id");
    }

    static List<Bounce> after(Session session, Instant after) throws SQLException {
        return session.query(
                "SELECT id, at_ms, mail, address, kind, status, reason, taken_ms, forgotten_ms FROM bounce"
                        + " WHERE at_ms > ? ORDER BY at_ms DESC, id",
                cells -> new Bounce(
                        cells.text(),
                        cells.time(),
                        cells.text(),
                        cells.text(),
                        cells.word(Bounce.Kind.class),
                        cells.maybeText(),
                        cells.text(),
                        cells.maybeTime(),
                        cells.maybeTime()),
                after.toEpochMilli());
    }
}
