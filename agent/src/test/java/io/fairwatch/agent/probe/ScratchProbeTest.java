package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.probe.DirectoryCount.Counted;
import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScratchProbeTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
    private static final String MOUNTINFO = """
            22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
            36 22 9:0 / /raid rw,noatime master:1 - xfs /dev/md0 rw,errors=continue
            37 36 0:44 / /raid/share rw - nfs4 server:/share rw
            38 22 0:45 / /raid2 rw - lustre mgs@o2ib:/fs rw
            39 22 0:46 / /mnt/with\\040space rw - cifs //server/x rw
            garbage
            """;

    private final Path directory;

    ScratchProbeTest(@TempDir Path directory) {
        this.directory = directory;
    }

    @Test
    @DisplayName("a mount tells how full it is at once, and who fills it as soon as it was counted")
    void read() throws Exception {
        Path raid = Files.createDirectories(directory.resolve("raid"));
        Files.createDirectory(raid.resolve("anna"));
        Files.writeString(raid.resolve("anna/f"), "x".repeat(100_000));
        try (ScratchProbe probe = probe(List.of(raid))) {
            ScratchUse use = probe.read(NOON).get(0);
            assertEquals(raid.toString(), use.mount());
            assertEquals(raid.toFile().getTotalSpace(), use.totalBytes());
            assertTrue(use.usedBytes() > 0 && use.usedBytes() <= use.totalBytes());
            assertTrue(Math.abs(raid.toFile().getUsableSpace() - use.availableBytes()) < 1 << 30);
            ScratchUse counted = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> readUntilCounted(probe));
            assertEquals(Optional.of(NOON), counted.directories().map(ScratchUse.Directories::at));
            assertEquals(Optional.of("walk"), counted.directories().map(ScratchUse.Directories::method));
            assertEquals(
                    "anna", counted.directories().orElseThrow().list().get(0).name());
            assertEquals(1, counted.directories().orElseThrow().list().get(0).files());
        }
    }

    @Test
    @DisplayName("a mount that is missing is left out, and comes back; the others are read")
    void missing() throws Exception {
        Path missing = directory.resolve("raid2");
        try (ScratchProbe probe = probe(List.of(missing, directory))) {
            assertEquals(1, probe.read(NOON).size());
            Files.createDirectory(missing);
            assertEquals(2, probe.read(NOON).size());
        }
    }

    @Test
    @DisplayName("when no mount can be read, the probe fails and says why; when none is configured there is nothing")
    void none() {
        try (ScratchProbe probe = probe(List.of(directory.resolve("raid2")))) {
            String why =
                    assertThrows(ProbeException.class, () -> probe.read(NOON)).getMessage();
            assertTrue(String.valueOf(why).endsWith("raid2 is missing, or no directory"), why);
        }
        try (ScratchProbe probe = probe(List.of())) {
            assertThrows(NothingToReadException.class, () -> probe.read(NOON));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "/raid, xfs",
        "/raid/anna, xfs",
        "/raid/share, nfs4",
        "/raid/share/x, nfs4",
        "/raid/shared, xfs",
        "/raid2, lustre",
        "/scratch, ext4",
        "/, ext4",
        "/mnt/with space, cifs",
    })
    @DisplayName("the file system of a path is that of the deepest mount above it")
    void types(String path, String type) {
        assertEquals(type, Mounted.parse(MOUNTINFO, path).type());
    }

    @Test
    @DisplayName("a count outlives the agent, with its age; use by user, too")
    void outlives() throws Exception {
        Path raid = directory.resolve("raid");
        Files.createDirectories(raid.resolve("anna"));
        ScratchUse before;
        try (ScratchProbe probe = probe(List.of(raid))) {
            before = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> readUntilCounted(probe));
        }
        Files.createDirectory(raid.resolve("bob"));
        ScratchUse after;
        try (ScratchProbe probe = probe(List.of(raid), NOON.plus(Duration.ofMinutes(59)))) {
            after = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> readUntilCounted(probe));
        }
        assertEquals(before.directories(), after.directories());
        assertEquals(before.users(), after.users());
        assertTrue(after.users().isPresent());
        assertEquals(Optional.of(NOON), after.users().map(ScratchUse.Users::at));
    }

    @Test
    @DisplayName("an old count of a file system that has not moved by a hundredth holds, but no longer than a week")
    void unmoved() throws Exception {
        Path raid = directory.resolve("raid");
        Files.createDirectories(raid.resolve("anna"));
        try (ScratchProbe probe = probe(List.of(raid))) {
            assertTimeoutPreemptively(Duration.ofSeconds(20), () -> readUntilCounted(probe));
        }
        try (ScratchProbe probe = probe(List.of(raid), NOON.plus(Duration.ofDays(6)))) {
            ScratchUse use = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> readUntilCounted(probe));
            assertEquals(Optional.of(NOON), use.directories().map(ScratchUse.Directories::at));
        }
        Instant later = NOON.plus(Duration.ofDays(7));
        try (ScratchProbe probe = probe(List.of(raid), later)) {
            assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
                while (!readUntilCounted(probe).directories().orElseThrow().at().equals(later)) {
                    Thread.onSpinWait();
                }
            });
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1000000, 1009999, 500, 504, false",
        "1000000, 1010000, 500, 500, true",
        "1000000, 990000, 500, 500, true",
        "1000000, 1000000, 500, 505, true",
        "1000000, 1000000, 500, 496, false",
        "0, 0, 0, 0, false",
        "0, 4096, 0, 1, true",
    })
    @DisplayName("a hundredth more or less, of bytes or of files, is a move")
    void moved(long bytes, long bytesNow, long files, long filesNow, boolean moved) {
        Counted nothing = new Counted(
                new ScratchUse.Directories("walk", NOON, List.of(), 0),
                new ScratchUse.Users("walk", NOON, List.of()),
                0);
        assertEquals(
                moved,
                ScratchProbe.moved(
                        new CountFile.Last(nothing, bytes, OptionalLong.of(files)),
                        new Libc.FileSystem(
                                1L << 40, bytesNow, 1, OptionalLong.of(1 << 20), OptionalLong.of(filesNow))));
    }

    @Test
    @DisplayName("an owner whom the directory service does not know is not asked for, gone, or known")
    void owners() throws Exception {
        Path raid = directory.resolve("raid");
        Files.createDirectories(raid.resolve("anna"));
        int uid = (Integer) Files.getAttribute(raid.resolve("anna"), "unix:uid");
        UserNames names = new UserNames(
                asked -> asked == uid ? Optional.of("anna@uni") : Optional.empty(), Runnable::run, () -> 0);
        try (ScratchProbe probe =
                new ScratchProbe(List.of(raid), Duration.ofHours(1), directory.resolve("state"), names, () -> NOON)) {
            ScratchUse use = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> readUntilCounted(probe));
            ScratchUse.DirectoryUse anna =
                    use.directories().orElseThrow().list().get(0);
            assertEquals(Optional.of("anna@uni"), anna.owner());
            assertEquals(ScratchUse.Owner.KNOWN, anna.ownerIs());
            assertEquals(
                    ScratchUse.Owner.KNOWN,
                    use.users().orElseThrow().list().get(0).owner());
        }
    }

    @Test
    @DisplayName("a bug that one mount's content brings out costs that mount: the others are read and counted")
    void oneBadMount() throws Exception {
        Path bad = Files.createDirectories(directory.resolve("bad"));
        Path good = Files.createDirectories(directory.resolve("good"));
        Files.createDirectory(good.resolve("anna"));
        Files.createDirectory(bad.resolve("otto"));
        AtomicBoolean broken = new AtomicBoolean(true);
        UserNames names = new UserNames(
                uid -> {
                    if (broken.get()) {
                        throw new IllegalStateException("a bug");
                    }
                    return Optional.of("anna");
                },
                Runnable::run,
                () -> 0);
        AtomicBoolean first = new AtomicBoolean(true);
        InstantSource clock = () -> {
            if (Thread.currentThread().getName().equals("scratch-count") && first.getAndSet(false)) {
                throw new IllegalStateException("another bug");
            }
            return NOON;
        };
        try (ScratchProbe probe =
                new ScratchProbe(List.of(bad, good), Duration.ofHours(1), directory.resolve("state"), names, clock)) {
            assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
                while (probe.read(NOON).size() == 2) { // until one was counted, whose owners cannot be named
                    Thread.onSpinWait();
                }
            });
            List<ScratchUse> left = probe.read(NOON);
            assertEquals(1, left.size(), "that of which the count failed; either may come first");
            broken.set(false);
            List<ScratchUse> all = probe.read(NOON);
            assertEquals(2, all.size());
            all.forEach(use -> assertEquals(
                    !use.mount().equals(left.get(0).mount()), use.directories().isPresent()));
        }
    }

    @Test
    @DisplayName("a mount is asked anew though the clock was set back")
    void clockSetBack() throws Exception {
        Path raid = Files.createDirectories(directory.resolve("raid"));
        Files.createDirectory(raid.resolve("anna"));
        AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 5);
        AtomicReference<Instant> now = new AtomicReference<>(NOON);
        Instant before = NOON.minus(Duration.ofDays(365));
        AtomicInteger asked = new AtomicInteger();
        InstantSource clock = () -> {
            if (Thread.currentThread().getName().equals("scratch-look")) {
                asked.incrementAndGet(); // once for each time that all is asked anew
            }
            return now.get();
        };
        try (ScratchProbe probe = new ScratchProbe(
                List.of(raid),
                Duration.ofHours(1),
                directory.resolve("state"),
                UserNames.off(),
                clock,
                nanos::get,
                Duration.ofMillis(5))) {
            assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
                while (asked.get() == 0) {
                    Thread.onSpinWait();
                }
                now.set(before);
                nanos.addAndGet(Duration.ofMinutes(6).toNanos());
                while (asked.get() < 2) {
                    Thread.onSpinWait();
                }
            });
            assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
                while (!readUntilCounted(probe).directories().orElseThrow().at().equals(before)) {
                    Thread.onSpinWait();
                }
            });
        }
    }

    @Test
    @DisplayName("where a mount's figures come from is told, and why from nowhere better")
    void source() throws IOException {
        Files.createDirectory(directory.resolve("anna"));
        Files.createDirectory(directory.resolve("lost+found"));
        ScratchSource source = ScratchSource.inspect(directory, NOON);
        assertEquals(Optional.of("walk"), source.directories());
        assertEquals(Optional.of("walk"), source.users());
        assertTrue(source.why().size() > 0);
        assertEquals(1, source.directoriesAtTop());
        assertEquals(0, source.closed());
        ScratchSource none = ScratchSource.inspect(directory.resolve("none"), NOON);
        assertEquals(Optional.empty(), none.directories());
        assertEquals(List.of(directory.resolve("none") + " is missing, or no directory"), none.why());
    }

    @ParameterizedTest
    @CsvSource({"/raid, /dev/md0, true", "/raid/anna, /dev/md0, false", "/, /dev/sda2, true"})
    @DisplayName("quotas are asked for by device, and of whole file systems only")
    void devices(String path, String device, boolean whole) {
        Mounted mounted = Mounted.parse(MOUNTINFO, path);
        assertEquals(device, mounted.device());
        assertEquals(whole, mounted.whole());
    }

    @ParameterizedTest
    @CsvSource({"ceph, true, true", "fuse.ceph, true, true", "fuse.sshfs, false, true", "xfs, false, false"})
    @DisplayName("CephFS is a file system of other machines that tells its use; others of that kind are left alone")
    void ceph(String type, boolean ceph, boolean remote) {
        assertEquals(ceph, new Mounted(type, "", true).isCeph());
        assertEquals(remote, new Mounted(type, "", true).isRemote());
    }

    private static ScratchUse readUntilCounted(ScratchProbe probe) throws ProbeException {
        ScratchUse use = probe.read(NOON).get(0);
        while (use.directories().isEmpty()) {
            Thread.onSpinWait();
            use = probe.read(NOON).get(0);
        }
        return use;
    }

    private ScratchProbe probe(List<Path> mounts) {
        return probe(mounts, NOON);
    }

    private ScratchProbe probe(List<Path> mounts, Instant now) {
        return new ScratchProbe(mounts, Duration.ofHours(1), directory.resolve("state"), UserNames.off(), () -> now);
    }

    @Test
    @DisplayName("quotas tell no last write: a walk does, and its own time where the use has moved since")
    void lastWritesBesideQuotas() {
        Instant walk = Instant.parse("2026-11-20T12:00:00Z");
        Instant written = Instant.parse("2026-07-01T00:00:00Z");
        Directories seen = new Directories(
                "walk", walk, List.of(use("quiet", 7, Optional.of(written)), use("busy", 7, Optional.of(written))), 0);
        Directories told = new Directories(
                "quota",
                walk.plusSeconds(600),
                List.of(
                        use("quiet", 10, Optional.empty()),
                        use("busy", 11, Optional.empty()),
                        use("new", 1, Optional.empty())),
                0);
        Map<String, Long> usedAtWalk = Map.of("quiet", 10L, "busy", 10L);
        assertEquals(
                List.of(Optional.of(written), Optional.of(walk), Optional.empty()), lastWrites(told, seen, usedAtWalk));
        // after a restart of the agent nobody knows whether it moved
        assertEquals(List.of(Optional.of(walk), Optional.of(walk), Optional.empty()), lastWrites(told, seen, Map.of()));
    }

    private static DirectoryUse use(String name, long bytes, Optional<Instant> lastWrite) {
        return new DirectoryUse(
                name, OptionalInt.empty(), Optional.empty(), Owner.NOT_ASKED, bytes, 1, lastWrite, Optional.empty());
    }

    private static List<Optional<Instant>> lastWrites(Directories told, Directories seen, Map<String, Long> used) {
        return ScratchProbe.withLastWrites(told, seen, used).list().stream()
                .map(DirectoryUse::lastWrite)
                .toList();
    }
}
