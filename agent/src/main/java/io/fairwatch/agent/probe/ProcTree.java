package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.JobResolver.Identity;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.JobRef.Evidence;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.ToIntFunction;

/**
 * All processes of this node, whose they are and which job they belong to.
 *
 * <p>{@link #refresh} once per snapshot lists them and reads {@code /proc/PID/stat}, less often of those that sleep
 * ({@link Watched}); owner and cgroup are read when a process is new, once more when it is seen again (slurmstepd and sshd
 * fork as root, and move and change user afterwards), when its name changes, and now and then while it has no job. A
 * process is its pid and start time, so a pid that came back is a new process. Kernel threads are left out. No more than
 * {@value #MOST_WATCHED} are watched, and while there are more nothing is said of what users use.
 *
 * <p>Thread-safe: one thread refreshes, others ask. An answer about a pid never rests on the pid alone.
 */
public final class ProcTree implements ProcessLookup {
    private static final int LOOK_AGAIN_EVERY = 16;
    private static final int LOOK_AGAIN_WHEN_OLD_EVERY = 64;
    /** Well below the limit that a service has for open files; further processes are read by opening each time. */
    private static final int MOST_OPEN = 4096;
    /**
     * Kernel threads among them. Each takes some 450 bytes, and somebody may start as many as the kernel lets them; those
     * with the largest pids are left out, which as a rule are the newest.
     */
    static final int MOST_WATCHED = 8_000;

    private final Path procRoot;
    private final Path cgroupRoot;
    private final JobResolver resolver;
    private final long pageBytes;
    private final PidList pids;
    private final KernelFile.Buffer buffer = new KernelFile.Buffer();
    private final KernelFile.Buffer askersBuffer = new KernelFile.Buffer();
    private final KernelFile uptime;
    /** In the order of their pids, kernel threads among them. */
    private Watched[] watched = {};

    private int refreshes;
    private volatile Set<Long> stirred = Set.of();
    private volatile boolean everybody;
    private volatile Listing listing = new Listing(List.of(), OptionalLong.empty(), false, "not listed yet");
    private volatile int leftOut;

    /**
     * A process in the last refresh. Immutable.
     *
     * @param stat as it was when it was looked at last
     * @param cpuSeconds what it used since the refresh before, as far as it was looked at; absent when that is not known
     * @param seenBefore whether the refresh before has seen it, too
     */
    record Proc(ProcStat stat, Identity identity, OptionalDouble cpuSeconds, boolean seenBefore) {
        /** The job that it works for; Slurm's own processes work for none. */
        Optional<JobRef> job() {
            return identity.slurmsOwn() ? Optional.empty() : identity.job();
        }

        /** Whether it works for a job, be it one that cannot be named. */
        boolean isInJob() {
            return job().isPresent() || identity.ofUnknownJob();
        }

        boolean isInCgroupOfJob() {
            Optional<JobRef> job = job();
            return job.isPresent() && job.get().evidence() == Evidence.CGROUP;
        }
    }

    /**
     * All processes at one instant.
     *
     * @param processes in the order of their pids
     * @param uptimeTicks that instant as hundredths of a second after boot
     */
    private record Listing(List<Proc> processes, OptionalLong uptimeTicks, boolean hasPrevious, String failure) {
        Optional<Proc> find(int pid) {
            int at = indexOf(processes, pid, each -> each.stat.pid());
            return at < 0 ? Optional.empty() : Optional.of(processes.get(at));
        }
    }

    /**
     * @param procRoot where the node's processes are, {@code /proc}
     * @param cgroupRoot where its cgroups are mounted, {@code /sys/fs/cgroup}
     * @param environ whether to ask the environment of processes for their job where nothing else tells it
     */
    public ProcTree(Path procRoot, Path cgroupRoot, boolean environ) {
        this(procRoot, cgroupRoot, ProcTree::ownerOf, environ);
    }

    /** Java's own way takes three times as long, and is for processors whose system calls we do not know. */
    private static int ownerOf(Path directory) throws IOException {
        int uid = Libc.ownerOf(directory.toString());
        return uid >= 0 ? uid : (Integer) Files.getAttribute(directory, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    }

    ProcTree(Path procRoot, Path cgroupRoot, JobResolver.Owners owners, boolean environ) {
        this.procRoot = procRoot;
        this.cgroupRoot = cgroupRoot;
        this.resolver = new JobResolver(procRoot, owners, environ);
        this.pageBytes = Libc.pageBytes();
        this.pids = new PidList(procRoot, MOST_WATCHED);
        this.uptime = new KernelFile(procRoot + "/uptime");
    }

    /** Lists the processes anew. {@code at} is the instant of the snapshot; to be called before its probes read. */
    public synchronized void refresh(Instant at) {
        if (!pids.read()) {
            listing = new Listing(List.of(), OptionalLong.empty(), false, "cannot be listed");
            return;
        }
        Listing previous = listing;
        OptionalLong uptimeTicks = readUptimeTicks();
        watched = watch();
        listing = new Listing(tell(previous), uptimeTicks, previous.failure.isEmpty(), "");
        leftOut = pids.total() - pids.size();
    }

    /**
     * Makes sure that the last refresh has listed all processes, so that a sum of them is true.
     *
     * @throws ProbeException if it has left some out
     */
    public void requireAll() throws ProbeException {
        if (leftOut > 0) {
            throw new ProbeException((MOST_WATCHED + leftOut) + " processes (expected: at most " + MOST_WATCHED
                    + "); the others are left out, and what users use is not told");
        }
    }

    /**
     * Names jobs of which the kernel accounts for more than was seen of their processes: one of those that sleep may be
     * awake, so the next refresh looks at all of them.
     */
    void stirred(Set<Long> jobs) {
        stirred = Set.copyOf(jobs);
    }

    /** Lets the next refresh look at every process, also at those that sleep. */
    public void lookAtAll() {
        everybody = true;
    }

    /** Who is there, each looked at if that is due. */
    private Watched[] watch() {
        Set<Long> awake = stirred;
        stirred = Set.of();
        boolean all = everybody;
        everybody = false;
        refreshes++;
        Watched[] now = new Watched[pids.size()];
        int size = 0;
        int before = 0;
        for (int i = 0; i < pids.size(); i++) {
            int pid = pids.pid(i);
            while (before < watched.length && watched[before].pid < pid) {
                watched[before++].close();
            }
            Watched known = before < watched.length && watched[before].pid == pid ? watched[before++] : null;
            if (known != null) {
                boolean same = !known.isReplaced(pids.inode(i))
                        && (!known.isDue(refreshes, all || isIn(awake, known)) || known.look(buffer));
                if (!same) {
                    known.close();
                    known = null;
                }
            }
            if (known == null) {
                known = Watched.open(procRoot.toString(), pid, pids.inode(i), size < MOST_OPEN, buffer)
                        .orElse(null);
            }
            if (known != null) {
                now[size++] = known;
            }
        }
        while (before < watched.length) {
            watched[before++].close();
        }
        return Arrays.copyOf(now, size);
    }

    private static boolean isIn(Set<Long> jobs, Watched process) {
        return !jobs.isEmpty()
                && process.told()
                        .flatMap(Proc::job)
                        .map(job -> jobs.contains(job.jobId()))
                        .orElse(false);
    }

    /** Who they are. The titles of slurmstepds tell which job a SLUID is, and their children ask: those come first. */
    private List<Proc> tell(Listing previous) {
        for (Watched process : watched) {
            if (process.sights() == 0 && JobResolver.namedStepd(process.stat())) {
                identify(process.stat());
            }
        }
        Proc[] told = new Proc[watched.length];
        int size = 0;
        for (Watched process : watched) {
            if (!process.stat().kernelThread()) {
                Proc known = process.told().orElse(null);
                told[size++] = known == null
                        ? process.tell(identify(process.stat()), cpuOfNew(process.stat(), previous))
                        : process.tell(identityOf(process, known), process.cpuSinceTold());
            }
        }
        return Collections.unmodifiableList(Arrays.asList(Arrays.copyOf(told, size)));
    }

    @Override
    public Optional<JobRef> jobOf(int pid) {
        return identityOf(pid).filter(identity -> !identity.slurmsOwn()).flatMap(Identity::job);
    }

    @Override
    public OptionalInt uidOf(int pid) {
        return identityOf(pid)
                .filter(identity -> !identity.ofUnknownJob())
                .map(identity -> resolver.readUid(pid))
                .orElse(OptionalInt.empty());
    }

    private Optional<Identity> identityOf(int pid) {
        Optional<ProcStat> stat = readStat(pid);
        if (stat.isEmpty()) {
            return Optional.empty();
        }
        Proc known = listing.find(pid).orElse(null);
        return Optional.of(
                known != null
                                && known.stat.sameProcess(stat.get())
                                && known.job().isPresent()
                        ? known.identity
                        : resolver.identify(stat.get(), this::readStat));
    }

    /** Every process of the last refresh but kernel threads; zombies are among them. */
    Collection<Proc> processes() throws ProbeException {
        Listing now = listing;
        if (!now.failure.isEmpty()) {
            throw new ProbeException(procRoot + ": " + now.failure);
        }
        return now.processes;
    }

    /** Whether CPU times since a refresh before the last one are known. */
    boolean hasPrevious() {
        return listing.hasPrevious;
    }

    /** Whether Slurm started this process for itself, as far as the last refresh knows. */
    boolean isSlurmsOwn(int pid) {
        return listing.find(pid).map(known -> known.identity.slurmsOwn()).orElse(false);
    }

    /** The job whose cgroup directory is named so; empty until its slurmstepd was seen. */
    OptionalLong jobIdOf(String directory) {
        OptionalLong id = CgroupPath.jobIdIn(directory);
        return id.isPresent() ? id : resolver.jobIdOf(directory);
    }

    Path procRoot() {
        return procRoot;
    }

    Path cgroupRoot() {
        return cgroupRoot;
    }

    long pageBytes() {
        return pageBytes;
    }

    /** Reads a process for whoever asks, on their thread. */
    private Optional<ProcStat> readStat(int pid) {
        KernelFile file = new KernelFile(procRoot + "/" + pid + "/stat");
        synchronized (askersBuffer) {
            try {
                return file.read(askersBuffer)
                        ? ProcStat.parse(askersBuffer.bytes(), askersBuffer.length())
                        : Optional.empty();
            } finally {
                file.close();
            }
        }
    }

    /** Where a pid is among those in order; negative: nowhere. */
    private static <T> int indexOf(List<T> inOrder, int pid, ToIntFunction<T> pidOf) {
        int from = 0;
        int to = inOrder.size() - 1;
        while (from <= to) {
            int middle = (from + to) >>> 1;
            int found = pidOf.applyAsInt(inOrder.get(middle));
            if (found == pid) {
                return middle;
            }
            from = found < pid ? middle + 1 : from;
            to = found < pid ? to : middle - 1;
        }
        return -1;
    }

    private Identity identify(ProcStat stat) {
        return resolver.identify(stat, this::statOf);
    }

    /** Of the refresh that is under way. */
    private Optional<ProcStat> statOf(int pid) {
        int at = indexOf(Arrays.asList(watched), pid, each -> each.pid);
        return at < 0 ? Optional.empty() : Optional.of(watched[at].stat());
    }

    private Identity identityOf(Watched process, Proc known) {
        ProcStat stat = process.stat();
        int every = process.sights() < LOOK_AGAIN_WHEN_OLD_EVERY ? LOOK_AGAIN_EVERY : LOOK_AGAIN_WHEN_OLD_EVERY;
        boolean settled = process.sights() > 1
                && known.stat.comm().equals(stat.comm())
                && (known.identity.job().isPresent() || (process.sights() + stat.pid()) % every != 0);
        if (settled || stat.zombie()) {
            return known.identity;
        }
        Identity again = identify(stat);
        // an orphan has lost the ancestor that told its job, but not the job
        boolean orphaned = again.job().isEmpty()
                && known.identity
                        .job()
                        .map(job -> job.evidence() == Evidence.ANCESTRY)
                        .orElse(false);
        return orphaned ? new Identity(again.uid(), known.identity.job(), known.identity.slurmsOwn()) : again;
    }

    /** All that a process used counts if it started since the previous refresh; else it was missed there. */
    private static OptionalDouble cpuOfNew(ProcStat stat, Listing previous) {
        return previous.uptimeTicks.isPresent() && stat.startTicks() >= previous.uptimeTicks.getAsLong()
                ? OptionalDouble.of(stat.cpuTicks() / ProcStat.TICKS_PER_SECOND)
                : OptionalDouble.empty();
    }

    /** Reads e.g. {@code 12345.67 98765.43}: seconds since boot. */
    private OptionalLong readUptimeTicks() {
        Optional<String> text = uptime.readText(buffer);
        return text.isPresent()
                ? KernelFiles.parseNumber(text.get().split(" ", 2)[0].replace(".", ""))
                : OptionalLong.empty();
    }
}
