package io.fairwatch.agent.probe;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * {@link KernelFiles} for those that are read in every snapshot: keeps them open from one to the next. Opening and
 * closing a file of a cgroup takes the kernel 8 us, reading it 1 us, 7 us for {@code memory.stat}. The file of a
 * directory that was removed cannot be read any more, also when one of the same name takes its place. A file that was not
 * there is looked for at every {@value #MISSING_EVERY}th round only: finding out costs more than reading another. Confined
 * to one thread.
 */
final class KeptFiles {
    private static final int LONGEST = 256 * 1024;
    private static final int USUAL = 8 * 1024;

    static final int MISSING_EVERY = 8;

    private final Map<Path, Kept> kept = new HashMap<>();
    private final Map<Path, Missing> missing = new HashMap<>();
    private final int most;
    private byte[] buffer = new byte[USUAL];
    private int round;

    private static final class Kept {
        private final RandomAccessFile file;
        private int readIn;

        Kept(RandomAccessFile file) {
            this.file = file;
        }
    }

    /** A file that was not there, by rounds. */
    private record Missing(int triedIn, int askedIn) {}

    /**
     * @param most to keep open; further ones are opened each time
     */
    KeptFiles(int most) {
        this.most = most;
    }

    /** Begins a round of reading. */
    void begin() {
        round++;
    }

    /** Ends it: closes and forgets what was not asked for in it. */
    void end() {
        missing.values().removeIf(file -> file.askedIn() != round);
        for (Iterator<Kept> each = kept.values().iterator(); each.hasNext(); ) {
            Kept one = each.next();
            if (one.readIn != round) {
                close(one.file);
                each.remove();
            }
        }
    }

    /** The whole text, up to about 256 KiB; empty when there is no such file. */
    Optional<String> readText(Path path) {
        Kept known = kept.get(path);
        if (known != null) {
            known.readIn = round;
            try {
                known.file.seek(0);
                return Optional.of(text(known.file));
            } catch (IOException removed) { // another may have its name by now
                close(known.file);
                kept.remove(path);
            }
        }
        Missing absent = missing.get(path);
        if (absent != null && round - absent.triedIn() < MISSING_EVERY) {
            missing.put(path, new Missing(absent.triedIn(), round));
            return Optional.empty();
        }
        RandomAccessFile file = null;
        boolean keep = false;
        try {
            file = new RandomAccessFile(path.toString(), "r");
            String text = text(file);
            missing.remove(path);
            keep = kept.size() < most;
            if (keep) {
                Kept opened = new Kept(file);
                opened.readIn = round;
                kept.put(path, opened);
            }
            return Optional.of(text);
        } catch (IOException gone) {
            missing.put(path, new Missing(round, round));
            return Optional.empty();
        } finally {
            if (!keep) {
                close(file);
            }
        }
    }

    /** The only number in a file; empty too when it says something else, e.g. {@code max}. */
    OptionalLong readNumber(Path path) {
        Optional<String> text = readText(path);
        return text.isPresent() ? KernelFiles.parseNumber(text.get().strip()) : OptionalLong.empty();
    }

    /** How many are open. */
    int size() {
        return kept.size();
    }

    private String text(RandomAccessFile file) throws IOException {
        int length = 0;
        int more;
        while (length < LONGEST && (more = file.read(buffer, length, buffer.length - length)) > 0) {
            length += more;
            if (length == buffer.length) {
                buffer = Arrays.copyOf(buffer, 4 * length);
            }
        }
        return new String(buffer, 0, length, StandardCharsets.ISO_8859_1);
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
