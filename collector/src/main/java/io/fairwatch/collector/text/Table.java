package io.fairwatch.collector.text;

import java.util.List;
import java.util.stream.IntStream;

/** Rows as columns of text: the first column to the left, the others to the right. */
public final class Table {
    private Table() {}

    /** At least one row; the first is the heading. */
    public static String render(List<String[]> rows) {
        int columns = rows.get(0).length;
        int[] widths = IntStream.range(0, columns)
                .map(c -> rows.stream().mapToInt(row -> row[c].length()).max().orElse(0))
                .toArray();
        StringBuilder text = new StringBuilder();
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int c = 0; c < columns; c++) {
                String space = " ".repeat(widths[c] - row[c].length());
                line.append(c == 0 ? row[c] + space : "   " + space + row[c]);
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        return text.toString();
    }
}
