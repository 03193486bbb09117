package io.fairwatch.collector.slurm;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * How Slurm is read. Immutable.
 *
 * @param binaries directory of {@code squeue} and the others; absent: found by PATH
 * @param prefix words put before each command, e.g. {@code [runuser, -u, gpuwatch, --]} to run it as another user; it must
 *     pass the environment on
 * @param slurmConf path of {@code slurm.conf}; absent: Slurm's own default
 * @param cluster Slurm's {@code ClusterName}; absent: asked from Slurm
 * @param every how often live jobs and nodes are read
 * @param accountingEvery how often ended jobs are read
 * @param accountsEvery how often accounts, users and QoS are read
 * @param timeout how long one command may take; with its controller down, squeue takes 9 s to say so
 * @param maxOutputBytes how much one command may print; squeue tells 4 to 15 kB per job
 * @param overlap how far each reading of accounting reaches back over the one before; covers records that come late
 * @param history how far back ended jobs are read: the last day at once, the rest in the background
 * @param rest slurmrestd, which tells jobs, nodes and ended jobs instead of the commands; absent: the commands do
 */
public record SlurmSettings(
        Optional<Path> binaries,
        List<String> prefix,
        Optional<Path> slurmConf,
        Optional<String> cluster,
        Duration every,
        Duration accountingEvery,
        Duration accountsEvery,
        Duration timeout,
        long maxOutputBytes,
        Duration overlap,
        Duration history,
        Optional<Rest> rest) {

    /**
     * How slurmrestd is asked. Immutable.
     *
     * @param url where it listens, e.g. {@code https://slurm.example.org:6820}
     * @param user whom the token names
     * @param tokenFile file whose first line is a JWT, as {@code scontrol token} prints it; read for each call
     * @param version e.g. {@code v0.0.40}; absent: the newest that it describes
     */
    public record Rest(URI url, String user, Path tokenFile, Optional<String> version) {
        public Rest {
            if (url.getHost() == null || !List.of("http", "https").contains(String.valueOf(url.getScheme()))) {
                throw new IllegalArgumentException("url: " + url + " (expected: e.g. http://localhost:6820)");
            }
            if (!user.matches("[\\x21-\\x7e]{1,256}")) {
                throw new IllegalArgumentException("user: " + user + " (expected: a login name)");
            }
            if (version.isPresent() && !version.get().matches("v0\\.0\\.\\d{1,4}")) {
                throw new IllegalArgumentException("version: " + version.get() + " (expected: e.g. v0.0.40)");
            }
        }
    }

    /** For a cluster whose commands are on the PATH. */
    public static final SlurmSettings DEFAULTS = new SlurmSettings(
            Optional.empty(),
            List.of(),
            Optional.empty(),
            Optional.empty(),
            Duration.ofSeconds(15),
            Duration.ofSeconds(60),
            Duration.ofHours(1),
            Duration.ofSeconds(30),
            256L << 20,
            Duration.ofMinutes(10),
            Duration.ofDays(30),
            Optional.empty());

    public SlurmSettings {
        prefix = List.copyOf(prefix);
        checkPositive("every", every);
        checkPositive("accountingEvery", accountingEvery);
        checkPositive("accountsEvery", accountsEvery);
        checkPositive("timeout", timeout);
        checkPositive("overlap", overlap);
        checkPositive("history", history);
        if (maxOutputBytes < 1 || maxOutputBytes > Integer.MAX_VALUE - 16) {
            throw new IllegalArgumentException(
                    "maxOutputBytes: " + maxOutputBytes + " (expected: 1.." + (Integer.MAX_VALUE - 16) + ")");
        }
    }

    private static void checkPositive(String name, Duration value) {
        if (value.isZero() || value.isNegative()) {
            throw new IllegalArgumentException(name + ": " + value + " (expected: more than 0)");
        }
    }
}
