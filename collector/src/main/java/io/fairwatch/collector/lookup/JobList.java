package io.fairwatch.collector.lookup;

import io.fairwatch.collector.lookup.HoldLookup.Filter;
import io.fairwatch.collector.lookup.HoldLookup.Holdings;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.RunQuery;
import io.fairwatch.collector.store.RunSummary;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Lists of jobs that run, wait or have ended, at any time. Thread-safe; blocks on the store. */
public final class JobList {
    private static final Set<JobState> RUNNING = Arrays.stream(JobState.values())
            .filter(JobState::holdsAllocation)
            .collect(Collectors.toCollection(() -> EnumSet.noneOf(JobState.class)));
    private static final Set<JobState> PENDING = EnumSet.of(JobState.PENDING);
    private static final Set<JobState> ENDED = EnumSet.complementOf(EnumSet.copyOf(
            java.util.stream.Stream.of(RUNNING, PENDING).flatMap(Set::stream).toList()));

    private final Store store;
    private final HoldLookup holds;

    public JobList(Store store, HoldLookup holds) {
        this.store = store;
        this.holds = holds;
    }

    /**
     * Which jobs are asked for.
     *
     * @param filter whose and where
     * @param states in which states
     * @param since only those that held their allocation after it, or were waiting; absent: without limit
     * @param until only those that started before it; absent: without limit
     */
    public record Query(Filter filter, Set<JobState> states, Optional<Instant> since, Optional<Instant> until) {
        public Query {
            states = Set.copyOf(states);
        }

        /** What runs and waits now. */
        public static Query live(Filter filter) {
            return new Query(filter, states("running,pending"), Optional.empty(), Optional.empty());
        }

        /**
         * What is asked for when times or states are named: without a state, those that held their allocation.
         *
         * @param states e.g. {@code running,failed}; also {@code ended} and {@code all}
         */
        public static Query of(
                Filter filter, Optional<String> states, Optional<Instant> since, Optional<Instant> until) {
            if (states.isEmpty() && since.isEmpty() && until.isEmpty()) {
                return live(filter);
            }
            return new Query(filter, states(states.orElse("running,ended")), since, until);
        }

        private static Set<JobState> states(String words) {
            Set<JobState> states = EnumSet.noneOf(JobState.class);
            for (String word : words.split(",", -1)) {
                states.addAll(
                        switch (word) {
                            case "running" -> RUNNING;
                            case "pending" -> PENDING;
                            case "ended" -> ENDED;
                            case "all" -> EnumSet.allOf(JobState.class);
                            default -> EnumSet.of(state(word));
                        });
            }
            return states;
        }

        private static JobState state(String word) {
            return Arrays.stream(JobState.values())
                    .filter(state -> state.name().toLowerCase(Locale.ROOT).equals(word))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("state: \"" + Plain.line(word, 40)
                            + "\" (expected: running, pending, ended, all, or Slurm's word for a state, e.g. failed)"));
        }

        boolean asksFor(Set<JobState> any) {
            return states.stream().anyMatch(any::contains);
        }
    }

    /** The asked part of a list, newest first. */
    public Listing<JobLine> find(Query query, Page page) throws StoreException {
        List<JobLine> lines = new ArrayList<>();
        // GPUs of running jobs are looked at only where they are asked for
        Holdings now = query.asksFor(RUNNING) ? holds.held(query.filter()) : holds.waiting(query.filter());
        now.running().stream()
                .filter(held -> query.states().contains(held.run().state()))
                .filter(held -> query.until()
                        .filter(until -> !held.run().key().start().isBefore(until))
                        .isEmpty())
                .map(JobLine::of)
                .forEach(lines::add);
        if (query.asksFor(PENDING)) {
            now.pending().stream()
                    .filter(job -> query.until()
                            .filter(until -> !job.submit().isBefore(until))
                            .isEmpty())
                    .map(JobLine::of)
                    .forEach(lines::add);
        }
        if (query.asksFor(ENDED)) {
            List<Run> runs = store.runs(ended(query, page));
            Map<RunKey, RunSummary> summaries = summaries(runs);
            for (Run run : runs) {
                lines.add(JobLine.of(run, Optional.ofNullable(summaries.get(run.key()))));
            }
        }
        lines.sort(Comparator.comparing(JobLine::key));
        return Listing.of(now.at(), now.slurmAsOf(), now.simulated(), page.of(lines, JobLine::key));
    }

    /**
     * All runs of a job, newest first.
     *
     * @param id as people write it
     */
    public Listing<JobLine> runsOf(String id) throws StoreException {
        JobId job = JobId.parse(id);
        Holdings now = holds.waiting(Filter.ALL);
        List<Run> runs = store.runsOf(job.number()).stream().filter(job::isOf).toList();
        Map<RunKey, RunSummary> summaries = summaries(runs);
        List<JobLine> lines = runs.stream()
                .map(run -> JobLine.of(run, Optional.ofNullable(summaries.get(run.key()))))
                .sorted(Comparator.comparing(JobLine::key))
                .toList();
        return Listing.of(now.at(), now.slurmAsOf(), now.simulated(), Page.FIRST.of(lines, JobLine::key));
    }

    private Map<RunKey, RunSummary> summaries(List<Run> runs) throws StoreException {
        Map<RunKey, RunSummary> summaries = new HashMap<>();
        store.summaries(runs.stream().map(Run::key).toList()).forEach(summary -> summaries.put(summary.run(), summary));
        return summaries;
    }

    /** One more than fits, so that it is known whether there are more. */
    private static RunQuery ended(Query query, Page page) {
        Filter filter = query.filter();
        return new RunQuery(
                filter.user(),
                filter.account(),
                filter.partition(),
                filter.node(),
                query.states().stream().filter(ENDED::contains).collect(Collectors.toSet()),
                query.since(),
                query.until(),
                page.after().map(JobList::after),
                page.limit() + 1);
    }

    /** The run behind which a page begins; reads {@link JobLine#key}. */
    private static RunKey after(String key) {
        String[] parts = key.split(" ", 3);
        try {
            return new RunKey(
                    parts[2],
                    Long.MAX_VALUE - Long.parseLong(parts[1]),
                    Instant.ofEpochMilli(Long.MAX_VALUE - Long.parseLong(parts[0])));
        } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException e) {
            throw new IllegalArgumentException(
                    "after: not a cursor of this list (expected: the field next of an answer)", e);
        }
    }
}
