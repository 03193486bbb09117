package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.JobDirectories.JobDirectory;
import io.fairwatch.agent.probe.ProcTree.Proc;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobRef;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Every Slurm job whose cgroup stands on this node, with what the kernel accounts for it. A job without any process is
 * among them: it holds its allocation and does nothing. Confined to one thread.
 */
public final class JobCgroupProbe implements Probe<List<JobCgroup>> {
    private static final Logger log = LoggerFactory.getLogger(JobCgroupProbe.class);
    /** No machine has an exbibyte; v1 writes "no limit" as 2^63 less a page. */
    private static final long NO_LIMIT = 1L << 60;

    private static final int DEEPEST_STEP = 5;
    /** What the ticks of many processes may hide together, and how much of it may be beyond what was seen of them. */
    private static final double UNSEEN_SECONDS = 0.3;

    private static final double UNSEEN_SHARE = 0.05;

    private final ProcTree tree;
    private final JobDirectories directories;
    private final KernelFile.Buffer buffer = new KernelFile.Buffer();
    private final Map<String, Integer> uids = new HashMap<>();
    /** The most that was seen of jobs whose peak the kernel does not keep. */
    private final Map<String, Long> peaks = new HashMap<>();

    private final JobDetails details;
    private final Map<String, Double> cpuSeconds = new HashMap<>();
    private final Map<Path, KernelFile> limitFiles = new HashMap<>();
    private final Set<String> nameless = new HashSet<>();
    /** Of the directories above jobs, which they share; for one read. */
    private final Map<Path, Long> limits = new HashMap<>();
    /** By name, as the last read found them. */
    private volatile Map<String, JobDirectory> lastRead = Map.of();

    private volatile CpuTimes cpuTimes = new CpuTimes(Instant.MIN, Map.of());

    /**
     * CPU time that the kernel accounts to a job since the read before, of processes that ended too.
     *
     * @param uid whose job it is
     */
    record JobCpu(int uid, double seconds) {}

    private record CpuTimes(Instant at, Map<Long, JobCpu> byJob) {}

    /**
     * The tree is to be refreshed before each read.
     *
     * @param nanoTime a clock that nobody sets
     */
    public JobCgroupProbe(ProcTree tree, LongSupplier nanoTime) {
        this.tree = tree;
        this.directories = new JobDirectories(tree.cgroupRoot(), nanoTime);
        this.details = new JobDetails(tree.procRoot(), buffer);
    }

    /** By job, where the read at that instant knows it: of whose jobs the kernel counts the time. Thread-safe. */
    Map<Long, JobCpu> cpuAt(Instant at) {
        CpuTimes last = cpuTimes;
        return last.at.equals(at) ? last.byJob : Map.of();
    }

    @Override
    public String name() {
        return "jobs";
    }

    @Override
    public List<JobCgroup> read(Instant at) throws ProbeException {
        Map<Long, List<Proc>> processes = processesByJob();
        List<JobDirectory> standing = directories.list();
        Set<Long> found = new HashSet<>();
        standing.forEach(job -> tree.jobIdOf(job.name()).ifPresent(found::add));
        if (!found.containsAll(processes.keySet())) {
            directories.searchAgain();
            standing = directories.list();
        }
        if (!directories.anyRoot()) {
            throw new NothingToReadException("no cgroup of Slurm stands below " + tree.cgroupRoot()
                    + ": no job has run here since boot, or Slurm uses no cgroups");
        }
        limits.clear();
        details.begin();
        Map<Long, JobCpu> cpu = new HashMap<>();
        Set<Long> stirred = new HashSet<>();
        List<JobCgroup> jobs = new ArrayList<>();
        Map<String, JobDirectory> byName = new HashMap<>();
        for (JobDirectory directory : standing) {
            byName.put(directory.name(), directory);
            OptionalLong jobId = tree.jobIdOf(directory.name());
            if (jobId.isPresent()) {
                List<Proc> members = processes.getOrDefault(jobId.getAsLong(), List.of());
                Optional<JobCgroup> job = read(directory, jobId.getAsLong(), members);
                directory.rest();
                if (job.isPresent()) {
                    jobs.add(job.get());
                    account(directory, job.get(), members, cpu, stirred);
                }
            } else if (nameless.add(directory.name())) {
                log.warn("job left out, no slurmstepd tells its id: cgroup={}", directory.name());
            }
        }
        Set<String> names = byName.keySet();
        lastRead = Map.copyOf(byName);
        details.retain(names);
        uids.keySet().retainAll(names);
        peaks.keySet().retainAll(names);
        nameless.retainAll(names);
        cpuSeconds.keySet().retainAll(names);
        closeLimitFiles();
        cpuTimes = new CpuTimes(at, Map.copyOf(cpu));
        tree.stirred(stirred);
        return List.copyOf(jobs);
    }

    /** Notes what the kernel counted since the read before, and whether that is more than was seen of the processes. */
    private void account(
            JobDirectory directory, JobCgroup job, List<Proc> members, Map<Long, JobCpu> cpu, Set<Long> stirred) {
        if (job.cpuSeconds().isEmpty()) {
            return;
        }
        double now = job.cpuSeconds().getAsDouble();
        Double before = cpuSeconds.put(directory.name(), now);
        if (before == null) {
            return; // when it used that is not known; its processes tell what they used lately
        }
        double seconds = now < before ? now : now - before; // less: another run took its name
        if (job.uid().isPresent()) {
            cpu.merge(
                    job.jobId(),
                    new JobCpu(job.uid().getAsInt(), seconds),
                    (a, b) -> new JobCpu(a.uid, a.seconds + b.seconds));
        }
        double seen = 0;
        for (Proc process : members) {
            seen += process.cpuSeconds().orElse(0);
        }
        if (seconds - seen > UNSEEN_SECONDS + UNSEEN_SHARE * seconds) {
            stirred.add(job.jobId());
        }
    }

    /**
     * Whether a job's cgroup that was read last is still there now. Thread-safe.
     *
     * @return true too for one that was not read last
     */
    public boolean stands(JobCgroup job) {
        JobDirectory directory = lastRead.get(job.sluid().orElse("job_" + job.jobId()));
        return directory == null || directory.stands();
    }

    private Map<Long, List<Proc>> processesByJob() throws ProbeException {
        Map<Long, List<Proc>> byJob = new HashMap<>();
        for (Proc process : tree.processes()) {
            Optional<JobRef> job = process.job();
            if (job.isPresent()
                    && job.get().evidence() == JobRef.Evidence.CGROUP
                    && !process.stat().zombie()) {
                byJob.computeIfAbsent(job.get().jobId(), id -> new ArrayList<>())
                        .add(process);
            }
        }
        return byJob;
    }

    private Optional<JobCgroup> read(JobDirectory job, long jobId, List<Proc> processes) {
        MemoryStat memoryStat = MemoryStat.read(job, buffer);
        CpuStat cpuStat = CpuStat.read(job, buffer);
        OptionalLong memoryCurrent = readNumber(job, "memory.usage_in_bytes", "memory.current");
        // none in the listing: it may be younger than that, or hidden from us, so the kernel is asked before we say so
        int count = processes.isEmpty() ? countMembers(job.members(), 0) : processes.size();
        JobCgroup reading = new JobCgroup(
                jobId,
                Optional.of(job.name())
                        .filter(name -> CgroupPath.SLUID.matcher(name).matches()),
                uidOf(job, processes),
                OptionalInt.of(count),
                cpuStat.total(),
                memoryStat.unreclaimable(),
                memoryCurrent,
                peak(job, memoryCurrent),
                readLimit(job, memoryStat),
                Optional.of(details.read(job, cpuStat, memoryStat, memoryCurrent, threads(processes))));
        return memoryStat.isThere() || job.stands() ? Optional.of(reading) : Optional.empty();
    }

    private OptionalLong peak(JobDirectory job, OptionalLong current) {
        OptionalLong kept = readNumber(job, "memory.max_usage_in_bytes", "memory.peak");
        return kept.isPresent() || current.isEmpty()
                ? kept
                : OptionalLong.of(peaks.merge(job.name(), current.getAsLong(), Math::max));
    }

    private OptionalInt uidOf(JobDirectory job, List<Proc> processes) {
        if (job.uid().isPresent()) {
            return job.uid();
        }
        // the oldest process of a person: programs that change user and containers with users of their own come later;
        // root alone tells nothing, for a prolog's child is in the job before its owner is
        Optional<Integer> uid = processes.stream()
                .filter(process -> process.identity().uid().orElse(0) != 0)
                .min(Comparator.comparing(process -> process.stat().startTicks()))
                .map(process -> process.identity().uid().getAsInt());
        uid.ifPresent(known -> uids.putIfAbsent(job.name(), known));
        Integer known = uids.get(job.name());
        return known == null ? OptionalInt.empty() : OptionalInt.of(known);
    }

    private static OptionalInt threads(List<Proc> processes) {
        return processes.isEmpty()
                ? OptionalInt.empty()
                : OptionalInt.of(processes.stream()
                        .mapToInt(process -> process.stat().threads())
                        .sum());
    }

    /** Counts the processes in a job's directory and below it, without Slurm's own. */
    private int countMembers(Path directory, int depth) {
        int count = 0;
        for (String line : KernelFiles.readText(directory.resolve("cgroup.procs"))
                .orElse("")
                .split("\n", -1)) {
            OptionalLong pid = KernelFiles.parseNumber(line);
            if (pid.isPresent() && !tree.isSlurmsOwn((int) pid.getAsLong())) {
                count++;
            }
        }
        if (depth < DEEPEST_STEP) {
            for (String name : JobDirectories.children(directory)) {
                Path child = directory.resolve(name);
                if (!name.equals("slurm") && Files.isDirectory(child, LinkOption.NOFOLLOW_LINKS)) {
                    count += countMembers(child, depth + 1);
                }
            }
        }
        return count;
    }

    private OptionalLong readNumber(JobDirectory job, String v1, String v2) {
        Optional<KernelFile> file = job.kept("memory", v1, v2);
        return file.isPresent() ? file.get().readNumber(buffer) : OptionalLong.empty();
    }

    /**
     * The lowest limit from the job's directory upwards; {@code max} and v1's huge number are none. v1 tells it among the
     * job's figures.
     */
    private OptionalLong readLimit(JobDirectory job, MemoryStat memoryStat) {
        long lowest = memoryStat.lowestLimit().orElse(-1);
        if (lowest < 0) {
            Optional<Path> file = job.file("memory", "memory.limit_in_bytes", "memory.max");
            lowest = file.isPresent() ? lowestLimit(file.get()) : NO_LIMIT;
        }
        return lowest < NO_LIMIT ? OptionalLong.of(lowest) : OptionalLong.empty();
    }

    private long lowestLimit(Path file) {
        Path directory = file.getParent();
        Path parent = directory == null ? null : directory.getParent();
        if (directory == null || parent == null || !directory.startsWith(tree.cgroupRoot())) {
            return NO_LIMIT;
        }
        Long known = limits.get(directory);
        if (known == null) {
            long own = limitFiles
                    .computeIfAbsent(file, path -> new KernelFile(path.toString()))
                    .readNumber(buffer)
                    .orElse(NO_LIMIT);
            known = Math.min(own, lowestLimit(parent.resolve(file.getFileName())));
            limits.put(directory, known);
        }
        return known;
    }

    /** Of those that were not asked for in this read. */
    private void closeLimitFiles() {
        limitFiles.entrySet().removeIf(each -> {
            boolean asked = limits.containsKey(each.getKey().getParent());
            if (!asked) {
                each.getValue().close();
            }
            return !asked;
        });
    }
}
