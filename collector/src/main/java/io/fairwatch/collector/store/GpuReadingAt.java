package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuReading;
import java.time.Instant;

/**
 * A reading of a GPU with its time; its processes may be left out (absent). Immutable.
 *
 * @param node node
 * @param at end of the period that it covers
 * @param reading what was read
 */
public record GpuReadingAt(String node, Instant at, GpuReading reading) {}
