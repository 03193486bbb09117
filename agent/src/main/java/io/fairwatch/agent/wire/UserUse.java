package io.fairwatch.agent.wire;

import java.util.Optional;
import java.util.OptionalDouble;

/**
 * What one user's processes use on a node, in and outside jobs. Immutable.
 *
 * @param uid numeric user id
 * @param name login name; absent when the directory does not know the uid, or has not answered yet, or when the site
 *     switched names off
 * @param processes processes of this user now
 * @param processesInJobs how many of them belong to a Slurm job
 * @param cpuSeconds CPU time of the period by processes that lived at its end; absent in an agent's first snapshot
 * @param residentBytes sum of the resident memory of these processes; what processes share is counted once for each
 */
public record UserUse(
        int uid,
        Optional<String> name,
        int processes,
        int processesInJobs,
        OptionalDouble cpuSeconds,
        long residentBytes) {
    public UserUse {
        Check.notNegative("users.uid", uid);
        name.ifPresent(login -> Check.text("users.name", login, 255));
        Check.notNegative("users.processes", processes);
        Check.notNegative("users.processes_in_jobs", processesInJobs);
        Check.notNegative("users.cpu_seconds", cpuSeconds);
        Check.notNegative("users.resident_bytes", residentBytes);
    }
}
