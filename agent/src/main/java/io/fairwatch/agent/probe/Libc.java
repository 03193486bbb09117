package io.fairwatch.agent.probe;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The few calls of the system that Java lacks, by JNA, which only {@link ServiceNotice} uses besides.
 *
 * <p>Files are read by bare system calls: the C library of older nodes has no {@code statx} and no {@code getdents64},
 * their kernels do, and the layouts of both are the same on every processor. Only the numbers and two flags differ.
 */
final class Libc {
    static final int EPERM = 1;
    static final int ENOENT = 2;
    static final int ESRCH = 3;
    static final int EACCES = 13;
    static final int ENOTBLK = 15;
    static final int ENODEV = 19;
    static final int ENOTDIR = 20;
    static final int EINVAL = 22;
    static final int ENOTTY = 25;
    static final int ENOSYS = 38;
    static final int ELOOP = 40;
    static final int ENODATA = 61;
    static final int EOPNOTSUPP = 95;

    private static final int AT_FDCWD = -100;
    private static final int O_CLOEXEC = 0x8_0000;
    private static final int O_NOATIME = 0x4_0000;
    private static final int O_PATH = 0x20_0000;
    private static final int QUOTACTL_FD = 443; // since Linux 5.14, on every processor
    private static final int Q_GETNEXTQUOTA = 0x80_0009;
    private static final long FS_IOC_FSGETXATTR = 0x801c_581fL;
    private static final int AT_STATX_OWN = 0x100 | 0x800 | 0x4000; // no symlinks, no automounts, no asking a server
    private static final int STATX_BASIC = 0x7ff;
    private static final int MADV_DONTNEED = 4;
    private static final int STATX_UID = 0x8;
    private static final int STATX_BYTES = 256;
    private static final long STATX_ATTR_MOUNT_ROOT = 0x2000;
    private static final int S_IFMT = 0xf000;
    private static final int S_IFDIR = 0x4000;
    private static final int IDLE_IO = 3 << 13;

    /** Numbers of system calls, and the flags that differ, on one kind of processor. */
    private record Abi(
            int openat,
            int getdents64,
            int statx,
            int statfs,
            int ioprioSet,
            int setpriority,
            int quotactl,
            int lgetxattr,
            int ioctl,
            int directory,
            int noFollow) {
        static boolean known() {
            return List.of("amd64", "aarch64").contains(System.getProperty("os.arch", ""));
        }

        static Abi ofThisProcessor() {
            String processor = System.getProperty("os.arch", "");
            return switch (processor) {
                case "amd64" -> new Abi(257, 217, 332, 137, 251, 141, 179, 192, 16, 0x1_0000, 0x2_0000);
                case "aarch64" -> new Abi(56, 61, 291, 43, 30, 140, 60, 9, 29, 0x4000, 0x8000);
                default -> throw new UnsupportedOperationException("no system calls known for processor " + processor);
            };
        }
    }

    /** Loaded at the first call that needs it, so that other processors lose the scratch probe only. */
    private static final class Calls {
        static final Abi ABI = Abi.ofThisProcessor();
    }

    private static final int OWNER_PATH = 256;
    private static final ByteBuffer OWNER =
            ByteBuffer.allocateDirect(OWNER_PATH + STATX_BYTES).order(ByteOrder.nativeOrder());
    private static final boolean CAN_LIST = Abi.known();

    static {
        Native.register(Libc.class, NativeLibrary.getProcess());
    }

    private Libc() {}

    private static native long syscall(long number, long a, long b, long c, long d, long e);

    private static native int getpagesize();

    private static native int open(String path, int flags);

    private static native int madvise(long address, long bytes, int advice);

    private static native long pread(int fd, long into, long length, long offset);

    private static native int getpwuid_r(int uid, Pointer entry, Pointer buffer, long length, Pointer result);

    /** Opens a file for reading by the C library, which every processor has; negative: it cannot be. */
    static int openToRead(String path) {
        return open(path, O_CLOEXEC);
    }

    /** Reads from a place of an open file to an address; 0: there is no more, negative: it cannot be read. */
    static int read(int fd, long into, int length, long offset) {
        return (int) pread(fd, into, length, offset);
    }

    /** Who owns a file or directory, of a symlink itself; -1: it is not there, or uids are not told on this processor. */
    static int ownerOf(String path) {
        byte[] name = path.getBytes(StandardCharsets.UTF_8);
        if (!CAN_LIST || name.length >= OWNER_PATH) {
            return -1;
        }
        synchronized (OWNER) { // made once: what JNA makes each time it also cleans up, on a thread that wakes for that
            OWNER.put(0, name).put(name.length, (byte) 0);
            long address = address(OWNER);
            int result = call(Calls.ABI.statx, AT_FDCWD, address, AT_STATX_OWN, STATX_UID, address + OWNER_PATH);
            return result < 0 ? -1 : OWNER.getInt(OWNER_PATH + 20);
        }
    }

    /** Gives back what the C library keeps for later; does nothing where it has no such call. */
    static void trimMemory() {
        try {
            NativeLibrary.getProcess().getFunction("malloc_trim").invokeInt(new Object[] {0L});
        } catch (UnsatisfiedLinkError expected) {
            // not glibc
        }
    }

    /** Lets go of pages that hold nothing but what is in their file; when they are needed they are there again. */
    static void dropPages(long address, long bytes) {
        madvise(address, bytes, MADV_DONTNEED);
    }

    /** Whether directories can be listed by {@link Entries} and {@link PidList} on this processor. */
    static boolean listsDirectories() {
        return CAN_LIST;
    }

    /** Reads the next entries of an open directory, as {@code struct linux_dirent64}; 0: there are no more. */
    static int listDirectory(int fd, long into, int length) {
        return call(Calls.ABI.getdents64, fd, into, length, 0, 0);
    }

    /** Where a direct buffer lies. */
    static long address(ByteBuffer direct) {
        return Pointer.nativeValue(Native.getDirectBufferPointer(direct));
    }

    /** Bytes in a page of memory. */
    static long pageBytes() {
        return getpagesize();
    }

    /**
     * The login name of a user id; empty when the name services answered that there is none. May wait for a directory
     * service for long.
     *
     * @throws IOException if they did not answer
     */
    static Optional<String> userName(int uid) throws IOException {
        try (Memory entry = new Memory(64);
                Memory buffer = new Memory(64 * 1024);
                Memory result = new Memory(8)) {
            result.setLong(0, 0);
            int error = getpwuid_r(uid, entry, buffer, buffer.size(), result);
            if (error != 0) {
                throw new IOException("no answer about uid " + uid + ", error " + error);
            }
            return result.getLong(0) != 0 ? Optional.of(entry.getPointer(0).getString(0, "UTF-8")) : Optional.empty();
        }
    }

    /** Lets the calling thread use the processor and the disk only when nobody else wants them; best effort. */
    static void yieldToOthers() {
        syscall(Calls.ABI.ioprioSet, 1, 0, IDLE_IO, 0, 0);
        syscall(Calls.ABI.setpriority, 0, 0, 19, 0, 0);
    }

    /** Opens a directory by its path; a symlink there is followed. */
    static int openDirectory(Path path) throws IOException {
        try (Memory name = text(path.toString())) {
            int fd = open(AT_FDCWD, Pointer.nativeValue(name), 0);
            if (fd < 0) {
                throw new IOException(path + ": cannot be opened, error " + -fd);
            }
            return fd;
        }
    }

    /** Names a directory by its path without a right to read it; a symlink there is followed. */
    static int nameDirectory(Path path) throws IOException {
        try (Memory name = text(path.toString())) {
            int flags = Calls.ABI.directory | O_CLOEXEC | O_PATH;
            int fd = call(Calls.ABI.openat, AT_FDCWD, Pointer.nativeValue(name), flags, 0, 0);
            if (fd < 0) {
                throw new IOException(path + ": cannot be named, error " + -fd);
            }
            return fd;
        }
    }

    /** A text as C has it. */
    private static Memory text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        Memory memory = new Memory(bytes.length + 1L);
        memory.write(0, bytes, 0, bytes.length);
        memory.setByte(bytes.length, (byte) 0);
        return memory;
    }

    /**
     * Reads the first quota of an id at or after another one. 0: done; negative: minus the error.
     *
     * @param directory open or named, in the file system
     * @param device its block device, for kernels that cannot be asked by a directory
     * @param type 0 user, 2 project
     * @param into direct, at least 72 bytes, for {@code struct if_nextdqblk}
     */
    static int nextQuota(int directory, String device, int type, int id, ByteBuffer into) {
        int result = call(QUOTACTL_FD, directory, nextQuota(type), id, address(into), 0);
        return result == -ENOSYS ? nextQuota(device, type, id, into) : result;
    }

    /** The same, as kernels before 5.14 know it. */
    static int nextQuota(String device, int type, int id, ByteBuffer into) {
        try (Memory name = text(device)) {
            return call(Calls.ABI.quotactl, nextQuota(type), Pointer.nativeValue(name), id, address(into), 0);
        }
    }

    private static long nextQuota(int type) {
        return Integer.toUnsignedLong(Q_GETNEXTQUOTA << 8 | type);
    }

    /**
     * Reads what a file system keeps of an open file beside its status. 0: done; negative: minus the error.
     *
     * @param into direct, at least 28 bytes, for {@code struct fsxattr}
     */
    static int readFlags(int file, ByteBuffer into) {
        return call(Calls.ABI.ioctl, file, FS_IOC_FSGETXATTR, address(into), 0, 0);
    }

    /**
     * Reads an extended attribute of a file in a directory, of a symlink itself. At least 0: how many bytes it has;
     * negative: minus the error.
     *
     * @param directory open
     * @param rawName the bytes of the file's name as Latin-1 text
     * @param into direct, as large as the answer may be
     */
    static int readAttribute(int directory, String rawName, String attribute, ByteBuffer into) {
        byte[] name = rawName.getBytes(StandardCharsets.ISO_8859_1);
        byte[] before = ("/proc/self/fd/" + directory + "/").getBytes(StandardCharsets.UTF_8);
        try (Memory path = new Memory(before.length + name.length + 1L);
                Memory key = text(attribute)) {
            path.write(0, before, 0, before.length);
            path.write(before.length, name, 0, name.length);
            path.setByte(before.length + (long) name.length, (byte) 0);
            return call(
                    Calls.ABI.lgetxattr,
                    Pointer.nativeValue(path),
                    Pointer.nativeValue(key),
                    address(into),
                    into.capacity(),
                    0);
        }
    }

    /** Opens a directory within another; not through a symlink. Negative: minus the error. */
    static int openDirectory(int parent, long nameAddress) {
        return open(parent, nameAddress, Calls.ABI.noFollow);
    }

    private static int open(int parent, long nameAddress, int more) {
        int flags = Calls.ABI.directory | O_CLOEXEC | more;
        int fd = call(Calls.ABI.openat, parent, nameAddress, flags | O_NOATIME, 0, 0);
        // only the owner and root may leave the access time alone
        return fd == -EPERM ? call(Calls.ABI.openat, parent, nameAddress, flags, 0, 0) : fd;
    }

    static native int close(int fd);

    private static int call(int number, long a, long b, long c, long d, long e) {
        long result = syscall(number, a, b, c, d, e);
        return result < 0 ? -Native.getLastError() : (int) result;
    }

    /** Reads the entries of one directory after the other. Confined to one thread. */
    static final class Entries {
        private static final int LENGTH = 16;
        private static final int NAME = 19;

        private final Memory memory = new Memory(32 * 1024);
        private int fd;
        private int filled;
        private int at;
        private int next;

        /** Begins with an open directory. */
        void begin(int directory) {
            fd = directory;
            filled = 0;
            next = 0;
        }

        /** Moves to the next entry but {@code .} and {@code ..}; false when there is none, or it {@link #failed}. */
        boolean next() {
            do {
                if (next >= filled) {
                    filled = call(Calls.ABI.getdents64, fd, Pointer.nativeValue(memory), memory.size(), 0, 0);
                    next = 0;
                    if (filled <= 0) {
                        return false;
                    }
                }
                at = next;
                next += Short.toUnsignedInt(memory.getShort(at + (long) LENGTH));
            } while (isDots());
            return true;
        }

        /** Whether the directory could not be read to its end. */
        boolean failed() {
            return filled < 0 && filled != -ENOENT; // it was removed while it was read
        }

        /** Where the name lies, for calls about this entry; until the next one. */
        long nameAddress() {
            return Pointer.nativeValue(memory) + at + NAME;
        }

        /** The bytes of the name; users choose them freely, but for slash and zero. */
        byte[] name() {
            int length = 0;
            while (memory.getByte(at + NAME + (long) length) != 0) {
                length++;
            }
            return memory.getByteArray(at + (long) NAME, length);
        }

        private boolean isDots() {
            long name = at + (long) NAME;
            if (memory.getByte(name) != '.') {
                return false;
            }
            byte second = memory.getByte(name + 1);
            return second == 0 || (second == '.' && memory.getByte(name + 2) == 0);
        }
    }

    /** What the system knows of one file, in memory that is used again and again. Confined to one thread. */
    static final class Status {
        private final Memory memory = new Memory(STATX_BYTES);

        /** Reads that of an open directory itself. 0: done; negative: minus the error. */
        int readItself(int directory) {
            try (Memory here = new Memory(2)) {
                here.setByte(0, (byte) '.');
                here.setByte(1, (byte) 0);
                return read(directory, Pointer.nativeValue(here));
            }
        }

        /** Reads that of a file in a directory, of a symlink itself. 0: done; negative: minus the error. */
        int read(int directory, long nameAddress) {
            return call(
                    Calls.ABI.statx, directory, nameAddress, AT_STATX_OWN, STATX_BASIC, Pointer.nativeValue(memory));
        }

        boolean isDirectory() {
            return (memory.getShort(28) & S_IFMT) == S_IFDIR;
        }

        /** Whether another file system, or another part of this one, is mounted here. */
        boolean isMountRoot() {
            return (memory.getLong(8) & STATX_ATTR_MOUNT_ROOT) != 0;
        }

        int links() {
            return Math.max(1, memory.getInt(16));
        }

        int uid() {
            return memory.getInt(20);
        }

        long bytesOnDisk() {
            return memory.getLong(48) * 512;
        }

        long modifiedSeconds() {
            return memory.getLong(112);
        }

        /** Major and minor number of the file system. */
        long device() {
            return (long) memory.getInt(136) << 32 | Integer.toUnsignedLong(memory.getInt(140));
        }
    }

    /** Size and filling of a file system. */
    record FileSystem(
            long totalBytes, long usedBytes, long availableBytes, OptionalLong inodesTotal, OptionalLong inodesUsed) {
        /** Reads {@code struct statfs}, which is the same on every 64-bit processor. */
        static FileSystem read(Path path) throws IOException {
            try (Memory name = text(path.toString());
                    Memory answer = new Memory(STATX_BYTES)) {
                int result = call(Calls.ABI.statfs, Pointer.nativeValue(name), Pointer.nativeValue(answer), 0, 0, 0);
                if (result < 0) {
                    throw new IOException(path + ": no answer about its file system, error " + -result);
                }
                long block = answer.getLong(72) > 0 ? answer.getLong(72) : answer.getLong(8);
                long blocks = answer.getLong(16);
                long inodes = answer.getLong(40);
                return new FileSystem(
                        blocks * block,
                        (blocks - answer.getLong(24)) * block,
                        answer.getLong(32) * block,
                        inodes > 0 ? OptionalLong.of(inodes) : OptionalLong.empty(),
                        inodes > 0 ? OptionalLong.of(inodes - answer.getLong(48)) : OptionalLong.empty());
            }
        }
    }
}
