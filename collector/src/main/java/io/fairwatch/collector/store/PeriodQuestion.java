package io.fairwatch.collector.store;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * What a report wants to know of a period. Immutable.
 *
 * @param from begin, included
 * @param to end, not included
 * @param busyAboveRatio a reading counts as busy when its largest sample is above this
 * @param weeks instants at which weeks of the site's calendar begin within the period, ascending
 * @param nodeGroup which group a node belongs to, by its name
 * @param department which department an account belongs to, by its name
 * @param user only this person's runs; absent: everybody's
 * @param accounts only runs of these accounts; absent: all
 * @param progress hears what is being added up now, a few words
 */
public record PeriodQuestion(
        Instant from,
        Instant to,
        double busyAboveRatio,
        List<Instant> weeks,
        UnaryOperator<String> nodeGroup,
        UnaryOperator<String> department,
        Optional<String> user,
        Optional<Set<String>> accounts,
        Consumer<String> progress) {
    public PeriodQuestion {
        weeks = List.copyOf(weeks);
        accounts = accounts.map(Set::copyOf);
        if (!from.isBefore(to)) {
            throw new IllegalArgumentException("period: " + from + " to " + to + " (expected: from before to)");
        }
    }
}
