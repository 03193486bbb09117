package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Cell.Kind;
import java.util.List;

/**
 * A table of a report: the page, the PDF, CSV and JSON all show the same one. Immutable.
 *
 * @param id short name, also of its file, e.g. {@code by-model}
 * @param columns its columns
 * @param rows as many cells each as there are columns
 */
public record Sheet(String id, List<Column> columns, List<List<Cell>> rows) {
    public Sheet {
        columns = List.copyOf(columns);
        rows = rows.stream().map(List::copyOf).toList();
        for (List<Cell> row : rows) {
            if (row.size() != columns.size()) {
                throw new IllegalArgumentException(
                        id + ": a row of " + row.size() + " cells (expected: " + columns.size() + ")");
            }
        }
    }

    /**
     * A column. Immutable.
     *
     * @param key its name for programs, and for the language's words
     * @param kind of its cells
     * @param onPage whether people see it; files have all columns
     */
    public record Column(String key, Kind kind, boolean onPage) {
        static Column of(String key, Kind kind) {
            return new Column(key, kind, true);
        }

        /** For files only. */
        static Column hidden(String key, Kind kind) {
            return new Column(key, kind, false);
        }

        /** Its name in files, with its unit. */
        String fileName() {
            return key.replace('-', '_') + kind.suffix();
        }
    }

    int column(String key) {
        for (int i = 0; i < columns.size(); i++) {
            if (columns.get(i).key().equals(key)) {
                return i;
            }
        }
        throw new IllegalArgumentException(id + ": no column " + key);
    }
}
