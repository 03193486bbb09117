package io.fairwatch.agent.probe;

import io.fairwatch.agent.wire.HostReading;
import java.time.Instant;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import oshi.SystemInfo;
import oshi.hardware.CentralProcessor;
import oshi.hardware.CentralProcessor.TickType;
import oshi.hardware.GlobalMemory;
import oshi.hardware.HardwareAbstractionLayer;

/**
 * The node as a whole, by OSHI. Only its cheap calls are used: ticks, load and memory, together less than half a
 * millisecond. Holds one OSHI instance, whose making costs a tenth of a second once. Confined to one thread.
 */
public final class HostProbe implements Probe<HostReading> {
    private @Nullable CentralProcessor processor;
    private @Nullable GlobalMemory memory;
    private long @Nullable [] previousTicks;

    @Override
    public String name() {
        return "host";
    }

    @Override
    public HostReading read(Instant at) {
        CentralProcessor cpu = processor;
        GlobalMemory ram = memory;
        if (cpu == null || ram == null) {
            HardwareAbstractionLayer hardware = new SystemInfo().getHardware();
            cpu = hardware.getProcessor();
            ram = hardware.getMemory();
            processor = cpu;
            memory = ram;
        }
        long[] ticks = cpu.getSystemCpuLoadTicks();
        OptionalDouble busy = previousTicks == null ? OptionalDouble.empty() : busyRatio(previousTicks, ticks);
        previousTicks = ticks;
        double load = cpu.getSystemLoadAverage(1)[0];
        return new HostReading(
                cpu.getLogicalProcessorCount(),
                busy,
                ram.getTotal(),
                ram.getAvailable(),
                load < 0 ? OptionalDouble.empty() : OptionalDouble.of(load),
                OptionalLong.of(ram.getVirtualMemory().getSwapTotal()),
                OptionalLong.of(ram.getVirtualMemory().getSwapUsed()));
    }

    /** Share of the ticks between two reads that were neither idle nor waiting; some of the kernel's counters step back. */
    static OptionalDouble busyRatio(long[] before, long[] after) {
        long all = 0;
        long unused = 0;
        for (TickType type : TickType.values()) {
            long ticks = Math.max(0, after[type.getIndex()] - before[type.getIndex()]);
            all += ticks;
            unused += type == TickType.IDLE || type == TickType.IOWAIT ? ticks : 0;
        }
        return all == 0 ? OptionalDouble.empty() : OptionalDouble.of((all - unused) / (double) all);
    }
}
