package io.fairwatch.collector.store;

import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** A run of which a test says only what matters to it; the rest is an ordinary batch job that began at noon. */
public final class GivenRun {
    private boolean interactive;
    private final long jobId;
    private Instant start = Given.NOON;
    private Optional<Instant> end = Optional.empty();
    private Instant asOf = Given.NOON;
    private Optional<JobState> state = Optional.empty();
    private Optional<Instant> resumed = Optional.empty();
    private Duration suspended = Duration.ZERO;
    private Run.Owner owner = new Run.Owner("anna", OptionalInt.of(21001), "es", "batch", "normal");
    private Run.JobIds ids = Run.JobIds.PLAIN;
    private List<AllocatedGpu> gpus = List.of();
    private Optional<OptionalInt> count = Optional.empty();
    private OptionalInt cpus = OptionalInt.of(4);
    private String tres = "cpu=4";
    private OptionalLong memory = OptionalLong.empty();
    private Duration timeLimit = Duration.ofHours(12);
    private Optional<String> comment = Optional.empty();
    private Optional<String> reservation = Optional.empty();

    private GivenRun(long jobId) {
        this.jobId = jobId;
    }

    public static GivenRun job(long jobId) {
        return new GivenRun(jobId);
    }

    public GivenRun from(Instant begin) {
        start = begin;
        return this;
    }

    /** Ended; without this it runs. */
    public GivenRun until(Instant over) {
        end = Optional.of(over);
        return this;
    }

    /** When Slurm said so. */
    public GivenRun asOf(Instant at) {
        asOf = at;
        return this;
    }

    public GivenRun state(JobState other) {
        state = Optional.of(other);
        return this;
    }

    public GivenRun suspended(Duration length) {
        suspended = length;
        return this;
    }

    /** When it went on after it had been suspended. */
    public GivenRun resumed(Instant at) {
        resumed = Optional.of(at);
        return this;
    }

    public GivenRun owner(String user, String account, String partition, String qos) {
        owner = new Run.Owner(user, OptionalInt.of(21001), account, partition, qos);
        return this;
    }

    public GivenRun ids(Run.JobIds others) {
        ids = others;
        return this;
    }

    /** The GPUs that it was given, each with its place. */
    public GivenRun on(AllocatedGpu... given) {
        gpus = List.of(given);
        return this;
    }

    /** How many GPUs Slurm says it was given; without this as many as there are in {@link #on}. */
    public GivenRun gpus(int given) {
        count = Optional.of(OptionalInt.of(given));
        return this;
    }

    /** Slurm does not say how many GPUs it was given. */
    public GivenRun gpusNotTold() {
        count = Optional.of(OptionalInt.empty());
        return this;
    }

    public GivenRun cpus(int given) {
        cpus = OptionalInt.of(given);
        return this;
    }

    public GivenRun tres(String text) {
        tres = text;
        return this;
    }

    public GivenRun memory(long bytes) {
        memory = OptionalLong.of(bytes);
        return this;
    }

    public GivenRun timeLimit(Duration limit) {
        timeLimit = limit;
        return this;
    }

    public GivenRun comment(String text) {
        comment = Optional.of(text);
        return this;
    }

    public GivenRun reservation(String name) {
        reservation = Optional.of(name);
        return this;
    }

    /** A shell somebody waits in. */
    public GivenRun interactive() {
        interactive = true;
        return this;
    }

    public Run run() {
        List<String> nodes = gpus.stream().map(AllocatedGpu::node).distinct().toList();
        JobState as = state.orElse(end.isPresent() ? JobState.COMPLETED : JobState.RUNNING);
        return new Run(
                new RunKey("lab", jobId, start),
                ids,
                owner,
                "train",
                interactive,
                start.minusSeconds(60),
                end,
                Optional.of(timeLimit),
                suspended,
                as,
                as.name(),
                new Run.Allocation(
                        nodes.isEmpty() ? List.of("node-a") : nodes,
                        cpus,
                        memory,
                        count.orElse(OptionalInt.of(gpus.size())),
                        tres),
                gpus,
                asOf,
                new Run.Also(Optional.empty(), resumed, comment, reservation));
    }
}
