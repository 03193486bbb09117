package io.fairwatch.rules;

import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** All that is known of one user over a period. Immutable.
 *
 * @param user who; {@code user} in a rule
 * @param now what they hold and wait for now; in a rule these facts belong to {@code user} too
 * @param from start of the period, inclusive: {@code to} less the rule's window
 * @param to end of the period, exclusive: the moment of judging
 * @param jobs their runs that lived in the period; {@code jobs} in a rule
 * @param directories their directories on scratch mounts; {@code directories} in a rule */
public record UserFacts(User user, Now now, Instant from, Instant to, List<Job> jobs, List<DirectoryFacts> directories)
        implements SubjectFacts {
    /** Checks the window and copies the lists. */
    public UserFacts {
        Objects.requireNonNull(user, "user");
        Objects.requireNonNull(now, "now");
        Facts.window(from, to);
        jobs = List.copyOf(jobs);
        directories = List.copyOf(directories);
    }

    /** A user over a period. Sums are over the part of each run that lies in the period. In a rule every component is a
     * fact of {@code user}.
     *
     * @param name login name; may contain {@code @}
     * @param account the account under which most GPU time was held, else the only one. Absent: accounting is off
     * @param jobsRun runs that lived in the period
     * @param gpuSeconds GPUs held times seconds
     * @param gpuSecondsMeasured part of it for which utilisation is known
     * @param gpuSecondsIdle part of it in which the GPU did nothing
     * @param utilizationMeanRatio mean utilisation over what was measured; ratio 0..1. Absent: nothing was measured
     * @param gpuShareRatio their share of the GPU time of all users; ratio 0..1. Absent: nobody held any
     * @param gpuRank place among users by GPU time held, from 1. Absent: they held none
     * @param coverage measured part of {@code gpuSeconds}; 1 when they held none; ratio 0..1
     * @param accountGpuSeconds GPU time of the whole account. Absent: accounting is off
     * @param fresh whether Slurm answered lately enough */
    public record User(
            String name,
            Optional<String> account,
            int jobsRun,
            double gpuSeconds,
            double gpuSecondsMeasured,
            double gpuSecondsIdle,
            OptionalDouble utilizationMeanRatio,
            OptionalDouble gpuShareRatio,
            OptionalInt gpuRank,
            double coverage,
            OptionalDouble accountGpuSeconds,
            boolean fresh) {
        /** Checks the ranges. */
        public User {
            Objects.requireNonNull(name, "name");
            Objects.requireNonNull(account, "account");
            Facts.notNegative("jobsRun", jobsRun);
            Facts.notNegative("gpuSeconds", gpuSeconds);
            Facts.notNegative("gpuSecondsMeasured", gpuSecondsMeasured);
            Facts.notNegative("gpuSecondsIdle", gpuSecondsIdle);
            utilizationMeanRatio.ifPresent(value -> Facts.ratio("utilizationMeanRatio", value));
            gpuShareRatio.ifPresent(value -> Facts.ratio("gpuShareRatio", value));
            gpuRank.ifPresent(value -> Facts.notNegative("gpuRank", value));
            Facts.ratio("coverage", coverage);
            accountGpuSeconds.ifPresent(value -> Facts.notNegative("accountGpuSeconds", value));
        }
    }

    /** What a user holds at the end of the period. In a rule every component is a fact of {@code user}.
     *
     * @param jobsRunning running jobs
     * @param jobsPending waiting jobs
     * @param gpusHeld GPUs that they hold
     * @param accountJobsRunning running jobs of the whole account. Absent: accounting is off
     * @param accountGpusHeld GPUs that the whole account holds. Absent: accounting is off */
    public record Now(
            int jobsRunning,
            int jobsPending,
            int gpusHeld,
            OptionalInt accountJobsRunning,
            OptionalInt accountGpusHeld) {
        /** Holds nothing. */
        public static final Now NOTHING = new Now(0, 0, 0, OptionalInt.empty(), OptionalInt.empty());

        /** Checks the ranges. */
        public Now {
            Facts.notNegative("jobsRunning", jobsRunning);
            Facts.notNegative("jobsPending", jobsPending);
            Facts.notNegative("gpusHeld", gpusHeld);
            accountJobsRunning.ifPresent(value -> Facts.notNegative("accountJobsRunning", value));
            accountGpusHeld.ifPresent(value -> Facts.notNegative("accountGpusHeld", value));
        }
    }

    /** One run of a user. In a rule every component is a fact of {@code job}.
     *
     * @param jobId raw Slurm number
     * @param displayId as people write it
     * @param state Slurm's word, e.g. {@code COMPLETED}
     * @param partition where it ran. Absent: Slurm does not say
     * @param name job name. Absent: withheld
     * @param interactive not started by sbatch
     * @param array whether it is a task of an array
     * @param nodes number of nodes
     * @param cpus CPUs held. Absent: not told
     * @param gpus GPUs held; 0 when Slurm names none
     * @param memoryBytes memory held; bytes. Absent: not told
     * @param elapsedSeconds age, or length of a finished run; seconds
     * @param periodSeconds part of it in the period; seconds
     * @param timeLimitSeconds time limit; seconds. Absent: unlimited
     * @param cpuSeconds CPU time used in the period; seconds. Absent: no node told
     * @param memoryUsedMaxBytes most memory needed; bytes. Absent: no node told
     * @param gpuSecondsMeasured part of its GPU time in the period for which utilisation is known; seconds
     * @param gpuSecondsIdle part of it in which the GPU did nothing; seconds
     * @param gpusNeverUsed its GPUs that did nothing in the whole period. Absent: not measured well enough
     * @param utilizationMeanRatio mean utilisation of its GPUs. Absent: nothing was measured
     * @param gpuMemoryUsedMaxRatio most memory in use on any of its GPUs, as share of it. Absent: not measured
     * @param coverage measured part of its GPU time, of its CPU readings when it has no GPU; ratio 0..1 */
    public record Job(
            long jobId,
            String displayId,
            String state,
            Optional<String> partition,
            Optional<String> name,
            boolean interactive,
            boolean array,
            int nodes,
            OptionalInt cpus,
            int gpus,
            OptionalLong memoryBytes,
            long elapsedSeconds,
            long periodSeconds,
            OptionalLong timeLimitSeconds,
            OptionalDouble cpuSeconds,
            OptionalLong memoryUsedMaxBytes,
            double gpuSecondsMeasured,
            double gpuSecondsIdle,
            OptionalInt gpusNeverUsed,
            OptionalDouble utilizationMeanRatio,
            OptionalDouble gpuMemoryUsedMaxRatio,
            double coverage) {
        /** Checks the ranges. */
        public Job {
            Objects.requireNonNull(displayId, "displayId");
            Objects.requireNonNull(state, "state");
            Objects.requireNonNull(partition, "partition");
            Objects.requireNonNull(name, "name");
            Facts.notNegative("nodes", nodes);
            Facts.notNegative("gpus", gpus);
            cpus.ifPresent(value -> Facts.notNegative("cpus", value));
            memoryBytes.ifPresent(value -> Facts.notNegative("memoryBytes", value));
            Facts.notNegative("elapsedSeconds", elapsedSeconds);
            Facts.notNegative("periodSeconds", periodSeconds);
            timeLimitSeconds.ifPresent(value -> Facts.notNegative("timeLimitSeconds", value));
            cpuSeconds.ifPresent(value -> Facts.notNegative("cpuSeconds", value));
            memoryUsedMaxBytes.ifPresent(value -> Facts.notNegative("memoryUsedMaxBytes", value));
            Facts.notNegative("gpuSecondsMeasured", gpuSecondsMeasured);
            Facts.notNegative("gpuSecondsIdle", gpuSecondsIdle);
            gpusNeverUsed.ifPresent(value -> Facts.notNegative("gpusNeverUsed", value));
            utilizationMeanRatio.ifPresent(value -> Facts.ratio("utilizationMeanRatio", value));
            gpuMemoryUsedMaxRatio.ifPresent(value -> Facts.ratio("gpuMemoryUsedMaxRatio", value));
            Facts.ratio("coverage", coverage);
        }

        Job withoutUse() {
            return new Job(
                    jobId,
                    displayId,
                    state,
                    partition,
                    name,
                    interactive,
                    array,
                    nodes,
                    cpus,
                    gpus,
                    memoryBytes,
                    elapsedSeconds,
                    periodSeconds,
                    timeLimitSeconds,
                    OptionalDouble.empty(),
                    OptionalLong.empty(),
                    0,
                    0,
                    OptionalInt.empty(),
                    OptionalDouble.empty(),
                    OptionalDouble.empty(),
                    coverage);
        }
    }
}
