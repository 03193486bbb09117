package io.fairwatch.collector.web;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.vertx.ext.web.RoutingContext;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;

/**
 * The description of the API, OpenAPI 3.1, made once of the routes and of the types of their answers. What a key of an
 * answer means stands in {@code words.properties}. Immutable.
 */
final class OpenApi {
    private static final String PROBLEM = "Problem";
    private static final Pattern IN_PATH = Pattern.compile("\\{(\\w+)}");

    private final String text;
    private final String tag;

    OpenApi(List<Route> routes, List<Described> others, JsonMapper mapper) {
        this.text = describe(routes, others, mapper).toString();
        CRC32 sum = new CRC32();
        sum.update(text.getBytes(StandardCharsets.UTF_8));
        this.tag = '"' + Long.toHexString(sum.getValue()) + '"';
    }

    /** The description itself; the only answer that stays the same until the collector is another. */
    void send(RoutingContext context) {
        context.response().putHeader("ETag", tag).putHeader("Cache-Control", "max-age=300");
        if (tag.equals(context.request().getHeader("If-None-Match"))) {
            context.response().setStatusCode(304).end();
        } else {
            context.response()
                    .putHeader("Content-Type", Format.JSON.type)
                    .putHeader("X-Content-Type-Options", "nosniff")
                    .end(text);
        }
    }

    static ObjectNode describe(List<Route> routes, List<Described> others, JsonMapper mapper) {
        Schemas schemas = new Schemas(mapper, words());
        ObjectNode api = mapper.createObjectNode().put("openapi", "3.1.0");
        api.putObject("info")
                .put("title", "Fairwatch")
                .put("version", "1")
                .put(
                        "description",
                        "What the jobs of a Slurm cluster do with its GPUs. A value that is not known has no key: it is"
                                + " neither null nor zero. Times are UTC, units stand in names, ratios are 0 to 1."
                                + " Errors are one sentence: JSON for those who ask for JSON, else text.");
        ObjectNode paths = api.putObject("paths");
        for (Route route : routes) {
            operation(paths.putObject(route.path()).putObject("get"), route, schemas);
        }
        for (Described other : others) {
            other(
                    paths.withObject("/" + other.path().replace("~", "~0").replace("/", "~1"))
                            .putObject(other.method()),
                    other);
        }
        ObjectNode all = api.putObject("components");
        all.putObject("securitySchemes").putObject("token").put("type", "http").put("scheme", "bearer");
        ObjectNode components = all.putObject("schemas");
        schemas.components().forEach(components::set);
        problem(components.putObject(PROBLEM));
        return api;
    }

    /** What others serve: its answers are text, or JSON if that is asked for. */
    private static void other(ObjectNode operation, Described other) {
        operation
                .put(
                        "operationId",
                        other.method()
                                + other.path().replaceFirst("^/api/v1", "").replaceAll("\\W+", "_"))
                .put("summary", other.summary());
        if (other.token()) {
            operation.putArray("security").addObject().putArray("token");
        }
        ArrayNode parameters = operation.putArray("parameters");
        Matcher inPath = IN_PATH.matcher(other.path());
        while (inPath.find()) {
            field(parameters, "path", new Described.Field(inPath.group(1), true, "Which one."));
        }
        other.query().forEach(field -> field(parameters, "query", field));
        if (!other.form().isEmpty()) {
            ObjectNode schema = operation
                    .putObject("requestBody")
                    .put("required", true)
                    .putObject("content")
                    .putObject("application/x-www-form-urlencoded")
                    .putObject("schema")
                    .put("type", "object");
            ObjectNode properties = schema.putObject("properties");
            other.form().forEach(field -> properties
                    .putObject(field.name())
                    .put("type", "string")
                    .put("description", field.description()));
            ArrayNode required = schema.putArray("required");
            other.form().stream().filter(Described.Field::required).forEach(field -> required.add(field.name()));
        }
        ObjectNode responses = operation.putObject("responses");
        Map<Integer, String> statuses = new TreeMap<>(other.others());
        statuses.put(200, other.summary());
        statuses.forEach((status, sentence) -> responses
                .putObject(Integer.toString(status))
                .put("description", sentence)
                .putObject("content")
                .putObject("text/plain")
                .putObject("schema")
                .put("type", "string"));
    }

    private static void field(ArrayNode parameters, String in, Described.Field field) {
        parameters
                .addObject()
                .put("name", field.name())
                .put("in", in)
                .put("required", field.required())
                .put("description", field.description())
                .putObject("schema")
                .put("type", "string");
    }

    private static void operation(ObjectNode operation, Route route, Schemas schemas) {
        operation.put("operationId", route.operation()).put("summary", route.summary());
        ArrayNode parameters = operation.putArray("parameters");
        for (Parameter parameter : route.parameters()) {
            boolean inPath = route.isInPath(parameter);
            ObjectNode schema = parameters
                    .addObject()
                    .put("name", parameter.name())
                    .put("in", inPath ? "path" : "query")
                    .put("required", inPath)
                    .put("description", parameter.description())
                    .putObject("schema")
                    .put("type", parameter.kind().schema);
            if (!parameter.choices().isEmpty()) {
                ArrayNode values = schema.putArray("enum");
                parameter.choices().forEach(values::add);
            }
        }
        ObjectNode format = parameters
                .addObject()
                .put("name", "format")
                .put("in", "query")
                .put("required", false)
                .put("description", "How the answer is to look; else the header Accept is asked.")
                .putObject("schema")
                .put("type", "string")
                .put("default", route.formats().get(0).word());
        ArrayNode formats = format.putArray("enum");
        route.formats().forEach(each -> formats.add(each.word()));

        ObjectNode responses = operation.putObject("responses");
        content(responses.putObject("200").put("description", route.summary()), route, schemas);
        Map<Integer, String> others = new TreeMap<>(route.others());
        others.put(400, "The question makes no sense; the sentence says what was expected.");
        others.putIfAbsent(503, "The store fails, too many ask, or the answer takes too long; ask again or for less.");
        others.forEach((status, sentence) -> {
            ObjectNode response = responses.putObject(Integer.toString(status)).put("description", sentence);
            ObjectNode content = content(status, response, route, schemas);
            content.putObject("application/problem+json")
                    .putObject("schema")
                    .put("$ref", "#/components/schemas/" + PROBLEM);
        });
    }

    /** Health that is not well is an answer like the other. */
    private static ObjectNode content(int status, ObjectNode response, Route route, Schemas schemas) {
        if (status == 503 && route.others().containsKey(503)) {
            return content(response, route, schemas);
        }
        ObjectNode content = response.putObject("content");
        content.putObject("text/plain").putObject("schema").put("type", "string");
        return content;
    }

    private static ObjectNode content(ObjectNode response, Route route, Schemas schemas) {
        ObjectNode content = response.putObject("content");
        for (Format format : route.formats()) {
            ObjectNode media = content.putObject(format.type.split(";", 2)[0]);
            media.set(
                    "schema",
                    format == Format.JSON
                            ? route.answer().map(schemas::of).orElseThrow()
                            : media.objectNode().put("type", "string"));
        }
        return content;
    }

    private static void problem(ObjectNode schema) {
        schema.put("type", "object").put("description", "RFC 9457.");
        ObjectNode properties = schema.putObject("properties");
        properties.putObject("type").put("type", "string");
        properties.putObject("title").put("type", "string");
        properties.putObject("status").put("type", "integer");
        properties.putObject("detail").put("type", "string").put("description", "The sentence.");
        ArrayNode required = schema.putArray("required");
        List.of("type", "title", "status", "detail").forEach(required::add);
    }

    private static Map<String, String> words() {
        Properties words = new Properties();
        try (InputStream in = OpenApi.class.getResourceAsStream("words.properties")) {
            words.load(java.util.Objects.requireNonNull(in));
        } catch (IOException e) {
            throw new UncheckedIOException(e); // it is in our own jar
        }
        Map<String, String> map = new TreeMap<>();
        words.stringPropertyNames().forEach(name -> map.put(name, words.getProperty(name)));
        return map;
    }
}
