package io.fairwatch.collector.notice;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What letters need to know of a rule. Immutable.
 *
 * @param window letters look back that far before the episode began
 * @param weekly whether what it finds waits for the weekly mail
 * @param deeds for each step of its ladder, what Fairwatch will really do then; absent: it tells somebody, or enforcement is
 *     off
 */
public record RuleInfo(Duration window, boolean weekly, List<Optional<Deed>> deeds) {
    /** A deed, and how long after the step before. */
    public record Deed(String word, Duration after) {}

    /** For a rule that is gone. */
    public static final RuleInfo UNKNOWN = new RuleInfo(Duration.ofHours(1), false, List.of());

    public RuleInfo {
        deeds = List.copyOf(deeds);
    }

    /** What will be done in the step after this one. */
    Optional<Deed> after(int step) {
        return step < deeds.size() ? deeds.get(step) : Optional.empty();
    }
}
