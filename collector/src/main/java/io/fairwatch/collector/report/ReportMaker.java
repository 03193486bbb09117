package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Cell.Kind;
import io.fairwatch.collector.report.Chart.Part;
import io.fairwatch.collector.report.Chart.Tone;
import io.fairwatch.collector.report.Report.Figure;
import io.fairwatch.collector.report.Report.Scope;
import io.fairwatch.collector.report.Report.Script;
import io.fairwatch.collector.report.ReportSettings.People;
import io.fairwatch.collector.report.Sheet.Column;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.PeriodFacts;
import io.fairwatch.collector.store.PeriodFacts.GroupKey;
import io.fairwatch.collector.store.PeriodFacts.HourSum;
import io.fairwatch.collector.store.PeriodFacts.Sums;
import io.fairwatch.collector.store.PeriodQuestion;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** Adds up a period and says what it means. Thread-safe; blocks on the store. */
public final class ReportMaker {
    /** So many earlier semesters are compared with. */
    private static final int EARLIER = 3;

    private final Store store;
    private final ReportSettings settings;
    private final Site site;

    /**
     * What a report says of where it comes from. Immutable.
     *
     * @param name what people call the cluster
     * @param zone of all times that people read
     * @param version of the collector
     * @param rules asked for the rules in force when a report is made
     */
    public record Site(String name, ZoneId zone, String version, Supplier<List<RuleInForce>> rules) {}

    /**
     * A rule by which people were told. Immutable.
     *
     * @param name its name
     * @param purpose what it is for, a sentence
     * @param terms its window and thresholds, a text
     */
    public record RuleInForce(String name, String purpose, String terms) {}

    public ReportMaker(Store store, ReportSettings settings, Site site) {
        this.store = store;
        this.settings = settings;
        this.site = site;
    }

    public ReportSettings settings() {
        return settings;
    }

    public ZoneId zone() {
        return site.zone();
    }

    /** Makes the report of a period, everybody's, with people as the site decided. */
    public Report make(Period period) throws StoreException {
        return make(period, new Scope.Cluster(), settings.people(), step -> {});
    }

    /** Makes the report of a period. */
    public Report make(Period period, Scope scope, People people, Consumer<String> progress) throws StoreException {
        ReportSettings with = settings.with(scope instanceof Scope.Cluster ? people : People.NAMES);
        Optional<AccountTree> tree = store.accounts();
        Structure structure = new Structure(settings, tree);
        PeriodFacts facts = store.period(question(period, scope, structure, progress));
        List<Basis.Earlier> earlier = new ArrayList<>();
        for (Period before : period.before(settings.calendar(), site.zone(), EARLIER)) {
            earlier.add(new Basis.Earlier(before, store.periodGroups(question(before, scope, structure, step -> {
                progress.accept(before.name() + ": " + step);
            }))));
        }
        progress.accept("report");
        Basis basis = new Basis(
                period,
                scope,
                with,
                structure,
                tree,
                site.zone(),
                facts,
                new Capacity(period, facts.nodes(), facts.models(), settings::nodeGroup),
                new Pseudonyms(with.people(), order(facts)),
                earlier,
                store.nodes().stream()
                        .sorted(Comparator.comparing(NodeState::node))
                        .toList(),
                store.gpus());
        return report(basis);
    }

    /** The runs of a period, one row each, as a Parquet file; people appear as they do in the report. */
    byte[] runs(Period period, People people) throws StoreException {
        PeriodQuestion question =
                question(period, new Scope.Cluster(), new Structure(settings, store.accounts()), step -> {});
        if (people == People.NAMES) {
            return store.periodRuns(question, name -> name);
        }
        if (people == People.NONE) {
            return store.periodRuns(question, name -> "");
        }
        Pseudonyms names = new Pseudonyms(
                people,
                Breakdowns.sorted(Basis.by(store.periodGroups(question), GroupKey::user)).stream()
                        .map(Map.Entry::getKey)
                        .toList());
        return store.periodRuns(
                question, name -> (String) names.cell(name).value().orElse(""));
    }

    private PeriodQuestion question(Period period, Scope scope, Structure structure, Consumer<String> progress) {
        return new PeriodQuestion(
                period.from(),
                period.to(),
                settings.busyAboveRatio(),
                Patterns.weekBegins(period, site.zone()),
                settings::nodeGroup,
                structure::department,
                scope instanceof Scope.Person person ? Optional.of(person.user()) : Optional.empty(),
                scope instanceof Scope.Accounts accounts
                        ? Optional.of(structure.below(accounts.account()))
                        : Optional.empty(),
                progress);
    }

    private static List<String> order(PeriodFacts facts) {
        return Breakdowns.sorted(Basis.by(facts.groups(), GroupKey::user)).stream()
                .map(Map.Entry::getKey)
                .toList();
    }

    private Report report(Basis basis) {
        List<Section> sections = new ArrayList<>();
        sections.addAll(Breakdowns.all(basis));
        sections.addAll(Patterns.waiting(basis));
        sections.add(Patterns.week(basis));
        sections.add(Patterns.fit(basis));
        sections.add(Patterns.efficiency(basis));
        sections.addAll(Persons.all(basis));
        List<Script> scripts = new ArrayList<>();
        List<ActionLists.Inactive> inactive = List.of();
        List<Scratch.Old> old = List.of();
        if (basis.whole()) {
            sections.add(Patterns.energy(basis));
            sections.add(Patterns.fairness(basis));
            sections.add(Scratch.section(basis));
            inactive = ActionLists.inactive(basis);
            old = Scratch.old(basis);
            if (basis.people().shown()) {
                sections.add(ActionLists.inactiveSection(basis, inactive));
            }
            sections.add(ActionLists.terms(basis));
            if (basis.people()
                    .named()) { // they are no use without names, and whoever wants none must not get them here
                scripts.add(ActionLists.inactiveScript(basis, inactive));
                scripts.add(ActionLists.scratchScript(basis, old));
            }
        }
        sections.add(Patterns.trend(basis));
        List<RuleInForce> rules = site.rules().get();
        if (basis.whole()) {
            sections.add(rules(rules));
        }
        Section whole = whole(basis);
        return new Report(
                basis.period(),
                basis.scope(),
                site.name(),
                site.zone(),
                basis.nodes().stream()
                        .map(NodeState::simulated)
                        .flatMap(Optional::stream)
                        .findFirst(),
                headline(basis),
                whole,
                new Advisor(basis, sections, inactive, old).advice(),
                sections,
                sources(basis, rules),
                scripts);
    }

    // ---- what is read first

    private static List<Figure> headline(Basis basis) {
        Sums total = basis.total();
        PeriodFacts.Use use = total.use();
        List<Figure> figures = new ArrayList<>();
        long known = basis.capacity().knownMs();
        long span = Duration.between(basis.period().from(), basis.until()).toMillis();
        if (basis.whole()) {
            long service = basis.capacity().all.serviceMs;
            long out = basis.capacity().all.outMs();
            figures.add(new Figure(
                    "available",
                    known > 0 ? Cell.hours(service) : Cell.unknown(Kind.HOURS),
                    known == 0
                            ? Say.of("available.unknown")
                            : known * 100 < span * 98
                                    ? Say.of("available.part", Cell.ratio(known, span))
                                    : Say.of(
                                            "available.says", Cell.number((double) service / known), Cell.hours(out))));
        }
        long heldKnown = heldWhileKnown(basis);
        figures.add(new Figure(
                "held",
                Cell.hours(total.gpuMs()),
                basis.whole() && basis.capacity().all.serviceMs > 0
                        ? Say.of(
                                "held.share",
                                Cell.ratio(heldKnown, basis.capacity().all.serviceMs),
                                Cell.count(total.runs()))
                        : Say.of("held.runs", Cell.count(total.runs()))));
        figures.add(new Figure(
                "used",
                use.seenMs() > 0 ? Cell.hours(use.usedMs()) : Cell.unknown(Kind.HOURS),
                use.seenMs() > 0
                        ? Say.of(
                                "used.share",
                                Cell.ratio(use.usedMs(), use.seenMs()),
                                Cell.ratio(use.seenMs(), total.gpuMs()))
                        : Say.of("nothing-seen")));
        figures.add(new Figure(
                "idle",
                use.seenMs() > 0 ? Cell.hours(use.idleMs()) : Cell.unknown(Kind.HOURS),
                use.seenMs() > 0
                        ? Say.of(
                                "idle.share",
                                Cell.ratio(use.idleMs(), use.seenMs()),
                                Cell.number(span > 0 ? (double) use.idleMs() / span : 0))
                        : Say.of("nothing-seen")));
        return figures;
    }

    private static long heldWhileKnown(Basis basis) {
        return basis.facts().modelHours().stream()
                .filter(sum -> basis.capacity().knows(sum.hour()))
                .mapToLong(HourSum::heldMs)
                .sum();
    }

    /** Everything that there was, by what became of it; the whole cluster and each model. */
    private static Section whole(Basis basis) {
        Map<String, Long> heldKnown = new HashMap<>();
        basis.facts().modelHours().stream()
                .filter(sum -> basis.capacity().knows(sum.hour()))
                .forEach(sum -> heldKnown.merge(sum.name(), sum.heldMs(), Long::sum));
        Map<String, Sums> sums = basis.by(GroupKey::model);
        sums.remove(PeriodFacts.NO_GPU);
        Set<String> models = new TreeSet<>(sums.keySet());
        if (basis.whole()) {
            models.addAll(basis.capacity().byModel.keySet());
        }
        List<List<Cell>> rows = new ArrayList<>();
        Sums total = Sums.NONE;
        for (Sums sum : sums.values()) {
            total = total.plus(sum);
        }
        boolean known = basis.whole() && basis.capacity().knownMs() > 0;
        long free = known
                ? Math.max(
                        0,
                        basis.capacity().all.serviceMs
                                - heldKnown.values().stream()
                                        .mapToLong(Long::longValue)
                                        .sum())
                : 0;
        rows.add(row(
                Cell.word("all"),
                total,
                known,
                free,
                known ? basis.capacity().all.outMs() : 0));
        if (models.size() > 1) {
            for (String model : models.stream()
                    .sorted(Comparator.comparingLong((String name) ->
                                    sums.getOrDefault(name, Sums.NONE).gpuMs())
                            .reversed()
                            .thenComparing(Comparator.naturalOrder()))
                    .toList()) {
                Optional<Capacity.Amount> amount =
                        known ? Optional.ofNullable(basis.capacity().byModel.get(model)) : Optional.empty();
                rows.add(row(
                        Breakdowns.name(model),
                        sums.getOrDefault(model, Sums.NONE),
                        amount.isPresent(),
                        amount.map(of -> Math.max(0, of.serviceMs - heldKnown.getOrDefault(model, 0L)))
                                .orElse(0L),
                        amount.map(Capacity.Amount::outMs).orElse(0L)));
            }
        }
        List<Part> parts = new ArrayList<>(Breakdowns.HELD);
        if (basis.whole()) {
            parts.add(new Part("free", Tone.FREE));
            parts.add(new Part("out", Tone.OUT));
        }
        return new Section(
                "whole",
                compared(basis),
                new Sheet(
                        "whole",
                        List.of(
                                Column.of("name", Kind.TEXT),
                                Column.of("held", Kind.HOURS),
                                Column.of("used", Kind.HOURS),
                                Column.of("partly", Kind.HOURS),
                                Column.of("idle", Kind.HOURS),
                                Column.of("unseen", Kind.HOURS),
                                new Column("free", Kind.HOURS, basis.whole()),
                                new Column("out", Kind.HOURS, basis.whole())),
                        rows),
                Optional.of(new Chart.Bars("name", parts, 12)),
                List.of(Say.of("whole.note")));
    }

    /** How it was the last time. */
    private static List<Say> compared(Basis basis) {
        Sums now = basis.total();
        return basis.earlier().stream()
                .filter(before -> before.total().gpuMs() > 0)
                .findFirst()
                .map(before -> {
                    Sums then = before.total();
                    return List.of(Say.of(
                            then.use().seenMs() > 0 && now.use().seenMs() > 0
                                    ? "whole.compared"
                                    : "whole.compared.held",
                            Cell.text(before.period().name()),
                            Cell.hours(then.gpuMs()),
                            Cell.ratio(then.use().usedMs(), then.use().seenMs()),
                            Cell.ratio(then.use().idleMs(), then.use().seenMs())));
                })
                .orElse(List.of());
    }

    private static List<Cell> row(Cell name, Sums sums, boolean known, long freeMs, long outMs) {
        PeriodFacts.Use use = sums.use();
        return List.of(
                name,
                Cell.hours(sums.gpuMs()),
                Cell.hours(use.usedMs()),
                Cell.hours(Breakdowns.partlyMs(use)),
                Cell.hours(use.idleMs()),
                Cell.hours(Breakdowns.unseenMs(sums)),
                known ? Cell.hours(freeMs) : Cell.unknown(Kind.HOURS),
                known ? Cell.hours(outMs) : Cell.unknown(Kind.HOURS));
    }

    // ---- where it comes from

    private static Section rules(List<RuleInForce> rules) {
        return new Section(
                "rules",
                List.of(),
                new Sheet(
                        "rules",
                        List.of(
                                Column.of("rule", Kind.TEXT),
                                Column.of("purpose", Kind.TEXT),
                                Column.of("terms", Kind.TEXT)),
                        rules.stream()
                                .sorted(Comparator.comparing(RuleInForce::name))
                                .map(rule -> List.of(
                                        Cell.text(rule.name()), Cell.text(rule.purpose()), Cell.text(rule.terms())))
                                .toList()),
                Optional.empty(),
                List.of(Say.of("rules.note")),
                200);
    }

    private List<Say> sources(Basis basis, List<RuleInForce> rules) {
        List<Say> says = new ArrayList<>();
        PeriodFacts facts = basis.facts();
        Sums total = basis.total();
        says.add(
                facts.accountingUntil().isPresent()
                        ? Say.of("source.slurm", Cell.time(facts.accountingUntil()))
                        : Say.of("source.slurm.never"));
        says.add(Say.of("source.seen", Cell.ratio(total.use().seenMs(), total.gpuMs())));
        facts.firstReading()
                .filter(at -> at.isAfter(basis.period().from().plus(Duration.ofHours(1))))
                .ifPresent(at -> says.add(Say.of("source.first-reading", Cell.time(at))));
        if (basis.whole()) {
            long span = Duration.between(basis.period().from(), basis.until()).toMillis();
            says.add(Say.of(
                    "source.nodes", Cell.ratio(Math.min(span, basis.capacity().knownMs()), span)));
        }
        if (total.use().outsideMs() > 0) {
            says.add(Say.of("source.outside", Cell.hours(total.use().outsideMs())));
        }
        if (total.gpuSuspendedMs() > 0 || total.cutSuspended() > 0) {
            says.add(Say.of("source.suspended", Cell.hours(total.gpuSuspendedMs()), Cell.count(total.cutSuspended())));
        }
        if (total.untold() > 0) {
            says.add(Say.of("source.untold", Cell.count(total.untold())));
        }
        unknownToSlurm(basis).ifPresent(says::add);
        says.add(Say.of("source.busy", Cell.ratio(settings.busyAboveRatio(), 1)));
        says.add(rules.size() == 1 ? Say.of("source.rules.one") : Say.of("source.rules", Cell.count(rules.size())));
        says.add(Say.of("source.version", Cell.text(site.version())));
        return says;
    }

    /** GPUs that agents report on nodes of which Slurm knows none. */
    private static Optional<Say> unknownToSlurm(Basis basis) {
        Set<String> known = basis.facts().nodes().stream()
                .filter(node -> node.gpus().orElse(0) > 0)
                .map(PeriodFacts.NodeSpan::name)
                .collect(Collectors.toSet());
        if (!basis.whole() || basis.facts().nodes().isEmpty()) {
            return Optional.empty();
        }
        long gpus = basis.gpus().stream()
                .filter(gpu -> !known.contains(gpu.node()) && gpu.device().mig().isEmpty())
                .count();
        return gpus > 0 ? Optional.of(Say.of("source.unknown-to-slurm", Cell.count(gpus))) : Optional.empty();
    }
}
