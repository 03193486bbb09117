package io.fairwatch.collector.ingest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.collector.ingest.GroupCommit.Stored;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Answers by the journal and by the store; stores that hang, fail and refuse. */
@Timeout(60)
class GroupCommitTest {
    private static final WireCodec CODEC = new WireCodec();
    private static final GroupCommit.Settings IMPATIENT =
            new GroupCommit.Settings(Duration.ofMillis(5), 100, 1 << 20, Duration.ofMillis(1), 1 << 20);

    private final Path directory;

    private final MeterRegistry meters = new SimpleMeterRegistry();
    private final List<String> taken = Collections.synchronizedList(new ArrayList<>());

    GroupCommitTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private interface Append {
        void take(NodeSnapshot snapshot) throws Exception;
    }

    /** A store of which only append is asked. It takes all of a call or nothing. */
    private Store store(Append append) {
        return (Store) Proxy.newProxyInstance(
                Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                    List<Integer> stored = new ArrayList<>();
                    List<String> nodes = new ArrayList<>();
                    for (Object batch : (List<?>) arguments[0]) {
                        for (Object snapshot : (List<?>) batch) {
                            append.take((NodeSnapshot) snapshot);
                            nodes.add(((NodeSnapshot) snapshot).node());
                        }
                        stored.add(((List<?>) batch).size());
                    }
                    taken.addAll(nodes);
                    return stored;
                });
    }

    private GroupCommit commits(Store store) throws Exception {
        return new GroupCommit(store, Journal.open(directory), IMPATIENT, meters);
    }

    private static NodeSnapshot snapshot(String node, long sequence) {
        return Given.snapshot(node, sequence, Given.at(30.0 * sequence), Given.gpu("GPU-" + node, 0.5, 0));
    }

    private static CompletableFuture<Stored> submit(GroupCommit commits, String node, long sequence) {
        NodeSnapshot snapshot = snapshot(node, sequence);
        return commits.submit(List.of(snapshot), CODEC.pack(snapshot)).orElseThrow();
    }

    private static void until(AtomicBoolean what) throws InterruptedException {
        while (!what.get()) {
            TimeUnit.MILLISECONDS.sleep(2);
        }
    }

    @Test
    @DisplayName("an answer does not wait for a store that is busy, and what it promised is in the store after a kill")
    void promised() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        GroupCommit killed = commits(store(snapshot -> never.await())); // never closed: as if it were killed
        assertEquals(new Stored(1, 0), submit(killed, "node-a", 1).get());
        assertEquals(new Stored(1, 0), submit(killed, "node-a", 2).get());
        assertEquals(List.of(), taken);
        try (Store store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS)) {
            commits(store).close();
            assertEquals(Given.at(60), store.nodes().get(0).lastAt());
            commits(store).close(); // the journal is empty now
        }
        assertEquals(
                2,
                meters.counter("fairwatch.ingest.snapshots", "outcome", "stored")
                        .count());
        assertEquals(
                0,
                meters.counter("fairwatch.ingest.snapshots", "outcome", "duplicate")
                        .count());
    }

    @Test
    @DisplayName("when much waits already, answers wait for the store")
    void backpressure() throws Exception {
        CountDownLatch goOn = new CountDownLatch(1);
        GroupCommit.Settings tight = new GroupCommit.Settings(
                Duration.ofMillis(5), 100, 1 << 20, Duration.ofMillis(1), CODEC.pack(snapshot("node-a", 1)).length);
        try (GroupCommit commits =
                new GroupCommit(store(snapshot -> goOn.await()), Journal.open(directory), tight, meters)) {
            assertEquals(new Stored(1, 0), submit(commits, "node-a", 1).get());
            CompletableFuture<Stored> second = submit(commits, "node-b", 1);
            assertThrows(TimeoutException.class, () -> second.get(100, TimeUnit.MILLISECONDS));
            goOn.countDown();
            assertEquals(new Stored(1, 0), second.get());
        }
    }

    @Test
    @DisplayName("a store in trouble gets what was promised once it is well; until then only what it takes is answered")
    void trouble() throws Exception {
        AtomicBoolean ill = new AtomicBoolean();
        AtomicBoolean failed = new AtomicBoolean();
        CountDownLatch begun = new CountDownLatch(1);
        Store store = store(snapshot -> {
            if (snapshot.node().equals("node-a") && begun.getCount() > 0) {
                begun.countDown();
                until(ill);
            }
            if (ill.get()) {
                failed.set(true);
                throw new StoreException("store: it is ill");
            }
        });
        try (GroupCommit commits = commits(store)) {
            CompletableFuture<Stored> promised = submit(commits, "node-a", 1);
            begun.await();
            assertEquals(new Stored(1, 0), promised.get());
            ill.set(true);
            until(failed);
            for (boolean refused = false;
                    !refused; ) { // one that came before the trouble was seen may be promised, too
                try {
                    submit(commits, "node-b", 1).get();
                } catch (ExecutionException e) {
                    assertTrue(e.getCause() instanceof StoreException, e::toString);
                    refused = true;
                }
            }
            assertFalse(taken.contains("node-a"));
            ill.set(false);
        }
        assertTrue(taken.contains("node-a"), taken::toString);
    }

    @Test
    @DisplayName("a batch that was promised and that the store alone never takes is set aside and holds up nobody")
    void setAside() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Store store = store(snapshot -> {
            if (snapshot.node().equals("node-bad")) {
                begun.countDown();
                goOn.await();
                throw new IllegalStateException("our bug");
            }
        });
        try (GroupCommit commits = commits(store)) {
            CompletableFuture<Stored> bad = submit(commits, "node-bad", 1);
            begun.await();
            assertEquals(new Stored(1, 0), bad.get());
            goOn.countDown();
            assertEquals(new Stored(1, 0), submit(commits, "node-a", 1).get());
        }
        assertEquals(List.of("node-a"), taken);
        assertEquals(1, meters.counter("fairwatch.ingest.batches.aside").count());
        assertEquals(0, meters.get("fairwatch.ingest.queue").gauge().value());
        try (Stream<Path> files = Files.list(directory)) {
            List<Path> aside =
                    files.filter(path -> path.toString().endsWith(".ndjson.gz")).toList();
            assertEquals(1, aside.size());
            assertEquals(
                    "node-bad",
                    CODEC.unpack(Files.readAllBytes(aside.get(0)), 1 << 20)
                            .get(0)
                            .node());
        }
        commits(store(snapshot -> {})).close();
        assertEquals(List.of("node-a"), taken, "it does not come again");
    }

    @Test
    @DisplayName("what lies in the journal and is no batch is set aside, and what follows is taken")
    void unreadable() throws Exception {
        NodeSnapshot good = Given.snapshot("node-a", 1, Given.at(30), Given.gpu("GPU-a", 0.5, 0));
        try (Journal journal = Journal.open(directory)) {
            journal.keep(List.of("no batch".getBytes(StandardCharsets.UTF_8), CODEC.pack(good)));
        }
        commits(store(snapshot -> {})).close();
        assertEquals(List.of("node-a"), taken);
        assertEquals(1, meters.counter("fairwatch.ingest.batches.aside").count());
    }

    @Test
    @DisplayName("a journal that cannot be read is written over by nobody, and whoever sends is refused with a reason")
    void broken() throws Exception {
        byte[] before = CODEC.pack(snapshot("node-a", 1));
        try (Journal journal = Journal.open(directory)) {
            journal.keep(List.of(before));
        }
        Journal closed = Journal.open(directory);
        closed.close(); // as if the disk gave nothing any more
        try (GroupCommit commits = new GroupCommit(store(snapshot -> {}), closed, IMPATIENT, meters)) {
            ExecutionException refused = assertThrows(
                    ExecutionException.class, () -> submit(commits, "node-b", 1).get());
            assertTrue(refused.getCause() instanceof StoreException, refused::toString);
            assertTrue(commits.trouble().orElseThrow().contains("cannot be read"), commits.trouble()::toString);
        }
        assertEquals(List.of(), taken);
        commits(store(snapshot -> {})).close();
        assertEquals(List.of("node-a"), taken);
    }

    @Test
    @DisplayName(
            "more than is in memory at one time comes back from the journal at the store's pace; others wait their turn")
    void much() throws Exception {
        int count = 300;
        List<byte[]> packed = new ArrayList<>();
        for (int sequence = 1; sequence <= count; sequence++) {
            packed.add(CODEC.pack(large(sequence)));
        }
        long bytes = packed.stream().mapToLong(one -> one.length).sum();
        assertTrue(bytes > 5 << 20, "it is too little to show anything: " + bytes);
        try (Journal journal = Journal.open(directory)) {
            journal.keep(packed);
        }
        CountDownLatch goOn = new CountDownLatch(1);
        try (GroupCommit commits = commits(store(snapshot -> goOn.await()))) {
            ExecutionException refused = assertThrows(
                    ExecutionException.class, () -> submit(commits, "node-b", 1).get());
            assertTrue(String.valueOf(refused.getMessage()).contains("comes first"), refused::toString);
            double waits = meters.get("fairwatch.ingest.queue").gauge().value();
            assertTrue(waits < (4 << 20) + (1 << 16), () -> waits + " of " + bytes);
            goOn.countDown();
        }
        assertEquals(count, Collections.frequency(taken, "node-a"));
    }

    /** One whose packed form is large: numbers that have nothing in common. */
    private static NodeSnapshot large(long sequence) {
        return Given.snapshot(
                "node-a",
                sequence,
                Given.at(30.0 * sequence),
                Given.gpu(
                        "GPU-a",
                        0.5,
                        0,
                        LongStream.range(1, 2000)
                                .mapToObj(pid -> Given.process((int) pid, sequence * 7919 + pid * 104_729L))
                                .toArray(GpuProcess[]::new)));
    }

    @Test
    @DisplayName("a store that falls ill between one batch and the next costs none of them")
    void illBetween() throws Exception {
        AtomicBoolean ill = new AtomicBoolean();
        AtomicBoolean healed = new AtomicBoolean();
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch together = new CountDownLatch(1);
        Store store = (Store) Proxy.newProxyInstance(
                Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                    List<?> batches = (List<?>) arguments[0];
                    begun.countDown();
                    together.await();
                    if (!healed.get() && (ill.get() || batches.size() > 1)) {
                        throw new StoreException("store: the disk is full");
                    }
                    ill.set(!healed.get()); // takes one, and no more
                    List<Integer> stored = new ArrayList<>();
                    for (Object batch : batches) {
                        ((List<?>) batch).forEach(one -> taken.add(((NodeSnapshot) one).node()));
                        stored.add(((List<?>) batch).size());
                    }
                    return stored;
                });
        try (GroupCommit commits = commits(store)) {
            submit(commits, "node-first", 1).get();
            begun.await();
            submit(commits, "node-a", 1).get();
            submit(commits, "node-b", 1).get();
            together.countDown();
            while (meters.counter("fairwatch.ingest.commits.failed").count() < 4) {
                TimeUnit.MILLISECONDS.sleep(2);
            }
            healed.set(true);
        }
        assertEquals(
                List.of("node-a", "node-b", "node-first"),
                taken.stream().sorted().toList());
        assertEquals(0, meters.counter("fairwatch.ingest.batches.aside").count());
    }

    @Test
    @DisplayName("what can be set aside nowhere stays in the journal for the next start")
    void nowhere() throws Exception {
        for (int i = 0; i < 100; i++) {
            Files.createFile(directory.resolve("refused-" + i + ".ndjson.gz"));
        }
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Store store = store(snapshot -> {
            if (snapshot.node().equals("node-bad")) {
                begun.countDown();
                goOn.await();
                throw new StackOverflowError("our bug");
            }
        });
        try (GroupCommit commits = commits(store)) {
            CompletableFuture<Stored> bad = submit(commits, "node-bad", 1);
            begun.await();
            assertEquals(new Stored(1, 0), bad.get());
            goOn.countDown();
            assertEquals(new Stored(1, 0), submit(commits, "node-a", 1).get());
        }
        assertEquals(List.of("node-a"), taken);
        commits(store(snapshot -> {})).close(); // of a version without the bug
        assertTrue(taken.contains("node-bad"), taken::toString);
    }

    @Test
    @DisplayName("while the store is in trouble nothing is written that nobody is promised")
    void quiet() throws Exception {
        GroupCommit commits = commits(store(snapshot -> {
            throw new StoreException("store: the disk is full");
        }));
        try (commits) {
            for (int sequence = 1;
                    meters.counter("fairwatch.ingest.commits.failed").count() < 1;
                    sequence++) {
                CompletableFuture<Stored> first = submit(commits, "node-a", sequence);
                first.handle((stored, refused) -> true).get();
            }
            while (meters.counter("fairwatch.ingest.commits.failed").count() < 1) {
                TimeUnit.MILLISECONDS.sleep(2);
            }
            long before = Files.size(directory.resolve("journal-0")) + Files.size(directory.resolve("journal-1"));
            for (int sequence = 100; sequence < 110; sequence++) {
                CompletableFuture<Stored> other = submit(commits, "node-b", sequence);
                assertThrows(ExecutionException.class, other::get);
            }
            assertTrue(
                    Files.size(directory.resolve("journal-0")) + Files.size(directory.resolve("journal-1")) <= before);
        }
    }
}
