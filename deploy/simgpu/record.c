#include "record.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READ_ATTEMPTS 4

uint64_t record_hash(uint64_t seed, const void *data, size_t length)
{
    const unsigned char *bytes = data;
    uint64_t hash = seed ^ 0xCBF29CE484222325ULL;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001B3ULL;
    }
    hash = (hash ^ hash >> 30) * 0xBF58476D1CE4E5B9ULL;
    hash = (hash ^ hash >> 27) * 0x94D049BB133111EBULL;
    return hash ^ hash >> 31;
}

/* Reads a small text file as far as it fits; -1 if it cannot be opened. */
static ssize_t read_text(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return -1;
    }
    ssize_t n = read(file, text, size - 1);
    close(file);
    text[n > 0 ? n : 0] = '\0';
    return n;
}

uint64_t record_boot(void)
{
    char id[64];
    ssize_t n = read_text("/proc/sys/kernel/random/boot_id", id, sizeof id);
    return n > 0 ? record_hash(0, id, (size_t)n) : 0;
}

uint64_t record_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

/* Of all but the checksum itself. A word at a time: it is computed many times per second. Sizes are whole words. */
static uint64_t checksum_of(const void *data, size_t size)
{
    const char *words = data;
    uint64_t sum = size, word;
    for (size_t at = sizeof word; at + sizeof word <= size; at += sizeof word) {
        memcpy(&word, words + at, sizeof word);
        sum = (sum ^ word) * 0x9E3779B97F4A7C15ULL;
        sum ^= sum >> 29;
    }
    return sum;
}

bool record_read(int directory, const char *name, void *data, size_t size, struct stat *status)
{
    if (fstatat(directory, name, status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status->st_mode)
        || status->st_size != (off_t)size) {
        return false;
    }
    int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    bool whole = false;
    if (fstat(file, status) == 0 && S_ISREG(status->st_mode) && status->st_size == (off_t)size) {
        for (int i = 0; i < READ_ATTEMPTS && !whole; i++) {
            uint64_t checksum;
            whole = pread(file, data, size, 0) == (ssize_t)size;
            memcpy(&checksum, data, sizeof checksum);
            whole = whole && checksum == checksum_of(data, size);
        }
    }
    close(file);
    return whole;
}

bool record_write(int file, void *data, size_t size)
{
    uint64_t checksum = checksum_of(data, size);
    memcpy(data, &checksum, sizeof checksum);
    return pwrite(file, data, size, 0) == (ssize_t)size;
}

bool record_process_start(pid_t pid, uint64_t *ticks)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_text(path, text, sizeof text) <= 0) {
        return false;
    }
    /* The name in parentheses may hold anything; what follows the last ')' is state and numbers. */
    char *rest = strrchr(text, ')');
    char state;
    return rest != NULL
           && sscanf(rest + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
                     &state, ticks)
                  == 2
           && state != 'Z' && state != 'X';
}

bool record_process_user(pid_t pid, uid_t *uid)
{
    char path[64], text[2048];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (read_text(path, text, sizeof text) <= 0) {
        return false;
    }
    const char *line = strstr(text, "\nUid:");
    unsigned effective;
    if (line == NULL || sscanf(line, "\nUid: %*u %u", &effective) != 1) {
        return false;
    }
    *uid = effective;
    return true;
}
