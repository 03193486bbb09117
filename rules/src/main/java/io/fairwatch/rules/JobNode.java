package io.fairwatch.rules;

import java.util.Objects;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** What one node saw of a job in the window. In a rule every component is a fact of {@code node}, in the list {@code
 * nodes}. Immutable.
 *
 * @param name the node's name in Slurm
 * @param gpus GPUs of it that the job holds. Absent: Slurm does not name them
 * @param gpusSeen GPUs of the node that its agent watched all through the window, processes included, whoever holds them.
 *     Absent: some were not seen well, or nobody asked, since Slurm manages the GPUs there. Source: NVML
 * @param cpuSeconds CPU time used there in the window; seconds. Absent: the node reported nothing of the job. Source:
 *     cpu.stat or cpuacct.usage of the job's cgroup
 * @param memoryUsedMaxBytes most memory needed there at one time, anonymous and shared; bytes. Absent: as before
 * @param processesMax most processes there at one time. Absent: as before
 * @param coverage samples of the job's cgroup received divided by samples expected; ratio 0..1 */
public record JobNode(
        String name,
        OptionalInt gpus,
        OptionalInt gpusSeen,
        OptionalDouble cpuSeconds,
        OptionalLong memoryUsedMaxBytes,
        OptionalInt processesMax,
        double coverage) {
    /** Checks the ranges. */
    public JobNode {
        Objects.requireNonNull(name, "name");
        gpus.ifPresent(value -> Facts.notNegative("gpus", value));
        gpusSeen.ifPresent(value -> Facts.notNegative("gpusSeen", value));
        cpuSeconds.ifPresent(value -> Facts.notNegative("cpuSeconds", value));
        memoryUsedMaxBytes.ifPresent(value -> Facts.notNegative("memoryUsedMaxBytes", value));
        processesMax.ifPresent(value -> Facts.notNegative("processesMax", value));
        Facts.ratio("coverage", coverage);
    }

    /** A node that said nothing of the job. */
    public static JobNode notSeen(String name, OptionalInt gpus) {
        return new JobNode(
                name, gpus, OptionalInt.empty(), OptionalDouble.empty(), OptionalLong.empty(), OptionalInt.empty(), 0);
    }

    JobNode withoutUse() {
        return new JobNode(
                name,
                gpus,
                OptionalInt.empty(),
                OptionalDouble.empty(),
                OptionalLong.empty(),
                OptionalInt.empty(),
                coverage);
    }
}
