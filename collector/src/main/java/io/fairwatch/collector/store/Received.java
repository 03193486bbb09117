package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.NodeSnapshot;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;

/**
 * Which snapshots have come, as ranges of sequences for each node and boot. Sequences ascend by one, so there are few
 * ranges, and they stay known when the readings themselves are long sealed or deleted. Confined to the writer.
 *
 * <p>Says at once what a transaction adds; when that fails, this must be loaded anew.
 */
final class Received {
    private record Life(String node, String bootId) {}

    private record Range(Life life, long first) {
        String id() {
            return life.node() + "/" + life.bootId() + "/" + first; // names hold no slash
        }
    }

    private final Map<Life, TreeMap<Long, Long>> lasts = new HashMap<>();
    /** Ranges that were written before the transaction and are so no more. */
    private final Set<Range> gone = new HashSet<>();
    /** Ranges to be written. */
    private final Set<Range> come = new HashSet<>();

    /** What the table says. */
    static Received load(Session session) throws SQLException {
        Received received = new Received();
        session.query(
                "SELECT node, boot_id, first_sequence, last_sequence FROM received",
                cells -> received.lasts
                                .computeIfAbsent(new Life(cells.text(), cells.text()), life -> new TreeMap<>())
                                .put(cells.number(), cells.number())
                        == null);
        return received;
    }

    /** Adds a snapshot; false if it was there already. */
    boolean add(NodeSnapshot snapshot) {
        Life life = new Life(snapshot.node(), snapshot.bootId());
        TreeMap<Long, Long> ranges = lasts.computeIfAbsent(life, l -> new TreeMap<>());
        long sequence = snapshot.sequence();
        Map.Entry<Long, Long> before = ranges.floorEntry(sequence);
        if (before != null && before.getValue() >= sequence) {
            return false;
        }
        long first = sequence;
        if (before != null && before.getValue() == sequence - 1) {
            first = before.getKey();
            replaced(new Range(life, first));
        }
        long last = sequence;
        Map.Entry<Long, Long> after = ranges.higherEntry(sequence);
        if (after != null && after.getKey() - 1 == sequence) {
            last = after.getValue();
            ranges.remove(after.getKey());
            replaced(new Range(life, after.getKey()));
        }
        ranges.put(first, last);
        come.add(new Range(life, first));
        return true;
    }

    private void replaced(Range range) {
        if (!come.remove(range)) {
            gone.add(range);
        }
    }

    /** Writes what was added, within the transaction that was begun. */
    void write(Session session) throws SQLException {
        Schema.delete(session, "received", "id", gone.stream().map(Range::id).toList());
        try (Rows rows = session.append("received")) {
            for (Range range : come) {
                Long last = lasts.getOrDefault(range.life(), new TreeMap<>()).get(range.first());
                rows.text(range.id())
                        .text(range.life().node())
                        .text(range.life().bootId())
                        .number(range.first())
                        .number(Objects.requireNonNull(last))
                        .end();
            }
        }
        gone.clear();
        come.clear();
    }
}
