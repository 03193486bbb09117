package io.fairwatch.collector.usage;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.process;
import static io.fairwatch.collector.store.Given.run;
import static io.fairwatch.collector.store.Given.snapshot;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.usage.LiveUse.Lately;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LiveUseTest {
    private static final String A = "GPU-a";
    private static final Run RUN = run(1, allocated("node-a", 0, A));

    private final LiveUse live = new LiveUse(0.01);

    /** Snapshots 1 to {@code count} of a node, thirty seconds apart from noon, of those that {@code sent} lets through. */
    private static List<NodeSnapshot> node(int count, IntPredicate sent, IntFunction<GpuReading> gpu) {
        return IntStream.rangeClosed(1, count)
                .filter(sent)
                .mapToObj(i -> snapshot("node-a", i, at(30.0 * i), gpu.apply(i)))
                .toList();
    }

    /** What is sent of a GPU that has fallen off the bus. */
    private static GpuReading lostGpu() {
        GpuReading silent = Given.silent(A);
        return new GpuReading(
                Given.device(A),
                silent.utilization(),
                silent.memoryUtilization(),
                silent.memoryUsedBytes(),
                silent.memoryReservedBytes(),
                silent.powerWatts(),
                silent.powerLimitWatts(),
                silent.energyJoules(),
                silent.temperatureCelsius(),
                silent.smClockHertz(),
                silent.processes(),
                silent.detail());
    }

    private Lately given(double untilSeconds) {
        return live.given(A, RUN, at(untilSeconds)).orElseThrow();
    }

    @Test
    @DisplayName("a GPU is idle since the last period in which something ran, for more than a day if need be")
    void idleSince() {
        live.take(node(4000, i -> true, i -> gpu(A, i <= 20 ? 0.5 : 0, i)));
        Lately now = given(120_000);
        assertEquals(Optional.of(at(600)), now.idleSince());
        assertFalse(now.idleLonger());
        assertEquals(OptionalDouble.of(0), now.busyRatio());
        assertEquals(1, now.coverage());
    }

    @Test
    @DisplayName("a GPU of which nobody was told before is idle for as long as it was seen, and perhaps longer")
    void seenLate() {
        live.take(node(240, i -> i > 120, i -> gpu(A, 0, i)));
        assertEquals(Optional.of(at(3600)), given(7200).idleSince());
        assertTrue(given(7200).idleLonger());
    }

    @Test
    @DisplayName("what nobody saw since the GPU was busy last is not called idle")
    void gap() {
        live.take(node(240, i -> i <= 60 || i > 120, i -> gpu(A, i <= 20 ? 0.5 : 0, i)));
        assertEquals(Optional.of(at(600 + 1800)), given(7200).idleSince());
        assertTrue(given(7200).idleLonger());
    }

    @Test
    @DisplayName("one lost snapshot of an hour takes nothing away")
    void oneLost() {
        live.take(node(140, i -> i != 70, i -> gpu(A, i <= 20 ? 0.5 : 0, i)));
        assertEquals(Optional.of(at(600)), given(4200).idleSince());
        assertFalse(given(4200).idleLonger());
    }

    @Test
    @DisplayName("the run before has no part in it")
    void newRun() {
        live.take(node(120, i -> true, i -> gpu(A, i <= 20 ? 0.5 : 0, i)));
        Run next = run(2, at(1200), Optional.empty(), allocated("node-a", 0, A));
        Lately now = live.given(A, next, at(3600)).orElseThrow();
        assertEquals(Optional.of(at(1200)), now.idleSince());
        assertFalse(now.idleLonger());
    }

    @Test
    @DisplayName("a lost GPU, which sends its errors and nothing else, is not seen")
    void lost() {
        live.take(node(120, i -> true, i -> i <= 60 ? gpu(A, 0, i) : lostGpu()));
        assertEquals(Optional.empty(), given(3600).idleSince());
        assertEquals(0, given(3600).coverage());
        assertEquals(OptionalDouble.empty(), given(3600).busyRatio());
    }

    @Test
    @DisplayName("a snapshot that comes late makes nobody idle, but busy")
    void late() {
        live.take(node(120, i -> i != 50, i -> gpu(A, 0, i)));
        live.take(List.of(snapshot("node-a", 50, at(1500), gpu(A, 0.9, 50))));
        assertEquals(Optional.of(at(1500)), given(3600).idleSince());
    }

    @Test
    @DisplayName("a job's use of a GPU that Slurm did not give it is told by its processes, not by its word alone")
    void taken() {
        live.take(
                node(20, i -> true, i -> gpu(A, 0.5, i, process(1, 7), process(2, 8, 4711, JobRef.Evidence.ENVIRON))));
        assertEquals(Map.of(7L, List.of(A), 8L, List.of(A)), live.usedLately());
        assertEquals(
                OptionalDouble.of(0.25), // whoever it is, somebody else is there
                live.taken(A, run(7), at(600)).orElseThrow().busyRatio());
        assertEquals(Optional.empty(), live.taken(A, run(8), at(600)), "another user's process names it");
        assertEquals(Optional.empty(), live.taken(A, run(9), at(600)));
    }

    @Test
    @DisplayName("of a GPU that several jobs use each has an equal part, which is called an estimate")
    void shared() {
        live.take(node(
                20,
                i -> true,
                i -> i <= 15
                        ? gpu(A, 0.6, i, process(1, 7), process(2, 8), process(3, 8))
                        : gpu(A, 0.8, i, process(1, 7))));
        Lately seven = live.taken(A, run(7), at(600)).orElseThrow();
        assertEquals((5 * 0.3 + 5 * 0.8) / 10, seven.busyRatio().orElseThrow(), 1e-6);
        assertTrue(seven.estimated());
        assertTrue(live.taken(A, run(8), at(600)).orElseThrow().estimated());
        assertFalse(live.given(A, run(7), at(600)).orElseThrow().estimated());
    }

    @Test
    @DisplayName("made from the store, before or while snapshots come, it says the same")
    void rebuilt(@TempDir Path directory) throws Exception {
        List<IntFunction<GpuReading>> uses = List.of(
                i -> gpu(A, 0, i),
                i -> gpu(A, i <= 20 ? 0.5 : 0, i, process(1, 7)),
                i -> gpu(A, i == 200 ? 0.5 : 0, i, process(1, 7)),
                i -> gpu(A, i % 2, i),
                i -> i < 190 ? gpu(A, 0.7, i) : lostGpu());
        for (int use = 0; use < uses.size(); use++) {
            List<NodeSnapshot> all = node(240, i -> i != 100, uses.get(use));
            LiveUse fed = new LiveUse(0.01);
            fed.take(all);
            for (int before : new int[] {0, 225}) {
                LiveUse made = new LiveUse(0.01);
                List<NodeSnapshot> first = new ArrayList<>(all.subList(0, before));
                List<NodeSnapshot> second = all.subList(before, all.size());
                Path here = directory.resolve(use + "-" + before);
                try (Store store = DuckDbStore.open(here, DuckDbStore.Settings.DEFAULTS)) {
                    store.append(first);
                    store.append(second.subList(0, second.size() / 2));
                    made.take(second);
                    made.rebuild(store, at(7200));
                }
                String message = "use " + use + ", " + before + " snapshots before";
                assertEquals(fed.given(A, RUN, at(7200)), made.given(A, RUN, at(7200)), message);
                assertEquals(fed.usedLately(), made.usedLately(), message);
            }
        }
    }
}
