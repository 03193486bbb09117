package io.fairwatch.collector.store;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Properties;
import org.duckdb.DuckDBConnection;
import org.duckdb.DuckDBDriver;

/**
 * How long a full store takes to open after a kill: two hours of readings in the database file, a log that was not folded,
 * and two weeks of sealed files. Arguments: {@code make DIRECTORY NODES}, which ends as if killed, then {@code open
 * DIRECTORY}. Each node has 8 GPUs and a snapshot every 30 s.
 */
public final class RestartBench {
    private static final int GPUS = 8;
    private static final int TICKS = 240;
    private static final int TICKS_IN_LOG = 10;
    private static final int DAYS = 14;

    private RestartBench() {}

    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[1]);
        if (arguments[0].equals("make")) {
            make(directory, Integer.parseInt(arguments[2]));
            Runtime.getRuntime().halt(0); // nothing is closed, so the log stays as it is
        }
        if (arguments[0].equals("log")) { // the database alone
            long began = System.nanoTime();
            new DuckDBDriver().connect("jdbc:duckdb:" + directory.resolve("fairwatch.duckdb"), new Properties());
            System.out.printf("the log was replayed in %,d ms%n", (System.nanoTime() - began) / 1_000_000);
            Runtime.getRuntime().halt(0);
        }
        long began = System.nanoTime();
        try (DuckDbStore store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS)) {
            long opened = System.nanoTime();
            System.out.printf(
                    "%,d nodes, %,d GPUs: opened in %,d ms, %,d ms after the JVM began; %,d ms of CPU in all%n",
                    store.nodes().size(),
                    store.gpus().size(),
                    (opened - began) / 1_000_000,
                    ManagementFactory.getRuntimeMXBean().getUptime(),
                    ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                                    .getProcessCpuTime()
                            / 1_000_000);
        }
    }

    private static void make(Path directory, int nodes) throws Exception {
        Instant now = Instant.now();
        long beginMs = now.minus(Duration.ofHours(2)).toEpochMilli();
        try (DuckDbStore store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS)) {
            store.append(List.of(Given.snapshot("node", 1, now.minus(Duration.ofHours(5)), Given.gpu("GPU", 0.5, 1))));
            store.seal(now.minus(Duration.ofHours(3))); // one file of each table, which stands for all
        }
        Properties options = new Properties();
        options.setProperty("threads", "2");
        options.setProperty("memory_limit", "1GB");
        options.setProperty("checkpoint_threshold", "2GB");
        DuckDBConnection root = new DuckDBDriver()
                .connect("jdbc:duckdb:" + directory.resolve("fairwatch.duckdb"), options)
                .unwrap(DuckDBConnection.class);
        Session session = new Session(root.duplicate(), Duration.ofHours(1));
        session.execute("INSERT INTO node SELECT 'n' || i, first_at_ms, "
                + (beginMs + (TICKS - TICKS_IN_LOG - 10) * 30_000L)
                + ", boot_id, sequence, period_ms, agent_version, state, scratch FROM node, range(" + nodes + ") r(i)");
        session.execute("INSERT INTO gpu SELECT 'GPU-' || i || '-' || g, 'n' || i, "
                + (beginMs + (TICKS - TICKS_IN_LOG - 10) * 30_000L)
                + ", g, g, pci_bus_id, name, memory_total_bytes, NULL, NULL, NULL, NULL, NULL FROM gpu, range(" + nodes
                + ") r(i), range(" + GPUS + ") q(g)");
        session.execute("INSERT INTO received SELECT 'n' || i || '/b/1', 'n' || i, 'b', 1, 100000 FROM range(" + nodes
                + ") r(i)");
        sealedFiles(session, directory.resolve("sealed"), now);
        for (int tick = 0; tick < TICKS - TICKS_IN_LOG; tick += 10) {
            readings(session, nodes, beginMs, tick, 10);
        }
        session.execute("CHECKPOINT");
        for (int tick = TICKS - TICKS_IN_LOG; tick < TICKS; tick++) {
            readings(session, nodes, beginMs, tick, 1);
        }
        System.out.printf(
                "%d nodes: database %d MiB, log %d MiB, %d sealed files%n",
                nodes,
                Files.size(directory.resolve("fairwatch.duckdb")) >> 20,
                Files.size(directory.resolve("fairwatch.duckdb.wal")) >> 20,
                session.query("SELECT count(*) FROM sealed_file", Cells::number).get(0));
    }

    private static void readings(Session session, int nodes, long beginMs, int tick, int ticks) throws Exception {
        String at = beginMs + " + t * 30000";
        String times = "range(" + tick + ", " + (tick + ticks) + ") s(t)";
        session.execute("INSERT INTO node_reading BY NAME SELECT 'n' || i AS node, " + at
                + " AS at_ms, 30000 AS period_ms, 'b' AS boot_id, t AS sequence, 64 AS logical_cpus, random() AS cpu_busy_ratio,"
                + " 1099511627776 AS memory_total_bytes, 549755813888 AS memory_available_bytes, 0 AS agent_started_ms, 0 AS"
                + " agent_dropped FROM " + times + ", range(" + nodes + ") r(i)");
        session.execute("INSERT INTO gpu_reading BY NAME SELECT 'GPU-' || i || '-' || g AS uuid, " + at
                + " AS at_ms, 30000 AS period_ms, 'n' || i AS node, random() AS utilization_mean, random() AS utilization_max,"
                + " 178 AS utilization_samples, 'RING' AS utilization_source, 1073741824 AS memory_used_bytes, 300.0 * random()"
                + " AS power_watts, 1000.0 * t AS energy_joules, 61.0 AS temperature_celsius, 1 AS process_count FROM "
                + times
                + ", range(" + nodes + ") r(i), range(" + GPUS + ") q(g)");
    }

    /** The files of one hour, under the names of all hours and days. */
    private static void sealedFiles(Session session, Path sealed, Instant now) throws Exception {
        record Named(String table, String name) {}
        List<Named> files = session.query(
                "SELECT table_name, name FROM sealed_file", cells -> new Named(cells.text(), cells.text()));
        for (Named file : files) {
            boolean rollup = file.table().endsWith("_5m");
            for (int day = 1; day <= DAYS; day++) {
                String of = now.minus(Duration.ofDays(day))
                        .toString()
                        .substring(0, 10)
                        .replace("-", "");
                for (int hour = 0; hour < (rollup ? 1 : 24); hour++) {
                    String name = "%s/day=%s/%02d.parquet".formatted(file.table(), of, hour);
                    link(sealed.resolve(name), sealed.resolve(file.name()));
                    session.update(
                            "INSERT INTO sealed_file SELECT table_name, ?, ?, row_count, bytes, min_at_ms, max_at_ms,"
                                    + " max_period_ms, version FROM sealed_file WHERE name = ?",
                            of,
                            name,
                            file.name());
                }
            }
        }
    }

    private static void link(Path name, Path file) throws IOException {
        Files.createDirectories(name.resolveSibling(""));
        Files.createLink(name, file);
    }
}
