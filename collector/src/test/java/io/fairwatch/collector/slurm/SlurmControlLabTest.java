package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.slurm.SlurmActions.Result;
import io.fairwatch.collector.slurm.SlurmActions.Target;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;

/** Acts on jobs of the laboratory cluster of {@code deploy/lab}, as an Operator: skipped unless its environment is set. */
@Timeout(180)
@EnabledIfEnvironmentVariable(
        named = "FAIRWATCH_LAB_DIR",
        matches = ".+",
        disabledReason = "needs a running Slurm: eval \"$(deploy/lab/env)\"")
class SlurmControlLabTest {
    private static final Path RUN =
            Path.of("..", "deploy", "lab", "run").toAbsolutePath().normalize();

    private final SlurmControl operator = new SlurmControl(settings("gpuwatch"), Instant::now);
    private final List<String> submitted = new ArrayList<>();

    private static SlurmSettings settings(String user) {
        return settings(user, Optional.empty());
    }

    private static SlurmSettings settings(String user, Optional<SlurmSettings.Rest> rest) {
        SlurmSettings defaults = SlurmSettings.DEFAULTS;
        return new SlurmSettings(
                Optional.empty(),
                List.of(RUN.toString(), user, "env", "SLURM_TIME_FORMAT=%s", "TZ=UTC"),
                Optional.of(Path.of(Objects.requireNonNull(System.getenv("FAIRWATCH_LAB_DIR")), "etc/slurm.conf")),
                Optional.empty(),
                defaults.every(),
                defaults.accountingEvery(),
                defaults.accountsEvery(),
                defaults.timeout(),
                defaults.maxOutputBytes(),
                defaults.overlap(),
                defaults.history(),
                rest);
    }

    private static String run(String user, String... words) throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(List.of(RUN.toString(), user));
        all.addAll(List.of(words));
        Process process = new ProcessBuilder(all).redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertEquals(0, process.waitFor(), text);
        return text;
    }

    private long submit(String... words) throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(List.of("sbatch", "--parsable"));
        all.addAll(List.of(words));
        String id = run("bob", all.toArray(String[]::new));
        submitted.add(id);
        return Long.parseLong(id);
    }

    @AfterEach
    void cancelAll() throws Exception {
        for (String id : submitted) {
            run("root", "scancel", id);
        }
    }

    private static SqueueParser.Jobs jobs() throws Exception {
        return new SlurmCommand(settings("gpuwatch"))
                .run(
                        "squeue",
                        SqueueParser.ARGUMENTS,
                        out -> SqueueParser.parse(out, "lab", Instant.now(), UnaryOperator.identity()));
    }

    private static Run await(Predicate<Run> wanted) throws Exception {
        for (int i = 0; i < 100; i++) {
            Optional<Run> found = jobs().runs().stream()
                    .filter(run -> run.end().isEmpty() && run.state() == JobState.RUNNING)
                    .filter(wanted)
                    .findFirst();
            if (found.isPresent()) {
                return found.get();
            }
            Thread.sleep(200);
        }
        throw new AssertionError("the job did not start: " + jobs());
    }

    private static Run awaitId(long id) throws Exception {
        return await(run -> run.key().jobId() == id);
    }

    @Test
    @DisplayName(
            "an Operator cancels a running job of another; a plain user, a wrong owner and a second try are refused")
    void cancel() throws Exception {
        Run run = awaitId(submit("--gres=gpu:1", "--wrap", "sleep 300"));
        Target target = Target.of(run);

        Result byAnna = new SlurmControl(settings("anna@es.aau.dk"), Instant::now).cancel(target);
        assertTrue(assertInstanceOf(Result.Refused.class, byAnna).reason().contains("set adminlevel=Operator"));
        assertInstanceOf(
                Result.Refused.class,
                operator.cancel(new Target("lab", target.jobId(), target.name(), "anna@es.aau.dk", target.start())));
        assertInstanceOf(
                Result.Refused.class,
                operator.cancel(new Target(
                        "lab",
                        target.jobId(),
                        target.name(),
                        target.user(),
                        target.start().map(start -> start.minusSeconds(1)))));
        assertEquals(run.key(), awaitId(target.jobId()).key(), "nothing was done so far");

        assertInstanceOf(Result.Done.class, operator.cancel(target));
        assertInstanceOf(Result.Refused.class, operator.cancel(target));
        assertInstanceOf(
                Result.Refused.class, operator.cancel(new Target("lab", 999999, "999999", "bob", target.start())));
    }

    @Test
    @DisplayName("the last task of an array has the array's number, and is cancelled alone")
    void lastTask() throws Exception {
        long array = submit("--array=0-1", "--gres=gpu:1", "--wrap", "sleep 300");
        Run last = awaitId(array);
        Run other = await(
                run -> run.ids().arrayJobId().orElse(0) == array && run.key().jobId() != array);
        assertInstanceOf(Result.Done.class, operator.cancel(Target.of(last)));
        assertEquals(other.key(), awaitId(other.key().jobId()).key());
    }

    @Test
    @DisplayName("a component of a heterogeneous job is cancelled alone, the leader too")
    void component() throws Exception {
        long leader = submit("--gres=gpu:1", ":", "--gres=gpu:1", "--wrap", "sleep 300");
        Run second = await(
                run -> run.ids().hetJobId().orElse(0) == leader && run.key().jobId() != leader);
        Run first = awaitId(leader);
        assertInstanceOf(Result.Done.class, operator.cancel(Target.of(second)));
        assertEquals(first.key(), awaitId(leader).key());
        assertInstanceOf(Result.Done.class, operator.cancel(Target.of(first)));
    }

    @Test
    @DisplayName("a waiting job is held, a running one gets a shorter limit, another QoS, and is requeued held")
    void others() throws Exception {
        long waits = submit("--begin=now+3600", "--wrap", "sleep 300");
        PendingJob pending = jobs().pending().stream()
                .filter(job -> job.jobId() == waits)
                .findFirst()
                .orElseThrow();
        assertInstanceOf(Result.Refused.class, operator.changeQos(Target.of(pending), "no-such-qos"));
        assertInstanceOf(Result.Done.class, operator.changeQos(Target.of(pending), "deadline"));
        assertInstanceOf(Result.Done.class, operator.hold(Target.of(pending)));

        Run run = awaitId(submit("--time=60", "--wrap", "sleep 300"));
        Target target = Target.of(run);
        assertInstanceOf(Result.Refused.class, operator.hold(target));
        assertInstanceOf(Result.Done.class, operator.shorten(target, Duration.ofMinutes(30)));
        assertInstanceOf(Result.Refused.class, operator.shorten(target, Duration.ofMinutes(40)));
        assertEquals(
                Optional.of(Duration.ofMinutes(30)), awaitId(run.key().jobId()).timeLimit());
        assertInstanceOf(Result.Refused.class, operator.changeQos(target, "deadline"));
        assertInstanceOf(Result.Done.class, operator.requeue(target, true));
        assertInstanceOf(Result.Refused.class, operator.cancel(target), "it waits now: another run");
    }

    @Test
    @DisplayName("slurmrestd tells the same jobs and nodes as the commands, and acts as they do")
    void rest(@TempDir Path directory) throws Exception {
        Path token = directory.resolve("token");
        SlurmSettings.Rest rest =
                new SlurmSettings.Rest(URI.create("http://127.0.0.1:16820"), "gpuwatch", token, Optional.empty());
        SlurmSettings settings = settings("gpuwatch", Optional.of(rest));
        Source source = Source.of(settings);
        Files.writeString(token, "no.such.token\n");
        assertThrows(SlurmException.class, () -> source.jobs("lab", Instant.now(), UnaryOperator.identity()));
        Files.writeString(token, run("root", "scontrol", "token", "username=gpuwatch", "lifespan=600") + "\n");

        Run run = awaitId(submit("--gres=gpu:2", "--time=60", "--wrap", "sleep 300"));
        Instant at = Instant.now();
        SqueueParser.Jobs byCommand =
                new CommandSource(new SlurmCommand(settings)).jobs("lab", at, UnaryOperator.identity());
        assertEquals(
                byCommand.runs().stream().map(Run::key).sorted(BY_ID).toList(),
                source.jobs("lab", at, UnaryOperator.identity()).runs().stream()
                        .map(Run::key)
                        .sorted(BY_ID)
                        .toList());
        assertTrue(source.jobs("lab", at, UnaryOperator.identity()).runs().stream()
                .anyMatch(told -> told.key().equals(run.key()) && told.gpus().equals(run.gpus())));
        assertEquals(
                new CommandSource(new SlurmCommand(settings))
                        .nodes(byCommand.release())
                        .nodes()
                        .size(),
                source.nodes(byCommand.release()).nodes().size());

        SlurmControl control = new SlurmControl(settings, Instant::now);
        Target target = Target.of(run);
        assertInstanceOf(Result.Done.class, control.shorten(target, Duration.ofMinutes(25)));
        assertInstanceOf(
                Result.Refused.class,
                control.cancel(new Target("lab", target.jobId(), target.name(), "anna@es.aau.dk", target.start())));
        assertInstanceOf(Result.Done.class, control.cancel(target));
        assertInstanceOf(Result.Refused.class, control.cancel(target));

        Thread.sleep(5000); // until the job is gone and accounting has heard of it
        Instant now = Instant.now();
        Run ended = source.ended("lab", List.of(run.key().jobId()), now).runs().get(0);
        Run byDatabase = new CommandSource(new SlurmCommand(settings))
                .ended("lab", List.of(run.key().jobId()), now)
                .runs()
                .get(0);
        assertEquals(byDatabase.key(), ended.key());
        assertEquals(byDatabase.end(), ended.end());
        assertEquals(byDatabase.allocation().gpus(), ended.allocation().gpus());
        assertEquals(byDatabase.allocation().nodes(), ended.allocation().nodes());
        assertEquals(byDatabase.timeLimit(), ended.timeLimit());
        assertEquals(byDatabase.eligible(), ended.eligible());
        assertTrue(source.ended("lab", run.key().start().minusSeconds(5), now, now).runs().stream()
                .anyMatch(told -> told.key().equals(run.key())));
    }

    private static final Comparator<RunKey> BY_ID = Comparator.comparing(RunKey::jobId);
}
