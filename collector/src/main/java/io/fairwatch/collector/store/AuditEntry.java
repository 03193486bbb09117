package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalLong;

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
 * @param job raw id of the job, of one that waits too; absent where it is about none
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
        String inputs,
        OptionalLong job) {

    /** What an owner said who has no need of a job any more. */
    public static final String STOP = "stop it";

    /** One about a run, or about no job. */
    public AuditEntry(
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
        this(
                id,
                at,
                actor,
                what,
                outcome,
                run,
                rule,
                user,
                reason,
                inputs,
                run.isPresent() ? OptionalLong.of(run.get().jobId()) : OptionalLong.empty());
    }

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
