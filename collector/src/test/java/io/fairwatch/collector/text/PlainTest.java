package io.fairwatch.collector.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.OptionalDouble;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlainTest {
    @Test
    @DisplayName("what is more than nothing is never 0 %, what is less than all never 100 %, absent is unknown")
    void percent() {
        assertEquals("0 %", Plain.percent(0));
        assertEquals("<1 %", Plain.percent(0.0004));
        assertEquals("37 %", Plain.percent(0.37));
        assertEquals("99 %", Plain.percent(0.9999));
        assertEquals("100 %", Plain.percent(1));
        assertEquals("unknown", Plain.percent(OptionalDouble.empty()));
    }

    @Test
    @DisplayName("coverage is cut, but for the milliseconds between two clocks")
    void coverage() {
        assertEquals("100 %", Plain.coverage(0.9999));
        assertEquals("99 %", Plain.coverage(0.995));
        assertEquals("0 %", Plain.coverage(0));
    }

    @Test
    @DisplayName("what could steer a terminal, break a line or turn the writing is replaced")
    void line() {
        assertEquals("a b \uFFFD[31mred\uFFFDtxt", Plain.line("a\nb \u001b[31mred\u202etxt", 80));
        assertEquals("abcdefg...", Plain.line("abcdefghijklmnop", 10));
        assertEquals("\uFFFD", Plain.line("\ud800", 10));
    }

    @ParameterizedTest
    @CsvSource({
        "0,0 s",
        "59,59 s",
        "60,1 min",
        "3599,59 min",
        "9060,2 h 31 min",
        "7200,2 h",
        "86400,1 day",
        "273600,3 days 4 h"
    })
    @DisplayName("durations are never rounded up")
    void duration(long seconds, String text) {
        assertEquals(text, Plain.duration(Duration.ofSeconds(seconds)));
    }

    @Test
    @DisplayName("bytes in binary units")
    void bytes() {
        assertEquals("0 B", Plain.bytes(0));
        assertEquals("31.7 GiB", Plain.bytes(34_057_748_480L));
    }
}
