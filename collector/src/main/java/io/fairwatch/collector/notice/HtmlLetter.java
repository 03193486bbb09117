package io.fairwatch.collector.notice;

import io.fairwatch.collector.notice.LetterWriter.Block;
import io.fairwatch.collector.notice.LetterWriter.Facts;
import io.fairwatch.collector.notice.LetterWriter.Gpu;
import io.fairwatch.collector.text.Plain;
import java.util.List;
import java.util.OptionalDouble;

/**
 * The letter as HTML. Styles are inline and colours half transparent or inherited, because many mail programs drop style
 * sheets and some turn colours round: it must be readable on white and on black without either. Pictures are cells of a
 * table with a colour, because many programs load no images.
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
    private static final String CELL = "padding:5px 12px 3px 0;white-space:nowrap";
    private static final String RULE = ";border-bottom:1px solid rgba(128,128,128,.2)";
    private static final String IDLE = "#e08e2b";
    private static final List<String> SHADES = List.of("#a3cdf0", "#63a9e0", "#2f81c7", "#1b5c99");

    private HtmlLetter() {}

    static String write(Facts facts) {
        StringBuilder out = new StringBuilder(8000);
        out.append("<!DOCTYPE html>\n<html lang=\"")
                .append(Plain.html(facts.texts().language()))
                .append("""
                        ">
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
        facts.opening().forEach(sentence -> tag(out, "p", "margin:0 0 14px", Plain.html(sentence)));
        facts.blocks().forEach(block -> block(out, facts.texts(), block));
        facts.more().ifPresent(more -> tag(out, "p", "margin:0 0 18px", Plain.html(more)));
        tag(out, "p", "margin:0 0 18px", Plain.html(facts.help()));
        out.append("<hr style=\"border:0;border-top:1px solid rgba(128,128,128,.4);margin:0 0 12px\">\n");
        facts.small().forEach(line -> tag(out, "p", FAINT + ";margin:0 0 8px", Plain.html(line)));
        return out.append("</div>\n</body>\n</html>\n").toString();
    }

    private static void block(StringBuilder out, Texts texts, Block block) {
        block.title()
                .ifPresent(title -> tag(
                        out,
                        "h2",
                        "font-size:18px;margin:26px 0 10px;padding-top:14px;border-top:1px solid rgba(128,128,128,.4);"
                                + "overflow-wrap:anywhere",
                        Plain.html(title)));
        tag(
                out,
                "p",
                "border-left:4px solid #c77700;padding:4px 0 4px 14px;margin:0 0 18px;font-size:17px;line-height:1.45",
                String.join("<br>", block.found().stream().map(Plain::html).toList()));
        if (!block.job().isEmpty()) {
            job(out, block);
        }
        if (!block.gpusTitle().isEmpty()) {
            gpus(out, texts, block);
        }
        block.held().ifPresent(held -> tag(out, "p", "margin:0 0 18px", Plain.html(held)));
        block.doTitle().ifPresent(title -> tag(out, "h3", "font-size:16px;margin:0 0 6px", Plain.html(title)));
        fix(out, block.fix());
        block.scancel().ifPresent(command -> {
            tag(out, "p", "margin:0 0 4px", Plain.html(command.above()));
            tag(out, "pre", CODE, Plain.html(command.line()));
        });
        block.answer().ifPresent(link -> {
            tag(out, "p", "margin:0 0 6px", Plain.html(link.above()));
            out.append("<p style=\"margin:0 0 18px\"><a href=\"")
                    .append(Plain.html(link.url()))
                    .append("\" style=\"display:inline-block;padding:8px 14px;border-radius:6px;background:#1d65a6;")
                    .append("color:#ffffff;text-decoration:none;font-weight:600\">")
                    .append(Plain.html(link.label()))
                    .append("</a></p>\n");
        });
        block.next().forEach(next -> tag(out, "p", BOX + ";border-left:4px solid #c0392b", Plain.html(next)));
    }

    private static void job(StringBuilder out, Block block) {
        out.append("<table role=\"presentation\" style=\"border-collapse:collapse;margin:0 0 18px\">\n");
        for (LetterWriter.Line line : block.job()) {
            out.append("<tr><td style=\"padding:1px 16px 1px 0;opacity:.75;vertical-align:top;white-space:nowrap\">")
                    .append(Plain.html(line.name()))
                    .append("</td><td style=\"padding:1px 0;overflow-wrap:anywhere\">")
                    .append(Plain.html(line.value()))
                    .append("</td></tr>\n");
        }
        out.append("</table>\n");
    }

    private static void gpus(StringBuilder out, Texts texts, Block block) {
        tag(out, "h3", "font-size:16px;margin:0 0 6px", Plain.html(block.gpusTitle()));
        if (block.gpus().isEmpty()) {
            return;
        }
        out.append("<div style=\"overflow-x:auto;margin:0 0 14px\">\n")
                .append("<table style=\"border-collapse:collapse;font-size:14px;width:100%\">\n<tr>");
        for (String head : List.of("number", "model", "mean", "max", "memory", "processes", "idle")) {
            out.append("<th style=\"")
                    .append(HEAD)
                    .append("\">")
                    .append(Plain.html(texts.say("gpu." + head)))
                    .append("</th>");
        }
        out.append("</tr>\n");
        String node = "";
        for (Gpu gpu : block.gpus()) {
            if (!gpu.node().equals(node)) {
                node = gpu.node();
                out.append("<tr><td colspan=\"7\" style=\"padding:7px 0 1px;font-weight:600\">")
                        .append(Plain.html(node))
                        .append("</td></tr>\n");
            }
            String style = gpu.strip().isPresent() ? CELL : CELL + RULE;
            out.append("<tr>");
            cell(out, style, known(texts, gpu.number()));
            cell(out, style, known(texts, gpu.model()));
            cell(out, style, known(texts, gpu.mean()) + (gpu.strip().isPresent() ? "" : bar(gpu.meanRatio())));
            cell(out, style, known(texts, gpu.max()));
            cell(out, style, known(texts, gpu.memory()));
            cell(out, style, known(texts, gpu.processes()));
            cell(out, style, known(texts, gpu.idleSince()));
            out.append("</tr>\n");
            gpu.strip().ifPresent(strip -> strip(out, strip));
        }
        out.append("</table>\n</div>\n");
        block.stripLegend().ifPresent(legend -> tag(out, "p", FAINT + ";margin:0 0 14px", Plain.html(legend)));
        block.gpusLeftOut().ifPresent(rest -> tag(out, "p", FAINT + ";margin:0 0 14px", Plain.html(rest)));
    }

    /** Neighbours of one shade are one cell, so that an idle day is one cell too. */
    private static void strip(StringBuilder out, Strip strip) {
        out.append("<tr><td colspan=\"7\" style=\"padding:0 0 7px")
                .append(RULE)
                .append("\"><table role=\"presentation\" width=\"100%\" cellspacing=\"0\" cellpadding=\"0\" ")
                .append("style=\"border-collapse:collapse;table-layout:fixed;width:100%\"><tr>");
        int parts = strip.parts().size();
        for (int from = 0; from < parts; ) {
            int shade = strip.shade(from);
            int to = from;
            while (to < parts && strip.shade(to) == shade) {
                to++;
            }
            String colour = shade < 0 ? "" : shade == 0 ? IDLE : SHADES.get(shade - 1);
            out.append("<td width=\"")
                    .append(Math.round(100.0 * (to - from) / parts))
                    .append("%\" ")
                    .append(colour.isEmpty() ? "" : "bgcolor=\"" + colour + "\" ")
                    .append("style=\"height:10px;font-size:1px;line-height:10px;padding:0;")
                    .append(
                            colour.isEmpty()
                                    ? "border-top:1px dashed rgba(128,128,128,.6);border-bottom:1px dashed"
                                            + " rgba(128,128,128,.6)"
                                    : "background:" + colour)
                    .append("\">&nbsp;</td>");
            from = to;
        }
        out.append("</tr></table></td></tr>\n");
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

    private static String known(Texts texts, String text) {
        return text.isEmpty()
                ? "<span style=\"opacity:.75\">" + Plain.html(texts.say("gpu.unknown")) + "</span>"
                : Plain.html(text);
    }

    private static void cell(StringBuilder out, String style, String html) {
        out.append("<td style=\"").append(style).append("\">").append(html).append("</td>");
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
