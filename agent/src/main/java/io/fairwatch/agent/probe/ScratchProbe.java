package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.DirectoryCount.Counted;
import io.fairwatch.agent.probe.Libc.FileSystem;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Scratch file systems: how full each is, and who fills it.
 *
 * <p>How full: asked at each read, which takes microseconds. Who: counted by a walk on a daemon thread of this object
 * that starts at once and then every so often, at idle disk priority and a bounded rate, so the answer has an age, which
 * goes with it. Its method is {@code walk}, or {@code walk-partial} when some directories could not be read and the
 * figures are therefore too low. Files right at the top count as the directory {@code .} without owner.
 *
 * <p>Only file systems of this node: a dead file server would hang whoever asks, and its use is not this node's. Reading
 * is confined to one thread.
 */
public final class ScratchProbe implements Probe<List<ScratchUse>>, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ScratchProbe.class);
    private static final int LOOKS_PER_SECOND = 20_000;
    /** How soon a mount that came back is noticed by the count. */
    private static final Duration LOOK_EVERY = Duration.ofSeconds(30);

    private static final int MOST_DIRECTORIES = 5_000;
    private static final Path MOUNTS = Path.of("/proc/self/mountinfo");
    private static final Set<String> REMOTE = Set.of(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "lustre",
            "gpfs",
            "beegfs",
            "ceph",
            "afs",
            "9p",
            "autofs",
            "pvfs2",
            "orangefs",
            "gfs2",
            "wekafs",
            "coda",
            "ncpfs");

    private final List<Path> mounts;
    private final Duration recountEvery;
    private final UserNames names;
    private final InstantSource clock;
    private final Map<Path, Counted> counts = new ConcurrentHashMap<>();
    private final Set<Path> missing = new HashSet<>();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread walker = new Thread(this::countForEver, "scratch-count");

    /**
     * Starts counting.
     *
     * @param mounts directories such as {@code /raid}
     * @param recountEvery time between the end of a count and the start of the next
     */
    public ScratchProbe(List<Path> mounts, Duration recountEvery, UserNames names, InstantSource clock) {
        this.mounts = List.copyOf(mounts);
        this.recountEvery = recountEvery;
        this.names = names;
        this.clock = clock;
        walker.setDaemon(true);
        if (!mounts.isEmpty()) {
            walker.start();
        }
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
        for (Path mount : mounts) {
            try {
                uses.add(read(mount));
                if (missing.remove(mount)) {
                    log.info("scratch is back: mount={}", mount);
                }
            } catch (IOException e) {
                failure = String.valueOf(e.getMessage());
                if (missing.add(mount)) {
                    log.warn("scratch is left out: mount={} why={}", mount, failure);
                }
            }
        }
        if (uses.isEmpty()) {
            throw new ProbeException(DirectoryCount.printable(failure));
        }
        return List.copyOf(uses);
    }

    /** Ends the count, at its next file, without waiting for it. */
    @Override
    public void close() {
        closed.countDown();
        walker.interrupt();
    }

    private ScratchUse read(Path mount) throws IOException {
        requireLocalDirectory(mount);
        FileSystem fileSystem = FileSystem.read(mount);
        Optional<Counted> counted = Optional.ofNullable(counts.get(mount));
        return new ScratchUse(
                DirectoryCount.printable(mount.toString()),
                fileSystem.totalBytes(),
                fileSystem.usedBytes(),
                fileSystem.availableBytes(),
                fileSystem.inodesTotal(),
                fileSystem.inodesUsed(),
                counted.map(
                        count -> new ScratchUse.Directories("walk", count.endedAt(), named(count), count.unreadable())),
                Optional.empty());
    }

    private List<DirectoryUse> named(Counted counted) {
        List<DirectoryUse> uses = new ArrayList<>(counted.directories().size());
        counted.directories().forEach(directory -> {
            Optional<String> owner =
                    directory.uid().isPresent() ? names.nameOf(directory.uid().getAsInt()) : Optional.empty();
            uses.add(new DirectoryUse(
                    directory.name(),
                    directory.uid(),
                    owner,
                    owner.isPresent() ? ScratchUse.Owner.KNOWN : ScratchUse.Owner.NOT_ASKED,
                    directory.usedBytes(),
                    directory.files(),
                    directory.lastWrite(),
                    Optional.empty()));
        });
        return uses;
    }

    private static void requireLocalDirectory(Path mount) throws IOException {
        String type = fileSystemType(
                KernelFiles.readText(MOUNTS).orElse(""),
                mount.toAbsolutePath().normalize().toString());
        if (REMOTE.contains(type) || type.startsWith("fuse.")) {
            throw new IOException(mount + " is " + type + " (expected: a file system of this node)");
        }
        if (!Files.isDirectory(mount)) {
            throw new IOException(mount + " is missing, or no directory");
        }
    }

    /**
     * The type of the file system that holds a path, without touching it. A line of mountinfo:
     *
     * <pre>{@code 36 35 98:0 /mnt1 /raid rw,noatime master:1 - ext4 /dev/root rw,errors=continue}</pre>
     */
    static String fileSystemType(String mountinfo, String path) {
        String type = "";
        int longest = 0;
        for (String line : mountinfo.split("\n", -1)) {
            String[] parts = line.split(" - ", 2);
            String[] fields = parts[0].split(" ", -1);
            if (parts.length < 2 || fields.length < 5) {
                continue;
            }
            String mountPoint = fields[4].equals("/") ? "" : fields[4].replace("\\040", " ");
            boolean holds = path.equals(mountPoint) || path.startsWith(mountPoint + "/");
            if (holds && mountPoint.length() >= longest) {
                longest = mountPoint.length(); // of several mounts on one point, the last hides the others
                type = parts[1].split(" ", 2)[0];
            }
        }
        return type;
    }

    private void countForEver() {
        Set<Path> failed = new HashSet<>();
        try {
            Libc.yieldToOthers();
            DirectoryCount count = new DirectoryCount(new Rate(LOOKS_PER_SECOND), clock, MOST_DIRECTORIES);
            do {
                for (Path mount : mounts) {
                    try {
                        if (isDue(mount)) {
                            count(mount, count);
                        }
                        failed.remove(mount);
                    } catch (IOException e) {
                        if (failed.add(mount)) {
                            log.warn("scratch cannot be counted: mount={} why={}", mount, String.valueOf(e));
                        }
                    }
                }
            } while (!closed.await(LOOK_EVERY.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException expected) {
            // closed
        } catch (LinkageError | RuntimeException e) {
            log.error("scratch is not counted any more", e);
        }
    }

    private boolean isDue(Path mount) {
        Counted last = counts.get(mount);
        return last == null || !last.endedAt().plus(recountEvery).isAfter(clock.instant());
    }

    private void count(Path mount, DirectoryCount count) throws IOException, InterruptedException {
        requireLocalDirectory(mount);
        Counted now = count.count(mount);
        Counted before = counts.put(mount, now);
        if (before == null || before.unreadable() != now.unreadable() || before.leftOut() != now.leftOut()) {
            log.info(
                    "scratch counted: mount={} directories={} unreadable={} left_out={}",
                    mount,
                    now.directories().size(),
                    now.unreadable(),
                    now.leftOut());
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
