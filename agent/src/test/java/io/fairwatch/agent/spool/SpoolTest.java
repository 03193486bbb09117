package io.fairwatch.agent.spool;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpoolTest {
    private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2026-11-20T12:00:00Z"));
    private static final long FIRST = Instant.parse("2026-11-20T12:00:00Z").toEpochMilli();

    private final Path directory;

    SpoolTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private Spool open() throws IOException {
        return open(1_000_000);
    }

    private Spool open(long maxBytes) throws IOException {
        return Spool.open(directory, new Spool.Limits(maxBytes, 100), CLOCK);
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
    @DisplayName("foreign and torn files are left alone and not sent")
    void foreign() throws Exception {
        Files.writeString(directory.resolve("notes.txt"), "hello");
        Files.writeString(file(7), "not gzip at all, whatever its name says");
        Files.write(file(8), new byte[0]);
        try (Spool spool = open()) {
            assertEquals(0, spool.waiting());
            assertEquals(FIRST, spool.append(SpoolTest::packed));
        }
        assertTrue(Files.exists(directory.resolve("notes.txt")));
        assertTrue(Files.exists(file(7)));
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
    @DisplayName("a snapshot that cannot be written uses up no number")
    void notWritten() throws Exception {
        try (Spool spool = open()) {
            Path obstacle = Files.createDirectory(directory.resolve(file(FIRST).getFileName() + ".tmp"));
            assertThrows(IOException.class, () -> spool.append(SpoolTest::packed));
            assertEquals(0, spool.waiting());
            Files.deleteIfExists(obstacle);
            assertEquals(FIRST, spool.append(SpoolTest::packed));
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
