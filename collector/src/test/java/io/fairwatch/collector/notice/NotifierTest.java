package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.icegreen.greenmail.util.GreenMail;
import com.icegreen.greenmail.util.ServerSetup;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.Bounce;
import io.fairwatch.collector.store.Exemption;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.MemoryStore;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.vertx.core.Vertx;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.time.DayOfWeek;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class NotifierTest {
    private static final Notifier.Settings ON = settings(Notifier.Mode.NOTIFY, Optional.empty(), 10);

    private static final Notice.Aim OWNER = new Notice.Aim(1, Notice.Channel.OWNER, Notice.Topic.FINDING, "");

    private static Notice.Aim toUser(int step) {
        return new Notice.Aim(step, Notice.Channel.OWNER, Notice.Topic.FINDING, Samples.USER);
    }

    private MemoryStore store = new MemoryStore(Samples::uses);
    private final List<String> posted = new ArrayList<>();
    private final AtomicInteger links = new AtomicInteger();
    private boolean answers;
    /** How long a call of the site's program takes. */
    private Duration slow = Duration.ZERO;

    private List<RuleInfo.Step> ladder = List.of();
    private final Map<String, Person.Known> people = new HashMap<>();
    private Outbox.Outcome hook = new Outbox.Outcome.Delivered("HTTP 204");
    private Directory.@Nullable Entries entries;
    private final List<Outbox.Mail> sent = new ArrayList<>();
    private final Run run = Samples.run(83549, Samples.USER, "train-llm");
    private volatile Instant now = Samples.NOW;
    private Function<Outbox.Mail, Outbox.Outcome> server = mail -> new Outbox.Outcome.Delivered("250 taken");

    private static Notifier.Settings settings(Notifier.Mode mode, Optional<String> redirect, int mostPerDay) {
        return new Notifier.Settings(
                mode,
                redirect,
                mostPerDay,
                Duration.ofMinutes(1),
                Duration.ofHours(1),
                Duration.ofDays(30),
                QuietTime.none(Samples.ZONE),
                Notifier.Bouncing.DEFAULTS);
    }

    private Notifier notifier(Notifier.Settings settings) {
        return notifier(settings, mail -> {
            sent.add(mail);
            return server.apply(mail);
        });
    }

    private Notifier notifier(Notifier.Settings settings, Outbox outbox) {
        return new Notifier(
                store,
                outbox,
                recipients(),
                new MatterSource(
                        store,
                        (rule, run) -> new RuleInfo(Duration.ofHours(1), rule.equals("weekly"), ladder),
                        (finding, at) -> answered(finding, at),
                        0),
                new LetterWriter(Samples.SITE, Texts.Languages.shippedIn(Samples.ZONE)),
                settings,
                () -> now);
    }

    private Optional<Matter.Answering> answered(FindingRow finding, Instant at) {
        return answers
                ? Optional.of(new Matter.Answering(
                        URI.create("https://fw.example.org/answer/" + links.incrementAndGet()
                                + finding.subject().getClass().getSimpleName()),
                        at.plusSeconds(60)))
                : Optional.empty();
    }

    private Notifier.Recipients recipients() {
        return new Notifier.Recipients(
                new Directory(people, new Addresses(Optional.of("%u@example.org")), Optional.ofNullable(entries)),
                List.of("support@its.aau.dk"),
                account -> account.equals("es.shj") ? List.of("anna@es.aau.dk", Samples.USER) : List.of(),
                Optional.of((notice, run, finding) -> {
                    posted.add(notice.id());
                    now = now.plus(slow);
                    return hook;
                }));
    }

    /** All that is planned was just seen to be so. */
    private static Notifier.Round deliver(Notifier notifier) throws Store.StoreException {
        return notifier.deliverDue(notice -> true);
    }

    /** Only these were just seen to be so, of all that is found of them. */
    private static Notifier.Round deliver(Notifier notifier, Run... seen) throws Store.StoreException {
        Set<Subject> subjects = Stream.of(seen).map(Run::key).collect(Collectors.toSet());
        return notifier.deliverDue(notice -> subjects.contains(notice.subject()));
    }

    private NoticePlanner planner() {
        return new NoticePlanner(store, recipients(), rule -> Duration.ofDays(7), () -> now);
    }

    /** Another rule found something, and its notice is planned. */
    private void found(Run about, String rule, Notice.Aim aim) throws Store.StoreException {
        FindingRow row = Samples.of(Samples.finding(about), rule, "It is so.", "Change it.");
        slurmSays(Samples.NOW, about);
        store.saveFindings(
                List.of(row), planner().plan(row, Optional.of(about), aim).orElse(List.of()));
    }

    private static Notice.Aim to(Notice.Channel channel, int step) {
        return new Notice.Aim(step, channel, Notice.Topic.FINDING, "");
    }

    /** Keeps a run, its finding and its planned notice, as the collector does. */
    private void found(Run about) throws Store.StoreException {
        FindingRow finding = Samples.finding(about);
        slurmSays(Samples.NOW, about);
        store.saveFindings(
                List.of(finding),
                planner().plan(finding, Optional.of(about), OWNER).orElse(List.of()));
    }

    private void slurmSays(Instant at, Run... runs) throws Store.StoreException {
        store.saveView(new Store.SlurmView(at, "aicloud", List.of(runs), List.of(), List.of()));
    }

    private Notice notice() {
        return store.noticesOf(83549).get(0);
    }

    private FindingRow finding() {
        return store.findingsOf(83549).get(0);
    }

    @Test
    @DisplayName("the owner gets one mail, and the finding says when")
    void once() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        assertEquals(new Notifier.Round(1, 0, 0, 0, 0, 0), deliver(notifier));
        now = now.plusSeconds(60);
        assertEquals(new Notifier.Round(0, 0, 0, 0, 0, 0), deliver(notifier));

        assertEquals(1, sent.size());
        assertEquals(Samples.USER, sent.get(0).to());
        assertEquals(List.of(Notice.State.PLANNED, Notice.State.SENDING, Notice.State.DELIVERED), store.history());
        assertEquals("250 taken", notice().detail());
        assertEquals(1, notice().attempts());
        assertEquals(FindingRow.State.TOLD, finding().state());
        assertEquals(Optional.of(Samples.NOW), finding().toldAt());
    }

    @Test
    @DisplayName("an episode is planned once, by any collector; another episode has another id")
    void planOnce() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        deliver(notifier);
        assertEquals(Optional.of(List.of()), planner().plan(Samples.finding(run), Optional.of(run), OWNER));
        assertEquals(NoticePlanner.id(run.key(), "gpu-idle", Samples.SINCE, toUser(1), ""), notice().id());
        assertNotEquals(
                notice().id(), NoticePlanner.id(run.key(), "gpu-idle", Samples.SINCE.plusSeconds(1), toUser(1), ""));
        assertNotEquals(notice().id(), NoticePlanner.id(run.key(), "gpu-idle2", Samples.SINCE, toUser(1), ""));
    }

    @Test
    @DisplayName("a collector that dies while sending never sends it again")
    void diedWhileSending() throws Exception {
        server = mail -> {
            throw new SimulatedDeath();
        };
        Notifier dying = notifier(ON);
        found(run);
        assertThrows(SimulatedDeath.class, () -> deliver(dying));
        assertEquals(Notice.State.SENDING, notice().state());

        server = mail -> new Outbox.Outcome.Delivered("250 taken");
        Notifier next = notifier(ON);
        assertEquals(1, next.recover());
        deliver(next);
        now = now.plus(Duration.ofDays(1));
        deliver(next);
        assertEquals(1, sent.size());
        assertEquals(Notice.State.UNCONFIRMED, notice().state());
        assertEquals(FindingRow.State.FOUND, finding().state());
    }

    @Test
    @DisplayName("when the store fails before, nothing is sent; when it fails after, nothing is sent twice")
    void storeFails() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        store.failing = notice -> notice.state() == Notice.State.SENDING;
        assertThrows(Store.StoreException.class, () -> deliver(notifier));
        assertTrue(sent.isEmpty());

        store.failing = notice -> notice.state() == Notice.State.DELIVERED;
        assertThrows(Store.StoreException.class, () -> deliver(notifier));
        store.failing = notice -> false;
        deliver(notifier);
        assertEquals(1, sent.size());
        assertEquals(Notice.State.UNCONFIRMED, notice().state());
    }

    @Test
    @DisplayName("two calls at the same time send once")
    void twoCalls() throws Exception {
        CountDownLatch sending = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        server = mail -> {
            sending.countDown();
            await(answer);
            return new Outbox.Outcome.Delivered("250 taken");
        };
        Notifier notifier = notifier(ON);
        found(run);
        ExecutorService other = Executors.newSingleThreadExecutor();
        try {
            Future<Notifier.Round> first = other.submit(() -> deliver(notifier));
            await(sending);
            assertEquals(new Notifier.Round(0, 0, 0, 0, 0, 0), deliver(notifier));
            answer.countDown();
            assertEquals(1, first.get(20, TimeUnit.SECONDS).delivered());
        } finally {
            other.shutdownNow();
        }
        assertEquals(1, sent.size());
        assertEquals(Notice.State.DELIVERED, notice().state());
    }

    @Test
    @DisplayName("what is taken later waits longer from one attempt to the next")
    void backOff() throws Exception {
        server = mail -> new Outbox.Outcome.TryAgain("451 greylisted", false);
        Notifier notifier = notifier(ON);
        found(run);
        List<Integer> minutes = new ArrayList<>();
        for (int minute = 0; minute < 200; minute++) {
            now = Samples.NOW.plus(Duration.ofMinutes(minute));
            if (deliver(notifier).postponed() == 1) {
                minutes.add(minute);
            }
        }
        assertEquals(List.of(0, 1, 3, 7, 15, 31, 63, 123, 183), minutes);
        assertEquals(9, notice().attempts());
        assertEquals(Notice.State.PLANNED, notice().state());

        server = mail -> new Outbox.Outcome.Delivered("250 taken");
        now = now.plus(Duration.ofHours(1));
        deliver(notifier);
        assertEquals(Notice.State.DELIVERED, notice().state());
    }

    @Test
    @DisplayName("a clock that is set back does not put off a mail for as long as it was set back")
    void clockSetBack() throws Exception {
        server = mail -> new Outbox.Outcome.TryAgain("451 greylisted", false);
        Notifier notifier = notifier(ON);
        found(run);
        assertEquals(1, deliver(notifier).postponed());
        now = now.minus(Duration.ofHours(2));
        assertEquals(1, deliver(notifier).postponed());
        assertEquals(0, deliver(notifier).postponed(), "nor is it tried all the time");
    }

    @Test
    @DisplayName("what was put off shares a mail with what is due to the same person first")
    void putOffGoesAlong() throws Exception {
        server = mail -> new Outbox.Outcome.TryAgain("451 greylisted", false);
        Notifier notifier = notifier(ON);
        found(run);
        assertEquals(1, deliver(notifier).postponed());
        now = now.plusSeconds(30);
        assertEquals(new Notifier.Round(0, 0, 0, 0, 0, 0), deliver(notifier), "not yet");

        server = mail -> new Outbox.Outcome.Delivered("250 taken");
        found(run, "another", to(Notice.Channel.OWNER, 1));
        assertEquals(new Notifier.Round(2, 0, 0, 0, 0, 0), deliver(notifier));
        assertEquals(2, sent.size(), "the first was not taken");
    }

    @Test
    @DisplayName("one bad mailbox does not stop the rest; a server that is away costs one attempt")
    void oneBadMailbox() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        now = now.plusSeconds(1);
        found(Samples.run(83550, "bob", "b"));
        server = mail -> new Outbox.Outcome.TryAgain("no route", true);
        assertEquals(new Notifier.Round(0, 0, 0, 0, 1, 0), deliver(notifier));
        server = mail -> mail.to().equals("bob@example.org")
                ? new Outbox.Outcome.Delivered("250 taken")
                : new Outbox.Outcome.Refused("550 no such user");
        now = now.plusSeconds(60);
        assertEquals(new Notifier.Round(1, 1, 0, 0, 0, 0), deliver(notifier));
        assertEquals(Notice.State.REFUSED, notice().state());
        assertEquals(FindingRow.State.FOUND, finding().state());
    }

    @Test
    @DisplayName("an answer that never came is not asked for again")
    void noAnswer() throws Exception {
        server = mail -> new Outbox.Outcome.Unknown("closed");
        Notifier notifier = notifier(ON);
        found(run);
        deliver(notifier);
        now = now.plus(Duration.ofDays(1));
        deliver(notifier);
        assertEquals(1, sent.size());
        assertEquals(Notice.State.UNCONFIRMED, notice().state());
    }

    @Test
    @DisplayName("where mails are off nothing is sent, and what was withheld is not sent later")
    void record() throws Exception {
        Notifier notifier = notifier(settings(Notifier.Mode.RECORD, Optional.empty(), 10));
        found(run);
        assertEquals(1, deliver(notifier).withheld());
        assertEquals(Notice.State.WITHHELD, notice().state());
        assertEquals(FindingRow.State.FOUND, finding().state());
        assertEquals(Optional.empty(), finding().toldAt());
        assertEquals(1, finding().progress().done(), "the ladder goes on");
        deliver(notifier(ON));
        assertTrue(sent.isEmpty());
        assertEquals(FindingRow.State.RESOLVED, finding().state(), "and begins anew");
    }

    @Test
    @DisplayName("switching mails on leaves alone what was told, and of users, too, ends only what was rehearsed")
    void recordThenOn() throws Exception {
        found(run);
        deliver(notifier(ON));
        FindingRow told = finding();
        Notifier record = notifier(settings(Notifier.Mode.RECORD, Optional.empty(), 1));
        FindingRow week = about(new Subject.Person("aicloud", "bob"), "bob");
        store.saveFindings(
                List.of(week), planner().plan(week, Optional.empty(), OWNER).orElseThrow());
        assertEquals(1, deliver(record).withheld());
        found(Samples.run(83550, "bob", "b"));
        assertEquals(0, deliver(record).withheld(), "no more than so many within 24 hours, as it would be");
        Notifier on = notifier(ON);
        assertEquals(1, deliver(on).delivered(), "what only waited for tomorrow was not rehearsed");
        assertEquals(told, finding());
        assertEquals(
                FindingRow.State.RESOLVED,
                store.finding(week.subject(), week.rule(), week.since())
                        .orElseThrow()
                        .state());
    }

    @Test
    @DisplayName(
            "who had no address in a rehearsal is tried again when mails are switched on, and staff hear of it then")
    void recordUnreachable() throws Exception {
        Notifier record = notifier(settings(Notifier.Mode.RECORD, Optional.empty(), 10));
        found(Samples.run(83549, "nobody at all", "x"));
        FindingRow week = about(new Subject.Person("aicloud", "nobody else"), "nobody else");
        store.saveFindings(
                List.of(week), planner().plan(week, Optional.empty(), OWNER).orElseThrow());
        assertEquals(2, deliver(record).refused());
        for (Notice refused : store.noticesIn(List.of(Notice.State.REFUSED))) {
            assertTrue(refused.isRehearsed(), refused.detail());
        }
        String staffs = store.noticesIn(List.of(Notice.State.PLANNED)).get(0).detail();
        assertTrue(staffs.startsWith("the user name cannot be part of an address"), staffs);
        assertEquals(1, deliver(record).withheld(), "staff would have heard of the job");
        assertEquals(2, store.openFindings().size());
        deliver(notifier(ON));
        assertEquals(List.of(), store.openFindings());
        assertTrue(sent.isEmpty());
    }

    @Test
    @DisplayName(
            "a rehearsal's mail that is refused, never answered, or cut off by a crash, is no warning: it begins anew")
    void rehearsalLost() throws Exception {
        Notifier redirected = notifier(settings(Notifier.Mode.NOTIFY, Optional.of("admin@example.org"), 10));
        Map<String, Function<Outbox.Mail, Outbox.Outcome>> servers = new LinkedHashMap<>();
        servers.put("again", mail -> new Outbox.Outcome.TryAgain("451 greylisted", false));
        servers.put("refused", mail -> new Outbox.Outcome.Refused("550 no such user"));
        servers.put("unanswered", mail -> new Outbox.Outcome.Unknown("closed"));
        servers.put("cut-off", mail -> {
            throw new SimulatedDeath();
        });
        slurmSays(Samples.NOW);
        for (Map.Entry<String, Function<Outbox.Mail, Outbox.Outcome>> one : servers.entrySet()) {
            String user = one.getKey();
            FindingRow week = about(new Subject.Person("aicloud", user), user);
            store.saveFindings(
                    List.of(week), planner().plan(week, Optional.empty(), OWNER).orElseThrow());
            server = one.getValue();
            try {
                deliver(redirected);
            } catch (SimulatedDeath died) {
                assertEquals("cut-off", user);
            }
        }
        Notifier on = notifier(ON);
        on.endRehearsals();
        assertEquals(
                List.of("again"),
                store.openFindings().stream().map(FindingRow::user).toList(),
                "what only waits to be tried again was not rehearsed");
        server = mail -> new Outbox.Outcome.Delivered("250 taken");
        now = now.plusSeconds(60);
        deliver(on);
        Map<String, String> details = new TreeMap<>();
        store.noticesIn(List.of(Notice.State.values()), Instant.EPOCH)
                .forEach(notice -> details.put(notice.user(), notice.detail()));
        assertEquals(
                Map.of(
                        "again",
                        "250 taken",
                        "refused",
                        "rehearsal, 550 no such user",
                        "unanswered",
                        "rehearsal, closed",
                        "cut-off",
                        "rehearsal, the collector stopped while sending it"),
                details);
    }

    @Test
    @DisplayName("a rehearsal writes to one address, marked, and tells no owner")
    void rehearsal() throws Exception {
        Notifier notifier = notifier(settings(Notifier.Mode.NOTIFY, Optional.of("admin@example.org"), 10));
        found(run);
        deliver(notifier);
        assertEquals("admin@example.org", sent.get(0).to());
        assertTrue(sent.get(0).letter().subject().startsWith("[rehearsal, for tlj@its.aau.dk] [AI Cloud] Job 83549"));
        assertEquals(Optional.of("admin@example.org"), notice().address());
        assertEquals(FindingRow.State.FOUND, finding().state());
        assertEquals(Optional.empty(), finding().toldAt());
        assertEquals(1, finding().progress().done(), "the ladder goes on");
        deliver(notifier(ON));
        assertEquals(1, sent.size());
        assertEquals(FindingRow.State.RESOLVED, finding().state(), "and begins anew");
    }

    @Test
    @DisplayName("that a rehearsal's mail could not be sent is told to nobody after the switch, for the real one comes")
    void rehearsalUnreachable() throws Exception {
        found(Samples.run(83549, "nobody at all", "x"));
        assertEquals(
                1,
                deliver(notifier(settings(Notifier.Mode.RECORD, Optional.empty(), 10)))
                        .refused());
        assertEquals(1, store.noticesIn(List.of(Notice.State.PLANNED)).size());
        deliver(notifier(ON));
        assertTrue(sent.isEmpty());
        assertEquals(List.of(), store.noticesIn(List.of(Notice.State.PLANNED)));
        Notice staffs = store.noticesIn(List.of(Notice.State.WITHHELD)).get(0);
        assertEquals(Notice.Topic.UNREACHABLE, staffs.aim().topic());
        assertTrue(staffs.isRehearsed(), staffs.detail());
    }

    @Test
    @DisplayName("what was rehearsed counts towards nobody's most mails of a day")
    void rehearsalFillsNoLetterBox() throws Exception {
        Notifier redirected = notifier(settings(Notifier.Mode.NOTIFY, Optional.of("admin@example.org"), 1));
        found(Samples.run(1, "bob", "sweep"));
        assertEquals(1, deliver(redirected).delivered());
        found(Samples.run(2, "bob", "sweep"));
        assertEquals(0, deliver(redirected).delivered(), "a rehearsal is like the real thing");
        Notifier real = notifier(settings(Notifier.Mode.NOTIFY, Optional.empty(), 1));
        deliver(real);
        found(Samples.run(3, "bob", "sweep"));
        deliver(real);
        assertEquals(2, sent.size());
        assertTrue(!sent.get(1).to().equals("admin@example.org"), sent.get(1).to());
    }

    @Test
    @DisplayName("a person gets no more than so many mails within 24 hours; what exceeds it waits")
    void cap() throws Exception {
        Notifier notifier = notifier(settings(Notifier.Mode.NOTIFY, Optional.empty(), 2));
        for (int job = 1; job <= 4; job++) {
            found(Samples.run(job, "bob", "sweep"));
            assertEquals(job <= 2 ? 1 : 0, deliver(notifier).delivered());
        }
        found(run);
        assertEquals(1, deliver(notifier).delivered());
        now = now.plus(Duration.ofDays(1)).plusSeconds(1);
        assertEquals(2, deliver(notifier).delivered());
        assertEquals(4, sent.size());
        assertTrue(sent.get(3).letter().subject().startsWith("[AI Cloud] Jobs 3, 4: "));
    }

    @Test
    @DisplayName("all that is due to one person goes out in one mail, with one id, and is kept as delivered together")
    void digest() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        found(run, "cpu-hoard", OWNER);
        found(Samples.run(83550, Samples.USER, "other"));
        found(Samples.run(83551, "bob", "b"));
        assertEquals(new Notifier.Round(4, 0, 0, 0, 0, 0), deliver(notifier));
        assertEquals(
                List.of(Samples.USER, "bob@example.org"),
                sent.stream().map(Outbox.Mail::to).toList());
        assertTrue(sent.get(0).letter().text().contains("It is so."));
        List<Notice> mine = new ArrayList<>(store.noticesOf(83549));
        mine.addAll(store.noticesOf(83550));
        assertEquals(3, mine.size());
        for (Notice notice : mine) {
            assertEquals(Optional.of(sent.get(0).id()), notice.mail());
            assertEquals(Notice.State.DELIVERED, notice.state());
        }
    }

    @Test
    @DisplayName("a digest that was being sent when the collector died is never sent again, no part of it")
    void diedWithDigest() throws Exception {
        server = mail -> {
            throw new SimulatedDeath();
        };
        Notifier dying = notifier(ON);
        found(run);
        found(Samples.run(83550, Samples.USER, "other"));
        assertThrows(SimulatedDeath.class, () -> deliver(dying));
        server = mail -> new Outbox.Outcome.Delivered("250 taken");
        Notifier next = notifier(ON);
        assertEquals(2, next.recover());
        found(Samples.run(83551, Samples.USER, "third"));
        assertEquals(1, deliver(next).delivered());
        assertEquals(2, sent.size());
        assertTrue(sent.get(1).letter().subject().startsWith("[AI Cloud] Job 83551: "));
    }

    @Test
    @DisplayName("while the directory is away mails that need it wait, others go out, and nothing is lost")
    void directoryAway() throws Exception {
        entries = user -> {
            throw new Directory.AwayException("no route", null);
        };
        Notifier notifier = notifier(ON);
        found(run);
        found(Samples.run(83550, "bob", "b"));
        assertEquals(new Notifier.Round(1, 0, 0, 0, 1, 0), deliver(notifier));
        assertEquals(Samples.USER, sent.get(0).to());
        assertEquals(Notice.State.PLANNED, store.noticesOf(83550).get(0).state());

        entries = user ->
                new Person.Known(Optional.of("bo@es.aau.dk"), Optional.of("Bo"), Optional.of("da"), Optional.empty());
        now = now.plusSeconds(60);
        assertEquals(1, deliver(notifier(ON)).delivered());
        assertEquals("bo@es.aau.dk", sent.get(1).to());
        assertTrue(
                sent.get(1).letter().text().startsWith("Hej Bo\n"),
                sent.get(1).letter().text());
    }

    @Test
    @DisplayName("at night, on holidays and for weekly mails it waits; news about what was done do not")
    void quietTime() throws Exception {
        QuietTime quiet = new QuietTime(
                LocalTime.of(18, 0),
                LocalTime.of(8, 0),
                EnumSet.range(DayOfWeek.MONDAY, DayOfWeek.FRIDAY),
                Set.of(LocalDate.of(2026, 11, 24)),
                DayOfWeek.THURSDAY,
                Samples.ZONE);
        Notifier notifier = notifier(new Notifier.Settings(
                Notifier.Mode.NOTIFY,
                Optional.empty(),
                10,
                Duration.ofMinutes(1),
                Duration.ofHours(1),
                Duration.ofDays(30),
                quiet,
                Notifier.Bouncing.DEFAULTS));
        now = Instant.parse("2026-11-23T17:30:00Z"); // Monday, 18:30 there
        found(run);
        found(Samples.run(83550, "bob", "b"), "weekly", OWNER);
        FindingRow row = Samples.finding(run);
        store.saveFindings(
                List.of(), planner().news(row, 2, Notice.Topic.DONE, List.of(Notice.Channel.OWNER), "cancel"));
        assertEquals(1, deliver(notifier).delivered());
        assertTrue(
                sent.get(0).letter().subject().contains("was ended"),
                sent.get(0).letter().subject());
        now = Instant.parse("2026-11-24T10:00:00Z"); // a holiday
        assertEquals(0, deliver(notifier).delivered());
        now = Instant.parse("2026-11-25T07:00:00Z");
        assertEquals(1, deliver(notifier).delivered());
        assertEquals(Samples.USER, sent.get(1).to());
        now = Instant.parse("2026-11-26T07:00:00Z"); // Thursday
        assertEquals(1, deliver(notifier).delivered());
        assertEquals("bob@example.org", sent.get(2).to());
    }

    @Test
    @DisplayName("coordinators, staff and a program of the site hear of it in their steps, and each step counts")
    void otherSteps() throws Exception {
        Notifier notifier = notifier(ON);
        FindingRow row = Samples.finding(run);
        for (Notice.Channel channel :
                List.of(Notice.Channel.COORDINATOR, Notice.Channel.STAFF, Notice.Channel.WEBHOOK)) {
            int step =
                    store.findingsOf(83549).isEmpty() ? 1 : finding().progress().done() + 1;
            FindingRow before = step == 1 ? row : finding();
            FindingRow planned = Samples.planned(before, step);
            slurmSays(Samples.NOW, run);
            store.saveFindings(
                    List.of(planned),
                    planner().plan(planned, Optional.of(run), to(channel, step)).orElseThrow());
            assertEquals(1, deliver(notifier).delivered(), channel.name());
            assertEquals(step, finding().progress().done(), channel.name());
        }
        assertEquals(
                List.of("anna@es.aau.dk", "support@its.aau.dk"),
                sent.stream().map(Outbox.Mail::to).toList());
        assertEquals(1, posted.size());
        assertEquals(FindingRow.State.FOUND, finding().state()); // the owner was never told
        assertEquals(
                Optional.empty(),
                planner()
                        .plan(
                                row,
                                Optional.of(Samples.charged(Samples.run(1, "bob", "b"), "nobody's")),
                                to(Notice.Channel.COORDINATOR, 1)));
    }

    @Test
    @DisplayName("waiting jobs, users and nodes are told of too, in the same mail as runs, and only while it is so")
    void withoutRuns() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        FindingRow waiting = about(new Subject.Waiting("aicloud", 84000, Samples.START), Samples.USER);
        FindingRow week = about(new Subject.Person("aicloud", Samples.USER), Samples.USER);
        FindingRow node = about(new Subject.OnNode("aicloud", "nv-ai-01"), "");
        for (FindingRow row : List.of(waiting, week)) {
            store.saveFindings(
                    List.of(row), planner().plan(row, Optional.empty(), OWNER).orElseThrow());
        }
        assertEquals(Optional.empty(), planner().plan(node, Optional.empty(), OWNER), "a node has no owner");
        store.saveFindings(
                List.of(node),
                planner()
                        .plan(node, Optional.empty(), to(Notice.Channel.STAFF, 1))
                        .orElseThrow());
        assertEquals(4, deliver(notifier).delivered());
        assertEquals(2, sent.size());
        String mine = sent.get(0).letter().text();
        assertTrue(mine.contains("1. Job 83549"), mine);
        assertTrue(mine.contains("2. Your job 84000, which waits"), mine);
        assertTrue(mine.contains("3. What your jobs did"), mine);
        assertTrue(
                sent.get(1).letter().text().contains("Node nv-ai-01"),
                sent.get(1).letter().text());
        assertEquals(
                4,
                store.openFindings().stream()
                        .filter(row -> row.progress().done() == 1)
                        .count());

        FindingRow other = about(new Subject.Waiting("aicloud", 84001, Samples.START), "bob");
        store.saveFindings(
                List.of(other), planner().plan(other, Optional.empty(), OWNER).orElseThrow());
        store.saveFindings(List.of(other.resolved(now)), List.of());
        assertEquals(1, deliver(notifier).withheld());
    }

    @Test
    @DisplayName(
            "coordinators hear of waiting jobs of their account, and of users who ran in it lately; of nodes nobody does")
    void coordinatorsWithoutRuns() throws Exception {
        Notifier notifier = notifier(ON);
        Run old = Samples.charged(Samples.ended(Samples.run(1, "bob", "b"), Samples.START.plusSeconds(60)), "nobody's");
        slurmSays(Samples.NOW, Samples.run(2, "bob", "b"), old);
        store.saveView(new Store.SlurmView(
                Samples.NOW,
                "aicloud",
                List.of(),
                List.of(new PendingJob(
                        "aicloud",
                        84000,
                        "84000",
                        new Run.Owner("bob", OptionalInt.empty(), "es.shj", "batch", "normal"),
                        "big",
                        Samples.START,
                        "Resources",
                        "gres/gpu=8")),
                List.of()));
        Notice.Aim coordinator = to(Notice.Channel.COORDINATOR, 1);
        for (FindingRow row : List.of(
                about(new Subject.Waiting("aicloud", 84000, Samples.START), "bob"),
                about(new Subject.Person("aicloud", "bob"), "bob"))) {
            List<Notice> planned =
                    planner().plan(row, Optional.empty(), coordinator).orElseThrow();
            assertEquals(
                    List.of("anna@es.aau.dk", Samples.USER),
                    planned.stream().map(one -> one.aim().recipient()).toList());
            store.saveFindings(List.of(row), planned);
        }
        for (FindingRow nobodys : List.of(
                about(new Subject.OnNode("aicloud", "nv-ai-01"), ""),
                about(new Subject.Person("aicloud", "carl"), "carl"),
                about(new Subject.Waiting("aicloud", 84001, Samples.START), "bob"))) {
            assertEquals(Optional.empty(), planner().plan(nobodys, Optional.empty(), coordinator));
        }
        assertEquals(4, deliver(notifier).delivered());
        Letter letter = sent.get(0).letter();
        assertTrue(letter.subject().startsWith("[AI Cloud] bob: It is so"), letter.subject());
        String words = letter.text().replace('\n', ' ');
        assertTrue(words.contains("in accounts that you coordinate"), letter.text());
        assertTrue(words.contains("all of a user's use counts"), letter.text());
        assertTrue(letter.text().contains("If you have questions"), letter.text());
        assertTrue(!letter.text().contains("#SBATCH"), "no advice for others' scripts");
    }

    @Test
    @DisplayName("the owner can answer about a waiting job and about what they use; nobody answers for a node")
    void answersWithoutRuns() throws Exception {
        answers = true;
        Notifier notifier = notifier(ON);
        slurmSays(Samples.NOW);
        FindingRow waiting = about(new Subject.Waiting("aicloud", 84000, Samples.START), Samples.USER);
        FindingRow week = about(new Subject.Person("aicloud", Samples.USER), Samples.USER);
        FindingRow node = about(new Subject.OnNode("aicloud", "nv-ai-01"), "");
        for (FindingRow row : List.of(waiting, week)) {
            store.saveFindings(
                    List.of(row), planner().plan(row, Optional.empty(), OWNER).orElseThrow());
        }
        for (FindingRow row : List.of(waiting, node)) {
            store.saveFindings(
                    List.of(row),
                    planner()
                            .plan(row, Optional.empty(), to(Notice.Channel.STAFF, 1))
                            .orElseThrow());
        }
        assertEquals(4, deliver(notifier).delivered());
        String mine = sent.get(0).letter().text();
        assertTrue(mine.contains("https://fw.example.org/answer/1Waiting"), mine);
        assertTrue(mine.contains("https://fw.example.org/answer/2Person"), mine);
        String html = sent.get(0).letter().html();
        assertTrue(html.contains("https://fw.example.org/answer/1Waiting"), html);
        assertTrue(html.contains("Say that you need it as it is, or that it is not yours"), html);
        String staffs = sent.get(1).letter().text();
        assertTrue(staffs.contains("Node nv-ai-01"), staffs);
        assertTrue(!staffs.contains("/answer/"), staffs);
    }

    private static FindingRow about(Subject subject, String user) {
        return new FindingRow(
                subject,
                "some-rule",
                Samples.SINCE,
                FindingRow.State.FOUND,
                Samples.NOW,
                Optional.empty(),
                Optional.empty(),
                user,
                "It is so.",
                "Change it:\n    #SBATCH --mem=64G",
                "{}",
                new FindingRow.Progress(1, 0, Optional.empty()));
    }

    @Test
    @DisplayName("an exemption keeps what is planned back, and what was planned goes out when it has ended")
    void exempt() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        store.saveDecisions(new Store.Decisions(
                List.of(),
                List.of(),
                List.of(new Exemption(
                        "e",
                        Exemption.Scope.RUN,
                        Exemption.valueOf(run.key()),
                        Optional.empty(),
                        now,
                        Optional.of(now.plusSeconds(3600)),
                        "owner",
                        "")),
                List.of()));
        assertEquals(new Notifier.Round(0, 0, 0, 0, 0, 0), deliver(notifier));
        now = now.plusSeconds(3600);
        assertEquals(1, deliver(notifier).delivered());
    }

    @Test
    @DisplayName("what is planned about a waiting job or a user is kept back as long as they are excused")
    void exemptWithoutRuns() throws Exception {
        Notifier notifier = notifier(ON);
        slurmSays(Samples.NOW);
        Subject.Waiting job = new Subject.Waiting("aicloud", 84000, Samples.START);
        for (FindingRow row : List.of(about(job, Samples.USER), about(new Subject.Person("aicloud", "bob"), "bob"))) {
            store.saveFindings(
                    List.of(row), planner().plan(row, Optional.empty(), OWNER).orElseThrow());
        }
        store.saveDecisions(new Store.Decisions(
                List.of(),
                List.of(),
                List.of(
                        new Exemption(
                                "e1",
                                Exemption.Scope.WAITING,
                                Exemption.valueOf(job),
                                Optional.empty(),
                                now,
                                Optional.of(now.plusSeconds(60)),
                                "staff eva",
                                ""),
                        new Exemption(
                                "e2",
                                Exemption.Scope.USER,
                                "bob",
                                Optional.of("some-rule"),
                                now,
                                Optional.of(now.plusSeconds(60)),
                                "staff eva",
                                "")),
                List.of()));
        assertEquals(Notifier.Round.NOTHING, deliver(notifier));
        now = now.plusSeconds(60);
        assertEquals(2, deliver(notifier).delivered());
    }

    @Test
    @DisplayName("a webhook that is away is tried again, and mails do not wait for it")
    void hookAway() throws Exception {
        hook = new Outbox.Outcome.TryAgain("no route", true);
        Notifier notifier = notifier(ON);
        found(run, "hooked", to(Notice.Channel.WEBHOOK, 1));
        found(Samples.run(83550, "bob", "b"));
        assertEquals(new Notifier.Round(1, 0, 0, 0, 1, 0), deliver(notifier));
        hook = new Outbox.Outcome.Delivered("HTTP 200");
        now = now.plusSeconds(60);
        assertEquals(1, deliver(notifier).delivered());
        assertEquals(posted.get(0), posted.get(1));
    }

    @Test
    @DisplayName("what is over before it was sent is not sent")
    void over() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        store.saveRuns(List.of(Samples.ended(run, now)));
        deliver(notifier);
        assertEquals(Notice.State.WITHHELD, notice().state());
        assertEquals("over before it was sent", notice().detail());

        Run other = Samples.run(83551, "bob", "b");
        found(other);
        store.saveFindings(
                List.of(Samples.with(Samples.finding(other), FindingRow.State.RESOLVED, Optional.of(now))), List.of());
        deliver(notifier);
        assertEquals(Notice.State.WITHHELD, store.noticesOf(83551).get(0).state());
        assertTrue(sent.isEmpty());
    }

    @Test
    @DisplayName("while Slurm's newest answer is old, or does not name the run, the mail waits")
    void notCurrent() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        slurmSays(Samples.NOW.plusSeconds(30));
        assertEquals(new Notifier.Round(0, 0, 0, 0, 0, 0), deliver(notifier));
        slurmSays(Samples.NOW, run);
        now = Samples.NOW.plus(Duration.ofDays(30)).plusSeconds(1);
        assertEquals(new Notifier.Round(0, 0, 0, 0, 0, 0), deliver(notifier));
        now = Samples.NOW.plus(Duration.ofDays(30));
        assertEquals(new Notifier.Round(1, 0, 0, 0, 0, 0), deliver(notifier));
    }

    @Test
    @DisplayName("a server that never answered one mail is not given the next in the same round")
    void tooSlow() throws Exception {
        server = mail -> new Outbox.Outcome.Unknown("closed");
        Notifier notifier = notifier(ON);
        found(run);
        found(Samples.run(83550, "bob", "b"));
        assertEquals(new Notifier.Round(0, 0, 0, 1, 0, 0), deliver(notifier));
        assertEquals(1, sent.size());
    }

    @Test
    @DisplayName(
            "after a minute the rest waits for the next round, so that judging goes on; nobody is left out or told twice")
    void longRound() throws Exception {
        Notifier notifier = notifier(ON);
        for (int i = 0; i < 5; i++) {
            found(Samples.run(83550 + i, "user" + i, "x"));
        }
        server = mail -> {
            now = now.plusSeconds(25);
            return new Outbox.Outcome.Delivered("250 taken");
        };
        assertEquals(3, deliver(notifier).delivered());
        assertEquals(2, notifier.toTell().size());
        assertEquals(2, deliver(notifier).delivered());
        assertEquals(0, deliver(notifier).delivered());
        assertEquals(
                List.of(
                        "user0@example.org",
                        "user1@example.org",
                        "user2@example.org",
                        "user3@example.org",
                        "user4@example.org"),
                sent.stream().map(Outbox.Mail::to).sorted().toList());
    }

    @Test
    @DisplayName("nobody is told of a run that was not just seen; what is certain waits for the rest of its mail once")
    void uncertain() throws Exception {
        Notifier notifier = notifier(ON);
        Run old = Samples.run(83550, Samples.USER, "b");
        Run bobs = Samples.run(83551, "bob", "c");
        found(run);
        found(old);
        found(bobs);
        assertEquals(1, deliver(notifier, run, bobs).delivered());
        assertEquals(Set.of(run.key(), old.key()), notifier.toTell(), "all of the mail is looked at");
        assertEquals(2, deliver(notifier, run, old).delivered());
        assertEquals(Set.of(), notifier.toTell());
        assertEquals(
                List.of("bob@example.org", Samples.USER),
                sent.stream().map(Outbox.Mail::to).toList());
    }

    @Test
    @DisplayName(
            "what can never be seen, because its node is silent, keeps nobody else's news waiting, however many come")
    void neverCertain() throws Exception {
        Notifier notifier = notifier(ON);
        Run silent = Samples.run(83550, Samples.USER, "b");
        found(silent);
        found(run);
        assertEquals(0, deliver(notifier, run).delivered());
        assertEquals(1, deliver(notifier, run).delivered());
        assertEquals(Set.of(silent.key(), run.key()), notifier.toTell());
        Run next = Samples.run(83552, Samples.USER, "d");
        found(next);
        assertEquals(1, deliver(notifier, next).delivered(), "it waits no more");
        assertEquals(0, deliver(notifier, run).delivered());
        assertEquals(1, deliver(notifier, silent).delivered());
        assertEquals(3, sent.size());
    }

    @Test
    @DisplayName("a program of the site is told of each as it is certain, and of no more than fit into a minute")
    void webhookUncertain() throws Exception {
        Notifier notifier = notifier(ON);
        Run other = Samples.run(83550, "bob", "b");
        found(run, "gpu-idle", to(Notice.Channel.WEBHOOK, 1));
        found(other, "gpu-idle", to(Notice.Channel.WEBHOOK, 1));
        assertEquals(1, deliver(notifier, other).delivered());
        assertEquals(Set.of(run.key()), notifier.toTell());
        assertEquals(1, deliver(notifier, run).delivered());
        assertEquals(2, posted.size());
    }

    @Test
    @DisplayName("a letter that the store cannot read is put off and keeps nobody waiting, the oldest least of all")
    void unreadable() throws Exception {
        store = new MemoryStore(Samples::uses) {
            @Override
            public List<GpuUse> gpuUse(Collection<RunSpan> spans, double busyAboveRatio, boolean energy)
                    throws StoreException {
                if (spans.stream().anyMatch(span -> span.run().key().jobId() == 83550)) {
                    throw new StoreException("gpuUse: took more than 60 s", new IllegalStateException());
                }
                return super.gpuUse(spans, busyAboveRatio, energy);
            }
        };
        Notifier notifier = notifier(ON);
        for (int i = 0; i < 3; i++) {
            found(Samples.run(83550 + i, "user" + i, "x"));
            now = now.plusSeconds(1);
        }
        Notifier.Round round = deliver(notifier);
        assertEquals(2, round.delivered());
        assertEquals(1, round.postponed());
        assertEquals(0, deliver(notifier).postponed(), "it waits");
    }

    @Test
    @DisplayName("when the collector ends nothing more is begun, neither a mail nor a call")
    void interrupted() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        found(Samples.run(83550, "bob", "x"), "gpu-idle", to(Notice.Channel.WEBHOOK, 1));
        Thread.currentThread().interrupt();
        try {
            assertEquals(0, deliver(notifier).delivered());
        } finally {
            assertTrue(Thread.interrupted());
        }
        assertEquals(List.of(), posted);
        assertEquals(2, deliver(notifier).delivered());
    }

    @Test
    @DisplayName("a program of the site that is slow takes no mail's minute, and the rest of its calls come next")
    void slowWebhook() throws Exception {
        Notifier notifier = notifier(ON);
        for (int i = 0; i < 5; i++) {
            found(Samples.run(83550 + i, "user" + i, "x"), "gpu-idle", to(Notice.Channel.WEBHOOK, 1));
        }
        found(run);
        slow = Duration.ofSeconds(25);
        assertEquals(4, deliver(notifier).delivered(), "three calls and a mail");
        assertEquals(1, sent.size());
        assertEquals(2, notifier.toTell().size());
        assertEquals(2, deliver(notifier).delivered());
        assertEquals(5, posted.stream().distinct().count());
    }

    @Test
    @DisplayName("more letters than are asked about together all go out, though one of each such number cannot be read")
    void manyLetters() throws Exception {
        store = new MemoryStore(of -> {
            if (of.key().jobId() % 200 == 7) {
                throw new IllegalStateException("a row that nobody can read");
            }
            return Samples.uses(of);
        });
        Notifier notifier = notifier(ON);
        List<Run> runs = new ArrayList<>();
        for (int i = 0; i < 450; i++) {
            runs.add(Samples.run(90_000 + i, "user" + i, "x"));
        }
        for (Run one : runs) {
            FindingRow row = Samples.finding(one);
            store.saveFindings(
                    List.of(row), planner().plan(row, Optional.of(one), OWNER).orElse(List.of()));
        }
        slurmSays(Samples.NOW, runs.toArray(Run[]::new));
        Notifier.Round round = deliver(notifier);
        assertEquals(447, round.delivered());
        assertEquals(3, round.postponed());
        assertEquals(447, sent.stream().map(Outbox.Mail::to).distinct().count());
    }

    @Test
    @DisplayName("what waits for the day is not judged all night for it")
    void quietNight() throws Exception {
        Notifier notifier = notifier(new Notifier.Settings(
                Notifier.Mode.NOTIFY,
                Optional.empty(),
                10,
                Duration.ofMinutes(1),
                Duration.ofHours(1),
                Duration.ofDays(30),
                new QuietTime(
                        LocalTime.of(13, 0),
                        LocalTime.of(15, 0),
                        EnumSet.allOf(DayOfWeek.class),
                        Set.of(),
                        DayOfWeek.MONDAY,
                        Samples.ZONE),
                Notifier.Bouncing.DEFAULTS));
        found(run);
        deliver(notifier, new Run[0]);
        assertEquals(Set.of(), notifier.toTell());
        now = now.plus(Duration.ofHours(2));
        deliver(notifier, new Run[0]);
        assertEquals(Set.of(run.key()), notifier.toTell());
        assertTrue(sent.isEmpty());
        assertEquals(1, deliver(notifier, run).delivered());
    }

    @Test
    @DisplayName("a letter whose facts are broken is put off by itself, and the others go out")
    void brokenFacts() throws Exception {
        store = new MemoryStore(of -> {
            if (of.key().jobId() == 83551) {
                throw new IllegalStateException("a row that nobody can read");
            }
            return Samples.uses(of);
        });
        Notifier notifier = notifier(ON);
        for (int i = 0; i < 3; i++) {
            found(Samples.run(83550 + i, "user" + i, "x"));
        }
        Notifier.Round round = deliver(notifier);
        assertEquals(2, round.delivered());
        assertEquals(1, round.postponed());
        assertEquals(
                List.of("user0@example.org", "user2@example.org"),
                sent.stream().map(Outbox.Mail::to).sorted().toList());
    }

    @Test
    @DisplayName("while the condition does not hold just now, the mail waits")
    void justClear() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        store.saveFindings(
                List.of(Samples.with(Samples.finding(run), FindingRow.State.FOUND, Optional.of(now))), List.of());
        deliver(notifier);
        assertTrue(sent.isEmpty());
        store.saveFindings(List.of(Samples.finding(run)), List.of());
        deliver(notifier);
        assertEquals(1, sent.size());
    }

    @Test
    @DisplayName("a hostile user name gets no mail, with a reason")
    void hostileName() throws Exception {
        Notifier notifier = notifier(ON);
        found(Samples.run(83549, "a@b.dk\r\nBcc: x@y.dk", "x"));
        assertEquals(1, deliver(notifier).refused());
        assertEquals(Notice.State.REFUSED, notice().state());
        assertEquals(Optional.empty(), notice().address());
        Notice refused = store.noticesOf(83549).stream()
                .filter(one -> one.aim().channel() == Notice.Channel.OWNER)
                .findFirst()
                .orElseThrow();
        assertTrue(refused.detail().startsWith("the user name is not a valid address"), refused.detail());
        assertTrue(sent.isEmpty());
        // the ladder stands still, and staff hear of it
        assertEquals(1, deliver(notifier).delivered());
        assertEquals("support@its.aau.dk", sent.get(0).to());
        assertTrue(sent.get(0).letter().subject().contains("cannot be told about job 83549"));
        assertEquals(0, finding().progress().done());
    }

    @Test
    @DisplayName("with a real mail server that is away and comes back, exactly one mail arrives")
    void realServerComesBack() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Vertx vertx = Vertx.vertx();
        try (SmtpOutbox outbox =
                new SmtpOutbox(vertx, SmtpOutbox.Settings.plain("127.0.0.1", port, "fairwatch@example.org"))) {
            Notifier notifier = notifier(ON, outbox);
            found(run);
            assertEquals(1, deliver(notifier).postponed());

            GreenMail green = new GreenMail(new ServerSetup(port, "127.0.0.1", ServerSetup.PROTOCOL_SMTP));
            green.start();
            try {
                assertEquals(0, deliver(notifier).delivered());
                now = now.plusSeconds(60);
                assertEquals(1, deliver(notifier).delivered());
                now = now.plusSeconds(600);
                deliver(notifier);
                assertEquals(1, green.getReceivedMessages().length);
                assertEquals(
                        "[AI Cloud] Job 83549: 2 of its 3 GPUs have not been used for 1 h 30 min",
                        green.getReceivedMessages()[0].getSubject());
                assertEquals(
                        "<" + notice().mail().orElseThrow() + "@example.org>",
                        green.getReceivedMessages()[0].getMessageID());
            } finally {
                green.stop();
            }
        } finally {
            vertx.close().toCompletionStage().toCompletableFuture().join();
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(20, TimeUnit.SECONDS));
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- mails that come back

    /** The mail with a notice comes back. */
    private void bounces(Notice notice, Bounce.Kind kind) throws Store.StoreException {
        store.saveBounces(List.of(new Bounce(
                notice.mail().orElseThrow() + kind,
                now,
                notice.mail().orElseThrow(),
                notice.address().orElseThrow(),
                kind,
                Optional.of("5.1.1"),
                "no such person here",
                Optional.empty(),
                Optional.empty())));
    }

    @Test
    @DisplayName("a mail that came back was not delivered: the finding is untold, and staff hear of it once")
    void bounced() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        deliver(notifier);
        bounces(notice(), Bounce.Kind.DELAYED);
        assertEquals(Notifier.Round.NOTHING, deliver(notifier));
        assertEquals(Notice.State.DELIVERED, notice().state());

        bounces(notice(), Bounce.Kind.FAILED);
        assertEquals(new Notifier.Round(1, 0, 0, 0, 0, 1), deliver(notifier));
        Notice owners = store.noticesOf(83549).stream()
                .filter(one -> one.aim().channel() == Notice.Channel.OWNER)
                .findFirst()
                .orElseThrow();
        assertEquals(Notice.State.BOUNCED, owners.state());
        assertEquals("came back: tlj@its.aau.dk: 5.1.1 no such person here", owners.detail());
        assertEquals(FindingRow.State.FOUND, finding().state());
        assertEquals(Optional.empty(), finding().toldAt());
        assertEquals(1, finding().progress().done(), "the ladder goes on, so that staff are told");
        assertEquals("support@its.aau.dk", sent.get(1).to());
        assertTrue(sent.get(1).letter().text().contains("5.1.1 no such person here"));
        assertEquals(Notifier.Round.NOTHING, deliver(notifier));
        assertEquals(2, sent.size());
    }

    @Test
    @DisplayName("an address from which mails came back twice gets no more, staff are told, until it is forgotten")
    void stopped() throws Exception {
        Notifier notifier = notifier(ON);
        for (int job = 1; job <= 2; job++) {
            found(Samples.run(job, "bob", "b"));
            deliver(notifier);
            bounces(store.noticesOf(job).get(0), Bounce.Kind.FAILED);
            deliver(notifier);
        }
        int before = sent.size();
        found(Samples.run(3, "bob", "b"));
        assertEquals(1, deliver(notifier).refused());
        assertEquals(before, sent.size());
        Notice refused = store.noticesOf(3).stream()
                .filter(one -> one.aim().channel() == Notice.Channel.OWNER)
                .findFirst()
                .orElseThrow();
        assertTrue(refused.detail().startsWith("mails to it came back, the last one on 2026-11-23T13:00:30Z"));
        assertEquals(1, deliver(notifier).delivered());
        assertTrue(sent.get(before).letter().subject().contains("bob cannot be told about job 3"));

        store.saveBounces(store.bounces(Instant.EPOCH).stream()
                .map(bounce -> bounce.forgotten(now))
                .toList());
        found(Samples.run(4, "bob", "b"));
        assertEquals(1, deliver(notifier).delivered());
        assertEquals("bob@example.org", sent.get(before + 1).to());
    }

    @Test
    @DisplayName("a collector that dies while it takes in what came back tells staff once all the same")
    void diedWithBounce() throws Exception {
        found(run);
        deliver(notifier(ON));
        bounces(notice(), Bounce.Kind.FAILED);
        store.failing = notice -> notice.state() == Notice.State.BOUNCED;
        assertThrows(Store.StoreException.class, () -> deliver(notifier(ON)));
        store.failing = notice -> false;
        Bounce taken = store.bounces(Instant.EPOCH).get(0);
        deliver(notifier(ON));
        store.saveBounces(List.of(taken)); // as if that had been lost
        deliver(notifier(ON));
        assertEquals(2, sent.size());
    }

    // ---- what is announced

    /** Owner, then in two hours the end. */
    private static final List<RuleInfo.Step> ENDS = List.of(
            new RuleInfo.Step(Optional.empty(), Duration.ZERO),
            new RuleInfo.Step(Optional.of("cancel"), Duration.ofHours(2)));

    @Test
    @DisplayName("a mail that says what will be done is kept with that, and when; one that does not, without")
    void announces() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        deliver(notifier);
        assertEquals(Optional.empty(), notice().announced());

        ladder = ENDS;
        found(Samples.run(83550, "bob", "b"));
        deliver(notifier);
        assertTrue(
                sent.get(1).letter().text().contains("Fairwatch will end the job, not before"),
                sent.get(1).letter().text());
        assertEquals(
                Optional.of(new Notice.Announced("cancel", now.plus(Duration.ofHours(2)))),
                store.noticesOf(83550).get(0).announced());
    }

    @Test
    @DisplayName("an announcement waits while the rule does not allow the deed, and comes when it does again")
    void announcesWhenAllowed() throws Exception {
        ladder = ENDS;
        Notifier notifier = notifier(ON);
        FindingRow busy = Samples.of(Samples.planned(Samples.finding(run), 2), "gpu-idle", "One works.", "Go on.");
        slurmSays(Samples.NOW, run);
        store.saveFindings(
                List.of(busy),
                planner().news(busy, 2, Notice.Topic.ANNOUNCED, List.of(Notice.Channel.OWNER), "cancel"));
        assertEquals(0, deliver(notifier).delivered());
        assertEquals(Notice.State.PLANNED, notice().state());
        store.saveFindings(List.of(Samples.planned(Samples.finding(run), 2)), List.of());
        assertEquals(1, deliver(notifier).delivered());
        assertTrue(notice().announced().isPresent());
    }

    @Test
    @DisplayName("nobody is threatened with what the rule does not allow")
    void threatensNothing() throws Exception {
        ladder = ENDS;
        found(run, "gpu-idle", OWNER); // of this the rule did not say that the job may be ended
        deliver(notifier(ON));
        assertFalse(
                sent.get(0).letter().text().contains("Fairwatch will"),
                sent.get(0).letter().text());
        assertEquals(Optional.empty(), notice().announced());
    }

    @Test
    @DisplayName(
            "a job that a long digest only counts was announced nothing, and so was whoever was written to in a rehearsal")
    void announcesOnlyWhatIsRead() throws Exception {
        ladder = ENDS;
        Notifier notifier = notifier(ON);
        for (int job = 1; job <= 11; job++) {
            found(Samples.run(job, "bob", "sweep"));
        }
        assertEquals(11, deliver(notifier).delivered());
        assertEquals(1, sent.size());
        long announced = 0;
        for (int job = 1; job <= 11; job++) {
            announced += store.noticesOf(job).get(0).announced().isPresent() ? 1 : 0;
        }
        assertEquals(10, announced);

        Notifier rehearsing = notifier(settings(Notifier.Mode.NOTIFY, Optional.of("admin@example.org"), 10));
        found(run);
        deliver(rehearsing);
        assertEquals(Notice.State.DELIVERED, notice().state());
        assertEquals(Optional.empty(), notice().announced());
    }

    @Test
    @DisplayName("what a former mail did not announce is announced in the next digest, and takes no step of the ladder")
    void announcesLater() throws Exception {
        Notifier notifier = notifier(ON);
        found(run);
        deliver(notifier);
        ladder = ENDS;
        now = now.plus(Duration.ofHours(3));
        FindingRow due = Samples.planned(finding(), 2);
        store.saveFindings(
                List.of(due), planner().news(due, 2, Notice.Topic.ANNOUNCED, List.of(Notice.Channel.OWNER), "cancel"));
        found(Samples.run(83550, Samples.USER, "other"));
        assertEquals(2, deliver(notifier).delivered());
        assertEquals(2, sent.size());
        assertTrue(sent.get(1).letter().subject().startsWith("[AI Cloud] Jobs 83549, 83550: "));
        Notice warning = store.noticesOf(83549).stream()
                .filter(one -> one.aim().topic() == Notice.Topic.ANNOUNCED)
                .findFirst()
                .orElseThrow();
        assertEquals(Optional.of(new Notice.Announced("cancel", now.plus(Duration.ofHours(2)))), warning.announced());
        assertEquals(1, finding().progress().done());

        store.saveFindings(
                List.of(finding().resolved(now)), List.of(warning.with(Notice.State.PLANNED, 0, "cancel", now)));
        assertEquals(1, deliver(notifier).withheld());
    }

    @Test
    @DisplayName("what was done to a job that waited is told, though it waits no more")
    void waitingDone() throws Exception {
        Notifier notifier = notifier(ON);
        slurmSays(Samples.NOW, run);
        FindingRow row = about(new Subject.Waiting("aicloud", 84000, Samples.START), "bob")
                .resolved(now);
        store.saveFindings(
                List.of(row),
                planner().news(row, 2, Notice.Topic.DONE, List.of(Notice.Channel.OWNER, Notice.Channel.STAFF), "hold"));
        assertEquals(2, deliver(notifier).delivered());
        assertEquals("[AI Cloud] Job 84000 was held back", sent.get(0).letter().subject());
        assertEquals(
                "[AI Cloud] Job 84000 of bob was held back",
                sent.get(1).letter().subject());
        assertTrue(sent.get(0).letter().text().contains("your job 84000 on AI Cloud was held back"));
    }

    /** What a kill looks like from inside. */
    private static final class SimulatedDeath extends Error {
        private static final long serialVersionUID = 1L;
    }
}
