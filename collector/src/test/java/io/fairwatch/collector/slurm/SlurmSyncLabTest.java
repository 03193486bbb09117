package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.MemoryStore;
import io.fairwatch.collector.store.Store.SlurmView;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/**
 * Reads a real Slurm, and only reads it. Needs the laboratory cluster of {@code deploy/lab}: skipped unless its
 * environment is set. What holds for every cluster is checked, whatever runs there.
 */
@EnabledIfEnvironmentVariable(
        named = "FAIRWATCH_LAB_DIR",
        matches = ".+",
        disabledReason = "needs a running Slurm: eval \"$(deploy/lab/env)\"")
class SlurmSyncLabTest {
    @Test
    @DisplayName("a running Slurm is read without a problem, twice with the same result")
    void readsTheLab() throws Exception {
        SlurmSettings defaults = SlurmSettings.DEFAULTS;
        SlurmSettings settings = new SlurmSettings(
                Optional.empty(),
                List.of(),
                Optional.of(Path.of(Objects.requireNonNull(System.getenv("FAIRWATCH_LAB_DIR")), "etc/slurm.conf")),
                Optional.empty(),
                defaults.every(),
                Duration.ofNanos(1),
                Duration.ofNanos(1),
                defaults.timeout(),
                defaults.maxOutputBytes(),
                defaults.overlap(),
                Duration.ofHours(20));
        MemoryStore store = new MemoryStore();
        SlurmSync sync = new SlurmSync(settings, store, runs -> runs, Instant::now);

        sync.cycle();
        sync.cycle();

        for (SlurmSync.Part part : List.of(
                sync.status().jobs(), sync.status().nodes(), sync.status().accounting())) {
            assertEquals(Optional.empty(), part.failure());
            assertEquals(List.of(), part.problems());
            assertTrue(part.lastSuccess().isPresent());
        }
        SlurmView view = store.wholeView();
        assertFalse(view.nodes().isEmpty());
        assertFalse(view.cluster().isEmpty());
        for (Run run : store.runs()) {
            assertEquals(view.cluster(), run.key().cluster());
            assertFalse(run.allocation().nodes().isEmpty(), run.toString());
            if (!run.gpus().isEmpty()) {
                assertEquals(run.gpus().size(), run.allocation().gpus().orElse(-1), run.toString());
            }
        }
    }
}
