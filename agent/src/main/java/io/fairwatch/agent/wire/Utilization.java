package io.fairwatch.agent.wire;

/**
 * How busy something was over a snapshot's period. Immutable.
 *
 * @param meanRatio mean over the period, 0..1
 * @param maxRatio largest sample of the period, 0..1
 * @param lastRatio newest sample of the period, 0..1
 * @param samples how many samples the driver gave for the period; 1 or more
 * @param source where the samples come from
 */
public record Utilization(double meanRatio, double maxRatio, double lastRatio, int samples, Source source) {

    /** Where samples come from. */
    public enum Source {
        /** The driver's own ring of samples: no gaps. Source: {@code nvmlDeviceGetSamples}. */
        RING,
        /**
         * Single looks, because the driver offers no ring, or a ring that ran over between two looks. Source: {@code
         * nvmlDeviceGetUtilizationRates}, {@code nvmlDeviceGetSamples}.
         */
        POLL
    }

    public Utilization {
        Check.ratio("utilization.mean_ratio", meanRatio);
        Check.ratio("utilization.max_ratio", maxRatio);
        Check.ratio("utilization.last_ratio", lastRatio);
        Check.positive("utilization.samples", samples);
    }
}
