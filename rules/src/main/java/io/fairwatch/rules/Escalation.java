package io.fairwatch.rules;

import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;

/** Who hears of a finding, and when: the state machine of one subject under one rule. Pure: what it returns is to be
 * stored, together with what is due, in one transaction, so that nothing is done twice and no clock is reset when the
 * collector restarts. */
public final class Escalation {
    private Escalation() {}

    /** How far an episode has got. */
    public enum State {
        /** The condition is true, but not yet for as long as the rule's hold. */
        SUSPECTED,
        /** It held; the owner is to be told, and nothing has been delivered yet. */
        FOUND,
        /** A notice has been delivered to the owner. How much further it went, {@link Climb} says. */
        TOLD,
        /** It is over. The next finding starts a new episode. */
        RESOLVED
    }

    /** How far up its ladder an episode has got. Immutable.
     *
     * @param planned how many steps were planned
     * @param done how many of them were delivered: as many, or one less
     * @param doneAt when the last of these was delivered. Absent: none yet */
    public record Climb(int planned, int done, Optional<Instant> doneAt) {
        /** Nothing was planned yet. */
        public static final Climb NONE = new Climb(0, 0, Optional.empty());

        /** Checks the order. */
        public Climb {
            Objects.requireNonNull(doneAt, "doneAt");
            if (done < 0 || planned < done || done > 0 != doneAt.isPresent()) {
                throw new IllegalArgumentException("planned " + planned + ", done " + done + " at " + doneAt
                        + " (expected: 0 <= done <= planned, with a time if any was done)");
            }
        }
    }

    /** One time of trouble of one subject under one rule. Immutable.
     *
     * @param state how far it has got
     * @param since when the condition was first seen true in this episode
     * @param lastSeen when it was last seen true
     * @param clearSince since when it has been seen false. Absent: it was true when last judged
     * @param toldAt when a notice was first delivered to the owner. Absent: not yet
     * @param climb how far up the ladder */
    public record Episode(
            State state,
            Instant since,
            Instant lastSeen,
            Optional<Instant> clearSince,
            Optional<Instant> toldAt,
            Climb climb) {
        /** Refuses nulls. */
        public Episode {
            Objects.requireNonNull(state, "state");
            Objects.requireNonNull(since, "since");
            Objects.requireNonNull(lastSeen, "lastSeen");
            Objects.requireNonNull(clearSince, "clearSince");
            Objects.requireNonNull(toldAt, "toldAt");
            Objects.requireNonNull(climb, "climb");
        }
    }

    /** What a verdict led to.
     *
     * @param episode as it is now. Absent: there is none, all is well
     * @param due number of the ladder's step that is to be planned now, from 1; each comes once. Absent: none */
    public record Move(Optional<Episode> episode, Optional<Integer> due) {
        /** Refuses nulls. */
        public Move {
            Objects.requireNonNull(episode, "episode");
            Objects.requireNonNull(due, "due");
        }
    }

    /** Takes a verdict into account.
     *
     * <p>Unknown changes nothing. A suspicion ends with the first Clear, since it must hold without a break; what has
     * been found ends after {@link Rule.Timing#resolveAfter}, and a relapse before that continues it, silently. A step
     * of the ladder is due only on a Finding, and only when the one before was delivered. When the clock goes
     * backwards, waiting takes longer; what was found is seen clear from when it was seen last, and nothing ends.
     *
     * @param previous the episode so far; absent if there never was one
     * @param paused whether somebody said that nothing shall be done for now: then no step is due */
    public static Move step(
            Optional<Episode> previous,
            Verdict verdict,
            Rule.Timing timing,
            Ladder ladder,
            boolean paused,
            Instant now) {
        if (verdict instanceof Verdict.Finding) {
            return found(previous, timing, ladder, paused, now);
        }
        if (verdict instanceof Verdict.Clear && previous.isPresent()) {
            return new Move(Optional.of(cleared(previous.get(), timing, now)), Optional.empty());
        }
        return new Move(previous, Optional.empty());
    }

    private static Move found(
            Optional<Episode> previous, Rule.Timing timing, Ladder ladder, boolean paused, Instant now) {
        Episode before = previous.filter(episode -> episode.state() != State.RESOLVED)
                .orElseGet(
                        () -> new Episode(State.SUSPECTED, now, now, Optional.empty(), Optional.empty(), Climb.NONE));
        Instant lastSeen = now.isAfter(before.lastSeen()) ? now : before.lastSeen();
        boolean held = before.state() != State.SUSPECTED || passed(before.since(), now, timing.hold());
        Climb climb = before.climb();
        Optional<Integer> due = held && !paused ? due(before, timing, ladder, now) : Optional.empty();
        Episode seen = new Episode(
                held && before.state() == State.SUSPECTED ? State.FOUND : before.state(),
                before.since(),
                lastSeen,
                Optional.empty(),
                before.toldAt(),
                due.isPresent() ? new Climb(due.get(), climb.done(), climb.doneAt()) : climb);
        return new Move(Optional.of(seen), due);
    }

    private static Optional<Integer> due(Episode episode, Rule.Timing timing, Ladder ladder, Instant now) {
        Climb climb = episode.climb();
        if (climb.planned() > climb.done() || climb.done() >= ladder.steps().size()) {
            return Optional.empty();
        }
        Instant from = climb.doneAt().orElse(episode.since().plus(timing.hold()));
        return passed(from, now, ladder.steps().get(climb.done()).after())
                ? Optional.of(climb.done() + 1)
                : Optional.empty();
    }

    private static Episode cleared(Episode before, Rule.Timing timing, Instant now) {
        if (before.state() == State.RESOLVED) {
            return before;
        }
        // before it was seen last, by a clock that was set back, a run looks too young for the rule: that ends nothing,
        // but nobody is told meanwhile
        boolean behind = now.isBefore(before.lastSeen());
        if (behind && before.state() == State.SUSPECTED) {
            return before;
        }
        // what a clock that was behind noted is no time that passed: that is counted from now on
        Optional<Instant> counted = before.clearSince().filter(since -> since.isAfter(before.lastSeen()));
        Instant clearSince = counted.orElse(behind ? before.lastSeen() : now);
        boolean over = !behind && (before.state() == State.SUSPECTED || passed(clearSince, now, timing.resolveAfter()));
        return new Episode(
                over ? State.RESOLVED : before.state(),
                before.since(),
                before.lastSeen(),
                Optional.of(clearSince),
                before.toldAt(),
                before.climb());
    }

    private static boolean passed(Instant start, Instant now, Duration wanted) {
        return Duration.between(start, now).compareTo(wanted) >= 0;
    }
}
