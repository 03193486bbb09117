package io.fairwatch.collector.judge;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.device;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.MemoryStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.rules.Ladder;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** More runs than are judged at one time. */
class ManyRunsTest {
    private static final int RUNS = 41_003;
    private static final int MOST_AT_ONCE = 10_000;
    private static final Instant NOW = at(1200);

    private final List<Integer> asked = new ArrayList<>();
    private final MemoryStore disk = new MemoryStore();

    /** Whose GPUs did nothing; those at both sides of each cut among them. */
    private static boolean isIdle(long job) {
        return job % 1000 <= 1 || job == RUNS;
    }

    private static Run given(long job) {
        return job(job).on(allocated("node-a", 0, "GPU-a" + job), allocated("node-a", 1, "GPU-b" + job))
                .asOf(NOW)
                .run();
    }

    private static GpuUse use(RunSpan span, AllocatedGpu gpu) {
        boolean idle = isIdle(span.run().key().jobId());
        return new GpuUse(
                span.run().key(),
                "node-a",
                Optional.of(gpu),
                Optional.of(device(gpu.uuid().orElseThrow())),
                span.from(),
                span.to(),
                20,
                600,
                idle ? 0 : 600,
                idle ? 600 : 0,
                OptionalDouble.of(idle ? 0 : 0.9),
                OptionalDouble.of(idle ? 0 : 1),
                idle ? Optional.empty() : Optional.of(span.to()),
                OptionalLong.of(1000),
                OptionalInt.of(0),
                OptionalDouble.empty(),
                GpuUse.Work.NOT_KNOWN);
    }

    /** What runs did: the first GPU of each, then the second of each, so that those of a run do not come together. */
    private List<GpuUse> uses(Collection<RunSpan> spans) {
        asked.add(spans.size());
        List<GpuUse> uses = new ArrayList<>();
        for (int gpu = 0; gpu < 2; gpu++) {
            for (RunSpan span : spans) {
                uses.add(use(span, span.run().gpus().get(gpu)));
            }
        }
        return uses;
    }

    private Store store() {
        return (Store) Proxy.newProxyInstance(
                Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("gpuUse")) {
                        @SuppressWarnings("unchecked")
                        Collection<RunSpan> spans = (Collection<RunSpan>) arguments[0];
                        return uses(spans);
                    }
                    if (method.getName().equals("gpusTogether")) {
                        return Map.of();
                    }
                    if (method.getName().equals("gpus")) {
                        return List.of();
                    }
                    try {
                        return method.invoke(disk, arguments);
                    } catch (InvocationTargetException failed) {
                        throw failed.getCause();
                    }
                });
    }

    @Test
    @DisplayName("forty thousand runs are judged some at a time, and each as if it were alone")
    void cut() throws Exception {
        List<Run> runs = new ArrayList<>();
        for (long job = 1; job <= RUNS; job++) {
            runs.add(given(job));
        }
        disk.saveView(new SlurmView(NOW, "lab", runs, List.of(), List.of()));
        Judge judge = new Judge(
                store(),
                Shipped.only(
                        List.of("idle-gpu"),
                        Map.of("idle-gpu", Map.of("window", "10m", "warm_up", "10m", "hold", "0s"))),
                (finding, run, aim) -> Optional.of(List.of()),
                () -> NOW,
                new Judge.Settings(
                        0.01,
                        Duration.ofMinutes(5),
                        new Ladder(List.of(new Ladder.Step(Ladder.Target.OWNER, Duration.ZERO)))));
        Judge.Cycle cycle = judge.cycle(Set.of());
        Set<Long> idle = new TreeSet<>();
        for (long job = 1; job <= RUNS; job++) {
            if (isIdle(job)) {
                idle.add(job);
            }
        }
        assertEquals(new Judge.Cycle(RUNS, idle.size(), 0, Optional.empty()), cycle);
        List<FindingRow> rows = disk.openFindings();
        assertEquals(idle.size(), rows.size());
        assertEquals(idle, rows.stream().map(row -> row.run().jobId()).collect(Collectors.toCollection(TreeSet::new)));
        assertTrue(
                rows.stream().allMatch(row -> row.summary().startsWith("None of its 2 GPUs has")),
                rows.get(0).summary());
        assertEquals(
                List.of(MOST_AT_ONCE, MOST_AT_ONCE, MOST_AT_ONCE, MOST_AT_ONCE, RUNS - 4 * MOST_AT_ONCE),
                asked.stream().filter(spans -> spans > 1000).toList());
    }
}
