package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.AllocatedGpu.Confidence;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SqueueParserTest {
    /** Half a minute after the recording. */
    private static final Instant AT = Instant.ofEpochSecond(1795178400);

    private static final Instant START = Instant.ofEpochSecond(1795178336);

    private static SqueueParser.Jobs parse(String json) {
        return parse(json.getBytes(StandardCharsets.UTF_8));
    }

    private static SqueueParser.Jobs parse(byte[] json) {
        try {
            return SqueueParser.parse(new ByteArrayInputStream(json), "lab", AT, UnaryOperator.identity());
        } catch (SlurmException | IOException e) {
            throw new AssertionError(e);
        }
    }

    private static SlurmException refused(String json) {
        byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
        return assertThrows(
                SlurmException.class,
                () -> SqueueParser.parse(new ByteArrayInputStream(bytes), "lab", AT, UnaryOperator.identity()));
    }

    private static Run run(SqueueParser.Jobs jobs, long id) {
        return jobs.runs().stream()
                .filter(run -> run.key().jobId() == id)
                .findFirst()
                .orElseThrow();
    }

    private static PendingJob pending(SqueueParser.Jobs jobs, long id) {
        return jobs.pending().stream()
                .filter(job -> job.jobId() == id)
                .findFirst()
                .orElseThrow();
    }

    private static AllocatedGpu gpu(String node, int index, String type) {
        return new AllocatedGpu(node, index, Optional.of(type), Optional.empty(), Confidence.UNKNOWN);
    }

    @Nested
    @DisplayName("recorded from 22.05.8")
    class Recorded {
        private final SqueueParser.Jobs jobs = parse(Samples.read("22.05/squeue.json"));

        @Test
        @DisplayName("every job is read, none is a problem")
        void all() {
            assertEquals(List.of(), jobs.problems());
            assertEquals(24, jobs.runs().size() + jobs.pending().size());
            assertEquals(Optional.of("22.05.8"), jobs.release());
        }

        @Test
        @DisplayName("a batch job with two GPUs is read whole")
        void batchJob() {
            Instant start = Instant.ofEpochSecond(1795178335);
            assertEquals(
                    new Run(
                            new RunKey("lab", 1, start),
                            Run.JobIds.PLAIN,
                            new Run.Owner("tlj@its.aau.dk", OptionalInt.of(21001), "cs", "batch", "deadline"),
                            "train one",
                            false,
                            start,
                            Optional.empty(),
                            Optional.of(Duration.ofMinutes(60)),
                            Duration.ZERO,
                            JobState.RUNNING,
                            "RUNNING",
                            new Run.Allocation(
                                    List.of("nv-ai-01.srv.aau.dk"),
                                    OptionalInt.of(4),
                                    OptionalLong.of(2L << 30),
                                    OptionalInt.of(2),
                                    "cpu=4,mem=2G,node=1,billing=4,gres/gpu=2,gres/gpu:v100=2"),
                            List.of(gpu("nv-ai-01.srv.aau.dk", 0, "v100"), gpu("nv-ai-01.srv.aau.dk", 1, "v100")),
                            AT,
                            new Run.Also(Optional.of(start), Optional.empty(), Optional.of("c|x=1"), Optional.empty())),
                    run(jobs, 1));
        }

        @Test
        @DisplayName("each node of a job has its own GPU numbers")
        void twoNodes() {
            assertEquals(
                    List.of(
                            gpu("nv-ai-01.srv.aau.dk", 8, "v100"),
                            gpu("nv-ai-01.srv.aau.dk", 9, "v100"),
                            gpu("nv-ai-03.srv.aau.dk", 3, "v100")),
                    run(jobs, 4).gpus());
            assertEquals(OptionalInt.of(3), run(jobs, 4).allocation().gpus());
        }

        @Test
        @DisplayName("an array task has its own raw id, the waiting rest is one job that waits")
        void array() {
            Run task = run(jobs, 21);
            assertEquals(OptionalLong.of(5), task.ids().arrayJobId());
            assertEquals(OptionalLong.of(1), task.ids().arrayTaskId());
            assertEquals("5_1", task.displayId());
            assertEquals("5_[3-4%2]", pending(jobs, 5).displayId());
            assertEquals("JobArrayTaskLimit", pending(jobs, 5).reason());
        }

        @Test
        @DisplayName("the components of a heterogeneous job know their leader")
        void heterogeneous() {
            assertEquals("6+0", run(jobs, 6).displayId());
            assertEquals("6+1", run(jobs, 7).displayId());
            assertEquals(OptionalInt.of(0), run(jobs, 7).allocation().gpus());
        }

        @Test
        @DisplayName("an ended job has its end, a running one has none although Slurm foresees one")
        void ends() {
            assertEquals(
                    Optional.of(Instant.ofEpochSecond(1795178338)),
                    run(jobs, 13).end());
            assertEquals(JobState.COMPLETED, run(jobs, 13).state());
            assertEquals(Optional.empty(), run(jobs, 16).end());
        }

        @Test
        @DisplayName("a suspended job holds its GPU, and the time since its suspension counts as suspended")
        void suspended() {
            Run run = run(jobs, 20);
            assertEquals(JobState.SUSPENDED, run.state());
            assertEquals(List.of(gpu("nv-ai-04.srv.aau.dk", 1, "t4")), run.gpus());
            // started ...336, suspended ...370 after 34 s, asked ...400
            assertEquals(Duration.ofSeconds(30), run.suspended());
        }

        @Test
        @DisplayName("a requeued job waits: the start that Slurm foresees makes no run")
        void requeued() {
            assertEquals("BeginTime", pending(jobs, 19).reason());
            assertTrue(jobs.runs().stream().noneMatch(run -> run.key().jobId() == 19));
        }

        @Test
        @DisplayName("jobs without a batch script are interactive")
        void interactive() {
            assertTrue(run(jobs, 23).interactive());
            assertTrue(run(jobs, 24).interactive());
            assertFalse(run(jobs, 1).interactive());
        }

        @Test
        @DisplayName("what a waiting job asks for is kept in Slurm's words")
        void waiting() {
            assertEquals(
                    new PendingJob(
                            "lab",
                            9,
                            "9",
                            new Run.Owner("bob", OptionalInt.of(21004), "es", "batch", "normal"),
                            "wrap",
                            Instant.ofEpochSecond(1795178335),
                            "QOSMaxGRESPerUser",
                            "cpu=2,mem=1G,node=1,billing=2,gres/gpu=1,gres/gpu:t4=1"),
                    pending(jobs, 9));
        }

        @Test
        @DisplayName("with the controller down the list is empty, and that is a failure, not an empty cluster")
        void controllerDown() {
            String json = new String(Samples.read("22.05/squeue-controller-down.json"), StandardCharsets.UTF_8);
            assertEquals(
                    "squeue could not answer: Failed while looking for jobs (slurm_load_jobs)",
                    refused(json).getMessage());
        }
    }

    @Test
    @DisplayName("recorded 22.05: a resumed job runs, and tells since when and how long it was suspended")
    void recordedResumed() {
        SqueueParser.Jobs jobs = parse(Samples.read("22.05/squeue-resumed.json"));
        assertEquals(List.of(), jobs.problems());
        Run run = run(jobs, 6);
        assertEquals(JobState.RUNNING, run.state());
        assertEquals(Optional.of(Instant.ofEpochSecond(1796011061)), run.resumed());
        // as sacct told when it had ended
        assertEquals(Duration.ofSeconds(7), run.suspended());
        assertEquals(Optional.empty(), run(jobs, 8).resumed());
    }

    /** One running job in the plain form of 22.05; {@code more} overrides by coming later. */
    private static String job(String more) {
        return """
                {"job_id": 7, "job_state": "RUNNING", "user_id": 21001, "user_name": "anna", "account": "es",
                 "partition": "batch", "qos": "normal", "name": "train", "batch_flag": true, "submit_time": 1795178335,
                 "start_time": 1795178336, "end_time": 1795181936, "time_limit": 60, "nodes": "gpu[01-02]",
                 "tres_alloc_str": "cpu=8,mem=2G,node=2,gres/gpu=3", "gres_detail":
                 ["gpu:v100:2(IDX:6-7)", "gpu:v100:1(IDX:1)"]%s}""".formatted(more.isEmpty() ? "" : ", " + more);
    }

    private static String answer(String... jobs) {
        return "{\"meta\": {}, \"errors\": [], \"jobs\": [" + String.join(",", jobs) + "]}";
    }

    private static Run only(String more) {
        SqueueParser.Jobs jobs = parse(answer(job(more)));
        assertEquals(List.of(), jobs.problems());
        assertEquals(1, jobs.runs().size());
        return jobs.runs().get(0);
    }

    @Nested
    @DisplayName("newer versions (handmade by the sources' parser tables)")
    class Newer {
        /** As 24.05 and later write it; fields that are not read are left out. */
        private static final String JOB_24_05 = """
                {"account": "es", "array_job_id": {"set": true, "infinite": false, "number": 0},
                 "array_task_id": {"set": false, "infinite": false, "number": 0}, "array_task_string": "",
                 "batch_flag": true, "cluster": "lab",
                 "cpus": {"set": true, "infinite": false, "number": 8},
                 "end_time": {"set": true, "infinite": false, "number": 1795181936},
                 "gres_detail": ["gpu:a100:2(IDX:6-7)", "gpu:a100:1(IDX:1)"],
                 "het_job_id": {"set": true, "infinite": false, "number": 0},
                 "het_job_offset": {"set": true, "infinite": false, "number": 0},
                 "job_id": 7,
                 "job_resources": {"select_type": ["CPU", "MEMORY"], "nodes": {"count": 2, "select_type": ["AVAILABLE"],
                   "list": "gpu[02,01]", "whole": false, "allocation": [
                     {"index": 0, "name": "gpu02", "cpus": {"count": 4, "used": 4}},
                     {"index": 1, "name": "gpu01", "cpus": {"count": 4, "used": 4}}]}, "cpus": 8},
                 "job_state": ["RUNNING"], "name": "train", "nodes": "gpu[01-02]", "partition": "batch",
                 "pre_sus_time": {"set": true, "infinite": false, "number": 0},
                 "qos": "normal", "resize_time": {"set": true, "infinite": false, "number": 0},
                 "restart_cnt": 0,
                 "start_time": {"set": true, "infinite": false, "number": 1795178336},
                 "submit_time": {"set": true, "infinite": false, "number": 1795178335},
                 "suspend_time": {"set": true, "infinite": false, "number": 0},
                 "time_limit": {"set": true, "infinite": false, "number": 60},
                 "tres_alloc_str": "cpu=8,mem=2G,node=2,billing=8,gres/gpu=3",
                 "user_id": 21001, "user_name": "anna"}""";

        private Run only24(String job) {
            SqueueParser.Jobs jobs = parse("{\"jobs\": [" + job + "], \"last_update\": {\"set\": true, \"number\": 1},"
                    + "\"meta\": {\"slurm\": {\"release\": \"24.05.4\", \"cluster\": \"lab\"}},"
                    + "\"errors\": [], \"warnings\": [{\"description\": \"deprecated\"}]}");
            assertEquals(List.of(), jobs.problems());
            assertEquals(Optional.of("24.05.4"), jobs.release());
            assertEquals(1, jobs.runs().size());
            return jobs.runs().get(0);
        }

        @Test
        @DisplayName("wrapped numbers, states as lists and reshaped resources give the same run as the plain form")
        void sameRun() {
            Run run = only24(JOB_24_05);
            assertEquals(new RunKey("lab", 7, START), run.key());
            assertEquals(Run.JobIds.PLAIN, run.ids());
            assertEquals(Optional.empty(), run.end());
            assertEquals(Optional.of(Duration.ofMinutes(60)), run.timeLimit());
            assertEquals(JobState.RUNNING, run.state());
            assertEquals(OptionalInt.of(3), run.allocation().gpus());
        }

        @Test
        @DisplayName("GPU numbers follow the order of the allocation, not that of the sorted node list")
        void orderOfNodes() {
            Run run = only24(JOB_24_05);
            assertEquals(List.of("gpu02", "gpu01"), run.allocation().nodes());
            assertEquals(
                    List.of(gpu("gpu02", 6, "a100"), gpu("gpu02", 7, "a100"), gpu("gpu01", 1, "a100")), run.gpus());
        }

        @Test
        @DisplayName("without names in the allocation its node list gives the order")
        void listOfNodes() {
            Run run = only24(JOB_24_05.replace("\"name\": \"gpu02\", ", ""));
            assertEquals(List.of("gpu02", "gpu01"), run.allocation().nodes());
        }

        @Test
        @DisplayName("an unlimited job has no time limit")
        void unlimited() {
            String unlimited = "{\"set\": true, \"infinite\": true, \"number\": 0}";
            assertEquals(
                    Optional.empty(),
                    only24(JOB_24_05.replace("{\"set\": true, \"infinite\": false, \"number\": 60}", unlimited))
                            .timeLimit());
            assertEquals(Optional.empty(), only("\"time_limit\": 4294967295").timeLimit());
            assertEquals(Optional.empty(), only("\"time_limit\": null").timeLimit());
        }

        @Test
        @DisplayName("task 0 of an array is a task")
        void taskZero() {
            Run run = only24(JOB_24_05
                    .replace(
                            "\"array_job_id\": {\"set\": true, \"infinite\": false, \"number\": 0}",
                            "\"array_job_id\": {\"set\": true, \"infinite\": false, \"number\": 5}")
                    .replace(
                            "\"array_task_id\": {\"set\": false, \"infinite\": false, \"number\": 0}",
                            "\"array_task_id\": {\"set\": true, \"infinite\": false, \"number\": 0}"));
            assertEquals("5_0", run.displayId());
        }

        @Test
        @DisplayName("a completing job has ended, and both words are kept")
        void completing() {
            Run run = only24(JOB_24_05
                    .replace("[\"RUNNING\"]", "[\"CANCELLED\", \"COMPLETING\"]")
                    .replace("1795181936", "1795178390"));
            assertEquals(JobState.COMPLETING, run.state());
            assertEquals("CANCELLED+COMPLETING", run.stateText());
            assertEquals(Optional.of(Instant.ofEpochSecond(1795178390)), run.end());
        }

        @Test
        @DisplayName("a job whose nodes are still being switched on makes no run: its start will be set anew")
        void poweringUp() {
            SqueueParser.Jobs jobs = parse(
                    answer(JOB_24_05.replace("[\"RUNNING\"]", "[\"RUNNING\", \"CONFIGURING\", \"POWER_UP_NODE\"]")));
            assertEquals(List.of(), jobs.runs());
            assertEquals(List.of(), jobs.problems());
        }

        @Test
        @DisplayName("allocated_nodes of 23.02 and 23.11 gives the order too")
        void allocatedNodes() {
            Run run = only("\"job_resources\": {\"nodes\": \"gpu[01-02]\", \"allocated_nodes\":"
                    + "[{\"nodename\": \"gpu02\"}, {\"nodename\": \"gpu01\"}]}");
            assertEquals(List.of("gpu02", "gpu01"), run.allocation().nodes());
        }
    }

    @Nested
    @DisplayName("one job in the words of each version (handmade by the sources' parser tables)")
    class Dialects {
        private static String number(long value) {
            return "{\"set\": true, \"infinite\": false, \"number\": " + value + "}";
        }

        /** @param job what differs, after what all have in common */
        private static Run told(String release, String job) {
            SqueueParser.Jobs jobs =
                    parse("{\"meta\": {\"" + (release.startsWith("22") ? "Slurm" : "slurm") + "\": {\"release\": \""
                            + release + "\"}}, \"errors\": [], \"warnings\": [], \"jobs\": [{\"account\": \"es\","
                            + "\"batch_flag\": true, \"gres_detail\": [\"gpu:v100:2(IDX:6-7)\", \"gpu:v100:1(IDX:1)\"],"
                            + "\"job_id\": 21, \"name\": \"train\", \"nodes\": \"gpu[01-02]\", \"partition\": \"batch\","
                            + "\"qos\": \"normal\", \"tres_alloc_str\": \"cpu=8,mem=2G,node=2,gres/gpu:v100=3,gres/gpu=3\","
                            + "\"user_id\": 21001, \"user_name\": \"anna\", " + job + "}]}");
            assertEquals(List.of(), jobs.problems(), release);
            assertEquals(Optional.of(release), jobs.release());
            return jobs.runs().get(0);
        }

        private static final String PLAIN_TIMES = "\"end_time\": 1795181936, \"start_time\": 1795178336,"
                + "\"submit_time\": 1795178335, \"eligible_time\": 1795178335, \"suspend_time\": 1795178366,"
                + "\"resize_time\": 0, ";
        private static final String WRAPPED_TIMES = "\"end_time\": " + number(1795181936) + ", \"start_time\": "
                + number(1795178336) + ", \"submit_time\": " + number(1795178335) + ", \"eligible_time\": "
                + number(1795178335) + ", \"suspend_time\": " + number(1795178366) + ", \"resize_time\": " + number(0)
                + ", ";
        private static final String WRAPPED_NUMBERS = "\"array_job_id\": " + number(5) + ", \"array_task_id\": "
                + number(1) + ", \"het_job_id\": " + number(0) + ", \"het_job_offset\": " + number(0)
                + ", \"cpus\": " + number(8) + ", \"time_limit\": " + number(60) + ", \"pre_sus_time\": " + number(10)
                + ", ";
        private static final String ALLOCATED_NODES = "\"job_resources\": {\"nodes\": \"gpu[01-02]\","
                + "\"allocated_nodes\": [{\"nodename\": \"gpu01\"}, {\"nodename\": \"gpu02\"}]}";
        private static final String NODES_ALLOCATION = "\"job_resources\": {\"select_type\": [\"CPU\"], \"nodes\":"
                + "{\"count\": 2, \"list\": \"gpu[01-02]\", \"allocation\": [{\"name\": \"gpu01\", \"sockets\": []},"
                + "{\"name\": \"gpu02\"}]}}";

        @Test
        @DisplayName("22.05, 23.02, 23.11, 24.05, 24.11, 25.05, 25.11 and 26.05 tell the same run")
        void same() {
            Run oldest = told(
                    "22.05.8",
                    "\"array_job_id\": 5, \"array_task_id\": 1, \"het_job_id\": 0, \"het_job_offset\": 0, \"cpus\": 8,"
                            + "\"time_limit\": 60, \"pre_sus_time\": 10, " + PLAIN_TIMES
                            + "\"job_state\": \"RUNNING\", " + ALLOCATED_NODES);
            assertEquals("5_1", oldest.displayId());
            assertEquals(OptionalInt.of(3), oldest.allocation().gpus());
            assertEquals(Duration.ofSeconds(20), oldest.suspended());
            assertEquals(Optional.of(Instant.ofEpochSecond(1795178366)), oldest.resumed());
            assertEquals(3, oldest.gpus().size());

            assertEquals(
                    oldest,
                    told("23.02.7", WRAPPED_NUMBERS + PLAIN_TIMES + "\"job_state\": \"RUNNING\", " + ALLOCATED_NODES));
            assertEquals(
                    oldest,
                    told(
                            "23.11.10",
                            WRAPPED_NUMBERS + WRAPPED_TIMES + "\"job_state\": [\"RUNNING\"], " + ALLOCATED_NODES));
            for (String release : List.of("24.05.4", "24.11.0", "25.05.1", "25.11.0", "26.05.0")) {
                assertEquals(
                        oldest,
                        told(
                                release,
                                WRAPPED_NUMBERS + WRAPPED_TIMES + "\"job_state\": [\"RUNNING\"], " + NODES_ALLOCATION));
            }
        }

        @Test
        @DisplayName("an unlimited job and one that is no task have neither, in both forms")
        void unset() {
            String unset = "{\"set\": false, \"infinite\": false, \"number\": 0}";
            String infinite = "{\"set\": false, \"infinite\": true, \"number\": 0}";
            Run plain = told(
                    "22.05.8",
                    "\"array_job_id\": 0, \"array_task_id\": null, \"time_limit\": null, " + PLAIN_TIMES
                            + "\"job_state\": \"RUNNING\", " + ALLOCATED_NODES);
            Run wrapped = told(
                    "24.05.4",
                    "\"array_job_id\": " + number(0) + ", \"array_task_id\": " + unset + ", \"time_limit\": " + infinite
                            + ", " + WRAPPED_TIMES + "\"job_state\": [\"RUNNING\"], " + NODES_ALLOCATION);
            assertEquals(Optional.empty(), plain.timeLimit());
            assertEquals("21", plain.displayId());
            assertEquals(plain, wrapped);
        }
    }

    @Nested
    @DisplayName("states and times")
    class States {
        @Test
        @DisplayName("a resumed job's suspensions are what passed and was no running")
        void resumed() {
            // started ...336, ran 10 s, suspended 20 s, resumed ...366
            assertEquals(
                    Duration.ofSeconds(20),
                    only("\"pre_sus_time\": 10, \"suspend_time\": 1795178366").suspended());
        }

        @Test
        @DisplayName("a run tells when it was resumed; one that was never suspended, or still is, does not")
        void resumedAt() {
            assertEquals(
                    Optional.of(Instant.ofEpochSecond(1795178366)),
                    only("\"pre_sus_time\": 10, \"suspend_time\": 1795178366").resumed());
            assertEquals(Optional.empty(), only("\"suspend_time\": 0").resumed());
            assertEquals(
                    Optional.empty(),
                    only("\"job_state\": \"SUSPENDED\", \"pre_sus_time\": 10, \"suspend_time\": 1795178346")
                            .resumed());
            // left over from the life before a requeue
            assertEquals(Optional.empty(), only("\"suspend_time\": 1795178300").resumed());
        }

        @Test
        @DisplayName("comment, reservation and eligible time come with a run, in the plain and the wrapped form")
        void also() {
            Run run = only("\"comment\": \"a|b\\n\", \"resv_name\": \"course\","
                    + " \"eligible_time\": {\"set\": true, \"infinite\": false, \"number\": 1795178335}");
            assertEquals(Optional.of("a|b\n"), run.comment());
            assertEquals(Optional.of("course"), run.reservation());
            assertEquals(Optional.of(Instant.ofEpochSecond(1795178335)), run.eligible());
            assertEquals(
                    Run.Also.NOT_TOLD,
                    only("\"comment\": \"\", \"eligible_time\": 0").also());
        }

        @Test
        @DisplayName("a resized job begins a new run at its resize, as in accounting")
        void resized() {
            assertEquals(
                    Instant.ofEpochSecond(1795178380),
                    only("\"resize_time\": 1795178380").key().start());
            assertEquals(START, only("\"resize_time\": 0").key().start());
            // requeued after a resize
            assertEquals(
                    START,
                    only("\"resize_time\": 1795178300, \"restart_cnt\": 1")
                            .key()
                            .start());
        }

        @Test
        @DisplayName("a job cancelled while it waited is neither a run nor a problem")
        void neverStarted() {
            SqueueParser.Jobs jobs = parse(answer(job("\"job_state\": \"CANCELLED\", \"nodes\": \"\"")));
            assertEquals(List.of(), jobs.runs());
            assertEquals(List.of(), jobs.problems());
        }

        @Test
        @DisplayName("an unknown word keeps a job that holds nodes, and is told")
        void unknownWord() {
            SqueueParser.Jobs jobs = parse(answer(job("\"job_state\": \"PONDERING\"")));
            assertEquals(JobState.UNRECOGNIZED, jobs.runs().get(0).state());
            assertEquals("PONDERING", jobs.runs().get(0).stateText());
            assertEquals(
                    List.of("job 7: has the state [PONDERING], which is not known; kept as a running one"),
                    jobs.problems());
        }

        @Test
        @DisplayName("a completing job whose end is not set yet has none")
        void completingBeforeItsEnd() {
            assertEquals(Optional.empty(), only("\"job_state\": \"COMPLETING\"").end());
        }

        @Test
        @DisplayName("a user whom the collector's machine does not know is told by number")
        void unknownUser() {
            assertEquals("21001", only("\"user_name\": null").owner().user());
        }
    }

    @Nested
    @DisplayName("GPUs")
    class Gpus {
        @Test
        @DisplayName("shards are not taken for GPUs")
        void shards() {
            Run run = only(
                    "\"gres_detail\": [\"shard:v100:4(IDX:0)\", \"\"]," + "\"tres_alloc_str\": \"cpu=1,gres/shard=4\"");
            assertEquals(List.of(), run.gpus());
            assertEquals(OptionalInt.of(0), run.allocation().gpus());
        }

        @Test
        @DisplayName("shards and MPS are known where they are not accounted, too")
        void partsNotAccounted() {
            assertEquals(
                    "cpu=1,gres/shard=6",
                    only("\"gres_detail\": [\"shard:v100:4(IDX:0)\", \"shard:v100:2(IDX:1)\"],"
                                    + "\"tres_alloc_str\": \"cpu=1\"")
                            .allocation()
                            .tres());
            assertEquals(
                    "cpu=1,gres/mps=50",
                    only("\"gres_detail\": [\"mps:50(IDX:0)\", \"\"],\"tres_alloc_str\": \"cpu=1\"")
                            .allocation()
                            .tres());
        }

        @Test
        @DisplayName("where GPUs are no TRES, their numbers count them")
        void notTracked() {
            assertEquals(
                    OptionalInt.of(3),
                    only("\"tres_alloc_str\": \"cpu=1,node=2\"").allocation().gpus());
        }

        @ParameterizedTest
        @ValueSource(strings = {"[\"gpu:v100:2(IDX:6-7)\"]", "[\"gpu:v100:2(IDX:x)\", \"\"]"})
        @DisplayName("a text that does not fit costs the numbers, not the job")
        void unreadable(String detail) {
            SqueueParser.Jobs jobs = parse(answer(job("\"gres_detail\": " + detail)));
            assertEquals(1, jobs.runs().size());
            assertEquals(List.of(), jobs.runs().get(0).gpus());
            assertEquals(OptionalInt.of(3), jobs.runs().get(0).allocation().gpus());
            assertEquals(1, jobs.problems().size());
            assertTrue(
                    jobs.problems().get(0).startsWith("job 7: "),
                    jobs.problems().get(0));
        }

        @Test
        @DisplayName("no list and an empty list are no numbers")
        void none() {
            assertEquals(List.of(), only("\"gres_detail\": null").gpus());
            assertEquals(List.of(), only("\"gres_detail\": []").gpus());
        }
    }

    @Nested
    @DisplayName("hostile and broken input")
    class Hostile {
        @Test
        @DisplayName("a name with newlines, delimiters, markup and forged fields is just a name")
        void names() {
            String name =
                    "a\\\"b\\n   JobState=FAILED|<script>alert(1)</script>\\u0007\\\", \\\"user_name\\\": \\\"root";
            Run run = only("\"name\": \"" + name + "\"");
            assertEquals(
                    "a\"b\n   JobState=FAILED|<script>alert(1)</script>\u0007\", \"user_name\": \"root", run.name());
            assertEquals("anna", run.owner().user());
        }

        @Test
        @DisplayName("a byte that is no UTF-8 costs one letter of one name, not the whole cluster")
        void invalidUtf8() {
            byte[] json = answer(job("\"name\": \"tr\u00a7in\""), job("\"job_id\": 8"))
                    .getBytes(StandardCharsets.ISO_8859_1);
            IntStream.range(0, json.length).filter(i -> json[i] == (byte) 0xa7).forEach(i -> json[i] = (byte) 0xff);

            SqueueParser.Jobs jobs = parse(json);

            assertEquals("tr\ufffdin", run(jobs, 7).name());
            assertEquals(2, jobs.runs().size());
        }

        @Test
        @DisplayName("a malformed job is left out, counted and named; the others stay")
        void malformedJob() {
            SqueueParser.Jobs jobs = parse(answer(
                    job("\"nodes\": \"gpu[\", \"job_id\": 1"),
                    job("\"start_time\": 0, \"job_id\": 2"),
                    job("\"job_state\": null, \"job_id\": 3"),
                    job("\"job_id\": -4"),
                    job("\"job_state\": \"FAILED\", \"end_time\": 5, \"job_id\": 5"),
                    "17",
                    job("\"tres_alloc_str\": \"cpu\", \"job_id\": 6"),
                    job("")));
            assertEquals(
                    List.of(7L),
                    jobs.runs().stream().map(run -> run.key().jobId()).toList());
            assertEquals(7, jobs.problems().size(), jobs.problems().toString());
            assertTrue(
                    jobs.problems().get(0).startsWith("job 1: "),
                    jobs.problems().get(0));
            assertTrue(
                    jobs.problems().get(3).startsWith("job without id: "),
                    jobs.problems().get(3));
        }

        @ParameterizedTest
        @ValueSource(
                strings = {
                    "",
                    "slurm_load_jobs error: Unable to contact slurm controller",
                    "[]",
                    "{}",
                    "{\"errors\": []}",
                    "{\"jobs\": null, \"errors\": []}",
                    "{\"jobs\": [], \"errors\": []",
                    "{\"jobs\": [], \"errors\": []} trailing",
                    "{\"jobs\": [{\"job_id\": 1,",
                    "{\"jobs\": [], \"errors\": [{\"error_number\": -1}]}",
                    "{\"jobs\": [], \"errors\": [\"oops\"]}"
                })
        @DisplayName("an answer that is not whole, or has errors, is no answer")
        void notWhole(String json) {
            assertTrue(refused(json).toString().contains("SlurmException: squeue "));
        }

        @Test
        @DisplayName("an empty list without errors is an empty cluster")
        void emptyCluster() {
            SqueueParser.Jobs jobs = parse(answer());
            assertEquals(List.of(), jobs.runs());
            assertEquals(List.of(), jobs.pending());
        }

        @Test
        @DisplayName("an answer cut anywhere is refused")
        void truncated() {
            byte[] whole = Samples.read("22.05/squeue.json");
            for (int cut = 0; cut < whole.length - 2; cut += 997) {
                byte[] part = Arrays.copyOf(whole, cut);
                assertThrows(
                        SlurmException.class,
                        () -> SqueueParser.parse(new ByteArrayInputStream(part), "lab", AT, UnaryOperator.identity()));
            }
        }

        @Test
        @DisplayName("doubles that are no number are tolerated")
        void nan() {
            assertEquals(START, only("\"billable_tres\": NaN").key().start());
        }
    }
}
