/*
 * The node's GPUs, from gpus.conf in the simulation's directory:
 *
 *     # comment
 *     node=gpu01                                    optional, instead of the host name when UUIDs are derived
 *     stride=32 ringepoch=boot ringdepth=60         optional, ways in which drivers differ
 *     minor=1 model=v100 [uuid=GPU-...] [busid=0000:07:00.0] [emptyring=1] [hidemem=1] [blank=1] [odduse=1]
 *     minor=0 model=h100 mig=1g.10gb,1g.10gb,3g.40gb
 *
 * One line per GPU in the order of NVML's indexes, which need not be the order of the minor numbers. Bus ids rise with
 * the index, as they do on real hardware.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

#define MAX_GPUS 32
#define MAX_MINOR 255
#define MAX_INSTANCES 7     /* of one GPU */
#define COMPUTE_SLICES 7    /* into which a GPU can be cut */
#define MEMORY_SLICES 8
#define MAX_RING_DEPTH 1000

struct instance_config {
    char profile[16]; /* as 1g.10gb */
    uint32_t id;      /* GPU instance id, unique on its GPU */
    uint32_t compute_slices, memory_slices;
    char uuid[48];
};

struct gpu_config {
    uint32_t minor;
    const struct model *model;
    char uuid[48];
    uint32_t domain, bus, device;
    bool empty_ring;  /* a GPU at rest has no utilisation samples, as some drivers do it */
    bool hide_memory; /* process lists do not tell memory, as without privilege on MIG */
    bool odd_use;     /* process utilisation has old entries beside the new ones, and one that cannot be true */
    bool blank;       /* fields that the model lacks are answered with an all-ones value instead of an error */
    size_t instance_count; /* more than 0: MIG is on */
    struct instance_config instances[MAX_INSTANCES];
};

struct node_config {
    size_t count;
    struct gpu_config gpus[MAX_GPUS];
    uint32_t stride;     /* bytes of a record in versioned process lists: 16, 24 or 32 */
    uint32_t ring_depth; /* entries of the utilisation rings */
    bool ring_since_boot; /* timestamps count from boot, not from the epoch */
};

enum config_result { CONFIG_READ, CONFIG_ABSENT, CONFIG_WRONG };

/* The simulation's directory: FAIRWATCH_SIMGPU_DIR, or /run/simgpu. */
const char *config_directory(void);

/* Reads gpus.conf there. When the answer is CONFIG_WRONG, message says where and why. */
enum config_result config_load(const char *directory, struct node_config *config, char *message, size_t size);

/* Reads [domain:]bus:device[.function]; false unless that is all there is. */
bool config_parse_bus_id(const char *text, uint32_t *domain, uint32_t *bus, uint32_t *device);

#endif
