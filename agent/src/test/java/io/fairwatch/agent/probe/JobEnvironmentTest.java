package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.JobRef.Evidence;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JobEnvironmentTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            nullValues = "none",
            value = {
                "PATH=/bin|SLURM_JOB_ID=4711|HOME=/; 4711",
                "SLURM_JOB_ID=4711; 4711",
                "SLURM_JOB_ID=4711|SLURM_STEP_ID=3|SLURM_PROCID=0; 4711.3",
                "SLURM_JOB_ID=4711|SLURM_STEP_ID=4294967291; 4711",
                "SLURM_JOB_ID=4711|SLURM_JOB_UID=1000; 4711",
                "SLURM_JOB_ID=4711|SLURM_JOB_ID=4712; 4711",
                // an array's task has a raw id of its own
                "SLURM_ARRAY_JOB_ID=4700|SLURM_ARRAY_TASK_ID=11|SLURM_JOB_ID=4711; 4711",
                // not at the beginning of a variable
                "MY_SLURM_JOB_ID=4711; none",
                "X=SLURM_JOB_ID=4711; none",
                "SLURM_JOB_IDS=4711; none",
                "SLURM_JOB_ID; none",
                // what is no job id
                "SLURM_JOB_ID=; none",
                "SLURM_JOB_ID=0; none",
                "SLURM_JOB_ID=-4711; none",
                "SLURM_JOB_ID=4711x; none",
                "SLURM_JOB_ID= 4711; none",
                "SLURM_JOB_ID=99999999999; none",
                "SLURM_JOB_ID=99999999999999999999; none",
                "SLURM_JOBID=4711; none",
                "''; none",
                // another's job
                "SLURM_JOB_ID=4711|SLURM_JOB_UID=1001; none",
                "SLURM_JOB_ID=4711|SLURM_JOB_UID=alice; none",
            })
    @DisplayName("the job is that of SLURM_JOB_ID at the beginning of a variable, if it is the process owner's")
    void variables(String environ, String expected) {
        assertEquals(Optional.ofNullable(expected), told(environ, 1000));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            nullValues = "none",
            value = {
                // the batch script of the whole job runs in its first component
                "SLURM_JOB_ID=500|SLURM_HET_SIZE=2|SLURM_JOB_ID_HET_GROUP_0=500|SLURM_JOB_ID_HET_GROUP_1=501; 500",
                "SLURM_JOB_ID=500|SLURM_HET_JOB_ID=500|SLURM_HET_JOB_OFFSET=0|SLURM_STEP_ID=0; 500.0",
                "SLURM_JOB_ID=501|SLURM_HET_JOB_ID=500|SLURM_HET_JOB_OFFSET=1|SLURM_STEP_ID=0; 501.0",
                "SLURM_JOB_ID=500|SLURM_HET_JOB_ID=500|SLURM_HET_JOB_OFFSET=1|SLURM_JOB_ID_HET_GROUP_1=501; 501",
                "SLURM_JOB_ID=500|SLURM_HET_JOB_ID=500|SLURM_HET_JOB_OFFSET=1; none",
            })
    @DisplayName("a process of a heterogeneous job belongs to its component, or to none that is known")
    void heterogeneous(String environ, String expected) {
        assertEquals(Optional.ofNullable(expected), told(environ, 1000));
    }

    @Test
    @DisplayName("root's processes belong to no job whatever they inherited")
    void root() {
        assertEquals(Optional.empty(), told("SLURM_JOB_ID=4711|SLURM_JOB_UID=0", 0));
    }

    @Test
    @DisplayName("the environment is asked where nothing else tells the job, and marked; a cgroup and an ancestor win")
    void weakest(@TempDir Path directory) throws Exception {
        FakeNode node = new FakeNode(directory);
        node.process(30, "slurmstepd").cgroup("0::/").title("slurmstepd: [12.batch]");
        node.process(40, "python")
                .uid(1000)
                .cgroup("0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0")
                .file("environ", "SLURM_JOB_ID=99\0");
        node.process(41, "bash").uid(1000).parent(30).cgroup("0::/").file("environ", "SLURM_JOB_ID=99\0");
        node.process(42, "python").uid(1000).cgroup("0::/").file("environ", "A=1\0SLURM_JOB_ID=99\0");
        node.process(43, "bash").uid(0).cgroup("0::/").file("environ", "SLURM_JOB_ID=99\0");
        node.process(44, "python").uid(1000).cgroup("0::/"); // may not be read
        ProcTree asked = node.tree(true);
        asked.refresh(NOON);
        assertEquals(Evidence.CGROUP, asked.jobOf(40).orElseThrow().evidence());
        assertEquals(7, asked.jobOf(40).orElseThrow().jobId());
        assertEquals(12, asked.jobOf(41).orElseThrow().jobId());
        assertEquals(Optional.of(new JobRef(99, Optional.empty(), Evidence.ENVIRON)), asked.jobOf(42));
        assertEquals(Optional.empty(), asked.jobOf(43));
        assertEquals(Optional.empty(), asked.jobOf(44));
        ProcTree notAsked = node.tree();
        notAsked.refresh(NOON);
        assertTrue(notAsked.jobOf(42).isEmpty(), "off unless it is switched on");
    }

    @Test
    @DisplayName("a real process's environment is read as the kernel shows it")
    void real() throws Exception {
        ProcessBuilder sleep = new ProcessBuilder("sleep", "600");
        sleep.environment().put("SLURM_JOB_ID", "4711");
        Process process = sleep.start();
        try {
            String environ = "";
            while (!environ.contains("SLURM_JOB_ID")) { // until it has become the other program
                environ = KernelFiles.readText(Path.of("/proc/" + process.pid() + "/environ"))
                        .orElseThrow();
            }
            assertEquals(4711, JobEnvironment.parse(environ, 1000).orElseThrow().jobId());
        } finally {
            process.destroyForcibly();
        }
    }

    private static Optional<String> told(String environ, int uid) {
        return JobEnvironment.parse(environ.replace('|', '\0') + (environ.isEmpty() ? "" : "\0"), uid)
                .map(job -> job.jobId() + job.step().map(step -> "." + step).orElse(""));
    }
}
