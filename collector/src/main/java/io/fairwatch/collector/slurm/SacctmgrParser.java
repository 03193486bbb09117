package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.run.Qos;
import io.fairwatch.collector.run.SlurmUser;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * Reads accounts, associations, users and QoS from {@code sacctmgr -P}, whose columns are delimited by {@code |} in every
 * version. Only administrators write these names; what they write of an account may hold a delimiter and comes last. A row
 * that does not fit is left out and told. Stateless.
 */
final class SacctmgrParser {
    private static final List<String> ASSOCIATION = List.of(
            "cluster",
            "account",
            "user",
            "partition",
            "parentname",
            "defaultqos",
            "qos",
            "fairshare",
            "maxtres",
            "grptres",
            "maxjobs",
            "maxsubmit",
            "maxwall");
    private static final List<String> ACCOUNT = List.of("account", "coordinators", "organization", "description");
    private static final List<String> USER = List.of("user", "defaultaccount", "adminlevel");
    private static final List<String> QOS =
            List.of("name", "priority", "maxtrespu", "maxtres", "grptres", "maxjobspu", "maxsubmitpu", "maxwall");

    private SacctmgrParser() {}

    /**
     * What {@code sacctmgr} printed, by what it was asked for.
     *
     * @param associations printed for {@link #associations}
     */
    @SuppressWarnings("ArrayRecordComponent") // bytes that are read once and never compared
    record Printed(byte[] associations, byte[] accounts, byte[] users, byte[] qos) {}

    /**
     * One answer.
     *
     * @param problems rows that could not be read, one sentence each; such a row is left out
     */
    record Accounts(AccountTree tree, List<String> problems) {
        Accounts {
            problems = List.copyOf(problems);
        }
    }

    static List<String> associations() {
        return show("association", ASSOCIATION);
    }

    static List<String> accounts() {
        return show("account", ACCOUNT, "withcoord");
    }

    static List<String> users() {
        return show("user", USER);
    }

    static List<String> qos() {
        return show("qos", QOS);
    }

    private static List<String> show(String what, List<String> columns, String... options) {
        List<String> arguments = new ArrayList<>(List.of("--readonly", "-P", "-n", "show", what));
        arguments.addAll(List.of(options));
        arguments.add("format=" + String.join(",", columns));
        return arguments;
    }

    /**
     * Puts the answers of one moment together.
     *
     * @throws SlurmException if there is no account of this cluster: no slurmdbd is without {@code root}
     */
    static Accounts parse(Printed printed, String cluster, Instant at) throws SlurmException {
        List<String> problems = new ArrayList<>();
        Map<String, List<String>> descriptions = new LinkedHashMap<>();
        rows("account", printed.accounts(), ACCOUNT, problems, row -> descriptions.putIfAbsent(row.get(0), row));
        List<Account> accounts = new ArrayList<>();
        List<Association> associations = new ArrayList<>();
        rows("association", printed.associations(), ASSOCIATION, problems, row -> {
            if (!row.get(0).equals(cluster)) {
                return; // slurmdbd may serve several
            }
            Limits limits = limits("", row.subList(8, 13));
            if (row.get(2).isEmpty()) {
                List<String> description = descriptions.getOrDefault(row.get(1), List.of("", "", "", ""));
                accounts.add(new Account(
                        row.get(1),
                        said(row.get(4)),
                        description.get(3),
                        description.get(2),
                        list(description.get(1)),
                        list(row.get(6)),
                        limits));
            } else {
                associations.add(new Association(
                        row.get(2),
                        row.get(1),
                        said(row.get(3)),
                        said(row.get(5)),
                        list(row.get(6)),
                        number(row.get(7)),
                        limits));
            }
        });
        List<SlurmUser> users = new ArrayList<>();
        rows("user", printed.users(), USER, problems, row -> {
            users.add(new SlurmUser(row.get(0), said(row.get(1)), row.get(2)));
        });
        List<Qos> qos = new ArrayList<>();
        rows("qos", printed.qos(), QOS, problems, row -> {
            qos.add(new Qos(row.get(0), number(row.get(1)).orElse(0), limits(row.get(2), row.subList(3, 8))));
        });
        if (accounts.isEmpty()) {
            throw new SlurmException("sacctmgr told no account of the cluster " + cluster
                    + (problems.isEmpty() ? "" : "; " + problems.get(0)));
        }
        return new Accounts(new AccountTree(at, cluster, accounts, associations, users, qos), problems);
    }

    private static void rows(
            String what, byte[] printed, List<String> columns, List<String> problems, Consumer<List<String>> each) {
        for (String line : new String(printed, StandardCharsets.UTF_8).split("\n", -1)) {
            if (line.isEmpty()) {
                continue;
            }
            // the last column of an account may hold delimiters; in the others a delimiter is one too many
            List<String> row = List.of(line.split("\\|", what.equals("account") ? columns.size() : -1));
            if (row.size() == columns.size() && !row.get(0).isBlank()) {
                each.accept(row);
            } else {
                problems.add("sacctmgr show " + what + ": " + shown(line) + " has " + row.size()
                        + " columns (expected: " + columns.size() + ")");
            }
        }
    }

    /** Per job, of all, running jobs, submitted jobs, time. */
    private static Limits limits(String tresPerUser, List<String> cells) {
        return new Limits(
                tresPerUser,
                cells.get(0),
                cells.get(1),
                integer(cells.get(2)),
                integer(cells.get(3)),
                time(cells.get(4)));
    }

    private static Optional<String> said(String text) {
        return text.isEmpty() ? Optional.empty() : Optional.of(text);
    }

    private static List<String> list(String text) {
        return Arrays.stream(text.split(",")).filter(name -> !name.isEmpty()).collect(Collectors.toList());
    }

    private static OptionalLong number(String text) {
        return text.matches("\\d{1,18}") ? OptionalLong.of(Long.parseLong(text)) : OptionalLong.empty();
    }

    private static OptionalInt integer(String text) {
        return text.matches("\\d{1,9}") ? OptionalInt.of(Integer.parseInt(text)) : OptionalInt.empty();
    }

    /** {@code 2-00:00:00}; empty and {@code UNLIMITED} are no limit. */
    private static Optional<Duration> time(String text) {
        try {
            return text.isEmpty() ? Optional.empty() : Optional.of(SacctParser.elapsed(text));
        } catch (IllegalArgumentException expected) {
            return Optional.empty(); // UNLIMITED, or a form that is not known: no limit that could be told
        }
    }

    private static String shown(String text) {
        String clean = text.replaceAll("\\p{Cntrl}", "?");
        return clean.length() <= 80 ? clean : clean.substring(0, 80) + "...";
    }
}
