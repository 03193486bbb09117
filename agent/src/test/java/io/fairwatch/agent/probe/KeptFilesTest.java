package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KeptFilesTest {
    private final Path directory;
    private final KeptFiles files = new KeptFiles(2);

    KeptFilesTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private Path file(String name, String text) throws IOException {
        return Files.writeString(directory.resolve(name), text);
    }

    @Test
    @DisplayName("an open file tells what stands there now")
    void again() throws IOException {
        Path file = file("memory.current", "4096\n");
        assertEquals(OptionalLong.of(4096), files.readNumber(file));
        file("memory.current", "81920\n");
        assertEquals(OptionalLong.of(81920), files.readNumber(file));
    }

    @Test
    @DisplayName("a text of any usual length comes whole, like from a file that is not kept")
    void whole() throws IOException {
        String text = "usage_usec 4711\n".repeat(5000);
        Path file = file("cpu.stat", text);
        assertEquals(Optional.of(text), files.readText(file));
        assertEquals(KernelFiles.readText(file), files.readText(file));
    }

    @Test
    @DisplayName("what was not read in a round is closed, what cannot be kept is read all the same")
    void rounds() throws IOException {
        Path a = file("a", "1");
        Path b = file("b", "2");
        Path c = file("c", "3");
        files.begin();
        assertEquals(OptionalLong.of(1), files.readNumber(a));
        assertEquals(OptionalLong.of(2), files.readNumber(b));
        assertEquals(OptionalLong.of(3), files.readNumber(c));
        files.end();
        assertEquals(2, files.size());
        files.begin();
        assertEquals(OptionalLong.of(3), files.readNumber(c));
        files.end();
        assertEquals(0, files.size());
    }

    private OptionalLong round(Path file) {
        files.begin();
        OptionalLong number = files.readNumber(file);
        files.end();
        return number;
    }

    @Test
    @DisplayName("a file that is not there is empty; it is looked for now and then, and found when it has come")
    void missing() throws IOException {
        Path file = directory.resolve("memory.swap.current");
        assertEquals(OptionalLong.empty(), round(file));
        file("memory.swap.current", "7\n");
        for (int i = 1; i < KeptFiles.MISSING_EVERY; i++) {
            assertEquals(OptionalLong.empty(), round(file));
        }
        assertEquals(OptionalLong.of(7), round(file));
        assertEquals(OptionalLong.of(7), round(file));
        assertEquals(OptionalLong.empty(), round(file("memory.max", "max\n")));
    }

    @Test
    @DisplayName(
            "a missing file that nobody asks for any more is forgotten: the next job of that name is looked at anew")
    void forgotten() throws IOException {
        Path file = directory.resolve("memory.swap.current");
        assertEquals(OptionalLong.empty(), round(file));
        files.begin();
        files.end();
        file("memory.swap.current", "7\n");
        assertEquals(OptionalLong.of(7), round(file));
    }

    @Test
    @DisplayName("of a process that ended nothing is told, though its file was open")
    void ended() throws Exception {
        Process process = new ProcessBuilder("sleep", "600").start();
        Path stat = Path.of("/proc/" + process.pid() + "/stat");
        assertEquals(true, files.readText(stat).isPresent());
        process.destroyForcibly().waitFor();
        assertEquals(Optional.empty(), files.readText(stat));
        assertEquals(0, files.size());
    }
}
