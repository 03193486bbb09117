package io.fairwatch.collector.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
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

/**
 * A process that takes readings, seals, rolls up and forgets is killed at each step of that and at random moments; what it
 * leaves is counted row by row. {@code -Dfairwatch.kills=100} for more random moments than the few of here.
 */
class SealingCrashTest {
    private static final int KILLS = Integer.getInteger("fairwatch.kills", 3);
    private static final long DAYS_3 = 3 * 4 * SealingMain.BATCH;

    /** Rows of one snapshot in each table of readings, and what of a roll-up counts them. */
    private record Counted(String table, int rows, String rollup, String samples) {}

    private static final List<Counted> TABLES = List.of(
            new Counted("node_reading", 1, "node_5m", "samples"),
            new Counted("gpu_reading", 2, "gpu_5m", "samples"),
            new Counted("gpu_process", 2, "gpu_job_5m", "snapshots"),
            new Counted("job_reading", 1, "job_5m", "samples"));

    @Test
    @DisplayName(
            "killed at any step of sealing, rolling up and forgetting, all that was acknowledged is there, once and whole")
    void kills(@TempDir Path directory) throws Exception {
        long seed = Long.getLong("fairwatch.seed", System.nanoTime());
        Random random = new Random(seed);
        Path data = directory.resolve("store");
        Path temporary = Files.createDirectory(directory.resolve("tmp"));
        // long enough that there is something to forget
        long there = check(data, untilKilled(data, temporary, 0, "-", DAYS_3, 0), temporary, "first life");
        for (Sealer.Step step : Sealer.Step.values()) {
            if (step == Sealer.Step.UNLINKED) { // old files are unlinked by who opens the store next
                there = untilKilled(data, temporary, there, "-", there + 2 * SealingMain.BATCH, 0);
            }
            long acknowledged = untilKilled(data, temporary, there, step.name(), 0, 0);
            there = check(data, acknowledged, temporary, "killed at " + step);
        }
        for (int kill = 1; kill <= KILLS; kill++) {
            long least = there + random.nextInt(4 * SealingMain.BATCH);
            long acknowledged = untilKilled(data, temporary, there, "-", least, random.nextInt(100));
            there = check(data, acknowledged, temporary, "seed " + seed + ", kill " + kill);
        }
    }

    /**
     * Lets another process work and kills it.
     *
     * @param there the last sequence that is there
     * @param step where to kill it; {@code -}: once it has acknowledged {@code least}, and a moment more
     * @return the last sequence that it acknowledged, or {@code there}
     */
    private static long untilKilled(Path data, Path temporary, long there, String step, long least, int millisMore)
            throws IOException, InterruptedException {
        Path out = data.resolveSibling("out.txt");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx128m",
                        "-XX:TieredStopAtLevel=1",
                        "-Djava.io.tmpdir=" + temporary,
                        "-cp",
                        AppendingMain.classPath(),
                        SealingMain.class.getName(),
                        data.toString(),
                        Long.toString(there),
                        step)
                .redirectErrorStream(true)
                .redirectOutput(out.toFile())
                .start();
        try {
            long patience = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
            while (step.equals("-")
                    ? acknowledged(out, there) < least
                    : !Files.readString(out).contains("at " + step)) {
                assertFalse(process.waitFor(5, TimeUnit.MILLISECONDS), () -> "ended by itself: " + text(out));
                assertTrue(System.nanoTime() < patience, () -> "waited for " + step + ": " + text(out));
            }
            assertFalse(process.waitFor(millisMore, TimeUnit.MILLISECONDS), () -> "ended by itself: " + text(out));
        } finally {
            process.destroyForcibly().waitFor();
        }
        return acknowledged(out, there);
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static long acknowledged(Path out, long there) throws IOException {
        String text = Files.readString(out);
        return text.substring(0, text.lastIndexOf('\n') + 1)
                .lines()
                .filter(line -> line.startsWith("ack "))
                .mapToLong(line -> Long.parseLong(line.substring(4)))
                .max()
                .orElse(there);
    }

    /** @return the last sequence that is there */
    private static long check(Path data, long acknowledged, Path temporary, String message) throws Exception {
        long there;
        try (DuckDbStore store = DuckDbStore.open(data, SealingMain.SETTINGS)) {
            there = SealingMain.sequence(store.nodes().get(0).lastAt());
            assertTrue(
                    there == acknowledged || there == acknowledged + SealingMain.BATCH,
                    message + ": " + acknowledged + " acknowledged, " + there + " there");
            assertEquals(
                    0,
                    store.append(LongStream.rangeClosed(1, there)
                            .mapToObj(SealingMain::snapshot)
                            .toList()),
                    message + ": sent again");
        }
        try (DuckDBConnection root = new DuckDBDriver()
                        .connect("jdbc:duckdb:" + data.resolve("fairwatch.duckdb"), new Properties())
                        .unwrap(DuckDBConnection.class);
                Session session = new Session(root.duplicate(), Duration.ofSeconds(60))) {
            for (Counted counted : TABLES) {
                count(session, data.resolve("sealed"), counted, there, message + ", " + counted.table());
            }
            assertEquals(
                    new TreeSet<>(session.query("SELECT name FROM sealed_file", Cells::text)),
                    files(data.resolve("sealed")),
                    message + ": files that have a name, and files that are there");
        }
        try (Stream<Path> left = Files.list(data)) {
            assertEquals(
                    Set.of("fairwatch.duckdb", "lock", "sealed"),
                    left.map(path -> path.getFileName().toString())
                            .filter(name -> !name.equals("fairwatch.duckdb.wal")) // folded in by who opens it next
                            .collect(Collectors.toSet()),
                    message);
        }
        try (Stream<Path> left = Files.list(temporary)) {
            // run from its classes the driver unpacks its library; the packed program has it beside its jar
            assertEquals(
                    List.of(),
                    left.filter(path -> !path.getFileName().toString().startsWith("libduckdb_java"))
                            .toList(),
                    message + ": left in the folder for temporary files");
        }
        return there;
    }

    private static void count(Session session, Path sealed, Counted counted, long there, String message)
            throws SQLException {
        String unsealed = "SELECT at_ms, " + key(counted.table()) + " AS id FROM " + counted.table();
        Sources sources = Sources.load(session, sealed, 0.01, uuid -> null);
        List<Sources.File> files = sources.files(counted.table());
        String all = files.isEmpty()
                ? unsealed
                : unsealed + " UNION ALL SELECT at_ms, " + key(counted.table()) + " FROM "
                        + Sources.parquet(sealed, files);
        long keptFromMs = sources.keptFromMs(counted.table());
        Map<Long, Long> expected = new TreeMap<>();
        LongStream.rangeClosed(1, there)
                .map(sequence -> SealingMain.at(sequence).toEpochMilli())
                .filter(atMs -> atMs > keptFromMs)
                .forEach(atMs -> expected.put(atMs, (long) counted.rows()));
        Map<Long, Long> actual = new TreeMap<>();
        session.query(
                // what is older may be there for a while: it waited to be sealed when its day was forgotten
                "SELECT at_ms, count(*), count(DISTINCT id) FROM (" + all + ") r WHERE at_ms > " + keptFromMs
                        + " GROUP BY at_ms",
                cells -> {
                    long atMs = cells.number();
                    long rows = cells.number();
                    assertEquals(rows, cells.number(), message + ": doubled at " + atMs);
                    return actual.put(atMs, rows) == null;
                });
        assertEquals(expected, actual, message + ": rows by time");
        long rolledUp = sources.files(counted.rollup()).isEmpty()
                ? 0
                : number(
                        session,
                        "SELECT sum(" + counted.samples() + ") FROM "
                                + Sources.parquet(sealed, sources.files(counted.rollup())));
        assertEquals(
                there * counted.rows(),
                rolledUp + number(session, "SELECT count(*) FROM " + counted.table()),
                message + ": rolled up, and not sealed yet");
        if (counted.table().equals("gpu_reading")) {
            String energy = "SELECT at_ms, energy_joules FROM ";
            session.query(
                            energy + "gpu_reading"
                                    + (files.isEmpty() ? "" : " UNION ALL " + energy + Sources.parquet(sealed, files)),
                            cells -> {
                                long sequence = SealingMain.sequence(cells.time());
                                assertEquals(100.0 * sequence, cells.maybeReal().orElse(-1), message + ": torn");
                                return sequence;
                            })
                    .forEach(sequence -> assertTrue(sequence <= there));
        }
    }

    private static String key(String table) {
        return switch (table) {
            case "node_reading" -> "node";
            case "job_reading" -> "CAST(job_id AS VARCHAR)";
            default -> "uuid";
        };
    }

    private static long number(Session session, String sql) throws SQLException {
        return session.query("SELECT CAST(coalesce((" + sql + "), 0) AS BIGINT)", Cells::number)
                .get(0);
    }

    private static Set<String> files(Path sealed) throws IOException {
        try (Stream<Path> files = Files.walk(sealed)) {
            return files.filter(Files::isRegularFile)
                    .map(file -> sealed.relativize(file).toString())
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }
}
