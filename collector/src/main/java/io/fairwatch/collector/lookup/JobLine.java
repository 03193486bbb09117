package io.fairwatch.collector.lookup;

import io.fairwatch.collector.lookup.HoldLookup.Held;
import io.fairwatch.collector.lookup.HoldLookup.HeldGpu;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.RunSummary;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * One line of a list of jobs: a run, or a job that waits. Immutable.
 *
 * @param job as people write it, e.g. {@code 83549_3}
 * @param jobId raw job id
 * @param cluster Slurm's {@code ClusterName}
 * @param state Slurm's word in lower case, e.g. {@code running}
 * @param user login name
 * @param account charging account
 * @param partition partition
 * @param qos quality of service; empty without one
 * @param name job name, as its owner wrote it
 * @param nodes its nodes; empty while it waits
 * @param submit when it was submitted
 * @param start when it started; absent while it waits
 * @param end when it ended; absent before
 * @param timeLimit its time limit; absent: unlimited or not told
 * @param cpus CPUs given; absent if not told
 * @param memoryBytes memory given; absent if not told
 * @param gpus GPUs given; absent if not told
 * @param gpusUsed GPUs that it was seen to use without Slurm having given them; absent for ended ones
 * @param gpusIdle how many of its GPUs are idle now; absent for others than running ones
 * @param busyRatio mean utilisation of its GPUs: over the last minutes while it runs, over its whole life once it has ended
 *     and the hours of its life are sealed; absent without a reading
 * @param busyEstimated whether one of these GPUs is shared, so that its use is divided by the jobs on it
 * @param reason why it waits; absent for others
 * @param request what it asks for; absent for others than waiting ones
 */
public record JobLine(
        String job,
        long jobId,
        String cluster,
        String state,
        String user,
        String account,
        String partition,
        String qos,
        String name,
        List<String> nodes,
        Instant submit,
        Optional<Instant> start,
        Optional<Instant> end,
        Optional<Duration> timeLimit,
        OptionalInt cpus,
        OptionalLong memoryBytes,
        OptionalInt gpus,
        OptionalInt gpusUsed,
        OptionalInt gpusIdle,
        OptionalDouble busyRatio,
        boolean busyEstimated,
        Optional<String> reason,
        Optional<String> request) {
    public JobLine {
        nodes = List.copyOf(nodes);
    }

    /** A run as Slurm tells it. */
    static JobLine of(Run run) {
        return of(run, OptionalInt.empty(), OptionalInt.empty(), OptionalDouble.empty(), false);
    }

    /** An ended run with what its GPUs did; absent: not summed up. */
    static JobLine of(Run run, Optional<RunSummary> summary) {
        double covered = 0;
        double used = 0;
        for (GpuUse gpu : summary.map(RunSummary::gpus).orElse(List.of())) {
            if (gpu.allocated().isPresent() && gpu.utilizationMeanRatio().isPresent()) {
                covered += gpu.coveredSeconds();
                used += gpu.coveredSeconds() * gpu.utilizationMeanRatio().getAsDouble();
            }
        }
        return of(
                run,
                OptionalInt.empty(),
                OptionalInt.empty(),
                covered > 0 ? OptionalDouble.of(used / covered) : OptionalDouble.empty(),
                false);
    }

    /** A running job with what its GPUs do now. */
    static JobLine of(Held held) {
        int used = (int)
                held.gpus().stream().filter(gpu -> gpu.allocated().isEmpty()).count();
        return of(
                held.run(),
                OptionalInt.of(used),
                OptionalInt.of(held.idleGpus()),
                held.gpus().stream()
                        .map(HeldGpu::busyRatio)
                        .filter(OptionalDouble::isPresent)
                        .mapToDouble(OptionalDouble::getAsDouble)
                        .average(),
                held.gpus().stream().anyMatch(HeldGpu::estimated));
    }

    private static JobLine of(Run run, OptionalInt used, OptionalInt idle, OptionalDouble busy, boolean estimated) {
        return new JobLine(
                run.displayId(),
                run.key().jobId(),
                run.key().cluster(),
                run.state().name().toLowerCase(Locale.ROOT),
                run.owner().user(),
                run.owner().account(),
                run.owner().partition(),
                run.owner().qos(),
                run.name(),
                run.allocation().nodes(),
                run.submit(),
                Optional.of(run.key().start()),
                run.end(),
                run.timeLimit(),
                run.allocation().cpus(),
                run.allocation().memoryBytes(),
                run.allocation().gpus(),
                used,
                idle,
                busy,
                estimated,
                Optional.empty(),
                Optional.empty());
    }

    /** A job that waits. */
    static JobLine of(PendingJob job) {
        return new JobLine(
                job.displayId(),
                job.jobId(),
                job.cluster(),
                "pending",
                job.owner().user(),
                job.owner().account(),
                job.owner().partition(),
                job.owner().qos(),
                job.name(),
                List.of(),
                job.submit(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                OptionalInt.empty(),
                OptionalLong.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalDouble.empty(),
                false,
                Optional.of(job.reason()),
                Optional.of(job.request()));
    }

    /** Newest first: by start, or by submission while it waits. */
    String key() {
        return Page.descending(start.orElse(submit).toEpochMilli()) + ' ' + Page.descending(jobId) + ' ' + cluster;
    }
}
