package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.MigInstance;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.UserUse;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The newest of each node and GPU, held in memory. Writers take turns; readers on any thread see what was committed last.
 * When a transaction fails, this must be loaded anew.
 *
 * <p>Rows in the tables {@code node} and {@code gpu} are written anew when something beside numbers has changed, when a
 * scratch count came, and else {@value #BEHIND_MINUTES} minutes after their node moved on: written with every snapshot,
 * they were two thirds of the log. What a row lacks after a kill stands in the readings, from where {@link #load} brings
 * it forward; what processes users had, and how long probes took, is then up to that old until the node's next snapshot.
 */
final class Inventory {
    private static final int BEHIND_MINUTES = 5;
    private static final long BEHIND_MS = Duration.ofMinutes(BEHIND_MINUTES).toMillis();

    /** Which of two snapshots of one node is newer, so that the order in which they come does not matter. */
    private static final Comparator<Node> NEWNESS =
            Comparator.comparingLong(Node::lastMs).thenComparing(Node::bootId).thenComparingLong(Node::sequence);

    /** The part of a node's newest snapshot that is kept as JSON. */
    private record State(
            Optional<String> driver,
            Optional<String> simulated,
            Optional<HostReading> host,
            Map<String, ProbeOutcome> probes,
            List<UserUse> users) {}

    /** A node, and which snapshot is its newest. */
    private record Node(NodeState state, String bootId, long sequence) {
        long lastMs() {
            return state.lastAt().toEpochMilli();
        }
    }

    private final ConcurrentSkipListMap<String, Node> nodes = new ConcurrentSkipListMap<>();
    private final Map<String, GpuSeen> gpus = new ConcurrentHashMap<>();

    // ---- of the transaction that goes on
    private final Map<String, Node> changedNodes = new LinkedHashMap<>();
    private final Map<String, GpuSeen> changedGpus = new LinkedHashMap<>();

    // ---- of the writer
    /** Nodes whose rows, or whose GPUs' rows, are behind, by the newest time of the fleet when they fell behind. */
    private final Map<String, Long> behind = new LinkedHashMap<>();

    private final Map<String, Set<String>> gpusBehind = new HashMap<>();
    private long newestMs;

    /** What the tables say, brought forward by what readings say. */
    static Inventory load(Session session) throws SQLException {
        Inventory inventory = new Inventory();
        session.query("""
                SELECT node, first_at_ms, last_at_ms, period_ms, agent_version, state, scratch, boot_id, sequence
                FROM node""", cells -> {
            NodeState state = state(cells);
            return inventory.nodes.put(state.node(), new Node(state, cells.text(), cells.number())) == null;
        });
        session.query("SELECT g.node, " + SnapshotTables.DEVICE_COLUMNS + ", g.last_at_ms FROM gpu g", cells -> {
            GpuSeen gpu = new GpuSeen(cells.text(), SnapshotTables.device(cells), cells.time());
            return inventory.gpus.put(gpu.device().uuid(), gpu) == null;
        });
        inventory.bringForward(session);
        return inventory;
    }

    private static NodeState state(Cells cells) throws SQLException {
        String node = cells.text();
        Instant first = cells.time();
        Instant last = cells.time();
        Duration period = cells.length();
        String agent = cells.text();
        State state = Json.read(cells.text(), State.class);
        ScratchUse[] scratch = Json.read(cells.text(), ScratchUse[].class);
        return new NodeState(
                node,
                first,
                last,
                period,
                agent,
                state.driver(),
                state.simulated(),
                state.host(),
                state.probes(),
                state.users(),
                Arrays.asList(scratch));
    }

    /** Only what is not sealed is looked at: {@link #flush} comes before sealing. */
    private void bringForward(Session session) throws SQLException {
        session.query("""
                SELECT r.node, r.at_ms, r.period_ms, r.boot_id, r.sequence, r.logical_cpus, r.cpu_busy_ratio,
                  r.memory_total_bytes, r.memory_available_bytes, r.load_average, r.swap_total_bytes, r.swap_used_bytes
                FROM node_reading r JOIN node n ON n.node = r.node AND r.at_ms >= n.last_at_ms""", cells -> {
            NodeState before = Objects.requireNonNull(nodes.get(cells.text())).state();
            Node now = new Node(
                    new NodeState(
                            before.node(),
                            before.firstAt(),
                            cells.time(),
                            cells.length(),
                            before.agentVersion(),
                            before.driver(),
                            before.simulated(),
                            before.host(),
                            before.probes(),
                            before.users(),
                            before.scratch()),
                    cells.text(),
                    cells.number());
            Optional<HostReading> host = host(cells);
            return nodes.computeIfPresent(
                            before.node(),
                            (node, newest) -> NEWNESS.compare(now, newest) > 0 ? withHost(now, host) : newest)
                    == null;
        });
        session.query(
                """
                SELECT r.uuid, max(r.at_ms) FROM gpu_reading r JOIN gpu g ON g.uuid = r.uuid AND r.at_ms > g.last_at_ms
                WHERE r.node = g.node AND r.at_ms > ? GROUP BY r.uuid""",
                cells -> {
                    String uuid = cells.text();
                    Instant last = cells.time();
                    return gpus.computeIfPresent(uuid, (key, gpu) -> new GpuSeen(gpu.node(), gpu.device(), last))
                            == null;
                },
                oldestInUse(session));
        newestMs = nodes.values().stream().mapToLong(Node::lastMs).max().orElse(0);
    }

    /** The oldest time at which a GPU's row may stand that readings could bring forward: most of them need not be read. */
    private static long oldestInUse(Session session) throws SQLException {
        List<Optional<Instant>> oldest = session.query("""
                SELECT min(last_at_ms) FROM gpu WHERE last_at_ms >= (SELECT min(at_ms) FROM gpu_reading)""", Cells::maybeTime);
        return oldest.get(0).map(Instant::toEpochMilli).orElse(Long.MAX_VALUE);
    }

    private static Optional<HostReading> host(Cells cells) throws SQLException {
        var cpus = cells.maybeInteger();
        var busy = cells.maybeReal();
        var total = cells.maybeNumber();
        var available = cells.maybeNumber();
        OptionalDouble load = cells.maybeReal();
        var swapTotal = cells.maybeNumber();
        var swapUsed = cells.maybeNumber();
        return cpus.isEmpty()
                ? Optional.empty()
                : Optional.of(new HostReading(
                        cpus.getAsInt(), busy, total.orElse(0), available.orElse(0), load, swapTotal, swapUsed));
    }

    private static Node withHost(Node node, Optional<HostReading> host) {
        NodeState state = node.state();
        return new Node(
                new NodeState(
                        state.node(),
                        state.firstAt(),
                        state.lastAt(),
                        state.period(),
                        state.agentVersion(),
                        state.driver(),
                        state.simulated(),
                        host,
                        state.probes(),
                        state.users(),
                        state.scratch()),
                node.bootId(),
                node.sequence());
    }

    // ---- what readers see

    /** Every node by its newest snapshot, by name. */
    List<NodeState> nodes() {
        return nodes.values().stream().map(Node::state).toList();
    }

    /** Some of them, by name. */
    List<NodeState> nodes(Collection<String> names) {
        return names.stream()
                .distinct()
                .sorted()
                .flatMap(name -> Stream.ofNullable(nodes.get(name)))
                .map(Node::state)
                .toList();
    }

    /** Every GPU ever reported, by node and NVML's index. */
    List<GpuSeen> gpus() {
        return gpus.values().stream()
                .sorted(Comparator.comparing(GpuSeen::node)
                        .thenComparing(gpu -> gpu.device().index())
                        .thenComparing(gpu -> gpu.device().uuid()))
                .toList();
    }

    /** A GPU as its node knows it; absent: never reported. */
    @Nullable
    GpuDevice device(String uuid) {
        GpuSeen seen = gpus.get(uuid);
        return seen == null ? null : seen.device();
    }

    // ---- what the writer does

    /** Takes snapshots in, of which none was there before, and writes the rows that are due. */
    void append(Session session, Collection<NodeSnapshot> snapshots) throws SQLException {
        Set<String> nodesDue = new HashSet<>();
        Set<String> gpusDue = new HashSet<>();
        for (NodeSnapshot snapshot : snapshots) {
            if (takeNode(snapshot)) {
                nodesDue.add(snapshot.node());
            }
            takeGpus(snapshot, gpusDue);
            newestMs = Math.max(newestMs, snapshot.at().toEpochMilli());
        }
        var oldest = behind.entrySet().iterator();
        while (oldest.hasNext()) {
            Map.Entry<String, Long> next = oldest.next();
            if (next.getValue() + BEHIND_MS > newestMs) {
                break; // the others fell behind later
            }
            nodesDue.add(next.getKey());
            gpusDue.addAll(gpusBehind.getOrDefault(next.getKey(), Set.of()));
            gpusBehind.remove(next.getKey());
            oldest.remove();
        }
        write(session, nodesDue, gpusDue);
    }

    /** Writes all rows that are behind; before readings are sealed, and at the end. */
    void flush(Session session) throws SQLException {
        Set<String> nodesDue = Set.copyOf(behind.keySet());
        Set<String> gpusDue = gpusBehind.values().stream().flatMap(Set::stream).collect(Collectors.toSet());
        behind.clear();
        gpusBehind.clear();
        write(session, nodesDue, gpusDue);
    }

    /** Lets readers see what the transaction brought, once it is durable. */
    void committed() {
        nodes.putAll(changedNodes);
        gpus.putAll(changedGpus);
        changedNodes.clear();
        changedGpus.clear();
    }

    private @Nullable Node node(String name) {
        Node changed = changedNodes.get(name);
        return changed != null ? changed : nodes.get(name);
    }

    private @Nullable GpuSeen gpu(String uuid) {
        GpuSeen changed = changedGpus.get(uuid);
        return changed != null ? changed : gpus.get(uuid);
    }

    /** Whether the node's row must be written now. */
    private boolean takeNode(NodeSnapshot snapshot) {
        String name = snapshot.node();
        Node before = node(name);
        Instant at = Instant.ofEpochMilli(snapshot.at().toEpochMilli());
        Node now = new Node(
                new NodeState(
                        name,
                        before == null || at.isBefore(before.state().firstAt())
                                ? at
                                : before.state().firstAt(),
                        at,
                        Duration.ofMillis(snapshot.period().toMillis()),
                        snapshot.agent().version(),
                        snapshot.gpuDriver().map(driver -> driver.version()),
                        snapshot.gpuDriver().flatMap(driver -> driver.simulated()),
                        snapshot.host(),
                        snapshot.probes(),
                        snapshot.users(),
                        scratch(snapshot.scratch(), before)),
                snapshot.bootId(),
                snapshot.sequence());
        if (before == null) {
            changedNodes.put(name, now);
            return true;
        }
        boolean counted = ScratchCounts.any(snapshot);
        if (NEWNESS.compare(now, before) > 0) {
            changedNodes.put(name, now);
            behind.putIfAbsent(name, newestMs);
            return counted || isAnother(now, before);
        }
        // a late snapshot may be the first one, and have a newer count, but never takes the place of a newer one
        NodeState kept = before.state();
        NodeState late = new NodeState(
                name,
                at.isBefore(kept.firstAt()) ? at : kept.firstAt(),
                kept.lastAt(),
                kept.period(),
                kept.agentVersion(),
                kept.driver(),
                kept.simulated(),
                kept.host(),
                kept.probes(),
                kept.users(),
                counted ? ScratchCounts.newer(kept.scratch(), snapshot.scratch()) : kept.scratch());
        if (late.equals(kept)) {
            return false;
        }
        changedNodes.put(name, new Node(late, before.bootId(), before.sequence()));
        return true;
    }

    /** The mounts of the newest snapshot, each with the newest counts that are known. */
    private static List<ScratchUse> scratch(List<ScratchUse> now, @Nullable Node before) {
        return before == null || now.isEmpty()
                ? now
                : ScratchCounts.newer(now, before.state().scratch());
    }

    /** Whether more has changed than numbers. */
    private static boolean isAnother(Node now, Node before) {
        NodeState a = now.state();
        NodeState b = before.state();
        return !now.bootId().equals(before.bootId())
                || !a.period().equals(b.period())
                || !a.agentVersion().equals(b.agentVersion())
                || !a.driver().equals(b.driver())
                || !a.simulated().equals(b.simulated())
                || !kinds(a.probes()).equals(kinds(b.probes()));
    }

    private static Map<String, Class<?>> kinds(Map<String, ProbeOutcome> probes) {
        Map<String, Class<?>> kinds = new HashMap<>();
        probes.forEach((name, outcome) -> kinds.put(name, outcome.getClass()));
        return kinds;
    }

    private void takeGpus(NodeSnapshot snapshot, Set<String> due) {
        Instant at = Instant.ofEpochMilli(snapshot.at().toEpochMilli());
        for (GpuReading reading : snapshot.gpus()) {
            GpuDevice device = reading.device();
            GpuSeen before = gpu(device.uuid());
            if (before != null && isNewer(before, at, snapshot.node())) {
                continue;
            }
            if (before != null
                    && before.node().equals(snapshot.node())
                    && before.device().equals(device)) {
                // the very same device, so that what came over the wire is not kept
                changedGpus.put(device.uuid(), new GpuSeen(before.node(), before.device(), at));
                behind.putIfAbsent(snapshot.node(), newestMs);
                gpusBehind
                        .computeIfAbsent(snapshot.node(), first -> new HashSet<>())
                        .add(before.device().uuid());
            } else {
                changedGpus.put(device.uuid(), new GpuSeen(snapshot.node(), device, at));
                due.add(device.uuid());
            }
        }
    }

    /** At the same time, the node whose name comes last has it; what a node says twice in one snapshot counts once. */
    private static boolean isNewer(GpuSeen before, Instant at, String node) {
        int order = before.lastAt().compareTo(at);
        return order > 0 || (order == 0 && before.node().compareTo(node) >= 0);
    }

    private void write(Session session, Set<String> nodesDue, Set<String> gpusDue) throws SQLException {
        Schema.delete(session, "node", "node", nodesDue);
        if (!nodesDue.isEmpty()) {
            try (Rows rows = session.append("node")) {
                for (String name : nodesDue) {
                    Node node = node(name);
                    if (node != null) {
                        write(rows, node);
                    }
                }
            }
        }
        Schema.delete(session, "gpu", "uuid", gpusDue);
        if (!gpusDue.isEmpty()) {
            try (Rows rows = session.append("gpu")) {
                for (String uuid : gpusDue) {
                    GpuSeen gpu = gpu(uuid);
                    if (gpu != null) {
                        write(rows, gpu);
                    }
                }
            }
        }
    }

    private static void write(Rows rows, Node node) throws SQLException {
        NodeState state = node.state();
        rows.text(state.node())
                .time(state.firstAt())
                .time(state.lastAt())
                .text(node.bootId())
                .number(node.sequence())
                .length(state.period())
                .text(state.agentVersion())
                .text(Json.write(
                        new State(state.driver(), state.simulated(), state.host(), state.probes(), state.users())))
                .text(Json.write(state.scratch()))
                .end();
    }

    private static void write(Rows rows, GpuSeen gpu) throws SQLException {
        GpuDevice device = gpu.device();
        rows.text(device.uuid())
                .text(gpu.node())
                .time(gpu.lastAt())
                .number(device.index())
                .number(device.minorNumber())
                .text(device.pciBusId())
                .text(device.name())
                .number(device.memoryTotalBytes());
        if (device.mig().isPresent()) {
            MigInstance slice = device.mig().get();
            rows.text(slice.parentUuid())
                    .number(slice.gpuInstanceId())
                    .number(slice.computeInstanceId())
                    .number(slice.multiprocessors())
                    .text(slice.profile());
        } else {
            rows.none(5);
        }
        rows.end();
    }
}
