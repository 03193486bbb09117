package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The command line, as far as no collector runs. */
class MainTest {
    private final Path directory;

    MainTest(@TempDir Path directory) {
        this.directory = directory;
    }

    /** How a command ended and what it said. */
    record Ended(int status, String out, String err) {
        /** Runs a command in this process. */
        static Ended of(Object... words) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            PrintStream outBefore = System.out;
            PrintStream errBefore = System.err;
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            try {
                int status = new CommandLine(new Main())
                        .execute(List.of(words).stream().map(Object::toString).toArray(String[]::new));
                return new Ended(status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
            } finally {
                System.setOut(outBefore);
                System.setErr(errBefore);
            }
        }
    }

    private Path write(String name, String text) throws IOException {
        return Files.writeString(directory.resolve(name), text);
    }

    private Ended check(String yaml) throws IOException {
        return Ended.of("--config", write("collector.yml", yaml), "--check");
    }

    @Test
    @DisplayName("--help tells the words and the exit codes, and ends with 0")
    void help() {
        Ended ended = Ended.of("--help");
        assertEquals(0, ended.status());
        assertTrue(ended.out().startsWith("Usage: fairwatch-collector "), ended.out());
        assertTrue(ended.out().contains("  2    wrong configuration or words"), ended.out());
    }

    @Test
    @DisplayName("--version names the program and ends with 0")
    void version() {
        Ended ended = Ended.of("--version");
        assertEquals(0, ended.status());
        assertTrue(ended.out().startsWith("fairwatch-collector "), ended.out());
    }

    @Test
    @DisplayName("wrong words end with 2")
    void words() {
        assertEquals(2, Ended.of().status());
        Ended ended = Ended.of("--config", "collector.yml", "--bogus");
        assertEquals(2, ended.status());
        assertTrue(ended.err().contains("Unknown option: '--bogus'"), ended.err());
    }

    @Test
    @DisplayName("a missing file ends with 2")
    void missingFile() {
        Path file = directory.resolve("collector.yml");
        assertEquals(
                new Ended(2, "", file + ": no such file" + System.lineSeparator()),
                Ended.of("--config", file, "--check"));
    }

    @Test
    @DisplayName("a wrong configuration ends with 2 and names every problem with its line, checked or started")
    void wrongConfiguration() throws Exception {
        Path file = write("collector.yml", "stroe: {}\nlisten:\n  port: none\n");
        for (Ended ended : List.of(Ended.of("--config", file), Ended.of("--config", file, "--check"))) {
            assertEquals(2, ended.status());
            assertEquals(
                    List.of(
                            file
                                    + ":1: stroe: unknown key (expected: listen, ingest, store, slurm, rules,"
                                    + " escalation, enforcement, answers, access, mail, people, report, site)",
                            file + ":3: listen.port: none (expected: a whole number)"),
                    ended.err().lines().toList());
            assertEquals("", ended.out());
        }
    }

    @Test
    @DisplayName("a good configuration is called good, and nothing is started or made")
    void good() throws Exception {
        Path store = directory.resolve("store");
        Ended ended = check("store: {directory: " + store + "}\n");
        assertEquals(0, ended.status(), ended.err());
        assertTrue(ended.out().startsWith(directory.resolve("collector.yml") + ": good; "), ended.out());
        assertEquals("", ended.err());
        assertFalse(Files.exists(store));
    }

    @Test
    @DisplayName("every file that the configuration names is looked at, all problems at once")
    void namedFiles() throws Exception {
        Path empty = write("token", "\nsecond line\n");
        Ended ended = check("""
                listen: {certificateFile: %1$s/c.crt, keyFile: %1$s/c.key}
                ingest: {tokenFile: %1$s/token}
                mail: {caFile: %1$s/ca.pem, username: x, passwordFile: %1$s/password, startTls: required}
                rules: {directory: %1$s/rules}
                """.formatted(directory));
        assertEquals(2, ended.status());
        assertEquals(
                List.of(
                        empty + ": empty (expected: a secret in its first line)",
                        directory + "/password: cannot be read: java.nio.file.NoSuchFileException: " + directory
                                + "/password",
                        directory + "/c.crt: cannot be read",
                        directory + "/c.key: cannot be read",
                        directory + "/ca.pem: cannot be read",
                        "rules cannot be read: java.nio.file.NoSuchFileException: " + directory + "/rules"),
                ended.err().lines().toList());
    }

    @Test
    @DisplayName("a secret is never shown")
    void secrets() throws Exception {
        write("token", "hunter2\n");
        write("password", "hunter2\n");
        Ended ended = check("""
                ingest: {tokenFile: %1$s/token}
                mail: {username: x, passwordFile: %1$s/password, startTls: required}
                rules: {settings: {no-such-rule: {}}}
                """.formatted(directory));
        assertEquals(2, ended.status());
        assertFalse(ended.err().contains("hunter2"), ended.err());
    }

    @Test
    @DisplayName("settings of rules and parameters that are not there, and of wrong values, are told together")
    void ruleSettings() throws Exception {
        Ended ended = check("""
                rules:
                  settings:
                    idle-gpu: {windwo: 90m, warm_up: soon, busy_above_ratio: 2}
                    idle-gpus: {window: 90m}
                """);
        assertEquals(2, ended.status());
        List<String> lines = ended.err().lines().toList();
        String where = directory.resolve("collector.yml") + ": rules.settings: ";
        assertTrue(lines.stream().allMatch(line -> line.startsWith(where)), ended.err());
        assertEquals(4, lines.size(), ended.err());
        for (String what : List.of(
                "idle-gpu: unknown key windwo (expected: one of ",
                "idle-gpu: warm_up: soon (expected: ",
                "idle-gpu: busy_above_ratio: 2.0 (expected: 0..1",
                "unknown rule idle-gpus (expected: one of ")) {
            assertTrue(lines.stream().anyMatch(line -> line.startsWith(where + what)), ended.err());
        }
    }

    @Test
    @DisplayName("the site's own rules are read besides the shipped ones, and named by file and line when wrong")
    void ownRules() throws Exception {
        Path rules = Files.createDirectory(directory.resolve("rules"));
        Files.writeString(rules.resolve("README.txt"), "no rule");
        Path own = Files.writeString(rules.resolve("own.yaml"), "name: own\nscoop: running_job\n");
        Ended ended = check("rules: {directory: " + rules + "}\n");
        assertEquals(2, ended.status());
        assertTrue(ended.err().contains(own + ":2: unknown key scoop (expected: "), ended.err());
        assertFalse(ended.err().contains("README"), ended.err());
    }

    @Test
    @DisplayName("a deed that Slurm does not do to the jobs of a rule is a wrong configuration")
    void deeds() throws IOException {
        Ended ended = check("""
                enforcement: {mode: act, rules: [idle-gpu, no-such-rule]}
                escalation: {steps: [{step: owner}, {step: hold, after: 1h}]}
                """);
        assertEquals(2, ended.status());
        assertTrue(
                ended.err()
                        .contains("enforcement.rules: idle-gpu: its escalation says hold"
                                + " (expected: cancel, requeue, shorten;"),
                ended.err());
        assertTrue(ended.err().contains("enforcement.rules: no-such-rule"), ended.err());
    }
}
