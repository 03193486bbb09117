package io.fairwatch.collector.judge;

import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.rules.JobAllocation;
import io.fairwatch.rules.PendingFacts;
import io.fairwatch.rules.QueueFacts;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What Slurm's newest answer says of the cluster as a whole: what nodes have, what is free there, who waits. Thread-safe.
 *
 * <p>Slurm tells what a run holds on all of its nodes together; it is divided evenly here, as Slurm itself mostly does.
 */
final class Cluster {
    /** Words of a node's state that say that it takes no jobs now. */
    private static final List<String> CLOSED =
            List.of("down", "drain", "fail", "maint", "reboot", "power", "unknown", "future", "planned", "inval");

    private final Map<String, SlurmNode> nodes = new HashMap<>();
    private final Map<String, Use> held = new HashMap<>();
    private final Map<String, Map<String, Integer>> kinds = new HashMap<>();
    private final Map<String, Integer> waitingJobs = new HashMap<>();
    private final Map<String, Integer> wantedGpus = new HashMap<>();
    private final Map<String, Set<String>> nodesOfPartition = new HashMap<>();
    private final Map<Optional<String>, QueueFacts> queues = new ConcurrentHashMap<>();
    private final Map<Kind, List<PendingFacts.Place>> places = new ConcurrentHashMap<>();
    private final Set<String> unmanaged = new HashSet<>();
    private int allWaitingJobs;
    private int allWantedGpus;

    /** Where jobs of a partition that ask for a kind of GPU could run. */
    private record Kind(String partition, Optional<String> model) {}

    /** What running jobs hold of a node. Confined to the constructor, then read only. */
    private static final class Use {
        private double cpus;
        private double memoryBytes;
        private final Map<String, Integer> gpus = new HashMap<>();
        private int allGpus;
        private boolean vague;
        private boolean vagueGpus;
    }

    /** @param holding runs that hold their allocation, by the same answer */
    Cluster(SlurmView view, List<Run> holding) {
        this(view, holding, Map.of());
    }

    /**
     * @param holding runs that hold their allocation, by the same answer
     * @param seen how many GPUs agents see on nodes, by their names
     */
    Cluster(SlurmView view, List<Run> holding, Map<String, Integer> seen) {
        for (SlurmNode node : view.nodes()) {
            nodes.put(node.name(), node);
            kinds.put(node.name(), kindsOf(node));
        }
        seen.forEach((name, gpus) -> {
            SlurmNode node = nodes.get(name);
            if (gpus > 0 && node != null && node.gpus().orElse(0) == 0) {
                unmanaged.add(name);
            }
        });
        for (Run run : holding) {
            List<String> names = run.allocation().nodes();
            for (String name : names) {
                Use use = held.computeIfAbsent(name, first -> new Use());
                nodesOfPartition
                        .computeIfAbsent(run.owner().partition(), first -> new HashSet<>())
                        .add(name);
                if (run.allocation().cpus().isPresent()
                        && run.allocation().memoryBytes().isPresent()) {
                    use.cpus += (double) run.allocation().cpus().getAsInt() / names.size();
                    use.memoryBytes += (double) run.allocation().memoryBytes().getAsLong() / names.size();
                } else {
                    use.vague = true;
                }
            }
            for (AllocatedGpu gpu : run.gpus()) {
                Use use = held.computeIfAbsent(gpu.node(), first -> new Use());
                use.gpus.merge(gpu.type().orElse(""), 1, Integer::sum);
                use.allGpus++;
            }
            if (run.gpus().isEmpty() && run.allocation().gpus().orElse(0) > 0) {
                names.forEach(name -> held.computeIfAbsent(name, first -> new Use()).vagueGpus = true);
            }
        }
        for (PendingJob job : view.pending()) {
            Asked asked = Asked.parse(job.request());
            int gpus = asked.gpus().orElse(0);
            if (gpus > 0) {
                allWaitingJobs++;
                allWantedGpus += gpus;
                waitingJobs.merge(asked.gpuModel().orElse(""), 1, Integer::sum);
                wantedGpus.merge(asked.gpuModel().orElse(""), gpus, Integer::sum);
            }
        }
    }

    /** Reads {@code gpu:v100:16(S:0-1),gpu:a100:2}: kind to number; untyped is "". */
    private static Map<String, Integer> kindsOf(SlurmNode node) {
        Map<String, Integer> kinds = new HashMap<>();
        for (String part : node.gres().split(",", -1)) {
            String[] words = part.replaceAll("\\(.*", "").split(":", -1);
            String last = words[words.length - 1];
            if (words[0].equals("gpu") && words.length <= 3 && last.matches("\\d{1,6}")) {
                kinds.merge(words.length == 3 ? words[1] : "", Integer.parseInt(last), Integer::sum);
            }
        }
        return kinds;
    }

    /** Whether a node has GPUs that Slurm does not manage. */
    boolean isUnmanaged(String node) {
        return unmanaged.contains(node);
    }

    /** Whether a run is on nodes with GPUs that Slurm does not manage: everybody there uses which they choose. */
    boolean choosesGpus(Run run) {
        return run.allocation().gpus().orElse(0) == 0
                && run.allocation().nodes().stream().anyMatch(unmanaged::contains);
    }

    /**
     * GPUs that Slurm gave a run; absent: it does not say, gave parts of some, or manages none there, which is not the same
     * as none given.
     */
    OptionalInt gpusGiven(Run run) {
        return choosesGpus(run) || hasParts(run)
                ? OptionalInt.empty()
                : run.allocation().gpus();
    }

    /** Whether Slurm gave a run parts of GPUs, which others have parts of, too: shards, or MPS. */
    private static boolean hasParts(Run run) {
        String tres = run.allocation().tres();
        return run.allocation().gpus().orElse(0) == 0 && (tres.contains("gres/shard") || tres.contains("gres/mps"));
    }

    /** What a whole node of a run has: the one with the most CPUs for each GPU. */
    JobAllocation.Shape shapeOf(Run run) {
        Optional<SlurmNode> best = Optional.empty();
        for (String name : run.allocation().nodes()) {
            SlurmNode node = nodes.get(name);
            if (node == null) {
                return JobAllocation.Shape.NOT_KNOWN; // it could be the largest
            }
            if (best.isEmpty() || cpusPerGpu(node) > cpusPerGpu(best.get())) {
                best = Optional.of(node);
            }
        }
        return best.map(node -> new JobAllocation.Shape(node.cpus(), node.memoryBytes(), gpusOf(node)))
                .orElse(JobAllocation.Shape.NOT_KNOWN);
    }

    /** No GPUs is not told: a share of nothing cannot be computed. */
    private static OptionalInt gpusOf(SlurmNode node) {
        return node.gpus().orElse(0) > 0 ? node.gpus() : OptionalInt.empty();
    }

    private static double cpusPerGpu(SlurmNode node) {
        return (double) node.cpus().orElse(0) / Math.max(1, node.gpus().orElse(1));
    }

    /** Who waits for GPUs of a kind, and how many are free. */
    QueueFacts queue(Optional<String> model) {
        return queues.computeIfAbsent(model, this::count);
    }

    private QueueFacts count(Optional<String> model) {
        int free = 0;
        for (SlurmNode node : nodes.values()) {
            free += isOpen(node) ? freeGpus(node, model) : 0;
        }
        // whoever asks for any kind competes for each
        int jobs = model.map(kind -> waitingJobs.getOrDefault(kind, 0) + waitingJobs.getOrDefault("", 0))
                .orElse(allWaitingJobs);
        int gpus = model.map(kind -> wantedGpus.getOrDefault(kind, 0) + wantedGpus.getOrDefault("", 0))
                .orElse(allWantedGpus);
        return new QueueFacts(model, OptionalInt.of(jobs), OptionalInt.of(gpus), OptionalInt.of(free));
    }

    private static boolean isOpen(SlurmNode node) {
        return CLOSED.stream().noneMatch(node.state()::contains);
    }

    private int freeGpus(SlurmNode node, Optional<String> model) {
        Map<String, Integer> there = kinds.getOrDefault(node.name(), Map.of());
        Use use = held.get(node.name());
        if (use != null && use.vagueGpus) {
            return 0; // some are held, and which is not known
        }
        if (model.isEmpty()) {
            int all = there.values().stream().mapToInt(Integer::intValue).sum();
            return Math.max(0, all - (use == null ? 0 : use.allGpus));
        }
        int ofKind = there.getOrDefault(model.get(), 0);
        return Math.max(0, ofKind - (use == null ? 0 : use.gpus.getOrDefault(model.get(), 0)));
    }

    /**
     * Nodes where a waiting job could run: open, with GPUs of its kind that nobody holds, and known to serve its partition
     * because some job of that partition runs there. What is free is what neither its runs nor Slurm's own sums say is held:
     * where cores have two threads, Slurm gives whole cores, and the runs do not add up to what it gave.
     */
    List<PendingFacts.Place> places(String partition, Optional<String> model) {
        // thousands wait for the same few kinds
        return places.computeIfAbsent(
                new Kind(partition, model), kind -> List.copyOf(find(kind.partition(), kind.model())));
    }

    private List<PendingFacts.Place> find(String partition, Optional<String> model) {
        List<PendingFacts.Place> places = new ArrayList<>();
        for (String name : nodesOfPartition.getOrDefault(partition, Set.of()).stream()
                .sorted()
                .toList()) {
            SlurmNode node = nodes.get(name);
            if (node == null || !isOpen(node)) {
                continue;
            }
            Map<String, Integer> there = kinds.getOrDefault(name, Map.of());
            int gpus = model.map(kind -> there.getOrDefault(kind, 0))
                    .orElseGet(() ->
                            there.values().stream().mapToInt(Integer::intValue).sum());
            int free = freeGpus(node, model);
            if (gpus == 0 || free == 0) {
                continue;
            }
            Use use = held.get(name);
            boolean vague = use != null && use.vague;
            places.add(new PendingFacts.Place(
                    name,
                    gpus,
                    node.cpus(),
                    node.memoryBytes(),
                    free,
                    node.cpus().isPresent() && !vague
                            ? OptionalInt.of((int) Math.max(
                                    0,
                                    node.cpus().getAsInt()
                                            - Math.max(
                                                    Math.ceil(use == null ? 0 : use.cpus),
                                                    node.given().cpus().orElse(0))))
                            : OptionalInt.empty(),
                    node.memoryBytes().isPresent() && !vague
                            ? OptionalLong.of((long) Math.max(
                                    0,
                                    node.memoryBytes().getAsLong()
                                            - Math.max(use == null ? 0 : use.memoryBytes, (double)
                                                    node.given().memoryBytes().orElse(0))))
                            : OptionalLong.empty()));
        }
        return places;
    }

    /** What Slurm says of a node; absent: it does not know it. */
    Optional<SlurmNode> node(String name) {
        return Optional.ofNullable(nodes.get(name));
    }

    /** GPUs that running jobs hold on a node; absent: some hold GPUs that Slurm does not name. */
    OptionalInt gpusHeld(String name) {
        Use use = held.get(name);
        return use == null ? OptionalInt.of(0) : use.vagueGpus ? OptionalInt.empty() : OptionalInt.of(use.allGpus);
    }
}
