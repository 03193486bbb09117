package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GecosEntriesTest {
    private final List<String> asked = new ArrayList<>();
    private Instant now = Instant.parse("2026-11-23T13:00:00Z");
    private final GecosEntries entries = new GecosEntries(
            user -> {
                asked.add(user);
                if (user.equals("bob")) {
                    throw new IllegalStateException("getent ended with 2");
                }
                return user + ":x:21002:21000:Anna Holm,room 3,,:/home/anna:/bin/bash";
            },
            () -> now);

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "anna | anna:x:1:1:Anna Holm,room 3,,:/home:/bin/sh | Anna Holm",
                "anna | anna:x:1:1:& Holm:/home:/bin/sh | Anna Holm",
                "anna | anna:x:1:1:S\u00f8ren \u00c5:/home:/bin/sh | S\u00f8ren \u00c5",
                "a@b.dk | a@b.dk:x:1:1:A B:/home:/bin/sh | A B",
                "anna | anna:x:1:1::/home:/bin/sh |",
                "anna | anna:x:1:1: ,x:/home:/bin/sh |",
                "anna | anna:x:1:1:anna:/home:/bin/sh |",
                "1000 | anna:x:1000:1:Anna Holm:/home:/bin/sh |",
                "anna | garbage |",
                "anna | anna:x:1:1:A\u001b[31m\u202eB:/home:/bin/sh | A\ufffd[31m\ufffdB",
            })
    @DisplayName("a name is the first part of the field; what is no name, or another's, is none")
    void parsed(String user, String line, String name) {
        assertEquals(
                Optional.ofNullable(name).map(text -> text.replace(" ", "")),
                GecosEntries.name(user, line).map(text -> text.replace(" ", "")));
    }

    @Test
    @DisplayName("each is asked for once an hour; who has no account has no name, and the letter goes out")
    void kept() throws Exception {
        assertEquals(Optional.of("Anna Holm"), entries.of("anna").name());
        assertEquals(Optional.of("Anna Holm"), entries.of("anna").name());
        assertEquals(Optional.empty(), entries.of("bob").name());
        assertEquals(Optional.empty(), entries.of("bob").address());
        assertEquals(List.of("anna", "bob"), asked);
        now = now.plus(Duration.ofMinutes(61));
        entries.of("anna");
        assertEquals(3, asked.size());
    }

    @Test
    @DisplayName("a name that LDAP knows comes first; one that it does not know is the account's")
    void behindLdap() {
        Directory.Entries ldap = user -> user.equals("anna")
                ? new Person.Known(
                        Optional.of("anna@es.aau.dk"), Optional.of("Anna H."), Optional.of("da"), Optional.empty())
                : Person.Known.NOTHING;
        Directory directory =
                new Directory(Map.of(), new Addresses(Optional.of("%u@example.org")), Optional.of(ldap.named(entries)));
        assertEquals(
                new Directory.Answer.Found(
                        new Person("anna@es.aau.dk", Optional.of("Anna H."), Optional.of("da"), false)),
                directory.of("anna"));
        assertEquals(
                new Directory.Answer.Found(
                        new Person("eva@example.org", Optional.of("Anna Holm"), Optional.empty(), false)),
                directory.of("eva"));
        assertEquals(List.of("eva"), asked);
    }
}
