package io.fairwatch.collector.answer;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.fairwatch.collector.text.Plain;
import io.vertx.ext.web.RoutingContext;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What a member of staff asks, checked; what makes no sense is an {@link IllegalArgumentException} with a sentence. */
record Asked(RoutingContext context, Instant now, ZoneId zone) {
    private static final Pattern LENGTH = Pattern.compile("(\\d{1,4})([mhdw])");
    private static final Pattern PERSON = Pattern.compile("[\\p{L}\\p{N}@._ +-]{1,80}");
    private static final JsonMapper JSON = JsonMapper.builder()
            .addModule(new Jdk8Module())
            .addModule(new JavaTimeModule())
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .defaultPropertyInclusion(
                    JsonInclude.Value.construct(JsonInclude.Include.NON_ABSENT, JsonInclude.Include.ALWAYS))
            .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
            .build();

    /** An answer. */
    record Reply(int status, String type, String body) {
        static Reply text(int status, String body) {
            return new Reply(status, "text/plain; charset=utf-8", body);
        }
    }

    /** The value as JSON if that is what is wanted, else the text. */
    Reply reply(Object value, Supplier<String> text) throws JsonProcessingException {
        return parameter("format").map("json"::equals).orElse(true)
                ? new Reply(200, "application/json", JSON.writeValueAsString(value))
                : Reply.text(200, text.get());
    }

    String inPath(String name) {
        return context.pathParam(name);
    }

    Optional<String> parameter(String name) {
        return present(context.queryParams().get(name));
    }

    Optional<String> form(String name) {
        return present(context.request().getFormAttribute(name));
    }

    private static Optional<String> present(@Nullable String value) {
        return Optional.ofNullable(value).map(String::strip).filter(text -> !text.isEmpty());
    }

    /** Who says so. */
    String person() {
        String by = form("by").orElse("");
        if (!PERSON.matcher(by).matches()) {
            throw new IllegalArgumentException("by: expected: who says so");
        }
        return by;
    }

    /** Why, in their words. */
    String reason() {
        return form("reason")
                .orElseThrow(() ->
                        new IllegalArgumentException("reason: missing (expected: why, for those who read it later)"));
    }

    /** Until when, if anything is said of it: by a length or a time. */
    Optional<Instant> until() {
        return form("for").map(this::after).or(() -> form("until").map(this::time));
    }

    static long job(String text) {
        if (!text.matches("[1-9]\\d{0,17}")) {
            throw new IllegalArgumentException("job: " + Plain.line(text, 40) + " (expected: a raw job number)");
        }
        return Long.parseLong(text);
    }

    int limit(int usual, int most) {
        String text = parameter("limit").orElse(Integer.toString(usual));
        if (!text.matches("[1-9]\\d{0,8}") || Integer.parseInt(text) > most) {
            throw new IllegalArgumentException("limit: " + Plain.line(text, 40) + " (expected: 1 to " + most + ")");
        }
        return Integer.parseInt(text);
    }

    private static Duration length(Matcher matcher) {
        long number = Long.parseLong(matcher.group(1));
        return switch (matcher.group(2)) {
            case "m" -> Duration.ofMinutes(number);
            case "h" -> Duration.ofHours(number);
            case "d" -> Duration.ofDays(number);
            default -> Duration.ofDays(7 * number);
        };
    }

    private Instant after(String text) {
        Matcher matcher = LENGTH.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("for: " + Plain.line(text, 40) + " (expected: e.g. 12h, 7d or 4w)");
        }
        return now.plus(length(matcher));
    }

    /** Since when, if anything is said of it. */
    Optional<Instant> since() {
        return parameter("since").map(text -> {
            Matcher matcher = LENGTH.matcher(text);
            return matcher.matches() ? now.minus(length(matcher)) : time(text);
        });
    }

    /** A day begins at midnight of the site. */
    private Instant time(String text) {
        try {
            return text.length() == 10
                    ? LocalDate.parse(text).atStartOfDay(zone).toInstant()
                    : Instant.parse(text);
        } catch (DateTimeException e) {
            throw new IllegalArgumentException(
                    Plain.line(text, 40) + " (expected: a day such as 2026-12-24, or 2026-12-24T12:00:00Z)", e);
        }
    }
}
