package io.fairwatch.collector.lookup;

import io.fairwatch.collector.lookup.HoldLookup.Filter;
import io.fairwatch.collector.lookup.HoldLookup.Holdings;
import io.fairwatch.collector.lookup.HoldLookup.IdleGpu;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Puts together what one user has now. Thread-safe; blocks on the store. */
public final class UserLookup {
    private final Store store;
    private final HoldLookup holds;

    public UserLookup(Store store, HoldLookup holds) {
        this.store = store;
        this.holds = holds;
    }

    /**
     * What one user has now. Immutable.
     *
     * @param at when it was put together
     * @param slurmAsOf when Slurm answered last; absent before its first answer
     * @param simulated the sentence that says so when GPUs are simulated
     * @param holds in numbers
     * @param jobs what runs and waits, newest first
     * @param idle GPUs of these jobs that are idle, idle longest first
     * @param findings what rules found of these jobs and has not ended
     */
    public record UserView(
            Instant at,
            Optional<Instant> slurmAsOf,
            Optional<String> simulated,
            Holds holds,
            List<JobLine> jobs,
            List<IdleGpu> idle,
            List<FindingLine> findings) {
        public UserView {
            jobs = List.copyOf(jobs);
            idle = List.copyOf(idle);
            findings = List.copyOf(findings);
        }
    }

    /** Of a user that nobody knows, too: such a one has nothing. */
    public UserView find(String user) throws StoreException {
        Holdings holdings =
                holds.held(new Filter(Optional.of(user), Optional.empty(), Optional.empty(), Optional.empty()));
        List<JobLine> jobs = new ArrayList<>();
        holdings.running().forEach(held -> jobs.add(JobLine.of(held)));
        holdings.pending().forEach(job -> jobs.add(JobLine.of(job)));
        jobs.sort(Comparator.comparing(JobLine::key));
        return new UserView(
                holdings.at(),
                holdings.slurmAsOf(),
                holdings.simulated(),
                Stream.concat(
                                Holds.byUser(holdings, Optional.empty()).stream(),
                                Stream.of(new Holds(user, 0, 0, 0, 0, 0)))
                        .findFirst()
                        .orElseThrow()
                        .with(store.accounts().flatMap(tree -> Standing.ofUser(tree, user))),
                jobs,
                holds.idle(holdings),
                store.openFindings().stream()
                        .filter(finding -> finding.user().equals(user) && finding.state() != FindingRow.State.SUSPECTED)
                        .map(finding -> FindingLine.of(finding, List.of()))
                        .toList());
    }
}
