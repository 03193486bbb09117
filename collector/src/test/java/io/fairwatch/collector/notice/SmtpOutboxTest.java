package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.icegreen.greenmail.util.GreenMail;
import com.icegreen.greenmail.util.ServerSetup;
import io.vertx.core.Vertx;
import jakarta.mail.internet.MimeMessage;
import jakarta.mail.internet.MimeMultipart;
import java.io.IOException;
import java.io.InputStream;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SmtpOutboxTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final Outbox.Mail MAIL = new Outbox.Mail(
            "0123456789abcdef",
            "tlj@its.aau.dk",
            Instant.parse("2026-11-23T13:00:30Z"),
            new Letter(
                    "[AI Cloud] Job 83549: é",
                    "Hello tlj,\n.\n.dots stay\né " + "long ".repeat(300) + "\n",
                    "<p>Hello tlj, é</p>\n"));

    private static final Vertx VERTX = Vertx.vertx();

    private final Path dir;

    SmtpOutboxTest(@TempDir Path dir) {
        this.dir = dir;
    }

    @AfterAll
    static void close() {
        VERTX.close().toCompletionStage().toCompletableFuture().join();
    }

    private static SmtpOutbox.Settings to(int port, SmtpOutbox.StartTls startTls, Duration timeout) {
        return new SmtpOutbox.Settings(
                "127.0.0.1",
                port,
                startTls,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                "Fairwatch <fairwatch@its.aau.dk>",
                Optional.empty(),
                Optional.of("support@its.aau.dk"),
                timeout);
    }

    private static Outbox.Outcome send(SmtpOutbox.Settings settings) throws IOException {
        try (SmtpOutbox outbox = new SmtpOutbox(VERTX, settings)) {
            return outbox.send(MAIL);
        }
    }

    private static Outbox.Outcome sendTo(ScriptedSmtp server, Duration timeout) throws IOException {
        return send(to(server.port(), SmtpOutbox.StartTls.DISABLED, timeout));
    }

    @Test
    @DisplayName("one mail arrives, with both parts, its own Message-ID and headers that keep robots quiet")
    void arrives() throws Exception {
        GreenMail green = new GreenMail(new ServerSetup(0, "127.0.0.1", ServerSetup.PROTOCOL_SMTP));
        green.start();
        try {
            Outbox.Outcome outcome = send(to(green.getSmtp().getPort(), SmtpOutbox.StartTls.DISABLED, PATIENCE));
            assertInstanceOf(Outbox.Outcome.Delivered.class, outcome, outcome.detail());

            MimeMessage[] received = green.getReceivedMessages();
            assertEquals(1, received.length);
            MimeMessage mail = received[0];
            assertEquals("[AI Cloud] Job 83549: é", mail.getSubject());
            assertEquals("tlj@its.aau.dk", mail.getHeader("To", ","));
            assertEquals("Fairwatch <fairwatch@its.aau.dk>", mail.getFrom()[0].toString());
            assertEquals("support@its.aau.dk", mail.getReplyTo()[0].toString());
            assertEquals("<0123456789abcdef@its.aau.dk>", mail.getMessageID());
            assertEquals(
                    Instant.parse("2026-11-23T13:00:30Z"), mail.getSentDate().toInstant());
            assertEquals("auto-generated", mail.getHeader("Auto-Submitted", ","));
            assertEquals("OOF, AutoReply", mail.getHeader("X-Auto-Response-Suppress", ","));
            MimeMultipart parts = (MimeMultipart) mail.getContent();
            assertTrue(parts.getContentType().startsWith("multipart/alternative"));
            assertEquals(
                    MAIL.letter().text().strip(),
                    parts.getBodyPart(0)
                            .getContent()
                            .toString()
                            .replace("\r\n", "\n")
                            .strip());
            assertTrue(parts.getBodyPart(1).isMimeType("text/html"));
            assertEquals(
                    MAIL.letter().html().strip(),
                    parts.getBodyPart(1).getContent().toString().strip());
        } finally {
            green.stop();
        }
    }

    @Test
    @DisplayName("it may be called on a worker of Vert.x without waiting for itself")
    void onWorker() throws Exception {
        try (ScriptedSmtp server = ScriptedSmtp.answering("none", "")) {
            Outbox.Outcome outcome = VERTX.executeBlocking(() -> sendTo(server, PATIENCE))
                    .toCompletionStage()
                    .toCompletableFuture()
                    .get(30, TimeUnit.SECONDS);
            assertInstanceOf(Outbox.Outcome.Delivered.class, outcome, outcome.detail());
            assertEquals(1, server.mails.size());
        }
    }

    @ParameterizedTest
    @CsvSource({"RCPT,550 5.1.1 no such user", "DATA,554 no", ".,552 too long"})
    @DisplayName("what the server says of this recipient or letter is for good")
    void refused(String command, String answer) throws Exception {
        try (ScriptedSmtp server = ScriptedSmtp.answering(command, answer)) {
            Outbox.Outcome outcome = sendTo(server, PATIENCE);
            assertInstanceOf(Outbox.Outcome.Refused.class, outcome, outcome.detail());
            assertTrue(outcome.detail().contains(answer.substring(4)), outcome.detail());
            assertTrue(server.mails.isEmpty());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "RCPT,451 greylisted,false",
        ".,452 disk full,false",
        "RCPT,421 closing,true",
        "MAIL,553 sender not allowed,true",
        "MAIL,530 login first,true",
        "greeting,554 no service,true",
        "greeting,421 busy,true"
    })
    @DisplayName("what may get better, or is the site's fault, is tried again")
    void tryAgain(String command, String answer, boolean everybody) throws Exception {
        try (ScriptedSmtp server = ScriptedSmtp.answering(command, answer)) {
            Outbox.Outcome.TryAgain again = assertInstanceOf(Outbox.Outcome.TryAgain.class, sendTo(server, PATIENCE));
            assertEquals(everybody, again.everybody(), again.detail());
            assertTrue(server.mails.isEmpty());
        }
    }

    @Test
    @DisplayName("a server that is away is tried again")
    void away() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        Outbox.Outcome.TryAgain again =
                assertInstanceOf(Outbox.Outcome.TryAgain.class, send(to(port, SmtpOutbox.StartTls.DISABLED, PATIENCE)));
        assertTrue(again.everybody());
    }

    @Test
    @DisplayName("a server that never answers costs no more than the deadline, and is tried again")
    void silent() throws Exception {
        try (ScriptedSmtp server = ScriptedSmtp.answering("greeting", ScriptedSmtp.SILENCE)) {
            Outbox.Outcome outcome = sendTo(server, Duration.ofMillis(400));
            assertInstanceOf(Outbox.Outcome.TryAgain.class, outcome, outcome.detail());
            assertTrue(server.mails.isEmpty());
        }
    }

    @Test
    @DisplayName("a mail that was called back at the deadline does not leave when the server wakes up")
    void lateGreeting() throws Exception {
        CountDownLatch awake = new CountDownLatch(1);
        try (ScriptedSmtp server = new ScriptedSmtp(
                        heard -> {
                            if (heard.startsWith("EHLO")) {
                                await(awake);
                            }
                            return Optional.empty();
                        },
                        Optional.empty());
                SmtpOutbox outbox = new SmtpOutbox(
                        VERTX, to(server.port(), SmtpOutbox.StartTls.DISABLED, Duration.ofMillis(400)))) {
            Outbox.Outcome outcome = outbox.send(MAIL);
            assertInstanceOf(Outbox.Outcome.TryAgain.class, outcome, outcome.detail());
            awake.countDown();
            assertTrue(server.connectionEnded.await(20, TimeUnit.SECONDS));
            assertTrue(server.mails.isEmpty());
            assertFalse(server.heard.contains("DATA"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {ScriptedSmtp.SILENCE, ScriptedSmtp.HANG_UP})
    @DisplayName("no answer after the whole letter went out: nobody knows")
    void unknown(String behaviour) throws Exception {
        try (ScriptedSmtp server = ScriptedSmtp.answering(".", behaviour)) {
            Outbox.Outcome outcome = sendTo(server, Duration.ofMillis(1500));
            assertInstanceOf(Outbox.Outcome.Unknown.class, outcome, outcome.detail());
        }
    }

    @Test
    @DisplayName("STARTTLS required but not offered: nothing goes out in clear")
    void noStartTls() throws Exception {
        try (ScriptedSmtp server = ScriptedSmtp.answering("none", "")) {
            Outbox.Outcome outcome = send(to(server.port(), SmtpOutbox.StartTls.REQUIRED, PATIENCE));
            assertInstanceOf(Outbox.Outcome.TryAgain.class, outcome, outcome.detail());
            assertTrue(server.mails.isEmpty());
            assertTrue(server.heard.stream().noneMatch(line -> line.startsWith("MAIL") || line.startsWith("AUTH")));
        }
    }

    @Test
    @DisplayName("STARTTLS and login work with an authority from a file, and fail without it")
    void startTls() throws Exception {
        Path password = Files.writeString(dir.resolve("password"), "s3cret\n");
        try (ScriptedSmtp server = new ScriptedSmtp(heard -> Optional.empty(), Optional.of(serverTls("localhost")))) {
            SmtpOutbox.Settings good = new SmtpOutbox.Settings(
                    "localhost",
                    server.port(),
                    SmtpOutbox.StartTls.REQUIRED,
                    Optional.of(dir.resolve("ca.pem")),
                    Optional.of("fairwatch"),
                    Optional.of(password),
                    "fairwatch@its.aau.dk",
                    Optional.empty(),
                    Optional.empty(),
                    PATIENCE);
            Outbox.Outcome outcome = send(good);
            assertInstanceOf(Outbox.Outcome.Delivered.class, outcome, outcome.detail());
            assertEquals(1, server.mails.size());
            assertTrue(server.heard.contains("AUTH PLAIN "
                    + Base64.getEncoder().encodeToString("\0fairwatch\0s3cret".getBytes(StandardCharsets.UTF_8))));

            assertInstanceOf(
                    Outbox.Outcome.TryAgain.class,
                    send(to(server.port(), SmtpOutbox.StartTls.REQUIRED, PATIENCE)),
                    "an unknown authority");
            assertEquals(1, server.mails.size());
        }
    }

    @Test
    @DisplayName("a server whose certificate is for another name gets nothing")
    void startTlsOtherName() throws Exception {
        try (ScriptedSmtp server =
                new ScriptedSmtp(heard -> Optional.empty(), Optional.of(serverTls("relay.example.org")))) {
            Outbox.Outcome outcome = send(new SmtpOutbox.Settings(
                    "localhost",
                    server.port(),
                    SmtpOutbox.StartTls.REQUIRED,
                    Optional.of(dir.resolve("ca.pem")),
                    Optional.empty(),
                    Optional.empty(),
                    "fairwatch@its.aau.dk",
                    Optional.empty(),
                    Optional.empty(),
                    PATIENCE));
            assertInstanceOf(Outbox.Outcome.TryAgain.class, outcome, outcome.detail());
            assertTrue(server.mails.isEmpty());
        }
    }

    /** A fresh certificate for a host; also written to {@code ca.pem}. */
    private SSLContext serverTls(String host) throws Exception {
        Path store = dir.resolve("server.p12");
        Process keytool = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-keyalg",
                        "EC",
                        "-alias",
                        "server",
                        "-dname",
                        "CN=" + host,
                        "-ext",
                        "san=dns:" + host,
                        "-validity",
                        "3650",
                        "-storetype",
                        "PKCS12",
                        "-storepass",
                        "changeit",
                        "-keystore",
                        store.toString()))
                .inheritIO()
                .start();
        assertEquals(0, keytool.waitFor());
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store)) {
            keys.load(in, "changeit".toCharArray());
        }
        Certificate certificate = keys.getCertificate("server");
        Files.writeString(
                dir.resolve("ca.pem"),
                "-----BEGIN CERTIFICATE-----\n"
                        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(certificate.getEncoded())
                        + "\n-----END CERTIFICATE-----\n");
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(keys, "changeit".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
        return context;
    }

    @Test
    @DisplayName("an address that is none never reaches the server")
    void noAddress() throws Exception {
        try (ScriptedSmtp server = ScriptedSmtp.answering("none", "");
                SmtpOutbox outbox = new SmtpOutbox(VERTX, to(server.port(), SmtpOutbox.StartTls.DISABLED, PATIENCE))) {
            Outbox.Outcome outcome =
                    outbox.send(new Outbox.Mail("1", "a@b.dk>\r\nRCPT TO:<x@y.dk", MAIL.date(), MAIL.letter()));
            assertInstanceOf(Outbox.Outcome.Refused.class, outcome);
            assertTrue(server.heard.isEmpty());
        }
    }

    @Test
    @DisplayName("settings that would send a password in clear, or from nobody, are refused")
    void settings() {
        assertThrows(
                IllegalArgumentException.class,
                () -> new SmtpOutbox.Settings(
                        "localhost",
                        25,
                        SmtpOutbox.StartTls.OPTIONAL,
                        Optional.empty(),
                        Optional.of("fairwatch"),
                        Optional.of(dir.resolve("password")),
                        "fairwatch@its.aau.dk",
                        Optional.empty(),
                        Optional.empty(),
                        PATIENCE));
        assertThrows(
                IllegalArgumentException.class,
                () -> SmtpOutbox.Settings.plain("localhost", 25, "Fairwatch\r\nBcc: x <fairwatch@its.aau.dk>"));
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(20, TimeUnit.SECONDS));
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }
}
