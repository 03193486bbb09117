package io.fairwatch.agent;

import io.fairwatch.agent.metrics.AgentMetrics;
import io.fairwatch.agent.metrics.OwnCost;
import io.fairwatch.agent.spool.Spool;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.WireCodec;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a snapshot every period and puts it into the spool. Snapshots of different nodes fall at different moments of
 * the period, at a moment that the node's name decides. Confined to one event loop.
 */
final class Sampler {
    /** The longest that a polled probe is left alone: NVML's rings hold 16 s, and a timer or a reading may be late. */
    static final Duration POLL_AT_LEAST_EVERY = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(Sampler.class);
    private static final int PERIODS_UNTIL_UNHEALTHY = 3;
    private static final int PERIODS_UNTIL_WEDGED = 10;

    private final Vertx vertx;
    private final WorkerExecutor disk;
    private final InstantSource clock;
    private final LongSupplier nanoTime;
    private final NodeReader reader;
    private final Spool spool;
    private final ThisNode node;
    private final Duration period;
    private final AgentMetrics metrics;
    private final Runnable kept;
    private final WireCodec codec = new WireCodec();
    private final ScratchNews scratchNews = new ScratchNews();
    private @Nullable Long timer;
    private Future<?> current = Future.succeededFuture();
    private boolean failing;
    /** What is wrong with the clock, in a sentence; null when nothing is. */
    private @Nullable String unsetClock;

    private Instant keptAt;
    private long keptNanos;
    private long begunNanos;

    /**
     * @param disk where the spool is asked
     * @param kept called after each snapshot that is in the spool
     */
    Sampler(
            Vertx vertx,
            WorkerExecutor disk,
            InstantSource clock,
            LongSupplier nanoTime,
            NodeReader reader,
            Spool spool,
            ThisNode node,
            Duration period,
            AgentMetrics metrics,
            Runnable kept) {
        this.vertx = vertx;
        this.disk = disk;
        this.clock = clock;
        this.nanoTime = nanoTime;
        this.reader = reader;
        this.spool = spool;
        this.node = node;
        this.period = period;
        this.metrics = metrics;
        this.kept = kept;
        this.keptAt = clock.instant();
        this.keptNanos = nanoTime.getAsLong();
    }

    /** Reads everything once, so that the first snapshot has a period, and goes on from there. */
    void start() {
        begin(reader.read());
        long first = untilNext(clock.instant(), period, node.name()) + 1;
        Beat beat = new Beat(period, looksPerPeriod(period), nanoTime.getAsLong() + first * 1_000_000);
        waitFor(beat);
    }

    private void waitFor(Beat beat) {
        timer = vertx.setTimer(beat.millisUntilDue(nanoTime.getAsLong()), due -> {
            Beat.Step step = beat.next(nanoTime.getAsLong());
            waitFor(beat);
            switch (step) {
                case SNAPSHOT -> tick();
                case LOOK -> reader.poll();
                case ANEW -> anew();
            }
        });
    }

    private void anew() {
        log.warn("agent was stopped for more than a period; nothing is told of that time");
        if (current.isComplete()) {
            begin(reader.read());
        }
    }

    private void begin(Future<?> work) {
        begunNanos = nanoTime.getAsLong();
        current = work;
    }

    /** Takes no more snapshots; completes when the one that is being taken is kept. */
    Future<Void> stop() {
        if (timer != null) {
            vertx.cancelTimer(timer);
            timer = null;
        }
        return current.transform(done -> Future.succeededFuture());
    }

    /** What keeps snapshots from being taken or kept as they should; empty when nothing does. */
    Optional<String> trouble() {
        if (unsetClock != null) {
            return Optional.of(unsetClock);
        }
        return periodsSince(keptNanos) > PERIODS_UNTIL_UNHEALTHY
                ? Optional.of("no snapshot was kept since " + keptAt)
                : spool.trouble();
    }

    /**
     * Whether a snapshot has been in the making for so long that only a new process helps. A probe that hangs is none of
     * this: it is left behind.
     */
    boolean isWedged() {
        return !current.isComplete() && periodsSince(begunNanos) > PERIODS_UNTIL_WEDGED;
    }

    private long periodsSince(long nanos) {
        return (nanoTime.getAsLong() - nanos) / period.toNanos();
    }

    /** How many looks at polled probes make up a period, the reading itself among them. */
    static int looksPerPeriod(Duration period) {
        long longest = POLL_AT_LEAST_EVERY.toMillis();
        return (int) ((period.toMillis() + longest - 1) / longest);
    }

    /** Milliseconds until a node's next moment; nodes are spread over the period by their names. */
    static long untilNext(Instant now, Duration period, String node) {
        long length = period.toMillis();
        long phase = Math.floorMod(node.hashCode() * 0x9E3779B97F4A7C15L, length);
        return Math.floorMod(phase - now.toEpochMilli(), length);
    }

    private void tick() {
        if (current.isComplete()) { // else probes hang or the disk does; the next period is longer for it
            begin(take());
        }
    }

    /** Takes one snapshot now. Fails when it could not be kept. */
    Future<Long> take() {
        Future<Long> taken = reader.read().compose(draft -> {
            unsetClock = NodeSnapshot.isPlausible(draft.at())
                    ? null
                    : "this node's clock says " + draft.at() + "; until it is set, as by NTP, no snapshot can be taken";
            return disk.executeBlocking(() -> keep(draft));
        });
        taken.onComplete(done -> {
            if (done.succeeded()) {
                if (failing) {
                    log.info("snapshots are kept again sequence={}", done.result());
                }
                keptAt = clock.instant();
                keptNanos = nanoTime.getAsLong();
                kept.run();
            } else {
                metrics.failed();
                if (!failing && unsetClock != null) {
                    log.error("snapshots are lost why=\"{}\"", unsetClock);
                } else if (!failing) {
                    log.error("snapshot lost, it could not be kept", done.cause());
                }
            }
            failing = done.failed();
        });
        return taken;
    }

    private long keep(SnapshotDraft draft) {
        OwnCost cost = OwnCost.read();
        draft.scratch(scratchNews.of(draft.scratch()));
        AtomicReference<NodeSnapshot> made = new AtomicReference<>();
        long sequence = spool.append(number -> {
            NodeSnapshot snapshot = node.finish(draft, number, spool.dropped(), cost);
            made.set(snapshot);
            return codec.pack(snapshot);
        });
        metrics.taken(cost, Objects.requireNonNull(made.get(), "made by append"));
        return sequence;
    }
}
