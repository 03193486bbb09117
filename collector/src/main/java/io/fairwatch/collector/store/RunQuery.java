package io.fairwatch.collector.store;

import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.RunKey;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;

/**
 * Which ended runs are asked for; what is absent is not asked for. They come newest start first, then by job id from the
 * largest, then by cluster. Immutable.
 *
 * @param user login name
 * @param account charging account
 * @param partition partition
 * @param node a node that it ran on
 * @param states states; none: any
 * @param since those that ended after it
 * @param until those that started before it
 * @param after those behind this one
 * @param limit at most so many
 */
public record RunQuery(
        Optional<String> user,
        Optional<String> account,
        Optional<String> partition,
        Optional<String> node,
        Set<JobState> states,
        Optional<Instant> since,
        Optional<Instant> until,
        Optional<RunKey> after,
        int limit) {
    public RunQuery {
        states = Set.copyOf(states);
        if (limit < 1) {
            throw new IllegalArgumentException("limit: " + limit + " (expected: 1 or more)");
        }
    }
}
