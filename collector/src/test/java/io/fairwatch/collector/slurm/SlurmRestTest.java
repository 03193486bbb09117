package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.SlurmActions.Result;
import io.fairwatch.collector.slurm.SlurmActions.Target;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against a server that gives recorded answers; {@link SlurmControlLabTest} asks a real slurmrestd. */
@Timeout(60)
class SlurmRestTest {
    private static final Instant AT = Instant.ofEpochSecond(1796012000);

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Answer(int status, byte[] body) {}

    private final Map<String, Answer> answers = new ConcurrentHashMap<>();
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private final List<String> tokens = new CopyOnWriteArrayList<>();
    private final HttpServer server;
    private final Path token;

    SlurmRestTest(@TempDir Path directory) throws IOException {
        token = directory.resolve("token");
        Files.writeString(token, "SLURM_JWT=first.token\n");
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", exchange -> {
            asked.add(exchange.getRequestMethod() + " " + exchange.getRequestURI() + " "
                    + new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            tokens.add(exchange.getRequestHeaders().getFirst("X-SLURM-USER-NAME") + " "
                    + exchange.getRequestHeaders().getFirst("X-SLURM-USER-TOKEN"));
            String key =
                    exchange.getRequestMethod() + " " + exchange.getRequestURI().getPath();
            Answer answer = answers.getOrDefault(key, new Answer(404, new byte[0]));
            if (answer.status() == 0) { // begins and never ends
                exchange.sendResponseHeaders(200, 0);
                exchange.getResponseBody().write(answer.body());
                exchange.getResponseBody().flush();
                return;
            }
            exchange.sendResponseHeaders(answer.status(), answer.body().length == 0 ? -1 : answer.body().length);
            exchange.getResponseBody().write(answer.body());
            exchange.close();
        });
        server.start();
        says(
                "GET /openapi/v3",
                200,
                "{\"paths\": {\"/slurm/v0.0.36/jobs\": {}, \"/slurm/v0.0.38/jobs\": {},"
                        + "\"/slurmdb/v0.0.40/jobs\": {}, \"/slurm/v0.0.38/job/{job_id}\": {}}}");
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    private void says(String request, int status, String body) {
        answers.put(request, new Answer(status, body.getBytes(StandardCharsets.UTF_8)));
    }

    private SlurmSettings settings(Duration timeout, long most) {
        SlurmSettings defaults = SlurmSettings.DEFAULTS;
        return new SlurmSettings(
                Optional.empty(),
                List.of(),
                Optional.empty(),
                Optional.of("lab"),
                defaults.every(),
                defaults.accountingEvery(),
                defaults.accountsEvery(),
                timeout,
                most,
                defaults.overlap(),
                defaults.history(),
                Optional.of(new SlurmSettings.Rest(
                        URI.create("http://127.0.0.1:" + server.getAddress().getPort()),
                        "gpuwatch",
                        token,
                        Optional.empty())));
    }

    private Source source() {
        return Source.of(settings(Duration.ofSeconds(20), 10_000_000));
    }

    private SlurmException fails(Source source) {
        return assertThrows(SlurmException.class, () -> source.jobs("lab", AT, UnaryOperator.identity()));
    }

    @Test
    @DisplayName("recorded 22.05: jobs come as from squeue, in the newest version that is described")
    void jobs() throws Exception {
        answers.put("GET /slurm/v0.0.38/jobs", new Answer(200, Samples.read("22.05/rest-jobs.json")));
        Source source = source();
        SqueueParser.Jobs jobs = source.jobs("lab", AT, UnaryOperator.identity());
        assertEquals(List.of(), jobs.problems());
        assertEquals(Optional.of("22.05.8"), jobs.release());
        assertEquals(4, jobs.runs().size());
        Run running = jobs.runs().stream()
                .filter(run -> run.end().isEmpty())
                .findFirst()
                .orElseThrow();
        assertEquals(2, running.gpus().size());
        source.jobs("lab", AT, UnaryOperator.identity());
        assertEquals(1, asked.stream().filter(line -> line.contains("openapi")).count());
        assertEquals("GET /slurm/v0.0.38/jobs ", asked.get(1));
    }

    @Test
    @DisplayName("recorded 22.05: ended jobs come as from sacct, steps left aside; one that runs is left out")
    void ended() throws Exception {
        answers.put("GET /slurmdb/v0.0.38/jobs", new Answer(200, Samples.read("22.05/slurmdb-jobs.json")));
        SacctParser.Ended ended = source().ended("lab", AT.minusSeconds(600), AT.minusSeconds(60), AT);
        assertEquals(List.of(), ended.problems());
        assertEquals(4, ended.rows());
        assertEquals(
                List.of("2 bob 0", "3_1 bob 1", "3_0 bob 1"),
                ended.runs().stream()
                        .map(run -> run.displayId() + " " + run.owner().user() + " "
                                + run.allocation().gpus().orElse(-1))
                        .toList());
        Run task = ended.runs().get(1);
        assertEquals(List.of("a256-t4-01"), task.allocation().nodes());
        assertEquals(OptionalInt.of(1), task.allocation().cpus());
        assertEquals(3800L << 20, task.allocation().memoryBytes().orElseThrow());
        assertEquals(Optional.of(Duration.ofMinutes(60)), task.timeLimit());
        assertEquals(Optional.of(Instant.ofEpochSecond(1796011992)), task.end());
        assertEquals(
                "GET /slurmdb/v0.0.38/jobs?start_time=uts1796011400&end_time=uts1796011940 ",
                asked.get(asked.size() - 1));
    }

    @Test
    @DisplayName(
            "newer slurmdb (handmade by the sources' parser tables): states as lists, wrapped numbers, who cancelled")
    void newerEnded() throws Exception {
        says("GET /slurmdb/v0.0.38/job/7", 200, """
                {"meta": {"slurm": {"release": "24.05.4"}}, "errors": [], "warnings": [], "jobs": [
                 {"job_id": 7, "account": "es", "association": {"user": "anna", "account": "es"}, "user": "anna",
                  "array": {"job_id": 5, "task_id": {"set": true, "infinite": false, "number": 0}},
                  "het": {"job_id": 0, "job_offset": {"set": false, "infinite": false, "number": 0}},
                  "kill_request_user": "root", "name": "train", "nodes": "gpu[01-02]", "partition": "batch",
                  "qos": "normal", "reservation": {"id": 3, "name": "course"},
                  "state": {"current": ["CANCELLED"], "reason": "None"},
                  "time": {"elapsed": 100, "eligible": 1796011000, "start": 1796011000, "end": 1796011100,
                   "submission": 1796010990, "suspended": 20,
                   "limit": {"set": true, "infinite": true, "number": 0}},
                  "tres": {"allocated": [{"type": "cpu", "name": "", "id": 1, "count": 8},
                   {"type": "mem", "name": "", "id": 2, "count": 2048},
                   {"type": "gres", "name": "gpu", "id": 1001, "count": 2},
                   {"type": "gres", "name": "gpu:a100", "id": 1002, "count": 2}]}, "steps": [{"a": [1, {}]}]}]}""");
        says("GET /slurmdb/v0.0.38/job/8", 500, "{\"errors\": [{\"description\": \"Nothing found\"}]}");
        SacctParser.Ended ended = source().ended("lab", List.of(7L, 8L), AT);
        Run run = ended.runs().get(0);
        assertEquals("5_0", run.displayId());
        assertEquals("CANCELLED by root", run.stateText());
        assertEquals(List.of("gpu01", "gpu02"), run.allocation().nodes());
        assertEquals(OptionalInt.of(2), run.allocation().gpus());
        assertEquals(2L << 30, run.allocation().memoryBytes().orElseThrow());
        assertEquals(Duration.ofSeconds(20), run.suspended());
        assertEquals(Optional.empty(), run.timeLimit());
        assertEquals(Optional.of("course"), run.reservation());
        assertEquals(1, ended.problems().size());
        assertTrue(
                ended.problems().get(0).endsWith("answered 500: Nothing found"),
                ended.problems().get(0));
        assertThrows(SlurmException.class, () -> source().ended("lab", List.of(8L), AT));
    }

    @Test
    @DisplayName("errors in an answer of 200 are a failure, and an empty list beside them ends nobody")
    void errors() {
        says(
                "GET /slurm/v0.0.38/jobs",
                200,
                "{\"errors\": [{\"description\": \"Failed while looking for jobs\"}], \"jobs\": []}");
        assertTrue(fails(source()).toString().contains("Failed while looking for jobs"));
    }

    @Test
    @DisplayName("a refusal tells its status and what was said, and never the token")
    void refused() throws Exception {
        says("GET /slurm/v0.0.38/jobs", 401, "Authentication failure");
        assertEquals(
                "slurmrestd GET /slurm/v0.0.38/jobs answered 401: Authentication failure",
                fails(source()).getMessage());
        says(
                "GET /slurm/v0.0.38/jobs",
                500,
                "{\"errors\": [{\"description\": \"Failed\", \"error\": \"Access/permission denied\"}]}");
        SlurmException denied = fails(source());
        assertTrue(denied.toString().endsWith("answered 500: Failed; Access/permission denied"), denied.toString());
        assertFalse(denied.toString().contains("first.token"));
    }

    @Test
    @DisplayName("a new token counts at once, and one that cannot be read is told by its file's name")
    void token() throws Exception {
        answers.put("GET /slurm/v0.0.38/jobs", new Answer(200, Samples.read("22.05/rest-jobs.json")));
        Source source = source();
        source.jobs("lab", AT, UnaryOperator.identity());
        assertEquals("gpuwatch first.token", tokens.get(tokens.size() - 1));
        Files.writeString(token, "second.token\n");
        source.jobs("lab", AT, UnaryOperator.identity());
        assertEquals("gpuwatch second.token", tokens.get(tokens.size() - 1));
        Files.writeString(token, "two words\n");
        assertEquals(token + ": no token in its first line", fails(source).getMessage());
        Files.delete(token);
        assertTrue(String.valueOf(fails(source).getMessage()).startsWith(token + ": the token cannot be read"));
    }

    @Test
    @DisplayName("an answer that stalls, is too large or is no JSON is a failure, in time")
    void limits() {
        answers.put(
                "GET /slurm/v0.0.38/jobs",
                new Answer(0, "{\"errors\": [], \"jobs\": [".getBytes(StandardCharsets.UTF_8)));
        assertTrue(fails(Source.of(settings(Duration.ofSeconds(2), 1000)))
                .toString()
                .endsWith("did not answer wholly within 2 s"));
        says("GET /slurm/v0.0.38/jobs", 200, "{\"errors\": [], \"jobs\": [\"" + "x".repeat(5000) + "\"]}");
        assertTrue(fails(Source.of(settings(Duration.ofSeconds(20), 1000)))
                .toString()
                .endsWith("answered more than 1000 bytes"));
        says("GET /slurm/v0.0.38/jobs", 200, "<html>");
        assertTrue(fails(source()).toString().contains("broken JSON"));
        server.stop(0);
        assertTrue(fails(source()).toString().contains("failed: java.net.ConnectException"));
    }

    // ---- actions

    private static String job(String state, int limit) {
        return "{\"errors\": [], \"jobs\": [{\"job_id\": 21, \"job_state\": \"" + state + "\", \"user_name\": \"anna\","
                + "\"start_time\": 1796011000, \"time_limit\": " + limit + ", \"priority\": 50, \"qos\": \"normal\"}]}";
    }

    @Test
    @DisplayName("orders go by task, are looked for in errors[], and are verified")
    void actions() throws Exception {
        SlurmControl control = new SlurmControl(settings(Duration.ofSeconds(20), 100_000), () -> AT);
        Target target = new Target("lab", 21, "5_1", "anna", Optional.of(Instant.ofEpochSecond(1796011000)));
        says("GET /slurm/v0.0.38/job/21", 200, job("RUNNING", 60));
        says("POST /slurm/v0.0.38/job/5_1", 200, "{\"errors\": [{\"description\": \"unknown key\"}]}");
        assertTrue(assertInstanceOf(Result.Refused.class, control.shorten(target, Duration.ofMinutes(30)))
                .reason()
                .contains("unknown key"));
        assertTrue(asked.contains("POST /slurm/v0.0.38/job/5_1 {\"time_limit\": 30}"));

        says("DELETE /slurm/v0.0.38/job/5_1", 500, "{\"errors\": [{\"error\": \"Access/permission denied\"}]}");
        assertTrue(assertInstanceOf(Result.Refused.class, control.cancel(target))
                .reason()
                .contains("adminlevel=Operator"));

        assertTrue(assertInstanceOf(Result.Refused.class, control.requeue(target, false))
                .reason()
                .contains("takes scontrol"));
        says("GET /slurm/v0.0.38/job/21", 500, "{\"errors\": [{\"error\": \"Invalid job id specified\"}]}");
        assertInstanceOf(Result.Refused.class, control.cancel(target));
    }

    @Test
    @DisplayName("an address or a version that is none is refused")
    void settings() {
        URI good = URI.create("http://localhost:6820");
        assertThrows(
                IllegalArgumentException.class,
                () -> new SlurmSettings.Rest(URI.create("unix:/run/x"), "u", token, Optional.empty()));
        assertThrows(
                IllegalArgumentException.class,
                () -> new SlurmSettings.Rest(good, "u\r\nX: y", token, Optional.empty()));
        assertThrows(
                IllegalArgumentException.class,
                () -> new SlurmSettings.Rest(good, "u", token, Optional.of("../openapi")));
    }
}
