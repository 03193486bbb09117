package io.fairwatch.collector.notice;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.text.Plain;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * POSTs one JSON object for each finding. Thread-safe; blocks.
 *
 * <p>{@code Idempotency-Key} is the notice's id, so that the other side knows a repetition; with a secret, {@code
 * X-Fairwatch-Signature} is {@code sha256=} and the HMAC-SHA256 of the body in hexadecimal. Redirects are not followed.
 */
public final class HttpWebhook implements Webhook {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final URI url;
    private final Optional<String> secret;
    private final Duration timeout;
    private final HttpClient client;

    public HttpWebhook(URI url, Optional<String> secret, Duration timeout) {
        this.url = url;
        this.secret = secret;
        this.timeout = timeout;
        this.client = HttpClient.newBuilder()
                .connectTimeout(timeout)
                .followRedirects(HttpClient.Redirect.NEVER)
                .build();
    }

    @Override
    public Outbox.Outcome send(Notice notice, Optional<Run> run, FindingRow finding) {
        byte[] body = body(notice, run, finding);
        HttpRequest.Builder request = HttpRequest.newBuilder(url)
                .timeout(timeout)
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", notice.id())
                .POST(HttpRequest.BodyPublishers.ofByteArray(body));
        secret.ifPresent(key -> request.header("X-Fairwatch-Signature", "sha256=" + signature(key, body)));
        try {
            int status = client.send(request.build(), HttpResponse.BodyHandlers.discarding())
                    .statusCode();
            String said = "HTTP " + status + " from " + url.getHost();
            if (status / 100 == 2) {
                return new Outbox.Outcome.Delivered(said);
            }
            return status / 100 == 4 && status != 408 && status != 429
                    ? new Outbox.Outcome.Refused(said)
                    : new Outbox.Outcome.TryAgain(said, true);
        } catch (ConnectException | HttpConnectTimeoutException away) {
            return new Outbox.Outcome.TryAgain(url.getHost() + " does not answer", true);
        } catch (IOException broken) {
            return new Outbox.Outcome.Unknown(Plain.line(String.valueOf(broken.getMessage()), 200));
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            return new Outbox.Outcome.Unknown("interrupted");
        }
    }

    private static byte[] body(Notice notice, Optional<Run> run, FindingRow finding) {
        ObjectNode root = JSON.createObjectNode();
        root.put("id", notice.id());
        root.put("step", notice.aim().step());
        root.put("rule", finding.rule());
        root.put("since", finding.since().toString());
        root.put("cluster", finding.subject().cluster());
        if (finding.subject() instanceof Subject.Waiting job) {
            root.put("job_id", job.jobId());
        } else if (finding.subject() instanceof Subject.OnNode node) {
            root.put("node", node.node());
        }
        root.put("user", finding.user());
        run.ifPresent(one -> {
            root.put("job_id", one.key().jobId());
            root.put("display_id", one.displayId());
            root.put("start", one.key().start().toString());
            root.put("account", one.owner().account());
            root.put("partition", one.owner().partition());
        });
        root.put("summary", finding.summary());
        finding.toldAt().ifPresent(at -> root.put("owner_told_at", at.toString()));
        try {
            JsonNode evidence = JSON.readTree(finding.evidence());
            root.set("evidence", evidence);
            return JSON.writeValueAsBytes(root);
        } catch (JsonProcessingException odd) {
            return root.toString().getBytes(StandardCharsets.UTF_8);
        }
    }

    private static String signature(String key, byte[] body) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            return HexFormat.of().formatHex(mac.doFinal(body));
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException("every Java has HmacSHA256", impossible);
        }
    }
}
