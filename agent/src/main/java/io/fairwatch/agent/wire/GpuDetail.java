package io.fairwatch.agent.wire;

import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What a GPU tells beyond how busy and how full it is. Immutable. Absent: the product or its driver does not offer it.
 *
 * @param memoryTemperatureCelsius of the device memory. Source: field {@code NVML_FI_DEV_MEMORY_TEMP}
 * @param memoryClockHertz clock of the device memory now. Source: {@code nvmlDeviceGetClockInfo}
 * @param fanRatio fan speed, of its highest; above 1 where fans run beyond; absent for passively cooled products. Source:
 *     {@code nvmlDeviceGetFanSpeed}
 * @param clockLimits what holds the clocks down now, by NVML's names in lower case, e.g. {@code sw_power_cap}; empty:
 *     nothing. Source: {@code nvmlDeviceGetCurrentClocksEventReasons}
 * @param activity what the multiprocessors did over the period; Hopper and later
 * @param traffic what went over PCIe and NVLink
 * @param health errors that the GPU counts
 */
public record GpuDetail(
        OptionalDouble memoryTemperatureCelsius,
        OptionalDouble memoryClockHertz,
        OptionalDouble fanRatio,
        Optional<List<String>> clockLimits,
        Optional<Activity> activity,
        Optional<Traffic> traffic,
        Optional<Health> health) {
    public GpuDetail {
        Check.notNegative("gpus.detail.memory_clock_hertz", memoryClockHertz);
        Check.notNegative("gpus.detail.fan_ratio", fanRatio);
        clockLimits = clockLimits.map(List::copyOf);
        clockLimits.ifPresent(names -> {
            Check.atMost("gpus.detail.clock_limits", names.size(), 64);
            names.forEach(name -> Check.name("gpus.detail.clock_limits", name));
        });
    }

    /**
     * What the multiprocessors did, as shares of what they could have done over the period, 0..1. Immutable. Source:
     * {@code nvmlGpmMetricsGet}.
     *
     * @param graphicsRatio share of time in which anything ran on the compute or graphics engine; what a MIG instance has
     *     instead of utilisation. Metric 1
     * @param smRatio share of multiprocessors with at least one warp, mean over all of them. Metric 2
     * @param occupancyRatio warps resident, of the most that fit. Metric 3
     * @param tensorRatio share of time in which tensor cores worked. Metric 5
     * @param dramRatio memory bandwidth used. Metric 10
     * @param fp64Ratio share of time in which the FP64 pipe worked. Metric 11
     * @param fp32Ratio likewise FP32. Metric 12
     * @param fp16Ratio likewise FP16. Metric 13
     * @param integerRatio likewise the integer pipe. Metric 4
     */
    public record Activity(
            OptionalDouble graphicsRatio,
            OptionalDouble smRatio,
            OptionalDouble occupancyRatio,
            OptionalDouble tensorRatio,
            OptionalDouble dramRatio,
            OptionalDouble fp64Ratio,
            OptionalDouble fp32Ratio,
            OptionalDouble fp16Ratio,
            OptionalDouble integerRatio) {
        public Activity {
            Check.ratio("gpus.detail.activity.graphics_ratio", graphicsRatio);
            Check.ratio("gpus.detail.activity.sm_ratio", smRatio);
            Check.ratio("gpus.detail.activity.occupancy_ratio", occupancyRatio);
            Check.ratio("gpus.detail.activity.tensor_ratio", tensorRatio);
            Check.ratio("gpus.detail.activity.dram_ratio", dramRatio);
            Check.ratio("gpus.detail.activity.fp64_ratio", fp64Ratio);
            Check.ratio("gpus.detail.activity.fp32_ratio", fp32Ratio);
            Check.ratio("gpus.detail.activity.fp16_ratio", fp16Ratio);
            Check.ratio("gpus.detail.activity.integer_ratio", integerRatio);
        }
    }

    /**
     * Traffic as means over the time since it was read last, in bytes per second. Immutable.
     *
     * @param pcieSentBytesPerSecond from the GPU. Source: GPM metric 20, else field {@code
     *     NVML_FI_DEV_PCIE_COUNT_TX_BYTES} where the product has it; never the call that measures for 20 ms
     * @param pcieReceivedBytesPerSecond to the GPU. GPM metric 21, else {@code ..._RX_BYTES}
     * @param nvlinkSentBytesPerSecond over all links. Source: GPM metric 61, else field {@code
     *     NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX}
     * @param nvlinkReceivedBytesPerSecond over all links. GPM metric 60, else {@code ..._DATA_RX}
     */
    public record Traffic(
            OptionalDouble pcieSentBytesPerSecond,
            OptionalDouble pcieReceivedBytesPerSecond,
            OptionalDouble nvlinkSentBytesPerSecond,
            OptionalDouble nvlinkReceivedBytesPerSecond) {
        public Traffic {
            Check.notNegative("gpus.detail.traffic.pcie_sent_bytes_per_second", pcieSentBytesPerSecond);
            Check.notNegative("gpus.detail.traffic.pcie_received_bytes_per_second", pcieReceivedBytesPerSecond);
            Check.notNegative("gpus.detail.traffic.nvlink_sent_bytes_per_second", nvlinkSentBytesPerSecond);
            Check.notNegative("gpus.detail.traffic.nvlink_received_bytes_per_second", nvlinkReceivedBytesPerSecond);
        }
    }

    /**
     * Errors that the GPU counts; read every few minutes, and the last answer told in between; XIDs at once. Immutable.
     *
     * @param eccCorrected corrected memory errors since the driver was loaded. Source: field {@code
     *     NVML_FI_DEV_ECC_SBE_VOL_TOTAL} and its siblings
     * @param eccUncorrected uncorrected ones
     * @param eccCorrectedEver corrected ones over the GPU's life. Source: likewise, {@code ..._AGG_TOTAL}
     * @param eccUncorrectedEver uncorrected ones over its life
     * @param remappedRows rows of memory replaced by spare ones, or pages retired on older products. Source: fields
     *     {@code NVML_FI_DEV_REMAPPED_COR} and {@code _UNC}, else {@code NVML_FI_DEV_RETIRED_SBE} and {@code _DBE}
     * @param resetNeeded whether a replacement waits for the GPU to be reset, or the driver asks for a reset. Source:
     *     fields {@code NVML_FI_DEV_REMAPPED_PENDING}, {@code NVML_FI_DEV_RETIRED_PENDING}, {@code
     *     NVML_FI_DEV_GET_GPU_RECOVERY_ACTION}
     * @param pcieReplays replayed PCIe packets since the driver was loaded. Source: field {@code
     *     NVML_FI_DEV_PCIE_REPLAY_COUNTER}
     * @param xids XID codes that the driver reported in the period, in order; empty: none; absent: events are not
     *     offered. Source: {@code nvmlEventSetWait_v2}
     * @param lastXid newest XID code since the agent opened the driver; absent: none so far
     */
    public record Health(
            OptionalLong eccCorrected,
            OptionalLong eccUncorrected,
            OptionalLong eccCorrectedEver,
            OptionalLong eccUncorrectedEver,
            OptionalLong remappedRows,
            Optional<Boolean> resetNeeded,
            OptionalLong pcieReplays,
            Optional<List<Integer>> xids,
            OptionalInt lastXid) {
        public Health {
            Check.notNegative("gpus.detail.health.ecc_corrected", eccCorrected);
            Check.notNegative("gpus.detail.health.ecc_uncorrected", eccUncorrected);
            Check.notNegative("gpus.detail.health.ecc_corrected_ever", eccCorrectedEver);
            Check.notNegative("gpus.detail.health.ecc_uncorrected_ever", eccUncorrectedEver);
            Check.notNegative("gpus.detail.health.remapped_rows", remappedRows);
            Check.notNegative("gpus.detail.health.pcie_replays", pcieReplays);
            xids = xids.map(List::copyOf);
            xids.ifPresent(codes -> Check.atMost("gpus.detail.health.xids", codes.size(), 256));
            Check.notNegative("gpus.detail.health.last_xid", lastXid);
        }
    }
}
