package io.fairwatch.agent.spool;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
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
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A bounded queue of packed snapshots in a directory. Thread-safe; every method but the counters blocks on the disk, so
 * none is called on the event loop.
 */
public final class Spool implements AutoCloseable {
    /** What is kept in memory while the disk takes nothing: some 80 snapshots of a large node. */
    static final long MOST_BYTES_IN_MEMORY = 512 * 1024;

    /**
     * How much a spool may hold.
     *
     * @param maxBytes of waiting snapshots
     * @param maxAge of waiting snapshots, by the node's clock
     * @param maxRejectedBytes of snapshots that the collector refused for good
     */
    public record Limits(long maxBytes, Duration maxAge, long maxRejectedBytes) {
        public Limits {
            if (maxBytes <= 0 || maxAge.isNegative() || maxAge.isZero() || maxRejectedBytes < 0) {
                throw new IllegalArgumentException("limits: " + maxBytes + ", " + maxAge + ", " + maxRejectedBytes
                        + " (expected: more than 0, more than 0, 0 or more)");
            }
        }
    }

    /** Why a snapshot was dropped before the collector had it. */
    public enum Loss {
        /** More than {@link Limits#maxBytes} waited; this was the oldest. */
        BYTES,
        /** It waited for longer than {@link Limits#maxAge}. */
        AGE,
        /** The disk took nothing (full, read-only, broken) and memory was full too; this was the oldest. */
        DISK,
        /** Its file was torn, altered, unreadable or gone. */
        DAMAGED
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

    /** A snapshot that waits. {@code memory} holds it while the disk does not. */
    private static final class Entry {
        private final long sequence;
        private final long bytes;
        private Instant keptAt;
        /** Whether an earlier process wrote it, and this one has not yet seen that it is whole. */
        private boolean doubtful;

        private byte @Nullable [] memory;

        Entry(long sequence, long bytes, Instant keptAt, boolean doubtful, byte @Nullable [] memory) {
            this.sequence = sequence;
            this.bytes = bytes;
            this.keptAt = keptAt;
            this.doubtful = doubtful;
            this.memory = memory;
        }
    }

    private static final Logger log = LoggerFactory.getLogger(Spool.class);
    private static final Pattern FILE = Pattern.compile("(\\d{20})\\.json\\.gz");
    private static final Pattern NUMBERS = Pattern.compile("(\\d{19}) (\\d{19}) ([0-9a-f]{8})\n");
    private static final Pattern ONE_NUMBER = Pattern.compile("([1-9]\\d{0,18})\n");
    private static final String TEMPORARY = ".tmp";
    private static final String ACKNOWLEDGED = "acknowledged";
    private static final String LOCK = "lock";
    private static final String REJECTED = "rejected";
    private static final FileAttribute<?> PRIVATE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

    private final Path directory;
    private final Path rejected;
    private final Limits limits;
    private final InstantSource clock;
    private volatile Optional<Instant> acknowledgedAt = Optional.empty();
    private final FileChannel lock;
    private final Deque<Entry> entries = new ArrayDeque<>();
    /** Files that are done with, but that the disk would not delete. */
    private final Deque<Path> leftover = new ArrayDeque<>();

    private final Map<Loss, AtomicLong> losses = new EnumMap<>(Loss.class);
    private final AtomicLong waiting = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong setAside = new AtomicLong();
    private long inMemory;
    private long acknowledged;
    private long next;
    private volatile @Nullable String trouble;

    private Spool(Path directory, Limits limits, InstantSource clock, FileChannel lock) {
        this.directory = directory;
        this.rejected = directory.resolve(REJECTED);
        this.limits = limits;
        this.clock = clock;
        this.lock = lock;
        for (Loss loss : Loss.values()) {
            losses.put(loss, new AtomicLong());
        }
    }

    /**
     * Opens a spool and finds what an earlier agent left in it.
     *
     * @param clock gives the first sequence where no earlier one is known, and the age of what waits
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
            Spool spool = new Spool(directory, limits, clock, channel);
            spool.find();
            return spool;
        } catch (OverlappingFileLockException e) {
            channel.close();
            throw new IOException(directory + ": this agent uses this spool already", e);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private synchronized void find() throws IOException {
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
                discard(file); // the agent died while it wrote; nobody was promised this one
            } else if (matcher.matches() && looksPacked(file)) {
                add(new Entry(
                        Long.parseLong(matcher.group(1)),
                        Files.size(file),
                        Files.getLastModifiedTime(file).toInstant(),
                        true,
                        null));
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
        OptionalLong known = readNumbers();
        acknowledged = known.orElse(0);
        while (!entries.isEmpty() && entries.getFirst().sequence <= acknowledged) {
            done(entries.removeFirst()); // the agent died between writing the number and deleting the files
        }
        long clear = Math.max(acknowledged, entries.isEmpty() ? 0 : entries.getLast().sequence) + 1;
        next = Math.max(
                next, known.isEmpty() && entries.isEmpty() ? clock.instant().toEpochMilli() : clear);
        if (known.isEmpty()) {
            acknowledged = entries.isEmpty() ? next - 1 : entries.getFirst().sequence - 1;
        }
        noteNumbers(); // now, because a full disk lets a file be written over, but not be made
        trim(0);
        log.info("spool opened directory={} waiting={} bytes={} next={}", directory, waiting, bytes, next);
    }

    private static boolean looksPacked(Path file) {
        if (!Files.isRegularFile(file)) {
            return false;
        }
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer start = ByteBuffer.allocate(2);
            return channel.size() > 18 && channel.read(start) == 2 && start.getShort(0) == 0x1f8b;
        } catch (IOException e) { // one bad sector must not keep the agent from starting
            log.warn("spool file cannot be read file={}", file, e);
            return false;
        }
    }

    /** Reads both numbers, or the one of earlier versions. */
    private OptionalLong readNumbers() {
        String text;
        try {
            text = Files.readString(directory.resolve(ACKNOWLEDGED), StandardCharsets.ISO_8859_1);
        } catch (NoSuchFileException expected) { // a new spool
            return OptionalLong.empty();
        } catch (IOException e) {
            log.warn("spool cannot read what was acknowledged directory={}", directory, e);
            return OptionalLong.empty();
        }
        try {
            Matcher both = NUMBERS.matcher(text);
            if (both.matches() && both.group(3).equals(check(text.substring(0, both.start(3))))) {
                next = Long.parseLong(both.group(2));
                return OptionalLong.of(Long.parseLong(both.group(1)));
            }
            Matcher one = ONE_NUMBER.matcher(text);
            if (one.matches()) {
                return OptionalLong.of(Long.parseLong(one.group(1)));
            }
        } catch (NumberFormatException expected) { // 19 digits beyond a long: as torn as anything else
        }
        log.warn("spool forgot what was acknowledged directory={}", directory);
        return OptionalLong.empty();
    }

    /**
     * Notes what was acknowledged and which number comes next: {@code 0000001700000004711 0000001700000004712 5e8f0a3c},
     * always of one length and written over itself, because a full disk takes that.
     */
    private boolean noteNumbers() {
        String numbers = "%019d %019d ".formatted(acknowledged, next);
        try (FileChannel channel = FileChannel.open(
                directory.resolve(ACKNOWLEDGED), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            ByteBuffer line = ByteBuffer.wrap((numbers + check(numbers) + "\n").getBytes(StandardCharsets.US_ASCII));
            while (line.hasRemaining()) {
                channel.write(line, line.position());
            }
            channel.truncate(line.limit());
            return true; // not forced: a node that loses power sends a batch again, under another boot id for new ones
        } catch (IOException e) { // the batch would be sent again after a restart, and the collector would know it
            troubled("what was acknowledged cannot be noted", e);
            return false;
        }
    }

    private static String check(String numbers) {
        CRC32 crc = new CRC32();
        crc.update(numbers.getBytes(StandardCharsets.US_ASCII));
        return "%08x".formatted(crc.getValue());
    }

    /**
     * Appends one snapshot; when this returns, it survives a crash, unless {@link #trouble} says that the disk takes
     * nothing: then it waits in memory until the disk does.
     *
     * @param pack makes the bytes for the sequence that the snapshot gets
     * @return that sequence
     */
    public synchronized long append(LongFunction<byte[]> pack) {
        long sequence = next;
        byte[] packed = pack.apply(sequence);
        trim(packed.length);
        next = sequence + 1;
        add(new Entry(sequence, packed.length, clock.instant(), false, packed));
        inMemory += packed.length;
        settle();
        return sequence;
    }

    /** Drops what is too old, and the oldest until there is room for so many bytes. */
    private void trim(long more) {
        Instant now = clock.instant();
        if (!entries.isEmpty() && entries.getLast().keptAt.isAfter(now)) {
            for (Entry entry : entries) { // the clock was set back; nothing is from the future
                entry.keptAt = entry.keptAt.isAfter(now) ? now : entry.keptAt;
            }
        }
        Instant oldest = now.minus(limits.maxAge());
        while (!entries.isEmpty() && entries.getFirst().keptAt.isBefore(oldest)) {
            lose(entries.removeFirst(), Loss.AGE);
        }
        while (!entries.isEmpty() && bytes.get() + more > limits.maxBytes()) {
            lose(entries.removeFirst(), Loss.BYTES);
        }
    }

    /**
     * Writes what is in memory to the disk. While the disk takes nothing and memory is full, the oldest make room: those
     * on the disk first, because they are older and a full disk has room then.
     */
    private void settle() {
        clearLeftover();
        @Nullable IOException failure = writeMemory();
        while (failure != null && inMemory > MOST_BYTES_IN_MEMORY) {
            Entry oldest = entries.removeFirst();
            boolean onDisk = oldest.memory == null;
            lose(oldest, Loss.DISK);
            if (onDisk && leftover.isEmpty()) {
                failure = writeMemory();
            }
        }
        if (failure == null) {
            recovered();
        } else {
            troubled("nothing can be written, new snapshots wait in memory", failure);
            noteNumbers(); // no file tells that this number was given
        }
    }

    private @Nullable IOException writeMemory() {
        for (Entry entry : entries) {
            byte[] packed = entry.memory;
            if (packed != null) {
                try {
                    write(file(entry.sequence), packed);
                } catch (IOException e) {
                    return e;
                }
                entry.memory = null;
                inMemory -= packed.length;
            }
        }
        return null;
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
        for (Iterator<Entry> all = entries.iterator(); all.hasNext(); ) {
            Entry entry = all.next();
            if (size == most || (size > 0 && joined.size() + entry.bytes > mostBytes)) {
                break;
            }
            try {
                joined.writeBytes(read(entry));
            } catch (IOException e) {
                log.warn("snapshot lost, its file is damaged sequence={} why=\"{}\"", entry.sequence, e.toString());
                all.remove();
                lose(entry, Loss.DAMAGED);
                continue;
            }
            first = size == 0 ? entry.sequence : first;
            last = entry.sequence;
            size++;
        }
        return size == 0 ? Optional.empty() : Optional.of(new Batch(first, last, size, joined.toByteArray()));
    }

    private byte[] read(Entry entry) throws IOException {
        byte[] memory = entry.memory;
        if (memory != null) {
            return memory;
        }
        byte[] packed = Files.readAllBytes(file(entry.sequence));
        if (entry.doubtful) {
            requireWhole(packed);
            entry.doubtful = false;
        }
        return packed;
    }

    /** Unpacks to nowhere: the format has a checksum. */
    private static void requireWhole(byte[] packed) throws IOException {
        ByteArrayInputStream rest = new ByteArrayInputStream(packed);
        try (InputStream in = new GZIPInputStream(rest)) {
            in.transferTo(OutputStream.nullOutputStream());
        }
    }

    /** Forgets everything up to this sequence: the collector has it. */
    public synchronized void acknowledge(long sequence) {
        settle(sequence);
        acknowledgedAt = Optional.of(clock.instant());
    }

    /** When the collector last had something, by the node's clock; empty: not since the start. */
    public Optional<Instant> acknowledgedAt() {
        return acknowledgedAt;
    }

    private void settle(long sequence) {
        if (sequence > acknowledged) {
            acknowledged = sequence;
            noteNumbers();
        }
        while (!entries.isEmpty() && entries.getFirst().sequence <= sequence) {
            done(entries.removeFirst());
        }
        clearLeftover();
    }

    /** Sets one snapshot aside that the collector will never accept, and forgets all older ones with it. */
    public synchronized void reject(long sequence) {
        Path file = file(sequence);
        setAside.incrementAndGet();
        try {
            if (Files.exists(file)) {
                if (!Files.isDirectory(rejected)) {
                    Files.createDirectory(rejected, PRIVATE);
                }
                Files.move(file, rejected.resolve(file.getFileName()), StandardCopyOption.ATOMIC_MOVE);
                boundRejected();
            }
        } catch (IOException e) { // it is only for people to look at; delivery goes on
            log.warn("refused snapshot cannot be set aside sequence={} why=\"{}\"", sequence, e.toString());
        }
        settle(sequence);
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

    /** How many snapshots were dropped since the spool was opened, for whatever reason. */
    public long dropped() {
        return losses.values().stream().mapToLong(AtomicLong::get).sum();
    }

    /** How many snapshots were dropped for this reason since the spool was opened. */
    public long dropped(Loss why) {
        AtomicLong count = losses.get(why);
        return count == null ? 0 : count.get();
    }

    /** How many snapshots were set aside since the spool was opened. */
    public long rejected() {
        return setAside.get();
    }

    /** What is wrong with the disk, in a sentence; empty when nothing is. */
    public Optional<String> trouble() {
        return Optional.ofNullable(trouble);
    }

    /** Writes what is in memory if the disk takes it, and lets another agent have the directory. */
    @Override
    public synchronized void close() throws IOException {
        if (lock.isOpen() && inMemory > 0) {
            settle();
        }
        lock.close();
    }

    private void add(Entry entry) {
        entries.addLast(entry);
        waiting.incrementAndGet();
        bytes.addAndGet(entry.bytes);
    }

    /** To be called with an entry that was just taken out. */
    private void done(Entry entry) {
        byte[] memory = entry.memory;
        waiting.decrementAndGet();
        bytes.addAndGet(-entry.bytes);
        if (memory == null) {
            discard(file(entry.sequence));
        } else {
            inMemory -= memory.length;
        }
    }

    private void lose(Entry entry, Loss why) {
        done(entry);
        AtomicLong count = losses.get(why);
        if (count != null && count.getAndIncrement() == 0) {
            log.warn(
                    "snapshots are dropped, the oldest first reason={} sequence={} directory={} maxBytes={} maxAge={}",
                    why,
                    entry.sequence,
                    directory,
                    limits.maxBytes(),
                    limits.maxAge());
        }
    }

    private void discard(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) { // is sent again after a restart at worst, and known to the collector
            leftover.add(file);
            troubled("files that are done with cannot be deleted", e);
        }
    }

    private void clearLeftover() {
        for (int i = leftover.size(); i > 0; i--) {
            try {
                Files.deleteIfExists(leftover.getFirst());
            } catch (IOException expected) { // was told when it began
                return;
            }
            leftover.removeFirst();
        }
    }

    private void troubled(String what, IOException why) {
        if (trouble == null) {
            log.error(
                    "spool has trouble with its disk directory={} what=\"{}\" why=\"{}\"",
                    directory,
                    what,
                    why.toString());
        }
        trouble = "spool " + directory + ": " + what + " (" + why + ")";
    }

    /** After a write that succeeded. */
    private void recovered() {
        if (trouble != null && leftover.isEmpty() && noteNumbers()) {
            log.info("spool can be written again directory={}", directory);
            trouble = null;
        }
    }

    private Path file(long sequence) {
        String number = Long.toString(sequence);
        return directory.resolve("0".repeat(20 - number.length()) + number + ".json.gz");
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
        } catch (IOException e) {
            try {
                Files.deleteIfExists(temporary);
            } catch (IOException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true); // on Linux this makes the name itself survive
        }
    }
}
