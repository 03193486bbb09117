package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With a real LDAP server in this process. StartTLS and a server of another make are for the lab. */
class LdapEntriesTest {
    private InMemoryDirectoryServer server;
    private Instant now = Samples.NOW;

    LdapEntriesTest() throws Exception {
        InMemoryDirectoryServerConfig config = new InMemoryDirectoryServerConfig("dc=example,dc=org");
        config.addAdditionalBindCredentials("cn=reader,dc=example,dc=org", "secret");
        config.setSchema(null);
        server = new InMemoryDirectoryServer(config);
    }

    @BeforeEach
    void start() throws Exception {
        server.add("dn: dc=example,dc=org", "objectClass: domain", "dc: example");
        person("anna", "mail: anna@es.aau.dk", "displayName: Anna\u0007 Lund", "preferredLanguage: da-DK");
        person("mailless", "displayName: Nobody");
        person("hostile", "mail: x@y.dk\r\n bcc");
        person("twin", "mail: one@example.org");
        server.add(
                "dn: cn=other,dc=example,dc=org",
                "objectClass: person",
                "cn: other",
                "uid: twin",
                "mail: two@example.org");
        server.startListening();
    }

    private void person(String uid, String... more) throws Exception {
        String[] lines = new String[3 + more.length];
        lines[0] = "dn: uid=" + uid + ",dc=example,dc=org";
        lines[1] = "objectClass: person";
        lines[2] = "uid: " + uid;
        System.arraycopy(more, 0, lines, 3, more.length);
        server.add(lines);
    }

    @AfterEach
    void stop() {
        server.shutDown(true);
    }

    private LdapEntries entries(int port, Optional<Path> password) {
        return new LdapEntries(
                new LdapEntries.Settings(
                        URI.create("ldap://127.0.0.1:" + port),
                        password.isPresent(),
                        Optional.empty(),
                        password.map(file -> "cn=reader,dc=example,dc=org"),
                        password,
                        "dc=example,dc=org",
                        "(uid=%u)",
                        "mail",
                        "displayName",
                        "preferredLanguage",
                        Duration.ofMillis(500),
                        Duration.ofMinutes(10)),
                () -> now);
    }

    private LdapEntries entries() {
        return entries(server.getListenPort(), Optional.empty());
    }

    @Test
    @DisplayName("address, name and language come from one entry; what is no address is none")
    void known() throws Exception {
        LdapEntries entries = entries();
        assertEquals(
                new Person.Known(
                        Optional.of("anna@es.aau.dk"),
                        Optional.of("Anna\uFFFD Lund"),
                        Optional.of("da-DK"),
                        Optional.empty()),
                entries.of("anna"));
        assertEquals(Optional.empty(), entries.of("mailless").address());
        assertEquals(Optional.empty(), entries.of("hostile").address());
        assertEquals(Person.Known.NOTHING, entries.of("unheard-of"));
    }

    @Test
    @DisplayName("a name that two entries have, or that holds a filter, finds nobody")
    void nobody() throws Exception {
        LdapEntries entries = entries();
        assertEquals(Person.Known.NOTHING, entries.of("twin"));
        assertEquals(Person.Known.NOTHING, entries.of("*"));
        assertEquals(Person.Known.NOTHING, entries.of("anna)(uid=*"));
    }

    @Test
    @DisplayName("a directory that is away is not asked again at once; an older answer serves meanwhile")
    void away() throws Exception {
        LdapEntries entries = entries();
        entries.of("anna");
        int port = server.getListenPort();
        server.shutDown(true);
        now = now.plus(Duration.ofMinutes(11));
        assertEquals(Optional.of("anna@es.aau.dk"), entries.of("anna").address());
        assertThrows(Directory.AwayException.class, () -> entries.of("bob"));
        server.startListening();
        if (server.getListenPort() == port) {
            assertThrows(Directory.AwayException.class, () -> entries.of("bob"));
            now = now.plusSeconds(31);
            assertEquals(Person.Known.NOTHING, entries.of("bob"));
        }
    }

    @Test
    @DisplayName("a server that takes a connection and says nothing costs its timeout, once for all users")
    void hangs() throws Exception {
        try (ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            LdapEntries entries = entries(silent.getLocalPort(), Optional.empty());
            long began = System.nanoTime();
            for (int i = 0; i < 50; i++) {
                String user = "user" + i;
                assertThrows(Directory.AwayException.class, () -> entries.of(user));
            }
            assertTrue(Duration.ofNanos(System.nanoTime() - began).toSeconds() < 10);
        }
    }

    @Test
    @DisplayName("without encryption the password is not sent")
    void noTls(@TempDir Path directory) throws Exception {
        Path password = Files.writeString(directory.resolve("password"), "secret\n");
        // this server has no StartTLS
        Directory.AwayException away =
                assertThrows(Directory.AwayException.class, () -> entries(server.getListenPort(), Optional.of(password))
                        .of("anna"));
        assertTrue(away.toString().contains("cannot be asked"), away.toString());
        IllegalArgumentException refused = assertThrows(
                IllegalArgumentException.class,
                () -> new LdapEntries.Settings(
                        URI.create("ldap://ldap.example.org"),
                        false,
                        Optional.empty(),
                        Optional.of("cn=reader"),
                        Optional.of(password),
                        "dc=example",
                        "(uid=%u)",
                        "mail",
                        "displayName",
                        "preferredLanguage",
                        Duration.ofSeconds(1),
                        Duration.ofSeconds(1)));
        assertTrue(String.valueOf(refused.getMessage()).startsWith("startTls: false"), refused.toString());
    }

    @Test
    @DisplayName("the file goes before the name, the name before LDAP, LDAP before the template")
    void order() {
        Person.Known file = new Person.Known(Optional.empty(), Optional.empty(), Optional.of("en"), Optional.of(true));
        Directory directory = new Directory(
                Map.of("anna", file), new Addresses(Optional.of("%u@example.org")), Optional.of(entries()));
        assertEquals(
                new Directory.Answer.Found(
                        new Person("anna@es.aau.dk", Optional.of("Anna\uFFFD Lund"), Optional.of("en"), true)),
                directory.of("anna"));
        assertEquals(new Directory.Answer.Found(Person.at("bob@example.org")), directory.of("bob"));
        assertEquals(new Directory.Answer.Found(Person.at("t@its.aau.dk")), directory.of("t@its.aau.dk"));
        assertTrue(directory.of("root") instanceof Directory.Answer.None);
    }
}
