package io.fairwatch.collector.answer;

import io.fairwatch.collector.answer.AnswerLinks.Claim;
import io.fairwatch.collector.answer.AnswerLinks.Read;
import io.fairwatch.collector.notice.Texts;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.http.HttpHeaders;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The page behind a link: GET shows it, POST answers. Thread-safe; what blocks runs on workers. */
public final class AnswerPages {
    private static final Logger LOG = LoggerFactory.getLogger(AnswerPages.class);
    private static final int MOST_BYTES = 4096;
    private static final List<Integer> HOURS = List.of(4, 12, 24, 72, 168, 336, 720);

    private final WorkerExecutor workers;
    private final AnswerLinks links;
    private final Answers answers;
    private final Answers.Settings settings;
    private final Texts.Languages languages;
    private final Site site;
    private final InstantSource clock;

    /** What the page says of the site. */
    public record Site(String name, String support) {}

    public AnswerPages(
            Vertx vertx,
            AnswerLinks links,
            Answers answers,
            Answers.Settings settings,
            Texts.Languages languages,
            Site site,
            InstantSource clock) {
        this.workers = vertx.createSharedWorkerExecutor("answers", 2);
        this.links = links;
        this.answers = answers;
        this.settings = settings;
        this.languages = languages;
        this.site = site;
        this.clock = clock;
    }

    private record Page(int status, String html) {}

    /** Adds the routes. */
    public void mount(Router router) {
        router.get("/answer/:token").handler(context -> answer(context, () -> show(context)));
        router.post("/answer/:token")
                .handler(BodyHandler.create(false).setBodyLimit(MOST_BYTES))
                .handler(context -> answer(context, () -> take(context)));
    }

    private void answer(RoutingContext context, Callable<Page> page) {
        workers.executeBlocking(page, false)
                .recover(failure -> {
                    LOG.error("an answer could not be dealt with", failure);
                    Texts texts = texts(context);
                    return Future.succeededFuture(
                            sentence(texts, 503, texts.say("page.busy", "support", site.support())));
                })
                .onSuccess(done -> context.response()
                        .setStatusCode(done.status())
                        .putHeader(HttpHeaders.CONTENT_TYPE, "text/html; charset=utf-8")
                        .putHeader(HttpHeaders.CACHE_CONTROL, "no-store")
                        .putHeader("X-Content-Type-Options", "nosniff")
                        .putHeader("Referrer-Policy", "no-referrer")
                        .putHeader("X-Robots-Tag", "noindex")
                        .putHeader(
                                "Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none';"
                                        + " frame-ancestors 'none'")
                        .end(done.html()));
    }

    private Texts texts(RoutingContext context) {
        return languages.of(Optional.ofNullable(context.request().getHeader(HttpHeaders.ACCEPT_LANGUAGE)));
    }

    private Page show(RoutingContext context) throws StoreException {
        Texts texts = texts(context);
        Read read = links.read(context.pathParam("token"), clock.instant());
        if (!(read instanceof Read.Good good)) {
            return refused(texts, read);
        }
        Optional<Answers.Case> about = answers.look(good.claim());
        return about.isPresent() && about.get().open()
                ? new Page(200, form(texts, good.claim(), about.get()))
                : sentence(texts, 410, texts.say("page.over"));
    }

    private Page refused(Texts texts, Read read) {
        return read instanceof Read.Expired
                ? sentence(texts, 410, texts.say("page.expired", "support", site.support()))
                : sentence(texts, 404, texts.say("page.wrong", "support", site.support()));
    }

    private Page take(RoutingContext context) throws StoreException {
        Texts texts = texts(context);
        Read read = links.read(context.pathParam("token"), clock.instant());
        if (!(read instanceof Read.Good good)) {
            return refused(texts, read);
        }
        Claim claim = good.claim();
        String said =
                Optional.ofNullable(context.request().getFormAttribute("say")).orElse("");
        Optional<String> done =
                switch (said) {
                    case "need" ->
                        answers.need(
                                        claim,
                                        hours(context.request().getFormAttribute("hours")),
                                        Optional.ofNullable(context.request().getFormAttribute("reason"))
                                                .orElse(""))
                                .map(until -> texts.say(
                                        of(claim, "page.did.need", "page.did.need.you"), "until", texts.full(until)));
                    case "stop" -> stop(claim, texts);
                    case "mine" ->
                        answers.notMine(claim, texts.say("answer.mine"))
                                ? Optional.of(texts.say(of(claim, "page.did.mine", "page.did.mine.you")))
                                : Optional.empty();
                    default -> Optional.empty();
                };
        return done.isPresent()
                ? sentence(texts, 200, texts.say("page.thanks") + " " + done.get())
                : sentence(texts, 410, texts.say("page.over"));
    }

    private Optional<String> stop(Claim claim, Texts texts) throws StoreException {
        Optional<Answers.Case> about = answers.look(claim);
        return answers.stop(claim, texts.say("answer.stop"))
                .map(what -> texts.say(
                        what == Answers.Stop.STAFF
                                ? "page.did.stop.tell"
                                : claim.subject() instanceof Subject.Waiting
                                        ? "page.did.stop.act.waiting"
                                        : "page.did.stop.act",
                        "job",
                        Plain.line(about.map(Answers.Case::job).orElse(""), 40)));
    }

    /** Which text: about a job, or about the person who reads it. */
    private static String of(Claim claim, String job, String you) {
        return claim.subject() instanceof Subject.Person ? you : job;
    }

    /** Only what the page offers. */
    private static Duration hours(@Nullable String text) {
        return HOURS.stream()
                .filter(hours -> Integer.toString(hours).equals(text))
                .map(Duration::ofHours)
                .findFirst()
                .orElse(Duration.ZERO);
    }

    // ---- HTML

    private String form(Texts texts, Claim claim, Answers.Case about) {
        String job = Plain.line(about.job(), 40);
        String siteName = Plain.line(site.name(), 60);
        boolean waits = about.subject() instanceof Subject.Waiting;
        StringBuilder out = head(texts, texts.say(of(claim, "page.title", "page.title.you"), "job", job));
        tag(
                out,
                "p",
                "",
                texts.say(
                        waits ? "page.about.waiting" : of(claim, "page.about", "page.about.you"),
                        "job",
                        job,
                        "site",
                        siteName));
        String name = Plain.line(about.name(), 60);
        out.append("<section><h2>").append(Plain.html(texts.say("page.found"))).append("</h2>\n");
        if (!name.isEmpty()) {
            tag(out, "p", " class=\"faint\"", name);
        }
        tag(
                out,
                "p",
                " class=\"found\"",
                Plain.line(about.finding().said(texts.language()).summary(), 600));
        about.until()
                .ifPresent(until -> tag(
                        out,
                        "p",
                        " class=\"note\"",
                        texts.say(
                                "page.until",
                                "answer",
                                texts.say("answer.need", "until", texts.full(until), "reason", ""))));
        out.append("</section>\n");
        if (about.times() > 0) {
            begin(out, texts.say("page.need"), "need");
            tag(
                    out,
                    "p",
                    "",
                    texts.say(
                            of(claim, "page.need.text", "page.need.text.you"),
                            "most",
                            texts.length(settings.longest())));
            out.append("<p><label>")
                    .append(Plain.html(texts.say("page.need.for")))
                    .append(" <select name=\"hours\">");
            for (int hours : HOURS) {
                if (Duration.ofHours(hours).compareTo(settings.longest()) <= 0) {
                    out.append("<option value=\"")
                            .append(hours)
                            .append(hours == 24 ? "\" selected>" : "\">")
                            .append(Plain.html(texts.length(Duration.ofHours(hours))))
                            .append("</option>");
                }
            }
            out.append("</select></label></p>\n<p><label>")
                    .append(Plain.html(texts.say("page.need.reason")))
                    .append("<br><input name=\"reason\" maxlength=\"300\" autocomplete=\"off\"></label></p>\n");
            end(out, texts.say("page.need.button"), "");
        }
        if (about.stop() != Answers.Stop.NOT_ASKED) {
            boolean ends = about.stop() == Answers.Stop.ENDS;
            begin(out, texts.say("page.stop"), "stop");
            tag(
                    out,
                    "p",
                    "",
                    texts.say(
                            !ends ? "page.stop.text.tell" : waits ? "page.stop.text.act.waiting" : "page.stop.text.act",
                            "job",
                            job));
            end(out, texts.say(ends ? "page.stop.button" : "page.stop.ask"), ends ? " class=\"stop\"" : "");
        }
        begin(out, texts.say("page.mine"), "mine");
        tag(out, "p", "", texts.say(of(claim, "page.mine.text", "page.mine.text.you")));
        end(out, texts.say("page.mine.button"), " class=\"quiet\"");
        return out.append("</main>\n</body>\n</html>\n").toString();
    }

    private Page sentence(Texts texts, int status, String text) {
        StringBuilder out = head(texts, Plain.line(site.name(), 60));
        tag(out, "p", " class=\"found\"", text);
        return new Page(status, out.append("</main>\n</body>\n</html>\n").toString());
    }

    private static StringBuilder head(Texts texts, String title) {
        StringBuilder out = new StringBuilder(4000);
        out.append("<!DOCTYPE html>\n<html lang=\"")
                .append(Plain.html(texts.language()))
                .append("""
                        ">
                        <head>
                        <meta charset="utf-8">
                        <meta name="viewport" content="width=device-width, initial-scale=1">
                        <meta name="color-scheme" content="light dark">
                        <style>
                        :root { color-scheme: light dark; --line: rgba(128,128,128,.4); }
                        body { margin: 0; padding: 24px 16px 48px; font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto,
                          Arial, sans-serif; }
                        main { max-width: 620px; margin: 0 auto; }
                        h1 { font-size: 24px; margin: 0 0 8px; }
                        h2 { font-size: 18px; margin: 0 0 8px; }
                        p { margin: 0 0 12px; overflow-wrap: anywhere; }
                        .found { border-left: 4px solid #c77700; padding: 2px 0 2px 14px; }
                        .note { border: 1px solid var(--line); border-radius: 6px; padding: 8px 12px; }
                        .faint { opacity: .75; font-size: 14px; }
                        section, form { border-top: 1px solid var(--line); padding: 16px 0 6px; }
                        select, input, button { font: inherit; padding: 8px 12px; border-radius: 6px;
                          border: 1px solid var(--line); }
                        input { width: 100%; box-sizing: border-box; margin-top: 4px; }
                        button { background: #1d65a6; color: #fff; border-color: #1d65a6; font-weight: 600; cursor: pointer; }
                        button.stop { background: #b3372b; border-color: #b3372b; }
                        button.quiet { background: transparent; color: inherit; border-color: var(--line); }
                        </style>
                        """)
                .append("<title>")
                .append(Plain.html(title))
                .append("</title>\n</head>\n<body>\n<main>\n");
        tag(out, "h1", "", title);
        return out;
    }

    private static void begin(StringBuilder out, String title, String say) {
        out.append("<form method=\"post\">\n");
        tag(out, "h2", "", title);
        out.append("<input type=\"hidden\" name=\"say\" value=\"").append(say).append("\">\n");
    }

    private static void end(StringBuilder out, String button, String attributes) {
        out.append("<p><button")
                .append(attributes)
                .append('>')
                .append(Plain.html(button))
                .append("</button></p>\n</form>\n");
    }

    private static void tag(StringBuilder out, String name, String attributes, String text) {
        out.append('<')
                .append(name)
                .append(attributes)
                .append('>')
                .append(Plain.html(text))
                .append("</")
                .append(name)
                .append(">\n");
    }
}
