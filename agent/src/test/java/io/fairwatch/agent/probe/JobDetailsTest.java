package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JobDetailsTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
    private static final String V1 = "slurm/uid_1000/job_4711/";
    private static final String V2 = "system.slice/slurmstepd.scope/job_7/";

    private final FakeNode node;
    private final ProcTree tree;
    private final JobCgroupProbe probe;

    JobDetailsTest(@TempDir Path directory) throws IOException {
        node = new FakeNode(directory);
        tree = node.tree();
        probe = new JobCgroupProbe(tree, System::nanoTime);
    }

    private JobDetail read() throws Exception {
        tree.refresh(NOON);
        return probe.read(NOON).get(0).detail().orElseThrow();
    }

    @Test
    @DisplayName("a job of cgroup v2 tells everything in one directory")
    void v2() throws Exception {
        node.cgroupFile("cgroup.controllers", "cpu memory io\n");
        node.cgroupFile(V2 + "cpu.stat", "usage_usec 7310000\nuser_usec 7000000\nsystem_usec 310000\n");
        node.cgroupFile(V2 + "memory.stat", "anon 100\nfile 50\nshmem 20\ninactive_file 9\nactive_file 3\n");
        node.cgroupFile(V2 + "memory.current", "170\n");
        node.cgroupFile(V2 + "memory.swap.current", "8\n");
        node.cgroupFile(V2 + "memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n");
        node.cgroupFile(
                V2 + "io.stat",
                "259:0 rbytes=4096 wbytes=512 rios=1 wios=1 dbytes=7 dios=0\n8:0 rbytes=1 wbytes=2 rios=1 wios=1\n8:16 \n");
        String pressure =
                "some avg10=0.00 avg60=0.10 avg300=0.00 total=%d\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n";
        node.cgroupFile(V2 + "cpu.pressure", pressure.formatted(1_500_000));
        node.cgroupFile(V2 + "memory.pressure", pressure.formatted(250_000));
        node.cgroupFile(V2 + "io.pressure", pressure.formatted(0));
        node.cgroupFile(V2 + "cpuset.cpus.effective", "0-3,8\n");
        node.process(40, "python").uid(1000).threads(5).cgroup("0::/" + V2 + "step_0/user/task_0");
        node.process(41, "python").uid(1000).threads(2).cgroup("0::/" + V2 + "step_0/user/task_0");
        assertEquals(
                new JobDetail(
                        OptionalInt.of(5),
                        OptionalInt.of(7),
                        OptionalDouble.of(7),
                        OptionalDouble.of(0.31),
                        OptionalLong.of(100),
                        OptionalLong.of(20),
                        OptionalLong.of(50),
                        OptionalLong.of(9),
                        OptionalLong.of(8),
                        OptionalLong.of(1),
                        OptionalLong.of(12),
                        OptionalLong.of(4097),
                        OptionalLong.of(514),
                        OptionalDouble.of(1.5),
                        OptionalDouble.of(0.25),
                        OptionalDouble.of(0),
                        Optional.empty()),
                read());
    }

    @Test
    @DisplayName("a job of cgroup v1 tells it in the hierarchies of its controllers, and which GPUs it may open")
    void v1() throws Exception {
        node.cgroupFile("cpuacct/" + V1 + "cpuacct.usage", "7310000000\n");
        node.cgroupFile("cpuacct/" + V1 + "cpuacct.usage_user", "7000000000\n");
        node.cgroupFile("cpuacct/" + V1 + "cpuacct.usage_sys", "310000000\n");
        node.cgroupFile(
                "memory/" + V1 + "memory.stat",
                "cache 1\nrss 1\nshmem 1\ninactive_file 1\ntotal_cache 50\ntotal_rss 100\ntotal_shmem 20\ntotal_inactive_file 9\n");
        node.cgroupFile("memory/" + V1 + "memory.usage_in_bytes", "170\n");
        node.cgroupFile("memory/" + V1 + "memory.memsw.usage_in_bytes", "178\n");
        node.cgroupFile("memory/" + V1 + "memory.failcnt", "12\n");
        node.cgroupFile("memory/" + V1 + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
        node.cgroupFile("memory/" + V1 + "step_0/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
        node.cgroupFile(
                "memory/" + V1 + "step_0/task_0/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
        node.cgroupFile("cpuset/" + V1 + "cpuset.cpus", "4-7\n");
        node.cgroupFile(
                "blkio/" + V1 + "blkio.throttle.io_service_bytes_recursive",
                "259:0 Read 4096\n259:0 Write 512\n259:0 Total 4608\n8:0 Read 1\n8:0 Write 2\nTotal 4611\n");
        node.cgroupFile(
                "devices/" + V1 + "devices.list",
                "c 195:255 rwm\nc 195:254 rwm\nc 195:9 rwm\nc 195:8 rwm\nc 1:3 rwm\nb *:* m\n");
        assertEquals(
                new JobDetail(
                        OptionalInt.of(4),
                        OptionalInt.empty(),
                        OptionalDouble.of(7),
                        OptionalDouble.of(0.31),
                        OptionalLong.of(100),
                        OptionalLong.of(20),
                        OptionalLong.of(50),
                        OptionalLong.of(9),
                        OptionalLong.of(8),
                        OptionalLong.of(3),
                        OptionalLong.of(12),
                        OptionalLong.of(4097),
                        OptionalLong.of(514),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        Optional.of(List.of(8, 9))),
                read());
    }

    @Test
    @DisplayName("killed processes of a v1 job are counted at once when the node's own count has moved, and only then")
    void killsOfNode() throws Exception {
        String none = "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n";
        node.cgroupFile("memory/" + V1 + "memory.oom_control", none);
        node.cgroupFile("memory/" + V1 + "step_0/memory.oom_control", none);
        Files.writeString(node.proc().resolve("vmstat"), "nr_free_pages 1\noom_kill 5\nthp_split 0\n");
        assertEquals(OptionalLong.of(0), read().oomKills());
        node.cgroupFile("memory/" + V1 + "step_0/memory.oom_control", none.replace("kill 0", "kill 2"));
        for (int i = 0; i < 10; i++) {
            assertEquals(OptionalLong.of(0), read().oomKills());
        }
        Files.writeString(node.proc().resolve("vmstat"), "nr_free_pages 1\noom_kill 7\nthp_split 0\n");
        assertEquals(OptionalLong.of(2), read().oomKills());
    }

    @Test
    @DisplayName("killed processes of a v1 job are counted at every fourth read where the node does not count its own")
    void killsNow() throws Exception {
        node.cgroupFile("memory/" + V1 + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
        assertEquals(OptionalLong.of(0), read().oomKills());
        node.cgroupFile("memory/" + V1 + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
        for (int i = 0; i < 3; i++) {
            assertEquals(OptionalLong.of(0), read().oomKills());
        }
        assertEquals(OptionalLong.of(2), read().oomKills());
    }

    @Test
    @DisplayName("swap and limit of a v1 job come from its memory.stat, where the kernel tells them there")
    void fromMemoryStat() throws Exception {
        node.cgroupFile(
                "memory/" + V1 + "memory.stat",
                "total_rss 100\ntotal_swap 8\nhierarchical_memory_limit 4096\ntotal_cache 1\n");
        node.cgroupFile("memory/" + V1 + "memory.limit_in_bytes", "8192\n");
        tree.refresh(NOON);
        JobCgroup job = probe.read(NOON).get(0);
        assertEquals(OptionalLong.of(8), job.detail().orElseThrow().swapUsedBytes());
        assertEquals(OptionalLong.of(4096), job.memoryLimitBytes(), "the lowest of all above it");
    }

    @Test
    @DisplayName("what the kernel does not tell is absent, not zero")
    void absent() throws Exception {
        node.cgroupFile("freezer/" + V1 + "freezer.state", "THAWED\n");
        JobDetail detail = read();
        assertEquals(OptionalLong.empty(), detail.swapUsedBytes());
        assertEquals(OptionalLong.empty(), detail.oomKills());
        assertEquals(OptionalLong.empty(), detail.readBytes());
        assertEquals(OptionalDouble.empty(), detail.cpuUserSeconds());
        assertEquals(OptionalInt.empty(), detail.cpus());
        assertEquals(Optional.empty(), detail.gpuMinors());
    }

    @Test
    @DisplayName("a job that is still being set up gets its CPUs when it has them")
    void cpusComeLater() throws Exception {
        node.cgroupFile("cgroup.controllers", "cpuset\n");
        node.cgroupFile(V2 + "cpuset.cpus.effective", "\n");
        assertEquals(OptionalInt.empty(), read().cpus());
        node.cgroupFile(V2 + "cpuset.cpus.effective", "2\n");
        assertEquals(OptionalInt.of(1), read().cpus());
    }

    @ParameterizedTest
    @ValueSource(strings = {"a *:* rwm\n", "c 195:* rwm\n", "c *:* rwm\n", ""})
    @DisplayName("a list that lets everything pass says nothing of GPUs")
    void unconstrained(String list) {
        assertEquals(Optional.empty(), JobDetails.parseGpuMinors(list));
    }

    @Test
    @DisplayName("a constrained job without GPUs may open none")
    void noGpus() {
        assertEquals(Optional.of(List.of()), JobDetails.parseGpuMinors("c 1:3 rwm\nc *:* m\n"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {"0;1", "0-3,8;5", "0-95;96", "3-1;-1", "x;-1", ",;-1", "'';-1", "0-99999999;-1", "-1;-1"})
    @DisplayName("CPU lists are counted; what is none is absent")
    void cpuLists(String list, int count) {
        assertEquals(count < 0 ? OptionalInt.empty() : OptionalInt.of(count), JobDetails.countCpus(list));
    }
}
