package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import java.time.Instant;
import java.util.Optional;

/**
 * One step of a finding's ladder for one recipient, from the decision to what became of it: a message to a person or a
 * program, or a deed in Slurm. Immutable.
 *
 * @param id identity, the same whenever the same is decided again
 * @param subject what it is about
 * @param rule which rule
 * @param since which episode
 * @param aim whom it tells of what, or what it does
 * @param user whose it is
 * @param address where it goes; absent when no address is known, and for deeds
 * @param state what became of it
 * @param mail left part of the Message-ID of the mail that brought it; several notices may share one. Absent: none yet
 * @param createdAt when it was decided
 * @param changedAt when its state changed last
 * @param attempts how often it was tried
 * @param detail the mail server's words, or why it was not sent; empty if none
 * @param announced what the mail said that would be done to the job; absent: it said nothing of that, or is no mail
 */
public record Notice(
        String id,
        Subject subject,
        String rule,
        Instant since,
        Aim aim,
        String user,
        Optional<String> address,
        State state,
        Optional<String> mail,
        Instant createdAt,
        Instant changedAt,
        int attempts,
        String detail,
        Optional<Announced> announced) {

    /** One that announces nothing. */
    public Notice(
            String id,
            Subject subject,
            String rule,
            Instant since,
            Aim aim,
            String user,
            Optional<String> address,
            State state,
            Optional<String> mail,
            Instant createdAt,
            Instant changedAt,
            int attempts,
            String detail) {
        this(
                id,
                subject,
                rule,
                since,
                aim,
                user,
                address,
                state,
                mail,
                createdAt,
                changedAt,
                attempts,
                detail,
                Optional.empty());
    }

    /**
     * What a mail said that would be done to the job if it goes on. Immutable.
     *
     * @param deed its word, e.g. {@code cancel}
     * @param notBefore the earliest time that was told
     */
    public record Announced(String deed, Instant notBefore) {}

    /**
     * The run that it is about.
     *
     * @throws IllegalStateException if it is about something else
     */
    public RunKey run() {
        if (subject instanceof RunKey run) {
            return run;
        }
        throw new IllegalStateException("the notice is about " + subject + ", not about a run");
    }

    /**
     * Whom a notice tells of what, or what it does. Immutable.
     *
     * @param step number of the ladder's step, from 1
     * @param channel which way it goes
     * @param topic what it is about
     * @param recipient a user name; for staff an address; for a webhook {@code webhook}; for a deed its word, e.g.
     *     {@code cancel}
     */
    public record Aim(int step, Channel channel, Topic topic, String recipient) {}

    /** Which way a notice goes. */
    public enum Channel {
        /** A mail to the owner of the run. */
        OWNER,
        /** A mail to a coordinator of the run's account. */
        COORDINATOR,
        /** A mail to the site's staff. */
        STAFF,
        /** A POST to a program of the site. */
        WEBHOOK,
        /** Something done to the job in Slurm. */
        SLURM
    }

    /** What a notice is about. */
    public enum Topic {
        /** What was found, while it lasts. */
        FINDING,
        /** What was found, once more, because the mails before did not say what will be done about it. */
        ANNOUNCED,
        /** What staff could do to the job because of it. */
        PROPOSED,
        /** Why the owner could not be told. */
        UNREACHABLE,
        /** What was done to the job because of it. */
        DONE,
        /** What the owner answered. */
        ANSWERED
    }

    /** What became of a notice. */
    public enum State {
        /** Decided, not yet handed over; will be. */
        PLANNED,
        /** Being handed over, or being done, right now. */
        SENDING,
        /** The mail server or the program took it; a deed was done and seen in Slurm. */
        DELIVERED,
        /** It will never be taken, or there is no address; a deed was refused. */
        REFUSED,
        /** The mail server took it, and it came back later: nobody has read it. */
        BOUNCED,
        /** The collector died while handing it over: it may or may not have left. Never sent again. */
        UNCONFIRMED,
        /** Decided while mails are switched off, or over before it was sent; a deed that was decided against. */
        WITHHELD
    }

    /** With this begins the detail of what was only rehearsed. */
    public static final String REHEARSAL = "rehearsal, ";

    /** The detail of mails that were withheld in a rehearsal by collectors before. */
    private static final String REHEARSED_BEFORE = "mails are switched off";

    /** Whether it was only rehearsed: nobody was told, and nothing was done. */
    public boolean isRehearsed() {
        return detail.startsWith(REHEARSAL) || detail.equals(REHEARSED_BEFORE);
    }

    /** The same notice in another state. */
    public Notice with(State next, int tries, String why, Instant at) {
        return new Notice(
                id, subject, rule, since, aim, user, address, next, mail, createdAt, at, tries, why, announced);
    }

    /** The same notice, to go there in that mail. */
    public Notice in(Optional<String> otherMail, Optional<String> otherAddress) {
        return new Notice(
                id,
                subject,
                rule,
                since,
                aim,
                user,
                otherAddress,
                state,
                otherMail,
                createdAt,
                changedAt,
                attempts,
                detail,
                announced);
    }

    /** The same notice, saying that. */
    public Notice announcing(Optional<Announced> what) {
        return new Notice(
                id, subject, rule, since, aim, user, address, state, mail, createdAt, changedAt, attempts, detail,
                what);
    }
}
