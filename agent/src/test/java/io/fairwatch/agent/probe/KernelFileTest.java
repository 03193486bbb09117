package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class KernelFileTest {
    private final Path directory;
    private final KernelFile.Buffer buffer = new KernelFile.Buffer();

    KernelFileTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private Path file(String name, String text) throws IOException {
        return Files.writeString(directory.resolve(name), text);
    }

    private KernelFile at(String name) {
        return new KernelFile(directory.resolve(name).toString());
    }

    @Test
    @DisplayName("an open file tells what stands there now")
    void again() throws IOException {
        file("memory.current", "81920\n");
        KernelFile current = at("memory.current");
        assertEquals(OptionalLong.of(81920), current.readNumber(buffer));
        file("memory.current", "4096\n");
        assertEquals(OptionalLong.of(4096), current.readNumber(buffer));
        assertTrue(current.isOpen());
        current.close();
        assertFalse(current.isOpen());
        assertEquals(OptionalLong.of(4096), current.readNumber(buffer), "opened again when asked again");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2047, 2048, 4096, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 80_000})
    @DisplayName("a text of any usual length comes whole, like from a file that is not kept")
    void whole(int length) throws IOException {
        String text = "x".repeat(length);
        Path file = file("cpu.stat", text);
        assertEquals(Optional.of(text), at("cpu.stat").readText(buffer));
        assertEquals(KernelFiles.readText(file), at("cpu.stat").readText(buffer));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/proc/vmstat", "/proc/self/maps", "/proc/filesystems", "/proc/self/limits"})
    @DisplayName("what the kernel tells by the page comes whole, too")
    void pages(String path) {
        String kept = new KernelFile(path).readText(buffer).orElseThrow();
        String once = KernelFiles.readText(Path.of(path)).orElseThrow();
        assertEquals(lastWord(once), lastWord(kept));
        assertTrue(Math.abs(once.length() - kept.length()) < 0.2 * once.length());
    }

    /** Of the last line: the figures before it move, and mappings come and go, its name does not. */
    private static String lastWord(String text) {
        String[] lines = text.split("\n", -1);
        return lines[lines.length - 2].replaceAll("[0-9]+$", "").replaceFirst("^[0-9a-f]+-[0-9a-f]+ ", "");
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "4711, 4711",
        "9223372036854775807, 9223372036854775807",
        "9223372036854775808, -1",
        "max, -1",
        "-1, -1",
        "12x, -1",
        "'', -1"
    })
    @DisplayName("a number is read as one, and what is none is absent")
    void numbers(String text, long expected) throws IOException {
        file("memory.max", text + "\n");
        assertEquals(
                expected < 0 ? OptionalLong.empty() : OptionalLong.of(expected),
                at("memory.max").readNumber(buffer));
    }

    @Test
    @DisplayName("a file that is not there is empty; it is looked for now and then, and found when it has come")
    void missing() throws IOException {
        KernelFile swap = at("memory.swap.current");
        assertEquals(OptionalLong.empty(), swap.readNumber(buffer));
        file("memory.swap.current", "7\n");
        for (int i = 1; i < KernelFile.MISSING_EVERY; i++) {
            assertEquals(OptionalLong.empty(), swap.readNumber(buffer));
        }
        assertEquals(OptionalLong.of(7), swap.readNumber(buffer));
        assertEquals(OptionalLong.of(7), swap.readNumber(buffer));
    }

    @Test
    @DisplayName("of a process that ended nothing is told, though its file was open")
    void ended() throws Exception {
        Process process = new ProcessBuilder("sleep", "600").start();
        KernelFile stat = new KernelFile("/proc/" + process.pid() + "/stat");
        assertTrue(stat.read(buffer));
        process.destroyForcibly().waitFor();
        assertFalse(stat.read(buffer));
        assertFalse(stat.isOpen());
    }
}
