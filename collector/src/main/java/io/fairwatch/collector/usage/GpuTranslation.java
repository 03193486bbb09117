package io.fairwatch.collector.usage;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.JobOnGpu;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives the GPUs of runs their devices, from what the store has seen where that matters: a day of it at first, a few
 * minutes after that.
 * Confined to the thread that syncs Slurm; blocks on the store. When the store fails, runs come back as they are.
 */
public final class GpuTranslation implements UnaryOperator<List<Run>> {
    private static final Logger LOG = LoggerFactory.getLogger(GpuTranslation.class);
    private static final Duration FIRST = Duration.ofDays(1);
    private static final Duration THEN = Duration.ofMinutes(10);

    private final Store store;
    private final InstantSource clock;
    private final GpuNumbers numbers = new GpuNumbers();
    private Duration lookBack = FIRST;

    public GpuTranslation(Store store, InstantSource clock) {
        this.store = store;
        this.clock = clock;
    }

    @Override
    public List<Run> apply(List<Run> runs) {
        Instant now = clock.instant();
        Instant from = now.minus(lookBack);
        try {
            List<SlurmNode> nodes = store.view().map(SlurmView::nodes).orElse(List.of());
            if (!numbers.learn(nodes, store.gpus())) {
                Map<RunKey, Run> known = new LinkedHashMap<>();
                store.runsWithin(from, now).forEach(run -> known.put(run.key(), run));
                runs.stream().filter(run -> !run.gpus().isEmpty()).forEach(run -> known.put(run.key(), run));
                List<JobOnGpu> evidence = new ArrayList<>(store.jobsOnGpus(from, now));
                evidence.addAll(store.gpusOpenToJobs(from, now));
                numbers.weigh(known.values(), evidence);
                lookBack = THEN;
            }
        } catch (StoreException e) {
            LOG.warn("GPU numbers were not looked at anew: {}", e.getMessage());
        }
        return numbers.translate(runs);
    }
}
