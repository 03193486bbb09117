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
