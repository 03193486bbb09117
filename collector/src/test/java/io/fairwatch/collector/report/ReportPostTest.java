package io.fairwatch.collector.report;

import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.icegreen.greenmail.util.GreenMail;
import com.icegreen.greenmail.util.ServerSetup;
import io.fairwatch.collector.notice.Notifier.Mode;
import io.fairwatch.collector.notice.Post;
import io.fairwatch.collector.notice.SmtpOutbox;
import io.fairwatch.collector.report.ReportPost.Format;
import io.fairwatch.collector.report.ReportPost.When;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.vertx.core.Vertx;
import jakarta.mail.BodyPart;
import jakarta.mail.internet.MimeMessage;
import jakarta.mail.internet.MimeMultipart;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Autumn of 2026 ends on 1 February 2027 in Copenhagen, and its report is sent a day later, over a real mail server. */
class ReportPostTest {
    private static final ZoneId ZONE = ZoneId.of("Europe/Copenhagen");
    private static final Instant DUE = Instant.parse("2027-02-01T23:00:00Z");
    private static final String HEAD = "head@aau.dk";
    private static final String SUPPORT = "support@its.aau.dk";
    private static final Vertx VERTX = Vertx.vertx();

    private final Path directory;
    private final GreenMail mails = new GreenMail(ServerSetup.SMTP.dynamicPort());
    private Store store;

    ReportPostTest(@TempDir Path directory) {
        this.directory = directory;
    }

    @BeforeEach
    void open() throws StoreException {
        mails.start();
        store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS);
        store.saveRuns(List.of(job(1).owner("anna", "es", "batch", "")
                .until(Instant.parse("2026-11-20T14:00:00Z"))
                .gpus(2)
                .run()));
        store.saveAccountingUntil(DUE);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
        mails.stop();
    }

    @AfterAll
    static void end() {
        VERTX.close().toCompletionStage().toCompletableFuture().join();
    }

    private static ReportPost.Settings to(Set<When> every, Set<Format> formats, String... people) {
        return new ReportPost.Settings(List.of(people), every, "da", formats, Duration.ofDays(1));
    }

    private static ReportPost.Settings to(String... people) {
        return to(Set.of(), Set.of(), people);
    }

    private void run(Instant now, Mode mode, Optional<String> redirect, int port, ReportPost.Settings settings)
            throws Exception {
        try (SmtpOutbox outbox =
                new SmtpOutbox(VERTX, SmtpOutbox.Settings.plain("127.0.0.1", port, "fairwatch@aau.dk"))) {
            ReportMaker maker = new ReportMaker(
                    store,
                    ReportSettings.DEFAULTS,
                    new ReportMaker.Site(
                            "AI Cloud",
                            ZONE,
                            "test",
                            () -> List.of(
                                    new ReportMaker.RuleInForce("idle-gpu", "GPUs that do nothing", "window=30 min"))));
            new ReportPost(
                            store,
                            new ReportDesk(maker, () -> now),
                            new Post(store, outbox, mode, redirect, () -> now),
                            settings,
                            ZONE,
                            () -> now)
                    .run();
        }
    }

    private void run(Instant now, ReportPost.Settings settings) throws Exception {
        run(now, Mode.NOTIFY, Optional.empty(), mails.getSmtp().getPort(), settings);
    }

    private List<String> subjects() throws Exception {
        List<String> subjects = new ArrayList<>();
        for (MimeMessage mail : mails.getReceivedMessages()) {
            subjects.add(mail.getSubject());
        }
        return subjects;
    }

    private List<String> outcomes() throws StoreException {
        return store.audit(new Store.AuditFilter(Optional.empty(), Optional.empty(), Optional.empty(), 100)).stream()
                .map(AuditEntry::outcome)
                .map(Enum::name)
                .sorted()
                .toList();
    }

    private static List<String> names(MimeMessage mail) throws Exception {
        List<String> names = new ArrayList<>();
        MimeMultipart parts = (MimeMultipart) mail.getContent();
        for (int i = 0; i < parts.getCount(); i++) {
            BodyPart part = parts.getBodyPart(i);
            if (part.getFileName() != null) {
                names.add(part.getFileName());
            }
        }
        return names;
    }

    @Test
    @DisplayName("a day after the semester's end everybody on the list gets the report with what was asked for")
    void sent() throws Exception {
        run(DUE, to(Set.of(When.SEMESTER), Set.of(Format.PDF, Format.HTML, Format.ZIP), HEAD, SUPPORT));
        MimeMessage[] got = mails.getReceivedMessages();
        assertEquals(
                List.of(HEAD, SUPPORT),
                Arrays.stream(got).map(ReportPostTest::recipient).sorted().toList());
        assertEquals(
                List.of("gpu-report-2026-autumn.html", "gpu-report-2026-autumn.pdf", "gpu-report-2026-autumn.zip"),
                names(got[0]).stream().sorted().toList());
        assertEquals("AI Cloud: GPU-rapport 2026-autumn", got[0].getSubject());
        MimeMultipart parts = (MimeMultipart) got[0].getContent();
        byte[] pdf = null;
        for (int i = 0; i < parts.getCount(); i++) {
            if (String.valueOf(parts.getBodyPart(i).getFileName()).endsWith(".pdf")) {
                pdf = parts.getBodyPart(i).getInputStream().readAllBytes();
            }
        }
        assertEquals("%PDF", new String(Arrays.copyOf(pdf, 4), StandardCharsets.US_ASCII));
        assertEquals(List.of("DONE", "DONE", "INTENDED", "INTENDED"), outcomes());
    }

    private static String recipient(MimeMessage mail) {
        try {
            return mail.getAllRecipients()[0].toString();
        } catch (jakarta.mail.MessagingException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    @DisplayName("nobody gets it twice, also not after a restart; who is added later gets it once")
    void once() throws Exception {
        run(DUE, to(HEAD));
        run(DUE.plusSeconds(600), to(HEAD));
        store.close();
        store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS);
        run(DUE.plusSeconds(1200), to(HEAD, SUPPORT));
        run(DUE.plusSeconds(1800), to(HEAD, SUPPORT));
        assertEquals(2, subjects().size());
    }

    @Test
    @DisplayName("not before its time, not while ended jobs are not known to the end, not weeks late")
    void when() throws Exception {
        run(DUE.minusSeconds(1), to(HEAD));
        store.saveAccountingUntil(DUE.minus(Duration.ofDays(2)));
        run(DUE.plusSeconds(60), to(HEAD));
        store.saveAccountingUntil(DUE);
        run(DUE.plus(Duration.ofDays(15)), to(HEAD));
        assertEquals(List.of(), subjects());
        run(DUE.plusSeconds(60), to(HEAD));
        assertEquals(1, subjects().size());
    }

    @Test
    @DisplayName("a month is a period too, named by its days")
    void month() throws Exception {
        run(Instant.parse("2026-12-02T08:00:00Z"), to(Set.of(When.MONTH), Set.of(), HEAD));
        assertEquals(List.of("AI Cloud: GPU-rapport 2026-11-01 to 2026-12-01"), subjects());
    }

    @Test
    @DisplayName("while mails are off nothing is sent, that is kept, and switching them on does not send it")
    void recorded() throws Exception {
        run(DUE, Mode.RECORD, Optional.empty(), mails.getSmtp().getPort(), to(HEAD));
        run(DUE.plusSeconds(600), to(HEAD));
        assertEquals(List.of(), subjects());
        assertEquals(List.of("NOT_TAKEN"), outcomes());
    }

    @Test
    @DisplayName("a rehearsal goes to its address alone, and does not count")
    void rehearsal() throws Exception {
        run(DUE, Mode.NOTIFY, Optional.of("me@aau.dk"), mails.getSmtp().getPort(), to(HEAD));
        assertEquals("me@aau.dk", recipient(mails.getReceivedMessages()[0]));
        assertEquals(List.of("[rehearsal, for head@aau.dk] AI Cloud: GPU-rapport 2026-autumn"), subjects());
        run(DUE.plusSeconds(600), to(HEAD));
        assertEquals(HEAD, recipient(mails.getReceivedMessages()[1]));
    }

    @Test
    @DisplayName("while the mail server is away it is tried again, then sent once")
    void away() throws Exception {
        int nobody;
        try (ServerSocket socket = new ServerSocket(0)) {
            nobody = socket.getLocalPort();
        }
        run(DUE, Mode.NOTIFY, Optional.empty(), nobody, to(HEAD));
        assertEquals(List.of("FAILED", "INTENDED"), outcomes());
        run(DUE.plusSeconds(600), to(HEAD));
        run(DUE.plusSeconds(1200), to(HEAD));
        assertEquals(1, subjects().size());
    }

    @Test
    @DisplayName(
            "what was about to leave when the collector was killed is not sent again: nobody knows whether it left")
    void killed() throws Exception {
        Post post = new Post(
                store,
                mail -> {
                    throw new IllegalStateException("killed");
                },
                Mode.NOTIFY,
                Optional.empty(),
                () -> DUE);
        try {
            post.send("report 2026-autumn", HEAD, new io.fairwatch.collector.notice.Letter("s", "t", "h"));
        } catch (IllegalStateException expected) {
            assertEquals("killed", expected.getMessage());
        }
        assertTrue(post.isOver("report 2026-autumn", HEAD));
        run(DUE, to(HEAD));
        assertEquals(List.of(), subjects());
    }
}
