package io.fairwatch.collector.notice;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuSeries;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Slots;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.usage.Horizon;
import io.fairwatch.collector.usage.LiveRuns;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Reads from the store what a letter says about runs: a few queries for all of a letter. Thread-safe; blocks. */
public final class MatterSource {
    private final Store store;
    private final Function<String, RuleInfo> rules;
    private final Answers answers;
    private final double busyAboveRatio;
    private final LiveRuns live;
    private final InstantSource clock;

    /** Where owners can answer. */
    @FunctionalInterface
    public interface Answers {
        /** The link for whom a finding is told to; empty if answers are not taken. */
        Optional<Matter.Answering> of(FindingRow finding, Instant now);
    }

    /**
     * @param rules what letters need to know of a rule, by its name
     * @param answers where owners can answer
     * @param busyAboveRatio a reading counts as busy when its largest sample is above this
     */
    public MatterSource(Store store, Function<String, RuleInfo> rules, Answers answers, double busyAboveRatio) {
        this(store, rules, answers, busyAboveRatio, new LiveRuns(busyAboveRatio), () -> Instant.EPOCH);
    }

    /**
     * @param live what runs did since their start, as far as it knows
     * @param clock until when it knows
     */
    public MatterSource(
            Store store,
            Function<String, RuleInfo> rules,
            Answers answers,
            double busyAboveRatio,
            LiveRuns live,
            InstantSource clock) {
        this.store = store;
        this.rules = rules;
        this.answers = answers;
        this.busyAboveRatio = busyAboveRatio;
        this.live = live;
        this.clock = clock;
    }

    /** What a letter is about, and what is said when GPUs are not real. */
    record Found(List<Matter> matters, Optional<String> simulated) {}

    boolean isWeekly(FindingRow finding) {
        return rules.apply(finding.rule()).weekly();
    }

    Duration windowOf(String rule) {
        return rules.apply(rule).window();
    }

    Found of(Collection<Run> runs, Map<RunKey, List<FindingRow>> findings, Instant now) throws Store.StoreException {
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        List<RunSpan> recent = new ArrayList<>();
        List<RunSpan> whole = new ArrayList<>();
        Map<RunKey, List<GpuUse>> everything = new HashMap<>();
        Map<RunKey, JobUse> jobs = new HashMap<>();
        for (Run run : runs) {
            Instant to = Horizon.of(run, nodes, now);
            Instant lookBack = findings.getOrDefault(run.key(), List.of()).stream()
                    .map(finding ->
                            finding.since().minus(rules.apply(finding.rule()).window()))
                    .min(Comparator.naturalOrder())
                    .orElse(run.key().start());
            Instant start = run.key().start();
            recent.add(new RunSpan(run, lookBack.isAfter(start) ? lookBack : start, to));
            Optional<LiveRuns.RunUse> known = live.use(run, nodes, clock.instant());
            if (known.isPresent()) {
                everything.put(run.key(), known.get().whole());
                known.get().job().ifPresent(job -> jobs.put(run.key(), job));
            } else {
                whole.add(new RunSpan(run, start, to));
            }
        }
        Map<RunKey, List<GpuUse>> use = byRun(store.gpuUse(recent, busyAboveRatio));
        everything.putAll(byRun(store.gpuUse(whole, busyAboveRatio)));
        store.jobUse(whole).forEach(job -> jobs.put(job.run(), job));
        List<Matter> matters = new ArrayList<>();
        Map<RunKey, RunSpan> spans = new HashMap<>();
        for (RunSpan span : recent) {
            Run run = span.run();
            spans.put(run.key(), span);
            matters.add(new Matter(
                    run,
                    findings.getOrDefault(run.key(), List.of()),
                    use.getOrDefault(run.key(), List.of()),
                    everything.getOrDefault(run.key(), List.of()),
                    Optional.ofNullable(jobs.get(run.key())),
                    Map.of(),
                    course(
                            findings.getOrDefault(run.key(), List.of()),
                            findings.getOrDefault(run.key(), List.of()).stream()
                                    .findFirst()
                                    .flatMap(finding -> answers.of(finding, now)),
                            now)));
        }
        matters.sort(Comparator.comparing(Matter::waste).reversed());
        // a query for each run, so only for those that a letter shows
        for (int i = 0; i < Math.min(matters.size(), LetterWriter.MOST_MATTERS); i++) {
            Matter one = matters.get(i);
            matters.set(i, one.with(strips(spans.getOrDefault(one.run().key(), recent.get(0)))));
        }
        Optional<String> simulated = runs.stream()
                .flatMap(run -> run.allocation().nodes().stream())
                .flatMap(name -> Optional.ofNullable(nodes.get(name)).stream())
                .flatMap(node -> node.simulated().stream())
                .findFirst();
        return new Found(matters, simulated);
    }

    private static Map<RunKey, List<GpuUse>> byRun(List<GpuUse> uses) {
        return uses.stream().collect(Collectors.groupingBy(GpuUse::run));
    }

    /** How busy each GPU of a run was, in parts of one length; the last may be shorter. */
    private Map<Matter.Gpu, Strip> strips(RunSpan span) throws Store.StoreException {
        Slots slots = Slots.atMost(span.from(), span.to(), Strip.PARTS);
        long step = slots.length().toMillis();
        int parts = (int) Math.max(1, (Duration.between(slots.from(), span.to()).toMillis() + step - 1) / step);
        Map<Matter.Gpu, Strip> strips = new HashMap<>();
        for (GpuSeries series : store.gpuSeries(span, slots)) {
            if (series.device().isEmpty()) {
                continue;
            }
            List<OptionalDouble> means = new ArrayList<>(Collections.nCopies(parts, OptionalDouble.empty()));
            for (GpuSeries.Point point : series.points()) {
                long part = Duration.between(slots.from(), point.from()).toMillis() / step;
                if (part >= 0 && part < parts) {
                    means.set((int) part, point.utilizationMeanRatio());
                }
            }
            strips.put(new Matter.Gpu(series.node(), series.device().get().uuid()), new Strip(means));
        }
        return strips;
    }

    /** What goes before and after findings about one thing. */
    private Matter.Course course(List<FindingRow> findings, Optional<Matter.Answering> answer, Instant now) {
        Optional<Instant> toldAt =
                findings.stream().flatMap(finding -> finding.toldAt().stream()).min(Comparator.naturalOrder());
        Map<String, Matter.Next> next = new LinkedHashMap<>();
        findings.stream()
                .flatMap(finding -> next(finding, now).stream())
                .sorted(Comparator.comparing(Matter.Next::notBefore))
                .forEach(one -> next.putIfAbsent(one.deed(), one));
        return new Matter.Course(toldAt, List.copyOf(next.values()), answer);
    }

    /** What Fairwatch will do because of a finding, if it goes on; empty if nothing. */
    Optional<Matter.Next> next(FindingRow finding, Instant now) {
        return rules.apply(finding.rule())
                .next(finding.progress().planned(), finding.progress().done())
                .map(deed -> new Matter.Next(deed.word(), now.plus(deed.after())));
    }

    Matter.Other other(FindingRow finding, Instant now) {
        // a node is nobody's, so there is nobody to answer for it
        return new Matter.Other(
                finding,
                course(
                        List.of(finding),
                        finding.subject() instanceof Subject.OnNode ? Optional.empty() : answers.of(finding, now),
                        now));
    }
}
