package io.fairwatch.collector.enforce;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.AuditEntry.Outcome;
import io.fairwatch.collector.store.Exemption;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.MemoryStore;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One idle job whose owner was told twice; step 3 of the ladder ends it. */
class EnforcerTest {
    private static final Instant SINCE = Instant.parse("2026-11-23T12:30:00Z");
    private static final String RULE = "idle-gpu";

    private final List<String> taken = new ArrayList<>();
    private Function<Deeds.Job, Deeds.Outcome> slurm = job -> new Deeds.Outcome.Done("state COMPLETING");
    private double coverage = 1;
    private boolean rehearsal;
    private AllocatedGpu.Confidence confidence = AllocatedGpu.Confidence.CONFIRMED;
    private Instant now = SINCE.plus(Duration.ofHours(5));
    private final MemoryStore store = new MemoryStore(run -> List.of(use(run.key())));
    private final Run run = GivenRun.job(83549).gpus(1).asOf(now).run();

    private final Path directory;

    EnforcerTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private Path switchFile() {
        return directory.resolve("no-enforcement");
    }

    private GpuUse use(RunKey key) {
        long seconds = 3600;
        return GpuUses.idle(key, confidence, now.minusSeconds(seconds), now, coverage);
    }

    private Enforcer.Settings settings(Enforcer.Mode mode, int mostPerHour, int mostPerUser) {
        return new Enforcer.Settings(
                mode,
                Set.of(RULE),
                rehearsal,
                true,
                mostPerHour,
                mostPerUser,
                Optional.of(switchFile()),
                0.9,
                Duration.ofMinutes(2),
                Duration.ofHours(1),
                Optional.of("low"));
    }

    private Enforcer enforcer(Enforcer.Mode mode) {
        return enforcer(settings(mode, 10, 3));
    }

    private Enforcer enforcer(Enforcer.Settings settings) {
        return new Enforcer(
                store,
                (deed, job) -> {
                    taken.add(deed.word() + " " + job.id());
                    return slurm.apply(job);
                },
                (finding, step, topic, channels, what) -> channels.stream()
                        .map(channel -> notice(
                                finding, new Notice.Aim(step, channel, topic, "who"), Notice.State.PLANNED, what))
                        .toList(),
                (rule, about) -> Duration.ofHours(1),
                settings,
                () -> now);
    }

    private Notice notice(FindingRow row, Notice.Aim aim, Notice.State state, String detail) {
        return new Notice(
                row.subject() + " " + aim,
                row.subject(),
                row.rule(),
                row.since(),
                aim,
                row.user(),
                Optional.empty(),
                state,
                Optional.empty(),
                now,
                now,
                0,
                detail);
    }

    private FindingRow finding(Run about) {
        return finding(about.key(), about.owner().user());
    }

    private FindingRow finding(Subject about, String user) {
        return new FindingRow(
                about,
                RULE,
                SINCE,
                FindingRow.State.TOLD,
                now,
                Optional.empty(),
                Optional.of(SINCE.plusSeconds(60)),
                user,
                "Its GPU has done nothing for 5 h.",
                "scancel",
                "{\"cancellable\":true,\"idle_gpus\":1}",
                new FindingRow.Progress(3, 2, Optional.of(now.minus(Duration.ofHours(2)))));
    }

    private static Notice.Aim told(int step) {
        return new Notice.Aim(step, Notice.Channel.OWNER, Notice.Topic.FINDING, "anna");
    }

    private static Notice.Aim deed(String word) {
        return new Notice.Aim(3, Notice.Channel.SLURM, Notice.Topic.FINDING, word);
    }

    private void slurmSays(Run... runs) throws Exception {
        store.saveView(new Store.SlurmView(now, "lab", List.of(runs), List.of(), List.of()));
    }

    private void due(Run about) throws Exception {
        FindingRow row = finding(about);
        due(row, "cancel");
    }

    private void due(FindingRow row, String word) throws Exception {
        store.saveFindings(
                List.of(row),
                List.of(
                        notice(row, told(1), Notice.State.DELIVERED, "250"),
                        notice(row, told(2), Notice.State.DELIVERED, "250").announcing(announced(word)),
                        notice(row, deed(word), Notice.State.PLANNED, "")));
    }

    /** The mail of two hours ago said that it would be done an hour later. */
    private Optional<Notice.Announced> announced(String word) {
        return Optional.of(new Notice.Announced(word, now.minus(Duration.ofHours(1))));
    }

    @BeforeEach
    void given() throws Exception {
        slurmSays(run);
        due(run);
    }

    private int round(Enforcer.Mode mode) throws Exception {
        return enforcer(mode).round(now);
    }

    private Notice deed() {
        return store.noticesOf(83549).stream()
                .filter(one -> one.aim().channel() == Notice.Channel.SLURM)
                .findFirst()
                .orElseThrow();
    }

    private List<String> audit() throws Exception {
        List<AuditEntry> newest =
                store.audit(new Store.AuditFilter(Optional.empty(), Optional.empty(), Optional.empty(), 100));
        List<String> lines = new ArrayList<>();
        for (int i = newest.size() - 1; i >= 0; i--) {
            lines.add(newest.get(i).what() + " " + newest.get(i).outcome() + ": "
                    + newest.get(i).reason());
        }
        return lines;
    }

    private void waitsBecause(String why) throws Exception {
        assertEquals(0, round(Enforcer.Mode.ACT));
        assertEquals(List.of(), taken);
        assertEquals(Notice.State.PLANNED, deed().state());
        assertEquals(why, deed().detail());
        assertEquals(List.of("cancel NOT_TAKEN: " + why), audit());
        round(Enforcer.Mode.ACT);
        assertEquals(1, audit().size(), "the same reason is not written again");
    }

    private void neverBecause(String why) throws Exception {
        assertEquals(0, round(Enforcer.Mode.ACT));
        assertEquals(List.of(), taken);
        assertEquals(Notice.State.WITHHELD, deed().state());
        assertEquals(List.of("cancel NOT_TAKEN: " + why), audit());
        round(Enforcer.Mode.ACT);
        assertEquals(1, audit().size());
    }

    // ---- done

    @Test
    @DisplayName(
            "after delivered warnings, on fresh and complete data, it is done once, and owner and staff are to be told")
    void done() throws Exception {
        assertEquals(1, round(Enforcer.Mode.ACT));
        assertEquals(List.of("cancel 83549"), taken);
        assertEquals(Notice.State.DELIVERED, deed().state());
        assertEquals(3, store.findingsOf(83549).get(0).progress().done());
        assertEquals(
                List.of("cancel INTENDED: told, and it goes on", "cancel DONE: state COMPLETING"),
                audit().stream().sorted(Comparator.reverseOrder()).toList());
        assertEquals(
                List.of(Notice.Channel.OWNER, Notice.Channel.STAFF),
                store.noticesIn(List.of(Notice.State.PLANNED)).stream()
                        .filter(one -> one.aim().topic() == Notice.Topic.DONE)
                        .map(one -> one.aim().channel())
                        .toList());
        assertEquals(0, round(Enforcer.Mode.ACT));
        assertEquals(1, taken.size());
    }

    @Test
    @DisplayName("that the store keeps milliseconds and the clock tells less does not make a judging look old")
    void withinAMillisecond() throws Exception {
        assertEquals(1, enforcer(Enforcer.Mode.ACT).round(now.plusNanos(999_999)));
    }

    @Test
    @DisplayName("what it was decided by is kept with it")
    void inputs() throws Exception {
        round(Enforcer.Mode.ACT);
        String inputs =
                store.audit(new Store.AuditFilter(Optional.of(83549L), Optional.empty(), Optional.empty(), 10)).stream()
                        .filter(entry -> entry.outcome() == Outcome.INTENDED)
                        .findFirst()
                        .orElseThrow()
                        .inputs();
        for (String part : List.of(
                "\"told_at\":\"2026-11-23T12:31:00Z\"",
                "\"lowest_coverage_now\":1.0",
                "\"gpus_allocated\":1",
                "\"deeds_within_an_hour\":0",
                "\"idle_gpus\":1",
                "\"run_state\":\"RUNNING\"")) {
            assertTrue(inputs.contains(part), inputs);
        }
    }

    @Test
    @DisplayName("where staff decide, they are given the command and nothing is done")
    void proposed() throws Exception {
        assertEquals(0, round(Enforcer.Mode.PROPOSE));
        assertEquals(List.of(), taken);
        assertEquals(List.of("cancel PROPOSED: staff are given the command"), audit());
        Notice told = store.noticesIn(List.of(Notice.State.PLANNED)).get(0);
        assertEquals(Notice.Topic.PROPOSED, told.aim().topic());
        assertEquals("scancel 83549", told.detail());
    }

    // ---- not done

    @Test
    @DisplayName("while it is switched off a deed is decided against for good, because nobody was warned of it")
    void off() throws Exception {
        round(Enforcer.Mode.OFF);
        assertEquals(List.of("cancel NOT_TAKEN: enforcement is off for this rule"), audit());
        round(Enforcer.Mode.ACT);
        assertEquals(List.of(), taken);
    }

    @Test
    @DisplayName("a warning that was not delivered is none")
    void notWarned() throws Exception {
        store.saveFindings(List.of(), List.of(notice(finding(run), told(2), Notice.State.UNCONFIRMED, "no answer")));
        neverBecause("the owner's last warning was not delivered");
    }

    @Test
    @DisplayName("a condition that the last judging did not see waits, also when nothing could be said")
    void notSeen() throws Exception {
        now = now.plusSeconds(60);
        slurmSays(GivenRun.job(83549).gpus(1).asOf(now).run());
        waitsBecause("the condition was not seen to hold by the last judging");
    }

    @Test
    @DisplayName("a condition that has just ended waits; one that is over is closed")
    void over() throws Exception {
        FindingRow row = finding(run);
        store.saveFindings(List.of(row.resolved(now)), List.of());
        neverBecause("over before it was done");
    }

    @Test
    @DisplayName("when the clock went back behind the last judging nothing is done")
    void clockBack() throws Exception {
        now = now.minus(Duration.ofHours(1));
        slurmSays(GivenRun.job(83549).gpus(1).asOf(now).run());
        waitsBecause("the clock went back behind the last judging");
    }

    @Test
    @DisplayName("a GPU that was not measured all the time, or of which it is doubtful whose it is, excuses the job")
    void incomplete() throws Exception {
        coverage = 0.8;
        waitsBecause("not all GPUs of the job were measured all the time");
        coverage = 1;
        confidence = AllocatedGpu.Confidence.CONTRADICTED;
        round(Enforcer.Mode.ACT);
        assertEquals("it is doubtful which GPUs are the job's", deed().detail());
        assertEquals(List.of(), taken);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cancel", "requeue", "shorten"})
    @DisplayName("what the rule does not call a reason to end a job is none, nor one to end it sooner")
    void notCancellable(String word) throws Exception {
        store.saveFindings(List.of(), List.of(deed().with(Notice.State.WITHHELD, 0, "", now)));
        due(finding(run), word);
        FindingRow row = finding(run);
        store.saveFindings(
                List.of(new FindingRow(
                        row.run(),
                        row.rule(),
                        row.since(),
                        row.state(),
                        row.lastSeen(),
                        row.clearSince(),
                        row.toldAt(),
                        row.user(),
                        row.summary(),
                        row.fix(),
                        "{\"cancellable\":false}",
                        row.progress())),
                List.of());
        assertEquals(0, round(Enforcer.Mode.ACT));
        assertEquals(List.of(), taken);
        String why = "the rule does not allow it with what it found";
        assertTrue(audit().contains(word + " NOT_TAKEN: " + why), audit().toString());
    }

    @Test
    @DisplayName("who is excused is left alone until that ends")
    void exempt() throws Exception {
        store.saveDecisions(new Store.Decisions(
                List.of(),
                List.of(),
                List.of(new Exemption(
                        "e",
                        Exemption.Scope.USER,
                        run.owner().user(),
                        Optional.empty(),
                        now,
                        Optional.of(now.plusSeconds(60)),
                        "staff eva",
                        "demo")),
                List.of()));
        waitsBecause("excused by staff eva");
    }

    @Test
    @DisplayName("the switch file stops everything at once, and things go on when it is gone")
    void switchFileStops() throws Exception {
        Files.createFile(switchFile());
        waitsBecause("the switch file " + switchFile() + " is there");
        Files.delete(switchFile());
        assertEquals(1, round(Enforcer.Mode.ACT));
    }

    @Test
    @DisplayName("a job that was requeued meanwhile is another run, and is left alone")
    void requeued() throws Exception {
        Run again =
                GivenRun.job(83549).gpus(1).from(now.minusSeconds(30)).asOf(now).run();
        store.saveRuns(
                List.of(GivenRun.job(83549).gpus(1).until(now.minusSeconds(40)).run()));
        slurmSays(again);
        neverBecause("the run that was warned is over, and its number is another run's now");
    }

    @Test
    @DisplayName("a job that was requeued and waits still is another run, too")
    void requeuedAndWaiting() throws Exception {
        store.saveRuns(
                List.of(GivenRun.job(83549).gpus(1).until(now.minusSeconds(40)).run()));
        store.saveView(new Store.SlurmView(
                now,
                "lab",
                List.of(),
                List.of(new PendingJob("lab", 83549, "83549", run.owner(), "waits", now, "BeginTime", WAITS.request())),
                List.of()));
        neverBecause("the run that was warned is over, and its number is another run's now");
    }

    @Test
    @DisplayName("no more than so many within an hour, and to one user within a day; what failed counts too")
    void caps() throws Exception {
        for (long job = 1; job <= 4; job++) {
            due(GivenRun.job(job).gpus(1).asOf(now).run());
        }
        slurmSays(
                run,
                GivenRun.job(1).gpus(1).asOf(now).run(),
                GivenRun.job(2).gpus(1).asOf(now).run(),
                GivenRun.job(3).gpus(1).asOf(now).run(),
                GivenRun.job(4).gpus(1).asOf(now).run());
        slurm = one -> new Deeds.Outcome.Refused("access denied");
        assertEquals(0, enforcer(settings(Enforcer.Mode.ACT, 2, 10)).round(now));
        assertEquals(2, taken.size());
        taken.clear();
        assertEquals(0, enforcer(settings(Enforcer.Mode.ACT, 10, 3)).round(now));
        assertEquals(1, taken.size());
    }

    // ---- announced

    @Test
    @DisplayName(
            "a warning that did not say what would be done is followed by one that does, and that must arrive first")
    void announcedFirst() throws Exception {
        FindingRow row = finding(run);
        store.saveFindings(List.of(), List.of(notice(row, told(2), Notice.State.DELIVERED, "250")));
        assertEquals(0, round(Enforcer.Mode.ACT));
        assertEquals("its owner is told first that this will be done", deed().detail());
        Notice more = theAnnouncement();
        assertEquals(Notice.State.PLANNED, more.state());
        assertEquals("cancel", more.detail());
        assertEquals(0, round(Enforcer.Mode.ACT));
        assertEquals(
                1,
                store.noticesIn(List.of(Notice.State.PLANNED)).stream()
                        .filter(one -> one.aim().topic() == Notice.Topic.ANNOUNCED)
                        .count());
        assertEquals("its owner is being told first that this will be done", deed().detail());

        Instant earliest = now.plusSeconds(600);
        store.saveFindings(
                List.of(),
                List.of(more.with(Notice.State.DELIVERED, 1, "250", now)
                        .announcing(Optional.of(new Notice.Announced("cancel", earliest)))));
        assertEquals(0, round(Enforcer.Mode.ACT));
        assertEquals("its owner was told that it comes not before " + earliest, deed().detail());
        now = earliest;
        slurmSays(GivenRun.job(83549).gpus(1).asOf(now).run());
        store.saveFindings(List.of(seenNow(row)), List.of());
        assertEquals(1, round(Enforcer.Mode.ACT));
        assertEquals(List.of("cancel 83549"), taken);
    }

    private Notice theAnnouncement() {
        return store.noticesOf(83549).stream()
                .filter(one -> one.aim().topic() == Notice.Topic.ANNOUNCED)
                .findFirst()
                .orElseThrow();
    }

    private FindingRow seenNow(FindingRow row) {
        return new FindingRow(
                row.subject(),
                row.rule(),
                row.since(),
                row.state(),
                now,
                row.clearSince(),
                row.toldAt(),
                row.user(),
                row.summary(),
                row.fix(),
                row.evidence(),
                row.progress());
    }

    @ParameterizedTest
    @EnumSource(
            value = Notice.State.class,
            names = {"REFUSED", "BOUNCED", "UNCONFIRMED", "WITHHELD"})
    @DisplayName("when the mail that says so does not arrive, or comes back, it is never done")
    void announcementLost(Notice.State lost) throws Exception {
        store.saveFindings(List.of(), List.of(notice(finding(run), told(2), Notice.State.DELIVERED, "250")));
        round(Enforcer.Mode.ACT);
        store.saveFindings(List.of(), List.of(theAnnouncement().with(lost, 1, "no", now)));
        round(Enforcer.Mode.ACT);
        assertEquals(Notice.State.WITHHELD, deed().state());
        assertEquals("the owner's last warning was not delivered", deed().detail());
        assertEquals(List.of(), taken);
    }

    @Test
    @DisplayName("that something else would be done is no announcement; and a rehearsal, which told nobody, is none")
    void announcedOther() throws Exception {
        store.saveFindings(
                List.of(),
                List.of(notice(finding(run), told(2), Notice.State.DELIVERED, "250")
                        .announcing(announced("shorten"))));
        round(Enforcer.Mode.ACT);
        store.saveFindings(List.of(), List.of(theAnnouncement().with(Notice.State.DELIVERED, 1, "rehearsal", now)));
        round(Enforcer.Mode.ACT);
        assertEquals("the owner's last warning did not say that this would be done", deed().detail());
        assertEquals(List.of(), taken);
    }

    @Test
    @DisplayName(
            "while it is switched off nothing is announced; who is only to be given the command needs no announcement")
    void announcedToNobody() throws Exception {
        store.saveFindings(List.of(), List.of(notice(finding(run), told(2), Notice.State.DELIVERED, "250")));
        Files.createFile(switchFile());
        round(Enforcer.Mode.ACT);
        assertEquals(3, store.noticesOf(83549).size());
        Files.delete(switchFile());
        round(Enforcer.Mode.PROPOSE);
        assertEquals(Notice.State.DELIVERED, deed().state());
    }

    @Test
    @DisplayName(
            "what was only rehearsed, or comes in a rehearsal, is kept as what would have been done, and is not done")
    void rehearsed() throws Exception {
        rehearsal = true;
        round(Enforcer.Mode.ACT);
        assertEquals("rehearsal, nothing done: it would have been done now", deed().detail());
        assertEquals(Notice.State.WITHHELD, deed().state());
        rehearsal = false;
        FindingRow row = finding(run);
        store.saveFindings(
                List.of(),
                List.of(
                        notice(row, told(2), Notice.State.WITHHELD, "rehearsal, nobody told: mails are switched off")
                                .announcing(announced("cancel")),
                        deed().with(Notice.State.PLANNED, 0, "", now)));
        round(Enforcer.Mode.PROPOSE);
        assertEquals("rehearsal, nothing done: staff would have been given the command now", deed().detail());
        assertEquals(List.of(), taken);
        assertEquals(List.of(), store.noticesIn(List.of(Notice.State.PLANNED)), "staff are given no command");
    }

    // ---- other deeds

    @ParameterizedTest
    @ValueSource(strings = {"shorten", "requeue"})
    @DisplayName("a running job is shortened or requeued as it is cancelled")
    void otherDeeds(String word) throws Exception {
        store.saveFindings(List.of(), List.of(deed().with(Notice.State.WITHHELD, 0, "", now)));
        due(finding(run), word);
        assertEquals(1, round(Enforcer.Mode.ACT));
        assertEquals(List.of(word + " 83549"), taken);
        assertTrue(audit().contains(word + " DONE: state COMPLETING"), audit().toString());
    }

    private static final PendingJob WAITS = new PendingJob(
            "lab",
            84000,
            "84000",
            new Run.Owner("bob", OptionalInt.of(21002), "cs", "batch", "normal"),
            "waits",
            SINCE,
            "Resources",
            "gres/gpu=1");

    private void waits(PendingJob job) throws Exception {
        store.saveView(new Store.SlurmView(now, "lab", List.of(run), List.of(job), List.of()));
    }

    private Notice deedToWaiting() {
        return store.noticesOf(84000).stream()
                .filter(one -> one.aim().channel() == Notice.Channel.SLURM)
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @ValueSource(strings = {"hold", "lower_qos", "cancel", "shorten"})
    @DisplayName("a waiting job is held back, moved to another QoS, shortened or cancelled; the trail names it")
    void waiting(String word) throws Exception {
        FindingRow row = finding(new Subject.Waiting("lab", 84000, SINCE), "bob");
        store.saveFindings(List.of(), List.of(deed().with(Notice.State.WITHHELD, 0, "", now)));
        due(row, word);
        waits(WAITS);
        assertEquals(1, round(Enforcer.Mode.ACT));
        assertEquals(List.of(word + " 84000"), taken);
        assertEquals(Notice.State.DELIVERED, deedToWaiting().state());
        assertEquals(
                List.of(Outcome.INTENDED, Outcome.DONE),
                store.audit(new Store.AuditFilter(Optional.of(84000L), Optional.empty(), Optional.empty(), 10)).stream()
                        .map(AuditEntry::outcome)
                        .sorted()
                        .toList());
    }

    @ParameterizedTest
    @ValueSource(strings = {"84000_[10-99%4]", "84000_99"})
    @DisplayName(
            "what waits under the number of its array is left alone, for that number means the tasks that run, too")
    void restOfAnArray(String displayId) throws Exception {
        store.saveFindings(List.of(), List.of(deed().with(Notice.State.WITHHELD, 0, "", now)));
        due(finding(new Subject.Waiting("lab", 84000, SINCE), "bob"), "cancel");
        waits(new PendingJob("lab", 84000, displayId, WAITS.owner(), "waits", SINCE, "Resources", WAITS.request()));
        assertEquals(0, round(Enforcer.Mode.ACT));
        assertEquals(List.of(), taken);
        assertEquals(Notice.State.WITHHELD, deedToWaiting().state());
    }

    @ParameterizedTest
    @CsvSource({
        "cancel, scancel 84000",
        "hold, scontrol hold 84000",
        "shorten, scontrol update JobId=84000 TimeLimit=61",
        "lower_qos, scontrol update JobId=84000 QOS=low"
    })
    @DisplayName("where staff decide, they are given the command of each deed, which needs no announcement")
    void commands(String word, String command) throws Exception {
        FindingRow row = finding(new Subject.Waiting("lab", 84000, SINCE), "bob");
        store.saveFindings(List.of(), List.of(deed().with(Notice.State.WITHHELD, 0, "", now)));
        due(row, "nothing that was said");
        store.saveFindings(List.of(), List.of(notice(row, deed(word), Notice.State.PLANNED, "")));
        waits(WAITS);
        round(Enforcer.Mode.PROPOSE);
        assertEquals(List.of(), taken);
        assertTrue(
                store.noticesIn(List.of(Notice.State.PLANNED)).stream()
                        .anyMatch(told -> told.aim().topic() == Notice.Topic.PROPOSED
                                && told.detail().equals(command)),
                store.noticesOf(84000).toString());
    }

    @Test
    @DisplayName("staff's switch stops everything at once, what owners asked for too, until it is switched on")
    void switchOfStaff() throws Exception {
        Exemption off = new Exemption(
                "off", Exemption.Scope.DEEDS, "", Optional.empty(), now, Optional.empty(), "staff eva", "maintenance");
        store.saveDecisions(new Store.Decisions(List.of(), List.of(), List.of(off), List.of()));
        waitsBecause("switched off by staff eva");
        store.saveDecisions(new Store.Decisions(List.of(), List.of(), List.of(off.endedAt(now)), List.of()));
        assertEquals(1, round(Enforcer.Mode.ACT));
    }

    @Test
    @DisplayName("a waiting job that has started, or whose number is another job's by now, is left alone")
    void waitsNoMore() throws Exception {
        due(finding(new Subject.Waiting("lab", 84000, SINCE.minusSeconds(1)), "bob"), "hold");
        store.saveFindings(List.of(), List.of(deed().with(Notice.State.WITHHELD, 0, "", now)));
        waits(WAITS);
        assertEquals(0, round(Enforcer.Mode.ACT));
        assertEquals(List.of(), taken);
        assertEquals("the job does not wait any more", deedToWaiting().detail());
    }

    @Test
    @DisplayName("after a crash a job that is held by now was held, and is told once")
    void crashAndHeld() throws Exception {
        store.saveFindings(List.of(), List.of(deed().with(Notice.State.WITHHELD, 0, "", now)));
        due(finding(new Subject.Waiting("lab", 84000, SINCE), "bob"), "hold");
        waits(WAITS);
        slurm = one -> {
            throw new SimulatedDeath();
        };
        assertThrows(SimulatedDeath.class, () -> round(Enforcer.Mode.ACT));
        now = now.plusSeconds(30);
        waits(new PendingJob("lab", 84000, "84000", WAITS.owner(), "waits", SINCE, "JobHeldAdmin", WAITS.request()));
        assertEquals(1, round(Enforcer.Mode.ACT));
        assertEquals(Notice.State.DELIVERED, deedToWaiting().state());
        assertEquals(1, taken.size());
    }

    // ---- trouble

    @Test
    @DisplayName("what Slurm refuses is not asked again, and is in the trail")
    void refused() throws Exception {
        slurm = one -> new Deeds.Outcome.Refused("Access/permission denied");
        round(Enforcer.Mode.ACT);
        now = now.plusSeconds(3600);
        round(Enforcer.Mode.ACT);
        assertEquals(1, taken.size());
        assertEquals(Notice.State.REFUSED, deed().state());
        assertTrue(audit().contains("cancel FAILED: Access/permission denied"), audit().toString());
        assertTrue(store.noticesIn(List.of(Notice.State.PLANNED)).isEmpty());
    }

    @Test
    @DisplayName("what failed is tried again after a while, all questions asked anew")
    void failed() throws Exception {
        slurm = one -> new Deeds.Outcome.Failed("slurmctld does not answer");
        round(Enforcer.Mode.ACT);
        round(Enforcer.Mode.ACT);
        assertEquals(1, taken.size());
        now = now.plusSeconds(61);
        Run later = GivenRun.job(83549).gpus(1).asOf(now).run();
        slurmSays(later);
        store.saveFindings(List.of(finding(later)), List.of());
        slurm = one -> new Deeds.Outcome.Done("state COMPLETING");
        assertEquals(1, round(Enforcer.Mode.ACT));
    }

    @Test
    @DisplayName("after a crash in the middle Slurm tells what became of it: ended means done, and is told once")
    void crashAndEnded() throws Exception {
        slurm = one -> {
            throw new SimulatedDeath();
        };
        assertThrows(SimulatedDeath.class, () -> round(Enforcer.Mode.ACT));
        assertEquals(Notice.State.SENDING, deed().state());
        assertEquals(0, round(Enforcer.Mode.ACT), "an answer that is no newer says nothing");
        assertEquals(1, taken.size());

        now = now.plusSeconds(30);
        store.saveRuns(List.of(
                GivenRun.job(83549).gpus(1).until(now).state(JobState.CANCELLED).run()));
        slurmSays();
        assertEquals(1, round(Enforcer.Mode.ACT));
        assertEquals(Notice.State.DELIVERED, deed().state());
        assertEquals(1, taken.size());
        assertEquals(0, round(Enforcer.Mode.ACT));
    }

    @Test
    @DisplayName("after a crash before Slurm was asked the run goes on, and is looked at from the beginning")
    void crashAndRunning() throws Exception {
        slurm = one -> {
            throw new SimulatedDeath();
        };
        assertThrows(SimulatedDeath.class, () -> round(Enforcer.Mode.ACT));
        now = now.plusSeconds(300);
        Run later = GivenRun.job(83549).gpus(1).asOf(now).run();
        slurmSays(later);
        FindingRow row = finding(later);
        store.saveFindings(List.of(row), List.of());
        assertEquals(0, round(Enforcer.Mode.ACT));
        slurm = one -> new Deeds.Outcome.Done("state COMPLETING");
        now = now.plusSeconds(61);
        slurmSays(GivenRun.job(83549).gpus(1).asOf(now).run());
        store.saveFindings(List.of(finding(later)), List.of());
        assertEquals(1, round(Enforcer.Mode.ACT));
    }

    @Test
    @DisplayName("an owner who says that it may be ended needs no rule to hold, but it must still be that run")
    void asked() throws Exception {
        FindingRow row = finding(run);
        Notice asked = notice(
                row,
                new Notice.Aim(2, Notice.Channel.SLURM, Notice.Topic.ANSWERED, "cancel"),
                Notice.State.PLANNED,
                "");
        store.saveFindings(List.of(row.resolved(now)), List.of(asked, deed().with(Notice.State.WITHHELD, 0, "", now)));
        assertEquals(1, enforcer(settings(Enforcer.Mode.OFF, 10, 3)).round(now));
        assertEquals(List.of("cancel 83549"), taken);
        assertTrue(audit().contains("cancel INTENDED: its owner said that it may be ended"), audit().toString());
    }

    private void askedToCancelWaiting() throws Exception {
        FindingRow row = finding(new Subject.Waiting("lab", 84000, SINCE), "bob");
        Notice asked = notice(
                row,
                new Notice.Aim(2, Notice.Channel.SLURM, Notice.Topic.ANSWERED, "cancel"),
                Notice.State.PLANNED,
                "");
        store.saveFindings(List.of(row), List.of(asked, deed().with(Notice.State.WITHHELD, 0, "", now)));
    }

    @Test
    @DisplayName("a waiting job is cancelled when its owner says so, but not the rest of an array")
    void askedOfWaiting() throws Exception {
        askedToCancelWaiting();
        waits(new PendingJob(
                "lab", 84000, "84000_[10-99]", WAITS.owner(), "waits", SINCE, "Resources", WAITS.request()));
        assertEquals(0, enforcer(settings(Enforcer.Mode.OFF, 10, 3)).round(now));
        assertEquals(List.of(), taken);
        askedToCancelWaiting();
        waits(WAITS);
        assertEquals(1, enforcer(settings(Enforcer.Mode.OFF, 10, 3)).round(now));
        assertEquals(List.of("cancel 84000"), taken);
    }

    @Test
    @DisplayName("who says later that the job is needed keeps it, though its end was asked for and only had to wait")
    void neededAfterAll() throws Exception {
        FindingRow row = finding(run);
        Notice asked = notice(
                row,
                new Notice.Aim(2, Notice.Channel.SLURM, Notice.Topic.ANSWERED, "cancel"),
                Notice.State.PLANNED,
                "");
        store.saveFindings(List.of(row), List.of(asked, deed().with(Notice.State.WITHHELD, 0, "", now)));
        Exemption needed = new Exemption(
                "needed",
                Exemption.Scope.RUN,
                Exemption.valueOf(run.key()),
                Optional.empty(),
                asked.createdAt().plusSeconds(1),
                Optional.empty(),
                "owner anna",
                "needed until tomorrow");
        store.saveDecisions(new Store.Decisions(List.of(), List.of(), List.of(needed), List.of()));
        assertEquals(0, enforcer(settings(Enforcer.Mode.OFF, 10, 3)).round(now));
        assertEquals(List.of(), taken);
    }

    @Test
    @DisplayName("who said that it may be ended, then that it is needed, then once more that it may, means the last")
    void endedAfterAll() throws Exception {
        FindingRow row = finding(run);
        Notice asked = notice(
                row,
                new Notice.Aim(2, Notice.Channel.SLURM, Notice.Topic.ANSWERED, "cancel"),
                Notice.State.PLANNED,
                "");
        store.saveFindings(List.of(row), List.of(asked, deed().with(Notice.State.WITHHELD, 0, "", now)));
        Exemption needed = new Exemption(
                "needed",
                Exemption.Scope.RUN,
                Exemption.valueOf(run.key()),
                Optional.empty(),
                asked.createdAt().plusSeconds(1),
                Optional.empty(),
                "owner anna",
                "needed until tomorrow");
        AuditEntry again = new AuditEntry(
                "again",
                asked.createdAt().plusSeconds(2),
                "owner anna",
                AuditEntry.STOP,
                AuditEntry.Outcome.NOTED,
                Optional.of(run.key()),
                Optional.of(row.rule()),
                row.user(),
                "the job is to be ended",
                "{}");
        store.saveDecisions(new Store.Decisions(List.of(), List.of(), List.of(needed), List.of(again)));
        assertEquals(1, enforcer(settings(Enforcer.Mode.OFF, 10, 3)).round(now));
        assertEquals(List.of("cancel " + run.key().jobId()), taken);
    }

    /** What a kill looks like from inside. */
    private static final class SimulatedDeath extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** Readings of one GPU. */
    private static final class GpuUses {
        private GpuUses() {}

        static GpuUse idle(RunKey key, AllocatedGpu.Confidence confidence, Instant from, Instant to, double coverage) {
            double seconds = Duration.between(from, to).toSeconds() * coverage;
            return new GpuUse(
                    key,
                    "node-a",
                    Optional.of(new AllocatedGpu("node-a", 0, Optional.empty(), Optional.of("GPU-a"), confidence)),
                    Optional.empty(),
                    from,
                    to,
                    (int) (seconds / 30),
                    seconds,
                    0,
                    seconds,
                    OptionalDouble.of(0),
                    OptionalDouble.of(0),
                    Optional.empty(),
                    OptionalLong.empty(),
                    OptionalInt.empty(),
                    OptionalDouble.empty(),
                    GpuUse.Work.NOT_KNOWN);
        }
    }
}
