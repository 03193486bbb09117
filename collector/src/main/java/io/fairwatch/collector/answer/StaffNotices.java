package io.fairwatch.collector.answer;

import io.fairwatch.collector.answer.Asked.Reply;
import io.fairwatch.collector.answer.StaffApi.StaffRoute;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.Bounce;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.web.Described.Field;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;

/** What became of notices, and mails that came back, for staff. Immutable; blocks on the store. */
public final class StaffNotices {
    private static final Duration USUAL = Duration.ofDays(7);
    private static final int MOST = 10_000;
    private static final List<Notice.State> NOT_THERE =
            List.of(Notice.State.REFUSED, Notice.State.BOUNCED, Notice.State.UNCONFIRMED);

    private final Store store;
    private final Duration remember;
    private final ZoneId zone;
    private final InstantSource clock;

    /** @param remember how long a mail that came back counts */
    public StaffNotices(Store store, Duration remember, ZoneId zone, InstantSource clock) {
        this.store = store;
        this.remember = remember;
        this.zone = zone;
        this.clock = clock;
    }

    List<StaffRoute> routes() {
        return List.of(
                StaffRoute.get(
                        "/api/v1/staff/notices",
                        "What was told to whom and what became of it; of the last 7 days unless said, newest first.",
                        this::notices,
                        new Field(
                                "state",
                                false,
                                "Only in these states, with commas: planned, sending, delivered, refused, bounced,"
                                        + " unconfirmed, withheld; undelivered: the three that may not have arrived."),
                        new Field("job", false, "Only about this raw job number."),
                        new Field("user", false, "Only about this user."),
                        StaffApi.SINCE,
                        StaffApi.LIMIT),
                StaffRoute.get(
                        "/api/v1/staff/bounces",
                        "Mails that came back, newest first, and whether they count.",
                        this::bounces,
                        StaffApi.SINCE,
                        StaffApi.LIMIT),
                StaffRoute.post(
                        "/api/v1/staff/bounces/forget",
                        "An address is good again: what came back from it counts no more.",
                        this::forget,
                        new Field("address", true, "The address."),
                        StaffApi.BY,
                        StaffApi.REASON));
    }

    private Reply notices(Asked asked) throws Exception {
        List<Notice.State> states = states(asked.parameter("state"));
        Optional<Long> job = asked.parameter("job").map(Asked::job);
        Optional<String> user = asked.parameter("user");
        Instant since = asked.since().orElse(asked.now().minus(USUAL));
        List<Notice> found = (job.isPresent() ? store.noticesOf(job.get()) : store.noticesIn(states, since))
                .stream()
                        .filter(notice -> states.contains(notice.state()))
                        .filter(notice -> user.map(notice.user()::equals).orElse(true))
                        .sorted(Comparator.comparing(Notice::changedAt).reversed())
                        .limit(asked.limit(100, MOST))
                        .toList();
        return asked.reply(found, () -> {
            StringBuilder text = new StringBuilder();
            found.forEach(notice -> text.append(line(notice)).append('\n'));
            return text.isEmpty() ? "There are none.\n" : text.toString();
        });
    }

    private static List<Notice.State> states(Optional<String> words) {
        if (words.isEmpty()) {
            return List.of(Notice.State.values());
        }
        if (words.get().equals("undelivered")) {
            return NOT_THERE;
        }
        return Arrays.stream(words.get().split(",", -1))
                .map(word -> Arrays.stream(Notice.State.values())
                        .filter(state -> state.name().toLowerCase(Locale.ROOT).equals(word))
                        .findFirst()
                        .orElseThrow(() -> new IllegalArgumentException(
                                "state: " + Plain.line(word, 40) + " (expected: undelivered, or some of "
                                        + Arrays.toString(Notice.State.values()).toLowerCase(Locale.ROOT) + ")")))
                .toList();
    }

    private String line(Notice notice) {
        return Plain.minute(notice.changedAt(), zone) + "  "
                + notice.state().name().toLowerCase(Locale.ROOT) + "  "
                + notice.aim().channel().name().toLowerCase(Locale.ROOT) + " "
                + Plain.line(notice.address().orElse(notice.aim().recipient()), 100) + "  "
                + about(notice.subject()) + "  " + Plain.line(notice.rule(), 60) + ", step "
                + notice.aim().step()
                + (notice.aim().topic() == Notice.Topic.FINDING
                        ? ""
                        : ", " + notice.aim().topic().name().toLowerCase(Locale.ROOT))
                + notice.announced()
                        .map(what -> ", announces " + Plain.line(what.deed(), 20) + " from "
                                + Plain.minute(what.notBefore(), zone) + " on")
                        .orElse("")
                + (notice.detail().isEmpty() ? "" : ": " + Plain.line(notice.detail(), 300));
    }

    private static String about(Subject subject) {
        if (subject instanceof RunKey run) {
            return "job " + run.jobId();
        }
        if (subject instanceof Subject.Waiting job) {
            return "job " + job.jobId() + ", waiting";
        }
        return subject instanceof Subject.OnNode node
                ? "node " + Plain.line(node.node(), 64)
                : "user " + Plain.line(((Subject.Person) subject).user(), 80);
    }

    private Reply bounces(Asked asked) throws Exception {
        List<Bounce> found = store.bounces(asked.since().orElse(asked.now().minus(remember))).stream()
                .limit(asked.limit(100, MOST))
                .toList();
        return asked.reply(found, () -> {
            StringBuilder text = new StringBuilder();
            found.forEach(bounce -> text.append(line(bounce)).append('\n'));
            return text.isEmpty() ? "No mail came back.\n" : text.toString();
        });
    }

    private String line(Bounce bounce) {
        return Plain.minute(bounce.at(), zone) + "  "
                + bounce.kind().name().toLowerCase(Locale.ROOT) + "  " + Plain.line(bounce.address(), 100) + "  "
                + bounce.status().orElse("-")
                + bounce.forgottenAt()
                        .map(at -> "  forgotten " + Plain.minute(at, zone))
                        .orElse("")
                + (bounce.reason().isEmpty() ? "" : ": " + Plain.line(bounce.reason(), 300));
    }

    private Reply forget(Asked asked) throws Exception {
        String address = asked.form("address")
                .orElseThrow(
                        () -> new IllegalArgumentException("address: missing (expected: the one that is good again)"));
        String by = asked.person();
        String reason = asked.reason();
        int count = forget(address, by, reason);
        return count == 0
                ? Reply.text(404, "Nothing came back from " + Plain.line(address, 100) + ".\n")
                : Reply.text(200, "Mails go to " + Plain.line(address, 100) + " again.\n");
    }

    private int forget(String address, String by, String reason) throws StoreException {
        Instant now = clock.instant();
        List<Bounce> back = store.bounces(now.minus(remember)).stream()
                .filter(bounce ->
                        bounce.forgottenAt().isEmpty() && bounce.address().equalsIgnoreCase(address))
                .toList();
        if (!back.isEmpty()) {
            // the record first: what is lost then is only the deed, and staff see that and say it again
            store.saveDecisions(new Store.Decisions(
                    List.of(),
                    List.of(),
                    List.of(),
                    List.of(new AuditEntry(
                            UUID.randomUUID().toString(),
                            now,
                            "staff " + by,
                            "forget bounces",
                            AuditEntry.Outcome.NOTED,
                            Optional.empty(),
                            Optional.empty(),
                            "",
                            Plain.line(address, 100) + ": " + Plain.line(reason, 400),
                            "{}"))));
            store.saveBounces(back.stream().map(bounce -> bounce.forgotten(now)).toList());
        }
        return back.size();
    }
}
