package io.fairwatch.collector.ingest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.PriorityQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    private static final long MIB = 1 << 20;

    private final AtomicLong nanos = new AtomicLong(-5);
    private final Admission admission = new Admission(12 * MIB, nanos::get);

    @Test
    @DisplayName("there is room for so much and no more, until a body is answered")
    void room() {
        for (int i = 0; i < 12; i++) {
            assertTrue(admission.enter(MIB));
        }
        assertFalse(admission.enter(MIB));
        admission.leave(MIB);
        assertTrue(admission.enter(MIB));
    }

    @Test
    @DisplayName(
            "a node that is up to date finds room when those that catch up have taken all of theirs, but not for ever")
    void small() {
        assertTrue(admission.enter(12 * MIB));
        int small = 0;
        while (admission.enter(Admission.SMALL_BYTES)) {
            small++;
        }
        assertEquals(96, small);
    }

    @Test
    @DisplayName("those that find no room get turns one after another, at the latest in nine minutes")
    void turns() {
        Duration first = admission.turn(MIB);
        Duration second = admission.turn(MIB);
        assertEquals(Duration.ofMillis(2100), first);
        assertEquals(Duration.ofMillis(2200), second);
        for (int i = 0; i < 10_000; i++) {
            admission.turn(MIB);
        }
        assertEquals(Duration.ofMinutes(9), admission.turn(MIB));
        nanos.addAndGet(Duration.ofMinutes(15).toNanos());
        assertEquals(first, admission.turn(MIB));
    }

    /** A sender and when it comes. */
    private record Sender(int number, long nanos) {}

    @Test
    @DisplayName(
            "ten thousand that come at once are served about as fast as can be, in a few tries each, none of them late")
    void crowd() {
        int count = 10_000;
        long bytes = 250_000;
        long serviceNanos = 60_000_000; // 4 MB/s, half of what is assumed at first
        PriorityQueue<Sender> coming = new PriorityQueue<>((a, b) -> Long.compare(a.nanos(), b.nanos()));
        for (int i = 0; i < count; i++) {
            coming.add(new Sender(i, i * 1_000L));
        }
        Deque<Long> answers = new ArrayDeque<>(); // one after another
        int tries = 0;
        int served = 0;
        while (served < count) {
            long next = coming.isEmpty() ? Long.MAX_VALUE : coming.peek().nanos();
            if (!answers.isEmpty() && answers.getFirst() <= next) {
                nanos.set(answers.removeFirst());
                admission.leave(bytes);
                served++;
                continue;
            }
            Sender sender = coming.remove();
            nanos.set(sender.nanos());
            tries++;
            if (admission.enter(bytes)) {
                answers.add((answers.isEmpty() ? nanos.get() : answers.getLast()) + serviceNanos);
            } else {
                coming.add(new Sender(
                        sender.number(), nanos.get() + admission.turn(bytes).toNanos()));
            }
        }
        double ideal = count * serviceNanos / 1e9;
        assertTrue(nanos.get() / 1e9 < 1.2 * ideal, nanos.get() / 1e9 + " s, at best " + ideal);
        assertTrue(tries < 4 * count, tries + " tries");
    }
}
