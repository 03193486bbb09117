package io.fairwatch.collector.lookup;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;

/**
 * Which part of a list is asked for. Every item of a list has a key, and lists are in the order of their keys, so that
 * going on behind a key neither leaves out nor repeats an item that is in both answers. Immutable.
 *
 * @param limit most items
 * @param after key of the last item of the page before; absent: from the beginning
 */
public record Page(int limit, Optional<String> after) {
    /** As many as anybody gets at once. */
    public static final int MOST = 10_000;

    private static final int USUAL = 1_000;
    private static final int LONGEST_CURSOR = 2_000;

    /** The first items, as many as there may be. */
    public static final Page FIRST = new Page(MOST, Optional.empty());

    public Page {
        if (limit < 1 || limit > MOST) {
            throw new IllegalArgumentException("limit: " + limit + " (expected: 1 to " + MOST + ")");
        }
    }

    /**
     * Reads what was asked.
     *
     * @param limit a number
     * @param cursor a {@link Part#next} that was given before
     * @throws IllegalArgumentException if it is none
     */
    public static Page parse(Optional<String> limit, Optional<String> cursor) {
        return new Page(limit.map(Integer::parseInt).orElse(USUAL), cursor.map(Page::decode));
    }

    private static String decode(String cursor) {
        if (cursor.length() <= LONGEST_CURSOR) {
            try {
                String key = new String(Base64.getUrlDecoder().decode(cursor), StandardCharsets.UTF_8);
                if (encode(key).equals(cursor)) {
                    return key;
                }
            } catch (IllegalArgumentException expected) {
                // told below
            }
        }
        throw new IllegalArgumentException("after: not a cursor of this list (expected: the field next of an answer)");
    }

    private static String encode(String key) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(key.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * A part of a list. Immutable.
     *
     * @param items in the list's order
     * @param next goes on behind the last of them; absent when there is nothing more
     */
    public record Part<T>(List<T> items, Optional<String> next) {
        public Part {
            items = List.copyOf(items);
        }
    }

    /** The asked part of a whole list that is in the order of its keys. */
    public <T> Part<T> of(List<T> sorted, Function<T, String> key) {
        List<T> rest = after.map(last -> sorted.subList(firstBehind(last, sorted, key), sorted.size()))
                .orElse(sorted);
        return rest.size() <= limit
                ? new Part<>(rest, Optional.empty())
                : new Part<>(rest.subList(0, limit), Optional.of(encode(key.apply(rest.get(limit - 1)))));
    }

    /** By halves, because the keys of a long list take longer to make than the list. */
    private static <T> int firstBehind(String last, List<T> sorted, Function<T, String> key) {
        int from = 0;
        int to = sorted.size();
        while (from < to) {
            int middle = (from + to) >>> 1;
            if (key.apply(sorted.get(middle)).compareTo(last) > 0) {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        return from;
    }

    /** A number as part of a key, largest first. */
    static String descending(long number) {
        return String.format(Locale.ROOT, "%019d", Long.MAX_VALUE - Math.max(0, number));
    }
}
