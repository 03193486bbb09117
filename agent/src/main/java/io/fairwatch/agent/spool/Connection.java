package io.fairwatch.agent.spool;

import io.fairwatch.agent.wire.StoredAnswer;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpClosedException;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.net.PemTrustOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * The way to the collector: its address, the token, whom to trust. What goes wrong on it is said in a sentence for
 * people. Confined to one event loop.
 */
public final class Connection {
    /** Where snapshots are sent, below the collector's address. */
    public static final String SNAPSHOTS = "/api/v1/snapshots";

    private static final int LONGEST_ANSWER = 1 << 20;
    private static final int LONGEST_SENTENCE = 500;
    /** Vert.x looks for old connections each second otherwise, and wakes the processor for it. */
    private static final int CLEANER_MILLIS = 60_000;

    /**
     * Where and how.
     *
     * @param url the collector; the path of the interface is added to it
     * @param tokenFile file with the token that the collector asks for, read anew for each request; empty: none
     * @param caFile PEM file with the authorities that may have signed the collector's certificate; empty: the system's
     * @param timeout how long an answer may take
     * @param wantsAllocations whether to ask, with each batch, which job holds which GPU of this node
     */
    public record Settings(
            URI url, Optional<Path> tokenFile, Optional<Path> caFile, Duration timeout, boolean wantsAllocations) {}

    /**
     * An answer.
     *
     * @param status of HTTP
     * @param retryAfter how long the collector wants to be left alone; absent when it does not say
     * @param body its beginning
     */
    public record Reply(int status, Optional<Duration> retryAfter, String body) {
        /** The beginning of the body as a sentence. */
        public String sentence() {
            return printable(body);
        }
    }

    private final Vertx vertx;
    private final Settings settings;
    private final HttpClient client;

    public Connection(Vertx vertx, Settings settings) {
        this.vertx = vertx;
        this.settings = settings;
        HttpClientOptions options = new HttpClientOptions()
                .setConnectTimeout(connectTimeout())
                .setSsl("https".equals(settings.url().getScheme()))
                .setVerifyHost(true)
                .setKeepAliveTimeout(75);
        settings.caFile()
                .ifPresent(file -> options.setTrustOptions(new PemTrustOptions().addCertPath(file.toString())));
        this.client = vertx.createHttpClient(options, new PoolOptions().setCleanerPeriod(CLEANER_MILLIS));
    }

    /** Whether answers say which job holds which GPU. */
    boolean wantsAllocations() {
        return settings.wantsAllocations();
    }

    private int connectTimeout() {
        return (int) Math.min(5_000, settings.timeout().toMillis());
    }

    /** Sends packed snapshots. */
    public Future<Reply> send(byte[] batch) {
        return request(HttpMethod.POST, SNAPSHOTS, Buffer.buffer(batch));
    }

    /** Asks for something. */
    public Future<Reply> get(String path) {
        return request(HttpMethod.GET, path, Buffer.buffer());
    }

    private Future<Reply> request(HttpMethod method, String path, Buffer body) {
        Future<Reply> work = token().compose(token -> {
                    RequestOptions options = new RequestOptions()
                            .setMethod(method)
                            .setAbsoluteURI(target(path))
                            .setConnectTimeout(connectTimeout())
                            .setIdleTimeout(settings.timeout().toMillis());
                    if (HttpMethod.POST.equals(method)) {
                        options.putHeader(HttpHeaders.CONTENT_TYPE, "application/x-ndjson")
                                .putHeader(HttpHeaders.CONTENT_ENCODING, "gzip");
                        if (settings.wantsAllocations()) {
                            options.putHeader(StoredAnswer.WANTS, StoredAnswer.ALLOCATIONS);
                        }
                    }
                    token.ifPresent(secret -> options.putHeader(HttpHeaders.AUTHORIZATION, "Bearer " + secret));
                    return client.request(options);
                })
                .compose(request -> request.send(body).compose(Connection::reply));
        return within(settings.timeout().toMillis() + 5_000, work);
    }

    /** As {@link Future#timeout}, which starts a thread for each future that no event loop owns. */
    private Future<Reply> within(long millis, Future<Reply> work) {
        Promise<Reply> answer = Promise.promise();
        long timer = vertx.setTimer(
                millis, late -> answer.tryFail(new TimeoutException("no answer within " + millis + " ms")));
        work.onComplete(done -> {
            vertx.cancelTimer(timer);
            if (done.succeeded()) {
                answer.tryComplete(done.result());
            } else {
                answer.tryFail(done.cause());
            }
        });
        return answer.future();
    }

    private static Future<Reply> reply(HttpClientResponse response) {
        Buffer start = Buffer.buffer();
        response.handler(part ->
                start.appendBuffer(part, 0, Math.max(0, Math.min(part.length(), LONGEST_ANSWER - start.length()))));
        return response.end()
                .map(end -> new Reply(
                        response.statusCode(),
                        parseRetryAfter(response.getHeader("Retry-After"), response.getHeader("Date")),
                        start.toString(StandardCharsets.UTF_8)));
    }

    /** {@code 120}, or {@code Fri, 20 Nov 2026 12:02:00 GMT} from which the answer's own date is taken. */
    static Optional<Duration> parseRetryAfter(@Nullable String retryAfter, @Nullable String date) {
        if (retryAfter == null) {
            return Optional.empty();
        }
        String text = retryAfter.strip();
        if (text.matches("\\d{1,9}")) {
            return Optional.of(Duration.ofSeconds(Long.parseLong(text)));
        }
        try {
            Duration until = date == null
                    ? Duration.ZERO
                    : Duration.between(httpDate(date.strip()), httpDate(text)); // no clock but the sender's
            return until.compareTo(Duration.ZERO) > 0 ? Optional.of(until) : Optional.empty();
        } catch (DateTimeException expected) { // nonsense: as if it had not been said
            return Optional.empty();
        }
    }

    private static ZonedDateTime httpDate(String text) {
        return ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME);
    }

    private String target(String path) {
        String base = settings.url().toString();
        return (base.endsWith("/") ? base.substring(0, base.length() - 1) : base) + path;
    }

    private Future<Optional<String>> token() {
        Optional<Path> file = settings.tokenFile();
        return file.isEmpty()
                ? Future.succeededFuture(Optional.empty())
                : vertx.executeBlocking(() -> {
                    try {
                        String token = Files.readString(file.get(), StandardCharsets.UTF_8)
                                .trim();
                        if (token.isEmpty() || !token.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
                            throw new IOException(file.get() + " (expected: one word of printable ASCII characters)");
                        }
                        return Optional.of(token);
                    } catch (IOException e) {
                        throw new IOException("token cannot be read: " + e.getMessage(), e);
                    }
                });
    }

    /** Why there was no answer, in a sentence. */
    public static String sentence(Throwable failure) {
        String sentence = printable(text(failure));
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof CertPathBuilderException || cause instanceof CertPathValidatorException) {
                return "the collector's certificate is not trusted: no authority in caFile (or of the system, without"
                        + " caFile) has signed it, or it has expired (" + printable(text(cause)) + ")";
            } else if (cause instanceof CertificateException && cause.getCause() == null) {
                return "the collector's certificate does not fit: " + printable(text(cause));
            } else if (cause instanceof SSLException
                    && cause.getClass().getSimpleName().startsWith("NotSsl")) {
                return "the collector does not speak TLS there; is it http:// and not https://?";
            } else if (cause instanceof HttpClosedException) {
                return "the collector ended the connection; does it speak TLS, and is it https:// and not http://?";
            }
        }
        return sentence;
    }

    private static String text(Throwable failure) {
        return failure.getMessage() == null ? failure.getClass().getSimpleName() : failure.getMessage();
    }

    private static String printable(String text) {
        String line = text.strip().replaceAll("\\p{Cntrl}+", " ");
        return line.substring(0, Math.min(LONGEST_SENTENCE, line.length()));
    }
}
