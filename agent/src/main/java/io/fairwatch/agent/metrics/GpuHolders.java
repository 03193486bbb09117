package io.fairwatch.agent.metrics;

import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import io.fairwatch.agent.wire.JobRef.Evidence;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Which job holds which GPU, by the best evidence that this node has: a process of the job on it, else what the collector
 * knows of Slurm, else the device that only this job may open. Immutable.
 */
final class GpuHolders {
    /**
     * A job that holds a GPU.
     *
     * @param jobId raw job id
     * @param uid whose job it is; absent if nobody tells
     */
    record Holder(long jobId, OptionalInt uid) {}

    private final Map<Long, JobCgroup> jobs;
    private final boolean cgroupsTell;
    private final Map<String, HeldGpu> told;

    /**
     * @param jobs the jobs whose cgroups stand, by job id
     * @param told what the collector said lately
     */
    GpuHolders(NodeSnapshot snapshot, Map<Long, JobCgroup> jobs, List<HeldGpu> told) {
        this.jobs = jobs;
        this.cgroupsTell = snapshot.probes().get("jobs") instanceof ProbeOutcome.Read;
        this.told = undisputed(told);
    }

    /** By uuid; a GPU that was said to have two holders has none. */
    private static Map<String, HeldGpu> undisputed(List<HeldGpu> told) {
        Map<String, HeldGpu> byUuid = new HashMap<>();
        Set<String> disputed = new HashSet<>();
        for (HeldGpu gpu : told) {
            HeldGpu before = byUuid.put(gpu.uuid(), gpu);
            if (before != null && before.jobId() != gpu.jobId()) {
                disputed.add(gpu.uuid());
            }
        }
        byUuid.keySet().removeAll(disputed);
        return byUuid;
    }

    /** Who holds a GPU or MIG instance; empty: nobody, or it is not known. */
    Optional<Holder> of(GpuReading gpu) {
        OptionalLong jobId = byProcess(gpu);
        if (jobId.isEmpty()) {
            jobId = told(gpu).map(held -> OptionalLong.of(held.jobId())).orElse(OptionalLong.empty());
        }
        if (jobId.isEmpty()) {
            jobId = byDevice(gpu);
        }
        return jobId.isPresent() ? Optional.of(holder(gpu, jobId.getAsLong())) : Optional.empty();
    }

    /** A job that is gone holds nothing, whatever was said before. */
    private boolean stands(long jobId) {
        return !cgroupsTell || jobs.containsKey(jobId);
    }

    /** The job whose processes are on it; of several the one that Slurm gave it to, else the one with most memory. */
    private OptionalLong byProcess(GpuReading gpu) {
        Map<Long, Long> memoryByJob = new TreeMap<>();
        for (GpuProcess process : gpu.processes().orElse(List.of())) {
            process.job()
                    .filter(job -> job.evidence() != Evidence.ENVIRON) // the user can write anything there
                    .filter(job -> stands(job.jobId()))
                    .ifPresent(job -> memoryByJob.merge(
                            job.jobId(), process.memoryUsedBytes().orElse(0), Long::sum));
        }
        Optional<Long> given = told(gpu).map(HeldGpu::jobId).filter(memoryByJob::containsKey);
        if (given.isPresent()) {
            return OptionalLong.of(given.get());
        }
        OptionalLong most = OptionalLong.empty();
        long mostMemory = -1;
        for (Map.Entry<Long, Long> entry : memoryByJob.entrySet()) {
            if (entry.getValue() > mostMemory) {
                most = OptionalLong.of(entry.getKey());
                mostMemory = entry.getValue();
            }
        }
        return most;
    }

    private Optional<HeldGpu> told(GpuReading gpu) {
        return Optional.ofNullable(told.get(gpu.device().uuid())).filter(held -> stands(held.jobId()));
    }

    /** The only job that may open the device. While a job may open any, or does not tell, that proves nothing. */
    private OptionalLong byDevice(GpuReading gpu) {
        OptionalInt minor = gpu.device().minorNumber();
        if (minor.isEmpty() || gpu.device().mig().isPresent()) {
            return OptionalLong.empty();
        }
        long holder = 0;
        for (JobCgroup job : jobs.values()) {
            Optional<List<Integer>> minors = job.detail().flatMap(JobDetail::gpuMinors);
            if (minors.isEmpty()) {
                return OptionalLong.empty();
            }
            if (minors.get().contains(minor.getAsInt())) {
                if (holder != 0) {
                    return OptionalLong.empty();
                }
                holder = job.jobId();
            }
        }
        return holder == 0 ? OptionalLong.empty() : OptionalLong.of(holder);
    }

    private Holder holder(GpuReading gpu, long jobId) {
        JobCgroup job = jobs.get(jobId);
        if (job != null && job.uid().isPresent()) {
            return new Holder(jobId, job.uid());
        }
        Optional<HeldGpu> held = told(gpu).filter(one -> one.jobId() == jobId);
        if (held.isPresent() && held.get().uid().isPresent()) {
            return new Holder(jobId, held.get().uid());
        }
        return new Holder(
                jobId,
                gpu.processes().orElse(List.of()).stream()
                        .filter(process -> process.job()
                                .filter(ref -> ref.jobId() == jobId)
                                .isPresent())
                        .map(GpuProcess::uid)
                        .filter(OptionalInt::isPresent)
                        .findFirst()
                        .orElse(OptionalInt.empty()));
    }

    /**
     * The jobs of a snapshot by id, in order, without those that are gone by now. Of two cgroups of one job, as after a
     * requeue, the one with more processes speaks.
     */
    static Map<Long, JobCgroup> standing(NodeSnapshot snapshot, Predicate<JobCgroup> stands) {
        return snapshot.jobs().stream()
                .filter(stands)
                .collect(Collectors.toMap(
                        JobCgroup::jobId,
                        job -> job,
                        (first, second) ->
                                second.processes().orElse(0) > first.processes().orElse(0) ? second : first,
                        TreeMap::new));
    }
}
