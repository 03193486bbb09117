package io.fairwatch.collector.ingest;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files as a killed process leaves them. */
class JournalTest {
    private final Path directory;

    JournalTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static List<byte[]> batches(String... texts) {
        return List.of(texts).stream().map(JournalTest::bytes).toList();
    }

    /** What the next process finds. */
    private List<String> left() throws Exception {
        List<String> left = new ArrayList<>();
        try (Journal journal = Journal.open(directory)) {
            journal.replay((packed, file) -> left.add(new String(packed, StandardCharsets.UTF_8)));
        }
        return left;
    }

    private long size(int number) throws IOException {
        return Files.size(directory.resolve("journal-" + number));
    }

    @Test
    @DisplayName("what was kept and not stored is there for the next process, in order, as often as it asks")
    void kept() throws Exception {
        try (Journal journal = Journal.open(directory)) {
            journal.keep(batches("a", "b"));
            journal.stored(journal.keep(batches("c")), 1);
        }
        assertEquals(List.of("a", "b", "c"), left()); // c does no harm: the store knows it
        assertEquals(List.of("a", "b", "c"), left());
    }

    @Test
    @DisplayName("once the store has all of a file it is empty")
    void emptied() throws Exception {
        try (Journal journal = Journal.open(directory)) {
            int file = journal.keep(batches("a", "b"));
            journal.stored(file, 1);
            assertTrue(size(file) > 0);
            journal.stored(file, 1);
            assertEquals(0, size(file));
            journal.keep(batches("c"));
        }
        assertEquals(List.of("c"), left());
    }

    @Test
    @DisplayName("a large file is left for the other one as soon as the store has all of that, and no sooner")
    void turns() throws Exception {
        byte[] large = new byte[5 << 20];
        try (Journal journal = Journal.open(directory)) {
            int first = journal.keep(List.of(large));
            int second = journal.keep(batches("b"));
            assertEquals(1, second - first);
            journal.keep(List.of(large));
            assertEquals(second, journal.keep(batches("c")), "the first one still holds something");
            journal.stored(first, 1);
            assertEquals(first, journal.keep(batches("d")));
        }
        List<String> left = left();
        assertEquals(
                List.of("d", "b", "c"),
                left.stream().filter(text -> text.length() == 1).toList());
    }

    @Test
    @DisplayName("cut off after any byte it gives what is whole; a damaged batch costs no other, unless its length is")
    void torn() throws Exception {
        try (Journal journal = Journal.open(directory)) {
            journal.keep(batches("first", "second"));
        }
        Path file = directory.resolve("journal-0");
        byte[] whole = Files.readAllBytes(file);
        int second = 8 + "first".length();
        for (int at = 0; at < whole.length; at++) {
            Files.write(file, Arrays.copyOf(whole, at));
            assertEquals(at < second ? List.of() : List.of("first"), left(), "cut off at " + at);
            byte[] changed = whole.clone();
            changed[at] ^= 0x40;
            Files.write(file, changed);
            List<String> left = at < 4 ? List.of() : at < second ? List.of("second") : List.of("first");
            assertEquals(left, left(), "changed at " + at);
        }
    }

    @Test
    @DisplayName("what follows something torn is written over it")
    void afterTorn() throws Exception {
        try (Journal journal = Journal.open(directory)) {
            journal.keep(batches("first", "second"));
        }
        Path file = directory.resolve("journal-0");
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(whole, whole.length - 1));
        try (Journal journal = Journal.open(directory)) {
            journal.replay((packed, number) -> assertArrayEquals(bytes("first"), packed));
            journal.keep(batches("3"));
        }
        assertEquals(List.of("first", "3"), left());
    }

    @Test
    @DisplayName("a file that is emptied while it is replayed loses nothing that was not read yet")
    void storedWhileReplayed() throws Exception {
        try (Journal journal = Journal.open(directory)) {
            journal.keep(batches("a", "b", "c"));
        }
        List<String> read = new ArrayList<>();
        try (Journal journal = Journal.open(directory)) {
            journal.replay((packed, file) -> {
                read.add(new String(packed, StandardCharsets.UTF_8));
                journal.stored(file, 1);
            });
            assertEquals(0, size(0));
        }
        assertEquals(List.of("a", "b", "c"), read);
        assertEquals(List.of(), left());
    }

    @Test
    @DisplayName("only its owner may read it, and no more is set aside than allowed")
    void owner() throws Exception {
        try (Journal journal = Journal.open(directory)) {
            Path aside = journal.setAside(bytes("bad"), 1);
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(aside)));
            assertEquals(
                    "rw-------",
                    PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve("journal-1"))));
            IOException refused = assertThrows(IOException.class, () -> journal.setAside(bytes("bad"), 1));
            assertTrue(String.valueOf(refused.getMessage()).contains("has 1 files"), refused::toString);
        }
    }
}
