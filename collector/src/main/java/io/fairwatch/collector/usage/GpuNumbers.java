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
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Translates Slurm's GPU numbers into devices, by evidence. Remembers for each node which reading of the numbers its
 * processes confirmed, for as long as the node reports the same devices under the same numbers; that memory can be made
 * again from the store at any time. Confined to one thread.
 */
public final class GpuNumbers {
    private final Map<String, Decision> decisions = new HashMap<>();

    /** What a number may mean: two readings of one node, and how the choice between them was made. */
    private record Decision(Map<Integer, String> byNumber, Confidence confidence, Set<GpuDevice> devices) {}

    /**
     * Learns from what was seen.
     *
     * @param runs runs that hold GPUs or did so in the interval of {@code seen}
     * @param nodes nodes as Slurm knows them
     * @param gpus devices as nodes report them
     * @param seen which job's processes were on which device
     */
    public void learn(
            Collection<Run> runs, Collection<SlurmNode> nodes, Collection<GpuSeen> gpus, Collection<JobOnGpu> seen) {
        Map<String, OptionalInt> counts =
                nodes.stream().collect(Collectors.toMap(SlurmNode::name, SlurmNode::gpus, (a, b) -> a));
        Map<String, List<JobOnGpu>> seenByNode = seen.stream().collect(Collectors.groupingBy(JobOnGpu::node));
        Map<String, List<GpuDevice>> devicesByNode = newestOnly(gpus);
        devicesByNode.forEach((node, devices) -> {
            Map<Integer, String> byFile = byFile(devices, counts.getOrDefault(node, OptionalInt.empty()));
            Map<Integer, String> byBus = byBus(devices);
            Set<GpuDevice> identity = Set.copyOf(devices);
            if (byFile.equals(byBus)) {
                decisions.put(node, new Decision(byFile, Confidence.CERTAIN, identity));
                return;
            }
            Evidence evidence = weigh(runs, node, seenByNode.getOrDefault(node, List.of()), byFile, byBus);
            Decision before = decisions.get(node);
            if (evidence.silent() && before != null && before.devices().equals(identity)) {
                return;
            }
            decisions.put(node, evidence.decide(byFile, byBus, identity));
        });
    }

    /** The same runs, each GPU with its device as far as it is known. What was known for sure before is kept. */
    public List<Run> translate(List<Run> runs) {
        return runs.stream()
                .map(run ->
                        run.withGpus(run.gpus().stream().map(this::translate).toList()))
                .toList();
    }

    private AllocatedGpu translate(AllocatedGpu gpu) {
        Decision decision = decisions.get(gpu.node());
        String uuid = decision == null ? null : decision.byNumber().get(gpu.gresIndex());
        if (decision == null || uuid == null) {
            return gpu;
        }
        return new AllocatedGpu(gpu.node(), gpu.gresIndex(), gpu.type(), Optional.of(uuid), decision.confidence());
    }

    /** How often each reading was borne out and how often it failed, where the two differ. */
    private record Evidence(int forFile, int againstFile, int forBus, int againstBus) {
        boolean silent() {
            return forFile + againstFile + forBus + againstBus == 0;
        }

        Decision decide(Map<Integer, String> byFile, Map<Integer, String> byBus, Set<GpuDevice> devices) {
            if (forFile > 0 && againstFile == 0) {
                return new Decision(byFile, Confidence.CONFIRMED, devices);
            }
            if (forBus > 0 && againstBus == 0) {
                return new Decision(byBus, Confidence.CONFIRMED, devices);
            }
            return new Decision(byFile, silent() ? Confidence.ASSUMED : Confidence.CONTRADICTED, devices);
        }
    }

    private static Evidence weigh(
            Collection<Run> runs,
            String node,
            List<JobOnGpu> seen,
            Map<Integer, String> byFile,
            Map<Integer, String> byBus) {
        int forFile = 0;
        int againstFile = 0;
        int forBus = 0;
        int againstBus = 0;
        for (JobOnGpu sight : seen) {
            List<Integer> numbers = numbersOf(runs, sight, node);
            if (numbers.isEmpty()) {
                continue;
            }
            boolean file = numbers.stream().anyMatch(n -> sight.uuid().equals(byFile.get(n)));
            boolean bus = numbers.stream().anyMatch(n -> sight.uuid().equals(byBus.get(n)));
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
    private static List<Integer> numbersOf(Collection<Run> runs, JobOnGpu sight, String node) {
        return runs.stream()
                .filter(run -> run.key().jobId() == sight.jobId())
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
     * gres.conf lists files: the n-th number is the n-th file. With fewer devices than Slurm counts one has been lost,
     * and then a number can only be a minor number itself.
     */
    private static Map<Integer, String> byFile(List<GpuDevice> devices, OptionalInt slurmCount) {
        Map<Integer, String> byFile = new TreeMap<>();
        boolean complete = slurmCount.isEmpty() || slurmCount.getAsInt() == devices.size();
        List<GpuDevice> sorted = devices.stream()
                .filter(device -> device.minorNumber().isPresent())
                .sorted(Comparator.comparingInt(device -> device.minorNumber().getAsInt()))
                .toList();
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
