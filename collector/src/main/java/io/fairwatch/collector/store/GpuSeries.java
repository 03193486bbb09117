package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * What one GPU did, slot by slot. Immutable.
 *
 * @param node node
 * @param allocated the GPU as Slurm gave it; absent: the run's processes were seen on it, or nobody's run was asked for
 * @param device the GPU as the node knows it; absent while Slurm's number has no device
 * @param points slots with a reading, by time; a slot without one is left out
 */
public record GpuSeries(String node, Optional<AllocatedGpu> allocated, Optional<GpuDevice> device, List<Point> points) {
    public GpuSeries {
        points = List.copyOf(points);
    }

    /**
     * One slot. Immutable. Means are weighted by the time that each reading covers; absent: no reading of the slot tells
     * it.
     *
     * @param from begin of the slot
     * @param samples readings
     * @param coveredSeconds time that they cover
     * @param utilizationMeanRatio share of time in which a kernel ran
     * @param utilizationMaxRatio largest sample of it
     * @param memoryUsedMeanBytes device memory in use
     * @param memoryUsedMaxBytes most of it
     * @param powerMeanWatts draw
     * @param powerMaxWatts largest reading of it
     * @param activity what the multiprocessors did
     */
    public record Point(
            Instant from,
            int samples,
            double coveredSeconds,
            OptionalDouble utilizationMeanRatio,
            OptionalDouble utilizationMaxRatio,
            OptionalLong memoryUsedMeanBytes,
            OptionalLong memoryUsedMaxBytes,
            OptionalDouble powerMeanWatts,
            OptionalDouble powerMaxWatts,
            GpuUse.Activity activity) {}
}
