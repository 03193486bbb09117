package io.fairwatch.agent.metrics;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** What the agent tells of itself that may be absent, for which Micrometer has no word. Thread-safe. */
final class OwnSeries implements MultiCollector {
    private final String version;
    private final Map<String, Last> probes = new ConcurrentHashMap<>();
    private volatile Supplier<Optional<Instant>> acknowledgedAt = Optional::empty;

    /** How a probe fared when it was asked last. */
    private record Last(double seconds, boolean abandoned) {}

    OwnSeries(String version) {
        this.version = version;
    }

    void acknowledgedAt(Supplier<Optional<Instant>> source) {
        acknowledgedAt = source;
    }

    void probed(String probe, double seconds, boolean abandoned) {
        probes.put(probe, new Last(seconds, abandoned));
    }

    @Override
    public MetricSnapshots collect() {
        Page page = new Page();
        page.info(
                "fairwatch_agent_build",
                "Which agent this is, what it runs on, and its wire version",
                "version",
                version,
                "java",
                Runtime.version().toString(),
                "wire",
                Integer.toString(NodeSnapshot.VERSION));
        page.gauge(
                "fairwatch_agent_last_acknowledged_timestamp_seconds",
                "When the collector last said that it has stored what was sent",
                acknowledgedAt.get().map(at -> at.toEpochMilli() / 1e3));
        probes.forEach((probe, last) -> {
            page.gauge(
                    "fairwatch_agent_probe_last_seconds",
                    "How long the probe took when it was asked last",
                    last.seconds(),
                    "probe",
                    probe);
            page.gauge(
                    "fairwatch_agent_probe_abandoned",
                    "Whether its last call outlasted the deadline and was left behind, with the thread that it is on",
                    last.abandoned() ? 1 : 0,
                    "probe",
                    probe);
        });
        return page.snapshots();
    }
}
