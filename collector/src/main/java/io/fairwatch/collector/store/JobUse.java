package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What one run did with CPU and memory over an interval, summed over its nodes. Immutable.
 *
 * @param run which run
 * @param nodesSeen nodes whose snapshots of the interval showed the job
 * @param cpuSeconds CPU time that it took; absent without two readings of any node
 * @param memoryUsedMaxBytes most anonymous and shared memory at one time, summed over nodes; absent if never read
 * @param processesMax most processes at one time, summed over nodes, without Slurm's own; absent if never read
 */
public record JobUse(
        RunKey run,
        int nodesSeen,
        OptionalDouble cpuSeconds,
        OptionalLong memoryUsedMaxBytes,
        OptionalInt processesMax) {}
