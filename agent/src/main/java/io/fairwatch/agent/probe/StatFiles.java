package io.fairwatch.agent.probe;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads {@code /proc/PID/stat} of every process again and again, in rounds, at half the cost and less:
 *
 * <ul>
 *   <li>The files stay open, which takes half the time of opening each anew. An open file of a process that ended cannot
 *       be read any more, so it never speaks for a process that got the same pid later.
 *   <li>A process in which nothing changed for {@value #ASLEEP_AFTER} rounds is asleep, as most are, and is looked at
 *       every {@value #ASLEEP_LOOK_EVERY}th round until something changes. So what it does then is seen up to {@value
 *       #ASLEEP_LOOK_EVERY} rounds late; nothing of it is lost while it lives.
 * </ul>
 *
 * Confined to one thread, or guarded by whoever holds it.
 */
final class StatFiles {
    static final int ASLEEP_AFTER = 2;
    static final int ASLEEP_LOOK_EVERY = 4;

    /** Well below the limit that a service has for open files; further processes are read by opening each time. */
    private static final int MOST_OPEN = 4096;

    private static final int LONGEST = 2048;

    private final Path procRoot;
    private final Map<String, Known> known = new HashMap<>();
    private final byte[] buffer = new byte[LONGEST];
    private int round;

    /** A process that was read before. */
    private static final class Known {
        private final RandomAccessFile file;
        private Optional<ProcStat> stat;
        private int unchanged;
        private int readIn;

        Known(RandomAccessFile file, Optional<ProcStat> stat, int round) {
            this.file = file;
            this.stat = stat;
            this.readIn = round;
        }

        /** Keeps the older record of two that are the same, so that its readers see at a glance that they are. */
        void update(Optional<ProcStat> now) {
            boolean same = stat.equals(now);
            unchanged = same ? unchanged + 1 : 0;
            stat = same ? stat : now;
        }

        boolean isLeftAlone(int round) {
            return unchanged >= ASLEEP_AFTER && (round + stat.map(ProcStat::pid).orElse(0)) % ASLEEP_LOOK_EVERY != 0;
        }
    }

    StatFiles(Path procRoot) {
        this.procRoot = procRoot;
    }

    /** Begins a round. */
    void begin() {
        round++;
    }

    /** Reads one process that is there, once in a round; empty when it is gone after all. */
    Optional<ProcStat> read(String pid) {
        Known before = known.get(pid);
        if (before == null) {
            return readAnew(pid);
        }
        before.readIn = round;
        if (before.isLeftAlone(round)) {
            return before.stat;
        }
        try {
            before.file.seek(0);
            int length = before.file.read(buffer);
            if (length > 0) {
                before.update(ProcStat.parse(buffer, length));
                return before.stat;
            }
        } catch (IOException expected) {
            // it ended; another may have its pid by now
        }
        forget(pid);
        return readAnew(pid);
    }

    /** Ends a round: closes the files of all processes that were not read in it. */
    void end() {
        for (Iterator<Known> each = known.values().iterator(); each.hasNext(); ) {
            Known one = each.next();
            if (one.readIn != round) {
                close(one.file);
                each.remove();
            }
        }
    }

    /** Closes the file of a process, if it is open. */
    void forget(String pid) {
        Known gone = known.remove(pid);
        close(gone == null ? null : gone.file);
    }

    private Optional<ProcStat> readAnew(String pid) {
        RandomAccessFile file = null;
        boolean keep = false;
        try {
            file = new RandomAccessFile(procRoot + "/" + pid + "/stat", "r");
            Optional<ProcStat> stat = ProcStat.parse(buffer, Math.max(0, file.read(buffer)));
            keep = stat.isPresent() && known.size() < MOST_OPEN;
            if (keep) {
                known.put(pid, new Known(file, stat, round));
            }
            return stat;
        } catch (IOException gone) {
            return Optional.empty();
        } finally {
            if (!keep) {
                close(file);
            }
        }
    }

    private static void close(@Nullable RandomAccessFile file) {
        if (file == null) {
            return;
        }
        try {
            file.close();
        } catch (IOException expected) {
            // nothing was written, so nothing is lost
        }
    }
}
