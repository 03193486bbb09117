package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.AllocatedGpu.Confidence;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.run.SlurmUser;
import io.fairwatch.collector.store.MemoryStore;
import io.fairwatch.collector.store.Store.SlurmView;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class SlurmSyncTest {
    private static final long START = 1795178336L;
    private static final String NODES =
            "{\"errors\": [], \"nodes\": [{\"name\": \"gpu01\", \"state\": \"mixed\", \"gres\": \"gpu:v100:16\"}]}";

    private final FakeSlurm slurm;
    private final MemoryStore store = new MemoryStore();
    private Instant now = Instant.ofEpochSecond(START + 60);
    private final SlurmSync sync;

    SlurmSyncTest(@TempDir Path directory) {
        slurm = new FakeSlurm(directory);
        slurm.prints("scontrol", "Configuration data as of now\nClusterName             = lab\nMinJobAge = 300 sec\n");
        slurm.prints("sinfo", NODES);
        slurm.prints("squeue", squeue(running()));
        sacct("");
        slurm.command(
                "sacctmgr",
                "case \"$*\" in",
                "*association*) printf 'lab|root|||||normal|1|||||\\nlab|es|anna|||normal|normal|1|||||\\n';;",
                "*account*) printf 'es|bob|aau|department\\n';;",
                "*user*) echo 'anna|es|None';;",
                "*qos*) echo 'normal|100|gres/gpu=1|||||2-00:00:00';;",
                "*) echo 'PrivateData = none';;",
                "esac");
        sync = sync(slurm.settings(Duration.ofSeconds(30), 1_000_000));
    }

    private SlurmSync sync(SlurmSettings settings) {
        return new SlurmSync(settings, store, runs -> runs, () -> now);
    }

    private void cycleAfter(int seconds) throws InterruptedException {
        now = now.plusSeconds(seconds);
        sync.cycle();
    }

    private static String squeue(String... jobs) {
        return "{\"meta\": {\"Slurm\": {\"release\": \"22.05.8\"}}, \"errors\": [], \"jobs\": ["
                + String.join(",", jobs) + "]}";
    }

    private static String job(String state, long end, String gpus) {
        return """
                {"job_id": 7, "job_state": "%s", "user_id": 21001, "user_name": "anna", "account": "es",
                 "partition": "batch", "qos": "normal", "name": "say \\"hi\\"", "batch_flag": false,
                 "submit_time": %d, "start_time": %d, "end_time": %d, "time_limit": 60, "nodes": "gpu01",
                 "tres_alloc_str": "cpu=8,mem=2G,node=1,gres/gpu=2", "gres_detail": [%s]}""".formatted(state, START - 1, START, end, gpus);
    }

    private static String running() {
        return job("RUNNING", START + 3600, "\"gpu:v100:2(IDX:6-7)\"");
    }

    /** Prints rows whose columns are marked with | in {@code rows}; the real delimiter comes with the call. */
    private void sacct(String rows) {
        slurm.command(
                "sacct",
                "printf '%s\\n' \"$*\" >> '" + slurm.file("sacct.arguments") + "'",
                "for a in \"$@\"; do case $a in --delimiter=*) d=${a#--delimiter=};; esac; done",
                "sed \"s/|/$d/g\" <<'ROWS'",
                rows + (rows.isEmpty() ? "ROWS" : "\nROWS"));
    }

    private static String ended(String state, long end) {
        return "7|7|anna|21001|es|batch|normal|" + state + "|" + (START - 1) + "|" + (START - 1) + "|" + START + "|"
                + end + "|00:01:40|60|billing=8,cpu=8,gres/gpu=2,mem=2G,node=1||gpu01|say `hi`";
    }

    private static AllocatedGpu gpu(int index) {
        return new AllocatedGpu("gpu01", index, Optional.of("v100"), Optional.empty(), Confidence.UNKNOWN);
    }

    @Test
    @DisplayName("a cycle saves jobs, nodes and the cluster's name as one view of one instant")
    void view() throws Exception {
        sync.cycle();

        SlurmView view = store.wholeView();
        assertEquals(now, view.at());
        assertEquals("lab", view.cluster());
        assertEquals(
                List.of("gpu01"), view.nodes().stream().map(SlurmNode::name).toList());
        assertEquals(List.of(gpu(6), gpu(7)), store.only().gpus());
        assertEquals(now, store.only().asOf());
        assertEquals(
                new SlurmSync.Part(Optional.of(now), Optional.empty(), List.of()),
                sync.status().jobs());
        assertEquals(sync.status().jobs(), sync.status().nodes());
        assertEquals(sync.status().jobs(), sync.status().accounting());
    }

    @Test
    @DisplayName("the cluster's name is asked once, and not at all where it is configured")
    void clusterName() throws Exception {
        sync.cycle();
        cycleAfter(15);
        assertEquals(List.of("show config"), slurm.calls("scontrol"));

        SlurmSettings plain = slurm.settings(Duration.ofSeconds(30), 1_000_000);
        sync(new SlurmSettings(
                        plain.binaries(),
                        plain.prefix(),
                        plain.slurmConf(),
                        Optional.of("configured"),
                        plain.every(),
                        plain.accountingEvery(),
                        plain.accountsEvery(),
                        plain.timeout(),
                        plain.maxOutputBytes(),
                        plain.overlap(),
                        plain.history(),
                        plain.rest()))
                .cycle();
        assertEquals("configured", store.wholeView().cluster());
    }

    @Test
    @DisplayName("accounts, users and QoS are read at once and then by the hour")
    void accounts() throws Exception {
        sync.cycle();
        AccountTree tree = store.accounts().orElseThrow();
        assertEquals(
                List.of("root"), tree.accounts().stream().map(Account::name).toList());
        assertEquals("es", tree.of("anna").get(0).account());
        assertEquals(Optional.of(now), sync.status().accounts().lastSuccess());
        assertEquals(List.of(), sync.status().missingRights());

        cycleAfter(1800);
        assertEquals(tree.at(), store.accounts().orElseThrow().at());
        cycleAfter(1800);
        assertEquals(now, store.accounts().orElseThrow().at());
    }

    @Test
    @DisplayName("when the clock is set back everything is read at once, and then as often as before")
    void clockSetBack() throws Exception {
        sync.cycle();
        cycleAfter(-7200);
        Instant back = now;
        assertEquals(Optional.of(back), sync.status().jobs().lastSuccess());
        assertEquals(Optional.of(back), sync.status().accounting().lastSuccess());
        assertEquals(Optional.of(back), sync.status().accounts().lastSuccess());
        cycleAfter(1800);
        assertEquals(Optional.of(back), sync.status().accounts().lastSuccess());
        assertEquals(Optional.of(now), sync.status().accounting().lastSuccess());
    }

    @Test
    @DisplayName("where Slurm keeps no accounting nobody asks for it, and nothing is wrong")
    void noAccounting() throws Exception {
        slurm.prints("scontrol", "ClusterName = lab\nAccountingStorageType   = (null)\n");
        slurm.command("sacct", "exit 1");
        slurm.command("sacctmgr", "exit 1");
        sync.cycle();
        assertEquals(Optional.of(now), sync.status().jobs().lastSuccess());
        assertEquals(SlurmSync.Part.NEVER, sync.status().accounting());
        assertEquals(SlurmSync.Part.NEVER, sync.status().accounts());
        assertFalse(sync.keepsAccounting());
    }

    @Test
    @DisplayName("a user who sees only own jobs is told which right is missing")
    void missingRight() throws Exception {
        slurm.prints(
                "scontrol",
                "ClusterName = lab\nAccountingStorageType = accounting_storage/slurmdbd\nPrivateData = jobs,usage\n");
        SlurmSettings plain = slurm.settings(
                Duration.ofSeconds(30), 1_000_000, slurm.file("as-anna").toString());
        slurm.command("as-anna", "case $1 in id) echo anna;; *) exec \"$@\";; esac");
        SlurmSync asAnna = sync(plain);
        asAnna.cycle();
        assertEquals(1, asAnna.status().missingRights().size());
        String sentence = asAnna.status().missingRights().get(0);
        assertTrue(sentence.contains("only its own jobs"), sentence);
        assertTrue(sentence.contains("sacctmgr modify user anna set adminlevel=Operator"), sentence);
    }

    @Test
    @DisplayName("that it was an Operator once counts no more when accounting tells it nothing of users")
    void lostRight() throws Exception {
        slurm.prints(
                "scontrol",
                "ClusterName = lab\nAccountingStorageType = accounting_storage/slurmdbd\nPrivateData = jobs,users\n");
        slurm.command(
                "sacctmgr",
                "case \"$*\" in",
                "*configuration*) echo 'PrivateData = users';;",
                "*) echo 'sacctmgr: error: Access/permission denied' >&2; exit 1;;",
                "esac");
        slurm.command("as-anna", "case $1 in id) echo anna;; *) exec \"$@\";; esac");
        store.saveAccounts(new AccountTree(
                now,
                "lab",
                List.of(),
                List.of(),
                List.of(new SlurmUser("anna", Optional.of("es"), "Operator")),
                List.of()));
        SlurmSync asAnna = sync(slurm.settings(
                Duration.ofSeconds(30), 1_000_000, slurm.file("as-anna").toString()));
        asAnna.cycle();
        assertEquals(2, asAnna.status().missingRights().size(), asAnna.status()::toString);
    }

    @Test
    @DisplayName("the devices behind Slurm's numbers are found before anything is saved")
    void translation() throws Exception {
        AllocatedGpu found =
                new AllocatedGpu("gpu01", 6, Optional.of("v100"), Optional.of("GPU-1"), Confidence.CERTAIN);
        new SlurmSync(
                        slurm.settings(Duration.ofSeconds(30), 1_000_000),
                        store,
                        runs -> runs.stream()
                                .map(run -> run.withGpus(List.of(found)))
                                .toList(),
                        () -> now)
                .cycle();
        assertEquals(List.of(found), store.only().gpus());
    }

    @Test
    @DisplayName("an empty list with errors ends nobody: the last view stays, and since when is told")
    void controllerDown() throws Exception {
        sync.cycle();
        Instant good = now;
        slurm.prints("squeue", "{\"errors\": [{\"description\": \"Failed while looking for jobs\"}], \"jobs\": []}");
        cycleAfter(15);
        Instant bad = now;
        cycleAfter(15);

        assertEquals(good, store.wholeView().at());
        assertEquals(Optional.empty(), store.only().end());
        assertEquals(good, store.only().asOf());
        assertEquals(Optional.of(good), sync.status().jobs().lastSuccess());
        assertEquals(
                Optional.of(new SlurmSync.Failure(bad, "squeue could not answer: Failed while looking for jobs")),
                sync.status().jobs().failure());

        slurm.prints("squeue", squeue(running()));
        cycleAfter(15);
        assertEquals(now, store.only().asOf());
        assertEquals(Optional.empty(), sync.status().jobs().failure());
    }

    @Test
    @DisplayName("with the controller down from the start accounting still answers, under the name known before")
    void accountingWithoutController() throws Exception {
        store.saveView(new SlurmView(now.minusSeconds(600), "lab", List.of(), List.of(), List.of()));
        slurm.command("scontrol", "exit 1");
        slurm.command("squeue", "exit 1");
        sacct(ended("COMPLETED", START + 30));
        sync.cycle();

        assertTrue(sync.status().jobs().failure().isPresent());
        assertEquals("lab", store.only().key().cluster());
        assertEquals(Optional.of(now), sync.status().accounting().lastSuccess());
    }

    @Test
    @DisplayName("without nodes the jobs still come, with the nodes known last")
    void nodesFail() throws Exception {
        sync.cycle();
        slurm.command("sinfo", "exit 1");
        cycleAfter(15);

        assertEquals(now, store.wholeView().at());
        assertEquals(1, store.wholeView().nodes().size());
        assertEquals(Optional.empty(), sync.status().jobs().failure());
        assertTrue(sync.status().nodes().failure().isPresent());
    }

    @Test
    @DisplayName("without accounting the live part goes on, and nothing counts as known of ended jobs")
    void accountingOff() throws Exception {
        slurm.command("sacct", "echo 'Slurm accounting storage is disabled' >&2", "exit 1");
        sync.cycle();

        assertEquals(1, store.runs().size());
        assertEquals(
                Optional.of(
                        new SlurmSync.Failure(now, "sacct ended with status 1: Slurm accounting storage is disabled")),
                sync.status().accounting().failure());
        assertEquals(Optional.empty(), store.accountingUntil());
    }

    @Test
    @DisplayName("accounting ends a run, and leaves what squeue knew better: name, kind and GPUs")
    void accountingEndsARun() throws Exception {
        sync.cycle();
        slurm.prints("squeue", squeue());
        sacct(ended("CANCELLED by 21004", START + 90));
        cycleAfter(60);

        Run run = store.only();
        assertEquals(Optional.of(Instant.ofEpochSecond(START + 90)), run.end());
        assertEquals("CANCELLED by 21004", run.stateText());
        assertEquals(Duration.ofSeconds(100), run.suspended());
        assertEquals("say \"hi\"", run.name());
        assertTrue(run.interactive());
        assertEquals(List.of(gpu(6), gpu(7)), run.gpus());
        assertEquals(now, run.asOf());
    }

    @Test
    @DisplayName("what squeue still remembers of an ended job does not overwrite what accounting told")
    void accountingKnowsMore() throws Exception {
        sync.cycle();
        slurm.prints("squeue", squeue(job("CANCELLED", START + 90, "")));
        sacct(ended("CANCELLED by 21004", START + 90));
        cycleAfter(60);
        cycleAfter(15);
        cycleAfter(60);
        cycleAfter(15);

        assertEquals("CANCELLED by 21004", store.only().stateText());
        assertEquals(OptionalInt.of(2), store.only().allocation().gpus());
    }

    @Test
    @DisplayName("a record told again is not saved again")
    void idempotent() throws Exception {
        sacct(ended("COMPLETED", START + 30));
        slurm.prints("squeue", squeue());
        sync.cycle();
        Run first = store.only();
        cycleAfter(60);

        assertEquals(1, store.saved().size());
        assertEquals(first, store.only());
    }

    @Test
    @DisplayName("each window reaches back over the last one; the first over the history")
    void windows() throws Exception {
        sync.cycle();
        assertEquals(Optional.of(now), store.accountingUntil());
        cycleAfter(30);
        cycleAfter(30);

        List<String> calls = slurm.calls("sacct");
        assertEquals(2, calls.size(), calls.toString());
        assertEquals(
                Optional.of(now.minusSeconds(60 + 12 * 3600 + 600)),
                store.accountingFrom(),
                "what is older is history");
        // 12 h of history and 10 min of overlap; then 60 s and 10 min; each rounded up by a second
        assertTrue(calls.get(0).contains("-S now-" + (12 * 3600 + 600 + 1)), calls.get(0));
        assertTrue(calls.get(1).contains("-S now-" + (60 + 600 + 1)), calls.get(1));
        assertFalse(calls.get(1).contains("-E"), calls.get(1));
    }

    @Test
    @DisplayName("a long absence is caught up by the day, one day a cycle, so that live jobs do not wait for it")
    void catchUp() throws Exception {
        Instant before = now;
        store.saveAccountingUntil(now.minus(Duration.ofHours(50)));
        sync.cycle();
        assertEquals(Optional.of(before.minus(Duration.ofHours(26))), store.accountingUntil());
        cycleAfter(15);
        cycleAfter(15);

        assertEquals(3, slurm.calls("sacct").size());
        assertTrue(slurm.calls("sacct").get(0).endsWith("-E now-" + 26 * 3600));
        assertTrue(slurm.calls("sacct").get(1).endsWith("-E now-" + (2 * 3600 + 15)));
        assertEquals(Optional.of(now), store.accountingUntil());
    }

    @Test
    @DisplayName("a failed reading of accounting is made up for by the next: its window begins at the last good one")
    void windowAfterFailure() throws Exception {
        sync.cycle();
        Instant good = now;
        slurm.command("sacct", "exit 1");
        cycleAfter(1800);
        assertEquals(Optional.of(good), store.accountingUntil());
        sacct("");
        cycleAfter(60);
        assertTrue(slurm.calls("sacct").get(1).contains("-S now-" + (1860 + 600 + 1)));
    }

    @Test
    @DisplayName("a run that vanished without an end is asked for by number, and stays open until accounting tells one")
    void vanished() throws Exception {
        sync.cycle();
        Instant lastSeen = now;
        slurm.prints("squeue", squeue());
        sacct("7|7|anna|21001|es|batch|normal|RUNNING|" + (START - 1) + "|" + (START - 1) + "|" + START
                + "|Unknown|00:00:00|60|cpu=8||gpu01|runaway");
        cycleAfter(900);
        assertEquals(Optional.empty(), store.only().end());
        assertEquals(lastSeen, store.only().asOf());
        assertTrue(slurm.calls("sacct").stream().anyMatch(call -> call.endsWith("-j 7")));

        sacct(ended("COMPLETED", START + 90));
        cycleAfter(900);
        assertEquals(JobState.COMPLETED, store.only().state());
    }

    @Test
    @DisplayName("problems are told and cost only themselves")
    void problems() throws Exception {
        slurm.prints("squeue", squeue(running(), "{\"job_id\": 8}"));
        sync.cycle();

        assertEquals(List.of("job 8: has no job_state"), sync.status().jobs().problems());
        assertEquals(1, store.runs().size());
    }

    @Test
    @DisplayName("a store that cannot save makes the part fail, and the next cycle tries again")
    void storeFails() throws Exception {
        store.broken = true;
        sync.cycle();
        assertEquals(
                "the disk is full", sync.status().jobs().failure().orElseThrow().message());
        store.broken = false;
        cycleAfter(15);
        assertEquals(Optional.of(now), sync.status().jobs().lastSuccess());
    }

    @Test
    @DisplayName("memory that runs out in a cycle is told with its cause, and costs that part only")
    void outOfMemory() throws Exception {
        SlurmSync poor = new SlurmSync(
                slurm.settings(Duration.ofSeconds(30), 1_000_000),
                store,
                runs -> {
                    throw new OutOfMemoryError("Java heap space");
                },
                () -> now);
        poor.cycle();
        assertEquals(
                "the collector's memory is too small for the answer (Java heap space); -Xmx",
                poor.status().jobs().failure().orElseThrow().message());
        assertEquals(Optional.of(now), poor.status().accounting().lastSuccess());
    }

    @Test
    @DisplayName("a slow squeue costs its deadline, not the cycle")
    void slow() throws Exception {
        SlurmSync impatient = sync(slurm.settings(Duration.ofSeconds(3), 1_000_000));
        slurm.command("squeue", "exec sleep 300");
        impatient.cycle();
        assertEquals(
                "squeue did not answer within 3 s and was stopped",
                impatient.status().jobs().failure().orElseThrow().message());
        assertEquals(Optional.of(now), impatient.status().accounting().lastSuccess());
    }

    @Test
    @DisplayName("a job whose cloud node still boots is no run yet; one that is configured on a running node is")
    void cloudNode() throws Exception {
        slurm.prints("squeue", squeue(job("CONFIGURING", START + 3600, "\"gpu:v100:2(IDX:6-7)\"")));
        slurm.prints("sinfo", NODES.replace("\"mixed\"", "\"mixed\", \"state_flags\": [\"CLOUD\", \"POWERING_UP\"]"));
        sync.cycle();
        assertEquals(List.of(), store.runs());
        assertEquals(
                Optional.of("powering_up"), store.wholeView().nodes().get(0).offBecause());

        slurm.prints("sinfo", NODES.replace("\"mixed\"", "\"mixed\", \"state_flags\": [\"CLOUD\"]"));
        cycleAfter(15);
        assertEquals(JobState.CONFIGURING, store.only().state());
    }

    @Test
    @DisplayName("from 23.02 on nodes are asked from scontrol")
    void newerNodes() throws Exception {
        slurm.prints("squeue", squeue(running()).replace("22.05.8", "23.11.4"));
        slurm.command(
                "scontrol",
                "case $2 in",
                "config) echo 'ClusterName = lab';;",
                "nodes) cat '" + slurm.file("sinfo.out") + "';;",
                "esac");
        slurm.command("sinfo", "exit 1");
        sync.cycle();
        assertEquals(1, store.wholeView().nodes().size());
        assertEquals(Optional.empty(), sync.status().nodes().failure());
    }
}
