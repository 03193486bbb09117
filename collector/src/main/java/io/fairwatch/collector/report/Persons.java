package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Cell.Kind;
import io.fairwatch.collector.report.Chart.Part;
import io.fairwatch.collector.report.Chart.Tone;
import io.fairwatch.collector.report.Sheet.Column;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.store.PeriodFacts.FindingFact;
import io.fairwatch.collector.store.PeriodFacts.GroupKey;
import io.fairwatch.collector.store.PeriodFacts.Sums;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** Who wasted most, who improved most, and what telling people did. Stateless. */
final class Persons {
    private static final int MOST = 20;

    /** Less than this seen is too little to call anybody better. */
    private static final long ENOUGH_MS = Duration.ofHours(10).toMillis();

    private Persons() {}

    static List<Section> all(Basis basis) {
        List<Section> sections = new ArrayList<>();
        sections.add(findings(basis));
        if (basis.people().shown() && !(basis.scope() instanceof Report.Scope.Person)) {
            sections.add(wasters(basis));
            improved(basis).ifPresent(sections::add);
        }
        return sections;
    }

    private static Section wasters(Basis basis) {
        long all = basis.total().use().idleMs();
        List<Map.Entry<String, Sums>> sorted = basis.by(GroupKey::user).entrySet().stream()
                .filter(entry -> entry.getValue().use().idleMs() > 0)
                .sorted(Comparator.comparingLong((Map.Entry<String, Sums> entry) ->
                                entry.getValue().use().idleMs())
                        .reversed()
                        .thenComparing(Map.Entry::getKey))
                .limit(MOST)
                .toList();
        long sum = sorted.stream().mapToLong(e -> e.getValue().use().idleMs()).sum();
        List<List<Cell>> rows = sorted.stream()
                .map(entry -> List.of(
                        basis.people().cell(entry.getKey()),
                        Cell.count(entry.getValue().runs()),
                        Cell.hours(entry.getValue().gpuMs()),
                        Cell.hours(entry.getValue().use().usedMs()),
                        Cell.hours(Breakdowns.partlyMs(entry.getValue().use())),
                        Cell.hours(entry.getValue().use().idleMs()),
                        Cell.ratio(
                                entry.getValue().use().idleMs(),
                                entry.getValue().use().seenMs()),
                        Cell.ratio(entry.getValue().use().idleMs(), all)))
                .toList();
        return new Section(
                "wasters",
                rows.isEmpty()
                        ? List.of(Say.of("nothing-idle"))
                        : List.of(Say.of("wasters.says", Cell.count(rows.size()), Cell.ratio(sum, all))),
                new Sheet(
                        "wasters",
                        List.of(
                                Column.of("user", Kind.TEXT),
                                Column.of("runs", Kind.COUNT),
                                Column.of("held", Kind.HOURS),
                                Column.of("used", Kind.HOURS),
                                Column.hidden("partly", Kind.HOURS),
                                Column.of("idle", Kind.HOURS),
                                Column.of("idle-share", Kind.RATIO),
                                Column.of("of-all-idle", Kind.RATIO)),
                        rows),
                Optional.of(new Chart.Bars(
                        "user",
                        List.of(
                                new Part("idle", Tone.IDLE),
                                new Part("partly", Tone.PARTLY),
                                new Part("used", Tone.USED)),
                        MOST)),
                List.of());
    }

    /** Idle time that a person would have had at the share of the period before, less what they had. */
    private static Optional<Section> improved(Basis basis) {
        if (basis.earlier().isEmpty()) {
            return Optional.empty();
        }
        Map<String, Sums> before = Basis.by(basis.earlier().get(0).groups(), GroupKey::user);
        record Better(String user, double was, double is, long savedMs) {}
        List<Better> better = new ArrayList<>();
        basis.by(GroupKey::user).forEach((user, now) -> {
            Sums then = before.get(user);
            if (then != null && then.use().seenMs() >= ENOUGH_MS && now.use().seenMs() >= ENOUGH_MS) {
                double was = (double) then.use().idleMs() / then.use().seenMs();
                double is = (double) now.use().idleMs() / now.use().seenMs();
                long saved = Math.round((was - is) * now.use().seenMs());
                if (saved > 0) {
                    better.add(new Better(user, was, is, saved));
                }
            }
        });
        better.sort(Comparator.comparingLong(Better::savedMs).reversed().thenComparing(Better::user));
        List<List<Cell>> rows = better.stream()
                .limit(MOST)
                .map(one -> List.of(
                        basis.people().cell(one.user()),
                        Cell.ratio(one.was(), 1),
                        Cell.ratio(one.is(), 1),
                        Cell.hours(one.savedMs())))
                .toList();
        return Optional.of(new Section(
                "improved",
                rows.isEmpty() ? List.of(Say.of("improved.none")) : List.of(),
                new Sheet(
                        "improved",
                        List.of(
                                Column.of("user", Kind.TEXT),
                                Column.of("idle-before", Kind.RATIO),
                                Column.of("idle-now", Kind.RATIO),
                                Column.of("less-idle", Kind.HOURS)),
                        rows),
                Optional.empty(),
                List.of(Say.of("improved.note"))));
    }

    // ---- findings

    /** What telling people did. */
    static final class Told {
        long found;
        long told;
        long recovered;
        long cancelled;
        long idleMs;
        long savedMs;

        void add(FindingFact fact, boolean ended, boolean first) {
            found++;
            if (fact.told().isEmpty()) {
                return;
            }
            told++;
            idleMs += fact.idleAfterToldMs();
            if (ended) {
                cancelled++;
                if (first) {
                    savedMs += savedMs(fact);
                }
            } else if (fact.cleared().isPresent()) {
                recovered++;
            }
        }
    }

    /** Whether it was ended in the period: what a later period's report tells, this one's does not, or both would. */
    private static boolean endedAfterTold(Basis basis, FindingFact fact) {
        return fact.state() == JobState.CANCELLED
                && fact.end().isPresent()
                && fact.told().isPresent()
                && !fact.end().get().isBefore(fact.told().get())
                && !fact.end().get().isAfter(basis.period().to());
    }

    /** What the time limit would have held on. */
    static long savedMs(FindingFact fact) {
        if (fact.end().isEmpty() || fact.limit().isEmpty()) {
            return 0;
        }
        return Math.max(
                        0,
                        Duration.between(fact.end().get(), fact.limit().get()).toMillis())
                * fact.gpus();
    }

    static Told told(Basis basis) {
        Told all = new Told();
        Set<Object> seen = new HashSet<>();
        basis.facts().findings().forEach(fact -> {
            boolean ended = endedAfterTold(basis, fact);
            all.add(fact, ended, ended && seen.add(fact.run()));
        });
        return all;
    }

    private static Section findings(Basis basis) {
        Map<String, Told> rules = new TreeMap<>();
        Set<Object> seen = new HashSet<>();
        basis.facts().findings().forEach(fact -> {
            boolean ended = endedAfterTold(basis, fact);
            rules.computeIfAbsent(fact.rule(), rule -> new Told()).add(fact, ended, ended && seen.add(fact.run()));
        });
        List<List<Cell>> rows = new ArrayList<>();
        rules.forEach((rule, told) -> rows.add(List.of(
                Cell.text(rule),
                Cell.count(told.found),
                Cell.count(told.told),
                Cell.count(told.recovered),
                Cell.count(told.cancelled),
                Cell.hours(told.idleMs),
                Cell.hours(told.savedMs))));
        Told all = told(basis);
        return new Section(
                "findings",
                List.of(
                        all.found == 0
                                ? Say.of("findings.none")
                                : Say.of(
                                        "findings.says",
                                        Cell.count(all.found),
                                        Cell.count(all.told),
                                        Cell.count(all.recovered),
                                        Cell.count(all.cancelled),
                                        Cell.hours(all.savedMs),
                                        Cell.hours(all.idleMs))),
                new Sheet(
                        "findings",
                        List.of(
                                Column.of("rule", Kind.TEXT),
                                Column.of("found", Kind.COUNT),
                                Column.of("told", Kind.COUNT),
                                Column.of("recovered", Kind.COUNT),
                                Column.of("cancelled", Kind.COUNT),
                                Column.of("idle-after", Kind.HOURS),
                                Column.of("saved", Kind.HOURS)),
                        rows),
                Optional.empty(),
                List.of(Say.of("findings.note")));
    }
}
