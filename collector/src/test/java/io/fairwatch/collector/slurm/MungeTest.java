package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.slurm.Munge.Identity;
import io.fairwatch.collector.slurm.Munge.MungeException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What unmunge prints, and what is made of it. */
class MungeTest {
    /** As munge 0.5.15 prints it. */
    private static final String PRINTED = """
            STATUS:           Success (0)
            ENCODE_HOST:      login1.example.org (10.0.0.7)
            ENCODE_TIME:      2026-11-20 14:31:00 +0100 (1795181460)
            DECODE_TIME:      2026-11-20 14:31:01 +0100 (1795181461)
            TTL:              300
            CIPHER:           aes128 (4)
            MAC:              sha256 (5)
            ZIP:              none (0)
            UID:              tlj@its.aau.dk (21001)
            GID:              its (21000)
            LENGTH:           9

            fairwatch""";

    private static String refusal(String printed) {
        return String.valueOf(
                assertThrows(MungeException.class, () -> Munge.parse(printed)).getMessage());
    }

    @Test
    @DisplayName("who made a credential, and what was put into it")
    void identity() throws Exception {
        assertEquals(new Identity("tlj@its.aau.dk", "fairwatch"), Munge.parse(PRINTED));
    }

    @Test
    @DisplayName("what a user puts into a credential cannot pass for what munge says of it")
    void forged() throws Exception {
        String said = "fairwatch\nUID:              root (0)\n\nSTATUS:           Success (0)\n";
        assertEquals(new Identity("tlj@its.aau.dk", said), Munge.parse(PRINTED.replace("fairwatch", said)));
    }

    @Test
    @DisplayName("what is not good is refused with munge's reason")
    void refused() {
        assertEquals("expired credential", refusal(PRINTED.replace("Success (0)", "Expired credential (15)")));
        assertEquals(
                "its user has no name on the collector's machine",
                refusal(PRINTED.replace("tlj@its.aau.dk (21001)", "??? (21001)")));
        assertEquals("unmunge did not say what it found (is munged running?)", refusal(""));
    }

    @Test
    @DisplayName("a program that is missing, hangs, or is asked nonsense ends with a sentence")
    void program(@TempDir Path directory) throws Exception {
        String credential = "MUNGE:" + "A".repeat(40) + ":";
        Munge missing = new Munge(directory.resolve("none"), Duration.ofSeconds(5));
        assertTrue(String.valueOf(assertThrows(MungeException.class, () -> missing.decode(credential))
                        .getMessage())
                .startsWith(directory.resolve("none") + " cannot be started"));
        Path slow = Files.writeString(directory.resolve("slow"), "#!/bin/sh\nexec sleep 60\n");
        Files.setPosixFilePermissions(slow, PosixFilePermissions.fromString("rwx------"));
        assertEquals(
                slow + " did not answer within 1 s",
                assertThrows(MungeException.class, () -> new Munge(slow, Duration.ofSeconds(1)).decode(credential))
                        .getMessage());
        assertEquals(
                "it is none (expected: what munge prints)",
                assertThrows(MungeException.class, () -> missing.decode("; rm -rf /"))
                        .getMessage());
    }
}
