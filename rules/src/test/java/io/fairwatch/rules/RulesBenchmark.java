package io.fairwatch.rules;

import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;

/** Times one cycle of all shipped rules over 80,000 GPUs of running jobs, facts included; run by hand, as
 * {@code deploy/bench/rules} says. Half of the jobs hold one GPU, the others two to sixteen; one in twelve is idle. */
public final class RulesBenchmark {
    private static final int GPUS = 80_000;
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");

    private RulesBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        RuleSet rules = RuleSet.read(Shipped.files());
        List<Map<Duration, JobFacts>> jobs = jobs(rules);
        System.out.println(jobs.size() + " jobs, " + GPUS + " GPUs, "
                + rules.rules().stream()
                        .filter(rule -> rule.scope() == Rule.Scope.RUNNING_JOB)
                        .count()
                + " rules about running jobs");
        for (int round = 1; round <= 12; round++) {
            long began = System.nanoTime();
            long cpu = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            int findings = 0;
            int unknown = 0;
            for (Map<Duration, JobFacts> job : jobs) {
                for (RuleSet.Judgement judgement : rules.judge(
                        Rule.Scope.RUNNING_JOB, rule -> true, window -> Objects.requireNonNull(job.get(window)))) {
                    findings += judgement.verdict() instanceof Verdict.Finding ? 1 : 0;
                    unknown += judgement.verdict() instanceof Verdict.Unknown ? 1 : 0;
                }
            }
            System.out.printf(
                    "round %2d: %.3f s (CPU of the thread %.3f s), %d findings, %d unknown%n",
                    round,
                    (System.nanoTime() - began) / 1e9,
                    (ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - cpu) / 1e9,
                    findings,
                    unknown);
        }
    }

    private static List<Map<Duration, JobFacts>> jobs(RuleSet rules) {
        Random random = new Random(7);
        List<Map<Duration, JobFacts>> jobs = new ArrayList<>();
        for (int left = GPUS, id = 1; left > 0; id++) {
            int gpus = Math.min(left, random.nextBoolean() ? 1 : 2 << random.nextInt(4));
            left -= gpus;
            boolean idle = random.nextInt(12) == 0;
            Map<Duration, JobFacts> byWindow = new HashMap<>();
            for (Duration window : rules.windows(Rule.Scope.RUNNING_JOB, rule -> true)) {
                byWindow.put(window, job(id, gpus, idle, window, random));
            }
            jobs.add(byWindow);
        }
        return jobs;
    }

    private static JobFacts job(int id, int gpus, boolean idle, Duration window, Random random) {
        List<GpuFacts> facts = new ArrayList<>();
        for (int i = 0; i < gpus; i++) {
            double use = idle ? 0 : 0.3 + 0.7 * random.nextDouble();
            facts.add(new GpuFacts(
                    "node" + id,
                    Optional.of("GPU-" + id + "-" + i),
                    OptionalInt.of(i),
                    Optional.of("V100"),
                    true,
                    1,
                    new GpuFacts.Use(
                            OptionalDouble.of(use),
                            OptionalDouble.of(use),
                            OptionalLong.of(20L << 30),
                            OptionalLong.of(32L << 30),
                            OptionalInt.of(1),
                            OptionalLong.of(idle ? 7200 : 0),
                            Optional.of(!idle),
                            new GpuFacts.Load(
                                    OptionalDouble.of(use),
                                    OptionalDouble.of(use / 2),
                                    OptionalDouble.of(50 + 250 * use),
                                    OptionalDouble.of(300),
                                    OptionalDouble.of(300),
                                    OptionalDouble.empty(),
                                    OptionalDouble.empty(),
                                    OptionalDouble.empty(),
                                    OptionalDouble.empty()))));
        }
        JobAllocation allocation = new JobAllocation(
                id,
                String.valueOf(id),
                new JobAllocation.Submission(
                        "user" + id % 500,
                        Optional.of("lab"),
                        Optional.of("batch"),
                        Optional.of("normal"),
                        Optional.of("train"),
                        Optional.of(""),
                        Optional.of("")),
                new JobAllocation.Resources(
                        1,
                        OptionalInt.of(gpus),
                        OptionalInt.of(6 * gpus),
                        OptionalLong.of(gpus * (90L << 30)),
                        Optional.of("v100"),
                        List.of("node" + id),
                        new JobAllocation.Shape(OptionalInt.of(96), OptionalLong.of(1500L << 30), OptionalInt.of(16))),
                100_000,
                OptionalLong.of(200_000),
                false,
                "RUNNING",
                false,
                true);
        return new JobFacts(
                allocation,
                new JobUse(
                        OptionalInt.of(5),
                        OptionalDouble.of(window.toSeconds() * 2.0 * gpus),
                        OptionalLong.of(60L << 30),
                        OptionalInt.of(gpus),
                        OptionalLong.of(window.toSeconds())),
                NOW.minus(window),
                NOW,
                facts,
                List.of(new JobNode(
                        "node" + id,
                        OptionalInt.of(gpus),
                        OptionalDouble.of(window.toSeconds() * 2.0 * gpus),
                        OptionalLong.of(60L << 30),
                        OptionalInt.of(5),
                        1)),
                new QueueFacts(Optional.of("v100"), OptionalInt.of(3), OptionalInt.of(5), OptionalInt.of(0)));
    }
}
