package io.fairwatch.agent.probe;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * The processes that there are, in the order of their pids, and of each the inode of its directory: {@code /proc} gives
 * the directory of a new process a new one, also when its pid was another's before. Confined to one thread.
 */
final class PidList {
    /** Stands for an inode that is not known. */
    static final long NO_INODE = 0;

    private static final int INODE = 0;
    private static final int LENGTH = 16;
    private static final int NAME = 19;

    private final Path procRoot;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(64 * 1024).order(ByteOrder.nativeOrder());
    private int[] pids = new int[256];
    private long[] inodes = new long[256];
    private final int most;
    private int size;
    private int total;

    /**
     * @param most how many are listed; those with the largest pids are left out
     */
    PidList(Path procRoot, int most) {
        this.procRoot = procRoot;
        this.most = most;
    }

    /** Lists anew; false when that is not possible. */
    boolean read() {
        size = 0;
        total = 0;
        boolean listed = Libc.listsDirectories() ? readEntries() : readNames();
        for (int i = 1; i < size; i++) {
            if (pids[i] <= pids[i - 1]) { // the kernel's own list is in order
                sort();
                break;
            }
        }
        return listed;
    }

    int size() {
        return size;
    }

    /** How many there are, those that are left out included. */
    int total() {
        return total;
    }

    int pid(int at) {
        return pids[at];
    }

    long inode(int at) {
        return inodes[at];
    }

    private boolean readEntries() {
        int fd = Libc.openToRead(procRoot.toString());
        if (fd < 0) {
            return false;
        }
        try {
            long address = Libc.address(buffer);
            int filled;
            while ((filled = Libc.listDirectory(fd, address, buffer.capacity())) > 0) {
                int at = 0;
                while (at < filled) {
                    add(pidAt(at + NAME), buffer.getLong(at + INODE));
                    at += Short.toUnsignedInt(buffer.getShort(at + LENGTH));
                }
            }
            return filled == 0;
        } finally {
            Libc.close(fd);
        }
    }

    /** The number that ends with a zero byte; 0: it is no pid. */
    private int pidAt(int from) {
        long pid = 0;
        for (int i = from; buffer.get(i) != 0; i++) {
            int digit = buffer.get(i) - '0';
            if (digit < 0 || digit > 9 || pid > Integer.MAX_VALUE) {
                return 0;
            }
            pid = pid * 10 + digit;
        }
        return pid > Integer.MAX_VALUE ? 0 : (int) pid;
    }

    /** For processors whose system calls we do not know. */
    private boolean readNames() {
        String[] names = procRoot.toFile().list();
        if (names == null) {
            return false;
        }
        for (String name : names) {
            long pid = KernelFiles.parseNumber(name).orElse(0);
            add(pid > Integer.MAX_VALUE ? 0 : (int) pid, NO_INODE);
        }
        return true;
    }

    private void add(int pid, long inode) {
        if (pid == 0) {
            return;
        }
        total++;
        if (size == most) { // the kernel lists them in order
            return;
        }
        if (size == pids.length) {
            pids = Arrays.copyOf(pids, 2 * size);
            inodes = Arrays.copyOf(inodes, 2 * size);
        }
        pids[size] = pid;
        inodes[size++] = inode;
    }

    private void sort() {
        record Both(int pid, long inode) {}
        Both[] both = new Both[size];
        Arrays.setAll(both, i -> new Both(pids[i], inodes[i]));
        Arrays.sort(both, (a, b) -> Integer.compare(a.pid, b.pid));
        for (int i = 0; i < size; i++) {
            pids[i] = both[i].pid;
            inodes[i] = both[i].inode;
        }
    }
}
