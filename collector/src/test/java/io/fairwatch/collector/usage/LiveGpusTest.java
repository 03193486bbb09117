package io.fairwatch.collector.usage;

import static io.fairwatch.collector.store.Given.NOON;
import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.run;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.AllocatedGpu.Confidence;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class LiveGpusTest {
    private Instant now = NOON;
    private final LiveGpus live = new LiveGpus(() -> now);

    @Test
    @DisplayName("nothing is told before Slurm has answered, and nothing when its answer is old")
    void unknown() {
        assertEquals(Optional.empty(), live.on("node-a"));
        live.remember(List.of());
        assertEquals(Optional.of(List.of()), live.on("node-a"));
        now = NOON.plusSeconds(301);
        assertEquals(Optional.empty(), live.on("node-a"));
    }

    @Test
    @DisplayName("a GPU that two runs would hold is nobody's, and one of a run that ended is free")
    void disputed() {
        live.remember(List.of(
                run(1, allocated("node-a", 0, "GPU-a")),
                run(2, allocated("node-a", 0, "GPU-a")),
                run(3, allocated("node-a", 1, "GPU-b")),
                job(4).until(NOON.plusSeconds(9))
                        .on(allocated("node-a", 2, "GPU-c"))
                        .run()));
        assertEquals(
                List.of(new HeldGpu("GPU-b", 3, run(3).owner().uid())),
                live.on("node-a").orElseThrow());
    }

    @Test
    @DisplayName("a GPU whose number is contradicted, or has no device, is nobody's")
    void doubtful() {
        live.remember(List.of(
                run(1, allocated("node-a", 0, "GPU-a")),
                run(2, new AllocatedGpu("node-a", 1, Optional.empty(), Optional.of("GPU-b"), Confidence.CONTRADICTED)),
                run(3, new AllocatedGpu("node-a", 2, Optional.empty(), Optional.empty(), Confidence.UNKNOWN))));
        assertEquals(
                List.of(new HeldGpu("GPU-a", 1, run(1).owner().uid())),
                live.on("node-a").orElseThrow());
    }
}
