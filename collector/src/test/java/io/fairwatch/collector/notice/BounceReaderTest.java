package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.store.Bounce;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class BounceReaderTest {
    private static final String OURS = "0123456789abcdef0123456789abcdef";

    private static Optional<BounceReader.Report> read(String mail) throws IOException {
        return BounceReader.read(new ByteArrayInputStream(mail.getBytes(StandardCharsets.UTF_8)));
    }

    /** As exim sends it, with the whole mail. */
    private static final String EXIM = """
            Return-path: <>
            Auto-Submitted: auto-replied
            From: Mail Delivery System <Mailer-Daemon@mail.lab.example>
            To: fairwatch-bounces@lab.example
            References: <%1$s@its.aau.dk>
            Content-Type: multipart/report; report-type=delivery-status; boundary=1764482406-eximdsn-1
            MIME-Version: 1.0
            Subject: Mail delivery failed: returning message to sender

            --1764482406-eximdsn-1
            Content-type: text/plain; charset=us-ascii

            This message was created automatically by mail delivery software.

              gone@lab.example
                mailbox is full

            --1764482406-eximdsn-1
            Content-type: message/delivery-status

            Reporting-MTA: dns; mail.lab.example

            Action: failed
            Final-Recipient: rfc822;gone@lab.example
            Status: 5.0.0

            --1764482406-eximdsn-1
            Content-type: message/rfc822

            Return-path: <fairwatch-bounces@lab.example>
            From: Fairwatch <support@its.aau.dk>
            To: gone@lab.example
            Subject: [lab] Job 5: idle
            Message-ID: <%1$s@its.aau.dk>

            Action: failed stands here too, in the text.
            --1764482406-eximdsn-1--
            """.formatted(OURS);

    @Test
    @DisplayName("a report of exim: which mail, that it failed, and the code")
    void exim() throws IOException {
        assertEquals(
                Optional.of(new BounceReader.Report(Set.of(OURS), Bounce.Kind.FAILED, Optional.of("5.0.0"), "")),
                read(EXIM));
    }

    /** As Postfix and Exchange send it: headers alone, folded fields, quoted-printable. */
    private static String other(String action, String mailPart) {
        return """
                Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"
                Subject: Undeliverable

                --=_b
                Content-Type: text/html; charset=utf-8

                <p>Action: failed</p>
                --=_b
                Content-Type: message/delivery-status
                Content-Transfer-Encoding: quoted-printable

                Reporting-MTA: dns;mx.es.aau.dk
                Arrival-Date: Mon, 23 Nov 2026 13:00:30 +0000

                Original-Recipient: rfc822;anna@es.aau.dk
                Final-Recipient: rfc822;anna@exchange.es.aau.dk
                Action: %s
                Status: 5.2.2 (mailbox full)
                Diagnostic-Code: smtp;554 5.2.2 mailbox full;=20
                 STOREDRV.Deliver=0A exception

                --=_b
                %s
                --=_b--
                """.formatted(action, mailPart);
    }

    @Test
    @DisplayName("a report with the headers alone; what the mail server says is one line")
    void headersAlone() throws IOException {
        BounceReader.Report report = read(other(
                        "failed",
                        "Content-Type: text/rfc822-headers\n\nReceived: from x\nMessage-ID:\n <" + OURS
                                + "@its.aau.dk>\n"))
                .orElseThrow();
        assertEquals(Set.of(OURS), report.mails());
        assertEquals(Optional.of("5.2.2"), report.status());
        assertTrue(report.reason().startsWith("554 5.2.2 mailbox full; STOREDRV.Deliver"), report.reason());
        assertTrue(report.reason().chars().noneMatch(Character::isISOControl));
    }

    @Test
    @DisplayName("a delay is one; success and relaying are nothing; a mail of others is nothing")
    void others() throws IOException {
        String headers = "Content-Type: text/rfc822-headers\n\nMessage-ID: <" + OURS + "@its.aau.dk>\n";
        assertEquals(
                Bounce.Kind.DELAYED,
                read(other("delayed", headers)).orElseThrow().kind());
        assertEquals(Optional.empty(), read(other("delivered", headers)));
        assertEquals(Optional.empty(), read(other("relayed", headers)));
        assertEquals(
                Optional.empty(),
                read(other("failed", "Content-Type: text/rfc822-headers\n\nMessage-ID: <abc@example.org>\n")));
        assertEquals(Optional.empty(), read("From: anna\nIn-Reply-To: <" + OURS + "@its.aau.dk>\n\nI am away.\n"));
    }

    @Test
    @DisplayName("mails cut off anywhere, of random bytes, nested without end or with endless headers do no harm")
    void hostile() {
        byte[] whole = EXIM.getBytes(StandardCharsets.UTF_8);
        for (int length = 0; length < whole.length; length += 7) {
            harmless(Arrays.copyOf(whole, length));
        }
        Random random = new Random(5);
        for (int i = 0; i < 300; i++) {
            byte[] odd = whole.clone();
            for (int j = 0; j < 1 + i / 10; j++) {
                odd[random.nextInt(odd.length)] = (byte) random.nextInt(256);
            }
            harmless(odd);
        }
        StringBuilder nested = new StringBuilder();
        for (int i = 0; i < 5000; i++) {
            nested.append("Content-Type: multipart/mixed; boundary=b")
                    .append(i)
                    .append("\n\n--b")
                    .append(i)
                    .append('\n');
        }
        harmless(nested.toString().getBytes(StandardCharsets.UTF_8));
        harmless("Content-Type: message/rfc822\n\n".repeat(5000).getBytes(StandardCharsets.UTF_8));
        harmless("X: y\n".repeat(200_000).getBytes(StandardCharsets.UTF_8));
        harmless(("References: " + ("<" + OURS + "@x> ").repeat(20_000)).getBytes(StandardCharsets.UTF_8));
    }

    private static void harmless(byte[] mail) {
        try {
            BounceReader.read(new ByteArrayInputStream(mail));
        } catch (IOException expected) {
            // said, and nothing else
        }
    }

    @Test
    @DisplayName("what exceeds the limits is no mail")
    void limits() {
        assertThrows(IOException.class, () -> read("X: y\n".repeat(1000) + "\nbody"));
    }
}
