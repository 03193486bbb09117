package io.fairwatch.collector.answer;

import io.fairwatch.collector.answer.Asked.Reply;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.Exemption;
import io.fairwatch.collector.store.Store.AuditFilter;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.web.Described;
import io.fairwatch.collector.web.Described.Field;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
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

    static final Field BY = new Field("by", true, "Who says so.");
    static final Field REASON = new Field("reason", true, "Why, for those who read it later.");
    static final Field SINCE =
            new Field("since", false, "Not before: 2026-12-24, 2026-12-24T12:00:00Z, or so long ago: 12h, 7d, 4w.");
    static final Field LIMIT = new Field("limit", false, "Most items, newest first.");
    private static final Field FOR = new Field("for", false, "How long, e.g. 12h, 7d, 4w; else until it is ended.");
    private static final Field UNTIL = new Field("until", false, "Until when, in place of for.");

    private final WorkerExecutor workers;
    private final Answers answers;
    private final Optional<String> token;
    private final ZoneId zone;
    private final InstantSource clock;
    private final List<StaffRoute> routes = new ArrayList<>();

    /** One address, with who answers. */
    record StaffRoute(Described about, Handler handler) {
        static StaffRoute get(String path, String summary, Handler handler, Field... query) {
            return new StaffRoute(
                    new Described("get", path, summary, List.of(query), List.of(), true, STATUSES), handler);
        }

        static StaffRoute post(String path, String summary, Handler handler, Field... form) {
            Map<Integer, String> statuses = new TreeMap<>(STATUSES);
            statuses.put(404, "It is not there.");
            return new StaffRoute(
                    new Described("post", path, summary, List.of(), List.of(form), true, statuses), handler);
        }
    }

    private static final Map<Integer, String> STATUSES = Map.of(
            400, "It makes no sense; the sentence says what was expected.",
            401, "The token of staff is missing or wrong.",
            403, "answers.staffTokenFile is not set: nobody is staff.",
            503, "The store cannot do it now.");

    /** Who answers. */
    @FunctionalInterface
    interface Handler {
        Reply answer(Asked asked) throws Exception;
    }

    /** @param token what staff must show; absent: nobody is staff, and all is refused */
    public StaffApi(
            Vertx vertx,
            Answers answers,
            StaffNotices notices,
            Optional<String> token,
            ZoneId zone,
            InstantSource clock) {
        this.workers = vertx.createSharedWorkerExecutor("staff", 1);
        this.answers = answers;
        this.token = token;
        this.zone = zone;
        this.clock = clock;
        routes.add(StaffRoute.get(
                "/api/v1/staff/audit",
                "What was done to jobs and what was decided against, and why, and what people said; newest first.",
                this::audit,
                new Field("job", false, "Only about this raw job number."),
                new Field("user", false, "Only about this user."),
                SINCE,
                LIMIT));
        routes.add(StaffRoute.get(
                "/api/v1/staff/exemptions", "Whom nothing comes of findings for now, and why.", this::exemptions));
        routes.add(StaffRoute.post(
                "/api/v1/staff/exemptions",
                "Nothing comes of findings about a job's present run, a user or an account; one of the three.",
                this::exempt,
                new Field("job", false, "A raw job number."),
                new Field("user", false, "A user name."),
                new Field("account", false, "A charging account."),
                new Field("rule", false, "Findings of this rule only."),
                FOR,
                UNTIL,
                BY,
                REASON));
        routes.add(StaffRoute.post(
                "/api/v1/staff/exemptions/{id}/end", "Ends an exemption, whoever began it.", this::end, BY));
        routes.add(StaffRoute.post(
                "/api/v1/staff/comments",
                "Writes something down about a job.",
                this::comment,
                new Field("job", true, "A raw job number."),
                new Field("text", true, "What."),
                BY));
        routes.add(StaffRoute.get(
                "/api/v1/staff/enforcement", "Whether anything is done to jobs now.", this::enforcement));
        routes.add(StaffRoute.post(
                "/api/v1/staff/enforcement/off",
                "Nothing is done to any job from now on; mails go on.",
                this::switchOff,
                FOR,
                UNTIL,
                BY,
                REASON));
        routes.add(StaffRoute.post("/api/v1/staff/enforcement/on", "Ends that again.", this::switchOn, BY));
        routes.addAll(notices.routes());
    }

    /** For the description of the API. */
    public List<Described> described() {
        return routes.stream().map(StaffRoute::about).toList();
    }

    /** Adds the routes. */
    public void mount(Router router) {
        BodyHandler body = BodyHandler.create(false).setBodyLimit(MOST_BYTES);
        for (StaffRoute one : routes) {
            String path = one.about().path().replaceAll("\\{(\\w+)}", ":$1");
            var route = router.route(HttpMethod.valueOf(one.about().method().toUpperCase(Locale.ROOT)), path);
            if (one.about().method().equals("post")) {
                route.handler(body);
            }
            route.handler(context -> answer(context, one.handler()));
        }
    }

    private void answer(RoutingContext context, Handler handler) {
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
        workers.executeBlocking(() -> handler.answer(new Asked(context, clock.instant(), zone)), false)
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

    private Reply audit(Asked asked) throws Exception {
        List<AuditEntry> entries = answers.audit(new AuditFilter(
                asked.parameter("job").map(Asked::job),
                asked.parameter("user"),
                asked.since(),
                asked.limit(100, MOST_ENTRIES)));
        return asked.reply(entries, () -> {
            StringBuilder text = new StringBuilder();
            entries.forEach(entry -> line(text, entry));
            return text.isEmpty() ? "Nothing was decided or said.\n" : text.toString();
        });
    }

    private void line(StringBuilder text, AuditEntry entry) {
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

    private Reply exemptions(Asked asked) throws Exception {
        List<Exemption> all = answers.exemptions();
        return asked.reply(all, () -> {
            StringBuilder text = new StringBuilder();
            all.forEach(one -> text.append(line(one)).append('\n'));
            return text.isEmpty() ? "Nobody is excused.\n" : text.toString();
        });
    }

    private String line(Exemption one) {
        return Plain.line(one.id(), 100) + "  "
                + (one.scope() == Exemption.Scope.DEEDS
                        ? "all jobs, from what is done to them"
                        : one.scope().name().toLowerCase(Locale.ROOT) + " " + Plain.line(one.value(), 100))
                + "  " + one.rule().map(rule -> Plain.line(rule, 60)).orElse("all rules") + "  "
                + one.until().map(end -> "until " + Plain.minute(end, zone)).orElse("until ended") + "  by "
                + Plain.line(one.by(), 80) + (one.reason().isEmpty() ? "" : ": " + Plain.line(one.reason(), 200));
    }

    private Reply exempt(Asked asked) throws Exception {
        Optional<String> job = asked.form("job");
        Optional<String> user = asked.form("user");
        Optional<String> account = asked.form("account");
        if (List.of(job, user, account).stream().filter(Optional::isPresent).count() != 1) {
            throw new IllegalArgumentException("expected: one of job, user, account");
        }
        Exemption.Scope scope = user.isPresent() ? Exemption.Scope.USER : Exemption.Scope.ACCOUNT;
        String value = user.or(() -> account).orElse("");
        if (job.isPresent()) {
            // what waits first: of a requeued job the run before may not have been seen to end
            Optional<Subject.Waiting> waits = answers.waitingJob(Asked.job(job.get()));
            Optional<Run> run = waits.isPresent() ? Optional.empty() : answers.liveRun(Asked.job(job.get()));
            if (run.isEmpty() && waits.isEmpty()) {
                return Reply.text(404, "Job " + Plain.line(job.get(), 20) + " neither runs nor waits.\n");
            }
            scope = run.isPresent() ? Exemption.Scope.RUN : Exemption.Scope.WAITING;
            value = run.map(one -> Exemption.valueOf(one.key()))
                    .or(() -> waits.map(Exemption::valueOf))
                    .orElseThrow();
        }
        Exemption made =
                answers.exempt(scope, value, asked.form("rule"), asked.until(), asked.person(), asked.reason());
        return asked.reply(made, () -> line(made) + "\n");
    }

    private Reply end(Asked asked) throws Exception {
        Optional<Exemption> ended = answers.end(asked.inPath("id"), asked.person());
        return ended.isPresent()
                ? Reply.text(200, "ended: " + line(ended.get()) + "\n")
                : Reply.text(404, "There is no exemption " + Plain.line(asked.inPath("id"), 80) + ".\n");
    }

    private Reply comment(Asked asked) throws Exception {
        Optional<String> job = asked.form("job");
        Optional<String> text = asked.form("text");
        if (job.isEmpty() || text.isEmpty()) {
            throw new IllegalArgumentException("expected: job and text");
        }
        return answers.comment(Asked.job(job.get()), asked.person(), text.get())
                ? Reply.text(200, "Noted.\n")
                : Reply.text(404, "Nobody knows job " + Plain.line(job.get(), 20) + ".\n");
    }

    // ---- the switch

    private Reply enforcement(Asked asked) throws Exception {
        List<String> state = answers.enforcement();
        return asked.reply(Map.of("state", state), () -> String.join("\n", state) + "\n");
    }

    private Reply switchOff(Asked asked) throws Exception {
        Exemption made = answers.switchOff(asked.until(), asked.person(), asked.reason());
        return asked.reply(made, () -> "Nothing is done to any job: " + line(made) + "\n");
    }

    private Reply switchOn(Asked asked) throws Exception {
        List<Exemption> ended = answers.switchOn(asked.person());
        return ended.isEmpty()
                ? Reply.text(404, "It was not switched off by staff. " + String.join(" ", answers.enforcement()) + "\n")
                : Reply.text(200, String.join("\n", answers.enforcement()) + "\n");
    }
}
