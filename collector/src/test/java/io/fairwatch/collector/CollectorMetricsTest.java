package io.fairwatch.collector;

import static io.fairwatch.collector.Golden.assertGolden;
import static io.fairwatch.collector.lookup.Samples.NOON;
import static io.fairwatch.collector.lookup.Samples.NOW;
import static io.fairwatch.collector.lookup.Samples.allocated;
import static io.fairwatch.collector.lookup.Samples.gpu;
import static io.fairwatch.collector.lookup.Samples.running;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.ingest.GroupCommit;
import io.fairwatch.collector.ingest.Journal;
import io.fairwatch.collector.lookup.Samples;
import io.fairwatch.collector.lookup.Samples.Sent;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page for Prometheus, of four nodes: one is heard, one silent, one powered down, one was never heard. */
class CollectorMetricsTest {
    private final CollectorMetrics metrics = new CollectorMetrics(() -> NOW);
    private final Path directory;
    private final Store measured;
    private Store store;

    CollectorMetricsTest(@TempDir Path directory) throws StoreException {
        this.directory = directory;
        measured = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS);
        store = TimedStore.of(measured, metrics.registry());
    }

    @BeforeEach
    void fill() throws StoreException {
        for (String name : List.of("nv-ai-01", "nv-ai-02", "cloud-0")) {
            Samples.send(
                    store,
                    name,
                    NOON,
                    name.equals("nv-ai-01") ? NOW.minusSeconds(10) : NOON.plusSeconds(600),
                    (number, at) -> Sent.of(gpu(name, 3, 0.98, 0.66, 30_994)));
        }
        store.saveView(new SlurmView(
                NOW.minusSeconds(5),
                "aicloud",
                List.of(running(83549, allocated("nv-ai-01", 3))),
                List.of(),
                List.of(
                        node("nv-ai-01", "mixed"),
                        node("nv-ai-02", "idle"),
                        node("cloud-0", "idle+cloud+powered_down"),
                        node("nv-ai-03", "idle"))));
    }

    private static SlurmNode node(String name, String state) {
        return new SlurmNode(name, state, OptionalInt.of(96), OptionalLong.empty(), OptionalInt.of(16), "gpu:v100:16");
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private String scrape(int mostNodes) {
        return metrics.scrape(store, Optional.empty(), directory, mostNodes);
    }

    @Test
    @DisplayName("nodes by how they are heard: one that is powered down is no silent one")
    void nodes() {
        String page = scrape(20);
        for (String line : List.of(
                "fairwatch_collector_nodes{state=\"heard\"} 1.0",
                "fairwatch_collector_nodes{state=\"silent\"} 1.0",
                "fairwatch_collector_nodes{state=\"off\"} 1.0",
                "fairwatch_collector_nodes{state=\"never\"} 1.0",
                "fairwatch_collector_node_age_seconds{node=\"nv-ai-01\"} 10.0",
                "fairwatch_collector_node_age_seconds{node=\"nv-ai-02\"} 6610.0",
                "fairwatch_collector_node_age_max_seconds 6610.0")) {
            assertTrue(page.contains(line + "\n"), line + "\n" + page);
        }
        assertFalse(page.contains("cloud-0"), page);
    }

    @Test
    @DisplayName(
            "of nodes there are as many series as were asked for, those longest unheard first, and none is left over")
    void bounded() {
        assertTrue(scrape(20).contains("node=\"nv-ai-01\""));
        assertFalse(scrape(1).contains("node=\"nv-ai-01\""));
        assertTrue(scrape(1).contains("node=\"nv-ai-02\""));
        assertFalse(scrape(0).contains("node=\""));
        assertEquals(20, CollectorMetrics.mostNodes(null));
        assertEquals(20, CollectorMetrics.mostNodes("all"));
        assertEquals(10_000, CollectorMetrics.mostNodes("10000"));
    }

    @Test
    @DisplayName("what is asked of the store is measured by kind and outcome, and fails as it fails")
    void storeCalls() throws Exception {
        store.nodes();
        measured.close();
        StoreException failed = assertThrows(StoreException.class, () -> store.runsOf(1));
        assertTrue(failed.toString().contains("closed"), failed.toString());
        String page = scrape(0);
        assertTrue(
                page.contains("fairwatch_collector_store_call_seconds_count{call=\"runsOf\",outcome=\"failed\"} 1"),
                page);
        assertTrue(page.contains("{call=\"nodes\",outcome=\"done\"}"), page);
    }

    @Test
    @DisplayName("the store's size on disk, what is sealed apart")
    void size() throws Exception {
        Files.write(Files.createDirectories(directory.resolve("sealed")).resolve("x.parquet"), new byte[1234]);
        assertTrue(scrape(0).contains("fairwatch_collector_store_size_bytes{kind=\"sealed\"} 1234.0"));
    }

    @Test
    @DisplayName("names, kinds and explanations of all that is ours; no user, no job")
    void names() throws Exception {
        new GroupCommit(store, Journal.open(directory), GroupCommit.Settings.DEFAULTS, metrics.registry()).close();
        String page = scrape(20);
        assertFalse(page.contains("process_cpu_time_ns") || page.contains("system_cpu_count"), page);
        assertFalse(page.contains("83549") || page.contains("tlj@its.aau.dk"), page);
        assertGolden(
                "metrics/names.txt",
                page.lines()
                        .filter(line -> line.startsWith("# ") && line.contains(" fairwatch_"))
                        .sorted()
                        .collect(Collectors.joining("\n", "", "\n")));
    }
}
