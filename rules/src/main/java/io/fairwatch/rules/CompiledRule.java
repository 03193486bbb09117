package io.fairwatch.rules;

import io.fairwatch.rules.Expression.Answer;
import io.fairwatch.rules.Vocabulary.View;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** A rule's expressions, ready to be asked. Immutable and thread-safe.
 *
 * @param select asked of each GPU; empty if the rule is about the job as a whole
 * @param condition asked once per job
 * @param evidence what a finding keeps, by name
 * @param summary first text for the owner
 * @param fix second text for the owner */
record CompiledRule(
        Optional<Expression> select,
        Expression condition,
        Map<String, Expression> evidence,
        Template summary,
        Template fix) {

    /** Stands for an allocated GPU of which there are no facts at all. */
    private static final GpuFacts UNSEEN = new GpuFacts(
            "(not known)", Optional.empty(), OptionalInt.empty(), Optional.empty(), true, 0, GpuFacts.Use.NOT_KNOWN);

    /** Asks the rule, with the settings in {@code rule}, about a job. */
    Verdict judge(Rule rule, JobFacts facts) {
        if (!facts.job().fresh()) {
            return new Verdict.Unknown("what Slurm said of the job is out of date");
        }
        Optional<Verdict> settled = exempt(rule.exemptions(), facts.job().submission());
        if (settled.isPresent()) {
            return settled.get();
        }
        Duration warmUp = rule.timing().warmUp();
        if (facts.job().elapsedSeconds() < warmUp.toSeconds()) {
            return new Verdict.Clear("the run is younger than " + TextFunctions.durationText(warmUp.toSeconds()));
        }
        Duration window = Duration.between(facts.from(), facts.to());
        if (!window.equals(rule.timing().window())) {
            return new Verdict.Unknown("the facts are of " + window + ", the rule asks for "
                    + rule.timing().window());
        }
        return ask(rule, facts);
    }

    private static Optional<Verdict> exempt(Rule.Exemptions exemptions, JobAllocation.Submission submission) {
        List<Optional<Verdict>> answers = List.of(
                exempt("user", Optional.of(submission.user()), exemptions.users()),
                exempt("account", submission.account(), exemptions.accounts()),
                exempt("QoS", submission.qos(), exemptions.qos()),
                exempt("partition", submission.partition(), exemptions.partitions()));
        Optional<Verdict> clear = answers.stream()
                .flatMap(Optional::stream)
                .filter(Verdict.Clear.class::isInstance)
                .findFirst();
        return clear.isPresent()
                ? clear
                : answers.stream().flatMap(Optional::stream).findFirst();
    }

    private static Optional<Verdict> exempt(String what, Optional<String> value, List<String> exempt) {
        if (exempt.isEmpty()) {
            return Optional.empty();
        }
        if (value.isEmpty()) {
            return Optional.of(
                    new Verdict.Unknown("the " + what + " is not known, and the rule exempts some by " + what));
        }
        return exempt.contains(value.get())
                ? Optional.of(new Verdict.Clear("exempt by " + what + " " + value.get()))
                : Optional.empty();
    }

    private Verdict ask(Rule rule, JobFacts facts) {
        Map<String, Object> variables = new HashMap<>();
        variables.put("job", Vocabulary.JOB.view(facts.job(), facts.use()));
        variables.put("params", rule.parameters());
        variables.put("window_seconds", rule.timing().window().toSeconds());

        List<GpuFacts> gpus = withUnseen(facts);
        List<View> views = new ArrayList<>();
        List<View> selectedViews = new ArrayList<>();
        List<GpuFacts> selected = new ArrayList<>();
        List<String> unknown = new ArrayList<>();
        double leastCoverage = 1;
        for (GpuFacts gpu : gpus) {
            boolean covered = gpu.coverage() >= rule.minimumCoverage();
            View view = Vocabulary.GPU.view(covered ? gpu : gpu.withoutUse());
            views.add(view);
            leastCoverage = gpu.allocated() ? Math.min(leastCoverage, gpu.coverage()) : leastCoverage;
            if (select.isEmpty()) {
                continue;
            }
            variables.put("gpu", view);
            Answer answer = select.get().answer(variables);
            if (answer instanceof Answer.Failed failed) {
                return new Verdict.Unknown("the rule failed in select: " + failed.why());
            }
            boolean yes = answer instanceof Answer.Value value && value.value().equals(true);
            if (yes && covered) {
                selected.add(gpu);
                selectedViews.add(view);
            } else if (!covered && (yes || answer instanceof Answer.Missing)) {
                unknown.add(nameOf(gpu) + " has coverage " + TextFunctions.percentText(gpu.coverage()));
            } else if (answer instanceof Answer.Missing missing) {
                unknown.add(nameOf(gpu) + " lacks " + String.join(", ", missing.facts()));
            }
        }
        variables.put("gpus", views);
        variables.put("selected", selectedViews);
        variables.put("coverage", leastCoverage);

        Answer answer = condition.answer(variables);
        if (answer instanceof Answer.Failed failed) {
            return new Verdict.Unknown("the rule failed in condition: " + failed.why());
        }
        if (answer instanceof Answer.Missing missing) {
            unknown.add("the condition lacks " + String.join(", ", missing.facts()));
        } else if (answer instanceof Answer.Value value && value.value().equals(true)) {
            return finding(rule, selected, variables);
        }
        if (!unknown.isEmpty()) {
            return new Verdict.Unknown(String.join("; ", unknown));
        }
        return new Verdict.Clear(
                select.isEmpty()
                        ? "the condition does not hold"
                        : "the condition does not hold: " + selected.size() + " of " + gpus.size()
                                + " GPUs are affected");
    }

    private Verdict finding(Rule rule, List<GpuFacts> selected, Map<String, Object> variables) {
        Map<String, Object> numbers = new LinkedHashMap<>();
        for (Map.Entry<String, Expression> entry : evidence.entrySet()) {
            Answer answer = entry.getValue().answer(variables);
            if (answer instanceof Answer.Failed failed) {
                return new Verdict.Unknown("the rule failed in evidence " + entry.getKey() + ": " + failed.why());
            }
            if (answer instanceof Answer.Value value) {
                numbers.put(entry.getKey(), value.value());
            }
        }
        numbers.putAll(rule.parameters());
        Answer summaryText = summary.write(variables);
        Answer fixText = fix.write(variables);
        if (summaryText instanceof Answer.Value first && fixText instanceof Answer.Value second) {
            return new Verdict.Finding(
                    selected,
                    numbers,
                    Template.paragraph(String.valueOf(first.value())),
                    String.valueOf(second.value()));
        }
        return new Verdict.Unknown("the rule failed in its texts: "
                + (summaryText instanceof Answer.Failed failed ? failed.why() : String.valueOf(fixText)));
    }

    /** An allocated GPU without facts must not make the others look like all there are. */
    private static List<GpuFacts> withUnseen(JobFacts facts) {
        List<GpuFacts> gpus = new ArrayList<>(facts.gpus());
        long seen = gpus.stream().filter(GpuFacts::allocated).count();
        for (long i = seen; i < facts.job().resources().gpusAllocated().orElse(0); i++) {
            gpus.add(UNSEEN);
        }
        return gpus;
    }

    private static String nameOf(GpuFacts gpu) {
        return gpu.node() + " " + gpu.uuid().orElse("GPU of unknown UUID");
    }
}
