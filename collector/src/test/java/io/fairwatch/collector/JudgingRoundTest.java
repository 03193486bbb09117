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
import io.fairwatch.collector.store.Bounce;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.RuleSet.Overrides;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JudgingRoundTest {
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

    @Test
    @DisplayName("what keeps jobs from being judged, and staff from hearing of it, is told until it is over")
    void troubles(@TempDir Path directory) throws Exception {
        Store store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        try {
            SimpleMeterRegistry meters = new SimpleMeterRegistry();
            JudgingRound round = new JudgingRound(
                    new Judge(
                            store,
                            RuleFiles.read(Optional.empty(), Overrides.NONE),
                            (finding, run, aim) -> Optional.empty(),
                            () -> Samples.NOW,
                            new Judge.Settings(0.01, Duration.ofSeconds(75), new Ladder(List.of()))),
                    new Enforcer(
                            store,
                            (deed, run) -> new Deeds.Outcome.Refused("nothing is due"),
                            (finding, step, topic, channels, what) -> List.of(),
                            rule -> Duration.ofHours(1),
                            new Enforcer.Settings(
                                    Enforcer.Mode.OFF,
                                    Set.of(),
                                    true,
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
                            new MatterSource(store, rule -> RuleInfo.UNKNOWN, (finding, at) -> Optional.empty(), 0.01),
                            new LetterWriter(
                                    new LetterWriter.Site("lab", "support@its.aau.dk", Optional.empty()),
                                    Texts.Languages.shippedIn(Samples.COPENHAGEN)),
                            new Notifier.Settings(
                                    Notifier.Mode.RECORD,
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
}
