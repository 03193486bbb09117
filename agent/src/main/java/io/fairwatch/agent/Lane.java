package io.fairwatch.agent;

import io.fairwatch.agent.wire.ProbeOutcome;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/**
 * Calls one probe, one call at a time, and waits no longer than a deadline. A call that outlasts it is left behind: the
 * probe counts as not answering until that call returns, if ever, and costs one thread meanwhile. Confined to one event
 * loop.
 */
final class Lane {
    private final Vertx vertx;
    private final Executor workers;
    private final InstantSource clock;
    private final Source<?> source;
    private final Duration deadline;
    private Future<Source.Result> call = Future.succeededFuture();
    private Instant calledAt = Instant.EPOCH;
    private boolean overdue;
    /** Whether what was read last came too late for its snapshot. */
    private boolean missed;

    Lane(Vertx vertx, Executor workers, InstantSource clock, Source<?> source, Duration deadline) {
        this.vertx = vertx;
        this.workers = workers;
        this.clock = clock;
        this.source = source;
        this.deadline = deadline;
    }

    Source<?> source() {
        return source;
    }

    /** Reads; always succeeds, at the deadline at the latest. */
    Future<Source.Result> read(Instant at) {
        return submit(true, () -> source.read(at));
    }

    /** Polls, unless the probe is still busy. */
    void poll() {
        if (source.isPolled() && call.isComplete()) {
            submit(false, () -> {
                source.poll();
                return Source.Result.without(new ProbeOutcome.Read(Duration.ZERO));
            });
        }
    }

    /** Whether the last call outlasted its deadline and has not come back. */
    boolean isAbandoned() {
        return overdue;
    }

    private Future<Source.Result> submit(boolean reads, Supplier<Source.Result> work) {
        if (overdue) {
            return Future.succeededFuture(silent());
        }
        Promise<Source.Result> answer = Promise.promise();
        long timer = vertx.setTimer(Math.max(1, deadline.toMillis()), expired -> {
            if (!answer.future().isComplete()) {
                overdue = true;
                answer.complete(silent());
            }
        });
        call.onComplete(before -> {
            if (!answer.future().isComplete()) {
                begin(work).onComplete(done -> {
                    vertx.cancelTimer(timer);
                    overdue = false;
                    boolean came = answer.tryComplete(done.result());
                    missed = reads && !came;
                });
            }
        });
        return answer.future();
    }

    private Future<Source.Result> begin(Supplier<Source.Result> work) {
        Context loop = vertx.getOrCreateContext();
        Promise<Source.Result> done = Promise.promise();
        calledAt = clock.instant().truncatedTo(ChronoUnit.SECONDS);
        call = done.future();
        boolean wasMissed = missed;
        missed = false;
        workers.execute(() -> {
            if (wasMissed) {
                source.missed();
            }
            Source.Result result = work.get();
            loop.runOnContext(back -> done.complete(result));
        });
        return done.future();
    }

    private Source.Result silent() {
        return Source.Result.without(
                new ProbeOutcome.Failed(source.name() + " does not answer since " + calledAt, deadline));
    }
}
