package io.fairwatch.collector.notice;

import io.fairwatch.collector.notice.LetterWriter.Block;
import io.fairwatch.collector.notice.LetterWriter.Facts;
import io.fairwatch.collector.notice.LetterWriter.Gpu;
import io.fairwatch.collector.text.Plain;
import java.util.ArrayList;
import java.util.List;

/** The letter as plain text, 76 columns wide. */
final class TextLetter {
    private static final int WIDTH = 76;

    private final Texts texts;
    private final List<String> blocks = new ArrayList<>();

    private TextLetter(Texts texts) {
        this.texts = texts;
    }

    static String write(Facts facts) {
        return new TextLetter(facts.texts()).letter(facts);
    }

    private String letter(Facts facts) {
        facts.simulated().ifPresent(sentence -> blocks.add(Plain.wrap("*** " + sentence + " ***", WIDTH, "")));
        blocks.add(facts.greeting());
        facts.opening().forEach(sentence -> blocks.add(Plain.wrap(sentence, WIDTH, "")));
        facts.blocks().forEach(this::block);
        facts.more().ifPresent(more -> blocks.add(Plain.wrap(more, WIDTH, "")));
        blocks.add(Plain.wrap(facts.help(), WIDTH, ""));
        blocks.add("-".repeat(WIDTH));
        facts.small().forEach(line -> blocks.add(Plain.wrap(line, WIDTH, "")));
        return String.join("\n\n", blocks) + "\n";
    }

    private void block(Block block) {
        block.title().ifPresent(title -> blocks.add(title + "\n" + "=".repeat(Math.min(WIDTH, title.length()))));
        blocks.add(paragraph(block.found(), "  "));
        int name = block.job().stream()
                        .mapToInt(line -> line.name().length())
                        .max()
                        .orElse(0)
                + 2;
        StringBuilder job = new StringBuilder(block.jobTitle());
        for (LetterWriter.Line line : block.job()) {
            job.append("\n  ").append(pad(line.name(), name));
            job.append(Plain.wrap(line.value(), WIDTH, " ".repeat(name + 2)).stripLeading());
        }
        if (!block.job().isEmpty()) {
            blocks.add(job.toString());
        }
        if (!block.gpusTitle().isEmpty()) {
            blocks.add(gpus(block));
        }
        block.stripFrom().ifPresent(title -> blocks.add(strips(block, title)));
        block.held().ifPresent(held -> blocks.add(Plain.wrap(held, WIDTH, "")));
        block.doTitle().ifPresent(blocks::add);
        if (!block.fix().isEmpty()) {
            blocks.add(paragraph(block.fix(), "  "));
        }
        block.scancel()
                .ifPresent(command ->
                        blocks.add(Plain.wrap(command.above(), WIDTH, "  ") + "\n\n      " + command.line()));
        block.answer().ifPresent(link -> blocks.add(Plain.wrap(link.above(), WIDTH, "  ") + "\n\n      " + link.url()));
        block.next().forEach(next -> blocks.add(Plain.wrap(next, WIDTH, "  ")));
    }

    private static String paragraph(List<String> lines, String indent) {
        List<String> out = new ArrayList<>();
        for (String line : lines) {
            String shown = line.startsWith("    ") ? indent + line : Plain.wrap(line, WIDTH, indent);
            out.add(line.isBlank() ? "" : shown);
        }
        return String.join("\n", out);
    }

    private String gpus(Block block) {
        StringBuilder out = new StringBuilder(Plain.wrap(block.gpusTitle(), WIDTH, ""));
        List<String> heads = List.of(
                texts.say("gpu.number"),
                texts.say("gpu.model"),
                texts.say("gpu.mean"),
                texts.say("gpu.max"),
                texts.say("gpu.memory"),
                texts.say("gpu.processes.short"),
                texts.say("gpu.idle"));
        List<List<String>> rows = block.gpus().stream().map(TextLetter::cells).toList();
        int[] widths = heads.stream().mapToInt(String::length).toArray();
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
            if (!block.gpus().get(i).node().equals(node)) {
                node = block.gpus().get(i).node();
                out.append("\n  ")
                        .append(texts.say("gpus.on", "node", node))
                        .append('\n')
                        .append(row(heads, widths));
            }
            out.append('\n').append(row(rows.get(i), widths));
        }
        block.gpusLeftOut().ifPresent(rest -> out.append("\n  ").append(rest));
        if (rows.stream().anyMatch(row -> row.contains("?"))) {
            out.append("\n  ").append(texts.say("gpu.unknown.mark"));
        }
        return out.toString();
    }

    private String strips(Block block, String title) {
        StringBuilder out = new StringBuilder(Plain.wrap(title, WIDTH, ""));
        String node = "";
        boolean several = block.gpus().stream().map(Gpu::node).distinct().count() > 1;
        for (Gpu gpu : block.gpus()) {
            if (gpu.strip().isEmpty()) {
                continue;
            }
            if (several && !gpu.node().equals(node)) {
                node = gpu.node();
                out.append("\n  ").append(texts.say("gpus.on", "node", node));
            }
            String number = known(gpu.number());
            out.append("\n    ")
                    .append(" ".repeat(Math.max(0, 3 - number.length())))
                    .append(number)
                    .append("  |")
                    .append(gpu.strip().get().text())
                    .append('|');
        }
        return out.append("\n")
                .append(Plain.wrap(texts.say("strip.legend"), WIDTH, "  "))
                .toString();
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
