package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.nvml.Nvml.Metric;
import io.fairwatch.agent.wire.GpuDetail.Activity;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The counters inside a Hopper or later GPU, or inside one GPU instance of it, looked at once per period; a reading is
 * what lies between two looks. Confined to the probe.
 */
final class Counters {
    private static final long SHORTEST_NANOS = 100_000_000;
    private static final double MEBIBYTE = 1 << 20;

    /** A mean of counters may come out a little above what is possible. */
    private static final double MOST_PERCENT = 101;

    private final Nvml nvml;
    private final long device;
    private final OptionalInt gpuInstance;
    private @Nullable Long look;
    private @Nullable Long spare;
    private long lookedNanos;

    /**
     * @param device a GPU's handle, also for an instance of it
     * @param gpuInstance empty: the whole GPU
     */
    Counters(Nvml nvml, long device, OptionalInt gpuInstance) {
        this.nvml = nvml;
        this.device = device;
        this.gpuInstance = gpuInstance;
    }

    /** Looks, and tells what happened since the look before; nothing if there was none, or only just. */
    Map<Metric, Double> read(long nowNanos, Set<Metric> wanted) throws NvmlException {
        Long earlier = look;
        if (earlier == null) {
            if (!nvml.hasCounters(device)) {
                throw new NvmlException("nvmlGpmQueryDeviceSupport", NvmlException.NOT_SUPPORTED);
            }
        } else if (nowNanos - lookedNanos < SHORTEST_NANOS) {
            return Map.of();
        }
        long later = spare != null ? spare : nvml.newLook();
        spare = later;
        try {
            nvml.look(device, gpuInstance, later);
        } catch (NvmlException e) {
            forget();
            throw e;
        }
        look = later;
        spare = earlier;
        lookedNanos = nowNanos;
        return earlier == null ? Map.of() : nvml.between(earlier, later, wanted);
    }

    /** Makes the next look the first one: what was looked at before is not the same any more. */
    private void forget() {
        Long last = look;
        look = null;
        if (last != null) {
            nvml.freeLook(last);
        }
    }

    void close() {
        forget();
        if (spare != null) {
            nvml.freeLook(spare);
            spare = null;
        }
    }

    static OptionalDouble ratio(Map<Metric, Double> metrics, Metric metric) {
        double percent = metrics.getOrDefault(metric, Double.NaN);
        return percent >= 0 && percent <= MOST_PERCENT
                ? OptionalDouble.of(Math.min(1, percent / 100))
                : OptionalDouble.empty();
    }

    static OptionalDouble bytesPerSecond(Map<Metric, Double> metrics, Metric metric) {
        double mebibytes = metrics.getOrDefault(metric, Double.NaN);
        return mebibytes >= 0 && mebibytes < 1e9 ? OptionalDouble.of(mebibytes * MEBIBYTE) : OptionalDouble.empty();
    }

    static Optional<Activity> activity(Map<Metric, Double> metrics) {
        Activity activity = new Activity(
                ratio(metrics, Metric.GRAPHICS),
                ratio(metrics, Metric.SM),
                ratio(metrics, Metric.OCCUPANCY),
                ratio(metrics, Metric.TENSOR),
                ratio(metrics, Metric.DRAM),
                ratio(metrics, Metric.FP64),
                ratio(metrics, Metric.FP32),
                ratio(metrics, Metric.FP16),
                ratio(metrics, Metric.INTEGER));
        return activity.equals(NOTHING) ? Optional.empty() : Optional.of(activity);
    }

    private static final Activity NOTHING = new Activity(
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty());
}
