package io.fairwatch.collector.web;

import static io.fairwatch.collector.lookup.Samples.COPENHAGEN;
import static io.fairwatch.collector.lookup.Samples.NOW;
import static io.fairwatch.collector.lookup.Samples.allocated;
import static io.fairwatch.collector.lookup.Samples.gpu;
import static io.fairwatch.collector.lookup.Samples.running;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairwatch.collector.lookup.FindingList;
import io.fairwatch.collector.lookup.HoldLookup;
import io.fairwatch.collector.lookup.JobList;
import io.fairwatch.collector.lookup.JobLookup;
import io.fairwatch.collector.lookup.NodeLookup;
import io.fairwatch.collector.lookup.Samples;
import io.fairwatch.collector.lookup.ScratchLookup;
import io.fairwatch.collector.lookup.SeriesLookup;
import io.fairwatch.collector.lookup.UserLookup;
import io.fairwatch.collector.report.ReportMaker;
import io.fairwatch.collector.report.ReportSettings;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.ext.web.Router;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Questions over real HTTP, of a real store with one running and one waiting job. */
class ApiTest {
    private static final String TEXT = "text/plain; charset=utf-8";

    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    private static Vertx vertx;
    private static Store store;
    private static int port;

    @BeforeAll
    static void start(@TempDir Path directory) throws Exception {
        vertx = Vertx.vertx();
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        Run run = running(83549, allocated("nv-ai-01", 3));
        Samples.slurmSays(store, List.of(run), Samples.pending(83550, "83550"));
        Samples.sendAllTheTime(store, "nv-ai-01", gpu("nv-ai-01", 3, 0.98, 0.66, 30_994, 83549));
        port = serve(store);
    }

    @AfterAll
    static void stop() throws Exception {
        vertx.close().toCompletionStage().toCompletableFuture().get();
        store.close();
    }

    private static int serve(Store asked) throws Exception {
        return serve(asked, new SimpleMeterRegistry());
    }

    private static int serve(Store asked, MeterRegistry meters) throws Exception {
        Router router = Router.router(vertx);
        HoldLookup holds = new HoldLookup(asked, () -> NOW, Samples.SETTINGS);
        new Api(
                        vertx,
                        new JobLookup(asked, () -> NOW, Samples.SETTINGS),
                        new JobList(asked, holds),
                        new SeriesLookup(asked, () -> NOW),
                        new NodeLookup(asked, () -> NOW),
                        holds,
                        new UserLookup(asked, holds),
                        new FindingList(asked, () -> NOW),
                        new ScratchLookup(asked, () -> NOW),
                        new ReportMaker(
                                asked,
                                ReportSettings.DEFAULTS,
                                new ReportMaker.Site("the cluster", ZoneOffset.UTC, "test", List::of)),
                        new HealthCheck(
                                asked,
                                () -> NOW,
                                Optional.of(Duration.ofSeconds(75)),
                                () -> true,
                                "0.1.0",
                                () -> List.of()),
                        COPENHAGEN,
                        () -> NOW,
                        0.01,
                        meters,
                        RuleRoutes.NONE,
                        List.of())
                .mount(router);
        HttpServer server = vertx.createHttpServer()
                .requestHandler(router)
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .get();
        return server.actualPort();
    }

    private static HttpResponse<String> get(int from, String path) throws IOException, InterruptedException {
        return get(from, path, Optional.empty());
    }

    private static HttpResponse<String> get(int from, String path, Optional<String> accept)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + from + path));
        accept.ifPresent(types -> request.header("Accept", types));
        return CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return get(port, path);
    }

    private static JsonNode json(String path) throws IOException, InterruptedException {
        HttpResponse<String> answer = get(path);
        assertEquals("application/json", type(answer));
        return new ObjectMapper().readTree(answer.body());
    }

    private static String type(HttpResponse<String> answer) {
        return answer.headers().firstValue("Content-Type").orElse("");
    }

    private static void assertSentence(int status, HttpResponse<String> answer) {
        assertEquals(status, answer.statusCode(), answer.body());
        assertEquals(TEXT, type(answer));
        assertEquals(1, answer.body().lines().count(), answer.body());
        assertFalse(answer.body().contains("<"), answer.body());
    }

    // ---- jobs

    @ParameterizedTest
    @CsvSource({
        "/api/v1/jobs/83549?format=text, 200, text/plain; charset=utf-8",
        "/api/v1/jobs/83549?format=csv, 200, text/csv; charset=utf-8",
        "/api/v1/jobs/83549?format=json, 200, application/json",
        "/api/v1/jobs/83549, 200, application/json",
        "/api/v1/nodes?format=text, 200, text/plain; charset=utf-8",
        "/api/v1/nodes, 200, application/json",
        "/api/v1/nodes/nv-ai-01, 200, application/json",
        "/api/v1/health?format=text, 200, text/plain; charset=utf-8",
        "/api/v1/health, 200, application/json",
        "/api/v1/report?semester=2026-autumn&format=text, 200, text/plain; charset=utf-8",
        "/api/v1/report?from=2026-11-01&format=csv, 200, text/csv; charset=utf-8",
        "/api/v1/report?from=2026-11-01, 200, application/json"
    })
    @DisplayName("an answer has its content type, is no page to sniff in, and is not kept")
    void answers(String path, int status, String type) throws Exception {
        HttpResponse<String> answer = get(path);
        assertEquals(status, answer.statusCode(), answer.body());
        assertEquals(type, type(answer));
        assertEquals(Optional.of("nosniff"), answer.headers().firstValue("X-Content-Type-Options"));
        assertEquals(Optional.of("no-store"), answer.headers().firstValue("Cache-Control"));
    }

    @Test
    @DisplayName("a job that waits is a conflict, one that nobody knows is not found")
    void otherJobs() throws Exception {
        assertSentence(409, get("/api/v1/jobs/83550?format=text"));
        assertSentence(404, get("/api/v1/jobs/83551?format=text"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/api/v1/jobs/abc",
                "/api/v1/jobs/5_",
                "/api/v1/jobs/..%2f",
                "/api/v1/jobs/..%2f..%2fetc%2fpasswd",
                "/api/v1/jobs/%00",
                "/api/v1/jobs/5%0a6",
                "/api/v1/jobs/%3Cscript%3E1",
                "/api/v1/jobs/83549?format=xml",
                "/api/v1/jobs/83551?format=xml",
                "/api/v1/jobs/83549?format=JSON",
                "/api/v1/summary?format=csv",
                "/api/v1/jobs?usr=anna",
                "/api/v1/jobs?user=anna&user=bob",
                "/api/v1/jobs?state=resting",
                "/api/v1/jobs?since=lately",
                "/api/v1/jobs?since=2026-13-01",
                "/api/v1/jobs?limit=0",
                "/api/v1/jobs?limit=-1",
                "/api/v1/jobs?limit=10001",
                "/api/v1/jobs?limit=99999999999999999999",
                "/api/v1/jobs?after=%27%3B--",
                "/api/v1/jobs?state=ended&after=YQ",
                "/api/v1/jobs/83549?live=no",
                "/api/v1/health?format=html",
                "/api/v1/report",
                "/api/v1/report?from=yesterday",
                "/api/v1/report?semester=2026-winter%0A%3Cb%3E",
                "/api/v1/report?semester=2026-autumn&from=2026-09-01"
            })
    @DisplayName("what makes no sense is refused with one sentence")
    void refused(String path) throws Exception {
        HttpResponse<String> answer = get(path);
        assertEquals(400, answer.statusCode(), answer.body());
        assertEquals(TEXT, type(answer));
        assertEquals(1, answer.body().lines().count(), answer.body());
        assertTrue(answer.body().contains("expected"), answer.body());
    }

    @Test
    @DisplayName("a component's plus sign arrives, encoded or not")
    void plus() throws Exception {
        assertTrue(get("/api/v1/jobs/6%2B1").body().startsWith("Job 6+1 is not known"));
        assertTrue(get("/api/v1/jobs/6+1").body().startsWith("Job 6+1 is not known"));
    }

    // ---- lists

    @Test
    @DisplayName("jobs as JSON: what runs and what waits, newest first, with what its GPUs do")
    void jobList() throws Exception {
        JsonNode list = json("/api/v1/jobs");
        assertEquals("2026-11-20T14:00:05Z", list.get("slurm_as_of").asText());
        assertEquals(2, list.get("items").size());
        assertEquals("pending", list.at("/items/0/state").asText());
        assertEquals("Resources", list.at("/items/0/reason").asText());
        assertFalse(list.at("/items/0").has("start"));
        assertEquals("83549", list.at("/items/1/job").asText());
        assertEquals(0, list.at("/items/1/gpus_idle").asInt());
        assertEquals(0.98, list.at("/items/1/busy_ratio").asDouble());
        assertFalse(list.has("next"));
        assertEquals(1, json("/api/v1/jobs?state=pending").get("items").size());
        assertEquals(0, json("/api/v1/jobs?user=nobody").get("items").size());
        assertEquals(0, json("/api/v1/jobs?state=ended").get("items").size());
        assertEquals(1, json("/api/v1/jobs?since=1h").get("items").size());
        assertEquals(0, json("/api/v1/jobs?until=3h").get("items").size());
    }

    @Test
    @DisplayName("a list comes in parts: the field next, or the header Link, leads on to the rest")
    void parts() throws Exception {
        JsonNode first = json("/api/v1/jobs?limit=1");
        assertEquals("pending", first.at("/items/0/state").asText());
        JsonNode second = json("/api/v1/jobs?limit=1&after=" + first.get("next").asText());
        assertEquals("running", second.at("/items/0/state").asText());
        assertFalse(second.has("next"));

        String link = get("/api/v1/jobs?limit=1&format=csv&user=tlj%40its.aau.dk")
                .headers()
                .firstValue("Link")
                .orElseThrow();
        String next = link.replaceFirst("^<(.*)>; rel=\"next\"$", "$1");
        assertEquals(List.of("83549"), column(get(next).body(), 0));
    }

    private static List<String> column(String csv, int column) {
        return csv.lines().skip(1).map(line -> line.split(",", -1)[column]).toList();
    }

    @Test
    @DisplayName("the runs of a job")
    void runs() throws Exception {
        assertEquals("83549", json("/api/v1/jobs/83549/runs").at("/items/0/job").asText());
        assertSentence(404, get("/api/v1/jobs/4711/runs"));
    }

    // ---- errors

    @ParameterizedTest
    @CsvSource({
        "/api/v1/jobs/5?format=json, , 404",
        "/api/v1/jobs/abc?format=json, , 400",
        "/api/v1/jobs/83550, application/json, 409",
        "/api/v1/nothing, application/json, 404",
        "/api/v1/jobs?usr=x, application/problem+json, 400"
    })
    @DisplayName("who asks for JSON gets errors as JSON too")
    void jsonErrors(String path, String accept, int status) throws Exception {
        HttpResponse<String> answer = get(port, path, Optional.ofNullable(accept));
        assertEquals(status, answer.statusCode());
        assertEquals("application/problem+json", type(answer));
        JsonNode problem = new ObjectMapper().readTree(answer.body());
        assertEquals(status, problem.get("status").asInt());
        assertFalse(problem.get("detail").asText().isBlank());
    }

    @Test
    @DisplayName("who says that they read text gets errors as text, whatever the format of answers; Accept chooses it")
    void accept() throws Exception {
        assertSentence(404, get(port, "/api/v1/jobs/5?format=json", Optional.of("text/plain")));
        assertEquals(TEXT, type(get(port, "/api/v1/health", Optional.of("text/plain"))));
        assertTrue(type(get(port, "/api/v1/jobs", Optional.of("text/csv"))).startsWith("text/csv"));
        assertEquals("application/json", type(get(port, "/api/v1/jobs", Optional.of("text/html,*/*;q=0.8"))));
    }

    // ---- bounds

    @Test
    @DisplayName("when too many ask, one more is refused at once instead of waiting for ever")
    void tooMany() throws Exception {
        CountDownLatch free = new CountDownLatch(1);
        Store slow = (Store) Proxy.newProxyInstance(
                Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                    free.await();
                    throw new StoreException("late");
                });
        SimpleMeterRegistry meters = new SimpleMeterRegistry();
        int there = serve(slow, meters);
        List<CompletableFuture<HttpResponse<String>>> asked = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            asked.add(CLIENT.sendAsync(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + there + "/api/v1/jobs/5"))
                            .build(),
                    HttpResponse.BodyHandlers.ofString()));
        }
        awaitWaiting(meters, 64);
        HttpResponse<String> refused = get(there, "/api/v1/nodes");
        assertSentence(503, refused);
        assertTrue(refused.body().contains("64 questions wait already"), refused.body());
        assertEquals(Optional.of("5"), refused.headers().firstValue("Retry-After"));
        free.countDown();
        for (CompletableFuture<HttpResponse<String>> one : asked) {
            assertEquals(503, one.get().statusCode());
        }
        awaitWaiting(meters, 0);
        assertEquals(
                "the store cannot answer: late", get(there, "/api/v1/nodes").body());
    }

    private static void awaitWaiting(MeterRegistry meters, int count) {
        Gauge waiting = meters.get("fairwatch.collector.api.waiting")
                .tag("effort", "quick")
                .gauge();
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            while (waiting.value() != count) {
                Thread.onSpinWait();
            }
        });
    }

    @Test
    @DisplayName("every answer says how long it took, and it is counted by route and not by what was asked")
    void timing() throws Exception {
        SimpleMeterRegistry meters = new SimpleMeterRegistry();
        int there = serve(store, meters);
        String timing = get(there, "/api/v1/jobs/83549")
                .headers()
                .firstValue("Server-Timing")
                .orElse("");
        assertTrue(timing.matches("total;dur=\\d+\\.\\d"), timing);
        get(there, "/api/v1/jobs/5");
        assertEquals(
                1,
                meters.get("fairwatch.collector.api.request")
                        .tags("route", "/api/v1/jobs/{id}", "status", "404")
                        .timer()
                        .count());
    }

    // ---- never a page

    @ParameterizedTest
    @ValueSource(strings = {"/", "/api/v1/", "/api/v1/jobs/5/6", "/index.html"})
    @DisplayName("where nothing is there is a sentence, not a page")
    void nothingThere(String path) throws Exception {
        assertSentence(404, get(path));
    }

    @Test
    @DisplayName("a node that never reported is not found, whatever its name")
    void unheardNode() throws Exception {
        HttpResponse<String> answer = get("/api/v1/nodes/a%0Ab%1B%5B2J");
        assertEquals(404, answer.statusCode());
        assertEquals("Node a b\uFFFD[2J has never reported.", answer.body());
    }

    @Test
    @DisplayName("a method that an address does not take is refused with a sentence")
    void otherMethod() throws Exception {
        assertSentence(
                405,
                CLIENT.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/api/v1/jobs/83549"))
                                .DELETE()
                                .build(),
                        HttpResponse.BodyHandlers.ofString()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/api/v1/jobs/%zz", "/api/v1/jobs/5?format=%zz", "/api/v1/jobs/%c3%28"})
    @DisplayName("an address that is none gets no page")
    void malformedAddress(String path) throws Exception {
        try (Socket socket = new Socket(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port)) {
            socket.getOutputStream()
                    .write(("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            String said = String.join(
                    "\n",
                    new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8))
                            .lines()
                            .toList());
            assertTrue(said.startsWith("HTTP/1.1 400 "), said);
            assertFalse(said.toLowerCase(java.util.Locale.ROOT).contains("html"), said);
        }
    }

    // ---- JSON

    @Test
    @DisplayName("a job as JSON: keys in snake case with units, times as ISO 8601")
    void jobJson() throws Exception {
        JsonNode job = json("/api/v1/jobs/83549").get(0);
        assertEquals(83549, job.at("/run/key/job_id").asLong());
        assertEquals("2026-11-20T12:00:00Z", job.at("/run/key/start").asText());
        assertEquals("PT48H", job.at("/run/time_limit").asText());
        assertEquals(3, job.at("/gpus/0/whole/allocated/gres_index").asInt());
        assertEquals(0.98, job.at("/gpus/0/whole/utilization_mean_ratio").asDouble());
        assertEquals(
                30_994L << 20,
                job.at("/gpus/0/newest/reading/memory_used_bytes").asLong());
        assertFalse(job.get("slurm_stale").asBoolean());
        for (String key : keys(job)) {
            assertTrue(key.matches("[a-z0-9_]+"), key);
        }
    }

    @Test
    @DisplayName("what is not known has no key: neither null nor zero")
    void absentKeys() throws Exception {
        JsonNode job = json("/api/v1/jobs/83549").get(0);
        assertFalse(job.get("run").has("end"));
        assertFalse(job.has("simulated"));
        assertFalse(job.has("cpu"));
        assertFalse(job.at("/gpus/0/whole").has("energy_joules"));
        assertFalse(job.at("/run/ids").has("array_job_id"));
        assertFalse(get("/api/v1/jobs/83549").body().contains(":null"));
        assertFalse(get("/api/v1/nodes").body().contains(":null"));
        assertFalse(get("/api/v1/health").body().contains(":null"));
        assertFalse(get("/api/v1/report?from=2026-11-01").body().contains(":null"));
    }

    @Test
    @DisplayName("empty lists are there, so that nobody must guess")
    void emptyLists() throws Exception {
        JsonNode job = json("/api/v1/jobs/83549").get(0);
        assertEquals("[]", job.get("findings").toString());
        assertEquals("[]", job.get("silent_nodes").toString());
    }

    @Test
    @DisplayName("health as JSON")
    void healthJson() throws Exception {
        JsonNode health = json("/api/v1/health");
        assertTrue(health.get("ok").asBoolean());
        assertTrue(health.get("slurm_enabled").asBoolean());
        assertEquals("2026-11-20T14:00:05Z", health.get("slurm_as_of").asText());
        assertFalse(health.has("accounting_until"));
        assertEquals("nv-ai-01", health.at("/nodes/0/name").asText());
        assertEquals("2026-11-20T14:00:00Z", health.at("/nodes/0/last_at").asText());
    }

    @Test
    @DisplayName("what is not well answers 503, so that a watchdog needs to read nothing, and says what it is")
    void notWell(@TempDir Path other) throws Exception {
        try (Store empty = DuckDbStore.open(other.resolve("store"), DuckDbStore.Settings.DEFAULTS)) {
            int there = serve(empty);
            HttpResponse<String> text = get(there, "/api/v1/health?format=text");
            assertEquals(503, text.statusCode());
            assertTrue(text.body().startsWith("Fairwatch collector 0.1.0: not well\n"), text.body());
            HttpResponse<String> json = get(there, "/api/v1/health");
            assertEquals(503, json.statusCode());
            assertTrue(json.body().startsWith("{\"ok\":false,"), json.body());
            assertSentence(404, get(there, "/api/v1/nodes?format=text"));
        }
    }

    private static List<String> keys(JsonNode node) {
        List<String> keys = new ArrayList<>();
        Iterator<String> own = node.fieldNames();
        own.forEachRemaining(keys::add);
        node.forEach(child -> keys.addAll(keys(child)));
        return keys;
    }

    // ---- a store that fails

    /** A store that answers every question in the same bad way. */
    private static Store failing(Exception with) {
        return (Store) Proxy.newProxyInstance(
                Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                    throw with;
                });
    }

    @ParameterizedTest
    @ValueSource(strings = {"/api/v1/jobs/83549", "/api/v1/nodes", "/api/v1/health", "/api/v1/report?from=2026-11-01"})
    @DisplayName("while the store fails, one sentence says so")
    void storeFails(String path) throws Exception {
        HttpResponse<String> answer = get(serve(failing(new StoreException("read: disk full\nat line 3"))), path);
        assertSentence(503, answer);
        assertEquals("the store cannot answer: read: disk full at line 3", answer.body());
    }

    @Test
    @DisplayName("a bug of ours shows nothing of itself")
    void bug() throws Exception {
        HttpResponse<String> answer = get(serve(failing(new IllegalStateException("secret"))), "/api/v1/nodes");
        assertSentence(500, answer);
        assertFalse(answer.body().contains("secret"), answer.body());
    }
}
