package io.fairwatch.agent.metrics;

import io.fairwatch.agent.wire.GpuDetail.Activity;
import io.fairwatch.agent.wire.GpuDetail.Health;
import io.fairwatch.agent.wire.GpuDetail.Traffic;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import io.fairwatch.agent.wire.JobRef.Evidence;
import io.fairwatch.agent.wire.MigInstance;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.fairwatch.agent.wire.UserUse;
import io.fairwatch.agent.wire.Utilization;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Supplier;

/**
 * The series of jobstats' exporters, name by name and label by label, so that what a site has built on them runs on. Their
 * units and types are theirs: everything is a gauge, ratios of some series are called percent, and a job without a limit
 * has the node's memory. Thread-safe.
 *
 * <p>A GPU's job is known, in this order, by the processes on it, by what the collector answered lately, and by the
 * devices that only one job may open. The series of a job end with its cgroup.
 */
final class JobstatsSeries implements MultiCollector {
    private final Supplier<Optional<NodeSnapshot>> newest;
    private final Supplier<List<HeldGpu>> held;

    /** Who holds a GPU. */
    private record Holder(long jobId, OptionalInt uid) {}

    JobstatsSeries(Supplier<Optional<NodeSnapshot>> newest, Supplier<List<HeldGpu>> held) {
        this.newest = newest;
        this.held = held;
    }

    @Override
    public MetricSnapshots collect() {
        Page page = new Page();
        newest.get().ifPresent(snapshot -> {
            Map<Integer, String> names = new HashMap<>();
            for (UserUse user : snapshot.users()) {
                user.name().ifPresent(name -> names.put(user.uid(), name));
            }
            snapshot.jobs().forEach(job -> job(page, job, snapshot.host(), names));
            gpus(page, snapshot);
        });
        return page.snapshots();
    }

    // ---- CPU and memory

    private static void job(Page page, JobCgroup job, Optional<HostReading> host, Map<Integer, String> names) {
        String id = Long.toString(job.jobId());
        String[] labels = {"jobid", id, "step", "", "task", ""};
        Optional<JobDetail> detail = job.detail();
        page.gauge("cgroup_cpu_total_seconds", "CPU time of the job on this node", job.cpuSeconds(), labels);
        page.gauge("cgroup_cpu_user_seconds", "In user space", real(detail, JobDetail::cpuUserSeconds), labels);
        page.gauge("cgroup_cpu_system_seconds", "In the kernel", real(detail, JobDetail::cpuSystemSeconds), labels);
        OptionalInt cpus = detail.map(JobDetail::cpus).orElse(OptionalInt.empty());
        if (cpus.isPresent()) {
            page.gauge("cgroup_cpus", "CPUs that the job may use", cpus.getAsInt(), labels);
        }
        OptionalLong limit = job.memoryLimitBytes().isPresent() || host.isEmpty()
                ? job.memoryLimitBytes()
                : OptionalLong.of(host.get().memoryTotalBytes());
        page.gauge("cgroup_memory_total_bytes", "Memory that the job may use", limit, labels);
        // the two are added to each other, so both are there or neither is
        OptionalLong anonymous = whole(detail, JobDetail::memoryAnonymousBytes);
        if (anonymous.isPresent()) {
            page.gauge("cgroup_memory_rss_bytes", "Anonymous memory", anonymous, labels);
            page.gauge(
                    "cgroup_memory_shmem_bytes",
                    "Shared memory",
                    (double) whole(detail, JobDetail::memorySharedBytes).orElse(0),
                    labels);
        }
        page.gauge("cgroup_memory_used_bytes", "Memory that the limit counts", job.memoryCurrentBytes(), labels);
        page.gauge("cgroup_memory_cache_bytes", "Page cache", whole(detail, JobDetail::memoryCacheBytes), labels);
        page.gauge(
                "cgroup_memory_fail_count",
                "How often the limit stopped an allocation",
                whole(detail, JobDetail::memoryLimitHits),
                labels);
        OptionalLong swap = whole(detail, JobDetail::swapUsedBytes);
        if (swap.isPresent() && job.memoryCurrentBytes().isPresent()) {
            page.gauge(
                    "cgroup_memsw_used_bytes",
                    "Memory and swap",
                    (double) (swap.getAsLong() + job.memoryCurrentBytes().getAsLong()),
                    labels);
        }
        if (job.uid().isPresent()) {
            int uid = job.uid().getAsInt();
            page.gauge("cgroup_uid", "Whose job it is", uid, "jobid", id);
            String name = names.get(uid);
            if (name != null) {
                page.info("cgroup", "Whose job it is", "jobid", id, "uid", Integer.toString(uid), "username", name);
            }
        }
    }

    private interface Real {
        OptionalDouble of(JobDetail detail);
    }

    private interface Whole {
        OptionalLong of(JobDetail detail);
    }

    private static OptionalDouble real(Optional<JobDetail> detail, Real part) {
        return detail.map(part::of).orElse(OptionalDouble.empty());
    }

    private static OptionalLong whole(Optional<JobDetail> detail, Whole part) {
        return detail.map(part::of).orElse(OptionalLong.empty());
    }

    // ---- GPUs

    private void gpus(Page page, NodeSnapshot snapshot) {
        Map<String, Holder> holders = new HashMap<>();
        for (HeldGpu gpu : held.get()) {
            holders.put(gpu.uuid(), new Holder(gpu.jobId(), gpu.uid()));
        }
        Map<Integer, Optional<Holder>> byMinor = byMinor(snapshot.jobs());
        Map<String, GpuReading> parents = new HashMap<>();
        snapshot.gpus().forEach(gpu -> parents.put(gpu.device().uuid(), gpu));
        if (snapshot.gpuDriver().isPresent()) {
            page.gauge(
                    "nvidia_gpu_num_devices",
                    "GPUs",
                    OptionalLong.of(snapshot.gpus().stream()
                            .filter(gpu -> gpu.device().mig().isEmpty())
                            .count()));
        }
        for (GpuReading gpu : snapshot.gpus()) {
            boolean sliced = snapshot.gpus().stream().anyMatch(other -> other.device()
                    .mig()
                    .map(MigInstance::parentUuid)
                    .equals(Optional.of(gpu.device().uuid())));
            if (sliced) {
                continue; // its slices are told instead
            }
            GpuReading card =
                    gpu.device().mig().map(mig -> parents.get(mig.parentUuid())).orElse(gpu);
            gpu(page, gpu, card == null ? gpu : card, holder(gpu, holders, byMinor));
        }
    }

    private static Optional<Holder> holder(
            GpuReading gpu, Map<String, Holder> answered, Map<Integer, Optional<Holder>> byMinor) {
        Optional<Holder> seen = gpu.processes().orElse(List.of()).stream()
                .filter(process -> process.job()
                        .map(job -> job.evidence() != Evidence.ENVIRON)
                        .orElse(false))
                .findFirst()
                .map(JobstatsSeries::holder);
        if (seen.isPresent()) {
            return seen;
        }
        Holder told = answered.get(gpu.device().uuid());
        if (told != null) {
            return Optional.of(told);
        }
        OptionalInt minor = gpu.device().minorNumber();
        return minor.isPresent() && gpu.device().mig().isEmpty()
                ? byMinor.getOrDefault(minor.getAsInt(), Optional.empty())
                : Optional.empty();
    }

    private static Holder holder(GpuProcess process) {
        return new Holder(process.job().orElseThrow().jobId(), process.uid());
    }

    /** Empty for a GPU that several jobs may open. */
    private static Map<Integer, Optional<Holder>> byMinor(List<JobCgroup> jobs) {
        Map<Integer, Optional<Holder>> holders = new HashMap<>();
        for (JobCgroup job : jobs) {
            for (int minor : job.detail().flatMap(JobDetail::gpuMinors).orElse(List.of())) {
                Optional<Holder> holder = Optional.of(new Holder(job.jobId(), job.uid()));
                holders.merge(minor, holder, (one, other) -> Optional.empty());
            }
        }
        return holders;
    }

    /** Of a slice, what only the card tells is the card's. */
    private static void gpu(Page page, GpuReading gpu, GpuReading card, Optional<Holder> holder) {
        String minor = gpu.device().minorNumber().isPresent()
                ? Integer.toString(gpu.device().minorNumber().getAsInt())
                : card.device().minorNumber().isPresent()
                        ? Integer.toString(card.device().minorNumber().getAsInt())
                        : "";
        String[] device = {
            "ordinal", Integer.toString(gpu.device().index()),
            "minor_number", minor,
            "uuid", gpu.device().uuid(),
            "name", gpu.device().name()
        };
        String[] labels = Page.and(
                device,
                "GPU_I_ID",
                gpu.device()
                        .mig()
                        .map(mig -> Integer.toString(mig.gpuInstanceId()))
                        .orElse(""),
                "jobid",
                holder.map(job -> Long.toString(job.jobId())).orElse(""),
                "userid",
                holder.map(Holder::uid)
                        .filter(OptionalInt::isPresent)
                        .map(uid -> Integer.toString(uid.getAsInt()))
                        .orElse(""));
        page.gauge(
                "nvidia_gpu_duty_cycle",
                "Percent of the period in which a kernel ran",
                gpu.utilization().map(Utilization::meanRatio).map(ratio -> 100 * ratio),
                labels);
        page.gauge(
                "nvidia_gpu_memory_total_bytes", "Device memory", gpu.device().memoryTotalBytes(), labels);
        if (gpu.memoryUsedBytes().isPresent()) {
            page.gauge(
                    "nvidia_gpu_memory_used_bytes",
                    "Device memory in use, the driver's included",
                    (double) (gpu.memoryUsedBytes().getAsLong()
                            + gpu.memoryReservedBytes().orElse(0)),
                    labels);
        }
        holder.ifPresent(job -> {
            page.gauge("nvidia_gpu_jobId", "The job that holds it", job.jobId(), labels);
            job.uid().ifPresent(uid -> page.gauge("nvidia_gpu_jobUid", "Whose job holds it", uid, labels));
        });
        page.gauge("nvidia_gpu_power_usage_milliwatts", "Draw now", scaled(card.powerWatts(), 1000), labels);
        page.gauge("nvidia_gpu_temperature_celsius", "Temperature", card.temperatureCelsius(), labels);
        page.gauge("nvidia_gpu_clock", "MHz", scaled(card.smClockHertz(), 1e-6), Page.and(labels, "type", "sm"));
        card.detail().ifPresent(detail -> {
            page.gauge("nvidia_gpu_fanspeed_percent", "Fan speed", scaled(detail.fanRatio(), 100), labels);
            page.gauge(
                    "nvidia_gpu_clock",
                    "MHz",
                    scaled(detail.memoryClockHertz(), 1e-6),
                    Page.and(labels, "type", "mem"));
            detail.clockLimits()
                    .ifPresent(limits -> limits.forEach(limit -> page.gauge(
                            "nvidia_gpu_clock_event_reason",
                            "What holds the clocks down",
                            1,
                            Page.and(labels, "reason", limit))));
            detail.health().ifPresent(health -> errors(page, health, device));
        });
        gpu.detail().ifPresent(detail -> {
            detail.activity().ifPresent(activity -> activity(page, activity, labels));
            detail.traffic().ifPresent(traffic -> traffic(page, traffic, labels));
        });
    }

    private static OptionalDouble scaled(OptionalDouble value, double factor) {
        return value.isPresent() ? OptionalDouble.of(value.getAsDouble() * factor) : value;
    }

    private static void errors(Page page, Health health, String[] device) {
        errors(page, "corrected", "volatile", health.eccCorrected(), device);
        errors(page, "uncorrected", "volatile", health.eccUncorrected(), device);
        errors(page, "corrected", "aggregate", health.eccCorrectedEver(), device);
        errors(page, "uncorrected", "aggregate", health.eccUncorrectedEver(), device);
    }

    private static void errors(Page page, String error, String counter, OptionalLong count, String[] device) {
        page.gauge(
                "nvidia_gpu_ecc_errors", "Memory errors", count, Page.and(device, "error", error, "counter", counter));
    }

    private static void activity(Page page, Activity activity, String[] labels) {
        page.gauge("nvidia_gpu_graphics_util_percent", "Ratio 0-1", activity.graphicsRatio(), labels);
        page.gauge("nvidia_gpu_sm_util_percent", "Ratio 0-1", activity.smRatio(), labels);
        page.gauge("nvidia_gpu_sm_occupancy_percent", "Ratio 0-1", activity.occupancyRatio(), labels);
        page.gauge("nvidia_gpu_any_tensor_util_percent", "Ratio 0-1", activity.tensorRatio(), labels);
        page.gauge("nvidia_gpu_dram_bw_util_percent", "Ratio 0-1", activity.dramRatio(), labels);
        page.gauge("nvidia_gpu_fp64_util_percent", "Ratio 0-1", activity.fp64Ratio(), labels);
        page.gauge("nvidia_gpu_fp32_util_percent", "Ratio 0-1", activity.fp32Ratio(), labels);
        page.gauge("nvidia_gpu_fp16_util_percent", "Ratio 0-1", activity.fp16Ratio(), labels);
    }

    private static void traffic(Page page, Traffic traffic, String[] labels) {
        page.gauge("nvidia_gpu_pcie_tx_per_sec", "Bytes", traffic.pcieSentBytesPerSecond(), labels);
        page.gauge("nvidia_gpu_pcie_rx_per_sec", "Bytes", traffic.pcieReceivedBytesPerSecond(), labels);
        page.gauge("nvidia_gpu_nvlink_total_tx_per_sec", "Bytes", traffic.nvlinkSentBytesPerSecond(), labels);
        page.gauge("nvidia_gpu_nvlink_total_rx_per_sec", "Bytes", traffic.nvlinkReceivedBytesPerSecond(), labels);
    }
}
