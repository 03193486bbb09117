package io.fairwatch.collector;

import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.slurm.SlurmSync;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The collector's own numbers, for Prometheus. What parts count themselves is here under one prefix, and what stands in
 * the store or on the disk is looked at for each {@link #scrape}, which blocks. No series has a user or a job in it, and
 * those of single nodes are bounded. Thread-safe.
 */
final class CollectorMetrics {
    private static final Logger LOG = LoggerFactory.getLogger(CollectorMetrics.class);
    private static final String PREFIX = "fairwatch.collector.";
    private static final int SILENT_PERIODS = 2;
    private static final Duration SLACK = Duration.ofSeconds(10);

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final InstantSource clock;
    private final MultiGauge nodes;
    private final MultiGauge nodeAges;
    private final MultiGauge slurmAges;
    private final MultiGauge slurmUp;
    private final MultiGauge storeBytes;
    private volatile double oldestSeconds = Double.NaN;

    CollectorMetrics(InstantSource clock) {
        this.clock = clock;
        registry.config().meterFilter(new MeterFilter() {
            @Override
            public Meter.Id map(Meter.Id id) {
                return id.getName().startsWith("fairwatch.") && !id.getName().startsWith(PREFIX)
                        ? id.withName(PREFIX + id.getName().substring("fairwatch.".length()))
                        : id;
            }
        });
        // their names are none that Prometheus likes
        registry.config()
                .meterFilter(MeterFilter.denyNameStartsWith("system.cpu.count"))
                .meterFilter(MeterFilter.denyNameStartsWith("process.cpu.time"));
        this.nodes = MultiGauge.builder(PREFIX + "nodes")
                .description(
                        "Nodes by how they are heard: heard, silent, off (powered down: no fault), never (Slurm gives"
                                + " GPUs there, and no agent was ever heard)")
                .register(registry);
        this.nodeAges = MultiGauge.builder(PREFIX + "node.age")
                .description(
                        "Age of the newest snapshot of a node; of the nodes longest unheard, without those that are off")
                .baseUnit("seconds")
                .register(registry);
        this.slurmAges = MultiGauge.builder(PREFIX + "slurm.age")
                .description("Age of what Slurm answered last, by part")
                .baseUnit("seconds")
                .register(registry);
        this.slurmUp = MultiGauge.builder(PREFIX + "slurm.up")
                .description("Whether the last question of this part was answered")
                .register(registry);
        this.storeBytes = MultiGauge.builder(PREFIX + "store.size")
                .description("Size on disk: hot is the database that is written, sealed what is not changed any more")
                .baseUnit("bytes")
                .register(registry);
        Gauge.builder(PREFIX + "node.age.max", this, metrics -> metrics.oldestSeconds)
                .description(
                        "Age of the newest snapshot of the node that is unheard longest, those that are off left out")
                .baseUnit("seconds")
                .register(registry);
        new JvmMemoryMetrics().bindTo(registry);
        new JvmThreadMetrics().bindTo(registry);
        new ProcessorMetrics().bindTo(registry);
        new UptimeMetrics().bindTo(registry);
        new FileDescriptorMetrics().bindTo(registry);
        @SuppressWarnings("resource") // lives as long as this process
        JvmGcMetrics collections = new JvmGcMetrics();
        collections.bindTo(registry);
    }

    /**
     * What the address says in {@code ?nodes=N}: a site that wants a series of each node asks for more, by {@code params}
     * of its scrape configuration. 20 if it says nothing, or nothing that makes sense.
     */
    static int mostNodes(@Nullable String asked) {
        return asked != null && asked.matches("\\d{1,6}") ? Integer.parseInt(asked) : 20;
    }

    PrometheusMeterRegistry registry() {
        return registry;
    }

    /** Counts the rounds of reading Slurm: how long they take, and how often each part fails. */
    Every.Round slurmRound(SlurmSync slurm) {
        Timer timer = Timer.builder(PREFIX + "slurm.cycle")
                .description("How long one round of reading Slurm takes")
                .register(registry);
        Map<String, Counter> failures = new LinkedHashMap<>();
        parts(slurm.status())
                .keySet()
                .forEach(part -> failures.put(
                        part,
                        Counter.builder(PREFIX + "slurm.failures")
                                .description("Rounds after which this part of reading Slurm did not work")
                                .tag("part", part)
                                .register(registry)));
        return () -> {
            long began = System.nanoTime();
            try {
                slurm.cycle();
            } finally {
                timer.record(Duration.ofNanos(System.nanoTime() - began));
                parts(slurm.status()).forEach((part, how) -> {
                    Counter counter = failures.get(part);
                    if (counter != null && how.failure().isPresent()) {
                        counter.increment();
                    }
                });
            }
        };
    }

    private static Map<String, SlurmSync.Part> parts(SlurmSync.Status status) {
        Map<String, SlurmSync.Part> parts = new LinkedHashMap<>();
        parts.put("jobs", status.jobs());
        parts.put("nodes", status.nodes());
        parts.put("accounting", status.accounting());
        return parts;
    }

    /**
     * Looks at everything now, and writes the page.
     *
     * @param slurm how reading Slurm goes; absent where there is none
     * @param directory of the store
     * @param mostNodes of how many nodes there is a series each, those longest unheard first
     */
    synchronized String scrape(Store store, Optional<SlurmSync> slurm, Path directory, int mostNodes) {
        Instant now = clock.instant();
        try {
            look(store.nodes(), store.view(), now, mostNodes);
        } catch (StoreException e) {
            LOG.debug("nodes are not in the metrics", e); // it is counted as a failed call
        }
        slurm.ifPresent(sync -> {
            Map<String, SlurmSync.Part> parts = parts(sync.status());
            List<MultiGauge.Row<?>> ages = new ArrayList<>();
            List<MultiGauge.Row<?>> up = new ArrayList<>();
            parts.forEach((name, part) -> {
                Tags tag = Tags.of("part", name);
                part.lastSuccess().ifPresent(at -> ages.add(MultiGauge.Row.of(tag, seconds(at, now))));
                up.add(MultiGauge.Row.of(
                        tag, part.failure().isEmpty() && part.lastSuccess().isPresent() ? 1 : 0));
            });
            slurmAges.register(ages, true);
            slurmUp.register(up, true);
        });
        sizes(directory);
        return registry.scrape();
    }

    private void look(List<NodeState> heard, Optional<SlurmView> view, Instant now, int mostNodes) {
        Map<String, SlurmNode> known = view.map(SlurmView::nodes).orElse(List.of()).stream()
                .collect(Collectors.toMap(SlurmNode::name, node -> node, (a, b) -> a));
        Map<String, Integer> counts = new LinkedHashMap<>();
        List.of("heard", "silent", "off", "never").forEach(state -> counts.put(state, 0));
        List<NodeState> on = new ArrayList<>();
        for (NodeState node : heard) {
            boolean off = isOff(known.get(node.node()));
            boolean silent = node.lastAt()
                    .isBefore(now.minus(node.period().multipliedBy(SILENT_PERIODS))
                            .minus(SLACK));
            counts.merge(silent ? off ? "off" : "silent" : "heard", 1, Integer::sum);
            if (!off || !silent) {
                on.add(node);
            }
            known.remove(node.node());
        }
        known.values().stream()
                .filter(node -> node.gpus().orElse(0) > 0)
                .forEach(node -> counts.merge(isOff(node) ? "off" : "never", 1, Integer::sum));
        nodes.register(
                counts.entrySet().stream()
                        .map(count -> MultiGauge.Row.of(Tags.of("state", count.getKey()), count.getValue()))
                        .collect(Collectors.toList()),
                true);
        on.sort(Comparator.comparing(NodeState::lastAt));
        oldestSeconds = on.isEmpty() ? Double.NaN : seconds(on.get(0).lastAt(), now);
        nodeAges.register(
                on.stream()
                        .limit(mostNodes)
                        .map(node -> MultiGauge.Row.of(Tags.of("node", node.node()), seconds(node.lastAt(), now)))
                        .collect(Collectors.toList()),
                true);
    }

    private static boolean isOff(@Nullable SlurmNode node) {
        return node != null && node.offBecause().isPresent();
    }

    private static double seconds(Instant since, Instant now) {
        return Duration.between(since, now).toMillis() / 1000.0;
    }

    private void sizes(Path directory) {
        Map<String, Long> sizes = new LinkedHashMap<>(Map.of("hot", 0L, "sealed", 0L));
        try (Stream<Path> files = Files.walk(directory)) {
            files.filter(Files::isRegularFile)
                    .forEach(file -> sizes.merge(
                            file.toString().endsWith(".parquet") ? "sealed" : "hot", size(file), Long::sum));
        } catch (IOException | UncheckedIOException e) {
            LOG.debug("the store's size is not in the metrics directory={}", directory, e);
            return;
        }
        storeBytes.register(
                sizes.entrySet().stream()
                        .map(size -> MultiGauge.Row.of(Tags.of("kind", size.getKey()), size.getValue()))
                        .collect(Collectors.toList()),
                true);
    }

    /** 0 of a file that has gone in the meantime. */
    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException gone) {
            return 0;
        }
    }
}
