package io.fairwatch.rules;

import io.fairwatch.rules.Rule.Exemptions.Exemption;
import io.fairwatch.rules.RuleSet.Problem;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;

/** Changes single settings of a rule, for one site or for some subjects. Confined to one thread. */
final class RuleOverride {
    private final String source;
    private final int line;
    private final Rule rule;
    private final List<Problem> problems;

    /** @param line where the changes stand, from 1; 0: not known */
    RuleOverride(String source, int line, Rule rule, List<Problem> problems) {
        this.source = source;
        this.line = line;
        this.rule = rule;
        this.problems = problems;
    }

    /** Returns the rule with these changes. What is wrong is noted. */
    Rule apply(Map<String, Object> changes) {
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
                .orElse(rule.enabled());
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
                ? Ladder.parse(
                        Objects.requireNonNull(left.remove("escalation")), Optional.of(rule.scope()), this::problem)
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
        Object some = left.remove("for");
        left.keySet().forEach(key -> problem("unknown key " + key, "one of " + String.join(", ", known)));
        Rule changed = new Rule(
                rule.name(),
                rule.description(),
                rule.scope(),
                on,
                severity,
                timing,
                coverage,
                parameters,
                exemptions,
                rule.coveredBy(),
                List.of(),
                rule.expressions(),
                escalation);
        // what the site says comes before what the file says, and what the site changed holds in both
        List<Rule.Variant> variants = new ArrayList<>(some == null ? List.of() : variants(some, changed));
        Map<String, Object> common = new LinkedHashMap<>(changes);
        common.remove("for");
        for (Rule.Variant variant : rule.variants()) {
            Map<String, Object> applicable = new LinkedHashMap<>(common);
            applicable.keySet().removeAll(differing(variant.rule(), rule));
            variants.add(new Rule.Variant(
                    variant.match(),
                    new RuleOverride(source, line, variant.rule(), new ArrayList<>()).apply(applicable)));
        }
        return variants.isEmpty() ? changed : withVariants(changed, variants);
    }

    /** Keys in which a variant differs from its rule: those it has for a reason. */
    private static Set<String> differing(Rule variant, Rule rule) {
        Set<String> keys = new TreeSet<>();
        rule.parameters().forEach((key, value) -> {
            if (!value.equals(variant.parameters().get(key))) {
                keys.add(key);
            }
        });
        Rule.Timing mine = variant.timing();
        Rule.Timing its = rule.timing();
        different(keys, "window", mine.window(), its.window());
        different(keys, "warm_up", mine.warmUp(), its.warmUp());
        different(keys, "hold", mine.hold(), its.hold());
        different(keys, "resolve_after", mine.resolveAfter(), its.resolveAfter());
        different(keys, "enabled", variant.enabled(), rule.enabled());
        different(keys, "escalation", variant.escalation(), rule.escalation());
        different(keys, "severity", variant.severity(), rule.severity());
        different(keys, "minimum_coverage", variant.minimumCoverage(), rule.minimumCoverage());
        return keys;
    }

    private static void different(Set<String> keys, String key, Object one, Object other) {
        if (!one.equals(other)) {
            keys.add(key);
        }
    }

    static Rule withVariants(Rule rule, List<Rule.Variant> variants) {
        return new Rule(
                rule.name(),
                rule.description(),
                rule.scope(),
                rule.enabled(),
                rule.severity(),
                rule.timing(),
                rule.minimumCoverage(),
                rule.parameters(),
                rule.exemptions(),
                rule.coveredBy(),
                variants,
                rule.expressions(),
                rule.escalation());
    }

    /** Reads the value of {@code for}: a list of settings, each with whom it is for. */
    private List<Rule.Variant> variants(Object given, Rule base) {
        String expected = "a list of settings, each with partitions, gpu_models, accounts or qos";
        if (!(given instanceof List<?> list)) {
            problem("for: " + given, expected);
            return List.of();
        }
        List<Rule.Variant> variants = new ArrayList<>();
        for (Object item : list) {
            if (item instanceof Map<?, ?> map) {
                Map<String, Object> inner = new LinkedHashMap<>();
                map.forEach((key, value) -> inner.put(String.valueOf(key), value));
                variant(inner, base).ifPresent(variants::add);
            } else {
                problem("for: " + item, expected);
            }
        }
        return variants;
    }

    /** Reads one variant of a rule. */
    Optional<Rule.Variant> variant(Map<String, Object> settings, Rule base) {
        Map<String, Object> left = new LinkedHashMap<>(settings);
        Map<Rule.Match.Of, List<String>> names = new EnumMap<>(Rule.Match.Of.class);
        for (Rule.Match.Of of : Rule.Match.Of.values()) {
            String key = of.name().toLowerCase(Locale.ROOT);
            Object given = left.remove(key);
            if (given != null) {
                Optional<Object> texts = ParameterType.TEXTS.accept(given instanceof String one ? List.of(one) : given);
                if (texts.isPresent()) {
                    names.put(
                            of,
                            ((List<?>) texts.get())
                                    .stream().map(String::valueOf).toList());
                } else {
                    problem("for: " + key + ": " + given, "a name or a list of names");
                }
            }
        }
        if (names.isEmpty()) {
            problem("for: settings for nobody", "partitions, gpu_models, accounts or qos, with names");
            return Optional.empty();
        }
        if (left.remove("for") != null) {
            problem("for: another for within", "settings of the rule");
        }
        return Optional.of(
                new Rule.Variant(new Rule.Match(names), new RuleOverride(source, line, base, problems).apply(left)));
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
        Map<Rule.Exemptions.By, List<Exemption>> by = new EnumMap<>(Rule.Exemptions.By.class);
        old.by().forEach((key, list) -> by.put(key, new ArrayList<>(list)));
        lists.forEach((key, value) -> {
            Optional<Rule.Exemptions.By> known = by(String.valueOf(key));
            if (known.isEmpty()) {
                problem("exempt: unknown key " + key, "one of " + EXEMPT_BY);
            } else if (value instanceof List<?> list) {
                list.forEach(
                        item -> exemption(item, (what, expected) -> problem("exempt: " + key + ": " + what, expected))
                                .ifPresent(exemption -> by.computeIfAbsent(known.get(), none -> new ArrayList<>())
                                        .add(exemption)));
            } else {
                problem("exempt: " + key + ": " + value, "a list of names");
            }
        });
        return new Rule.Exemptions(by);
    }

    /** Names of the lists of exemptions. */
    static final String EXEMPT_BY = Arrays.stream(Rule.Exemptions.By.values())
            .map(by -> by.name().toLowerCase(Locale.ROOT))
            .collect(Collectors.joining(", "));

    /** The list of that name. */
    static Optional<Rule.Exemptions.By> by(String key) {
        return Arrays.stream(Rule.Exemptions.By.values())
                .filter(by -> by.name().toLowerCase(Locale.ROOT).equals(key))
                .findFirst();
    }

    /** Reads one exemption: a name, or {@code {name, reason, until}}. */
    static Optional<Exemption> exemption(Object given, BiConsumer<String, String> problem) {
        if (given instanceof String name && !name.isBlank()) {
            return Optional.of(new Exemption(name, Optional.empty(), Optional.empty()));
        }
        String expected = "a name (numbers in quotes), or {name: ..., reason: ..., until: 2027-01-31}";
        if (!(given instanceof Map<?, ?> map)
                || !(map.get("name") instanceof String name)
                || !Set.of("name", "reason", "until").containsAll(map.keySet())) {
            problem.accept(String.valueOf(given), expected);
            return Optional.empty();
        }
        Optional<Instant> until = Optional.empty();
        if (map.get("until") != null) {
            until = until(String.valueOf(map.get("until")));
            if (until.isEmpty()) {
                problem.accept(
                        "until: " + map.get("until"), "the first day without it, such as 2027-01-31, or an instant");
                return Optional.empty();
            }
        }
        return Optional.of(
                new Exemption(name, Optional.ofNullable(map.get("reason")).map(String::valueOf), until));
    }

    private static Optional<Instant> until(String text) {
        try {
            return Optional.of(
                    text.contains("T")
                            ? Instant.parse(text)
                            : LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant());
        } catch (DateTimeException expected) { // it is for the caller to say so
            return Optional.empty();
        }
    }

    private void problem(String what, String expected) {
        problems.add(new Problem(source, line, (line > 0 ? "" : rule.name() + ": ") + what, expected));
    }
}
