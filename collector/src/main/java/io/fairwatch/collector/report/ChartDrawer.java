package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Cell.Kind;
import io.fairwatch.collector.report.Chart.Part;
import io.fairwatch.collector.report.Chart.Tone;
import io.fairwatch.collector.report.Drawing.Box;
import io.fairwatch.collector.report.Drawing.Shape;
import io.fairwatch.collector.report.Drawing.Side;
import io.fairwatch.collector.report.Drawing.Text;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Draws a section's table. Confined to one thread. */
final class ChartDrawer {
    private static final int VALUE = 76;
    private static final int ROW = 24;
    private static final int LEGEND = 26;

    private final Words words;
    private final int width;
    private final int names;
    private final double letter;

    /**
     * Made for one kind of page.
     *
     * @param width of all drawings, in CSS pixels
     * @param letter how wide a letter of the charts is, about
     */
    ChartDrawer(Words words, int width, double letter) {
        this.words = words;
        this.width = width;
        this.letter = letter;
        this.names = width / 5;
    }

    /** The drawing of a section; absent when there is nothing to draw. */
    Optional<Drawing> draw(Section section) {
        if (section.chart().isEmpty() || section.sheet().rows().isEmpty()) {
            return Optional.empty();
        }
        String title = words.text("title." + section.id());
        Chart chart = section.chart().get();
        if (chart instanceof Chart.Bars bars) {
            return bars(title, section.sheet(), bars);
        } else if (chart instanceof Chart.Columns columns) {
            return columns(title, section.sheet(), columns);
        }
        return Optional.of(heatMap(title, section.sheet(), (Chart.HeatMap) chart));
    }

    // ---- bars

    private Optional<Drawing> bars(String title, Sheet sheet, Chart.Bars chart) {
        List<List<Cell>> rows = sheet.rows().stream().limit(chart.most()).toList();
        double most = rows.stream()
                .mapToDouble(row -> total(sheet, row, chart.parts()))
                .max()
                .orElse(0);
        if (most <= 0) {
            return Optional.empty();
        }
        boolean shares =
                sheet.columns().get(sheet.column(chart.parts().get(0).column())).kind() == Kind.RATIO;
        double scale = shares ? Math.max(1, most) : most;
        List<Shape> shapes = new ArrayList<>();
        List<Part> parts = present(sheet, rows, chart.parts());
        int top = parts.size() > 1 ? legend(shapes, parts) : 6;
        int area = width - names - VALUE;
        for (int tick = 0; tick <= 4; tick++) {
            shapes.add(new Box(names + area * tick / 4.0, top, 1, rows.size() * ROW + 2.0, "grid", ""));
        }
        int label = sheet.column(chart.label());
        double y = top + 4;
        for (List<Cell> row : rows) {
            shapes.add(new Text(
                    names - 8, y + 13, names - 8, Side.END, "ink", cut(words.cell(row.get(label)), names - 8)));
            double x = names;
            for (Part part : parts) {
                Cell cell = row.get(sheet.column(part.column()));
                double length = cell.drawn() / scale * area;
                if (length > 0) {
                    shapes.add(new Box(
                            x,
                            y,
                            Math.max(0.5, length - (length > 3 ? 1 : 0)),
                            ROW - 7,
                            tone(part.tone()),
                            words.heading(sheet.columns().get(sheet.column(part.column()))) + ": " + words.cell(cell)));
                    x += length;
                }
            }
            Cell sum = sum(sheet, row, parts);
            shapes.add(new Text(x + 6, y + 13, VALUE + 20, Side.START, "ink", words.cell(sum)));
            y += ROW;
        }
        return Optional.of(new Drawing(width, (int) y + 4, title, shapes));
    }

    /** The row's length, in the kind of its parts. */
    private static Cell sum(Sheet sheet, List<Cell> row, List<Part> parts) {
        Kind kind = sheet.columns().get(sheet.column(parts.get(0).column())).kind();
        double total = total(sheet, row, parts);
        return switch (kind) {
            case COUNT, BYTES -> new Cell(kind, Optional.of(Math.round(total)));
            default -> new Cell(kind, Optional.of(total));
        };
    }

    private static double total(Sheet sheet, List<Cell> row, List<Part> parts) {
        return parts.stream()
                .mapToDouble(part -> row.get(sheet.column(part.column())).drawn())
                .sum();
    }

    private static List<Part> present(Sheet sheet, List<List<Cell>> rows, List<Part> parts) {
        return parts.stream()
                .filter(part -> rows.stream()
                        .anyMatch(row -> row.get(sheet.column(part.column())).drawn() > 0))
                .toList();
    }

    /** In as many lines as it takes; answers its height. */
    private int legend(List<Shape> shapes, List<Part> parts) {
        double x = names;
        int line = 0;
        for (Part part : parts) {
            String name = words.text("column." + part.column());
            double length = name.length() * letter + 6;
            if (x > names && x + 17 + length > width) {
                x = names;
                line++;
            }
            shapes.add(new Box(x, 4 + line * 18.0, 12, 12, tone(part.tone()), ""));
            shapes.add(new Text(x + 17, 14 + line * 18.0, length, Side.START, "ink", name));
            x += 17 + length + 14;
        }
        return LEGEND + line * 18;
    }

    private static String tone(Tone tone) {
        return tone.name().toLowerCase(Locale.ROOT);
    }

    private String cut(String text, double space) {
        int letters = (int) (space / letter);
        return text.length() <= letters ? text : text.substring(0, letters - 1) + "…";
    }

    // ---- columns

    private Optional<Drawing> columns(String title, Sheet sheet, Chart.Columns chart) {
        List<List<Cell>> rows = sheet.rows();
        double most = rows.stream()
                .mapToDouble(row -> total(sheet, row, chart.parts()))
                .max()
                .orElse(0);
        if (most <= 0) {
            return Optional.empty();
        }
        List<Shape> shapes = new ArrayList<>();
        List<Part> parts = present(sheet, rows, chart.parts());
        int top = parts.size() > 1 ? legend(shapes, parts) : 6;
        int height = 170;
        int left = 90;
        double step = Math.min(110, (width - left - 10.0) / rows.size());
        for (int tick = 0; tick <= 2; tick++) {
            double y = top + 14 + height * (1 - tick / 2.0);
            shapes.add(new Box(left, y, step * rows.size(), 1, "grid", ""));
            Cell value = new Cell(
                    sheet.columns().get(sheet.column(parts.get(0).column())).kind(), Optional.of(most * tick / 2));
            shapes.add(new Text(
                    left - 8,
                    y + 4,
                    left - 10,
                    Side.END,
                    "soft",
                    value.kind() == Kind.COUNT
                            ? words.cell(Cell.count(Math.round(most * tick / 2)))
                            : words.cell(value)));
        }
        int label = sheet.column(chart.label());
        double x = left;
        for (List<Cell> row : rows) {
            double y = top + 14 + height;
            for (Part part : parts) {
                Cell cell = row.get(sheet.column(part.column()));
                double size = cell.drawn() / most * height;
                if (size > 0) {
                    y -= size;
                    shapes.add(new Box(
                            x + step * 0.12,
                            y,
                            step * 0.76,
                            Math.max(0.5, size - (size > 3 ? 1 : 0)),
                            tone(part.tone()),
                            words.cell(row.get(label)) + ", "
                                    + words.heading(sheet.columns().get(sheet.column(part.column()))) + ": "
                                    + words.cell(cell)));
                }
            }
            shapes.add(new Text(
                    x + step / 2,
                    top + height + 30.0,
                    step,
                    Side.MIDDLE,
                    "soft",
                    cut(words.cell(row.get(label)), Math.max(step, 40))));
            x += step;
        }
        return Optional.of(new Drawing(width, top + height + 38, title, shapes));
    }

    // ---- heat map

    private Drawing heatMap(String title, Sheet sheet, Chart.HeatMap chart) {
        double most = 0;
        double least = Double.MAX_VALUE;
        for (List<Cell> row : sheet.rows()) {
            for (String column : chart.values()) {
                Cell cell = row.get(sheet.column(column));
                if (cell.value().isPresent()) {
                    most = Math.max(most, cell.drawn());
                    least = Math.min(least, cell.drawn());
                }
            }
        }
        double span = most - Math.min(least, most);
        List<Shape> shapes = new ArrayList<>();
        int left = 110;
        double step = (width - left - 4.0) / chart.values().size();
        int tall = 25;
        int top = 22;
        double x = left;
        for (String column : chart.values()) {
            shapes.add(new Text(
                    x + step / 2,
                    15,
                    step,
                    Side.MIDDLE,
                    "soft",
                    words.heading(sheet.columns().get(sheet.column(column)))));
            x += step;
        }
        double y = top;
        for (List<Cell> row : sheet.rows()) {
            String name = words.cell(row.get(sheet.column(chart.label())));
            shapes.add(new Text(left - 8, y + 16, left - 8, Side.END, "ink", name));
            x = left;
            for (String column : chart.values()) {
                Cell cell = row.get(sheet.column(column));
                int heat = cell.value().isEmpty() || most <= 0
                        ? -1
                        : span > 0 ? (int) Math.round((cell.drawn() - least) / span * 9) : 5;
                shapes.add(new Box(
                        x,
                        y,
                        step - 1.5,
                        tall - 1.5,
                        heat < 0 ? "unseen" : "heat" + heat,
                        name + " " + words.heading(sheet.columns().get(sheet.column(column))) + ": "
                                + words.cell(cell)));
                if (heat >= 0 && cell.drawn() > 0) {
                    shapes.add(new Text(
                            x + step / 2 - 0.7,
                            y + 16,
                            step,
                            Side.MIDDLE,
                            heat >= 5 ? "onheat" : "offheat",
                            inside(cell)));
                }
                x += step;
            }
            y += tall;
        }
        if (most > 0) {
            Kind kind = sheet.columns().get(sheet.column(chart.values().get(0))).kind();
            y += 6;
            String low = words.cell(new Cell(kind, Optional.of(Math.min(least, most))));
            shapes.add(new Text(left + 70, y + 11, 70, Side.END, "soft", low));
            for (int heat = 0; heat <= 9; heat++) {
                shapes.add(new Box(left + 76 + heat * 16.0, y, 16, 13, "heat" + heat, ""));
            }
            shapes.add(new Text(
                    left + 242, y + 11, 90, Side.START, "soft", words.cell(new Cell(kind, Optional.of(most)))));
            y += 16;
        }
        return new Drawing(width, (int) y + 4, title, shapes);
    }

    /** What fits into a cell. */
    private String inside(Cell cell) {
        if (cell.kind() == Kind.RATIO) {
            double percent = cell.drawn() * 100;
            return percent < 0.5 ? "<1" : String.valueOf(Math.round(percent));
        }
        double value = cell.drawn();
        if (cell.kind() == Kind.LENGTH) { // hours
            return value < 1800 ? "<1" : String.valueOf(Math.round(value / 3600));
        }
        return words.cell(value < 10 ? cell : Cell.count(Math.round(value)));
    }
}
