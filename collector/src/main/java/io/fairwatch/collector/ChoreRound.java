package io.fairwatch.collector;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.fairwatch.collector.store.Copies;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Export;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies the store for the commands {@code backup} and {@code export} while the collector does its work. Command and
 * collector speak by two small files in the store's directory, which is its owner's alone: so no port can be asked to
 * write files. A wish stays there until it is fulfilled or refused; after a restart it is begun again. Confined to one
 * thread.
 */
final class ChoreRound {
    private static final Logger LOG = LoggerFactory.getLogger(ChoreRound.class);

    private static final String WISH = "copy.wish";
    private static final String PROGRESS = "copy.progress";
    private static final JsonMapper JSON = new JsonMapper();

    private final DuckDbStore store;
    private final Path directory;
    private final InstantSource clock;

    /** @param directory of the store */
    ChoreRound(DuckDbStore store, Path directory, InstantSource clock) {
        this.store = store;
        this.directory = directory;
        this.clock = clock;
    }

    /**
     * What is to be copied. Immutable.
     *
     * @param id which wish this is
     * @param target where to
     * @param format of an export; empty for a backup
     * @param tables of an export; none: all
     * @param from of an export, as text of ISO 8601; empty: from the beginning
     * @param to of an export, likewise; empty: up to now
     */
    record Wish(String id, String target, String format, List<String> tables, String from, String to) {
        static Wish backup(String id, Path target) {
            return new Wish(id, target.toString(), "", List.of(), "", "");
        }

        static Wish export(String id, Path target, Export what) {
            return new Wish(
                    id,
                    target.toString(),
                    what.format().word,
                    what.tables(),
                    what.from().map(Instant::toString).orElse(""),
                    what.to().map(Instant::toString).orElse(""));
        }

        /** Does it. */
        Copies fulfil(DuckDbStore store, Instant now, Copies.Told told) throws StoreException {
            Path to = Path.of(target);
            if (format.isEmpty()) {
                return store.backup(to, now, told);
            }
            return store.export(
                    new Export(tables, Export.Format.of(format), instant(from), instant(this.to)), to, told);
        }

        private static Optional<Instant> instant(String text) {
            return text.isEmpty() ? Optional.empty() : Optional.of(Instant.parse(text));
        }
    }

    /**
     * How far it is. Immutable.
     *
     * @param id which wish
     * @param at when this was written, seconds since 1970
     * @param what is being copied
     * @param done how much of all
     * @param of how much there is
     * @param failure why it was given up; empty if it was not
     * @param made what was made; null as long as it is not
     */
    record Progress(
            String id,
            long at,
            String what,
            long done,
            long of,
            String failure,
            @org.jspecify.annotations.Nullable Copies made) {
        boolean ended() {
            return made != null || !failure.isEmpty();
        }
    }

    /** Does what is wished, if something is. */
    void run() {
        Optional<Wish> wish = wish();
        if (wish.isEmpty()) {
            return;
        }
        String id = wish.get().id();
        LOG.info(
                "the store is copied to={} format={}",
                wish.get().target(),
                wish.get().format());
        Progress end;
        try {
            Copies made = wish.get()
                    .fulfil(
                            store,
                            clock.instant(),
                            (what, done, of) ->
                                    tell(new Progress(id, clock.instant().getEpochSecond(), what, done, of, "", null)));
            LOG.info("the store was copied to={} files={} bytes={}", wish.get().target(), made.files(), made.bytes());
            end = new Progress(id, clock.instant().getEpochSecond(), "", 1, 1, "", made);
        } catch (StoreException | IllegalArgumentException | DateTimeException e) {
            LOG.warn("the store could not be copied to={}", wish.get().target(), e);
            end = new Progress(id, clock.instant().getEpochSecond(), "", 0, 1, String.valueOf(e.getMessage()), null);
        }
        tell(end);
        try {
            Files.deleteIfExists(directory.resolve(WISH));
        } catch (IOException e) {
            LOG.warn("a fulfilled wish stays in {}", directory, e);
        }
    }

    private Optional<Wish> wish() {
        try {
            return Optional.of(JSON.readValue(Files.readString(directory.resolve(WISH)), Wish.class));
        } catch (NoSuchFileException expected) {
            return Optional.empty();
        } catch (IOException e) {
            LOG.warn("{} cannot be read and is removed", directory.resolve(WISH), e);
            try {
                Files.deleteIfExists(directory.resolve(WISH));
            } catch (IOException also) {
                LOG.debug("it stays", also);
            }
            return Optional.empty();
        }
    }

    private void tell(Progress now) {
        try {
            replace(directory.resolve(PROGRESS), JSON.writeValueAsString(now));
        } catch (IOException e) {
            LOG.debug("progress cannot be written to {}", directory, e);
        }
    }

    // ---- what commands ask and look at

    /** @throws IOException also if somebody else waits for a copy */
    static void ask(Path directory, Wish wish) throws IOException {
        if (Files.exists(directory.resolve(WISH))) {
            throw new IOException("another copy is being made (expected: one at a time)");
        }
        replace(directory.resolve(WISH), JSON.writeValueAsString(wish));
    }

    /** How far a wish is; empty before its beginning. */
    static Optional<Progress> progress(Path directory, String id) {
        try {
            Progress progress = JSON.readValue(Files.readString(directory.resolve(PROGRESS)), Progress.class);
            return progress.id().equals(id) ? Optional.of(progress) : Optional.empty();
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
