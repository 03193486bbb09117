package io.fairwatch.agent.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class AgentMetricsTest {
    private final AgentMetrics metrics = new AgentMetrics();

    @Test
    @DisplayName("the page is this, in base units")
    void page() {
        metrics.watchSpool(() -> 3, () -> 4096, Map.of("age", () -> 1, "disk", () -> 0), () -> 2, () -> 17);
        metrics.probed("nvml", "read", Duration.ofMillis(250));
        metrics.probed("nvml", "failed", Duration.ofMillis(250));
        metrics.taken(new OwnCost(OptionalDouble.of(1.5), OptionalLong.of(84_000_000)));
        metrics.failed();
        System.gc(); // what is counted must not vanish with whoever handed it over
        String values = metrics.text()
                .lines()
                .filter(line -> !line.startsWith("#"))
                .sorted()
                .collect(Collectors.joining("\n", "", "\n"));
        assertEquals("""
                fairwatch_agent_cpu_seconds_total 1.5
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
        return vertx.createHttpClient()
                .request(method, port, "127.0.0.1", path)
                .compose(request -> request.send())
                .compose((HttpClientResponse response) ->
                        response.body().map(body -> response.statusCode() + " " + body))
                .await();
    }

    @Test
    @DisplayName("resident memory is read in bytes, and is absent when the line is not what it should be")
    void resident() {
        assertEquals(
                OptionalLong.of(81234L * 1024),
                OwnCost.parseResident(List.of("Name:\tjava", "VmRSS:\t   81234 kB", "RssAnon:\t 1 kB")));
        assertEquals(OptionalLong.empty(), OwnCost.parseResident(List.of("VmRSS:\t   ? kB")));
        assertEquals(OptionalLong.empty(), OwnCost.parseResident(List.of()));
    }
}
