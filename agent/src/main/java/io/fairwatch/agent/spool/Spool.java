package io.fairwatch.agent.spool;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A bounded queue of packed snapshots in a directory. Thread-safe; every method but the counters blocks on the disk, so
 * none is called on the event loop.
 */
public final class Spool implements AutoCloseable {
    /**
     * How much a spool may hold.
     *
     * @param maxBytes of waiting snapshots
     * @param maxRejectedBytes of snapshots that the collector refused for good
     */
    public record Limits(long maxBytes, long maxRejectedBytes) {
        public Limits {
            if (maxBytes <= 0 || maxRejectedBytes < 0) {
                throw new IllegalArgumentException(
                        "limits: " + maxBytes + ", " + maxRejectedBytes + " (expected: more than 0, 0 or more)");
            }
        }
    }

    /**
     * The oldest snapshots, as they are sent.
     *
     * @param first sequence of the oldest
     * @param last sequence of the newest
     * @param size how many
     * @param bytes their files one after another
     */
    @SuppressWarnings("ArrayRecordComponent") // nobody compares batches
    public record Batch(long first, long last, int size, byte[] bytes) {}

    private record Entry(long sequence, long bytes) {}

    private static final Logger log = LoggerFactory.getLogger(Spool.class);
    private static final Pattern FILE = Pattern.compile("(\\d{20})\\.json\\.gz");
    private static final String TEMPORARY = ".tmp";
    private static final String ACKNOWLEDGED = "acknowledged";
    private static final String LOCK = "lock";
    private static final String REJECTED = "rejected";
    private static final FileAttribute<?> PRIVATE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

    private final Path directory;
    private final Path rejected;
    private final Limits limits;
    private final FileChannel lock;
    private final Deque<Entry> entries = new ArrayDeque<>();
    private final AtomicLong waiting = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong dropped = new AtomicLong();
    private final AtomicLong setAside = new AtomicLong();
    private long acknowledged;
    private long next;

    private Spool(Path directory, Limits limits, FileChannel lock) {
        this.directory = directory;
        this.rejected = directory.resolve(REJECTED);
        this.limits = limits;
        this.lock = lock;
    }

    /**
     * Opens a spool and finds what an earlier agent left in it.
     *
     * @param clock gives the first sequence where no earlier one is known
     * @throws IOException if the directory cannot be made, read or locked
     */
    public static Spool open(Path directory, Limits limits, InstantSource clock) throws IOException {
        if (!Files.isDirectory(directory)) {
            Files.createDirectories(directory, PRIVATE);
        }
        FileChannel channel =
                FileChannel.open(directory.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            FileLock held = channel.tryLock();
            if (held == null) {
                throw new IOException(directory + ": another agent uses this spool");
            }
            Spool spool = new Spool(directory, limits, channel);
            spool.find(clock);
            return spool;
        } catch (OverlappingFileLockException e) {
            channel.close();
            throw new IOException(directory + ": this agent uses this spool already", e);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private synchronized void find(InstantSource clock) throws IOException {
        List<String> ignored = new ArrayList<>();
        List<Path> files;
        try (Stream<Path> list = Files.list(directory)) {
            files = list.sorted().toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        for (Path file : files) {
            String name = file.getFileName().toString();
            Matcher matcher = FILE.matcher(name);
            if (name.endsWith(TEMPORARY)) {
                Files.deleteIfExists(file); // the agent died while it wrote; nobody was promised this one
            } else if (matcher.matches() && Files.isRegularFile(file) && looksPacked(file)) {
                add(new Entry(Long.parseLong(matcher.group(1)), Files.size(file)));
            } else if (!List.of(ACKNOWLEDGED, LOCK, REJECTED).contains(name)) {
                ignored.add(name);
            }
        }
        if (!ignored.isEmpty()) {
            log.warn(
                    "spool has files that are none of its own or torn; they are ignored directory={} count={} first={}",
                    directory,
                    ignored.size(),
                    ignored.get(0));
        }
        OptionalLong known = readAcknowledged();
        acknowledged = known.orElse(0);
        while (!entries.isEmpty() && entries.getFirst().sequence() <= acknowledged) {
            delete(entries.getFirst()); // the agent died between writing the number and deleting the files
        }
        if (!entries.isEmpty()) {
            next = Math.max(entries.getLast().sequence(), acknowledged) + 1;
        } else {
            next = known.isPresent() ? acknowledged + 1 : clock.instant().toEpochMilli();
        }
        log.info("spool opened directory={} waiting={} bytes={} next={}", directory, waiting, bytes, next);
    }

    private static boolean looksPacked(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer start = ByteBuffer.allocate(2);
            return channel.size() > 18 && channel.read(start) == 2 && start.getShort(0) == 0x1f8b;
        }
    }

    private OptionalLong readAcknowledged() throws IOException {
        try {
            return OptionalLong.of(
                    Long.parseLong(Files.readString(directory.resolve(ACKNOWLEDGED), StandardCharsets.US_ASCII)
                            .trim()));
        } catch (NoSuchFileException expected) { // a new spool
            return OptionalLong.empty();
        } catch (NumberFormatException e) {
            log.warn("spool forgot what was acknowledged directory={}", directory);
            return OptionalLong.empty();
        }
    }

    /**
     * Appends one snapshot; when this returns, it survives a crash.
     *
     * @param pack makes the bytes for the sequence that the snapshot gets
     * @return that sequence
     * @throws IOException if it could not be kept, e.g. because the disk is full; its sequence is used again
     */
    public synchronized long append(LongFunction<byte[]> pack) throws IOException {
        long sequence = next;
        byte[] packed = pack.apply(sequence);
        int lost = 0;
        while (!entries.isEmpty() && bytes.get() + packed.length > limits.maxBytes()) {
            delete(entries.getFirst());
            lost++;
        }
        if (lost > 0) {
            boolean first = dropped.getAndAdd(lost) == 0;
            if (first) {
                log.warn(
                        "spool is full, the oldest snapshots are dropped directory={} maxBytes={}",
                        directory,
                        limits.maxBytes());
            }
        }
        write(file(sequence), packed);
        next = sequence + 1;
        add(new Entry(sequence, packed.length));
        return sequence;
    }

    /**
     * The oldest snapshots that wait, joined; empty when none does.
     *
     * @param mostBytes a batch is no larger, unless its first snapshot is
     * @param most a batch holds no more
     */
    public synchronized Optional<Batch> oldest(long mostBytes, int most) {
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        long first = 0;
        long last = 0;
        int size = 0;
        List<Entry> unreadable = new ArrayList<>();
        for (Entry entry : entries) {
            if (size == most || (size > 0 && joined.size() + entry.bytes() > mostBytes)) {
                break;
            }
            try {
                joined.writeBytes(Files.readAllBytes(file(entry.sequence())));
            } catch (IOException e) {
                log.warn("snapshot lost, its file cannot be read sequence={}", entry.sequence(), e);
                unreadable.add(entry);
                continue;
            }
            first = size == 0 ? entry.sequence() : first;
            last = entry.sequence();
            size++;
        }
        unreadable.forEach(this::remove);
        dropped.addAndGet(unreadable.size());
        return size == 0 ? Optional.empty() : Optional.of(new Batch(first, last, size, joined.toByteArray()));
    }

    /** Forgets everything up to this sequence: the collector has it. */
    public synchronized void acknowledge(long sequence) throws IOException {
        if (sequence > acknowledged) {
            // on a full disk nothing can be written before something is deleted; the last one stays until then,
            // because it tells where the sequence goes on
            for (Entry entry : entries.stream()
                    .filter(entry -> entry.sequence() < sequence)
                    .toList()) {
                delete(entry);
            }
            write(directory.resolve(ACKNOWLEDGED), (sequence + "\n").getBytes(StandardCharsets.US_ASCII));
            acknowledged = sequence;
        }
        while (!entries.isEmpty() && entries.getFirst().sequence() <= sequence) {
            delete(entries.getFirst());
        }
    }

    /** Sets one snapshot aside that the collector will never accept, and all older ones with it. */
    public synchronized void reject(long sequence) throws IOException {
        Path file = file(sequence);
        if (Files.exists(file)) {
            Files.createDirectories(rejected, PRIVATE);
            Files.copy(file, rejected.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
            setAside.incrementAndGet();
            boundRejected();
        }
        acknowledge(sequence);
    }

    private void boundRejected() throws IOException {
        List<Path> files;
        try (Stream<Path> list = Files.list(rejected)) {
            files = list.sorted().toList();
        }
        long total = 0;
        for (int i = files.size() - 1; i >= 0; i--) {
            total += Files.size(files.get(i));
            if (total > limits.maxRejectedBytes()) {
                Files.delete(files.get(i));
            }
        }
    }

    /** How many snapshots wait. */
    public long waiting() {
        return waiting.get();
    }

    /** How many bytes wait. */
    public long bytes() {
        return bytes.get();
    }

    /** How many snapshots were dropped since the spool was opened, because it was full or a file was unreadable. */
    public long dropped() {
        return dropped.get();
    }

    /** How many snapshots were set aside since the spool was opened. */
    public long rejected() {
        return setAside.get();
    }

    /** Lets another agent have the directory. */
    @Override
    public void close() throws IOException {
        lock.close();
    }

    private void add(Entry entry) {
        entries.addLast(entry);
        waiting.incrementAndGet();
        bytes.addAndGet(entry.bytes());
    }

    private void remove(Entry entry) {
        if (entries.remove(entry)) {
            waiting.decrementAndGet();
            bytes.addAndGet(-entry.bytes());
        }
    }

    private void delete(Entry entry) throws IOException {
        Files.deleteIfExists(file(entry.sequence()));
        remove(entry);
    }

    private Path file(long sequence) {
        return directory.resolve("%020d.json.gz".formatted(sequence));
    }

    /** Puts a whole file there or none. */
    private void write(Path file, byte[] content) throws IOException {
        Path temporary = file.resolveSibling(file.getFileName() + TEMPORARY);
        try {
            try (FileChannel channel = FileChannel.open(
                    temporary,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE,
                    StandardOpenOption.TRUNCATE_EXISTING)) {
                ByteBuffer left = ByteBuffer.wrap(content);
                while (left.hasRemaining()) {
                    channel.write(left);
                }
                channel.force(true);
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true); // on Linux this makes the name itself survive
        }
    }
}
