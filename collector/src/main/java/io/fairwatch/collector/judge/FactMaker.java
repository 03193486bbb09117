package io.fairwatch.collector.judge;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.rules.GpuFacts;
import io.fairwatch.rules.JobAllocation;
import io.fairwatch.rules.JobFacts;
import io.fairwatch.rules.JobUse;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** Says what is known of a run in the words that rules know. Pure. */
final class FactMaker {
    /** Coverage of a run's past from which it can be said that something never happened in it. */
    private static final double SEEN_WELL = 0.9;

    private FactMaker() {}

    /**
     * The facts of one run over one window.
     *
     * @param to end of the window
     * @param length of the window
     * @param window what the run did with each GPU in it
     * @param whole the same since the run began; empty where the past does not matter
     * @param job what the run did with CPU and memory in the window; absent: no node saw it
     */
    static JobFacts facts(
            Run run,
            Duration length,
            Instant to,
            List<GpuUse> window,
            List<GpuUse> whole,
            Optional<io.fairwatch.collector.store.JobUse> job) {
        JobAllocation allocation = new JobAllocation(
                run.key().jobId(),
                run.displayId(),
                new JobAllocation.Submission(
                        run.owner().user(),
                        said(run.owner().account()),
                        said(run.owner().partition()),
                        said(run.owner().qos()),
                        Optional.of(run.name())),
                new JobAllocation.Resources(
                        run.allocation().nodes().size(),
                        run.allocation().gpus(),
                        run.allocation().cpus(),
                        run.allocation().memoryBytes()),
                run.heldWithin(run.key().start(), to).toSeconds(),
                run.timeLimit().map(limit -> OptionalLong.of(limit.toSeconds())).orElse(OptionalLong.empty()),
                run.interactive(),
                // how long it has been running since it was resumed is not known, and idleness while suspended is no
                // fault
                run.suspended().isZero());
        List<GpuFacts> gpus = window.stream()
                .map(use -> gpuFacts(run, use, sameGpu(use, whole), isDoubtful(use, window)))
                .toList();
        return new JobFacts(
                allocation,
                job.map(use -> new JobUse(use.processesMax(), use.cpuSeconds())).orElse(JobUse.NOT_KNOWN),
                to.minus(length),
                to,
                gpus);
    }

    private static Optional<GpuUse> sameGpu(GpuUse use, List<GpuUse> whole) {
        return whole.stream()
                .filter(other -> other.node().equals(use.node())
                        && other.allocated()
                                .map(AllocatedGpu::gresIndex)
                                .equals(use.allocated().map(AllocatedGpu::gresIndex))
                        && other.device()
                                .map(GpuDevice::uuid)
                                .equals(use.device().map(GpuDevice::uuid)))
                .findFirst();
    }

    /**
     * Whether it is doubtful that this is the GPU that Slurm means: the numbers of the node are contradicted, or the run has
     * processes on a card there that it was not given. Then its use may be somebody else's, and accuses nobody.
     */
    private static boolean isDoubtful(GpuUse use, List<GpuUse> window) {
        boolean contradicted = use.allocated()
                .map(gpu -> switch (gpu.confidence()) {
                    case UNKNOWN, CONTRADICTED -> true;
                    case ASSUMED, CERTAIN, CONFIRMED -> false;
                })
                .orElse(false);
        return contradicted
                || window.stream()
                        .anyMatch(other -> other.allocated().isEmpty()
                                && other.node().equals(use.node())
                                && other.processesMax().orElse(0) > 0);
    }

    private static GpuFacts gpuFacts(Run run, GpuUse use, Optional<GpuUse> whole, boolean doubtful) {
        Optional<Instant> lastBusy = use.lastBusyAt().or(() -> whole.flatMap(GpuUse::lastBusyAt));
        OptionalLong idleSeconds = OptionalLong.empty();
        if (use.utilizationMaxRatio().isPresent()) {
            Instant idleFrom =
                    lastBusy.orElse(neverBusy(whole).isPresent() ? run.key().start() : use.from());
            idleSeconds = OptionalLong.of(
                    Math.max(0, Duration.between(idleFrom, use.to()).toSeconds()));
        }
        return new GpuFacts(
                use.node(),
                use.device().map(GpuDevice::uuid),
                use.allocated().stream().mapToInt(AllocatedGpu::gresIndex).findFirst(),
                use.device().map(GpuDevice::name),
                use.allocated().isPresent(),
                measured(use),
                doubtful
                        ? GpuFacts.Use.NOT_KNOWN
                        : new GpuFacts.Use(
                                use.utilizationMeanRatio(),
                                use.utilizationMaxRatio(),
                                use.memoryUsedMaxBytes(),
                                use.device().map(GpuDevice::memoryTotalBytes).orElse(OptionalLong.empty()),
                                use.processesMax(),
                                idleSeconds,
                                lastBusy.isPresent() ? Optional.of(true) : neverBusy(whole)));
    }

    /** Coverage by readings that tell how busy the GPU was; by all of them where the product never tells. */
    private static double measured(GpuUse use) {
        double length = Duration.between(use.from(), use.to()).toMillis() / 1000.0;
        return use.utilizationMaxRatio().isPresent() && length > 0
                ? Math.min(use.coverage(), (use.busySeconds() + use.idleSeconds()) / length)
                : use.coverage();
    }

    /** That nothing ever ran can only be said of a past that was seen. */
    private static Optional<Boolean> neverBusy(Optional<GpuUse> whole) {
        return whole.filter(use -> use.coverage() >= SEEN_WELL).map(use -> false);
    }

    private static Optional<String> said(String text) {
        return text.isEmpty() ? Optional.empty() : Optional.of(text);
    }
}
