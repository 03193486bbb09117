package io.fairwatch.rules;

import static io.fairwatch.rules.Given.RULE;
import static io.fairwatch.rules.Given.rules;
import static io.fairwatch.rules.Given.with;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.rules.RuleSet.Overrides;
import io.fairwatch.rules.RuleSet.Problem;
import io.fairwatch.rules.RuleSet.RuleException;
import io.fairwatch.rules.RuleSet.RuleFile;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class LoadErrorTest {
    /** What is wrong; the line; what is said of it. */
    static Stream<Arguments> mistakes() {
        return Stream.of(
                wrong("an unknown key", with("hold: 30m", "hold: 30m\nholds: 1m"), 8, "unknown key holds"),
                wrong("a missing key", with("hold: 30m\n", ""), 1, "the key hold is missing"),
                wrong("a key twice", with("hold: 30m", "hold: 30m\nhold: 40m"), 8, "the key hold is there twice"),
                wrong("a wrong type", with("summary: Job", "summary: [Job]\nfoo: Job"), 16, "summary: a list"),
                wrong("a bad name", with("name: test-rule", "name: Test Rule"), 1, "name: Test Rule"),
                wrong("a bad duration", with("window: 60m", "window: 60 minutes"), 5, "window: 60 minutes"),
                wrong("a duration without unit", with("window: 60m", "window: 60"), 5, "window: 60"),
                wrong("no window", with("window: 60m", "window: 0s"), 5, "window: no time at all"),
                wrong("a bad choice", with("severity: info", "severity: loud"), 4, "severity: loud"),
                wrong("a bad ratio", with("_coverage: 0.9", "_coverage: 90"), 9, "minimum_coverage: 90"),
                wrong("a percentage", with("_ratio: 0.01", "_ratio: 1.5"), 11, "busy_above_ratio: 1.5"),
                wrong("a number as user", with("users: []", "users: [17]"), 13, "exempt: users: 17"),
                wrong(
                        "a parameter named like a setting",
                        with("_ratio: 0.01", "_ratio: 0.01\n  window: 3"),
                        12,
                        "parameters: window is a setting that every rule has"),
                wrong(
                        "a parameter named like evidence",
                        with("summary:", "evidence:\n  busy_above_ratio: 1 + 1\nsummary:"),
                        17,
                        "evidence: busy_above_ratio is also a parameter"),
                wrong(
                        "a CEL syntax error",
                        with("condition: size(selected) > 0", "condition: |\n  size(selected)\n    > ) 0"),
                        17,
                        "condition: extraneous input ')'"),
                wrong(
                        "an unknown fact",
                        with("condition: size(selected) > 0", "condition: |\n  true &&\n  job.elapsed > 0"),
                        17,
                        "condition: undefined field 'elapsed'"),
                wrong(
                        "an unknown variable",
                        with("size(selected)", "size(select)"),
                        15,
                        "undeclared reference to 'select'"),
                wrong("a fact of the other thing", with("gpu.util", "selected[0].util"), 14, "undeclared reference"),
                wrong("an unknown parameter", with("params.busy", "params.bussy"), 14, "undefined field 'bussy"),
                wrong(
                        "a CEL type error",
                        with("size(selected) > 0", "'size(selected) > \"a\"'"),
                        15,
                        "no matching overload"),
                wrong("a condition of type int", with("size(selected) > 0", "size(selected)"), 15, "of type int"),
                wrong("a dangling insert", with("{{ job.job_id }}", "{{ job.job_id"), 16, "{{ without an end"),
                wrong(
                        "a bad insert on a later line",
                        with("fix: End it.", "fix: |\n  End {{ job.job_id }}\n  of {{\n  job.usr }}"),
                        20,
                        "fix: undefined field 'usr'"),
                wrong(
                        "an insert of type bool",
                        with("job.job_id", "job.fresh"),
                        16,
                        "summary: the expression is of type bool"),
                wrong(
                        "an unknown fact in a case",
                        with("[{util", "[{speed: 1, util"),
                        20,
                        "cases: gpus: unknown fact speed"),
                wrong("a wrong fact in a case", with("ratio: 0.0}", "ratio: high}"), 20, "utilization_max_ratio: high"),
                wrong(
                        "an impossible fact in a case",
                        with("ratio: 0.0}", "ratio: 7.0}"),
                        20,
                        "utilizationMaxRatio: 7.0"),
                wrong(
                        "a step that does nothing to a running job",
                        with("hold: 30m", "hold: 30m\nescalation: [{step: owner}, {step: hold}]"),
                        8,
                        "escalation: step: hold in a rule about running_job"),
                wrong(
                        "an owner of a node",
                        with("scope: running_job", "escalation: [{step: staff}, {step: coordinator}]\nscope: node"),
                        3,
                        "escalation: step: coordinator in a rule about node"),
                wrong(
                        "a deed because of a week",
                        with("scope: running_job", "escalation: [{step: owner}, {step: cancel}]\nscope: user"),
                        3,
                        "escalation: step: cancel in a rule about user"),
                wrong(
                        "somebody told of a job that is over",
                        with("scope: running_job", "escalation: [{step: owner}]\nscope: finished_job"),
                        3,
                        "escalation: step: owner in a rule about finished_job"),
                wrong("no cases", RULE.substring(0, RULE.indexOf("cases:")), 1, "the rule has no cases"),
                wrong("broken YAML", with("hold: 30m", "hold: [30m"), 8, "YAML: "),
                wrong("two documents", RULE + "---\na: b\n", 22, "YAML: "),
                wrong("no YAML mapping", "just words", 1, "no keys at all"));
    }

    private static Arguments wrong(String what, String text, int line, String says) {
        return Arguments.of(what, text, line, says);
    }

    @ParameterizedTest(name = "{0}: line {2}")
    @MethodSource("mistakes")
    @DisplayName("a mistake in a rule file is reported with its line and what was expected")
    void reported(String what, String text, int line, String says) {
        List<Problem> problems =
                assertThrows(RuleException.class, () -> rules(text), what).problems();
        assertTrue(
                problems.stream()
                        .anyMatch(problem -> problem.line() == line
                                && problem.what().contains(says)
                                && problem.file().equals("test.yaml")
                                && !problem.expected().isBlank()),
                problems::toString);
    }

    @Test
    @DisplayName("a misspelt fact is answered with the one that was meant")
    void suggests() {
        RuleException refused =
                assertThrows(RuleException.class, () -> rules(with("utilization_max", "utilisation_max")));
        assertEquals(
                "test.yaml:14: select: undefined field 'utilisation_max_ratio'"
                        + " (expected: a fact or parameter that exists; gpu.utilization_max_ratio?)",
                refused.problems().get(0).toString());
    }

    @Test
    @DisplayName("so is a misspelt parameter")
    void suggestsParameters() {
        RuleException refused = assertThrows(RuleException.class, () -> rules(with("params.busy", "params.bussy")));
        assertEquals(
                "a fact or parameter that exists; params.busy_above_ratio?",
                refused.problems().get(0).expected());
    }

    @Test
    @DisplayName("all problems of all files are reported at once")
    void allAtOnce() {
        RuleFile first = new RuleFile("a.yaml", with("hold: 30m", "hold: soon", "severity: info", "severity: x"));
        RuleFile second = new RuleFile("b.yaml", with("job.job_id", "job.nope"));
        RuleException refused =
                assertThrows(RuleException.class, () -> RuleSet.read(List.of(first, second), Overrides.NONE));
        assertEquals(
                List.of("a.yaml:4", "a.yaml:7", "b.yaml:16"),
                refused.problems().stream()
                        .map(problem -> problem.file() + ":" + problem.line())
                        .toList());
    }

    @Test
    @DisplayName("two rules of one name are refused")
    void duplicates() {
        RuleException refused = assertThrows(
                RuleException.class,
                () -> RuleSet.read(
                        List.of(new RuleFile("a.yaml", RULE), new RuleFile("b.yaml", RULE)), Overrides.NONE));
        assertEquals(
                "the rule test-rule is also in a.yaml",
                refused.problems().get(0).what());
        assertEquals("b.yaml", refused.problems().get(0).file());
    }

    @Test
    @DisplayName("a site changes durations, thresholds and exemptions by name")
    void overrides() throws Exception {
        Rule rule = rules(
                        RULE,
                        Map.of(
                                "window", "20s",
                                "hold", "0s",
                                "busy_above_ratio", 0,
                                "severity", "critical",
                                "exempt", Map.of("users", List.of("root"))))
                .rules()
                .get(0);
        assertEquals(Duration.ofSeconds(20), rule.timing().window());
        assertEquals(Duration.ofMinutes(60), rule.timing().warmUp());
        assertEquals(Duration.ZERO, rule.timing().hold());
        assertEquals(Map.of("busy_above_ratio", 0.0), rule.parameters());
        assertEquals(Rule.Severity.CRITICAL, rule.severity());
        assertEquals(
                Map.of(
                        Rule.Exemptions.By.USERS,
                        List.of(new Rule.Exemptions.Exemption("root", Optional.empty(), Optional.empty()))),
                rule.exemptions().by());
    }

    @Test
    @DisplayName("a site switches a rule off")
    void switchedOff() throws Exception {
        assertEquals(List.of(), rules(RULE, Map.of("enabled", false)).rules());
    }

    @Test
    @DisplayName("overrides are checked like rules, all at once")
    void wrongOverrides() {
        Map<String, Map<String, Object>> changes = Map.of(
                "test-rule",
                Map.of(
                        "window", "soon",
                        "busy_above_ratio", 5,
                        "minimum_coverage", "most",
                        "colour", "red",
                        "exempt", Map.of("user", List.of("root"))),
                "other-rule",
                Map.of());
        RuleException refused = assertThrows(
                RuleException.class,
                () -> RuleSet.read(List.of(new RuleFile("test.yaml", RULE)), new Overrides("collector.yaml", changes)));
        assertEquals(
                List.of(
                        "test-rule: busy_above_ratio: 5.0",
                        "test-rule: exempt: unknown key user",
                        "test-rule: minimum_coverage: most",
                        "test-rule: unknown key colour",
                        "test-rule: window: soon",
                        "unknown rule other-rule"),
                refused.problems().stream().map(Problem::what).sorted().toList());
        assertTrue(
                refused.problems().stream().allMatch(problem -> problem.file().equals("collector.yaml")));
    }
}
