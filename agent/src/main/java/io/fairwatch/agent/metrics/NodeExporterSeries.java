package io.fairwatch.agent.metrics;

import io.fairwatch.agent.probe.HostCounters;
import io.fairwatch.agent.probe.HostCounters.Disk;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.List;

/**
 * The series of node_exporter that boards for compute nodes need, under its names. Reads {@code /proc} at each scrape, so
 * it is scraped on a worker. Thread-safe.
 */
final class NodeExporterSeries implements MultiCollector {
    private final HostCounters counters;

    NodeExporterSeries(HostCounters counters) {
        this.counters = counters;
    }

    @Override
    public MetricSnapshots collect() {
        Page page = new Page();
        counters.cpus()
                .forEach(time -> page.counter(
                        "node_cpu_seconds",
                        "Seconds the CPUs spent in each mode",
                        time.seconds(),
                        "cpu",
                        time.cpu(),
                        "mode",
                        time.mode()));
        counters.memory()
                .forEach((kind, bytes) -> page.gauge(
                        "node_memory_" + kind + (kind.startsWith("HugePages_") ? "" : "_bytes"),
                        "Memory information field " + kind,
                        bytes));
        counters.disks().forEach(disk -> disk(page, disk));
        counters.networks().forEach(network -> {
            page.counter(
                    "node_network_receive_bytes",
                    "Bytes received",
                    network.receivedBytes(),
                    "device",
                    network.device());
            page.counter("node_network_transmit_bytes", "Bytes sent", network.sentBytes(), "device", network.device());
        });
        counters.infiniBand().forEach(port -> {
            String[] labels = {"device", port.device(), "port", port.port()};
            page.counter("node_infiniband_port_data_received_bytes", "Bytes received", port.receivedBytes(), labels);
            page.counter("node_infiniband_port_data_transmitted_bytes", "Bytes sent", port.sentBytes(), labels);
        });
        counters.cpuFrequencies()
                .forEach((cpu, hertz) ->
                        page.gauge("node_cpu_scaling_frequency_hertz", "What the CPU runs at", hertz, "cpu", cpu));
        counters.nfs()
                .forEach(nfs -> page.counter(
                        "node_nfs_requests",
                        "Requests to NFS servers",
                        nfs.requests(),
                        "proto",
                        nfs.version(),
                        "method",
                        nfs.method()));
        List<Double> loads = counters.loads();
        if (loads.size() == 3) {
            page.gauge("node_load1", "1m load average", loads.get(0));
            page.gauge("node_load5", "5m load average", loads.get(1));
            page.gauge("node_load15", "15m load average", loads.get(2));
        }
        return page.snapshots();
    }

    private static void disk(Page page, Disk disk) {
        disk(page, "reads_completed", "Reads completed", disk.reads(), disk);
        disk(page, "read_bytes", "Bytes read", disk.readBytes(), disk);
        disk(page, "read_time_seconds", "Seconds spent by all reads", disk.readSeconds(), disk);
        disk(page, "writes_completed", "Writes completed", disk.writes(), disk);
        disk(page, "written_bytes", "Bytes written", disk.writtenBytes(), disk);
        disk(page, "write_time_seconds", "Seconds spent by all writes", disk.writeSeconds(), disk);
        page.gauge("node_disk_io_now", "Requests in progress", disk.inFlight(), "device", disk.device());
        disk(page, "io_time_seconds", "Seconds spent on I/O", disk.busySeconds(), disk);
        disk(page, "io_time_weighted_seconds", "The same by requests", disk.weightedSeconds(), disk);
    }

    private static void disk(Page page, String what, String help, double value, Disk disk) {
        page.counter("node_disk_" + what, help, value, "device", disk.device());
    }
}
