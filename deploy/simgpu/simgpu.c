/*
 * simgpu: a process that behaves as a GPU program would, as far as NVML can see.
 *
 * It takes the GPUs that its device cgroup lets it open and publishes what it does with them (record.h). It sleeps
 * nearly all the time; its heartbeat costs a few dozen microseconds four times per second.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "nvml_abi.h"
#include "record.h"
#include "state.h"

#define EXIT_USAGE 2
#define EXIT_NO_GPU 3
#define EXIT_NO_PLACE 4
#define FOREVER UINT64_MAX
#define SHORTEST_PHASE_US 100000U
#define MOST_BURNERS 256
#define MEMORY_UTIL_SHARE 0.55 /* of the GPU's utilisation, unless --mem-util says otherwise */

/* As shares of the utilisation, in the order of enum record_share: of a program that trains, more or less. */
static const double USUAL_SHARES[SHARES] = {0.8, 0.4, 0.3, 0.55, 0, 0.2, 0.1, 0.25};

static const char HELP[] =
    "Usage: simgpu [options]       behave like a GPU program\n"
    "       simgpu --list          show the node's simulated GPUs, as nvidia-smi would\n"
    "\n"
    "Which GPUs:\n"
    "  --gpus N|all|none      the first N visible ones (all); none is --touch-nothing\n"
    "  --devices 0,3          visible ones at these positions\n"
    "  --touch-nothing        never open a GPU, leave no trace on any\n"
    "  Visible are those that this process may open, in NVML's order, narrowed by\n"
    "  CUDA_VISIBLE_DEVICES (positions from 0 among these, or UUIDs) if it is set.\n"
    "  Of a partitioned GPU a program gets one MIG instance: the one that\n"
    "  CUDA_VISIBLE_DEVICES names by its UUID (MIG-...), else the first.\n"
    "  --mig UUID[,...]       instead of CUDA_VISIBLE_DEVICES\n"
    "What it does there (a comma separated list gives each GPU its own value):\n"
    "  --util PERCENT[,...]   utilisation while busy (90)\n"
    "  --mem SIZE[,...]       memory held, e.g. 500MiB, 20GiB, 8G (1GiB)\n"
    "  --mem-util PERCENT[,...]  memory utilisation while busy (0.55 x --util)\n"
    "  --sm, --occupancy, --tensor, --dram, --fp64, --fp32, --fp16, --integer PERCENT[,...]\n"
    "                         what GPM shows of it while busy (0.8, 0.4, 0.3, 0.55, 0,\n"
    "                         0.2, 0.1 x --util)\n"
    "  --mps                  work through MPS: in the list of MPS programs, not of compute ones\n"
    "  --mps-server           be the MPS server: in the list of compute programs, does no work\n"
    "                         of its own; the driver reports that of the others as its own\n"
    "  --graphics             be in the list of graphics programs\n"
    "  --busy TIME            be busy so long, then idle for the time of --idle, again and\n"
    "  --idle TIME            again. Without --idle always busy; memory stays held.\n"
    "When:\n"
    "  --after TIME           wait before taking the GPUs, as for loading of data\n"
    "  --for TIME             then run so long and exit (forever)\n"
    "  TIME is a number with ms, s (also without a unit), m, h or d; or forever.\n"
    "Otherwise:\n"
    "  --cpu PERCENT          burn so much CPU, 100 is one core (0)\n"
    "  --exit CODE            exit with this code at the end (0)\n"
    "  --list, --help\n"
    "\n"
    "A stopped or killed simgpu leaves its GPUs idle; memory is free once it is dead.\n"
    "\n"
    "Environment:\n"
    "  FAIRWATCH_SIMGPU_DIR   the node's simulation (/run/simgpu)\n"
    "  FAIRWATCH_SIMGPU_DEV   where nvidia0, nvidia1, ... lie (/dev)\n"
    "Exit codes: 0 or that of --exit; 2 wrong arguments; 3 no such GPU, or it may not be opened;\n"
    "4 the simulation's directory is missing or not usable; 128 + n after signal n.\n";

struct options {
    const char *gpus, *devices, *mig, *util, *memory, *memory_util, *shares[SHARES];
    enum record_kind kind;
    uint64_t busy_us, idle_us, after_us, for_us;
    unsigned cpu_percent;
    int exit_code;
    bool touch_nothing, list;
};

__attribute__((noreturn, format(printf, 2, 3))) static void fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("simgpu: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(code);
}

/* ---- arguments ---- */

static unsigned long parse_number(const char *option, const char *text, unsigned long most)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number > most) {
        fail(EXIT_USAGE, "%s '%s': expected a whole number from 0 to %lu", option, text, most);
    }
    return number;
}

static uint64_t parse_time(const char *option, const char *text)
{
    static const struct {
        const char *unit;
        double us;
    } units[] = {{"ms", 1e3}, {"s", 1e6}, {"", 1e6}, {"m", 60e6}, {"min", 60e6}, {"h", 3600e6}, {"d", 86400e6}};
    if (strcmp(text, "forever") == 0) {
        return FOREVER;
    }
    char *end;
    double number = strtod(text, &end);
    if (*text >= '0' && *text <= '9' && isfinite(number)) {
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            if (strcmp(end, units[i].unit) == 0 && number * units[i].us < 1e16) {
                return (uint64_t)(number * units[i].us);
            }
        }
    }
    fail(EXIT_USAGE, "%s '%s': expected a time such as 500ms, 10s, 5m, 2h or forever", option, text);
}

static uint64_t parse_size(const char *text)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"", 1},         {"B", 1},         {"K", 0x1p10},  {"KiB", 0x1p10}, {"M", 0x1p20}, {"MiB", 0x1p20},
                 {"G", 0x1p30},   {"GiB", 0x1p30},  {"KB", 1e3},    {"MB", 1e6},     {"GB", 1e9}};
    char *end;
    double number = strtod(text, &end);
    if (*text >= '0' && *text <= '9' && isfinite(number)) {
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            if (strcasecmp(end, units[i].unit) == 0 && number * units[i].bytes < 0x1p48) {
                return (uint64_t)(number * units[i].bytes);
            }
        }
    }
    fail(EXIT_USAGE, "--mem '%s': expected a size such as 500MiB or 20GiB", text);
}

static double parse_percent(const char *option, const char *text)
{
    char *end;
    double number = strtod(text, &end);
    if (*text < '0' || *text > '9' || (*end != '\0' && strcmp(end, "%") != 0) || !(number <= 100)) {
        fail(EXIT_USAGE, "%s '%s': expected a percentage from 0 to 100", option, text);
    }
    return number;
}

/* Copies item number i of a comma separated list; a list of one is for all. False when there are fewer. */
static bool list_item(const char *list, size_t i, char *item, size_t size)
{
    bool single = strchr(list, ',') == NULL;
    for (size_t skip = single ? 0 : i; skip > 0; skip--) {
        list = strchr(list, ',');
        if (list == NULL) {
            return false;
        }
        list++;
    }
    size_t length = strcspn(list, ",");
    if (length >= size) {
        fail(EXIT_USAGE, "'%s' is too long", list);
    }
    memcpy(item, list, length);
    item[length] = '\0';
    return true;
}

static size_t list_length(const char *list)
{
    size_t n = 1;
    for (; (list = strchr(list, ',')) != NULL; list++) {
        n++;
    }
    return n;
}

static void parse_options(int count, char **arguments, struct options *options)
{
    enum { SHARE_0, SHARE_LAST = SHARE_0 + SHARES - 1, MIG, MPS, MPS_SERVER, GRAPHICS, GPUS, DEVICES, TOUCH, UTIL, MEMORY, MEMORY_UTIL, BUSY, IDLE, AFTER, FOR, CPU, EXIT, LIST, HELP_ };
    static const struct option known[] = {
        {"gpus", required_argument, NULL, GPUS},       {"devices", required_argument, NULL, DEVICES},
        {"touch-nothing", no_argument, NULL, TOUCH},   {"util", required_argument, NULL, UTIL},
        {"mem", required_argument, NULL, MEMORY},      {"mem-util", required_argument, NULL, MEMORY_UTIL},
        {"busy", required_argument, NULL, BUSY},       {"idle", required_argument, NULL, IDLE},
        {"after", required_argument, NULL, AFTER},     {"for", required_argument, NULL, FOR},
        {"cpu", required_argument, NULL, CPU},         {"exit", required_argument, NULL, EXIT},
        {"mig", required_argument, NULL, MIG},         {"mps", no_argument, NULL, MPS},
        {"mps-server", no_argument, NULL, MPS_SERVER}, {"graphics", no_argument, NULL, GRAPHICS},
        {"sm", required_argument, NULL, SHARE_SM},     {"occupancy", required_argument, NULL, SHARE_OCCUPANCY},
        {"tensor", required_argument, NULL, SHARE_TENSOR}, {"dram", required_argument, NULL, SHARE_DRAM},
        {"fp64", required_argument, NULL, SHARE_FP64}, {"fp32", required_argument, NULL, SHARE_FP32},
        {"fp16", required_argument, NULL, SHARE_FP16}, {"integer", required_argument, NULL, SHARE_INTEGER},
        {"list", no_argument, NULL, LIST},             {"help", no_argument, NULL, HELP_},
        {NULL, 0, NULL, 0}};
    *options = (struct options){.util = "90", .memory = "1GiB", .busy_us = FOREVER, .for_us = FOREVER};
    bool has_busy = false;
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        switch (option) {
        case MIG: options->mig = optarg; break;
        case MPS: options->kind = KIND_MPS_CLIENT; break;
        case MPS_SERVER: options->kind = KIND_MPS_SERVER; break;
        case GRAPHICS: options->kind = KIND_GRAPHICS; break;
        case GPUS: options->gpus = optarg; break;
        case DEVICES: options->devices = optarg; break;
        case TOUCH: options->touch_nothing = true; break;
        case UTIL: options->util = optarg; break;
        case MEMORY: options->memory = optarg; break;
        case MEMORY_UTIL: options->memory_util = optarg; break;
        case BUSY: options->busy_us = parse_time("--busy", optarg); has_busy = true; break;
        case IDLE: options->idle_us = parse_time("--idle", optarg); break;
        case AFTER: options->after_us = parse_time("--after", optarg); break;
        case FOR: options->for_us = parse_time("--for", optarg); break;
        case CPU: options->cpu_percent = (unsigned)parse_number("--cpu", optarg, MOST_BURNERS * 100); break;
        case EXIT: options->exit_code = (int)parse_number("--exit", optarg, 255); break;
        case LIST: options->list = true; break;
        case HELP_: fputs(HELP, stdout); exit(0);
        case '?': fputs("simgpu: see simgpu --help\n", stderr); exit(EXIT_USAGE);
        default: options->shares[option - SHARE_0] = optarg; break;
        }
    }
    if (optind < count) {
        fail(EXIT_USAGE, "unexpected argument '%s'; see simgpu --help", arguments[optind]);
    }
    if (options->kind == KIND_MPS_SERVER) {
        options->util = "0";
    }
    if (options->gpus != NULL && options->devices != NULL) {
        fail(EXIT_USAGE, "--gpus and --devices exclude each other");
    }
    if (options->gpus != NULL && strcmp(options->gpus, "none") == 0) {
        options->touch_nothing = true;
    } else if (options->touch_nothing && (options->gpus != NULL || options->devices != NULL)) {
        fail(EXIT_USAGE, "--touch-nothing excludes --gpus and --devices");
    }
    if (options->idle_us > 0 && !has_busy) {
        fail(EXIT_USAGE, "--idle needs --busy; for a program that never works use --util 0");
    }
    if (has_busy && options->idle_us > 0
        && (options->busy_us < SHORTEST_PHASE_US || options->idle_us < SHORTEST_PHASE_US)) {
        fail(EXIT_USAGE, "--busy and --idle must be at least 100ms");
    }
}

/* ---- which GPUs ---- */

struct choice {
    size_t count;
    struct chosen {
        const struct gpu_config *gpu;
        const struct instance_config *instance; /* NULL for a GPU that is not partitioned */
    } items[MAX_GPUS];
};

static const char *device_directory(void)
{
    const char *directory = getenv("FAIRWATCH_SIMGPU_DEV");
    return directory != NULL && *directory != '\0' ? directory : "/dev";
}

/*
 * Those that this process may open. The device cgroup answers EPERM, file modes EACCES; without a driver behind it an
 * allowed open gives ENXIO or ENODEV.
 */
static void find_allowed(const struct node_config *config, struct choice *allowed, char *why, size_t size)
{
    snprintf(why, size, "the node has none");
    for (size_t i = 0; i < config->count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/nvidia%u", device_directory(), config->gpus[i].minor);
        int file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (file >= 0) {
            close(file);
        } else if (errno != ENXIO && errno != ENODEV && errno != EIO) {
            snprintf(why, size, "%s: %s", path, strerror(errno));
            continue;
        }
        const struct gpu_config *gpu = &config->gpus[i];
        allowed->items[allowed->count++] =
            (struct chosen){.gpu = gpu, .instance = gpu->instance_count > 0 ? &gpu->instances[0] : NULL};
    }
}

static void add_once(struct choice *choice, struct chosen item, const char *source, const char *list)
{
    for (size_t i = 0; i < choice->count; i++) {
        if (choice->items[i].gpu == item.gpu) {
            fail(EXIT_NO_GPU, "%s '%s' names a GPU twice", source, list);
        }
    }
    choice->items[choice->count++] = item;
}

/* The beginning of a UUID of an instance. */
static struct chosen find_instance(const struct choice *allowed, const char *uuid)
{
    struct chosen found = {0};
    for (size_t i = 0; i < allowed->count; i++) {
        const struct gpu_config *gpu = allowed->items[i].gpu;
        for (size_t j = 0; j < gpu->instance_count; j++) {
            if (strncasecmp(gpu->instances[j].uuid, uuid, strlen(uuid)) == 0) {
                if (found.gpu != NULL) {
                    fail(EXIT_NO_GPU, "'%s' is the beginning of several UUIDs", uuid);
                }
                found = (struct chosen){.gpu = gpu, .instance = &gpu->instances[j]};
            }
        }
    }
    if (found.gpu == NULL) {
        fail(EXIT_NO_GPU, "%s is on none of the %zu GPUs that may be opened", uuid, allowed->count);
    }
    return found;
}

/* One item of CUDA_VISIBLE_DEVICES: a position or the beginning of a UUID. */
static struct chosen find_visible(const struct choice *allowed, const char *item, const char *list)
{
    if (strncmp(item, "MIG-", 4) == 0) {
        return find_instance(allowed, item);
    }
    if (strncasecmp(item, "GPU-", 4) == 0) {
        struct chosen found = {0};
        for (size_t i = 0; i < allowed->count; i++) {
            if (strncasecmp(allowed->items[i].gpu->uuid, item, strlen(item)) == 0) {
                if (found.gpu != NULL) {
                    fail(EXIT_NO_GPU, "CUDA_VISIBLE_DEVICES: '%s' is the beginning of several UUIDs", item);
                }
                found = allowed->items[i];
            }
        }
        if (found.gpu == NULL) {
            fail(EXIT_NO_GPU, "CUDA_VISIBLE_DEVICES: %s is not among the %zu GPUs that may be opened", item,
                 allowed->count);
        }
        return found;
    }
    char *end;
    unsigned long position = strtoul(item, &end, 10);
    if (*item < '0' || *item > '9' || *end != '\0') {
        fail(EXIT_NO_GPU, "CUDA_VISIBLE_DEVICES '%s': expected positions or UUIDs, not '%s'", list, item);
    }
    if (position >= allowed->count) {
        fail(EXIT_NO_GPU, "CUDA_VISIBLE_DEVICES '%s': no position %lu among the %zu GPUs that may be opened", list,
             position, allowed->count);
    }
    return allowed->items[position];
}

static void narrow_by_cuda(struct choice *visible, const char *instances)
{
    const char *list = instances != NULL ? instances : getenv("CUDA_VISIBLE_DEVICES");
    if (list == NULL) {
        return;
    }
    struct choice narrowed = {0};
    char item[128];
    if (*list != '\0' && strcmp(list, "-1") != 0 && strcmp(list, "NoDevFiles") != 0) {
        for (size_t i = 0; i < list_length(list) && list_item(list, i, item, sizeof item); i++) {
            add_once(&narrowed, find_visible(visible, item, list), "CUDA_VISIBLE_DEVICES", list);
        }
    }
    *visible = narrowed;
}

static void choose(const struct options *options, const struct node_config *config, struct choice *chosen)
{
    struct choice visible = {0};
    char why[4200], item[32];
    find_allowed(config, &visible, why, sizeof why);
    if (visible.count == 0) {
        fail(EXIT_NO_GPU, "no GPU may be opened (%s)", why);
    }
    narrow_by_cuda(&visible, options->mig);
    if (visible.count == 0) {
        fail(EXIT_NO_GPU, "no GPU is visible, CUDA_VISIBLE_DEVICES is '%s'", getenv("CUDA_VISIBLE_DEVICES"));
    }
    if (options->devices != NULL) {
        for (size_t i = 0; i < list_length(options->devices); i++) {
            list_item(options->devices, i, item, sizeof item);
            size_t position = parse_number("--devices", item, MAX_GPUS);
            if (position >= visible.count) {
                fail(EXIT_NO_GPU, "--devices %s: there are only %zu visible GPUs", options->devices, visible.count);
            }
            add_once(chosen, visible.items[position], "--devices", options->devices);
        }
        return;
    }
    *chosen = visible;
    if (options->gpus != NULL && strcmp(options->gpus, "all") != 0) {
        size_t wanted = parse_number("--gpus", options->gpus, MAX_GPUS);
        if (wanted == 0) {
            fail(EXIT_USAGE, "--gpus 0: use --gpus none for a program without a GPU");
        }
        if (wanted > visible.count) {
            fail(EXIT_NO_GPU, "--gpus %zu: there are only %zu visible GPUs", wanted, visible.count);
        }
        chosen->count = wanted;
    }
}

static void check_length(const char *option, const char *list, size_t gpus)
{
    size_t n = list_length(list);
    if (n != 1 && n != gpus) {
        fail(EXIT_USAGE, "%s '%s' has %zu values for %zu GPUs", option, list, n, gpus);
    }
}

static void fill_devices(const struct options *options, const struct choice *chosen, struct record *record)
{
    check_length("--util", options->util, chosen->count);
    check_length("--mem", options->memory, chosen->count);
    if (options->memory_util != NULL) {
        check_length("--mem-util", options->memory_util, chosen->count);
    }
    for (size_t i = 0; i < SHARES; i++) {
        if (options->shares[i] != NULL) {
            check_length("--sm, --tensor and the like", options->shares[i], chosen->count);
        }
    }
    record->device_count = (uint32_t)chosen->count;
    for (size_t i = 0; i < chosen->count; i++) {
        struct record_device *device = &record->devices[i];
        const struct model *model = chosen->items[i].gpu->model;
        const struct instance_config *instance = chosen->items[i].instance;
        char item[64];
        list_item(options->util, i, item, sizeof item);
        double util = parse_percent("--util", item), memory_util = util * MEMORY_UTIL_SHARE;
        if (options->memory_util != NULL) {
            list_item(options->memory_util, i, item, sizeof item);
            memory_util = parse_percent("--mem-util", item);
        }
        list_item(options->memory, i, item, sizeof item);
        device->minor = chosen->items[i].gpu->minor;
        device->instance = instance != NULL ? instance->id : WHOLE_GPU;
        device->kind = (uint16_t)options->kind;
        device->util_permille = (uint16_t)lround(util * 10);
        device->memory_util_permille = (uint16_t)lround(memory_util * 10);
        device->memory_bytes = parse_size(item);
        uint64_t most = model->memory_bytes - model->reserved_bytes;
        most = instance != NULL ? most * instance->memory_slices / MEMORY_SLICES : most;
        if (device->memory_bytes > most) {
            fail(EXIT_USAGE, "--mem %s: out of memory, %s%s%s has %llu MiB", item, model->name,
                 instance != NULL ? " MIG " : "", instance != NULL ? instance->profile : "",
                 (unsigned long long)(most >> 20));
        }
        for (size_t j = 0; j < SHARES; j++) {
            double share = util * USUAL_SHARES[j];
            if (options->shares[j] != NULL) {
                list_item(options->shares[j], i, item, sizeof item);
                share = parse_percent("--sm, --tensor and the like", item);
            }
            device->shares[j] = (uint16_t)lround(share * 10);
        }
    }
}

/* ---- publishing ---- */

struct publisher {
    struct record record;
    int directory, file;
    char name[64];
};

/* Files of this user's programs that ended long ago go now; nobody else may have the right to remove them. */
static void tidy(const struct node_config *config)
{
    struct state state;
    if (state_open(&state, config_directory(), config)) {
        state_refresh(&state, NULL, 0);
        state_close(&state);
    }
}

static void open_publisher(struct publisher *publisher)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/procs", config_directory());
    if (mkdir(path, 0700) == 0 && chmod(path, 01777) != 0) {
        fail(EXIT_NO_PLACE, "%s: %s", path, strerror(errno));
    }
    publisher->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (publisher->directory < 0) {
        fail(EXIT_NO_PLACE, "%s: %s (an administrator makes it with mode 1777)", path, strerror(errno));
    }
    struct record *record = &publisher->record;
    record->magic = RECORD_MAGIC;
    record->version = RECORD_VERSION;
    record->boot = record_boot();
    record->pid = getpid();
    if (!record_process_start(getpid(), &record->start_ticks)) {
        fail(EXIT_NO_PLACE, "cannot read /proc/%d/stat", (int)getpid());
    }
    snprintf(publisher->name, sizeof publisher->name, "%d-%llu", (int)getpid(),
             (unsigned long long)record->start_ticks);
    unlinkat(publisher->directory, publisher->name, 0); /* of another boot */
    publisher->file = openat(publisher->directory, publisher->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (publisher->file < 0 || fchmod(publisher->file, 0644) != 0) {
        fail(EXIT_NO_PLACE, "%s/%s: %s", path, publisher->name, strerror(errno));
    }
}

static void publish(struct publisher *publisher, uint64_t now)
{
    publisher->record.heartbeat_us = now;
    if (!record_write(publisher->file, &publisher->record, sizeof publisher->record)) {
        fail(EXIT_NO_PLACE, "%s/procs/%s: %s", config_directory(), publisher->name, strerror(errno));
    }
}

static void add_segment(struct record *record, uint64_t from, uint32_t activity)
{
    struct record_segment *segments = record->segments;
    uint32_t n = record->segment_count;
    if (n > 0 && segments[n - 1].activity_ppm == activity) {
        return;
    }
    if (n == RECORD_SEGMENTS) {
        double first = (double)(segments[1].from_us - segments[0].from_us);
        double second = (double)(segments[2].from_us - segments[1].from_us);
        double busy = first * segments[0].activity_ppm + second * segments[1].activity_ppm;
        segments[0].activity_ppm = first + second > 0 ? (uint32_t)lround(busy / (first + second)) : 0;
        memmove(&segments[1], &segments[2], (n - 2) * sizeof *segments);
        n--;
    }
    if (n > 0 && from < segments[n - 1].from_us) {
        from = segments[n - 1].from_us;
    }
    segments[n] = (struct record_segment){.from_us = from, .activity_ppm = activity};
    record->segment_count = n + 1;
}

/* ---- running ---- */

static void wait_until(const sigset_t *signals, uint64_t until, int *signal)
{
    uint64_t now = record_now_us();
    if (now >= until) {
        return;
    }
    uint64_t left = until - now;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000) * 1000};
    int got = sigtimedwait(signals, NULL, &timeout);
    if (got > 0) {
        *signal = got;
    }
}

static void *burn(void *argument)
{
    const double share = *(const double *)argument;
    const uint64_t slice = 50000;
    for (;;) {
        uint64_t start = record_now_us(), until = start + (uint64_t)((double)slice * share);
        while (record_now_us() < until) {
        }
        uint64_t now = record_now_us();
        if (now < start + slice) {
            nanosleep(&(struct timespec){.tv_nsec = (long)(start + slice - now) * 1000}, NULL);
        }
    }
    return NULL;
}

static void start_burning(unsigned percent)
{
    static double shares[MOST_BURNERS];
    for (unsigned i = 0; percent > 0; i++) {
        unsigned here = percent > 100 ? 100 : percent;
        pthread_t thread;
        shares[i] = here / 100.0;
        percent -= here;
        if (pthread_create(&thread, NULL, burn, &shares[i]) != 0) {
            fail(EXIT_NO_PLACE, "cannot start a thread for --cpu");
        }
    }
}

static uint64_t plus(uint64_t time, uint64_t span)
{
    return span == FOREVER || time + span < time ? FOREVER : time + span;
}

/* Works until the time is over or a signal ends it; returns that signal, or 0. */
static int work(const struct options *options, struct publisher *publisher, const sigset_t *signals)
{
    struct record *record = &publisher->record;
    const bool rests = options->idle_us > 0;
    uint64_t now = record_now_us(), last = now, end = plus(now, options->for_us);
    uint64_t phase_end = rests ? plus(now, options->busy_us) : FOREVER;
    uint32_t activity = options->busy_us > 0 ? FULL_ACTIVITY : 0;
    int signal = 0;
    add_segment(record, now, activity);
    publish(publisher, now);
    while (signal == 0 && now < end) {
        uint64_t until = now + HEARTBEAT_US;
        until = until > phase_end ? phase_end : until;
        until = until > end ? end : until;
        wait_until(signals, until, &signal);
        now = record_now_us();
        if (now - last > GRACE_US) { /* stopped or frozen since the last heartbeat */
            add_segment(record, last, 0);
            add_segment(record, now, activity);
        }
        for (; now >= phase_end; phase_end = plus(phase_end, activity > 0 ? options->busy_us : options->idle_us)) {
            activity = activity > 0 ? 0 : FULL_ACTIVITY;
            add_segment(record, phase_end, activity);
        }
        record->ended = signal != 0 || now >= end;
        publish(publisher, now);
        last = now;
    }
    return signal;
}

static void announce(const struct choice *chosen)
{
    fprintf(stderr, "simulated GPUs:");
    for (size_t i = 0; i < chosen->count; i++) {
        const struct gpu_config *gpu = chosen->items[i].gpu;
        const struct instance_config *instance = chosen->items[i].instance;
        fprintf(stderr, "%s %s%s%s (%s%u, %s)", i > 0 ? "," : "", gpu->model->name, instance != NULL ? " MIG " : "",
                instance != NULL ? instance->profile : "", "/dev/nvidia", gpu->minor,
                instance != NULL ? instance->uuid : gpu->uuid);
    }
    fputs(chosen->count > 0 ? "\n" : " none touched\n", stderr);
}

/* Those that would end the program; not such as nohup or a shell's "&" told it to ignore. */
static void catch_signals(sigset_t *signals)
{
    static const int ending[] = {SIGTERM, SIGINT, SIGHUP};
    sigemptyset(signals);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        struct sigaction action;
        if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            sigaddset(signals, ending[i]);
        }
    }
}

static int run_program(const struct options *options, const struct node_config *config)
{
    static struct publisher publisher;
    struct choice chosen = {0};
    sigset_t signals;
    catch_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (!options->touch_nothing) {
        choose(options, config, &chosen);
        fill_devices(options, &chosen, &publisher.record);
    }
    announce(&chosen);
    start_burning(options->cpu_percent);
    int signal = 0;
    uint64_t start = plus(record_now_us(), options->after_us);
    uint64_t end = options->touch_nothing ? plus(start, options->for_us) : start;
    while (signal == 0 && record_now_us() < end) {
        uint64_t hour = record_now_us() + 3600000000U;
        wait_until(&signals, end < hour ? end : hour, &signal);
    }
    if (!options->touch_nothing && signal == 0) {
        tidy(config);
        open_publisher(&publisher);
        signal = work(options, &publisher, &signals);
    }
    if (signal > 0) { /* the parent shall see that a signal ended it */
        sigprocmask(SIG_UNBLOCK, &signals, NULL);
        raise(signal);
    }
    return options->exit_code;
}

/* ---- simgpu --list ---- */

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvml_device *device);
int nvmlDeviceGetMigDeviceHandleByIndex(nvml_device device, unsigned index, nvml_device *instance);
int nvmlDeviceGetUtilizationRates(nvml_device device, struct nvml_utilization *utilization);
int nvmlDeviceGetMemoryInfo_v2(nvml_device device, struct nvml_memory_v2 *memory);
int nvmlDeviceGetPowerUsage(nvml_device device, uint32_t *milliwatts);
int nvmlDeviceGetTemperature(nvml_device device, unsigned sensor, uint32_t *celsius);
typedef int process_list(nvml_device device, uint32_t *count, struct nvml_process *records);
process_list nvmlDeviceGetComputeRunningProcesses_v3, nvmlDeviceGetGraphicsRunningProcesses_v3,
    nvmlDeviceGetMPSComputeRunningProcesses_v3;
uint32_t nvml_stride(void);

static void list_processes(unsigned index, nvml_device device, process_list *read_list, const char *kind)
{
    static char records[1024 * 32];
    uint32_t count = 1024;
    const uint32_t stride = nvml_stride();
    if (read_list(device, &count, (struct nvml_process *)records) != NVML_OK) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct nvml_process process = {.gpu_instance = NVML_NO_INSTANCE};
        memcpy(&process, records + i * stride, stride < sizeof process ? stride : sizeof process);
        uid_t uid = 0;
        bool known = record_process_user((pid_t)process.pid, &uid);
        const struct passwd *user = known ? getpwuid(uid) : NULL;
        char number[16], instance[16] = "-", memory[32] = "?";
        snprintf(number, sizeof number, "%u", (unsigned)uid);
        if (process.gpu_instance != NVML_NO_INSTANCE) {
            snprintf(instance, sizeof instance, "%u", process.gpu_instance);
        }
        if (process.memory != UINT64_MAX) {
            snprintf(memory, sizeof memory, "%llu MiB", (unsigned long long)(process.memory >> 20));
        }
        printf("%5u %8s %4s %8u  %-16s %12s\n", index, instance, kind, process.pid,
               user != NULL ? user->pw_name : known ? number : "?", memory);
    }
}

static int list(const struct node_config *config)
{
    if (nvmlInit_v2() != NVML_OK) {
        return EXIT_NO_PLACE;
    }
    printf("SIMULATED GPUs\n%5s %5s  %-22s %-40s  %-16s %5s %17s %9s %5s\n", "index", "minor", "model", "uuid", "bus id",
           "util", "memory", "power", "temp");
    for (unsigned i = 0; i < config->count; i++) {
        const struct gpu_config *gpu = &config->gpus[i];
        nvml_device device;
        struct nvml_utilization use = {0};
        struct nvml_memory_v2 memory = {.version = NVML_MEMORY_V2_VERSION};
        uint32_t milliwatts = 0, celsius = 0;
        nvmlDeviceGetHandleByIndex_v2(i, &device);
        char util[16] = "-"; /* a partitioned GPU does not tell */
        if (nvmlDeviceGetUtilizationRates(device, &use) == NVML_OK) {
            snprintf(util, sizeof util, "%u%%", use.gpu);
        }
        nvmlDeviceGetMemoryInfo_v2(device, &memory);
        nvmlDeviceGetPowerUsage(device, &milliwatts);
        nvmlDeviceGetTemperature(device, 0, &celsius);
        printf("%5u %5u  %-22s %-40s  %08x:%02x:%02x.0 %5s %6llu/%6llu MiB %4u/%3u W %3u C\n", i, gpu->minor,
               gpu->model->name, gpu->uuid, gpu->domain, gpu->bus, gpu->device, util,
               (unsigned long long)(memory.used >> 20), (unsigned long long)(memory.total >> 20),
               (milliwatts + 500) / 1000, gpu->model->limit_mw / 1000, celsius);
        for (size_t j = 0; j < gpu->instance_count; j++) {
            const struct instance_config *instance = &gpu->instances[j];
            nvml_device handle;
            nvmlDeviceGetMigDeviceHandleByIndex(device, (unsigned)j, &handle);
            nvmlDeviceGetMemoryInfo_v2(handle, &memory);
            printf("%11s  MIG %-18s %-40s  %-16s       %6llu/%6llu MiB\n", "", instance->profile, instance->uuid, "",
                   (unsigned long long)(memory.used >> 20), (unsigned long long)(memory.total >> 20));
        }
    }
    printf("\n%5s %8s %4s %8s  %-16s %12s\n", "index", "instance", "type", "pid", "user", "memory");
    for (unsigned i = 0; i < config->count; i++) {
        nvml_device device;
        nvmlDeviceGetHandleByIndex_v2(i, &device);
        list_processes(i, device, nvmlDeviceGetComputeRunningProcesses_v3, "C");
        list_processes(i, device, nvmlDeviceGetGraphicsRunningProcesses_v3, "G");
        list_processes(i, device, nvmlDeviceGetMPSComputeRunningProcesses_v3, "M+C");
    }
    nvmlShutdown();
    return 0;
}

int main(int count, char **arguments)
{
    struct options options;
    struct node_config config;
    char message[512];
    parse_options(count, arguments, &options);
    memset(&config, 0, sizeof config);
    if ((options.list || !options.touch_nothing)
        && config_load(config_directory(), &config, message, sizeof message) != CONFIG_READ) {
        fail(EXIT_NO_PLACE, "%s", message);
    }
    return options.list ? list(&config) : run_program(&options, &config);
}
