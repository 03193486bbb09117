package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.probe.nvml.Nvml.Quantity;
import io.fairwatch.agent.probe.nvml.Nvml.Ring;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuProcess.Kind;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.Utilization;
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

/** One GPU in one session with the driver, and what it did since the last reading. Confined to the probe. */
final class Gpu {
    /** What may be not supported, each by itself. */
    private enum Ask {
        POWER,
        POWER_LIMIT,
        ENERGY,
        TEMPERATURE,
        SM_CLOCK,
        MEMORY,
        GPU_RING,
        MEMORY_RING,
        RATES,
        SHARES,
        COMPUTE,
        GRAPHICS,
        MPS
    }

    private interface Question<T> {
        T ask() throws NvmlException;
    }

    /** A process's share, summed over the stretches of a period. */
    private static final class ShareTally {
        double sum;
    }

    private static final int MOST_PROCESSES = 4096;
    private static final long SAME_CLOCK_MICROS = 60_000_000;
    private static final double SHORTEST_STRETCH_SECONDS = 1;

    private final Nvml nvml;
    private final long handle;
    private final GpuDevice device;
    private final Set<Ask> unsupported = EnumSet.noneOf(Ask.class);
    private final Map<Ring, Long> ringSeen = new EnumMap<>(Map.of(Ring.GPU, 0L, Ring.MEMORY, 0L));
    private long sharesSeen;
    private boolean oneClock;
    private long polledNanos;
    private boolean answering = true;

    private UtilizationTally utilization = new UtilizationTally();
    private UtilizationTally memoryUtilization = new UtilizationTally();
    private final Map<Integer, ShareTally> shares = new HashMap<>();
    private double sharesSeconds;
    private boolean sharesTold;

    /** Takes stock of a device; its history up to here counts for nothing. */
    Gpu(Nvml nvml, int index, long nowNanos) throws NvmlException {
        this.nvml = nvml;
        this.handle = nvml.device(index);
        OptionalLong total = OptionalLong.empty();
        Optional<Nvml.Memory> memory = ask(Ask.MEMORY, () -> nvml.memory(handle));
        if (memory.isPresent()) {
            total = known(memory.get().total());
        }
        OptionalLong minor =
                optional(() -> nvml.quantity(handle, Quantity.MINOR_NUMBER)).orElse(OptionalLong.empty());
        this.device = new GpuDevice(
                nvml.uuid(handle),
                index,
                minor.isPresent() ? OptionalInt.of((int) minor.getAsLong()) : OptionalInt.empty(),
                optional(() -> nvml.pciBusId(handle)).filter(id -> !id.isEmpty()),
                optional(() -> nvml.name(handle)).orElse("unknown"),
                total,
                Optional.empty());
        drain(nowNanos);
        forgetPeriod();
    }

    GpuDevice device() {
        return device;
    }

    /** Whether the last call found the device there. */
    boolean answering() {
        return answering;
    }

    void answering(boolean now) {
        answering = now;
    }

    /** Empties the driver's rings into this period's sums. */
    void drain(long nowNanos) throws NvmlException {
        double seconds = (nowNanos - polledNanos) / 1e9;
        polledNanos = nowNanos;
        boolean gpu = drain(Ask.GPU_RING, Ring.GPU, utilization, seconds);
        boolean memory = drain(Ask.MEMORY_RING, Ring.MEMORY, memoryUtilization, seconds);
        boolean lookAtGpu = !gpu && isWorthALook(utilization, seconds);
        boolean lookAtMemory = !memory && isWorthALook(memoryUtilization, seconds);
        if (lookAtGpu || lookAtMemory) {
            Optional<Nvml.Rates> rates = ask(Ask.RATES, () -> nvml.rates(handle));
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
        List<Nvml.Sample> fresh = ask(ask, () -> nvml.samples(handle, ring, seen)).orElse(List.of()).stream()
                .filter(sample -> sample.timestamp() > seen)
                .toList();
        if (fresh.isEmpty()) {
            return false;
        }
        ringSeen.put(
                ring, fresh.stream().mapToLong(Nvml.Sample::timestamp).max().orElse(seen));
        tally.addRing(fresh, seconds);
        return true;
    }

    /**
     * The driver names the processes that were active since a timestamp, with their mean since then; the others were
     * not. Nobody active means no timestamp to go on from, so the ring's takes its place where both are seen to run by
     * one clock; else the first stretch after a pause is understated.
     */
    private void drainShares(double seconds) throws NvmlException {
        long seen = sharesSeen;
        Optional<List<Nvml.Share>> active = ask(Ask.SHARES, () -> nvml.shares(handle, seen));
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

    /** Sums the period up, reads the rest, and begins a new period. */
    GpuReading read(long nowNanos, ProcessLookup lookup) throws NvmlException {
        drain(nowNanos);
        Optional<Utilization> busy = utilization.total();
        Optional<Nvml.Memory> memory = ask(Ask.MEMORY, () -> nvml.memory(handle));
        GpuReading reading = new GpuReading(
                device,
                busy,
                memoryUtilization.total(),
                memory.map(m -> known(m.used())).orElse(OptionalLong.empty()),
                memory.map(m -> m.reserved().isPresent() ? known(m.reserved().getAsLong()) : m.reserved())
                        .orElse(OptionalLong.empty()),
                quantity(Ask.POWER, Quantity.POWER_MILLIWATTS, 1e-3),
                quantity(Ask.POWER_LIMIT, Quantity.POWER_LIMIT_MILLIWATTS, 1e-3),
                quantity(Ask.ENERGY, Quantity.ENERGY_MILLIJOULES, 1e-3),
                quantity(Ask.TEMPERATURE, Quantity.TEMPERATURE_CELSIUS, 1),
                quantity(Ask.SM_CLOCK, Quantity.SM_CLOCK_MEGAHERTZ, 1e6),
                processes(lookup, busy),
                Optional.empty());
        forgetPeriod();
        return reading;
    }

    private void forgetPeriod() {
        utilization = new UtilizationTally();
        memoryUtilization = new UtilizationTally();
        shares.clear();
        sharesSeconds = 0;
        sharesTold = false;
    }

    private OptionalDouble quantity(Ask ask, Quantity quantity, double unit) throws NvmlException {
        OptionalLong value = ask(ask, () -> nvml.quantity(handle, quantity)).orElse(OptionalLong.empty());
        return value.isPresent() ? OptionalDouble.of(value.getAsLong() * unit) : OptionalDouble.empty();
    }

    /** The lists in the order in which they say most: a client of MPS stands in the compute list too. */
    private Optional<List<GpuProcess>> processes(ProcessLookup lookup, Optional<Utilization> busy)
            throws NvmlException {
        Map<Integer, Kind> kinds = new LinkedHashMap<>();
        Map<Integer, Long> memory = new HashMap<>();
        boolean told = false;
        for (Kind kind : List.of(Kind.MPS, Kind.COMPUTE, Kind.GRAPHICS)) {
            Ask ask =
                    switch (kind) {
                        case MPS -> Ask.MPS;
                        case COMPUTE -> Ask.COMPUTE;
                        case GRAPHICS -> Ask.GRAPHICS;
                    };
            Optional<List<Nvml.Running>> running = ask(ask, () -> nvml.processes(handle, kind));
            told |= running.isPresent() && kind == Kind.COMPUTE;
            for (Nvml.Running process : running.orElse(List.of())) {
                if (process.pid() > 0) {
                    kinds.putIfAbsent(process.pid(), kind);
                    process.memoryBytes().ifPresent(bytes -> memory.putIfAbsent(process.pid(), bytes));
                }
            }
        }
        if (!told && kinds.isEmpty()) {
            return Optional.empty();
        }
        List<GpuProcess> processes = new ArrayList<>();
        kinds.entrySet().stream().limit(MOST_PROCESSES).forEach(entry -> {
            int pid = entry.getKey();
            Long bytes = memory.get(pid);
            processes.add(new GpuProcess(
                    pid,
                    entry.getValue(),
                    lookup.uidOf(pid),
                    lookup.jobOf(pid),
                    bytes == null ? OptionalLong.empty() : OptionalLong.of(bytes),
                    share(pid, busy)));
        });
        return Optional.of(processes);
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
        boolean idle = busy.isPresent() && busy.get().maxRatio() == 0 && !unsupported.contains(Ask.SHARES);
        return sharesTold || idle ? OptionalDouble.of(0) : OptionalDouble.empty();
    }

    private static OptionalLong known(long bytes) {
        return bytes < 0 ? OptionalLong.empty() : OptionalLong.of(bytes);
    }

    /** Asks unless this device is known not to answer; empty for any answer that concerns this one reading alone. */
    private <T> Optional<T> ask(Ask ask, Question<T> question) throws NvmlException {
        if (unsupported.contains(ask)) {
            return Optional.empty();
        }
        try {
            return Optional.of(question.ask());
        } catch (NvmlException e) {
            if (e.endsSession() || e.losesDevice()) {
                throw e;
            }
            if (e.isForGood()) {
                unsupported.add(ask);
            }
            return Optional.empty();
        }
    }

    private static <T> Optional<T> optional(Question<T> question) throws NvmlException {
        try {
            return Optional.of(question.ask());
        } catch (NvmlException e) {
            if (e.endsSession() || e.losesDevice()) {
                throw e;
            }
            return Optional.empty();
        }
    }
}
