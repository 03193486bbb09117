package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.collector.lookup.HoldLookup.HeldGpu;
import io.fairwatch.collector.lookup.HoldLookup.Holdings;
import io.fairwatch.collector.lookup.NodeLookup.GpuLine;
import io.fairwatch.collector.lookup.NodeLookup.NodeView;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.text.Plain;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One line for each node: how busy its CPUs are, how full its memory, each GPU as a character, and who holds them. What
 * colours say, characters say too. Immutable.
 */
public final class NodeSummary {
    private static final int BAR = 10;
    private static final int NARROWEST = 60;
    private static final int SILENT_PERIODS = 3;

    private final boolean colours;
    private final int width;

    /** A colour of a terminal. */
    private enum Colour {
        GREEN("\033[32m"),
        YELLOW("\033[1;33m"),
        RED("\033[31m"),
        FAINT("\033[2m");

        final String begin;

        Colour(String begin) {
            this.begin = begin;
        }
    }

    /**
     * @param colours whether the terminal shows them
     * @param width characters in a line of it; longer lines are cut
     */
    public NodeSummary(boolean colours, int width) {
        this.colours = colours;
        this.width = Math.max(NARROWEST, width);
    }

    /**
     * All nodes.
     *
     * @param nodes those that report
     * @param slurm all that Slurm knows, by name
     * @param shown whose names may be told; all others together are called others
     */
    public String page(List<NodeView> nodes, List<SlurmNode> slurm, Holdings holdings, Predicate<String> shown) {
        Map<String, NodeView> reporting = new TreeMap<>();
        nodes.forEach(view -> reporting.put(view.node().node(), view));
        Map<String, SlurmNode> known = new TreeMap<>();
        slurm.forEach(node -> known.put(node.name(), node));
        Set<String> names = new HashSet<>(reporting.keySet());
        names.addAll(known.keySet());
        Set<String> idle = idleDevices(holdings);
        int nameWidth = names.stream().mapToInt(String::length).max().orElse(4);
        int gpuWidth = nodes.stream().mapToInt(view -> view.gpus().size()).max().orElse(0);
        StringBuilder page = new StringBuilder();
        holdings.simulated()
                .ifPresent(sentence ->
                        page.append("** ").append(Plain.line(sentence, 200)).append(" **\n"));
        if (names.isEmpty()) {
            return page.append("No node has reported yet, and Slurm has not named any.\n")
                    .toString();
        }
        page.append(padded("node", nameWidth))
                .append("  ")
                .append(padded("CPU", BAR + 7))
                .append(padded("memory", BAR + 7))
                .append(gpuWidth > 0 ? padded("GPUs", Math.max(4, gpuWidth) + 2) : "")
                .append("who holds GPUs\n");
        names.stream().sorted().forEach(name -> {
            NodeView view = reporting.get(name);
            Optional<SlurmNode> slurms = Optional.ofNullable(known.get(name));
            page.append(line(name, nameWidth, gpuWidth, view, slurms, idle, shown))
                    .append('\n');
        });
        return page.append(colour(Colour.GREEN, "#"))
                .append(" busy  ")
                .append(colour(Colour.YELLOW, "!"))
                .append(" held and idle  ")
                .append(colour(Colour.FAINT, "."))
                .append(" free  ")
                .append(colour(Colour.RED, "x"))
                .append(" in use, held by nobody  ? not known\n")
                .toString();
    }

    private static Set<String> idleDevices(Holdings holdings) {
        Set<String> idle = new HashSet<>();
        holdings.running().stream()
                .flatMap(held -> held.gpus().stream())
                .filter(gpu -> gpu.idleSince().isPresent())
                .map(HeldGpu::device)
                .forEach(device -> device.ifPresent(d -> idle.add(d.uuid())));
        return idle;
    }

    private String line(
            String name,
            int nameWidth,
            int gpuWidth,
            @Nullable NodeView view,
            Optional<SlurmNode> slurm,
            Set<String> idle,
            Predicate<String> shown) {
        String slurmState = slurm.map(SlurmNode::state).orElse("not known to Slurm");
        if (view == null) {
            return padded(name, nameWidth) + "  "
                    + colour(Colour.FAINT, "no agent reports (Slurm: " + Plain.line(slurmState, 40) + ")");
        }
        Duration age = Duration.between(view.node().lastAt(), view.at());
        if (age.compareTo(view.node().period().multipliedBy(SILENT_PERIODS)) > 0) {
            Optional<String> off = slurm.flatMap(SlurmNode::offBecause);
            if (off.isPresent()) { // its silence is no fault
                return padded(name, nameWidth) + "  "
                        + colour(
                                Colour.FAINT,
                                "off for " + Plain.duration(age) + " (" + Plain.line(off.get(), 40) + ")");
            }
            return padded(name, nameWidth) + "  "
                    + colour(
                            Colour.RED,
                            "silent for " + Plain.duration(age) + " (Slurm: " + Plain.line(slurmState, 40) + ")");
        }
        StringBuilder strip = new StringBuilder();
        Map<String, int[]> holders = new LinkedHashMap<>();
        for (GpuLine gpu : view.gpus()) {
            boolean isIdle = idle.contains(gpu.device().uuid());
            strip.append(symbol(gpu, view, isIdle));
            for (Run run : gpu.heldBy()) {
                int[] counts = holders.computeIfAbsent(
                        shown.test(run.owner().user()) ? run.owner().user() : "others", user -> new int[2]);
                counts[0]++;
                counts[1] += isIdle ? 1 : 0;
            }
        }
        List<String> words = new ArrayList<>();
        holders.forEach((user, counts) -> words.add(Plain.line(user, 40) + " " + counts[0]
                + (counts[1] == 0 ? "" : counts[1] == counts[0] ? " idle" : " (" + counts[1] + " idle)")));
        String host = view.node().host().map(NodeSummary::host).orElse(padded("unknown", 2 * BAR + 14));
        int left = width - nameWidth - 2 - 2 * (BAR + 7) - (gpuWidth > 0 ? Math.max(4, gpuWidth) + 2 : 0);
        String who = String.join(", ", words);
        return padded(name, nameWidth) + "  " + host
                + (gpuWidth > 0
                        ? strip
                                + " "
                                        .repeat(Math.max(4, gpuWidth)
                                                + 2
                                                - view.gpus().size())
                        : "")
                + (who.length() > left && left > 3 ? who.substring(0, left - 3) + "..." : who);
    }

    private String symbol(GpuLine gpu, NodeView view, boolean isIdle) {
        OptionalDouble busy = gpu.reading()
                .filter(reading -> !reading.at().isBefore(view.node().lastAt()))
                .flatMap(reading -> reading.reading().utilization())
                .map(utilization -> OptionalDouble.of(utilization.meanRatio()))
                .orElse(OptionalDouble.empty());
        if (gpu.heldBy().isEmpty()) {
            return gpu.usedBy().isEmpty() ? colour(Colour.FAINT, ".") : colour(Colour.RED, "x");
        }
        if (isIdle) {
            return colour(Colour.YELLOW, "!");
        }
        return busy.isPresent() ? colour(Colour.GREEN, "#") : "?";
    }

    private static String host(HostReading host) {
        double used = 1 - host.memoryAvailableBytes() / (double) Math.max(1, host.memoryTotalBytes());
        return (host.cpuBusyRatio().isPresent() ? bar(host.cpuBusyRatio().getAsDouble()) : padded("unknown", BAR + 7))
                + bar(Math.max(0, used));
    }

    /** {@code ####...... 38 % } */
    private static String bar(double ratio) {
        int filled = (int) Math.round(ratio * BAR);
        return "#".repeat(filled) + ".".repeat(BAR - filled) + " " + padded(Plain.percent(ratio), 6);
    }

    private String colour(Colour colour, String text) {
        return colours ? colour.begin + text + "\033[0m" : text;
    }

    private static String padded(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()));
    }
}
