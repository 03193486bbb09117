package io.fairwatch.collector.notice;

import io.fairwatch.collector.text.Plain;
import java.util.Optional;

/**
 * How somebody is written to. Immutable.
 *
 * @param address where mail goes
 * @param name how they are greeted; absent: by their user name
 * @param language e.g. {@code da} or {@code da-DK, en}; absent: the site's
 * @param weekly whether they want one mail a week
 */
public record Person(String address, Optional<String> name, Optional<String> language, boolean weekly) {
    /** Somebody of whom only the address is known. */
    static Person at(String address) {
        return new Person(address, Optional.empty(), Optional.empty(), false);
    }

    /** What is known of somebody, in part: a line of a file, or an entry of a directory. Immutable. */
    public record Known(
            Optional<String> address, Optional<String> name, Optional<String> language, Optional<Boolean> weekly) {
        static final Known NOTHING = new Known(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());

        public Known {
            address.ifPresent(text -> {
                if (!Addresses.isAddress(text)) {
                    throw new IllegalArgumentException("address: " + Plain.line(text, 80) + " (expected: an address)");
                }
            });
        }
    }
}
