/*
 * NVML's functions over the simulated state. Each takes the lock, suffers the faults that are meant for it, checks its
 * arguments as the real library does, and answers from the state, which is read again when it is older than REFRESH_US.
 */
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "faults.h"
#include "nvml_abi.h"
#include "state.h"

/*
 * API marks what every driver since R418 offers, API_LATER what came after it. Built with R418 defined, the library is
 * one of that driver: later functions are hidden, later fields unknown.
 */
#define API __attribute__((visibility("default")))
#ifdef R418
#define API_LATER __attribute__((visibility("hidden")))
#define DRIVER_VERSION "418.226.00-simulated"
#define NVML_VERSION "10.418.226.00-simulated"
#define CUDA_VERSION 10010
#define FIRST_LATER_FIELD NVML_FIELD_NVLINK_DATA_TX
#else
#define API_LATER API
#define DRIVER_VERSION "535.183.01-simulated"
#define NVML_VERSION "12.535.183.01-simulated"
#define CUDA_VERSION 12020
#define FIRST_LATER_FIELD 1000
#endif

#define REFRESH_US 100000U
#define FAULTS_US 50000U
#define HANG_STEP_MS 20

#define UTIL_PERIOD_US 166667U /* between two entries of the utilisation rings */
#define POWER_PERIOD_US 20000U
#define POWER_RING 119U /* entries: 2.4 s */
#define TEMPERATURE_LAG_US 25e6
#define TEMPERATURE_MEMORY_US 200000000U

#define NVLINK_MIB_PER_S 20480 /* at full use, all links together, either way */
#define NVLINK_OVERHEAD 1.15   /* of raw over data */
#define PCIE_TX_KB_PER_S 150000
#define PCIE_RX_KB_PER_S 900000
#define MAX_EVENT_SETS 64
#define EVENT_LOG 256
#define GPM_MAGIC 0x53475047U

/* A GPU, or an instance of a partitioned one. */
struct gpu {
    const struct gpu_config *config;
    const struct model *model;
    uint32_t index; /* of the GPU, or of the instance on its GPU */
    struct gpu *parent;                     /* NULL for a GPU */
    const struct instance_config *instance; /* NULL for a GPU */
    struct timeline *timeline;              /* of the whole GPU */
    double energy_mj; /* the largest value given out so far */
    bool lost;        /* until the next nvmlInit that does not find it lost */
};

/* A GPU's counters start where the driver was loaded: at boot, or when a fault loaded it anew. */
struct loaded {
    uint64_t at_us;
    double used_us; /* integral of its use until then */
};

struct event_set {
    bool taken;
    unsigned waiting;          /* calls that wait for it now */
    int watch;                 /* inotify, or -1 */
    uint64_t types[MAX_GPUS];  /* registered for */
    uint64_t since[MAX_GPUS];  /* number of the first event that it may see */
    uint64_t next;             /* number of the first one that it has not seen */
};

/* Calls of one exported function, in a list of all that were ever called. */
struct function {
    const char *name;
    struct function *next;
    uint64_t calls;
};

struct gpm_sample {
    uint32_t magic;
    uint64_t session, at_us;
    const struct gpu *gpu;
    uint32_t instance; /* id, or WHOLE_GPU */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;    /* nvmlInit calls without their nvmlShutdown */
static int broken;        /* what every call answers since the driver went away, until the next nvmlInit */
static uint64_t session;  /* counts starts */
static struct node_config config;
static struct gpu gpus[MAX_GPUS], instances[MAX_GPUS * MAX_INSTANCES];
static size_t instance_total;
static struct loaded loaded[MAX_GPUS];
static struct state state;
static struct faults faults;
static uint64_t epoch_us; /* what to add to a monotonic time to make an NVML timestamp; constant in this process */
static struct event_set event_sets[MAX_EVENT_SETS];
static struct xid events[EVENT_LOG];
static uint64_t event_count; /* event number i lies at i % EVENT_LOG */
static struct function *functions;

static int end(int result)
{
    pthread_mutex_unlock(&lock);
    return result;
}

static bool is_element(const struct gpu *gpu, const struct gpu *array, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (gpu == &array[i]) {
            return true;
        }
    }
    return false;
}

static bool is_handle(const struct gpu *gpu)
{
    return users > 0 && (is_element(gpu, gpus, config.count) || is_element(gpu, instances, instance_total));
}

/* ---- faults and call counts ---- */

/* Every exported function has one of these, which is where its calls are counted. */
#define FUNCTION                                          \
    ({                                                    \
        static struct function function_ = {.name = __func__}; \
        &function_;                                       \
    })

/* The driver is loaded anew: counters start again, and nobody has a session. */
static void lose_session(int answer)
{
    if (users == 0 || broken != 0) {
        return;
    }
    broken = answer;
    state_refresh(&state, NULL, 0);
    for (size_t i = 0; i < config.count; i++) {
        loaded[i] = (struct loaded){.at_us = record_now_us(), .used_us = gpus[i].timeline->proved_us};
    }
}

static size_t count_equal(const struct xid *list, size_t count, struct xid wanted)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        n += list[i].gpu == wanted.gpu && list[i].instance == wanted.instance && list[i].code == wanted.code;
    }
    return n;
}

/* Reads faults.conf if it changed, and does what it says about GPUs. Each added line with an XID is one event. */
static void look_for_faults(uint64_t max_age_us)
{
    static struct xid known[MAX_FAULTS];
    static size_t known_count;
    static uint64_t known_reload, known_session;
    if (!faults_refresh(&faults, max_age_us) && known_session == session) {
        return;
    }
    bool is_news = known_session == session; /* what a new session finds there is of the past */
    for (size_t i = 0; is_news && i < faults.xid_count; i++) {
        if (count_equal(faults.xids, i + 1, faults.xids[i]) > count_equal(known, known_count, faults.xids[i])) {
            events[event_count++ % EVENT_LOG] = faults.xids[i];
        }
    }
    memcpy(known, faults.xids, sizeof known);
    known_count = faults.xid_count;
    if (is_news && faults.reload != 0 && faults.reload != known_reload) {
        lose_session(NVML_UNINITIALIZED);
    }
    if (faults.unloaded) {
        lose_session(NVML_DRIVER_NOT_LOADED);
    }
    known_reload = faults.reload;
    known_session = session;
    for (size_t i = 0; i < config.count; i++) {
        gpus[i].lost = gpus[i].lost || faults.health[i].lost;
    }
}

static void pause_unlocked(unsigned ms)
{
    pthread_mutex_unlock(&lock);
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
    pthread_mutex_lock(&lock);
}

static bool hangs(const char *function, int gpu, int instance)
{
    for (size_t i = 0; i < faults.count; i++) {
        if (faults.all[i].hang && fault_concerns(&faults.all[i], function, gpu, instance)) {
            return true;
        }
    }
    return false;
}

/* Counts the call and lets it suffer what faults.conf has for it. With the lock, which it gives up while it waits. */
static int enter(struct function *function, const struct gpu *device)
{
    if (function->calls++ == 0) {
        function->next = functions;
        functions = function;
    }
    if (users > 0) {
        look_for_faults(FAULTS_US);
    }
    if (faults.count == 0) {
        return NVML_OK;
    }
    int gpu = ANY - 1, instance = ANY - 1, error = NVML_OK;
    if (device != NULL) {
        gpu = (int)(device->parent != NULL ? device->parent : device)->index;
        instance = device->parent != NULL ? (int)device->index : instance;
    }
    unsigned latency_ms = 0;
    bool hang = false;
    for (size_t i = 0; i < faults.count; i++) {
        struct fault *fault = &faults.all[i];
        if (fault->left == 0 || !fault_concerns(fault, function->name, gpu, instance)) {
            continue;
        }
        fault->left -= fault->left > 0;
        latency_ms += fault->latency_ms;
        hang = hang || fault->hang;
        error = error != NVML_OK ? error : fault->error;
    }
    if (latency_ms > 0) {
        pause_unlocked(latency_ms);
    }
    while (hang) {
        pause_unlocked(HANG_STEP_MS);
        look_for_faults(0);
        hang = hangs(function->name, gpu, instance);
    }
    return error;
}

/* Takes the lock; on anything but NVML_OK it is released again. */
static int begin_as(struct function *function, const void *out)
{
    pthread_mutex_lock(&lock);
    int result = enter(function, NULL);
    if (result == NVML_OK) {
        result = users == 0 ? NVML_UNINITIALIZED : broken != 0 ? broken : out == NULL ? NVML_INVALID_ARGUMENT : NVML_OK;
    }
    return result == NVML_OK ? NVML_OK : end(result);
}

/* The same for functions of a GPU or an instance. */
static int begin_any_as(struct function *function, const struct gpu *gpu, const void *out)
{
    pthread_mutex_lock(&lock);
    int result = enter(function, is_handle(gpu) ? gpu : NULL);
    if (result == NVML_OK) {
        result = users == 0                                              ? NVML_UNINITIALIZED
                 : broken != 0                                           ? broken
                 : !is_handle(gpu)                                       ? NVML_INVALID_ARGUMENT
                 : gpu->lost || (gpu->parent != NULL && gpu->parent->lost) ? NVML_GPU_IS_LOST
                 : out == NULL                                           ? NVML_INVALID_ARGUMENT
                                                                         : NVML_OK;
    }
    return result == NVML_OK ? NVML_OK : end(result);
}

/* The same for what is told of whole GPUs only. */
static int begin_gpu_as(struct function *function, const struct gpu *gpu, const void *out)
{
    int result = begin_any_as(function, gpu, out);
    return result == NVML_OK && gpu->parent != NULL ? end(NVML_NOT_SUPPORTED) : result;
}

/* Reads what the programs do now. */
static int refresh(const struct gpu *gpu, int result)
{
    if (result == NVML_OK) {
        state_refresh(&state, gpu->timeline, REFRESH_US);
    }
    return result;
}

#define begin(out) begin_as(FUNCTION, out)
#define begin_any(gpu, out) begin_any_as(FUNCTION, gpu, out)
#define begin_gpu(gpu, out) begin_gpu_as(FUNCTION, gpu, out)
#define begin_any_fresh(gpu, out) refresh(gpu, begin_any_as(FUNCTION, gpu, out))
#define begin_fresh(gpu, out) refresh(gpu, begin_gpu_as(FUNCTION, gpu, out))

/* How often that function was called in this process; of all functions if the name is NULL. */
API uint64_t fairwatch_simulated_calls(const char *name)
{
    uint64_t calls = 0;
    pthread_mutex_lock(&lock);
    for (const struct function *function = functions; function != NULL; function = function->next) {
        calls += name == NULL || strcmp(function->name, name) == 0 ? function->calls : 0;
    }
    pthread_mutex_unlock(&lock);
    return calls;
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
 * Since boot, as if the driver had been loaded then, or since a fault loaded it anew: idle power all the time, and more in proportion to use. Use counts
 * once a heartbeat proves it, so the counter lags by up to 0.25 s and never has to go back when a program is killed.
 */
static uint64_t energy(struct gpu *gpu)
{
    const struct model *model = gpu->model;
    const struct loaded *since = &loaded[gpu->index];
    double mj = (double)(record_now_us() - since->at_us) / 1e6 * model->idle_mw
                + (gpu->timeline->proved_us - since->used_us) / 1e6 * (model->busy_mw - model->idle_mw);
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

/* What the process took of the GPU, or of the instance; NULL if nothing, or if the process is not believed. */
static const struct record_device *use_of(const struct gpu *gpu, const struct process *process)
{
    const struct record_device *device = process->hidden ? NULL : process_device(process, gpu->timeline);
    bool elsewhere = device != NULL && gpu->instance != NULL && device->instance != gpu->instance->id;
    return elsewhere ? NULL : device;
}

/* An instance has its share of what the GPU has. */
static uint64_t share_of(const struct gpu *gpu, uint64_t bytes)
{
    return gpu->instance != NULL ? bytes * gpu->instance->memory_slices / MEMORY_SLICES : bytes;
}

static uint64_t total_memory(const struct gpu *gpu)
{
    return share_of(gpu, gpu->model->memory_bytes);
}

static uint64_t reserved_memory(const struct gpu *gpu)
{
    return share_of(gpu, gpu->model->reserved_bytes);
}

/* Of all programs that live, at work or not; without the driver's own. */
static uint64_t used_memory(const struct gpu *gpu)
{
    uint64_t most = total_memory(gpu) - reserved_memory(gpu), used = 0;
    for (size_t i = 0; i < state.process_count; i++) {
        const struct record_device *device = use_of(gpu, &state.processes[i]);
        if (state.processes[i].alive && device != NULL) {
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
    if (!state_open(&state, config_directory(), &config)) {
        config.count = 0;
        return NVML_MEMORY;
    }
    session++;
    instance_total = 0;
    for (size_t i = 0; i < config.count; i++) {
        gpus[i] = (struct gpu){.config = &config.gpus[i],
                               .model = config.gpus[i].model,
                               .index = (uint32_t)i,
                               .timeline = &state.timelines[i]};
        for (size_t j = 0; j < config.gpus[i].instance_count; j++) {
            struct gpu *instance = &instances[instance_total++];
            *instance = gpus[i];
            instance->index = (uint32_t)j;
            instance->parent = &gpus[i];
            instance->instance = &config.gpus[i].instances[j];
        }
    }
    epoch_us = config.ring_since_boot ? 0 : epoch_us;
    if (epoch_us == 0 && !config.ring_since_boot) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        epoch_us = (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U - record_now_us();
    }
    return NVML_OK;
}

/* Whoever waits for it closes its descriptor in the end. */
static void free_set(struct event_set *set)
{
    set->taken = false;
    if (set->waiting == 0 && set->watch >= 0) {
        close(set->watch);
        set->watch = -1;
    }
}

static void stop(void)
{
    for (size_t i = 0; i < MAX_EVENT_SETS; i++) {
        if (event_sets[i].taken) {
            free_set(&event_sets[i]);
        }
    }
    state_close(&state);
    config.count = instance_total = 0;
    users = 0;
    broken = 0;
}

static int init_as(struct function *function)
{
    pthread_mutex_lock(&lock);
    if (users == 0) {
        faults_open(&faults, config_directory());
    }
    look_for_faults(0);
    int result = enter(function, NULL);
    if (result != NVML_OK) {
        return end(result);
    }
    if (broken != 0) {
        stop();
    }
    result = faults.unloaded ? NVML_DRIVER_NOT_LOADED : users == 0 ? start() : NVML_OK;
    users += result == NVML_OK;
    for (size_t i = 0; i < config.count; i++) {
        gpus[i].lost = faults.health[i].lost;
    }
    look_for_faults(0);
    return end(result);
}

API int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    return init_as(FUNCTION);
}

API int nvmlInit_v2(void)
{
    return init_as(FUNCTION);
}

API int nvmlInit(void)
{
    return init_as(FUNCTION);
}

API int nvmlShutdown(void)
{
    pthread_mutex_lock(&lock);
    int result = enter(FUNCTION, NULL);
    result = result != NVML_OK ? result : users == 0 ? NVML_UNINITIALIZED : broken;
    if (users > 0 && (broken != 0 || (result == NVML_OK && --users == 0))) {
        stop();
    }
    return end(result);
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
    case NVML_GPU_IS_LOST: return "GPU is lost";
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
    return end(gpus[index].lost ? NVML_GPU_IS_LOST : NVML_OK);
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
            return end(gpus[i].lost ? NVML_GPU_IS_LOST : NVML_OK);
        }
    }
    for (size_t i = 0; i < instance_total; i++) {
        if (strcasecmp(instances[i].instance->uuid, uuid) == 0) {
            *device = &instances[i];
            return end(instances[i].parent->lost ? NVML_GPU_IS_LOST : NVML_OK);
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
            return end(gpus[i].lost ? NVML_GPU_IS_LOST : NVML_OK);
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
    int result = begin_any(device, name);
    if (result != NVML_OK) {
        return result;
    }
    char text[96];
    snprintf(text, sizeof text, "%s%s%s", device->model->name, device->instance != NULL ? " MIG " : "",
             device->instance != NULL ? device->instance->profile : "");
    return end(give_text(name, size, text));
}

API int nvmlDeviceGetUUID(nvml_device device, char *uuid, unsigned size)
{
    int result = begin_any(device, uuid);
    return result != NVML_OK
               ? result
               : end(give_text(uuid, size, device->instance != NULL ? device->instance->uuid : device->config->uuid));
}

/*
 * Functions that give one unsigned number, which is known without looking at what programs do, if the GPU or instance
 * offers it.
 */
#define NUMBER(api, begin, function, offered, expression)                      \
    api int function(nvml_device device, uint32_t *out)                        \
    {                                                                          \
        int result = begin(device, out);                                       \
        if (result != NVML_OK) {                                               \
            return result;                                                     \
        }                                                                      \
        if (!(offered)) {                                                      \
            return end(NVML_NOT_SUPPORTED);                                    \
        }                                                                      \
        *out = (expression);                                                   \
        return end(NVML_OK);                                                   \
    }

/* The same for what every GPU, but no instance, offers. */
#define FIXED(function, expression) NUMBER(API, begin_gpu, function, true, expression)

static const struct health *health_of(const struct gpu *gpu)
{
    return &faults.health[(gpu->parent != NULL ? gpu->parent : gpu)->index];
}

/* Later models remap rows instead. */
static bool retires_pages(const struct gpu *gpu)
{
    return gpu->model->architecture < NVML_AMPERE;
}

NUMBER(API, begin_any, nvmlDeviceGetIndex, true, device->index)
FIXED(nvmlDeviceGetMinorNumber, device->config->minor)
FIXED(nvmlDeviceGetBrand, device->model->brand)
NUMBER(API_LATER, begin_any, nvmlDeviceGetArchitecture, true, device->model->architecture)
FIXED(nvmlDeviceGetPersistenceMode, 1)
FIXED(nvmlDeviceGetComputeMode, 0)
FIXED(nvmlDeviceGetAccountingMode, 0)
FIXED(nvmlDeviceGetPowerManagementMode, 1)
FIXED(nvmlDeviceGetEnforcedPowerLimit, device->model->limit_mw)
FIXED(nvmlDeviceGetPowerManagementLimit, device->model->limit_mw)
FIXED(nvmlDeviceGetPowerManagementDefaultLimit, device->model->limit_mw)
FIXED(nvmlDeviceGetPcieReplayCounter, health_of(device)->replays)
NUMBER(API, begin_gpu, nvmlDeviceGetFanSpeed, health_of(device)->has_fan, health_of(device)->fan)
NUMBER(API_LATER, begin_gpu, nvmlDeviceGetNumFans, true, health_of(device)->has_fan)
NUMBER(API, begin_gpu, nvmlDeviceGetRetiredPagesPendingStatus, retires_pages(device), health_of(device)->retired[2])
NUMBER(API_LATER, begin_any, nvmlDeviceIsMigDeviceHandle, true, device->parent != NULL)
NUMBER(API_LATER, begin_gpu, nvmlDeviceGetMaxMigDeviceCount, true, device->model->can_partition ? MAX_INSTANCES : 0)
NUMBER(API_LATER, begin_any, nvmlDeviceGetGpuInstanceId, device->parent != NULL, device->instance->id)
NUMBER(API_LATER, begin_any, nvmlDeviceGetComputeInstanceId, device->parent != NULL, 0)

API_LATER int nvmlDeviceGetFanSpeed_v2(nvml_device device, unsigned fan, uint32_t *percent)
{
    int result = begin_gpu(device, percent);
    if (result != NVML_OK) {
        return result;
    }
    if (!health_of(device)->has_fan) {
        return end(NVML_NOT_SUPPORTED);
    }
    *percent = health_of(device)->fan;
    return end(fan == 0 ? NVML_OK : NVML_INVALID_ARGUMENT);
}

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
static int give_old_pci(struct function *function, nvml_device device, void *out, size_t size)
{
    int result = begin_gpu_as(function, device, out);
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
    return give_old_pci(FUNCTION, device, pci, offsetof(struct nvml_pci, bus_id));
}

API int nvmlDeviceGetPciInfo(nvml_device device, void *pci)
{
    return give_old_pci(FUNCTION, device, pci, offsetof(struct nvml_pci, subsystem_id));
}

/* ---- MIG ---- */

API_LATER int nvmlDeviceGetMigMode(nvml_device device, uint32_t *current, uint32_t *pending)
{
    int result = begin_gpu(device, current != NULL ? pending : NULL);
    if (result != NVML_OK) {
        return result;
    }
    if (!device->model->can_partition) {
        return end(NVML_NOT_SUPPORTED);
    }
    *current = *pending = device->config->instance_count > 0;
    return end(NVML_OK);
}

API_LATER int nvmlDeviceGetMigDeviceHandleByIndex(nvml_device device, unsigned index, nvml_device *instance)
{
    int result = begin_gpu(device, instance);
    if (result != NVML_OK) {
        return result;
    }
    if (!device->model->can_partition) {
        return end(NVML_NOT_SUPPORTED);
    }
    if (index >= MAX_INSTANCES) {
        return end(NVML_INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < instance_total; i++) {
        if (instances[i].parent == device && instances[i].index == index) {
            *instance = &instances[i];
            return end(NVML_OK);
        }
    }
    return end(NVML_NOT_FOUND);
}

API_LATER int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvml_device instance, nvml_device *device)
{
    int result = begin_any(instance, device);
    if (result != NVML_OK) {
        return result;
    }
    if (instance->parent == NULL) {
        return end(NVML_INVALID_ARGUMENT);
    }
    *device = instance->parent;
    return end(NVML_OK);
}

API_LATER int nvmlDeviceGetAttributes_v2(nvml_device device, struct nvml_attributes *attributes)
{
    int result = begin_any(device, attributes);
    if (result != NVML_OK) {
        return result;
    }
    if (device->instance == NULL) {
        return end(NVML_NOT_SUPPORTED);
    }
    uint32_t slices = device->instance->compute_slices;
    *attributes = (struct nvml_attributes){
        .multiprocessors = slices * (device->model->architecture < NVML_HOPPER ? 14 : 16),
        .copy_engines = slices,
        .decoders = slices / 2,
        .jpeg = slices == COMPUTE_SLICES,
        .optical_flow = slices == COMPUTE_SLICES,
        .gpu_instance_slices = slices,
        .compute_instance_slices = slices,
        .memory_mib = total_memory(device) >> 20,
    };
    return end(NVML_OK);
}

/* ---- health ---- */

API int nvmlDeviceGetEccMode(nvml_device device, uint32_t *current, uint32_t *pending)
{
    int result = begin_gpu(device, current != NULL ? pending : NULL);
    if (result != NVML_OK) {
        return result;
    }
    *current = *pending = 1;
    return end(NVML_OK);
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
    *count = health_of(device)->ecc[2 * counter + error];
    return end(NVML_OK);
}

API_LATER int nvmlDeviceGetRemappedRows(nvml_device device, uint32_t *correctable, uint32_t *uncorrectable,
                                        uint32_t *pending, uint32_t *failed)
{
    bool all = correctable != NULL && uncorrectable != NULL && pending != NULL && failed != NULL;
    int result = begin_gpu(device, all ? correctable : NULL);
    if (result != NVML_OK) {
        return result;
    }
    if (retires_pages(device)) {
        return end(NVML_NOT_SUPPORTED);
    }
    const uint32_t *rows = health_of(device)->remapped;
    *correctable = rows[0];
    *uncorrectable = rows[1];
    *pending = rows[2];
    *failed = rows[3];
    return end(NVML_OK);
}

/* Addresses are made up; a cause is 0 for several single bit errors, 1 for a double bit error. */
API int nvmlDeviceGetRetiredPages(nvml_device device, unsigned cause, uint32_t *count, uint64_t *addresses)
{
    int result = begin_gpu(device, count);
    if (result != NVML_OK) {
        return result;
    }
    if (cause > 1) {
        return end(NVML_INVALID_ARGUMENT);
    }
    if (!retires_pages(device)) {
        return end(NVML_NOT_SUPPORTED);
    }
    uint32_t room = *count;
    *count = health_of(device)->retired[cause];
    if (room < *count) {
        return end(NVML_INSUFFICIENT_SIZE);
    }
    for (uint32_t i = 0; addresses != NULL && i < *count; i++) {
        addresses[i] = (uint64_t)(2 * i + cause + 1) << 16;
    }
    return end(NVML_OK);
}

/* ---- clocks ---- */

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

static int clock_reasons(struct function *function, nvml_device device, uint64_t *reasons)
{
    int result = refresh(device, begin_gpu_as(function, device, reasons));
    if (result != NVML_OK) {
        return result;
    }
    bool capped = power_now(device, true) + device->model->limit_mw / 20 >= device->model->limit_mw;
    *reasons = !is_busy(device) ? NVML_THROTTLE_IDLE : capped ? NVML_THROTTLE_POWER_CAP : 0;
    *reasons |= health_of(device)->throttle;
    return end(NVML_OK);
}

API int nvmlDeviceGetCurrentClocksThrottleReasons(nvml_device device, uint64_t *reasons)
{
    return clock_reasons(FUNCTION, device, reasons);
}

API_LATER int nvmlDeviceGetCurrentClocksEventReasons(nvml_device device, uint64_t *reasons)
{
    return clock_reasons(FUNCTION, device, reasons);
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
    if (device->config->instance_count > 0) {
        return end(NVML_NOT_SUPPORTED);
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
    bool wants_use = kind >= NVML_SAMPLE_GPU_UTIL && kind <= NVML_SAMPLE_DECODER;
    if (kind > NVML_SAMPLE_MEMORY_CLOCK || (wants_use && device->config->instance_count > 0)) {
        return end(NVML_NOT_SUPPORTED);
    }
    const uint64_t period = kind == NVML_SAMPLE_POWER ? POWER_PERIOD_US : UTIL_PERIOD_US;
    const uint32_t capacity = kind == NVML_SAMPLE_POWER ? POWER_RING : config.ring_depth;
    *value_type = NVML_UINT;
    if (samples == NULL) {
        *count = capacity;
        return end(NVML_OK);
    }
    if (*count == 0) {
        return end(NVML_INVALID_ARGUMENT);
    }
    uint64_t newest = newest_entry(period), oldest = before(newest, period * capacity);
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
    int result = begin_any_fresh(device, memory);
    if (result != NVML_OK) {
        return result;
    }
    memory->total = total_memory(device);
    memory->used = used_memory(device) + reserved_memory(device);
    memory->free = memory->total - memory->used;
    return end(NVML_OK);
}

API_LATER int nvmlDeviceGetMemoryInfo_v2(nvml_device device, struct nvml_memory_v2 *memory)
{
    int result = begin_any_fresh(device, memory);
    if (result != NVML_OK) {
        return result;
    }
    if (memory->version != NVML_MEMORY_V2_VERSION) {
        return end(NVML_VERSION_MISMATCH);
    }
    memory->total = total_memory(device);
    memory->reserved = reserved_memory(device);
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
    *kilobytes_per_second = (uint32_t)(util * (counter == 0 ? PCIE_TX_KB_PER_S : PCIE_RX_KB_PER_S));
    return NVML_OK;
}

/* ---- processes ---- */

#define LIST(kind) (1U << (kind))

static bool is_listed(const struct process *process, const struct record_device *use, unsigned kinds)
{
    return process->alive && use != NULL && (kinds & LIST(use->kind)) != 0;
}

/* Programs of these kinds that hold the GPU or instance, in records of that size. */
static int give_processes(struct function *function, nvml_device device, uint32_t *count, void *records,
                          uint32_t stride, unsigned kinds)
{
    int result = refresh(device, begin_any_as(function, device, count));
    if (result != NVML_OK) {
        return result;
    }
    uint32_t room = *count, needed = 0, n = 0;
    if (room > 0 && records == NULL) {
        return end(NVML_INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < state.process_count; i++) {
        needed += is_listed(&state.processes[i], use_of(device, &state.processes[i]), kinds);
    }
    *count = needed;
    if (room < needed) {
        return end(NVML_INSUFFICIENT_SIZE);
    }
    for (size_t i = 0; i < state.process_count && n < needed; i++) {
        const struct process *process = &state.processes[i];
        const struct record_device *use = use_of(device, process);
        if (is_listed(process, use, kinds)) {
            bool whole = use->instance == WHOLE_GPU;
            struct nvml_process_long record = {
                .process = {.pid = (uint32_t)process->pid,
                            .memory = device->config->hide_memory ? NVML_NOT_AVAILABLE : use->memory_bytes,
                            .gpu_instance = whole ? NVML_NO_INSTANCE : use->instance,
                            .compute_instance = whole ? NVML_NO_INSTANCE : 0}};
            memcpy((char *)records + (size_t)n * stride, &record, stride);
            n++;
        }
    }
    return end(NVML_OK);
}

/* What the stride of the versioned lists is; `simgpu --list` reads them from within. */
uint32_t nvml_stride(void)
{
    return config.stride;
}

#define PROCESSES(api, function, stride, kinds)                                \
    api int function(nvml_device device, uint32_t *count, void *records)       \
    {                                                                          \
        return give_processes(FUNCTION, device, count, records, stride, kinds); \
    }

/* An MPS server is a compute program; its clients are in a list of their own. */
#define COMPUTE (LIST(KIND_COMPUTE) | LIST(KIND_MPS_SERVER))

PROCESSES(API, nvmlDeviceGetComputeRunningProcesses, sizeof(struct nvml_process_v1), COMPUTE)
PROCESSES(API_LATER, nvmlDeviceGetComputeRunningProcesses_v2, config.stride, COMPUTE)
PROCESSES(API_LATER, nvmlDeviceGetComputeRunningProcesses_v3, config.stride, COMPUTE)
PROCESSES(API, nvmlDeviceGetGraphicsRunningProcesses, sizeof(struct nvml_process_v1), LIST(KIND_GRAPHICS))
PROCESSES(API_LATER, nvmlDeviceGetGraphicsRunningProcesses_v2, config.stride, LIST(KIND_GRAPHICS))
PROCESSES(API_LATER, nvmlDeviceGetGraphicsRunningProcesses_v3, config.stride, LIST(KIND_GRAPHICS))
PROCESSES(API_LATER, nvmlDeviceGetMPSComputeRunningProcesses, sizeof(struct nvml_process_v1), LIST(KIND_MPS_CLIENT))
PROCESSES(API_LATER, nvmlDeviceGetMPSComputeRunningProcesses_v2, config.stride, LIST(KIND_MPS_CLIENT))
PROCESSES(API_LATER, nvmlDeviceGetMPSComputeRunningProcesses_v3, config.stride, LIST(KIND_MPS_CLIENT))

struct process_use {
    pid_t pid;
    double util, memory_util;
};

/* Under which pid the driver books what that program does: the work of MPS clients is that of their server, if any. */
static pid_t booked_on(const struct gpu *gpu, const struct process *process, const struct record_device *use)
{
    for (size_t i = 0; use->kind == KIND_MPS_CLIENT && i < state.process_count; i++) {
        const struct record_device *other = use_of(gpu, &state.processes[i]);
        if (is_listed(&state.processes[i], other, LIST(KIND_MPS_SERVER))) {
            return state.processes[i].pid;
        }
    }
    return process->pid;
}

/* All that did something between the two times. Returns their number; wanted is what all want together. */
static uint32_t uses_between(const struct gpu *gpu, uint64_t from, uint64_t to, struct process_use *uses,
                             double *wanted)
{
    uint32_t n = 0;
    *wanted = 0;
    for (size_t i = 0; i < state.process_count; i++) {
        const struct process *process = &state.processes[i];
        const struct record_device *use = use_of(gpu, process);
        double activity = use != NULL && use->util_permille > 0 ? process_activity(process, from, to) : 0;
        if (activity <= 0) {
            continue;
        }
        pid_t pid = booked_on(gpu, process, use);
        uint32_t at = 0;
        while (at < n && uses[at].pid != pid) {
            at++;
        }
        if (at == n) {
            uses[n++] = (struct process_use){.pid = pid};
        }
        uses[at].util += activity * use->util_permille / FULL_PERMILLE;
        uses[at].memory_util += activity * use->memory_util_permille / FULL_PERMILLE;
        *wanted += activity * use->util_permille / FULL_PERMILLE;
    }
    return n;
}

API int nvmlDeviceGetProcessUtilization(nvml_device device, struct nvml_process_sample *samples, uint32_t *count,
                                        uint64_t last_seen)
{
    int result = begin_fresh(device, count);
    if (result != NVML_OK) {
        return result;
    }
    if (device->config->instance_count > 0) {
        return end(NVML_NOT_SUPPORTED);
    }
    if (samples == NULL) {
        *count = NVML_PROCESS_SAMPLE_CAPACITY;
        return end(NVML_INSUFFICIENT_SIZE);
    }
    uint64_t to = newest_entry(UTIL_PERIOD_US), from = before(to, (uint64_t)UTIL_PERIOD_US * config.ring_depth);
    if (last_seen > from + epoch_us) {
        from = last_seen - epoch_us;
    }
    if (from >= to) {
        return end(NVML_NOT_FOUND);
    }
    struct process_use *uses = calloc(state.process_count + 1, sizeof *uses);
    if (uses == NULL) {
        return end(NVML_MEMORY);
    }
    /* Where all together want more than the GPU has, each gets its share of it. */
    double wanted, given = util_between(device, from, to);
    const uint32_t workers = uses_between(device, from, to, uses, &wanted), room = *count;
    const uint32_t needed = workers > 0 && device->config->odd_use ? 2 * workers + 1 : workers;
    result = needed == 0 ? NVML_NOT_FOUND : room < needed ? NVML_INSUFFICIENT_SIZE : NVML_OK;
    *count = needed == 0 ? room : needed;
    for (uint32_t i = 0; result == NVML_OK && i < workers; i++) {
        memset(&samples[i], 0, sizeof samples[i]);
        samples[i].pid = (uint32_t)uses[i].pid;
        samples[i].timestamp = to + epoch_us;
        samples[i].sm = (uint32_t)lround(uses[i].util * given / wanted * 100);
        samples[i].memory = (uint32_t)lround(uses[i].memory_util * given / wanted * 100);
    }
    for (uint32_t i = workers; result == NVML_OK && i < needed; i++) {
        bool is_old = i < 2 * workers;
        samples[i] = (struct nvml_process_sample){.pid = is_old ? (uint32_t)uses[i - workers].pid : 1,
                                                  .timestamp = from + epoch_us,
                                                  .sm = is_old ? 1 : UINT32_MAX,
                                                  .memory = is_old ? 1 : UINT32_MAX};
    }
    free(uses);
    return end(result);
}

/* ---- fields ---- */

/* A counter that grows with use, at that rate while the GPU is fully used, since the driver was loaded. */
static uint64_t used_times(const struct gpu *gpu, double per_second)
{
    double used_us = gpu->timeline->proved_us - loaded[gpu->index].used_us;
    return used_us > 0 ? (uint64_t)(used_us / 1e6 * per_second) : 0;
}

static int give_nvlink(const struct gpu *gpu, struct nvml_field_value *field)
{
    uint32_t links = gpu->model->nvlinks;
    if (links == 0) {
        return NVML_NOT_SUPPORTED;
    }
    if (field->scope != NVML_ALL_LINKS && field->scope >= links) {
        return NVML_INVALID_ARGUMENT;
    }
    bool raw = field->field == NVML_FIELD_NVLINK_RAW_TX || field->field == NVML_FIELD_NVLINK_RAW_RX;
    double kib_per_second = NVLINK_MIB_PER_S * 1024.0 * (raw ? NVLINK_OVERHEAD : 1);
    field->value_type = NVML_ULONG_LONG;
    field->value.as_ulong = used_times(gpu, field->scope == NVML_ALL_LINKS ? kib_per_second : kib_per_second / links);
    return NVML_OK;
}

static int give_number(struct nvml_field_value *field, bool offered, uint32_t number)
{
    field->value.as_uint = number;
    return offered ? NVML_OK : NVML_NOT_SUPPORTED;
}

static int give_long(struct nvml_field_value *field, bool offered, uint64_t number)
{
    field->value_type = NVML_ULONG_LONG;
    field->value.as_ulong = number;
    return offered ? NVML_OK : NVML_NOT_SUPPORTED;
}

static int give_field(struct gpu *gpu, struct nvml_field_value *field)
{
    const struct model *model = gpu->model;
    const struct health *health = health_of(gpu);
    const bool pages = retires_pages(gpu), hopper = model->architecture >= NVML_HOPPER;
    const uint32_t id = field->field;
    field->value_type = NVML_UINT;
    field->value.as_ulong = 0;
    switch (id) {
    case NVML_FIELD_TOTAL_ENERGY: return give_long(field, true, energy(gpu));
    case NVML_FIELD_POWER_INSTANT: return give_number(field, true, power_now(gpu, false));
    case NVML_FIELD_POWER_AVERAGE: return give_number(field, model->averages_power, power_now(gpu, true));
    case NVML_FIELD_MEMORY_TEMPERATURE: return give_number(field, model->has_hbm, temperature(gpu));
    case NVML_FIELD_ECC_SBE_VOLATILE:
    case NVML_FIELD_ECC_DBE_VOLATILE:
    case NVML_FIELD_ECC_SBE_AGGREGATE:
    case NVML_FIELD_ECC_DBE_AGGREGATE:
        return give_long(field, true, health->ecc[id - NVML_FIELD_ECC_SBE_VOLATILE]);
    case NVML_FIELD_PCIE_REPLAY: return give_number(field, true, health->replays);
    case NVML_FIELD_RETIRED_SBE:
    case NVML_FIELD_RETIRED_DBE:
    case NVML_FIELD_RETIRED_PENDING: return give_number(field, pages, health->retired[id - NVML_FIELD_RETIRED_SBE]);
    case NVML_FIELD_REMAPPED_CORRECTABLE:
    case NVML_FIELD_REMAPPED_UNCORRECTABLE:
    case NVML_FIELD_REMAPPED_PENDING:
    case NVML_FIELD_REMAPPED_FAILED:
        return give_number(field, !pages, health->remapped[id - NVML_FIELD_REMAPPED_CORRECTABLE]);
    case NVML_FIELD_NVLINK_DATA_TX:
    case NVML_FIELD_NVLINK_DATA_RX:
    case NVML_FIELD_NVLINK_RAW_TX:
    case NVML_FIELD_NVLINK_RAW_RX: return give_nvlink(gpu, field);
    case NVML_FIELD_PCIE_TX: return give_long(field, hopper, used_times(gpu, PCIE_TX_KB_PER_S * 1000.0));
    case NVML_FIELD_PCIE_RX: return give_long(field, hopper, used_times(gpu, PCIE_RX_KB_PER_S * 1000.0));
    case NVML_FIELD_RECOVERY_ACTION: return give_number(field, hopper, health->recovery);
    default: return NVML_NOT_SUPPORTED;
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
        int answer = fields[i].field < FIRST_LATER_FIELD ? give_field(device, &fields[i]) : NVML_INVALID_ARGUMENT;
        if (answer == NVML_NOT_SUPPORTED && device->config->blank) {
            fields[i].value.as_ulong = NVML_NOT_AVAILABLE;
            answer = NVML_OK;
        } else if (answer != NVML_OK) {
            fields[i].value.as_ulong = 0;
        }
        fields[i].result = (uint32_t)answer;
        fields[i].timestamp = (int64_t)(started + epoch_us);
        fields[i].latency = (int64_t)(record_now_us() - started);
    }
    return end(NVML_OK);
}

/* ---- GPM: counters inside the GPU, read twice ---- */

static const struct {
    uint32_t id;
    const char *name, *unit;
} METRICS[] = {
    {NVML_GPM_BUSY, "Graphics Util", "%"},   {NVML_GPM_SM, "SM Util", "%"},
    {NVML_GPM_OCCUPANCY, "SM Occupancy", "%"}, {NVML_GPM_INTEGER, "Integer Util", "%"}, {NVML_GPM_TENSOR, "Any Tensor Util", "%"},
    {NVML_GPM_HALF_TENSOR, "HMMA Tensor Util", "%"}, {NVML_GPM_DRAM, "DRAM BW Util", "%"},
    {NVML_GPM_FP64, "FP64 Util", "%"},       {NVML_GPM_FP32, "FP32 Util", "%"},
    {NVML_GPM_FP16, "FP16 Util", "%"},       {NVML_GPM_PCIE_TX, "PCIe TX", "MiB/s"},
    {NVML_GPM_PCIE_RX, "PCIe RX", "MiB/s"},  {NVML_GPM_NVLINK_RX, "NvLink RX", "MiB/s"},
    {NVML_GPM_NVLINK_TX, "NvLink TX", "MiB/s"},
};

static bool has_gpm(const struct gpu *gpu)
{
    return gpu->model->architecture >= NVML_HOPPER;
}

API_LATER int nvmlGpmQueryDeviceSupport(nvml_device device, struct nvml_gpm_support *support)
{
    int result = begin_any(device, support);
    if (result != NVML_OK) {
        return result;
    }
    if (support->version != NVML_GPM_VERSION) {
        return end(NVML_VERSION_MISMATCH);
    }
    support->is_supported = has_gpm(device);
    return end(NVML_OK);
}

API_LATER int nvmlGpmSampleAlloc(nvml_gpm_sample *sample)
{
    int result = begin(sample);
    if (result != NVML_OK) {
        return result;
    }
    *sample = calloc(1, sizeof **sample);
    if (*sample == NULL) {
        return end(NVML_MEMORY);
    }
    (*sample)->magic = GPM_MAGIC;
    return end(NVML_OK);
}

API_LATER int nvmlGpmSampleFree(nvml_gpm_sample sample)
{
    if (sample == NULL || sample->magic != GPM_MAGIC) {
        return NVML_INVALID_ARGUMENT;
    }
    sample->magic = 0;
    free(sample);
    return NVML_OK;
}

/* Whatever there is to know about a time follows from the time. */
static int take_sample(nvml_device device, uint32_t instance, nvml_gpm_sample sample)
{
    if (!has_gpm(device)) {
        return NVML_NOT_SUPPORTED;
    }
    if (sample->magic != GPM_MAGIC) {
        return NVML_INVALID_ARGUMENT;
    }
    sample->session = session;
    sample->gpu = device;
    sample->instance = instance;
    sample->at_us = record_now_us();
    return NVML_OK;
}

API_LATER int nvmlGpmSampleGet(nvml_device device, nvml_gpm_sample sample)
{
    int result = begin_gpu(device, sample);
    return result != NVML_OK ? result : end(take_sample(device, WHOLE_GPU, sample));
}

API_LATER int nvmlGpmMigSampleGet(nvml_device device, unsigned instance, nvml_gpm_sample sample)
{
    int result = begin_gpu(device, sample);
    if (result != NVML_OK) {
        return result;
    }
    for (size_t i = 0; i < device->config->instance_count; i++) {
        if (device->config->instances[i].id == instance) {
            return end(take_sample(device, instance, sample));
        }
    }
    return end(device->config->instance_count > 0 ? NVML_INVALID_ARGUMENT : NVML_NOT_SUPPORTED);
}

struct means {
    double util, shares[SHARES]; /* 0 to 1 */
};

static double at_most_one(double share)
{
    return share < 1 ? share : 1;
}

static struct means means_between(const struct gpu *gpu, uint32_t instance, uint64_t from, uint64_t to)
{
    struct means means = {0};
    for (size_t i = 0; i < state.process_count; i++) {
        const struct record_device *use = use_of(gpu, &state.processes[i]);
        if (use == NULL || (instance != WHOLE_GPU && use->instance != instance)) {
            continue;
        }
        double activity = process_activity(&state.processes[i], from, to) / FULL_PERMILLE;
        if (instance == WHOLE_GPU && use->instance != WHOLE_GPU) {
            activity = activity * gpu->timeline->slices[use->instance] / COMPUTE_SLICES;
        }
        means.util += activity * use->util_permille;
        for (size_t j = 0; j < SHARES; j++) {
            means.shares[j] += activity * use->shares[j];
        }
    }
    means.util = at_most_one(means.util);
    for (size_t j = 0; j < SHARES; j++) {
        means.shares[j] = at_most_one(means.shares[j]);
    }
    return means;
}

static double metric_value(uint32_t id, const struct means *means)
{
    switch (id) {
    case NVML_GPM_BUSY: return means->util * 100;
    case NVML_GPM_SM: return means->shares[SHARE_SM] * 100;
    case NVML_GPM_OCCUPANCY: return means->shares[SHARE_OCCUPANCY] * 100;
    case NVML_GPM_TENSOR:
    case NVML_GPM_HALF_TENSOR: return means->shares[SHARE_TENSOR] * 100;
    case NVML_GPM_DRAM: return means->shares[SHARE_DRAM] * 100;
    case NVML_GPM_FP64: return means->shares[SHARE_FP64] * 100;
    case NVML_GPM_FP32: return means->shares[SHARE_FP32] * 100;
    case NVML_GPM_INTEGER: return means->shares[SHARE_INTEGER] * 100;
    case NVML_GPM_FP16: return means->shares[SHARE_FP16] * 100;
    case NVML_GPM_PCIE_TX: return means->util * PCIE_TX_KB_PER_S * 1000 / 0x1p20;
    case NVML_GPM_PCIE_RX: return means->util * PCIE_RX_KB_PER_S * 1000 / 0x1p20;
    default: return means->util * NVLINK_MIB_PER_S;
    }
}

API_LATER int nvmlGpmMetricsGet(struct nvml_gpm_metrics *request)
{
    int result = begin(request);
    if (result != NVML_OK) {
        return result;
    }
    if (request->version != NVML_GPM_VERSION) {
        return end(NVML_VERSION_MISMATCH);
    }
    const struct gpm_sample *first = request->first, *second = request->second;
    bool are_samples = first != NULL && second != NULL && first->magic == GPM_MAGIC && second->magic == GPM_MAGIC;
    if (!are_samples || request->count == 0 || request->count > NVML_MOST_METRICS || first->session != session
        || second->session != session || first->gpu != second->gpu || first->instance != second->instance
        || first->at_us >= second->at_us) {
        return end(NVML_INVALID_ARGUMENT);
    }
    refresh(first->gpu, NVML_OK);
    const struct means means = means_between(first->gpu, first->instance, first->at_us, second->at_us);
    for (uint32_t i = 0; i < request->count; i++) {
        struct nvml_gpm_metric *metric = &request->metrics[i];
        metric->result = NVML_NOT_SUPPORTED;
        metric->value = 0;
        metric->short_name = metric->long_name = metric->unit = NULL;
        for (size_t j = 0; j < sizeof METRICS / sizeof *METRICS; j++) {
            if (METRICS[j].id == metric->id) {
                metric->result = NVML_OK;
                metric->value = metric_value(metric->id, &means);
                metric->short_name = metric->long_name = METRICS[j].name;
                metric->unit = METRICS[j].unit;
            }
        }
    }
    return end(NVML_OK);
}

/* ---- events ---- */

static struct event_set *find_set(void *set)
{
    for (size_t i = 0; i < MAX_EVENT_SETS; i++) {
        if (set == &event_sets[i] && event_sets[i].taken) {
            return &event_sets[i];
        }
    }
    return NULL;
}

API int nvmlEventSetCreate(void **set)
{
    int result = begin(set);
    if (result != NVML_OK) {
        return result;
    }
    for (size_t i = 0; i < MAX_EVENT_SETS; i++) {
        if (!event_sets[i].taken && event_sets[i].waiting == 0) {
            event_sets[i] = (struct event_set){.taken = true, .next = event_count};
            event_sets[i].watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
            if (event_sets[i].watch >= 0) {
                inotify_add_watch(event_sets[i].watch, config_directory(),
                                  IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE);
            }
            *set = &event_sets[i];
            return end(NVML_OK);
        }
    }
    return end(NVML_MEMORY);
}

API int nvmlDeviceGetSupportedEventTypes(nvml_device device, uint64_t *types)
{
    int result = begin_gpu(device, types);
    if (result != NVML_OK) {
        return result;
    }
    *types = NVML_EVENT_SINGLE_BIT | NVML_EVENT_DOUBLE_BIT | NVML_EVENT_XID;
    return end(NVML_OK);
}

/* What happened before this is lost. */
API int nvmlDeviceRegisterEvents(nvml_device device, uint64_t types, void *set)
{
    int result = begin_gpu(device, set);
    if (result != NVML_OK) {
        return result;
    }
    struct event_set *events_of = find_set(set);
    if (events_of == NULL) {
        return end(NVML_INVALID_ARGUMENT);
    }
    if ((types & ~(NVML_EVENT_SINGLE_BIT | NVML_EVENT_DOUBLE_BIT | NVML_EVENT_XID)) != 0) {
        return end(NVML_NOT_SUPPORTED);
    }
    look_for_faults(0);
    events_of->since[device->index] = event_count;
    events_of->types[device->index] |= types;
    return end(NVML_OK);
}

/* The next event that the set is registered for and has not seen. */
static bool next_event(struct event_set *set, struct nvml_event *event)
{
    set->next = event_count > set->next + EVENT_LOG ? event_count - EVENT_LOG : set->next;
    while (set->next < event_count) {
        uint64_t number = set->next++;
        const struct xid *xid = &events[number % EVENT_LOG];
        const struct gpu *gpu = &gpus[xid->gpu];
        if ((size_t)xid->gpu >= config.count || (set->types[xid->gpu] & NVML_EVENT_XID) == 0
            || number < set->since[xid->gpu]) {
            continue;
        }
        bool known = xid->instance >= 0 && (size_t)xid->instance < gpu->config->instance_count;
        *event = (struct nvml_event){
            .device = &gpus[xid->gpu],
            .type = NVML_EVENT_XID,
            .data = xid->code,
            .gpu_instance = known ? gpu->config->instances[xid->instance].id : NVML_NO_INSTANCE,
            .compute_instance = known ? 0 : NVML_NO_INSTANCE,
        };
        return true;
    }
    return false;
}

/* Sleeps until something in the directory changes, or so long; without inotify a little while. With the lock. */
static void wait_for_change(int watch, uint64_t left_us)
{
    char changes[1024];
    uint64_t most_us = watch >= 0 ? 5000000 : 200000;
    uint64_t ms = ((left_us < most_us ? left_us : most_us) + 999) / 1000;
    struct pollfd poll_on = {.fd = watch, .events = POLLIN};
    pthread_mutex_unlock(&lock);
    if (poll(&poll_on, 1, (int)ms) > 0 && (poll_on.revents & POLLIN) != 0) {
        while (read(watch, changes, sizeof changes) > 0) {
        }
    }
    pthread_mutex_lock(&lock);
}

static int wait_as(struct function *function, void *handle, struct nvml_event *event, unsigned timeout_ms)
{
    int result = begin_as(function, event);
    uint64_t until = record_now_us() + (uint64_t)timeout_ms * 1000;
    while (result == NVML_OK) {
        look_for_faults(0);
        uint64_t now = record_now_us();
        struct event_set *set = find_set(handle);
        if (broken != 0 || users == 0) {
            return end(broken != 0 ? broken : NVML_UNINITIALIZED);
        }
        if (set == NULL) {
            return end(NVML_INVALID_ARGUMENT);
        }
        if (next_event(set, event)) {
            return end(NVML_OK);
        }
        if (now >= until) {
            return end(NVML_TIMEOUT);
        }
        set->waiting++;
        wait_for_change(set->watch, until - now);
        set->waiting--;
        if (!set->taken) {
            free_set(set);
        }
    }
    return result;
}

API_LATER int nvmlEventSetWait_v2(void *set, struct nvml_event *event, unsigned timeout_ms)
{
    return wait_as(FUNCTION, set, event, timeout_ms);
}

API int nvmlEventSetWait(void *set, void *event, unsigned timeout_ms)
{
    struct nvml_event whole;
    int result = wait_as(FUNCTION, set, event != NULL ? &whole : NULL, timeout_ms);
    if (result == NVML_OK) {
        memcpy(event, &whole, offsetof(struct nvml_event, gpu_instance));
    }
    return result;
}

API int nvmlEventSetFree(void *handle)
{
    pthread_mutex_lock(&lock);
    int result = enter(FUNCTION, NULL);
    struct event_set *set = find_set(handle);
    if (result == NVML_OK && set == NULL) {
        result = users == 0 ? NVML_UNINITIALIZED : NVML_INVALID_ARGUMENT;
    }
    if (result == NVML_OK) {
        free_set(set);
    }
    return end(result);
}
