package io.fairwatch.collector.ingest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.ext.web.Router;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Batches over real HTTP, into a real store where it is about storing. */
class IngestHandlerTest {
    private static final WireCodec CODEC = new WireCodec();
    /** So that an answer says what the store says. */
    private static final Duration PATIENT = Duration.ofMinutes(1);

    private static final GroupCommit.Settings QUICK =
            new GroupCommit.Settings(Duration.ofMillis(5), 100, 1 << 20, PATIENT, 1 << 20);

    private final Path journal;

    private final Vertx vertx = Vertx.vertx();
    private final MeterRegistry meters = new SimpleMeterRegistry();
    private final HttpClient client = HttpClient.newHttpClient();
    private final List<AutoCloseable> toClose = new ArrayList<>();

    IngestHandlerTest(@TempDir Path journal) {
        this.journal = journal;
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable closeable : toClose) {
            closeable.close();
        }
        vertx.close().toCompletionStage().toCompletableFuture().get();
    }

    /** Starts the endpoint; gives its address. */
    private URI start(Store store, GroupCommit.Settings group, IngestHandler.Settings settings) throws Exception {
        GroupCommit commits = new GroupCommit(store, Journal.open(journal), group, meters);
        toClose.add(commits);
        Router router = Router.router(vertx);
        new IngestHandler(
                        commits,
                        settings,
                        node -> Optional.of(List.of(new HeldGpu("GPU-a", 83549, OptionalInt.of(21001)))),
                        () -> Given.NOON,
                        meters)
                .mount(router);
        HttpServer server = vertx.createHttpServer()
                .requestHandler(router)
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .get();
        return URI.create("http://127.0.0.1:" + server.actualPort() + IngestHandler.PATH);
    }

    private URI start(Store store) throws Exception {
        return start(store, QUICK, IngestHandler.Settings.DEFAULTS);
    }

    private static HttpRequest.Builder post(URI uri, byte[] body) {
        return HttpRequest.newBuilder(uri)
                .header("Content-Type", "application/x-ndjson")
                .header("Content-Encoding", "gzip")
                .POST(HttpRequest.BodyPublishers.ofByteArray(body));
    }

    private HttpResponse<String> send(HttpRequest.Builder request) throws IOException, InterruptedException {
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static byte[] packed(NodeSnapshot... snapshots) {
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        for (NodeSnapshot snapshot : snapshots) {
            joined.writeBytes(CODEC.pack(snapshot));
        }
        return joined.toByteArray();
    }

    private static byte[] gzip(String text) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(bytes)) {
            gzip.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toByteArray();
    }

    private static NodeSnapshot snapshot(String node, long sequence) {
        return Given.snapshot(node, sequence, Given.at(30.0 * sequence), Given.gpu("GPU-" + node, 0.5, 0));
    }

    /** A store of which only append is asked. */
    private static Store fake(InvocationHandler append) {
        return (Store) Proxy.newProxyInstance(Store.class.getClassLoader(), new Class<?>[] {Store.class}, append);
    }

    private static Store failing() {
        return fake((proxy, method, arguments) -> {
            throw new StoreException("store: no space left on device");
        });
    }

    private double count(String status) {
        return meters.counter("fairwatch.ingest.batches", "status", status).count();
    }

    @Test
    @DisplayName("an agent that asks hears which job holds which GPU of its node")
    void allocations(@TempDir Path directory) throws Exception {
        try (Store store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS)) {
            URI uri = start(store);
            HttpResponse<String> answer =
                    send(post(uri, packed(snapshot("node-a", 1))).header("Fairwatch-Wants", "allocations"));
            assertEquals(
                    "{\"stored\":1,\"duplicates\":0,\"allocations\":[{\"uuid\":\"GPU-a\",\"job_id\":83549,\"uid\":21001}]}",
                    answer.body());
        }
    }

    @Test
    @DisplayName("a batch is stored once however often it comes, and the answer says so")
    void storesOnce(@TempDir Path directory) throws Exception {
        try (Store store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS)) {
            URI uri = start(store);
            byte[] batch = packed(snapshot("node-a", 1), snapshot("node-a", 2));
            HttpResponse<String> first = send(post(uri, batch));
            assertEquals(200, first.statusCode());
            assertEquals("{\"stored\":2,\"duplicates\":0}", first.body());
            assertEquals(Optional.of("application/json"), first.headers().firstValue("Content-Type"));
            HttpResponse<String> again = send(post(uri, packed(snapshot("node-a", 2), snapshot("node-a", 3))));
            assertEquals("{\"stored\":1,\"duplicates\":1}", again.body());
            assertEquals(Given.at(90), store.nodes().get(0).lastAt());
            assertEquals(
                    3,
                    meters.counter("fairwatch.ingest.snapshots", "outcome", "stored")
                            .count());
            assertEquals(
                    1,
                    meters.counter("fairwatch.ingest.snapshots", "outcome", "duplicate")
                            .count());
            assertEquals(2, count("200"));
        }
    }

    @Test
    @DisplayName("batches that come together are committed together, each with its own answer")
    void groups(@TempDir Path directory) throws Exception {
        try (Store store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS)) {
            store.append(List.of(snapshot("node-7", 1)));
            URI uri = start(
                    store,
                    new GroupCommit.Settings(Duration.ofSeconds(20), 40, 1 << 20, PATIENT, 1 << 20),
                    IngestHandler.Settings.DEFAULTS);
            List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
            for (int node = 0; node < 20; node++) {
                byte[] batch = packed(snapshot("node-" + node, 1), snapshot("node-" + node, 2));
                answers.add(client.sendAsync(post(uri, batch).build(), HttpResponse.BodyHandlers.ofString()));
            }
            for (int node = 0; node < 20; node++) {
                assertEquals(
                        node == 7 ? "{\"stored\":1,\"duplicates\":1}" : "{\"stored\":2,\"duplicates\":0}",
                        answers.get(node).get().body());
            }
            assertEquals(1, meters.timer("fairwatch.ingest.commit").count());
        }
    }

    @Test
    @DisplayName("without the token nobody gets in, whatever else is wrong")
    void token() throws Exception {
        URI uri = start(failing(), QUICK, new IngestHandler.Settings(Optional.of("s3cret"), 1000, 1000));
        assertEquals(401, send(post(uri, new byte[2000])).statusCode());
        assertEquals(
                401,
                send(post(uri, new byte[0]).header("Authorization", "Bearer s3cre"))
                        .statusCode());
        assertEquals(
                401,
                send(post(uri, new byte[0]).header("Authorization", "Basic s3cret"))
                        .statusCode());
        assertEquals(
                400,
                send(post(uri, new byte[0]).header("Authorization", "Bearer s3cret"))
                        .statusCode());
        assertEquals(3, count("401"));
    }

    @Test
    @DisplayName("only packed ndjson is taken")
    void mediaType() throws Exception {
        URI uri = start(failing());
        HttpRequest.Builder json = HttpRequest.newBuilder(uri)
                .header("Content-Type", "application/json")
                .header("Content-Encoding", "gzip")
                .POST(HttpRequest.BodyPublishers.noBody());
        HttpRequest.Builder plain = HttpRequest.newBuilder(uri)
                .header("Content-Type", "application/x-ndjson; charset=utf-8")
                .POST(HttpRequest.BodyPublishers.noBody());
        assertEquals(415, send(json).statusCode());
        HttpResponse<String> answer = send(plain);
        assertEquals(415, answer.statusCode());
        assertEquals("content-encoding: expected gzip\n", answer.body());
    }

    @Test
    @DisplayName("too large is too large, packed or unpacked")
    void tooLarge() throws Exception {
        URI uri = start(failing(), QUICK, new IngestHandler.Settings(Optional.empty(), 1000, 5000));
        HttpResponse<String> packed = send(post(uri, new byte[1001]));
        assertEquals(413, packed.statusCode());
        assertEquals("body: more than 1000 bytes (expected: at most that)\n", packed.body());
        HttpResponse<String> unpacked = send(post(uri, gzip(" ".repeat(100_000))));
        assertEquals(413, unpacked.statusCode());
        assertEquals("batch: more than 5000 bytes unpacked (expected: at most that)\n", unpacked.body());
    }

    @Test
    @DisplayName("what is not a batch of snapshots is refused with the reason, on one line")
    void notSnapshots() throws Exception {
        URI uri = start(failing());
        assertRefused("batch: not gzip", send(post(uri, "hello".getBytes(StandardCharsets.UTF_8))));
        assertRefused("batch: no snapshot", send(post(uri, gzip("\n\n"))));
        assertRefused("snapshot 1: not JSON", send(post(uri, gzip("{\"version\":1,\"<script>\u0007\u00e5\r\nx\""))));
        assertRefused("snapshot 1: ", send(post(uri, gzip("{\"version\":1}"))));
        assertRefused("snapshot 1: ", send(post(uri, gzip("[".repeat(100_000)))));
        assertEquals(5, count("400"));
    }

    private static void assertRefused(String beginning, HttpResponse<String> answer) {
        assertEquals(400, answer.statusCode());
        assertTrue(answer.body().startsWith(beginning), answer::body);
        assertTrue(answer.body().matches("[ -~]{1,500}\n"), answer::body);
        assertEquals(Optional.of("text/plain; charset=utf-8"), answer.headers().firstValue("Content-Type"));
    }

    @Test
    @DisplayName("a batch is of one node, and not from the future")
    void implausible() throws Exception {
        URI uri = start(failing());
        assertEquals(
                "batch: snapshots of node-a and node-b (expected: of one node)\n",
                send(post(uri, packed(snapshot("node-a", 1), snapshot("node-b", 1))))
                        .body());
        HttpResponse<String> future = send(post(uri, packed(Given.snapshot("node-a", 9, Given.at(601)))));
        assertEquals(503, future.statusCode());
        assertEquals(
                "at: 2026-11-20T12:10:01Z of snapshot 9 of node-a (expected: at most 10 minutes after the collector's"
                        + " clock, 2026-11-20T12:00:00Z)\n",
                future.body());
    }

    @Test
    @DisplayName("when the store fails, the agent shall come again")
    void storeFails() throws Exception {
        URI uri = start(failing());
        HttpResponse<String> answer = send(post(uri, packed(snapshot("node-a", 1))));
        assertEquals(503, answer.statusCode());
        assertEquals(Optional.of("10"), answer.headers().firstValue("Retry-After"));
        assertEquals(1, meters.counter("fairwatch.ingest.commits.failed").count());
    }

    @Test
    @DisplayName("when too much waits, the agent shall come again, and what waits is not lost")
    void queueFull() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Store slow = fake((proxy, method, arguments) -> {
            begun.countDown();
            goOn.await();
            return List.of(1);
        });
        byte[] batch = packed(snapshot("node-a", 1));
        URI uri = start(
                slow,
                new GroupCommit.Settings(Duration.ZERO, 1, batch.length, PATIENT, 1 << 20),
                IngestHandler.Settings.DEFAULTS);
        CompletableFuture<HttpResponse<String>> first =
                client.sendAsync(post(uri, batch).build(), HttpResponse.BodyHandlers.ofString());
        begun.await();
        assertEquals(503, send(post(uri, batch)).statusCode());
        goOn.countDown();
        assertEquals(200, first.get().statusCode());
        assertEquals(0, meters.get("fairwatch.ingest.queue").gauge().value());
    }

    @Test
    @DisplayName("a batch that the store never takes does not keep the others of its group out")
    void poison() throws Exception {
        Store picky = fake((proxy, method, arguments) -> {
            List<Integer> stored = new ArrayList<>();
            for (Object batch : (List<?>) arguments[0]) {
                if (batch.toString().contains("node=node-bad")) {
                    throw new IllegalStateException("our bug");
                }
                stored.add(((List<?>) batch).size());
            }
            return stored;
        });
        URI uri = start(
                picky,
                new GroupCommit.Settings(Duration.ofSeconds(20), 3, 1 << 20, PATIENT, 1 << 20),
                IngestHandler.Settings.DEFAULTS);
        List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
        for (String node : List.of("node-a", "node-bad", "node-b")) {
            answers.add(client.sendAsync(
                    post(uri, packed(snapshot(node, 1))).build(), HttpResponse.BodyHandlers.ofString()));
        }
        assertEquals(200, answers.get(0).get().statusCode());
        assertEquals(503, answers.get(1).get().statusCode());
        assertEquals(200, answers.get(2).get().statusCode());
    }
}
