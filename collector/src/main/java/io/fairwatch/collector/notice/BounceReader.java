package io.fairwatch.collector.notice;

import io.fairwatch.collector.store.Bounce;
import io.fairwatch.collector.text.Plain;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.james.mime4j.MimeException;
import org.apache.james.mime4j.stream.EntityState;
import org.apache.james.mime4j.stream.Field;
import org.apache.james.mime4j.stream.MimeConfig;
import org.apache.james.mime4j.stream.MimeTokenStream;

/**
 * Reads what mail servers send back: reports of delivery as RFC 3464 has them, whoever sent them. Which mail it is about
 * stands in the headers of that mail, which come with the report, or in those that refer to it.
 */
public final class BounceReader {
    /** Longest mail that is read; what comes after that is not looked at. */
    public static final int MOST_BYTES = 1 << 20;

    private static final int MOST_RECIPIENTS = 50;
    private static final int MOST_NESTED = 50;
    private static final MimeConfig LIMITS = MimeConfig.custom()
            .setMaxContentLen(MOST_BYTES)
            .setMaxLineLen(100_000)
            .setMaxHeaderLen(20_000)
            .setMaxHeaderCount(500)
            .build();
    private static final Pattern OURS = Pattern.compile("<([0-9a-f]{32})@[^<>@\\s]{1,255}>");
    private static final Pattern STATUS = Pattern.compile("([245]\\.\\d{1,3}\\.\\d{1,3})(?:\\s.*)?");

    private BounceReader() {}

    /**
     * A report that says that a mail will not arrive, or not yet. Immutable.
     *
     * @param mails left parts of Message-IDs that may be of the mail, if it is one of ours; at least one
     * @param kind what was told
     * @param status the code of RFC 3463; absent: none was given
     * @param reason the mail server's words; empty if none
     */
    public record Report(Set<String> mails, Bounce.Kind kind, Optional<String> status, String reason) {
        public Report {
            mails = Set.copyOf(mails);
        }
    }

    /**
     * Reads a mail.
     *
     * @return empty if it is no report, one of success, or about no mail that could be ours
     * @throws IOException if it is no mail at all, or exceeds the limits
     */
    public static Optional<Report> read(InputStream mail) throws IOException {
        Set<String> mails = new LinkedHashSet<>();
        List<Map<String, String>> status = new ArrayList<>();
        int nested = 0;
        MimeTokenStream parts = new MimeTokenStream(LIMITS);
        try {
            parts.parse(mail);
            for (EntityState state = parts.getState(); state != EntityState.T_END_OF_STREAM; state = parts.next()) {
                if (state == EntityState.T_START_MULTIPART || state == EntityState.T_START_MESSAGE) {
                    if (++nested > MOST_NESTED) {
                        throw new IOException("not a mail that can be read: parts within parts (expected: at most "
                                + MOST_NESTED + ")"); // each is a call within a call
                    }
                } else if (state == EntityState.T_FIELD) {
                    note(parts.getField(), mails);
                } else if (state == EntityState.T_BODY) {
                    switch (parts.getBodyDescriptor().getMimeType().toLowerCase(Locale.ROOT)) {
                        case "message/delivery-status", "message/global-delivery-status" ->
                            status.addAll(groups(parts.getDecodedInputStream()));
                        case "text/rfc822-headers", "message/global-headers" ->
                            groups(parts.getDecodedInputStream()).stream()
                                    .limit(1)
                                    .flatMap(group -> Optional.ofNullable(group.get("message-id")).stream())
                                    .forEach(id -> note(id, mails));
                        default -> {
                            // what it says to people
                        }
                    }
                }
            }
        } catch (MimeException odd) {
            if (status.isEmpty()) {
                throw new IOException(
                        "not a mail that can be read: " + Plain.line(String.valueOf(odd.getMessage()), 200), odd);
            }
            // cut off behind what matters
        }
        return mails.isEmpty() ? Optional.empty() : worst(status, mails);
    }

    /** Fields of the report itself, and of the mail that it brings along. */
    private static void note(Field field, Set<String> mails) {
        switch (field.getName().toLowerCase(Locale.ROOT)) {
            case "message-id", "in-reply-to", "references" -> note(String.valueOf(field.getBody()), mails);
            default -> {
                // says nothing of which mail
            }
        }
    }

    private static void note(String ids, Set<String> mails) {
        Matcher ours = OURS.matcher(ids);
        while (mails.size() < MOST_RECIPIENTS && ours.find()) {
            mails.add(ours.group(1));
        }
    }

    /** A mail of ours has one recipient; a list behind it may have several, and then the worst counts. */
    private static Optional<Report> worst(List<Map<String, String>> status, Set<String> mails) {
        Optional<Report> delayed = Optional.empty();
        for (Map<String, String> recipient : status) {
            String action = recipient.getOrDefault("action", "").toLowerCase(Locale.ROOT);
            if (action.equals("failed")) {
                return Optional.of(report(mails, Bounce.Kind.FAILED, recipient));
            }
            if (action.equals("delayed")) {
                delayed = Optional.of(report(mails, Bounce.Kind.DELAYED, recipient));
            }
        }
        return delayed;
    }

    private static Report report(Set<String> mails, Bounce.Kind kind, Map<String, String> recipient) {
        Matcher status = STATUS.matcher(recipient.getOrDefault("status", ""));
        // "smtp; 550 5.1.1 no such person": the type says nothing to people
        String said = recipient.getOrDefault("diagnostic-code", "").replaceFirst("^[A-Za-z0-9-]{1,40};\\s*", "");
        return new Report(
                mails, kind, status.matches() ? Optional.of(status.group(1)) : Optional.empty(), Plain.line(said, 300));
    }

    /** Groups of fields with an empty line between them; names in lower case, the first of a name counts. */
    private static List<Map<String, String>> groups(InputStream in) throws IOException {
        List<Map<String, String>> groups = new ArrayList<>();
        Map<String, String> group = new LinkedHashMap<>();
        BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        String name = "";
        for (String line = lines.readLine(); line != null && groups.size() < MOST_RECIPIENTS; line = lines.readLine()) {
            int colon = line.indexOf(':');
            if (line.isBlank()) {
                if (!group.isEmpty()) {
                    groups.add(group);
                    group = new LinkedHashMap<>();
                }
                name = "";
            } else if (Character.isWhitespace(line.charAt(0))) {
                String more = line.strip();
                group.computeIfPresent(name, (key, value) -> value.length() > 2000 ? value : value + " " + more);
            } else if (colon > 0) {
                name = line.substring(0, colon).strip().toLowerCase(Locale.ROOT);
                group.putIfAbsent(name, line.substring(colon + 1).strip());
            }
        }
        if (!group.isEmpty()) {
            groups.add(group);
        }
        return groups;
    }
}
