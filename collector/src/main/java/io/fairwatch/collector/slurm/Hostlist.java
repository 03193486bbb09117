package io.fairwatch.collector.slurm;

import java.util.ArrayList;
import java.util.List;

/** Slurm's short form for lists of nodes, e.g. {@code gpu[01-02,04],nv-ai-01.srv.aau.dk}. Stateless. */
final class Hostlist {
    /** Far above any cluster; an expression beyond it is a mistake, not a list. */
    private static final int MAX_NODES = 1 << 17;

    private Hostlist() {}

    /**
     * Names every node, in the list's order.
     *
     * @throws IllegalArgumentException if it is no list
     */
    static List<String> expand(String list) {
        List<String> nodes = new ArrayList<>();
        int from = 0;
        int depth = 0;
        for (int i = 0; i <= list.length(); i++) {
            char c = i < list.length() ? list.charAt(i) : ',';
            if (i == list.length() && depth != 0) {
                throw malformed(list);
            }
            if (c == '[') {
                depth++;
            } else if (c == ']') {
                depth--;
            } else if (c == ',' && depth == 0) {
                String word = list.substring(from, i).strip();
                if (!word.isEmpty()) {
                    expandWord("", word, nodes, list);
                }
                from = i + 1;
            }
            if (depth < 0 || depth > 1) {
                throw malformed(list);
            }
        }
        return nodes;
    }

    /** {@code rack[1-2]n[01-02]}: brackets are expanded from left to right. */
    private static void expandWord(String done, String rest, List<String> nodes, String list) {
        int open = rest.indexOf('[');
        if (open < 0) {
            if (nodes.size() >= MAX_NODES) {
                throw malformed(list);
            }
            nodes.add(done + rest);
            return;
        }
        int close = rest.indexOf(']', open);
        String prefix = done + rest.substring(0, open);
        String suffix = rest.substring(close + 1);
        for (String range : rest.substring(open + 1, close).split(",", -1)) {
            String[] ends = range.split("-", -1);
            if (ends.length > 2) {
                throw malformed(list);
            }
            String first = ends[0];
            long low = number(first, list);
            long high = number(ends[ends.length - 1], list);
            if (high < low || high - low >= MAX_NODES) {
                throw malformed(list);
            }
            for (long n = low; n <= high; n++) {
                String digits = Long.toString(n);
                expandWord(
                        prefix + "0".repeat(Math.max(0, first.length() - digits.length())) + digits,
                        suffix,
                        nodes,
                        list);
            }
        }
    }

    private static long number(String digits, String list) {
        if (digits.isEmpty() || digits.length() > 9 || !digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw malformed(list);
        }
        return Long.parseLong(digits);
    }

    private static IllegalArgumentException malformed(String list) {
        String shown = list.length() <= 80 ? list : list.substring(0, 80) + "...";
        return new IllegalArgumentException("node list: " + shown + " (expected: e.g. gpu[01-02,04],login)");
    }
}
