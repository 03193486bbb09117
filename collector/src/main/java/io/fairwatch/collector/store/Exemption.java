package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import java.time.Instant;
import java.util.Optional;

/**
 * Somebody said that nothing shall come of findings for a while: an owner who needs a job as it is, or staff. It changes
 * no verdict; what is found is still shown. Immutable.
 *
 * @param id identity
 * @param scope what it is about
 * @param value a run or a waiting job as {@link #valueOf} writes it, a user name, or an account; empty for all jobs
 * @param rule only this rule; absent: all
 * @param from since when
 * @param until when it ends; absent: when somebody ends it
 * @param by who said so: {@code owner anna}, {@code staff eva}
 * @param reason why, in their words; empty if none
 */
public record Exemption(
        String id,
        Scope scope,
        String value,
        Optional<String> rule,
        Instant from,
        Optional<Instant> until,
        String by,
        String reason) {

    /** What an exemption is about. */
    public enum Scope {
        RUN,
        /** A job until it starts: what runs then is another matter. */
        WAITING,
        USER,
        ACCOUNT,
        /** Every job, but only from what is done to jobs: the switch of staff. */
        DEEDS
    }

    /** A run as the value of an exemption. */
    public static String valueOf(RunKey run) {
        return run.cluster() + "/" + run.jobId() + "/" + run.start().getEpochSecond();
    }

    /** A waiting job as the value of an exemption. */
    public static String valueOf(Subject.Waiting job) {
        return job.cluster() + "/" + job.jobId() + "/" + job.submit().getEpochSecond();
    }

    /** Whether it holds then. When the clock goes back, one that just began holds all the same. */
    public boolean holdsAt(Instant now) {
        return until.map(end -> now.isBefore(end)).orElse(true);
    }

    /** Whether it is about something of a user under a rule. */
    public boolean covers(Subject subject, String user, String account, String ofRule) {
        if (rule.isPresent() && !rule.get().equals(ofRule)) {
            return false;
        }
        return switch (scope) {
            case RUN -> subject instanceof RunKey run && value.equals(valueOf(run));
            case WAITING -> subject instanceof Subject.Waiting job && value.equals(valueOf(job));
            case USER -> value.equals(user);
            case ACCOUNT -> value.equals(account);
            case DEEDS -> false;
        };
    }

    /** The same, ended then. */
    public Exemption endedAt(Instant at) {
        return new Exemption(id, scope, value, rule, from, Optional.of(at), by, reason);
    }
}
