package io.fairwatch.agent.wire;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * A scratch file system of this node, such as {@code /raid}. Immutable.
 *
 * @param mount its path, as configured
 * @param totalBytes size of the file system. Source: {@code statvfs}
 * @param usedBytes taken
 * @param availableBytes what an ordinary user can still write
 * @param inodesTotal inodes; absent where the file system has no fixed number
 * @param inodesUsed inodes taken; absent likewise
 * @param directories use below each directory at the top of the mount, largest first; absent until the first count has
 *     ended
 * @param countedAt when the count of {@code directories} ended; absent likewise
 * @param method how {@code directories} was counted, e.g. {@code walk}; absent likewise
 */
public record ScratchUse(
        String mount,
        long totalBytes,
        long usedBytes,
        long availableBytes,
        OptionalLong inodesTotal,
        OptionalLong inodesUsed,
        Optional<List<DirectoryUse>> directories,
        Optional<Instant> countedAt,
        Optional<String> method) {
    public ScratchUse {
        Check.text("scratch.mount", mount, 1024);
        Check.notNegative("scratch.total_bytes", totalBytes);
        Check.notNegative("scratch.used_bytes", usedBytes);
        Check.notNegative("scratch.available_bytes", availableBytes);
        Check.notNegative("scratch.inodes_total", inodesTotal);
        Check.notNegative("scratch.inodes_used", inodesUsed);
        directories = directories.map(List::copyOf);
        directories.ifPresent(list -> Check.atMost("scratch.directories", list.size(), 100_000));
        method.ifPresent(name -> Check.name("scratch.method", name));
    }

    /**
     * What lies below one directory at the top of a scratch mount. Immutable.
     *
     * @param name the directory's name, control characters replaced
     * @param uid its owner
     * @param owner the owner's login name; absent when the directory service does not know the uid
     * @param usedBytes space taken on disk, hard links counted once
     * @param files files, directories and whatever else has an inode below it
     * @param lastWrite newest modification time below it; absent when empty
     */
    public record DirectoryUse(
            String name,
            OptionalInt uid,
            Optional<String> owner,
            long usedBytes,
            long files,
            Optional<Instant> lastWrite) {
        public DirectoryUse {
            Check.text("scratch.directories.name", name, 255);
            Check.notNegative("scratch.directories.uid", uid);
            owner.ifPresent(login -> Check.text("scratch.directories.owner", login, 255));
            Check.notNegative("scratch.directories.used_bytes", usedBytes);
            Check.notNegative("scratch.directories.files", files);
        }
    }
}
