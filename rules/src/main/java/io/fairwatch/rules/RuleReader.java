package io.fairwatch.rules;

import dev.cel.common.types.CelType;
import dev.cel.common.types.ListType;
import dev.cel.common.types.SimpleType;
import io.fairwatch.rules.Expression.ExpressionException;
import io.fairwatch.rules.RuleSet.Problem;
import io.fairwatch.rules.RuleSet.RuleFile;
import io.fairwatch.rules.YamlBlock.Entry;
import io.fairwatch.rules.YamlBlock.Text;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Reads one rule file. Notes all that is wrong. Confined to one thread. */
final class RuleReader {
    private static final List<CelType> CONDITION = List.of(SimpleType.BOOL);
    private static final List<CelType> EVIDENCE = List.of(
            SimpleType.BOOL, SimpleType.INT, SimpleType.DOUBLE, SimpleType.STRING, ListType.create(SimpleType.STRING));

    /** Settings of every rule: a parameter of that name could not be overridden. */
    static final Set<String> SETTINGS = Set.of(
            "enabled",
            "window",
            "warm_up",
            "hold",
            "resolve_after",
            "minimum_coverage",
            "severity",
            "exempt",
            "escalation");

    private final RuleFile file;
    private final List<Problem> problems;
    private Set<String> parameterNames = Set.of();

    RuleReader(RuleFile file, List<Problem> problems) {
        this.file = file;
        this.problems = problems;
    }

    /** A rule as its file has it.
     *
     * @param line of its name */
    record Loaded(Rule rule, boolean enabled, CompiledRule compiled, List<RuleCase> cases, String file, int line) {}

    /** Reads the file; empty if anything is wrong with it. */
    Optional<Loaded> read() {
        int before = problems.size();
        Optional<Loaded> loaded =
                YamlBlock.parse(file.name(), file.text(), problems).flatMap(this::read);
        problems.subList(before, problems.size()).sort(Comparator.comparingInt(Problem::line));
        return problems.size() > before ? Optional.empty() : loaded;
    }

    private Optional<Loaded> read(YamlBlock block) {
        Optional<String> name = block.name("name", "[a-z][a-z0-9]*(-[a-z0-9]+)*", "lower case words joined by hyphens");
        Optional<Text> description = block.text("description");
        Optional<Rule.Scope> scope = block.choice("scope", Rule.Scope.class);
        Optional<Rule.Severity> severity = block.choice("severity", Rule.Severity.class);
        boolean enabled = block.flag("enabled", true);
        Optional<Duration> window = block.duration("window");
        if (window.isPresent() && window.get().isZero()) {
            block.problem(block.lineOf("window"), "window: no time at all", "more than zero");
            window = Optional.empty();
        }
        Optional<Duration> warmUp = block.duration("warm_up");
        Optional<Duration> hold = block.duration("hold");
        Optional<Duration> resolveAfter = block.duration("resolve_after");
        Optional<Double> coverage = block.ratio("minimum_coverage");
        Map<String, Object> parameters = parameters(block);
        Rule.Exemptions exemptions =
                block.block("exempt").map(RuleReader::exemptions).orElse(Rule.Exemptions.NONE);

        Optional<Ladder> escalation = block.untyped("escalation")
                .flatMap(value -> Ladder.parse(
                        value, (what, expected) -> block.problem(block.lineOf("escalation"), what, expected)));

        parameterNames = parameters.keySet();
        Expression.Compiler compiler = new Expression.Compiler(types(parameters));
        Optional<Text> selectText = block.has("select") ? block.text("select") : Optional.empty();
        Optional<Expression> select = selectText.flatMap(text -> expression(
                block,
                "select",
                text,
                () -> compiler.perGpu(text.value(), CONDITION),
                "a CEL expression of type bool"));
        Optional<Text> conditionText = block.text("condition");
        Optional<Expression> condition = conditionText.flatMap(text -> expression(
                block,
                "condition",
                text,
                () -> compiler.perJob(text.value(), CONDITION),
                "a CEL expression of type bool"));
        Map<String, String> evidenceTexts = new LinkedHashMap<>();
        Map<String, Expression> evidence = new LinkedHashMap<>();
        block.block("evidence").ifPresent(inner -> evidence(inner, compiler, evidenceTexts, evidence));
        Optional<Text> summaryText = block.text("summary");
        Optional<Template> summary = summaryText.map(text -> template(block, "summary", text, compiler));
        Optional<Text> fixText = block.text("fix");
        Optional<Template> fix = fixText.map(text -> template(block, "fix", text, compiler));

        Optional<Rule.Timing> timing =
                window.isPresent() && warmUp.isPresent() && hold.isPresent() && resolveAfter.isPresent()
                        ? Optional.of(new Rule.Timing(window.get(), warmUp.get(), hold.get(), resolveAfter.get()))
                        : Optional.empty();
        List<RuleCase> cases = new ArrayList<>();
        for (YamlBlock inner : block.blocks("cases")) {
            timing.flatMap(known -> RuleCase.read(inner, known)).ifPresent(cases::add);
        }
        if (!block.has("cases") || (cases.isEmpty() && timing.isPresent())) {
            block.problem(block.lineOf("cases"), "the rule has no cases", "cases: at least one, with what is expected");
        }
        block.done();

        if (name.isEmpty()
                || description.isEmpty()
                || scope.isEmpty()
                || severity.isEmpty()
                || timing.isEmpty()
                || coverage.isEmpty()
                || conditionText.isEmpty()
                || condition.isEmpty()
                || summaryText.isEmpty()
                || summary.isEmpty()
                || fixText.isEmpty()
                || fix.isEmpty()) {
            return Optional.empty();
        }
        Rule rule = new Rule(
                name.get(),
                description.get().value().strip(),
                scope.get(),
                severity.get(),
                timing.get(),
                coverage.get(),
                parameters,
                exemptions,
                new Rule.Expressions(
                        selectText.map(Text::value),
                        conditionText.get().value(),
                        evidenceTexts,
                        summaryText.get().value(),
                        fixText.get().value()),
                escalation);
        return Optional.of(new Loaded(
                rule,
                enabled,
                new CompiledRule(
                        select, condition.get(), Collections.unmodifiableMap(evidence), summary.get(), fix.get()),
                List.copyOf(cases),
                file.name(),
                block.lineOf("name")));
    }

    private static Map<String, Object> parameters(YamlBlock block) {
        Map<String, Object> parameters = new LinkedHashMap<>();
        Optional<YamlBlock> inner = block.block("parameters");
        if (inner.isEmpty()) {
            return parameters;
        }
        for (Entry entry : inner.get().all()) {
            String name = entry.key();
            Optional<Object> value = inner.get().value(entry.value());
            Optional<ParameterType> type = value.flatMap(ParameterType::of);
            if (!name.matches("[a-z][a-z0-9_]*")) {
                inner.get().problem(entry.line(), name, "a name in lower_snake_case");
            } else if (SETTINGS.contains(name)) {
                inner.get()
                        .problem(
                                entry.line(),
                                name + " is a setting that every rule has",
                                "another name than " + String.join(", ", new TreeSet<>(SETTINGS)));
            } else if (type.isEmpty()) {
                inner.get().wrong(entry, "a number, true or false, text, or a list of texts");
            } else if (!inRange(name, value.orElseThrow())) {
                inner.get().wrong(entry, "0..1, as the name ends in _ratio");
            } else {
                parameters.put(name, type.get().accept(value.get()).orElseThrow());
            }
        }
        return parameters;
    }

    /** Whether a parameter's value fits its name: a ratio is never a percentage. */
    static boolean inRange(String name, Object value) {
        return !name.endsWith("_ratio")
                || !(value instanceof Number number)
                || (number.doubleValue() >= 0 && number.doubleValue() <= 1);
    }

    private static Map<String, CelType> types(Map<String, Object> parameters) {
        Map<String, CelType> types = new LinkedHashMap<>();
        parameters.forEach((name, value) ->
                types.put(name, ParameterType.of(value).orElseThrow().celType()));
        return types;
    }

    private static Rule.Exemptions exemptions(YamlBlock block) {
        Rule.Exemptions exemptions = new Rule.Exemptions(
                block.texts("users"), block.texts("accounts"), block.texts("qos"), block.texts("partitions"));
        block.done();
        return exemptions;
    }

    private void evidence(
            YamlBlock block,
            Expression.Compiler compiler,
            Map<String, String> texts,
            Map<String, Expression> compiled) {
        for (Entry entry : block.all()) {
            if (parameterNames.contains(entry.key())) {
                block.problem(entry.line(), entry.key() + " is also a parameter", "another name");
            }
            Optional<Text> text = block.textOf(entry);
            text.ifPresent(known -> texts.put(entry.key(), known.value()));
            text.flatMap(known -> expression(
                            block,
                            entry.key(),
                            known,
                            () -> compiler.perJob(known.value(), EVIDENCE),
                            "a CEL expression of type bool, int, double, string or list of strings"))
                    .ifPresent(known -> compiled.put(entry.key(), known));
        }
    }

    /** Compiles something. */
    private interface Compilation {
        Expression compile() throws ExpressionException;
    }

    private Optional<Expression> expression(
            YamlBlock block, String key, Text text, Compilation compilation, String expected) {
        try {
            return Optional.of(compilation.compile());
        } catch (ExpressionException e) {
            String message = String.valueOf(e.getMessage());
            block.problem(
                    text.lineOf(e.line()), key + ": " + message, Suggestion.of(message, expected, parameterNames));
            return Optional.empty();
        }
    }

    private Template template(YamlBlock block, String key, Text text, Expression.Compiler compiler) {
        return Template.parse(
                text.value(),
                compiler,
                (insert, line, what, expected) -> block.problem(
                        text.lineOfInsert(insert, line),
                        key + ": " + what,
                        Suggestion.of(what, expected, parameterNames)));
    }
}
