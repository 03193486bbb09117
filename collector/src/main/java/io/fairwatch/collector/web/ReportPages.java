package io.fairwatch.collector.web;

import io.fairwatch.collector.report.AccountingCheck;
import io.fairwatch.collector.report.Period;
import io.fairwatch.collector.report.Report;
import io.fairwatch.collector.report.Report.Scope;
import io.fairwatch.collector.report.ReportDesk;
import io.fairwatch.collector.report.ReportFiles;
import io.fairwatch.collector.report.ReportSettings.People;
import io.fairwatch.collector.report.Sheet;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.buffer.Buffer;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The report as files: {@code /api/v1/report/NAME}, with the period, and whose and in which language, as parameters.
 * Thread-safe; one thread of its own makes them.
 */
public final class ReportPages {
    private static final Logger LOG = LoggerFactory.getLogger(ReportPages.class);
    private static final Map<String, String> TYPES = Map.of(
            "html", "text/html; charset=utf-8",
            "pdf", "application/pdf",
            "json", "application/json",
            "txt", "text/plain; charset=utf-8",
            "csv", "text/csv; charset=utf-8",
            "sh", "text/plain; charset=utf-8",
            "parquet", "application/vnd.apache.parquet",
            "zip", "application/zip");

    private final WorkerExecutor worker;
    private final ReportDesk desk;
    private final Optional<AccountingCheck> check;
    private final ZoneId zone;
    private final InstantSource clock;

    /** @param check compares with Slurm; absent where there is none */
    public ReportPages(
            Vertx vertx, ReportDesk desk, Optional<AccountingCheck> check, ZoneId zone, InstantSource clock) {
        this.worker = vertx.createSharedWorkerExecutor("reports", 1, 10, TimeUnit.MINUTES);
        this.desk = desk;
        this.check = check;
        this.zone = zone;
        this.clock = clock;
    }

    /** Adds the routes. */
    public void mount(Router router) {
        router.get("/api/v1/report/progress")
                .handler(context -> send(
                        context,
                        200,
                        "text/plain; charset=utf-8",
                        Buffer.buffer(Plain.line(desk.progress().orElse(""), 200))));
        router.get("/api/v1/report/check").handler(this::check);
        router.get("/api/v1/report/:file").handler(this::file);
    }

    /** What is served here, for the description of the API. */
    public static List<Described> described() {
        List<Described.Field> period = List.of(
                new Described.Field("semester", false, "A semester by name, e.g. 2026-autumn; or from and to."),
                new Described.Field("from", false, "First day, e.g. 2026-09-01, in the site's zone."),
                new Described.Field("to", false, "First day that is not counted; without it: until now."));
        List<Described.Field> all = new ArrayList<>(period);
        all.add(new Described.Field("user", false, "Only this person's runs: my semester."));
        all.add(new Described.Field("account", false, "Only this account's and those below it."));
        all.add(new Described.Field("language", false, "en or da; without it en."));
        all.add(new Described.Field("people", false, "names, pseudonyms or none; without it as the site decided."));
        return List.of(
                new Described(
                        "get",
                        "/api/v1/report/{file}",
                        "The report of a period as a file: report.html, report.pdf, report.json, report.txt, all.zip,"
                                + " all.csv, runs.parquet, NAME.csv for a table, inactive-users.sh, old-scratch.sh."
                                + " One is made at a time.",
                        all,
                        List.of(),
                        false,
                        Map.of(
                                400, "The period, person or language is not one.",
                                404, "There is no such file.",
                                503, "The store could not answer.")),
                new Described(
                        "get",
                        "/api/v1/report/progress",
                        "What is being added up now, a few words; empty while nothing is.",
                        List.of(),
                        List.of(),
                        false,
                        Map.of()),
                new Described(
                        "get",
                        "/api/v1/report/check",
                        "Compares what is counted as allocated with sreport, and tells each difference with its cause.",
                        period,
                        List.of(),
                        false,
                        Map.of(
                                400, "The period is not one, or no whole hour of it has passed.",
                                409, "There is no Slurm to compare with.",
                                503, "sreport or the store could not answer.")));
    }

    private void file(RoutingContext context) {
        String name = context.pathParam("file");
        String type = TYPES.get(name.substring(name.lastIndexOf('.') + 1));
        if (type == null) {
            sentence(
                    context,
                    404,
                    "report: no file " + Plain.line(name, 60)
                            + " (expected: report.html, report.pdf, report.json, report.txt, all.zip, runs.parquet, NAME.csv)");
            return;
        }
        worker.executeBlocking(() -> make(context, name), true)
                .onSuccess(made -> made.ifPresentOrElse(
                        bytes -> send(context, 200, type, bytes),
                        () -> sentence(context, 404, "report: it has no " + Plain.line(name, 60))))
                .onFailure(e -> {
                    if (e instanceof IllegalArgumentException) {
                        sentence(context, 400, String.valueOf(e.getMessage()));
                    } else {
                        LOG.error("a report could not be made file={}", Plain.line(name, 60), e);
                        sentence(
                                context,
                                e instanceof StoreException ? 503 : 500,
                                "the report could not be made; the collector's log says why");
                    }
                });
    }

    private void check(RoutingContext context) {
        if (check.isEmpty()) {
            sentence(context, 409, "report: there is no Slurm to compare with (slurm.enabled is false)");
            return;
        }
        worker.executeBlocking(() -> check.get().compare(period(context)), true)
                .onSuccess(answer ->
                        send(context, 200, "text/plain; charset=utf-8", Buffer.buffer(AccountingCheck.text(answer))))
                .onFailure(e -> {
                    LOG.warn("a report could not be compared with sreport", e);
                    sentence(
                            context, e instanceof IllegalArgumentException ? 400 : 503, String.valueOf(e.getMessage()));
                });
    }

    private Period period(RoutingContext context) {
        return Period.parse(
                desk.settings().calendar(),
                parameter(context, "semester"),
                parameter(context, "from"),
                parameter(context, "to"),
                zone,
                clock.instant());
    }

    private Optional<Buffer> make(RoutingContext context, String name) throws StoreException, IOException {
        Period period = period(context);
        People people = parameter(context, "people")
                .map(ReportPages::people)
                .orElse(desk.settings().people());
        if (name.equals("runs.parquet")) {
            return Optional.of(Buffer.buffer(desk.runs(period, people)));
        }
        Report report = desk.report(period, scope(context), people);
        ReportFiles files =
                new ReportFiles(report, parameter(context, "language").orElse("en"));
        return switch (name) {
            case "report.html" -> Optional.of(Buffer.buffer(files.html()));
            case "report.pdf" -> Optional.of(Buffer.buffer(files.pdf()));
            case "report.json" -> Optional.of(Buffer.buffer(files.json()));
            case "report.txt" -> Optional.of(Buffer.buffer(files.text()));
            case "all.csv" -> Optional.of(Buffer.buffer(files.csv()));
            case "all.zip" ->
                Optional.of(Buffer.buffer(files.zip(
                        report.of() instanceof Scope.Cluster
                                ? Map.of("runs.parquet", desk.runs(period, people))
                                : Map.of())));
            default ->
                name.endsWith(".csv")
                        ? files.sheet(name.substring(0, name.length() - 4))
                                .map((Sheet sheet) -> Buffer.buffer(files.csv(sheet)))
                        : report.scripts().stream()
                                .filter(script -> script.name().equals(name))
                                .findFirst()
                                .map(script -> Buffer.buffer(script.text().getBytes(StandardCharsets.UTF_8)));
        };
    }

    private static Scope scope(RoutingContext context) {
        Optional<String> user = parameter(context, "user");
        Optional<String> account = parameter(context, "account");
        if (user.isPresent() && account.isPresent()) {
            throw new IllegalArgumentException("user: comes with account (expected: one or the other)");
        }
        if (user.isPresent()) {
            return new Scope.Person(user.get());
        }
        return account.isPresent() ? new Scope.Accounts(account.get()) : new Scope.Cluster();
    }

    private static People people(String asked) {
        for (People people : People.values()) {
            if (people.name().toLowerCase(Locale.ROOT).equals(asked)) {
                return people;
            }
        }
        throw new IllegalArgumentException(
                "people: " + Plain.line(asked, 40) + " (expected: names, pseudonyms or none)");
    }

    private static Optional<String> parameter(RoutingContext context, String name) {
        return Optional.ofNullable(context.request().getParam(name)).filter(value -> !value.isEmpty());
    }

    private static void sentence(RoutingContext context, int status, String sentence) {
        send(context, status, "text/plain; charset=utf-8", Buffer.buffer(Plain.line(sentence, 1000)));
    }

    private static void send(RoutingContext context, int status, String type, Buffer body) {
        if (context.response().ended() || context.response().closed()) {
            return;
        }
        context.response()
                .setStatusCode(status)
                .putHeader("Content-Type", type)
                .putHeader("X-Content-Type-Options", "nosniff")
                .putHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
                .putHeader("Cache-Control", "no-store")
                .end(body);
    }
}
