package io.fairwatch.collector.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.fairwatch.collector.lookup.HoldLookup;
import io.fairwatch.collector.lookup.HoldLookup.Filter;
import io.fairwatch.collector.lookup.HoldLookup.Holdings;
import io.fairwatch.collector.lookup.HoldLookup.IdleGpu;
import io.fairwatch.collector.lookup.HoldText;
import io.fairwatch.collector.lookup.JobLookup;
import io.fairwatch.collector.lookup.JobLookup.Answer;
import io.fairwatch.collector.lookup.JobText;
import io.fairwatch.collector.lookup.NodeLookup;
import io.fairwatch.collector.lookup.NodeLookup.NodeView;
import io.fairwatch.collector.lookup.NodeSummary;
import io.fairwatch.collector.lookup.NodeText;
import io.fairwatch.collector.lookup.ScratchLookup;
import io.fairwatch.collector.lookup.ScratchText;
import io.fairwatch.collector.report.Period;
import io.fairwatch.collector.report.Report;
import io.fairwatch.collector.report.ReportMaker;
import io.fairwatch.collector.report.ReportText;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The routes below {@code /api/v1} that read. Thread-safe; what blocks runs on workers. */
public final class Api {
    private static final Logger LOG = LoggerFactory.getLogger(Api.class);
    private static final int QUESTION_THREADS = 4;
    private static final String TEXT = "text/plain; charset=utf-8";
    private static final String CSV = "text/csv; charset=utf-8";
    private static final String JSON = "application/json";

    private static final Map<Integer, String> SENTENCES = Map.of(
            400, "The address cannot be read.",
            404, "There is nothing at this address.",
            405, "This address is for other methods.",
            500, "The collector failed; its log says how.");

    private final WorkerExecutor questions;
    private final JobLookup jobs;
    private final NodeLookup nodes;
    private final HoldLookup holds;
    private final ScratchLookup scratch;
    private final ReportMaker reports;
    private final HealthCheck health;
    private final ZoneId zone;
    private final InstantSource clock;
    private final JsonMapper json = JsonMapper.builder()
            .addModule(new Jdk8Module())
            .addModule(new JavaTimeModule())
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .defaultPropertyInclusion(
                    JsonInclude.Value.construct(JsonInclude.Include.NON_ABSENT, JsonInclude.Include.ALWAYS))
            .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS, SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
            .build();

    /** A status and what is said with it. */
    private record Reply(int status, String type, String body) {
        static Reply sentence(int status, String sentence) {
            return new Reply(status, TEXT, Plain.line(sentence, 1000));
        }
    }

    /** How an answer is to look. */
    private enum Format {
        TEXT,
        CSV,
        JSON
    }

    public Api(
            Vertx vertx,
            JobLookup jobs,
            NodeLookup nodes,
            HoldLookup holds,
            ScratchLookup scratch,
            ReportMaker reports,
            HealthCheck health,
            ZoneId zone,
            InstantSource clock) {
        // a long report shall not hold up what agents send, so questions have threads of their own
        this.questions = vertx.createSharedWorkerExecutor("questions", QUESTION_THREADS);
        this.jobs = jobs;
        this.nodes = nodes;
        this.holds = holds;
        this.scratch = scratch;
        this.reports = reports;
        this.health = health;
        this.zone = zone;
        this.clock = clock;
    }

    /** Adds the routes. */
    public void mount(Router router) {
        router.get("/api/v1/jobs/:id").handler(context -> answer(context, () -> job(context)));
        router.get("/api/v1/nodes").handler(context -> answer(context, () -> nodes(context, Optional.empty())));
        router.get("/api/v1/nodes/:node")
                .handler(context -> answer(context, () -> nodes(context, Optional.of(context.pathParam("node")))));
        router.get("/api/v1/jobs").handler(context -> answer(context, () -> held(context)));
        router.get("/api/v1/users").handler(context -> answer(context, () -> users(context)));
        router.get("/api/v1/idle").handler(context -> answer(context, () -> idle(context)));
        router.get("/api/v1/summary").handler(context -> answer(context, () -> summary(context)));
        router.get("/api/v1/scratch").handler(context -> answer(context, () -> scratch(context)));
        router.get("/api/v1/report").handler(context -> answer(context, () -> report(context)));
        router.get("/api/v1/health").handler(context -> answer(context, () -> health(context)));
        // Vert.x has pages of HTML for these, whatever the route
        SENTENCES.forEach((status, sentence) -> router.errorHandler(status, context -> {
            if (status == 500) {
                LOG.error(
                        "a request failed path={}", Plain.line(context.request().path(), 200), context.failure());
            }
            if (!context.response().ended()) {
                send(context, Reply.sentence(status, sentence));
            }
        }));
    }

    private Reply job(RoutingContext context) throws StoreException, JsonProcessingException {
        Format format = format(context);
        JobText text = new JobText(zone);
        Answer answer = jobs.find(context.pathParam("id"));
        if (answer instanceof Answer.Pending pending) {
            return Reply.sentence(409, text.pending(pending.job()));
        } else if (answer instanceof Answer.Unknown unknown) {
            return Reply.sentence(404, text.unknown(unknown.id(), unknown.slurmAsOf()));
        }
        Answer.Found found = (Answer.Found) answer;
        if (parameter(context, "live").isPresent()
                && found.views().stream().allMatch(view -> view.run().end().isPresent())) {
            return Reply.sentence(
                    410,
                    "Job " + Plain.line(context.pathParam("id"), 40) + " has ended: "
                            + found.views().get(0).run().state() + ".");
        }
        return switch (format) {
            case TEXT -> new Reply(200, TEXT, text.page(found));
            case CSV -> new Reply(200, CSV, text.csv(found.views()));
            case JSON -> new Reply(200, JSON, json.writeValueAsString(found.views()));
        };
    }

    private Reply nodes(RoutingContext context, Optional<String> name) throws StoreException, JsonProcessingException {
        Format format = format(context);
        if (format == Format.CSV) {
            throw new IllegalArgumentException("format: csv (expected: text or json)");
        }
        List<NodeView> found = nodes.find(name);
        if (found.isEmpty()) {
            return Reply.sentence(
                    404,
                    name.map(asked -> "Node " + Plain.line(asked, 60) + " has never reported.")
                            .orElse("No node has reported yet."));
        }
        return format == Format.TEXT
                ? new Reply(200, TEXT, new NodeText().page(found))
                : new Reply(200, JSON, json.writeValueAsString(found));
    }

    private Reply held(RoutingContext context) throws StoreException, JsonProcessingException {
        Format format = format(context);
        Holdings holdings = holds.held(filter(context));
        HoldText text = new HoldText();
        return switch (format) {
            case TEXT -> new Reply(200, TEXT, text.jobs(holdings));
            case CSV -> new Reply(200, CSV, text.jobsCsv(holdings));
            case JSON -> new Reply(200, JSON, json.writeValueAsString(holdings));
        };
    }

    private Reply users(RoutingContext context) throws StoreException, JsonProcessingException {
        Format format = format(context);
        Holdings holdings = holds.held(filter(context));
        return switch (format) {
            case TEXT -> new Reply(200, TEXT, new HoldText().users(holdings));
            case CSV -> new Reply(200, CSV, new HoldText().usersCsv(holdings));
            case JSON -> new Reply(200, JSON, json.writeValueAsString(HoldText.byUser(holdings)));
        };
    }

    private Reply idle(RoutingContext context) throws StoreException, JsonProcessingException {
        Format format = format(context);
        Holdings holdings = holds.held(filter(context));
        List<IdleGpu> idle = holds.idle(holdings);
        return switch (format) {
            case TEXT -> new Reply(200, TEXT, new HoldText().idle(holdings, idle));
            case CSV -> new Reply(200, CSV, new HoldText().idleCsv(idle));
            case JSON -> new Reply(200, JSON, json.writeValueAsString(idle));
        };
    }

    /** One line for each node, for people alone. */
    private Reply summary(RoutingContext context) throws StoreException {
        Holdings holdings = holds.held(Filter.ALL);
        NodeSummary summary = new NodeSummary(colours(context), width(context));
        return new Reply(200, TEXT, summary.page(nodes.find(Optional.empty()), nodes.known(), holdings));
    }

    private Reply scratch(RoutingContext context) throws StoreException, JsonProcessingException {
        Format format = format(context);
        ScratchLookup.Keeping keeping = scratch.find(new ScratchLookup.Filter(
                parameter(context, "user"), parameter(context, "node"), parameter(context, "path")));
        ScratchText text = new ScratchText(colours(context));
        return switch (format) {
            case TEXT ->
                new Reply(
                        200,
                        TEXT,
                        text.page(keeping, parameter(context, "columns").isPresent()));
            case CSV -> new Reply(200, CSV, text.csv(keeping));
            case JSON -> new Reply(200, JSON, json.writeValueAsString(keeping));
        };
    }

    /** Only a terminal wants them, and only the asking side knows whether it is one. */
    private static boolean colours(RoutingContext context) {
        return parameter(context, "colours").filter("yes"::equals).isPresent();
    }

    private static int width(RoutingContext context) {
        String asked = parameter(context, "width").orElse("120");
        if (!asked.matches("\\d{1,4}")) {
            throw new IllegalArgumentException("width: expected a number");
        }
        return Integer.parseInt(asked);
    }

    private static Filter filter(RoutingContext context) {
        return new Filter(
                parameter(context, "user"),
                parameter(context, "account"),
                parameter(context, "partition"),
                parameter(context, "node"));
    }

    private Reply report(RoutingContext context) throws StoreException, JsonProcessingException {
        Period period = Period.parse(
                parameter(context, "semester"),
                parameter(context, "from"),
                parameter(context, "to"),
                zone,
                clock.instant());
        Format format = format(context);
        Report report = reports.make(period);
        ReportText text = new ReportText(zone);
        return switch (format) {
            case TEXT -> new Reply(200, TEXT, text.page(report));
            case CSV -> new Reply(200, CSV, text.csv(report));
            case JSON -> new Reply(200, JSON, json.writeValueAsString(report));
        };
    }

    private Reply health(RoutingContext context) throws StoreException, JsonProcessingException {
        Format format = format(context);
        HealthCheck.Health now = health.check();
        int status = now.ok() ? 200 : 503;
        return switch (format) {
            case TEXT, CSV -> new Reply(status, TEXT, now.text(zone));
            case JSON -> new Reply(status, JSON, json.writeValueAsString(now));
        };
    }

    private static Format format(RoutingContext context) {
        String asked = parameter(context, "format").orElse("json");
        for (Format format : Format.values()) {
            if (format.name().toLowerCase(Locale.ROOT).equals(asked)) {
                return format;
            }
        }
        throw new IllegalArgumentException("format: expected text, csv or json");
    }

    private static Optional<String> parameter(RoutingContext context, String name) {
        return Optional.ofNullable(context.request().getParam(name)).filter(value -> !value.isEmpty());
    }

    private void answer(RoutingContext context, Callable<Reply> question) {
        questions
                .executeBlocking(() -> answerTo(question), false)
                .onSuccess(reply -> send(context, reply))
                .onFailure(context::fail);
    }

    private static void send(RoutingContext context, Reply reply) {
        context.response()
                .setStatusCode(reply.status())
                .putHeader("Content-Type", reply.type())
                .putHeader("X-Content-Type-Options", "nosniff")
                .putHeader("Cache-Control", "no-store")
                .end(reply.body());
    }

    private static Reply answerTo(Callable<Reply> question) throws Exception {
        try {
            return question.call();
        } catch (IllegalArgumentException e) {
            return Reply.sentence(400, String.valueOf(e.getMessage()));
        } catch (StoreException e) {
            LOG.error("a question could not be answered", e);
            return Reply.sentence(503, "the store cannot answer: " + e.getMessage());
        }
    }
}
