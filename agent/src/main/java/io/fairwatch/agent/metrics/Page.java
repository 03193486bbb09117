package io.fairwatch.agent.metrics;

import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot.InfoDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** Series for one scrape. What is absent gets none. Labels come as names and values in turn. Confined to one thread. */
final class Page {
    private record Series<T>(String help, List<T> points) {}

    private final Map<String, Series<GaugeDataPointSnapshot>> gauges = new LinkedHashMap<>();
    private final Map<String, Series<CounterDataPointSnapshot>> counters = new LinkedHashMap<>();
    private final Map<String, Series<InfoDataPointSnapshot>> infos = new LinkedHashMap<>();

    void gauge(String name, String help, double value, String... labels) {
        gauges.computeIfAbsent(name, first -> new Series<>(help, new ArrayList<>()))
                .points()
                .add(new GaugeDataPointSnapshot(value, Labels.of(labels), null));
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

    void counter(String name, String help, long value, String... labels) {
        counter(name, help, (double) value, labels);
    }

    void counter(String name, String help, double value, String... labels) {
        counters.computeIfAbsent(name, first -> new Series<>(help, new ArrayList<>()))
                .points()
                .add(new CounterDataPointSnapshot(value, Labels.of(labels), null, 0));
    }

    /** An information; its name is shown with {@code _info} behind it. */
    void info(String name, String help, String... labels) {
        infos.computeIfAbsent(name, first -> new Series<>(help, new ArrayList<>()))
                .points()
                .add(new InfoDataPointSnapshot(Labels.of(labels)));
    }

    MetricSnapshots snapshots() {
        MetricSnapshots.Builder all = MetricSnapshots.builder();
        gauges.forEach((name, series) -> {
            GaugeSnapshot.Builder gauge = GaugeSnapshot.builder().name(name).help(series.help());
            series.points().forEach(gauge::dataPoint);
            all.metricSnapshot(gauge.build());
        });
        counters.forEach((name, series) -> {
            CounterSnapshot.Builder counter =
                    CounterSnapshot.builder().name(name).help(series.help());
            series.points().forEach(counter::dataPoint);
            all.metricSnapshot(counter.build());
        });
        infos.forEach((name, series) -> {
            InfoSnapshot.Builder info = InfoSnapshot.builder().name(name).help(series.help());
            series.points().forEach(info::dataPoint);
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
