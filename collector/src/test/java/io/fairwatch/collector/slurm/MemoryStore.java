package io.fairwatch.collector.slurm;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Keeps in memory what Slurm tells, as the contract of {@link Store} says; knows nothing of readings and findings. */
final class MemoryStore implements Store {
    final Map<RunKey, Run> runs = new LinkedHashMap<>();
    final List<Run> saved = new ArrayList<>();

    @Nullable
    SlurmView view;

    @Nullable
    Instant accountingUntil;

    boolean broken;

    Run only() {
        if (runs.size() != 1) {
            throw new AssertionError("one run expected: " + runs);
        }
        return runs.values().iterator().next();
    }

    @Override
    public void saveView(SlurmView newView) throws StoreException {
        if (broken) {
            throw new StoreException("the disk is full");
        }
        view = newView;
        newView.runs().forEach(this::upsert);
    }

    @Override
    public void saveRuns(Collection<Run> news) {
        saved.addAll(news);
        news.forEach(this::upsert);
    }

    private void upsert(Run run) {
        Run before = runs.get(run.key());
        runs.put(run.key(), before != null && run.gpus().isEmpty() ? run.withGpus(before.gpus()) : run);
    }

    @Override
    public Optional<SlurmView> view() {
        return Optional.ofNullable(view);
    }

    @Override
    public List<Run> liveRuns() {
        return runs.values().stream().filter(run -> run.end().isEmpty()).toList();
    }

    @Override
    public List<Run> runsWithin(Instant from, Instant to) {
        return runs.values().stream()
                .filter(run -> run.key().start().isBefore(to)
                        && run.end().map(end -> end.isAfter(from)).orElse(true))
                .toList();
    }

    @Override
    public Optional<Instant> accountingUntil() {
        return Optional.ofNullable(accountingUntil);
    }

    @Override
    public void saveAccountingUntil(Instant until) {
        accountingUntil = until;
    }

    @Override
    public List<Run> runsOf(long jobId) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int append(Collection<NodeSnapshot> snapshots) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<NodeState> nodes() {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<GpuSeen> gpus() {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<GpuReadingAt> newestReadings(Collection<String> uuids, Instant at) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<JobOnGpu> jobsOnGpus(Instant from, Instant to) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<GpuUse> gpuUse(Collection<RunSpan> spans, double busyAboveRatio) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<JobUse> jobUse(Collection<RunSpan> spans) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<FindingRow> openFindings() {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<FindingRow> findingsOf(long jobId) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<Notice> noticesOf(long jobId) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<Notice> noticesIn(Collection<Notice.State> states) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void saveFindings(Collection<FindingRow> findings, Collection<Notice> notices) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
}
