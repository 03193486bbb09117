package io.fairwatch.agent.probe;

import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.JobRef.Evidence;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.IntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Finds whose a process is and which job it belongs to: by its cgroup, else by an ancestor that is a job's slurmstepd
 * (sites without cgroups), else, where that is switched on, by its environment, which needs privilege to read and none to
 * forge ({@link JobEnvironment}).
 *
 * <p>From Slurm 26.05 a job's cgroup is named by a SLUID, which does not contain the job id. The title of the job's
 * slurmstepd does ({@code slurmstepd: [3385.batch]}); it is believed only of a process of root, named slurmstepd, in the
 * place that Slurm keeps for it, because a user can copy the title but not the place. Thread-safe.
 */
final class JobResolver {
    /** Reads the owner of a {@code /proc/PID} directory: the effective user of the process. */
    @FunctionalInterface
    interface Owners {
        int uidOf(Path directory) throws IOException;
    }

    /**
     * What does not change while a process runs, once it has settled.
     *
     * @param uid whose it is; absent when it is gone, or the uid is beyond 2^31-1
     * @param job the job that it belongs to, or for a slurmstepd, that it tends
     * @param slurmsOwn whether Slurm started it for itself: slurmstepd, and the sleep that keeps an extern step alive
     * @param ofUnknownJob whether it works for a job that cannot be named: it is in a cgroup of Slurm's whose slurmstepd
     *     was not seen, or serves the clients of several as the MPS server that root's daemon started
     */
    record Identity(OptionalInt uid, Optional<JobRef> job, boolean slurmsOwn, boolean ofUnknownJob) {
        Identity(OptionalInt uid, Optional<JobRef> job, boolean slurmsOwn) {
            this(uid, job, slurmsOwn, false);
        }

        /** Most often it is the same; asked for each process in each snapshot, hence by hand. */
        @Override
        public boolean equals(@Nullable Object other) {
            return other == this
                    || (other instanceof Identity that
                            && slurmsOwn == that.slurmsOwn
                            && ofUnknownJob == that.ofUnknownJob
                            && uid.equals(that.uid)
                            && job.equals(that.job));
        }

        @Override
        public int hashCode() {
            return uid.hashCode() + 31 * job.hashCode();
        }
    }

    private static final String SLURMSTEPD = "slurmstepd";
    /** What the kernel keeps of nvidia-cuda-mps-server and nvidia-cuda-mps-control. */
    private static final String MPS = "nvidia-cuda-mps";

    private static final Pattern TITLE = Pattern.compile("slurmstepd: \\[([0-9]{1,10})"
            + "(?:\\.(?:(batch|extern|interactive|[0-9]{1,10})|TBD))?(?:\\+[0-9]+)?(?: stepmgr)?\\]\\s*");
    private static final Pattern ALL_ROOT = Pattern.compile("(?m)^Uid:\\s+0\\s+0\\s+0\\s+0$");
    private static final int MOST_SLUIDS = 4096;
    private static final int MOST_ANCESTORS = 64;

    private final Path procRoot;
    private final Owners owners;
    private final boolean environ;
    private final Map<String, Long> jobIdBySluid = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
            return size() > MOST_SLUIDS;
        }
    };

    /** @param environ whether to ask the environment where nothing else tells */
    JobResolver(Path procRoot, Owners owners, boolean environ) {
        this.procRoot = procRoot;
        this.owners = owners;
        this.environ = environ;
    }

    /**
     * Reads who and where a process is.
     *
     * @param stats finds other processes, for ancestry
     */
    Identity identify(ProcStat process, IntFunction<Optional<ProcStat>> stats) {
        OptionalInt uid = readUid(process.pid());
        boolean stepd = isStepd(process, uid);
        Optional<CgroupPath> place = readPlace(process.pid());
        if (place.isPresent()) {
            CgroupPath path = place.get();
            if (stepd && path.slurmsOwn() && path.jobId().isEmpty()) {
                readTitle(process.pid()).ifPresent(title -> remember(path.directory(), title.jobId()));
            }
            OptionalLong jobId = path.jobId().isPresent() ? path.jobId() : jobIdOf(path.directory());
            if (jobId.isPresent()) {
                boolean slurmsOwn = stepd || path.slurmsOwn() || isExternSleep(process, path, stats);
                return new Identity(
                        uid, Optional.of(new JobRef(jobId.getAsLong(), path.step(), Evidence.CGROUP)), slurmsOwn);
            }
        }
        if (stepd) {
            return new Identity(uid, readTitle(process.pid()), true);
        }
        Optional<JobRef> job = jobOfAncestor(process, stats);
        boolean slurmsOwn = place.isPresent() && place.get().slurmsOwn();
        if (job.isEmpty() && !slurmsOwn && uid.isPresent()) {
            job = jobInEnvironment(process.pid(), uid.getAsInt());
        }
        boolean ofUnknownJob =
                job.isEmpty() && !slurmsOwn && (place.isPresent() || isSharedServer(process, uid, stats));
        return new Identity(uid, job, slurmsOwn, ofUnknownJob);
    }

    private Optional<JobRef> jobInEnvironment(int pid, int uid) {
        return environ && uid > 0
                ? readFile(pid, "environ").flatMap(text -> JobEnvironment.parse(text, uid))
                : Optional.empty();
    }

    /** The job whose cgroup has this name, when its slurmstepd was seen. */
    OptionalLong jobIdOf(String sluid) {
        synchronized (jobIdBySluid) {
            Long id = jobIdBySluid.get(sluid);
            return id == null ? OptionalLong.empty() : OptionalLong.of(id);
        }
    }

    OptionalInt readUid(int pid) {
        try {
            int uid = owners.uidOf(procRoot.resolve(Integer.toString(pid)));
            return uid < 0 ? OptionalInt.empty() : OptionalInt.of(uid);
        } catch (IOException gone) {
            return OptionalInt.empty();
        }
    }

    static boolean namedStepd(ProcStat process) {
        return process.comm().equals(SLURMSTEPD);
    }

    private void remember(String sluid, long jobId) {
        synchronized (jobIdBySluid) {
            jobIdBySluid.put(sluid, jobId);
        }
    }

    private Optional<CgroupPath> readPlace(int pid) {
        return readFile(pid, "cgroup").flatMap(CgroupPath::parse);
    }

    private Optional<JobRef> jobOfAncestor(ProcStat process, IntFunction<Optional<ProcStat>> stats) {
        ProcStat child = process;
        for (int i = 0; i < MOST_ANCESTORS && child.parent() > 1; i++) {
            Optional<ProcStat> parent = stats.apply(child.parent());
            if (parent.isEmpty()) {
                return Optional.empty();
            }
            child = parent.get();
            if (isStepd(child, namedStepd(child) ? readUid(child.pid()) : OptionalInt.empty())) {
                return readTitle(child.pid());
            }
        }
        return Optional.empty();
    }

    private static boolean isStepd(ProcStat process, OptionalInt uid) {
        return namedStepd(process) && uid.isPresent() && uid.getAsInt() == 0;
    }

    private boolean isExternSleep(ProcStat process, CgroupPath path, IntFunction<Optional<ProcStat>> stats) {
        return path.step().equals(Optional.of("extern"))
                && process.comm().equals("sleep")
                && stats.apply(process.parent())
                        .filter(JobResolver::namedStepd)
                        .map(parent -> isStepd(parent, readUid(parent.pid())))
                        .orElse(false);
    }

    /**
     * Whether it is an MPS server for all users, through which the work of several jobs' processes may show. Its daemon
     * is root's, though the server itself runs as its clients' user; names can be copied, that cannot.
     */
    private boolean isSharedServer(ProcStat process, OptionalInt uid, IntFunction<Optional<ProcStat>> stats) {
        return process.comm().equals(MPS)
                && (uid.orElse(-1) == 0
                        || stats.apply(process.parent())
                                .filter(parent -> parent.comm().equals(MPS))
                                .map(parent -> readUid(parent.pid()).orElse(-1) == 0)
                                .orElse(false));
    }

    /**
     * The job in a slurmstepd's title. A set-uid program that a user started under the name slurmstepd looks like
     * root's, but its real user id gives it away.
     */
    private Optional<JobRef> readTitle(int pid) {
        boolean rootsOwn = readFile(pid, "status")
                .map(status -> ALL_ROOT.matcher(status).find())
                .orElse(false);
        return rootsOwn ? readFile(pid, "cmdline").flatMap(JobResolver::parseTitle) : Optional.empty();
    }

    /** Reads e.g. {@code slurmstepd: [3385.0 stepmgr]}; the kernel pads it with zero bytes. */
    static Optional<JobRef> parseTitle(String cmdline) {
        Matcher title = TITLE.matcher(cmdline.replace('\0', ' '));
        if (!title.matches()) {
            return Optional.empty();
        }
        OptionalLong id = KernelFiles.parseNumber(title.group(1));
        return id.isPresent() && id.getAsLong() > 0
                ? Optional.of(new JobRef(id.getAsLong(), Optional.ofNullable(title.group(2)), Evidence.ANCESTRY))
                : Optional.empty();
    }

    private Optional<String> readFile(int pid, String name) {
        return KernelFiles.readText(procRoot.resolve(Integer.toString(pid)).resolve(name));
    }
}
