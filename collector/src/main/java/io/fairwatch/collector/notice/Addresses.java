package io.fairwatch.collector.notice;

import io.fairwatch.collector.text.Plain;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Finds the mail address of a user. Immutable.
 *
 * <p>A user name that is an address is used as it is (some sites name accounts so); any other goes into the template. What
 * counts as an address is much less than RFC 5321 allows: no quotes, no comments, no literals, nothing but ASCII. Whatever
 * could end a header or an SMTP command is refused by that.
 */
public final class Addresses {
    private static final int LONGEST = 254;
    private static final Pattern LOCAL = Pattern.compile("[A-Za-z0-9_+='-]++(?:\\.[A-Za-z0-9_+='-]++)*+");
    private static final Pattern DOMAIN = Pattern.compile(
            "(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?");
    private static final Pattern MAILBOX = Pattern.compile("[A-Za-z0-9][A-Za-z0-9 ._-]{0,62} <([^<>]*)>");
    /** Accounts that are nobody's, and names that reach somebody else at every site. */
    private static final Set<String> NOBODYS = Set.of(
            "root", "daemon", "bin", "nobody", "slurm", "munge", "postmaster", "abuse", "hostmaster", "mailer-daemon");

    private final Optional<String> template;

    /**
     * @param template e.g. {@code %u@example.org}, where {@code %u} stands for the user name; absent: only users whose name
     *     is an address have one
     * @throws IllegalArgumentException if the template gives no address
     */
    public Addresses(Optional<String> template) {
        this.template = template;
        template.ifPresent(text -> {
            int at = text.indexOf("%u");
            if (at < 0 || text.indexOf('%', at + 1) >= 0 || !isAddress(text.replace("%u", "u"))) {
                throw new IllegalArgumentException(
                        "address template: " + Plain.line(text, 80) + " (expected: e.g. %u@example.org)");
            }
        });
    }

    /** Where mail for a user goes, or why there is none. */
    public sealed interface Answer {
        record Found(String address) implements Answer {}

        record None(String why) implements Answer {}
    }

    /** The address of a user. */
    public Answer of(String user) {
        if (isNobodys(user)) {
            return new Answer.None("nobody's mailbox: " + Plain.line(user, 80));
        }
        if (user.indexOf('@') >= 0) {
            return isAddress(user)
                    ? new Answer.Found(user)
                    : new Answer.None("the user name is not a valid address: " + Plain.line(user, 80));
        }
        if (template.isEmpty()) {
            return new Answer.None(
                    "the user name is no address, and no template is configured: " + Plain.line(user, 80));
        }
        String address = template.get().replace("%u", user);
        return LOCAL.matcher(user).matches() && isAddress(address)
                ? new Answer.Found(address)
                : new Answer.None("the user name cannot be part of an address: " + Plain.line(user, 80));
    }

    /** Whether it is an account that is nobody's. */
    boolean isNobodys(String user) {
        String local = user.substring(0, user.indexOf('@') < 0 ? user.length() : user.indexOf('@'));
        return NOBODYS.contains(local.toLowerCase(Locale.ROOT));
    }

    /** Whether a text is an address that we would write to. */
    public static boolean isAddress(String text) {
        int at = text.indexOf('@');
        return text.length() <= LONGEST
                && at > 0
                && at <= 64
                && LOCAL.matcher(text.substring(0, at)).matches()
                && DOMAIN.matcher(text.substring(at + 1)).matches();
    }

    /** The address in {@code name <address>} or in {@code address}; empty if it is neither. */
    static Optional<String> addressIn(String mailbox) {
        var matcher = MAILBOX.matcher(mailbox);
        String address = matcher.matches() ? matcher.group(1) : mailbox;
        return isAddress(address) ? Optional.of(address) : Optional.empty();
    }
}
