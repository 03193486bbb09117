package io.fairwatch.collector.run;

import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * A node as Slurm knows it. Immutable.
 *
 * @param name Slurm's {@code NodeName}
 * @param state Slurm's words, lower case, flags joined by {@code +}, e.g. {@code mixed}, {@code idle+drain} or
 *     {@code idle+cloud+powered_down}
 * @param cpus CPUs that Slurm may give; absent if not told
 * @param memoryBytes memory that Slurm may give; absent if not told
 * @param gpus GPUs by its {@code Gres}; absent: Slurm knows of none, which does not mean that there are none
 * @param gres Slurm's own text, e.g. {@code gpu:v100:16}; empty without any
 * @param given what of it jobs hold now
 */
public record SlurmNode(
        String name,
        String state,
        OptionalInt cpus,
        OptionalLong memoryBytes,
        OptionalInt gpus,
        String gres,
        Given given) {

    /** A node of which it is not told what jobs hold. */
    public SlurmNode(
            String name, String state, OptionalInt cpus, OptionalLong memoryBytes, OptionalInt gpus, String gres) {
        this(name, state, cpus, memoryBytes, gpus, gres, Given.NOT_TOLD);
    }

    /**
     * What jobs hold of a node. Immutable.
     *
     * @param cpus CPUs; absent if not told
     * @param memoryBytes memory; absent if not told
     * @param gpus GPUs by {@code GresUsed}; absent if not told
     */
    public record Given(OptionalInt cpus, OptionalLong memoryBytes, OptionalInt gpus) {
        public static final Given NOT_TOLD = new Given(OptionalInt.empty(), OptionalLong.empty(), OptionalInt.empty());
    }

    /** Words under which nothing runs on a node: it is off, on its way down or up, or not there yet. */
    private static final Set<String> OFF = Set.of(
            "powered_down",
            "powering_down",
            "powering_up",
            "power_down",
            "power_up",
            "power_drain",
            "rebooting",
            "reboot_issued",
            "future",
            "unknown");

    /**
     * Why nothing can be heard from this node though its agent is well, in Slurm's word, e.g. {@code powered_down}: cloud
     * nodes that are switched off or on their way up or down, nodes that Slurm reboots, nodes that are not there yet.
     * Absent for all others, also for those that are down: that may be a fault, and Slurm says so itself.
     */
    public Optional<String> offBecause() {
        return Arrays.stream(state.split("\\+")).filter(OFF::contains).findFirst();
    }

    /** Whether Slurm itself takes the node for lost: {@code down}, {@code fail} or {@code not_responding}. */
    public boolean isDown() {
        return Arrays.stream(state.split("\\+"))
                .anyMatch(word -> word.equals("down") || word.equals("fail") || word.equals("not_responding"));
    }
}
