package io.fairwatch.agent.probe.nvml;

import com.sun.jna.FunctionMapper;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import io.fairwatch.agent.wire.GpuProcess;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * NVML through JNA's direct mapping: no garbage per call, handles and addresses as {@code long}, so 64-bit systems only.
 * Direct mapping binds a class, so there is at most one open library in a process. Not thread-safe: the scratch memory
 * is shared by all calls, which {@link Nvml} allows one at a time; waiting for XIDs has memory of its own. Nobody may
 * be inside a call when the library is closed, because closing unloads its code: a driver that was updated comes with
 * another one.
 */
final class NvmlLibrary implements Nvml {
    /** Where the driver installs it; the name without the 1 comes with development packages only. */
    static final String DEFAULT = "libnvidia-ml.so.1";

    private static final String SIMULATED = "fairwatch_simulated_gpus";
    private static final int SMALLEST_SCRATCH = 64 * 1024;
    private static final int LARGEST_SCRATCH = 1024 * 1024;
    private static final int TEXT = 96;

    private static final int SAMPLE_BYTES = 16;
    private static final int SHARE_BYTES = 32;
    private static final int MEMORY_V2_VERSION = 0x02000028;
    private static final int TEMPERATURE_OF_GPU = 0;
    private static final int CLOCK_OF_SM = 1;
    private static final int CLOCK_OF_MEMORY = 2;

    /** All bits set, the largest number, and what DCGM writes for "blank" lie from here on. */
    private static final long TOO_LARGE = 1L << 60;

    /** The same for 32 bits. */
    private static final int TOO_LARGE_32 = 0x7FFFFFF0;

    private static final int FIELD_BYTES = 40;
    private static final int ALL_LINKS = -1;
    private static final int NO_INSTANCE = -1;
    private static final int GPM_VERSION = 1;
    private static final int METRICS = 24;
    private static final int METRIC_BYTES = 40;
    private static final int EVENT_BYTES = 32;
    private static final long EVENT_XID = 8;
    private static final int MOST_TRIES = 3;

    /** A header of 64 bytes for counts and types, then the records. */
    private static final int RECORDS = 64;

    private static final byte UNTOUCHED = (byte) 0xA5;
    private static final int[] PROCESS_STRIDES = {16, 24, 32, 40};
    private static final int LARGEST_STRIDE = 40;
    private static final int USUAL_PROCESSES = 128;

    /** Functions that exist in several versions, best first; all others exist under their own name or not at all. */
    private static final Map<String, List<String>> VERSIONS = Map.of(
            "nvmlInit", List.of("_v2", ""),
            "nvmlDeviceGetCount", List.of("_v2", ""),
            "nvmlDeviceGetHandleByIndex", List.of("_v2", ""),
            "nvmlDeviceGetPciInfo", List.of("_v3", "_v2", ""),
            "nvmlDeviceGetAttributes", List.of("_v2", ""),
            "nvmlEventSetWait", List.of("_v2", ""),
            "nvmlDeviceGetComputeRunningProcesses", List.of("_v3", "_v2", ""),
            "nvmlDeviceGetGraphicsRunningProcesses", List.of("_v3", "_v2", ""),
            "nvmlDeviceGetMPSComputeRunningProcesses", List.of("_v3", "_v2", ""));

    /** Functions that were renamed, with the name that older drivers have. */
    private static final Map<String, String> BEFORE =
            Map.of("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons");

    /** The C functions by their own names. An address is the scratch memory's or 0. */
    private static final class C {
        static native int nvmlInit();

        static native int nvmlShutdown();

        static native int nvmlSystemGetDriverVersion(long text, int length);

        static native int nvmlDeviceGetCount(long count);

        static native int nvmlDeviceGetHandleByIndex(int index, long device);

        static native int nvmlDeviceGetUUID(long device, long text, int length);

        static native int nvmlDeviceGetName(long device, long text, int length);

        static native int nvmlDeviceGetPciInfo(long device, long info);

        static native int nvmlDeviceGetMinorNumber(long device, long number);

        static native int nvmlDeviceGetMemoryInfo(long device, long info);

        static native int nvmlDeviceGetMemoryInfo_v2(long device, long info);

        static native int nvmlDeviceGetPowerUsage(long device, long milliwatts);

        static native int nvmlDeviceGetEnforcedPowerLimit(long device, long milliwatts);

        static native int nvmlDeviceGetTotalEnergyConsumption(long device, long millijoules);

        static native int nvmlDeviceGetTemperature(long device, int sensor, long celsius);

        static native int nvmlDeviceGetClockInfo(long device, int clock, long megahertz);

        static native int nvmlDeviceGetSamples(
                long device, int ring, long lastSeen, long valueType, long count, long samples);

        static native int nvmlDeviceGetUtilizationRates(long device, long rates);

        static native int nvmlDeviceGetComputeRunningProcesses(long device, long count, long infos);

        static native int nvmlDeviceGetGraphicsRunningProcesses(long device, long count, long infos);

        static native int nvmlDeviceGetMPSComputeRunningProcesses(long device, long count, long infos);

        static native int nvmlDeviceGetProcessUtilization(long device, long samples, long count, long lastSeen);

        static native int nvmlSystemGetCudaDriverVersion(long version);

        static native int nvmlDeviceGetFanSpeed(long device, long percent);

        static native int nvmlDeviceGetCurrentClocksEventReasons(long device, long bits);

        static native int nvmlDeviceGetPersistenceMode(long device, long mode);

        static native int nvmlDeviceGetAccountingMode(long device, long mode);

        static native int nvmlDeviceGetFieldValues(long device, int count, long values);

        static native int nvmlDeviceGetMigMode(long device, long current, long pending);

        static native int nvmlDeviceGetMaxMigDeviceCount(long device, long count);

        static native int nvmlDeviceGetMigDeviceHandleByIndex(long device, int index, long instance);

        static native int nvmlDeviceGetGpuInstanceId(long instance, long id);

        static native int nvmlDeviceGetComputeInstanceId(long instance, long id);

        static native int nvmlDeviceGetAttributes(long instance, long attributes);

        static native int nvmlGpmQueryDeviceSupport(long device, long support);

        static native int nvmlGpmSampleAlloc(long sample);

        static native int nvmlGpmSampleFree(long sample);

        static native int nvmlGpmSampleGet(long device, long sample);

        static native int nvmlGpmMigSampleGet(long device, int gpuInstance, long sample);

        static native int nvmlGpmMetricsGet(long request);

        static native int nvmlEventSetCreate(long set);

        static native int nvmlDeviceRegisterEvents(long device, long kinds, long set);

        static native int nvmlEventSetWait(long set, long event, int milliseconds);

        static native int nvmlEventSetFree(long set);

        private C() {}
    }

    private final NativeLibrary library;
    private final Map<String, String> symbols;
    private final Optional<String> simulated;
    /** By device, for either ring. */
    private final Map<Ring, Map<Long, Integer>> ringCapacities =
            new EnumMap<>(Map.of(Ring.GPU, new HashMap<>(), Ring.MEMORY, new HashMap<>()));

    private int shareCapacity;
    private com.sun.jna.Memory scratch = new com.sun.jna.Memory(SMALLEST_SCRATCH);

    private NvmlLibrary(NativeLibrary library, Map<String, String> symbols, Optional<String> simulated) {
        this.library = library;
        this.symbols = symbols;
        this.simulated = simulated;
    }

    /**
     * Loads a library, binds what it has and initialises it.
     *
     * @param name a file name that the loader finds, or a path
     */
    static NvmlLibrary open(String name) throws NvmlException {
        if (Native.POINTER_SIZE != Long.BYTES) { // also loads JNA itself, whose failure is not a missing driver
            throw new NvmlException(name, NvmlException.LIBRARY_NOT_FOUND, "needs a 64-bit system");
        }
        Map<String, String> symbols = new HashMap<>();
        FunctionMapper standIn = (library, method) -> symbols.getOrDefault(method.getName(), symbols.get("nvmlInit"));
        NativeLibrary library;
        try {
            library = NativeLibrary.getInstance(name, Map.of(Library.OPTION_FUNCTION_MAPPER, standIn));
        } catch (UnsatisfiedLinkError e) {
            // the first line repeats the name, the second is the loader's own reason
            String why =
                    String.valueOf(e.getMessage()).lines().skip(1).findFirst().orElse("cannot be loaded");
            throw new NvmlException(name, NvmlException.LIBRARY_NOT_FOUND, why);
        }
        for (Method method : C.class.getDeclaredMethods()) {
            if (Modifier.isNative(method.getModifiers())) {
                names(method.getName()).stream()
                        .filter(symbol -> has(library, symbol))
                        .findFirst()
                        .ifPresent(symbol -> symbols.put(method.getName(), symbol));
            }
        }
        if (!symbols.containsKey("nvmlInit")) {
            library.close();
            throw new NvmlException(name, NvmlException.LIBRARY_NOT_FOUND, "is not NVML: has no nvmlInit");
        }
        Optional<String> simulated = has(library, SIMULATED)
                ? Optional.ofNullable(library.getFunction(SIMULATED).invokeString(new Object[0], false))
                : Optional.empty();
        Native.register(C.class, library);
        NvmlLibrary opened = new NvmlLibrary(library, symbols, simulated);
        int code = C.nvmlInit();
        if (code != 0) {
            opened.unload();
            throw new NvmlException("nvmlInit", code);
        }
        return opened;
    }

    private static List<String> names(String function) {
        List<String> names = new ArrayList<>();
        VERSIONS.getOrDefault(function, List.of("")).forEach(version -> names.add(function + version));
        Optional.ofNullable(BEFORE.get(function)).ifPresent(names::add);
        return names;
    }

    private static boolean has(NativeLibrary library, String symbol) {
        try {
            library.getFunction(symbol);
            return true;
        } catch (UnsatisfiedLinkError expected) { // JNA has no other way to ask
            return false;
        }
    }

    @Override
    public Optional<String> simulated() {
        return simulated;
    }

    @Override
    public String driverVersion() throws NvmlException {
        need("nvmlSystemGetDriverVersion");
        check("nvmlSystemGetDriverVersion", C.nvmlSystemGetDriverVersion(at(0), TEXT));
        return text(0);
    }

    @Override
    public int cudaVersion() throws NvmlException {
        need("nvmlSystemGetCudaDriverVersion");
        check("nvmlSystemGetCudaDriverVersion", C.nvmlSystemGetCudaDriverVersion(at(0)));
        return scratch.getInt(0);
    }

    @Override
    public int deviceCount() throws NvmlException {
        need("nvmlDeviceGetCount");
        check("nvmlDeviceGetCount", C.nvmlDeviceGetCount(at(0)));
        return scratch.getInt(0);
    }

    @Override
    public long device(int index) throws NvmlException {
        need("nvmlDeviceGetHandleByIndex");
        check("nvmlDeviceGetHandleByIndex", C.nvmlDeviceGetHandleByIndex(index, at(0)));
        return scratch.getLong(0);
    }

    @Override
    public OptionalLong instance(long device, int index) throws NvmlException {
        need("nvmlDeviceGetMigDeviceHandleByIndex");
        int code = C.nvmlDeviceGetMigDeviceHandleByIndex(device, index, at(0));
        if (code == NvmlException.NOT_FOUND || code == NvmlException.INVALID_ARGUMENT) {
            return OptionalLong.empty();
        }
        check("nvmlDeviceGetMigDeviceHandleByIndex", code);
        return OptionalLong.of(scratch.getLong(0));
    }

    @Override
    public String uuid(long device) throws NvmlException {
        need("nvmlDeviceGetUUID");
        check("nvmlDeviceGetUUID", C.nvmlDeviceGetUUID(device, at(0), TEXT));
        return text(0);
    }

    @Override
    public String name(long device) throws NvmlException {
        need("nvmlDeviceGetName");
        check("nvmlDeviceGetName", C.nvmlDeviceGetName(device, at(0), TEXT));
        return text(0);
    }

    @Override
    public String pciBusId(long device) throws NvmlException {
        need("nvmlDeviceGetPciInfo");
        scratch.clear(RECORDS * 2);
        check("nvmlDeviceGetPciInfo", C.nvmlDeviceGetPciInfo(device, at(0)));
        // v3: 16 characters with a short domain, five numbers, 32 characters with the full one
        return text("nvmlDeviceGetPciInfo_v3".equals(symbols.get("nvmlDeviceGetPciInfo")) ? 36 : 0);
    }

    @Override
    public OptionalLong quantity(long device, Quantity quantity) throws NvmlException {
        return switch (quantity) {
            case MINOR_NUMBER -> {
                need("nvmlDeviceGetMinorNumber");
                yield int32("nvmlDeviceGetMinorNumber", C.nvmlDeviceGetMinorNumber(device, at(0)));
            }
            case POWER_MILLIWATTS -> {
                need("nvmlDeviceGetPowerUsage");
                yield int32("nvmlDeviceGetPowerUsage", C.nvmlDeviceGetPowerUsage(device, at(0)));
            }
            case POWER_LIMIT_MILLIWATTS -> {
                need("nvmlDeviceGetEnforcedPowerLimit");
                yield int32("nvmlDeviceGetEnforcedPowerLimit", C.nvmlDeviceGetEnforcedPowerLimit(device, at(0)));
            }
            case ENERGY_MILLIJOULES -> {
                need("nvmlDeviceGetTotalEnergyConsumption");
                check("nvmlDeviceGetTotalEnergyConsumption", C.nvmlDeviceGetTotalEnergyConsumption(device, at(0)));
                yield int64(0);
            }
            case TEMPERATURE_CELSIUS -> {
                need("nvmlDeviceGetTemperature");
                yield int32("nvmlDeviceGetTemperature", C.nvmlDeviceGetTemperature(device, TEMPERATURE_OF_GPU, at(0)));
            }
            case SM_CLOCK_MEGAHERTZ -> {
                need("nvmlDeviceGetClockInfo");
                yield int32("nvmlDeviceGetClockInfo", C.nvmlDeviceGetClockInfo(device, CLOCK_OF_SM, at(0)));
            }
            case MEMORY_CLOCK_MEGAHERTZ -> {
                need("nvmlDeviceGetClockInfo");
                yield int32("nvmlDeviceGetClockInfo", C.nvmlDeviceGetClockInfo(device, CLOCK_OF_MEMORY, at(0)));
            }
            case FAN_PERCENT -> {
                need("nvmlDeviceGetFanSpeed");
                yield int32("nvmlDeviceGetFanSpeed", C.nvmlDeviceGetFanSpeed(device, at(0)));
            }
            case CLOCK_LIMITS -> {
                need("nvmlDeviceGetCurrentClocksEventReasons");
                check(
                        symbols.getOrDefault("nvmlDeviceGetCurrentClocksEventReasons", ""),
                        C.nvmlDeviceGetCurrentClocksEventReasons(device, at(0)));
                yield int64(0);
            }
            case PERSISTENCE_MODE -> {
                need("nvmlDeviceGetPersistenceMode");
                yield int32("nvmlDeviceGetPersistenceMode", C.nvmlDeviceGetPersistenceMode(device, at(0)));
            }
            case ACCOUNTING_MODE -> {
                need("nvmlDeviceGetAccountingMode");
                yield int32("nvmlDeviceGetAccountingMode", C.nvmlDeviceGetAccountingMode(device, at(0)));
            }
            case MIG_MODE -> {
                need("nvmlDeviceGetMigMode");
                yield int32("nvmlDeviceGetMigMode", C.nvmlDeviceGetMigMode(device, at(0), at(8)));
            }
            case MIG_DEVICES_AT_MOST -> {
                need("nvmlDeviceGetMaxMigDeviceCount");
                yield int32("nvmlDeviceGetMaxMigDeviceCount", C.nvmlDeviceGetMaxMigDeviceCount(device, at(0)));
            }
            case GPU_INSTANCE_ID -> {
                need("nvmlDeviceGetGpuInstanceId");
                yield int32("nvmlDeviceGetGpuInstanceId", C.nvmlDeviceGetGpuInstanceId(device, at(0)));
            }
            case COMPUTE_INSTANCE_ID -> {
                need("nvmlDeviceGetComputeInstanceId");
                yield int32("nvmlDeviceGetComputeInstanceId", C.nvmlDeviceGetComputeInstanceId(device, at(0)));
            }
            case MULTIPROCESSORS -> { // the first of several numbers
                need("nvmlDeviceGetAttributes");
                yield int32("nvmlDeviceGetAttributes", C.nvmlDeviceGetAttributes(device, at(0)));
            }
        };
    }

    /** Version 2: {@code u32 version, u64 total, reserved, free, used}; version 1: {@code u64 total, free, used}. */
    @Override
    public Memory memory(long device) throws NvmlException {
        if (symbols.containsKey("nvmlDeviceGetMemoryInfo_v2")) {
            scratch.setInt(0, MEMORY_V2_VERSION);
            int code = C.nvmlDeviceGetMemoryInfo_v2(device, at(0));
            if (code == 0) {
                return new Memory(int64(8), int64(32), int64(16));
            }
            if (!new NvmlException("nvmlDeviceGetMemoryInfo_v2", code).isForGood()) {
                throw new NvmlException("nvmlDeviceGetMemoryInfo_v2", code);
            }
        }
        need("nvmlDeviceGetMemoryInfo");
        check("nvmlDeviceGetMemoryInfo", C.nvmlDeviceGetMemoryInfo(device, at(0)));
        return new Memory(int64(0), int64(16), OptionalLong.empty());
    }

    /** A record: {@code u32 field, scope, i64 timestamp, latency, u32 type, result, union of 8 bytes}. */
    @Override
    public Map<Field, FieldAnswer> fields(long device, Set<Field> wanted) throws NvmlException {
        need("nvmlDeviceGetFieldValues");
        Map<Field, FieldAnswer> answers = new EnumMap<>(Field.class);
        if (wanted.isEmpty()) {
            return answers;
        }
        scratch.clear(RECORDS + (long) wanted.size() * FIELD_BYTES);
        long record = RECORDS;
        for (Field field : wanted) {
            scratch.setInt(record, field.number());
            boolean perLink = field == Field.NVLINK_SENT_KIBIBYTES || field == Field.NVLINK_RECEIVED_KIBIBYTES;
            scratch.setInt(record + 4, perLink ? ALL_LINKS : 0);
            record += FIELD_BYTES;
        }
        check("nvmlDeviceGetFieldValues", C.nvmlDeviceGetFieldValues(device, wanted.size(), at(RECORDS)));
        record = RECORDS;
        for (Field field : wanted) {
            int code = scratch.getInt(record + 28);
            answers.put(field, new FieldAnswer(code, code == 0 ? number(record) : OptionalLong.empty()));
            record += FIELD_BYTES;
        }
        return answers;
    }

    private OptionalLong number(long record) {
        return switch (scratch.getInt(record + 24)) {
            case 0 -> {
                double value = scratch.getDouble(record + 32);
                yield value >= 0 && value < TOO_LARGE ? OptionalLong.of((long) value) : OptionalLong.empty();
            }
            // some drivers write a sentinel of 64 bits under any type
            case 1, 5 -> scratch.getLong(record + 32) == -1 ? OptionalLong.empty() : int32(record + 32);
            case 2, 3, 4 -> int64(record + 32);
            case 6 -> OptionalLong.of(Short.toUnsignedLong(scratch.getShort(record + 32)));
            default -> OptionalLong.empty();
        };
    }

    /**
     * A sample: {@code u64 timestamp, union of 8 bytes}; which member the union holds is answered beside the count. How
     * many there can be is asked for once, and again when it became more.
     */
    @Override
    public List<Sample> samples(long device, Ring ring, long lastSeen) throws NvmlException {
        need("nvmlDeviceGetSamples");
        int kind = ring == Ring.GPU ? 1 : 2;
        Map<Long, Integer> capacities = Objects.requireNonNull(ringCapacities.get(ring));
        int capacity = 0;
        int code = NvmlException.INSUFFICIENT_SIZE;
        for (int i = 0; i < MOST_TRIES && code == NvmlException.INSUFFICIENT_SIZE; i++) {
            if (i > 0 || !capacities.containsKey(device)) {
                scratch.setInt(8, 0);
                check("nvmlDeviceGetSamples", C.nvmlDeviceGetSamples(device, kind, lastSeen, at(0), at(8), 0));
                capacities.put(device, scratch.getInt(8));
            }
            capacity = reserve(capacities.getOrDefault(device, 0), SAMPLE_BYTES);
            scratch.setInt(8, capacity);
            code = C.nvmlDeviceGetSamples(device, kind, lastSeen, at(0), at(8), at(RECORDS));
        }
        check("nvmlDeviceGetSamples", code);
        int valueType = scratch.getInt(0);
        int count = Math.min(scratch.getInt(8), capacity);
        List<Sample> samples = new ArrayList<>(Math.max(count, 0));
        // some hundred records for each GPU: copied at once, because each look through JNA is a call
        ByteBuffer records = ByteBuffer.wrap(scratch.getByteArray(RECORDS, Math.max(count, 0) * SAMPLE_BYTES))
                .order(ByteOrder.nativeOrder());
        for (int record = 0; record < records.capacity(); record += SAMPLE_BYTES) {
            double value =
                    switch (valueType) {
                        case 0 -> records.getDouble(record + 8);
                        case 1, 5 -> records.getInt(record + 8); // a percentage has no use for the sign bit
                        case 2, 3, 4 -> records.getLong(record + 8);
                        default -> -1;
                    };
            if (value >= 0 && value <= 100) {
                samples.add(new Sample(records.getLong(record), (int) Math.round(value)));
            }
        }
        return samples;
    }

    @Override
    public Rates rates(long device) throws NvmlException {
        need("nvmlDeviceGetUtilizationRates");
        check("nvmlDeviceGetUtilizationRates", C.nvmlDeviceGetUtilizationRates(device, at(0)));
        return new Rates(scratch.getInt(0), scratch.getInt(4));
    }

    /** A record: {@code u32 pid, u64 memory}, then by version two instance numbers and more. */
    @Override
    public List<Running> processes(long device, GpuProcess.Kind kind) throws NvmlException {
        String function =
                switch (kind) {
                    case COMPUTE -> "nvmlDeviceGetComputeRunningProcesses";
                    case GRAPHICS -> "nvmlDeviceGetGraphicsRunningProcesses";
                    case MPS -> "nvmlDeviceGetMPSComputeRunningProcesses";
                };
        need(function);
        int capacity = 0;
        int code = NvmlException.INSUFFICIENT_SIZE;
        for (int i = 0; i < MOST_TRIES && code == NvmlException.INSUFFICIENT_SIZE; i++) {
            int there = i == 0 ? 0 : scratch.getInt(0); // how many there were; more may come
            capacity =
                    reserve(Math.max(USUAL_PROCESSES, there > LARGEST_SCRATCH ? there : there * 2 + 5), LARGEST_STRIDE);
            code = processes(kind, device, capacity);
        }
        check(function, code);
        int count = Math.min(scratch.getInt(0), capacity);
        int usual = function.equals(symbols.get(function)) ? 16 : 24;
        int stride = stride(scratch.getByteArray(RECORDS, capacity * LARGEST_STRIDE), count, usual);
        List<Running> processes = new ArrayList<>(Math.max(count, 0));
        for (int i = 0; i < count; i++) {
            long record = RECORDS + (long) i * stride;
            processes.add(new Running(
                    scratch.getInt(record),
                    int64(record + 8),
                    stride == 16 ? OptionalInt.empty() : instanceId(record + 16),
                    stride == 16 ? OptionalInt.empty() : instanceId(record + 20)));
        }
        return processes;
    }

    private OptionalInt instanceId(long offset) {
        int id = scratch.getInt(offset);
        return id == NO_INSTANCE ? OptionalInt.empty() : OptionalInt.of(id);
    }

    private int processes(GpuProcess.Kind kind, long device, int capacity) {
        scratch.setInt(0, capacity);
        scratch.setMemory(RECORDS, (long) capacity * LARGEST_STRIDE, UNTOUCHED);
        return switch (kind) {
            case COMPUTE -> C.nvmlDeviceGetComputeRunningProcesses(device, at(0), at(RECORDS));
            case GRAPHICS -> C.nvmlDeviceGetGraphicsRunningProcesses(device, at(0), at(RECORDS));
            case MPS -> C.nvmlDeviceGetMPSComputeRunningProcesses(device, at(0), at(RECORDS));
        };
    }

    /** Bytes per record: the smallest known size at which {@code count} records reach to the last byte touched. */
    static int stride(byte[] records, int count, int usual) {
        int touched = records.length;
        while (touched > 0 && records[touched - 1] == UNTOUCHED) {
            touched--;
        }
        for (int stride : PROCESS_STRIDES) {
            if ((long) stride * count >= touched) {
                return stride;
            }
        }
        return usual;
    }

    /** A record: {@code u32 pid, u64 timestamp, u32 sm, memory, encoder, decoder}. */
    @Override
    public List<Share> shares(long device, long lastSeen) throws NvmlException {
        need("nvmlDeviceGetProcessUtilization");
        int capacity = 0;
        int code = NvmlException.INSUFFICIENT_SIZE;
        for (int i = 0; i < MOST_TRIES && code == NvmlException.INSUFFICIENT_SIZE; i++) {
            if (i > 0 || shareCapacity == 0) {
                scratch.setInt(0, 0);
                int sized = C.nvmlDeviceGetProcessUtilization(device, 0, at(0), lastSeen);
                if (sized != NvmlException.INSUFFICIENT_SIZE) {
                    check("nvmlDeviceGetProcessUtilization", sized);
                }
                shareCapacity = scratch.getInt(0);
            }
            capacity = reserve(shareCapacity, SHARE_BYTES);
            if (capacity == 0) {
                return List.of();
            }
            scratch.setInt(0, capacity);
            code = C.nvmlDeviceGetProcessUtilization(device, at(RECORDS), at(0), lastSeen);
        }
        check("nvmlDeviceGetProcessUtilization", code);
        int count = Math.min(scratch.getInt(0), capacity);
        List<Share> shares = new ArrayList<>(Math.max(count, 0));
        for (int i = 0; i < count; i++) {
            long record = RECORDS + (long) i * SHARE_BYTES;
            shares.add(new Share(scratch.getInt(record), scratch.getLong(record + 8), scratch.getInt(record + 16)));
        }
        return shares;
    }

    /** {@code u32 version, supported}. */
    @Override
    public boolean hasCounters(long device) throws NvmlException {
        need("nvmlGpmQueryDeviceSupport");
        scratch.setInt(0, GPM_VERSION);
        scratch.setInt(4, 0);
        check("nvmlGpmQueryDeviceSupport", C.nvmlGpmQueryDeviceSupport(device, at(0)));
        return scratch.getInt(4) == 1;
    }

    @Override
    public long newLook() throws NvmlException {
        need("nvmlGpmSampleAlloc");
        need("nvmlGpmSampleFree");
        check("nvmlGpmSampleAlloc", C.nvmlGpmSampleAlloc(at(0)));
        return scratch.getLong(0);
    }

    @Override
    public void freeLook(long look) {
        C.nvmlGpmSampleFree(look); // whatever it answers, we are done with it
    }

    @Override
    public void look(long device, OptionalInt gpuInstance, long look) throws NvmlException {
        if (gpuInstance.isPresent()) {
            need("nvmlGpmMigSampleGet");
            check("nvmlGpmMigSampleGet", C.nvmlGpmMigSampleGet(device, gpuInstance.getAsInt(), look));
        } else {
            need("nvmlGpmSampleGet");
            check("nvmlGpmSampleGet", C.nvmlGpmSampleGet(device, look));
        }
    }

    /**
     * A request: {@code u32 version, count, two samples}, then for each metric {@code u32 number, result, double value,
     * three texts}.
     */
    @Override
    public Map<Metric, Double> between(long earlier, long later, Set<Metric> wanted) throws NvmlException {
        need("nvmlGpmMetricsGet");
        scratch.clear(METRICS + (long) wanted.size() * METRIC_BYTES);
        scratch.setInt(0, GPM_VERSION);
        scratch.setInt(4, wanted.size());
        scratch.setLong(8, earlier);
        scratch.setLong(16, later);
        long record = METRICS;
        for (Metric metric : wanted) {
            scratch.setInt(record, metric.number());
            record += METRIC_BYTES;
        }
        check("nvmlGpmMetricsGet", C.nvmlGpmMetricsGet(at(0)));
        Map<Metric, Double> answers = new EnumMap<>(Metric.class);
        record = METRICS;
        for (Metric metric : wanted) {
            if (scratch.getInt(record + 4) == 0) {
                answers.put(metric, scratch.getDouble(record + 8));
            }
            record += METRIC_BYTES;
        }
        return answers;
    }

    @Override
    public Xids xids(List<Long> devices) throws NvmlException {
        need("nvmlEventSetCreate");
        need("nvmlDeviceRegisterEvents");
        need("nvmlEventSetWait");
        need("nvmlEventSetFree");
        check("nvmlEventSetCreate", C.nvmlEventSetCreate(at(0)));
        long set = scratch.getLong(0);
        Set<Long> covered = new HashSet<>();
        for (long device : devices) {
            if (C.nvmlDeviceRegisterEvents(device, EVENT_XID, set) == 0) {
                covered.add(device);
            }
        }
        if (covered.isEmpty()) {
            C.nvmlEventSetFree(set);
            throw new NvmlException("nvmlDeviceRegisterEvents", NvmlException.NOT_SUPPORTED);
        }
        return new Events(set, Set.copyOf(covered));
    }

    /** An event: {@code device, u64 kind, data}, then by version two instance numbers. */
    private static final class Events implements Xids {
        private final long set;
        private final Set<Long> covered;
        private final com.sun.jna.Memory event = new com.sun.jna.Memory(EVENT_BYTES);

        Events(long set, Set<Long> covered) {
            this.set = set;
            this.covered = covered;
        }

        @Override
        public boolean covers(long device) {
            return covered.contains(device);
        }

        @Override
        public Optional<Xid> await(int milliseconds) throws NvmlException {
            int code = C.nvmlEventSetWait(set, Pointer.nativeValue(event), milliseconds);
            if (code == NvmlException.TIMEOUT) {
                return Optional.empty();
            }
            check("nvmlEventSetWait", code);
            long xid = event.getLong(16);
            return event.getLong(8) == EVENT_XID && xid >= 0 && xid <= Integer.MAX_VALUE
                    ? Optional.of(new Xid(event.getLong(0), (int) xid))
                    : Optional.empty();
        }

        @Override
        public void close() {
            C.nvmlEventSetFree(set);
        }
    }

    @Override
    public void close() {
        if (symbols.containsKey("nvmlShutdown")) {
            C.nvmlShutdown(); // whatever it answers, we are done with it
        }
        unload();
    }

    private void unload() {
        Native.unregister(C.class);
        library.close();
    }

    private void need(String function) throws NvmlException {
        if (!symbols.containsKey(function)) {
            throw new NvmlException(function, NvmlException.FUNCTION_NOT_FOUND);
        }
    }

    private static void check(String function, int code) throws NvmlException {
        if (code != 0) {
            throw new NvmlException(function, code);
        }
    }

    private long at(int offset) {
        return Pointer.nativeValue(scratch) + offset;
    }

    private String text(int offset) {
        byte[] bytes = scratch.getByteArray(offset, TEXT);
        int end = 0;
        while (end < bytes.length && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, 0, end, StandardCharsets.UTF_8);
    }

    private OptionalLong int32(String function, int code) throws NvmlException {
        check(function, code);
        return int32(0);
    }

    private OptionalLong int32(long offset) {
        int value = scratch.getInt(offset);
        return value < 0 || value >= TOO_LARGE_32 ? OptionalLong.empty() : OptionalLong.of(value);
    }

    /** NVML says "not available" with all bits set; anything near is as little a number of bytes or millijoules. */
    private OptionalLong int64(long offset) {
        long value = scratch.getLong(offset);
        return value < 0 || value >= TOO_LARGE ? OptionalLong.empty() : OptionalLong.of(value);
    }

    /** Makes room for so many records, or for as many as sanity allows, and says for how many. */
    private int reserve(int records, int recordBytes) {
        int capacity = Math.max(0, Math.min(records, (LARGEST_SCRATCH - RECORDS) / recordBytes));
        long bytes = RECORDS + (long) capacity * recordBytes;
        if (bytes > scratch.size()) {
            long header = scratch.getLong(0);
            scratch.close();
            scratch = new com.sun.jna.Memory(bytes);
            scratch.setLong(0, header);
        }
        return capacity;
    }
}
