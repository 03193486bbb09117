package io.fairwatch.collector.web;

import io.fairwatch.collector.text.Plain;
import java.util.Map;

/**
 * A status and what is said with it. Immutable.
 *
 * @param status of HTTP
 * @param type content type
 * @param body what is said
 * @param headers further headers
 */
record Reply(int status, String type, String body, Map<String, String> headers) {
    private static final int LONGEST_SENTENCE = 1000;

    Reply {
        headers = Map.copyOf(headers);
    }

    static Reply of(int status, Format format, String body) {
        return new Reply(status, format.type, body, Map.of());
    }

    /** One line of plain text; a {@link Question} turns it into JSON for those who asked for that. */
    static Reply sentence(int status, String sentence) {
        return of(status, Format.TEXT, Plain.line(sentence, LONGEST_SENTENCE));
    }

    Reply with(String header, String value) {
        return new Reply(status, type, body, Map.of(header, value));
    }
}
