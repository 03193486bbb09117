package io.fairwatch.collector.judge;

import static io.fairwatch.collector.store.Given.BOOT;
import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.cgroup;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.process;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.usage.LiveRuns;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** A large cluster: sums in memory tell of whom anything is new. What comes of it is the same. */
class RulesBySumsTest extends RulesOnReadingsTest {
    private static final Run ONE =
            job(1).from(at(0)).interactive().on(allocated("node-a", 0, "GPU-a")).run();

    private final LiveRuns live = new LiveRuns(0.01);
    private final List<FindingRow> planned = new ArrayList<>();

    @Override
    int many() {
        return 0;
    }

    private Judge.Cycle cycle(Instant now, int many, String rule, String window) throws Exception {
        live.follow(store(), List.of(ONE), now);
        store().saveView(new SlurmView(
                now,
                "lab",
                List.of(job(1).from(at(0))
                        .interactive()
                        .on(allocated("node-a", 0, "GPU-a"))
                        .asOf(now)
                        .run()),
                List.of(),
                List.of()));
        RuleSet rules =
                Shipped.only(List.of(rule), Map.of(rule, Map.of("window", window, "warm_up", window, "hold", "0s")));
        return new Judge(
                        store(),
                        live,
                        () -> rules,
                        (finding, run, aim) -> {
                            planned.add(finding);
                            return Optional.of(List.of());
                        },
                        () -> now,
                        new Judge.Settings(
                                0.01,
                                Duration.ofMinutes(5),
                                new Ladder(List.of(new Ladder.Step(Ladder.Target.OWNER, Duration.ZERO)))),
                        many)
                .cycle(Set.of());
    }

    private static Judge.Cycle judged(int findings) {
        return new Judge.Cycle(1, findings, 0, Optional.empty());
    }

    /** A GPU that was busy until some second. */
    private void busyUntil(int second, int to) throws Exception {
        for (int next = 30; next <= to; next += 30) {
            store().append(List.of(snapshot(
                    "node-a",
                    BOOT,
                    next,
                    at(next),
                    List.of(gpu("GPU-a", next <= second ? 0.9 : 0, 0, process(1, 1))),
                    List.of(cgroup(1, next, 1 << 30, 2)))));
        }
    }

    private LiveRuns.Lately sums(Duration length, Instant now) throws Exception {
        Map<String, NodeState> nodes =
                store().nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        return live.since(ONE, length, now, nodes, now).orElseThrow();
    }

    @Test
    @DisplayName("what sums of a longer time alone would find comes to nothing")
    void longer() throws Exception {
        // 200 s of CPU time at the end are more than a quarter of ten minutes, and less of the nineteen that sums are
        // of
        for (int next = 30; next <= 1140; next += 30) {
            store().append(List.of(snapshot(
                    "node-a",
                    BOOT,
                    next,
                    at(next),
                    List.of(gpu("GPU-a", 0, 0, process(1, 1))),
                    List.of(cgroup(1, next < 1140 ? 0 : 200, 1 << 30, 2)))));
        }
        Instant now = at(1140);
        assertEquals(judged(0), cycle(now, Integer.MAX_VALUE, "interactive-waiting", "10m"));
        assertEquals(judged(0), cycle(now, 0, "interactive-waiting", "10m"));
        assertEquals(
                200,
                sums(Duration.ofMinutes(10), now)
                        .job()
                        .orElseThrow()
                        .cpuSeconds()
                        .orElseThrow(),
                0.1);
        assertEquals(List.of(), store().openFindings());
        assertEquals(List.of(), planned);
    }

    @Test
    @DisplayName("what is found by its readings goes on, though sums of a longer time see no more of it")
    void goesOn() throws Exception {
        busyUntil(330, 960);
        Instant now = at(960);
        assertEquals(judged(1), cycle(now, Integer.MAX_VALUE, "idle-gpu", "10m"));
        FindingRow before = store().openFindings().get(0);
        assertTrue(
                sums(Duration.ofMinutes(10), now)
                                .gpus()
                                .get(0)
                                .utilizationMaxRatio()
                                .orElseThrow()
                        > 0.5,
                "they begin with the hour");
        assertEquals(judged(1), cycle(now, 0, "idle-gpu", "10m"));
        assertEquals(before, store().openFindings().get(0));
        assertEquals(1, planned.size());
    }

    @Test
    @DisplayName("what holds all through both is found, told once and goes on by sums alone")
    void both() throws Exception {
        busyUntil(30, 1260);
        assertEquals(judged(1), cycle(at(1260), 0, "idle-gpu", "10m"));
        assertEquals(1, planned.size());
        for (int next = 1290; next <= 1410; next += 30) {
            store().append(List.of(came(next, 0.9))); // nobody looks at these
            live.take(List.of(came(next, 0)));
        }
        assertEquals(judged(1), cycle(at(1410), 0, "idle-gpu", "10m"));
        assertEquals(1, planned.size());
        FindingRow row = store().openFindings().get(0);
        assertEquals(at(1410), row.lastSeen());
        assertEquals(Optional.empty(), row.clearSince());
        assertEquals(judged(0), cycle(at(1410), 1, "idle-gpu", "10m"), "by readings");
        assertEquals(Optional.of(at(1410)), store().openFindings().get(0).clearSince());
    }

    private static NodeSnapshot came(int second, double busy) {
        return snapshot(
                "node-a",
                BOOT,
                second,
                at(second),
                List.of(gpu("GPU-a", busy, 0, process(1, 1))),
                List.of(cgroup(1, second, 1 << 30, 2)));
    }

    @Test
    @DisplayName("nothing but the time at which it was seen changes by sums alone")
    void news() throws Exception {
        Rule rule = Shipped.only(List.of("idle-gpu"), Map.of("idle-gpu", Map.of("hold", "5m", "resolve_after", "20m")))
                .rules()
                .get(0);
        Episodes episodes = new Episodes(
                (finding, run, aim) -> Optional.of(List.of()),
                new Ladder(List.of(new Ladder.Step(Ladder.Target.OWNER, Duration.ZERO))));
        Verdict finding =
                new Verdict.Finding(List.of(), Map.of(), new Verdict.Said("It is idle.", "End it."), Map.of(), false);
        Verdict clear = new Verdict.Clear("It works.");
        Verdict unknown = new Verdict.Unknown("it was not seen");
        Optional<FindingRow> none = Optional.empty();
        assertTrue(episodes.isNews(rule, finding, none, false, at(0)), "it begins");
        assertFalse(episodes.isNews(rule, unknown, none, false, at(0)));
        assertFalse(episodes.isNews(rule, clear, none, false, at(0)));

        Optional<FindingRow> suspected = after(episodes, rule, finding, none, 0);
        assertEquals(FindingRow.State.SUSPECTED, suspected.orElseThrow().state());
        assertTrue(episodes.isNews(rule, finding, suspected, false, at(60)), "it must hold without a break");
        assertTrue(episodes.isNews(rule, clear, suspected, false, at(60)));

        Optional<FindingRow> found = after(episodes, rule, finding, suspected, 300);
        assertEquals(FindingRow.State.FOUND, found.orElseThrow().state());
        assertFalse(episodes.isNews(rule, finding, found, false, at(360)));
        assertFalse(episodes.isNews(rule, unknown, found, false, at(360)));
        assertTrue(episodes.isNews(rule, clear, found, false, at(360)), "it ends");

        Optional<FindingRow> over = after(episodes, rule, clear, found, 400);
        assertFalse(episodes.isNews(rule, clear, over, false, at(460)));
        assertTrue(episodes.isNews(rule, finding, over, false, at(460)), "a relapse");
        assertTrue(episodes.isNews(rule, clear, over, false, at(400 + 20 * 60)), "it is over for good");

        Optional<FindingRow> paused = after(episodes, rule, finding, suspected, 300, true);
        assertFalse(episodes.isNews(rule, finding, paused, true, at(360)));
        assertTrue(episodes.isNews(rule, finding, paused, false, at(360)), "the first step is due");
    }

    private static Optional<FindingRow> after(
            Episodes episodes, Rule rule, Verdict verdict, Optional<FindingRow> before, int second) throws Exception {
        return after(episodes, rule, verdict, before, second, false);
    }

    private static Optional<FindingRow> after(
            Episodes episodes, Rule rule, Verdict verdict, Optional<FindingRow> before, int second, boolean paused)
            throws Exception {
        return episodes.decide(ONE, rule, verdict, before, paused, at(second)).row();
    }
}
