package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class CleanUtf8Test {
    /** Gives at most a few bytes at a time, as a pipe may. */
    private static final class Dripping extends InputStream {
        private final ByteArrayInputStream in;
        private final Random random;

        Dripping(byte[] bytes, long seed) {
            this.in = new ByteArrayInputStream(bytes);
            this.random = new Random(seed);
        }

        @Override
        public int read() {
            return in.read();
        }

        @Override
        public int read(byte[] to, int offset, int length) {
            return in.read(to, offset, Math.min(length, 1 + random.nextInt(7)));
        }
    }

    private static String read(byte[] bytes, long seed) throws IOException {
        return new String(new CleanUtf8(new Dripping(bytes, seed)).readAllBytes(), StandardCharsets.UTF_8);
    }

    @Test
    @DisplayName("what is UTF-8 passes unchanged, wherever the pipe cuts it")
    void valid() throws IOException {
        String text = "plain, Gr\u00fc\u00dfe, \u65e5\u672c\u8a9e, \ud83d\ude00, end".repeat(50);
        for (long seed = 0; seed < 50; seed++) {
            assertEquals(text, read(text.getBytes(StandardCharsets.UTF_8), seed));
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        assertArrayEquals(bytes, new CleanUtf8(new ByteArrayInputStream(bytes)).readAllBytes());
    }

    @Test
    @DisplayName("any bytes at all become what Java's decoder makes of them in one piece")
    void anything() throws IOException {
        Random random = new Random(20261130);
        for (int i = 0; i < 200; i++) {
            byte[] bytes = new byte[random.nextInt(400)];
            random.nextBytes(bytes);
            assertEquals(new String(bytes, StandardCharsets.UTF_8), read(bytes, i), "seed 20261130, round " + i);
        }
    }

    @Test
    @DisplayName("a letter cut off at the very end becomes one replacement")
    void cutOff() throws IOException {
        assertEquals("a\ufffd", read(new byte[] {'a', (byte) 0xe6, (byte) 0x97}, 1));
    }
}
