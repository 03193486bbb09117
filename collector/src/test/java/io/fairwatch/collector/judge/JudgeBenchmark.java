package io.fairwatch.collector.judge;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.AllocatedGpu.Confidence;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.GpuOutside;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.store.MemoryStore;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.usage.LiveRuns;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.RuleSet;
import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;

/**
 * Times whole cycles of judging, all rules due, over running jobs, waiting jobs and nodes; run by hand, as {@code
 * deploy/bench/rules/run} says. All but the database is in it: what the store answers is ready beforehand. All is judged
 * exactly, though of so many jobs a collector would look at sums in memory first. Half of the jobs
 * hold one GPU, the others two to sixteen; one in twelve is idle, one in fifty was not seen well; half of the nodes tell of
 * tensor cores.
 */
public final class JudgeBenchmark {
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");
    private static final int GPUS_OF_NODE = 8;

    private final List<Run> runs = new ArrayList<>();
    private final Map<String, NodeState> nodes = new HashMap<>();
    private final List<SlurmNode> slurmNodes = new ArrayList<>();
    private final List<PendingJob> pending = new ArrayList<>();
    private final List<GpuOutside> outside = new ArrayList<>();
    private final Map<RunKey, Kind> kinds = new HashMap<>();
    private final Map<Duration, Map<RunKey, List<GpuUse>>> uses = new HashMap<>();
    private Instant now = NOW;

    /** What a job is like. */
    private record Kind(boolean idle, boolean seen, double use) {}

    private JudgeBenchmark(int gpus) {
        Random random = new Random(7);
        for (int node = 0; node * GPUS_OF_NODE < gpus; node++) {
            String name = "node" + node;
            nodes.put(
                    name,
                    new NodeState(
                            name,
                            NOW.minus(Duration.ofDays(30)),
                            NOW.minusSeconds(12),
                            Duration.ofSeconds(30),
                            "0",
                            Optional.of("570.1"),
                            Optional.empty(),
                            Optional.empty(),
                            Map.of(),
                            List.of(),
                            List.of()));
            slurmNodes.add(new SlurmNode(
                    name,
                    "mixed",
                    OptionalInt.of(96),
                    OptionalLong.of(1500L << 30),
                    OptionalInt.of(GPUS_OF_NODE),
                    "gpu:" + model(node) + ":" + GPUS_OF_NODE));
            for (int i = 0; i < GPUS_OF_NODE; i++) {
                outside.add(new GpuOutside(
                        uuid(node * GPUS_OF_NODE + i),
                        name,
                        600_000,
                        OptionalInt.of(0),
                        List.of(),
                        OptionalDouble.of(0.9)));
            }
        }
        for (int next = 0, id = 1; next < gpus; id++) {
            int many = Math.min(gpus - next, random.nextBoolean() ? 1 : 2 << random.nextInt(4));
            runs.add(run(id, next, many, random));
            next += many;
        }
        for (int id = 0; id < 1000; id++) {
            pending.add(new PendingJob(
                    "lab",
                    10_000_000 + id,
                    Integer.toString(10_000_000 + id),
                    new Run.Owner("user" + id % 500, OptionalInt.empty(), "lab", "batch", "normal"),
                    "train",
                    NOW.minus(Duration.ofHours(2)),
                    id % 2 == 0 ? "Priority" : "QOSMaxGRESPerUser",
                    "cpu=8,mem=64G,node=1,gres/gpu=1,gres/gpu:v100=1"));
        }
    }

    private static String model(int node) {
        return node % 2 == 0 ? "h100" : "v100";
    }

    private static String uuid(int number) {
        return "GPU-" + number;
    }

    private Run run(int id, int first, int many, Random random) {
        List<AllocatedGpu> given = new ArrayList<>();
        List<String> names = new ArrayList<>();
        for (int i = first; i < first + many; i++) {
            int node = i / GPUS_OF_NODE;
            if (!names.contains("node" + node)) {
                names.add("node" + node);
            }
            given.add(new AllocatedGpu(
                    "node" + node,
                    i % GPUS_OF_NODE,
                    Optional.of(model(node)),
                    Optional.of(uuid(i)),
                    Confidence.CONFIRMED));
        }
        Run run = new Run(
                new RunKey("lab", id, NOW.minus(Duration.ofMinutes(20 + random.nextInt(3000)))),
                Run.JobIds.PLAIN,
                new Run.Owner("user" + id % 500, OptionalInt.of(id % 500), "lab" + id % 40, "batch", "normal"),
                "train",
                id % 20 == 0,
                NOW.minus(Duration.ofDays(3)),
                Optional.empty(),
                Optional.of(Duration.ofDays(2)),
                Duration.ZERO,
                JobState.RUNNING,
                "RUNNING",
                new Run.Allocation(
                        names,
                        OptionalInt.of(6 * many),
                        OptionalLong.of(many * (90L << 30)),
                        OptionalInt.of(many),
                        "cpu=" + 6 * many + ",gres/gpu=" + many),
                given,
                NOW);
        kinds.put(
                run.key(), new Kind(random.nextInt(12) == 0, random.nextInt(50) != 0, 0.3 + 0.7 * random.nextDouble()));
        return run;
    }

    private static OptionalDouble some(double value) {
        return OptionalDouble.of(value);
    }

    private List<GpuUse> gpuUse(Run run, Instant from, Instant to) {
        Kind kind = Objects.requireNonNull(kinds.get(run.key()));
        List<GpuUse> made = new ArrayList<>();
        double seconds = Duration.between(from, to).toSeconds() * (kind.seen() ? 1 : 0.5);
        double use = kind.idle() ? 0 : kind.use();
        boolean gpm = run.gpus().get(0).type().equals(Optional.of("h100"));
        for (AllocatedGpu gpu : run.gpus()) {
            made.add(new GpuUse(
                    run.key(),
                    gpu.node(),
                    Optional.of(gpu),
                    Optional.of(new GpuDevice(
                            gpu.uuid().orElseThrow(),
                            gpu.gresIndex(),
                            OptionalInt.of(gpu.gresIndex()),
                            Optional.empty(),
                            gpm ? "NVIDIA H100" : "Tesla V100",
                            OptionalLong.of(32L << 30),
                            Optional.empty())),
                    from,
                    to,
                    (int) (seconds / 30),
                    seconds,
                    kind.idle() ? 0 : seconds,
                    kind.idle() ? seconds : 0,
                    some(use),
                    some(use),
                    kind.idle() ? Optional.empty() : Optional.of(to),
                    OptionalLong.of(20L << 30),
                    OptionalInt.of(1),
                    some(seconds * 200),
                    new GpuUse.Work(
                            some(0),
                            some(50 + 250 * use),
                            some(300),
                            some(use / 2),
                            OptionalLong.of(20L << 30),
                            some(60),
                            gpm
                                    ? new GpuUse.Activity(some(use), some(use), some(use), some(use / 4), some(use))
                                    : GpuUse.Activity.NOT_KNOWN,
                            OptionalInt.of(0))));
        }
        return made;
    }

    private static JobUse jobUse(RunSpan span) {
        Run run = span.run();
        double seconds = Duration.between(span.from(), span.to()).toSeconds();
        List<String> names = run.allocation().nodes();
        double cpu = 2.0 * seconds * run.gpus().size() / names.size();
        return new JobUse(
                run.key(),
                names.size(),
                some(cpu * names.size()),
                OptionalLong.of(60L << 30),
                OptionalInt.of(5),
                names.stream()
                        .map(name -> new JobUse.OnNode(
                                name,
                                (int) (seconds / 30),
                                some(cpu),
                                OptionalLong.of(60L << 30),
                                OptionalLong.empty(),
                                OptionalInt.of(5),
                                JobUse.Counters.NOT_KNOWN))
                        .toList());
    }

    /** The answer to a question about runs over the same length of time, made once. */
    private List<GpuUse> gpuUse(Collection<RunSpan> spans) {
        List<GpuUse> answer = new ArrayList<>();
        for (RunSpan span : spans) {
            answer.addAll(uses.computeIfAbsent(Duration.between(span.from(), span.to()), none -> new HashMap<>())
                    .computeIfAbsent(span.run().key(), none -> gpuUse(span.run(), span.from(), span.to())));
        }
        return answer;
    }

    @SuppressWarnings("StatementSwitchToExpressionSwitch") // several cases take more than one statement
    private Store store() {
        MemoryStore memory = new MemoryStore();
        Map<Integer, List<JobUse>> jobs = new HashMap<>();
        return (Store) Proxy.newProxyInstance(
                JudgeBenchmark.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                    switch (method.getName()) {
                        case "view":
                            return Optional.of(new Store.SlurmView(NOW, "lab", List.of(), pending, slurmNodes));
                        case "liveRuns":
                            return runs;
                        case "nodes":
                            return List.copyOf(nodes.values());
                        case "gpuUse":
                            return gpuUse(spans(arguments));
                        case "jobUse":
                            return jobs.computeIfAbsent(
                                    spans(arguments).stream()
                                            .map(span -> Duration.between(span.from(), span.to()))
                                            .toList()
                                            .hashCode(),
                                    none -> spans(arguments).stream()
                                            .map(JudgeBenchmark::jobUse)
                                            .toList());
                        case "gpusTogether":
                            Map<RunKey, Integer> together = new HashMap<>();
                            spans(arguments)
                                    .forEach(span -> together.put(
                                            span.run().key(), span.run().gpus().size()));
                            return together;
                        case "gpusOutsideJobs":
                            return outside;
                        case "newestReadings", "gpus", "exemptions", "openFindings":
                            return List.of();
                        case "saveFindings", "saveMark":
                            return null;
                        case "runsWithin":
                            return List.of();
                        default:
                            try {
                                return method.invoke(memory, arguments);
                            } catch (InvocationTargetException e) {
                                throw e.getCause();
                            }
                    }
                });
    }

    @SuppressWarnings("unchecked")
    private static Collection<RunSpan> spans(Object[] arguments) {
        return (Collection<RunSpan>) arguments[0];
    }

    public static void main(String[] arguments) throws Exception {
        int gpus = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 80_000;
        int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 12;
        RuleSet rules = Shipped.all();
        JudgeBenchmark given = new JudgeBenchmark(gpus);
        System.out.printf(
                "%,d GPUs of %,d nodes, %,d running jobs, %,d waiting, %d rules%n",
                gpus,
                given.nodes.size(),
                given.runs.size(),
                given.pending.size(),
                rules.rules().size());
        for (int round = 1; round <= rounds; round++) {
            // a new judge, so that everything is due
            Judge judge = new Judge(
                    given.store(),
                    new LiveRuns(0.01),
                    () -> rules,
                    (finding, run, aim) -> Optional.of(List.of()),
                    () -> given.now,
                    new Judge.Settings(0.01, Duration.ofMinutes(5), new Ladder(List.of())),
                    Integer.MAX_VALUE);
            long began = System.nanoTime();
            long cpu = cpu();
            Judge.Cycle cycle = judge.cycle(Set.of());
            System.out.printf(
                    "round %2d: %.3f s (CPU of all threads %.3f s), %,d findings, %,d unknown%n",
                    round, (System.nanoTime() - began) / 1e9, (cpu() - cpu) / 1e9, cycle.findings(), cycle.unknown());
        }
    }

    private static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }
}
