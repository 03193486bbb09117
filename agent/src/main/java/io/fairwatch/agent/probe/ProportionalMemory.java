package io.fairwatch.agent.probe;

import io.fairwatch.agent.probe.ProcTree.Proc;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Memory of processes with what they share split among them (PSS). The kernel looks at every page for it: about 15 ms of
 * CPU per GB, during which the process may have to wait for memory of its own. So it is read beside, in a small portion
 * per snapshot, that which was read longest ago first, and processes of more than 16 GiB not at all. What is told is what
 * was read last. Thread-safe.
 */
public final class ProportionalMemory {
    private static final int MOST_PROCESSES = 200;
    private static final long MOST_BYTES = 2L << 30;
    private static final long LARGEST_BYTES = 16L << 30;
    private static final int LONGEST_TEXT = 4096;
    private static final Pattern PSS = Pattern.compile("(?m)^Pss: +(\\d{1,15}) kB$");

    private final Path procRoot;
    private final Executor background;
    private final Map<Key, Reading> readings = new ConcurrentHashMap<>();
    private final AtomicBoolean reading = new AtomicBoolean();
    private long portions;

    private record Key(int pid, long startTicks) {
        static Key of(Proc process) {
            return new Key(process.stat().pid(), process.stat().startTicks());
        }
    }

    /** @param bytes absent: it may not be read */
    private record Reading(OptionalLong bytes, long portion) {}

    ProportionalMemory(Path procRoot, Executor background) {
        this.procRoot = procRoot;
        this.background = background;
    }

    /** Reads on a thread of its own that ends when idle. */
    public static ProportionalMemory ofSystem(Path procRoot) {
        ThreadPoolExecutor background =
                new ThreadPoolExecutor(1, 1, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(1), work -> {
                    Thread thread = new Thread(
                            () -> {
                                Libc.yieldToOthers();
                                work.run();
                            },
                            "user-memory");
                    thread.setDaemon(true);
                    return thread;
                });
        background.allowCoreThreadTimeOut(true);
        return new ProportionalMemory(procRoot, background);
    }

    /** Begins to read the next portion of these, the only processes that there are, unless one is being read. */
    void readSome(Collection<Proc> processes, long pageBytes) {
        if (!reading.compareAndSet(false, true)) {
            return;
        }
        List<Proc> portion = portion(processes, pageBytes);
        long number = portions++;
        background.execute(() -> {
            try {
                portion.forEach(process -> read(process, number));
            } finally {
                reading.set(false);
            }
        });
    }

    /**
     * The memory of one user's processes as far as it is known. Processes that are new since the last snapshot are left
     * out until they are read; absent while another one was not read yet, or may not be read.
     */
    OptionalLong of(Collection<Proc> processes) {
        long sum = 0;
        boolean any = false;
        for (Proc process : processes) {
            Reading last = readings.get(Key.of(process));
            if (last != null && last.bytes.isPresent()) {
                sum += last.bytes.getAsLong();
                any = true;
            } else if (last != null || process.seenBefore()) {
                return OptionalLong.empty();
            }
        }
        return any ? OptionalLong.of(sum) : OptionalLong.empty();
    }

    private List<Proc> portion(Collection<Proc> processes, long pageBytes) {
        Set<Key> living = new HashSet<>();
        List<Proc> oldestFirst = new ArrayList<>();
        for (Proc process : processes) {
            if (!process.stat().zombie()) {
                living.add(Key.of(process));
                oldestFirst.add(process);
            }
        }
        readings.keySet().retainAll(living);
        oldestFirst.sort(Comparator.comparingLong(this::lastPortion));
        List<Proc> portion = new ArrayList<>();
        long bytes = 0;
        for (Proc process : oldestFirst) {
            long resident = process.stat().residentPages() * pageBytes;
            if (resident > LARGEST_BYTES) {
                readings.remove(Key.of(process));
                continue;
            }
            if (!portion.isEmpty() && (bytes + resident > MOST_BYTES || portion.size() >= MOST_PROCESSES)) {
                break;
            }
            bytes += resident;
            portion.add(process);
        }
        return portion;
    }

    private long lastPortion(Proc process) {
        Reading last = readings.get(Key.of(process));
        return last == null ? -1 : last.portion;
    }

    private void read(Proc process, long portion) {
        try (InputStream in =
                Files.newInputStream(procRoot.resolve(process.stat().pid() + "/smaps_rollup"))) {
            String text = new String(in.readNBytes(LONGEST_TEXT), StandardCharsets.ISO_8859_1);
            Matcher pss = PSS.matcher(text);
            // a process that is just ending has no memory any more
            long bytes = pss.find() ? Long.parseLong(pss.group(1)) * 1024 : 0;
            readings.put(Key.of(process), new Reading(OptionalLong.of(bytes), portion));
        } catch (AccessDeniedException denied) {
            readings.put(Key.of(process), new Reading(OptionalLong.empty(), portion));
        } catch (IOException gone) {
            readings.remove(Key.of(process));
        }
    }
}
