package io.fairwatch.agent.spool;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
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
    private volatile String refusedToken = "none";
    private volatile int mostLetters = Integer.MAX_VALUE;
    private volatile Optional<String> retryAfter = Optional.empty();
    private final HttpServer server;
    private Shipper shipper;

    ShipperTest(@TempDir Path directory) throws IOException {
        this.directory = directory;
        spool = Spool.open(
                directory.resolve("spool"),
                new Spool.Limits(1_000_000, Duration.ofDays(1), 1_000_000),
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
                vertx.createSharedWorkerExecutor("spool", 1),
                spool,
                new Connection(
                        vertx,
                        new Connection.Settings(
                                URI.create(url), token, Optional.empty(), Duration.ofSeconds(20), wantsAllocations)),
                new Shipper.Settings(1000, Duration.ofMillis(10), Duration.ofMillis(20)),
                RandomGenerator.of("L64X128MixRandom"),
                held::add);
    }

    /** Answers what the test prepared, else by what arrived: 413 for more letters than it likes, 400 for an X, 200. */
    private void answer(HttpServerRequest request) {
        wanted = String.valueOf(request.getHeader("Fairwatch-Wants"));
        request.body().onSuccess(body -> {
            String letters = body.toString("US-ASCII").replaceAll("[^A-Z]", "");
            received.add(new Received(
                    request.path(),
                    String.valueOf(request.getHeader("Authorization")),
                    String.valueOf(request.getHeader("Content-Encoding")),
                    letters));
            Integer status = answers.poll();
            int byContent = refusedToken.equals(request.getHeader("Authorization"))
                    ? 401
                    : letters.length() > mostLetters ? 413 : letters.contains("X") ? 400 : 200;
            retryAfter.ifPresent(value -> request.response().putHeader("Retry-After", value));
            request.response()
                    .setStatusCode(status == null ? byContent : status)
                    .end(said);
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
        append('A');
        wake();
        next();
        drain();
        assertEquals("null", wanted);
        assertEquals(List.of(), held);
        said =
                "{\"stored\":1,\"duplicates\":0,\"allocations\":[{\"uuid\":\"GPU-a\",\"job_id\":83549,\"uid\":5}],\"more\":1}";
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
        for (char letter : "ABXCDEFG".toCharArray()) {
            append(letter);
        }
        wake();
        List<String> requests = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            requests.add(next().toString());
        }
        assertEquals(List.of("ABXCDEFG", "ABXC", "AB", "XCDE", "XC", "X", "CD", "EFG"), requests);
        drain();
        assertEquals(1, spool.rejected());
        assertEquals(7, shipper.shipped());
        byte[] aside = Files.readAllBytes(directory.resolve("spool/rejected/%020d.json.gz".formatted(3)));
        assertEquals('X', aside[31]);
    }

    @Test
    @DisplayName("what is too much at once goes in smaller batches, and nothing is set aside")
    void tooLarge() throws Exception {
        mostLetters = 3;
        for (char letter : "ABCDEFGH".toCharArray()) {
            append(letter);
        }
        wake();
        List<String> requests = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            requests.add(next().toString());
        }
        assertEquals(List.of("ABCDEFGH", "ABCD", "AB", "CDEF", "CD", "EFGH", "EF"), requests);
        drain();
        assertEquals(0, spool.rejected());
        assertEquals(8, shipper.shipped());
    }

    @Test
    @DisplayName("an agent that is asked to come later does not come before")
    void retryAfter() throws Exception {
        retryAfter = Optional.of("600");
        answers.add(503);
        append('A');
        wake();
        next();
        onLoop(() -> vertx.timer(200, TimeUnit.MILLISECONDS)); // back-off alone would be 20 ms at most
        assertEquals(0, received.size());
        retryAfter = Optional.empty();
        drain(); // the end does not wait for it
        assertEquals(0, spool.waiting());
    }

    @Test
    @DisplayName("a wait is random up to a span that doubles, on top of what the collector asked for, which is bounded")
    void waits() {
        Shipper.Settings settings = new Shipper.Settings(1000, Duration.ofSeconds(1), Duration.ofMinutes(1));
        RandomGenerator random = RandomGenerator.of("L64X128MixRandom");
        long[] spans = {1, 2, 4, 8, 16, 32, 60, 60};
        for (int failures = 0; failures < spans.length; failures++) {
            long least = Long.MAX_VALUE;
            long most = 0;
            for (int i = 0; i < 2000; i++) {
                long wait = Shipper.wait(failures, Duration.ZERO, settings, random);
                least = Math.min(least, wait);
                most = Math.max(most, wait);
            }
            long span = spans[failures] * 1000;
            assertTrue(least < span / 20 && most > span - span / 20 && most <= span, least + ".." + most);
        }
        long asked = Shipper.wait(0, Duration.ofSeconds(90), settings, random);
        assertTrue(asked > 90_000 && asked <= 91_000, "waits " + asked);
        assertTrue(Shipper.wait(0, Duration.ofDays(365), settings, random) <= 601_000);
    }

    @Test
    @DisplayName("Retry-After is seconds or a date, which counts from the answer's own; nonsense is as if not said")
    void retryAfterValues() {
        String date = "Fri, 20 Nov 2026 12:00:00 GMT";
        assertEquals(Optional.of(Duration.ofSeconds(5)), Connection.parseRetryAfter(" 5 ", null));
        assertEquals(
                Optional.of(Duration.ofMinutes(2)), Connection.parseRetryAfter("Fri, 20 Nov 2026 12:02:00 GMT", date));
        for (String nonsense : List.of("", "-1", "soon", "99999999999999", "Fri, 20 Nov 2026 11:02:00 GMT")) {
            assertEquals(Optional.empty(), Connection.parseRetryAfter(nonsense, date), nonsense);
        }
        assertEquals(Optional.empty(), Connection.parseRetryAfter("Fri, 20 Nov 2026 12:02:00 GMT", null));
        assertEquals(Optional.empty(), Connection.parseRetryAfter(null, date));
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
    @DisplayName("a token that is exchanged while the collector refuses the old one is used at the next try")
    void tokenExchanged() throws Exception {
        Path file = Files.writeString(directory.resolve("token"), "old\n");
        shipper = shipper("http://127.0.0.1:" + server.actualPort(), Optional.of(file));
        refusedToken = "Bearer old";
        append('A');
        wake();
        assertEquals("Bearer old", next().token());
        Files.writeString(file, "new\n");
        String token = next().token();
        while (!token.equals("Bearer new")) {
            token = next().token();
        }
        drain();
        assertEquals(0, spool.waiting());
    }

    @Test
    @DisplayName("a token file that holds no single word is not sent but told, without its content")
    void badToken() throws Exception {
        for (String content : List.of("", "two\nsecrets\n", "s\u00e9cret")) {
            Path file = Files.writeString(directory.resolve("token"), content);
            Connection connection = new Connection(
                    vertx,
                    new Connection.Settings(
                            URI.create("http://127.0.0.1:" + server.actualPort()),
                            Optional.of(file),
                            Optional.empty(),
                            Duration.ofSeconds(20),
                            false));
            Throwable failure = assertThrows(Throwable.class, () -> onLoop(() -> connection.get("/")));
            assertEquals(
                    "token cannot be read: " + file + " (expected: one word of printable ASCII characters)",
                    Connection.sentence(failure));
        }
        assertEquals(0, received.size());
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
