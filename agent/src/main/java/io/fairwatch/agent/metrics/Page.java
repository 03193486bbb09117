package io.fairwatch.agent.metrics;

import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot.InfoDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * Series for one scrape. What is absent gets none, and of two samples with the same labels only the first is shown: a page
 * with both would be refused as a whole. Labels come as names and values in turn. Confined to one thread.
 */
final class Page {
    private record Series<T>(String help, Map<Labels, T> byLabels) {
        Series(String help) {
            this(help, new LinkedHashMap<>());
        }
    }

    private final Map<String, Series<GaugeDataPointSnapshot>> gauges = new LinkedHashMap<>();
    private final Map<String, Series<CounterDataPointSnapshot>> counters = new LinkedHashMap<>();
    private final Map<String, Series<InfoDataPointSnapshot>> infos = new LinkedHashMap<>();

    void gauge(String name, String help, double value, String... labels) {
        Labels all = Labels.of(labels);
        gauges.computeIfAbsent(name, first -> new Series<>(help))
                .byLabels()
                .putIfAbsent(all, new GaugeDataPointSnapshot(value, all, null));
    }

    void gauge(String name, String help, long value, String... labels) {
        gauge(name, help, (double) value, labels);
    }

    void gauge(String name, String help, OptionalDouble value, String... labels) {
        value.ifPresent(v -> gauge(name, help, v, labels));
    }

    void gauge(String name, String help, OptionalLong value, String... labels) {
        value.ifPresent(v -> gauge(name, help, (double) v, labels));
    }

    void gauge(String name, String help, Optional<Double> value, String... labels) {
        value.ifPresent(v -> gauge(name, help, (double) v, labels));
    }

    /** A counter; its name is shown with {@code _total} behind it. */
    void counter(String name, String help, OptionalDouble value, String... labels) {
        value.ifPresent(v -> counter(name, help, v, labels));
    }

    void counter(String name, String help, OptionalLong value, String... labels) {
        value.ifPresent(v -> counter(name, help, (double) v, labels));
    }

    void counter(String name, String help, long value, String... labels) {
        counter(name, help, (double) value, labels);
    }

    void counter(String name, String help, double value, String... labels) {
        Labels all = Labels.of(labels);
        counters.computeIfAbsent(name, first -> new Series<>(help))
                .byLabels()
                .putIfAbsent(all, new CounterDataPointSnapshot(value, all, null, 0));
    }

    /** An information; its name is shown with {@code _info} behind it. */
    void info(String name, String help, String... labels) {
        Labels all = Labels.of(labels);
        infos.computeIfAbsent(name, first -> new Series<>(help))
                .byLabels()
                .putIfAbsent(all, new InfoDataPointSnapshot(all));
    }

    MetricSnapshots snapshots() {
        MetricSnapshots.Builder all = MetricSnapshots.builder();
        gauges.forEach((name, series) -> {
            GaugeSnapshot.Builder gauge = GaugeSnapshot.builder().name(name).help(series.help());
            series.byLabels().values().forEach(gauge::dataPoint);
            all.metricSnapshot(gauge.build());
        });
        counters.forEach((name, series) -> {
            CounterSnapshot.Builder counter =
                    CounterSnapshot.builder().name(name).help(series.help());
            series.byLabels().values().forEach(counter::dataPoint);
            all.metricSnapshot(counter.build());
        });
        infos.forEach((name, series) -> {
            InfoSnapshot.Builder info = InfoSnapshot.builder().name(name).help(series.help());
            series.byLabels().values().forEach(info::dataPoint);
            all.metricSnapshot(info.build());
        });
        return all.build();
    }

    /** Labels and more of them. */
    static String[] and(String[] labels, String... more) {
        String[] all = Arrays.copyOf(labels, labels.length + more.length);
        System.arraycopy(more, 0, all, labels.length, more.length);
        return all;
    }
}
