package io.fairwatch.agent.config;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.IOException;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Reads a YAML file into a record, strictly: each key is a component of that name, an unknown or missing key, a wrong
 * type or a value out of range is a problem, and all problems are told together, each with its file and line. Knows
 * nothing of whose file it is.
 *
 * <p>Components may be text, boolean, int, long, double, {@link Duration} ({@code 30s}, {@code 5m}, {@code PT1H}),
 * {@link Size} ({@code 256MiB}), {@link Path}, {@link URI}, enums, records, and {@code Optional}, {@code List} and
 * {@code Map} of these; {@code Object} takes whatever stands there, for another reader to check. {@link Default} says what holds when the key is missing; without one, an {@code Optional}, a
 * list or a map is empty then, a record is made of its own defaults, and anything else is required. What a record's
 * constructor refuses with an {@link IllegalArgumentException} is a problem too, found once each of its keys is right.
 */
public final class ConfigFile {

    /** What holds when a key is missing, as it would stand in the file. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.RECORD_COMPONENT)
    public @interface Default {
        String value();
    }

    /** The smallest and the largest value of a number, duration or size, as they would stand in the file. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.RECORD_COMPONENT)
    public @interface Range {
        String from();

        String to();
    }

    /** An amount of storage, written with or without a unit: {@code 65536}, {@code 64KiB}, {@code 1GB}. */
    public record Size(long bytes) {}

    /** A file cannot be used; one problem per line of the message. */
    public static final class ConfigException extends Exception {
        private final List<String> problems;

        /** One sentence for each problem. */
        public ConfigException(List<String> problems) {
            super(String.join(System.lineSeparator(), problems));
            this.problems = List.copyOf(problems);
        }

        /** Everything that is wrong, in the order of the file. */
        public List<String> problems() {
            return problems;
        }
    }

    /** A value of the file and where it stands. */
    private sealed interface Node {
        int line();
    }

    private record Scalar(String text, int line) implements Node {}

    private record Items(List<Node> nodes, int line) implements Node {}

    private record Keys(Map<String, Node> nodes, int line) implements Node {}

    /** Why a text is not a value; the message is what was expected instead. */
    private static final class Unfit extends Exception {
        Unfit(String expected) {
            super(expected, null, false, false);
        }
    }

    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})\\s*(ms|s|m|h|d)");
    private static final Pattern SIZE = Pattern.compile("(\\d{1,18})\\s*([KMGTP]i?)?B?");
    private static final Pattern WHOLE = Pattern.compile("[-+]?\\d{1,18}");
    private static final Pattern DECIMAL = Pattern.compile("[-+]?\\d{1,18}\\.\\d{1,18}");
    private static final String UNITS = "KMGTP";

    private final String file;
    private final List<String> problems = new ArrayList<>();

    private ConfigFile(String file) {
        this.file = file;
    }

    /** Reads a file. */
    public static <T extends Record> T read(Path file, Class<T> type) throws ConfigException {
        try {
            return parse(file.toString(), Files.readString(file), type);
        } catch (NoSuchFileException e) {
            throw new ConfigException(List.of(file + ": no such file"));
        } catch (IOException e) {
            throw new ConfigException(List.of(file + ": cannot be read: " + e));
        }
    }

    /** Reads a text; {@code file} is what problems call it. */
    public static <T extends Record> T parse(String file, String yaml, Class<T> type) throws ConfigException {
        ConfigFile reading = new ConfigFile(file);
        Keys top = new Keys(Map.of(), 1);
        try {
            top = reading.document(yaml);
        } catch (JsonProcessingException e) {
            JsonLocation at = e.getLocation();
            String why = e.getOriginalMessage().lines().findFirst().orElse("").trim();
            reading.problem(at == null ? 1 : at.getLineNr(), "not YAML: " + why);
        } catch (IOException e) {
            reading.problem(1, "cannot be read: " + e);
        }
        T value = reading.problems.isEmpty() ? type.cast(reading.mapping("", top, type)) : null;
        if (value == null || !reading.problems.isEmpty()) {
            throw new ConfigException(reading.problems);
        }
        return value;
    }

    private void problem(int line, String sentence) {
        problems.add(file + ":" + line + ": " + sentence);
    }

    // From text to nodes

    private Keys document(String yaml) throws IOException {
        try (JsonParser parser = new YAMLFactory().createParser(yaml)) {
            JsonToken first = parser.nextToken();
            if (first == null || first == JsonToken.VALUE_NULL) {
                return new Keys(Map.of(), 1);
            }
            Node top = node(parser);
            if (parser.nextToken() != null) {
                problem(parser.currentTokenLocation().getLineNr(), "a second document (expected: one)");
            }
            if (top instanceof Keys keys) {
                return keys;
            }
            problem(top == null ? 1 : top.line(), shown(top) + " (expected: keys and values)");
            return new Keys(Map.of(), 1);
        }
    }

    /** The node at the parser's token; null for an empty value. */
    private @Nullable Node node(JsonParser parser) throws IOException {
        int line = parser.currentTokenLocation().getLineNr();
        JsonToken token = parser.currentToken();
        if (token == JsonToken.START_OBJECT) {
            Map<String, Node> nodes = new LinkedHashMap<>();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                int keyLine = parser.currentTokenLocation().getLineNr();
                parser.nextToken();
                Node value = node(parser);
                if (nodes.containsKey(key)) {
                    problem(keyLine, key + ": given twice");
                } else if (value != null) {
                    nodes.put(key, value);
                }
            }
            return new Keys(nodes, line);
        }
        if (token == JsonToken.START_ARRAY) {
            List<Node> nodes = new ArrayList<>();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                Node item = node(parser);
                nodes.add(item == null ? new Scalar("", line) : item);
            }
            return new Items(nodes, line);
        }
        return token == JsonToken.VALUE_NULL ? null : new Scalar(parser.getText(), line);
    }

    // From nodes to values; null after a problem was noted

    private @Nullable Object value(String path, Node node, Type type) {
        if (type instanceof ParameterizedType generic) {
            Type[] of = generic.getActualTypeArguments();
            if (generic.getRawType() == Optional.class) {
                Object value = value(path, node, of[0]);
                return value == null ? null : Optional.of(value);
            }
            if (generic.getRawType() == List.class) {
                return list(path, node, of[0]);
            }
            if (generic.getRawType() == Map.class) {
                return map(path, node, of[1]);
            }
        }
        Class<?> plain = (Class<?>) type;
        if (plain == Object.class) {
            return untyped(node);
        }
        if (plain.isRecord() && plain != Size.class) {
            if (node instanceof Keys keys) {
                return mapping(path + ".", keys, plain);
            }
            problem(node.line(), path + ": " + shown(node) + " (expected: keys " + keys(plain) + ")");
            return null;
        }
        try {
            if (node instanceof Scalar scalar) {
                return scalar(scalar.text(), plain);
            }
            throw new Unfit("a single value");
        } catch (Unfit e) {
            problem(node.line(), path + ": " + shown(node) + " (expected: " + e.getMessage() + ")");
            return null;
        }
    }

    private static Object untyped(Node node) {
        if (node instanceof Keys keys) {
            Map<String, Object> values = new LinkedHashMap<>();
            keys.nodes().forEach((key, item) -> values.put(key, untyped(item)));
            return values;
        } else if (node instanceof Items items) {
            return items.nodes().stream().map(ConfigFile::untyped).toList();
        }
        String text = ((Scalar) node).text();
        if (text.equals("true") || text.equals("false")) {
            return text.equals("true");
        } else if (WHOLE.matcher(text).matches()) {
            return Long.valueOf(text);
        }
        return DECIMAL.matcher(text).matches() ? (Object) Double.valueOf(text) : text;
    }

    private @Nullable Object list(String path, Node node, Type of) {
        if (!(node instanceof Items items)) {
            problem(node.line(), path + ": " + shown(node) + " (expected: a list)");
            return null;
        }
        List<Object> values = new ArrayList<>();
        for (int i = 0; i < items.nodes().size(); i++) {
            Object value = value(path + "[" + i + "]", items.nodes().get(i), of);
            if (value != null) {
                values.add(value);
            }
        }
        return List.copyOf(values);
    }

    private @Nullable Object map(String path, Node node, Type of) {
        if (!(node instanceof Keys keys)) {
            problem(node.line(), path + ": " + shown(node) + " (expected: keys and values)");
            return null;
        }
        Map<String, Object> values = new LinkedHashMap<>();
        keys.nodes().forEach((key, item) -> {
            Object value = value(path + "." + key, item, of);
            if (value != null) {
                values.put(key, value);
            }
        });
        return values;
    }

    private @Nullable Object mapping(String prefix, Keys keys, Class<?> type) {
        RecordComponent[] components = type.getRecordComponents();
        for (Map.Entry<String, Node> given : keys.nodes().entrySet()) {
            if (Arrays.stream(components).noneMatch(c -> c.getName().equals(given.getKey()))) {
                problem(
                        given.getValue().line(),
                        prefix + given.getKey() + ": unknown key (expected: " + keys(type) + ")");
            }
        }
        List<Object> arguments = new ArrayList<>();
        for (RecordComponent component : components) {
            String path = prefix + component.getName();
            Node node = keys.nodes().get(component.getName());
            Object value = node == null ? absent(path, component, keys.line()) : given(path, component, node);
            if (value != null) {
                arguments.add(value);
            }
        }
        return arguments.size() == components.length ? construct(prefix, keys, type, arguments) : null;
    }

    private @Nullable Object given(String path, RecordComponent component, Node node) {
        Object value = value(path, node, component.getGenericType());
        Range range = component.getAnnotation(Range.class);
        if (value != null && range != null && !isWithin(value, range, component.getType())) {
            problem(
                    node.line(),
                    path + ": " + shown(node) + " (expected: from " + range.from() + " to " + range.to() + ")");
            return null;
        }
        return value;
    }

    private @Nullable Object absent(String path, RecordComponent component, int line) {
        Default preset = component.getAnnotation(Default.class);
        Class<?> type = component.getType();
        if (preset != null) {
            return value(path, new Scalar(preset.value(), line), component.getGenericType());
        } else if (type == Optional.class) {
            return Optional.empty();
        } else if (type == List.class) {
            return List.of();
        } else if (type == Map.class) {
            return Map.of();
        } else if (type.isRecord() && type != Size.class) {
            return mapping(path + ".", new Keys(Map.of(), line), type);
        }
        problem(line, path + ": missing");
        return null;
    }

    private @Nullable Object construct(String prefix, Keys keys, Class<?> type, List<Object> arguments) {
        Class<?>[] types = Arrays.stream(type.getRecordComponents())
                .map(RecordComponent::getType)
                .toArray(Class<?>[]::new);
        try {
            var constructor = type.getDeclaredConstructor(types);
            constructor.setAccessible(true);
            return constructor.newInstance(arguments.toArray());
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof IllegalArgumentException refused) {
                String why = String.valueOf(refused.getMessage());
                Node culprit = keys.nodes().get(why.split(":", 2)[0]); // messages begin with what it is about
                problem(culprit == null ? keys.line() : culprit.line(), prefix + why);
                return null;
            }
            throw new IllegalStateException(type + " cannot be made", e);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(type + " cannot be made", e);
        }
    }

    private static String keys(Class<?> type) {
        return Arrays.stream(type.getRecordComponents())
                .map(RecordComponent::getName)
                .collect(Collectors.joining(", "));
    }

    private static String shown(@Nullable Node node) {
        if (node instanceof Scalar scalar) {
            return scalar.text().isEmpty() ? "nothing" : scalar.text();
        }
        return node instanceof Items ? "a list" : node == null ? "nothing" : "keys and values";
    }

    // Single values

    private static Object scalar(String text, Class<?> type) throws Unfit {
        if (type == String.class) {
            return require(text, !text.isEmpty(), "some text");
        } else if (type == boolean.class || type == Boolean.class) {
            require(text, text.equals("true") || text.equals("false"), "true or false");
            return text.equals("true");
        } else if (type == int.class || type == Integer.class) {
            return (int) wholeNumber(text, Integer.MIN_VALUE, Integer.MAX_VALUE);
        } else if (type == long.class || type == Long.class) {
            return wholeNumber(text, Long.MIN_VALUE, Long.MAX_VALUE);
        } else if (type == double.class || type == Double.class) {
            return number(text);
        } else if (type == Duration.class) {
            return duration(text);
        } else if (type == Size.class) {
            return size(text);
        } else if (type == Path.class) {
            return Path.of(require(text, !text.isEmpty() && text.indexOf('\0') < 0, "a path"));
        } else if (type == URI.class) {
            return uri(text);
        } else if (type.isEnum()) {
            return constant(text, type);
        }
        throw new IllegalStateException("no configuration can hold a " + type);
    }

    private static String require(String text, boolean holds, String expected) throws Unfit {
        if (!holds) {
            throw new Unfit(expected);
        }
        return text;
    }

    private static long wholeNumber(String text, long from, long to) throws Unfit {
        try {
            long value = Long.parseLong(text);
            require(text, value >= from && value <= to, "from " + from + " to " + to);
            return value;
        } catch (NumberFormatException e) {
            throw new Unfit("a whole number");
        }
    }

    private static double number(String text) throws Unfit {
        try {
            double value = Double.parseDouble(text);
            require(text, Double.isFinite(value), "a number");
            return value;
        } catch (NumberFormatException e) {
            throw new Unfit("a number");
        }
    }

    private static Duration duration(String text) throws Unfit {
        Matcher matcher = DURATION.matcher(text);
        if (matcher.matches()) {
            long amount = Long.parseLong(matcher.group(1));
            return switch (matcher.group(2)) {
                case "ms" -> Duration.ofMillis(amount);
                case "s" -> Duration.ofSeconds(amount);
                case "m" -> Duration.ofMinutes(amount);
                case "h" -> Duration.ofHours(amount);
                default -> Duration.ofDays(amount);
            };
        }
        try {
            Duration value = Duration.parse(text);
            require(text, !value.isNegative(), "0 or more");
            return value;
        } catch (DateTimeParseException e) {
            throw new Unfit("a duration such as 30s, 5m, 6h or 2d");
        }
    }

    private static Size size(String text) throws Unfit {
        Matcher matcher = SIZE.matcher(text);
        if (matcher.matches()) {
            long bytes = Long.parseLong(matcher.group(1));
            String unit = matcher.group(2);
            int steps = unit == null ? 0 : UNITS.indexOf(unit.charAt(0)) + 1;
            int step = unit != null && unit.endsWith("i") ? 1024 : 1000;
            try {
                for (int i = 0; i < steps; i++) {
                    bytes = Math.multiplyExact(bytes, step);
                }
                return new Size(bytes);
            } catch (ArithmeticException e) {
                throw new Unfit("less than 8 EiB");
            }
        }
        throw new Unfit("a size such as 64KiB, 256MiB or 1GB");
    }

    private static URI uri(String text) throws Unfit {
        try {
            URI uri = URI.create(text);
            require(text, uri.getScheme() != null && uri.getHost() != null, "an address such as https://host:8443");
            return uri;
        } catch (IllegalArgumentException e) {
            throw new Unfit("an address such as https://host:8443");
        }
    }

    private static Object constant(String text, Class<?> type) throws Unfit {
        String names = Arrays.stream(type.getEnumConstants())
                .map(constant -> constant.toString().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(", "));
        return Arrays.stream(type.getEnumConstants())
                .filter(constant -> constant.toString().toLowerCase(Locale.ROOT).equals(text))
                .findFirst()
                .orElseThrow(() -> new Unfit(names));
    }

    private static boolean isWithin(Object value, Range range, Class<?> type) {
        try {
            double measured = measure(value);
            return measured >= measure(scalar(range.from(), type)) && measured <= measure(scalar(range.to(), type));
        } catch (Unfit e) {
            throw new IllegalStateException("range of a component: " + range, e);
        }
    }

    private static double measure(Object value) {
        if (value instanceof Duration duration) {
            return duration.toNanos();
        } else if (value instanceof Size size) {
            return size.bytes();
        }
        return ((Number) value).doubleValue();
    }
}
