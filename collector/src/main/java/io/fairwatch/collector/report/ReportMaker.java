package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Report.Line;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Adds up a period. Thread-safe; blocks on the store. */
public final class ReportMaker {
    private final Store store;
    private final double busyAboveRatio;

    /** @param busyAboveRatio a reading above this counts as busy */
    public ReportMaker(Store store, double busyAboveRatio) {
        this.store = store;
        this.busyAboveRatio = busyAboveRatio;
    }

    /**
     * Adds up all runs that held their allocation at some time of the period. One without an end that Slurm has not
     * confirmed since the period began is left out.
     */
    public Report make(Period period) throws StoreException {
        List<Run> runs = store.runsWithin(period.from(), period.to()).stream()
                .filter(run -> run.end().isPresent() || run.asOf().isAfter(period.from()))
                .toList();
        Map<RunKey, List<GpuUse>> use =
                store.gpuUse(runs.stream().map(run -> span(run, period)).toList(), busyAboveRatio).stream()
                        .collect(Collectors.groupingBy(GpuUse::run));
        Map<Run, Line> lines = new LinkedHashMap<>();
        runs.forEach(run -> lines.put(run, line(run, period, use.getOrDefault(run.key(), List.of()))));

        Map<String, List<Line>> groups = new LinkedHashMap<>();
        groups.put("user", group(lines, run -> run.owner().user()));
        groups.put("account", group(lines, run -> run.owner().account()));
        groups.put("partition", group(lines, run -> run.owner().partition()));
        groups.put("QoS", group(lines, run -> run.owner().qos()));
        groups.put("GPU type", group(lines, ReportMaker::gpuTypes));
        return new Report(
                period,
                store.accountingUntil(),
                store.nodes().stream()
                        .map(NodeState::simulated)
                        .flatMap(s -> s.stream())
                        .findFirst(),
                lines.values().stream().reduce(Line.NOTHING, Line::plus).named("all"),
                groups);
    }

    /** The part of a run that lies in the period; one that still runs counts as far as Slurm has confirmed it. */
    private static RunSpan span(Run run, Period period) {
        Instant from = later(run.key().start(), period.from());
        Instant end = run.end().orElse(run.asOf());
        return new RunSpan(run, from, later(from, end.isBefore(period.to()) ? end : period.to()));
    }

    private static Instant later(Instant a, Instant b) {
        return a.isAfter(b) ? a : b;
    }

    private static Line line(Run run, Period period, List<GpuUse> uses) {
        RunSpan span = span(run, period);
        long held = Duration.between(span.from(), span.to()).toSeconds();
        boolean whole = span.from().equals(run.key().start())
                && span.to().equals(run.end().orElse(run.asOf()));
        long counted = whole ? Math.max(0, held - run.suspended().toSeconds()) : held;
        boolean allKnown =
                run.gpus().stream().filter(gpu -> gpu.uuid().isPresent()).count()
                        >= run.allocation().gpus().orElse(0);
        double seen = 0;
        double used = 0;
        double idle = 0;
        double outside = 0;
        for (GpuUse use : uses) {
            if (use.allocated().isPresent()) {
                // a reading without utilisation says nothing of use
                double measured = Math.min(use.coveredSeconds(), use.busySeconds() + use.idleSeconds());
                seen += measured;
                used += measured * use.utilizationMeanRatio().orElse(0);
                idle += use.idleSeconds();
            } else if (allKnown) {
                outside += use.coveredSeconds();
            }
        }
        return new Line("", 1, counted * run.allocation().gpus().orElse(0), seen, used, idle, outside);
    }

    private static List<Line> group(Map<Run, Line> lines, Function<Run, String> key) {
        Map<String, Line> sums = new LinkedHashMap<>();
        lines.forEach((run, line) -> {
            String name = key.apply(run);
            sums.merge(name, line.named(name), Line::plus);
        });
        List<Line> sorted = new ArrayList<>(sums.values());
        sorted.sort(
                Comparator.comparingLong(Line::allocatedGpuSeconds).reversed().thenComparing(Line::name));
        return sorted;
    }

    private static String gpuTypes(Run run) {
        String types = run.gpus().stream()
                .flatMap(gpu -> gpu.type().stream())
                .distinct()
                .sorted()
                .collect(Collectors.joining("+"));
        if (!types.isEmpty()) {
            return types;
        }
        return run.allocation().gpus().orElse(0) == 0 ? "none" : typedInTres(run);
    }

    /** Slurm's accounting still tells the type when the numbers of the cards are gone. */
    private static String typedInTres(Run run) {
        String types = Arrays.stream(run.allocation().tres().split(","))
                .filter(part -> part.startsWith("gres/gpu:"))
                .map(part -> part.substring("gres/gpu:".length()).replaceFirst("=.*", ""))
                .distinct()
                .sorted()
                .collect(Collectors.joining("+"));
        return types.isEmpty() ? "untyped" : types;
    }
}
