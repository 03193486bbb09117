package io.fairwatch.collector.slurm;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One generic resource of a node or of a job on a node. Immutable.
 *
 * @param name e.g. {@code gpu}, {@code shard}, {@code mps}
 * @param type e.g. {@code v100}; absent for untyped ones
 * @param count how many
 * @param indexes Slurm's numbers of them; empty where it tells none
 */
record Gres(String name, Optional<String> type, long count, List<Integer> indexes) {
    /** More devices than any node has. */
    private static final int MAX_INDEX = 4095;

    Gres {
        indexes = List.copyOf(indexes);
    }

    /** Whether it is GPUs: whole ones or MIG instances, but neither shards nor MPS. */
    boolean isGpu() {
        return name.equals("gpu");
    }

    /** Whether it is a part of a GPU, of which others may have parts at the same time. */
    boolean isPart() {
        return name.equals("shard") || name.equals("mps");
    }

    /**
     * Reads a list such as {@code gpu:v100:2(IDX:0-1),shard:v100:4(S:0-1)}. Empty, {@code (null)} and {@code N/A} are none.
     *
     * @throws IllegalArgumentException if it is no list of resources
     */
    static List<Gres> parse(String text) {
        List<Gres> all = new ArrayList<>();
        String rest = text.strip();
        if (rest.isEmpty() || rest.equals("(null)") || rest.equals("N/A")) {
            return all;
        }
        int depth = 0;
        int from = 0;
        for (int i = 0; i <= rest.length(); i++) {
            char c = i < rest.length() ? rest.charAt(i) : ',';
            if (c == '(') {
                depth++;
            } else if (c == ')') {
                depth--;
            } else if (c == ',' && (depth == 0 || i == rest.length())) {
                if (i > from) {
                    all.add(parseOne(rest.substring(from, i)));
                }
                from = i + 1;
            }
        }
        return all;
    }

    /** {@code gpu:v100:2(IDX:0-1)}, {@code gpu:2(IDX:N/A)}, {@code gpu:(null):2}, {@code gpu:v100:16(S:0-1)}. */
    private static Gres parseOne(String text) {
        String head = text.replace(":(null)", "");
        List<Integer> indexes = new ArrayList<>();
        int open = head.indexOf('(');
        if (open >= 0) {
            indexes.addAll(indexes(head.substring(open), text));
            head = head.substring(0, open);
        }
        String[] words = head.split(":", -1);
        if (words.length > 3 || words[0].isBlank()) {
            throw malformed(text);
        }
        String last = words[words.length - 1];
        boolean counted = words.length > 1 && !last.isEmpty() && last.chars().allMatch(Character::isDigit);
        if ((words.length == 3 && !counted) || (counted && last.length() > 18)) {
            throw malformed(text);
        }
        Optional<String> type = words.length == 3 || (words.length == 2 && !counted)
                ? Optional.of(words[1]).filter(t -> !t.isEmpty())
                : Optional.empty();
        return new Gres(words[0].strip(), type, counted ? Long.parseLong(last) : 1, indexes);
    }

    /** The numbers of {@code (IDX:0-2,5-9)}; none for {@code (IDX:N/A)} and for sockets, {@code (S:0-1)}. */
    private static List<Integer> indexes(String parentheses, String text) {
        List<Integer> indexes = new ArrayList<>();
        int start = parentheses.indexOf("(IDX:");
        if (start < 0) {
            return indexes;
        }
        int end = parentheses.indexOf(')', start);
        if (end < 0) {
            throw malformed(text);
        }
        String list = parentheses.substring(start + "(IDX:".length(), end);
        if (list.isEmpty() || list.equals("N/A")) {
            return indexes;
        }
        for (String range : list.split(",", -1)) {
            String[] ends = range.split("-", -1);
            int low = index(ends[0], text);
            int high = index(ends[ends.length - 1], text);
            if (ends.length > 2 || high < low) {
                throw malformed(text);
            }
            for (int i = low; i <= high; i++) {
                indexes.add(i);
            }
        }
        return indexes;
    }

    private static int index(String digits, String text) {
        if (digits.isEmpty() || digits.length() > 4 || !digits.chars().allMatch(Character::isDigit)) {
            throw malformed(text);
        }
        int index = Integer.parseInt(digits);
        if (index > MAX_INDEX) {
            throw malformed(text);
        }
        return index;
    }

    private static IllegalArgumentException malformed(String text) {
        return new IllegalArgumentException("GRES: " + text + " (expected: e.g. gpu:v100:2(IDX:0-1))");
    }
}
