package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuReading;
import java.time.Duration;
import java.time.Instant;

/**
 * A reading of a GPU as it came once, as far as it is kept. Immutable.
 *
 * @param node node
 * @param at end of the period that it covers
 * @param period length of that period
 * @param reading what was read; of its processes only whose they are and for which job is told
 */
public record PastReading(String node, Instant at, Duration period, GpuReading reading) {}
