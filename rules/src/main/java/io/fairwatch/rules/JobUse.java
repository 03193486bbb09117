package io.fairwatch.rules;

import java.util.OptionalDouble;
import java.util.OptionalInt;

/** What the nodes saw of a job in the window, apart from its GPUs. In a rule these are facts of {@code job}. Immutable.
 *
 * @param processesMax largest number of processes in the job's cgroups at one sampling, all nodes together. Absent: no
 *     node reported the job's cgroups. Source: cgroup.procs
 * @param cpuSeconds CPU time used in the window, user and system, all nodes together; seconds. Absent: as before.
 *     Source: cpu.stat usage_usec or cpuacct.usage */
public record JobUse(OptionalInt processesMax, OptionalDouble cpuSeconds) {
    /** For a job of which no node said anything. */
    public static final JobUse NOT_KNOWN = new JobUse(OptionalInt.empty(), OptionalDouble.empty());

    /** Checks the ranges. */
    public JobUse {
        processesMax.ifPresent(value -> Facts.notNegative("processesMax", value));
        cpuSeconds.ifPresent(value -> Facts.notNegative("cpuSeconds", value));
    }
}
