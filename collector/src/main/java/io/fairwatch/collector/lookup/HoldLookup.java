package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.Horizon;
import io.fairwatch.collector.usage.LiveUse;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Who holds what on the whole cluster now, and what of it is idle. Thread-safe; blocks on the store. */
public final class HoldLookup {
    /** A GPU is idle when nothing ran on it for at least so long. */
    public static final Duration LATELY = LiveUse.LATELY;

    /** The order of {@link IdleGpu#key}, without making that text for each comparison. */
    private static final Comparator<IdleGpu> LONGEST_FIRST = Comparator.comparing(
                    (IdleGpu idle) -> idle.gpu().idleSince().orElse(Instant.EPOCH))
            .thenComparing(idle -> idle.gpu().node())
            .thenComparing(idle -> number(idle.gpu()))
            .thenComparing(idle -> Long.toString(idle.run().key().jobId()));

    private static final Comparator<HeldGpu> BY_PLACE =
            Comparator.comparing(HeldGpu::node).thenComparing(HoldLookup::number);

    private final Store store;
    private final InstantSource clock;
    private final Live live;

    /** Tells what GPUs did lately. */
    @FunctionalInterface
    private interface Live {
        LiveUse use() throws StoreException;
    }

    /** @param live what GPUs did lately, kept up to date by somebody */
    public HoldLookup(Store store, InstantSource clock, LiveUse live) {
        this.store = store;
        this.clock = clock;
        this.live = () -> live;
    }

    /** Makes its own view of what GPUs did lately from the store, for each question anew. */
    public HoldLookup(Store store, InstantSource clock, JobLookup.Settings settings) {
        this.store = store;
        this.clock = clock;
        this.live = () -> {
            LiveUse use = new LiveUse(settings.busyAboveRatio());
            use.rebuild(store, clock.instant());
            return use;
        };
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
     * @param estimated whether other jobs were on it, too, so that {@code busyRatio} is the GPU's divided by the jobs
     * @param coverage share of these minutes that readings cover
     * @param idleSince since when nothing ran on it; absent: something did lately, or nobody knows
     * @param idleLonger whether it may be idle for longer: nobody looked further back, or readings are missing
     */
    public record HeldGpu(
            String node,
            Optional<AllocatedGpu> allocated,
            Optional<GpuDevice> device,
            OptionalDouble busyRatio,
            boolean estimated,
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
                .sorted(Comparator.comparingLong(run -> run.key().jobId()))
                .toList();
        LiveUse use = live.use();
        Map<Long, List<String>> used = use.usedLately();
        // on all cores: with tens of thousands of runs it is memory that is waited for
        List<Held> held = runs.parallelStream()
                .map(run -> new Held(run, gpus(run, use, used, nodes, now)))
                .toList();
        return new Holdings(now, slurm.map(SlurmView::at), held, pending(slurm, filter), simulated(nodes.values()));
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

    /** Who may charge what; empty where there is no accounting. */
    public Optional<AccountTree> accounts() throws StoreException {
        return store.accounts();
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
        boolean anybodyTold = !told.isEmpty();
        for (Held held : holdings.running()) {
            for (HeldGpu gpu : held.gpus()) {
                if (gpu.idleSince().isPresent()) {
                    idle.add(new IdleGpu(
                            held.run(),
                            gpu,
                            anybodyTold
                                    ? Optional.ofNullable(told.get(held.run().key()))
                                    : Optional.empty()));
                }
            }
        }
        idle.sort(LONGEST_FIRST);
        return idle;
    }

    private static List<HeldGpu> gpus(
            Run run, LiveUse use, Map<Long, List<String>> used, Map<String, NodeState> nodes, Instant now) {
        if (run.gpus().isEmpty() && run.allocation().gpus().orElse(1) == 0 && !mayUseUnknown(run, nodes)) {
            return List.of();
        }
        Instant to = Horizon.of(run, nodes, now);
        List<HeldGpu> gpus = new ArrayList<>(run.gpus().size());
        for (AllocatedGpu gpu : run.gpus()) {
            gpus.add(gpu.uuid()
                    .flatMap(uuid -> use.given(uuid, run, to))
                    .map(lately -> gpu(gpu.node(), Optional.of(gpu), lately))
                    .orElseGet(() -> unseen(gpu)));
        }
        for (String uuid : used.getOrDefault(run.key().jobId(), List.of())) {
            if (run.gpus().stream().noneMatch(gpu -> gpu.uuid().equals(Optional.of(uuid)))) {
                use.taken(uuid, run, to).ifPresent(lately -> gpus.add(gpu(lately.node(), Optional.empty(), lately)));
            }
        }
        gpus.sort(BY_PLACE);
        return gpus;
    }

    /** A cluster may have GPUs that Slurm does not know; any job on their nodes may use them. */
    private static boolean mayUseUnknown(Run run, Map<String, NodeState> nodes) {
        return run.allocation().nodes().stream()
                .map(nodes::get)
                .anyMatch(node -> node != null && node.driver().isPresent());
    }

    private static HeldGpu gpu(String node, Optional<AllocatedGpu> allocated, LiveUse.Lately lately) {
        return new HeldGpu(
                node,
                allocated,
                Optional.of(lately.device()),
                lately.busyRatio(),
                lately.estimated(),
                lately.coverage(),
                lately.idleSince(),
                lately.idleLonger());
    }

    private static HeldGpu unseen(AllocatedGpu gpu) {
        return new HeldGpu(
                gpu.node(),
                Optional.of(gpu),
                Optional.empty(),
                OptionalDouble.empty(),
                false,
                0,
                Optional.empty(),
                false);
    }

    private static int number(HeldGpu gpu) {
        return gpu.allocated()
                .map(AllocatedGpu::gresIndex)
                .orElse(gpu.device().map(GpuDevice::index).orElse(Integer.MAX_VALUE));
    }
}
