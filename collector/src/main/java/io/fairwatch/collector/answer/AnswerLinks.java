package io.fairwatch.collector.answer;

import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Signs and reads the links by which owners answer. Immutable and thread-safe. */
public final class AnswerLinks {
    private static final int SHORTEST_SECRET = 32;
    private static final int LONGEST_TOKEN = 2000;
    /** Of a run; links of other things have letters behind it, so that older links of runs go on to work. */
    private static final String VERSION = "1";

    private static final String WAITING = VERSION + "w";
    private static final String PERSON = VERSION + "u";
    private static final Base64.Encoder TO_TEXT = Base64.getUrlEncoder().withoutPadding();

    private final byte[] secret;
    private final URI base;
    private final Duration validFor;

    /**
     * @param secret signs the links; whoever has it can make them
     * @param base where people reach the collector
     * @param validFor how long a link works
     * @throws IllegalArgumentException if the secret is too short to be one
     */
    public AnswerLinks(String secret, URI base, Duration validFor) {
        if (secret.length() < SHORTEST_SECRET) {
            throw new IllegalArgumentException("secret: " + secret.length() + " characters (expected: "
                    + SHORTEST_SECRET + " or more, e.g. by: openssl rand -hex 32)");
        }
        this.secret = secret.getBytes(StandardCharsets.UTF_8);
        this.base = base;
        this.validFor = validFor;
    }

    /**
     * What a link is about. Immutable.
     *
     * @param subject which run, waiting job or user; starts and submissions in whole seconds once read
     * @param rule which rule
     * @param since which episode
     * @param user whose it is
     * @param expires when the link ends to work, whole seconds
     */
    public record Claim(Subject subject, String rule, Instant since, String user, Instant expires) {}

    /** What a token turned out to be. */
    public sealed interface Read {
        record Good(Claim claim) implements Read {}

        record Expired(Claim claim) implements Read {}

        record Wrong() implements Read {}
    }

    /**
     * The claim for an episode, from now on.
     *
     * @throws IllegalArgumentException if it is about a node: nobody is asked about nodes
     */
    public Claim claim(Subject subject, String rule, Instant since, String user, Instant now) {
        if (subject instanceof Subject.OnNode) {
            throw new IllegalArgumentException("subject: " + subject + " (expected: a run, a waiting job or a user)");
        }
        return new Claim(
                subject,
                rule,
                since,
                user,
                Instant.ofEpochSecond(now.plus(validFor).getEpochSecond()));
    }

    /** The link for a claim. */
    public URI link(Claim claim) {
        String text = base.toString();
        return URI.create((text.endsWith("/") ? text : text + "/") + "answer/" + token(claim));
    }

    String token(Claim claim) {
        byte[] content = String.join(
                        "\n",
                        kind(claim.subject),
                        claim.subject.cluster(),
                        Long.toString(number(claim.subject)),
                        Long.toString(second(claim.subject)),
                        claim.rule,
                        Long.toString(claim.since.toEpochMilli()),
                        Long.toString(claim.expires.getEpochSecond()),
                        // last, for a user name may hold anything
                        claim.user)
                .getBytes(StandardCharsets.UTF_8);
        return token(content);
    }

    private static String kind(Subject subject) {
        return subject instanceof RunKey ? VERSION : subject instanceof Subject.Waiting ? WAITING : PERSON;
    }

    private static long number(Subject subject) {
        return subject instanceof RunKey run ? run.jobId() : subject instanceof Subject.Waiting job ? job.jobId() : 0;
    }

    private static long second(Subject subject) {
        return subject instanceof RunKey run
                ? run.start().getEpochSecond()
                : subject instanceof Subject.Waiting job ? job.submit().getEpochSecond() : 0;
    }

    private static Optional<Subject> subject(List<String> parts) {
        long number = Long.parseLong(parts.get(2));
        Instant second = Instant.ofEpochSecond(Long.parseLong(parts.get(3)));
        return switch (parts.get(0)) {
            case VERSION -> Optional.of(new RunKey(parts.get(1), number, second));
            case WAITING -> Optional.of(new Subject.Waiting(parts.get(1), number, second));
            case PERSON -> Optional.of(new Subject.Person(parts.get(1), parts.get(7)));
            default -> Optional.empty();
        };
    }

    private String token(byte[] content) {
        return TO_TEXT.encodeToString(content) + "." + TO_TEXT.encodeToString(signature(content));
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** What a token says; nothing of it is believed before its signature was checked. */
    Read read(String token, Instant now) {
        int dot = token.indexOf('.');
        if (dot < 0 || token.length() > LONGEST_TOKEN) {
            return new Read.Wrong();
        }
        try {
            byte[] content = Base64.getUrlDecoder().decode(token.substring(0, dot));
            // as text: bytes would let the last character change, for some of its bits say nothing
            if (!MessageDigest.isEqual(utf8(token), utf8(token(content)))) {
                return new Read.Wrong();
            }
            List<String> parts = Arrays.asList(new String(content, StandardCharsets.UTF_8).split("\n", 8));
            Optional<Subject> subject = parts.size() == 8 ? subject(parts) : Optional.empty();
            if (subject.isEmpty()) {
                return new Read.Wrong();
            }
            Claim claim = new Claim(
                    subject.get(),
                    parts.get(4),
                    Instant.ofEpochMilli(Long.parseLong(parts.get(5))),
                    parts.get(7),
                    Instant.ofEpochSecond(Long.parseLong(parts.get(6))));
            return now.isBefore(claim.expires) ? new Read.Good(claim) : new Read.Expired(claim);
        } catch (IllegalArgumentException | DateTimeException garbled) {
            return new Read.Wrong();
        }
    }

    private byte[] signature(byte[] content) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret, "HmacSHA256"));
            return mac.doFinal(content);
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException("every Java has HmacSHA256", impossible);
        }
    }
}
