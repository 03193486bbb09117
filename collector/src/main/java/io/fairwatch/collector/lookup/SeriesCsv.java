package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.store.GpuSeries;
import io.fairwatch.collector.text.Csv;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** Renders series as CSV: a line for each GPU and each slot that has a reading. Immutable. */
public final class SeriesCsv {
    public String csv(SeriesLookup.SeriesView view) {
        Csv csv = new Csv(
                "job",
                "node",
                "gres_index",
                "uuid",
                "model",
                "from",
                "step_seconds",
                "covered_seconds",
                "utilization_mean_ratio",
                "utilization_max_ratio",
                "memory_used_mean_bytes",
                "memory_used_max_bytes",
                "power_mean_watts",
                "power_max_watts");
        for (SeriesLookup.RunSeries run : view.runs()) {
            for (GpuSeries gpu : run.gpus()) {
                for (GpuSeries.Point point : gpu.points()) {
                    csv.row(
                            run.job(),
                            gpu.node(),
                            gpu.allocated()
                                    .map(given -> Integer.toString(given.gresIndex()))
                                    .orElse(""),
                            gpu.device().map(GpuDevice::uuid).orElse(""),
                            gpu.device().map(GpuDevice::name).orElse(""),
                            point.from().toString(),
                            number(OptionalDouble.of(run.stepSeconds()), 0),
                            number(OptionalDouble.of(point.coveredSeconds()), 1),
                            number(point.utilizationMeanRatio(), 4),
                            number(point.utilizationMaxRatio(), 4),
                            bytes(point.memoryUsedMeanBytes()),
                            bytes(point.memoryUsedMaxBytes()),
                            number(point.powerMeanWatts(), 1),
                            number(point.powerMaxWatts(), 1));
                }
            }
        }
        return csv.toString();
    }

    private static String number(OptionalDouble value, int digits) {
        return value.isPresent() ? String.format(Locale.ROOT, "%." + digits + "f", value.getAsDouble()) : "";
    }

    private static String bytes(OptionalLong value) {
        return value.isPresent() ? Long.toString(value.getAsLong()) : "";
    }
}
