package io.fairwatch.collector.web;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Tokens by which people say who they are where there is no munge: user and end, signed. Nothing of them is kept; whoever
 * changes the secret ends them all. Immutable.
 */
public final class AccessTokens {
    private static final int LEAST_SECRET = 32;
    private static final Pattern TOKEN =
            Pattern.compile("fw1\\.([A-Za-z0-9_-]{1,400})\\.(\\d{1,12})\\.([A-Za-z0-9_-]{43})");

    private final SecretKeySpec key;

    /**
     * With the site's secret.
     *
     * @throws IllegalArgumentException if it is too short
     */
    public AccessTokens(String secret) {
        if (secret.length() < LEAST_SECRET) {
            throw new IllegalArgumentException(
                    "a secret of " + secret.length() + " characters (expected: " + LEAST_SECRET + " or more)");
        }
        this.key = new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256");
    }

    /** A token of a user, good until an instant. */
    public String make(String user, Instant until) {
        String said =
                "fw1." + Base64.getUrlEncoder().withoutPadding().encodeToString(user.getBytes(StandardCharsets.UTF_8))
                        + "." + until.getEpochSecond();
        return said + "." + signature(said);
    }

    /** Whose token it is; empty if it is none of ours or its time is over. */
    Optional<String> user(String token, Instant now) {
        Matcher matcher = TOKEN.matcher(token);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        String said = token.substring(0, token.lastIndexOf('.'));
        boolean ours = MessageDigest.isEqual(
                signature(said).getBytes(StandardCharsets.US_ASCII),
                matcher.group(3).getBytes(StandardCharsets.US_ASCII));
        if (!ours || Long.parseLong(matcher.group(2)) <= now.getEpochSecond()) {
            return Optional.empty();
        }
        return Optional.of(new String(Base64.getUrlDecoder().decode(matcher.group(1)), StandardCharsets.UTF_8));
    }

    private String signature(String said) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(key);
            return Base64.getUrlEncoder()
                    .withoutPadding()
                    .encodeToString(mac.doFinal(("access " + said).getBytes(StandardCharsets.UTF_8)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }
}
