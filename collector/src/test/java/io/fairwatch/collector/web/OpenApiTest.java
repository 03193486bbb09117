package io.fairwatch.collector.web;

import static io.fairwatch.collector.lookup.Samples.COPENHAGEN;
import static io.fairwatch.collector.lookup.Samples.NOW;
import static io.fairwatch.collector.lookup.Samples.allocated;
import static io.fairwatch.collector.lookup.Samples.gpu;
import static io.fairwatch.collector.lookup.Samples.running;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.fairwatch.collector.judge.Explainer;
import io.fairwatch.collector.judge.Judge;
import io.fairwatch.collector.lookup.FindingList;
import io.fairwatch.collector.lookup.HoldLookup;
import io.fairwatch.collector.lookup.JobList;
import io.fairwatch.collector.lookup.JobLookup;
import io.fairwatch.collector.lookup.NodeLookup;
import io.fairwatch.collector.lookup.Samples;
import io.fairwatch.collector.lookup.ScratchLookup;
import io.fairwatch.collector.lookup.SeriesLookup;
import io.fairwatch.collector.lookup.UserLookup;
import io.fairwatch.collector.report.ReportMaker;
import io.fairwatch.collector.report.ReportSettings;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Store;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.RuleFile;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Route;
import io.vertx.ext.web.Router;
import io.vertx.openapi.contract.OpenAPIContract;
import io.vertx.openapi.validation.ResponseValidator;
import io.vertx.openapi.validation.ValidatableResponse;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The running server held against its own description, by a validator that is not ours. */
class OpenApiTest {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    /** What each parameter of a path is in these tests. */
    private static final Map<String, String> IN_PATH =
            Map.of("id", "83549", "node", "nv-ai-01", "user", "tlj@its.aau.dk");

    /** A good value of every other parameter that is not free text. */
    private static final Map<String, String> GOOD = Map.of(
            "limit", "5", "since", "7d", "until", "1m", "width", "80", "points", "50", "state", "all", "path", "/raid",
            "job", "83549");

    private static Vertx vertx;
    private static Store store;
    private static Router router;
    private static int port;
    private static JsonObject description;
    private static OpenAPIContract contract;

    @BeforeAll
    static void start(@TempDir Path directory) throws Exception {
        vertx = Vertx.vertx();
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        Samples.slurmSays(
                store,
                List.of(running(83549, allocated("nv-ai-01", 3), allocated("nv-ai-01", 4))),
                Samples.pending(83550, "83550"));
        store.saveFindings(
                List.of(Samples.finding(
                        running(83549, allocated("nv-ai-01", 3), allocated("nv-ai-01", 4)), FindingRow.State.TOLD)),
                List.of());
        Samples.sendAllTheTime(
                store,
                "nv-ai-01",
                gpu("nv-ai-01", 3, 0.98, 0.66, 30_994, 83549),
                gpu("nv-ai-01", 4, 0, 0, 30_994, 83549));
        HoldLookup holds = new HoldLookup(store, () -> NOW, Samples.SETTINGS);
        router = Router.router(vertx);
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
                        new HealthCheck(
                                store, () -> NOW, Optional.of(Duration.ofSeconds(75)), () -> true, "0.1.0", List::of),
                        COPENHAGEN,
                        () -> NOW,
                        0.01,
                        new SimpleMeterRegistry(),
                        new RuleRoutes(explainer(), COPENHAGEN),
                        List.of())
                .mount(router);
        HttpServer server = vertx.createHttpServer()
                .requestHandler(router)
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .get();
        port = server.actualPort();
        description = new JsonObject(get("/api/v1/openapi.json").body());
        contract = OpenAPIContract.from(vertx, withoutOtherMedia(description.copy()))
                .toCompletionStage()
                .toCompletableFuture()
                .get();
    }

    /** The validator knows JSON and plain text, and refuses a description that has anything else. */
    private static JsonObject withoutOtherMedia(JsonObject whole) {
        for (String template : templates()) {
            JsonObject responses = whole.getJsonObject("paths")
                    .getJsonObject(template)
                    .getJsonObject("get")
                    .getJsonObject("responses");
            for (String status : responses.fieldNames()) {
                responses
                        .getJsonObject(status)
                        .getJsonObject("content")
                        .fieldNames()
                        .retainAll(Set.of("application/json", "text/plain"));
            }
        }
        return whole;
    }

    /** With all shipped rules. */
    private static Explainer explainer() throws Exception {
        List<RuleFile> files = new ArrayList<>();
        for (String name : resource("index.txt").lines().toList()) {
            files.add(new RuleFile(name, resource(name)));
        }
        RuleSet rules = RuleSet.read(files);
        return new Explainer(
                store,
                () -> rules,
                () -> NOW,
                new Judge.Settings(
                        0.01,
                        Duration.ofMinutes(5),
                        new Ladder(List.of(new Ladder.Step(Ladder.Target.OWNER, Duration.ZERO)))));
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = Objects.requireNonNull(RuleSet.class.getResourceAsStream(name))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @AfterAll
    static void stop() throws Exception {
        vertx.close().toCompletionStage().toCompletableFuture().get();
        store.close();
    }

    private static HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return CLIENT.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private static String path(String template) {
        String path = template;
        for (Map.Entry<String, String> value : IN_PATH.entrySet()) {
            path = path.replace("{" + value.getKey() + "}", value.getValue());
        }
        return path;
    }

    private static JsonObject operation(String template) {
        return description.getJsonObject("paths").getJsonObject(template).getJsonObject("get");
    }

    private static List<JsonObject> parameters(String template, String in) {
        return operation(template).getJsonArray("parameters").stream()
                .map(JsonObject.class::cast)
                .filter(parameter -> parameter.getString("in").equals(in))
                .toList();
    }

    private static Set<String> templates() {
        return description.getJsonObject("paths").fieldNames();
    }

    /** What must be asked along. */
    private static String needed(String template) {
        return template.equals("/api/v1/report") ? "from=2026-11-01" : "";
    }

    @Test
    @DisplayName("every address of the server is described, and every described one is there")
    void addresses() {
        Set<String> served = router.getRoutes().stream()
                .map(Route::getPath)
                .filter(path -> path != null && path.startsWith("/api/v1/"))
                .map(path -> path.replaceAll(":(\\w+)", "{$1}"))
                .filter(path -> !path.equals("/api/v1/openapi.json"))
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(served, new TreeSet<>(templates()));
    }

    @Test
    @DisplayName("JSON answers of all addresses are as described: nothing is missing, nothing else is there")
    void answers() throws Exception {
        ResponseValidator validator = ResponseValidator.create(vertx, contract);
        for (String template : templates()) {
            JsonObject content = operation(template)
                    .getJsonObject("responses")
                    .getJsonObject("200")
                    .getJsonObject("content");
            if (!content.containsKey("application/json")) {
                continue;
            }
            HttpResponse<String> answer = get(path(template) + "?format=json&" + needed(template));
            assertEquals(200, answer.statusCode(), template + ": " + answer.body());
            validator
                    .validate(
                            ValidatableResponse.create(200, Map.of(), Buffer.buffer(answer.body()), "application/json"),
                            operation(template).getString("operationId"))
                    .toCompletionStage()
                    .toCompletableFuture()
                    .get();
        }
    }

    @Test
    @DisplayName("every described format is answered in its type")
    void formats() throws Exception {
        for (String template : templates()) {
            JsonArray formats = parameters(template, "query").stream()
                    .filter(parameter -> parameter.getString("name").equals("format"))
                    .findFirst()
                    .orElseThrow()
                    .getJsonObject("schema")
                    .getJsonArray("enum");
            Set<String> types = new TreeSet<>();
            for (Object format : formats) {
                HttpResponse<String> answer = get(path(template) + "?format=" + format + "&" + needed(template));
                assertEquals(200, answer.statusCode(), template + ": " + answer.body());
                types.add(answer.headers().firstValue("Content-Type").orElse("").split(";", 2)[0]);
            }
            assertEquals(
                    new TreeSet<>(operation(template)
                            .getJsonObject("responses")
                            .getJsonObject("200")
                            .getJsonObject("content")
                            .fieldNames()),
                    types,
                    template);
        }
    }

    @Test
    @DisplayName("every described parameter is taken, and no other")
    void parameters() throws Exception {
        for (String template : templates()) {
            for (JsonObject parameter : parameters(template, "query")) {
                String name = parameter.getString("name");
                JsonArray choices = parameter.getJsonObject("schema").getJsonArray("enum");
                if (name.equals("after")
                        || needed(template).startsWith(name)
                        || name.equals("to")
                        || name.equals("semester")) {
                    continue;
                }
                String value = choices == null ? GOOD.getOrDefault(name, "nv-ai-01") : choices.getString(0);
                HttpResponse<String> answer = get(path(template) + "?" + name + "=" + value + "&" + needed(template));
                assertNotEquals(400, answer.statusCode(), template + " " + name + ": " + answer.body());
            }
            assertEquals(
                    400, get(path(template) + "?no_such=1&" + needed(template)).statusCode(), template);
            assertEquals(
                    IN_PATH.keySet().stream()
                            .filter(name -> template.contains("{" + name + "}"))
                            .collect(Collectors.toSet()),
                    parameters(template, "path").stream()
                            .map(parameter -> parameter.getString("name"))
                            .collect(Collectors.toSet()));
        }
    }

    @Test
    @DisplayName("errors are described, with their statuses")
    void errors() throws Exception {
        for (String[] asked : new String[][] {
            {"/api/v1/jobs/{id}", "/api/v1/jobs/83550", "409"},
            {"/api/v1/jobs/{id}", "/api/v1/jobs/5", "404"},
            {"/api/v1/jobs/{id}", "/api/v1/jobs/x", "400"},
            {"/api/v1/jobs/{id}/runs", "/api/v1/jobs/5/runs", "404"},
            {"/api/v1/nodes/{node}", "/api/v1/nodes/unheard", "404"}
        }) {
            assertEquals(asked[2], Integer.toString(get(asked[1]).statusCode()));
            assertTrue(
                    operation(asked[0])
                            .getJsonObject("responses")
                            .getJsonObject(asked[2])
                            .getJsonObject("content")
                            .containsKey("application/problem+json"),
                    asked[0]);
        }
    }

    @Test
    @DisplayName("the description may be kept, and is not sent again to who has it")
    void kept() throws Exception {
        HttpResponse<String> first = get("/api/v1/openapi.json");
        HttpResponse<String> again = CLIENT.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/api/v1/openapi.json"))
                        .header(
                                "If-None-Match",
                                first.headers().firstValue("ETag").orElseThrow())
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        assertEquals(304, again.statusCode());
        assertEquals("", again.body());
    }

    @Test
    @DisplayName("addresses that others serve are described so that the validator understands them")
    void others() throws Exception {
        Described described = new Described(
                "post",
                "/api/v1/staff/exemptions/{id}/end",
                "Ends an exemption.",
                List.of(new Described.Field("limit", false, "Most items.")),
                List.of(new Described.Field("by", true, "Who says so.")),
                true,
                Map.of(404, "It is not there."));
        JsonObject api = new JsonObject(OpenApi.describe(List.of(), List.of(described), new JsonMapper())
                .toString());
        JsonObject operation = api.getJsonObject("paths")
                .getJsonObject("/api/v1/staff/exemptions/{id}/end")
                .getJsonObject("post");
        assertEquals(
                List.of("by"),
                operation
                        .getJsonObject("requestBody")
                        .getJsonObject("content")
                        .getJsonObject("application/x-www-form-urlencoded")
                        .getJsonObject("schema")
                        .getJsonArray("required")
                        .getList());
        assertEquals(Set.of("200", "404"), operation.getJsonObject("responses").fieldNames());
        OpenAPIContract.from(vertx, api)
                .toCompletionStage()
                .toCompletableFuture()
                .get();
    }
}
