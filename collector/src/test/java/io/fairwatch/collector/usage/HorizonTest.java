package io.fairwatch.collector.usage;

import static io.fairwatch.collector.store.Given.NOON;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.untranslated;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.NodeState;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Nodes report every 30 s here: one is late when its newest snapshot is older than 2 x 30 s + 10 s. */
class HorizonTest {
    private static final Instant NOW = at(1000);

    private final Map<String, NodeState> nodes = new HashMap<>();

    private void reported(String node, Instant lastAt) {
        nodes.put(
                node,
                new NodeState(
                        node,
                        NOON,
                        lastAt,
                        Duration.ofSeconds(30),
                        "0.1.0",
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Map.of(),
                        List.of(),
                        List.of()));
    }

    private static Run on(String... names) {
        AllocatedGpu[] gpus = new AllocatedGpu[names.length];
        for (int i = 0; i < names.length; i++) {
            gpus[i] = untranslated(names[i], 0);
        }
        return job(1).on(gpus).run();
    }

    private Instant horizon(Run run) {
        return Horizon.of(run, nodes, NOW);
    }

    @Test
    @DisplayName("a run that ended is known to its end")
    void ended() {
        reported("node-a", at(990));
        assertEquals(
                at(900),
                horizon(job(1).until(at(900)).on(untranslated("node-a", 0)).run()));
    }

    @Test
    @DisplayName("a run that just ended is known as far as its node has reported")
    void justEnded() {
        reported("node-a", at(980));
        assertEquals(
                at(980),
                horizon(job(1).until(at(995)).on(untranslated("node-a", 0)).run()));
    }

    @Test
    @DisplayName("a running run is known to the newest snapshot of its node")
    void running() {
        reported("node-a", at(985));
        assertEquals(at(985), horizon(on("node-a")));
    }

    @Test
    @DisplayName("of several nodes the one furthest behind counts, and others than the run's do not")
    void severalNodes() {
        reported("node-a", at(990));
        reported("node-b", at(970));
        reported("node-c", at(950));
        assertEquals(at(970), horizon(on("node-a", "node-b")));
    }

    @Test
    @DisplayName("a node that is two periods and the transport behind is still waited for")
    void behind() {
        reported("node-a", at(1000 - 70));
        assertEquals(at(930), horizon(on("node-a")));
    }

    @Test
    @DisplayName("a silent node is not waited for: its silence counts as missing")
    void silent() {
        reported("node-a", at(1000 - 70.001));
        assertEquals(NOW, horizon(on("node-a")));
        reported("node-b", at(990));
        assertEquals(at(990), horizon(on("node-a", "node-b")));
    }

    @Test
    @DisplayName("a node that was never seen is not waited for either")
    void neverSeen() {
        assertEquals(NOW, horizon(on("node-a")));
    }

    @Test
    @DisplayName("a node whose clock is ahead does not put the horizon into the future")
    void clockAhead() {
        reported("node-a", at(1005));
        assertEquals(NOW, horizon(on("node-a")));
    }

    @Test
    @DisplayName("a run that began after its node's newest snapshot is not known before it began")
    void justBegun() {
        reported("node-a", at(980));
        assertEquals(
                at(985),
                horizon(job(1).from(at(985)).on(untranslated("node-a", 0)).run()));
    }
}
