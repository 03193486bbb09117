package io.fairwatch.collector.slurm;

import com.fasterxml.jackson.databind.JsonNode;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Reads nodes from JSON, in three shapes: {@code nodes[]} of {@code sinfo --json} up to 22.05 (recorded), {@code nodes[]}
 * of {@code scontrol show nodes --json} from 23.02 on, and {@code sinfo[]}, groups of equal nodes, of {@code sinfo --json}
 * from 23.02 on (both by the parser tables of the sources only). Stateless.
 */
public final class SinfoParser {
    private static final long MIB = 1L << 20;

    /** All fields of a node, or of a group of nodes, that are asked for below. */
    private static final Set<String> FIELDS = Set.of(
            "alloc_cpus",
            "alloc_memory",
            "cpus",
            "gres",
            "gres_used",
            "memory",
            "name",
            "node",
            "nodes",
            "real_memory",
            "state",
            "state_flags");

    private SinfoParser() {}

    /**
     * One answer.
     *
     * @param nodes all nodes, each once
     * @param problems what could not be read, one sentence each; such a node is left out
     */
    public record Nodes(List<SlurmNode> nodes, List<String> problems) {
        public Nodes {
            nodes = List.copyOf(nodes);
            problems = List.copyOf(problems);
        }
    }

    /** The command that tells nodes one by one: {@code sinfo} does so only up to 22.05, {@code scontrol} from 23.02 on. */
    static List<String> command(Optional<String> release) {
        int major = release.map(text -> text.split("\\.", 2)[0])
                .filter(text -> text.matches("\\d{1,4}"))
                .map(Integer::parseInt)
                .orElse(0);
        return major >= 23 ? List.of("scontrol", "show", "nodes", "--json") : List.of("sinfo", "--all", "--json");
    }

    /**
     * Reads a whole answer, node by node as it comes.
     *
     * @throws SlurmException if the answer is not whole, or carries errors
     */
    public static Nodes parse(InputStream output) throws SlurmException, IOException {
        Map<String, SlurmNode> nodes = new LinkedHashMap<>();
        List<String> problems = new ArrayList<>();
        SlurmJson.read(
                "sinfo",
                output,
                FIELDS,
                Map.of(
                        "nodes", node -> add(node, SinfoParser::node, nodes, problems),
                        "sinfo", group -> add(group, SinfoParser::group, nodes, problems)));
        return new Nodes(List.copyOf(nodes.values()), problems);
    }

    private interface Shape {
        Collection<SlurmNode> read(JsonNode element);
    }

    /** A group is told once for each partition, so nodes may come again. */
    private static void add(JsonNode element, Shape shape, Map<String, SlurmNode> nodes, List<String> problems) {
        try {
            for (SlurmNode node : shape.read(element)) {
                nodes.putIfAbsent(node.name(), node);
            }
        } catch (IllegalArgumentException e) {
            problems.add("node " + SlurmJson.text(element, "name") + ": " + e.getMessage());
        } catch (RuntimeException bug) {
            problems.add("node " + SlurmJson.text(element, "name") + ": a bug: " + bug);
        }
    }

    private static Collection<SlurmNode> node(JsonNode node) {
        String name = SlurmJson.text(node, "name");
        if (name.isBlank()) {
            throw new IllegalArgumentException("has no name");
        }
        List<String> state = new ArrayList<>(SlurmJson.words(node, "state"));
        state.addAll(SlurmJson.words(node, "state_flags"));
        return List.of(node(
                name,
                state,
                SlurmJson.integer(node, "cpus"),
                SlurmJson.number(node, "real_memory"),
                SlurmJson.text(node, "gres"),
                new SlurmNode.Given(
                        SlurmJson.integer(node, "alloc_cpus"),
                        bytes(SlurmJson.number(node, "alloc_memory")),
                        gpusGiven(SlurmJson.text(node, "gres_used")))));
    }

    /**
     * {@code {"node": {"state": ["IDLE"]}, "nodes": {"nodes": ["gpu01", "gpu02"]}, "cpus": {"minimum": 64, "maximum": 64},
     * "memory": {"minimum": 1031000, "maximum": 1031000}, "gres": {"total": "gpu:a100:8"}}}; figures that differ within a
     * group are not known of its nodes.
     */
    private static Collection<SlurmNode> group(JsonNode group) {
        List<SlurmNode> nodes = new ArrayList<>();
        List<String> state = SlurmJson.words(group.path("node"), "state");
        OptionalLong cpus = same(group.path("cpus"));
        OptionalInt cpusOfEach =
                cpus.isPresent() ? OptionalInt.of(Math.toIntExact(cpus.getAsLong())) : OptionalInt.empty();
        for (JsonNode names : group.path("nodes").path("nodes")) {
            for (String name : Hostlist.expand(names.asText(""))) {
                nodes.add(node(
                        name,
                        state,
                        cpusOfEach,
                        same(group.path("memory")),
                        SlurmJson.text(group.path("gres"), "total"),
                        SlurmNode.Given.NOT_TOLD));
            }
        }
        return nodes;
    }

    private static OptionalLong same(JsonNode range) {
        OptionalLong minimum = SlurmJson.number(range, "minimum");
        return minimum.equals(SlurmJson.number(range, "maximum")) ? minimum : OptionalLong.empty();
    }

    private static SlurmNode node(
            String name,
            List<String> state,
            OptionalInt cpus,
            OptionalLong memoryMib,
            String gresText,
            SlurmNode.Given given) {
        String gres = gresText.equals("(null)") ? "" : gresText;
        int gpus = gpus(gres);
        return new SlurmNode(
                name,
                String.join("+", state).toLowerCase(Locale.ROOT),
                cpus,
                bytes(memoryMib),
                gpus > 0 ? OptionalInt.of(gpus) : OptionalInt.empty(),
                gres,
                given);
    }

    private static OptionalLong bytes(OptionalLong mebibytes) {
        return mebibytes.isPresent() && mebibytes.getAsLong() < Long.MAX_VALUE / MIB
                ? OptionalLong.of(mebibytes.getAsLong() * MIB)
                : OptionalLong.empty();
    }

    private static OptionalInt gpusGiven(String used) {
        return used.isEmpty() ? OptionalInt.empty() : OptionalInt.of(gpus(used));
    }

    private static int gpus(String gres) {
        return Math.toIntExact(Gres.parse(gres).stream()
                .filter(Gres::isGpu)
                .mapToLong(Gres::count)
                .sum());
    }
}
