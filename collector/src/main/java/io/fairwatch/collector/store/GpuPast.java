package io.fairwatch.collector.store;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * What readings of an interval say of a GPU, whoever held it; only readings that tell how busy it was. Immutable.
 *
 * @param uuid which GPU
 * @param firstAt begin of the first period
 * @param lastAt end of the last period
 * @param seen how long all periods are together
 * @param lastBusyAt end of the last period that was busy; absent: never busy, as far as was seen
 */
public record GpuPast(String uuid, Instant firstAt, Instant lastAt, Duration seen, Optional<Instant> lastBusyAt) {}
