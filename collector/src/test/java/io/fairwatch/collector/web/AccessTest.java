package io.fairwatch.collector.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairwatch.collector.lookup.FindingList;
import io.fairwatch.collector.lookup.HoldLookup;
import io.fairwatch.collector.lookup.JobList;
import io.fairwatch.collector.lookup.JobLookup;
import io.fairwatch.collector.lookup.NodeLookup;
import io.fairwatch.collector.lookup.Owners;
import io.fairwatch.collector.lookup.Samples;
import io.fairwatch.collector.lookup.ScratchLookup;
import io.fairwatch.collector.lookup.SeriesLookup;
import io.fairwatch.collector.lookup.UserLookup;
import io.fairwatch.collector.report.ReportMaker;
import io.fairwatch.collector.report.ReportSettings;
import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.Munge;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.Store.SlurmView;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import io.vertx.ext.web.Router;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where people see their own: anna and bo have jobs, cleo coordinates the account of bo, eva is staff. */
class AccessTest {
    private static final Instant NOW = Given.at(3600);
    private static final AccessTokens TOKENS = new AccessTokens("0123456789abcdef0123456789abcdef");
    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static final List<String> LOOKS = new CopyOnWriteArrayList<>();

    private static Vertx vertx;
    private static DuckDbStore store;
    private static int port;

    /** Says of each credential what stands in it: no munged is needed to see what is made of its answer. */
    private static final String UNMUNGE = """
            #!/bin/sh
            read -r credential
            case $credential in
                MUNGE:annaannaannaanna:) name='anna (21001)' ;;
                MUNGE:unknownunknownunknown:) name='??? (4711)' ;;
                *) printf 'STATUS:           Replayed credential (17)\\n\\n'; exit 17 ;;
            esac
            printf 'STATUS:           Success (0)\\nENCODE_HOST:      login1 (10.0.0.1)\\nUID:              %s\\nGID:              x (1)\\nLENGTH:           9\\n\\nfairwatch' "$name"
            """;

    private static Run run(long id, String user, String account) {
        Run run = Given.run(id, Given.allocated("node-a", (int) id, "GPU-" + id));
        return new Run(
                run.key(),
                run.ids(),
                new Run.Owner(user, OptionalInt.of(1), account, "batch", "normal"),
                run.name(),
                run.interactive(),
                run.submit(),
                run.end(),
                run.timeLimit(),
                run.suspended(),
                run.state(),
                run.stateText(),
                run.allocation(),
                run.gpus(),
                NOW);
    }

    @BeforeAll
    static void start(@TempDir Path directory) throws Exception {
        vertx = Vertx.vertx();
        Path unmunge = Files.writeString(directory.resolve("unmunge"), UNMUNGE);
        Files.setPosixFilePermissions(unmunge, PosixFilePermissions.fromString("rwx------"));
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        store.saveView(
                new SlurmView(NOW, "lab", List.of(run(1, "anna", "es"), run(2, "bo", "cs.ml")), List.of(), List.of()));
        store.saveAccounts(new AccountTree(
                NOW,
                "lab",
                List.of(
                        account("cs", Optional.empty(), "cleo"),
                        account("cs.ml", Optional.of("cs")),
                        account("es", Optional.empty())),
                List.of(association("anna", "es"), association("bo", "cs.ml"), association("cleo", "cs")),
                List.of(),
                List.of()));
        Access access = new Access(
                new Access.Settings(
                        false,
                        Optional.of(new Munge(unmunge, Duration.ofSeconds(20))),
                        Optional.of(TOKENS),
                        Optional.of("staffs own token"),
                        Set.of("eva")),
                new Owners(store),
                (staff, question) -> LOOKS.add(staff + ": " + question),
                () -> NOW);
        HoldLookup holds = new HoldLookup(store, () -> NOW, Samples.SETTINGS);
        Router router = Router.router(vertx);
        new Api(
                        vertx,
                        new JobLookup(store, () -> NOW, Samples.SETTINGS),
                        new JobList(store, holds),
                        new SeriesLookup(store, () -> NOW),
                        new NodeLookup(store, () -> NOW),
                        holds,
                        new UserLookup(store, holds),
                        new FindingList(store, () -> NOW),
                        new ScratchLookup(store, () -> NOW),
                        new ReportMaker(
                                store,
                                ReportSettings.DEFAULTS,
                                new ReportMaker.Site("the cluster", ZoneOffset.UTC, "test", List::of)),
                        new HealthCheck(store, () -> NOW, Optional.empty(), () -> true, "0.1.0", List::of),
                        ZoneOffset.UTC,
                        () -> NOW,
                        0.01,
                        new SimpleMeterRegistry(),
                        RuleRoutes.NONE,
                        List.of())
                .mount(router, access);
        access.guard(router, vertx);
        router.get("/api/v1/report/:file").handler(context -> context.end("a report"));
        router.get("/api/v1/something/new").handler(context -> context.end("for staff"));
        port = vertx.createHttpServer()
                .requestHandler(router)
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .get()
                .actualPort();
    }

    private static Account account(String name, Optional<String> parent, String... coordinators) {
        return new Account(name, parent, "", "", List.of(coordinators), List.of(), Limits.NONE);
    }

    private static Association association(String user, String account) {
        return new Association(
                user,
                account,
                Optional.empty(),
                Optional.empty(),
                List.of(),
                java.util.OptionalLong.empty(),
                Limits.NONE);
    }

    @AfterAll
    static void stop() throws Exception {
        vertx.close().toCompletionStage().toCompletableFuture().get();
        store.close();
    }

    private static HttpResponse<String> ask(String path, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    /** As a user with a token. */
    private static HttpResponse<String> as(String user, String path) throws Exception {
        return ask(path, "Authorization", "Bearer " + TOKENS.make(user, NOW.plusSeconds(60)));
    }

    private static List<String> users(HttpResponse<String> answer) throws Exception {
        assertEquals(200, answer.statusCode(), answer.body());
        List<String> users = new ArrayList<>();
        new ObjectMapper()
                .readTree(answer.body())
                .get("items")
                .forEach(item -> users.add(
                        item.has("user")
                                ? item.get("user").asText()
                                : item.get("name").asText()));
        return users;
    }

    @Test
    @DisplayName("who does not say who it is gets a sentence, but for health and the description")
    void nobody() throws Exception {
        HttpResponse<String> answer = ask("/api/v1/jobs");
        assertEquals(401, answer.statusCode());
        assertEquals(
                "Who are you? Here people see their own jobs; this asks for a credential by munge, as fairwatch makes it,"
                        + " or a token in ~/.config/fairwatch/token.",
                answer.body());
        assertEquals(401, ask("/api/v1/report/report.pdf").statusCode());
        assertEquals(401, ask("/api/v1/summary").statusCode());
        assertEquals(200, ask("/api/v1/openapi.json").statusCode());
        assertEquals(200, ask("/api/v1/health").statusCode());
    }

    @Test
    @DisplayName("tokens that are forged, over, or another's are none")
    void tokens() throws Exception {
        String token = TOKENS.make("anna", NOW.plusSeconds(60));
        assertEquals(Optional.of("anna"), TOKENS.user(token, NOW));
        assertEquals(Optional.empty(), TOKENS.user(token, NOW.plusSeconds(60)), "its time is over");
        assertEquals(Optional.empty(), TOKENS.user(token.replaceFirst("fw1\\.\\w+", "fw1.Ym8"), NOW), "bo's name");
        assertEquals(
                Optional.empty(),
                new AccessTokens("another secret, of enough letters").user(token, NOW),
                "another secret");
        assertEquals(
                Optional.of("tlj@its.aau.dk"), TOKENS.user(TOKENS.make("tlj@its.aau.dk", NOW.plusSeconds(1)), NOW));
        assertThrows(IllegalArgumentException.class, () -> new AccessTokens("short"));
        assertEquals(
                401,
                ask("/api/v1/jobs", "Authorization", "Bearer fw1.YW5uYQ.99999999999." + "A".repeat(43))
                        .statusCode());
    }

    @Test
    @DisplayName(
            "a credential of munge says who asks; one that was used, is nobody's or nonsense is refused with the reason")
    void munge() throws Exception {
        assertEquals(List.of("anna"), users(ask("/api/v1/jobs?format=json", "X-Munge", "MUNGE:annaannaannaanna:")));
        HttpResponse<String> again = ask("/api/v1/jobs", "X-Munge", "MUNGE:bobobobobobobobobo:");
        assertEquals(401, again.statusCode());
        assertEquals("The munge credential is not good: replayed credential.", again.body());
        assertTrue(ask("/api/v1/jobs", "X-Munge", "MUNGE:unknownunknownunknown:")
                .body()
                .contains("its user has no name on the collector's machine"));
        assertTrue(ask("/api/v1/jobs", "X-Munge", "anna").body().contains("it is none (expected: what munge prints)"));
    }

    @Test
    @DisplayName("a list is that of one's own; another's is refused")
    void lists() throws Exception {
        for (String list : List.of("jobs", "users")) {
            assertEquals(List.of("anna"), users(as("anna", "/api/v1/" + list)), list);
        }
        assertEquals(List.of("es"), users(as("anna", "/api/v1/accounts")));
        assertEquals(List.of(), users(as("dora", "/api/v1/jobs")));
        assertEquals(List.of("anna"), users(as("anna", "/api/v1/jobs?user=anna")));
        HttpResponse<String> other = as("anna", "/api/v1/jobs?user=bo");
        assertEquals(403, other.statusCode());
        assertEquals(
                "That is another user's; you see your own jobs, and those of accounts that you coordinate.",
                other.body());
        assertEquals(List.of(), users(as("anna", "/api/v1/jobs?account=cs.ml")), "of bo's account, what is anna's");
        for (String address :
                List.of("idle?user=bo", "users?user=bo", "findings?user=bo", "scratch?user=bo", "users/bo")) {
            assertEquals(403, as("anna", "/api/v1/" + address).statusCode(), address);
        }
        assertEquals(400, as("anna", "/api/v1/jobs?%20shown%20user=bo").statusCode(), "is no parameter");
    }

    @Test
    @DisplayName("a job is its owner's")
    void jobs() throws Exception {
        assertEquals(200, as("anna", "/api/v1/jobs/1").statusCode());
        for (String part : List.of("", "/runs", "/series")) {
            assertEquals(403, as("anna", "/api/v1/jobs/2" + part).statusCode(), part);
        }
        assertEquals(404, as("anna", "/api/v1/jobs/3").statusCode());
        assertEquals(400, as("anna", "/api/v1/jobs/x").statusCode());
    }

    @Test
    @DisplayName("coordinators see what belongs to their accounts and those below")
    void coordinators() throws Exception {
        assertEquals(200, as("cleo", "/api/v1/jobs/2").statusCode());
        assertEquals(403, as("cleo", "/api/v1/jobs/1").statusCode());
        assertEquals(List.of("bo"), users(as("cleo", "/api/v1/jobs?account=cs.ml")));
        assertEquals(List.of(), users(as("cleo", "/api/v1/jobs?account=es")));
        assertEquals(200, as("cleo", "/api/v1/users/bo").statusCode());
        assertEquals(403, as("cleo", "/api/v1/users/anna").statusCode());
        assertEquals(200, as("cleo", "/api/v1/report/report.html?account=cs.ml").statusCode());
        assertEquals(403, as("cleo", "/api/v1/report/report.html?account=es").statusCode());
    }

    @Test
    @DisplayName("staff see everything, by name or by token, and each look is written down once an hour")
    void staff() throws Exception {
        LOOKS.clear();
        assertEquals(
                List.of("anna", "bo"),
                users(as("eva", "/api/v1/users")).stream().sorted().toList());
        assertEquals(200, as("eva", "/api/v1/jobs/2").statusCode());
        assertEquals(200, as("eva", "/api/v1/jobs/2?format=text&width=90").statusCode());
        assertEquals(
                200,
                ask("/api/v1/users/bo", "Authorization", "Bearer staffs own token")
                        .statusCode());
        assertEquals("for staff", as("eva", "/api/v1/something/new").body());
        assertEquals(
                List.of(
                        "eva: /api/v1/users {}",
                        "eva: /api/v1/jobs/{id} {id=2}",
                        "token: /api/v1/users/{user} {user=bo}",
                        "eva: /api/v1/something/new?null"),
                LOOKS);
    }

    @Test
    @DisplayName("what nobody thought of is for staff; of reports people get their own")
    void unsaid() throws Exception {
        assertEquals(403, as("anna", "/api/v1/something/new").statusCode());
        assertEquals(403, as("anna", "/api/v1/nodes").statusCode());
        assertEquals(403, as("anna", "/api/v1/report").statusCode());
        assertEquals(403, as("anna", "/api/v1/report/report.html").statusCode());
        assertEquals(
                "a report", as("anna", "/api/v1/report/report.html?user=anna").body());
        assertEquals(403, as("anna", "/api/v1/report/report.html?user=bo").statusCode());
        assertEquals(403, as("anna", "/api/v1/report/runs.parquet?user=anna").statusCode(), "has all users");
        assertEquals(200, as("anna", "/api/v1/health").statusCode());
    }

    @Test
    @DisplayName("the summary of nodes names nobody else")
    void summary() throws Exception {
        assertFalse(as("anna", "/api/v1/summary").body().contains("bo "));
        assertEquals(200, as("anna", "/api/v1/summary").statusCode());
    }
}
