package io.fairwatch.collector.answer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.answer.AnswerLinks.Claim;
import io.fairwatch.collector.answer.AnswerLinks.Read;
import io.fairwatch.collector.run.RunKey;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class AnswerLinksTest {
    private static final Instant NOW = Instant.parse("2026-11-23T12:00:00.5Z");
    private static final String SECRET = "0123456789abcdef0123456789abcdef";

    private final AnswerLinks links =
            new AnswerLinks(SECRET, URI.create("https://fw.example.org/x"), Duration.ofDays(7));
    private final Claim claim =
            links.claim(new RunKey("lab", 83549, NOW.minusSeconds(3600)), "idle-gpu", NOW, "a@b.dk\nrule\n9", NOW);

    @Test
    @DisplayName("a link says what it is about, whoever the user is, until it expires")
    void roundTrip() {
        String link = links.link(claim).toString();
        assertTrue(link.startsWith("https://fw.example.org/x/answer/"), link);
        String token = link.substring(link.lastIndexOf('/') + 1);
        Claim read = ((Read.Good) links.read(token, NOW)).claim();
        assertEquals(claim.user(), read.user());
        assertEquals("idle-gpu", read.rule());
        assertEquals(NOW, read.since());
        assertEquals(new RunKey("lab", 83549, Instant.parse("2026-11-23T11:00:00Z")), read.subject());
        assertEquals(Instant.parse("2026-11-30T12:00:00Z"), read.expires());
        assertTrue(links.read(token, NOW.plus(Duration.ofDays(7))) instanceof Read.Expired);
    }

    @Test
    @DisplayName("what was changed, cut, made up or signed by another secret is wrong, and nothing is thrown")
    void forged() {
        String token = links.token(claim);
        Random random = new Random(1);
        for (int i = 0; i < 2000; i++) {
            StringBuilder changed = new StringBuilder(token);
            int at = random.nextInt(token.length());
            changed.setCharAt(at, (char) ('!' + random.nextInt(90)));
            if (!changed.toString().equals(token)) {
                assertTrue(links.read(changed.toString(), NOW) instanceof Read.Wrong, changed.toString());
            }
            assertTrue(links.read(token.substring(0, at), NOW) instanceof Read.Wrong);
        }
        for (String odd : new String[] {"", ".", "..", "a.b", "=.=", "x".repeat(5000) + ".y", "\u0000.\u0000"}) {
            assertTrue(links.read(odd, NOW) instanceof Read.Wrong, odd);
        }
        AnswerLinks other = new AnswerLinks(
                "another-secret-another-secret-another", URI.create("https://fw.example.org"), Duration.ofDays(7));
        assertTrue(other.read(token, NOW) instanceof Read.Wrong);
    }

    @Test
    @DisplayName("each other last character is wrong, though two bits of it mean nothing")
    void lastCharacter() {
        String token = links.token(claim);
        String cut = token.substring(0, token.length() - 1);
        for (char other : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=".toCharArray()) {
            if (token.charAt(cut.length()) != other) {
                assertTrue(links.read(cut + other, NOW) instanceof Read.Wrong, () -> cut + other);
            }
        }
    }

    @Test
    @DisplayName("a secret that could be guessed is refused")
    void weakSecret() {
        assertThrows(
                IllegalArgumentException.class,
                () -> new AnswerLinks("secret", URI.create("https://fw.example.org"), Duration.ofDays(7)));
    }
}
