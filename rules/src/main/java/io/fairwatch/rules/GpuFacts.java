package io.fairwatch.rules;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** One GPU (or MIG instance) of a job, over the window. In a rule every component is a fact of {@code gpu}, those of
 * {@code use} included: {@code gpu.utilization_max_ratio}. Immutable.
 *
 * @param node the node's name in Slurm
 * @param uuid NVML's UUID of the GPU or MIG instance. Absent: Slurm's number of it could not be translated
 * @param gresIndex Slurm's number of the GPU on its node, from 0. Absent: Slurm does not manage it. Source: scontrol
 *     IDX
 * @param model name of the product. Absent: NVML did not say. Source: nvmlDeviceGetName
 * @param allocated whether Slurm gave it to this run; if not, the run was merely seen on it
 * @param coverage samples received divided by samples expected, within the part of the window in which the run lived;
 *     ratio 0..1. Below a rule's minimum coverage everything in {@code use} counts as absent
 * @param use what was read from it in the window */
public record GpuFacts(
        String node,
        Optional<String> uuid,
        OptionalInt gresIndex,
        Optional<String> model,
        boolean allocated,
        double coverage,
        Use use) {

    /** Checks the ranges. */
    public GpuFacts {
        Objects.requireNonNull(node, "node");
        Objects.requireNonNull(uuid, "uuid");
        Objects.requireNonNull(gresIndex, "gresIndex");
        Objects.requireNonNull(model, "model");
        Objects.requireNonNull(use, "use");
        Facts.ratio("coverage", coverage);
    }

    /** Returns the same GPU with nothing known of its use. */
    GpuFacts withoutUse() {
        return new GpuFacts(node, uuid, gresIndex, model, allocated, coverage, Use.NOT_KNOWN);
    }

    /** What a GPU did in the window. Every reading may be absent: the driver cannot tell, or no sample came.
     *
     * @param utilizationMeanRatio mean over the samples of the share of time in which a kernel ran; says nothing of
     *     how full the GPU was; ratio 0..1. Absent also on most MIG instances. Source:
     *     nvmlDeviceGetUtilizationRates
     * @param utilizationMaxRatio the largest of these samples; ratio 0..1. Absent and source: as before
     * @param memoryUsedMaxBytes largest memory in use, of all processes and the driver; bytes. Source:
     *     nvmlDeviceGetMemoryInfo
     * @param memoryTotalBytes memory of the device; bytes. Source: nvmlDeviceGetMemoryInfo
     * @param processesMax largest number of processes of this run on this GPU at one sampling. Absent also when
     *     processes could not be told apart by job, which is not 0. Source: nvmlDeviceGetComputeRunningProcesses and
     *     the processes' cgroups
     * @param idleSeconds how long nothing has run on it within this run, up to the end of the window; seconds, may be
     *     longer than the window; 0 when it is busy. Source: the collector's store
     * @param busyBefore whether it was ever busy in this run. Absent: the run's past is not covered well enough to say
     *     no. Source: the collector's store
     * @param load how hard it worked, beyond whether anything ran */
    public record Use(
            OptionalDouble utilizationMeanRatio,
            OptionalDouble utilizationMaxRatio,
            OptionalLong memoryUsedMaxBytes,
            OptionalLong memoryTotalBytes,
            OptionalInt processesMax,
            OptionalLong idleSeconds,
            Optional<Boolean> busyBefore,
            Load load) {

        /** For a GPU of which no sample came. */
        public static final Use NOT_KNOWN = new Use(
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalInt.empty(),
                OptionalLong.empty(),
                Optional.empty(),
                Load.NOT_KNOWN);

        /** Checks the ranges. */
        public Use {
            utilizationMeanRatio.ifPresent(value -> Facts.ratio("utilizationMeanRatio", value));
            utilizationMaxRatio.ifPresent(value -> Facts.ratio("utilizationMaxRatio", value));
            memoryUsedMaxBytes.ifPresent(value -> Facts.notNegative("memoryUsedMaxBytes", value));
            memoryTotalBytes.ifPresent(value -> Facts.notNegative("memoryTotalBytes", value));
            processesMax.ifPresent(value -> Facts.notNegative("processesMax", value));
            idleSeconds.ifPresent(value -> Facts.notNegative("idleSeconds", value));
            Objects.requireNonNull(busyBefore, "busyBefore");
            Objects.requireNonNull(load, "load");
        }
    }

    /** How hard a GPU worked in the window. Every reading may be absent.
     *
     * @param busyRatio share of the measured time in whose samples anything ran; ratio 0..1. Absent: utilisation is not
     *     told
     * @param memoryTrafficMeanRatio mean share of time in which device memory was read or written; ratio 0..1. Source:
     *     nvmlDeviceGetUtilizationRates memory
     * @param powerMeanWatts mean draw; watts. Source: nvmlDeviceGetPowerUsage, or the energy counter
     * @param powerMaxWatts largest draw seen; watts
     * @param powerLimitWatts limit in force; watts. Source: nvmlDeviceGetEnforcedPowerLimit
     * @param energyJoules taken in the window; joules. Source: nvmlDeviceGetTotalEnergyConsumption
     * @param smMeanRatio share of multiprocessors with work; ratio 0..1. Absent: before Hopper. Source:
     *     nvmlGpmMetricsGet
     * @param tensorMeanRatio share of time in which tensor cores worked; as before
     * @param dramMeanRatio share of memory bandwidth used; as before */
    public record Load(
            OptionalDouble busyRatio,
            OptionalDouble memoryTrafficMeanRatio,
            OptionalDouble powerMeanWatts,
            OptionalDouble powerMaxWatts,
            OptionalDouble powerLimitWatts,
            OptionalDouble energyJoules,
            OptionalDouble smMeanRatio,
            OptionalDouble tensorMeanRatio,
            OptionalDouble dramMeanRatio) {
        /** Nothing is known. */
        public static final Load NOT_KNOWN = new Load(
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty());

        /** Checks the ranges. */
        public Load {
            busyRatio.ifPresent(value -> Facts.ratio("busyRatio", value));
            memoryTrafficMeanRatio.ifPresent(value -> Facts.ratio("memoryTrafficMeanRatio", value));
            powerMeanWatts.ifPresent(value -> Facts.notNegative("powerMeanWatts", value));
            powerMaxWatts.ifPresent(value -> Facts.notNegative("powerMaxWatts", value));
            powerLimitWatts.ifPresent(value -> Facts.notNegative("powerLimitWatts", value));
            energyJoules.ifPresent(value -> Facts.notNegative("energyJoules", value));
            smMeanRatio.ifPresent(value -> Facts.ratio("smMeanRatio", value));
            tensorMeanRatio.ifPresent(value -> Facts.ratio("tensorMeanRatio", value));
            dramMeanRatio.ifPresent(value -> Facts.ratio("dramMeanRatio", value));
        }
    }
}
