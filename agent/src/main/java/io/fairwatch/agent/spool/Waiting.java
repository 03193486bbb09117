package io.fairwatch.agent.spool;

import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * The snapshots that wait, oldest first: 20 bytes for each, because a week of them at 5 s has to fit into the agent's
 * small heap. The newest may be in memory as a whole, while the disk takes nothing. Confined to whoever holds the spool.
 */
final class Waiting {
    private static final int FEWEST = 256;

    private long[] sequences = new long[FEWEST];
    private long[] keptMillis = new long[FEWEST];
    private int[] sizes = new int[FEWEST];
    private int head;
    private int size;
    /** The newest that are not on the disk, the oldest of them first. */
    private final Deque<byte[]> memory = new ArrayDeque<>();

    private long bytes;
    private long bytesInMemory;

    int size() {
        return size;
    }

    boolean isEmpty() {
        return size == 0;
    }

    /** How many are on the disk; those from there on are in memory. */
    int onDisk() {
        return size - memory.size();
    }

    long bytes() {
        return bytes;
    }

    long bytesInMemory() {
        return bytesInMemory;
    }

    long sequence(int index) {
        return sequences[at(index)];
    }

    int bytes(int index) {
        return sizes[at(index)];
    }

    long keptMillis(int index) {
        return keptMillis[at(index)];
    }

    /** What it is, if it is in memory. */
    byte @Nullable [] inMemory(int index) {
        int wanted = index - onDisk();
        if (wanted >= 0) {
            for (byte[] each : memory) {
                if (wanted-- == 0) {
                    return each;
                }
            }
        }
        return null;
    }

    /** Adds one that is on the disk, newer than all that are, while none is in memory. */
    void addOnDisk(long sequence, long bytesOfFile, long millis) {
        add(sequence, (int) Math.min(Integer.MAX_VALUE, bytesOfFile), millis);
    }

    void addInMemory(long sequence, byte[] packed, long millis) {
        add(sequence, packed.length, millis);
        memory.addLast(packed);
        bytesInMemory += packed.length;
    }

    private void add(long sequence, int bytesOfIt, long millis) {
        if (size == sequences.length) {
            grow();
        }
        int at = at(size++);
        sequences[at] = sequence;
        keptMillis[at] = millis;
        sizes[at] = bytesOfIt;
        bytes += bytesOfIt;
    }

    /** The oldest that is in memory needs it no longer. */
    void written() {
        bytesInMemory -= memory.removeFirst().length;
    }

    /** Takes out one that is on the disk, or the oldest that is in memory; cheap near either end. */
    void remove(int index) {
        bytes -= bytes(index);
        if (index == onDisk()) {
            written();
        }
        if (index < size / 2) {
            for (int i = index; i > 0; i--) {
                copy(i - 1, i);
            }
            head = at(1);
        } else {
            for (int i = index; i < size - 1; i++) {
                copy(i + 1, i);
            }
        }
        size--;
    }

    /** Lets nothing have been kept later than that. */
    void keptNoLaterThan(long millis) {
        for (int i = 0; i < size; i++) {
            keptMillis[at(i)] = Math.min(keptMillis(i), millis);
        }
    }

    boolean contains(long sequence) {
        int from = 0;
        int to = size - 1;
        while (from <= to) {
            int middle = (from + to) >>> 1;
            if (sequence(middle) == sequence) {
                return true;
            }
            from = sequence(middle) < sequence ? middle + 1 : from;
            to = sequence(middle) < sequence ? to : middle - 1;
        }
        return false;
    }

    private int at(int index) {
        return (head + index) & (sequences.length - 1);
    }

    private void copy(int from, int to) {
        sequences[at(to)] = sequences[at(from)];
        keptMillis[at(to)] = keptMillis[at(from)];
        sizes[at(to)] = sizes[at(from)];
    }

    private void grow() {
        long[] moreSequences = new long[2 * size];
        long[] moreMillis = new long[2 * size];
        int[] moreSizes = new int[2 * size];
        for (int i = 0; i < size; i++) {
            moreSequences[i] = sequence(i);
            moreMillis[i] = keptMillis(i);
            moreSizes[i] = bytes(i);
        }
        sequences = moreSequences;
        keptMillis = moreMillis;
        sizes = moreSizes;
        head = 0;
    }
}
