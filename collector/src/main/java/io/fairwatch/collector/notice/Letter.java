package io.fairwatch.collector.notice;

import java.util.List;

/**
 * What a person reads. Immutable.
 *
 * @param subject one line without control characters
 * @param text the whole letter as plain text, lines of at most 78 characters
 * @param html the same as HTML, with nothing to be loaded from elsewhere
 * @param attachments files that come with it
 */
public record Letter(String subject, String text, String html, List<Attachment> attachments) {
    public Letter {
        if (subject.codePoints().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("subject: has control characters (expected: none)");
        }
        attachments = List.copyOf(attachments);
    }

    public Letter(String subject, String text, String html) {
        this(subject, text, html, List.of());
    }

    /**
     * A file that comes with a letter. Immutable; the bytes are the caller's and not copied.
     *
     * @param name plain file name
     * @param type e.g. {@code application/pdf}
     */
    @SuppressWarnings("ArrayRecordComponent") // files can be large, and nobody compares letters
    public record Attachment(String name, String type, byte[] content) {
        public Attachment {
            if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]{0,100}")) {
                throw new IllegalArgumentException("attachment name: " + name + " (expected: a plain file name)");
            }
        }
    }

    /** The same letter marked as a rehearsal. */
    Letter rehearsedFor(String address) {
        return new Letter("[rehearsal, for " + address + "] " + subject, text, html, attachments);
    }
}
