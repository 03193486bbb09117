package io.fairwatch.collector.web;

import io.fairwatch.collector.lookup.Page;
import io.fairwatch.collector.text.Plain;
import io.vertx.core.MultiMap;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What somebody asks, checked against what the address takes. Immutable. */
final class Question {
    /** Whose name alone may be in the answer; no parameter, so nobody can ask for it. */
    static final String SHOWN_USER = " shown user";

    private static final int WIDEST = 1000;

    private final Route route;
    private final Map<String, String> values;
    private final Format format;
    private final ZoneId zone;
    private final InstantSource clock;

    private Question(Route route, Map<String, String> values, Format format, ZoneId zone, InstantSource clock) {
        this.route = route;
        this.values = values;
        this.format = format;
        this.zone = zone;
        this.clock = clock;
    }

    /**
     * Reads what is asked.
     *
     * @throws IllegalArgumentException if the address does not take it, with a sentence that says what it takes
     */
    static Question read(Route route, RoutingContext context, ZoneId zone, InstantSource clock) {
        Map<String, String> values = new HashMap<>();
        MultiMap asked = context.queryParams();
        for (String name : asked.names()) {
            Optional<Parameter> known = route.parameters().stream()
                    .filter(parameter -> parameter.name().equals(name) && !route.isInPath(parameter))
                    .findFirst();
            if (known.isEmpty() && !name.equals("format")) {
                throw new IllegalArgumentException("parameter \"" + Plain.line(name, 40) + "\": unknown (expected: "
                        + Stream.concat(
                                        route.parameters().stream()
                                                .filter(parameter -> !route.isInPath(parameter))
                                                .map(Parameter::name),
                                        Stream.of("format"))
                                .collect(Collectors.joining(", "))
                        + ")");
            }
            List<String> said = asked.getAll(name);
            if (said.size() > 1) {
                throw new IllegalArgumentException(name + ": said " + said.size() + " times (expected: once)");
            }
            String value = said.get(0);
            if (!value.isEmpty()) {
                known.ifPresent(parameter -> check(parameter, value));
                values.put(name, value);
            }
        }
        values.putAll(context.pathParams());
        return new Question(route, values, format(route, values, context.request()), zone, clock);
    }

    private static void check(Parameter parameter, String value) {
        if (!parameter.choices().isEmpty() && !parameter.choices().contains(value)) {
            throw new IllegalArgumentException(parameter.name() + ": \"" + Plain.line(value, 40) + "\" (expected: "
                    + String.join(", ", parameter.choices()) + ")");
        }
        if (parameter.kind() == Parameter.Kind.COUNT && !value.matches("\\d{1,6}")) {
            throw new IllegalArgumentException(
                    parameter.name() + ": \"" + Plain.line(value, 40) + "\" (expected: a number)");
        }
    }

    /** What {@code format} says, else what the header {@code Accept} says, else the first that there is. */
    private static Format format(Route route, Map<String, String> values, HttpServerRequest request) {
        String asked = values.get("format");
        if (asked == null) {
            String accept = String.valueOf(request.getHeader("Accept"));
            return route.formats().stream()
                    .filter(format -> accept.startsWith(format.type.split(";", 2)[0]))
                    .findFirst()
                    .orElse(route.formats().get(0));
        }
        return route.formats().stream()
                .filter(format -> format.word().equals(asked))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("format: \"" + Plain.line(asked, 40) + "\" (expected: "
                        + route.formats().stream().map(Format::word).collect(Collectors.joining(", ")) + ")"));
    }

    /** Whether an error is to be JSON: for those who asked for JSON, but not for those who say that they read text. */
    static boolean wantsJsonErrors(HttpServerRequest request) {
        String accept = String.valueOf(request.getHeader("Accept")).toLowerCase(Locale.ROOT);
        String format = request.getParam("format");
        return accept.contains("json") || ("json".equals(format) && !accept.startsWith("text/plain"));
    }

    Format format() {
        return format;
    }

    Route route() {
        return route;
    }

    Instant now() {
        return clock.instant();
    }

    Optional<String> text(String name) {
        return Optional.ofNullable(values.get(name));
    }

    /** A parameter of the path. */
    String inPath(String name) {
        return text(name).orElseThrow();
    }

    boolean is(String name, String value) {
        return value.equals(values.get(name));
    }

    /** The same question, with a value that was not asked for. */
    Question narrowed(String name, String value) {
        Map<String, String> narrowed = new HashMap<>(values);
        narrowed.put(name, value);
        return new Question(route, narrowed, format, zone, clock);
    }

    /** Whether a user's name may be in the answer. */
    boolean shows(String user) {
        return text(SHOWN_USER).map(user::equals).orElse(true);
    }

    /** What is asked, without how the answer is to look. */
    String asked() {
        Map<String, String> asked = new TreeMap<>(values);
        List.of("format", "width", "characters", "colours", "limit", "after", SHOWN_USER)
                .forEach(asked::remove);
        return Plain.line(route.path() + " " + asked, 200);
    }

    /** The same question with another value, as an address. */
    String with(String name, String value) {
        Map<String, String> asked = new TreeMap<>(values);
        route.parameters().stream().filter(route::isInPath).map(Parameter::name).forEach(asked::remove);
        asked.remove(SHOWN_USER);
        asked.put(name, value);
        String path = route.path();
        for (Parameter parameter : route.parameters()) {
            if (route.isInPath(parameter)) {
                path = path.replace("{" + parameter.name() + "}", encoded(inPath(parameter.name())));
            }
        }
        return path
                + asked.entrySet().stream()
                        .map(entry -> entry.getKey() + "=" + encoded(entry.getValue()))
                        .collect(Collectors.joining("&", "?", ""));
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    int width() {
        return Math.min(WIDEST, text("width").map(Integer::parseInt).orElse(120));
    }

    Page page() {
        return Page.parse(text("limit"), text("after"));
    }

    /**
     * A time as people write it.
     *
     * @throws IllegalArgumentException if it is none
     */
    Optional<Instant> time(String name) {
        return text(name).map(value -> time(name, value));
    }

    private Instant time(String name, String value) {
        try {
            if (value.matches("\\d{1,5}[smhd]")) {
                long count = Long.parseLong(value.substring(0, value.length() - 1));
                return now().minus(
                                switch (value.charAt(value.length() - 1)) {
                                    case 's' -> Duration.ofSeconds(count);
                                    case 'm' -> Duration.ofMinutes(count);
                                    case 'h' -> Duration.ofHours(count);
                                    default -> Duration.ofDays(count);
                                });
            }
            if (value.matches("\\d{4}-\\d{2}-\\d{2}")) {
                return LocalDate.parse(value).atStartOfDay(zone).toInstant();
            }
            return value.endsWith("Z")
                    ? Instant.parse(value)
                    : LocalDateTime.parse(value).atZone(zone).toInstant();
        } catch (DateTimeException e) {
            throw new IllegalArgumentException(
                    name + ": \"" + Plain.line(value, 40)
                            + "\" (expected: e.g. 2026-11-20, 2026-11-20T14:00, 2026-11-20T13:00:00Z, or so long ago: 90m, 12h, 7d)",
                    e);
        }
    }
}
