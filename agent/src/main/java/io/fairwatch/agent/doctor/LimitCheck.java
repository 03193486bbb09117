package io.fairwatch.agent.doctor;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Whether the agent's own limits leave room for a large node: it keeps a file open per process. */
record LimitCheck(Node node) implements Check {
    private static final Pattern FILES = Pattern.compile("(?m)^Max open files\\s+(\\d+|unlimited)\\s");
    private static final Pattern V2 = Pattern.compile("(?m)^0::(/.*)$");
    private static final long ENOUGH_FILES = 8192;
    private static final long ENOUGH_MEMORY = 128L << 20;

    @Override
    public String name() {
        return "limits";
    }

    @Override
    public List<Finding> look() {
        String agent = node.agent();
        List<Finding> findings = new ArrayList<>();
        Matcher files = FILES.matcher(node.text(agent + "/limits").orElse(""));
        String most = files.find() ? files.group(1) : "unknown";
        if (most.matches("\\d{1,18}") && Long.parseLong(most) < ENOUGH_FILES) {
            findings.add(Finding.warning(
                    name(),
                    most + " open files allowed; one per process is kept open",
                    "LimitNOFILE=16384 in the unit; beyond the limit each file is opened anew, which costs more"));
        } else {
            findings.add(Finding.fine(name(), most + " open files allowed"));
        }
        Matcher cgroup = V2.matcher(node.text(agent + "/cgroup").orElse(""));
        OptionalLong memory = cgroup.find()
                ? node.number("sys/fs/cgroup" + cgroup.group(1).replaceAll("/+$", "") + "/memory.max")
                : OptionalLong.empty();
        if (memory.isPresent() && memory.getAsLong() < ENOUGH_MEMORY) {
            findings.add(Finding.warning(
                    name(), (memory.getAsLong() >> 20) + " MiB of memory allowed", "MemoryMax=192M in the unit"));
        } else if (memory.isPresent()) {
            findings.add(Finding.fine(name(), (memory.getAsLong() >> 20) + " MiB of memory allowed"));
        }
        return findings;
    }
}
