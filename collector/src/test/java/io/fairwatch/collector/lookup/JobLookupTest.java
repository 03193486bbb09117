package io.fairwatch.collector.lookup;

import static io.fairwatch.collector.Golden.assertGolden;
import static io.fairwatch.collector.lookup.Samples.COPENHAGEN;
import static io.fairwatch.collector.lookup.Samples.NOON;
import static io.fairwatch.collector.lookup.Samples.NOW;
import static io.fairwatch.collector.lookup.Samples.SLURM_AT;
import static io.fairwatch.collector.lookup.Samples.allocated;
import static io.fairwatch.collector.lookup.Samples.gpu;
import static io.fairwatch.collector.lookup.Samples.running;
import static io.fairwatch.collector.store.Given.using;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.collector.lookup.JobLookup.Answer;
import io.fairwatch.collector.lookup.Samples.Sent;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What people read who ask for a job, from a real store. */
class JobLookupTest {
    private static final String NODE = "nv-ai-01";

    private final Store store;

    JobLookupTest(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private Answer ask(String id) throws StoreException {
        return new JobLookup(store, () -> NOW, Samples.SETTINGS).find(id);
    }

    private Answer.Found found(String id) throws StoreException {
        return assertInstanceOf(Answer.Found.class, ask(id));
    }

    private String page(String id) throws StoreException {
        return new JobText(COPENHAGEN).page(found(id));
    }

    private static List<Long> jobs(Answer.Found found) {
        return found.views().stream().map(view -> view.run().key().jobId()).toList();
    }

    @Test
    @DisplayName("a running job with one busy GPU and one that fell idle")
    void oneIdle() throws Exception {
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 3), allocated(NODE, 4))));
        Samples.send(
                store,
                NODE,
                NOON,
                NOW.minusSeconds(10),
                (number, at) -> new Sent(
                        List.of(
                                gpu(NODE, 3, 0.98, 0.66, 30_994, 83549),
                                number <= 40 ? gpu(NODE, 4, 0.5, 0.2, 8_000, 83549) : gpu(NODE, 4, 0, 0, 4)),
                        List.of(Samples.cgroup(83549, at))));
        assertGolden("lookup/one-idle.txt", page("83549"));
    }

    @Test
    @DisplayName("of a GPU that it shares a job is told its own part, and what is an estimate is called one")
    void shared() throws Exception {
        Samples.slurmSays(store, List.of(running(83549), running(83550), running(83551)));
        Samples.send(
                store,
                NODE,
                NOON,
                NOW.minusSeconds(10),
                (number, at) -> new Sent(
                        List.of(
                                on(
                                        gpu(NODE, 3, 0.9, 0.4, 30_000),
                                        using(1, 83549, 0.6, 3L << 30),
                                        using(2, 83550, 0.2, 1 << 30)),
                                on(
                                        gpu(NODE, 4, 0.8, 0.4, 2_048),
                                        using(3, 83551, -1, -1),
                                        using(4, 83550, 0.1, 1 << 20))),
                        List.of()));
        String told = page("83549");
        assertTrue(told.contains(" 60 % "), told);
        assertTrue(told.contains(" 3.0 GiB of "), told);
        assertTrue(
                told.contains(
                        "Shared with others: nv-ai-01 index 3. Busy and memory are what this job's own processes had"
                                + " of it.\n"),
                told);
        assertFalse(told.contains("estimate"), told);
        String estimated = page("83551");
        assertTrue(estimated.contains(" 40 % (estimate) "), estimated);
        assertTrue(estimated.contains(" 1.0 GiB of 31.7 GiB (estimate) "), estimated);
        assertTrue(estimated.contains("; an estimate divides the GPU's by the jobs on it"), estimated);
    }

    /** The same GPU with these processes. */
    private static GpuReading on(GpuReading gpu, GpuProcess... processes) {
        return new GpuReading(
                gpu.device(),
                gpu.utilization(),
                gpu.memoryUtilization(),
                gpu.memoryUsedBytes(),
                gpu.memoryReservedBytes(),
                gpu.powerWatts(),
                gpu.powerLimitWatts(),
                gpu.energyJoules(),
                gpu.temperatureCelsius(),
                gpu.smClockHertz(),
                Optional.of(List.of(processes)),
                gpu.detail());
    }

    @Test
    @DisplayName("a job that has ended")
    void finished() throws Exception {
        store.saveRuns(List.of(Samples.run(
                83549,
                Run.JobIds.PLAIN,
                "train-llm",
                NOON,
                Optional.of(Instant.parse("2026-11-20T13:30:00Z")),
                List.of(NODE),
                allocated(NODE, 3))));
        Samples.sendAllTheTime(store, NODE, gpu(NODE, 3, 0.98, 0.66, 30_994, 83549));
        assertGolden("lookup/finished.txt", page("83549"));
    }

    @Test
    @DisplayName("a job on two nodes, one of which never reported")
    void silentNode() throws Exception {
        Samples.slurmSays(
                store,
                List.of(Samples.run(
                        83549,
                        Run.JobIds.PLAIN,
                        "train-llm",
                        NOON,
                        Optional.empty(),
                        List.of(NODE, "nv-ai-02"),
                        allocated(NODE, 3),
                        allocated("nv-ai-02", 0))));
        Samples.sendAllTheTime(store, NODE, gpu(NODE, 3, 0.98, 0.66, 30_994, 83549));
        assertGolden("lookup/silent-node.txt", page("83549"));
    }

    @Test
    @DisplayName("a job on two nodes that both report")
    void twoNodes() throws Exception {
        Samples.slurmSays(
                store,
                List.of(Samples.run(
                        83549,
                        Run.JobIds.PLAIN,
                        "train-llm",
                        NOON,
                        Optional.empty(),
                        List.of(NODE, "nv-ai-02"),
                        allocated(NODE, 3),
                        allocated("nv-ai-02", 0))));
        Samples.sendAllTheTime(store, NODE, gpu(NODE, 3, 0.98, 0.66, 30_994, 83549));
        Samples.sendAllTheTime(store, "nv-ai-02", gpu("nv-ai-02", 0, 0.4, 0.1, 1_000, 83549));
        assertGolden("lookup/two-nodes.txt", page("83549"));
    }

    @Test
    @DisplayName("of a requeued job its newest run, and how many there were")
    void requeued() throws Exception {
        store.saveRuns(List.of(Samples.run(
                83549,
                Run.JobIds.PLAIN,
                "train-llm",
                NOON.minus(Duration.ofHours(5)),
                Optional.of(NOON.minus(Duration.ofHours(1))),
                List.of(NODE),
                allocated(NODE, 1))));
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 3))));
        Samples.sendAllTheTime(store, NODE, gpu(NODE, 3, 0.98, 0.66, 30_994, 83549));
        assertGolden("lookup/requeued.txt", page("83549"));
    }

    @Test
    @DisplayName("a task of an array by the number that people know")
    void arrayTask() throws Exception {
        array();
        assertEquals(List.of(8L), jobs(found("5_3")));
        assertTrue(page("5_3").startsWith("Job 5_3 (8) \"sweep\" of tlj@its.aau.dk: running on nv-ai-01 since "));
    }

    @Test
    @DisplayName("a whole array: each of its tasks that ran, the last started first")
    void wholeArray() throws Exception {
        array();
        assertEquals(List.of(9L, 8L), jobs(found("5")));
        assertGolden("lookup/array.txt", page("5"));
    }

    private void array() throws StoreException {
        Samples.slurmSays(
                store,
                List.of(
                        Samples.run(
                                8,
                                Samples.task(5, 3),
                                "sweep",
                                NOON,
                                Optional.empty(),
                                List.of(NODE),
                                allocated(NODE, 3)),
                        Samples.run(
                                9,
                                Samples.task(5, 4),
                                "sweep",
                                NOON.plusSeconds(60),
                                Optional.empty(),
                                List.of(NODE),
                                allocated(NODE, 4))));
        Samples.sendAllTheTime(store, NODE, gpu(NODE, 3, 0.98, 0.66, 30_994, 8), gpu(NODE, 4, 0.97, 0.65, 30_000, 9));
    }

    @Test
    @DisplayName("of an array with more than fifty tasks, fifty and the number of the others")
    void largeArray() throws Exception {
        List<Run> tasks = new ArrayList<>();
        for (int task = 0; task < 53; task++) {
            tasks.add(Samples.run(100 + task, Samples.task(100, task), "sweep", NOON, Optional.empty(), List.of(NODE)));
        }
        Samples.slurmSays(store, tasks);
        assertEquals(50, found("100").views().size());
        assertTrue(page("100").endsWith("\n\nAnd 3 more parts, not shown.\n"), page("100"));
    }

    @Test
    @DisplayName(
            "the rest of an array that waits is told after the tasks that run, and a requeued job that waits again")
    void waitingRest() throws Exception {
        Run task = Samples.run(8, Samples.task(5, 3), "sweep", NOON, Optional.empty(), List.of(NODE));
        PendingJob rest = new PendingJob(
                "lab",
                5,
                "5_[4-99%4]",
                task.owner(),
                "sweep",
                NOON.minusSeconds(60),
                "JobArrayTaskLimit",
                "gres/gpu=1");
        PendingJob stranger = new PendingJob(
                "lab",
                5,
                "5",
                new Run.Owner("mallory", OptionalInt.empty(), "x", "batch", "normal"),
                "secret",
                NOON,
                "Resources",
                "");
        store.saveView(new Store.SlurmView(SLURM_AT, "lab", List.of(task), List.of(rest, stranger), List.of()));
        assertTrue(
                page("5").endsWith("\nJob 5_[4-99%4] waits since 2026-11-20 12:59 (JobArrayTaskLimit).\n"), page("5"));
        assertFalse(page("8").contains("waits since"), page("8"));
    }

    @Test
    @DisplayName("a component of a heterogeneous job")
    void component() throws Exception {
        Samples.slurmSays(
                store,
                List.of(
                        Samples.run(
                                6, Samples.component(6, 0), "coupled", NOON, Optional.empty(), List.of("a256-t4-01")),
                        Samples.run(
                                7,
                                Samples.component(6, 1),
                                "coupled",
                                NOON,
                                Optional.empty(),
                                List.of(NODE),
                                allocated(NODE, 3))));
        assertEquals(List.of(7L), jobs(found("6+1")));
        assertEquals(List.of(7L, 6L), jobs(found("6")));
        assertTrue(page("6+1").startsWith("Job 6+1 (7) \"coupled\" of "), page("6+1"));
    }

    @Test
    @DisplayName("GPUs that Slurm does not know are shown when processes of the job were seen on them")
    void notKnownToSlurm() throws Exception {
        Samples.slurmSays(store, List.of(running(83549)));
        Samples.sendAllTheTime(store, NODE, gpu(NODE, 1, 0.3, 0.1, 2_000, 83549), gpu(NODE, 2, 0.9, 0.1, 2_000, 77));
        assertGolden("lookup/not-known-to-slurm.txt", page("83549"));
    }

    @Test
    @DisplayName("a job without GPUs by Slurm and by the nodes")
    void noGpu() throws Exception {
        Samples.slurmSays(store, List.of(running(83549)));
        Samples.sendAllTheTime(store, NODE);
        String page = page("83549");
        assertTrue(page.contains("It holds no GPU that Slurm knows of, 16 CPUs"), page);
        assertTrue(page.contains("No process of this job was seen on a GPU.\n"), page);
        assertTrue(page.contains("Readings: none of a GPU, one every 30 s.\n"), page);
    }

    @Test
    @DisplayName("GPUs that Slurm gave and did not name are not called idle")
    void notNamed() throws Exception {
        Samples.slurmSays(store, List.of(Samples.withGpuCount(running(83549), 2)));
        Samples.sendAllTheTime(store, NODE, gpu(NODE, 1, 0, 0, 0));
        assertGolden("lookup/not-named.txt", page("83549"));
    }

    @Test
    @DisplayName("without any reading everything is unknown, and no line pretends to be nvidia-smi's")
    void noReadings() throws Exception {
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 3))));
        assertGolden("lookup/no-readings.txt", page("83549"));
        assertEquals(
                JobText.CSV_HEADER + "\n",
                new JobText(COPENHAGEN).csv(found("83549").views()));
    }

    @Test
    @DisplayName("readings that the driver does not offer are unknown in words and [N/A] in the lines, never 0")
    void absentReadings() throws Exception {
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 3))));
        Samples.sendAllTheTime(store, NODE, Samples.mute(NODE, 3));
        assertGolden("lookup/absent-readings.txt", page("83549"));
        assertEquals("""
                index, timestamp, utilization.gpu [%], utilization.memory [%], memory.total [MiB], memory.used [MiB], memory.free [MiB]
                3, 2026/11/20 15:00:00.000, [N/A], [N/A], [N/A], [N/A], [N/A]
                """, new JobText(COPENHAGEN).csv(found("83549").views()));
    }

    @Test
    @DisplayName("the lines are nvidia-smi's to the letter")
    void csv() throws Exception {
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 0))));
        Instant at = Instant.parse("2026-11-20T13:02:14.854Z");
        store.append(List.of(Samples.snapshot(
                NODE, at, Sent.of(gpu(NODE, 0, 0.98, 0.66, 30_994, 83549)), Optional.empty(), Map.of())));
        assertEquals("""
                index, timestamp, utilization.gpu [%], utilization.memory [%], memory.total [MiB], memory.used [MiB], memory.free [MiB]
                0, 2026/11/20 14:02:14.854, 98 %, 66 %, 32480 MiB, 30994 MiB, 1486 MiB
                """, new JobText(COPENHAGEN).csv(found("83549").views()));
    }

    @Test
    @DisplayName("a device that is not certain is called so")
    void doubt() throws Exception {
        Samples.slurmSays(
                store,
                List.of(running(
                        83549,
                        new AllocatedGpu(
                                NODE,
                                3,
                                Optional.of("v100"),
                                Optional.of(Samples.uuid(NODE, 3)),
                                AllocatedGpu.Confidence.ASSUMED),
                        new AllocatedGpu(
                                NODE, 4, Optional.of("v100"), Optional.empty(), AllocatedGpu.Confidence.UNKNOWN))));
        Samples.sendAllTheTime(store, NODE, gpu(NODE, 3, 0.98, 0.66, 30_994, 83549));
        String page = page("83549");
        assertTrue(page.contains("nv-ai-01 #3 (probably) Tesla V100-SXM3-32GB "), page);
        assertTrue(page.contains("nv-ai-01 #4 (device unknown) v100 "), page);
    }

    @Test
    @DisplayName("a job's name stays on its line and moves no cursor, whatever is in it")
    void hostileName() throws Exception {
        Samples.slurmSays(
                store,
                List.of(Samples.run(
                        83549,
                        Run.JobIds.PLAIN,
                        "<b>x</b>\nJob 1 \u001b[2J\u001b]0;owned\u0007 \u202Egnp.exe\u2028end",
                        NOON,
                        Optional.empty(),
                        List.of(NODE))));
        assertEquals(
                "Job 83549 \"<b>x</b> Job 1 \uFFFD[2J\uFFFD]0;owned\uFFFD \uFFFDgnp.exe end\" of tlj@its.aau.dk:"
                        + " running on nv-ai-01 since 2026-11-20 13:00 (2 h of 2 days).",
                page("83549").lines().findFirst().orElseThrow());
    }

    @Test
    @DisplayName("that GPUs are simulated is said first")
    void simulated() throws Exception {
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 3))));
        store.append(List.of(Samples.snapshot(
                NODE,
                NOW.minusSeconds(10),
                Sent.of(gpu(NODE, 3, 0.98, 0.66, 30_994, 83549)),
                Optional.of("The GPUs of this node are simulated."),
                Map.of())));
        assertTrue(page("83549").startsWith("** The GPUs of this node are simulated. **\nJob 83549 "));
    }

    @Test
    @DisplayName("when Slurm has not answered for long, the job may have ended, and that is said")
    void staleSlurm() throws Exception {
        Instant asked = NOW.minus(Duration.ofMinutes(20));
        Run run = new Run(
                running(83549).key(),
                Run.JobIds.PLAIN,
                running(83549).owner(),
                "train-llm",
                false,
                NOON,
                Optional.empty(),
                Optional.empty(),
                Duration.ZERO,
                running(83549).state(),
                "RUNNING",
                running(83549).allocation(),
                List.of(),
                asked);
        Samples.slurmSays(store, asked, List.of(run));
        String page = page("83549");
        assertTrue(
                page.contains(
                        "Slurm does not answer since 2026-11-20 14:40; the job may have ended in the meantime.\n"),
                page);
        assertTrue(page.contains("(2 h, no time limit)"), page);
    }

    @Test
    @DisplayName("a job that Slurm no longer lists has ended, though nobody knows when")
    void noLongerListed() throws Exception {
        Instant last = NOW.minusSeconds(40);
        Samples.slurmSays(store, last, List.of(running(83549)));
        Samples.slurmSays(store, SLURM_AT.plusSeconds(3), List.of());
        String page = page("83549");
        assertTrue(
                page.contains("Slurm does not list it any more since 2026-11-20 15:00: it has ended, and accounting has"
                        + " not told when, or it is hidden from the collector.\n"),
                page);
        assertFalse(page.contains("does not answer"), page);
    }

    @Test
    @DisplayName("findings are shown with what became of them; suspicions are not")
    void findings() throws Exception {
        Run run = running(83549, allocated(NODE, 3));
        Samples.slurmSays(store, List.of(run));
        store.saveFindings(List.of(Samples.finding(run, FindingRow.State.TOLD)), List.of());
        assertTrue(
                page("83549")
                        .contains("Finding idle-gpu since 2026-11-20 14:20: 1 of its 2 GPUs has not been used for 1 h."
                                + " (owner told 2026-11-20 14:21)\n"),
                page("83549"));
        store.saveFindings(List.of(Samples.finding(run, FindingRow.State.RESOLVED)), List.of());
        assertTrue(
                page("83549").contains("Earlier finding idle-gpu, 2026-11-20 14:20 to 2026-11-20 14:40.\n"),
                page("83549"));
        store.saveFindings(List.of(Samples.finding(run, FindingRow.State.SUSPECTED)), List.of());
        assertFalse(page("83549").contains("idle-gpu"), page("83549"));
    }

    @Test
    @DisplayName("a job that waits has not started, and Slurm's reason is told")
    void pending() throws Exception {
        Samples.slurmSays(store, List.of(), Samples.pending(83549, "83549"));
        Answer.Pending waits = assertInstanceOf(Answer.Pending.class, ask("83549"));
        assertEquals(
                "Job 83549 of tlj@its.aau.dk has not started: it waits since 2026-11-20 14:50 (Resources), so there is"
                        + " nothing to see yet.\n",
                new JobText(COPENHAGEN).pending(waits.job()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"5", "5_3", "5_4", "5_10", "5_20"})
    @DisplayName("a task that waits is found within the rest of its array")
    void pendingTask(String id) throws Exception {
        Samples.slurmSays(store, List.of(), Samples.pending(5, "5_[3-4,10-20:5%2]"));
        assertInstanceOf(Answer.Pending.class, ask(id));
    }

    @ParameterizedTest
    @ValueSource(strings = {"5_2", "5_11", "5_21", "5+3", "55_3"})
    @DisplayName("a task that does not wait is not found there")
    void otherTask(String id) throws Exception {
        Samples.slurmSays(store, List.of(), Samples.pending(5, "5_[3-4,10-20:5%2]"));
        assertInstanceOf(Answer.Unknown.class, ask(id));
    }

    @Test
    @DisplayName("a task may be behind the dots that Slurm puts at the end of a long list")
    void cutList() throws Exception {
        Samples.slurmSays(store, List.of(), Samples.pending(5, "5_[1,3,5,7,9,...]"));
        assertInstanceOf(Answer.Pending.class, ask("5_811"));
    }

    @Test
    @DisplayName("a component that waits is found")
    void pendingComponent() throws Exception {
        Samples.slurmSays(store, List.of(), Samples.pending(6, "6+0"), Samples.pending(7, "6+1"));
        assertEquals(7, assertInstanceOf(Answer.Pending.class, ask("6+1")).job().jobId());
    }

    @Test
    @DisplayName("an id that nobody knows is unknown, with when Slurm was asked")
    void unknown() throws Exception {
        JobText text = new JobText(COPENHAGEN);
        Answer.Unknown before = assertInstanceOf(Answer.Unknown.class, ask("83549"));
        assertEquals(
                "Job 83549 is not known: Slurm does not list it, and it has not run since Fairwatch watches, which has"
                        + " had no answer from Slurm yet.\n",
                text.unknown(before.id(), before.slurmAsOf()));
        Samples.slurmSays(store, List.of());
        Answer.Unknown after = assertInstanceOf(Answer.Unknown.class, ask(" 83549 "));
        assertEquals(
                "Job 83549 is not known: Slurm does not list it, and it has not run since Fairwatch watches (Slurm"
                        + " asked at 2026-11-20 15:00).\n",
                text.unknown(after.id(), after.slurmAsOf()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "abc",
                "5_",
                "_3",
                "5_3_4",
                "5+",
                "5.batch",
                "-1",
                "1e3",
                "../5",
                "5\n6",
                "1234567890123456789"
            })
    @DisplayName("what is no job id is refused with what one looks like")
    void malformed(String id) {
        IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, () -> ask(id));
        String sentence = String.valueOf(refused.getMessage());
        assertTrue(sentence.endsWith("(expected: a number such as 83549, or 83549_3, or 83549+1)"), sentence);
        assertFalse(sentence.contains("\n"), sentence);
    }

    @Test
    @DisplayName("another job's task with the same number is another job")
    void plainIsNoTask() throws Exception {
        Samples.slurmSays(store, List.of(running(83549)));
        assertInstanceOf(Answer.Unknown.class, ask("83549_3"));
        assertEquals(
                OptionalLong.empty(), found("83549").views().get(0).run().ids().arrayTaskId());
    }
}
