package io.fairwatch.collector.notice;

import io.fairwatch.collector.notice.LetterWriter.Facts;
import io.fairwatch.collector.notice.LetterWriter.Gpu;
import io.fairwatch.collector.text.Plain;
import java.util.ArrayList;
import java.util.List;

/** The letter as plain text, 76 columns wide. */
final class TextLetter {
    private static final int WIDTH = 76;
    private static final List<String> HEADS =
            List.of("GPU", "model", "mean", "max", "memory (most)", "procs", "idle since");

    private TextLetter() {}

    static String write(Facts facts) {
        List<String> blocks = new ArrayList<>();
        facts.simulated().ifPresent(sentence -> blocks.add(Plain.wrap("*** " + sentence + " ***", WIDTH, "")));
        blocks.add(facts.greeting());
        blocks.add(Plain.wrap(facts.opening(), WIDTH, ""));
        blocks.add(paragraph(facts.found(), "  "));
        StringBuilder job = new StringBuilder("Your job");
        for (LetterWriter.Line line : facts.job()) {
            job.append("\n  ").append(pad(line.name(), 12));
            job.append(Plain.wrap(line.value(), WIDTH, " ".repeat(14)).stripLeading());
        }
        blocks.add(job.toString());
        blocks.add(gpus(facts));
        facts.held().ifPresent(held -> blocks.add(Plain.wrap(held, WIDTH, "")));
        blocks.add("What you can do");
        if (!facts.fix().isEmpty()) {
            blocks.add(paragraph(facts.fix(), "  "));
        }
        facts.scancel().ifPresent(line -> blocks.add("  " + LetterWriter.ENDING_IT + "\n\n      " + line));
        blocks.add(Plain.wrap(facts.help(), WIDTH, "  "));
        blocks.add("-".repeat(WIDTH));
        blocks.add(Plain.wrap(facts.measured(), WIDTH, ""));
        facts.numbers().ifPresent(numbers -> blocks.add(Plain.wrap(numbers, WIDTH, "")));
        blocks.add(Plain.wrap(facts.closing(), WIDTH, ""));
        return String.join("\n\n", blocks) + "\n";
    }

    private static String paragraph(List<String> lines, String indent) {
        List<String> out = new ArrayList<>();
        for (String line : lines) {
            String shown = line.startsWith("    ") ? indent + line : Plain.wrap(line, WIDTH, indent);
            out.add(line.isBlank() ? "" : shown);
        }
        return String.join("\n", out);
    }

    private static String gpus(Facts facts) {
        StringBuilder out = new StringBuilder(Plain.wrap(facts.gpusTitle(), WIDTH, ""));
        List<List<String>> rows = facts.gpus().stream().map(TextLetter::cells).toList();
        int[] widths = HEADS.stream().mapToInt(String::length).toArray();
        for (List<String> row : rows) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        int all = 4 + 2 * (widths.length - 1);
        for (int width : widths) {
            all += width;
        }
        widths[1] = Math.max(8, widths[1] - Math.max(0, all - WIDTH));
        String node = "";
        for (int i = 0; i < rows.size(); i++) {
            if (!facts.gpus().get(i).node().equals(node)) {
                node = facts.gpus().get(i).node();
                out.append("\n  on ").append(node).append('\n').append(row(HEADS, widths));
            }
            out.append('\n').append(row(rows.get(i), widths));
        }
        facts.gpusLeftOut().ifPresent(rest -> out.append("\n  ").append(rest));
        if (rows.stream().anyMatch(row -> row.contains("?"))) {
            out.append("\n  ? means unknown: it was not told or not measured.");
        }
        return out.toString();
    }

    private static List<String> cells(Gpu gpu) {
        return List.of(
                known(gpu.number()),
                known(gpu.model()),
                known(gpu.mean()),
                known(gpu.max()),
                known(gpu.memory()),
                known(gpu.processes()),
                known(gpu.idleSince()));
    }

    private static String known(String text) {
        return text.isEmpty() ? "?" : text;
    }

    private static String row(List<String> cells, int[] widths) {
        StringBuilder out = new StringBuilder("   ");
        for (int i = 0; i < widths.length; i++) {
            String cell = cells.get(i);
            String cut = cell.length() > widths[i] ? cell.substring(0, widths[i] - 1) + "~" : cell;
            boolean left = i == 1 || i == widths.length - 1;
            out.append(i == 0 ? " " : "  ")
                    .append(left ? pad(cut, widths[i]) : " ".repeat(widths[i] - cut.length()) + cut);
        }
        return out.toString().stripTrailing();
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()));
    }
}
