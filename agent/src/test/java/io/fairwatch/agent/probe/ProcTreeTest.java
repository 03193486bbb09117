package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.JobRef.Evidence;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProcTreeTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
    private static final String SCOPE = "0::/system.slice/slurmstepd.scope/";

    private final Path directory;
    private final FakeNode node;
    private final ProcTree tree;

    ProcTreeTest(@TempDir Path directory) throws IOException {
        this.directory = directory;
        node = new FakeNode(directory);
        tree = node.tree();
    }

    @Test
    @DisplayName("a process is in the job of its cgroup")
    void byCgroup() throws Exception {
        node.process(40, "python").uid(1000).cgroup(SCOPE + "job_7/step_0/user/task_0");
        tree.refresh(NOON);
        assertEquals(Optional.of(job(7, "0", Evidence.CGROUP)), tree.jobOf(40));
        assertEquals(OptionalInt.of(1000), tree.uidOf(40));
    }

    @Test
    @DisplayName("a process that came after the last refresh is looked at when asked for")
    void afterRefresh() throws Exception {
        tree.refresh(NOON);
        node.process(40, "python").uid(1000).cgroup(SCOPE + "job_7/step_0/user/task_0");
        assertEquals(Optional.of(job(7, "0", Evidence.CGROUP)), tree.jobOf(40));
        assertEquals(OptionalInt.of(1000), tree.uidOf(40));
    }

    @Test
    @DisplayName("a pid that came back is another process")
    void reused() throws Exception {
        node.process(40, "python").startTicks(5000).cgroup(SCOPE + "job_7/step_0/user/task_0");
        tree.refresh(NOON);
        tree.refresh(NOON);
        node.process(40, "python").startTicks(9000).cgroup(SCOPE + "job_8/step_0/user/task_0");
        assertEquals(Optional.of(job(8, "0", Evidence.CGROUP)), tree.jobOf(40), "before the next refresh");
        tree.refresh(NOON);
        assertEquals(Optional.of(job(8, "0", Evidence.CGROUP)), tree.jobOf(40), "after it");
    }

    @Test
    @DisplayName("a process that ended has no job and no owner")
    void ended() throws Exception {
        node.process(40, "python").cgroup(SCOPE + "job_7/step_0/user/task_0");
        tree.refresh(NOON);
        node.end(40);
        assertEquals(Optional.empty(), tree.jobOf(40));
        assertEquals(OptionalInt.empty(), tree.uidOf(40));
    }

    @Test
    @DisplayName("processes that vanish half way are left out, with whatever of them is still there")
    void vanishing() throws Exception {
        Files.createDirectory(node.proc().resolve("41")); // listed, but its files are gone
        node.process(42, "python"); // no cgroup file any more
        node.process(43, "python").file("stat", "");
        tree.refresh(NOON);
        assertEquals(Set.of(42), pids());
        assertEquals(Optional.empty(), tree.jobOf(41));
        assertEquals(Optional.empty(), tree.jobOf(42));
    }

    @Test
    @DisplayName("kernel threads are left out, and a process that takes the pid of one later is not")
    void kernelThreads() throws Exception {
        node.process(2, "kthreadd").kernelThread();
        node.process(40, "bash");
        tree.refresh(NOON);
        assertEquals(Set.of(40), pids());
        node.takesOver(2, "python");
        tree.refresh(NOON);
        assertEquals(Set.of(2, 40), pids());
    }

    @Test
    @DisplayName("a pid that came back between two refreshes is another process, though its predecessor was asleep")
    void reusedAsleep() throws Exception {
        node.process(40, "python").cpuTicks(100).cgroup(SCOPE + "job_7/step_0/user/task_0");
        for (int i = 0; i < 100; i++) {
            tree.refresh(NOON);
        }
        node.takesOver(40, "bash").startTicks(9900).cpuTicks(30).cgroup(SCOPE + "job_8/step_0/user/task_0");
        tree.refresh(NOON);
        assertEquals("bash", proc(40).stat().comm());
        assertEquals(Optional.of(job(8, "0", Evidence.CGROUP)), proc(40).job());
    }

    @Test
    @DisplayName("a process that sleeps for long is looked at less and less often, and in a job that stirs at once")
    void deepAsleep() throws Exception {
        node.process(40, "python").cgroup(SCOPE + "job_7/step_0/user/task_0");
        node.process(41, "python");
        for (int i = 0; i < 100; i++) {
            tree.refresh(NOON);
        }
        node.process(40, "python").cpuTicks(100);
        node.process(41, "python").cpuTicks(100);
        assertTrue(roundsUntilTold(41) <= Watched.OUTSIDE_EVERY);
        assertTrue(roundsUntilTold(40) <= Watched.IN_JOB_EVERY);
        for (int i = 0; i < 96; i++) { // a whole number of turns after the look that has just been
            tree.refresh(NOON);
        }
        node.process(40, "python").cpuTicks(300);
        tree.refresh(NOON);
        assertEquals(0, proc(40).cpuSeconds().orElseThrow());
        tree.stirred(Set.of(7L));
        tree.refresh(NOON);
        assertEquals(2, proc(40).cpuSeconds().orElseThrow());
    }

    private int roundsUntilTold(int pid) throws ProbeException {
        int rounds = 0;
        while (proc(pid).cpuSeconds().orElseThrow() == 0 && rounds < 1000) {
            tree.refresh(NOON);
            rounds++;
        }
        return rounds;
    }

    @Test
    @DisplayName("who and where is read again at second sight, because slurmstepd and sshd move after they fork")
    void secondSight() throws Exception {
        node.process(40, "sshd").uid(0).cgroup("0::/system.slice/sshd.service");
        tree.refresh(NOON);
        node.process(40, "sshd").uid(1000).cgroup(SCOPE + "job_7/step_extern/user/task_special");
        tree.refresh(NOON);
        assertEquals(OptionalInt.of(1000), proc(40).identity().uid());
        assertEquals(Optional.of(job(7, "extern", Evidence.CGROUP)), proc(40).job());
    }

    @Test
    @DisplayName("a process that is adopted late is found in its job in the end")
    void adoptedLate() throws Exception {
        node.process(40, "bash").uid(1000).cgroup("0::/user.slice/user-1000.slice/session-3.scope");
        tree.refresh(NOON);
        tree.refresh(NOON);
        node.process(40, "bash").cgroup(SCOPE + "job_7/step_extern/user/task_special");
        assertEquals(Optional.of(job(7, "extern", Evidence.CGROUP)), tree.jobOf(40), "at once when asked for");
        for (int i = 0; i < 16; i++) {
            tree.refresh(NOON);
        }
        assertEquals(Optional.of(job(7, "extern", Evidence.CGROUP)), proc(40).job());
    }

    @Test
    @DisplayName("slurmstepd and the sleep of the extern step are Slurm's own; a user's sleep is not")
    void slurmsOwn() throws Exception {
        node.process(30, "slurmstepd").cgroup(SCOPE + "job_7/step_extern/slurm");
        node.process(31, "sleep").parent(30).cgroup(SCOPE + "job_7/step_extern/user/task_special");
        node.process(32, "sleep").parent(40).uid(1000).cgroup(SCOPE + "job_7/step_extern/user/task_special");
        node.process(33, "slurmstepd").uid(1000).cgroup(SCOPE + "job_7/step_0/user/task_0");
        tree.refresh(NOON);
        assertTrue(tree.isSlurmsOwn(30));
        assertTrue(tree.isSlurmsOwn(31));
        assertEquals(Optional.empty(), tree.jobOf(30));
        assertEquals(Optional.of(job(7, "extern", Evidence.CGROUP)), tree.jobOf(32));
        assertEquals(Optional.of(job(7, "0", Evidence.CGROUP)), tree.jobOf(33), "a user's program of that name");
    }

    @Test
    @DisplayName("a SLUID is the job in the title of the slurmstepd that sits in its place")
    void sluid() throws Exception {
        node.process(20, "python").uid(1000).cgroup(SCOPE + "s5K1KKYAYG5D00/step_0/user/task_0");
        node.process(30, "slurmstepd")
                .cgroup(SCOPE + "s5K1KKYAYG5D00/step_0/slurm")
                .title("slurmstepd: [3385.0 stepmgr]\0\0\0");
        tree.refresh(NOON);
        assertEquals(Optional.of(job(3385, "0", Evidence.CGROUP)), tree.jobOf(20));
        assertEquals(OptionalLong.of(3385), tree.jobIdOf("s5K1KKYAYG5D00"));
        assertEquals(OptionalLong.of(12), tree.jobIdOf("job_12"));
    }

    @Test
    @DisplayName("a process in a cgroup of Slurm's whose job nobody names yet is not outside jobs")
    void jobNotNamed() throws Exception {
        node.process(20, "python").uid(1000).cgroup(SCOPE + "s5K1KKYAYG5D00/step_0/user/task_0");
        node.process(21, "python").uid(1000).cgroup("0::/user.slice");
        tree.refresh(NOON);
        assertEquals(Optional.empty(), tree.jobOf(20));
        assertEquals(OptionalInt.empty(), tree.uidOf(20));
        assertTrue(tree.processes().stream().anyMatch(process -> process.stat().pid() == 20 && process.isInJob()));
        assertEquals(OptionalInt.of(1000), tree.uidOf(21));
        assertTrue(tree.processes().stream().anyMatch(process -> process.stat().pid() == 21 && !process.isInJob()));
        node.process(30, "slurmstepd")
                .cgroup(SCOPE + "s5K1KKYAYG5D00/step_0/slurm")
                .title("slurmstepd: [3385.0 stepmgr]\0\0\0");
        tree.refresh(NOON);
        assertEquals(OptionalInt.of(1000), tree.uidOf(20));
    }

    @Test
    @DisplayName("an MPS server of root's daemon works for jobs, one that a user started or named so does not")
    void sharedServer() throws Exception {
        node.process(20, "nvidia-cuda-mps").cgroup("0::/system.slice/mps.service");
        node.process(21, "nvidia-cuda-mps").parent(20).uid(1000).cgroup("0::/system.slice/mps.service");
        node.process(22, "nvidia-cuda-mps").uid(1000).cgroup("0::/user.slice");
        node.process(23, "nvidia-cuda-mps").parent(22).uid(1000).cgroup("0::/user.slice");
        tree.refresh(NOON);
        assertEquals(OptionalInt.empty(), tree.uidOf(20));
        assertEquals(OptionalInt.empty(), tree.uidOf(21));
        assertEquals(OptionalInt.of(1000), tree.uidOf(22));
        assertEquals(OptionalInt.of(1000), tree.uidOf(23));
    }

    @Test
    @DisplayName("a sleep in an extern step is Slurm's only below root's slurmstepd")
    void externSleep() throws Exception {
        node.process(30, "slurmstepd").cgroup(SCOPE + "job_12/step_extern/slurm");
        node.process(31, "sleep").parent(30).uid(1000).cgroup(SCOPE + "job_12/step_extern/user/task_special");
        node.process(40, "slurmstepd").uid(1000).cgroup(SCOPE + "job_12/step_extern/user/task_0");
        node.process(41, "sleep").parent(40).uid(1000).cgroup(SCOPE + "job_12/step_extern/user/task_0");
        tree.refresh(NOON);
        assertEquals(Optional.empty(), tree.jobOf(31));
        assertEquals(Optional.of(job(12, "extern", Evidence.CGROUP)), tree.jobOf(41));
    }

    @Test
    @DisplayName("a user who copies slurmstepd's name and title tells no job")
    void forgedTitle() throws Exception {
        node.process(30, "slurmstepd")
                .uid(1000)
                .cgroup(SCOPE + "s5K1KKYAYG5D00/step_0/user/task_0")
                .title("slurmstepd: [1.0]");
        node.process(31, "slurmstepd") // a set-uid program: root's files, but the user's real uid
                .cgroup(SCOPE + "s5K1KKYAYG5D00/step_0/user/task_0")
                .title("slurmstepd: [1.0]")
                .file("status", "Uid:\t1000\t0\t0\t0\n");
        node.process(32, "python").parent(31).cgroup("0::/");
        tree.refresh(NOON);
        assertEquals(OptionalLong.empty(), tree.jobIdOf("s5K1KKYAYG5D00"));
        assertEquals(Optional.empty(), tree.jobOf(32));
    }

    @Test
    @DisplayName("without cgroups the job is that of the slurmstepd among the ancestors, and stays when that is gone")
    void ancestry() throws Exception {
        node.process(30, "slurmstepd").cgroup("0::/").title("slurmstepd: [12.batch]");
        node.process(31, "bash").parent(30).uid(1000).cgroup("0::/");
        node.process(32, "python").parent(31).uid(1000).cgroup("0::/");
        node.process(33, "python").parent(1).uid(1000).cgroup("0::/");
        tree.refresh(NOON);
        assertEquals(Optional.of(job(12, "batch", Evidence.ANCESTRY)), tree.jobOf(32));
        assertEquals(Optional.empty(), tree.jobOf(33));
        node.end(31);
        node.process(32, "python").parent(1);
        tree.refresh(NOON);
        assertEquals(Optional.of(job(12, "batch", Evidence.ANCESTRY)), proc(32).job());
    }

    @Test
    @DisplayName("a process that sleeps is looked at less often, and nothing that it did is lost")
    void asleep() throws Exception {
        node.process(40, "python").cpuTicks(100);
        for (int i = 0; i <= Watched.ASLEEP_AFTER; i++) {
            tree.refresh(NOON);
        }
        node.process(40, "python").cpuTicks(250);
        double told = 0;
        int rounds = 0;
        while (told == 0 && rounds++ < Watched.FIRST_EVERY) {
            tree.refresh(NOON);
            told = proc(40).cpuSeconds().orElseThrow();
        }
        assertEquals(1.5, told);
        node.process(40, "python").cpuTicks(251);
        tree.refresh(NOON);
        assertEquals(0.01, proc(40).cpuSeconds().orElseThrow(), "awake again, it is looked at each time");
    }

    @Test
    @DisplayName("processes that sleep are looked at in turns, a quarter in each refresh")
    void turns() throws Exception {
        for (int pid = 100; pid < 140; pid++) {
            node.process(pid, "python");
        }
        for (int i = 0; i <= Watched.ASLEEP_AFTER; i++) {
            tree.refresh(NOON);
        }
        for (int pid = 100; pid < 140; pid++) {
            node.process(pid, "python").cpuTicks(100);
        }
        for (int i = 0; i < Watched.FIRST_EVERY; i++) {
            tree.refresh(NOON);
            assertEquals(
                    10,
                    tree.processes().stream()
                            .filter(each -> each.cpuSeconds().orElse(0) > 0)
                            .count());
        }
    }

    @Test
    @DisplayName("a process that sleeps and ends is gone at once")
    void endsAsleep() throws Exception {
        node.process(40, "python");
        for (int i = 0; i < 2 * Watched.ASLEEP_AFTER; i++) {
            tree.refresh(NOON);
        }
        node.end(40);
        tree.refresh(NOON);
        assertEquals(Set.of(), pids());
    }

    @Test
    @DisplayName("a circle of parents ends")
    void circle() throws Exception {
        node.process(30, "a").parent(31).cgroup("0::/");
        node.process(31, "b").parent(30).cgroup("0::/");
        tree.refresh(NOON);
        assertEquals(Optional.empty(), tree.jobOf(30));
    }

    @ParameterizedTest
    @CsvSource({
        "slurmstepd: [3385.batch],       3385 batch",
        "slurmstepd: [3385.extern]  ,    3385 extern",
        "slurmstepd: [3385.interactive], 3385 interactive",
        "slurmstepd: [3385.0],           3385 0",
        "slurmstepd: [3385.0+1],         3385 0",
        "slurmstepd: [3385.0 stepmgr],   3385 0",
        "slurmstepd: [3385.TBD],         3385 -",
        "slurmstepd: [3385],             3385 -",
    })
    @DisplayName("the titles that slurmstepd gives itself are read")
    void titles(String title, String expected) {
        assertEquals(
                expected,
                JobResolver.parseTitle(title)
                        .map(job -> job.jobId() + " " + job.step().orElse("-"))
                        .orElse("none"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "slurmstepd infinity",
                "slurmstepd: [s5K1KKYAYG5D00.0]",
                "slurmstepd: [0.0]",
                "slurmstepd: [1.0] and more",
                "/usr/sbin/slurmstepd",
                ""
            })
    @DisplayName("other titles tell no job")
    void noTitles(String title) {
        assertEquals(Optional.empty(), JobResolver.parseTitle(title));
    }

    @Test
    @DisplayName("a node whose processes cannot be listed says so")
    void unreadable() {
        ProcTree nowhere = new ProcTree(directory.resolve("nowhere"), directory, false);
        nowhere.refresh(NOON);
        assertThrows(ProbeException.class, nowhere::processes);
    }

    @Test
    @DisplayName("this very process is found on this machine, with its owner")
    void real() throws Exception {
        ProcTree real = new ProcTree(Path.of("/proc"), Path.of("/sys/fs/cgroup"), false);
        real.refresh(NOON);
        int self = Math.toIntExact(ProcessHandle.current().pid());
        ProcTree.Proc proc = real.processes().stream()
                .filter(each -> each.stat().pid() == self)
                .findFirst()
                .orElseThrow();
        assertEquals("java", proc.stat().comm());
        assertEquals(
                OptionalInt.of((Integer) Files.getAttribute(Path.of("/proc/self/"), "unix:uid")), real.uidOf(self));
        assertTrue(proc.stat().residentPages() > 1000);
        assertTrue(real.processes().stream().noneMatch(each -> each.stat().kernelThread()));
    }

    private Set<Integer> pids() throws ProbeException {
        Set<Integer> pids = new TreeSet<>();
        tree.processes().forEach(each -> pids.add(each.stat().pid()));
        return pids;
    }

    private ProcTree.Proc proc(int pid) throws ProbeException {
        return tree.processes().stream()
                .filter(each -> each.stat().pid() == pid)
                .findFirst()
                .orElseThrow();
    }

    private static JobRef job(long id, String step, Evidence evidence) {
        return new JobRef(id, Optional.of(step), evidence);
    }
}
