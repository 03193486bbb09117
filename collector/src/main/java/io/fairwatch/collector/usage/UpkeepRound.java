package io.fairwatch.collector.usage;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.store.RunSummary;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets the store do what is due, then sums up the runs that have ended. Confined to one thread at a time; blocks on the
 * store.
 */
public final class UpkeepRound {
    /** How often there may be something to do. */
    public static final Duration EVERY = Duration.ofMinutes(1);

    private static final Logger LOG = LoggerFactory.getLogger(UpkeepRound.class);
    private static final int RUNS_AT_ONCE = 500;

    private final Store store;
    private final double busyAboveRatio;
    private final InstantSource clock;

    /**
     * Made once.
     *
     * @param busyAboveRatio a reading above this counts as busy in summaries
     */
    public UpkeepRound(Store store, double busyAboveRatio, InstantSource clock) {
        this.store = store;
        this.busyAboveRatio = busyAboveRatio;
        this.clock = clock;
    }

    /**
     * One round.
     *
     * @return how many runs were summed up
     */
    public int run() throws StoreException {
        store.maintain(clock.instant());
        int made = 0;
        int now;
        do {
            now = summarize();
            made += now;
        } while (now == RUNS_AT_ONCE && !Thread.currentThread().isInterrupted());
        if (made > 0) {
            LOG.debug("summaries made runs={}", made);
        }
        return made;
    }

    private int summarize() throws StoreException {
        List<Run> runs = store.runsToSummarize(RUNS_AT_ONCE);
        if (runs.isEmpty()) {
            return 0;
        }
        List<RunSpan> spans = runs.stream()
                .map(run -> new RunSpan(run, run.key().start(), run.end().orElseThrow()))
                .toList();
        Map<RunKey, List<GpuUse>> gpus =
                store.gpuUse(spans, busyAboveRatio).stream().collect(Collectors.groupingBy(GpuUse::run));
        Map<RunKey, JobUse> jobs =
                store.jobUse(spans).stream().collect(Collectors.toMap(JobUse::run, Function.identity(), (a, b) -> a));
        Instant madeAt = clock.instant();
        store.saveSummaries(spans.stream()
                .map(span -> new RunSummary(
                        span.run().key(),
                        span.to(),
                        madeAt,
                        busyAboveRatio,
                        gpus.getOrDefault(span.run().key(), List.of()),
                        Optional.ofNullable(jobs.get(span.run().key()))))
                .toList());
        return runs.size();
    }
}
