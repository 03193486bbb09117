package io.fairwatch.agent.probe.nvml;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairwatch.agent.probe.nvml.Nvml.Quantity;
import io.fairwatch.agent.probe.nvml.Nvml.Ring;
import io.fairwatch.agent.probe.nvml.Nvml.Running;
import io.fairwatch.agent.probe.nvml.Nvml.Sample;
import io.fairwatch.agent.probe.nvml.Nvml.Share;
import io.fairwatch.agent.wire.GpuProcess.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against small C libraries with NVML's layouts, written with C structs so that the compiler lays them out. */
class NvmlLibraryTest {
    private static final String SOURCE = """
            #include <stdint.h>
            #include <string.h>
            typedef struct device *device;
            typedef struct { uint64_t timestamp; union { double d; uint32_t u; uint64_t l; } value; } sample;
            typedef struct { uint32_t pid; uint64_t timestamp; uint32_t sm, memory, encoder, decoder; } share;
            typedef struct { uint32_t version; uint64_t total, reserved, free, used; } memory2;
            typedef struct { uint64_t total, free, used; } memory1;
            typedef struct { uint32_t gpu, memory; } rates;
            typedef struct {
                char legacy[16]; uint32_t domain, bus, dev, id, subsystem; char bus_id[32];
            } pci;
            #if STRIDE == 16
            typedef struct { uint32_t pid; uint64_t memory; } process;
            #elif STRIDE == 24
            typedef struct { uint32_t pid; uint64_t memory; uint32_t gi, ci; } process;
            #else
            typedef struct { uint32_t pid; uint64_t memory; uint32_t gi, ci; uint64_t secret; } process;
            #endif
            _Static_assert(sizeof(process) == STRIDE, "process");
            int nvmlInit_v2(void) { return INIT; }
            int nvmlShutdown(void) { return 0; }
            int nvmlSystemGetDriverVersion(char *text, unsigned n) { strncpy(text, "535.1", n); return 0; }
            int nvmlDeviceGetCount_v2(unsigned *n) { *n = 3; return 0; }
            int nvmlDeviceGetHandleByIndex_v2(unsigned i, device *d) {
                *d = (device)(0x7f0000000000 + i); return i == 2 ? 15 : 0;
            }
            int nvmlDeviceGetUUID(device d, char *text, unsigned n) {
                strncpy(text, (uint64_t)d == 0x7f0000000001 ? "GPU-one" : "GPU-zero", n); return 0;
            }
            int nvmlDeviceGetPciInfo_v3(device d, pci *p) {
                memset(p, 0, sizeof *p);
                strcpy(p->legacy, "0000:34:00.0"); strcpy(p->bus_id, "00000000:34:00.0"); return 0;
            }
            int nvmlDeviceGetMinorNumber(device d, unsigned *n) { *n = 5; return 0; }
            int nvmlDeviceGetTotalEnergyConsumption(device d, uint64_t *n) { *n = 1ull << 40; return 0; }
            int nvmlDeviceGetPowerUsage(device d, unsigned *n) { *n = 0xffffffff; return 0; }
            int nvmlDeviceGetTemperature(device d, int sensor, unsigned *n) { *n = sensor ? 0 : 61; return 0; }
            int nvmlDeviceGetClockInfo(device d, int kind, unsigned *n) { *n = kind == 1 ? 1530 : 0; return 0; }
            #if MEMORY2
            int nvmlDeviceGetMemoryInfo_v2(device d, memory2 *m) {
                if (m->version != (sizeof *m | 2 << 24)) return 25;
                m->total = 100; m->reserved = 3; m->free = 57; m->used = 40; return 0;
            }
            #endif
            int nvmlDeviceGetMemoryInfo(device d, memory1 *m) { m->total = 100; m->free = 57; m->used = 43; return 0; }
            int nvmlDeviceGetUtilizationRates(device d, rates *r) { r->gpu = 12; r->memory = 3; return 0; }
            int nvmlDeviceGetSamples(device d, int kind, uint64_t last, int *type, unsigned *n, sample *s) {
                if (!s) { *n = 120; return 0; }
                if (*n < 3) return 7;
                *n = 3; *type = kind == 1 ? 1 : 0;
                for (unsigned i = 0; i < 3; i++) {
                    s[i].timestamp = last + 10 + i;
                    memset(&s[i].value, 0xee, 8);
                    if (kind == 1) s[i].value.u = i == 2 ? 250 : 40 + i; else s[i].value.d = 20.4 + i;
                }
                return 0;
            }
            static const unsigned running = PROCESSES;
            int RUNNING(device d, unsigned *n, process *p) {
                if (*n < running) { *n = running; return 7; }
                *n = running;
                for (unsigned i = 0; i < running; i++) {
                    memset(&p[i], 0, sizeof p[i]);
                    p[i].pid = 1000 + i; p[i].memory = i == 1 ? ~0ull : (uint64_t)i << 20;
                }
                return 0;
            }
            int nvmlDeviceGetProcessUtilization(device d, share *s, unsigned *n, uint64_t last) {
                if (!s) { *n = 100; return 7; }
                *n = 2;
                s[0] = (share){1000, last + 1, 90, 5, 0, 0}; s[1] = (share){1001, last + 2, 7, 5, 0, 0}; return 0;
            }
            #ifdef SIMULATED
            const char *fairwatch_simulated_gpus(void) { return "These are simulated GPUs."; }
            #endif
            """;

    private final Path directory;

    NvmlLibraryTest(@TempDir Path directory) {
        this.directory = directory;
    }

    /** Compiles; a machine without a C compiler skips these tests and says so. */
    private NvmlLibrary open(String... definitions) throws Exception {
        List<String> given = new ArrayList<>(List.of(definitions));
        for (String preset : List.of(
                "INIT=0", "MEMORY2=1", "STRIDE=24", "PROCESSES=3", "RUNNING=nvmlDeviceGetComputeRunningProcesses_v3")) {
            if (given.stream().noneMatch(d -> d.startsWith(preset.substring(0, preset.indexOf('=') + 1)))) {
                given.add(preset);
            }
        }
        Path source = Files.writeString(directory.resolve("nvml.c"), SOURCE);
        Path library = directory.resolve("libnvml-" + Integer.toHexString(given.hashCode()) + ".so");
        List<String> command = new ArrayList<>(List.of("gcc", "-w", "-shared", "-fPIC", "-o", library.toString()));
        given.forEach(definition -> command.add("-D" + definition));
        command.add(source.toString());
        Process compiler;
        try {
            compiler = new ProcessBuilder(command).inheritIO().start();
        } catch (IOException e) {
            assumeTrue(false, "SKIPPED: no gcc here, so NVML's layouts are not proved: " + e.getMessage());
            throw e;
        }
        assertEquals(0, compiler.waitFor());
        return NvmlLibrary.open(library.toString());
    }

    @Test
    @DisplayName("every layout is read where the C compiler puts it")
    void layouts() throws Exception {
        try (NvmlLibrary nvml = open()) {
            long device = nvml.device(1);
            assertEquals(0x7f0000000001L, device);
            assertEquals("535.1", nvml.driverVersion());
            assertEquals(3, nvml.deviceCount());
            assertEquals("GPU-one", nvml.uuid(device));
            assertEquals("00000000:34:00.0", nvml.pciBusId(device));
            assertEquals(OptionalLong.of(5), nvml.quantity(device, Quantity.MINOR_NUMBER));
            assertEquals(OptionalLong.of(1L << 40), nvml.quantity(device, Quantity.ENERGY_MILLIJOULES));
            assertEquals(OptionalLong.of(61), nvml.quantity(device, Quantity.TEMPERATURE_CELSIUS));
            assertEquals(OptionalLong.of(1530), nvml.quantity(device, Quantity.SM_CLOCK_MEGAHERTZ));
            assertEquals(new Nvml.Memory(100, 40, OptionalLong.of(3)), nvml.memory(device));
            assertEquals(new Nvml.Rates(12, 3), nvml.rates(device));
            assertEquals(List.of(new Share(1000, 51, 90), new Share(1001, 52, 7)), nvml.shares(device, 50));
            assertEquals(Optional.empty(), nvml.simulated());
        }
    }

    @Test
    @DisplayName("samples are whole or floating numbers as the driver says, and absurd ones are dropped")
    void samples() throws Exception {
        try (NvmlLibrary nvml = open()) {
            long device = nvml.device(0);
            assertEquals(List.of(new Sample(1010, 40), new Sample(1011, 41)), nvml.samples(device, Ring.GPU, 1000));
            assertEquals(
                    List.of(new Sample(10, 20), new Sample(11, 21), new Sample(12, 22)),
                    nvml.samples(device, Ring.MEMORY, 0));
        }
    }

    @Test
    @DisplayName("NVML's numbers for \"not available\" are absent")
    void sentinels() throws Exception {
        try (NvmlLibrary nvml = open()) {
            long device = nvml.device(0);
            assertEquals(OptionalLong.empty(), nvml.quantity(device, Quantity.POWER_MILLIWATTS));
            assertEquals(
                    OptionalLong.empty(),
                    nvml.processes(device, Kind.COMPUTE).get(1).memoryBytes());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "16, nvmlDeviceGetComputeRunningProcesses, 3",
        "24, nvmlDeviceGetComputeRunningProcesses_v2, 3",
        "24, nvmlDeviceGetComputeRunningProcesses_v3, 3",
        "32, nvmlDeviceGetComputeRunningProcesses_v3, 3",
        "16, nvmlDeviceGetComputeRunningProcesses_v3, 3",
        "32, nvmlDeviceGetComputeRunningProcesses_v3, 2",
        "24, nvmlDeviceGetComputeRunningProcesses_v3, 0",
        "24, nvmlDeviceGetComputeRunningProcesses_v3, 500",
        "32, nvmlDeviceGetComputeRunningProcesses_v3, 5000",
    })
    @DisplayName("the size of a process record is measured, whatever the function is called")
    void strides(int stride, String function, int count) throws Exception {
        try (NvmlLibrary nvml = open("STRIDE=" + stride, "RUNNING=" + function, "PROCESSES=" + count)) {
            List<Running> processes = nvml.processes(nvml.device(0), Kind.COMPUTE);
            assertEquals(count, processes.size());
            for (int i = 0; i < count; i++) {
                OptionalLong memory = i == 1 ? OptionalLong.empty() : OptionalLong.of((long) i << 20);
                assertEquals(new Running(1000 + i, memory), processes.get(i));
            }
        }
    }

    @Test
    @DisplayName("when the whole buffer was written the usual size holds")
    void strideUnknown() {
        byte[] cleared = new byte[40 * 128];
        assertEquals(24, NvmlLibrary.stride(cleared, 3, 24));
        Arrays.fill(cleared, (byte) 0xA5);
        assertArrayEquals(new int[] {16}, new int[] {NvmlLibrary.stride(cleared, 0, 24)});
    }

    @Test
    @DisplayName("a driver without version 2 counts what it keeps for itself as used")
    void oldMemory() throws Exception {
        try (NvmlLibrary nvml = open("MEMORY2=0")) {
            assertEquals(new Nvml.Memory(100, 43, OptionalLong.empty()), nvml.memory(nvml.device(0)));
        }
    }

    @Test
    @DisplayName("a function that the driver does not have fails alone")
    void missingFunction() throws Exception {
        try (NvmlLibrary nvml = open()) {
            long device = nvml.device(0);
            NvmlException e =
                    assertThrows(NvmlException.class, () -> nvml.quantity(device, Quantity.POWER_LIMIT_MILLIWATTS));
            assertEquals("nvmlDeviceGetEnforcedPowerLimit: the library has no such function (13)", e.getMessage());
            assertTrue(e.isForGood());
            assertThrows(NvmlException.class, () -> nvml.processes(device, Kind.GRAPHICS));
        }
    }

    @Test
    @DisplayName("a lost GPU is told by its code")
    void lost() throws Exception {
        try (NvmlLibrary nvml = open()) {
            assertTrue(assertThrows(NvmlException.class, () -> nvml.device(2)).losesDevice());
        }
    }

    @Test
    @DisplayName("a driver that is not loaded is no driver, and the library can be opened again")
    void notLoaded() throws Exception {
        assertTrue(assertThrows(NvmlException.class, () -> open("INIT=9")).isNoDriver());
        try (NvmlLibrary nvml = open("SIMULATED=1")) {
            assertEquals(Optional.of("These are simulated GPUs."), nvml.simulated());
        }
    }

    @Test
    @DisplayName("no library is no driver")
    void noLibrary() {
        NvmlException e = assertThrows(
                NvmlException.class,
                () -> NvmlLibrary.open(directory.resolve("libnothing.so").toString()));
        assertTrue(e.isNoDriver(), e::getMessage);
        assertTrue(assertThrows(NvmlException.class, () -> NvmlLibrary.open("libc.so.6"))
                .isNoDriver());
    }
}
