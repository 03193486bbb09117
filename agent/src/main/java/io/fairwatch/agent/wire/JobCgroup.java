package io.fairwatch.agent.wire;

import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * A job on this node as its cgroup accounts for it. Immutable. Counts processes that came and went between two
 * snapshots and shared memory once, which no list of processes does.
 *
 * @param jobId raw job id
 * @param sluid the cgroup's name where Slurm names it so (26.05); absent elsewhere
 * @param uid whose job it is; absent when neither the path nor a process tells
 * @param processes processes in it without Slurm's own; 0: the job holds its allocation and does nothing
 * @param cpuSeconds CPU time since the job began on this node. Source: {@code cpuacct.usage} or {@code cpu.stat}
 * @param memoryUsedBytes anonymous and shared memory: what cannot be reclaimed. Source: {@code memory.stat}
 * @param memoryCurrentBytes what the limit counts, page cache included. Source: {@code memory.usage_in_bytes} or {@code
 *     memory.current}
 * @param memoryPeakBytes highest value of the former. Source: {@code memory.max_usage_in_bytes} or {@code memory.peak};
 *     where the kernel has no such file, the highest that the agent saw; absent where the former is
 * @param memoryLimitBytes lowest limit of the job's cgroup and those above it; absent: no limit, or not known
 * @param detail what it tells beyond that; absent when it tells nothing
 */
public record JobCgroup(
        long jobId,
        Optional<String> sluid,
        OptionalInt uid,
        OptionalInt processes,
        OptionalDouble cpuSeconds,
        OptionalLong memoryUsedBytes,
        OptionalLong memoryCurrentBytes,
        OptionalLong memoryPeakBytes,
        OptionalLong memoryLimitBytes,
        Optional<JobDetail> detail) {
    public JobCgroup {
        Check.positive("jobs.job_id", jobId);
        sluid.ifPresent(id -> Check.name("jobs.sluid", id));
        Check.notNegative("jobs.uid", uid);
        Check.notNegative("jobs.processes", processes);
        Check.notNegative("jobs.cpu_seconds", cpuSeconds);
        Check.notNegative("jobs.memory_used_bytes", memoryUsedBytes);
        Check.notNegative("jobs.memory_current_bytes", memoryCurrentBytes);
        Check.notNegative("jobs.memory_peak_bytes", memoryPeakBytes);
        Check.notNegative("jobs.memory_limit_bytes", memoryLimitBytes);
    }
}
