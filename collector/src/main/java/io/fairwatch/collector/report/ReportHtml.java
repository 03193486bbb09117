package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Report.Advice;
import io.fairwatch.collector.report.Report.Figure;
import io.fairwatch.collector.report.Report.Scope;
import io.fairwatch.collector.report.Sheet.Column;
import io.fairwatch.collector.text.Plain;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A report as one page that needs nothing else: no network, no script. What browsers show and what the PDF is made of
 * differ in the way charts are drawn and in the style sheet. Confined to one thread.
 */
final class ReportHtml {
    /** A table up to this many rows is not divided between pages. */
    private static final int SHORT = 12;

    private static final int SCREEN_WIDTH = 900;

    /** What a page of A4 has between its margins. */
    private static final int PDF_WIDTH = 680;

    /** For whom the page is made. */
    enum For {
        BROWSER,
        PDF
    }

    private final Report report;
    private final Words words;
    private final ChartDrawer drawer;
    private final For reader;
    private final StringBuilder html = new StringBuilder(1 << 16);

    ReportHtml(Report report, Words words, For reader) {
        this.report = report;
        this.words = words;
        this.drawer =
                reader == For.PDF ? new ChartDrawer(words, PDF_WIDTH, 4.9) : new ChartDrawer(words, SCREEN_WIDTH, 6.5);
        this.reader = reader;
    }

    String page() {
        html.append("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"")
                .append(words.code())
                .append("\"><head><meta charset=\"utf-8\"/>")
                .append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>")
                .append("<meta name=\"color-scheme\" content=\"light dark\"/><title>");
        text(title());
        html.append("</title><style>")
                .append(resource("report.css"))
                .append(resource(reader == For.PDF ? "report-pdf.css" : "report-screen.css"))
                .append("</style></head><body><main>\n");
        first();
        contents();
        shown().forEach(this::section);
        sources();
        html.append("</main></body></html>\n");
        return html.toString();
    }

    private String title() {
        String of =
                switch (kind()) {
                    case "person" -> ((Scope.Person) report.of()).user();
                    case "account" -> ((Scope.Accounts) report.of()).account();
                    default -> report.site();
                };
        return words.say(Say.of(
                "title.report." + kind(),
                Cell.text(of),
                Cell.text(report.period().name())));
    }

    private String kind() {
        if (report.of() instanceof Scope.Person) {
            return "person";
        }
        return report.of() instanceof Scope.Accounts ? "account" : "cluster";
    }

    // ---- the first page

    private void first() {
        html.append("<header><h1>");
        text(title());
        html.append("</h1><p class=\"lead\">");
        text(words.say(Say.of(
                "lead",
                Cell.time(report.period().from()),
                Cell.time(report.period().to()),
                Cell.text(report.zone().getId()))));
        html.append("</p>");
        report.simulated().ifPresent(sentence -> {
            html.append("<p class=\"simulated\">");
            text(Plain.line(sentence, 300));
            html.append("</p>");
        });
        html.append("</header>\n<table class=\"figures\"><tr>");
        for (Figure figure : report.headline()) {
            html.append("<td class=\"figure ").append(figure.key()).append("\"><div class=\"name\">");
            text(words.text("figure." + figure.key()));
            html.append("</div><div class=\"number\">");
            text(words.cell(figure.value()));
            html.append("</div><div class=\"unit\">");
            text(words.text("unit.gpu-hours"));
            html.append("</div><div class=\"explained\">");
            text(words.say(figure.explained()));
            html.append("</div></td>");
        }
        html.append("</tr></table>\n");
        html.append("<div class=\"block\"><div class=\"keep\"><h2>");
        text(words.text("title.whole"));
        html.append("</h2>");
        body(report.whole());
        html.append("</div>\n");
        html.append("<div class=\"block advice\"><h2>");
        text(words.text("title.advice"));
        html.append("</h2>");
        if (report.advice().isEmpty()) {
            html.append("<p>");
            text(words.text("advice.none"));
            html.append("</p>");
        } else {
            html.append("<ol>");
            for (Advice advice : report.advice()) {
                html.append("<li>");
                text(words.say(advice.say()));
                html.append(" <a href=\"#").append(advice.section()).append("\">");
                text(words.text("title." + advice.section()));
                html.append("</a></li>");
            }
            html.append("</ol>");
        }
        html.append("</div>\n");
    }

    private void contents() {
        html.append("<nav class=\"contents\"><h2>");
        text(words.text("title.contents"));
        html.append("</h2><ul>");
        for (Section section : shown()) {
            html.append("<li><a href=\"#").append(section.id()).append("\">");
            text(words.text("title." + section.id()));
            html.append("</a></li>");
        }
        html.append("<li><a href=\"#sources\">");
        text(words.text("title.sources"));
        html.append("</a></li></ul></nav>\n");
    }

    // ---- sections

    private List<Section> shown() {
        return report.sections().stream()
                .filter(section -> section.onPage() > 0)
                .toList();
    }

    private void section(Section section) {
        html.append("<section id=\"").append(section.id()).append("\"><div class=\"keep\"><h2>");
        text(words.text("title." + section.id()));
        html.append("</h2>");
        body(section);
        html.append("</section>\n");
    }

    private void body(Section section) {
        if (words.has("intro." + section.id())) {
            html.append("<p class=\"intro\">");
            text(words.text("intro." + section.id()));
            html.append("</p>");
        }
        for (Say say : section.says()) {
            html.append("<p>");
            text(words.say(say));
            html.append("</p>");
        }
        Optional<Drawing> drawing = drawer.draw(section);
        drawing.ifPresent(chart -> html.append("<div class=\"figurebox\">")
                .append(reader == For.PDF ? chart.boxes() : chart.svg())
                .append("</div>"));
        // a heading stays with its chart, or with its table where there is none
        boolean alone = drawing.isEmpty()
                && !section.sheet().rows().isEmpty()
                && section.sheet().rows().size() <= SHORT;
        html.append(alone ? "" : "</div>");
        // a heat map is its own table when its cells bear the numbers: browsers still get it for those who cannot see
        // it
        if (!section.sheet().rows().isEmpty()) {
            table(section);
        }
        html.append(alone ? "</div>" : "");
        for (Say note : section.notes()) {
            html.append("<p class=\"note\">");
            text(words.say(note));
            html.append("</p>");
        }
    }

    private void table(Section section) {
        Sheet sheet = section.sheet();
        boolean wide =
                section.chart().filter(chart -> chart instanceof Chart.HeatMap).isPresent();
        html.append("<table class=\"sheet")
                .append(wide ? " wide" : "")
                .append(sheet.rows().size() <= SHORT ? " short" : "")
                .append("\"><thead><tr>");
        List<Column> columns = sheet.columns();
        for (Column column : columns) {
            if (column.onPage()) {
                html.append("<th").append(Words.isNumber(column) ? " class=\"n\">" : ">");
                text(words.heading(column));
                html.append("</th>");
            }
        }
        html.append("</tr></thead><tbody>");
        sheet.rows().stream().limit(section.onPage()).forEach(row -> {
            html.append("<tr>");
            for (int i = 0; i < columns.size(); i++) {
                if (columns.get(i).onPage()) {
                    boolean unknown = row.get(i).value().isEmpty();
                    html.append(
                            Words.isNumber(columns.get(i))
                                    ? unknown ? "<td class=\"n unknown\">" : "<td class=\"n\">"
                                    : "<td>");
                    text(words.cell(row.get(i)));
                    html.append("</td>");
                }
            }
            html.append("</tr>");
        });
        html.append("</tbody></table>");
        if (sheet.rows().size() > section.onPage()) {
            html.append("<p class=\"note\">");
            text(words.say(Say.of(
                    "more", Cell.count(sheet.rows().size() - section.onPage()), Cell.text(sheet.id() + ".csv"))));
            html.append("</p>");
        }
    }

    private void sources() {
        html.append("<section id=\"sources\"><h2>");
        text(words.text("title.sources"));
        html.append("</h2><ul>");
        for (Say say : report.sources()) {
            html.append("<li>");
            text(words.say(say));
            html.append("</li>");
        }
        html.append("</ul>");
        if (!report.scripts().isEmpty()) {
            html.append("<p>");
            text(words.text("scripts"));
            html.append("</p><ul>");
            report.scripts().forEach(script -> {
                html.append("<li><code>");
                text(script.name());
                html.append("</code></li>");
            });
            html.append("</ul>");
        }
        html.append("</section>\n");
    }

    private void text(String text) {
        html.append(Plain.html(text));
    }

    private static String resource(String name) {
        try (InputStream in = Objects.requireNonNull(ReportHtml.class.getResourceAsStream(name), name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
