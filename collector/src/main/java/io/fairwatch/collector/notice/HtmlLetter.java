package io.fairwatch.collector.notice;

import io.fairwatch.collector.notice.LetterWriter.Facts;
import io.fairwatch.collector.notice.LetterWriter.Gpu;
import io.fairwatch.collector.text.Plain;
import java.util.List;
import java.util.OptionalDouble;

/**
 * The letter as HTML. Styles are inline and colours half transparent or inherited, because many mail programs drop style
 * sheets and some turn colours round: it must be readable on white and on black without either.
 */
final class HtmlLetter {
    private static final String FAINT = "opacity:.75;font-size:13px;line-height:1.45";
    private static final String BOX =
            "border:1px solid rgba(128,128,128,.4);border-radius:6px;padding:10px 14px;margin:0 0 16px";
    private static final String CODE = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:14px;"
            + "background:rgba(128,128,128,.16);border-radius:4px;padding:8px 12px;margin:6px 0 14px;white-space:pre-wrap";
    private static final String HEAD =
            "text-align:left;font-weight:600;font-size:12px;opacity:.75;padding:2px 12px 4px 0;white-space:nowrap;"
                    + "border-bottom:1px solid rgba(128,128,128,.4)";
    private static final String CELL =
            "padding:5px 12px 5px 0;white-space:nowrap;border-bottom:1px solid rgba(128,128,128,.2)";

    private HtmlLetter() {}

    static String write(Facts facts) {
        StringBuilder out = new StringBuilder(6000);
        out.append("""
                <!DOCTYPE html>
                <html lang="en">
                <head>
                <meta charset="utf-8">
                <meta name="viewport" content="width=device-width, initial-scale=1">
                <meta name="color-scheme" content="light dark">
                <meta name="supported-color-schemes" content="light dark">
                """);
        out.append("<title>").append(Plain.html(facts.subject())).append("</title>\n");
        out.append("""
                <style>:root { color-scheme: light dark; }</style>
                </head>
                <body style="margin:0;padding:16px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif;\
                font-size:15px;line-height:1.5">
                <div style="max-width:680px;margin:0 auto">
                """);
        facts.simulated()
                .ifPresent(sentence ->
                        tag(out, "p", BOX + ";border:2px dashed #c77700;font-weight:600", Plain.html(sentence)));
        tag(out, "p", "margin:0 0 12px", Plain.html(facts.greeting()));
        tag(out, "p", "margin:0 0 14px", Plain.html(facts.opening()));
        tag(
                out,
                "p",
                "border-left:4px solid #c77700;padding:4px 0 4px 14px;margin:0 0 18px;font-size:17px;line-height:1.45",
                String.join("<br>", facts.found().stream().map(Plain::html).toList()));
        job(out, facts);
        gpus(out, facts);
        facts.held().ifPresent(held -> tag(out, "p", "margin:0 0 18px", Plain.html(held)));
        tag(out, "h2", "font-size:16px;margin:0 0 6px", "What you can do");
        fix(out, facts.fix());
        facts.scancel().ifPresent(line -> {
            tag(out, "p", "margin:0 0 4px", Plain.html(LetterWriter.ENDING_IT));
            tag(out, "pre", CODE, Plain.html(line));
        });
        tag(out, "p", "margin:0 0 18px", Plain.html(facts.help()));
        out.append("<hr style=\"border:0;border-top:1px solid rgba(128,128,128,.4);margin:0 0 12px\">\n");
        tag(out, "p", FAINT + ";margin:0 0 8px", Plain.html(facts.measured()));
        facts.numbers().ifPresent(numbers -> tag(out, "p", FAINT + ";margin:0 0 8px", Plain.html(numbers)));
        tag(out, "p", FAINT + ";margin:0", Plain.html(facts.closing()));
        return out.append("</div>\n</body>\n</html>\n").toString();
    }

    private static void job(StringBuilder out, Facts facts) {
        out.append("<table role=\"presentation\" style=\"border-collapse:collapse;margin:0 0 18px\">\n");
        for (LetterWriter.Line line : facts.job()) {
            out.append("<tr><td style=\"padding:1px 16px 1px 0;opacity:.75;vertical-align:top;white-space:nowrap\">")
                    .append(Plain.html(line.name()))
                    .append("</td><td style=\"padding:1px 0;overflow-wrap:anywhere\">")
                    .append(Plain.html(line.value()))
                    .append("</td></tr>\n");
        }
        out.append("</table>\n");
    }

    private static void gpus(StringBuilder out, Facts facts) {
        tag(out, "h2", "font-size:16px;margin:0 0 6px", Plain.html(facts.gpusTitle()));
        if (facts.gpus().isEmpty()) {
            return;
        }
        out.append("<div style=\"overflow-x:auto;margin:0 0 14px\">\n")
                .append("<table style=\"border-collapse:collapse;font-size:14px;width:100%\">\n<tr>");
        for (String head : List.of("GPU", "model", "mean", "max", "memory (most)", "processes", "idle since")) {
            out.append("<th style=\"").append(HEAD).append("\">").append(head).append("</th>");
        }
        out.append("</tr>\n");
        String node = "";
        for (Gpu gpu : facts.gpus()) {
            if (!gpu.node().equals(node)) {
                node = gpu.node();
                out.append("<tr><td colspan=\"7\" style=\"padding:7px 0 1px;font-weight:600\">")
                        .append(Plain.html(node))
                        .append("</td></tr>\n");
            }
            out.append("<tr>");
            cell(out, known(gpu.number()));
            cell(out, known(gpu.model()));
            cell(out, known(gpu.mean()) + bar(gpu.meanRatio()));
            cell(out, known(gpu.max()));
            cell(out, known(gpu.memory()));
            cell(out, known(gpu.processes()));
            cell(out, known(gpu.idleSince()));
            out.append("</tr>\n");
        }
        out.append("</table>\n</div>\n");
        facts.gpusLeftOut().ifPresent(rest -> tag(out, "p", FAINT + ";margin:0 0 14px", Plain.html(rest)));
    }

    /** A bar of the mean; nothing where it is unknown, so that it cannot be taken for an empty one. */
    private static String bar(OptionalDouble ratio) {
        if (ratio.isEmpty()) {
            return "";
        }
        long percent = Math.round(100 * Math.min(1, Math.max(0, ratio.getAsDouble())));
        return "<div style=\"width:84px;height:7px;border-radius:4px;background:rgba(128,128,128,.28);margin-top:2px\">"
                + "<div style=\"width:" + percent
                + "%;height:7px;border-radius:4px;background:#2f81c7;font-size:0\"></div></div>";
    }

    private static String known(String text) {
        return text.isEmpty() ? "<span style=\"opacity:.75\">unknown</span>" : Plain.html(text);
    }

    private static void cell(StringBuilder out, String html) {
        out.append("<td style=\"").append(CELL).append("\">").append(html).append("</td>");
    }

    private static void fix(StringBuilder out, List<String> fix) {
        for (String line : fix) {
            if (line.startsWith("    ")) {
                tag(out, "pre", CODE, Plain.html(line.strip()));
            } else if (!line.isBlank()) {
                tag(out, "p", "margin:0 0 8px", Plain.html(line));
            }
        }
    }

    private static void tag(StringBuilder out, String name, String style, String html) {
        out.append('<')
                .append(name)
                .append(" style=\"")
                .append(style)
                .append("\">")
                .append(html);
        out.append("</").append(name).append(">\n");
    }
}
