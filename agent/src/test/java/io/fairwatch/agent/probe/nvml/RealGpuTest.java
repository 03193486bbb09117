package io.fairwatch.agent.probe.nvml;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Answer;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobRef;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.opentest4j.TestAbortedException;

/**
 * On real hardware, where there is some: {@code mvn -pl agent test -Dgroups=gpu}. Prints what the driver offers, what each
 * call costs, and what NVML and {@code nvidia-smi} say side by side over a minute of a known load. What cannot be tried
 * is skipped with a sentence, never passed.
 */
@Tag("gpu")
class RealGpuTest {
    private static final String ASKED =
            "uuid,index,pci.bus_id,name,memory.total,memory.reserved,power.draw,temperature.gpu,clocks.sm,mig.mode.current";
    private static final double MEBIBYTE = 1 << 20;
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

    @BeforeEach
    void needsDriver() {
        boolean there = Files.exists(Path.of("/proc/driver/nvidia/version")) || Files.exists(Path.of("/dev/nvidiactl"));
        String why = "SKIPPED: no NVIDIA driver here, so nothing is proved on real GPUs";
        if (!there) {
            System.out.println(why);
        }
        assumeTrue(there, why);
    }

    /** One line per GPU, its columns as asked for; skips where there is no nvidia-smi. */
    private static List<List<String>> nvidiaSmi() throws Exception {
        return nvidiaSmi(ASKED);
    }

    private static List<List<String>> nvidiaSmi(String asked) throws Exception {
        Process process;
        try {
            process = new ProcessBuilder("nvidia-smi", "--query-gpu=" + asked, "--format=csv,noheader,nounits").start();
        } catch (IOException e) {
            String why = "SKIPPED: no nvidia-smi to compare with, so no reading is proved: " + e.getMessage();
            System.out.println(why);
            throw new TestAbortedException(why, e);
        }
        String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), answer);
        return answer.lines().map(line -> List.of(line.split(", *"))).toList();
    }

    private static Optional<Double> number(String text) {
        try {
            return Optional.of(Double.valueOf(text));
        } catch (NumberFormatException notOffered) { // [N/A]
            return Optional.empty();
        }
    }

    private static void near(String what, String theirs, OptionalDouble ours, double tolerance) {
        number(theirs)
                .ifPresent(number -> assertEquals(
                        number, ours.orElseThrow(() -> new AssertionError(what + " is absent")), tolerance, what));
    }

    @Test
    @DisplayName("readings agree with nvidia-smi")
    void agrees() throws Exception {
        try (NvmlGpuProbe probe = new NvmlGpuProbe(Optional.empty(), NOBODY, Duration.ofSeconds(10))) {
            probe.read(Instant.now());
            LockSupport.parkNanos(1_000_000_000L); // counters and rings are over some time
            long began = System.nanoTime();
            List<GpuReading> all = probe.read(Instant.now()).gpus();
            System.out.printf("a reading of %d devices took %.2f ms%n", all.size(), (System.nanoTime() - began) / 1e6);
            all.forEach(System.out::println);
            List<GpuReading> whole = all.stream()
                    .filter(reading -> reading.device().mig().isEmpty())
                    .toList();
            List<List<String>> rows = nvidiaSmi();
            assertEquals(rows.size(), whole.size());
            for (int i = 0; i < rows.size(); i++) {
                List<String> row = rows.get(i);
                GpuReading reading = whole.get(i);
                assertEquals(row.get(0), reading.device().uuid());
                assertEquals(row.get(1), Integer.toString(reading.device().index()));
                assertEquals(Optional.of(row.get(2)), reading.device().pciBusId());
                assertEquals(row.get(3), reading.device().name());
                near("memory", row.get(4), mebibytes(reading.device().memoryTotalBytes()), 1);
                if (!row.get(9).equals("Enabled")) {
                    near("reserved memory", row.get(5), mebibytes(reading.memoryReservedBytes()), 1);
                    assertTrue(reading.utilization().isPresent());
                    assertTrue(reading.processes().isPresent());
                }
                near("power", row.get(6), reading.powerWatts(), 30);
                near("temperature", row.get(7), reading.temperatureCelsius(), 4);
                near("clock", row.get(8), times(reading.smClockHertz(), 1e-6), 400);
            }
        }
    }

    private static OptionalDouble mebibytes(OptionalLong bytes) {
        return bytes.isPresent() ? OptionalDouble.of(bytes.getAsLong() / MEBIBYTE) : OptionalDouble.empty();
    }

    private static OptionalDouble times(OptionalDouble value, double unit) {
        return value.isPresent() ? OptionalDouble.of(value.getAsDouble() * unit) : OptionalDouble.empty();
    }

    @Test
    @DisplayName("energy and power tell of the same watts")
    void energy() throws Exception {
        try (NvmlGpuProbe probe = new NvmlGpuProbe(Optional.empty(), NOBODY, Duration.ofSeconds(10))) {
            GpuReading before = probe.read(Instant.now()).gpus().get(0);
            long began = System.nanoTime();
            List<Double> watts = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                LockSupport.parkNanos(200_000_000L);
                GpuReading now = probe.read(Instant.now()).gpus().get(0);
                now.powerWatts().ifPresent(watts::add);
            }
            GpuReading after = probe.read(Instant.now()).gpus().get(0);
            double seconds = (System.nanoTime() - began) / 1e9;
            assumeTrue(
                    after.energyJoules().isPresent() && !watts.isEmpty(),
                    "SKIPPED: this product counts no energy or tells no power");
            double counted =
                    (after.energyJoules().orElseThrow() - before.energyJoules().orElseThrow()) / seconds;
            double told =
                    watts.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
            System.out.printf("power by counter %.1f W, as told %.1f W%n", counted, told);
            assertEquals(told, counted, Math.max(30, told / 4));
        }
    }

    @Test
    @DisplayName("what each call costs is measured over twenty readings, each of every device, and printed")
    void costPerCall() throws Exception {
        int readings = 20;
        TimedNvml timed = new TimedNvml();
        try (NvmlGpuProbe probe = new NvmlGpuProbe(
                timed.opener(() -> NvmlLibrary.open(NvmlLibrary.DEFAULT)),
                NOBODY,
                System::nanoTime,
                Duration.ofSeconds(1))) {
            int devices = probe.read(Instant.now()).gpus().size();
            long began = System.nanoTime();
            for (int i = 0; i < readings; i++) {
                LockSupport.parkNanos(200_000_000L);
                assertEquals(devices, probe.read(Instant.now()).gpus().size());
            }
            double millis = (System.nanoTime() - began) / 1e6 / readings - 200;
            System.out.printf("%d devices, a reading %.2f ms%n%s", devices, millis, timed.table());
        }
        assertTrue(timed.calls("quantity") >= readings, timed.table());
    }

    @Test
    @DisplayName(
            "over one minute, busy for half of each two seconds, readings are beside nvidia-smi and the known load")
    void knownLoad() throws Exception {
        int seconds = 60;
        try (NvmlGpuProbe probe = new NvmlGpuProbe(Optional.empty(), NOBODY, Duration.ofSeconds(10))) {
            GpuReading first = probe.read(Instant.now()).gpus().stream()
                    .filter(reading -> reading.device().mig().isEmpty()
                            && reading.utilization().isPresent())
                    .findFirst()
                    .orElseThrow(() -> skipped("no GPU that is not cut into MIG instances"));
            String uuid = first.device().uuid();
            KnownLoad load;
            try {
                load = new KnownLoad(first.device().pciBusId().orElseThrow());
            } catch (UnsatisfiedLinkError | IllegalStateException e) {
                throw skipped("no load can be made here: " + e.getMessage());
            }
            String asked = "uuid,utilization.gpu,power.draw,memory.used";
            nvidiaSmi(asked); // skips without
            load.busy(Duration.ofSeconds(1));
            probe.read(Instant.now()); // the minute begins
            List<List<String>> theirs = new ArrayList<>();
            List<GpuReading> ours = new ArrayList<>();
            Thread smi = new Thread(() -> {
                for (long i = 0, began = System.nanoTime(); i < 2L * seconds; i++) {
                    LockSupport.parkNanos(began + i * 500_000_000L - System.nanoTime());
                    try {
                        nvidiaSmi(asked).stream()
                                .filter(row -> row.get(0).equals(uuid))
                                .forEach(theirs::add);
                    } catch (Exception e) {
                        return; // too few rows are told below
                    }
                }
            });
            smi.start();
            for (long i = 0, began = System.nanoTime(); i < seconds / 2; i++) {
                LockSupport.parkNanos(began + i * 2_000_000_000L - System.nanoTime());
                load.busy(Duration.ofSeconds(1));
                if (i % 5 == 4) {
                    ours.add(of(uuid, probe.read(Instant.now()).gpus()));
                }
            }
            smi.join();
            assertTrue(theirs.size() > seconds, "rows of nvidia-smi: " + theirs.size());
            double ourMean = ours.stream()
                    .mapToDouble(reading -> reading.utilization().orElseThrow().meanRatio())
                    .average()
                    .orElseThrow();
            double theirMean = mean(theirs, 1) / 100;
            double ourWatts = ours.stream()
                    .mapToDouble(reading -> reading.powerWatts().orElse(Double.NaN))
                    .average()
                    .orElseThrow();
            System.out.printf(
                    "busy for half of a minute: utilisation %.3f, nvidia-smi %.3f (source %s); power %.1f W, nvidia-smi"
                            + " %.1f W%n",
                    ourMean, theirMean, ours.get(0).utilization().orElseThrow().source(), ourWatts, mean(theirs, 2));
            assertEquals(0.5, ourMean, 0.1, "of what was known");
            assertEquals(theirMean, ourMean, 0.15, "nvidia-smi, which looks now and then");
            assertEquals(
                    1.0, ours.get(0).utilization().orElseThrow().maxRatio(), 0.05, "while it is busy it is wholly so");
        }
    }

    private static TestAbortedException skipped(String why) {
        System.out.println("SKIPPED: " + why);
        return new TestAbortedException("SKIPPED: " + why);
    }

    private static GpuReading of(String uuid, List<GpuReading> readings) {
        return readings.stream()
                .filter(reading -> reading.device().uuid().equals(uuid))
                .findFirst()
                .orElseThrow();
    }

    private static double mean(List<List<String>> rows, int column) {
        return rows.stream()
                .flatMap(row -> number(row.get(column)).stream())
                .mapToDouble(Double::doubleValue)
                .average()
                .orElse(Double.NaN);
    }

    @Test
    @DisplayName("the inspection answers for every GPU")
    void inspection() throws Exception {
        NvmlInspection inspection = NvmlInspection.of(Optional.empty());
        System.out.println("driver " + inspection.driverVersion() + " CUDA " + inspection.cudaVersion());
        for (NvmlInspection.Device device : inspection.devices()) {
            System.out.println(device.device());
            for (Answer answer : device.answers()) {
                System.out.printf("  %-36s %s %s%n", answer.reading(), answer.outcome(), answer.why());
            }
        }
        assertTrue(inspection.silent().isEmpty(), () -> inspection.silent().toString());
        assertTrue(!inspection.devices().isEmpty());
    }
}
