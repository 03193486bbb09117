package io.fairwatch.rules;

import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Finds what the author of a rule may have meant by a name that does not exist. */
final class Suggestion {
    private static final Pattern UNKNOWN_NAME =
            Pattern.compile("undefined field '([^']*)'|undeclared reference to '([^']*)'");

    private Suggestion() {}

    /** Says what was expected, given the message of CEL; {@code otherwise} if it is not about a name. */
    static String of(String message, String otherwise, Words words, Set<String> parameters) {
        Matcher matcher = UNKNOWN_NAME.matcher(message);
        if (!matcher.find()) {
            return otherwise;
        }
        String wrong = matcher.group(1) == null ? matcher.group(2) : matcher.group(1);
        Set<String> known = new HashSet<>();
        add(known, words.subject());
        if (words.queue()) {
            add(known, Vocabulary.QUEUE);
        }
        for (Words.Members members : words.lists()) {
            add(known, members.thing());
            known.add(members.plural());
        }
        parameters.forEach(name -> known.add("params." + name));
        known.addAll(List.of("selected", "params", "window_seconds", "coverage"));
        String nearest = known.stream()
                .min(Comparator.comparingInt((String name) -> distance(wrong, lastWord(name)))
                        .thenComparing(Comparator.naturalOrder()))
                .orElseThrow();
        String expected = "a fact or parameter that exists";
        return distance(wrong, lastWord(nearest)) <= wrong.length() / 2 ? expected + "; " + nearest + "?" : expected;
    }

    private static void add(Set<String> known, Vocabulary.Thing thing) {
        known.add(thing.variable());
        thing.facts().keySet().forEach(name -> known.add(thing.variable() + "." + name));
    }

    private static String lastWord(String name) {
        return name.substring(name.indexOf('.') + 1);
    }

    /** Number of letters to insert, delete or replace. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }
}
