package io.fairwatch.agent.doctor;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.IntFunction;

/** Whether the users whose processes run here have names; asks for a few, because a directory must not be stormed. */
record NamesCheck(Node node, boolean enabled, IntFunction<Optional<String>> directory) implements Check {
    private static final int FIRST_PERSON = 1000;
    private static final int MOST = 5;

    @Override
    public String name() {
        return "user names";
    }

    @Override
    public List<Finding> look() {
        if (!enabled) {
            return List.of(Finding.fine(name(), "switched off by names: users are numbers"));
        }
        TreeSet<Integer> uids = new TreeSet<>();
        for (String pid : node.list("proc")) {
            if (pid.matches("\\d+") && uids.size() < MOST) {
                String uid = node.fields("proc/" + pid + "/status")
                        .getOrDefault("Uid", "")
                        .split("\\s+", -1)[0];
                if (uid.matches("\\d{1,9}") && Integer.parseInt(uid) >= FIRST_PERSON) {
                    uids.add(Integer.valueOf(uid));
                }
            }
        }
        if (uids.isEmpty()) {
            uids.add(0);
        }
        List<String> nameless = new ArrayList<>();
        for (int uid : uids) {
            if (directory.apply(uid).isEmpty()) {
                nameless.add(Integer.toString(uid));
            }
        }
        return List.of(
                nameless.isEmpty()
                        ? Finding.fine(name(), uids.size() + " asked for, all known")
                        : Finding.warning(
                                name(),
                                "no name for uid " + String.join(", ", nameless),
                                "look at /etc/nsswitch.conf and at SSSD; getent passwd " + nameless.get(0)
                                        + " must answer"));
    }
}
