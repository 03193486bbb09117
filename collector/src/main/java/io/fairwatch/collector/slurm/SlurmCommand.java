package io.fairwatch.collector.slurm;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Runs one of Slurm's commands to its end: no shell, no input, an environment of its own, a deadline and a limit on what
 * it may print. Immutable and thread-safe; {@link #run} blocks, so it may not be called on an event loop.
 */
public final class SlurmCommand {
    private static final int MAX_STDERR_BYTES = 8 << 10;
    private static final int MAX_MESSAGE_CHARS = 300;
    private static final String PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

    private final SlurmSettings settings;

    public SlurmCommand(SlurmSettings settings) {
        this.settings = settings;
    }

    /**
     * Runs a command and returns what it printed.
     *
     * @param program e.g. {@code squeue}
     * @param arguments its arguments, each passed as it is
     * @throws SlurmException if it cannot be started, does not end in time, prints too much, or ends with another status
     *     than 0
     * @throws InterruptedException if the caller was interrupted; the command is then killed
     */
    public byte[] run(String program, List<String> arguments) throws SlurmException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(words(program, arguments));
        builder.redirectInput(new File("/dev/null"));
        Map<String, String> environment = builder.environment();
        // A stray SQUEUE_FORMAT or SACCT_FORMAT would change what is printed.
        environment.clear();
        environment.put("PATH", PATH);
        environment.put("LC_ALL", "C");
        environment.put("TZ", "UTC");
        environment.put("SLURM_TIME_FORMAT", "%s");
        settings.slurmConf().ifPresent(path -> environment.put("SLURM_CONF", path.toString()));

        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            throw new SlurmException(program + " cannot be started: " + e.getMessage(), e);
        }
        try {
            return output(program, process);
        } catch (IOException e) {
            throw new SlurmException(program + ": its output could not be read: " + e.getMessage(), e);
        } finally {
            kill(process);
        }
    }

    private List<String> words(String program, List<String> arguments) {
        List<String> words = new ArrayList<>(settings.prefix());
        words.add(settings.binaries()
                .map(directory -> directory.resolve(program).toString())
                .orElse(program));
        words.addAll(arguments);
        return words;
    }

    /**
     * Takes what the process prints until it has ended. It never blocks in a read, for a child that the command left
     * behind may hold the pipe open for ever.
     */
    private byte[] output(String program, Process process) throws IOException, SlurmException, InterruptedException {
        long deadline = System.nanoTime() + settings.timeout().toNanos();
        ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 16);
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        byte[] buffer = new byte[1 << 16];
        long pauseMillis = 1;
        while (true) {
            // Asked before looking: all that a dead process ever printed is then there to be read.
            boolean ended = !process.isAlive();
            int taken = take(process.getInputStream(), buffer, out, settings.maxOutputBytes() + 1)
                    + take(process.getErrorStream(), buffer, err, MAX_STDERR_BYTES);
            if (out.size() > settings.maxOutputBytes()) {
                throw new SlurmException(
                        program + " printed more than " + settings.maxOutputBytes() + " bytes and was stopped");
            }
            if (ended && taken == 0) {
                break;
            }
            if (System.nanoTime() - deadline > 0) {
                throw new SlurmException(program + " did not answer within " + seconds(settings.timeout())
                        + " and was stopped" + firstLine(err.toByteArray()));
            }
            if (Thread.interrupted()) {
                throw new InterruptedException(program + " was interrupted");
            }
            if (taken > 0) {
                pauseMillis = 1;
            } else {
                process.waitFor(pauseMillis, TimeUnit.MILLISECONDS);
                pauseMillis = Math.min(10, pauseMillis + 1);
            }
        }
        if (process.exitValue() != 0) {
            throw new SlurmException(
                    program + " ended with status " + process.exitValue() + firstLine(err.toByteArray()));
        }
        return out.toByteArray();
    }

    /** Moves what is there to be read, up to a buffer full; what goes beyond {@code max} is dropped. */
    private static int take(InputStream in, byte[] buffer, ByteArrayOutputStream to, long max) throws IOException {
        int available = in.available();
        if (available <= 0) {
            return 0;
        }
        int read = in.read(buffer, 0, Math.min(available, buffer.length));
        if (read > 0) {
            to.write(buffer, 0, (int) Math.min(read, Math.max(0, max - to.size())));
        }
        return Math.max(0, read);
    }

    /** Ends the command and all that it started, as far as this user may; does nothing for one that has ended. */
    private static void kill(Process process) {
        if (process.isAlive()) {
            List<ProcessHandle> children = process.descendants().toList();
            // The parent first: it could start more.
            process.destroyForcibly();
            children.forEach(ProcessHandle::destroyForcibly);
            children.forEach(child -> child.descendants().forEach(ProcessHandle::destroyForcibly));
        }
        try {
            process.getInputStream().close();
            process.getErrorStream().close();
        } catch (IOException expected) {
            // The pipes of a killed process; nothing more is wanted of them.
        }
    }

    private static String firstLine(byte[] stderr) {
        String line = new String(stderr, StandardCharsets.UTF_8)
                .strip()
                .lines()
                .findFirst()
                .orElse("")
                .replaceAll("\\p{Cntrl}", "?");
        if (line.isEmpty()) {
            return "";
        }
        return ": " + line.substring(0, Math.min(line.length(), MAX_MESSAGE_CHARS));
    }

    private static String seconds(Duration duration) {
        return duration.toMillis() % 1000 == 0 ? duration.toSeconds() + " s" : duration.toMillis() + " ms";
    }

    /** Slurm did not answer, or not with a whole answer. */
    public static final class SlurmException extends Exception {
        public SlurmException(String message, Throwable cause) {
            super(message, cause);
        }

        public SlurmException(String message) {
            super(message);
        }
    }
}
