package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.ProcTree.Proc;
import io.fairwatch.agent.wire.UserUse;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * What each user's processes use, in and outside jobs, from the process tree's last refresh. A zombie counts with the
 * CPU time of its last period and as no process. Confined to one thread.
 */
public final class UserProbe implements Probe<List<UserUse>> {
    private final ProcTree tree;
    private final UserNames names;
    private final Optional<ProportionalMemory> memory;

    /** The tree is to be refreshed before each read. */
    public UserProbe(ProcTree tree, UserNames names) {
        this(tree, names, Optional.empty());
    }

    /** @param memory reads memory with what processes share split among them; absent: that is not told */
    public UserProbe(ProcTree tree, UserNames names, Optional<ProportionalMemory> memory) {
        this.tree = tree;
        this.names = names;
        this.memory = memory;
    }

    @Override
    public String name() {
        return "users";
    }

    @Override
    public List<UserUse> read(Instant at) throws ProbeException {
        Map<Integer, Sum> byUid = new TreeMap<>();
        Collection<Proc> processes = tree.processes();
        for (Proc process : processes) {
            OptionalInt uid = process.identity().uid();
            if (uid.isPresent()) {
                byUid.computeIfAbsent(uid.getAsInt(), first -> new Sum()).add(process);
            }
        }
        List<UserUse> users = new ArrayList<>(byUid.size());
        byUid.forEach((uid, sum) -> users.add(new UserUse(
                uid,
                names.nameOf(uid),
                sum.processes,
                sum.processesInJobs,
                tree.hasPrevious() ? OptionalDouble.of(sum.cpuSeconds) : OptionalDouble.empty(),
                sum.residentPages * tree.pageBytes(),
                tree.hasPrevious() ? OptionalDouble.of(sum.cpuSecondsInJobs) : OptionalDouble.empty(),
                sum.residentPagesInJobs * tree.pageBytes(),
                memory.isPresent() ? memory.get().of(sum.living) : OptionalLong.empty())));
        memory.ifPresent(each -> each.readSome(processes, tree.pageBytes()));
        return List.copyOf(users);
    }

    private static final class Sum {
        private int processes;
        private int processesInJobs;
        private double cpuSeconds;
        private double cpuSecondsInJobs;
        private long residentPages;
        private long residentPagesInJobs;
        private final List<Proc> living = new ArrayList<>();

        void add(Proc process) {
            double seconds = process.cpuSeconds().orElse(0);
            boolean inJob = process.job().isPresent();
            cpuSeconds += seconds;
            cpuSecondsInJobs += inJob ? seconds : 0;
            if (!process.stat().zombie()) {
                long pages = process.stat().residentPages();
                living.add(process);
                processes++;
                processesInJobs += inJob ? 1 : 0;
                residentPages += pages;
                residentPagesInJobs += inJob ? pages : 0;
            }
        }
    }
}
