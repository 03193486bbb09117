package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.Libc.FileSystem;
import io.fairwatch.agent.probe.Quotas.Account;
import io.fairwatch.agent.probe.Quotas.Answer;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import io.fairwatch.agent.wire.ScratchUse.UserSpace;
import io.fairwatch.agent.wire.ScratchUse.Users;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a mount tells of its filling without a walk. Immutable.
 *
 * @param at when it was asked
 * @param mounted what is mounted there
 * @param fileSystem how full it is
 * @param directories use by directory at the top; absent if only a walk tells
 * @param users use by user; absent likewise, or if nothing tells
 * @param why why the absent ones are, in words for an administrator
 */
record ScratchLook(
        Instant at,
        Mounted mounted,
        FileSystem fileSystem,
        Optional<Directories> directories,
        Optional<Users> users,
        List<String> why) {
    ScratchLook {
        why = List.copyOf(why);
    }

    /** Whether a walk would tell more. A file system of other machines is not walked: all nodes would. */
    boolean wantsWalk() {
        return !mounted.isRemote() && (directories.isEmpty() || users.isEmpty());
    }

    /** Whether only a walk tells when somebody wrote last: quotas do not, CephFS does. */
    boolean wantsLastWrites() {
        return !mounted.isRemote() && directories.isPresent();
    }

    /** The file system of a mount that can be accounted for; nothing touches another one. */
    static Mounted mounted(Path mount) throws IOException {
        Mounted mounted = Mounted.at(mount);
        if (mounted.isRemote() && !mounted.isCeph()) {
            throw new IOException(
                    mount + " is " + mounted.type() + " (expected: a file system of this node, or CephFS)");
        }
        return mounted;
    }

    /** Asks now; may wait for as long as the file system does. */
    static ScratchLook now(Path mount, Instant now) throws IOException {
        Mounted mounted = mounted(mount);
        requireDirectory(mount);
        FileSystem fileSystem = FileSystem.read(mount);
        if (mounted.isCeph()) {
            return ceph(mount, mounted, fileSystem, now);
        }
        List<String> why = new ArrayList<>();
        Optional<Users> users = Optional.empty();
        if (mounted.whole()) {
            Answer answer = Quotas.read(mount, mounted, Quotas.Kind.USER);
            if (answer instanceof Answer.Accounts accounts) {
                users = Optional.of(users(accounts.list(), now));
            } else if (answer instanceof Answer.Refused refused) {
                why.add(refused.why());
            }
        } else {
            why.add("user quotas are those of the whole file system, of which this is a directory");
        }
        Optional<Directories> directories = Optional.empty();
        ProjectQuotas.Result result = ProjectQuotas.read(mount, mounted, now);
        if (result instanceof ProjectQuotas.Result.Counted counted) {
            directories = Optional.of(counted.directories());
        } else if (result instanceof ProjectQuotas.Result.Refused refused && !why.contains(refused.why())) {
            why.add(refused.why());
        }
        return new ScratchLook(now, mounted, fileSystem, directories, users, why);
    }

    /** This look with how full the file system is now, and nothing else asked again. */
    ScratchLook refreshed(Path mount) throws IOException {
        return new ScratchLook(at, mounted, FileSystem.read(mount), directories, users, why);
    }

    /** This look with the largest directories and users only. */
    ScratchLook atMost(int most) {
        return new ScratchLook(
                at,
                mounted,
                fileSystem,
                directories.map(all -> new Directories(all.method(), all.at(), first(all.list(), most), all.unread())),
                users.map(all -> new Users(all.method(), all.at(), first(all.list(), most))),
                why);
    }

    private static <T> List<T> first(List<T> list, int most) {
        return list.subList(0, Math.min(most, list.size()));
    }

    static void requireDirectory(Path mount) throws IOException {
        if (!Files.isDirectory(mount)) {
            throw new IOException(mount + " is missing, or no directory");
        }
    }

    private static ScratchLook ceph(Path mount, Mounted mounted, FileSystem fileSystem, Instant now)
            throws IOException {
        Directories directories = CephDirectories.read(mount, now);
        List<String> why = new ArrayList<>(List.of("CephFS keeps no account of users"));
        if (directories.unread() > 0) {
            why.add(directories.unread() + " directories do not show ceph.dir.* (CAP_DAC_READ_SEARCH)");
        }
        return new ScratchLook(now, mounted, fileSystem, Optional.of(directories), Optional.empty(), why);
    }

    static Users users(List<Account> accounts, Instant now) {
        List<UserSpace> users = new ArrayList<>();
        for (Account account : accounts) {
            if (account.id() <= Integer.MAX_VALUE) {
                users.add(new UserSpace(
                        (int) account.id(),
                        Optional.empty(),
                        Owner.NOT_ASKED,
                        account.usedBytes(),
                        OptionalLong.of(account.files()),
                        account.limit()));
            }
        }
        users.sort(Comparator.comparingLong(UserSpace::usedBytes).reversed());
        return new Users("quota", now, users.subList(0, Math.min(users.size(), TopDirectories.MOST_TOLD)));
    }
}
