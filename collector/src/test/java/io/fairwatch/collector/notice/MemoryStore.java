package io.fairwatch.collector.notice;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuReadingAt;
import io.fairwatch.collector.store.GpuSeen;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobOnGpu;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/** As much of a store as notices need, in memory. Thread-safe. */
final class MemoryStore implements Store {
    private final Map<Object, Run> runs = new LinkedHashMap<>();
    private final Map<Object, FindingRow> findings = new LinkedHashMap<>();
    private final Map<String, Notice> notices = new LinkedHashMap<>();

    /** Which writes fail. */
    volatile Predicate<Notice> failing = notice -> false;

    /** States that notices went through, in order. */
    final List<Notice.State> history = new ArrayList<>();

    @Override
    public synchronized void saveRuns(Collection<Run> saved) {
        saved.forEach(run -> runs.put(run.key(), run));
    }

    @Override
    public synchronized List<Run> runsOf(long jobId) {
        return runs.values().stream().filter(run -> run.key().jobId() == jobId).toList();
    }

    @Override
    public synchronized List<FindingRow> findingsOf(long jobId) {
        return findings.values().stream()
                .filter(row -> row.run().jobId() == jobId)
                .toList();
    }

    @Override
    public synchronized List<Notice> noticesOf(long jobId) {
        return notices.values().stream()
                .filter(notice -> notice.run().jobId() == jobId)
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
    public synchronized void saveFindings(Collection<FindingRow> rows, Collection<Notice> saved) throws StoreException {
        if (saved.stream().anyMatch(failing)) {
            throw new StoreException("failing, as told");
        }
        rows.forEach(row -> findings.put(List.of(row.run(), row.rule(), row.since()), row));
        saved.forEach(notice -> {
            notices.put(notice.id(), notice);
            history.add(notice.state());
        });
    }

    @Override
    public List<GpuUse> gpuUse(Collection<RunSpan> spans, double busyAboveRatio) {
        return spans.stream().flatMap(span -> Samples.uses(span.run()).stream()).toList();
    }

    @Override
    public void close() {}

    private static UnsupportedOperationException notNeeded() {
        return new UnsupportedOperationException("notices have no use for this");
    }

    @Override
    public int append(Collection<NodeSnapshot> snapshots) {
        throw notNeeded();
    }

    @Override
    public List<NodeState> nodes() {
        return List.of();
    }

    @Override
    public List<GpuSeen> gpus() {
        throw notNeeded();
    }

    @Override
    public List<GpuReadingAt> newestReadings(Collection<String> uuids, Instant at) {
        throw notNeeded();
    }

    @Override
    public List<JobOnGpu> jobsOnGpus(Instant from, Instant to) {
        throw notNeeded();
    }

    @Override
    public void saveView(SlurmView view) {
        throw notNeeded();
    }

    @Override
    public Optional<SlurmView> view() {
        throw notNeeded();
    }

    @Override
    public List<Run> liveRuns() {
        throw notNeeded();
    }

    @Override
    public List<Run> runsWithin(Instant from, Instant to) {
        throw notNeeded();
    }

    @Override
    public Optional<Instant> accountingUntil() {
        throw notNeeded();
    }

    @Override
    public void saveAccountingUntil(Instant until) {
        throw notNeeded();
    }

    @Override
    public List<JobUse> jobUse(Collection<RunSpan> spans) {
        throw notNeeded();
    }

    @Override
    public List<FindingRow> openFindings() {
        throw notNeeded();
    }
}
