package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.MainTest.Ended;
import io.fairwatch.collector.store.AppendingMain;
import io.fairwatch.collector.store.DuckDbStore;
import io.vertx.core.json.JsonObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The collector as a process of its own, where there is no Slurm. */
class RunningCollectorTest {
    /** A running collector. */
    private record Collector(Process process, int port) implements AutoCloseable {
        static Collector start(Path directory) throws IOException {
            int port;
            try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                port = free.getLocalPort();
            }
            Process process = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Xmx128m",
                            "-XX:TieredStopAtLevel=1",
                            "-Djava.io.tmpdir=" + directory,
                            "-cp",
                            AppendingMain.classPath(),
                            Main.class.getName(),
                            "--config",
                            configuration(directory, "store", port).toString())
                    .redirectErrorStream(true)
                    .start();
            StringBuilder said = new StringBuilder();
            BufferedReader lines = process.inputReader();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                said.append(line).append('\n');
                if (line.contains(" listens on 127.0.0.1:" + port + " ")) {
                    return new Collector(process, port);
                }
            }
            throw new IOException("it ended: " + said);
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }

        HttpResponse<String> get(String path) throws IOException, InterruptedException {
            return HttpClient.newHttpClient()
                    .send(
                            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString());
        }
    }

    private static Path directory;
    private static Collector collector;

    @BeforeAll
    static void start(@TempDir Path temporary) throws IOException {
        directory = temporary;
        collector = Collector.start(directory);
    }

    @AfterAll
    static void stop() {
        collector.close();
    }

    private static Path configuration(Path directory, String store, int port) throws IOException {
        return Files.writeString(directory.resolve(store + ".yml"), """
                listen: {address: 127.0.0.1, port: %d}
                store: {directory: %s, memory: 128MiB}
                slurm: {enabled: false}
                """.formatted(port, directory.resolve(store)));
    }

    @Test
    @DisplayName("where Slurm is switched off, nobody complains that it is silent or that nobody is judged")
    void healthWithoutSlurm() throws Exception {
        HttpResponse<String> health = collector.get("/api/v1/health?format=text");
        assertEquals(200, health.statusCode(), health.body());
        assertEquals("""
                Fairwatch collector unreleased: well
                Slurm: switched off
                No agent has reported yet.
                """, health.body());
    }

    @Test
    @DisplayName("the description of the API names what others serve, too")
    void described() throws Exception {
        JsonObject paths = new JsonObject(collector.get("/api/v1/openapi.json").body()).getJsonObject("paths");
        for (String path : List.of(
                "/api/v1/jobs/{id}",
                "/api/v1/rules/{rule}/backtest",
                "/api/v1/snapshots",
                "/api/v1/report",
                "/api/v1/bounces",
                "/api/v1/staff/exemptions")) {
            assertTrue(paths.containsKey(path), path + " of " + paths.fieldNames());
        }
    }

    @Test
    @DisplayName("its own numbers are for Prometheus")
    void metrics() throws Exception {
        HttpResponse<String> metrics = collector.get("/metrics");
        assertEquals(200, metrics.statusCode());
        assertTrue(metrics.body().contains("\n# TYPE fairwatch_"), metrics.body());
    }

    @Test
    @DisplayName(
            "it is backed up and exported while it runs, by files of its own directory; the copy becomes a store again")
    void copies(@TempDir Path own) throws Exception {
        Path config = directory.resolve("store.yml");
        Ended backup = Ended.of("backup", own.resolve("backup"), "--config", config);
        assertEquals("", backup.err());
        assertEquals(0, backup.status());
        assertTrue(backup.out().startsWith("The collector is running and does it;"), backup.out());
        assertTrue(backup.out().contains(own.resolve("backup") + ": 1 files, "), backup.out());

        Ended again = Ended.of("backup", own.resolve("backup"), "--config", config);
        assertEquals(1, again.status());
        assertEquals(
                "backup: " + own.resolve("backup") + " is there already (expected: a directory that is made now)",
                again.err().strip());

        Ended export = Ended.of(
                "export",
                own.resolve("tables"),
                "--config",
                config,
                "--tables",
                "run,gpu_reading",
                "--format",
                "csv",
                "--from",
                "2026-09-01");
        assertEquals(0, export.status(), export.err());
        assertTrue(Files.readString(own.resolve("tables/run.csv")).startsWith("cluster,job_id,start_ms,"));
        Ended wrong = Ended.of("export", own.resolve("tables"), "--config", config, "--from", "autumn");
        assertEquals(2, wrong.status());
        assertEquals(
                "export: --from: autumn (expected: e.g. 2026-09-01, 2026-09-01T12:00 or 2026-09-01T10:00:00Z)",
                wrong.err().strip());

        Ended running = Ended.of("restore", own.resolve("backup"), "--config", config);
        assertEquals(1, running.status());
        assertTrue(running.err().contains("is in use by another collector"), running.err());
        Ended restored = Ended.of("restore", own.resolve("backup"), "--to", own.resolve("new"), "--config", config);
        assertEquals(0, restored.status(), restored.err());
        assertTrue(restored.out().contains("As it was at 20"), restored.out());

        // where no collector runs, the command does it
        Path alone = configuration(own, "new", 1);
        assertEquals(
                0, Ended.of("backup", own.resolve("third"), "--config", alone).status());
        Path none = configuration(own, "none", 1);
        Ended nothing = Ended.of("backup", own.resolve("fourth"), "--config", none);
        assertEquals(1, nothing.status());
        assertTrue(nothing.err().contains("there is no store in " + own.resolve("none")), nothing.err());
    }

    @Test
    @DisplayName("nowhere is a page of HTML")
    void noPage() throws Exception {
        HttpResponse<String> answer = collector.get("/");
        assertEquals(404, answer.statusCode());
        assertFalse(answer.body().contains("<"), answer.body());
    }

    @Test
    @DisplayName("a second collector of the same store ends with 1 and a sentence")
    void sameStore() throws Exception {
        Path second =
                Files.writeString(directory.resolve("second.yml"), Files.readString(directory.resolve("store.yml")));
        Ended ended = Ended.of("--config", second);
        assertEquals(1, ended.status());
        assertTrue(ended.err().contains("is in use by another collector; only one may open it"), ended.err());
        assertFalse(ended.err().contains("\tat "), ended.err());
    }

    @Test
    @DisplayName("an address that is taken ends with 1 and a sentence")
    void samePort() throws Exception {
        Ended ended = Ended.of("--config", configuration(directory, "other", collector.port()));
        assertEquals(1, ended.status());
        assertTrue(ended.err().contains("cannot listen on 127.0.0.1:" + collector.port() + ": "), ended.err());
        assertFalse(ended.err().contains("\tat "), ended.err());
    }

    @Test
    @DisplayName("asked to end it closes its store, which another can open then")
    void ends(@TempDir Path own) throws Exception {
        try (Collector brief = Collector.start(own)) {
            brief.process().destroy();
            assertTrue(brief.process().waitFor(60, TimeUnit.SECONDS));
            assertEquals(128 + 15, brief.process().exitValue());
        }
        DuckDbStore.open(own.resolve("store"), DuckDbStore.Settings.DEFAULTS).close();
        assertFalse(Files.exists(own.resolve("store/fairwatch.duckdb.wal")), "the log was folded");
    }
}
