package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What a run did over its whole life, kept for ever. Immutable. Made when the run has ended and the hours of its life
 * are sealed; made anew when readings of that time come later.
 *
 * @param run which run
 * @param end its end when this was made
 * @param madeAt when it was made
 * @param busyAboveRatio a reading counted as busy when its largest sample was above this
 * @param gpus as {@link Store#gpuUse} answers for the span from start to end
 * @param job as {@link Store#jobUse} answers; absent when its cgroups were never seen
 */
public record RunSummary(
        RunKey run, Instant end, Instant madeAt, double busyAboveRatio, List<GpuUse> gpus, Optional<JobUse> job) {
    public RunSummary {
        gpus = List.copyOf(gpus);
    }
}
