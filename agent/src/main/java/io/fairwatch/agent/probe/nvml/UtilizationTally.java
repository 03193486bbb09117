package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.agent.wire.Utilization.Source;
import java.util.List;
import java.util.Optional;

/** Sums up one period's utilisation, stretch by stretch. Confined to the probe. */
final class UtilizationTally {
    /** Between two samples of a ring lies a second at most; more than this was lost when it ran over. */
    private static final long GAP_MICROS = 3_000_000;

    private double sum;
    private double weight;
    private double max;
    private double last;
    private int samples;
    private boolean onlyRing = true;

    /**
     * Adds those samples of a stretch of so many seconds that are newer than the newest of the stretch before.
     *
     * @return the newest timestamp; {@code seen} when none is newer
     */
    long addRing(List<Nvml.Sample> ring, long seen, double seconds) {
        long total = 0;
        int count = 0;
        int most = 0;
        int newest = 0;
        long newestAt = seen;
        long oldestAt = Long.MAX_VALUE;
        for (Nvml.Sample sample : ring) {
            if (sample.timestamp() > seen) {
                oldestAt = Math.min(oldestAt, sample.timestamp());
                total += sample.percent();
                count++;
                most = Math.max(most, sample.percent());
                newest = sample.timestamp() >= newestAt ? sample.percent() : newest;
                newestAt = Math.max(newestAt, sample.timestamp());
            }
        }
        if (count > 0) {
            onlyRing &= seen == 0 || oldestAt - seen <= GAP_MICROS;
            add(total / (100.0 * count), most / 100.0, newest / 100.0, count, seconds);
        }
        return newestAt;
    }

    /** Adds a single look, which stands for a stretch of so many seconds. */
    void addLook(int percent, double seconds) {
        if (percent >= 0 && percent <= 100) {
            onlyRing = false;
            add(percent / 100.0, percent / 100.0, percent / 100.0, 1, seconds);
        }
    }

    private void add(double mean, double most, double newest, int count, double seconds) {
        double weightHere = Math.max(seconds, 1e-6);
        sum += mean * weightHere;
        weight += weightHere;
        max = Math.max(max, most);
        last = newest;
        samples += count;
    }

    boolean isEmpty() {
        return samples == 0;
    }

    /** What came together; empty when nothing did. */
    Optional<Utilization> total() {
        return samples == 0
                ? Optional.empty()
                : Optional.of(new Utilization(
                        Math.min(1, sum / weight), max, last, samples, onlyRing ? Source.RING : Source.POLL));
    }
}
