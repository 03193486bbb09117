package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.wire.GpuProcess;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The calls of NVML that the probe makes, in Java's words and NVML's units; a device is NVML's handle of a GPU or of a
 * MIG instance. An open library is initialised. Not thread-safe, except that {@link Xids#await} may wait on another
 * thread meanwhile; any call may hang in the driver.
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
        SM_CLOCK_MEGAHERTZ,
        MEMORY_CLOCK_MEGAHERTZ,
        FAN_PERCENT,
        /** Bits, see {@link ClockLimits}. */
        CLOCK_LIMITS,
        /** 1: on. */
        PERSISTENCE_MODE,
        /** 1: on. */
        ACCOUNTING_MODE,
        /** 1: on. */
        MIG_MODE,
        /** How many instances there can be; their indexes are below that, with gaps. */
        MIG_DEVICES_AT_MOST,
        /** Of an instance. */
        GPU_INSTANCE_ID,
        /** Of an instance. */
        COMPUTE_INSTANCE_ID,
        /** Of an instance. */
        MULTIPROCESSORS
    }

    /** What a GPU tells in batches, with NVML's number for it. Counters run since the driver was loaded. */
    enum Field {
        ECC_CORRECTED(3),
        ECC_UNCORRECTED(4),
        /** Over the GPU's life. */
        ECC_CORRECTED_EVER(5),
        /** Over the GPU's life. */
        ECC_UNCORRECTED_EVER(6),
        PAGES_RETIRED_FOR_SINGLE_BITS(29),
        PAGES_RETIRED_FOR_DOUBLE_BITS(30),
        PAGES_WAIT_FOR_RESET(31),
        MEMORY_TEMPERATURE_CELSIUS(82),
        ENERGY_MILLIJOULES(83),
        PCIE_REPLAYS(94),
        NVLINK_SENT_KIBIBYTES(138),
        NVLINK_RECEIVED_KIBIBYTES(139),
        ROWS_REMAPPED_CORRECTABLE(142),
        ROWS_REMAPPED_UNCORRECTABLE(143),
        ROWS_WAIT_FOR_RESET(144),
        PCIE_SENT_BYTES(197),
        PCIE_RECEIVED_BYTES(198),
        /** 0: none; 1, 2, 4: resets of several kinds; 3: let it run empty. */
        RECOVERY_ACTION(230);

        private final int number;

        Field(int number) {
            this.number = number;
        }

        int number() {
            return number;
        }
    }

    /** A field's own result: 0 and a value, or why not; no value at all where NVML says "not available". */
    record FieldAnswer(int code, OptionalLong value) {}

    /** What counters inside Hopper and later GPUs tell between two looks: per cent, or MiB/s. */
    enum Metric {
        GRAPHICS(1),
        SM(2),
        OCCUPANCY(3),
        INTEGER(4),
        TENSOR(5),
        DRAM(10),
        FP64(11),
        FP32(12),
        FP16(13),
        PCIE_SENT(20),
        PCIE_RECEIVED(21),
        NVLINK_RECEIVED(60),
        NVLINK_SENT(61);

        private final int number;

        Metric(int number) {
            this.number = number;
        }

        int number() {
            return number;
        }
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
    record Memory(OptionalLong total, OptionalLong used, OptionalLong reserved) {}

    /** An entry of one of the lists of processes; the instances' ids where the record has them. */
    record Running(int pid, OptionalLong memoryBytes, OptionalInt gpuInstance, OptionalInt computeInstance) {}

    /** A process's share of the multiprocessors' time since the timestamp that was asked for. */
    record Share(int pid, long timestamp, int percent) {}

    /** An error that the driver reported of a GPU. */
    record Xid(long device, int code) {}

    /** Errors as they happen; those before it was opened are not told. Closed before the library. */
    interface Xids extends AutoCloseable {
        /** Whether the device tells them. */
        boolean covers(long device);

        /** The next one; empty when none came in that time. Waits without using the processor. */
        Optional<Xid> await(int milliseconds) throws NvmlException;

        @Override
        void close();
    }

    /** The sentence with which a simulation gives itself away; empty for the real library. */
    Optional<String> simulated();

    String driverVersion() throws NvmlException;

    /** The newest CUDA that the driver runs, e.g. 12020 for 12.2. */
    int cudaVersion() throws NvmlException;

    int deviceCount() throws NvmlException;

    long device(int index) throws NvmlException;

    /** A GPU's instance; empty where there is none at that index. */
    OptionalLong instance(long device, int index) throws NvmlException;

    String uuid(long device) throws NvmlException;

    String name(long device) throws NvmlException;

    String pciBusId(long device) throws NvmlException;

    /** Empty where NVML answers with its number for "not available". */
    OptionalLong quantity(long device, Quantity quantity) throws NvmlException;

    /** One call for all; has an entry for each one wanted. */
    Map<Field, FieldAnswer> fields(long device, Set<Field> wanted) throws NvmlException;

    Memory memory(long device) throws NvmlException;

    /** What the ring holds that is newer than {@code lastSeen}, in any order. */
    List<Sample> samples(long device, Ring ring, long lastSeen) throws NvmlException;

    Rates rates(long device) throws NvmlException;

    List<Running> processes(long device, GpuProcess.Kind kind) throws NvmlException;

    List<Share> shares(long device, long lastSeen) throws NvmlException;

    /** Whether a GPU has counters to look at. */
    boolean hasCounters(long device) throws NvmlException;

    /** Room for one look, to be given back before the library is closed. */
    long newLook() throws NvmlException;

    void freeLook(long look);

    /** Looks at the counters of a GPU, or of one GPU instance of it. */
    void look(long device, OptionalInt gpuInstance, long look) throws NvmlException;

    /** What happened between two looks; those that this product does not have are left out. */
    Map<Metric, Double> between(long earlier, long later, Set<Metric> wanted) throws NvmlException;

    /** Begins to listen to these GPUs. */
    Xids xids(List<Long> devices) throws NvmlException;

    @Override
    void close();
}
