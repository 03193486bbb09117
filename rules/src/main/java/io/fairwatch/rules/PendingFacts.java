package io.fairwatch.rules;

import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** All that is known of one job that waits. Immutable.
 *
 * @param job what Slurm says; {@code job} in a rule
 * @param from start of the rule's window, which says nothing here
 * @param to the moment of judging
 * @param places nodes that take jobs of its partition and have GPUs of the kind that it asks for which nobody holds;
 *     {@code places} in a rule
 * @param queue who else waits for GPUs of the kind */
public record PendingFacts(Job job, Instant from, Instant to, List<Place> places, QueueFacts queue)
        implements SubjectFacts {
    /** Checks the window and copies the list. */
    public PendingFacts {
        Objects.requireNonNull(job, "job");
        Facts.window(from, to);
        places = List.copyOf(places);
        Objects.requireNonNull(queue, "queue");
    }

    /** A waiting job. In a rule every component is a fact of {@code job}, those of {@code submission} included.
     *
     * @param jobId raw Slurm number
     * @param displayId as people write it
     * @param submission who asked for it, and under which name
     * @param waitingSeconds how long it has been waiting; seconds. Source: squeue SubmitTime
     * @param reason why, in Slurm's word, e.g. {@code Resources}
     * @param nodes how many nodes it asks for. Absent: not told
     * @param cpus CPUs it asks for, all nodes together. Absent: not told
     * @param memoryBytes memory it asks for, all nodes together; bytes. Absent: not told
     * @param gpus GPUs it asks for. Absent: none, or not told
     * @param gpuModel kind of GPU it asks for, in Slurm's word. Absent: any
     * @param fresh whether Slurm answered lately enough */
    public record Job(
            long jobId,
            String displayId,
            JobAllocation.Submission submission,
            long waitingSeconds,
            String reason,
            OptionalInt nodes,
            OptionalInt cpus,
            OptionalLong memoryBytes,
            OptionalInt gpus,
            Optional<String> gpuModel,
            boolean fresh) {
        /** Checks the ranges. */
        public Job {
            Objects.requireNonNull(displayId, "displayId");
            Objects.requireNonNull(submission, "submission");
            Objects.requireNonNull(reason, "reason");
            Objects.requireNonNull(gpuModel, "gpuModel");
            Facts.notNegative("waitingSeconds", waitingSeconds);
            nodes.ifPresent(value -> Facts.notNegative("nodes", value));
            cpus.ifPresent(value -> Facts.notNegative("cpus", value));
            memoryBytes.ifPresent(value -> Facts.notNegative("memoryBytes", value));
            gpus.ifPresent(value -> Facts.notNegative("gpus", value));
        }
    }

    /** A node that could take it, were enough free there. In a rule every component is a fact of {@code place}.
     *
     * @param name the node's name in Slurm
     * @param gpus GPUs of the kind on the node
     * @param cpus its CPUs. Absent: not told
     * @param memoryBytes its memory; bytes. Absent: not told
     * @param gpusFree GPUs of the kind that no job holds
     * @param cpusFree CPUs that no job holds. Absent: not told
     * @param memoryFreeBytes memory that no job holds; bytes. Absent: not told */
    public record Place(
            String name,
            int gpus,
            OptionalInt cpus,
            OptionalLong memoryBytes,
            int gpusFree,
            OptionalInt cpusFree,
            OptionalLong memoryFreeBytes) {
        /** Checks the ranges. */
        public Place {
            Objects.requireNonNull(name, "name");
            Facts.notNegative("gpus", gpus);
            Facts.notNegative("gpusFree", gpusFree);
            cpus.ifPresent(value -> Facts.notNegative("cpus", value));
            memoryBytes.ifPresent(value -> Facts.notNegative("memoryBytes", value));
            cpusFree.ifPresent(value -> Facts.notNegative("cpusFree", value));
            memoryFreeBytes.ifPresent(value -> Facts.notNegative("memoryFreeBytes", value));
        }
    }
}
