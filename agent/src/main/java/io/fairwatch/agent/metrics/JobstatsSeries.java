package io.fairwatch.agent.metrics;

import io.fairwatch.agent.metrics.GpuHolders.Holder;
import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDetail.Activity;
import io.fairwatch.agent.wire.GpuDetail.Health;
import io.fairwatch.agent.wire.GpuDetail.Traffic;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import io.fairwatch.agent.wire.MigInstance;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.fairwatch.agent.wire.UserUse;
import io.fairwatch.agent.wire.Utilization;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * The series of jobstats' exporters, name by name and label by label, so that what a site has built on them runs on. Their
 * units and types are theirs: everything is a gauge, ratios of some series are called percent, and a job without a limit
 * has the node's memory. Thread-safe.
 *
 * <p>A GPU's job is known, in this order, by the processes on it, by what the collector answered lately, and by the
 * devices that only one job may open. The series of a job end with its cgroup.
 */
final class JobstatsSeries implements MultiCollector {
    private static final long GPU_IS_LOST = 15;
    private static final String NEVER = "Always 0, which is all that the exporter tells on cgroup v2";

    /** By NVML's bits, lowest first. */
    private static final List<Reason> REASONS = List.of(
            new Reason("gpu_idle", "idle"),
            new Reason("applications_clocks_setting", "application"),
            new Reason("sw_power_cap", "swpowercap"),
            new Reason("hw_slowdown", "hwslowdown"),
            new Reason("sync_boost", "syncboost"),
            new Reason("sw_thermal_slowdown", "swthermalslowdown"),
            new Reason("hw_thermal_slowdown", "hwthermalslowdown"),
            new Reason("hw_power_brake_slowdown", "hwpowerbrakeslowdown"),
            new Reason("display_clock_setting", "limited"));

    private final Supplier<Optional<NodeSnapshot>> newest;
    private final Supplier<List<HeldGpu>> held;
    private final Predicate<JobCgroup> stands;

    /**
     * @param ours what holds clocks down, as a snapshot names it
     * @param theirs as these series name it
     */
    private record Reason(String ours, String theirs) {}

    /**
     * @param held what the collector said lately
     * @param stands whether a job's cgroup is still there
     */
    JobstatsSeries(Supplier<Optional<NodeSnapshot>> newest, Supplier<List<HeldGpu>> held, Predicate<JobCgroup> stands) {
        this.newest = newest;
        this.held = held;
        this.stands = stands;
    }

    @Override
    public MetricSnapshots collect() {
        Page page = new Page();
        newest.get().ifPresent(snapshot -> {
            Map<Integer, String> names = new HashMap<>();
            for (UserUse user : snapshot.users()) {
                user.name().ifPresent(name -> names.put(user.uid(), name));
            }
            Map<Long, JobCgroup> jobs = GpuHolders.standing(snapshot, stands);
            jobs.values().forEach(job -> job(page, job, snapshot.host(), names));
            gpus(page, snapshot, new GpuHolders(snapshot, jobs, held.get()));
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
        OptionalLong anonymous = whole(detail, JobDetail::memoryAnonymousBytes);
        page.gauge(
                "cgroup_memory_rss_bytes",
                "Anonymous memory",
                anonymous.isPresent() ? anonymous : job.memoryUsedBytes(),
                labels);
        if (anonymous.isPresent()) { // else it is in the sum already; they add the two where both are told
            page.gauge(
                    "cgroup_memory_shmem_bytes", "Shared memory", whole(detail, JobDetail::memorySharedBytes), labels);
        }
        page.gauge("cgroup_memory_used_bytes", "Memory that the limit counts", job.memoryCurrentBytes(), labels);
        page.gauge("cgroup_memory_cache_bytes", "Page cache", whole(detail, JobDetail::memoryCacheBytes), labels);
        page.gauge(
                "cgroup_memory_fail_count",
                "Processes that the kernel killed for want of memory",
                whole(detail, JobDetail::oomKills),
                labels);
        OptionalLong swap = whole(detail, JobDetail::swapUsedBytes);
        if (swap.isPresent() && job.memoryCurrentBytes().isPresent()) {
            page.gauge(
                    "cgroup_memsw_used_bytes",
                    "Memory and swap",
                    (double) (swap.getAsLong() + job.memoryCurrentBytes().getAsLong()),
                    labels);
        }
        page.gauge("cgroup_memsw_total_bytes", NEVER, 0, labels);
        page.gauge("cgroup_memsw_fail_count", NEVER, 0, labels);
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

    private static void gpus(Page page, NodeSnapshot snapshot, GpuHolders holders) {
        Map<String, GpuReading> byUuid = new HashMap<>();
        snapshot.gpus().forEach(gpu -> byUuid.put(gpu.device().uuid(), gpu));
        Set<String> sliced = snapshot.gpus().stream()
                .flatMap(gpu -> gpu.device().mig().stream())
                .map(MigInstance::parentUuid)
                .collect(Collectors.toSet());
        if (snapshot.gpuDriver().isPresent()) {
            page.gauge(
                    "nvidia_gpu_num_devices",
                    "GPUs",
                    OptionalLong.of(snapshot.gpus().stream()
                            .filter(gpu -> gpu.device().mig().isEmpty())
                            .count()));
        }
        for (GpuReading gpu : snapshot.gpus()) {
            GpuReading card = gpu.device()
                    .mig()
                    .map(mig -> byUuid.getOrDefault(mig.parentUuid(), gpu))
                    .orElse(gpu);
            boolean whole = !sliced.contains(gpu.device().uuid()); // jobs get its slices else, not the card
            gpu(page, gpu, card, whole ? holders.of(gpu) : Optional.empty());
        }
    }

    /** Of a slice, what only the card tells is the card's. */
    private static void gpu(Page page, GpuReading gpu, GpuReading card, Optional<Holder> holder) {
        int minor = gpu.device()
                .minorNumber()
                .orElse(card.device().minorNumber().orElse(gpu.device().index())); // their key is never empty
        String[] device = {
            "ordinal", Integer.toString(gpu.device().index()),
            "minor_number", Integer.toString(minor),
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
                gpu.utilization().map(Utilization::meanRatio).map(JobstatsSeries::wholePercent),
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
        page.gauge("nvidia_gpu_last_error", "NVML's code, 0 is none", lastError(card), device);
        page.gauge("nvidia_gpu_power_usage_milliwatts", "Draw now", rounded(card.powerWatts(), 1000), labels);
        page.gauge("nvidia_gpu_temperature_celsius", "Temperature", card.temperatureCelsius(), labels);
        page.gauge("nvidia_gpu_clock", "MHz", rounded(card.smClockHertz(), 1e-6), Page.and(labels, "type", "sm"));
        card.detail().ifPresent(detail -> {
            page.gauge("nvidia_gpu_fanspeed_percent", "Fan speed", rounded(detail.fanRatio(), 100), labels);
            page.gauge(
                    "nvidia_gpu_clock",
                    "MHz",
                    rounded(detail.memoryClockHertz(), 1e-6),
                    Page.and(labels, "type", "mem"));
            detail.clockLimits().ifPresent(limits -> clockLimits(page, limits, labels));
        });
        gpu.detail().ifPresent(detail -> {
            detail.activity().ifPresent(activity -> activity(page, activity, labels));
            detail.traffic().ifPresent(traffic -> traffic(page, traffic, labels));
            detail.health().ifPresent(health -> errors(page, health, device));
        });
    }

    /** 0: the card answers; a card that is lost tells nothing but its XIDs; absent: it tells nothing at all. */
    private static OptionalLong lastError(GpuReading card) {
        boolean answers = card.utilization().isPresent()
                || card.memoryUsedBytes().isPresent()
                || card.powerWatts().isPresent()
                || card.temperatureCelsius().isPresent()
                || card.processes().isPresent();
        boolean lost = card.detail()
                .flatMap(GpuDetail::health)
                .flatMap(Health::xids)
                .filter(xids -> !xids.isEmpty())
                .isPresent();
        return answers ? OptionalLong.of(0) : lost ? OptionalLong.of(GPU_IS_LOST) : OptionalLong.empty();
    }

    /** The exporter's values are whole, and gpudash reads nothing else; little use must not look like none. */
    private static double wholePercent(double ratio) {
        return ratio > 0 ? Math.max(1, Math.rint(100 * ratio)) : 0;
    }

    private static OptionalDouble rounded(OptionalDouble value, double factor) {
        return value.isPresent() ? OptionalDouble.of(Math.rint(value.getAsDouble() * factor)) : value;
    }

    /** One series with all reasons in its label, and their bits as its value. */
    private static void clockLimits(Page page, List<String> limits, String[] labels) {
        List<String> names = new ArrayList<>();
        long bits = 0;
        for (int bit = 0; bit < REASONS.size(); bit++) {
            if (limits.contains(REASONS.get(bit).ours())) {
                names.add(REASONS.get(bit).theirs());
                bits |= 1L << bit;
            }
        }
        page.gauge(
                "nvidia_gpu_clock_event_reason",
                "What holds the clocks down, as NVML's bits",
                bits,
                Page.and(labels, "reason", names.isEmpty() ? "none" : String.join(",", names)));
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
        page.gauge("nvidia_gpu_integer_util", "Ratio 0-1", activity.integerRatio(), labels);
    }

    private static void traffic(Page page, Traffic traffic, String[] labels) {
        page.gauge("nvidia_gpu_pcie_tx_per_sec", "Bytes", traffic.pcieSentBytesPerSecond(), labels);
        page.gauge("nvidia_gpu_pcie_rx_per_sec", "Bytes", traffic.pcieReceivedBytesPerSecond(), labels);
        page.gauge("nvidia_gpu_nvlink_total_tx_per_sec", "Bytes", traffic.nvlinkSentBytesPerSecond(), labels);
        page.gauge("nvidia_gpu_nvlink_total_rx_per_sec", "Bytes", traffic.nvlinkReceivedBytesPerSecond(), labels);
    }
}
