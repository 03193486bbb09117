package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.probe.CountFile.Kept;
import io.fairwatch.agent.probe.CountFile.Last;
import io.fairwatch.agent.probe.DirectoryCount.Counted;
import io.fairwatch.agent.probe.DirectoryCount.Finished;
import io.fairwatch.agent.probe.DirectoryCount.Round;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import io.fairwatch.agent.wire.ScratchUse.UserSpace;
import io.fairwatch.agent.wire.ScratchUse.Users;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CountFileTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00.123Z");
    private static final long SIZE = 1L << 40;
    private static final DirectoryUse USE = new DirectoryUse(
            "an\ufffdna",
            OptionalInt.of(1000),
            Optional.empty(),
            Owner.NOT_ASKED,
            5,
            1,
            Optional.of(NOON),
            Optional.empty());
    private static final UserSpace USER =
            new UserSpace(1000, Optional.empty(), Owner.NOT_ASKED, 5, OptionalLong.of(2), Optional.empty());
    private static final Kept KEPT = new Kept(
            SIZE,
            Optional.of(new Last(
                    new Counted(
                            new Directories("walk", NOON, List.of(USE), 3), new Users("walk", NOON, List.of(USER)), 7),
                    1L << 39,
                    OptionalLong.of(100))),
            Optional.of(new Round(NOON, List.of(new Finished("an\u00ffna", USE)), List.of(USER), 1)));

    private final Path directory;
    private final CountFile file;

    CountFileTest(@TempDir Path directory) {
        this.directory = directory.resolve("state");
        this.file = new CountFile(this.directory, Path.of("/raid"));
    }

    @Test
    @DisplayName("what was kept comes back, names that are no text included")
    void comesBack() {
        assertEquals(Optional.empty(), file.read(SIZE));
        file.write(KEPT);
        assertEquals(Optional.of(KEPT), file.read(SIZE));
        assertEquals(Optional.of(KEPT), new CountFile(directory, Path.of("/raid")).read(SIZE));
    }

    @Test
    @DisplayName("another mount, and another file system on the same mount, have nothing of it")
    void others() throws IOException {
        file.write(KEPT);
        assertEquals(Optional.empty(), file.read(SIZE + 1));
        Files.delete(files().get(0));
        CountFile sameName = new CountFile(directory, Path.of("/Aa"));
        new CountFile(directory, Path.of("/BB")).write(KEPT); // the same hash code
        assertEquals(Optional.empty(), sameName.read(SIZE));
        assertEquals(1, files().size());
    }

    @Test
    @DisplayName("a file that is torn at any byte, of another version, or nonsense is as good as none")
    void torn() throws IOException {
        file.write(KEPT);
        Path path = files().get(0);
        byte[] whole = Files.readAllBytes(path);
        for (int length = 0; length < whole.length; length++) {
            Files.write(path, Arrays.copyOf(whole, length));
            assertEquals(Optional.empty(), file.read(SIZE), length + " bytes");
        }
        for (String text : List.of(
                new String(whole, java.nio.charset.StandardCharsets.UTF_8).replace("\"version\":1", "\"version\":2"),
                new String(whole, java.nio.charset.StandardCharsets.UTF_8)
                        .replace("\"usedBytes\":5", "\"usedBytes\":-5"),
                "null",
                "{}",
                "{\"version\":1,\"mount\":\"/raid\"}")) {
            Files.writeString(path, text);
            assertEquals(Optional.empty(), file.read(SIZE), text);
        }
        file.write(KEPT);
        assertEquals(Optional.of(KEPT), file.read(SIZE));
    }

    @Test
    @DisplayName("a file larger than the agent's memory is not read")
    void huge() throws IOException {
        file.write(KEPT);
        Path path = files().get(0);
        try (RandomAccessFile huge = new RandomAccessFile(path.toString(), "rw")) {
            huge.setLength(1L << 40);
        }
        assertEquals(Optional.empty(), file.read(SIZE));
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.toList();
        }
    }

    @Test
    @DisplayName("where nothing can be written, nothing is kept, and the count goes on")
    void unwritable() throws IOException {
        Files.writeString(directory, "a file where the directory should be");
        file.write(KEPT);
        assertEquals(Optional.empty(), file.read(SIZE));
    }
}
