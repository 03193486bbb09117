package io.fairwatch.agent.probe;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One process as {@code /proc/PID/stat} tells it. Immutable. Together, {@code pid} and {@code startTicks} name a process
 * for good; a pid alone comes back.
 *
 * @param pid process id
 * @param comm name of the executable as the kernel keeps it, at most 15 bytes; anything may stand there
 * @param state the kernel's letter, e.g. {@code Z} for a zombie
 * @param parent pid of the parent; 0: none that is visible
 * @param kernelThread whether it is a thread of the kernel and not a program
 * @param cpuTicks user and system time of all its threads, in hundredths of a second
 * @param threads threads that it has
 * @param startTicks when it started, in hundredths of a second after boot
 * @param residentPages resident memory in pages
 */
record ProcStat(
        int pid,
        String comm,
        char state,
        int parent,
        boolean kernelThread,
        long cpuTicks,
        int threads,
        long startTicks,
        long residentPages) {
    /** Length of a tick for programs, whatever the kernel's own is (USER_HZ is 100 on every Linux that we run on). */
    static final double TICKS_PER_SECOND = 100;

    private static final long PF_KTHREAD = 0x0020_0000;
    private static final int LAST_FIELD = 24;

    /** Whether it ended and only waits for its parent to notice. */
    boolean zombie() {
        return state == 'Z' || state == 'X';
    }

    /** By hand: the one that Java makes for records takes ten times as long where only C1 compiles. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ProcStat stat
                && pid == stat.pid
                && startTicks == stat.startTicks
                && cpuTicks == stat.cpuTicks
                && residentPages == stat.residentPages
                && threads == stat.threads
                && parent == stat.parent
                && state == stat.state
                && kernelThread == stat.kernelThread
                && comm.equals(stat.comm);
    }

    @Override
    public int hashCode() {
        return pid;
    }

    boolean sameProcess(ProcStat other) {
        return pid == other.pid && startTicks == other.startTicks;
    }

    /**
     * Reads the first {@code length} bytes of the line, e.g.
     *
     * <pre>{@code 805 (my (odd) name) S 799 805 799 0 -1 4194304 153 0 0 0 7 3 0 0 20 0 1 0 4711 5828608 1024 ...}</pre>
     *
     * <p>The name ends at the <em>last</em> closing parenthesis. Empty when the line is cut short or is something else.
     */
    static Optional<ProcStat> parse(byte[] line, int length) {
        int open = 0;
        while (open < length && line[open] != '(') {
            open++;
        }
        int close = length - 1;
        while (close > open && line[close] != ')') {
            close--;
        }
        if (close <= open || open < 2) {
            return Optional.empty();
        }
        long[] fields = new long[LAST_FIELD + 1];
        int from = close + 2;
        for (int field = 3; field <= LAST_FIELD; field++) {
            int end = from;
            while (end < length && line[end] != ' ' && line[end] != '\n') {
                end++;
            }
            fields[field] = field == 3 && end > from ? line[from] : digits(line, from, end);
            from = end + 1;
        }
        long pid = digits(line, 0, open - 1);
        if (pid <= 0
                || pid > Integer.MAX_VALUE
                || fields[3] < 0
                || fields[4] < 0
                || fields[4] > Integer.MAX_VALUE
                || fields[9] < 0
                || fields[14] < 0
                || fields[15] < 0
                || fields[22] < 0
                || fields[LAST_FIELD] < 0) {
            return Optional.empty();
        }
        return Optional.of(new ProcStat(
                (int) pid,
                new String(line, open + 1, close - open - 1, StandardCharsets.ISO_8859_1),
                (char) fields[3],
                (int) fields[4],
                (fields[9] & PF_KTHREAD) != 0,
                fields[14] + fields[15],
                (int) Math.min(Integer.MAX_VALUE, Math.max(0, fields[20])),
                fields[22],
                fields[LAST_FIELD]));
    }

    /** The number, or -1 when there is none; of the fields that we use, none can be negative. */
    private static long digits(byte[] line, int from, int end) {
        if (end <= from || end - from > 18) {
            return -1;
        }
        long value = 0;
        for (int i = from; i < end; i++) {
            if (line[i] < '0' || line[i] > '9') {
                return -1;
            }
            value = value * 10 + (line[i] - '0');
        }
        return value;
    }
}
