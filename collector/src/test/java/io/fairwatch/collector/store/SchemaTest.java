package io.fairwatch.collector.store;

import static io.fairwatch.collector.store.Given.NOON;
import static io.fairwatch.collector.store.Given.at;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.Store.RunSpan;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Properties;
import org.duckdb.DuckDBConnection;
import org.duckdb.DuckDBDriver;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Databases that older collectors wrote. */
class SchemaTest {
    private interface Work {
        void with(Session session) throws Exception;
    }

    private static void inDatabase(Path directory, Work work) throws Exception {
        Files.createDirectories(directory);
        try (DuckDBConnection root = new DuckDBDriver()
                        .connect("jdbc:duckdb:" + directory.resolve("fairwatch.duckdb"), new Properties())
                        .unwrap(DuckDBConnection.class);
                Session session = new Session(root.duplicate(), Duration.ofSeconds(10))) {
            work.with(session);
        }
    }

    private static void writeSchema1(Path directory) throws Exception {
        try (InputStream file = SchemaTest.class.getResourceAsStream("schema-1.sql")) {
            String sql = new String(Objects.requireNonNull(file).readAllBytes(), StandardCharsets.UTF_8);
            inDatabase(directory, session -> session.execute(sql));
        }
    }

    @Test
    @DisplayName("what schema 1 kept is there after the upgrade, and new readings join it")
    void upgrade(@TempDir Path directory) throws Exception {
        writeSchema1(directory);
        for (int start = 0; start < 2; start++) {
            try (Store store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS)) {
                assertEquals("node-a", store.nodes().get(0).node());
                assertEquals("GPU-a", store.gpus().get(0).device().uuid());
                assertEquals(1, store.liveRuns().get(0).gpus().size());
                assertEquals("idle-gpu", store.findingsOf(1).get(0).rule());
                assertEquals("n1", store.noticesOf(1).get(0).id());
                GpuUse use = store.gpuUse(List.of(new RunSpan(store.liveRuns().get(0), NOON, at(60))), 0)
                        .get(0);
                assertEquals(1 + start, use.samples());
                assertEquals(OptionalDouble.of(0.5), use.utilizationMeanRatio());
                store.append(List.of(Given.snapshot("node-a", "boot", 1, at(30), List.of(), List.of())));
                store.append(List.of(Given.snapshot(
                        "node-a", "boot", 2, at(60), List.of(Given.gpu("GPU-a", 0.5, 1300)), List.of())));
            }
        }
    }

    @Test
    @DisplayName("an upgraded database has the tables and columns of a new one, in the same order")
    void same(@TempDir Path directory) throws Exception {
        Path old = directory.resolve("old");
        writeSchema1(old);
        DuckDbStore.open(old, DuckDbStore.Settings.DEFAULTS).close();
        Path fresh = directory.resolve("fresh");
        DuckDbStore.open(fresh, DuckDbStore.Settings.DEFAULTS).close();
        assertEquals(columns(fresh), columns(old));
    }

    @Test
    @DisplayName("one of schema 2 gets what came with 3, and keeps its notices")
    void from2(@TempDir Path directory) throws Exception {
        Path old = directory.resolve("old");
        writeSchema1(old);
        DuckDbStore.open(old, DuckDbStore.Settings.DEFAULTS).close();
        String now = columns(old);
        inDatabase(old, session -> {
            session.execute("ALTER TABLE notice DROP COLUMN announced_ms");
            session.execute("ALTER TABLE notice DROP COLUMN announced");
            session.execute("DROP TABLE bounce");
            session.execute("UPDATE meta SET value = '2' WHERE name = 'schema_version'");
        });
        try (Store store = DuckDbStore.open(old, DuckDbStore.Settings.DEFAULTS)) {
            assertEquals("n1", store.noticesOf(1).get(0).id());
            assertEquals(List.of(), store.bounces(NOON));
        }
        assertEquals(now, columns(old));
    }

    @Test
    @DisplayName("one of schema 3 gets what came with 4; what it summed up counts as not shared")
    void from3(@TempDir Path old) throws Exception {
        writeSchema1(old);
        DuckDbStore.open(old, DuckDbStore.Settings.DEFAULTS).close();
        String now = columns(old);
        inDatabase(old, session -> {
            for (String column : List.of("shared", "estimated", "parts", "gpu_parts", "own_use")) {
                session.execute("ALTER TABLE gpu_job_5m DROP COLUMN " + column);
            }
            for (String column : List.of(
                    "shared_ms",
                    "own_ms",
                    "own_utilization_mean",
                    "own_utilization_estimated",
                    "own_memory_max_bytes",
                    "own_memory_estimated")) {
                session.execute("ALTER TABLE run_gpu_summary DROP COLUMN " + column);
            }
            session.execute("""
                    INSERT INTO run_summary (cluster, job_id, start_ms, end_ms, made_ms, busy_above, gpus, covered_ms,
                      measured_ms, used_ms, busy_ms, idle_ms) VALUES ('lab', 9, 0, 60000, 1, 0.01, 1, 60000, 60000, 30000,
                      60000, 0)""");
            session.execute("""
                    INSERT INTO run_gpu_summary (cluster, job_id, start_ms, place, node, uuid, given, samples, covered_ms,
                      measured_ms, used_ms, busy_ms, idle_ms) VALUES ('lab', 9, 0, 0, 'node-a', 'GPU-a', FALSE, 2, 60000,
                      60000, 30000, 60000, 0)""");
            session.execute("UPDATE meta SET value = '3' WHERE name = 'schema_version'");
        });
        try (Store store = DuckDbStore.open(old, DuckDbStore.Settings.DEFAULTS)) {
            GpuUse use = store.summaries(List.of(new RunKey("lab", 9, Instant.EPOCH)))
                    .get(0)
                    .gpus()
                    .get(0);
            assertEquals(Optional.empty(), use.share());
            assertEquals(60, use.gpuSeconds());
        }
        assertEquals(now, columns(old));
    }

    private static String columns(Path directory) throws Exception {
        StringBuilder columns = new StringBuilder();
        inDatabase(directory, session -> append(columns, session));
        return columns.toString();
    }

    private static void append(StringBuilder columns, Session session) throws SQLException {
        session.query(
                """
                SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
                ORDER BY table_name, ordinal_position""",
                cells ->
                        columns.append(String.join(" ", cells.text(), cells.text(), cells.text(), cells.text(), "\n")));
    }
}
