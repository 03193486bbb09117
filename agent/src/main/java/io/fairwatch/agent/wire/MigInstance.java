package io.fairwatch.agent.wire;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * What makes a device a slice of a GPU. Immutable. A MIG instance is a device of its own, with its own uuid; power,
 * temperature and the like belong to its parent and are told there only.
 *
 * @param parentUuid uuid of the GPU that it is a slice of
 * @param gpuInstanceId Source: {@code nvmlDeviceGetGpuInstanceId}
 * @param computeInstanceId Source: {@code nvmlDeviceGetComputeInstanceId}
 * @param multiprocessors how many multiprocessors it has. Source: {@code nvmlDeviceGetAttributes_v2}; absent if not told
 * @param profile e.g. {@code 1g.10gb}; absent when the name does not tell. Source: {@code nvmlDeviceGetName}
 */
public record MigInstance(
        String parentUuid,
        int gpuInstanceId,
        int computeInstanceId,
        OptionalInt multiprocessors,
        Optional<String> profile) {
    public MigInstance {
        Check.uuid("gpus.device.mig.parent_uuid", parentUuid);
        Check.notNegative("gpus.device.mig.gpu_instance_id", gpuInstanceId);
        Check.notNegative("gpus.device.mig.compute_instance_id", computeInstanceId);
        Check.notNegative("gpus.device.mig.multiprocessors", multiprocessors);
        profile.ifPresent(name -> Check.text("gpus.device.mig.profile", name, 96));
    }
}
