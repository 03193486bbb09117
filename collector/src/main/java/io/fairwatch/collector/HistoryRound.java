package io.fairwatch.collector;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.fairwatch.collector.slurm.HistoryImport;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads old jobs from accounting while the collector does its work, one window a round: as far back as configured, or as
 * {@code import sacct} asked. The command and the collector speak by two small files in the store's directory, which is
 * its owner's alone: the wish stays there until it is fulfilled, so a restart goes on with it. Confined to one thread.
 */
final class HistoryRound {
    private static final Logger LOG = LoggerFactory.getLogger(HistoryRound.class);

    private static final String WISH = "import.wish";
    private static final String PROGRESS = "import.progress";

    /** slurmdbd serves others, too: it rests as long as it worked, up to this. */
    private static final Duration LONGEST_REST = Duration.ofSeconds(5);

    private static final Duration AFTER_FAILURE = Duration.ofMinutes(1);
    private static final JsonMapper JSON = new JsonMapper();

    private final HistoryImport history;
    private final Store store;
    private final Path directory;
    private final Duration configured;
    private final InstantSource clock;

    private Instant due = Instant.MIN;
    private @Nullable Progress progress;

    /**
     * @param directory of the store
     * @param configured how far back to go without being asked
     */
    HistoryRound(HistoryImport history, Store store, Path directory, Duration configured, InstantSource clock) {
        this.history = history;
        this.store = store;
        this.directory = directory;
        this.configured = configured;
        this.clock = clock;
    }

    /**
     * How far it is, as written for whoever watches. Immutable.
     *
     * @param since how far back it goes, seconds since 1970
     * @param origin where it began, likewise
     * @param completeSince how far it is, likewise
     * @param began when it began there, likewise
     * @param at when this was written, likewise
     * @param runs how many ended runs were read
     * @param problems how many rows could not be read
     * @param failure why it does not go on at the moment; empty while it does
     */
    record Progress(
            long since,
            long origin,
            long completeSince,
            long began,
            long at,
            long runs,
            long problems,
            String failure) {
        boolean done() {
            return completeSince <= since;
        }

        /** The share of the way that is done, 0..1. */
        double ratio() {
            return origin <= since ? 1 : Math.min(1, (double) (origin - completeSince) / (origin - since));
        }

        /** How long it will take yet, if it goes on as fast as it went; absent at the beginning. */
        Optional<Duration> left() {
            double done = ratio();
            return done <= 0 || at <= began
                    ? Optional.empty()
                    : Optional.of(Duration.ofSeconds(Math.round((at - began) * (1 - done) / done)));
        }

        Progress after(HistoryImport.Step step, Instant now) {
            return new Progress(
                    since,
                    origin,
                    step.from().getEpochSecond(),
                    began,
                    now.getEpochSecond(),
                    runs + step.runs(),
                    problems + step.problems().size(),
                    "");
        }

        Progress failed(String why, Instant now) {
            return new Progress(since, origin, completeSince, began, now.getEpochSecond(), runs, problems, why);
        }

        static Progress begin(Instant since, Instant completeSince, Instant now) {
            return new Progress(
                    since.getEpochSecond(),
                    completeSince.getEpochSecond(),
                    completeSince.getEpochSecond(),
                    now.getEpochSecond(),
                    now.getEpochSecond(),
                    0,
                    0,
                    "");
        }
    }

    /** Reads one window, if there is one to be read. */
    void run() throws StoreException, InterruptedException {
        Instant now = clock.instant();
        if (now.isBefore(due) || store.accountingFrom().isEmpty()) { // what lives now comes first
            return;
        }
        Optional<Instant> wish = wish(directory);
        Instant since = now.minus(configured);
        since = wish.filter(since::isAfter).orElse(since);
        if (!since.isBefore(history.completeSince())) {
            wish.ifPresent(asked -> fulfilled());
            return;
        }
        if (progress == null || progress.done() || (wish.isPresent() && progress.since() != since.getEpochSecond())) {
            progress = Progress.begin(since, history.completeSince(), now);
            LOG.info("history is read back to since={} complete_since={}", since, history.completeSince());
        }
        try {
            Optional<HistoryImport.Step> step = history.step(since);
            if (step.isPresent()) {
                progress = progress.after(step.get(), clock.instant());
                step.get().problems().stream()
                        .findFirst()
                        .ifPresent(first -> LOG.warn(
                                "history from={} unreadable={} first={}",
                                step.get().from(),
                                step.get().problems().size(),
                                first));
                if (!since.isBefore(step.get().from())) {
                    LOG.info("history is complete since={} runs={}", since, progress.runs());
                }
                Duration took = step.get().took();
                write(progress);
                Thread.sleep((took.compareTo(LONGEST_REST) < 0 ? took : LONGEST_REST).toMillis());
            }
        } catch (SlurmException e) {
            LOG.warn("history is not read further for now why={}", e.getMessage());
            progress = progress.failed(String.valueOf(e.getMessage()), clock.instant());
            write(progress);
            due = clock.instant().plus(AFTER_FAILURE);
        }
    }

    private void fulfilled() {
        try {
            Files.deleteIfExists(directory.resolve(WISH));
        } catch (IOException e) {
            LOG.debug("a fulfilled wish stays in {}", directory, e); // it is fulfilled again at no cost
        }
    }

    private void write(Progress now) {
        try {
            replace(directory.resolve(PROGRESS), JSON.writeValueAsString(now));
        } catch (IOException e) {
            LOG.debug("progress of the import cannot be written to {}", directory, e);
        }
    }

    // ---- what import sacct asks and looks at

    static void ask(Path directory, Instant since) throws IOException {
        replace(directory.resolve(WISH), since + "\n");
    }

    /** The instant that was asked for; absent if nobody asked. What is no instant counts as nothing. */
    static Optional<Instant> wish(Path directory) {
        try {
            return Optional.of(
                    Instant.parse(Files.readString(directory.resolve(WISH)).strip()));
        } catch (IOException | DateTimeException expected) {
            return Optional.empty();
        }
    }

    static Optional<Progress> progress(Path directory) {
        try {
            return Optional.of(JSON.readValue(Files.readString(directory.resolve(PROGRESS)), Progress.class));
        } catch (JsonProcessingException expected) {
            return Optional.empty(); // of another version
        } catch (IOException expected) {
            return Optional.empty(); // none yet
        }
    }

    /** A reader sees the old text or the new one, never half of it. */
    private static void replace(Path file, String text) throws IOException {
        Path draft = file.resolveSibling(file.getFileName() + ".new");
        Files.writeString(draft, text);
        Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}
