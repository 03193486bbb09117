package io.fairwatch.collector.notice;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.usage.LiveRuns;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a letter says of a run, from a real store. */
class MatterSourceTest {
    @Test
    @DisplayName("the strip of a GPU is what its readings say, with holes where there are none")
    void strip(@TempDir Path directory) throws Exception {
        try (Store store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS)) {
            List<NodeSnapshot> snapshots = new ArrayList<>();
            for (int end = 30; end <= 1440; end += 30) {
                if (end > 600 && end <= 720) {
                    continue; // the node was away
                }
                snapshots.add(snapshot("node-a", end, at(end), gpu("GPU-a", end <= 480 ? 0.5 : 0, 0)));
            }
            store.append(snapshots);
            Run run = job(1).on(allocated("node-a", 0, "GPU-a")).asOf(at(1440)).run();
            store.saveView(new Store.SlurmView(at(1440), "lab", List.of(run), List.of(), List.of()));
            FindingRow finding = new FindingRow(
                    run.key(),
                    "idle-gpu",
                    at(1440),
                    FindingRow.State.FOUND,
                    at(1440),
                    Optional.empty(),
                    Optional.empty(),
                    "anna",
                    "It is idle.",
                    "End it.",
                    "{}",
                    new FindingRow.Progress(1, 0, Optional.empty()));
            Function<String, RuleInfo> rules = rule -> new RuleInfo(
                    Duration.ofMinutes(60),
                    false,
                    List.of(
                            new RuleInfo.Step(Optional.empty(), Duration.ZERO),
                            new RuleInfo.Step(Optional.empty(), Duration.ofHours(4)),
                            new RuleInfo.Step(Optional.of("cancel"), Duration.ofHours(2)),
                            new RuleInfo.Step(Optional.of("hold"), Duration.ofHours(1))));
            MatterSource source = new MatterSource(store, rules, (row, now) -> Optional.empty(), 0.01);
            MatterSource.Found found = source.of(List.of(run), Map.of(run.key(), List.of(finding)), at(1440));
            Matter matter = found.matters().get(0);
            assertEquals(1, matter.strips().size());
            assertEquals(
                    "5".repeat(16) + "_".repeat(4) + "?".repeat(4) + "_".repeat(24),
                    Objects.requireNonNull(matter.strips().get(new Matter.Gpu("node-a", "GPU-a")))
                            .text());
            assertEquals(Duration.ofMinutes(16), matter.waste());
            // the first mail announces the deed, though staff are told between
            assertEquals(
                    List.of(new Matter.Next("cancel", at(1440).plus(Duration.ofHours(6)))),
                    matter.course().next());

            LiveRuns live = new LiveRuns(0.01);
            live.follow(store, List.of(run), at(1440));
            List<Integer> asked = new ArrayList<>();
            Store counting = (Store) Proxy.newProxyInstance(
                    Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                        if (method.getName().equals("jobUse")) {
                            asked.add(((Collection<?>) arguments[0]).size());
                        }
                        return method.invoke(store, arguments);
                    });
            Matter known = new MatterSource(counting, rules, (row, now) -> Optional.empty(), 0.01, live, () -> at(1440))
                    .of(List.of(run), Map.of(run.key(), List.of(finding)), at(1440))
                    .matters()
                    .get(0);
            assertEquals(List.of(0), asked, "what is in memory is not asked of the store");
            assertEquals(matter.waste(), known.waste());
            assertEquals(matter.strips(), known.strips());
        }
    }
}
