package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.wire.GpuProcess.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A driver that says what the test wants. GPUs' handles are index + 100, instances' what the test gives them; what is
 * not given is not supported.
 */
final class FakeNvml implements Nvml {
    /** A GPU or an instance. */
    static final class Device {
        final Map<Ring, TreeMap<Long, Integer>> rings = new HashMap<>();
        final Map<Quantity, OptionalLong> quantities = new HashMap<>();
        final Map<Field, FieldAnswer> fields = new EnumMap<>(Field.class);
        final Map<Kind, List<Running>> processes = new HashMap<>();
        final Map<Kind, Integer> listsRead = new EnumMap<>(Kind.class);
        final List<Share> shares = new ArrayList<>();
        final Map<Integer, Long> instances = new TreeMap<>();
        Optional<Rates> rates = Optional.empty();
        Optional<Memory> memory = Optional.empty();
        Map<Metric, Double> metrics = Map.of();
        String uuid = "";
        String name = "Fake";
        boolean sharesSupported;
        boolean countersSupported;
        int failWith;
        int lookFailsWith;

        @Nullable
        Field refusedBatches;

        @Nullable
        Kind failingList;

        /** Adds a sample to both rings. */
        Device sample(long timestamp, int percent) {
            rings.computeIfAbsent(Ring.GPU, r -> new TreeMap<>()).put(timestamp, percent);
            rings.computeIfAbsent(Ring.MEMORY, r -> new TreeMap<>()).put(timestamp, percent / 2);
            return this;
        }

        Device field(Field field, long value) {
            fields.put(field, new FieldAnswer(0, OptionalLong.of(value)));
            return this;
        }
    }

    final List<Device> devices = new ArrayList<>();
    final Map<Long, Device> instances = new HashMap<>();
    final List<Set<Field>> fieldsAsked = new ArrayList<>();
    final Set<Long> looks = new HashSet<>();
    final List<String> pairs = new ArrayList<>();
    Optional<String> simulated = Optional.empty();
    Optional<Events> events = Optional.empty();
    int failWith;
    int opened;
    int closed;
    int ringCalls;
    private long nextLook = 1000;

    FakeNvml(int count) {
        for (int i = 0; i < count; i++) {
            devices.add(new Device());
        }
    }

    Nvml open() {
        opened++;
        return this;
    }

    /** Cuts a GPU; the instance tells its ids and nothing else. */
    Device instance(int gpu, int index, long handle, int gpuInstance, String uuid) {
        Device device = new Device();
        device.uuid = uuid;
        device.name = "Fake MIG 1g.10gb";
        device.quantities.put(Quantity.GPU_INSTANCE_ID, OptionalLong.of(gpuInstance));
        device.quantities.put(Quantity.COMPUTE_INSTANCE_ID, OptionalLong.of(0));
        instances.put(handle, device);
        devices.get(gpu).instances.put(index, handle);
        devices.get(gpu).quantities.put(Quantity.MIG_MODE, OptionalLong.of(1));
        devices.get(gpu).quantities.put(Quantity.MIG_DEVICES_AT_MOST, OptionalLong.of(7));
        return device;
    }

    private Device at(long handle) throws NvmlException {
        if (failWith != 0) {
            throw new NvmlException("call", failWith);
        }
        Device device = instances.get(handle);
        if (device == null) {
            int index = (int) handle - 100;
            if (index < 0 || index >= devices.size()) {
                throw new NvmlException("call", NvmlException.INVALID_ARGUMENT);
            }
            device = devices.get(index);
        }
        if (device.failWith != 0) {
            throw new NvmlException("call", device.failWith);
        }
        return device;
    }

    private static <T> T given(Optional<T> value) throws NvmlException {
        if (value.isEmpty()) {
            throw new NvmlException("call", NvmlException.NOT_SUPPORTED);
        }
        return value.get();
    }

    @Override
    public Optional<String> simulated() {
        return simulated;
    }

    @Override
    public String driverVersion() {
        return "535.1";
    }

    @Override
    public int cudaVersion() {
        return 12020;
    }

    @Override
    public int deviceCount() {
        return devices.size();
    }

    @Override
    public long device(int index) throws NvmlException {
        at(index + 100L);
        return index + 100L;
    }

    @Override
    public OptionalLong instance(long device, int index) throws NvmlException {
        Long handle = at(device).instances.get(index);
        return handle == null ? OptionalLong.empty() : OptionalLong.of(handle);
    }

    @Override
    public String uuid(long device) throws NvmlException {
        Device at = at(device);
        return at.uuid.isEmpty() ? "GPU-" + (device - 100) : at.uuid;
    }

    @Override
    public String name(long device) throws NvmlException {
        return at(device).name;
    }

    @Override
    public String pciBusId(long device) throws NvmlException {
        throw new NvmlException("nvmlDeviceGetPciInfo", NvmlException.FUNCTION_NOT_FOUND);
    }

    @Override
    public OptionalLong quantity(long device, Quantity quantity) throws NvmlException {
        return given(Optional.ofNullable(at(device).quantities.get(quantity)));
    }

    @Override
    public Map<Field, FieldAnswer> fields(long device, Set<Field> wanted) throws NvmlException {
        Device at = at(device);
        fieldsAsked.add(Set.copyOf(wanted));
        if (at.refusedBatches != null && wanted.contains(at.refusedBatches)) {
            throw new NvmlException("nvmlDeviceGetFieldValues", NvmlException.INVALID_ARGUMENT);
        }
        Map<Field, FieldAnswer> answers = new EnumMap<>(Field.class);
        FieldAnswer unknown = new FieldAnswer(NvmlException.NOT_SUPPORTED, OptionalLong.empty());
        wanted.forEach(field -> answers.put(field, at.fields.getOrDefault(field, unknown)));
        return answers;
    }

    @Override
    public Memory memory(long device) throws NvmlException {
        return given(at(device).memory);
    }

    @Override
    public List<Sample> samples(long device, Ring ring, long lastSeen) throws NvmlException {
        ringCalls++;
        TreeMap<Long, Integer> samples =
                given(Optional.ofNullable(at(device).rings.get(ring)));
        if (samples.tailMap(lastSeen, false).isEmpty()) {
            throw new NvmlException("nvmlDeviceGetSamples", NvmlException.NOT_FOUND);
        }
        List<Sample> all = new ArrayList<>(); // as some drivers do, with what was asked for before
        samples.forEach((timestamp, percent) -> all.add(new Sample(timestamp, percent)));
        return all;
    }

    @Override
    public Rates rates(long device) throws NvmlException {
        return given(at(device).rates);
    }

    @Override
    public List<Running> processes(long device, Kind kind) throws NvmlException {
        at(device).listsRead.merge(kind, 1, Integer::sum);
        if (at(device).failingList == kind) {
            throw new NvmlException("nvmlDeviceGetComputeRunningProcesses", NvmlException.TIMEOUT);
        }
        return given(Optional.ofNullable(at(device).processes.get(kind)));
    }

    @Override
    public List<Share> shares(long device, long lastSeen) throws NvmlException {
        if (!at(device).sharesSupported) {
            throw new NvmlException("nvmlDeviceGetProcessUtilization", NvmlException.NOT_SUPPORTED);
        }
        List<Share> fresh = at(device).shares.stream()
                .filter(share -> share.timestamp() > lastSeen)
                .toList();
        if (fresh.isEmpty()) {
            throw new NvmlException("nvmlDeviceGetProcessUtilization", NvmlException.NOT_FOUND);
        }
        return fresh;
    }

    @Override
    public boolean hasCounters(long device) throws NvmlException {
        return at(device).countersSupported;
    }

    @Override
    public long newLook() {
        looks.add(++nextLook);
        return nextLook;
    }

    @Override
    public void freeLook(long look) {
        if (!looks.remove(look)) {
            throw new IllegalStateException("freed twice: " + look);
        }
    }

    @Override
    public void look(long device, OptionalInt gpuInstance, long look) throws NvmlException {
        Device at = at(device);
        if (!looks.contains(look)) {
            throw new IllegalStateException("no such look: " + look);
        }
        if (at.lookFailsWith != 0) {
            throw new NvmlException("nvmlGpmSampleGet", at.lookFailsWith);
        }
    }

    /** The metrics of the first GPU that has any; which looks made the pair is kept. */
    @Override
    public Map<Metric, Double> between(long earlier, long later, Set<Metric> wanted) {
        if (!looks.contains(earlier) || !looks.contains(later)) {
            throw new IllegalStateException("no such looks: " + earlier + ", " + later);
        }
        pairs.add(earlier + "-" + later);
        Map<Metric, Double> answers = new EnumMap<>(Metric.class);
        devices.stream()
                .map(device -> device.metrics)
                .max(Comparator.comparingInt(Map::size))
                .orElseThrow()
                .forEach((metric, value) -> {
                    if (wanted.contains(metric)) {
                        answers.put(metric, value);
                    }
                });
        return answers;
    }

    @Override
    public Xids xids(List<Long> handles) throws NvmlException {
        return given(events.map(list -> {
            list.open = true;
            return list;
        }));
    }

    /** XIDs of all GPUs, in the order in which the test says them. */
    static final class Events implements Xids {
        private final BlockingQueue<Xid> said = new LinkedBlockingQueue<>();
        private int idle;
        private @Nullable NvmlException failure;
        private boolean hang;
        private boolean hangs;
        boolean open;

        /** Says them, and returns when they were heard. */
        synchronized void say(Xid... xids) throws InterruptedException {
            said.addAll(List.of(xids));
            idle = 0;
            waitFor(() -> idle > 0);
        }

        synchronized void fail(int code) {
            failure = new NvmlException("nvmlEventSetWait", code);
        }

        synchronized void waitUntilClosed() throws InterruptedException {
            waitFor(() -> !open);
        }

        /** Lets the next wait hang, and returns when it does. */
        synchronized void hang() throws InterruptedException {
            hang = true;
            waitFor(() -> hangs);
        }

        synchronized void goOn() {
            hang = false;
            notifyAll();
        }

        private void waitFor(BooleanSupplier condition) throws InterruptedException {
            while (!condition.getAsBoolean()) {
                wait();
            }
        }

        @Override
        public boolean covers(long device) {
            return true;
        }

        @Override
        public Optional<Xid> await(int milliseconds) throws NvmlException {
            try {
                synchronized (this) {
                    hangs = hang;
                    notifyAll();
                    waitFor(() -> !hang);
                    if (failure != null) {
                        throw failure;
                    }
                    if (said.isEmpty()) {
                        idle++;
                        notifyAll();
                    }
                }
                return Optional.ofNullable(said.poll(10, TimeUnit.MILLISECONDS));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return Optional.empty();
            }
        }

        @Override
        public synchronized void close() {
            open = false;
            notifyAll();
        }
    }

    @Override
    public void close() {
        if (!looks.isEmpty()) {
            throw new IllegalStateException("not given back: " + looks);
        }
        if (events.isPresent() && events.get().open) {
            throw new IllegalStateException("closed while somebody listens");
        }
        closed++;
    }
}
