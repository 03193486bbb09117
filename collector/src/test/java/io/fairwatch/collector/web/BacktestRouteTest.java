package io.fairwatch.collector.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.judge.Backtest;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.RuleFile;
import io.vertx.core.Vertx;
import io.vertx.ext.web.Router;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The address of rehearsals, on a store without runs. */
class BacktestRouteTest {
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");

    private final Vertx vertx = Vertx.vertx();
    private final HttpClient client = HttpClient.newHttpClient();
    private int port;
    private Store store;

    @BeforeEach
    void start(@TempDir Path temporary) throws Exception {
        store = DuckDbStore.open(temporary.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        RuleSet rules;
        try (InputStream in = Objects.requireNonNull(RuleSet.class.getResourceAsStream("idle-gpu.yaml"))) {
            rules = RuleSet.read(
                    List.of(new RuleFile("idle-gpu.yaml", new String(in.readAllBytes(), StandardCharsets.UTF_8))));
        }
        Router router = Router.router(vertx);
        new BacktestRoute(vertx, new Backtest(store, () -> rules, 0.01), ZoneOffset.UTC, () -> NOW).mount(router);
        port = vertx.createHttpServer()
                .requestHandler(router)
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS)
                .actualPort();
    }

    @AfterEach
    void stop() throws Exception {
        vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
        store.close();
    }

    private HttpResponse<String> get(String rest) throws Exception {
        return client.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/api/v1/rules/" + rest))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    @Test
    @DisplayName("it says how far it is, line by line, and the outcome last")
    void progress() throws Exception {
        HttpResponse<String> text = get("idle-gpu/backtest?since=2026-11-17&until=2026-11-19");
        assertEquals(200, text.statusCode());
        assertTrue(
                text.body().startsWith("# 50 %\n# 100 %\nRule idle-gpu from 2026-11-17 00:00 to 2026-11-19 00:00\n"),
                text.body());
        String json =
                get("idle-gpu/backtest?since=2d&format=json&set=window%3D30m").body();
        assertTrue(json.startsWith("{\"progress\":0.500}\n{\"progress\":1.000}\n{\"rule\":\"idle-gpu\""), json);
    }

    @Test
    @DisplayName("what cannot be rehearsed is refused with a sentence that says what was expected")
    void refused() throws Exception {
        assertSentence(400, "since: missing (expected: e.g. 2026-09-01)\n", get("idle-gpu/backtest"));
        assertSentence(
                400,
                "since: yesterday (expected: e.g. 2026-09-01, 30d or 12h)\n",
                get("idle-gpu/backtest?since=yesterday"));
        assertSentence(400, "set: window (expected: threshold=value)\n", get("idle-gpu/backtest?since=2d&set=window"));
        assertSentence(
                400, "cancel_after: soon (expected: minutes)\n", get("idle-gpu/backtest?since=2d&cancel_after=soon"));
        assertTrue(get("idle-gpu/backtest?since=2027-01-01").body().contains("expected: before"));
        assertTrue(
                get("no-such/backtest?since=2d").body().contains("unknown rule no-such (expected: one of idle-gpu)"));
        assertTrue(get("idle-gpu/backtest?since=2d&set=windwo%3D1h").body().contains("unknown key windwo"));
    }

    private static void assertSentence(int status, String sentence, HttpResponse<String> answer) {
        assertEquals(sentence, answer.body());
        assertEquals(status, answer.statusCode());
    }
}
