/*
 * The part of NVML's binary interface that the simulation offers: numbers and memory layouts, under names of our own.
 * A caller sees only the ABI, so nothing here has to be called what NVIDIA calls it. Sizes are asserted below; they
 * hold on x86-64 and aarch64, where every field has its natural alignment.
 */
#ifndef NVML_ABI_H
#define NVML_ABI_H

#include <stdint.h>

/* NVML API, nvmlReturn_t. */
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
    NVML_GPU_IS_LOST = 15,
    NVML_OPERATING_SYSTEM = 17,
    NVML_MEMORY = 20,
    NVML_VERSION_MISMATCH = 25,
    NVML_UNKNOWN = 999,
};

/* NVML API, nvmlSamplingType_t. */
enum nvml_sample_kind {
    NVML_SAMPLE_POWER = 0,
    NVML_SAMPLE_GPU_UTIL = 1,
    NVML_SAMPLE_MEMORY_UTIL = 2,
    NVML_SAMPLE_ENCODER = 3,
    NVML_SAMPLE_DECODER = 4,
    NVML_SAMPLE_SM_CLOCK = 5,
    NVML_SAMPLE_MEMORY_CLOCK = 6,
};

/* NVML API, nvmlValueType_t: which member of union nvml_value is meant. */
enum nvml_value_type { NVML_DOUBLE = 0, NVML_UINT = 1, NVML_ULONG = 2, NVML_ULONG_LONG = 3 };

/* NVML API, nvmlClockType_t. */
enum nvml_clock { NVML_GRAPHICS_CLOCK = 0, NVML_SM_CLOCK = 1, NVML_MEMORY_CLOCK = 2, NVML_VIDEO_CLOCK = 3 };

/* NVML API, NVML_DEVICE_ARCH_... */
enum nvml_architecture {
    NVML_VOLTA = 5,
    NVML_TURING = 6,
    NVML_AMPERE = 7,
    NVML_ADA = 8,
    NVML_HOPPER = 9,
};

/* NVML API, nvmlBrandType_t. */
enum nvml_brand { NVML_IS_TESLA = 2, NVML_IS_NVIDIA = 14 };

/* NVML API, NVML_FI_DEV_... */
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
    NVML_FIELD_NVLINK_DATA_TX = 138, /* KiB; scope is the link, or NVML_ALL_LINKS */
    NVML_FIELD_NVLINK_DATA_RX = 139,
    NVML_FIELD_NVLINK_RAW_TX = 140,
    NVML_FIELD_NVLINK_RAW_RX = 141,
    NVML_FIELD_REMAPPED_CORRECTABLE = 142,
    NVML_FIELD_REMAPPED_UNCORRECTABLE = 143,
    NVML_FIELD_REMAPPED_PENDING = 144,
    NVML_FIELD_REMAPPED_FAILED = 145,
    NVML_FIELD_POWER_AVERAGE = 185,
    NVML_FIELD_POWER_INSTANT = 186,
    NVML_FIELD_PCIE_TX = 197, /* bytes */
    NVML_FIELD_PCIE_RX = 198,
    NVML_FIELD_RECOVERY_ACTION = 230,
};

/* NVML API, nvmlGpmMetricId_t: per cent, or MiB/s for the last four. */
enum nvml_gpm_metric_id {
    NVML_GPM_BUSY = 1,
    NVML_GPM_SM = 2,
    NVML_GPM_OCCUPANCY = 3,
    NVML_GPM_INTEGER = 4,
    NVML_GPM_TENSOR = 5,
    NVML_GPM_HALF_TENSOR = 7,
    NVML_GPM_DRAM = 10,
    NVML_GPM_FP64 = 11,
    NVML_GPM_FP32 = 12,
    NVML_GPM_FP16 = 13,
    NVML_GPM_PCIE_TX = 20,
    NVML_GPM_PCIE_RX = 21,
    NVML_GPM_NVLINK_RX = 60,
    NVML_GPM_NVLINK_TX = 61,
};

/* NVML API, nvmlEventType...: what can happen here. */
#define NVML_EVENT_SINGLE_BIT 1ULL
#define NVML_EVENT_DOUBLE_BIT 2ULL
#define NVML_EVENT_XID 8ULL

#define NVML_ALL_LINKS 0xFFFFFFFFU
#define NVML_GPM_VERSION 1U        /* NVML API, NVML_GPM_METRICS_GET_VERSION and NVML_GPM_SUPPORT_VERSION */
#define NVML_MOST_METRICS 333U     /* no version of nvmlGpmMetricsGet_t has room for more */
#define NVML_NOT_AVAILABLE UINT64_MAX /* NVML API, NVML_VALUE_NOT_AVAILABLE */
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

/* NVML API, nvmlPciInfo_t. */
struct nvml_pci {
    char legacy_bus_id[16]; /* 0000:07:00.0 */
    uint32_t domain, bus, device;
    uint32_t device_id; /* device << 16 | vendor */
    uint32_t subsystem_id;
    char bus_id[32]; /* 00000000:07:00.0 */
};

/* NVML API, nvmlUtilization_t. */
struct nvml_utilization {
    uint32_t gpu, memory; /* per cent */
};

/* NVML API, nvmlMemory_t. */
struct nvml_memory {
    uint64_t total, free, used; /* bytes; used includes what the driver reserves */
};

/* NVML API, nvmlMemory_v2_t. */
struct nvml_memory_v2 {
    uint32_t version;
    uint64_t total, reserved, free, used;
};

/* NVML API, nvmlSample_t. */
struct nvml_sample {
    uint64_t timestamp; /* microseconds */
    union nvml_value value;
};

/* NVML API, nvmlProcessInfo_v1_t. */
struct nvml_process_v1 {
    uint32_t pid;
    uint64_t memory;
};

/* NVML API, nvmlProcessInfo_v2_t. */
struct nvml_process {
    uint32_t pid;
    uint64_t memory;
    uint32_t gpu_instance, compute_instance;
};

/* Of drivers 535.43 to 535.86 under the name of version 3. */
struct nvml_process_long {
    struct nvml_process process;
    uint64_t protected_memory;
};

/* NVML API, nvmlProcessUtilizationSample_t. */
struct nvml_process_sample {
    uint32_t pid;
    uint64_t timestamp;
    uint32_t sm, memory, encoder, decoder; /* per cent */
};

/* NVML API, nvmlFieldValue_t. */
struct nvml_field_value {
    uint32_t field, scope;
    int64_t timestamp, latency;
    uint32_t value_type, result;
    union nvml_value value;
};

/* NVML API, nvmlEventData_t; before version 2 of the wait it ended after data. */
struct nvml_event {
    nvml_device device;
    uint64_t type, data;
    uint32_t gpu_instance, compute_instance;
};

/* NVML API, nvmlDeviceAttributes_t. */
struct nvml_attributes {
    uint32_t multiprocessors, copy_engines, decoders, encoders, jpeg, optical_flow;
    uint32_t gpu_instance_slices, compute_instance_slices;
    uint64_t memory_mib;
};

/* NVML API, nvmlGpmSupport_t. */
struct nvml_gpm_support {
    uint32_t version, is_supported;
};

typedef struct gpm_sample *nvml_gpm_sample; /* opaque to callers; NVML API, nvmlGpmSample_t: a struct of one pointer */

/* NVML API, nvmlGpmMetric_t. */
struct nvml_gpm_metric {
    uint32_t id, result;
    double value;
    const char *short_name, *long_name, *unit;
};

/* NVML API, nvmlGpmMetricsGet_t. */
struct nvml_gpm_metrics {
    uint32_t version, count;
    nvml_gpm_sample first, second;
    struct nvml_gpm_metric metrics[];
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
_Static_assert(sizeof(struct nvml_process_long) == 32, "long process record");
_Static_assert(sizeof(struct nvml_attributes) == 40, "attributes of an instance");
_Static_assert(sizeof(struct nvml_gpm_metric) == 40, "GPM metric");
_Static_assert(sizeof(struct nvml_gpm_metrics) == 24, "GPM request up to its metrics");

#endif
