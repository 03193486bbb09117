package io.fairwatch.agent;

import io.fairwatch.agent.config.ConfigFile.Default;
import io.fairwatch.agent.config.ConfigFile.Range;
import io.fairwatch.agent.config.ConfigFile.Size;
import io.fairwatch.agent.spool.Connection;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The agent's configuration, with all defaults; {@code deploy/agent.example.yml} explains each key to an administrator.
 * Immutable.
 *
 * @param node Slurm's {@code NodeName} of this node; absent: the host name up to the first dot
 * @param collector where snapshots go; needed unless only one snapshot is wanted
 * @param period from one snapshot to the next
 * @param spool what waits for the collector
 * @param nvml the GPUs
 * @param jobs how processes are told to be in jobs
 * @param scratch the file systems to account for
 * @param users what is told of each user beside CPU time and resident memory
 * @param metrics the agent's own figures
 * @param names whether login names leave the node, or numbers only
 */
record AgentConfig(
        Optional<String> node,
        Optional<Collector> collector,
        @Default("30s") @Range(from = "5s", to = "5m") Duration period,
        Waiting spool,
        Gpus nvml,
        Jobs jobs,
        Scratch scratch,
        Users users,
        Metrics metrics,
        @Default("true") boolean names) {

    AgentConfig {
        if (node.isPresent() && !ThisNode.isName(node.get())) {
            throw new IllegalArgumentException("node: " + node.get() + " (expected: a NodeName of slurm.conf)");
        }
    }

    /** The way to the collector. */
    Optional<Connection.Settings> connection() {
        return collector.map(
                to -> new Connection.Settings(to.url(), to.tokenFile(), to.caFile(), to.timeout(), metrics.jobstats()));
    }

    /**
     * Where snapshots go.
     *
     * @param url the collector, {@code http} or {@code https}
     * @param tokenFile file with the token that the collector asks for
     * @param caFile PEM file with the authorities that may have signed its certificate; absent: the system's
     * @param batch a batch is no larger, packed, unless a single snapshot is; it is joined in memory
     * @param firstRetry longest wait after the first failure, of which a random part is waited; doubles with each
     * @param lastRetry longest that it becomes
     * @param timeout how long an answer may take
     */
    record Collector(
            URI url,
            Optional<Path> tokenFile,
            Optional<Path> caFile,

            @Default("1MiB") @Range(from = "16KiB", to = "2MiB")
            Size batch,

            @Default("1s") @Range(from = "10ms", to = "1m") Duration firstRetry,
            @Default("1m") @Range(from = "10ms", to = "1h") Duration lastRetry,

            @Default("30s") @Range(from = "100ms", to = "5m")
            Duration timeout) {
        Collector {
            if (!List.of("http", "https").contains(url.getScheme())) {
                throw new IllegalArgumentException("url: " + url + " (expected: http:// or https://)");
            }
        }
    }

    /**
     * What waits for the collector.
     *
     * @param directory where it waits
     * @param maxBytes the oldest are dropped beyond
     * @param maxAge what waits for longer is dropped
     * @param maxRejectedBytes how much to keep of what the collector refuses for good
     */
    record Waiting(
            @Default("/var/lib/fairwatch-agent/spool") Path directory,

            @Default("256MiB") @Range(from = "1MiB", to = "1TiB")
            Size maxBytes,

            @Default("7d") @Range(from = "1h", to = "365d") Duration maxAge,

            @Default("16MiB") @Range(from = "0", to = "1TiB")
            Size maxRejectedBytes) {}

    /**
     * The GPUs.
     *
     * @param enabled whether to read them
     * @param library file name or path of NVML; absent: the driver's own
     */
    record Gpus(@Default("true") boolean enabled, Optional<String> library) {}

    /**
     * How processes are told to be in jobs.
     *
     * @param environ whether by their environment where neither a cgroup nor a slurmstepd tells; needs privileges
     */
    record Jobs(@Default("false") boolean environ) {}

    /**
     * The file systems to account for.
     *
     * @param mounts their mount points; none: nothing is counted
     * @param recountEvery how often the use below each directory is counted anew
     * @param directory where counts outlive the agent
     */
    record Scratch(
            List<Path> mounts,
            @Default("6h") @Range(from = "1m", to = "7d") Duration recountEvery,
            @Default("/var/lib/fairwatch-agent/scratch") Path directory) {
        private static final int MOST_MOUNTS = 64;

        Scratch {
            if (mounts.size() > MOST_MOUNTS) {
                throw new IllegalArgumentException(
                        "mounts: " + mounts.size() + " entries (expected: at most " + MOST_MOUNTS + ")");
            }
            for (Path mount : mounts) {
                if (!mount.isAbsolute()) {
                    throw new IllegalArgumentException("mounts: " + mount + " (expected: an absolute path)");
                }
            }
        }
    }

    /**
     * What is told of each user beside CPU time and resident memory.
     *
     * @param pss whether memory is told with what processes share split among them; costs time and a privilege
     */
    record Users(@Default("false") boolean pss) {}

    /**
     * The agent's own figures.
     *
     * @param address to listen on
     * @param port to listen on; 0: nowhere
     * @param jobstats whether to serve the series that jobstats' exporters serve, with jobs as labels
     * @param nodeExporter whether to serve the series of node_exporter that its boards need
     */
    record Metrics(
            @Default("127.0.0.1") String address,
            @Default("0") @Range(from = "0", to = "65535") int port,
            @Default("false") boolean jobstats,
            @Default("false") boolean nodeExporter) {}
}
