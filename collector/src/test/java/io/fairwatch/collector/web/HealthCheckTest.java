package io.fairwatch.collector.web;

import static io.fairwatch.collector.lookup.Samples.COPENHAGEN;
import static io.fairwatch.collector.lookup.Samples.NOON;
import static io.fairwatch.collector.lookup.Samples.NOW;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.AgentState;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.collector.lookup.Samples;
import io.fairwatch.collector.lookup.Samples.Sent;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Slurm was asked five seconds ago, and is stale after 75; nodes send every 30 s. */
class HealthCheckTest {
    private static final Optional<Duration> STALE = Optional.of(Duration.ofSeconds(75));

    private final Store store;

    HealthCheckTest(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private boolean keepsAccounting = true;

    private HealthCheck.Health at(Instant now, Optional<Duration> stale, String... troubles) throws StoreException {
        return new HealthCheck(store, () -> now, stale, () -> keepsAccounting, "0.1.0", () -> List.of(troubles))
                .check();
    }

    private void heard(Instant at, Map<String, ProbeOutcome> probes) throws StoreException {
        store.append(List.of(Samples.snapshot("nv-ai-01", at, Sent.of(), Optional.empty(), probes)));
    }

    @Test
    @DisplayName("a Slurm without accounting is no reason to wait for it")
    void noAccounting() throws Exception {
        Samples.slurmSays(store, List.of());
        heard(NOW.minusSeconds(10), Map.of());
        assertTrue(at(NOW, STALE).text(COPENHAGEN).contains("complete until unknown, no answer from accounting yet"));
        keepsAccounting = false;
        HealthCheck.Health health = at(NOW, STALE);
        assertTrue(health.ok());
        assertTrue(
                health.text(COPENHAGEN)
                        .contains(
                                "Slurm: answered 5 s ago; it keeps no accounting, so of ended jobs only what squeue told"
                                        + " is known\n"),
                health.text(COPENHAGEN));
    }

    @Test
    @DisplayName("all is well")
    void well() throws Exception {
        Samples.slurmSays(store, List.of());
        store.saveAccountingUntil(Instant.parse("2026-11-20T13:59:00Z"));
        heard(NOW.minusSeconds(10), Map.of());
        HealthCheck.Health health = at(NOW, STALE);
        assertTrue(health.ok());
        assertEquals("""
                Fairwatch collector 0.1.0: well
                Slurm: answered 5 s ago; ended jobs complete until 2026-11-20 14:59

                node       last heard   agent
                nv-ai-01     10 s ago   0.1.0
                """, health.text(COPENHAGEN));
    }

    @Test
    @DisplayName("before anything was heard it is not well")
    void nothingYet() throws Exception {
        HealthCheck.Health health = at(NOW, STALE);
        assertFalse(health.ok());
        assertEquals("""
                Fairwatch collector 0.1.0: not well
                Slurm: has not answered yet; ended jobs complete until unknown, no answer from accounting yet
                No agent has reported yet.
                """, health.text(COPENHAGEN));
    }

    @Test
    @DisplayName("it is not well once Slurm's newest answer is too old")
    void stale() throws Exception {
        Samples.slurmSays(store, List.of());
        assertTrue(at(Samples.SLURM_AT.plusSeconds(75), STALE).ok());
        HealthCheck.Health health = at(Samples.SLURM_AT.plusSeconds(76), STALE);
        assertFalse(health.ok());
        assertTrue(health.text(COPENHAGEN).contains("Slurm: answered 1 min ago; "), health.text(COPENHAGEN));
    }

    @Test
    @DisplayName("where nobody asks Slurm its silence is no trouble")
    void switchedOff() throws Exception {
        HealthCheck.Health health = at(NOW, Optional.empty());
        assertTrue(health.ok());
        assertEquals("""
                Fairwatch collector 0.1.0: well
                Slurm: switched off
                No agent has reported yet.
                """, health.text(COPENHAGEN));
    }

    @Test
    @DisplayName("a node that Slurm does not know by that name is a trouble; one that never reported is told")
    void names() throws Exception {
        store.saveView(new SlurmView(
                Samples.SLURM_AT,
                "lab",
                List.of(),
                List.of(),
                List.of(slurmNode("nv-ai-01.srv", 16), slurmNode("cpu-1", 0))));
        heard(NOW.minusSeconds(10), Map.of());
        HealthCheck.Health health = at(NOW, STALE);
        assertFalse(health.ok());
        assertEquals("""
                Fairwatch collector 0.1.0: not well
                Slurm: answered 5 s ago; ended jobs complete until unknown, no answer from accounting yet
                ! Node nv-ai-01 reports, but Slurm knows no node of that name (expected: its NodeName, key node in agent.yml).

                node       last heard   agent
                nv-ai-01     10 s ago   0.1.0
                Never heard, though Slurm gives GPUs there: nv-ai-01.srv
                """, health.text(COPENHAGEN));
    }

    @Test
    @DisplayName(
            "a node that was taken away, or a cloud node that is gone, is no trouble after an hour, and not silent")
    void takenAway() throws Exception {
        store.saveView(new SlurmView(Samples.SLURM_AT, "lab", List.of(), List.of(), List.of(slurmNode("nv-ai-02", 0))));
        heard(NOW.minus(Duration.ofMinutes(61)), Map.of());
        HealthCheck.Health health = at(NOW, STALE);
        assertTrue(health.ok(), health.text(COPENHAGEN));
        assertEquals(List.of(), health.warnings());
        assertTrue(health.text(COPENHAGEN).contains("unknown in Slurm"), health.text(COPENHAGEN));
    }

    private static SlurmNode slurmNode(String name, int gpus) {
        return new SlurmNode(name, "idle", OptionalInt.of(96), OptionalLong.empty(), OptionalInt.of(gpus), "");
    }

    @Test
    @DisplayName("a silent node is named and makes nobody unwell: it may be powered down")
    void silent() throws Exception {
        heard(NOON, Map.of());
        HealthCheck.Health patient = at(NOON.plusSeconds(70), Optional.empty());
        assertFalse(patient.nodes().get(0).silent());
        HealthCheck.Health health = at(NOON.plusSeconds(71), Optional.empty());
        assertTrue(health.nodes().get(0).silent());
        assertTrue(health.ok());
        assertTrue(health.text(COPENHAGEN).contains("nv-ai-01   1 min ago, SILENT   0.1.0\n"), health.text(COPENHAGEN));
    }

    @Test
    @DisplayName("the silence of a node that Slurm switched off is explained, and one that was never on is not missed")
    void switchedOffNodes() throws Exception {
        heard(NOON, Map.of());
        store.saveView(new SlurmView(
                NOON.plusSeconds(3600),
                "lab",
                List.of(),
                List.of(),
                List.of(
                        slurmNode("nv-ai-01", "idle+cloud+powered_down"),
                        slurmNode("cloud-2", "idle+cloud+powered_down"),
                        slurmNode("cloud-3", "mixed+cloud+powering_up"))));
        HealthCheck.Health health = at(NOON.plusSeconds(3600), STALE);
        assertFalse(health.nodes().get(0).silent());
        assertEquals(Optional.of("powered_down"), health.nodes().get(0).off());
        assertEquals(List.of(), health.neverReported());
        assertTrue(health.ok());
        assertTrue(health.text(COPENHAGEN).contains("ago, powered_down in Slurm   0.1.0\n"), health.text(COPENHAGEN));
    }

    private static SlurmNode slurmNode(String name, String state) {
        return new SlurmNode(name, state, OptionalInt.of(96), OptionalLong.empty(), OptionalInt.of(8), "");
    }

    private static NodeSnapshot dropping(Instant at, long dropped) {
        NodeSnapshot sent = Samples.snapshot("nv-ai-01", at, Sent.of(), Optional.empty(), Map.of());
        return new NodeSnapshot(
                sent.version(),
                sent.node(),
                sent.bootId(),
                sent.sequence(),
                sent.at(),
                sent.period(),
                new AgentState("0.1.0", NOON.minusSeconds(60), dropped, OptionalDouble.empty(), OptionalLong.empty()),
                sent.probes(),
                sent.host(),
                sent.gpuDriver(),
                sent.gpus(),
                sent.jobs(),
                sent.users(),
                sent.scratch());
    }

    @Test
    @DisplayName("what an agent dropped lately is told with the node, what it dropped before is not")
    void losses() throws Exception {
        store.append(List.of(dropping(NOON, 100), dropping(NOON.plusSeconds(30), 100)));
        assertEquals(List.of(), at(NOON.plusSeconds(40), Optional.empty()).warnings());
        store.append(List.of(dropping(NOON.plusSeconds(60), 107)));
        HealthCheck.Health health = at(NOON.plusSeconds(70), Optional.empty());
        assertTrue(health.ok());
        assertTrue(
                health.text(COPENHAGEN)
                        .contains("\n- The agent of nv-ai-01 dropped 7 snapshots in the last 30 min, because"),
                health.text(COPENHAGEN));
    }

    @Test
    @DisplayName("a clock that is ahead is told, with by how much at least")
    void clocks() throws Exception {
        heard(NOON.plusSeconds(5), Map.of());
        assertEquals(List.of(), at(NOON, Optional.empty()).warnings());
        heard(NOON.plusSeconds(90), Map.of());
        assertEquals(
                List.of("The clock of nv-ai-01 is ahead by 1 min or more (expected: kept by NTP);"
                        + " its readings lie at wrong times."),
                at(NOON, Optional.empty()).warnings());
    }

    @Test
    @DisplayName("of very many nodes only those are shown that something is to be said of")
    void manyNodes() throws Exception {
        List<NodeSnapshot> sent = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            sent.add(Samples.snapshot(
                    "n" + i, i == 7 ? NOON : NOON.plusSeconds(600), Sent.of(), Optional.empty(), Map.of()));
        }
        store.append(sent);
        String text = at(NOON.plusSeconds(610), Optional.empty()).text(COPENHAGEN);
        assertTrue(text.contains("n7     10 min ago, SILENT   0.1.0\nand 99 more nodes\n"), text);
        assertTrue(
                text.contains("\n- Silent, though Slurm does not call them off (agent, network or node): n7.\n"), text);
    }

    @Test
    @DisplayName("a probe that fails is named with why")
    void failingProbe() throws Exception {
        heard(NOON, Map.of("nvml", new ProbeOutcome.Failed("the driver does not answer", Duration.ofSeconds(10))));
        HealthCheck.Health health = at(NOON, Optional.empty());
        assertEquals(
                List.of("nvml: the driver does not answer"),
                health.nodes().get(0).failing());
        assertTrue(
                health.text(COPENHAGEN).endsWith("! nv-ai-01 nvml: the driver does not answer\n"),
                health.text(COPENHAGEN));
    }

    @Test
    @DisplayName("what other parts complain of makes it unwell and stays on one line each")
    void troubles() throws Exception {
        HealthCheck.Health health = at(NOW, Optional.empty(), "Slurm's squeue fails:\nslurm_load_jobs error");
        assertFalse(health.ok());
        assertTrue(
                health.text(COPENHAGEN).contains("\n! Slurm's squeue fails: slurm_load_jobs error\n"),
                health.text(COPENHAGEN));
    }

    @Test
    @DisplayName("that GPUs are simulated is said first")
    void simulated() throws Exception {
        store.append(List.of(
                Samples.snapshot("nv-ai-01", NOW, Sent.of(), Optional.of("These GPUs are simulated."), Map.of())));
        assertTrue(at(NOW, Optional.empty()).text(COPENHAGEN).startsWith("** These GPUs are simulated. **\n"));
    }
}
