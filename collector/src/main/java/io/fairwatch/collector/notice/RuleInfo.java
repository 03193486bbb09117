package io.fairwatch.collector.notice;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What letters need to know of a rule. Immutable.
 *
 * @param window letters look back that far before the episode began
 * @param weekly whether what it finds waits for the weekly mail
 * @param steps of its ladder, in order
 */
public record RuleInfo(Duration window, boolean weekly, List<Step> steps) {
    /**
     * A step.
     *
     * @param deed what Fairwatch will really do then; absent: it tells somebody, or enforcement is off
     * @param after how long after the step before
     */
    public record Step(Optional<String> deed, Duration after) {}

    /** A deed, and how long from now. */
    record Deed(String word, Duration after) {}

    /** For a rule that is gone. */
    public static final RuleInfo UNKNOWN = new RuleInfo(Duration.ofHours(1), false, List.of());

    public RuleInfo {
        steps = List.copyOf(steps);
    }

    /** The first deed after this step, however many people are told between: it must be announced all the same. */
    Optional<Deed> after(int step) {
        Duration wait = Duration.ZERO;
        for (Step one : steps.subList(Math.min(step, steps.size()), steps.size())) {
            wait = wait.plus(one.after);
            if (one.deed.isPresent()) {
                return Optional.of(new Deed(one.deed.get(), wait));
            }
        }
        return Optional.empty();
    }
}
