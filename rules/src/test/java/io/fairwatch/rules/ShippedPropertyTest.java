package io.fairwatch.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.rules.RuleReader.Loaded;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** What holds for every shipped rule, whatever the facts. */
class ShippedPropertyTest {
    private static final int SUBJECTS = 400;

    /** Rules that find that somebody uses too little. */
    private static final Set<String> IDLENESS = Set.of(
            "idle-gpu",
            "interactive-waiting",
            "gpu-memory-hoarded",
            "low-gpu-use",
            "gpu-too-large",
            "too-many-cores-per-gpu",
            "too-much-memory-per-gpu",
            "low-cpu-use",
            "too-much-cpu-memory",
            "zero-cpu-node",
            "gpu-node-unused");

    /** What grows when more is used; each rule looks at some of it. */
    private static final Set<String> USE = Set.of(
            "utilization_mean_ratio",
            "utilization_max_ratio",
            "busy_ratio",
            "memory_traffic_mean_ratio",
            "cpu_seconds",
            "memory_used_max_bytes",
            "processes_max");

    private final long seed = Long.getLong("fairwatch.seed", 1);
    private final Random random = new Random(seed);

    private static Verdict judge(Loaded loaded, SubjectFacts facts) {
        Views views = Views.of(facts);
        return loaded.compiled().judge(loaded.rule().effective(views), views);
    }

    /** Facts to begin with: those of the rule's own cases, and made-up ones. */
    private List<SubjectFacts> given(Loaded loaded, int oneAbsentIn) {
        RandomFacts made = new RandomFacts(random, oneAbsentIn);
        List<SubjectFacts> given = new ArrayList<>();
        loaded.cases().forEach(one -> given.add(one.facts()));
        for (int i = 0; i < SUBJECTS; i++) {
            given.add(made.of(loaded.rule().scope(), loaded.rule().timing().window()));
        }
        return given;
    }

    @Test
    @DisplayName("for no rule does forgetting a fact, or seeing less, make a finding")
    void missingDataAccusesNobody() throws Exception {
        System.out.println("ShippedPropertyTest seed " + seed);
        Map<String, Integer> findings = new TreeMap<>();
        for (Loaded loaded : RuleSet.read(Shipped.files()).loaded()) {
            for (SubjectFacts facts : given(loaded, 20)) {
                boolean found = judge(loaded, facts) instanceof Verdict.Finding;
                findings.merge(loaded.rule().name(), found ? 1 : 0, Integer::sum);
                SubjectFacts less = forgetful(facts);
                if (!canBe(facts)) {
                    continue;
                }
                if (!found && judge(loaded, less) instanceof Verdict.Finding) {
                    assertEquals(
                            facts, less, "seed " + seed + ": " + loaded.rule().name() + " finds more in less");
                }
            }
        }
        assertTrue(findings.values().stream().allMatch(count -> count > 0), findings.toString());
    }

    /** Whether nothing was measured for longer than it was held. */
    private static boolean canBe(SubjectFacts facts) {
        return !(facts instanceof UserFacts user)
                || user.jobs().stream()
                        .allMatch(job -> job.gpuSecondsMeasured() <= (double) job.gpus() * job.periodSeconds());
    }

    /** Some readings that can be absent are, and some GPUs, nodes and runs were seen too little. */
    private SubjectFacts forgetful(SubjectFacts facts) {
        // not what a rule may take for granted when Slurm says nothing: who holds what is not measured
        return map(
                facts,
                (name, value) -> READ.contains(name) && random.nextInt(3) == 0
                        ? Optional.empty()
                        : name.equals("coverage") && random.nextInt(4) == 0
                                ? Optional.of((double) value * random.nextDouble())
                                : Optional.of(value));
    }

    /** Facts that are measured, and not merely told by Slurm. */
    private static final Set<String> READ = Set.of(
            "utilization_mean_ratio",
            "utilization_max_ratio",
            "memory_used_max_bytes",
            "processes_max",
            "idle_seconds",
            "busy_before",
            "busy_ratio",
            "memory_traffic_mean_ratio",
            "power_mean_watts",
            "tensor_mean_ratio",
            "cpu_seconds",
            "gpus_together_max",
            "gpus_seen",
            "gpu_memory_used_max_ratio",
            "gpus_never_used",
            "untouched_seconds",
            "owner_gone");

    @Test
    @DisplayName("for no rule about idleness does more use make a finding")
    void moreUseIsNoFault() throws Exception {
        for (Loaded loaded : RuleSet.read(Shipped.files()).loaded()) {
            if (!IDLENESS.contains(loaded.rule().name())) {
                continue;
            }
            int findings = 0;
            for (SubjectFacts facts : given(loaded, 1000)) {
                boolean found = judge(loaded, facts) instanceof Verdict.Finding;
                findings += found ? 1 : 0;
                SubjectFacts more = busier(loaded, facts);
                if (!found && judge(loaded, more) instanceof Verdict.Finding) {
                    assertEquals(
                            facts, more, "seed " + seed + ": " + loaded.rule().name() + " finds idleness in more use");
                }
            }
            assertTrue(findings > 0, loaded.rule().name());
        }
    }

    private SubjectFacts busier(Loaded loaded, SubjectFacts facts) {
        // that a GPU holds memory is what gpu-memory-hoarded is about; that it never worked, what low use is told apart
        // by
        Set<String> own =
                switch (loaded.rule().name()) {
                    case "gpu-memory-hoarded", "idle-gpu" -> Set.of("utilization_max_ratio");
                    case "low-gpu-use", "gpu-too-large" -> Set.of("utilization_mean_ratio", "memory_used_max_bytes");
                    case "gpu-node-unused" -> Set.of("processes_max");
                    default -> USE;
                };
        return map(facts, (name, value) -> {
            if (!own.contains(name) || random.nextInt(3) == 0) {
                return Optional.of(value);
            }
            if (value instanceof Double number) {
                double most = name.endsWith("_ratio") ? 1 : Double.MAX_VALUE;
                return Optional.of(Math.min(most, number * (1 + 3 * random.nextDouble()) + random.nextDouble()));
            }
            return value instanceof Long number ? Optional.of(number + random.nextInt(1 << 20)) : Optional.of(value);
        });
    }

    @Test
    @DisplayName("for no rule does the order of GPUs, nodes, places, runs or directories matter")
    void orderIsNothing() throws Exception {
        for (Loaded loaded : RuleSet.read(Shipped.files()).loaded()) {
            for (SubjectFacts facts : given(loaded, 12)) {
                Verdict before = judge(loaded, facts);
                Verdict after = judge(loaded, shuffled(facts));
                assertEquals(
                        before.getClass(),
                        after.getClass(),
                        () -> "seed " + seed + ": " + loaded.rule().name() + "\n" + facts + "\n" + before + "\n"
                                + after);
                if (before instanceof Verdict.Finding one && after instanceof Verdict.Finding other) {
                    assertEquals(
                            names(one),
                            names(other),
                            "seed " + seed + ": " + loaded.rule().name());
                    assertEquals(one.cancellable(), other.cancellable(), "seed " + seed);
                }
            }
        }
    }

    private static Set<String> names(Verdict.Finding finding) {
        Set<String> names = new TreeSet<>();
        finding.selected().forEach(one -> names.add(one.toString()));
        return names;
    }

    private SubjectFacts shuffled(SubjectFacts facts) {
        if (facts instanceof JobFacts job) {
            return new JobFacts(
                    job.job(), job.use(), job.from(), job.to(), mixed(job.gpus()), mixed(job.nodes()), job.queue());
        }
        if (facts instanceof PendingFacts job) {
            return new PendingFacts(job.job(), job.from(), job.to(), mixed(job.places()), job.queue());
        }
        if (facts instanceof NodeFacts node) {
            return new NodeFacts(node.node(), node.from(), node.to(), mixed(node.gpus()), mixed(node.directories()));
        }
        UserFacts user = (UserFacts) facts;
        return new UserFacts(
                user.user(), user.now(), user.from(), user.to(), mixed(user.jobs()), mixed(user.directories()));
    }

    private <T> List<T> mixed(List<T> list) {
        List<T> mixed = new ArrayList<>(list);
        Collections.shuffle(mixed, random);
        return mixed;
    }

    /** What becomes of one fact; empty: it is not known any more. */
    private interface Each {
        Optional<Object> of(String name, Object value);
    }

    private static SubjectFacts map(SubjectFacts facts, Each each) {
        if (facts instanceof JobFacts job) {
            return new JobFacts(
                    job.job(),
                    map(Vocabulary.JOB, JobUse.class, each, job.job(), job.use()),
                    job.from(),
                    job.to(),
                    job.gpus().stream()
                            .map(gpu -> map(Vocabulary.GPU, GpuFacts.class, each, gpu))
                            .toList(),
                    job.nodes().stream()
                            .map(node -> map(Vocabulary.JOB_NODE, JobNode.class, each, node))
                            .toList(),
                    job.queue());
        }
        if (facts instanceof NodeFacts node) {
            return new NodeFacts(
                    node.node(),
                    node.from(),
                    node.to(),
                    node.gpus().stream()
                            .map(gpu -> map(Vocabulary.NODE_GPU, NodeFacts.Gpu.class, each, gpu))
                            .toList(),
                    node.directories().stream()
                            .map(directory -> map(Vocabulary.DIRECTORY, DirectoryFacts.class, each, directory))
                            .toList());
        }
        if (facts instanceof UserFacts user) {
            return new UserFacts(
                    user.user(),
                    user.now(),
                    user.from(),
                    user.to(),
                    user.jobs().stream()
                            .map(job -> map(Vocabulary.USER_JOB, UserFacts.Job.class, each, job))
                            .toList(),
                    user.directories().stream()
                            .map(directory -> map(Vocabulary.DIRECTORY, DirectoryFacts.class, each, directory))
                            .toList());
        }
        return facts; // all of a waiting job is Slurm's word
    }

    private static <R extends Record> R map(Vocabulary.Thing thing, Class<R> type, Each each, Record... records) {
        Map<String, Object> values = new HashMap<>();
        Vocabulary.View view = thing.view(records);
        for (Vocabulary.Fact fact : thing.inOrder()) {
            view.find(fact.name())
                    .flatMap(value -> fact.optional() || fact.name().equals("coverage")
                            ? each.of(fact.name(), value)
                            : Optional.of(value))
                    .ifPresent(value -> values.put(fact.name(), value));
        }
        return Vocabulary.build(type, values);
    }
}
