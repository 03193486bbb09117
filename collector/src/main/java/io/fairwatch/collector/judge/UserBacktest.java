package io.fairwatch.collector.judge;

import io.fairwatch.collector.judge.Backtest.Outcome;
import io.fairwatch.collector.judge.Backtest.Plan;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.RunSummary;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.Escalation;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.UserFacts;
import io.fairwatch.rules.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.function.DoubleConsumer;

/**
 * Rehearses a rule about users: everybody is asked about once a day, over the rule's window, by the code that judges live. What
 * a run did is taken from its summary where it lies within the window, else asked of the readings; runs are read once and kept
 * as long as they matter. What users keep in directories, and what waited, is not known. Confined to one thread.
 */
final class UserBacktest {
    private static final Duration STEP = Duration.ofDays(1);
    /** Steps for which the store is asked at one time; it costs hardly more than for one, while they ask about little. */
    private static final int AT_ONCE = 7;
    /** Parts of runs from which on no further step is asked about at the same time. */
    private static final int MANY_PARTS = 10_000;

    private static final Ladder OWNER = new Ladder(List.of(new Ladder.Step(Ladder.Target.OWNER, Duration.ZERO)));

    private final Store store;
    private final WiderFacts facts;
    private final RuleSet set;
    private final Rule rule;
    private final Plan plan;
    private final Map<RunKey, Run> runs = new LinkedHashMap<>();
    private final Map<RunKey, RunSummary> summaries = new HashMap<>();
    private final Map<String, Told> open = new HashMap<>();
    private final List<Backtest.Episode> episodes = new ArrayList<>();
    private final Set<RunKey> lived = new HashSet<>();
    private long judgements;
    private long unknown;

    UserBacktest(Store store, double busyAboveRatio, RuleSet set, Rule rule, Plan plan) {
        this.store = store;
        this.facts = new WiderFacts(store, busyAboveRatio);
        this.set = set;
        this.rule = rule;
        this.plan = plan;
    }

    /** The runs that lived in a window, as they were then. */
    private record Lived(Duration window, List<Run> runs, List<RunSpan> cut) {}

    /** A step to be. */
    private record Day(Instant now, List<Run> running, List<Lived> windows) {
        List<RunSpan> cut() {
            return windows.stream().flatMap(lived -> lived.cut().stream()).toList();
        }
    }

    /** An episode that goes on, and what its owner would have read. */
    private record Told(Escalation.Episode episode, String summary) {}

    Outcome run(DoubleConsumer progress, BooleanSupplier stopped) throws StoreException {
        Set<Duration> windows = set.windows(Rule.Scope.USER, one -> one.name().equals(rule.name()));
        Duration longest = windows.stream()
                .max(Comparator.naturalOrder())
                .orElse(rule.timing().window());
        double whole = Duration.between(plan.from(), plan.to()).toMillis();
        Instant read = plan.from().minus(longest);
        Instant last = plan.from();
        while (last.isBefore(plan.to()) && !stopped.getAsBoolean()) {
            List<Day> days = new ArrayList<>();
            List<RunSpan> cut = new ArrayList<>();
            while (last.isBefore(plan.to())
                    && days.size() < AT_ONCE
                    && cut.size() < MANY_PARTS
                    && !stopped.getAsBoolean()) {
                last = last.plus(STEP).isBefore(plan.to()) ? last.plus(STEP) : plan.to();
                read(read, last);
                read = last;
                if (days.isEmpty()) {
                    forgetBefore(last.minus(longest));
                }
                Day day = day(windows, last);
                days.add(day);
                cut.addAll(day.cut());
            }
            Map<WiderFacts.Part.Of, List<GpuUse>> gpus = stopped.getAsBoolean() ? Map.of() : facts.gpuUse(cut);
            for (Day day : days) {
                if (!stopped.getAsBoolean()) {
                    step(day, gpus);
                    progress.accept(Duration.between(plan.from(), day.now()).toMillis() / whole);
                }
            }
        }
        open.forEach((user, told) -> close(user, told));
        episodes.sort(Comparator.comparing(Backtest.Episode::toldAt).thenComparing(Backtest.Episode::user));
        return new Outcome(
                rule.name(),
                plan.from(),
                plan.to(),
                rule.scope(),
                lived.size(),
                judgements,
                unknown,
                episodes.size(),
                0,
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                (int) episodes.stream()
                        .filter(one -> one.recoveredAt().isPresent())
                        .count(),
                0,
                episodes);
    }

    private void read(Instant from, Instant to) throws StoreException {
        List<RunKey> over = new ArrayList<>();
        for (Run run : store.runsWithin(from, to)) {
            runs.put(run.key(), run);
            if (run.end().map(end -> end.isAfter(plan.from())).orElse(true)) {
                lived.add(run.key());
            }
            if (run.end().isPresent() && !summaries.containsKey(run.key())) {
                over.add(run.key());
            }
        }
        store.summaries(over).forEach(summary -> summaries.put(summary.run(), summary));
    }

    private void forgetBefore(Instant first) {
        runs.values()
                .removeIf(run -> run.end().filter(end -> !end.isAfter(first)).isPresent());
        summaries.keySet().retainAll(runs.keySet());
    }

    private Day day(Set<Duration> windows, Instant now) {
        List<Run> then = runs.values().stream()
                .filter(run -> run.key().start().isBefore(now))
                .map(run -> run.end().filter(end -> end.isAfter(now)).isPresent() ? run.stillRunning(now) : run)
                .toList();
        return new Day(
                now,
                then.stream().filter(run -> run.end().isEmpty()).toList(),
                windows.stream()
                        .map(window -> {
                            Instant from = now.minus(window);
                            List<Run> within = then.stream()
                                    .filter(run -> run.end()
                                            .map(end -> end.isAfter(from))
                                            .orElse(true))
                                    .toList();
                            return new Lived(window, within, facts.cut(within, summaries, from, Map.of(), now));
                        })
                        .toList());
    }

    private void step(Day day, Map<WiderFacts.Part.Of, List<GpuUse>> gpus) throws StoreException {
        Instant now = day.now();
        Map<Duration, Map<String, UserFacts>> known = new HashMap<>();
        Set<String> everybody = new TreeSet<>();
        for (Lived lived : day.windows()) {
            Map<String, UserFacts> of = facts.ofUsers(
                    lived.window(), lived.runs(), summaries, gpus, Map.of(), day.running(), List.of(), now);
            known.put(lived.window(), of);
            everybody.addAll(of.keySet());
        }
        List<String> users = List.copyOf(everybody);
        List<List<RuleSet.Judgement>> judged = users.parallelStream()
                .map(user -> set.ask(Rule.Scope.USER, one -> one.name().equals(rule.name()), window -> {
                    UserFacts one = Objects.requireNonNull(known.get(window)).get(user);
                    if (one == null) {
                        throw new IllegalArgumentException(user + " did nothing in the last " + window);
                    }
                    return one;
                }))
                .toList();
        for (int i = 0; i < users.size(); i++) {
            for (RuleSet.Judgement judgement : judged.get(i)) {
                take(users.get(i), judgement, now);
            }
        }
        endOthers(everybody, now);
    }

    /** Who did nothing in the whole period has nothing to answer for. */
    private void endOthers(Collection<String> everybody, Instant now) {
        Set<String> gone = new HashSet<>(open.keySet());
        gone.removeAll(everybody);
        for (String user : gone) {
            Told told = Objects.requireNonNull(open.remove(user));
            Escalation.Episode before = told.episode();
            close(
                    user,
                    new Told(
                            new Escalation.Episode(
                                    Escalation.State.RESOLVED,
                                    before.since(),
                                    before.lastSeen(),
                                    Optional.of(before.clearSince().orElse(now)),
                                    before.toldAt(),
                                    before.climb()),
                            told.summary()));
        }
    }

    private void take(String user, RuleSet.Judgement judgement, Instant now) {
        judgements++;
        Verdict verdict = judgement.verdict();
        if (verdict instanceof Verdict.Unknown) {
            unknown++;
        }
        Optional<Told> before = Optional.ofNullable(open.get(user));
        Escalation.Move move = Escalation.step(
                before.map(Told::episode), verdict, judgement.rule().timing(), OWNER, false, now);
        if (move.episode().isEmpty()) {
            return;
        }
        Escalation.Episode episode = move.episode().get();
        String summary = before.map(Told::summary).orElse("");
        if (move.due().isPresent() && verdict instanceof Verdict.Finding finding) {
            // delivered as soon as it is due
            summary = finding.summary();
            episode = new Escalation.Episode(
                    Escalation.State.TOLD,
                    episode.since(),
                    episode.lastSeen(),
                    episode.clearSince(),
                    Optional.of(now),
                    new Escalation.Climb(1, 1, Optional.of(now)));
        }
        if (episode.state() == Escalation.State.RESOLVED) {
            open.remove(user);
            close(user, new Told(episode, summary));
        } else {
            open.put(user, new Told(episode, summary));
        }
    }

    private void close(String user, Told told) {
        Escalation.Episode episode = told.episode();
        episode.toldAt()
                .ifPresent(at -> episodes.add(new Backtest.Episode(
                        "",
                        user,
                        0,
                        episode.since(),
                        at,
                        Optional.empty(),
                        episode.clearSince(),
                        Optional.empty(),
                        told.summary(),
                        0)));
    }
}
