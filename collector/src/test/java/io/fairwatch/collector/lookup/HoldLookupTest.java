package io.fairwatch.collector.lookup;

import static io.fairwatch.collector.lookup.Samples.COPENHAGEN;
import static io.fairwatch.collector.lookup.Samples.NOON;
import static io.fairwatch.collector.lookup.Samples.NOW;
import static io.fairwatch.collector.lookup.Samples.allocated;
import static io.fairwatch.collector.lookup.Samples.gpu;
import static io.fairwatch.collector.lookup.Samples.pending;
import static io.fairwatch.collector.lookup.Samples.running;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.lookup.HoldLookup.Filter;
import io.fairwatch.collector.lookup.HoldLookup.HeldGpu;
import io.fairwatch.collector.lookup.HoldLookup.Holdings;
import io.fairwatch.collector.lookup.HoldLookup.IdleGpu;
import io.fairwatch.collector.lookup.Samples.Sent;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HoldLookupTest {
    private static final String NODE = "nv-ai-01";

    private Store store;
    private HoldLookup holds;

    @BeforeEach
    void open(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS);
        holds = new HoldLookup(store, () -> NOW, Samples.SETTINGS);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private HeldGpu onlyGpu() throws StoreException {
        return holds.held(Filter.ALL).running().get(0).gpus().get(0);
    }

    private Listing<JobLine> live() throws StoreException {
        return new JobList(store, holds).find(JobList.Query.live(Filter.ALL), Page.FIRST);
    }

    /** A job of one GPU that is busy until an instant and idle from then on. */
    private void busyUntil(Instant end) throws StoreException {
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 3))));
        Samples.send(
                store,
                NODE,
                NOON,
                NOW.minusSeconds(10),
                (number, at) -> Sent.of(gpu(NODE, 3, at.isAfter(end) ? 0 : 0.9, 0, 100, 83549)));
    }

    @Test
    @DisplayName("a GPU is idle since the last period in which something ran")
    void idleSince() throws StoreException {
        busyUntil(Instant.parse("2026-11-20T13:20:00Z"));
        assertEquals(
                Optional.of(Instant.parse("2026-11-20T13:20:00Z")), onlyGpu().idleSince());
        assertFalse(onlyGpu().idleLonger());
        assertEquals(1, holds.held(Filter.ALL).running().get(0).idleGpus());
    }

    @Test
    @DisplayName("a pause shorter than five minutes is no idleness")
    void shortPause() throws StoreException {
        busyUntil(NOW.minusSeconds(240));
        assertEquals(Optional.empty(), onlyGpu().idleSince());
    }

    @Test
    @DisplayName("a GPU that was never busy is idle since the start")
    void neverBusy() throws StoreException {
        busyUntil(NOON.minusSeconds(1));
        assertEquals(Optional.of(NOON), onlyGpu().idleSince());
        assertFalse(onlyGpu().idleLonger());
    }

    @Test
    @DisplayName("idleness is told as long as it was seen, and that it may be longer")
    void seenForAnHour() throws StoreException {
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 3))));
        Samples.send(
                store,
                NODE,
                NOON.plusSeconds(3600),
                NOW.minusSeconds(10),
                (number, at) -> Sent.of(gpu(NODE, 3, 0, 0, 100, 83549)));
        assertEquals(Optional.of(NOON.plusSeconds(3600)), onlyGpu().idleSince());
        assertTrue(onlyGpu().idleLonger());
    }

    @Test
    @DisplayName("a GPU that nobody saw lately is not called idle")
    void silent() throws StoreException {
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 3))));
        Samples.send(
                store, NODE, NOON, NOW.minusSeconds(1800), (number, at) -> Sent.of(gpu(NODE, 3, 0, 0, 100, 83549)));
        assertEquals(Optional.empty(), onlyGpu().idleSince());
        assertEquals(0, onlyGpu().coverage());
    }

    @Test
    @DisplayName("a job that Slurm's last answer no longer names holds nothing, though nobody has told its end yet")
    void vanished() throws StoreException {
        Samples.slurmSays(store, Samples.SLURM_AT.minusSeconds(60), List.of(asOf(Samples.SLURM_AT.minusSeconds(60))));
        assertEquals(1, holds.held(Filter.ALL).running().size());
        Samples.slurmSays(store, List.of());
        assertEquals(List.of(), holds.held(Filter.ALL).running());
    }

    private static Run asOf(Instant at) {
        return running(83549, allocated(NODE, 3)).asOf(at);
    }

    @Test
    @DisplayName("filters leave out what was not asked for, waiting jobs too")
    void filters() throws StoreException {
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 3))), pending(83550, "83550"));
        Filter other = new Filter(Optional.of("anna"), Optional.empty(), Optional.empty(), Optional.empty());
        Filter here = new Filter(Optional.empty(), Optional.empty(), Optional.empty(), Optional.of(NODE));
        assertEquals(List.of(), holds.held(other).running());
        assertEquals(List.of(), holds.held(other).pending());
        assertEquals(1, holds.held(here).running().size());
        assertEquals(1, holds.held(Filter.ALL).pending().size());
    }

    @Test
    @DisplayName("the GPU that is idle longest comes first")
    void longestFirst() throws StoreException {
        Samples.slurmSays(store, List.of(running(1, allocated(NODE, 3)), running(2, allocated(NODE, 4))));
        Samples.send(
                store,
                NODE,
                NOON,
                NOW.minusSeconds(10),
                (number, at) -> Sent.of(
                        gpu(NODE, 3, at.isAfter(NOON.plusSeconds(3600)) ? 0 : 1, 0, 100, 1), gpu(NODE, 4, 0, 0, 0)));
        Holdings holdings = holds.held(Filter.ALL);
        assertEquals(
                List.of(2L, 1L),
                holds.idle(holdings).stream()
                        .map(gpu -> gpu.run().key().jobId())
                        .toList());
    }

    @Test
    @DisplayName("pages show the table, its source and its age")
    void pages() throws StoreException {
        busyUntil(Instant.parse("2026-11-20T13:20:00Z"));
        Holdings holdings = holds.held(Filter.ALL);
        List<IdleGpu> idle = holds.idle(holdings);
        assertEquals("""
                1 of 1 held GPUs idle for 5 min or longer, 1 GPU-hours so far.

                GPU                                  job             user     partition   idle for   held for   owner told
                nv-ai-01 #3 Tesla V100-SXM3-32GB   83549   tlj@its.aau.dk   prioritized     40 min        2 h            -

                Slurm: as of 5 s ago; GPUs by their nodes' readings of the last 5 min.
                """, new HoldText().idle(holdings, idle, holdings.listing(Page.FIRST.of(idle, IdleGpu::key))));
        assertEquals("""
                running             user     partition      where   held   GPUs   idle   busy now
                83549     tlj@its.aau.dk   prioritized   nv-ai-01    2 h      1      1        0 %

                Slurm: as of 5 s ago; GPUs by their nodes' readings of the last 5 min.
                """, new JobListText(COPENHAGEN).page(live()));
        assertTrue(new HoldText()
                .holds("user", holdings.listing(Page.FIRST.of(Holds.byUser(holdings, Optional.empty()), Holds::key)))
                .contains("tlj@its.aau.dk         1         0      1      1     16"));
        NodeSummary summary = new NodeSummary(false, 100);
        NodeLookup nodes = new NodeLookup(store, () -> NOW);
        assertEquals(
                """
                node      CPU              memory           GPUs  who holds GPUs
                nv-ai-01  #......... 13 %  ###....... 25 %  !     tlj@its.aau.dk 1 idle
                """,
                summary.page(nodes.find(Optional.empty()), nodes.known(), holdings, user -> true)
                        .lines()
                        .limit(2)
                        .map(line -> line + "\n")
                        .reduce("", String::concat));
        NodeLookup later = new NodeLookup(store, () -> NOW.plus(Duration.ofHours(2)));
        for (String state : List.of("idle", "idle+powered_down")) {
            SlurmNode node = new SlurmNode(
                    NODE, state, OptionalInt.of(48), OptionalLong.empty(), OptionalInt.of(16), "gpu:v100:16");
            String page = summary.page(later.find(Optional.empty()), List.of(node), holdings, user -> true);
            assertTrue(
                    page.contains(state.equals("idle") ? "silent for 2 h (Slurm: idle)" : "off for 2 h (powered_down)"),
                    page);
        }
    }

    @Test
    @DisplayName("a user name that is a formula or turns the writing direction reaches no page and no spreadsheet")
    void hostileNames() throws StoreException {
        Run run = running(83549, allocated(NODE, 3));
        Run hostile = new Run(
                run.key(),
                run.ids(),
                new Run.Owner("=cmd|'\u202e\033[2J", run.owner().uid(), "a,\"b", "p\n1", ""),
                run.name(),
                false,
                run.submit(),
                run.end(),
                run.timeLimit(),
                run.suspended(),
                run.state(),
                run.stateText(),
                run.allocation(),
                run.gpus(),
                run.asOf());
        Samples.slurmSays(store, List.of(hostile));
        Holdings holdings = holds.held(Filter.ALL);
        JobListText text = new JobListText(COPENHAGEN);
        for (String page : List.of(
                text.page(live()),
                new HoldText()
                        .holds(
                                "user",
                                holdings.listing(Page.FIRST.of(Holds.byUser(holdings, Optional.empty()), Holds::key))),
                text.csv(live().items()))) {
            assertFalse(page.contains("\033") || page.contains("\u202e"), page);
        }
        String[] csv = text.csv(live().items()).split("\n", -1);
        assertEquals(3, csv.length, "one line for the job");
        assertTrue(csv[1].contains("\"'=cmd|"), csv[1]);
        assertTrue(csv[1].contains("\"a,\"\"b\""), csv[1]);
    }
}
