package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.JobDirectories.JobDirectory;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * CPU time of a job, of which its cgroup's counters never forget anything. Immutable.
 *
 * @param total seconds of all its processes, those that ended included
 * @param user how many of them outside the kernel
 * @param system how many of them within
 */
record CpuStat(OptionalDouble total, OptionalDouble user, OptionalDouble system) {
    /** v1 counts nanoseconds in files of their own, v2 microseconds in one of several lines. */
    static CpuStat read(JobDirectory job, KernelFile.Buffer buffer) {
        if (job.path("cpuacct").isPresent()) {
            return new CpuStat(
                    nanos(job, "cpuacct.usage", buffer),
                    nanos(job, "cpuacct.usage_user", buffer),
                    nanos(job, "cpuacct.usage_sys", buffer));
        }
        String text = job.kept("cpuacct", "cpu.stat", "cpu.stat")
                .flatMap(file -> file.readText(buffer))
                .orElse("");
        return new CpuStat(micros(text, "usage_usec"), micros(text, "user_usec"), micros(text, "system_usec"));
    }

    private static OptionalDouble nanos(JobDirectory job, String name, KernelFile.Buffer buffer) {
        Optional<KernelFile> file = job.kept("cpuacct", name, name);
        OptionalLong nanos = file.isPresent() ? file.get().readNumber(buffer) : OptionalLong.empty();
        return nanos.isPresent() ? OptionalDouble.of(nanos.getAsLong() / 1e9) : OptionalDouble.empty();
    }

    private static OptionalDouble micros(String text, String key) {
        OptionalLong micros = KernelFiles.parseValue(text, key);
        return micros.isPresent() ? OptionalDouble.of(micros.getAsLong() / 1e6) : OptionalDouble.empty();
    }
}
