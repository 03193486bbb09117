package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.wire.GpuProcess.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/** A driver that says what the test wants. Handles are index + 100; what is not given is not supported. */
final class FakeNvml implements Nvml {
    /** One device. */
    static final class Device {
        final Map<Ring, TreeMap<Long, Integer>> rings = new HashMap<>();
        final Map<Quantity, OptionalLong> quantities = new HashMap<>();
        final Map<Kind, List<Running>> processes = new HashMap<>();
        final List<Share> shares = new ArrayList<>();
        Optional<Rates> rates = Optional.empty();
        Optional<Memory> memory = Optional.empty();
        boolean sharesSupported;
        int failWith;

        /** Adds a sample to both rings. */
        Device sample(long timestamp, int percent) {
            rings.computeIfAbsent(Ring.GPU, r -> new TreeMap<>()).put(timestamp, percent);
            rings.computeIfAbsent(Ring.MEMORY, r -> new TreeMap<>()).put(timestamp, percent / 2);
            return this;
        }
    }

    final List<Device> devices = new ArrayList<>();
    Optional<String> simulated = Optional.empty();
    int failWith;
    int opened;
    int closed;
    int ringCalls;

    FakeNvml(int count) {
        for (int i = 0; i < count; i++) {
            devices.add(new Device());
        }
    }

    Nvml open() {
        opened++;
        return this;
    }

    private Device at(long handle) throws NvmlException {
        if (failWith != 0) {
            throw new NvmlException("call", failWith);
        }
        Device device = devices.get((int) handle - 100);
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
    public int deviceCount() {
        return devices.size();
    }

    @Override
    public long device(int index) throws NvmlException {
        at(index + 100L);
        return index + 100L;
    }

    @Override
    public String uuid(long device) {
        return "GPU-" + (device - 100);
    }

    @Override
    public String name(long device) {
        return "Fake";
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
    public void close() {
        closed++;
    }
}
