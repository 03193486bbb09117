package io.fairwatch.agent.spool;

import io.fairwatch.agent.spool.Connection.Reply;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.agent.wire.WireCodec.WireException;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends the spool to the collector, oldest first, one batch at a time. Confined to one event loop, except its counter;
 * disk work goes to a worker that is the spool's alone.
 */
public final class Shipper {
    /**
     * How much and how often.
     *
     * @param batchBytes a batch is no larger, unless a single snapshot is
     * @param firstRetry the wait after the first failure is a random one up to this; it doubles with each
     * @param lastRetry the longest that it becomes
     */
    public record Settings(long batchBytes, Duration firstRetry, Duration lastRetry) {}

    /** What the collector's answer means for a batch. */
    private enum Answer {
        STORED,
        TOO_LARGE,
        REFUSED,
        LATER
    }

    private static final Logger log = LoggerFactory.getLogger(Shipper.class);
    private static final int MOST_IN_A_BATCH = 1000;
    /** However long the collector, or a proxy in its place, wants to be left alone. */
    private static final Duration LONGEST_RETRY_AFTER = Duration.ofMinutes(10);

    private final Vertx vertx;
    private final WorkerExecutor disk;
    private final Spool spool;
    private final Settings settings;
    private final RandomGenerator random;
    private final Connection connection;
    private final Consumer<List<HeldGpu>> allocations;
    private final WireCodec codec = new WireCodec();
    private final AtomicLong shipped = new AtomicLong();
    private boolean busy;
    private boolean stopping;
    private int failures;
    private int most = MOST_IN_A_BATCH;
    /** What was last said about a failure; null while all is well. */
    private @Nullable String trouble;

    private Duration retryAfter = Duration.ZERO;
    private @Nullable Long retryTimer;
    private @Nullable Promise<Void> drained;

    /**
     * @param disk where the spool is asked
     * @param allocations told which job holds which GPU of this node, after each batch that the collector took; never
     *     called unless the connection asks for it
     */
    public Shipper(
            Vertx vertx,
            WorkerExecutor disk,
            Spool spool,
            Connection connection,
            Settings settings,
            RandomGenerator random,
            Consumer<List<HeldGpu>> allocations) {
        this.vertx = vertx;
        this.disk = disk;
        this.spool = spool;
        this.connection = connection;
        this.settings = settings;
        this.random = random;
        this.allocations = allocations;
    }

    /** How many snapshots the collector acknowledged since the start. Thread-safe. */
    public long shipped() {
        return shipped.get();
    }

    /** Says that something waits. While the collector does not answer, the next try comes when it is due. */
    public void wake() {
        if (!busy && retryTimer == null) {
            ship();
        }
    }

    /** Ships what it can within the time, then no more. Never fails. */
    public Future<Void> drain(Duration within) {
        Promise<Void> done = Promise.promise();
        stopping = true;
        drained = done;
        if (retryTimer != null) {
            vertx.cancelTimer(retryTimer);
            retryTimer = null;
        }
        vertx.setTimer(Math.max(1, within.toMillis()), timer -> done.tryComplete());
        if (!busy) {
            ship();
        }
        return done.future();
    }

    private void ship() {
        busy = true;
        int atMost = most;
        disk.executeBlocking(() -> spool.oldest(settings.batchBytes(), atMost)).onComplete(read -> {
            if (read.failed()) {
                later("disk", "spool cannot be read: " + read.cause());
            } else if (read.result().isEmpty()) {
                idle();
            } else {
                Spool.Batch batch = read.result().get();
                connection.send(batch.bytes()).onComplete(sent -> {
                    if (sent.failed()) {
                        String why = Connection.sentence(sent.cause());
                        later(why, why);
                    } else {
                        act(batch, sent.result());
                    }
                });
            }
        });
    }

    private static Answer meaning(int status) {
        return switch (status) {
            case 200 -> Answer.STORED;
            case 413 -> Answer.TOO_LARGE;
            case 401, 403, 404, 405, 407, 408, 429 -> Answer.LATER;
            default -> status >= 400 && status < 500 ? Answer.REFUSED : Answer.LATER;
        };
    }

    private void act(Spool.Batch batch, Reply reply) {
        Answer answer = meaning(reply.status());
        switch (answer) {
            case STORED -> {
                answered();
                tell(reply);
                settle(() -> spool.acknowledge(batch.last()), () -> {
                    shipped.addAndGet(batch.size());
                    most = Math.min(MOST_IN_A_BATCH, most * 2);
                });
            }
            case TOO_LARGE, REFUSED -> {
                answered();
                if (batch.size() > 1) {
                    if (most == MOST_IN_A_BATCH) {
                        log.warn(
                                "collector refuses a batch, smaller ones are tried first={} last={} status={}"
                                        + " reason=\"{}\"",
                                batch.first(),
                                batch.last(),
                                reply.status(),
                                reply.sentence());
                    }
                    most = batch.size() / 2;
                    ship();
                } else {
                    log.error(
                            "collector refuses a snapshot, it is set aside sequence={} status={} reason=\"{}\"",
                            batch.last(),
                            reply.status(),
                            reply.sentence());
                    settle(() -> spool.reject(batch.last()), () -> most = Math.min(MOST_IN_A_BATCH, most * 2));
                }
            }
            case LATER -> {
                retryAfter = reply.retryAfter().orElse(Duration.ZERO);
                later("status " + reply.status(), "answers " + reply.status() + " " + reply.sentence());
            }
        }
    }

    /** An answer that cannot be read is no reason to send the batch again. */
    private void tell(Reply reply) {
        if (!connection.wantsAllocations()) {
            return;
        }
        try {
            codec.parseAnswer(reply.body()).allocations().ifPresent(allocations);
        } catch (WireException e) {
            log.debug("collector's answer cannot be read", e);
        }
    }

    private void settle(Runnable work, Runnable then) {
        disk.executeBlocking(() -> {
                    work.run();
                    return null;
                })
                .onComplete(done -> {
                    if (done.failed()) { // the batch is sent again; the collector knows it already
                        later("disk", "spool cannot be written: " + done.cause());
                    } else {
                        then.run();
                        ship();
                    }
                });
    }

    private void answered() {
        if (trouble != null) {
            log.info("collector answers again attempts={}", failures + 1);
        }
        trouble = null;
        failures = 0;
    }

    /**
     * Tries again after a while.
     *
     * @param kind is logged about when it changes: a 401 after an outage is another trouble
     */
    private void later(String kind, String why) {
        busy = false;
        if (!kind.equals(trouble)) {
            log.warn("cannot ship for now, snapshots are kept why=\"{}\"", why);
        }
        trouble = kind;
        if (stopping) {
            idle();
            return;
        }
        long wait = wait(failures++, retryAfter, settings, random);
        retryAfter = Duration.ZERO;
        retryTimer = vertx.setTimer(wait, timer -> {
            retryTimer = null;
            ship();
        });
    }

    /** Milliseconds until the next try: what the collector asked for, and a random time that grows with each failure. */
    static long wait(int failures, Duration retryAfter, Settings settings, RandomGenerator random) {
        long asked = Math.min(retryAfter.toMillis(), LONGEST_RETRY_AFTER.toMillis());
        long longest =
                Math.min(settings.lastRetry().toMillis(), settings.firstRetry().toMillis() << Math.min(failures, 20));
        return asked + 1 + random.nextLong(Math.max(1, longest));
    }

    private void idle() {
        busy = false;
        if (drained != null) {
            drained.tryComplete();
        }
    }
}
