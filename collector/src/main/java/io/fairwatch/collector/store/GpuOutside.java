package io.fairwatch.collector.store;

import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * One GPU over a short time, and what ran on it and belongs to no job. Immutable.
 *
 * @param uuid which GPU
 * @param node where
 * @param coveredMs time that snapshots cover
 * @param processesMax most processes at one snapshot that belong to no job, those of displays left out; absent where the
 *     driver never told of processes
 * @param uids whose they are, where that is known
 * @param utilizationMaxRatio largest sample; absent without one
 */
public record GpuOutside(
        String uuid,
        String node,
        long coveredMs,
        OptionalInt processesMax,
        List<Integer> uids,
        OptionalDouble utilizationMaxRatio) {
    public GpuOutside {
        uids = List.copyOf(uids);
    }
}
