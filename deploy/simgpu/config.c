#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record.h"

#define FIRST_BUS 0x07U
#define BUS_STEP 0x0CU

const char *config_directory(void)
{
    const char *directory = getenv("FAIRWATCH_SIMGPU_DIR");
    return directory != NULL && *directory != '\0' ? directory : "/run/simgpu";
}

bool config_parse_bus_id(const char *text, uint32_t *domain, uint32_t *bus, uint32_t *device)
{
    unsigned d = 0, b = 0, s = 0, f = 0;
    int end = -1;
    sscanf(text, "%8x:%2x:%2x%n", &d, &b, &s, &end);
    if (end < 0) {
        d = 0;
        sscanf(text, "%2x:%2x%n", &b, &s, &end);
    }
    if (end < 0) {
        return false;
    }
    if (text[end] == '.') {
        int more = -1;
        sscanf(text + end, ".%1x%n", &f, &more);
        if (more < 0) {
            return false;
        }
        end += more;
    }
    *domain = d;
    *bus = b;
    *device = s;
    return text[end] == '\0';
}

/* The same seed always gives the same UUID, so that it survives restarts as a real one does. */
static void derive_uuid(const char *kind, const char *seed, char *uuid, size_t size)
{
    size_t length = strlen(seed);
    uint64_t high = record_hash(0, seed, length);
    uint64_t low = record_hash(high, seed, length);
    snprintf(uuid, size, "%s-%08x-%04x-%04x-%04x-%012llx", kind, (unsigned)(high >> 32),
             (unsigned)(high >> 16) & 0xFFFF, (unsigned)high & 0xFFFF, (unsigned)(low >> 48), (unsigned long long)low & 0xFFFFFFFFFFFFULL);
}

static bool is_uuid(const char *text)
{
    static const char shape[] = "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (strlen(text) != sizeof shape - 1) {
        return false;
    }
    for (size_t i = 0; shape[i] != '\0'; i++) {
        if (shape[i] == 'x' ? strchr("0123456789abcdef", text[i]) == NULL : shape[i] != text[i]) {
            return false;
        }
    }
    return true;
}

struct reader {
    const char *directory;
    int line;
    char *message;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool wrong(const struct reader *reader, const char *format, ...)
{
    int n = snprintf(reader->message, reader->size, "%s/gpus.conf:%d: ", reader->directory, reader->line);
    if (n >= 0 && (size_t)n < reader->size) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(reader->message + n, reader->size - (size_t)n, format, arguments);
        va_end(arguments);
    }
    return false;
}

static uint64_t bus_order(const struct gpu_config *gpu)
{
    return (uint64_t)gpu->domain << 16 | gpu->bus << 8 | gpu->device;
}

static bool take_flag(const struct reader *reader, const char *key, const char *value, bool *flag)
{
    *flag = strcmp(value, "1") == 0;
    return *flag || strcmp(value, "0") == 0 || wrong(reader, "%s=%s: expected 0 or 1", key, value);
}

static bool is_number(const char *value, uint32_t least, uint32_t most, uint32_t *number)
{
    char *end;
    errno = 0;
    unsigned long parsed = strtoul(value, &end, 10);
    *number = (uint32_t)parsed;
    return *value >= '0' && *value <= '9' && *end == '\0' && errno == 0 && parsed >= least && parsed <= most;
}

/* What profiles exist, and which GPU instance ids the driver gives out for them, of which each is given once. */
static const struct {
    uint32_t compute_slices, memory_slices, first_id, last_id;
} PROFILES[] = {{1, 1, 7, 13}, {1, 2, 7, 13}, {2, 2, 3, 6}, {3, 4, 1, 2}, {4, 4, 1, 2}, {7, 8, 0, 0}};

static bool is_taken(const struct gpu_config *gpu, uint32_t id)
{
    for (size_t i = 0; i < gpu->instance_count; i++) {
        if (gpu->instances[i].id == id) {
            return true;
        }
    }
    return false;
}

/* One item of mig=, as 3g.40gb. */
static bool add_instance(struct gpu_config *gpu, const char *profile)
{
    const uint64_t gib_per_slice = (gpu->model->memory_bytes / MEMORY_SLICES + (1 << 29)) >> 30;
    struct instance_config *instance = &gpu->instances[gpu->instance_count];
    unsigned compute, gib;
    char again[sizeof instance->profile];
    if (gpu->instance_count == MAX_INSTANCES || sscanf(profile, "%1ug.%3ugb", &compute, &gib) != 2) {
        return false;
    }
    snprintf(again, sizeof again, "%ug.%ugb", compute % 10, gib % 1000);
    for (size_t i = 0; strcmp(profile, again) == 0 && i < sizeof PROFILES / sizeof *PROFILES; i++) {
        if (PROFILES[i].compute_slices != compute || PROFILES[i].memory_slices * gib_per_slice != gib) {
            continue;
        }
        for (uint32_t id = PROFILES[i].first_id; id <= PROFILES[i].last_id; id++) {
            if (!is_taken(gpu, id)) {
                memcpy(instance->profile, again, sizeof again);
                instance->id = id;
                instance->compute_slices = compute;
                instance->memory_slices = PROFILES[i].memory_slices;
                gpu->instance_count++;
                return true;
            }
        }
    }
    return false;
}

static bool take_instances(const struct reader *reader, char *list, struct gpu_config *gpu)
{
    uint32_t compute = 0, memory = 0;
    char *rest = list;
    for (char *profile; (profile = strtok_r(rest, ",", &rest)) != NULL;) {
        if (!gpu->model->can_partition || !add_instance(gpu, profile)) {
            return wrong(reader, "mig=%s: the model %s has no such instance, or no more of them", profile,
                         gpu->model->key);
        }
        compute += gpu->instances[gpu->instance_count - 1].compute_slices;
        memory += gpu->instances[gpu->instance_count - 1].memory_slices;
    }
    if (compute > COMPUTE_SLICES || memory > MEMORY_SLICES) {
        return wrong(reader, "mig: %u of %d compute slices and %u of %d memory slices", compute, COMPUTE_SLICES, memory,
                     MEMORY_SLICES);
    }
    for (size_t i = 0; i < gpu->instance_count; i++) {
        char seed[96];
        snprintf(seed, sizeof seed, "instance %u of %s", gpu->instances[i].id, gpu->uuid);
        derive_uuid("MIG", seed, gpu->instances[i].uuid, sizeof gpu->instances[i].uuid);
    }
    return true;
}

/* One "key=value" of a GPU's line. */
static bool take_setting(const struct reader *reader, const char *key, const char *value, struct gpu_config *gpu,
                         bool *has_minor, bool *has_bus)
{
    if (strcmp(key, "minor") == 0) {
        *has_minor = is_number(value, 0, MAX_MINOR, &gpu->minor);
        return *has_minor || wrong(reader, "minor=%s: expected a number from 0 to %d", value, MAX_MINOR);
    }
    if (strcmp(key, "model") == 0) {
        gpu->model = model_by_key(value);
        return gpu->model != NULL || wrong(reader, "model=%s: expected %s", value, model_keys());
    }
    if (strcmp(key, "uuid") == 0) {
        if (!is_uuid(value)) {
            return wrong(reader, "uuid=%s: expected GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in lower case", value);
        }
        snprintf(gpu->uuid, sizeof gpu->uuid, "%s", value);
        return true;
    }
    if (strcmp(key, "busid") == 0) {
        *has_bus = config_parse_bus_id(value, &gpu->domain, &gpu->bus, &gpu->device);
        return *has_bus || wrong(reader, "busid=%s: expected [domain:]bus:device.function in hexadecimal", value);
    }
    if (strcmp(key, "emptyring") == 0) {
        return take_flag(reader, key, value, &gpu->empty_ring);
    }
    if (strcmp(key, "hidemem") == 0) {
        return take_flag(reader, key, value, &gpu->hide_memory);
    }
    if (strcmp(key, "blank") == 0) {
        return take_flag(reader, key, value, &gpu->blank);
    }
    if (strcmp(key, "odduse") == 0) {
        return take_flag(reader, key, value, &gpu->odd_use);
    }
    return wrong(reader,
                 "unknown setting '%s', expected minor, model, uuid, busid, mig, emptyring, hidemem, blank or odduse",
                 key);
}

/* A "key=value" that is about the node, on a line of its own or before others of its kind. */
static bool take_node_setting(const struct reader *reader, const char *key, const char *value, char *node,
                              size_t node_size, struct node_config *config, bool *known)
{
    *known = true;
    if (strcmp(key, "node") == 0) {
        snprintf(node, node_size, "%s", value);
        return true;
    }
    if (strcmp(key, "stride") == 0) {
        return (is_number(value, 16, 32, &config->stride) && config->stride % 8 == 0)
               || wrong(reader, "stride=%s: expected 16, 24 or 32", value);
    }
    if (strcmp(key, "ringdepth") == 0) {
        return is_number(value, 1, MAX_RING_DEPTH, &config->ring_depth)
               || wrong(reader, "ringdepth=%s: expected a number from 1 to %d", value, MAX_RING_DEPTH);
    }
    if (strcmp(key, "ringepoch") == 0) {
        config->ring_since_boot = strcmp(value, "boot") == 0;
        return config->ring_since_boot || strcmp(value, "unix") == 0
               || wrong(reader, "ringepoch=%s: expected boot or unix", value);
    }
    *known = false;
    return true;
}

/* Fills in what the line left out and compares it with the GPUs before it. */
static bool finish_gpu(const struct reader *reader, const char *node, struct node_config *config, bool has_minor,
                       bool has_bus, char *instances)
{
    struct gpu_config *gpu = &config->gpus[config->count];
    if (!has_minor || gpu->model == NULL) {
        return wrong(reader, "a GPU needs at least minor= and model=");
    }
    if (gpu->uuid[0] == '\0') {
        char seed[320];
        snprintf(seed, sizeof seed, "simulated GPU %u of %s", gpu->minor, node);
        derive_uuid("GPU", seed, gpu->uuid, sizeof gpu->uuid);
    }
    if (instances != NULL && !take_instances(reader, instances, gpu)) {
        return false;
    }
    if (!has_bus) {
        gpu->bus = FIRST_BUS;
        if (config->count > 0) {
            const struct gpu_config *before = gpu - 1;
            bool full = before->bus + BUS_STEP > 0xFF;
            gpu->domain = before->domain + (full ? 1 : 0);
            gpu->bus = full ? FIRST_BUS : before->bus + BUS_STEP;
        }
    }
    for (size_t i = 0; i < config->count; i++) {
        if (config->gpus[i].minor == gpu->minor) {
            return wrong(reader, "minor=%u is already GPU %zu", gpu->minor, i);
        }
        if (strcmp(config->gpus[i].uuid, gpu->uuid) == 0) {
            return wrong(reader, "uuid=%s is already GPU %zu", gpu->uuid, i);
        }
    }
    if (config->count > 0 && bus_order(gpu) <= bus_order(gpu - 1)) {
        return wrong(reader, "bus id %08x:%02x:%02x.0 is not above that of the GPU before it", gpu->domain, gpu->bus,
                     gpu->device);
    }
    config->count++;
    return true;
}

static bool take_line(const struct reader *reader, char *line, char *node, size_t node_size,
                      struct node_config *config)
{
    line[strcspn(line, "#\n")] = '\0';
    struct gpu_config gpu = {0};
    bool has_minor = false, has_bus = false, any = false;
    char *rest = line, *instances = NULL;
    for (char *word; (word = strtok_r(rest, " \t\r", &rest)) != NULL;) {
        char *equals = strchr(word, '=');
        if (equals == NULL) {
            return wrong(reader, "'%s': expected key=value", word);
        }
        *equals = '\0';
        bool known;
        if (!any && !take_node_setting(reader, word, equals + 1, node, node_size, config, &known)) {
            return false;
        }
        if (!any && known) {
            continue;
        }
        any = true;
        if (strcmp(word, "mig") == 0) {
            instances = equals + 1; /* read once the model and the UUID are known */
            continue;
        }
        if (!take_setting(reader, word, equals + 1, &gpu, &has_minor, &has_bus)) {
            return false;
        }
    }
    if (!any) {
        return true;
    }
    if (config->count == MAX_GPUS) {
        return wrong(reader, "more than %d GPUs", MAX_GPUS);
    }
    config->gpus[config->count] = gpu;
    return finish_gpu(reader, node, config, has_minor, has_bus, instances);
}

enum config_result config_load(const char *directory, struct node_config *config, char *message, size_t size)
{
    struct reader reader = {.directory = directory, .message = message, .size = size};
    char path[4096];
    snprintf(path, sizeof path, "%s/gpus.conf", directory);
    memset(config, 0, sizeof *config);
    config->stride = 24;
    config->ring_depth = 100;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        if (errno == ENOENT || errno == ENOTDIR) {
            snprintf(message, size, "%s: no such file", path);
            return CONFIG_ABSENT;
        }
        snprintf(message, size, "%s: %s", path, strerror(errno));
        return CONFIG_WRONG;
    }
    char node[256] = "";
    gethostname(node, sizeof node - 1);
    char line[1024];
    bool ok = true;
    while (ok && fgets(line, sizeof line, file) != NULL) {
        reader.line++;
        ok = take_line(&reader, line, node, sizeof node, config);
    }
    fclose(file);
    return ok ? CONFIG_READ : CONFIG_WRONG;
}
