package io.fairwatch.agent.wire;

import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * What one user uses on a node, in and outside jobs. Immutable.
 *
 * @param uid numeric user id
 * @param name login name; absent when the directory does not know the uid, or has not answered yet, or when the site
 *     switched names off
 * @param processes processes of this user now
 * @param processesInJobs how many of them belong to a Slurm job
 * @param cpuSeconds CPU time of the period: in jobs what the kernel accounts to the cgroups of this user's jobs, processes
 *     that ended included; outside, and where it accounts for nothing, that of processes that lived at the period's end. A
 *     process outside jobs that had slept is told up to eight periods late. Absent in an agent's first snapshot
 * @param residentBytes sum of the resident memory of these processes; what processes share is counted once for each
 * @param cpuSecondsInJobs how much of {@code cpuSeconds} was in Slurm jobs; absent likewise
 * @param residentBytesInJobs how much of {@code residentBytes} is in Slurm jobs
 * @param proportionalBytes memory with what processes share split among them, as {@code smem} shows it, where it was read
 *     lately; absent where it is switched off or not permitted, and for a user with a process of more than 16 GiB, which
 *     is never looked through, because it might have to wait meanwhile. Source: {@code smaps_rollup}, {@code Pss}
 */
public record UserUse(
        int uid,
        Optional<String> name,
        int processes,
        int processesInJobs,
        OptionalDouble cpuSeconds,
        long residentBytes,
        OptionalDouble cpuSecondsInJobs,
        long residentBytesInJobs,
        OptionalLong proportionalBytes) {
    public UserUse {
        Check.notNegative("users.uid", uid);
        name.ifPresent(login -> Check.text("users.name", login, 255));
        Check.notNegative("users.processes", processes);
        Check.notNegative("users.processes_in_jobs", processesInJobs);
        Check.notNegative("users.cpu_seconds", cpuSeconds);
        Check.notNegative("users.resident_bytes", residentBytes);
        Check.notNegative("users.cpu_seconds_in_jobs", cpuSecondsInJobs);
        Check.notNegative("users.resident_bytes_in_jobs", residentBytesInJobs);
        Check.notNegative("users.proportional_bytes", proportionalBytes);
    }
}
