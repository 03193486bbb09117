package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.Users;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * The newest counts by directory and user of scratch mounts: an agent sends a count when it is new, so the newest
 * snapshot of a node mostly has none, and a late one may have it. Stateless.
 */
final class ScratchCounts {
    private ScratchCounts() {}

    /** Whether a list of directories or users is there. */
    static boolean any(NodeSnapshot snapshot) {
        return snapshot.scratch().stream()
                .anyMatch(use -> use.directories().isPresent() || use.users().isPresent());
    }

    /** The mounts as they are, each with the newer counts of the two. */
    static List<ScratchUse> newer(List<ScratchUse> mounts, List<ScratchUse> others) {
        Map<String, ScratchUse> byMount = new HashMap<>();
        others.forEach(other -> byMount.putIfAbsent(other.mount(), other));
        List<ScratchUse> merged = new ArrayList<>(mounts.size());
        for (ScratchUse use : mounts) {
            ScratchUse other = byMount.get(use.mount());
            merged.add(
                    other == null
                            ? use
                            : new ScratchUse(
                                    use.mount(),
                                    use.totalBytes(),
                                    use.usedBytes(),
                                    use.availableBytes(),
                                    use.inodesTotal(),
                                    use.inodesUsed(),
                                    newer(use.directories(), other.directories(), Directories::at),
                                    newer(use.users(), other.users(), Users::at)));
        }
        return merged;
    }

    private static <T> Optional<T> newer(Optional<T> one, Optional<T> other, Function<T, Instant> at) {
        if (one.isEmpty() || other.isEmpty()) {
            return one.or(() -> other);
        }
        return at.apply(other.get()).isAfter(at.apply(one.get())) ? other : one;
    }
}
