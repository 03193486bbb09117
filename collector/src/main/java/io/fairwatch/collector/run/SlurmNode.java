package io.fairwatch.collector.run;

import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * A node as Slurm knows it. Immutable.
 *
 * @param name Slurm's {@code NodeName}
 * @param state Slurm's words, lower case, flags joined by {@code +}, e.g. {@code mixed} or {@code idle+drain}
 * @param cpus CPUs that Slurm may give; absent if not told
 * @param memoryBytes memory that Slurm may give; absent if not told
 * @param gpus GPUs by its {@code Gres}; absent: Slurm knows of none, which does not mean that there are none
 * @param gres Slurm's own text, e.g. {@code gpu:v100:16}; empty without any
 */
public record SlurmNode(
        String name, String state, OptionalInt cpus, OptionalLong memoryBytes, OptionalInt gpus, String gres) {}
