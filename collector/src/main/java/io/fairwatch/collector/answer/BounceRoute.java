package io.fairwatch.collector.answer;

import io.fairwatch.collector.notice.BounceReader;
import io.fairwatch.collector.store.Bounce;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.web.Described;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes mails that came back, each as it is, from {@code fairwatch bounce} behind a mail server's alias. Whoever can write
 * to the alias can send one, so only what names a mail that was sent is kept, and once. Thread-safe.
 */
public final class BounceRoute {
    private static final Logger LOG = LoggerFactory.getLogger(BounceRoute.class);
    private static final String PATH = "/api/v1/bounces";

    private final WorkerExecutor workers;
    private final Store store;
    private final Optional<String> token;
    private final Duration remember;
    private final InstantSource clock;

    /**
     * @param token what must be shown; absent: none are taken
     * @param remember mails sent before that are not looked for
     */
    public BounceRoute(Vertx vertx, Store store, Optional<String> token, Duration remember, InstantSource clock) {
        this.workers = vertx.createSharedWorkerExecutor("bounces", 1);
        this.store = store;
        this.token = token;
        this.remember = remember;
        this.clock = clock;
    }

    /** For the description of the API. */
    public static Described described() {
        return new Described(
                "post",
                PATH,
                "Takes a mail that came back (message/rfc822), as an alias hands it to `fairwatch bounce`.",
                List.of(),
                List.of(),
                true,
                Map.of(
                        400, "It is no mail.",
                        401, "The token is missing or wrong.",
                        403, "mail.bounces.tokenFile is not set.",
                        413, "It is too long.",
                        503, "The store cannot keep it now; try again."));
    }

    /** Adds the route. */
    public void mount(Router router) {
        router.post(PATH).handler(this::admit); // before anything is read
        router.post(PATH)
                .handler(BodyHandler.create(false).setBodyLimit(BounceReader.MOST_BYTES))
                .handler(this::take);
    }

    private void admit(RoutingContext context) {
        String shown = Optional.ofNullable(context.request().getHeader(HttpHeaders.AUTHORIZATION))
                .orElse("");
        if (token.isEmpty()) {
            send(context, 403, "mail.bounces.tokenFile is not set: mails that come back are not taken here");
        } else if (!MessageDigest.isEqual(
                ("Bearer " + token.get()).getBytes(StandardCharsets.UTF_8), shown.getBytes(StandardCharsets.UTF_8))) {
            send(context, 401, "the token is missing or wrong");
        } else {
            context.next();
        }
    }

    private void take(RoutingContext context) {
        Buffer body = context.body().buffer();
        workers.executeBlocking(() -> keep(body == null ? new byte[0] : body.getBytes()), false)
                .onSuccess(said -> send(context, 200, said))
                .onFailure(failure -> {
                    if (failure instanceof IOException wrong) {
                        send(context, 400, String.valueOf(wrong.getMessage()));
                    } else {
                        LOG.error("a mail that came back could not be kept", failure);
                        send(context, 503, "it cannot be kept now: " + failure.getMessage());
                    }
                });
    }

    /** What became of it, a sentence. */
    private String keep(byte[] mail) throws IOException, StoreException {
        Optional<BounceReader.Report> report = BounceReader.read(new ByteArrayInputStream(mail));
        if (report.isEmpty()) {
            LOG.info("a mail that came back says nothing about one of ours bytes={}", mail.length);
            return "not a report about a mail of ours; nothing is done";
        }
        Instant now = clock.instant();
        Optional<Notice> ours = store.noticesIn(List.of(Notice.State.values()), now.minus(remember)).stream()
                .filter(notice ->
                        notice.mail().filter(report.get().mails()::contains).isPresent())
                .findFirst();
        if (ours.isEmpty()
                || ours.get().mail().isEmpty()
                || ours.get().address().isEmpty()) {
            LOG.info(
                    "a mail came back that was not sent here, or too long ago mails={}",
                    report.get().mails());
            return "no such mail was sent; nothing is done";
        }
        String id = ours.get().mail().get() + " " + report.get().kind().name();
        Bounce bounce = new Bounce(
                id,
                now,
                ours.get().mail().get(),
                ours.get().address().get(),
                report.get().kind(),
                report.get().status(),
                report.get().reason(),
                Optional.empty(),
                Optional.empty());
        // told twice is told once
        if (store.bounces(now.minus(remember)).stream()
                .noneMatch(one -> one.id().equals(id))) {
            store.saveBounces(List.of(bounce));
            LOG.info(
                    "a mail came back mail={} address={} kind={} status={}",
                    bounce.mail(),
                    bounce.address(),
                    bounce.kind(),
                    bounce.status().orElse("unknown"));
        }
        return "noted: " + bounce.kind().name().toLowerCase(Locale.ROOT) + ", " + Plain.line(bounce.address(), 100)
                + bounce.status().map(code -> ", " + code).orElse("");
    }

    private static void send(RoutingContext context, int status, String sentence) {
        context.response()
                .setStatusCode(status)
                .putHeader(HttpHeaders.CONTENT_TYPE, "text/plain; charset=utf-8")
                .putHeader("X-Content-Type-Options", "nosniff")
                .end(sentence + "\n");
    }
}
