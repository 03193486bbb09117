package io.fairwatch.collector.store;

import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.run.Qos;
import io.fairwatch.collector.run.SlurmUser;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Accounts, associations of users, and QoS: always one whole answer of Slurm's accounting. Stateless. */
final class AccountTables {
    private static final String AT = "accounts_at_ms";
    private static final String CLUSTER = "accounts_cluster";
    private static final String LIMITS = "tres_per_user, tres_per_job, tres_group, jobs, submitted, wall_ms";

    private AccountTables() {}

    static void save(Session session, AccountTree tree) throws SQLException {
        session.execute("DELETE FROM slurm_account");
        try (Rows rows = session.append("slurm_account")) {
            int place = 0;
            for (Account account : tree.accounts()) {
                rows.number(place++)
                        .text(account.name())
                        .text(account.parent())
                        .text(account.description())
                        .text(account.organization())
                        .text(Json.write(account.coordinators()))
                        .text(Json.write(account.qos()));
                limits(rows, account.limits());
            }
        }
        session.execute("DELETE FROM slurm_association");
        try (Rows rows = session.append("slurm_association")) {
            int place = 0;
            for (Association association : tree.associations()) {
                rows.number(place++)
                        .text(association.user())
                        .text(association.account())
                        .text(association.partition())
                        .text(association.defaultQos())
                        .text(Json.write(association.qos()))
                        .number(association.fairshare());
                limits(rows, association.limits());
            }
        }
        session.execute("DELETE FROM slurm_user");
        try (Rows rows = session.append("slurm_user")) {
            int place = 0;
            for (SlurmUser user : tree.users()) {
                rows.number(place++)
                        .text(user.name())
                        .text(user.defaultAccount())
                        .text(user.adminLevel())
                        .end();
            }
        }
        session.execute("DELETE FROM slurm_qos");
        try (Rows rows = session.append("slurm_qos")) {
            int place = 0;
            for (Qos qos : tree.qos()) {
                rows.number(place++).text(qos.name()).number(qos.priority());
                limits(rows, qos.limits());
            }
        }
        RunTables.saveValue(session, AT, Long.toString(tree.at().toEpochMilli()));
        RunTables.saveValue(session, CLUSTER, tree.cluster());
    }

    private static void limits(Rows rows, Limits limits) throws SQLException {
        rows.text(limits.tresPerUser())
                .text(limits.tresPerJob())
                .text(limits.tresGroup())
                .number(limits.jobs())
                .number(limits.submitted())
                .length(limits.wall())
                .end();
    }

    static Optional<AccountTree> tree(Session session) throws SQLException {
        Optional<Instant> at = RunTables.instant(session, AT);
        Optional<String> cluster = RunTables.value(session, CLUSTER);
        if (at.isEmpty() || cluster.isEmpty()) {
            return Optional.empty();
        }
        List<Account> accounts = session.query(
                "SELECT name, parent, description, organization, coordinators, qos, " + LIMITS
                        + " FROM slurm_account ORDER BY place",
                cells -> new Account(
                        cells.text(),
                        cells.maybeText(),
                        cells.text(),
                        cells.text(),
                        list(cells),
                        list(cells),
                        limits(cells)));
        List<Association> associations = session.query(
                "SELECT user_name, account, partition_name, default_qos, qos, fairshare, " + LIMITS
                        + " FROM slurm_association ORDER BY place",
                cells -> new Association(
                        cells.text(),
                        cells.text(),
                        cells.maybeText(),
                        cells.maybeText(),
                        list(cells),
                        cells.maybeNumber(),
                        limits(cells)));
        List<SlurmUser> users = session.query(
                "SELECT name, default_account, admin_level FROM slurm_user ORDER BY place",
                cells -> new SlurmUser(cells.text(), cells.maybeText(), cells.text()));
        List<Qos> qos = session.query(
                "SELECT name, priority, " + LIMITS + " FROM slurm_qos ORDER BY place",
                cells -> new Qos(cells.text(), cells.number(), limits(cells)));
        return Optional.of(new AccountTree(at.get(), cluster.get(), accounts, associations, users, qos));
    }

    private static List<String> list(Cells cells) throws SQLException {
        return Arrays.asList(Json.read(cells.text(), String[].class));
    }

    private static Limits limits(Cells cells) throws SQLException {
        return new Limits(
                cells.text(),
                cells.text(),
                cells.text(),
                cells.maybeInteger(),
                cells.maybeInteger(),
                cells.maybeLength());
    }
}
