package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.Libc.Entries;
import io.fairwatch.agent.probe.Libc.Status;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Counts what lies below each directory at the top of a mount. Users can make any tree there, so:
 *
 * <ul>
 *   <li>every step is relative to an open directory and follows no symlink, so nobody leads the walk elsewhere by
 *       swapping a directory for a link while it is counted;
 *   <li>it stays on the mount's own file system and out of mounts on it;
 *   <li>memory is bounded by depth, not by the number of files: a file with n hard links counts a n-th at each, which
 *       makes one in all and needs no list of those seen. It also shares its space fairly between two directories;
 *   <li>modification times in the future or before 1970 are not believed.
 * </ul>
 *
 * Confined to one thread, as it keeps its memory.
 */
final class DirectoryCount {
    private static final int DEEPEST = 200;

    /** The name under which the files right at the top are counted. */
    static final String TOP = ".";

    private final Pace pace;
    private final InstantSource clock;
    private final int mostDirectories;
    private final Status status = new Status();
    /** One for each level of depth, kept. */
    private final List<Entries> levels = new ArrayList<>();

    /** Called before each look at a file; may wait. */
    @FunctionalInterface
    interface Pace {
        void next() throws InterruptedException;
    }

    /**
     * The count of one mount. Immutable.
     *
     * @param directories largest first
     * @param endedAt when it ended
     * @param unreadable directories that could not be read, so that figures are too low; those at the top are left out
     * @param leftOut small directories at the top that are left out because there are too many
     */
    record Counted(List<Directory> directories, Instant endedAt, long unreadable, int leftOut) {
        Counted {
            directories = List.copyOf(directories);
        }
    }

    /** One directory at the top, as {@code ScratchUse.DirectoryUse} but for the owner's name. Immutable. */
    record Directory(String name, OptionalInt uid, long usedBytes, long files, Optional<Instant> lastWrite) {}

    DirectoryCount(Pace pace, InstantSource clock, int mostDirectories) {
        this.pace = pace;
        this.clock = clock;
        this.mostDirectories = mostDirectories;
    }

    /** Counts everything below a mount. */
    Counted count(Path mount) throws IOException, InterruptedException {
        int top = Libc.openDirectory(mount);
        try {
            return new Walk(top).count();
        } finally {
            Libc.close(top);
        }
    }

    private static final class Tally {
        private double bytes;
        private double files;
        private long newest = -1;

        Directory named(String name, OptionalInt uid) {
            return new Directory(
                    name,
                    uid,
                    Math.round(bytes),
                    Math.round(files),
                    newest < 0 ? Optional.empty() : Optional.of(Instant.ofEpochSecond(newest)));
        }
    }

    private final class Walk {
        private final int top;
        private final long device;
        private final long latest;
        private long unreadable;
        private int leftOut;

        Walk(int top) throws IOException {
            this.top = top;
            this.latest = clock.instant().plusSeconds(86_400).getEpochSecond();
            if (status.readItself(top) < 0) {
                throw new IOException("the mount's own status cannot be read");
            }
            this.device = status.device();
        }

        Counted count() throws InterruptedException {
            List<Directory> found = new ArrayList<>();
            Tally loose = new Tally();
            forEach(top, 0, entry -> {
                if (!status.isDirectory()) {
                    add(loose);
                } else if (isHere()) {
                    OptionalInt uid = status.uid() < 0 ? OptionalInt.empty() : OptionalInt.of(status.uid());
                    Tally tally = new Tally();
                    tally.bytes = status.bytesOnDisk();
                    if (enter(top, entry.nameAddress(), 1, tally)) {
                        found.add(tally.named(printable(new String(entry.name(), StandardCharsets.UTF_8)), uid));
                        if (found.size() >= 2 * mostDirectories) {
                            keepLargest(found);
                        }
                    }
                }
            });
            if (loose.files > 0) {
                found.add(loose.named(TOP, OptionalInt.empty()));
            }
            keepLargest(found);
            return new Counted(found, clock.instant(), unreadable, leftOut);
        }

        private void keepLargest(List<Directory> found) {
            found.sort(Comparator.comparingLong(Directory::usedBytes).reversed());
            if (found.size() > mostDirectories) {
                leftOut += found.size() - mostDirectories;
                found.subList(mostDirectories, found.size()).clear();
            }
        }

        private void add(Tally tally) {
            boolean shared = !status.isDirectory();
            tally.bytes += (double) status.bytesOnDisk() / (shared ? status.links() : 1);
            tally.files += 1.0 / (shared ? status.links() : 1);
            long modified = status.modifiedSeconds();
            if (modified <= latest) {
                tally.newest = Math.max(tally.newest, modified);
            }
        }

        private boolean isHere() {
            return status.device() == device && !status.isMountRoot();
        }

        /** Counts a directory's content; false when it cannot be read or is gone. */
        private boolean enter(int parent, long nameAddress, int depth, Tally tally) throws InterruptedException {
            int fd = depth > DEEPEST ? -Libc.EACCES : Libc.openDirectory(parent, nameAddress);
            if (fd < 0) {
                boolean vanished = fd == -Libc.ENOENT || fd == -Libc.ENOTDIR || fd == -Libc.ELOOP;
                unreadable += vanished ? 0 : 1;
                return false;
            }
            try {
                forEach(fd, depth, entry -> {
                    boolean directory = status.isDirectory();
                    if (!directory || isHere()) {
                        add(tally);
                    }
                    if (directory && isHere()) {
                        enter(fd, entry.nameAddress(), depth + 1, tally);
                    }
                });
                return true;
            } finally {
                Libc.close(fd);
            }
        }

        /** Calls back for each entry of a directory, with {@code status} about it. */
        private void forEach(int fd, int depth, Found found) throws InterruptedException {
            while (levels.size() <= depth) {
                levels.add(new Entries());
            }
            Entries entries = levels.get(depth);
            entries.begin(fd);
            while (entries.next()) {
                pace.next();
                int error = status.read(fd, entries.nameAddress());
                if (error == 0) {
                    found.accept(entries);
                } else if (error != -Libc.ENOENT) {
                    unreadable++;
                }
            }
            unreadable += entries.failed() ? 1 : 0;
        }
    }

    @FunctionalInterface
    private interface Found {
        void accept(Entries entry) throws InterruptedException;
    }

    /** The text without anything that steers a terminal, a log or the direction of writing. */
    static String printable(String text) {
        StringBuilder printable = new StringBuilder();
        text.codePoints().forEach(c -> {
            switch (Character.getType(c)) {
                case Character.CONTROL,
                        Character.FORMAT,
                        Character.LINE_SEPARATOR,
                        Character.PARAGRAPH_SEPARATOR,
                        Character.SURROGATE -> printable.append('\ufffd');
                default -> printable.appendCodePoint(c);
            }
        });
        return printable.toString();
    }
}
