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

/**
 * On real hardware, where there is some: {@code mvn -pl agent test -Dgroups=gpu}. Prints what the driver offers and what
 * a reading costs.
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

    /** One line per GPU, its columns as asked for; empty where there is no nvidia-smi. */
    private static List<List<String>> nvidiaSmi() throws Exception {
        Process process;
        try {
            process = new ProcessBuilder("nvidia-smi", "--query-gpu=" + ASKED, "--format=csv,noheader,nounits").start();
        } catch (IOException e) {
            System.out.println("no nvidia-smi to compare with: " + e.getMessage());
            return List.of();
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
            if (rows.isEmpty()) {
                return;
            }
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
    @DisplayName("the inspection answers for every GPU; what a call costs is printed")
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
