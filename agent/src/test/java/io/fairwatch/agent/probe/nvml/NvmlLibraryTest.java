package io.fairwatch.agent.probe.nvml;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairwatch.agent.probe.nvml.Nvml.Field;
import io.fairwatch.agent.probe.nvml.Nvml.FieldAnswer;
import io.fairwatch.agent.probe.nvml.Nvml.Metric;
import io.fairwatch.agent.probe.nvml.Nvml.Quantity;
import io.fairwatch.agent.probe.nvml.Nvml.Ring;
import io.fairwatch.agent.probe.nvml.Nvml.Running;
import io.fairwatch.agent.probe.nvml.Nvml.Sample;
import io.fairwatch.agent.probe.nvml.Nvml.Share;
import io.fairwatch.agent.probe.nvml.Nvml.Xid;
import io.fairwatch.agent.wire.GpuProcess.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
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
            #elif STRIDE == 32
            typedef struct { uint32_t pid; uint64_t memory; uint32_t gi, ci; uint64_t secret; } process;
            #else
            typedef struct { uint32_t pid; uint64_t memory; uint32_t gi, ci; uint64_t secret, more; } process;
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
            int nvmlDeviceGetClockInfo(device d, int kind, unsigned *n) {
                *n = kind == 1 ? 1530 : kind == 2 ? 0x7ffffff1 : 0; return 0;
            }
            int nvmlDeviceGetCurrentClocksThrottleReasons(device d, uint64_t *bits) { *bits = 1ull << 33 | 4; return 0; }
            int nvmlSystemGetCudaDriverVersion(int *version) { *version = 12020; return 0; }
            int nvmlDeviceGetFanSpeed(device d, unsigned *n) { *n = 33; return 0; }
            int nvmlDeviceGetPersistenceMode(device d, unsigned *n) { *n = 1; return 0; }
            int nvmlDeviceGetAccountingMode(device d, unsigned *n) { *n = 0; return 0; }
            int nvmlDeviceGetMigMode(device d, unsigned *now, unsigned *then) { *now = 1; *then = 0; return 0; }
            int nvmlDeviceGetMaxMigDeviceCount(device d, unsigned *n) { *n = 7; return 0; }
            int nvmlDeviceGetMigDeviceHandleByIndex(device d, unsigned i, device *instance) {
                *instance = (device)(0x7e0000000000 + i); return i == 1 ? 6 : i == 6 ? 2 : i == 5 ? 999 : 0;
            }
            int nvmlDeviceGetGpuInstanceId(device d, unsigned *n) { *n = 9; return 0; }
            int nvmlDeviceGetComputeInstanceId(device d, unsigned *n) { *n = 3; return 0; }
            typedef struct { uint32_t sms, a, b, c, d, e, f, g; uint64_t mib; } attributes;
            int nvmlDeviceGetAttributes_v2(device d, attributes *a) { memset(a, 1, sizeof *a); a->sms = 14; return 0; }
            typedef struct {
                uint32_t field, scope; int64_t timestamp, latency; uint32_t type, result;
                union { double d; uint32_t u; uint64_t l; int64_t s; uint16_t h; } value;
            } field_value;
            int nvmlDeviceGetFieldValues(device d, int n, field_value *f) {
                for (int i = 0; i < n; i++) {
                    memset(&f[i].value, 0xee, 8);
                    f[i].result = 0;
                    switch (f[i].field) {
                    case 3: f[i].type = 0; f[i].value.d = 3.0; break;
                    case 4: f[i].type = 1; f[i].value.u = 4; break;
                    case 5: f[i].type = 2; f[i].value.l = 5ull << 33; break;
                    case 6: f[i].type = 3; f[i].value.l = ~0ull; break;
                    case 29: f[i].type = 4; f[i].value.s = 29; break;
                    case 30: f[i].type = 5; f[i].value.u = 30; break;
                    case 31: f[i].type = 6; f[i].value.h = 31; break;
                    case 82: f[i].type = 1; f[i].value.l = ~0ull; break;
                    case 83: f[i].type = 3; f[i].value.l = 9223372036854775794ull; break;
                    case 94: f[i].type = 1; f[i].value.u = 0x7ffffff2; break;
                    case 138: f[i].type = 3; f[i].value.l = f[i].scope == 0xffffffff ? 138 : 0; break;
                    case 142: f[i].type = 9; break;
                    case 144: f[i].type = 0; f[i].value.d = -1; break;
                    default: f[i].result = f[i].field == 143 ? 2 : 3;
                    }
                }
                return 0;
            }
            typedef struct { uint32_t version, supported; } support;
            int nvmlGpmQueryDeviceSupport(device d, support *s) {
                if (s->version != 1) return 25;
                s->supported = 1; return 0;
            }
            static int looks;
            int nvmlGpmSampleAlloc(void **look) { *look = (void *)(0x5000 + (uint64_t)looks++); return 0; }
            int nvmlGpmSampleFree(void *look) { return 0; }
            int nvmlGpmSampleGet(device d, void *look) { return (uint64_t)look == 0x5000 ? 0 : 2; }
            int nvmlGpmMigSampleGet(device d, unsigned gi, void *look) { return gi == 9 ? 0 : 2; }
            typedef struct { uint32_t id, result; double value; const char *names[3]; } metric;
            typedef struct { uint32_t version, count; void *first, *second; metric metrics[333]; } metrics;
            int nvmlGpmMetricsGet(metrics *m) {
                if (m->version != 1 || m->first != (void *)0x5000 || m->second != (void *)0x5001) return 2;
                for (unsigned i = 0; i < m->count; i++) {
                    m->metrics[i].result = m->metrics[i].id == 11 ? 3 : 0;
                    m->metrics[i].value = m->metrics[i].id + 0.5;
                    m->metrics[i].names[2] = "unit";
                }
                return 0;
            }
            typedef struct { device d; uint64_t type, data; uint32_t gi, ci; } event;
            int nvmlEventSetCreate(void **set) { *set = (void *)0x6000; return 0; }
            int nvmlEventSetFree(void *set) { return set == (void *)0x6000 ? 0 : 2; }
            int nvmlDeviceRegisterEvents(device d, uint64_t types, void *set) {
                return types != 8 || set != (void *)0x6000 ? 2 : (uint64_t)d == 0x7f0000000001 ? 3 : 0;
            }
            static int waits;
            int nvmlEventSetWait_v2(void *set, event *e, unsigned ms) {
                if (set != (void *)0x6000 || ms != 1234) return 2;
                *e = (event){(device)0x7f0000000000, 8, 79, 0xffffffff, 0xffffffff};
                switch (waits++) {
                case 0: return 0;
                case 1: e->type = 1; return 0;
                case 2: e->data = ~0ull; return 0;
                case 3: return 10;
                default: return 15;
                }
            }
            #if MEMORY2
            int nvmlDeviceGetMemoryInfo_v2(device d, memory2 *m) {
                if (m->version != (sizeof *m | 2 << 24)) return 25;
                m->total = 100; m->reserved = 3; m->free = 57; m->used = 40; return 0;
            }
            #endif
            int nvmlDeviceGetMemoryInfo(device d, memory1 *m) { m->total = 100; m->free = 57; m->used = 43; return 0; }
            int nvmlDeviceGetUtilizationRates(device d, rates *r) { r->gpu = 12; r->memory = 3; return 0; }
            static int sizes;
            int nvmlDeviceGetSamples(device d, int kind, uint64_t last, int *type, unsigned *n, sample *s) {
                if (!s) { *n = GROWS ? ++sizes : 120; return 0; }
                if (*n < 3 + GROWS) return 7;
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
                if (*n < running || running == 77777777) { *n = GROWS ? 0xfffffff0 : running; return 7; }
                *n = running;
                for (unsigned i = 0; i < running; i++) {
                    memset(&p[i], 0, sizeof p[i]);
                    p[i].pid = 1000 + i; p[i].memory = i == 1 ? ~0ull : (uint64_t)i << 20;
                }
                return 0;
            }
            int nvmlDeviceGetProcessUtilization(device d, share *s, unsigned *n, uint64_t last) {
                if (!s) { *n = GROWS ? 0x7fffffff : 100; return 7; }
                if (GROWS) return 7;
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
                "INIT=0",
                "MEMORY2=1",
                "STRIDE=24",
                "PROCESSES=3",
                "GROWS=0",
                "RUNNING=nvmlDeviceGetComputeRunningProcesses_v3")) {
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
            assertEquals(
                    OptionalLong.of(1L << 33 | 4), nvml.quantity(device, Quantity.CLOCK_LIMITS), "under its old name");
            assertEquals(OptionalLong.of(33), nvml.quantity(device, Quantity.FAN_PERCENT));
            assertEquals(OptionalLong.of(1), nvml.quantity(device, Quantity.PERSISTENCE_MODE));
            assertEquals(OptionalLong.of(0), nvml.quantity(device, Quantity.ACCOUNTING_MODE));
            assertEquals(12020, nvml.cudaVersion());
            assertEquals(
                    new Nvml.Memory(OptionalLong.of(100), OptionalLong.of(40), OptionalLong.of(3)),
                    nvml.memory(device));
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
            assertEquals(OptionalLong.empty(), nvml.quantity(device, Quantity.MEMORY_CLOCK_MEGAHERTZ));
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
        "40, nvmlDeviceGetComputeRunningProcesses_v3, 3",
        "40, nvmlDeviceGetComputeRunningProcesses_v3, 1",
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
                OptionalInt zero = stride == 16 ? OptionalInt.empty() : OptionalInt.of(0);
                assertEquals(new Running(1000 + i, memory, zero, zero), processes.get(i));
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
    @DisplayName("a buffer that never suffices is not enlarged for ever, nor beyond measure")
    void growing() throws Exception {
        try (NvmlLibrary nvml = open("GROWS=1", "PROCESSES=77777777")) {
            long device = nvml.device(0);
            assertEquals(
                    NvmlException.INSUFFICIENT_SIZE,
                    assertThrows(NvmlException.class, () -> nvml.samples(device, Ring.GPU, 0))
                            .code());
            assertEquals(
                    NvmlException.INSUFFICIENT_SIZE,
                    assertThrows(NvmlException.class, () -> nvml.processes(device, Kind.COMPUTE))
                            .code());
            assertEquals(
                    NvmlException.INSUFFICIENT_SIZE,
                    assertThrows(NvmlException.class, () -> nvml.shares(device, 0))
                            .code());
            assertEquals(2, nvml.samples(device, Ring.GPU, 0).size(), "four are asked for by then");
        }
    }

    @Test
    @DisplayName("instances are found with their ids, and gaps between them are no errors")
    void mig() throws Exception {
        try (NvmlLibrary nvml = open()) {
            long device = nvml.device(0);
            assertEquals(OptionalLong.of(1), nvml.quantity(device, Quantity.MIG_MODE));
            assertEquals(OptionalLong.of(7), nvml.quantity(device, Quantity.MIG_DEVICES_AT_MOST));
            assertEquals(OptionalLong.of(0x7e0000000000L), nvml.instance(device, 0));
            assertEquals(OptionalLong.empty(), nvml.instance(device, 1));
            assertEquals(OptionalLong.empty(), nvml.instance(device, 6));
            assertThrows(NvmlException.class, () -> nvml.instance(device, 5));
            assertEquals(OptionalLong.of(9), nvml.quantity(device, Quantity.GPU_INSTANCE_ID));
            assertEquals(OptionalLong.of(3), nvml.quantity(device, Quantity.COMPUTE_INSTANCE_ID));
            assertEquals(OptionalLong.of(14), nvml.quantity(device, Quantity.MULTIPROCESSORS));
        }
    }

    @Test
    @DisplayName("fields have values of every type, and sentinels of each are absent")
    void fields() throws Exception {
        try (NvmlLibrary nvml = open()) {
            Map<Field, FieldAnswer> told = nvml.fields(nvml.device(0), EnumSet.allOf(Field.class));
            Map<Field, Long> values = new EnumMap<>(Field.class);
            told.forEach((field, answer) -> answer.value().ifPresent(value -> values.put(field, value)));
            assertEquals(
                    Map.of(
                            Field.ECC_CORRECTED, 3L,
                            Field.ECC_UNCORRECTED, 4L,
                            Field.ECC_CORRECTED_EVER, 5L << 33,
                            Field.PAGES_RETIRED_FOR_SINGLE_BITS, 29L,
                            Field.PAGES_RETIRED_FOR_DOUBLE_BITS, 30L,
                            Field.PAGES_WAIT_FOR_RESET, 31L,
                            Field.NVLINK_SENT_KIBIBYTES, 138L),
                    values);
            assertEquals(0, code(told, Field.ECC_UNCORRECTED_EVER));
            assertEquals(NvmlException.NOT_SUPPORTED, code(told, Field.PCIE_SENT_BYTES));
            assertEquals(NvmlException.INVALID_ARGUMENT, code(told, Field.ROWS_REMAPPED_UNCORRECTABLE));
        }
    }

    private static int code(Map<Field, FieldAnswer> told, Field field) {
        return Optional.ofNullable(told.get(field)).orElseThrow().code();
    }

    @Test
    @DisplayName("counters are asked for by number, and those that a product lacks are left out")
    void counters() throws Exception {
        try (NvmlLibrary nvml = open()) {
            long device = nvml.device(0);
            assertTrue(nvml.hasCounters(device));
            long one = nvml.newLook();
            long two = nvml.newLook();
            nvml.look(device, OptionalInt.empty(), one);
            nvml.look(device, OptionalInt.of(9), two);
            assertThrows(NvmlException.class, () -> nvml.look(device, OptionalInt.of(8), two));
            assertEquals(
                    Map.of(Metric.SM, 2.5, Metric.NVLINK_SENT, 61.5),
                    nvml.between(one, two, EnumSet.of(Metric.SM, Metric.FP64, Metric.NVLINK_SENT)));
            nvml.freeLook(one);
            nvml.freeLook(two);
        }
    }

    @Test
    @DisplayName("of events only XIDs with a number count, and only of devices that tell them")
    void events() throws Exception {
        try (NvmlLibrary nvml = open()) {
            long device = nvml.device(0);
            assertThrows(NvmlException.class, () -> nvml.xids(List.of(0x7f0000000001L)));
            try (Nvml.Xids xids = nvml.xids(List.of(device, 0x7f0000000001L))) {
                assertTrue(xids.covers(device));
                assertFalse(xids.covers(0x7f0000000001L));
                assertEquals(Optional.of(new Xid(device, 79)), xids.await(1234));
                assertEquals(Optional.empty(), xids.await(1234), "another kind of event");
                assertEquals(Optional.empty(), xids.await(1234), "not a number");
                assertEquals(Optional.empty(), xids.await(1234), "none came");
                assertTrue(assertThrows(NvmlException.class, () -> xids.await(1234))
                        .losesDevice());
            }
        }
    }

    @Test
    @DisplayName("a driver without version 2 counts what it keeps for itself as used")
    void oldMemory() throws Exception {
        try (NvmlLibrary nvml = open("MEMORY2=0")) {
            assertEquals(
                    new Nvml.Memory(OptionalLong.of(100), OptionalLong.of(43), OptionalLong.empty()),
                    nvml.memory(nvml.device(0)));
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
