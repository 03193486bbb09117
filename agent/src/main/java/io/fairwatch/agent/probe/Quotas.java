package io.fairwatch.agent.probe;

import io.fairwatch.agent.wire.ScratchUse.Limit;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The disk quotas of a file system: how much each user or project has, at no cost, because the file system keeps account
 * of it anyway. Stateless.
 *
 * <p>One command, {@code Q_GETNEXTQUOTA}, lists them on ext4 and on XFS alike: the kernel fills its {@code struct
 * if_nextdqblk} from whatever the file system keeps (XFS's own {@code Q_XGETNEXTQUOTA} tells the same in other units). It
 * is for root, or whoever has {@code CAP_SYS_ADMIN}.
 */
final class Quotas {
    /** The size of {@code struct if_nextdqblk}. */
    static final int BYTES = 72;

    private static final int MOST_ASKED = 200_000;
    private static final int MOST_KEPT = 20_000;
    private static final long LAST_ID = 0xffff_fffeL; // the one after means "no id"
    private static final long BLOCK = 1024;
    private static final long LATEST = 1L << 36; // year 4147

    private Quotas() {}

    /** Of whom there is an account. */
    enum Kind {
        USER(0, "user"),
        PROJECT(2, "project");

        private final int type;
        private final String word;

        Kind(int type, String word) {
            this.type = type;
            this.word = word;
        }
    }

    /** One account with something in it. */
    record Account(long id, long usedBytes, long files, Optional<Limit> limit) {}

    /** What the kernel answered. */
    sealed interface Answer {
        /** All accounts, by id. */
        record Accounts(List<Account> list) implements Answer {
            public Accounts {
                list = List.copyOf(list);
            }
        }

        /** There are none to be had; why, in words for an administrator. */
        record Refused(String why) implements Answer {}
    }

    /** Asks for the first account at or after an id. 0: it is filled in; negative: minus the error. */
    @FunctionalInterface
    interface Kernel {
        int next(int type, int id, ByteBuffer into);
    }

    /** All accounts of a mount. */
    static Answer read(Path mount, Mounted mounted, Kind kind) throws IOException {
        int directory = Libc.nameDirectory(mount);
        try {
            return list((type, id, into) -> Libc.nextQuota(directory, mounted.device(), type, id, into), kind);
        } finally {
            Libc.close(directory);
        }
    }

    static Answer list(Kernel kernel, Kind kind) {
        List<Account> accounts = new ArrayList<>();
        ByteBuffer answer = ByteBuffer.allocateDirect(BYTES).order(ByteOrder.nativeOrder());
        long id = 0;
        for (int asked = 0; asked < MOST_ASKED && accounts.size() < MOST_KEPT; asked++) {
            int error = kernel.next(kind.type, (int) id, answer);
            boolean atEnd = error == -Libc.ENOENT || (error == -Libc.ESRCH && asked > 0);
            if (atEnd) {
                return new Answer.Accounts(accounts);
            } else if (error < 0) {
                return new Answer.Refused(why(-error, kind));
            }
            Account account = parse(answer);
            if (account.id < id) {
                return new Answer.Refused("the kernel's list of " + kind.word + " quotas does not go on");
            }
            if (account.usedBytes > 0 || account.files > 0) {
                accounts.add(account);
            }
            if (account.id >= LAST_ID) {
                return new Answer.Accounts(accounts);
            }
            id = account.id + 1;
        }
        return new Answer.Refused("too many " + kind.word + " quotas to list");
    }

    /** Reads {@code struct if_nextdqblk}; limits in blocks of 1 KiB, zero for none. */
    private static Account parse(ByteBuffer quota) {
        return new Account(
                Integer.toUnsignedLong(quota.getInt(68)),
                Math.max(0, quota.getLong(16)),
                Math.max(0, quota.getLong(40)),
                limit(
                        bytes(quota.getLong(8)),
                        bytes(quota.getLong(0)),
                        number(quota.getLong(32)),
                        number(quota.getLong(24)),
                        ends(quota.getLong(48), quota.getLong(56))));
    }

    private static Optional<Limit> limit(
            OptionalLong softBytes,
            OptionalLong hardBytes,
            OptionalLong softFiles,
            OptionalLong hardFiles,
            Optional<Instant> ends) {
        boolean none = softBytes.isEmpty() && hardBytes.isEmpty() && softFiles.isEmpty() && hardFiles.isEmpty();
        return none ? Optional.empty() : Optional.of(new Limit(softBytes, hardBytes, softFiles, hardFiles, ends));
    }

    private static OptionalLong bytes(long blocks) {
        return blocks > 0 && blocks <= Long.MAX_VALUE / BLOCK ? OptionalLong.of(blocks * BLOCK) : OptionalLong.empty();
    }

    private static OptionalLong number(long count) {
        return count > 0 ? OptionalLong.of(count) : OptionalLong.empty();
    }

    /** The earlier of two times in seconds, of which zero is none. */
    private static Optional<Instant> ends(long forBytes, long forFiles) {
        long earlier = forBytes <= 0 ? forFiles : forFiles <= 0 ? forBytes : Math.min(forBytes, forFiles);
        return earlier > 0 && earlier < LATEST ? Optional.of(Instant.ofEpochSecond(earlier)) : Optional.empty();
    }

    private static String why(int error, Kind kind) {
        return switch (error) {
            case Libc.EPERM, Libc.EACCES -> kind.word + " quotas may not be read without CAP_SYS_ADMIN";
            case Libc.ESRCH -> kind.word + " quotas are off";
            case Libc.ENOSYS, Libc.EOPNOTSUPP, Libc.ENOTBLK, Libc.ENODEV, Libc.ENOTTY ->
                "no quotas on this file system";
            case Libc.EINVAL -> "this kernel cannot list " + kind.word + " quotas";
            default -> kind.word + " quotas cannot be read, error " + error;
        };
    }
}
