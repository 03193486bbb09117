package io.fairwatch.agent.spool;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShipperTest {
    private record Received(String path, String token, String encoding, String letters) {
        @Override
        public String toString() {
            return letters;
        }
    }

    private final Path directory;
    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private final BlockingQueue<Received> received = new LinkedBlockingQueue<>();
    private final BlockingQueue<Integer> answers = new LinkedBlockingQueue<>();
    private final List<List<HeldGpu>> held = new CopyOnWriteArrayList<>();
    private volatile String said = "because of\nthat";
    private volatile String wanted = "";
    private final Spool spool;
    private final HttpServer server;
    private Shipper shipper;

    ShipperTest(@TempDir Path directory) throws IOException {
        this.directory = directory;
        spool = Spool.open(
                directory.resolve("spool"),
                new Spool.Limits(1_000_000, 1_000_000),
                InstantSource.fixed(Instant.ofEpochMilli(1)));
        server = vertx.createHttpServer()
                .requestHandler(this::answer)
                .listen(0, "127.0.0.1")
                .await();
        shipper = shipper("http://127.0.0.1:" + server.actualPort() + "/", Optional.empty());
    }

    @AfterEach
    void stop() throws IOException {
        vertx.close().await();
        spool.close();
    }

    private Shipper shipper(String url, Optional<Path> token) {
        return shipper(url, token, false);
    }

    private Shipper shipper(String url, Optional<Path> token, boolean wantsAllocations) {
        return new Shipper(
                vertx,
                spool,
                new Shipper.Settings(
                        URI.create(url),
                        token,
                        Optional.empty(),
                        1000,
                        Duration.ofMillis(10),
                        Duration.ofMillis(20),
                        Duration.ofSeconds(20),
                        wantsAllocations),
                RandomGenerator.of("L64X128MixRandom"),
                held::add);
    }

    /** Answers what the test prepared, then 200. */
    private void answer(HttpServerRequest request) {
        wanted = String.valueOf(request.getHeader("Fairwatch-Wants"));
        request.body().onSuccess(body -> {
            received.add(new Received(
                    request.path(),
                    String.valueOf(request.getHeader("Authorization")),
                    String.valueOf(request.getHeader("Content-Encoding")),
                    body.toString("US-ASCII").replaceAll("[^A-Z]", "")));
            Integer status = answers.poll();
            request.response().setStatusCode(status == null ? 200 : status).end(said);
        });
    }

    /** Puts a letter into the spool, in a shell that looks packed. */
    private void append(char letter) throws IOException {
        byte[] bytes = new byte[32];
        bytes[0] = 0x1f;
        bytes[1] = (byte) 0x8b;
        bytes[31] = (byte) letter;
        spool.append(sequence -> bytes);
    }

    private <T> T onLoop(Supplier<Future<T>> work) {
        return Future.<T>future(promise -> vertx.runOnContext(run -> work.get().onComplete(promise)))
                .await();
    }

    private void wake() {
        onLoop(() -> {
            shipper.wake();
            return Future.succeededFuture();
        });
    }

    private Received next() throws InterruptedException {
        Received request = received.poll(20, TimeUnit.SECONDS);
        assertTrue(request != null, "a request (expected: within 20 s)");
        return request;
    }

    private void drain() {
        onLoop(() -> shipper.drain(Duration.ofSeconds(20)));
    }

    @Test
    @DisplayName("all that waits goes in one batch, in order, and is deleted once it is acknowledged")
    void oneBatch() throws Exception {
        append('A');
        append('B');
        wake();
        Received request = next();
        assertEquals("AB", request.toString());
        assertEquals("/api/v1/snapshots", request.path());
        assertEquals("gzip", request.encoding());
        assertEquals("null", request.token());
        drain();
        assertEquals(0, spool.waiting());
        assertEquals(2, shipper.shipped());
        assertEquals(0, received.size());
    }

    @Test
    @DisplayName("who holds the GPUs is asked only where it is wanted, and told on")
    void allocations() throws Exception {
        said =
                "{\"stored\":1,\"duplicates\":0,\"allocations\":[{\"uuid\":\"GPU-a\",\"job_id\":83549,\"uid\":5}],\"more\":1}";
        append('A');
        wake();
        next();
        drain();
        assertEquals("null", wanted);
        assertEquals(List.of(), held);
        shipper = shipper("http://127.0.0.1:" + server.actualPort(), Optional.empty(), true);
        append('B');
        wake();
        next();
        drain();
        assertEquals("allocations", wanted);
        assertEquals(List.of(List.of(new HeldGpu("GPU-a", 83549, OptionalInt.of(5)))), held);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "ok",
                "{\"stored\":1}",
                "{\"stored\":1,\"duplicates\":0,\"allocations\":[{\"uuid\":\"a\\nb\",\"job_id\":1}]}",
                "{\"stored\":1,\"duplicates\":0,\"allocations\":[{\"uuid\":\"GPU-a\",\"job_id\":-1}]}"
            })
    @DisplayName("an answer that cannot be read tells nothing, and the batch counts as stored")
    void hostileAnswers(String answer) throws Exception {
        said = answer;
        shipper = shipper("http://127.0.0.1:" + server.actualPort(), Optional.empty(), true);
        append('A');
        wake();
        next();
        drain();
        assertEquals(List.of(), held);
        assertEquals(0, spool.waiting());
    }

    @Test
    @DisplayName("what the collector cannot take now, or not from us, comes again as it was")
    void triedAgain() throws Exception {
        List<Integer> laterOnes = List.of(503, 500, 401, 403, 404, 408, 429, 302);
        answers.addAll(laterOnes);
        append('A');
        wake();
        List<String> requests = new ArrayList<>();
        for (int i = 0; i <= laterOnes.size(); i++) {
            requests.add(next().toString());
        }
        assertEquals(List.of("A", "A", "A", "A", "A", "A", "A", "A", "A"), requests);
        drain();
        assertEquals(0, spool.waiting());
        assertEquals(0, spool.rejected());
    }

    @Test
    @DisplayName("of a batch that is refused for good only the bad snapshot is set aside")
    void badOneIsFound() throws Exception {
        answers.addAll(List.of(400, 200, 422, 200));
        append('A');
        append('B');
        append('C');
        wake();
        assertEquals("ABC", next().toString());
        assertEquals("A", next().toString());
        assertEquals("B", next().toString());
        assertEquals("C", next().toString());
        drain();
        assertEquals(1, spool.rejected());
        assertEquals(2, shipper.shipped());
        byte[] aside = Files.readAllBytes(directory.resolve("spool/rejected/%020d.json.gz".formatted(2)));
        assertEquals('B', aside[31]);
    }

    @Test
    @DisplayName("batches stay below their size")
    void batchSize() throws Exception {
        for (int i = 0; i < 40; i++) {
            append('A');
        }
        wake();
        assertEquals(31, next().toString().length()); // 31 x 32 bytes
        assertEquals(9, next().toString().length());
    }

    @Test
    @DisplayName("the token is read anew for each batch, and without it nothing is lost")
    void token() throws Exception {
        Path file = directory.resolve("token");
        shipper = shipper("http://127.0.0.1:" + server.actualPort(), Optional.of(file));
        append('A');
        wake();
        Files.writeString(file, "secret\n");
        assertEquals("Bearer secret", next().token());
        drain();
        assertEquals(0, spool.waiting());
    }

    @Test
    @DisplayName("without a collector everything stays, and the end does not wait")
    void noCollector() throws Exception {
        server.close().await();
        append('A');
        wake();
        drain();
        assertEquals(1, spool.waiting());
        assertArrayEquals(new Object[0], received.toArray());
    }
}
