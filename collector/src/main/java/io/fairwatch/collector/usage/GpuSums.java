package io.fairwatch.collector.usage;

import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.store.GpuUse;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * What readings of one GPU add up to, for one run and some part of its time. Parts that follow each other add up exactly:
 * what was measured <em>over</em> a period lies in each part as far as the period does, what was read <em>at</em> an
 * instant in the part of that instant. Confined to whoever holds the lock of {@link LiveRuns}.
 */
final class GpuSums {
    private static final int ACTIVITIES = 5;

    private int samples;
    private int told;
    private int processesMax = -1;
    /** Negative: the driver never told. */
    private int xids = -1;

    private double coveredMs;
    private double busyMs;
    private double idleMs;
    private double usedMs;
    private double utilizationMax = Double.NaN;
    private long lastBusyMs = Long.MIN_VALUE;
    private long memoryMax = -1;
    private double powerMax = Double.NaN;
    private double temperatureMax = Double.NaN;
    /** Sums of a value times the time for which it stands, and of that time. There are a million of these objects. */
    private double power;

    private double powerMs;
    private double memoryUtilization;
    private double memoryUtilizationMs;
    private double memory;
    private double memoryMs;
    /**
     * Graphics, multiprocessors, occupancy, tensor cores, device memory, each as a sum and its time; most GPUs tell none of
     * it.
     */
    private double @Nullable [] activity;

    /** Differences of the counter to the reading before, and how many; idle ones apart. */
    private double joules;

    private int steps;
    private double idleJoules;
    private int idleSteps;

    /** The difference to the first reading of this part that told the counter, which the part alone does not know. */
    private boolean counted;

    private boolean hasFirst;
    private double firstJoules;
    private boolean firstTellsIdle;
    private boolean firstIdle;

    /**
     * The counter from one reading to the next.
     *
     * @param joules how much it rose
     * @param idle whether nothing ran in the period of the later reading; absent: not told
     */
    record Step(double joules, Optional<Boolean> idle) {}

    // ---- what comes in

    /** A reading, as far as its period lies here. */
    void over(GpuReading reading, double ms, double busyAboveRatio) {
        if (LiveRuns.isLost(reading)) {
            return;
        }
        coveredMs += ms;
        if (reading.utilization().isPresent()) {
            Utilization known = reading.utilization().get();
            usedMs += known.meanRatio() * ms;
            if (known.maxRatio() > busyAboveRatio) {
                busyMs += ms;
            } else {
                idleMs += ms;
            }
        }
        if (reading.powerWatts().isPresent()) {
            power += reading.powerWatts().getAsDouble() * ms;
            powerMs += ms;
        }
        if (reading.memoryUtilization().isPresent()) {
            memoryUtilization += reading.memoryUtilization().get().meanRatio() * ms;
            memoryUtilizationMs += ms;
        }
        if (reading.memoryUsedBytes().isPresent()) {
            memory += (double) reading.memoryUsedBytes().getAsLong() * ms;
            memoryMs += ms;
        }
        reading.detail().flatMap(GpuDetail::activity).ifPresent(known -> {
            activity(0, known.graphicsRatio(), ms);
            activity(1, known.smRatio(), ms);
            activity(2, known.occupancyRatio(), ms);
            activity(3, known.tensorRatio(), ms);
            activity(4, known.dramRatio(), ms);
        });
    }

    private void activity(int which, OptionalDouble ratio, double ms) {
        if (ratio.isPresent()) {
            double[] sums = activity == null ? new double[2 * ACTIVITIES] : activity;
            sums[2 * which] += ratio.getAsDouble() * ms;
            sums[2 * which + 1] += ms;
            activity = sums;
        }
    }

    private static OptionalDouble activity(double[] sums, int which) {
        return mean(sums[2 * which], sums[2 * which + 1]);
    }

    /**
     * A reading whose instant lies here.
     *
     * @param isNew whether it does not count as a sample already, because its period began before this was summed
     * @param processes how many processes of the run's job it shows
     * @param step the counter since the reading before; absent without one, or where the reading does not tell it
     */
    void at(long atMs, GpuReading reading, boolean isNew, int processes, @Nullable Step step, double busyAboveRatio) {
        boolean lost = LiveRuns.isLost(reading);
        samples += isNew && !lost ? 1 : 0;
        if (isNew) {
            reading.detail()
                    .flatMap(GpuDetail::health)
                    .flatMap(GpuDetail.Health::xids)
                    .ifPresent(codes -> xids = Math.max(0, xids) + codes.size());
        }
        if (reading.processes().isPresent()) {
            told++;
        }
        if (processes > 0) {
            processesMax = Math.max(processesMax, processes);
        }
        reading.utilization().ifPresent(known -> {
            utilizationMax = most(utilizationMax, known.maxRatio());
            if (known.maxRatio() > busyAboveRatio) {
                lastBusyMs = Math.max(lastBusyMs, atMs);
            }
        });
        memoryMax = Math.max(memoryMax, reading.memoryUsedBytes().orElse(-1));
        powerMax = most(powerMax, reading.powerWatts().orElse(Double.NaN));
        temperatureMax = most(temperatureMax, reading.temperatureCelsius().orElse(Double.NaN));
        if (reading.energyJoules().isPresent()) {
            if (!counted) {
                counted = true;
                hasFirst = step != null;
                firstJoules = step == null ? 0 : Math.max(0, step.joules());
                firstTellsIdle = step != null && step.idle().isPresent();
                firstIdle = step != null && step.idle().orElse(false);
            }
            if (step != null) {
                add(step);
            }
        }
    }

    private void add(Step step) {
        joules += Math.max(0, step.joules());
        steps++;
        if (step.idle().isPresent()) {
            idleJoules += step.idle().get() ? Math.max(0, step.joules()) : 0;
            idleSteps++;
        }
    }

    private static double most(double one, double other) {
        return Double.isNaN(one) ? other : Double.isNaN(other) ? one : Math.max(one, other);
    }

    /** What the store says of the time before. Means weigh as much as the time that was covered. */
    void add(GpuUse before) {
        double ms = before.coveredSeconds() * 1000;
        samples += before.samples();
        coveredMs += ms;
        busyMs += before.busySeconds() * 1000;
        idleMs += before.idleSeconds() * 1000;
        double measured = (before.busySeconds() + before.idleSeconds()) * 1000;
        usedMs += before.utilizationMeanRatio().orElse(0) * measured;
        utilizationMax = most(utilizationMax, before.utilizationMaxRatio().orElse(Double.NaN));
        before.lastBusyAt().ifPresent(at -> lastBusyMs = Math.max(lastBusyMs, at.toEpochMilli()));
        memoryMax = Math.max(memoryMax, before.memoryUsedMaxBytes().orElse(-1));
        if (before.processesMax().isPresent()) {
            told++;
            if (before.processesMax().getAsInt() > 0) {
                processesMax = Math.max(processesMax, before.processesMax().getAsInt());
            }
        }
        GpuUse.Work work = before.work();
        powerMax = most(powerMax, work.powerMaxWatts().orElse(Double.NaN));
        temperatureMax = most(temperatureMax, work.temperatureMaxCelsius().orElse(Double.NaN));
        if (work.powerMeanWatts().isPresent()) {
            power += work.powerMeanWatts().getAsDouble() * ms;
            powerMs += ms;
        }
        if (work.memoryUtilizationMeanRatio().isPresent()) {
            memoryUtilization += work.memoryUtilizationMeanRatio().getAsDouble() * ms;
            memoryUtilizationMs += ms;
        }
        if (work.memoryUsedMeanBytes().isPresent()) {
            memory += work.memoryUsedMeanBytes().getAsLong() * ms;
            memoryMs += ms;
        }
        GpuUse.Activity known = work.activity();
        if (!known.equals(GpuUse.Activity.NOT_KNOWN)) {
            activity(0, known.graphicsMeanRatio(), ms);
            activity(1, known.smMeanRatio(), ms);
            activity(2, known.occupancyMeanRatio(), ms);
            activity(3, known.tensorMeanRatio(), ms);
            activity(4, known.dramMeanRatio(), ms);
        }
        work.xids().ifPresent(count -> xids = Math.max(0, xids) + count);
        if (before.energyJoules().isPresent()) {
            counted = true;
            joules += before.energyJoules().getAsDouble();
            steps++;
        }
        if (work.idleEnergyJoules().isPresent()) {
            idleJoules += work.idleEnergyJoules().getAsDouble();
            idleSteps++;
        }
    }

    /**
     * The reading whose period began before the store summed up, and ended after it: what the store counts as covered, but
     * not what was read at its end.
     *
     * @param ms how much of its period the store counted
     */
    void replace(GpuReading reading, double ms) {
        if (reading.memoryUsedBytes().isEmpty()) {
            return;
        }
        double bytes = reading.memoryUsedBytes().getAsLong();
        if (memoryMs > ms) {
            memory += (bytes - memory / memoryMs) * ms; // in the place of as much time
        } else {
            memory = bytes * ms;
            memoryMs = ms;
        }
    }

    /**
     * The part that follows.
     *
     * @param after not changed
     */
    void add(GpuSums after) {
        samples += after.samples;
        told += after.told;
        processesMax = Math.max(processesMax, after.processesMax);
        if (after.xids >= 0) {
            xids = Math.max(0, xids) + after.xids;
        }
        coveredMs += after.coveredMs;
        busyMs += after.busyMs;
        idleMs += after.idleMs;
        usedMs += after.usedMs;
        utilizationMax = most(utilizationMax, after.utilizationMax);
        lastBusyMs = Math.max(lastBusyMs, after.lastBusyMs);
        memoryMax = Math.max(memoryMax, after.memoryMax);
        powerMax = most(powerMax, after.powerMax);
        temperatureMax = most(temperatureMax, after.temperatureMax);
        power += after.power;
        powerMs += after.powerMs;
        memoryUtilization += after.memoryUtilization;
        memoryUtilizationMs += after.memoryUtilizationMs;
        memory += after.memory;
        memoryMs += after.memoryMs;
        if (after.activity != null) {
            double[] sums = activity == null ? new double[2 * ACTIVITIES] : activity;
            for (int i = 0; i < sums.length; i++) {
                sums[i] += after.activity[i];
            }
            activity = sums;
        }
        if (after.counted && !counted) {
            counted = true;
            hasFirst = after.hasFirst;
            firstJoules = after.firstJoules;
            firstTellsIdle = after.firstTellsIdle;
            firstIdle = after.firstIdle;
        }
        joules += after.joules;
        steps += after.steps;
        idleJoules += after.idleJoules;
        idleSteps += after.idleSteps;
    }

    // ---- what comes out

    /**
     * What they add up to.
     *
     * @param alone whether nothing is known of the time before: the first difference of the counter is not of this part
     * @param like what it is about: its run, node and devices are kept
     */
    GpuUse use(GpuUse like, boolean alone) {
        boolean without = alone && hasFirst;
        int counts = steps - (without ? 1 : 0);
        int idleCounts = idleSteps - (without && firstTellsIdle ? 1 : 0);
        double leftJoules = without ? firstJoules : 0;
        double leftIdle = without && firstIdle ? firstJoules : 0;
        long lengthMs = Math.max(0, like.to().toEpochMilli() - like.from().toEpochMilli());
        return new GpuUse(
                like.run(),
                like.node(),
                like.allocated(),
                like.device(),
                like.from(),
                like.to(),
                samples,
                seconds(coveredMs, lengthMs),
                seconds(busyMs, lengthMs),
                seconds(idleMs, lengthMs),
                mean(usedMs, busyMs + idleMs),
                real(utilizationMax),
                lastBusyMs == Long.MIN_VALUE ? Optional.empty() : Optional.of(Instant.ofEpochMilli(lastBusyMs)),
                memoryMax < 0 ? OptionalLong.empty() : OptionalLong.of(memoryMax),
                processesMax > 0 ? OptionalInt.of(processesMax) : told > 0 ? OptionalInt.of(0) : OptionalInt.empty(),
                counts > 0 ? OptionalDouble.of(joules - leftJoules) : OptionalDouble.empty(),
                new GpuUse.Work(
                        idleCounts > 0 ? OptionalDouble.of(idleJoules - leftIdle) : OptionalDouble.empty(),
                        mean(power, powerMs),
                        real(powerMax),
                        mean(memoryUtilization, memoryUtilizationMs),
                        rounded(mean(memory, memoryMs)),
                        real(temperatureMax),
                        activity == null
                                ? GpuUse.Activity.NOT_KNOWN
                                : new GpuUse.Activity(
                                        activity(activity, 0),
                                        activity(activity, 1),
                                        activity(activity, 2),
                                        activity(activity, 3),
                                        activity(activity, 4)),
                        xids < 0 ? OptionalInt.empty() : OptionalInt.of(xids)));
    }

    /** Whole milliseconds, as the store counts them; periods that overlap are not more than all of the time. */
    private static double seconds(double ms, long mostMs) {
        return Math.min(Math.round(ms), mostMs) / 1000.0;
    }

    private static OptionalDouble mean(double sum, double ms) {
        return ms > 0 ? OptionalDouble.of(sum / ms) : OptionalDouble.empty();
    }

    private static OptionalDouble real(double value) {
        return Double.isNaN(value) ? OptionalDouble.empty() : OptionalDouble.of(value);
    }

    private static OptionalLong rounded(OptionalDouble value) {
        return value.isPresent() ? OptionalLong.of(Math.round(value.getAsDouble())) : OptionalLong.empty();
    }
}
