package io.fairwatch.collector.notice;

import java.time.Instant;

/** Hands mails to a mail server. */
public interface Outbox {
    /**
     * Hands over one mail and waits for the answer, no longer than its deadline. Does not throw: whatever goes wrong is an
     * outcome. Once it has returned {@link Outcome.TryAgain}, the mail will not leave any more.
     */
    Outcome send(Mail mail);

    /**
     * One mail. Immutable.
     *
     * @param id left part of its Message-ID
     * @param to address
     * @param date when it was written
     * @param letter what it says
     */
    record Mail(String id, String to, Instant date, Letter letter) {}

    /** What became of a mail. */
    sealed interface Outcome {
        /** What was said, for people. */
        String detail();

        /** The mail server took it. */
        record Delivered(String detail) implements Outcome {}

        /** The mail server will never take it for this recipient. */
        record Refused(String detail) implements Outcome {}

        /**
         * It was certainly not taken; later may be better.
         *
         * @param everybody whether other mails would fare the same now, e.g. because the server is away
         */
        record TryAgain(String detail, boolean everybody) implements Outcome {}

        /** It was handed over and no answer came: nobody knows. Not to be tried again. */
        record Unknown(String detail) implements Outcome {}
    }
}
