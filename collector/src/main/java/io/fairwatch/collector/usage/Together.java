package io.fairwatch.collector.usage;

import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.collector.store.JobUse;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * Most memory and processes of a run at one time, summed over its nodes, whose clocks and phases differ.
 * Confined to whoever holds the lock of {@link LiveRuns}.
 */
final class Together {
    private record Most(long memory, int processes) {}

    /** Parts of nodes' time that are compared until all nodes have told theirs. */
    private static final int TOGETHER = 4;

    private final TreeMap<Long, Map<String, Most>> times = new TreeMap<>();
    private long widthMs;
    /** Begin of the newest time that was counted and forgotten. */
    private long countedMs = Long.MIN_VALUE;

    private long memory = -1;
    private int processes = -1;

    void add(JobUse before) {
        memory = Math.max(memory, before.memoryUsedMaxBytes().orElse(-1));
        processes = Math.max(processes, before.processesMax().orElse(-1));
    }

    /** Whether the other nodes' figures of that time were still there to be added to. */
    boolean add(String node, long atMs, long periodMs, JobCgroup cgroup) {
        if (periodMs > widthMs) {
            while (!times.isEmpty()) {
                countOldest();
            }
            widthMs = periodMs;
        }
        long fromMs = atMs - atMs % widthMs;
        if (fromMs <= countedMs) {
            return false;
        }
        times.computeIfAbsent(fromMs, first -> new HashMap<>(2))
                .merge(
                        node,
                        new Most(
                                cgroup.memoryUsedBytes().orElse(-1),
                                cgroup.processes().orElse(-1)),
                        (one, other) -> new Most(
                                Math.max(one.memory(), other.memory()), Math.max(one.processes(), other.processes())));
        while (times.size() > TOGETHER) {
            countOldest();
        }
        return true;
    }

    private void countOldest() {
        Map.Entry<Long, Map<String, Most>> oldest = times.pollFirstEntry();
        countedMs = Math.max(countedMs, oldest.getKey());
        count(oldest.getValue());
    }

    private void count(Map<String, Most> nodes) {
        long bytes = -1;
        int count = -1;
        for (Most most : nodes.values()) {
            bytes = most.memory() < 0 ? bytes : Math.max(0, bytes) + most.memory();
            count = most.processes() < 0 ? count : Math.max(0, count) + most.processes();
        }
        memory = Math.max(memory, bytes);
        processes = Math.max(processes, count);
    }

    OptionalLong memory() {
        times.values().forEach(this::count);
        return memory < 0 ? OptionalLong.empty() : OptionalLong.of(memory);
    }

    OptionalInt processes() {
        times.values().forEach(this::count);
        return processes < 0 ? OptionalInt.empty() : OptionalInt.of(processes);
    }
}
