package io.fairwatch.agent;

import io.fairwatch.agent.metrics.OwnCost;
import io.fairwatch.agent.wire.AgentState;
import io.fairwatch.agent.wire.NodeSnapshot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;

/**
 * Who takes the snapshots. Immutable.
 *
 * @param name Slurm's {@code NodeName}
 * @param bootId identity of this boot
 * @param version the agent's
 * @param startedAt when the agent started
 */
record ThisNode(String name, String bootId, String version, Instant startedAt) {
    /** Finds out what is not configured, from the kernel. */
    static ThisNode read(Optional<String> name, Instant startedAt) throws IOException {
        Path kernel = Path.of("/proc/sys/kernel");
        String host = Files.readString(kernel.resolve("hostname")).trim();
        String version = Optional.ofNullable(ThisNode.class.getPackage().getImplementationVersion())
                .orElse("unpackaged");
        return new ThisNode(
                name.orElse(host.split("\\.", 2)[0]),
                Files.readString(kernel.resolve("random/boot_id")).trim(),
                version,
                startedAt);
    }

    /** Makes a snapshot of a draft. */
    NodeSnapshot finish(SnapshotDraft draft, long sequence, long dropped, OwnCost cost) {
        return draft.finish(
                name,
                bootId,
                sequence,
                new AgentState(version, startedAt, dropped, cost.cpuSeconds(), cost.residentBytes()));
    }
}
