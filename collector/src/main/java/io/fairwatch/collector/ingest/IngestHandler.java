package io.fairwatch.collector.ingest;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.StoredAnswer;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.agent.wire.WireCodec.WireException;
import io.fairwatch.collector.ingest.GroupCommit.Stored;
import io.fairwatch.collector.web.Described;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code POST /api/v1/snapshots}: batches of snapshots from agents. Thread-safe; runs on event loops, unpacks on worker
 * threads and leaves the store to {@link GroupCommit}.
 *
 * <p>Answers 200 with {@code {"stored":n,"duplicates":m}} once all of the batch is durable; 400, 401, 413 and 415 with a
 * sentence when it will never be taken; 503 with {@code Retry-After} when it should come again.
 */
public final class IngestHandler {
    /** Where agents post. */
    public static final String PATH = "/api/v1/snapshots";

    private static final Logger LOG = LoggerFactory.getLogger(IngestHandler.class);
    private static final Duration FUTURE_ALLOWED = Duration.ofMinutes(10);
    private static final int RETRY_AFTER_SECONDS = 10;
    private static final int LONGEST_REASON = 500;
    private static final int UNPACKING_THREADS = 2;

    /** Bodies of the largest size that may be on their way at one time; fewer than may wait for their commit. */
    private static final int MOST_ON_THE_WAY = 3;

    /**
     * What is let in. Immutable; its text does not show the token.
     *
     * @param token what agents must send as bearer token; absent: everybody may send
     * @param mostPackedBytes how large a body may be
     * @param mostUnpackedBytes how large it may become
     */
    public record Settings(Optional<String> token, long mostPackedBytes, long mostUnpackedBytes) {
        public static final Settings DEFAULTS = new Settings(Optional.empty(), 4L << 20, 32L << 20);

        @Override
        public String toString() {
            return "Settings[token=" + (token.isPresent() ? "(set)" : "(none)") + ", mostPackedBytes=" + mostPackedBytes
                    + ", mostUnpackedBytes=" + mostUnpackedBytes + "]";
        }
    }

    /** Why a batch is not taken. */
    private static final class RefusedException extends Exception {
        final int status;

        RefusedException(int status, String reason) {
            super(reason);
            this.status = status;
        }
    }

    private final GroupCommit commits;
    private final Settings settings;
    private final Function<String, Optional<List<HeldGpu>>> allocations;
    private final InstantSource clock;
    private final MeterRegistry meters;
    private final Counter bytes;
    private final Map<Integer, Counter> answers = new ConcurrentHashMap<>();
    private final WireCodec codec = new WireCodec();
    private final Admission admission;
    private @Nullable WorkerExecutor unpacking;

    /**
     * @param commits takes the batches; closed by whoever made it
     * @param allocations tells which job holds which GPU of a node, for agents that ask
     * @param clock tells what lies in the future
     */
    public IngestHandler(
            GroupCommit commits,
            Settings settings,
            Function<String, Optional<List<HeldGpu>>> allocations,
            InstantSource clock,
            MeterRegistry meters) {
        this.commits = commits;
        this.settings = settings;
        this.allocations = allocations;
        this.clock = clock;
        this.meters = meters;
        this.admission = new Admission(MOST_ON_THE_WAY * settings.mostPackedBytes(), System::nanoTime);
        this.bytes = Counter.builder("fairwatch.ingest.received")
                .description("Packed size of all batches that came")
                .baseUnit("bytes")
                .register(meters);
    }

    /** For the description of the API. */
    public static Described described() {
        return new Described(
                "post",
                PATH,
                "Takes snapshots of one node from its agent: one JSON object a line, application/x-ndjson, packed by gzip;"
                        + " 200 when they would survive a crash. The package io.fairwatch.agent.wire describes them.",
                List.of(),
                List.of(),
                true,
                Map.of(
                        400, "It is no batch of snapshots of one node, and never will be.",
                        401, "The token is missing or wrong.",
                        413, "It is too large.",
                        415, "It is not application/x-ndjson in gzip.",
                        503, "Not now; Retry-After says when to send it again."));
    }

    /** Adds the path to a router. */
    public void mount(Router router) {
        // three routes, because Vert.x lets nothing stand before the body handler of one; failures go to the first
        router.post(PATH).handler(this::admit).failureHandler(this::failed);
        router.post(PATH).handler(BodyHandler.create(false).setBodyLimit(settings.mostPackedBytes()));
        router.post(PATH).handler(this::take);
    }

    /** Looks at the head alone, before any of the body is read. */
    private void admit(RoutingContext context) {
        HttpServerRequest request = context.request();
        if (!isAuthorized(request.getHeader("Authorization"))) {
            context.response().putHeader("WWW-Authenticate", "Bearer");
            refuse(context, 401, "authorization: no or wrong bearer token");
        } else if (!"application/x-ndjson".equals(mediaType(request.getHeader("Content-Type")))) {
            refuse(context, 415, "content-type: expected application/x-ndjson");
        } else if (!"gzip".equals(mediaType(request.getHeader("Content-Encoding")))) {
            refuse(context, 415, "content-encoding: expected gzip");
        } else {
            long length = Math.min(length(request.getHeader("Content-Length")), settings.mostPackedBytes());
            if (admission.enter(length)) {
                context.addEndHandler(ended -> admission.leave(length));
                context.next();
            } else {
                long seconds = admission.turn(length).toSeconds();
                context.response().putHeader("Retry-After", Long.toString(seconds));
                refuse(context, 503, "collector: too much is on its way; come again in " + seconds + " s");
            }
        }
    }

    /** What a sender announces; one that announces nothing may send the most. */
    private long length(@Nullable String header) {
        try {
            return header == null ? settings.mostPackedBytes() : Math.max(0, Long.parseLong(header));
        } catch (NumberFormatException e) {
            return settings.mostPackedBytes();
        }
    }

    private boolean isAuthorized(@Nullable String header) {
        if (settings.token().isEmpty()) {
            return true;
        }
        String scheme = "bearer ";
        if (header == null || !header.regionMatches(true, 0, scheme, 0, scheme.length())) {
            return false;
        }
        // digests have the same length, so the comparison takes the same time whatever was sent
        return MessageDigest.isEqual(
                digest(header.substring(scheme.length()).strip()),
                digest(settings.token().get()));
    }

    private static byte[] digest(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }

    private static String mediaType(@Nullable String header) {
        if (header == null) {
            return "";
        }
        int end = header.indexOf(';');
        return (end < 0 ? header : header.substring(0, end)).strip().toLowerCase(Locale.ROOT);
    }

    private void take(RoutingContext context) {
        Buffer body = context.body().buffer();
        byte[] packed = body == null ? new byte[0] : body.getBytes();
        bytes.increment(packed.length);
        unpacking(context.vertx())
                .executeBlocking(() -> batch(packed), false)
                .compose(batch -> committed(batch, packed)
                        .onSuccess(
                                stored -> answer(context, stored, batch.get(0).node())))
                .onFailure(cause -> refuse(context, cause));
    }

    /** Few threads of its own: unpacked, a batch is many times larger, and questions shall not wait behind batches. */
    private synchronized WorkerExecutor unpacking(Vertx vertx) {
        if (unpacking == null) {
            unpacking = vertx.createSharedWorkerExecutor("ingest-unpack", UNPACKING_THREADS);
        }
        return unpacking;
    }

    private List<NodeSnapshot> batch(byte[] packed) throws RefusedException {
        List<NodeSnapshot> snapshots = unpack(packed);
        if (snapshots.isEmpty()) {
            throw new RefusedException(400, "batch: no snapshot (expected: 1 or more)");
        }
        String node = snapshots.get(0).node();
        Instant latest = clock.instant().plus(FUTURE_ALLOWED);
        for (NodeSnapshot snapshot : snapshots) {
            if (!snapshot.node().equals(node)) {
                throw new RefusedException(
                        400, "batch: snapshots of " + node + " and " + snapshot.node() + " (expected: of one node)");
            }
            if (snapshot.at().isAfter(latest)) {
                // not for good: it is as likely that the collector's clock is slow
                throw new RefusedException(
                        503,
                        "at: " + snapshot.at() + " of snapshot " + snapshot.sequence() + " of " + node
                                + " (expected: at most 10 minutes after the collector's clock, "
                                + clock.instant() + ")");
            }
        }
        return snapshots;
    }

    private List<NodeSnapshot> unpack(byte[] packed) throws RefusedException {
        try {
            return codec.unpack(packed, settings.mostUnpackedBytes());
        } catch (WireException e) {
            String reason = String.valueOf(e.getMessage());
            throw new RefusedException(reason.startsWith("batch: more than ") ? 413 : 400, reason);
        } catch (RuntimeException e) {
            // what arrives is hostile until checked, and no check is complete
            LOG.warn("batch could not be read", e);
            throw new RefusedException(400, "batch: not readable");
        }
    }

    private Future<Stored> committed(List<NodeSnapshot> batch, byte[] packed) {
        Optional<CompletableFuture<Stored>> done = commits.submit(batch, packed);
        return done.isPresent()
                ? Future.fromCompletionStage(done.get(), Vertx.currentContext())
                : Future.failedFuture(new RefusedException(503, "collector: too much waits; come again later"));
    }

    private void answer(RoutingContext context, Stored stored, String node) {
        count(200);
        if (!context.response().ended() && !context.response().closed()) {
            context.response()
                    .putHeader("Content-Type", "application/json")
                    .end(Buffer.buffer(codec.write(new StoredAnswer(
                            stored.stored(),
                            stored.duplicates(),
                            StoredAnswer.ALLOCATIONS.equals(context.request().getHeader(StoredAnswer.WANTS))
                                    ? allocations.apply(node)
                                    : Optional.empty()))));
        }
    }

    /** What the body handler refused, or our own mistake. */
    private void failed(RoutingContext context) {
        if (context.statusCode() == 413) {
            refuse(context, 413, "body: more than " + settings.mostPackedBytes() + " bytes (expected: at most that)");
        } else {
            LOG.warn("ingest failed", context.failure());
            refuse(
                    context,
                    context.statusCode() >= 400 && context.statusCode() < 500 ? 400 : 503,
                    "body: not received");
        }
    }

    private void refuse(RoutingContext context, Throwable cause) {
        if (cause instanceof RefusedException refused) {
            refuse(context, refused.status, String.valueOf(refused.getMessage()));
        } else {
            LOG.warn("batch not taken", cause);
            refuse(context, 503, "collector: the store does not take anything; come again later");
        }
    }

    private void refuse(RoutingContext context, int status, String reason) {
        count(status);
        if (context.response().ended() || context.response().closed()) {
            return;
        }
        if (status == 503 && !context.response().headers().contains("Retry-After")) {
            context.response().putHeader("Retry-After", Integer.toString(RETRY_AFTER_SECONDS));
        }
        context.response()
                .setStatusCode(status)
                .putHeader("Content-Type", "text/plain; charset=utf-8")
                .putHeader("X-Content-Type-Options", "nosniff")
                .end(sentence(reason) + "\n");
    }

    /** The reason on one line of bounded length; parts of it may be the sender's. */
    private static String sentence(String reason) {
        StringBuilder sentence = new StringBuilder();
        reason.codePoints().limit(LONGEST_REASON).forEach(c -> sentence.appendCodePoint(c < ' ' || c > '~' ? '?' : c));
        return sentence.toString();
    }

    private void count(int status) {
        answers.computeIfAbsent(status, first -> Counter.builder("fairwatch.ingest.batches")
                        .description("Batches by the answer that they got")
                        .tag("status", Integer.toString(status))
                        .register(meters))
                .increment();
    }
}
