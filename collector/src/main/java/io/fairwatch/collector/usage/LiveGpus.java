package io.fairwatch.collector.usage;

import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** Which job holds which GPU now, node by node, in memory, for the agents that ask. Thread-safe. */
public final class LiveGpus {
    private static final Duration HOLDS = Duration.ofMinutes(5);

    private final InstantSource clock;
    private volatile View view = new View(Instant.MIN, Map.of());

    private record View(Instant at, Map<String, List<HeldGpu>> byNode) {}

    public LiveGpus(InstantSource clock) {
        this.clock = clock;
    }

    /**
     * Remembers what Slurm just told; returns it unchanged. Contradicted and unknown numbers name no GPU, and a GPU that
     * two runs would hold is nobody's.
     */
    public List<Run> remember(List<Run> runs) {
        Map<String, List<HeldGpu>> byNode = new HashMap<>();
        for (Run run : runs) {
            if (run.end().isPresent()) {
                continue;
            }
            for (AllocatedGpu gpu : run.gpus()) {
                if (gpu.uuid().isPresent() && gpu.confidence() != AllocatedGpu.Confidence.CONTRADICTED) {
                    byNode.computeIfAbsent(gpu.node(), first -> new ArrayList<>())
                            .add(new HeldGpu(
                                    gpu.uuid().get(),
                                    run.key().jobId(),
                                    run.owner().uid()));
                }
            }
        }
        byNode.replaceAll((node, gpus) -> undisputed(gpus));
        view = new View(clock.instant(), byNode);
        return runs;
    }

    private static List<HeldGpu> undisputed(List<HeldGpu> gpus) {
        Map<String, Long> holders = gpus.stream().collect(Collectors.groupingBy(HeldGpu::uuid, Collectors.counting()));
        return gpus.stream()
                .filter(gpu -> holders.getOrDefault(gpu.uuid(), 0L) == 1)
                .toList();
    }

    /** What jobs hold on a node; absent when Slurm has not answered lately. */
    public Optional<List<HeldGpu>> on(String node) {
        View now = view;
        return now.at().equals(Instant.MIN) || now.at().plus(HOLDS).isBefore(clock.instant())
                ? Optional.empty()
                : Optional.of(now.byNode().getOrDefault(node, List.of()));
    }
}
