package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Keeps in memory what Slurm tells and what is found, as the contract of {@link Store} says, and fails where it is told
 * to; knows nothing of readings. Thread-safe.
 */
public class MemoryStore implements Store {
    private final Map<RunKey, Run> runs = new LinkedHashMap<>();
    private final List<Run> saved = new ArrayList<>();
    private final Map<String, Instant> marks = new LinkedHashMap<>();
    private final Map<Object, FindingRow> findings = new LinkedHashMap<>();
    private final Map<String, Notice> notices = new LinkedHashMap<>();
    private final Map<String, Exemption> exemptions = new LinkedHashMap<>();
    private final Map<String, Bounce> bounces = new LinkedHashMap<>();
    private final Map<String, AuditEntry> audit = new LinkedHashMap<>();
    private final List<Notice.State> history = new ArrayList<>();
    private final Function<Run, List<GpuUse>> uses;

    /** Whether no view can be saved. */
    public volatile boolean broken;

    /** Which notices cannot be saved. */
    public volatile Predicate<Notice> failing = notice -> false;

    private @Nullable SlurmView view;
    private @Nullable Instant accountingUntil;
    private @Nullable Instant accountingFrom;
    private @Nullable AccountTree accounts;

    public MemoryStore() {
        this(run -> List.of());
    }

    /** @param uses what each run did with its GPUs, whatever the interval */
    public MemoryStore(Function<Run, List<GpuUse>> uses) {
        this.uses = uses;
    }

    // ---- what a test looks at

    /** The one run that is known. */
    public synchronized Run only() {
        if (runs.size() != 1) {
            throw new AssertionError("one run expected: " + runs);
        }
        return runs.values().iterator().next();
    }

    /** All runs that are known. */
    public synchronized List<Run> runs() {
        return List.copyOf(runs.values());
    }

    /** What {@link #saveRuns} was called with, in order. */
    public synchronized List<Run> saved() {
        return List.copyOf(saved);
    }

    /** The newest view, its runs included. */
    public synchronized SlurmView wholeView() {
        if (view == null) {
            throw new AssertionError("no view was saved");
        }
        return view;
    }

    /** States that notices went through, in order. */
    public synchronized List<Notice.State> history() {
        return List.copyOf(history);
    }

    // ---- Slurm

    @Override
    public synchronized void saveView(SlurmView newView) throws StoreException {
        if (broken) {
            throw new StoreException("the disk is full");
        }
        view = newView;
        newView.runs().forEach(this::upsert);
    }

    @Override
    public synchronized void saveRuns(Collection<Run> news) {
        saved.addAll(news);
        news.forEach(this::upsert);
    }

    private void upsert(Run run) {
        Run before = runs.get(run.key());
        runs.put(run.key(), before != null && run.gpus().isEmpty() ? run.withGpus(before.gpus()) : run);
    }

    @Override
    public synchronized Optional<SlurmView> view() {
        return Optional.ofNullable(view)
                .map(seen -> new SlurmView(seen.at(), seen.cluster(), List.of(), seen.pending(), seen.nodes()));
    }

    @Override
    public synchronized List<Run> liveRuns() {
        return runs.values().stream().filter(run -> run.end().isEmpty()).toList();
    }

    @Override
    public synchronized List<Run> runsOf(long jobId) {
        return runs.values().stream().filter(run -> run.key().jobId() == jobId).toList();
    }

    @Override
    public synchronized List<Run> runsWithin(Instant from, Instant to) {
        return runs.values().stream()
                .filter(run -> run.key().start().isBefore(to)
                        && run.end().map(end -> end.isAfter(from)).orElse(true))
                .toList();
    }

    @Override
    public List<HeldSums> heldWithin(Instant from, Instant to) {
        return runsWithin(from, to).stream()
                .map(run -> {
                    long seconds = run.heldWithin(from, to).toSeconds();
                    return new HeldSums(
                            run.owner().account(),
                            run.owner().user(),
                            run.allocation().gpus().orElse(0) * seconds,
                            run.allocation().cpus().orElse(0) * seconds,
                            0);
                })
                .toList();
    }

    @Override
    public List<Run> runsWithin(Instant from, Instant to, String account, String user, int most) {
        return runsWithin(from, to).stream()
                .filter(run -> run.owner().account().equals(account)
                        && run.owner().user().equals(user))
                .limit(most)
                .toList();
    }

    @Override
    public List<AgentLoss> agentLosses(Instant from, Instant to) {
        return List.of();
    }

    @Override
    public synchronized List<Run> runs(RunQuery query) {
        Comparator<RunKey> order = Comparator.comparing(RunKey::start)
                .thenComparing(RunKey::jobId)
                .reversed()
                .thenComparing(RunKey::cluster);
        return runs.values().stream()
                .filter(run -> run.end().isPresent())
                .filter(run -> query.user().map(run.owner().user()::equals).orElse(true))
                .filter(run ->
                        query.account().map(run.owner().account()::equals).orElse(true))
                .filter(run ->
                        query.partition().map(run.owner().partition()::equals).orElse(true))
                .filter(run ->
                        query.node().map(run.allocation().nodes()::contains).orElse(true))
                .filter(run -> query.states().isEmpty() || query.states().contains(run.state()))
                .filter(run ->
                        query.since().map(run.end().orElseThrow()::isAfter).orElse(true))
                .filter(run -> query.until().map(run.key().start()::isBefore).orElse(true))
                .filter(run -> query.after()
                        .map(after -> order.compare(run.key(), after) > 0)
                        .orElse(true))
                .sorted(Comparator.comparing(Run::key, order))
                .limit(query.limit())
                .map(run -> run.withGpus(List.of()))
                .toList();
    }

    @Override
    public synchronized Optional<Instant> accountingUntil() {
        return Optional.ofNullable(accountingUntil);
    }

    @Override
    public synchronized void saveAccountingUntil(Instant until) {
        accountingUntil = until;
    }

    @Override
    public synchronized Optional<Instant> accountingFrom() {
        return Optional.ofNullable(accountingFrom);
    }

    @Override
    public synchronized void saveAccountingFrom(Instant from) {
        accountingFrom = from;
    }

    @Override
    public synchronized void saveAccounts(AccountTree tree) {
        accounts = tree;
    }

    @Override
    public synchronized Optional<AccountTree> accounts() {
        return Optional.ofNullable(accounts);
    }

    @Override
    public Map<RunKey, Integer> gpusTogether(Collection<RunSpan> spans, double busyAboveRatio) {
        throw noReadings();
    }

    @Override
    public List<GpuSlot> gpuSlots(
            List<RunSpan> spans, Instant from, Instant to, double busyAboveRatio, boolean detail) {
        throw noReadings();
    }

    @Override
    public List<JobSlot> jobSlots(List<RunSpan> spans, Instant from, Instant to) {
        throw noReadings();
    }

    // ---- findings and notices

    @Override
    public List<GpuOutside> gpusOutsideJobs(Instant from, Instant to) {
        throw noReadings();
    }

    @Override
    public synchronized Optional<Instant> mark(String name) {
        return Optional.ofNullable(marks.get(name));
    }

    @Override
    public synchronized void saveMark(String name, Instant at) {
        marks.put(name, at);
    }

    @Override
    public synchronized List<FindingRow> openFindings() {
        return findings.values().stream()
                .filter(row -> row.state() != FindingRow.State.RESOLVED)
                .toList();
    }

    @Override
    public synchronized List<FindingRow> findingsOf(long jobId) {
        return findings.values().stream()
                .filter(row -> row.subject() instanceof RunKey run && run.jobId() == jobId)
                .toList();
    }

    @Override
    public synchronized Optional<FindingRow> finding(Subject subject, String rule, Instant since) {
        return Optional.ofNullable(findings.get(List.of(subject, rule, since)));
    }

    @Override
    public synchronized List<Notice> noticesOf(long jobId) {
        return notices.values().stream()
                .filter(notice -> (notice.subject() instanceof RunKey run && run.jobId() == jobId)
                        || (notice.subject() instanceof Subject.Waiting job && job.jobId() == jobId))
                .toList();
    }

    @Override
    public synchronized List<Notice> noticesIn(Collection<Notice.State> states) {
        return notices.values().stream()
                .filter(notice -> states.contains(notice.state()))
                .sorted(Comparator.comparing(Notice::createdAt))
                .toList();
    }

    @Override
    public synchronized List<Notice> noticesIn(Collection<Notice.State> states, Instant changedAfter) {
        return noticesIn(states).stream()
                .filter(notice -> notice.changedAt().isAfter(changedAfter))
                .toList();
    }

    @Override
    public synchronized void saveDecisions(Decisions decisions) throws StoreException {
        if (decisions.notices().stream().anyMatch(failing)) {
            throw new StoreException("failing, as told");
        }
        decisions.findings().forEach(row -> findings.put(List.of(row.subject(), row.rule(), row.since()), row));
        decisions.notices().forEach(notice -> {
            notices.put(notice.id(), notice);
            history.add(notice.state());
        });
        decisions.exemptions().forEach(one -> exemptions.put(one.id(), one));
        decisions.audit().forEach(entry -> audit.putIfAbsent(entry.id(), entry));
    }

    @Override
    public synchronized void saveBounces(Collection<Bounce> more) {
        more.forEach(one -> bounces.put(one.id(), one));
    }

    @Override
    public synchronized List<Bounce> bounces(Instant after) {
        return bounces.values().stream()
                .filter(one -> one.at().isAfter(after))
                .sorted(Comparator.comparing(Bounce::at).reversed())
                .toList();
    }

    @Override
    public synchronized List<Exemption> exemptions(Instant now) {
        return exemptions.values().stream().filter(one -> one.holdsAt(now)).toList();
    }

    @Override
    public synchronized List<AuditEntry> audit(AuditFilter filter) {
        return audit.values().stream()
                .filter(entry -> filter.jobId().isEmpty()
                        || (entry.job().isPresent()
                                && entry.job().getAsLong() == filter.jobId().get()))
                .filter(entry -> filter.user().isEmpty()
                        || entry.user().equals(filter.user().get()))
                .filter(entry -> filter.from().isEmpty()
                        || !entry.at().isBefore(filter.from().get()))
                .filter(entry -> filter.outcome().isEmpty()
                        || entry.outcome() == filter.outcome().get())
                .sorted(Comparator.comparing(AuditEntry::at).reversed())
                .limit(filter.most())
                .toList();
    }

    // ---- readings

    @Override
    public List<GpuUse> gpuUse(Collection<RunSpan> spans, double busyAboveRatio, boolean energy) throws StoreException {
        return spans.stream()
                .flatMap(span -> uses.apply(span.run()).stream().map(use -> within(use, span)))
                .toList();
    }

    private static GpuUse within(GpuUse use, RunSpan span) {
        return new GpuUse(
                use.run(),
                use.node(),
                use.allocated(),
                use.device(),
                span.from(),
                span.to(),
                use.samples(),
                use.coveredSeconds(),
                use.busySeconds(),
                use.idleSeconds(),
                use.utilizationMeanRatio(),
                use.utilizationMaxRatio(),
                use.lastBusyAt(),
                use.memoryUsedMaxBytes(),
                use.processesMax(),
                use.energyJoules(),
                use.work(),
                use.share());
    }

    @Override
    public List<NodeState> nodes() {
        return List.of();
    }

    @Override
    public int append(Collection<NodeSnapshot> snapshots) {
        throw noReadings();
    }

    @Override
    public List<GpuSeen> gpus() {
        throw noReadings();
    }

    @Override
    public List<GpuReadingAt> newestReadings(Collection<String> uuids, Instant at) {
        throw noReadings();
    }

    @Override
    public List<JobOnGpu> jobsOnGpus(Instant from, Instant to) {
        throw noReadings();
    }

    @Override
    public List<JobUse> jobUse(Collection<RunSpan> spans) {
        return List.of();
    }

    @Override
    public PeriodFacts period(PeriodQuestion question) {
        throw noReadings();
    }

    @Override
    public byte[] periodRuns(PeriodQuestion question, UnaryOperator<String> shown) {
        throw noReadings();
    }

    @Override
    public List<PeriodFacts.Group> periodGroups(PeriodQuestion question) {
        throw noReadings();
    }

    @Override
    public List<NodeState> nodes(Collection<String> names) {
        return List.of();
    }

    @Override
    public List<GpuSeries> gpuSeries(RunSpan span, Slots slots) {
        return List.of();
    }

    @Override
    public Map<RunSpan, Map<String, List<OptionalDouble>>> gpuMeans(Map<RunSpan, Slots> asked) {
        return Map.of();
    }

    @Override
    public List<GpuSeries> gpuSeries(Collection<String> uuids, Slots slots) {
        throw noReadings();
    }

    @Override
    public List<JobSeries> jobSeries(RunSpan span, Slots slots) {
        throw noReadings();
    }

    @Override
    public List<Run> runsToSummarize(int most) {
        return List.of();
    }

    @Override
    public void saveSummaries(Collection<RunSummary> summaries) {
        throw noReadings();
    }

    @Override
    public List<RunSummary> summaries(Collection<RunKey> wanted) {
        return List.of();
    }

    @Override
    public void maintain(Instant now) {}

    @Override
    public List<JobOnGpu> gpusOpenToJobs(Instant from, Instant to) {
        throw noReadings();
    }

    @Override
    public void gpuMoments(Instant from, Instant to, Consumer<GpuMoment> each) {
        throw noReadings();
    }

    @Override
    public void readings(Collection<String> uuids, Instant from, Instant to, Consumer<PastReading> each) {
        throw noReadings();
    }

    @Override
    public void cgroups(Collection<Long> jobIds, Instant from, Instant to, Consumer<PastCgroup> each) {
        throw noReadings();
    }

    @Override
    public List<GpuPast> gpuPast(Instant from, Instant to, double busyAboveRatio) {
        throw noReadings();
    }

    private static UnsupportedOperationException noReadings() {
        return new UnsupportedOperationException("readings are for a real store");
    }

    @Override
    public void close() {}
}
