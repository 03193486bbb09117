package io.fairwatch.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.metrics.AgentMetrics;
import io.fairwatch.agent.metrics.MetricsServer;
import io.fairwatch.agent.metrics.OwnCost;
import io.fairwatch.agent.probe.PolledProbe;
import io.fairwatch.agent.probe.Probe;
import io.fairwatch.agent.spool.Connection;
import io.fairwatch.agent.spool.Shipper;
import io.fairwatch.agent.spool.Spool;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.UserUse;
import io.fairwatch.agent.wire.WireCodec;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.WorkerExecutor;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SamplerTest {
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");
    private static final Duration AGES = Duration.ofMinutes(1);
    private static final Duration SHORT = Duration.ofMillis(20);
    private static final UserUse USER = new UserUse(
            7, Optional.empty(), 1, 0, OptionalDouble.empty(), 4096, OptionalDouble.empty(), 0, OptionalLong.empty());

    /** What a probe does when it is read. */
    private interface Work {
        List<UserUse> read() throws Probe.ProbeException;
    }

    private static Source<List<UserUse>> source(String name, Work work) {
        return new Source<>(
                new Probe<>() {
                    @Override
                    public String name() {
                        return name;
                    }

                    @Override
                    public List<UserUse> read(Instant at) throws ProbeException {
                        return work.read();
                    }
                },
                SnapshotDraft::users);
    }

    private final Path directory;
    private final Spool spool;
    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private final ExecutorService workers = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    });
    private final AgentMetrics metrics =
            new AgentMetrics(InstantSource.system(), AgentMetrics.Switches.NONE, "1", job -> true);
    private long nanos;

    SamplerTest(@TempDir Path directory) throws IOException {
        this.directory = directory;
        spool = Spool.open(directory, new Spool.Limits(1_000_000, Duration.ofDays(1), 0), InstantSource.fixed(NOW));
    }

    @AfterEach
    void stop() throws IOException {
        vertx.close().await();
        workers.shutdownNow();
        spool.close();
    }

    private NodeReader reader(Duration deadline, Source<?>... sources) {
        return new NodeReader(
                vertx, workers, InstantSource.fixed(NOW), () -> nanos, List.of(sources), deadline, metrics);
    }

    private Sampler sampler(NodeReader reader) {
        return new Sampler(
                vertx,
                vertx.createSharedWorkerExecutor("spool", 1),
                InstantSource.fixed(NOW),
                () -> nanos,
                reader,
                spool,
                new ThisNode("n1", "boot", "1", NOW),
                Duration.ofSeconds(30),
                metrics,
                () -> {});
    }

    private <T> T onLoop(Supplier<Future<T>> work) {
        return Future.<T>future(promise -> vertx.runOnContext(run -> work.get().onComplete(promise)))
                .await();
    }

    private NodeSnapshot take(Sampler sampler) throws Exception {
        long sequence = onLoop(sampler::take);
        NodeSnapshot snapshot = new WireCodec()
                .unpack(spool.oldest(1_000_000, 1).orElseThrow().bytes(), 1_000_000)
                .get(0);
        spool.acknowledge(sequence);
        return snapshot;
    }

    @Test
    @DisplayName("one bad probe never stops the others, and each says how it fared")
    void outcomes() throws Exception {
        nanos = 1;
        Sampler sampler = sampler(reader(
                AGES,
                source("bug", () -> {
                    throw new IllegalStateException("a bug\nof ours");
                }),
                source("link", () -> {
                    throw new UnsatisfiedLinkError("no such symbol");
                }),
                source("broken", () -> {
                    throw new Probe.ProbeException("the driver says no");
                }),
                source("none", () -> {
                    throw new Probe.NothingToReadException("no driver");
                }),
                source("good", () -> List.of(USER))));
        nanos += 30_000_000_000L;
        NodeSnapshot snapshot = take(sampler);
        assertEquals("n1", snapshot.node());
        assertEquals(NOW.toEpochMilli(), snapshot.sequence());
        assertEquals(NOW, snapshot.at());
        assertEquals(Duration.ofSeconds(30), snapshot.period());
        assertEquals(List.of(USER), snapshot.users());
        assertEquals(new ProbeOutcome.Nothing("no driver"), snapshot.probes().get("none"));
        assertInstanceOf(ProbeOutcome.Read.class, snapshot.probes().get("good"));
        assertEquals("the driver says no", why(snapshot, "broken"));
        assertEquals("java.lang.IllegalStateException: a bug of ours", why(snapshot, "bug"));
        assertEquals("java.lang.UnsatisfiedLinkError: no such symbol", why(snapshot, "link"));
        assertEquals(snapshot.sequence() + 1, take(sampler).sequence());
        assertTrue(metrics.text().contains("fairwatch_agent_snapshots_total 2.0"), metrics::text);
        assertTrue(
                metrics.text().contains("fairwatch_agent_probe_reads_total{outcome=\"nothing\",probe=\"none\"} 2.0"),
                metrics::text);
    }

    private static String why(NodeSnapshot snapshot, String probe) {
        return assertInstanceOf(ProbeOutcome.Failed.class, snapshot.probes().get(probe))
                .why();
    }

    @Test
    @DisplayName("a probe that hangs is left behind, is not called again meanwhile, and recovers when it returns")
    void hang() throws Exception {
        CountDownLatch driver = new CountDownLatch(1);
        CountDownLatch returned = new CountDownLatch(1);
        AtomicInteger calls = new AtomicInteger();
        NodeReader reader = reader(
                SHORT,
                source("nvml", () -> {
                    calls.incrementAndGet();
                    try {
                        driver.await();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    } finally {
                        returned.countDown();
                    }
                    return List.of(USER);
                }),
                source("host", List::of));
        Sampler sampler = sampler(reader);
        NodeSnapshot hung = take(sampler);
        assertEquals("nvml does not answer since 2026-11-20T12:00:00Z", why(hung, "nvml"));
        assertEquals(List.of(), hung.users());
        assertInstanceOf(ProbeOutcome.Read.class, hung.probes().get("host"));
        assertEquals("nvml does not answer since 2026-11-20T12:00:00Z", why(take(sampler), "nvml"));
        assertEquals(1, calls.get());
        assertTrue(metrics.text().contains("fairwatch_agent_probe_abandoned{probe=\"nvml\"} 1.0\n"), metrics.text());
        driver.countDown();
        returned.await();
        NodeSnapshot after = take(sampler);
        while (after.probes().get("nvml") instanceof ProbeOutcome.Failed) { // until the lane has heard of it
            after = take(sampler);
        }
        assertEquals(List.of(), after.users()); // host came after it and put its own there
        assertEquals(2, calls.get());
        assertTrue(metrics.text().contains("fairwatch_agent_probe_abandoned{probe=\"nvml\"} 0.0\n"), metrics.text());
    }

    @Test
    @DisplayName("a probe whose reading came too late is told so before the next one, and only then")
    void missed() throws Exception {
        CountDownLatch driver = new CountDownLatch(1);
        List<String> calls = Collections.synchronizedList(new ArrayList<>());
        Probe<Instant> slow = new Probe<>() {
            @Override
            public String name() {
                return "nvml";
            }

            @Override
            public Instant read(Instant at) {
                calls.add("read");
                try {
                    driver.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                return at;
            }

            @Override
            public void missed() {
                calls.add("missed");
            }
        };
        Sampler sampler = sampler(reader(SHORT, new Source<>(slow, (draft, at) -> {})));
        take(sampler);
        driver.countDown();
        while (take(sampler).probes().get("nvml") instanceof ProbeOutcome.Failed) {} // until the lane has heard of it
        take(sampler);
        assertEquals(List.of("read", "missed", "read", "read"), calls);
    }

    @Test
    @DisplayName("polls and readings of one probe never overlap")
    void noOverlap() throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger polls = new AtomicInteger();
        CountDownLatch polling = new CountDownLatch(1);
        CountDownLatch poll = new CountDownLatch(1);
        Source<List<UserUse>> polled = new Source<>(
                new PolledProbe<>() {
                    @Override
                    public String name() {
                        return "nvml";
                    }

                    @Override
                    public void poll() throws ProbeException {
                        inside.incrementAndGet();
                        polls.incrementAndGet();
                        polling.countDown();
                        try {
                            poll.await();
                        } catch (InterruptedException e) {
                            throw new ProbeException("interrupted", e);
                        }
                        inside.decrementAndGet();
                    }

                    @Override
                    public List<UserUse> read(Instant at) {
                        return inside.get() == 0 ? List.of(USER) : List.of();
                    }
                },
                SnapshotDraft::users);
        NodeReader reader = reader(AGES, polled);
        Future<SnapshotDraft> reading = onLoop(() -> {
            reader.poll();
            reader.poll(); // is still busy: nothing to do
            return Future.succeededFuture(reader.read());
        });
        polling.await();
        poll.countDown();
        NodeSnapshot snapshot = new ThisNode("n1", "boot", "1", NOW).finish(reading.await(), 1, 0, OwnCost.UNKNOWN);
        assertEquals(List.of(USER), snapshot.users());
        assertEquals(1, polls.get());
    }

    @Test
    @DisplayName("a snapshot that cannot be made is counted, and the next one is taken with its number")
    void notKept() throws Exception {
        Instant[] now = {Instant.parse("1970-01-01T00:00:07Z")}; // a node whose clock lost its battery
        NodeReader reader = new NodeReader(vertx, workers, () -> now[0], () -> nanos, List.of(), AGES, metrics);
        Sampler sampler = sampler(reader);
        assertThrows(IllegalArgumentException.class, () -> onLoop(sampler::take));
        assertEquals(
                Optional.of(
                        "this node's clock says 1970-01-01T00:00:07Z; until it is set, as by NTP, no snapshot can be"
                                + " taken"),
                sampler.trouble());
        assertTrue(metrics.text().contains("fairwatch_agent_snapshots_failed_total 1.0"), metrics::text);
        now[0] = NOW;
        assertEquals(NOW.toEpochMilli(), take(sampler).sequence());
        assertEquals(Optional.empty(), sampler.trouble());
    }

    @Test
    @DisplayName("a disk that hangs beneath the spool holds up snapshots and delivery, and no page of metrics")
    void hungDisk() throws Exception {
        Vertx agents = Main.vertx();
        CountDownLatch disk = new CountDownLatch(1);
        CountDownLatch hanging = new CountDownLatch(1);
        try {
            WorkerExecutor worker = Main.disk(agents);
            Sampler sampler = new Sampler(
                    agents,
                    worker,
                    InstantSource.fixed(NOW),
                    () -> nanos,
                    new NodeReader(agents, workers, InstantSource.fixed(NOW), () -> nanos, List.of(), AGES, metrics),
                    spool,
                    new ThisNode("n1", "boot", "1", NOW),
                    Duration.ofSeconds(30),
                    metrics,
                    () -> {});
            Shipper shipper = new Shipper(
                    agents,
                    worker,
                    spool,
                    new Connection(
                            agents,
                            new Connection.Settings(
                                    URI.create("http://127.0.0.1:1"),
                                    Optional.empty(),
                                    Optional.empty(),
                                    Duration.ofSeconds(5),
                                    false)),
                    new Shipper.Settings(1000, Duration.ofMillis(10), Duration.ofMillis(20)),
                    RandomGenerator.getDefault(),
                    held -> {});
            int port = new MetricsServer(metrics, sampler::trouble)
                    .listen(agents, "127.0.0.1", 0)
                    .await()
                    .actualPort();
            Thread holder = new Thread(() -> spool.append(number -> {
                hanging.countDown();
                try {
                    disk.await(); // with all of the spool held, as by a write that does not return
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                return new byte[1];
            }));
            holder.start();
            hanging.await();
            agents.runOnContext(run -> {
                sampler.take();
                shipper.wake();
            });
            for (int i = 0; i < 3; i++) {
                HttpResponse<String> page = HttpClient.newHttpClient()
                        .send(
                                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/metrics"))
                                        .timeout(Duration.ofSeconds(30))
                                        .build(),
                                HttpResponse.BodyHandlers.ofString());
                assertEquals(200, page.statusCode());
            }
            disk.countDown();
            holder.join();
        } finally {
            disk.countDown();
            agents.close().await();
        }
    }

    @Test
    @DisplayName("a disk that takes nothing is told as trouble, while snapshots go on from memory")
    void diskTrouble() throws Exception {
        Sampler sampler = sampler(reader(AGES));
        assertEquals(Optional.empty(), sampler.trouble());
        Path obstacle = Files.createDirectory(directory.resolve("%020d.json.gz.tmp".formatted(NOW.toEpochMilli())));
        Files.createFile(obstacle.resolve("in the way"));
        assertEquals(NOW.toEpochMilli(), take(sampler).sequence());
        assertTrue(sampler.trouble().orElse("").contains("wait in memory"), () -> String.valueOf(sampler.trouble()));
        Files.delete(obstacle.resolve("in the way"));
        assertEquals(NOW.toEpochMilli() + 1, take(sampler).sequence());
        assertEquals(Optional.empty(), sampler.trouble());
    }

    @Test
    @DisplayName("no snapshot for three periods is trouble; one in the making for ten is a wedge, a hung probe is not")
    void wedged() throws Exception {
        CountDownLatch driver = new CountDownLatch(1);
        Sampler hung = sampler(reader(SHORT, source("nvml", () -> {
            try {
                driver.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return List.of();
        })));
        take(hung);
        nanos += Duration.ofSeconds(30).multipliedBy(4).toNanos();
        assertEquals(Optional.of("no snapshot was kept since " + NOW), hung.trouble());
        nanos += Duration.ofSeconds(30).multipliedBy(20).toNanos();
        assertEquals(false, hung.isWedged());
        driver.countDown();

        CountDownLatch ages = new CountDownLatch(1);
        Sampler wedged = sampler(reader(AGES, source("disk", () -> {
            try {
                ages.await(); // longer than its lane would allow: something beneath holds everything up
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return List.of();
        })));
        onLoop(() -> {
            wedged.start();
            return Future.succeededFuture();
        });
        assertEquals(false, wedged.isWedged());
        nanos += Duration.ofSeconds(30).multipliedBy(11).toNanos();
        assertEquals(true, wedged.isWedged());
        ages.countDown();
        onLoop(wedged::stop);
        assertEquals(false, wedged.isWedged());
    }

    @ParameterizedTest
    @CsvSource({"PT5S, 1", "PT12S, 2", "PT30S, 3", "PT31S, 4", "PT5M, 30"})
    @DisplayName("polled probes are looked at every ten seconds at least")
    void looks(Duration period, int looks) {
        assertEquals(looks, Sampler.looksPerPeriod(period));
    }

    @Test
    @DisplayName("a node's moment is the same in each period, and nodes are spread")
    void phase() {
        Duration period = Duration.ofSeconds(30);
        long wait = Sampler.untilNext(NOW, period, "nv-ai-01");
        assertEquals(0, Sampler.untilNext(NOW.plusMillis(wait), period, "nv-ai-01"));
        assertEquals(wait, Sampler.untilNext(NOW.plus(period), period, "nv-ai-01"));
        assertEquals((wait + 29_000) % 30_000, Sampler.untilNext(NOW.plusSeconds(1), period, "nv-ai-01"));
        assertNotEquals(wait, Sampler.untilNext(NOW, period, "nv-ai-02"));
    }
}
