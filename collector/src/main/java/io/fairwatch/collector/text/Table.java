package io.fairwatch.collector.text;

import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Rows as columns of text: the first column to the left, the others to the right. */
public final class Table {
    private static final String GAP = "   ";
    /** No column is wrapped to less than this, or than its longest word. */
    private static final int NARROWEST = 20;

    private Table() {}

    /** At least one row; the first is the heading. */
    public static String render(List<String[]> rows) {
        return render(rows, Integer.MAX_VALUE);
    }

    /**
     * The same, in lines of a width where that can be: the widest columns of texts are wrapped between words, as long as they
     * stay wide enough to be read, and stand to the left.
     */
    public static String render(List<String[]> rows, int most) {
        int columns = rows.get(0).length;
        int[] wanted = IntStream.range(0, columns)
                .map(c -> rows.stream().mapToInt(row -> row[c].length()).max().orElse(0))
                .toArray();
        int[] least = IntStream.range(0, columns)
                .map(c -> rows.stream().skip(1).anyMatch(row -> row[c].length() > NARROWEST)
                        ? Math.max(NARROWEST, longestWord(rows, c))
                        : wanted[c])
                .toArray();
        int[] widths = narrowed(wanted, least, most);
        StringBuilder text = new StringBuilder();
        for (String[] row : rows) {
            List<List<String>> cells = IntStream.range(0, columns)
                    .mapToObj(c -> widths[c] < wanted[c]
                            ? Plain.wrap(row[c], widths[c], "").lines().toList()
                            : List.of(row[c]))
                    .toList();
            int lines = cells.stream().mapToInt(List::size).max().orElse(1);
            for (int l = 0; l < lines; l++) {
                StringBuilder line = new StringBuilder();
                for (int c = 0; c < columns; c++) {
                    String cell = l < cells.get(c).size() ? cells.get(c).get(l) : "";
                    String space = " ".repeat(Math.max(0, widths[c] - cell.length()));
                    boolean left = c == 0 || widths[c] < wanted[c];
                    line.append(c == 0 ? "" : GAP).append(left ? cell + space : space + cell);
                }
                text.append(line.toString().stripTrailing()).append('\n');
            }
        }
        return text.toString();
    }

    private static int longestWord(List<String[]> rows, int column) {
        return rows.stream()
                .flatMap(row -> Stream.of(row[column].split(" ", -1)))
                .mapToInt(String::length)
                .max()
                .orElse(0);
    }

    private static int[] narrowed(int[] wanted, int[] least, int most) {
        int[] widths = wanted.clone();
        long left = IntStream.of(widths).asLongStream().sum() + (long) GAP.length() * (widths.length - 1) - most;
        while (left-- > 0) {
            OptionalInt widest = IntStream.range(0, widths.length)
                    .filter(c -> widths[c] > least[c])
                    .reduce((one, other) -> widths[other] > widths[one] ? other : one);
            if (widest.isEmpty()) {
                break;
            }
            widths[widest.getAsInt()]--;
        }
        return widths;
    }
}
