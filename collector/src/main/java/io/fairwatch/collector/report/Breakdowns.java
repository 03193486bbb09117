package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Cell.Kind;
import io.fairwatch.collector.report.Chart.Part;
import io.fairwatch.collector.report.Chart.Tone;
import io.fairwatch.collector.report.Sheet.Column;
import io.fairwatch.collector.run.NodeService;
import io.fairwatch.collector.store.PeriodFacts;
import io.fairwatch.collector.store.PeriodFacts.GroupKey;
import io.fairwatch.collector.store.PeriodFacts.Sums;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;

/** The same runs divided by one thing after another. Stateless. */
final class Breakdowns {
    static final List<Part> HELD = List.of(
            new Part("used", Tone.USED),
            new Part("partly", Tone.PARTLY),
            new Part("idle", Tone.IDLE),
            new Part("unseen", Tone.UNSEEN));

    private static final int DRAWN = 15;

    private static final List<Column> USE = List.of(
            Column.of("runs", Kind.COUNT),
            Column.of("held", Kind.HOURS),
            Column.of("used", Kind.HOURS),
            Column.of("partly", Kind.HOURS),
            Column.of("idle", Kind.HOURS),
            Column.of("lost", Kind.HOURS),
            Column.of("unseen", Kind.HOURS),
            Column.of("idle-share", Kind.RATIO),
            Column.hidden("seen", Kind.HOURS),
            Column.hidden("suspended", Kind.HOURS),
            Column.hidden("outside", Kind.HOURS),
            Column.hidden("energy", Kind.ENERGY),
            Column.hidden("cpu-held", Kind.HOURS),
            Column.hidden("cpu-seen", Kind.HOURS),
            Column.hidden("cpu-used", Kind.HOURS),
            Column.hidden("memory-held", Kind.MEMORY_HOURS),
            Column.hidden("memory-seen", Kind.MEMORY_HOURS),
            Column.hidden("memory-most", Kind.MEMORY_HOURS));

    private Breakdowns() {}

    static List<Section> all(Basis basis) {
        List<Section> sections = new ArrayList<>();
        if (basis.whole() && basis.structure().hasFaculties()) {
            sections.add(section(basis, "by-faculty", key -> basis.structure()
                    .faculty(key.account())
                    .orElse("")));
        }
        if (basis.whole()) {
            sections.add(
                    section(basis, "by-department", key -> basis.structure().department(key.account())));
        }
        tree(basis).ifPresent(sections::add);
        sections.add(section(basis, "by-account", GroupKey::account));
        if (!(basis.scope() instanceof Report.Scope.Person) && basis.people().shown()) {
            Sheet sheet = sheet(
                    "by-user",
                    basis.by(GroupKey::user),
                    name -> List.of(basis.people().cell(name)),
                    List.of(Column.of("user", Kind.TEXT)));
            sections.add(new Section(
                    "by-user",
                    List.of(Say.of("by-user.says", Cell.count(sheet.rows().size()))),
                    sheet,
                    Optional.of(new Chart.Bars("user", HELD, DRAWN)),
                    List.of()));
        }
        sections.add(capacity(basis, "by-model", GroupKey::model, basis.capacity().byModel));
        sections.add(capacity(basis, "by-node-group", GroupKey::nodeGroup, basis.capacity().byGroup));
        outOfService(basis).ifPresent(sections::add);
        sections.add(section(basis, "by-partition", GroupKey::partition));
        sections.add(section(basis, "by-qos", GroupKey::qos));
        sections.add(words(basis, "by-size", key -> Integer.toString(key.size()), "size."));
        sections.add(words(basis, "by-start", key -> key.interactive() ? "interactive" : "batch", "start."));
        sections.add(processors(basis));
        return sections;
    }

    /** Each account with all below it, as Slurm's tree has them; only where it is more than a list. */
    private static Optional<Section> tree(Basis basis) {
        if (!basis.structure().hasTree() || basis.scope() instanceof Report.Scope.Person) {
            return Optional.empty();
        }
        Map<String, Sums> own = basis.by(GroupKey::account);
        List<Column> columns =
                new ArrayList<>(List.of(Column.of("name", Kind.TEXT), Column.hidden("level", Kind.COUNT)));
        columns.addAll(USE);
        List<List<Cell>> rows = new ArrayList<>();
        List<String> tops = basis.scope() instanceof Report.Scope.Accounts accounts
                ? List.of(accounts.account())
                : basis.structure().roots();
        boolean deep = false;
        for (String top : tops) {
            deep |= branch(basis.structure(), top, 0, own, rows);
        }
        return deep
                ? Optional.of(new Section(
                        "account-tree",
                        List.of(),
                        new Sheet("account-tree", columns, rows),
                        Optional.empty(),
                        List.of(Say.of("account-tree.note"))))
                : Optional.empty();
    }

    /** Adds the account's row and those below it; answers whether there is anything below. */
    private static boolean branch(
            Structure structure, String account, int level, Map<String, Sums> own, List<List<Cell>> rows) {
        Sums sums = structure.below(account).stream()
                .map(name -> own.getOrDefault(name, Sums.NONE))
                .reduce(Sums.NONE, Sums::plus);
        if (sums.runs() == 0 || level > 20) {
            return false;
        }
        List<Cell> row = new ArrayList<>(List.of(Cell.text("· ".repeat(level) + account), Cell.count(level)));
        row.addAll(use(sums));
        rows.add(row);
        boolean deep = false;
        for (String child : structure.children(account)) {
            int before = rows.size();
            branch(structure, child, level + 1, own, rows);
            deep |= rows.size() > before;
        }
        return deep;
    }

    private static Section section(Basis basis, String id, Function<GroupKey, String> what) {
        Sheet sheet = sheet(id, basis.by(what), name -> List.of(name(name)), List.of(Column.of("name", Kind.TEXT)));
        return new Section(id, List.of(), sheet, Optional.of(new Chart.Bars("name", HELD, DRAWN)), List.of());
    }

    private static Section words(Basis basis, String id, Function<GroupKey, String> what, String prefix) {
        Sheet sheet = sheet(
                id, basis.by(what), name -> List.of(Cell.word(prefix + name)), List.of(Column.of("name", Kind.WORD)));
        return new Section(id, List.of(), sheet, Optional.of(new Chart.Bars("name", HELD, DRAWN)), List.of());
    }

    /** Names that stand for something else than a name are words. */
    static Cell name(String name) {
        return switch (name) {
            case "" -> Cell.word("none");
            case PeriodFacts.UNKNOWN -> Cell.word("unknown");
            case PeriodFacts.SEVERAL -> Cell.word("several");
            default -> Cell.text(name);
        };
    }

    static List<Map.Entry<String, Sums>> sorted(Map<String, Sums> sums) {
        return sums.entrySet().stream()
                .sorted(Comparator.comparingLong((Map.Entry<String, Sums> entry) ->
                                entry.getValue().gpuMs())
                        .reversed()
                        .thenComparing(Map.Entry::getKey))
                .toList();
    }

    private static Sheet sheet(
            String id, Map<String, Sums> sums, Function<String, List<Cell>> names, List<Column> nameColumns) {
        List<Column> columns = new ArrayList<>(nameColumns);
        columns.addAll(USE);
        List<List<Cell>> rows = new ArrayList<>();
        for (Map.Entry<String, Sums> entry : sorted(sums)) {
            List<Cell> row = new ArrayList<>(names.apply(entry.getKey()));
            row.addAll(use(entry.getValue()));
            rows.add(row);
        }
        return new Sheet(id, columns, rows);
    }

    private static List<Cell> use(Sums sums) {
        PeriodFacts.Use use = sums.use();
        return List.of(
                Cell.count(sums.runs()),
                Cell.hours(sums.gpuMs()),
                Cell.hours(use.usedMs()),
                Cell.hours(partlyMs(use)),
                Cell.hours(use.idleMs()),
                Cell.hours(use.lostMs()),
                Cell.hours(unseenMs(sums)),
                Cell.ratio(use.idleMs(), use.seenMs()),
                Cell.hours(use.seenMs()),
                Cell.hours(sums.gpuSuspendedMs()),
                Cell.hours(use.outsideMs()),
                use.energyMs() > 0 ? Cell.energy(use.energyJoules()) : Cell.unknown(Kind.ENERGY),
                Cell.hours(sums.cpuMs()),
                Cell.hours(use.cpuSeenMs()),
                Cell.hours(use.cpuUsedMs()),
                Cell.memoryHours(sums.memoryMibMs()),
                Cell.memoryHours(use.memorySeenMibMs()),
                Cell.memoryHours(use.memoryUsedMibMs()));
    }

    /** Time in which something ran, less what it used. */
    static long partlyMs(PeriodFacts.Use use) {
        return Math.max(0, use.seenMs() - use.usedMs() - use.idleMs());
    }

    static long unseenMs(Sums sums) {
        return Math.max(0, sums.gpuMs() - sums.use().seenMs());
    }

    /** Held beside what there was. */
    private static Section capacity(
            Basis basis, String id, Function<GroupKey, String> what, Map<String, Capacity.Amount> amounts) {
        Map<String, Sums> sums = basis.by(what);
        List<Column> columns = new ArrayList<>(List.of(
                Column.of("name", Kind.TEXT), Column.of("available", Kind.HOURS), Column.hidden("out", Kind.HOURS)));
        columns.addAll(USE);
        List<List<Cell>> rows = new ArrayList<>();
        sums.remove(PeriodFacts.NO_GPU);
        if (basis.whole()) {
            new TreeSet<>(amounts.keySet()).forEach(name -> sums.putIfAbsent(name, Sums.NONE));
        }
        for (Map.Entry<String, Sums> entry : sorted(sums)) {
            Capacity.Amount amount = basis.whole() ? amounts.get(entry.getKey()) : null;
            List<Cell> row = new ArrayList<>(List.of(
                    name(entry.getKey()),
                    amount == null ? Cell.unknown(Kind.HOURS) : Cell.hours(amount.serviceMs),
                    amount == null ? Cell.unknown(Kind.HOURS) : Cell.hours(amount.outMs())));
            row.addAll(use(entry.getValue()));
            rows.add(row);
        }
        return new Section(
                id,
                List.of(),
                new Sheet(id, columns, rows),
                Optional.of(new Chart.Bars("name", HELD, DRAWN)),
                List.of());
    }

    private static final Map<NodeService, String> REASONS = Map.of(
            NodeService.DOWN, "down",
            NodeService.PLANNED, "planned",
            NodeService.DRAINED, "drained",
            NodeService.POWERED_OFF, "off",
            NodeService.UNKNOWN, "state-unknown");

    /** GPU time out of service, and why; only where there was any. */
    private static Optional<Section> outOfService(Basis basis) {
        if (!basis.whole() || basis.capacity().all.outMs() == 0) {
            return Optional.empty();
        }
        List<NodeService> reasons = List.of(
                NodeService.DOWN,
                NodeService.PLANNED,
                NodeService.DRAINED,
                NodeService.POWERED_OFF,
                NodeService.UNKNOWN);
        List<Column> columns =
                new ArrayList<>(List.of(Column.of("name", Kind.TEXT), Column.of("available", Kind.HOURS)));
        reasons.forEach(reason -> columns.add(Column.of(REASONS.getOrDefault(reason, ""), Kind.HOURS)));
        List<List<Cell>> rows = new ArrayList<>();
        new TreeMap<>(basis.capacity().byGroup).forEach((group, amount) -> {
            List<Cell> row = new ArrayList<>(List.of(name(group), Cell.hours(amount.serviceMs)));
            reasons.forEach(reason -> row.add(Cell.hours(amount.outMs.getOrDefault(reason, 0L))));
            rows.add(row);
        });
        return Optional.of(new Section(
                "out-of-service",
                List.of(),
                new Sheet("out-of-service", columns, rows),
                Optional.empty(),
                List.of(Say.of("out-of-service.note"))));
    }

    /** CPUs and memory, held and used. */
    private static Section processors(Basis basis) {
        List<Column> columns = List.of(
                Column.of("name", Kind.TEXT),
                Column.of("cpu-held", Kind.HOURS),
                Column.of("cpu-used", Kind.HOURS),
                Column.of("cpu-share", Kind.RATIO),
                Column.hidden("cpu-seen", Kind.HOURS),
                Column.of("memory-held", Kind.MEMORY_HOURS),
                Column.of("memory-most", Kind.MEMORY_HOURS),
                Column.of("memory-share", Kind.RATIO),
                Column.hidden("memory-seen", Kind.MEMORY_HOURS));
        List<List<Cell>> rows = new ArrayList<>();
        if (basis.whole() && basis.capacity().knownMs() > 0) {
            Sums total = basis.total();
            rows.add(processors(Cell.word("all"), total));
        }
        basis.by(GroupKey::partition).entrySet().stream()
                .sorted(Comparator.comparingLong((Map.Entry<String, Sums> entry) ->
                                entry.getValue().cpuMs())
                        .reversed()
                        .thenComparing(Map.Entry::getKey))
                .forEach(entry -> rows.add(processors(name(entry.getKey()), entry.getValue())));
        List<Say> says = new ArrayList<>();
        if (basis.whole() && basis.capacity().knownMs() > 0) {
            says.add(Say.of(
                    "processors.says",
                    Cell.hours(basis.capacity().all.cpuMs),
                    Cell.memoryHours(basis.capacity().all.memoryMibMs)));
        }
        return new Section(
                "processors",
                says,
                new Sheet("processors", columns, rows),
                Optional.empty(),
                List.of(Say.of("processors.note")));
    }

    private static List<Cell> processors(Cell name, Sums sums) {
        PeriodFacts.Use use = sums.use();
        return List.of(
                name,
                Cell.hours(sums.cpuMs()),
                use.cpuSeenMs() > 0 ? Cell.hours(use.cpuUsedMs()) : Cell.unknown(Kind.HOURS),
                Cell.ratio(use.cpuUsedMs(), use.cpuSeenMs()),
                Cell.hours(use.cpuSeenMs()),
                Cell.memoryHours(sums.memoryMibMs()),
                use.memorySeenMibMs() > 0 ? Cell.memoryHours(use.memoryUsedMibMs()) : Cell.unknown(Kind.MEMORY_HOURS),
                Cell.ratio(use.memoryUsedMibMs(), use.memorySeenMibMs()),
                Cell.memoryHours(use.memorySeenMibMs()));
    }
}
