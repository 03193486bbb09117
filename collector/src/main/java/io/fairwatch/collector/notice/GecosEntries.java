package io.fairwatch.collector.notice;

import io.fairwatch.collector.text.Plain;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Names for the greeting, from the field that {@code passwd(5)} has for people's names. Never away: where it cannot be
 * asked, nobody's name is known, and it is asked again only after a pause. Thread-safe; one question at a time.
 */
public final class GecosEntries implements Directory.Entries {
    private static final Logger LOG = LoggerFactory.getLogger(GecosEntries.class);
    private static final Duration KEEP = Duration.ofHours(1);
    private static final Duration PAUSE = Duration.ofMinutes(1);
    private static final Duration SLOW = Duration.ofSeconds(2);
    private static final int MOST_KEPT = 100_000;

    /** The accounts of a machine. */
    @FunctionalInterface
    public interface Accounts {
        /**
         * The line of a user.
         *
         * @throws Exception if there is none, or if it cannot be asked
         */
        String line(String user) throws Exception;
    }

    private record Kept(Optional<String> name, Instant at) {}

    private final Accounts accounts;
    private final InstantSource clock;
    private final Map<String, Kept> kept = new HashMap<>();
    private Optional<Instant> slowSince = Optional.empty();

    public GecosEntries(Accounts accounts, InstantSource clock) {
        this.accounts = accounts;
        this.clock = clock;
    }

    @Override
    public synchronized Person.Known of(String user) {
        Instant now = clock.instant();
        Kept known = kept.get(user);
        boolean pauses = slowSince
                .filter(since -> now.isBefore(since.plus(PAUSE)) && !now.isBefore(since))
                .isPresent();
        if (known == null || (!pauses && isOld(known, now))) {
            known = pauses ? new Kept(Optional.empty(), now) : ask(user, now);
        }
        return new Person.Known(Optional.empty(), known.name(), Optional.empty(), Optional.empty());
    }

    private static boolean isOld(Kept known, Instant now) {
        return now.isBefore(known.at()) || now.isAfter(known.at().plus(KEEP));
    }

    private Kept ask(String user, Instant now) {
        Optional<String> name = Optional.empty();
        long began = System.nanoTime();
        try {
            name = name(user, accounts.line(user));
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        } catch (Exception unknown) {
            LOG.debug("no account user={}", Plain.line(user, 80), unknown);
        }
        // who is not there is answered at once; what hangs would hold up every mail
        slowSince = System.nanoTime() - began > SLOW.toNanos() ? Optional.of(now) : Optional.empty();
        if (kept.size() >= MOST_KEPT) {
            kept.clear();
        }
        Kept answer = new Kept(name, now);
        kept.put(user, answer);
        return answer;
    }

    /** {@code anna:x:1000:1000:Anna Holm,room 3,,:/home/anna:/bin/bash}; an ampersand stands for the user name. */
    static Optional<String> name(String user, String line) {
        String[] fields = line.split(":", -1);
        if (fields.length < 5 || !fields[0].equals(user)) {
            return Optional.empty(); // a number asks for a uid, and the answer is somebody else
        }
        String first = fields[4].split(",", 2)[0].strip();
        String capital = user.substring(0, 1).toUpperCase(Locale.ROOT) + user.substring(1);
        String name = Plain.line(first.replace("&", capital), 60);
        return name.isEmpty() || name.equals(user) ? Optional.empty() : Optional.of(name);
    }
}
