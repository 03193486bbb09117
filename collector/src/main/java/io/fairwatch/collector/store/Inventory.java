package io.fairwatch.collector.store;

import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;

/**
 * How new what is known of each node and GPU is, so that the writer need not ask the tables before it replaces a row.
 * Confined to the writer. Changed as a transaction goes on; when that fails, this must be loaded anew.
 */
final class Inventory {
    /** From when a node is known, and its newest snapshot. */
    record NodeMark(long firstMs, long lastMs, String bootId, long sequence) {}

    /** Where a GPU was seen last, and when. */
    record GpuMark(long lastMs, String node) {}

    final Map<String, NodeMark> nodes = new HashMap<>();
    final Map<String, GpuMark> gpus = new HashMap<>();

    /** What the tables say. */
    static Inventory load(Session session) throws SQLException {
        Inventory inventory = new Inventory();
        session.query(
                "SELECT node, first_at_ms, last_at_ms, boot_id, sequence FROM node",
                cells -> inventory.nodes.put(
                                cells.text(),
                                new NodeMark(cells.number(), cells.number(), cells.text(), cells.number()))
                        == null);
        session.query(
                "SELECT uuid, last_at_ms, node FROM gpu",
                cells -> inventory.gpus.put(cells.text(), new GpuMark(cells.number(), cells.text())) == null);
        return inventory;
    }
}
