package io.fairwatch.collector.store;

import java.time.Instant;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What a run did with CPU and memory on one node, slot by slot. Immutable.
 *
 * @param node node
 * @param points slots with a reading, by time; a slot without one is left out
 */
public record JobSeries(String node, List<Point> points) {
    public JobSeries {
        points = List.copyOf(points);
    }

    /**
     * One slot. Immutable. Absent: no reading of the slot tells it.
     *
     * @param from begin of the slot
     * @param samples readings
     * @param cpusMean CPU seconds per second, from the reading before the slot to its last one; absent without one before
     * @param memoryUsedMeanBytes anonymous and shared memory
     * @param memoryUsedMaxBytes most of it
     * @param processesMax most processes
     */
    public record Point(
            Instant from,
            int samples,
            OptionalDouble cpusMean,
            OptionalLong memoryUsedMeanBytes,
            OptionalLong memoryUsedMaxBytes,
            OptionalInt processesMax) {}
}
