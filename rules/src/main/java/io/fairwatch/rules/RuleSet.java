package io.fairwatch.rules;

import java.util.List;
import java.util.Map;

/** Rules that have been read, checked and compiled, ready to judge. Immutable and thread-safe. */
public final class RuleSet {
    private RuleSet() {}

    /** One rule file.
     *
     * @param name as it is to be shown when something is wrong with it, e.g. its path
     * @param text its YAML */
    public record RuleFile(String name, String text) {}

    /** What a site changes in rules without copying them.
     *
     * @param source where this was written, as it is to be shown when something is wrong with it
     * @param byRule rule name to key to value. Keys are {@code enabled}, {@code window}, {@code warm_up}, {@code hold},
     *     {@code resolve_after}, {@code minimum_coverage}, {@code severity}, {@code exempt} (added to the rule's own)
     *     and the names of the rule's parameters; values as they come out of YAML, durations as text like
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
        if (!files.isEmpty()) {
            throw new UnsupportedOperationException("not written yet: " + files + overrides);
        }
        return new RuleSet();
    }

    /** Reads rules as they are, without overrides. */
    public static RuleSet read(List<RuleFile> files) throws RuleException {
        return read(files, Overrides.NONE);
    }

    /** The rules, in the order of their files; those that are not enabled are left out. */
    public List<Rule> rules() {
        return List.of();
    }

    /** Asks one rule about one job. Never throws for what is in the facts: an error of the rule is an Unknown that
     * says so.
     *
     * @throws IllegalArgumentException if the rule is not one of {@link #rules()} */
    public Verdict judge(Rule rule, JobFacts facts) {
        return new Verdict.Unknown("not written yet: " + rule.name() + facts.from());
    }

    /** Runs the cases of every rule, against the rule as its file has it, without the overrides. */
    public List<CaseFailure> runCases() {
        return List.of();
    }
}
