package io.fairwatch.collector.usage;

import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;

/**
 * Sums of the newest parts of time, each of the same length, packed into a few numbers: a large cluster has more than a
 * million of them. Of a part of which nothing came there is nothing. Confined to whoever holds the lock of
 * {@link LiveRuns}.
 */
final class Parts {
    /**
     * How time is cut.
     *
     * @param partMs length of a part; parts begin at whole multiples of it
     * @param many how many of them are kept, the newest included
     */
    record Grain(long partMs, int many) {
        /** The part that a reading belongs to: what ends with a part is of it. */
        long of(long atMs) {
            return Math.floorDiv(atMs - 1, partMs);
        }

        /** The part that begins with an instant or before it. */
        long from(Instant from) {
            return Math.floorDiv(from.toEpochMilli(), partMs);
        }

        long beginMs(long part) {
            return part * partMs;
        }

        /** Where what lies so far before an instant begins: with a part, so that it is up to a part longer. */
        Instant begin(Duration length, Instant to) {
            return Instant.ofEpochMilli(beginMs(from(to.minus(length))));
        }

        /** The longest time that can always be told, wherever a part begins, and when readings are late by half a part. */
        Duration longest() {
            return Duration.ofMillis((many - 1) * partMs).minusMillis(partMs / 2);
        }
    }

    /** The last hour and a little more. */
    static final Grain MINUTES = new Grain(Duration.ofMinutes(10).toMillis(), 8);

    /** The last four hours and a little more. */
    static final Grain HOURS = new Grain(Duration.ofMinutes(30).toMillis(), 10);

    private final Grain grain;
    private int width;
    /** Of a part of which nothing came the first number is 0. */
    private int[] packed = new int[0];

    private long newest = Long.MIN_VALUE;

    /** @param width numbers of a part */
    Parts(Grain grain, int width) {
        this.grain = grain;
        this.width = width;
    }

    Grain grain() {
        return grain;
    }

    int[] packed() {
        return packed;
    }

    int width() {
        return width;
    }

    /** The newest part of which something came; {@link Long#MIN_VALUE}: none. */
    long newest() {
        return newest;
    }

    void clear() {
        packed = new int[0];
        newest = Long.MIN_VALUE;
    }

    /** More numbers in each part, 0 at first. */
    void widen(int to) {
        int[] wider = new int[packed.length / width * to];
        for (int i = 0; i < packed.length / width; i++) {
            System.arraycopy(packed, i * width, wider, i * to, width);
        }
        packed = wider;
        width = to;
    }

    /** Where the numbers of a part are or will be; negative: it is too old. Newer ones take the place of the oldest. */
    int begin(long part) {
        if (newest != Long.MIN_VALUE && part <= newest - grain.many()) {
            return -1;
        }
        if (packed.length == 0) {
            packed = new int[grain.many() * width];
        }
        if (part > newest) {
            long first = newest == Long.MIN_VALUE ? part : Math.max(newest + 1, part - grain.many() + 1);
            for (long next = first; next <= part; next++) {
                Arrays.fill(packed, place(next), place(next) + width, 0);
            }
            newest = part;
        }
        return place(part);
    }

    /** Where the numbers of a part are; negative: nothing came of it, or it is too old. */
    int find(long part) {
        if (newest == Long.MIN_VALUE || part > newest || part <= newest - grain.many()) {
            return -1;
        }
        return packed[place(part)] == 0 ? -1 : place(part);
    }

    /** Whether what came since an instant is no longer all here. */
    boolean hasForgotten(Instant from) {
        return newest != Long.MIN_VALUE && grain.from(from) <= newest - grain.many();
    }

    private int place(long part) {
        return (int) Math.floorMod(part, (long) grain.many()) * width;
    }
}
