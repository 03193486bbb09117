package io.fairwatch.collector.judge;

import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.device;
import static io.fairwatch.collector.store.Given.run;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.rules.GpuFacts;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** What rules are told of a GPU that several jobs use, and of a past that was not wholly seen. */
class FactMakerTest {
    private static final Run RUN = run(1, at(0), Optional.empty());
    private static final Instant TO = at(600);

    private static GpuFacts.Use facts(double busySeconds, GpuUse.Share share) {
        return facts(TO, 600, busySeconds, Optional.of(share));
    }

    private static GpuFacts.Use facts(
            Instant to, double coveredSeconds, double busySeconds, Optional<GpuUse.Share> share) {
        GpuUse use = new GpuUse(
                RUN.key(),
                "node-a",
                Optional.empty(),
                Optional.of(device("GPU-a")),
                at(0),
                to,
                20,
                coveredSeconds,
                busySeconds,
                coveredSeconds - busySeconds,
                OptionalDouble.of(busySeconds / 600),
                OptionalDouble.of(busySeconds > 0 ? 1 : 0),
                busySeconds > 0 ? Optional.of(TO) : Optional.empty(),
                OptionalLong.of(1L << 34),
                OptionalInt.of(1),
                OptionalDouble.of(1000),
                GpuUse.Work.NOT_KNOWN,
                share);
        return FactMaker.facts(
                        RUN,
                        Duration.ofMinutes(10),
                        to,
                        List.of(use),
                        List.of(use),
                        Optional.empty(),
                        new FactMaker.Beside(OptionalInt.empty(), Map.of(), Map.of(), Map.of()),
                        new Cluster(new SlurmView(TO, "lab", List.of(), List.of(), List.of()), List.of()))
                .gpus()
                .get(0)
                .use();
    }

    private static GpuUse.Share share(boolean estimated) {
        return new GpuUse.Share(600, 300, OptionalDouble.of(0.25), estimated, OptionalLong.of(1L << 30), estimated);
    }

    @Test
    @DisplayName("what the driver tells of its own processes is a fact, the whole GPU's is none")
    void told() {
        GpuFacts.Use use = facts(300, share(false));
        assertEquals(OptionalDouble.of(0.25), use.utilizationMeanRatio());
        assertEquals(OptionalLong.of(1L << 30), use.memoryUsedMaxBytes());
        assertEquals(OptionalDouble.empty(), use.utilizationMaxRatio());
        assertEquals(OptionalLong.empty(), use.idleSeconds());
        assertEquals(Optional.empty(), use.busyBefore());
        assertEquals(GpuFacts.Load.NOT_KNOWN, use.load());
    }

    @Test
    @DisplayName("an estimate is no fact")
    void estimated() {
        GpuFacts.Use use = facts(300, share(true));
        assertEquals(OptionalDouble.empty(), use.utilizationMeanRatio());
        assertEquals(OptionalLong.empty(), use.memoryUsedMaxBytes());
        assertEquals(OptionalInt.of(1), use.processesMax());
    }

    @Test
    @DisplayName("where nothing ran at all, nothing of the job ran")
    void idle() {
        GpuFacts.Use use = facts(0, share(true));
        assertEquals(OptionalDouble.of(0), use.utilizationMaxRatio());
        assertEquals(OptionalLong.of(600), use.idleSeconds());
    }

    @Test
    @DisplayName("that it was never busy is said only of a past without holes that matter")
    void holes() {
        Instant hour = at(3600);
        assertEquals(
                Optional.of(false), facts(hour, 3600 - 290, 0, Optional.empty()).busyBefore());
        assertEquals(
                Optional.empty(), facts(hour, 3600 - 310, 0, Optional.empty()).busyBefore());
        Instant week = at(7 * 86_400);
        double whole = 7 * 86_400;
        assertEquals(
                Optional.of(false),
                facts(week, whole * 0.991, 0, Optional.empty()).busyBefore());
        assertEquals(
                Optional.empty(),
                facts(week, whole * 0.989, 0, Optional.empty()).busyBefore());
        assertEquals(Optional.empty(), facts(at(100), 89, 0, Optional.empty()).busyBefore());
    }
}
