package io.fairwatch.collector.store;

import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Rows that a query is about, under a name: parameters of the query itself when they are few, which costs nothing, else a
 * temporary table. Immutable.
 *
 * @param with the rows as a common table expression; empty when they are a table
 * @param parameters of {@code with}
 */
record Asked(String with, List<@Nullable Object> parameters) {
    private static final int FEW_CELLS = 1000;

    /** A column: its name and SQL type. */
    record Column(String name, String type) {}

    /** @param rows their cells: texts, whole numbers or null */
    static Asked of(
            Session session, String name, List<Column> columns, List<? extends List<? extends @Nullable Object>> rows)
            throws SQLException {
        String names = columns.stream().map(Column::name).collect(Collectors.joining(", "));
        if (rows.isEmpty()) {
            String nothing = columns.stream()
                    .map(column -> "CAST(NULL AS " + column.type() + ")")
                    .collect(Collectors.joining(", "));
            return new Asked(name + "(" + names + ") AS (SELECT " + nothing + " WHERE FALSE)", List.of());
        }
        if ((long) rows.size() * columns.size() <= FEW_CELLS) {
            String row = columns.stream()
                    .map(column -> "CAST(? AS " + column.type() + ")")
                    .collect(Collectors.joining(", ", "(", ")"));
            List<@Nullable Object> cells = new ArrayList<>(rows.size() * columns.size());
            rows.forEach(cells::addAll);
            return new Asked(
                    name + "(" + names + ") AS (VALUES " + String.join(", ", Collections.nCopies(rows.size(), row))
                            + ")",
                    Collections.unmodifiableList(cells));
        }
        session.execute("CREATE OR REPLACE TEMPORARY TABLE " + name + " ("
                + columns.stream()
                        .map(column -> column.name() + " " + column.type())
                        .collect(Collectors.joining(", "))
                + ")");
        try (Rows staged = session.appendTemporary(name)) {
            for (List<? extends @Nullable Object> row : rows) {
                for (Object cell : row) {
                    staged.any(cell);
                }
                staged.end();
            }
        }
        return new Asked("", List.of());
    }

    /** {@code WITH} and these expressions, or what begins the query's own when there are none. */
    static String with(List<Asked> asked, String... own) {
        List<String> parts = new ArrayList<>();
        asked.stream().map(Asked::with).filter(text -> !text.isEmpty()).forEach(parts::add);
        parts.addAll(List.of(own));
        return "WITH " + String.join(",\n", parts) + "\n";
    }

    /** Their parameters, then the others. */
    static @Nullable Object[] parameters(List<Asked> asked, @Nullable Object... others) {
        List<@Nullable Object> all = new ArrayList<>();
        asked.forEach(one -> all.addAll(one.parameters()));
        Collections.addAll(all, others);
        return all.toArray();
    }
}
