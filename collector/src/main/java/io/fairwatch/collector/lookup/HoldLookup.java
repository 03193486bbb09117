package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.Horizon;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Who holds what on the whole cluster now, and what of it is idle. Thread-safe; blocks on the store. */
public final class HoldLookup {
    /** A GPU is idle when nothing ran on it for at least so long. */
    public static final Duration LATELY = Duration.ofMinutes(5);

    /** How far back it is looked for when a GPU was busy last. */
    public static final Duration FARTHEST = Duration.ofDays(1);

    private final Store store;
    private final InstantSource clock;
    private final JobLookup.Settings settings;

    public HoldLookup(Store store, InstantSource clock, JobLookup.Settings settings) {
        this.store = store;
        this.clock = clock;
        this.settings = settings;
    }

    /**
     * Which runs are asked for; what is absent is not asked for. Texts are compared as they are.
     *
     * @param user login name
     * @param account charging group
     * @param partition partition
     * @param node a node that it runs on
     */
    public record Filter(
            Optional<String> user, Optional<String> account, Optional<String> partition, Optional<String> node) {
        /** Everything. */
        public static final Filter ALL =
                new Filter(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());

        boolean takes(Run.Owner owner, List<String> nodes) {
            return is(user, owner.user())
                    && is(account, owner.account())
                    && is(partition, owner.partition())
                    && (node.isEmpty() || nodes.contains(node.get()));
        }

        private static boolean is(Optional<String> asked, String value) {
            return asked.isEmpty() || asked.get().equals(value);
        }
    }

    /**
     * A GPU that a run holds, or that its processes were seen on. Immutable.
     *
     * @param node node
     * @param allocated the GPU as Slurm gave it; absent: Slurm did not give it
     * @param device the GPU as the node knows it; absent while Slurm's number has no device
     * @param busyRatio mean utilisation over the last minutes, at most since the run's start; absent without a reading
     * @param coverage share of these minutes that readings cover
     * @param idleSince since when nothing ran on it; absent: something did lately, or nobody knows
     * @param idleLonger whether it may be idle for longer: nobody looked further back, or readings are missing
     */
    public record HeldGpu(
            String node,
            Optional<AllocatedGpu> allocated,
            Optional<GpuDevice> device,
            OptionalDouble busyRatio,
            double coverage,
            Optional<Instant> idleSince,
            boolean idleLonger) {}

    /**
     * A run and its GPUs. Immutable.
     *
     * @param run which run
     * @param gpus its GPUs by node and number
     */
    public record Held(Run run, List<HeldGpu> gpus) {
        public Held {
            gpus = List.copyOf(gpus);
        }

        /** How many of its GPUs are idle. */
        public int idleGpus() {
            return (int)
                    gpus.stream().filter(gpu -> gpu.idleSince().isPresent()).count();
        }
    }

    /**
     * What is held. Immutable.
     *
     * @param at when it was put together
     * @param slurmAsOf when Slurm answered last; absent before its first answer
     * @param running runs that hold an allocation, by number
     * @param pending jobs that wait
     * @param simulated the sentence that says so when GPUs are simulated
     */
    public record Holdings(
            Instant at,
            Optional<Instant> slurmAsOf,
            List<Held> running,
            List<PendingJob> pending,
            Optional<String> simulated) {
        public Holdings {
            running = List.copyOf(running);
            pending = List.copyOf(pending);
        }

        /** A part of a list that was made of this. */
        public <T> Listing<T> listing(Page.Part<T> part) {
            return Listing.of(at, slurmAsOf, simulated, part);
        }
    }

    /**
     * A GPU that is held and idle. Immutable.
     *
     * @param run who holds it
     * @param gpu which GPU
     * @param told when the owner's mail about it was delivered; absent: not told
     */
    public record IdleGpu(Run run, HeldGpu gpu, Optional<Instant> told) {
        /** Idle longest first. */
        public String key() {
            return String.format(
                    Locale.ROOT,
                    "%019d %s %09d %d",
                    gpu.idleSince().map(Instant::toEpochMilli).orElse(0L),
                    gpu.node(),
                    number(gpu),
                    run.key().jobId());
        }
    }

    /** What runs and waits now. */
    public Holdings held(Filter filter) throws StoreException {
        Instant now = clock.instant();
        Optional<SlurmView> slurm = store.view();
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        List<Run> runs = store.liveRuns().stream()
                .filter(run -> filter.takes(run.owner(), run.allocation().nodes()))
                .filter(run -> isInView(run, slurm))
                .sorted(Comparator.comparing((Run run) -> run.key().jobId()))
                .toList();
        Map<RunKey, List<HeldGpu>> gpus = gpus(runs, nodes, now);
        return new Holdings(
                now,
                slurm.map(SlurmView::at),
                runs.stream()
                        .map(run -> new Held(run, gpus.getOrDefault(run.key(), List.of())))
                        .toList(),
                pending(slurm, filter),
                simulated(nodes.values()));
    }

    /** What waits now, and nothing of what runs. */
    Holdings waiting(Filter filter) throws StoreException {
        Optional<SlurmView> slurm = store.view();
        return new Holdings(
                clock.instant(), slurm.map(SlurmView::at), List.of(), pending(slurm, filter), simulated(store.nodes()));
    }

    private static List<PendingJob> pending(Optional<SlurmView> slurm, Filter filter) {
        return slurm.map(SlurmView::pending).orElse(List.of()).stream()
                .filter(job -> filter.takes(job.owner(), List.of()))
                .filter(job -> filter.node().isEmpty())
                .toList();
    }

    private static Optional<String> simulated(Collection<NodeState> nodes) {
        return nodes.stream().flatMap(node -> node.simulated().stream()).findFirst();
    }

    /** A run that Slurm's last answer no longer names holds nothing, though accounting has not told its end yet. */
    static boolean isInView(Run run, Optional<SlurmView> slurm) {
        return slurm.map(view -> !run.asOf().isBefore(view.at())).orElse(true);
    }

    /** The idle GPUs of what runs now, those idle longest first. */
    public List<IdleGpu> idle(Holdings holdings) throws StoreException {
        Map<RunKey, Instant> told = new HashMap<>();
        for (FindingRow finding : store.openFindings()) {
            if (finding.subject() instanceof RunKey run) {
                finding.toldAt().ifPresent(at -> told.merge(run, at, (a, b) -> a.isAfter(b) ? a : b));
            }
        }
        List<IdleGpu> idle = new ArrayList<>();
        for (Held held : holdings.running()) {
            for (HeldGpu gpu : held.gpus()) {
                if (gpu.idleSince().isPresent()) {
                    idle.add(new IdleGpu(
                            held.run(),
                            gpu,
                            Optional.ofNullable(told.get(held.run().key()))));
                }
            }
        }
        idle.sort(Comparator.comparing(IdleGpu::key));
        return idle;
    }

    private Map<RunKey, List<HeldGpu>> gpus(List<Run> runs, Map<String, NodeState> nodes, Instant now)
            throws StoreException {
        List<RunSpan> asked = new ArrayList<>();
        Map<RunKey, RunSpan> lately = new LinkedHashMap<>();
        for (Run run : runs) {
            if (run.gpus().isEmpty() && run.allocation().gpus().orElse(1) == 0 && !mayUseUnknown(run, nodes)) {
                continue;
            }
            Instant to = Horizon.of(run, nodes, now);
            RunSpan few = span(run, to.minus(LATELY), to);
            lately.put(run.key(), few);
            asked.add(few);
            RunSpan day = span(run, to.minus(FARTHEST), to);
            if (!day.equals(few)) {
                asked.add(day);
            }
        }
        Map<RunKey, List<GpuUse>> uses =
                store.gpuUse(asked, settings.busyAboveRatio()).stream().collect(Collectors.groupingBy(GpuUse::run));
        Map<RunKey, List<HeldGpu>> held = new HashMap<>();
        lately.forEach((key, few) -> {
            List<GpuUse> of = uses.getOrDefault(key, List.of());
            held.put(
                    key,
                    of.stream()
                            .filter(use -> use.from().equals(few.from()))
                            .map(use -> gpu(use, longer(use, of)))
                            .sorted(Comparator.comparing(HeldGpu::node).thenComparing(HoldLookup::number))
                            .toList());
        });
        return held;
    }

    /** A cluster may have GPUs that Slurm does not know; any job on their nodes may use them. */
    private static boolean mayUseUnknown(Run run, Map<String, NodeState> nodes) {
        return run.allocation().nodes().stream()
                .map(nodes::get)
                .anyMatch(node -> node != null && node.driver().isPresent());
    }

    private static RunSpan span(Run run, Instant from, Instant to) {
        Instant start = run.key().start();
        return new RunSpan(run, from.isBefore(start) ? start : from, to.isBefore(start) ? start : to);
    }

    /** The same GPU over the longer span. */
    private static GpuUse longer(GpuUse few, List<GpuUse> uses) {
        Predicate<GpuUse> same = use -> use.node().equals(few.node())
                && use.device().map(GpuDevice::uuid).equals(few.device().map(GpuDevice::uuid))
                && use.allocated()
                        .map(AllocatedGpu::gresIndex)
                        .equals(few.allocated().map(AllocatedGpu::gresIndex));
        return uses.stream()
                .filter(same)
                .min(Comparator.comparing(GpuUse::from))
                .orElse(few);
    }

    private static HeldGpu gpu(GpuUse few, GpuUse day) {
        // idle needs readings that say so, and as many as there can be since a young run's start
        boolean idle = few.idleSeconds() > 0
                && few.busySeconds() == 0
                && few.coverage() >= 0.5
                && Duration.between(few.from(), few.to()).compareTo(LATELY) >= 0;
        // never seen busy: idle for as long as it was seen; before that nobody knows
        Instant seenIdleSince = day.to().minusMillis((long) (1000 * day.coveredSeconds()));
        boolean longer = idle
                && day.lastBusyAt().isEmpty()
                && (day.coverage() < 0.98
                        || Duration.between(day.from(), day.to()).compareTo(FARTHEST) >= 0);
        return new HeldGpu(
                few.node(),
                few.allocated(),
                few.device(),
                few.utilizationMeanRatio(),
                few.coverage(),
                idle ? Optional.of(day.lastBusyAt().orElse(seenIdleSince)) : Optional.empty(),
                longer);
    }

    private static int number(HeldGpu gpu) {
        return gpu.allocated()
                .map(AllocatedGpu::gresIndex)
                .orElse(gpu.device().map(GpuDevice::index).orElse(Integer.MAX_VALUE));
    }
}
