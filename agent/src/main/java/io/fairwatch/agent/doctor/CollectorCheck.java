package io.fairwatch.agent.doctor;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.fairwatch.agent.spool.Connection;
import io.vertx.core.Future;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.zip.GZIPOutputStream;

/**
 * Whether the collector answers, takes the token, and has the same time of day.
 *
 * @param url of the collector, for people
 * @param connection to it; absent when none is configured
 * @param onLoop does something on the event loop that the connection is confined to
 */
record CollectorCheck(
        String url,
        Optional<Connection> connection,
        Function<Supplier<Future<Connection.Reply>>, Future<Connection.Reply>> onLoop,
        InstantSource clock,
        LongSupplier nanoTime)
        implements Check {
    private static final Duration CLOSE = Duration.ofSeconds(5);
    private static final Duration FAR = Duration.ofMinutes(1);

    @Override
    public String name() {
        return "collector";
    }

    @Override
    public List<Finding> look() {
        if (connection.isEmpty()) {
            return List.of(Finding.error(name(), "none is configured", "set collector.url in agent.yml"));
        }
        Connection way = connection.get();
        List<Finding> findings = new ArrayList<>();
        long asked = nanoTime.getAsLong();
        Connection.Reply health;
        try {
            health = onLoop.apply(() -> way.get("/api/v1/health")).await();
        } catch (Throwable e) { // await throws what the future failed with, checked or not
            return List.of(Finding.error(name(), url + ": " + Connection.sentence(e), adviceFor(e)));
        }
        Duration took = Duration.ofNanos(nanoTime.getAsLong() - asked);
        Map<String, String> said = topLevel(health.body());
        if ((health.status() == 200 || health.status() == 503) && said.containsKey("version")) {
            findings.add(Finding.fine(
                    name(), url + " answers within " + took.toMillis() + " ms, version " + said.get("version")));
        } else if (health.status() == 401 || health.status() == 403) {
            findings.add(Finding.fine(name(), url + " answers within " + took.toMillis() + " ms"));
        } else {
            findings.add(Finding.warning(
                    name(),
                    url + " answers " + health.status() + " and does not look like a collector: " + health.sentence(),
                    "check collector.url, and the proxy in front of the collector if there is one"));
        }
        findings.add(token(way));
        clock(said.getOrDefault("at", ""), took).ifPresent(findings::add);
        return findings;
    }

    /** An empty batch: what is wrong with it is seen only after the token was found right. */
    private Finding token(Connection way) {
        Connection.Reply reply;
        try {
            reply = onLoop.apply(() -> way.send(emptyBatch())).await();
        } catch (Throwable e) { // as above
            return Finding.error(name(), Connection.sentence(e), adviceFor(e));
        }
        return switch (reply.status()) {
            case 400, 422, 200 -> Finding.fine(name(), "it takes what this agent sends");
            case 401, 403 ->
                Finding.error(
                        name(),
                        "it refuses the token (" + reply.status() + " " + reply.sentence() + ")",
                        "put the collector's ingest token into the file that collector.tokenFile names");
            case 503, 429 ->
                Finding.warning(
                        name(),
                        "it takes nothing for now (" + reply.status() + " " + reply.sentence() + ")",
                        "snapshots are kept meanwhile; look at the collector: fairwatch health");
            default ->
                Finding.error(
                        name(),
                        "it answers " + reply.status() + " to snapshots: " + reply.sentence(),
                        "check collector.url, and the proxy in front of the collector if there is one");
        };
    }

    private static byte[] emptyBatch() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(bytes)) {
            gzip.flush();
        } catch (IOException e) {
            throw new IllegalStateException(e); // memory does not fail
        }
        return bytes.toByteArray();
    }

    private Optional<Finding> clock(String at, Duration took) {
        Instant theirs;
        try {
            theirs = Instant.parse(at);
        } catch (DateTimeException expected) { // it does not say
            return Optional.empty();
        }
        Duration off = Duration.between(theirs.plus(took.dividedBy(2)), clock.instant());
        Duration apart = off.abs();
        if (apart.compareTo(CLOSE) <= 0) {
            return Optional.of(Finding.fine("clock", "agrees with the collector's"));
        }
        String what = "this node is " + apart.toSeconds() + " s " + (off.isNegative() ? "behind" : "ahead of")
                + " the collector";
        String advice =
                "let chrony or systemd-timesyncd keep both clocks; what is measured is stored at the wrong time";
        return Optional.of(
                apart.compareTo(FAR) <= 0
                        ? Finding.warning("clock", what, advice)
                        : Finding.error("clock", what, advice));
    }

    /** The plain values at the top of a JSON object, of which the end may be missing. */
    static Map<String, String> topLevel(String json) {
        Map<String, String> values = new HashMap<>();
        try (JsonParser parser = new JsonFactory().createParser(json)) {
            if (parser.nextToken() == JsonToken.START_OBJECT) {
                while (parser.nextToken() == JsonToken.FIELD_NAME) {
                    String key = parser.currentName();
                    if (parser.nextToken().isScalarValue()) {
                        values.put(key, parser.getText());
                    } else {
                        parser.skipChildren();
                    }
                }
            }
        } catch (IOException expected) { // cut off, or no JSON at all: what was read holds
            return values;
        }
        return values;
    }

    private static String adviceFor(Throwable e) {
        String sentence = Connection.sentence(e);
        if (sentence.contains("certificate")) {
            return "set collector.caFile to the PEM file of the authority that signed it, and use the name in it";
        } else if (sentence.contains("token")) {
            return "make the file readable for the agent's user: chmod 0640, chgrp fairwatch-agent";
        } else if (sentence.contains("TLS")) {
            return "change the scheme of collector.url in agent.yml";
        }
        return "check collector.url, the name, and the firewall between; curl -v tells more";
    }
}
