package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.HostReading;
import java.time.Instant;
import java.util.OptionalDouble;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class HostProbeTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");

    @Test
    @DisplayName("this machine has processors, memory and a load; how busy it was, nobody knows at first")
    void real() {
        HostProbe probe = new HostProbe();
        HostReading first = probe.read(NOON);
        assertEquals(OptionalDouble.empty(), first.cpuBusyRatio());
        assertTrue(first.logicalCpus() >= 1);
        assertTrue(first.memoryTotalBytes() > first.memoryAvailableBytes());
        assertTrue(first.memoryAvailableBytes() > 0);
        assertTrue(first.loadAverage().isPresent());
    }

    @Test
    @DisplayName("idle and waiting for I/O is not busy, all else is")
    void busy() {
        // user, nice, system, idle, iowait, irq, softirq, steal
        long[] before = {10, 0, 10, 1000, 50, 0, 0, 0};
        long[] after = {40, 5, 20, 1040, 60, 2, 2, 1};
        assertEquals(OptionalDouble.of((30 + 5 + 10 + 2 + 2 + 1) / 100.0), HostProbe.busyRatio(before, after));
    }

    @Test
    @DisplayName("a counter that steps back counts as standing; no time at all is no ratio")
    void backwards() {
        assertEquals(
                OptionalDouble.of(0.5),
                HostProbe.busyRatio(new long[] {0, 0, 0, 0, 90, 0, 0, 0}, new long[] {5, 0, 0, 5, 80, 0, 0, 0}));
        assertEquals(OptionalDouble.empty(), HostProbe.busyRatio(new long[8], new long[8]));
    }
}
