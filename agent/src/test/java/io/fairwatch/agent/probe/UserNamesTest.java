package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.probe.UserNames.Locals;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class UserNamesTest {
    private static final int ANNA = 1000;
    private static final int OTTO = 2000;

    private long nanos = Long.MAX_VALUE - 1; // whose origin is arbitrary
    private final Queue<Runnable> background = new ArrayDeque<>();
    private final List<Integer> asked = new ArrayList<>();
    private final Map<Integer, String> people = new HashMap<>(Map.of(ANNA, "anna"));
    private boolean answering = true;
    private Locals locals = new Locals(Set.of(0), true);
    private final UserNames names = new UserNames(
            new UserNames.Directory() {
                @Override
                public Optional<String> nameOf(int uid) throws IOException {
                    asked.add(uid);
                    if (!answering) {
                        throw new IOException("no answer");
                    }
                    return Optional.ofNullable(people.get(uid));
                }

                @Override
                public Locals locals() {
                    return locals;
                }
            },
            background::add,
            () -> nanos);

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
        nanos += Duration.ofHours(5).toNanos();
        names.nameOf(1000);
        work();
        assertEquals(1, asked.size());
        nanos += Duration.ofHours(2).toNanos();
        assertEquals(Optional.of("anna"), names.nameOf(1000));
        work();
        assertEquals(2, asked.size());
    }

    @Test
    @DisplayName("that there is no name is asked again after minutes")
    void unknown() {
        people.clear();
        names.nameOf(1000);
        work();
        names.nameOf(1000);
        work();
        assertEquals(1, asked.size());
        nanos += Duration.ofMinutes(11).toNanos();
        people.put(ANNA, "anna");
        names.nameOf(1000);
        work();
        assertEquals(Optional.of("anna"), names.nameOf(1000));
    }

    @Test
    @DisplayName("a name that could not be sent is none")
    void unsendable() {
        people.put(ANNA, "an\nna");
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
                () -> nanos);
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
    void real() throws IOException {
        assertEquals(Optional.of("root"), Libc.userName(0));
        assertEquals(Optional.empty(), Libc.userName(1_987_654_321));
    }

    @Test
    @DisplayName("a name may hold an @ and letters of any language")
    void at() {
        people.put(ANNA, "anna.grün@uni-example.de");
        names.nameOf(ANNA);
        work();
        assertEquals(Optional.of("anna.grün@uni-example.de"), names.nameOf(ANNA));
    }

    @Test
    @DisplayName("somebody whom the directory does not know for a day is gone, not before")
    void gone() {
        assertEquals(Owner.NOT_ASKED, ownerAfter(OTTO, Duration.ZERO));
        assertEquals(Owner.NOT_ASKED, ownerAfter(OTTO, Duration.ofHours(23)));
        assertEquals(Owner.GONE, ownerAfter(OTTO, Duration.ofHours(2)));
        people.put(OTTO, "otto");
        assertEquals(Owner.KNOWN, ownerAfter(OTTO, Duration.ofHours(7)), "and may come back");
    }

    @Test
    @DisplayName("a clock that is set makes nobody gone, and keeps no name from being asked again")
    void clockIsNotAsked() {
        // there is none to ask: time comes from a counter whose origin is arbitrary, here just before it turns over
        assertEquals(Owner.KNOWN, ownerAfter(ANNA, Duration.ZERO));
        people.put(ANNA, "anna2");
        assertEquals(Owner.KNOWN, ownerAfter(ANNA, Duration.ofHours(7)));
        assertEquals(Optional.of("anna2"), names.nameOf(ANNA));
    }

    @Test
    @DisplayName("somebody who had a name keeps it until they are gone")
    void leaving() {
        names.loginOf(ANNA);
        work();
        people.clear();
        assertEquals(Owner.KNOWN, ownerAfter(ANNA, Duration.ofHours(7)));
        assertEquals(Optional.of("anna"), names.nameOf(ANNA));
        assertEquals(Owner.GONE, ownerAfter(ANNA, Duration.ofHours(25)));
        assertEquals(Optional.empty(), names.nameOf(ANNA));
    }

    @Test
    @DisplayName("a directory service that does not answer makes nobody gone, however long")
    void silent() {
        names.loginOf(ANNA);
        work();
        answering = false;
        for (int day = 0; day < 5; day++) {
            assertEquals(Owner.KNOWN, ownerAfter(ANNA, Duration.ofDays(1)));
            assertEquals(Owner.NOT_ASKED, ownerAfter(OTTO, Duration.ofDays(1)));
        }
    }

    @Test
    @DisplayName("a directory service that knows nobody any more, because it is down, makes nobody gone")
    void knowsNobody() {
        locals = new Locals(Set.of(0), false);
        people.put(0, "root");
        assertEquals(Owner.KNOWN, ownerAfter(ANNA, Duration.ZERO));
        people.remove(ANNA);
        for (int day = 0; day < 5; day++) {
            assertEquals(Owner.KNOWN, ownerAfter(0, Duration.ofDays(1)));
            assertEquals(Owner.NOT_ASKED, ownerAfter(OTTO, Duration.ofDays(1)), "root is known without any service");
            assertEquals(Owner.KNOWN, ownerAfter(ANNA, Duration.ofDays(1)));
        }
    }

    @Test
    @DisplayName("while a directory service knows somebody, its word about others counts")
    void witness() {
        locals = new Locals(Set.of(0), false);
        assertEquals(Owner.KNOWN, ownerAfter(ANNA, Duration.ZERO));
        assertEquals(Owner.NOT_ASKED, ownerAfter(OTTO, Duration.ofHours(1)));
        assertEquals(Owner.GONE, ownerAfter(OTTO, Duration.ofHours(25)));
    }

    @Test
    @DisplayName("without names nobody is known, and nobody gone")
    void offIsNotGone() {
        assertEquals(Owner.NOT_ASKED, UserNames.off().loginOf(OTTO).owner());
    }

    @Test
    @DisplayName("who is known without a service, and whether there is one, stands in two files")
    void localUsers() {
        List<String> passwd = List.of("root:x:0:0:root:/root:/bin/sh", "+::::::", "munge:x:114:120::/:/bin/false", "");
        assertEquals(
                new Locals(Set.of(0, 114), true),
                Locals.parse(passwd, List.of("# passwd: ldap", "passwd: files systemd")));
        assertEquals(
                new Locals(Set.of(0, 114), false),
                Locals.parse(passwd, List.of("passwd:\tfiles [!NOTFOUND=return] sss", "group: files")));
    }

    /** Who owns it, when that is asked some time later and there was time to look it up. */
    private Owner ownerAfter(int uid, Duration later) {
        nanos += later.toNanos();
        names.loginOf(uid);
        work();
        return names.loginOf(uid).owner();
    }

    private void work() {
        while (!background.isEmpty()) {
            background.remove().run();
        }
    }
}
