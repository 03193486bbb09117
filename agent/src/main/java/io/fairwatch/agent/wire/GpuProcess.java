package io.fairwatch.agent.wire;

import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * A process with a context on a GPU. Immutable.
 *
 * @param pid as the node sees it. Source: {@code nvmlDeviceGetComputeRunningProcesses} and its siblings
 * @param kind which list named it
 * @param uid whose it is; absent when it ended before that could be read, or works for a job that cannot be named. Source: owner of
 *     {@code /proc/PID}
 * @param job the Slurm job that it belongs to; absent: it belongs to none, or, where the uid is absent, too, to one that
 *     is not known
 * @param memoryUsedBytes device memory that it holds; absent when the driver does not tell (MIG without privilege)
 * @param utilizationRatio its own share of the GPU's time over the period, 0..1; absent when the driver does not tell.
 *     Source: {@code nvmlDeviceGetProcessUtilization}
 */
public record GpuProcess(
        int pid,
        Kind kind,
        OptionalInt uid,
        Optional<JobRef> job,
        OptionalLong memoryUsedBytes,
        OptionalDouble utilizationRatio) {

    /** Which of the driver's lists named a process. */
    public enum Kind {
        /** Kernels by CUDA or OpenCL. */
        COMPUTE,
        /** Graphics. */
        GRAPHICS,
        /** A client of NVIDIA's multi-process service. */
        MPS
    }

    public GpuProcess {
        Check.positive("gpus.processes.pid", pid);
        Check.notNegative("gpus.processes.uid", uid);
        Check.notNegative("gpus.processes.memory_used_bytes", memoryUsedBytes);
        Check.ratio("gpus.processes.utilization_ratio", utilizationRatio);
    }
}
