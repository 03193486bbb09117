package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuReading;
import java.time.Instant;

/**
 * A reading of a GPU with its time; its processes may be left out (absent). Immutable.
 *
 * @param node node
 * @param at end of the period that it covers
 * @param reading what was read
 */
public record GpuReadingAt(String node, Instant at, GpuReading reading) {
    /**
     * A reading that just came, as a store gives it back: to the millisecond, without processes and without what is not
     * kept.
     *
     * @param device an equal device takes the place of the reading's own
     */
    public static GpuReadingAt kept(String node, Instant at, GpuReading reading, GpuDevice device) {
        return new GpuReadingAt(node, Instant.ofEpochMilli(at.toEpochMilli()), SnapshotTables.kept(reading, device));
    }
}
