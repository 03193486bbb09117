package io.fairwatch.collector.store;

import java.time.Instant;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Five minutes of a run's job on one node, as its cgroup tells. Immutable.
 *
 * @param run place of the run among those asked for
 * @param node which node
 * @param at begin of the five minutes
 * @param coveredMs time that snapshots cover
 * @param cpuFirstSeconds the counter of CPU time at the first snapshot; absent when it was never read
 * @param cpuLastSeconds the same at the last one
 * @param memoryUsedMaxBytes most anonymous and shared memory; absent without a reading
 * @param processesMax most processes; absent without a reading
 */
public record JobSlot(
        int run,
        String node,
        Instant at,
        long coveredMs,
        OptionalDouble cpuFirstSeconds,
        OptionalDouble cpuLastSeconds,
        OptionalLong memoryUsedMaxBytes,
        OptionalInt processesMax) {}
