package io.fairwatch.rules;

import io.fairwatch.rules.RuleSet.Problem;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Changes single settings of a rule for one site. Confined to one thread. */
final class RuleOverride {
    private final String source;
    private final Rule rule;
    private final boolean enabled;
    private final List<Problem> problems;

    RuleOverride(String source, Rule rule, boolean enabled, List<Problem> problems) {
        this.source = source;
        this.rule = rule;
        this.enabled = enabled;
        this.problems = problems;
    }

    /** Returns the rule as the site has it; empty if it is switched off. What is wrong is noted. */
    Optional<Rule> apply(Map<String, Object> changes) {
        Map<String, Object> left = new LinkedHashMap<>();
        changes.forEach((key, value) -> {
            if (value == null) {
                problem(key + ": nothing", "a value");
            } else {
                left.put(key, value);
            }
        });
        boolean on = value(left, "enabled", ParameterType.BOOL)
                .map(Boolean.class::cast)
                .orElse(enabled);
        Rule.Timing old = rule.timing();
        Duration window = duration(left, "window").orElse(old.window());
        if (window.isZero()) {
            problem("window: no time at all", "more than zero");
            window = old.window();
        }
        Rule.Timing timing = new Rule.Timing(
                window,
                duration(left, "warm_up").orElse(old.warmUp()),
                duration(left, "hold").orElse(old.hold()),
                duration(left, "resolve_after").orElse(old.resolveAfter()));
        double coverage = value(left, "minimum_coverage", ParameterType.DOUBLE)
                .map(Double.class::cast)
                .orElse(rule.minimumCoverage());
        if (coverage < 0 || coverage > 1) {
            problem("minimum_coverage: " + coverage, "a ratio 0..1");
            coverage = rule.minimumCoverage();
        }
        Rule.Severity severity = severity(left).orElse(rule.severity());
        Rule.Exemptions exemptions = exemptions(left);
        Optional<Ladder> escalation = left.containsKey("escalation")
                ? Ladder.parse(Objects.requireNonNull(left.remove("escalation")), this::problem)
                : rule.escalation();
        Map<String, Object> parameters = new LinkedHashMap<>(rule.parameters());
        for (String name : rule.parameters().keySet()) {
            ParameterType type = ParameterType.of(rule.parameters().get(name)).orElseThrow();
            value(left, name, type).ifPresent(value -> {
                if (RuleReader.inRange(name, value)) {
                    parameters.put(name, value);
                } else {
                    problem(name + ": " + value, "0..1, as the name ends in _ratio");
                }
            });
        }
        Set<String> known = new TreeSet<>(RuleReader.SETTINGS);
        known.addAll(rule.parameters().keySet());
        left.keySet().forEach(key -> problem("unknown key " + key, "one of " + String.join(", ", known)));
        Rule changed = new Rule(
                rule.name(),
                rule.description(),
                rule.scope(),
                severity,
                timing,
                coverage,
                parameters,
                exemptions,
                rule.expressions(),
                escalation);
        return on ? Optional.of(changed) : Optional.empty();
    }

    private Optional<Object> value(Map<String, Object> left, String key, ParameterType type) {
        Object given = left.remove(key);
        if (given == null) {
            return Optional.empty();
        }
        Optional<Object> value = type.accept(given);
        if (value.isEmpty()) {
            problem(key + ": " + given, type.words());
        }
        return value;
    }

    private Optional<Duration> duration(Map<String, Object> left, String key) {
        Object given = left.remove(key);
        if (given == null) {
            return Optional.empty();
        }
        Optional<Duration> value = Durations.parse(String.valueOf(given));
        if (value.isEmpty()) {
            problem(key + ": " + given, Durations.EXPECTED);
        }
        return value;
    }

    private Optional<Rule.Severity> severity(Map<String, Object> left) {
        Object given = left.remove("severity");
        if (given == null) {
            return Optional.empty();
        }
        List<String> names = new ArrayList<>();
        for (Rule.Severity severity : Rule.Severity.values()) {
            String name = severity.name().toLowerCase(Locale.ROOT);
            if (name.equals(given)) {
                return Optional.of(severity);
            }
            names.add(name);
        }
        problem("severity: " + given, "one of " + String.join(", ", names));
        return Optional.empty();
    }

    private Rule.Exemptions exemptions(Map<String, Object> left) {
        Object given = left.remove("exempt");
        Rule.Exemptions old = rule.exemptions();
        if (given == null) {
            return old;
        }
        if (!(given instanceof Map<?, ?> lists)) {
            problem("exempt: " + given, "keys with values");
            return old;
        }
        Map<String, Object> inner = new HashMap<>();
        lists.forEach((key, value) -> inner.put(String.valueOf(key), value));
        Rule.Exemptions exemptions = new Rule.Exemptions(
                added(old.users(), inner, "users"),
                added(old.accounts(), inner, "accounts"),
                added(old.qos(), inner, "qos"),
                added(old.partitions(), inner, "partitions"));
        inner.keySet().forEach(key -> problem("exempt: unknown key " + key, "one of accounts, partitions, qos, users"));
        return exemptions;
    }

    private List<String> added(List<String> old, Map<String, Object> inner, String key) {
        List<String> all = new ArrayList<>(old);
        value(inner, key, ParameterType.TEXTS)
                .ifPresent(list -> ((List<?>) list).forEach(item -> all.add(String.valueOf(item))));
        return all;
    }

    private void problem(String what, String expected) {
        problems.add(new Problem(source, 0, rule.name() + ": " + what, expected));
    }
}
