package io.fairwatch.collector.store;

import java.util.List;

/**
 * What is told of a store that is copied: a backup, a restored store, or an export. Immutable.
 *
 * @param files how many files
 * @param rows how many rows are in them
 * @param bytes how many bytes they take
 * @param lines further sentences for whoever asked
 */
public record Copies(long files, long rows, long bytes, List<String> lines) {
    public Copies {
        lines = List.copyOf(lines);
    }

    /** Is told how far it is, now and then. */
    @FunctionalInterface
    public interface Told {
        /** Tells nobody. */
        Told NOBODY = (what, done, of) -> {};

        /**
         * Tells it.
         *
         * @param what is being copied
         * @param done how much of all is done
         * @param of how much there is; the unit is whatever both have in common
         */
        void now(String what, long done, long of);
    }
}
