package io.fairwatch.collector.slurm;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
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
     * Makes a value of what a command prints, while it prints it.
     *
     * @param <T> the value
     */
    @FunctionalInterface
    interface Reading<T> {
        /**
         * Reads what a command prints.
         *
         * @param printed what the command prints, to its end; reading it never waits longer than the deadline
         * @throws SlurmException if it cannot be read, which counts only if the command itself did well
         */
        T read(InputStream printed) throws SlurmException, IOException;
    }

    /**
     * Runs a command and returns what it printed, whole: for short answers.
     *
     * @param program e.g. {@code scontrol}
     * @param arguments its arguments, each passed as it is
     * @throws SlurmException if it cannot be started, does not end in time, prints too much, or ends with another status
     *     than 0
     * @throws InterruptedException if the caller was interrupted; the command is then killed
     */
    public byte[] run(String program, List<String> arguments) throws SlurmException, InterruptedException {
        return run(program, arguments, InputStream::readAllBytes);
    }

    /**
     * Runs a command and reads what it prints as it comes, so that a large answer is never held whole. The value counts
     * only if the command ended well.
     *
     * @throws SlurmException as above, and if the output could not be read
     * @throws InterruptedException if the caller was interrupted; the command is then killed
     */
    <T> T run(String program, List<String> arguments, Reading<T> reading) throws SlurmException, InterruptedException {
        return start(program, words(program, arguments), reading);
    }

    private <T> T start(String program, List<String> words, Reading<T> reading)
            throws SlurmException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(words);
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
        try (Printed printed = new Printed(program, process, settings)) {
            return read(printed, reading);
        } catch (InterruptedIOException e) {
            throw interrupted(e);
        } catch (IOException e) {
            throw new SlurmException(program + ": its output could not be read: " + e.getMessage(), e);
        } finally {
            kill(process);
        }
    }

    private static <T> T read(Printed printed, Reading<T> reading) throws SlurmException, IOException {
        T value;
        try {
            value = reading.read(printed);
        } catch (Stopped e) {
            throw new SlurmException(String.valueOf(e.getMessage()), e);
        } catch (SlurmException e) {
            // Cut off because the command failed? Then its own complaint says more.
            printed.end();
            throw e;
        }
        printed.end();
        return value;
    }

    private static InterruptedException interrupted(InterruptedIOException cause) {
        InterruptedException interrupted = new InterruptedException(cause.getMessage());
        interrupted.initCause(cause);
        return interrupted;
    }

    /** The login name of the user whom these commands run as. */
    String userName() throws SlurmException, InterruptedException {
        List<String> words = new ArrayList<>(settings.prefix());
        words.addAll(List.of("id", "-un"));
        return new String(start("id", words, InputStream::readAllBytes), StandardCharsets.UTF_8).strip();
    }

    /**
     * The line of a user in the directory of accounts, {@code passwd(5)}, as the machine on which these commands run knows
     * it: files, SSSD, LDAP.
     *
     * @throws SlurmException if there is none, or if it cannot be asked
     */
    public String passwd(String user) throws SlurmException, InterruptedException {
        List<String> words = new ArrayList<>(settings.prefix());
        words.addAll(List.of("getent", "passwd", "--", user));
        return new String(start("getent", words, InputStream::readAllBytes), StandardCharsets.UTF_8).strip();
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
     * What a process prints, until it has ended. It never blocks in a read, for a child that the command left behind may
     * hold the pipe open for ever. Confined to the thread that reads it.
     */
    private static final class Printed extends InputStream {
        private static final int FEW_TRIES = 20;
        private static final long SHORT_NANOS = 50_000;

        private final String program;
        private final Process process;
        private final SlurmSettings settings;
        private final long deadline;
        private final ByteArrayOutputStream complaints = new ByteArrayOutputStream();
        private final byte[] complaint = new byte[MAX_STDERR_BYTES];
        private final byte[] buffer = new byte[1 << 16];
        private int from;
        private int to;
        private long total;
        private boolean ended;

        Printed(String program, Process process, SlurmSettings settings) {
            this.program = program;
            this.process = process;
            this.settings = settings;
            this.deadline = System.nanoTime() + settings.timeout().toNanos();
        }

        @Override
        public int read() throws IOException {
            return fill() ? buffer[from++] & 0xff : -1;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            if (length == 0) {
                return 0;
            }
            if (!fill()) {
                return -1;
            }
            int count = Math.min(length, to - from);
            System.arraycopy(buffer, from, into, offset, count);
            from += count;
            return count;
        }

        /** Waits until there is something to be taken; false when the process has ended and all is taken. */
        private boolean fill() throws IOException {
            int tries = 0;
            while (from == to && !ended) {
                // Asked before looking: all that a dead process ever printed is then there to be read.
                boolean dead = !process.isAlive();
                from = 0;
                to = take(process.getInputStream(), buffer);
                total += to;
                int complained = complaints();
                if (total > settings.maxOutputBytes()) {
                    throw new Stopped(
                            program + " printed more than " + settings.maxOutputBytes() + " bytes and was stopped");
                }
                if (System.nanoTime() - deadline > 0) {
                    throw new Stopped(program + " did not answer within " + seconds(settings.timeout())
                            + " and was stopped" + firstLine(complaints.toByteArray()));
                }
                if (to > 0) {
                    return true;
                }
                if (complained == 0) {
                    ended = dead;
                    if (!dead) {
                        pause(tries++);
                    }
                }
            }
            return from < to;
        }

        private int complaints() throws IOException {
            int taken = take(process.getErrorStream(), complaint);
            complaints.write(complaint, 0, Math.min(taken, Math.max(0, MAX_STDERR_BYTES - complaints.size())));
            return taken;
        }

        private void pause(int tries) throws InterruptedIOException {
            try {
                if (tries < FEW_TRIES) { // a command that is about to print more
                    TimeUnit.NANOSECONDS.sleep(SHORT_NANOS);
                } else {
                    process.waitFor(Math.min(10, tries - FEW_TRIES + 1), TimeUnit.MILLISECONDS);
                }
            } catch (InterruptedException e) {
                InterruptedIOException interrupted = new InterruptedIOException(program + " was interrupted");
                interrupted.initCause(e);
                throw interrupted;
            }
        }

        /** Takes what is left, waits for the end and looks at the status. */
        void end() throws SlurmException, IOException {
            try {
                while (fill()) {
                    from = to;
                }
            } catch (Stopped e) {
                throw new SlurmException(String.valueOf(e.getMessage()), e);
            }
            if (process.exitValue() != 0) {
                throw new SlurmException(
                        program + " ended with status " + process.exitValue() + firstLine(complaints.toByteArray()));
            }
        }

        /** What is there to be read, up to a buffer full; 0 when nothing is. */
        private static int take(InputStream in, byte[] into) throws IOException {
            int available = in.available();
            return available <= 0 ? 0 : Math.max(0, in.read(into, 0, Math.min(available, into.length)));
        }
    }

    /** The deadline or the limit on output was reached. */
    private static final class Stopped extends IOException {
        private static final long serialVersionUID = 1;

        Stopped(String message) {
            super(message);
        }
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
