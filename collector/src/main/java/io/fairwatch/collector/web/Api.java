package io.fairwatch.collector.web;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.fairwatch.collector.lookup.FindingLine;
import io.fairwatch.collector.lookup.FindingList;
import io.fairwatch.collector.lookup.FindingText;
import io.fairwatch.collector.lookup.HoldLookup;
import io.fairwatch.collector.lookup.HoldLookup.Filter;
import io.fairwatch.collector.lookup.HoldLookup.Holdings;
import io.fairwatch.collector.lookup.HoldLookup.IdleGpu;
import io.fairwatch.collector.lookup.HoldText;
import io.fairwatch.collector.lookup.Holds;
import io.fairwatch.collector.lookup.JobLine;
import io.fairwatch.collector.lookup.JobList;
import io.fairwatch.collector.lookup.JobListText;
import io.fairwatch.collector.lookup.JobLookup;
import io.fairwatch.collector.lookup.JobLookup.Answer;
import io.fairwatch.collector.lookup.JobText;
import io.fairwatch.collector.lookup.JobView;
import io.fairwatch.collector.lookup.Listing;
import io.fairwatch.collector.lookup.NodeLookup;
import io.fairwatch.collector.lookup.NodeLookup.NodeView;
import io.fairwatch.collector.lookup.NodeSummary;
import io.fairwatch.collector.lookup.NodeText;
import io.fairwatch.collector.lookup.ScratchLookup;
import io.fairwatch.collector.lookup.ScratchLookup.Keeping;
import io.fairwatch.collector.lookup.ScratchText;
import io.fairwatch.collector.lookup.SeriesCsv;
import io.fairwatch.collector.lookup.SeriesLookup;
import io.fairwatch.collector.lookup.SeriesLookup.SeriesView;
import io.fairwatch.collector.lookup.Strip;
import io.fairwatch.collector.lookup.UserLookup;
import io.fairwatch.collector.lookup.UserLookup.UserView;
import io.fairwatch.collector.lookup.UserText;
import io.fairwatch.collector.report.Period;
import io.fairwatch.collector.report.ReportFiles;
import io.fairwatch.collector.report.ReportMaker;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.web.Parameter.Kind;
import io.fairwatch.collector.web.Route.Effort;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.vertx.core.Vertx;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.time.Duration;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The routes below {@code /api/v1} that read. Thread-safe; what blocks runs on workers. */
public final class Api {
    private static final Logger LOG = LoggerFactory.getLogger(Api.class);

    private static final int QUICK_THREADS = 4;
    private static final int LONG_THREADS = 2;
    private static final int MOST_WAITING = 64;

    private static final Parameter JOB =
            Parameter.text("id", "A job: 83549, an array task 83549_3, or a component 83549+1.");
    private static final Parameter LIVE =
            Parameter.choice("live", "Answers 410 once the job has ended, for those who repeat it.", "yes");

    private static final Map<Integer, String> SENTENCES = Map.of(
            400, "The address cannot be read.",
            404, "There is nothing at this address.",
            405, "This address is for other methods.",
            500, "The collector failed; its log says how.");

    private final Questions questions;
    private final JobLookup jobs;
    private final JobList lists;
    private final SeriesLookup series;
    private final NodeLookup nodes;
    private final HoldLookup holds;
    private final UserLookup users;
    private final FindingList findings;
    private final ScratchLookup scratch;
    private final ReportMaker reports;
    private final HealthCheck health;
    private final ZoneId zone;
    private final InstantSource clock;
    private final double busyAboveRatio;
    private final MeterRegistry meters;
    private final List<Route> routes;
    private final OpenApi description;
    private final JsonMapper json = JsonMapper.builder()
            .addModule(new Jdk8Module())
            .addModule(new JavaTimeModule())
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .defaultPropertyInclusion(
                    JsonInclude.Value.construct(JsonInclude.Include.NON_ABSENT, JsonInclude.Include.ALWAYS))
            .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS, SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
            .build();

    /**
     * @param busyAboveRatio a reading above this counts as busy
     * @param rules addresses about rules
     * @param others addresses that others serve, to be described along
     */
    public Api(
            Vertx vertx,
            JobLookup jobs,
            JobList lists,
            SeriesLookup series,
            NodeLookup nodes,
            HoldLookup holds,
            UserLookup users,
            FindingList findings,
            ScratchLookup scratch,
            ReportMaker reports,
            HealthCheck health,
            ZoneId zone,
            InstantSource clock,
            double busyAboveRatio,
            MeterRegistry meters,
            RuleRoutes rules,
            List<Described> others) {
        this.questions = new Questions(vertx, QUICK_THREADS, LONG_THREADS, MOST_WAITING);
        this.jobs = jobs;
        this.lists = lists;
        this.series = series;
        this.nodes = nodes;
        this.holds = holds;
        this.users = users;
        this.findings = findings;
        this.scratch = scratch;
        this.reports = reports;
        this.health = health;
        this.zone = zone;
        this.clock = clock;
        this.busyAboveRatio = busyAboveRatio;
        this.meters = meters;
        this.routes =
                Stream.concat(routes().stream(), rules.routes(json).stream()).toList();
        this.description = new OpenApi(routes, others, json);
        for (Effort effort : Effort.values()) {
            Gauge.builder("fairwatch.collector.api.waiting", questions, asked -> asked.waiting(effort))
                    .description("Questions that wait or are being answered")
                    .tag("effort", effort.name().toLowerCase(Locale.ROOT))
                    .register(meters);
        }
    }

    /** Every address, in the order of the description. */
    private List<Route> routes() {
        return List.of(
                Route.of(
                                "/api/v1/jobs",
                                "Jobs, newest first: what runs and waits now, or with a state or times those of any time.",
                                this::jobs,
                                Parameter.USER,
                                Parameter.ACCOUNT,
                                Parameter.PARTITION,
                                Parameter.NODE,
                                Parameter.text(
                                        "state",
                                        "Only in these states, e.g. running,pending; also ended, all, or Slurm's word"
                                                + " such as failed."),
                                Parameter.SINCE,
                                Parameter.UNTIL,
                                Parameter.LIMIT,
                                Parameter.AFTER)
                        .answers(new TypeReference<Listing<JobLine>>() {}.getType())
                        .seen(Route.Sight.OWN_LIST),
                Route.of(
                                "/api/v1/jobs/{id}",
                                "What a job does with its GPUs: the newest run of each of its parts.",
                                this::job,
                                JOB,
                                LIVE,
                                Parameter.WIDTH,
                                Parameter.CHARACTERS)
                        .answers(new TypeReference<List<JobView>>() {}.getType())
                        .or(404, "Nobody knows the job.")
                        .or(409, "It has not started.")
                        .or(410, "It has ended, and live was asked for.")
                        .seen(Route.Sight.OWN_JOB),
                Route.of("/api/v1/jobs/{id}/runs", "All runs of a job, newest first.", this::runs, JOB)
                        .answers(new TypeReference<Listing<JobLine>>() {}.getType())
                        .or(404, "Nobody knows the job, or it has not started.")
                        .seen(Route.Sight.OWN_JOB),
                Route.of(
                                "/api/v1/jobs/{id}/series",
                                "What a job's GPUs, CPUs and memory did over time, slot by slot: the newest run of each part.",
                                this::series,
                                JOB,
                                Parameter.SINCE,
                                Parameter.UNTIL,
                                new Parameter(
                                        "points",
                                        "At most so many slots; 2 to 2000, 300 if not said.",
                                        Kind.COUNT,
                                        List.of()),
                                Parameter.WIDTH,
                                Parameter.CHARACTERS)
                        .answers(SeriesView.class)
                        .or(404, "Nobody knows the job, or nothing of that time.")
                        .seen(Route.Sight.OWN_JOB),
                Route.of(
                                "/api/v1/idle",
                                "GPUs that are held and idle now, idle longest first.",
                                this::idle,
                                Parameter.USER,
                                Parameter.ACCOUNT,
                                Parameter.PARTITION,
                                Parameter.NODE,
                                Parameter.LIMIT,
                                Parameter.AFTER)
                        .answers(new TypeReference<Listing<IdleGpu>>() {}.getType())
                        .seen(Route.Sight.OWN_LIST),
                Route.of(
                                "/api/v1/users",
                                "What each user holds now, most idle GPUs first, with the accounts, QoS and limits of each.",
                                this::users,
                                Parameter.USER,
                                Parameter.ACCOUNT,
                                Parameter.PARTITION,
                                Parameter.NODE,
                                Parameter.LIMIT,
                                Parameter.AFTER)
                        .answers(new TypeReference<Listing<Holds>>() {}.getType())
                        .seen(Route.Sight.OWN_LIST),
                Route.of("/api/v1/users/{user}", "What one user has now.", this::user, Parameter.USER)
                        .answers(UserView.class)
                        .seen(Route.Sight.OWN_USER),
                Route.of(
                                "/api/v1/accounts",
                                "What each charging account holds now, most idle GPUs first, with its place in the tree, QoS and limits.",
                                this::accounts,
                                Parameter.USER,
                                Parameter.ACCOUNT,
                                Parameter.PARTITION,
                                Parameter.LIMIT,
                                Parameter.AFTER)
                        .answers(new TypeReference<Listing<Holds>>() {}.getType())
                        .seen(Route.Sight.OWN_LIST),
                Route.of(
                                "/api/v1/findings",
                                "What rules found and is still so, newest first, with who was told; of a job also what is over.",
                                this::findings,
                                Parameter.USER,
                                Parameter.text("rule", "Only of this rule."),
                                Parameter.text("job", "Only of this job: 83549, 83549_3, 83549+1."),
                                Parameter.NODE,
                                Parameter.choice("state", "all: what is over, too; comes with a job.", "open", "all"),
                                Parameter.WIDTH,
                                Parameter.LIMIT,
                                Parameter.AFTER)
                        .answers(new TypeReference<Listing<FindingLine>>() {}.getType())
                        .seen(Route.Sight.OWN_LIST),
                Route.of(
                                "/api/v1/nodes",
                                "What nodes report now, by name.",
                                question -> nodes(question, Optional.empty()),
                                Parameter.LIMIT,
                                Parameter.AFTER)
                        .answers(new TypeReference<Listing<NodeView>>() {}.getType())
                        .or(404, "No node has reported yet.")
                        .seen(Route.Sight.STAFF),
                Route.of(
                                "/api/v1/nodes/{node}",
                                "What one node reports now.",
                                question -> nodes(question, question.text("node")),
                                Parameter.NODE)
                        .answers(new TypeReference<Listing<NodeView>>() {}.getType())
                        .or(404, "The node has never reported.")
                        .seen(Route.Sight.STAFF),
                Route.of(
                                "/api/v1/summary",
                                "One line for each node, for people.",
                                this::summary,
                                Parameter.COLOURS,
                                Parameter.WIDTH)
                        .in(Format.TEXT)
                        .seen(Route.Sight.NAMES_HIDDEN),
                Route.of(
                                "/api/v1/scratch",
                                "What people keep on scratch and home file systems, most first.",
                                this::scratch,
                                Parameter.USER,
                                Parameter.NODE,
                                Parameter.text("path", "Only what begins with this path."),
                                Parameter.text("name", "Only directories of this name, as projects have."),
                                Parameter.choice("columns", "A column for the node; text only.", "node"),
                                Parameter.COLOURS,
                                Parameter.WIDTH,
                                Parameter.LIMIT,
                                Parameter.AFTER)
                        .answers(Keeping.class)
                        .seen(Route.Sight.OWN_LIST),
                Route.of(
                                "/api/v1/report",
                                "What the cluster's GPUs were used for in a period.",
                                this::report,
                                Parameter.text("semester", "E.g. 2026-autumn; or else from."),
                                Parameter.text("from", "First day, e.g. 2026-09-01."),
                                Parameter.text("to", "First day not counted."))
                        .answers(new TypeReference<Map<String, Object>>() {}.getType())
                        .slow()
                        .seen(Route.Sight.STAFF),
                Route.of("/api/v1/health", "Whether the collector, its agents and Slurm are well.", this::health)
                        .in(Format.JSON, Format.TEXT)
                        .answers(HealthCheck.Health.class)
                        .or(503, "Something is not well; the answer says what.")
                        .seen(Route.Sight.EVERYBODY));
    }

    /** Adds the routes, open to everybody. */
    public void mount(Router router) {
        mount(router, Access.OPEN);
    }

    /** Adds the routes. */
    public void mount(Router router, Access access) {
        routes.forEach(route -> router.get(route.pattern()).handler(context -> answer(route, context, access)));
        router.get("/api/v1/openapi.json").handler(description::send);
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

    // ---- jobs

    private Reply jobs(Question question) throws StoreException, JsonProcessingException {
        JobList.Query query = JobList.Query.of(
                filter(question), question.text("state"), question.time("since"), question.time("until"));
        Listing<JobLine> found = lists.find(query, question.page());
        return list(question, found, new JobListText(zone)::csv, () -> new JobListText(zone).page(found));
    }

    private Reply job(Question question) throws StoreException, JsonProcessingException {
        JobText text = new JobText(zone);
        Answer answer = jobs.find(question.inPath("id"));
        if (answer instanceof Answer.Pending pending) {
            return Reply.sentence(409, text.pending(pending.job()));
        } else if (answer instanceof Answer.Unknown unknown) {
            return Reply.sentence(404, text.unknown(unknown.id(), unknown.slurmAsOf()));
        }
        Answer.Found found = (Answer.Found) answer;
        if (question.is("live", "yes")
                && found.views().stream().allMatch(view -> view.run().end().isPresent())) {
            return Reply.sentence(
                    410,
                    "Job " + Plain.line(question.inPath("id"), 40) + " has ended: "
                            + found.views().get(0).run().state() + ".");
        }
        return switch (question.format()) {
            case TEXT -> Reply.of(200, Format.TEXT, text.page(found, jobs.strips(found, strip(question), zone)));
            case CSV -> Reply.of(200, Format.CSV, text.csv(found.views()));
            case JSON -> Reply.of(200, Format.JSON, json.writeValueAsString(found.views()));
        };
    }

    private Strip strip(Question question) {
        return new Strip(question.width(), question.is("characters", "utf-8"), busyAboveRatio);
    }

    private Reply series(Question question) throws StoreException, JsonProcessingException {
        SeriesView found = series.find(
                question.inPath("id"),
                question.time("since"),
                question.time("until"),
                question.text("points").map(Integer::parseInt).orElse(300));
        return found.runs().isEmpty()
                ? Reply.sentence(404, "Nothing of job " + question.inPath("id") + " is known of that time.")
                : Reply.of(
                        200,
                        question.format(),
                        switch (question.format()) {
                            case TEXT -> strip(question).page(found, zone);
                            case CSV -> new SeriesCsv().csv(found);
                            case JSON -> json.writeValueAsString(found);
                        });
    }

    private Reply runs(Question question) throws StoreException, JsonProcessingException {
        Listing<JobLine> found = lists.runsOf(question.inPath("id"));
        return found.items().isEmpty()
                ? Reply.sentence(404, "No run of job " + question.inPath("id") + " is known.")
                : list(question, found, new JobListText(zone)::csv, () -> new JobListText(zone).page(found));
    }

    // ---- what is held

    private Reply idle(Question question) throws StoreException, JsonProcessingException {
        Holdings holdings = holds.held(filter(question));
        List<IdleGpu> all = holds.idle(holdings);
        Listing<IdleGpu> found = holdings.listing(question.page().of(all, IdleGpu::key));
        return list(question, found, new HoldText()::idleCsv, () -> new HoldText().idle(holdings, all, found));
    }

    private Reply users(Question question) throws StoreException, JsonProcessingException {
        return holds(question, "user", Holds::byUser);
    }

    private Reply user(Question question) throws StoreException, JsonProcessingException {
        UserView found = users.find(question.inPath("user"));
        return Reply.of(
                200,
                question.format(),
                switch (question.format()) {
                    case TEXT -> new UserText(zone).page(found);
                    case CSV -> new JobListText(zone).csv(found.jobs());
                    case JSON -> json.writeValueAsString(found);
                });
    }

    private Reply accounts(Question question) throws StoreException, JsonProcessingException {
        return holds(question, "account", Holds::byAccount);
    }

    private Reply holds(Question question, String who, BiFunction<Holdings, Optional<AccountTree>, List<Holds>> by)
            throws StoreException, JsonProcessingException {
        Holdings holdings = holds.held(filter(question));
        Listing<Holds> found = holdings.listing(question.page().of(by.apply(holdings, holds.accounts()), Holds::key));
        return list(question, found, new HoldText()::holdsCsv, () -> new HoldText().holds(who, found));
    }

    private Reply findings(Question question) throws StoreException, JsonProcessingException {
        Listing<FindingLine> found = findings.find(
                new FindingList.Query(
                        question.text("user"),
                        question.text("rule"),
                        question.text("node"),
                        question.text("job"),
                        question.is("state", "all")),
                question.page());
        FindingText text = new FindingText(zone, question.width());
        return list(question, found, text::csv, () -> text.page(found));
    }

    private static Filter filter(Question question) {
        return new Filter(
                question.text("user"), question.text("account"), question.text("partition"), question.text("node"));
    }

    // ---- nodes and scratch

    private Reply nodes(Question question, Optional<String> name) throws StoreException, JsonProcessingException {
        Listing<NodeView> found = nodes.list(name, question.page());
        if (found.items().isEmpty()) {
            return Reply.sentence(
                    404,
                    name.map(asked -> "Node " + Plain.line(asked, 60) + " has never reported.")
                            .orElse("No node has reported yet."));
        }
        return list(question, found, new NodeText()::csv, () -> new NodeText().page(found.items()));
    }

    /** One line for each node, for people alone. */
    private Reply summary(Question question) throws StoreException {
        Holdings holdings = holds.held(Filter.ALL);
        NodeSummary summary = new NodeSummary(question.is("colours", "yes"), question.width());
        return Reply.of(
                200, Format.TEXT, summary.page(nodes.find(Optional.empty()), nodes.known(), holdings, question::shows));
    }

    private Reply scratch(Question question) throws StoreException, JsonProcessingException {
        Keeping found = scratch.find(
                new ScratchLookup.Filter(
                        question.text("user"), question.text("node"), question.text("path"), question.text("name")),
                question.page());
        ScratchText text = new ScratchText(question.is("colours", "yes"));
        return paged(
                question,
                found.next(),
                switch (question.format()) {
                    case TEXT -> text.page(found, question.is("columns", "node"));
                    case CSV -> text.csv(found);
                    case JSON -> json.writeValueAsString(found);
                });
    }

    // ---- report and health

    private Reply report(Question question) throws StoreException {
        Period period = Period.parse(
                reports.settings().calendar(),
                question.text("semester"),
                question.text("from"),
                question.text("to"),
                zone,
                clock.instant());
        ReportFiles files = new ReportFiles(reports.make(period), "en");
        return Reply.of(
                200,
                question.format(),
                switch (question.format()) {
                    case TEXT -> files.text();
                    case CSV -> files.csv();
                    case JSON -> files.json();
                });
    }

    private Reply health(Question question) throws StoreException, JsonProcessingException {
        HealthCheck.Health now = health.check();
        return Reply.of(
                now.ok() ? 200 : 503,
                question.format(),
                question.format() == Format.JSON ? json.writeValueAsString(now) : now.text(zone));
    }

    // ---- answering

    private <T> Reply list(Question question, Listing<T> found, Function<List<T>, String> csv, Supplier<String> text)
            throws JsonProcessingException {
        return paged(
                question,
                found.next(),
                switch (question.format()) {
                    case TEXT -> text.get();
                    case CSV -> csv.apply(found.items());
                    case JSON -> json.writeValueAsString(found);
                });
    }

    /** A part of a list; where the next one is stands in a header too, for formats that have no place for it. */
    private static Reply paged(Question question, Optional<String> next, String body) {
        Reply reply = Reply.of(200, question.format(), body);
        return next.map(cursor -> reply.with("Link", "<" + question.with("after", cursor) + ">; rel=\"next\""))
                .orElse(reply);
    }

    private void answer(Route route, RoutingContext context, Access access) {
        long began = System.nanoTime();
        Question question;
        try {
            question = Question.read(route, context, zone, clock);
        } catch (IllegalArgumentException e) {
            finish(route, context, began, Reply.sentence(400, String.valueOf(e.getMessage())));
            return;
        }
        Access.Shown shown = Access.Shown.of(context.request());
        questions.ask(route.effort(), () -> answerTo(question, shown, access)).onComplete(done -> {
            if (done.succeeded()) {
                finish(route, context, began, done.result());
            } else if (done.cause() instanceof Questions.Busy || done.cause() instanceof Questions.Late) {
                finish(
                        route,
                        context,
                        began,
                        Reply.sentence(
                                        503,
                                        "The collector cannot answer: "
                                                + done.cause().getMessage() + ".")
                                .with("Retry-After", "5"));
            } else {
                context.fail(done.cause());
            }
        });
    }

    private static Reply answerTo(Question question, Access.Shown shown, Access access) throws Exception {
        try {
            // a monitor that asks for health shows nothing of itself
            Viewer viewer =
                    question.route().sight() == Route.Sight.EVERYBODY ? new Viewer.Anybody() : access.viewer(shown);
            return question.route().handler().answer(access.admit(question, viewer));
        } catch (Access.Refused e) {
            return Reply.sentence(e.status, String.valueOf(e.getMessage()));
        } catch (IllegalArgumentException e) {
            return Reply.sentence(400, String.valueOf(e.getMessage()));
        } catch (StoreException e) {
            LOG.error("a question could not be answered", e);
            return Reply.sentence(503, "the store cannot answer: " + e.getMessage());
        }
    }

    /** Sends it, and tells how long it took. */
    private void finish(Route route, RoutingContext context, long began, Reply reply) {
        Duration took = Duration.ofNanos(System.nanoTime() - began);
        Timer.builder("fairwatch.collector.api.request")
                .description("How long answers take, from the whole question to the first byte")
                .tag("route", route.path())
                .tag("status", Integer.toString(reply.status()))
                .serviceLevelObjectives(BUCKETS)
                .register(meters)
                .record(took);
        context.response()
                .putHeader("Server-Timing", String.format(Locale.ROOT, "total;dur=%.1f", took.toNanos() / 1e6));
        send(context, reply);
    }

    private static final Duration[] BUCKETS = {
        Duration.ofMillis(5),
        Duration.ofMillis(10),
        Duration.ofMillis(50),
        Duration.ofMillis(200),
        Duration.ofSeconds(1),
        Duration.ofSeconds(10)
    };

    /** An error, for those who read JSON. RFC 9457. */
    private record Problem(String type, String title, int status, String detail) {}

    private void send(RoutingContext context, Reply reply) {
        if (context.response().ended() || context.response().closed()) {
            return; // the asking side is gone
        }
        String type = reply.type();
        String body = reply.body();
        if (reply.status() >= 400 && type.equals(Format.TEXT.type) && Question.wantsJsonErrors(context.request())) {
            type = "application/problem+json";
            body = json.valueToTree(new Problem(
                            "about:blank",
                            HttpResponseStatus.valueOf(reply.status()).reasonPhrase(),
                            reply.status(),
                            body))
                    .toString();
        }
        reply.headers().forEach(context.response()::putHeader);
        context.response()
                .setStatusCode(reply.status())
                .putHeader("Content-Type", type)
                .putHeader("X-Content-Type-Options", "nosniff")
                .putHeader("Cache-Control", "no-store")
                .end(body);
    }
}
