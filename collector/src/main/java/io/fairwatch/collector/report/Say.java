package io.fairwatch.collector.report;

import java.util.List;

/**
 * A sentence whose words the language decides. Immutable.
 *
 * @param key of the words
 * @param cells what stands in their gaps
 */
public record Say(String key, List<Cell> cells) {
    public Say {
        cells = List.copyOf(cells);
    }

    static Say of(String key, Cell... cells) {
        return new Say(key, List.of(cells));
    }
}
