package io.fairwatch.collector.lookup;

import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.run.Qos;
import io.fairwatch.collector.run.SlurmUser;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * What accounting says of a user or an account: associations and QoS, in short. Immutable.
 *
 * @param account of a user: the account that is charged where a job names none; of an account: the one above it; absent if
 *     there is none
 * @param accounts of a user: accounts that may be charged; of an account: those above it, the nearest first
 * @param coordinators who looks after that account
 * @param qos QoS that jobs may use
 * @param users how many users may charge it; absent for a user
 * @param gpusAtMost GPUs that all running jobs may hold together: of an account the smallest limit of its own and of those
 *     above, of a user the largest that a QoS allows; absent: no such limit, or one QoS without
 */
public record Standing(
        Optional<String> account,
        List<String> accounts,
        List<String> coordinators,
        List<String> qos,
        OptionalInt users,
        OptionalLong gpusAtMost) {
    public Standing {
        accounts = List.copyOf(accounts);
        coordinators = List.copyOf(coordinators);
        qos = List.copyOf(qos);
    }

    /** A user's; absent if accounting does not know the user. */
    static Optional<Standing> ofUser(AccountTree tree, String user) {
        List<Association> associations = tree.of(user);
        if (associations.isEmpty()) {
            return Optional.empty();
        }
        Optional<String> account = tree.user(user).flatMap(SlurmUser::defaultAccount);
        List<Qos> qos = associations.stream()
                .flatMap(association -> association.qos().stream())
                .distinct()
                .sorted()
                .flatMap(name -> tree.qos(name).stream())
                .toList();
        boolean limited = !qos.isEmpty()
                && qos.stream().allMatch(one -> one.limits().gpusPerUser().isPresent());
        return Optional.of(new Standing(
                account,
                associations.stream()
                        .map(Association::account)
                        .distinct()
                        .sorted()
                        .toList(),
                account.map(name -> List.copyOf(tree.coordinatorsOf(name))).orElse(List.of()),
                qos.stream().map(Qos::name).toList(),
                OptionalInt.empty(),
                limited
                        ? qos.stream()
                                .mapToLong(one -> one.limits().gpusPerUser().orElse(0))
                                .max()
                        : OptionalLong.empty()));
    }

    /** An account's; absent if accounting does not know it. */
    static Optional<Standing> ofAccount(AccountTree tree, String name) {
        List<Account> path = tree.above(name);
        if (path.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new Standing(
                path.get(0).parent(),
                path.stream().skip(1).map(Account::name).toList(),
                List.copyOf(tree.coordinatorsOf(name)),
                path.get(0).qos().stream().sorted().toList(),
                OptionalInt.of((int) tree.associations().stream()
                        .filter(association -> association.account().equals(name))
                        .map(Association::user)
                        .distinct()
                        .count()),
                path.stream()
                        .map(Account::limits)
                        .map(Limits::gpusOfGroup)
                        .flatMap(limit -> limit.isPresent() ? Stream.of(limit.getAsLong()) : Stream.empty())
                        .mapToLong(Long::longValue)
                        .min()));
    }
}
