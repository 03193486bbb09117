package io.fairwatch.collector;

import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Repeats something that blocks, on a worker thread of its own, never twice at a time: the next round begins a period
 * after the last one began, or failed, or at once when that took longer; or some while later, where a cluster too large
 * for the period shall cost others no more than its share. What a round throws is logged, and the next one comes.
 */
final class Every {
    private static final Logger LOG = LoggerFactory.getLogger(Every.class);

    private static final long LONGEST_REST = Duration.ofMinutes(5).toMillis();

    private final Vertx vertx;
    private final WorkerExecutor worker;
    private final String name;
    private final Duration period;
    private final int share;
    private final Work work;
    private volatile boolean stopped;
    private volatile Optional<String> failure = Optional.empty();

    /** What is repeated. */
    @FunctionalInterface
    interface Round {
        void run() throws Exception;
    }

    /** A round that tells how much of its time was work that others had to do without; not what it waited for. */
    @FunctionalInterface
    interface Work {
        Duration run() throws Exception;
    }

    /** Rounds that may follow each other at once. */
    Every(Vertx vertx, String name, Duration period, Round round) {
        this(vertx, name, period, 1, () -> {
            round.run();
            return Duration.ZERO;
        });
    }

    /** @param share rounds work for at most one part in so many of the time, as far as {@link #LONGEST_REST} allows */
    Every(Vertx vertx, String name, Duration period, int share, Work work) {
        this.vertx = vertx;
        this.worker = vertx.createSharedWorkerExecutor(name, 1, 1, TimeUnit.HOURS);
        this.name = name;
        this.period = period;
        this.share = share;
        this.work = work;
    }

    /** Begins the first round now. */
    void start() {
        if (stopped) {
            return;
        }
        long began = System.nanoTime();
        worker.executeBlocking(work::run).onComplete(done -> {
            failure = done.failed() ? Optional.of(String.valueOf(done.cause().getMessage())) : Optional.empty();
            long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
            long rest = done.failed()
                    ? period.toMillis() // however long it took to fail: at once it would only fail again
                    : Math.max(
                            Math.max(1, period.toMillis() - took),
                            Math.min((share - 1) * done.result().toMillis(), LONGEST_REST));
            if (done.failed() && !stopped) {
                LOG.error(
                        "a round of {} failed; the next one comes in {}", name, Duration.ofMillis(rest), done.cause());
            }
            vertx.setTimer(rest, timer -> start());
        });
    }

    /** Why the newest round failed; empty if it did not. */
    Optional<String> failure() {
        return failure;
    }

    /** No further round begins; one that runs is interrupted when its worker is closed. */
    void stop() {
        stopped = true;
    }
}
