package io.fairwatch.rules;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/** How much others want GPUs of the kind that a job holds or asks for. In a rule every component is a fact of {@code
 * queue}. Immutable.
 *
 * @param gpuModel Slurm's name of the kind, e.g. {@code v100}. Absent: untyped, and the other facts are of all GPUs
 * @param jobsWaiting jobs that wait for GPUs of the kind. Absent: Slurm has not told. Source: squeue
 * @param gpusWanted GPUs of the kind that they ask for. Absent: as before
 * @param gpusFree GPUs of the kind that nobody holds, on nodes that take jobs. Absent: as before. Source: sinfo less
 *     what running jobs hold */
public record QueueFacts(
        Optional<String> gpuModel, OptionalInt jobsWaiting, OptionalInt gpusWanted, OptionalInt gpusFree) {
    /** For when Slurm has not told. */
    public static final QueueFacts NOT_KNOWN =
            new QueueFacts(Optional.empty(), OptionalInt.empty(), OptionalInt.empty(), OptionalInt.empty());

    /** Checks the ranges. */
    public QueueFacts {
        Objects.requireNonNull(gpuModel, "gpuModel");
        jobsWaiting.ifPresent(value -> Facts.notNegative("jobsWaiting", value));
        gpusWanted.ifPresent(value -> Facts.notNegative("gpusWanted", value));
        gpusFree.ifPresent(value -> Facts.notNegative("gpusFree", value));
    }
}
