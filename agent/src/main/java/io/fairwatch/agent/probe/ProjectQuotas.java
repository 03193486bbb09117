package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.Quotas.Account;
import io.fairwatch.agent.probe.Quotas.Answer;
import io.fairwatch.agent.probe.TopDirectories.Top;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Use by directory at the top of a mount from project quotas. That is true only if each of them is a project of its own
 * that new files inherit; else it is not used at all, because a list with holes would accuse those who are on it.
 * Stateless.
 */
final class ProjectQuotas {
    private static final int FLAGS_BYTES = 28;
    private static final int INHERIT = 0x200;

    private ProjectQuotas() {}

    /** What a directory is set to: its project, and whether what is made in it goes there too. */
    record Setting(long project, boolean inherited) {}

    /** Reads a directory's setting; empty if it cannot be read. */
    @FunctionalInterface
    interface Settings {
        Optional<Setting> of(int mount, Top directory);
    }

    /** Either the use by directory, or why it is not to be had this way. */
    sealed interface Result {
        record Counted(Directories directories) implements Result {}

        record Refused(String why) implements Result {}
    }

    static Result read(Path mount, Mounted mounted, Instant now) throws IOException {
        Answer answer = Quotas.read(mount, mounted, Quotas.Kind.PROJECT);
        if (answer instanceof Answer.Refused refused) {
            return new Result.Refused(refused.why());
        }
        return byDirectory(mount, ((Answer.Accounts) answer).list(), ProjectQuotas::readSetting, now);
    }

    static Result byDirectory(Path mount, List<Account> accounts, Settings settings, Instant now) throws IOException {
        Map<Long, Account> byProject = new HashMap<>();
        accounts.forEach(account -> byProject.put(account.id(), account));
        List<DirectoryUse> uses = new ArrayList<>();
        Set<Long> seen = new HashSet<>();
        String[] why = {""};
        try (TopDirectories top = new TopDirectories(mount)) {
            top.forEach((fd, directory) -> {
                if (directory.isLostAndFound()) {
                    return true;
                }
                Optional<Setting> setting = settings.of(fd, directory);
                why[0] = doubt(directory, setting, seen);
                if (why[0].isEmpty()) {
                    uses.add(use(directory, Optional.ofNullable(byProject.get(setting.orElseThrow().project))));
                }
                return why[0].isEmpty();
            });
            if (why[0].isEmpty() && top.unread() > 0) {
                why[0] = "some directories cannot be looked at";
            }
            if (why[0].isEmpty() && uses.isEmpty()) {
                why[0] = "there is no directory yet";
            }
        }
        if (!why[0].isEmpty()) {
            return new Result.Refused("project quotas do not tell all: " + why[0]);
        }
        TopDirectories.keepLargest(uses, TopDirectories.MOST_TOLD);
        return new Result.Counted(new Directories("quota", now, uses, 0));
    }

    /** What keeps a directory's project from telling the directory's use; empty when nothing does. */
    private static String doubt(Top directory, Optional<Setting> setting, Set<Long> seen) {
        if (setting.isEmpty()) {
            return directory.name() + " cannot be looked into (CAP_DAC_READ_SEARCH)";
        } else if (setting.get().project == 0) {
            return directory.name() + " is in no project";
        } else if (!setting.get().inherited) {
            return "new files in " + directory.name() + " are not in its project";
        }
        return seen.add(setting.get().project) ? "" : directory.name() + " shares its project with another directory";
    }

    /** A project's account counts its directory, too; the wire does not. */
    private static DirectoryUse use(Top directory, Optional<Account> account) {
        return new DirectoryUse(
                directory.name(),
                directory.uid(),
                Optional.empty(),
                Owner.NOT_ASKED,
                account.map(Account::usedBytes).orElse(0L),
                account.map(found -> Math.max(0, found.files() - 1)).orElse(0L),
                Optional.empty(),
                account.flatMap(Account::limit));
    }

    /** Reads {@code struct fsxattr}. */
    private static Optional<Setting> readSetting(int mount, Top directory) {
        int fd = Libc.openDirectory(mount, directory.nameAddress());
        if (fd < 0) {
            return Optional.empty();
        }
        try {
            ByteBuffer flags = ByteBuffer.allocateDirect(FLAGS_BYTES).order(ByteOrder.nativeOrder());
            return Libc.readFlags(fd, flags) < 0
                    ? Optional.empty()
                    : Optional.of(
                            new Setting(Integer.toUnsignedLong(flags.getInt(12)), (flags.getInt(0) & INHERIT) != 0));
        } finally {
            Libc.close(fd);
        }
    }
}
