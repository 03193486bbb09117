/*
 * NVML's functions over the simulated state. Each takes the lock, checks its arguments as the real library does, and
 * answers from the state, which is read again when it is older than REFRESH_US.
 */
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "config.h"
#include "nvml_abi.h"
#include "state.h"

#define API __attribute__((visibility("default")))
#define REFRESH_US 100000U
#define DRIVER_VERSION "535.183.01-simulated"
#define NVML_VERSION "12.535.183.01-simulated"
#define CUDA_VERSION 12020

#define UTIL_PERIOD_US 166667U /* between two entries of the utilisation rings */
#define UTIL_RING 100U         /* entries: 16.7 s */
#define POWER_PERIOD_US 20000U
#define POWER_RING 119U /* entries: 2.4 s */
#define TEMPERATURE_LAG_US 25e6
#define TEMPERATURE_MEMORY_US 200000000U

struct gpu {
    const struct gpu_config *config;
    const struct model *model;
    uint32_t index;
    double energy_mj; /* the largest value given out so far */
    const struct timeline *timeline;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users; /* nvmlInit calls without their nvmlShutdown */
static struct node_config config;
static struct gpu gpus[MAX_GPUS];
static struct state state;
static uint64_t epoch_us; /* what to add to a monotonic time to make an NVML timestamp; constant in this process */
static int event_set;     /* its address is the handle of every event set */

static int end(int result)
{
    pthread_mutex_unlock(&lock);
    return result;
}

/* Takes the lock; on anything but NVML_OK it is released again. */
static int begin(const void *out)
{
    pthread_mutex_lock(&lock);
    if (users == 0) {
        return end(NVML_UNINITIALIZED);
    }
    return out != NULL ? NVML_OK : end(NVML_INVALID_ARGUMENT);
}

static bool is_handle(const struct gpu *gpu)
{
    for (size_t i = 0; i < config.count; i++) {
        if (gpu == &gpus[i]) {
            return true;
        }
    }
    return false;
}

static int begin_gpu(const struct gpu *gpu, const void *out)
{
    int result = begin(out);
    if (result == NVML_OK && !is_handle(gpu)) {
        return end(NVML_INVALID_ARGUMENT);
    }
    return result;
}

/* As begin_gpu, and reads what the programs do now. */
static int begin_fresh(const struct gpu *gpu, const void *out)
{
    int result = begin_gpu(gpu, out);
    if (result == NVML_OK) {
        state_refresh(&state, REFRESH_US);
    }
    return result;
}

static int give_text(char *out, unsigned size, const char *text)
{
    size_t needed = strlen(text) + 1;
    if (size < needed) {
        return NVML_INSUFFICIENT_SIZE;
    }
    memcpy(out, text, needed);
    return NVML_OK;
}

/* ---- what a GPU does at a time ---- */

static uint64_t before(uint64_t now, uint64_t span)
{
    return now > span ? now - span : 0;
}

static double util_between(const struct gpu *gpu, uint64_t from, uint64_t to)
{
    double util, memory_util;
    timeline_mean(gpu->timeline, from, to, &util, &memory_util);
    return util;
}

static uint32_t power_between(const struct gpu *gpu, uint64_t from, uint64_t to)
{
    const struct model *model = gpu->model;
    return model->idle_mw + (uint32_t)lround(util_between(gpu, from, to) * (model->busy_mw - model->idle_mw));
}

static uint32_t power_now(const struct gpu *gpu, bool averaged)
{
    uint64_t now = record_now_us();
    return power_between(gpu, before(now, averaged ? 1000000 : POWER_PERIOD_US), now);
}

/*
 * Since boot, as if the driver had been loaded then: idle power all the time, and more in proportion to use. Use counts
 * once a heartbeat proves it, so the counter lags by up to 0.25 s and never has to go back when a program is killed.
 */
static uint64_t energy(struct gpu *gpu)
{
    const struct model *model = gpu->model;
    double mj = (double)record_now_us() / 1e6 * model->idle_mw
                + gpu->timeline->proved_us / 1e6 * (model->busy_mw - model->idle_mw);
    gpu->energy_mj = fmax(mj, gpu->energy_mj);
    return (uint64_t)gpu->energy_mj;
}

/* Follows use as a first-order lag does. */
static uint32_t temperature(const struct gpu *gpu)
{
    uint64_t now = record_now_us(), from = before(now, TEMPERATURE_MEMORY_US);
    const struct timeline *timeline = gpu->timeline;
    double warmth = 0;
    for (size_t i = 0; i < timeline->count; i++) {
        uint64_t a = timeline->pieces[i].from_us, b = i + 1 < timeline->count ? timeline->pieces[i + 1].from_us : now;
        a = a < from ? from : a;
        b = b > now ? now : b;
        if (b > a) {
            warmth += timeline->pieces[i].util
                      * (exp(-(double)(now - b) / TEMPERATURE_LAG_US) - exp(-(double)(now - a) / TEMPERATURE_LAG_US));
        }
    }
    return gpu->model->idle_celsius
           + (uint32_t)lround(warmth * (gpu->model->busy_celsius - gpu->model->idle_celsius));
}

static bool is_busy_between(const struct gpu *gpu, uint64_t from, uint64_t to)
{
    return util_between(gpu, from, to) > 0;
}

static bool is_busy(const struct gpu *gpu)
{
    uint64_t now = record_now_us();
    return is_busy_between(gpu, before(now, 1000000), now);
}

/* Of all programs that live, at work or not; without the driver's own. */
static uint64_t used_memory(const struct gpu *gpu)
{
    uint64_t most = gpu->model->memory_bytes - gpu->model->reserved_bytes, used = 0;
    for (size_t i = 0; i < state.process_count; i++) {
        const struct process *process = &state.processes[i];
        const struct record_device *device = process_device(process, gpu->config->minor);
        if (process->alive && !process->hidden && device != NULL) {
            used += device->memory_bytes;
        }
    }
    return used < most ? used : most;
}

/* ---- start and end ---- */

API const char *fairwatch_simulated_gpus(void)
{
    return "These are simulated GPUs: their use is what simgpu programs pretend, not what any hardware does.";
}

static int start(void)
{
    char message[512];
    enum config_result result = config_load(config_directory(), &config, message, sizeof message);
    if (result != CONFIG_READ) {
        if (result == CONFIG_WRONG) {
            fprintf(stderr, "simulated GPUs: %s\n", message);
        }
        config.count = 0;
        return result == CONFIG_ABSENT ? NVML_DRIVER_NOT_LOADED : NVML_UNKNOWN;
    }
    uint32_t minors[MAX_GPUS];
    for (size_t i = 0; i < config.count; i++) {
        minors[i] = config.gpus[i].minor;
    }
    if (!state_open(&state, config_directory(), minors, config.count)) {
        return NVML_MEMORY;
    }
    for (size_t i = 0; i < config.count; i++) {
        gpus[i] = (struct gpu){.config = &config.gpus[i],
                               .model = config.gpus[i].model,
                               .index = (uint32_t)i,
                               .timeline = &state.timelines[i]};
    }
    if (epoch_us == 0) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        epoch_us = (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U - record_now_us();
    }
    return NVML_OK;
}

API int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    pthread_mutex_lock(&lock);
    int result = users == 0 ? start() : NVML_OK;
    users += result == NVML_OK;
    return end(result);
}

API int nvmlInit_v2(void)
{
    return nvmlInitWithFlags(0);
}

API int nvmlInit(void)
{
    return nvmlInitWithFlags(0);
}

API int nvmlShutdown(void)
{
    pthread_mutex_lock(&lock);
    if (users == 0) {
        return end(NVML_UNINITIALIZED);
    }
    if (--users == 0) {
        state_close(&state);
        config.count = 0;
    }
    return end(NVML_OK);
}

API const char *nvmlErrorString(int result)
{
    switch (result) {
    case NVML_OK: return "Success";
    case NVML_UNINITIALIZED: return "Uninitialized";
    case NVML_INVALID_ARGUMENT: return "Invalid Argument";
    case NVML_NOT_SUPPORTED: return "Not Supported";
    case NVML_NO_PERMISSION: return "Insufficient Permissions";
    case NVML_NOT_FOUND: return "Not Found";
    case NVML_INSUFFICIENT_SIZE: return "Insufficient Size";
    case NVML_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case NVML_TIMEOUT: return "Timeout";
    case NVML_OPERATING_SYSTEM: return "Operating System Error";
    case NVML_MEMORY: return "Insufficient Memory";
    case NVML_VERSION_MISMATCH: return "Argument Version Mismatch";
    default: return "Unknown Error";
    }
}

/* ---- the system ---- */

API int nvmlSystemGetDriverVersion(char *version, unsigned size)
{
    int result = begin(version);
    return result != NVML_OK ? result : end(give_text(version, size, DRIVER_VERSION));
}

API int nvmlSystemGetNVMLVersion(char *version, unsigned size)
{
    return version == NULL ? NVML_INVALID_ARGUMENT : give_text(version, size, NVML_VERSION);
}

API int nvmlSystemGetCudaDriverVersion(int *version)
{
    if (version == NULL) {
        return NVML_INVALID_ARGUMENT;
    }
    *version = CUDA_VERSION;
    return NVML_OK;
}

API int nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    return nvmlSystemGetCudaDriverVersion(version);
}

/* ---- finding GPUs ---- */

API int nvmlDeviceGetCount_v2(unsigned *count)
{
    int result = begin(count);
    if (result == NVML_OK) {
        *count = (unsigned)config.count;
        return end(NVML_OK);
    }
    return result;
}

API int nvmlDeviceGetCount(unsigned *count)
{
    return nvmlDeviceGetCount_v2(count);
}

API int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvml_device *device)
{
    int result = begin(device);
    if (result != NVML_OK) {
        return result;
    }
    if (index >= config.count) {
        return end(NVML_INVALID_ARGUMENT);
    }
    *device = &gpus[index];
    return end(NVML_OK);
}

API int nvmlDeviceGetHandleByIndex(unsigned index, nvml_device *device)
{
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

API int nvmlDeviceGetHandleByUUID(const char *uuid, nvml_device *device)
{
    int result = begin(device);
    if (result != NVML_OK) {
        return result;
    }
    if (uuid == NULL) {
        return end(NVML_INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < config.count; i++) {
        if (strcasecmp(config.gpus[i].uuid, uuid) == 0) {
            *device = &gpus[i];
            return end(NVML_OK);
        }
    }
    return end(NVML_NOT_FOUND);
}

API int nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvml_device *device)
{
    int result = begin(device);
    if (result != NVML_OK) {
        return result;
    }
    uint32_t domain, bus, slot;
    if (bus_id == NULL || !config_parse_bus_id(bus_id, &domain, &bus, &slot)) {
        return end(NVML_INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < config.count; i++) {
        const struct gpu_config *gpu = &config.gpus[i];
        if (gpu->domain == domain && gpu->bus == bus && gpu->device == slot) {
            *device = &gpus[i];
            return end(NVML_OK);
        }
    }
    return end(NVML_NOT_FOUND);
}

API int nvmlDeviceGetHandleByPciBusId(const char *bus_id, nvml_device *device)
{
    return nvmlDeviceGetHandleByPciBusId_v2(bus_id, device);
}

/* ---- what does not change ---- */

API int nvmlDeviceGetName(nvml_device device, char *name, unsigned size)
{
    int result = begin_gpu(device, name);
    return result != NVML_OK ? result : end(give_text(name, size, device->model->name));
}

API int nvmlDeviceGetUUID(nvml_device device, char *uuid, unsigned size)
{
    int result = begin_gpu(device, uuid);
    return result != NVML_OK ? result : end(give_text(uuid, size, device->config->uuid));
}

/* Functions that give one unsigned number of a GPU, which is known without looking at what programs do. */
#define FIXED(function, expression)                                            \
    API int function(nvml_device device, uint32_t *out)                        \
    {                                                                          \
        int result = begin_gpu(device, out);                                   \
        if (result != NVML_OK) {                                               \
            return result;                                                     \
        }                                                                      \
        *out = (expression);                                                   \
        return end(NVML_OK);                                                   \
    }

/* The same for what this model, or any of them, does not offer. */
#define NOT_OFFERED(function)                                                  \
    API int function(nvml_device device, uint32_t *out)                        \
    {                                                                          \
        int result = begin_gpu(device, out);                                   \
        return result != NVML_OK ? result : end(NVML_NOT_SUPPORTED);           \
    }

FIXED(nvmlDeviceGetIndex, device->index)
FIXED(nvmlDeviceGetMinorNumber, device->config->minor)
FIXED(nvmlDeviceGetBrand, device->model->brand)
FIXED(nvmlDeviceGetArchitecture, device->model->architecture)
FIXED(nvmlDeviceGetPersistenceMode, 1)
FIXED(nvmlDeviceGetComputeMode, 0)
FIXED(nvmlDeviceGetAccountingMode, 0)
FIXED(nvmlDeviceGetPowerManagementMode, 1)
FIXED(nvmlDeviceGetEnforcedPowerLimit, device->model->limit_mw)
FIXED(nvmlDeviceGetPowerManagementLimit, device->model->limit_mw)
FIXED(nvmlDeviceGetPowerManagementDefaultLimit, device->model->limit_mw)
FIXED(nvmlDeviceIsMigDeviceHandle, 0)
FIXED(nvmlDeviceGetMaxMigDeviceCount, device->model->can_partition ? 7 : 0)
NOT_OFFERED(nvmlDeviceGetFanSpeed)

API int nvmlDeviceGetCudaComputeCapability(nvml_device device, int *major, int *minor)
{
    int result = begin_gpu(device, major != NULL ? minor : NULL);
    if (result != NVML_OK) {
        return result;
    }
    *major = (int)device->model->compute_major;
    *minor = (int)device->model->compute_minor;
    return end(NVML_OK);
}

static void fill_pci(const struct gpu *gpu, struct nvml_pci *pci)
{
    const struct gpu_config *at = gpu->config;
    memset(pci, 0, sizeof *pci);
    snprintf(pci->legacy_bus_id, sizeof pci->legacy_bus_id, "%04X:%02X:%02X.0", at->domain & 0xFFFF, at->bus & 0xFF,
             at->device & 0xFF);
    snprintf(pci->bus_id, sizeof pci->bus_id, "%08X:%02X:%02X.0", at->domain, at->bus & 0xFF, at->device & 0xFF);
    pci->domain = at->domain;
    pci->bus = at->bus;
    pci->device = at->device;
    pci->device_id = gpu->model->pci_device_id;
    pci->subsystem_id = gpu->model->pci_device_id;
}

API int nvmlDeviceGetPciInfo_v3(nvml_device device, struct nvml_pci *pci)
{
    int result = begin_gpu(device, pci);
    if (result != NVML_OK) {
        return result;
    }
    fill_pci(device, pci);
    return end(NVML_OK);
}

/* Older callers gave less room: up to the device id at first, then up to the subsystem id. */
static int give_old_pci(nvml_device device, void *out, size_t size)
{
    int result = begin_gpu(device, out);
    if (result != NVML_OK) {
        return result;
    }
    struct nvml_pci pci;
    fill_pci(device, &pci);
    memcpy(out, &pci, size);
    return end(NVML_OK);
}

API int nvmlDeviceGetPciInfo_v2(nvml_device device, void *pci)
{
    return give_old_pci(device, pci, offsetof(struct nvml_pci, bus_id));
}

API int nvmlDeviceGetPciInfo(nvml_device device, void *pci)
{
    return give_old_pci(device, pci, offsetof(struct nvml_pci, subsystem_id));
}

API int nvmlDeviceGetMigMode(nvml_device device, uint32_t *current, uint32_t *pending)
{
    int result = begin_gpu(device, current != NULL ? pending : NULL);
    if (result != NVML_OK) {
        return result;
    }
    if (!device->model->can_partition) {
        return end(NVML_NOT_SUPPORTED);
    }
    *current = *pending = 0;
    return end(NVML_OK);
}

API int nvmlDeviceGetMigDeviceHandleByIndex(nvml_device device, unsigned index, nvml_device *instance)
{
    (void)index;
    int result = begin_gpu(device, instance);
    return result != NVML_OK ? result : end(device->model->can_partition ? NVML_NOT_FOUND : NVML_NOT_SUPPORTED);
}

API int nvmlDeviceGetTotalEccErrors(nvml_device device, unsigned error, unsigned counter, uint64_t *count)
{
    int result = begin_gpu(device, count);
    if (result != NVML_OK) {
        return result;
    }
    if (error > 1 || counter > 1) {
        return end(NVML_INVALID_ARGUMENT);
    }
    *count = 0;
    return end(NVML_OK);
}

static uint32_t max_clock(const struct gpu *gpu, unsigned type)
{
    return type == NVML_MEMORY_CLOCK ? gpu->model->busy_memory_mhz : gpu->model->max_sm_mhz;
}

static uint32_t clock_when(const struct gpu *gpu, unsigned type, bool busy)
{
    const struct model *model = gpu->model;
    if (type == NVML_MEMORY_CLOCK) {
        return busy ? model->busy_memory_mhz : model->idle_memory_mhz;
    }
    return busy ? model->busy_sm_mhz : model->idle_sm_mhz;
}

API int nvmlDeviceGetMaxClockInfo(nvml_device device, unsigned type, uint32_t *mhz)
{
    int result = begin_gpu(device, mhz);
    if (result != NVML_OK) {
        return result;
    }
    if (type > NVML_VIDEO_CLOCK) {
        return end(NVML_INVALID_ARGUMENT);
    }
    *mhz = max_clock(device, type);
    return end(NVML_OK);
}

/* ---- what changes ---- */

API int nvmlDeviceGetClockInfo(nvml_device device, unsigned type, uint32_t *mhz)
{
    int result = begin_fresh(device, mhz);
    if (result != NVML_OK) {
        return result;
    }
    if (type > NVML_VIDEO_CLOCK) {
        return end(NVML_INVALID_ARGUMENT);
    }
    *mhz = clock_when(device, type, is_busy(device));
    return end(NVML_OK);
}

API int nvmlDeviceGetPerformanceState(nvml_device device, uint32_t *level)
{
    int result = begin_fresh(device, level);
    if (result != NVML_OK) {
        return result;
    }
    *level = is_busy(device) || device->model->has_hbm ? 0 : 8;
    return end(NVML_OK);
}

API int nvmlDeviceGetCurrentClocksThrottleReasons(nvml_device device, uint64_t *reasons)
{
    int result = begin_fresh(device, reasons);
    if (result != NVML_OK) {
        return result;
    }
    bool capped = power_now(device, true) + device->model->limit_mw / 20 >= device->model->limit_mw;
    *reasons = !is_busy(device) ? NVML_THROTTLE_IDLE : capped ? NVML_THROTTLE_POWER_CAP : 0;
    return end(NVML_OK);
}

API int nvmlDeviceGetCurrentClocksEventReasons(nvml_device device, uint64_t *reasons)
{
    return nvmlDeviceGetCurrentClocksThrottleReasons(device, reasons);
}

/* End of the newest complete entry of a ring. */
static uint64_t newest_entry(uint64_t period)
{
    return record_now_us() / period * period;
}

API int nvmlDeviceGetUtilizationRates(nvml_device device, struct nvml_utilization *utilization)
{
    int result = begin_fresh(device, utilization);
    if (result != NVML_OK) {
        return result;
    }
    uint64_t to = newest_entry(UTIL_PERIOD_US);
    double util, memory_util;
    timeline_mean(device->timeline, before(to, UTIL_PERIOD_US), to, &util, &memory_util);
    utilization->gpu = (uint32_t)lround(util * 100);
    utilization->memory = (uint32_t)lround(memory_util * 100);
    return end(NVML_OK);
}

static uint32_t entry_value(const struct gpu *gpu, unsigned kind, uint64_t from, uint64_t to)
{
    double util, memory_util;
    timeline_mean(gpu->timeline, from, to, &util, &memory_util);
    switch (kind) {
    case NVML_SAMPLE_POWER: return power_between(gpu, from, to);
    case NVML_SAMPLE_GPU_UTIL: return (uint32_t)lround(util * 100);
    case NVML_SAMPLE_MEMORY_UTIL: return (uint32_t)lround(memory_util * 100);
    case NVML_SAMPLE_SM_CLOCK: return clock_when(gpu, NVML_SM_CLOCK, util > 0);
    case NVML_SAMPLE_MEMORY_CLOCK: return clock_when(gpu, NVML_MEMORY_CLOCK, util > 0);
    default: return 0; /* no program here encodes or decodes video */
    }
}

API int nvmlDeviceGetSamples(nvml_device device, unsigned kind, uint64_t last_seen, uint32_t *value_type,
                             uint32_t *count, struct nvml_sample *samples)
{
    int result = begin_fresh(device, value_type != NULL ? count : NULL);
    if (result != NVML_OK) {
        return result;
    }
    if (kind > NVML_SAMPLE_MEMORY_CLOCK) {
        return end(NVML_NOT_SUPPORTED);
    }
    const uint64_t period = kind == NVML_SAMPLE_POWER ? POWER_PERIOD_US : UTIL_PERIOD_US;
    const uint32_t capacity = kind == NVML_SAMPLE_POWER ? POWER_RING : UTIL_RING;
    *value_type = NVML_UINT;
    if (samples == NULL) {
        *count = capacity;
        return end(NVML_OK);
    }
    if (*count == 0) {
        return end(NVML_INVALID_ARGUMENT);
    }
    uint64_t newest = newest_entry(period), oldest = before(newest, period * capacity);
    bool wants_use = kind >= NVML_SAMPLE_GPU_UTIL && kind <= NVML_SAMPLE_DECODER;
    if (device->config->empty_ring && wants_use && !is_busy_between(device, oldest, newest)) {
        return end(NVML_NOT_FOUND);
    }
    uint64_t from = oldest;
    while (from < newest && from + period + epoch_us <= last_seen) {
        from += period;
    }
    uint32_t available = (uint32_t)((newest - from) / period);
    if (available == 0) {
        return end(NVML_NOT_FOUND);
    }
    if (*count < available) {
        *count = available;
        return end(NVML_INSUFFICIENT_SIZE);
    }
    *count = available;
    for (uint32_t i = 0; i < available; i++, from += period) {
        samples[i].timestamp = from + period + epoch_us;
        samples[i].value.as_ulong = 0;
        samples[i].value.as_uint = entry_value(device, kind, from, from + period);
    }
    return end(NVML_OK);
}

API int nvmlDeviceGetMemoryInfo(nvml_device device, struct nvml_memory *memory)
{
    int result = begin_fresh(device, memory);
    if (result != NVML_OK) {
        return result;
    }
    memory->total = device->model->memory_bytes;
    memory->used = used_memory(device) + device->model->reserved_bytes;
    memory->free = memory->total - memory->used;
    return end(NVML_OK);
}

API int nvmlDeviceGetMemoryInfo_v2(nvml_device device, struct nvml_memory_v2 *memory)
{
    int result = begin_fresh(device, memory);
    if (result != NVML_OK) {
        return result;
    }
    if (memory->version != NVML_MEMORY_V2_VERSION) {
        return end(NVML_VERSION_MISMATCH);
    }
    memory->total = device->model->memory_bytes;
    memory->reserved = device->model->reserved_bytes;
    memory->used = used_memory(device);
    memory->free = memory->total - memory->reserved - memory->used;
    return end(NVML_OK);
}

API int nvmlDeviceGetPowerUsage(nvml_device device, uint32_t *milliwatts)
{
    int result = begin_fresh(device, milliwatts);
    if (result != NVML_OK) {
        return result;
    }
    *milliwatts = power_now(device, device->model->averages_power);
    return end(NVML_OK);
}

API int nvmlDeviceGetTotalEnergyConsumption(nvml_device device, uint64_t *millijoules)
{
    int result = begin_fresh(device, millijoules);
    if (result != NVML_OK) {
        return result;
    }
    *millijoules = energy(device);
    return end(NVML_OK);
}

API int nvmlDeviceGetTemperature(nvml_device device, unsigned sensor, uint32_t *celsius)
{
    int result = begin_fresh(device, celsius);
    if (result != NVML_OK) {
        return result;
    }
    if (sensor != 0) {
        return end(NVML_INVALID_ARGUMENT);
    }
    *celsius = temperature(device);
    return end(NVML_OK);
}

/* As the real one, takes its time: it counts for 20 ms. */
API int nvmlDeviceGetPcieThroughput(nvml_device device, unsigned counter, uint32_t *kilobytes_per_second)
{
    int result = begin_fresh(device, kilobytes_per_second);
    if (result != NVML_OK) {
        return result;
    }
    if (counter > 1) {
        return end(NVML_INVALID_ARGUMENT);
    }
    uint64_t now = record_now_us();
    double util = util_between(device, before(now, UTIL_PERIOD_US), now);
    end(NVML_OK);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    *kilobytes_per_second = (uint32_t)(util * (counter == 0 ? 150000 : 900000));
    return NVML_OK;
}

/* ---- processes ---- */

static uint32_t count_processes(const struct gpu *gpu)
{
    uint32_t count = 0;
    for (size_t i = 0; i < state.process_count; i++) {
        const struct process *process = &state.processes[i];
        count += process->alive && !process->hidden && process_device(process, gpu->config->minor) != NULL;
    }
    return count;
}

/* Programs that hold the GPU, in records of either size. */
static int give_processes(nvml_device device, uint32_t *count, void *records, bool first_version)
{
    int result = begin_fresh(device, count);
    if (result != NVML_OK) {
        return result;
    }
    uint32_t room = *count, needed = count_processes(device);
    if (room > 0 && records == NULL) {
        return end(NVML_INVALID_ARGUMENT);
    }
    *count = needed;
    if (room < needed) {
        return end(NVML_INSUFFICIENT_SIZE);
    }
    uint32_t n = 0;
    for (size_t i = 0; i < state.process_count && n < needed; i++) {
        const struct process *process = &state.processes[i];
        const struct record_device *use = process_device(process, device->config->minor);
        if (!process->alive || process->hidden || use == NULL) {
            continue;
        }
        if (first_version) {
            struct nvml_process_v1 *record = (struct nvml_process_v1 *)records + n;
            record->pid = (uint32_t)process->pid;
            record->memory = use->memory_bytes;
        } else {
            struct nvml_process *record = (struct nvml_process *)records + n;
            record->pid = (uint32_t)process->pid;
            record->memory = use->memory_bytes;
            record->gpu_instance = record->compute_instance = NVML_NO_INSTANCE;
        }
        n++;
    }
    return end(NVML_OK);
}

API int nvmlDeviceGetComputeRunningProcesses(nvml_device device, uint32_t *count, struct nvml_process_v1 *records)
{
    return give_processes(device, count, records, true);
}

API int nvmlDeviceGetComputeRunningProcesses_v2(nvml_device device, uint32_t *count, struct nvml_process *records)
{
    return give_processes(device, count, records, false);
}

API int nvmlDeviceGetComputeRunningProcesses_v3(nvml_device device, uint32_t *count, struct nvml_process *records)
{
    return give_processes(device, count, records, false);
}

/* There are no graphics programs and no MPS servers here. */
#define NO_PROCESSES(function)                                                 \
    API int function(nvml_device device, uint32_t *count, void *records)       \
    {                                                                          \
        int result = begin_gpu(device, count);                                 \
        if (result != NVML_OK) {                                               \
            return result;                                                     \
        }                                                                      \
        if (*count > 0 && records == NULL) {                                   \
            return end(NVML_INVALID_ARGUMENT);                                 \
        }                                                                      \
        *count = 0;                                                            \
        return end(NVML_OK);                                                   \
    }

NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses)
NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2)
NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3)
NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses)
NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2)
NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3)

API int nvmlDeviceGetProcessUtilization(nvml_device device, struct nvml_process_sample *samples, uint32_t *count,
                                        uint64_t last_seen)
{
    int result = begin_fresh(device, count);
    if (result != NVML_OK) {
        return result;
    }
    if (samples == NULL) {
        *count = NVML_PROCESS_SAMPLE_CAPACITY;
        return end(NVML_INSUFFICIENT_SIZE);
    }
    uint64_t to = newest_entry(UTIL_PERIOD_US), from = before(to, (uint64_t)UTIL_PERIOD_US * UTIL_RING);
    if (last_seen > from + epoch_us) {
        from = last_seen - epoch_us;
    }
    if (from >= to) {
        return end(NVML_NOT_FOUND);
    }
    /* First what all want together: where that is more than the GPU has, each gets its share of it. */
    double wanted = 0;
    uint32_t needed = 0, n = 0;
    for (size_t i = 0; i < state.process_count; i++) {
        const struct process *process = &state.processes[i];
        const struct record_device *use = process_device(process, device->config->minor);
        double util = use != NULL && !process->hidden ? process_mean(process, use, from, to) : 0;
        needed += util > 0;
        wanted += util;
    }
    if (needed == 0) {
        return end(NVML_NOT_FOUND);
    }
    uint32_t room = *count;
    *count = needed;
    if (room < needed) {
        return end(NVML_INSUFFICIENT_SIZE);
    }
    double given = util_between(device, from, to);
    for (size_t i = 0; i < state.process_count && n < needed; i++) {
        const struct process *process = &state.processes[i];
        const struct record_device *use = process_device(process, device->config->minor);
        double util = use != NULL && !process->hidden ? process_mean(process, use, from, to) : 0;
        if (util > 0) {
            double got = util * given / wanted;
            memset(&samples[n], 0, sizeof samples[n]);
            samples[n].pid = (uint32_t)process->pid;
            samples[n].timestamp = to + epoch_us;
            samples[n].sm = (uint32_t)lround(got * 100);
            samples[n].memory = (uint32_t)lround(got * 100 * use->memory_util_permille / use->util_permille);
            n++;
        }
    }
    return end(NVML_OK);
}

/* ---- fields ---- */

static int give_field(struct gpu *gpu, struct nvml_field_value *field)
{
    const struct model *model = gpu->model;
    bool counts_pages = model->architecture < NVML_AMPERE; /* later ones remap rows instead */
    field->value_type = NVML_UINT;
    field->value.as_ulong = 0;
    switch (field->field) {
    case NVML_FIELD_TOTAL_ENERGY:
        field->value_type = NVML_ULONG_LONG;
        field->value.as_ulong = energy(gpu);
        return NVML_OK;
    case NVML_FIELD_POWER_INSTANT:
        field->value.as_uint = power_now(gpu, false);
        return NVML_OK;
    case NVML_FIELD_POWER_AVERAGE:
        field->value.as_uint = power_now(gpu, true);
        return model->averages_power ? NVML_OK : NVML_NOT_SUPPORTED;
    case NVML_FIELD_MEMORY_TEMPERATURE:
        field->value.as_uint = temperature(gpu);
        return model->has_hbm ? NVML_OK : NVML_NOT_SUPPORTED;
    case NVML_FIELD_ECC_SBE_VOLATILE:
    case NVML_FIELD_ECC_DBE_VOLATILE:
    case NVML_FIELD_ECC_SBE_AGGREGATE:
    case NVML_FIELD_ECC_DBE_AGGREGATE:
        field->value_type = NVML_ULONG_LONG;
        return NVML_OK;
    case NVML_FIELD_PCIE_REPLAY:
        return NVML_OK;
    case NVML_FIELD_RETIRED_SBE:
    case NVML_FIELD_RETIRED_DBE:
    case NVML_FIELD_RETIRED_PENDING:
        return counts_pages ? NVML_OK : NVML_NOT_SUPPORTED;
    case NVML_FIELD_REMAPPED_CORRECTABLE:
    case NVML_FIELD_REMAPPED_UNCORRECTABLE:
    case NVML_FIELD_REMAPPED_PENDING:
    case NVML_FIELD_REMAPPED_FAILED:
        return counts_pages ? NVML_NOT_SUPPORTED : NVML_OK;
    default:
        return NVML_NOT_SUPPORTED;
    }
}

API int nvmlDeviceGetFieldValues(nvml_device device, int count, struct nvml_field_value *fields)
{
    int result = begin_fresh(device, fields);
    if (result != NVML_OK) {
        return result;
    }
    if (count <= 0) {
        return end(NVML_INVALID_ARGUMENT);
    }
    for (int i = 0; i < count; i++) {
        uint64_t started = record_now_us();
        fields[i].result = (uint32_t)give_field(device, &fields[i]);
        fields[i].timestamp = (int64_t)(started + epoch_us);
        fields[i].latency = (int64_t)(record_now_us() - started);
    }
    return end(NVML_OK);
}

API int nvmlDeviceGetRemappedRows(nvml_device device, uint32_t *correctable, uint32_t *uncorrectable,
                                  uint32_t *pending, uint32_t *failed)
{
    bool all = correctable != NULL && uncorrectable != NULL && pending != NULL && failed != NULL;
    int result = begin_gpu(device, all ? correctable : NULL);
    if (result != NVML_OK) {
        return result;
    }
    if (device->model->architecture < NVML_AMPERE) {
        return end(NVML_NOT_SUPPORTED);
    }
    *correctable = *uncorrectable = *pending = *failed = 0;
    return end(NVML_OK);
}

/* ---- events: none ever happens ---- */

API int nvmlEventSetCreate(void **set)
{
    int result = begin(set);
    if (result != NVML_OK) {
        return result;
    }
    *set = &event_set;
    return end(NVML_OK);
}

API int nvmlDeviceGetSupportedEventTypes(nvml_device device, uint64_t *types)
{
    int result = begin_gpu(device, types);
    if (result != NVML_OK) {
        return result;
    }
    *types = 1 | 2 | 8; /* single and double bit ECC errors, Xid */
    return end(NVML_OK);
}

API int nvmlDeviceRegisterEvents(nvml_device device, uint64_t types, void *set)
{
    (void)types;
    int result = begin_gpu(device, set);
    return result != NVML_OK ? result : end(set == &event_set ? NVML_OK : NVML_INVALID_ARGUMENT);
}

API int nvmlEventSetWait_v2(void *set, void *event, unsigned timeout_ms)
{
    int result = begin(set == &event_set ? event : NULL);
    if (result != NVML_OK) {
        return result;
    }
    end(NVML_OK);
    nanosleep(&(struct timespec){.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L}, NULL);
    return NVML_TIMEOUT;
}

API int nvmlEventSetWait(void *set, void *event, unsigned timeout_ms)
{
    return nvmlEventSetWait_v2(set, event, timeout_ms);
}

API int nvmlEventSetFree(void *set)
{
    int result = begin(set);
    return result != NVML_OK ? result : end(set == &event_set ? NVML_OK : NVML_INVALID_ARGUMENT);
}
