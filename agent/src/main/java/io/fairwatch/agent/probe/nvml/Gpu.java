package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.probe.nvml.Nvml.Field;
import io.fairwatch.agent.probe.nvml.Nvml.Metric;
import io.fairwatch.agent.probe.nvml.Nvml.Quantity;
import io.fairwatch.agent.probe.nvml.Nvml.Ring;
import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDetail.Health;
import io.fairwatch.agent.wire.GpuDetail.Traffic;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.Utilization;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One GPU in one session with the driver, its MIG instances, and what it did since the last reading. Confined to the
 * probe.
 */
final class Gpu {
    /** How often errors, replaced memory and the power limit are asked for. */
    static final Duration SLOWLY = Duration.ofMinutes(5);

    /** What may be not supported, each by itself, beside quantities and fields. */
    private enum Ask {
        MEMORY,
        GPU_RING,
        MEMORY_RING,
        RATES,
        SHARES,
        COUNTERS,
        NAME,
        PCI_BUS_ID
    }

    /** A process's share, summed over the stretches of a period. */
    private static final class ShareTally {
        double sum;
    }

    /** A counter as it stood at some time. */
    private record Counted(long value, long nanos) {}

    private static final Logger log = LoggerFactory.getLogger(Gpu.class);
    private static final Set<Field> OFTEN = EnumSet.of(Field.MEMORY_TEMPERATURE_CELSIUS, Field.ENERGY_MILLIJOULES);
    private static final Set<Field> RARELY = EnumSet.of(
            Field.ECC_CORRECTED,
            Field.ECC_UNCORRECTED,
            Field.ECC_CORRECTED_EVER,
            Field.ECC_UNCORRECTED_EVER,
            Field.PAGES_RETIRED_FOR_SINGLE_BITS,
            Field.PAGES_RETIRED_FOR_DOUBLE_BITS,
            Field.PAGES_WAIT_FOR_RESET,
            Field.ROWS_REMAPPED_CORRECTABLE,
            Field.ROWS_REMAPPED_UNCORRECTABLE,
            Field.ROWS_WAIT_FOR_RESET,
            Field.PCIE_REPLAYS,
            Field.RECOVERY_ACTION);
    private static final Set<Field> TRAFFIC = EnumSet.of(
            Field.NVLINK_SENT_KIBIBYTES,
            Field.NVLINK_RECEIVED_KIBIBYTES,
            Field.PCIE_SENT_BYTES,
            Field.PCIE_RECEIVED_BYTES);
    private static final Set<Metric> METRICS = EnumSet.allOf(Metric.class);

    private static final Health NO_HEALTH = new Health(
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            Optional.empty(),
            OptionalLong.empty(),
            Optional.empty(),
            OptionalInt.empty());
    private static final Traffic NO_TRAFFIC =
            new Traffic(OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.empty());
    private static final GpuDetail NOTHING = new GpuDetail(
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty());

    /** NVML says that this counter may wrap, not where: below 32 bits it may have done so many times. */
    private static final long PCIE_MAY_WRAP = 1L << 32;

    private static final long DRAIN = 3;
    private static final long MOST_FAN_PERCENT = 1000;
    private static final int MOST_INSTANCES = 64;
    private static final int MOST_XIDS = 256;
    private static final long SAME_CLOCK_MICROS = 60_000_000;
    private static final double SHORTEST_STRETCH_SECONDS = 1;

    private final Nvml nvml;
    private final long handle;
    private final GpuDevice device;
    private final Asked asked = new Asked();
    private final ProcessList processes;
    private final Counters counters;
    private boolean answering = true;

    private boolean partitioned;
    private List<Instance> instances = List.of();

    private final Map<Ring, Long> ringSeen = new EnumMap<>(Map.of(Ring.GPU, 0L, Ring.MEMORY, 0L));
    private long sharesSeen;
    private boolean oneClock;
    private long polledNanos;
    private UtilizationTally utilization = new UtilizationTally();
    private UtilizationTally memoryUtilization = new UtilizationTally();
    private final Map<Integer, ShareTally> shares = new HashMap<>();
    private double sharesSeconds;
    private boolean sharesTold;

    private final Map<Field, Counted> counted = new EnumMap<>(Field.class);
    private final Map<Field, Long> rare = new EnumMap<>(Field.class);
    private OptionalDouble powerLimitWatts = OptionalDouble.empty();
    private long rarelyNanos;
    private final long rarelyAfterNanos;
    private boolean rarelyRead;

    private boolean hasXids;
    private final List<Integer> xids = new ArrayList<>();
    /** What the last reading told. */
    private List<Integer> toldXids = List.of();

    private OptionalInt lastXid = OptionalInt.empty();

    /**
     * Takes stock of a device; its history up to here counts for nothing.
     *
     * @param of how many GPUs there are, over which the rare questions are spread
     */
    Gpu(Nvml nvml, int index, int of, long nowNanos) throws NvmlException {
        this.nvml = nvml;
        this.handle = nvml.device(index);
        OptionalLong minor = quantity(Quantity.MINOR_NUMBER);
        this.device = new GpuDevice(
                nvml.uuid(handle),
                index,
                minor.isPresent() ? OptionalInt.of((int) minor.getAsLong()) : OptionalInt.empty(),
                asked.ask(Ask.PCI_BUS_ID, () -> nvml.pciBusId(handle)).filter(id -> !id.isEmpty()),
                asked.ask(Ask.NAME, () -> nvml.name(handle)).map(Gpu::printable).orElse("unknown"),
                asked.ask(Ask.MEMORY, () -> nvml.memory(handle))
                        .map(Nvml.Memory::total)
                        .orElse(OptionalLong.empty()),
                Optional.empty());
        this.processes = new ProcessList(nvml, handle, Optional.empty(), asked);
        this.counters = new Counters(nvml, handle, OptionalInt.empty());
        this.rarelyAfterNanos = SLOWLY.toNanos() * (index + 1) / Math.max(of, 1);
        findInstances();
        drain(nowNanos);
        forgetPeriod();
    }

    /** Text from the driver, as a snapshot takes it. */
    static String printable(String text) {
        return text.replaceAll("\\p{Cntrl}", "?");
    }

    long handle() {
        return handle;
    }

    GpuDevice device() {
        return device;
    }

    /** Those that the last reading found, or taking stock. */
    List<Instance> instances() {
        return instances;
    }

    /** Whether the last call found the device there. */
    boolean answering() {
        return answering;
    }

    void answering(boolean now) {
        answering = now;
    }

    /** Says that XIDs of this GPU will be told from now on. */
    void listening() {
        hasXids = true;
    }

    /** Notes an error that the driver reported, and says whether it is the first of its kind in this period. */
    boolean hear(int xid) {
        boolean first = !xids.contains(xid);
        lastXid = OptionalInt.of(xid);
        if (xids.size() < MOST_XIDS) {
            xids.add(xid);
        }
        return first;
    }

    /** XIDs that no reading has told. */
    List<Integer> untoldXids() {
        return List.copyOf(xids);
    }

    /** What is read from now on is another reading than the last one, which was received. */
    void beginReading() {
        toldXids = List.of();
    }

    /** What was told last reached nobody. */
    void tellXidsAgain() {
        List<Integer> since = List.copyOf(xids);
        xids.clear();
        toldXids.forEach(this::hear);
        since.forEach(this::hear);
        toldXids = List.of();
    }

    private void xidsAreTold() {
        toldXids = List.copyOf(xids);
        xids.clear();
    }

    /** Empties the driver's rings into this period's sums. */
    void drain(long nowNanos) throws NvmlException {
        double seconds = (nowNanos - polledNanos) / 1e9;
        polledNanos = nowNanos;
        if (partitioned) {
            return;
        }
        boolean gpu = drain(Ask.GPU_RING, Ring.GPU, utilization, seconds);
        boolean memory = drain(Ask.MEMORY_RING, Ring.MEMORY, memoryUtilization, seconds);
        boolean lookAtGpu = !gpu && isWorthALook(utilization, seconds);
        boolean lookAtMemory = !memory && isWorthALook(memoryUtilization, seconds);
        if (lookAtGpu || lookAtMemory) {
            Optional<Nvml.Rates> rates = asked.ask(Ask.RATES, () -> nvml.rates(handle));
            rates.filter(r -> lookAtGpu).ifPresent(r -> utilization.addLook(r.gpuPercent(), seconds));
            rates.filter(r -> lookAtMemory).ifPresent(r -> memoryUtilization.addLook(r.memoryPercent(), seconds));
        }
        drainShares(seconds);
    }

    /** A stretch shorter than the driver's own sampling has an empty ring, and means nothing beside longer ones. */
    private static boolean isWorthALook(UtilizationTally tally, double seconds) {
        return seconds >= SHORTEST_STRETCH_SECONDS || tally.isEmpty();
    }

    private boolean drain(Ask ask, Ring ring, UtilizationTally tally, double seconds) throws NvmlException {
        long seen = ringSeen.getOrDefault(ring, 0L);
        List<Nvml.Sample> all =
                asked.ask(ask, () -> nvml.samples(handle, ring, seen)).orElse(List.of());
        long newest = tally.addRing(all, seen, seconds);
        if (newest == seen) {
            return false;
        }
        ringSeen.put(ring, newest);
        return true;
    }

    /**
     * The driver names the processes that were active since a timestamp, with their mean since then; the others were
     * not. Nobody active means no timestamp to go on from, so the ring's takes its place where both are seen to run by
     * one clock; else the first stretch after a pause is understated.
     */
    private void drainShares(double seconds) throws NvmlException {
        long seen = sharesSeen;
        Optional<List<Nvml.Share>> active = asked.ask(Ask.SHARES, () -> nvml.shares(handle, seen));
        sharesSeconds += seconds;
        long ringNow = ringSeen.getOrDefault(Ring.GPU, 0L);
        if (active.isPresent()) {
            sharesTold = true;
            Map<Integer, Nvml.Share> newest = new HashMap<>();
            for (Nvml.Share share : active.get()) {
                if (share.timestamp() > seen && share.percent() >= 0 && share.percent() <= 100) {
                    newest.merge(share.pid(), share, (a, b) -> a.timestamp() >= b.timestamp() ? a : b);
                    sharesSeen = Math.max(sharesSeen, share.timestamp());
                    oneClock = Math.abs(share.timestamp() - ringNow) < SAME_CLOCK_MICROS;
                }
            }
            newest.forEach((pid, share) ->
                    shares.computeIfAbsent(pid, p -> new ShareTally()).sum += share.percent() / 100.0 * seconds);
        }
        if (oneClock) {
            sharesSeen = Math.max(sharesSeen, ringNow);
        }
    }

    /** Sums the period up, reads the rest of the GPU and its instances, and begins a new period. */
    List<GpuReading> read(long nowNanos, ProcessLookup lookup) throws NvmlException {
        findInstances();
        drain(nowNanos);
        Map<Metric, Double> metrics = partitioned
                ? Map.of()
                : asked.ask(Ask.COUNTERS, () -> counters.read(nowNanos, METRICS))
                        .orElse(Map.of());
        Map<Field, Long> fields = readFields(nowNanos);
        Optional<Utilization> busy = utilization.total();
        Optional<Nvml.Memory> memory =
                partitioned ? Optional.empty() : asked.ask(Ask.MEMORY, () -> nvml.memory(handle));
        List<GpuReading> readings = new ArrayList<>();
        readings.add(new GpuReading(
                device,
                busy,
                memoryUtilization.total(),
                memory.map(Nvml.Memory::used).orElse(OptionalLong.empty()),
                memory.map(Nvml.Memory::reserved).orElse(OptionalLong.empty()),
                times(quantity(Quantity.POWER_MILLIWATTS), 1e-3),
                powerLimitWatts,
                times(energy(fields), 1e-3),
                times(quantity(Quantity.TEMPERATURE_CELSIUS), 1),
                times(quantity(Quantity.SM_CLOCK_MEGAHERTZ), 1e6),
                partitioned ? Optional.empty() : processes(lookup, busy),
                detail(nowNanos, fields, metrics)));
        for (Instance instance : instances) {
            boolean alone = instances.stream()
                    .allMatch(other -> other == instance || other.gpuInstanceId() != instance.gpuInstanceId());
            readings.add(instance.read(nowNanos, lookup, alone));
        }
        forgetPeriod();
        xidsAreTold();
        return readings;
    }

    /** What the driver said of a GPU that does not answer any more, which is likely why; empty: nothing. */
    Optional<GpuReading> lastWords() {
        if (xids.isEmpty()) {
            return Optional.empty();
        }
        GpuReading words = new GpuReading(
                device,
                Optional.empty(),
                Optional.empty(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                Optional.empty(),
                Optional.of(new GpuDetail(
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        health())));
        xidsAreTold();
        return Optional.of(words);
    }

    /** Gives back what the driver keeps for this object. */
    void close() {
        counters.close();
        instances.forEach(Instance::close);
        instances = List.of();
    }

    /**
     * An administrator may cut a GPU into other pieces at any time; their handles die then. An instance is the same as
     * long as index, handle and uuid are.
     */
    private void findInstances() throws NvmlException {
        OptionalLong mode = quantity(Quantity.MIG_MODE);
        boolean now = mode.isPresent() ? mode.getAsLong() == 1 : partitioned; // one failure does not glue it together
        if (now != partitioned) {
            partitioned = now;
            asked.forget(); // a GPU answers other questions then
            counters.close();
            forgetPeriod();
        }
        if (!partitioned && instances.isEmpty()) {
            return;
        }
        Map<String, Instance> before = new LinkedHashMap<>();
        instances.forEach(instance -> before.put(instance.device().uuid(), instance));
        List<Instance> found = new ArrayList<>();
        long most =
                partitioned ? Math.min(quantity(Quantity.MIG_DEVICES_AT_MOST).orElse(0), MOST_INSTANCES) : 0;
        for (int i = 0; i < most; i++) {
            try {
                OptionalLong at = nvml.instance(handle, i);
                if (at.isPresent()) {
                    String uuid = nvml.uuid(at.getAsLong());
                    Instance known = before.get(uuid);
                    if (known != null && known.handle() == at.getAsLong()) {
                        before.remove(uuid);
                        found.add(known);
                    } else {
                        found.add(new Instance(nvml, device, handle, at.getAsLong(), uuid));
                    }
                }
            } catch (NvmlException | IllegalArgumentException e) {
                if (e instanceof NvmlException answer && (answer.endsSession() || answer.losesDevice())) {
                    throw answer;
                }
                log.debug("MIG instance left out parent={} index={}", device.uuid(), i, e); // being made or unmade now
            }
        }
        before.values().forEach(Instance::close);
        instances = found;
    }

    /** One call for all that is due; the rare ones of different GPUs at different times. */
    private Map<Field, Long> readFields(long nowNanos) throws NvmlException {
        Set<Field> due = EnumSet.copyOf(OFTEN);
        if (partitioned || asked.refuses(Ask.COUNTERS)) {
            due.addAll(TRAFFIC);
        }
        boolean rarely = !rarelyRead || nowNanos - rarelyNanos >= 0;
        if (rarely) {
            due.addAll(RARELY);
            rarelyNanos = nowNanos + (rarelyRead ? SLOWLY.toNanos() : rarelyAfterNanos);
            rarelyRead = true;
            powerLimitWatts = times(quantity(Quantity.POWER_LIMIT_MILLIWATTS), 1e-3);
        }
        Map<Field, Long> fields = asked.ask(nvml, handle, due);
        if (rarely) {
            rare.clear();
            fields.forEach((field, value) -> {
                if (RARELY.contains(field)) {
                    rare.put(field, value);
                }
            });
        }
        return fields;
    }

    private OptionalLong energy(Map<Field, Long> fields) throws NvmlException {
        OptionalLong energy = value(fields, Field.ENERGY_MILLIJOULES);
        return energy.isPresent() ? energy : quantity(Quantity.ENERGY_MILLIJOULES);
    }

    private Optional<GpuDetail> detail(long nowNanos, Map<Field, Long> fields, Map<Metric, Double> metrics)
            throws NvmlException {
        OptionalLong limits = quantity(Quantity.CLOCK_LIMITS);
        OptionalLong fan = quantity(Quantity.FAN_PERCENT);
        GpuDetail detail = new GpuDetail(
                times(value(fields, Field.MEMORY_TEMPERATURE_CELSIUS), 1),
                times(quantity(Quantity.MEMORY_CLOCK_MEGAHERTZ), 1e6),
                fan.orElse(0) <= MOST_FAN_PERCENT ? times(fan, 1e-2) : OptionalDouble.empty(),
                limits.isPresent() ? Optional.of(ClockLimits.names(limits.getAsLong())) : Optional.empty(),
                Counters.activity(metrics),
                traffic(nowNanos, fields, metrics),
                health());
        return detail.equals(NOTHING) ? Optional.empty() : Optional.of(detail);
    }

    private Optional<Traffic> traffic(long nowNanos, Map<Field, Long> fields, Map<Metric, Double> metrics) {
        Traffic traffic = partitioned || asked.refuses(Ask.COUNTERS)
                ? new Traffic(
                        rate(nowNanos, fields, Field.PCIE_SENT_BYTES, PCIE_MAY_WRAP, 1),
                        rate(nowNanos, fields, Field.PCIE_RECEIVED_BYTES, PCIE_MAY_WRAP, 1),
                        rate(nowNanos, fields, Field.NVLINK_SENT_KIBIBYTES, 0, 1024),
                        rate(nowNanos, fields, Field.NVLINK_RECEIVED_KIBIBYTES, 0, 1024))
                : new Traffic(
                        Counters.bytesPerSecond(metrics, Metric.PCIE_SENT),
                        Counters.bytesPerSecond(metrics, Metric.PCIE_RECEIVED),
                        Counters.bytesPerSecond(metrics, Metric.NVLINK_SENT),
                        Counters.bytesPerSecond(metrics, Metric.NVLINK_RECEIVED));
        return traffic.equals(NO_TRAFFIC) ? Optional.empty() : Optional.of(traffic);
    }

    /** A counter that went back began anew at some time in between, so nobody knows. */
    private OptionalDouble rate(long nowNanos, Map<Field, Long> fields, Field field, long mayWrap, double unit) {
        Long value = fields.get(field);
        if (value == null) {
            counted.remove(field);
            return OptionalDouble.empty();
        }
        Counted before = counted.put(field, new Counted(value, nowNanos));
        return before == null || value < before.value() || value < mayWrap || nowNanos <= before.nanos()
                ? OptionalDouble.empty()
                : OptionalDouble.of((value - before.value()) * unit / ((nowNanos - before.nanos()) / 1e9));
    }

    private Optional<Health> health() {
        OptionalLong rows =
                sum(value(rare, Field.ROWS_REMAPPED_CORRECTABLE), value(rare, Field.ROWS_REMAPPED_UNCORRECTABLE));
        OptionalLong pages =
                sum(value(rare, Field.PAGES_RETIRED_FOR_SINGLE_BITS), value(rare, Field.PAGES_RETIRED_FOR_DOUBLE_BITS));
        List<Boolean> resets = new ArrayList<>();
        value(rare, Field.ROWS_WAIT_FOR_RESET).ifPresent(rowsWait -> resets.add(rowsWait != 0));
        value(rare, Field.PAGES_WAIT_FOR_RESET).ifPresent(pagesWait -> resets.add(pagesWait != 0));
        value(rare, Field.RECOVERY_ACTION).ifPresent(action -> resets.add(action != 0 && action != DRAIN));
        Health health = new Health(
                value(rare, Field.ECC_CORRECTED),
                value(rare, Field.ECC_UNCORRECTED),
                value(rare, Field.ECC_CORRECTED_EVER),
                value(rare, Field.ECC_UNCORRECTED_EVER),
                rows.isPresent() ? rows : pages,
                resets.isEmpty() ? Optional.empty() : Optional.of(resets.contains(true)),
                value(rare, Field.PCIE_REPLAYS),
                hasXids ? Optional.of(xids) : Optional.empty(),
                lastXid);
        return health.equals(NO_HEALTH) ? Optional.empty() : Optional.of(health);
    }

    private static OptionalLong sum(OptionalLong one, OptionalLong other) {
        return one.isPresent() && other.isPresent() ? OptionalLong.of(one.getAsLong() + other.getAsLong()) : one;
    }

    private static OptionalLong value(Map<Field, Long> fields, Field field) {
        Long value = fields.get(field);
        return value == null ? OptionalLong.empty() : OptionalLong.of(value);
    }

    private void forgetPeriod() {
        utilization = new UtilizationTally();
        memoryUtilization = new UtilizationTally();
        shares.clear();
        sharesSeconds = 0;
        sharesTold = false;
    }

    private OptionalLong quantity(Quantity quantity) throws NvmlException {
        return asked.ask(quantity, () -> nvml.quantity(handle, quantity)).orElse(OptionalLong.empty());
    }

    private static OptionalDouble times(OptionalLong value, double unit) {
        return value.isPresent() ? OptionalDouble.of(value.getAsLong() * unit) : OptionalDouble.empty();
    }

    private Optional<List<GpuProcess>> processes(ProcessLookup lookup, Optional<Utilization> busy)
            throws NvmlException {
        return processes.read(lookup, busy.isPresent() && busy.get().maxRatio() > 0, pid -> share(pid, busy));
    }

    /**
     * A process that the driver does not name was idle if the driver named others, or if the whole GPU was idle; else
     * nobody knows.
     */
    private OptionalDouble share(int pid, Optional<Utilization> busy) {
        ShareTally tally = shares.get(pid);
        if (tally != null && sharesSeconds > 0) {
            return OptionalDouble.of(Math.min(1, tally.sum / sharesSeconds));
        }
        boolean idle = busy.isPresent() && busy.get().maxRatio() == 0 && !asked.refuses(Ask.SHARES);
        return sharesTold || idle ? OptionalDouble.of(0) : OptionalDouble.empty();
    }
}
