package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.probe.nvml.Nvml.Field;
import io.fairwatch.agent.probe.nvml.Nvml.FieldAnswer;
import io.fairwatch.agent.probe.nvml.Nvml.Quantity;
import io.fairwatch.agent.probe.nvml.Nvml.Ring;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Answer;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Device;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Outcome;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Silent;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuProcess.Kind;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/** Asks every question once and writes down how it was answered. */
final class Inspector {
    private interface Question {
        void ask() throws NvmlException;
    }

    private static final Map<String, Set<Field>> BATCHES = batches();

    private final Nvml nvml;

    private Inspector(Nvml nvml) {
        this.nvml = nvml;
    }

    static NvmlInspection inspect(Nvml.Opener opener) throws ProbeException {
        try (Nvml nvml = opener.open()) {
            return new Inspector(nvml).inspect();
        } catch (NvmlException e) {
            if (e.isNoDriver()) {
                throw new NothingToReadException("no NVIDIA driver (" + e.getMessage() + ")");
            }
            throw new ProbeException(e.getMessage() == null ? "NVML failed" : e.getMessage(), e);
        }
    }

    private NvmlInspection inspect() throws NvmlException {
        List<Device> devices = new ArrayList<>();
        List<Silent> silent = new ArrayList<>();
        int count = Math.min(nvml.deviceCount(), NvmlGpuProbe.MOST_GPUS);
        for (int index = 0; index < count; index++) {
            try {
                Gpu gpu = new Gpu(nvml, index, count, 0);
                try {
                    devices.add(gpu(gpu));
                    gpu.instances().forEach(instance -> devices.add(instance(gpu, instance)));
                } finally {
                    gpu.close();
                }
            } catch (NvmlException e) {
                if (e.endsSession()) {
                    throw e;
                }
                silent.add(new Silent(index, String.valueOf(e.getMessage())));
            } catch (IllegalArgumentException e) { // no record takes what it says of itself
                silent.add(new Silent(index, String.valueOf(e.getMessage())));
            }
        }
        Optional<String> cuda;
        try {
            int version = nvml.cudaVersion();
            cuda = Optional.of(version / 1000 + "." + version % 1000 / 10);
        } catch (NvmlException expected) { // older than the function
            cuda = Optional.empty();
        }
        return new NvmlInspection(Gpu.printable(nvml.driverVersion()), cuda, nvml.simulated(), devices, silent);
    }

    private Device gpu(Gpu gpu) {
        long handle = gpu.handle();
        List<Answer> found = new ArrayList<>();
        if (gpu.instances().isEmpty()) {
            found.add(tried("utilisation, every sample", () -> nvml.samples(handle, Ring.GPU, 0)));
            found.add(tried("memory utilisation, every sample", () -> nvml.samples(handle, Ring.MEMORY, 0)));
            found.add(tried("utilisation, single looks", () -> nvml.rates(handle)));
            found.add(tried("utilisation by process", () -> nvml.shares(handle, 0)));
            found.addAll(common(handle));
            found.add(counters(handle, OptionalInt.empty()));
        }
        found.add(tried("power", Quantity.POWER_MILLIWATTS, handle));
        found.add(tried("power limit", Quantity.POWER_LIMIT_MILLIWATTS, handle));
        found.add(tried("energy", Quantity.ENERGY_MILLIJOULES, handle));
        found.add(tried("temperature", Quantity.TEMPERATURE_CELSIUS, handle));
        found.add(tried("clock", Quantity.SM_CLOCK_MEGAHERTZ, handle));
        found.add(tried("memory clock", Quantity.MEMORY_CLOCK_MEGAHERTZ, handle));
        found.add(tried("clock limits", Quantity.CLOCK_LIMITS, handle));
        found.add(tried("fan speed", Quantity.FAN_PERCENT, handle));
        BATCHES.forEach((reading, fields) -> found.add(batch(reading, fields, handle)));
        found.add(tried("errors (XID)", () -> nvml.xids(List.of(handle)).close()));
        return new Device(
                gpu.device(),
                mode(Quantity.PERSISTENCE_MODE, handle),
                mode(Quantity.MIG_MODE, handle),
                mode(Quantity.ACCOUNTING_MODE, handle),
                found);
    }

    private Device instance(Gpu gpu, Instance instance) {
        List<Answer> found = new ArrayList<>(common(instance.handle()));
        found.add(counters(gpu.handle(), OptionalInt.of(instance.gpuInstanceId())));
        GpuDevice device = instance.device();
        return new Device(device, Optional.empty(), Optional.empty(), Optional.empty(), found);
    }

    private List<Answer> common(long handle) {
        return List.of(
                tried("memory", () -> nvml.memory(handle)),
                tried("compute processes", () -> nvml.processes(handle, Kind.COMPUTE)),
                tried("graphics processes", () -> nvml.processes(handle, Kind.GRAPHICS)),
                tried("MPS processes", () -> nvml.processes(handle, Kind.MPS)));
    }

    private Answer counters(long device, OptionalInt gpuInstance) {
        return tried("activity (GPM)", () -> {
            if (!nvml.hasCounters(device)) {
                throw new NvmlException("nvmlGpmQueryDeviceSupport", NvmlException.NOT_SUPPORTED);
            }
            long look = nvml.newLook();
            try {
                nvml.look(device, gpuInstance, look);
            } finally {
                nvml.freeLook(look);
            }
        });
    }

    private Answer tried(String reading, Quantity quantity, long device) {
        return tried(reading, () -> {
            if (nvml.quantity(device, quantity).isEmpty()) {
                throw new NvmlException(quantity.name(), NvmlException.NOT_SUPPORTED, "answers \"not available\"");
            }
        });
    }

    private Answer batch(String reading, Set<Field> fields, long device) {
        return tried(reading, () -> {
            NvmlException why = null;
            for (Map.Entry<Field, FieldAnswer> entry :
                    nvml.fields(device, fields).entrySet()) {
                if (entry.getValue().value().isPresent()) {
                    return;
                }
                int code = entry.getValue().code();
                String name = "nvmlDeviceGetFieldValues " + entry.getKey().number();
                why = code == 0 || code == NvmlException.INVALID_ARGUMENT
                        ? new NvmlException(name, NvmlException.NOT_SUPPORTED)
                        : new NvmlException(name, code);
            }
            if (why != null) {
                throw why;
            }
        });
    }

    /** Nothing found is an answer too. */
    private static Answer tried(String reading, Question question) {
        try {
            question.ask();
            return new Answer(reading, Outcome.WORKS, "");
        } catch (NvmlException e) {
            Outcome outcome =
                    switch (e.code()) {
                        case NvmlException.NOT_FOUND -> Outcome.WORKS;
                        case NvmlException.NOT_SUPPORTED -> Outcome.NOT_SUPPORTED;
                        case NvmlException.FUNCTION_NOT_FOUND -> Outcome.MISSING_FUNCTION;
                        case NvmlException.NO_PERMISSION -> Outcome.NO_PERMISSION;
                        default -> Outcome.FAILED;
                    };
            return new Answer(
                    reading, outcome, outcome == Outcome.WORKS ? "" : Gpu.printable(String.valueOf(e.getMessage())));
        }
    }

    private Optional<Boolean> mode(Quantity quantity, long device) {
        try {
            OptionalLong mode = nvml.quantity(device, quantity);
            return mode.isPresent() ? Optional.of(mode.getAsLong() == 1) : Optional.empty();
        } catch (NvmlException expected) { // then it has no such mode
            return Optional.empty();
        }
    }

    /** Of several fields that serve one reading, one that works will do. */
    private static Map<String, Set<Field>> batches() {
        Map<String, Set<Field>> batches = new LinkedHashMap<>();
        batches.put("memory temperature", EnumSet.of(Field.MEMORY_TEMPERATURE_CELSIUS));
        batches.put("memory errors (ECC)", EnumSet.of(Field.ECC_CORRECTED, Field.ECC_UNCORRECTED));
        batches.put(
                "replaced memory",
                EnumSet.of(
                        Field.ROWS_REMAPPED_CORRECTABLE,
                        Field.PAGES_RETIRED_FOR_SINGLE_BITS,
                        Field.PAGES_RETIRED_FOR_DOUBLE_BITS));
        batches.put("PCIe replays", EnumSet.of(Field.PCIE_REPLAYS));
        batches.put("PCIe traffic by counters", EnumSet.of(Field.PCIE_SENT_BYTES, Field.PCIE_RECEIVED_BYTES));
        batches.put(
                "NVLink traffic by counters", EnumSet.of(Field.NVLINK_SENT_KIBIBYTES, Field.NVLINK_RECEIVED_KIBIBYTES));
        return batches;
    }
}
