package io.fairwatch.collector.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.fairwatch.collector.judge.Backtest;
import io.fairwatch.collector.judge.BacktestText;
import io.fairwatch.collector.text.Plain;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code GET /api/v1/rules/{rule}/backtest}: what a rule would have done on what is stored. One at a time, on a thread of
 * its own. The answer comes in lines while the work goes on: {@code # 12 %} as text, {@code {"progress":0.12}} as JSON, and
 * the outcome last; when the asking side goes away, the work ends. Thread-safe.
 */
public final class BacktestRoute {
    private static final Logger LOG = LoggerFactory.getLogger(BacktestRoute.class);
    private static final int MOST_SETTINGS = 20;

    private final Backtest backtest;
    private final WorkerExecutor worker;
    private final ZoneId zone;
    private final InstantSource clock;
    private final BacktestText text;
    private final AtomicBoolean busy = new AtomicBoolean();
    private final JsonMapper json = JsonMapper.builder()
            .addModule(new Jdk8Module())
            .addModule(new JavaTimeModule())
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .defaultPropertyInclusion(
                    JsonInclude.Value.construct(JsonInclude.Include.NON_ABSENT, JsonInclude.Include.ALWAYS))
            .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
            .build();

    public BacktestRoute(Vertx vertx, Backtest backtest, ZoneId zone, InstantSource clock) {
        this.backtest = backtest;
        this.worker = vertx.createSharedWorkerExecutor("backtest", 1, 30, TimeUnit.MINUTES);
        this.zone = zone;
        this.clock = clock;
        this.text = new BacktestText(zone);
    }

    /** For the description of the API. */
    public static Described described() {
        return new Described(
                "get",
                "/api/v1/rules/{rule}/backtest",
                "Rehearses a rule on what is stored, one at a time: lines that begin with # tell how far it is, with"
                        + " format=json each line is a JSON object, {\"progress\": 0.25} until the last.",
                List.of(
                        new Described.Field("since", true, "From when on: 2026-09-01, 30d or 12h."),
                        new Described.Field("until", false, "Until when; left away: now."),
                        new Described.Field(
                                "set", false, "threshold=value, as often as there are some, at most 20 times."),
                        new Described.Field(
                                "cancel_after",
                                false,
                                "Minutes from the first mail to the end of a job; left away: 60."),
                        new Described.Field("format", false, "json; left away: text.")),
                List.of(),
                false,
                Map.of(
                        400, "A word is wrong, or a rule cannot be rehearsed.",
                        503, "Another rule is being rehearsed; try again in a minute."));
    }

    /** Adds the route. */
    public void mount(Router router) {
        router.get("/api/v1/rules/:rule/backtest").handler(this::answer);
    }

    private void answer(RoutingContext context) {
        Backtest.Plan plan;
        try {
            plan = plan(context);
        } catch (IllegalArgumentException | DateTimeException wrong) {
            sentence(context, 400, String.valueOf(wrong.getMessage()));
            return;
        }
        if (!busy.compareAndSet(false, true)) {
            sentence(context, 503, "Another rule is being rehearsed; try again in a minute.");
            return;
        }
        boolean asJson = "json".equals(context.request().getParam("format"));
        AtomicBoolean gone = new AtomicBoolean();
        HttpServerResponse response = context.response();
        response.closeHandler(nothing -> gone.set(true));
        response.setChunked(true)
                .putHeader("Content-Type", (asJson ? "application/x-ndjson" : "text/plain") + "; charset=utf-8")
                .putHeader("X-Content-Type-Options", "nosniff")
                .putHeader("Cache-Control", "no-store");
        worker.executeBlocking(
                        () -> {
                            Backtest.Outcome outcome =
                                    backtest.rehearse(plan, done -> write(context, progress(done, asJson)), gone::get);
                            return asJson ? json.writeValueAsString(outcome) + "\n" : text.page(outcome);
                        },
                        false)
                .onComplete(done -> {
                    busy.set(false);
                    if (gone.get()) {
                        return;
                    }
                    if (done.succeeded()) {
                        response.end(done.result());
                    } else {
                        LOG.warn("rule={} could not be rehearsed", plan.rule(), done.cause());
                        response.end("fairwatch: "
                                + Plain.line("not rehearsed: " + done.cause().getMessage(), 1000) + "\n");
                    }
                });
    }

    private static String progress(double done, boolean asJson) {
        return asJson
                ? String.format(Locale.ROOT, "{\"progress\":%.3f}%n", done)
                : String.format(Locale.ROOT, "# %.0f %%%n", 100 * done);
    }

    /** A response is written to on its own event loop. */
    private static void write(RoutingContext context, String line) {
        context.vertx().runOnContext(nothing -> {
            if (!context.response().ended() && !context.response().closed()) {
                context.response().write(line);
            }
        });
    }

    private static void sentence(RoutingContext context, int status, String sentence) {
        context.response()
                .setStatusCode(status)
                .putHeader("Content-Type", "text/plain; charset=utf-8")
                .end(Plain.line(sentence, 1000) + "\n");
    }

    private Backtest.Plan plan(RoutingContext context) {
        Instant now = clock.instant();
        Map<String, String> settings = new LinkedHashMap<>();
        List<String> said = context.queryParam("set");
        if (said.size() > MOST_SETTINGS) {
            throw new IllegalArgumentException("set: said " + said.size() + " times (expected: 20 or fewer)");
        }
        for (String setting : said) {
            int equals = setting.indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException("set: " + setting + " (expected: threshold=value)");
            }
            settings.put(setting.substring(0, equals), setting.substring(equals + 1));
        }
        String cancelAfter =
                Optional.ofNullable(context.request().getParam("cancel_after")).orElse("60");
        if (!cancelAfter.matches("\\d{1,5}")) {
            throw new IllegalArgumentException("cancel_after: " + cancelAfter + " (expected: minutes)");
        }
        return new Backtest.Plan(
                String.valueOf(context.pathParam("rule")),
                time(context, "since", now)
                        .orElseThrow(() -> new IllegalArgumentException("since: missing (expected: e.g. 2026-09-01)")),
                time(context, "until", now).filter(until -> until.isBefore(now)).orElse(now),
                settings,
                Duration.ofMinutes(Long.parseLong(cancelAfter)));
    }

    private Optional<Instant> time(RoutingContext context, String name, Instant now) {
        return Optional.ofNullable(context.request().getParam(name)).map(value -> {
            if (value.matches("\\d{1,4}d")) {
                return now.minus(Duration.ofDays(Long.parseLong(value.substring(0, value.length() - 1))));
            }
            if (value.matches("\\d{1,5}h")) {
                return now.minus(Duration.ofHours(Long.parseLong(value.substring(0, value.length() - 1))));
            }
            if (!value.matches("\\d{4}-\\d{2}-\\d{2}")) {
                throw new IllegalArgumentException(name + ": " + value + " (expected: e.g. 2026-09-01, 30d or 12h)");
            }
            return LocalDate.parse(value).atStartOfDay(zone).toInstant();
        });
    }
}
