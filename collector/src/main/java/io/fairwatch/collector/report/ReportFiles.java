package io.fairwatch.collector.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairwatch.collector.report.Report.Scope;
import io.fairwatch.collector.report.Sheet.Column;
import io.fairwatch.collector.report.Words.Language;
import io.fairwatch.collector.text.Csv;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** A report in every form in which it leaves. The same report makes the same bytes. Immutable. */
public final class ReportFiles {
    /** No time of day of ours gets into an archive. */
    private static final long EPOCH_OF_ZIP =
            Instant.parse("1980-01-01T00:00:00Z").toEpochMilli();

    private final Report report;
    private final Language language;

    /** @param language {@code en} or {@code da} */
    public ReportFiles(Report report, String language) {
        this.report = report;
        this.language = Language.of(language);
    }

    private Words words() {
        return new Words(language, report.zone());
    }

    /** One page for browsers and printers. */
    public String html() {
        return new ReportHtml(report, words(), ReportHtml.For.BROWSER).page();
    }

    /** The same as PDF. */
    public byte[] pdf() throws IOException {
        return ReportPdf.write(
                new ReportHtml(report, words(), ReportHtml.For.PDF).page(),
                report.site() + ", " + report.period().name(),
                report.period().to());
    }

    /** For terminals. */
    public String text() {
        return new ReportText(report, words()).page();
    }

    /** Figures and advice, for a letter. */
    String summary() {
        return new ReportText(report, words()).summary();
    }

    /** One table for other programs, in base units; what is unknown is empty. */
    public String csv(Sheet sheet) {
        StringBuilder csv = new StringBuilder();
        for (Column column : sheet.columns()) {
            csv.append(csv.isEmpty() ? "" : ",").append(column.fileName());
        }
        csv.append('\n');
        sheet.rows().forEach(row -> {
            for (int i = 0; i < row.size(); i++) {
                csv.append(i == 0 ? "" : ",").append(plain(row.get(i)));
            }
            csv.append('\n');
        });
        return csv.toString();
    }

    /** The table with this name. */
    public Optional<Sheet> sheet(String id) {
        return id.equals("whole")
                ? Optional.of(report.whole().sheet())
                : report.section(id).map(Section::sheet);
    }

    /** Everything held, divided by one thing after another, in one table. */
    public String csv() {
        StringBuilder csv = new StringBuilder("by,name,runs,allocated_gpu_seconds,seen_gpu_seconds,used_gpu_seconds,"
                + "idle_gpu_seconds,outside_gpu_seconds,simulated\n");
        String simulated = report.simulated().isPresent() ? "yes" : "no";
        for (Section section : report.sections()) {
            Sheet sheet = section.sheet();
            if (!section.id().startsWith("by-")) {
                continue;
            }
            if (section.id().equals("by-account")) {
                double[] sums = new double[6];
                sheet.rows().forEach(row -> {
                    int at = 0;
                    for (String column : USE) {
                        sums[at++] += row.get(sheet.column(column)).drawn();
                    }
                });
                csv.append("all,all");
                for (double sum : sums) {
                    csv.append(',').append(plain(sum));
                }
                csv.append(',').append(simulated).append('\n');
            }
            sheet.rows().forEach(row -> {
                csv.append(section.id().substring(3)).append(',').append(plain(row.get(0)));
                for (String column : USE) {
                    csv.append(',').append(plain(row.get(sheet.column(column))));
                }
                csv.append(',').append(simulated).append('\n');
            });
        }
        return csv.toString();
    }

    private static final java.util.List<String> USE =
            java.util.List.of("runs", "held", "seen", "used", "idle", "outside");

    private String plain(Cell cell) {
        if (cell.value().isEmpty()) {
            return "";
        }
        Object value = cell.value().get();
        if (value instanceof Double number) {
            return plain(number);
        }
        return switch (cell.kind()) {
            case WORD -> Csv.quoted(new Words(Language.EN, report.zone()).text((String) value));
            case TEXT -> Csv.quoted((String) value);
            default -> value.toString();
        };
    }

    private static String plain(double number) {
        return BigDecimal.valueOf(Math.round(number * 1e6), 6)
                .stripTrailingZeros()
                .toPlainString();
    }

    /** For other programs: every table, every sentence and what the figures rest on. */
    public String json() {
        JsonMapper mapper = new JsonMapper();
        ObjectNode root = mapper.createObjectNode();
        root.put("period", report.period().name());
        root.put("from", report.period().from().toString());
        root.put("to", report.period().to().toString());
        root.put("site", report.site());
        root.put("zone", report.zone().getId());
        if (report.of() instanceof Scope.Person person) {
            root.put("user", person.user());
        } else if (report.of() instanceof Scope.Accounts accounts) {
            root.put("account", accounts.account());
        }
        report.simulated().ifPresent(sentence -> root.put("simulated", sentence));
        Words words = words();
        ObjectNode headline = root.putObject("headline");
        report.headline().forEach(figure -> {
            ObjectNode one = headline.putObject(figure.key());
            put(one, "gpu_seconds", figure.value());
            one.put("explained", words.say(figure.explained()));
        });
        ArrayNode advice = root.putArray("advice");
        report.advice()
                .forEach(one -> advice.addObject().put("section", one.section()).put("text", words.say(one.say())));
        ObjectNode tables = root.putObject("tables");
        put(tables, report.whole(), words);
        report.sections().forEach(section -> put(tables, section, words));
        ArrayNode sources = root.putArray("sources");
        report.sources().forEach(say -> sources.add(words.say(say)));
        try {
            return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n";
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e); // a tree that Jackson cannot write is our bug
        }
    }

    private void put(ObjectNode tables, Section section, Words words) {
        ObjectNode node = tables.putObject(section.id());
        node.put("title", words.text("title." + section.id()));
        ArrayNode says = node.putArray("says");
        section.says().forEach(say -> says.add(words.say(say)));
        section.notes().forEach(say -> says.add(words.say(say)));
        ArrayNode rows = node.putArray("rows");
        Sheet sheet = section.sheet();
        sheet.rows().forEach(row -> {
            ObjectNode one = rows.addObject();
            for (int i = 0; i < row.size(); i++) {
                put(one, sheet.columns().get(i).fileName(), row.get(i));
            }
        });
    }

    private void put(ObjectNode node, String name, Cell cell) {
        if (cell.value().isEmpty()) {
            node.putNull(name);
            return;
        }
        Object value = cell.value().get();
        if (value instanceof Long number) {
            node.put(name, number);
        } else if (value instanceof Double number) {
            node.put(name, new BigDecimal(plain(number)));
        } else if (cell.kind() == Cell.Kind.WORD) {
            node.put(name, new Words(Language.EN, report.zone()).text((String) value));
        } else {
            node.put(name, value.toString());
        }
    }

    /**
     * All of it: page, PDF, JSON, a CSV file for each table, and scripts.
     *
     * @param more further files by name
     */
    public Map<String, byte[]> all(Map<String, byte[]> more) throws IOException {
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put("report.html", html().getBytes(StandardCharsets.UTF_8));
        files.put("report.pdf", pdf());
        files.put("report.json", json().getBytes(StandardCharsets.UTF_8));
        files.put("report.txt", text().getBytes(StandardCharsets.UTF_8));
        files.put("tables/all.csv", csv().getBytes(StandardCharsets.UTF_8));
        files.put("tables/whole.csv", csv(report.whole().sheet()).getBytes(StandardCharsets.UTF_8));
        report.sections()
                .forEach(section -> files.put(
                        "tables/" + section.id() + ".csv", csv(section.sheet()).getBytes(StandardCharsets.UTF_8)));
        report.scripts()
                .forEach(script ->
                        files.put("scripts/" + script.name(), script.text().getBytes(StandardCharsets.UTF_8)));
        files.putAll(more);
        return files;
    }

    /** The same in one archive. */
    public byte[] zip(Map<String, byte[]> more) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 18);
        try (ZipOutputStream zip = new ZipOutputStream(out)) {
            for (Map.Entry<String, byte[]> file : all(more).entrySet()) {
                ZipEntry entry = new ZipEntry(file.getKey());
                entry.setTime(EPOCH_OF_ZIP);
                zip.putNextEntry(entry);
                zip.write(file.getValue());
                zip.closeEntry();
            }
        }
        return out.toByteArray();
    }
}
