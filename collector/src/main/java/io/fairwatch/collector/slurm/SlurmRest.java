package io.fairwatch.collector.slurm;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Asks slurmrestd, with a token. The token's file is read for each call, so a new one counts at once; it is never logged
 * and follows no redirect. Thread-safe; every call blocks.
 */
final class SlurmRest {
    private static final int MAX_TOLD_BYTES = 16 << 10;
    private static final int MAX_MESSAGE_CHARS = 300;
    private static final Pattern JOBS_PATH = Pattern.compile("/slurm/v0\\.0\\.(\\d{1,4})/jobs/?");

    private static final Pattern DESCRIPTION = Pattern.compile("\"(?:description|error)\"\\s*:\\s*\"([^\"]{1,300})\"");

    private final SlurmSettings settings;
    private final SlurmSettings.Rest rest;
    private final HttpClient client;
    private @Nullable String version;

    SlurmRest(SlurmSettings settings, SlurmSettings.Rest rest) {
        this.settings = settings;
        this.rest = rest;
        this.client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(settings.timeout())
                .followRedirects(HttpClient.Redirect.NEVER)
                .build();
    }

    /** Reads {@code /slurm/VERSION/path} as it comes. */
    <T> T get(String area, String path, SlurmCommand.Reading<T> reading) throws SlurmException, InterruptedException {
        return call("GET", "/" + area + "/" + version() + "/" + path, Optional.empty(), reading);
    }

    /** Sends a change and reads the answer. */
    <T> T change(String method, String path, Optional<String> body, SlurmCommand.Reading<T> reading)
            throws SlurmException, InterruptedException {
        return call(method, "/slurm/" + version() + "/" + path, body, reading);
    }

    /** The version to speak: the configured one, else the newest that slurmrestd describes. */
    private synchronized String version() throws SlurmException, InterruptedException {
        if (version == null && rest.version().isPresent()) {
            version = rest.version().get();
        }
        if (version == null) {
            version = call("GET", "/openapi/v3", Optional.empty(), SlurmRest::newest);
        }
        return version;
    }

    private static String newest(InputStream description) throws SlurmException, IOException {
        int newest = 0;
        try (JsonParser parser = new JsonFactory().createParser(description)) {
            while (parser.nextToken() != null) {
                if (parser.currentToken() == JsonToken.FIELD_NAME) {
                    Matcher matcher = JOBS_PATH.matcher(parser.currentName());
                    newest = matcher.matches() ? Math.max(newest, Integer.parseInt(matcher.group(1))) : newest;
                }
            }
        }
        if (newest == 0) {
            throw new SlurmException("slurmrestd describes no /slurm/v0.0.NN/jobs; set slurm.rest.version");
        }
        return "v0.0." + newest;
    }

    private <T> T call(String method, String path, Optional<String> body, SlurmCommand.Reading<T> reading)
            throws SlurmException, InterruptedException {
        String what = "slurmrestd " + method + " " + path.replaceAll("\\?.*", "");
        URI uri = rest.url().resolve(path);
        HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                .timeout(settings.timeout())
                .header("Accept", "application/json")
                .header("X-SLURM-USER-NAME", rest.user())
                .header("X-SLURM-USER-TOKEN", token());
        body.ifPresent(text -> request.header("Content-Type", "application/json"));
        request.method(
                method, body.map(HttpRequest.BodyPublishers::ofString).orElseGet(HttpRequest.BodyPublishers::noBody));
        long deadline = System.nanoTime() + settings.timeout().toNanos();
        try {
            HttpResponse<InputStream> response = client.send(request.build(), BodyHandlers.ofInputStream());
            try (Limited answer = new Limited(response.body(), what, settings, deadline)) {
                if (response.statusCode() != 200) {
                    throw new SlurmException(what + " answered " + response.statusCode() + told(answer));
                }
                return reading.read(answer);
            }
        } catch (HttpTimeoutException e) {
            throw new SlurmException(
                    what + " did not answer within " + settings.timeout().toSeconds() + " s", e);
        } catch (Limited.Exceeded e) {
            throw new SlurmException(String.valueOf(e.getMessage()), e);
        } catch (IOException e) {
            throw new SlurmException(what + " at " + rest.url() + " failed: " + e, e);
        }
    }

    private String token() throws SlurmException {
        try {
            String first = Files.readString(rest.tokenFile())
                    .lines()
                    .findFirst()
                    .orElse("")
                    .strip()
                    .replaceFirst("^SLURM_JWT=", ""); // as scontrol token prints it
            if (first.isEmpty() || !first.chars().allMatch(c -> c > ' ' && c < 127)) {
                throw new SlurmException(rest.tokenFile() + ": no token in its first line");
            }
            return first;
        } catch (IOException e) {
            throw new SlurmException(rest.tokenFile() + ": the token cannot be read: " + e, e);
        }
    }

    /** What an answer that is no success says, in one line. */
    private static String told(InputStream answer) throws IOException {
        String text = new String(answer.readNBytes(MAX_TOLD_BYTES), StandardCharsets.UTF_8);
        List<String> said = DESCRIPTION
                .matcher(text)
                .results()
                .map(found -> found.group(1))
                .distinct()
                .toList();
        String line = (said.isEmpty() ? text.strip() : String.join("; ", said)).replaceAll("\\p{Cntrl}+", " ");
        return line.isEmpty() ? "" : ": " + line.substring(0, Math.min(line.length(), MAX_MESSAGE_CHARS));
    }

    /** An answer with an end: of time, and of size. */
    private static final class Limited extends FilterInputStream {
        private final String what;
        private final SlurmSettings settings;
        private final CompletableFuture<Void> alarm;
        private volatile boolean late;
        private long total;

        Limited(InputStream in, String what, SlurmSettings settings, long deadline) {
            super(in);
            this.what = what;
            this.settings = settings;
            Executor later =
                    CompletableFuture.delayedExecutor(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            this.alarm = CompletableFuture.runAsync(this::stop, later);
        }

        /** Ends a read that waits. */
        private void stop() {
            late = true;
            try {
                in.close();
            } catch (IOException expected) {
                // the reader hears of it
            }
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] to, int offset, int length) throws IOException {
            int count;
            try {
                count = super.read(to, offset, length);
            } catch (IOException e) {
                throw late ? exceeded() : e;
            }
            if (late) {
                throw exceeded(); // a stream that was closed may end instead
            }
            total += Math.max(0, count);
            if (total > settings.maxOutputBytes()) {
                throw new Exceeded(what + " answered more than " + settings.maxOutputBytes() + " bytes");
            }
            return count;
        }

        private Exceeded exceeded() {
            Duration timeout = settings.timeout();
            return new Exceeded(what + " did not answer wholly within " + timeout.toSeconds() + " s");
        }

        @Override
        public void close() throws IOException {
            alarm.cancel(false);
            super.close();
        }

        /** The deadline or the limit was reached. */
        private static final class Exceeded extends IOException {
            private static final long serialVersionUID = 1;

            Exceeded(String message) {
                super(message);
            }
        }
    }
}
