package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.MemoryStore;
import io.fairwatch.collector.store.Store.SlurmView;
import java.nio.charset.StandardCharsets;
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
                Duration.ofHours(20),
                Optional.empty());
        MemoryStore store = new MemoryStore();
        SlurmSync sync = new SlurmSync(settings, store, runs -> runs, Instant::now);

        sync.cycle();
        sync.cycle();

        for (SlurmSync.Part part : List.of(
                sync.status().jobs(),
                sync.status().nodes(),
                sync.status().accounting(),
                sync.status().accounts())) {
            assertEquals(Optional.empty(), part.failure());
            assertEquals(List.of(), part.problems());
            assertTrue(part.lastSuccess().isPresent());
        }
        assertEquals(List.of(), sync.status().missingRights());
        assertTrue(store.accounts().orElseThrow().account("root").isPresent());
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

    @Test
    @DisplayName("what is imported agrees with sacct to the second and GPU")
    void importAgreesWithSacct() throws Exception {
        Path conf = Path.of(Objects.requireNonNull(System.getenv("FAIRWATCH_LAB_DIR")), "etc/slurm.conf");
        MemoryStore store = new MemoryStore();
        SlurmSettings defaults = SlurmSettings.DEFAULTS;
        SlurmSettings settings = new SlurmSettings(
                Optional.empty(),
                List.of(),
                Optional.of(conf),
                Optional.empty(),
                defaults.every(),
                defaults.accountingEvery(),
                defaults.accountsEvery(),
                defaults.timeout(),
                defaults.maxOutputBytes(),
                defaults.overlap(),
                defaults.history(),
                Optional.empty());
        Instant now = Instant.now();
        Instant since = now.minus(Duration.ofDays(1000));
        HistoryImport history = new HistoryImport(settings, store, () -> now);
        int steps = 0;
        while (history.step(since).isPresent()) {
            steps++;
        }
        assertTrue(steps > 20, "months of nothing are passed over: " + steps);

        // sacct's own sum, by columns that the import does not read
        String printed = new String(
                new SlurmCommand(settings)
                        .run(
                                "sacct",
                                List.of(
                                        "-X",
                                        "-D",
                                        "-a",
                                        "-P",
                                        "-n",
                                        "-S",
                                        "now-20hours",
                                        "--format=JobIDRaw,End,ElapsedRaw,AllocTRES")),
                StandardCharsets.UTF_8);
        long seconds = 0;
        long gpuSeconds = 0;
        int runs = 0;
        for (String line : printed.lines().toList()) {
            List<String> cells = List.of(line.split("\\|", -1));
            // a job that was cancelled while it waited has an end and holds nothing
            if (cells.get(1).matches("\\d+")
                    && Long.parseLong(cells.get(1)) < now.getEpochSecond()
                    && !cells.get(3).isEmpty()) {
                runs++;
                seconds += Long.parseLong(cells.get(2));
                gpuSeconds += Long.parseLong(cells.get(2))
                        * Tres.parse(cells.get(3)).gpus().orElse(0);
            }
        }
        assertTrue(runs > 0, "the lab has run jobs");
        assertEquals(runs, store.runs().size());
        // ElapsedRaw stops while a job is suspended
        assertEquals(
                seconds,
                store.runs().stream()
                        .mapToLong(run -> run.heldWithin(since, now)
                                .minus(run.suspended())
                                .toSeconds())
                        .sum());
        assertEquals(
                gpuSeconds,
                store.runs().stream()
                        .mapToLong(run -> run.heldWithin(since, now)
                                        .minus(run.suspended())
                                        .toSeconds()
                                * run.allocation().gpus().orElse(0))
                        .sum());
    }
}
