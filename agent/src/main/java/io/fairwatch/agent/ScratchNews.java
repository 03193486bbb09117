package io.fairwatch.agent;

import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.Users;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Leaves out of snapshots what the ones before have told: lists of directories and users are long and change every few
 * hours. A list is sent when its figures changed, when its mount was missing in the snapshot before, and now and then
 * all the same, because a snapshot may be lost and a count's age moves on. Confined to one thread at a time.
 */
final class ScratchNews {
    static final int REPEAT_EVERY = 20;

    private final Map<String, Told> told = new HashMap<>();

    /** What a mount's newest snapshot with lists said, and how many came since. */
    private record Told(Optional<Directories> directories, Optional<Users> users, int since) {}

    /** The same mounts, without lists that were sent already. */
    List<ScratchUse> of(List<ScratchUse> uses) {
        told.keySet().retainAll(uses.stream().map(ScratchUse::mount).toList());
        return uses.stream().map(this::of).toList();
    }

    private ScratchUse of(ScratchUse use) {
        Told before = told.get(use.mount());
        if (before != null && before.since < REPEAT_EVERY - 1 && isSame(before, use)) {
            told.put(use.mount(), new Told(before.directories, before.users, before.since + 1));
            return with(use, Optional.empty(), Optional.empty());
        }
        told.put(use.mount(), new Told(use.directories(), use.users(), 0));
        return use;
    }

    /** Whether the figures are those that were told, however old they are. */
    private static boolean isSame(Told before, ScratchUse now) {
        return before.directories
                        .map(list -> List.of(list.method(), list.list(), list.unread()))
                        .equals(now.directories().map(list -> List.of(list.method(), list.list(), list.unread())))
                && before.users
                        .map(list -> List.of(list.method(), list.list()))
                        .equals(now.users().map(list -> List.of(list.method(), list.list())));
    }

    private static ScratchUse with(ScratchUse use, Optional<Directories> directories, Optional<Users> users) {
        return new ScratchUse(
                use.mount(),
                use.totalBytes(),
                use.usedBytes(),
                use.availableBytes(),
                use.inodesTotal(),
                use.inodesUsed(),
                directories,
                users);
    }
}
