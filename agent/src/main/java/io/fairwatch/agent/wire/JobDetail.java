package io.fairwatch.agent.wire;

import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What a job's cgroup tells beyond CPU time and memory. Immutable. Absent: this kernel or this node's cgroups do not
 * tell.
 *
 * @param cpus logical CPUs that the job may use. Source: {@code cpuset.cpus.effective} or {@code cpuset.cpus}
 * @param threads threads of its processes. Source: {@code /proc/PID/stat}
 * @param cpuUserSeconds CPU time in user space since the job began here. Source: {@code cpu.stat} or {@code
 *     cpuacct.usage_user}
 * @param cpuSystemSeconds CPU time in the kernel. Source: likewise
 * @param memoryAnonymousBytes anonymous memory. Source: {@code memory.stat}, {@code anon} or {@code total_rss}
 * @param memorySharedBytes shared memory and tmpfs. Source: {@code memory.stat}, {@code shmem} or {@code total_shmem}
 * @param memoryCacheBytes page cache. Source: {@code memory.stat}, {@code file} or {@code total_cache}
 * @param memoryInactiveFileBytes page cache that would go first. Source: {@code memory.stat}
 * @param swapUsedBytes Source: {@code memory.swap.current}, or {@code memory.memsw.usage_in_bytes} less memory
 * @param oomKills processes that the kernel killed for want of memory. Source: {@code memory.events} or {@code
 *     memory.oom_control}
 * @param memoryLimitHits how often the limit stopped an allocation. Source: {@code memory.events}, {@code max}, or
 *     {@code memory.failcnt}
 * @param readBytes read from block devices. Source: {@code io.stat} or {@code
 *     blkio.throttle.io_service_bytes_recursive}
 * @param writtenBytes written to block devices. Source: likewise
 * @param cpuStalledSeconds time in which some task waited for a CPU. Source: {@code cpu.pressure}, {@code some}
 * @param memoryStalledSeconds time in which some task waited for memory. Source: {@code memory.pressure}
 * @param ioStalledSeconds time in which some task waited for a device. Source: {@code io.pressure}
 * @param gpuMinors minor numbers of the GPUs that the job's device cgroup lets it open, ascending: what Slurm gave it,
 *     seen from the node. Source: cgroup v1 {@code devices.list}; absent on v2, and where devices are not constrained
 */
public record JobDetail(
        OptionalInt cpus,
        OptionalInt threads,
        OptionalDouble cpuUserSeconds,
        OptionalDouble cpuSystemSeconds,
        OptionalLong memoryAnonymousBytes,
        OptionalLong memorySharedBytes,
        OptionalLong memoryCacheBytes,
        OptionalLong memoryInactiveFileBytes,
        OptionalLong swapUsedBytes,
        OptionalLong oomKills,
        OptionalLong memoryLimitHits,
        OptionalLong readBytes,
        OptionalLong writtenBytes,
        OptionalDouble cpuStalledSeconds,
        OptionalDouble memoryStalledSeconds,
        OptionalDouble ioStalledSeconds,
        Optional<List<Integer>> gpuMinors) {
    public JobDetail {
        Check.notNegative("jobs.detail.cpus", cpus);
        Check.notNegative("jobs.detail.threads", threads);
        Check.notNegative("jobs.detail.cpu_user_seconds", cpuUserSeconds);
        Check.notNegative("jobs.detail.cpu_system_seconds", cpuSystemSeconds);
        Check.notNegative("jobs.detail.memory_anonymous_bytes", memoryAnonymousBytes);
        Check.notNegative("jobs.detail.memory_shared_bytes", memorySharedBytes);
        Check.notNegative("jobs.detail.memory_cache_bytes", memoryCacheBytes);
        Check.notNegative("jobs.detail.memory_inactive_file_bytes", memoryInactiveFileBytes);
        Check.notNegative("jobs.detail.swap_used_bytes", swapUsedBytes);
        Check.notNegative("jobs.detail.oom_kills", oomKills);
        Check.notNegative("jobs.detail.memory_limit_hits", memoryLimitHits);
        Check.notNegative("jobs.detail.read_bytes", readBytes);
        Check.notNegative("jobs.detail.written_bytes", writtenBytes);
        Check.notNegative("jobs.detail.cpu_stalled_seconds", cpuStalledSeconds);
        Check.notNegative("jobs.detail.memory_stalled_seconds", memoryStalledSeconds);
        Check.notNegative("jobs.detail.io_stalled_seconds", ioStalledSeconds);
        gpuMinors = gpuMinors.map(List::copyOf);
        gpuMinors.ifPresent(minors -> {
            Check.atMost("jobs.detail.gpu_minors", minors.size(), 512);
            minors.forEach(minor -> Check.notNegative("jobs.detail.gpu_minors", minor));
        });
    }
}
