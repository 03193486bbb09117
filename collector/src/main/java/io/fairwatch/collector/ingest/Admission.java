package io.fairwatch.collector.ingest;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * Which bodies may come now, and when those come again that may not. Thread-safe.
 *
 * <p>A body takes its room before it is read and gives it back when it is answered, so that a fleet that comes back at
 * once fills no memory. Small bodies, as nodes send that are up to date, have room of their own: they never wait behind
 * those that catch up. Who finds no room is told when its turn comes: one after another, at the pace at which bodies were
 * taken lately, and a little sooner, so that there is always somebody. So nobody tries in vain many times, nobody is
 * passed by, and an hour's outage of 10,000 nodes is not sent ten times over.
 */
final class Admission {
    /** Larger than what a node sends that is up to date, and much smaller than what one sends that is not. */
    static final long SMALL_BYTES = 32 << 10;

    private static final double FIRST_BYTES_PER_SECOND = 8 << 20;
    private static final double SOONER = 1.25;
    private static final double FORGETTING = 0.95;
    private static final long WINDOW_NANOS = Duration.ofSeconds(5).toNanos();
    private static final long SOONEST_NANOS = Duration.ofSeconds(2).toNanos();
    /** Agents wait for ten minutes at most, whatever they are told. */
    private static final long LATEST_NANOS = Duration.ofMinutes(9).toNanos();

    private final long roomBytes;
    private final LongSupplier nanoTime;
    private long takenBytes;
    private double bytesPerSecond = FIRST_BYTES_PER_SECOND;
    private long windowNanos;
    private long windowBytes;
    private long lastTurnNanos;

    /**
     * @param roomBytes how much may be on its way at one time; a quarter of that more for small bodies
     * @param nanoTime a clock that never goes back
     */
    Admission(long roomBytes, LongSupplier nanoTime) {
        this.roomBytes = roomBytes;
        this.nanoTime = nanoTime;
        this.windowNanos = nanoTime.getAsLong();
        this.lastTurnNanos = windowNanos;
    }

    /** Takes room for a body; false if there is none. */
    synchronized boolean enter(long bytes) {
        if (takenBytes + bytes > (bytes <= SMALL_BYTES ? roomBytes + roomBytes / 4 : roomBytes)) {
            return false;
        }
        takenBytes += bytes;
        return true;
    }

    /** Gives back the room of a body that was answered. */
    synchronized void leave(long bytes) {
        takenBytes -= bytes;
        windowBytes += bytes;
        long now = nanoTime.getAsLong();
        long window = now - windowNanos;
        if (window >= WINDOW_NANOS) {
            // forgets slowly: that few come does not mean that more could not
            bytesPerSecond = Math.max(windowBytes * 1e9 / window, bytesPerSecond * FORGETTING);
            windowNanos = now;
            windowBytes = 0;
        }
    }

    /** In how long a body that found no room shall come again. */
    synchronized Duration turn(long bytes) {
        long now = nanoTime.getAsLong();
        if (lastTurnNanos - now < SOONEST_NANOS) {
            lastTurnNanos = now + SOONEST_NANOS;
        }
        if (lastTurnNanos - now < LATEST_NANOS) {
            lastTurnNanos += (long) (bytes / (bytesPerSecond * SOONER) * 1e9);
        }
        return Duration.ofNanos(Math.min(LATEST_NANOS, lastTurnNanos - now));
    }
}
