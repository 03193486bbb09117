package io.fairwatch.fleet;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.fleet.Delivery.Answer;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.zip.Deflater;

/**
 * All nodes together. Each sends a snapshot when one is due by the cluster's time, all that are due in batches as an agent
 * does, and the same batch again until it is taken. Confined to one event loop.
 */
final class Fleet {
    private static final int MOST_BATCH_BYTES = 1 << 20;
    private static final long FIRST_RETRY_MILLIS = 1_000;

    private final Vertx vertx;
    private final Delivery delivery;
    private final InstantSource clock;
    private final Random random;
    private final long longestWaitMillis;
    private final WireCodec codec = new WireCodec();
    private final List<Agent> agents = new ArrayList<>();
    private boolean stopped;

    /**
     * @param clock the cluster's time
     * @param seed makes the jitter of retries the same each time
     * @param longestWaitMillis most time between two tries of an agent that nobody answers
     */
    Fleet(Vertx vertx, Delivery delivery, InstantSource clock, long seed, long longestWaitMillis) {
        this.longestWaitMillis = longestWaitMillis;
        this.vertx = vertx;
        this.delivery = delivery;
        this.clock = clock;
        this.random = new Random(seed);
    }

    /** Takes a node in and lets it begin. */
    void add(NodePlayer player) {
        Agent agent = new Agent(player);
        agents.add(agent);
        agent.go();
    }

    /** Sends no more; done when nothing is on its way. */
    Future<Void> stop() {
        stopped = true;
        return Future.join(agents.stream().map(agent -> agent.atRest.future()).toList())
                .mapEmpty();
    }

    /** How far the node that is furthest behind lies behind the cluster's time. */
    Duration behind() {
        Instant slowest = agents.stream()
                .map(agent -> agent.player.next())
                .min(Instant::compareTo)
                .orElse(Instant.MAX);
        Instant now = clock.instant();
        return slowest.isBefore(now) ? Duration.between(slowest, now) : Duration.ZERO;
    }

    /** A line for each node: its name, its boot, the last sequence that was acknowledged, and the last that was sent. */
    List<String> acknowledged() {
        return agents.stream()
                .map(agent -> agent.player.identity() + " " + agent.acknowledged + " " + agent.player.sequence())
                .toList();
    }

    /** One node's agent. */
    private final class Agent {
        private final NodePlayer player;
        private long acknowledged;
        private final Promise<Void> atRest = Promise.promise();
        private long retryMillis = FIRST_RETRY_MILLIS;

        Agent(NodePlayer player) {
            this.player = player;
        }

        void go() {
            if (stopped) {
                atRest.tryComplete();
                return;
            }
            Duration wait = Duration.between(clock.instant(), player.next());
            if (wait.isNegative() || wait.isZero()) {
                Buffer batch = Buffer.buffer();
                int snapshots = 0;
                while (batch.length() < MOST_BATCH_BYTES && !player.next().isAfter(clock.instant())) {
                    NodeSnapshot snapshot = player.snapshot();
                    batch.appendBytes(codec.pack(snapshot, Deflater.BEST_SPEED));
                    snapshots++;
                }
                send(batch, snapshots);
            } else {
                // the cluster's time may run faster than ours, so it is looked at again before long
                vertx.setTimer(Math.max(1, Math.min(wait.toMillis(), 1_000)), due -> go());
            }
        }

        private void send(Buffer batch, int snapshots) {
            if (stopped) {
                atRest.tryComplete();
                return;
            }
            delivery.send(batch, snapshots).onSuccess(reply -> {
                if (reply.kind() == Answer.STORED || reply.kind() == Answer.REFUSED) {
                    retryMillis = FIRST_RETRY_MILLIS;
                    acknowledged = reply.kind() == Answer.STORED ? player.sequence() : acknowledged;
                    go();
                } else { // as agents do: what the collector asks for, and a random time that grows with each failure
                    vertx.setTimer(
                            reply.retryAfterMillis() + 1 + random.nextLong(retryMillis),
                            again -> send(batch, snapshots));
                    retryMillis = Math.min(longestWaitMillis, 2 * retryMillis);
                }
            });
        }
    }
}
