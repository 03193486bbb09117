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

    /**
     * The first deed that is still to come, however many people are told before: it must be announced all the same.
     *
     * @param planned number of the step that was planned last; if it is a deed, it is the one that is to come
     * @param done number of the step that was done last
     */
    Optional<Deed> next(int planned, int done) {
        boolean deedWaits = planned > done
                && planned <= steps.size()
                && steps.get(planned - 1).deed.isPresent();
        int from = Math.min(deedWaits ? planned - 1 : planned, steps.size());
        Duration wait = Duration.ZERO;
        for (Step one : steps.subList(from, steps.size())) {
            wait = wait.plus(one.after);
            if (one.deed.isPresent()) {
                return Optional.of(new Deed(one.deed.get(), wait));
            }
        }
        return Optional.empty();
    }
}
