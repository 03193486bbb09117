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

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.RunSummary;
import io.fairwatch.collector.store.Store;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
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
}
