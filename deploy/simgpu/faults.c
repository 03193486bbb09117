#include "faults.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "record.h"

void faults_open(struct faults *faults, const char *directory)
{
    char path[sizeof faults->path];
    snprintf(path, sizeof path, "%s/faults.conf", directory);
    if (strcmp(path, faults->path) != 0) {
        memset(faults, 0, sizeof *faults);
        memcpy(faults->path, path, sizeof path);
    }
    faults->looked_us = 0;
}

static bool parse_number(const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

/* Numbers separated by commas; fewer than there is room for leave the rest as it is. */
static bool parse_numbers(char *text, uint64_t *numbers, size_t room)
{
    char *rest = text;
    size_t n = 0;
    for (char *item; (item = strtok_r(rest, ",", &rest)) != NULL; n++) {
        if (n == room || !parse_number(item, &numbers[n])) {
            return false;
        }
    }
    return n > 0;
}

/* *, an index, or index/index. */
static bool parse_gpu(const char *text, int *gpu, int *instance)
{
    int end = -1;
    *gpu = *instance = ANY;
    if (strcmp(text, "*") == 0) {
        return true;
    }
    if (sscanf(text, "%2d/%1d%n", gpu, instance, &end) != 2) {
        *instance = ANY;
        if (sscanf(text, "%2d%n", gpu, &end) != 1) {
            return false;
        }
    }
    return end >= 0 && text[end] == '\0' && *gpu >= 0 && *gpu < MAX_GPUS && *instance >= ANY;
}

static void set_all(uint32_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = (uint32_t)from[i];
    }
}

/* One key=value that is about a GPU's health. */
static bool take_health(const char *key, char *value, struct health *health)
{
    uint64_t numbers[4] = {0};
    if (!parse_numbers(value, numbers, 4)) {
        return false;
    }
    if (strcmp(key, "ecc") == 0) {
        memcpy(health->ecc, numbers, sizeof health->ecc);
    } else if (strcmp(key, "remapped") == 0) {
        set_all(health->remapped, numbers, 4);
    } else if (strcmp(key, "retired") == 0) {
        set_all(health->retired, numbers, 3);
    } else if (strcmp(key, "replay") == 0) {
        health->replays = (uint32_t)numbers[0];
    } else if (strcmp(key, "recovery") == 0) {
        health->recovery = (uint32_t)numbers[0];
    } else if (strcmp(key, "throttle") == 0) {
        health->throttle = numbers[0];
    } else if (strcmp(key, "fan") == 0) {
        health->fan = (uint32_t)numbers[0];
        health->has_fan = true;
    } else {
        return false;
    }
    return true;
}

static bool take_word(struct faults *faults, struct fault *fault, char *word)
{
    char *value = strchr(word, '=');
    uint64_t number = 0;
    if (value != NULL) {
        *value++ = '\0';
    }
    if (strcmp(word, "reload") == 0) {
        faults->reload = record_hash(faults->reload + 1, value != NULL ? value : "", value != NULL ? strlen(value) : 0) | 1;
        return true;
    }
    if (value == NULL) {
        if (strcmp(word, "lost") == 0) {
            for (int i = 0; i < MAX_GPUS; i++) {
                faults->health[i].lost = faults->health[i].lost || fault->gpu == ANY || fault->gpu == i;
            }
            return true;
        }
        fault->hang = fault->hang || strcmp(word, "hang") == 0;
        faults->unloaded = faults->unloaded || strcmp(word, "unloaded") == 0;
        return strcmp(word, "hang") == 0 || strcmp(word, "unloaded") == 0;
    }
    char copy[256];
    snprintf(copy, sizeof copy, "%s", value);
    bool is_number = parse_number(value, &number);
    if (is_number && strcmp(word, "error") == 0) {
        fault->error = (int)number;
    } else if (is_number && strcmp(word, "latency") == 0 && number <= 3600000) {
        fault->latency_ms = (unsigned)number;
    } else if (is_number && strcmp(word, "count") == 0) {
        fault->left = (long)number;
    } else if (is_number && strcmp(word, "xid") == 0 && fault->gpu != ANY && faults->xid_count < MAX_FAULTS) {
        faults->xids[faults->xid_count++] =
            (struct xid){.gpu = fault->gpu, .instance = fault->instance, .code = number};
    } else {
        struct health health = {0};
        if (!take_health(word, copy, &health)) {
            return false;
        }
        for (int i = 0; i < MAX_GPUS; i++) {
            if (fault->gpu == ANY || fault->gpu == i) {
                snprintf(copy, sizeof copy, "%s", value);
                take_health(word, copy, &faults->health[i]);
            }
        }
    }
    return true;
}

static void take_line(struct faults *faults, char *line, int number)
{
    line[strcspn(line, "#\n")] = '\0';
    struct fault fault = {.left = -1, .line = record_hash(0, line, strlen(line))};
    char *rest = line, *function = strtok_r(rest, " \t\r", &rest);
    if (function == NULL) {
        return;
    }
    const char *gpu = strtok_r(rest, " \t\r", &rest);
    bool ok = gpu != NULL && strlen(function) < sizeof fault.function && parse_gpu(gpu, &fault.gpu, &fault.instance);
    snprintf(fault.function, sizeof fault.function, "%s", ok ? function : "");
    for (char *word; ok && (word = strtok_r(rest, " \t\r", &rest)) != NULL;) {
        ok = take_word(faults, &fault, word);
    }
    if (!ok) {
        fprintf(stderr, "simulated GPUs: %s:%d: not understood, ignored\n", faults->path, number);
        return;
    }
    for (size_t i = 0; i < faults->count; i++) {
        fault.line += faults->all[i].line == fault.line;
    }
    if ((fault.error != 0 || fault.latency_ms > 0 || fault.hang) && faults->count < MAX_FAULTS) {
        faults->all[faults->count++] = fault;
    }
}

/* Lines that stay go on counting where they were. */
static void keep_counts(struct faults *faults, const struct fault *before, size_t count)
{
    for (size_t i = 0; i < faults->count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (before[j].line == faults->all[i].line) {
                faults->all[i].left = before[j].left;
            }
        }
    }
}

bool faults_refresh(struct faults *faults, uint64_t max_age_us)
{
    uint64_t now = record_now_us();
    if (faults->looked_us != 0 && now - faults->looked_us < max_age_us) {
        return false;
    }
    faults->looked_us = now;
    struct stat status;
    uint64_t identity = 0;
    if (stat(faults->path, &status) == 0 && S_ISREG(status.st_mode)) {
        int64_t parts[] = {(int64_t)status.st_ino, (int64_t)status.st_size, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
                           status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
        identity = record_hash(0, parts, sizeof parts) | 1;
    }
    if (identity == faults->identity) {
        return false;
    }
    static struct fault before[MAX_FAULTS];
    size_t count = faults->count;
    memcpy(before, faults->all, count * sizeof *before);
    faults->identity = identity;
    faults->count = faults->xid_count = 0;
    memset(faults->health, 0, sizeof faults->health);
    faults->reload = 0;
    faults->unloaded = false;
    FILE *file = identity != 0 ? fopen(faults->path, "re") : NULL;
    char line[1024];
    for (int number = 1; file != NULL && fgets(line, sizeof line, file) != NULL; number++) {
        take_line(faults, line, number);
    }
    if (file != NULL) {
        fclose(file);
    }
    keep_counts(faults, before, count);
    return true;
}

bool fault_concerns(const struct fault *fault, const char *function, int gpu, int instance)
{
    return (fault->gpu == ANY || fault->gpu == gpu) && (fault->instance == ANY || fault->instance == instance)
           && (strcmp(fault->function, "*") == 0 || strcmp(fault->function, function) == 0);
}
