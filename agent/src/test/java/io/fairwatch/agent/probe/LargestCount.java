package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.CountFile.Kept;
import io.fairwatch.agent.probe.CountFile.Last;
import io.fairwatch.agent.probe.DirectoryCount.Counted;
import io.fairwatch.agent.probe.DirectoryCount.Finished;
import io.fairwatch.agent.probe.DirectoryCount.Round;
import io.fairwatch.agent.probe.Libc.FileSystem;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import io.fairwatch.agent.wire.ScratchUse.UserSpace;
import io.fairwatch.agent.wire.ScratchUse.Users;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/** The largest count of a mount that the agent keeps: a whole one, and one that is under way. */
public final class LargestCount {
    private static final int UNDER_WAY = TopDirectories.MOST_TOLD * 5 / 4;
    private static final int USERS_UNDER_WAY = 5_000;

    private LargestCount() {}

    /** Leaves it where an agent finds it. */
    public static void leave(Path directory, Path mount, Instant now) throws IOException {
        FileSystem fileSystem = FileSystem.read(mount);
        List<Finished> finished = IntStream.range(0, UNDER_WAY)
                .mapToObj(i -> new Finished(name(i), use(i)))
                .toList();
        Counted whole = new Counted(
                new Directories(
                        "walk",
                        now,
                        IntStream.range(0, TopDirectories.MOST_TOLD)
                                .mapToObj(LargestCount::use)
                                .toList(),
                        0),
                new Users("walk", now, users(TopDirectories.MOST_TOLD)),
                UNDER_WAY);
        new CountFile(directory, mount)
                .write(new Kept(
                        fileSystem.totalBytes(),
                        Optional.of(new Last(whole, fileSystem.usedBytes(), fileSystem.inodesUsed())),
                        Optional.of(new Round(now, finished, users(USERS_UNDER_WAY), 0))));
    }

    private static List<UserSpace> users(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> new UserSpace(
                        100_000 + i,
                        Optional.empty(),
                        Owner.NOT_ASKED,
                        1_000_000_000L - i,
                        OptionalLong.of(1_000_000L + i),
                        Optional.empty()))
                .toList();
    }

    private static DirectoryUse use(int i) {
        return new DirectoryUse(
                name(i),
                OptionalInt.of(100_000 + i),
                Optional.empty(),
                Owner.NOT_ASKED,
                1_000_000_000L - i,
                1_000_000L + i,
                Optional.of(Instant.ofEpochSecond(1_700_000_000L + i)),
                Optional.empty());
    }

    /** As long as the names of all may be on average. */
    private static String name(int i) {
        return "directory-of-somebody-with-a-tiresome-name-%05d".formatted(i);
    }
}
