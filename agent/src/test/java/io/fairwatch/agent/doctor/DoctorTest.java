package io.fairwatch.agent.doctor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.doctor.Finding.Severity;
import io.fairwatch.agent.doctor.PrivilegeCheck.Capability;
import io.fairwatch.agent.doctor.PrivilegeCheck.Feature;
import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.ScratchSource;
import io.fairwatch.agent.probe.nvml.NvmlInspection;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Answer;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Device;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Outcome;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Silent;
import io.fairwatch.agent.spool.Connection;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.MigInstance;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorTest {
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");
    private static final String NO_CAPABILITIES = "0000000000000000";
    private static final String READ_SEARCH = "0000000000000004";

    private final Path directory;
    private final FakeTree tree;
    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private Optional<String> configuredNode = Optional.empty();
    private List<Path> scratch = List.of();
    private boolean names = true;
    private Optional<Path> tokenFile = Optional.empty();
    private Instant collectorsNow = NOW;
    private int collectorStatus = 200;

    DoctorTest(@TempDir Path directory) throws IOException {
        this.directory = directory;
        tree = new FakeTree(directory.resolve("root"))
                .host("nv-ai-01.srv.example.org")
                .mounts(Map.of());
        Files.createDirectory(directory.resolve("spool"));
    }

    @AfterEach
    void stop() {
        vertx.close().await();
    }

    /** As a collector does: the token first, then the batch. */
    private void collector(HttpServerRequest request) {
        boolean mayCome = "Bearer right".equals(request.getHeader("Authorization"));
        if (request.path().equals("/api/v1/health")) {
            request.response()
                    .end("{\"ok\":true,\"version\":\"0.1.0\",\"at\":\"" + collectorsNow + "\",\"nodes\":[{\"name\":");
        } else if (collectorStatus != 200) {
            request.response().setStatusCode(collectorStatus).end("later");
        } else if (mayCome) {
            request.response().setStatusCode(400).end("batch: no snapshot (expected: 1 or more)\n");
        } else {
            request.response().setStatusCode(401).end("authorization: no or wrong bearer token\n");
        }
    }

    private Report examine() throws IOException {
        int port = vertx.createHttpServer()
                .requestHandler(this::collector)
                .listen(0, "127.0.0.1")
                .await()
                .actualPort();
        Doctor.Configured configured = new Doctor.Configured(
                configuredNode,
                Optional.of(new Connection.Settings(
                        URI.create("http://127.0.0.1:" + port),
                        tokenFile,
                        Optional.empty(),
                        Duration.ofSeconds(20),
                        false)),
                directory.resolve("spool"),
                1 << 20,
                false, // asks the real machine, and has tests of its own
                Optional.empty(),
                scratch,
                names,
                false,
                false);
        Doctor doctor = new Doctor(
                Doctor.checks(
                        configured,
                        tree.node(),
                        vertx,
                        uid -> uid == 1001 ? Optional.of("anna@es.example.org") : Optional.empty(),
                        InstantSource.fixed(NOW)),
                Duration.ofMinutes(1));
        return new Report("0.1.0", Doctor.nameInUse(configured, directory.resolve("root")), doctor.examine());
    }

    /** The page without what differs from run to run. */
    private String page(Report report) throws IOException {
        return report.text(false)
                .replaceAll("\\n {12}", " ")
                .replace(directory.toString(), "DIR")
                .replaceAll("http://127.0.0.1:\\d+", "URL")
                .replaceAll("within \\d+ ms", "within N ms")
                .replaceAll("[0-9.]+ [KMGT]iB free", "SPACE free");
    }

    private void token(String token) throws IOException {
        tokenFile = Optional.of(Files.writeString(directory.resolve("token"), token));
    }

    @Test
    @DisplayName("all is well on a GPU node")
    void allFine() throws Exception {
        tree.process(700, "slurmd", "/usr/sbin/slurmd -D -s -N nv-ai-01", 0, "000001ffffffffff")
                .process(1200, "python3", "python3", 1001, NO_CAPABILITIES)
                .file("proc/self/status", FakeTree.status("java", 990, NO_CAPABILITIES))
                .file("proc/self/limits", FakeTree.limits(16384))
                .file("proc/self/cgroup", "0::/\n")
                .cgroupsV2("job_4711");
        spoolOwnerIsSelf();
        token("right");
        Report report = examine();
        assertEquals("""
                node name
                  + ok      nv-ai-01, as Slurm says
                gpus
                  + ok      switched off by nvml.enabled
                cgroups
                  + ok      version 2; Slurm is in /sys/fs/cgroup/system.slice/slurmstepd.scope; 1 job stands
                privileges
                  + ok      no agent runs; this doctor runs as uid UID, capabilities none
                limits
                  + ok      16384 open files allowed
                user names
                  + ok      1 asked for, all known
                spool
                  + ok      DIR/spool: 0 snapshots wait (0 B of 1.0 MiB), SPACE free
                collector
                  + ok      URL answers within N ms, version 0.1.0
                  + ok      it takes what this agent sends
                clock
                  + ok      agrees with the collector's

                nv-ai-01, fairwatch-agent 0.1.0: 0 errors, 0 warnings
                """, page(report).replaceAll("uid \\d+,", "uid UID,"));
        assertEquals(0, report.severity().exitCode());
    }

    private void spoolOwnerIsSelf() throws IOException {
        int uid = (Integer) Files.getAttribute(directory.resolve("spool"), "unix:uid");
        tree.file("proc/self/status", FakeTree.status("java", uid, NO_CAPABILITIES));
    }

    private List<Finding> of(Check check) throws Exception {
        return check.look();
    }

    private String what(Check check) throws Exception {
        return of(check).stream()
                .map(finding -> finding.severity() + " " + finding.what())
                .reduce("", (all, one) -> all + one + "\n");
    }

    @Test
    @DisplayName("a CPU node without driver is fine, a GPU without driver is not")
    void noDriver() throws Exception {
        tree.file("sys/bus/pci/devices/0000:00:02.0/vendor", "0x1234\n")
                .file("sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
        assertEquals("FINE no NVIDIA GPU in this node: nothing to read\n", what(new GpuCheck(tree.node(), true)));
        tree.file("sys/bus/pci/devices/0000:34:00.0/vendor", "0x10de\n")
                .file("sys/bus/pci/devices/0000:34:00.0/class", "0x030200\n");
        assertEquals(
                "ERROR 1 NVIDIA GPUs on the PCI bus, but the driver is not loaded\n",
                what(new GpuCheck(tree.node(), true)));
        assertEquals("FINE switched off by nvml.enabled\n", what(new GpuCheck(tree.node(), false)));
    }

    private static Device gpu(int index, Answer... answers) {
        return device(index, Optional.empty(), answers);
    }

    private static Device device(int index, Optional<MigInstance> mig, Answer... answers) {
        return new Device(
                new GpuDevice(
                        "GPU-" + index,
                        index,
                        OptionalInt.of(index),
                        Optional.empty(),
                        "V100",
                        OptionalLong.of(1),
                        mig),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                List.of(answers));
    }

    @Test
    @DisplayName("what each GPU does not tell is said, and why")
    void answers() throws Exception {
        Answer power = new Answer("power", Outcome.WORKS, "");
        Answer noPower = new Answer("power", Outcome.FAILED, "nvmlDeviceGetPowerUsage: error (999)");
        Answer noFan = new Answer("fan speed", Outcome.NOT_SUPPORTED, "nvmlDeviceGetFanSpeed: ...");
        Answer noGpm = new Answer("activity (GPM)", Outcome.MISSING_FUNCTION, "nvmlGpmSampleGet: ...");
        MigInstance slice = new MigInstance("GPU-3", 7, 0, OptionalInt.empty(), Optional.empty());
        NvmlInspection told = new NvmlInspection(
                "535.161.08",
                Optional.of("12.2"),
                Optional.empty(),
                List.of(
                        gpu(0, power, noFan, noGpm),
                        gpu(1, power, noFan, noGpm),
                        gpu(2, noPower),
                        gpu(3, power),
                        device(3, Optional.of(slice), noFan)),
                List.of(new Silent(4, "nvmlDeviceGetHandleByIndex: the GPU is lost (15)")));
        assertEquals("""
                FINE driver 535.161.08 answers for 4 GPUs, runs CUDA up to 12.2
                ERROR GPU 4 does not answer: nvmlDeviceGetHandleByIndex: the GPU is lost (15)
                FINE GPU 0 1: does not tell fan speed (not supported), activity (GPM) (not in this driver)
                FINE GPU 2 3: tells everything
                FINE MIG instances of GPU 3: does not tell fan speed (not supported)
                WARNING GPU 2: should tell but does not: power (nvmlDeviceGetPowerUsage: error (999))
                """, what(new NvmlCheck(tree.node(), () -> told)));
    }

    @Test
    @DisplayName("a driver without its library and a lost GPU are errors, no driver is fine")
    void library() throws Exception {
        NvmlCheck none = new NvmlCheck(tree.node(), () -> {
            throw new NothingToReadException("no NVIDIA driver (no libnvidia-ml.so.1)");
        });
        assertEquals("FINE nothing to read: no NVIDIA driver (no libnvidia-ml.so.1)\n", what(none));
        tree.gpu("0000:34:00.0", 0).gpu("0000:36:00.0", 1);
        assertTrue(what(none).startsWith("ERROR the driver is loaded, but its library is not found"));
        NvmlInspection one =
                new NvmlInspection("535.161.08", Optional.empty(), Optional.empty(), List.of(gpu(0)), List.of());
        assertEquals("""
                FINE driver 535.161.08 answers for 1 GPU
                ERROR the driver has 2 GPUs, NVML answers for 1
                FINE GPU 0: tells everything
                """, what(new NvmlCheck(tree.node(), () -> one)));
    }

    @Test
    @DisplayName("GPUs whose numbers agree everywhere, with persistence, are fine")
    void gpusFine() throws Exception {
        tree.process(800, "nvidia-persiste", "/usr/bin/nvidia-persistenced --user nvpd", 0, NO_CAPABILITIES)
                .gpu("0000:34:00.0", 0)
                .gpu("0000:36:00.0", 1);
        assertEquals("""
                FINE driver 535.161.08, 2 x Tesla V100-SXM3-32GB
                FINE PCI order, NVML's index and /dev/nvidiaN agree
                FINE nvidia-persistenced runs, so idle GPUs stay initialised
                """, what(new GpuCheck(tree.node(), true)));
    }

    @Test
    @DisplayName("minor numbers out of PCI order, a GPU that fell off the bus and missing persistence are told")
    void gpuTrouble() throws Exception {
        tree.gpu("0000:34:00.0", 1)
                .gpu("0000:36:00.0", 0)
                .file("sys/bus/pci/devices/0000:39:00.0/vendor", "0x10de\n")
                .file("sys/bus/pci/devices/0000:39:00.0/class", "0x030200\n");
        assertEquals("""
                FINE driver 535.161.08, 2 x Tesla V100-SXM3-32GB
                ERROR the PCI bus has 3 NVIDIA GPUs, the driver 2
                WARNING NVML's index goes by PCI bus id and differs from /dev/nvidiaN: 0=/dev/nvidia1 1=/dev/nvidia0
                WARNING nvidia-persistenced does not run; without it the driver may take seconds to answer, and energy \
                counters restart
                """, what(new GpuCheck(tree.node(), true)));
    }

    @Test
    @DisplayName("another name than Slurm's is an error, with the line to write")
    void wrongNodeName() throws Exception {
        tree.process(700, "slurmd", "/usr/sbin/slurmd -N nv-ai-01.srv.example.org", 0, NO_CAPABILITIES);
        Finding finding = of(new NodeNameCheck(tree.node(), Optional.empty())).get(0);
        assertEquals(Severity.ERROR, finding.severity());
        assertEquals("the agent says nv-ai-01, Slurm says nv-ai-01.srv.example.org", finding.what());
        assertTrue(finding.advice().orElse("").contains("set node: nv-ai-01.srv.example.org in agent.yml"));
        assertEquals(
                "FINE nv-ai-01.srv.example.org, as Slurm says\n",
                what(new NodeNameCheck(tree.node(), Optional.of("nv-ai-01.srv.example.org"))));
    }

    @Test
    @DisplayName("Slurm's name is found in the names of its cgroups where slurmd puts it there")
    void nodeNameFromCgroups() throws Exception {
        tree.file("sys/fs/cgroup/freezer/cgroup.procs", "").directory("sys/fs/cgroup/freezer/slurm_gpu07/uid_7/job_1");
        assertEquals(
                "ERROR the agent says nv-ai-01, Slurm says gpu07\n",
                what(new NodeNameCheck(tree.node(), Optional.empty())));
        tree.process(700, "slurmd", "/usr/sbin/slurmd -D", 0, NO_CAPABILITIES);
        assertEquals("FINE gpu07, as Slurm says\n", what(new NodeNameCheck(tree.node(), Optional.of("gpu07"))));
    }

    @Test
    @DisplayName("without anything of Slurm's the host name is believed, another name is doubted")
    void nodeNameUnknown() throws Exception {
        assertEquals(
                "WARNING nv-ai-01; no slurmd runs here to compare with\n",
                what(new NodeNameCheck(tree.node(), Optional.empty())));
        assertTrue(
                what(new NodeNameCheck(tree.node(), Optional.of("gpu07"))).startsWith("WARNING the agent says gpu07"));
        assertEquals(Optional.of("x"), NodeNameCheck.nodeArgument(List.of("slurmd", "-Nx")));
        assertEquals(Optional.empty(), NodeNameCheck.nodeArgument(List.of("slurmd", "-D", "-N")));
    }

    @Test
    @DisplayName("a host without a name that could be a node's is an error before the agent says so")
    void nodeNameNone() throws Exception {
        tree.host("(none)");
        assertTrue(what(new NodeNameCheck(tree.node(), Optional.empty()))
                .startsWith("ERROR the host is called \"(none)\", which is no name of a node"));
    }

    @Test
    @DisplayName("cgroup v2 with SLUIDs, v1 without memory, hybrid and none at all are told apart")
    void cgroups() throws Exception {
        tree.cgroupsV2("s01K9ZJ3Q5R7TV", "job_12");
        assertEquals(
                "FINE version 2; Slurm is in /sys/fs/cgroup/system.slice/slurmstepd.scope; 2 jobs stand, named by SLUID"
                        + " (Slurm 26.05 or later): ids are asked of slurmstepd\n",
                what(new CgroupCheck(tree.node())));
        FakeTree v1 = new FakeTree(directory.resolve("v1"))
                .file("sys/fs/cgroup/freezer/cgroup.procs", "")
                .file("sys/fs/cgroup/cpu,cpuacct/cgroup.procs", "")
                .file("sys/fs/cgroup/unified/cgroup.controllers", "")
                .file("sys/fs/cgroup/unified/cgroup.procs", "")
                .directory("sys/fs/cgroup/freezer/slurm/uid_1000/job_7/step_0")
                .directory("sys/fs/cgroup/cpu,cpuacct/slurm/uid_1000/job_7/step_0");
        assertEquals(
                "FINE hybrid, version 1 for cpu,cpuacct freezer; Slurm is in /sys/fs/cgroup/cpu,cpuacct/slurm,"
                        + " /sys/fs/cgroup/freezer/slurm; 1 job stands\n"
                        + "WARNING Slurm's tree lacks memory, so this is not known of a job as a whole\n",
                what(new CgroupCheck(v1.node())));
        FakeTree none = new FakeTree(directory.resolve("none"));
        assertTrue(what(new CgroupCheck(none.node())).startsWith("ERROR no cgroups are mounted"));
        none.file("sys/fs/cgroup/cgroup.controllers", "cpu memory\n")
                .process(700, "slurmd", "/usr/sbin/slurmd", 0, NO_CAPABILITIES);
        assertTrue(what(new CgroupCheck(none.node())).startsWith("WARNING version 2; slurmd runs, but no directory"));
    }

    @Test
    @DisplayName("a capability that a feature needs and the running agent lacks is named, with the file that grants it")
    void missingCapability() throws Exception {
        Feature walk = new Feature(
                "counting", List.of(Capability.CAP_DAC_READ_SEARCH), "closed ones are left out", "scratch.conf");
        tree.agent(NO_CAPABILITIES);
        List<Finding> findings = of(new PrivilegeCheck(tree.node(), List.of(walk)));
        assertEquals(
                "the agent (pid 900) runs as uid 990, capabilities none",
                findings.get(0).what());
        assertEquals(Severity.WARNING, findings.get(1).severity());
        assertEquals(
                "counting: lacks CAP_DAC_READ_SEARCH; closed ones are left out",
                findings.get(1).what());
        assertTrue(findings.get(1).advice().orElse("").contains("fairwatch-agent.service.d/scratch.conf.example"));
        tree.agent(READ_SEARCH);
        assertEquals("""
                FINE the agent (pid 900) runs as uid 990, capabilities CAP_DAC_READ_SEARCH
                FINE counting: allowed
                """, what(new PrivilegeCheck(tree.node(), List.of(walk))));
    }

    @Test
    @DisplayName("an agent that runs as root, and a /proc that hides processes, are told")
    void rootAndHidepid() throws Exception {
        tree.process(900, "java", "java -jar fairwatch-agent.jar", 0, NO_CAPABILITIES)
                .file("proc/self/mountinfo", "21 28 0:19 / /proc rw - proc proc rw,hidepid=invisible\n");
        assertEquals("""
                WARNING the agent (pid 900) runs as uid 0, that is root
                ERROR /proc is mounted with hidepid: processes of users cannot be seen
                """, what(new PrivilegeCheck(tree.node(), List.of())));
        tree.file("proc/self/mountinfo", "21 28 0:19 / /proc rw - proc proc rw,hidepid=0\n");
        assertEquals(1, of(new PrivilegeCheck(tree.node(), List.of())).size());
    }

    @Test
    @DisplayName("limits that are too small for a large node are told")
    void limits() throws Exception {
        tree.agent(NO_CAPABILITIES)
                .file("proc/900/limits", FakeTree.limits(1024))
                .file("sys/fs/cgroup/system.slice/fairwatch-agent.service/memory.max", "67108864\n");
        assertEquals("""
                WARNING 1024 open files allowed; one per process is kept open
                WARNING 64 MiB of memory allowed
                """, what(new LimitCheck(tree.node())));
    }

    @Test
    @DisplayName("scratch that is not mounted or remote is told as that; else where its figures come from, and why")
    void scratchMounts() throws Exception {
        tree.mounts(
                Map.of("/raid", "xfs /dev/md0 rw,usrquota", "/local", "ext4 /dev/sdb1 rw", "/work", "nfs4 srv:/w rw"));
        Files.createDirectories(directory.resolve("root/raid"));
        Files.createDirectories(directory.resolve("root/local"));
        assertTrue(what(scratch("/raid", "quota", 0))
                .matches("FINE xfs, .* free; use by directory: quota, by user: quota\n"));
        assertTrue(what(scratch("/local", "walk", 0, "user quotas are off"))
                .matches("FINE ext4, .*by user: walk \\(user quotas are off\\)\n"));
        assertTrue(what(scratch("/local", "walk", 3, "3 of 4 directories may not be read"))
                .matches("WARNING ext4, .*by user: walk \\(3 of 4 directories may not be read\\)\n"));
        assertEquals(
                "WARNING nfs4, not a file system of this node: it is left out\n", what(scratch("/work", "walk", 0)));
        assertEquals("ERROR nothing is mounted there\n", what(scratch("/scratch", "walk", 0)));
    }

    @Test
    @DisplayName("a directory of a larger file system is counted as that, and doubted only where a disk may be missing")
    void scratchDirectory() throws Exception {
        tree.mounts(Map.of("/raid", "xfs /dev/md0 rw", "/", "ext4 /dev/sda1 rw", "/gfs", "gfs2 /dev/sdx rw"));
        Files.createDirectories(directory.resolve("root/raid/scratch"));
        Files.createDirectories(directory.resolve("root/local"));
        assertTrue(what(scratch("/raid/scratch", "walk", 0))
                .matches("FINE xfs, .*\nFINE a directory of the file system on /raid: .*\n"));
        assertTrue(what(scratch("/local", "walk", 0))
                .matches("FINE ext4, .*\nWARNING a directory of the file system on /: .*\n"));
        assertEquals("ERROR no such directory\n", what(scratch("/raid/gone", "walk", 0)));
        assertTrue(what(scratch("/gfs", "walk", 0)).startsWith("WARNING gfs2, not a file system of this node"));
    }

    @Test
    @DisplayName("what the doctor sees of scratch as root, and the agent may not, is told with what to do")
    void scratchAsRoot() throws Exception {
        tree.mounts(Map.of("/raid", "xfs /dev/md0 rw,usrquota"))
                .agent(READ_SEARCH)
                .file("proc/self/status", FakeTree.status("java", 0, "000001ffffffffff"));
        Files.createDirectories(directory.resolve("root/raid"));
        List<Finding> findings = of(scratch("/raid", "quota", 0));
        assertEquals(Severity.WARNING, findings.get(1).severity());
        assertTrue(
                findings.get(1).what().startsWith("the agent lacks CAP_SYS_ADMIN, so it is not told quotas and walks"),
                findings.toString());
        assertTrue(findings.get(1).advice().orElse("").contains("fairwatch-agent.service.d/quota.conf.example"));
        assertEquals(1, of(scratch("/raid", "walk", 0)).size());
        tree.agent(NO_CAPABILITIES);
        assertTrue(what(scratch("/raid", "walk", 0)).contains("WARNING the agent lacks CAP_DAC_READ_SEARCH"));
        tree.agent("0000000000200004");
        assertEquals(1, of(scratch("/raid", "quota", 0)).size());
    }

    private ScratchCheck scratch(String mount, String method, int closed, String... why) {
        return new ScratchCheck(
                tree.node(),
                Path.of(mount),
                path -> new ScratchSource(
                        path, "?", Optional.of(method), Optional.of(method), List.of(why), 4, closed));
    }

    @Test
    @DisplayName("a spool that is missing, of another user, too large for its disk, or with refused snapshots is told")
    void spool() throws Exception {
        Path spool = directory.resolve("spool");
        assertTrue(what(new SpoolCheck(tree.node(), directory.resolve("no"), 1)).contains("/no is not there"));
        assertTrue(what(new SpoolCheck(tree.node(), spool, Long.MAX_VALUE / 2)).startsWith("WARNING "));
        tree.process(900, "java", "java -jar fairwatch-agent.jar", 999_999, NO_CAPABILITIES);
        assertTrue(what(new SpoolCheck(tree.node(), spool, 1)).contains("the agent is uid 999999\n"));
        Files.createDirectories(spool.resolve("rejected"));
        Files.writeString(spool.resolve("rejected/1.json.gz"), "x");
        assertTrue(what(new SpoolCheck(tree.node(), spool, 1)).contains("refused snapshots for good"));
    }

    @Test
    @DisplayName("users whom the directory does not know are told; switched off is fine")
    void userNames() throws Exception {
        tree.process(1200, "python3", "python3", 1001, NO_CAPABILITIES)
                .process(1201, "python3", "python3", 1002, NO_CAPABILITIES);
        assertEquals(
                "WARNING no name for uid 1002\n",
                what(new NamesCheck(tree.node(), true, uid -> uid == 1001 ? Optional.of("anna") : Optional.empty())));
        assertEquals(
                "FINE switched off by names: users are numbers\n",
                what(new NamesCheck(tree.node(), false, uid -> Optional.empty())));
    }

    private List<String> toldOf(Report report, String check) {
        return report.findings().stream()
                .filter(finding -> finding.check().equals(check))
                .map(finding -> finding.severity() + " " + finding.what())
                .toList();
    }

    @Test
    @DisplayName("a collector that refuses the token is an error, and the token is nowhere")
    void tokenRefused() throws Exception {
        token("wrong-secret");
        Report report = examine();
        assertEquals(
                "ERROR it refuses the token (401 authorization: no or wrong bearer token)",
                toldOf(report, "collector").get(1));
        assertEquals(2, report.severity().exitCode());
        assertTrue(!report.text(true).contains("secret") && !report.json().contains("secret"));
    }

    @Test
    @DisplayName("a clock that is off is a warning, far off an error; a busy collector is a warning")
    void clocks() throws Exception {
        token("right");
        collectorsNow = NOW.plusSeconds(40);
        collectorStatus = 503;
        Report behind = examine();
        assertEquals(List.of("WARNING this node is 40 s behind the collector"), nearly(40, toldOf(behind, "clock")));
        assertEquals(
                "WARNING it takes nothing for now (503 later)",
                toldOf(behind, "collector").get(1));
        collectorsNow = NOW.minusSeconds(3600);
        assertEquals(
                List.of("ERROR this node is 3600 s ahead of the collector"), nearly(3600, toldOf(examine(), "clock")));
    }

    /** Half the time that the answer took counts: on a busy machine, some seconds. */
    private static List<String> nearly(long seconds, List<String> told) {
        return told.stream()
                .map(line -> Pattern.compile("\\d+(?= s )")
                        .matcher(line)
                        .replaceAll(match -> Math.abs(Long.parseLong(match.group()) - seconds) <= 5
                                ? Long.toString(seconds)
                                : match.group()))
                .toList();
    }

    @Test
    @DisplayName("nobody at the collector's address, and none configured, are errors")
    void noCollector() throws Exception {
        CollectorCheck nobody = new CollectorCheck(
                "http://127.0.0.1:1",
                Optional.of(new Connection(
                        vertx,
                        new Connection.Settings(
                                URI.create("http://127.0.0.1:1"),
                                Optional.empty(),
                                Optional.empty(),
                                Duration.ofSeconds(20),
                                false))),
                work -> io.vertx.core.Future.future(
                        promise -> vertx.runOnContext(run -> work.get().onComplete(promise))),
                InstantSource.fixed(NOW),
                System::nanoTime);
        assertTrue(what(nobody).matches("ERROR http://127.0.0.1:1: .*Connection refused.*\n"), () -> "refused");
        CollectorCheck none = new CollectorCheck(
                "", Optional.empty(), work -> work.get(), InstantSource.fixed(NOW), System::nanoTime);
        assertEquals("ERROR none is configured\n", what(none));
    }

    @Test
    @DisplayName("a check that hangs or breaks costs itself, not the others")
    void hangs() throws Exception {
        CountDownLatch driver = new CountDownLatch(1);
        List<Finding> findings = new Doctor(
                        List.of(
                                check("hung", () -> {
                                    driver.await();
                                    return List.of();
                                }),
                                check("broken", () -> {
                                    throw new UnsatisfiedLinkError("no such symbol");
                                }),
                                check("good", () -> List.of(Finding.fine("good", "works")))),
                        Duration.ofMillis(200))
                .examine();
        driver.countDown();
        assertEquals(
                List.of(
                        "hung: does not answer within 0 s",
                        "broken: could not be looked at: java.lang.UnsatisfiedLinkError: no such symbol",
                        "good: works"),
                findings.stream()
                        .map(finding -> finding.check() + ": " + finding.what())
                        .toList());
    }

    private static Check check(String name, java.util.concurrent.Callable<List<Finding>> work) {
        return new Check() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public List<Finding> look() throws Exception {
                return work.call();
            }
        };
    }

    @Test
    @DisplayName("a page has signs and words, long lines are broken, colours only on demand; JSON says the same")
    void report() {
        Report report = new Report(
                "0.1.0",
                "n1",
                List.of(
                        Finding.fine("a", "works"),
                        Finding.warning("b", "word ".repeat(25) + "end", "do\nthis"),
                        Finding.error("c", "does not work", "do that")));
        assertEquals("""
                a
                  + ok      works
                b
                  ! warning word word word word word word word word word word word word word word word word word
                            word word word word word word word word end
                            To do: do this
                c
                  x ERROR   does not work
                            To do: do that

                n1, fairwatch-agent 0.1.0: 1 error, 1 warning
                """, report.text(false));
        assertTrue(report.text(true).contains("\u001b[31m  x ERROR   \u001b[0mdoes not work"));
        assertEquals("""
                {
                  "version" : "0.1.0",
                  "node" : "n1",
                  "severity" : "fine",
                  "findings" : [ {
                    "check" : "a",
                    "severity" : "fine",
                    "what" : "works"
                  } ]
                }
                """, new Report("0.1.0", "n1", report.findings().subList(0, 1)).json());
    }
}
