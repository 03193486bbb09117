/*
 * The node's GPUs, from gpus.conf in the simulation's directory:
 *
 *     # comment
 *     node=gpu01                                    optional, instead of the host name when UUIDs are derived
 *     minor=1 model=v100 [uuid=GPU-...] [busid=0000:07:00.0] [emptyring=1]
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

struct gpu_config {
    uint32_t minor;
    const struct model *model;
    char uuid[48];
    uint32_t domain, bus, device;
    bool empty_ring; /* a GPU at rest has no utilisation samples, as some drivers do it */
};

struct node_config {
    size_t count;
    struct gpu_config gpus[MAX_GPUS];
};

enum config_result { CONFIG_READ, CONFIG_ABSENT, CONFIG_WRONG };

/* The simulation's directory: FAIRWATCH_SIMGPU_DIR, or /run/simgpu. */
const char *config_directory(void);

/* Reads gpus.conf there. When the answer is CONFIG_WRONG, message says where and why. */
enum config_result config_load(const char *directory, struct node_config *config, char *message, size_t size);

/* Reads [domain:]bus:device[.function]; false unless that is all there is. */
bool config_parse_bus_id(const char *text, uint32_t *domain, uint32_t *bus, uint32_t *device);

#endif
