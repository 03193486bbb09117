package io.fairwatch.agent.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A page in Prometheus' text format 0.0.4, read strictly: each family has one TYPE before its samples, its samples stand
 * together, and no two have the same labels.
 *
 * @param types by family
 * @param samples in order
 */
record Exposition(Map<String, String> types, List<Sample> samples) {
    private static final Pattern HELP = Pattern.compile("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) .*");
    private static final Pattern TYPE = Pattern.compile("# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (gauge|counter)");
    private static final Pattern SAMPLE =
            Pattern.compile("([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\\{(.*)})? (-?[0-9][0-9.E+-]*|NaN)");
    private static final Pattern LABEL =
            Pattern.compile("([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\\]|\\\\[\\\\\"n])*)\"(,|$)");

    private static final Pattern ESCAPED = Pattern.compile("\\\\(.)");

    /** One line. */
    record Sample(String name, Map<String, String> labels, double value) {
        /** A label that is not there is an empty one, as for Prometheus. */
        String label(String label) {
            return labels.getOrDefault(label, "");
        }
    }

    static Exposition parse(String page) {
        Map<String, String> types = new HashMap<>();
        List<Sample> samples = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        String current = "";
        assertTrue(page.endsWith("\n"), "the last line ends, too");
        for (String line : page.substring(0, page.length() - 1).split("\n", -1)) {
            Matcher type = TYPE.matcher(line);
            Matcher sample = SAMPLE.matcher(line);
            if (type.matches()) {
                current = type.group(1);
                assertEquals(null, types.put(current, type.group(2)), current + " twice");
            } else if (!HELP.matcher(line).matches()) {
                assertTrue(sample.matches(), line);
                assertEquals(current, sample.group(1), "samples of a family stand below its type");
                Map<String, String> labels = labels(sample.group(2) == null ? "" : sample.group(2));
                assertTrue(seen.add(current + labels), line);
                samples.add(new Sample(current, labels, Double.parseDouble(sample.group(3))));
            }
        }
        return new Exposition(types, samples);
    }

    private static Map<String, String> labels(String text) {
        Map<String, String> labels = new TreeMap<>();
        Matcher label = LABEL.matcher(text);
        int at = 0;
        while (at < text.length()) {
            assertTrue(label.find(at) && label.start() == at, text);
            String value = ESCAPED.matcher(label.group(2))
                    .replaceAll(found -> found.group(1).equals("n") ? "\n" : Matcher.quoteReplacement(found.group(1)));
            assertEquals(null, labels.put(label.group(1), value), text);
            at = label.end();
        }
        return labels;
    }

    /** All samples of a name. */
    List<Sample> of(String name) {
        return samples.stream().filter(sample -> sample.name().equals(name)).toList();
    }

    /** The only sample of a name with such a label. */
    Sample only(String name, String label, String value) {
        List<Sample> found = of(name).stream()
                .filter(sample -> sample.label(label).equals(value))
                .toList();
        assertEquals(1, found.size(), name + " with " + label + "=" + value + ": " + found);
        return found.get(0);
    }
}
