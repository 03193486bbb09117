package io.fairwatch.collector.store;

import java.time.Duration;
import java.time.Instant;
import java.util.OptionalDouble;

/**
 * How busy a GPU was over one period. Immutable.
 *
 * @param uuid which GPU
 * @param at end of the period
 * @param period its length
 * @param meanRatio mean utilisation; absent when the reading has none
 * @param maxRatio largest sample; absent likewise
 */
public record GpuMoment(String uuid, Instant at, Duration period, OptionalDouble meanRatio, OptionalDouble maxRatio) {}
