package io.fairwatch.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.rules.Expression.Answer;
import io.fairwatch.rules.RuleReader.Loaded;
import io.fairwatch.rules.Vocabulary.View;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Expressions are computed without CEL's runtime where that is plain; what comes out is what CEL says. */
class ShortcutTest {
    private static final int SUBJECTS = 250;

    private final long seed = Long.getLong("fairwatch.seed", 1);

    /** How often an expression was asked, and how often CEL was spared. */
    private static final class Tally {
        private int asked;
        private int direct;
    }

    private final Map<String, Tally> tallies = new TreeMap<>();

    @Test
    @DisplayName("every expression of every shipped rule says what CEL says of it, over made-up facts of its scope")
    void sameAsCel() throws Exception {
        System.out.println("ShortcutTest seed " + seed);
        RandomFacts made = new RandomFacts(new Random(seed), 8);
        RandomFacts whole = new RandomFacts(new Random(seed + 1), 1_000_000);
        for (Loaded loaded : RuleSet.read(Shipped.files()).loaded()) {
            for (RuleCase one : loaded.cases()) {
                compare(loaded, one.facts());
            }
            for (int i = 0; i < SUBJECTS; i++) {
                compare(
                        loaded,
                        (i % 3 == 0 ? whole : made)
                                .of(
                                        loaded.rule().scope(),
                                        loaded.rule().timing().window()));
            }
        }
        List<String> slow = new ArrayList<>();
        tallies.forEach((what, tally) -> {
            // what is asked of every job, GPU or user must not need CEL where all is known
            if (!what.contains(" text ") && tally.direct < tally.asked * 0.6) {
                slow.add(what + ": " + tally.direct + " of " + tally.asked);
            }
        });
        assertEquals(List.of(), slow);
    }

    private void compare(Loaded loaded, SubjectFacts facts) {
        Rule rule = loaded.rule();
        CompiledRule compiled = loaded.compiled();
        Views views = Views.of(facts);
        Scene scene = new Scene(compiled.words(), rule, views);
        compiled.applies().ifPresent(applies -> same(rule.name() + " applies", applies, scene));
        List<View> picked = new ArrayList<>();
        compiled.select().ifPresent(select -> {
            for (Views.Member member : views.list(compiled.each().plural())) {
                View view = member.view(rule.minimumCoverage());
                scene.meaning(compiled.each().thing().variable(), view);
                if (new Answer.Value(true).equals(same(rule.name() + " select", select, scene))) {
                    picked.add(view);
                }
            }
        });
        scene.picked(picked);
        same(rule.name() + " condition", compiled.condition(), scene);
        compiled.cancellable().ifPresent(cancellable -> same(rule.name() + " text cancellable", cancellable, scene));
        compiled.evidence().forEach((name, expression) -> same(rule.name() + " text " + name, expression, scene));
        List<CompiledRule.Texts> texts = new ArrayList<>(compiled.translations().values());
        texts.add(compiled.texts());
        for (CompiledRule.Texts each : texts) {
            each.summary().inserts().forEach(insert -> same(rule.name() + " text summary", insert, scene));
            each.fix().inserts().forEach(insert -> same(rule.name() + " text fix", insert, scene));
        }
    }

    private Answer same(String what, Expression expression, Scene scene) {
        Answer cel = expression.answerByCel(scene);
        Optional<Object> direct = expression.direct(scene);
        Tally tally = tallies.computeIfAbsent(what, none -> new Tally());
        tally.asked++;
        if (direct.isPresent()) {
            tally.direct++;
            Answer shortcut = direct.get() instanceof Shortcut.Absent absent
                    ? new Answer.Missing(absent.facts())
                    : new Answer.Value(direct.get());
            assertEquals(cel, shortcut, () -> "seed " + seed + ": " + what);
        }
        assertEquals(cel, expression.answer(scene), () -> "seed " + seed + ": " + what);
        return cel;
    }

    @ParameterizedTest
    @DisplayName(
            "so do odd ones: errors, zeros with a sign, what is no number, short cuts past errors and absent facts")
    @ValueSource(
            strings = {
                "0.0 * -1.0 < 0.0",
                "0.0 * -1.0 == 0.0",
                "0.0 / 0.0 == 0.0 / 0.0",
                "0.0 / 0.0 <= 1.0",
                "1.0 / 0.0 > 1.0e300",
                "1 / (job.nodes - 1) > 0",
                "1 / (job.nodes - 1) > 0 || job.nodes == 1",
                "1 / (job.nodes - 1) > 0 && job.nodes == 2",
                "has(job.qos) && job.qos == 'normal'",
                "job.qos == 'normal' && job.nodes == 2",
                "job.qos == 'normal' && job.memory_bytes > 3",
                "job.qos == 'normal' || 1 / (job.nodes - 1) > 0",
                "job.memory_bytes + 9223372036854775807 > 0",
                "9223372036854775807 + job.nodes > 0",
                "-9223372036854775807 - 1 - job.nodes < 0",
                "(job.nodes - 2) / -1 == 1",
                "job.nodes / 0 == 1",
                "job.nodes > 0.5",
                "job.nodes == 1",
                "double(job.nodes) == 1.0",
                "gpus[7].allocated",
                "gpus[0].allocated",
                "gpus.exists(g, g.utilization_max_ratio > 0.5)",
                "gpus.all(g, g.utilization_max_ratio < 0.5)",
                "gpus.all(g, g.utilization_mean_ratio < 0.5)",
                "gpus.exists_one(g, g.utilization_max_ratio > 0.5)",
                "gpus.filter(g, g.utilization_max_ratio > 0.5).size() == 1",
                "gpus.map(g, g.utilization_max_ratio > 0.5, g.coverage)[0] == 1.0",
                "highest(gpus.map(g, g.utilization_max_ratio)) > 0.5",
                "highest(selected.map(g, g.utilization_max_ratio)) > 0.5",
                "gpus.all(job, job.allocated)",
                "gpus.all(g, nodes.all(g, g.coverage > 0.0) && g.allocated)",
                "gpus.all(a, gpus.all(b, gpus.all(c, a.coverage + b.coverage + c.coverage > 0.0)))",
                "'node1' in job.node_names",
                "job.user.startsWith('a') ? job.nodes == 1 : job.qos == 'x'",
                "(job.qos == 'x' ? 1 : 2) == 2",
                "job.name + '!' == 'train!'",
                "string(job.nodes) == '1'",
                "size(job.name) == 5",
                "coverage < 1.0",
                "params.busy_above_ratio == 0.01",
                "window_seconds == 3600",
                "queue.jobs_waiting > 0",
                "list_text(gpus.map(g, g.node)) == 'node1 and node1'",
            })
    void odd(String condition) throws Exception {
        RuleSet rules = Given.rules(Given.with(
                "condition: size(selected) > 0",
                "condition: |\n  " + condition,
                "select: gpu.utilization_max_ratio <=",
                "select: gpu.utilization_max_ratio >"));
        Loaded loaded = rules.loaded().iterator().next();
        compare(loaded, Given.job(Given.gpu("GPU-1", 0.9), Given.gpu("GPU-2", 0)));
        compare(loaded, Given.job(Given.gpu("GPU-1", 0.9), Given.gpu("GPU-2", 1, java.util.OptionalDouble.empty())));
        compare(loaded, Given.job());
    }

    @Test
    @DisplayName(
            "a division by zero is told in the same words the hundred thousandth time, when the JIT has compiled it")
    void wordsStay() throws Exception {
        RuleSet rules =
                Given.rules(Given.with("condition: size(selected) > 0", "condition: '1 / (job.nodes - 1) > 0'"));
        Loaded loaded = rules.loaded().iterator().next();
        Scene scene = new Scene(loaded.compiled().words(), loaded.rule(), Views.of(Given.job(Given.gpu("GPU-1", 0))));
        Answer first = loaded.compiled().condition().answerByCel(scene);
        assertTrue(first instanceof Answer.Failed failed && failed.why().endsWith("/ by zero"), first::toString);
        for (int i = 0; i < 100_000; i++) {
            assertEquals(first, loaded.compiled().condition().answerByCel(scene));
        }
    }

    @Test
    @DisplayName("rules asked one window after the other say what they say asked at once, covered findings included")
    void oneWindowAfterTheOther() throws Exception {
        RuleSet rules = RuleSet.read(Shipped.files());
        RandomFacts made = new RandomFacts(new Random(seed), 20);
        int covered = 0;
        for (int i = 0; i < 2_000; i++) {
            Map<Duration, SubjectFacts> facts = new HashMap<>();
            RuleSet.Source source =
                    window -> facts.computeIfAbsent(window, length -> made.of(Rule.Scope.RUNNING_JOB, length));
            List<RuleSet.Judgement> atOnce = rules.judge(Rule.Scope.RUNNING_JOB, rule -> true, source);
            List<RuleSet.Judgement> apart = new ArrayList<>();
            for (Duration window : new TreeSet<>(rules.windows(Rule.Scope.RUNNING_JOB, rule -> true)).descendingSet()) {
                rules.ask(Rule.Scope.RUNNING_JOB, rule -> rule.timing().window().equals(window), source).stream()
                        .filter(judgement -> !(judgement.verdict() instanceof Verdict.Clear))
                        .forEach(apart::add);
            }
            assertEquals(found(atOnce), found(rules.withoutCovered(apart)), "seed " + seed);
            covered += apart.size() - found(rules.withoutCovered(apart)).size();
        }
        assertTrue(covered > 0, "some finding is covered by another");
    }

    private static Map<String, Verdict> found(List<RuleSet.Judgement> judgements) {
        Map<String, Verdict> found = new TreeMap<>();
        judgements.stream()
                .filter(judgement -> !(judgement.verdict() instanceof Verdict.Clear))
                .forEach(judgement -> found.put(judgement.rule().name(), judgement.verdict()));
        return found;
    }

    @Test
    @DisplayName("loops that CEL stops for their length are left to CEL")
    void longLoops() throws Exception {
        RuleSet rules = Given.rules(Given.with(
                "condition: size(selected) > 0",
                "condition: 'gpus.all(a, gpus.all(b, gpus.all(c, gpus.all(d, a.coverage >= 0.0))))'"));
        Loaded loaded = rules.loaded().iterator().next();
        GpuFacts[] many = new GpuFacts[19];
        for (int i = 0; i < many.length; i++) {
            many[i] = Given.gpu("GPU-" + i, 0);
        }
        Scene scene = new Scene(loaded.compiled().words(), loaded.rule(), Views.of(Given.job(many)));
        assertTrue(loaded.compiled().condition().answerByCel(scene) instanceof Answer.Failed);
        assertEquals(Optional.empty(), loaded.compiled().condition().direct(scene));
    }
}
