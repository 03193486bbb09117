package io.fairwatch.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.Beat.Step;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class BeatTest {
    private static final long SECOND = 1_000_000_000L;
    private static final Duration PERIOD = Duration.ofSeconds(30);

    private final Beat beat = new Beat(PERIOD, 6, 100 * SECOND);

    private List<Step> steps(long... atSeconds) {
        List<Step> steps = new ArrayList<>();
        for (long at : atSeconds) {
            steps.add(beat.next(at * SECOND));
        }
        return steps;
    }

    @Test
    @DisplayName("a snapshot at the first beat of each period, looks between")
    void steady() {
        assertEquals(
                List.of(Step.SNAPSHOT, Step.LOOK, Step.LOOK, Step.LOOK, Step.LOOK, Step.LOOK, Step.SNAPSHOT),
                steps(100, 105, 110, 115, 120, 125, 130));
        assertEquals(5_000, beat.millisUntilDue(130 * SECOND));
    }

    @Test
    @DisplayName("late beats do not move the ones after them, and a missed one is not made up for")
    void late() {
        assertEquals(Step.SNAPSHOT, beat.next(102 * SECOND));
        assertEquals(3_000, beat.millisUntilDue(102 * SECOND));
        assertEquals(Step.LOOK, beat.next(117 * SECOND)); // 105 was due, 110 and 115 were missed
        assertEquals(3_000, beat.millisUntilDue(117 * SECOND));
        assertEquals(List.of(Step.LOOK, Step.LOOK, Step.SNAPSHOT), steps(120, 125, 130));
    }

    @Test
    @DisplayName("a snapshot whose beat was missed is taken at once")
    void missedSnapshot() {
        assertEquals(List.of(Step.SNAPSHOT, Step.SNAPSHOT), steps(100, 132));
        assertEquals(List.of(Step.LOOK, Step.LOOK), steps(135, 140));
    }

    @Test
    @DisplayName("after hours of standstill no snapshot claims them, no burst follows and the rhythm is the old one")
    void stopped() {
        assertEquals(List.of(Step.SNAPSHOT, Step.LOOK), steps(100, 105));
        assertEquals(Step.ANEW, beat.next((110 + 7_203) * SECOND)); // 110 was due
        assertEquals(2_000, beat.millisUntilDue((110 + 7_203) * SECOND));
        assertEquals(List.of(Step.LOOK, Step.LOOK, Step.LOOK, Step.SNAPSHOT), steps(7_315, 7_320, 7_325, 7_330));
    }

    @Test
    @DisplayName("a timer that fires a little early is waited for no more")
    void early() {
        assertEquals(Step.SNAPSHOT, beat.next(100 * SECOND - 400_000));
        assertEquals(5_001, beat.millisUntilDue(100 * SECOND - 400_000));
    }
}
