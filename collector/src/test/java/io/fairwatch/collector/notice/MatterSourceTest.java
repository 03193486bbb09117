package io.fairwatch.collector.notice;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.process;
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
import java.util.function.BiFunction;
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
            FindingRow finding = found(run);
            BiFunction<String, Optional<Run>, RuleInfo> rules = (rule, about) -> new RuleInfo(
                    Duration.ofMinutes(60),
                    false,
                    about.filter(run::equals).isEmpty()
                            ? List.of() // the ladder is of its partition alone
                            : List.of(
                                    new RuleInfo.Step(Optional.empty(), Duration.ZERO),
                                    new RuleInfo.Step(Optional.empty(), Duration.ofHours(4)),
                                    new RuleInfo.Step(Optional.of("cancel"), Duration.ofHours(2)),
                                    new RuleInfo.Step(Optional.of("hold"), Duration.ofHours(1))));
            MatterSource source = new MatterSource(store, rules, (row, now) -> Optional.empty(), 0.01);
            MatterSource.Wanted wanted = new MatterSource.Wanted(List.of(run), Map.of(run.key(), List.of(finding)));
            Matter matter =
                    source.of(List.of(wanted), at(1440)).get(0).matters().get(0);
            assertEquals(1, matter.strips().size());
            assertEquals(
                    "5".repeat(8) + "_".repeat(2) + "?".repeat(2) + "_".repeat(12),
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
                    .of(List.of(wanted), at(1440))
                    .get(0)
                    .matters()
                    .get(0);
            assertEquals(List.of(0), asked, "what is in memory is not asked of the store");
            assertEquals(matter.waste(), known.waste());
            assertEquals(matter.strips(), known.strips());
        }
    }

    @Test
    @DisplayName("many letters are few questions; a run in two of them shows in each what that is about")
    void together(@TempDir Path directory) throws Exception {
        try (Store store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS)) {
            List<NodeSnapshot> snapshots = new ArrayList<>();
            for (int end = 30; end <= 1440; end += 30) {
                double busy = end <= 480 ? 0.5 : 0;
                snapshots.add(snapshot(
                        "node-a",
                        end,
                        at(end),
                        gpu("GPU-a", busy, 0),
                        end <= 720 ? gpu("GPU-b", busy, 0, process(9, 2)) : gpu("GPU-b", 1, 0)));
            }
            store.append(snapshots);
            Run run = job(1).on(allocated("node-a", 0, "GPU-a")).asOf(at(1440)).run();
            Run guest = job(2).asOf(at(1440)).run();
            store.saveView(new Store.SlurmView(at(1440), "lab", List.of(run, guest), List.of(), List.of()));
            FindingRow finding = found(run);
            List<String> asked = new ArrayList<>();
            Store counting = (Store) Proxy.newProxyInstance(
                    Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                        asked.add(method.getName());
                        return method.invoke(store, arguments);
                    });
            MatterSource source = new MatterSource(
                    counting,
                    (rule, about) -> new RuleInfo(Duration.ofMinutes(rule.equals("short") ? 4 : 60), false, List.of()),
                    (row, now) -> Optional.empty(),
                    0.01);
            List<MatterSource.Wanted> letters = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                String rule = i % 2 == 0 ? "short" : "long";
                letters.add(new MatterSource.Wanted(
                        List.of(run), Map.of(run.key(), List.of(Samples.of(finding, rule, "It is idle.", "End it.")))));
            }
            letters.add(new MatterSource.Wanted(List.of(guest), Map.of()));
            List<MatterSource.Found> found = source.of(letters, at(1440));
            assertEquals(List.of("nodes", "gpuUse", "gpuUse", "jobUse", "gpuSeries", "gpuMeans"), asked);
            assertEquals(21, found.size());
            for (int i = 0; i < 20; i++) {
                assertEquals(
                        i % 2 == 0 ? "____" : "5".repeat(8) + "_".repeat(16),
                        strip(found.get(i), "GPU-a"),
                        "letter " + i);
                assertEquals(
                        Duration.ofMinutes(i % 2 == 0 ? 4 : 16),
                        found.get(i).matters().get(0).waste());
            }
            assertEquals("5".repeat(8) + "_".repeat(4) + "?".repeat(12), strip(found.get(20), "GPU-b"));
        }
    }

    private static FindingRow found(Run run) {
        return new FindingRow(
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
                "{\"cancellable\": true}",
                new FindingRow.Progress(1, 0, Optional.empty()));
    }

    private static String strip(MatterSource.Found found, String uuid) {
        return Objects.requireNonNull(found.matters().get(0).strips().get(new Matter.Gpu("node-a", uuid)))
                .text();
    }
}
