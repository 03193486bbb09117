package io.fairwatch.collector.usage;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.AllocatedGpu.Confidence;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.GpuSeen;
import io.fairwatch.collector.store.JobOnGpu;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Translates Slurm's GPU numbers into devices, by evidence. Remembers for each node which reading of the numbers its
 * processes confirmed, for as long as the node reports the same devices under the same numbers, or has lost some of them;
 * that memory can be made again from the store at any time, as far as the node has not lost a card. Confined to one thread.
 */
public final class GpuNumbers {
    private final Map<String, Decision> decisions = new HashMap<>();
    /** Nodes of which only evidence can tell which reading is right. */
    private Map<String, Readings> doubtful = Map.of();

    /** What the numbers of a node may mean: by device file, or by PCI bus. */
    private record Readings(Map<Integer, String> byFile, Map<Integer, String> byBus) {}

    /** Which reading was chosen, how sure that is, and between what. */
    private record Decision(Map<Integer, String> byNumber, Confidence confidence, Readings between) {
        boolean sure() {
            return confidence == Confidence.CERTAIN || confidence == Confidence.CONFIRMED;
        }
    }

    /**
     * Learns from what was seen.
     *
     * @param runs runs that hold GPUs or did so in the interval of {@code seen}
     * @param nodes nodes as Slurm knows them
     * @param gpus devices as nodes report them
     * @param seen which job's processes were on which device, or which devices the node lets a job open
     */
    public void learn(
            Collection<Run> runs, Collection<SlurmNode> nodes, Collection<GpuSeen> gpus, Collection<JobOnGpu> seen) {
        if (!learn(nodes, gpus)) {
            weigh(runs, seen);
        }
    }

    /**
     * Learns what needs no evidence: most nodes' devices have the same order by file and by bus.
     *
     * @return whether that is all; if not, {@link #weigh} is to follow
     */
    boolean learn(Collection<SlurmNode> nodes, Collection<GpuSeen> gpus) {
        Map<String, OptionalInt> counts =
                nodes.stream().collect(Collectors.toMap(SlurmNode::name, SlurmNode::gpus, (a, b) -> a));
        doubtful = new HashMap<>();
        newestOnly(gpus).forEach((node, devices) -> {
            OptionalInt count = counts.getOrDefault(node, OptionalInt.empty());
            Readings readings = new Readings(byFile(devices, count), byBus(devices));
            Decision before = decisions.get(node);
            if (before != null && before.sure() && hasLostSome(before, readings, count)) {
                return; // the cards that are left keep their numbers
            }
            boolean complete = count.isEmpty() || count.getAsInt() == devices.size();
            if (complete && readings.byFile().equals(readings.byBus())) {
                decisions.put(node, new Decision(readings.byFile(), Confidence.CERTAIN, readings));
                return;
            }
            doubtful.put(node, readings);
        });
        return doubtful.isEmpty();
    }

    /**
     * Learns what evidence tells of the other nodes.
     *
     * @param runs as for {@link #learn(Collection, Collection, Collection, Collection)}
     * @param seen likewise
     */
    void weigh(Collection<Run> runs, Collection<JobOnGpu> seen) {
        Map<String, List<JobOnGpu>> seenByNode = seen.stream().collect(Collectors.groupingBy(JobOnGpu::node));
        Map<Long, List<Run>> runsByJob =
                runs.stream().collect(Collectors.groupingBy(run -> run.key().jobId()));
        doubtful.forEach((node, readings) -> {
            Optional<Decision> same = Optional.ofNullable(decisions.get(node))
                    .filter(known -> known.between().equals(readings));
            Evidence evidence = weigh(runsByJob, node, seenByNode.getOrDefault(node, List.of()), readings);
            if (evidence.silent() && same.isPresent()) {
                return;
            }
            decisions.put(node, evidence.decide(readings, same));
        });
    }

    /** Whether the node reports only some of the cards that were decided on, and Slurm still counts on more. */
    private static boolean hasLostSome(Decision before, Readings now, OptionalInt slurmCount) {
        Collection<String> left = now.byBus().values();
        Collection<String> known = before.between().byBus().values();
        return slurmCount.orElse(0) > left.size() && known.size() > left.size() && known.containsAll(left);
    }

    /** The same runs, each GPU with its device; one whose number means nothing here stays as it was. */
    public List<Run> translate(List<Run> runs) {
        return runs.stream().map(this::translate).toList();
    }

    private Run translate(Run run) {
        List<AllocatedGpu> gpus = run.gpus().stream().map(this::translate).toList();
        return gpus.equals(run.gpus()) ? run : run.withGpus(gpus);
    }

    private AllocatedGpu translate(AllocatedGpu gpu) {
        Decision decision = decisions.get(gpu.node());
        String uuid = decision == null ? null : decision.byNumber().get(gpu.gresIndex());
        if (decision == null || uuid == null) {
            return gpu;
        }
        if (gpu.confidence() == decision.confidence() && gpu.uuid().equals(Optional.of(uuid))) {
            return gpu;
        }
        return new AllocatedGpu(gpu.node(), gpu.gresIndex(), gpu.type(), Optional.of(uuid), decision.confidence());
    }

    /** How often each reading was borne out and how often it failed, where the two differ. */
    private record Evidence(int forFile, int againstFile, int forBus, int againstBus) {
        boolean silent() {
            return forFile + againstFile + forBus + againstBus == 0;
        }

        /** A process on a card that no reading names makes both doubtful; it does not make the worse one better. */
        Decision decide(Readings readings, Optional<Decision> before) {
            if (silent()) {
                return new Decision(readings.byFile(), Confidence.ASSUMED, readings);
            }
            if (forFile > 0 && againstFile == 0) {
                return new Decision(readings.byFile(), Confidence.CONFIRMED, readings);
            }
            if (forBus > 0 && againstBus == 0) {
                return new Decision(readings.byBus(), Confidence.CONFIRMED, readings);
            }
            Map<Integer, String> better = forBus > forFile
                    ? readings.byBus()
                    : forFile > forBus
                            ? readings.byFile()
                            : before.map(Decision::byNumber).orElse(readings.byFile());
            return new Decision(better, Confidence.CONTRADICTED, readings);
        }
    }

    private static Evidence weigh(Map<Long, List<Run>> runs, String node, List<JobOnGpu> seen, Readings readings) {
        int forFile = 0;
        int againstFile = 0;
        int forBus = 0;
        int againstBus = 0;
        for (JobOnGpu sight : seen) {
            List<Integer> numbers = numbersOf(runs, sight, node);
            if (numbers.isEmpty()) {
                continue;
            }
            boolean file = numbers.stream()
                    .anyMatch(n -> sight.uuid().equals(readings.byFile().get(n)));
            boolean bus = numbers.stream()
                    .anyMatch(n -> sight.uuid().equals(readings.byBus().get(n)));
            if (file && bus) {
                continue; // a job that holds both candidates tells nothing
            }
            forFile += file ? 1 : 0;
            againstFile += file ? 0 : 1;
            forBus += bus ? 1 : 0;
            againstBus += bus ? 0 : 1;
        }
        return new Evidence(forFile, againstFile, forBus, againstBus);
    }

    /** The numbers that Slurm gave to the run whose processes were seen, on that node. */
    private static List<Integer> numbersOf(Map<Long, List<Run>> runs, JobOnGpu sight, String node) {
        return runs.getOrDefault(sight.jobId(), List.of()).stream()
                .filter(run -> !run.key().start().isAfter(sight.firstAt()))
                .filter(run ->
                        run.end().map(end -> !end.isBefore(sight.lastAt())).orElse(true))
                .flatMap(run -> run.gpus().stream())
                .filter(gpu -> gpu.node().equals(node))
                .map(AllocatedGpu::gresIndex)
                .toList();
    }

    /** Devices of each node by its newest report; what an earlier report named and the newest does not is gone. */
    private static Map<String, List<GpuDevice>> newestOnly(Collection<GpuSeen> gpus) {
        Map<String, List<GpuSeen>> byNode = gpus.stream().collect(Collectors.groupingBy(GpuSeen::node));
        Map<String, List<GpuDevice>> newest = new HashMap<>();
        byNode.forEach((node, list) -> list.stream()
                .map(GpuSeen::lastAt)
                .max(Comparator.naturalOrder())
                .ifPresent(last -> newest.put(
                        node,
                        list.stream()
                                .filter(gpu -> gpu.lastAt().equals(last))
                                .map(GpuSeen::device)
                                .toList())));
        return newest;
    }

    /**
     * gres.conf lists files: the n-th number is the n-th file. With fewer files than Slurm counts one has been lost, and
     * then a number can only be a minor number itself; the same when the driver does not tell the file of each.
     */
    private static Map<Integer, String> byFile(List<GpuDevice> devices, OptionalInt slurmCount) {
        Map<Integer, String> byFile = new TreeMap<>();
        List<GpuDevice> sorted = devices.stream()
                .filter(device -> device.minorNumber().isPresent())
                .sorted(Comparator.comparingInt(device -> device.minorNumber().getAsInt()))
                .toList();
        boolean complete = sorted.size() == devices.size() && slurmCount.orElse(devices.size()) == devices.size();
        for (int i = 0; i < sorted.size(); i++) {
            GpuDevice device = sorted.get(i);
            byFile.put(complete ? i : device.minorNumber().getAsInt(), device.uuid());
        }
        return byFile;
    }

    /** Slurm detected the devices itself: numbers follow the PCI bus, as NVML's index does. */
    private static Map<Integer, String> byBus(List<GpuDevice> devices) {
        Map<Integer, String> byBus = new TreeMap<>();
        List<GpuDevice> sorted = devices.stream()
                .sorted(Comparator.comparingInt(GpuDevice::index))
                .toList();
        for (int i = 0; i < sorted.size(); i++) {
            byBus.put(i, sorted.get(i).uuid());
        }
        return byBus;
    }
}
