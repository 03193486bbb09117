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
 * @param directories use by directory at the top of the mount; absent until it was counted, and in snapshots that
 *     repeat nothing: the newest one sent holds
 * @param users use by user; absent likewise
 */
public record ScratchUse(
        String mount,
        long totalBytes,
        long usedBytes,
        long availableBytes,
        OptionalLong inodesTotal,
        OptionalLong inodesUsed,
        Optional<Directories> directories,
        Optional<Users> users) {
    public ScratchUse {
        Check.text("scratch.mount", mount, 1024);
        Check.notNegative("scratch.total_bytes", totalBytes);
        Check.notNegative("scratch.used_bytes", usedBytes);
        Check.notNegative("scratch.available_bytes", availableBytes);
        Check.notNegative("scratch.inodes_total", inodesTotal);
        Check.notNegative("scratch.inodes_used", inodesUsed);
    }

    /**
     * How much a quota allows. Immutable. Absent: no limit of that kind.
     *
     * @param softBytes may be exceeded until {@code graceEnds}
     * @param hardBytes never exceeded
     * @param softFiles likewise, in files
     * @param hardFiles likewise, in files
     * @param graceEnds when exceeding the soft limit in bytes or files stops being allowed, the earlier of the two;
     *     absent: it is not exceeded
     */
    public record Limit(
            OptionalLong softBytes,
            OptionalLong hardBytes,
            OptionalLong softFiles,
            OptionalLong hardFiles,
            Optional<Instant> graceEnds) {
        public Limit {
            Check.notNegative("scratch.limit.soft_bytes", softBytes);
            Check.notNegative("scratch.limit.hard_bytes", hardBytes);
            Check.notNegative("scratch.limit.soft_files", softFiles);
            Check.notNegative("scratch.limit.hard_files", hardFiles);
        }
    }

    /**
     * A count by directory. Immutable.
     *
     * @param method how it was counted: {@code quota} (project quota), {@code ceph} (its directory attributes) or {@code
     *     walk}
     * @param at when the count ended
     * @param list largest first; what the count could not read is left out
     * @param unread directories anywhere below that could not be read; 0 or more
     */
    public record Directories(String method, Instant at, List<DirectoryUse> list, long unread) {
        public Directories {
            Check.name("scratch.directories.method", method);
            list = List.copyOf(list);
            Check.atMost("scratch.directories.list", list.size(), 100_000);
            Check.notNegative("scratch.directories.unread", unread);
        }
    }

    /**
     * A count by user. Immutable.
     *
     * @param method how it was counted: {@code quota} or {@code walk}
     * @param at when the count ended
     * @param list largest first
     */
    public record Users(String method, Instant at, List<UserSpace> list) {
        public Users {
            Check.name("scratch.users.method", method);
            list = List.copyOf(list);
            Check.atMost("scratch.users.list", list.size(), 100_000);
        }
    }

    /** Whether the directory service knows an owner. */
    public enum Owner {
        /** It has a name. */
        KNOWN,
        /** The directory service answered that there is no such uid: whoever it was is gone. */
        GONE,
        /** Names are switched off, or the directory service did not answer. */
        NOT_ASKED
    }

    /**
     * What one user owns on a mount. Immutable.
     *
     * @param uid numeric user id
     * @param name login name; absent unless {@code owner} is {@code KNOWN}
     * @param owner whether the directory service knows the uid
     * @param usedBytes space taken on disk
     * @param files inodes taken; absent if the method does not tell
     * @param limit their quota; absent: none
     */
    public record UserSpace(
            int uid, Optional<String> name, Owner owner, long usedBytes, OptionalLong files, Optional<Limit> limit) {
        public UserSpace {
            Check.notNegative("scratch.users.uid", uid);
            name.ifPresent(login -> Check.text("scratch.users.name", login, 255));
            Check.notNegative("scratch.users.used_bytes", usedBytes);
            Check.notNegative("scratch.users.files", files);
        }
    }

    /**
     * What lies below one directory at the top of a scratch mount. Immutable.
     *
     * @param name the directory's name, control characters replaced
     * @param uid its owner
     * @param owner the owner's login name; absent unless {@code ownerIs} is {@code KNOWN}
     * @param ownerIs whether the directory service knows the uid
     * @param usedBytes space taken on disk, hard links counted once
     * @param files files, directories and whatever else has an inode below it
     * @param lastWrite newest modification time below it, or, where quotas show that it was written to since a walk saw
     *     that, the time of the walk; absent when empty, or while not known
     * @param limit the directory's quota; absent: none
     */
    public record DirectoryUse(
            String name,
            OptionalInt uid,
            Optional<String> owner,
            Owner ownerIs,
            long usedBytes,
            long files,
            Optional<Instant> lastWrite,
            Optional<Limit> limit) {
        public DirectoryUse {
            Check.text("scratch.directories.name", name, 255);
            Check.notNegative("scratch.directories.uid", uid);
            owner.ifPresent(login -> Check.text("scratch.directories.owner", login, 255));
            Check.notNegative("scratch.directories.used_bytes", usedBytes);
            Check.notNegative("scratch.directories.files", files);
        }
    }
}
