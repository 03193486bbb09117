package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Limit;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** CephFS played by a local directory, whose {@code user.ceph...} attributes stand for those of the servers. */
class CephDirectoriesTest {
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");

    private final Path mount;

    CephDirectoriesTest(@TempDir Path directory) {
        mount = directory;
    }

    @Test
    @DisplayName("each directory has the bytes and files that the servers count, its newest change and its quota")
    void counts() throws Exception {
        directory("anna", "1099511627776", "1000", "11", "1760000000.090123456");
        attribute("anna", "ceph.quota.max_bytes", "2199023255552");
        attribute("anna", "ceph.quota.max_files", "0");
        directory("bob", "5", "1", "1", "1750000000.000000001");
        Directories directories = read();
        assertEquals("ceph", directories.method());
        DirectoryUse anna = directories.list().get(0);
        assertEquals("anna", anna.name());
        assertEquals(1L << 40, anna.usedBytes());
        assertEquals(1010, anna.files(), "files and directories below, without itself");
        assertEquals(Optional.of(Instant.ofEpochSecond(1_760_000_000)), anna.lastWrite());
        assertEquals(
                Optional.of(new Limit(
                        OptionalLong.empty(),
                        OptionalLong.of(2L << 40),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        Optional.empty())),
                anna.limit());
        assertEquals(Optional.empty(), directories.list().get(1).limit());
    }

    @Test
    @DisplayName("an empty directory was never written to; a change in the future is not believed")
    void lastWrite() throws Exception {
        directory("empty", "0", "0", "1", "1760000000.000000000");
        directory("future", "1", "1", "1", "4000000000.000000000");
        assertEquals(
                Optional.empty(),
                read().list().stream().flatMap(use -> use.lastWrite().stream()).findFirst());
    }

    @Test
    @DisplayName("a directory without the attributes, or with nonsense in them, is unread, not empty")
    void unread() throws Exception {
        Files.createDirectory(mount.resolve("plain"));
        directory("odd", "many", "1", "1", "1760000000.0");
        directory("anna", "1", "1", "1", "soon");
        Directories directories = read();
        assertEquals(1, directories.list().size());
        assertEquals(Optional.empty(), directories.list().get(0).lastWrite());
        assertEquals(2, directories.unread());
    }

    private Directories read() throws IOException {
        return CephDirectories.read(
                mount,
                (fd, directory, name, into) -> Libc.readAttribute(fd, directory.rawName(), "user." + name, into),
                NOW);
    }

    private void directory(String name, String bytes, String files, String directories, String changed)
            throws IOException {
        Files.createDirectory(mount.resolve(name));
        attribute(name, "ceph.dir.rbytes", bytes);
        attribute(name, "ceph.dir.rfiles", files);
        attribute(name, "ceph.dir.rsubdirs", directories);
        attribute(name, "ceph.dir.rctime", changed);
    }

    private void attribute(String directory, String name, String value) throws IOException {
        try {
            Files.setAttribute(
                    mount.resolve(directory), "user:" + name, ByteBuffer.wrap(value.getBytes(StandardCharsets.UTF_8)));
        } catch (IOException | UnsupportedOperationException e) {
            Assumptions.abort("SKIPPED: no extended attributes on " + mount + ": " + e);
        }
    }
}
