package io.fairwatch.collector.report;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.SlurmCommand;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import io.fairwatch.collector.slurm.SreportParser;
import io.fairwatch.collector.slurm.SreportParser.Used;
import io.fairwatch.collector.slurm.SreportParser.Utilization;
import io.fairwatch.collector.store.HeldSums;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.text.Table;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Compares what a report counts as allocated with what {@code sreport} counts, account by account and person by person,
 * and says of each difference where it comes from. Only sums leave the store, and the runs of those who differ. Blocks on
 * Slurm and on the store.
 *
 * <p>slurmdbd rolls whole hours up, later; so the period is cut to whole hours that have passed. It counts suspended time
 * of GPUs and memory as held and takes it off CPUs, gives the unused time of reservations to everybody who may use them,
 * and counts memory in MiB.
 */
public final class AccountingCheck {
    /** So many runs of one person are looked at to explain a difference, so many differences and causes told. */
    private static final int MOST_RUNS = 10_000;

    private static final int MOST_EXPLAINED = 200;
    private static final int MOST_CAUSES = 20;

    private final Store store;
    private final SlurmCommand command;
    private final InstantSource clock;

    public AccountingCheck(Store store, SlurmCommand command, InstantSource clock) {
        this.store = store;
        this.command = command;
        this.clock = clock;
    }

    /**
     * What one account and person had. Immutable.
     *
     * @param account charged account
     * @param user login name
     * @param resource TRES
     * @param ours what a report counts, in seconds
     * @param slurms what sreport counts, in seconds
     * @param causes where the difference comes from; empty when there is none
     */
    public record Line(String account, String user, String resource, long ours, long slurms, List<String> causes) {
        public Line {
            causes = List.copyOf(causes);
        }

        public long difference() {
            return ours - slurms;
        }
    }

    /**
     * The answer. Immutable.
     *
     * @param from begin of what was compared
     * @param to end of what was compared
     * @param lines by account, person and resource
     * @param cluster what sreport says of the whole cluster
     */
    public record Answer(Instant from, Instant to, List<Line> lines, List<Utilization> cluster) {
        public Answer {
            lines = List.copyOf(lines);
            cluster = List.copyOf(cluster);
        }

        public boolean agrees() {
            return lines.stream().allMatch(line -> line.difference() == 0);
        }
    }

    private record Who(String account, String user, String resource) implements Comparable<Who> {
        @Override
        public int compareTo(Who other) {
            int byAccount = account.compareTo(other.account);
            int byUser = byAccount != 0 ? byAccount : user.compareTo(other.user);
            return byUser != 0 ? byUser : resource.compareTo(other.resource);
        }
    }

    /** Compares a period, as far as it has passed in whole hours. */
    public Answer compare(Period period) throws StoreException, SlurmException, InterruptedException {
        Instant from = wholeHour(period.from());
        from = from.isBefore(period.from()) ? from.plus(1, ChronoUnit.HOURS) : from;
        String cluster = store.view()
                .map(Store.SlurmView::cluster)
                .orElseThrow(() -> new IllegalArgumentException("Slurm was never asked, so its cluster is not known"));
        Instant to = wholeHour(period.to());
        Instant hour = wholeHour(clock.instant());
        if (!to.isBefore(hour)) {
            // the running hour too, where somebody had it rolled up
            to = isRolledUp(cluster, hour) ? hour.plus(1, ChronoUnit.HOURS) : hour;
        }
        if (!from.isBefore(to)) {
            throw new IllegalArgumentException(
                    "period: no whole hour of it has passed (expected: at least one, for slurmdbd rolls up hours)");
        }
        Map<Who, Long> ours = ours(store.heldWithin(from, to));
        Map<Who, Long> slurms = new HashMap<>();
        List<Utilization> utilization = List.of();
        // sreport cuts a period of several hours where the running one begins, so that one is asked for by itself
        for (Instant[] part : parts(from, hour, to)) {
            for (Used used : SreportParser.parseByUser(
                    command.run("sreport", SreportParser.byUser(cluster, part[0], part[1])))) {
                slurms.merge(new Who(used.account(), used.user(), used.resource()), used.seconds(), Long::sum);
            }
            utilization = sums(utilization, utilization(cluster, part[0], part[1]));
        }
        Map<Who, Long> all = new TreeMap<>(ours);
        slurms.forEach((who, seconds) -> all.putIfAbsent(who, 0L));
        List<Line> lines = new ArrayList<>();
        int explained = 0;
        Optional<Instant> until = store.accountingUntil();
        for (Who who : all.keySet()) {
            long mine = ours.getOrDefault(who, 0L);
            long theirs = slurms.getOrDefault(who, 0L);
            List<String> causes = List.of();
            if (mine != theirs) {
                causes = explained++ < MOST_EXPLAINED
                        ? causes(
                                who,
                                mine,
                                theirs,
                                store.runsWithin(from, to, who.account(), who.user(), MOST_RUNS),
                                from,
                                to,
                                until,
                                utilization)
                        : List.of("not looked into: " + MOST_EXPLAINED + " differences above were");
            }
            lines.add(new Line(who.account(), who.user(), who.resource(), mine, theirs, causes));
        }
        return new Answer(from, to, lines, utilization);
    }

    private static List<Instant[]> parts(Instant from, Instant hour, Instant to) {
        return from.isBefore(hour) && to.isAfter(hour)
                ? List.of(new Instant[] {from, hour}, new Instant[] {hour, to})
                : List.<Instant[]>of(new Instant[] {from, to});
    }

    private List<Utilization> utilization(String cluster, Instant from, Instant to)
            throws SlurmException, InterruptedException {
        return SreportParser.parseUtilization(command.run("sreport", SreportParser.utilization(cluster, from, to)));
    }

    private static List<Utilization> sums(List<Utilization> some, List<Utilization> more) {
        Map<String, Utilization> sums = new LinkedHashMap<>();
        Stream.concat(some.stream(), more.stream()).forEach(of -> sums.merge(of.resource(), of, Utilization::plus));
        return List.copyOf(sums.values());
    }

    private boolean isRolledUp(String cluster, Instant hour) throws SlurmException, InterruptedException {
        return utilization(cluster, hour, hour.plus(1, ChronoUnit.HOURS)).stream()
                .anyMatch(of -> of.reported() > 0);
    }

    private static Instant wholeHour(Instant at) {
        return at.truncatedTo(ChronoUnit.HOURS);
    }

    private static Map<Who, Long> ours(List<HeldSums> sums) {
        Map<Who, Long> ours = new HashMap<>();
        for (HeldSums sum : sums) {
            put(ours, new Who(sum.account(), sum.user(), "gres/gpu"), sum.gpuSeconds());
            put(ours, new Who(sum.account(), sum.user(), "cpu"), sum.cpuSeconds());
            put(ours, new Who(sum.account(), sum.user(), "mem"), sum.memoryMibSeconds());
        }
        return ours;
    }

    private static void put(Map<Who, Long> ours, Who who, long seconds) {
        if (seconds > 0) {
            ours.put(who, seconds);
        }
    }

    private static long held(Run run, Instant from, Instant to) {
        Instant begin = run.key().start().isAfter(from) ? run.key().start() : from;
        Instant told = run.end().orElse(run.asOf());
        Instant end = told.isBefore(to) ? told : to;
        return end.isAfter(begin) ? Duration.between(begin, end).toSeconds() : 0;
    }

    private static long seconds(Run run, String resource, Instant from, Instant to) {
        long held = held(run, from, to);
        return switch (resource) {
            case "gres/gpu" -> held * run.allocation().gpus().orElse(0);
            case "mem" -> held * (run.allocation().memoryBytes().orElse(0) >> 20);
            default ->
                Math.max(0, held - (isWhole(run, from, to) ? run.suspended().toSeconds() : 0))
                        * run.allocation().cpus().orElse(0);
        };
    }

    private static boolean isWhole(Run run, Instant from, Instant to) {
        return !run.key().start().isBefore(from)
                && run.end().map(end -> !end.isAfter(to)).orElse(false);
    }

    /** What is known to make such a difference, as far as it applies to these runs. */
    private static List<String> causes(
            Who who,
            long ours,
            long slurms,
            List<Run> runs,
            Instant from,
            Instant to,
            Optional<Instant> until,
            List<Utilization> utilization) {
        List<String> causes = new ArrayList<>();
        boolean rolledUp = utilization.stream().anyMatch(of -> of.reported() > 0);
        if (!rolledUp) {
            causes.add("slurmdbd has rolled up no hour of this period yet");
        }
        if (until.isEmpty() || until.get().isBefore(to)) {
            causes.add("ended jobs are known to Fairwatch only until "
                    + until.map(Instant::toString).orElse("never: its accounting has not answered"));
        }
        if (runs.isEmpty()) {
            causes.add("Fairwatch knows no run of it: older than slurm.history, or the unused time of a reservation,"
                    + " which sreport gives to all who may use it");
        }
        for (Run run : runs) {
            if (causes.size() >= MOST_CAUSES) {
                causes.add("and more of " + (runs.size() < MOST_RUNS ? runs.size() + " runs" : "many runs"));
                break;
            }
            if (who.resource().equals("cpu") && !run.suspended().isZero() && !isWhole(run, from, to)) {
                causes.add("job " + run.displayId() + " was suspended for "
                        + run.suspended().toSeconds()
                        + " s and is cut at the border: Slurm's commands do not tell when");
            }
            if (run.end().isEmpty() && run.asOf().isAfter(from)) {
                causes.add("job " + run.displayId() + " has no end yet: counted by Fairwatch until " + run.asOf()
                        + ", as Slurm confirmed it, and by sreport to the end of the hour");
            }
        }
        long difference = ours - slurms;
        runs.stream()
                .filter(run -> difference > 0 && seconds(run, who.resource(), from, to) == difference)
                .limit(3)
                .forEach(run -> causes.add("exactly job " + run.displayId()
                        + ": it is missing in slurmdbd's roll-up, as when it came too late or was purged"));
        long counted = runs.stream()
                .filter(run -> seconds(run, who.resource(), from, to) > 0)
                .count();
        if (slurms == 0 && rolledUp && counted > 1) {
            causes.add("exactly all their jobs, " + (runs.size() < MOST_RUNS ? counted : "more than " + counted)
                    + ": they are missing in slurmdbd's roll-up, as when they came too late or were purged");
        }
        if (slurms > ours) {
            String reservations = runs.stream()
                    .flatMap(run -> run.reservation().stream())
                    .distinct()
                    .sorted()
                    .limit(3)
                    .collect(Collectors.joining(", "));
            if (!reservations.isEmpty()) {
                causes.add("sreport counts more, and jobs ran in a reservation (" + reservations
                        + "): it gives the unused time of one to all who may use it");
            }
        }
        if (slurms > ours && !runs.isEmpty() && causes.isEmpty()) {
            causes.add("sreport counts more: the unused time of a reservation, or a job that Fairwatch does not know");
        }
        if (causes.isEmpty()) {
            causes.add("not explained: compare sacct -X -D -u " + Plain.line(who.user(), 60) + " for these hours");
        }
        return causes;
    }

    /** For people. */
    public static String text(Answer answer) {
        StringBuilder text = new StringBuilder();
        text.append("Compared with sreport from ")
                .append(answer.from())
                .append(" to ")
                .append(answer.to())
                .append(", in seconds (memory in MiB-seconds)\n\n");
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"account", "user", "resource", "Fairwatch", "sreport", "difference"});
        answer.lines()
                .forEach(line -> rows.add(new String[] {
                    Plain.line(line.account(), 30),
                    Plain.line(line.user(), 40),
                    line.resource(),
                    Long.toString(line.ours()),
                    Long.toString(line.slurms()),
                    Long.toString(line.difference())
                }));
        text.append(Table.render(rows)).append('\n');
        answer.lines().stream().filter(line -> line.difference() != 0).forEach(line -> line.causes()
                .forEach(cause -> text.append(Plain.line(line.account(), 30))
                        .append(' ')
                        .append(Plain.line(line.user(), 40))
                        .append(' ')
                        .append(line.resource())
                        .append(": ")
                        .append(Plain.line(cause, 300))
                        .append('\n')));
        answer.cluster()
                .forEach(of -> text.append(String.format(
                        Locale.ROOT,
                        "sreport, whole cluster, %s: allocated %d, down %d, planned down %d, idle %d, reported %d%n",
                        of.resource(),
                        of.allocated(),
                        of.down(),
                        of.planned(),
                        of.idle(),
                        of.reported())));
        text.append(answer.agrees() ? "They agree to the second.\n" : "They differ.\n");
        return text.toString();
    }
}
