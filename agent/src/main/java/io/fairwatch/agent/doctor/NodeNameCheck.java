package io.fairwatch.agent.doctor;

import io.fairwatch.agent.doctor.Node.Running;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/** Whether the agent and Slurm call this node by one name; what the agent sends under another is nobody's. */
record NodeNameCheck(Node node, Optional<String> configured) implements Check {
    @Override
    public String name() {
        return "node name";
    }

    @Override
    public List<Finding> look() {
        String host = node.text("proc/sys/kernel/hostname").orElse("").strip();
        String used = nameInUse(node, configured);
        if (!used.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
            return List.of(Finding.error(
                    name(),
                    "the host is called \"" + used + "\", which is no name of a node: the agent does not start",
                    "set node: in agent.yml to this node's NodeName in slurm.conf"));
        }
        TreeSet<String> slurms = new TreeSet<>();
        boolean slurmd = false;
        for (Running process : node.processes()) {
            if (process.name().equals("slurmd")) {
                slurmd = true;
                nodeArgument(process.arguments()).ifPresent(slurms::add);
            }
        }
        if (slurms.isEmpty()) {
            CgroupCheck.nodeNames(node).forEach(slurms::add);
        }
        if (slurms.contains(used)) {
            return List.of(Finding.fine(
                    name(),
                    slurms.size() == 1
                            ? used + ", as Slurm says"
                            : used + "; Slurm runs several nodes here: " + String.join(", ", slurms)));
        }
        if (!slurms.isEmpty()) {
            return List.of(Finding.error(
                    name(),
                    "the agent says " + used + ", Slurm says " + String.join(", ", slurms),
                    "set node: " + slurms.first() + " in agent.yml; else no job is found for what is measured here"));
        }
        String shortName = host.split("\\.", 2)[0];
        if (!used.equals(host) && !used.equals(shortName)) {
            return List.of(Finding.warning(
                    name(),
                    "the agent says " + used + ", the host is called " + host + ", and nothing here tells Slurm's name",
                    "compare with NodeName of this node in slurm.conf: scontrol show node " + used));
        }
        if (slurmd && used.equals(shortName) && !host.equals(shortName)) {
            return List.of(Finding.fine(
                    name(),
                    used + ", as slurmd takes it from the host name " + host
                            + "; if NodeName in slurm.conf is the long name, set node: in agent.yml"));
        }
        return List.of(
                slurmd
                        ? Finding.fine(name(), used + ", as slurmd takes it from the host name")
                        : Finding.warning(
                                name(),
                                used + "; no slurmd runs here to compare with",
                                "start slurmd, or run the agent on compute nodes only"));
    }

    static String nameInUse(Node node, Optional<String> configured) {
        return configured.orElseGet(
                () -> node.text("proc/sys/kernel/hostname").orElse("").strip().split("\\.", 2)[0]);
    }

    /** {@code slurmd -D -N nv-ai-01}, {@code slurmd -Nnv-ai-01}. */
    static Optional<String> nodeArgument(List<String> arguments) {
        for (int i = 1; i < arguments.size(); i++) {
            String argument = arguments.get(i);
            if (argument.equals("-N") && i + 1 < arguments.size()) {
                return Optional.of(arguments.get(i + 1));
            } else if (argument.startsWith("-N") && argument.length() > 2) {
                return Optional.of(argument.substring(2));
            }
        }
        return Optional.empty();
    }
}
