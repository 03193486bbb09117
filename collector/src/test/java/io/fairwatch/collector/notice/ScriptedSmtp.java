package io.fairwatch.collector.notice;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.function.Function;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

/** An SMTP server that behaves as badly as told. Thread-safe. */
final class ScriptedSmtp implements AutoCloseable {
    /** What a script answers in order not to answer. */
    static final String SILENCE = "";

    /** What a script answers in order to break the connection. */
    static final String HANG_UP = "hang up";

    final List<String> heard = new CopyOnWriteArrayList<>();
    final List<String> mails = new CopyOnWriteArrayList<>();
    final CountDownLatch connectionEnded = new CountDownLatch(1);
    private final ServerSocket listening;
    private final Function<String, Optional<String>> script;
    private final Optional<SSLContext> tls;

    /**
     * @param script the answer to a command, {@code greeting} and {@code .} included; empty: what a good server says
     */
    ScriptedSmtp(Function<String, Optional<String>> script, Optional<SSLContext> tls) throws IOException {
        this.script = script;
        this.tls = tls;
        this.listening = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
        daemon(() -> {
            while (true) {
                Socket socket = listening.accept();
                daemon(() -> serve(socket));
            }
        });
    }

    /** Answers one command so, everything else like a good server. */
    static ScriptedSmtp answering(String command, String answer) throws IOException {
        return new ScriptedSmtp(
                heard -> heard.startsWith(command) ? Optional.of(answer) : Optional.empty(), Optional.empty());
    }

    int port() {
        return listening.getLocalPort();
    }

    private void serve(Socket first) throws IOException {
        Socket socket = first;
        try {
            say(socket, "greeting", "220 scripted");
            BufferedReader in = reader(socket);
            StringBuilder data = null;
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (data != null && !line.equals(".")) {
                    data.append(line).append('\n');
                    continue;
                }
                heard.add(line);
                if (data != null) {
                    if (script.apply(".").isEmpty()) {
                        mails.add(data.toString());
                    }
                    data = null;
                    say(socket, ".", "250 taken");
                } else if (line.startsWith("EHLO")) {
                    boolean offer = tls.isPresent() && !(socket instanceof SSLSocket);
                    boolean login = socket instanceof SSLSocket;
                    say(
                            socket,
                            line,
                            "250-scripted\r\n" + (offer ? "250-STARTTLS\r\n" : "") + (login ? "250-AUTH PLAIN\r\n" : "")
                                    + "250 SIZE 1000000");
                } else if (line.equals("STARTTLS")) {
                    say(socket, line, "220 go on");
                    SSLSocket encrypted = (SSLSocket) tls.orElseThrow()
                            .getSocketFactory()
                            .createSocket(socket, "localhost", socket.getPort(), true);
                    encrypted.setUseClientMode(false);
                    socket = encrypted;
                    in = reader(socket);
                } else if (line.startsWith("AUTH")) {
                    say(socket, line, "235 welcome");
                } else if (line.equals("DATA")) {
                    data = new StringBuilder();
                    say(socket, line, "354 go on");
                } else if (line.equals("QUIT")) {
                    say(socket, line, "221 bye");
                    return;
                } else {
                    say(socket, line, "250 ok");
                }
            }
        } finally {
            socket.close();
            connectionEnded.countDown();
        }
    }

    private static BufferedReader reader(Socket socket) throws IOException {
        return new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
    }

    private void say(Socket socket, String command, String usual) throws IOException {
        String answer = script.apply(command).orElse(usual);
        if (answer.equals(HANG_UP)) {
            throw new IOException("hanging up, as told");
        }
        if (!answer.equals(SILENCE)) {
            OutputStream out = socket.getOutputStream();
            out.write((answer + "\r\n").getBytes(StandardCharsets.UTF_8));
            out.flush();
        }
    }

    private interface Task {
        void run() throws IOException;
    }

    private static void daemon(Task task) {
        Thread thread = new Thread(() -> {
            try {
                task.run();
            } catch (IOException expected) {
                // a connection ended, or the server was closed: what tests look at is what was heard
                return;
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() throws IOException {
        listening.close();
    }
}
