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

    /** Numbers that {@link #pack} makes. */
    static final int WIDTH = 21;
    /** The same where the product tells how it worked. */
    static final int WIDTH_WITH_ACTIVITY = WIDTH + 2 * ACTIVITIES;

    /** Numbers that {@link #packRoughly} makes. */
    static final int ROUGH_WIDTH = 6;
    /** The same where the product tells how it worked. */
    static final int ROUGH_WIDTH_WITH_ACTIVITY = ROUGH_WIDTH + 2;

    private static final int MOST_COUNTED = 0xffff;
    /** In the place of a share or of watts that were not told. */
    private static final int NOT_TOLD = 0xffff;

    private static final double SHARES = 50_000;
    private static final double PARTS_OF_WATT = 10;
    private static final int TOLD = 2;
    private static final int PACKED = 1;
    private static final int COUNTED = 2;
    private static final int HAS_FIRST = 4;
    private static final int FIRST_TELLS_IDLE = 8;
    private static final int FIRST_IDLE = 16;

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
    /** Sums of a value times the time for which it stands, and of that time. */
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
        return ratio(sums[2 * which], sums[2 * which + 1]);
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

    // ---- packed

    boolean tellsActivity() {
        return activity != null;
    }

    /**
     * Writes them in half the room: sums as {@code float}, times in whole milliseconds; largest values in millionths and
     * thousandths, so that a whole percent is itself again, and memory in KiB. For parts of less than an hour.
     *
     * @param beginMs where the part begins
     */
    void pack(int[] to, int at, long beginMs) {
        to[at] = PACKED
                | (counted ? COUNTED : 0)
                | (hasFirst ? HAS_FIRST : 0)
                | (firstTellsIdle ? FIRST_TELLS_IDLE : 0)
                | (firstIdle ? FIRST_IDLE : 0)
                | Math.min(xids + 1, 0xff) << 8
                | Math.min(processesMax + 1, MOST_COUNTED) << 16;
        to[at + 1] = pair(samples, told);
        to[at + 2] = pair(steps, idleSteps);
        to[at + 3] = (int) coveredMs;
        to[at + 4] = (int) busyMs;
        to[at + 5] = (int) idleMs;
        to[at + 6] = bits(usedMs);
        to[at + 7] = parts(utilizationMax, 1e6);
        to[at + 8] = lastBusyMs == Long.MIN_VALUE ? 0 : (int) (lastBusyMs - beginMs);
        to[at + 9] = bits(memoryMax < 0 ? -1 : memoryMax / 1024.0);
        to[at + 10] = bits(memory);
        to[at + 11] = (int) memoryMs;
        to[at + 12] = bits(power);
        to[at + 13] = (int) powerMs;
        to[at + 14] = parts(powerMax, 1e3);
        to[at + 15] = bits(memoryUtilization);
        to[at + 16] = (int) memoryUtilizationMs;
        to[at + 17] = parts(temperatureMax, 1e3);
        to[at + 18] = bits(joules);
        to[at + 19] = bits(idleJoules);
        to[at + 20] = bits(firstJoules);
        for (int i = 0; activity != null && i < activity.length; i++) {
            to[at + WIDTH + i] = bits(activity[i]);
        }
    }

    /**
     * What {@link #pack} wrote.
     *
     * @param beginMs as there
     */
    static GpuSums unpacked(int[] from, int at, int width, long beginMs) {
        GpuSums sums = new GpuSums();
        int flags = from[at];
        sums.counted = (flags & COUNTED) != 0;
        sums.hasFirst = (flags & HAS_FIRST) != 0;
        sums.firstTellsIdle = (flags & FIRST_TELLS_IDLE) != 0;
        sums.firstIdle = (flags & FIRST_IDLE) != 0;
        sums.xids = (flags >>> 8 & 0xff) - 1;
        sums.processesMax = (flags >>> 16) - 1;
        sums.samples = from[at + 1] & MOST_COUNTED;
        sums.told = from[at + 1] >>> 16;
        sums.steps = from[at + 2] & MOST_COUNTED;
        sums.idleSteps = from[at + 2] >>> 16;
        sums.coveredMs = from[at + 3];
        sums.busyMs = from[at + 4];
        sums.idleMs = from[at + 5];
        sums.usedMs = real(from[at + 6]);
        sums.utilizationMax = whole(from[at + 7], 1e6);
        sums.lastBusyMs = from[at + 8] == 0 ? Long.MIN_VALUE : beginMs + from[at + 8];
        sums.memoryMax = real(from[at + 9]) < 0 ? -1 : Math.round(real(from[at + 9]) * 1024);
        sums.memory = real(from[at + 10]);
        sums.memoryMs = from[at + 11];
        sums.power = real(from[at + 12]);
        sums.powerMs = from[at + 13];
        sums.powerMax = whole(from[at + 14], 1e3);
        sums.memoryUtilization = real(from[at + 15]);
        sums.memoryUtilizationMs = from[at + 16];
        sums.temperatureMax = whole(from[at + 17], 1e3);
        sums.joules = real(from[at + 18]);
        sums.idleJoules = real(from[at + 19]);
        sums.firstJoules = real(from[at + 20]);
        if (width == WIDTH_WITH_ACTIVITY) {
            double[] told = new double[2 * ACTIVITIES];
            double most = 0;
            for (int i = 0; i < told.length; i++) {
                told[i] = real(from[at + WIDTH + i]);
                most += told[i];
            }
            sums.activity = most == 0 ? null : told;
        }
        return sums;
    }

    /**
     * Writes what rules ask for in an eighth of the room: times and shares to a fifty-thousandth, watts to a tenth; no
     * energy, temperature or errors, and not when it was busy last.
     *
     * @param partMs length of the part
     */
    void packRoughly(int[] to, int at, double partMs) {
        to[at] = PACKED
                | (told > 0 ? TOLD : 0)
                | Math.min(samples, 0x3fff) << 2
                | Math.min(processesMax + 1, MOST_COUNTED) << 16;
        to[at + 1] = pair(share(coveredMs, partMs), share(busyMs, partMs));
        to[at + 2] = pair(share(idleMs, partMs), share(usedMs, busyMs + idleMs));
        to[at + 3] = pair(share(utilizationMax, 1), share(memoryUtilization, memoryUtilizationMs));
        to[at + 4] = bits(memoryMax < 0 ? -1 : memoryMax / 1024.0);
        to[at + 5] = pair(watts(power / powerMs), watts(powerMax));
        if (activity != null) {
            to[at + 6] = pair(share(activity[2], activity[3]), share(activity[6], activity[7]));
            to[at + 7] = pair(share(activity[8], activity[9]), 1);
        }
    }

    /** What {@link #packRoughly} wrote. */
    static GpuSums unpackedRoughly(int[] from, int at, int width, double partMs) {
        GpuSums sums = new GpuSums();
        sums.told = (from[at] & TOLD) / TOLD;
        sums.samples = from[at] >>> 2 & 0x3fff;
        sums.processesMax = (from[at] >>> 16) - 1;
        sums.coveredMs = low(from[at + 1]) / SHARES * partMs;
        sums.busyMs = high(from[at + 1]) / SHARES * partMs;
        sums.idleMs = low(from[at + 2]) / SHARES * partMs;
        sums.usedMs = high(from[at + 2]) == NOT_TOLD ? 0 : high(from[at + 2]) / SHARES * (sums.busyMs + sums.idleMs);
        sums.utilizationMax = low(from[at + 3]) == NOT_TOLD ? Double.NaN : low(from[at + 3]) / SHARES;
        if (high(from[at + 3]) != NOT_TOLD) {
            sums.memoryUtilizationMs = sums.coveredMs;
            sums.memoryUtilization = high(from[at + 3]) / SHARES * sums.coveredMs;
        }
        sums.memoryMax = real(from[at + 4]) < 0 ? -1 : Math.round(real(from[at + 4]) * 1024);
        if (low(from[at + 5]) != NOT_TOLD) {
            sums.powerMs = sums.coveredMs;
            sums.power = low(from[at + 5]) / PARTS_OF_WATT * sums.coveredMs;
        }
        sums.powerMax = high(from[at + 5]) == NOT_TOLD ? Double.NaN : high(from[at + 5]) / PARTS_OF_WATT;
        if (width == ROUGH_WIDTH_WITH_ACTIVITY && high(from[at + 7]) != 0) {
            sums.activity = new double[2 * ACTIVITIES];
            sums.activity(1, low(from[at + 6]));
            sums.activity(3, high(from[at + 6]));
            sums.activity(4, low(from[at + 7]));
        }
        return sums;
    }

    private void activity(int which, int share) {
        if (share != NOT_TOLD) {
            activity(which, OptionalDouble.of(share / SHARES), coveredMs);
        }
    }

    /**
     * What {@link #packRoughly} leaves out is left out of these, too, but for when it was busy last.
     *
     * @param all of a longer time with the same end
     */
    void makeRough(GpuSums all, long fromMs) {
        lastBusyMs = all.lastBusyMs > fromMs ? all.lastBusyMs : Long.MIN_VALUE;
        temperatureMax = Double.NaN;
        xids = -1;
        steps = 0;
        idleSteps = 0;
        hasFirst = false;
    }

    private static int share(double part, double whole) {
        return whole > 0 && !Double.isNaN(part)
                ? (int) Math.min(Math.round(part / whole * SHARES), NOT_TOLD - 1)
                : NOT_TOLD;
    }

    private static int watts(double watts) {
        return Double.isNaN(watts) ? NOT_TOLD : (int) Math.min(Math.round(watts * PARTS_OF_WATT), NOT_TOLD - 1);
    }

    private static int low(int pair) {
        return pair & 0xffff;
    }

    private static int high(int pair) {
        return pair >>> 16;
    }

    private static int pair(int low, int high) {
        return Math.min(low, MOST_COUNTED) | Math.min(high, MOST_COUNTED) << 16;
    }

    private static int parts(double value, double many) {
        return Double.isNaN(value) ? Integer.MIN_VALUE : (int) Math.round(value * many);
    }

    private static double whole(int parts, double many) {
        return parts == Integer.MIN_VALUE ? Double.NaN : parts / many;
    }

    private static int bits(double value) {
        return Float.floatToRawIntBits((float) value);
    }

    private static double real(int bits) {
        return Float.intBitsToFloat(bits);
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
                ratio(usedMs, busyMs + idleMs),
                real(utilizationMax),
                lastBusyMs == Long.MIN_VALUE ? Optional.empty() : Optional.of(Instant.ofEpochMilli(lastBusyMs)),
                memoryMax < 0 ? OptionalLong.empty() : OptionalLong.of(memoryMax),
                processesMax > 0 ? OptionalInt.of(processesMax) : told > 0 ? OptionalInt.of(0) : OptionalInt.empty(),
                counts > 0 ? OptionalDouble.of(joules - leftJoules) : OptionalDouble.empty(),
                new GpuUse.Work(
                        idleCounts > 0 ? OptionalDouble.of(idleJoules - leftIdle) : OptionalDouble.empty(),
                        mean(power, powerMs),
                        real(powerMax),
                        ratio(memoryUtilization, memoryUtilizationMs),
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

    /** A mean of shares; rounding makes none of them more than the whole. */
    private static OptionalDouble ratio(double sum, double ms) {
        return ms > 0 ? OptionalDouble.of(Math.min(1, sum / ms)) : OptionalDouble.empty();
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
