package io.fairwatch.collector.judge;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.GpuReadingAt;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.Horizon;
import io.fairwatch.rules.JobFacts;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** Asks the store for what rules need: a few questions for each length of window, whatever the number of rules and runs.
 * Thread-safe. */
final class FactSource {
    private final Store store;
    private final double busyAboveRatio;

    FactSource(Store store, double busyAboveRatio) {
        this.store = store;
        this.busyAboveRatio = busyAboveRatio;
    }

    /** Begins a round of judging. */
    Round round(List<Run> running, Map<String, NodeState> nodes, Cluster cluster, Instant now) {
        return new Round(running, nodes, cluster, now);
    }

    /** The facts of runs that are over, over all of their time; by what they did, in a few questions for all of them. */
    Map<RunKey, Supplier<JobFacts>> ofFinished(List<Run> runs, Map<String, NodeState> nodes, Cluster cluster)
            throws StoreException {
        FactMaker.Beside beside = new FactMaker.Beside(OptionalInt.empty(), Map.of(), periods(nodes));
        List<RunSpan> spans = runs.stream()
                .map(run -> new RunSpan(run, run.key().start(), run.end().orElse(run.asOf())))
                .filter(span -> span.from().isBefore(span.to()))
                .toList();
        Map<RunKey, List<GpuUse>> gpus =
                store.gpuUse(spans, busyAboveRatio).stream().collect(Collectors.groupingBy(GpuUse::run));
        Map<RunKey, JobUse> jobs =
                store.jobUse(spans).stream().collect(Collectors.toMap(JobUse::run, Function.identity()));
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

    private static Map<String, Duration> periods(Map<String, NodeState> nodes) {
        Map<String, Duration> periods = new HashMap<>();
        nodes.forEach((name, node) -> periods.put(name, node.period()));
        return periods;
    }

    /** Facts of one moment. Confined to one thread; asks when it must. */
    final class Round {
        private final List<Run> running;
        private final Map<String, NodeState> nodes;
        private final Cluster cluster;
        private final Instant now;
        private final Map<Duration, Window> windows = new HashMap<>();
        private final Map<RunKey, List<GpuUse>> whole = new HashMap<>();
        private final Map<String, Duration> periods;
        private Map<String, Double> powerLimits = Map.of();

        private Round(List<Run> running, Map<String, NodeState> nodes, Cluster cluster, Instant now) {
            this.running = running;
            this.nodes = nodes;
            this.cluster = cluster;
            this.now = now;
            this.periods = periods(nodes);
        }

        /** What is known of the last {@code length} of each run. */
        Window over(Duration length) throws StoreException {
            Window known = windows.get(length);
            if (known != null) {
                return known;
            }
            Map<RunKey, List<GpuUse>> gpus = gpuUse(running, Optional.of(length));
            Map<RunKey, JobUse> jobs = store.jobUse(spans(running, Optional.of(length))).stream()
                    .collect(Collectors.toMap(JobUse::run, Function.identity()));
            // the past of a run matters only where something is idle now, and can be weeks long
            List<Run> idle = running.stream()
                    .filter(run -> !whole.containsKey(run.key()))
                    .filter(run -> gpus.getOrDefault(run.key(), List.of()).stream()
                            .anyMatch(use -> use.lastBusyAt().isEmpty()))
                    .toList();
            whole.putAll(gpuUse(idle, Optional.empty()));
            boolean isLong = length.compareTo(Duration.ofHours(1)) > 0;
            if (isLong && powerLimits.isEmpty()) {
                powerLimits = powerLimits(running);
            }
            // how many worked at one time matters only to who holds several, and is not asked for short windows
            List<Run> several = isLong
                    ? running.stream().filter(run -> run.gpus().size() > 1).toList()
                    : List.of();
            Window window = new Window(
                    this, length, gpus, jobs, store.gpusTogether(spans(several, Optional.of(length)), busyAboveRatio));
            windows.put(length, window);
            return window;
        }

        /** What the newest readings say; limits change seldom. */
        private Map<String, Double> powerLimits(List<Run> runs) throws StoreException {
            Set<String> uuids = new HashSet<>();
            runs.forEach(run -> run.gpus().forEach(gpu -> gpu.uuid().ifPresent(uuids::add)));
            Map<String, Double> limits = new HashMap<>();
            for (GpuReadingAt newest : store.newestReadings(uuids, now)) {
                newest.reading()
                        .powerLimitWatts()
                        .ifPresent(limit -> limits.put(newest.reading().device().uuid(), limit));
            }
            return limits;
        }

        private Map<RunKey, List<GpuUse>> gpuUse(List<Run> runs, Optional<Duration> window) throws StoreException {
            return store.gpuUse(spans(runs, window), busyAboveRatio).stream()
                    .collect(Collectors.groupingBy(GpuUse::run));
        }

        /** The last {@code window} of each run, or all of it. */
        private List<RunSpan> spans(List<Run> runs, Optional<Duration> window) {
            return runs.stream()
                    .map(run -> {
                        Instant to = Horizon.of(run, nodes, now);
                        Instant from = window.map(to::minus)
                                .filter(first -> first.isAfter(run.key().start()))
                                .orElse(run.key().start());
                        return new RunSpan(run, from, to);
                    })
                    .toList();
        }
    }

    /** Facts over one length of time. Confined to the thread of its round. */
    static final class Window {
        private final Round round;
        private final Duration length;
        private final Map<RunKey, List<GpuUse>> gpus;
        private final Map<RunKey, JobUse> jobs;
        private final Map<RunKey, Integer> together;

        private Window(
                Round round,
                Duration length,
                Map<RunKey, List<GpuUse>> gpus,
                Map<RunKey, JobUse> jobs,
                Map<RunKey, Integer> together) {
            this.round = round;
            this.length = length;
            this.gpus = gpus;
            this.jobs = jobs;
            this.together = together;
        }

        /** The facts of one run.
         *
         * @throws IllegalArgumentException if they make no sense */
        JobFacts of(Run run) {
            return FactMaker.facts(
                    run,
                    length,
                    Horizon.of(run, round.nodes, round.now),
                    gpus.getOrDefault(run.key(), List.of()),
                    round.whole.getOrDefault(run.key(), List.of()),
                    Optional.ofNullable(jobs.get(run.key())),
                    new FactMaker.Beside(
                            together.containsKey(run.key())
                                    ? OptionalInt.of(together.get(run.key()))
                                    : OptionalInt.empty(),
                            round.powerLimits,
                            round.periods),
                    round.cluster);
        }
    }
}
