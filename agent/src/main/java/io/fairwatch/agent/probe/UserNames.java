package io.fairwatch.agent.probe;

import io.fairwatch.agent.wire.ScratchUse.Owner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Login names of user ids. Asking never waits: a name that is not known yet is looked up on a thread of its own, one at
 * a time, because a node's directory service (SSSD, LDAP) can take for ever and must not be stormed. Names are kept for
 * hours; that there is none, for minutes, later for hours; all by monotonic time, because clocks are set. Thread-safe.
 *
 * <p>That somebody is gone is a grave thing to say, and a directory service that is down, or away from its servers, says
 * "no such user" of everybody (SSSD as Red Hat builds it does). So it is believed only when it is said for a whole day,
 * and only while the same service knows somebody else who is not in {@code /etc/passwd}.
 */
public final class UserNames {
    private static final Duration KEEP_NAME = Duration.ofHours(6);
    private static final Duration KEEP_NO_NAME = Duration.ofMinutes(10);
    private static final Duration KEEP_STILL_NO_NAME = Duration.ofHours(1);
    private static final Duration BELIEVED_AFTER = Duration.ofDays(1);
    private static final int MOST_NAMES = 20_000;
    private static final int MOST_WAITING = 1_000;
    private static final Set<String> LOCAL = Set.of("files", "compat", "systemd", "altfiles", "db");

    private final Directory directory;
    private final Executor background;
    private final LongSupplier nanoTime;
    private final Map<Integer, Answer> answers = new ConcurrentHashMap<>();
    private final Set<Integer> waiting = ConcurrentHashMap.newKeySet();
    /** Used by the looking thread alone, as are those below. */
    private OptionalInt witness = OptionalInt.empty();

    private long witnessedNanos;
    private Locals locals = new Locals(Set.of(), false);
    private OptionalLong localsReadNanos = OptionalLong.empty();

    /**
     * What is known of a uid.
     *
     * @param owner whether the directory service knows it
     * @param name its login name; absent unless it is known and can be sent
     */
    public record Login(Owner owner, Optional<String> name) {}

    /** Where names come from. */
    interface Directory {
        /**
         * The name of a uid; empty when the answer is that there is none. May take for ever.
         *
         * @throws IOException if there was no answer
         */
        Optional<String> nameOf(int uid) throws IOException;

        /** Who is known without a service. */
        default Locals locals() {
            return new Locals(Set.of(), true);
        }
    }

    /**
     * Users of this node's own files.
     *
     * @param uids theirs
     * @param all whether there are no others, for want of a directory service
     */
    record Locals(Set<Integer> uids, boolean all) {
        /** Reads the texts of {@code /etc/passwd} and {@code /etc/nsswitch.conf}. */
        static Locals parse(List<String> passwd, List<String> nsswitch) {
            Set<Integer> uids = new HashSet<>();
            for (String line : passwd) {
                String[] fields = line.split(":", 4);
                if (fields.length == 4 && fields[2].matches("\\d{1,9}")) {
                    uids.add(Integer.valueOf(fields[2]));
                }
            }
            boolean all = true;
            for (String line : nsswitch) {
                String[] words = line.replaceAll("#.*|\\[[^]]*]", "").strip().split("\\s+");
                if (words[0].equals("passwd:")) {
                    all = List.of(words).stream().skip(1).allMatch(LOCAL::contains);
                }
            }
            return new Locals(uids, all);
        }
    }

    /**
     * @param missingSince since when, in nanoseconds, it is said that there is no such uid; absent: it is not
     * @param at when it was given, and is kept from
     */
    private record Answer(Login login, OptionalLong missingSince, long at, Duration keep) {
        Answer keptFrom(long now, Duration time) {
            return new Answer(login, missingSince, now, time);
        }

        boolean isOld(long now) {
            return now - at > keep.toNanos();
        }
    }

    UserNames(Directory directory, Executor background, LongSupplier nanoTime) {
        this.directory = directory;
        this.background = background;
        this.nanoTime = nanoTime;
    }

    /** Names as the node's own name service switch knows them. Its thread ends when idle. */
    public static UserNames ofSystem() {
        ThreadPoolExecutor background =
                new ThreadPoolExecutor(1, 1, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(MOST_WAITING), work -> {
                    Thread thread = new Thread(work, "user-names");
                    thread.setDaemon(true);
                    return thread;
                });
        background.allowCoreThreadTimeOut(true);
        return new UserNames(new NameServices(), background, System::nanoTime);
    }

    /** Asks the system now, and waits as long as its directory service takes: for ever, maybe. */
    public static Optional<String> askSystem(int uid) {
        try {
            return Libc.userName(uid);
        } catch (IOException noAnswer) {
            return Optional.empty();
        }
    }

    /** No names, for sites that do not want any to leave the node. */
    public static UserNames off() {
        Directory silent = uid -> {
            throw new IOException("names are off");
        };
        return new UserNames(silent, Runnable::run, () -> 0);
    }

    /** The login name; empty when there is none, or it is not known yet. */
    public Optional<String> nameOf(int uid) {
        return loginOf(uid).name();
    }

    /** What is known of a uid by now. */
    public Login loginOf(int uid) {
        Answer answer = answers.get(uid);
        if ((answer == null || answer.isOld(nanoTime.getAsLong())) && waiting.add(uid)) {
            try {
                background.execute(() -> lookUp(uid));
            } catch (RejectedExecutionException full) {
                waiting.remove(uid); // the next snapshot asks again
            }
            answer = answers.get(uid);
        }
        return answer == null ? new Login(Owner.NOT_ASKED, Optional.empty()) : answer.login;
    }

    private void lookUp(int uid) {
        try {
            Answer answer = ask(uid, answers.get(uid));
            if (answers.size() >= MOST_NAMES) {
                answers.clear();
            }
            answers.put(uid, answer);
        } finally {
            waiting.remove(uid);
        }
    }

    private Answer ask(int uid, @Nullable Answer before) {
        long now = nanoTime.getAsLong();
        Answer undecided = before != null
                ? before.keptFrom(now, KEEP_NO_NAME)
                : new Answer(new Login(Owner.NOT_ASKED, Optional.empty()), OptionalLong.empty(), now, KEEP_NO_NAME);
        try {
            Optional<String> name = directory.nameOf(uid);
            if (name.isPresent()) {
                if (!locals(now).uids.contains(uid)) {
                    witness = OptionalInt.of(uid);
                    witnessedNanos = now;
                }
                return new Answer(
                        new Login(Owner.KNOWN, name.filter(UserNames::sendable)), OptionalLong.empty(), now, KEEP_NAME);
            }
            return directorySpeaks(now) ? missing(undecided, now) : undecided;
        } catch (IOException noAnswer) {
            return undecided;
        }
    }

    private static Answer missing(Answer before, long now) {
        OptionalLong since = before.missingSince;
        if (since.isEmpty()) {
            return new Answer(before.login, OptionalLong.of(now), now, KEEP_NO_NAME);
        } else if (now - since.getAsLong() < BELIEVED_AFTER.toNanos()) {
            return new Answer(before.login, since, now, KEEP_STILL_NO_NAME);
        }
        return new Answer(new Login(Owner.GONE, Optional.empty()), since, now, KEEP_NAME);
    }

    /** Whether "no such user" means anything now. */
    private boolean directorySpeaks(long now) throws IOException {
        if (locals(now).all) {
            return true;
        }
        if (witness.isPresent() && now - witnessedNanos > KEEP_NO_NAME.toNanos()) {
            int somebody = witness.getAsInt();
            witness = OptionalInt.empty(); // gone as well, or nobody answers: another one must come forward
            if (directory.nameOf(somebody).isPresent()) {
                witness = OptionalInt.of(somebody);
                witnessedNanos = now;
            }
        }
        return witness.isPresent();
    }

    private Locals locals(long now) {
        if (localsReadNanos.isEmpty() || now - localsReadNanos.getAsLong() > KEEP_NO_NAME.toNanos()) {
            locals = directory.locals();
            localsReadNanos = OptionalLong.of(now);
        }
        return locals;
    }

    private static boolean sendable(String name) {
        return !name.isEmpty() && name.length() <= 255 && name.chars().noneMatch(Character::isISOControl);
    }

    /** The node's own name service switch. */
    private static final class NameServices implements Directory {
        @Override
        public Optional<String> nameOf(int uid) throws IOException {
            return Libc.userName(uid);
        }

        @Override
        public Locals locals() {
            try {
                return Locals.parse(
                        Files.readAllLines(Path.of("/etc/passwd"), java.nio.charset.StandardCharsets.ISO_8859_1),
                        Files.readAllLines(
                                Path.of("/etc/nsswitch.conf"), java.nio.charset.StandardCharsets.ISO_8859_1));
            } catch (IOException e) {
                return new Locals(Set.of(), false);
            }
        }
    }
}
