package io.fairwatch.agent.wire;

import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * One GPU over one period. Immutable. Whatever the product or its driver does not offer is absent.
 *
 * <p>A GPU that is cut into MIG instances tells only what belongs to all of it: power, energy, temperature, clocks,
 * errors. Its instances follow it, each as a reading of its own, with memory, processes and what they do. A GPU that is
 * lost tells nothing but the XIDs that the driver reported of it, in the period in which it did.
 *
 * @param device which GPU
 * @param utilization share of time in which at least one kernel ran; says nothing of how full the GPU was
 * @param memoryUtilization share of time in which device memory was read or written
 * @param memoryUsedBytes device memory held by processes, without what the driver keeps for itself. Source: {@code
 *     nvmlDeviceGetMemoryInfo_v2}, else {@code nvmlDeviceGetMemoryInfo}
 * @param memoryReservedBytes device memory that the driver keeps for itself; absent where only the older call exists,
 *     which counts it as used. Source: {@code nvmlDeviceGetMemoryInfo_v2}
 * @param powerWatts draw now. Source: {@code nvmlDeviceGetPowerUsage}
 * @param powerLimitWatts limit in force. Source: {@code nvmlDeviceGetEnforcedPowerLimit}
 * @param energyJoules counter since the driver was loaded; falls back to zero when it is loaded anew. Source: {@code
 *     nvmlDeviceGetTotalEnergyConsumption}
 * @param temperatureCelsius of the GPU die. Source: {@code nvmlDeviceGetTemperature}
 * @param smClockHertz clock of the multiprocessors now. Source: {@code nvmlDeviceGetClockInfo}
 * @param processes everybody who has a context on the GPU; empty: nobody; absent: the driver did not tell
 * @param detail what it tells beyond that; absent when it tells nothing
 */
public record GpuReading(
        GpuDevice device,
        Optional<Utilization> utilization,
        Optional<Utilization> memoryUtilization,
        OptionalLong memoryUsedBytes,
        OptionalLong memoryReservedBytes,
        OptionalDouble powerWatts,
        OptionalDouble powerLimitWatts,
        OptionalDouble energyJoules,
        OptionalDouble temperatureCelsius,
        OptionalDouble smClockHertz,
        Optional<List<GpuProcess>> processes,
        Optional<GpuDetail> detail) {
    public GpuReading {
        Check.notNegative("gpus.memory_used_bytes", memoryUsedBytes);
        Check.notNegative("gpus.memory_reserved_bytes", memoryReservedBytes);
        Check.notNegative("gpus.power_watts", powerWatts);
        Check.notNegative("gpus.power_limit_watts", powerLimitWatts);
        Check.notNegative("gpus.energy_joules", energyJoules);
        Check.notNegative("gpus.sm_clock_hertz", smClockHertz);
        processes = processes.map(List::copyOf);
        processes.ifPresent(list -> Check.atMost("gpus.processes", list.size(), 4096));
    }
}
