package io.fairwatch.collector.usage;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.GpuReadingAt;
import io.fairwatch.collector.store.GpuSeries;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.PastCgroup;
import io.fairwatch.collector.store.PastReading;
import io.fairwatch.collector.store.Slots;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What every running job did so far, in memory: the same sums that {@link Store#gpuUse} and {@link Store#jobUse} make of
 * readings, kept as these come, so that "what is my job doing?" needs no query. Told of each snapshot once it is committed
 * ({@link #take}) and of the jobs that run ({@link #follow}). Thread-safe.
 *
 * <p>The store stays the truth. A run is followed from what the store knows of it, and whenever something does not fit into
 * running sums, this does not answer, and the store is asked as before: a snapshot that comes after a newer one, GPUs that
 * Slurm names otherwise than before, processes on a GPU that Slurm did not give. Such a run is taken up anew later.
 */
public final class LiveRuns {
    private static final Duration HOUR = Duration.ofHours(1);
    /** What lies further back is summed up by the store; more than an hour, a part and the lag of a node that is not late. */
    private static final Duration READ_AGAIN = Duration.ofMinutes(80);
    /** Where counters went on from before that. */
    private static final Duration COUNTERS = Duration.ofMinutes(15);

    /** Runs that are summed up to nearly the same time are taken up together. */
    private static final long LONG_AGO_MS = Duration.ofHours(6).toMillis();

    private static final Duration AGAIN_AFTER = Duration.ofMinutes(5);
    /** GPUs and nodes of the runs that are taken up together: each has some 160 readings in memory meanwhile. */
    private static final int AT_ONCE = 2_000;
    /** Runs of which half hours are asked for in one question. */
    private static final int HOURS_AT_ONCE = 5_000;

    private static final Duration HOURS_EVERY = Duration.ofMinutes(2);

    private final double busyAboveRatio;

    private final Map<String, Gpu> gpus = new HashMap<>();
    private final Map<RunKey, Followed> followed = new HashMap<>();
    private final Map<Long, List<Followed>> byJob = new HashMap<>();
    private List<Run> last = List.of();
    /** Half hours before the cut are not known yet. Only of whoever follows. */
    private final Set<Followed> withoutHours = new LinkedHashSet<>();

    private Instant askedHoursAt = Instant.EPOCH;

    /** @param busyAboveRatio a reading counts as busy when its largest sample is above this */
    public LiveRuns(double busyAboveRatio) {
        this.busyAboveRatio = busyAboveRatio;
    }

    /**
     * What a run did. Immutable.
     *
     * @param whole each GPU that it was given, since its start
     * @param lastHour the same of the last hour, see {@link #hourBefore}, or of all of a shorter run
     * @param job CPU and memory; absent when no node reported it
     * @param newest the newest reading of each GPU that was read within the run, by device
     */
    public record RunUse(
            List<GpuUse> whole, List<GpuUse> lastHour, Optional<JobUse> job, Map<String, GpuReadingAt> newest) {
        public RunUse {
            whole = List.copyOf(whole);
            lastHour = List.copyOf(lastHour);
            newest = Map.copyOf(newest);
        }
    }

    /** Where the last hour before an instant begins: at full ten minutes, so that it is up to ten minutes longer. */
    public static Instant hourBefore(Instant to) {
        return Parts.MINUTES.begin(HOUR, to);
    }

    /**
     * Where the time of which {@link #since} tells begins, of a length that is asked for: with a part, so that it is up to
     * ten minutes longer, if it is more than an hour up to half an hour. Empty: of so short or so long a time it tells
     * nothing.
     */
    public static Optional<Instant> begin(Duration length, Instant to) {
        return grain(length).map(grain -> grain.begin(length, to));
    }

    private static Optional<Parts.Grain> grain(Duration length) {
        return Stream.of(Parts.MINUTES, Parts.HOURS)
                .filter(grain -> length.toMillis() >= grain.partMs() && length.compareTo(grain.longest()) <= 0)
                .findFirst();
    }

    /**
     * What a run did lately. Immutable.
     *
     * @param gpus each GPU that it was given; of more than the last hour energy, temperature and errors are absent
     * @param tellsJob whether it tells of CPU and memory; of a run on several nodes the store must be asked
     * @param job CPU and memory; absent also when no node reported it
     */
    public record Lately(List<GpuUse> gpus, boolean tellsJob, Optional<JobUse> job) {
        public Lately {
            gpus = List.copyOf(gpus);
        }
    }

    /** A GPU that is lost sends a last reading with nothing but its errors: they are counted, but nothing was seen. */
    static boolean isLost(GpuReading reading) {
        return reading.utilization().isEmpty()
                && reading.memoryUsedBytes().isEmpty()
                && reading.powerWatts().isEmpty()
                && reading.temperatureCelsius().isEmpty()
                && reading.processes().isEmpty()
                && reading.detail()
                        .flatMap(detail -> detail.health())
                        .flatMap(health -> health.xids())
                        .isPresent();
    }

    // ---- what comes in

    /** Takes what was just committed; the newest that comes again changes nothing, older ones send their runs to the store. */
    public synchronized void take(Collection<NodeSnapshot> snapshots) {
        for (NodeSnapshot snapshot : snapshots) {
            long atMs = snapshot.at().toEpochMilli();
            long periodMs = snapshot.period().toMillis();
            for (GpuReading reading : snapshot.gpus()) {
                Gpu gpu = gpus.computeIfAbsent(reading.device().uuid(), first -> new Gpu());
                gpu.take(snapshot.node(), snapshot.at(), reading);
                for (OnGpu on : gpu.held) {
                    on.run.offer(on, new GpuOfRun.Came(atMs, periodMs, reading));
                }
                if (reading.processes().isPresent()) {
                    noteOthers(gpu, atMs, reading.processes().get());
                }
            }
            for (JobCgroup cgroup : snapshot.jobs()) {
                for (Followed run : byJob.getOrDefault(cgroup.jobId(), List.of())) {
                    run.offer(snapshot.node(), atMs, periodMs, cgroup);
                }
            }
        }
    }

    /** Runs that use a GPU that is not theirs. */
    private void noteOthers(Gpu gpu, long atMs, List<GpuProcess> processes) {
        for (GpuProcess process : processes) {
            if (process.job().isEmpty()) {
                continue;
            }
            for (Followed run : byJob.getOrDefault(process.job().get().jobId(), List.of())) {
                if (atMs > run.startMs && !isHeldBy(gpu, run) && run.isOf(process)) {
                    run.usesOthers = true;
                }
            }
        }
    }

    private static boolean isHeldBy(Gpu gpu, Followed run) {
        for (OnGpu on : gpu.held) {
            if (on.run.equals(run)) {
                return true;
            }
        }
        return false;
    }

    /** One GPU, whoever has it. */
    private static final class Gpu {
        private List<OnGpu> held = List.of();
        private @Nullable NewestReading newest;

        /** Not by a clock ahead of ours, and the card did not move. */
        boolean isSeenAt(String node, Instant now) {
            return newest != null
                    && newest.atMs() <= now.toEpochMilli()
                    && newest.node().equals(node);
        }

        void take(String node, Instant at, GpuReading reading) {
            NewestReading before = newest;
            if (before == null) {
                newest = new NewestReading(GpuReadingAt.kept(node, at, reading, reading.device()));
            } else if (at.toEpochMilli() > before.atMs()) {
                GpuDevice known = before.device();
                before.set(GpuReadingAt.kept(
                        node, at, reading, known.equals(reading.device()) ? known : reading.device()));
            }
        }
    }

    private record OfNode(String node) {}

    /** A reading of a GPU of a run, by uuid, or of its cgroup on a node. */
    private record Moment(Object of, long atMs) {}

    /** What came while the store was asked, which may have known it. */
    private record Waiting(Moment moment, Runnable then) {}

    // ---- sums of one run

    private enum State {
        /** Nobody has asked the store yet, so it will know all that comes. */
        NEW,
        /** The store is being asked; what comes waits. */
        LOADING,
        /** All that came is in the sums. */
        WHOLE,
        /** Something did not fit. */
        BROKEN
    }

    /** A GPU that Slurm gave a run. */
    private static final class OnGpu extends GpuOfRun {
        private final Followed run;
        private final String uuid;

        OnGpu(Followed run, String uuid) {
            this.run = run;
            this.uuid = uuid;
        }
    }

    /** A run. */
    private final class Followed {
        /** As it was told last. */
        private Run run;

        private final long startMs;
        private final Map<String, OnGpu> its;
        /** By name; most runs are on one. */
        private Map<String, CgroupSums> nodes = Map.of();

        /** Absent for a run on one node, whose own sums say it: of those there are many. */
        private @Nullable Together together;

        private boolean several;
        private State state = State.NEW;
        private boolean usesOthers;
        private Instant loadedAt = Instant.MIN;
        private List<Waiting> waiting = List.of();
        private Set<Moment> read = Set.of();
        /** Until when the store summed up. */
        private long cutMs;
        /** From when on half hours are known; later than the start until the store has told of those before the cut. */
        private long hoursFromMs;

        Followed(Run run) {
            this.run = run;
            this.startMs = run.key().start().toEpochMilli();
            this.cutMs = startMs;
            this.hoursFromMs = startMs;
            this.several = run.allocation().nodes().size() > 1;
            Map<String, OnGpu> given = new HashMap<>();
            uuids(run).forEach(uuid -> given.put(uuid, new OnGpu(this, uuid)));
            this.its = Map.copyOf(given);
        }

        /** Whether a node reports it that Slurm did not name, so that its nodes must be added up after all. */
        private boolean isOnMore() {
            return together == null && nodes.size() > 1;
        }

        CgroupSums on(String node) {
            CgroupSums known = nodes.get(node);
            if (known != null) {
                return known;
            }
            CgroupSums first = new CgroupSums();
            if (nodes.isEmpty()) {
                nodes = Map.of(node, first);
            } else {
                nodes = nodes.size() == 1 ? new TreeMap<>(nodes) : nodes;
                nodes.put(node, first);
            }
            return first;
        }

        boolean isOf(GpuProcess process) {
            if (process.job().isEmpty()
                    || process.job().get().jobId() != run.key().jobId()) {
                return false;
            }
            OptionalInt owner = run.owner().uid();
            return process.job().get().evidence() != JobRef.Evidence.ENVIRON
                    || process.uid().isEmpty()
                    || owner.isEmpty()
                    || process.uid().getAsInt() == owner.getAsInt();
        }

        int processes(GpuReading reading) {
            List<GpuProcess> all = reading.processes().orElse(List.of());
            if (all.size() <= 1) { // nearly always, and a large cluster has thousands of readings a second
                return all.isEmpty() || !isOf(all.get(0)) ? 0 : 1;
            }
            return (int) all.stream()
                    .filter(this::isOf)
                    .map(GpuProcess::pid)
                    .distinct()
                    .count();
        }

        void offer(OnGpu on, GpuOfRun.Came came) {
            if (state == State.LOADING) {
                waiting.add(new Waiting(new Moment(on.uuid, came.atMs()), () -> offer(on, came)));
            } else if (state == State.WHOLE && came.atMs() > startMs && came.atMs() != on.lastMs()) {
                if (came.atMs() < on.lastMs() || came.atMs() <= cutMs) {
                    state = State.BROKEN;
                } else {
                    add(on, came);
                }
            }
        }

        void add(OnGpu on, GpuOfRun.Came came) {
            on.add(came, new GpuOfRun.Begin(startMs, cutMs), processes(came.reading()), busyAboveRatio);
        }

        void offer(String node, long atMs, long periodMs, JobCgroup cgroup) {
            if (state == State.LOADING) {
                waiting.add(new Waiting(new Moment(new OfNode(node), atMs), () -> offer(node, atMs, periodMs, cgroup)));
            }
            if (state != State.WHOLE || atMs <= startMs) {
                return;
            }
            CgroupSums sums = on(node);
            if (atMs != sums.atMs) {
                if (atMs < sums.atMs || atMs <= cutMs) {
                    state = State.BROKEN;
                } else {
                    sums.add(atMs, cgroup);
                    boolean added = together == null || together.add(node, atMs, periodMs, cgroup);
                    if (isOnMore() || !added) {
                        state = State.BROKEN; // what the other nodes had at that time is not kept
                    }
                }
            }
        }

        /** Begins anew; what comes from now on waits. */
        void begin(long untilMs) {
            state = State.LOADING;
            usesOthers = false;
            cutMs = untilMs;
            hoursFromMs = untilMs;
            waiting = new ArrayList<>();
            read = new HashSet<>();
            several |= nodes.size() > 1;
            nodes = Map.of();
            together = several ? new Together() : null;
            its.values().forEach(on -> on.clear(new GpuOfRun.Begin(startMs, cutMs), busyAboveRatio));
        }

        /** What the store knows did not come; it is asked again later. */
        void fail(Instant now) {
            loadedAt = now;
            state = State.BROKEN;
            waiting = List.of();
            read = Set.of();
        }

        /** All that the store knows is in; now what came meanwhile and it did not know. */
        void end(Instant now) {
            loadedAt = now;
            boolean lost = isOnMore()
                    || its.values().stream().anyMatch(GpuOfRun::hasLostCount)
                    || nodes.values().stream().anyMatch(CgroupSums::hasLostCount);
            state = lost ? State.BROKEN : State.WHOLE;
            List<Waiting> came = waiting;
            Set<Moment> known = read;
            waiting = List.of();
            read = Set.of();
            came.stream().filter(next -> !known.contains(next.moment())).forEach(next -> next.then()
                    .run());
        }
    }

    // ---- which runs there are

    /**
     * Takes up runs that are new, those of which something changed, and those that could not be summed up, and lets go of
     * those that run no longer. Blocks on the store; never called twice at a time.
     *
     * @param runs all that run
     * @return how many were taken up
     */
    public int follow(Store store, List<Run> runs, Instant now) throws StoreException {
        List<Followed> due = due(runs, now);
        int from = 0;
        while (from < due.size() && !Thread.currentThread().isInterrupted()) {
            int to = from;
            for (int weight = 0; to < due.size() && weight < AT_ONCE; to++) {
                weight += due.get(to).its.size()
                        + due.get(to).run.allocation().nodes().size();
            }
            load(store, due.subList(from, to), now);
            due.subList(from, to).stream()
                    .filter(run -> run.cutMs > run.startMs)
                    .forEach(withoutHours::add);
            from = to;
        }
        // all of them together, because it takes some questions, for however few
        if (Duration.between(askedHoursAt, now).abs().compareTo(HOURS_EVERY) >= 0) {
            askedHoursAt = now;
            while (!withoutHours.isEmpty() && !Thread.currentThread().isInterrupted()) {
                List<Followed> some = withoutHours.stream().limit(HOURS_AT_ONCE).toList();
                loadHours(store, some, now);
                some.forEach(withoutHours::remove); // not before: what failed is asked again
            }
        }
        return due.size();
    }

    /** What the store knows of a half hour. */
    private record HalfHour(long part, List<GpuUse> uses, List<JobUse> jobs) {}

    /** Of runs that began long before they were taken up: half hours before the cut. No more comes of these. */
    private void loadHours(Store store, List<Followed> some, Instant now) throws StoreException {
        List<Followed> runs;
        synchronized (this) {
            // others are taken up anew, or run no longer
            runs = some.stream()
                    .filter(run -> run.state == State.WHOLE && run.equals(followed.get(run.run.key())))
                    .toList();
        }
        long first = Parts.HOURS.from(now.minus(Parts.HOURS.longest()));
        List<HalfHour> known = new ArrayList<>();
        for (long part = first; Parts.HOURS.beginMs(part) < now.toEpochMilli(); part++) {
            List<RunSpan> spans = new ArrayList<>();
            List<RunSpan> onOneNode = new ArrayList<>();
            for (Followed run : runs) {
                long fromMs = Math.max(run.startMs, Parts.HOURS.beginMs(part));
                long toMs = Math.min(run.cutMs, Parts.HOURS.beginMs(part + 1));
                if (fromMs < toMs) {
                    RunSpan span = new RunSpan(run.run, Instant.ofEpochMilli(fromMs), Instant.ofEpochMilli(toMs));
                    spans.add(span);
                    if (!run.several) {
                        onOneNode.add(span);
                    }
                }
            }
            if (!spans.isEmpty()) {
                known.add(new HalfHour(part, store.gpuUse(spans, busyAboveRatio, false), store.jobUse(onOneNode)));
            }
        }
        synchronized (this) {
            known.forEach(this::take);
            runs.forEach(
                    run -> run.hoursFromMs = Math.max(run.startMs, Math.min(run.cutMs, Parts.HOURS.beginMs(first))));
        }
    }

    private void take(HalfHour known) {
        for (GpuUse use : known.uses()) {
            Followed run = followed.get(use.run());
            if (run != null && use.allocated().isPresent() && use.samples() > 0) {
                onGpu(run, use).ifPresent(on -> on.addHour(known.part(), use));
            }
        }
        for (JobUse use : known.jobs()) {
            Followed run = followed.get(use.run());
            Map<String, CgroupSums> nodes = run == null ? Map.of() : run.nodes;
            for (JobUse.OnNode on : use.nodes()) {
                CgroupSums sums = nodes.get(on.node());
                if (sums != null) {
                    sums.addHour(known.part(), on);
                }
            }
        }
    }

    @SuppressWarnings("ReferenceEquality") // the store gives the same list as long as nothing has changed
    private synchronized List<Followed> due(List<Run> runs, Instant now) {
        if (runs != last) {
            last = runs;
            Set<RunKey> keys = runs.stream().map(Run::key).collect(Collectors.toSet());
            followed.values().stream()
                    .filter(run -> !keys.contains(run.run.key()))
                    .toList()
                    .forEach(this::leave);
            for (Run run : runs) {
                Followed known = followed.get(run.key());
                if (known != null && !known.its.keySet().equals(uuids(run))) {
                    leave(known);
                    known = null;
                }
                if (known == null) {
                    join(new Followed(run));
                } else {
                    known.run = run;
                }
            }
        }
        Instant since = now.minus(AGAIN_AFTER);
        return followed.values().stream()
                .filter(run -> run.state == State.NEW || (run.state == State.BROKEN && !run.loadedAt.isAfter(since)))
                .toList();
    }

    private static Set<String> uuids(Run run) {
        return run.gpus().stream().flatMap(gpu -> gpu.uuid().stream()).collect(Collectors.toSet());
    }

    private void join(Followed run) {
        followed.put(run.run.key(), run);
        byJob.merge(run.run.key().jobId(), List.of(run), LiveRuns::plus);
        run.its.forEach((uuid, on) -> {
            Gpu gpu = gpus.computeIfAbsent(uuid, first -> new Gpu());
            gpu.held = plus(gpu.held, List.of(on));
        });
    }

    private void leave(Followed run) {
        followed.remove(run.run.key());
        byJob.computeIfPresent(run.run.key().jobId(), (job, all) -> without(all, run::equals));
        run.its.forEach((uuid, on) -> {
            Gpu gpu = gpus.get(uuid);
            if (gpu != null) {
                List<OnGpu> left = without(gpu.held, on::equals);
                gpu.held = left == null ? List.of() : left;
            }
        });
    }

    private static <T> List<T> plus(List<T> one, List<T> other) {
        List<T> all = new ArrayList<>(one);
        all.addAll(other);
        return List.copyOf(all);
    }

    private static <T> @Nullable List<T> without(List<T> all, java.util.function.Predicate<T> gone) {
        List<T> left = all.stream().filter(gone.negate()).toList();
        return left.isEmpty() ? null : left;
    }

    // ---- what the store knows of them

    private void load(Store store, List<Followed> runs, Instant now) throws StoreException {
        Map<String, NodeState> nodes = store
                .nodes(runs.stream()
                        .flatMap(run -> run.run.allocation().nodes().stream())
                        .collect(Collectors.toSet()))
                .stream()
                .collect(Collectors.toMap(NodeState::node, Function.identity()));
        synchronized (this) {
            runs.forEach(run -> run.begin(cut(run, nodes, now)));
        }
        boolean whole = false;
        try {
            // runs of a node that was silent for days are read from then on, and the others are not
            long usualMs = now.minus(READ_AGAIN).toEpochMilli() - Parts.MINUTES.partMs();
            Map<Long, List<Followed>> byCut = new TreeMap<>();
            for (Followed run : runs) {
                byCut.computeIfAbsent(
                                Math.floorDiv(Math.min(run.cutMs, usualMs), LONG_AGO_MS), first -> new ArrayList<>())
                        .add(run);
            }
            for (List<Followed> together : byCut.values()) {
                read(store, together, now);
            }
            whole = true;
        } finally {
            synchronized (this) {
                for (Followed run : runs) {
                    if (whole) {
                        run.end(now);
                    } else {
                        run.fail(now);
                    }
                }
            }
        }
    }

    /**
     * Until when the store sums up; readings after that are summed up here. A node that lies behind will send what is
     * missing, and that comes after what it sent.
     */
    private static long cut(Followed run, Map<String, NodeState> nodes, Instant now) {
        long cut = now.minus(READ_AGAIN).toEpochMilli();
        for (String name : run.run.allocation().nodes()) {
            NodeState node = nodes.get(name);
            cut = node == null ? cut : Math.min(cut, node.lastAt().toEpochMilli());
        }
        return Math.max(run.startMs, Parts.MINUTES.beginMs(Parts.MINUTES.from(Instant.ofEpochMilli(cut))));
    }

    private void read(Store store, List<Followed> runs, Instant now) throws StoreException {
        List<RunSpan> before = runs.stream()
                .filter(run -> run.cutMs > run.startMs)
                .map(run -> new RunSpan(run.run, run.run.key().start(), Instant.ofEpochMilli(run.cutMs)))
                .toList();
        // all of it too, for GPUs that they were not given
        Instant latest = now.plus(HOUR);
        List<RunSpan> spans = new ArrayList<>(before);
        runs.forEach(run -> spans.add(new RunSpan(run.run, run.run.key().start(), latest)));
        List<GpuUse> uses = store.gpuUse(spans, busyAboveRatio);
        List<JobUse> jobs = before.isEmpty() ? List.of() : store.jobUse(before);
        Set<String> uuids =
                runs.stream().flatMap(run -> run.its.keySet().stream()).collect(Collectors.toSet());
        List<GpuReadingAt> newest = store.newestReadings(uuids, latest);
        Map<String, List<Followed>> byGpu = new HashMap<>();
        Map<Long, List<Followed>> byId = new HashMap<>();
        synchronized (this) {
            for (Followed run : runs) {
                run.its.keySet().forEach(uuid -> byGpu.merge(uuid, List.of(run), LiveRuns::plus));
                byId.merge(run.run.key().jobId(), List.of(run), LiveRuns::plus);
            }
            for (GpuUse use : uses) {
                takeBefore(use, latest);
            }
            for (JobUse use : jobs) {
                Followed run = followed.get(use.run());
                if (run != null) {
                    if (run.together != null) {
                        run.together.add(use);
                    }
                    use.nodes().forEach(node -> run.on(node.node()).add(node));
                }
            }
            for (GpuReadingAt reading : newest) {
                gpus.computeIfAbsent(reading.reading().device().uuid(), first -> new Gpu())
                        .take(reading.node(), reading.at(), reading.reading());
            }
        }
        long from = runs.stream().mapToLong(run -> run.cutMs).min().orElse(0);
        Instant readFrom = Instant.ofEpochMilli(from).minus(before.isEmpty() ? Duration.ZERO : COUNTERS);
        store.readings(uuids, readFrom, latest, past -> take(byGpu, past));
        store.cgroups(byId.keySet(), readFrom, latest, past -> take(byId, past));
    }

    private void takeBefore(GpuUse use, Instant latest) {
        Followed run = followed.get(use.run());
        if (run == null) {
            return;
        }
        if (use.to().equals(latest)) {
            run.usesOthers |= use.allocated().isEmpty();
            onGpu(run, use).ifPresent(on -> on.know(use.device()));
        } else if (use.allocated().isPresent()) {
            onGpu(run, use).ifPresent(on -> on.addBefore(use));
        }
    }

    private static Optional<OnGpu> onGpu(Followed run, GpuUse use) {
        return use.allocated().flatMap(AllocatedGpu::uuid).flatMap(uuid -> Optional.ofNullable(run.its.get(uuid)));
    }

    private synchronized void take(Map<String, List<Followed>> byGpu, PastReading past) {
        String uuid = past.reading().device().uuid();
        long atMs = past.at().toEpochMilli();
        for (Followed run : byGpu.getOrDefault(uuid, List.of())) {
            OnGpu on = Objects.requireNonNull(run.its.get(uuid));
            if (atMs > run.cutMs && atMs > on.lastMs()) {
                run.add(on, new GpuOfRun.Came(atMs, past.period().toMillis(), past.reading()));
                run.read.add(new Moment(uuid, atMs));
            } else if (atMs > run.startMs && atMs <= run.cutMs) {
                on.goOnFrom(past.reading());
            }
        }
    }

    private synchronized void take(Map<Long, List<Followed>> byId, PastCgroup past) {
        long atMs = past.at().toEpochMilli();
        for (Followed run : byId.getOrDefault(past.cgroup().jobId(), List.of())) {
            if (atMs <= run.startMs) {
                continue; // of the run before, perhaps on another node
            }
            CgroupSums sums = run.on(past.node());
            if (atMs > run.cutMs && atMs > sums.atMs) {
                sums.add(atMs, past.cgroup());
                run.read.add(new Moment(new OfNode(past.node()), atMs));
                if (run.together != null) {
                    run.together.add(past.node(), atMs, past.period().toMillis(), past.cgroup());
                }
            } else if (atMs <= run.cutMs) {
                sums.goOnFrom(past.cgroup());
            }
        }
    }

    // ---- what is asked

    /**
     * What a run did; empty: the store must be asked.
     *
     * @param run as Slurm knows it now
     * @param nodes its nodes by name, as far as any reported
     */
    public synchronized Optional<RunUse> use(Run run, Map<String, NodeState> nodes, Instant now) {
        Followed known = followed(run, now);
        if (known == null) {
            return Optional.empty();
        }
        List<GpuUse> whole = new ArrayList<>();
        List<GpuUse> hour = new ArrayList<>();
        Map<String, GpuReadingAt> newest = new HashMap<>();
        Set<String> done = new HashSet<>();
        for (AllocatedGpu given : run.gpus()) {
            Instant to = Horizon.of(run, given.node(), nodes, now);
            OnGpu on = given.uuid().map(known.its::get).orElse(null);
            Gpu gpu = given.uuid().map(gpus::get).orElse(null);
            if (gpu != null && gpu.newest != null) {
                if (!gpu.isSeenAt(given.node(), now)) {
                    return Optional.empty();
                }
                if (gpu.newest.atMs() >= run.key().start().toEpochMilli() && done.add(on == null ? "" : on.uuid)) {
                    newest.put(gpu.newest.device().uuid(), gpu.newest.get());
                }
            }
            Optional<GpuDevice> device = device(gpu, on);
            GpuUse all = nothing(run, given, device, run.key().start(), to);
            whole.add(on == null ? all : on.whole(all));
            Instant from = hourBefore(to);
            if (from.isAfter(run.key().start())) {
                if (on != null && on.hasForgotten(Parts.MINUTES, from)) {
                    return Optional.empty(); // it came further since the nodes were looked at
                }
                GpuUse part = nothing(run, given, device, from, to);
                hour.add(on == null ? part : on.since(Parts.MINUTES, part));
            } else {
                hour.add(whole.get(whole.size() - 1));
            }
        }
        return Optional.of(new RunUse(whole, hour, job(known), newest));
    }

    /** The run, if all that it did until an instant is here. */
    @SuppressWarnings("ReferenceEquality") // mostly it is the same, and there are a hundred thousand
    private @Nullable Followed followed(Run run, Instant now) {
        Followed known = followed.get(run.key());
        return known == null
                        || run.end().isPresent()
                        || known.state != State.WHOLE
                        || known.usesOthers
                        || (known.run != run && !known.its.keySet().equals(uuids(run)))
                        || known.nodes.values().stream().anyMatch(sums -> sums.atMs > now.toEpochMilli())
                ? null
                : known;
    }

    /** What a run did with each GPU that it was given, since its start; empty: the store must be asked. As {@link #use}. */
    public synchronized Optional<List<GpuUse>> whole(Run run, Map<String, NodeState> nodes, Instant now) {
        Followed known = followed(run, now);
        if (known == null) {
            return Optional.empty();
        }
        List<GpuUse> whole = new ArrayList<>(run.gpus().size());
        for (AllocatedGpu given : run.gpus()) {
            OnGpu on = given.uuid().map(known.its::get).orElse(null);
            Gpu gpu = given.uuid().map(gpus::get).orElse(null);
            if (gpu != null && gpu.newest != null && !gpu.isSeenAt(given.node(), now)) {
                return Optional.empty();
            }
            Instant to = Horizon.of(run, given.node(), nodes, now);
            GpuUse all = nothing(run, given, device(gpu, on), run.key().start(), to);
            whole.add(on == null ? all : on.whole(all));
        }
        return Optional.of(whole);
    }

    /**
     * What a run did lately; empty: the store must be asked. As {@link #use}, but readings that came after the end of the
     * time may be in it.
     *
     * @param length as {@link #begin} was asked about it
     */
    public synchronized Optional<Lately> since(
            Run run, Duration length, Instant to, Map<String, NodeState> nodes, Instant now) {
        Followed known = followed(run, now);
        Optional<Parts.Grain> cut = grain(length);
        if (known == null || cut.isEmpty()) {
            return Optional.empty();
        }
        Parts.Grain grain = cut.get();
        Instant start = run.key().start();
        Instant begin = grain.begin(length, to);
        Instant from = begin.isAfter(start) ? begin : start;
        if ((grain.equals(Parts.MINUTES) ? known.cutMs : known.hoursFromMs) > from.toEpochMilli()) {
            return Optional.empty();
        }
        List<GpuUse> gpuUses = new ArrayList<>(run.gpus().size());
        for (AllocatedGpu given : run.gpus()) {
            OnGpu on = given.uuid().map(known.its::get).orElse(null);
            Gpu gpu = given.uuid().map(gpus::get).orElse(null);
            if ((gpu != null && gpu.newest != null && !gpu.isSeenAt(given.node(), now))
                    || (on != null && on.hasForgotten(grain, from))) {
                return Optional.empty();
            }
            GpuUse none = nothing(run, given, device(gpu, on), from, to);
            gpuUses.add(on == null ? none : on.since(grain, none));
        }
        if (known.nodes.size() > 1 || known.nodes.values().stream().anyMatch(sums -> sums.hasForgotten(grain, from))) {
            // what they took at one time is not kept part by part
            return Optional.of(new Lately(gpuUses, false, Optional.empty()));
        }
        Optional<JobUse> job = known.nodes.entrySet().stream()
                .flatMap(node -> node.getValue().since(node.getKey(), grain, from).stream())
                .findFirst()
                .map(on -> new JobUse(
                        run.key(), 1, on.cpuSeconds(), on.memoryUsedMaxBytes(), on.processesMax(), List.of(on)));
        return Optional.of(new Lately(gpuUses, true, job));
    }

    private static Optional<GpuDevice> device(@Nullable Gpu gpu, @Nullable OnGpu on) {
        return gpu != null && gpu.newest != null
                ? Optional.of(gpu.newest.device())
                : on == null ? Optional.empty() : on.device();
    }

    /** The limit of a GPU as it was told last; empty: the store must be asked. NaN: it is not told. */
    public synchronized OptionalDouble powerLimitWatts(String uuid) {
        Gpu gpu = gpus.get(uuid);
        return gpu == null || gpu.newest == null
                ? OptionalDouble.empty()
                : OptionalDouble.of(gpu.newest.powerLimitWatts());
    }

    /**
     * How busy a run's GPUs were over its life. Immutable.
     *
     * @param slots the slots
     * @param gpus each GPU that it was given; of its points only time and utilisation are told
     */
    public record RunCourse(Slots slots, List<GpuSeries> gpus) {
        public RunCourse {
            gpus = List.copyOf(gpus);
        }
    }

    /**
     * How busy a run's GPUs were, for a drawing; empty: the store must be asked, which knows of runs that began before this.
     *
     * @param use what {@link #use} said of the run
     * @param most most slots
     */
    public synchronized Optional<RunCourse> course(Run run, List<GpuUse> use, Instant to, int most) {
        Followed known = followed.get(run.key());
        long lengthMs = to.toEpochMilli() - run.key().start().toEpochMilli();
        if (known == null
                || known.state != State.WHOLE
                || known.usesOthers
                || lengthMs <= 0
                || !known.its.keySet().equals(uuids(run))
                || known.its.values().stream().anyMatch(on -> on.course() == null)) {
            return Optional.empty();
        }
        long stepMs = known.its.values().stream()
                .mapToLong(on -> Objects.requireNonNull(on.course()).stepMs())
                .max()
                .orElse(Parts.MINUTES.partMs());
        long slotMs = stepMs * ((lengthMs + stepMs * most - 1) / (stepMs * most));
        Slots slots = new Slots(run.key().start(), to, Duration.ofMillis(slotMs));
        int count = (int) ((lengthMs + slotMs - 1) / slotMs);
        List<GpuSeries> series = new ArrayList<>();
        for (GpuUse gpu : use) {
            OnGpu on = gpu.allocated()
                    .flatMap(AllocatedGpu::uuid)
                    .map(known.its::get)
                    .orElse(null);
            series.add(new GpuSeries(
                    gpu.node(),
                    gpu.allocated(),
                    gpu.device(),
                    on == null ? List.of() : points(Objects.requireNonNull(on.course()), slots, count)));
        }
        return Optional.of(new RunCourse(slots, series));
    }

    private static List<GpuSeries.Point> points(Course course, Slots slots, int count) {
        long slotMs = slots.length().toMillis();
        int many = (int) (slotMs / course.stepMs());
        List<GpuSeries.Point> points = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            Course.Slot slot = course.slot(i * many, many);
            if (slot.known()) {
                points.add(new GpuSeries.Point(
                        slots.from().plusMillis(i * slotMs),
                        0,
                        0,
                        OptionalDouble.of(slot.meanRatio()),
                        OptionalDouble.of(slot.maxRatio()),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        GpuUse.Activity.NOT_KNOWN));
            }
        }
        return points;
    }

    private static GpuUse nothing(Run run, AllocatedGpu given, Optional<GpuDevice> device, Instant from, Instant to) {
        return new GpuUse(
                run.key(),
                given.node(),
                Optional.of(given),
                device,
                from,
                to,
                0,
                0,
                0,
                0,
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                Optional.empty(),
                OptionalLong.empty(),
                OptionalInt.empty(),
                OptionalDouble.empty(),
                GpuUse.Work.NOT_KNOWN);
    }

    private static Optional<JobUse> job(Followed known) {
        List<JobUse.OnNode> on = new ArrayList<>();
        known.nodes.forEach((node, sums) -> sums.on(node).ifPresent(on::add));
        if (on.isEmpty()) {
            return Optional.empty();
        }
        Together together = known.together;
        boolean one = on.size() == 1;
        return Optional.of(new JobUse(
                known.run.key(),
                on.size(),
                on.stream().anyMatch(node -> node.cpuSeconds().isPresent())
                        ? OptionalDouble.of(on.stream()
                                .mapToDouble(node -> node.cpuSeconds().orElse(0))
                                .sum())
                        : OptionalDouble.empty(),
                one
                        ? on.get(0).memoryUsedMaxBytes()
                        : Objects.requireNonNull(together).memory(),
                one
                        ? on.get(0).processesMax()
                        : Objects.requireNonNull(together).processes(),
                on));
    }
}
