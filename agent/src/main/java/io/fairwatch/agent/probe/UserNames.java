package io.fairwatch.agent.probe;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;

/**
 * Login names of user ids. Asking never waits: a name that is not known yet is looked up on a thread of its own, one at
 * a time, because a node's directory service (SSSD, LDAP) can take for ever and must not be stormed. Names are kept for
 * hours; that there is none, for minutes. Thread-safe.
 */
public final class UserNames {
    private static final Duration KEEP_NAME = Duration.ofHours(6);
    private static final Duration KEEP_NO_NAME = Duration.ofMinutes(10);
    private static final int MOST_NAMES = 20_000;
    private static final int MOST_WAITING = 1_000;

    private final IntFunction<Optional<String>> directory;
    private final Executor background;
    private final InstantSource clock;
    private final Map<Integer, Answer> answers = new ConcurrentHashMap<>();
    private final Set<Integer> waiting = ConcurrentHashMap.newKeySet();

    private record Answer(Optional<String> name, Instant until) {}

    UserNames(IntFunction<Optional<String>> directory, Executor background, InstantSource clock) {
        this.directory = directory;
        this.background = background;
        this.clock = clock;
    }

    /** Names as the node's own name service switch knows them. Its thread ends when idle. */
    public static UserNames ofSystem(InstantSource clock) {
        ThreadPoolExecutor background =
                new ThreadPoolExecutor(1, 1, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(MOST_WAITING), work -> {
                    Thread thread = new Thread(work, "user-names");
                    thread.setDaemon(true);
                    return thread;
                });
        background.allowCoreThreadTimeOut(true);
        return new UserNames(Libc::userName, background, clock);
    }

    /** Asks the system now, and waits as long as its directory service takes: for ever, maybe. */
    public static Optional<String> askSystem(int uid) {
        return Libc.userName(uid);
    }

    /** No names, for sites that do not want any to leave the node. */
    public static UserNames off() {
        return new UserNames(uid -> Optional.empty(), Runnable::run, () -> Instant.EPOCH);
    }

    /** The login name; empty when there is none, or it is not known yet. */
    public Optional<String> nameOf(int uid) {
        Answer answer = answers.get(uid);
        if ((answer == null || clock.instant().isAfter(answer.until)) && waiting.add(uid)) {
            try {
                background.execute(() -> lookUp(uid));
            } catch (RejectedExecutionException full) {
                waiting.remove(uid); // the next snapshot asks again
            }
            answer = answers.get(uid);
        }
        return answer == null ? Optional.empty() : answer.name;
    }

    private void lookUp(int uid) {
        try {
            Optional<String> name = directory.apply(uid).filter(UserNames::sendable);
            if (answers.size() >= MOST_NAMES) {
                answers.clear();
            }
            answers.put(uid, new Answer(name, clock.instant().plus(name.isPresent() ? KEEP_NAME : KEEP_NO_NAME)));
        } finally {
            waiting.remove(uid);
        }
    }

    private static boolean sendable(String name) {
        return !name.isEmpty() && name.length() <= 255 && name.chars().noneMatch(Character::isISOControl);
    }
}
