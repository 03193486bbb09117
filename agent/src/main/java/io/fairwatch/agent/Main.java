package io.fairwatch.agent;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.agent.metrics.AgentMetrics;
import io.fairwatch.agent.metrics.MetricsServer;
import io.fairwatch.agent.metrics.OwnCost;
import io.fairwatch.agent.probe.CleanPages;
import io.fairwatch.agent.probe.HostProbe;
import io.fairwatch.agent.probe.JobCgroupProbe;
import io.fairwatch.agent.probe.ProcTree;
import io.fairwatch.agent.probe.ProportionalMemory;
import io.fairwatch.agent.probe.ScratchProbe;
import io.fairwatch.agent.probe.ServiceNotice;
import io.fairwatch.agent.probe.UserNames;
import io.fairwatch.agent.probe.UserProbe;
import io.fairwatch.agent.probe.nvml.NvmlGpuProbe;
import io.fairwatch.agent.spool.Connection;
import io.fairwatch.agent.spool.Shipper;
import io.fairwatch.agent.spool.Spool;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.WireCodec;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.file.FileSystemOptions;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.Executor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;

/**
 * The agent. Reads like the data flows: probes, snapshots, spool, collector.
 *
 * <p>Exits with 0 after the work or a SIGTERM, 1 when it cannot work, 2 when it was called or configured wrongly; the
 * doctor says with it how bad things are.
 */
@Command(
        name = "fairwatch-agent",
        description = "Watches what jobs use on this node, and tells the Fairwatch collector.",
        versionProvider = Main.Version.class,
        subcommands = DoctorCommand.class,
        mixinStandardHelpOptions = true)
public final class Main implements Callable<Integer> {
    private static final String CONFIG = "--config";
    private static final String REHEARSE = "--rehearse";
    private static final String NATIVE = "libjnidispatch.so";
    private static final int OK = 0;
    private static final int FAILURE = 1;
    private static final int WRONG = 2;
    private static final Duration LONGEST_PROBE = Duration.ofSeconds(10);
    private static final Duration ONCE = Duration.ofSeconds(2);
    private static final int REHEARSALS = 3;
    /** In snapshots: after the first ones have been taken and shipped, and every hour at the usual period. */
    private static final int GIVE_BACK_FIRST = 3;

    private static final int GIVE_BACK_EVERY = 120;
    private static final Duration LAST_SHIPPING = Duration.ofSeconds(2);

    @Option(names = CONFIG, paramLabel = "FILE", description = "configuration; see agent.example.yml")
    private @Nullable Path configFile;

    @Option(names = "--once", description = "print one snapshot of this node, send nothing, and end")
    private boolean once;

    @Option(
            names = REHEARSE,
            hidden = true,
            description =
                    "do everything once, ship it to itself, and end: what `fairwatch-agent prepare` has Java learn")
    private boolean rehearse;

    public static void main(String[] arguments) {
        prepareLibraries(List.of(arguments).contains(REHEARSE));
        System.exit(isDaily(arguments) ? daily(Path.of(arguments[1])) : commandLine(arguments));
    }

    /**
     * As the unit calls it. Needs no parser: picocli is compiled for a Java so old that no class archive takes it, and
     * loading it was a seventh of the processor time until the first snapshot.
     */
    private static boolean isDaily(String[] arguments) {
        return arguments.length == 2 && arguments[0].equals(CONFIG) && !arguments[1].startsWith("-");
    }

    private static int daily(Path file) {
        Main agent = new Main();
        agent.configFile = file;
        try {
            return agent.call();
        } catch (IOException | ConfigException | InterruptedException | RuntimeException e) {
            return cannotWork(e);
        }
    }

    private static int commandLine(String[] arguments) {
        return new CommandLine(new Main())
                .setExecutionExceptionHandler((failure, command, parsed) -> cannotWork(failure))
                .execute(arguments);
    }

    private static int cannotWork(Exception failure) {
        LoggerFactory.getLogger(Main.class).error("agent cannot work", failure);
        return FAILURE;
    }

    Optional<Path> configFile() {
        return Optional.ofNullable(configFile);
    }

    @Override
    public Integer call() throws IOException, ConfigException, InterruptedException {
        Running running;
        try {
            AgentConfig config = configFile == null
                    ? ConfigFile.parse("defaults", "", AgentConfig.class)
                    : ConfigFile.read(configFile, AgentConfig.class);
            if (!once && !rehearse && config.collector().isEmpty()) {
                throw new ConfigException(List.of(
                        (configFile == null ? "--config" : configFile) + ": collector: missing (expected: its url)"));
            }
            running = new Running(config);
        } catch (ConfigException e) {
            System.err.println(e.getMessage());
            return WRONG;
        }
        return once ? running.once() : rehearse ? running.rehearse() : running.forEver();
    }

    /** What a configuration becomes. */
    private static final class Running {
        private static final Logger log = LoggerFactory.getLogger(Main.class);

        private final AgentConfig config;
        private final InstantSource clock = Clock.systemUTC();
        private final Vertx vertx;
        /** The disk beneath the spool may hang; on a thread of its own that costs nobody else. */
        private final WorkerExecutor disk;

        private final AgentMetrics metrics;
        private final ThisNode node;
        private final NodeReader reader;
        private final ProcTree processes;

        Running(AgentConfig config) throws IOException, ConfigException {
            this.config = config;
            this.node = ThisNode.read(config.node(), clock.instant());
            this.vertx = vertx();
            this.disk = disk(vertx);
            this.processes = new ProcTree(
                    Path.of("/proc"), Path.of("/sys/fs/cgroup"), config.jobs().environ());
            JobCgroupProbe jobs = new JobCgroupProbe(processes, System::nanoTime);
            this.metrics = new AgentMetrics(
                    clock,
                    new AgentMetrics.Switches(
                            config.metrics().jobstats(), config.metrics().nodeExporter()),
                    node.version(),
                    jobs::stands);
            this.reader = new NodeReader(
                    vertx,
                    workers(),
                    clock,
                    System::nanoTime,
                    sources(config, clock, processes, jobs),
                    deadline(config),
                    metrics);
        }

        /** The probes, in the order in which they read. A new one is a line here. */
        private static List<Source<?>> sources(
                AgentConfig config, InstantSource clock, ProcTree processes, JobCgroupProbe jobs) {
            UserNames names = config.names() ? UserNames.ofSystem() : UserNames.off();
            List<Source<?>> sources = new ArrayList<>();
            sources.add(Source.step("processes", at -> {
                processes.refresh(at);
                processes.requireAll();
            }));
            sources.add(new Source<>(jobs, SnapshotDraft::jobs));
            Optional<ProportionalMemory> memory = config.users().pss()
                    ? Optional.of(ProportionalMemory.ofSystem(Path.of("/proc")))
                    : Optional.empty();
            sources.add(new Source<>(new UserProbe(processes, jobs, names, memory), SnapshotDraft::users));
            sources.add(new Source<>(new HostProbe(), SnapshotDraft::host));
            if (config.nvml().enabled()) {
                sources.add(new Source<>(
                        new NvmlGpuProbe(config.nvml().library(), processes, deadline(config)), SnapshotDraft::gpus));
            }
            if (!config.scratch().mounts().isEmpty()) {
                AgentConfig.Scratch scratch = config.scratch();
                sources.add(new Source<>(
                        new ScratchProbe(scratch.mounts(), scratch.recountEvery(), scratch.directory(), names, clock),
                        SnapshotDraft::scratch));
            }
            return sources;
        }

        /** Two readings, because most figures are differences; the second one is printed. */
        int once() {
            Future<NodeSnapshot> snapshot = onLoop(() -> reader.read()
                    .compose(first -> vertx.timer(ONCE.toMillis(), TimeUnit.MILLISECONDS))
                    .compose(waited -> reader.read())
                    .map(draft -> node.finish(draft, 1, 0, OwnCost.read())));
            System.out.println(new WireCodec().pretty(snapshot.await()));
            return OK;
        }

        /** All that {@link #forEver} does, in a second, with a spool of its own and itself for a collector. */
        int rehearse() throws IOException, ConfigException {
            Path directory = Files.createTempDirectory("fairwatch-rehearsal");
            try (Spool spool = openSpool(directory)) {
                int port = new MetricsServer(metrics, Optional::empty)
                        .listen(vertx, "127.0.0.1", 0)
                        .await()
                        .actualPort();
                AgentConfig itself = ConfigFile.parse(
                        "rehearsal", "collector: {url: 'http://127.0.0.1:" + port + "'}", AgentConfig.class);
                Shipper shipper = shipper(itself, spool);
                Sampler sampler = sampler(spool, shipper);
                take(REHEARSALS, sampler);
                onLoop(() -> shipper.drain(LAST_SHIPPING)).await();
            } finally {
                try (Stream<Path> files = Files.walk(directory)) {
                    files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
                }
            }
            return OK;
        }

        /** Snapshots one right after the other. */
        private void take(int count, Sampler sampler) {
            for (int i = 0; i < count; i++) {
                onLoop(sampler::take).await();
            }
        }

        private Spool openSpool(Path directory) throws IOException {
            return Spool.open(
                    directory,
                    new Spool.Limits(
                            config.spool().maxBytes().bytes(),
                            config.spool().maxAge(),
                            config.spool().maxRejectedBytes().bytes()),
                    clock);
        }

        private Shipper shipper(AgentConfig where, Spool spool) {
            AgentConfig.Collector collector = where.collector().orElseThrow();
            Shipper shipper = new Shipper(
                    vertx,
                    disk,
                    spool,
                    new Connection(vertx, where.connection().orElseThrow()),
                    new Shipper.Settings(collector.batch().bytes(), collector.firstRetry(), collector.lastRetry()),
                    RandomGenerator.getDefault(),
                    metrics::held);
            Map<String, LongSupplier> dropped = new TreeMap<>();
            for (Spool.Loss loss : Spool.Loss.values()) {
                dropped.put(loss.name().toLowerCase(Locale.ROOT), () -> spool.dropped(loss));
            }
            metrics.watchSpool(
                    spool::waiting, spool::bytes, dropped, spool::rejected, shipper::shipped, spool::acknowledgedAt);
            return shipper;
        }

        private Sampler sampler(Spool spool, Shipper shipper) {
            AtomicInteger taken = new AtomicInteger();
            return new Sampler(
                    vertx, disk, clock, System::nanoTime, reader, spool, node, period(config), metrics, () -> {
                        shipper.wake();
                        if (taken.getAndIncrement() % GIVE_BACK_EVERY == GIVE_BACK_FIRST) {
                            vertx.executeBlocking(() -> {
                                CleanPages.giveBack();
                                return null;
                            });
                        }
                    });
        }

        int forEver() throws IOException, InterruptedException {
            AgentConfig.Collector collector = config.collector().orElseThrow();
            Spool spool = openSpool(config.spool().directory());
            Shipper shipper = shipper(config, spool);
            Sampler sampler = sampler(spool, shipper);
            if (config.metrics().port() > 0) {
                new MetricsServer(metrics, sampler::trouble)
                        .listen(
                                vertx,
                                config.metrics().address(),
                                config.metrics().port())
                        .await();
            }
            ServiceNotice systemd =
                    ServiceNotice.of(System.getenv(), ProcessHandle.current().pid());
            take(Integer.getInteger("fairwatch.warmUp", 0), sampler); // for the benchmark, which has no hours to wait
            processes.lookAtAll();
            onLoop(() -> {
                        sampler.start();
                        shipper.wake();
                        systemd.watchEvery()
                                .ifPresent(every -> vertx.setPeriodic(every.toMillis(), due -> {
                                    if (!sampler.isWedged()) {
                                        systemd.alive();
                                    }
                                }));
                        return Future.succeededFuture();
                    })
                    .await();
            log.info(
                    "agent started version={} node={} period={} collector={} ready_after={}",
                    node.version(),
                    node.name(),
                    config.period(),
                    collector.url(),
                    Duration.between(started(), clock.instant()));
            Runtime.getRuntime()
                    .addShutdownHook(new Thread(
                            () -> {
                                systemd.stopping();
                                end(sampler, shipper, spool);
                            },
                            "end"));
            systemd.ready();
            Thread.currentThread().join(); // until a signal; its hook ends the process
            return OK;
        }

        /** After a signal: take no more, ship what goes quickly; what does not is in the spool. */
        private void end(Sampler sampler, Shipper shipper, Spool spool) {
            int status = OK;
            try {
                log.info("agent ends, ships what it can first waiting={}", spool.waiting());
                onLoop(() -> Future.join(sampler.stop(), shipper.drain(LAST_SHIPPING)))
                        .await(LAST_SHIPPING.toMillis() + 500, TimeUnit.MILLISECONDS);
                disk.executeBlocking(() -> {
                            spool.close();
                            return null;
                        })
                        .await(LAST_SHIPPING.toMillis(), TimeUnit.MILLISECONDS);
                log.info("agent ended waiting={}", spool.waiting());
            } catch (java.util.concurrent.TimeoutException e) {
                log.info("agent ended before everything came to rest waiting={}", spool.waiting());
            } catch (RuntimeException e) {
                log.error("agent did not end in order", e);
                status = FAILURE;
            }
            Runtime.getRuntime().halt(status); // a hung driver must not hold the process; a signal is no failure
        }

        private <T> Future<T> onLoop(java.util.function.Supplier<Future<T>> work) {
            return Future.future(promise -> vertx.runOnContext(run -> work.get().onComplete(promise)));
        }

        private Instant started() {
            return ProcessHandle.current().info().startInstant().orElse(node.startedAt());
        }
    }

    /** Shorter than any site may have it, for the benchmark of a day's snapshots. */
    private static Duration period(AgentConfig config) {
        String forBenchmark = System.getProperty("fairwatch.period");
        return forBenchmark == null ? config.period() : Duration.parse(forBenchmark);
    }

    private static Duration deadline(AgentConfig config) {
        Duration half = config.period().dividedBy(2);
        return half.compareTo(LONGEST_PROBE) < 0 ? half : LONGEST_PROBE;
    }

    /** One event loop, one worker beside the spool's: the node belongs to the job. */
    static Vertx vertx() {
        return Vertx.vertx(new VertxOptions()
                .setEventLoopPoolSize(1)
                .setWorkerPoolSize(1)
                .setInternalBlockingPoolSize(2)
                .setBlockedThreadCheckInterval(TimeUnit.MINUTES.toMillis(5))
                .setFileSystemOptions(
                        new FileSystemOptions().setFileCachingEnabled(false).setClassPathResolvingEnabled(false)));
    }

    /** The one thread that asks the spool. */
    static WorkerExecutor disk(Vertx vertx) {
        return vertx.createSharedWorkerExecutor("spool", 1);
    }

    /** Threads for the probes: one at work as a rule, another for each that hangs. They never hold up the end. */
    private static Executor workers() {
        return new ThreadPoolExecutor(0, 64, 2, TimeUnit.MINUTES, new SynchronousQueue<>(), work -> {
            Thread thread = new Thread(work, "probe");
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * What must be said before the classes concerned are loaded; what is said on the command line holds.
     *
     * @param install whether to lay JNA's native library beside the jar, for good
     */
    private static void prepareLibraries(boolean install) {
        preset("org.slf4j.simpleLogger.defaultLogLevel", "info"); // tests that run no main are silent
        preset("vertx.disableDnsResolver", "true"); // the system's resolver knows /etc/nsswitch.conf, Netty's does not
        preset("oshi.os.linux.allowudev", "false");
        preset("io.netty.jfr.enabled", "false"); // else the flight recorder is loaded to record nothing
        try {
            Path jar = Path.of(Main.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
            Path beside = jar.resolveSibling(NATIVE);
            if (install && Files.isRegularFile(jar)) {
                layBeside(beside);
            }
            if (Files.isRegularFile(jar) && Files.isRegularFile(beside)) { // /tmp may be noexec: do not unpack there
                preset("jna.boot.library.path", String.valueOf(jar.getParent()));
                preset("jna.nounpack", "true");
            }
        } catch (URISyntaxException | IllegalArgumentException expected) { // not run from a file: JNA finds its own way
        } catch (IOException e) {
            System.err.println(NATIVE + ": cannot be laid beside the jar, is unpacked at each start instead: " + e);
        }
    }

    private static void layBeside(Path beside) throws IOException {
        String processor = "amd64".equals(System.getProperty("os.arch")) ? "x86-64" : System.getProperty("os.arch");
        try (InputStream packed = Main.class.getResourceAsStream("/com/sun/jna/linux-" + processor + "/" + NATIVE)) {
            if (packed != null) {
                Files.copy(packed, beside, StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    private static void preset(String key, String value) {
        if (System.getProperty(key) == null) {
            System.setProperty(key, value);
        }
    }

    /** Says which version this is. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"fairwatch-agent " + number()};
        }

        static String number() {
            return Optional.ofNullable(Main.class.getPackage().getImplementationVersion())
                    .orElse("unpackaged");
        }
    }
}
