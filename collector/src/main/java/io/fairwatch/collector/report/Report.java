package io.fairwatch.collector.report;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a period's GPUs were used for. Immutable.
 *
 * @param period what it covers
 * @param accountingUntil until when ended jobs are known completely; absent: Slurm's accounting never answered
 * @param simulated the sentence that says so when GPUs of any node are simulated
 * @param total all runs together
 * @param groups the same runs divided, by what ({@code user}, {@code account}, ...), largest allocation first
 */
public record Report(
        Period period,
        Optional<Instant> accountingUntil,
        Optional<String> simulated,
        Line total,
        Map<String, List<Line>> groups) {

    /**
     * Some runs together. Immutable.
     *
     * @param name whose or which
     * @param runs how many held their allocation at some time of the period
     * @param allocatedGpuSeconds what Slurm gave
     * @param seenGpuSeconds the part of it of which nodes reported how busy the GPU was
     * @param usedGpuSeconds that part times mean utilisation
     * @param idleGpuSeconds that part in which nothing ran
     * @param outsideGpuSeconds time on GPUs that Slurm did not give them, by their processes; not in the others, and only
     *     of runs of which it is known which GPUs Slurm gave
     */
    public record Line(
            String name,
            int runs,
            long allocatedGpuSeconds,
            double seenGpuSeconds,
            double usedGpuSeconds,
            double idleGpuSeconds,
            double outsideGpuSeconds) {

        static final Line NOTHING = new Line("", 0, 0, 0, 0, 0, 0);

        Line plus(Line other) {
            return new Line(
                    name,
                    runs + other.runs,
                    allocatedGpuSeconds + other.allocatedGpuSeconds,
                    seenGpuSeconds + other.seenGpuSeconds,
                    usedGpuSeconds + other.usedGpuSeconds,
                    idleGpuSeconds + other.idleGpuSeconds,
                    outsideGpuSeconds + other.outsideGpuSeconds);
        }

        Line named(String other) {
            return new Line(
                    other,
                    runs,
                    allocatedGpuSeconds,
                    seenGpuSeconds,
                    usedGpuSeconds,
                    idleGpuSeconds,
                    outsideGpuSeconds);
        }

        /** What was allocated and nobody reported on. */
        public double unseenGpuSeconds() {
            return Math.max(0, allocatedGpuSeconds - seenGpuSeconds);
        }
    }
}
