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
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
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
    /** Well below the limit that a service has for open files, beside those of processes. */
    private static final int MOST_FILES = 4096;

    private final ProcTree tree;
    private final JobDirectories directories;
    private final KeptFiles files = new KeptFiles(MOST_FILES);
    private final Map<String, Integer> uids = new HashMap<>();
    private final JobDetails details = new JobDetails(files);
    private final Set<String> nameless = new HashSet<>();
    /** Of the directories above jobs, which they share; for one read. */
    private final Map<Path, Long> limits = new HashMap<>();
    /** By name, as the last read found them. */
    private volatile Map<String, JobDirectory> lastRead = Map.of();

    /** The tree is to be refreshed before each read. */
    public JobCgroupProbe(ProcTree tree) {
        this.tree = tree;
        this.directories = new JobDirectories(tree.cgroupRoot());
    }

    @Override
    public String name() {
        return "jobs";
    }

    @Override
    public List<JobCgroup> read(Instant at) throws ProbeException {
        Map<Long, List<Proc>> processes = processesByJob();
        List<JobDirectory> standing = directories.list(at);
        Set<Long> found = new HashSet<>();
        standing.forEach(job -> tree.jobIdOf(job.name()).ifPresent(found::add));
        if (!found.containsAll(processes.keySet())) {
            directories.searchAgain(at);
            standing = directories.list(at);
        }
        if (!directories.anyRoot()) {
            throw new NothingToReadException("no cgroup of Slurm stands below " + tree.cgroupRoot()
                    + ": no job has run here since boot, or Slurm uses no cgroups");
        }
        limits.clear();
        files.begin();
        List<JobCgroup> jobs = new ArrayList<>();
        Map<String, JobDirectory> byName = new HashMap<>();
        for (JobDirectory directory : standing) {
            byName.put(directory.name(), directory);
            OptionalLong jobId = tree.jobIdOf(directory.name());
            if (jobId.isPresent()) {
                read(directory, jobId.getAsLong(), processes.getOrDefault(jobId.getAsLong(), List.of()))
                        .ifPresent(jobs::add);
            } else if (nameless.add(directory.name())) {
                log.warn("job left out, no slurmstepd tells its id: cgroup={}", directory.name());
            }
        }
        Set<String> names = byName.keySet();
        lastRead = Map.copyOf(byName);
        details.retain(names);
        files.end();
        uids.keySet().retainAll(names);
        nameless.retainAll(names);
        return List.copyOf(jobs);
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
        Optional<String> memoryStat =
                job.file("memory", "memory.stat", "memory.stat").flatMap(files::readText);
        String cpuStat = job.file("cpuacct", "cpuacct.usage", "cpu.stat")
                .flatMap(files::readText)
                .orElse("");
        OptionalLong memoryCurrent = readNumber(job, "memory.usage_in_bytes", "memory.current");
        // none in the listing: it may be younger than that, or hidden from us, so the kernel is asked before we say so
        int count = processes.isEmpty() ? countMembers(job.members(), 0) : processes.size();
        JobCgroup reading = new JobCgroup(
                jobId,
                Optional.of(job.name())
                        .filter(name -> CgroupPath.SLUID.matcher(name).matches()),
                uidOf(job, processes),
                OptionalInt.of(count),
                parseCpuSeconds(cpuStat),
                memoryStat.isPresent() ? parseUnreclaimable(memoryStat.get()) : OptionalLong.empty(),
                memoryCurrent,
                readNumber(job, "memory.max_usage_in_bytes", "memory.peak"),
                readLimit(job),
                Optional.of(details.read(job, cpuStat, memoryStat.orElse(""), memoryCurrent, threads(processes))));
        return memoryStat.isPresent() || job.stands() ? Optional.of(reading) : Optional.empty();
    }

    private OptionalInt uidOf(JobDirectory job, List<Proc> processes) {
        if (job.uid().isPresent()) {
            return job.uid();
        }
        // the oldest process of a person: programs that change user and containers with users of their own come later
        Optional<Integer> uid = processes.stream()
                .filter(process -> process.identity().uid().isPresent())
                .min(Comparator.comparing(
                                (Proc process) -> process.identity().uid().getAsInt() == 0)
                        .thenComparing(process -> process.stat().startTicks()))
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

    /** v1 counts nanoseconds in a file of its own, v2 microseconds in one of several lines. */
    private static OptionalDouble parseCpuSeconds(String text) {
        OptionalLong micros = KernelFiles.parseValue(text, "usage_usec");
        if (micros.isPresent()) {
            return OptionalDouble.of(micros.getAsLong() / 1e6);
        }
        OptionalLong nanos = KernelFiles.parseNumber(text.strip());
        return nanos.isPresent() ? OptionalDouble.of(nanos.getAsLong() / 1e9) : OptionalDouble.empty();
    }

    private OptionalLong readNumber(JobDirectory job, String v1, String v2) {
        Optional<Path> file = job.file("memory", v1, v2);
        return file.isPresent() ? files.readNumber(file.get()) : OptionalLong.empty();
    }

    /**
     * Anonymous and shared memory. v2 calls them {@code anon} and {@code shmem}; v1 {@code total_rss}, which has no
     * shared memory in it, and {@code total_shmem}, which older kernels lack.
     */
    static OptionalLong parseUnreclaimable(String memoryStat) {
        OptionalLong v2 = KernelFiles.parseValue(memoryStat, "anon");
        OptionalLong anon = v2.isPresent() ? v2 : KernelFiles.parseValue(memoryStat, "total_rss");
        OptionalLong shared = KernelFiles.parseValue(memoryStat, v2.isPresent() ? "shmem" : "total_shmem");
        return anon.isPresent() ? OptionalLong.of(anon.getAsLong() + shared.orElse(0)) : OptionalLong.empty();
    }

    /** The lowest limit from the job's directory upwards; {@code max} and v1's huge number are none. */
    private OptionalLong readLimit(JobDirectory job) {
        Optional<Path> file = job.file("memory", "memory.limit_in_bytes", "memory.max");
        long lowest = file.isPresent() ? lowestLimit(file.get()) : NO_LIMIT;
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
            known = Math.min(files.readNumber(file).orElse(NO_LIMIT), lowestLimit(parent.resolve(file.getFileName())));
            limits.put(directory, known);
        }
        return known;
    }
}
