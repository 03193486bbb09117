package io.fairwatch.collector.text;

import java.util.regex.Pattern;

/** Rows of comma-separated values, fit for spreadsheets: no cell can be a formula. Confined to one thread. */
public final class Csv {
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_.:][A-Za-z0-9_.:+ -]*|");

    private final StringBuilder text = new StringBuilder();

    /** Begins with a heading. */
    public Csv(String... heading) {
        row(heading);
    }

    /** Adds a row. */
    public void row(String... cells) {
        for (int i = 0; i < cells.length; i++) {
            text.append(i == 0 ? "" : ",").append(PLAIN.matcher(cells[i]).matches() ? cells[i] : quoted(cells[i]));
        }
        text.append('\n');
    }

    @Override
    public String toString() {
        return text.toString();
    }

    /** A text in quotes; one that a spreadsheet would take for a formula begins with an apostrophe. */
    public static String quoted(String text) {
        String plain = Plain.line(text, 255);
        boolean formula = !plain.isEmpty() && "=+-@\t".indexOf(plain.charAt(0)) >= 0;
        return '"' + (formula ? "'" : "") + plain.replace("\"", "\"\"") + '"';
    }
}
