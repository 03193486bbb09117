package io.fairwatch.collector.run;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * One run of a job as Slurm tells it. Immutable. Texts that users write (name) are kept as they are, with invalid UTF-8
 * replaced; whoever shows them escapes them.
 *
 * @param key which run
 * @param ids the job's other numbers
 * @param owner whose it is and under what it runs
 * @param name job name
 * @param interactive not started by sbatch. Source: {@code batch_flag} false; for ended jobs unknown counts as false
 * @param submit when this run was submitted or requeued
 * @param end when it ended; absent while it holds its allocation
 * @param timeLimit its time limit; absent: unlimited or not told
 * @param suspended how long it was suspended so far; its GPUs stay held, but Slurm does not count that time
 * @param state Slurm's state
 * @param stateText Slurm's own words for the state
 * @param allocation what Slurm gave
 * @param gpus the GPUs that it was given, where Slurm names them; kept from first sight because Slurm forgets them at the
 *     end; empty does not mean that it has none: see {@link Allocation#gpus}
 * @param asOf when Slurm said so
 * @param also what only some of Slurm's answers tell
 */
public record Run(
        RunKey key,
        JobIds ids,
        Owner owner,
        String name,
        boolean interactive,
        Instant submit,
        Optional<Instant> end,
        Optional<Duration> timeLimit,
        Duration suspended,
        JobState state,
        String stateText,
        Allocation allocation,
        List<AllocatedGpu> gpus,
        Instant asOf,
        Also also) {
    public Run {
        stateText = stateText.intern();
        gpus = List.copyOf(gpus);
        if (end.isPresent() && end.get().isBefore(key.start())) {
            throw new IllegalArgumentException(
                    "end: " + end.get() + " (expected: not before start " + key.start() + ")");
        }
    }

    /** A run of which nothing else is told. */
    public Run(
            RunKey key,
            JobIds ids,
            Owner owner,
            String name,
            boolean interactive,
            Instant submit,
            Optional<Instant> end,
            Optional<Duration> timeLimit,
            Duration suspended,
            JobState state,
            String stateText,
            Allocation allocation,
            List<AllocatedGpu> gpus,
            Instant asOf) {
        this(
                key,
                ids,
                owner,
                name,
                interactive,
                submit,
                end,
                timeLimit,
                suspended,
                state,
                stateText,
                allocation,
                gpus,
                asOf,
                Also.NOT_TOLD);
    }

    /**
     * What only some of Slurm's answers tell of a run. Immutable.
     *
     * @param eligible since when nothing but resources kept it waiting: no dependency, hold or begin time; absent if not
     *     told. Source: {@code eligible_time}, {@code Eligible}
     * @param resumed when it last went on after it had been suspended; absent: it never was, is suspended now, or that is
     *     not told. What its GPUs did before says nothing of what its owner did. Source: {@code suspend_time}
     * @param comment what its owner wrote beside it, as it is; absent without, and for jobs that only accounting told
     * @param reservation the reservation that it runs in; absent outside of any
     */
    public record Also(
            Optional<Instant> eligible,
            Optional<Instant> resumed,
            Optional<String> comment,
            Optional<String> reservation) {
        public static final Also NOT_TOLD =
                new Also(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());
    }

    /**
     * A job's other numbers.
     *
     * @param arrayJobId the array that it belongs to; absent for others
     * @param arrayTaskId its number in that array; absent for others
     * @param hetJobId the leader of its heterogeneous job; absent for others
     * @param hetOffset its number among the components; absent for others
     */
    public record JobIds(
            OptionalLong arrayJobId, OptionalLong arrayTaskId, OptionalLong hetJobId, OptionalInt hetOffset) {
        public static final JobIds PLAIN =
                new JobIds(OptionalLong.empty(), OptionalLong.empty(), OptionalLong.empty(), OptionalInt.empty());
    }

    /**
     * Whose a run is.
     *
     * @param user login name, e.g. {@code tlj@its.aau.dk}
     * @param uid numeric id; absent where Slurm does not tell
     * @param account charged account
     * @param partition where it runs
     * @param qos quality of service; empty without one
     */
    public record Owner(String user, OptionalInt uid, String account, String partition, String qos) {
        public Owner {
            user = user.intern(); // a hundred thousand runs share their texts
            account = account.intern();
            partition = partition.intern();
            qos = qos.intern();
        }
    }

    /**
     * What Slurm gave a run in all.
     *
     * @param nodes names of its nodes, in Slurm's order
     * @param cpus CPUs; absent if not told
     * @param memoryBytes memory over all nodes; absent if not told
     * @param gpus number of GPUs by {@code gres/gpu} alone, typed entries never added; 0: none; absent if not told
     * @param tres Slurm's own text, e.g. {@code cpu=4,mem=2G,node=1,gres/gpu=2,gres/gpu:v100=2}
     */
    public record Allocation(
            List<String> nodes, OptionalInt cpus, OptionalLong memoryBytes, OptionalInt gpus, String tres) {
        public Allocation {
            nodes = nodes.stream().map(String::intern).toList();
            tres = tres.intern();
        }
    }

    /** {@link Also#eligible}. */
    public Optional<Instant> eligible() {
        return also.eligible();
    }

    /** {@link Also#resumed}. */
    public Optional<Instant> resumed() {
        return also.resumed();
    }

    /** {@link Also#comment}. */
    public Optional<String> comment() {
        return also.comment();
    }

    /** {@link Also#reservation}. */
    public Optional<String> reservation() {
        return also.reservation();
    }

    /** The same run with other GPUs, e.g. after their numbers were translated. */
    public Run withGpus(List<AllocatedGpu> others) {
        return new Run(
                key,
                ids,
                owner,
                name,
                interactive,
                submit,
                end,
                timeLimit,
                suspended,
                state,
                stateText,
                allocation,
                others,
                asOf,
                also);
    }

    /**
     * This run as of a later answer, if that tells nothing else of it; else what was told. Slurm tells the numbers of GPUs
     * and nothing of their devices: those that are known here stay.
     */
    public Run toldAgain(Run told) {
        boolean same = hasSameFacts(told) && gpus.size() == told.gpus.size();
        for (int i = 0; same && i < gpus.size(); i++) {
            AllocatedGpu known = gpus.get(i);
            AllocatedGpu again = told.gpus.get(i);
            same = known.node().equals(again.node())
                    && known.gresIndex() == again.gresIndex()
                    && known.type().equals(again.type())
                    && again.uuid().isEmpty();
        }
        return same ? asOf(told.asOf) : told;
    }

    /** Whether it is the same in everything but when Slurm said so. */
    public boolean isSameAs(Run other) {
        return hasSameFacts(other) && gpus.equals(other.gpus);
    }

    /** All but GPUs and the instant. */
    private boolean hasSameFacts(Run other) {
        return key.equals(other.key)
                && ids.equals(other.ids)
                && owner.equals(other.owner)
                && name.equals(other.name)
                && interactive == other.interactive
                && submit.equals(other.submit)
                && end.equals(other.end)
                && timeLimit.equals(other.timeLimit)
                && suspended.equals(other.suspended)
                && state == other.state
                && stateText.equals(other.stateText)
                && allocation.equals(other.allocation)
                && also.equals(other.also);
    }

    /** The same run, when Slurm has said so again. */
    public Run asOf(Instant later) {
        return new Run(
                key,
                ids,
                owner,
                name,
                interactive,
                submit,
                end,
                timeLimit,
                suspended,
                state,
                stateText,
                allocation,
                gpus,
                later,
                also);
    }

    /** The same run as it was while it ran, then: its end and its last state were not known. */
    public Run stillRunning(Instant then) {
        return new Run(
                key,
                ids,
                owner,
                name,
                interactive,
                submit,
                Optional.empty(),
                timeLimit,
                suspended,
                JobState.RUNNING,
                JobState.RUNNING.name(),
                allocation,
                gpus,
                then,
                also);
    }

    /** The job id as people write it: {@code 83549}, {@code 83549_3} or {@code 83549+1}. */
    public String displayId() {
        if (ids.arrayJobId().isPresent() && ids.arrayTaskId().isPresent()) {
            return ids.arrayJobId().getAsLong() + "_" + ids.arrayTaskId().getAsLong();
        }
        if (ids.hetJobId().isPresent() && ids.hetOffset().isPresent()) {
            return ids.hetJobId().getAsLong() + "+" + ids.hetOffset().getAsInt();
        }
        return Long.toString(key.jobId());
    }

    /** Time that this run held its allocation within {@code [from, to)}, suspension included. */
    public Duration heldWithin(Instant from, Instant to) {
        Instant first = key.start().isAfter(from) ? key.start() : from;
        Instant last = end.filter(e -> e.isBefore(to)).orElse(to);
        return last.isAfter(first) ? Duration.between(first, last) : Duration.ZERO;
    }

    /** Slurm's name of the kind of its GPUs, e.g. {@code v100}; absent: untyped, of several kinds, or none. */
    public Optional<String> gpuModel() {
        Optional<String> model = Optional.empty();
        for (AllocatedGpu gpu : gpus) {
            if (gpu.type().isEmpty() || (model.isPresent() && !model.equals(gpu.type()))) {
                return Optional.empty();
            }
            model = gpu.type();
        }
        return model;
    }
}
