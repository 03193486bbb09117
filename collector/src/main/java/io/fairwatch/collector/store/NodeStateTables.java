package io.fairwatch.collector.store;

import io.fairwatch.collector.run.NodeService;
import io.fairwatch.collector.run.SlurmNode;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Which node was in service when: one row for each time that Slurm said the same of a node, so that a period's capacity
 * can be added up. A row without an end holds as far as the newest view confirms it. Nothing is filled in: while nobody
 * asked Slurm, nothing is known. Immutable; every method works within the given session.
 */
final class NodeStateTables {
    /** When nobody asked Slurm for longer than this, what lay between is unknown. */
    private static final Duration LONGEST_GAP = Duration.ofMinutes(15);

    private record Said(
            NodeService service, OptionalInt cpus, OptionalLong memoryBytes, OptionalInt gpus, String gres) {}

    private NodeStateTables() {}

    /** Remembers what the view at {@code at} says of the nodes, after the one at {@code before}. */
    static void save(Session session, List<SlurmNode> nodes, Instant at, Optional<Instant> before) throws SQLException {
        if (before.isPresent() && !before.get().isBefore(at)) {
            return; // a clock that was set back tells nothing new
        }
        boolean gap = before.isEmpty() || Duration.between(before.get(), at).compareTo(LONGEST_GAP) > 0;
        if (gap && before.isPresent()) {
            session.update(
                    "UPDATE node_state SET until_ms = ? WHERE until_ms IS NULL",
                    before.get().toEpochMilli());
        }
        Map<String, Said> open = new HashMap<>();
        session.query(
                "SELECT name, service, cpus, memory_bytes, gpus, gres FROM node_state WHERE until_ms IS NULL",
                cells -> open.put(
                                cells.text(),
                                new Said(
                                        cells.word(NodeService.class),
                                        cells.maybeInteger(),
                                        cells.maybeNumber(),
                                        cells.maybeInteger(),
                                        cells.text()))
                        == null);
        Set<String> over = new HashSet<>(open.keySet());
        Map<String, SlurmNode> news = new HashMap<>();
        for (SlurmNode node : nodes) {
            String name = Rows.clean(node.name());
            if (said(node).equals(open.get(name))) {
                over.remove(name);
            } else {
                news.put(name, node);
            }
        }
        close(session, over, at);
        if (!news.isEmpty()) {
            try (Rows rows = session.append("node_state")) {
                for (Map.Entry<String, SlurmNode> entry : news.entrySet()) {
                    Said said = said(entry.getValue());
                    rows.text(entry.getKey())
                            .time(at)
                            .none()
                            .word(said.service())
                            .number(said.cpus())
                            .number(said.memoryBytes())
                            .number(said.gpus())
                            .text(said.gres())
                            .end();
                }
            }
        }
    }

    private static Said said(SlurmNode node) {
        return new Said(
                NodeService.of(node.state()), node.cpus(), node.memoryBytes(), node.gpus(), Rows.clean(node.gres()));
    }

    private static void close(Session session, Set<String> names, Instant at) throws SQLException {
        if (names.isEmpty()) {
            return;
        }
        session.execute("CREATE OR REPLACE TEMPORARY TABLE staged_name (name VARCHAR NOT NULL)");
        try (Rows rows = session.appendTemporary("staged_name")) {
            for (String name : names) {
                rows.text(name).end();
            }
        }
        session.update(
                "UPDATE node_state SET until_ms = ? WHERE until_ms IS NULL AND name IN (SELECT name FROM staged_name)",
                at.toEpochMilli());
    }

    /** What was said of nodes within {@code [from, to)}, cut at its borders, by node and time. */
    static List<PeriodFacts.NodeSpan> within(Session session, Instant from, Instant to, Instant confirmed)
            throws SQLException {
        return session.query(
                """
                SELECT name, greatest(from_ms, ?), least(COALESCE(until_ms, ?), ?), service, cpus, memory_bytes, gpus, gres
                FROM node_state
                WHERE from_ms < ? AND COALESCE(until_ms, ?) > ?
                ORDER BY name, from_ms""",
                cells -> new PeriodFacts.NodeSpan(
                        cells.text(),
                        cells.time(),
                        cells.time(),
                        cells.word(NodeService.class),
                        cells.maybeInteger(),
                        cells.maybeNumber(),
                        cells.maybeInteger(),
                        cells.text()),
                from.toEpochMilli(),
                confirmed.toEpochMilli(),
                to.toEpochMilli(),
                to.toEpochMilli(),
                confirmed.toEpochMilli(),
                from.toEpochMilli());
    }
}
