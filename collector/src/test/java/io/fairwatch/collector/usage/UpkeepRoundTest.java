package io.fairwatch.collector.usage;

import static io.fairwatch.collector.store.Given.BOOT;
import static io.fairwatch.collector.store.Given.NOON;
import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.cgroup;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.run;
import static io.fairwatch.collector.store.Given.snapshot;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.RunSummary;
import io.fairwatch.collector.store.Store;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UpkeepRoundTest {
    @Test
    @DisplayName("every ended run is summed up once, over its whole life, however many there are")
    void summarizes(@TempDir Path directory) throws Exception {
        try (Store store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS)) {
            List<Run> runs =
                    new ArrayList<>(List.of(run(1, NOON, Optional.of(at(60)), allocated("node-a", 0, "GPU-a"))));
            for (int job = 2; job <= 1000; job++) {
                runs.add(run(job, NOON, Optional.of(at(60))));
            }
            store.saveRuns(runs);
            store.append(List.of(
                    snapshot("node-a", BOOT, 1, at(30), List.of(gpu("GPU-a", 0.5, 0)), List.of(cgroup(1, 1, 5, 1))),
                    snapshot("node-a", BOOT, 2, at(60), List.of(gpu("GPU-a", 0.0, 0)), List.of(cgroup(1, 31, 7, 1)))));
            assertEquals(0, new UpkeepRound(store, 0.05, () -> at(3600)).run(), "their hour is not sealed");
            UpkeepRound round = new UpkeepRound(store, 0.05, () -> at(7300));
            assertEquals(1000, round.run());
            assertEquals(0, round.run());
            RunSummary summary = store.summaries(List.of(runs.get(0).key())).get(0);
            assertEquals(at(60), summary.end());
            assertEquals(at(7300), summary.madeAt());
            assertEquals(OptionalDouble.of(0.25), summary.gpus().get(0).utilizationMeanRatio());
            assertEquals(30, summary.gpus().get(0).idleSeconds());
            assertEquals(OptionalDouble.of(30), summary.job().orElseThrow().cpuSeconds());
            RunSummary unseen = store.summaries(List.of(runs.get(1).key())).get(0);
            assertTrue(unseen.gpus().isEmpty() && unseen.job().isEmpty());
        }
    }

    /** What the round asks of the store, and that snapshots are taken while it does. */
    private static final class Watched {
        final List<Integer> batches = new ArrayList<>();
        private final Store store;
        private final ExecutorService ingest = Executors.newSingleThreadExecutor();
        private int sequence = 2;

        Watched(Store store) {
            this.store = store;
        }

        Store watched() {
            return (Store) Proxy.newProxyInstance(
                    Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                        try {
                            Object answer;
                            if (method.getName().equals("gpuUse")
                                    || method.getName().equals("saveSummaries")) {
                                batches.add(((Collection<?>) arguments[0]).size());
                                Future<Integer> sent = ingest.submit(this::send); // while the store works on it
                                answer = method.invoke(store, arguments);
                                assertEquals(1, sent.get(60, TimeUnit.SECONDS));
                            } else {
                                answer = method.invoke(store, arguments);
                            }
                            assertEquals(1, ingest.submit(this::send).get(60, TimeUnit.SECONDS), method.getName());
                            return answer;
                        } catch (InvocationTargetException failed) {
                            throw failed.getCause();
                        }
                    });
        }

        private int send() throws Store.StoreException {
            int number = ++sequence;
            return store.append(List.of(snapshot(
                    "node-a", BOOT, number, at(40 * 3600 + 30 * number), List.of(gpu("GPU-a", 0.5, 0)), List.of())));
        }
    }

    @Test
    @DisplayName(
            "runs that ended while nobody summed up are taken five hundred at a time, and snapshots are taken meanwhile")
    void backlog(@TempDir Path directory) throws Exception {
        try (Store store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS)) {
            List<Run> runs = new ArrayList<>();
            for (int job = 1; job <= 1777; job++) {
                Instant start = at(60 * (1 + job / 16));
                runs.add(run(
                        job,
                        start,
                        Optional.of(start.plusSeconds(60)),
                        allocated("node-a", job % 16, "GPU-" + job % 16)));
            }
            store.saveRuns(runs);
            List<NodeSnapshot> snapshots = new ArrayList<>();
            for (int i = 1; i <= 240; i++) {
                List<GpuReading> gpus = new ArrayList<>();
                for (int gpu = 0; gpu < 16; gpu++) {
                    gpus.add(gpu("GPU-" + gpu, i % 2, i));
                }
                snapshots.add(snapshot("node-a", "boot-before", i, at(30 * i), gpus, List.of()));
            }
            store.append(snapshots);
            Watched watched = new Watched(store);
            try {
                UpkeepRound round = new UpkeepRound(watched.watched(), 0.05, () -> at(40 * 3600));
                assertEquals(1777, round.run());
                assertEquals(List.of(500, 500, 500, 500, 500, 500, 277, 277), watched.batches);
                assertEquals(0, round.run());
            } finally {
                watched.ingest.shutdownNow();
            }
            List<RunSummary> summaries =
                    store.summaries(runs.stream().map(Run::key).toList());
            assertEquals(1777, summaries.size());
            for (RunSummary summary : summaries) {
                GpuUse use = summary.gpus().get(0);
                assertEquals(60, use.coveredSeconds(), "run " + summary.run());
                assertEquals(30, use.busySeconds(), "run " + summary.run());
            }
        }
    }
}
