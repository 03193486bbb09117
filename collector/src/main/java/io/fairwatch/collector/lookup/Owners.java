package io.fairwatch.collector.lookup;

import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Whose jobs are, and who looks after whom. Thread-safe; blocks on the store. */
public final class Owners {
    /** Knows of no job and no account. */
    public static final Owners NOBODY = new Owners(Optional.empty());

    private final Optional<Store> store;

    public Owners(Store store) {
        this(Optional.of(store));
    }

    private Owners(Optional<Store> store) {
        this.store = store;
    }

    /**
     * The owners of all runs of a job, and of it while it waits; none if nobody knows it.
     *
     * @param id as people write it
     * @throws IllegalArgumentException if it is no id
     */
    public List<Run.Owner> of(String id) throws StoreException {
        JobId job = JobId.parse(id);
        List<Run.Owner> owners = new ArrayList<>();
        if (store.isPresent()) {
            store.get().runsOf(job.number()).forEach(run -> owners.add(run.owner()));
            store.get().view().map(SlurmView::pending).orElse(List.of()).stream()
                    .filter(waiting -> job.isOf(waiting.jobId(), waiting.displayId()))
                    .forEach(waiting -> owners.add(waiting.owner()));
        }
        return owners;
    }

    /** Who may charge what; empty where there is no accounting. */
    public Optional<AccountTree> accounts() throws StoreException {
        return store.isPresent() ? store.get().accounts() : Optional.empty();
    }

    /** Whether all that a user may charge is looked after by another. */
    public boolean isCoordinated(String user, String coordinator) throws StoreException {
        Optional<AccountTree> tree = accounts();
        if (tree.isEmpty()) {
            return false;
        }
        Set<String> accounts = tree.get().coordinatedBy(coordinator);
        return !tree.get().of(user).isEmpty()
                && tree.get().of(user).stream().allMatch(association -> accounts.contains(association.account()));
    }
}
