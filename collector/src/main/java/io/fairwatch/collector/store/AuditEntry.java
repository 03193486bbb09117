package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import java.time.Instant;
import java.util.Optional;

/**
 * One thing that was done or decided against, and why. Written once, never changed. Immutable.
 *
 * @param id identity
 * @param at when
 * @param actor who: {@code fairwatch}, {@code owner anna}, {@code staff eva}
 * @param what e.g. {@code cancel}, {@code needed until}, {@code stop it}, {@code not mine}, {@code exempt}, {@code comment}
 * @param outcome how it went
 * @param run which run; absent where it is about none
 * @param rule which rule; absent where it is about none or all
 * @param user whom it concerns; empty if nobody
 * @param reason in one sentence
 * @param inputs what it was decided by, as a JSON object
 */
public record AuditEntry(
        String id,
        Instant at,
        String actor,
        String what,
        Outcome outcome,
        Optional<RunKey> run,
        Optional<String> rule,
        String user,
        String reason,
        String inputs) {

    /** How it went. */
    public enum Outcome {
        /** Somebody said something; nothing else was done. */
        NOTED,
        /** Decided against. */
        NOT_TAKEN,
        /** Staff were given the command. */
        PROPOSED,
        /** About to be done: written before the first attempt. */
        INTENDED,
        /** Done, and seen in Slurm. */
        DONE,
        /** Tried, and it failed. */
        FAILED
    }
}
