package io.fairwatch.collector.lookup;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * A part of a list with where it comes from. Immutable.
 *
 * @param at when it was put together
 * @param slurmAsOf when Slurm answered last; absent before its first answer
 * @param simulated the sentence that says so when GPUs are simulated
 * @param items in an order that stays the same
 * @param next goes on behind the last item; absent when there is nothing more
 */
public record Listing<T>(
        Instant at, Optional<Instant> slurmAsOf, Optional<String> simulated, List<T> items, Optional<String> next) {
    public Listing {
        items = List.copyOf(items);
    }

    static <T> Listing<T> of(Instant at, Optional<Instant> slurmAsOf, Optional<String> simulated, Page.Part<T> part) {
        return new Listing<>(at, slurmAsOf, simulated, part.items(), part.next());
    }
}
