package io.fairwatch.collector.notice;

import com.unboundid.ldap.sdk.Filter;
import com.unboundid.ldap.sdk.LDAPConnection;
import com.unboundid.ldap.sdk.LDAPConnectionOptions;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.ResultCode;
import com.unboundid.ldap.sdk.SearchRequest;
import com.unboundid.ldap.sdk.SearchResultEntry;
import com.unboundid.ldap.sdk.SearchScope;
import com.unboundid.ldap.sdk.extensions.StartTLSExtendedRequest;
import com.unboundid.util.ssl.HostNameSSLSocketVerifier;
import com.unboundid.util.ssl.PEMFileTrustManager;
import com.unboundid.util.ssl.SSLUtil;
import io.fairwatch.collector.text.Plain;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks LDAP for a user's address, name and language. Thread-safe; one question at a time, each within the timeout.
 *
 * <p>Answers are kept for a while; while the directory is away, older ones serve too, and it is asked again only after a
 * pause, so that a round over hundreds of users does not wait for each of them. A connection is made for each question that
 * is not answered from memory: they are few, and there is none that a firewall could have cut unseen.
 */
public final class LdapEntries implements Directory.Entries {
    private static final Logger LOG = LoggerFactory.getLogger(LdapEntries.class);
    private static final Duration PAUSE = Duration.ofSeconds(30);
    private static final int MOST_KEPT = 100_000;

    /**
     * How to ask. Immutable. Certificates and host names are always checked.
     *
     * @param url {@code ldap://host:389} or {@code ldaps://host:636}
     * @param startTls whether an {@code ldap} connection is encrypted before anything is said
     * @param caFile PEM file with the authorities to trust in place of Java's; absent: Java's
     * @param bindDn who asks; absent: nobody in particular
     * @param passwordFile file whose first line is the password; present exactly with bindDn
     * @param baseDn below which people are
     * @param filter with {@code %u} for the user name, which is escaped
     * @param mailAttribute with the address
     * @param nameAttribute with the name for the greeting
     * @param languageAttribute with the language, as RFC 2798 has it
     * @param timeout for connecting and for each answer
     * @param keep how long an answer is good
     */
    public record Settings(
            URI url,
            boolean startTls,
            Optional<Path> caFile,
            Optional<String> bindDn,
            Optional<Path> passwordFile,
            String baseDn,
            String filter,
            String mailAttribute,
            String nameAttribute,
            String languageAttribute,
            Duration timeout,
            Duration keep) {
        public Settings {
            if (!"ldap".equals(url.getScheme()) && !"ldaps".equals(url.getScheme())) {
                throw new IllegalArgumentException("url: " + url + " (expected: ldap://host or ldaps://host)");
            }
            if (bindDn.isPresent() != passwordFile.isPresent()) {
                throw new IllegalArgumentException(
                        (bindDn.isPresent() ? "bindDn" : "passwordFile") + ": comes alone (expected: both or none)");
            }
            if (bindDn.isPresent() && !startTls && "ldap".equals(url.getScheme())) {
                throw new IllegalArgumentException("startTls: false (expected: true, or ldaps, so that the password"
                        + " never goes out in clear)");
            }
            if (!filter.contains("%u")) {
                throw new IllegalArgumentException("filter: " + filter + " (expected: e.g. (uid=%u))");
            }
            try {
                Filter.create(filter.replace("%u", "u"));
            } catch (LDAPException e) {
                throw new IllegalArgumentException("filter: " + filter + " (expected: e.g. (uid=%u))", e);
            }
        }
    }

    private record Kept(Person.Known known, Instant at) {}

    private final Settings settings;
    private final InstantSource clock;
    private final Map<String, Kept> kept = new HashMap<>();
    private Optional<Instant> awaySince = Optional.empty();
    private String awayWhy = "";

    public LdapEntries(Settings settings, InstantSource clock) {
        this.settings = settings;
        this.clock = clock;
    }

    @Override
    public synchronized Person.Known of(String user) throws Directory.AwayException {
        Instant now = clock.instant();
        Kept known = kept.get(user);
        if (known != null && isWithin(known.at(), now, settings.keep)) {
            return known.known();
        }
        if (awaySince.isPresent() && isWithin(awaySince.get(), now, PAUSE)) {
            return late(known, new Directory.AwayException(awayWhy, null));
        }
        try {
            Person.Known answer = ask(user);
            if (awaySince.isPresent()) {
                LOG.info("LDAP answers again url={}", settings.url);
            }
            awaySince = Optional.empty();
            if (kept.size() >= MOST_KEPT) {
                kept.clear();
            }
            kept.put(user, new Kept(answer, now));
            return answer;
        } catch (LDAPException | IOException | GeneralSecurityException e) {
            awayWhy =
                    "LDAP at " + settings.url + " cannot be asked: " + Plain.line(String.valueOf(e.getMessage()), 200);
            if (awaySince.isEmpty()) {
                LOG.warn("{}", awayWhy);
            }
            awaySince = Optional.of(now);
            return late(known, new Directory.AwayException(awayWhy, e));
        }
    }

    /** An answer that is old is better than none. */
    private static Person.Known late(@Nullable Kept known, Directory.AwayException away)
            throws Directory.AwayException {
        if (known == null) {
            throw away;
        }
        return known.known();
    }

    /** Whether {@code at} is less than so long ago; never when the clock went back behind it. */
    private static boolean isWithin(Instant at, Instant now, Duration length) {
        return !now.isBefore(at) && Duration.between(at, now).compareTo(length) < 0;
    }

    private Person.Known ask(String user) throws LDAPException, IOException, GeneralSecurityException {
        int millis = Math.toIntExact(settings.timeout.toMillis());
        LDAPConnectionOptions options = new LDAPConnectionOptions();
        options.setConnectTimeoutMillis(millis);
        options.setResponseTimeoutMillis(millis);
        options.setSSLSocketVerifier(new HostNameSSLSocketVerifier(false));
        options.setFollowReferrals(false);
        boolean tls = "ldaps".equals(settings.url.getScheme());
        int port = settings.url.getPort() > 0 ? settings.url.getPort() : tls ? 636 : 389;
        try (LDAPConnection connection =
                tls ? new LDAPConnection(trust().createSSLSocketFactory(), options) : new LDAPConnection(options)) {
            connection.connect(settings.url.getHost(), port, millis);
            if (settings.startTls && !tls) {
                var answer =
                        connection.processExtendedOperation(new StartTLSExtendedRequest(trust().createSSLContext()));
                if (!answer.getResultCode().equals(ResultCode.SUCCESS)) {
                    throw new LDAPException(answer.getResultCode(), "StartTLS: " + answer.getDiagnosticMessage());
                }
            }
            if (settings.bindDn.isPresent() && settings.passwordFile.isPresent()) {
                String password = Files.readString(settings.passwordFile.get())
                        .lines()
                        .findFirst()
                        .orElse("")
                        .strip();
                if (password.isEmpty()) {
                    throw new IOException(settings.passwordFile.get() + " is empty"); // would bind as nobody
                }
                connection.bind(settings.bindDn.get(), password);
            }
            SearchRequest request = new SearchRequest(
                    settings.baseDn,
                    SearchScope.SUB,
                    settings.filter.replace("%u", Filter.encodeValue(user)),
                    settings.mailAttribute,
                    settings.nameAttribute,
                    settings.languageAttribute);
            request.setSizeLimit(2);
            request.setTimeLimitSeconds(Math.max(1, millis / 1000));
            return known(connection.search(request).getSearchEntries());
        } catch (LDAPException e) {
            // two entries for one name: nobody knows who is meant, so nobody is written to
            if (e.getResultCode().equals(ResultCode.SIZE_LIMIT_EXCEEDED)) {
                return Person.Known.NOTHING;
            }
            throw e;
        }
    }

    private Person.Known known(List<SearchResultEntry> found) {
        if (found.size() != 1) {
            return Person.Known.NOTHING;
        }
        SearchResultEntry entry = found.get(0);
        return new Person.Known(
                value(entry, settings.mailAttribute).filter(Addresses::isAddress),
                value(entry, settings.nameAttribute).map(name -> Plain.line(name, 60)),
                value(entry, settings.languageAttribute),
                Optional.empty());
    }

    private static Optional<String> value(SearchResultEntry entry, String attribute) {
        return Optional.ofNullable(entry.getAttributeValue(attribute)).filter(text -> !text.isBlank());
    }

    private SSLUtil trust() throws IOException, GeneralSecurityException {
        return settings.caFile.isPresent()
                ? new SSLUtil(new PEMFileTrustManager(settings.caFile.get().toFile()))
                : new SSLUtil();
    }
}
