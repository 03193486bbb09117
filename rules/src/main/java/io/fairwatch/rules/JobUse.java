package io.fairwatch.rules;

import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** What the nodes saw of a job in the window, apart from its GPUs. In a rule these are facts of {@code job}. Immutable.
 *
 * @param processesMax largest number of processes in the job's cgroups at one sampling, all nodes together. Absent: no
 *     node reported the job's cgroups. Source: cgroup.procs
 * @param cpuSeconds CPU time used in the window, user and system, all nodes together; seconds. Absent: as before.
 *     Source: cpu.stat usage_usec or cpuacct.usage
 * @param memoryUsedMaxBytes most memory needed at one time, anonymous and shared, all nodes together; bytes. Absent: as
 *     before
 * @param gpusTogetherMax most of its GPUs that were busy in the same minutes. Absent: nothing was measured, or nobody
 *     asked. Source: the collector's store
 * @param windowSeconds part of the window in which the run lived; seconds. Source: the collector */
public record JobUse(
        OptionalInt processesMax,
        OptionalDouble cpuSeconds,
        OptionalLong memoryUsedMaxBytes,
        OptionalInt gpusTogetherMax,
        OptionalLong windowSeconds) {
    /** For a job of which no node said anything. */
    public static final JobUse NOT_KNOWN = new JobUse(
            OptionalInt.empty(),
            OptionalDouble.empty(),
            OptionalLong.empty(),
            OptionalInt.empty(),
            OptionalLong.empty());

    /** Checks the ranges. */
    public JobUse {
        processesMax.ifPresent(value -> Facts.notNegative("processesMax", value));
        cpuSeconds.ifPresent(value -> Facts.notNegative("cpuSeconds", value));
        memoryUsedMaxBytes.ifPresent(value -> Facts.notNegative("memoryUsedMaxBytes", value));
        gpusTogetherMax.ifPresent(value -> Facts.notNegative("gpusTogetherMax", value));
        windowSeconds.ifPresent(value -> Facts.notNegative("windowSeconds", value));
    }
}
