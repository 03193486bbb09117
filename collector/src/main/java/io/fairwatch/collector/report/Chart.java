package io.fairwatch.collector.report;

import java.util.List;

/** How a table is drawn; it shows nothing that the table does not say. Immutable. */
public sealed interface Chart {

    /**
     * A bar for each row, made of parts that stand one after another.
     *
     * @param label column of the names
     * @param parts columns of the parts, each with its tone
     * @param most rows that are drawn; the table has all
     */
    record Bars(String label, List<Part> parts, int most) implements Chart {
        public Bars {
            parts = List.copyOf(parts);
        }
    }

    /**
     * A column for each row, upright, in the rows' order.
     *
     * @param label column of the names
     * @param parts columns of the parts, stacked
     */
    record Columns(String label, List<Part> parts) implements Chart {
        public Columns {
            parts = List.copyOf(parts);
        }
    }

    /**
     * A field of cells, the darker the more.
     *
     * @param label column of the rows' names
     * @param values columns of the cells, from left to right
     */
    record HeatMap(String label, List<String> values) implements Chart {
        public HeatMap {
            values = List.copyOf(values);
        }
    }

    /** A column and its tone. */
    record Part(String column, Tone tone) {}

    /** What a colour means; the same everywhere in a report. */
    enum Tone {
        USED,
        PARTLY,
        IDLE,
        UNSEEN,
        FREE,
        OUT
    }
}
