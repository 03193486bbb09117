package io.fairwatch.agent.probe.nvml;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.probe.nvml.Nvml.Quantity;
import io.fairwatch.agent.probe.nvml.Nvml.Ring;
import io.fairwatch.agent.probe.nvml.Nvml.Running;
import io.fairwatch.agent.probe.nvml.Nvml.Share;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuProcess.Kind;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.agent.wire.Utilization.Source;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class NvmlGpuProbeTest {
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");
    private static final JobRef JOB = new JobRef(83549, Optional.of("0"), JobRef.Evidence.CGROUP);
    private static final ProcessLookup LOOKUP = new ProcessLookup() {
        @Override
        public Optional<JobRef> jobOf(int pid) {
            return pid == 4242 ? Optional.of(JOB) : Optional.empty();
        }

        @Override
        public OptionalInt uidOf(int pid) {
            return pid == 4242 ? OptionalInt.of(21001) : OptionalInt.empty();
        }
    };

    private final FakeNvml driver = new FakeNvml(2);
    private final FakeNvml.Device first = driver.devices.get(0);
    private final FakeNvml.Device second = driver.devices.get(1);
    private long nanos = 1_000_000_000_000L;
    private NvmlGpuProbe probe = new NvmlGpuProbe(driver::open, LOOKUP, () -> nanos, Duration.ofMillis(20));

    private static Running running(int pid, OptionalLong memory) {
        return new Running(pid, memory, OptionalInt.empty(), OptionalInt.empty());
    }

    private void pass(long seconds) {
        nanos += seconds * 1_000_000_000;
    }

    private GpuReading readFirst() throws ProbeException {
        return probe.read(NOW).gpus().get(0);
    }

    @Test
    @DisplayName("a session ends within a probe's deadline, however short the period is")
    void xidWait() {
        assertEquals(Duration.ofSeconds(5), NvmlGpuProbe.xidWait(Duration.ofSeconds(10)));
        assertEquals(Duration.ofMillis(1250), NvmlGpuProbe.xidWait(Duration.ofMillis(2500)));
    }

    @Test
    @DisplayName(
            "utilisation is the mean of every sample of the period, also of those that the ring has forgotten since")
    void trueMean() throws Exception {
        first.sample(10, 99);
        probe.read(NOW); // history before the agent counts for nothing
        pass(5);
        first.sample(20, 100).sample(30, 100);
        probe.poll();
        first.rings.values().forEach(ring -> ring.headMap(31L).clear());
        pass(5);
        first.sample(40, 0).sample(50, 20);
        GpuReading reading = readFirst();
        assertEquals(Optional.of(new Utilization(0.55, 1.0, 0.2, 4, Source.RING)), reading.utilization());
        assertEquals(Optional.of(new Utilization(0.275, 0.5, 0.1, 4, Source.RING)), reading.memoryUtilization());
    }

    @Test
    @DisplayName("samples that a driver gives twice count once")
    void noSampleTwice() throws Exception {
        first.sample(10, 100);
        probe.read(NOW);
        pass(5);
        first.sample(20, 40);
        assertEquals(1, readFirst().utilization().orElseThrow().samples());
    }

    @Test
    @DisplayName("a ring that ran over between two looks is not told as one without gaps")
    void gap() throws Exception {
        first.sample(10, 100);
        probe.read(NOW);
        pass(60);
        first.sample(50_000_010, 40);
        assertEquals(Source.POLL, readFirst().utilization().orElseThrow().source());
        pass(5);
        first.sample(51_000_010, 40);
        assertEquals(Source.RING, readFirst().utilization().orElseThrow().source());
    }

    @Test
    @DisplayName("a stretch weighs as long as it lasted, however many samples it gave")
    void weights() throws Exception {
        first.sample(10, 0);
        probe.read(NOW);
        pass(1);
        first.sample(20, 100).sample(21, 100).sample(22, 100);
        probe.poll();
        pass(9);
        first.sample(30, 0);
        assertEquals(0.1, readFirst().utilization().orElseThrow().meanRatio(), 1e-9);
    }

    @Test
    @DisplayName("where the ring is empty or missing a single look is taken, and says so")
    void looks() throws Exception {
        first.rates = Optional.of(new Nvml.Rates(30, 10));
        probe.read(NOW);
        pass(5);
        probe.poll();
        first.rates = Optional.of(new Nvml.Rates(50, 10));
        pass(5);
        assertEquals(
                Optional.of(new Utilization(0.4, 0.5, 0.5, 2, Source.POLL)),
                readFirst().utilization());
    }

    @Test
    @DisplayName("without ring and without looks utilisation is absent, not zero")
    void absent() throws Exception {
        GpuReading reading = readFirst();
        assertEquals(Optional.empty(), reading.utilization());
        assertEquals(OptionalLong.empty(), reading.memoryUsedBytes());
        assertEquals(OptionalDouble.empty(), reading.powerWatts());
        assertEquals(Optional.empty(), reading.processes());
        assertEquals(OptionalInt.empty(), reading.device().minorNumber());
        assertEquals(Optional.empty(), reading.device().pciBusId());
    }

    @Test
    @DisplayName("what a device does not support is asked once in a session")
    void askedOnce() throws Exception {
        probe.read(NOW);
        int calls = driver.ringCalls;
        probe.read(NOW);
        assertEquals(calls, driver.ringCalls);
    }

    @Test
    @DisplayName("NVML's units end at the probe")
    void units() throws Exception {
        first.quantities.put(Quantity.POWER_MILLIWATTS, OptionalLong.of(301_400));
        first.quantities.put(Quantity.ENERGY_MILLIJOULES, OptionalLong.of(5_000_500));
        first.quantities.put(Quantity.SM_CLOCK_MEGAHERTZ, OptionalLong.of(1530));
        first.quantities.put(Quantity.TEMPERATURE_CELSIUS, OptionalLong.empty()); // "not available"
        first.quantities.put(Quantity.MINOR_NUMBER, OptionalLong.of(8));
        first.memory = Optional.of(new Nvml.Memory(OptionalLong.of(1000), OptionalLong.of(300), OptionalLong.of(20)));
        GpuReading reading = readFirst();
        assertEquals(301.4, reading.powerWatts().orElseThrow(), 1e-9);
        assertEquals(5000.5, reading.energyJoules().orElseThrow(), 1e-9);
        assertEquals(1.53e9, reading.smClockHertz().orElseThrow());
        assertEquals(OptionalDouble.empty(), reading.temperatureCelsius());
        assertEquals(OptionalInt.of(8), reading.device().minorNumber());
        assertEquals(OptionalLong.of(1000), reading.device().memoryTotalBytes());
        assertEquals(OptionalLong.of(300), reading.memoryUsedBytes());
        assertEquals(OptionalLong.of(20), reading.memoryReservedBytes());
    }

    @Test
    @DisplayName("a process carries its owner, its job, its memory and its share of the period")
    void processes() throws Exception {
        first.sharesSupported = true;
        first.sample(10, 0);
        first.shares.add(new Share(4242, 10, 100));
        first.processes.put(
                Kind.COMPUTE,
                List.of(
                        running(4242, OptionalLong.of(7)),
                        running(77, OptionalLong.empty()),
                        running(0, OptionalLong.empty())));
        first.processes.put(Kind.GRAPHICS, List.of(running(4242, OptionalLong.of(7))));
        probe.read(NOW);
        pass(5);
        first.sample(20, 80);
        first.shares.add(new Share(4242, 20, 80));
        probe.poll();
        pass(5);
        first.sample(30, 10); // nobody is named: nobody was active
        GpuReading reading = readFirst();
        assertEquals(
                Optional.of(List.of(
                        new GpuProcess(
                                4242,
                                Kind.COMPUTE,
                                OptionalInt.of(21001),
                                Optional.of(JOB),
                                OptionalLong.of(7),
                                OptionalDouble.of(0.4)),
                        new GpuProcess(
                                77,
                                Kind.COMPUTE,
                                OptionalInt.empty(),
                                Optional.empty(),
                                OptionalLong.empty(),
                                OptionalDouble.of(0)))),
                reading.processes());
    }

    @Test
    @DisplayName("shares are not known where the driver names nobody on a busy GPU")
    void unknownShares() throws Exception {
        first.sharesSupported = true;
        first.sample(10, 0);
        first.processes.put(Kind.COMPUTE, List.of(running(77, OptionalLong.empty())));
        probe.read(NOW);
        pass(5);
        first.sample(20, 80);
        assertEquals(
                OptionalDouble.empty(),
                readFirst().processes().orElseThrow().get(0).utilizationRatio());
        pass(5);
        first.sample(30, 0);
        assertEquals(
                OptionalDouble.of(0),
                readFirst().processes().orElseThrow().get(0).utilizationRatio());
    }

    @Test
    @DisplayName("when the driver does not answer who computes, the graphics list is not told for all")
    void computeListFails() throws Exception {
        first.processes.put(Kind.COMPUTE, List.of());
        first.processes.put(Kind.GRAPHICS, List.of(running(4242, OptionalLong.of(7))));
        assertEquals(1, readFirst().processes().orElseThrow().size());
        first.failingList = Kind.COMPUTE;
        assertEquals(Optional.empty(), readFirst().processes());
    }

    @Test
    @DisplayName("a client of MPS is one process, though the compute list names it too")
    void mps() throws Exception {
        first.processes.put(Kind.COMPUTE, List.of(running(4242, OptionalLong.of(7))));
        first.processes.put(Kind.MPS, List.of(running(4242, OptionalLong.empty())));
        List<GpuProcess> processes = readFirst().processes().orElseThrow();
        assertEquals(1, processes.size());
        assertEquals(Kind.MPS, processes.get(0).kind());
        assertEquals(OptionalLong.of(7), processes.get(0).memoryUsedBytes());
    }

    @Test
    @DisplayName("a lost GPU is left out, the others stay, and after a while all are looked for anew")
    void lostGpu() throws Exception {
        driver.devices.forEach(device -> device.rates = Optional.of(new Nvml.Rates(0, 0)));
        assertEquals(2, probe.read(NOW).gpus().size());
        first.failWith = NvmlException.GPU_IS_LOST;
        pass(30);
        assertEquals("GPU-1", readFirst().device().uuid());
        assertEquals(1, driver.opened);
        pass(NvmlGpuProbe.LOOK_AGAIN.toSeconds());
        assertEquals(1, probe.read(NOW).gpus().size());
        assertEquals(2, driver.opened);
        first.failWith = 0;
        pass(NvmlGpuProbe.LOOK_AGAIN.toSeconds());
        assertEquals(2, probe.read(NOW).gpus().size());
        assertEquals(3, driver.opened);
        assertEquals(2, driver.closed);
    }

    @Test
    @DisplayName("a driver that was loaded anew is opened anew, once")
    void driverReloaded() throws Exception {
        first.rates = Optional.of(new Nvml.Rates(0, 0));
        probe.read(NOW);
        FakeNvml again = new FakeNvml(1);
        probe = new NvmlGpuProbe(
                () -> {
                    driver.opened++;
                    return driver.opened == 2 ? driver : again;
                },
                LOOKUP,
                () -> nanos,
                Duration.ofMillis(20));
        driver.opened = 1;
        probe.read(NOW);
        driver.failWith = NvmlException.UNINITIALIZED;
        assertEquals(1, probe.read(NOW).gpus().size());
        assertEquals(3, driver.opened);
        assertEquals(1, driver.closed);
    }

    @Test
    @DisplayName("a driver that fails for good is an error with its own words")
    void driverFails() throws Exception {
        first.rates = Optional.of(new Nvml.Rates(0, 0));
        probe.read(NOW);
        driver.failWith = NvmlException.LIBRARY_MISMATCH;
        ProbeException e = assertThrows(ProbeException.class, () -> probe.read(NOW));
        assertEquals("call: the library does not match the loaded driver (18)", e.getMessage());
        driver.failWith = 0;
        assertEquals(2, probe.read(NOW).gpus().size());
    }

    @Test
    @DisplayName("no driver is nothing wrong, and is looked for again every few minutes only")
    void noDriver() throws Exception {
        int[] tries = {0};
        probe = new NvmlGpuProbe(
                () -> {
                    if (tries[0]++ < 2) {
                        throw new NvmlException("nvmlInit", NvmlException.DRIVER_NOT_LOADED);
                    }
                    return driver;
                },
                LOOKUP,
                () -> nanos,
                Duration.ofMillis(20));
        NothingToReadException e = assertThrows(NothingToReadException.class, () -> probe.read(NOW));
        assertEquals("no NVIDIA driver (nvmlInit: the driver is not loaded (9))", e.getMessage());
        probe.poll();
        pass(30);
        assertThrows(NothingToReadException.class, () -> probe.read(NOW));
        assertEquals(1, tries[0]);
        pass(Duration.ofMinutes(5).toSeconds());
        assertThrows(NothingToReadException.class, () -> probe.read(NOW));
        pass(Duration.ofMinutes(5).toSeconds());
        assertEquals(2, probe.read(NOW).gpus().size());
    }

    @Test
    @DisplayName("simulated GPUs give themselves away")
    void simulated() throws Exception {
        driver.simulated = Optional.of("These are simulated GPUs.");
        assertEquals(
                Optional.of("These are simulated GPUs."),
                probe.read(NOW).driver().simulated());
    }

    @Test
    @DisplayName("GPUs that support different things do not learn from each other")
    void mixedGpus() throws Exception {
        second.sample(10, 50);
        probe.read(NOW);
        pass(5);
        second.sample(20, 60);
        List<GpuReading> readings = probe.read(NOW).gpus();
        assertEquals(Optional.empty(), readings.get(0).utilization());
        assertEquals(0.6, readings.get(1).utilization().orElseThrow().meanRatio(), 1e-9);
        assertEquals(Ring.values().length, second.rings.size());
    }
}
