package io.fairwatch.collector.run;

import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * One complete answer of Slurm's accounting about who may charge what on one cluster. Immutable. A user without any
 * {@link Association} is unknown to accounting; one without jobs is still here.
 *
 * @param at when it was asked
 * @param cluster which cluster
 * @param accounts all accounts, {@code root} included
 * @param associations of users; those of accounts are in {@link Account}
 * @param users everybody whom accounting knows
 * @param qos all QoS
 */
public record AccountTree(
        Instant at,
        String cluster,
        List<Account> accounts,
        List<Association> associations,
        List<SlurmUser> users,
        List<Qos> qos) {
    public AccountTree {
        accounts = List.copyOf(accounts);
        associations = List.copyOf(associations);
        users = List.copyOf(users);
        qos = List.copyOf(qos);
    }

    public Optional<Account> account(String name) {
        return accounts.stream().filter(account -> account.name().equals(name)).findFirst();
    }

    public Optional<SlurmUser> user(String name) {
        return users.stream().filter(user -> user.name().equals(name)).findFirst();
    }

    public Optional<Qos> qos(String name) {
        return qos.stream().filter(one -> one.name().equals(name)).findFirst();
    }

    /** The account itself, then those above it up to {@code root}; empty if it is not known. */
    public List<Account> above(String account) {
        List<Account> path = new ArrayList<>();
        Set<String> seen = new LinkedHashSet<>();
        Optional<String> name = Optional.of(account);
        while (name.isPresent() && seen.add(name.get())) { // a ring would be Slurm's mistake, and must not hold us
            Optional<Account> found = account(name.get());
            found.ifPresent(path::add);
            name = found.flatMap(Account::parent);
        }
        return path;
    }

    /** The names of an account and of all below it; empty if it is not known. */
    public Set<String> below(String account) {
        Set<String> names = new LinkedHashSet<>();
        Deque<String> left = new ArrayDeque<>();
        account(account).ifPresent(known -> left.add(known.name()));
        while (!left.isEmpty()) {
            String name = left.remove();
            if (names.add(name)) {
                accounts.stream()
                        .filter(other -> other.parent().equals(Optional.of(name)))
                        .forEach(other -> left.add(other.name()));
            }
        }
        return names;
    }

    /** Users who look after an account: its own coordinators and, as in Slurm, those of every account above. */
    public Set<String> coordinatorsOf(String account) {
        Set<String> users = new TreeSet<>();
        above(account).forEach(one -> users.addAll(one.coordinators()));
        return users;
    }

    /** Names of the accounts that a user looks after, those below included. */
    public Set<String> coordinatedBy(String user) {
        Set<String> names = new TreeSet<>();
        accounts.stream()
                .filter(account -> account.coordinators().contains(user))
                .forEach(account -> names.addAll(below(account.name())));
        return names;
    }

    /** The associations of a user. */
    public List<Association> of(String user) {
        return associations.stream()
                .filter(association -> association.user().equals(user))
                .toList();
    }
}
