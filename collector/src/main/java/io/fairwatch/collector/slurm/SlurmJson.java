package io.fairwatch.collector.slurm;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Reads the JSON that Slurm's commands print, from 22.05 to 26.05, one element of a list at a time: the whole answer of a
 * large cluster as a tree would take gigabytes. Stateless.
 */
final class SlurmJson {
    // Slurm writes NaN and Infinity for some doubles.
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .enable(JsonReadFeature.ALLOW_UNESCAPED_CONTROL_CHARS)
            .build();

    /** Where the cores stand: up to 23.11, and from 24.05 on. */
    private static final Set<String> CORES = Set.of("sockets", "cores");

    private static final long NO_VAL = 0xfffffffeL;
    private static final long INFINITE = 0xffffffffL;

    private SlurmJson() {}

    /**
     * Reads a whole answer.
     *
     * @param fields the fields of an element that are read; the others, most of what a job's record holds, are passed over
     * @param lists what to do with each element of the lists of these names; at least one of them, if any, must be there
     * @param output what the program prints; what follows the JSON is read, too
     * @return Slurm's release, e.g. {@code 22.05.8}; absent if not told
     * @throws SlurmException if the answer is not whole, or says that Slurm could not answer; elements handed out before
     *     are then worth nothing
     */
    static Optional<String> read(
            String program, InputStream output, Set<String> fields, Map<String, Consumer<JsonNode>> lists)
            throws SlurmException, IOException {
        Optional<String> release = Optional.empty();
        List<String> errors = new ArrayList<>();
        boolean listed = false;
        try (JsonParser parser = MAPPER.createParser(new CleanUtf8(output))) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new SlurmException(program + " printed no JSON object");
            }
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                JsonToken value = parser.nextToken();
                Consumer<JsonNode> consumer = lists.get(name);
                if (consumer != null && value == JsonToken.START_ARRAY) {
                    listed = true;
                    while (parser.nextToken() != JsonToken.END_ARRAY) {
                        consumer.accept(element(parser, fields));
                    }
                } else if (name.equals("errors") && value == JsonToken.START_ARRAY) {
                    for (JsonNode error : parser.<JsonNode>readValueAsTree()) {
                        errors.add(errorText(error));
                    }
                } else if (name.equals("meta") && value == JsonToken.START_OBJECT) {
                    release = release(parser.readValueAsTree());
                } else {
                    parser.skipChildren();
                }
            }
            if (parser.currentToken() != JsonToken.END_OBJECT || parser.nextToken() != null) {
                throw new SlurmException(program + " printed more than one JSON object, or less");
            }
        } catch (JsonProcessingException e) {
            throw new SlurmException(program + " printed broken JSON: " + firstLine(e), e);
        }
        if (!errors.isEmpty()) {
            throw new SlurmException(program + " could not answer: " + String.join("; ", errors));
        }
        if (!listed && !lists.isEmpty()) {
            throw new SlurmException(program + " printed JSON without "
                    + String.join(" or ", lists.keySet().stream().sorted().toList()));
        }
        return release;
    }

    private static JsonNode element(JsonParser parser, Set<String> fields) throws IOException {
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            return parser.readValueAsTree();
        }
        ObjectNode object = MAPPER.createObjectNode();
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            parser.nextToken();
            if (fields.contains(name)) {
                object.set(name, value(parser));
            } else {
                parser.skipChildren();
            }
        }
        return object;
    }

    /** A value without the cores that Slurm lists one by one: for a large job they are longer than all the rest. */
    private static JsonNode value(JsonParser parser) throws IOException {
        if (parser.currentToken() == JsonToken.START_ARRAY) {
            ArrayNode array = MAPPER.createArrayNode();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                array.add(value(parser));
            }
            return array;
        }
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            return parser.readValueAsTree();
        }
        ObjectNode object = MAPPER.createObjectNode();
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            parser.nextToken();
            if (CORES.contains(name)) {
                parser.skipChildren();
            } else {
                object.set(name, value(parser));
            }
        }
        return object;
    }

    /** {@code {"description": ..., "error_number": -1, "source": "slurm_load_jobs"}} */
    private static String errorText(JsonNode error) {
        String text = text(error, "description");
        if (text.isEmpty()) {
            text = text(error, "error");
        }
        String source = text(error, "source");
        if (text.isEmpty()) {
            return error.toString();
        }
        return source.isEmpty() ? text : text + " (" + source + ")";
    }

    /** {@code Slurm} in 22.05, {@code slurm} from 23.11 on. */
    private static Optional<String> release(JsonNode meta) {
        for (String name : List.of("Slurm", "slurm")) {
            String release = text(meta.path(name), "release");
            if (!release.isEmpty()) {
                return Optional.of(release);
            }
        }
        return Optional.empty();
    }

    private static String firstLine(IOException e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    }

    // ---- fields

    /** A text; empty for null, and if it is not there. */
    static String text(JsonNode object, String field) {
        JsonNode value = object.path(field);
        return value.isNull() || value.isContainerNode() ? "" : value.asText("");
    }

    /** A whole number in any of Slurm's forms; absent for null, unset, infinite and Slurm's values for these. */
    static OptionalLong number(JsonNode object, String field) {
        JsonNode value = object.path(field);
        if (value.isObject()) {
            if (value.path("infinite").asBoolean(false) || !value.path("set").asBoolean(true)) {
                return OptionalLong.empty();
            }
            value = value.path("number");
        }
        if (value.isTextual()) {
            // Slurm's own words here are UNLIMITED, INFINITE and the like.
            String text = value.asText();
            return text.length() <= 18 && !text.isEmpty() && text.chars().allMatch(Character::isDigit)
                    ? OptionalLong.of(Long.parseLong(text))
                    : OptionalLong.empty();
        }
        if (!value.isNumber() || !value.canConvertToLong()) {
            return OptionalLong.empty();
        }
        long number = value.asLong();
        return number < 0 || number == NO_VAL || number == INFINITE ? OptionalLong.empty() : OptionalLong.of(number);
    }

    /** As {@link #number}, where only an {@code int} makes sense. */
    static OptionalInt integer(JsonNode object, String field) {
        OptionalLong number = number(object, field);
        return number.isPresent() && number.getAsLong() <= Integer.MAX_VALUE
                ? OptionalInt.of((int) number.getAsLong())
                : OptionalInt.empty();
    }

    /** A time in seconds since 1970; absent for 0 too, which is how Slurm says "none". */
    static Optional<Instant> time(JsonNode object, String field) {
        OptionalLong seconds = number(object, field);
        return seconds.isPresent() && seconds.getAsLong() > 0 && seconds.getAsLong() < INFINITE
                ? Optional.of(Instant.ofEpochSecond(seconds.getAsLong()))
                : Optional.empty();
    }

    /** A word or a list of words, upper case. */
    static List<String> words(JsonNode object, String field) {
        JsonNode value = object.path(field);
        List<String> words = new ArrayList<>();
        if (value.isArray()) {
            value.forEach(word -> words.add(word.asText("").toUpperCase(Locale.ROOT)));
        } else if (value.isTextual()) {
            words.add(value.asText().toUpperCase(Locale.ROOT));
        }
        words.removeIf(String::isBlank);
        return words;
    }
}
