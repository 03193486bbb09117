package io.fairwatch.collector.ingest;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.agent.wire.WireCodec.WireException;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.io.IOException;
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
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes batches for good. Each is kept in the {@link Journal}, then put into the store in groups: what has come within a
 * moment, or much at once, in one transaction. Whoever sent it is answered when the store has it, or after
 * {@link Settings#patience} because the journal has it: so an answer waits neither for the store to fold its log into its
 * file, which takes seconds in a large one, nor for groups large enough to be cheap. Thread-safe; two threads of its own
 * write the journal and talk to the store. Batches wait in queues that are bounded together by their size as they came.
 *
 * <p>When a group fails, its batches are tried one by one, so that one that the store will never take does not keep the
 * others out; when none of the first few succeeds, the store itself is taken to be in trouble. Then batches are answered
 * by what the store says alone, and those that were answered by the journal are tried until it takes them.
 */
public final class GroupCommit implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(GroupCommit.class);
    private static final int TRIES_ALONE = 3;
    private static final Duration TRY_AGAIN = Duration.ofSeconds(1);

    /** How long the first batch of a write of the journal waits for others: an {@code fsync} for each would be too many. */
    private static final Duration KEEP_EVERY = Duration.ofMillis(50);

    /** Packed bytes of what an earlier process left that are in memory at one time. */
    private static final long RECALL_BYTES = 4 << 20;

    /** Loading a group may take this part of the time, so that under load groups grow and each snapshot costs less. */
    private static final int PART = 10;

    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(2);

    /** More batches than this that the store alone will not take are not set aside. */
    private static final int MOST_SET_ASIDE = 100;

    /**
     * How much waits, and how long. Immutable.
     *
     * @param commitEvery how long the first batch of a group waits for others; longer where groups take long
     * @param groupSnapshots how many snapshots make a group that waits no longer
     * @param queueBytes how many packed bytes may wait
     * @param patience how long an answer waits for the store once the journal has the batch
     * @param promisedBytes packed bytes that may wait while answers come from the journal; with more, senders wait for the
     *     store, so that they come no faster than it takes. Unpacked it is up to thirty times as much
     */
    public record Settings(
            Duration commitEvery, int groupSnapshots, long queueBytes, Duration patience, long promisedBytes) {
        public static final Settings DEFAULTS = new Settings(
                Duration.ofMillis(100),
                2_000,
                24L << 20,
                Duration.ofMillis(250),
                Runtime.getRuntime().maxMemory() / 128);

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
            if (patience.isNegative()) {
                throw new IllegalArgumentException("patience: " + patience + " (expected: zero or more)");
            }
            if (promisedBytes < 0) {
                throw new IllegalArgumentException("promisedBytes: " + promisedBytes + " (expected: zero or more)");
            }
        }
    }

    /**
     * What became of a batch that is durable. Immutable.
     *
     * @param stored snapshots that were new; all of them when the store has not said yet
     * @param duplicates snapshots that were there already, as far as it has said
     */
    public record Stored(int stored, int duplicates) {}

    /** A batch on its way. What it became is known to {@code done}; the rest is confined to the thread that has it. */
    private static final class Waiting {
        /** Tells a thread that nothing comes after it. */
        static final Waiting END = new Waiting(List.of(), new byte[0]);

        final List<NodeSnapshot> batch;
        final byte[] packed;
        final CompletableFuture<Stored> done = new CompletableFuture<>();
        /** Which file of the journal has it; negative: none. */
        int file = -1;
        /** Whether the journal may forget it. */
        boolean settled;

        Waiting(List<NodeSnapshot> batch, byte[] packed) {
            this.batch = batch;
            this.packed = packed;
        }
    }

    private final Store store;
    private final Journal journal;
    private final Settings settings;
    private final Consumer<List<NodeSnapshot>> committed;
    private final WireCodec codec = new WireCodec();
    private final BlockingQueue<Waiting> incoming = new LinkedBlockingQueue<>();
    private final BlockingQueue<Waiting> kept = new LinkedBlockingQueue<>();
    private final AtomicLong queuedBytes = new AtomicLong();
    private final Counter storedSnapshots;
    private final Counter duplicateSnapshots;
    private final Counter failedCommits;
    private final Counter asideBatches;
    private final Timer journals;
    private final Timer commits;
    private final Thread keeper;
    private final Thread committer;
    /** Whether the store took nothing of the newest group. */
    private volatile boolean troubled;
    /** Why nothing is taken; absent when it is. */
    private volatile @Nullable String unread;

    /** Written while {@code incoming} is held. */
    private volatile boolean closed;

    /**
     * Begins with what an earlier process left in the journal.
     *
     * @param journal closed together with this
     */
    public GroupCommit(Store store, Journal journal, Settings settings, MeterRegistry meters) {
        this(store, journal, settings, meters, batch -> {});
    }

    /**
     * Begins with what an earlier process left in the journal.
     *
     * @param journal closed together with this
     * @param committed told of each batch once it is committed, by the committing thread; what was there already included
     */
    public GroupCommit(
            Store store,
            Journal journal,
            Settings settings,
            MeterRegistry meters,
            Consumer<List<NodeSnapshot>> committed) {
        this.store = store;
        this.journal = journal;
        this.settings = settings;
        this.committed = committed;
        this.storedSnapshots = snapshots(meters, "stored");
        this.duplicateSnapshots = snapshots(meters, "duplicate");
        this.failedCommits = Counter.builder("fairwatch.ingest.commits.failed")
                .description("Group commits that the store or the journal refused")
                .register(meters);
        this.asideBatches = Counter.builder("fairwatch.ingest.batches.aside")
                .description("Acknowledged batches that the store alone did not take, set aside as files")
                .register(meters);
        this.journals = Timer.builder("fairwatch.ingest.journal")
                .description("Time of one write of the journal")
                .register(meters);
        this.commits = Timer.builder("fairwatch.ingest.commit")
                .description("Time of one group commit")
                .register(meters);
        Gauge.builder("fairwatch.ingest.queue", queuedBytes, AtomicLong::doubleValue)
                .description("Packed size of the batches that wait for their commit")
                .baseUnit("bytes")
                .register(meters);
        this.keeper = thread(this::keepUntilClosed, "ingest-journal");
        this.committer = thread(this::commitUntilClosed, "ingest-commit");
    }

    private static Thread thread(Runnable work, String name) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
        return thread;
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
     * @param packed the batch as it came
     * @return done once it is durable, or failed by a {@link StoreException}; empty: the queue is full or closed. When the
     *     journal has it and the store has not said yet, all of it counts as new
     */
    public Optional<CompletableFuture<Stored>> submit(List<NodeSnapshot> batch, byte[] packed) {
        if (queuedBytes.addAndGet(packed.length) > settings.queueBytes()) {
            queuedBytes.addAndGet(-packed.length);
            return Optional.empty();
        }
        Waiting waiting = new Waiting(batch, packed);
        synchronized (incoming) {
            if (closed) {
                queuedBytes.addAndGet(-packed.length);
                return Optional.empty();
            }
            incoming.add(waiting);
        }
        return Optional.of(waiting.done);
    }

    /** Why snapshots are not taken whatever the store says, a sentence; empty when they are. */
    public Optional<String> trouble() {
        return Optional.ofNullable(unread);
    }

    // ---- the journal's thread

    private void keepUntilClosed() {
        Optional<Throwable> failure = recall();
        boolean going = true;
        while (going) {
            List<Waiting> group = new ArrayList<>();
            try {
                going = collect(incoming, Optional.empty(), KEEP_EVERY, group);
                if (failure.isPresent()) { // it would be written over what was not read
                    refuse(group, failure.get());
                } else if (!group.isEmpty()) {
                    keep(group);
                }
            } catch (InterruptedException expected) {
                LOG.debug("interrupted, which only close may do", expected); // so it goes on
            } catch (Throwable e) { // an Error: this thread must outlive it, or nobody is answered any more
                LOG.error("the journal fails batches={}", group.size(), e);
                refuse(group, e);
            }
        }
        kept.add(Waiting.END);
    }

    /** Into the journal, unless answers come from the store anyway: nothing would be won by it, and a full disk be fuller. */
    private void keep(List<Waiting> group) {
        if (!troubled && queuedBytes.get() <= settings.promisedBytes()) {
            Timer.Sample sample = Timer.start();
            try {
                int file = journal.keep(
                        group.stream().map(waiting -> waiting.packed).toList());
                group.forEach(waiting -> waiting.file = file);
            } catch (IOException e) {
                failedCommits.increment();
                LOG.warn("journal not written batches={}", group.size(), e);
                refuse(group, e);
                return;
            }
            sample.stop(journals);
            for (Waiting waiting : group) {
                Stored durable = new Stored(waiting.batch.size(), 0);
                waiting.done.completeOnTimeout(durable, settings.patience().toNanos(), TimeUnit.NANOSECONDS);
            }
        }
        kept.addAll(group);
    }

    /** What the journal does not have. */
    private void refuse(List<Waiting> group, Throwable cause) {
        for (Waiting waiting : group) {
            queuedBytes.addAndGet(-waiting.packed.length);
            waiting.done.completeExceptionally(new StoreException("journal: " + cause, cause));
        }
    }

    /**
     * Hands on what an earlier process left, no faster than the store takes it; others are refused meanwhile if that takes
     * long. Says why not, if that fails.
     */
    private Optional<Throwable> recall() {
        try {
            journal.replay((packed, file) -> {
                while (queuedBytes.get() > RECALL_BYTES) {
                    if (closed && troubled) {
                        throw new InterruptedException("the collector ends");
                    }
                    List<Waiting> others = new ArrayList<>();
                    incoming.removeIf(waiting -> waiting != Waiting.END && others.add(waiting));
                    refuse(others, new IOException("what an earlier process took comes first"));
                    TimeUnit.MILLISECONDS.sleep(20);
                }
                recall(packed, file);
            });
            return Optional.empty();
        } catch (InterruptedException e) {
            LOG.warn("what an earlier process took stays in the journal, because the collector ends", e);
            return Optional.of(e);
        } catch (Throwable e) { // an Error, too: whoever sends must be refused rather than not answered
            LOG.error("what an earlier process took cannot be read; no snapshot is taken", e);
            unread = "The journal of snapshots cannot be read, so none is taken: " + e
                    + "; what it holds is not in the store yet. Start the collector again, or move journal-0 and"
                    + " journal-1 away from store.directory.";
            return Optional.of(e);
        }
    }

    private void recall(byte[] packed, int file) {
        Waiting left;
        try {
            left = new Waiting(codec.unpack(packed, Long.MAX_VALUE), packed); // bounded when it was taken
        } catch (WireException | RuntimeException e) {
            LOG.error("a batch that was acknowledged cannot be read", e);
            if (setAside(packed)) {
                journal.stored(file, 1);
            }
            return;
        }
        left.file = file;
        left.done.complete(new Stored(left.batch.size(), 0));
        queuedBytes.addAndGet(packed.length);
        kept.add(left);
    }

    // ---- the store's thread

    private void commitUntilClosed() {
        boolean going = true;
        Duration pause = settings.commitEvery();
        List<Waiting> again = new ArrayList<>();
        while (going) {
            List<Waiting> group = new ArrayList<>();
            try {
                going = collect(kept, again.isEmpty() ? Optional.empty() : Optional.of(TRY_AGAIN), pause, group);
                group.addAll(again); // behind the others: should they be at fault, it shows that the store is not
                if (!group.isEmpty()) {
                    long began = System.nanoTime();
                    again = commit(group);
                    pause = pause(Duration.ofNanos(System.nanoTime() - began));
                }
            } catch (InterruptedException expected) {
                LOG.debug("interrupted, which only close may do", expected); // so it goes on
            } catch (Throwable e) { // an Error: this thread must outlive it, or nobody is answered any more
                LOG.error("commits failed batches={}", group.size(), e);
                again.stream().filter(waiting -> !group.contains(waiting)).forEach(group::add);
                again = promised(group, new StoreException("store: " + e, e));
                troubled = true;
            }
        }
        if (!again.isEmpty()) {
            LOG.warn(
                    "the store did not take everything; the journal keeps it for the next start batches={}",
                    again.size());
        }
    }

    private Duration pause(Duration took) {
        Duration pause = took.multipliedBy(PART - 1);
        pause = pause.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause;
        return pause.compareTo(settings.commitEvery()) < 0 ? settings.commitEvery() : pause;
    }

    /**
     * Waits for a group; false when it is the last one.
     *
     * @param most how long the first is waited for; absent: until it comes
     */
    private boolean collect(BlockingQueue<Waiting> queue, Optional<Duration> most, Duration pause, List<Waiting> group)
            throws InterruptedException {
        Waiting first = most.isPresent() ? queue.poll(most.get().toNanos(), TimeUnit.NANOSECONDS) : queue.take();
        long deadline = System.nanoTime() + pause.toNanos();
        int snapshots = 0;
        for (Waiting next = first;
                next != null;
                next = snapshots >= settings.groupSnapshots()
                        ? null
                        : queue.poll(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS)) {
            if (next == Waiting.END) {
                return false;
            }
            group.add(next);
            snapshots += next.batch.size();
        }
        return true;
    }

    /** Gives what is promised and must be tried again. */
    private List<Waiting> commit(List<Waiting> group) {
        Optional<Exception> failure = tryCommit(group);
        if (failure.isEmpty()) {
            troubled = false;
            return new ArrayList<>();
        }
        List<Waiting> failed = new ArrayList<>();
        int succeeded = 0;
        for (int i = 0; i < group.size(); i++) {
            boolean alone = group.size() > 1 && (i < TRIES_ALONE || succeeded > 0);
            Optional<Exception> why = alone ? tryCommit(group.subList(i, i + 1)) : failure;
            if (why.isPresent()) {
                failed.add(group.get(i));
                failure = why;
            } else {
                succeeded++;
            }
        }
        troubled = succeeded == 0;
        List<Waiting> again = promised(failed, failure.get());
        if (!troubled) {
            again.removeIf(this::isOver);
        }
        return again;
    }

    /** A batch that failed where others did not: whether it needs no further try, because it is in, or is never taken. */
    private boolean isOver(Waiting waiting) {
        if (tryCommit(List.of(waiting)).isEmpty()) {
            return true;
        }
        try {
            store.appendAll(List.of()); // the store itself may have fallen ill between the others and this one
        } catch (StoreException | RuntimeException e) {
            LOG.debug("the store is in trouble itself", e); // it was logged for the batch
            troubled = true;
            return false;
        }
        NodeSnapshot first = waiting.batch.get(0);
        LOG.error(
                "a batch that was acknowledged is not taken by the store node={} sequence={}",
                first.node(),
                first.sequence());
        if (!setAside(waiting.packed)) {
            waiting.file = -1; // its file keeps it for the next start
        }
        settle(waiting);
        return true;
    }

    /** Commits a group, or says why not. */
    private Optional<Exception> tryCommit(List<Waiting> group) {
        try {
            List<List<NodeSnapshot>> batches =
                    group.stream().map(waiting -> waiting.batch).toList();
            Timer.Sample sample = Timer.start();
            List<Integer> stored = store.appendAll(batches);
            sample.stop(commits);
            for (int i = 0; i < group.size(); i++) {
                Waiting waiting = group.get(i);
                Stored outcome = new Stored(stored.get(i), waiting.batch.size() - stored.get(i));
                storedSnapshots.increment(outcome.stored());
                duplicateSnapshots.increment(outcome.duplicates());
                settle(waiting);
                waiting.done.complete(outcome);
            }
            tell(batches);
            return Optional.empty();
        } catch (Throwable e) { // an Error, too: one batch of which the database makes one shall not hold up the others
            failedCommits.increment();
            LOG.warn("group not committed batches={}", group.size(), e);
            return Optional.of(e instanceof Exception expected ? expected : new StoreException("store: " + e, e));
        }
    }

    /** Fails those that were not answered yet, and gives the others that the store does not have. */
    private List<Waiting> promised(List<Waiting> group, Exception cause) {
        List<Waiting> promised = new ArrayList<>();
        for (Waiting waiting : group) {
            if (waiting.settled) {
                continue;
            }
            if (waiting.done.completeExceptionally(cause) || waiting.done.isCompletedExceptionally()) {
                settle(waiting);
            } else {
                promised.add(waiting);
            }
        }
        return promised;
    }

    private void settle(Waiting waiting) {
        if (!waiting.settled) {
            waiting.settled = true;
            queuedBytes.addAndGet(-waiting.packed.length);
            if (waiting.file >= 0) {
                journal.stored(waiting.file, 1);
            }
        }
    }

    /** What was acknowledged and can be taken no more is kept for people to look at: it is our bug. False: it could not be. */
    private boolean setAside(byte[] packed) {
        try {
            LOG.error("it is set aside path={}", journal.setAside(packed, MOST_SET_ASIDE));
            asideBatches.increment();
            return true;
        } catch (IOException e) {
            LOG.error("it cannot be set aside and stays in the journal", e);
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

    /** Commits what waits, takes no more, and closes the journal. Does not close the store. */
    @Override
    public void close() {
        synchronized (incoming) {
            if (closed) {
                return;
            }
            closed = true;
            incoming.add(Waiting.END); // nothing comes after it
        }
        boolean interrupted = false;
        for (Thread thread : List.of(keeper, committer)) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true; // what was taken shall be committed first
                }
            }
        }
        try {
            journal.close();
        } catch (IOException e) {
            LOG.warn("the journal could not be closed", e);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
