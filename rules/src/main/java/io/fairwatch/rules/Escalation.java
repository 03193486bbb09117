package io.fairwatch.rules;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** Who hears of a finding, and when: the state machine of one (run, rule). Pure: what it returns is to be stored, with
 * the actions, in one transaction, so that nobody is told twice and no clock is reset when the collector restarts. */
public final class Escalation {
    private Escalation() {}

    /** How far an episode has got. */
    public enum State {
        /** The condition is true, but not yet for as long as the rule's hold. */
        SUSPECTED,
        /** It held; the owner is to be told, and nothing has been delivered yet. */
        FOUND,
        /** A notice has been delivered to the owner. */
        TOLD,
        /** It is over. The next finding starts a new episode. */
        RESOLVED
    }

    /** What is to be done because of a step. */
    public enum Action {
        /** Write to the owner: once per episode. Whoever does it retries until delivered, unless the episode is
         * resolved first, and reports with {@link Episode#delivered}. */
        TELL_OWNER
    }

    /** One time of trouble of one run under one rule. Immutable.
     *
     * @param state how far it has got
     * @param since when the condition was first seen true in this episode
     * @param lastSeen when it was last seen true
     * @param clearSince since when it has been seen false. Absent: it was true when last judged
     * @param toldAt when a notice was delivered. Absent: not yet */
    public record Episode(
            State state, Instant since, Instant lastSeen, Optional<Instant> clearSince, Optional<Instant> toldAt) {
        /** Refuses nulls. */
        public Episode {
            Objects.requireNonNull(state, "state");
            Objects.requireNonNull(since, "since");
            Objects.requireNonNull(lastSeen, "lastSeen");
            Objects.requireNonNull(clearSince, "clearSince");
            Objects.requireNonNull(toldAt, "toldAt");
        }

        /** Returns this episode after its notice was delivered at that time. A second report changes nothing; an
         * episode that was resolved in the meantime stays so, but remembers. */
        public Episode delivered(Instant at) {
            if (toldAt.isPresent()) {
                return this;
            }
            return new Episode(state == State.FOUND ? State.TOLD : state, since, lastSeen, clearSince, Optional.of(at));
        }

        private Episode with(State next) {
            return new Episode(next, since, lastSeen, clearSince, toldAt);
        }
    }

    /** What a step led to.
     *
     * @param episode as it is now. Absent: there is none, all is well
     * @param actions what is to be done about it, each exactly once */
    public record Step(Optional<Episode> episode, List<Action> actions) {
        /** Copies the list. */
        public Step {
            Objects.requireNonNull(episode, "episode");
            actions = List.copyOf(actions);
        }
    }

    /** Takes a verdict into account.
     *
     * <p>Unknown changes nothing. A suspicion ends with the first Clear, since it must hold without a break; what has
     * been found ends after {@link Rule.Timing#resolveAfter}, and a relapse before that continues it, silently. When
     * the clock goes backwards, waiting takes longer and nothing else happens.
     *
     * @param previous the episode so far; absent if there never was one */
    public static Step step(Optional<Episode> previous, Verdict verdict, Rule.Timing timing, Instant now) {
        if (verdict instanceof Verdict.Finding) {
            return found(previous, timing, now);
        }
        if (verdict instanceof Verdict.Clear && previous.isPresent()) {
            return new Step(Optional.of(cleared(previous.get(), timing, now)), List.of());
        }
        return new Step(previous, List.of());
    }

    private static Step found(Optional<Episode> previous, Rule.Timing timing, Instant now) {
        Episode before = previous.filter(episode -> episode.state() != State.RESOLVED)
                .orElseGet(() -> new Episode(State.SUSPECTED, now, now, Optional.empty(), Optional.empty()));
        Instant lastSeen = now.isAfter(before.lastSeen()) ? now : before.lastSeen();
        Episode seen = new Episode(before.state(), before.since(), lastSeen, Optional.empty(), before.toldAt());
        if (seen.state() == State.SUSPECTED && passed(seen.since(), now, timing.hold())) {
            return new Step(Optional.of(seen.with(State.FOUND)), List.of(Action.TELL_OWNER));
        }
        return new Step(Optional.of(seen), List.of());
    }

    private static Episode cleared(Episode before, Rule.Timing timing, Instant now) {
        if (before.state() == State.RESOLVED) {
            return before;
        }
        Instant clearSince = before.clearSince().orElse(now);
        Episode seen = new Episode(
                before.state(), before.since(), before.lastSeen(), Optional.of(clearSince), before.toldAt());
        boolean over = before.state() == State.SUSPECTED || passed(clearSince, now, timing.resolveAfter());
        return over ? seen.with(State.RESOLVED) : seen;
    }

    private static boolean passed(Instant start, Instant now, Duration wanted) {
        return Duration.between(start, now).compareTo(wanted) >= 0;
    }
}
