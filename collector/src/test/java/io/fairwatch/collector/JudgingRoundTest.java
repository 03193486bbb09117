package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.enforce.Deeds;
import io.fairwatch.collector.enforce.Enforcer;
import io.fairwatch.collector.judge.Judge;
import io.fairwatch.collector.lookup.Samples;
import io.fairwatch.collector.notice.Addresses;
import io.fairwatch.collector.notice.Directory;
import io.fairwatch.collector.notice.LetterWriter;
import io.fairwatch.collector.notice.MatterSource;
import io.fairwatch.collector.notice.Notifier;
import io.fairwatch.collector.notice.QuietTime;
import io.fairwatch.collector.notice.RuleInfo;
import io.fairwatch.collector.notice.Texts;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.Bounce;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.RuleSet.Overrides;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JudgingRoundTest {
    private static final String RULE = "some-rule";

    private static Bounce bounce(String mail) {
        return new Bounce(
                "bounce-" + mail,
                Samples.NOW,
                mail,
                "support@its.aau.dk",
                Bounce.Kind.FAILED,
                Optional.of("5.2.2"),
                "mailbox full",
                Optional.of(Samples.NOW),
                Optional.empty());
    }

    private static JudgingRound round(
            Store store, Deeds deeds, Enforcer.Mode act, Notifier.Mode mails, SimpleMeterRegistry meters)
            throws Exception {
        return new JudgingRound(
                new Judge(
                        store,
                        RuleFiles.read(Optional.empty(), Overrides.NONE),
                        (finding, run, aim) -> Optional.empty(),
                        () -> Samples.NOW,
                        new Judge.Settings(0.01, Duration.ofSeconds(75), new Ladder(List.of()))),
                new Enforcer(
                        store,
                        deeds,
                        (finding, step, topic, channels, what) -> List.of(),
                        (rule, run) -> Duration.ofHours(1),
                        new Enforcer.Settings(
                                act,
                                Set.of(RULE),
                                mails == Notifier.Mode.RECORD,
                                false,
                                1,
                                1,
                                Optional.empty(),
                                0.9,
                                Duration.ofSeconds(75),
                                Duration.ofHours(1),
                                Optional.empty()),
                        () -> Samples.NOW),
                new Notifier(
                        store,
                        mail -> {
                            throw new AssertionError("nothing is due");
                        },
                        new Notifier.Recipients(
                                new Directory(Map.of(), new Addresses(Optional.empty()), Optional.empty()),
                                List.of("support@its.aau.dk"),
                                account -> List.of(),
                                Optional.empty()),
                        new MatterSource(
                                store, (rule, run) -> RuleInfo.UNKNOWN, (finding, at) -> Optional.empty(), 0.01),
                        new LetterWriter(
                                new LetterWriter.Site("lab", "support@its.aau.dk", Optional.empty()),
                                Texts.Languages.shippedIn(Samples.COPENHAGEN)),
                        new Notifier.Settings(
                                mails,
                                Optional.empty(),
                                10,
                                Duration.ofMinutes(1),
                                Duration.ofHours(1),
                                Duration.ofSeconds(75),
                                QuietTime.none(Samples.COPENHAGEN),
                                Notifier.Bouncing.DEFAULTS),
                        () -> Samples.NOW),
                () -> Samples.NOW,
                meters);
    }

    @Test
    @DisplayName("what keeps jobs from being judged, and staff from hearing of it, is told until it is over")
    void troubles(@TempDir Path directory) throws Exception {
        Store store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        try {
            SimpleMeterRegistry meters = new SimpleMeterRegistry();
            JudgingRound round = round(
                    store,
                    (deed, run) -> new Deeds.Outcome.Refused("nothing is due"),
                    Enforcer.Mode.OFF,
                    Notifier.Mode.RECORD,
                    meters);
            assertEquals(List.of("Nobody is judged: nobody has been judged yet."), round.troubles());
            round.run();
            assertEquals(List.of("Nobody is judged: Slurm has not answered yet."), round.troubles());
            Samples.slurmSays(store, List.of(Samples.running(83549, Samples.allocated("nv-ai-01", 3))));
            round.run();
            assertEquals(List.of(), round.troubles());
            store.saveBounces(List.of(bounce("1"), bounce("2")));
            round.run();
            assertEquals(
                    List.of("Staff get no mails, because mails to them came back: see fairwatch bounces."),
                    round.troubles());
            store.saveBounces(List.of(bounce("1").forgotten(Samples.NOW)));
            round.run();
            assertEquals(List.of(), round.troubles());
            assertTrue(meters.get("fairwatch.rules.verdicts")
                            .tag("kind", "unknown")
                            .counter()
                            .count()
                    > 0);
            store.close();
            assertThrows(StoreException.class, round::run);
            assertEquals(
                    List.of("Nobody is judged: the last round failed: store: gpus: the store is closed."),
                    round.troubles());
        } finally {
            store.close();
        }
    }

    private static Notice notice(FindingRow row, Notice.Aim aim, Notice.State state, String detail) {
        return new Notice(
                "step " + aim.step(),
                row.subject(),
                row.rule(),
                row.since(),
                aim,
                row.user(),
                Optional.empty(),
                state,
                Optional.empty(),
                Samples.NOON,
                Samples.NOON,
                0,
                detail);
    }

    @Test
    @DisplayName("in the first round with mails what was rehearsed ends before a deed could follow from it")
    void rehearsedBefore(@TempDir Path directory) throws Exception {
        Store store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        try {
            PendingJob job = Samples.pending(84000, "84000");
            Samples.slurmSays(store, List.of(), job);
            FindingRow row = new FindingRow(
                    new Subject.Waiting(job.cluster(), job.jobId(), job.submit()),
                    RULE,
                    Samples.NOON,
                    FindingRow.State.TOLD,
                    Samples.NOW,
                    Optional.empty(),
                    Optional.of(Samples.NOON),
                    job.owner().user(),
                    "It asks for too much.",
                    "Ask for less.",
                    "{}",
                    new FindingRow.Progress(3, 2, Optional.of(Samples.NOON)));
            Notice.Aim owner = new Notice.Aim(1, Notice.Channel.OWNER, Notice.Topic.FINDING, row.user());
            Notice.Aim staff = new Notice.Aim(2, Notice.Channel.STAFF, Notice.Topic.FINDING, "support@its.aau.dk");
            Notice.Aim hold = new Notice.Aim(3, Notice.Channel.SLURM, Notice.Topic.FINDING, "hold");
            store.saveFindings(
                    List.of(row),
                    List.of(
                            notice(row, owner, Notice.State.DELIVERED, "250")
                                    .announcing(Optional.of(new Notice.Announced("hold", Samples.NOON))),
                            notice(row, staff, Notice.State.WITHHELD, Notice.REHEARSAL + "nobody told"),
                            notice(row, hold, Notice.State.PLANNED, "")));
            List<String> taken = new ArrayList<>();
            round(
                            store,
                            (deed, about) -> {
                                taken.add(deed.word());
                                return new Deeds.Outcome.Done("held");
                            },
                            Enforcer.Mode.ACT,
                            Notifier.Mode.NOTIFY,
                            new SimpleMeterRegistry())
                    .run();
            assertEquals(List.of(), taken);
            assertEquals(
                    FindingRow.State.RESOLVED,
                    store.finding(row.subject(), row.rule(), row.since())
                            .orElseThrow()
                            .state());
            assertEquals(
                    Optional.of("over before it was done"),
                    store.noticesOf(84000).stream()
                            .filter(one -> one.aim().equals(hold))
                            .map(Notice::detail)
                            .findFirst());
        } finally {
            store.close();
        }
    }
}
