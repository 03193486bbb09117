package io.fairwatch.collector.slurm;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * A stream of bytes in which everything that is no UTF-8 has become U+FFFD. Slurm passes on what users write, and one
 * such byte would make a strict parser lose every job. Bytes that are ASCII pass as they are, which costs next to nothing.
 * Confined to the thread that reads it.
 */
final class CleanUtf8 extends InputStream {
    private static final int CHUNK = 1 << 16;

    /** The longest sequence of UTF-8 that can stand unfinished at the end of a chunk. */
    private static final int MOST_UNFINISHED = 3;

    private final InputStream in;
    private final CharsetDecoder decoder = StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
    private final byte[] raw = new byte[CHUNK + MOST_UNFINISHED];
    private ByteBuffer clean = ByteBuffer.allocate(0);
    private int unfinished;
    private boolean ended;

    CleanUtf8(InputStream in) {
        this.in = in;
    }

    @Override
    public int read() throws IOException {
        return fill() ? clean.get() & 0xff : -1;
    }

    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        if (!fill()) {
            return -1;
        }
        int count = Math.min(length, clean.remaining());
        clean.get(to, offset, count);
        return count;
    }

    /** Whether there is something to be taken; waits for it. */
    private boolean fill() throws IOException {
        while (!clean.hasRemaining()) {
            if (ended) {
                return false;
            }
            int count = in.read(raw, unfinished, CHUNK);
            ended = count < 0;
            int length = unfinished + Math.max(0, count);
            unfinished = 0;
            clean = isAscii(length) ? ByteBuffer.wrap(raw, 0, length) : cleaned(length);
        }
        return true;
    }

    private boolean isAscii(int length) {
        int bits = 0;
        for (int i = 0; i < length; i++) {
            bits |= raw[i];
        }
        return bits >= 0;
    }

    private ByteBuffer cleaned(int length) {
        ByteBuffer from = ByteBuffer.wrap(raw, 0, length);
        CharBuffer text = CharBuffer.allocate(length);
        decoder.reset();
        decoder.decode(from, text, ended);
        unfinished = from.remaining();
        ByteBuffer bytes = StandardCharsets.UTF_8.encode(text.flip());
        System.arraycopy(raw, length - unfinished, raw, 0, unfinished);
        return bytes;
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
