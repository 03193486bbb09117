package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.CountFile.Kept;
import io.fairwatch.agent.probe.CountFile.Last;
import io.fairwatch.agent.probe.DirectoryCount.Counted;
import io.fairwatch.agent.probe.DirectoryCount.Round;
import io.fairwatch.agent.probe.Libc.FileSystem;
import io.fairwatch.agent.probe.UserNames.Login;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import io.fairwatch.agent.wire.ScratchUse.UserSpace;
import io.fairwatch.agent.wire.ScratchUse.Users;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Scratch file systems: how full each is, and who fills it, by the cheapest source that tells the truth:
 *
 * <ol>
 *   <li>{@code quota}: user quotas, and project quotas where each directory at the top is a project of its own;
 *   <li>{@code ceph}: the attributes of a CephFS;
 *   <li>{@code walk}: a count by a daemon thread of this object, at idle disk priority and a bounded rate.
 * </ol>
 *
 * All mounts together tell of the {@value TopDirectories#MOST_TOLD} largest directories and users, each of its share.
 * How full: asked at each read, which takes microseconds. Who: asked or counted beside, so the answer has an age, which
 * goes with it. Files right at the top count as the directory {@code .} without owner.
 *
 * Quotas do not tell when somebody wrote last, so a mount that they account for is walked once a week all the same, for
 * that alone. A directory whose use has moved since was written to at the time of that walk or later, and the time of the
 * walk is told.
 *
 * <p>A walk outlives the agent ({@link CountFile}), and is not begun anew while the file system's use has moved by less
 * than a hundredth, for a week at most; the age says so.
 *
 * <p>Each mount is looked at by a thread of its own, so that one that hangs holds up nobody; one thread walks, one mount
 * after the other. A CephFS is never asked by whoever reads. File systems of other machines that are not CephFS are
 * refused: a dead file server would hang whoever asks, and its use is not this node's. Reading is confined to one thread.
 */
public final class ScratchProbe implements Probe<List<ScratchUse>>, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ScratchProbe.class);
    private static final int LOOKS_PER_SECOND = 20_000;
    /** How soon a mount that came back is noticed. */
    private static final Duration LOOK_EVERY = Duration.ofSeconds(30);

    private static final Duration QUOTAS_EVERY = Duration.ofMinutes(5);
    private static final Duration ANSWERS_WITHIN = Duration.ofMinutes(2);
    private static final Duration UNMOVED_AT_MOST = Duration.ofDays(7);
    private static final Duration ROUND_AT_MOST = Duration.ofDays(2);
    private static final Duration CLOSES_WITHIN = Duration.ofMillis(300);
    private static final Duration KEEP_EVERY = Duration.ofSeconds(30);

    private final List<Mount> mounts = new ArrayList<>();
    private final Duration recountEvery;
    private final UserNames names;
    private final InstantSource clock;
    private final LongSupplier nanoTime;
    private final Duration lookEvery;
    private final int mostTold;
    private final Set<Path> missing = new HashSet<>();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Semaphore looked = new Semaphore(0);
    private final List<Thread> threads = new ArrayList<>();

    /** What is known of one mount. */
    private static final class Mount {
        private final Path path;
        private final CountFile file;
        private volatile @Nullable ScratchLook look;
        private volatile long answeredNanos;
        /** When {@code look} was asked; used by the looking thread alone. */
        private long askedNanos;

        private volatile @Nullable Last walked;
        /** What quotas said of directories when the last walk began, by name; empty: not since the agent started. */
        private volatile Map<String, Long> usedAtWalk = Map.of();
        /** Used by the walking thread alone. */
        private boolean restored;

        private Optional<Round> running = Optional.empty();

        Mount(Path path, Path directory) {
            this.path = path;
            this.file = new CountFile(directory, path);
        }
    }

    /**
     * Starts looking and counting.
     *
     * @param mounts directories such as {@code /raid}
     * @param recountEvery time between the end of a count and the start of the next
     * @param directory where counts outlive the agent
     */
    public ScratchProbe(
            List<Path> mounts, Duration recountEvery, Path directory, UserNames names, InstantSource clock) {
        this(mounts, recountEvery, directory, names, clock, System::nanoTime, LOOK_EVERY);
    }

    /**
     * @param nanoTime tells how old an answer is, because the clock may be set
     * @param lookEvery how often each mount is looked at
     */
    ScratchProbe(
            List<Path> mounts,
            Duration recountEvery,
            Path directory,
            UserNames names,
            InstantSource clock,
            LongSupplier nanoTime,
            Duration lookEvery) {
        mounts.forEach(mount -> this.mounts.add(new Mount(mount, directory)));
        this.recountEvery = recountEvery;
        this.names = names;
        this.clock = clock;
        this.nanoTime = nanoTime;
        this.lookEvery = lookEvery;
        this.mostTold = TopDirectories.MOST_TOLD / Math.max(1, mounts.size());
        for (Mount mount : this.mounts) {
            threads.add(new Thread(() -> lookForEver(mount), "scratch-look"));
        }
        if (!mounts.isEmpty()) {
            threads.add(new Thread(this::countForEver, "scratch-count"));
        }
        threads.forEach(thread -> {
            thread.setDaemon(true);
            thread.start();
        });
    }

    @Override
    public String name() {
        return "scratch";
    }

    @Override
    public List<ScratchUse> read(Instant at) throws ProbeException {
        if (mounts.isEmpty()) {
            throw new NothingToReadException("no scratch mount is configured");
        }
        List<ScratchUse> uses = new ArrayList<>();
        String failure = "";
        for (Mount mount : mounts) {
            try {
                uses.add(read(mount));
                if (missing.remove(mount.path)) {
                    log.info("scratch is back: mount={}", mount.path);
                }
            } catch (IOException | RuntimeException e) { // our bug costs this mount, not the others
                failure = e instanceof IOException ? String.valueOf(e.getMessage()) : mount.path + ": " + e;
                if (missing.add(mount.path)) {
                    log.warn("scratch is left out: mount={} why={}", mount.path, failure);
                }
            }
        }
        if (uses.isEmpty()) {
            throw new ProbeException(TopDirectories.printable(failure));
        }
        return List.copyOf(uses);
    }

    /** Ends looking and counting, at the next file; waits for that only shortly, because a mount may hang. */
    @Override
    public void close() {
        closed.countDown();
        threads.forEach(Thread::interrupt);
        try {
            for (Thread thread : threads) {
                thread.join(CLOSES_WITHIN.toMillis());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private ScratchUse read(Mount mount) throws IOException {
        boolean remote = ScratchLook.mounted(mount.path).isRemote();
        Optional<ScratchLook> look = Optional.ofNullable(mount.look);
        FileSystem fileSystem;
        if (!remote) {
            ScratchLook.requireDirectory(mount.path);
            fileSystem = FileSystem.read(mount.path);
        } else if (look.isPresent() && nanoTime.getAsLong() - mount.answeredNanos <= ANSWERS_WITHIN.toNanos()) {
            fileSystem = look.get().fileSystem();
        } else {
            throw new IOException(mount.path + " does not answer");
        }
        Optional<Counted> walked = Optional.ofNullable(mount.walked).map(Last::counted);
        return new ScratchUse(
                TopDirectories.printable(mount.path.toString()),
                fileSystem.totalBytes(),
                fileSystem.usedBytes(),
                fileSystem.availableBytes(),
                fileSystem.inodesTotal(),
                fileSystem.inodesUsed(),
                look.flatMap(ScratchLook::directories)
                        .map(told -> walked.map(Counted::directories)
                                .map(seen -> withLastWrites(told, seen, mount.usedAtWalk))
                                .orElse(told))
                        .or(() -> walked.map(Counted::directories))
                        .map(this::named),
                look.flatMap(ScratchLook::users)
                        .or(() -> walked.map(Counted::users))
                        .map(this::namedUsers));
    }

    /**
     * What quotas tell, with the last writes that a walk saw; where the use has moved since then, or may have, the walk's
     * own time, for it was written to no earlier.
     */
    static Directories withLastWrites(Directories told, Directories seen, Map<String, Long> usedAtWalk) {
        Map<String, DirectoryUse> byName = new HashMap<>();
        seen.list().forEach(use -> byName.put(use.name(), use));
        List<DirectoryUse> dated = new ArrayList<>(told.list().size());
        for (DirectoryUse use : told.list()) {
            DirectoryUse walked = byName.get(use.name());
            boolean unmoved = Long.valueOf(use.usedBytes()).equals(usedAtWalk.get(use.name()));
            dated.add(
                    walked == null || use.lastWrite().isPresent()
                            ? use
                            : new DirectoryUse(
                                    use.name(),
                                    use.uid(),
                                    use.owner(),
                                    use.ownerIs(),
                                    use.usedBytes(),
                                    use.files(),
                                    unmoved ? walked.lastWrite() : Optional.of(seen.at()),
                                    use.limit()));
        }
        return new Directories(told.method(), told.at(), dated, told.unread());
    }

    private Directories named(Directories counted) {
        List<DirectoryUse> named = new ArrayList<>(counted.list().size());
        for (DirectoryUse use : counted.list()) {
            Login login = use.uid().isPresent()
                    ? names.loginOf(use.uid().getAsInt())
                    : new Login(Owner.NOT_ASKED, Optional.empty());
            named.add(new DirectoryUse(
                    use.name(),
                    use.uid(),
                    login.name(),
                    login.owner(),
                    use.usedBytes(),
                    use.files(),
                    use.lastWrite(),
                    use.limit()));
        }
        return new Directories(counted.method(), counted.at(), named, counted.unread());
    }

    private Users namedUsers(Users counted) {
        List<UserSpace> named = new ArrayList<>(counted.list().size());
        for (UserSpace space : counted.list()) {
            Login login = names.loginOf(space.uid());
            named.add(new UserSpace(
                    space.uid(), login.name(), login.owner(), space.usedBytes(), space.files(), space.limit()));
        }
        return new Users(counted.method(), counted.at(), named);
    }

    // ---- looking

    private void lookForEver(Mount mount) {
        String trouble = "";
        try {
            do {
                try {
                    look(mount);
                    trouble = "";
                } catch (IOException | RuntimeException | LinkageError e) {
                    mount.look = null;
                    if (!trouble.equals(e.toString())) {
                        trouble = e.toString();
                        log.warn("scratch cannot be looked at: mount={} why={}", mount.path, trouble);
                    }
                }
                looked.release();
            } while (!closed.await(lookEvery.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException expected) {
            // closed
        }
    }

    private void look(Mount mount) throws IOException {
        ScratchLook before = mount.look;
        ScratchLook now;
        if (before == null || isOld(before, mount)) {
            mount.askedNanos = nanoTime.getAsLong();
            now = ScratchLook.now(mount.path, clock.instant()).atMost(mostTold);
        } else {
            now = before.refreshed(mount.path);
        }
        mount.answeredNanos = nanoTime.getAsLong(); // before the look that it is about
        mount.look = now;
        if (before == null || !before.why().equals(now.why())) {
            log.info(
                    "scratch is told: mount={} type={} directories={} users={} why={}",
                    mount.path,
                    now.mounted().type(),
                    now.directories().map(Directories::method).orElse(now.wantsWalk() ? "walk" : "nothing"),
                    now.users().map(Users::method).orElse(now.wantsWalk() ? "walk" : "nothing"),
                    now.why());
        }
    }

    private boolean isOld(ScratchLook look, Mount mount) {
        Duration every = look.mounted().isRemote() ? recountEvery : QUOTAS_EVERY;
        return nanoTime.getAsLong() - mount.askedNanos > every.toNanos()
                || !look.mounted().equals(Mounted.at(mount.path));
    }

    // ---- walking

    private void countForEver() {
        Set<Path> failed = new HashSet<>();
        try {
            Libc.yieldToOthers();
            DirectoryCount count = new DirectoryCount(new Rate(LOOKS_PER_SECOND), clock, mostTold);
            while (true) {
                looked.drainPermits();
                for (Mount mount : mounts) {
                    ScratchLook look = mount.look;
                    try {
                        if (look != null && (look.wantsWalk() || look.wantsLastWrites()) && isDue(mount, look)) {
                            Map<String, Long> used = used(look);
                            count(mount, count);
                            mount.usedAtWalk = used;
                        }
                        failed.remove(mount.path);
                    } catch (IOException | RuntimeException | LinkageError e) { // the others are counted all the same
                        if (failed.add(mount.path)) {
                            log.warn("scratch cannot be counted: mount={} why={}", mount.path, String.valueOf(e));
                        }
                    }
                }
                looked.acquire();
            }
        } catch (InterruptedException expected) {
            // closed
        } catch (LinkageError | RuntimeException e) {
            log.error("scratch is not counted any more", e);
        }
    }

    private static Map<String, Long> used(ScratchLook look) {
        Map<String, Long> used = new HashMap<>();
        look.directories().ifPresent(told -> told.list().forEach(use -> used.put(use.name(), use.usedBytes())));
        return Map.copyOf(used);
    }

    private boolean isDue(Mount mount, ScratchLook look) throws IOException {
        FileSystem now = FileSystem.read(mount.path);
        if (!mount.restored) {
            mount.restored = true;
            Optional<Kept> kept = mount.file.read(now.totalBytes());
            mount.walked = kept.flatMap(Kept::last).orElse(null);
            mount.running = kept.flatMap(Kept::running);
        }
        Last last = mount.walked;
        if (last == null) {
            return true;
        }
        Duration age = Duration.between(last.counted().directories().at(), clock.instant());
        if (age.isNegative() || age.compareTo(UNMOVED_AT_MOST) >= 0) {
            return true;
        }
        return look.wantsWalk() && age.compareTo(recountEvery) >= 0 && (mount.running.isPresent() || moved(last, now));
    }

    /** Whether a file system's use has moved by a hundredth since it was counted. */
    static boolean moved(Last last, FileSystem now) {
        return moved(last.usedBytes(), now.usedBytes())
                || moved(last.inodesUsed().orElse(0), now.inodesUsed().orElse(0));
    }

    private static boolean moved(long before, long now) {
        return Math.abs(now - before) > 0 && Math.abs(now - before) >= before / 100;
    }

    private void count(Mount mount, DirectoryCount count) throws IOException, InterruptedException {
        ScratchLook.requireDirectory(mount.path);
        FileSystem atStart = FileSystem.read(mount.path);
        Optional<Last> before = Optional.ofNullable(mount.walked);
        Instant now = clock.instant();
        Round round = mount.running
                .filter(kept -> !kept.startedAt().isAfter(now)
                        && now.isBefore(kept.startedAt().plus(ROUND_AT_MOST)))
                .orElseGet(() -> Round.from(now));
        if (!round.finished().isEmpty()) {
            log.info(
                    "scratch count goes on: mount={} finished={}",
                    mount.path,
                    round.finished().size());
        }
        long[] keptAt = {System.nanoTime()};
        Counted counted = count.count(mount.path, round, (Supplier<Round> soFar) -> {
            if (System.nanoTime() - keptAt[0] >= KEEP_EVERY.toNanos()) {
                keptAt[0] = System.nanoTime();
                mount.running = Optional.of(soFar.get());
                mount.file.write(new Kept(atStart.totalBytes(), before, mount.running));
            }
        });
        Last last = new Last(counted, atStart.usedBytes(), atStart.inodesUsed());
        mount.file.write(new Kept(atStart.totalBytes(), Optional.of(last), Optional.empty()));
        mount.walked = last;
        mount.running = Optional.empty();
        boolean same = before.map(Last::counted)
                .map(old -> old.directories().unread() == counted.directories().unread()
                        && old.leftOut() == counted.leftOut())
                .orElse(false);
        if (!same) {
            log.info(
                    "scratch counted: mount={} directories={} users={} unread={} left_out={}",
                    mount.path,
                    counted.directories().list().size(),
                    counted.users().list().size(),
                    counted.directories().unread(),
                    counted.leftOut());
        }
    }

    /** Bounds looks per second, in batches, so that a slow disk earns no burst afterwards. */
    private static final class Rate implements DirectoryCount.Pace {
        private static final int BATCH = 200;
        private final long nanosPerBatch;
        private int looks;
        private long batchFrom = System.nanoTime();

        Rate(int perSecond) {
            nanosPerBatch = BATCH * 1_000_000_000L / perSecond;
        }

        @Override
        public void next() throws InterruptedException {
            if (++looks < BATCH) {
                return;
            }
            looks = 0;
            LockSupport.parkNanos(nanosPerBatch - (System.nanoTime() - batchFrom));
            if (Thread.interrupted()) {
                throw new InterruptedException("closed");
            }
            batchFrom = System.nanoTime();
        }
    }
}
