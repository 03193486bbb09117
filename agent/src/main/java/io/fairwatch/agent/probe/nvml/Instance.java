package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.probe.nvml.Nvml.Metric;
import io.fairwatch.agent.probe.nvml.Nvml.Quantity;
import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.MigInstance;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/** One MIG instance, from its being found to the next change of its GPU's partition. Confined to the probe. */
final class Instance {
    private enum Ask {
        MEMORY,
        COUNTERS
    }

    private static final Set<Metric> METRICS = EnumSet.of(
            Metric.GRAPHICS,
            Metric.SM,
            Metric.OCCUPANCY,
            Metric.TENSOR,
            Metric.DRAM,
            Metric.FP64,
            Metric.FP32,
            Metric.FP16,
            Metric.INTEGER);
    private static final String MARK = " MIG ";

    private final Nvml nvml;
    private final long handle;
    private final GpuDevice device;
    private final Asked asked = new Asked();
    private final ProcessList processes;
    private final Counters counters;

    /** Takes stock of an instance. */
    Instance(Nvml nvml, GpuDevice parent, long parentHandle, long handle, String uuid) throws NvmlException {
        this.nvml = nvml;
        this.handle = handle;
        String name = Gpu.printable(nvml.name(handle));
        OptionalLong multiprocessors = asked.ask(
                        Quantity.MULTIPROCESSORS, () -> nvml.quantity(handle, Quantity.MULTIPROCESSORS))
                .orElse(OptionalLong.empty());
        MigInstance mig = new MigInstance(
                parent.uuid(),
                id(Quantity.GPU_INSTANCE_ID),
                id(Quantity.COMPUTE_INSTANCE_ID),
                multiprocessors.isPresent() ? OptionalInt.of((int) multiprocessors.getAsLong()) : OptionalInt.empty(),
                name.contains(MARK)
                        ? Optional.of(name.substring(name.lastIndexOf(MARK) + MARK.length()))
                        : Optional.empty());
        this.device = new GpuDevice(
                uuid,
                parent.index(),
                OptionalInt.empty(),
                Optional.empty(),
                name,
                asked.ask(Ask.MEMORY, () -> nvml.memory(handle))
                        .map(Nvml.Memory::total)
                        .orElse(OptionalLong.empty()),
                Optional.of(mig));
        this.processes = new ProcessList(nvml, handle, device.mig(), asked);
        this.counters = new Counters(nvml, parentHandle, OptionalInt.of(mig.gpuInstanceId()));
    }

    private int id(Quantity quantity) throws NvmlException {
        return (int) nvml.quantity(handle, quantity)
                .orElseThrow(() -> new NvmlException(quantity.name(), NvmlException.NOT_FOUND));
    }

    long handle() {
        return handle;
    }

    GpuDevice device() {
        return device;
    }

    int gpuInstanceId() {
        return device.mig().map(MigInstance::gpuInstanceId).orElseThrow();
    }

    /**
     * Reads it.
     *
     * @param alone whether no other compute instance shares the GPU instance, whose counters know no compute instances
     */
    GpuReading read(long nowNanos, ProcessLookup lookup, boolean alone) throws NvmlException {
        Optional<Nvml.Memory> memory = asked.ask(Ask.MEMORY, () -> nvml.memory(handle));
        Map<Metric, Double> metrics = alone
                ? asked.ask(Ask.COUNTERS, () -> counters.read(nowNanos, METRICS))
                        .orElse(Map.of())
                : Map.of();
        boolean busy = Counters.ratio(metrics, Metric.GRAPHICS).orElse(0) > 0;
        return new GpuReading(
                device,
                Optional.empty(),
                Optional.empty(),
                memory.map(Nvml.Memory::used).orElse(OptionalLong.empty()),
                memory.map(Nvml.Memory::reserved).orElse(OptionalLong.empty()),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                processes.read(lookup, busy, pid -> OptionalDouble.empty()),
                Counters.activity(metrics)
                        .map(activity -> new GpuDetail(
                                OptionalDouble.empty(),
                                OptionalDouble.empty(),
                                OptionalDouble.empty(),
                                Optional.empty(),
                                Optional.of(activity),
                                Optional.empty(),
                                Optional.empty())));
    }

    void close() {
        counters.close();
    }
}
