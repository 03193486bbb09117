package io.fairwatch.agent;

import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.agent.metrics.OwnCost;
import io.fairwatch.agent.wire.AgentState;
import io.fairwatch.agent.wire.NodeSnapshot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
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
    /** Whether snapshots take this for the name of a node. */
    static boolean isName(String name) {
        return name.matches("[A-Za-z0-9][A-Za-z0-9._-]{0,252}");
    }

    /**
     * Finds out what is not configured, from the kernel.
     *
     * @throws ConfigException if the host has no name that could be a node's, and none is configured
     */
    static ThisNode read(Optional<String> name, Instant startedAt) throws IOException, ConfigException {
        Path kernel = Path.of("/proc/sys/kernel");
        String host = Files.readString(kernel.resolve("hostname")).trim();
        String version = Optional.ofNullable(ThisNode.class.getPackage().getImplementationVersion())
                .orElse("unpackaged");
        return new ThisNode(
                nameOf(name, host),
                Files.readString(kernel.resolve("random/boot_id")).trim(),
                version,
                startedAt);
    }

    static String nameOf(Optional<String> configured, String host) throws ConfigException {
        String name = configured.orElse(host.split("\\.", 2)[0]);
        if (!isName(name)) {
            String shown = name.replaceAll("[^\\x20-\\x7e]", "?");
            throw new ConfigException(List.of("node: missing, and the host is called \"" + shown
                    + "\" (expected: node: with the NodeName of slurm.conf, or a host name of letters, digits, '.', '_'"
                    + " and '-')"));
        }
        return name;
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
