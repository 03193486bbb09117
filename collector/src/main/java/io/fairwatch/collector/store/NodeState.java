package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.UserUse;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A node by its newest snapshot. Immutable.
 *
 * @param node Slurm's {@code NodeName}
 * @param firstAt its first snapshot ever
 * @param lastAt its newest snapshot
 * @param period the period of the newest snapshot
 * @param agentVersion the agent that sent it
 * @param driver version of the GPU driver; absent without one
 * @param simulated the sentence that says so when its GPUs are simulated; absent for real ones
 * @param host the node as a whole; absent when it could not be read
 * @param probes how each probe fared
 * @param users everybody with a process there
 * @param scratch its scratch mounts, each with its newest counts, which may be from older snapshots
 */
public record NodeState(
        String node,
        Instant firstAt,
        Instant lastAt,
        Duration period,
        String agentVersion,
        Optional<String> driver,
        Optional<String> simulated,
        Optional<HostReading> host,
        Map<String, ProbeOutcome> probes,
        List<UserUse> users,
        List<ScratchUse> scratch) {}
