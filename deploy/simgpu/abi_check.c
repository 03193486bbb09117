/*
 * Compares nvml_abi.h with CUDA's own header, at compile time, on a machine that has it:
 *     cc -D_GNU_SOURCE -fsyntax-only -include /usr/local/cuda/include/nvml.h abi_check.c
 * The two headers share no names: CUDA's are in camel case or begin with NVML_ERROR_, NVML_FI_ and so on.
 */
#include <stddef.h>

#include "nvml_abi.h"

#define SAME(ours, theirs) _Static_assert((unsigned long long)(ours) == (unsigned long long)(theirs), #ours)
#define SAME_SIZE(ours, theirs) SAME(sizeof(struct ours), sizeof(theirs))
#define SAME_PLACE(ours, our_field, theirs, their_field) \
    SAME(offsetof(struct ours, our_field), offsetof(theirs, their_field))

SAME_SIZE(nvml_pci, nvmlPciInfo_t);
SAME_PLACE(nvml_pci, domain, nvmlPciInfo_t, domain);
SAME_PLACE(nvml_pci, device_id, nvmlPciInfo_t, pciDeviceId);
SAME_PLACE(nvml_pci, bus_id, nvmlPciInfo_t, busId);
SAME_SIZE(nvml_utilization, nvmlUtilization_t);
SAME_SIZE(nvml_memory, nvmlMemory_t);
SAME_PLACE(nvml_memory, used, nvmlMemory_t, used);
SAME_SIZE(nvml_memory_v2, nvmlMemory_v2_t);
SAME_PLACE(nvml_memory_v2, reserved, nvmlMemory_v2_t, reserved);
SAME_PLACE(nvml_memory_v2, used, nvmlMemory_v2_t, used);
SAME(NVML_MEMORY_V2_VERSION, nvmlMemory_v2);
SAME_SIZE(nvml_sample, nvmlSample_t);
SAME_PLACE(nvml_sample, value, nvmlSample_t, sampleValue);
SAME_SIZE(nvml_process_v1, nvmlProcessInfo_v1_t);
SAME_SIZE(nvml_process, nvmlProcessInfo_t);
SAME_PLACE(nvml_process, memory, nvmlProcessInfo_t, usedGpuMemory);
SAME_PLACE(nvml_process, compute_instance, nvmlProcessInfo_t, computeInstanceId);
SAME_SIZE(nvml_process_sample, nvmlProcessUtilizationSample_t);
SAME_PLACE(nvml_process_sample, timestamp, nvmlProcessUtilizationSample_t, timeStamp);
SAME_PLACE(nvml_process_sample, decoder, nvmlProcessUtilizationSample_t, decUtil);
SAME_SIZE(nvml_field_value, nvmlFieldValue_t);
SAME_PLACE(nvml_field_value, value_type, nvmlFieldValue_t, valueType);
SAME_PLACE(nvml_field_value, value, nvmlFieldValue_t, value);
SAME_SIZE(nvml_event, nvmlEventData_t);

SAME(NVML_UNINITIALIZED, NVML_ERROR_UNINITIALIZED);
SAME(NVML_INVALID_ARGUMENT, NVML_ERROR_INVALID_ARGUMENT);
SAME(NVML_NOT_SUPPORTED, NVML_ERROR_NOT_SUPPORTED);
SAME(NVML_NOT_FOUND, NVML_ERROR_NOT_FOUND);
SAME(NVML_INSUFFICIENT_SIZE, NVML_ERROR_INSUFFICIENT_SIZE);
SAME(NVML_DRIVER_NOT_LOADED, NVML_ERROR_DRIVER_NOT_LOADED);
SAME(NVML_TIMEOUT, NVML_ERROR_TIMEOUT);
SAME(NVML_MEMORY, NVML_ERROR_MEMORY);
SAME(NVML_VERSION_MISMATCH, NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
SAME(NVML_SAMPLE_POWER, NVML_TOTAL_POWER_SAMPLES);
SAME(NVML_SAMPLE_GPU_UTIL, NVML_GPU_UTILIZATION_SAMPLES);
SAME(NVML_SAMPLE_MEMORY_UTIL, NVML_MEMORY_UTILIZATION_SAMPLES);
SAME(NVML_SAMPLE_SM_CLOCK, NVML_PROCESSOR_CLK_SAMPLES);
SAME(NVML_SAMPLE_MEMORY_CLOCK, NVML_MEMORY_CLK_SAMPLES);
SAME(NVML_UINT, NVML_VALUE_TYPE_UNSIGNED_INT);
SAME(NVML_ULONG_LONG, NVML_VALUE_TYPE_UNSIGNED_LONG_LONG);
SAME(NVML_VOLTA, NVML_DEVICE_ARCH_VOLTA);
SAME(NVML_HOPPER, NVML_DEVICE_ARCH_HOPPER);
SAME(NVML_IS_NVIDIA, NVML_BRAND_NVIDIA);
SAME(NVML_FIELD_ECC_DBE_AGGREGATE, NVML_FI_DEV_ECC_DBE_AGG_TOTAL);
SAME(NVML_FIELD_RETIRED_PENDING, NVML_FI_DEV_RETIRED_PENDING);
SAME(NVML_FIELD_MEMORY_TEMPERATURE, NVML_FI_DEV_MEMORY_TEMP);
SAME(NVML_FIELD_TOTAL_ENERGY, NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION);
SAME(NVML_FIELD_PCIE_REPLAY, NVML_FI_DEV_PCIE_REPLAY_COUNTER);
SAME(NVML_FIELD_REMAPPED_FAILED, NVML_FI_DEV_REMAPPED_FAILURE);
SAME(NVML_FIELD_POWER_AVERAGE, NVML_FI_DEV_POWER_AVERAGE);
SAME(NVML_FIELD_POWER_INSTANT, NVML_FI_DEV_POWER_INSTANT);
SAME(NVML_THROTTLE_IDLE, nvmlClocksThrottleReasonGpuIdle);
SAME(NVML_THROTTLE_POWER_CAP, nvmlClocksThrottleReasonSwPowerCap);

SAME_SIZE(nvml_attributes, nvmlDeviceAttributes_t);
SAME_PLACE(nvml_attributes, gpu_instance_slices, nvmlDeviceAttributes_t, gpuInstanceSliceCount);
SAME_PLACE(nvml_attributes, memory_mib, nvmlDeviceAttributes_t, memorySizeMB);
SAME_PLACE(nvml_event, compute_instance, nvmlEventData_t, computeInstanceId);
#ifdef NVML_GPM_METRICS_GET_VERSION /* headers of drivers before R520 lack GPM */
SAME_SIZE(nvml_gpm_support, nvmlGpmSupport_t);
SAME_PLACE(nvml_gpm_support, is_supported, nvmlGpmSupport_t, isSupportedDevice);
SAME_SIZE(nvml_gpm_metric, nvmlGpmMetric_t);
SAME_PLACE(nvml_gpm_metric, value, nvmlGpmMetric_t, value);
SAME_PLACE(nvml_gpm_metric, short_name, nvmlGpmMetric_t, metricInfo);
SAME_PLACE(nvml_gpm_metrics, second, nvmlGpmMetricsGet_t, sample2);
SAME_PLACE(nvml_gpm_metrics, metrics, nvmlGpmMetricsGet_t, metrics);
SAME(sizeof(nvml_gpm_sample), sizeof(nvmlGpmSample_t));
SAME(NVML_GPM_VERSION, NVML_GPM_METRICS_GET_VERSION);
SAME(NVML_GPM_VERSION, NVML_GPM_SUPPORT_VERSION);
SAME(NVML_GPM_BUSY, NVML_GPM_METRIC_GRAPHICS_UTIL);
SAME(NVML_GPM_SM, NVML_GPM_METRIC_SM_UTIL);
SAME(NVML_GPM_OCCUPANCY, NVML_GPM_METRIC_SM_OCCUPANCY);
SAME(NVML_GPM_INTEGER, NVML_GPM_METRIC_INTEGER_UTIL);
SAME(NVML_GPM_TENSOR, NVML_GPM_METRIC_ANY_TENSOR_UTIL);
SAME(NVML_GPM_HALF_TENSOR, NVML_GPM_METRIC_HMMA_TENSOR_UTIL);
SAME(NVML_GPM_DRAM, NVML_GPM_METRIC_DRAM_BW_UTIL);
SAME(NVML_GPM_FP64, NVML_GPM_METRIC_FP64_UTIL);
SAME(NVML_GPM_FP32, NVML_GPM_METRIC_FP32_UTIL);
SAME(NVML_GPM_FP16, NVML_GPM_METRIC_FP16_UTIL);
SAME(NVML_GPM_PCIE_TX, NVML_GPM_METRIC_PCIE_TX_PER_SEC);
SAME(NVML_GPM_PCIE_RX, NVML_GPM_METRIC_PCIE_RX_PER_SEC);
SAME(NVML_GPM_NVLINK_RX, NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC);
SAME(NVML_GPM_NVLINK_TX, NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC);
#endif
SAME(NVML_EVENT_SINGLE_BIT, nvmlEventTypeSingleBitEccError);
SAME(NVML_EVENT_DOUBLE_BIT, nvmlEventTypeDoubleBitEccError);
SAME(NVML_EVENT_XID, nvmlEventTypeXidCriticalError);
SAME(NVML_GPU_IS_LOST, NVML_ERROR_GPU_IS_LOST);
SAME(NVML_FIELD_NVLINK_DATA_TX, NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX);
SAME(NVML_FIELD_NVLINK_RAW_RX, NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_RX);
#ifdef NVML_FI_DEV_GET_GPU_RECOVERY_ACTION /* headers of drivers before R555 lack these */
SAME(NVML_FIELD_PCIE_TX, NVML_FI_DEV_PCIE_COUNT_TX_BYTES);
SAME(NVML_FIELD_PCIE_RX, NVML_FI_DEV_PCIE_COUNT_RX_BYTES);
SAME(NVML_FIELD_RECOVERY_ACTION, NVML_FI_DEV_GET_GPU_RECOVERY_ACTION);
#endif
