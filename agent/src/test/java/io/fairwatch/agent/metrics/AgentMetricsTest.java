package io.fairwatch.agent.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.agent.wire.WireCodec.WireException;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpClientAgent;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class AgentMetricsTest {
    private static final Instant EXAMPLE_AT = Instant.parse("2026-11-20T12:00:30Z");
    private final AgentMetrics metrics = metrics(() -> EXAMPLE_AT, AgentMetrics.Switches.NONE);

    private static AgentMetrics metrics(InstantSource clock, AgentMetrics.Switches switches) {
        return new AgentMetrics(clock, switches, "0.1.0", job -> true);
    }

    @Test
    @DisplayName("the page is this, in base units")
    void page() {
        metrics.watchSpool(
                () -> 3,
                () -> 4096,
                Map.of("age", () -> 1, "disk", () -> 0),
                () -> 2,
                () -> 17,
                () -> Optional.of(EXAMPLE_AT));
        metrics.probed("nvml", "read", Duration.ofMillis(250), false);
        metrics.probed("nvml", "failed", Duration.ofMillis(250), true);
        metrics.taken(new OwnCost(OptionalDouble.of(1.5), OptionalLong.of(84_000_000)), example());
        metrics.failed();
        System.gc(); // what is counted must not vanish with whoever handed it over
        String values = metrics.text()
                .lines()
                .filter(line -> line.startsWith("fairwatch_agent_"))
                .map(line -> line.replace(Runtime.version().toString(), "JAVA"))
                .sorted()
                .collect(Collectors.joining("\n", "", "\n"));
        assertEquals("""
                fairwatch_agent_build_info{java="JAVA",version="0.1.0",wire="1"} 1
                fairwatch_agent_cpu_seconds_total 1.5
                fairwatch_agent_last_acknowledged_timestamp_seconds 1.79517603E9
                fairwatch_agent_probe_abandoned{probe="nvml"} 1.0
                fairwatch_agent_probe_last_seconds{probe="nvml"} 0.25
                fairwatch_agent_probe_reads_total{outcome="failed",probe="nvml"} 1.0
                fairwatch_agent_probe_reads_total{outcome="read",probe="nvml"} 1.0
                fairwatch_agent_probe_seconds_total{probe="nvml"} 0.5
                fairwatch_agent_resident_bytes 8.4E7
                fairwatch_agent_snapshots_dropped_total{reason="age"} 1.0
                fairwatch_agent_snapshots_dropped_total{reason="disk"} 0.0
                fairwatch_agent_snapshots_failed_total 1.0
                fairwatch_agent_snapshots_rejected_total 2.0
                fairwatch_agent_snapshots_shipped_total 17.0
                fairwatch_agent_snapshots_total 1.0
                fairwatch_agent_spool_bytes 4096.0
                fairwatch_agent_spool_snapshots 3.0
                """, values);
    }

    @Test
    @DisplayName("the page of a node is this, jobstats' and node_exporter's series apart")
    void nodePage() throws Exception {
        metrics.taken(OwnCost.UNKNOWN, example());
        assertEquals(golden("node.prom", series(metrics)), series(metrics));
    }

    @Test
    @DisplayName("jobstats' series are this, name by name and label by label")
    void jobstatsPage() throws Exception {
        AgentMetrics jobstats = metrics(() -> EXAMPLE_AT, new AgentMetrics.Switches(true, false));
        jobstats.held(List.of(new HeldGpu("MIG-41a1b2c3-0d4e-5f60-8a9b-0c1d2e3f4a5b", 83549, OptionalInt.of(21001))));
        jobstats.taken(OwnCost.UNKNOWN, example());
        String series = series(jobstats)
                .lines()
                .filter(line -> line.startsWith("cgroup_") || line.startsWith("nvidia_"))
                .collect(Collectors.joining("\n", "", "\n"));
        assertEquals(golden("jobstats.prom", series), series);
    }

    @Test
    @DisplayName("series end when the newest snapshot is old, and the collector's word holds for five minutes")
    void stale() throws Exception {
        AtomicReference<Instant> now = new AtomicReference<>(EXAMPLE_AT);
        AgentMetrics jobstats = metrics(now::get, new AgentMetrics.Switches(true, false));
        jobstats.held(List.of(new HeldGpu("MIG-41a1b2c3-0d4e-5f60-8a9b-0c1d2e3f4a5b", 83549, OptionalInt.empty())));
        jobstats.taken(OwnCost.UNKNOWN, example());
        assertTrue(series(jobstats).contains("jobid=\"83549\""));
        String slice = "nvidia_gpu_memory_used_bytes{GPU_I_ID=\"7\",jobid=\"";
        assertTrue(series(jobstats).contains(slice + "83549\""));
        NodeSnapshot later = example(EXAMPLE_AT.plusSeconds(301));
        now.set(later.at());
        jobstats.taken(OwnCost.UNKNOWN, later);
        assertTrue(series(jobstats).contains("jobid=\"83549\""));
        assertTrue(series(jobstats).contains(slice + "\""));
        now.set(later.at().plusSeconds(91));
        assertFalse(series(jobstats).contains("jobid="), series(jobstats));
        assertFalse(series(jobstats).contains("fairwatch_gpu_"), series(jobstats));
    }

    @Test
    @DisplayName("node_exporter's series of this machine have its names and base units")
    void nodeExporter() {
        String page = series(metrics(InstantSource.system(), new AgentMetrics.Switches(false, true)));
        for (String begin : List.of(
                "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} ",
                "node_memory_MemTotal_bytes ",
                "node_memory_MemAvailable_bytes ",
                "node_load1 ")) {
            assertTrue(page.lines().anyMatch(line -> line.startsWith(begin)), begin);
        }
    }

    private static String series(AgentMetrics from) {
        return from.text()
                .lines()
                .filter(line -> !line.startsWith("#") && !line.startsWith("fairwatch_agent_"))
                .sorted()
                .collect(Collectors.joining("\n", "", "\n"));
    }

    private static NodeSnapshot example() {
        return example(EXAMPLE_AT);
    }

    private static NodeSnapshot example(Instant at) {
        try (InputStream in = NodeSnapshot.class.getResourceAsStream("example-snapshot.json")) {
            return new WireCodec()
                    .parse(new String(in.readAllBytes(), StandardCharsets.UTF_8)
                            .replace(EXAMPLE_AT.toString(), at.toString()));
        } catch (IOException | WireException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The page that is kept; written anew where that is asked for. */
    private static String golden(String name, String now) throws IOException {
        Path file = Path.of("src/test/resources/metrics", name);
        if (Boolean.getBoolean("fairwatch.golden.write")) {
            Files.createDirectories(file.getParent());
            Files.writeString(file, now);
        }
        return Files.readString(file);
    }

    @Test
    @DisplayName("/healthz says what is wrong, /metrics answers anyway, nothing else is there")
    void server() {
        Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
        try {
            AtomicReference<Optional<String>> trouble = new AtomicReference<>(Optional.empty());
            int port = new MetricsServer(metrics, trouble::get)
                    .listen(vertx, "127.0.0.1", 0)
                    .await()
                    .actualPort();
            assertEquals("200 ok\n", get(vertx, port, HttpMethod.GET, "/healthz"));
            trouble.set(Optional.of("no snapshot was kept since noon"));
            assertEquals("503 no snapshot was kept since noon\n", get(vertx, port, HttpMethod.GET, "/healthz"));
            assertEquals("200 #", get(vertx, port, HttpMethod.GET, "/metrics").substring(0, 5));
            assertEquals("404 there are /metrics and /healthz\n", get(vertx, port, HttpMethod.GET, "/"));
            assertEquals("405 only GET\n", get(vertx, port, HttpMethod.POST, "/metrics"));
        } finally {
            vertx.close().await();
        }
    }

    private static String get(Vertx vertx, int port, HttpMethod method, String path) {
        HttpClientAgent client = vertx.createHttpClient(); // one that nobody holds is closed by the garbage collector
        try {
            return client.request(method, port, "127.0.0.1", path)
                    .compose(request -> request.send())
                    .compose((HttpClientResponse response) ->
                            response.body().map(body -> response.statusCode() + " " + body))
                    .await();
        } finally {
            client.close();
        }
    }

    @Test
    @DisplayName("resident memory is read in bytes, and is absent when the line is not what it should be")
    void resident() {
        assertEquals(
                OptionalLong.of(81234L * 1024),
                OwnCost.parseResident("Name:\tjava\nVmRSS:\t   81234 kB\nRssAnon:\t 1 kB\n"));
        assertEquals(OptionalLong.empty(), OwnCost.parseResident("VmRSS:\t   ? kB\n"));
        assertEquals(OptionalLong.empty(), OwnCost.parseResident(""));
        assertEquals(
                OptionalDouble.of(3.45),
                OwnCost.parseCpu("805 (a) b) S 799 805 799 0 -1 4194304 153 0 0 0 300 45 0 0 20"));
        assertEquals(OptionalDouble.empty(), OwnCost.parseCpu(""));
        double millis = OwnCost.read().cpuSeconds().orElseThrow() * 1000;
        double java =
                ProcessHandle.current().info().totalCpuDuration().orElseThrow().toMillis();
        assertTrue(Math.abs(millis - java) < 2_000, millis + " and " + java + " ms");
    }
}
