package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.collector.ingest.GroupCommit;
import io.fairwatch.collector.ingest.Journal;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.AppendingMain;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A whole collector is killed under load, again and again, at random moments. Three times here; with {@code
 * -Dfairwatch.kills=30} as often as one likes. What nodes send lies hours back and moves on by an hour every few seconds,
 * so that there is always something to seal.
 */
class KilledCollectorTest {
    /** Snapshots between a start and a kill that does not come at the start; the last kill never does. */
    private static final long ENOUGH = 200;

    private static final int KILLS = Integer.getInteger("fairwatch.kills", 3);
    private static final int NODES = 6;
    private static final List<String> GPUS = List.of("GPU-0", "GPU-1");
    private static final Duration PERIOD = Duration.ofSeconds(30);
    private static final WireCodec CODEC = new WireCodec();

    /** Where all nodes begin: two days ago. */
    @SuppressWarnings("TimeInStaticInitializer") // the same for all of this run
    private static final Instant BEGIN =
            Instant.now().truncatedTo(ChronoUnit.HOURS).minus(Duration.ofDays(2));

    /** A node that sends as an agent does: in order, the same batch again until it is taken. Confined to its thread. */
    private static final class Node extends Thread {
        final int number;
        final URI collector;
        final Random random;
        volatile boolean stop;
        /** The last sequence that was acknowledged. */
        volatile long acknowledged;
        /** The last that was ever sent. */
        volatile long sent;

        volatile String refusal = "";

        Node(int number, URI collector, long seed) {
            super("node-" + number);
            this.number = number;
            this.collector = collector;
            this.random = new Random(seed + number);
        }

        @Override
        public void run() {
            HttpClient client = HttpClient.newBuilder()
                    .version(HttpClient.Version.HTTP_1_1)
                    .connectTimeout(Duration.ofSeconds(2))
                    .build();
            while (!stop) {
                long last = acknowledged + 1 + random.nextInt(30);
                ByteArrayOutputStream batch = new ByteArrayOutputStream();
                for (long sequence = acknowledged + 1; sequence <= last; sequence++) {
                    batch.writeBytes(CODEC.pack(snapshot(number, sequence), 1));
                }
                sent = Math.max(sent, last);
                while (!stop && acknowledged < last) {
                    try {
                        HttpResponse<String> answer = client.send(
                                HttpRequest.newBuilder(collector)
                                        .timeout(Duration.ofSeconds(20))
                                        .header("Content-Type", "application/x-ndjson")
                                        .header("Content-Encoding", "gzip")
                                        .POST(HttpRequest.BodyPublishers.ofByteArray(batch.toByteArray()))
                                        .build(),
                                HttpResponse.BodyHandlers.ofString());
                        if (answer.statusCode() == 200) {
                            acknowledged = last;
                        } else if (answer.statusCode() != 503) {
                            refusal = answer.statusCode() + " " + answer.body();
                            return;
                        }
                    } catch (IOException killed) {
                        pause();
                    } catch (InterruptedException stopped) {
                        return;
                    }
                }
            }
        }

        private static void pause() {
            try {
                TimeUnit.MILLISECONDS.sleep(20); // not for a result: only so that nothing spins while nobody listens
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static Instant at(long sequence) {
        return BEGIN.plus(PERIOD.multipliedBy(sequence));
    }

    private static NodeSnapshot snapshot(int node, long sequence) {
        return Given.snapshot(
                "node-" + node,
                Given.BOOT,
                sequence,
                at(sequence),
                GPUS.stream()
                        .map(gpu -> Given.gpu(gpu + "-" + node, 0.5, 100.0 * (double) sequence, Given.process(1, 1)))
                        .toList(),
                List.of(Given.cgroup(1, (double) sequence, 1, 1)));
    }

    @Test
    @DisplayName("killed under load at any moment, a collector has all that it acknowledged, once and whole")
    void kills(@TempDir Path directory) throws Exception {
        long seed = Long.getLong("fairwatch.seed", System.nanoTime());
        Random random = new Random(seed);
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Path temporary = Files.createDirectory(directory.resolve("tmp"));
        Path config =
                Files.writeString(directory.resolve("collector.yml"), """
                listen: {address: 127.0.0.1, port: %d}
                store: {directory: %s, memory: 128MiB}
                slurm: {enabled: false}
                """.formatted(port, directory.resolve("store")));
        List<Node> nodes = new ArrayList<>();
        for (int number = 0; number < NODES; number++) {
            nodes.add(new Node(number, URI.create("http://127.0.0.1:" + port + "/api/v1/snapshots"), seed));
        }
        nodes.forEach(Thread::start);
        List<Long> startMillis = new ArrayList<>();
        try {
            for (int kill = 1; kill <= KILLS; kill++) {
                String message = "seed " + seed + ", kill " + kill;
                long before = acknowledged(nodes);
                long began = System.nanoTime();
                boolean listens = false;
                Process collector = start(config, temporary, directory.resolve("collector.log"));
                try {
                    // most kills fall into the work, some into the start
                    long patience = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
                    boolean early = kill < KILLS && random.nextInt(4) == 0;
                    while (!early && acknowledged(nodes) < before + ENOUGH && System.nanoTime() < patience) {
                        assertTrue(
                                !collector.waitFor(10, TimeUnit.MILLISECONDS),
                                () -> message + ": ended by itself: " + log(directory));
                        if (!listens && log(directory).contains(" listens on ")) {
                            listens = true;
                            startMillis.add(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began));
                        }
                    }
                    assertTrue(
                            !collector.waitFor(random.nextInt(1500), TimeUnit.MILLISECONDS),
                            () -> message + ": ended by itself: " + log(directory));
                } finally {
                    collector.destroyForcibly().waitFor();
                }
                nodes.forEach(node -> assertEquals("", node.refusal, message));
                try (Stream<Path> left = Files.list(temporary)) {
                    assertEquals(
                            List.of(),
                            left.filter(path -> !isOurDriver(path)).toList(),
                            message + ": left in the folder for temporary files");
                }
                check(directory.resolve("store"), nodes, message);
            }
        } finally {
            nodes.forEach(node -> node.stop = true);
            for (Node node : nodes) {
                node.interrupt();
                node.join();
            }
        }
        assertTrue(acknowledged(nodes) >= ENOUGH, "seed " + seed + ": acknowledged " + acknowledged(nodes));
        System.out.printf(
                "%d kills, %d snapshots acknowledged, started within %s ms%n",
                KILLS,
                acknowledged(nodes),
                startMillis.stream().max(Comparator.naturalOrder()).orElse(0L));
    }

    /** Run from its classes, the driver unpacks its library; the packed program has it beside its jar. */
    private static boolean isOurDriver(Path path) {
        return path.getFileName().toString().startsWith("libduckdb_java");
    }

    private static long acknowledged(List<Node> nodes) {
        return nodes.stream().mapToLong(node -> node.acknowledged).sum();
    }

    private static String log(Path directory) {
        try {
            return Files.readString(directory.resolve("collector.log"));
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static void check(Path data, List<Node> nodes, String message) throws Exception {
        List<Long> acknowledged = nodes.stream().map(node -> node.acknowledged).toList();
        try (Store store = DuckDbStore.open(data, DuckDbStore.Settings.DEFAULTS)) {
            new GroupCommit(store, Journal.open(data), GroupCommit.Settings.DEFAULTS, new SimpleMeterRegistry())
                    .close(); // what a next start does
            for (Node node : nodes) {
                String of = message + ", node " + node.number;
                long least = acknowledged.get(node.number);
                Run run = Given.run(
                        1,
                        BEGIN,
                        Optional.empty(),
                        GPUS.stream()
                                .map(gpu -> Given.allocated("node-" + node.number, 0, gpu + "-" + node.number))
                                .toArray(io.fairwatch.collector.run.AllocatedGpu[]::new));
                List<GpuUse> uses = store.gpuUse(List.of(new RunSpan(run, BEGIN, at(node.sent))), 0).stream()
                        .filter(use -> use.node().equals("node-" + node.number))
                        .toList();
                assertEquals(GPUS.size(), uses.size(), of);
                // what was sent and not acknowledged may be there, whole batches of it; sent again, it changes nothing
                int there = uses.get(0).samples();
                assertTrue(
                        there >= least && there <= node.sent, of + ": " + least + " acknowledged, " + there + " there");
                uses.forEach(use -> assertEquals(there, use.samples(), of + ": torn"));
                List<NodeSnapshot> again = LongStream.rangeClosed(1, there)
                        .mapToObj(sequence -> snapshot(node.number, sequence))
                        .toList();
                assertEquals(0, store.append(again), of + ": sent again");
            }
        }
    }

    private static Process start(Path config, Path temporary, Path log) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:TieredStopAtLevel=1",
                        "-Djava.io.tmpdir=" + temporary,
                        "-cp",
                        AppendingMain.classPath(),
                        Main.class.getName(),
                        "--config",
                        config.toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
    }
}
