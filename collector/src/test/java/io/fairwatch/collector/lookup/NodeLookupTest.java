package io.fairwatch.collector.lookup;

import static io.fairwatch.collector.Golden.assertGolden;
import static io.fairwatch.collector.lookup.Samples.NOON;
import static io.fairwatch.collector.lookup.Samples.NOW;
import static io.fairwatch.collector.lookup.Samples.allocated;
import static io.fairwatch.collector.lookup.Samples.gpu;
import static io.fairwatch.collector.lookup.Samples.running;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.collector.lookup.NodeLookup.NodeView;
import io.fairwatch.collector.lookup.Samples.Sent;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What people read who ask for nodes, from a real store. */
class NodeLookupTest {
    private static final String NODE = "nv-ai-01";

    private final Store store;

    NodeLookupTest(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private List<NodeView> find(Optional<String> name) throws StoreException {
        return new NodeLookup(store, () -> NOW).find(name);
    }

    private String page() throws StoreException {
        return new NodeText().page(find(Optional.empty()));
    }

    @Test
    @DisplayName("GPUs with who holds and who uses them, users and scratch")
    void node() throws Exception {
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 0), allocated(NODE, 1))));
        Samples.sendAllTheTime(
                store,
                NODE,
                gpu(NODE, 0, 0.98, 0.66, 30_994, 83549),
                gpu(NODE, 1, 0, 0, 4),
                gpu(NODE, 2, 0.3, 0.1, 2_000, 77),
                Samples.mute(NODE, 3));
        assertGolden("lookup/node.txt", page());
    }

    @Test
    @DisplayName("a probe that failed and one that has nothing to read, each with why")
    void probes() throws Exception {
        store.append(List.of(Samples.snapshot(
                NODE,
                NOW.minusSeconds(10),
                Sent.of(),
                Optional.empty(),
                Map.of(
                        "nvml",
                        new ProbeOutcome.Failed("driver \u202Edoes not answer", Duration.ofSeconds(10)),
                        "scratch",
                        new ProbeOutcome.Nothing("no mount is configured")))));
        String page = page();
        assertTrue(page.contains("! nvml: driver \uFFFDdoes not answer\n"), page);
        assertTrue(page.contains("- scratch: no mount is configured\n"), page);
    }

    @Test
    @DisplayName("a GPU that is missing from the newest snapshot is unknown, not as it was")
    void lostGpu() throws Exception {
        Samples.send(
                store,
                NODE,
                NOON,
                NOON.plusSeconds(30),
                (number, at) -> Sent.of(gpu(NODE, 0, 0.98, 0.66, 30_994, 83549)));
        store.append(List.of(Samples.snapshot(NODE, NOON.plusSeconds(60), Sent.of(), Optional.empty(), Map.of())));
        String line = page().lines()
                .filter(row -> row.startsWith("0 Tesla"))
                .findFirst()
                .orElse("");
        assertEquals(
                List.of("0 Tesla V100-SXM3-32GB", "unknown", "unknown", "-", "-"),
                List.of(line.split(" {3,}", -1)),
                page());
    }

    @Test
    @DisplayName("that GPUs are simulated is said once, first")
    void simulated() throws Exception {
        for (String node : List.of(NODE, "nv-ai-02")) {
            store.append(List.of(Samples.snapshot(
                    node, NOW.minusSeconds(10), Sent.of(), Optional.of("These GPUs are simulated."), Map.of())));
        }
        String page = page();
        assertTrue(page.startsWith("** These GPUs are simulated. **\n"), page);
        assertEquals(page.indexOf("simulated"), page.lastIndexOf("simulated"), page);
    }

    @Test
    @DisplayName("nodes come by name; one is found by its whole name only")
    void names() throws Exception {
        Samples.sendAllTheTime(store, "nv-ai-02");
        Samples.sendAllTheTime(store, NODE);
        assertEquals(
                List.of(NODE, "nv-ai-02"),
                find(Optional.empty()).stream().map(view -> view.node().node()).toList());
        assertEquals(1, find(Optional.of("nv-ai-02")).size());
        assertEquals(List.of(), find(Optional.of("nv-ai")));
    }
}
