package io.fairwatch.rules;

import static io.fairwatch.rules.Escalation.Action.TELL_OWNER;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.rules.Escalation.Action;
import io.fairwatch.rules.Escalation.Episode;
import io.fairwatch.rules.Escalation.State;
import io.fairwatch.rules.Escalation.Step;
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
    private static final Verdict FINDING = new Verdict.Finding(List.of(), Map.of(), "idle", "end it");
    private static final Verdict CLEAR = new Verdict.Clear("busy");
    private static final Verdict UNKNOWN = new Verdict.Unknown("no samples");
    private static final Rule.Timing TIMING =
            new Rule.Timing(Duration.ofMinutes(60), Duration.ZERO, Duration.ofMinutes(30), Duration.ofMinutes(10));
    private static final Instant START = Instant.parse("2026-11-20T12:00:00Z");

    private Optional<Episode> episode = Optional.empty();
    private final List<Action> actions = new ArrayList<>();

    private State at(int minute, Verdict verdict) {
        Step step = Escalation.step(episode, verdict, TIMING, minute(minute));
        episode = step.episode();
        actions.addAll(step.actions());
        return episode.map(Episode::state).orElse(State.RESOLVED);
    }

    private void delivered(int minute) {
        episode = episode.map(before -> before.delivered(minute(minute)));
    }

    private static Instant minute(int minute) {
        return START.plus(Duration.ofMinutes(minute));
    }

    @Test
    @DisplayName("the owner is told once the condition has held long enough, and only once")
    void toldOnce() {
        assertEquals(State.SUSPECTED, at(0, FINDING));
        assertEquals(State.SUSPECTED, at(29, FINDING));
        assertEquals(List.of(), actions);
        assertEquals(State.FOUND, at(30, FINDING));
        assertEquals(State.FOUND, at(31, FINDING));
        delivered(32);
        assertEquals(State.TOLD, at(33, FINDING));
        assertEquals(State.TOLD, at(500, FINDING));
        assertEquals(List.of(TELL_OWNER), actions);
        assertEquals(Optional.of(minute(32)), episode.orElseThrow().toldAt());
    }

    @Test
    @DisplayName("without a hold the first finding is enough")
    void noHold() {
        Rule.Timing atOnce = new Rule.Timing(Duration.ofHours(1), Duration.ZERO, Duration.ZERO, Duration.ZERO);
        Step step = Escalation.step(Optional.empty(), FINDING, atOnce, START);
        assertEquals(State.FOUND, step.episode().orElseThrow().state());
        assertEquals(List.of(TELL_OWNER), step.actions());
    }

    @Test
    @DisplayName("Unknown neither resets a clock nor brings the telling nearer")
    void unknownChangesNothing() {
        assertEquals(
                Optional.empty(),
                Escalation.step(Optional.empty(), UNKNOWN, TIMING, START).episode());
        at(0, FINDING);
        Optional<Episode> before = episode;
        assertEquals(State.SUSPECTED, at(40, UNKNOWN));
        assertEquals(before, episode);
        assertEquals(List.of(), actions);
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
        assertEquals(List.of(), actions);
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
        assertEquals(List.of(TELL_OWNER, TELL_OWNER), actions);
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
        assertEquals(List.of(TELL_OWNER), actions);
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
    @DisplayName("a clock that goes back only makes everyone wait")
    void clockGoesBack() {
        at(0, FINDING);
        assertEquals(State.SUSPECTED, at(-600, FINDING));
        assertEquals(minute(0), episode.orElseThrow().lastSeen());
        assertEquals(State.FOUND, at(30, FINDING));
        at(31, CLEAR);
        assertEquals(State.FOUND, at(-600, CLEAR));
        assertEquals(State.RESOLVED, at(41, CLEAR));
        assertEquals(List.of(TELL_OWNER), actions);
    }

    @Test
    @DisplayName("whatever the order of verdicts: one telling per episode, and never without half an hour of findings")
    void generated() {
        long seed = System.nanoTime();
        System.out.println("EscalationTest seed " + seed);
        Random random = new Random(seed);
        for (int run = 0; run < 500; run++) {
            episode = Optional.empty();
            int tellings = 0;
            for (int minute = 0; minute < 300; minute += 1 + random.nextInt(5)) {
                Optional<Instant> since = episode.map(Episode::since);
                actions.clear();
                Verdict verdict = List.of(FINDING, FINDING, FINDING, FINDING, FINDING, FINDING, UNKNOWN, CLEAR)
                        .get(random.nextInt(8));
                at(minute, verdict);
                if (!since.equals(episode.map(Episode::since))) {
                    tellings = 0;
                }
                tellings += actions.size();
                assertTrue(tellings <= 1, "seed " + seed);
                assertTrue(
                        actions.isEmpty()
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
