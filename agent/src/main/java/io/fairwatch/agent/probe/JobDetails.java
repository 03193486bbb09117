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

    private final KeptFiles files;
    private final Map<String, Fixed> fixed = new HashMap<>();
    private final Map<String, Kills> kills = new HashMap<>();

    /** What does not change. */
    private record Fixed(OptionalInt cpus, Optional<List<Integer>> gpuMinors) {}

    /** Processes killed, and when that was looked at, in reads of this job. */
    private record Kills(OptionalLong count, int readsAgo) {}

    /** Reads what changes through files that stay open. */
    JobDetails(KeptFiles files) {
        this.files = files;
    }

    /** Forgets jobs that are gone. */
    void retain(Set<String> names) {
        fixed.keySet().retainAll(names);
        kills.keySet().retainAll(names);
    }

    /**
     * Reads one job.
     *
     * @param cpuStat text of {@code cpu.stat} or {@code cpuacct.usage}, which the caller has read
     * @param memoryStat text of {@code memory.stat}; likewise
     * @param memoryCurrent what the limit counts
     * @param threads threads of its processes
     */
    JobDetail read(
            JobDirectory job, String cpuStat, String memoryStat, OptionalLong memoryCurrent, OptionalInt threads) {
        boolean v2 = job.file("memory", "v1", "v2")
                .map(Path::getFileName)
                .map(Path::toString)
                .equals(Optional.of("v2"));
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
                cpuPart(job, cpuStat, "user_usec", "cpuacct.usage_user"),
                cpuPart(job, cpuStat, "system_usec", "cpuacct.usage_sys"),
                either(memoryStat, "anon", "total_rss"),
                either(memoryStat, "shmem", "total_shmem"),
                either(memoryStat, "file", "total_cache"),
                either(memoryStat, v2 ? "inactive_file" : "total_inactive_file", "total_inactive_file"),
                swap(job, memoryCurrent),
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
        return job.file(controller, v1, v2).flatMap(files::readText).orElse("");
    }

    /** v2 has them in the text that was read already, in microseconds; v1 in files of their own, in nanoseconds. */
    private OptionalDouble cpuPart(JobDirectory job, String cpuStat, String v2, String v1) {
        OptionalLong micros = KernelFiles.parseValue(cpuStat, v2);
        if (micros.isPresent()) {
            return OptionalDouble.of(micros.getAsLong() / 1e6);
        }
        OptionalLong nanos =
                KernelFiles.parseNumber(text(job, "cpuacct", v1, v1).strip());
        return nanos.isPresent() ? OptionalDouble.of(nanos.getAsLong() / 1e9) : OptionalDouble.empty();
    }

    private static OptionalLong either(String memoryStat, String v2, String v1) {
        OptionalLong value = KernelFiles.parseValue(memoryStat, v1);
        return value.isPresent() ? value : KernelFiles.parseValue(memoryStat, v2);
    }

    /** v1 counts memory and swap together, and has the file only where swap is accounted for. */
    private OptionalLong swap(JobDirectory job, OptionalLong memoryCurrent) {
        Optional<Path> file = job.file("memory", "memory.memsw.usage_in_bytes", "memory.swap.current");
        OptionalLong value = file.isPresent() ? files.readNumber(file.get()) : OptionalLong.empty();
        if (value.isEmpty() || file.get().endsWith("memory.swap.current")) {
            return value;
        }
        return memoryCurrent.isPresent()
                ? OptionalLong.of(Math.max(0, value.getAsLong() - memoryCurrent.getAsLong()))
                : OptionalLong.empty();
    }

    /** The directories of all steps are listed for it, which costs more than all else of a job: not at each read. */
    private OptionalLong killedLately(JobDirectory job) {
        Kills last = kills.get(job.name());
        Kills now = last == null || last.readsAgo() >= KILLS_EVERY
                ? new Kills(killed(job), 1)
                : new Kills(last.count(), last.readsAgo() + 1);
        kills.put(job.name(), now);
        return now.count();
    }

    /** v1 counts a killed process only in the cgroup that it was in, so those of steps and tasks are added up. */
    private OptionalLong killed(JobDirectory job) {
        Optional<Path> file = job.file("memory", "memory.oom_control", "memory.oom_control");
        Path directory = file.map(Path::getParent).orElse(null);
        return directory == null ? OptionalLong.empty() : killed(directory, 0);
    }

    private OptionalLong killed(Path directory, int depth) {
        OptionalLong own = KernelFiles.parseValue(
                files.readText(directory.resolve("memory.oom_control")).orElse(""), "oom_kill");
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
        Optional<Path> file = job.file("none", name, name);
        OptionalLong micros =
                file.isPresent() ? sum(files.readText(file.get()).orElse(""), STALLED) : OptionalLong.empty();
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
                .filter(file -> job.paths().containsKey("devices"))
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
