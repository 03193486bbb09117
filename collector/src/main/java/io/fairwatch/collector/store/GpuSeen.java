package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import java.time.Instant;

/**
 * A GPU and where it was seen last. Immutable.
 *
 * @param node the node that reported it last
 * @param device what that node said of it
 * @param lastAt when
 */
public record GpuSeen(String node, GpuDevice device, Instant lastAt) {}
