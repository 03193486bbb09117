package io.fairwatch.collector.store;

import java.time.Duration;
import java.util.Map;

/**
 * How long readings are kept; summaries of runs are kept for ever. Immutable. Whole days are forgotten at a time.
 *
 * @param readings readings as they came
 * @param rollups roll-ups of five minutes
 * @param tables other times for single tables, by name, e.g. {@code user_reading} or {@code node_5m}
 */
public record Keep(Duration readings, Duration rollups, Map<String, Duration> tables) {
    public static final Keep DEFAULTS = new Keep(Duration.ofDays(14), Duration.ofDays(730), Map.of());

    public Keep {
        tables = Map.copyOf(tables);
        atLeastADay("readings", readings);
        atLeastADay("rollups", rollups);
        tables.forEach((table, length) -> {
            if (Rollups.ALL.stream()
                    .noneMatch(known ->
                            known.table().equals(table) || known.rollup().equals(table))) {
                throw new IllegalArgumentException(
                        "tables: " + table + " (expected: one of " + String.join(", ", Rollups.tables()) + ")");
            }
            atLeastADay("tables: " + table, length);
        });
    }

    private static void atLeastADay(String what, Duration length) {
        if (length.compareTo(Duration.ofDays(1)) < 0) {
            throw new IllegalArgumentException(what + ": " + length + " (expected: one day or more)");
        }
    }

    /** How long a table is kept. */
    Duration of(String table, boolean isRollup) {
        return tables.getOrDefault(table, isRollup ? rollups : readings);
    }
}
