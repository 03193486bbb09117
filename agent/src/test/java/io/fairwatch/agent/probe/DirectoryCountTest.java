package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.probe.DirectoryCount.Counted;
import io.fairwatch.agent.probe.DirectoryCount.Round;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.UserSpace;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DirectoryCountTest {
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");
    private static final Instant OLD = Instant.parse("2026-01-01T00:00:00Z");
    private static final int MIB = 1 << 20;

    private final Path raid;

    DirectoryCountTest(@TempDir Path directory) {
        raid = directory;
    }

    @Test
    @DisplayName("each directory at the top has what lies below it, the largest first")
    void sums() throws Exception {
        file("anna/data/a.bin", 2 * MIB);
        file("anna/data/deep/b.bin", MIB);
        file("bob/c.bin", MIB);
        List<DirectoryUse> directories = count().directories().list();
        assertEquals(List.of("anna", "bob"), names(directories));
        DirectoryUse anna = directories.get(0);
        assertBytes(3 * MIB, anna);
        assertEquals(4, anna.files(), "two files and two directories");
        assertEquals(OptionalInt.of((Integer) Files.getAttribute(raid.resolve("anna"), "unix:uid")), anna.uid());
    }

    @Test
    @DisplayName("a file with several names counts once, in parts where its names are")
    void hardLinks() throws Exception {
        Path first = file("anna/a.bin", 4 * MIB);
        Files.createLink(raid.resolve("anna/b.bin"), first);
        Files.createDirectory(raid.resolve("bob"));
        Files.createLink(raid.resolve("bob/c.bin"), first);
        Files.createLink(raid.resolve("bob/d.bin"), first);
        List<DirectoryUse> directories = count().directories().list();
        assertBytes(2 * MIB, directories.get(0));
        assertBytes(2 * MIB, directories.get(1));
        assertEquals(2, directories.get(0).files() + directories.get(1).files(), "half a file rounds up to one");
    }

    @Test
    @DisplayName("symlinks are not followed, so a loop ends and nobody else's files count")
    void symlinks() throws Exception {
        file("anna/a.bin", MIB);
        file("bob/b.bin", 8 * MIB);
        Files.createSymbolicLink(raid.resolve("anna/loop"), raid);
        Files.createSymbolicLink(raid.resolve("anna/bobs"), raid.resolve("bob"));
        Files.createSymbolicLink(raid.resolve("top"), raid.resolve("bob"));
        Counted counted = count();
        DirectoryUse anna = named(counted, "anna");
        assertBytes(MIB, anna);
        assertEquals(3, anna.files());
        assertEquals(0, counted.directories().unread());
        assertEquals(1, named(counted, ".").files(), "a link at the top is a file there, not a directory");
    }

    @Test
    @DisplayName("a sparse file counts what it takes on disk")
    void sparse() throws Exception {
        Files.createDirectory(raid.resolve("anna"));
        try (RandomAccessFile file =
                new RandomAccessFile(raid.resolve("anna/sparse").toString(), "rw")) {
            file.setLength(100L * MIB);
        }
        assertTrue(count().directories().list().get(0).usedBytes() < MIB);
    }

    @Test
    @DisplayName("the newest write below a directory is told; a time in the future is not believed")
    void lastWrite() throws Exception {
        Path a = file("anna/a", 1);
        Path b = file("anna/b", 1);
        Files.setLastModifiedTime(a, FileTime.from(OLD));
        Files.setLastModifiedTime(b, FileTime.from(Instant.parse("2099-01-01T00:00:00Z")));
        Files.createDirectory(raid.resolve("empty"));
        Counted counted = count();
        assertEquals(Optional.of(OLD), named(counted, "anna").lastWrite());
        assertEquals(Optional.empty(), named(counted, "empty").lastWrite());
        assertEquals(0, named(counted, "empty").files());
    }

    @Test
    @DisplayName("files right at the top count as a directory of nobody's")
    void loose() throws Exception {
        file("big.tar", MIB);
        DirectoryUse top = count().directories().list().get(0);
        assertEquals(".", top.name());
        assertEquals(OptionalInt.empty(), top.uid());
        assertBytes(MIB, top);
    }

    @Test
    @DisplayName("hostile names are made harmless, and what lies below them is counted")
    void names() throws Exception {
        // Java cannot make a name that is not UTF-8 everywhere, a shell can
        shell("mkdir \"$(printf 'a\\nb\\033[31m')\" \"$(printf 'bad\\377utf8')\" \"$(printf 'rtl\\342\\200\\256x')\" &&"
                + " head -c 1048576 /dev/zero > \"$(printf 'bad\\377utf8')/f\"");
        List<DirectoryUse> directories = count().directories().list();
        assertEquals(Set.of("a\ufffdb\ufffd[31m", "bad\ufffdutf8", "rtl\ufffdx"), Set.copyOf(names(directories)));
        assertBytes(MIB, directories.get(0));
    }

    @Test
    @DisplayName("a very deep tree is counted down to a bound and said to be incomplete")
    void deep() throws Exception {
        Path path = raid.resolve("anna");
        for (int i = 0; i < 250; i++) {
            path = path.resolve("d");
        }
        Files.createDirectories(path);
        Counted counted = count();
        assertEquals(1, counted.directories().unread());
        assertEquals(200, counted.directories().list().get(0).files());
    }

    @Test
    @DisplayName("more directories than wanted: the largest stay, the rest is counted as left out")
    void tooMany() throws Exception {
        for (int i = 0; i < 25; i++) {
            file(String.format("u%02d/f", i), (i + 1) * 8192);
        }
        Counted counted = new DirectoryCount(() -> {}, () -> NOW, 4).count(raid, Round.from(NOW), soFar -> {});
        assertEquals(
                List.of("u24", "u23", "u22", "u21"), names(counted.directories().list()));
        assertEquals(21, counted.leftOut());
    }

    @Test
    @DisplayName("a directory with more entries than one read gives is counted whole")
    void wide() throws Exception {
        Path directory = Files.createDirectory(raid.resolve("anna"));
        for (int i = 0; i < 3000; i++) {
            Files.createFile(directory.resolve("a-file-with-a-longer-name-" + i));
        }
        assertEquals(3000, count().directories().list().get(0).files());
    }

    @Test
    @DisplayName("entries that vanish while they are counted are none")
    void vanishing() throws Exception {
        for (int i = 0; i < 50; i++) {
            file("anna/d" + i + "/f", 1);
        }
        int[] looks = {0};
        Counted counted = new DirectoryCount(
                        () -> {
                            if (++looks[0] == 10) {
                                shellUnchecked("rm -rf anna/d*");
                            }
                        },
                        () -> NOW,
                        100)
                .count(raid, Round.from(NOW), soFar -> {});
        assertEquals(0, counted.directories().unread());
        assertTrue(counted.directories().list().get(0).files() < 50);
    }

    @Test
    @DisplayName("other file systems mounted below are not counted")
    void mounts() throws Exception {
        Files.createDirectories(raid.resolve("anna/mnt"));
        Assumptions.assumeTrue(
                shellUnchecked("mount -t tmpfs none anna/mnt"), "SKIPPED: needs the right to mount a tmpfs");
        try {
            file("anna/mnt/big", 4 * MIB);
            DirectoryUse anna = count().directories().list().get(0);
            assertEquals(0, anna.files());
            assertTrue(anna.usedBytes() < MIB);
        } finally {
            shell("umount anna/mnt");
        }
    }

    @Test
    @DisplayName("what may not be read is left out at the top, counted as unreadable, and not fatal")
    void unreadable() throws Exception {
        file("anna/private/f", MIB);
        file("bob/f", MIB);
        Files.setPosixFilePermissions(raid.resolve("anna/private"), Set.of());
        Files.setPosixFilePermissions(raid.resolve("bob"), Set.of());
        Assumptions.assumeFalse(Files.isReadable(raid.resolve("bob")), "SKIPPED: root may read everything");
        try {
            Counted counted = count();
            assertEquals(List.of("anna"), names(counted.directories().list()));
            assertEquals(2, counted.directories().unread());
        } finally {
            shell("chmod -R u+rwx .");
        }
    }

    @Test
    @DisplayName("each user has what they own, wherever it lies, and a file with several names once")
    void users() throws Exception {
        Path first = file("anna/a.bin", 4 * MIB);
        Files.createLink(raid.resolve("anna/b.bin"), first);
        file("loose.bin", MIB);
        Path bobs = file("anna/bob/c.bin", 2 * MIB);
        boolean root = shellUnchecked("chown 12345 anna/bob anna/bob/c.bin");
        assertTrue(Files.exists(bobs));
        Assumptions.assumeTrue(root, "SKIPPED: only root gives files away");
        List<UserSpace> users = count().users().list();
        assertEquals(2, users.size());
        UserSpace mine = users.get(0);
        UserSpace theirs = users.get(1);
        assertTrue(Math.abs(mine.usedBytes() - 5 * MIB) < 64 * 1024, mine.toString());
        assertEquals(OptionalLong.of(3), mine.files(), "anna, a file with two names, a loose file");
        assertEquals(12345, theirs.uid());
        assertTrue(Math.abs(theirs.usedBytes() - 2 * MIB) < 64 * 1024, theirs.toString());
        assertEquals(OptionalLong.of(2), theirs.files());
    }

    @Test
    @DisplayName("a count that was cut off goes on: what was finished is not walked again, and the sums are the same")
    void goesOn() throws Exception {
        for (int i = 0; i < 6; i++) {
            file("u" + i + "/deep/f", (i + 1) * 65536);
            Files.createFile(raid.resolve("u" + i + "/empty"));
        }
        file("loose", 65536);
        Counted whole = count();
        int[] looks = {0};
        DirectoryCount cutOff = new DirectoryCount(
                () -> {
                    if (++looks[0] == 17) {
                        throw new InterruptedException("the agent ends");
                    }
                },
                () -> NOW,
                100);
        List<Round> kept = new ArrayList<>();
        assertThrows(
                InterruptedException.class, () -> cutOff.count(raid, Round.from(NOW), soFar -> kept.add(soFar.get())));
        Round last = kept.get(kept.size() - 1);
        assertTrue(last.finished().size() >= 2 && last.finished().size() < 6, last.toString());
        int[] looksAgain = {0};
        Counted resumed = new DirectoryCount(() -> looksAgain[0]++, () -> NOW, 100).count(raid, last, soFar -> {});
        assertEquals(
                Set.copyOf(whole.directories().list()),
                Set.copyOf(resumed.directories().list()));
        assertEquals(whole.users(), resumed.users());
        assertEquals(7 + 3 * (6 - last.finished().size()), looksAgain[0], "the top, and the directories left");
    }

    @Test
    @DisplayName("what could not be read before a count was cut off is told once when it goes on")
    void unreadGoesOn() throws Exception {
        Path path = raid.resolve("deep");
        for (int i = 0; i < 201; i++) {
            path = path.resolve("d");
        }
        Files.createDirectories(path);
        List<Round> kept = new ArrayList<>();
        Counted whole = new DirectoryCount(() -> {}, () -> NOW, 100)
                .count(raid, Round.from(NOW), soFar -> kept.add(soFar.get()));
        assertEquals(1, whole.directories().unread());
        Counted resumed = new DirectoryCount(() -> {}, () -> NOW, 100).count(raid, kept.get(0), soFar -> {});
        assertEquals(1, resumed.directories().unread());
    }

    private Counted count() throws Exception {
        return new DirectoryCount(() -> {}, () -> NOW, 100).count(raid, Round.from(NOW), soFar -> {});
    }

    private Path file(String name, int bytes) throws IOException {
        Path path = raid.resolve(name);
        Files.createDirectories(path.getParent());
        byte[] content = new byte[bytes];
        java.util.Arrays.fill(content, (byte) 'x');
        Files.write(path, content);
        assertFalse(Files.isSymbolicLink(path));
        assertTrue(Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS));
        return path;
    }

    private static DirectoryUse named(Counted counted, String name) {
        return counted.directories().list().stream()
                .filter(directory -> directory.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static List<String> names(List<DirectoryUse> directories) {
        return directories.stream().map(DirectoryUse::name).collect(Collectors.toList());
    }

    /** File systems differ by what a directory and a block take. */
    private static void assertBytes(long expected, DirectoryUse directory) {
        assertTrue(
                Math.abs(directory.usedBytes() - expected) < 64 * 1024,
                directory.usedBytes() + " bytes, expected about " + expected);
    }

    private void shell(String script) {
        assertTrue(shellUnchecked(script), script);
    }

    private boolean shellUnchecked(String script) {
        try {
            return new ProcessBuilder("sh", "-c", script)
                            .directory(raid.toFile())
                            .redirectErrorStream(true)
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
