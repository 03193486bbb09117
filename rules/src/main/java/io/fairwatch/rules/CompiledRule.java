package io.fairwatch.rules;

import io.fairwatch.rules.Expression.Answer;
import io.fairwatch.rules.Rule.Exemptions;
import io.fairwatch.rules.Verdict.Selected;
import io.fairwatch.rules.Views.Member;
import io.fairwatch.rules.Vocabulary.View;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A rule's expressions, ready to be asked. Immutable and thread-safe.
 *
 * @param words what they can speak of
 * @param each the list whose members are selected from
 * @param applies asked first, of the subject alone; empty if the rule applies to all
 * @param select asked of each member; empty if the rule is about the subject as a whole
 * @param condition asked once per subject
 * @param cancellable asked of a finding; empty if it never is
 * @param evidence what a finding keeps, by name
 * @param texts what the owner reads
 * @param translations the same in other languages, by their tags */
record CompiledRule(
        Words words,
        Words.Members each,
        Optional<Expression> applies,
        Optional<Expression> select,
        Expression condition,
        Optional<Expression> cancellable,
        Map<String, Expression> evidence,
        Texts texts,
        Map<String, Texts> translations) {

    /** What the owner reads, in one language. Immutable. */
    record Texts(Template summary, Template fix) {
        /** Writes both; empty if one of them cannot be written, so that another language must do. */
        Optional<Verdict.Said> write(Scene scene) {
            return summary.write(scene) instanceof Answer.Value first && fix.write(scene) instanceof Answer.Value second
                    ? Optional.of(said(first, second))
                    : Optional.empty();
        }

        private static Verdict.Said said(Answer.Value summary, Answer.Value fix) {
            return new Verdict.Said(Template.paragraph(String.valueOf(summary.value())), String.valueOf(fix.value()));
        }
    }

    private static final Verdict NOT_MEANT = new Verdict.Clear("the rule does not apply");
    private static final Verdict NOT_SO = new Verdict.Clear("the condition does not hold");

    /** Asks the rule, with the settings in {@code rule}, about a subject. */
    Verdict judge(Rule rule, Views views) {
        if (!views.fresh()) {
            return new Verdict.Unknown(
                    "what Slurm said of the " + words.subject().variable() + " is out of date");
        }
        if (!rule.exemptions().isEmpty()) {
            Optional<Verdict> settled = exempt(rule.exemptions(), views);
            if (settled.isPresent()) {
                return settled.get();
            }
        }
        Duration warmUp = rule.timing().warmUp();
        if (views.ageSeconds().isPresent() && views.ageSeconds().get() < warmUp.toSeconds()) {
            return new Verdict.Clear("the " + (rule.scope() == Rule.Scope.PENDING_JOB ? "wait" : "run")
                    + (rule.scope() == Rule.Scope.FINISHED_JOB ? " was shorter than " : " is younger than ")
                    + Language.ENGLISH.duration(warmUp.toSeconds()));
        }
        if (rule.scope() != Rule.Scope.FINISHED_JOB
                && !views.window().equals(rule.timing().window())) {
            return new Verdict.Unknown("the facts are of " + views.window() + ", the rule asks for "
                    + rule.timing().window());
        }
        return ask(rule, views);
    }

    private static Optional<Verdict> exempt(Exemptions exemptions, Views views) {
        Optional<Verdict> unknown = Optional.empty();
        for (Map.Entry<Exemptions.By, List<Exemptions.Exemption>> entry :
                exemptions.by().entrySet()) {
            Exemptions.By by = entry.getKey();
            List<Exemptions.Exemption> inForce = entry.getValue().stream()
                    .filter(exemption -> exemption.inForce(views.at()))
                    .toList();
            Optional<Optional<List<String>>> names = views.goesBy(by);
            if (inForce.isEmpty() || names.isEmpty()) {
                continue;
            }
            if (names.get().isEmpty()) {
                unknown = Optional.of(new Verdict.Unknown(
                        "the " + by.words() + " is not known, and the rule exempts some by " + by.words()));
                continue;
            }
            for (Exemptions.Exemption exemption : inForce) {
                if (names.get().get().stream().anyMatch(name -> by.means(exemption.name(), name))) {
                    return Optional.of(new Verdict.Clear("exempt by " + by.words() + " " + exemption.name()
                            + exemption.reason().map(why -> ": " + why).orElse("")
                            + exemption
                                    .until()
                                    .map(until -> " (until " + until + ")")
                                    .orElse("")));
                }
            }
        }
        return unknown;
    }

    private Verdict ask(Rule rule, Views views) {
        Scene scene = new Scene(words, rule, views);
        if (applies.isPresent()) {
            Answer answer = applies.get().answer(scene);
            if (answer instanceof Answer.Failed failed) {
                return new Verdict.Unknown("the rule failed in applies: " + failed.why());
            }
            if (answer instanceof Answer.Missing missing) {
                return new Verdict.Unknown("whether the rule applies depends on " + String.join(", ", missing.facts()));
            }
            if (answer instanceof Answer.Value value && value.value().equals(false)) {
                return NOT_MEANT;
            }
        }
        List<View> selectedViews = new ArrayList<>();
        List<Selected> selected = new ArrayList<>();
        List<String> unknown = new ArrayList<>();
        List<Member> members = views.list(each.plural());
        if (select.isPresent()) {
            String variable = each.thing().variable();
            for (Member member : members) {
                View view = member.view(rule.minimumCoverage());
                boolean covered = member.coverage() >= rule.minimumCoverage();
                scene.meaning(variable, view);
                Answer answer = select.get().answer(scene);
                if (answer instanceof Answer.Failed failed) {
                    return new Verdict.Unknown("the rule failed in select: " + failed.why());
                }
                boolean yes =
                        answer instanceof Answer.Value value && value.value().equals(true);
                if (yes && covered) {
                    selected.add(member.facts());
                    selectedViews.add(view);
                } else if (!covered && (yes || answer instanceof Answer.Missing)) {
                    unknown.add(nameOf(member) + " has coverage " + TextFunctions.percentText(member.coverage()));
                } else if (answer instanceof Answer.Missing missing) {
                    unknown.add(nameOf(member) + " lacks " + String.join(", ", missing.facts()));
                }
            }
        }
        scene.picked(selectedViews);

        Answer answer = condition.answer(scene);
        if (answer instanceof Answer.Failed failed) {
            return new Verdict.Unknown("the rule failed in condition: " + failed.why());
        }
        if (answer instanceof Answer.Missing missing) {
            unknown.add("the condition lacks " + String.join(", ", missing.facts()));
        } else if (answer instanceof Answer.Value value && value.value().equals(true)) {
            return finding(rule, selected, scene);
        }
        if (!unknown.isEmpty()) {
            return new Verdict.Unknown(few(unknown));
        }
        return select.isEmpty()
                ? NOT_SO
                : new Verdict.Clear("the condition does not hold: " + selected.size() + " of " + members.size() + " "
                        + words(each.plural()) + " are affected");
    }

    private static String words(String plural) {
        return plural.equals("gpus") ? "GPUs" : plural;
    }

    /** The first few of them, since a user can have thousands of jobs. */
    private static String few(List<String> reasons) {
        return reasons.size() <= 8
                ? String.join("; ", reasons)
                : String.join("; ", reasons.subList(0, 8)) + "; and " + (reasons.size() - 8) + " more";
    }

    private Verdict finding(Rule rule, List<Selected> selected, Scene scene) {
        Map<String, Object> numbers = new LinkedHashMap<>();
        for (Map.Entry<String, Expression> entry : evidence.entrySet()) {
            Answer answer = entry.getValue().answer(scene);
            if (answer instanceof Answer.Failed failed) {
                return new Verdict.Unknown("the rule failed in evidence " + entry.getKey() + ": " + failed.why());
            }
            if (answer instanceof Answer.Value value) {
                numbers.put(entry.getKey(), value.value());
            }
        }
        numbers.putAll(rule.parameters());
        // what is not certain ends no job
        boolean cancel = cancellable.isPresent()
                && cancellable.get().answer(scene) instanceof Answer.Value value
                && value.value().equals(true);
        Answer summary = texts.summary().write(scene);
        Answer fix = texts.fix().write(scene);
        if (summary instanceof Answer.Value first && fix instanceof Answer.Value second) {
            Map<String, Verdict.Said> others = new LinkedHashMap<>();
            translations.forEach(
                    (language, translation) -> translation.write(scene).ifPresent(said -> others.put(language, said)));
            return new Verdict.Finding(selected, numbers, Texts.said(first, second), others, cancel);
        }
        return new Verdict.Unknown("the rule failed in its texts: "
                + (summary instanceof Answer.Failed failed ? failed.why() : String.valueOf(fix)));
    }

    private static String nameOf(Member member) {
        Selected facts = member.facts();
        return facts.facts() instanceof GpuFacts gpu
                ? gpu.node() + " " + gpu.uuid().orElse("GPU of unknown UUID")
                : facts.kind() + " " + facts.name();
    }
}
