package io.fairwatch.collector.lookup;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.GpuSeries;
import io.fairwatch.collector.store.JobSeries;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Slots;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.Horizon;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** What jobs did over time. Thread-safe; blocks on the store. What is asked at once is bounded. */
public final class SeriesLookup {
    /** Slots of one series. */
    public static final int MOST_POINTS = 2_000;

    private static final int MOST_RUNS = 10;
    private static final int MOST_VALUES = 200_000;
    private static final Duration MOST_GPU_TIME = Duration.ofDays(2_000);

    private final Store store;
    private final InstantSource clock;

    public SeriesLookup(Store store, InstantSource clock) {
        this.store = store;
        this.clock = clock;
    }

    /**
     * What runs did over time. Immutable.
     *
     * @param at when it was put together
     * @param simulated the sentence that says so when GPUs are simulated
     * @param runs the newest run of each part of the job
     */
    public record SeriesView(Instant at, Optional<String> simulated, List<RunSeries> runs) {
        public SeriesView {
            runs = List.copyOf(runs);
        }
    }

    /**
     * What one run did over time. Immutable.
     *
     * @param job as people write it
     * @param run which run
     * @param from begin of the first slot
     * @param to end of what was asked for
     * @param stepSeconds length of a slot
     * @param gpus its GPUs
     * @param nodes CPU and memory on its nodes
     */
    public record RunSeries(
            String job,
            RunKey run,
            Instant from,
            Instant to,
            double stepSeconds,
            List<GpuSeries> gpus,
            List<JobSeries> nodes) {
        public RunSeries {
            gpus = List.copyOf(gpus);
            nodes = List.copyOf(nodes);
        }
    }

    /**
     * Looks for a job that runs or has run; none: nobody knows it, or it has not started.
     *
     * @param id as people write it
     * @param since not before it
     * @param until not after it
     * @param points at most so many slots
     * @throws IllegalArgumentException if it is no job id, or too much is asked for
     */
    public SeriesView find(String id, Optional<Instant> since, Optional<Instant> until, int points)
            throws StoreException {
        if (points < 2 || points > MOST_POINTS) {
            throw new IllegalArgumentException("points: " + points + " (expected: 2 to " + MOST_POINTS + ")");
        }
        JobId asked = JobId.parse(id);
        Instant now = clock.instant();
        Map<Long, Run> newest = new LinkedHashMap<>();
        store.runsOf(asked.number()).stream()
                .filter(asked::isOf)
                .sorted(Comparator.comparing((Run run) -> run.key().start()).reversed())
                .forEach(run -> newest.putIfAbsent(run.key().jobId(), run));
        if (newest.size() > MOST_RUNS) {
            throw new IllegalArgumentException("job id: " + asked.text() + " has " + newest.size()
                    + " parts (expected: at most " + MOST_RUNS + "; ask for one, e.g. " + asked.number() + "_1)");
        }
        Map<String, NodeState> nodes = store
                .nodes(newest.values().stream()
                        .flatMap(run -> run.allocation().nodes().stream())
                        .collect(Collectors.toSet()))
                .stream()
                .collect(Collectors.toMap(NodeState::node, Function.identity()));
        List<RunSeries> series = new ArrayList<>();
        for (Run run : newest.values()) {
            Instant end = Horizon.of(run, nodes, now);
            Instant from =
                    since.filter(run.key().start()::isBefore).orElse(run.key().start());
            Instant to = until.filter(end::isAfter).orElse(end);
            if (to.isAfter(from)) {
                series.add(of(run, from, to, points));
            }
        }
        return new SeriesView(
                now,
                nodes.values().stream()
                        .flatMap(node -> node.simulated().stream())
                        .findFirst(),
                series);
    }

    private RunSeries of(Run run, Instant from, Instant to, int points) throws StoreException {
        int gpus = Math.max(1, run.allocation().gpus().orElse(run.gpus().size()));
        if ((long) gpus * points > MOST_VALUES) {
            throw new IllegalArgumentException(
                    "points: " + points + " of " + gpus + " GPUs (expected: at most " + MOST_VALUES / gpus + ")");
        }
        if (Duration.between(from, to).multipliedBy(gpus).compareTo(MOST_GPU_TIME) > 0) {
            throw new IllegalArgumentException(
                    "since: " + Duration.between(from, to).toDays() + " days of " + gpus + " GPUs (expected: at most "
                            + MOST_GPU_TIME.toDays() / gpus + " days at once)");
        }
        Slots slots = Slots.atMost(from, to, points);
        RunSpan span = new RunSpan(run, from, to);
        return new RunSeries(
                run.displayId(),
                run.key(),
                slots.from(),
                slots.to(),
                slots.length().toMillis() / 1000.0,
                store.gpuSeries(span, slots),
                store.jobSeries(span, slots));
    }
}
