package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Limit;
import io.fairwatch.agent.wire.ScratchUse.UserSpace;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Quotas of real file systems, in files on loop devices. Needs root, {@code mkfs.ext4}, {@code mkfs.xfs}, {@code
 * setquota}, {@code chattr} and {@code xfs_io}, and a kernel that has quotas.
 */
class ScratchOnRealQuotasTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
    private static final String EXT4 =
            "mkfs.ext4 -q -O quota,project -E quotatype=usrquota:prjquota image && mount -o loop,prjquota image raid";
    private static final String XFS = "mkfs.xfs -q image && mount -o loop,uquota,pquota image raid";

    private final Path directory;
    private final Path raid;

    ScratchOnRealQuotasTest(@TempDir Path directory) throws IOException {
        this.directory = directory;
        this.raid = Files.createDirectory(directory.resolve("raid"));
    }

    @AfterEach
    void unmount() {
        shell("umount raid");
    }

    @ParameterizedTest
    @ValueSource(strings = {EXT4, XFS})
    @DisplayName("user quotas tell who has what, with limits and grace, as repquota does")
    void users(String make) throws Exception {
        mount(make);
        must(
                "mkdir raid/anna && head -c 3000000 /dev/zero > raid/anna/f && touch raid/anna/g && chown -R 1234 raid/anna"
                        + " && sync && setquota -u 1234 2000 4000 10 20 raid");
        UserSpace anna = ScratchLook.now(raid, NOON).users().orElseThrow().list().stream()
                .filter(user -> user.uid() == 1234)
                .findFirst()
                .orElseThrow();
        assertTrue(anna.usedBytes() >= 3_000_000 && anna.usedBytes() < 3_100_000, anna.toString());
        assertEquals(OptionalLong.of(3), anna.files());
        Mounted mounted = Mounted.at(raid);
        assertEquals(
                Quotas.read(raid, mounted, Quotas.Kind.USER),
                Quotas.list((type, id, into) -> Libc.nextQuota(mounted.device(), type, id, into), Quotas.Kind.USER),
                "as kernels before 5.14 are asked");
        Limit limit = anna.limit().orElseThrow();
        assertEquals(OptionalLong.of(2000 * 1024), limit.softBytes());
        assertEquals(OptionalLong.of(4000 * 1024), limit.hardBytes());
        assertEquals(OptionalLong.of(10), limit.softFiles());
        assertEquals(OptionalLong.of(20), limit.hardFiles());
        String report = said("repquota -unp raid"); // #1234 -- used soft hard grace files soft hard grace
        assertTrue(
                report.contains(" " + (anna.usedBytes() + 1023) / 1024 + " ")
                        && report.contains(
                                String.valueOf(limit.graceEnds().orElseThrow().getEpochSecond())),
                report);
        Instant now = Instant.now();
        Instant ends = limit.graceEnds().orElseThrow();
        assertTrue(ends.isAfter(now) && ends.isBefore(now.plusSeconds(8 * 86_400)), ends.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {EXT4, XFS})
    @DisplayName("project quotas tell what is below each directory, once all of them are projects; until then, why not")
    void projects(String make) throws Exception {
        mount(make);
        String project =
                make.equals(EXT4) ? "chattr +P -p %d raid/%s" : "xfs_io -x -c 'chproj %d' -c 'chattr +P' raid/%s";
        must("mkdir raid/anna raid/bob && " + String.format(project, 71, "anna"));
        ScratchLook half = ScratchLook.now(raid, NOON);
        assertEquals(Optional.empty(), half.directories());
        assertEquals(java.util.List.of("project quotas do not tell all: bob is in no project"), half.why());
        must(String.format(project, 72, "bob")
                + " && mkdir raid/anna/d && head -c 3000000 /dev/zero > raid/anna/d/f && sync"
                + " && setquota -P 71 0 8000 0 0 raid");
        Directories directories = ScratchLook.now(raid, NOON).directories().orElseThrow();
        DirectoryUse anna = directories.list().get(0);
        assertEquals("anna", anna.name());
        assertTrue(anna.usedBytes() >= 3_000_000 && anna.usedBytes() < 3_100_000, anna.toString());
        assertEquals(2, anna.files());
        assertEquals(OptionalLong.of(8000 * 1024), anna.limit().orElseThrow().hardBytes());
        assertEquals(0, directories.list().get(1).files());
        ScratchSource source = ScratchSource.inspect(raid, NOON);
        assertEquals(Optional.of("quota"), source.directories());
        assertEquals(Optional.of("quota"), source.users());
        assertEquals(java.util.List.of(), source.why());
    }

    private void mount(String make) {
        String trouble = shell("truncate -s 400M image && " + make);
        Assumptions.assumeTrue(
                trouble.isEmpty(), "SKIPPED: needs root, a loop device and a kernel with quotas: " + trouble);
    }

    private String said(String script) throws IOException {
        try (var said = new ProcessBuilder("sh", "-c", script)
                .directory(directory.toFile())
                .start()
                .getInputStream()) {
            return new String(said.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private void must(String script) {
        assertEquals("", shell(script));
    }

    /** Runs it in the directory; what it says if it fails. */
    private String shell(String script) {
        try {
            Process process = new ProcessBuilder("sh", "-c", script)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .start();
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return process.waitFor() == 0 ? "" : said + " ";
        } catch (IOException | InterruptedException e) {
            return e.toString();
        }
    }
}
