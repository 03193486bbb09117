package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.slurm.HistoryImport;
import io.fairwatch.collector.slurm.SlurmSettings;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.MemoryStore;
import io.fairwatch.collector.store.Store;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

@Timeout(120)
class HistoryRoundTest {
    private static final Duration DAY = Duration.ofDays(1);

    private final MemoryStore store = new MemoryStore();
    private Instant now = Instant.parse("2026-11-30T12:00:00Z");
    private Path directory = Path.of("");

    @BeforeEach
    void prepare(@TempDir Path temporary) throws Exception {
        directory = temporary;
        store.saveAccountingUntil(now);
        store.saveAccountingFrom(now.minus(DAY));
        command("scontrol", "echo 'ClusterName = lab'");
        // one job of an hour that ended ten days before the test's now
        long end = now.minus(DAY.multipliedBy(10)).getEpochSecond();
        command(
                "sacct",
                "for a in \"$@\"; do case $a in --delimiter=*) d=${a#--delimiter=};; esac; done",
                "from= to=0; while [ $# -gt 0 ]; do case $1 in -S) from=${2#now-};; -E) to=${2#now-};; esac; shift; done",
                "[ $from -ge 864000 ] && [ $to -le 867600 ] || exit 0",
                "printf '%s\\n' '"
                        + String.join(
                                "|",
                                "7",
                                "7",
                                "anna",
                                "21001",
                                "es",
                                "batch",
                                "normal",
                                "COMPLETED",
                                Long.toString(end - 3600),
                                Long.toString(end - 3600),
                                Long.toString(end - 3600),
                                Long.toString(end),
                                "00:00:00",
                                "60",
                                "cpu=8,gres/gpu=2,node=1",
                                "",
                                "gpu01",
                                "old")
                        + "' | sed \"s/|/$d/g\"");
    }

    private void command(String name, String... lines) throws Exception {
        Path draft = directory.resolve(name + ".draft");
        Files.writeString(draft, "#!/bin/sh\n" + String.join("\n", lines) + "\n");
        Files.setPosixFilePermissions(draft, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.move(draft, directory.resolve(name));
    }

    private HistoryRound round(Duration configured) {
        SlurmSettings defaults = SlurmSettings.DEFAULTS;
        SlurmSettings settings = new SlurmSettings(
                Optional.of(directory),
                List.of(),
                Optional.empty(),
                Optional.of("lab"),
                defaults.every(),
                defaults.accountingEvery(),
                defaults.accountsEvery(),
                defaults.timeout(),
                defaults.maxOutputBytes(),
                defaults.overlap(),
                configured,
                Optional.empty());
        return new HistoryRound(new HistoryImport(settings, store, () -> now), store, directory, configured, () -> now);
    }

    @Test
    @DisplayName("without being asked it goes back as far as configured, one window a round")
    void configured() throws Exception {
        HistoryRound round = round(DAY.multipliedBy(5));
        round.run();
        assertEquals(Optional.of(now.minus(DAY.multipliedBy(2))), store.accountingFrom());
        round.run();
        round.run();
        round.run();
        assertEquals(Optional.of(now.minus(DAY.multipliedBy(5))), store.accountingFrom());
        assertEquals(List.of(), store.runs());
        HistoryRound.Progress progress = HistoryRound.progress(directory).orElseThrow();
        assertTrue(progress.done());
        assertEquals(1, progress.ratio());
    }

    @Test
    @DisplayName("it begins when what lives now has been read once")
    void afterTheLivePart() throws Exception {
        MemoryStore empty = new MemoryStore();
        new HistoryRound(
                        new HistoryImport(SlurmSettings.DEFAULTS, empty, () -> now),
                        empty,
                        directory,
                        DAY.multipliedBy(5),
                        () -> now)
                .run();
        assertEquals(Optional.empty(), HistoryRound.progress(directory));
    }

    @Test
    @DisplayName("a wish goes further, outlives a restart, and is gone when it is fulfilled")
    void wish() throws Exception {
        HistoryRound.ask(directory, now.minus(DAY.multipliedBy(20)));
        HistoryRound first = round(DAY.multipliedBy(5));
        first.run();
        first.run();
        HistoryRound.Progress progress = HistoryRound.progress(directory).orElseThrow();
        assertFalse(progress.done());
        assertEquals(now.minus(DAY.multipliedBy(20)).getEpochSecond(), progress.since());
        assertTrue(HistoryRound.wish(directory).isPresent());

        HistoryRound restarted = round(DAY.multipliedBy(5));
        for (int i = 0; i < 10; i++) {
            restarted.run();
        }
        assertEquals(Optional.empty(), HistoryRound.wish(directory));
        assertEquals("old", store.only().name());
        assertEquals(Optional.of(now.minus(DAY.multipliedBy(20))), store.accountingFrom());
        assertEquals(1, store.saved().size(), "read once");
    }

    @Test
    @DisplayName("an accounting that fails is asked again after a while, and whoever watches sees why")
    void failure() throws Exception {
        Files.delete(directory.resolve("sacct"));
        command("sacct", "echo 'sacct: error: Problem talking to the database: Connection refused' >&2", "exit 1");
        HistoryRound round = round(DAY.multipliedBy(5));
        round.run();
        assertTrue(
                HistoryRound.progress(directory).orElseThrow().failure().contains("Problem talking to the database"));
        Files.delete(directory.resolve("sacct"));
        command("sacct", "exit 0");
        round.run();
        assertEquals(Optional.of(now.minus(DAY)), store.accountingFrom(), "not at once");
        now = now.plusSeconds(61);
        round.run();
        assertEquals("", HistoryRound.progress(directory).orElseThrow().failure());
    }

    @Test
    @DisplayName("the time that is left follows from the way that is done")
    void left() {
        HistoryRound.Progress progress = new HistoryRound.Progress(1000, 5000, 4000, 100, 110, 7, 0, "");
        assertEquals(0.25, progress.ratio());
        assertEquals(Optional.of(Duration.ofSeconds(30)), progress.left());
        assertEquals(Optional.empty(), new HistoryRound.Progress(1000, 5000, 5000, 100, 110, 0, 0, "").left());
    }

    @Test
    @DisplayName("without a running collector the command does it itself, and a second call finds all there")
    void command() throws Exception {
        Path file = directory.resolve("collector.yml");
        Files.writeString(
                file,
                "store: {directory: " + directory.resolve("store") + "}\nslurm: {binaries: " + directory
                        + ", cluster: lab}\n");
        Instant realNow = Instant.now();
        String first = call(file, realNow);
        assertTrue(first.contains("All jobs that ended since "), first);
        try (Store kept = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS)) {
            assertTrue(kept.accountingFrom().orElseThrow().isBefore(realNow.minus(DAY.multipliedBy(19))));
            assertTrue(kept.accountingUntil().isPresent());
        }
        assertTrue(call(file, realNow).contains("0 were read now."));
    }

    private static String call(Path file, Instant at) {
        PrintStream console = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            int code = new CommandLine(new Main())
                    .execute(
                            "import",
                            "sacct",
                            "--config",
                            file.toString(),
                            "--since",
                            at.minus(DAY.multipliedBy(20)).toString().substring(0, 10));
            assertEquals(0, code, printed.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(console);
        }
        return printed.toString(StandardCharsets.UTF_8);
    }
}
