package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Report.Advice;
import io.fairwatch.collector.store.PeriodFacts;
import io.fairwatch.collector.store.PeriodFacts.GroupKey;
import io.fairwatch.collector.store.PeriodFacts.Sums;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** What to do, from the figures alone, most worthwhile first. Confined to the thread that makes the report. */
final class Advisor {
    private static final int MOST_PEOPLE = 10;

    private final Basis basis;
    private final List<Section> sections;
    private final List<ActionLists.Inactive> inactive;
    private final List<Scratch.Old> old;

    Advisor(Basis basis, List<Section> sections, List<ActionLists.Inactive> inactive, List<Scratch.Old> old) {
        this.basis = basis;
        this.sections = sections;
        this.inactive = inactive;
        this.old = old;
    }

    List<Advice> advice() {
        List<Advice> advice = new ArrayList<>();
        Sums total = basis.total();
        PeriodFacts.Use use = total.use();
        if (total.gpuMs() > 0 && use.seenMs() < total.gpuMs() * 0.8) {
            advice.add(new Advice(Say.of("advice.coverage", Cell.ratio(use.seenMs(), total.gpuMs())), "sources"));
        }
        idle(advice, use);
        outOfService(advice);
        find("served").ifPresent(section -> {
            double all = sum(section, "waited");
            double idle = sum(section, "wait-idle");
            if (all > 0 && idle / all >= 0.05) {
                advice.add(new Advice(
                        Say.of("advice.served", Cell.hours(Math.round(idle * 1000)), Cell.ratio(idle, all)), "served"));
            }
        });
        if (basis.whole()) {
            Persons.Told told = Persons.told(basis);
            if (told.idleMs > Duration.ofHours(1).toMillis()) {
                advice.add(new Advice(
                        Say.of("advice.after-told", Cell.hours(told.idleMs), Cell.count(told.told)), "findings"));
            }
            find("terms")
                    .filter(section -> !section.sheet().rows().isEmpty())
                    .ifPresent(section -> advice.add(new Advice(
                            Say.of(
                                    "advice.terms",
                                    Cell.count(section.sheet().rows().size())),
                            "terms")));
            if (!inactive.isEmpty()) {
                advice.add(new Advice(
                        Say.of(
                                "advice.inactive",
                                Cell.count(inactive.size()),
                                Cell.text(basis.settings().smallQos())),
                        basis.people().shown() ? "inactive" : "sources"));
            }
            long bytes = old.stream().mapToLong(Scratch.Old::bytes).sum();
            if (bytes > 0) {
                advice.add(new Advice(Say.of("advice.scratch", Cell.count(old.size()), Cell.bytes(bytes)), "scratch"));
            }
        }
        return advice;
    }

    private void idle(List<Advice> advice, PeriodFacts.Use use) {
        if (use.seenMs() == 0 || use.idleMs() < use.seenMs() * 0.02) {
            return;
        }
        if (!basis.whole()) {
            advice.add(new Advice(
                    Say.of("advice.idle.own", Cell.hours(use.idleMs()), Cell.ratio(use.idleMs(), use.seenMs())),
                    "by-model"));
            return;
        }
        List<Long> people = basis.by(GroupKey::user).values().stream()
                .map(sums -> sums.use().idleMs())
                .sorted(Comparator.reverseOrder())
                .toList();
        long most =
                people.stream().limit(MOST_PEOPLE).mapToLong(Long::longValue).sum();
        advice.add(new Advice(
                Say.of(
                        "advice.idle",
                        Cell.hours(use.idleMs()),
                        Cell.count(people.stream()
                                .limit(MOST_PEOPLE)
                                .filter(idleMs -> idleMs > 0)
                                .count()),
                        Cell.count(people.size()),
                        Cell.ratio(most, use.idleMs())),
                basis.people().shown() ? "wasters" : "by-department"));
        Map<String, Sums> models = basis.by(GroupKey::model);
        models.entrySet().stream()
                .filter(entry -> entry.getValue().use().seenMs() > 0)
                .max(Comparator.comparingLong((Map.Entry<String, Sums> entry) ->
                                entry.getValue().use().idleMs())
                        .thenComparing(Map.Entry::getKey))
                .filter(entry -> models.size() > 1)
                .ifPresent(entry -> advice.add(new Advice(
                        Say.of(
                                "advice.idle.model",
                                Breakdowns.name(entry.getKey()),
                                Cell.hours(entry.getValue().use().idleMs()),
                                Cell.ratio(
                                        entry.getValue().use().idleMs(),
                                        entry.getValue().use().seenMs())),
                        "by-model")));
    }

    private void outOfService(List<Advice> advice) {
        long out = basis.capacity().all.outMs();
        long all = out + basis.capacity().all.serviceMs;
        if (basis.whole() && all > 0 && out > all * 0.05) {
            advice.add(new Advice(Say.of("advice.out", Cell.hours(out), Cell.ratio(out, all)), "by-node-group"));
        }
    }

    private java.util.Optional<Section> find(String id) {
        return sections.stream().filter(section -> section.id().equals(id)).findFirst();
    }

    private static double sum(Section section, String column) {
        int at = section.sheet().column(column);
        return section.sheet().rows().stream()
                .mapToDouble(row -> row.get(at).drawn())
                .sum();
    }
}
