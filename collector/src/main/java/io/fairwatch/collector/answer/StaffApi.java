package io.fairwatch.collector.answer;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.Exemption;
import io.fairwatch.collector.store.Store.AuditFilter;
import io.fairwatch.collector.text.Plain;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.http.HttpHeaders;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What staff say and read, below {@code /api/v1/staff}, with the token of staff. What is sent is a form, so that curl needs
 * no JSON. Thread-safe; what blocks runs on workers.
 */
public final class StaffApi {
    private static final Logger LOG = LoggerFactory.getLogger(StaffApi.class);
    private static final int MOST_BYTES = 16_384;
    private static final int MOST_ENTRIES = 10_000;
    private static final Pattern LENGTH = Pattern.compile("(\\d{1,4})([mhdw])");
    private static final Pattern PERSON = Pattern.compile("[\\p{L}\\p{N}@._ +-]{1,80}");

    private final WorkerExecutor workers;
    private final Answers answers;
    private final Optional<String> token;
    private final ZoneId zone;
    private final InstantSource clock;
    private final JsonMapper json = JsonMapper.builder()
            .addModule(new Jdk8Module())
            .addModule(new JavaTimeModule())
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .defaultPropertyInclusion(
                    JsonInclude.Value.construct(JsonInclude.Include.NON_ABSENT, JsonInclude.Include.ALWAYS))
            .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
            .build();

    /** @param token what staff must show; absent: nobody is staff, and all is refused */
    public StaffApi(Vertx vertx, Answers answers, Optional<String> token, ZoneId zone, InstantSource clock) {
        this.workers = vertx.createSharedWorkerExecutor("staff", 1);
        this.answers = answers;
        this.token = token;
        this.zone = zone;
        this.clock = clock;
    }

    private record Reply(int status, String type, String body) {
        static Reply text(int status, String body) {
            return new Reply(status, "text/plain; charset=utf-8", body);
        }
    }

    /** Adds the routes. */
    public void mount(Router router) {
        BodyHandler body = BodyHandler.create(false).setBodyLimit(MOST_BYTES);
        router.get("/api/v1/staff/audit").handler(context -> answer(context, () -> audit(context)));
        router.get("/api/v1/staff/exemptions").handler(context -> answer(context, () -> exemptions(context)));
        router.post("/api/v1/staff/exemptions")
                .handler(body)
                .handler(context -> answer(context, () -> exempt(context)));
        router.post("/api/v1/staff/exemptions/:id/end")
                .handler(body)
                .handler(context -> answer(context, () -> end(context)));
        router.post("/api/v1/staff/comments").handler(body).handler(context -> answer(context, () -> comment(context)));
    }

    private void answer(RoutingContext context, Callable<Reply> question) {
        if (token.isEmpty()) {
            send(context, Reply.text(403, "answers.staffTokenFile is not set: nobody is staff here\n"));
            return;
        }
        String shown = Optional.ofNullable(context.request().getHeader(HttpHeaders.AUTHORIZATION))
                .orElse("");
        if (!MessageDigest.isEqual(
                ("Bearer " + token.get()).getBytes(StandardCharsets.UTF_8), shown.getBytes(StandardCharsets.UTF_8))) {
            send(context, Reply.text(401, "the staff token is missing or wrong\n"));
            return;
        }
        workers.executeBlocking(question, false)
                .onSuccess(reply -> send(context, reply))
                .onFailure(failure -> {
                    if (failure instanceof IllegalArgumentException wrong) {
                        send(context, Reply.text(400, wrong.getMessage() + "\n"));
                    } else {
                        LOG.error("what staff asked could not be done", failure);
                        send(context, Reply.text(503, "the store cannot do it now: " + failure.getMessage() + "\n"));
                    }
                });
    }

    private static void send(RoutingContext context, Reply reply) {
        context.response()
                .setStatusCode(reply.status())
                .putHeader(HttpHeaders.CONTENT_TYPE, reply.type())
                .putHeader("X-Content-Type-Options", "nosniff")
                .putHeader(HttpHeaders.CACHE_CONTROL, "no-store")
                .end(reply.body());
    }

    private Reply audit(RoutingContext context) throws Exception {
        Optional<String> since = parameter(context, "since");
        List<AuditEntry> entries = answers.audit(new AuditFilter(
                parameter(context, "job").map(StaffApi::job),
                parameter(context, "user"),
                since.isPresent() ? Optional.of(time(since.get())) : Optional.empty(),
                parameter(context, "limit")
                        .map(text -> whole("limit", text, MOST_ENTRIES))
                        .orElse(100)));
        if (isJson(context)) {
            return new Reply(200, "application/json", json.writeValueAsString(entries));
        }
        StringBuilder text = new StringBuilder();
        for (AuditEntry entry : entries) {
            text.append(Plain.minute(entry.at(), zone))
                    .append("  ")
                    .append(Plain.line(entry.actor(), 60))
                    .append("  ")
                    .append(Plain.line(entry.what(), 40))
                    .append("  ")
                    .append(entry.outcome().name().toLowerCase(Locale.ROOT).replace('_', ' '));
            entry.job().ifPresent(job -> text.append("  job ").append(job));
            entry.rule().ifPresent(rule -> text.append("  ").append(Plain.line(rule, 60)));
            if (!entry.user().isEmpty()) {
                text.append("  of ").append(Plain.line(entry.user(), 80));
            }
            if (!entry.reason().isEmpty()) {
                text.append(": ").append(Plain.line(entry.reason(), 300));
            }
            text.append('\n');
        }
        return Reply.text(200, text.isEmpty() ? "Nothing was decided or said.\n" : text.toString());
    }

    private Reply exemptions(RoutingContext context) throws Exception {
        List<Exemption> all = answers.exemptions();
        if (isJson(context)) {
            return new Reply(200, "application/json", json.writeValueAsString(all));
        }
        StringBuilder text = new StringBuilder();
        for (Exemption one : all) {
            text.append(line(one)).append('\n');
        }
        return Reply.text(200, text.isEmpty() ? "Nobody is excused.\n" : text.toString());
    }

    private String line(Exemption one) {
        return Plain.line(one.id(), 100) + "  " + one.scope().name().toLowerCase(Locale.ROOT) + " "
                + Plain.line(one.value(), 100) + "  "
                + one.rule().map(rule -> Plain.line(rule, 60)).orElse("all rules") + "  "
                + one.until().map(end -> "until " + Plain.minute(end, zone)).orElse("until ended") + "  by "
                + Plain.line(one.by(), 80) + (one.reason().isEmpty() ? "" : ": " + Plain.line(one.reason(), 200));
    }

    private Reply exempt(RoutingContext context) throws Exception {
        Optional<String> job = form(context, "job");
        Optional<String> user = form(context, "user");
        Optional<String> account = form(context, "account");
        if (List.of(job, user, account).stream().filter(Optional::isPresent).count() != 1) {
            throw new IllegalArgumentException("expected: one of job, user, account");
        }
        Exemption.Scope scope = job.isPresent()
                ? Exemption.Scope.RUN
                : user.isPresent() ? Exemption.Scope.USER : Exemption.Scope.ACCOUNT;
        String value = user.or(() -> account).orElse("");
        if (job.isPresent()) {
            Optional<Run> run = answers.liveRun(job(job.get()));
            if (run.isEmpty()) {
                return Reply.text(404, "Job " + Plain.line(job.get(), 20) + " does not run.\n");
            }
            value = Exemption.valueOf(run.get().key());
        }
        Optional<String> reason = form(context, "reason");
        if (reason.isEmpty()) {
            throw new IllegalArgumentException("reason: missing (expected: why, for those who read it later)");
        }
        Optional<Instant> until = form(context, "for").map(this::after).or(() -> form(context, "until")
                .map(this::time));
        Exemption made = answers.exempt(scope, value, form(context, "rule"), until, person(context), reason.get());
        return isJson(context)
                ? new Reply(200, "application/json", json.writeValueAsString(made))
                : Reply.text(200, line(made) + "\n");
    }

    private Reply end(RoutingContext context) throws Exception {
        Optional<Exemption> ended = answers.end(context.pathParam("id"), person(context));
        return ended.isPresent()
                ? Reply.text(200, "ended: " + line(ended.get()) + "\n")
                : Reply.text(404, "There is no exemption " + Plain.line(context.pathParam("id"), 80) + ".\n");
    }

    private Reply comment(RoutingContext context) throws Exception {
        Optional<String> job = form(context, "job");
        Optional<String> text = form(context, "text");
        if (job.isEmpty() || text.isEmpty()) {
            throw new IllegalArgumentException("expected: job and text");
        }
        return answers.comment(job(job.get()), person(context), text.get())
                ? Reply.text(200, "Noted.\n")
                : Reply.text(404, "Nobody knows job " + Plain.line(job.get(), 20) + ".\n");
    }

    private static boolean isJson(RoutingContext context) {
        return parameter(context, "format").map("json"::equals).orElse(true);
    }

    private static String person(RoutingContext context) {
        String by = form(context, "by").orElse("");
        if (!PERSON.matcher(by).matches()) {
            throw new IllegalArgumentException("by: expected: who says so");
        }
        return by;
    }

    private static Optional<String> parameter(RoutingContext context, String name) {
        return present(context.queryParams().get(name));
    }

    private static Optional<String> form(RoutingContext context, String name) {
        return present(context.request().getFormAttribute(name));
    }

    private static Optional<String> present(@Nullable String value) {
        return Optional.ofNullable(value).map(String::strip).filter(text -> !text.isEmpty());
    }

    private static long job(String text) {
        if (!text.matches("[1-9]\\d{0,17}")) {
            throw new IllegalArgumentException("job: " + Plain.line(text, 40) + " (expected: a raw job number)");
        }
        return Long.parseLong(text);
    }

    private static int whole(String name, String text, int most) {
        if (!text.matches("[1-9]\\d{0,8}") || Integer.parseInt(text) > most) {
            throw new IllegalArgumentException(name + ": " + Plain.line(text, 40) + " (expected: 1 to " + most + ")");
        }
        return Integer.parseInt(text);
    }

    private Instant after(String text) {
        Matcher matcher = LENGTH.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("for: " + Plain.line(text, 40) + " (expected: e.g. 12h, 7d or 4w)");
        }
        long number = Long.parseLong(matcher.group(1));
        return clock.instant()
                .plus(
                        switch (matcher.group(2)) {
                            case "m" -> Duration.ofMinutes(number);
                            case "h" -> Duration.ofHours(number);
                            case "d" -> Duration.ofDays(number);
                            default -> Duration.ofDays(7 * number);
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
