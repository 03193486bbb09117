package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.UserUse;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.lookup.NodeLookup.GpuLine;
import io.fairwatch.collector.lookup.NodeLookup.NodeView;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.GpuReadingAt;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.text.Csv;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.text.Table;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Renders nodes as text. Immutable. */
public final class NodeText {
    private static final int MOST_USERS = 10;
    private static final int MOST_DIRECTORIES = 10;

    /** One node after the other. */
    public String page(List<NodeView> views) {
        StringBuilder page = new StringBuilder();
        views.stream()
                .flatMap(view -> view.node().simulated().stream())
                .findFirst()
                .ifPresent(sentence -> page.append("** ").append(sentence).append(" **\n"));
        views.forEach(view -> page.append(page.isEmpty() ? "" : "\n").append(page(view)));
        return page.toString();
    }

    /** A line for each node. */
    public String csv(List<NodeView> views) {
        Csv csv = new Csv(
                "node",
                "slurm_state",
                "last_at",
                "agent_version",
                "logical_cpus",
                "cpu_busy_ratio",
                "memory_total_bytes",
                "memory_available_bytes",
                "gpus",
                "gpus_held",
                "gpus_used");
        for (NodeView view : views) {
            Optional<HostReading> host = view.node().host();
            csv.row(
                    view.node().node(),
                    view.slurm().map(SlurmNode::state).orElse(""),
                    view.node().lastAt().toString(),
                    view.node().agentVersion(),
                    host.map(h -> Integer.toString(h.logicalCpus())).orElse(""),
                    host.map(HostReading::cpuBusyRatio)
                            .filter(OptionalDouble::isPresent)
                            .map(busy -> String.format(Locale.ROOT, "%.3f", busy.getAsDouble()))
                            .orElse(""),
                    host.map(h -> Long.toString(h.memoryTotalBytes())).orElse(""),
                    host.map(h -> Long.toString(h.memoryAvailableBytes())).orElse(""),
                    Integer.toString(view.gpus().size()),
                    count(view, gpu -> !gpu.heldBy().isEmpty()),
                    count(view, gpu -> !gpu.usedBy().isEmpty()));
        }
        return csv.toString();
    }

    private static String count(NodeView view, Predicate<GpuLine> which) {
        return Long.toString(view.gpus().stream().filter(which).count());
    }

    private static String page(NodeView view) {
        NodeState node = view.node();
        StringBuilder page = new StringBuilder(node.node());
        view.slurm().ifPresent(slurm -> page.append(" (Slurm: ")
                .append(Plain.line(slurm.state(), 60))
                .append(')'));
        page.append(", heard ")
                .append(Plain.duration(Duration.between(node.lastAt(), view.at())))
                .append(" ago\n");
        node.host().ifPresent(host -> page.append(host(host)));
        node.probes().forEach((probe, outcome) -> {
            if (outcome instanceof ProbeOutcome.Failed failed) {
                page.append("! ")
                        .append(probe)
                        .append(": ")
                        .append(Plain.line(failed.why(), 300))
                        .append('\n');
            } else if (outcome instanceof ProbeOutcome.Nothing nothing) {
                page.append("- ")
                        .append(probe)
                        .append(": ")
                        .append(Plain.line(nothing.why(), 300))
                        .append('\n');
            }
        });
        if (!view.gpus().isEmpty()) {
            page.append('\n').append(gpus(view));
        }
        if (!node.users().isEmpty()) {
            page.append('\n').append(users(node));
        }
        node.scratch().forEach(scratch -> page.append('\n').append(scratch(scratch)));
        return page.toString();
    }

    private static String host(HostReading host) {
        return "CPU: " + Plain.percent(host.cpuBusyRatio()) + " of " + host.logicalCpus() + " busy; memory: "
                + Plain.bytes(host.memoryTotalBytes() - host.memoryAvailableBytes()) + " of "
                + Plain.bytes(host.memoryTotalBytes()) + " in use"
                + (host.loadAverage().isPresent()
                        ? String.format(
                                Locale.ROOT, "; load %.1f", host.loadAverage().getAsDouble())
                        : "")
                + "\n";
    }

    private static String gpus(NodeView view) {
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"GPU", "busy", "memory", "held by", "used by job"});
        for (GpuLine gpu : view.gpus()) {
            Optional<GpuReadingAt> reading =
                    gpu.reading().filter(at -> !at.at().isBefore(view.node().lastAt()));
            rows.add(new String[] {
                gpu.device().index() + " " + Plain.line(gpu.device().name(), 40),
                Plain.percent(reading.flatMap(at -> at.reading().utilization())
                        .map(Utilization::meanRatio)
                        .map(OptionalDouble::of)
                        .orElse(OptionalDouble.empty())),
                memory(gpu, reading),
                heldBy(gpu.heldBy()),
                usedBy(gpu.usedBy())
            });
        }
        return Table.render(rows);
    }

    private static String memory(GpuLine gpu, Optional<GpuReadingAt> reading) {
        OptionalLong used = reading.map(at -> at.reading().memoryUsedBytes()).orElse(OptionalLong.empty());
        OptionalLong total = gpu.device().memoryTotalBytes();
        return used.isEmpty()
                ? "unknown"
                : Plain.bytes(used.getAsLong()) + (total.isPresent() ? " of " + Plain.bytes(total.getAsLong()) : "");
    }

    private static String heldBy(List<Run> runs) {
        return runs.isEmpty()
                ? "-"
                : runs.stream()
                        .map(run ->
                                run.displayId() + " " + Plain.line(run.owner().user(), 40))
                        .collect(Collectors.joining(", "));
    }

    private static String usedBy(List<Long> jobs) {
        return jobs.isEmpty() ? "-" : jobs.stream().map(String::valueOf).collect(Collectors.joining(", "));
    }

    private static String users(NodeState node) {
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"user", "cores", "memory", "processes", "in jobs"});
        node.users().stream()
                .sorted(Comparator.comparingLong(UserUse::residentBytes).reversed())
                .limit(MOST_USERS)
                .forEach(user -> rows.add(new String[] {
                    user.name().map(name -> Plain.line(name, 40)).orElse("uid " + user.uid()),
                    user.cpuSeconds().isPresent()
                            ? String.format(
                                    Locale.ROOT,
                                    "%.1f",
                                    user.cpuSeconds().getAsDouble()
                                            * 1000
                                            / node.period().toMillis())
                            : "unknown",
                    Plain.bytes(user.residentBytes()),
                    Integer.toString(user.processes()),
                    Integer.toString(user.processesInJobs())
                }));
        int more = node.users().size() - MOST_USERS;
        return Table.render(rows) + (more > 0 ? "and " + more + " more\n" : "");
    }

    private static String scratch(ScratchUse scratch) {
        StringBuilder text = new StringBuilder(Plain.line(scratch.mount(), 100))
                .append(": ")
                .append(Plain.bytes(scratch.usedBytes()))
                .append(" of ")
                .append(Plain.bytes(scratch.totalBytes()))
                .append(" used");
        List<DirectoryUse> directories =
                scratch.directories().map(ScratchUse.Directories::list).orElse(List.of());
        text.append(scratch.directories().isEmpty() ? "; directories not counted yet\n" : "\n");
        if (!directories.isEmpty()) {
            List<String[]> rows = new ArrayList<>();
            rows.add(new String[] {"  directory", "used", "files", "owner", "last write"});
            directories.stream()
                    .limit(MOST_DIRECTORIES)
                    .forEach(directory -> rows.add(new String[] {
                        "  " + Plain.line(directory.name(), 60),
                        Plain.bytes(directory.usedBytes()),
                        Long.toString(directory.files()),
                        owner(directory),
                        directory
                                .lastWrite()
                                .map(at -> at.toString().substring(0, 10))
                                .orElse("-")
                    }));
            text.append(Table.render(rows));
        }
        return text.toString();
    }

    private static String owner(DirectoryUse directory) {
        return directory
                .owner()
                .map(name -> Plain.line(name, 40))
                .orElseGet(() ->
                        directory.uid().isPresent() ? "uid " + directory.uid().getAsInt() : "unknown");
    }
}
