package io.fairwatch.agent.wire;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Which GPU a reading is of. Immutable.
 *
 * @param uuid the identity, e.g. {@code GPU-5c3b...}. Source: {@code nvmlDeviceGetUUID}
 * @param index NVML's index, which follows PCI bus order and may change at boot; not Slurm's number
 * @param minorNumber N of {@code /dev/nvidiaN}; absent if the driver does not tell. Source: {@code
 *     nvmlDeviceGetMinorNumber}
 * @param pciBusId e.g. {@code 00000000:34:00.0}; absent if the driver does not tell. Source: {@code
 *     nvmlDeviceGetPciInfo}
 * @param name product name, e.g. {@code Tesla V100-SXM3-32GB}
 * @param memoryTotalBytes memory on board; absent if the driver does not tell. Source: {@code nvmlDeviceGetMemoryInfo}
 * @param mig which slice of which GPU; absent: a whole GPU. A slice's {@code index} is its parent's
 */
public record GpuDevice(
        String uuid,
        int index,
        OptionalInt minorNumber,
        Optional<String> pciBusId,
        String name,
        OptionalLong memoryTotalBytes,
        Optional<MigInstance> mig) {
    public GpuDevice {
        Check.uuid("gpus.device.uuid", uuid);
        Check.notNegative("gpus.device.index", index);
        Check.notNegative("gpus.device.minor_number", minorNumber);
        pciBusId.ifPresent(id -> Check.uuid("gpus.device.pci_bus_id", id));
        Check.text("gpus.device.name", name, 96);
        Check.notNegative("gpus.device.memory_total_bytes", memoryTotalBytes);
        uuid = uuid.intern(); // whoever takes snapshots of a large cluster has the same few texts again and again
        name = name.intern();
    }
}
