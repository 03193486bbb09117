package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.wire.ScratchUse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScratchProbeTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
    private static final String MOUNTINFO = """
            22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
            36 22 9:0 / /raid rw,noatime master:1 - xfs /dev/md0 rw,errors=continue
            37 36 0:44 / /raid/share rw - nfs4 server:/share rw
            38 22 0:45 / /raid2 rw - lustre mgs@o2ib:/fs rw
            39 22 0:46 / /mnt/with\\040space rw - cifs //server/x rw
            garbage
            """;

    private final Path directory;

    ScratchProbeTest(@TempDir Path directory) {
        this.directory = directory;
    }

    @Test
    @DisplayName("a mount tells how full it is at once, and who fills it as soon as it was counted")
    void read() throws Exception {
        Path raid = Files.createDirectories(directory.resolve("raid"));
        Files.createDirectory(raid.resolve("anna"));
        Files.writeString(raid.resolve("anna/f"), "x".repeat(100_000));
        try (ScratchProbe probe = probe(List.of(raid))) {
            ScratchUse use = probe.read(NOON).get(0);
            assertEquals(raid.toString(), use.mount());
            assertEquals(raid.toFile().getTotalSpace(), use.totalBytes());
            assertTrue(use.usedBytes() > 0 && use.usedBytes() <= use.totalBytes());
            assertTrue(Math.abs(raid.toFile().getUsableSpace() - use.availableBytes()) < 1 << 30);
            ScratchUse counted = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> readUntilCounted(probe));
            assertEquals(Optional.of(NOON), counted.directories().map(ScratchUse.Directories::at));
            assertEquals(Optional.of("walk"), counted.directories().map(ScratchUse.Directories::method));
            assertEquals(
                    "anna", counted.directories().orElseThrow().list().get(0).name());
            assertEquals(1, counted.directories().orElseThrow().list().get(0).files());
        }
    }

    @Test
    @DisplayName("a mount that is missing is left out, and comes back; the others are read")
    void missing() throws Exception {
        Path missing = directory.resolve("raid2");
        try (ScratchProbe probe = probe(List.of(missing, directory))) {
            assertEquals(1, probe.read(NOON).size());
            Files.createDirectory(missing);
            assertEquals(2, probe.read(NOON).size());
        }
    }

    @Test
    @DisplayName("when no mount can be read, the probe fails and says why; when none is configured there is nothing")
    void none() {
        try (ScratchProbe probe = probe(List.of(directory.resolve("raid2")))) {
            String why =
                    assertThrows(ProbeException.class, () -> probe.read(NOON)).getMessage();
            assertTrue(String.valueOf(why).endsWith("raid2 is missing, or no directory"), why);
        }
        try (ScratchProbe probe = probe(List.of())) {
            assertThrows(NothingToReadException.class, () -> probe.read(NOON));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "/raid, xfs",
        "/raid/anna, xfs",
        "/raid/share, nfs4",
        "/raid/share/x, nfs4",
        "/raid/shared, xfs",
        "/raid2, lustre",
        "/scratch, ext4",
        "/, ext4",
        "/mnt/with space, cifs",
    })
    @DisplayName("the file system of a path is that of the deepest mount above it")
    void types(String path, String type) {
        assertEquals(type, Mounted.parse(MOUNTINFO, path).type());
    }

    private static ScratchUse readUntilCounted(ScratchProbe probe) throws ProbeException {
        ScratchUse use = probe.read(NOON).get(0);
        while (use.directories().isEmpty()) {
            Thread.onSpinWait();
            use = probe.read(NOON).get(0);
        }
        return use;
    }

    private ScratchProbe probe(List<Path> mounts) {
        return new ScratchProbe(mounts, Duration.ofHours(1), directory.resolve("state"), UserNames.off(), () -> NOON);
    }
}
