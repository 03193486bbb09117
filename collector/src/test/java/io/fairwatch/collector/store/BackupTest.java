package io.fairwatch.collector.store;

import static io.fairwatch.collector.store.Given.NOON;
import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.Copies.Told;
import io.fairwatch.collector.store.Export.Format;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.stream.Stream;
import org.duckdb.DuckDBConnection;
import org.duckdb.DuckDBDriver;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Copies of a store that is in use, stores made of them, and tables for other programs. */
@SuppressWarnings("NullAway.Init") // JUnit gives the directory
class BackupTest {
    private static final Run LIVE = run(1, at(100), Optional.empty(), allocated("node-a", 0, SealingTest.A));
    private static final Run ENDED = run(2, at(200), Optional.of(at(3000)), allocated("node-a", 1, SealingTest.B));
    private static final Instant MADE = at(4 * 3600 + 60);

    /** Three sealed hours and one that is not, a run that lives and one that ended; only ever copied. */
    @TempDir
    static Path given;

    @BeforeAll
    static void fill() throws StoreException {
        try (DuckDbStore store = DuckDbStore.open(given, SealingTest.SETTINGS)) {
            store.append(SealingTest.hours(4));
            store.saveRuns(List.of(LIVE, ENDED));
            store.maintain(MADE);
        }
    }

    private static List<String> state(Store store) throws StoreException {
        return Stream.of(
                        store.nodes(),
                        store.gpus(),
                        store.liveRuns(),
                        store.runsOf(2),
                        store.gpuUse(
                                List.of(new RunSpan(LIVE, at(100), MADE), new RunSpan(ENDED, at(200), at(3000))), 0.01),
                        store.jobUse(List.of(new RunSpan(LIVE, at(100), MADE))))
                .map(Object::toString)
                .toList();
    }

    private static Path copy(Path directory) throws StoreException {
        Path backup = directory.resolve("backup");
        try (DuckDbStore store = DuckDbStore.open(given, SealingTest.SETTINGS)) {
            store.backup(backup, MADE, Told.NOBODY);
        }
        return backup;
    }

    private static void restore(Path backup, Path to) throws StoreException {
        DuckDbStore.restore(backup, to, SealingTest.SETTINGS, Told.NOBODY);
    }

    @Test
    @DisplayName(
            "a restored store answers as the backed up one did at that instant, however much came since, and goes on")
    void restored(@TempDir Path directory) throws Exception {
        Path live = directory.resolve("live");
        restore(copy(directory), live); // a store of this test's own
        Path backup = directory.resolve("second");
        List<NodeSnapshot> more = new ArrayList<>(SealingTest.hours(5).subList(480, 600));
        List<String> expected;
        try (DuckDbStore store = DuckDbStore.open(live, SealingTest.SETTINGS)) {
            expected = state(store);
            Copies made = store.backup(backup, MADE, (what, done, of) -> {
                assertTrue(done <= of, what);
                try { // the tables are copied by then, and nobody waits for the rest
                    if (done > 0 && !more.isEmpty()) {
                        store.append(List.of(more.remove(0)));
                    }
                } catch (StoreException e) {
                    throw new IllegalStateException(e);
                }
            });
            assertTrue(more.size() < 120, "readings were taken meanwhile");
            assertTrue(made.files() > 10 && made.rows() > 3000 && made.bytes() > 10_000, made::toString);
            store.append(more);
            store.maintain(at(10 * 3600));
            assertFalse(state(store).equals(expected));
        }
        Path again = directory.resolve("again");
        restore(backup, again);
        try (DuckDbStore store = DuckDbStore.open(again, SealingTest.SETTINGS)) {
            assertEquals(expected, state(store));
            assertEquals(0, store.append(SealingTest.hours(4)), "it knows what it has");
            assertEquals(120, store.append(SealingTest.hours(5)), "and takes what is new");
            store.maintain(at(10 * 3600));
        }
        restore(backup, directory.resolve("once more"));
    }

    @Test
    @DisplayName("a backup is a store directory: sealed files under the same names, one database, a list; owner only")
    void layout(@TempDir Path directory) throws Exception {
        Path backup = copy(directory);
        assertEquals(tree(given.resolve("sealed")), tree(backup.resolve("sealed")));
        try (Stream<Path> files = Files.list(backup)) {
            assertEquals(
                    List.of("backup.json", "fairwatch.duckdb", "sealed"),
                    files.map(file -> file.getFileName().toString()).sorted().toList());
        }
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(backup)));
    }

    private static List<String> tree(Path top) throws IOException {
        try (Stream<Path> all = Files.walk(top)) {
            return all.map(path -> top.relativize(path).toString()).sorted().toList();
        }
    }

    private static String refusal(Path backup, Path to) {
        return String.valueOf(
                assertThrows(StoreException.class, () -> restore(backup, to)).getMessage());
    }

    @Test
    @DisplayName("what is no whole backup is not restored, and no store is overwritten; each refusal says why")
    void refused(@TempDir Path directory) throws Exception {
        Path backup = copy(directory);
        Path to = directory.resolve("to");
        assertTrue(refusal(directory, to).contains("is no backup (expected: a directory with backup.json"));
        assertTrue(refusal(backup, given).contains(given + " holds a store (expected: none there"));

        Path broken = directory.resolve("broken");
        copyTree(backup, broken);
        Path file = broken.resolve("sealed/gpu_reading/day=20261120/13.parquet");
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, java.util.Arrays.copyOf(whole, whole.length - 7));
        assertTrue(refusal(broken, to)
                .contains("13.parquet: " + (whole.length - 7) + " bytes (expected: " + whole.length));
        Files.delete(file);
        assertTrue(refusal(broken, to).contains("13.parquet is missing"));
        Files.write(file, whole);

        Path list = broken.resolve("backup.json");
        String said = Files.readString(list);
        Files.writeString(list, said.replaceFirst("\"schema\" : \\d+", "\"schema\" : 99"));
        assertTrue(refusal(broken, to).contains("newer collector (schema 99"));
        Files.writeString(list, said.replace("gpu_reading/day=20261120/13.parquet", "../../../etc/13.parquet"));
        assertTrue(refusal(broken, to).contains("etc/13.parquet (expected: below sealed)"));
        Files.writeString(list, said.substring(0, said.length() / 2));
        assertTrue(refusal(broken, to).contains("backup.json cannot be read"));
        Files.writeString(list, said.replaceFirst("\"run\" : 2", "\"run\" : 3"));
        assertTrue(refusal(broken, to).contains("table run: 2 rows (expected: 3)"));
    }

    private static void copyTree(Path from, Path to) throws IOException {
        try (Stream<Path> all = Files.walk(from)) {
            for (Path path : all.toList()) {
                Files.copy(path, to.resolve(from.relativize(path).toString()));
            }
        }
    }

    @Test
    @DisplayName("a restore that was killed is no store, until it is called again")
    void killed(@TempDir Path directory) throws Exception {
        Path backup = copy(directory);
        Path to = directory.resolve("to");
        restore(backup, to);
        Files.move(to.resolve("fairwatch.duckdb"), to.resolve("fairwatch.duckdb.restoring"));
        StoreException refused = assertThrows(StoreException.class, () -> DuckDbStore.open(to, SealingTest.SETTINGS));
        assertTrue(String.valueOf(refused.getMessage()).contains("a restore did not come to its end"));
        assertEquals(tree(backup.resolve("sealed")), tree(to.resolve("sealed")), "nothing was swept away");
        restore(backup, to);
        try (DuckDbStore store = DuckDbStore.open(to, SealingTest.SETTINGS)) {
            assertEquals(2, store.runsWithin(NOON, MADE).size());
        }
    }

    @Test
    @DisplayName(
            "what is left of a store whose database file was moved away is neither deleted nor mixed with the backup")
    void leftOfAStore(@TempDir Path directory) throws Exception {
        Path backup = copy(directory);
        Path sealed = directory.resolve("to/sealed/gpu_reading");
        Files.createDirectories(sealed);
        assertTrue(refusal(backup, directory.resolve("to")).contains("holds sealed of a store (expected: none there"));
        assertTrue(Files.exists(sealed));
        Path log = Files.createDirectories(directory.resolve("log")).resolve("fairwatch.duckdb.wal");
        Files.writeString(log, "another database's");
        assertTrue(refusal(backup, directory.resolve("log")).contains("holds fairwatch.duckdb.wal of a store"));
        assertTrue(Files.exists(log));
    }

    @Test
    @DisplayName("a backup overwrites nothing but what a killed one left")
    void overwrites(@TempDir Path directory) throws Exception {
        Path partial = Files.createDirectories(directory.resolve("backup.partial/sealed/run"));
        Files.writeString(partial.resolve("old"), "half");
        Path backup = copy(directory);
        assertFalse(Files.exists(directory.resolve("backup.partial")));
        StoreException refused = assertThrows(StoreException.class, () -> copy(directory));
        assertEquals(
                "backup: " + backup + " is there already (expected: a directory that is made now)",
                refused.getMessage());
        Backup.removeTree(backup);
        Files.createDirectories(directory.resolve("backup.partial/thesis"));
        assertTrue(String.valueOf(assertThrows(StoreException.class, () -> copy(directory))
                        .getMessage())
                .contains("backup.partial is there and is no backup"));
        assertTrue(Files.exists(directory.resolve("backup.partial/thesis")));
        try (DuckDbStore store = DuckDbStore.open(given, SealingTest.SETTINGS)) {
            assertTrue(String.valueOf(assertThrows(
                                    StoreException.class,
                                    () -> store.backup(directory.resolve("not/there"), MADE, Told.NOBODY))
                            .getMessage())
                    .contains("not is not there (expected: a directory)"));
            assertEquals(
                    480,
                    store.gpuUse(List.of(new RunSpan(LIVE, NOON, MADE)), 0.01)
                            .get(0)
                            .samples(),
                    "it goes on");
        }
    }

    @Test
    @DisplayName("tables become Parquet and CSV files with the rows of a time, sealed and not; unknown stays empty")
    void export(@TempDir Path directory) throws Exception {
        Export all = new Export(List.of(), Format.PARQUET, Optional.empty(), Optional.empty());
        Export some = new Export(
                List.of("run", "run_gpu", "gpu_reading", "gpu_5m"),
                Format.CSV,
                Optional.of(at(2 * 3600)),
                Optional.of(at(3.5 * 3600)));
        Copies parquet;
        Copies csv;
        try (DuckDbStore store = DuckDbStore.open(given, SealingTest.SETTINGS)) {
            parquet = store.export(all, directory.resolve("parquet"), Told.NOBODY);
            csv = store.export(some, directory.resolve("csv"), Told.NOBODY);
            assertThrows(
                    StoreException.class, () -> store.export(some, directory.resolve("csv"), Told.NOBODY), "again");
            store.export(
                    new Export(List.of("run"), Format.CSV_GZ, Optional.empty(), Optional.empty()),
                    directory.resolve("csv"),
                    Told.NOBODY);
        }
        assertEquals(Export.TABLES.size(), parquet.files());
        assertEquals(2 * 480, rows(directory.resolve("parquet/gpu_reading.parquet")));
        assertEquals(480, rows(directory.resolve("parquet/node_reading.parquet")));
        assertEquals(2, rows(directory.resolve("parquet/run.parquet")));
        assertEquals(2, rows(directory.resolve("parquet/run_gpu.parquet")));

        List<String> runs = Files.readAllLines(directory.resolve("csv/run.csv"));
        assertEquals(2, runs.size(), "job 2 had ended: " + runs);
        assertTrue(runs.get(0).startsWith("cluster,job_id,start_ms,"));
        assertTrue(runs.get(1).startsWith("lab,1," + at(100).toEpochMilli() + ",,,"), runs.get(1));
        assertEquals(2, Files.readAllLines(directory.resolve("csv/run_gpu.csv")).size());
        assertEquals(
                1 + 2 * 180,
                Files.readAllLines(directory.resolve("csv/gpu_reading.csv")).size());
        assertEquals(csv.rows(), 1 + 1 + 2 * 180 + rows(directory.resolve("csv/gpu_5m.csv")));
        assertEquals(2, rows(directory.resolve("csv/run.csv.gz")));
        try (Stream<Path> left = Files.list(directory.resolve("csv"))) {
            assertEquals(5, left.count());
        }
        assertTrue(String.valueOf(assertThrows(
                                IllegalArgumentException.class,
                                () -> new Export(List.of("passwd"), Format.CSV, Optional.empty(), Optional.empty()))
                        .getMessage())
                .startsWith("tables: passwd (expected: some of run, "));
    }

    private static long rows(Path file) throws Exception {
        try (DuckDBConnection root = new DuckDBDriver()
                        .connect("jdbc:duckdb:", new Properties())
                        .unwrap(DuckDBConnection.class);
                Session session = new Session(root.duplicate(), Duration.ofSeconds(60))) {
            return session.query("SELECT count(*) FROM '" + file + "'", Cells::number)
                    .get(0);
        }
    }

    @Test
    @DisplayName("every table of the schema can be exported, but for the store's own bookkeeping")
    void complete() throws Exception {
        List<String> tables = new ArrayList<>();
        try (DuckDBConnection root = new DuckDBDriver()
                        .connect("jdbc:duckdb:" + given.resolve("fairwatch.duckdb"), new Properties())
                        .unwrap(DuckDBConnection.class);
                Session session = new Session(root.duplicate(), Duration.ofSeconds(60))) {
            tables.addAll(session.query("SELECT table_name FROM information_schema.tables", Cells::text));
        }
        tables.removeAll(List.of("meta", "received", "sealed_file"));
        assertEquals(
                tables.stream().sorted().toList(),
                Export.TABLES.stream().sorted().toList());
    }
}
