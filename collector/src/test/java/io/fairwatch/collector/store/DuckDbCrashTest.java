package io.fairwatch.collector.store;

import static io.fairwatch.collector.store.Given.NOON;
import static io.fairwatch.collector.store.Given.at;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.duckdb.DuckDBConnection;
import org.duckdb.DuckDBDriver;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is peculiar to DuckDB, and what becomes of the file when the process does not end well. */
class DuckDbCrashTest {
    private static final int KILLS = 5;

    @Test
    @DisplayName("what appenders wrote in one transaction goes with its rollback, all of it")
    void rollback(@TempDir Path directory) throws Exception {
        try (DuckDBConnection root = connection(directory);
                Session session = new Session(root.duplicate(), Duration.ofSeconds(10))) {
            session.execute("CREATE TABLE a (x BIGINT)");
            session.execute("CREATE TABLE b (x BIGINT)");
            for (int i = 0; i < 2; i++) {
                session.begin();
                for (String table : List.of("a", "b")) {
                    try (Rows rows = session.append(table)) {
                        rows.number(1L).end();
                    }
                }
                session.rollback();
                assertEquals(
                        List.of(0L),
                        session.query("SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)", Cells::number));
            }
        }
    }

    private static DuckDBConnection connection(Path directory) throws SQLException {
        return new DuckDBDriver()
                .connect("jdbc:duckdb:" + directory.resolve("test.duckdb"), new Properties())
                .unwrap(DuckDBConnection.class);
    }

    @Test
    @DisplayName("killed at any moment, it has everything that it acknowledged, once and whole")
    void kill(@TempDir Path directory) throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Path data = directory.resolve("store");
        Path temporary = Files.createDirectory(directory.resolve("tmp"));
        Set<Long> acknowledged = new TreeSet<>();
        long stored = 0;
        for (int kill = 1; kill <= KILLS; kill++) {
            List<Long> now = appendUntilKilled(data, temporary, stored + 1, 5 + random.nextInt(60), random);
            acknowledged.addAll(now);
            try (DuckDbStore store = DuckDbStore.open(data, DuckDbStore.Settings.DEFAULTS)) {
                stored = assertWhole(store, stored + now.size(), acknowledged, "seed " + seed + ", kill " + kill);
            }
        }
        assertTrue(acknowledged.size() >= KILLS * 5, "acknowledged " + acknowledged.size());
    }

    /** Appends in another process, kills it once it has acknowledged some; gives what it acknowledged. */
    private static List<Long> appendUntilKilled(Path data, Path temporary, long first, int least, Random random)
            throws IOException, InterruptedException {
        Path out = Files.createTempFile(temporary, "acknowledged", ".txt");
        Process process = start(data, temporary, first, out);
        try {
            while (lines(out).size() < least) {
                assertFalse(process.waitFor(10, TimeUnit.MILLISECONDS), "ended by itself");
            }
            assertFalse(process.waitFor(random.nextInt(30), TimeUnit.MILLISECONDS), "ended by itself");
        } finally {
            process.destroyForcibly().waitFor();
        }
        List<Long> acknowledged = lines(out);
        for (int i = 0; i < acknowledged.size(); i++) {
            assertEquals(first + i, acknowledged.get(i));
        }
        return acknowledged;
    }

    /** The numbers on the whole lines of a file that somebody writes. */
    private static List<Long> lines(Path file) throws IOException {
        String text = Files.readString(file);
        return text.substring(0, text.lastIndexOf('\n') + 1)
                .lines()
                .map(Long::valueOf)
                .toList();
    }

    /**
     * Checks that all sequences from 1 are there with all their rows, and the run of each acknowledged one.
     *
     * @param least the last acknowledged sequence; the next may have been kept without being acknowledged
     * @return the last sequence that is there
     */
    private static long assertWhole(DuckDbStore store, long least, Set<Long> acknowledged, String message)
            throws StoreException {
        int nodes = (int) ((store.nodes().get(0).lastAt().getEpochSecond() - NOON.getEpochSecond()) / 30);
        assertTrue(nodes == least || nodes == least + 1, message + ": " + least + " acknowledged, " + nodes + " there");
        assertEquals(4, store.gpus().size(), message);
        store.gpus().forEach(gpu -> assertEquals(at(30.0 * nodes), gpu.lastAt(), message));
        List<GpuUse> uses = store.gpuUse(List.of(new RunSpan(Given.run(1), NOON, at(30.0 * nodes))), 0);
        assertEquals(
                List.of(nodes, nodes, nodes, nodes),
                uses.stream().map(GpuUse::samples).toList(),
                message);
        List<NodeSnapshot> again = LongStream.rangeClosed(1, nodes)
                .mapToObj(AppendingMain::snapshot)
                .toList();
        assertEquals(0, store.append(again), message);
        Set<Long> runs = store.liveRuns().stream().map(run -> run.key().jobId()).collect(Collectors.toSet());
        assertTrue(runs.containsAll(acknowledged), () -> message + ": runs " + runs + " of " + acknowledged);
        return nodes;
    }

    private static Process start(Path data, Path temporary, long first, Path out) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx128m",
                        "-XX:TieredStopAtLevel=1",
                        "-Djava.io.tmpdir=" + temporary,
                        "-cp",
                        AppendingMain.classPath(),
                        AppendingMain.class.getName(),
                        data.toString(),
                        Long.toString(first),
                        Long.toString(Long.MAX_VALUE))
                .redirectOutput(out.toFile())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    @Test
    @DisplayName("a second collector is refused with a sentence, in this process or another; the first goes on")
    void second(@TempDir Path directory) throws Exception {
        try (DuckDbStore store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS)) {
            StoreException refused = assertThrows(
                    StoreException.class, () -> DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS));
            assertEquals(
                    "store: " + directory + " is in use by another collector; only one may open it",
                    refused.getMessage());
            Process other = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Djava.io.tmpdir=" + directory,
                            "-cp",
                            AppendingMain.classPath(),
                            AppendingMain.class.getName(),
                            directory.toString(),
                            "1",
                            "1")
                    .redirectErrorStream(true)
                    .start();
            String said = new String(other.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertTrue(said.contains("is in use by another collector"), said);
            assertEquals(1, store.append(List.of(AppendingMain.snapshot(1))));
        }
    }

    @Test
    @DisplayName("a store of a newer collector is left alone")
    void newer(@TempDir Path directory) throws Exception {
        DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS).close();
        try (DuckDBConnection root = new DuckDBDriver()
                        .connect("jdbc:duckdb:" + directory.resolve("fairwatch.duckdb"), new Properties())
                        .unwrap(DuckDBConnection.class);
                Session session = new Session(root.duplicate(), Duration.ofSeconds(10))) {
            session.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'");
        }
        for (int i = 0; i < 2; i++) {
            StoreException refused = assertThrows(
                    StoreException.class, () -> DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS));
            assertTrue(String.valueOf(refused.getMessage()).contains("newer collector (schema 99"), refused::toString);
        }
    }

    @Test
    @DisplayName("nobody but the owner can read the directory or the file")
    void ownerOnly(@TempDir Path directory) throws Exception {
        Path data = directory.resolve("a/store");
        try (DuckDbStore store = DuckDbStore.open(data, DuckDbStore.Settings.DEFAULTS)) {
            store.append(List.of(AppendingMain.snapshot(1)));
            assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(data)));
            assertEquals(
                    "rw-------",
                    PosixFilePermissions.toString(Files.getPosixFilePermissions(data.resolve("fairwatch.duckdb"))));
        }
        try (Stream<Path> files = Files.list(data)) {
            assertEquals(
                    List.of("fairwatch.duckdb", "lock"),
                    files.map(file -> file.getFileName().toString()).sorted().toList(),
                    "closed, it leaves no log and no temporary files");
        }
    }
}
