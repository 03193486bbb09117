package io.fairwatch.agent;

import io.fairwatch.agent.metrics.AgentMetrics;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads all probes of a node, one after another so that the agent never takes more than one core, each in its {@link
 * Lane}. Confined to one event loop.
 */
final class NodeReader {
    private static final Logger log = LoggerFactory.getLogger(NodeReader.class);
    private static final Duration SHORTEST_PERIOD = Duration.ofMillis(1);
    private static final Duration LONGEST_PERIOD = Duration.ofDays(1);

    private final InstantSource clock;
    private final LongSupplier nanoTime;
    private final AgentMetrics metrics;
    private final List<Lane> lanes;
    private final Map<String, Class<?>> lastOutcomes = new HashMap<>();
    private long lastNanos;

    /**
     * @param sources read in this order
     * @param workers run the calls; as many at once as probes may hang
     * @param deadline how long one probe may take
     */
    NodeReader(
            Vertx vertx,
            Executor workers,
            InstantSource clock,
            LongSupplier nanoTime,
            List<Source<?>> sources,
            Duration deadline,
            AgentMetrics metrics) {
        this.clock = clock;
        this.nanoTime = nanoTime;
        this.metrics = metrics;
        this.lanes = sources.stream()
                .map(source -> new Lane(vertx, workers, clock, source, deadline))
                .toList();
        this.lastNanos = nanoTime.getAsLong();
    }

    /** Reads everything; the period runs from the previous call, or from the beginning. Always succeeds. */
    Future<SnapshotDraft> read() {
        long now = nanoTime.getAsLong();
        Duration period = Duration.ofNanos(now - lastNanos);
        lastNanos = now;
        SnapshotDraft draft = new SnapshotDraft(
                clock.instant(),
                period.compareTo(SHORTEST_PERIOD) < 0
                        ? SHORTEST_PERIOD
                        : period.compareTo(LONGEST_PERIOD) > 0 ? LONGEST_PERIOD : period);
        Future<SnapshotDraft> soFar = Future.succeededFuture(draft);
        for (Lane lane : lanes) {
            soFar = soFar.compose(before -> lane.read(draft.at()).map(result -> {
                result.addition().accept(draft);
                note(draft, lane, result.outcome());
                return draft;
            }));
        }
        return soFar;
    }

    /** Looks at what forgets within a period. */
    void poll() {
        lanes.forEach(Lane::poll);
    }

    private void note(SnapshotDraft draft, Lane lane, ProbeOutcome outcome) {
        String probe = lane.source().name();
        boolean abandoned = lane.isAbandoned();
        draft.outcome(probe, outcome);
        boolean changed = lastOutcomes.put(probe, outcome.getClass()) != outcome.getClass();
        if (outcome instanceof ProbeOutcome.Read read) {
            metrics.probed(probe, "read", read.took(), abandoned);
            if (changed) {
                log.info("probe reads probe={}", probe);
            }
        } else if (outcome instanceof ProbeOutcome.Nothing nothing) {
            metrics.probed(probe, "nothing", Duration.ZERO, abandoned);
            if (changed) {
                log.info("probe finds nothing probe={} why=\"{}\"", probe, nothing.why());
            }
        } else if (outcome instanceof ProbeOutcome.Failed failed) {
            metrics.probed(probe, "failed", failed.took(), abandoned);
            if (changed) {
                log.warn("probe fails, its readings are missing probe={} why=\"{}\"", probe, failed.why());
            }
        }
    }
}
