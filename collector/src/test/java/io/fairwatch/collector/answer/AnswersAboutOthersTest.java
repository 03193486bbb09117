package io.fairwatch.collector.answer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.Golden;
import io.fairwatch.collector.notice.Texts;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Exemption;
import io.fairwatch.collector.store.Exemptions;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.ext.web.Router;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What people say about jobs that wait and about what they use, over HTTP, in the real store. */
class AnswersAboutOthersTest {
    private static final Instant SUBMIT = Instant.parse("2026-11-22T08:00:00Z");
    private static final Instant SINCE = Instant.parse("2026-11-23T12:00:00Z");
    private static final ZoneId ZONE = ZoneId.of("Europe/Copenhagen");
    private static final Subject.Waiting WAITING = new Subject.Waiting("lab", 90001, SUBMIT);
    private static final Subject.Person ANNA = new Subject.Person("lab", "anna");
    private static final String[] STAFF = {"Authorization", "Bearer staff-token"};

    private Instant now = Instant.parse("2026-11-23T13:00:00Z");
    private final Vertx vertx = Vertx.vertx();
    private final HttpClient client = HttpClient.newHttpClient();
    private final AnswerLinks links = new AnswerLinks(
            "0123456789abcdef0123456789abcdef", URI.create("https://fairwatch.example.org"), Duration.ofDays(7));
    private Store store;
    private HttpServer server;

    @BeforeEach
    void start(@TempDir Path directory) throws Exception {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        waits("90001");
        store.saveFindings(
                List.of(
                        finding(WAITING, "pending-never-starts", "It asks for <b>more</b> than its partition gives."),
                        finding(ANNA, "scratch-untouched", "400 GiB below /raid were not written to for 60 days.")),
                List.of());
        serve(false);
    }

    @AfterEach
    void stop() throws Exception {
        vertx.close().toCompletionStage().toCompletableFuture().join();
        store.close();
    }

    private void waits(String displayId) throws Exception {
        Run.Owner owner = new Run.Owner("anna", OptionalInt.of(21001), "es", "batch", "normal");
        PendingJob job = new PendingJob("lab", 90001, displayId, owner, "big", SUBMIT, "Resources", "gres/gpu=8");
        store.saveView(new Store.SlurmView(now, "lab", List.of(), List.of(job), List.of()));
    }

    private FindingRow finding(Subject subject, String rule, String summary) {
        return new FindingRow(
                subject,
                rule,
                SINCE,
                FindingRow.State.TOLD,
                now,
                Optional.empty(),
                Optional.of(SINCE.plusSeconds(60)),
                "anna",
                summary,
                "Change it.",
                "{}",
                new FindingRow.Progress(1, 1, Optional.of(SINCE.plusSeconds(60))));
    }

    private void serve(boolean stopByOwner) {
        Answers.Settings settings = new Answers.Settings(
                Duration.ofDays(7), 2, stopByOwner ? Answers.Stop.ENDS : Answers.Stop.STAFF, List.of());
        Answers answers = new Answers(
                store,
                (finding, step, topic, channels, what) -> List.of(new Notice(
                        "told " + what + finding.subject(),
                        finding.subject(),
                        finding.rule(),
                        finding.since(),
                        new Notice.Aim(step, channels.get(0), topic, "support@example.org"),
                        finding.user(),
                        Optional.empty(),
                        Notice.State.PLANNED,
                        Optional.empty(),
                        now,
                        now,
                        0,
                        what)),
                settings,
                () -> now);
        Router router = Router.router(vertx);
        new AnswerPages(
                        vertx,
                        links,
                        answers,
                        settings,
                        Texts.Languages.shippedIn(ZONE),
                        new AnswerPages.Site("AI Cloud", "support@example.org"),
                        () -> now)
                .mount(router);
        new StaffApi(
                        vertx,
                        answers,
                        new StaffNotices(store, Duration.ofDays(30), ZONE, () -> now),
                        Optional.of("staff-token"),
                        ZONE,
                        () -> now)
                .mount(router);
        server = vertx.createHttpServer()
                .requestHandler(router)
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .join();
    }

    private String path(Subject subject, String rule) {
        return links.link(links.claim(subject, rule, SINCE, "anna", now)).getPath();
    }

    private String waiting() {
        return path(WAITING, "pending-never-starts");
    }

    private String person() {
        return path(ANNA, "scratch-untouched");
    }

    private HttpResponse<String> get(String path, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + server.actualPort() + path))
                .header("Accept-Language", "en");
        if (headers.length > 0) {
            request.headers(headers);
        }
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    private HttpResponse<String> post(String path, String form, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + server.actualPort() + path))
                .header("Accept-Language", "en")
                .header("Content-Type", "application/x-www-form-urlencoded")
                .POST(HttpRequest.BodyPublishers.ofString(form));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    private List<AuditEntry> audit() throws Exception {
        return store.audit(new Store.AuditFilter(Optional.empty(), Optional.empty(), Optional.empty(), 100));
    }

    @Test
    @DisplayName("the page of a waiting job says that it waits, and following the link changes nothing")
    void showsWaiting() throws Exception {
        HttpResponse<String> page = get(waiting());
        assertEquals(200, page.statusCode());
        Golden.assertGolden("answer/waiting.html", page.body());
        assertFalse(page.body().contains("<b>more"));
        assertEquals(List.of(), audit());
        assertEquals(List.of(), store.exemptions(now));
    }

    @Test
    @DisplayName(
            "an owner who needs a waiting job is left in peace about it until then, whatever rule, but not for ever")
    void needsWaiting() throws Exception {
        HttpResponse<String> page = post(waiting(), "say=need&hours=24&reason=a+demo");
        assertEquals(200, page.statusCode());
        assertTrue(page.body().contains("until Tue 24 Nov 2026 14:00 CET"), page.body());
        Exemption made = store.exemptions(now).get(0);
        assertEquals(Exemption.Scope.WAITING, made.scope());
        assertEquals(Optional.of(now.plus(Duration.ofDays(1))), made.until());
        Exemptions all = new Exemptions(List.of(made));
        assertTrue(all.of(WAITING, "anna", "es", "any-rule").isPresent());
        assertFalse(all.of(new Subject.Waiting("lab", 90002, SUBMIT), "anna", "es", "any-rule")
                .isPresent());
        AuditEntry entry = audit().get(0);
        assertEquals("owner anna", entry.actor());
        assertEquals("needed until", entry.what());
        assertEquals(OptionalLong.of(90001), entry.job());
        assertEquals(Optional.empty(), entry.run());
        assertEquals("a demo", entry.reason());

        assertEquals(200, post(waiting(), "say=need&hours=72").statusCode());
        assertEquals(1, store.exemptions(now).size());
        assertEquals(410, post(waiting(), "say=need&hours=24").statusCode(), "two times are enough");
        assertFalse(get(waiting()).body().contains("name=\"hours\""));
        assertTrue(
                get("/api/v1/staff/audit?format=text&job=90001", STAFF).body().contains("needed until"));
    }

    @Test
    @DisplayName("\"it may be ended\" tells staff of a waiting job, or cancels it where owners may end running ones")
    void stopsWaiting() throws Exception {
        assertTrue(get(waiting()).body().contains("Ask staff to end it"));
        assertTrue(post(waiting(), "say=stop").body().contains("Support staff has been asked"));
        post(waiting(), "say=stop");
        List<Notice> told = store.noticesOf(90001);
        assertEquals(1, told.size());
        assertEquals(Notice.Channel.STAFF, told.get(0).aim().channel());
        assertEquals(WAITING, told.get(0).subject());

        serve(true);
        assertTrue(get(waiting()).body().contains("It has not run, so nothing is lost."));
        assertTrue(post(waiting(), "say=stop").body().contains("taken out of the queue within a few minutes"));
        post(waiting(), "say=stop");
        List<Notice> deeds = store.noticesOf(90001).stream()
                .filter(notice -> notice.aim().channel() == Notice.Channel.SLURM)
                .toList();
        assertEquals(1, deeds.size());
        assertEquals("cancel", deeds.get(0).aim().recipient());
        assertEquals(Notice.Topic.ANSWERED, deeds.get(0).aim().topic());
        assertEquals(Notice.State.PLANNED, deeds.get(0).state());
        assertEquals(WAITING, deeds.get(0).subject());
    }

    @Test
    @DisplayName(
            "the waiting rest of an array is never cancelled by a link, for its number means the tasks that run, too")
    void restOfArray() throws Exception {
        waits("90001_[3-9%2]");
        serve(true);
        String page = get(waiting()).body();
        assertTrue(page.contains("scancel 90001_[3-9]."), page);
        assertTrue(post(waiting(), "say=stop").body().contains("Support staff has been asked"));
        assertEquals(
                List.of(Notice.Channel.STAFF),
                store.noticesOf(90001).stream()
                        .map(notice -> notice.aim().channel())
                        .toList());
    }

    @Test
    @DisplayName(
            "when the job has begun, another has its number, the finding is over or the link is, nothing can be said")
    void overOfWaiting() throws Exception {
        String another = path(new Subject.Waiting("lab", 90001, SUBMIT.minusSeconds(60)), "pending-never-starts");
        assertEquals(410, get(another).statusCode());
        assertEquals(410, post(another, "say=stop").statusCode());
        String notHers = links.link(links.claim(WAITING, "pending-never-starts", SINCE, "bob", now))
                .getPath();
        assertEquals(410, post(notHers, "say=stop").statusCode());
        String path = waiting();
        store.saveView(new Store.SlurmView(now, "lab", List.of(), List.of(), List.of()));
        HttpResponse<String> begun = post(path, "say=need&hours=24");
        assertEquals(410, begun.statusCode());
        assertTrue(begun.body().contains("does not wait any more"), begun.body());
        waits("90001");
        store.saveFindings(List.of(finding(WAITING, "pending-never-starts", "x").resolved(now)), List.of());
        assertEquals(410, post(path, "say=mine").statusCode());
        now = now.plus(Duration.ofDays(7));
        assertEquals(410, post(path, "say=mine").statusCode());
        assertEquals(List.of(), audit());
        assertEquals(List.of(), store.noticesOf(90001));
    }

    @Test
    @DisplayName("about what a user keeps: needed until, for that rule only, or not theirs; there is nothing to end")
    void aboutPerson() throws Exception {
        HttpResponse<String> page = get(person());
        assertEquals(200, page.statusCode());
        Golden.assertGolden("answer/person.html", page.body());
        assertEquals(410, post(person(), "say=stop").statusCode());
        assertEquals(List.of(), audit());

        assertEquals(200, post(person(), "say=need&hours=168&reason=thesis").statusCode());
        Exemption made = store.exemptions(now).get(0);
        assertEquals(Exemption.Scope.USER, made.scope());
        assertEquals(Optional.of("scratch-untouched"), made.rule());
        Exemptions all = new Exemptions(List.of(made));
        assertTrue(all.of(ANNA, "anna", "", "scratch-untouched").isPresent());
        assertFalse(all.of(ANNA, "anna", "", "user-over-limits").isPresent());
        assertFalse(all.of(new Subject.Person("lab", "bob"), "bob", "", "scratch-untouched")
                .isPresent());
        assertEquals(200, post(person(), "say=need&hours=24").statusCode());
        assertEquals(410, post(person(), "say=need&hours=24").statusCode(), "two times are enough");
        assertTrue(get("/api/v1/staff/audit?format=text&user=anna", STAFF)
                .body()
                .contains("owner anna  needed until  noted  scratch-untouched  of anna: thesis"));

        assertTrue(post(person(), "say=mine").body().contains("told that this is not yours"));
        post(person(), "say=mine");
        List<Notice> told = store.noticesIn(List.of(Notice.State.PLANNED));
        assertEquals(1, told.size());
        assertEquals(ANNA, told.get(0).subject());
    }

    @Test
    @DisplayName("nobody gets a link about a node, and a link of one thing is none of another")
    void otherSubjects() throws Exception {
        assertThrows(
                IllegalArgumentException.class,
                () -> links.claim(new Subject.OnNode("lab", "a100-1"), "gpu-outside-jobs", SINCE, "", now));
        assertEquals(
                410,
                get(path(new Subject.Person("lab", "anna"), "pending-never-starts"))
                        .statusCode());
        assertEquals(410, get(path(WAITING, "scratch-untouched")).statusCode());
    }

    @Test
    @DisplayName("staff write something down about a job that waits, and read it by its number")
    void comment() throws Exception {
        assertEquals(
                200,
                post("/api/v1/staff/comments", "job=90001&text=called+her&by=eva", STAFF)
                        .statusCode());
        assertTrue(get("/api/v1/staff/audit?format=text&job=90001", STAFF)
                .body()
                .contains("staff eva  comment  noted  job 90001  of anna: called her"));
        HttpResponse<String> none = post("/api/v1/staff/comments", "job=90002&text=x&by=eva", STAFF);
        assertEquals(404, none.statusCode());
    }
}
