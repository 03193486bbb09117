package io.fairwatch.rules;

import dev.cel.common.types.CelType;
import dev.cel.common.types.SimpleType;
import io.fairwatch.rules.Vocabulary.Fact;
import io.fairwatch.rules.Vocabulary.Thing;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Makes up facts of every scope, from what is usual and what is at the edges, some of them absent. Confined to one
 * thread. */
final class RandomFacts {
    private static final Instant TO = Instant.parse("2026-11-20T12:00:00Z");
    private static final double[] RATIOS = {0, 0, 0, 0.004, 0.01, 0.02, 0.1, 0.15, 0.3, 0.5, 0.8, 0.9, 0.95, 1, 1};
    private static final long[] BYTES = {
        0, 4L << 20, 1L << 30, 8L << 30, 10L << 30, 20L << 30, 31L << 30, 32L << 30, 40L << 30, 90L << 30, 1500L << 30
    };
    private static final long[] SECONDS = {0, 1, 59, 600, 3600, 7200, 14_400, 90_000, 604_800, 9_000_000};

    private final Random random;
    private final int oneAbsentIn;

    /** @param oneAbsentIn one in so many facts that can be absent is */
    RandomFacts(Random random, int oneAbsentIn) {
        this.random = random;
        this.oneAbsentIn = oneAbsentIn;
    }

    SubjectFacts of(Rule.Scope scope, Duration window) {
        return switch (scope) {
            case RUNNING_JOB, FINISHED_JOB -> job(scope, window);
            case PENDING_JOB ->
                new PendingFacts(
                        build(Vocabulary.PENDING_JOB, PendingFacts.Job.class, Map.of("fresh", true)),
                        TO.minus(window),
                        TO,
                        some(4, Vocabulary.PLACE, PendingFacts.Place.class),
                        build(Vocabulary.QUEUE, QueueFacts.class, Map.of()));
            case NODE ->
                new NodeFacts(
                        build(Vocabulary.NODE, NodeFacts.Node.class, Map.of("fresh", true)),
                        TO.minus(window),
                        TO,
                        some(4, Vocabulary.NODE_GPU, NodeFacts.Gpu.class),
                        some(3, Vocabulary.DIRECTORY, DirectoryFacts.class));
            case USER ->
                new UserFacts(
                        build(Vocabulary.USER, UserFacts.User.class, Map.of("fresh", true)),
                        build(Vocabulary.USER, UserFacts.Now.class, Map.of()),
                        TO.minus(window),
                        TO,
                        some(4, Vocabulary.USER_JOB, UserFacts.Job.class),
                        some(3, Vocabulary.DIRECTORY, DirectoryFacts.class));
        };
    }

    private JobFacts job(Rule.Scope scope, Duration window) {
        List<GpuFacts> gpus = new ArrayList<>();
        // GPUs of one job mostly do the same
        Map<String, Object> alike = new HashMap<>();
        for (int left = random.nextInt(5); left > 0; left--) {
            GpuFacts gpu = build(Vocabulary.GPU, GpuFacts.class, random.nextInt(3) == 0 ? Map.of() : alike);
            if (alike.isEmpty()) {
                Vocabulary.View view = Vocabulary.GPU.view(gpu);
                for (Fact fact : Vocabulary.GPU.inOrder()) {
                    if (!fact.name().equals("uuid")) {
                        view.find(fact.name()).ifPresent(value -> alike.put(fact.name(), value));
                    }
                }
            }
            gpus.add(gpu);
        }
        long allocated = gpus.stream().filter(GpuFacts::allocated).count();
        Map<String, Object> fixed = new HashMap<>(Map.of("fresh", true, "gpus_allocated", allocated));
        if (random.nextInt(8) == 0) {
            fixed.put("gpus_allocated", allocated + 1);
        }
        if (random.nextInt(4) != 0) {
            fixed.put("state", scope == Rule.Scope.RUNNING_JOB ? "RUNNING" : "COMPLETED");
        }
        if (random.nextInt(3) != 0) {
            fixed.put("nodes", 1L);
        }
        JobAllocation allocation = build(Vocabulary.JOB, JobAllocation.class, fixed);
        Map<String, Object> used = new HashMap<>(Map.of("window_seconds", window.toSeconds()));
        JobUse use = build(Vocabulary.JOB, JobUse.class, used);
        long held = allocation.resources().memoryBytes().orElse(Long.MAX_VALUE);
        if (use.memoryUsedMaxBytes().orElse(0) > held) { // its limit would not have let it
            used.put("memory_used_max_bytes", (long) (held * random.nextDouble()));
            use = build(Vocabulary.JOB, JobUse.class, used);
        }
        return new JobFacts(
                allocation,
                use,
                TO.minus(window),
                TO,
                gpus,
                some(3, Vocabulary.JOB_NODE, JobNode.class),
                build(Vocabulary.QUEUE, QueueFacts.class, Map.of()));
    }

    private <R extends Record> List<R> some(int most, Thing thing, Class<R> type) {
        List<R> some = new ArrayList<>();
        for (int left = random.nextInt(most + 1); left > 0; left--) {
            some.add(build(thing, type, Map.of()));
        }
        return some;
    }

    private <R extends Record> R build(Thing thing, Class<R> type, Map<String, Object> fixed) {
        Map<String, Object> values = new HashMap<>();
        for (Fact fact : thing.inOrder()) {
            if (!fact.optional() || random.nextInt(oneAbsentIn) != 0) {
                values.put(fact.name(), value(fact.name(), fact.type()));
            }
        }
        values.putAll(fixed);
        if (values.get("utilization_max_ratio") instanceof Double most) {
            // whatever ran was a process, and a mean is not above the most
            values.computeIfPresent("processes_max", (name, number) -> most > 0.01 && number.equals(0L) ? 1L : number);
            values.computeIfPresent("utilization_mean_ratio", (name, mean) -> Math.min((double) mean, most));
        }
        return Vocabulary.build(type, values);
    }

    private Object value(String name, CelType type) {
        if (type.equals(SimpleType.BOOL)) {
            return name.equals("allocated") ? random.nextInt(8) != 0 : random.nextInt(3) == 0;
        }
        if (type.equals(SimpleType.DOUBLE)) {
            if (name.equals("coverage")) {
                return random.nextInt(5) == 0 ? random.nextDouble() : 1.0;
            }
            if (name.endsWith("_ratio")) {
                return random.nextBoolean() ? random.nextDouble() : RATIOS[random.nextInt(RATIOS.length)];
            }
            if (name.endsWith("_seconds")) {
                return SECONDS[random.nextInt(SECONDS.length)] * random.nextDouble();
            }
            return 400 * random.nextDouble();
        }
        if (type.equals(SimpleType.INT)) {
            if (name.endsWith("_bytes")) {
                return random.nextBoolean() ? random.nextLong(1L << 41) : BYTES[random.nextInt(BYTES.length)];
            }
            if (name.endsWith("_seconds")) {
                return random.nextBoolean() ? random.nextLong(200_000) : SECONDS[random.nextInt(SECONDS.length)];
            }
            return (long) random.nextInt(List.of(2, 4, 9, 65).get(random.nextInt(4)));
        }
        if (type.equals(SimpleType.STRING)) {
            List<String> words =
                    switch (name) {
                        case "state" -> List.of("RUNNING", "COMPLETED", "TIMEOUT", "OUT_OF_MEMORY");
                        case "reason" -> List.of("Resources", "Priority", "None", "Dependency");
                        default -> List.of("a", "b", "c d", "e\u202ef");
                    };
            return words.get(random.nextInt(words.size()));
        }
        return random.nextBoolean() ? List.of("root") : List.of("ada", "root");
    }
}
