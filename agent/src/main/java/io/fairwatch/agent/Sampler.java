package io.fairwatch.agent;

import io.fairwatch.agent.metrics.AgentMetrics;
import io.fairwatch.agent.metrics.OwnCost;
import io.fairwatch.agent.spool.Spool;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.WireCodec;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a snapshot every period and puts it into the spool. Snapshots of different nodes fall at different moments of
 * the period, always the same for one node. Confined to one event loop.
 */
final class Sampler {
    /** The longest that a polled probe is left alone: NVML's rings hold 16 s, and a timer may be late. */
    static final Duration POLL_AT_LEAST_EVERY = Duration.ofSeconds(5);

    private static final Logger log = LoggerFactory.getLogger(Sampler.class);
    private static final int PERIODS_UNTIL_UNHEALTHY = 3;

    private final Vertx vertx;
    private final InstantSource clock;
    private final NodeReader reader;
    private final Spool spool;
    private final ThisNode node;
    private final Duration period;
    private final AgentMetrics metrics;
    private final Runnable kept;
    private final WireCodec codec = new WireCodec();
    private @Nullable Long timer;
    private Future<?> current = Future.succeededFuture();
    private int ticks;
    private boolean failing;
    private Instant healthyAt;

    /**
     * @param kept called after each snapshot that is in the spool
     */
    Sampler(
            Vertx vertx,
            InstantSource clock,
            NodeReader reader,
            Spool spool,
            ThisNode node,
            Duration period,
            AgentMetrics metrics,
            Runnable kept) {
        this.vertx = vertx;
        this.clock = clock;
        this.reader = reader;
        this.spool = spool;
        this.node = node;
        this.period = period;
        this.metrics = metrics;
        this.kept = kept;
        this.healthyAt = clock.instant();
    }

    /** Reads everything once, so that the first snapshot has a period, and goes on from there by the clock. */
    void start() {
        int looks = looksPerPeriod(period);
        long interval = period.toMillis() / looks;
        current = reader.read();
        timer = vertx.setPeriodic(untilNext(clock.instant(), period, node.name()) + 1, interval, tick -> {
            if (ticks++ % looks == 0) {
                tick();
            } else {
                reader.poll();
            }
        });
    }

    /** Takes no more snapshots; completes when the one that is being taken is kept. */
    Future<Void> stop() {
        if (timer != null) {
            vertx.cancelTimer(timer);
            timer = null;
        }
        return current.transform(done -> Future.succeededFuture());
    }

    /** What keeps snapshots from being taken; empty when nothing does. */
    Optional<String> trouble() {
        return clock.instant().isAfter(healthyAt.plus(period.multipliedBy(PERIODS_UNTIL_UNHEALTHY)))
                ? Optional.of("no snapshot was kept since " + healthyAt)
                : Optional.empty();
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
            current = take();
        }
    }

    /** Takes one snapshot now. Fails when it could not be kept. */
    Future<Long> take() {
        Future<Long> taken = reader.read().compose(draft -> vertx.executeBlocking(() -> keep(draft)));
        taken.onComplete(done -> {
            if (done.succeeded()) {
                if (failing) {
                    log.info("snapshots are kept again sequence={}", done.result());
                }
                healthyAt = clock.instant();
                kept.run();
            } else {
                metrics.failed();
                if (!failing) {
                    log.error("snapshot lost, it could not be kept", done.cause());
                }
            }
            failing = done.failed();
        });
        return taken;
    }

    private long keep(SnapshotDraft draft) throws java.io.IOException {
        OwnCost cost = OwnCost.read();
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
