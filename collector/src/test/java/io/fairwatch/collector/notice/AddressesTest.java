package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AddressesTest {
    private final Addresses addresses = new Addresses(Optional.of("%u@example.org"));

    private static Addresses.Answer found(String address) {
        return new Addresses.Answer.Found(address);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tlj@its.aau.dk",
                "a.b-c_d+e=f@student.aau.dk",
                "o'brien@example.org",
                "x@xn--bcher-kva.example",
                "1@2.example"
            })
    @DisplayName("a user name that is an address is used as it is")
    void nameIsAddress(String user) {
        assertEquals(found(user), addresses.of(user));
    }

    @Test
    @DisplayName("any other goes into the template")
    void template() {
        assertEquals(found("asolano_@example.org"), addresses.of("asolano_"));
        assertInstanceOf(Addresses.Answer.None.class, new Addresses(Optional.empty()).of("asolano"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a@b\r\nBcc: x",
                "a@b.dk\r\nBcc: x@y.dk",
                "a@b.dk\n",
                "a@b.dk\0",
                "a b",
                "a b@c.dk",
                "root",
                "root@its.aau.dk",
                "Postmaster",
                "\"x\"@y",
                "\"x\"@y.dk",
                "x@y",
                "x@y.dk@z.dk",
                "@y.dk",
                "x@",
                "",
                "x@[127.0.0.1]",
                "x@127.0.0.1",
                "x@-y.dk",
                "x@y-.dk",
                "x@y..dk",
                "x@.dk",
                ".x@y.dk",
                "x.@y.dk",
                "x..z@y.dk",
                "<x@y.dk>",
                "x@y.dk,z@y.dk",
                "x;y",
                "x>",
                "x%y",
                "søren@aau.dk",
                "x@å.dk",
                "x\u202E@y.dk",
                "x(comment)@y.dk",
                "x\\@y.dk"
            })
    @DisplayName("hostile and nobody's names have no address")
    void refused(String user) {
        Addresses.Answer.None none = assertInstanceOf(Addresses.Answer.None.class, addresses.of(user));
        assertFalse(none.why().codePoints().anyMatch(Character::isISOControl), none.why());
    }

    @Test
    @DisplayName("length is bounded, and long names cost no time")
    void length() {
        assertInstanceOf(Addresses.Answer.None.class, addresses.of("a".repeat(65) + "@b.dk"));
        assertInstanceOf(Addresses.Answer.None.class, addresses.of("a".repeat(100_000)));
        assertInstanceOf(Addresses.Answer.None.class, addresses.of("a@" + "b.".repeat(126) + "dk"));
        assertInstanceOf(Addresses.Answer.None.class, addresses.of("a@" + "b".repeat(64) + ".dk"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "%u", "example.org", "%u@b", "%u@%u.dk", "%x@b.dk", "%u@b.dk\r\nBcc: x"})
    @DisplayName("a template that gives no address is refused at once")
    void wrongTemplate(String template) {
        assertThrows(IllegalArgumentException.class, () -> new Addresses(Optional.of(template)));
    }
}
