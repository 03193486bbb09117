package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.Libc.Entries;
import io.fairwatch.agent.probe.Libc.Status;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;

/** The directories at the top of a mount, which is how people share one out. Confined to one thread. */
final class TopDirectories implements AutoCloseable {
    /** How many of them, and how many users, all mounts together tell of: as many as fit into the agent's memory. */
    static final int MOST_TOLD = 2_500;

    private final int top;
    private final Entries entries = new Entries();
    private final Status status = new Status();
    private long unread;

    /**
     * One of them. Valid until the next one.
     *
     * @param rawName the bytes of its name as Latin-1 text
     * @param nameAddress where that name lies, for {@code Libc}
     * @param uid its owner; absent if too large for the wire
     */
    record Top(String rawName, long nameAddress, OptionalInt uid) {
        /** Whether it is where a file system's repair puts what it finds: root's, closed, in no project. */
        boolean isLostAndFound() {
            return rawName.equals("lost+found");
        }

        String name() {
            return printable(new String(rawName.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8));
        }
    }

    /** Called with each directory and the open mount; false ends the listing. */
    @FunctionalInterface
    interface Visit {
        boolean next(int mount, Top directory);
    }

    TopDirectories(Path mount) throws IOException {
        this.top = Libc.openDirectory(mount);
    }

    /** Visits the directories of the mount's own file system; mounts upon it and links are none. */
    void forEach(Visit visit) throws IOException {
        if (status.readItself(top) < 0) {
            throw new IOException("the mount's own status cannot be read");
        }
        long device = status.device();
        entries.begin(top);
        while (entries.next()) {
            int error = status.read(top, entries.nameAddress());
            if (error < 0) {
                unread += error == -Libc.ENOENT ? 0 : 1;
            } else if (status.isDirectory() && status.device() == device && !status.isMountRoot()) {
                OptionalInt uid = status.uid() < 0 ? OptionalInt.empty() : OptionalInt.of(status.uid());
                if (!visit.next(
                        top,
                        new Top(new String(entries.name(), StandardCharsets.ISO_8859_1), entries.nameAddress(), uid))) {
                    return;
                }
            }
        }
        unread += entries.failed() ? 1 : 0;
    }

    /** How many could not be looked at. */
    long unread() {
        return unread;
    }

    @Override
    public void close() {
        Libc.close(top);
    }

    /** Sorts by size and cuts the list; how many were cut. */
    static int keepLargest(List<DirectoryUse> directories, int most) {
        directories.sort(Comparator.comparingLong(DirectoryUse::usedBytes).reversed());
        int cut = Math.max(0, directories.size() - most);
        directories.subList(directories.size() - cut, directories.size()).clear();
        return cut;
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
