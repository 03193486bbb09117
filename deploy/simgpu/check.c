/*
 * Proves end to end that the library and simgpu agree with each other and with NVML's contracts. Prints one line per
 * claim in the manner of TAP and exits with 1 if any failed. Needs neither a GPU nor root; what only root can try (files
 * of other users) is skipped otherwise.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nvml_abi.h"
#include "record.h"

#define NOBODY 65534
#define GIB (1024ULL * 1024 * 1024)

/* Indexes and minor numbers differ on purpose. */
enum { V100, A100, T4, A10, H100, CUT, GPUS };
static const uint32_t MINORS[GPUS] = {1, 0, 3, 2, 4, 5};
static const char CONF[] = "# the check's node\n"
                           "node=check01\n"
                           "minor=1 model=v100 uuid=GPU-01234567-89ab-cdef-0123-456789abcdef\n"
                           "minor=0 model=a100\n"
                           "minor=3 model=t4 emptyring=1   # as some drivers do\n"
                           "\n"
                           "minor=2 model=a10 busid=0000:81:00.0\n"
                           "minor=4 model=h100\n"
                           "minor=5 model=h100 mig=1g.10gb,1g.10gb,3g.40gb\n";

static char directory[] = "/tmp/simgpu-check.XXXXXX", program[4096];
static int tests, failures;
static nvml_device gpu[GPUS];

__attribute__((format(printf, 2, 3))) static void claim(bool holds, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("%s %d - ", holds ? "ok" : "not ok", ++tests);
    vprintf(format, arguments);
    printf("\n");
    fflush(stdout);
    va_end(arguments);
    failures += !holds;
}

static void skip(const char *what)
{
    printf("ok %d # SKIP %s\n", ++tests, what);
}

/* ---- the library, by dlopen as the agent does it ---- */

#define FUNCTIONS(X)                                                                                      \
    X(int, nvmlInit_v2, (void))                                                                           \
    X(int, nvmlShutdown, (void))                                                                          \
    X(const char *, nvmlErrorString, (int))                                                               \
    X(const char *, fairwatch_simulated_gpus, (void))                                                     \
    X(int, nvmlSystemGetDriverVersion, (char *, unsigned))                                                \
    X(int, nvmlDeviceGetCount_v2, (uint32_t *))                                                           \
    X(int, nvmlDeviceGetHandleByIndex_v2, (unsigned, nvml_device *))                                      \
    X(int, nvmlDeviceGetHandleByUUID, (const char *, nvml_device *))                                      \
    X(int, nvmlDeviceGetHandleByPciBusId_v2, (const char *, nvml_device *))                               \
    X(int, nvmlDeviceGetName, (nvml_device, char *, unsigned))                                            \
    X(int, nvmlDeviceGetUUID, (nvml_device, char *, unsigned))                                            \
    X(int, nvmlDeviceGetIndex, (nvml_device, uint32_t *))                                                 \
    X(int, nvmlDeviceGetMinorNumber, (nvml_device, uint32_t *))                                           \
    X(int, nvmlDeviceGetPciInfo_v3, (nvml_device, struct nvml_pci *))                                     \
    X(int, nvmlDeviceGetUtilizationRates, (nvml_device, struct nvml_utilization *))                       \
    X(int, nvmlDeviceGetSamples,                                                                          \
      (nvml_device, unsigned, uint64_t, uint32_t *, uint32_t *, struct nvml_sample *))                    \
    X(int, nvmlDeviceGetMemoryInfo, (nvml_device, struct nvml_memory *))                                  \
    X(int, nvmlDeviceGetMemoryInfo_v2, (nvml_device, struct nvml_memory_v2 *))                            \
    X(int, nvmlDeviceGetPowerUsage, (nvml_device, uint32_t *))                                            \
    X(int, nvmlDeviceGetEnforcedPowerLimit, (nvml_device, uint32_t *))                                    \
    X(int, nvmlDeviceGetTotalEnergyConsumption, (nvml_device, uint64_t *))                                \
    X(int, nvmlDeviceGetTemperature, (nvml_device, unsigned, uint32_t *))                                 \
    X(int, nvmlDeviceGetClockInfo, (nvml_device, unsigned, uint32_t *))                                   \
    X(int, nvmlDeviceGetCurrentClocksThrottleReasons, (nvml_device, uint64_t *))                          \
    X(int, nvmlDeviceGetComputeRunningProcesses, (nvml_device, uint32_t *, struct nvml_process_v1 *))     \
    X(int, nvmlDeviceGetComputeRunningProcesses_v3, (nvml_device, uint32_t *, struct nvml_process *))     \
    X(int, nvmlDeviceGetProcessUtilization, (nvml_device, struct nvml_process_sample *, uint32_t *, uint64_t)) \
    X(int, nvmlDeviceGetMigMode, (nvml_device, uint32_t *, uint32_t *))                                   \
    X(int, nvmlDeviceGetFieldValues, (nvml_device, int, struct nvml_field_value *))                       \
    X(uint64_t, fairwatch_simulated_calls, (const char *))                                                \
    X(int, nvmlDeviceGetMaxClockInfo, (nvml_device, unsigned, uint32_t *))                                \
    X(int, nvmlDeviceGetPowerManagementLimit, (nvml_device, uint32_t *))                                  \
    X(int, nvmlDeviceGetCurrentClocksEventReasons, (nvml_device, uint64_t *))                             \
    X(int, nvmlDeviceGetGraphicsRunningProcesses_v3, (nvml_device, uint32_t *, struct nvml_process *))    \
    X(int, nvmlDeviceGetMPSComputeRunningProcesses_v3, (nvml_device, uint32_t *, struct nvml_process *))  \
    X(int, nvmlDeviceGetMaxMigDeviceCount, (nvml_device, uint32_t *))                                     \
    X(int, nvmlDeviceGetMigDeviceHandleByIndex, (nvml_device, unsigned, nvml_device *))                   \
    X(int, nvmlDeviceGetDeviceHandleFromMigDeviceHandle, (nvml_device, nvml_device *))                    \
    X(int, nvmlDeviceIsMigDeviceHandle, (nvml_device, uint32_t *))                                        \
    X(int, nvmlDeviceGetGpuInstanceId, (nvml_device, uint32_t *))                                         \
    X(int, nvmlDeviceGetComputeInstanceId, (nvml_device, uint32_t *))                                     \
    X(int, nvmlDeviceGetAttributes_v2, (nvml_device, struct nvml_attributes *))                           \
    X(int, nvmlDeviceGetEccMode, (nvml_device, uint32_t *, uint32_t *))                                   \
    X(int, nvmlDeviceGetTotalEccErrors, (nvml_device, unsigned, unsigned, uint64_t *))                    \
    X(int, nvmlDeviceGetRemappedRows, (nvml_device, uint32_t *, uint32_t *, uint32_t *, uint32_t *))      \
    X(int, nvmlDeviceGetRetiredPages, (nvml_device, unsigned, uint32_t *, uint64_t *))                    \
    X(int, nvmlDeviceGetRetiredPagesPendingStatus, (nvml_device, uint32_t *))                             \
    X(int, nvmlDeviceGetPcieReplayCounter, (nvml_device, uint32_t *))                                     \
    X(int, nvmlDeviceGetFanSpeed, (nvml_device, uint32_t *))                                              \
    X(int, nvmlDeviceGetFanSpeed_v2, (nvml_device, unsigned, uint32_t *))                                 \
    X(int, nvmlDeviceGetNumFans, (nvml_device, uint32_t *))                                               \
    X(int, nvmlGpmQueryDeviceSupport, (nvml_device, struct nvml_gpm_support *))                           \
    X(int, nvmlGpmSampleAlloc, (nvml_gpm_sample *))                                                       \
    X(int, nvmlGpmSampleFree, (nvml_gpm_sample))                                                          \
    X(int, nvmlGpmSampleGet, (nvml_device, nvml_gpm_sample))                                              \
    X(int, nvmlGpmMigSampleGet, (nvml_device, unsigned, nvml_gpm_sample))                                 \
    X(int, nvmlGpmMetricsGet, (struct nvml_gpm_metrics *))                                                \
    X(int, nvmlDeviceGetSupportedEventTypes, (nvml_device, uint64_t *))                                   \
    X(int, nvmlEventSetWait, (void *, void *, unsigned))                                                  \
    X(int, nvmlEventSetCreate, (void **))                                                                 \
    X(int, nvmlDeviceRegisterEvents, (nvml_device, uint64_t, void *))                                     \
    X(int, nvmlEventSetWait_v2, (void *, struct nvml_event *, unsigned))                                  \
    X(int, nvmlEventSetFree, (void *))

#define DECLARE(type, name, arguments) static type(*name) arguments;
FUNCTIONS(DECLARE)

static void load(const char *build)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/libnvidia-ml.so.1", build);
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) {
        printf("Bail out! %s\n", dlerror());
        exit(1);
    }
#define FIND(type, name, arguments)                     \
    *(void **)&name = dlsym(library, #name);            \
    if (name == NULL) {                                 \
        printf("Bail out! %s is not exported\n", #name); \
        exit(1);                                        \
    }
    FUNCTIONS(FIND)
    claim(dlsym(library, "state_open") == NULL, "nothing else is exported");
}

/* ---- helpers ---- */

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void put(const char *name, const void *data, size_t size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || write(file, data, size) != (ssize_t)size) {
        printf("Bail out! %s: %s\n", path, strerror(errno));
        exit(1);
    }
    close(file);
}

/* Starts simgpu with the arguments, NULL at the end; quiet. */
static pid_t start(uid_t uid, const char *cuda, const char *const *arguments)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (cuda != NULL) {
            setenv("CUDA_VISIBLE_DEVICES", cuda, 1);
        } else {
            unsetenv("CUDA_VISIBLE_DEVICES");
        }
        if ((freopen("/dev/null", "w", stderr) == NULL) || (uid != 0 && (setgid(uid) != 0 || setuid(uid) != 0))) {
            _exit(99);
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* none stays behind when the check gives up */
        execv(program, (char *const *)arguments);
        _exit(99);
    }
    return pid;
}

#define SIMGPU(...) start(0, NULL, (const char *const[]){"simgpu", __VA_ARGS__, NULL})
#define SIMGPU_AS(uid, cuda, ...) start(uid, cuda, (const char *const[]){"simgpu", __VA_ARGS__, NULL})

static int finish(pid_t pid)
{
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int util_of(int index)
{
    struct nvml_utilization use;
    return nvmlDeviceGetUtilizationRates(gpu[index], &use) == NVML_OK ? (int)use.gpu : -1;
}

static double used_gib(int index)
{
    struct nvml_memory_v2 memory = {.version = NVML_MEMORY_V2_VERSION};
    return nvmlDeviceGetMemoryInfo_v2(gpu[index], &memory) == NVML_OK ? (double)memory.used / GIB : -1;
}

static uint64_t energy_of(int index)
{
    uint64_t mj = 0;
    nvmlDeviceGetTotalEnergyConsumption(gpu[index], &mj);
    return mj;
}

/* The number of processes that hold the GPU, and the first of them. */
static int holders(int index, uint32_t *pid)
{
    struct nvml_process processes[16];
    uint32_t count = 16;
    if (nvmlDeviceGetComputeRunningProcesses_v3(gpu[index], &count, processes) != NVML_OK) {
        return -1;
    }
    *pid = count > 0 ? processes[0].pid : 0;
    return (int)count;
}

/* Mean of the last n entries of the utilisation ring. */
static double ring_mean(int index, uint32_t n)
{
    struct nvml_sample samples[100];
    uint32_t type, count = 100;
    if (nvmlDeviceGetSamples(gpu[index], NVML_SAMPLE_GPU_UTIL, 0, &type, &count, samples) != NVML_OK || count < n) {
        return -1;
    }
    double sum = 0;
    for (uint32_t i = count - n; i < count; i++) {
        sum += samples[i].value.as_uint;
    }
    return sum / n;
}

static void get_handles(void)
{
    for (unsigned i = 0; i < GPUS; i++) {
        if (nvmlDeviceGetHandleByIndex_v2(i, &gpu[i]) != NVML_OK) {
            printf("Bail out! no handle for GPU %u\n", i);
            exit(1);
        }
    }
}

/* ---- claims ---- */

static void check_start(void)
{
    char text[128];
    uint32_t count = 0, minor, index;
    claim(nvmlDeviceGetCount_v2(&count) == NVML_UNINITIALIZED, "before nvmlInit_v2 everything is uninitialised");
    claim(nvmlInit_v2() == NVML_DRIVER_NOT_LOADED, "without gpus.conf there is no driver");
    put("gpus.conf", "minor=0 model=banana\n", 21);
    claim(nvmlInit_v2() == NVML_UNKNOWN, "a wrong gpus.conf is an error (and said on stderr)");
    put("gpus.conf", CONF, sizeof CONF - 1);
    bool counted = nvmlInit_v2() == NVML_OK && nvmlInit_v2() == NVML_OK && nvmlShutdown() == NVML_OK
                   && nvmlDeviceGetCount_v2(&count) == NVML_OK;
    claim(counted && count == GPUS,
          "nvmlInit_v2 counts references; %u GPUs", count);
    get_handles();
    bool same = true, rising = true, found = true, unique = true;
    char last[32] = "", uuids[GPUS][64];
    for (unsigned i = 0; i < GPUS; i++) {
        struct nvml_pci pci;
        nvml_device by_bus = NULL, by_uuid = NULL;
        same = same && nvmlDeviceGetMinorNumber(gpu[i], &minor) == NVML_OK && minor == MINORS[i]
               && nvmlDeviceGetIndex(gpu[i], &index) == NVML_OK && index == i;
        rising = rising && nvmlDeviceGetPciInfo_v3(gpu[i], &pci) == NVML_OK && strcmp(pci.bus_id, last) > 0;
        snprintf(last, sizeof last, "%s", pci.bus_id);
        found = found && nvmlDeviceGetHandleByPciBusId_v2(pci.bus_id, &by_bus) == NVML_OK && by_bus == gpu[i]
                && nvmlDeviceGetHandleByPciBusId_v2(pci.legacy_bus_id, &by_bus) == NVML_OK && by_bus == gpu[i]
                && nvmlDeviceGetUUID(gpu[i], uuids[i], sizeof uuids[i]) == NVML_OK && strlen(uuids[i]) == 40
                && nvmlDeviceGetHandleByUUID(uuids[i], &by_uuid) == NVML_OK && by_uuid == gpu[i];
        for (unsigned j = 0; j < i; j++) {
            unique = unique && strcmp(uuids[i], uuids[j]) != 0;
        }
    }
    claim(same, "indexes are in order, minor numbers as configured");
    claim(rising, "PCI bus ids rise with the index");
    claim(found && unique, "GPUs are found by bus id and by UUID; UUIDs differ");
    claim(nvmlDeviceGetName(gpu[V100], text, 4) == NVML_INSUFFICIENT_SIZE
              && nvmlDeviceGetName(gpu[V100], text, sizeof text) == NVML_OK && strstr(text, "V100") != NULL,
          "a name needs room: %s", text);
    claim(nvmlSystemGetDriverVersion(text, sizeof text) == NVML_OK && strstr(text, "simulated") != NULL
              && strstr(fairwatch_simulated_gpus(), "simulated GPUs") != NULL,
          "it says that it is a simulation: driver %s", text);
    claim(nvmlDeviceGetName((nvml_device)text, text, sizeof text) == NVML_INVALID_ARGUMENT
              && nvmlDeviceGetName(gpu[0], NULL, 0) == NVML_INVALID_ARGUMENT
              && nvmlDeviceGetHandleByIndex_v2(GPUS, &gpu[0]) == NVML_INVALID_ARGUMENT
              && nvmlDeviceGetHandleByUUID("GPU-no", &gpu[0]) == NVML_NOT_FOUND,
          "wrong handles, indexes, UUIDs and NULLs are refused");
    uint32_t current, pending;
    claim(nvmlDeviceGetMigMode(gpu[V100], &current, &pending) == NVML_NOT_SUPPORTED
              && nvmlDeviceGetMigMode(gpu[H100], &current, &pending) == NVML_OK && current == 0,
          "MIG: not supported on V100, off on H100");
}

static void check_contracts(void)
{
    struct nvml_memory_v2 memory = {.version = 1};
    struct nvml_memory plain;
    claim(nvmlDeviceGetMemoryInfo_v2(gpu[V100], &memory) == NVML_VERSION_MISMATCH, "memory version 2 needs its version");
    memory.version = NVML_MEMORY_V2_VERSION;
    claim(nvmlDeviceGetMemoryInfo_v2(gpu[V100], &memory) == NVML_OK && nvmlDeviceGetMemoryInfo(gpu[V100], &plain) == NVML_OK
              && memory.total == memory.reserved + memory.used + memory.free && plain.total == memory.total
              && plain.used == memory.used + memory.reserved,
          "memory adds up; version 1 counts the reserved part as used");

    /* Stride by filling: what the real library needs to be probed for. */
    unsigned char bytes[256];
    uint32_t count = 4;
    memset(bytes, 0xA5, sizeof bytes);
    int v1 = nvmlDeviceGetComputeRunningProcesses(gpu[V100], &count, (struct nvml_process_v1 *)bytes);
    claim(v1 == NVML_OK && count == 1 && bytes[16] == 0xA5 && bytes[15] != 0xA5, "process record, version 1: 16 bytes");
    memset(bytes, 0xA5, sizeof bytes);
    count = 4;
    int v3 = nvmlDeviceGetComputeRunningProcesses_v3(gpu[V100], &count, (struct nvml_process *)bytes);
    claim(v3 == NVML_OK && count == 1 && bytes[24] == 0xA5 && bytes[23] == 0xFF, "process record, version 3: 24 bytes");
    count = 0;
    claim(nvmlDeviceGetComputeRunningProcesses_v3(gpu[V100], &count, NULL) == NVML_INSUFFICIENT_SIZE && count == 1,
          "a process list without room tells how much it needs");
    count = 0;
    claim(nvmlDeviceGetComputeRunningProcesses_v3(gpu[T4], &count, NULL) == NVML_OK && count == 0,
          "an empty process list needs none");

    struct nvml_sample samples[100];
    uint32_t type;
    int capacity = nvmlDeviceGetSamples(gpu[V100], NVML_SAMPLE_GPU_UTIL, 0, &type, &count, NULL);
    claim(capacity == NVML_OK && count == 100,
          "samples without a buffer: the ring holds %u", count);
    count = 3;
    claim(nvmlDeviceGetSamples(gpu[V100], NVML_SAMPLE_GPU_UTIL, 0, &type, &count, samples) == NVML_INSUFFICIENT_SIZE
              && count == 100,
          "samples with too small a buffer: insufficient size");
    count = 100;
    int all = nvmlDeviceGetSamples(gpu[V100], NVML_SAMPLE_GPU_UTIL, 0, &type, &count, samples);
    double seconds = (double)(samples[99].timestamp - samples[0].timestamp) / 1e6;
    claim(all == NVML_OK && count == 100 && type == NVML_UINT && fabs(seconds - 16.5) < 0.1,
          "the ring spans %.1f s between first and last", seconds);
    time_t now = time(NULL);
    claim(llabs((long long)(samples[99].timestamp / 1000000) - (long long)now) <= 2, "timestamps are of the epoch");
    uint64_t seen = samples[99].timestamp;
    pause_ms(700);
    count = 100;
    int newer = nvmlDeviceGetSamples(gpu[V100], NVML_SAMPLE_GPU_UTIL, seen, &type, &count, samples);
    claim(newer == NVML_OK && count >= 3 && count <= 6 && samples[0].timestamp > seen,
          "only what is newer than the last seen: %u after 0.7 s", count);
    count = 100;
    claim(nvmlDeviceGetSamples(gpu[V100], NVML_SAMPLE_GPU_UTIL, (uint64_t)-1, &type, &count, samples) == NVML_NOT_FOUND,
          "nothing newer: not found");
    count = 100;
    claim(nvmlDeviceGetSamples(gpu[T4], NVML_SAMPLE_GPU_UTIL, 0, &type, &count, samples) == NVML_NOT_FOUND,
          "emptyring=1: an idle GPU has no samples");

    struct nvml_field_value fields[2] = {{.field = NVML_FIELD_TOTAL_ENERGY}, {.field = 9999}};
    claim(nvmlDeviceGetFieldValues(gpu[V100], 2, fields) == NVML_OK && fields[0].result == NVML_OK
              && fields[0].value_type == NVML_ULONG_LONG && fields[0].value.as_ulong > 0
              && fields[1].result == NVML_INVALID_ARGUMENT,
          "field values carry a result each");

    void *set;
    struct nvml_event event;
    uint64_t before = record_now_us();
    claim(nvmlEventSetCreate(&set) == NVML_OK && nvmlDeviceRegisterEvents(gpu[V100], 8, set) == NVML_OK
              && nvmlEventSetWait_v2(set, &event, 200) == NVML_TIMEOUT && record_now_us() - before > 190000
              && nvmlEventSetFree(set) == NVML_OK,
          "waiting for events times out");
}

static void check_use(pid_t busy)
{
    uint32_t pid = 0, mhz = 0, mw = 0, idle_mw = 0, limit = 0, celsius = 0;
    uint64_t reasons = 9;
    claim(abs(util_of(V100) - 90) <= 1, "--util 90 shows %d %%", util_of(V100));
    claim(fabs(used_gib(V100) - 20) < 0.01, "--mem 20GiB shows %.2f GiB", used_gib(V100));
    claim(holders(V100, &pid) == 1 && pid == (uint32_t)busy, "its pid %d holds the GPU", (int)busy);
    claim(util_of(T4) == 0 && used_gib(T4) == 0 && holders(T4, &pid) == 0, "a GPU that nobody uses is idle and empty");
    nvmlDeviceGetPowerUsage(gpu[V100], &mw);
    nvmlDeviceGetPowerUsage(gpu[T4], &idle_mw);
    nvmlDeviceGetEnforcedPowerLimit(gpu[V100], &limit);
    claim(mw > 280000 && mw < limit && idle_mw < 15000, "power: %u W busy, %u W idle T4", mw / 1000, idle_mw / 1000);
    nvmlDeviceGetClockInfo(gpu[V100], 1, &mhz);
    nvmlDeviceGetCurrentClocksThrottleReasons(gpu[T4], &reasons);
    nvmlDeviceGetTemperature(gpu[V100], 0, &celsius);
    claim(mhz > 1400 && reasons == NVML_THROTTLE_IDLE && celsius > 30 && celsius < 70,
          "clocks rise with use (%u MHz), an idle GPU says so, %u C", mhz, celsius);
    struct nvml_process_sample samples[8];
    uint32_t count = 0;
    claim(nvmlDeviceGetProcessUtilization(gpu[V100], NULL, &count, 0) == NVML_INSUFFICIENT_SIZE && count == 100,
          "process utilisation without a buffer answers 100");
    count = 8;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t second_ago = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - 1000000;
    int result = nvmlDeviceGetProcessUtilization(gpu[V100], samples, &count, second_ago);
    claim(result == NVML_OK && count == 1
              && samples[0].pid == (uint32_t)busy && abs((int)samples[0].sm - 90) <= 1,
          "process utilisation: one entry, %u %%", samples[0].sm);
    count = 8;
    claim(nvmlDeviceGetProcessUtilization(gpu[T4], samples, &count, 0) == NVML_NOT_FOUND,
          "process utilisation of an idle GPU: not found");
}

/* A record as a process of this user might forge it. */
static void forge(const char *name, struct record *record)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/procs/%s", directory, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || !record_write(file, record, sizeof *record)) {
        printf("Bail out! %s: %s\n", path, strerror(errno));
        exit(1);
    }
    close(file);
}

static struct record plausible(pid_t pid, uint64_t ticks)
{
    uint64_t now = record_now_us();
    struct record record = {.magic = RECORD_MAGIC,
                            .version = RECORD_VERSION,
                            .boot = record_boot(),
                            .pid = pid,
                            .start_ticks = ticks,
                            .heartbeat_us = now,
                            .device_count = 1,
                            .segment_count = 1};
    record.devices[0] = (struct record_device){
        .minor = MINORS[T4], .instance = WHOLE_GPU, .util_permille = 1000, .memory_bytes = GIB};
    record.segments[0] = (struct record_segment){.from_us = now - 1000000, .activity_ppm = FULL_ACTIVITY};
    return record;
}

static void check_junk(void)
{
    char name[128], path[4096], junk[sizeof(struct record)];
    uint64_t ticks = 0;
    struct record record;
    uint32_t pid;
    record_process_start(getpid(), &ticks);
    for (size_t i = 0; i < sizeof junk; i++) {
        junk[i] = (char)rand();
    }
    put("procs/101-1", junk, sizeof junk);
    put("procs/102-1", junk, 0);
    put("procs/103-1", junk, 100);
    put("procs/garbage", junk, sizeof junk);
    put("procs/-5-1", junk, 100);
    put("procs/99999999999999999999-1", junk, 100);
    put("procs/retired-77", junk, 100);
    snprintf(path, sizeof path, "%s/procs/104-1", directory);
    claim(mkfifo(path, 0644) == 0, "junk: a pipe is there to block on");
    snprintf(path, sizeof path, "%s/procs/105-1", directory);
    claim(symlink("/dev/zero", path) == 0, "junk: a link to /dev/zero");
    snprintf(path, sizeof path, "%s/procs/106-1", directory);
    claim(mkdir(path, 0755) == 0, "junk: a directory");
    put("procs/107-1", junk, 1);
    snprintf(path, sizeof path, "%s/procs/107-1", directory);
    claim(truncate(path, 1LL << 40) == 0, "junk: a file of 1 TiB");
    snprintf(name, sizeof name, "%d-%llu", (int)getpid(), (unsigned long long)ticks);

    static const char *const what[] = {"a heartbeat in the future", "too many devices", "too many segments",
                                       "more than 100 %",           "times out of order", "another boot",
                                       "another process",           "too much memory",    "a device twice",
                                       "activity above full"};
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        record = plausible(getpid(), ticks);
        switch (i) {
        case 0: record.heartbeat_us += 60000000; break;
        case 1: record.device_count = 0xFFFFFFFF; break;
        case 2: record.segment_count = 0xFFFFFFFF; break;
        case 3: record.devices[0].util_permille = 65535; break;
        case 4: record.segment_count = 2; break;
        case 5: record.boot++; break;
        case 6: record.pid = 1; break;
        case 7: record.devices[0].memory_bytes = (uint64_t)-1; break;
        case 8: record.device_count = 2; record.devices[1] = record.devices[0]; break;
        default: record.segments[0].activity_ppm = 0xFFFFFFFF; break;
        }
        forge(name, &record);
        pause_ms(120);
        claim(util_of(T4) == 0 && holders(T4, &pid) == 0, "not believed: %s", what[i]);
    }
    record = plausible(getpid(), ticks);
    forge(name, &record);
    pause_ms(120);
    claim(holders(T4, &pid) == 1 && pid == (uint32_t)getpid(), "believed: the same without a fault");
    snprintf(path, sizeof path, "%s/procs/%s", directory, name);
    if (geteuid() == 0) {
        claim(chown(path, NOBODY, NOBODY) == 0, "now it belongs to somebody else");
        pause_ms(120);
        claim(holders(T4, &pid) == 0 && util_of(T4) == 0, "not believed: a file in the name of another user's process");
    } else {
        skip("files of another user: not root");
    }
    unlink(path);
    uint64_t before = record_now_us();
    pause_ms(120);
    claim(util_of(T4) == 0 && record_now_us() - before < 300000, "junk costs no time");
}

static void check_retirement(void)
{
    if (record_now_us() < 200000000) {
        skip("retirement: this machine started less than 200 s ago");
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    waitpid(child, NULL, 0);
    uint64_t now = record_now_us(), before = energy_of(H100);
    struct record record = plausible(child, 12345);
    record.devices[0].minor = MINORS[H100];
    record.segments[0].from_us = now - 190000000;
    record.heartbeat_us = now - 180000000; /* worked 10 s long, three minutes ago: 5700 J more than at rest */
    char name[64], path[4096];
    snprintf(name, sizeof name, "%d-12345", (int)child);
    snprintf(path, sizeof path, "%s/procs/%s", directory, name);
    forge(name, &record);
    pause_ms(120);
    double with = (double)(energy_of(H100) - before) / 1000;
    nvmlShutdown();
    nvmlInit_v2();
    get_handles();
    double after = (double)(energy_of(H100) - before) / 1000;
    claim(access(path, F_OK) != 0, "the file of a program that ended long ago is removed");
    claim(with > 5600 && with < 5800 && after >= with && after < with + 100,
          "its energy stays: %.0f J before, %.0f J after", with, after);
    nvmlShutdown();
    nvmlInit_v2();
    get_handles();
    double again = (double)(energy_of(H100) - before) / 1000;
    claim(again >= after && again < after + 100, "and is not counted twice");
}

static void check_choice(void)
{
    pid_t pid = SIMGPU_AS(0, "2,1", "--gpus", "1", "--for", "1500ms", "--mem", "2GiB");
    pause_ms(700);
    claim(fabs(used_gib(T4) - 2) < 0.01, "CUDA_VISIBLE_DEVICES=2,1 --gpus 1 takes position 2");
    claim(finish(pid) == 0, "--for ends it with 0");
    pid = SIMGPU_AS(0, "GPU-0123", "--for", "800ms", "--exit", "7", "--util", "0", "--mem", "1GiB");
    pause_ms(500);
    claim(fabs(used_gib(V100) - 21) < 0.01, "the beginning of a UUID is enough");
    claim(finish(pid) == 7, "--exit 7");
    claim(finish(SIMGPU_AS(0, "9", "--for", "1s")) == 3, "CUDA_VISIBLE_DEVICES out of range: exit 3");
    claim(finish(SIMGPU_AS(0, "", "--for", "1s")) == 3, "CUDA_VISIBLE_DEVICES empty: exit 3");
    claim(finish(SIMGPU("--gpus", "9")) == 3, "more GPUs than visible: exit 3");
    claim(finish(SIMGPU("--util", "190")) == 2, "wrong arguments: exit 2");
    claim(finish(SIMGPU("--mem", "500GiB")) == 2, "more memory than there is: exit 2");
    if (geteuid() == 0) {
        char path[4096];
        for (int i = 0; i < GPUS; i++) {
            snprintf(path, sizeof path, "%s/dev/nvidia%d", directory, i);
            claim(chmod(path, i == 2 || i == 3 ? 0666 : 0600) == 0, "nvidia%d is %s", i, i == 2 || i == 3 ? "open" : "not");
        }
        pid = SIMGPU_AS(NOBODY, "1", "--for", "1500ms", "--mem", "3GiB");
        pause_ms(700);
        double gib = used_gib(A10);
        int code = finish(pid);
        if (code == 99) {
            skip("another user's simgpu: the build lies where others cannot read");
        } else {
            /* It may open minors 2 and 3, in NVML's order T4 (minor 3) and A10 (minor 2, with 5 GiB already). */
            claim(code == 0 && fabs(gib - 8) < 0.01, "positions count among the GPUs that may be opened (%.2f GiB)", gib);
        }
    } else {
        skip("GPUs that may not be opened: not root");
    }
}

static void *read_everything(void *problems)
{
    for (int i = 0; i < 3000; i++) {
        struct nvml_sample samples[100];
        uint32_t type, count = 100, pid;
        int index = i % CUT;
        int result = nvmlDeviceGetSamples(gpu[index], NVML_SAMPLE_GPU_UTIL, 0, &type, &count, samples);
        if ((result != NVML_OK && result != NVML_NOT_FOUND) || util_of(index) > 100 || holders(index, &pid) < 0) {
            ++*(int *)problems;
        }
    }
    return NULL;
}

static void check_threads(void)
{
    pthread_t threads[2];
    int problems[2] = {0, 0};
    uint64_t before = record_now_us();
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, read_everything, &problems[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    claim(problems[0] + problems[1] == 0, "two threads at once: 18000 calls in %.0f ms",
          (double)(record_now_us() - before) / 1000);
}

/* ---- faults.conf ---- */

/* Replaces faults.conf and gives the library time to look at it. */
static void faults(const char *lines)
{
    put("faults.conf", lines, strlen(lines));
    pause_ms(70);
}

static void restart(void)
{
    while (nvmlShutdown() == NVML_OK) {
    }
    if (nvmlInit_v2() != NVML_OK) {
        printf("Bail out! nvmlInit_v2\n");
        exit(1);
    }
}

static int power_result(int index)
{
    uint32_t mw;
    return nvmlDeviceGetPowerUsage(gpu[index], &mw);
}

static void *hang_in_power(void *result)
{
    *(volatile int *)result = power_result(V100);
    return NULL;
}

static void check_faults(void)
{
    uint32_t mw, celsius;
    uint64_t calls = fairwatch_simulated_calls("nvmlDeviceGetPowerUsage"), all = fairwatch_simulated_calls(NULL);
    for (int i = 0; i < 5; i++) {
        nvmlDeviceGetPowerUsage(gpu[V100], &mw);
    }
    claim(fairwatch_simulated_calls("nvmlDeviceGetPowerUsage") - calls == 5 && fairwatch_simulated_calls(NULL) - all == 5
              && fairwatch_simulated_calls("nvmlNoSuchFunction") == 0,
          "calls are counted by function: %llu until now", (unsigned long long)fairwatch_simulated_calls(NULL));

    faults("# a comment\nthis is not understood\nnvmlDeviceGetPowerUsage 0 error=3\n* 1 error=999\n* 5/2 error=4\n");
    struct nvml_memory memory;
    nvml_device instances[3];
    for (unsigned i = 0; i < 3; i++) {
        nvmlDeviceGetMigDeviceHandleByIndex(gpu[CUT], i, &instances[i]);
    }
    claim(power_result(V100) == NVML_NOT_SUPPORTED && power_result(T4) == NVML_OK
              && nvmlDeviceGetTemperature(gpu[V100], 0, &celsius) == NVML_OK,
          "error= strikes one function of one GPU; lines not understood are told and ignored");
    claim(power_result(A100) == NVML_UNKNOWN && util_of(A100) == -1 && nvmlDeviceGetCount_v2(&mw) == NVML_OK,
          "* strikes all functions of a GPU, but none of the library");
    claim(nvmlDeviceGetMemoryInfo(instances[2], &memory) == NVML_NO_PERMISSION
              && nvmlDeviceGetMemoryInfo(instances[1], &memory) == NVML_OK
              && nvmlDeviceGetMemoryInfo(gpu[CUT], &memory) == NVML_OK,
          "5/2 strikes one instance");
    faults("nvmlDeviceGetPowerUsage * error=10 count=2\nnvmlDeviceGetCount_v2 * latency=150\n");
    int first = power_result(V100), second = power_result(T4);
    faults("nvmlDeviceGetPowerUsage * error=10 count=2\nnvmlDeviceGetCount_v2 * latency=150\n# a change elsewhere\n");
    claim(first == NVML_TIMEOUT && second == NVML_TIMEOUT && power_result(V100) == NVML_OK,
          "count= ends it, and other changes of the file do not begin it again");
    uint64_t before = record_now_us();
    claim(nvmlDeviceGetCount_v2(&mw) == NVML_OK && record_now_us() - before >= 150000, "latency= makes a call slow");

    faults("nvmlDeviceGetPowerUsage 0 hang\n");
    volatile int result = -1;
    pthread_t thread;
    pthread_create(&thread, NULL, hang_in_power, (void *)&result);
    pause_ms(300);
    claim(result == -1 && power_result(T4) == NVML_OK && nvmlDeviceGetTemperature(gpu[V100], 0, &celsius) == NVML_OK,
          "hang blocks the call, and no other");
    faults("");
    pthread_join(thread, NULL);
    claim(result == NVML_OK, "until the line is gone");

    faults("* 0 lost\n");
    nvml_device again;
    claim(power_result(V100) == NVML_GPU_IS_LOST && nvmlDeviceGetMemoryInfo(gpu[V100], &memory) == NVML_GPU_IS_LOST
              && nvmlDeviceGetHandleByIndex_v2(V100, &again) == NVML_GPU_IS_LOST && power_result(T4) == NVML_OK
              && strcmp(nvmlErrorString(NVML_GPU_IS_LOST), "GPU is lost") == 0,
          "lost: every call on that GPU says so, others work");
    restart();
    claim(nvmlDeviceGetHandleByIndex_v2(V100, &again) == NVML_GPU_IS_LOST, "nvmlInit_v2 does not help as long as it is lost");
    faults("");
    claim(power_result(V100) == NVML_GPU_IS_LOST, "its return does not help without nvmlInit_v2");
    restart();
    claim(power_result(V100) == NVML_OK, "both do");

    faults("* 5 lost\n");
    claim(nvmlDeviceGetMemoryInfo(instances[1], &memory) == NVML_GPU_IS_LOST, "a lost GPU loses its instances");
    faults("");
    restart();

    uint64_t mj = energy_of(V100);
    faults("* * reload=1\n");
    claim(power_result(V100) == NVML_UNINITIALIZED && nvmlDeviceGetCount_v2(&mw) == NVML_UNINITIALIZED
              && nvmlShutdown() == NVML_UNINITIALIZED,
          "reload: nothing is initialised any more");
    claim(nvmlInit_v2() == NVML_OK && power_result(V100) == NVML_OK && energy_of(V100) < 120000 && mj > 120000,
          "until nvmlInit_v2; energy starts again (%.0f J, was %.0f J)", (double)energy_of(V100) / 1000,
          (double)mj / 1000);
    faults("* * reload=2\n");
    claim(power_result(V100) == NVML_UNINITIALIZED && nvmlInit_v2() == NVML_OK && power_result(V100) == NVML_OK,
          "another value loads it another time; nvmlInit_v2 needs no nvmlShutdown");
    faults("* * unloaded\n");
    claim(power_result(V100) == NVML_DRIVER_NOT_LOADED && nvmlInit_v2() == NVML_DRIVER_NOT_LOADED, "unloaded: no driver");
    faults("nvmlInit_v2 * error=18 count=1\n");
    claim(nvmlInit_v2() == 18 && nvmlInit_v2() == NVML_OK && power_result(V100) == NVML_OK,
          "nvmlInit_v2 itself can fail, and works when the driver is back");
    faults("");
}

static struct nvml_field_value field_of(int index, uint32_t field, uint32_t scope)
{
    struct nvml_field_value value = {.field = field, .scope = scope};
    int result = nvmlDeviceGetFieldValues(gpu[index], 1, &value);
    value.result = result != NVML_OK ? (uint32_t)result : value.result;
    return value;
}

static bool field_is(int index, uint32_t field, uint64_t number)
{
    struct nvml_field_value value = field_of(index, field, 0);
    return value.result == NVML_OK
           && (value.value_type == NVML_UINT ? value.value.as_uint : value.value.as_ulong) == number;
}

static bool ecc_is(int index, unsigned error, unsigned counter, uint64_t number)
{
    uint64_t count;
    return nvmlDeviceGetTotalEccErrors(gpu[index], error, counter, &count) == NVML_OK && count == number;
}

static void check_health(void)
{
    uint32_t a = 9, b = 9, c = 9, d = 9, count = 8;
    uint64_t reasons = 0, again = 0, pages[8];
    bool healthy = ecc_is(V100, 0, 0, 0) && field_is(V100, NVML_FIELD_PCIE_REPLAY, 0)
                   && nvmlDeviceGetRetiredPagesPendingStatus(gpu[V100], &a) == NVML_OK && a == 0
                   && nvmlDeviceGetRemappedRows(gpu[H100], &a, &b, &c, &d) == NVML_OK && a + b + c + d == 0
                   && field_is(H100, NVML_FIELD_RECOVERY_ACTION, 0)
                   && nvmlDeviceGetFanSpeed(gpu[V100], &a) == NVML_NOT_SUPPORTED
                   && nvmlDeviceGetEccMode(gpu[V100], &a, &b) == NVML_OK && a == 1;
    claim(healthy, "GPUs are healthy unless faults.conf says otherwise, and have no fans");
    faults("* 0 ecc=5,1,700000000000,2 retired=3,1,1 replay=9 throttle=0x40 fan=35\n* 4 remapped=4,3,1,0 recovery=1\n");
    claim(ecc_is(V100, 0, 0, 5) && ecc_is(V100, 1, 0, 1) && ecc_is(V100, 0, 1, 700000000000) && ecc_is(V100, 1, 1, 2)
              && field_is(V100, NVML_FIELD_ECC_SBE_VOLATILE, 5) && field_is(V100, NVML_FIELD_ECC_DBE_VOLATILE, 1)
              && field_is(V100, NVML_FIELD_ECC_SBE_AGGREGATE, 700000000000)
              && field_is(V100, NVML_FIELD_ECC_DBE_AGGREGATE, 2) && ecc_is(T4, 0, 0, 0),
          "ECC errors, by function and by field");
    int pending = nvmlDeviceGetRetiredPagesPendingStatus(gpu[V100], &a);
    int retired = nvmlDeviceGetRetiredPages(gpu[V100], 0, &count, pages);
    claim(pending == NVML_OK && a == 1 && retired == NVML_OK && count == 3 && pages[0] != pages[1]
              && field_is(V100, NVML_FIELD_RETIRED_SBE, 3) && field_is(V100, NVML_FIELD_RETIRED_DBE, 1)
              && field_is(V100, NVML_FIELD_RETIRED_PENDING, 1)
              && nvmlDeviceGetRetiredPages(gpu[H100], 0, &count, pages) == NVML_NOT_SUPPORTED,
          "retired pages where rows are not remapped");
    claim(nvmlDeviceGetRemappedRows(gpu[H100], &a, &b, &c, &d) == NVML_OK && a == 4 && b == 3 && c == 1 && d == 0
              && field_is(H100, NVML_FIELD_REMAPPED_CORRECTABLE, 4) && field_is(H100, NVML_FIELD_REMAPPED_UNCORRECTABLE, 3)
              && field_is(H100, NVML_FIELD_REMAPPED_PENDING, 1) && field_is(H100, NVML_FIELD_REMAPPED_FAILED, 0)
              && nvmlDeviceGetRemappedRows(gpu[V100], &a, &b, &c, &d) == NVML_NOT_SUPPORTED
              && field_of(V100, NVML_FIELD_REMAPPED_PENDING, 0).result == NVML_NOT_SUPPORTED,
          "remapped rows where pages are not retired");
    claim(nvmlDeviceGetPcieReplayCounter(gpu[V100], &a) == NVML_OK && a == 9 && field_is(V100, NVML_FIELD_PCIE_REPLAY, 9)
              && field_is(H100, NVML_FIELD_RECOVERY_ACTION, 1)
              && field_of(V100, NVML_FIELD_RECOVERY_ACTION, 0).result == NVML_NOT_SUPPORTED,
          "PCIe replays and the recovery action");
    claim(nvmlDeviceGetFanSpeed(gpu[V100], &a) == NVML_OK && a == 35
              && nvmlDeviceGetFanSpeed_v2(gpu[V100], 0, &b) == NVML_OK && b == 35
              && nvmlDeviceGetFanSpeed_v2(gpu[V100], 1, &b) == NVML_INVALID_ARGUMENT
              && nvmlDeviceGetNumFans(gpu[V100], &c) == NVML_OK && c == 1,
          "a fan");
    claim(nvmlDeviceGetCurrentClocksThrottleReasons(gpu[V100], &reasons) == NVML_OK
              && nvmlDeviceGetCurrentClocksEventReasons(gpu[V100], &again) == NVML_OK && reasons == again
              && (reasons & 0x40) != 0,
          "reasons for low clocks, under both names: 0x%llx", (unsigned long long)reasons);
    claim(nvmlDeviceGetClockInfo(gpu[V100], NVML_MEMORY_CLOCK, &a) == NVML_OK && a == 958
              && nvmlDeviceGetMaxClockInfo(gpu[V100], NVML_SM_CLOCK, &b) == NVML_OK && b == 1597
              && nvmlDeviceGetPowerManagementLimit(gpu[V100], &c) == NVML_OK && c == 350000,
          "memory clock, highest clock, power limit");
    faults("");
    claim(ecc_is(V100, 1, 0, 0) && nvmlDeviceGetFanSpeed(gpu[V100], &a) == NVML_NOT_SUPPORTED, "and all of it ends");

    struct nvml_field_value all_links = field_of(V100, NVML_FIELD_NVLINK_DATA_TX, NVML_ALL_LINKS);
    struct nvml_field_value link = field_of(V100, NVML_FIELD_NVLINK_DATA_TX, 5);
    struct nvml_field_value raw = field_of(V100, NVML_FIELD_NVLINK_RAW_RX, NVML_ALL_LINKS);
    pause_ms(600);
    struct nvml_field_value later = field_of(V100, NVML_FIELD_NVLINK_DATA_TX, NVML_ALL_LINKS);
    claim(all_links.result == NVML_OK && all_links.value_type == NVML_ULONG_LONG
              && later.value.as_ulong > all_links.value.as_ulong
              && fabs((double)link.value.as_ulong * 6 / (double)all_links.value.as_ulong - 1) < 0.01
              && raw.value.as_ulong > all_links.value.as_ulong,
          "NVLink counters grow with use, one link has its share");
    claim(field_of(V100, NVML_FIELD_NVLINK_DATA_TX, 6).result == NVML_INVALID_ARGUMENT
              && field_of(T4, NVML_FIELD_NVLINK_DATA_TX, NVML_ALL_LINKS).result == NVML_NOT_SUPPORTED,
          "V100 has six links, T4 none");
    claim(field_of(H100, NVML_FIELD_PCIE_TX, 0).result == NVML_OK && field_of(H100, NVML_FIELD_PCIE_RX, 0).result == NVML_OK
              && field_of(V100, NVML_FIELD_PCIE_TX, 0).result == NVML_NOT_SUPPORTED,
          "PCIe counters on H100");
    struct nvml_field_value watts = field_of(H100, NVML_FIELD_POWER_AVERAGE, 0);
    claim(watts.result == NVML_OK && watts.value.as_uint >= 70000
              && field_of(V100, NVML_FIELD_POWER_AVERAGE, 0).result == NVML_NOT_SUPPORTED
              && field_of(V100, NVML_FIELD_POWER_INSTANT, 0).result == NVML_OK
              && field_of(V100, NVML_FIELD_MEMORY_TEMPERATURE, 0).result == NVML_OK
              && field_of(T4, NVML_FIELD_MEMORY_TEMPERATURE, 0).result == NVML_NOT_SUPPORTED,
          "power and memory temperature where the model has them");
}

/* Writes faults.conf a little later, while the caller waits. */
static pid_t faults_soon(const char *lines)
{
    pid_t child = fork();
    if (child == 0) {
        pause_ms(300);
        put("faults.conf", lines, strlen(lines));
        _exit(0);
    }
    return child;
}

static void check_events(void)
{
    void *set = NULL;
    struct nvml_event event;
    uint64_t types = 0;
    nvml_device instance;
    uint32_t id = 0;
    nvmlDeviceGetMigDeviceHandleByIndex(gpu[CUT], 2, &instance);
    nvmlDeviceGetGpuInstanceId(instance, &id);
    faults("* 0 xid=31\n");
    claim(nvmlEventSetCreate(&set) == NVML_OK && nvmlDeviceGetSupportedEventTypes(gpu[V100], &types) == NVML_OK
              && (types & NVML_EVENT_XID) != 0 && nvmlDeviceRegisterEvents(gpu[V100], NVML_EVENT_XID, set) == NVML_OK
              && nvmlDeviceRegisterEvents(gpu[CUT], NVML_EVENT_XID, set) == NVML_OK
              && nvmlDeviceRegisterEvents(instance, NVML_EVENT_XID, set) == NVML_NOT_SUPPORTED
              && nvmlDeviceRegisterEvents(gpu[V100], 1ULL << 40, set) == NVML_NOT_SUPPORTED
              && nvmlDeviceRegisterEvents(gpu[V100], NVML_EVENT_XID, &types) == NVML_INVALID_ARGUMENT,
          "GPUs, but no instances, are registered for XIDs");
    claim(nvmlEventSetWait_v2(set, &event, 100) == NVML_TIMEOUT, "what happened before is lost");
    pid_t child = faults_soon("* 0 xid=31\n* 0 xid=79\n* 2 xid=13\n* 5/2 xid=45\n");
    uint64_t before = record_now_us();
    int result = nvmlEventSetWait_v2(set, &event, 20000);
    uint64_t waited = record_now_us() - before;
    claim(result == NVML_OK && event.device == gpu[V100] && event.type == NVML_EVENT_XID && event.data == 79
              && event.gpu_instance == NVML_NO_INSTANCE && waited < 10000000,
          "an XID ends the wait, after %llu ms", (unsigned long long)waited / 1000);
    finish(child);
    claim(nvmlEventSetWait_v2(set, &event, 100) == NVML_OK && event.device == gpu[CUT] && event.data == 45
              && event.gpu_instance == id && event.compute_instance == 0,
          "an XID of an instance names it; GPUs that are not registered tell nothing");
    claim(nvmlEventSetWait_v2(set, &event, 0) == NVML_TIMEOUT, "then there is none");
    faults("* 0 xid=31\n* 0 xid=79\n* 0 xid=79\n* 2 xid=13\n* 5/2 xid=45\n");
    memset(&event, 0xA5, sizeof event);
    claim(nvmlEventSetWait(set, &event, 100) == NVML_OK && event.data == 79 && event.gpu_instance == 0xA5A5A5A5U,
          "the same line again is another XID; the first version of the wait writes 24 bytes");
    faults("nvmlEventSetWait_v2 * error=15 count=1\n");
    claim(nvmlEventSetWait_v2(set, &event, 100) == NVML_GPU_IS_LOST && nvmlEventSetWait_v2(set, &event, 0) == NVML_TIMEOUT,
          "a wait can fail");
    child = faults_soon("* * reload=events\n");
    claim(nvmlEventSetWait_v2(set, &event, 20000) == NVML_UNINITIALIZED, "a reload of the driver ends a wait");
    finish(child);
    claim(nvmlInit_v2() == NVML_OK && nvmlEventSetWait_v2(set, &event, 0) == NVML_INVALID_ARGUMENT
              && nvmlEventSetFree(set) == NVML_INVALID_ARGUMENT,
          "and the set");
    faults("");
}

/* ---- GPM, MIG, MPS ---- */

static const uint32_t METRICS[] = {NVML_GPM_BUSY, NVML_GPM_SM,   NVML_GPM_OCCUPANCY, NVML_GPM_TENSOR,
                                   NVML_GPM_DRAM, NVML_GPM_FP64, NVML_GPM_FP32,      NVML_GPM_FP16, NVML_GPM_INTEGER};
#define METRIC_COUNT (sizeof METRICS / sizeof *METRICS)

struct request {
    struct nvml_gpm_metrics head;
    struct nvml_gpm_metric metrics[METRIC_COUNT + 5];
};

/* All metrics between two samples; those after METRICS are of PCIe, of NVLink, and an unknown one. */
static int metrics_between(nvml_gpm_sample first, nvml_gpm_sample second, struct request *request)
{
    static const uint32_t more[] = {NVML_GPM_PCIE_TX, NVML_GPM_PCIE_RX, NVML_GPM_NVLINK_RX, NVML_GPM_NVLINK_TX, 99};
    memset(request, 0, sizeof *request);
    request->head.version = NVML_GPM_VERSION;
    request->head.count = METRIC_COUNT + 5;
    request->head.first = first;
    request->head.second = second;
    for (size_t i = 0; i < METRIC_COUNT + 5; i++) {
        request->metrics[i].id = i < METRIC_COUNT ? METRICS[i] : more[i - METRIC_COUNT];
    }
    return nvmlGpmMetricsGet(&request->head);
}

static bool metrics_are(const struct request *request, const double *values)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        if (request->metrics[i].result != NVML_OK || fabs(request->metrics[i].value - values[i]) > 0.2) {
            printf("# metric %u is %.2f, not %.2f\n", METRICS[i], request->metrics[i].value, values[i]);
            return false;
        }
    }
    return true;
}

static void check_gpm(void)
{
    pid_t kernels = SIMGPU("--devices", "4", "--util", "50", "--sm", "40", "--occupancy", "25", "--tensor", "20", "--dram",
                           "30", "--fp64", "1.5", "--fp32", "6", "--fp16", "7", "--integer", "11");
    struct nvml_gpm_support support = {.version = NVML_GPM_VERSION};
    nvml_gpm_sample samples[3];
    struct request request;
    bool made = true;
    for (int i = 0; i < 3; i++) {
        made = made && nvmlGpmSampleAlloc(&samples[i]) == NVML_OK;
    }
    claim(made && nvmlGpmQueryDeviceSupport(gpu[H100], &support) == NVML_OK && support.is_supported == 1
              && nvmlGpmQueryDeviceSupport(gpu[A100], &support) == NVML_OK && support.is_supported == 0
              && nvmlGpmSampleGet(gpu[A100], samples[0]) == NVML_NOT_SUPPORTED,
          "GPM is offered by H100, not by A100");
    support.version = 7;
    claim(nvmlGpmQueryDeviceSupport(gpu[H100], &support) == NVML_VERSION_MISMATCH, "and needs its version");
    pause_ms(700);
    nvmlGpmSampleGet(gpu[H100], samples[0]);
    pause_ms(500);
    claim(nvmlGpmSampleGet(gpu[H100], samples[1]) == NVML_OK
              && metrics_between(samples[0], samples[1], &request) == NVML_OK
              && metrics_are(&request, (const double[]){50, 40, 25, 20, 30, 1.5, 6, 7, 11}),
          "its metrics are what simgpu was told to do");
    const struct nvml_gpm_metric *rest = &request.metrics[METRIC_COUNT];
    claim(fabs(rest[0].value - 71.5) < 1 && fabs(rest[1].value - 429) < 5 && fabs(rest[2].value - 10240) < 100
              && rest[3].result == NVML_OK && rest[4].result == NVML_NOT_SUPPORTED
              && strcmp(rest[0].unit, "MiB/s") == 0 && strstr(request.metrics[1].short_name, "SM") != NULL,
          "PCIe and NVLink in MiB/s, names and units; what is unknown is not supported");
    kill(kernels, SIGTERM);
    finish(kernels);
    pause_ms(120);
    nvmlGpmSampleGet(gpu[H100], samples[0]);
    pause_ms(300);
    nvmlGpmSampleGet(gpu[H100], samples[1]);
    nvmlGpmSampleGet(gpu[CUT], samples[2]);
    claim(metrics_between(samples[0], samples[1], &request) == NVML_OK
              && metrics_are(&request, (const double[METRIC_COUNT]){0}),
          "an idle GPU shows zeros");
    request.head.version = 2;
    claim(nvmlGpmMetricsGet(&request.head) == NVML_VERSION_MISMATCH
              && metrics_between(samples[1], samples[0], &request) == NVML_INVALID_ARGUMENT
              && metrics_between(samples[0], samples[2], &request) == NVML_INVALID_ARGUMENT
              && metrics_between(samples[0], NULL, &request) == NVML_INVALID_ARGUMENT,
          "wrong versions, samples in the wrong order or of two GPUs are refused");
    restart();
    claim(metrics_between(samples[0], samples[1], &request) == NVML_INVALID_ARGUMENT, "so are samples of another session");
    for (int i = 0; i < 3; i++) {
        nvmlGpmSampleFree(samples[i]);
    }
    claim(nvmlGpmSampleFree(NULL) == NVML_INVALID_ARGUMENT, "and no sample at all");
}

static void check_mig(void)
{
    nvml_device instances[3], handle;
    char text[96], uuid[3][96];
    uint32_t current = 0, pending = 0, count = 0, number, ids[3];
    bool there = nvmlDeviceGetMigMode(gpu[CUT], &current, &pending) == NVML_OK && current == 1 && pending == 1
                 && nvmlDeviceGetMaxMigDeviceCount(gpu[CUT], &count) == NVML_OK && count == 7;
    for (unsigned i = 0; i < 3; i++) {
        there = there && nvmlDeviceGetMigDeviceHandleByIndex(gpu[CUT], i, &instances[i]) == NVML_OK;
    }
    claim(there && nvmlDeviceGetMigDeviceHandleByIndex(gpu[CUT], 3, &handle) == NVML_NOT_FOUND
              && nvmlDeviceGetMigDeviceHandleByIndex(gpu[CUT], 7, &handle) == NVML_INVALID_ARGUMENT
              && nvmlDeviceGetMigDeviceHandleByIndex(gpu[V100], 0, &handle) == NVML_NOT_SUPPORTED
              && nvmlDeviceGetMaxMigDeviceCount(gpu[V100], &count) == NVML_OK && count == 0,
          "MIG: a GPU in three instances, of at most seven");
    bool known = true;
    for (unsigned i = 0; i < 3; i++) {
        known = known && nvmlDeviceIsMigDeviceHandle(instances[i], &number) == NVML_OK && number == 1
                && nvmlDeviceGetIndex(instances[i], &number) == NVML_OK && number == i
                && nvmlDeviceGetGpuInstanceId(instances[i], &ids[i]) == NVML_OK
                && nvmlDeviceGetComputeInstanceId(instances[i], &number) == NVML_OK && number == 0
                && nvmlDeviceGetDeviceHandleFromMigDeviceHandle(instances[i], &handle) == NVML_OK && handle == gpu[CUT]
                && nvmlDeviceGetUUID(instances[i], uuid[i], sizeof uuid[i]) == NVML_OK
                && strncmp(uuid[i], "MIG-", 4) == 0 && strlen(uuid[i]) == 40
                && nvmlDeviceGetHandleByUUID(uuid[i], &handle) == NVML_OK && handle == instances[i];
    }
    claim(known && ids[0] == 7 && ids[1] == 8 && ids[2] == 1 && strcmp(uuid[0], uuid[1]) != 0,
          "instances have ids, indexes, UUIDs and a parent");
    claim(nvmlDeviceIsMigDeviceHandle(gpu[CUT], &number) == NVML_OK && number == 0
              && nvmlDeviceGetGpuInstanceId(gpu[CUT], &number) == NVML_NOT_SUPPORTED
              && nvmlDeviceGetDeviceHandleFromMigDeviceHandle(gpu[CUT], &handle) == NVML_INVALID_ARGUMENT
              && nvmlDeviceGetPowerUsage(instances[0], &number) == NVML_NOT_SUPPORTED
              && nvmlDeviceGetMinorNumber(instances[0], &number) == NVML_NOT_SUPPORTED,
          "a GPU is no instance, and an instance no GPU");
    struct nvml_attributes attributes;
    struct nvml_memory_v2 memory = {.version = NVML_MEMORY_V2_VERSION};
    claim(nvmlDeviceGetName(instances[2], text, sizeof text) == NVML_OK && strstr(text, "H100") != NULL
              && strstr(text, " MIG 3g.40gb") != NULL
              && nvmlDeviceGetAttributes_v2(instances[2], &attributes) == NVML_OK && attributes.gpu_instance_slices == 3
              && attributes.compute_instance_slices == 3 && attributes.multiprocessors > 40
              && attributes.memory_mib == 81559 / 2
              && nvmlDeviceGetAttributes_v2(gpu[CUT], &attributes) == NVML_NOT_SUPPORTED
              && nvmlDeviceGetMemoryInfo_v2(instances[0], &memory) == NVML_OK && memory.total >> 20 == 81559 / 8
              && memory.total == memory.reserved + memory.used + memory.free,
          "%s has half the memory, the others an eighth", text);

    claim(finish(SIMGPU("--mig", "MIG-nonsense")) == 3, "--mig with a wrong UUID: exit 3");
    claim(finish(SIMGPU_AS(0, uuid[2], "--mem", "60GiB")) == 2, "more memory than the instance has: exit 2");
    pid_t large = SIMGPU_AS(0, uuid[2], "--util", "80", "--tensor", "40", "--mem", "10GiB");
    pid_t small = SIMGPU("--mig", uuid[1], "--util", "50", "--mem", "1GiB");
    pid_t first = SIMGPU_AS(0, "5", "--util", "0", "--mem", "2GiB");
    pause_ms(1300);
    double gib[4];
    for (int i = 0; i < 4; i++) {
        gib[i] = nvmlDeviceGetMemoryInfo_v2(i < 3 ? instances[i] : gpu[CUT], &memory) == NVML_OK
                     ? (double)memory.used / GIB
                     : -1;
    }
    claim(gib[0] == 2 && gib[1] == 1 && gib[2] == 10 && gib[3] == 13,
          "memory by instance (%.0f, %.0f, %.0f GiB) and of the GPU (%.0f GiB); a position takes the first instance",
          gib[0], gib[1], gib[2], gib[3]);
    struct nvml_process processes[8];
    count = 8;
    int result = nvmlDeviceGetComputeRunningProcesses_v3(instances[2], &count, processes);
    claim(result == NVML_OK && count == 1 && processes[0].pid == (uint32_t)large && processes[0].gpu_instance == 1
              && processes[0].compute_instance == 0 && processes[0].memory == 10 * GIB,
          "a program is listed on its instance");
    count = 8;
    result = nvmlDeviceGetComputeRunningProcesses_v3(gpu[CUT], &count, processes);
    bool all = result == NVML_OK && count == 3;
    for (uint32_t i = 0; all && i < 3; i++) {
        uint32_t wanted = processes[i].pid == (uint32_t)large   ? 1
                          : processes[i].pid == (uint32_t)small ? 8
                          : processes[i].pid == (uint32_t)first ? 7
                                                                : 99;
        all = processes[i].gpu_instance == wanted;
    }
    claim(all, "and on the GPU, with the instance's id");
    struct nvml_utilization use;
    struct nvml_sample samples[119];
    struct nvml_process_sample shares[8];
    uint32_t type;
    bool silent = true;
    for (int i = 0; i < 4; i++) {
        handle = i < 3 ? instances[i] : gpu[CUT];
        count = 119;
        silent = silent && nvmlDeviceGetUtilizationRates(handle, &use) == NVML_NOT_SUPPORTED
                 && nvmlDeviceGetSamples(handle, NVML_SAMPLE_GPU_UTIL, 0, &type, &count, samples) == NVML_NOT_SUPPORTED
                 && nvmlDeviceGetSamples(handle, NVML_SAMPLE_MEMORY_UTIL, 0, &type, &count, samples)
                        == NVML_NOT_SUPPORTED
                 && nvmlDeviceGetProcessUtilization(handle, shares, &count, 0) == NVML_NOT_SUPPORTED;
    }
    count = 119;
    claim(silent && nvmlDeviceGetSamples(gpu[CUT], NVML_SAMPLE_POWER, 0, &type, &count, samples) == NVML_OK,
          "no utilisation of a partitioned GPU nor of its instances, but power");
    uint32_t mw = 0;
    nvmlDeviceGetPowerUsage(gpu[CUT], &mw);
    claim(mw > 300000 && mw < 312000, "power by slices: 80 %% of 3/7 and 50 %% of 1/7 make %u W", mw / 1000);

    nvml_gpm_sample begin[3], end[3];
    struct request request[3];
    bool taken = true;
    for (int i = 0; i < 3; i++) {
        taken = taken && nvmlGpmSampleAlloc(&begin[i]) == NVML_OK && nvmlGpmSampleAlloc(&end[i]) == NVML_OK
                && (i < 2 ? nvmlGpmMigSampleGet(gpu[CUT], ids[i + 1], begin[i]) : nvmlGpmSampleGet(gpu[CUT], begin[i]))
                       == NVML_OK;
    }
    pause_ms(400);
    for (int i = 0; i < 3; i++) {
        taken = taken
                && (i < 2 ? nvmlGpmMigSampleGet(gpu[CUT], ids[i + 1], end[i]) : nvmlGpmSampleGet(gpu[CUT], end[i]))
                       == NVML_OK
                && metrics_between(begin[i], end[i], &request[i]) == NVML_OK;
    }
    claim(taken && fabs(request[1].metrics[0].value - 80) < 0.2 && fabs(request[1].metrics[3].value - 40) < 0.2
              && fabs(request[0].metrics[0].value - 50) < 0.2
              && fabs(request[2].metrics[0].value - (80.0 * 3 + 50) / 7) < 0.2,
          "GPM tells of each instance (%.0f %%, %.0f %%) and of the GPU (%.1f %%)", request[1].metrics[0].value,
          request[0].metrics[0].value, request[2].metrics[0].value);
    claim(nvmlGpmMigSampleGet(gpu[CUT], 5, begin[0]) == NVML_INVALID_ARGUMENT
              && nvmlGpmMigSampleGet(gpu[H100], 1, begin[0]) == NVML_NOT_SUPPORTED
              && metrics_between(begin[0], end[1], &request[0]) == NVML_INVALID_ARGUMENT,
          "not of instances that do not exist, nor across two");
    for (int i = 0; i < 3; i++) {
        nvmlGpmSampleFree(begin[i]);
        nvmlGpmSampleFree(end[i]);
    }
    pid_t all_programs[] = {large, small, first};
    for (int i = 0; i < 3; i++) {
        kill(all_programs[i], SIGTERM);
        finish(all_programs[i]);
    }
}

static uint32_t pids_in(int (*list)(nvml_device, uint32_t *, struct nvml_process *), int index, uint32_t *pid)
{
    struct nvml_process processes[8];
    uint32_t count = 8;
    *pid = list(gpu[index], &count, processes) == NVML_OK && count > 0 ? processes[0].pid : 0;
    return count;
}

/* Who worked on the GPU in the last second, and how much the first of them. */
static uint32_t workers(int index, uint32_t *pid, uint32_t *percent)
{
    struct nvml_process_sample samples[8];
    uint32_t count = 8;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t since = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - 600000;
    if (nvmlDeviceGetProcessUtilization(gpu[index], samples, &count, since) != NVML_OK) {
        return 0;
    }
    *pid = samples[0].pid;
    *percent = samples[0].sm;
    return count;
}

static void check_mps(void)
{
    pid_t server = SIMGPU("--devices", "2", "--mps-server", "--mem", "30MiB");
    pid_t one = SIMGPU("--devices", "2", "--mps", "--util", "30"), two = SIMGPU("--devices", "2", "--mps", "--util", "20");
    pid_t screen = SIMGPU("--devices", "3", "--graphics", "--util", "0", "--mem", "100MiB");
    pause_ms(1200);
    uint32_t pid, percent;
    claim(pids_in(nvmlDeviceGetComputeRunningProcesses_v3, T4, &pid) == 1 && pid == (uint32_t)server,
          "under MPS the list of compute programs has the server alone");
    claim(pids_in(nvmlDeviceGetMPSComputeRunningProcesses_v3, T4, &pid) == 2
              && (pid == (uint32_t)one || pid == (uint32_t)two),
          "and the list of MPS programs the clients");
    claim(workers(T4, &pid, &percent) == 1 && pid == (uint32_t)server && percent == 50,
          "whose work is reported as the server's: %u %%", percent);
    claim(pids_in(nvmlDeviceGetGraphicsRunningProcesses_v3, A10, &pid) == 1 && pid == (uint32_t)screen
              && pids_in(nvmlDeviceGetGraphicsRunningProcesses_v3, T4, &pid) == 0,
          "graphics programs have a list of their own");
    kill(server, SIGKILL);
    finish(server);
    pause_ms(700);
    claim(workers(T4, &pid, &percent) == 2 && pid != (uint32_t)server, "without a server the work is the clients' own");
    pid_t rest[] = {one, two, screen};
    for (int i = 0; i < 3; i++) {
        kill(rest[i], SIGTERM);
        finish(rest[i]);
    }
}

/* ---- other drivers ---- */

static uint32_t stride_seen(void)
{
    unsigned char bytes[8 * 32];
    uint32_t count = 8, touched = sizeof bytes;
    memset(bytes, 0xA5, sizeof bytes);
    if (nvmlDeviceGetComputeRunningProcesses_v3(gpu[0], &count, (struct nvml_process *)bytes) != NVML_OK || count == 0) {
        return 0;
    }
    while (touched > 0 && bytes[touched - 1] == 0xA5) {
        touched--;
    }
    return touched / count;
}

static void check_variants(pid_t busy)
{
    static const uint32_t strides[] = {16, 24, 32};
    char text[256];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "node=check01\nstride=%u ringepoch=boot ringdepth=60\nminor=1 model=v100 hidemem=%d blank=%d "
                 "odduse=%d\n",
                 strides[i], i == 1, i == 1, i == 1);
        put("gpus.conf", text, strlen(text));
        restart();
        nvmlDeviceGetHandleByIndex_v2(0, &gpu[0]);
        claim(stride_seen() == strides[i], "stride=%u: records of %u bytes under the same name", strides[i], strides[i]);
        struct nvml_process processes[8];
        uint32_t count = 8;
        if (i == 1) {
            claim(nvmlDeviceGetComputeRunningProcesses_v3(gpu[0], &count, processes) == NVML_OK
                      && processes[0].pid == (uint32_t)busy && processes[0].memory == NVML_NOT_AVAILABLE,
                  "hidemem=1: programs are listed without their memory");
            struct nvml_process_sample uses[4];
            uint32_t used = 4;
            int result = nvmlDeviceGetProcessUtilization(gpu[0], uses, &used, 0);
            claim(result == NVML_OK && used == 3 && uses[0].pid == uses[1].pid && uses[1].timestamp < uses[0].timestamp
                      && uses[2].sm == UINT32_MAX,
                  "odduse=1: an old entry beside the new one, and one that cannot be true");
            struct nvml_field_value rows = field_of(0, NVML_FIELD_REMAPPED_PENDING, 0);
            claim(rows.result == NVML_OK && rows.value.as_uint == 0xFFFFFFFFU,
                  "blank=1: what the model lacks has a value that is none");
        }
    }
    struct nvml_sample samples[60];
    uint32_t type, count = 0;
    claim(nvmlDeviceGetSamples(gpu[0], NVML_SAMPLE_GPU_UTIL, 0, &type, &count, NULL) == NVML_OK && count == 60
              && nvmlDeviceGetSamples(gpu[0], NVML_SAMPLE_GPU_UTIL, 0, &type, &count, samples) == NVML_OK && count == 60
              && samples[59].timestamp <= record_now_us() && samples[59].timestamp + 1000000 > record_now_us()
              && samples[59].value.as_uint == 90,
          "ringdepth=60 ringepoch=boot: a shorter ring, timestamps since boot");
    static const char *const wrong[] = {"stride=20\n",
                                        "ringdepth=0\n",
                                        "ringepoch=moon\n",
                                        "minor=0 model=t4 mig=1g.10gb\n",
                                        "minor=0 model=h100 mig=1g.5gb\n",
                                        "minor=0 model=a100 mig=3g.20gb,3g.20gb,1g.5gb,1g.5gb\n",
                                        "minor=0 model=h100 mig=4g.40gb,4g.40gb\n",
                                        "minor=0 model=h100 hidemem=yes\n"};
    while (nvmlShutdown() == NVML_OK) {
    }
    bool refused = true;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put("gpus.conf", wrong[i], strlen(wrong[i]));
        refused = refused && nvmlInit_v2() == NVML_UNKNOWN;
    }
    claim(refused, "impossible settings and instances are refused");
    put("gpus.conf", CONF, sizeof CONF - 1);
    restart();
    get_handles();
}

static void check_old_driver(const char *build)
{
    static const char *const later[] = {"nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetComputeRunningProcesses_v2",
                                        "nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetMigMode",
                                        "nvmlDeviceGetMPSComputeRunningProcesses", "nvmlGpmSampleGet",
                                        "nvmlDeviceGetAttributes_v2", "nvmlEventSetWait_v2", "nvmlDeviceGetRemappedRows",
                                        "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetArchitecture"};
    char path[4096], text[96] = "";
    snprintf(path, sizeof path, "%s/libnvidia-ml-r418.so.1", build);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    bool absent = library != NULL;
    for (size_t i = 0; absent && i < sizeof later / sizeof *later; i++) {
        absent = dlsym(library, later[i]) == NULL;
    }
    claim(absent, "the library of R418 lacks what came later");
    int (*init)(void), (*stop)(void), (*version)(char *, unsigned), (*handle)(unsigned, nvml_device *);
    int (*processes)(nvml_device, uint32_t *, struct nvml_process_v1 *), (*name)(nvml_device, char *, unsigned);
    int (*fields)(nvml_device, int, struct nvml_field_value *), (*memory)(nvml_device, struct nvml_memory *);
    *(void **)&init = dlsym(library, "nvmlInit_v2");
    *(void **)&stop = dlsym(library, "nvmlShutdown");
    *(void **)&version = dlsym(library, "nvmlSystemGetDriverVersion");
    *(void **)&handle = dlsym(library, "nvmlDeviceGetHandleByIndex_v2");
    *(void **)&processes = dlsym(library, "nvmlDeviceGetComputeRunningProcesses");
    *(void **)&name = dlsym(library, "nvmlDeviceGetName");
    *(void **)&fields = dlsym(library, "nvmlDeviceGetFieldValues");
    *(void **)&memory = dlsym(library, "nvmlDeviceGetMemoryInfo");
    nvml_device device = NULL;
    struct nvml_process_v1 records[8];
    struct nvml_field_value values[] = {{.field = NVML_FIELD_TOTAL_ENERGY}, {.field = NVML_FIELD_REMAPPED_PENDING}};
    struct nvml_memory bytes;
    uint32_t count = 8;
    bool works = init() == NVML_OK && version(text, sizeof text) == NVML_OK && strncmp(text, "418.", 4) == 0
                 && handle(V100, &device) == NVML_OK && name(device, text, sizeof text) == NVML_OK
                 && processes(device, &count, records) == NVML_OK && count == 1
                 && memory(device, &bytes) == NVML_OK && bytes.used > 20 * GIB
                 && fields(device, 2, values) == NVML_OK && values[0].result == NVML_OK
                 && values[1].result == NVML_INVALID_ARGUMENT && stop() == NVML_OK;
    claim(works, "and works with what there was: %s", text);
    dlclose(library);
}

int main(int count, char **arguments)
{
    const char *build = count > 1 ? arguments[1] : "build";
    char path[4096], device[64];
    snprintf(path, sizeof path, "%s/simgpu", build);
    if (realpath(path, program) == NULL || mkdtemp(directory) == NULL || chmod(directory, 0755) != 0) {
        printf("Bail out! %s\n", strerror(errno));
        return 1;
    }
    setenv("FAIRWATCH_SIMGPU_DIR", directory, 1);
    snprintf(path, sizeof path, "%s/dev", directory);
    mkdir(path, 0755);
    setenv("FAIRWATCH_SIMGPU_DEV", path, 1);
    for (int i = 0; i < GPUS; i++) {
        snprintf(device, sizeof device, "dev/nvidia%d", i);
        put(device, "", 0);
    }
    load(build);
    check_start();

    pid_t busy = SIMGPU("--devices", "0", "--util", "90", "--mem", "20GiB");
    pid_t wave = SIMGPU("--devices", "1", "--util", "90", "--busy", "1s", "--idle", "1s");
    pid_t stopped = SIMGPU("--devices", "3", "--util", "80", "--mem", "5GiB");
    pid_t killed = SIMGPU("--devices", "4", "--util", "70", "--mem", "7GiB");
    pid_t outside = SIMGPU("--touch-nothing");
    uint64_t began = record_now_us();
    pause_ms(2500);
    check_use(busy);
    check_contracts();

    claim(util_of(H100) == 70 && util_of(A10) == 80, "two more programs are at work");
    kill(killed, SIGKILL);
    kill(stopped, SIGSTOP);
    finish(killed);
    pause_ms(500);
    uint32_t pid;
    claim(util_of(H100) == 0 && used_gib(H100) == 0 && holders(H100, &pid) == 0, "after SIGKILL idle and empty");
    pause_ms(1700);
    claim(util_of(A10) == 0, "after SIGSTOP idle");
    claim(fabs(used_gib(A10) - 5) < 0.01 && holders(A10, &pid) == 1 && pid == (uint32_t)stopped,
          "but a stopped program holds its memory");
    kill(stopped, SIGCONT);
    pause_ms(600);
    claim(util_of(A10) == 80, "after SIGCONT at work again");
    claim(ring_mean(A10, 18) < 40, "the time in between stays idle in the ring (mean of 3 s: %.0f %%)",
          ring_mean(A10, 18));

    check_junk();
    check_threads();

    uint64_t busy_before = energy_of(V100), idle_before = energy_of(T4), time_before = record_now_us();
    bool rising = true;
    for (int i = 0; i < 80; i++) {
        uint64_t before = energy_of(V100);
        pause_ms(50);
        rising = rising && energy_of(V100) >= before;
    }
    double seconds = (double)(record_now_us() - time_before) / 1e6;
    double busy_w = (double)(energy_of(V100) - busy_before) / 1000 / seconds;
    double idle_w = (double)(energy_of(T4) - idle_before) / 1000 / seconds;
    uint32_t mw = 0;
    nvmlDeviceGetPowerUsage(gpu[V100], &mw);
    claim(rising, "energy never falls");
    claim(fabs(busy_w - mw / 1000.0) < 0.08 * mw / 1000.0, "energy is the integral of power: %.0f W, power says %.0f W",
          busy_w, mw / 1000.0);
    claim(fabs(idle_w - 10) < 0.2, "and at rest %.1f W", idle_w);
    busy_before = energy_of(V100);
    nvmlShutdown();
    nvmlInit_v2();
    get_handles();
    claim(energy_of(V100) >= busy_before && energy_of(V100) - busy_before < 200000,
          "energy goes on across a new start of the library");

    double period = (double)(record_now_us() - began) / 1e6;
    double mean = ring_mean(A100, 24);
    claim(period > 6 && fabs(mean - 45) <= 2, "a square wave of 90 %% has a mean of %.1f %% over 4 s of the ring", mean);

    check_choice();
    pid_t first = SIMGPU("--devices", "2", "--util", "80"), second = SIMGPU("--devices", "2", "--util", "80");
    pause_ms(1500);
    struct nvml_process_sample shares[4];
    uint32_t n = 4;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int result = nvmlDeviceGetProcessUtilization(gpu[T4], shares, &n,
                                                 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - 700000);
    claim(util_of(T4) == 100 && holders(T4, &pid) == 2 && result == NVML_OK && n == 2 && shares[0].sm == 50
              && shares[1].sm == 50,
          "two programs that want 80 %% each share 100 %%");
    kill(first, SIGTERM);
    kill(second, SIGTERM);
    claim(finish(first) == 128 + SIGTERM && finish(second) == 128 + SIGTERM, "SIGTERM ends them as a signal does");
    pause_ms(400);
    claim(used_gib(T4) == 0 && util_of(T4) == 0, "and frees the GPU at once");
    check_retirement();
    check_mig();
    check_gpm();
    check_mps();
    check_health();
    check_events();
    check_faults();
    check_variants(busy);
    check_old_driver(build);

    uint64_t lived = record_now_us() - began;
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)busy);
    FILE *file = fopen(path, "r");
    unsigned long long cpu_ns = 0;
    if (file != NULL) {
        if (fscanf(file, "%llu", &cpu_ns) != 1) {
            cpu_ns = 0;
        }
        fclose(file);
    }
    claim((double)cpu_ns / 1000 < 0.005 * (double)lived, "simgpu itself uses %.2f %% of one core",
          (double)cpu_ns / 10 / (double)lived);

    pid_t all[] = {busy, wave, stopped, outside};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        kill(all[i], SIGKILL);
        finish(all[i]);
    }
    claim(nvmlShutdown() == NVML_OK && nvmlShutdown() == NVML_UNINITIALIZED, "the last nvmlShutdown ends it");
    printf("1..%d\n# %d failed; simulation in %s\n", tests, failures, directory);
    if (failures == 0) {
        snprintf(path, sizeof path, "rm -rf '%s'", directory);
        return system(path) == 0 ? 0 : 1;
    }
    return 1;
}
