package io.fairwatch.collector.lookup;

import static io.fairwatch.collector.lookup.Samples.COPENHAGEN;
import static io.fairwatch.collector.lookup.Samples.NOW;
import static io.fairwatch.collector.lookup.Samples.allocated;
import static io.fairwatch.collector.lookup.Samples.finding;
import static io.fairwatch.collector.lookup.Samples.running;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.FindingRow.State;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FindingListTest {
    private static final Run RUN = running(83549, allocated("nv-ai-01", 3));

    private Store store;
    private FindingList findings;

    @BeforeEach
    void open(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS);
        findings = new FindingList(store, () -> NOW);
        Samples.slurmSays(store, List.of(RUN));
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private static FindingRow onNode() {
        FindingRow row = finding(RUN, State.FOUND);
        return new FindingRow(
                new Subject.OnNode("aicloud", "nv-ai-03"),
                "node-silent",
                row.since().plusSeconds(60),
                State.FOUND,
                row.lastSeen(),
                Optional.empty(),
                Optional.empty(),
                "",
                "Nothing was heard for 1 h.\u202e",
                "Look at it.",
                "{\"silent_seconds\":3600}",
                FindingRow.Progress.NONE);
    }

    private static Notice notice(Notice.Channel channel, Notice.State state) {
        FindingRow about = finding(RUN, State.TOLD);
        return new Notice(
                "n-" + channel,
                about.subject(),
                about.rule(),
                about.since(),
                new Notice.Aim(
                        channel == Notice.Channel.OWNER ? 1 : 2, channel, Notice.Topic.FINDING, "tlj@its.aau.dk"),
                "tlj@its.aau.dk",
                Optional.of("secret@example.org"),
                state,
                Optional.empty(),
                channel == Notice.Channel.OWNER
                        ? about.since().plusSeconds(60)
                        : about.since().plusSeconds(120),
                about.since().plusSeconds(180),
                1,
                "");
    }

    private List<FindingLine> find(Optional<String> user, Optional<String> rule, Optional<String> job, boolean all)
            throws StoreException {
        return findings.find(new FindingList.Query(user, rule, Optional.empty(), job, all), Page.FIRST)
                .items();
    }

    @Test
    @DisplayName("what is still so, newest first, about jobs and nodes alike, with who was told and no address")
    void open() throws StoreException {
        store.saveFindings(
                List.of(finding(RUN, State.TOLD), onNode()),
                List.of(
                        notice(Notice.Channel.OWNER, Notice.State.DELIVERED),
                        notice(Notice.Channel.STAFF, Notice.State.PLANNED)));
        List<FindingLine> all = find(Optional.empty(), Optional.empty(), Optional.empty(), false);
        assertEquals(List.of("node", "run"), all.stream().map(FindingLine::kind).toList());
        assertEquals(
                List.of(Notice.Channel.OWNER, Notice.Channel.STAFF),
                all.get(1).notices().stream().map(FindingLine.Sent::channel).toList());
        assertEquals(3600, all.get(0).evidence().get("silent_seconds").asInt());
        String page = new FindingText(COPENHAGEN, 120)
                .page(findings.find(
                        new FindingList.Query(
                                Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), false),
                        Page.FIRST));
        assertEquals("""
                node-silent: node nv-ai-03, since 2026-11-20 14:21 (39 min), owner not told
                    Nothing was heard for 1 h.\uFFFD Look at it.

                idle-gpu: job 83549 of tlj@its.aau.dk, since 2026-11-20 14:20 (40 min), owner told 39 min ago, staff notice planned
                    1 of its 2 GPUs has not been used for 1 h. Ask for one GPU.

                Slurm: as of 5 s ago.
                """, page);
        assertFalse((page + new FindingText(COPENHAGEN, 80).csv(all) + all).contains("secret@"), page);
    }

    @Test
    @DisplayName("by user, by rule, by job; suspicions and what is over are left out")
    void filters() throws StoreException {
        store.saveFindings(List.of(finding(RUN, State.RESOLVED), onNode()), List.of());
        assertEquals(
                1,
                find(Optional.empty(), Optional.empty(), Optional.empty(), false)
                        .size());
        assertEquals(
                0,
                find(Optional.of("tlj@its.aau.dk"), Optional.empty(), Optional.empty(), false)
                        .size());
        assertEquals(
                1,
                find(Optional.empty(), Optional.of("node-silent"), Optional.empty(), false)
                        .size());
        assertEquals(
                0,
                find(Optional.empty(), Optional.empty(), Optional.of("83549"), false)
                        .size());
        assertEquals(
                List.of(State.RESOLVED),
                find(Optional.empty(), Optional.empty(), Optional.of("83549"), true).stream()
                        .map(FindingLine::state)
                        .toList());
        store.saveFindings(List.of(finding(RUN, State.SUSPECTED)), List.of());
        assertEquals(
                0,
                find(Optional.empty(), Optional.empty(), Optional.of("83549"), true)
                        .size());
        assertThrows(
                IllegalArgumentException.class, () -> find(Optional.empty(), Optional.empty(), Optional.empty(), true));
    }

    @Test
    @DisplayName("by job, a job that waits as well, and each task of an array that waits")
    void waits() throws StoreException {
        PendingJob pending = Samples.pending(90001, "90000_7");
        Samples.slurmSays(store, List.of(RUN), pending);
        FindingRow about = finding(RUN, State.FOUND);
        store.saveFindings(
                List.of(new FindingRow(
                        new Subject.Waiting(pending.cluster(), pending.jobId(), pending.submit()),
                        "pending-never-starts",
                        about.since(),
                        State.FOUND,
                        about.lastSeen(),
                        Optional.empty(),
                        Optional.empty(),
                        "tlj@its.aau.dk",
                        "It will not start as it is.",
                        "Ask for less.",
                        "{}",
                        FindingRow.Progress.NONE)),
                List.of());
        for (String job : List.of("90001", "90000", "90000_7")) {
            assertEquals(
                    List.of("waiting"),
                    find(Optional.empty(), Optional.empty(), Optional.of(job), false).stream()
                            .map(FindingLine::kind)
                            .toList(),
                    job);
        }
        assertEquals(List.of(), find(Optional.empty(), Optional.empty(), Optional.of("90000_8"), false));
    }
}
