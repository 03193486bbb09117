package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.JobDirectories.JobDirectory;
import io.fairwatch.agent.wire.JobDetail;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads what a job's cgroup tells beyond CPU time and memory. What does not change while a job runs on a node, its CPUs
 * and devices, is read once. Confined to one thread.
 */
final class JobDetails {
    private static final int GPU_MAJOR = 195;
    /** 255 is nvidiactl, 254 nvidia-modeset: every job may open them. */
    private static final int MOST_MINOR = 253;

    /** {@code c 195:3 rwm} */
    private static final Pattern GPU = Pattern.compile("(?m)^c " + GPU_MAJOR + ":(\\d{1,3}) ");
    /** {@code some avg10=0.00 avg60=0.00 avg300=0.00 total=12345} */
    private static final Pattern STALLED = Pattern.compile("(?m)^some .*\\btotal=(\\d{1,18})");
    /** {@code 259:0 rbytes=4096 wbytes=0 rios=1 ...} */
    private static final Pattern READ = Pattern.compile("\\brbytes=(\\d{1,18})");

    private static final Pattern WRITTEN = Pattern.compile("\\bwbytes=(\\d{1,18})");

    private static final int DEEPEST_STEP = 3;
    private static final int KILLS_EVERY = 4;

    private final KernelFile.Buffer buffer;
    private final KernelFile nodeFigures;
    private final Map<String, Fixed> fixed = new HashMap<>();
    private final Map<String, Kills> kills = new HashMap<>();
    /** Processes that the node has killed for want of memory since boot; absent where the kernel does not tell. */
    private OptionalLong killedOnNode = OptionalLong.empty();

    private boolean nodeAsked;

    /** What does not change. */
    private record Fixed(OptionalInt cpus, Optional<List<Integer>> gpuMinors) {}

    /** Processes killed, how many the node had killed by then, and when that was looked at, in reads of this job. */
    private record Kills(OptionalLong count, OptionalLong onNode, int readsAgo) {}

    JobDetails(Path procRoot, KernelFile.Buffer buffer) {
        this.buffer = buffer;
        this.nodeFigures = new KernelFile(procRoot + "/vmstat");
    }

    /** Begins a read of all jobs. */
    void begin() {
        nodeAsked = false;
    }

    /** Forgets jobs that are gone. */
    void retain(Set<String> names) {
        fixed.keySet().retainAll(names);
        kills.keySet().retainAll(names);
    }

    /**
     * Reads one job.
     *
     * @param memoryCurrent what the limit counts
     * @param threads threads of its processes
     */
    JobDetail read(
            JobDirectory job, CpuStat cpuStat, MemoryStat memoryStat, OptionalLong memoryCurrent, OptionalInt threads) {
        boolean v2 = job.isV2();
        Fixed same = fixed.get(job.name());
        if (same == null) {
            same = new Fixed(readCpus(job), readGpuMinors(job));
            if (same.cpus.isPresent()) { // a job that is being set up has none yet
                fixed.put(job.name(), same);
            }
        }
        String events = text(job, "memory", "memory.failcnt", "memory.events");
        String io = text(job, "blkio", "blkio.throttle.io_service_bytes_recursive", "io.stat");
        return new JobDetail(
                same.cpus,
                threads,
                cpuStat.user(),
                cpuStat.system(),
                memoryStat.anonymous(),
                memoryStat.shared(),
                memoryStat.cached(),
                memoryStat.inactiveFile(),
                swap(job, memoryStat, memoryCurrent),
                v2 ? KernelFiles.parseValue(events, "oom_kill") : killedLately(job),
                v2 ? KernelFiles.parseValue(events, "max") : KernelFiles.parseNumber(events.strip()),
                v2 ? sum(io, READ) : lines(io, " Read "),
                v2 ? sum(io, WRITTEN) : lines(io, " Write "),
                stalled(job, "cpu.pressure"),
                stalled(job, "memory.pressure"),
                stalled(job, "io.pressure"),
                same.gpuMinors);
    }

    private String text(JobDirectory job, String controller, String v1, String v2) {
        return job.kept(controller, v1, v2)
                .flatMap(file -> file.readText(buffer))
                .orElse("");
    }

    /** v1 tells it where swap is accounted for, kernels differ in where. */
    private OptionalLong swap(JobDirectory job, MemoryStat memoryStat, OptionalLong memoryCurrent) {
        if (memoryStat.swap().isPresent()) {
            return memoryStat.swap();
        }
        Optional<KernelFile> file = job.kept("memory", "memory.memsw.usage_in_bytes", "memory.swap.current");
        OptionalLong value = file.isPresent() ? file.get().readNumber(buffer) : OptionalLong.empty();
        if (value.isEmpty() || job.isV2()) {
            return value;
        }
        return memoryCurrent.isPresent()
                ? OptionalLong.of(Math.max(0, value.getAsLong() - memoryCurrent.getAsLong()))
                : OptionalLong.empty();
    }

    /**
     * The directories of all steps are listed for it, which costs more than all else of a job: only when the node killed
     * something since, and where the kernel does not tell that, not at each read.
     */
    private OptionalLong killedLately(JobDirectory job) {
        if (!nodeAsked) {
            nodeAsked = true;
            killedOnNode = nodeFigures
                    .readText(buffer)
                    .map(text -> KernelFiles.parseValue(text, "oom_kill"))
                    .orElse(OptionalLong.empty());
        }
        Kills last = kills.get(job.name());
        Kills now = last == null || isDue(last, killedOnNode)
                ? new Kills(killed(job), killedOnNode, 1)
                : new Kills(last.count(), last.onNode(), last.readsAgo() + 1);
        kills.put(job.name(), now);
        return now.count();
    }

    private static boolean isDue(Kills last, OptionalLong killedOnNode) {
        return killedOnNode.isPresent() ? !killedOnNode.equals(last.onNode()) : last.readsAgo() >= KILLS_EVERY;
    }

    /** v1 counts a killed process only in the cgroup that it was in, so those of steps and tasks are added up. */
    private OptionalLong killed(JobDirectory job) {
        Optional<Path> file = job.file("memory", "memory.oom_control", "memory.oom_control");
        Path directory = file.map(Path::getParent).orElse(null);
        return directory == null ? OptionalLong.empty() : killed(directory, 0);
    }

    private OptionalLong killed(Path directory, int depth) {
        OptionalLong own = KernelFiles.parseValue(
                KernelFiles.readText(directory.resolve("memory.oom_control")).orElse(""), "oom_kill");
        if (own.isEmpty() || depth == DEEPEST_STEP) {
            return own;
        }
        long sum = own.getAsLong();
        for (String name : JobDirectories.children(directory)) {
            if ((name.startsWith("step_") || name.startsWith("task_"))
                    && Files.isDirectory(directory.resolve(name), LinkOption.NOFOLLOW_LINKS)) {
                sum += killed(directory.resolve(name), depth + 1).orElse(0);
            }
        }
        return OptionalLong.of(sum);
    }

    /** Adds up what a pattern finds; absent when it finds nothing. */
    private static OptionalLong sum(String text, Pattern pattern) {
        Matcher found = pattern.matcher(text);
        long sum = 0;
        boolean any = false;
        while (found.find()) {
            sum += Long.parseLong(found.group(1));
            any = true;
        }
        return any ? OptionalLong.of(sum) : OptionalLong.empty();
    }

    /** Adds up v1's lines {@code 259:0 Read 4096}. */
    private static OptionalLong lines(String text, String word) {
        long sum = 0;
        boolean any = false;
        for (int at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
            int end = text.indexOf('\n', at);
            OptionalLong value =
                    KernelFiles.parseNumber(text.substring(at + word.length(), end < 0 ? text.length() : end));
            sum += value.orElse(0);
            any |= value.isPresent();
        }
        return any ? OptionalLong.of(sum) : OptionalLong.empty();
    }

    /** Only v2 has it, and only where the kernel was started with it. */
    private OptionalDouble stalled(JobDirectory job, String name) {
        Optional<KernelFile> file = job.kept("none", name, name);
        OptionalLong micros =
                file.isPresent() ? sum(file.get().readText(buffer).orElse(""), STALLED) : OptionalLong.empty();
        return micros.isPresent() ? OptionalDouble.of(micros.getAsLong() / 1e6) : OptionalDouble.empty();
    }

    /** v1 and v2 name the file alike in two ways; a v2 cgroup without a set of its own has its parent's. */
    private static OptionalInt readCpus(JobDirectory job) {
        for (String name : List.of("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus")) {
            Path file = job.file("cpuset", name, name).orElse(null);
            OptionalInt cpus = file == null
                    ? OptionalInt.empty()
                    : countCpus(KernelFiles.readText(file).orElse(""));
            if (cpus.isPresent() && cpus.getAsInt() > 0) {
                return cpus;
            }
        }
        return OptionalInt.empty();
    }

    /** Counts e.g. {@code 0-3,8}; absent when it is something else, or empty. */
    static OptionalInt countCpus(String list) {
        int count = 0;
        for (String part : list.strip().split(",", -1)) {
            String[] ends = part.split("-", 2);
            OptionalLong first = KernelFiles.parseNumber(ends[0]);
            OptionalLong last = KernelFiles.parseNumber(ends[ends.length - 1]);
            if (first.isEmpty()
                    || last.isEmpty()
                    || last.getAsLong() < first.getAsLong()
                    || last.getAsLong() > 1 << 16) {
                return OptionalInt.empty();
            }
            count += (int) (last.getAsLong() - first.getAsLong() + 1);
        }
        return count > 0 ? OptionalInt.of(count) : OptionalInt.empty();
    }

    private static Optional<List<Integer>> readGpuMinors(JobDirectory job) {
        return job.file("devices", "devices.list", "devices.list")
                .filter(file -> job.path("devices").isPresent())
                .flatMap(KernelFiles::readText)
                .flatMap(JobDetails::parseGpuMinors);
    }

    /** The GPUs that a job may open; absent where devices are not constrained: {@code a *:* rwm}, {@code c 195:* rwm}. */
    static Optional<List<Integer>> parseGpuMinors(String devices) {
        if (devices.isEmpty()
                || devices.startsWith("a ")
                || devices.contains("c " + GPU_MAJOR + ":*")
                || devices.contains("c *:* rwm")) {
            return Optional.empty();
        }
        TreeSet<Integer> minors = new TreeSet<>();
        Matcher gpu = GPU.matcher(devices);
        while (gpu.find()) {
            int minor = Integer.parseInt(gpu.group(1));
            if (minor <= MOST_MINOR) {
                minors.add(minor);
            }
        }
        return Optional.of(new ArrayList<>(minors));
    }
}
