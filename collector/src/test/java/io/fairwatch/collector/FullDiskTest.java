package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.collector.ingest.GroupCommit;
import io.fairwatch.collector.ingest.Journal;
import io.fairwatch.collector.store.AppendingMain;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.Keep;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A collector on a real file system of 64 MiB, which fills up. Mounting one wants root. */
class FullDiskTest {
    private static final int SIZE_MIB = 64;
    private static final int LEAST_FREE_MIB = 16;
    private static final DuckDbStore.Settings EVERYTHING =
            new DuckDbStore.Settings(1, 128, 64, Duration.ofSeconds(60), Keep.DEFAULTS, 0.01, 0);
    private static final WireCodec CODEC = new WireCodec();

    private final HttpClient client = HttpClient.newHttpClient();
    private String url = "";
    private Instant begin = Instant.EPOCH;

    @Test
    @DisplayName(
            "a full disk takes no snapshot and health says so; once there is room all goes on, and nothing is lost")
    void full(@TempDir Path directory) throws Exception {
        Path small = Files.createDirectory(directory.resolve("small"));
        int mounted = run("mount", "-t", "tmpfs", "-o", "size=" + SIZE_MIB + "m", "tmpfs", small.toString());
        assumeTrue(mounted == 0, "SKIPPED: a small file system wants to be mounted, which wants root");
        try {
            fill(directory, small);
        } finally {
            assertEquals(0, run("umount", small.toString()));
        }
    }

    private static int run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getInputStream().readAllBytes();
        return process.waitFor();
    }

    private void fill(Path directory, Path small) throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        url = "http://127.0.0.1:" + port;
        begin = Instant.now().minus(Duration.ofMinutes(50));
        Path config = Files.writeString(
                directory.resolve("collector.yml"), """
                listen: {address: 127.0.0.1, port: %d}
                store: {directory: %s, memory: 128MiB, leastFree: %dMiB}
                slurm: {enabled: false}
                """.formatted(port, small.resolve("store"), LEAST_FREE_MIB));
        Path log = directory.resolve("collector.log");
        Process collector = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx192m",
                        "-XX:TieredStopAtLevel=1",
                        "-Djava.io.tmpdir=" + directory,
                        "-cp",
                        AppendingMain.classPath(),
                        Main.class.getName(),
                        "--config",
                        config.toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        long acknowledged = 0;
        try {
            until(log, collector, () -> Files.readString(log).contains(" listens on "));
            HttpResponse<String> answer = send(1);
            assertEquals(200, answer.statusCode(), answer.body());
            acknowledged = 1;
            assertTrue(health().contains(": well\n"), health());

            // somebody else takes most of the rest, and the collector the remainder
            long free = Files.getFileStore(small).getUsableSpace();
            Path ballast = small.resolve("ballast");
            write(ballast, free - ((LEAST_FREE_MIB + 2L) << 20));
            for (answer = send(acknowledged + 1); answer.statusCode() == 200; answer = send(acknowledged + 1)) {
                acknowledged++;
            }
            assertEquals(503, answer.statusCode(), answer.body() + acknowledged + Files.readString(log));
            assertTrue(answer.body().contains("does not take anything"), answer.body());
            assertTrue(answer.headers().firstValue("Retry-After").isPresent());
            String unwell = health();
            assertTrue(unwell.contains(": not well\n") && unwell.contains("the disk is full: "), unwell);
            assertEquals(503, get("/api/v1/health").statusCode());

            // and then there is nothing left at all
            Path more = small.resolve("more");
            write(more, SIZE_MIB << 20);
            assertEquals(0, Files.getFileStore(small).getUsableSpace());
            assertEquals(503, send(acknowledged + 1).statusCode());
            assertEquals(200, get("/api/v1/nodes").statusCode(), "questions are answered");

            // room is made, and nobody has to do anything else
            Files.delete(more);
            Files.delete(ballast);
            assertEquals(200, send(acknowledged + 1).statusCode());
            acknowledged++;
            assertTrue(health().contains(": well\n"), health());
        } finally {
            collector.destroyForcibly().waitFor();
        }
        try (DuckDbStore store = DuckDbStore.open(small.resolve("store"), EVERYTHING)) {
            new GroupCommit(
                            store,
                            Journal.open(small.resolve("store")),
                            GroupCommit.Settings.DEFAULTS,
                            new SimpleMeterRegistry())
                    .close(); // what a next start does
            List<NodeSnapshot> all = LongStream.rangeClosed(1, acknowledged)
                    .mapToObj(this::snapshot)
                    .toList();
            assertEquals(0, store.append(all), "all " + acknowledged + " were there");
        }
        assertFalse(Files.readString(log).contains(" ERROR "), Files.readString(log));
    }

    private interface Condition {
        boolean holds() throws IOException;
    }

    private static void until(Path log, Process collector, Condition condition) throws Exception {
        long patience = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
        while (!condition.holds()) {
            assertFalse(collector.waitFor(20, TimeUnit.MILLISECONDS), "ended by itself: " + Files.readString(log));
            assertTrue(System.nanoTime() < patience, () -> "waited in vain: " + log);
        }
    }

    /** Writes until so many bytes are written or the file system is full. */
    private static void write(Path file, long bytes) throws IOException {
        byte[] piece = new byte[1 << 16];
        try (var out = Files.newOutputStream(file)) {
            for (long written = 0; written < bytes; written += piece.length) {
                out.write(piece, 0, (int) Math.min(piece.length, bytes - written));
            }
        } catch (IOException expected) {
            // it is full now
        }
    }

    /** One of a node with many processes, which fill the disk quickly; different texts, so that they do not pack well. */
    private NodeSnapshot snapshot(long sequence) {
        return Given.snapshot(
                "node-a",
                Given.BOOT,
                sequence,
                begin.plusSeconds(sequence),
                List.of(Given.gpu(
                        "GPU-a",
                        0.5,
                        (double) sequence,
                        IntStream.range(1, 2000)
                                .mapToObj(pid -> Given.process(pid, sequence * 7919 + pid * 104_729L))
                                .toArray(io.fairwatch.agent.wire.GpuProcess[]::new))),
                List.of());
    }

    private HttpResponse<String> send(long sequence) throws IOException, InterruptedException {
        ByteArrayOutputStream batch = new ByteArrayOutputStream();
        batch.writeBytes(CODEC.pack(snapshot(sequence), 1));
        return client.send(
                HttpRequest.newBuilder(URI.create(url + "/api/v1/snapshots"))
                        .timeout(Duration.ofSeconds(60))
                        .header("Content-Type", "application/x-ndjson")
                        .header("Content-Encoding", "gzip")
                        .POST(HttpRequest.BodyPublishers.ofByteArray(batch.toByteArray()))
                        .build(),
                HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return client.send(
                HttpRequest.newBuilder(URI.create(url + path)).build(), HttpResponse.BodyHandlers.ofString());
    }

    private String health() throws IOException, InterruptedException {
        return get("/api/v1/health?format=text").body();
    }
}
