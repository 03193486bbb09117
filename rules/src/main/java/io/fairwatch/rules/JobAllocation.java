package io.fairwatch.rules;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** One run of a job as Slurm has it. In a rule every component is a fact of {@code job}, those of the nested records
 * included: {@code job.user}, {@code job.gpus_allocated}. Immutable.
 *
 * @param jobId raw Slurm number of the job. Source: squeue JobID
 * @param displayId the job as people write it and as scancel takes it for this one alone: {@code 83549}, {@code 5_3},
 *     {@code 6+1}; the raw number of an array's last task or of a het job's leader would mean all of it
 * @param submission who asked for it, and under which name
 * @param resources what Slurm gave
 * @param elapsedSeconds age of this run; seconds, from 0. A requeued job starts again at 0. Source: squeue StartTime
 * @param timeLimitSeconds how long the run may take; seconds. Absent: unlimited. Source: squeue TimeLimit
 * @param interactive whether a person is thought to sit in front of it (salloc, srun --pty, a notebook). Source: the
 *     collector, from Slurm's batch flag and the job's name
 * @param state Slurm's word for its state, e.g. {@code RUNNING} or {@code COMPLETED}
 * @param array whether it is a task of an array
 * @param fresh whether Slurm answered lately enough for these facts to be current; if not, every verdict is Unknown.
 *     Source: the collector */
public record JobAllocation(
        long jobId,
        String displayId,
        Submission submission,
        Resources resources,
        long elapsedSeconds,
        OptionalLong timeLimitSeconds,
        boolean interactive,
        String state,
        boolean array,
        boolean fresh) {

    /** Checks the ranges. */
    public JobAllocation {
        Objects.requireNonNull(displayId, "displayId");
        Objects.requireNonNull(submission, "submission");
        Objects.requireNonNull(resources, "resources");
        Objects.requireNonNull(timeLimitSeconds, "timeLimitSeconds");
        Objects.requireNonNull(state, "state");
        Facts.notNegative("elapsedSeconds", elapsedSeconds);
        timeLimitSeconds.ifPresent(value -> Facts.notNegative("timeLimitSeconds", value));
    }

    /** Who asked for the job, and how it was filed. All texts are as the user or Slurm wrote them, unescaped.
     *
     * @param user login name; may contain {@code @}. Source: squeue User
     * @param account charged group. Absent: accounting is off. Source: squeue Account
     * @param partition the partition it runs in. Absent: Slurm does not say. Source: squeue Partition
     * @param qos quality of service. Absent: accounting is off. Source: squeue QOS
     * @param name job name, chosen by the user. Absent: withheld by the site. Source: squeue Name
     * @param reservation the reservation that it runs in; empty: none. Absent: Slurm does not say. Source: squeue
     *     Reservation
     * @param comment the job's comment, chosen by the user; empty: none. Absent: Slurm does not say. Source: squeue
     *     Comment */
    public record Submission(
            String user,
            Optional<String> account,
            Optional<String> partition,
            Optional<String> qos,
            Optional<String> name,
            Optional<String> reservation,
            Optional<String> comment) {
        /** Refuses nulls. */
        public Submission {
            Objects.requireNonNull(user, "user");
            Objects.requireNonNull(account, "account");
            Objects.requireNonNull(partition, "partition");
            Objects.requireNonNull(qos, "qos");
            Objects.requireNonNull(name, "name");
            Objects.requireNonNull(reservation, "reservation");
            Objects.requireNonNull(comment, "comment");
        }
    }

    /** What Slurm gave to the run.
     *
     * @param nodes number of nodes, from 1. Source: squeue NumNodes
     * @param gpusAllocated number of GPUs (MIG instances count one each), from 0. Absent: Slurm knows of no GPUs on
     *     these nodes, which is not the same as none allocated. Source: AllocTRES gres/gpu
     * @param cpus number of CPUs. Absent: Slurm does not say. Source: AllocTRES cpu
     * @param memoryBytes host memory; bytes, all nodes together. Absent: memory is not managed by Slurm. Source:
     *     AllocTRES mem
     * @param gpuModel Slurm's name for the kind of its GPUs, e.g. {@code v100}. Absent: untyped, mixed, or none
     * @param nodeNames names of its nodes
     * @param shape what a whole node of its kind has */
    public record Resources(
            int nodes,
            OptionalInt gpusAllocated,
            OptionalInt cpus,
            OptionalLong memoryBytes,
            Optional<String> gpuModel,
            List<String> nodeNames,
            Shape shape) {
        /** Checks the ranges. */
        public Resources {
            Facts.notNegative("nodes", nodes);
            gpusAllocated.ifPresent(value -> Facts.notNegative("gpusAllocated", value));
            cpus.ifPresent(value -> Facts.notNegative("cpus", value));
            memoryBytes.ifPresent(value -> Facts.notNegative("memoryBytes", value));
            Objects.requireNonNull(gpuModel, "gpuModel");
            nodeNames = List.copyOf(nodeNames);
            Objects.requireNonNull(shape, "shape");
        }
    }

    /** What a whole node has, so that a GPU's share of it can be told: of the largest node of the job by CPUs for each
     * GPU, so that nobody is said to take more than a share when some node has it.
     *
     * @param nodeCpus its CPUs. Absent: Slurm does not say. Source: sinfo
     * @param nodeMemoryBytes its memory; bytes. Absent: as before
     * @param nodeGpus its GPUs. Absent: Slurm knows of none there */
    public record Shape(OptionalInt nodeCpus, OptionalLong nodeMemoryBytes, OptionalInt nodeGpus) {
        /** Nothing is known of the nodes. */
        public static final Shape NOT_KNOWN = new Shape(OptionalInt.empty(), OptionalLong.empty(), OptionalInt.empty());

        /** Checks the ranges. */
        public Shape {
            nodeCpus.ifPresent(value -> Facts.notNegative("nodeCpus", value));
            nodeMemoryBytes.ifPresent(value -> Facts.notNegative("nodeMemoryBytes", value));
            nodeGpus.ifPresent(value -> Facts.notNegative("nodeGpus", value));
        }
    }
}
