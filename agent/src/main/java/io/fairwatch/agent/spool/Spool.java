package io.fairwatch.agent.spool;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
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

    /** How many snapshots wait at most: a week of them at 5 s, 45 days at 30 s. Each takes 20 bytes of memory. */
    static final int MOST_WAITING = 1 << 17;

    /** No snapshot is larger, so no file that is larger is one. */
    private static final long LARGEST_SNAPSHOT = 4 << 20;

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
        /** More than the agent can keep in mind waited; this was the oldest. */
        COUNT,
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

    private static final Logger log = LoggerFactory.getLogger(Spool.class);
    private static final Pattern FILE = Pattern.compile("0(\\d{19})\\.json\\.gz");
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
    private final int mostWaiting;
    private volatile Optional<Instant> acknowledgedAt = Optional.empty();
    private final FileChannel lock;
    private final Waiting entries = new Waiting();
    /** One of the files that are done with, but that the disk would not delete; null: there are none. */
    private @Nullable Path leftover;

    private final Map<Loss, AtomicLong> losses = new EnumMap<>(Loss.class);
    private final AtomicLong waiting = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong setAside = new AtomicLong();
    /** What an earlier process wrote: from there to there it is not known whether it is whole. */
    private long doubtfulFrom;

    private long doubtfulTo;
    private long acknowledged;
    private long next;
    private volatile @Nullable String trouble;

    private Spool(Path directory, Limits limits, InstantSource clock, int mostWaiting, FileChannel lock) {
        this.directory = directory;
        this.rejected = directory.resolve(REJECTED);
        this.limits = limits;
        this.clock = clock;
        this.mostWaiting = mostWaiting;
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
        return open(directory, limits, clock, MOST_WAITING);
    }

    static Spool open(Path directory, Limits limits, InstantSource clock, int mostWaiting) throws IOException {
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
            Spool spool = new Spool(directory, limits, clock, mostWaiting, channel);
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
        long[] found = list();
        for (long sequence : found) {
            try {
                BasicFileAttributes file =
                        Files.readAttributes(file(sequence), BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
                add(sequence, file.size(), file.lastModifiedTime().toMillis());
            } catch (IOException e) { // one bad sector must not keep the agent from starting
                log.warn("spool file cannot be looked at sequence={}", sequence, e);
            }
        }
        doubtfulTo = entries.isEmpty() ? 0 : entries.sequence(entries.size() - 1);
        OptionalLong known = readNumbers();
        acknowledged = known.orElse(0);
        while (!entries.isEmpty() && entries.sequence(0) <= acknowledged) {
            done(0); // the agent died between writing the number and deleting the files
        }
        long clear = Math.max(acknowledged, doubtfulTo) + 1;
        next = Math.max(
                next, known.isEmpty() && entries.isEmpty() ? clock.instant().toEpochMilli() : clear);
        if (known.isEmpty()) {
            acknowledged = entries.isEmpty() ? next - 1 : entries.sequence(0) - 1;
        }
        noteNumbers(); // now, because a full disk lets a file be written over, but not be made
        trim(0);
        log.info("spool opened directory={} waiting={} bytes={} next={}", directory, waiting, bytes, next);
    }

    /** The sequences of the files that may be snapshots, in order; the oldest are dropped when there are too many. */
    private long[] list() throws IOException {
        long[] found = new long[256];
        int size = 0;
        int ignored = 0;
        String ignoredName = "";
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                String name = file.getFileName().toString();
                OptionalLong sequence = sequenceOf(name);
                boolean ours = name.endsWith(TEMPORARY) || sequence.isPresent();
                if (ours && !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                    ours = false;
                } else if (name.endsWith(TEMPORARY)) {
                    discard(file); // the agent died while it wrote; nobody was promised this one
                } else if (sequence.isPresent()) {
                    if (size == found.length) {
                        found = Arrays.copyOf(found, 2 * size);
                    }
                    found[size++] = sequence.getAsLong();
                    size = size > mostWaiting + mostWaiting / 8 ? dropOldest(found, size) : size;
                }
                if (!ours && !List.of(ACKNOWLEDGED, LOCK, REJECTED).contains(name)) {
                    ignored++;
                    ignoredName = name;
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        if (ignored > 0) {
            log.warn(
                    "spool has files that are none of its own; they are ignored directory={} count={} one={}",
                    directory,
                    ignored,
                    ignoredName);
        }
        return Arrays.copyOf(found, dropOldest(found, size));
    }

    /** Puts them in order and drops those that are too many; how many are left. */
    private int dropOldest(long[] found, int size) {
        Arrays.sort(found, 0, size);
        int dropped = Math.max(0, size - mostWaiting);
        for (int i = 0; i < dropped; i++) {
            discard(file(found[i]));
            count(Loss.COUNT, found[i]);
        }
        System.arraycopy(found, dropped, found, 0, size - dropped);
        return size - dropped;
    }

    /** The number that a name says; empty: it is no snapshot's. */
    private static OptionalLong sequenceOf(String name) {
        Matcher matcher = FILE.matcher(name);
        return matcher.matches() ? OptionalLong.of(Long.parseLong(matcher.group(1))) : OptionalLong.empty();
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
        entries.addInMemory(sequence, packed, clock.millis());
        recount();
        settle();
        return sequence;
    }

    /** Drops what is too old, and the oldest until there is room for so many bytes. */
    private void trim(long more) {
        long now = clock.millis();
        if (!entries.isEmpty() && entries.keptMillis(entries.size() - 1) > now) {
            entries.keptNoLaterThan(now); // the clock was set back; nothing is from the future
        }
        while (!entries.isEmpty()
                && now - entries.keptMillis(0) > limits.maxAge().toMillis()) {
            lose(0, Loss.AGE);
        }
        while (!entries.isEmpty() && entries.bytes() + more > limits.maxBytes()) {
            lose(0, Loss.BYTES);
        }
        while (more > 0 && entries.size() >= mostWaiting) {
            lose(0, Loss.COUNT);
        }
    }

    /**
     * Writes what is in memory to the disk. While the disk takes nothing and memory is full, the oldest make room: those
     * on the disk first, because they are older and a full disk has room then; unless the disk does not delete either,
     * for then it is read-only, what is on it can be read and sent, and nothing there would make room.
     */
    private void settle() {
        clearLeftover();
        @Nullable IOException failure = writeMemory();
        while (failure != null && entries.bytesInMemory() > MOST_BYTES_IN_MEMORY) {
            if (leftover == null && entries.onDisk() > 0 && isDeleted(file(entries.sequence(0)))) {
                lose(0, Loss.DISK);
                failure = writeMemory();
            } else {
                lose(entries.onDisk(), Loss.DISK);
            }
        }
        if (failure == null) {
            recovered();
        } else {
            troubled("nothing can be written, new snapshots wait in memory", failure);
            noteNumbers(); // no file tells that this number was given
        }
    }

    private static boolean isDeleted(Path file) {
        try {
            Files.deleteIfExists(file);
            return true;
        } catch (IOException expected) { // whoever asks has another way
            return false;
        }
    }

    private @Nullable IOException writeMemory() {
        while (entries.onDisk() < entries.size()) {
            int oldest = entries.onDisk();
            try {
                write(file(entries.sequence(oldest)), Objects.requireNonNull(entries.inMemory(oldest)));
            } catch (IOException e) {
                return e;
            }
            entries.written();
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
        while (!entries.isEmpty()) {
            int size = 0;
            long total = 0;
            while (size < Math.min(most, entries.size()) && (size == 0 || total + entries.bytes(size) <= mostBytes)) {
                total += entries.bytes(size++);
            }
            Optional<byte[]> joined = join(size, total);
            if (joined.isPresent()) {
                return Optional.of(new Batch(entries.sequence(0), entries.sequence(size - 1), size, joined.get()));
            }
        }
        return Optional.empty();
    }

    /** The oldest so many, one after another; empty when one was damaged, which is then no more among them. */
    private Optional<byte[]> join(int size, long total) {
        int at = 0;
        try {
            if (size == 1) {
                return Optional.of(read(0));
            }
            byte[] joined = new byte[Math.toIntExact(total)];
            int filled = 0;
            for (; at < size; at++) {
                byte[] packed = read(at);
                System.arraycopy(packed, 0, joined, filled, packed.length);
                filled += packed.length;
            }
            return Optional.of(joined);
        } catch (IOException e) {
            log.warn("snapshot lost, its file is damaged sequence={} why=\"{}\"", entries.sequence(at), e.toString());
            lose(at, Loss.DAMAGED);
            return Optional.empty();
        }
    }

    private byte[] read(int index) throws IOException {
        byte[] memory = entries.inMemory(index);
        if (memory != null) {
            return memory;
        }
        long sequence = entries.sequence(index);
        if (entries.bytes(index) > LARGEST_SNAPSHOT) {
            throw new IOException(entries.bytes(index) + " bytes (expected: at most " + LARGEST_SNAPSHOT + ")");
        }
        byte[] packed;
        try (InputStream in = Files.newInputStream(file(sequence))) {
            packed = in.readNBytes(entries.bytes(index) + 1);
        }
        if (packed.length != entries.bytes(index)) {
            throw new IOException("its file has changed");
        }
        if (sequence > doubtfulFrom && sequence <= doubtfulTo) {
            requireWhole(packed);
            doubtfulFrom = sequence; // they are read in order
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
        while (!entries.isEmpty() && entries.sequence(0) <= sequence) {
            done(0);
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
        if (lock.isOpen() && entries.bytesInMemory() > 0) {
            settle();
        }
        lock.close();
    }

    private void add(long sequence, long bytesOfFile, long millis) {
        entries.addOnDisk(sequence, bytesOfFile, millis);
        recount();
    }

    private void recount() {
        waiting.set(entries.size());
        bytes.set(entries.bytes());
    }

    private void done(int index) {
        boolean onDisk = index < entries.onDisk();
        Path file = file(entries.sequence(index));
        entries.remove(index);
        recount();
        if (onDisk) {
            discard(file);
        }
    }

    private void lose(int index, Loss why) {
        long sequence = entries.sequence(index);
        done(index);
        count(why, sequence);
    }

    private void count(Loss why, long sequence) {
        AtomicLong count = losses.get(why);
        if (count != null && count.getAndIncrement() == 0) {
            log.warn(
                    "snapshots are dropped, the oldest first reason={} sequence={} directory={} maxBytes={} maxAge={}",
                    why,
                    sequence,
                    directory,
                    limits.maxBytes(),
                    limits.maxAge());
        }
    }

    private void discard(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) { // is sent again after a restart at worst, and known to the collector
            leftover = file;
            troubled("files that are done with cannot be deleted", e);
        }
    }

    /** Once one of them can be deleted, they all are: what has a snapshot's name and does not wait. */
    private void clearLeftover() {
        Path one = leftover;
        if (one == null || !isDeleted(one)) {
            return;
        }
        leftover = null;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                String name = file.getFileName().toString();
                OptionalLong sequence = sequenceOf(name);
                boolean gone =
                        sequence.isPresent() ? !entries.contains(sequence.getAsLong()) : name.endsWith(TEMPORARY);
                if (gone && Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                    discard(file);
                }
            }
        } catch (IOException | DirectoryIteratorException e) { // they are found after a restart
            log.warn("spool cannot be searched for what is done with directory={} why=\"{}\"", directory, e.toString());
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
        if (trouble != null && leftover == null && noteNumbers()) {
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
