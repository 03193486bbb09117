package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.Libc.Entries;
import io.fairwatch.agent.probe.Libc.Status;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import io.fairwatch.agent.wire.ScratchUse.UserSpace;
import io.fairwatch.agent.wire.ScratchUse.Users;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Counts what lies below each directory at the top of a mount, and what each user owns there. Users can make any tree
 * there, so:
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
 * <p>A count can take hours, so it can go on where an earlier one stopped: directories at the top that were finished then
 * are not walked again.
 *
 * Confined to one thread, as it keeps its memory.
 */
final class DirectoryCount {
    private static final int DEEPEST = 200;
    private static final int MOST_USERS = 5_000;
    /** So many bytes has the name of a directory on average, at most; users choose names of 255. */
    private static final int LONGEST_NAMES = 48;

    /** The name under which the files right at the top are counted. */
    static final String TOP = ".";

    private final Pace pace;
    private final InstantSource clock;
    private final int mostTold;
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
     * @param directories largest first; {@code unread} are those that could not be read, so that figures are too low
     * @param users largest first
     * @param leftOut small directories and users that are left out because there are too many
     */
    record Counted(Directories directories, Users users, int leftOut) {}

    /**
     * A count as far as it has come: what was found in the directories that are finished. Immutable.
     *
     * @param startedAt when it began
     * @param finished the directories at the top that are not to be walked again
     * @param users what users own in those
     * @param unread directories in those that could not be read
     */
    record Round(Instant startedAt, List<Finished> finished, List<UserSpace> users, long unread) {
        Round {
            finished = List.copyOf(finished);
            users = List.copyOf(users);
        }

        /** One that has not begun. */
        static Round from(Instant now) {
            return new Round(now, List.of(), List.of(), 0);
        }
    }

    /** A directory at the top, with the bytes of its name as Latin-1 text. Immutable. */
    record Finished(String rawName, DirectoryUse use) {}

    /** Told after each directory at the top; may want to know what was found so far. */
    @FunctionalInterface
    interface Progress {
        void finished(Supplier<Round> soFar);
    }

    DirectoryCount(Pace pace, InstantSource clock, int mostTold) {
        this.pace = pace;
        this.clock = clock;
        this.mostTold = mostTold;
    }

    /** Counts everything below a mount. */
    Counted count(Path mount, Round soFar, Progress progress) throws IOException, InterruptedException {
        int top = Libc.openDirectory(mount);
        try {
            return new Walk(top, soFar, progress).count();
        } finally {
            Libc.close(top);
        }
    }

    private static final class Tally {
        private double bytes;
        private double files;
        private long newest = -1;

        void add(Tally other) {
            bytes += other.bytes;
            files += other.files;
        }

        DirectoryUse of(String name, OptionalInt uid) {
            return new DirectoryUse(
                    name,
                    uid,
                    Optional.empty(),
                    Owner.NOT_ASKED,
                    Math.round(bytes),
                    Math.round(files),
                    newest < 0 ? Optional.empty() : Optional.of(Instant.ofEpochSecond(newest)),
                    Optional.empty());
        }

        UserSpace of(int uid) {
            return new UserSpace(
                    uid,
                    Optional.empty(),
                    Owner.NOT_ASKED,
                    Math.round(bytes),
                    OptionalLong.of(Math.round(files)),
                    Optional.empty());
        }
    }

    /** A tally for each user. */
    private static final class Owners {
        private final Map<Integer, Tally> byUid = new HashMap<>();

        /** That of a user; one that nobody asks when there are too many. */
        Tally of(int uid) {
            Tally tally = byUid.get(uid);
            if (tally == null) {
                tally = new Tally();
                if (byUid.size() < MOST_USERS && uid >= 0) {
                    byUid.put(uid, tally);
                }
            }
            return tally;
        }

        void add(Owners others) {
            others.byUid.forEach((uid, tally) -> of(uid).add(tally));
        }

        List<UserSpace> list() {
            List<UserSpace> list = new ArrayList<>(byUid.size());
            byUid.forEach((uid, tally) -> list.add(tally.of(uid)));
            list.sort(Comparator.comparingLong(UserSpace::usedBytes).reversed().thenComparingInt(UserSpace::uid));
            return list;
        }
    }

    private final class Walk {
        private final int top;
        private final long device;
        private final long latest;
        private final Round before;
        private final Progress progress;
        private final List<Finished> found = new ArrayList<>();
        /** Of the directories that are finished. */
        private final Owners owners = new Owners();

        private long unread;
        /** Directories at the top that could not be read; they are tried again when a count goes on. */
        private long unreadAtTop;

        private int leftOut;
        /** Of all names in {@code found}. */
        private long nameBytes;

        Walk(int top, Round before, Progress progress) throws IOException {
            this.top = top;
            this.before = before;
            this.progress = progress;
            this.latest = clock.instant().plusSeconds(86_400).getEpochSecond();
            if (status.readItself(top) < 0) {
                throw new IOException("the mount's own status cannot be read");
            }
            this.device = status.device();
            for (UserSpace user : before.users()) {
                Tally tally = owners.of(user.uid());
                tally.bytes += user.usedBytes();
                tally.files += user.files().orElse(0);
            }
        }

        Counted count() throws InterruptedException {
            Map<String, DirectoryUse> finishedBefore = new HashMap<>();
            before.finished().forEach(each -> finishedBefore.put(each.rawName(), each.use()));
            Tally loose = new Tally();
            Owners looseOwners = new Owners();
            long[] unreadHere = {0};
            Set<String> passed = new HashSet<>();
            forEach(top, 0, unreadHere, entry -> {
                if (!status.isDirectory()) {
                    add(loose, looseOwners);
                } else if (isHere()) {
                    String rawName = new String(entry.name(), StandardCharsets.ISO_8859_1);
                    DirectoryUse known = finishedBefore.get(rawName);
                    if (!passed.add(rawName)) {
                        return; // a directory that changes while it is read may tell a name twice
                    }
                    Optional<DirectoryUse> use = known != null ? Optional.of(known) : walk(entry);
                    use.ifPresent(counted -> found.add(new Finished(rawName, counted)));
                    nameBytes += use.isPresent() ? rawName.length() : 0;
                    if (found.size() >= mostTold + mostTold / 4 || nameBytes >= 2L * mostTold * LONGEST_NAMES) {
                        keepLargest();
                    }
                    if (known == null && leftOut == 0) { // what is left out would be walked and counted twice
                        progress.finished(this::soFar);
                    }
                }
            });
            unread += unreadAtTop + unreadHere[0] + before.unread();
            owners.add(looseOwners);
            if (loose.files > 0) {
                found.add(new Finished(TOP, loose.of(TOP, OptionalInt.empty())));
            }
            keepLargest();
            return counted();
        }

        private Counted counted() {
            Instant now = clock.instant();
            List<UserSpace> users = owners.list();
            if (users.size() > mostTold) {
                leftOut += users.size() - mostTold;
                users.subList(mostTold, users.size()).clear();
            }
            return new Counted(
                    new Directories(
                            "walk", now, found.stream().map(Finished::use).toList(), unread),
                    new Users("walk", now, users),
                    leftOut);
        }

        private Round soFar() {
            return new Round(before.startedAt(), found, owners.list(), before.unread() + unread);
        }

        private void keepLargest() {
            found.sort(Comparator.comparingLong((Finished each) -> each.use().usedBytes())
                    .reversed());
            int kept = 0;
            nameBytes = 0;
            while (kept < Math.min(mostTold, found.size()) && nameBytes < (long) mostTold * LONGEST_NAMES) {
                nameBytes += found.get(kept++).rawName().length();
            }
            leftOut += found.size() - kept;
            found.subList(kept, found.size()).clear();
        }

        /** Counts a directory at the top, with {@code status} about it; empty when it cannot be read or is gone. */
        private Optional<DirectoryUse> walk(Entries entry) throws InterruptedException {
            OptionalInt uid = status.uid() < 0 ? OptionalInt.empty() : OptionalInt.of(status.uid());
            Tally tally = new Tally();
            tally.bytes = status.bytesOnDisk();
            Owners ownersHere = new Owners();
            ownersHere.of(status.uid()).bytes += status.bytesOnDisk();
            ownersHere.of(status.uid()).files++;
            long unreadBefore = unread;
            if (!enter(top, entry.nameAddress(), 1, tally, ownersHere)) {
                unreadAtTop += unread - unreadBefore;
                unread = unreadBefore;
                return Optional.empty();
            }
            owners.add(ownersHere);
            String name = TopDirectories.printable(new String(entry.name(), StandardCharsets.UTF_8));
            return Optional.of(tally.of(name, uid));
        }

        private void add(Tally tally, Owners ownersHere) {
            double share = status.isDirectory() ? 1 : 1.0 / status.links();
            double bytes = status.bytesOnDisk() * share;
            Tally owner = ownersHere.of(status.uid());
            tally.bytes += bytes;
            tally.files += share;
            owner.bytes += bytes;
            owner.files += share;
            long modified = status.modifiedSeconds();
            if (modified <= latest) {
                tally.newest = Math.max(tally.newest, modified);
            }
        }

        private boolean isHere() {
            return status.device() == device && !status.isMountRoot();
        }

        /** Counts a directory's content; false when it cannot be read or is gone. */
        private boolean enter(int parent, long nameAddress, int depth, Tally tally, Owners ownersHere)
                throws InterruptedException {
            int fd = depth > DEEPEST ? -Libc.EACCES : Libc.openDirectory(parent, nameAddress);
            if (fd < 0) {
                boolean vanished = fd == -Libc.ENOENT || fd == -Libc.ENOTDIR || fd == -Libc.ELOOP;
                unread += vanished ? 0 : 1;
                return false;
            }
            long[] unreadHere = {0};
            try {
                forEach(fd, depth, unreadHere, entry -> {
                    boolean directory = status.isDirectory();
                    if (!directory || isHere()) {
                        add(tally, ownersHere);
                    }
                    if (directory && isHere()) {
                        enter(fd, entry.nameAddress(), depth + 1, tally, ownersHere);
                    }
                });
                return true;
            } finally {
                unread += unreadHere[0];
                Libc.close(fd);
            }
        }

        /** Calls back for each entry of a directory, with {@code status} about it. */
        private void forEach(int fd, int depth, long[] unreadHere, Found found) throws InterruptedException {
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
                    unreadHere[0]++;
                }
            }
            unreadHere[0] += entries.failed() ? 1 : 0;
        }
    }

    @FunctionalInterface
    private interface Found {
        void accept(Entries entry) throws InterruptedException;
    }
}
