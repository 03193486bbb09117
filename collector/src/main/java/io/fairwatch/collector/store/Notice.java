package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import java.time.Instant;
import java.util.Optional;

/**
 * A message to a person, from the decision to what became of it. Immutable.
 *
 * @param id identity, also the left part of the mail's Message-ID
 * @param run which run it is about
 * @param rule which rule
 * @param since which episode
 * @param user whom it is for
 * @param address where it goes; absent when no address is known
 * @param state what became of it
 * @param createdAt when it was decided
 * @param changedAt when its state changed last
 * @param attempts how often it was handed to the mail server
 * @param detail the mail server's words, or why it was not sent; empty if none
 */
public record Notice(
        String id,
        RunKey run,
        String rule,
        Instant since,
        String user,
        Optional<String> address,
        State state,
        Instant createdAt,
        Instant changedAt,
        int attempts,
        String detail) {

    /** What became of a notice. */
    public enum State {
        /** Decided, not yet handed over; will be. */
        PLANNED,
        /** Being handed to the mail server right now. */
        SENDING,
        /** The mail server took it. */
        DELIVERED,
        /** The mail server will never take it, or there is no address. */
        REFUSED,
        /** The collector died while handing it over: it may or may not have left. Never sent again. */
        UNCONFIRMED,
        /** Decided while mails are switched off. */
        WITHHELD
    }
}
