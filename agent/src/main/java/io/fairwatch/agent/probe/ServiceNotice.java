package io.fairwatch.agent.probe;

import com.sun.jna.LastErrorException;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells systemd how the agent is, as {@code sd_notify(3)} does: a datagram to the socket that it names. Java knows
 * streams of that kind of socket only. Without systemd nothing is said. Never blocks; thread-safe.
 */
public final class ServiceNotice {
    private static final Logger log = LoggerFactory.getLogger(ServiceNotice.class);
    private static final int AF_UNIX = 1;
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_CLOEXEC = 0x8_0000;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int LONGEST_PATH = 107;
    /** One late message, and one that got lost, must not end the agent. */
    private static final int MESSAGES_PER_TIMEOUT = 3;

    private final Optional<String> socket;
    private final Optional<Duration> watchEvery;
    private volatile boolean failing;

    /** The native calls, bound at the first message. */
    private static final class Calls {
        static {
            Native.register(Calls.class, NativeLibrary.getProcess());
        }

        static native int socket(int domain, int type, int protocol) throws LastErrorException;

        static native long sendto(int fd, byte[] message, long length, int flags, Pointer address, int addressLength)
                throws LastErrorException;

        static native int close(int fd) throws LastErrorException;
    }

    private ServiceNotice(Optional<String> socket, Optional<Duration> watchEvery) {
        this.socket = socket;
        this.watchEvery = watchEvery;
    }

    /**
     * Reads what systemd asks for.
     *
     * @param environment holds {@code NOTIFY_SOCKET}, {@code WATCHDOG_USEC} and {@code WATCHDOG_PID} under systemd
     * @param pid of this process; the watchdog may be meant for another
     */
    public static ServiceNotice of(Map<String, String> environment, long pid) {
        String path = environment.getOrDefault("NOTIFY_SOCKET", "");
        Optional<String> socket = (path.startsWith("/") || path.startsWith("@"))
                        && path.getBytes(StandardCharsets.UTF_8).length <= LONGEST_PATH
                ? Optional.of(path)
                : Optional.empty();
        String timeout = environment.getOrDefault("WATCHDOG_USEC", "");
        boolean meant =
                environment.getOrDefault("WATCHDOG_PID", Long.toString(pid)).equals(Long.toString(pid));
        return new ServiceNotice(
                socket,
                socket.isPresent() && meant && timeout.matches("[1-9]\\d{3,15}")
                        ? Optional.of(Duration.ofNanos(Long.parseLong(timeout) * 1000 / MESSAGES_PER_TIMEOUT))
                        : Optional.empty());
    }

    /** How often {@link #alive} must be said; absent when nobody listens for it. */
    public Optional<Duration> watchEvery() {
        return watchEvery;
    }

    /** The agent works from now on. */
    public void ready() {
        send("READY=1");
    }

    /** The agent is not wedged. */
    public void alive() {
        send("WATCHDOG=1");
    }

    /** The agent is about to end. */
    public void stopping() {
        send("STOPPING=1");
    }

    private void send(String message) {
        if (socket.isEmpty()) {
            return;
        }
        byte[] path = socket.get().getBytes(StandardCharsets.UTF_8);
        if (path[0] == '@') { // a name that is in no file system
            path[0] = 0;
        }
        byte[] bytes = message.getBytes(StandardCharsets.UTF_8);
        try (Memory address = new Memory(2L + LONGEST_PATH + 1)) { // struct sockaddr_un
            address.clear();
            address.setShort(0, (short) AF_UNIX);
            address.write(2, path, 0, path.length);
            int fd = Calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            try {
                Calls.sendto(fd, bytes, bytes.length, MSG_NOSIGNAL | MSG_DONTWAIT, address, 2 + path.length);
                failing = false;
            } finally {
                Calls.close(fd);
            }
        } catch (LastErrorException | LinkageError e) { // systemd draws its conclusions
            if (!failing) {
                log.warn(
                        "systemd could not be told message={} socket={} why=\"{}\"",
                        message,
                        socket.get(),
                        e.toString());
            }
            failing = true;
        }
    }
}
