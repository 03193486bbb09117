package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class UserNamesTest {
    private Instant now = Instant.parse("2026-11-20T12:00:00Z");
    private final Queue<Runnable> background = new ArrayDeque<>();
    private final List<Integer> asked = new ArrayList<>();
    private Optional<String> answer = Optional.of("anna");
    private final UserNames names = new UserNames(
            uid -> {
                asked.add(uid);
                return answer;
            },
            background::add,
            () -> now);

    @Test
    @DisplayName("a name is looked up beside, once, and known afterwards")
    void beside() {
        assertEquals(Optional.empty(), names.nameOf(1000));
        assertEquals(Optional.empty(), names.nameOf(1000));
        work();
        assertEquals(Optional.of("anna"), names.nameOf(1000));
        assertEquals(List.of(1000), asked);
    }

    @Test
    @DisplayName("a name is kept for hours, and served while it is looked up again")
    void kept() {
        names.nameOf(1000);
        work();
        now = now.plus(Duration.ofHours(5));
        names.nameOf(1000);
        work();
        assertEquals(1, asked.size());
        now = now.plus(Duration.ofHours(2));
        assertEquals(Optional.of("anna"), names.nameOf(1000));
        work();
        assertEquals(2, asked.size());
    }

    @Test
    @DisplayName("that there is no name is asked again after minutes")
    void unknown() {
        answer = Optional.empty();
        names.nameOf(1000);
        work();
        names.nameOf(1000);
        work();
        assertEquals(1, asked.size());
        now = now.plus(Duration.ofMinutes(11));
        answer = Optional.of("anna");
        names.nameOf(1000);
        work();
        assertEquals(Optional.of("anna"), names.nameOf(1000));
    }

    @Test
    @DisplayName("a name that could not be sent is none")
    void unsendable() {
        answer = Optional.of("an\nna");
        names.nameOf(1000);
        work();
        assertEquals(Optional.empty(), names.nameOf(1000));
    }

    @Test
    @DisplayName("when too many wait, the name is asked for another time")
    void full() {
        List<Integer> tries = new ArrayList<>();
        UserNames full = new UserNames(
                uid -> Optional.of("anna"),
                work -> {
                    tries.add(1);
                    throw new RejectedExecutionException("full");
                },
                () -> now);
        assertEquals(Optional.empty(), full.nameOf(1000));
        assertEquals(Optional.empty(), full.nameOf(1000));
        assertEquals(2, tries.size());
    }

    @Test
    @DisplayName("a site that wants no names gets none")
    void off() {
        assertEquals(Optional.empty(), UserNames.off().nameOf(0));
    }

    @Test
    @DisplayName("this system knows root, and nobody with an odd number")
    void real() {
        assertEquals(Optional.of("root"), Libc.userName(0));
        assertEquals(Optional.empty(), Libc.userName(1_987_654_321));
    }

    private void work() {
        while (!background.isEmpty()) {
            background.remove().run();
        }
    }
}
