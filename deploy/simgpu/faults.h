/*
 * What is wrong with the node's GPUs, from faults.conf in the simulation's directory, which is read again whenever it
 * changes; see README.md for its lines. Not thread-safe.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define MAX_FAULTS 256
#define ANY (-1)

/* What happens to calls. */
struct fault {
    char function[64]; /* or * */
    int gpu, instance; /* index, and index of the instance on it; or ANY */
    int error;         /* 0 for none */
    unsigned latency_ms;
    bool hang;
    long left; /* so many calls more; below 0 for ever */
    uint64_t line; /* hash of its text, and which of the equal ones it is */
};

struct xid {
    int gpu, instance; /* instance may be ANY */
    uint64_t code;
};

/* What a GPU tells about its health, 0 unless a line says otherwise. */
struct health {
    uint64_t ecc[4];      /* single and double bit errors since the driver was loaded; the same over the card's life */
    uint32_t remapped[4]; /* rows for correctable and for uncorrectable errors, pending, failed */
    uint32_t retired[3];  /* pages for single bit and for double bit errors, pending */
    uint32_t replays;     /* of PCIe packets */
    uint32_t recovery;    /* NVML's recovery action */
    uint64_t throttle;    /* reasons for low clocks, beside those that follow from use */
    uint32_t fan;         /* per cent; only a GPU with has_fan has one */
    bool has_fan;
    bool lost;
};

struct faults {
    char path[4096];
    uint64_t looked_us;
    uint64_t identity; /* of the file as it was last read; 0 where there is none */
    size_t count, xid_count;
    struct fault all[MAX_FAULTS];
    struct xid xids[MAX_FAULTS];
    struct health health[MAX_GPUS];
    uint64_t reload; /* changes when the driver is loaded anew; 0 without such a line */
    bool unloaded;
};

/* Nothing is read before the first refresh. */
void faults_open(struct faults *faults, const char *directory);

/* Reads the file if it changed, unless that was looked at within the last max_age_us. True if it was read. */
bool faults_refresh(struct faults *faults, uint64_t max_age_us);

/* Whether that line concerns that call; gpu is ANY for functions of no GPU, instance for whole GPUs. */
bool fault_concerns(const struct fault *fault, const char *function, int gpu, int instance);

#endif
