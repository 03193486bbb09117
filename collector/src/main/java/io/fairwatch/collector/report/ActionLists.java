package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Cell.Kind;
import io.fairwatch.collector.report.Report.Script;
import io.fairwatch.collector.report.Sheet.Column;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.run.Qos;
import io.fairwatch.collector.store.PeriodFacts.LastRun;
import io.fairwatch.collector.store.PeriodFacts.Terms;
import io.fairwatch.collector.text.Plain;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Lists that somebody should act on, and the commands for it as scripts. The scripts only print what they would do until
 * they are called with {@code --run}; nothing here runs them. Names that a command could misread are left out and said to
 * be. Stateless.
 */
final class ActionLists {
    /** What sacctmgr takes for one name; it splits at commas and takes {@code =} for an option. */
    private static final Pattern PLAIN_NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,254}");

    /** A path without anything that a shell, a terminal or find could take for something else. */
    private static final Pattern PLAIN_PATH = Pattern.compile("/[\\p{L}\\p{N} _.@+,:=/-]{1,4000}");

    private static final long ENOUGH_RUNS = 20;

    /** Somebody who held nothing in the period. */
    record Inactive(String user, String cluster, String account, Optional<Instant> last) {}

    private ActionLists() {}

    // ---- people without a job

    /**
     * Whoever may run jobs by Slurm's accounting, or ran something earlier where accounting never told, and held nothing in
     * the period. Who is gone from accounting, or may use nothing but the small QoS already, is left alone.
     */
    static List<Inactive> inactive(Basis basis) {
        Set<String> active =
                basis.facts().groups().stream().map(group -> group.key().user()).collect(Collectors.toSet());
        Map<String, Inactive> newest = new TreeMap<>();
        for (LastRun run : basis.facts().lastRuns()) {
            if (!active.contains(run.user())) {
                Inactive other = new Inactive(run.user(), run.cluster(), run.account(), Optional.of(run.last()));
                newest.merge(run.user(), other, (a, b) -> later(b, a) ? b : a);
            }
        }
        basis.tree().ifPresent(tree -> {
            Map<String, Association> known = new TreeMap<>();
            tree.associations().stream()
                    .filter(association ->
                            !association.qos().equals(List.of(basis.settings().smallQos())))
                    .forEach(association -> known.putIfAbsent(association.user(), association));
            tree.users().stream()
                    .filter(user -> !user.adminLevel().equalsIgnoreCase("None"))
                    .forEach(user -> known.remove(user.name()));
            newest.keySet().retainAll(known.keySet());
            known.forEach((user, association) -> {
                if (!active.contains(user)) {
                    newest.putIfAbsent(
                            user, new Inactive(user, tree.cluster(), association.account(), Optional.empty()));
                }
            });
        });
        return newest.values().stream()
                .sorted(Comparator.comparing((Inactive one) -> one.last().orElse(Instant.MIN))
                        .thenComparing(Inactive::user))
                .toList();
    }

    private static boolean later(Inactive a, Inactive b) {
        return a.last().orElse(Instant.MIN).isAfter(b.last().orElse(Instant.MIN));
    }

    static Section inactiveSection(Basis basis, List<Inactive> inactive) {
        List<List<Cell>> rows = inactive.stream()
                .map(one -> List.of(
                        basis.people().cell(one.user()),
                        Cell.text(one.account()),
                        one.last().isPresent() ? Cell.time(one.last()) : Cell.unknown(Kind.TIME)))
                .toList();
        return new Section(
                "inactive",
                List.of(
                        inactive.isEmpty()
                                ? Say.of("inactive.none")
                                : Say.of("inactive.says", Cell.count(inactive.size()))),
                new Sheet(
                        "inactive",
                        List.of(
                                Column.of("user", Kind.TEXT),
                                Column.of("account", Kind.TEXT),
                                Column.of("last-run", Kind.TIME)),
                        rows),
                Optional.empty(),
                List.of(Say.of(basis.tree().isPresent() ? "inactive.note.accounting" : "inactive.note")));
    }

    static Script inactiveScript(Basis basis, List<Inactive> inactive) {
        String qos = basis.settings().smallQos();
        StringBuilder script = head(
                basis,
                "Users without a job in " + basis.period().name() + ", moved to the QoS " + qos + ".",
                "They keep their accounts; undo with: sacctmgr modify user where name=USER set qos=...");
        script.append("small() { # USER CLUSTER LAST_DAY\n"
                + "  doit sacctmgr -i modify user where name=\"$1\" cluster=\"$2\" set qos="
                + quoted(qos) + " defaultqos=" + quoted(qos) + "\n}\n\n");
        for (Inactive one : inactive) {
            if (PLAIN_NAME.matcher(one.user()).matches()
                    && PLAIN_NAME.matcher(one.cluster()).matches()) {
                script.append("small ")
                        .append(quoted(one.user()))
                        .append(' ')
                        .append(quoted(one.cluster()))
                        .append(' ')
                        .append(one.last()
                                .map(at -> LocalDate.ofInstant(at, basis.zone()).toString())
                                .orElse("never"))
                        .append('\n');
            } else {
                script.append("# left out, sacctmgr could misread the name: ")
                        .append(Plain.line(one.user(), 100))
                        .append('\n');
            }
        }
        return new Script("inactive-users.sh", script.toString());
    }

    // ---- scratch

    static Script scratchScript(Basis basis, List<Scratch.Old> old) {
        long days = basis.settings().untouched().toDays();
        StringBuilder script = head(
                basis,
                "Scratch directories that nobody wrote to for " + days + " days, or whose owner is gone.",
                "Run it on each node, as root: it touches only what is that node's, is still owned by the same uid,"
                        + " and holds nothing newer.");
        script.append("""
                here=$(hostname -s)
                clear() { # NODE UID DAYS PATH
                  [ "$1" = "$here" ] || return 0
                  if [ -L "$4" ] || [ ! -d "$4" ]; then echo "skipped, no directory: $4"; return 0; fi
                  if [ "$(stat -c %u -- "$4")" != "$2" ]; then echo "skipped, another owner: $4"; return 0; fi
                  if [ "$3" -gt 0 ] && [ -n "$(find "$4" -xdev -mtime "-$3" -print -quit)" ]; then
                    echo "skipped, written to since: $4"; return 0
                  fi
                  doit rm -rf --one-file-system -- "$4"
                }

                """);
        for (Scratch.Old one : old) {
            boolean plain = PLAIN_PATH.matcher(one.path()).matches()
                    && !one.path().contains("/../")
                    && !one.path().endsWith("/..")
                    && !one.path().endsWith("/.")
                    && !one.path().endsWith("/")
                    && PLAIN_NAME.matcher(one.node()).matches();
            String what = Plain.bytes(one.bytes())
                    + one.lastWrite()
                            .map(at -> ", last written " + LocalDate.ofInstant(at, basis.zone()))
                            .orElse("")
                    + (one.ownerGone() ? ", owner gone" : "");
            if (plain && one.uid().isPresent() && one.lastWrite().isPresent()) {
                boolean untouched = !one.ownerGone();
                script.append("clear ")
                        .append(quoted(one.node()))
                        .append(' ')
                        .append(one.uid().getAsInt())
                        .append(' ')
                        .append(untouched ? days : 0)
                        .append(' ')
                        .append(quoted(one.path()))
                        .append(" # ")
                        .append(what)
                        .append('\n');
            } else {
                script.append("# left out, look for yourself: ")
                        .append(Plain.line(one.node() + " " + one.path(), 200))
                        .append(" (")
                        .append(what)
                        .append(")\n");
            }
        }
        return new Script("old-scratch.sh", script.toString());
    }

    private static StringBuilder head(Basis basis, String what, String more) {
        return new StringBuilder("#!/bin/sh\n")
                .append("# ")
                .append(Plain.line(what, 200))
                .append('\n')
                .append("# ")
                .append(more)
                .append('\n')
                .append("# Made by Fairwatch from the report of ")
                .append(Plain.line(basis.period().name(), 60))
                .append(" for a person to read. Delete what shall stay. Without --run it only prints.\n")
                .append("set -u\n")
                .append("run=no\n[ \"${1:-}\" != --run ] || run=yes\n")
                .append("doit() { if [ \"$run\" = yes ]; then \"$@\"; else printf '%s ' \"$@\"; echo; fi; }\n\n");
    }

    /** One word for a POSIX shell, whatever is in it. */
    static String quoted(String text) {
        return "'" + text.replace("'", "'\\''") + "'";
    }

    // ---- QoS that never fit

    /** Accounts whose jobs ask for what they do not need under a QoS, or the other way round. */
    static Section terms(Basis basis) {
        Map<AccountQos, Long> held =
                new TreeMap<>(Comparator.comparing(AccountQos::account).thenComparing(AccountQos::qos));
        basis.facts()
                .groups()
                .forEach(group -> held.merge(
                        new AccountQos(group.key().account(), group.key().qos()),
                        group.sums().gpuMs(),
                        Long::sum));
        List<List<Cell>> rows = new ArrayList<>();
        for (Terms terms : basis.facts().terms()) {
            Limits limits = basis.tree()
                    .flatMap(tree -> tree.qos(terms.qos()))
                    .map(Qos::limits)
                    .orElse(Limits.NONE);
            Optional<String> why = why(terms, limits);
            if (why.isPresent()) {
                OptionalLong allowed = limits.gpusPerUser().isPresent() ? limits.gpusPerUser() : limits.gpusPerJob();
                rows.add(List.of(
                        Breakdowns.name(terms.account()),
                        Breakdowns.name(terms.qos()),
                        Cell.word(why.get()),
                        Cell.count(terms.runs()),
                        Cell.count(terms.mostGpus()),
                        allowed.isPresent() ? Cell.count(allowed.getAsLong()) : Cell.unknown(Kind.COUNT),
                        Cell.ratio(terms.timeouts(), terms.runs()),
                        Cell.ratio(terms.ranMs(), terms.limitMs()),
                        limits.wall()
                                .map(wall -> Cell.length(wall.toMillis()))
                                .orElseGet(() -> Cell.unknown(Kind.LENGTH)),
                        Cell.hours(held.getOrDefault(new AccountQos(terms.account(), terms.qos()), 0L))));
            }
        }
        rows.sort(Comparator.comparingDouble((List<Cell> row) -> row.get(9).drawn())
                .reversed());
        return new Section(
                "terms",
                List.of(rows.isEmpty() ? Say.of("terms.none") : Say.of("terms.says", Cell.count(rows.size()))),
                new Sheet(
                        "terms",
                        List.of(
                                Column.of("account", Kind.TEXT),
                                Column.of("qos", Kind.TEXT),
                                Column.of("why", Kind.WORD),
                                Column.of("runs", Kind.COUNT),
                                Column.of("most-gpus", Kind.COUNT),
                                Column.of("qos-gpus", Kind.COUNT),
                                Column.of("timeouts", Kind.RATIO),
                                Column.of("limit-used", Kind.RATIO),
                                Column.of("qos-wall", Kind.LENGTH),
                                Column.hidden("held", Kind.HOURS)),
                        rows),
                Optional.empty(),
                List.of(Say.of("terms.note", Cell.count(ENOUGH_RUNS))));
    }

    private record AccountQos(String account, String qos) {}

    private static Optional<String> why(Terms terms, Limits limits) {
        if (terms.runs() < ENOUGH_RUNS) {
            return Optional.empty();
        }
        if (terms.timeouts() * 5 >= terms.runs()) {
            return Optional.of("terms.too-short");
        }
        if (terms.longest().isPresent() && terms.longest().getAsDouble() < 0.2) {
            return Optional.of("terms.too-long");
        }
        long allowed = limits.gpusPerUser().orElse(limits.gpusPerJob().orElse(0));
        if (allowed > 0 && terms.mostGpus() == 0) {
            return Optional.of("terms.no-gpu");
        }
        if (allowed >= 4 && terms.mostGpus() * 4L <= allowed) {
            return Optional.of("terms.too-many");
        }
        return Optional.empty();
    }
}
