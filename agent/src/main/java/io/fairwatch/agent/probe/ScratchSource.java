package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.TopDirectories.Top;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Where the figures of one scratch mount come from, and why from nowhere better. Immutable.
 *
 * @param mount as configured
 * @param fileSystem its type, e.g. {@code xfs}; empty when nothing is known
 * @param directories {@code quota}, {@code ceph} or {@code walk}; absent when use by directory cannot be told
 * @param users {@code quota} or {@code walk}; absent when use by user cannot be told
 * @param why sentences for an administrator: what keeps a better source away, or the mount from being read at all
 * @param directoriesAtTop how many there are
 * @param closed how many of those the agent may not read, so that a walk would leave them out
 */
public record ScratchSource(
        Path mount,
        String fileSystem,
        Optional<String> directories,
        Optional<String> users,
        List<String> why,
        int directoriesAtTop,
        int closed) {
    public ScratchSource {
        why = List.copyOf(why);
    }

    /** Whether a file system of this type can be accounted for: one of this node, or CephFS. */
    public static boolean isAccountedFor(String type) {
        Mounted mounted = new Mounted(type, "", true);
        return !mounted.isRemote() || mounted.isCeph();
    }

    /** Finds out, now; may wait for as long as the file system does. Walks nothing. */
    public static ScratchSource inspect(Path mount, Instant now) {
        String type = Mounted.at(mount).type();
        try {
            ScratchLook look = ScratchLook.now(mount, now);
            int[] counts = look.mounted().isRemote() ? new int[2] : countTop(mount);
            List<String> why = new ArrayList<>(look.why());
            if (look.wantsWalk() && counts[1] > 0) {
                why.add(counts[1] + " of " + counts[0] + " directories may not be read without CAP_DAC_READ_SEARCH");
            }
            Optional<String> walk = look.wantsWalk() ? Optional.of("walk") : Optional.empty();
            return new ScratchSource(
                    mount,
                    type,
                    look.directories().map(found -> found.method()).or(() -> walk),
                    look.users().map(found -> found.method()).or(() -> walk),
                    why,
                    counts[0],
                    counts[1]);
        } catch (IOException e) {
            String why = TopDirectories.printable(String.valueOf(e.getMessage()));
            return new ScratchSource(mount, type, Optional.empty(), Optional.empty(), List.of(why), 0, 0);
        }
    }

    /** How many directories there are at the top, and how many of them cannot be opened. */
    private static int[] countTop(Path mount) throws IOException {
        int[] counts = new int[2];
        try (TopDirectories top = new TopDirectories(mount)) {
            top.forEach((fd, directory) -> {
                if (!directory.isLostAndFound()) {
                    counts[0]++;
                    counts[1] += isClosed(fd, directory) ? 1 : 0;
                }
                return true;
            });
        }
        return counts;
    }

    private static boolean isClosed(int mount, Top directory) {
        int fd = Libc.openDirectory(mount, directory.nameAddress());
        if (fd >= 0) {
            Libc.close(fd);
        }
        return fd == -Libc.EACCES || fd == -Libc.EPERM;
    }
}
