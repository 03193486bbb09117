package io.fairwatch.collector.store;

import java.time.Instant;

/**
 * Processes of one job were seen on one GPU. Immutable.
 *
 * @param jobId raw job id
 * @param node node
 * @param uuid device
 * @param firstAt first snapshot of the interval that shows it
 * @param lastAt last snapshot of the interval that shows it
 */
public record JobOnGpu(long jobId, String node, String uuid, Instant firstAt, Instant lastAt) {}
