package io.fairwatch.fleet;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.PoolOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * Plays a cluster. Exits with 0 when everything was taken, 1 when something was refused or could not be sent, 2 when it
 * was called wrongly.
 */
@Command(
        name = "fairwatch-fleet",
        description = {
            "Plays a cluster for a Fairwatch collector: agents that send snapshots, and a Slurm that knows their jobs.",
            "Only collectors on this machine's loopback addresses are sent to."
        },
        mixinStandardHelpOptions = true)
public final class Main implements Callable<Integer> {
    private static final Duration REPORT = Duration.ofSeconds(10);
    /** How many nodes are made without a pause. */
    private static final int TOGETHER = 50;

    @Option(names = "--collector", defaultValue = "http://127.0.0.1:7480", description = "default: ${DEFAULT-VALUE}")
    private URI collector = URI.create("http://127.0.0.1:7480");

    @Option(names = "--token-file", paramLabel = "FILE", description = "holds the token that the collector asks for")
    private @Nullable Path tokenFile;

    @Option(names = "--nodes", paramLabel = "N", description = "so many equal nodes; default: a university's 27")
    private int nodes;

    @Option(names = "--gpus", paramLabel = "N", defaultValue = "8", description = "GPUs of each; default: 8")
    private int gpus = 8;

    @Option(names = "--period", paramLabel = "SECONDS", defaultValue = "30", description = "default: 30")
    private int periodSeconds = 30;

    @Option(names = "--seed", defaultValue = "1", description = "the same seed plays the same jobs; default: 1")
    private long seed = 1;

    @Option(
            names = "--history",
            paramLabel = "MINUTES",
            defaultValue = "0",
            description = "begin so long ago, as if cut off from the collector since then; default: 0")
    private long historyMinutes;

    @Option(
            names = "--speed",
            paramLabel = "FACTOR",
            description = "play the history at so many times real time; default: all of it at once")
    private double speed;

    @Option(names = "--for", paramLabel = "SECONDS", description = "end after so long; default: when interrupted")
    private long forSeconds = 366 * 86_400;

    @Option(names = "--until-caught-up", description = "end as soon as no node lags behind")
    private boolean untilCaughtUp;

    @Option(
            names = "--longest-wait",
            paramLabel = "SECONDS",
            defaultValue = "60",
            description = "most time between two tries of an agent that nobody answers; default: 60, as agents do")
    private int longestWaitSeconds = 60;

    @Option(
            names = "--acknowledged",
            paramLabel = "FILE",
            description = "at the end, a line for each node: name, boot, last sequence acknowledged, last sent")
    private @Nullable Path acknowledged;

    @Option(names = "--slurm-port", paramLabel = "PORT", defaultValue = "7490", description = "default: 7490")
    private int slurmPort = 7490;

    @Option(
            names = "--slurm-binaries",
            paramLabel = "DIRECTORY",
            description =
                    "where to leave squeue, sinfo and sacct for the collector's slurm.binaries; default: no Slurm")
    private @Nullable Path slurmBinaries;

    @Spec
    private CommandLine.Model.@Nullable CommandSpec spec;

    public static void main(String[] arguments) {
        System.exit(new CommandLine(new Main()).execute(arguments));
    }

    /** The cluster's time: runs from the beginning of its history at its speed until it has caught up with ours. */
    private record ClusterTime(InstantSource real, Instant from, Instant began, double speed) implements InstantSource {
        @Override
        public Instant instant() {
            Instant now = real.instant();
            if (speed <= 0) {
                return now;
            }
            Instant played =
                    from.plusMillis((long) (speed * Duration.between(began, now).toMillis()));
            return played.isBefore(now) ? played : now;
        }
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        check();
        Site site = nodes > 0 ? Site.uniform(nodes, gpus) : Site.university();
        InstantSource real = Clock.systemUTC();
        Instant began = real.instant();
        Instant from = began.minus(Duration.ofMinutes(historyMinutes));
        ClusterTime time = new ClusterTime(real, from, began, speed);
        Duration period = Duration.ofSeconds(periodSeconds);
        Vertx vertx = Vertx.vertx(new VertxOptions()
                .setEventLoopPoolSize(1)
                .setWorkerPoolSize(2)
                .setBlockedThreadCheckInterval(TimeUnit.MINUTES.toMillis(5)));
        SlurmSource slurm = new SlurmSource(site, time);
        if (slurmBinaries != null) {
            slurm.listen(vertx, slurmPort, slurmBinaries).await();
        }
        Optional<String> token = tokenFile == null
                ? Optional.empty()
                : Optional.of(Files.readString(tokenFile).strip());
        Delivery delivery = new Delivery(
                vertx.createHttpClient(
                        new HttpClientOptions().setKeepAliveTimeout(600).setConnectTimeout(5_000),
                        new PoolOptions().setHttp1MaxSize(site.nodes().size())),
                collector.toString().replaceFirst("/+$", ""),
                token);
        Fleet fleet = new Fleet(vertx, delivery, time, seed, longestWaitSeconds * 1000L);
        for (int first = 0; first < site.nodes().size(); first += TOGETHER) {
            List<Site.Node> some = site.nodes()
                    .subList(first, Math.min(first + TOGETHER, site.nodes().size()));
            onLoop(
                    vertx,
                    () -> { // between them it sends what is due
                        some.forEach(node -> fleet.add(player(node, site, slurm, period, from)));
                        return 0;
                    });
        }
        System.out.printf(
                Locale.ROOT,
                "%d nodes play, %d jobs; everything is simulated%n",
                site.nodes().size(),
                slurm.liveJobs());
        Thread interrupted = new Thread(() -> tellAcknowledged(vertx, fleet));
        Runtime.getRuntime().addShutdownHook(interrupted);
        boolean whole = watch(vertx, fleet, delivery, slurm, time, began);
        try {
            onLoop(vertx, fleet::stop).await(60, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            System.err.println("something was still on its way after a minute");
            whole = false;
        }
        Runtime.getRuntime().removeShutdownHook(interrupted);
        tellAcknowledged(vertx, fleet);
        vertx.close().await();
        return whole ? 0 : 1;
    }

    private void tellAcknowledged(Vertx vertx, Fleet fleet) {
        if (acknowledged == null) {
            return;
        }
        try {
            Files.write(acknowledged, onLoop(vertx, fleet::acknowledged));
        } catch (IOException e) {
            System.err.println("--acknowledged: " + acknowledged + " cannot be written: " + e);
        }
    }

    private NodePlayer player(Site.Node node, Site site, SlurmSource slurm, Duration period, Instant from) {
        // each node has its own phase within the period, as agents have
        Instant first = from.minusMillis((long) (Seeds.ratio(Seeds.mix(seed, -1 - node.number())) * period.toMillis()));
        Workload workload = new Workload(node, site.nodes().size(), seed, first);
        return new NodePlayer(node, workload, slurm, period, first, seed);
    }

    private void check() {
        String host = collector.getHost() == null ? "" : collector.getHost();
        if (!host.equals("localhost") && !host.equals("[::1]") && !host.matches("127(\\.\\d{1,3}){3}")) {
            throw wrong("--collector: " + collector
                    + " (expected: an address of this machine, e.g. http://127.0.0.1:7480)");
        }
        if (periodSeconds < 1 || periodSeconds > 300) {
            throw wrong("--period: " + periodSeconds + " (expected: 1 to 300)");
        }
        if (nodes < 0 || nodes > 100_000 || gpus < 0 || gpus > 64) {
            throw wrong(
                    "--nodes, --gpus: " + nodes + ", " + gpus + " (expected: up to 100000 nodes, up to 64 GPUs each)");
        }
        if (historyMinutes < 0 || historyMinutes > 60 * 24 * 400) {
            throw wrong("--history: " + historyMinutes + " (expected: 0 to 576000)");
        }
    }

    private ParameterException wrong(String message) {
        return new ParameterException(spec == null ? new CommandLine(this) : spec.commandLine(), message);
    }

    /** Tells every ten seconds how it goes. */
    private boolean watch(
            Vertx vertx, Fleet fleet, Delivery delivery, SlurmSource slurm, ClusterTime time, Instant began)
            throws InterruptedException {
        boolean whole = true;
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(forSeconds);
        boolean caughtUp = false;
        System.out.println(
                "    s  cluster's time        stored/s   kB/s  ack p50  p99  worst ms  later  failed   jobs  behind");
        while (System.nanoTime() < end && !(untilCaughtUp && caughtUp)) {
            long wait = Math.min(REPORT.toMillis(), (end - System.nanoTime()) / 1_000_000);
            Thread.sleep(Math.max(1, wait));
            Delivery.Count count = onLoop(vertx, delivery::take);
            Duration behind = onLoop(vertx, fleet::behind);
            caughtUp = behind.compareTo(Duration.ofSeconds(periodSeconds)) < 0
                    && !time.instant().isBefore(Instant.now().minusSeconds(1));
            whole &= count.refused() == 0;
            System.out.printf(
                    Locale.ROOT,
                    "%5d  %s  %8.0f %6.0f  %7d %4d  %8d  %5d  %6d %6d  %d s%n",
                    Duration.between(began, Instant.now()).toSeconds(),
                    time.instant().toString().substring(0, 19) + "Z",
                    count.stored() * 1000.0 / Math.max(1, wait),
                    count.bytes() / 1.0 / Math.max(1, wait),
                    count.medianMillis(),
                    count.p99Millis(),
                    count.worstMillis(),
                    count.later(),
                    count.refused() + count.unreachable(),
                    slurm.liveJobs(),
                    behind.toSeconds());
        }
        return whole;
    }

    private static <T> T onLoop(Vertx vertx, Callable<T> work) {
        return Future.<T>future(promise -> vertx.runOnContext(run -> {
                    try {
                        promise.complete(work.call());
                    } catch (Exception e) {
                        promise.fail(e);
                    }
                }))
                .await();
    }
}
