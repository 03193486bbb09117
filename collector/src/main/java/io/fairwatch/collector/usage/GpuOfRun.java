package io.fairwatch.collector.usage;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.store.GpuUse;
import java.time.Instant;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What a run did with a GPU that it was given: in sums since its start, in sums of the last parts of time, and how busy it
 * was for a drawing. Of its readings before the cut, which may be the run's start, the store told sums. Confined to whoever
 * holds the lock of {@link LiveRuns}.
 */
class GpuOfRun {
    private @Nullable GpuDevice device;
    private GpuSums all = new GpuSums();
    private final Parts minutes = new Parts(Parts.MINUTES, GpuSums.WIDTH);
    /** Roughly, because there are many; without the newest part of {@link #minutes}. */
    private final Parts hours = new Parts(Parts.HOURS, GpuSums.ROUGH_WIDTH);

    private long lastMs = Long.MIN_VALUE;
    private double lastJoules = Double.NaN;
    private boolean counted;
    /** Absent where it began before this was told of it. */
    private @Nullable Course course;

    /** A reading that came. */
    record Came(long atMs, long periodMs, GpuReading reading) {}

    /** A run's time: its start, and until when the store summed up. */
    record Begin(long startMs, long cutMs) {
        boolean isWhole() {
            return cutMs == startMs;
        }
    }

    void clear(Begin begin, double busyAboveRatio) {
        all = new GpuSums();
        minutes.clear();
        hours.clear();
        lastMs = Long.MIN_VALUE;
        lastJoules = Double.NaN;
        counted = false;
        course = begin.isWhole() ? new Course(begin.startMs(), busyAboveRatio) : null;
    }

    Optional<GpuDevice> device() {
        return Optional.ofNullable(device);
    }

    void know(Optional<GpuDevice> told) {
        device = told.orElse(device);
    }

    /** End of the newest reading; the least there is before the first. */
    long lastMs() {
        return lastMs;
    }

    @Nullable
    Course course() {
        return course;
    }

    void addBefore(GpuUse use) {
        all.add(use);
        counted |= use.energyJoules().isPresent();
        know(use.device());
    }

    /** The counter of a reading that is summed up already: the next one goes on from there. */
    void goOnFrom(GpuReading reading) {
        lastJoules = reading.energyJoules().orElse(lastJoules);
    }

    /** Whether energy was counted before, and it is not known up to where. */
    boolean hasLostCount() {
        return counted && Double.isNaN(lastJoules);
    }

    /** @param processes how many of the run were on it */
    void add(Came came, Begin begin, int processes, double busyAboveRatio) {
        GpuReading reading = came.reading();
        long beginMs = came.atMs() - came.periodMs();
        boolean isNew = begin.isWhole() || beginMs >= begin.cutMs();
        long fromMs = Math.max(beginMs, begin.cutMs());
        if (!isNew) {
            all.replace(reading, (double) (begin.cutMs() - Math.max(beginMs, begin.startMs())));
        }
        GpuSums.Step step = step(reading, busyAboveRatio);
        all.over(reading, (double) (came.atMs() - fromMs), busyAboveRatio);
        all.at(came.atMs(), reading, isNew, processes, step, busyAboveRatio);
        long last = Parts.MINUTES.of(came.atMs());
        for (long part = Math.max(Parts.MINUTES.of(fromMs + 1), last - Parts.MINUTES.many() + 1);
                part <= last;
                part++) {
            long partMs = Parts.MINUTES.beginMs(part);
            long ms = Math.min(came.atMs(), partMs + Parts.MINUTES.partMs()) - Math.max(fromMs, partMs);
            GpuSums sums = begin(part);
            sums.over(reading, (double) ms, busyAboveRatio);
            if (part == last) {
                sums.at(came.atMs(), reading, isNew, processes, step, busyAboveRatio);
            }
            pack(part, sums);
        }
        if (course != null && reading.utilization().isPresent()) {
            Utilization known = reading.utilization().get();
            course.add(came.atMs(), came.periodMs(), known.meanRatio(), known.maxRatio());
        }
        lastMs = came.atMs();
    }

    private GpuSums.@Nullable Step step(GpuReading reading, double busyAboveRatio) {
        if (reading.energyJoules().isEmpty()) {
            return null;
        }
        double now = reading.energyJoules().getAsDouble();
        double was = lastJoules;
        lastJoules = now;
        return Double.isNaN(was)
                ? null
                : new GpuSums.Step(
                        now - was,
                        reading.utilization().map(Utilization::maxRatio).map(most -> most <= busyAboveRatio));
    }

    /** The sums of a part; the part before it is over. */
    private GpuSums begin(long part) {
        long before = minutes.newest();
        if (before != Long.MIN_VALUE && part > before) {
            GpuSums over = newest();
            addHour(Parts.HOURS.from(Instant.ofEpochMilli(Parts.MINUTES.beginMs(before))), sums -> sums.add(over));
        }
        int at = minutes.begin(part);
        return minutes.packed()[at] == 0 ? new GpuSums() : unpacked(at, part);
    }

    /** What the store knows of a half hour. */
    void addHour(long part, GpuUse use) {
        addHour(part, sums -> sums.add(use));
    }

    private void addHour(long part, Consumer<GpuSums> more) {
        int at = hours.begin(part);
        if (at < 0) {
            return; // older than all that is kept
        }
        GpuSums sums = rough(at);
        more.accept(sums);
        if (sums.tellsActivity() && hours.width() == GpuSums.ROUGH_WIDTH) {
            hours.widen(GpuSums.ROUGH_WIDTH_WITH_ACTIVITY);
            at = hours.begin(part);
        }
        sums.packRoughly(hours.packed(), at, (double) Parts.HOURS.partMs());
    }

    private void pack(long part, GpuSums sums) {
        if (sums.tellsActivity() && minutes.width() == GpuSums.WIDTH) {
            minutes.widen(GpuSums.WIDTH_WITH_ACTIVITY);
        }
        sums.pack(minutes.packed(), minutes.begin(part), Parts.MINUTES.beginMs(part));
    }

    private GpuSums unpacked(int at, long part) {
        return GpuSums.unpacked(minutes.packed(), at, minutes.width(), Parts.MINUTES.beginMs(part));
    }

    private GpuSums rough(int at) {
        return hours.packed()[at] == 0
                ? new GpuSums()
                : GpuSums.unpackedRoughly(hours.packed(), at, hours.width(), (double) Parts.HOURS.partMs());
    }

    private GpuSums newest() {
        int at = minutes.find(minutes.newest());
        return at < 0 ? new GpuSums() : unpacked(at, minutes.newest());
    }

    GpuUse whole(GpuUse like) {
        return all.use(like, false);
    }

    /** Since a part began; energy, temperature and errors only of the last hour. */
    GpuUse since(Parts.Grain grain, GpuUse like) {
        GpuSums sums = new GpuSums();
        if (grain.equals(Parts.MINUTES)) {
            for (long part = Parts.MINUTES.from(like.from()); part <= minutes.newest(); part++) {
                int at = minutes.find(part);
                if (at >= 0) {
                    sums.add(unpacked(at, part));
                }
            }
            return sums.use(like, true);
        }
        for (long part = Parts.HOURS.from(like.from()); part <= hours.newest(); part++) {
            int at = hours.find(part);
            if (at >= 0) {
                sums.add(rough(at));
            }
        }
        if (minutes.newest() >= Parts.MINUTES.from(like.from())) {
            sums.add(newest());
        }
        sums.makeRough(all, like.from().toEpochMilli());
        return sums.use(like, true);
    }

    /** Whether what lies before an instant is no longer told apart from what came after it. */
    boolean hasForgotten(Parts.Grain grain, Instant from) {
        return grain.equals(Parts.MINUTES) ? minutes.hasForgotten(from) : hours.hasForgotten(from);
    }
}
