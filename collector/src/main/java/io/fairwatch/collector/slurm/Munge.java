package io.fairwatch.collector.slurm;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Asks {@code unmunge} who made a credential. Every node of a cluster that uses {@code auth/munge} holds the same key, so a
 * credential says which user of the cluster made it, is good for some minutes, and can be shown once. Immutable and
 * thread-safe; blocks.
 *
 * @param unmunge the program
 * @param timeout how long it may take
 */
public record Munge(Path unmunge, Duration timeout) {
    /** Ours have some 200 characters; a long one could hold much more than it is long, since munge packs it. */
    private static final Pattern CREDENTIAL = Pattern.compile("MUNGE:[A-Za-z0-9+/=]{16,512}:");

    private static final int MOST_BYTES = 16 << 10;

    // STATUS:          Success (0)
    private static final Pattern STATUS = Pattern.compile("(?m)^STATUS:\\s+(.*) \\((\\d+)\\)$");
    // UID:             tlj@its.aau.dk (21001)
    private static final Pattern UID = Pattern.compile("(?m)^UID:\\s+(\\S+) \\((\\d+)\\)$");

    /**
     * Who made a credential.
     *
     * @param user login name
     * @param said what was put into it
     */
    public record Identity(String user, String said) {}

    /** The credential is not good, or nobody could look. */
    public static final class MungeException extends Exception {
        private static final long serialVersionUID = 1;

        MungeException(String message) {
            super(message);
        }

        MungeException(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** Who made it. */
    public Identity decode(String credential) throws MungeException, InterruptedException {
        if (!CREDENTIAL.matcher(credential).matches()) {
            throw new MungeException("it is none (expected: what munge prints)");
        }
        ProcessBuilder builder = new ProcessBuilder(unmunge.toString());
        Map<String, String> environment = builder.environment();
        environment.clear();
        environment.put("LC_ALL", "C");
        builder.redirectError(new File("/dev/null"));
        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            throw new MungeException(unmunge + " cannot be started: " + e.getMessage(), e);
        }
        try {
            try (OutputStream in = process.getOutputStream()) {
                in.write(credential.getBytes(StandardCharsets.US_ASCII));
            }
            if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new MungeException(unmunge + " did not answer within " + timeout.toSeconds() + " s");
            }
            return parse(new String(process.getInputStream().readNBytes(MOST_BYTES), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new MungeException(unmunge + " cannot be asked: " + e.getMessage(), e);
        } finally {
            process.destroyForcibly();
        }
    }

    static Identity parse(String printed) throws MungeException {
        int end = printed.indexOf("\n\n"); // what the user put into it comes behind, and cannot pass for a line before
        String head = end < 0 ? printed : printed.substring(0, end + 1);
        Matcher status = STATUS.matcher(head);
        if (!status.find()) {
            throw new MungeException("unmunge did not say what it found (is munged running?)");
        }
        if (!status.group(2).equals("0")) {
            throw new MungeException(status.group(1).toLowerCase(java.util.Locale.ROOT));
        }
        Matcher uid = UID.matcher(head);
        if (!uid.find() || uid.group(1).equals("???")) {
            throw new MungeException("its user has no name on the collector's machine");
        }
        return new Identity(uid.group(1), end < 0 ? "" : printed.substring(end + 2));
    }
}
