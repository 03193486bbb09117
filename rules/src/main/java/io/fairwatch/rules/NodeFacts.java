package io.fairwatch.rules;

import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** All that is known of one node. Immutable.
 *
 * @param node what Slurm and its agent say; {@code node} in a rule
 * @param from start of the window, inclusive
 * @param to end of the window, exclusive: the moment of judging
 * @param gpus its GPUs; {@code gpus} in a rule
 * @param directories what lies on its scratch mounts; {@code directories} in a rule */
public record NodeFacts(Node node, Instant from, Instant to, List<Gpu> gpus, List<DirectoryFacts> directories)
        implements SubjectFacts {
    /** Checks the window and copies the lists. */
    public NodeFacts {
        Objects.requireNonNull(node, "node");
        Facts.window(from, to);
        gpus = List.copyOf(gpus);
        directories = List.copyOf(directories);
    }

    /** A node. In a rule every component is a fact of {@code node}.
     *
     * @param name the node's name in Slurm
     * @param state Slurm's words, lower case, e.g. {@code mixed}. Absent: Slurm does not know the node
     * @param gpus GPUs that Slurm knows there. Absent: none, or not told
     * @param gpusHeld GPUs that running jobs hold there. Absent: Slurm has not told
     * @param silentSeconds since its agent's newest snapshot; seconds. Absent: no agent ever reported
     * @param simulated whether its GPUs are simulated
     * @param fresh whether Slurm answered lately enough; if not, every verdict is Unknown */
    public record Node(
            String name,
            Optional<String> state,
            OptionalInt gpus,
            OptionalInt gpusHeld,
            OptionalLong silentSeconds,
            boolean simulated,
            boolean fresh) {
        /** Checks the ranges. */
        public Node {
            Objects.requireNonNull(name, "name");
            Objects.requireNonNull(state, "state");
            gpus.ifPresent(value -> Facts.notNegative("gpus", value));
            gpusHeld.ifPresent(value -> Facts.notNegative("gpusHeld", value));
            silentSeconds.ifPresent(value -> Facts.notNegative("silentSeconds", value));
        }
    }

    /** One GPU of a node. In a rule every component is a fact of {@code gpu}.
     *
     * @param uuid NVML's UUID
     * @param model name of the product. Absent: NVML did not say
     * @param held whether a running job holds it. Absent: Slurm's numbers of this node could not all be translated, or
     *     Slurm manages no GPUs there
     * @param processesOutsideJobsMax most processes at one sampling that belong to no job at all. Absent: the driver
     *     tells no processes
     * @param outsiders whose they are: login names, or {@code uid 1234}
     * @param utilizationMaxRatio the largest utilisation in the window; ratio 0..1. Absent: not told
     * @param coverage samples received divided by samples expected; ratio 0..1 */
    public record Gpu(
            String uuid,
            Optional<String> model,
            Optional<Boolean> held,
            OptionalInt processesOutsideJobsMax,
            List<String> outsiders,
            OptionalDouble utilizationMaxRatio,
            double coverage) {
        /** Checks the ranges. */
        public Gpu {
            Objects.requireNonNull(uuid, "uuid");
            Objects.requireNonNull(model, "model");
            Objects.requireNonNull(held, "held");
            outsiders = List.copyOf(outsiders);
            processesOutsideJobsMax.ifPresent(value -> Facts.notNegative("processesOutsideJobsMax", value));
            utilizationMaxRatio.ifPresent(value -> Facts.ratio("utilizationMaxRatio", value));
            Facts.ratio("coverage", coverage);
        }

        Gpu withoutUse() {
            return new Gpu(uuid, model, held, OptionalInt.empty(), List.of(), OptionalDouble.empty(), coverage);
        }
    }
}
