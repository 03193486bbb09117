package io.fairwatch.collector.usage;

import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import io.fairwatch.collector.store.JobUse;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** What a run's cgroup on one node adds up to. Confined to whoever holds the lock of {@link LiveRuns}. */
final class CgroupSums {
    /** Of a part: counts; CPU seconds; the first of their rises, or NaN; memory in KiB, or NaN. */
    private static final int WIDTH = 4;

    private static final int PACKED = 1;
    private static final int CPU = 2;
    private static final int CPU_TWICE = 4;
    private static final int ONE_SAMPLE = 8;
    private static final int MOST_SAMPLES = 0x1fff;
    private static final int MOST_PROCESSES = 0xffff;

    private final Parts minutes = new Parts(Parts.MINUTES, WIDTH);
    private final Parts hours = new Parts(Parts.HOURS, WIDTH);

    /** The newest reading that counts; what was before it is known. */
    long atMs = Long.MIN_VALUE;

    private int samples;
    private double cpuSeconds;
    private boolean cpuKnown;
    private double lastCpuSeconds = Double.NaN;
    private long memoryMax = -1;
    private long memoryLimit = -1;
    private int processesMax = -1;
    private int cpus = -1;
    private double cpuSystemSeconds = -1;
    private long swapMax = -1;
    private long oomKills = -1;
    private long limitHits = -1;
    private long readBytes = -1;
    private long writtenBytes = -1;
    private double cpuStalled = -1;
    private double memoryStalled = -1;
    private double ioStalled = -1;

    /** What the store says of the time before. */
    void add(JobUse.OnNode before) {
        samples += before.samples();
        if (before.cpuSeconds().isPresent()) {
            cpuKnown = true;
            cpuSeconds += before.cpuSeconds().getAsDouble();
        }
        memoryMax = Math.max(memoryMax, before.memoryUsedMaxBytes().orElse(-1));
        memoryLimit = Math.max(memoryLimit, before.memoryLimitBytes().orElse(-1));
        processesMax = Math.max(processesMax, before.processesMax().orElse(-1));
        JobUse.Counters counters = before.counters();
        cpus = Math.max(cpus, counters.cpus().orElse(-1));
        cpuSystemSeconds =
                Math.max(cpuSystemSeconds, counters.cpuSystemSeconds().orElse(-1));
        swapMax = Math.max(swapMax, counters.swapUsedMaxBytes().orElse(-1));
        oomKills = Math.max(oomKills, counters.oomKills().orElse(-1));
        limitHits = Math.max(limitHits, counters.memoryLimitHits().orElse(-1));
        readBytes = Math.max(readBytes, counters.readBytes().orElse(-1));
        writtenBytes = Math.max(writtenBytes, counters.writtenBytes().orElse(-1));
        cpuStalled = Math.max(cpuStalled, counters.cpuStalledSeconds().orElse(-1));
        memoryStalled = Math.max(memoryStalled, counters.memoryStalledSeconds().orElse(-1));
        ioStalled = Math.max(ioStalled, counters.ioStalledSeconds().orElse(-1));
    }

    /** The counter of a reading that is counted already: the next one goes on from there. */
    void goOnFrom(JobCgroup before) {
        lastCpuSeconds = before.cpuSeconds().orElse(lastCpuSeconds);
    }

    /** Whether CPU time was counted before, and it is not known up to where. */
    boolean hasLostCount() {
        return cpuKnown && Double.isNaN(lastCpuSeconds);
    }

    /** A reading that came after all others. */
    void add(long at, JobCgroup cgroup) {
        atMs = at;
        samples++;
        double step = Double.NaN;
        if (cgroup.cpuSeconds().isPresent()) {
            double now = cgroup.cpuSeconds().getAsDouble();
            if (!Double.isNaN(lastCpuSeconds)) {
                step = Math.max(0, now - lastCpuSeconds);
                cpuKnown = true;
                cpuSeconds += step;
            }
            lastCpuSeconds = now;
        }
        add(minutes, at, cgroup, step);
        add(hours, at, cgroup, step);
        memoryMax = Math.max(memoryMax, cgroup.memoryUsedBytes().orElse(-1));
        memoryLimit = Math.max(memoryLimit, cgroup.memoryLimitBytes().orElse(-1));
        processesMax = Math.max(processesMax, cgroup.processes().orElse(-1));
        if (cgroup.detail().isPresent()) {
            JobDetail detail = cgroup.detail().get();
            cpus = Math.max(cpus, detail.cpus().orElse(-1));
            cpuSystemSeconds =
                    Math.max(cpuSystemSeconds, detail.cpuSystemSeconds().orElse(-1));
            swapMax = Math.max(swapMax, detail.swapUsedBytes().orElse(-1));
            oomKills = Math.max(oomKills, detail.oomKills().orElse(-1));
            limitHits = Math.max(limitHits, detail.memoryLimitHits().orElse(-1));
            readBytes = Math.max(readBytes, detail.readBytes().orElse(-1));
            writtenBytes = Math.max(writtenBytes, detail.writtenBytes().orElse(-1));
            cpuStalled = Math.max(cpuStalled, detail.cpuStalledSeconds().orElse(-1));
            memoryStalled =
                    Math.max(memoryStalled, detail.memoryStalledSeconds().orElse(-1));
            ioStalled = Math.max(ioStalled, detail.ioStalledSeconds().orElse(-1));
        }
    }

    /**
     * A reading into its part.
     *
     * @param step how much the CPU time rose since the reading before; NaN: not known
     */
    private static void add(Parts parts, long atMs, JobCgroup cgroup, double step) {
        int at = parts.begin(parts.grain().of(atMs));
        if (at < 0) {
            return; // older than all that is kept
        }
        int[] packed = parts.packed();
        int flags = packed[at];
        if (flags == 0) {
            packed[at + 3] = Float.floatToRawIntBits(Float.NaN);
        }
        flags |= PACKED;
        if ((flags >>> 3 & MOST_SAMPLES) < MOST_SAMPLES) {
            flags += ONE_SAMPLE;
        }
        int processes = Math.min(cgroup.processes().orElse(-1) + 1, MOST_PROCESSES);
        flags = (flags & MOST_PROCESSES) | (Math.max(flags >>> 16, processes) << 16);
        if (cgroup.cpuSeconds().isPresent()) {
            if ((flags & CPU) == 0) {
                packed[at + 1] = 0;
                packed[at + 2] = Float.floatToRawIntBits((float) step);
            }
            flags |= (flags & CPU) == 0 ? CPU : CPU_TWICE;
            if (!Double.isNaN(step)) {
                packed[at + 1] = Float.floatToRawIntBits((float) (Float.intBitsToFloat(packed[at + 1]) + step));
            }
        }
        if (cgroup.memoryUsedBytes().isPresent()) {
            float kib = cgroup.memoryUsedBytes().getAsLong() / 1024F;
            float before = Float.intBitsToFloat(packed[at + 3]);
            packed[at + 3] = Float.floatToRawIntBits(Float.isNaN(before) ? kib : Math.max(before, kib));
        }
        packed[at] = flags;
    }

    /** What the store knows of a half hour, or of its beginning. */
    void addHour(long part, JobUse.OnNode node) {
        int at = hours.begin(part);
        if (at < 0) {
            return; // older than all that is kept
        }
        int[] packed = hours.packed();
        int flags = packed[at];
        float kib = flags == 0 ? Float.NaN : Float.intBitsToFloat(packed[at + 3]);
        float cpu = (flags & CPU) == 0 ? 0 : Float.intBitsToFloat(packed[at + 1]);
        int counted = Math.min((flags >>> 3 & MOST_SAMPLES) + node.samples(), MOST_SAMPLES);
        int processes = Math.min(node.processesMax().orElse(-1) + 1, MOST_PROCESSES);
        int known = flags & (CPU | CPU_TWICE);
        if (node.cpuSeconds().isPresent()) {
            known = CPU | CPU_TWICE;
            cpu += (float) node.cpuSeconds().getAsDouble();
        }
        if (node.memoryUsedMaxBytes().isPresent()) {
            float its = node.memoryUsedMaxBytes().getAsLong() / 1024F;
            kib = Float.isNaN(kib) ? its : Math.max(kib, its);
        }
        packed[at] = PACKED | known | counted << 3 | Math.max(flags >>> 16, processes) << 16;
        packed[at + 1] = Float.floatToRawIntBits(cpu);
        // the first rise of what came since is of this half hour
        packed[at + 2] = Float.floatToRawIntBits(node.cpuSeconds().isPresent() ? Float.NaN : first(packed, at, flags));
        packed[at + 3] = Float.floatToRawIntBits(kib);
    }

    private static float first(int[] packed, int at, int flags) {
        return (flags & CPU) == 0 ? Float.NaN : Float.intBitsToFloat(packed[at + 2]);
    }

    /**
     * What they add up to since a part began; counters of which only the newest is known are those of all of it. Empty:
     * nothing was read since.
     */
    Optional<JobUse.OnNode> since(String node, Parts.Grain grain, Instant from) {
        Parts parts = grain.equals(minutes.grain()) ? minutes : hours;
        int read = 0;
        int times = 0;
        double cpu = 0;
        float kib = -1;
        int processes = 0;
        int[] packed = parts.packed();
        for (long part = grain.from(from); part <= parts.newest(); part++) {
            int at = parts.find(part);
            if (at < 0) {
                continue;
            }
            int flags = packed[at];
            read += flags >>> 3 & MOST_SAMPLES;
            processes = Math.max(processes, flags >>> 16);
            float most = Float.intBitsToFloat(packed[at + 3]);
            kib = Float.isNaN(most) ? kib : Math.max(kib, most);
            if ((flags & CPU) != 0) {
                float first = Float.intBitsToFloat(packed[at + 2]);
                // its rise is of the time before
                cpu += Float.intBitsToFloat(packed[at + 1]) - (times == 0 && !Float.isNaN(first) ? first : 0);
                times += (flags & CPU_TWICE) == 0 ? 1 : 2;
            }
        }
        return on(
                node,
                read,
                times > 1 ? OptionalDouble.of(cpu) : OptionalDouble.empty(),
                kib < 0 ? OptionalLong.empty() : OptionalLong.of(Math.round(kib * 1024.0)),
                processes == 0 ? OptionalInt.empty() : OptionalInt.of(processes - 1));
    }

    boolean hasForgotten(Parts.Grain grain, Instant from) {
        return (grain.equals(minutes.grain()) ? minutes : hours).hasForgotten(from);
    }

    /** What they add up to; empty: nothing was read. */
    Optional<JobUse.OnNode> on(String node) {
        return on(
                node,
                samples,
                cpuKnown ? OptionalDouble.of(cpuSeconds) : OptionalDouble.empty(),
                whole(memoryMax),
                processesMax < 0 ? OptionalInt.empty() : OptionalInt.of(processesMax));
    }

    private Optional<JobUse.OnNode> on(
            String node, int read, OptionalDouble cpu, OptionalLong memory, OptionalInt processes) {
        return read == 0
                ? Optional.empty()
                : Optional.of(new JobUse.OnNode(
                        node,
                        read,
                        cpu,
                        memory,
                        whole(memoryLimit),
                        processes,
                        new JobUse.Counters(
                                cpus < 0 ? OptionalInt.empty() : OptionalInt.of(cpus),
                                real(cpuSystemSeconds),
                                whole(swapMax),
                                whole(oomKills),
                                whole(limitHits),
                                whole(readBytes),
                                whole(writtenBytes),
                                real(cpuStalled),
                                real(memoryStalled),
                                real(ioStalled))));
    }

    private static OptionalLong whole(long value) {
        return value < 0 ? OptionalLong.empty() : OptionalLong.of(value);
    }

    private static OptionalDouble real(double value) {
        return value < 0 ? OptionalDouble.empty() : OptionalDouble.of(value);
    }
}
