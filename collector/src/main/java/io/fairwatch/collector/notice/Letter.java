package io.fairwatch.collector.notice;

/**
 * What a person reads. Immutable.
 *
 * @param subject one line without control characters
 * @param text the whole letter as plain text, lines of at most 78 characters
 * @param html the same as HTML, with nothing to be loaded from elsewhere
 */
public record Letter(String subject, String text, String html) {
    public Letter {
        if (subject.codePoints().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("subject: has control characters (expected: none)");
        }
    }

    /** The same letter marked as a rehearsal. */
    Letter rehearsedFor(String address) {
        return new Letter("[rehearsal, for " + address + "] " + subject, text, html);
    }
}
