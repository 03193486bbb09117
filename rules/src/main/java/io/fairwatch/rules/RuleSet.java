package io.fairwatch.rules;

import io.fairwatch.rules.RuleReader.Loaded;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Rules that have been read, checked and compiled, ready to judge. Immutable and thread-safe. */
public final class RuleSet {
    private final Map<String, Loaded> byName;
    private final Map<String, Rule> enabled;

    private final Map<Rule.Scope, List<Rule>> inOrder;
    /** Of each rule among all of them, covering ones first. */
    private final Map<String, Integer> places = new HashMap<>();

    private RuleSet(Map<String, Loaded> byName, Map<String, Rule> enabled) {
        this.byName = Collections.unmodifiableMap(byName);
        this.enabled = Collections.unmodifiableMap(enabled);
        List<Rule> ordered = coveringFirst(enabled);
        ordered.forEach(rule -> places.put(rule.name(), places.size()));
        this.inOrder = ordered.stream().collect(Collectors.groupingBy(Rule::scope));
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
     *     {@code for} (settings for some partitions, GPU models, accounts or QoS, before the rule's own),
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
            Rule rule = new RuleOverride(overrides.source(), 0, loaded.rule(), problems).apply(changes);
            if (rule.enabled()
                    || rule.variants().stream()
                            .anyMatch(variant -> variant.rule().enabled())) {
                enabled.put(rule.name(), rule);
            }
        }
        if (complete) {
            byName.values().forEach(loaded -> checkCovered(loaded, byName, problems));
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

    /** A rule can be covered only by one that judges the same, and is judged before it. */
    private static void checkCovered(Loaded loaded, Map<String, Loaded> byName, List<Problem> problems) {
        for (String name : loaded.rule().coveredBy()) {
            Loaded other = byName.get(name);
            if (other == null) {
                continue; // a rule that is not here finds nothing
            }
            if (other.rule().scope() != loaded.rule().scope()
                    || leadsTo(other, loaded.rule().name(), byName, new HashSet<>())) {
                problems.add(new Problem(
                        loaded.file(),
                        loaded.line(),
                        "covered_by: " + name,
                        "a rule of the same scope that is not covered by this one"));
            }
        }
    }

    private static boolean leadsTo(Loaded from, String name, Map<String, Loaded> byName, Set<String> seen) {
        return from.rule().name().equals(name)
                || (seen.add(from.rule().name())
                        && from.rule().coveredBy().stream()
                                .flatMap(next -> Optional.ofNullable(byName.get(next)).stream())
                                .anyMatch(next -> leadsTo(next, name, byName, seen)));
    }

    private static List<Rule> coveringFirst(Map<String, Rule> rules) {
        Map<String, Rule> ordered = new LinkedHashMap<>();
        rules.values().forEach(rule -> place(rule, rules, ordered));
        return List.copyOf(ordered.values());
    }

    private static void place(Rule rule, Map<String, Rule> rules, Map<String, Rule> ordered) {
        if (!ordered.containsKey(rule.name())) {
            rule.coveredBy().stream()
                    .flatMap(name -> Optional.ofNullable(rules.get(name)).stream())
                    .forEach(covering -> place(covering, rules, ordered));
            ordered.put(rule.name(), rule);
        }
    }

    /** Reads rules as they are, without overrides. */
    public static RuleSet read(List<RuleFile> files) throws RuleException {
        return read(files, Overrides.NONE);
    }

    /** The rules, in the order of their files; those that are not enabled are left out. */
    public List<Rule> rules() {
        return List.copyOf(enabled.values());
    }

    /** The lengths of windows over which facts are needed for rules of a scope, those of variants included.
     *
     * @param due which rules are to be asked */
    public Set<Duration> windows(Rule.Scope scope, Predicate<Rule> due) {
        Set<Duration> windows = new TreeSet<>();
        for (Rule rule : enabled.values()) {
            if (rule.scope() == scope && due.test(rule)) {
                windows.add(rule.timing().window());
                rule.variants()
                        .forEach(variant -> windows.add(variant.rule().timing().window()));
            }
        }
        return windows;
    }

    /** Whether a rule of a scope over that window, or a variant of one, names a fact: what nobody names need not be known. */
    public boolean names(Rule.Scope scope, Duration window, String fact) {
        return enabled.values().stream()
                .filter(rule -> rule.scope() == scope)
                .filter(rule -> rule.timing().window().equals(window)
                        || rule.variants().stream()
                                .anyMatch(variant ->
                                        variant.rule().timing().window().equals(window)))
                .anyMatch(rule -> rule.expressions().names(fact));
    }

    /** Gives the facts of one subject over a window. */
    @FunctionalInterface
    public interface Source {
        /** The facts over the last {@code window}.
         *
         * @throws IllegalArgumentException if they make no sense: then every verdict on them is Unknown */
        SubjectFacts over(Duration window);
    }

    /** What one rule says.
     *
     * @param rule the rule as it holds for this subject
     * @param odd what made no sense of the facts, where that is why the verdict is Unknown */
    public record Judgement(Rule rule, Verdict verdict, Optional<RuntimeException> odd) {}

    /** Asks rules of a scope about one subject: one judgement for each, in an order of its own. A finding of one rule is
     * not made twice: see {@link Rule#coveredBy}.
     *
     * @param due which rules are asked */
    public List<Judgement> judge(Rule.Scope scope, Predicate<Rule> due, Source source) {
        return withoutCovered(ask(scope, due, source));
    }

    /** The same, where findings stay that another rule covers: to ask some rules now and others later about the same
     * subject, and then {@link #withoutCovered} once. */
    public List<Judgement> ask(Rule.Scope scope, Predicate<Rule> due, Source source) {
        Map<Duration, Views> views = new HashMap<>();
        List<Judgement> judgements = new ArrayList<>();
        for (Rule rule : inOrder.getOrDefault(scope, List.of())) {
            if (!due.test(rule)) {
                continue;
            }
            Judgement judgement;
            try {
                judgement = judge(rule, window -> {
                    Views known = views.get(window);
                    if (known == null) {
                        known = Views.of(source.over(window));
                        views.put(window, known);
                    }
                    return known;
                });
            } catch (RuntimeException odd) {
                judgement = new Judgement(
                        rule,
                        new Verdict.Unknown("what is known makes no sense: " + odd.getMessage()),
                        Optional.of(odd));
            }
            judgements.add(judgement);
        }
        return judgements;
    }

    /** Makes clear what is found of a subject by a rule that another one covers which found something, too.
     *
     * @param judgements of one subject by rules of one scope, each once, in any order; those that are clear may be left
     *     out */
    public List<Judgement> withoutCovered(List<Judgement> judgements) {
        if (judgements.stream().noneMatch(judgement -> judgement.verdict() instanceof Verdict.Finding)) {
            return judgements;
        }
        List<Judgement> ordered = new ArrayList<>(judgements);
        ordered.sort(Comparator.comparingInt(
                judgement -> places.getOrDefault(judgement.rule().name(), 0)));
        Set<String> found = new HashSet<>();
        ordered.replaceAll(judgement -> {
            if (!(judgement.verdict() instanceof Verdict.Finding)) {
                return judgement;
            }
            Optional<String> covering = judgement.rule().coveredBy().stream()
                    .filter(found::contains)
                    .findFirst();
            if (covering.isEmpty()) {
                found.add(judgement.rule().name());
                return judgement;
            }
            return new Judgement(
                    judgement.rule(),
                    new Verdict.Clear("the rule " + covering.get() + " says so already"),
                    Optional.empty());
        });
        return ordered;
    }

    /** What one rule says, and what it looked at.
     *
     * @param judgement what it says
     * @param subject the facts of the subject that its expressions name, by name; those that are absent are left out
     * @param absent names of those that are absent
     * @param members the same of each member of the list that it selects from, at most {@value #MOST_MEMBERS}
     * @param coverage least coverage of the parts; ratio 0..1 */
    public record Explanation(
            Judgement judgement,
            Map<String, Object> subject,
            List<String> absent,
            List<Map<String, Object>> members,
            double coverage) {}

    private static final int MOST_MEMBERS = 64;

    /** Asks all rules of a scope about one subject, as {@link #judge(Rule.Scope, Predicate, Source)} does, and shows what
     * they looked at. */
    public List<Explanation> explain(Rule.Scope scope, Source source) {
        Map<Duration, SubjectFacts> facts = new HashMap<>();
        Source once = window -> facts.computeIfAbsent(window, source::over);
        List<Explanation> explanations = new ArrayList<>();
        for (Judgement judgement : judge(scope, rule -> true, once)) {
            Rule rule = judgement.rule();
            if (judgement.odd().isPresent()) {
                explanations.add(new Explanation(judgement, Map.of(), List.of(), List.of(), 0));
                continue;
            }
            Views views = Views.of(once.over(rule.timing().window()));
            CompiledRule compiled =
                    Objects.requireNonNull(byName.get(rule.name())).compiled();
            Map<String, Object> subject = new LinkedHashMap<>();
            List<String> absent = new ArrayList<>();
            String text = rule.expressions().applies().orElse("") + " "
                    + rule.expressions().select().orElse("") + " "
                    + rule.expressions().condition();
            look(views.subject(), text, subject, absent);
            if (compiled.words().queue()) {
                look(views.queue(), text, subject, absent);
            }
            List<Map<String, Object>> members = new ArrayList<>();
            for (Views.Member member : views.list(compiled.each().plural())) {
                Map<String, Object> known = new LinkedHashMap<>();
                known.put("name", member.facts().name());
                known.put("coverage", member.coverage());
                member.view(rule.minimumCoverage()).named(text, false, known, new ArrayList<>());
                if (members.size() < MOST_MEMBERS
                        && (rule.expressions().select().isPresent() || known.size() > 2)) {
                    members.add(known);
                }
            }
            explanations.add(new Explanation(judgement, subject, absent, members, views.coverage()));
        }
        return explanations;
    }

    private static void look(Vocabulary.View view, String text, Map<String, Object> known, List<String> absent) {
        view.named(text, true, known, absent);
    }

    private Judgement judge(Rule rule, Function<Duration, Views> views) {
        Views first = views.apply(rule.timing().window());
        Rule effective = rule.variants().isEmpty() ? rule : rule.effective(first);
        if (!effective.enabled()) {
            return new Judgement(effective, new Verdict.Clear("the rule is switched off here"), Optional.empty());
        }
        Duration window = effective.timing().window();
        return new Judgement(
                effective,
                compiled(rule).judge(effective, window.equals(rule.timing().window()) ? first : views.apply(window)),
                Optional.empty());
    }

    /** Asks one rule about one subject. Never throws for what is in the facts: an error of the rule is an Unknown that
     * says so.
     *
     * @throws IllegalArgumentException if the rule is not one of {@link #rules()} */
    public Verdict judge(Rule rule, SubjectFacts facts) {
        Views views = Views.of(facts);
        CompiledRule compiled = compiled(rule);
        Rule effective = rule.effective(views);
        return effective.enabled()
                ? compiled.judge(effective, views)
                : new Verdict.Clear("the rule is switched off here");
    }

    private CompiledRule compiled(Rule rule) {
        Loaded loaded = byName.get(rule.name());
        if (loaded == null || !rule.equals(enabled.get(rule.name()))) {
            throw new IllegalArgumentException("rule: " + rule.name() + " (expected: one of this set)");
        }
        return loaded.compiled();
    }

    /** The same rules, one of them with other settings, to see what they would do.
     *
     * @param source where the settings were said, as it is to be shown when something is wrong with them
     * @param settings texts by key, as {@code key=value} says them
     * @throws RuleException with everything that is wrong, also if there is no such rule */
    public RuleSet changed(String source, String name, Map<String, String> settings) throws RuleException {
        List<Problem> problems = new ArrayList<>();
        Loaded loaded = byName.get(name);
        if (loaded == null) {
            throw new RuleException(List.of(
                    new Problem(source, 0, "unknown rule " + name, "one of " + String.join(", ", byName.keySet()))));
        }
        Map<String, Object> values = new LinkedHashMap<>();
        settings.forEach((key, text) -> values.put(key, scalar(text)));
        values.putIfAbsent("enabled", true);
        Rule before = enabled.getOrDefault(name, loaded.rule());
        Rule rule = new RuleOverride(source, 0, before, problems).apply(values);
        if (!problems.isEmpty()) {
            throw new RuleException(problems);
        }
        Map<String, Rule> others = new LinkedHashMap<>(enabled);
        others.put(name, rule);
        return new RuleSet(byName, others);
    }

    private static Object scalar(String text) {
        if (text.matches("[-+]?(0|[1-9][0-9]{0,17})")) {
            return Long.parseLong(text);
        }
        if (text.matches("[-+]?[0-9]+\\.[0-9]{1,17}")) {
            return Double.parseDouble(text);
        }
        return text.equals("true") || text.equals("false") ? (Object) Boolean.valueOf(text) : text;
    }

    /** All rules as their files have them, those that are switched off included. */
    Collection<Loaded> loaded() {
        return byName.values();
    }

    /** How many cases each rule has, by name, those that are switched off included. */
    public Map<String, Integer> caseCounts() {
        Map<String, Integer> counts = new LinkedHashMap<>();
        byName.forEach((name, loaded) -> counts.put(name, loaded.cases().size()));
        return counts;
    }

    /** Names in {@code covered_by} of which there is no rule, by the rule that names them. */
    public Map<String, List<String>> coveredByNobody() {
        Map<String, List<String>> unknown = new LinkedHashMap<>();
        byName.forEach((name, loaded) -> {
            List<String> missing = loaded.rule().coveredBy().stream()
                    .filter(other -> !byName.containsKey(other))
                    .toList();
            if (!missing.isEmpty()) {
                unknown.put(name, missing);
            }
        });
        return unknown;
    }

    /** Runs the cases of every rule, against the rule as its file has it, without the overrides. */
    public List<CaseFailure> runCases() {
        List<CaseFailure> failures = new ArrayList<>();
        for (Loaded loaded : byName.values()) {
            for (RuleCase one : loaded.cases()) {
                one.complaint(verdict(loaded, one.facts()))
                        .ifPresent(got -> failures.add(new CaseFailure(
                                loaded.rule().name(), one.name(), loaded.file(), one.line(), one.expectation(), got)));
            }
        }
        return failures;
    }

    private static Verdict verdict(Loaded loaded, SubjectFacts facts) {
        Views views = Views.of(facts);
        Rule rule = loaded.rule().effective(views);
        return loaded.compiled().judge(rule, views);
    }
}
