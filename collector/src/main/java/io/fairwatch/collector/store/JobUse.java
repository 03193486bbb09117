package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import java.util.List;
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
 * @param nodes the same for each of these nodes, by name
 */
public record JobUse(
        RunKey run,
        int nodesSeen,
        OptionalDouble cpuSeconds,
        OptionalLong memoryUsedMaxBytes,
        OptionalInt processesMax,
        List<OnNode> nodes) {
    public JobUse {
        nodes = List.copyOf(nodes);
    }

    /**
     * A run on one of its nodes. Immutable.
     *
     * @param node node
     * @param samples snapshots of the interval that show the job
     * @param cpuSeconds CPU time that it took; absent without two readings
     * @param memoryUsedMaxBytes most anonymous and shared memory; absent if never read
     * @param memoryLimitBytes largest limit; absent: never read, or none
     * @param processesMax most processes; absent if never read
     * @param counters what its cgroup counts
     */
    public record OnNode(
            String node,
            int samples,
            OptionalDouble cpuSeconds,
            OptionalLong memoryUsedMaxBytes,
            OptionalLong memoryLimitBytes,
            OptionalInt processesMax,
            Counters counters) {}

    /**
     * What a cgroup counts from the beginning of the job on its node, as it stood at the end of the interval. Immutable.
     * Absent: the kernel does not tell.
     *
     * @param cpus logical CPUs that the job may use
     * @param cpuSystemSeconds CPU time in the kernel
     * @param swapUsedMaxBytes most swap of the interval
     * @param oomKills processes that the kernel killed for want of memory
     * @param memoryLimitHits how often the limit stopped an allocation
     * @param readBytes read from block devices
     * @param writtenBytes written to block devices
     * @param cpuStalledSeconds time in which some task waited for a CPU
     * @param memoryStalledSeconds time in which some task waited for memory
     * @param ioStalledSeconds time in which some task waited for a device
     */
    public record Counters(
            OptionalInt cpus,
            OptionalDouble cpuSystemSeconds,
            OptionalLong swapUsedMaxBytes,
            OptionalLong oomKills,
            OptionalLong memoryLimitHits,
            OptionalLong readBytes,
            OptionalLong writtenBytes,
            OptionalDouble cpuStalledSeconds,
            OptionalDouble memoryStalledSeconds,
            OptionalDouble ioStalledSeconds) {
        public static final Counters NOT_KNOWN = new Counters(
                OptionalInt.empty(),
                OptionalDouble.empty(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty());
    }

    /** Processes that the kernel killed for want of memory, on all nodes; absent where none tells. */
    public OptionalLong oomKills() {
        return nodes.stream().anyMatch(node -> node.counters().oomKills().isPresent())
                ? OptionalLong.of(nodes.stream()
                        .mapToLong(node -> node.counters().oomKills().orElse(0))
                        .sum())
                : OptionalLong.empty();
    }
}
