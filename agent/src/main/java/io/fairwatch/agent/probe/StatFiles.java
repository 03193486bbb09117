package io.fairwatch.agent.probe;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads {@code /proc/PID/stat} of every process again and again, and keeps the files open for it: that takes half the
 * time of opening each anew. An open file of a process that ended cannot be read any more, so it never speaks for a
 * process that got the same pid later. Confined to one thread, or guarded by whoever holds it.
 */
final class StatFiles {
    /** Well below the limit that a service has for open files; further processes are read by opening each time. */
    private static final int MOST_OPEN = 4096;

    private static final int LONGEST = 2048;

    private final Path procRoot;
    private final Map<String, RandomAccessFile> open = new HashMap<>();
    private final byte[] buffer = new byte[LONGEST];

    StatFiles(Path procRoot) {
        this.procRoot = procRoot;
    }

    /** Reads one process; empty when it is gone. */
    Optional<ProcStat> read(String pid) {
        RandomAccessFile file = open.get(pid);
        if (file != null) {
            try {
                file.seek(0);
                int length = file.read(buffer);
                if (length > 0) {
                    return ProcStat.parse(buffer, length);
                }
            } catch (IOException expected) {
                // it ended; another may have its pid by now
            }
            forget(pid);
        }
        return readAnew(pid);
    }

    /** Closes the file of a process, if it is open. */
    void forget(String pid) {
        close(open.remove(pid));
    }

    /** Closes the files of all processes but these. */
    void forgetAllBut(String[] pids) {
        Set<String> living = new HashSet<>(Arrays.asList(pids));
        Iterator<Map.Entry<String, RandomAccessFile>> each = open.entrySet().iterator();
        while (each.hasNext()) {
            Map.Entry<String, RandomAccessFile> entry = each.next();
            if (!living.contains(entry.getKey())) {
                close(entry.getValue());
                each.remove();
            }
        }
    }

    private Optional<ProcStat> readAnew(String pid) {
        RandomAccessFile file = null;
        boolean keep = false;
        try {
            file = new RandomAccessFile(procRoot + "/" + pid + "/stat", "r");
            Optional<ProcStat> stat = ProcStat.parse(buffer, Math.max(0, file.read(buffer)));
            keep = stat.isPresent() && open.size() < MOST_OPEN;
            if (keep) {
                open.put(pid, file);
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
