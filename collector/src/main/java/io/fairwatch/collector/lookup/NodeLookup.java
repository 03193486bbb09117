package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.GpuReadingAt;
import io.fairwatch.collector.store.GpuSeen;
import io.fairwatch.collector.store.JobOnGpu;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Puts together what is known of nodes now. Thread-safe; blocks on the store. */
public final class NodeLookup {
    private static final Duration LATELY = Duration.ofMinutes(2);

    private final Store store;
    private final InstantSource clock;

    public NodeLookup(Store store, InstantSource clock) {
        this.store = store;
        this.clock = clock;
    }

    /**
     * One node, now. Immutable.
     *
     * @param at when it was put together
     * @param node what its agent reports
     * @param slurm what Slurm says of it; absent when Slurm does not know it, or has not answered
     * @param gpus its GPUs by index
     */
    public record NodeView(Instant at, NodeState node, Optional<SlurmNode> slurm, List<GpuLine> gpus) {
        public NodeView {
            gpus = List.copyOf(gpus);
        }
    }

    /**
     * One GPU of a node.
     *
     * @param reading its newest reading; absent when there never was one
     * @param heldBy the runs that Slurm gave it to
     * @param usedBy raw ids of the jobs whose processes the newest snapshot shows on it
     */
    public record GpuLine(GpuDevice device, Optional<GpuReadingAt> reading, List<Run> heldBy, List<Long> usedBy) {}

    /** All nodes that Slurm knows, by its last answer. */
    public List<SlurmNode> known() throws StoreException {
        return store.view().map(SlurmView::nodes).orElse(List.of());
    }

    /** Nodes by name; all that ever reported without one. */
    public List<NodeView> find(Optional<String> name) throws StoreException {
        return views(nodes(name), store.view());
    }

    /** The asked part of all nodes by name, or one of them. */
    public Listing<NodeView> list(Optional<String> name, Page page) throws StoreException {
        List<NodeState> nodes = nodes(name);
        Optional<SlurmView> view = store.view();
        Page.Part<NodeState> part = page.of(nodes, NodeState::node);
        return new Listing<>(
                clock.instant(),
                view.map(SlurmView::at),
                nodes.stream().flatMap(node -> node.simulated().stream()).findFirst(),
                views(part.items(), view),
                part.next());
    }

    private List<NodeState> nodes(Optional<String> name) throws StoreException {
        return store.nodes().stream()
                .filter(node -> name.isEmpty() || node.node().equals(name.get()))
                .sorted(Comparator.comparing(NodeState::node))
                .toList();
    }

    private List<NodeView> views(List<NodeState> nodes, Optional<SlurmView> view) throws StoreException {
        Instant now = clock.instant();
        Map<String, SlurmNode> slurm = view.map(SlurmView::nodes).orElse(List.of()).stream()
                .collect(Collectors.toMap(SlurmNode::name, Function.identity(), (a, b) -> a));
        Map<String, List<GpuSeen>> gpus = store.gpus().stream().collect(Collectors.groupingBy(GpuSeen::node));
        List<String> uuids = nodes.stream()
                .flatMap(node -> gpus.getOrDefault(node.node(), List.of()).stream())
                .map(gpu -> gpu.device().uuid())
                .toList();
        Map<String, GpuReadingAt> newest = store.newestReadings(uuids, now).stream()
                .collect(Collectors.toMap(at -> at.reading().device().uuid(), Function.identity()));
        List<Run> live = store.liveRuns().stream()
                .filter(run -> HoldLookup.isInView(run, view))
                .toList();
        List<JobOnGpu> seen = store.jobsOnGpus(now.minus(LATELY), now);
        List<NodeView> views = new ArrayList<>();
        for (NodeState node : nodes) {
            List<GpuLine> lines = gpus.getOrDefault(node.node(), List.of()).stream()
                    .map(GpuSeen::device)
                    .sorted(Comparator.comparingInt(GpuDevice::index))
                    .map(device -> new GpuLine(
                            device,
                            Optional.ofNullable(newest.get(device.uuid())),
                            live.stream().filter(run -> holds(run, device)).toList(),
                            usedBy(device, seen, node.lastAt())))
                    .toList();
            views.add(new NodeView(now, node, Optional.ofNullable(slurm.get(node.node())), lines));
        }
        return views;
    }

    private static List<Long> usedBy(GpuDevice device, List<JobOnGpu> seen, Instant since) {
        return seen.stream()
                .filter(job -> job.uuid().equals(device.uuid()) && !job.lastAt().isBefore(since))
                .map(JobOnGpu::jobId)
                .distinct()
                .sorted()
                .toList();
    }

    private static boolean holds(Run run, GpuDevice device) {
        return run.gpus().stream().anyMatch(gpu -> gpu.uuid().equals(Optional.of(device.uuid())));
    }
}
