package io.fairwatch.collector.web;

import io.fairwatch.collector.web.Route.Effort;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Threads that answer questions, so that no question holds up what agents send, and no long one holds up short ones. So
 * many may wait; one more is refused at once, and one that takes too long is given up: nobody hangs. Thread-safe.
 */
final class Questions {
    private final Vertx vertx;
    private final int mostWaiting;
    private final Map<Effort, Lane> lanes = new EnumMap<>(Effort.class);

    private record Lane(WorkerExecutor threads, AtomicInteger waiting) {}

    /** Too many questions wait. */
    static final class Busy extends Exception {
        Busy(int waiting) {
            super(waiting + " questions wait already; ask again in a few seconds", null, false, false);
        }
    }

    /** The answer took too long. */
    static final class Late extends Exception {
        Late(Effort effort) {
            super(
                    "no answer within " + effort.deadline.toSeconds()
                            + " s; ask for less (a shorter time, fewer items)",
                    null,
                    false,
                    false);
        }
    }

    /** @param mostWaiting how many may wait of each kind, those being answered included */
    Questions(Vertx vertx, int quickThreads, int longThreads, int mostWaiting) {
        this.vertx = vertx;
        this.mostWaiting = mostWaiting;
        lanes.put(
                Effort.QUICK,
                new Lane(vertx.createSharedWorkerExecutor("questions", quickThreads), new AtomicInteger()));
        lanes.put(
                Effort.LONG,
                new Lane(
                        vertx.createSharedWorkerExecutor("long-questions", longThreads, 1, TimeUnit.HOURS),
                        new AtomicInteger()));
    }

    /** How many wait or are being answered. */
    int waiting(Effort effort) {
        return lane(effort).waiting().get();
    }

    private Lane lane(Effort effort) {
        Lane lane = lanes.get(effort);
        if (lane == null) {
            throw new IllegalStateException("no lane for " + effort);
        }
        return lane;
    }

    <T> Future<T> ask(Effort effort, Callable<T> question) {
        Lane lane = lane(effort);
        int before = lane.waiting().getAndIncrement();
        if (before >= mostWaiting) {
            lane.waiting().decrementAndGet();
            return Future.failedFuture(new Busy(before));
        }
        Promise<T> promise = Promise.promise();
        long timer = vertx.setTimer(effort.deadline.toMillis(), late -> promise.tryFail(new Late(effort)));
        lane.threads()
                .executeBlocking(
                        () -> {
                            if (promise.future().isComplete()) {
                                return null; // nobody waits for it any more
                            }
                            promise.tryComplete(question.call());
                            return null;
                        },
                        false)
                .onComplete(done -> {
                    vertx.cancelTimer(timer);
                    lane.waiting().decrementAndGet();
                    if (done.failed()) {
                        promise.tryFail(done.cause());
                    }
                });
        return promise.future();
    }
}
