package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.NodeSnapshot;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Which snapshots have come, as ranges of sequences for each node and boot. Sequences ascend by one, so there are few
 * ranges, and they stay known when the readings themselves are long sealed or deleted. Confined to the writer.
 *
 * <p>What a transaction adds counts only after {@link #committed}; {@link #rolledBack} forgets it.
 */
final class Received {
    private record Life(String node, String bootId) {}

    private record Range(Life life, long first) {}

    private final Map<Life, TreeMap<Long, Long>> lasts = new HashMap<>();
    private final Map<Life, TreeMap<Long, Long>> pending = new HashMap<>();
    private final Set<Range> changed = new HashSet<>();

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
        TreeMap<Long, Long> ranges =
                pending.computeIfAbsent(life, l -> new TreeMap<>(lasts.getOrDefault(l, new TreeMap<>())));
        long sequence = snapshot.sequence();
        Map.Entry<Long, Long> before = ranges.floorEntry(sequence);
        if (before != null && before.getValue() >= sequence) {
            return false;
        }
        long first = before != null && before.getValue() == sequence - 1 ? before.getKey() : sequence;
        Map.Entry<Long, Long> after = ranges.higherEntry(sequence);
        long last = sequence;
        if (after != null && after.getKey() - 1 == sequence) {
            last = after.getValue();
            ranges.remove(after.getKey());
            changed.add(new Range(life, after.getKey()));
        }
        ranges.put(first, last);
        changed.add(new Range(life, first));
        return true;
    }

    /** Writes what was added, within the transaction that was begun. */
    void write(Session session) throws SQLException {
        List<Range> touched = new ArrayList<>(changed);
        try (Rows rows = Schema.stage(session, "received")) {
            for (Range range : touched) {
                rows.text(range.life().node())
                        .text(range.life().bootId())
                        .number(range.first())
                        .number(range.first())
                        .end();
            }
        }
        Schema.remove(session, "received", "node", "boot_id", "first_sequence");
        try (Rows rows = session.append("received")) {
            for (Range range : touched) {
                Long last = pending.getOrDefault(range.life(), new TreeMap<>()).get(range.first());
                if (last != null) {
                    rows.text(range.life().node())
                            .text(range.life().bootId())
                            .number(range.first())
                            .number(last)
                            .end();
                }
            }
        }
    }

    void committed() {
        lasts.putAll(pending);
        rolledBack();
    }

    void rolledBack() {
        pending.clear();
        changed.clear();
    }
}
