package io.fairwatch.collector.answer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.Golden;
import io.fairwatch.collector.answer.AnswerLinks.Claim;
import io.fairwatch.collector.notice.Texts;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.Exemption;
import io.fairwatch.collector.store.Exemptions;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.MemoryStore;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.web.Described;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.ext.web.Router;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The pages and what staff say, over HTTP. */
class AnswerPagesTest {
    private static final Instant SINCE = Instant.parse("2026-11-23T12:00:00Z");
    private static final ZoneId ZONE = ZoneId.of("Europe/Copenhagen");

    private Instant now = Instant.parse("2026-11-23T13:00:00Z");
    private final MemoryStore store = new MemoryStore();
    private final Run run = GivenRun.job(83549).gpus(2).asOf(now).run();
    private final Vertx vertx = Vertx.vertx();
    private final HttpClient client = HttpClient.newHttpClient();
    private final AnswerLinks links = new AnswerLinks(
            "0123456789abcdef0123456789abcdef", URI.create("https://fairwatch.example.org"), Duration.ofDays(7));
    private HttpServer server;
    private StaffApi staff;

    @BeforeEach
    void start() throws Exception {
        store.saveRuns(List.of(run));
        store.saveFindings(List.of(finding("None of its 2 GPUs <b>has</b> done anything for 1 h.")), List.of());
        serve(false);
    }

    private void serve(boolean stopByOwner) {
        Answers.Settings settings = new Answers.Settings(
                Duration.ofDays(7),
                2,
                stopByOwner ? Answers.Stop.ENDS : Answers.Stop.STAFF,
                List.of("It is done for these rules: idle-gpu"));
        Answers answers = new Answers(
                store,
                (finding, step, topic, channels, what) -> List.of(new Notice(
                        "told " + what,
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
        staff = new StaffApi(
                vertx,
                answers,
                new StaffNotices(store, Duration.ofDays(30), ZONE, () -> now),
                Optional.of("staff-token"),
                ZONE,
                () -> now);
        staff.mount(router);
        new BounceRoute(vertx, store, Optional.of("bounce-token"), Duration.ofDays(30), () -> now).mount(router);
        server = vertx.createHttpServer()
                .requestHandler(router)
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .join();
    }

    @AfterEach
    void stop() {
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }

    private FindingRow finding(String summary) {
        return new FindingRow(
                run.key(),
                "idle-gpu",
                SINCE,
                FindingRow.State.TOLD,
                now,
                Optional.empty(),
                Optional.of(SINCE.plusSeconds(60)),
                "anna",
                summary,
                "scancel 83549",
                "{}",
                new FindingRow.Progress(1, 1, Optional.of(SINCE.plusSeconds(60))));
    }

    private String path() {
        Claim claim = links.claim(run.key(), "idle-gpu", SINCE, "anna", now);
        return links.link(claim).getPath();
    }

    private HttpResponse<String> get(String path, String... headers) throws Exception {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.actualPort() + path));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    private HttpResponse<String> post(String path, String form, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + server.actualPort() + path))
                .header("Content-Type", "application/x-www-form-urlencoded")
                .POST(HttpRequest.BodyPublishers.ofString(form));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    private List<AuditEntry> audit() {
        return store.audit(new Store.AuditFilter(Optional.empty(), Optional.empty(), Optional.empty(), 100));
    }

    @Test
    @DisplayName("the page shows what was found and what can be said, and following the link changes nothing")
    void shows() throws Exception {
        HttpResponse<String> page = get(path(), "Accept-Language", "en");
        assertEquals(200, page.statusCode());
        Golden.assertGolden("answer/page.html", page.body());
        assertTrue(
                page.headers().firstValue("Content-Security-Policy").orElse("").startsWith("default-src 'none'"));
        assertFalse(page.body().contains("<script"));
        assertFalse(page.body().contains("<b>has"));
        assertTrue(get(path(), "Accept-Language", "da").body().contains("Jeg har brug for det, som det er"));
        for (int i = 0; i < 5; i++) {
            get(path());
        }
        assertEquals(List.of(), audit());
        assertEquals(List.of(), store.exemptions(now));
    }

    @Test
    @DisplayName("an owner who needs the job is left in peace until then, no longer than allowed, and not for ever")
    void need() throws Exception {
        HttpResponse<String> page = post(path(), "say=need&hours=24&reason=a+demo%0D%0A%3Cb%3E");
        assertEquals(200, page.statusCode());
        assertTrue(page.body().contains("until Tue 24 Nov 2026 14:00 CET"), page.body());
        Exemption first = store.exemptions(now).get(0);
        assertEquals(Optional.of(now.plus(Duration.ofDays(1))), first.until());
        assertEquals("a demo <b>", first.reason());
        assertEquals(Optional.empty(), first.rule(), "whatever rule found it");
        assertEquals("owner anna", audit().get(0).actor());

        assertEquals(410, post(path(), "say=need&hours=100000").statusCode());
        assertEquals(200, post(path(), "say=need&hours=72").statusCode());
        assertEquals(1, store.exemptions(now).size());
        assertEquals(410, post(path(), "say=need&hours=24").statusCode(), "two times are enough");
        assertFalse(get(path(), "Accept-Language", "en").body().contains("name=\"hours\""));
    }

    @Test
    @DisplayName(
            "\"it may be ended\" tells staff, or ends the job where staff allow it; saying it twice is saying it once")
    void stopIt() throws Exception {
        assertTrue(post(path(), "say=stop").body().contains("Support staff has been asked"));
        post(path(), "say=stop");
        List<Notice> notices = store.noticesOf(83549);
        assertEquals(1, notices.size());
        assertEquals(Notice.Topic.ANSWERED, notices.get(0).aim().topic());
        assertEquals(Notice.Channel.STAFF, notices.get(0).aim().channel());

        serve(true);
        assertTrue(post(path(), "say=stop").body().contains("will be ended within a few minutes"));
        post(path(), "say=stop");
        List<Notice> deeds = store.noticesOf(83549).stream()
                .filter(notice -> notice.aim().channel() == Notice.Channel.SLURM)
                .toList();
        assertEquals(1, deeds.size());
        assertEquals("cancel", deeds.get(0).aim().recipient());
        assertEquals(Notice.State.PLANNED, deeds.get(0).state());

        Notice deed = deeds.get(0);
        store.saveFindings(
                List.of(),
                List.of(new Notice(
                        deed.id(),
                        deed.subject(),
                        deed.rule(),
                        deed.since(),
                        deed.aim(),
                        deed.user(),
                        deed.address(),
                        Notice.State.WITHHELD,
                        deed.mail(),
                        deed.createdAt(),
                        now,
                        0,
                        "its owner said later that it is needed")));
        now = now.plusSeconds(60);
        assertTrue(post(path(), "say=stop").body().contains("will be ended within a few minutes"));
        Notice again = store.noticesOf(83549).stream()
                .filter(notice -> notice.id().equals(deed.id()))
                .findFirst()
                .orElseThrow();
        assertEquals(Notice.State.PLANNED, again.state(), "what was given up is tried when it is asked for again");
        assertEquals(now, again.createdAt());
    }

    @Test
    @DisplayName("\"it is not mine\" tells staff, and nothing comes of it meanwhile")
    void notMine() throws Exception {
        assertEquals(200, post(path(), "say=mine").statusCode());
        assertEquals("it is not mine", store.noticesOf(83549).get(0).detail());
        assertTrue(store.exemptions(now).get(0).covers(run.key(), "anna", "es", "any-rule"));
        assertEquals("not mine", audit().get(0).what());
    }

    @Test
    @DisplayName("what is over, expired, forged, too large or nonsense changes nothing and says so")
    void refused() throws Exception {
        String path = path();
        assertEquals(404, post(path + "x", "say=stop").statusCode());
        assertEquals(404, get("/answer/" + "A".repeat(300)).statusCode());
        assertEquals(410, post(path, "say=explode").statusCode());
        assertEquals(413, post(path, "reason=" + "x".repeat(10_000)).statusCode());
        now = now.plus(Duration.ofDays(7));
        assertEquals(410, post(path, "say=stop").statusCode());
        now = now.minus(Duration.ofDays(6));
        store.saveFindings(List.of(finding("x").resolved(now)), List.of());
        assertEquals(410, get(path).statusCode());
        assertEquals(410, post(path, "say=stop").statusCode());
        assertEquals(List.of(), audit());
        assertEquals(List.of(), store.noticesOf(83549));
    }

    @Test
    @DisplayName("staff excuse, end, comment and read, with their token; all is in the trail")
    void staff() throws Exception {
        String[] token = {"Authorization", "Bearer staff-token"};
        assertEquals(401, get("/api/v1/staff/audit").statusCode());
        assertEquals(
                401,
                post("/api/v1/staff/exemptions", "user=anna&by=eva&reason=x", "Authorization", "Bearer wrong")
                        .statusCode());
        HttpResponse<String> made = post(
                "/api/v1/staff/exemptions?format=text", "job=83549&rule=idle-gpu&for=2d&by=eva&reason=course", token);
        assertEquals(200, made.statusCode(), made.body());
        assertTrue(made.body().contains("until 2026-11-25 14:00  by staff eva: course"), made.body());
        assertEquals(
                400, post("/api/v1/staff/exemptions", "user=anna&by=eva", token).statusCode());
        assertEquals(
                400,
                post("/api/v1/staff/exemptions", "user=a&account=b&by=eva&reason=x", token)
                        .statusCode());
        assertEquals(
                404,
                post("/api/v1/staff/exemptions", "job=1&by=eva&reason=x", token).statusCode());
        assertEquals(
                400,
                post("/api/v1/staff/exemptions", "job=1+or+1&by=eva&reason=x", token)
                        .statusCode());
        assertEquals(
                400,
                post("/api/v1/staff/comments", "job=83549&text=x&by=%0A", token).statusCode());
        assertEquals(
                200,
                post("/api/v1/staff/comments", "job=83549&text=called+her&by=eva", token)
                        .statusCode());

        String id = store.exemptions(now).get(0).id();
        assertTrue(get("/api/v1/staff/exemptions?format=text", token).body().startsWith(id + "  run lab/83549/"));
        assertEquals(
                200,
                post("/api/v1/staff/exemptions/" + id + "/end", "by=bo", token).statusCode());
        assertEquals(List.of(), store.exemptions(now));
        assertEquals(
                404,
                post("/api/v1/staff/exemptions/" + id + "/end", "by=bo", token).statusCode());

        String trail = get("/api/v1/staff/audit?format=text&job=83549", token).body();
        assertTrue(trail.contains("staff eva  comment  noted  job 83549  of anna: called her"), trail);
        assertTrue(trail.contains("staff bo  end exemption  noted  job 83549  idle-gpu: course"), trail);
        assertTrue(get("/api/v1/staff/audit?format=text&user=bob", token).body().contains("Nothing was decided"));
    }

    @Test
    @DisplayName("staff excuse a single waiting job until it starts; one that got its number later is another")
    void waiting() throws Exception {
        String[] token = {"Authorization", "Bearer staff-token"};
        PendingJob job = new PendingJob("lab", 90001, "90001", run.owner(), "big", SINCE, "Resources", "gres/gpu=8");
        store.saveView(new Store.SlurmView(now, "lab", List.of(run), List.of(job), List.of()));
        HttpResponse<String> made =
                post("/api/v1/staff/exemptions?format=text", "job=90001&for=2d&by=eva&reason=promised", token);
        assertEquals(200, made.statusCode(), made.body());
        assertTrue(made.body().contains("waiting lab/90001/"), made.body());
        Exemptions exemptions = new Exemptions(store.exemptions(now));
        String account = run.owner().account();
        assertTrue(exemptions
                .of(new Subject.Waiting("lab", 90001, SINCE), "anna", account, "pending-never-starts")
                .isPresent());
        assertFalse(exemptions
                .of(new Subject.Waiting("lab", 90001, SINCE.plusSeconds(60)), "anna", account, "pending-never-starts")
                .isPresent());
        assertFalse(exemptions.of(run.key(), "anna", account, "idle-gpu").isPresent());
        assertTrue(
                get("/api/v1/staff/audit?format=text&job=90001", token).body().contains("promised"), "by its number");
        HttpResponse<String> none = post("/api/v1/staff/exemptions", "job=90002&by=eva&reason=x", token);
        assertEquals(404, none.statusCode());
        assertEquals("Job 90002 neither runs nor waits.\n", none.body());
    }

    /** The shell command with the token of staff; what it said, and its exit code at the end. */
    private String command(Path directory, String... words) throws Exception {
        List<String> command = new ArrayList<>(List.of("sh", "../deploy/bin/fairwatch"));
        command.addAll(List.of(words));
        Path out = directory.resolve("out.txt");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile());
        builder.environment().put("FAIRWATCH_URL", "http://127.0.0.1:" + server.actualPort());
        builder.environment()
                .put("FAIRWATCH_STAFF_TOKEN_FILE", directory.resolve("token").toString());
        builder.environment().put("no_proxy", "*");
        int status = builder.start().waitFor();
        return Files.readString(out) + status;
    }

    @Test
    @DisplayName("the shell command says for staff what they say, whatever is in their words")
    void commands(@TempDir Path directory) throws Exception {
        Files.writeString(directory.resolve("token"), "staff-token\n");
        String odd = "it's \"needed\" & 100 % sure; $(id) <b>";
        String made = command(directory, "exempt", "--user", "anna", "--for", "7d", "--reason", odd);
        assertTrue(made.endsWith(": " + odd + "\n0"), made);
        String id = store.exemptions(now).get(0).id();
        assertTrue(command(directory, "exemptions").startsWith(id + "  user anna  all rules  until 2026-11-30 14:00"));
        assertTrue(
                command(directory, "comment", "83549", "called", "&", "wrote").endsWith("Noted.\n0"));
        assertTrue(command(directory, "exempt", "--end", id).endsWith("0"));
        assertTrue(command(directory, "audit", "--job", "83549").contains("of anna: called & wrote"));
        assertTrue(command(directory, "exempt", "--user", "anna").endsWith("2"), "a reason is wanted");
        assertTrue(command(directory, "exempt", "--usr", "anna").contains("did you mean --user?"));
        Files.writeString(directory.resolve("token"), "other\n");
        assertTrue(command(directory, "audit").contains("the staff token is missing or wrong"));
        Files.writeString(directory.resolve("token"), "a\"\nurl = \"http://x\n");
        assertTrue(command(directory, "audit").contains("holds no token"));
    }

    // ---- the switch, notices, and mails that came back

    @Test
    @DisplayName("every address of staff that is described is there, and asks for the token")
    void described() throws Exception {
        for (Described one : staff.described()) {
            String path = one.path().replaceAll("\\{\\w+}", "x");
            HttpResponse<String> answer = one.method().equals("post") ? post(path, "") : get(path);
            assertEquals(401, answer.statusCode(), one.path());
        }
        assertEquals(401, post("/api/v1/bounces", "x").statusCode());
    }

    @Test
    @DisplayName("staff switch off all that is done to jobs, see that it is, and switch it on; both are in the trail")
    void enforcementSwitch(@TempDir Path directory) throws Exception {
        Files.writeString(directory.resolve("token"), "staff-token\n");
        assertTrue(command(directory, "enforcement").startsWith("It is done for these rules: idle-gpu\n"));
        assertTrue(command(directory, "enforcement", "off").contains("reason: missing"));
        String off = command(directory, "enforcement", "off", "--for", "2h", "--reason", "maintenance");
        assertTrue(off.contains("Nothing is done to any job"), off);
        assertTrue(command(directory, "enforcement").contains(": maintenance\n0"));
        assertEquals(
                List.of(Exemption.Scope.DEEDS),
                store.exemptions(now).stream().map(Exemption::scope).toList());
        assertTrue(command(directory, "enforcement", "on").endsWith("idle-gpu\n0"));
        assertEquals(List.of(), store.exemptions(now));
        assertTrue(command(directory, "enforcement", "on").endsWith("1"));
        assertTrue(command(directory, "enforcement", "of").contains("did you mean off?"));
        assertEquals(
                List.of("enforcement off", "enforcement on"),
                audit().stream().map(AuditEntry::what).sorted().toList());
    }

    private static final String MAIL = "0123456789abcdef0123456789abcdef";

    private Notice sent() {
        return new Notice(
                "n1",
                run.key(),
                "idle-gpu",
                SINCE,
                new Notice.Aim(1, Notice.Channel.OWNER, Notice.Topic.FINDING, "anna"),
                "anna",
                Optional.of("anna@es.aau.dk"),
                Notice.State.DELIVERED,
                Optional.of(MAIL),
                now,
                now,
                1,
                "taken by mail:25");
    }

    private String report(String mail) {
        return """
                From: Mail Delivery System <MAILER-DAEMON@es.aau.dk>
                To: fairwatch-bounces@its.aau.dk
                Subject: Undelivered Mail Returned to Sender
                MIME-Version: 1.0
                Content-Type: multipart/report; report-type=delivery-status; boundary="b"

                --b
                Content-Type: message/delivery-status

                Reporting-MTA: dns; es.aau.dk

                Final-Recipient: rfc822; anna@es.aau.dk
                Action: failed
                Status: 5.1.1
                Diagnostic-Code: smtp; 550 no such person here

                --b
                Content-Type: text/rfc822-headers

                Message-ID: <%s@its.aau.dk>

                --b--
                """.formatted(mail);
    }

    @Test
    @DisplayName(
            "a mail that came back is kept once if it was ours, and is listed; the shell command takes it from an alias")
    void bounces(@TempDir Path directory) throws Exception {
        Files.writeString(directory.resolve("token"), "staff-token\n");
        store.saveFindings(List.of(), List.of(sent()));
        assertEquals(401, bounce("other", report(MAIL)).statusCode());
        HttpResponse<String> taken = bounce("bounce-token", report(MAIL));
        assertEquals("noted: failed, anna@es.aau.dk, 5.1.1\n", taken.body());
        assertEquals(200, bounce("bounce-token", report(MAIL)).statusCode());
        assertEquals(1, store.bounces(Instant.EPOCH).size());
        assertTrue(bounce("bounce-token", report("f".repeat(32))).body().startsWith("no such mail was sent"));
        assertTrue(bounce("bounce-token", "Subject: hello\n\nI am away.").body().startsWith("not a report"));
        assertEquals(413, bounce("bounce-token", "x".repeat(1_100_000)).statusCode());
        assertEquals(1, store.bounces(Instant.EPOCH).size());

        store.saveFindings(List.of(), List.of(sent().with(Notice.State.BOUNCED, 1, "came back", now)));
        String undelivered = command(directory, "notices", "--undelivered");
        assertTrue(
                undelivered.contains("bounced  owner anna@es.aau.dk  job 83549  idle-gpu, step 1: came back"),
                undelivered);
        assertTrue(command(directory, "notices", "--state", "delivered").startsWith("There are none."));
        assertTrue(command(directory, "notices", "--state", "lost").contains("expected: undelivered, or some of"));
        assertTrue(command(directory, "bounces").contains("failed  anna@es.aau.dk  5.1.1: 550 no such person here"));
        assertTrue(command(directory, "bounces", "--forget", "anna@es.aau.dk", "--reason", "repaired")
                .contains("go to anna@es.aau.dk again"));
        assertTrue(store.bounces(Instant.EPOCH).get(0).forgottenAt().isPresent());
        assertEquals("forget bounces", audit().get(0).what());
        assertTrue(command(directory, "bounces", "--forget", "anna@es.aau.dk", "--reason", "repaired")
                .endsWith("1"));
    }

    private HttpResponse<String> bounce(String token, String mail) throws Exception {
        return client.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.actualPort() + "/api/v1/bounces"))
                        .header("Authorization", "Bearer " + token)
                        .header("Content-Type", "message/rfc822")
                        .POST(HttpRequest.BodyPublishers.ofString(mail))
                        .build(),
                HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    @Test
    @DisplayName("the alias command asks to be tried again while the collector is away, and not for what is no mail")
    void alias(@TempDir Path directory) throws Exception {
        store.saveFindings(List.of(), List.of(sent()));
        Path mail = Files.writeString(directory.resolve("mail"), report(MAIL));
        Files.writeString(directory.resolve("bounce.token"), "bounce-token\n");
        String url = "http://127.0.0.1:" + server.actualPort();
        assertEquals("noted: failed, anna@es.aau.dk, 5.1.1\n0", pipe(directory, url, mail));
        assertTrue(pipe(directory, "http://127.0.0.1:1", mail).endsWith("75"));
        assertTrue(pipe(directory, url, Files.writeString(directory.resolve("none"), ""))
                .endsWith("\n0"));
        Files.writeString(directory.resolve("bounce.token"), "other\n");
        assertTrue(pipe(directory, url, mail).endsWith("75"), "a wrong token must not lose mails");
    }

    private static String pipe(Path directory, String url, Path mail) throws Exception {
        Path out = directory.resolve("out.txt");
        ProcessBuilder builder = new ProcessBuilder("sh", "../deploy/bin/fairwatch", "bounce")
                .redirectErrorStream(true)
                .redirectInput(mail.toFile())
                .redirectOutput(out.toFile());
        builder.environment().put("FAIRWATCH_URL", url);
        builder.environment()
                .put(
                        "FAIRWATCH_BOUNCE_TOKEN_FILE",
                        directory.resolve("bounce.token").toString());
        builder.environment().put("no_proxy", "*");
        int status = builder.start().waitFor();
        return Files.readString(out) + status;
    }
}
