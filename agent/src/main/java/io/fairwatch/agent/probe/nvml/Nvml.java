package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.wire.GpuProcess;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The calls of NVML that the probe makes, in Java's words and NVML's units; a device is NVML's handle. An open library
 * is initialised. Not thread-safe; any call may hang in the driver.
 */
interface Nvml extends AutoCloseable {

    /** Opens the library and initialises it. */
    interface Opener {
        Nvml open() throws NvmlException;
    }

    /** What a device tells as one whole number. */
    enum Quantity {
        MINOR_NUMBER,
        POWER_MILLIWATTS,
        POWER_LIMIT_MILLIWATTS,
        ENERGY_MILLIJOULES,
        TEMPERATURE_CELSIUS,
        SM_CLOCK_MEGAHERTZ
    }

    /** Which ring of samples. */
    enum Ring {
        GPU,
        MEMORY
    }

    /** An entry of a ring; the timestamp counts microseconds from an unknown epoch. */
    record Sample(long timestamp, int percent) {}

    /** Utilisation at one look. */
    record Rates(int gpuPercent, int memoryPercent) {}

    /** Device memory in bytes; without {@code reserved}, {@code used} contains it. */
    record Memory(long total, long used, OptionalLong reserved) {}

    /** An entry of one of the lists of processes. */
    record Running(int pid, OptionalLong memoryBytes) {}

    /** A process's share of the multiprocessors' time since the timestamp that was asked for. */
    record Share(int pid, long timestamp, int percent) {}

    /** The sentence with which a simulation gives itself away; empty for the real library. */
    Optional<String> simulated();

    String driverVersion() throws NvmlException;

    int deviceCount() throws NvmlException;

    long device(int index) throws NvmlException;

    String uuid(long device) throws NvmlException;

    String name(long device) throws NvmlException;

    String pciBusId(long device) throws NvmlException;

    /** Empty where NVML answers with its number for "not available". */
    OptionalLong quantity(long device, Quantity quantity) throws NvmlException;

    Memory memory(long device) throws NvmlException;

    /** What the ring holds that is newer than {@code lastSeen}, in any order. */
    List<Sample> samples(long device, Ring ring, long lastSeen) throws NvmlException;

    Rates rates(long device) throws NvmlException;

    List<Running> processes(long device, GpuProcess.Kind kind) throws NvmlException;

    List<Share> shares(long device, long lastSeen) throws NvmlException;

    @Override
    void close();
}
