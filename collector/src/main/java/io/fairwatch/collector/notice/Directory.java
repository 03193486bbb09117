package io.fairwatch.collector.notice;

import io.fairwatch.collector.text.Plain;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Finds out how to write to a user: the site's file first, then the user name itself if it is an address, then LDAP, then
 * the template. Name and language come from the first that knows them; names also from the machine's accounts. Thread-safe; blocks while LDAP answers.
 */
public final class Directory {
    private final Map<String, Person.Known> people;
    private final Addresses addresses;
    private final Optional<Entries> entries;

    /** A directory that may be away. */
    public interface Entries {
        /**
         * What it knows of a user; nothing if it does not know the user.
         *
         * @throws AwayException if it cannot be asked now
         */
        Person.Known of(String user) throws AwayException;

        /** The same, and another is asked for the name of those whose name it does not know. */
        default Entries named(Entries other) {
            return user -> {
                Person.Known known = of(user);
                return known.name().isPresent()
                        ? known
                        : new Person.Known(known.address(), other.of(user).name(), known.language(), known.weekly());
            };
        }
    }

    /** The directory cannot be asked now. */
    public static final class AwayException extends Exception {
        private static final long serialVersionUID = 1L;

        public AwayException(String message, @Nullable Throwable cause) {
            super(message, cause);
        }
    }

    /** How to write to somebody. */
    public sealed interface Answer {
        record Found(Person person) implements Answer {}

        /** There is no way. */
        record None(String why) implements Answer {}

        /** It cannot be said now. */
        record Away(String why) implements Answer {}
    }

    /**
     * @param people by user name, as the site's file has them
     * @param addresses what user names and the template give
     * @param entries LDAP, accounts, or both; absent: there is neither
     */
    public Directory(Map<String, Person.Known> people, Addresses addresses, Optional<Entries> entries) {
        this.people = Map.copyOf(people);
        this.addresses = addresses;
        this.entries = entries;
    }

    /** How to write to a user. */
    public Answer of(String user) {
        Person.Known file = people.getOrDefault(user, Person.Known.NOTHING);
        if (file.address().isEmpty() && addresses.isNobodys(user)) {
            return new Answer.None("nobody's mailbox: " + Plain.line(user, 80));
        }
        boolean named = Addresses.isAddress(user);
        Person.Known entry = Person.Known.NOTHING;
        if (entries.isPresent()) {
            try {
                entry = entries.get().of(user);
            } catch (AwayException away) {
                if (file.address().isEmpty() && !named) {
                    return new Answer.Away(String.valueOf(away.getMessage()));
                }
                // the address is known without it; a mail without the right greeting is better than none
            }
        }
        Optional<String> address = file.address()
                .or(() -> named ? Optional.of(user) : Optional.empty())
                .or(entry::address);
        if (address.isEmpty()) {
            if (!(addresses.of(user) instanceof Addresses.Answer.Found found)) {
                return new Answer.None(addresses.of(user) instanceof Addresses.Answer.None none ? none.why() : "");
            }
            address = Optional.of(found.address());
        }
        return new Answer.Found(new Person(
                address.get(),
                file.name().or(entry::name),
                file.language().or(entry::language),
                file.weekly().orElse(false)));
    }
}
