package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.UserUse;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import oshi.SystemInfo;
import oshi.software.os.OSProcess;
import oshi.software.os.OperatingSystem;

class UserProbeTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
    private static final String SCOPE = "system.slice/slurmstepd.scope/";
    private static final String IN_JOB = "0::/" + SCOPE + "job_7/step_0/user/task_0";

    private final FakeNode node;
    private final ProcTree tree;
    private final JobCgroupProbe jobs;
    private final UserProbe probe;
    private final long page = Libc.pageBytes();

    UserProbeTest(@TempDir Path directory) throws IOException {
        node = new FakeNode(directory);
        tree = node.tree();
        jobs = new JobCgroupProbe(tree, System::nanoTime);
        probe = new UserProbe(tree, jobs, UserNames.off(), Optional.empty());
    }

    @Test
    @DisplayName("each user has their processes, in and outside jobs, with their memory")
    void sums() throws Exception {
        node.process(40, "python").uid(1000).pages(100).cgroup(IN_JOB);
        node.process(41, "bash").uid(1000).pages(10);
        node.process(1, "systemd").uid(0).pages(5);
        assertEquals(
                List.of(
                        new UserUse(
                                0,
                                Optional.empty(),
                                1,
                                0,
                                OptionalDouble.empty(),
                                5 * page,
                                OptionalDouble.empty(),
                                0,
                                OptionalLong.empty()),
                        new UserUse(
                                1000,
                                Optional.empty(),
                                2,
                                1,
                                OptionalDouble.empty(),
                                110 * page,
                                OptionalDouble.empty(),
                                100 * page,
                                OptionalLong.empty())),
                read());
    }

    @Test
    @DisplayName("CPU time is what was used since the refresh before; of a process that started since then, all")
    void cpu() throws Exception {
        node.uptime(100);
        node.process(40, "python").uid(1000).cpuTicks(50_000);
        assertEquals(OptionalDouble.empty(), read().get(0).cpuSeconds(), "the first snapshot knows no period");
        node.process(40, "python").cpuTicks(50_000 + 1_500);
        node.process(41, "python").uid(1000).startTicks(110 * 100).cpuTicks(200);
        node.uptime(130);
        assertEquals(OptionalDouble.of(15 + 2), read().get(0).cpuSeconds());
        assertEquals(OptionalDouble.of(0), read().get(0).cpuSeconds());
    }

    @Test
    @DisplayName("a process that an earlier refresh missed brings no CPU time of before")
    void missed() throws Exception {
        node.process(1, "systemd").uid(1000);
        read();
        node.process(41, "python").uid(1000).startTicks(50 * 100).cpuTicks(1_000_000);
        assertEquals(OptionalDouble.of(0), read().get(0).cpuSeconds());
    }

    @Test
    @DisplayName("a pid that came back counts from zero, not from what its predecessor used")
    void reused() throws Exception {
        node.process(40, "python").uid(1000).startTicks(5_000).cpuTicks(50_000);
        read();
        node.process(40, "python").startTicks(11_000).cpuTicks(300);
        assertEquals(OptionalDouble.of(3), read().get(0).cpuSeconds());
    }

    @Test
    @DisplayName("a zombie is no process, but the CPU time of its last period counts")
    void zombie() throws Exception {
        node.process(40, "python").uid(1000).cpuTicks(100).cgroup(IN_JOB);
        read();
        node.process(40, "python").cpuTicks(600).pages(0).zombie();
        node.process(40, "python").cpuTicks(600).pages(0).zombie();
        assertEquals(
                List.of(new UserUse(
                        1000,
                        Optional.empty(),
                        0,
                        0,
                        OptionalDouble.of(5),
                        0,
                        OptionalDouble.of(5),
                        0,
                        OptionalLong.empty())),
                read());
    }

    @Test
    @DisplayName("CPU time in a job is what the kernel counts in its cgroup, processes that came and went included")
    void cgroupCpu() throws Exception {
        node.cgroupFile("cgroup.controllers", "cpu\n");
        node.cgroupFile(SCOPE + "job_7/cpu.stat", "usage_usec 90000000\n");
        node.process(40, "make").uid(1000).cpuTicks(200).cgroup(IN_JOB);
        node.process(41, "bash").uid(1000).cpuTicks(100);
        readJobsToo();
        node.cgroupFile(SCOPE + "job_7/cpu.stat", "usage_usec 102500000\n");
        node.process(40, "make").cpuTicks(300);
        node.process(41, "bash").cpuTicks(150);
        UserUse use = readJobsToo().get(0);
        assertEquals(OptionalDouble.of(12.5), use.cpuSecondsInJobs());
        assertEquals(OptionalDouble.of(12.5 + 0.5), use.cpuSeconds());
        node.end(40);
        node.end(41);
        node.cgroupFile(SCOPE + "job_7/cpu.stat", "usage_usec 103500000\n");
        use = readJobsToo().get(0);
        assertEquals(0, use.processes());
        assertEquals(OptionalDouble.of(1), use.cpuSeconds(), "of a job whose processes have all ended");
    }

    @Test
    @DisplayName("CPU time in a job that has just been found, or whose cgroup counts none, is that of its processes")
    void noCgroupCpu() throws Exception {
        node.cgroupFile("cgroup.controllers", "\n");
        node.cgroupFile(SCOPE + "job_7/memory.current", "1\n");
        node.process(40, "make").uid(1000).cpuTicks(200).cgroup(IN_JOB);
        readJobsToo();
        node.process(40, "make").cpuTicks(300);
        assertEquals(OptionalDouble.of(1), readJobsToo().get(0).cpuSecondsInJobs());
        node.cgroupFile(SCOPE + "job_7/cpu.stat", "usage_usec 90000000\n");
        for (int i = 0; i < KernelFile.MISSING_EVERY - 1; i++) {
            node.process(40, "make").cpuTicks(400 + i * 100);
            assertEquals(OptionalDouble.of(1), readJobsToo().get(0).cpuSecondsInJobs());
        }
    }

    @Test
    @DisplayName("a cgroup that stands anew under the same name counts from zero")
    void requeued() throws Exception {
        node.cgroupFile("cgroup.controllers", "\n");
        node.cgroupFile(SCOPE + "job_7/cpu.stat", "usage_usec 90000000\n");
        node.process(40, "make").uid(1000).cgroup(IN_JOB);
        readJobsToo();
        node.cgroupFile(SCOPE + "job_7/cpu.stat", "usage_usec 2000000\n");
        assertEquals(OptionalDouble.of(2), readJobsToo().get(0).cpuSecondsInJobs());
    }

    @Test
    @DisplayName("a process of a job that was asleep is seen in the next snapshot when the job's cgroup tells more")
    void awoken() throws Exception {
        node.cgroupFile("cgroup.controllers", "\n");
        node.cgroupFile(SCOPE + "job_7/cpu.stat", "usage_usec 90000000\n");
        node.process(40, "python").uid(1000).pages(10).cgroup(IN_JOB);
        for (int i = 0; i < 100; i++) {
            readJobsToo();
        }
        node.process(40, "python").cpuTicks(3000).pages(1000);
        node.cgroupFile(SCOPE + "job_7/cpu.stat", "usage_usec 120000000\n");
        readJobsToo();
        assertEquals(1000 * page, readJobsToo().get(0).residentBytes());
    }

    @Test
    @DisplayName("Slurm's own processes are root's, and in no job")
    void slurmsOwn() throws Exception {
        node.process(30, "slurmstepd").cgroup(IN_JOB.replace("user/task_0", "slurm"));
        assertEquals(0, read().get(0).processesInJobs());
    }

    @Test
    @DisplayName(
            "of more processes than are watched no user's sum is told, and it is said why; those watched are known")
    void tooMany() throws Exception {
        for (int pid = 10; pid < 10 + ProcTree.MOST_WATCHED; pid++) {
            Files.createDirectory(node.proc().resolve(Integer.toString(pid))); // as of processes that just ended
        }
        node.process(5, "python").uid(1000);
        tree.refresh(NOON);
        String why =
                assertThrows(Probe.ProbeException.class, () -> probe.read(NOON)).getMessage();
        assertEquals(
                "8001 processes (expected: at most 8000); the others are left out, and what users use is not told",
                why);
        assertThrows(Probe.ProbeException.class, tree::requireAll);
        assertEquals(1, tree.processes().size());
        Files.delete(node.proc().resolve("10"));
        assertEquals(1, read().size());
    }

    @Test
    @DisplayName("a uid too large for the wire is left out, and nobody else with it")
    void hugeUid() throws Exception {
        node.process(40, "python").uid(-2);
        node.process(41, "python").uid(1000);
        assertEquals(List.of(1000), read().stream().map(UserUse::uid).toList());
    }

    private static ProcStat own(int self) throws Exception {
        ProcTree real = new ProcTree(Path.of("/proc"), Path.of("/sys/fs/cgroup"), false);
        real.refresh(NOON);
        return real.processes().stream()
                .map(ProcTree.Proc::stat)
                .filter(each -> each.pid() == self)
                .findFirst()
                .orElseThrow();
    }

    @Test
    @DisplayName("what OSHI says of this very process lies between what is read just before and just after")
    void likeOshi() throws Exception {
        int self = Math.toIntExact(ProcessHandle.current().pid());
        OperatingSystem system = new SystemInfo().getOperatingSystem();
        Objects.requireNonNull(system.getProcess(self)); // loads what it needs, so that little happens in between
        ProcStat before = own(self);
        OSProcess oshi = Objects.requireNonNull(system.getProcess(self));
        ProcStat after = own(self);
        long slack = (8 << 20) / page; // this process grows or shrinks meanwhile
        long theirs = oshi.getResidentMemory() / page;
        assertTrue(
                Math.min(before.residentPages(), after.residentPages()) - slack <= theirs
                        && theirs <= Math.max(before.residentPages(), after.residentPages()) + slack,
                () -> before.residentPages() + ", " + theirs + ", " + after.residentPages() + " pages");
        long ticks = (oshi.getKernelTime() + oshi.getUserTime()) / 10;
        assertTrue(
                before.cpuTicks() <= ticks && ticks <= after.cpuTicks(),
                () -> before.cpuTicks() + ", " + ticks + ", " + after.cpuTicks() + " hundredths of a second");
        assertEquals(oshi.getStartTime() / 1000.0, startOf(before), 1.5);
    }

    private static double startOf(ProcStat stat) throws IOException {
        String uptime = Files.readString(Path.of("/proc/uptime")).split(" ", 2)[0];
        return System.currentTimeMillis() / 1000.0 - Double.parseDouble(uptime) + stat.startTicks() / 100.0;
    }

    /** CPU time of a user's processes so far, in milliseconds, by pid. */
    private static Map<Integer, Long> cpuByOshi(OperatingSystem system, int uid) {
        Map<Integer, Long> millis = new HashMap<>();
        for (OSProcess process : system.getProcesses()) {
            boolean kernelThread = process.getParentProcessID() == 2 || process.getProcessID() == 2;
            if (!kernelThread && process.getUserID().equals(Integer.toString(uid))) {
                millis.put(process.getProcessID(), process.getKernelTime() + process.getUserTime());
            }
        }
        return millis;
    }

    @Test
    @DisplayName("a user's CPU time of a period lies between what OSHI's process lists within and around it add up to")
    void cpuLikeOshi() throws Exception {
        OperatingSystem system = new SystemInfo().getOperatingSystem();
        int uid = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        ProcTree real = new ProcTree(Path.of("/proc"), Path.of("/sys/fs/cgroup"), false);
        UserProbe users =
                new UserProbe(real, new JobCgroupProbe(real, System::nanoTime), UserNames.off(), Optional.empty());
        boolean between = false;
        String told = "";
        for (int tries = 0; !between && tries < 5; tries++) { // others' processes may end between two of the readings
            Map<Integer, Long> around = cpuByOshi(system, uid);
            real.lookAtAll();
            real.refresh(NOON);
            users.read(NOON);
            Map<Integer, Long> within = cpuByOshi(system, uid);
            burn(500);
            Map<Integer, Long> withinAfter = cpuByOshi(system, uid);
            real.lookAtAll();
            real.refresh(NOON);
            double ours = 1000
                    * users.read(NOON).stream()
                            .filter(use -> use.uid() == uid)
                            .findFirst()
                            .orElseThrow()
                            .cpuSeconds()
                            .orElseThrow();
            Map<Integer, Long> aroundAfter = cpuByOshi(system, uid);
            long least = 0;
            for (Map.Entry<Integer, Long> each : withinAfter.entrySet()) {
                Long before = within.get(each.getKey());
                least += before == null ? 0 : each.getValue() - before;
            }
            long most = 0;
            for (Map.Entry<Integer, Long> each : aroundAfter.entrySet()) {
                most += each.getValue() - around.getOrDefault(each.getKey(), 0L);
            }
            between = least >= 450 && least <= ours && ours <= most;
            told = least + ", " + ours + ", " + most + " ms";
        }
        assertTrue(between, told);
    }

    /** Uses the processor for so many milliseconds. */
    private static void burn(long millis) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long until = threads.getCurrentThreadCpuTime() + millis * 1_000_000;
        while (threads.getCurrentThreadCpuTime() < until) {
            Thread.onSpinWait();
        }
    }

    @Test
    @DisplayName("resident memory and processes of each user are about what OSHI's process list adds up to")
    void sumsLikeOshi() throws Exception {
        ProcTree real = new ProcTree(Path.of("/proc"), Path.of("/sys/fs/cgroup"), false);
        real.refresh(NOON);
        Map<Integer, UserUse> ours = new HashMap<>();
        new UserProbe(real, new JobCgroupProbe(real, System::nanoTime), UserNames.off(), Optional.empty())
                .read(NOON)
                .forEach(use -> ours.put(use.uid(), use));
        Map<Integer, Long> resident = new HashMap<>();
        Map<Integer, Integer> processes = new HashMap<>();
        for (OSProcess process : new SystemInfo().getOperatingSystem().getProcesses()) {
            boolean kernelThread = process.getParentProcessID() == 2 || process.getProcessID() == 2;
            if (!kernelThread
                    && process.getState() != OSProcess.State.ZOMBIE
                    && process.getUserID().matches("\\d{1,9}")) {
                int uid = Integer.parseInt(process.getUserID());
                resident.merge(uid, process.getResidentMemory(), Long::sum);
                processes.merge(uid, 1, Integer::sum);
            }
        }
        int uid = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        UserUse mine = Objects.requireNonNull(ours.get(uid));
        double theirBytes = Objects.requireNonNull(resident.get(uid));
        int theirProcesses = Objects.requireNonNull(processes.get(uid));
        // processes come and go between the two, and this machine is busy with other builds
        assertTrue(
                Math.abs(mine.residentBytes() - theirBytes) < 0.25 * theirBytes,
                mine.residentBytes() + " and " + theirBytes + " bytes");
        assertTrue(
                Math.abs(mine.processes() - theirProcesses) < 10 + theirProcesses / 4,
                mine.processes() + " and " + theirProcesses + " processes");
    }

    private List<UserUse> readJobsToo() throws Exception {
        tree.refresh(NOON);
        jobs.read(NOON);
        return probe.read(NOON);
    }

    private List<UserUse> read() throws Exception {
        tree.refresh(NOON);
        return probe.read(NOON);
    }
}
