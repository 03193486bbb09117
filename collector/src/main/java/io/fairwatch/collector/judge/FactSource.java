package io.fairwatch.collector.judge;

import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.GpuOutside;
import io.fairwatch.collector.store.GpuReadingAt;
import io.fairwatch.collector.store.GpuSeen;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.RunSummary;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.Horizon;
import io.fairwatch.collector.usage.LiveRuns;
import io.fairwatch.rules.JobAllocation;
import io.fairwatch.rules.JobFacts;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** Asks the store for what rules need: a few questions for each length of window, whatever the number of rules and runs.
 * Thread-safe. */
final class FactSource {
    /** Share of a window in which a GPU must have been watched, so that it can be said what did not happen on it. */
    private static final double SEEN_WELL = 0.9;

    private static final Duration LATELY = Duration.ofHours(6);

    private final Store store;
    private final LiveRuns live;
    private final double busyAboveRatio;
    private final InstantSource clock;

    /** The store alone is asked. */
    FactSource(Store store, double busyAboveRatio) {
        this(store, new LiveRuns(busyAboveRatio), busyAboveRatio, () -> Instant.EPOCH);
    }

    /** @param live what it knows is not asked of the store */
    FactSource(Store store, LiveRuns live, double busyAboveRatio, InstantSource clock) {
        this.store = store;
        this.live = live;
        this.busyAboveRatio = busyAboveRatio;
        this.clock = clock;
    }

    /** Begins a round of judging by what the store knows. */
    Round round(List<Run> running, Map<String, NodeState> nodes, Cluster cluster, Instant now) {
        return new Round(running, nodes, cluster, now, false);
    }

    /**
     * The same by sums in memory, as far as there are any, for so many runs that the store would take long. A window begins
     * where these begin, up to half an hour earlier, and may hold what was read since it ended: good enough to see for whom
     * nothing is new.
     */
    Round largeRound(List<Run> running, Map<String, NodeState> nodes, Cluster cluster, Instant now) {
        return new Round(running, nodes, cluster, now, true);
    }

    /**
     * The facts of runs that are over, over all of their time; in a few questions for all of them, by their summaries, or by
     * readings where there is none yet.
     */
    Map<RunKey, Supplier<JobFacts>> ofFinished(List<Run> runs, Map<String, NodeState> nodes, Cluster cluster)
            throws StoreException {
        FactMaker.Beside beside = new FactMaker.Beside(OptionalInt.empty(), Map.of(), periods(nodes), Map.of());
        List<RunSpan> spans = runs.stream()
                .map(run -> new RunSpan(run, run.key().start(), run.end().orElse(run.asOf())))
                .filter(span -> span.from().isBefore(span.to()))
                .toList();
        Map<RunKey, List<GpuUse>> gpus = new HashMap<>();
        Map<RunKey, JobUse> jobs = new HashMap<>();
        Set<RunKey> summed = new HashSet<>();
        for (RunSummary summary :
                store.summaries(spans.stream().map(span -> span.run().key()).toList())) {
            if (summary.busyAboveRatio() == busyAboveRatio) {
                summed.add(summary.run());
                gpus.put(summary.run(), summary.gpus());
                summary.job().ifPresent(job -> jobs.put(summary.run(), job));
            }
        }
        List<RunSpan> others = spans.stream()
                .filter(span -> !summed.contains(span.run().key()))
                .toList();
        if (!others.isEmpty()) {
            gpus.putAll(store.gpuUse(others, busyAboveRatio).stream().collect(Collectors.groupingBy(GpuUse::run)));
            store.jobUse(others).forEach(job -> jobs.put(job.run(), job));
        }
        Map<RunKey, Supplier<JobFacts>> facts = new LinkedHashMap<>();
        for (RunSpan span : spans) {
            RunKey key = span.run().key();
            List<GpuUse> uses = gpus.getOrDefault(key, List.of());
            facts.put(
                    key,
                    () -> FactMaker.facts(
                            span.run(),
                            Duration.between(span.from(), span.to()),
                            span.to(),
                            uses,
                            uses,
                            Optional.ofNullable(jobs.get(key)),
                            beside,
                            cluster));
        }
        return facts;
    }

    /** How many GPUs agents saw on each node lately. */
    static Map<String, Integer> gpusOfNodes(List<GpuSeen> gpus, Instant now) {
        Map<String, Integer> seen = new HashMap<>();
        for (GpuSeen gpu : gpus) {
            if (gpu.lastAt().isAfter(now.minus(LATELY))) {
                seen.merge(gpu.node(), 1, Integer::sum);
            }
        }
        return seen;
    }

    private static Map<String, Duration> periods(Map<String, NodeState> nodes) {
        Map<String, Duration> periods = new HashMap<>();
        nodes.forEach((name, node) -> periods.put(name, node.period()));
        return periods;
    }

    /** Facts of one moment. Confined to one thread while it asks. */
    final class Round {
        private final List<RunFacts> running;
        private final Map<String, NodeState> nodes;
        private final Cluster cluster;
        private final Instant now;
        private final Map<Duration, Window> windows = new HashMap<>();
        private final Map<RunKey, List<GpuUse>> whole = new HashMap<>();
        private final Map<String, Duration> periods;
        private Map<String, Double> powerLimits = Map.of();

        /** Whether sums in memory may stand for what the store knows. */
        private final boolean fromMemory;

        private Round(
                List<Run> running, Map<String, NodeState> nodes, Cluster cluster, Instant now, boolean fromMemory) {
            this.fromMemory = fromMemory;
            this.running = running.stream()
                    .map(run -> new RunFacts(this, run, Horizon.of(run, nodes, now)))
                    .toList();
            this.nodes = nodes;
            this.cluster = cluster;
            this.now = now;
            this.periods = periods(nodes);
        }

        /** Gives the facts of each run, in their order, over windows that were asked for by {@link #over} before. */
        List<RunFacts> ofRuns() {
            return running;
        }

        /**
         * Asks for what is known of the last time of each run, as far as one of the rules wants to know; what was asked for
         * before is forgotten.
         */
        void over(Set<Duration> lengths, RuleSet rules) throws StoreException {
            windows.clear();
            for (Duration length : lengths) {
                over(length, rules);
            }
        }

        private void over(Duration length, RuleSet rules) throws StoreException {
            boolean energy = rules.names(Rule.Scope.RUNNING_JOB, length, "energy_joules");
            Map<RunKey, List<GpuUse>> gpus = new HashMap<>();
            Map<RunKey, JobUse> jobs = new HashMap<>();
            List<RunFacts> gpusAsked = running;
            List<RunFacts> jobsAsked = running;
            if (fromMemory && !energy) {
                gpusAsked = new ArrayList<>();
                jobsAsked = new ArrayList<>();
                remember(length, gpus, gpusAsked, jobs, jobsAsked);
            }
            gpus.putAll(gpuUse(gpusAsked, Optional.of(length), energy));
            store.jobUse(spans(jobsAsked, Optional.of(length))).forEach(job -> jobs.put(job.run(), job));
            // the past of a run matters only where something is idle now, and can be weeks long
            List<RunFacts> idle = running.parallelStream()
                    .filter(of -> gpus.getOrDefault(of.run.key(), List.of()).stream()
                            .anyMatch(use -> use.lastBusyAt().isEmpty()))
                    .filter(of -> !whole.containsKey(of.run.key()))
                    .toList();
            List<RunFacts> asked = new ArrayList<>();
            // a round can take as long as a period, so what nodes told since it began counts
            for (RunFacts of : idle) {
                live.whole(of.run, nodes, clock.instant())
                        .ifPresentOrElse(uses -> whole.put(of.run.key(), uses), () -> asked.add(of));
            }
            whole.putAll(gpuUse(asked, Optional.empty(), false));
            if (powerLimits.isEmpty() && rules.names(Rule.Scope.RUNNING_JOB, length, "power_limit_watts")) {
                powerLimits = powerLimits();
            }
            windows.put(
                    length,
                    new Window(
                            gpus,
                            jobs,
                            rules.names(Rule.Scope.RUNNING_JOB, length, "gpus_together_max")
                                    ? together(length, gpus)
                                    : Map.of(),
                            running.stream().anyMatch(of -> cluster.choosesGpus(of.run))
                                    ? gpusSeen(length)
                                    : Map.of()));
        }

        /** How many worked at one time; that matters only to who holds several. */
        private Map<RunKey, Integer> together(Duration length, Map<RunKey, List<GpuUse>> gpus) throws StoreException {
            Map<RunKey, Integer> together = new HashMap<>();
            List<RunFacts> asked = new ArrayList<>();
            Instant until = clock.instant();
            for (RunFacts of : running) {
                int count = of.run.gpus().size();
                double seconds = Duration.between(from(of, length), until).toMillis() / 1000.0;
                // GPUs that were busy for longer than all but one of them can be were busy at one time
                if (fromMemory
                        && count > 1
                        && busySeconds(gpus.getOrDefault(of.run.key(), List.of())) > (count - 1) * seconds) {
                    together.put(of.run.key(), count);
                } else if (count > 1) {
                    asked.add(of);
                }
            }
            together.putAll(store.gpusTogether(spans(asked, Optional.of(length)), busyAboveRatio));
            return together;
        }

        private static double busySeconds(List<GpuUse> gpus) {
            return gpus.stream()
                    .filter(use -> use.allocated().isPresent())
                    .mapToDouble(GpuUse::busySeconds)
                    .sum();
        }

        /** Takes what is in memory, and tells of which runs the store must be asked. */
        private void remember(
                Duration length,
                Map<RunKey, List<GpuUse>> gpus,
                List<RunFacts> gpusAsked,
                Map<RunKey, JobUse> jobs,
                List<RunFacts> jobsAsked) {
            for (RunFacts of : running) {
                Optional<LiveRuns.Lately> known = live.since(of.run, length, of.to, nodes, clock.instant());
                known.ifPresentOrElse(lately -> gpus.put(of.run.key(), lately.gpus()), () -> gpusAsked.add(of));
                if (known.isEmpty() || !known.get().tellsJob()) {
                    jobsAsked.add(of);
                } else {
                    known.get().job().ifPresent(job -> jobs.put(of.run.key(), job));
                }
            }
        }

        /** How many GPUs each node has that Slurm does not manage, where all were watched well and their processes told. */
        private Map<String, Integer> gpusSeen(Duration length) throws StoreException {
            Map<String, Integer> seen = new HashMap<>();
            Set<String> doubtful = new HashSet<>();
            for (GpuOutside gpu : store.gpusOutsideJobs(now.minus(length), now)) {
                if (!cluster.isUnmanaged(gpu.node())) {
                    continue;
                }
                seen.merge(gpu.node(), 1, Integer::sum);
                if (gpu.processesMax().isEmpty() || gpu.coveredMs() < SEEN_WELL * length.toMillis()) {
                    doubtful.add(gpu.node());
                }
            }
            seen.keySet().removeAll(doubtful);
            return seen;
        }

        /** What the newest readings say; limits change seldom. */
        private Map<String, Double> powerLimits() throws StoreException {
            Set<String> uuids = new HashSet<>();
            Map<String, Double> limits = new HashMap<>();
            for (RunFacts of : running) {
                for (AllocatedGpu gpu : of.run.gpus()) {
                    gpu.uuid().ifPresent(uuid -> live.powerLimitWatts(uuid)
                            .ifPresentOrElse(limit -> limits.put(uuid, limit), () -> uuids.add(uuid)));
                }
            }
            limits.values().removeIf(limit -> limit.isNaN());
            for (GpuReadingAt newest : store.newestReadings(uuids, now)) {
                newest.reading()
                        .powerLimitWatts()
                        .ifPresent(limit -> limits.put(newest.reading().device().uuid(), limit));
            }
            return limits;
        }

        private Map<RunKey, List<GpuUse>> gpuUse(List<RunFacts> runs, Optional<Duration> window, boolean energy)
                throws StoreException {
            Map<RunKey, List<GpuUse>> grouped = new HashMap<>();
            Optional<RunKey> last = Optional.empty();
            List<GpuUse> group = List.of();
            for (GpuUse use : store.gpuUse(spans(runs, window), busyAboveRatio, energy)) {
                if (last.isEmpty() || !use.run().equals(last.get())) { // they mostly come together
                    last = Optional.of(use.run());
                    group = grouped.computeIfAbsent(use.run(), none -> new ArrayList<>());
                }
                group.add(use);
            }
            return grouped;
        }

        /** Where a window begins. */
        private Instant begin(Duration length, Instant to) {
            return (fromMemory ? LiveRuns.begin(length, to) : Optional.<Instant>empty()).orElse(to.minus(length));
        }

        /** Where what is known of a run in a window begins. */
        private Instant from(RunFacts of, Duration length) {
            Instant begin = begin(length, of.to);
            Instant start = of.run.key().start();
            return begin.isAfter(start) ? begin : start;
        }

        /** The last {@code window} of each run, or all of it. */
        private List<RunSpan> spans(List<RunFacts> runs, Optional<Duration> window) {
            return runs.parallelStream()
                    .map(of -> new RunSpan(
                            of.run,
                            window.map(length -> from(of, length))
                                    .orElse(of.run.key().start()),
                            of.to))
                    .toList();
        }
    }

    /** What is known of all runs over one length of time. */
    private record Window(
            Map<RunKey, List<GpuUse>> gpus,
            Map<RunKey, JobUse> jobs,
            Map<RunKey, Integer> together,
            Map<String, Integer> gpusSeen) {}

    /** The facts of one run, over one window after the other. Confined to one thread; those of several runs can be asked
     * for at the same time. */
    static final class RunFacts implements RuleSet.Source {
        private final Round round;
        private final Run run;
        private final Instant to;
        private Optional<JobAllocation> always = Optional.empty();

        private RunFacts(Round round, Run run, Instant to) {
            this.round = round;
            this.run = run;
            this.to = to;
        }

        @Override
        public JobFacts over(Duration length) {
            Window window = Objects.requireNonNull(round.windows.get(length), "a window that was not asked for");
            RunKey key = run.key();
            Optional<Integer> together = Optional.ofNullable(window.together.get(key));
            return FactMaker.facts(
                    allocation(length),
                    run,
                    new FactMaker.Time(length, round.begin(length, to), to),
                    window.gpus.getOrDefault(key, List.of()),
                    round.whole.getOrDefault(key, List.of()),
                    Optional.ofNullable(window.jobs.get(key)),
                    new FactMaker.Beside(
                            together.isPresent() ? OptionalInt.of(together.get()) : OptionalInt.empty(),
                            round.powerLimits,
                            round.periods,
                            window.gpusSeen),
                    round.cluster);
        }

        /** What Slurm says does not depend on the window, unless the run was suspended. */
        private JobAllocation allocation(Duration length) {
            if (!run.suspended().isZero()) {
                return FactMaker.allocation(run, length, to, round.cluster);
            }
            if (always.isEmpty()) {
                always = Optional.of(FactMaker.allocation(run, length, to, round.cluster));
            }
            return always.get();
        }
    }
}
