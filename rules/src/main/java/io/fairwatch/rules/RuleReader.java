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
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.SequenceNode;

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
            "for",
            "escalation");

    private final RuleFile file;
    private final List<Problem> problems;
    private Words words = Words.of(Rule.Scope.RUNNING_JOB);
    private Set<String> parameterNames = Set.of();

    RuleReader(RuleFile file, List<Problem> problems) {
        this.file = file;
        this.problems = problems;
    }

    /** A rule as its file has it.
     *
     * @param line of its name */
    record Loaded(Rule rule, CompiledRule compiled, List<RuleCase> cases, String file, int line) {}

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
        List<String> coveredBy = block.texts("covered_by");
        List<YamlBlock> some = block.blocks("for");

        Optional<Ladder> escalation = block.untyped("escalation")
                .flatMap(value -> Ladder.parse(
                        value, scope, (what, expected) -> block.problem(block.lineOf("escalation"), what, expected)));

        words = Words.of(scope.orElse(Rule.Scope.RUNNING_JOB));
        parameterNames = parameters.keySet();
        Words.Members each = each(block, words);
        Expression.Compiler compiler = new Expression.Compiler(words, each, types(parameters), Language.ENGLISH);
        Optional<Text> appliesText = block.has("applies") ? block.text("applies") : Optional.empty();
        Optional<Expression> applies =
                condition(block, "applies", appliesText, text -> compiler.first(text, CONDITION));
        Optional<Text> selectText = block.has("select") ? block.text("select") : Optional.empty();
        Optional<Expression> select =
                condition(block, "select", selectText, text -> compiler.perMember(text, CONDITION));
        Optional<Text> conditionText = block.text("condition");
        Optional<Expression> condition =
                condition(block, "condition", conditionText, text -> compiler.perSubject(text, CONDITION));
        Optional<Text> cancellableText = block.has("cancellable") ? block.text("cancellable") : Optional.empty();
        Optional<Expression> cancellable =
                condition(block, "cancellable", cancellableText, text -> compiler.perSubject(text, CONDITION));
        Map<String, String> evidenceTexts = new LinkedHashMap<>();
        Map<String, Expression> evidence = new LinkedHashMap<>();
        block.block("evidence").ifPresent(inner -> evidence(inner, compiler, evidenceTexts, evidence));
        Optional<Text> summaryText = block.text("summary");
        Optional<Template> summary = summaryText.map(text -> template(block, "summary", text, compiler));
        Optional<Text> fixText = block.text("fix");
        Optional<Template> fix = fixText.map(text -> template(block, "fix", text, compiler));

        Map<String, CompiledRule.Texts> translations = new LinkedHashMap<>();
        if (block.has("translations")) {
            Map<String, CelType> types = types(parameters);
            block.block("translations").ifPresent(inner -> translations(inner, each, types, translations));
        }

        Optional<Rule.Timing> timing =
                window.isPresent() && warmUp.isPresent() && hold.isPresent() && resolveAfter.isPresent()
                        ? Optional.of(new Rule.Timing(window.get(), warmUp.get(), hold.get(), resolveAfter.get()))
                        : Optional.empty();
        List<RuleCase> cases = new ArrayList<>();
        for (YamlBlock inner : block.blocks("cases")) {
            timing.flatMap(known -> RuleCase.read(inner, scope.orElse(Rule.Scope.RUNNING_JOB), known))
                    .ifPresent(cases::add);
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
                enabled,
                severity.get(),
                timing.get(),
                coverage.get(),
                parameters,
                exemptions,
                coveredBy,
                List.of(),
                new Rule.Expressions(
                        each.thing().variable(),
                        appliesText.map(Text::value),
                        selectText.map(Text::value),
                        conditionText.get().value(),
                        cancellableText.map(Text::value),
                        evidenceTexts,
                        summaryText.get().value(),
                        fixText.get().value()),
                escalation);
        Rule whole = rule;
        List<Rule.Variant> variants = new ArrayList<>();
        for (YamlBlock inner : some) {
            variant(inner, whole).ifPresent(variants::add);
        }
        return Optional.of(new Loaded(
                variants.isEmpty() ? rule : RuleOverride.withVariants(rule, variants),
                new CompiledRule(
                        words,
                        each,
                        applies,
                        select,
                        condition.get(),
                        cancellable,
                        Collections.unmodifiableMap(evidence),
                        new CompiledRule.Texts(summary.get(), fix.get()),
                        Collections.unmodifiableMap(translations)),
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

    private static Words.Members each(YamlBlock block, Words words) {
        if (!block.has("each")) {
            return words.lists().get(0);
        }
        String expected = "one of " + String.join(", ", words.variables());
        Optional<Words.Members> each = block.text("each").map(Text::value).flatMap(words::each);
        if (each.isEmpty()) {
            block.problem(block.lineOf("each"), "each: no such part", expected);
        }
        return each.orElse(words.lists().get(0));
    }

    private Optional<Rule.Variant> variant(YamlBlock block, Rule rule) {
        Map<String, Object> settings = new LinkedHashMap<>();
        for (Entry entry : block.all()) {
            block.tree(entry.value())
                    .ifPresentOrElse(value -> settings.put(entry.key(), value), () -> block.wrong(entry, "a value"));
        }
        return new RuleOverride(file.name(), block.line(), rule, problems).variant(settings, rule);
    }

    private static Rule.Exemptions exemptions(YamlBlock block) {
        Map<Rule.Exemptions.By, List<Rule.Exemptions.Exemption>> by = new EnumMap<>(Rule.Exemptions.By.class);
        for (Entry entry : block.all()) {
            Optional<Rule.Exemptions.By> known = RuleOverride.by(entry.key());
            if (known.isEmpty()) {
                block.problem(entry.line(), "unknown key " + entry.key(), "one of " + RuleOverride.EXEMPT_BY);
            } else if (entry.value() instanceof SequenceNode sequence) {
                List<Rule.Exemptions.Exemption> list = by.computeIfAbsent(known.get(), none -> new ArrayList<>());
                for (Node item : sequence.getValue()) {
                    RuleOverride.exemption(
                                    block.tree(item).orElse(""),
                                    (what, expected) ->
                                            block.problem(YamlBlock.line(item), entry.key() + ": " + what, expected))
                            .ifPresent(list::add);
                }
            } else {
                block.wrong(entry, "a list of names");
            }
        }
        return new Rule.Exemptions(by);
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
                            () -> compiler.perSubject(known.value(), EVIDENCE),
                            "a CEL expression of type bool, int, double, string or list of strings"))
                    .ifPresent(known -> compiled.put(entry.key(), known));
        }
    }

    /** The summary and the fix in other languages, by their tags. */
    private void translations(
            YamlBlock block, Words.Members each, Map<String, CelType> types, Map<String, CompiledRule.Texts> into) {
        for (Entry entry : block.all()) {
            Optional<Language> language = Language.of(entry.key()).filter(known -> known != Language.ENGLISH);
            Optional<YamlBlock> inner = block.block(entry.key());
            if (language.isEmpty()) {
                block.problem(
                        entry.line(), "no language " + entry.key(), "one of " + String.join(", ", Language.others()));
            } else if (inner.isPresent()) {
                Expression.Compiler compiler = new Expression.Compiler(words, each, types, language.get());
                Optional<Template> summary =
                        inner.get().text("summary").map(text -> template(inner.get(), "summary", text, compiler));
                Optional<Template> fix =
                        inner.get().text("fix").map(text -> template(inner.get(), "fix", text, compiler));
                inner.get().done();
                if (summary.isPresent() && fix.isPresent()) {
                    into.put(entry.key(), new CompiledRule.Texts(summary.get(), fix.get()));
                }
            }
        }
    }

    /** Compiles something. */
    private interface Compilation {
        Expression compile() throws ExpressionException;
    }

    /** Compiles a text. */
    private interface TextCompilation {
        Expression compile(String text) throws ExpressionException;
    }

    private Optional<Expression> condition(
            YamlBlock block, String key, Optional<Text> text, TextCompilation compilation) {
        return text.flatMap(known -> expression(
                block, key, known, () -> compilation.compile(known.value()), "a CEL expression of type bool"));
    }

    private Optional<Expression> expression(
            YamlBlock block, String key, Text text, Compilation compilation, String expected) {
        try {
            return Optional.of(compilation.compile());
        } catch (ExpressionException e) {
            String message = String.valueOf(e.getMessage());
            block.problem(
                    text.lineOf(e.line()),
                    key + ": " + message,
                    Suggestion.of(message, expected, words, parameterNames));
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
                        Suggestion.of(what, expected, words, parameterNames)));
    }
}
