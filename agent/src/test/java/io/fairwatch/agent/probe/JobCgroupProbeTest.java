package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.wire.JobCgroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JobCgroupProbeTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
    private static final long MIB = 1 << 20;
    private static final String V1_NO_LIMIT = "9223372036854771712\n";
    private static final String V1_MEMORY_STAT = """
            cache 4096
            rss 1
            shmem 2
            total_cache 8192
            total_rss 104857600
            total_rss_huge 0
            total_shmem 1048576
            total_inactive_file 77
            """;
    private static final String V2_MEMORY_STAT = """
            anon 104857600
            file 5242880
            shmem 1048576
            anon_thp 3
            """;
    private static final String SCOPE = "system.slice/slurmstepd.scope/";

    private final FakeNode node;
    private final ProcTree tree;
    private final JobCgroupProbe probe;
    private long nanos;

    JobCgroupProbeTest(@TempDir Path directory) throws IOException {
        node = new FakeNode(directory);
        tree = node.tree();
        probe = new JobCgroupProbe(tree, () -> nanos);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"slurm", "slurm_gpu01", "slurmlab/gpu01/slurm_gpu01", "process_api/94e8/slurmlab/gpu01/slurm"})
    @DisplayName("a job of cgroup v1 is read from the hierarchies that account for it, whatever stands before its path")
    void v1(String slurm) throws Exception {
        String job = slurm + "/uid_1000/job_4711/";
        node.cgroupFile("cpuacct/" + job + "cpuacct.usage", "7310000000\n");
        node.cgroupFile("memory/memory.limit_in_bytes", V1_NO_LIMIT);
        node.cgroupFile("memory/" + job + "memory.limit_in_bytes", 512 * MIB + "\n");
        node.cgroupFile("memory/" + job + "memory.usage_in_bytes", 200 * MIB + "\n");
        node.cgroupFile("memory/" + job + "memory.max_usage_in_bytes", 300 * MIB + "\n");
        node.cgroupFile("memory/" + job + "memory.stat", V1_MEMORY_STAT);
        node.cgroupFile("freezer/" + job + "step_batch/cgroup.procs", "40\n41\n");
        node.process(30, "slurmstepd").cgroup("6:freezer:/\n4:memory:/" + job + "step_batch");
        node.process(40, "bash").uid(1000).cgroup("6:freezer:/" + job + "step_batch");
        node.process(41, "python").uid(1000).cgroup("6:freezer:/" + job + "step_batch");
        node.process(50, "bash").uid(1000).cgroup("6:freezer:/");
        assertEquals(
                List.of(new JobCgroup(
                        4711,
                        Optional.empty(),
                        OptionalInt.of(1000),
                        OptionalInt.of(2),
                        OptionalDouble.of(7.31),
                        OptionalLong.of(100 * MIB + 1 * MIB),
                        OptionalLong.of(200 * MIB),
                        OptionalLong.of(300 * MIB),
                        OptionalLong.of(512 * MIB),
                        Optional.empty())),
                readWithoutDetail());
    }

    @Test
    @DisplayName("while only a process of root is in a job of v2, nobody says whose it is, and then its owner's is")
    void rootFirst() throws Exception {
        node.cgroupFile("cgroup.controllers", "cpu memory\n");
        node.cgroupFile(SCOPE + "cgroup.procs", "");
        node.cgroupFile(SCOPE + "job_7/memory.stat", V2_MEMORY_STAT);
        node.process(30, "prolog").startTicks(100).cgroup("0::/" + SCOPE + "job_7/step_extern/user/task_special");
        assertEquals(OptionalInt.empty(), read().get(0).uid());
        node.process(31, "python").startTicks(200).uid(1000).cgroup("0::/" + SCOPE + "job_7/step_0/user/task_0");
        assertEquals(OptionalInt.of(1000), read().get(0).uid());
        node.end(31);
        assertEquals(OptionalInt.of(1000), read().get(0).uid());
    }

    @Test
    @DisplayName("where the kernel keeps no peak it is the most that was seen of the job")
    void ownPeak() throws Exception {
        node.cgroupFile("cgroup.controllers", "cpu memory\n");
        node.cgroupFile(SCOPE + "cgroup.procs", "");
        node.cgroupFile(SCOPE + "job_7/memory.stat", V2_MEMORY_STAT);
        node.cgroupFile(SCOPE + "job_7/memory.current", 300 * MIB + "\n");
        assertEquals(OptionalLong.of(300 * MIB), read().get(0).memoryPeakBytes());
        node.cgroupFile(SCOPE + "job_7/memory.current", 200 * MIB + "\n");
        assertEquals(OptionalLong.of(300 * MIB), read().get(0).memoryPeakBytes());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "system.slice/slurmstepd.scope",
                "system.slice/gpu01_slurmstepd.scope",
                "gpu.slice/slurmstepd.scope"
            })
    @DisplayName("a job of cgroup v2 is read from its scope; its user is the owner of its oldest process")
    void v2(String scope) throws Exception {
        node.cgroupFile("cgroup.controllers", "cpu memory\n");
        node.cgroupFile(scope + "/system/cgroup.procs", "");
        node.cgroupFile(scope + "/cgroup.procs", "");
        String job = scope + "/job_7/";
        node.cgroupFile(job + "cpu.stat", "usage_usec 7310000\nuser_usec 7000000\nsystem_usec 310000\n");
        node.cgroupFile(job + "memory.stat", V2_MEMORY_STAT);
        node.cgroupFile(job + "memory.current", 200 * MIB + "\n");
        node.cgroupFile(job + "memory.peak", 300 * MIB + "\n");
        node.cgroupFile(job + "memory.max", "max\n");
        node.cgroupFile(scope + "/memory.max", 900 * MIB + "\n");
        node.process(30, "slurmstepd").cgroup("0::/" + job + "step_0/slurm");
        node.process(40, "python").startTicks(6000).uid(1000).cgroup("0::/" + job + "step_0/user/task_0");
        node.process(39, "newuser").startTicks(7000).uid(2000).cgroup("0::/" + job + "step_0/user/task_0");
        assertEquals(
                List.of(new JobCgroup(
                        7,
                        Optional.empty(),
                        OptionalInt.of(1000),
                        OptionalInt.of(2),
                        OptionalDouble.of(7.31),
                        OptionalLong.of(100 * MIB + 1 * MIB),
                        OptionalLong.of(200 * MIB),
                        OptionalLong.of(300 * MIB),
                        OptionalLong.of(900 * MIB),
                        Optional.empty())),
                readWithoutDetail());
    }

    @Test
    @DisplayName("a job that only has Slurm's own processes has none, and keeps its user")
    void idle() throws Exception {
        node.cgroupFile("cgroup.controllers", "\n");
        node.cgroupFile(SCOPE + "job_7/step_extern/slurm/cgroup.procs", "30\n");
        node.cgroupFile(SCOPE + "job_7/step_extern/user/task_special/cgroup.procs", "31\n");
        node.process(30, "slurmstepd").cgroup("0::/" + SCOPE + "job_7/step_extern/slurm");
        node.process(31, "sleep").parent(30).cgroup("0::/" + SCOPE + "job_7/step_extern/user/task_special");
        node.process(40, "python").uid(1000).cgroup("0::/" + SCOPE + "job_7/step_0/user/task_0");
        assertEquals(OptionalInt.of(1), read().get(0).processes());
        node.end(40);
        JobCgroup idle = read().get(0);
        assertEquals(OptionalInt.of(0), idle.processes());
        assertEquals(OptionalInt.of(1000), idle.uid());
    }

    @Test
    @DisplayName("a process that /proc hides from the agent is still a process of the job")
    void hidden() throws Exception {
        node.cgroupFile("cgroup.controllers", "\n");
        node.cgroupFile(SCOPE + "job_7/step_0/slurm/cgroup.procs", "30\n");
        node.cgroupFile(SCOPE + "job_7/step_0/user/task_0/nested/cgroup.procs", "40\n41\n");
        assertEquals(OptionalInt.of(2), read().get(0).processes());
    }

    @Test
    @DisplayName("a job named by a SLUID has the id that its slurmstepd tells, and is left out before that")
    void sluid() throws Exception {
        node.cgroupFile("cgroup.controllers", "\n");
        node.cgroupFile(SCOPE + "s5K1KKYAYG5D00/step_0/slurm/cgroup.procs", "30\n");
        assertEquals(List.of(), read());
        node.process(30, "slurmstepd")
                .cgroup("0::/" + SCOPE + "s5K1KKYAYG5D00/step_0/slurm")
                .title("slurmstepd: [3385.0]");
        JobCgroup job = read().get(0);
        assertEquals(3385, job.jobId());
        assertEquals(Optional.of("s5K1KKYAYG5D00"), job.sluid());
    }

    @ParameterizedTest
    @ValueSource(strings = {"job_7", "s5K1KKYAYG5D00"})
    @DisplayName("a job that was read stands until its directory is gone, and one that was not is not called gone")
    void stands(String name) throws Exception {
        node.cgroupFile("cgroup.controllers", "\n");
        node.cgroupFile(SCOPE + name + "/step_0/slurm/cgroup.procs", "30\n");
        node.process(30, "slurmstepd")
                .cgroup("0::/" + SCOPE + name + "/step_0/slurm")
                .title("slurmstepd: [7.0]");
        JobCgroup job = read().get(0);
        assertTrue(probe.stands(job));
        assertTrue(new JobCgroupProbe(tree, () -> nanos).stands(job));
        for (String path : List.of("/step_0/slurm/cgroup.procs", "/step_0/slurm", "/step_0", "")) {
            Files.delete(node.cgroup().resolve(SCOPE + name + path));
        }
        assertFalse(probe.stands(job));
    }

    @Test
    @DisplayName("a job has a directory in each hierarchy of v1; those that come later, or alone, are found too")
    void hierarchies() throws Exception {
        String job = "slurm/uid_1000/job_4711/";
        node.cgroupFile("freezer/" + job + "freezer.state", "THAWED\n");
        node.cgroupFile("memory/slurm/memory.stat", "");
        node.cgroupFile("cpuacct/slurm/cpuacct.usage", "0\n");
        assertEquals(OptionalLong.empty(), read().get(0).memoryUsedBytes());
        node.cgroupFile("memory/" + job + "memory.stat", V1_MEMORY_STAT);
        assertEquals(OptionalLong.of(101 * MIB), read().get(0).memoryUsedBytes(), "at second sight");
        node.cgroupFile("cpuacct/" + job + "cpuacct.usage", "1000000000\n");
        node.cgroupFile("memory/slurm/uid_1000/job_4712/memory.stat", V1_MEMORY_STAT);
        for (int i = 0; i < 8; i++) {
            read();
        }
        List<JobCgroup> jobs = read();
        assertEquals(List.of(4711L, 4712L), jobs.stream().map(JobCgroup::jobId).toList());
        assertEquals(OptionalDouble.of(1), jobs.get(0).cpuSeconds());
    }

    @Test
    @DisplayName("of very many jobs all are read, and only so many files stay open")
    void many() throws Exception {
        node.cgroupFile("cgroup.controllers", "\n");
        for (int job = 1; job <= 300; job++) {
            node.cgroupFile(SCOPE + "job_" + job + "/memory.current", job + "\n");
        }
        long before = openFiles();
        for (int i = 0; i < 3; i++) {
            List<JobCgroup> jobs = read();
            assertEquals(300, jobs.size());
            assertTrue(jobs.stream().allMatch(job -> job.memoryCurrentBytes().equals(OptionalLong.of(job.jobId()))));
        }
        long kept = openFiles() - before;
        assertTrue(kept >= 250 && kept < 290, kept + " files");
    }

    private static long openFiles() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.count();
        }
    }

    @Test
    @DisplayName("a job that ended is left out, and another of the same name is read anew")
    void again() throws Exception {
        node.cgroupFile("cgroup.controllers", "\n");
        node.cgroupFile(SCOPE + "job_7/memory.current", "100\n");
        assertEquals(OptionalLong.of(100), read().get(0).memoryCurrentBytes());
        Files.delete(node.cgroup().resolve(SCOPE + "job_7/memory.current"));
        Files.delete(node.cgroup().resolve(SCOPE + "job_7"));
        node.cgroupFile(SCOPE + "cgroup.procs", "");
        assertEquals(List.of(), read());
        node.cgroupFile(SCOPE + "job_7/memory.current", "200\n");
        assertEquals(OptionalLong.of(200), read().get(0).memoryCurrentBytes());
    }

    @Test
    @DisplayName("what the kernel does not account for is absent, not zero")
    void absent() throws Exception {
        node.cgroupFile("freezer/slurm/uid_1000/job_4711/freezer.state", "THAWED\n");
        assertEquals(
                List.of(new JobCgroup(
                        4711,
                        Optional.empty(),
                        OptionalInt.of(1000),
                        OptionalInt.of(0),
                        OptionalDouble.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        Optional.empty())),
                readWithoutDetail());
    }

    @Test
    @DisplayName("limits that are no limit are absent")
    void noLimit() throws Exception {
        node.cgroupFile("memory/slurm/uid_1000/job_4711/memory.limit_in_bytes", V1_NO_LIMIT);
        assertEquals(OptionalLong.empty(), read().get(0).memoryLimitBytes());
    }

    @Test
    @DisplayName("memory of a v1 kernel that does not tell shared memory is what is anonymous")
    void olderKernel() {
        assertEquals(
                OptionalLong.of(104857600),
                MemoryStat.of(V1_MEMORY_STAT.replace("total_shmem", "total_other"))
                        .unreclaimable());
        assertEquals(OptionalLong.empty(), MemoryStat.of("garbage").unreclaimable());
    }

    @Test
    @DisplayName("a node without Slurm's cgroups has nothing to read, until a job comes")
    void noSlurm() throws Exception {
        node.cgroupFile("memory/system.slice/slurmd.service/memory.stat", V1_MEMORY_STAT);
        assertThrows(NothingToReadException.class, this::read);
        String job = "slurm/uid_1000/job_4711/";
        node.cgroupFile("memory/" + job + "memory.stat", V1_MEMORY_STAT);
        nanos += 11_000_000_000L;
        assertEquals(1, read().size(), "in the next snapshot, at the usual period");
    }

    @Test
    @DisplayName("jobs under a second slurmd's directory are found when one of their processes is seen")
    void newDirectory() throws Exception {
        node.cgroupFile("memory/slurm_a/uid_1000/job_1/memory.stat", V1_MEMORY_STAT);
        assertEquals(1, read().size());
        node.cgroupFile("memory/slurm_b/uid_1000/job_2/memory.stat", V1_MEMORY_STAT);
        node.process(40, "python").uid(1000).cgroup("4:memory:/slurm_b/uid_1000/job_2/step_0/task_0");
        nanos += 11_000_000_000L;
        assertEquals(2, read().size());
    }

    /** {@code JobDetailsTest} looks at the rest. */
    private List<JobCgroup> readWithoutDetail() throws Exception {
        return read().stream()
                .map(job -> new JobCgroup(
                        job.jobId(),
                        job.sluid(),
                        job.uid(),
                        job.processes(),
                        job.cpuSeconds(),
                        job.memoryUsedBytes(),
                        job.memoryCurrentBytes(),
                        job.memoryPeakBytes(),
                        job.memoryLimitBytes(),
                        Optional.empty()))
                .toList();
    }

    private List<JobCgroup> read() throws Exception {
        tree.refresh(NOON);
        return probe.read(NOON);
    }
}
