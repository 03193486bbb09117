package io.fairwatch.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.WireCodec;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class MainTest {
    private static final String CLASS_PATH = System.getProperty("java.class.path", "");

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

    @Test
    @DisplayName("the doctor ends with 2 for a wrong configuration, wherever its file is named")
    void doctorWrongConfiguration() throws Exception {
        Path file = Files.writeString(directory.resolve("agent.yml"), "spol: {}\n");
        for (String[] arguments :
                new String[][] {{"doctor", "--config", file.toString()}, {"--config", file.toString(), "doctor"}}) {
            String complaint = complaint(2, arguments);
            assertTrue(complaint.contains(file + ":1: spol: unknown key"), complaint);
        }
    }

    @Test
    @DisplayName("colours need a terminal, and nobody who does not want them")
    void colours() {
        assertFalse(DoctorCommand.wantsColours(Map.of("TERM", "xterm", "NO_COLOR", "1")));
        assertFalse(DoctorCommand.wantsColours(Map.of("TERM", "dumb")));
        assertFalse(DoctorCommand.wantsColours(Map.of()));
    }

    /** The agent as a process of its own, on this machine. */
    private Process agent(List<String> prefix, String classPath, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Djna.tmpdir=" + directory,
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=info", // tests are silent otherwise, and wait for what it
                // says
                "-cp",
                classPath,
                Main.class.getName()));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }

    /** Nobody may read the builder's home. */
    private String copyForEverybody() throws Exception {
        List<String> copies = new ArrayList<>();
        for (String element : CLASS_PATH.split(File.pathSeparator, -1)) {
            if (element.isEmpty() || !Files.exists(Path.of(element)) || element.contains("test-classes")) {
                continue;
            }
            Path copy = directory
                    .resolve("cp" + copies.size())
                    .resolve(Path.of(element).getFileName());
            Files.createDirectories(copy.getParent());
            assertEquals(
                    0,
                    new ProcessBuilder("cp", "-r", element, copy.toString())
                            .start()
                            .waitFor());
            copies.add(copy.toString());
        }
        return String.join(File.pathSeparator, copies);
    }

    private static String until(Process process, String expected) throws IOException {
        StringBuilder said = new StringBuilder();
        String line = "";
        while (line != null && !line.contains(expected)) {
            line = process.inputReader().readLine();
            said.append(line).append('\n');
        }
        assertTrue(said.toString().contains(expected), said::toString);
        return said.toString();
    }

    @Test
    @DisplayName("an agent that gets a SIGTERM sends what it has, ends with 0 and keeps what could not be sent")
    void sigterm() throws Exception {
        Vertx vertx = Vertx.vertx();
        BlockingQueue<Buffer> stored = new LinkedBlockingQueue<>();
        AtomicBoolean away = new AtomicBoolean(true);
        int port = vertx.createHttpServer()
                .requestHandler(request -> request.body().onSuccess(body -> {
                    if (!away.get()) {
                        stored.add(body);
                    }
                    request.response().setStatusCode(away.get() ? 503 : 200).end();
                }))
                .listen(0, "127.0.0.1")
                .await()
                .actualPort();
        Path spool = directory.resolve("spool");
        Path config = Files.writeString(directory.resolve("agent.yml"), """
                node: n1
                period: 5s
                collector: {url: "http://127.0.0.1:%d", firstRetry: 1m, lastRetry: 1h}
                spool: {directory: %s}
                """.formatted(port, spool));
        try {
            Process agent = agent(List.of(), CLASS_PATH, "--config", config.toString());
            try {
                until(agent, "cannot ship for now"); // a snapshot waits
                away.set(false);
                agent.toHandle().destroy(); // Process.destroy() would close what it says
                until(agent, "agent ended waiting=0");
                assertEquals(0, agent.waitFor());
            } finally {
                agent.destroyForcibly().waitFor();
            }
            Buffer batch = stored.poll(20, TimeUnit.SECONDS);
            assertTrue(batch != null, "a batch");
            assertEquals(
                    "n1",
                    new WireCodec().unpack(batch.getBytes(), 1 << 24).get(0).node());

            away.set(true);
            Process other = agent(List.of(), CLASS_PATH, "--config", config.toString());
            try {
                until(other, "cannot ship for now");
                other.toHandle().destroy();
                until(other, "agent ended waiting=1");
                assertEquals(0, other.waitFor());
            } finally {
                other.destroyForcibly().waitFor();
            }
            try (var files = Files.list(spool)) {
                assertEquals(
                        1,
                        files.filter(file -> file.toString().endsWith(".json.gz"))
                                .count());
            }
        } finally {
            vertx.close().await();
        }
    }

    @Test
    @DisplayName("--once prints one snapshot of this machine as JSON, sends and keeps nothing, and ends with 0")
    void once() throws Exception {
        Path spool = directory.resolve("spool");
        Path config = Files.writeString(
                directory.resolve("agent.yml"),
                "node: n1\nnvml: {enabled: false}\nspool: {directory: " + spool + "}\n");
        Process once = agent(List.of(), CLASS_PATH, "--once", "--config", config.toString());
        String said = new String(once.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, once.waitFor(), said);
        NodeSnapshot snapshot = new WireCodec().parse(said.substring(said.indexOf("{\n"), said.lastIndexOf('}') + 1));
        assertEquals("n1", snapshot.node());
        assertTrue(snapshot.period().toMillis() >= 2000, said);
        assertTrue(snapshot.host().isPresent(), said);
        int uid = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        assertTrue(
                snapshot.users().stream()
                        .anyMatch(use -> use.uid() == uid && use.cpuSeconds().isPresent()),
                said);
        assertTrue(snapshot.probes().get("users") instanceof ProbeOutcome.Read, said);
        assertTrue(Files.notExists(spool), "nothing is kept");
    }

    @Test
    @DisplayName("a configuration that could only lose snapshots ends the start with 2")
    void tooManyMounts() throws Exception {
        Path file = Files.writeString(
                directory.resolve("agent.yml"),
                "collector: {url: 'http://host'}\nscratch: {mounts: [" + "/raid, ".repeat(64) + "/raid]}\n");
        String complaint = complaint(2, "--config", file.toString());
        assertTrue(complaint.contains("scratch.mounts: 65 entries (expected: at most 64)"), complaint);
    }

    @Test
    @DisplayName("one snapshot and the doctor need no privilege at all")
    void unprivileged() throws Exception {
        Path setpriv = Path.of("/usr/bin/setpriv");
        boolean root = Files.isExecutable(setpriv)
                && Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
        assumeTrue(root, "SKIPPED: needs root and setpriv, to become nobody; not tried");
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
        String classPath = copyForEverybody();
        List<String> nobody = List.of(
                setpriv.toString(),
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--bounding-set=-all",
                "--inh-caps=-all",
                "--no-new-privs");
        Path config = Files.writeString(directory.resolve("agent.yml"), "node: n1\nnvml: {enabled: false}\n");
        Process once = agent(nobody, classPath, "--once", "--config", config.toString());
        String said = until(once, "\"scratch\"");
        assertTrue(said.contains("\"users\" : [ {") && said.contains("\"uid\" : 0,"), said);
        assertEquals(0, once.waitFor());
        Process doctor = agent(nobody, classPath, "doctor", "--config", config.toString());
        String page = until(doctor, "n1, fairwatch-agent");
        assertTrue(
                page.contains("runs as uid 65534, capabilities none")
                        || page.contains("the agent (pid "), // that of a machine which runs one is looked at
                page);
        assertEquals(2, doctor.waitFor(), page); // no collector is configured
    }
}
