package io.fairwatch.agent.wire;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * All readings of one node at one instant. Immutable.
 *
 * @param version wire version, {@value #VERSION}
 * @param node Slurm's {@code NodeName} of this node, not its host name where the two differ
 * @param bootId identity of this boot. Source: {@code /proc/sys/kernel/random/boot_id}
 * @param sequence number of this snapshot, ascending by one in one spool's life; 1 or more
 * @param at end of the period that this snapshot covers, by the node's clock
 * @param period length of the period that means and maxima cover; more than zero, at most a day
 * @param agent who made it and what it had to drop
 * @param probes how each probe fared, by its name; a probe that is switched off is missing
 * @param host the node as a whole; absent when it could not be read
 * @param gpuDriver the driver; absent without one, or when it does not answer
 * @param gpus every GPU that answered, by index; empty without a driver: {@code probes.nvml} says which
 * @param jobs every Slurm job whose cgroup stands on this node, with or without processes
 * @param users everybody with a process here
 * @param scratch the configured scratch mounts that could be read
 */
public record NodeSnapshot(
        int version,
        String node,
        String bootId,
        long sequence,
        Instant at,
        Duration period,
        AgentState agent,
        Map<String, ProbeOutcome> probes,
        Optional<HostReading> host,
        Optional<GpuDriver> gpuDriver,
        List<GpuReading> gpus,
        List<JobCgroup> jobs,
        List<UserUse> users,
        List<ScratchUse> scratch) {

    /** The wire version that this code writes, and the only one that it reads. */
    public static final int VERSION = 1;

    private static final Instant EARLIEST = Instant.parse("2020-01-01T00:00:00Z");
    private static final Instant LATEST = Instant.parse("2100-01-01T00:00:00Z");

    /** Whether a clock that says this can be a clock that was set; one without battery says 1970 until NTP answers. */
    public static boolean isPlausible(Instant at) {
        return !at.isBefore(EARLIEST) && !at.isAfter(LATEST);
    }

    public NodeSnapshot {
        if (version != VERSION) {
            throw new IllegalArgumentException("version: " + version + " (expected: " + VERSION + ")");
        }
        Check.name("node", node);
        Check.name("boot_id", bootId);
        Check.positive("sequence", sequence);
        if (!isPlausible(at)) {
            throw new IllegalArgumentException(
                    "at: " + at + " (expected: between " + EARLIEST + " and " + LATEST + ")");
        }
        if (period.isNegative() || period.isZero() || period.compareTo(Duration.ofDays(1)) > 0) {
            throw new IllegalArgumentException("period: " + period + " (expected: more than zero, at most a day)");
        }
        probes = Map.copyOf(probes);
        Check.atMost("probes", probes.size(), 32);
        probes.keySet().forEach(name -> Check.name("probes", name));
        gpus = List.copyOf(gpus);
        Check.atMost("gpus", gpus.size(), 512);
        jobs = List.copyOf(jobs);
        Check.atMost("jobs", jobs.size(), 10_000);
        users = List.copyOf(users);
        Check.atMost("users", users.size(), 10_000);
        scratch = List.copyOf(scratch);
        Check.atMost("scratch", scratch.size(), 64);
    }
}
