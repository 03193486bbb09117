package io.fairwatch.agent.metrics;

import io.fairwatch.agent.probe.HostCounters;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The agent's own figures. Thread-safe.
 *
 * <pre>{@code
 * fairwatch_agent_snapshots_total 2880.0
 * fairwatch_agent_snapshots_failed_total 0.0
 * fairwatch_agent_probe_reads_total{outcome="read",probe="nvml"} 2880.0
 * fairwatch_agent_probe_seconds_total{probe="nvml"} 31.2
 * fairwatch_agent_spool_snapshots 0.0
 * fairwatch_agent_spool_bytes 0.0
 * fairwatch_agent_snapshots_dropped_total{reason="age"} 0.0
 * fairwatch_agent_snapshots_rejected_total 0.0
 * fairwatch_agent_snapshots_shipped_total 2880.0
 * fairwatch_agent_last_acknowledged_timestamp_seconds 1.79515443E9
 * fairwatch_agent_probe_last_seconds{probe="nvml"} 0.011
 * fairwatch_agent_probe_abandoned{probe="nvml"} 0.0
 * fairwatch_agent_build_info{java="17.0.15+6",version="0.1.0",wire="1"} 1
 * fairwatch_agent_cpu_seconds_total 75.1
 * fairwatch_agent_resident_bytes 8.4E7
 * }</pre>
 */
public final class AgentMetrics {
    private static final int PERIODS_UNTIL_STALE = 3;
    private static final Duration ANSWER_HOLDS = Duration.ofMinutes(5);

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final Counter taken = counter("fairwatch.agent.snapshots", "Snapshots taken and kept for the collector");
    private final Counter failed =
            counter("fairwatch.agent.snapshots.failed", "Snapshots that could not be made or kept");
    private final List<LongSupplier> watched = new ArrayList<>(); // micrometer holds what it counts weakly
    private final InstantSource clock;
    private volatile OwnCost cost = OwnCost.UNKNOWN;
    private final OwnSeries own;
    private volatile @Nullable NodeSnapshot newest;
    private volatile Answered answered = new Answered(Instant.MIN, List.of());

    /** What the collector answered, and when. */
    private record Answered(Instant at, List<HeldGpu> held) {}

    /** Which series there are beside the agent's own and the node's. */
    public record Switches(boolean jobstats, boolean nodeExporter) {
        public static final Switches NONE = new Switches(false, false);
    }

    /**
     * @param clock tells what is too old to be shown
     * @param version the agent's
     * @param stands whether a job's cgroup is still there; asked from any thread
     */
    public AgentMetrics(InstantSource clock, Switches switches, String version, Predicate<JobCgroup> stands) {
        this.clock = clock;
        this.own = new OwnSeries(version);
        registry.getPrometheusRegistry().register(own);
        registry.getPrometheusRegistry().register(new NodeSeries(this::newest));
        if (switches.jobstats()) {
            registry.getPrometheusRegistry().register(new JobstatsSeries(this::newest, this::held, stands));
        }
        if (switches.nodeExporter()) {
            registry.getPrometheusRegistry().register(new NodeExporterSeries(new HostCounters()));
        }
        FunctionCounter.builder("fairwatch.agent.cpu.seconds", this, m -> m.cost.cpuSeconds()
                        .orElse(Double.NaN))
                .description("CPU time of the agent since it started")
                .register(registry);
        Gauge.builder("fairwatch.agent.resident.bytes", this, AgentMetrics::resident)
                .description("Resident memory of the agent")
                .register(registry);
    }

    private double resident() {
        return cost.residentBytes().isPresent() ? cost.residentBytes().getAsLong() : Double.NaN;
    }

    /**
     * Shows what the spool and the shipper count.
     *
     * @param dropped by reason
     * @param acknowledgedAt when the collector last had something; empty: not since the start
     */
    public void watchSpool(
            LongSupplier waiting,
            LongSupplier bytes,
            Map<String, LongSupplier> dropped,
            LongSupplier rejected,
            LongSupplier shipped,
            Supplier<Optional<Instant>> acknowledgedAt) {
        own.acknowledgedAt(acknowledgedAt);
        gauge("fairwatch.agent.spool.snapshots", "Snapshots that wait for the collector", waiting);
        gauge("fairwatch.agent.spool.bytes", "Bytes that wait for the collector", bytes);
        dropped.forEach((reason, count) -> {
            watched.add(count);
            FunctionCounter.builder("fairwatch.agent.snapshots.dropped", count, LongSupplier::getAsLong)
                    .tag("reason", reason)
                    .description("Snapshots lost before the collector had them: too many bytes, too old, a disk that"
                            + " takes nothing, a damaged file")
                    .register(registry);
        });
        counter("fairwatch.agent.snapshots.rejected", "Snapshots that the collector refused for good", rejected);
        counter("fairwatch.agent.snapshots.shipped", "Snapshots that the collector stored", shipped);
    }

    /**
     * A probe was asked; it ended as {@code outcome} after {@code took}.
     *
     * @param abandoned whether its call was left behind
     */
    public void probed(String probe, String outcome, Duration took, boolean abandoned) {
        own.probed(probe, took.toNanos() / 1e9, abandoned);
        Counter.builder("fairwatch.agent.probe.reads")
                .tags("probe", probe, "outcome", outcome)
                .description("How often each probe was asked, by how that ended")
                .register(registry)
                .increment();
        Counter.builder("fairwatch.agent.probe.seconds")
                .tags("probe", probe)
                .description("How long each probe took in all")
                .register(registry)
                .increment(took.toNanos() / 1e9);
    }

    /** A snapshot is in the spool. */
    public void taken(OwnCost now, NodeSnapshot snapshot) {
        taken.increment();
        cost = now;
        newest = snapshot;
    }

    /** The collector said which job holds which GPU. */
    public void held(List<HeldGpu> gpus) {
        answered = new Answered(clock.instant(), gpus);
    }

    /** The newest snapshot, unless it is so old that what it says may be over. */
    private Optional<NodeSnapshot> newest() {
        NodeSnapshot snapshot = newest;
        return snapshot == null
                        || snapshot.at()
                                .plus(snapshot.period().multipliedBy(PERIODS_UNTIL_STALE))
                                .isBefore(clock.instant())
                ? Optional.empty()
                : Optional.of(snapshot);
    }

    private List<HeldGpu> held() {
        Answered last = answered;
        return last.held().isEmpty() || last.at().plus(ANSWER_HOLDS).isBefore(clock.instant())
                ? List.of()
                : last.held();
    }

    /** A snapshot was lost before it reached the spool. */
    public void failed() {
        failed.increment();
    }

    /** All of it in Prometheus' text format. */
    public String text() {
        return registry.scrape();
    }

    private Counter counter(String name, String description) {
        return Counter.builder(name).description(description).register(registry);
    }

    private void counter(String name, String description, LongSupplier count) {
        watched.add(count);
        FunctionCounter.builder(name, count, LongSupplier::getAsLong)
                .description(description)
                .register(registry);
    }

    private void gauge(String name, String description, LongSupplier value) {
        Gauge.builder(name, value, LongSupplier::getAsLong)
                .strongReference(true)
                .description(description)
                .register(registry);
    }
}
