package io.fairwatch.agent.probe;

import java.io.FileInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Reads the small text files in which the kernel answers, below {@code /proc} and {@code /sys/fs/cgroup}. A file that is
 * missing, unreadable or vanishes half way is empty, because processes and jobs end while they are looked at. Bytes are
 * kept one to one as Latin-1 characters. Stateless.
 */
final class KernelFiles {
    private static final int LONGEST = 256 * 1024;
    private static final int USUAL = 2048;

    private KernelFiles() {}

    /** The whole text, up to about 256 KiB. */
    static Optional<String> readText(Path file) {
        try (FileInputStream in = new FileInputStream(file.toString())) {
            byte[] buffer = new byte[USUAL];
            int length = 0;
            int more;
            while (length < LONGEST && (more = in.read(buffer, length, buffer.length - length)) > 0) {
                length += more;
                if (length == buffer.length) {
                    buffer = Arrays.copyOf(buffer, 4 * length);
                }
            }
            return Optional.of(new String(buffer, 0, length, StandardCharsets.ISO_8859_1));
        } catch (IOException gone) {
            return Optional.empty();
        }
    }

    /** The only number in a file; empty too when it says something else, e.g. {@code max}. */
    static OptionalLong readNumber(Path file) {
        Optional<String> text = readText(file);
        return text.isPresent() ? parseNumber(text.get().strip()) : OptionalLong.empty();
    }

    /** A whole number of 0 or more that fits a {@code long}. */
    static OptionalLong parseNumber(String digits) {
        if (digits.isEmpty() || digits.length() > 19) {
            return OptionalLong.empty();
        }
        long value = 0;
        for (int i = 0; i < digits.length(); i++) {
            int digit = digits.charAt(i) - '0';
            if (digit < 0 || digit > 9 || value > (Long.MAX_VALUE - digit) / 10) {
                return OptionalLong.empty();
            }
            value = value * 10 + digit;
        }
        return OptionalLong.of(value);
    }

    /** The value behind a key in lines of {@code key value}, as in {@code memory.stat} and {@code cpu.stat}. */
    static OptionalLong parseValue(String lines, String key) {
        int at = lines.startsWith(key + " ") ? 0 : lines.indexOf("\n" + key + " ") + 1;
        if (at == 0 && !lines.startsWith(key + " ")) {
            return OptionalLong.empty();
        }
        int end = lines.indexOf('\n', at);
        return parseNumber(lines.substring(at + key.length() + 1, end < 0 ? lines.length() : end));
    }
}
