package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.TopDirectories.Top;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Limit;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Use by directory at the top of a CephFS, whose servers keep account of each directory and show it as attributes. Bytes
 * are the sizes of the files, without copies. The last write is the newest change below, of a mode or an owner, too.
 * Asks servers, so it may hang. Stateless.
 */
final class CephDirectories {
    private static final int LONGEST = 64;

    private CephDirectories() {}

    /** Reads an attribute of a directory. */
    @FunctionalInterface
    interface Attributes {
        /** At least 0: how many bytes it has; negative: minus the error. */
        int read(int mount, Top directory, String attribute, ByteBuffer into);
    }

    static Directories read(Path mount, Instant now) throws IOException {
        return read(
                mount,
                (fd, directory, attribute, into) -> Libc.readAttribute(fd, directory.rawName(), attribute, into),
                now);
    }

    static Directories read(Path mount, Attributes attributes, Instant now) throws IOException {
        List<DirectoryUse> uses = new ArrayList<>();
        long[] unread = {0};
        ByteBuffer into = ByteBuffer.allocateDirect(LONGEST);
        try (TopDirectories top = new TopDirectories(mount)) {
            top.forEach((fd, directory) -> {
                Optional<DirectoryUse> use = use(directory, now, name -> {
                    int length = attributes.read(fd, directory, name, into);
                    return length < 0 ? Optional.empty() : Optional.of(text(into, Math.min(length, LONGEST)));
                });
                use.ifPresentOrElse(uses::add, () -> unread[0]++);
                if (uses.size() >= 2 * TopDirectories.MOST_TOLD) {
                    TopDirectories.keepLargest(uses, TopDirectories.MOST_TOLD);
                }
                return true;
            });
            TopDirectories.keepLargest(uses, TopDirectories.MOST_TOLD);
            return new Directories("ceph", now, uses, unread[0] + top.unread());
        }
    }

    @FunctionalInterface
    private interface Values {
        Optional<String> of(String attribute);
    }

    private static Optional<DirectoryUse> use(Top directory, Instant now, Values values) {
        OptionalLong bytes = number(values.of("ceph.dir.rbytes"));
        OptionalLong files = number(values.of("ceph.dir.rfiles"));
        OptionalLong directories = number(values.of("ceph.dir.rsubdirs")); // counts the directory itself
        if (bytes.isEmpty() || files.isEmpty() || directories.isEmpty()) {
            return Optional.empty();
        }
        OptionalLong mostBytes = limit(values.of("ceph.quota.max_bytes"));
        OptionalLong mostFiles = limit(values.of("ceph.quota.max_files"));
        long below = files.getAsLong() + Math.max(0, directories.getAsLong() - 1);
        return Optional.of(new DirectoryUse(
                directory.name(),
                directory.uid(),
                Optional.empty(),
                Owner.NOT_ASKED,
                bytes.getAsLong(),
                below,
                below == 0 ? Optional.empty() : time(values.of("ceph.dir.rctime"), now),
                mostBytes.isEmpty() && mostFiles.isEmpty()
                        ? Optional.empty()
                        : Optional.of(new Limit(
                                OptionalLong.empty(), mostBytes, OptionalLong.empty(), mostFiles, Optional.empty()))));
    }

    private static OptionalLong number(Optional<String> value) {
        return value.isPresent() ? KernelFiles.parseNumber(value.get()) : OptionalLong.empty();
    }

    /** Zero is none. */
    private static OptionalLong limit(Optional<String> value) {
        OptionalLong number = number(value);
        return number.isPresent() && number.getAsLong() == 0 ? OptionalLong.empty() : number;
    }

    /**
     * The whole seconds of e.g. {@code 1667391921.090123456}: older kernels write {@code .09} before the fraction. A time
     * in the future is not believed.
     */
    private static Optional<Instant> time(Optional<String> value, Instant now) {
        OptionalLong seconds = number(value.map(text -> text.split("\\.", 2)[0]));
        return seconds.isPresent()
                        && seconds.getAsLong() > 0
                        && seconds.getAsLong() <= now.plusSeconds(86_400).getEpochSecond()
                ? Optional.of(Instant.ofEpochSecond(seconds.getAsLong()))
                : Optional.empty();
    }

    private static String text(ByteBuffer bytes, int length) {
        byte[] copy = new byte[length];
        bytes.get(0, copy);
        return new String(copy, StandardCharsets.ISO_8859_1);
    }
}
