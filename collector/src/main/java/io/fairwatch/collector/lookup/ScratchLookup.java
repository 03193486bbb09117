package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Limit;
import io.fairwatch.agent.wire.ScratchUse.UserSpace;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** What people keep on scratch and home file systems. Thread-safe; blocks on the store. */
public final class ScratchLookup {
    private final Store store;
    private final InstantSource clock;

    public ScratchLookup(Store store, InstantSource clock) {
        this.store = store;
        this.clock = clock;
    }

    /**
     * What somebody keeps on one file system of one node. Immutable.
     *
     * @param node node that told
     * @param path the mount, or the directory below it
     * @param user login name of the owner; absent when nobody knows it
     * @param uid the owner; absent if not told
     * @param owner whether the directory service knows the owner; absent if not told
     * @param usedBytes space taken
     * @param files inodes taken; absent if the method does not tell
     * @param limit their quota; absent: none
     * @param lastWrite newest change below it; absent if not told
     * @param countedAt when it was counted
     * @param method how it was counted
     */
    public record Kept(
            String node,
            String path,
            Optional<String> user,
            OptionalLong uid,
            Optional<ScratchUse.Owner> owner,
            long usedBytes,
            OptionalLong files,
            Optional<Limit> limit,
            Optional<Instant> lastWrite,
            Instant countedAt,
            String method) {

        /** Most first. */
        String key() {
            return Page.descending(usedBytes)
                    + ' '
                    + node
                    + ' '
                    + path
                    + ' '
                    + user.orElse("")
                    + ' '
                    + (uid.isPresent() ? Long.toString(uid.getAsLong()) : "");
        }

        /** Whether more is kept than may be for long. */
        public boolean isOverLimit() {
            return limit.isPresent()
                    && (over(
                                    OptionalLong.of(usedBytes),
                                    limit.get().softBytes(),
                                    limit.get().hardBytes())
                            || over(files, limit.get().softFiles(), limit.get().hardFiles()));
        }

        private static boolean over(OptionalLong used, OptionalLong soft, OptionalLong hard) {
            OptionalLong most = soft.isPresent() ? soft : hard;
            return used.isPresent() && most.isPresent() && used.getAsLong() > most.getAsLong();
        }
    }

    /**
     * What is kept. Immutable.
     *
     * @param at when it was put together
     * @param items most first
     * @param uncounted mounts, as {@code node:path}, of which nothing is known yet
     * @param next goes on behind the last item; absent when there is nothing more
     */
    public record Keeping(Instant at, List<Kept> items, List<String> uncounted, Optional<String> next) {
        public Keeping {
            items = List.copyOf(items);
            uncounted = List.copyOf(uncounted);
        }
    }

    /**
     * What is asked for; what is absent is not asked for.
     *
     * @param user login name of the owner
     * @param node node
     * @param path beginning of the path
     * @param name name of the directory itself, as of a project
     */
    public record Filter(Optional<String> user, Optional<String> node, Optional<String> path, Optional<String> name) {
        boolean takes(Kept kept) {
            return (user.isEmpty() || user.equals(kept.user()))
                    && (path.isEmpty() || kept.path().startsWith(path.get()))
                    && (name.isEmpty() || kept.path().endsWith("/" + name.get()));
        }
    }

    /** Directories and users' own space on all mounts. */
    public Keeping find(Filter filter, Page page) throws StoreException {
        List<Kept> list = new ArrayList<>();
        List<String> uncounted = new ArrayList<>();
        for (NodeState node : store.nodes()) {
            if (filter.node().isPresent() && !filter.node().get().equals(node.node())) {
                continue;
            }
            for (ScratchUse mount : node.scratch()) {
                if (mount.directories().isEmpty() && mount.users().isEmpty()) {
                    uncounted.add(node.node() + ":" + mount.mount());
                }
                mount.users().ifPresent(users -> users.list()
                        .forEach(space -> list.add(kept(node.node(), mount.mount(), users, space))));
                mount.directories().ifPresent(count -> count.list()
                        .forEach(use -> list.add(kept(node.node(), mount.mount(), count, use))));
            }
        }
        Page.Part<Kept> part = page.of(
                list.stream()
                        .filter(filter::takes)
                        .sorted(Comparator.comparing(Kept::key))
                        .toList(),
                Kept::key);
        return new Keeping(clock.instant(), part.items(), uncounted, part.next());
    }

    private static Kept kept(String node, String mount, ScratchUse.Users users, UserSpace space) {
        return new Kept(
                node,
                mount,
                space.name(),
                OptionalLong.of(space.uid()),
                Optional.of(space.owner()),
                space.usedBytes(),
                space.files(),
                space.limit(),
                Optional.empty(),
                users.at(),
                users.method());
    }

    private static Kept kept(String node, String mount, ScratchUse.Directories count, DirectoryUse use) {
        return new Kept(
                node,
                mount.replaceFirst("/+$", "") + "/" + use.name(),
                use.owner(),
                use.uid().isPresent() ? OptionalLong.of(use.uid().getAsInt()) : OptionalLong.empty(),
                Optional.of(use.ownerIs()),
                use.usedBytes(),
                OptionalLong.of(use.files()),
                use.limit(),
                use.lastWrite(),
                count.at(),
                count.method());
    }
}
