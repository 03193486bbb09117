package io.fairwatch.agent.wire;

import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * The node as its operating system sees it. Immutable. Source: OSHI.
 *
 * @param logicalCpus hardware threads that the system may use; 1 or more
 * @param cpuBusyRatio share of all CPU time of the period that was neither idle nor waiting for I/O, 0..1; absent in an
 *     agent's first snapshot
 * @param memoryTotalBytes physical memory
 * @param memoryAvailableBytes memory that new work could take without swapping. Source: {@code MemAvailable}
 * @param loadAverage one-minute load average; absent if the system does not tell
 * @param swapTotalBytes swap space; 0: none; absent if the system does not tell
 * @param swapUsedBytes swap space taken; absent likewise
 */
public record HostReading(
        int logicalCpus,
        OptionalDouble cpuBusyRatio,
        long memoryTotalBytes,
        long memoryAvailableBytes,
        OptionalDouble loadAverage,
        OptionalLong swapTotalBytes,
        OptionalLong swapUsedBytes) {
    public HostReading {
        Check.positive("host.logical_cpus", logicalCpus);
        Check.ratio("host.cpu_busy_ratio", cpuBusyRatio);
        Check.notNegative("host.memory_total_bytes", memoryTotalBytes);
        Check.notNegative("host.memory_available_bytes", memoryAvailableBytes);
        Check.notNegative("host.load_average", loadAverage);
        Check.notNegative("host.swap_total_bytes", swapTotalBytes);
        Check.notNegative("host.swap_used_bytes", swapUsedBytes);
    }
}
