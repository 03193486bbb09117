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

/* The same node and minor number always give the same UUID, so that it survives restarts as a real one does. */
static void derive_uuid(const char *node, uint32_t minor, char *uuid, size_t size)
{
    char seed[320];
    int n = snprintf(seed, sizeof seed, "simulated GPU %u of %s", minor, node);
    size_t length = n < (int)sizeof seed ? (size_t)n : sizeof seed - 1;
    uint64_t high = record_hash(0, seed, length);
    uint64_t low = record_hash(high, seed, length);
    snprintf(uuid, size, "GPU-%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32), (unsigned)(high >> 16) & 0xFFFF,
             (unsigned)high & 0xFFFF, (unsigned)(low >> 48), (unsigned long long)low & 0xFFFFFFFFFFFFULL);
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

/* One "key=value" of a GPU's line. */
static bool take_setting(const struct reader *reader, const char *key, const char *value, struct gpu_config *gpu,
                         bool *has_minor, bool *has_bus)
{
    if (strcmp(key, "minor") == 0) {
        char *end;
        errno = 0;
        unsigned long minor = strtoul(value, &end, 10);
        if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || minor > MAX_MINOR) {
            return wrong(reader, "minor=%s: expected a number from 0 to %d", value, MAX_MINOR);
        }
        gpu->minor = (uint32_t)minor;
        *has_minor = true;
        return true;
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
        gpu->empty_ring = strcmp(value, "1") == 0;
        return gpu->empty_ring || strcmp(value, "0") == 0 || wrong(reader, "emptyring=%s: expected 0 or 1", value);
    }
    return wrong(reader, "unknown setting '%s', expected minor, model, uuid, busid or emptyring", key);
}

/* Fills in what the line left out and compares it with the GPUs before it. */
static bool finish_gpu(const struct reader *reader, const char *node, struct node_config *config, bool has_minor,
                       bool has_bus)
{
    struct gpu_config *gpu = &config->gpus[config->count];
    if (!has_minor || gpu->model == NULL) {
        return wrong(reader, "a GPU needs at least minor= and model=");
    }
    if (gpu->uuid[0] == '\0') {
        derive_uuid(node, gpu->minor, gpu->uuid, sizeof gpu->uuid);
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
    char *rest = line;
    for (char *word; (word = strtok_r(rest, " \t\r", &rest)) != NULL;) {
        char *equals = strchr(word, '=');
        if (equals == NULL) {
            return wrong(reader, "'%s': expected key=value", word);
        }
        *equals = '\0';
        if (strcmp(word, "node") == 0 && !any) {
            snprintf(node, node_size, "%s", equals + 1);
            continue;
        }
        any = true;
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
    return finish_gpu(reader, node, config, has_minor, has_bus);
}

enum config_result config_load(const char *directory, struct node_config *config, char *message, size_t size)
{
    struct reader reader = {.directory = directory, .message = message, .size = size};
    char path[4096];
    snprintf(path, sizeof path, "%s/gpus.conf", directory);
    memset(config, 0, sizeof *config);
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
