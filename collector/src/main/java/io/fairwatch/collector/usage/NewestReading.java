package io.fairwatch.collector.usage;

import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.store.GpuReadingAt;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * The newest reading of a GPU as plain numbers that the next one overwrites: a large cluster has a hundred thousand of them,
 * each of two dozen objects otherwise, and all anew in each period. Confined to whoever holds the lock of {@link LiveRuns}.
 */
final class NewestReading {
    /** Means, largest and last ratios of utilisation and of memory traffic; no samples: not told. */
    private final double[] ratios = new double[6];

    private int samples;
    private int memorySamples;
    private Utilization.@Nullable Source source;
    private Utilization.@Nullable Source memorySource;

    private String node;
    private long atMs;
    private GpuDevice device;
    /** Negative: not told. */
    private long memoryUsed;

    private long memoryReserved;
    /** NaN: not told. */
    private double power;

    private double powerLimit;
    private double energy;
    private double temperature;
    private double clock;
    private double memoryTemperature;
    /** Absent where there is nothing in it but the temperature. */
    private @Nullable GpuDetail detail;

    /** @param first whole milliseconds, without processes, see {@link GpuReadingAt#kept} */
    NewestReading(GpuReadingAt first) {
        node = first.node();
        device = first.reading().device();
        set(first);
    }

    /** NaN: not told. */
    double powerLimitWatts() {
        return powerLimit;
    }

    /** Takes the place of the one before. */
    void set(GpuReadingAt next) {
        GpuReading reading = next.reading();
        node = next.node();
        atMs = next.at().toEpochMilli();
        device = reading.device();
        samples = ratios(0, reading.utilization());
        source = reading.utilization().map(Utilization::source).orElse(null);
        memorySamples = ratios(3, reading.memoryUtilization());
        memorySource = reading.memoryUtilization().map(Utilization::source).orElse(null);
        memoryUsed = reading.memoryUsedBytes().orElse(-1);
        memoryReserved = reading.memoryReservedBytes().orElse(-1);
        power = reading.powerWatts().orElse(Double.NaN);
        powerLimit = reading.powerLimitWatts().orElse(Double.NaN);
        energy = reading.energyJoules().orElse(Double.NaN);
        temperature = reading.temperatureCelsius().orElse(Double.NaN);
        clock = reading.smClockHertz().orElse(Double.NaN);
        OptionalDouble memory =
                reading.detail().map(GpuDetail::memoryTemperatureCelsius).orElse(OptionalDouble.empty());
        memoryTemperature = memory.orElse(Double.NaN);
        detail = reading.detail().filter(known -> !known.equals(only(memory))).orElse(null);
    }

    private int ratios(int place, Optional<Utilization> known) {
        if (known.isEmpty()) {
            return 0;
        }
        ratios[place] = known.get().meanRatio();
        ratios[place + 1] = known.get().maxRatio();
        ratios[place + 2] = known.get().lastRatio();
        return known.get().samples();
    }

    private static GpuDetail only(OptionalDouble memoryTemperature) {
        return new GpuDetail(
                memoryTemperature,
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }

    String node() {
        return node;
    }

    long atMs() {
        return atMs;
    }

    GpuDevice device() {
        return device;
    }

    /** As it was set. */
    GpuReadingAt get() {
        Optional<GpuDetail> known = detail != null
                ? Optional.of(detail)
                : Double.isNaN(memoryTemperature)
                        ? Optional.empty()
                        : Optional.of(only(OptionalDouble.of(memoryTemperature)));
        return new GpuReadingAt(
                node,
                Instant.ofEpochMilli(atMs),
                new GpuReading(
                        device,
                        utilization(0, samples, source),
                        utilization(3, memorySamples, memorySource),
                        whole(memoryUsed),
                        whole(memoryReserved),
                        real(power),
                        real(powerLimit),
                        real(energy),
                        real(temperature),
                        real(clock),
                        Optional.empty(),
                        known));
    }

    private Optional<Utilization> utilization(int place, int count, Utilization.@Nullable Source from) {
        return from == null
                ? Optional.empty()
                : Optional.of(new Utilization(ratios[place], ratios[place + 1], ratios[place + 2], count, from));
    }

    private static OptionalLong whole(long value) {
        return value < 0 ? OptionalLong.empty() : OptionalLong.of(value);
    }

    private static OptionalDouble real(double value) {
        return Double.isNaN(value) ? OptionalDouble.empty() : OptionalDouble.of(value);
    }
}
