package io.fairwatch.agent.spool;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairwatch.agent.spool.Spool.Loss;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.zip.Deflater;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpoolTest {
    private static final Duration MAX_AGE = Duration.ofDays(7);
    private static final long FIRST = Instant.parse("2026-11-20T12:00:00Z").toEpochMilli();

    private final Path directory;
    private Instant now = Instant.ofEpochMilli(FIRST);

    SpoolTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private Spool open() throws IOException {
        return open(1_000_000);
    }

    private Spool open(long maxBytes) throws IOException {
        return Spool.open(directory, new Spool.Limits(maxBytes, MAX_AGE, 100), () -> now);
    }

    private static byte[] packed(long sequence) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(bytes) {
            {
                def.setLevel(Deflater.NO_COMPRESSION); // all of one size
            }
        }) {
            gzip.write(("snapshot " + sequence).getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private Path file(long sequence) {
        return directory.resolve("%020d.json.gz".formatted(sequence));
    }

    @Test
    @DisplayName("a new spool begins at the clock's milliseconds and counts by one")
    void sequences() throws Exception {
        try (Spool spool = open()) {
            assertEquals(FIRST, spool.append(SpoolTest::packed));
            assertEquals(FIRST + 1, spool.append(SpoolTest::packed));
            assertArrayEquals(packed(FIRST), Files.readAllBytes(file(FIRST)));
            assertEquals(2, spool.waiting());
            assertEquals(Files.size(file(FIRST)) + Files.size(file(FIRST + 1)), spool.bytes());
        }
    }

    @Test
    @DisplayName("it knows when something was last acknowledged; what was refused for good was not")
    void acknowledgedAt() throws Exception {
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
            spool.append(SpoolTest::packed);
            assertEquals(Optional.empty(), spool.acknowledgedAt());
            Instant then = now.plusSeconds(3);
            now = then;
            spool.acknowledge(FIRST);
            now = then.plusSeconds(60);
            spool.reject(FIRST + 1);
            assertEquals(Optional.of(then), spool.acknowledgedAt());
        }
    }

    @Test
    @DisplayName("what was not acknowledged is there after a restart, and numbers go on")
    void restart() throws Exception {
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
            spool.append(SpoolTest::packed);
            spool.acknowledge(FIRST);
        }
        try (Spool spool = open()) {
            assertEquals(FIRST + 1, spool.oldest(1000, 10).orElseThrow().first());
            spool.acknowledge(FIRST + 1);
        }
        try (Spool spool = open()) {
            assertEquals(Optional.empty(), spool.oldest(1000, 10));
            assertEquals(FIRST + 2, spool.append(SpoolTest::packed));
        }
    }

    @Test
    @DisplayName("numbers go on above the files when what was acknowledged is forgotten")
    void forgotten() throws Exception {
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
            spool.append(SpoolTest::packed);
            spool.acknowledge(FIRST);
        }
        Files.writeString(directory.resolve("acknowledged"), "rubbish");
        try (Spool spool = open()) {
            assertEquals(FIRST + 2, spool.append(SpoolTest::packed));
        }
    }

    @Test
    @DisplayName("a batch is the oldest snapshots joined, as many as fit")
    void batches() throws Exception {
        try (Spool spool = open()) {
            for (int i = 0; i < 3; i++) {
                spool.append(SpoolTest::packed);
            }
            int size = packed(FIRST).length;
            Spool.Batch two = spool.oldest(2L * size, 10).orElseThrow();
            assertEquals(FIRST, two.first());
            assertEquals(FIRST + 1, two.last());
            assertEquals(2, two.size());
            assertArrayEquals(packed(FIRST), Arrays.copyOf(two.bytes(), size));
            assertArrayEquals(packed(FIRST + 1), Arrays.copyOfRange(two.bytes(), size, 2 * size));
            assertEquals(1, spool.oldest(1, 10).orElseThrow().size()); // too large by itself still goes
            assertEquals(1, spool.oldest(1000, 1).orElseThrow().size());
        }
    }

    @Test
    @DisplayName("when full the oldest are dropped and counted")
    void full() throws Exception {
        int size = packed(FIRST).length;
        try (Spool spool = open(2L * size)) {
            for (int i = 0; i < 5; i++) {
                spool.append(SpoolTest::packed);
            }
            assertEquals(3, spool.dropped());
            assertEquals(3, spool.dropped(Loss.BYTES));
            assertEquals(2, spool.waiting());
            assertEquals(FIRST + 3, spool.oldest(1000, 10).orElseThrow().first());
        }
    }

    @Test
    @DisplayName("a snapshot cut at any byte while it was written is no snapshot; the others survive")
    void cutAnywhere() throws Exception {
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
        }
        byte[] whole = packed(FIRST + 1);
        for (int length = 0; length <= whole.length; length++) {
            Path temporary = directory.resolve(file(FIRST + 1).getFileName() + ".tmp");
            Files.write(temporary, Arrays.copyOf(whole, length));
            try (Spool spool = open()) {
                Spool.Batch batch = spool.oldest(1000, 10).orElseThrow();
                assertArrayEquals(packed(FIRST), batch.bytes());
                assertTrue(Files.notExists(temporary));
            }
        }
    }

    @Test
    @DisplayName("foreign files are left alone; those with a snapshot's name that hold none are counted and deleted")
    void foreign() throws Exception {
        Files.writeString(directory.resolve("notes.txt"), "hello");
        Files.writeString(file(7), "not gzip at all, whatever its name says");
        Files.write(file(8), new byte[0]);
        Files.write(file(9), new byte[5 << 20]);
        try (Spool spool = open(10 << 20)) {
            assertEquals((5 << 20) + 39, spool.bytes(), "it counts for the bound meanwhile");
            assertEquals(Optional.empty(), spool.oldest(1000, 10));
            assertEquals(3, spool.dropped(Loss.DAMAGED));
            assertEquals(0, spool.bytes());
            assertEquals(10, spool.append(SpoolTest::packed));
        }
        assertTrue(Files.exists(directory.resolve("notes.txt")));
        for (int sequence = 7; sequence < 10; sequence++) {
            assertTrue(Files.notExists(file(sequence)), "file " + sequence);
        }
    }

    @Test
    @DisplayName("what was acknowledged before a crash could delete it is not sent again")
    void crashAfterAcknowledge() throws Exception {
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
            spool.append(SpoolTest::packed);
        }
        Files.writeString(directory.resolve("acknowledged"), FIRST + "\n");
        try (Spool spool = open()) {
            assertEquals(FIRST + 1, spool.oldest(1000, 10).orElseThrow().first());
            assertTrue(Files.notExists(file(FIRST)));
        }
    }

    @Test
    @DisplayName("what the collector refuses is set aside, counted and bounded")
    void rejected() throws Exception {
        try (Spool spool = open()) {
            for (int i = 0; i < 5; i++) {
                long sequence = spool.append(SpoolTest::packed);
                spool.reject(sequence);
            }
            assertEquals(5, spool.rejected());
            assertEquals(0, spool.waiting());
            int kept = 100 / packed(FIRST).length;
            try (var files = Files.list(directory.resolve("rejected"))) {
                assertEquals(kept, files.count());
            }
            assertTrue(Files.exists(
                    directory.resolve("rejected").resolve(file(FIRST + 4).getFileName())));
        }
        try (Spool spool = open()) {
            assertEquals(FIRST + 5, spool.append(SpoolTest::packed));
        }
    }

    @Test
    @DisplayName("a file that vanished costs itself, not the rest")
    void vanished() throws Exception {
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
            spool.append(SpoolTest::packed);
            Files.delete(file(FIRST));
            Spool.Batch batch = spool.oldest(1000, 10).orElseThrow();
            assertEquals(FIRST + 1, batch.first());
            assertEquals(1, spool.waiting());
            assertEquals(1, spool.dropped());
        }
    }

    @Test
    @DisplayName("what waited for too long is dropped and counted, after a restart too")
    void age() throws Exception {
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
            now = now.plus(Duration.ofDays(4));
            spool.append(SpoolTest::packed);
            now = now.plus(Duration.ofDays(4));
            spool.append(SpoolTest::packed);
            assertEquals(1, spool.dropped(Loss.AGE));
            assertEquals(FIRST + 1, spool.oldest(1000, 10).orElseThrow().first());
        }
        Files.setLastModifiedTime(file(FIRST + 1), FileTime.from(now.minus(Duration.ofDays(8))));
        Files.setLastModifiedTime(file(FIRST + 2), FileTime.from(now));
        try (Spool spool = open()) {
            assertEquals(1, spool.dropped(Loss.AGE));
            assertEquals(FIRST + 2, spool.oldest(1000, 10).orElseThrow().first());
        }
    }

    @Test
    @DisplayName("when the clock is set back nothing is from the future, so that the bound of age still holds")
    void clockSetBack() throws Exception {
        try (Spool spool = open()) {
            now = now.plus(Duration.ofDays(365));
            spool.append(SpoolTest::packed);
            now = now.minus(Duration.ofDays(365));
            spool.append(SpoolTest::packed);
            now = now.plus(Duration.ofDays(8));
            spool.append(SpoolTest::packed);
            assertEquals(2, spool.dropped(Loss.AGE));
            assertEquals(1, spool.waiting());
        }
    }

    @Test
    @DisplayName("an earlier agent's snapshot that was cut at any byte is dropped and counted; the others survive")
    void cutAfterwards() throws Exception {
        byte[] whole = packed(FIRST);
        for (int length = 0; length < whole.length; length++) {
            damaged(Arrays.copyOf(whole, length), "cut at " + length);
        }
    }

    @Test
    @DisplayName("no turned bit makes another snapshot of an earlier agent's: it is dropped, or unpacks to the same")
    void turnedBits() throws Exception {
        byte[] whole = packed(FIRST);
        for (int bit = 0; bit < whole.length * 8; bit++) {
            byte[] turned = whole.clone();
            turned[bit / 8] ^= (byte) (1 << bit % 8);
            damaged(turned, "bit " + bit);
        }
    }

    /** Three snapshots wait, the first is damaged. */
    private void damaged(byte[] content, String what) throws IOException {
        for (long sequence = FIRST; sequence < FIRST + 3; sequence++) {
            Files.write(file(sequence), sequence == FIRST ? content : packed(sequence));
        }
        Files.writeString(directory.resolve("acknowledged"), FIRST - 1 + "\n");
        try (Spool spool = open()) {
            Spool.Batch batch = spool.oldest(1000, 10).orElseThrow();
            String arrived = unpacked(batch.bytes());
            assertTrue(
                    arrived.equals("snapshot " + (FIRST + 1) + "snapshot " + (FIRST + 2))
                            || arrived.equals(
                                    "snapshot " + FIRST + "snapshot " + (FIRST + 1) + "snapshot " + (FIRST + 2)),
                    what + ": " + arrived);
            assertEquals(FIRST + 2, batch.last(), what);
            spool.acknowledge(batch.last());
            assertEquals(0, spool.waiting(), what);
            assertEquals(FIRST + 3, spool.append(SpoolTest::packed), what);
            spool.acknowledge(FIRST + 3);
        }
        Files.deleteIfExists(file(FIRST)); // one that does not even look packed is left alone
    }

    private static String unpacked(byte[] packed) throws IOException {
        try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(packed))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    @DisplayName("after an outage of three days and a restart all is there, in order, in batches of bounded size")
    void outageOfDays() throws Exception {
        int snapshots = 3 * 24 * 120;
        byte[] one = packed(FIRST);
        for (long sequence = FIRST; sequence < FIRST + snapshots; sequence++) {
            Files.write(file(sequence), one);
        }
        try (Spool spool = open(1 << 30)) {
            assertEquals(snapshots, spool.waiting());
            long next = FIRST;
            while (spool.waiting() > 0) {
                Spool.Batch batch = spool.oldest(16 * 1024, 1000).orElseThrow();
                assertEquals(next, batch.first());
                assertEquals(next + batch.size() - 1, batch.last());
                assertTrue(batch.bytes().length <= 16 * 1024);
                spool.acknowledge(batch.last());
                next = batch.last() + 1;
            }
            assertEquals(FIRST + snapshots, next);
            assertEquals(0, spool.dropped());
            assertEquals(0, spool.bytes());
        }
    }

    @Test
    @DisplayName(
            "a torn note of what was acknowledged, cut anywhere or with any bit turned, loses and repeats no number")
    void tornNote() throws Exception {
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
            spool.acknowledge(FIRST);
            spool.append(SpoolTest::packed);
        }
        Path note = directory.resolve("acknowledged");
        byte[] whole = Files.readAllBytes(note);
        for (int i = 0; i < whole.length * 9; i++) {
            byte[] torn = i < whole.length ? Arrays.copyOf(whole, i) : whole.clone();
            if (i >= whole.length) {
                torn[i / 9] ^= (byte) (1 << i % 8);
            }
            Files.write(note, torn);
            try (Spool spool = open()) {
                assertEquals(FIRST + 1, spool.oldest(1000, 10).orElseThrow().first(), "torn " + i);
                assertEquals(FIRST + 2, spool.append(SpoolTest::packed), "torn " + i);
            }
            Files.delete(file(FIRST + 2));
        }
    }

    @Test
    @DisplayName("while the disk takes nothing snapshots wait in memory, are sent from there, and go to the disk later")
    void diskTakesNothing() throws Exception {
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
            Path obstacle = obstacle(FIRST + 1);
            assertEquals(FIRST + 1, spool.append(SpoolTest::packed));
            assertEquals(FIRST + 2, spool.append(SpoolTest::packed));
            assertTrue(spool.trouble().orElse("").contains("wait in memory"), () -> String.valueOf(spool.trouble()));
            assertTrue(Files.notExists(file(FIRST + 1)) && Files.notExists(file(FIRST + 2)));
            Spool.Batch batch = spool.oldest(1000, 2).orElseThrow();
            assertEquals("snapshot " + FIRST + "snapshot " + (FIRST + 1), unpacked(batch.bytes()));
            spool.acknowledge(FIRST + 1);
            assertEquals(1, spool.waiting());
            remove(obstacle);
            assertEquals(FIRST + 3, spool.append(SpoolTest::packed));
            assertEquals(Optional.empty(), spool.trouble());
            assertTrue(Files.exists(file(FIRST + 2)) && Files.exists(file(FIRST + 3)));
            assertEquals(0, spool.dropped());
        }
    }

    @Test
    @DisplayName("a number that was given in memory is not given again after a crash")
    void memoryLost() throws Exception {
        Path lost = directory.resolve("crash");
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
            obstacle(FIRST + 1);
            spool.append(SpoolTest::packed);
            Files.createDirectories(lost); // what a crash would leave
            Files.copy(file(FIRST), lost.resolve(file(FIRST).getFileName()));
            Files.copy(directory.resolve("acknowledged"), lost.resolve("acknowledged"));
        }
        try (Spool spool = Spool.open(lost, new Spool.Limits(1000, MAX_AGE, 0), () -> now)) {
            assertEquals(FIRST + 2, spool.append(SpoolTest::packed));
        }
    }

    @Test
    @DisplayName(
            "when the disk takes nothing and memory is full, the oldest on the disk make room, then those in memory")
    void memoryFull() throws Exception {
        byte[] large = new byte[(int) Spool.MOST_BYTES_IN_MEMORY / 2];
        try (Spool spool = open(100 * Spool.MOST_BYTES_IN_MEMORY)) {
            spool.append(SpoolTest::packed);
            obstacle(FIRST + 1);
            spool.append(sequence -> large);
            spool.append(sequence -> large);
            assertEquals(0, spool.dropped());
            spool.append(sequence -> large);
            assertEquals(2, spool.dropped(Loss.DISK));
            assertTrue(Files.notExists(file(FIRST)));
            assertEquals(FIRST + 4, spool.append(sequence -> large)); // what stood in the way was of the first dropped
            assertEquals(2, spool.dropped());
            assertEquals(FIRST + 2, first(spool));
            assertEquals(Optional.empty(), spool.trouble());
            assertTrue(Files.exists(file(FIRST + 2)) && Files.exists(file(FIRST + 4)));
        }
    }

    @Test
    @DisplayName("a read-only disk keeps what can be read from it: when memory is full, the oldest in memory make room")
    void readOnlyKeepsBacklog() throws Exception {
        byte[] large = new byte[(int) Spool.MOST_BYTES_IN_MEMORY / 2];
        try (Spool spool = open(1 << 30)) {
            for (int i = 0; i < 5; i++) {
                spool.append(SpoolTest::packed);
            }
            boolean locked = run(List.of("chattr", "+i", directory.toString())) == 0;
            assumeTrue(locked, "SKIPPED: chattr +i needs root and a file system that knows it; not tried");
            try {
                for (int i = 0; i < 7; i++) {
                    spool.append(sequence -> large);
                }
                assertEquals(5, spool.dropped(Loss.DISK), "of the seven in memory, which has room for two");
                assertEquals(5 + 2, spool.waiting());
                assertEquals(5, spool.oldest(1000, 10).orElseThrow().size());
                spool.acknowledge(FIRST + 4);
                assertEquals(FIRST + 10, first(spool));
                assertTrue(Files.exists(file(FIRST)));
            } finally {
                run(List.of("chattr", "-i", directory.toString()));
            }
            assertEquals(FIRST + 12, spool.append(SpoolTest::packed));
            assertEquals(Optional.empty(), spool.trouble());
            for (int i = 0; i < 5; i++) {
                assertTrue(Files.notExists(file(FIRST + i)), "all that is done with is gone at once");
            }
            assertEquals(3, spool.waiting());
        }
    }

    @Test
    @DisplayName("more snapshots than can be kept in mind are dropped, the oldest first, at the start and later")
    void tooMany() throws Exception {
        int most = 64;
        byte[] one = packed(FIRST);
        for (long sequence = FIRST; sequence < FIRST + most + 10; sequence++) {
            Files.write(file(sequence), one);
        }
        try (Spool spool = Spool.open(directory, new Spool.Limits(1 << 20, MAX_AGE, 0), () -> now, most)) {
            assertEquals(10, spool.dropped(Loss.COUNT));
            assertEquals(most, spool.waiting());
            assertEquals(FIRST + 10, first(spool));
            assertTrue(Files.notExists(file(FIRST + 9)) && Files.exists(file(FIRST + 10)));
            for (int i = 0; i < 10; i++) {
                spool.append(SpoolTest::packed);
            }
            assertEquals(most, spool.waiting());
            assertEquals(20, spool.dropped(Loss.COUNT));
            assertEquals(FIRST + 20, first(spool));
        }
    }

    private Path obstacle(long sequence) throws IOException {
        Path obstacle = Files.createDirectory(directory.resolve(file(sequence).getFileName() + ".tmp"));
        Files.createFile(obstacle.resolve("in the way"));
        return obstacle;
    }

    private static void remove(Path obstacle) throws IOException {
        Files.delete(obstacle.resolve("in the way"));
        Files.delete(obstacle);
    }

    @Test
    @DisplayName("a full disk, really: nothing is lost but what the bound says, and all goes on when there is room")
    void fullDisk() throws Exception {
        withMount("size=64k", mount -> {
            Path spoolDirectory = mount.resolve("spool");
            try (Spool spool = Spool.open(spoolDirectory, new Spool.Limits(1 << 20, MAX_AGE, 0), () -> now)) {
                long first = spool.append(SpoolTest::packed);
                Path ballast = mount.resolve("ballast");
                fill(ballast);
                for (int i = 0; i < 20; i++) { // the collector answers
                    long sequence = spool.append(SpoolTest::packed);
                    Spool.Batch batch = spool.oldest(1000, 10).orElseThrow();
                    assertEquals(sequence, batch.last());
                    spool.acknowledge(sequence);
                    fill(ballast);
                }
                assertEquals(0, spool.dropped());
                assertTrue(spool.trouble().orElse("").contains("No space left"), () -> "" + spool.trouble());
                byte[] large = new byte[100 * 1024];
                for (int i = 0; i < 8; i++) { // the collector does not
                    spool.append(sequence -> large);
                }
                assertEquals(3, spool.dropped(Loss.DISK));
                assertEquals(3, spool.dropped());
                spool.acknowledge(first + 28);
                Files.delete(ballast);
                long last = spool.append(SpoolTest::packed);
                assertEquals(first + 29, last);
                assertEquals(Optional.empty(), spool.trouble());
            }
            try (Spool spool = Spool.open(spoolDirectory, new Spool.Limits(1 << 20, MAX_AGE, 0), () -> now)) {
                assertEquals(first(spool), FIRST + 29);
                assertEquals(FIRST + 30, spool.append(SpoolTest::packed));
            }
        });
    }

    @Test
    @DisplayName("a disk that takes and deletes nothing, really: delivery goes on, and all is well when it does again")
    void lockedDisk() throws Exception {
        Path note = directory.resolve("acknowledged");
        try (Spool spool = open()) {
            spool.append(SpoolTest::packed);
            boolean locked = run(List.of("chattr", "+i", directory.toString(), note.toString())) == 0;
            assumeTrue(locked, "SKIPPED: chattr +i needs root and a file system that knows it; not tried");
            try {
                spool.append(SpoolTest::packed);
                assertEquals(2, spool.oldest(1000, 10).orElseThrow().size());
                spool.reject(FIRST);
                spool.acknowledge(FIRST + 1);
                assertEquals(0, spool.waiting());
                assertEquals(0, spool.dropped());
                assertTrue(spool.trouble().isPresent());
                assertTrue(Files.exists(file(FIRST)));
            } finally {
                run(List.of("chattr", "-i", directory.toString(), note.toString()));
            }
            assertEquals(FIRST + 2, spool.append(SpoolTest::packed));
            assertEquals(Optional.empty(), spool.trouble());
            assertEquals(FIRST + 2, first(spool));
            assertTrue(Files.notExists(file(FIRST)));
        }
        try (Spool spool = open()) {
            assertEquals(FIRST + 2, first(spool));
        }
    }

    private static long first(Spool spool) {
        return spool.oldest(1000, 10).orElseThrow().first();
    }

    private interface OnMount {
        void use(Path mount) throws Exception;
    }

    /** A small file system of its own; needs root, as an administrator's build may have, and skips loudly without. */
    private void withMount(String options, OnMount test) throws Exception {
        Path mount = Files.createDirectory(directory.resolve("mount"));
        boolean mounted = mount("-t", "tmpfs", "-o", options, "tmpfs", mount.toString());
        assumeTrue(mounted, "SKIPPED: a tmpfs cannot be mounted here, so a full disk was not tried");
        try {
            test.use(mount);
        } finally {
            run(List.of("umount", "-l", mount.toString()));
        }
    }

    private static boolean mount(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("mount"));
        command.addAll(List.of(arguments));
        return run(command) == 0;
    }

    private static int run(List<String> command) throws Exception {
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
    }

    private static void fill(Path ballast) {
        byte[] some = new byte[4096];
        try (OutputStream out = Files.newOutputStream(ballast, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            for (int i = 0; i < 1000; i++) {
                out.write(some);
            }
        } catch (IOException expected) { // full
            return;
        }
        throw new AssertionError("the disk is not full");
    }

    @Test
    @DisplayName("a file that cannot be read keeps nothing else from being found")
    void unreadableFile() throws Exception {
        Files.createDirectory(file(FIRST - 5));
        Files.createSymbolicLink(file(FIRST - 4), directory.resolve("nowhere"));
        Files.write(file(FIRST), packed(FIRST));
        Files.createDirectory(directory.resolve("acknowledged"));
        try (Spool spool = open()) {
            assertEquals(FIRST, first(spool));
            assertEquals(FIRST + 1, spool.append(SpoolTest::packed));
        }
    }

    @Test
    @DisplayName("another process cannot share a spool either, and may have it afterwards")
    void lockedByAnother() throws Exception {
        open().close();
        Process other = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx32m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Holder.class.getName(),
                        directory.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            String line = "";
            while (line != null && !line.equals("held")) {
                line = other.inputReader().readLine();
            }
            assertEquals("held", line);
            IOException e = assertThrows(IOException.class, this::open);
            assertEquals(directory + ": another agent uses this spool", e.getMessage());
        } finally {
            other.destroyForcibly().waitFor();
        }
        open().close();
    }

    /** Holds a spool until it is killed. */
    static final class Holder {
        public static void main(String[] arguments) throws Exception {
            Spool spool =
                    Spool.open(Path.of(arguments[0]), new Spool.Limits(1000, MAX_AGE, 0), java.time.Clock.systemUTC());
            System.out.println("held");
            Thread.currentThread().join();
            spool.close();
        }
    }

    @Test
    @DisplayName("two agents cannot share a spool")
    void locked() throws Exception {
        try (Spool spool = open()) {
            IOException e = assertThrows(IOException.class, this::open);
            assertEquals(directory + ": this agent uses this spool already", e.getMessage());
            assertEquals(0, spool.waiting());
        }
        open().close();
    }
}
