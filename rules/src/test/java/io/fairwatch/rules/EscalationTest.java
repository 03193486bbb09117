package io.fairwatch.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.rules.Escalation.Climb;
import io.fairwatch.rules.Escalation.Episode;
import io.fairwatch.rules.Escalation.State;
import io.fairwatch.rules.Ladder.Step;
import io.fairwatch.rules.Ladder.Target;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class EscalationTest {
    private static final Verdict FINDING =
            new Verdict.Finding(List.of(), Map.of(), new Verdict.Said("idle", "end it"), Map.of(), false);
    private static final Verdict CLEAR = new Verdict.Clear("busy");
    private static final Verdict UNKNOWN = new Verdict.Unknown("no samples");
    private static final Rule.Timing TIMING =
            new Rule.Timing(Duration.ofMinutes(60), Duration.ZERO, Duration.ofMinutes(30), Duration.ofMinutes(10));
    private static final Instant START = Instant.parse("2026-11-20T12:00:00Z");

    private Optional<Episode> episode = Optional.empty();
    private final List<Integer> due = new ArrayList<>();
    private Ladder ladder = ladder(Target.OWNER);
    private boolean paused;

    private State at(int minute, Verdict verdict) {
        Escalation.Move move = Escalation.step(episode, verdict, TIMING, ladder, paused, minute(minute));
        episode = move.episode();
        move.due().ifPresent(due::add);
        return episode.map(Episode::state).orElse(State.RESOLVED);
    }

    private void delivered(int minute) {
        if (episode.isEmpty()
                || episode.get().climb().planned() == episode.get().climb().done()) {
            return;
        }
        episode = episode.map(before -> new Episode(
                before.state() == State.FOUND ? State.TOLD : before.state(),
                before.since(),
                before.lastSeen(),
                before.clearSince(),
                before.toldAt().or(() -> Optional.of(minute(minute))),
                new Climb(before.climb().planned(), before.climb().planned(), Optional.of(minute(minute)))));
    }

    /** Steps one hour apart. */
    private static Ladder ladder(Target... targets) {
        List<Step> steps = new ArrayList<>();
        for (Target target : targets) {
            steps.add(new Step(target, steps.isEmpty() ? Duration.ZERO : Duration.ofHours(1)));
        }
        return new Ladder(steps);
    }

    private static Instant minute(int minute) {
        return START.plus(Duration.ofMinutes(minute));
    }

    @Test
    @DisplayName("the owner is told once the condition has held long enough, and only once")
    void toldOnce() {
        assertEquals(State.SUSPECTED, at(0, FINDING));
        assertEquals(State.SUSPECTED, at(29, FINDING));
        assertEquals(List.of(), due);
        assertEquals(State.FOUND, at(30, FINDING));
        assertEquals(State.FOUND, at(31, FINDING));
        delivered(32);
        assertEquals(State.TOLD, at(33, FINDING));
        assertEquals(State.TOLD, at(500, FINDING));
        assertEquals(List.of(1), due);
        assertEquals(Optional.of(minute(32)), episode.orElseThrow().toldAt());
    }

    @Test
    @DisplayName("without a hold the first finding is enough")
    void noHold() {
        Rule.Timing atOnce = new Rule.Timing(Duration.ofHours(1), Duration.ZERO, Duration.ZERO, Duration.ZERO);
        Escalation.Move move = Escalation.step(Optional.empty(), FINDING, atOnce, ladder, false, START);
        assertEquals(State.FOUND, move.episode().orElseThrow().state());
        assertEquals(Optional.of(1), move.due());
    }

    @Test
    @DisplayName("Unknown neither resets a clock nor brings the telling nearer")
    void unknownChangesNothing() {
        assertEquals(
                Optional.empty(),
                Escalation.step(Optional.empty(), UNKNOWN, TIMING, ladder, false, START)
                        .episode());
        at(0, FINDING);
        Optional<Episode> before = episode;
        assertEquals(State.SUSPECTED, at(40, UNKNOWN));
        assertEquals(before, episode);
        assertEquals(List.of(), due);
        assertEquals(State.FOUND, at(41, FINDING));
        at(42, CLEAR);
        before = episode;
        at(90, UNKNOWN);
        assertEquals(before, episode);
    }

    @Test
    @DisplayName("a suspicion must hold without a break")
    void suspicionIsDropped() {
        at(0, FINDING);
        assertEquals(State.RESOLVED, at(20, CLEAR));
        assertEquals(State.SUSPECTED, at(31, FINDING));
        assertEquals(minute(31), episode.orElseThrow().since());
        assertEquals(List.of(), due);
    }

    @Test
    @DisplayName("recovery ends an episode after a while; what comes later is a new one, told anew")
    void recovers() {
        at(0, FINDING);
        at(30, FINDING);
        delivered(31);
        assertEquals(State.TOLD, at(40, CLEAR));
        assertEquals(State.TOLD, at(49, CLEAR));
        assertEquals(State.RESOLVED, at(50, CLEAR));
        assertEquals(State.RESOLVED, at(60, CLEAR));
        assertEquals(State.SUSPECTED, at(70, FINDING));
        assertEquals(State.FOUND, at(100, FINDING));
        assertEquals(List.of(1, 1), due);
    }

    @Test
    @DisplayName("a relapse before that continues the episode in silence")
    void relapses() {
        at(0, FINDING);
        at(30, FINDING);
        delivered(31);
        at(40, CLEAR);
        assertEquals(State.TOLD, at(45, FINDING));
        assertEquals(minute(0), episode.orElseThrow().since());
        assertEquals(State.TOLD, at(52, CLEAR));
        assertEquals(Optional.of(minute(52)), episode.orElseThrow().clearSince());
        assertEquals(List.of(1), due);
    }

    @Test
    @DisplayName("a notice delivered late does not reopen what is resolved")
    void deliveredLate() {
        at(0, FINDING);
        at(30, FINDING);
        at(31, CLEAR);
        at(41, CLEAR);
        delivered(42);
        assertEquals(State.RESOLVED, episode.orElseThrow().state());
        assertEquals(Optional.of(minute(42)), episode.orElseThrow().toldAt());
    }

    @Test
    @DisplayName("each step waits until the one before was delivered, and then its own time")
    void climbs() {
        ladder = ladder(Target.OWNER, Target.OWNER, Target.STAFF, Target.CANCEL);
        at(0, FINDING);
        at(30, FINDING);
        at(600, FINDING);
        assertEquals(List.of(1), due);
        delivered(600);
        at(659, FINDING);
        assertEquals(List.of(1), due);
        at(660, FINDING);
        at(661, FINDING);
        assertEquals(List.of(1, 2), due);
        delivered(700);
        at(760, FINDING);
        delivered(761);
        at(821, FINDING);
        delivered(822);
        at(5000, FINDING);
        assertEquals(List.of(1, 2, 3, 4), due);
        assertEquals(
                new Climb(4, 4, Optional.of(minute(822))), episode.orElseThrow().climb());
    }

    @Test
    @DisplayName("no step is due while nobody knows, while it has recovered, or while somebody asked for patience")
    void waits() {
        ladder = ladder(Target.OWNER, Target.STAFF);
        paused = true;
        at(0, FINDING);
        assertEquals(State.FOUND, at(30, FINDING));
        assertEquals(List.of(), due);
        paused = false;
        at(31, FINDING);
        delivered(31);
        at(91, UNKNOWN);
        at(92, CLEAR);
        assertEquals(List.of(1), due);
        at(95, FINDING);
        assertEquals(List.of(1, 2), due);
    }

    @Test
    @DisplayName("nothing is done to a job before a step that tells its owner")
    void deedBeforeOwner() {
        assertThrows(IllegalArgumentException.class, () -> ladder(Target.STAFF, Target.CANCEL));
        ladder(Target.OWNER, Target.CANCEL);
    }

    @Test
    @DisplayName("without steps a finding is kept and nobody hears of it")
    void noSteps() {
        ladder = new Ladder(List.of());
        at(0, FINDING);
        assertEquals(State.FOUND, at(30, FINDING));
        assertEquals(List.of(), due);
    }

    @Test
    @DisplayName("a clock that goes back only makes everyone wait")
    void clockGoesBack() {
        at(0, FINDING);
        assertEquals(State.SUSPECTED, at(-600, FINDING));
        assertEquals(minute(0), episode.orElseThrow().lastSeen());
        assertEquals(State.FOUND, at(30, FINDING));
        at(31, CLEAR);
        assertEquals(State.FOUND, at(-600, CLEAR));
        assertEquals(State.RESOLVED, at(41, CLEAR));
        assertEquals(List.of(1), due);

        ladder = ladder(Target.OWNER, Target.OWNER);
        at(100, FINDING);
        at(130, FINDING);
        delivered(131);
        at(-600, FINDING);
        at(190, FINDING);
        assertEquals(List.of(1, 1), due);
        at(191, FINDING);
        assertEquals(List.of(1, 1, 2), due);
    }

    @Test
    @DisplayName("a clock that is behind the last finding ends no episode, however long a too young run seems clear")
    void clearByAClockThatWentBack() {
        at(0, FINDING);
        at(30, FINDING);
        Instant since = episode.orElseThrow().since();
        for (int minute = -120; minute < 30; minute += 5) {
            assertEquals(State.FOUND, at(minute, CLEAR));
        }
        assertEquals(State.FOUND, at(31, FINDING));
        assertEquals(since, episode.orElseThrow().since());
        assertEquals(List.of(1), due);
    }

    @Test
    @DisplayName(
            "what a clock that is behind sees clear is noted as clear until it is found again, and a suspicion stays")
    void clearIsNotedByAClockThatWentBack() {
        at(0, FINDING);
        Optional<Episode> suspected = episode;
        assertEquals(State.SUSPECTED, at(-60, CLEAR));
        assertEquals(suspected, episode);
        at(30, FINDING);
        assertEquals(State.FOUND, at(10, CLEAR));
        assertEquals(Optional.of(minute(30)), episode.orElseThrow().clearSince());
        assertEquals(State.FOUND, at(12, FINDING), "found again, though the clock is still behind");
        assertEquals(Optional.empty(), episode.orElseThrow().clearSince());
        delivered(31);
        assertEquals(State.TOLD, at(15, CLEAR));
        assertEquals(State.TOLD, at(60, CLEAR), "right again, it counts from now on");
        assertEquals(Optional.of(minute(60)), episode.orElseThrow().clearSince());
        assertEquals(State.TOLD, at(69, CLEAR));
        assertEquals(State.RESOLVED, at(70, CLEAR));
    }

    @Test
    @DisplayName("whatever the order of verdicts: one telling per episode, and never without half an hour of findings")
    void generated() {
        long seed = Long.getLong("fairwatch.seed", 1);
        System.out.println("EscalationTest seed " + seed);
        Random random = new Random(seed);
        for (int run = 0; run < 500; run++) {
            episode = Optional.empty();
            ladder = ladder(Target.OWNER, Target.STAFF);
            int tellings = 0;
            for (int minute = 0; minute < 300; minute += 1 + random.nextInt(5)) {
                Optional<Instant> since = episode.map(Episode::since);
                due.clear();
                Verdict verdict = List.of(FINDING, FINDING, FINDING, FINDING, FINDING, FINDING, UNKNOWN, CLEAR)
                        .get(random.nextInt(8));
                at(minute, verdict);
                if (!since.equals(episode.map(Episode::since))) {
                    tellings = 0;
                }
                tellings += due.size();
                assertTrue(tellings <= 2, "seed " + seed);
                assertTrue(due.isEmpty() || due.equals(List.of(tellings)), "seed " + seed);
                assertTrue(
                        due.isEmpty()
                                || !minute(minute)
                                        .isBefore(episode.orElseThrow().since().plus(TIMING.hold())),
                        "seed " + seed);
                if (random.nextInt(10) == 0) {
                    delivered(minute);
                }
            }
        }
    }
}
