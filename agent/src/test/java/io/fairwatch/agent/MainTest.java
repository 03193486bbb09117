package io.fairwatch.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class MainTest {
    private final Path directory;

    MainTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private String complaint(int expectedStatus, String... arguments) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream before = System.err;
        System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            assertEquals(expectedStatus, new CommandLine(new Main()).execute(arguments));
        } finally {
            System.setErr(before);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    @Test
    @DisplayName("a wrong configuration ends with 2 and names every problem")
    void wrongConfiguration() throws Exception {
        Path file = Files.writeString(directory.resolve("agent.yml"), "period: 1s\nspol: {}\n");
        String complaint = complaint(2, "--config", file.toString());
        assertTrue(complaint.contains(file + ":1: period: 1s (expected: from 5s to 5m)"), complaint);
        assertTrue(complaint.contains(file + ":2: spol: unknown key"), complaint);
    }

    @Test
    @DisplayName("without a collector there is nothing to do, and the agent says so")
    void noCollector() throws Exception {
        Path file = Files.writeString(directory.resolve("agent.yml"), "");
        assertEquals(
                file + ": collector: missing (expected: its url)" + System.lineSeparator(),
                complaint(2, "--config", file.toString()));
    }

    @Test
    @DisplayName("a wrong argument ends with 2")
    void usage() {
        assertTrue(complaint(2, "--bogus").contains("Unknown option: '--bogus'"));
    }
}
