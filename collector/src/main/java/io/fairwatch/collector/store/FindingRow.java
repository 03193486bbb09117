package io.fairwatch.collector.store;

import com.fasterxml.jackson.databind.JsonNode;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * One episode of one rule on one run, waiting job, node or user. Immutable. Identity: subject, rule and {@code since}.
 *
 * @param subject what it is about
 * @param rule name of the rule
 * @param since when the condition was first seen to hold
 * @param state where the episode stands
 * @param lastSeen when the condition was last seen to hold
 * @param clearSince since when the condition is seen not to hold; absent while it holds
 * @param toldAt when a mail was first delivered to the owner; absent before
 * @param user whose it is; empty for a node
 * @param summary what the owner reads
 * @param fix what the owner can do
 * @param evidence the numbers behind it, as a JSON object
 * @param progress how far up the rule's ladder it has got
 * @param translations what the owner reads in other languages, by their tags, e.g. {@code da}
 */
public record FindingRow(
        Subject subject,
        String rule,
        Instant since,
        State state,
        Instant lastSeen,
        Optional<Instant> clearSince,
        Optional<Instant> toldAt,
        String user,
        String summary,
        String fix,
        String evidence,
        Progress progress,
        Map<String, Said> translations) {
    public FindingRow {
        translations = Collections.unmodifiableMap(new TreeMap<>(translations));
    }

    /** An episode that is told in English only. */
    public FindingRow(
            Subject subject,
            String rule,
            Instant since,
            State state,
            Instant lastSeen,
            Optional<Instant> clearSince,
            Optional<Instant> toldAt,
            String user,
            String summary,
            String fix,
            String evidence,
            Progress progress) {
        this(
                subject,
                rule,
                since,
                state,
                lastSeen,
                clearSince,
                toldAt,
                user,
                summary,
                fix,
                evidence,
                progress,
                Map.of());
    }

    /** What an owner reads, in one language. Immutable. */
    public record Said(String summary, String fix) {}

    /** What the owner reads in a language, in English if the rule does not speak it. */
    public Said said(String language) {
        Said said = translations.get(language);
        return said == null ? new Said(summary, fix) : said;
    }

    /** Whether the rule said, of what it found last, that a job may be ended for it. */
    public boolean mayEnd() {
        try {
            return Json.read(evidence, JsonNode.class).path("cancellable").asBoolean(false);
        } catch (SQLException unreadable) {
            return false;
        }
    }

    /**
     * The run that it is about.
     *
     * @throws IllegalStateException if it is about something else
     */
    public RunKey run() {
        if (subject instanceof RunKey run) {
            return run;
        }
        throw new IllegalStateException("the finding is about " + subject + ", not about a run");
    }

    /** Where an episode stands. */
    public enum State {
        SUSPECTED,
        FOUND,
        TOLD,
        RESOLVED
    }

    /**
     * How far up a ladder. Immutable.
     *
     * @param planned how many of its steps were planned
     * @param done how many of these were delivered: as many, or one less
     * @param doneAt when the last of these was delivered; absent: none yet
     */
    public record Progress(int planned, int done, Optional<Instant> doneAt) {
        public static final Progress NONE = new Progress(0, 0, Optional.empty());
    }

    /**
     * The same episode after a step was delivered. One that was delivered before, or was not planned, changes nothing; an
     * episode that was resolved in the meantime stays so, but remembers.
     *
     * @param step number of the step, from 1
     * @param toOwner whether it told the owner
     * @param at when
     */
    public FindingRow delivered(int step, boolean toOwner, Instant at) {
        if (step != progress.planned || step != progress.done + 1) {
            return this;
        }
        return new FindingRow(
                subject,
                rule,
                since,
                toOwner && state == State.FOUND ? State.TOLD : state,
                lastSeen,
                clearSince,
                toOwner ? toldAt.or(() -> Optional.of(at)) : toldAt,
                user,
                summary,
                fix,
                evidence,
                new Progress(step, step, Optional.of(at)),
                translations);
    }

    /** The same episode, after what was told to the owner came back. The ladder goes on; nothing is done to the job. */
    public FindingRow untold() {
        return new FindingRow(
                subject,
                rule,
                since,
                state == State.TOLD ? State.FOUND : state,
                lastSeen,
                clearSince,
                Optional.empty(),
                user,
                summary,
                fix,
                evidence,
                progress,
                translations);
    }

    /** The same episode, over; it ended when the condition did, or now. */
    public FindingRow resolved(Instant now) {
        return new FindingRow(
                subject,
                rule,
                since,
                State.RESOLVED,
                lastSeen,
                Optional.of(clearSince.orElse(now)),
                toldAt,
                user,
                summary,
                fix,
                evidence,
                progress,
                translations);
    }
}
