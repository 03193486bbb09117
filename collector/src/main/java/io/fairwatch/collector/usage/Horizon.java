package io.fairwatch.collector.usage;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.NodeState;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;

/** Until when a run can have been seen: what has not happened yet is no hole. */
public final class Horizon {
    private static final Duration TRANSPORT = Duration.ofSeconds(10);

    private Horizon() {}

    /**
     * The end of what nodes can be expected to have told of a run: its end; else the newest snapshot of the node that
     * is furthest behind. A node that is late by more than two periods is not waited for: from then on its silence counts as
     * missing.
     *
     * @param nodes nodes by name, as far as any reported
     */
    public static Instant of(Run run, Map<String, NodeState> nodes, Instant now) {
        Instant horizon = run.end().orElse(now);
        for (String name : run.allocation().nodes()) {
            NodeState node = nodes.get(name);
            if (node != null && node.lastAt().isBefore(horizon) && !late(node, now)) {
                horizon = node.lastAt();
            }
        }
        return horizon.isBefore(run.key().start()) ? run.key().start() : horizon;
    }

    /** As {@link #of(Run, Map, Instant)}, of what is seen of a run on one of its nodes: no other node is waited for. */
    static Instant of(Run run, String name, Map<String, NodeState> nodes, Instant now) {
        NodeState node = nodes.get(name);
        Instant end = run.end().orElse(now);
        Instant horizon = node != null && node.lastAt().isBefore(end) && !late(node, now) ? node.lastAt() : end;
        return horizon.isBefore(run.key().start()) ? run.key().start() : horizon;
    }

    private static boolean late(NodeState node, Instant now) {
        return node.lastAt().isBefore(now.minus(node.period().multipliedBy(2)).minus(TRANSPORT));
    }
}
