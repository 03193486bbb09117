package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import java.time.Instant;
import java.util.Optional;

/**
 * One episode of one rule on one run. Immutable. Identity: run, rule and {@code since}.
 *
 * @param run which run
 * @param rule name of the rule
 * @param since when the condition was first seen to hold
 * @param state where the episode stands
 * @param lastSeen when the condition was last seen to hold
 * @param clearSince since when the condition is seen not to hold; absent while it holds
 * @param toldAt when the owner's mail was delivered; absent before
 * @param user whose run it is
 * @param summary what the owner reads
 * @param fix what the owner can do
 * @param evidence the numbers behind it, as a JSON object
 */
public record FindingRow(
        RunKey run,
        String rule,
        Instant since,
        State state,
        Instant lastSeen,
        Optional<Instant> clearSince,
        Optional<Instant> toldAt,
        String user,
        String summary,
        String fix,
        String evidence) {

    /** Where an episode stands. */
    public enum State {
        SUSPECTED,
        FOUND,
        TOLD,
        RESOLVED
    }
}
