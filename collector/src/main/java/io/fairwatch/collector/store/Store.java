package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.run.Subject;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * Everything that the collector knows. Thread-safe; every call blocks, so none may come from an event loop. Intervals are
 * {@code [from, to)} unless said otherwise. What a method wrote has survived a {@code kill -9} once it returns.
 */
public interface Store extends AutoCloseable {

    // ---- readings

    /**
     * Keeps snapshots. One that is already there (same node, boot and sequence) changes nothing; order does not matter.
     *
     * @return how many were new
     */
    int append(Collection<NodeSnapshot> snapshots) throws StoreException;

    /**
     * Keeps several batches as {@link #append} does, in one transaction where the store can: what a group commit needs.
     *
     * @return for each batch in turn, how many were new
     */
    default List<Integer> appendAll(List<List<NodeSnapshot>> batches) throws StoreException {
        List<Integer> stored = new ArrayList<>(batches.size());
        for (List<NodeSnapshot> batch : batches) {
            stored.add(append(batch));
        }
        return stored;
    }

    /** Every node that ever sent a snapshot, with what its newest one said. */
    List<NodeState> nodes() throws StoreException;

    /** As {@link #nodes()}, only of the given nodes; one that never sent a snapshot is left out. */
    List<NodeState> nodes(Collection<String> names) throws StoreException;

    /** Agents that dropped snapshots within {@code [from, to)}, by node. */
    List<AgentLoss> agentLosses(Instant from, Instant to) throws StoreException;

    /** Every GPU ever reported, with where and when it was seen last. */
    List<GpuSeen> gpus() throws StoreException;

    /** The newest reading of each GPU in {@code uuids} at or before {@code at}; GPUs without any are left out. */
    List<GpuReadingAt> newestReadings(Collection<String> uuids, Instant at) throws StoreException;

    /**
     * Which job's processes were seen on which GPU in an interval: evidence for what Slurm's numbers mean, and for use
     * of GPUs that Slurm does not know.
     */
    List<JobOnGpu> jobsOnGpus(Instant from, Instant to) throws StoreException;

    /**
     * Which GPUs the device cgroups of jobs let them open in an interval: what Slurm gave, seen from the node. Only where
     * nodes tell, and never for a GPU in slices.
     */
    List<JobOnGpu> gpusOpenToJobs(Instant from, Instant to) throws StoreException;

    /**
     * How busy every GPU was, period by period, of periods that end in {@code (from, to]}; oldest first, to whom it
     * concerns, because there are many. Only of late: what is sealed is not read.
     */
    void gpuMoments(Instant from, Instant to, Consumer<GpuMoment> each) throws StoreException;

    /** Readings of some GPUs as they came, of periods that end in {@code (from, to]}, oldest first. */
    void readings(Collection<String> uuids, Instant from, Instant to, Consumer<PastReading> each) throws StoreException;

    /** What nodes read of some jobs' cgroups, of periods that end in {@code (from, to]}, oldest first. */
    void cgroups(Collection<Long> jobIds, Instant from, Instant to, Consumer<PastCgroup> each) throws StoreException;

    /** What readings whose periods end in {@code (from, to]} say of every GPU in all. */
    List<GpuPast> gpuPast(Instant from, Instant to, double busyAboveRatio) throws StoreException;

    // ---- Slurm

    /**
     * Replaces what is known of live jobs and nodes by one complete answer of Slurm, in one transaction. Runs are
     * inserted or updated by their key; GPUs once known are kept when {@code view} no longer names them; a run that was
     * live and is no longer in {@code view} stays as it is until {@link #saveRuns} brings its end.
     */
    void saveView(SlurmView view) throws StoreException;

    /** Inserts or updates runs by their key, keeping GPUs once known when the newer value names none. */
    void saveRuns(Collection<Run> runs) throws StoreException;

    /** The newest complete answer of Slurm about live jobs, except for runs; empty before the first. */
    Optional<SlurmView> view() throws StoreException;

    /** Runs that have no end yet. */
    List<Run> liveRuns() throws StoreException;

    /** All runs of a job by its raw id, or of all tasks of an array or components of a het job by its leader's id; newest first. */
    List<Run> runsOf(long jobId) throws StoreException;

    /** Runs that held their allocation at some time of {@code [from, to)}, by start. */
    List<Run> runsWithin(Instant from, Instant to) throws StoreException;

    /**
     * What everybody held in {@code [from, to)} by account and user, those who held something; a run without an end counts
     * as far as Slurm has confirmed it. However many runs there were, only sums come back.
     */
    List<HeldSums> heldWithin(Instant from, Instant to) throws StoreException;

    /** Runs of one person under one account that held their allocation at some time of {@code [from, to)}, by start; at
     * most so many, without their GPUs. */
    List<Run> runsWithin(Instant from, Instant to, String account, String user, int most) throws StoreException;

    /** Ended runs, a part at a time, without their GPUs. */
    List<Run> runs(RunQuery query) throws StoreException;

    /** Until when ended jobs are known completely; empty before the first answer of the accounting. */
    Optional<Instant> accountingUntil() throws StoreException;

    /** Remembers {@link #accountingUntil}. */
    void saveAccountingUntil(Instant until) throws StoreException;

    /** Since when ended jobs are known completely, up to {@link #accountingUntil}; empty before the first answer. */
    Optional<Instant> accountingFrom() throws StoreException;

    /** Remembers {@link #accountingFrom}. */
    void saveAccountingFrom(Instant from) throws StoreException;

    /** Replaces accounts, associations and QoS by one complete answer, in one transaction. */
    void saveAccounts(AccountTree tree) throws StoreException;

    /** The newest complete answer about accounts; empty before the first, and where there is no accounting. */
    Optional<AccountTree> accounts() throws StoreException;

    // ---- allocated and used, joined

    /**
     * What each run did with each GPU that it was given or used, in one interval each. A set-wise query, never one per
     * run.
     *
     * @param spans which part of which run; a part begins no earlier than its run and ends no later
     * @param busyAboveRatio a reading counts as busy when its largest sample is above this
     * @param energy whether energy is wanted, which costs a quarter of it; else it may be absent
     * @return one for each run and GPU, GPUs without any reading included
     */
    List<GpuUse> gpuUse(Collection<RunSpan> spans, double busyAboveRatio, boolean energy) throws StoreException;

    /** The same with energy. */
    default List<GpuUse> gpuUse(Collection<RunSpan> spans, double busyAboveRatio) throws StoreException {
        return gpuUse(spans, busyAboveRatio, true);
    }

    /** What each run did with CPU and memory, by its cgroups, in one interval each; one for each run that was seen. */
    List<JobUse> jobUse(Collection<RunSpan> spans) throws StoreException;

    /**
     * Most GPUs of each run that were busy in the same minutes, of its given ones; runs of which nothing is known are left
     * out. A set-wise query.
     */
    Map<RunKey, Integer> gpusTogether(Collection<RunSpan> spans, double busyAboveRatio) throws StoreException;

    /**
     * Readings of {@code [from, to)} of the GPUs that runs were given, in slots of five minutes, by time.
     *
     * @param spans which part of which run; a slot names its place in this list
     * @param detail whether traffic and activity are wanted, too
     */
    List<GpuSlot> gpuSlots(List<RunSpan> spans, Instant from, Instant to, double busyAboveRatio, boolean detail)
            throws StoreException;

    /** The same of the cgroups of runs' jobs, by time. */
    List<JobSlot> jobSlots(List<RunSpan> spans, Instant from, Instant to) throws StoreException;

    // ---- a whole period

    /** Everything that a report of a period is made of, in sums. */
    PeriodFacts period(PeriodQuestion question) throws StoreException;

    /**
     * The runs of a period, one row each with what nodes saw of it, as the bytes of a Parquet file.
     *
     * @param shown how a user is called in it; an empty text for not at all
     */
    byte[] periodRuns(PeriodQuestion question, UnaryOperator<String> shown) throws StoreException;

    /** The runs of a period by everything that they are divided by, and nothing else of it. */
    List<PeriodFacts.Group> periodGroups(PeriodQuestion question) throws StoreException;

    /**
     * What a run's GPUs did, slot by slot: those that it was given, each at least without points, and those that it used
     * without. Only readings that end within the run's own span count, so that the next owner's are left out.
     */
    List<GpuSeries> gpuSeries(RunSpan span, Slots slots) throws StoreException;

    /**
     * How busy the GPUs were that runs were given, each span in its own slots. A set-wise query, for drawings of many runs.
     *
     * @param asked which part of which run, and its slots
     * @return for each span by UUID the mean utilisation of each slot, ratio 0..1, absent where it was not measured
     */
    Map<RunSpan, Map<String, List<OptionalDouble>>> gpuMeans(Map<RunSpan, Slots> asked) throws StoreException;

    /** What some GPUs did, slot by slot, whoever had them; GPUs that were never reported are left out. */
    List<GpuSeries> gpuSeries(Collection<String> uuids, Slots slots) throws StoreException;

    /** What a run did with CPU and memory, slot by slot, on each node that saw it in its span. */
    List<JobSeries> jobSeries(RunSpan span, Slots slots) throws StoreException;

    /**
     * Ended runs that have no summary and for which one can be made: the hours of their lives are sealed, and they did not
     * end before anything was read; oldest end first.
     */
    List<Run> runsToSummarize(int most) throws StoreException;

    /** Keeps summaries, each in the place of the one that its run may have. */
    void saveSummaries(Collection<RunSummary> summaries) throws StoreException;

    /** The summaries of these runs, as far as they have one. */
    List<RunSummary> summaries(Collection<RunKey> runs) throws StoreException;

    // ---- upkeep

    /**
     * Does what is due: seals hours, makes roll-ups, forgets what is older than it is to be kept. Takes long, holds up
     * nobody, and may be killed at any instant. Never called twice at a time.
     */
    void maintain(Instant now) throws StoreException;

    /**
     * Every GPU that was read in {@code (from, to]}, with what ran on it and belongs to no job. For times of which the
     * readings are not sealed yet: an hour at most.
     */
    List<GpuOutside> gpusOutsideJobs(Instant from, Instant to) throws StoreException;

    // ---- findings and notices

    /** A time that was remembered under a name; empty if none was. */
    Optional<Instant> mark(String name) throws StoreException;

    /** Remembers a time under a name. */
    void saveMark(String name, Instant at) throws StoreException;

    /** Episodes that have not ended. */
    List<FindingRow> openFindings() throws StoreException;

    /** All episodes of a job, newest first. */
    List<FindingRow> findingsOf(long jobId) throws StoreException;

    /** The episode that began then; empty if there is none. */
    Optional<FindingRow> finding(Subject subject, String rule, Instant since) throws StoreException;

    /** Notices of a job, newest first; also those from when it waited. */
    List<Notice> noticesOf(long jobId) throws StoreException;

    /** Notices in one of the given states, oldest first. */
    List<Notice> noticesIn(Collection<Notice.State> states) throws StoreException;

    /** Notices in one of the given states that changed after that, oldest first. */
    List<Notice> noticesIn(Collection<Notice.State> states, Instant changedAfter) throws StoreException;

    /** Inserts or updates findings by run, rule and beginning, and notices by id, in one transaction. */
    default void saveFindings(Collection<FindingRow> findings, Collection<Notice> notices) throws StoreException {
        saveDecisions(new Decisions(findings, notices, List.of(), List.of()));
    }

    /** Does what {@link #saveFindings} does, inserts or updates exemptions by id, and appends to the audit trail, all in one
     * transaction. An entry of the trail whose id is there changes nothing. */
    void saveDecisions(Decisions decisions) throws StoreException;

    /** Inserts or updates by id. */
    void saveBounces(Collection<Bounce> bounces) throws StoreException;

    /** Mails that came back after that, newest first. */
    List<Bounce> bounces(Instant after) throws StoreException;

    /** Exemptions that have not ended at {@code now}, oldest first. */
    List<Exemption> exemptions(Instant now) throws StoreException;

    /** The audit trail, newest first. */
    List<AuditEntry> audit(AuditFilter filter) throws StoreException;

    @Override
    void close() throws StoreException;

    /** What is kept together. Immutable. */
    record Decisions(
            Collection<FindingRow> findings,
            Collection<Notice> notices,
            Collection<Exemption> exemptions,
            Collection<AuditEntry> audit) {
        public Decisions {
            findings = List.copyOf(findings);
            notices = List.copyOf(notices);
            exemptions = List.copyOf(exemptions);
            audit = List.copyOf(audit);
        }
    }

    /**
     * Which part of the audit trail.
     *
     * @param jobId about this job alone; absent: about all and none
     * @param user about this user alone; absent: about everybody
     * @param from not before this; absent: from the beginning
     * @param outcome what became of it; absent: whatever
     * @param most most entries
     */
    record AuditFilter(
            Optional<Long> jobId,
            Optional<String> user,
            Optional<Instant> from,
            Optional<AuditEntry.Outcome> outcome,
            int most) {
        /** Whatever became of it. */
        public AuditFilter(Optional<Long> jobId, Optional<String> user, Optional<Instant> from, int most) {
            this(jobId, user, from, Optional.empty(), most);
        }
    }

    /** A part of a run. */
    record RunSpan(Run run, Instant from, Instant to) {
        /** By which run it is, not by all that is known of it: parts are looked up by the hundred thousand. */
        @Override
        public int hashCode() {
            return 31 * (31 * run.key().hashCode() + from.hashCode()) + to.hashCode();
        }
    }

    /** The store could not do what it was asked; nothing of it was done. */
    final class StoreException extends Exception {
        public StoreException(String message, Throwable cause) {
            super(message, cause);
        }

        public StoreException(String message) {
            super(message);
        }
    }

    /**
     * One complete answer of Slurm about what lives now. Immutable.
     *
     * @param at when it was asked
     * @param cluster which cluster
     * @param runs jobs that hold an allocation, and those that Slurm still remembers after their end
     * @param pending jobs that wait
     * @param nodes all nodes
     */
    record SlurmView(Instant at, String cluster, List<Run> runs, List<PendingJob> pending, List<SlurmNode> nodes) {
        public SlurmView {
            runs = List.copyOf(runs);
            pending = List.copyOf(pending);
            nodes = List.copyOf(nodes);
        }
    }
}
