package io.fairwatch.collector.notice;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.enforce.Deeds;
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
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Reads from the store what letters say about runs: a few queries for all of them. Thread-safe; blocks. */
public final class MatterSource {
    private final Store store;
    private final BiFunction<String, Optional<Run>, RuleInfo> rules;
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
     * @param rules what letters need to know of a rule, by its name and by the run that it is about, for which settings of
     *     its own may hold
     * @param answers where owners can answer
     * @param busyAboveRatio a reading counts as busy when its largest sample is above this
     */
    public MatterSource(
            Store store, BiFunction<String, Optional<Run>, RuleInfo> rules, Answers answers, double busyAboveRatio) {
        this(store, rules, answers, busyAboveRatio, new LiveRuns(busyAboveRatio), () -> Instant.EPOCH);
    }

    /**
     * @param live what runs did since their start, as far as it knows
     * @param clock until when it knows
     */
    public MatterSource(
            Store store,
            BiFunction<String, Optional<Run>, RuleInfo> rules,
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

    boolean isWeekly(FindingRow finding, Optional<Run> run) {
        return rules.apply(finding.rule(), run).weekly();
    }

    Duration windowOf(String rule) {
        return rules.apply(rule, Optional.empty()).window();
    }

    /** Runs that one letter tells of, and what was found of each. */
    record Wanted(Collection<Run> runs, Map<RunKey, List<FindingRow>> findings) {}

    /** What a letter says of one run, and the part of it that it shows. */
    private record Part(RunSpan span, List<FindingRow> findings) {}

    /** GPUs of a run that were asked from one instant on: one run may be in several letters. */
    private record Since(RunKey run, Instant from) {}

    /** What letters say of runs, in their order: a few questions for all of them. */
    List<Found> of(List<Wanted> letters, Instant now) throws Store.StoreException {
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        List<List<Part>> parts = new ArrayList<>();
        Map<RunKey, RunSpan> unknown = new LinkedHashMap<>();
        Map<RunKey, List<GpuUse>> whole = new HashMap<>();
        Map<RunKey, JobUse> jobs = new HashMap<>();
        for (Wanted letter : letters) {
            List<Part> its = new ArrayList<>();
            for (Run run : letter.runs) {
                List<FindingRow> findings = letter.findings.getOrDefault(run.key(), List.of());
                Instant start = run.key().start();
                Instant to = Horizon.of(run, nodes, now);
                Instant lookBack = findings.stream()
                        .map(finding -> finding.since()
                                .minus(rules.apply(finding.rule(), Optional.of(run))
                                        .window()))
                        .min(Comparator.naturalOrder())
                        .orElse(start);
                its.add(new Part(new RunSpan(run, lookBack.isAfter(start) ? lookBack : start, to), findings));
                if (!whole.containsKey(run.key()) && !unknown.containsKey(run.key())) {
                    live.use(run, nodes, clock.instant())
                            .ifPresentOrElse(
                                    known -> {
                                        whole.put(run.key(), known.whole());
                                        known.job().ifPresent(job -> jobs.put(run.key(), job));
                                    },
                                    () -> unknown.put(run.key(), new RunSpan(run, start, to)));
                }
            }
            parts.add(its);
        }
        Map<Since, RunSpan> recent = new LinkedHashMap<>();
        parts.stream()
                .flatMap(List::stream)
                .map(Part::span)
                .forEach(span -> recent.putIfAbsent(new Since(span.run().key(), span.from()), span));
        Map<Since, List<GpuUse>> use = store.gpuUse(recent.values(), busyAboveRatio, false).stream()
                .collect(Collectors.groupingBy(one -> new Since(one.run(), one.from())));
        for (GpuUse one : store.gpuUse(unknown.values(), busyAboveRatio)) {
            whole.computeIfAbsent(one.run(), first -> new ArrayList<>()).add(one);
        }
        store.jobUse(unknown.values()).forEach(job -> jobs.put(job.run(), job));
        List<List<Matter>> matters = new ArrayList<>();
        for (List<Part> its : parts) {
            matters.add(its.stream()
                    .map(part -> new Matter(
                            part.span.run(),
                            part.findings,
                            use.getOrDefault(new Since(part.span.run().key(), part.span.from()), List.of()),
                            whole.getOrDefault(part.span.run().key(), List.of()),
                            Optional.ofNullable(jobs.get(part.span.run().key())),
                            Map.of(),
                            course(
                                    part.findings,
                                    Optional.of(part.span.run()),
                                    part.findings.stream().findFirst().flatMap(finding -> answers.of(finding, now)),
                                    now)))
                    .sorted(Comparator.comparing(Matter::waste).reversed())
                    .toList());
        }
        Map<RunSpan, Map<Matter.Gpu, Strip>> strips = strips(matters.stream()
                .flatMap(its -> its.stream().limit(LetterWriter.MOST_MATTERS))
                .filter(matter -> !matter.use().isEmpty())
                .toList());
        List<Found> found = new ArrayList<>();
        for (List<Matter> its : matters) {
            found.add(new Found(
                    its.stream()
                            .map(matter -> matter.use().isEmpty()
                                    ? matter
                                    : matter.with(strips.getOrDefault(shown(matter), Map.of())))
                            .toList(),
                    simulated(its, nodes)));
        }
        return found;
    }

    private static Optional<String> simulated(List<Matter> matters, Map<String, NodeState> nodes) {
        return matters.stream()
                .flatMap(matter -> matter.run().allocation().nodes().stream())
                .flatMap(name -> Optional.ofNullable(nodes.get(name)).stream())
                .flatMap(node -> node.simulated().stream())
                .findFirst();
    }

    /** The time of a run that a letter shows. */
    private static RunSpan shown(Matter matter) {
        GpuUse first = matter.use().get(0);
        return new RunSpan(matter.run(), first.from(), first.to());
    }

    /** How busy each GPU of each run was, in parts of one length; the last may be shorter. */
    private Map<RunSpan, Map<Matter.Gpu, Strip>> strips(List<Matter> matters) throws Store.StoreException {
        Map<RunSpan, List<GpuUse>> given = new LinkedHashMap<>();
        Map<RunSpan, Map<Matter.Gpu, Strip>> strips = new HashMap<>();
        for (Matter matter : matters) {
            RunSpan span = shown(matter);
            if (matter.use().stream().allMatch(use -> use.allocated().isPresent())) {
                given.put(span, matter.use());
            } else if (!strips.containsKey(span)) {
                strips.put(span, stripsOfGuest(span)); // only while its processes are on them are those the run's
            }
        }
        Map<RunSpan, Slots> asked = new LinkedHashMap<>();
        given.keySet().forEach(span -> asked.put(span, slots(span)));
        store.gpuMeans(asked).forEach((span, means) -> {
            Map<Matter.Gpu, Strip> its = new HashMap<>();
            for (GpuUse use : given.getOrDefault(span, List.of())) {
                use.device().map(GpuDevice::uuid).ifPresent(uuid -> {
                    List<OptionalDouble> parts = means.get(uuid);
                    if (parts != null) {
                        its.put(new Matter.Gpu(use.node(), uuid), new Strip(parts));
                    }
                });
            }
            strips.put(span, its);
        });
        return strips;
    }

    /** Not so short that between two readings a part seems not to have been measured. */
    private static Slots slots(RunSpan span) {
        long minutes = Duration.between(span.from(), span.to()).toMinutes();
        return Slots.atMost(span.from(), span.to(), (int) Math.max(2, Math.min(Strip.PARTS, minutes)));
    }

    /** The same of a run that used GPUs that it was not given. */
    private Map<Matter.Gpu, Strip> stripsOfGuest(RunSpan span) throws Store.StoreException {
        Slots slots = slots(span);
        Map<Matter.Gpu, Strip> strips = new HashMap<>();
        for (GpuSeries series : store.gpuSeries(span, slots)) {
            if (series.device().isEmpty()) {
                continue;
            }
            List<OptionalDouble> means = new ArrayList<>(Collections.nCopies(slots.count(), OptionalDouble.empty()));
            for (GpuSeries.Point point : series.points()) {
                long part = Duration.between(slots.from(), point.from()).dividedBy(slots.length());
                if (part >= 0 && part < means.size()) {
                    means.set((int) part, point.utilizationMeanRatio());
                }
            }
            strips.put(new Matter.Gpu(series.node(), series.device().get().uuid()), new Strip(means));
        }
        return strips;
    }

    /** What goes before and after findings about one thing. */
    private Matter.Course course(
            List<FindingRow> findings, Optional<Run> run, Optional<Matter.Answering> answer, Instant now) {
        Optional<Instant> toldAt =
                findings.stream().flatMap(finding -> finding.toldAt().stream()).min(Comparator.naturalOrder());
        Map<String, Matter.Next> next = new LinkedHashMap<>();
        findings.stream()
                .flatMap(finding -> next(finding, run, now).stream())
                .sorted(Comparator.comparing(Matter.Next::notBefore))
                .forEach(one -> next.putIfAbsent(one.deed(), one));
        return new Matter.Course(toldAt, List.copyOf(next.values()), answer);
    }

    /**
     * What Fairwatch will do because of a finding, if it goes on; empty if nothing, and if the rule does not allow it with what
     * it found: nobody is threatened with what will not come. Should it allow it later, that is announced by itself.
     */
    Optional<Matter.Next> next(FindingRow finding, Optional<Run> run, Instant now) {
        return rules.apply(finding.rule(), run)
                .next(finding.progress().planned(), finding.progress().done())
                .filter(deed -> finding.mayEnd()
                        || Deeds.Deed.of(deed.word())
                                .filter(one -> one.needsLeave(finding.subject()))
                                .isEmpty())
                .map(deed -> new Matter.Next(deed.word(), now.plus(deed.after())));
    }

    Matter.Other other(FindingRow finding, Instant now) {
        // a node is nobody's, so there is nobody to answer for it
        return new Matter.Other(
                finding,
                course(
                        List.of(finding),
                        Optional.empty(),
                        finding.subject() instanceof Subject.OnNode ? Optional.empty() : answers.of(finding, now),
                        now));
    }
}
