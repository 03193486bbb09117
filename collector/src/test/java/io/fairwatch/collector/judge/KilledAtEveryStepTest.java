package io.fairwatch.collector.judge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.enforce.Deeds;
import io.fairwatch.collector.enforce.Enforcer;
import io.fairwatch.collector.notice.Addresses;
import io.fairwatch.collector.notice.Directory;
import io.fairwatch.collector.notice.LetterWriter;
import io.fairwatch.collector.notice.MatterSource;
import io.fairwatch.collector.notice.NoticePlanner;
import io.fairwatch.collector.notice.Notifier;
import io.fairwatch.collector.notice.Outbox;
import io.fairwatch.collector.notice.QuietTime;
import io.fairwatch.collector.notice.RuleInfo;
import io.fairwatch.collector.notice.Texts;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.MemoryStore;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.Verdict;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/**
 * One idle job from the first suspicion to its end, with everything that decides and tells, and a collector that dies
 * right before or right after each thing that it does to the world: a write to the store, a mail, an order to Slurm.
 * Whoever starts next has the store alone.
 */
class KilledAtEveryStepTest {
    private static final Instant BEGIN = Instant.parse("2026-11-23T12:00:00Z");
    private static final int ROUNDS = 40;
    private static final Duration BACK = Duration.ofMinutes(25);

    private static final Ladder LADDER = new Ladder(List.of(
            new Ladder.Step(Ladder.Target.OWNER, Duration.ZERO),
            new Ladder.Step(Ladder.Target.OWNER, Duration.ofMinutes(5)),
            new Ladder.Step(Ladder.Target.STAFF, Duration.ofMinutes(2)),
            new Ladder.Step(Ladder.Target.CANCEL, Duration.ofMinutes(5))));

    private static final String RULE = """
            name: idle
            description: Idle.
            scope: running_job
            severity: warning
            window: 10m
            warm_up: 0s
            hold: 0s
            resolve_after: 5m
            minimum_coverage: 0.5
            condition: job.gpus_allocated > 0
            summary: It is idle.
            fix: End it.
            cases:
              - {name: so, job: {gpus_allocated: 1}, expect: finding}
              - {name: not so, job: {gpus_allocated: 0}, expect: clear}
            """;

    /** What a kill looks like from inside. */
    private static final class Killed extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** Everything outside the collector, which a kill leaves as it is. Confined to its test. */
    private static final class World {
        final MemoryStore disk = new MemoryStore(this::use);
        final List<Outbox.Mail> mails = new ArrayList<>();
        final Rule rule;
        final int killedAt;
        int steps;
        int cancelled;
        boolean alive = true;
        /** As the configuration says to whoever starts next. */
        Notifier.Mode mode = Notifier.Mode.NOTIFY;

        Instant now = BEGIN;

        World(int killedAt) throws Exception {
            this.killedAt = killedAt;
            this.rule = RuleSet.read(List.of(new RuleSet.RuleFile("idle.yaml", RULE)))
                    .rules()
                    .get(0);
        }

        /** Somewhere a collector may die. */
        void step() {
            if (++steps == killedAt) {
                throw new Killed();
            }
        }

        Run run() {
            GivenRun run = GivenRun.job(83549)
                    .gpus(1)
                    .from(BEGIN.minus(Duration.ofHours(1)))
                    .asOf(now);
            return alive ? run.run() : run.until(now).state(JobState.CANCELLED).run();
        }

        private List<GpuUse> use(Run run) {
            return List.of(new GpuUse(
                    run.key(),
                    "node-a",
                    Optional.of(new AllocatedGpu(
                            "node-a", 0, Optional.empty(), Optional.of("GPU-a"), AllocatedGpu.Confidence.CONFIRMED)),
                    Optional.empty(),
                    now.minusSeconds(600),
                    now,
                    20,
                    600,
                    0,
                    600,
                    OptionalDouble.of(0),
                    OptionalDouble.of(0),
                    Optional.empty(),
                    OptionalLong.empty(),
                    OptionalInt.empty(),
                    OptionalDouble.empty(),
                    GpuUse.Work.NOT_KNOWN));
        }

        /** The disk as a collector sees it that may die before or after it writes. */
        Store store() {
            return (Store) Proxy.newProxyInstance(
                    Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                        boolean writes = method.getName().startsWith("save");
                        if (writes) {
                            step();
                        }
                        Object answer;
                        try {
                            answer = method.invoke(disk, arguments);
                        } catch (InvocationTargetException failed) {
                            throw failed.getCause();
                        }
                        if (writes) {
                            step();
                        }
                        return answer;
                    });
        }

        /** The episode because of which the job was ended. */
        Instant deedSince() {
            return disk.noticesOf(83549).stream()
                    .filter(notice ->
                            notice.aim().channel() == Notice.Channel.SLURM && notice.state() == Notice.State.DELIVERED)
                    .map(Notice::since)
                    .findFirst()
                    .orElseThrow();
        }

        void slurmSays() throws Store.StoreException {
            Run run = run();
            disk.saveRuns(List.of(run));
            disk.saveView(new Store.SlurmView(now, "lab", alive ? List.of(run) : List.of(), List.of(), List.of()));
        }
    }

    /** All that decides, as {@code Main} puts it together; it remembers nothing. */
    private static final class Collector {
        private final World world;
        private final Store store;
        private final NoticePlanner planner;
        private final Episodes episodes;
        private final Enforcer enforcer;
        private final Notifier notifier;

        Collector(World world) {
            this.world = world;
            this.store = world.store();
            Notifier.Recipients recipients = new Notifier.Recipients(
                    new Directory(Map.of(), new Addresses(Optional.of("%u@example.org")), Optional.empty()),
                    List.of("support@example.org"),
                    account -> List.of(),
                    Optional.empty());
            this.planner = new NoticePlanner(store, recipients, rule -> Duration.ofMinutes(10), () -> world.now);
            this.episodes = new Episodes(planner::plan, LADDER);
            this.enforcer = new Enforcer(
                    store,
                    this::cancel,
                    planner::news,
                    (rule, run) -> Duration.ofMinutes(10),
                    new Enforcer.Settings(
                            Enforcer.Mode.ACT,
                            Set.of("idle"),
                            world.mode == Notifier.Mode.RECORD,
                            false,
                            10,
                            10,
                            Optional.empty(),
                            0.9,
                            Duration.ofMinutes(2),
                            Duration.ofHours(1),
                            Optional.empty()),
                    () -> world.now);
            List<RuleInfo.Step> steps = LADDER.steps().stream()
                    .map(step -> new RuleInfo.Step(
                            step.target().isDeed() ? Optional.of("cancel") : Optional.empty(), step.after()))
                    .toList();
            this.notifier = new Notifier(
                    store,
                    this::send,
                    recipients,
                    new MatterSource(
                            store,
                            (rule, run) -> new RuleInfo(Duration.ofMinutes(10), false, steps),
                            (finding, at) -> Optional.empty(),
                            0.01),
                    new LetterWriter(
                            new LetterWriter.Site("lab", "support@example.org", Optional.empty()),
                            Texts.Languages.shippedIn(ZoneOffset.UTC)),
                    new Notifier.Settings(
                            world.mode,
                            Optional.empty(),
                            10,
                            Duration.ofMinutes(1),
                            Duration.ofHours(1),
                            Duration.ofMinutes(2),
                            QuietTime.none(ZoneOffset.UTC),
                            Notifier.Bouncing.DEFAULTS),
                    () -> world.now);
        }

        private Deeds.Outcome cancel(Deeds.Deed deed, Deeds.Job job) {
            world.step();
            if (world.alive) {
                world.cancelled++;
                world.alive = false;
            }
            world.step();
            return new Deeds.Outcome.Done("state COMPLETING");
        }

        private Outbox.Outcome send(Outbox.Mail mail) {
            world.step();
            world.mails.add(mail);
            world.step();
            return new Outbox.Outcome.Delivered("250 taken");
        }

        /** What {@code Judge} does with a job that is idle, then what follows it. */
        void round() throws Exception {
            Instant from = world.now;
            List<FindingRow> rows = new ArrayList<>();
            List<Notice> notices = new ArrayList<>();
            List<FindingRow> open = store.openFindings();
            if (world.alive) {
                Episodes.Decision decision = episodes.decide(
                        world.run(),
                        world.rule,
                        new Verdict.Finding(
                                List.of(), Map.of(), new Verdict.Said("It is idle.", "End it."), Map.of(), true),
                        open.stream().findFirst(),
                        false,
                        world.now);
                decision.row().ifPresent(rows::add);
                notices.addAll(decision.notices());
            } else {
                rows.addAll(Episodes.ofEnded(open, subject -> false, world.now));
            }
            store.saveFindings(rows, notices);
            enforcer.round(from);
            notifier.deliverDue(notice -> true);
        }
    }

    private static World live(int killedAt) throws Exception {
        return live(killedAt, ROUNDS, ROUNDS);
    }

    /** @param backAt in this round somebody sets the clock back */
    private static World live(int killedAt, int rounds, int backAt) throws Exception {
        World world = new World(killedAt);
        Collector collector = new Collector(world);
        for (int round = 0; round < rounds; round++) {
            world.now = round == backAt ? world.now.minus(BACK) : world.now.plusSeconds(60);
            world.slurmSays();
            try {
                collector.round();
            } catch (Killed died) {
                collector = new Collector(world);
            }
        }
        return world;
    }

    @Test
    @DisplayName(
            "killed at any step, nobody is told twice, the job is ended at most once, and only if its owner was told all before")
    void everyStep() throws Exception {
        World undisturbed = live(0);
        assertEquals(5, undisturbed.mails.size(), "two warnings, staff, and what was done to both");
        assertEquals(1, undisturbed.cancelled);
        assertTrue(undisturbed.steps >= 40, "steps: " + undisturbed.steps);

        int whole = 0;
        for (int step = 1; step <= undisturbed.steps; step++) {
            World world = live(step);
            String where = "killed at step " + step;
            Set<String> different = new HashSet<>();
            for (Outbox.Mail mail : world.mails) {
                assertTrue(
                        different.add(mail.id()),
                        where + ": told twice: " + mail.letter().subject());
            }
            long lost = world.disk.noticesIn(List.of(Notice.State.UNCONFIRMED)).size();
            assertTrue(lost <= 1, where);
            assertTrue(world.mails.size() <= 5, where);
            assertTrue(world.cancelled <= 1, where);
            if (lost == 0) {
                assertEquals(5, world.mails.size(), where);
                assertEquals(1, world.cancelled, where);
                assertEquals(
                        5,
                        world.disk.noticesIn(List.of(Notice.State.DELIVERED)).stream()
                                .filter(notice -> notice.aim().channel() != Notice.Channel.SLURM)
                                .count(),
                        where);
                whole++;
            } else {
                Notice unsure =
                        world.disk.noticesIn(List.of(Notice.State.UNCONFIRMED)).get(0);
                boolean warning = unsure.aim().topic() == Notice.Topic.FINDING;
                assertEquals(warning ? 0 : 1, world.cancelled, where + ": a warning of which nobody knows ends no job");
            }
        }
        // for each mail: died when it was down as being sent, before it left, after it left, before that was written
        // down
        assertEquals(undisturbed.steps - 5 * 4, whole);
    }

    // ---- rehearsals

    /** @param switches in these rounds somebody switches mails on or off; they are off at first */
    private static World rehearsed(int killedAt, int rounds, List<Integer> switches) throws Exception {
        World world = new World(killedAt);
        world.mode = Notifier.Mode.RECORD;
        Collector collector = new Collector(world);
        for (int round = 0; round < rounds; round++) {
            if (switches.contains(round)) {
                world.mode = world.mode == Notifier.Mode.RECORD ? Notifier.Mode.NOTIFY : Notifier.Mode.RECORD;
                collector = new Collector(world);
            }
            world.now = world.now.plusSeconds(60);
            world.slurmSays();
            try {
                collector.round();
            } catch (Killed died) {
                collector = new Collector(world);
            }
        }
        return world;
    }

    private static List<String> ladderOf(World world) {
        return world.disk.noticesOf(83549).stream()
                .filter(notice -> notice.aim().topic() == Notice.Topic.FINDING)
                .sorted(Comparator.comparing(Notice::createdAt)
                        .thenComparing(notice -> notice.aim().step()))
                .map(notice -> Duration.between(BEGIN, notice.createdAt()).toMinutes() + " min: "
                        + notice.aim().step() + " " + notice.aim().channel())
                .toList();
    }

    @Test
    @DisplayName(
            "with mails off the whole ladder is kept as it would have come, each step as withheld, and nothing happens")
    void recorded() throws Exception {
        World world = rehearsed(0, ROUNDS, List.of());
        assertEquals(List.of(), world.mails);
        assertEquals(0, world.cancelled);
        assertEquals(ladderOf(live(0)), ladderOf(world), "the same steps at the same times");
        assertEquals(List.of("1 min: 1 OWNER", "6 min: 2 OWNER", "8 min: 3 STAFF", "13 min: 4 SLURM"), ladderOf(world));
        List<Notice> notices = world.disk.noticesOf(83549);
        for (Notice notice : notices) {
            assertEquals(Notice.State.WITHHELD, notice.state());
            assertEquals(
                    notice.aim().channel() == Notice.Channel.SLURM
                            ? "rehearsal, nothing done: it would have been done now"
                            : "rehearsal, nobody told: mails are switched off",
                    notice.detail());
        }
        assertEquals(4, notices.size());
        assertTrue(
                notices.stream().flatMap(notice -> notice.announced().stream()).anyMatch(what -> what.deed()
                        .equals("cancel")),
                "what would have been announced");
        FindingRow row = world.disk.openFindings().get(0);
        assertEquals(Optional.empty(), row.toldAt());
        assertEquals(FindingRow.State.FOUND, row.state());
        assertEquals(
                List.of("cancel NOT_TAKEN"),
                world
                        .disk
                        .audit(new Store.AuditFilter(Optional.empty(), Optional.empty(), Optional.empty(), 100))
                        .stream()
                        .filter(entry -> entry.reason().startsWith("rehearsal, "))
                        .map(entry -> entry.what() + " " + entry.outcome())
                        .toList());
    }

    @Test
    @DisplayName(
            "switched on in any round of a rehearsal, the ladder begins anew with the owner, and comes to its end once")
    void switchedOn() throws Exception {
        for (int round = 1; round < 25; round++) {
            World world = rehearsed(0, ROUNDS + 25, List.of(round));
            String where = "switched on in round " + round;
            assertEquals(
                    List.of(
                            "anna@example.org",
                            "anna@example.org",
                            "support@example.org",
                            "anna@example.org",
                            "support@example.org"),
                    world.mails.stream().map(Outbox.Mail::to).toList(),
                    where);
            assertFalse(
                    world.mails.get(0).letter().text().contains("You were told about this on"),
                    where + ": the first mail is no second warning");
            assertTrue(world.mails.get(1).letter().text().contains("Fairwatch will end the job"), where);
            assertEquals(1, world.cancelled, where);
        }
    }

    @Test
    @DisplayName(
            "killed at any step of a rehearsal and of what follows, nobody is told twice, and no deed follows what was rehearsed")
    void killedAroundTheSwitch() throws Exception {
        World undisturbed = rehearsed(0, 26, List.of(7));
        assertEquals(5, undisturbed.mails.size());
        for (int step = 1; step <= undisturbed.steps; step++) {
            World world = rehearsed(step, 26, List.of(7));
            String where = "killed at step " + step;
            assertEquals(
                    world.mails.size(),
                    world.mails.stream().map(Outbox.Mail::id).distinct().count(),
                    where);
            List<Notice> lost = world.disk.noticesIn(List.of(Notice.State.UNCONFIRMED));
            assertTrue(lost.size() <= 1, where);
            if (lost.isEmpty()) {
                assertEquals(5, world.mails.size(), where);
                assertEquals(1, world.cancelled, where);
            } else {
                assertEquals(lost.get(0).aim().topic() == Notice.Topic.FINDING ? 0 : 1, world.cancelled, where);
            }
        }
    }

    @Test
    @DisplayName(
            "mails switched off in the middle of a ladder and on again: no deed follows the warning that nobody got")
    void switchedOffAndOn() throws Exception {
        for (int off = 1; off < 14; off++) {
            for (int rest : List.of(1, 3, 7, 12)) {
                World world = new World(0);
                Collector collector = new Collector(world);
                for (int round = 0; round < 60; round++) {
                    if (round == off || round == off + rest) {
                        world.mode = round == off ? Notifier.Mode.RECORD : Notifier.Mode.NOTIFY;
                        collector = new Collector(world);
                    }
                    world.now = world.now.plusSeconds(60);
                    world.slurmSays();
                    int before = world.cancelled;
                    collector.round();
                    if (world.cancelled > before) {
                        assertEquals(Notifier.Mode.NOTIFY, world.mode, "nothing is done while mails are off");
                        assertEquals(
                                List.of(Notice.State.DELIVERED, Notice.State.DELIVERED),
                                world.disk.noticesOf(83549).stream()
                                        .filter(notice -> notice.aim().channel() == Notice.Channel.OWNER
                                                && notice.aim().topic() == Notice.Topic.FINDING
                                                && notice.since().equals(world.deedSince()))
                                        .map(Notice::state)
                                        .toList(),
                                "off " + off + ", on after " + rest);
                    }
                }
                assertEquals(1, world.cancelled, "off " + off + ", on after " + rest);
            }
        }
    }

    @Test
    @DisplayName("when the clock is set back in any round all of it takes longer, and is told and done once")
    void clockSetBack() throws Exception {
        for (int round = 1; round < 20; round++) {
            World world = live(0, ROUNDS + (int) BACK.toMinutes() + 5, round);
            String where = "set back in round " + round;
            assertEquals(5, world.mails.stream().map(Outbox.Mail::id).distinct().count(), where);
            assertEquals(5, world.mails.size(), where);
            assertEquals(1, world.cancelled, where);
        }
    }
}
