package io.fairwatch.collector.ingest;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Commits batches in groups: what has come within a moment, or much at once, goes into one transaction. Thread-safe; one
 * thread of its own talks to the store. Batches wait in a queue that is bounded by their size as they came.
 *
 * <p>When a group fails, its batches are tried one by one, so that one that the store will never take does not keep the
 * others out; when none of the first few succeeds, the store itself is taken to be in trouble and the rest is refused.
 */
public final class GroupCommit implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(GroupCommit.class);
    private static final int TRIES_ALONE = 3;

    /**
     * How much waits, and how long. Immutable.
     *
     * @param commitEvery how long the first batch of a group waits for others
     * @param groupSnapshots how many snapshots make a group that waits no longer
     * @param queueBytes how many packed bytes may wait
     */
    public record Settings(Duration commitEvery, int groupSnapshots, long queueBytes) {
        public static final Settings DEFAULTS = new Settings(Duration.ofMillis(250), 2_000, 24L << 20);

        public Settings {
            if (commitEvery.isNegative()) {
                throw new IllegalArgumentException("commitEvery: " + commitEvery + " (expected: zero or more)");
            }
            if (groupSnapshots < 1) {
                throw new IllegalArgumentException("groupSnapshots: " + groupSnapshots + " (expected: 1 or more)");
            }
            if (queueBytes < 1) {
                throw new IllegalArgumentException("queueBytes: " + queueBytes + " (expected: 1 or more)");
            }
        }
    }

    /**
     * What became of a batch that was committed. Immutable.
     *
     * @param stored snapshots that were new
     * @param duplicates snapshots that were there already
     */
    public record Stored(int stored, int duplicates) {}

    private record Waiting(List<NodeSnapshot> batch, long bytes, CompletableFuture<Stored> done) {
        /** Wakes the committer so that it sees that it shall end. */
        static final Waiting END = new Waiting(List.of(), 0, new CompletableFuture<>());
    }

    private final Store store;
    private final Settings settings;
    private final Consumer<List<NodeSnapshot>> committed;
    private final BlockingQueue<Waiting> queue = new LinkedBlockingQueue<>();
    private final AtomicLong queuedBytes = new AtomicLong();
    private final Counter storedSnapshots;
    private final Counter duplicateSnapshots;
    private final Counter failedCommits;
    private final Timer commits;
    private final Thread committer;
    /** Guarded by {@code queue}. */
    private boolean closed;

    /** Begins to commit at once. */
    public GroupCommit(Store store, Settings settings, MeterRegistry meters) {
        this(store, settings, meters, batch -> {});
    }

    /**
     * Begins to commit at once.
     *
     * @param committed told of each batch once it is committed, by the committing thread; what was there already included
     */
    public GroupCommit(Store store, Settings settings, MeterRegistry meters, Consumer<List<NodeSnapshot>> committed) {
        this.store = store;
        this.settings = settings;
        this.committed = committed;
        this.storedSnapshots = snapshots(meters, "stored");
        this.duplicateSnapshots = snapshots(meters, "duplicate");
        this.failedCommits = Counter.builder("fairwatch.ingest.commits.failed")
                .description("Group commits that the store refused")
                .register(meters);
        this.commits = Timer.builder("fairwatch.ingest.commit")
                .description("Time of one group commit")
                .register(meters);
        Gauge.builder("fairwatch.ingest.queue", queuedBytes, AtomicLong::doubleValue)
                .description("Packed size of the batches that wait for their commit")
                .baseUnit("bytes")
                .register(meters);
        this.committer = new Thread(this::commitUntilClosed, "ingest-commit");
        committer.setDaemon(true);
        committer.start();
    }

    private static Counter snapshots(MeterRegistry meters, String outcome) {
        return Counter.builder("fairwatch.ingest.snapshots")
                .description("Snapshots of committed batches")
                .tag("outcome", outcome)
                .register(meters);
    }

    /**
     * Queues a batch. Never blocks.
     *
     * @param bytes its packed size
     * @return done once it is committed, or failed by a {@link StoreException}; empty: the queue is full or closed
     */
    public Optional<CompletableFuture<Stored>> submit(List<NodeSnapshot> batch, long bytes) {
        if (queuedBytes.addAndGet(bytes) > settings.queueBytes()) {
            queuedBytes.addAndGet(-bytes);
            return Optional.empty();
        }
        Waiting waiting = new Waiting(batch, bytes, new CompletableFuture<>());
        synchronized (queue) {
            if (closed) {
                queuedBytes.addAndGet(-bytes);
                return Optional.empty();
            }
            queue.add(waiting);
        }
        return Optional.of(waiting.done());
    }

    private void commitUntilClosed() {
        boolean going = true;
        while (going) {
            List<Waiting> group = new ArrayList<>();
            try {
                going = collect(group);
                if (!group.isEmpty()) {
                    commit(group);
                }
            } catch (InterruptedException expected) {
                LOG.debug("interrupted, which only close may do", expected); // so it goes on
            } catch (Throwable e) { // an Error: this thread must outlive it, or nobody is answered any more
                LOG.error("commits failed batches={}", group.size(), e);
                fail(
                        group.stream()
                                .filter(waiting -> !waiting.done().isDone())
                                .toList(),
                        new StoreException("store: " + e, e));
            }
        }
    }

    /** Waits for a group; false when it is the last one. */
    private boolean collect(List<Waiting> group) throws InterruptedException {
        Waiting first = queue.take();
        long deadline = System.nanoTime() + settings.commitEvery().toNanos();
        int snapshots = 0;
        for (Waiting next = first;
                next != null;
                next = snapshots >= settings.groupSnapshots()
                        ? null
                        : queue.poll(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS)) {
            if (next.equals(Waiting.END)) {
                return false;
            }
            group.add(next);
            snapshots += next.batch().size();
        }
        return true;
    }

    private void commit(List<Waiting> group) {
        if (tryCommit(group, group.size() == 1)) {
            return;
        }
        if (group.size() > 1) {
            int succeeded = 0;
            for (int i = 0; i < group.size(); i++) {
                if (i >= TRIES_ALONE && succeeded == 0) {
                    fail(group.subList(i, group.size()), new StoreException("store: failed for the whole group"));
                    return;
                }
                succeeded += tryCommit(group.subList(i, i + 1), true) ? 1 : 0;
            }
        }
    }

    /** Commits a group; on failure tells the batches of it if that is final. */
    private boolean tryCommit(List<Waiting> group, boolean isFinal) {
        try {
            List<List<NodeSnapshot>> batches =
                    group.stream().map(Waiting::batch).toList();
            Timer.Sample sample = Timer.start();
            List<Integer> stored = store.appendAll(batches);
            sample.stop(commits);
            for (int i = 0; i < group.size(); i++) {
                Waiting waiting = group.get(i);
                Stored outcome = new Stored(stored.get(i), waiting.batch().size() - stored.get(i));
                storedSnapshots.increment(outcome.stored());
                duplicateSnapshots.increment(outcome.duplicates());
                queuedBytes.addAndGet(-waiting.bytes());
                waiting.done().complete(outcome);
            }
            tell(batches);
            return true;
        } catch (StoreException | RuntimeException e) {
            failedCommits.increment();
            LOG.warn("group not committed batches={}", group.size(), e);
            if (isFinal) {
                fail(group, e);
            }
            return false;
        }
    }

    /** What is committed stays so, whatever becomes of those who are told. */
    private void tell(List<List<NodeSnapshot>> batches) {
        try {
            batches.forEach(committed);
        } catch (RuntimeException e) {
            LOG.error("what was committed could not be told on batches={}", batches.size(), e);
        }
    }

    private void fail(List<Waiting> group, Exception cause) {
        for (Waiting waiting : group) {
            queuedBytes.addAndGet(-waiting.bytes());
            waiting.done().completeExceptionally(cause);
        }
    }

    /** Commits what waits, and takes no more. Does not close the store. */
    @Override
    public void close() {
        synchronized (queue) {
            if (closed) {
                return;
            }
            closed = true;
            queue.add(Waiting.END); // nothing comes after it
        }
        boolean interrupted = false;
        while (committer.isAlive()) {
            try {
                committer.join();
            } catch (InterruptedException e) {
                interrupted = true; // what was taken shall be committed first
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
