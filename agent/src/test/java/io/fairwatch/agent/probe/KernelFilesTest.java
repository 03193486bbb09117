package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class KernelFilesTest {
    @Test
    @DisplayName("a value is found by its whole key, on any line")
    void values() {
        String lines = "anon 1\nanon_thp 2\nshmem 3\ntotal_shmem 4";
        assertEquals(OptionalLong.of(1), KernelFiles.parseValue(lines, "anon"));
        assertEquals(OptionalLong.of(2), KernelFiles.parseValue(lines, "anon_thp"));
        assertEquals(OptionalLong.of(3), KernelFiles.parseValue(lines, "shmem"));
        assertEquals(OptionalLong.of(4), KernelFiles.parseValue(lines, "total_shmem"));
        assertEquals(OptionalLong.empty(), KernelFiles.parseValue(lines, "hmem"));
        assertEquals(OptionalLong.empty(), KernelFiles.parseValue("", "anon"));
        assertEquals(OptionalLong.empty(), KernelFiles.parseValue("anon x", "anon"));
    }

    @Test
    @DisplayName("what is no number of 0 or more is none")
    void numbers() {
        assertEquals(OptionalLong.of(Long.MAX_VALUE), KernelFiles.parseNumber("9223372036854775807"));
        assertEquals(OptionalLong.empty(), KernelFiles.parseNumber("9223372036854775808"));
        assertEquals(OptionalLong.empty(), KernelFiles.parseNumber("18446744073709551615"));
        assertEquals(OptionalLong.empty(), KernelFiles.parseNumber("-1"));
        assertEquals(OptionalLong.empty(), KernelFiles.parseNumber("max"));
        assertEquals(OptionalLong.empty(), KernelFiles.parseNumber(""));
    }

    @Test
    @DisplayName("a file that is not there is empty")
    void missing() {
        assertEquals(Optional.empty(), KernelFiles.readText(Path.of("/proc/0/stat")));
    }
}
