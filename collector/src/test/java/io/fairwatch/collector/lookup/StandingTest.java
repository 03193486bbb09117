package io.fairwatch.collector.lookup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.run.Qos;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmUser;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.RunSummary;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** What accounting says of users and accounts, and what ended jobs did, in lists. */
class StandingTest {
    private static final Instant NOW = Given.at(3600);

    private static Limits perUser(String tres) {
        return new Limits(tres, "", "", OptionalInt.empty(), OptionalInt.empty(), Optional.empty());
    }

    private static Limits group(String tres) {
        return new Limits("", "", tres, OptionalInt.empty(), OptionalInt.empty(), Optional.empty());
    }

    private static Association association(String user, String account, String... qos) {
        return new Association(
                user, account, Optional.empty(), Optional.empty(), List.of(qos), OptionalLong.empty(), Limits.NONE);
    }

    private static final AccountTree TREE = new AccountTree(
            NOW,
            "lab",
            List.of(
                    new Account("root", Optional.empty(), "", "", List.of(), List.of(), Limits.NONE),
                    new Account("es", Optional.of("root"), "", "", List.of("kim"), List.of(), group("gres/gpu=16")),
                    new Account(
                            "es.shj",
                            Optional.of("es"),
                            "",
                            "",
                            List.of("shj"),
                            List.of("normal"),
                            group("gres/gpu=24"))),
            List.of(
                    association("anna", "es.shj", "normal", "deadline"),
                    association("anna", "es", "normal"),
                    association("bo", "es.shj", "normal", "admintest")),
            List.of(new SlurmUser("anna", Optional.of("es.shj"), "None")),
            List.of(
                    new Qos("normal", 0, perUser("cpu=20,gres/gpu=1")),
                    new Qos("deadline", 10, perUser("gres/gpu=8")),
                    new Qos("admintest", 0, Limits.NONE)));

    @Test
    @DisplayName("a user: accounts, coordinators of the default one, QoS, and the most that one of these allows")
    void user() {
        assertEquals(
                Optional.of(new Standing(
                        Optional.of("es.shj"),
                        List.of("es", "es.shj"),
                        List.of("kim", "shj"),
                        List.of("deadline", "normal"),
                        OptionalInt.empty(),
                        OptionalLong.of(8))),
                Standing.ofUser(TREE, "anna"));
        Standing bo = Standing.ofUser(TREE, "bo").orElseThrow();
        assertEquals(OptionalLong.empty(), bo.gpusAtMost(), "one of the QoS has no limit, so there is none");
        assertEquals(Optional.empty(), bo.account());
        assertEquals(Optional.empty(), Standing.ofUser(TREE, "nobody"));
    }

    @Test
    @DisplayName("an account: its place, who looks after it, how many users, and the smallest limit above it")
    void account() {
        assertEquals(
                Optional.of(new Standing(
                        Optional.of("es"),
                        List.of("es", "root"),
                        List.of("kim", "shj"),
                        List.of("normal"),
                        OptionalInt.of(2),
                        OptionalLong.of(16))),
                Standing.ofAccount(TREE, "es.shj"));
        assertEquals(Optional.empty(), Standing.ofAccount(TREE, "nobody"));
    }

    @Test
    @DisplayName("tables have these columns where there is accounting, and are as before where there is none")
    void text() {
        Holds holds = new Holds("anna", 1, 0, 2, 1, 8);
        Listing<Holds> joined = listing(holds.with(Standing.ofUser(TREE, "anna")));
        assertTrue(new HoldText().holds("user", joined).startsWith("""
                                user   running   waiting   GPUs   idle   CPUs   at most   account
                                anna         1         0      2      1      8         8    es.shj
                                """), new HoldText().holds("user", joined));
        assertTrue(new HoldText()
                .holds("user", listing(holds))
                .startsWith("user   running   waiting   GPUs   idle   CPUs\n"));
        assertEquals(
                "anna,1,0,2,1,8,es.shj,es es.shj,kim shj,deadline normal,,8",
                new HoldText()
                        .holdsCsv(joined.items())
                        .lines()
                        .skip(1)
                        .findFirst()
                        .orElse(""));
        assertEquals(
                "anna,1,0,2,1,8,,,,,,",
                new HoldText()
                        .holdsCsv(List.of(holds))
                        .lines()
                        .skip(1)
                        .findFirst()
                        .orElse(""));
    }

    private static Listing<Holds> listing(Holds holds) {
        return new Listing<>(NOW, Optional.of(NOW), Optional.empty(), List.of(holds), Optional.empty());
    }

    @Test
    @DisplayName("an ended job shows the mean use of the GPUs that it was given, weighted by what is known of each")
    void ended() {
        Run run = Given.run(
                1,
                Given.NOON,
                Optional.of(NOW),
                Given.allocated("node-a", 0, "GPU-a"),
                Given.allocated("node-a", 1, "GPU-b"));
        RunSummary summary = new RunSummary(
                run.key(),
                NOW,
                NOW,
                0.01,
                List.of(
                        use(run, 0, 3000, OptionalDouble.of(0.9)),
                        use(run, 1, 1000, OptionalDouble.of(0.1)),
                        use(run, 1, 500, OptionalDouble.empty())),
                Optional.empty());
        assertEquals(0.7, JobLine.of(run, Optional.of(summary)).busyRatio().orElse(-1), 1e-9);
        assertEquals(OptionalDouble.empty(), JobLine.of(run, Optional.empty()).busyRatio());
        String text = new JobListText(ZoneOffset.UTC)
                .page(new Listing<>(
                        NOW,
                        Optional.of(NOW),
                        Optional.empty(),
                        List.of(JobLine.of(run, Optional.of(summary))),
                        Optional.empty()));
        assertTrue(text.contains("busy") && text.contains("70 %"), text);
        String unknown = new JobListText(ZoneOffset.UTC)
                .page(new Listing<>(
                        NOW,
                        Optional.of(NOW),
                        Optional.empty(),
                        List.of(JobLine.of(run, Optional.empty())),
                        Optional.empty()));
        assertTrue(unknown.contains("unknown"), unknown);
    }

    private static GpuUse use(Run run, int gpu, double covered, OptionalDouble mean) {
        return new GpuUse(
                run.key(),
                "node-a",
                Optional.of(run.gpus().get(gpu)),
                Optional.empty(),
                Given.NOON,
                NOW,
                10,
                covered,
                0,
                0,
                mean,
                mean,
                Optional.empty(),
                OptionalLong.empty(),
                OptionalInt.empty(),
                OptionalDouble.empty(),
                GpuUse.Work.NOT_KNOWN);
    }
}
