package io.fairwatch.agent.metrics;

import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.MigInstance;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.Utilization;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.function.Supplier;

/**
 * The node and its GPUs by the newest snapshot, in base units. Neither users nor jobs are labels. What was not read, and
 * what is gone, has no series. Thread-safe.
 */
final class NodeSeries implements MultiCollector {
    private final Supplier<Optional<NodeSnapshot>> newest;

    NodeSeries(Supplier<Optional<NodeSnapshot>> newest) {
        this.newest = newest;
    }

    @Override
    public MetricSnapshots collect() {
        Page page = new Page();
        newest.get().ifPresent(snapshot -> {
            snapshot.host().ifPresent(host -> host(page, host));
            snapshot.probes()
                    .forEach((name, outcome) -> page.gauge(
                            "fairwatch_node_probe_up",
                            "Whether the probe could read its source in the newest snapshot; 1 also where there is none",
                            outcome instanceof ProbeOutcome.Failed ? 0 : 1,
                            "probe",
                            name));
            page.info("fairwatch_node", "Which node this is", "node", snapshot.node(), "boot_id", snapshot.bootId());
            page.gauge(
                    "fairwatch_node_snapshot_timestamp_seconds",
                    "End of the period that the figures cover",
                    snapshot.at().toEpochMilli() / 1e3);
            if (snapshot.probes().get("jobs") instanceof ProbeOutcome.Read) {
                page.gauge(
                        "fairwatch_node_jobs",
                        "Slurm jobs whose cgroup stands here",
                        snapshot.jobs().size());
                page.gauge(
                        "fairwatch_node_jobs_without_process",
                        "Those of them in which nothing runs",
                        snapshot.jobs().stream()
                                .filter(job -> job.processes().orElse(1) == 0)
                                .count());
            }
            snapshot.gpuDriver().ifPresent(driver -> {
                page.info(
                        "fairwatch_gpu_driver",
                        "The driver; a sentence when its GPUs are simulated",
                        "version",
                        driver.version(),
                        "simulated",
                        driver.simulated().orElse(""));
                page.gauge(
                        "fairwatch_gpu_devices",
                        "GPUs and MIG instances that answered",
                        snapshot.gpus().size());
            });
            snapshot.gpus().forEach(gpu -> gpu(page, gpu));
            snapshot.scratch().forEach(scratch -> scratch(page, scratch));
        });
        return page.snapshots();
    }

    private static void host(Page page, HostReading host) {
        page.gauge("fairwatch_node_cpus", "Logical CPUs", host.logicalCpus());
        page.gauge(
                "fairwatch_node_cpu_busy_ratio", "Share of CPU time of the period that was used", host.cpuBusyRatio());
        page.gauge("fairwatch_node_load1", "One-minute load average", host.loadAverage());
        page.gauge("fairwatch_node_memory_bytes", "Physical memory", host.memoryTotalBytes());
        page.gauge(
                "fairwatch_node_memory_available_bytes",
                "Memory that new work could take without swapping",
                host.memoryAvailableBytes());
        page.gauge("fairwatch_node_swap_bytes", "Swap space", host.swapTotalBytes());
        page.gauge("fairwatch_node_swap_used_bytes", "Swap space taken", host.swapUsedBytes());
    }

    private static void gpu(Page page, GpuReading gpu) {
        String[] labels = {
            "uuid", gpu.device().uuid(),
            "index", Integer.toString(gpu.device().index()),
            "name", gpu.device().name(),
            "parent", gpu.device().mig().map(mig -> mig.parentUuid()).orElse("")
        };
        page.info("fairwatch_gpu", "What a GPU or MIG instance is", Page.and(labels, identity(gpu.device())));
        page.gauge(
                "fairwatch_gpu_utilization_ratio",
                "Share of the period in which a kernel ran, mean",
                gpu.utilization().map(Utilization::meanRatio),
                labels);
        page.gauge(
                "fairwatch_gpu_utilization_max_ratio",
                "Largest sample of the period",
                gpu.utilization().map(Utilization::maxRatio),
                labels);
        page.gauge(
                "fairwatch_gpu_memory_utilization_ratio",
                "Share of the period in which device memory was read or written, mean",
                gpu.memoryUtilization().map(Utilization::meanRatio),
                labels);
        page.gauge("fairwatch_gpu_memory_bytes", "Device memory", gpu.device().memoryTotalBytes(), labels);
        page.gauge("fairwatch_gpu_memory_used_bytes", "Device memory held by processes", gpu.memoryUsedBytes(), labels);
        page.gauge(
                "fairwatch_gpu_memory_reserved_bytes",
                "Device memory that the driver keeps for itself",
                gpu.memoryReservedBytes(),
                labels);
        page.gauge("fairwatch_gpu_power_watts", "Draw now", gpu.powerWatts(), labels);
        page.gauge("fairwatch_gpu_power_limit_watts", "Limit in force", gpu.powerLimitWatts(), labels);
        page.counter("fairwatch_gpu_energy_joules", "Energy since the driver was loaded", gpu.energyJoules(), labels);
        page.gauge("fairwatch_gpu_temperature_celsius", "Temperature of the die", gpu.temperatureCelsius(), labels);
        page.gauge("fairwatch_gpu_sm_clock_hertz", "Clock of the multiprocessors", gpu.smClockHertz(), labels);
        page.gauge(
                "fairwatch_gpu_processes",
                "Processes with a context on it",
                gpu.processes().map(list -> (double) list.size()),
                labels);
        gpu.processes()
                .ifPresent(list -> page.gauge(
                        "fairwatch_gpu_processes_outside_jobs",
                        "Those of them that belong to no Slurm job",
                        list.stream()
                                .filter(process ->
                                        process.job().isEmpty() && process.uid().isPresent())
                                .count(),
                        labels));
        gpu.detail().ifPresent(detail -> detail(page, detail, labels));
    }

    /** What else tells a device from others; empty where it is not told, or not a slice. */
    private static String[] identity(GpuDevice device) {
        Optional<MigInstance> mig = device.mig();
        return new String[] {
            "minor_number",
            device.minorNumber().isPresent()
                    ? Integer.toString(device.minorNumber().getAsInt())
                    : "",
            "pci_bus_id",
            device.pciBusId().orElse(""),
            "gpu_instance",
            mig.map(slice -> Integer.toString(slice.gpuInstanceId())).orElse(""),
            "compute_instance",
            mig.map(slice -> Integer.toString(slice.computeInstanceId())).orElse(""),
            "profile",
            mig.flatMap(MigInstance::profile).orElse("")
        };
    }

    private static void detail(Page page, GpuDetail detail, String[] labels) {
        page.gauge(
                "fairwatch_gpu_memory_temperature_celsius",
                "Temperature of the device memory",
                detail.memoryTemperatureCelsius(),
                labels);
        page.gauge("fairwatch_gpu_memory_clock_hertz", "Clock of the device memory", detail.memoryClockHertz(), labels);
        page.gauge("fairwatch_gpu_fan_ratio", "Fan speed of its highest", detail.fanRatio(), labels);
        detail.clockLimits()
                .ifPresent(limits -> limits.forEach(limit -> page.gauge(
                        "fairwatch_gpu_clock_limit",
                        "What holds the clocks down now",
                        1,
                        Page.and(labels, "reason", limit))));
        detail.activity().ifPresent(activity -> {
            activity(page, "graphics", activity.graphicsRatio(), labels);
            activity(page, "sm", activity.smRatio(), labels);
            activity(page, "occupancy", activity.occupancyRatio(), labels);
            activity(page, "tensor", activity.tensorRatio(), labels);
            activity(page, "dram", activity.dramRatio(), labels);
            activity(page, "fp64", activity.fp64Ratio(), labels);
            activity(page, "fp32", activity.fp32Ratio(), labels);
            activity(page, "fp16", activity.fp16Ratio(), labels);
            activity(page, "integer", activity.integerRatio(), labels);
        });
        detail.traffic().ifPresent(traffic -> {
            traffic(page, "pcie", "sent", traffic.pcieSentBytesPerSecond(), labels);
            traffic(page, "pcie", "received", traffic.pcieReceivedBytesPerSecond(), labels);
            traffic(page, "nvlink", "sent", traffic.nvlinkSentBytesPerSecond(), labels);
            traffic(page, "nvlink", "received", traffic.nvlinkReceivedBytesPerSecond(), labels);
        });
        detail.health().ifPresent(health -> {
            ecc(page, "corrected", "volatile", health.eccCorrected(), labels);
            ecc(page, "uncorrected", "volatile", health.eccUncorrected(), labels);
            ecc(page, "corrected", "aggregate", health.eccCorrectedEver(), labels);
            ecc(page, "uncorrected", "aggregate", health.eccUncorrectedEver(), labels);
            page.gauge(
                    "fairwatch_gpu_remapped_rows", "Rows or pages of memory replaced", health.remappedRows(), labels);
            page.gauge(
                    "fairwatch_gpu_reset_needed",
                    "Whether a replacement waits for a reset",
                    health.resetNeeded().map(needed -> needed ? 1.0 : 0.0),
                    labels);
            page.counter("fairwatch_gpu_pcie_replays", "Replayed PCIe packets", health.pcieReplays(), labels);
            page.gauge(
                    "fairwatch_gpu_last_xid",
                    "Newest XID since the agent opened the driver",
                    health.lastXid().isPresent()
                            ? OptionalLong.of(health.lastXid().getAsInt())
                            : OptionalLong.empty(),
                    labels);
        });
    }

    private static void activity(Page page, String pipe, OptionalDouble ratio, String[] labels) {
        page.gauge(
                "fairwatch_gpu_activity_ratio",
                "Share of what the pipe could have done over the period",
                ratio,
                Page.and(labels, "pipe", pipe));
    }

    private static void traffic(Page page, String link, String direction, OptionalDouble rate, String[] labels) {
        page.gauge(
                "fairwatch_gpu_" + link + "_bytes_per_second",
                "Traffic, seen from the GPU",
                rate,
                Page.and(labels, "direction", direction));
    }

    private static void ecc(Page page, String error, String counter, OptionalLong count, String[] labels) {
        page.counter(
                "fairwatch_gpu_ecc_errors",
                "Memory errors",
                count,
                Page.and(labels, "error", error, "counter", counter));
    }

    private static void scratch(Page page, ScratchUse scratch) {
        page.gauge(
                "fairwatch_scratch_bytes", "Size of the file system", scratch.totalBytes(), "mount", scratch.mount());
        page.gauge("fairwatch_scratch_used_bytes", "Taken", scratch.usedBytes(), "mount", scratch.mount());
        page.gauge(
                "fairwatch_scratch_available_bytes",
                "What an ordinary user can still write",
                scratch.availableBytes(),
                "mount",
                scratch.mount());
        page.gauge("fairwatch_scratch_inodes", "Inodes", scratch.inodesTotal(), "mount", scratch.mount());
        page.gauge("fairwatch_scratch_inodes_used", "Inodes taken", scratch.inodesUsed(), "mount", scratch.mount());
    }
}
