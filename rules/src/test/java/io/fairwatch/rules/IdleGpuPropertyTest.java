package io.fairwatch.rules;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class IdleGpuPropertyTest {
    private static final int JOBS = 3000;

    private final long seed = Long.getLong("fairwatch.seed", 1);
    private final Random random = new Random(seed);

    @Test
    @DisplayName("more use never worsens the verdict")
    void moreUse() throws Exception {
        compare(gpu -> with(
                gpu,
                gpu.coverage(),
                gpu.use().utilizationMaxRatio().isPresent()
                        ? OptionalDouble.of(
                                Math.min(1, gpu.use().utilizationMaxRatio().getAsDouble() + random.nextDouble()))
                        : gpu.use().utilizationMaxRatio(),
                gpu.use().processesMax().isPresent()
                        ? OptionalInt.of(gpu.use().processesMax().getAsInt() + random.nextInt(3))
                        : gpu.use().processesMax()));
    }

    @Test
    @DisplayName("less coverage never makes a finding")
    void lessCoverage() throws Exception {
        compare(gpu -> with(
                gpu,
                gpu.coverage() * random.nextDouble(),
                gpu.use().utilizationMaxRatio(),
                gpu.use().processesMax()));
    }

    @Test
    @DisplayName("forgetting a GPU altogether never makes a finding, nor does forgetting its processes")
    void lessKnown() throws Exception {
        compare(gpu -> random.nextBoolean()
                ? gpu.withoutUse()
                : with(gpu, gpu.coverage(), gpu.use().utilizationMaxRatio(), OptionalInt.empty()));
    }

    /** Judges jobs before and after their GPUs were changed for the better. */
    private void compare(UnaryOperator<GpuFacts> better) throws Exception {
        System.out.println("IdleGpuPropertyTest seed " + seed);
        RuleSet rules = RuleSet.read(List.of(Shipped.file("idle-gpu.yaml")));
        int findings = 0;
        for (int i = 0; i < JOBS; i++) {
            JobFacts before = job();
            List<GpuFacts> gpus = new ArrayList<>(before.gpus());
            gpus.replaceAll(gpu -> random.nextInt(3) == 0 ? gpu : better.apply(gpu));
            JobFacts after = new JobFacts(before.job(), before.use(), before.from(), before.to(), gpus);
            boolean wasFinding = Given.judge(rules, before) instanceof Verdict.Finding;
            Verdict now = Given.judge(rules, after);
            findings += wasFinding ? 1 : 0;
            assertFalse(
                    !wasFinding && now instanceof Verdict.Finding,
                    () -> "seed " + seed + "\nbefore: " + before + "\nafter: " + after + "\n" + now);
            if (now instanceof Verdict.Finding finding) {
                assertTrue(
                        finding.selected().stream().allMatch(gpu -> ((GpuFacts) gpu.facts()).coverage() >= 0.9),
                        "seed " + seed);
            }
        }
        assertTrue(findings > JOBS / 20 && findings < JOBS, "the generator makes too few or too many: " + findings);
    }

    private JobFacts job() {
        int gpus = random.nextInt(5);
        GpuFacts[] made = new GpuFacts[gpus];
        for (int i = 0; i < gpus; i++) {
            made[i] = gpu("GPU-" + i);
        }
        return Given.job(Given.allocation("ada", gpus + (random.nextInt(4) == 0 ? 1 : 0), true), made);
    }

    private GpuFacts gpu(String uuid) {
        double busy = List.of(0.0, 0.0, 0.01, 0.02, 0.9).get(random.nextInt(5));
        int processes = busy > 0.01 ? 1 + random.nextInt(3) : random.nextInt(2);
        return new GpuFacts(
                "node1",
                random.nextInt(9) == 0 ? Optional.empty() : Optional.of(uuid),
                OptionalInt.empty(),
                Optional.empty(),
                random.nextInt(9) != 0,
                random.nextInt(3) == 0 ? random.nextDouble() : 1,
                new GpuFacts.Use(
                        OptionalDouble.empty(),
                        random.nextInt(4) == 0 ? OptionalDouble.empty() : OptionalDouble.of(busy),
                        random.nextBoolean() ? OptionalLong.empty() : OptionalLong.of(random.nextLong(1L << 36)),
                        OptionalLong.empty(),
                        random.nextInt(4) == 0 ? OptionalInt.empty() : OptionalInt.of(processes),
                        random.nextBoolean() ? OptionalLong.empty() : OptionalLong.of(random.nextLong(100_000)),
                        random.nextBoolean() ? Optional.empty() : Optional.of(random.nextBoolean()),
                        GpuFacts.Load.NOT_KNOWN));
    }

    private static GpuFacts with(
            GpuFacts gpu, double coverage, OptionalDouble utilizationMax, OptionalInt processesMax) {
        GpuFacts.Use use = gpu.use();
        return new GpuFacts(
                gpu.node(),
                gpu.uuid(),
                gpu.gresIndex(),
                gpu.model(),
                gpu.allocated(),
                coverage,
                new GpuFacts.Use(
                        use.utilizationMeanRatio(),
                        utilizationMax,
                        use.memoryUsedMaxBytes(),
                        use.memoryTotalBytes(),
                        processesMax,
                        use.idleSeconds(),
                        use.busyBefore(),
                        use.load()));
    }
}
