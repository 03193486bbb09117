package io.fairwatch.collector.web;

import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.AgentLoss;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.text.Table;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** Says whether agents, Slurm and the store answer. Thread-safe; blocks on the store. */
public final class HealthCheck {
    /** A clock that is ahead by less may be the way that the snapshot took. */
    private static final Duration CLOCK_SLACK = Duration.ofSeconds(5);

    /** Losses of the last so long are told. */
    private static final Duration LATELY = Duration.ofMinutes(30);

    /** A node that Slurm does not know and that was not heard for so long was taken away, or renamed. */
    private static final Duration GONE_AFTER = Duration.ofHours(1);

    /** Of more nodes, only those are in the text that something is to be said of. */
    private static final int MOST_NODES = 60;

    private final Store store;
    private final InstantSource clock;
    private final Optional<Duration> slurmStaleAfter;
    private final BooleanSupplier keepsAccounting;
    private final String version;
    private final Supplier<List<String>> troubles;

    /**
     * @param slurmStaleAfter Slurm's answers older than this are stale; absent: nobody asks Slurm
     * @param keepsAccounting whether this Slurm remembers ended jobs in a database
     * @param troubles what other parts have to complain of, a sentence each
     */
    public HealthCheck(
            Store store,
            InstantSource clock,
            Optional<Duration> slurmStaleAfter,
            BooleanSupplier keepsAccounting,
            String version,
            Supplier<List<String>> troubles) {
        this.store = store;
        this.clock = clock;
        this.slurmStaleAfter = slurmStaleAfter;
        this.keepsAccounting = keepsAccounting;
        this.version = version;
        this.troubles = troubles;
    }

    /**
     * How things stand.
     *
     * @param ok whether Slurm answers, if it is asked, and no other part complains; silent nodes are told and are no reason
     * @param slurmEnabled whether Slurm is asked
     * @param keepsAccounting whether Slurm remembers ended jobs; if not, only what squeue told of them is known
     * @param slurmAsOf Slurm's newest complete answer; absent before the first
     * @param accountingUntil until when ended jobs are known completely; absent before the first answer
     * @param simulated the sentence that says so when GPUs of any node are simulated
     * @param neverReported nodes to which Slurm gives GPUs, which are not off, and whose agent was never heard
     * @param troubles what parts complain of: somebody must act
     * @param warnings what is not as it should be with single nodes: silent ones, clocks that are ahead, snapshots that
     *     agents had to drop
     */
    public record Health(
            boolean ok,
            String version,
            Instant at,
            boolean slurmEnabled,
            boolean keepsAccounting,
            Optional<Instant> slurmAsOf,
            Optional<Instant> accountingUntil,
            Optional<String> simulated,
            List<Node> nodes,
            List<String> neverReported,
            List<String> troubles,
            List<String> warnings) {

        /**
         * A node and its agent.
         *
         * @param silent whether more than two periods have passed without a snapshot, and Slurm does not say that the node is
         *     off
         * @param off why nothing can be heard of it though nothing is wrong, in Slurm's word, e.g. {@code powered_down};
         *     absent for all others
         * @param failing names of probes that failed, and why
         */
        public record Node(
                String name,
                Instant lastAt,
                boolean silent,
                Optional<String> off,
                String agentVersion,
                List<String> failing) {
            private boolean isRemarkable() {
                return silent || off.isPresent() || !failing.isEmpty();
            }
        }

        String text(ZoneId zone) {
            StringBuilder text = new StringBuilder();
            simulated.ifPresent(sentence -> text.append("** ").append(sentence).append(" **\n"));
            text.append("Fairwatch collector ").append(version).append(ok ? ": well\n" : ": not well\n");
            text.append("Slurm: ")
                    .append(slurmEnabled ? slurm(zone) : "switched off")
                    .append('\n');
            troubles.forEach(trouble ->
                    text.append("! ").append(Plain.line(trouble, 500)).append('\n'));
            warnings.forEach(warning ->
                    text.append("- ").append(Plain.line(warning, 500)).append('\n'));
            List<Node> shown = nodes.size() <= MOST_NODES
                    ? nodes
                    : nodes.stream()
                            .filter(Node::isRemarkable)
                            .limit(MOST_NODES)
                            .toList();
            List<String[]> rows = new ArrayList<>();
            rows.add(new String[] {"node", "last heard", "agent"});
            shown.forEach(node -> rows.add(new String[] {
                node.name(),
                Plain.duration(Duration.between(node.lastAt(), at)) + " ago" + (node.silent() ? ", SILENT" : "")
                        + node.off().map(why -> ", " + why + " in Slurm").orElse(""),
                Plain.line(node.agentVersion(), 30)
            }));
            text.append(nodes.isEmpty() ? "No agent has reported yet.\n" : "\n" + Table.render(rows));
            if (shown.size() < nodes.size()) {
                text.append("and ").append(nodes.size() - shown.size()).append(" more nodes\n");
            }
            if (!neverReported.isEmpty()) {
                text.append("Never heard, though Slurm gives GPUs there: ")
                        .append(Plain.line(String.join(", ", neverReported), 500))
                        .append('\n');
            }
            nodes.forEach(node -> node.failing().forEach(why -> text.append("! ")
                    .append(node.name())
                    .append(' ')
                    .append(Plain.line(why, 500))
                    .append('\n')));
            return text.toString();
        }

        private String slurm(ZoneId zone) {
            return slurmAsOf
                            .map(asOf -> "answered " + Plain.duration(Duration.between(asOf, at)) + " ago")
                            .orElse("has not answered yet")
                    + accountingUntil
                            .map(until -> "; ended jobs complete until " + Plain.minute(until, zone))
                            .orElse(
                                    keepsAccounting
                                            ? "; ended jobs complete until unknown, no answer from accounting yet"
                                            : "; it keeps no accounting, so of ended jobs only what squeue told is known");
        }
    }

    /** Looks now. */
    public Health check() throws StoreException {
        Instant now = clock.instant();
        Optional<SlurmView> view = store.view();
        Optional<Instant> slurm = view.map(SlurmView::at);
        List<NodeState> nodes = store.nodes();
        List<String> complaints = new ArrayList<>(troubles.get());
        Set<String> heard = nodes.stream().map(NodeState::node).collect(Collectors.toSet());
        List<SlurmNode> known = view.map(SlurmView::nodes).orElse(List.of());
        Map<String, String> off = new HashMap<>();
        if (!known.isEmpty()) {
            Set<String> names = known.stream().map(SlurmNode::name).collect(Collectors.toSet());
            nodes.stream()
                    .filter(node -> !names.contains(node.node()))
                    .sorted(Comparator.comparing(NodeState::node))
                    .forEach(node -> {
                        if (node.lastAt().isAfter(now.minus(GONE_AFTER))) {
                            complaints.add(
                                    "Node " + node.node()
                                            + " reports, but Slurm knows no node of that name (expected: its NodeName, key node in agent.yml).");
                        } else {
                            off.put(node.node(), "unknown");
                        }
                    });
        }
        known.forEach(node -> node.offBecause().ifPresent(why -> off.put(node.name(), why)));
        boolean fresh = slurmStaleAfter
                .map(most -> slurm.filter(at -> !at.isBefore(now.minus(most))).isPresent())
                .orElse(true);
        return new Health(
                fresh && complaints.isEmpty(),
                version,
                now,
                slurmStaleAfter.isPresent(),
                keepsAccounting.getAsBoolean(),
                slurm,
                store.accountingUntil(),
                nodes.stream().flatMap(node -> node.simulated().stream()).findFirst(),
                nodes.stream()
                        .sorted(Comparator.comparing(NodeState::node))
                        .map(node -> new Health.Node(
                                node.node(),
                                node.lastAt(),
                                isLate(node, now) && !off.containsKey(node.node()),
                                Optional.ofNullable(off.get(node.node())),
                                node.agentVersion(),
                                failing(node)))
                        .toList(),
                known.stream()
                        .filter(node -> node.gpus().orElse(0) > 0
                                && !heard.contains(node.name())
                                && node.offBecause().isEmpty())
                        .map(SlurmNode::name)
                        .toList(),
                complaints,
                warnings(nodes, off, now));
    }

    private List<String> warnings(List<NodeState> nodes, Map<String, String> off, Instant now) throws StoreException {
        List<String> warnings = new ArrayList<>();
        List<String> silent = nodes.stream()
                .filter(node -> isLate(node, now) && !off.containsKey(node.node()))
                .map(NodeState::node)
                .sorted()
                .toList();
        if (!silent.isEmpty()) {
            warnings.add("Silent, though Slurm does not call them off (agent, network or node): "
                    + String.join(", ", silent) + ".");
        }
        nodes.stream()
                .filter(node -> node.lastAt().isAfter(now.plus(CLOCK_SLACK)))
                .sorted(Comparator.comparing(NodeState::node))
                .forEach(node -> warnings.add("The clock of " + node.node() + " is ahead by "
                        + Plain.duration(Duration.between(now, node.lastAt()))
                        + " or more (expected: kept by NTP); its readings lie at wrong times."));
        for (AgentLoss loss : store.agentLosses(now.minus(LATELY), now)) {
            warnings.add("The agent of " + loss.node() + " dropped " + loss.snapshots() + " snapshots in the last "
                    + Plain.duration(LATELY) + ", because its spool was full or not writable: that time is missing.");
        }
        return warnings;
    }

    private static boolean isLate(NodeState node, Instant now) {
        return node.lastAt().isBefore(now.minus(node.period().multipliedBy(2)).minusSeconds(10));
    }

    private static List<String> failing(NodeState node) {
        return node.probes().entrySet().stream()
                .filter(entry -> entry.getValue() instanceof ProbeOutcome.Failed)
                .map(entry -> entry.getKey() + ": " + ((ProbeOutcome.Failed) entry.getValue()).why())
                .sorted()
                .collect(Collectors.toList());
    }
}
