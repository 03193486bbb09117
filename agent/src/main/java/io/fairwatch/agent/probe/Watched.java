package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.ProcTree.Proc;
import java.util.Optional;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/**
 * One process from refresh to refresh, and when its {@code /proc/PID/stat} is worth a look. Guarded by the tree.
 *
 * <ul>
 *   <li>The file stays open, which takes half the time of opening it anew. An open file of a process that ended cannot be
 *       read any more, so it never speaks for a process that got the same pid later.
 *   <li>A process in which nothing changed for {@value #ASLEEP_AFTER} looks is asleep, as most are. It is looked at every
 *       {@value #FIRST_EVERY}th refresh then, and while nothing changes less and less often, in the end every {@value
 *       #OUTSIDE_EVERY}th, in a job every {@value #IN_JOB_EVERY}th: of a job the kernel tells what all its processes
 *       use, and where that is more than was seen, all are looked at in the next refresh ({@link ProcTree#stirred}).
 *       Nothing of what it does is lost while it lives; it is told that much later.
 * </ul>
 */
final class Watched {
    static final int ASLEEP_AFTER = 2;
    static final int FIRST_EVERY = 4;
    static final int OUTSIDE_EVERY = 8;
    static final int IN_JOB_EVERY = 16;

    /** As long as it lives, a thread of the kernel is nothing else; this is in case that its end was missed. */
    private static final int KERNEL_THREAD_EVERY = 64;

    private static final OptionalDouble NOTHING = OptionalDouble.of(0);

    final int pid;
    private final long inode;
    private final KernelFile file;
    private int unchanged;
    private ProcStat stat;
    private @Nullable Proc proc;
    private int sights;
    /** Whether {@code stat} is another than was told last. */
    private boolean news;

    private Watched(int pid, long inode, KernelFile file, ProcStat stat) {
        this.pid = pid;
        this.inode = inode;
        this.file = file;
        this.stat = stat;
    }

    /** Looks at a process for the first time; empty when it is gone. */
    static Optional<Watched> open(String procRoot, int pid, long inode, boolean keepOpen, KernelFile.Buffer buffer) {
        KernelFile file = new KernelFile(procRoot + "/" + pid + "/stat");
        Optional<ProcStat> stat =
                file.read(buffer) ? ProcStat.parse(buffer.bytes(), buffer.length()) : Optional.empty();
        if (stat.isEmpty() || stat.get().kernelThread() || !keepOpen) {
            file.close();
        }
        return stat.isPresent() ? Optional.of(new Watched(pid, inode, file, stat.get())) : Optional.empty();
    }

    /** Whether it is for sure another process that has this directory now. */
    boolean isReplaced(long inodeNow) {
        return inodeNow != inode;
    }

    boolean isDue(int refresh, boolean stirred) {
        if (stat.kernelThread()) {
            return (refresh + pid) % KERNEL_THREAD_EVERY == 0;
        }
        return stirred || unchanged < ASLEEP_AFTER || (refresh + pid) % every() == 0;
    }

    private int every() {
        int looksAsleep = (unchanged - ASLEEP_AFTER) / 2;
        int most = proc != null && proc.isInCgroupOfJob() ? IN_JOB_EVERY : OUTSIDE_EVERY;
        return looksAsleep >= 2 ? most : Math.min(FIRST_EVERY << looksAsleep, most);
    }

    /** Looks again, leaving the file as it was, open or closed; false when this process is gone. */
    boolean look(KernelFile.Buffer buffer) {
        boolean keepOpen = file.isOpen();
        Optional<ProcStat> now = file.read(buffer) ? ProcStat.parse(buffer.bytes(), buffer.length()) : Optional.empty();
        if (!keepOpen) {
            file.close();
        }
        if (now.isEmpty() || !now.get().sameProcess(stat) || now.get().kernelThread() != stat.kernelThread()) {
            return false;
        }
        unchanged = now.get().equals(stat) ? unchanged + 1 : 0;
        if (unchanged == 0) {
            stat = now.get();
            news = true;
        }
        return true;
    }

    void close() {
        file.close();
    }

    ProcStat stat() {
        return stat;
    }

    int sights() {
        return sights;
    }

    /** As it was told last. */
    Optional<Proc> told() {
        return Optional.ofNullable(proc);
    }

    /** Tells it as of now; the same record again while there is nothing new about it. */
    Proc tell(JobResolver.Identity identity, OptionalDouble cpuSeconds) {
        Proc before = proc;
        sights++;
        if (before == null
                || !before.seenBefore()
                || news
                || !before.identity().equals(identity)
                || !before.cpuSeconds().equals(cpuSeconds)) {
            before = new Proc(stat, identity, cpuSeconds, sights > 1);
            proc = before;
            news = false;
        }
        return before;
    }

    /** What it used since it was told last, as far as it was looked at. */
    OptionalDouble cpuSinceTold() {
        Proc before = proc;
        if (before == null) {
            return OptionalDouble.empty();
        }
        long ticks = stat.cpuTicks() - before.stat().cpuTicks();
        return ticks <= 0 ? NOTHING : OptionalDouble.of(ticks / ProcStat.TICKS_PER_SECOND);
    }
}
