package io.fairwatch.agent.doctor;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** As whom the agent runs, and whether what is switched on has the capability that it needs. */
record PrivilegeCheck(Node node, List<Feature> features) implements Check {
    /** The kernel's numbers of the capabilities that matter here. */
    enum Capability {
        CAP_DAC_READ_SEARCH(2),
        CAP_SYS_PTRACE(19),
        CAP_SYS_ADMIN(21);

        private final int bit;

        Capability(int bit) {
            this.bit = bit;
        }

        boolean isIn(long set) {
            return (set >> bit & 1) == 1;
        }

        /** Whether a process has it; true also where that cannot be told. */
        static boolean has(Node node, String process, Capability wanted) {
            String set = node.fields(process + "/status").getOrDefault("CapEff", "");
            return !set.matches("[0-9a-f]{1,16}") || wanted.isIn(Long.parseUnsignedLong(set, 16));
        }
    }

    /**
     * Something that is switched on and needs more than a plain user has.
     *
     * @param what it does
     * @param needs all of these
     * @param without what is missing otherwise
     * @param dropIn the example that grants them
     */
    record Feature(String what, List<Capability> needs, String without, String dropIn) {}

    @Override
    public String name() {
        return "privileges";
    }

    @Override
    public List<Finding> look() {
        Map<String, String> status = node.fields(node.agent() + "/status");
        String uid = status.getOrDefault("Uid", "?").split("\\s+", -1)[0];
        String effective = status.getOrDefault("CapEff", "");
        if (!effective.matches("[0-9a-f]{1,16}")) {
            return List.of(Finding.error(name(), "/proc/self/status cannot be read", "mount /proc"));
        }
        long set = Long.parseUnsignedLong(effective, 16);
        String who = node.runningAgent()
                .map(pid -> "the agent (pid " + pid + ") runs as uid " + uid)
                .orElse("no agent runs; this doctor runs as uid " + uid);
        List<Finding> findings = new ArrayList<>();
        findings.add(
                uid.equals("0") && node.runningAgent().isPresent()
                        ? Finding.warning(
                                name(),
                                who + ", that is root",
                                "use the unit file: a user of its own and single capabilities are enough")
                        : Finding.fine(name(), who + ", capabilities " + named(set)));
        for (Feature feature : features) {
            List<String> lacking = feature.needs().stream()
                    .filter(capability -> !capability.isIn(set))
                    .map(Enum::name)
                    .toList();
            findings.add(
                    lacking.isEmpty()
                            ? Finding.fine(name(), feature.what() + ": allowed")
                            : Finding.warning(
                                    name(),
                                    feature.what() + ": lacks " + String.join(" and ", lacking) + "; "
                                            + feature.without(),
                                    "install deploy/systemd/fairwatch-agent.service.d/" + feature.dropIn()
                                            + ".example as /etc/systemd/system/fairwatch-agent.service.d/"
                                            + feature.dropIn() + ", then systemctl daemon-reload and restart"));
        }
        node.mounts().stream()
                .filter(mount -> mount.point().equals("/proc"))
                .filter(mount -> mount.options().matches("(.*,)?hidepid=(?!0|off)[^,]+(,.*)?"))
                .findFirst()
                .filter(mount -> !Capability.CAP_SYS_PTRACE.isIn(set))
                .ifPresent(mount -> findings.add(Finding.error(
                        name(),
                        "/proc is mounted with hidepid: processes of users cannot be seen",
                        "remount with gid=GROUP and add SupplementaryGroups=GROUP to the agent's unit")));
        return findings;
    }

    private static String named(long set) {
        List<String> names = new ArrayList<>();
        for (Capability capability : Capability.values()) {
            if (capability.isIn(set)) {
                names.add(capability.name());
            }
        }
        return set == 0
                ? "none"
                : Long.bitCount(set) > 30 ? "all" : names.isEmpty() ? "others" : String.join(", ", names);
    }
}
