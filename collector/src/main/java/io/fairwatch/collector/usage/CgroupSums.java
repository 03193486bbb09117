package io.fairwatch.collector.usage;

import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import io.fairwatch.collector.store.JobUse;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** What a run's cgroup on one node adds up to. Confined to whoever holds the lock of {@link LiveRuns}. */
final class CgroupSums {
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
        if (cgroup.cpuSeconds().isPresent()) {
            double now = cgroup.cpuSeconds().getAsDouble();
            if (!Double.isNaN(lastCpuSeconds)) {
                cpuKnown = true;
                cpuSeconds += Math.max(0, now - lastCpuSeconds);
            }
            lastCpuSeconds = now;
        }
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

    /** What they add up to; empty: nothing was read. */
    Optional<JobUse.OnNode> on(String node) {
        return samples == 0
                ? Optional.empty()
                : Optional.of(new JobUse.OnNode(
                        node,
                        samples,
                        cpuKnown ? OptionalDouble.of(cpuSeconds) : OptionalDouble.empty(),
                        whole(memoryMax),
                        whole(memoryLimit),
                        processesMax < 0 ? OptionalInt.empty() : OptionalInt.of(processesMax),
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
