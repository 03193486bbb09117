package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.agent.wire.Utilization.Source;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Sums up one period's utilisation, stretch by stretch. Confined to the probe. */
final class UtilizationTally {
    private double sum;
    private double weight;
    private double max;
    private double last;
    private int samples;
    private boolean onlyRing = true;

    /** Adds the samples of a stretch of so many seconds, at least one. */
    void addRing(List<Nvml.Sample> ring, double seconds) {
        double mean = ring.stream().mapToInt(Nvml.Sample::percent).average().orElseThrow();
        int most = ring.stream().mapToInt(Nvml.Sample::percent).max().orElseThrow();
        int newest = ring.stream()
                .max(Comparator.comparingLong(Nvml.Sample::timestamp))
                .orElseThrow()
                .percent();
        add(mean / 100, most / 100.0, newest / 100.0, ring.size(), seconds);
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
