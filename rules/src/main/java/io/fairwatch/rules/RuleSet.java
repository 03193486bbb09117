package io.fairwatch.rules;

import io.fairwatch.rules.RuleReader.Loaded;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Rules that have been read, checked and compiled, ready to judge. Immutable and thread-safe. */
public final class RuleSet {
    private final Map<String, Loaded> byName;
    private final Map<String, Rule> enabled;

    private RuleSet(Map<String, Loaded> byName, Map<String, Rule> enabled) {
        this.byName = Collections.unmodifiableMap(byName);
        this.enabled = Collections.unmodifiableMap(enabled);
    }

    /** One rule file.
     *
     * @param name as it is to be shown when something is wrong with it, e.g. its path
     * @param text its YAML */
    public record RuleFile(String name, String text) {}

    /** What a site changes in rules without copying them.
     *
     * @param source where this was written, as it is to be shown when something is wrong with it
     * @param byRule rule name to key to value. Keys are {@code enabled}, {@code window}, {@code warm_up}, {@code hold},
     *     {@code resolve_after}, {@code minimum_coverage}, {@code severity}, {@code exempt} (added to the rule's own),
     *     {@code escalation} and the names of the rule's parameters; values as they come out of YAML, durations as text like
     *     {@code 90s} */
    public record Overrides(String source, Map<String, Map<String, Object>> byRule) {
        /** Nothing is changed. */
        public static final Overrides NONE = new Overrides("overrides", Map.of());
    }

    /** Something wrong in a rule file.
     *
     * @param file name of the file, or the source of the overrides
     * @param line line in the file, from 1; 0: not known
     * @param what what was found
     * @param expected what should have been there */
    public record Problem(String file, int line, String what, String expected) {
        @Override
        public String toString() {
            return file + (line > 0 ? ":" + line : "") + ": " + what + " (expected: " + expected + ")";
        }
    }

    /** The rules cannot be used. */
    public static final class RuleException extends Exception {
        private final transient List<Problem> problems;

        RuleException(List<Problem> problems) {
            super(String.join("\n", problems.stream().map(Problem::toString).toList()));
            this.problems = List.copyOf(problems);
        }

        /** Everything that is wrong, in the order of the files and their lines. */
        public List<Problem> problems() {
            return problems;
        }
    }

    /** A case of a rule that did not come out as its file says.
     *
     * @param rule name of the rule
     * @param name name of the case
     * @param file file of the rule
     * @param line where the case starts
     * @param expected what the file says
     * @param got what came out */
    public record CaseFailure(String rule, String name, String file, int line, String expected, String got) {}

    /** Reads rules and applies what the site changes in them.
     *
     * @throws RuleException with everything that is wrong, in any of the files or overrides */
    public static RuleSet read(List<RuleFile> files, Overrides overrides) throws RuleException {
        List<Problem> problems = new ArrayList<>();
        Map<String, Loaded> byName = new LinkedHashMap<>();
        for (RuleFile file : files) {
            new RuleReader(file, problems).read().ifPresent(loaded -> {
                Loaded other = byName.putIfAbsent(loaded.rule().name(), loaded);
                if (other != null) {
                    problems.add(new Problem(
                            loaded.file(),
                            loaded.line(),
                            "the rule " + loaded.rule().name() + " is also in " + other.file(),
                            "one rule of each name; change single settings by overrides"));
                }
            });
        }
        boolean complete = problems.isEmpty();
        Map<String, Rule> enabled = new LinkedHashMap<>();
        for (Loaded loaded : byName.values()) {
            Map<String, Object> changes =
                    overrides.byRule().getOrDefault(loaded.rule().name(), Map.of());
            new RuleOverride(overrides.source(), loaded.rule(), loaded.enabled(), problems)
                    .apply(changes)
                    .ifPresent(rule -> enabled.put(rule.name(), rule));
        }
        for (String name : overrides.byRule().keySet()) {
            if (complete && !byName.containsKey(name)) {
                problems.add(new Problem(
                        overrides.source(), 0, "unknown rule " + name, "one of " + String.join(", ", byName.keySet())));
            }
        }
        if (!problems.isEmpty()) {
            throw new RuleException(problems);
        }
        return new RuleSet(byName, enabled);
    }

    /** Reads rules as they are, without overrides. */
    public static RuleSet read(List<RuleFile> files) throws RuleException {
        return read(files, Overrides.NONE);
    }

    /** The rules, in the order of their files; those that are not enabled are left out. */
    public List<Rule> rules() {
        return List.copyOf(enabled.values());
    }

    /** Asks one rule about one job. Never throws for what is in the facts: an error of the rule is an Unknown that
     * says so.
     *
     * @throws IllegalArgumentException if the rule is not one of {@link #rules()} */
    public Verdict judge(Rule rule, JobFacts facts) {
        Loaded loaded = byName.get(rule.name());
        if (loaded == null || !rule.equals(enabled.get(rule.name()))) {
            throw new IllegalArgumentException("rule: " + rule.name() + " (expected: one of this set)");
        }
        return loaded.compiled().judge(rule, facts);
    }

    /** Runs the cases of every rule, against the rule as its file has it, without the overrides. */
    public List<CaseFailure> runCases() {
        List<CaseFailure> failures = new ArrayList<>();
        for (Loaded loaded : byName.values()) {
            for (RuleCase one : loaded.cases()) {
                one.complaint(loaded.compiled().judge(loaded.rule(), one.facts()))
                        .ifPresent(got -> failures.add(new CaseFailure(
                                loaded.rule().name(), one.name(), loaded.file(), one.line(), one.expectation(), got)));
            }
        }
        return failures;
    }
}
