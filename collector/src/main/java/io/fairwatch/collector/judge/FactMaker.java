package io.fairwatch.collector.judge;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.rules.GpuFacts;
import io.fairwatch.rules.JobAllocation;
import io.fairwatch.rules.JobFacts;
import io.fairwatch.rules.JobNode;
import io.fairwatch.rules.JobUse;
import io.fairwatch.rules.PendingFacts;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/** Says what is known of a run, or of a waiting job, in the words that rules know. Pure. */
final class FactMaker {
    /** Coverage of a run's past from which it can be said that something never happened in it. */
    private static final double SEEN_WELL = 0.9;

    /** What of that past may be missing in all: an agent that is started anew, the readings that are on their way. */
    private static final Duration MOST_UNSEEN = Duration.ofMinutes(5);

    /** The same of a long past, whichever is more. */
    private static final double MOST_UNSEEN_RATIO = 0.01;

    private FactMaker() {}

    /**
     * The facts of one run over one window.
     *
     * @param to end of the window
     * @param length of the window
     * @param window what the run did with each GPU in it
     * @param whole the same since the run began; empty where the past does not matter
     * @param job what the run did with CPU and memory in the window; absent: no node saw it
     * @param beside what is known beside that
     * @param cluster what Slurm says of the cluster as a whole
     */
    static JobFacts facts(
            Run run,
            Duration length,
            Instant to,
            List<GpuUse> window,
            List<GpuUse> whole,
            Optional<io.fairwatch.collector.store.JobUse> job,
            Beside beside,
            Cluster cluster) {
        Time time = new Time(length, to.minus(length), to);
        return facts(allocation(run, length, to, cluster), run, time, window, whole, job, beside, cluster);
    }

    /**
     * What a window is.
     *
     * @param length as a rule asks for it
     * @param begin where it begins: so long before its end, or earlier
     * @param to its end
     */
    record Time(Duration length, Instant begin, Instant to) {}

    /**
     * The same, where it is known already what Slurm says of the run.
     *
     * @param allocation as {@link #allocation} makes it
     */
    static JobFacts facts(
            JobAllocation allocation,
            Run run,
            Time time,
            List<GpuUse> window,
            List<GpuUse> whole,
            Optional<io.fairwatch.collector.store.JobUse> job,
            Beside beside,
            Cluster cluster) {
        List<GpuFacts> gpus = new ArrayList<>(window.size());
        Set<String> strange = strangeNodes(window);
        for (GpuUse use : window) {
            gpus.add(gpuFacts(
                    run,
                    use,
                    whole.isEmpty() ? Optional.empty() : sameGpu(use, whole),
                    use.allocated().isPresent() && (strange.contains(use.node()) || isContradicted(use)),
                    beside.powerLimit(use)));
        }
        Instant to = time.to();
        Instant from = time.begin().isAfter(run.key().start())
                ? time.begin()
                : run.key().start();
        Duration lived = Duration.between(from, to);
        List<JobNode> nodes = nodes(run, job, beside, lived);
        return new JobFacts(
                allocation,
                use(nodes, job, beside.together(), lived),
                to.minus(time.length()),
                to,
                gpus,
                nodes,
                cluster.queue(allocation.resources().gpuModel()));
    }

    /** What Slurm says of a run, as of an instant. */
    static JobAllocation allocation(Run run, Duration length, Instant to, Cluster cluster) {
        return new JobAllocation(
                run.key().jobId(),
                run.displayId(),
                submission(
                        run.owner(),
                        run.name(),
                        toldBySqueue(run, run.reservation()),
                        toldBySqueue(run, run.comment())),
                new JobAllocation.Resources(
                        run.allocation().nodes().size(),
                        cluster.gpusGiven(run),
                        run.allocation().cpus(),
                        run.allocation().memoryBytes(),
                        run.gpuModel(),
                        run.allocation().nodes(),
                        cluster.shapeOf(run)),
                run.heldWithin(run.key().start(), to).toSeconds(),
                run.timeLimit().map(limit -> OptionalLong.of(limit.toSeconds())).orElse(OptionalLong.empty()),
                run.interactive(),
                run.state().name(),
                run.ids().arrayJobId().isPresent(),
                // idleness while suspended is no fault, so the window may hold none of it
                run.suspended().isZero()
                        || run.end().isPresent()
                        || run.resumed()
                                .filter(at -> !at.isAfter(to.minus(length)))
                                .isPresent());
    }

    /** squeue tells of a job that lives whatever there is to tell; what accounting alone told of it may lack it. */
    private static Optional<String> toldBySqueue(Run run, Optional<String> said) {
        return said.isPresent() || run.end().isPresent() ? said : Optional.of("");
    }

    private static JobAllocation.Submission submission(
            Run.Owner owner, String name, Optional<String> reservation, Optional<String> comment) {
        return new JobAllocation.Submission(
                owner.user(),
                said(owner.account()),
                said(owner.partition()),
                said(owner.qos()),
                Optional.of(name),
                reservation,
                comment);
    }

    /**
     * What is known of a run beside its use.
     *
     * @param together most of its GPUs that were busy at one time; absent: not asked
     * @param powerLimits of GPUs, by UUID; empty if nobody asked
     * @param periods how often nodes report, by name
     * @param gpusSeen how many GPUs of a node were watched all through the window, by name; only of nodes whose GPUs Slurm
     *     does not manage
     */
    record Beside(
            OptionalInt together,
            Map<String, Double> powerLimits,
            Map<String, Duration> periods,
            Map<String, Integer> gpusSeen) {
        OptionalDouble powerLimit(GpuUse use) {
            Double limit =
                    use.device().map(device -> powerLimits.get(device.uuid())).orElse(null);
            return limit == null ? OptionalDouble.empty() : OptionalDouble.of(limit);
        }
    }

    /** CPU time and memory of a job are those of all its nodes, seen well, or not known: what is not told is not 0. */
    private static JobUse use(
            List<JobNode> nodes,
            Optional<io.fairwatch.collector.store.JobUse> job,
            OptionalInt together,
            Duration lived) {
        boolean whole = !nodes.isEmpty() && nodes.stream().allMatch(node -> node.coverage() >= SEEN_WELL);
        return new JobUse(
                job.map(io.fairwatch.collector.store.JobUse::processesMax).orElse(OptionalInt.empty()),
                whole && job.isPresent() ? job.get().cpuSeconds() : OptionalDouble.empty(),
                whole && job.isPresent() ? job.get().memoryUsedMaxBytes() : OptionalLong.empty(),
                together,
                OptionalLong.of(Math.max(0, lived.toSeconds())));
    }

    private static List<JobNode> nodes(
            Run run, Optional<io.fairwatch.collector.store.JobUse> job, Beside beside, Duration lived) {
        Map<String, io.fairwatch.collector.store.JobUse.OnNode> seen = new HashMap<>();
        job.ifPresent(use -> use.nodes().forEach(node -> seen.put(node.node(), node)));
        Map<String, Integer> given = new HashMap<>();
        run.gpus().forEach(gpu -> given.merge(gpu.node(), 1, Integer::sum));
        List<JobNode> nodes = new ArrayList<>();
        for (String name : run.allocation().nodes()) {
            int gpus = given.getOrDefault(name, 0);
            OptionalInt held = run.gpus().isEmpty() && run.allocation().gpus().orElse(0) > 0
                    ? OptionalInt.empty()
                    : OptionalInt.of(gpus);
            io.fairwatch.collector.store.JobUse.OnNode use = seen.get(name);
            Duration period = beside.periods().get(name);
            Integer watched = beside.gpusSeen().get(name);
            nodes.add(
                    use == null || period == null
                            ? JobNode.notSeen(name, held)
                            : new JobNode(
                                    name,
                                    held,
                                    watched == null ? OptionalInt.empty() : OptionalInt.of(watched),
                                    use.cpuSeconds(),
                                    use.memoryUsedMaxBytes(),
                                    use.processesMax(),
                                    lived.isZero()
                                            ? 0
                                            : Math.min(
                                                    1, (double) use.samples() * period.toMillis() / lived.toMillis())));
        }
        return nodes;
    }

    /** The facts of a waiting job. */
    static PendingFacts facts(PendingJob job, Duration window, Instant now, Cluster cluster) {
        Asked asked = Asked.parse(job.request());
        return new PendingFacts(
                new PendingFacts.Job(
                        job.jobId(),
                        job.displayId(),
                        submission(
                                job.owner(),
                                job.name(),
                                Optional.of(job.reservation().orElse("")),
                                Optional.of(job.comment().orElse(""))),
                        Math.max(0, Duration.between(job.submit(), now).toSeconds()),
                        job.reason(),
                        asked.nodes(),
                        asked.cpus(),
                        asked.memoryBytes(),
                        asked.gpus(),
                        asked.gpuModel(),
                        true),
                now.minus(window),
                now,
                asked.gpus().orElse(0) > 0 ? cluster.places(job.owner().partition(), asked.gpuModel()) : List.of(),
                cluster.queue(asked.gpuModel()));
    }

    private static Optional<GpuUse> sameGpu(GpuUse use, List<GpuUse> whole) {
        for (GpuUse other : whole) {
            if (other.node().equals(use.node())
                    && other.allocated()
                            .map(AllocatedGpu::gresIndex)
                            .equals(use.allocated().map(AllocatedGpu::gresIndex))
                    && other.device().map(GpuDevice::uuid).equals(use.device().map(GpuDevice::uuid))) {
                return Optional.of(other);
            }
        }
        return Optional.empty();
    }

    /**
     * Nodes where it is doubtful which GPUs Slurm means: the run has processes there on a card that it was not given. Then
     * the use of those that it was given may be somebody else's, and accuses nobody.
     */
    private static Set<String> strangeNodes(List<GpuUse> window) {
        Set<String> strange = Set.of();
        for (GpuUse use : window) {
            if (use.allocated().isEmpty() && use.processesMax().orElse(0) > 0) {
                strange = strange.isEmpty() ? new HashSet<>() : strange;
                strange.add(use.node());
            }
        }
        return strange;
    }

    /** Whether the numbers of the node, by which it was given, are contradicted, or mean no device. */
    private static boolean isContradicted(GpuUse use) {
        return switch (use.allocated().orElseThrow().confidence()) {
            case UNKNOWN, CONTRADICTED -> true;
            case ASSUMED, CERTAIN, CONFIRMED -> false;
        };
    }

    private static GpuFacts gpuFacts(
            Run run, GpuUse use, Optional<GpuUse> whole, boolean doubtful, OptionalDouble powerLimit) {
        Optional<Instant> lastBusy = use.lastBusyAt().or(() -> whole.flatMap(GpuUse::lastBusyAt));
        OptionalLong idleSeconds = OptionalLong.empty();
        if (use.utilizationMaxRatio().isPresent()) {
            Instant seenFrom =
                    lastBusy.orElse(neverBusy(whole).isPresent() ? run.key().start() : use.from());
            Instant idleFrom = run.resumed().filter(seenFrom::isBefore).orElse(seenFrom);
            idleSeconds = OptionalLong.of(
                    Math.max(0, Duration.between(idleFrom, use.to()).toSeconds()));
        }
        return new GpuFacts(
                use.node(),
                use.device().map(GpuDevice::uuid),
                use.allocated().isPresent()
                        ? OptionalInt.of(use.allocated().get().gresIndex())
                        : OptionalInt.empty(),
                use.device().map(GpuDevice::name),
                use.allocated().isPresent(),
                measured(use),
                doubtful
                        ? GpuFacts.Use.NOT_KNOWN
                        : use.share().isPresent()
                                ? ownUse(use, use.share().get(), idleSeconds)
                                : new GpuFacts.Use(
                                        use.utilizationMeanRatio(),
                                        use.utilizationMaxRatio(),
                                        use.memoryUsedMaxBytes(),
                                        use.device()
                                                .map(GpuDevice::memoryTotalBytes)
                                                .orElse(OptionalLong.empty()),
                                        use.processesMax(),
                                        idleSeconds,
                                        lastBusy.isPresent() ? Optional.of(true) : neverBusy(whole),
                                        load(use, powerLimit)));
    }

    /**
     * Of a GPU that several use only what is the run's for certain: what NVML told of its processes, and that nothing of it
     * ran where nothing ran at all. An estimate accuses nobody.
     */
    private static GpuFacts.Use ownUse(GpuUse use, GpuUse.Share share, OptionalLong idleSeconds) {
        boolean allIdle = use.busySeconds() == 0;
        return new GpuFacts.Use(
                share.utilizationEstimated() ? OptionalDouble.empty() : share.utilizationMeanRatio(),
                allIdle ? use.utilizationMaxRatio() : OptionalDouble.empty(),
                share.memoryEstimated() ? OptionalLong.empty() : share.memoryUsedMaxBytes(),
                use.device().map(GpuDevice::memoryTotalBytes).orElse(OptionalLong.empty()),
                use.processesMax(),
                allIdle ? idleSeconds : OptionalLong.empty(),
                Optional.empty(),
                GpuFacts.Load.NOT_KNOWN);
    }

    private static GpuFacts.Load load(GpuUse use, OptionalDouble powerLimitWatts) {
        double measured = use.busySeconds() + use.idleSeconds();
        GpuUse.Work work = use.work();
        return new GpuFacts.Load(
                measured > 0 ? OptionalDouble.of(Math.min(1, use.busySeconds() / measured)) : OptionalDouble.empty(),
                work.memoryUtilizationMeanRatio(),
                work.powerMeanWatts(),
                work.powerMaxWatts(),
                powerLimitWatts,
                use.energyJoules(),
                work.activity().smMeanRatio(),
                work.activity().tensorMeanRatio(),
                work.activity().dramMeanRatio());
    }

    /** Coverage by readings that tell how busy the GPU was; by all of them where the product never tells. */
    private static double measured(GpuUse use) {
        double length = Duration.between(use.from(), use.to()).toMillis() / 1000.0;
        return use.utilizationMaxRatio().isPresent() && length > 0
                ? Math.min(use.coverage(), (use.busySeconds() + use.idleSeconds()) / length)
                : use.coverage();
    }

    /**
     * That nothing ever ran can only be said of a past that was seen: in a hole a model may have been loaded and tried out,
     * and who is taken to hoard memory may lose the job.
     */
    private static Optional<Boolean> neverBusy(Optional<GpuUse> whole) {
        return whole.filter(FactMaker::isWhollySeen).map(use -> false);
    }

    private static boolean isWhollySeen(GpuUse use) {
        double length = Duration.between(use.from(), use.to()).toMillis() / 1000.0;
        return isWhollySeen(length * use.coverage(), length);
    }

    /** Whether so many seconds seen of a past are enough to say what never happened in it. */
    static boolean isWhollySeen(double seenSeconds, double seconds) {
        return seenSeconds >= SEEN_WELL * seconds
                && seconds - seenSeconds <= Math.max((double) MOST_UNSEEN.toSeconds(), MOST_UNSEEN_RATIO * seconds);
    }

    private static Optional<String> said(String text) {
        return text.isEmpty() ? Optional.empty() : Optional.of(text);
    }
}
