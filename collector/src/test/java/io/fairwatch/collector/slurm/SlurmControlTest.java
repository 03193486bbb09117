package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.slurm.SlurmActions.Result;
import io.fairwatch.collector.slurm.SlurmActions.Target;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against stand-ins whose squeue tells what the other commands did; {@link SlurmControlLabTest} asks a real Slurm. */
@Timeout(60)
class SlurmControlTest {
    private static final Instant START = Instant.ofEpochSecond(1796011050);
    private static final Instant NOW = START.plusSeconds(600);

    private final FakeSlurm slurm;
    private final SlurmControl control;

    SlurmControlTest(@TempDir Path directory) {
        slurm = new FakeSlurm(directory);
        control = new SlurmControl(slurm.settings(Duration.ofSeconds(20), 100_000), () -> NOW);
        says(row("RUNNING", START, "1:00:00", 50, "normal"));
        does("scancel", row("CANCELLED", START, "1:00:00", 50, "normal"));
    }

    private static String row(String state, Instant start, String limit, int priority, String qos) {
        return "21|" + state + "|" + start.getEpochSecond() + "|10:00|" + limit + "|" + priority + "|" + qos
                + "|anna@es.aau.dk";
    }

    /** What squeue prints from now on. */
    private void says(String... rows) {
        slurm.prints("squeue", String.join("\n", rows) + "\n");
    }

    /** A command after which squeue prints a row. */
    private void does(String command, String after) {
        slurm.command(
                command,
                "printf '%s\\n' \"$*\" >> '" + slurm.file(command + ".arguments") + "'",
                "printf '%s\\n' '" + after + "' > '" + slurm.file("squeue.out") + "'");
    }

    private static Target running() {
        return new Target("lab", 21, "5_1", "anna@es.aau.dk", Optional.of(START));
    }

    private static Target waiting() {
        return new Target("lab", 21, "21", "anna@es.aau.dk", Optional.empty());
    }

    private static String refused(Result result) {
        return assertInstanceOf(Result.Refused.class, result).reason();
    }

    @Test
    @DisplayName("a job is cancelled by the name that means this task alone, and Slurm says afterwards that it is")
    void cancel() throws Exception {
        Result.Done done = assertInstanceOf(Result.Done.class, control.cancel(running()));
        assertEquals(NOW, done.at());
        assertTrue(done.detail().startsWith("state CANCELLED"), done.detail());
        assertEquals(List.of("5_1"), slurm.calls("scancel"));
        assertEquals(
                "--noheader --all --states=all --jobs=21 --format=%A|%T|%S|%M|%l|%Q|%q|%u",
                slurm.calls("squeue").get(0));
    }

    @Test
    @DisplayName("another owner, a later start, an end or a vanished job is refused, and nothing is done")
    void notTheOneThatIsMeant() throws Exception {
        assertTrue(refused(control.cancel(new Target("lab", 21, "5_1", "bob", Optional.of(START))))
                .contains("belongs to anna@es.aau.dk (expected: bob)"));
        assertTrue(refused(control.cancel(
                        new Target("lab", 21, "5_1", "anna@es.aau.dk", Optional.of(START.minusSeconds(1)))))
                .contains("another run of it by now"));
        says(row("COMPLETING", START, "1:00:00", 50, "normal"));
        assertTrue(refused(control.cancel(running())).contains("is COMPLETING"));
        says(row("PENDING", START.plusSeconds(900), "1:00:00", 50, "normal"));
        assertTrue(refused(control.cancel(running())).contains("another run"));
        says("5|RUNNING|" + START.getEpochSecond() + "|10:00|1:00:00|50|normal|anna@es.aau.dk");
        assertTrue(refused(control.cancel(running())).contains("not there any more"));
        slurm.command("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2", "exit 1");
        assertTrue(refused(control.cancel(running())).contains("not there any more"));
        assertEquals(List.of(), slurm.calls("scancel"));
    }

    @Test
    @DisplayName("a resized job's run began after the job did, and is still the one that is meant")
    void resized() throws Exception {
        assertInstanceOf(
                Result.Done.class,
                control.cancel(new Target("lab", 21, "21", "anna@es.aau.dk", Optional.of(START.plusSeconds(60)))));
    }

    @Test
    @DisplayName("without the right it is refused, and which one is missing is told")
    void noRight() throws Exception {
        slurm.command(
                "scancel",
                "echo 'scancel: error: Kill job error on job id 21: Access/permission denied' >&2",
                "exit 210");
        assertTrue(refused(control.cancel(running())).contains("set adminlevel=Operator"));
    }

    @Test
    @DisplayName("a Slurm that does not answer has failed: trying again may help")
    void unreachable() throws Exception {
        slurm.command("scancel", "echo 'Unable to contact slurm controller (connect failure)' >&2", "exit 1");
        assertInstanceOf(Result.Failed.class, control.cancel(running()));
        slurm.command("squeue", "echo 'Unable to contact slurm controller (connect failure)' >&2", "exit 1");
        assertTrue(assertInstanceOf(Result.Failed.class, control.cancel(running()))
                .reason()
                .contains("could not be looked at"));
    }

    @Test
    @DisplayName("an order that Slurm took and did not follow has failed")
    void notFollowed() throws Exception {
        slurm.command("scancel", "exit 0"); // what a real one answers for a job that it does not know
        String reason =
                assertInstanceOf(Result.Failed.class, control.cancel(running())).reason();
        assertTrue(reason.contains("has not done it in 10 s: state RUNNING"), reason);
    }

    @Test
    @DisplayName("a waiting job can be held, a running one cannot; a held one has no priority")
    void hold() throws Exception {
        does("scontrol", row("PENDING", START, "1:00:00", 0, "normal"));
        assertTrue(refused(control.hold(running())).contains("only a waiting job can be held"));
        says(row("PENDING", START, "1:00:00", 50, "normal"));
        assertInstanceOf(Result.Done.class, control.hold(waiting()));
        assertEquals(List.of("hold 21"), slurm.calls("scontrol"));
        assertTrue(refused(control.requeue(waiting(), true)).contains("only a running job can be requeued"));
    }

    @Test
    @DisplayName("a requeued job waits again, held if asked")
    void requeue() throws Exception {
        does("scontrol", row("PENDING", START.plusSeconds(120), "1:00:00", 50, "normal"));
        assertInstanceOf(Result.Done.class, control.requeue(running(), false));
        assertEquals(List.of("requeue 5_1"), slurm.calls("scontrol"));
    }

    @Test
    @DisplayName("a time limit only becomes shorter, and never so short that the job ends at once")
    void shorten() throws Exception {
        does("scontrol", row("RUNNING", START, "30:00", 50, "normal"));
        assertTrue(refused(control.shorten(running(), Duration.ofHours(2))).contains("60 min already"));
        assertTrue(refused(control.shorten(running(), Duration.ofMinutes(9))).contains("would end it at once"));
        assertTrue(refused(control.shorten(running(), Duration.ofSeconds(9))).contains("too short"));
        assertEquals(List.of(), slurm.calls("scontrol"));
        assertInstanceOf(Result.Done.class, control.shorten(running(), Duration.ofMinutes(30)));
        assertEquals(List.of("update JobId=5_1 TimeLimit=30"), slurm.calls("scontrol"));

        says(row("RUNNING", START, "UNLIMITED", 50, "normal"));
        assertInstanceOf(Result.Done.class, control.shorten(running(), Duration.ofMinutes(30)));
    }

    @Test
    @DisplayName("a QoS is a name and nothing else, and only a waiting job moves")
    void qos() throws Exception {
        does("scontrol", row("PENDING", START, "1:00:00", 50, "unprivileged"));
        assertTrue(refused(control.changeQos(running(), "unprivileged")).contains("Slurm moves no running job"));
        says(row("PENDING", START, "1:00:00", 50, "normal"));
        assertTrue(refused(control.changeQos(waiting(), "x Account=root")).contains("expected: a name"));
        assertTrue(refused(control.changeQos(waiting(), "normal")).contains("already"));
        assertEquals(List.of(), slurm.calls("scontrol"));
        assertInstanceOf(Result.Done.class, control.changeQos(waiting(), "unprivileged"));
        assertEquals(List.of("update JobId=21 QOS=unprivileged"), slurm.calls("scontrol"));
    }
}
