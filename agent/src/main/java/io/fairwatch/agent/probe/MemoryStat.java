package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.JobDirectories.JobDirectory;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.OptionalLong;

/**
 * A job's {@code memory.stat}, of v1 or v2: what of it is told, found in one pass, because it has 40 lines and is read for
 * each job in each snapshot. Immutable.
 */
final class MemoryStat {
    private static final byte[][] KEYS = bytes(
            "anon",
            "file",
            "shmem",
            "inactive_file",
            "total_rss",
            "total_cache",
            "total_shmem",
            "total_inactive_file",
            "total_swap",
            "hierarchical_memory_limit");
    private static final int ANON = 0;
    private static final int FILE = 1;
    private static final int SHMEM = 2;
    private static final int INACTIVE_FILE = 3;
    private static final int TOTAL_RSS = 4;
    private static final int TOTAL_CACHE = 5;
    private static final int TOTAL_SHMEM = 6;
    private static final int TOTAL_INACTIVE_FILE = 7;
    private static final int TOTAL_SWAP = 8;
    private static final int LIMIT = 9;
    private static final long ABSENT = -1;

    private final boolean there;
    private final long[] values = new long[KEYS.length];

    private MemoryStat(boolean there, byte[] text, int length) {
        this.there = there;
        Arrays.fill(values, ABSENT);
        int from = 0;
        while (from < length) {
            int space = from;
            while (space < length && text[space] != ' ' && text[space] != '\n') {
                space++;
            }
            int end = space;
            while (end < length && text[end] != '\n') {
                end++;
            }
            int key = keyOf(text, from, space);
            if (key >= 0) {
                values[key] = number(text, space + 1, end);
            }
            from = end + 1;
        }
    }

    static MemoryStat read(JobDirectory job, KernelFile.Buffer buffer) {
        boolean there = job.kept("memory", "memory.stat", "memory.stat")
                .map(file -> file.read(buffer))
                .orElse(false);
        return new MemoryStat(there, buffer.bytes(), there ? buffer.length() : 0);
    }

    static MemoryStat of(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        return new MemoryStat(true, bytes, bytes.length);
    }

    /** Whether the job has such a file. */
    boolean isThere() {
        return there;
    }

    /**
     * Anonymous and shared memory. v2 calls them {@code anon} and {@code shmem}; v1 {@code total_rss}, which has no
     * shared memory in it, and {@code total_shmem}, which older kernels lack.
     */
    OptionalLong unreclaimable() {
        OptionalLong anon = anonymous();
        return anon.isPresent() ? OptionalLong.of(anon.getAsLong() + shared().orElse(0)) : anon;
    }

    OptionalLong anonymous() {
        return either(TOTAL_RSS, ANON);
    }

    OptionalLong shared() {
        return isV1() ? either(TOTAL_SHMEM, TOTAL_SHMEM) : either(SHMEM, SHMEM);
    }

    OptionalLong cached() {
        return either(TOTAL_CACHE, FILE);
    }

    OptionalLong inactiveFile() {
        return isV1() ? either(TOTAL_INACTIVE_FILE, TOTAL_INACTIVE_FILE) : either(INACTIVE_FILE, INACTIVE_FILE);
    }

    /** v1 only, where swap is accounted for. */
    OptionalLong swap() {
        return either(TOTAL_SWAP, TOTAL_SWAP);
    }

    /** v1 only: the lowest limit of the job and of everything above it. */
    OptionalLong lowestLimit() {
        return either(LIMIT, LIMIT);
    }

    private boolean isV1() {
        return values[TOTAL_RSS] != ABSENT || values[TOTAL_CACHE] != ABSENT;
    }

    private OptionalLong either(int v1, int v2) {
        long value = values[v1] != ABSENT ? values[v1] : values[v2];
        return value == ABSENT ? OptionalLong.empty() : OptionalLong.of(value);
    }

    private static int keyOf(byte[] text, int from, int end) {
        for (int key = 0; key < KEYS.length; key++) {
            byte[] name = KEYS[key];
            if (name.length == end - from && Arrays.equals(name, 0, name.length, text, from, end)) {
                return key;
            }
        }
        return -1;
    }

    private static long number(byte[] text, int from, int end) {
        if (end <= from || end - from > 18 + 1) {
            return ABSENT;
        }
        long value = 0;
        for (int i = from; i < end; i++) {
            int digit = text[i] - '0';
            if (digit < 0 || digit > 9 || value > (Long.MAX_VALUE - digit) / 10) {
                return ABSENT;
            }
            value = value * 10 + digit;
        }
        return value;
    }

    private static byte[][] bytes(String... keys) {
        byte[][] bytes = new byte[keys.length][];
        for (int i = 0; i < keys.length; i++) {
            bytes[i] = keys[i].getBytes(StandardCharsets.ISO_8859_1);
        }
        return bytes;
    }
}
