package io.fairwatch.agent.probe.nvml;

import static io.fairwatch.agent.probe.nvml.SimulatedGpus.eventually;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Outcome;
import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDetail.Health;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.MigInstance;
import io.fairwatch.agent.wire.Utilization.Source;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The probe on the simulated library, through JNA: what the fake cannot prove. */
class SimulatedNvmlTest {
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");
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
    private NvmlGpuProbe probe;

    SimulatedNvmlTest(@TempDir Path node) throws Exception {
        gpus = new SimulatedGpus(
                node,
                "node=test",
                "minor=1 model=v100",
                "minor=0 model=t4 emptyring=1",
                "minor=2 model=h100",
                "minor=3 model=h100 mig=1g.10gb,3g.40gb");
        probe = new NvmlGpuProbe(gpus.library(), NOBODY, Duration.ofSeconds(10));
    }

    @AfterEach
    void close() throws Exception {
        gpus.faults("* * unloaded"); // ends the wait for XIDs
        probe.close();
        gpus.close();
    }

    @Test
    @DisplayName("the stop-watch for real GPUs sees every call, and changes no answer")
    void timed() throws Exception {
        List<GpuDevice> devices = read().stream().map(GpuReading::device).toList();
        gpus.faults("* * unloaded"); // ends the wait for XIDs
        probe.close();
        gpus.faults("");
        TimedNvml timed = new TimedNvml();
        try (NvmlGpuProbe other = new NvmlGpuProbe(
                timed.opener(() -> NvmlLibrary.open(gpus.library().orElseThrow())),
                NOBODY,
                System::nanoTime,
                Duration.ofMillis(50))) {
            assertEquals(
                    devices,
                    other.read(NOW).gpus().stream().map(GpuReading::device).toList());
            gpus.faults("* * unloaded");
        }
        assertTrue(timed.calls("quantity") > 4, timed.table());
        assertEquals(1, timed.calls("deviceCount"), timed.table());
    }

    private List<GpuReading> read() throws ProbeException {
        return probe.read(NOW).gpus();
    }

    private GpuReading read(int index) throws ProbeException {
        return read().get(index);
    }

    private void sooner(String what, int index, Predicate<GpuReading> condition) throws Exception {
        eventually(what, () -> condition.test(read(index)));
    }

    private static GpuDetail detail(GpuReading reading) {
        return reading.detail().orElseThrow();
    }

    private static Health health(GpuReading reading) {
        return detail(reading).health().orElseThrow();
    }

    private static List<Integer> pids(GpuReading reading) {
        return reading.processes().orElseThrow().stream().map(GpuProcess::pid).toList();
    }

    @Test
    @DisplayName("each generation tells what it has, and the rest is absent")
    void generations() throws Exception {
        gpus.faults("* 0 ecc=5,1,70,2 retired=3,1,1 replay=9 throttle=0x40 fan=35", "* 2 remapped=4,3,0,0 recovery=1");
        List<GpuReading> first = read();
        assertEquals(6, first.size());
        GpuReading volta = first.get(0);
        assertEquals(OptionalInt.of(1), volta.device().minorNumber());
        assertTrue(volta.device().pciBusId().isPresent());
        assertTrue(volta.energyJoules().isPresent() && volta.powerWatts().isPresent());
        assertEquals(
                new Health(
                        OptionalLong.of(5),
                        OptionalLong.of(1),
                        OptionalLong.of(70),
                        OptionalLong.of(2),
                        OptionalLong.of(4),
                        Optional.of(true),
                        OptionalLong.of(9),
                        Optional.of(List.of()),
                        OptionalInt.empty()),
                health(volta));
        assertEquals(
                Optional.of(List.of("gpu_idle", "hw_thermal_slowdown")),
                detail(volta).clockLimits());
        assertEquals(0.35, detail(volta).fanRatio().orElseThrow(), 1e-9);
        assertTrue(detail(volta).memoryTemperatureCelsius().isPresent());
        assertEquals(Optional.empty(), detail(volta).activity());

        sooner(
                "a sample of the ring",
                0,
                later -> later.utilization().orElseThrow().source() == Source.RING);

        GpuReading turing = first.get(1);
        assertEquals(Optional.of(Source.POLL), turing.utilization().map(u -> u.source()));
        assertEquals(OptionalDouble.empty(), detail(turing).memoryTemperatureCelsius());
        assertEquals(OptionalDouble.empty(), detail(turing).fanRatio());

        assertEquals(OptionalLong.of(7), health(first.get(2)).remappedRows());
        assertEquals(Optional.of(true), health(first.get(2)).resetNeeded());
        sooner("activity of Hopper", 2, hopper -> detail(hopper).activity().isPresent());
        GpuDetail hopper = detail(read(2));
        eventually("traffic", () -> detail(read(2)).traffic().isPresent());
        assertTrue(hopper.memoryClockHertz().isPresent());
    }

    @Test
    @DisplayName("a partitioned GPU is followed by its instances, whose programs are theirs")
    void mig() throws Exception {
        List<GpuReading> first = read();
        GpuReading parent = first.get(3);
        MigInstance small = first.get(4).device().mig().orElseThrow();
        MigInstance large = first.get(5).device().mig().orElseThrow();
        assertEquals(parent.device().uuid(), small.parentUuid());
        assertEquals(Optional.of("1g.10gb"), small.profile());
        assertEquals(Optional.of("3g.40gb"), large.profile());
        assertTrue(
                small.multiprocessors().orElseThrow() < large.multiprocessors().orElseThrow());
        assertEquals(3, first.get(5).device().index());
        assertEquals(Optional.empty(), parent.utilization());
        assertEquals(Optional.empty(), parent.processes());
        assertTrue(parent.powerWatts().isPresent());
        String uuid = first.get(5).device().uuid();
        int pid = (int) gpus.simgpu("--mig", uuid, "--util", "80", "--sm", "40", "--mem", "1GiB");
        sooner("the program on its instance", 5, reading -> pids(reading).equals(List.of(pid)));
        sooner("its activity", 5, reading -> reading.detail()
                .flatMap(GpuDetail::activity)
                .filter(activity -> activity.smRatio().orElse(0) > 0
                        && activity.graphicsRatio().orElse(0) > 0)
                .isPresent());
        List<GpuReading> now = read();
        assertEquals(List.of(), pids(now.get(4)));
        assertEquals(1L << 30, now.get(5).memoryUsedBytes().orElseThrow());
    }

    @Test
    @DisplayName("a GPU cut into other pieces when the driver was loaded anew is told as it is now")
    void reconfigured() throws Exception {
        assertEquals(6, read().size());
        gpus.gpus("node=test", "minor=0 model=h100 mig=1g.10gb,1g.10gb,1g.10gb");
        gpus.faults("* * reload=1");
        eventually("four devices", () -> read().size() == 4);
    }

    @ParameterizedTest
    @ValueSource(ints = {16, 24, 32})
    @DisplayName("processes are the same whatever size their records have")
    void strides(int stride) throws Exception {
        gpus.gpus("stride=" + stride, "minor=0 model=v100");
        int one = (int) gpus.simgpu("--util", "30", "--mem", "1GiB");
        int two = (int) gpus.simgpu("--util", "0", "--mem", "2GiB");
        int three = (int) gpus.simgpu("--graphics", "--mem", "1GiB");
        sooner(
                "all of them",
                0,
                reading -> pids(reading).size() == 3 && pids(reading).containsAll(List.of(one, two, three)));
        GpuProcess second = read(0).processes().orElseThrow().stream()
                .filter(process -> process.pid() == two)
                .findFirst()
                .orElseThrow();
        assertEquals(OptionalLong.of(2L << 30), second.memoryUsedBytes());
    }

    @Test
    @DisplayName("hidden memory, blank fields, odd entries and timestamps since boot are no numbers")
    void oddities() throws Exception {
        gpus.gpus("ringepoch=boot", "minor=0 model=t4 hidemem=1 blank=1 odduse=1");
        int pid = (int) gpus.simgpu("--util", "50", "--mem", "1GiB");
        sooner("a share of it", 0, reading -> reading.processes().orElseThrow().stream()
                .anyMatch(process ->
                        process.pid() == pid && process.utilizationRatio().orElse(0) > 0));
        GpuReading reading = read(0);
        assertEquals(List.of(pid), pids(reading));
        assertEquals(
                OptionalLong.empty(), reading.processes().orElseThrow().get(0).memoryUsedBytes());
        assertEquals(OptionalDouble.empty(), detail(reading).memoryTemperatureCelsius());
        sooner("use of the ring", 0, later -> later.utilization().orElseThrow().maxRatio() > 0.4);
    }

    @Test
    @DisplayName("driver R418 has fewer functions, and what it has works")
    void oldDriver() throws Exception {
        probe = new NvmlGpuProbe(gpus.oldLibrary(), NOBODY, Duration.ofSeconds(10));
        int pid = (int) gpus.simgpu("--gpus", "1", "--util", "50", "--mem", "1GiB");
        sooner("the program", 0, reading -> pids(reading).contains(pid));
        GpuReading volta = read(0);
        assertTrue(volta.memoryUsedBytes().isPresent());
        assertEquals(OptionalLong.empty(), volta.memoryReservedBytes());
        assertTrue(detail(volta).clockLimits().isPresent(), "by its older name");
        assertTrue(health(volta).eccCorrected().isPresent());
        assertEquals(Optional.of(List.of()), health(volta).xids());
        assertEquals(4, read().size(), "no instances");
        assertEquals(Optional.empty(), detail(volta).traffic());
    }

    @Test
    @DisplayName("a lost GPU costs the others nothing")
    void lost() throws Exception {
        assertEquals(6, read().size());
        gpus.faults("* 0 lost");
        eventually("five devices", () -> read().size() == 5);
        assertEquals(1, read(0).device().index());
    }

    @Test
    @DisplayName("an XID is heard, and a GPU that fell off the bus says it last")
    void xid() throws Exception {
        assertEquals(Optional.of(List.of()), health(read(2)).xids());
        gpus.faults("* 2 xid=79", "* 2 lost");
        eventually("the last words", () -> read().stream()
                .filter(reading -> reading.device().index() == 2)
                .flatMap(reading -> reading.detail().flatMap(GpuDetail::health).stream())
                .flatMap(health -> health.xids().stream())
                .anyMatch(List.of(79)::equals));
    }

    @Test
    @DisplayName("a driver that is loaded anew, or another version of it, is followed without a restart")
    void reloaded() throws Exception {
        read();
        gpus.faults("* * reload=1");
        for (int i = 0; i < 20; i++) { // one of them meets it, and opens it anew
            assertEquals(6, read().size());
        }
        gpus.faults("* * reload=2", "nvmlInit_v2 * error=18");
        eventually("the mismatch", () -> {
            try {
                read();
                return false;
            } catch (ProbeException e) {
                assertTrue(e.toString().contains("does not match the loaded driver"), e::toString);
                return true;
            }
        });
        gpus.faults("* * reload=2");
        eventually("all GPUs", () -> {
            try {
                return read().size() == 6;
            } catch (ProbeException e) {
                return false;
            }
        });
    }

    @Test
    @DisplayName("a driver that was unloaded is nothing wrong")
    void unloaded() throws Exception {
        read();
        gpus.faults("* * unloaded");
        eventually("no driver", () -> {
            try {
                read();
                return false;
            } catch (NothingToReadException e) {
                return true;
            }
        });
    }

    @Test
    @DisplayName("an answer that fails costs one reading once")
    void failedOnce() throws Exception {
        read();
        gpus.faults("nvmlDeviceGetPowerUsage 0 error=999 count=1");
        sooner("no power", 0, reading -> reading.powerWatts().isEmpty());
        assertTrue(read(0).powerWatts().isPresent());
    }

    @ParameterizedTest
    @CsvSource({
        "model=v100, 19",
        "model=t4, 19",
        "model=a100, 20",
        "model=h100, 20",
        "'model=h100 mig=1g.10gb,1g.10gb,1g.10gb,1g.10gb,1g.10gb,1g.10gb,1g.10gb', 40",
    })
    @DisplayName("a period of two looks and a reading costs so many calls per GPU")
    void calls(String model, int most) throws Exception {
        gpus.gpus("minor=0 " + model);
        read();
        read();
        read();
        String[] waits = {"nvmlEventSetWait_v2"};
        long before = gpus.calls() - gpus.calls(waits);
        int periods = 2 * ProcessList.EMPTY_LISTS_EVERY;
        for (int i = 0; i < periods; i++) {
            probe.poll();
            probe.poll();
            read();
        }
        double calls = (gpus.calls() - gpus.calls(waits) - before) / (double) periods;
        assertTrue(calls <= most, () -> calls + " calls");
    }

    @Test
    @DisplayName("the inspection says what each generation offers, and what an old driver lacks")
    void inspection() throws Exception {
        NvmlInspection inspection = NvmlInspection.of(gpus.library());
        assertEquals(6, inspection.devices().size());
        assertEquals(Outcome.NOT_SUPPORTED, outcome(inspection, 0, "activity (GPM)"));
        assertEquals(Outcome.WORKS, outcome(inspection, 2, "activity (GPM)"));
        assertEquals(Outcome.WORKS, outcome(inspection, 4, "activity (GPM)"));
        assertEquals(Outcome.WORKS, outcome(inspection, 0, "errors (XID)"));
        assertEquals(Optional.of(true), inspection.devices().get(3).mig());
        NvmlInspection old = NvmlInspection.of(gpus.oldLibrary());
        assertEquals(Outcome.MISSING_FUNCTION, outcome(old, 0, "activity (GPM)"));
        assertEquals(Outcome.MISSING_FUNCTION, outcome(old, 0, "MPS processes"));
        assertFalse(old.devices().get(0).mig().isPresent());
        gpus.faults("* * unloaded");
        assertThrows(NothingToReadException.class, () -> NvmlInspection.of(gpus.library()));
    }

    private static Outcome outcome(NvmlInspection inspection, int device, String reading) {
        return inspection.devices().get(device).answers().stream()
                .filter(answer -> answer.reading().equals(reading))
                .findFirst()
                .orElseThrow()
                .outcome();
    }
}
