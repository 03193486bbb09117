package io.fairwatch.agent;

import static io.fairwatch.agent.probe.nvml.SimulatedGpus.eventually;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.probe.nvml.GpuReadings;
import io.fairwatch.agent.probe.nvml.NvmlGpuProbe;
import io.fairwatch.agent.probe.nvml.SimulatedGpus;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Lane, probe, JNA and a library whose calls do not return: the way that a sick GPU takes through the agent. */
class HungDriverTest {
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");
    private static final Duration DEADLINE = Duration.ofMillis(300);
    private static final ProcessLookup NOBODY = new ProcessLookup() {
        @Override
        public Optional<JobRef> jobOf(int pid) {
            return Optional.empty();
        }

        @Override
        public OptionalInt uidOf(int pid) {
            return OptionalInt.empty();
        }
    };

    private final SimulatedGpus gpus;
    private final NvmlGpuProbe probe;
    private final List<GpuReadings> kept = new CopyOnWriteArrayList<>();
    private final AtomicInteger threads = new AtomicInteger();
    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private final ExecutorService workers = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        threads.incrementAndGet();
        return thread;
    });
    private final Lane lane;

    HungDriverTest(@TempDir Path node) throws Exception {
        gpus = new SimulatedGpus(node, "minor=0 model=v100", "minor=1 model=v100");
        probe = new NvmlGpuProbe(gpus.library(), NOBODY, Duration.ofSeconds(10));
        lane = new Lane(
                vertx,
                workers,
                InstantSource.fixed(NOW),
                new Source<>(probe, (draft, readings) -> kept.add(readings)),
                DEADLINE);
    }

    @AfterEach
    void stop() throws Exception {
        gpus.faults();
        eventually("rest", () -> read() instanceof ProbeOutcome.Read); // then nobody is inside the library any more
        vertx.close().await();
        workers.shutdown();
        gpus.faults("* * unloaded"); // ends the wait for XIDs
        probe.close();
        gpus.close();
    }

    private <T> T onLoop(Supplier<Future<T>> work) {
        return Future.<T>future(promise -> vertx.runOnContext(run -> work.get().onComplete(promise)))
                .await();
    }

    private ProbeOutcome read() {
        Source.Result result = onLoop(() -> lane.read(NOW));
        result.addition().accept(new SnapshotDraft(NOW, Duration.ofSeconds(30)));
        return result.outcome();
    }

    private void poll() {
        onLoop(() -> {
            lane.poll();
            return Future.succeededFuture();
        });
    }

    private String silence() throws Exception {
        String[] why = {""};
        eventually("silence", () -> {
            boolean failed = read() instanceof ProbeOutcome.Failed;
            if (failed) {
                why[0] = assertInstanceOf(ProbeOutcome.Failed.class, read()).why();
            }
            return failed;
        });
        return why[0];
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"nvmlDeviceGetMemoryInfo_v2 1", "nvmlDeviceGetFieldValues 0", "nvmlDeviceGetSamples 1", "* *"})
    @DisplayName("a call that hangs costs the GPU part and one thread, until the driver answers again")
    void hangs(String where) throws Exception {
        eventually("GPUs", () -> read() instanceof ProbeOutcome.Read);
        kept.clear();
        gpus.faults(where + " hang");
        assertEquals("nvml does not answer since 2026-11-20T12:00:00Z", silence());
        kept.clear();
        int before = threads.get();
        for (int i = 0; i < 5; i++) {
            assertInstanceOf(ProbeOutcome.Failed.class, read());
            poll();
        }
        assertEquals(before, threads.get(), "nobody else goes where one hangs");
        assertTrue(kept.isEmpty(), "what came too late is not told");
        gpus.faults();
        eventually("GPUs again", () -> read() instanceof ProbeOutcome.Read);
        kept.clear();
        assertInstanceOf(ProbeOutcome.Read.class, read());
        List<GpuReading> whole = kept.get(0).gpus();
        assertEquals(2, whole.size());
        assertTrue(whole.stream()
                .allMatch(gpu -> gpu.memoryUsedBytes().isPresent()
                        && gpu.energyJoules().isPresent()
                        && gpu.utilization().isPresent()
                        && gpu.processes().isPresent()));
    }

    @Test
    @DisplayName("a hanging look in between is left behind like a reading")
    void hangingPoll() throws Exception {
        eventually("GPUs", () -> read() instanceof ProbeOutcome.Read);
        gpus.faults("nvmlDeviceGetSamples * hang");
        eventually("silence", () -> {
            poll();
            return read() instanceof ProbeOutcome.Failed;
        });
        gpus.faults();
        eventually("GPUs again", () -> read() instanceof ProbeOutcome.Read);
    }

    @Test
    @DisplayName("a driver that takes long to start is waited for by nobody, and used once it has")
    void slowStart() throws Exception {
        gpus.faults("nvmlInit_v2 * latency=1500 count=1");
        assertInstanceOf(ProbeOutcome.Failed.class, read());
        eventually("GPUs", () -> read() instanceof ProbeOutcome.Read);
    }

    @Test
    @DisplayName("a driver that was loaded anew while a call hung is opened anew")
    void reloadedMeanwhile() throws Exception {
        eventually("GPUs", () -> read() instanceof ProbeOutcome.Read);
        gpus.faults("nvmlDeviceGetPowerUsage 0 hang");
        silence();
        gpus.faults("* * reload=1");
        eventually("GPUs again", () -> read() instanceof ProbeOutcome.Read);
    }
}
