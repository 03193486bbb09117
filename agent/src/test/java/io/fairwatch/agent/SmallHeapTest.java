package io.fairwatch.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.probe.LargestCount;
import io.fairwatch.agent.probe.ProcTree;
import io.vertx.core.Vertx;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The agent as its command starts it, with all of its bounds reached at once: a heap of 24 MiB, and the end at the first
 * want of memory.
 */
class SmallHeapTest {
    private static final int FILES = 120_000;
    /** So many files of this size are the largest batch that may be configured. */
    private static final int LARGE_FILES = 450;

    private static final int LARGE_BYTES = 4_600;
    private static final int PROCESSES = 8_500;

    private final Path directory;

    SmallHeapTest(@TempDir Path directory) {
        this.directory = directory;
    }

    /** What the command tells Java before {@code -jar}. */
    private List<String> dailyFlags() throws Exception {
        Path java = directory.resolve("jdk/bin/java");
        Files.createDirectories(directory.resolve("jdk/bin"));
        Files.writeString(java, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
        Files.setPosixFilePermissions(java, PosixFilePermissions.fromString("rwxr-xr-x"));
        Path jar = Files.writeString(directory.resolve("fairwatch-agent.jar"), "not looked into");
        ProcessBuilder builder = new ProcessBuilder(
                "sh",
                Path.of("../deploy/bin/fairwatch-agent")
                        .toAbsolutePath()
                        .normalize()
                        .toString());
        builder.environment().put("FAIRWATCH_JAVA", java.toString());
        builder.environment().put("FAIRWATCH_AGENT_JAR", jar.toString());
        builder.environment().remove("FAIRWATCH_JAVA_OPTIONS");
        Process process = builder.start();
        List<String> words = process.inputReader().lines().toList();
        assertEquals(0, process.waitFor());
        return words.subList(0, words.indexOf("-jar"));
    }

    private static byte[] packed(byte[] content) throws IOException {
        java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(bytes)) {
            gzip.write(content);
        }
        return bytes.toByteArray();
    }

    /** A week of snapshots at 5 s; how many bytes. */
    private static long fill(Path spool) throws IOException {
        Files.createDirectories(spool);
        byte[] noise = new byte[LARGE_BYTES];
        new Random(1).nextBytes(noise);
        byte[] large = packed(noise);
        byte[] small = packed(new byte[100]);
        Path shared = spool.resolve("first");
        long first = Instant.now().toEpochMilli() - 1_000_000_000;
        long total = 0;
        for (int i = 0; i < FILES; i++) {
            byte[] content = i < LARGE_FILES ? large : small;
            Path file = spool.resolve("%020d.json.gz".formatted(first + i));
            if (i <= LARGE_FILES || i % 10_000 == 0) {
                Files.write(file, content);
                shared = file;
            } else {
                Files.createLink(file, shared); // several times quicker than a file of its own
            }
            total += content.length;
        }
        return total;
    }

    private static void processes(Path proc) throws IOException {
        Files.createDirectories(proc);
        Files.writeString(proc.resolve("uptime"), "12345.67 98765.43\n");
        for (int pid = 1; pid <= PROCESSES; pid++) {
            Path process = Files.createDirectory(proc.resolve(Integer.toString(pid)));
            Files.writeString(
                    process.resolve("stat"),
                    pid + " (python3.11) S 1 " + pid + " " + pid + " 0 -1 4194304 100 0 0 0 7" + pid
                            + " 3 0 0 20 0 1 0 500000 900000000 5000 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 3 0 0"
                            + " 0 0 0 0 0 0 0 0 0 0 0\n");
            Path cgroup = proc.resolve("cgroup" + pid % 40);
            if (pid <= 40) {
                Files.writeString(cgroup, "0::/system.slice/slurmstepd.scope/job_" + (pid % 40 + 1) + "/step_0/user\n");
            }
            Files.createLink(process.resolve("cgroup"), cgroup);
        }
    }

    /** The agent, in a heap that holds as many processes as it ever watches beside. */
    static final class Crowded {
        private static final List<ProcTree> held = new ArrayList<>();

        private Crowded() {}

        public static void main(String[] arguments) {
            ProcTree tree = new ProcTree(Path.of(arguments[0]), Path.of(arguments[0]), false);
            tree.refresh(Instant.now());
            tree.refresh(Instant.now());
            held.add(tree);
            Main.main(new String[] {"--config", arguments[1]});
        }
    }

    @Test
    @DisplayName("at all of its bounds at once the agent, as started daily, delivers everything and ends in order")
    void atItsBounds() throws Exception {
        Path memory = Path.of("/dev/shm"); // a disk takes minutes for so many files
        if (!Files.isWritable(memory)) {
            atItsBounds(directory);
            return;
        }
        Path base = Files.createTempDirectory(memory, "fairwatch");
        try {
            atItsBounds(base);
        } finally {
            try (Stream<Path> files = Files.walk(base)) {
                files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
            }
        }
    }

    private void atItsBounds(Path base) throws Exception {
        Path spool = base.resolve("spool");
        Path scratch = Files.createDirectories(directory.resolve("raid"));
        long bytes = fill(spool);
        processes(base.resolve("proc"));
        LargestCount.leave(directory.resolve("state"), scratch, Instant.now());
        AtomicLong arrived = new AtomicLong();
        AtomicLong largest = new AtomicLong();
        Vertx vertx = Vertx.vertx();
        try {
            int port = vertx.createHttpServer()
                    .requestHandler(request -> request.body().onSuccess(body -> {
                        largest.accumulateAndGet(body.length(), Math::max);
                        arrived.addAndGet(body.length());
                        request.response().end();
                    }))
                    .listen(0, "127.0.0.1")
                    .await()
                    .actualPort();
            Path config = Files.writeString(
                    directory.resolve("agent.yml"), """
                    node: n1
                    period: 5s
                    collector: {url: "http://127.0.0.1:%d", batch: 2MiB}
                    spool: {directory: %s}
                    scratch: {mounts: [%s], directory: %s}
                    """.formatted(port, spool, scratch, directory.resolve("state")));
            List<String> command = new ArrayList<>();
            command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
            command.addAll(dailyFlags());
            assertTrue(command.contains("-Xmx24m") && command.contains("-XX:+ExitOnOutOfMemoryError"), "daily flags");
            command.addAll(List.of(
                    "-Djna.tmpdir=" + directory,
                    "-cp",
                    System.getProperty("java.class.path", ""),
                    Crowded.class.getName(),
                    base.resolve("proc").toString(),
                    config.toString()));
            Path said = directory.resolve("said");
            Process agent = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(said.toFile())
                    .start();
            try {
                while (agent.isAlive() && (arrived.get() < bytes || !text(said).contains("agent started"))) {
                    Thread.sleep(100);
                }
                assertTrue(agent.isAlive(), () -> text(said));
                agent.toHandle().destroy();
                assertEquals(0, agent.waitFor(), () -> text(said));
            } finally {
                agent.destroyForcibly().waitFor();
            }
            assertTrue(largest.get() > LARGE_FILES * LARGE_BYTES, "a batch of " + largest + " bytes");
            assertTrue(text(said).contains("waiting=" + FILES), () -> text(said));
            assertTrue(text(said).contains("agent ended waiting=0"), () -> text(said));
        } finally {
            vertx.close().await();
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file, StandardCharsets.UTF_8);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
