package io.fairwatch.collector.usage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class PartsTest {
    private static final Parts.Grain MINUTES = new Parts.Grain(60_000, 4);

    private final Parts parts = new Parts(MINUTES, 2);

    private void put(long part, int value) {
        int at = parts.begin(part);
        parts.packed()[at]++;
        parts.packed()[at + 1] += value;
    }

    private int sum(long from) {
        int sum = 0;
        for (long part = from; part <= parts.newest(); part++) {
            int at = parts.find(part);
            sum += at < 0 ? 0 : parts.packed()[at + 1];
        }
        return sum;
    }

    @Test
    @DisplayName("what ends with a part belongs to it, and a time begins with a part")
    void cut() {
        assertEquals(0, MINUTES.of(60_000));
        assertEquals(1, MINUTES.of(60_001));
        assertEquals(-1, MINUTES.of(0));
        assertEquals(
                Instant.ofEpochMilli(60_000), MINUTES.begin(Duration.ofSeconds(59), Instant.ofEpochMilli(120_000)));
        assertEquals(Duration.ofSeconds(150), MINUTES.longest());
    }

    @Test
    @DisplayName("the newest take the place of the oldest, and nothing is left of what lies between")
    void newest() {
        assertEquals(-1, parts.find(5));
        assertFalse(parts.hasForgotten(Instant.EPOCH));
        put(5, 1);
        put(6, 10);
        put(8, 100);
        assertEquals(111, sum(5));
        assertEquals(-1, parts.find(7));
        assertFalse(parts.hasForgotten(Instant.ofEpochMilli(5 * 60_000)));
        assertTrue(parts.hasForgotten(Instant.ofEpochMilli(5 * 60_000 - 1)));
        put(9, 1000);
        assertEquals(1110, sum(5));
        put(20, 5);
        assertEquals(5, sum(0));
        assertTrue(parts.begin(16) < 0, "too old");
        put(17, 7);
        assertEquals(12, sum(17));
        parts.clear();
        assertEquals(0, sum(0));
    }

    @Test
    @DisplayName("what is made wider keeps what it has")
    void widen() {
        put(-3, 4);
        put(-1, 6);
        parts.widen(5);
        assertEquals(5, parts.width());
        assertEquals(10, sum(-3));
        put(-3, 1);
        assertEquals(0, parts.packed()[parts.find(-3) + 4]);
        assertEquals(11, sum(-3));
    }
}
