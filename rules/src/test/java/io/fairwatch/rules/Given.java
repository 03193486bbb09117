package io.fairwatch.rules;

import io.fairwatch.rules.RuleSet.Overrides;
import io.fairwatch.rules.RuleSet.RuleFile;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** Facts and rules for tests. */
final class Given {
    static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");

    /** A rule without anything that could be left out; tests replace single lines. */
    static final String RULE = """
            name: test-rule
            description: For tests.
            scope: running_job
            severity: info
            window: 60m
            warm_up: 60m
            hold: 30m
            resolve_after: 10m
            minimum_coverage: 0.9
            parameters:
              busy_above_ratio: 0.01
            exempt:
              users: []
            select: gpu.utilization_max_ratio <= params.busy_above_ratio
            condition: size(selected) > 0
            summary: Job {{ job.job_id }} is idle.
            fix: End it.
            cases:
              - name: idle
                gpus: [{utilization_max_ratio: 0.0}]
                expect: finding
            """;

    private Given() {}

    static RuleSet rules(String text) throws RuleSet.RuleException {
        return RuleSet.read(List.of(new RuleFile("test.yaml", text)), Overrides.NONE);
    }

    static RuleSet rules(String text, Map<String, Object> changes) throws RuleSet.RuleException {
        return RuleSet.read(
                List.of(new RuleFile("test.yaml", text)),
                new Overrides("collector.yaml", Map.of("test-rule", changes)));
    }

    /** The test rule with some lines replaced: old, new, old, new. */
    static String with(String... replacements) {
        String text = RULE;
        for (int i = 0; i < replacements.length; i += 2) {
            if (!text.contains(replacements[i])) {
                throw new IllegalArgumentException("not in the rule: " + replacements[i]);
            }
            text = text.replace(replacements[i], replacements[i + 1]);
        }
        return text;
    }

    static Verdict judge(RuleSet rules, JobFacts facts) {
        return rules.judge(rules.rules().get(0), facts);
    }

    static JobFacts job(GpuFacts... gpus) {
        return job(allocation("ada", gpus.length, true), gpus);
    }

    static JobFacts job(JobAllocation allocation, GpuFacts... gpus) {
        return new JobFacts(allocation, JobUse.NOT_KNOWN, NOW.minus(Duration.ofHours(1)), NOW, List.of(gpus));
    }

    static JobAllocation allocation(String user, int gpus, boolean fresh) {
        return new JobAllocation(
                42,
                "42",
                new JobAllocation.Submission(
                        user,
                        Optional.of("lab"),
                        Optional.of("batch"),
                        Optional.empty(),
                        Optional.of("train"),
                        Optional.of(""),
                        Optional.of("")),
                new JobAllocation.Resources(
                        1,
                        OptionalInt.of(gpus),
                        OptionalInt.of(8),
                        OptionalLong.empty(),
                        Optional.empty(),
                        List.of("node1"),
                        JobAllocation.Shape.NOT_KNOWN),
                7200,
                OptionalLong.empty(),
                false,
                "RUNNING",
                false,
                fresh);
    }

    static GpuFacts gpu(String uuid, double utilizationMax) {
        return gpu(uuid, 1, OptionalDouble.of(utilizationMax));
    }

    static GpuFacts gpu(String uuid, double coverage, OptionalDouble utilizationMax) {
        return new GpuFacts(
                "node1",
                Optional.of(uuid),
                OptionalInt.empty(),
                Optional.empty(),
                true,
                coverage,
                new GpuFacts.Use(
                        OptionalDouble.empty(),
                        utilizationMax,
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalInt.empty(),
                        OptionalLong.empty(),
                        Optional.empty(),
                        GpuFacts.Load.NOT_KNOWN));
    }
}
