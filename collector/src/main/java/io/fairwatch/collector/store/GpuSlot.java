package io.fairwatch.collector.store;

import java.time.Instant;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Five minutes of one GPU that a run was given. Immutable.
 *
 * @param run place of the run among those asked for
 * @param uuid which GPU
 * @param at begin of the five minutes
 * @param coveredMs time that snapshots cover
 * @param measuredMs part of it for which utilisation is known
 * @param usedMs utilisation times time
 * @param busyMs measured time whose periods were busy
 * @param utilizationMaxRatio largest sample; absent without one
 * @param memoryUsedMaxBytes most memory in use; absent without a reading
 * @param powerMeanWatts mean draw; absent without a reading
 * @param processesMax most processes of anybody; absent where the driver never told
 * @param memoryUtilizationMeanRatio share of time in which device memory was read or written; absent: not told or not asked
 *     for, as what follows
 * @param smMeanRatio mean of multiprocessors at work
 * @param tensorMeanRatio mean of tensor cores at work
 * @param dramMeanRatio mean of the memory interface at work
 */
public record GpuSlot(
        int run,
        String uuid,
        Instant at,
        long coveredMs,
        long measuredMs,
        double usedMs,
        long busyMs,
        OptionalDouble utilizationMaxRatio,
        OptionalLong memoryUsedMaxBytes,
        OptionalDouble powerMeanWatts,
        OptionalInt processesMax,
        OptionalDouble memoryUtilizationMeanRatio,
        OptionalDouble smMeanRatio,
        OptionalDouble tensorMeanRatio,
        OptionalDouble dramMeanRatio) {

    /** How long a slot is. */
    public static final long LENGTH_MS = 300_000;
}
