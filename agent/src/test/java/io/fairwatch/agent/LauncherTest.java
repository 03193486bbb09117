package io.fairwatch.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command that starts the agent, under this system's sh, with a Java that only says what it was told. */
class LauncherTest {
    private static final Path LAUNCHER =
            Path.of("../deploy/bin/fairwatch-agent").toAbsolutePath().normalize();
    private static final String ECHO = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n";

    private final Path java;
    private final Path jar;
    private final Path archive;

    /** How it ended and what it said. */
    private record Ended(int status, List<String> out, String err) {}

    LauncherTest(@TempDir Path directory) throws IOException {
        java = directory.resolve("jdk/bin/java");
        Files.createDirectories(directory.resolve("jdk/bin"));
        java(ECHO);
        release("JAVA_VERSION=\"17.0.15\"");
        jar = Files.writeString(directory.resolve("fairwatch-agent.jar"), "not looked into");
        archive = directory.resolve("fairwatch-agent.jsa");
    }

    private void java(String script) throws IOException {
        Files.writeString(java, script);
        Files.setPosixFilePermissions(java, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private void release(String text) throws IOException {
        Files.writeString(java.resolve("../../release").normalize(), text + "\n");
    }

    private Ended run(Map<String, String> environment, String... words) throws Exception {
        List<String> command = new ArrayList<>(List.of("sh", LAUNCHER.toString()));
        command.addAll(List.of(words));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().keySet().removeIf(key -> key.startsWith("FAIRWATCH") || key.equals("STATE_DIRECTORY"));
        builder.environment().put("FAIRWATCH_JAVA", java.toString());
        builder.environment().put("FAIRWATCH_AGENT_JAR", jar.toString());
        builder.environment().putAll(environment);
        Process process = builder.start();
        List<String> out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .toList();
        String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Ended(process.waitFor(), out, err);
    }

    @Test
    @DisplayName("the agent's words come after the jar, untouched")
    void words() throws Exception {
        Ended ended = run(Map.of(), "--config", "/etc/a file.yml", "*");
        assertEquals(0, ended.status(), ended.err());
        int at = ended.out().indexOf("-jar");
        assertEquals(
                List.of("-jar", jar.toString(), "--config", "/etc/a file.yml", "*"),
                ended.out().subList(at, ended.out().size()));
        assertTrue(ended.out().contains("-Xmx24m"), ended.out().toString());
    }

    @Test
    @DisplayName("a class archive is used when it is there, and only then")
    void archive() throws Exception {
        String flag = "-XX:SharedArchiveFile=" + archive;
        assertFalse(run(Map.of()).out().contains(flag));
        Files.writeString(archive, "made before");
        assertTrue(run(Map.of()).out().contains(flag));
    }

    @Test
    @DisplayName("prepare has Java make the archive, and puts it there when it is whole")
    void prepare() throws Exception {
        java(
                "#!/bin/sh\nfor word; do case $word in -XX:ArchiveClassesAtExit=*) echo new >\"${word#*=}\" ;; esac; done\n");
        Files.writeString(archive, "old");
        Ended ended = run(Map.of(), "prepare");
        assertEquals(0, ended.status(), ended.err());
        assertEquals("new\n", Files.readString(archive));
    }

    @Test
    @DisplayName("a preparation that fails says so and leaves the archive that was there")
    void prepareFails() throws Exception {
        java("#!/bin/sh\nexit 1\n");
        Files.writeString(archive, "old");
        Ended ended = run(Map.of(), "prepare");
        assertEquals(1, ended.status());
        assertTrue(ended.err().contains("rehearsal failed"), ended.err());
        assertEquals("old", Files.readString(archive));
        try (var files = Files.list(archive.getParent())) {
            assertEquals(3, files.count(), "nothing half made stays behind");
        }
    }

    @Test
    @DisplayName("a Java that is too old is named before it complains about the jar")
    void tooOld() throws Exception {
        release("JAVA_VERSION=\"11.0.2\"");
        Ended ended = run(Map.of());
        assertEquals(1, ended.status());
        assertTrue(ended.err().contains("is Java 11 (expected: 17 to 25"), ended.err());
    }

    @Test
    @DisplayName("a Java that does not say what it is gets its chance")
    void unknownJava() throws Exception {
        Files.delete(java.resolve("../../release").normalize());
        assertEquals(0, run(Map.of()).status());
    }

    @Test
    @DisplayName("a service's own directory and more options are passed on")
    void environment() throws Exception {
        Ended ended = run(Map.of("STATE_DIRECTORY", "/var/lib/x", "FAIRWATCH_JAVA_OPTIONS", "-Da=1 -Db=2"));
        assertTrue(
                ended.out().containsAll(List.of("-Djna.tmpdir=/var/lib/x", "-Da=1", "-Db=2")),
                ended.out().toString());
    }
}
