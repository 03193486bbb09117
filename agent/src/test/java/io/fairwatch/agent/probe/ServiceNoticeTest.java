package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.jna.LastErrorException;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServiceNoticeTest {
    /** The other end, which is systemd's. */
    private static final class Listener implements AutoCloseable {
        static {
            Native.register(Listener.class, NativeLibrary.getProcess());
        }

        static native int socket(int domain, int type, int protocol) throws LastErrorException;

        static native int bind(int fd, Pointer address, int length) throws LastErrorException;

        static native long recv(int fd, byte[] buffer, long length, int flags) throws LastErrorException;

        static native int close(int fd) throws LastErrorException;

        private final int fd = socket(1, 2, 0);

        Listener(String name) {
            byte[] path = name.getBytes(StandardCharsets.UTF_8);
            if (path[0] == '@') {
                path[0] = 0;
            }
            try (Memory address = new Memory(110)) {
                address.clear();
                address.setShort(0, (short) 1);
                address.write(2, path, 0, path.length);
                bind(fd, address, 2 + path.length);
            }
        }

        String next() {
            byte[] buffer = new byte[100];
            int length = (int) recv(fd, buffer, buffer.length, 0x40);
            return new String(buffer, 0, length, StandardCharsets.UTF_8);
        }

        @Override
        public void close() {
            close(fd);
        }
    }

    private final Path directory;

    ServiceNoticeTest(@TempDir Path directory) {
        this.directory = directory;
    }

    @Test
    @DisplayName("systemd hears that the agent is ready, alive and stopping")
    void heard() {
        for (String name : new String[] {directory.resolve("notify").toString(), "@fairwatch-test-" + directory}) {
            try (Listener systemd = new Listener(name)) {
                ServiceNotice notice = ServiceNotice.of(Map.of("NOTIFY_SOCKET", name), 1);
                notice.ready();
                notice.alive();
                notice.stopping();
                assertEquals("READY=1", systemd.next());
                assertEquals("WATCHDOG=1", systemd.next());
                assertEquals("STOPPING=1", systemd.next());
            }
        }
    }

    @Test
    @DisplayName("without systemd, or when it is gone, nothing happens")
    void nobody() {
        ServiceNotice.of(Map.of(), 1).ready();
        ServiceNotice.of(Map.of("NOTIFY_SOCKET", directory.resolve("gone").toString()), 1)
                .ready();
        ServiceNotice.of(Map.of("NOTIFY_SOCKET", "vsock:2:1234"), 1).ready();
    }

    private static Optional<Duration> every(String socket, String timeout, String pid) {
        return ServiceNotice.of(Map.of("NOTIFY_SOCKET", socket, "WATCHDOG_USEC", timeout, "WATCHDOG_PID", pid), 7)
                .watchEvery();
    }

    @Test
    @DisplayName("the watchdog is told three times within its timeout, if it is for this process")
    void watchdog() {
        assertEquals(Optional.of(Duration.ofSeconds(40)), every("/run/n", "120000000", "7"));
        assertEquals(Optional.empty(), every("/run/n", "120000000", "8"));
        assertEquals(Optional.empty(), every("", "120000000", "7"));
        assertEquals(Optional.empty(), every("/run/n", "0", "7"));
        assertEquals(Optional.empty(), every("/run/n", "soon", "7"));
    }
}
