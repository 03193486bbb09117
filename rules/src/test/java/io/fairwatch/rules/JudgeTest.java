package io.fairwatch.rules;

import static io.fairwatch.rules.Given.RULE;
import static io.fairwatch.rules.Given.allocation;
import static io.fairwatch.rules.Given.gpu;
import static io.fairwatch.rules.Given.job;
import static io.fairwatch.rules.Given.judge;
import static io.fairwatch.rules.Given.rules;
import static io.fairwatch.rules.Given.with;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JudgeTest {
    private static final OptionalDouble ABSENT = OptionalDouble.empty();

    @ParameterizedTest(name = "{0}: {1}")
    @DisplayName("false && unknown is false, true && unknown is unknown, and so on")
    @CsvSource(
            delimiter = ';',
            value = {
                "false && gpu.utilization_max_ratio < 0.5; CLEAR",
                "gpu.utilization_max_ratio < 0.5 && false; CLEAR",
                "true && gpu.utilization_max_ratio < 0.5; UNKNOWN",
                "gpu.utilization_max_ratio < 0.5 || true; FINDING",
                "gpu.utilization_max_ratio < 0.5 || false; UNKNOWN",
                "!(gpu.utilization_max_ratio < 0.5); UNKNOWN",
                "gpu.utilization_max_ratio < 0.5 ? true : false; UNKNOWN",
                "has(gpu.utilization_max_ratio); CLEAR",
                "!has(gpu.utilization_max_ratio); FINDING",
                "gpu.utilization_max_ratio + 1.0 > 0.0; UNKNOWN",
            })
    void absorbs(String select, RuleCase.Expect expected) throws Exception {
        RuleSet rules = rules(with("gpu.utilization_max_ratio <= params.busy_above_ratio", "'" + select + "'"));
        assertEquals(expected, RuleCase.Expect.of(judge(rules, job(gpu("GPU-1", 1, ABSENT)))));
    }

    @ParameterizedTest(name = "{0}: {1}")
    @DisplayName("lists absorb what is absent in one of their members where the others settle it")
    @CsvSource(
            delimiter = ';',
            value = {
                "gpus.exists(g, g.utilization_max_ratio > 0.5); FINDING",
                "gpus.exists(g, g.utilization_max_ratio < 0.5); UNKNOWN",
                "gpus.all(g, g.utilization_max_ratio > 0.5); UNKNOWN",
                "gpus.all(g, g.utilization_max_ratio < 0.5); CLEAR",
                "gpus.filter(g, g.utilization_max_ratio > 0.5).size() > 0; UNKNOWN",
                "size(gpus) == 2; FINDING",
                "coverage == 1.0; FINDING",
            })
    void absorbsInLists(String condition, RuleCase.Expect expected) throws Exception {
        RuleSet rules = rules(with(
                "select: gpu.utilization_max_ratio <= params.busy_above_ratio\n",
                "",
                "condition: size(selected) > 0",
                "condition: " + condition));
        assertEquals(expected, RuleCase.Expect.of(judge(rules, job(gpu("GPU-1", 0.9), gpu("GPU-2", 1, ABSENT)))));
    }

    @Test
    @DisplayName("an Unknown names the facts that are absent, and the GPU that lacks them")
    void namesWhatIsMissing() throws Exception {
        Verdict verdict = judge(rules(RULE), job(gpu("GPU-1", 1, ABSENT), gpu("GPU-2", 0.5, ABSENT)));
        assertEquals(
                new Verdict.Unknown("node1 GPU-1 lacks gpu.utilization_max_ratio; node1 GPU-2 has coverage 50 %"),
                verdict);
    }

    @Test
    @DisplayName("a GPU with too little coverage is never selected, not even by what it lacks")
    void thinCoverageNeverAccuses() throws Exception {
        RuleSet rules = rules(with("gpu.utilization_max_ratio <= params.busy_above_ratio", "'!has(gpu.idle_seconds)'"));
        assertInstanceOf(Verdict.Unknown.class, judge(rules, job(gpu("GPU-1", 0.89, ABSENT))));
        assertInstanceOf(Verdict.Finding.class, judge(rules, job(gpu("GPU-1", 0.9, ABSENT))));
    }

    @Test
    @DisplayName("a finding carries the evidence, the parameters, and only the GPUs that are meant")
    void findingCarriesEvidence() throws Exception {
        RuleSet rules = rules(with(
                "summary:",
                "evidence: {idle: size(selected), longest: 'selected[0].idle_seconds', all: size(gpus)}\nsummary:"));
        Verdict.Finding finding = assertInstanceOf(
                Verdict.Finding.class, judge(rules, job(gpu("GPU-1", 0.5), gpu("GPU-2", 0), gpu("GPU-3", 1, ABSENT))));
        assertEquals(List.of(new Verdict.Selected("gpu", "GPU-2", gpu("GPU-2", 0))), finding.selected());
        assertEquals(Map.of("idle", 1L, "all", 3L, "busy_above_ratio", 0.01), finding.evidence());
        assertEquals("Job 42 is idle.", finding.summary());
    }

    @Test
    @DisplayName("a GPU that Slurm allocated and nobody reports keeps the others from looking like all")
    void unseenCounts() throws Exception {
        RuleSet rules = rules(with("condition: size(selected) > 0", "condition: size(selected) == size(gpus)"));
        assertInstanceOf(Verdict.Finding.class, judge(rules, job(gpu("GPU-1", 0))));
        assertEquals(
                new Verdict.Unknown("(not known) GPU of unknown UUID has coverage 0 %"),
                judge(rules, job(allocation("ada", 2, true), gpu("GPU-1", 0))));
    }

    @Test
    @DisplayName("the exempt are left alone, and an unknown QoS is not taken for one that is not exempt")
    void exempts() throws Exception {
        JobFacts idle = job(gpu("GPU-1", 0));
        assertEquals(
                new Verdict.Clear("exempt by user ada"),
                judge(rules(with("  users: []", "  users: [ada]\n  qos: [debug]")), idle));
        assertInstanceOf(Verdict.Finding.class, judge(rules(with("  users: []", "  accounts: [other]")), idle));
        assertInstanceOf(Verdict.Unknown.class, judge(rules(with("  users: []", "  qos: [debug]")), idle));
    }

    @Test
    @DisplayName("stale word of Slurm, or facts of another window, settle nothing")
    void staleFactsSettleNothing() throws Exception {
        RuleSet rules = rules(RULE);
        assertInstanceOf(Verdict.Unknown.class, judge(rules, job(allocation("ada", 1, false), gpu("GPU-1", 0))));
        JobFacts hour = job(gpu("GPU-1", 0));
        JobFacts half =
                new JobFacts(hour.job(), hour.use(), hour.to().minus(Duration.ofMinutes(30)), hour.to(), hour.gpus());
        assertEquals(new Verdict.Unknown("the facts are of PT30M, the rule asks for PT1H"), judge(rules, half));
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("a rule that fails while running is Unknown with the reason, for this job only")
    @CsvSource(
            delimiter = ';',
            value = {
                "condition; size(selected) > 0; 1 / (job.nodes - 1) > 0",
                "condition; size(selected) > 0; 'gpus[7].allocated'",
                "condition; size(selected) > 0; 'gpus.all(a, gpus.all(b, gpus.all(c, gpus.all(d, a.coverage >= 0.0))))'",
                "its texts; Job {{ job.job_id }} is idle.; '\"{{ gpus[7].node }}\"'",
            })
    void failureIsUnknown(String where, String old, String broken) throws Exception {
        GpuFacts[] many = new GpuFacts[40];
        for (int i = 0; i < many.length; i++) {
            many[i] = gpu("GPU-" + i, 0);
        }
        boolean loops = broken.contains("gpus.all");
        RuleSet rules = rules(with(old, broken));
        Verdict.Unknown unknown =
                assertInstanceOf(Verdict.Unknown.class, judge(rules, loops ? job(many) : job(gpu("GPU-1", 0))));
        assertTrue(unknown.why().startsWith("the rule failed in " + where), unknown.why());
    }

    @Test
    @DisplayName("one job with strange facts does not touch the verdicts of the others")
    void oneBadJobAmongMany() throws Exception {
        RuleSet rules = rules(with("condition: size(selected) > 0", "condition: 10 / (size(gpus) - 2) != 0"));
        assertInstanceOf(Verdict.Finding.class, judge(rules, job(gpu("GPU-1", 0))));
        assertInstanceOf(Verdict.Unknown.class, judge(rules, job(gpu("GPU-1", 0), gpu("GPU-2", 0))));
        assertInstanceOf(Verdict.Finding.class, judge(rules, job(gpu("GPU-1", 0))));
    }

    @Test
    @DisplayName("control characters and turned writing in names that users chose never reach the text")
    void cleansNames() throws Exception {
        RuleSet rules = rules(with("Job {{ job.job_id }} is idle.", "User {{ job.user }} is idle."));
        Verdict.Finding finding = assertInstanceOf(
                Verdict.Finding.class,
                judge(rules, job(allocation("a\nb\u001b[31m\u202ec<i>", 1, true), gpu("GPU-1", 0))));
        assertEquals("User a?b?[31m?c<i> is idle.", finding.summary());
    }

    @Test
    @DisplayName("a text says (not known) where a fact is absent, and is still sent")
    void textWithoutFact() throws Exception {
        RuleSet rules = rules(with("fix: End it.", "fix: 'QoS {{ job.qos }}, {{ job.cpus * 2 }} or {{ 0.50 }}'"));
        assertEquals(
                "QoS (not known), 16 or 0.5",
                assertInstanceOf(Verdict.Finding.class, judge(rules, job(gpu("GPU-1", 0))))
                        .fix());
    }

    @Test
    @DisplayName("a rule of another set is a mistake of the caller")
    void foreignRule() throws Exception {
        Rule rule = rules(with("window: 60m", "window: 30m")).rules().get(0);
        RuleSet other = rules(RULE);
        assertThrows(IllegalArgumentException.class, () -> other.judge(rule, job()));
    }

    @Test
    @DisplayName("a case that does not come out is reported with its line, and by the rule as written")
    void casesAreRun() throws Exception {
        String wrong = with("expect: finding", "expect: clear");
        RuleSet.CaseFailure failure = rules(wrong, Map.of("window", "20s", "warm_up", "0s"))
                .runCases()
                .get(0);
        assertEquals(
                "test.yaml:19 idle CLEAR",
                failure.file() + ":" + failure.line() + " " + failure.name() + " " + failure.expected());
        assertTrue(failure.got().startsWith("Finding["), failure.got());
    }
}
