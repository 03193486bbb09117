package io.fairwatch.agent.probe.nvml;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.probe.nvml.Nvml.Field;
import io.fairwatch.agent.probe.nvml.Nvml.FieldAnswer;
import io.fairwatch.agent.probe.nvml.Nvml.Metric;
import io.fairwatch.agent.probe.nvml.Nvml.Quantity;
import io.fairwatch.agent.probe.nvml.Nvml.Running;
import io.fairwatch.agent.probe.nvml.Nvml.Xid;
import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDetail.Activity;
import io.fairwatch.agent.wire.GpuDetail.Health;
import io.fairwatch.agent.wire.GpuDetail.Traffic;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuProcess.Kind;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.MigInstance;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NvmlDetailTest {
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

    private final FakeNvml driver = new FakeNvml(2);
    private final FakeNvml.Device first = driver.devices.get(0);
    private final FakeNvml.Device second = driver.devices.get(1);
    private long nanos = 1_000_000_000_000L;
    private final NvmlGpuProbe probe = new NvmlGpuProbe(driver::open, NOBODY, () -> nanos, Duration.ofMillis(20));

    private void pass(long seconds) {
        nanos += seconds * 1_000_000_000;
    }

    private List<GpuReading> read() throws ProbeException {
        return probe.read(NOW).gpus();
    }

    private GpuReading readFirst() throws ProbeException {
        return read().get(0);
    }

    private static GpuDetail detail(GpuReading reading) {
        return reading.detail().orElseThrow();
    }

    private static Health health(GpuReading reading) {
        return detail(reading).health().orElseThrow();
    }

    private static Running running(int pid, long bytes) {
        return new Running(pid, OptionalLong.of(bytes), OptionalInt.empty(), OptionalInt.empty());
    }

    private static Running running(int pid, int gpuInstance) {
        return new Running(pid, OptionalLong.empty(), OptionalInt.of(gpuInstance), OptionalInt.of(0));
    }

    private static List<Integer> pids(GpuReading reading) {
        return reading.processes().orElseThrow().stream().map(GpuProcess::pid).toList();
    }

    @Nested
    @DisplayName("a GPU cut into MIG instances")
    class Mig {
        @Test
        @DisplayName("is followed by its instances, each with its own memory and processes")
        void instances() throws Exception {
            FakeNvml.Device slice = driver.instance(0, 0, 900, 7, "MIG-a");
            slice.memory = Optional.of(new Nvml.Memory(OptionalLong.of(10), OptionalLong.of(4), OptionalLong.of(1)));
            slice.quantities.put(Quantity.MULTIPROCESSORS, OptionalLong.of(16));
            slice.processes.put(Kind.COMPUTE, List.of(running(4242, 3L)));
            driver.instance(0, 3, 901, 8, "MIG-b").processes.put(Kind.COMPUTE, List.of());
            List<GpuReading> readings = read();
            assertEquals(
                    List.of("GPU-0", "MIG-a", "MIG-b", "GPU-1"),
                    readings.stream().map(reading -> reading.device().uuid()).toList());
            GpuReading instance = readings.get(1);
            assertEquals(
                    Optional.of(new MigInstance("GPU-0", 7, 0, OptionalInt.of(16), Optional.of("1g.10gb"))),
                    instance.device().mig());
            assertEquals(0, instance.device().index());
            assertEquals(OptionalLong.of(10), instance.device().memoryTotalBytes());
            assertEquals(OptionalLong.of(4), instance.memoryUsedBytes());
            assertEquals(List.of(4242), pids(instance));
            assertEquals(Optional.empty(), instance.utilization());
            assertEquals(Optional.empty(), instance.detail());
            assertEquals(List.of(), pids(readings.get(2)));
        }

        @Test
        @DisplayName("tells only what belongs to all of it, and asks for nothing else")
        void parent() throws Exception {
            driver.instance(0, 0, 900, 7, "MIG-a");
            first.sample(10, 50);
            first.rates = Optional.of(new Nvml.Rates(50, 50));
            first.memory = Optional.of(new Nvml.Memory(OptionalLong.of(80), OptionalLong.of(4), OptionalLong.of(1)));
            first.processes.put(Kind.COMPUTE, List.of(running(4242, 3L)));
            first.quantities.put(Quantity.POWER_MILLIWATTS, OptionalLong.of(90_000));
            first.field(Field.ECC_CORRECTED, 3);
            GpuReading parent = readFirst();
            assertEquals(Optional.empty(), parent.utilization());
            assertEquals(Optional.empty(), parent.memoryUtilization());
            assertEquals(OptionalLong.empty(), parent.memoryUsedBytes());
            assertEquals(OptionalLong.of(80), parent.device().memoryTotalBytes());
            assertEquals(Optional.empty(), parent.processes());
            assertEquals(OptionalDouble.of(90), parent.powerWatts());
            assertEquals(OptionalLong.of(3), health(parent).eccCorrected());
            assertEquals(Map.of(), first.listsRead);
        }

        @Test
        @DisplayName("counts a process once where the driver gives every instance the list of the whole GPU")
        void processOnce() throws Exception {
            List<Running> all = List.of(running(1, 7), running(2, 8));
            driver.instance(0, 0, 900, 7, "MIG-a").processes.put(Kind.COMPUTE, all);
            driver.instance(0, 1, 901, 8, "MIG-b").processes.put(Kind.COMPUTE, all);
            List<GpuReading> readings = read();
            assertEquals(List.of(1), pids(readings.get(1)));
            assertEquals(List.of(2), pids(readings.get(2)));
        }

        @Test
        @DisplayName("cut into other pieces, or no more, is taken stock of anew without a new session")
        void reconfigured() throws Exception {
            driver.instance(0, 0, 900, 7, "MIG-a");
            first.sample(10, 0);
            assertEquals(3, read().size());
            driver.instances.clear(); // the old handle is dead
            first.instances.clear();
            driver.instance(0, 0, 950, 1, "MIG-c");
            pass(30);
            assertEquals("MIG-c", read().get(1).device().uuid());
            first.quantities.put(Quantity.MIG_MODE, OptionalLong.of(0));
            first.sample(20, 40);
            pass(30);
            List<GpuReading> whole = read();
            assertEquals(2, whole.size());
            assertEquals(0.4, whole.get(0).utilization().orElseThrow().lastRatio());
            assertEquals(1, driver.opened);
        }

        @Test
        @DisplayName("stays cut when the driver once does not say so")
        void unsure() throws Exception {
            driver.instance(0, 0, 900, 7, "MIG-a");
            assertEquals(3, read().size());
            first.quantities.put(Quantity.MIG_MODE, OptionalLong.empty());
            pass(30);
            assertEquals(3, read().size());
        }

        @Test
        @DisplayName("loses one instance only when one is being unmade")
        void unmade() throws Exception {
            driver.instance(0, 0, 900, 7, "MIG-a").failWith = NvmlException.INVALID_ARGUMENT;
            driver.instance(0, 1, 901, 8, "MIG-b");
            driver.instance(0, 2, 902, 9, "not a uuid");
            assertEquals(
                    List.of("GPU-0", "MIG-b", "GPU-1"),
                    read().stream().map(reading -> reading.device().uuid()).toList());
        }

        @Test
        @DisplayName("has its instances' activity by counters, from the second reading on")
        void counters() throws Exception {
            driver.instance(0, 0, 900, 7, "MIG-a");
            first.countersSupported = true;
            first.metrics = Map.of(Metric.GRAPHICS, 60.0, Metric.SM, 41.0);
            assertEquals(Optional.empty(), read().get(1).detail());
            pass(30);
            List<GpuReading> readings = read();
            Activity activity = detail(readings.get(1)).activity().orElseThrow();
            assertEquals(OptionalDouble.of(0.6), activity.graphicsRatio());
            assertEquals(OptionalDouble.of(0.41), activity.smRatio());
            assertEquals(Optional.empty(), readings.get(0).detail());
        }

        @Test
        @DisplayName("does not tell whose the activity is where compute instances share a GPU instance")
        void sharedCounters() throws Exception {
            driver.instance(0, 0, 900, 7, "MIG-a");
            driver.instance(0, 1, 901, 7, "MIG-b");
            first.countersSupported = true;
            first.metrics = Map.of(Metric.GRAPHICS, 60.0);
            read();
            pass(30);
            assertEquals(Optional.empty(), read().get(1).detail());
        }

        @Test
        @DisplayName("forgets counters of instances that were made anew, and gives back what it kept for them")
        void generation() throws Exception {
            driver.instance(0, 0, 900, 7, "MIG-a");
            first.countersSupported = true;
            first.metrics = Map.of(Metric.GRAPHICS, 60.0);
            read();
            pass(30);
            read();
            assertEquals(2, driver.looks.size());
            driver.instances.clear();
            driver.instance(0, 0, 901, 7, "MIG-a"); // the same name, another handle
            pass(30);
            assertEquals(Optional.empty(), read().get(1).detail());
            assertEquals(1, driver.looks.size());
            probe.close();
            assertEquals(1, driver.closed);
        }
    }

    @Nested
    @DisplayName("counters of the multiprocessors")
    class Gpm {
        @Test
        @DisplayName("tell of the whole period, also when it was looked at in between")
        void period() throws Exception {
            first.countersSupported = true;
            first.metrics = Map.of(
                    Metric.SM,
                    95.0,
                    Metric.TENSOR,
                    100.4,
                    Metric.DRAM,
                    101.5,
                    Metric.FP16,
                    Double.NaN,
                    Metric.PCIE_SENT,
                    2.0,
                    Metric.NVLINK_RECEIVED,
                    1024.0,
                    Metric.NVLINK_SENT,
                    -1.0);
            assertEquals(Optional.empty(), readFirst().detail());
            pass(10);
            probe.poll();
            pass(20);
            GpuDetail detail = detail(readFirst());
            assertEquals(
                    Optional.of(new Activity(
                            OptionalDouble.empty(),
                            OptionalDouble.of(0.95),
                            OptionalDouble.empty(),
                            OptionalDouble.of(1),
                            OptionalDouble.empty(),
                            OptionalDouble.empty(),
                            OptionalDouble.empty(),
                            OptionalDouble.empty(),
                            OptionalDouble.empty())),
                    detail.activity());
            assertEquals(
                    Optional.of(new Traffic(
                            OptionalDouble.of(2 << 20),
                            OptionalDouble.empty(),
                            OptionalDouble.empty(),
                            OptionalDouble.of(1 << 30))),
                    detail.traffic());
            pass(30);
            read();
            assertEquals(List.of("1001-1002", "1002-1001"), driver.pairs);
        }

        @Test
        @DisplayName("are not compared over less than a tenth of a second")
        void tooShort() throws Exception {
            first.countersSupported = true;
            first.metrics = Map.of(Metric.SM, 95.0);
            read();
            nanos += 99_000_000;
            assertEquals(Optional.empty(), readFirst().detail());
            nanos += 1_000_000;
            assertTrue(readFirst().detail().isPresent());
            assertEquals(List.of("1001-1002"), driver.pairs);
        }

        @Test
        @DisplayName("begin anew after a look that failed")
        void failedLook() throws Exception {
            first.countersSupported = true;
            first.metrics = Map.of(Metric.SM, 95.0);
            read();
            first.lookFailsWith = 999;
            pass(30);
            assertEquals(Optional.empty(), readFirst().detail());
            first.lookFailsWith = 0;
            pass(30);
            assertEquals(Optional.empty(), readFirst().detail());
            pass(30);
            assertTrue(readFirst().detail().isPresent());
            probe.close(); // the fake counts what is given back
        }

        @Test
        @DisplayName("of another session are not compared with this one's")
        void otherSession() throws Exception {
            first.countersSupported = true;
            first.metrics = Map.of(Metric.SM, 95.0);
            read();
            driver.failWith = NvmlException.UNINITIALIZED;
            pass(30);
            assertThrows(ProbeException.class, () -> read());
            driver.failWith = 0;
            assertEquals(Optional.empty(), readFirst().detail());
            assertEquals(List.of(), driver.pairs);
        }
    }

    @Nested
    @DisplayName("what is asked in batches")
    class Fields {
        @Test
        @DisplayName("traffic by counters is a rate between two readings")
        void traffic() throws Exception {
            first.field(Field.NVLINK_SENT_KIBIBYTES, 1000).field(Field.PCIE_RECEIVED_BYTES, 10L << 32);
            assertEquals(Optional.empty(), readFirst().detail());
            pass(10);
            first.field(Field.NVLINK_SENT_KIBIBYTES, 1050).field(Field.PCIE_RECEIVED_BYTES, (10L << 32) + 70);
            assertEquals(
                    Optional.of(new Traffic(
                            OptionalDouble.empty(),
                            OptionalDouble.of(7),
                            OptionalDouble.of(5 * 1024),
                            OptionalDouble.empty())),
                    detail(readFirst()).traffic());
        }

        @Test
        @DisplayName("a counter that went back tells nothing of that period")
        void wentBack() throws Exception {
            first.field(Field.NVLINK_SENT_KIBIBYTES, 1000);
            read();
            pass(10);
            first.field(Field.NVLINK_SENT_KIBIBYTES, 10);
            assertEquals(Optional.empty(), readFirst().detail());
            pass(10);
            first.field(Field.NVLINK_SENT_KIBIBYTES, 20);
            assertEquals(
                    OptionalDouble.of(1024),
                    detail(readFirst()).traffic().orElseThrow().nvlinkSentBytesPerSecond());
        }

        @Test
        @DisplayName("a PCIe counter that never passed 32 bits may have wrapped any number of times")
        void wraps() throws Exception {
            first.field(Field.PCIE_SENT_BYTES, 1000);
            read();
            pass(10);
            first.field(Field.PCIE_SENT_BYTES, 2000);
            assertEquals(Optional.empty(), readFirst().detail());
        }

        @Test
        @DisplayName("errors and replaced memory are asked for every five minutes, and kept in between")
        void rarely() throws Exception {
            first.field(Field.ECC_CORRECTED, 3)
                    .field(Field.ECC_UNCORRECTED, 1)
                    .field(Field.ECC_CORRECTED_EVER, 41)
                    .field(Field.ECC_UNCORRECTED_EVER, 2)
                    .field(Field.ROWS_REMAPPED_CORRECTABLE, 4)
                    .field(Field.ROWS_REMAPPED_UNCORRECTABLE, 5)
                    .field(Field.ROWS_WAIT_FOR_RESET, 1)
                    .field(Field.PCIE_REPLAYS, 6);
            Health told = new Health(
                    OptionalLong.of(3),
                    OptionalLong.of(1),
                    OptionalLong.of(41),
                    OptionalLong.of(2),
                    OptionalLong.of(9),
                    Optional.of(true),
                    OptionalLong.of(6),
                    Optional.empty(),
                    OptionalInt.empty());
            assertEquals(told, health(readFirst()));
            first.field(Field.ECC_CORRECTED, 1000);
            pass(120);
            assertEquals(told, health(readFirst()));
            pass(30); // the first of two GPUs comes after half of the five minutes
            assertEquals(OptionalLong.of(1000), health(readFirst()).eccCorrected());
        }

        @Test
        @DisplayName("the GPUs are asked the rare questions at different times")
        void spread() throws Exception {
            driver.devices.forEach(device -> device.field(Field.ECC_CORRECTED, 0));
            read();
            for (int i = 0; i < 10; i++) {
                driver.fieldsAsked.clear();
                pass(30);
                read();
                assertTrue(
                        driver.fieldsAsked.stream()
                                        .filter(asked -> asked.contains(Field.ECC_CORRECTED))
                                        .count()
                                <= 1,
                        () -> driver.fieldsAsked.toString());
            }
        }

        @Test
        @DisplayName("older products tell retired pages instead of remapped rows")
        void pages() throws Exception {
            first.field(Field.PAGES_RETIRED_FOR_SINGLE_BITS, 2)
                    .field(Field.PAGES_RETIRED_FOR_DOUBLE_BITS, 1)
                    .field(Field.PAGES_WAIT_FOR_RESET, 0);
            Health health = health(readFirst());
            assertEquals(OptionalLong.of(3), health.remappedRows());
            assertEquals(Optional.of(false), health.resetNeeded());
        }

        @ParameterizedTest
        @ValueSource(longs = {0, 1, 2, 3, 4})
        @DisplayName("the driver may ask for a reset itself")
        void recoveryAction(long action) throws Exception {
            first.field(Field.RECOVERY_ACTION, action);
            assertEquals(
                    Optional.of(action == 1 || action == 2 || action == 4),
                    health(readFirst()).resetNeeded());
        }

        @Test
        @DisplayName("a field that the driver does not know is asked for once")
        void unknown() throws Exception {
            first.field(Field.MEMORY_TEMPERATURE_CELSIUS, 58);
            first.fields.put(
                    Field.ENERGY_MILLIJOULES, new FieldAnswer(NvmlException.INVALID_ARGUMENT, OptionalLong.empty()));
            first.quantities.put(Quantity.ENERGY_MILLIJOULES, OptionalLong.of(7000));
            GpuReading reading = readFirst();
            assertEquals(OptionalDouble.of(58), detail(reading).memoryTemperatureCelsius());
            assertEquals(OptionalDouble.of(7), reading.energyJoules(), "by its own function instead");
            driver.fieldsAsked.clear();
            pass(30);
            read();
            assertFalse(driver.fieldsAsked.get(0).contains(Field.ENERGY_MILLIJOULES));
        }

        @Test
        @DisplayName("a driver that refuses the whole batch for one field is asked one by one, once")
        void refusedBatch() throws Exception {
            first.refusedBatches = Field.PCIE_SENT_BYTES;
            first.field(Field.MEMORY_TEMPERATURE_CELSIUS, 58);
            assertEquals(OptionalDouble.of(58), detail(readFirst()).memoryTemperatureCelsius());
            driver.fieldsAsked.clear();
            pass(30);
            assertEquals(OptionalDouble.of(58), detail(readFirst()).memoryTemperatureCelsius());
            assertEquals(1, driver.fieldsAsked.size(), "the other GPU knows no field at all");
        }

        @Test
        @DisplayName("an energy counter that began anew is told as it is")
        void energy() throws Exception {
            first.field(Field.ENERGY_MILLIJOULES, 9000);
            assertEquals(OptionalDouble.of(9), readFirst().energyJoules());
            first.field(Field.ENERGY_MILLIJOULES, 1000);
            pass(30);
            assertEquals(OptionalDouble.of(1), readFirst().energyJoules());
        }

        @Test
        @DisplayName("what holds the clocks down has names, bits of later drivers have numbers")
        void clockLimits() throws Exception {
            first.quantities.put(Quantity.CLOCK_LIMITS, OptionalLong.of(0b100_0000_0100 | 1L << 40));
            first.quantities.put(Quantity.MEMORY_CLOCK_MEGAHERTZ, OptionalLong.of(877));
            first.quantities.put(Quantity.FAN_PERCENT, OptionalLong.of(30));
            GpuDetail detail = detail(readFirst());
            assertEquals(Optional.of(List.of("sw_power_cap", "bit_10", "bit_40")), detail.clockLimits());
            assertEquals(OptionalDouble.of(8.77e8), detail.memoryClockHertz());
            assertEquals(0.3, detail.fanRatio().orElseThrow(), 1e-9);
            first.quantities.put(Quantity.CLOCK_LIMITS, OptionalLong.of(0));
            first.quantities.put(Quantity.FAN_PERCENT, OptionalLong.of(25_000));
            assertEquals(Optional.of(List.of()), detail(readFirst()).clockLimits());
            assertEquals(OptionalDouble.empty(), detail(readFirst()).fanRatio());
        }
    }

    @Nested
    @DisplayName("lists of processes")
    class Lists {
        @Test
        @DisplayName("that were empty are read at every fourth reading")
        void rarely() throws Exception {
            for (Kind kind : Kind.values()) {
                first.processes.put(kind, List.of());
            }
            for (int i = 0; i < 2 * ProcessList.EMPTY_LISTS_EVERY; i++) {
                read();
            }
            assertEquals(
                    Map.of(Kind.COMPUTE, 2 * ProcessList.EMPTY_LISTS_EVERY, Kind.GRAPHICS, 2, Kind.MPS, 2),
                    first.listsRead);
        }

        @Test
        @DisplayName("that were not empty are read at each reading, until they are empty")
        void often() throws Exception {
            first.processes.put(Kind.COMPUTE, List.of(running(1, 1L)));
            first.processes.put(Kind.GRAPHICS, List.of(running(2, 1L)));
            for (int i = 0; i < 3; i++) {
                assertEquals(List.of(1, 2), pids(readFirst()));
            }
            first.processes.put(Kind.GRAPHICS, List.of());
            assertEquals(List.of(1), pids(readFirst()));
            assertEquals(4, first.listsRead.get(Kind.GRAPHICS));
        }

        @Test
        @DisplayName("are all read when somebody works on the GPU and the compute list names nobody")
        void somebodyIsMissing() throws Exception {
            first.processes.put(Kind.COMPUTE, List.of());
            first.processes.put(Kind.GRAPHICS, List.of());
            first.sample(10, 0);
            read();
            first.processes.put(Kind.GRAPHICS, List.of(running(2, 1L)));
            pass(30);
            first.sample(20, 0);
            assertEquals(List.of(), pids(readFirst()));
            pass(30);
            first.sample(30, 5);
            assertEquals(List.of(2), pids(readFirst()));
        }
    }

    @Nested
    @DisplayName("XIDs")
    class XidsHeard {
        private final FakeNvml.Events events = new FakeNvml.Events();

        XidsHeard() {
            driver.events = Optional.of(events);
        }

        @Test
        @DisplayName("belong to their GPU and to the period in which they were heard")
        void heard() throws Exception {
            assertEquals(Optional.of(List.of()), health(readFirst()).xids());
            assertEquals(OptionalInt.empty(), health(readFirst()).lastXid());
            events.say(new Xid(100, 31), new Xid(101, 13), new Xid(100, 43), new Xid(7, 1));
            List<GpuReading> readings = read();
            assertEquals(Optional.of(List.of(31, 43)), health(readings.get(0)).xids());
            assertEquals(Optional.of(List.of(13)), health(readings.get(1)).xids());
            Health later = health(readFirst());
            assertEquals(Optional.of(List.of()), later.xids());
            assertEquals(OptionalInt.of(43), later.lastXid());
            probe.close();
            events.waitUntilClosed();
        }

        @Test
        @DisplayName("of a GPU that fell off the bus are its last words")
        void lastWords() throws Exception {
            first.quantities.put(Quantity.POWER_MILLIWATTS, OptionalLong.of(1));
            read();
            events.say(new Xid(100, 79));
            first.failWith = NvmlException.GPU_IS_LOST;
            pass(30);
            List<GpuReading> readings = read();
            assertEquals("GPU-0", readings.get(0).device().uuid());
            assertEquals(Optional.of(List.of(79)), health(readings.get(0)).xids());
            assertEquals(OptionalDouble.empty(), readings.get(0).powerWatts());
            pass(30);
            assertEquals("GPU-1", readFirst().device().uuid());
            probe.close();
        }

        @Test
        @DisplayName("that a reading told which came too late are told again, once")
        void missed() throws Exception {
            read();
            events.say(new Xid(100, 31));
            assertEquals(Optional.of(List.of(31)), health(readFirst()).xids());
            events.say(new Xid(100, 43));
            probe.missed();
            assertEquals(Optional.of(List.of(31, 43)), health(readFirst()).xids());
            assertEquals(Optional.of(List.of()), health(readFirst()).xids());
            probe.missed();
            assertEquals(Optional.of(List.of()), health(readFirst()).xids());
            probe.close();
        }

        @Test
        @DisplayName("that were missed are not lost when a poll finds their GPU gone")
        void goneBetween() throws Exception {
            first.quantities.put(Quantity.POWER_MILLIWATTS, OptionalLong.of(1));
            read();
            events.say(new Xid(100, 79));
            assertEquals(Optional.of(List.of(79)), health(readFirst()).xids());
            probe.missed();
            first.failWith = NvmlException.GPU_IS_LOST;
            pass(10);
            probe.poll();
            pass(20);
            assertEquals(Optional.of(List.of(79)), health(readFirst()).xids());
            probe.close();
        }

        @Test
        @DisplayName("that were heard before the driver was loaded anew are told by the session that works again")
        void reloaded() throws Exception {
            second.quantities.put(Quantity.POWER_MILLIWATTS, OptionalLong.of(1));
            read();
            events.say(new Xid(100, 79), new Xid(101, 13));
            second.failWith = NvmlException.UNINITIALIZED; // the first GPU has told its own by then
            pass(30);
            assertThrows(ProbeException.class, () -> probe.read(NOW));
            second.failWith = 0;
            driver.events = Optional.of(new FakeNvml.Events());
            pass(30);
            List<GpuReading> readings = read();
            assertEquals(Optional.of(List.of(79)), health(readings.get(0)).xids());
            assertEquals(Optional.of(List.of(13)), health(readings.get(1)).xids());
            probe.close();
        }

        @Test
        @DisplayName("in a flood fill a snapshot up to its bound")
        void flood() throws Exception {
            read();
            events.say(Collections.nCopies(600, new Xid(100, 13)).toArray(Xid[]::new));
            assertEquals(256, health(readFirst()).xids().orElseThrow().size());
            probe.close();
        }

        @Test
        @DisplayName("are not waited for any more when the session has ended by itself")
        void sessionEnded() throws Exception {
            read();
            events.fail(NvmlException.UNINITIALIZED);
            events.waitUntilClosed();
            assertEquals(2, read().size());
        }

        @Test
        @DisplayName("that the driver does not tell are absent, not none")
        void notSupported() throws Exception {
            driver.events = Optional.empty();
            first.field(Field.ECC_CORRECTED, 0);
            assertEquals(Optional.empty(), health(readFirst()).xids());
        }

        @Test
        @DisplayName("in a wait that hangs keep the library from being unloaded under it")
        void hangs() throws Exception {
            read();
            events.hang();
            probe.close();
            assertEquals(0, driver.closed);
            ProbeException e = assertThrows(ProbeException.class, () -> read());
            assertEquals(
                    "the driver still holds a call of the last session (nvmlEventSetWait)",
                    String.valueOf(e.getMessage()));
            events.goOn();
            events.waitUntilClosed();
            while (driver.closed == 0) { // the thread ends a moment after it closed
                try {
                    read();
                } catch (ProbeException notYet) {
                    Thread.onSpinWait();
                }
            }
            assertEquals(2, driver.opened);
            probe.close();
        }
    }

    @Test
    @DisplayName("single looks above 100 % are dropped")
    void absurdLooks() throws Exception {
        first.rates = Optional.of(new Nvml.Rates(250, 101));
        assertEquals(Optional.empty(), readFirst().utilization());
        assertEquals(Optional.empty(), readFirst().memoryUtilization());
    }

    @Test
    @DisplayName("a driver without GPUs is nothing wrong, and is let go")
    void noGpus() {
        driver.devices.clear();
        NothingToReadException e = assertThrows(NothingToReadException.class, () -> read());
        assertEquals(
                "no GPU of the NVIDIA driver (nvmlDeviceGetCount: the driver counts none (-1))",
                String.valueOf(e.getMessage()));
        assertEquals(1, driver.closed);
    }

    @Test
    @DisplayName("a GPU whose name or uuid no record takes does not cost the others")
    void absurdNames() throws Exception {
        first.uuid = "\u0000\u0007";
        second.name = "Bell\u0007";
        List<GpuReading> readings = read();
        assertEquals(1, readings.size());
        assertEquals("Bell?", readings.get(0).device().name());
    }
}
