package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Cell.Kind;
import io.fairwatch.collector.report.Chart.Part;
import io.fairwatch.collector.report.Chart.Tone;
import io.fairwatch.collector.report.Sheet.Column;
import io.fairwatch.collector.store.PeriodFacts;
import io.fairwatch.collector.store.PeriodFacts.Fit;
import io.fairwatch.collector.store.PeriodFacts.GroupKey;
import io.fairwatch.collector.store.PeriodFacts.HourSum;
import io.fairwatch.collector.store.PeriodFacts.HourUse;
import io.fairwatch.collector.store.PeriodFacts.Sums;
import io.fairwatch.collector.store.PeriodFacts.Wait;
import java.time.DayOfWeek;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** When GPUs were held, how long people waited, and how jobs used what they held. Stateless. */
final class Patterns {
    private static final long HOUR_MS = Capacity.HOUR_MS;

    private Patterns() {}

    // ---- hour of the day and day of the week

    /** GPUs held on average in each hour of the week, as a share of those in service, or as a number. */
    static Section week(Basis basis) {
        long[] held = new long[7 * 24];
        long[] available = new long[7 * 24];
        long[] hours = new long[7 * 24];
        int count = hours(basis);
        for (int hour = 0; hour < count; hour++) {
            int slot = slot(basis, hour);
            hours[slot]++;
            available[slot] += basis.capacity().knows(hour) ? basis.capacity().serviceMs(hour) : 0;
        }
        boolean shares = basis.whole() && count > 0 && allKnown(basis, count);
        for (HourSum sum : basis.facts().modelHours()) {
            if (sum.hour() < count) {
                held[slot(basis, sum.hour())] += sum.heldMs();
            }
        }
        List<Column> columns = new ArrayList<>(List.of(Column.of("day", Kind.WORD)));
        List<String> values = new ArrayList<>();
        for (int hour = 0; hour < 24; hour++) {
            String key = String.format("h%02d", hour);
            values.add(key);
            columns.add(Column.of(key, shares ? Kind.RATIO : Kind.NUMBER));
        }
        List<List<Cell>> rows = new ArrayList<>();
        for (DayOfWeek day : DayOfWeek.values()) {
            List<Cell> row = new ArrayList<>(List.of(Cell.word("day." + day.getValue())));
            for (int hour = 0; hour < 24; hour++) {
                int slot = (day.getValue() - 1) * 24 + hour;
                if (hours[slot] == 0) {
                    row.add(Cell.unknown(shares ? Kind.RATIO : Kind.NUMBER));
                } else if (shares) {
                    row.add(Cell.ratio(Math.min(held[slot], available[slot]), available[slot]));
                } else {
                    row.add(Cell.number((double) held[slot] / hours[slot] / HOUR_MS));
                }
            }
            rows.add(row);
        }
        return new Section(
                "week",
                List.of(Say.of(shares ? "week.says.share" : "week.says.number")),
                new Sheet("week", columns, rows),
                Optional.of(new Chart.HeatMap("day", values)),
                List.of());
    }

    private static boolean allKnown(Basis basis, int count) {
        for (int hour = 0; hour < count; hour++) {
            if (!basis.capacity().knows(hour)) {
                return false;
            }
        }
        return true;
    }

    /** Whole hours of the period that have passed. */
    static int hours(Basis basis) {
        return (int) Math.max(
                0, Duration.between(basis.period().from(), basis.until()).toMillis() / HOUR_MS);
    }

    private static int slot(Basis basis, int hour) {
        ZonedDateTime at = basis.period().from().plusMillis(hour * HOUR_MS).atZone(basis.zone());
        return (at.getDayOfWeek().getValue() - 1) * 24 + at.getHour();
    }

    // ---- waiting

    static List<Section> waiting(Basis basis) {
        List<Section> sections = new ArrayList<>();
        sections.add(waits(basis));
        sections.add(weekMap(basis));
        sections.add(weeks(basis));
        if (basis.whole()) {
            sections.add(served(basis));
        }
        return sections;
    }

    private static Section waits(Basis basis) {
        Map<String, long[]> sums = new TreeMap<>();
        basis.facts().groups().forEach(group -> {
            if (group.key().size() > 0) {
                long[] sum = sums.computeIfAbsent(group.key().model(), model -> new long[3]);
                sum[0] += group.sums().started();
                sum[1] += group.sums().waitMs();
                sum[2] += group.sums().waitGpuMs();
            }
        });
        List<List<Cell>> rows = sums.entrySet().stream()
                .filter(entry -> entry.getValue()[0] > 0)
                .sorted(Comparator.comparingLong((Map.Entry<String, long[]> entry) -> entry.getValue()[2])
                        .reversed()
                        .thenComparing(Map.Entry::getKey))
                .map(entry -> List.of(
                        Breakdowns.name(entry.getKey()),
                        Cell.count(entry.getValue()[0]),
                        Cell.length(entry.getValue()[1] / entry.getValue()[0]),
                        Cell.hours(entry.getValue()[2])))
                .toList();
        return new Section(
                "waiting",
                List.of(),
                new Sheet(
                        "waiting",
                        List.of(
                                Column.of("name", Kind.TEXT),
                                Column.of("started", Kind.COUNT),
                                Column.of("wait-mean", Kind.LENGTH),
                                Column.of("wait-gpu", Kind.HOURS)),
                        rows),
                Optional.of(new Chart.Bars("name", List.of(new Part("wait-gpu", Tone.IDLE)), 15)),
                List.of(Say.of("waiting.note")));
    }

    private static Section weeks(Basis basis) {
        List<Instant> begins = weekBegins(basis.period(), basis.zone());
        List<List<Cell>> rows = new ArrayList<>();
        for (Wait wait : basis.facts().waits()) {
            Instant begin = wait.week() == 0 ? basis.period().from() : begins.get(wait.week() - 1);
            LocalDate day = LocalDate.ofInstant(begin, basis.zone());
            rows.add(List.of(
                    Breakdowns.name(wait.model()),
                    Cell.text(day.toString()),
                    Cell.count(wait.runs()),
                    Cell.length(wait.medianMs()),
                    Cell.length(wait.p90Ms()),
                    Cell.length(wait.sumMs() / wait.runs())));
        }
        Sheet sheet = new Sheet(
                "waiting-weeks",
                List.of(
                        Column.of("name", Kind.TEXT),
                        Column.of("week", Kind.TEXT),
                        Column.of("started", Kind.COUNT),
                        Column.of("wait-median", Kind.LENGTH),
                        Column.of("wait-p90", Kind.LENGTH),
                        Column.hidden("wait-mean", Kind.LENGTH)),
                rows);
        return new Section("waiting-weeks", List.of(), sheet, Optional.empty(), List.of(), 0);
    }

    /** Models by weeks: how long nine in ten waited at most. */
    private static Section weekMap(Basis basis) {
        List<Instant> begins = weekBegins(basis.period(), basis.zone());
        Map<String, Map<Integer, Wait>> models = new TreeMap<>();
        basis.facts().waits().forEach(wait -> models.computeIfAbsent(wait.model(), model -> new HashMap<>())
                .put(wait.week(), wait));
        List<Column> columns = new ArrayList<>(List.of(Column.of("name", Kind.TEXT)));
        List<String> values = new ArrayList<>();
        List<Integer> weeks = basis.facts().waits().stream()
                .map(Wait::week)
                .distinct()
                .sorted()
                .toList();
        for (int week : weeks) {
            Instant begin = week == 0 ? basis.period().from() : begins.get(week - 1);
            String key = "week-" + LocalDate.ofInstant(begin, basis.zone());
            values.add(key);
            columns.add(Column.of(key, Kind.LENGTH));
        }
        List<List<Cell>> rows = new ArrayList<>();
        models.forEach((model, waits) -> {
            List<Cell> row = new ArrayList<>(List.of(Breakdowns.name(model)));
            weeks.forEach(week -> row.add(
                    waits.containsKey(week) ? Cell.length(waits.get(week).p90Ms()) : Cell.unknown(Kind.LENGTH)));
            rows.add(row);
        });
        return new Section(
                "waiting-map",
                List.of(),
                new Sheet("waiting-map", columns, rows),
                weeks.size() > 1 && weeks.size() <= 60
                        ? Optional.of(new Chart.HeatMap("name", values))
                        : Optional.empty(),
                List.of(Say.of("waiting-map.note")),
                weeks.size() <= 60 ? 25 : 0);
    }

    /** Mondays, in the site's zone, within the period. */
    static List<Instant> weekBegins(Period period, java.time.ZoneId zone) {
        List<Instant> begins = new ArrayList<>();
        LocalDate day = LocalDate.ofInstant(period.from(), zone);
        while (day.getDayOfWeek() != DayOfWeek.MONDAY) {
            day = day.plusDays(1);
        }
        for (Instant begin = day.atStartOfDay(zone).toInstant();
                begin.isBefore(period.to());
                begin = day.atStartOfDay(zone).toInstant()) {
            if (begin.isAfter(period.from())) {
                begins.add(begin);
            }
            day = day.plusWeeks(1);
        }
        return begins;
    }

    /** How much of the waiting a GPU of the same model could have served, hour by hour. */
    private static Section served(Basis basis) {
        int count = hours(basis);
        Map<String, Map<Integer, HourUse>> used = new HashMap<>();
        basis.facts().usedHours().forEach(use -> used.computeIfAbsent(use.model(), model -> new HashMap<>())
                .put(use.hour(), use));
        Map<String, long[]> sums = new TreeMap<>();
        for (HourSum sum : basis.facts().modelHours()) {
            if (sum.waitMs() == 0 || sum.hour() >= count) {
                continue;
            }
            long[] row = sums.computeIfAbsent(sum.name(), model -> new long[4]);
            row[0] += sum.waitMs();
            HourUse use = used.getOrDefault(sum.name(), Map.of()).get(sum.hour());
            if (!basis.capacity().knows(sum.hour()) || use == null) {
                row[3] += sum.waitMs();
                continue;
            }
            long free = Math.max(0, basis.capacity().serviceMs(sum.name(), sum.hour()) - sum.heldMs());
            long byFree = Math.min(sum.waitMs(), free);
            long idleHeld = Math.max(0, use.idleMs() - free);
            row[1] += byFree;
            row[2] += Math.min(sum.waitMs() - byFree, idleHeld);
        }
        List<List<Cell>> rows = sums.entrySet().stream()
                .sorted(Comparator.comparingLong((Map.Entry<String, long[]> entry) -> entry.getValue()[0])
                        .reversed()
                        .thenComparing(Map.Entry::getKey))
                .map(entry -> {
                    long[] row = entry.getValue();
                    return List.of(
                            Breakdowns.name(entry.getKey()),
                            Cell.hours(row[0]),
                            Cell.hours(row[2]),
                            Cell.hours(row[1]),
                            Cell.hours(row[0] - row[1] - row[2] - row[3]),
                            Cell.hours(row[3]));
                })
                .toList();
        long idle = sums.values().stream().mapToLong(row -> row[2]).sum();
        long all = sums.values().stream().mapToLong(row -> row[0]).sum();
        return new Section(
                "served",
                all > 0
                        ? List.of(Say.of("served.says", Cell.hours(all), Cell.hours(idle), Cell.ratio(idle, all)))
                        : List.of(Say.of("served.none")),
                new Sheet(
                        "served",
                        List.of(
                                Column.of("name", Kind.TEXT),
                                Column.of("waited", Kind.HOURS),
                                Column.of("wait-idle", Kind.HOURS),
                                Column.of("wait-free", Kind.HOURS),
                                Column.of("wait-busy", Kind.HOURS),
                                Column.of("wait-unknown", Kind.HOURS)),
                        rows),
                Optional.of(new Chart.Bars(
                        "name",
                        List.of(
                                new Part("wait-idle", Tone.IDLE),
                                new Part("wait-free", Tone.FREE),
                                new Part("wait-busy", Tone.USED),
                                new Part("wait-unknown", Tone.UNSEEN)),
                        15)),
                List.of(Say.of("served.note")));
    }

    // ---- how jobs used what they held

    static Section fit(Basis basis) {
        long[][] fields = new long[11][10];
        long all = 0;
        for (Fit fit : basis.facts().right()) {
            fields[fit.memoryTenth().orElse(10)][fit.useTenth()] += fit.seenMs();
            all += fit.seenMs();
        }
        List<Column> columns = new ArrayList<>(List.of(Column.of("memory", Kind.WORD)));
        List<String> values = new ArrayList<>();
        for (int use = 0; use < 10; use++) {
            values.add("use" + use);
            columns.add(Column.of("use" + use, Kind.RATIO));
        }
        List<List<Cell>> rows = new ArrayList<>();
        for (int memory = 10; memory >= 0; memory--) {
            List<Cell> row = new ArrayList<>(List.of(Cell.word("tenth." + memory)));
            long sum = 0;
            for (int use = 0; use < 10; use++) {
                row.add(Cell.ratio(fields[memory][use], all));
                sum += fields[memory][use];
            }
            if (memory < 10 || sum > 0) {
                rows.add(row);
            }
        }
        long small = 0;
        for (int memory = 0; memory < 5; memory++) {
            for (int use = 0; use < 3; use++) {
                small += fields[memory][use];
            }
        }
        return new Section(
                "fit",
                all > 0 ? List.of(Say.of("fit.says", Cell.ratio(small, all))) : List.of(Say.of("nothing-seen")),
                new Sheet("fit", columns, rows),
                Optional.of(new Chart.HeatMap("memory", values)),
                List.of(Say.of("fit.note")));
    }

    static Section efficiency(Basis basis) {
        long[] runs = new long[10];
        long[] seen = new long[10];
        for (Fit fit : basis.facts().right()) {
            runs[fit.useTenth()] += fit.runs();
            seen[fit.useTenth()] += fit.seenMs();
        }
        List<List<Cell>> rows = new ArrayList<>();
        for (int tenth = 0; tenth < 10; tenth++) {
            rows.add(List.of(Cell.word("tenth." + tenth), Cell.count(runs[tenth]), Cell.hours(seen[tenth])));
        }
        return new Section(
                "efficiency",
                List.of(),
                new Sheet(
                        "efficiency",
                        List.of(
                                Column.of("use", Kind.WORD),
                                Column.of("runs", Kind.COUNT),
                                Column.of("seen", Kind.HOURS)),
                        rows),
                Optional.of(new Chart.Columns("use", List.of(new Part("seen", Tone.USED)))),
                List.of(Say.of("efficiency.note")));
    }

    // ---- energy

    static Section energy(Basis basis) {
        Map<String, long[]> sums = new TreeMap<>();
        for (HourUse use : basis.facts().usedHours()) {
            long[] row = sums.computeIfAbsent(use.model(), model -> new long[4]);
            row[0] += use.powerMs();
            row[1] += use.energyJoules();
            row[2] += use.idleEnergyJoules();
            row[3] += use.seenMs();
        }
        List<List<Cell>> rows = new ArrayList<>();
        long energy = 0;
        long idle = 0;
        long told = 0;
        for (Map.Entry<String, long[]> entry : sums.entrySet()) {
            long[] row = entry.getValue();
            if (row[0] > 0) {
                energy += row[1];
                idle += row[2];
                told += row[0];
                rows.add(List.of(
                        Breakdowns.name(entry.getKey()),
                        Cell.hours(row[0]),
                        Cell.energy(row[1]),
                        Cell.energy(row[1] - row[2]),
                        Cell.energy(row[2]),
                        Cell.ratio(row[2], row[1]),
                        mass(basis, row[1])));
            }
        }
        List<Say> says = new ArrayList<>();
        if (told > 0) {
            says.add(Say.of("energy.says", Cell.energy(energy), Cell.energy(idle), Cell.ratio(idle, energy)));
            if (basis.settings().co2GramsPerKwh().isPresent()) {
                says.add(Say.of(
                        "energy.co2",
                        mass(basis, energy),
                        mass(basis, idle),
                        Cell.number(basis.settings().co2GramsPerKwh().getAsDouble()),
                        Cell.text(basis.settings().co2Source())));
            }
        } else {
            says.add(Say.of("nothing-seen"));
        }
        return new Section(
                "energy",
                says,
                new Sheet(
                        "energy",
                        List.of(
                                Column.of("name", Kind.TEXT),
                                Column.of("powered", Kind.HOURS),
                                Column.of("energy", Kind.ENERGY),
                                Column.hidden("busy-energy", Kind.ENERGY),
                                Column.of("idle-energy", Kind.ENERGY),
                                Column.of("idle-share", Kind.RATIO),
                                Column.of("co2", Kind.MASS)),
                        rows),
                Optional.of(new Chart.Bars(
                        "name", List.of(new Part("busy-energy", Tone.USED), new Part("idle-energy", Tone.IDLE)), 15)),
                List.of(Say.of("energy.note")));
    }

    static Cell mass(Basis basis, long joules) {
        return basis.settings().co2GramsPerKwh().isPresent()
                ? Cell.mass(joules / 3.6e6 * basis.settings().co2GramsPerKwh().getAsDouble() / 1000)
                : Cell.unknown(Kind.MASS);
    }

    // ---- fairness

    /** How much of what departments wanted they had, and how alike that is. */
    static Section fairness(Basis basis) {
        int count = hours(basis);
        long most = basis.facts().modelHours().stream()
                .collect(java.util.stream.Collectors.groupingBy(
                        HourSum::hour, java.util.stream.Collectors.summingLong(HourSum::heldMs)))
                .values()
                .stream()
                .mapToLong(Long::longValue)
                .max()
                .orElse(0);
        Map<String, long[]> sums = new TreeMap<>();
        for (HourSum sum : basis.facts().departmentHours()) {
            if (sum.hour() >= count) {
                continue;
            }
            long whole = basis.capacity().knows(sum.hour()) ? basis.capacity().serviceMs(sum.hour()) : most;
            long[] row = sums.computeIfAbsent(sum.name(), name -> new long[2]);
            row[0] += sum.heldMs();
            row[1] += Math.max(sum.heldMs(), Math.min(sum.heldMs() + sum.waitMs(), whole));
        }
        sums.values().removeIf(row -> row[1] == 0);
        long held = sums.values().stream().mapToLong(row -> row[0]).sum();
        long wanted = sums.values().stream().mapToLong(row -> row[1]).sum();
        double sum = 0;
        double squares = 0;
        List<List<Cell>> rows = new ArrayList<>();
        for (Map.Entry<String, long[]> entry : sums.entrySet().stream()
                .sorted(Comparator.comparingLong((Map.Entry<String, long[]> entry) -> entry.getValue()[0])
                        .reversed()
                        .thenComparing(Map.Entry::getKey))
                .toList()) {
            long[] row = entry.getValue();
            double had = (double) row[0] / row[1];
            sum += had;
            squares += had * had;
            rows.add(List.of(
                    Breakdowns.name(entry.getKey()),
                    Cell.hours(row[0]),
                    Cell.hours(row[1]),
                    Cell.ratio(row[0], held),
                    Cell.ratio(row[1], wanted),
                    Cell.ratio(row[0], row[1])));
        }
        return new Section(
                "fairness",
                squares > 0
                        ? List.of(Say.of("fairness.says", Cell.number(sum * sum / (sums.size() * squares))))
                        : List.of(Say.of("nothing-held")),
                new Sheet(
                        "fairness",
                        List.of(
                                Column.of("department", Kind.TEXT),
                                Column.of("held", Kind.HOURS),
                                Column.of("wanted", Kind.HOURS),
                                Column.of("held-share", Kind.RATIO),
                                Column.of("wanted-share", Kind.RATIO),
                                Column.of("had-share", Kind.RATIO)),
                        rows),
                Optional.of(new Chart.Bars("department", List.of(new Part("had-share", Tone.USED)), 15)),
                List.of(Say.of("fairness.note")));
    }

    // ---- trend

    static Section trend(Basis basis) {
        List<List<Cell>> rows = new ArrayList<>();
        List<Basis.Earlier> earlier = new ArrayList<>(basis.earlier());
        java.util.Collections.reverse(earlier);
        earlier.forEach(before -> {
            if (before.total().runs() > 0) {
                rows.add(trend(
                        before.period().name(),
                        before.groups().stream().map(group -> group.key()).toList(),
                        before.total()));
            }
        });
        rows.add(trend(
                basis.period().name(),
                basis.facts().groups().stream().map(group -> group.key()).toList(),
                basis.total()));
        return new Section(
                "trend",
                rows.size() > 1 ? List.of() : List.of(Say.of("trend.none")),
                new Sheet(
                        "trend",
                        List.of(
                                Column.of("period", Kind.TEXT),
                                Column.of("users", Kind.COUNT),
                                Column.of("runs", Kind.COUNT),
                                Column.of("held", Kind.HOURS),
                                Column.of("used", Kind.HOURS),
                                Column.hidden("partly", Kind.HOURS),
                                Column.of("idle", Kind.HOURS),
                                Column.hidden("unseen", Kind.HOURS),
                                Column.of("used-share", Kind.RATIO),
                                Column.of("idle-share", Kind.RATIO)),
                        rows),
                rows.size() > 1 ? Optional.of(new Chart.Columns("period", Breakdowns.HELD)) : Optional.empty(),
                List.of());
    }

    private static List<Cell> trend(String name, List<GroupKey> keys, Sums total) {
        PeriodFacts.Use use = total.use();
        return List.of(
                Cell.text(name),
                Cell.count(keys.stream().map(GroupKey::user).distinct().count()),
                Cell.count(total.runs()),
                Cell.hours(total.gpuMs()),
                Cell.hours(use.usedMs()),
                Cell.hours(Breakdowns.partlyMs(use)),
                Cell.hours(use.idleMs()),
                Cell.hours(Breakdowns.unseenMs(total)),
                Cell.ratio(use.usedMs(), use.seenMs()),
                Cell.ratio(use.idleMs(), use.seenMs()));
    }
}
