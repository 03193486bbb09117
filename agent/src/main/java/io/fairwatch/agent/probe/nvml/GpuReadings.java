package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.wire.GpuDriver;
import io.fairwatch.agent.wire.GpuReading;
import java.util.List;

/**
 * What NVML told of a node. Immutable.
 *
 * @param driver the driver that answered
 * @param gpus every GPU that answered, by index
 */
public record GpuReadings(GpuDriver driver, List<GpuReading> gpus) {
    public GpuReadings {
        gpus = List.copyOf(gpus);
    }
}
