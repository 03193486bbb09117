package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.RunKey;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What one run did with one GPU over an interval: allocated by Slurm and used by the node's word, joined. Immutable.
 *
 * @param run which run
 * @param node node
 * @param allocated the GPU as Slurm gave it; absent: Slurm did not give it, the run's processes were seen on it
 * @param device the GPU as the node knows it; absent while Slurm's number has no device
 * @param from begin of the interval
 * @param to end of the interval
 * @param samples snapshots of the interval that hold a reading of this GPU
 * @param coveredSeconds time of the interval that these snapshots cover, at most its length
 * @param busySeconds covered time whose periods were busy
 * @param idleSeconds covered time whose periods were not; with {@code busySeconds} less than {@code coveredSeconds} where
 *     readings lack utilisation
 * @param utilizationMeanRatio mean over the covered time, weighted by period; absent without a reading
 * @param utilizationMaxRatio largest sample; absent without a reading
 * @param lastBusyAt end of the last period that was busy; absent: never busy in the interval, as far as was seen
 * @param memoryUsedMaxBytes most memory in use on the GPU; absent without a reading
 * @param processesMax most processes of this run's job seen on the GPU at one time; absent where the driver never told
 * @param energyJoules energy that the GPU took over the covered time, by its counter; absent without two readings of it
 * @param work what it did beyond being busy
 * @param share what of all this is the run's own; absent: nobody else was seen on the GPU while the run was, or Slurm gave it
 *     to the run alone
 */
public record GpuUse(
        RunKey run,
        String node,
        Optional<AllocatedGpu> allocated,
        Optional<GpuDevice> device,
        Instant from,
        Instant to,
        int samples,
        double coveredSeconds,
        double busySeconds,
        double idleSeconds,
        OptionalDouble utilizationMeanRatio,
        OptionalDouble utilizationMaxRatio,
        Optional<Instant> lastBusyAt,
        OptionalLong memoryUsedMaxBytes,
        OptionalInt processesMax,
        OptionalDouble energyJoules,
        Work work,
        Optional<Share> share) {

    /** A GPU that the run shares with nobody. */
    public GpuUse(
            RunKey run,
            String node,
            Optional<AllocatedGpu> allocated,
            Optional<GpuDevice> device,
            Instant from,
            Instant to,
            int samples,
            double coveredSeconds,
            double busySeconds,
            double idleSeconds,
            OptionalDouble utilizationMeanRatio,
            OptionalDouble utilizationMaxRatio,
            Optional<Instant> lastBusyAt,
            OptionalLong memoryUsedMaxBytes,
            OptionalInt processesMax,
            OptionalDouble energyJoules,
            Work work) {
        this(
                run,
                node,
                allocated,
                device,
                from,
                to,
                samples,
                coveredSeconds,
                busySeconds,
                idleSeconds,
                utilizationMeanRatio,
                utilizationMaxRatio,
                lastBusyAt,
                memoryUsedMaxBytes,
                processesMax,
                energyJoules,
                work,
                Optional.empty());
    }

    /**
     * What of a GPU is one run's, where processes of others were seen on it at the same time: of other jobs, or of none.
     * Immutable.
     *
     * <p>Time is a matter of agreement: at each instant every job that is on the GPU has an equal part of it, so that the
     * parts of all jobs are at most the time that there was. Use and memory are those of the run's own processes where NVML
     * tells them of each; where it does not, they are the GPU's divided by the jobs on it, and called estimated.
     *
     * @param sharedSeconds covered time in which others were there, too
     * @param gpuSeconds the run's part of the covered time
     * @param utilizationMeanRatio mean share of time in which kernels of the run ran; absent where neither its processes'
     *     nor the GPU's is known
     * @param utilizationEstimated whether some of that is estimated
     * @param memoryUsedMaxBytes most memory that its processes held; absent as before
     * @param memoryEstimated whether that may be estimated
     */
    public record Share(
            double sharedSeconds,
            double gpuSeconds,
            OptionalDouble utilizationMeanRatio,
            boolean utilizationEstimated,
            OptionalLong memoryUsedMaxBytes,
            boolean memoryEstimated) {}

    /**
     * What a GPU did beyond being busy. Immutable. Means are weighted by the time that each reading covers; absent: no
     * reading of the interval tells it.
     *
     * @param idleEnergyJoules the part of the energy that was taken in periods that were not busy; absent when of no such
     *     difference of the counter it is known whether the GPU was busy
     * @param powerMeanWatts mean draw
     * @param powerMaxWatts largest draw
     * @param memoryUtilizationMeanRatio share of time in which device memory was read or written
     * @param memoryUsedMeanBytes mean of memory in use
     * @param temperatureMaxCelsius highest temperature of the die
     * @param activity what the multiprocessors did; its parts are absent before Hopper
     * @param xids XIDs that the driver reported; absent where it never told about them
     */
    public record Work(
            OptionalDouble idleEnergyJoules,
            OptionalDouble powerMeanWatts,
            OptionalDouble powerMaxWatts,
            OptionalDouble memoryUtilizationMeanRatio,
            OptionalLong memoryUsedMeanBytes,
            OptionalDouble temperatureMaxCelsius,
            Activity activity,
            OptionalInt xids) {
        public static final Work NOT_KNOWN = new Work(
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalLong.empty(),
                OptionalDouble.empty(),
                Activity.NOT_KNOWN,
                OptionalInt.empty());
    }

    /**
     * Means of what the multiprocessors did, 0..1, each as {@link io.fairwatch.agent.wire.GpuDetail.Activity} explains it.
     * Immutable.
     */
    public record Activity(
            OptionalDouble graphicsMeanRatio,
            OptionalDouble smMeanRatio,
            OptionalDouble occupancyMeanRatio,
            OptionalDouble tensorMeanRatio,
            OptionalDouble dramMeanRatio) {
        public static final Activity NOT_KNOWN = new Activity(
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty());
    }

    /** The run's part of the covered time: all of it where it shared with nobody. */
    public double gpuSeconds() {
        return own().gpuSeconds();
    }

    /** What is the run's: all of it where it shared with nobody. */
    public Share own() {
        return share.orElseGet(
                () -> new Share(0, coveredSeconds, utilizationMeanRatio, false, memoryUsedMaxBytes, false));
    }

    /** Share of the interval that snapshots cover, 0..1; 0 for an empty interval. */
    public double coverage() {
        double length = (to.toEpochMilli() - from.toEpochMilli()) / 1000.0;
        return length <= 0 ? 0 : Math.min(1, coveredSeconds / length);
    }
}
