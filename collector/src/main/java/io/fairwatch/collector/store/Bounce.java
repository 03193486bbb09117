package io.fairwatch.collector.store;

import java.time.Instant;
import java.util.Optional;

/**
 * What a mail server told about a mail that it, or another, had taken: that it will not arrive, or not yet. Immutable.
 *
 * @param id identity, the same whenever the same is told again
 * @param at when it was told
 * @param mail left part of the Message-ID of the mail, as notices have it
 * @param address where the mail went, as we sent it
 * @param kind what was told
 * @param status the code of RFC 3463, e.g. {@code 5.1.1}; absent: none was given
 * @param reason the mail server's words; empty if none
 * @param takenAt when its notices were changed because of it; absent: not yet
 * @param forgottenAt when staff said that the address is good again; absent: they did not
 */
public record Bounce(
        String id,
        Instant at,
        String mail,
        String address,
        Kind kind,
        Optional<String> status,
        String reason,
        Optional<Instant> takenAt,
        Optional<Instant> forgottenAt) {

    /** What was told. */
    public enum Kind {
        /** It will not arrive. */
        FAILED,
        /** It has not arrived yet, and is still tried. */
        DELAYED
    }

    /** The same, dealt with. */
    public Bounce taken(Instant when) {
        return new Bounce(id, at, mail, address, kind, status, reason, Optional.of(when), forgottenAt);
    }

    /** The same, which counts no more. */
    public Bounce forgotten(Instant when) {
        return new Bounce(id, at, mail, address, kind, status, reason, takenAt, Optional.of(when));
    }
}
