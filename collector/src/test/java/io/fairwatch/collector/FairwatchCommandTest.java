package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The shell command that people call, under this system's sh, against a collector that says what a test wants. */
class FairwatchCommandTest {
    private static final Path BIN = Path.of("../deploy/bin").toAbsolutePath().normalize();
    private static final String ANY = "";

    private final Vertx vertx = Vertx.vertx();
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private final List<String> accepted = new CopyOnWriteArrayList<>();
    private final List<String> shown = new CopyOnWriteArrayList<>();
    private final Map<String, Reply> replies = new ConcurrentHashMap<>();
    private volatile Function<String, @Nullable Reply> answers = path -> replies.getOrDefault(path, replies.get(ANY));
    private final Path directory;
    private final int port;

    /** What the collector says to a path, or to every path without one of its own. */
    private record Reply(int status, String body) {}

    /** How a command ended and what it said. */
    private record Ended(int status, String out, String err) {}

    FairwatchCommandTest(@TempDir Path directory) throws Exception {
        assumeTrue(onPath("curl"), "SKIPPED: there is no curl here, so the shell command is not tested");
        this.directory = directory;
        HttpServer server = vertx.createHttpServer()
                .requestHandler(request -> {
                    asked.add(request.uri());
                    accepted.add(String.valueOf(request.getHeader("Accept")));
                    shown.add(request.getHeader("Authorization") + " " + request.getHeader("X-Munge"));
                    Reply reply = answers.apply(request.path());
                    if (reply != null) {
                        request.response().setStatusCode(reply.status()).end(reply.body());
                    }
                })
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .get();
        port = server.actualPort();
    }

    @AfterEach
    void stop() throws Exception {
        vertx.close().toCompletionStage().toCompletableFuture().get();
    }

    private static boolean onPath(String program) {
        return Arrays.stream(System.getenv("PATH").split(File.pathSeparator, -1))
                .anyMatch(place -> Files.isExecutable(Path.of(place, program)));
    }

    private void says(int status, String body) {
        replies.put(ANY, new Reply(status, body));
    }

    private String url() {
        return "http://127.0.0.1:" + port;
    }

    private Ended run(Map<String, String> environment, String name, String... words) throws Exception {
        List<String> command = new ArrayList<>(List.of("sh", BIN.resolve(name).toString()));
        command.addAll(List.of(words));
        Path out = directory.resolve("out.txt");
        Path err = directory.resolve("err.txt");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(Files.createDirectories(directory.resolve("here")).toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile());
        builder.environment().put("HOME", directory.toString());
        builder.environment().put("LC_ALL", "C");
        builder.environment().put("no_proxy", "*");
        builder.environment()
                .put("FAIRWATCH_CLIENT_CONF", directory.resolve("client.conf").toString());
        builder.environment().putAll(environment);
        int status = builder.start().waitFor();
        return new Ended(status, Files.readString(out), Files.readString(err));
    }

    private Ended fairwatch(String... words) throws Exception {
        return run(Map.of("FAIRWATCH_URL", url()), "fairwatch", words);
    }

    private void assertNothingWasExecuted() throws IOException {
        try (Stream<Path> left = Files.list(directory.resolve("here"))) {
            assertEquals(List.of(), left.toList());
        }
    }

    // ---- who asks

    @Test
    @DisplayName("who asks is shown by a token of one's own, or by munge where client.conf says so; else not at all")
    void who() throws Exception {
        says(200, "[]");
        assertEquals(0, fairwatch("jobs", "--json").status());
        Path token =
                Files.createDirectories(directory.resolve(".config/fairwatch")).resolve("token");
        Files.writeString(token, "fw1.YW5uYQ.1.abc\n");
        assertEquals(0, fairwatch("jobs", "--json").status());
        Files.writeString(token, "no \" token\nurl = evil\n");
        assertEquals(0, fairwatch("job", "1").status());

        Path programs = Files.createDirectories(directory.resolve("programs"));
        Path munge = Files.writeString(programs.resolve("munge"), "#!/bin/sh\necho \"MUNGE:$1$2:\"\n");
        assertTrue(munge.toFile().setExecutable(true));
        Files.writeString(directory.resolve("client.conf"), "url=" + url() + "\nauth=munge\n");
        Ended ended = run(Map.of("PATH", programs + File.pathSeparator + System.getenv("PATH")), "nodesummary");
        assertEquals(0, ended.status(), ended.err());
        assertEquals(
                List.of("null null", "Bearer fw1.YW5uYQ.1.abc null", "null null", "null MUNGE:-sfairwatch:"), shown);

        says(403, "That is another user's; you see your own jobs.");
        assertEquals(
                new Ended(4, "", "fairwatch: That is another user's; you see your own jobs.\n"), fairwatch("job", "2"));
    }

    // ---- answers

    @Test
    @DisplayName("an answer goes to standard output as it is, with one newline at its end")
    void answer() throws Exception {
        String body = "Job 83549 \"a\\nb %s $(x) `y` \\\\\": 98 % \u00e6\n\nindex, timestamp\n";
        says(200, body);
        assertEquals(new Ended(0, body, ""), fairwatch("job", "83549"));
        says(200, "[]");
        assertEquals(new Ended(0, "[]\n", ""), fairwatch("job", "--json", "83549"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "400 | 2 | fairwatch: the sentence",
                "404 | 1 | the sentence",
                "409 | 3 | the sentence",
                "500 | 4 | fairwatch: the collector at URL cannot answer (500): the sentence",
                "502 | 4 | fairwatch: the collector at URL cannot answer (502): the sentence",
                "503 | 4 | fairwatch: the collector at URL cannot answer (503): the sentence",
                "302 | 4 | fairwatch: the collector at URL cannot answer (302): the sentence"
            })
    @DisplayName("a complaint goes to standard error, and each kind has its exit code")
    void complaint(int status, int code, String said) throws Exception {
        says(status, "the sentence");
        assertEquals(new Ended(code, "", said.replace("URL", url()) + "\n"), fairwatch("job", "83549"));
    }

    @Test
    @DisplayName("health that is not well is an answer, but not a success")
    void notWell() throws Exception {
        says(503, "Fairwatch collector 0.1.0: not well\n");
        assertEquals(new Ended(4, "Fairwatch collector 0.1.0: not well\n", ""), fairwatch("health"));
    }

    @Test
    @DisplayName("a collector that is away ends with 4 and says where it should be")
    void away() throws Exception {
        int closed;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            closed = socket.getLocalPort();
        }
        String url = "http://127.0.0.1:" + closed;
        Ended ended = run(Map.of("FAIRWATCH_URL", url), "fairwatch", "job", "83549");
        assertEquals(4, ended.status());
        assertEquals("", ended.out());
        assertTrue(
                ended.err().startsWith("fairwatch: the collector at " + url + " does not answer: (7) "), ended.err());
        assertEquals(1, ended.err().lines().count(), ended.err());
    }

    @Test
    @DisplayName("a collector that says nothing is given up")
    void silent() throws Exception {
        Ended ended = run(Map.of("FAIRWATCH_URL", url(), "FAIRWATCH_TIMEOUT", "0.3"), "fairwatch", "job", "83549");
        assertEquals(4, ended.status());
        assertTrue(ended.err().contains(" does not answer: (28) "), ended.err());
    }

    // ---- questions

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "job 83549 | /api/v1/jobs/83549?format=text&characters=ascii",
                "83549 | /api/v1/jobs/83549?format=text&characters=ascii",
                "job --csv 83549 | /api/v1/jobs/83549?format=csv",
                "job 83549 --json | /api/v1/jobs/83549?format=json",
                "job 5_3 | /api/v1/jobs/5_3?format=text&characters=ascii",
                "job 6+1 | /api/v1/jobs/6%2B1?format=text&characters=ascii",
                "job --series 5_3 | /api/v1/jobs/5_3/series?format=csv",
                "job --series 5 --since 2h --json | /api/v1/jobs/5/series?format=json&since=2h",
                "why 6+1 | /api/v1/jobs/6%2B1/why?format=text",
                "why --json 5 | /api/v1/jobs/5/why?format=json",
                "jobs --state ended,failed --since 2026-11-20T14:00"
                        + " | /api/v1/jobs?format=text&state=ended%2Cfailed&since=2026-11-20T14%3A00",
                "jobs --limit 5 --after YQ | /api/v1/jobs?format=text&limit=5&after=YQ",
                "findings --rule idle-gpu --csv | /api/v1/findings?format=csv&rule=idle-gpu",
                "user tlj@its.aau.dk | /api/v1/users/tlj%40its.aau.dk?format=text",
                "users --partition gpu | /api/v1/users?format=text&partition=gpu",
                "accounts | /api/v1/accounts?format=text",
                "health --json | /api/v1/health?format=json",
                "node --csv | /api/v1/nodes?format=csv",
                "node | /api/v1/nodes?format=text",
                "node --json | /api/v1/nodes?format=json",
                "node nv-ai-01 | /api/v1/nodes/nv-ai-01?format=text",
                "health | /api/v1/health?format=text",
                "report --semester 2026-autumn | /api/v1/report/report.txt?semester=2026-autumn",
                "report --csv --from 2026-09-01 --to 2026-10-01"
                        + " | /api/v1/report/all.csv?from=2026-09-01&to=2026-10-01"
            })
    @DisplayName("what is asked")
    void questions(String words, String path) throws Exception {
        says(200, "ok");
        assertEquals(new Ended(0, "ok\n", ""), fairwatch(words.split(" ", -1)));
        assertEquals(List.of(path), asked);
    }

    @Test
    @DisplayName("several jobs are asked for in turn; the exit code is that of the worst")
    void several() throws Exception {
        replies.put("/api/v1/jobs/1", new Reply(409, "1 waits"));
        replies.put("/api/v1/jobs/2", new Reply(404, "2 is not known"));
        replies.put("/api/v1/jobs/3", new Reply(200, "3 runs"));
        assertEquals(new Ended(3, "3 runs\n", "1 waits\n2 is not known\n"), fairwatch("job", "1", "2", "3"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "abc",
                "",
                "_3",
                "5_",
                "5_3_4",
                "5+1+2",
                "-5",
                "../health",
                "5?format=csv",
                "5 6",
                "5\n6",
                "5;touch x",
                "$(touch x)",
                "`touch x`",
                "5&&touch x",
                "5%2f",
                "\u0665"
            })
    @DisplayName("what is no job id is refused before anything is asked, though others are good")
    void badIds(String id) throws Exception {
        says(200, "ok");
        for (Ended ended :
                List.of(fairwatch("job", "83549", id), run(Map.of("FAIRWATCH_URL", url()), "getUtilByJobId.sh", id))) {
            assertEquals(2, ended.status(), ended.toString());
            assertEquals("", ended.out());
            assertTrue(ended.err().contains(" --help"), ended.err());
        }
        assertEquals(List.of(), asked);
        assertNothingWasExecuted();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "jobs 5",
                "job",
                "job --csv",
                "job --xml 5",
                "node ..",
                "node a/b",
                "node $(touch x)",
                "health now",
                "job --since 2h 5",
                "job --series",
                "job --series 5 --since",
                "why",
                "why 5 6",
                "why abc",
                "user a b",
                "user ..",
                "user a/b",
                "accounts --user x",
                "nodes --me",
                "report",
                "report --csv",
                "report --from",
                "report --from 2026-09-01&x=1",
                "report --semester `touch`",
                "report 2026"
            })
    @DisplayName("wrong words end with 2 and nothing is asked")
    void wrongWords(String words) throws Exception {
        says(200, "ok");
        Ended ended = fairwatch(words.isEmpty() ? new String[0] : words.split(" ", -1));
        assertEquals(2, ended.status(), ended.toString());
        assertEquals("", ended.out());
        assertTrue(ended.err().contains("fairwatch"), ended.err());
        assertEquals(List.of(), asked);
        assertNothingWasExecuted();
    }

    // ---- under its two names

    @Test
    @DisplayName("getUtilByJobId.sh is the same command under the name that people know")
    void oldName() throws Exception {
        assertEquals(Path.of("fairwatch"), Files.readSymbolicLink(BIN.resolve("getUtilByJobId.sh")));
        says(200, "ok");
        assertEquals(new Ended(0, "ok\n", ""), run(Map.of("FAIRWATCH_URL", url()), "getUtilByJobId.sh", "83549"));
        assertEquals(List.of("/api/v1/jobs/83549?format=text&characters=ascii"), asked);
        says(400, "job id: x");
        assertEquals(
                "getUtilByJobId.sh: job id: x\n",
                run(Map.of("FAIRWATCH_URL", url()), "getUtilByJobId.sh", "83549")
                        .err());
    }

    @Test
    @DisplayName("getUtilByJobId.sh takes one job")
    void oldNameWords() throws Exception {
        for (String[] words : new String[][] {{}, {"1", "2"}, {"--csv"}}) {
            Ended ended = run(Map.of("FAIRWATCH_URL", url()), "getUtilByJobId.sh", words);
            assertEquals(2, ended.status());
            assertEquals("", ended.out());
        }
        assertEquals(List.of(), asked);
    }

    @Test
    @DisplayName("help is for the name that was called, and says what the exit codes mean")
    void help() throws Exception {
        for (String word : List.of("--help", "-h", "help")) {
            Ended ended = fairwatch(word);
            assertEquals(0, ended.status());
            assertTrue(ended.out().startsWith("Usage: fairwatch COMMAND "), ended.out());
            assertTrue(ended.out().contains("Exit codes: 0 answered, 1 no such job or node"), ended.out());
            Ended old = run(Map.of(), "getUtilByJobId.sh", word);
            assertEquals(0, old.status());
            assertTrue(old.out().startsWith("Usage: getUtilByJobId.sh JOB [-l [SECONDS]]\n"), old.out());
        }
        assertEquals(List.of(), asked);
    }

    @Test
    @DisplayName("every command has its own help, wherever the word for it stands")
    void helpOfCommands() throws Exception {
        for (String command : List.of(
                "job",
                "jobs",
                "top",
                "user",
                "users",
                "accounts",
                "node",
                "nodes",
                "findings",
                "why",
                "scratch",
                "report",
                "health")) {
            for (Ended ended : List.of(
                    fairwatch("help", command),
                    fairwatch(command, "--help"),
                    fairwatch(command, "--watch", "5", "-h"))) {
                assertEquals(0, ended.status(), ended.toString());
                assertTrue(ended.out().startsWith("Usage: fairwatch " + command), ended.out());
                assertTrue(ended.out().lines().allMatch(line -> line.length() <= 90), ended.out());
            }
        }
        assertEquals(List.of(), asked);
    }

    @ParameterizedTest
    @CsvSource({
        "jbos, unknown command 'jbos' (did you mean jobs?)",
        "help tpo, unknown command 'tpo' (did you mean top?)",
        "jobs --partitoin gpu, unknown option '--partitoin' (did you mean --partition?)",
        "job --jsn 5, unknown option '--jsn' (did you mean --json?)",
        "scratch --no-colours, unknown option '--no-colours' (did you mean --no-colors?)",
        "frobnicate, unknown command 'frobnicate'"
    })
    @DisplayName("a word that is nearly one is answered with the one")
    void suggestion(String words, String said) throws Exception {
        Ended ended = fairwatch(words.split(" ", -1));
        assertEquals(2, ended.status());
        assertEquals("fairwatch: " + said, ended.err().lines().findFirst().orElse(""));
        assertEquals(List.of(), asked);
    }

    @Test
    @DisplayName("a terminal of UTF-8 gets its characters; the collector is told that its errors are read as text")
    void characters() throws Exception {
        says(200, "ok");
        run(Map.of("FAIRWATCH_URL", url(), "LC_ALL", "C.UTF-8"), "fairwatch", "job", "5");
        assertEquals(List.of("/api/v1/jobs/5?format=text&characters=utf-8"), asked);
        assertEquals(List.of("text/plain"), accepted);
    }

    // ---- what is held, and what is kept

    @Test
    @DisplayName("lists pass their filters on, with what needs it escaped")
    void filters() throws Exception {
        says(200, "ok");
        assertEquals(0, fairwatch("top", "--user", "tlj@its.aau.dk", "--csv").status());
        fairwatch("jobs", "--partition", "gpu", "--node", "nv-ai-01", "--account", "a+b");
        fairwatch("users", "--user", "anna");
        assertEquals(
                List.of(
                        "/api/v1/idle?format=csv&user=tlj%40its.aau.dk",
                        "/api/v1/jobs?format=text&partition=gpu&node=nv-ai-01&account=a%2Bb",
                        "/api/v1/users?format=text&user=anna"),
                asked);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a b", "x&y=1", "$(touch x)", "`id`", "a\nb", "../..?", "\u00e6"})
    @DisplayName("a filter that no name needs is refused before anything is asked")
    void hostileFilters(String value) throws Exception {
        assertEquals(2, fairwatch("top", "--user", value).status());
        assertEquals(2, fairwatch("scratch", "-u", value).status());
        assertEquals(List.of(), asked);
        assertNothingWasExecuted();
    }

    @Test
    @DisplayName("a filter without a value, an unknown option and a stray word are told")
    void wrongLists() throws Exception {
        for (String[] words : new String[][] {
            {"top", "--user"},
            {"jobs", "--what"},
            {"jobs", "word"},
            {"nodes", "x"},
            {"top", "--watch"},
            {"top", "--watch", "0"}
        }) {
            Ended ended = fairwatch(words);
            assertEquals(2, ended.status(), String.join(" ", words));
            assertTrue(ended.err().matches("(?s).*Try: fairwatch " + words[0] + " --help\n"), ended.err());
        }
        assertEquals(List.of(), asked);
    }

    @Test
    @DisplayName("dusage asks for what the caller keeps, and its exit code tells who is over a quota")
    void dusage() throws Exception {
        says(200, "/raid/x  5 TiB  over quota, 2 days left");
        Ended over = run(Map.of("FAIRWATCH_URL", url()), "dusage", "-u", "anna", "-d", "/raid", "--node", "nv-ai-01");
        assertEquals(1, over.status());
        assertTrue(over.out().contains("over quota"));
        assertEquals(
                List.of("/api/v1/scratch?format=text&columns=node&path=/raid&node=nv-ai-01&user=anna&width=400"),
                asked);
        says(200, "/raid/x  5 TiB");
        assertEquals(0, run(Map.of("FAIRWATCH_URL", url()), "dusage", "--all").status());
        says(200, "{\"items\":[{\"over_limit\":true}]}");
        assertEquals(1, run(Map.of("FAIRWATCH_URL", url()), "dusage", "--json").status());
        says(200, "node,over_limit\na,true\nb,false\n");
        assertEquals(1, run(Map.of("FAIRWATCH_URL", url()), "dusage", "--csv").status());
        says(200, "node,over_limit\na,false\n");
        asked.clear();
        assertEquals(
                0,
                run(Map.of("FAIRWATCH_URL", url()), "dusage", "--csv", "-p", "llm")
                        .status());
        assertEquals(List.of("/api/v1/scratch?format=csv&columns=node&name=llm&width=400"), asked);
    }

    @Test
    @DisplayName("nodesummary asks for one line per node, without colours when nobody sees them")
    void nodesummary() throws Exception {
        says(200, "nv-ai-01 ####");
        assertEquals(
                "nv-ai-01 ####\n",
                run(Map.of("FAIRWATCH_URL", url()), "nodesummary").out());
        assertEquals(List.of("/api/v1/summary?format=text&width=400"), asked);
    }

    @Test
    @DisplayName("-l repeats the lines under one heading until the job has ended")
    void live() throws Exception {
        AtomicInteger times = new AtomicInteger();
        replies.clear();
        answers = path -> times.incrementAndGet() < 3
                ? new Reply(200, "index, utilization\n0, 98 %\n")
                : new Reply(410, "Job 5 has ended: COMPLETED.");
        Ended ended = run(Map.of("FAIRWATCH_URL", url()), "getUtilByJobId.sh", "5", "-l", "1");
        assertEquals("index, utilization\n0, 98 %\n0, 98 %\n", ended.out());
        assertEquals("Job 5 has ended: COMPLETED.\n", ended.err());
        assertEquals(0, ended.status());
        assertEquals("/api/v1/jobs/5?format=csv&live=yes", asked.get(0));
    }

    @Test
    @DisplayName("-l waits for a collector that starts again, and says so; one that was never there ends it")
    void liveOutlives() throws Exception {
        AtomicInteger times = new AtomicInteger();
        replies.clear();
        answers = path -> switch (times.incrementAndGet()) {
            case 1, 3 -> new Reply(200, "index, utilization\n0, 98 %\n");
            case 2 -> new Reply(503, "The collector starts.");
            default -> new Reply(410, "Job 5 has ended: COMPLETED.");
        };
        Ended ended = run(Map.of("FAIRWATCH_URL", url()), "getUtilByJobId.sh", "5", "-l", "1");
        assertEquals("index, utilization\n0, 98 %\n0, 98 %\n", ended.out());
        assertTrue(ended.err().contains("cannot answer (503): The collector starts."), ended.err());
        assertEquals(0, ended.status());
        answers = path -> new Reply(503, "The collector starts.");
        assertEquals(
                4,
                run(Map.of("FAIRWATCH_URL", url()), "getUtilByJobId.sh", "5", "-l", "1")
                        .status());
    }

    @ParameterizedTest
    @ValueSource(strings = {"5 -l", "-l 5", "5 -l 1", "-l 1 5"})
    @DisplayName("-l stands before or behind the job, with or without seconds")
    void liveWords(String words) throws Exception {
        says(410, "Job 5 has ended: COMPLETED.");
        Ended ended = run(Map.of("FAIRWATCH_URL", url()), "getUtilByJobId.sh", words.split(" ", -1));
        assertEquals(new Ended(0, "", "Job 5 has ended: COMPLETED.\n"), ended);
        assertEquals(List.of("/api/v1/jobs/5?format=csv&live=yes"), asked);
    }

    // ---- where the collector is

    @Test
    @DisplayName("the address comes from client.conf; of several the first, and comments are none")
    void clientConf() throws Exception {
        says(200, "ok");
        Files.writeString(
                directory.resolve("client.conf"), "# url=http://127.0.0.1:1\nurl=" + url() + "/\nurl=http://x\n");
        assertEquals(new Ended(0, "ok\n", ""), run(Map.of(), "fairwatch", "health"));
        assertEquals(List.of("/api/v1/health?format=text"), asked);
    }

    @Test
    @DisplayName("FAIRWATCH_URL goes before client.conf")
    void environmentFirst() throws Exception {
        says(200, "ok");
        Files.writeString(directory.resolve("client.conf"), "url=http://127.0.0.1:1\n");
        assertEquals(0, fairwatch("health").status());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "$(touch x)",
                "`touch x`",
                "; touch x",
                "http://127.0.0.1:1/'; touch x; '",
                "-ox",
                "--output=x",
                "-Kx",
                "file:///etc/hostname#",
                "http://127.0.0.1:1/ -o x",
                "http://127.0.0.1:1/{a,b}[1-9]",
                "*"
            })
    @DisplayName("an address is only ever an address, wherever it comes from")
    void hostileAddress(String address) throws Exception {
        Files.writeString(directory.resolve("client.conf"), "url=" + address + "\n");
        for (Map<String, String> environment : List.of(Map.of("FAIRWATCH_URL", address), Map.<String, String>of())) {
            Ended ended = run(environment, "fairwatch", "job", "83549");
            assertEquals(4, ended.status(), ended.toString());
            assertEquals("", ended.out());
            assertNothingWasExecuted();
        }
    }

    @Test
    @DisplayName("shellcheck finds nothing")
    void shellcheck() throws Exception {
        assumeTrue(onPath("shellcheck"), "SKIPPED: there is no shellcheck here");
        Path said = directory.resolve("shellcheck.txt");
        int status = new ProcessBuilder(
                        "shellcheck", "-s", "sh", BIN.resolve("fairwatch").toString())
                .redirectErrorStream(true)
                .redirectOutput(said.toFile())
                .start()
                .waitFor();
        assertEquals(0, status, Files.readString(said));
    }
}
