package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.wire.GpuDevice;
import java.util.List;
import java.util.Optional;

/**
 * What NVML offers on this node, each thing asked once, for whoever wants to know why a reading is absent. Immutable.
 *
 * @param driverVersion e.g. {@code 535.183.01}. Source: {@code nvmlSystemGetDriverVersion}
 * @param cudaVersion newest CUDA that the driver runs, e.g. {@code 12.2}; absent when it does not tell. Source: {@code
 *     nvmlSystemGetCudaDriverVersion}
 * @param simulated a sentence when the GPUs are simulated; absent for real ones
 * @param devices every GPU that answered, by index, each followed by its MIG instances
 * @param silent every GPU that did not answer at all
 */
public record NvmlInspection(
        String driverVersion,
        Optional<String> cudaVersion,
        Optional<String> simulated,
        List<Device> devices,
        List<Silent> silent) {

    public NvmlInspection {
        devices = List.copyOf(devices);
        silent = List.copyOf(silent);
    }

    /** How a question was answered. */
    public enum Outcome {
        /** It works. */
        WORKS,
        /** This product or its state does not offer it. */
        NOT_SUPPORTED,
        /** This driver's library has no such function. */
        MISSING_FUNCTION,
        /** This user may not ask. */
        NO_PERMISSION,
        /** It should work and does not. */
        FAILED
    }

    /**
     * One thing that a device may tell. Immutable.
     *
     * @param reading what it is, in a few words, the same in every release, e.g. {@code power}
     * @param outcome whether it works
     * @param why the driver's answer, e.g. {@code nvmlDeviceGetFanSpeed: not supported (3)}; empty when it works
     */
    public record Answer(String reading, Outcome outcome, String why) {}

    /**
     * A GPU or MIG instance. Immutable.
     *
     * @param device which one; index, minor number and PCI bus id show in which order each of them counts
     * @param persistence whether the driver stays initialised without users; absent when it does not tell. Source:
     *     {@code nvmlDeviceGetPersistenceMode}
     * @param mig whether the GPU is partitioned; absent when it cannot be. Source: {@code nvmlDeviceGetMigMode}
     * @param accounting whether the driver keeps figures of ended processes; absent when it does not tell. Source:
     *     {@code nvmlDeviceGetAccountingMode}
     * @param answers every thing that it may tell, always in the same order
     */
    public record Device(
            GpuDevice device,
            Optional<Boolean> persistence,
            Optional<Boolean> mig,
            Optional<Boolean> accounting,
            List<Answer> answers) {
        public Device {
            answers = List.copyOf(answers);
        }
    }

    /**
     * A GPU that the driver counts but cannot reach. Immutable.
     *
     * @param index NVML's index
     * @param why the driver's answer
     */
    public record Silent(int index, String why) {}

    /**
     * Opens NVML, asks everything once and closes it. May hang in the driver: call it on a thread that can be left
     * behind. A process that already reads GPUs must not call it, since a process has NVML open once.
     *
     * @param library file name or path of another one; empty: {@code libnvidia-ml.so.1}
     * @throws NothingToReadException if there is no NVIDIA driver
     * @throws ProbeException if there is one and it does not answer
     */
    public static NvmlInspection of(Optional<String> library) throws ProbeException {
        return Inspector.inspect(() -> NvmlLibrary.open(library.orElse(NvmlLibrary.DEFAULT)));
    }
}
