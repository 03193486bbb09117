/* What is fixed about each GPU model that can be simulated. */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct model {
    const char *key;  /* as written in gpus.conf */
    const char *name; /* as NVML reports it */
    uint32_t architecture, brand;
    uint32_t pci_device_id;
    uint32_t compute_major, compute_minor;
    uint64_t memory_bytes, reserved_bytes;
    uint32_t idle_mw, busy_mw, limit_mw; /* at 0 % and 100 % utilisation; the enforced limit */
    uint32_t idle_sm_mhz, busy_sm_mhz, max_sm_mhz;
    uint32_t idle_memory_mhz, busy_memory_mhz;
    uint32_t idle_celsius, busy_celsius;
    uint32_t nvlinks;
    bool has_hbm;       /* then the memory has a temperature of its own */
    bool can_partition; /* MIG */
    bool averages_power; /* power readings are a mean over one second rather than the present value */
};

/* The model of that key, or NULL. */
const struct model *model_by_key(const char *key);

/* All keys, separated by '|', for messages. */
const char *model_keys(void);

#endif
