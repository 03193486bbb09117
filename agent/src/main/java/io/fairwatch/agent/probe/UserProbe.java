package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.JobCgroupProbe.JobCpu;
import io.fairwatch.agent.probe.ProcTree.Proc;
import io.fairwatch.agent.wire.JobRef;
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
 * What each user uses, in and outside jobs, from the process tree's last refresh. CPU time in jobs is what the kernel
 * accounts to the cgroups of a user's jobs, processes that ended and those of other users within included; where it does
 * not, and outside jobs, that of the processes. A zombie counts with the CPU time of its last period and as no process.
 * Confined to one thread.
 */
public final class UserProbe implements Probe<List<UserUse>> {
    private final ProcTree tree;
    private final UserNames names;
    private final JobCgroupProbe jobs;
    private final Optional<ProportionalMemory> memory;

    /**
     * The tree is to be refreshed, and the jobs are to be read, before each read.
     *
     * @param memory reads memory with what processes share split among them; absent: that is not told
     */
    public UserProbe(ProcTree tree, JobCgroupProbe jobs, UserNames names, Optional<ProportionalMemory> memory) {
        this.tree = tree;
        this.jobs = jobs;
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
        Map<Long, JobCpu> counted = jobs.cpuAt(at);
        tree.requireAll();
        Collection<Proc> processes = tree.processes();
        for (Proc process : processes) {
            OptionalInt uid = process.identity().uid();
            if (uid.isPresent()) {
                byUid.computeIfAbsent(uid.getAsInt(), first -> new Sum()).add(process, counted);
            }
        }
        for (JobCpu job : counted.values()) {
            if (job.seconds() > 0 || byUid.containsKey(job.uid())) {
                byUid.computeIfAbsent(job.uid(), first -> new Sum()).add(job);
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

        void add(JobCpu job) {
            cpuSeconds += job.seconds();
            cpuSecondsInJobs += job.seconds();
        }

        void add(Proc process, Map<Long, JobCpu> counted) {
            Optional<JobRef> job = process.job();
            boolean inJob = process.isInJob();
            boolean byKernel =
                    process.isInCgroupOfJob() && counted.containsKey(job.get().jobId());
            double seconds = byKernel ? 0 : process.cpuSeconds().orElse(0);
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
