package io.fairwatch.agent.wire;

import java.time.Instant;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * The agent that made a snapshot. Immutable.
 *
 * @param version the agent's own version
 * @param startedAt when this agent process started
 * @param droppedSnapshots snapshots that this agent dropped since it started: its spool was full, they were too old,
 *     the disk took nothing, or a file was damaged; 0 or more
 * @param cpuSeconds CPU time of the agent process since it started; absent if the system does not tell
 * @param residentBytes resident memory of the agent process. Source: {@code VmRSS}; absent if unreadable
 */
public record AgentState(
        String version,
        Instant startedAt,
        long droppedSnapshots,
        OptionalDouble cpuSeconds,
        OptionalLong residentBytes) {
    public AgentState {
        Check.text("agent.version", version, 64);
        Check.notNegative("agent.dropped_snapshots", droppedSnapshots);
        Check.notNegative("agent.cpu_seconds", cpuSeconds);
        Check.notNegative("agent.resident_bytes", residentBytes);
    }
}
