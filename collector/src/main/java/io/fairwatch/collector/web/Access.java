package io.fairwatch.collector.web;

import io.fairwatch.collector.lookup.Owners;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.Munge;
import io.fairwatch.collector.slurm.Munge.MungeException;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Who asks, and what they may see. Where it is open, everybody sees everything. Else people see their own, coordinators also
 * their accounts, staff everything, and what staff look at is written down. What is not said of an address is for staff
 * alone. Thread-safe; blocks on the store and on unmunge.
 */
public final class Access {
    /** Everybody sees everything. */
    static final Access OPEN = new Access(Settings.OPEN, Owners.NOBODY, (staff, question) -> {}, () -> Instant.EPOCH);

    /** What is put into a credential, so that one made for another service is none here. */
    static final String SAID = "fairwatch";

    private static final int LOOKS_REMEMBERED = 10_000;
    private static final Duration SAME_LOOK = Duration.ofHours(1);
    private static final Set<String> REPORT_FILES =
            Set.of("report.html", "report.pdf", "report.json", "report.txt", "progress");

    /**
     * How people are known. Immutable.
     *
     * @param open whether everybody sees everything; the rest does not count then
     * @param munge tells who made a credential; absent: none is taken
     * @param tokens tells whose a token is; absent: none is taken
     * @param staffToken by which staff are known; absent: not by a token
     * @param staff login names of staff
     */
    public record Settings(
            boolean open,
            Optional<Munge> munge,
            Optional<AccessTokens> tokens,
            Optional<String> staffToken,
            Set<String> staff) {
        public static final Settings OPEN =
                new Settings(true, Optional.empty(), Optional.empty(), Optional.empty(), Set.of());

        public Settings {
            staff = Set.copyOf(staff);
        }
    }

    /** Writes down what staff looked at. */
    @FunctionalInterface
    public interface Recorder {
        /**
         * Somebody of the staff looked at something of somebody else's.
         *
         * @param staff who
         * @param question address and parameters, without the form of the answer
         */
        void looked(String staff, String question);
    }

    /** It is not for whoever asks. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1;

        final int status;

        Refused(int status, String message) {
            super(message);
            this.status = status;
        }
    }

    /** What somebody shows. */
    record Shown(String authorization, String munge) {
        static Shown of(HttpServerRequest request) {
            return new Shown(
                    String.valueOf(request.getHeader("Authorization")), String.valueOf(request.getHeader("X-Munge")));
        }
    }

    private final Settings settings;
    private final Owners owners;
    private final Recorder recorder;
    private final InstantSource clock;
    private final Map<String, Instant> looks = new LinkedHashMap<>();

    /**
     * Made once.
     *
     * @param recorder is told what staff look at
     */
    public Access(Settings settings, Owners owners, Recorder recorder, InstantSource clock) {
        this.settings = settings;
        this.owners = owners;
        this.recorder = recorder;
        this.clock = clock;
    }

    /** Who asks. */
    Viewer viewer(Shown shown) throws Refused {
        if (settings.open()) {
            return new Viewer.Anybody();
        }
        if (shown.authorization().startsWith("Bearer ")) {
            String token = shown.authorization().substring("Bearer ".length());
            if (settings.staffToken().isPresent() && same(settings.staffToken().get(), token)) {
                return new Viewer.Staff("token");
            }
            Optional<String> user = settings.tokens().flatMap(known -> known.user(token, clock.instant()));
            return person(user.orElseThrow(() ->
                    new Refused(401, "The token is not known here, or its time is over; ask staff for another.")));
        }
        if (!shown.munge().equals("null") && settings.munge().isPresent()) {
            try {
                Munge.Identity identity = settings.munge().get().decode(shown.munge());
                if (!identity.said().strip().equals(SAID)) {
                    throw new Refused(
                            401, "The credential was made for something else (expected: munge -s " + SAID + ").");
                }
                return person(identity.user());
            } catch (MungeException e) {
                throw new Refused(401, "The munge credential is not good: " + e.getMessage() + ".");
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new Refused(503, "The collector is about to end.");
            }
        }
        throw new Refused(
                401,
                "Who are you? Here people see their own jobs; this asks for "
                        + (settings.munge().isPresent() ? "a credential by munge, as fairwatch makes it" : "")
                        + (settings.munge().isPresent() && settings.tokens().isPresent() ? ", or " : "")
                        + (settings.tokens().isPresent() ? "a token in ~/.config/fairwatch/token" : "")
                        + (settings.munge().isEmpty() && settings.tokens().isEmpty() ? "the token of staff" : "")
                        + ".");
    }

    private Viewer person(String user) {
        return settings.staff().contains(user) ? new Viewer.Staff(user) : new Viewer.Person(user);
    }

    private static boolean same(String a, String b) {
        return MessageDigest.isEqual(a.getBytes(StandardCharsets.UTF_8), b.getBytes(StandardCharsets.UTF_8));
    }

    /** The question as far as whoever asks may have it answered. */
    Question admit(Question question, Viewer viewer) throws Refused, StoreException {
        if (viewer instanceof Viewer.Person person) {
            return admit(question, person.user());
        }
        if (viewer instanceof Viewer.Staff staff && question.route().sight() != Route.Sight.EVERYBODY) {
            look(staff.name(), question.asked());
        }
        return question;
    }

    private Question admit(Question question, String user) throws Refused, StoreException {
        return switch (question.route().sight()) {
            case EVERYBODY -> question;
            case OWN_LIST -> own(question, user);
            case OWN_USER -> {
                String asked = question.inPath("user");
                if (!asked.equals(user) && !owners.isCoordinated(asked, user)) {
                    throw notYours();
                }
                yield question;
            }
            case OWN_JOB -> {
                List<Run.Owner> found = owners.of(question.inPath("id"));
                Optional<AccountTree> tree = owners.accounts();
                for (Run.Owner owner : found) {
                    if (!owner.user().equals(user)
                            && tree.filter(known -> coordinates(known, user, owner.account()))
                                    .isEmpty()) {
                        throw notYours();
                    }
                }
                yield question;
            }
            case NAMES_HIDDEN -> question.narrowed(Question.SHOWN_USER, user);
            case STAFF -> throw new Refused(403, "This is for staff.");
        };
    }

    private static Refused notYours() {
        return new Refused(
                403, "That is another user's; you see your own jobs, and those of accounts that you coordinate.");
    }

    private static boolean coordinates(AccountTree tree, String user, String account) {
        return tree.coordinatedBy(user).contains(account);
    }

    /** A list becomes that of one's own, unless it is of an account that one coordinates, or of a project that one is in. */
    private Question own(Question question, String user) throws Refused, StoreException {
        Optional<String> account = question.text("account");
        Optional<AccountTree> tree = owners.accounts();
        if (account.isPresent()
                && tree.filter(known -> coordinates(known, user, account.get())).isPresent()) {
            return question;
        }
        Optional<String> project = question.text("name");
        if (project.isPresent()
                && tree.filter(known -> known.of(user).stream()
                                .anyMatch(association -> association.account().equals(project.get())))
                        .isPresent()) {
            return question;
        }
        Optional<String> asked = question.text("user");
        if (asked.isPresent() && !asked.get().equals(user)) {
            throw notYours();
        }
        return question.narrowed("user", user);
    }

    private void look(String staff, String question) {
        Instant now = clock.instant();
        synchronized (looks) {
            looks.values().removeIf(at -> at.isBefore(now.minus(SAME_LOOK)));
            if (looks.putIfAbsent(staff + " " + question, now) != null) {
                return; // who watches a page looks once an hour
            }
            if (looks.size() > LOOKS_REMEMBERED) {
                looks.remove(looks.keySet().iterator().next());
            }
        }
        recorder.looked(staff, question);
    }

    /**
     * Guards what is mounted after it below {@code /api/v1}: for staff alone, but for the report of oneself or of an account
     * that one coordinates.
     */
    public void guard(Router router, Vertx vertx) {
        if (settings.open()) {
            return;
        }
        router.route("/api/v1/*").handler(context -> {
            Shown shown = Shown.of(context.request());
            context.request().pause();
            vertx.executeBlocking(
                            () -> {
                                admit(context, viewer(shown));
                                return true;
                            },
                            false)
                    .onSuccess(admitted -> {
                        context.request().resume();
                        context.next();
                    })
                    .onFailure(failure -> {
                        context.request().resume();
                        refuse(context, failure);
                    });
        });
    }

    private void admit(RoutingContext context, Viewer viewer) throws Refused, StoreException {
        String path = context.request().path();
        if (viewer instanceof Viewer.Staff staff) {
            look(staff.name(), Plain.line(path + "?" + context.request().query(), 200));
        } else if (viewer instanceof Viewer.Person person) {
            Optional<String> user = context.queryParam("user").stream().findFirst();
            Optional<String> account = context.queryParam("account").stream().findFirst();
            boolean isOwn = user.map(person.user()::equals).orElse(false)
                    || (user.isEmpty()
                            && account.isPresent()
                            && owners.accounts()
                                    .map(tree -> coordinates(tree, person.user(), account.get()))
                                    .orElse(false));
            String file = path.substring(path.lastIndexOf('/') + 1);
            boolean isReport = path.equals("/api/v1/report/" + file) && REPORT_FILES.contains(file);
            if (!isReport || !(isOwn || file.equals("progress"))) {
                throw new Refused(
                        403, isReport ? "This is for staff; with --user you get your own." : "This is for staff.");
            }
        }
    }

    private static void refuse(RoutingContext context, Throwable failure) {
        int status = failure instanceof Refused refused ? refused.status : 503;
        context.response()
                .setStatusCode(status)
                .putHeader("Content-Type", Format.TEXT.type)
                .putHeader("X-Content-Type-Options", "nosniff")
                .putHeader("Cache-Control", "no-store")
                .end(Plain.line(String.valueOf(failure.getMessage()), 500) + "\n");
    }
}
