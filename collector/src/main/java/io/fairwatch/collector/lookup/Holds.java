package io.fairwatch.collector.lookup;

import io.fairwatch.collector.lookup.HoldLookup.Held;
import io.fairwatch.collector.lookup.HoldLookup.Holdings;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * What a user or an account has now. Immutable.
 *
 * @param name login name, or charging account
 * @param running jobs that run
 * @param waiting jobs that wait; the waiting rest of an array is one
 * @param gpus GPUs held, by Slurm's word
 * @param gpusIdle how many GPUs of its jobs are idle
 * @param cpus CPUs held
 * @param standing what accounting says of it; absent where there is no accounting, or it does not know the name
 */
public record Holds(
        String name, int running, int waiting, int gpus, int gpusIdle, int cpus, Optional<Standing> standing) {

    Holds(String name, int running, int waiting, int gpus, int gpusIdle, int cpus) {
        this(name, running, waiting, gpus, gpusIdle, cpus, Optional.empty());
    }

    /**
     * What each user has.
     *
     * @param tree who may charge what; absent where there is no accounting
     */
    public static List<Holds> byUser(Holdings holdings, Optional<AccountTree> tree) {
        return by(Run.Owner::user, holdings).stream()
                .map(holds -> holds.with(tree.flatMap(known -> Standing.ofUser(known, holds.name()))))
                .toList();
    }

    /** What each account has, likewise. */
    public static List<Holds> byAccount(Holdings holdings, Optional<AccountTree> tree) {
        return by(Run.Owner::account, holdings).stream()
                .map(holds -> holds.with(tree.flatMap(known -> Standing.ofAccount(known, holds.name()))))
                .toList();
    }

    Holds with(Optional<Standing> standing) {
        return new Holds(name, running, waiting, gpus, gpusIdle, cpus, standing);
    }

    private static List<Holds> by(Function<Run.Owner, String> what, Holdings holdings) {
        Map<String, Holds> sums = new TreeMap<>();
        for (Held held : holdings.running()) {
            Run.Allocation given = held.run().allocation();
            add(
                    sums,
                    new Holds(
                            what.apply(held.run().owner()),
                            1,
                            0,
                            given.gpus().orElse(0),
                            held.idleGpus(),
                            given.cpus().orElse(0)));
        }
        for (PendingJob job : holdings.pending()) {
            add(sums, new Holds(what.apply(job.owner()), 0, 1, 0, 0, 0));
        }
        return sums.values().stream().sorted(Comparator.comparing(Holds::key)).toList();
    }

    private static void add(Map<String, Holds> sums, Holds more) {
        sums.merge(more.name(), more, Holds::plus);
    }

    private Holds plus(Holds other) {
        return new Holds(
                name,
                running + other.running,
                waiting + other.waiting,
                gpus + other.gpus,
                gpusIdle + other.gpusIdle,
                cpus + other.cpus);
    }

    /** Most idle GPUs first, then most GPUs, then most jobs. */
    public String key() {
        return Page.descending(gpusIdle) + Page.descending(gpus) + Page.descending(running) + ' ' + name;
    }
}
