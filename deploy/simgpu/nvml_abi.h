/*
 * The part of NVML's binary interface that the simulation offers: numbers and memory layouts, under names of our own.
 * A caller sees only the ABI, so nothing here has to be called what NVIDIA calls it. Sizes are asserted below; they
 * hold on x86-64 and aarch64, where every field has its natural alignment.
 */
#ifndef NVML_ABI_H
#define NVML_ABI_H

#include <stdint.h>

enum nvml_result {
    NVML_OK = 0,
    NVML_UNINITIALIZED = 1,
    NVML_INVALID_ARGUMENT = 2,
    NVML_NOT_SUPPORTED = 3,
    NVML_NO_PERMISSION = 4,
    NVML_NOT_FOUND = 6,
    NVML_INSUFFICIENT_SIZE = 7,
    NVML_DRIVER_NOT_LOADED = 9,
    NVML_TIMEOUT = 10,
    NVML_OPERATING_SYSTEM = 17,
    NVML_MEMORY = 20,
    NVML_VERSION_MISMATCH = 25,
    NVML_UNKNOWN = 999,
};

enum nvml_sample_kind {
    NVML_SAMPLE_POWER = 0,
    NVML_SAMPLE_GPU_UTIL = 1,
    NVML_SAMPLE_MEMORY_UTIL = 2,
    NVML_SAMPLE_ENCODER = 3,
    NVML_SAMPLE_DECODER = 4,
    NVML_SAMPLE_SM_CLOCK = 5,
    NVML_SAMPLE_MEMORY_CLOCK = 6,
};

/* Which member of union nvml_value is meant. */
enum nvml_value_type { NVML_DOUBLE = 0, NVML_UINT = 1, NVML_ULONG = 2, NVML_ULONG_LONG = 3 };

enum nvml_clock { NVML_GRAPHICS_CLOCK = 0, NVML_SM_CLOCK = 1, NVML_MEMORY_CLOCK = 2, NVML_VIDEO_CLOCK = 3 };

enum nvml_architecture {
    NVML_VOLTA = 5,
    NVML_TURING = 6,
    NVML_AMPERE = 7,
    NVML_ADA = 8,
    NVML_HOPPER = 9,
};

enum nvml_brand { NVML_IS_TESLA = 2, NVML_IS_NVIDIA = 14 };

enum nvml_field {
    NVML_FIELD_ECC_SBE_VOLATILE = 3,
    NVML_FIELD_ECC_DBE_VOLATILE = 4,
    NVML_FIELD_ECC_SBE_AGGREGATE = 5,
    NVML_FIELD_ECC_DBE_AGGREGATE = 6,
    NVML_FIELD_RETIRED_SBE = 29,
    NVML_FIELD_RETIRED_DBE = 30,
    NVML_FIELD_RETIRED_PENDING = 31,
    NVML_FIELD_MEMORY_TEMPERATURE = 82,
    NVML_FIELD_TOTAL_ENERGY = 83,
    NVML_FIELD_PCIE_REPLAY = 94,
    NVML_FIELD_REMAPPED_CORRECTABLE = 142,
    NVML_FIELD_REMAPPED_UNCORRECTABLE = 143,
    NVML_FIELD_REMAPPED_PENDING = 144,
    NVML_FIELD_REMAPPED_FAILED = 145,
    NVML_FIELD_POWER_AVERAGE = 185,
    NVML_FIELD_POWER_INSTANT = 186,
};

#define NVML_THROTTLE_IDLE 1ULL
#define NVML_THROTTLE_POWER_CAP 4ULL
#define NVML_NO_INSTANCE 0xFFFFFFFFU /* GPU or compute instance of a process on a GPU that is not partitioned */
#define NVML_MEMORY_V2_VERSION 0x02000028U
#define NVML_PROCESS_SAMPLE_CAPACITY 100U

typedef struct gpu *nvml_device; /* opaque to callers */

union nvml_value {
    double as_double;
    uint32_t as_uint;
    uint64_t as_ulong;
    int64_t as_signed;
};

struct nvml_pci {
    char legacy_bus_id[16]; /* 0000:07:00.0 */
    uint32_t domain, bus, device;
    uint32_t device_id; /* device << 16 | vendor */
    uint32_t subsystem_id;
    char bus_id[32]; /* 00000000:07:00.0 */
};

struct nvml_utilization {
    uint32_t gpu, memory; /* per cent */
};

struct nvml_memory {
    uint64_t total, free, used; /* bytes; used includes what the driver reserves */
};

struct nvml_memory_v2 {
    uint32_t version;
    uint64_t total, reserved, free, used;
};

struct nvml_sample {
    uint64_t timestamp; /* microseconds */
    union nvml_value value;
};

struct nvml_process_v1 {
    uint32_t pid;
    uint64_t memory;
};

struct nvml_process {
    uint32_t pid;
    uint64_t memory;
    uint32_t gpu_instance, compute_instance;
};

struct nvml_process_sample {
    uint32_t pid;
    uint64_t timestamp;
    uint32_t sm, memory, encoder, decoder; /* per cent */
};

struct nvml_field_value {
    uint32_t field, scope;
    int64_t timestamp, latency;
    uint32_t value_type, result;
    union nvml_value value;
};

struct nvml_event {
    nvml_device device;
    uint64_t type, data;
    uint32_t gpu_instance, compute_instance;
};

_Static_assert(sizeof(struct nvml_pci) == 68, "PCI record");
_Static_assert(sizeof(struct nvml_memory) == 24, "memory record");
_Static_assert(sizeof(struct nvml_memory_v2) == 40, "memory record, version 2");
_Static_assert(sizeof(struct nvml_sample) == 16, "sample");
_Static_assert(sizeof(struct nvml_process_v1) == 16, "process record, version 1");
_Static_assert(sizeof(struct nvml_process) == 24, "process record, versions 2 and 3");
_Static_assert(sizeof(struct nvml_process_sample) == 32, "process sample");
_Static_assert(sizeof(struct nvml_field_value) == 40, "field value");
_Static_assert(sizeof(struct nvml_event) == 32, "event");

#endif
