package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.JobResolver.Identity;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.JobRef.Evidence;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * All processes of this node, whose they are and which job they belong to.
 *
 * <p>{@link #refresh} once per snapshot reads {@code /proc/PID/stat} of each, less often of those that sleep ({@link
 * StatFiles}); owner and cgroup are read when a process
 * is new, once more when it is seen again (slurmstepd and sshd fork as root, and move and change user afterwards), when
 * its name changes, and now and then while it has no job. A process is its pid and start time, so a pid that came back
 * is a new process. Kernel threads are left out.
 *
 * <p>Thread-safe: one thread refreshes, others ask. An answer about a pid never rests on the pid alone.
 */
public final class ProcTree implements ProcessLookup {
    private static final int LOOK_AGAIN_EVERY = 16;
    private static final int RECHECK_KERNEL_THREADS_EVERY = 10;

    private final Path procRoot;
    private final Path cgroupRoot;
    private final JobResolver resolver;
    private final long pageBytes;
    private final StatFiles statFiles;
    private final Set<String> kernelThreads = new HashSet<>();
    private int refreshes;
    private volatile Listing listing = new Listing(Map.of(), OptionalLong.empty(), false, "not listed yet");

    /**
     * A process in the last refresh. Immutable.
     *
     * @param cpuSeconds what it used since the refresh before; absent when that is not known
     * @param sights how many refreshes in a row have seen it
     */
    record Proc(ProcStat stat, Identity identity, OptionalDouble cpuSeconds, int sights) {
        /** The job that it works for; Slurm's own processes work for none. */
        Optional<JobRef> job() {
            return identity.slurmsOwn() ? Optional.empty() : identity.job();
        }
    }

    /** All processes at one instant; {@code uptimeTicks} is that instant as hundredths of a second after boot. */
    private record Listing(Map<Integer, Proc> byPid, OptionalLong uptimeTicks, boolean hasPrevious, String failure) {}

    /**
     * @param procRoot where the node's processes are, {@code /proc}
     * @param cgroupRoot where its cgroups are mounted, {@code /sys/fs/cgroup}
     */
    public ProcTree(Path procRoot, Path cgroupRoot) {
        this(procRoot, cgroupRoot, directory ->
                (Integer) Files.getAttribute(directory, "unix:uid", LinkOption.NOFOLLOW_LINKS));
    }

    ProcTree(Path procRoot, Path cgroupRoot, JobResolver.Owners owners) {
        this.procRoot = procRoot;
        this.cgroupRoot = cgroupRoot;
        this.resolver = new JobResolver(procRoot, owners);
        this.pageBytes = Libc.pageBytes();
        this.statFiles = new StatFiles(procRoot);
    }

    /** Lists the processes anew. {@code at} is the instant of the snapshot; to be called before its probes read. */
    public synchronized void refresh(Instant at) {
        String[] names = procRoot.toFile().list();
        if (names == null) {
            listing = new Listing(Map.of(), OptionalLong.empty(), false, "cannot be listed");
            return;
        }
        if (refreshes++ % RECHECK_KERNEL_THREADS_EVERY == 0) {
            kernelThreads.clear();
        }
        OptionalLong uptime = readUptimeTicks();
        Map<Integer, ProcStat> stats = readStats(names);
        Listing previous = listing;
        boolean hasPrevious = previous.failure.isEmpty();

        Map<Integer, Proc> byPid = new HashMap<>(stats.size() * 2);
        for (ProcStat stat : slurmstepdsFirst(stats.values())) {
            Proc known = previous.byPid.get(stat.pid());
            if (known != null && !known.stat.sameProcess(stat)) {
                known = null;
            }
            byPid.put(
                    stat.pid(),
                    known == null
                            ? new Proc(stat, identify(stat, stats), cpuOfNew(stat, previous), 1)
                            : new Proc(stat, identityOf(stat, known, stats), cpuSince(stat, known), known.sights + 1));
        }
        listing = new Listing(byPid, uptime, hasPrevious, "");
    }

    @Override
    public Optional<JobRef> jobOf(int pid) {
        Optional<ProcStat> stat = readStat(pid);
        if (stat.isEmpty()) {
            return Optional.empty();
        }
        Proc known = listing.byPid.get(pid);
        if (known != null && known.stat.sameProcess(stat.get()) && known.job().isPresent()) {
            return known.job();
        }
        Identity identity = resolver.identify(stat.get(), this::readStat);
        return identity.slurmsOwn() ? Optional.empty() : identity.job();
    }

    @Override
    public OptionalInt uidOf(int pid) {
        return resolver.readUid(pid);
    }

    /** Every process of the last refresh but kernel threads; zombies are among them. */
    Collection<Proc> processes() throws ProbeException {
        Listing now = listing;
        if (!now.failure.isEmpty()) {
            throw new ProbeException(procRoot + ": " + now.failure);
        }
        return now.byPid.values();
    }

    /** Whether CPU times since a refresh before the last one are known. */
    boolean hasPrevious() {
        return listing.hasPrevious;
    }

    /** Whether Slurm started this process for itself, as far as the last refresh knows. */
    boolean isSlurmsOwn(int pid) {
        Proc known = listing.byPid.get(pid);
        return known != null && known.identity.slurmsOwn();
    }

    /** The job whose cgroup directory is named so; empty until its slurmstepd was seen. */
    OptionalLong jobIdOf(String directory) {
        OptionalLong id = CgroupPath.jobIdIn(directory);
        return id.isPresent() ? id : resolver.jobIdOf(directory);
    }

    Path cgroupRoot() {
        return cgroupRoot;
    }

    long pageBytes() {
        return pageBytes;
    }

    private Map<Integer, ProcStat> readStats(String[] names) {
        Map<Integer, ProcStat> stats = new HashMap<>(names.length * 2);
        statFiles.begin();
        for (String name : names) {
            if (name.charAt(0) < '0' || name.charAt(0) > '9' || kernelThreads.contains(name)) {
                continue;
            }
            Optional<ProcStat> stat = statFiles.read(name);
            if (stat.isPresent()) {
                if (stat.get().kernelThread()) {
                    kernelThreads.add(name);
                    statFiles.forget(name);
                } else {
                    stats.put(stat.get().pid(), stat.get());
                }
            }
        }
        statFiles.end();
        return stats;
    }

    /** Reads a process for whoever asks, on their thread. */
    private Optional<ProcStat> readStat(int pid) {
        return KernelFiles.readText(procRoot.resolve(pid + "/stat"))
                .map(line -> line.getBytes(StandardCharsets.ISO_8859_1))
                .flatMap(line -> ProcStat.parse(line, line.length));
    }

    private Identity identify(ProcStat stat, Map<Integer, ProcStat> stats) {
        return resolver.identify(stat, pid -> Optional.ofNullable(stats.get(pid)));
    }

    private Identity identityOf(ProcStat stat, Proc known, Map<Integer, ProcStat> stats) {
        boolean settled = known.sights > 1
                && known.stat.comm().equals(stat.comm())
                && (known.identity.job().isPresent() || (known.sights + stat.pid()) % LOOK_AGAIN_EVERY != 0);
        if (settled || stat.zombie()) {
            return known.identity;
        }
        Identity again = identify(stat, stats);
        // an orphan has lost the ancestor that told its job, but not the job
        boolean orphaned = again.job().isEmpty()
                && known.identity
                        .job()
                        .map(job -> job.evidence() == Evidence.ANCESTRY)
                        .orElse(false);
        return orphaned ? new Identity(again.uid(), known.identity.job(), known.identity.slurmsOwn()) : again;
    }

    /** The titles of slurmstepds tell which job a SLUID is, and their children ask. */
    private static List<ProcStat> slurmstepdsFirst(Collection<ProcStat> stats) {
        List<ProcStat> ordered = new ArrayList<>(stats.size());
        List<ProcStat> others = new ArrayList<>(stats.size());
        stats.forEach(stat -> (JobResolver.namedStepd(stat) ? ordered : others).add(stat));
        ordered.addAll(others);
        return ordered;
    }

    private static OptionalDouble cpuSince(ProcStat stat, Proc known) {
        return OptionalDouble.of(Math.max(0, stat.cpuTicks() - known.stat.cpuTicks()) / ProcStat.TICKS_PER_SECOND);
    }

    /** All that a process used counts if it started since the previous refresh; else it was missed there. */
    private static OptionalDouble cpuOfNew(ProcStat stat, Listing previous) {
        return previous.uptimeTicks.isPresent() && stat.startTicks() >= previous.uptimeTicks.getAsLong()
                ? OptionalDouble.of(stat.cpuTicks() / ProcStat.TICKS_PER_SECOND)
                : OptionalDouble.empty();
    }

    /** Reads e.g. {@code 12345.67 98765.43}: seconds since boot. */
    private OptionalLong readUptimeTicks() {
        Optional<String> text = KernelFiles.readText(procRoot.resolve("uptime"));
        return text.isPresent()
                ? KernelFiles.parseNumber(text.get().split(" ", 2)[0].replace(".", ""))
                : OptionalLong.empty();
    }
}
