package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Sheet.Column;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.text.Table;
import java.util.ArrayList;
import java.util.List;

/** A report for terminals: figures, advice, and the tables that fit. Confined to one thread. */
final class ReportText {
    private static final int MOST_ROWS = 20;
    private static final int WIDTH = 100;

    private final Report report;
    private final Words words;

    ReportText(Report report, Words words) {
        this.report = report;
        this.words = words;
    }

    String page() {
        StringBuilder page = first();
        table(page, report.whole());
        report.sections().stream()
                .filter(section -> section.onPage() > 0
                        && section.chart()
                                .filter(chart -> chart instanceof Chart.HeatMap)
                                .isEmpty())
                .forEach(section -> table(page, section));
        page.append('\n').append(words.text("title.sources")).append('\n');
        report.sources().forEach(say -> page.append(Plain.wrap(words.say(say), WIDTH, "  "))
                .append('\n'));
        return page.toString();
    }

    /** What is read first, each figure a paragraph, in lines that mail programs take. */
    String summary() {
        StringBuilder page = new StringBuilder();
        report.simulated()
                .ifPresent(sentence ->
                        page.append("** ").append(Plain.line(sentence, 300)).append(" **\n\n"));
        page.append(Plain.wrap(title(), 76, "")).append("\n\n");
        report.headline().forEach(figure -> page.append(words.text("figure." + figure.key()))
                .append(": ")
                .append(words.cell(figure.value()))
                .append(' ')
                .append(words.text("unit.gpu-hours"))
                .append('\n')
                .append(Plain.wrap(words.say(figure.explained()), 74, "  "))
                .append("\n\n"));
        page.append(words.text("title.advice")).append('\n');
        int number = 1;
        for (Report.Advice advice : report.advice()) {
            page.append(number++)
                    .append(". ")
                    .append(Plain.wrap(words.say(advice.say()), 74, "   ").strip())
                    .append('\n');
        }
        return page.append('\n')
                .append(Plain.wrap(words.text("mail.attached"), 76, ""))
                .append('\n')
                .toString();
    }

    private String title() {
        return Plain.line(report.site(), 60) + ", " + report.period().name() + ": "
                + words.say(Say.of(
                        "lead",
                        Cell.time(report.period().from()),
                        Cell.time(report.period().to()),
                        Cell.text(report.zone().getId())));
    }

    private StringBuilder first() {
        StringBuilder page = new StringBuilder();
        report.simulated()
                .ifPresent(sentence ->
                        page.append("** ").append(Plain.line(sentence, 300)).append(" **\n"));
        page.append(title()).append("\n\n");
        report.headline()
                .forEach(figure -> page.append(String.format(
                        "%-22s %10s  %s%n",
                        words.text("figure." + figure.key()),
                        words.cell(figure.value()),
                        words.say(figure.explained()))));
        page.append('\n');
        int number = 1;
        for (Report.Advice advice : report.advice()) {
            String lines = Plain.wrap(words.say(advice.say()), WIDTH, "   ");
            page.append(number++).append(". ").append(lines.strip()).append('\n');
        }
        return page;
    }

    private static int most(Section section) {
        return Math.max(MOST_ROWS, section.onPage() > 25 ? section.onPage() : 0);
    }

    private void table(StringBuilder page, Section section) {
        page.append('\n').append(words.text("title." + section.id())).append('\n');
        section.says().forEach(say -> page.append(Plain.wrap(words.say(say), WIDTH, ""))
                .append('\n'));
        List<Column> columns = section.sheet().columns();
        List<String[]> rows = new ArrayList<>();
        rows.add(columns.stream().filter(Column::onPage).map(words::heading).toArray(String[]::new));
        section.sheet().rows().stream().limit(most(section)).forEach(row -> {
            List<String> cells = new ArrayList<>();
            for (int i = 0; i < row.size(); i++) {
                if (columns.get(i).onPage()) {
                    cells.add(words.cell(row.get(i)));
                }
            }
            rows.add(cells.toArray(String[]::new));
        });
        if (rows.size() > 1) {
            page.append(Table.render(rows, WIDTH));
        }
        if (section.sheet().rows().size() > most(section)) {
            page.append(words.say(Say.of(
                            "more",
                            Cell.count(section.sheet().rows().size() - most(section)),
                            Cell.text(section.sheet().id() + ".csv"))))
                    .append('\n');
        }
    }
}
