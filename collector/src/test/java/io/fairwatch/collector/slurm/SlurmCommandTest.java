package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class SlurmCommandTest {
    private static final Duration LONG = Duration.ofSeconds(50);
    private static final Duration SHORT = Duration.ofMillis(400);

    private final Path directory;
    private final FakeSlurm slurm;

    SlurmCommandTest(@TempDir Path directory) {
        this.directory = directory;
        this.slurm = new FakeSlurm(directory);
    }

    private String run(SlurmSettings settings, String... arguments) throws SlurmException, InterruptedException {
        return new String(new SlurmCommand(settings).run("squeue", List.of(arguments)), StandardCharsets.UTF_8);
    }

    private SlurmException fails(SlurmSettings settings) {
        return assertThrows(SlurmException.class, () -> run(settings));
    }

    @Test
    @DisplayName("everything printed comes back, however much and however late")
    void output() throws Exception {
        slurm.command("squeue", "head -c 3000000 /dev/zero | tr '\\0' x", "sleep 0.1", "printf end");
        String text = run(slurm.settings(LONG, 10_000_000));
        assertEquals(3_000_003, text.length());
        assertTrue(text.endsWith("xend"));
    }

    @Test
    @DisplayName("arguments arrive as they are: no shell looks at them")
    void arguments() throws Exception {
        slurm.command("squeue", "for a in \"$@\"; do printf '<%s>' \"$a\"; done");
        assertEquals("<-n><$(id) `id`; x><a b>", run(slurm.settings(LONG, 1000), "-n", "$(id) `id`; x", "a b"));
    }

    @Test
    @DisplayName("the environment is its own: UTC, seconds, the configured slurm.conf, and nothing of ours")
    void environment() throws Exception {
        slurm.command("squeue", "env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD= | sort");
        assertEquals("""
                LC_ALL=C
                PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
                SLURM_CONF=/somewhere/slurm.conf
                SLURM_TIME_FORMAT=%s
                TZ=UTC
                """, run(slurm.settings(LONG, 1000)));
    }

    @Test
    @DisplayName("words before the command can run it as another user")
    void prefix() throws Exception {
        slurm.command("squeue", "printf \"$WHO $1\"");
        assertEquals("gpuwatch --json", run(slurm.settings(LONG, 1000, "env", "WHO=gpuwatch"), "--json"));
    }

    @Test
    @DisplayName("it has no input to wait for")
    void noInput() throws Exception {
        slurm.command("squeue", "cat", "printf done");
        assertEquals("done", run(slurm.settings(LONG, 1000)));
    }

    @Test
    @DisplayName("another status than 0 is a failure, told with the first line of what it complained")
    void status() {
        slurm.command(
                "squeue",
                "echo partial",
                "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2",
                "echo more >&2",
                "exit 1");
        assertEquals(
                "squeue ended with status 1: slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
                fails(slurm.settings(LONG, 1000)).getMessage());
    }

    @Test
    @DisplayName("endless complaints do not hold it up")
    void endlessComplaints() {
        slurm.command("squeue", "head -c 1000000 /dev/zero | tr '\\0' e >&2", "exit 3");
        assertTrue(fails(slurm.settings(LONG, 1000)).toString().contains("status 3: eee"));
    }

    @Test
    @DisplayName("a slow command is killed at its deadline, with all that it started")
    void deadline() throws Exception {
        slurm.command(
                "squeue",
                "sleep 300 & echo $! > " + directory.resolve("child"),
                "echo $$ > " + directory.resolve("parent"),
                "wait");
        // So that it has surely begun before its deadline, even on a slow machine.
        SlurmSettings settings = slurm.settings(Duration.ofSeconds(2), 1000);

        assertEquals(
                "squeue did not answer within 2 s and was stopped",
                fails(settings).getMessage());

        assertDead("parent");
        assertDead("child");
    }

    @Test
    @DisplayName("output without end is cut off at the limit")
    void cap() {
        slurm.command("squeue", "exec cat /dev/zero");
        assertEquals(
                "squeue printed more than 100000 bytes and was stopped",
                fails(slurm.settings(LONG, 100_000)).getMessage());
    }

    @Test
    @DisplayName("output of just the limit is whole")
    void justTheLimit() throws Exception {
        slurm.command("squeue", "head -c 100000 /dev/zero");
        assertEquals(100_000, run(slurm.settings(LONG, 100_000)).length());
    }

    @Test
    @DisplayName("an answer is read while it comes, and counts only when the command ends well")
    void asItComes() throws Exception {
        slurm.command(
                "squeue",
                "printf first",
                "while [ ! -e '" + directory.resolve("taken") + "' ]; do sleep 0.01; done",
                "printf ' second'");
        String text = new SlurmCommand(slurm.settings(LONG, 1000)).run("squeue", List.of(), printed -> {
            String first = new String(printed.readNBytes(5), StandardCharsets.UTF_8);
            Files.createFile(directory.resolve("taken"));
            return first + new String(printed.readAllBytes(), StandardCharsets.UTF_8);
        });
        assertEquals("first second", text);

        slurm.command("squeue", "printf '{}'", "echo 'connect failure' >&2", "exit 1");
        assertEquals(
                "squeue ended with status 1: connect failure",
                assertThrows(SlurmException.class, () -> new SlurmCommand(slurm.settings(LONG, 1000))
                                .run("squeue", List.of(), printed -> "good"))
                        .getMessage());
    }

    @Test
    @DisplayName("why the command failed is told, not that its answer was cut off by that")
    void failsMidway() {
        slurm.command("squeue", "printf '{\"jobs\": [{\"job_id\": 1'", "echo 'connection lost' >&2", "exit 1");
        assertEquals(
                "squeue ended with status 1: connection lost",
                assertThrows(SlurmException.class, () -> new SlurmCommand(slurm.settings(LONG, 1000))
                                .run(
                                        "squeue",
                                        List.of(),
                                        printed -> SqueueParser.parse(
                                                printed, "lab", Instant.EPOCH, UnaryOperator.identity())))
                        .getMessage());
    }

    @Test
    @DisplayName("the limit and the deadline hold in the middle of an answer, too")
    void limitsMidway() {
        slurm.command("squeue", "printf '{\"errors\": [], \"jobs\": [\"'", "exec cat /dev/zero");
        assertEquals(
                "squeue printed more than 100000 bytes and was stopped",
                assertThrows(SlurmException.class, () -> new SlurmCommand(slurm.settings(LONG, 100_000))
                                .run(
                                        "squeue",
                                        List.of(),
                                        printed -> SqueueParser.parse(
                                                printed, "lab", Instant.EPOCH, UnaryOperator.identity())))
                        .getMessage());
        slurm.command("squeue", "printf '{\"errors\": [], \"jobs\": ['", "exec sleep 300");
        assertEquals(
                "squeue did not answer within 400 ms and was stopped",
                assertThrows(SlurmException.class, () -> new SlurmCommand(slurm.settings(SHORT, 1000))
                                .run(
                                        "squeue",
                                        List.of(),
                                        printed -> SqueueParser.parse(
                                                printed, "lab", Instant.EPOCH, UnaryOperator.identity())))
                        .getMessage());
    }

    @Test
    @DisplayName("a child left behind with the pipe open does not hold it up")
    void childHoldsThePipe() throws Exception {
        slurm.command("squeue", "sleep 20 &", "echo $! > " + directory.resolve("child"), "printf done");
        long before = System.nanoTime();
        assertEquals("done", run(slurm.settings(LONG, 1000)));
        assertTrue(System.nanoTime() - before < TimeUnit.SECONDS.toNanos(15));
        ProcessHandle.of(pid("child")).ifPresent(ProcessHandle::destroyForcibly);
    }

    @Test
    @DisplayName("a command killed by someone else is a failure")
    void killed() {
        slurm.command("squeue", "echo '{}'", "kill -9 $$");
        assertEquals(
                "squeue ended with status 137",
                fails(slurm.settings(LONG, 1000)).getMessage());
    }

    @Test
    @DisplayName("a command that is not there is a failure that says where it was looked for")
    void missing() {
        assertTrue(fails(slurm.settings(LONG, 1000))
                .toString()
                .contains(directory.resolve("squeue").toString()));
    }

    @Test
    @DisplayName("an interrupted caller is let go at once, and the command is killed")
    void interrupted() throws Exception {
        slurm.command("squeue", "echo $$ > " + directory.resolve("parent"), "exec sleep 300");
        Thread caller = Thread.currentThread();
        Thread interrupter = new Thread(() -> {
            while (!Files.exists(directory.resolve("parent"))) {
                Thread.onSpinWait();
            }
            caller.interrupt();
        });
        interrupter.start();

        assertThrows(InterruptedException.class, () -> run(slurm.settings(LONG, 1000)));

        interrupter.join();
        assertFalse(Thread.interrupted());
        assertDead("parent");
    }

    @Test
    @DisplayName("a deadline below a second is told in milliseconds")
    void shortDeadline() {
        slurm.command("squeue", "exec sleep 300");
        assertEquals(
                "squeue did not answer within 400 ms and was stopped",
                fails(slurm.settings(SHORT, 1000)).getMessage());
    }

    private long pid(String file) throws IOException {
        return Long.parseLong(Files.readString(directory.resolve(file)).strip());
    }

    private void assertDead(String file) throws Exception {
        ProcessHandle process = ProcessHandle.of(pid(file)).orElse(null);
        if (process != null) {
            // Killed, but perhaps not yet buried.
            process.onExit().get(20, TimeUnit.SECONDS);
        }
    }
}
