package io.fairwatch.agent.probe;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * {@link KernelFiles} for a file that is read in every snapshot: it stays open from one to the next. Opening and closing
 * one takes the kernel 8 us, reading it 1 us. The file of a process that ended, or of a directory that was removed, cannot
 * be read any more, also when another has its name by now. A file that was not there is looked for at every {@value
 * #MISSING_EVERY}th reading only: finding out costs more than reading another. Confined to one thread, as its buffer is.
 */
final class KernelFile {
    static final int MISSING_EVERY = 8;

    private static final int CLOSED = -1;

    private final String path;
    private int fd = CLOSED;
    private int readingsUntilTried;

    KernelFile(String path) {
        this.path = path;
    }

    /** Where a file is read to; many files share one. */
    static final class Buffer {
        private static final int LONGEST = 256 * 1024;
        /** The kernel writes short files in one go, and long ones of many records by the page of 4 KiB. */
        private static final int MAYBE_MORE = 2048;

        private final ByteBuffer direct = ByteBuffer.allocateDirect(16 * 1024);
        private final long address = Libc.address(direct);
        private byte[] bytes = new byte[2048];
        private int length;

        byte[] bytes() {
            return bytes;
        }

        int length() {
            return length;
        }

        /** Reads all; false when that does not work. */
        private boolean fill(int fd) {
            length = 0;
            int more;
            do {
                more = Libc.read(fd, address, direct.capacity(), length);
                if (more > 0) {
                    if (bytes.length < length + more) {
                        bytes = Arrays.copyOf(bytes, 2 * (length + more));
                    }
                    direct.get(0, bytes, length, more);
                    length += more;
                }
            } while (more >= MAYBE_MORE && length < LONGEST);
            return more >= 0;
        }
    }

    /** Reads all of it into the buffer; false when there is no such file. */
    boolean read(Buffer buffer) {
        if (fd != CLOSED) {
            if (buffer.fill(fd)) {
                return true;
            }
            close(); // removed; another may have its name by now
        }
        if (readingsUntilTried > 0) {
            readingsUntilTried--;
            return false;
        }
        fd = Math.max(CLOSED, Libc.openToRead(path));
        if (fd != CLOSED && buffer.fill(fd)) {
            return true;
        }
        close();
        readingsUntilTried = MISSING_EVERY - 1;
        return false;
    }

    /** The whole text, up to about 256 KiB; empty when there is no such file. */
    Optional<String> readText(Buffer buffer) {
        return read(buffer)
                ? Optional.of(new String(buffer.bytes, 0, buffer.length, StandardCharsets.ISO_8859_1))
                : Optional.empty();
    }

    /** The only number in a file; empty too when it says something else, e.g. {@code max}. */
    OptionalLong readNumber(Buffer buffer) {
        if (!read(buffer)) {
            return OptionalLong.empty();
        }
        long value = 0;
        int digits = 0;
        for (int i = 0; i < buffer.length && buffer.bytes[i] != '\n'; i++) {
            int digit = buffer.bytes[i] - '0';
            if (digit < 0 || digit > 9 || value > (Long.MAX_VALUE - digit) / 10) {
                return OptionalLong.empty();
            }
            value = value * 10 + digit;
            digits++;
        }
        return digits == 0 ? OptionalLong.empty() : OptionalLong.of(value);
    }

    boolean isOpen() {
        return fd != CLOSED;
    }

    void close() {
        if (fd != CLOSED) {
            Libc.close(fd);
            fd = CLOSED;
        }
    }
}
