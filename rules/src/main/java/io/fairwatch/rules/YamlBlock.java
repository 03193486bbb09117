package io.fairwatch.rules;

import io.fairwatch.rules.RuleSet.Problem;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.yaml.snakeyaml.DumperOptions.ScalarStyle;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.composer.Composer;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;
import org.yaml.snakeyaml.parser.ParserImpl;
import org.yaml.snakeyaml.reader.StreamReader;
import org.yaml.snakeyaml.resolver.Resolver;

/** A YAML mapping that is read strictly: each key is asked for, and what nobody asked for is a problem. Every value comes
 * with its line, and everything that is wrong is noted rather than thrown. Confined to one thread. */
final class YamlBlock {
    private final Source source;
    private final String path;
    private final int line;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Set<String> asked = new TreeSet<>();

    private YamlBlock(Source source, String path, MappingNode node) {
        this.source = source;
        this.path = path;
        this.line = lineOf(node);
        for (NodeTuple tuple : node.getValue()) {
            if (tuple.getKeyNode() instanceof ScalarNode key && key.getTag().equals(Tag.STR)) {
                Entry entry = new Entry(key.getValue(), lineOf(key), tuple.getValueNode());
                if (entries.put(entry.key(), entry) != null) {
                    problem(entry.line(), "the key " + entry.key() + " is there twice", "each key once");
                }
            } else {
                problem(lineOf(tuple.getKeyNode()), "a key that is not text", "a name");
            }
        }
    }

    /** The file, and where its problems go. */
    private record Source(String file, List<String> lines, List<Problem> problems) {}

    /** A key with its value.
     *
     * @param line of the key, from 1 */
    record Entry(String key, int line, Node value) {}

    /** Text with the line on which it starts.
     *
     * @param line first line of the content, from 1
     * @param byLine whether each line of the value is a line of the file
     * @param insertLines lines of the file on which the inserts of a template start */
    record Text(String value, int line, boolean byLine, List<Integer> insertLines) {
        /** Line in the file of a line of the value. */
        int lineOf(int lineOfValue) {
            return byLine ? line + lineOfValue - 1 : line;
        }

        /** Line in the file of a line of the insert with that number. */
        int lineOfInsert(int insert, int lineOfInsert) {
            int start = insert < insertLines.size() ? insertLines.get(insert) : line;
            return byLine ? start + lineOfInsert - 1 : start;
        }
    }

    /** Reads a whole file; empty if it is no mapping. */
    static Optional<YamlBlock> parse(String file, String text, List<Problem> problems) {
        LoaderOptions options = new LoaderOptions();
        options.setMaxAliasesForCollections(0);
        options.setNestingDepthLimit(20);
        try {
            Node root = new Composer(new ParserImpl(new StreamReader(text), options), new Resolver(), options)
                    .getSingleNode();
            if (root instanceof MappingNode mapping) {
                return Optional.of(new YamlBlock(new Source(file, text.lines().toList(), problems), "", mapping));
            }
            problems.add(new Problem(file, 1, "no keys at all", "one rule: a mapping of keys to values"));
        } catch (MarkedYAMLException e) {
            int line = e.getProblemMark() == null ? 0 : e.getProblemMark().getLine() + 1;
            problems.add(new Problem(file, line, "YAML: " + e.getProblem(), "well-formed YAML, one document"));
        } catch (YAMLException e) {
            problems.add(new Problem(file, 0, "YAML: " + e.getMessage(), "well-formed YAML, one document"));
        }
        return Optional.empty();
    }

    /** Line on which it starts, from 1. */
    int line() {
        return line;
    }

    /** Notes that something is wrong with the value of a key. */
    void problem(int where, String what, String expected) {
        source.problems().add(new Problem(source.file(), where, path + what, expected));
    }

    /** Line of a key, or of the block if it is not there. */
    int lineOf(String key) {
        Entry entry = entries.get(key);
        return entry == null ? line : entry.line();
    }

    boolean has(String key) {
        asked.add(key);
        return entries.containsKey(key);
    }

    /** Text that must be there. */
    Optional<Text> text(String key) {
        return required(key, "text").flatMap(this::textOf);
    }

    Optional<String> name(String key, String form, String expected) {
        return text(key)
                .filter(text -> {
                    boolean fits = text.value().matches(form);
                    if (!fits) {
                        problem(lineOf(key), key + ": " + text.value(), expected);
                    }
                    return fits;
                })
                .map(Text::value);
    }

    Optional<Duration> duration(String key) {
        Optional<Entry> entry = required(key, Durations.EXPECTED);
        Optional<Duration> value = entry.flatMap(this::scalar).flatMap(node -> Durations.parse(node.getValue()));
        if (entry.isPresent() && value.isEmpty()) {
            wrong(entry.get(), Durations.EXPECTED);
        }
        return value;
    }

    Optional<Double> ratio(String key) {
        String expected = "a ratio 0..1";
        Optional<Entry> entry = required(key, expected);
        Optional<Double> value = entry.flatMap(found -> value(found.value()))
                .flatMap(ParameterType.DOUBLE::accept)
                .map(Double.class::cast)
                .filter(ratio -> ratio >= 0 && ratio <= 1);
        if (entry.isPresent() && value.isEmpty()) {
            wrong(entry.get(), expected);
        }
        return value;
    }

    boolean flag(String key, boolean otherwise) {
        if (!has(key)) {
            return otherwise;
        }
        Entry entry = required(key, "").orElseThrow();
        Optional<Object> value = value(entry.value()).flatMap(ParameterType.BOOL::accept);
        if (value.isEmpty()) {
            wrong(entry, "true or false");
        }
        return value.map(Boolean.class::cast).orElse(otherwise);
    }

    <E extends Enum<E>> Optional<E> choice(String key, Class<E> type) {
        List<String> names = new ArrayList<>();
        for (E constant : type.getEnumConstants()) {
            names.add(constant.name().toLowerCase(Locale.ROOT));
        }
        String expected = "one of " + String.join(", ", names);
        Optional<Entry> entry = required(key, expected);
        Optional<E> value = entry.flatMap(this::scalar)
                .map(node -> names.indexOf(node.getValue()))
                .filter(index -> index >= 0)
                .map(index -> type.getEnumConstants()[index]);
        if (entry.isPresent() && value.isEmpty()) {
            wrong(entry.get(), expected);
        }
        return value;
    }

    /** A list of texts that may be left out. */
    List<String> texts(String key) {
        if (!has(key)) {
            return List.of();
        }
        Entry entry = required(key, "").orElseThrow();
        Optional<Object> value = value(entry.value()).flatMap(ParameterType.TEXTS::accept);
        if (value.isEmpty()) {
            wrong(entry, "a list of texts (numbers in quotes)");
            return List.of();
        }
        return ((List<?>) value.get()).stream().map(String.class::cast).toList();
    }

    /** A mapping that may be left out; empty if it is, or is no mapping. */
    Optional<YamlBlock> block(String key) {
        if (!has(key)) {
            return Optional.empty();
        }
        Entry entry = required(key, "").orElseThrow();
        if (entry.value() instanceof MappingNode mapping) {
            return Optional.of(new YamlBlock(source, path + key + ": ", mapping));
        }
        wrong(entry, "keys with values");
        return Optional.empty();
    }

    /** A list of mappings that may be left out. */
    List<YamlBlock> blocks(String key) {
        if (!has(key)) {
            return List.of();
        }
        Entry entry = required(key, "").orElseThrow();
        List<YamlBlock> blocks = new ArrayList<>();
        if (entry.value() instanceof SequenceNode sequence) {
            for (Node node : sequence.getValue()) {
                if (node instanceof MappingNode mapping) {
                    blocks.add(new YamlBlock(source, path + key + ": ", mapping));
                } else {
                    problem(lineOf(node), key + ": an entry without keys", "keys with values");
                }
            }
        } else {
            wrong(entry, "a list");
        }
        return blocks;
    }

    /** A value of any shape that may be left out: what {@link #value} gives, mappings as Map. */
    Optional<Object> untyped(String key) {
        return has(key) ? Optional.of(shape(required(key, "").orElseThrow().value())) : Optional.empty();
    }

    private Object shape(Node node) {
        if (node instanceof MappingNode mapping) {
            Map<String, Object> keys = new LinkedHashMap<>();
            for (NodeTuple tuple : mapping.getValue()) {
                String key =
                        tuple.getKeyNode() instanceof ScalarNode scalar ? scalar.getValue() : "a key that is not text";
                keys.put(key, shape(tuple.getValueNode()));
            }
            return keys;
        }
        if (node instanceof SequenceNode sequence) {
            return sequence.getValue().stream().map(this::shape).toList();
        }
        return value(node).orElse("nothing");
    }

    /** All entries, for a mapping whose keys are free. */
    List<Entry> all() {
        asked.addAll(entries.keySet());
        return List.copyOf(entries.values());
    }

    /** A value as Java has it: Long, Double, Boolean, String, List of these; empty if it is null or anything else. */
    Optional<Object> value(Node node) {
        if (node instanceof SequenceNode sequence) {
            List<Object> list = new ArrayList<>();
            for (Node item : sequence.getValue()) {
                value(item).ifPresent(list::add);
            }
            return list.size() == sequence.getValue().size() ? Optional.of(list) : Optional.empty();
        }
        if (!(node instanceof ScalarNode scalar)) {
            return Optional.empty();
        }
        String text = scalar.getValue();
        Tag tag = scalar.getTag();
        if (tag.equals(Tag.INT) && text.matches("[-+]?(0|[1-9][0-9]{0,17})")) {
            return Optional.of(Long.parseLong(text));
        }
        if (tag.equals(Tag.FLOAT) && text.matches("[-+]?[0-9]+\\.[0-9]*([eE][-+]?[0-9]{1,2})?")) {
            return Optional.of(Double.parseDouble(text));
        }
        if (tag.equals(Tag.BOOL) && (text.equals("true") || text.equals("false"))) {
            return Optional.of(text.equals("true"));
        }
        return tag.equals(Tag.STR) ? Optional.of(text) : Optional.empty();
    }

    /** A value with mappings and dates too, as data binding would have it; empty if anything in it is null or odd. */
    Optional<Object> tree(Node node) {
        if (node instanceof MappingNode mapping) {
            Map<String, Object> map = new LinkedHashMap<>();
            for (NodeTuple tuple : mapping.getValue()) {
                Optional<Object> value = tree(tuple.getValueNode());
                if (!(tuple.getKeyNode() instanceof ScalarNode key) || value.isEmpty()) {
                    return Optional.empty();
                }
                map.put(key.getValue(), value.get());
            }
            return Optional.of(map);
        }
        if (node instanceof SequenceNode sequence) {
            List<Object> list = new ArrayList<>();
            for (Node item : sequence.getValue()) {
                tree(item).ifPresent(list::add);
            }
            return list.size() == sequence.getValue().size() ? Optional.of(list) : Optional.empty();
        }
        return node instanceof ScalarNode scalar && scalar.getTag().equals(Tag.TIMESTAMP)
                ? Optional.of(scalar.getValue())
                : value(node);
    }

    /** Line on which a node starts, from 1. */
    static int line(Node node) {
        return lineOf(node);
    }

    /** Whether a value is an explicit null. */
    static boolean isNull(Node node) {
        return node.getTag().equals(Tag.NULL);
    }

    /** The text of an entry; anything else is a problem. */
    Optional<Text> textOf(Entry entry) {
        Optional<ScalarNode> scalar = scalar(entry).filter(node -> node.getTag().equals(Tag.STR));
        if (scalar.isEmpty() || scalar.get().getValue().isBlank()) {
            wrong(entry, "text");
            return Optional.empty();
        }
        ScalarNode node = scalar.get();
        boolean indented = node.getScalarStyle() == ScalarStyle.LITERAL || node.getScalarStyle() == ScalarStyle.FOLDED;
        return Optional.of(new Text(
                node.getValue(),
                lineOf(node) + (indented ? 1 : 0),
                node.getScalarStyle() == ScalarStyle.LITERAL,
                insertLines(node)));
    }

    /** Notes every key that nobody asked for. */
    void done() {
        for (Entry entry : entries.values()) {
            if (!asked.contains(entry.key())) {
                problem(entry.line(), "unknown key " + entry.key(), "one of " + String.join(", ", asked));
            }
        }
    }

    /** Notes that the value of an entry is not what it should be. */
    void wrong(Entry entry, String expected) {
        String found = entry.value() instanceof ScalarNode scalar
                ? scalar.getValue()
                : entry.value() instanceof MappingNode ? "keys with values" : "a list";
        problem(entry.line(), entry.key() + ": " + found, expected);
    }

    private Optional<Entry> required(String key, String expected) {
        asked.add(key);
        Entry entry = entries.get(key);
        if (entry == null) {
            problem(line, "the key " + key + " is missing", expected);
        }
        return Optional.ofNullable(entry);
    }

    private Optional<ScalarNode> scalar(Entry entry) {
        return entry.value() instanceof ScalarNode node ? Optional.of(node) : Optional.empty();
    }

    /** Lines of the file on which an insert opens within a value, looked up in the file itself, since folding moves
     * them. */
    private List<Integer> insertLines(ScalarNode node) {
        List<Integer> found = new ArrayList<>();
        Mark start = node.getStartMark();
        Mark end = node.getEndMark();
        boolean inside = false;
        for (int i = start.getLine(); i <= end.getLine() && i < source.lines().size(); i++) {
            String text = source.lines().get(i);
            int last = i == end.getLine() ? Math.min(end.getColumn(), text.length()) : text.length();
            for (int at = i == start.getLine() ? start.getColumn() : 0; at + 1 < last; at++) {
                if (text.startsWith(inside ? "}}" : "{{", at)) {
                    if (!inside) {
                        found.add(i + 1);
                    }
                    inside = !inside;
                    at++;
                }
            }
        }
        return found;
    }

    private static int lineOf(Node node) {
        return node.getStartMark().getLine() + 1;
    }
}
