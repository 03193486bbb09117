package io.fairwatch.collector.ingest;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Batches as they came, packed, from when they are taken until the store has them: what a killed process leaves here is
 * put into the store by the next. Thread-safe.
 *
 * <p>Two files take turns. Each is emptied once the store has all of it, so that together they hold little more than
 * what waits. A batch in them that the store has already does no harm: the store knows it by its sequences. A record is
 * its length and the CRC-32C of its bytes, four bytes each, and the bytes; one that a kill has cut short was never
 * acknowledged.
 */
public final class Journal implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Journal.class);
    private static final int HEAD_BYTES = 8;
    private static final int FILES = 2;
    private static final String ASIDE = "refused-";

    /** A file that has more is left for the other one, once that is empty. */
    private static final long TURN_BYTES = 4 << 20;

    /** What {@link #replay} gives the batches to: those of one file in the order in which they were kept. */
    interface Reader {
        void take(byte[] packed, int file) throws IOException, InterruptedException;
    }

    /** Guarded by the journal. */
    private static final class File {
        final FileChannel channel;
        /** Where the next record begins. */
        long end;
        /** How many of its batches the store does not have yet. */
        int waiting;

        File(FileChannel channel) {
            this.channel = channel;
        }

        void empty() throws IOException {
            channel.truncate(0);
            end = 0;
        }
    }

    private final Path directory;
    private final List<File> files;
    private int turn;

    private Journal(Path directory, List<File> files) {
        this.directory = directory;
        this.files = files;
    }

    /**
     * Opens the journal in a directory, which must exist. Nobody else may have it open.
     *
     * @throws IOException if its files cannot be used
     */
    public static Journal open(Path directory) throws IOException {
        File first = file(directory.resolve("journal-0"));
        try {
            return new Journal(directory, List.of(first, file(directory.resolve("journal-1"))));
        } catch (IOException e) {
            first.channel.close();
            throw e;
        }
    }

    private static File file(Path path) throws IOException {
        return new File(FileChannel.open(
                path,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))));
    }

    /**
     * Reads what an earlier process left, before anything is kept. Each batch waits until it is {@link #stored}. When this fails,
     * nothing may be kept any more, and what was not read stays for the next process.
     */
    void replay(Reader reader) throws IOException, InterruptedException {
        files.forEach(this::expect);
        for (int number = 0; number < FILES; number++) {
            for (byte[] packed = next(number); packed.length > 0; packed = next(number)) {
                reader.take(packed, number);
            }
            stored(number, 1); // so that it was not emptied while it was read
        }
    }

    private synchronized void expect(File file) {
        file.waiting++;
    }

    /** The next whole batch of a file; empty: there is none. What is damaged is left out. */
    private synchronized byte[] next(int number) throws IOException {
        File file = files.get(number);
        while (file.end < file.channel.size()) {
            long left = file.channel.size() - file.end - HEAD_BYTES;
            ByteBuffer head = ByteBuffer.allocate(HEAD_BYTES);
            fill(file.channel, head, file.end);
            int length = head.getInt(0);
            if (left < 1 || length < 1 || length > left) {
                LOG.warn(
                        "the journal ends in a part of a batch, which was not acknowledged file={} at={}",
                        number,
                        file.end);
                break;
            }
            ByteBuffer packed = ByteBuffer.allocate(length);
            fill(file.channel, packed, file.end + HEAD_BYTES);
            if (crc(packed.array()) == head.getInt(4)) {
                file.end += HEAD_BYTES + length;
                file.waiting++;
                return packed.array();
            }
            if (length == left) { // nothing follows, so it is most likely cut short as well
                LOG.warn("the journal ends in a damaged batch file={} at={}", number, file.end);
                break;
            }
            LOG.error(
                    "a batch in the journal is damaged and left out file={} at={} bytes={}", number, file.end, length);
            file.end += HEAD_BYTES + length;
        }
        return new byte[0];
    }

    private static void fill(FileChannel channel, ByteBuffer buffer, long from) throws IOException {
        long at = from;
        for (int read = 0; buffer.hasRemaining() && read >= 0; at += Math.max(0, read)) {
            read = channel.read(buffer, at);
        }
    }

    private static int crc(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return (int) crc.getValue();
    }

    /**
     * Keeps batches; when this returns they survive a {@code kill -9} and a loss of power. All of them or none.
     *
     * @return the file that has them, for {@link #stored}
     */
    int keep(List<byte[]> batches) throws IOException {
        int number;
        int bytes =
                batches.stream().mapToInt(packed -> HEAD_BYTES + packed.length).sum();
        synchronized (this) {
            number = current();
            File file = files.get(number);
            ByteBuffer records = ByteBuffer.allocate(bytes);
            for (byte[] packed : batches) {
                records.putInt(packed.length).putInt(crc(packed)).put(packed);
            }
            records.flip();
            write(number, file, records);
            file.end += bytes;
            file.waiting += batches.size();
        }
        try {
            files.get(number).channel.force(false); // while it waits nobody empties it
        } catch (IOException e) {
            takeBack(number, bytes, batches.size());
            throw e;
        }
        return number;
    }

    private static void write(int number, File file, ByteBuffer records) throws IOException {
        try {
            for (long at = file.end; records.hasRemaining(); ) {
                int written = file.channel.write(records, at); // on a full disk less than all, then an error
                if (written == 0) {
                    throw new FileSystemException("journal-" + number, null, "takes no more");
                }
                at += written;
            }
        } catch (IOException e) {
            file.channel.truncate(file.end); // a full disk shall not be fuller for it
            throw e;
        }
    }

    /** What may not be on the disk is written over, or batches behind it could not be found after a loss of power. */
    private synchronized void takeBack(int number, int bytes, int batches) {
        files.get(number).end -= bytes; // nobody else writes
        stored(number, batches);
    }

    private int current() throws IOException {
        int other = (turn + 1) % FILES;
        if (files.get(turn).end > TURN_BYTES && files.get(other).waiting == 0) {
            files.get(other).empty();
            turn = other;
        }
        return turn;
    }

    /** The store has so many batches of a file, or will never be asked to take them. */
    synchronized void stored(int number, int batches) {
        File file = files.get(number);
        file.waiting -= batches;
        if (file.waiting == 0) {
            try {
                file.empty();
            } catch (IOException e) {
                LOG.warn("the journal could not be emptied; what it holds is in the store already file={}", number, e);
            }
        }
    }

    /**
     * Writes a batch into a file of its own.
     *
     * @param most how many such files there may be
     */
    Path setAside(byte[] packed, int most) throws IOException {
        try (Stream<Path> there = Files.list(directory)) {
            if (there.filter(path -> path.getFileName().toString().startsWith(ASIDE))
                            .count()
                    >= most) {
                throw new FileSystemException(
                        directory.toString(), null, "has " + most + " files " + ASIDE + "* already");
            }
        }
        Path path = Files.createTempFile(directory, ASIDE, ".ndjson.gz"); // its owner's alone
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE)) {
            ByteBuffer bytes = ByteBuffer.wrap(packed);
            while (bytes.hasRemaining()) {
                file.write(bytes);
            }
            file.force(true); // the journal forgets it next
        } catch (IOException e) {
            Files.deleteIfExists(path); // a part of it would look like all of it
            throw e;
        }
        try (FileChannel entry = FileChannel.open(directory)) {
            entry.force(true);
        }
        return path;
    }

    @Override
    public void close() throws IOException {
        IOException failure = null;
        for (File file : files) {
            try {
                file.channel.close();
            } catch (IOException e) {
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
