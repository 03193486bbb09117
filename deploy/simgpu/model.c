#include "model.h"

#include <string.h>

#include "nvml_abi.h"

#define MIB (1024ULL * 1024ULL)
#define NVIDIA(device) ((uint32_t)(device) << 16 | 0x10DEU)

/*
 * Totals are what nvidia-smi shows for the card. Power, clocks and temperatures are plausible for a passively cooled
 * server card, not measured: the simulation draws idle_mw at rest and rises in a straight line to busy_mw.
 */
static const struct model MODELS[] = {
    {.key = "v100", .name = "Tesla V100-SXM3-32GB", .architecture = NVML_VOLTA, .brand = NVML_IS_TESLA,
     .pci_device_id = NVIDIA(0x1DB8), .compute_major = 7, .compute_minor = 0,
     .memory_bytes = 32480 * MIB, .reserved_bytes = 270 * MIB,
     .idle_mw = 50000, .busy_mw = 315000, .limit_mw = 350000,
     .idle_sm_mhz = 135, .busy_sm_mhz = 1530, .max_sm_mhz = 1597, .idle_memory_mhz = 958, .busy_memory_mhz = 958,
     .idle_celsius = 33, .busy_celsius = 62, .nvlinks = 6, .has_hbm = true},
    {.key = "t4", .name = "Tesla T4", .architecture = NVML_TURING, .brand = NVML_IS_TESLA,
     .pci_device_id = NVIDIA(0x1EB8), .compute_major = 7, .compute_minor = 5,
     .memory_bytes = 15109 * MIB, .reserved_bytes = 446 * MIB,
     .idle_mw = 10000, .busy_mw = 68000, .limit_mw = 70000,
     .idle_sm_mhz = 300, .busy_sm_mhz = 1230, .max_sm_mhz = 1590, .idle_memory_mhz = 405, .busy_memory_mhz = 5000,
     .idle_celsius = 36, .busy_celsius = 71},
    {.key = "a10", .name = "NVIDIA A10", .architecture = NVML_AMPERE, .brand = NVML_IS_NVIDIA,
     .pci_device_id = NVIDIA(0x2236), .compute_major = 8, .compute_minor = 6,
     .memory_bytes = 23028 * MIB, .reserved_bytes = 512 * MIB,
     .idle_mw = 16000, .busy_mw = 145000, .limit_mw = 150000,
     .idle_sm_mhz = 210, .busy_sm_mhz = 1410, .max_sm_mhz = 1695, .idle_memory_mhz = 405, .busy_memory_mhz = 6251,
     .idle_celsius = 31, .busy_celsius = 66, .averages_power = true},
    {.key = "a40", .name = "NVIDIA A40", .architecture = NVML_AMPERE, .brand = NVML_IS_NVIDIA,
     .pci_device_id = NVIDIA(0x2235), .compute_major = 8, .compute_minor = 6,
     .memory_bytes = 46068 * MIB, .reserved_bytes = 440 * MIB,
     .idle_mw = 31000, .busy_mw = 288000, .limit_mw = 300000,
     .idle_sm_mhz = 210, .busy_sm_mhz = 1650, .max_sm_mhz = 1740, .idle_memory_mhz = 405, .busy_memory_mhz = 7250,
     .idle_celsius = 34, .busy_celsius = 74, .nvlinks = 4, .averages_power = true},
    {.key = "a100", .name = "NVIDIA A100-SXM4-40GB", .architecture = NVML_AMPERE, .brand = NVML_IS_NVIDIA,
     .pci_device_id = NVIDIA(0x20B0), .compute_major = 8, .compute_minor = 0,
     .memory_bytes = 40960 * MIB, .reserved_bytes = 454 * MIB,
     .idle_mw = 52000, .busy_mw = 365000, .limit_mw = 400000,
     .idle_sm_mhz = 210, .busy_sm_mhz = 1395, .max_sm_mhz = 1410, .idle_memory_mhz = 1215, .busy_memory_mhz = 1215,
     .idle_celsius = 30, .busy_celsius = 64, .nvlinks = 12, .has_hbm = true, .can_partition = true},
    {.key = "l4", .name = "NVIDIA L4", .architecture = NVML_ADA, .brand = NVML_IS_NVIDIA,
     .pci_device_id = NVIDIA(0x27B8), .compute_major = 8, .compute_minor = 9,
     .memory_bytes = 23034 * MIB, .reserved_bytes = 529 * MIB,
     .idle_mw = 16000, .busy_mw = 70000, .limit_mw = 72000,
     .idle_sm_mhz = 210, .busy_sm_mhz = 1680, .max_sm_mhz = 2040, .idle_memory_mhz = 405, .busy_memory_mhz = 6251,
     .idle_celsius = 38, .busy_celsius = 72, .averages_power = true},
    {.key = "l40s", .name = "NVIDIA L40S", .architecture = NVML_ADA, .brand = NVML_IS_NVIDIA,
     .pci_device_id = NVIDIA(0x26B9), .compute_major = 8, .compute_minor = 9,
     .memory_bytes = 46068 * MIB, .reserved_bytes = 583 * MIB,
     .idle_mw = 35000, .busy_mw = 335000, .limit_mw = 350000,
     .idle_sm_mhz = 210, .busy_sm_mhz = 2310, .max_sm_mhz = 2520, .idle_memory_mhz = 405, .busy_memory_mhz = 9001,
     .idle_celsius = 30, .busy_celsius = 68, .averages_power = true},
    {.key = "h100", .name = "NVIDIA H100 80GB HBM3", .architecture = NVML_HOPPER, .brand = NVML_IS_NVIDIA,
     .pci_device_id = NVIDIA(0x2330), .compute_major = 9, .compute_minor = 0,
     .memory_bytes = 81559 * MIB, .reserved_bytes = 551 * MIB,
     .idle_mw = 70000, .busy_mw = 640000, .limit_mw = 700000,
     .idle_sm_mhz = 345, .busy_sm_mhz = 1875, .max_sm_mhz = 1980, .idle_memory_mhz = 2619, .busy_memory_mhz = 2619,
     .idle_celsius = 32, .busy_celsius = 67, .nvlinks = 18, .has_hbm = true, .can_partition = true, .averages_power = true},
};

const struct model *model_by_key(const char *key)
{
    for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++) {
        if (strcmp(MODELS[i].key, key) == 0) {
            return &MODELS[i];
        }
    }
    return NULL;
}

const char *model_keys(void)
{
    return "v100|t4|a10|a40|a100|l4|l40s|h100";
}
