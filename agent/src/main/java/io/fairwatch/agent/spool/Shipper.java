package io.fairwatch.agent.spool;

import io.fairwatch.agent.wire.StoredAnswer;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.agent.wire.WireCodec.WireException;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.net.PemTrustOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends the spool to the collector, oldest first, one batch at a time. Confined to one event loop, except its counter;
 * disk work goes to Vert.x's workers.
 */
public final class Shipper {
    /**
     * Where and how.
     *
     * @param url the collector; the path of the interface is added to it
     * @param tokenFile file with the token that the collector asks for, read anew for each batch; empty: none
     * @param caFile PEM file with the authorities that may have signed the collector's certificate; empty: the system's
     * @param batchBytes a batch is no larger, unless a single snapshot is
     * @param firstRetry wait after the first failure; doubles with each
     * @param lastRetry longest wait
     * @param timeout how long an answer may take
     * @param wantsAllocations whether to ask which job holds which GPU of this node
     */
    public record Settings(
            URI url,
            Optional<Path> tokenFile,
            Optional<Path> caFile,
            long batchBytes,
            Duration firstRetry,
            Duration lastRetry,
            Duration timeout,
            boolean wantsAllocations) {}

    /** What the collector's answer means for a batch. */
    private enum Answer {
        STORED,
        REFUSED,
        LATER
    }

    private static final Logger log = LoggerFactory.getLogger(Shipper.class);
    private static final String PATH = "/api/v1/snapshots";
    private static final int MOST_IN_A_BATCH = 1000;
    private static final int LONGEST_REASON = 500;
    private static final int LONGEST_ANSWER = 1 << 20;

    private final Vertx vertx;
    private final Spool spool;
    private final Settings settings;
    private final RandomGenerator random;
    private final HttpClient client;
    private final Consumer<List<HeldGpu>> allocations;
    private final WireCodec codec = new WireCodec();
    private final AtomicLong shipped = new AtomicLong();
    private boolean busy;
    private boolean stopping;
    private boolean failing;
    private int failures;
    private int singly;
    private @Nullable Long retryTimer;
    private @Nullable Promise<Void> drained;

    /**
     * @param allocations told which job holds which GPU of this node, after each batch that the collector took; never
     *     called unless asked for
     */
    public Shipper(
            Vertx vertx, Spool spool, Settings settings, RandomGenerator random, Consumer<List<HeldGpu>> allocations) {
        this.vertx = vertx;
        this.spool = spool;
        this.settings = settings;
        this.random = random;
        this.allocations = allocations;
        HttpClientOptions options = new HttpClientOptions()
                .setConnectTimeout((int) Math.min(5_000, settings.timeout().toMillis()))
                .setSsl("https".equals(settings.url().getScheme()))
                .setKeepAliveTimeout(75);
        settings.caFile()
                .ifPresent(file -> options.setTrustOptions(new PemTrustOptions().addCertPath(file.toString())));
        this.client = vertx.createHttpClient(options);
    }

    /** How many snapshots the collector acknowledged since the start. Thread-safe. */
    public long shipped() {
        return shipped.get();
    }

    /** Says that something waits. While the collector does not answer, the next try comes when it is due. */
    public void wake() {
        if (!busy && retryTimer == null) {
            ship();
        }
    }

    /** Ships what it can within the time, then no more. Never fails. */
    public Future<Void> drain(Duration within) {
        Promise<Void> done = Promise.promise();
        stopping = true;
        drained = done;
        if (retryTimer != null) {
            vertx.cancelTimer(retryTimer);
            retryTimer = null;
        }
        vertx.setTimer(Math.max(1, within.toMillis()), timer -> done.tryComplete());
        if (!busy) {
            ship();
        }
        return done.future();
    }

    private void ship() {
        busy = true;
        int most = singly > 0 ? 1 : MOST_IN_A_BATCH;
        vertx.executeBlocking(() -> spool.oldest(settings.batchBytes(), most)).onComplete(read -> {
            if (read.failed()) {
                later("spool cannot be read: " + read.cause().getMessage());
            } else if (read.result().isEmpty()) {
                idle();
            } else {
                Spool.Batch batch = read.result().get();
                send(batch).onComplete(sent -> {
                    if (sent.failed()) {
                        later(sentence(sent.cause()));
                    } else {
                        act(batch, sent.result());
                    }
                });
            }
        });
    }

    private record Reply(int status, String reason, Buffer body) {
        Answer meaning() {
            return switch (status) {
                case 200 -> Answer.STORED;
                case 401, 403, 404, 405, 407, 408, 429 -> Answer.LATER;
                default -> status >= 400 && status < 500 ? Answer.REFUSED : Answer.LATER;
            };
        }
    }

    private Future<Reply> send(Spool.Batch batch) {
        return token().compose(token -> {
                    RequestOptions options = new RequestOptions()
                            .setMethod(HttpMethod.POST)
                            .setAbsoluteURI(target().toString())
                            .setConnectTimeout(
                                    Math.min(5_000, settings.timeout().toMillis()))
                            .setIdleTimeout(settings.timeout().toMillis())
                            .putHeader(HttpHeaders.CONTENT_TYPE, "application/x-ndjson")
                            .putHeader(HttpHeaders.CONTENT_ENCODING, "gzip");
                    if (settings.wantsAllocations()) {
                        options.putHeader(StoredAnswer.WANTS, StoredAnswer.ALLOCATIONS);
                    }
                    token.ifPresent(secret -> options.putHeader(HttpHeaders.AUTHORIZATION, "Bearer " + secret));
                    return client.request(options);
                })
                .compose(request -> exchange(request, batch))
                .timeout(settings.timeout().toMillis() + 5_000, java.util.concurrent.TimeUnit.MILLISECONDS);
    }

    private Future<Reply> exchange(HttpClientRequest request, Spool.Batch batch) {
        return request.send(Buffer.buffer(batch.bytes())).compose(Shipper::reply);
    }

    private static Future<Reply> reply(HttpClientResponse response) {
        Buffer start = Buffer.buffer();
        response.handler(part ->
                start.appendBuffer(part, 0, Math.max(0, Math.min(part.length(), LONGEST_ANSWER - start.length()))));
        return response.end()
                .map(end -> new Reply(
                        response.statusCode(),
                        printable(start.getString(0, Math.min(start.length(), LONGEST_REASON))),
                        start));
    }

    private URI target() {
        String base = settings.url().toString();
        return URI.create((base.endsWith("/") ? base.substring(0, base.length() - 1) : base) + PATH);
    }

    private Future<Optional<String>> token() {
        Optional<Path> file = settings.tokenFile();
        return file.isEmpty()
                ? Future.succeededFuture(Optional.empty())
                : vertx.executeBlocking(() -> {
                    try {
                        return Optional.of(Files.readString(file.get(), StandardCharsets.UTF_8)
                                .trim());
                    } catch (IOException e) {
                        throw new IOException("token cannot be read: " + e, e);
                    }
                });
    }

    private void act(Spool.Batch batch, Reply reply) {
        switch (reply.meaning()) {
            case STORED -> {
                answered();
                tell(reply);
                settle(() -> spool.acknowledge(batch.last()), () -> {
                    shipped.addAndGet(batch.size());
                    singly = Math.max(0, singly - 1);
                });
            }
            case REFUSED -> {
                answered();
                if (batch.size() > 1) {
                    log.warn(
                            "collector refuses a batch, its snapshots are sent one by one first={} last={} status={}"
                                    + " reason=\"{}\"",
                            batch.first(),
                            batch.last(),
                            reply.status(),
                            reply.reason());
                    singly = batch.size();
                    ship();
                } else {
                    log.error(
                            "collector refuses a snapshot, it is set aside sequence={} status={} reason=\"{}\"",
                            batch.last(),
                            reply.status(),
                            reply.reason());
                    settle(() -> spool.reject(batch.last()), () -> singly = Math.max(0, singly - 1));
                }
            }
            case LATER -> later("answers " + reply.status() + " " + reply.reason());
        }
    }

    /** An answer that cannot be read is no reason to send the batch again. */
    private void tell(Reply reply) {
        if (!settings.wantsAllocations()) {
            return;
        }
        try {
            codec.parseAnswer(reply.body().getBytes()).allocations().ifPresent(allocations);
        } catch (WireException e) {
            log.debug("collector's answer cannot be read", e);
        }
    }

    private interface DiskWork {
        void run() throws IOException;
    }

    private void settle(DiskWork work, Runnable then) {
        vertx.executeBlocking(() -> {
                    work.run();
                    return null;
                })
                .onComplete(done -> {
                    if (done.failed()) { // the batch is sent again; the collector knows it already
                        later("spool cannot be written: " + done.cause().getMessage());
                    } else {
                        then.run();
                        ship();
                    }
                });
    }

    private void answered() {
        if (failing) {
            log.info("collector answers again url={} attempts={}", settings.url(), failures + 1);
        }
        failing = false;
        failures = 0;
    }

    private void later(String why) {
        busy = false;
        if (!failing) {
            failing = true;
            log.warn("cannot ship for now, snapshots are kept url={} why=\"{}\"", settings.url(), why);
        }
        if (stopping) {
            idle();
            return;
        }
        long longest =
                Math.min(settings.lastRetry().toMillis(), settings.firstRetry().toMillis() << Math.min(failures, 20));
        failures++;
        long wait = Math.max(1, longest / 2 + random.nextLong(longest / 2 + 1));
        retryTimer = vertx.setTimer(wait, timer -> {
            retryTimer = null;
            ship();
        });
    }

    private void idle() {
        busy = false;
        if (drained != null) {
            drained.tryComplete();
        }
    }

    private static String sentence(Throwable cause) {
        return printable(cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage());
    }

    private static String printable(String text) {
        return text.strip().replaceAll("\\p{Cntrl}+", " ");
    }
}
