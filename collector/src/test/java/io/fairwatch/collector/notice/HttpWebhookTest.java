package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.Notice;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class HttpWebhookTest {
    private final List<String> received = new ArrayList<>();
    private final HttpServer server;
    private int status = 204;

    HttpWebhookTest() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            received.add(exchange.getRequestHeaders().getFirst("Idempotency-Key") + " "
                    + exchange.getRequestHeaders().getFirst("X-Fairwatch-Signature") + " "
                    + new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            exchange.sendResponseHeaders(status, -1);
            exchange.close();
        });
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    private static Outbox.Outcome send(URI url) {
        Run run = Samples.run(83549, Samples.USER, "x");
        Notice notice = new Notice(
                "id",
                run.key(),
                "gpu-idle",
                Samples.SINCE,
                new Notice.Aim(2, Notice.Channel.WEBHOOK, Notice.Topic.FINDING, "webhook"),
                Samples.USER,
                Optional.empty(),
                Notice.State.SENDING,
                Optional.empty(),
                Samples.NOW,
                Samples.NOW,
                1,
                "");
        return new HttpWebhook(url, Optional.of("key"), Duration.ofSeconds(2))
                .send(notice, Optional.of(run), Samples.finding(run));
    }

    private URI url() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/hook");
    }

    @Test
    @DisplayName("a finding is posted once as JSON, signed, with an id that stays the same")
    void posts() {
        assertEquals(new Outbox.Outcome.Delivered("HTTP 204 from 127.0.0.1"), send(url()));
        assertTrue(received.get(0).startsWith("id sha256="), received.get(0));
        assertTrue(received.get(0).contains("\"job_id\":83549"), received.get(0));
        assertTrue(received.get(0).contains("\"evidence\":{\"idle_gpus\":2"), received.get(0));
    }

    @Test
    @DisplayName("what the other side says decides whether it is tried again")
    void answers() throws IOException {
        status = 404;
        assertEquals(new Outbox.Outcome.Refused("HTTP 404 from 127.0.0.1"), send(url()));
        status = 503;
        assertEquals(new Outbox.Outcome.TryAgain("HTTP 503 from 127.0.0.1", true), send(url()));
        status = 302;
        assertEquals(new Outbox.Outcome.TryAgain("HTTP 302 from 127.0.0.1", true), send(url()));
        int free;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            free = socket.getLocalPort();
        }
        assertTrue(send(URI.create("http://127.0.0.1:" + free)) instanceof Outbox.Outcome.TryAgain);
    }

    @Test
    @DisplayName("a server that says nothing costs its timeout, and is not asked for this again")
    void silent() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertTrue(send(URI.create("http://127.0.0.1:" + socket.getLocalPort())) instanceof Outbox.Outcome.Unknown);
        }
    }
}
