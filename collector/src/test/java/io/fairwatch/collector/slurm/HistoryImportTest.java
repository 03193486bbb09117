package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import io.fairwatch.collector.store.MemoryStore;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class HistoryImportTest {
    private static final Instant NOW = Instant.parse("2026-11-30T12:00:00Z");
    private static final Instant KNOWN = NOW.minus(Duration.ofDays(1));

    private final FakeSlurm slurm;
    private final MemoryStore store = new MemoryStore();

    HistoryImportTest(@TempDir Path directory) throws Exception {
        slurm = new FakeSlurm(directory);
        slurm.prints("scontrol", "ClusterName = lab\n");
        store.saveAccountingUntil(NOW);
        store.saveAccountingFrom(KNOWN);
        sacct();
    }

    private HistoryImport history() {
        return new HistoryImport(slurm.settings(Duration.ofSeconds(30), 10_000_000), store, () -> NOW);
    }

    /** An accounting that knows runs of one hour, and answers a window with those that it should: by their ends. */
    private void sacct(Instant... ends) {
        List<String> lines = new ArrayList<>(List.of(
                "printf '%s\\n' \"$*\" >> '" + slurm.file("sacct.arguments") + "'",
                "from=0 to=" + NOW.getEpochSecond(),
                "while [ $# -gt 0 ]; do case $1 in --delimiter=*) d=${1#--delimiter=};;",
                "-S) from=$((" + NOW.getEpochSecond() + " - ${2#now-}));;",
                "-E) to=$((" + NOW.getEpochSecond() + " - ${2#now-}));; esac; shift; done"));
        int id = 100;
        for (Instant end : ends) {
            long second = end.getEpochSecond();
            long start = second - 3600;
            lines.add("if [ " + second + " -ge $from ] && [ " + start + " -lt $to ]; then");
            lines.add("printf '%s\\n' '"
                    + String.join(
                            "|",
                            Integer.toString(id),
                            Integer.toString(id),
                            "anna",
                            "21001",
                            "es",
                            "batch",
                            "normal",
                            "COMPLETED",
                            Long.toString(start),
                            Long.toString(start),
                            Long.toString(start),
                            Long.toString(second),
                            "00:00:00",
                            "120",
                            "cpu=8,gres/gpu=2,node=1",
                            "",
                            "gpu01",
                            "old " + id)
                    + "' | sed \"s/|/$d/g\"; fi");
            id++;
        }
        slurm.command("sacct", lines.toArray(String[]::new));
    }

    private static Instant daysAgo(double days) {
        return NOW.minusSeconds(Math.round(days * 86400));
    }

    private List<HistoryImport.Step> all(HistoryImport history, Instant since) throws Exception {
        List<HistoryImport.Step> steps = new ArrayList<>();
        for (Optional<HistoryImport.Step> step = history.step(since); step.isPresent(); step = history.step(since)) {
            steps.add(step.get());
        }
        return steps;
    }

    @Test
    @DisplayName("every run since the first day is there, with its owner and what it was given, once")
    void complete() throws Exception {
        sacct(daysAgo(1.5), daysAgo(2.999), daysAgo(20), daysAgo(99), daysAgo(130));
        Instant since = daysAgo(100);
        List<HistoryImport.Step> steps = all(history(), since);

        assertEquals(4, steps.stream().mapToInt(HistoryImport.Step::runs).sum());
        assertEquals(4, store.saved().size());
        assertEquals(
                List.of("old 100", "old 101", "old 102", "old 103"),
                store.runs().stream().map(Run::name).sorted().toList());
        assertEquals(2, store.runs().get(0).allocation().gpus().orElseThrow());
        assertEquals(Duration.ofHours(1), store.runs().get(0).heldWithin(Instant.EPOCH, NOW));
        assertEquals(Optional.of(since), store.accountingFrom());
        assertEquals(Optional.of(NOW), store.accountingUntil());
        assertEquals(Optional.empty(), history().step(since));
    }

    @Test
    @DisplayName("windows go backwards and grow while they are answered quickly")
    void windows() throws Exception {
        List<HistoryImport.Step> steps = all(history(), daysAgo(100));
        assertEquals(KNOWN, steps.get(0).to());
        for (int i = 1; i < steps.size(); i++) {
            assertEquals(steps.get(i - 1).from(), steps.get(i).to());
        }
        // 1, 2, 4, 8, 16, 31 and 31 days, and the rest
        assertEquals(8, steps.size());
        assertEquals(daysAgo(100), steps.get(7).from());
    }

    @Test
    @DisplayName("killed at any moment it goes on where it was, and saves nothing twice")
    void resumed() throws Exception {
        sacct(daysAgo(1.5), daysAgo(3), daysAgo(20), daysAgo(99));
        Instant since = daysAgo(100);
        HistoryImport first = history();
        first.step(since);
        first.step(since);
        Instant reached = store.accountingFrom().orElseThrow();
        List<HistoryImport.Step> rest = all(history(), since);
        assertEquals(reached, rest.get(0).to());
        assertEquals(4, store.saved().size());
        assertEquals(4, store.runs().size());
    }

    @Test
    @DisplayName("what squeue told of a run while it ran is kept")
    void joined() throws Exception {
        sacct(daysAgo(1.5));
        all(history(), daysAgo(2));
        Run told = store.only();
        Run known = new Run(
                told.key(),
                told.ids(),
                told.owner(),
                "say \"hi\"",
                true,
                told.submit(),
                Optional.empty(),
                told.timeLimit(),
                told.suspended(),
                told.state(),
                told.stateText(),
                told.allocation(),
                told.gpus(),
                told.asOf());
        store.saveRuns(List.of(known));
        store.saveAccountingFrom(KNOWN);
        all(history(), daysAgo(2));
        assertEquals("say \"hi\"", store.only().name());
        assertTrue(store.only().interactive());
        assertEquals(told.end(), store.only().end());
    }

    @Test
    @DisplayName("where accounting counts no GPUs, those of old jobs are unknown, not none")
    void gpusNotCounted() throws Exception {
        slurm.prints("scontrol", "ClusterName = lab\nAccountingStorageTRES = cpu,mem,node\n");
        sacct(daysAgo(1.5));
        // the stand-in tells gres/gpu=2, which is believed whatever is configured
        all(history(), daysAgo(2));
        assertEquals(2, store.only().allocation().gpus().orElseThrow());

        assertEquals(
                List.of(OptionalInt.empty()),
                Accounted.news(List.of(withGpus(store.only(), 0)), List.of(), false).stream()
                        .map(run -> run.allocation().gpus())
                        .toList());
        assertEquals(
                OptionalInt.of(0),
                Accounted.news(List.of(withGpus(store.only(), 0)), List.of(), true)
                        .get(0)
                        .allocation()
                        .gpus());
    }

    private static Run withGpus(Run run, int gpus) {
        return new Run(
                run.key(),
                run.ids(),
                run.owner(),
                run.name(),
                run.interactive(),
                run.submit(),
                run.end(),
                run.timeLimit(),
                run.suspended(),
                run.state(),
                run.stateText(),
                new Run.Allocation(
                        run.allocation().nodes(),
                        run.allocation().cpus(),
                        run.allocation().memoryBytes(),
                        OptionalInt.of(gpus),
                        run.allocation().tres()),
                run.gpus(),
                run.asOf());
    }

    @Test
    @DisplayName("an answer that is too large is asked for in smaller windows; what never fits is told")
    void tooLarge() throws Exception {
        slurm.command(
                "sacct",
                "printf '%s\\n' \"$*\" >> '" + slurm.file("sacct.arguments") + "'",
                "from=; to=0; while [ $# -gt 0 ]; do case $1 in -S) from=${2#now-};; -E) to=${2#now-};; esac; shift; done",
                "[ $((from - to)) -lt 30000 ] || { echo 'sacct: error: Too wide of a date range in query' >&2; exit 1; }");
        HistoryImport history = history();
        HistoryImport.Step step = history.step(daysAgo(3)).orElseThrow();
        assertEquals(Duration.ofHours(6), Duration.between(step.from(), step.to()));
        assertEquals(3, slurm.calls("sacct").size());

        slurm.command("sacct", "echo 'sacct: error: Problem talking to the database' >&2", "exit 1");
        Instant reached = store.accountingFrom().orElseThrow();
        assertTrue(assertThrows(SlurmException.class, () -> history.step(daysAgo(3)))
                .toString()
                .contains("Problem talking to the database"));
        assertEquals(Optional.of(reached), store.accountingFrom());
    }

    @Test
    @DisplayName("in a store that knows nothing yet it begins now, and the live part will go on from there")
    void freshStore() throws Exception {
        MemoryStore fresh = new MemoryStore();
        HistoryImport history = new HistoryImport(slurm.settings(Duration.ofSeconds(30), 10_000_000), fresh, () -> NOW);
        assertEquals(NOW, history.completeSince());
        assertEquals(NOW, history.step(daysAgo(3)).orElseThrow().to());
        assertEquals(Optional.of(NOW), fresh.accountingUntil());
        assertEquals(Optional.of(daysAgo(1)), fresh.accountingFrom());
    }
}
