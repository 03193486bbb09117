package io.fairwatch.agent.doctor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairwatch.agent.doctor.Finding.Severity;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * What the doctor found, for people and for programs. Immutable.
 *
 * @param version the agent's
 * @param node under which the agent reports
 * @param findings in the order of the checks
 */
public record Report(String version, String node, List<Finding> findings) {
    private static final int WIDTH = 100;
    private static final String INDENT = " ".repeat(12);

    public Report {
        findings = List.copyOf(findings);
    }

    /** The worst of all findings. */
    public Severity severity() {
        return findings.stream()
                .map(Finding::severity)
                .max(Comparator.naturalOrder())
                .orElse(Severity.FINE);
    }

    /** A page for people. Every finding has a sign and a word; colours only repeat them. */
    public String text(boolean colours) {
        StringBuilder page = new StringBuilder();
        String check = "";
        for (Finding finding : findings) {
            if (!finding.check().equals(check)) {
                check = finding.check();
                page.append(check).append('\n');
            }
            wrap(page, label(finding.severity(), colours), finding.what());
            finding.advice().ifPresent(advice -> wrap(page, INDENT, "To do: " + advice));
        }
        long errors = count(Severity.ERROR);
        long warnings = count(Severity.WARNING);
        return page.append('\n')
                .append(node)
                .append(", fairwatch-agent ")
                .append(version)
                .append(": ")
                .append(errors)
                .append(errors == 1 ? " error, " : " errors, ")
                .append(warnings)
                .append(warnings == 1 ? " warning" : " warnings")
                .append('\n')
                .toString();
    }

    private long count(Severity severity) {
        return findings.stream()
                .filter(finding -> finding.severity() == severity)
                .count();
    }

    private static String label(Severity severity, boolean colours) {
        String label =
                switch (severity) {
                    case FINE -> "  + ok      ";
                    case WARNING -> "  ! warning ";
                    case ERROR -> "  x ERROR   ";
                };
        String colour =
                switch (severity) {
                    case FINE -> "32";
                    case WARNING -> "33";
                    case ERROR -> "31";
                };
        return colours ? "\u001b[" + colour + "m" + label + "\u001b[0m" : label;
    }

    /** Breaks at spaces, so that it reads well in a narrow window. */
    private static void wrap(StringBuilder page, String label, String text) {
        page.append(label);
        int column = INDENT.length();
        for (String word : text.split(" ", -1)) {
            if (column + 1 + word.length() > WIDTH && column > INDENT.length()) {
                page.append('\n').append(INDENT);
                column = INDENT.length();
            } else if (column > INDENT.length()) {
                page.append(' ');
                column++;
            }
            page.append(word);
            column += word.length();
        }
        page.append('\n');
    }

    /** The same for programs. */
    public String json() {
        JsonMapper mapper = new JsonMapper();
        ObjectNode page = mapper.createObjectNode();
        page.put("version", version).put("node", node).put("severity", word(severity()));
        ArrayNode list = page.putArray("findings");
        for (Finding finding : findings) {
            ObjectNode entry = list.addObject();
            entry.put("check", finding.check())
                    .put("severity", word(finding.severity()))
                    .put("what", finding.what());
            finding.advice().ifPresent(advice -> entry.put("advice", advice));
        }
        try {
            return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(page) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e); // a tree of text can always be written
        }
    }

    private static String word(Severity severity) {
        return severity.name().toLowerCase(Locale.ROOT);
    }
}
