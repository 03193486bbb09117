package io.fairwatch.agent.wire;

import java.util.Optional;

/**
 * The GPU driver of a node. Immutable.
 *
 * @param version driver version. Source: {@code nvmlSystemGetDriverVersion}
 * @param simulated a sentence when the GPUs are simulated, which every screen and report must then repeat; absent for
 *     real ones. Source: the library exports {@code fairwatch_simulated_gpus}
 */
public record GpuDriver(String version, Optional<String> simulated) {
    public GpuDriver {
        Check.text("gpu_driver.version", version, 96);
        simulated.ifPresent(sentence -> Check.text("gpu_driver.simulated", sentence, 200));
    }
}
