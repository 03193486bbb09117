package io.fairwatch.rules;

import dev.cel.runtime.CelVariableResolver;
import io.fairwatch.rules.Vocabulary.View;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What the expressions of one rule see of one subject. Confined to one thread. */
final class Scene implements CelVariableResolver {
    private final Words words;
    private final Rule rule;
    private final Views views;
    private final View subject;
    private final long windowSeconds;
    private @Nullable View member;
    private String memberVariable = "";
    private List<View> selected = List.of();

    Scene(Words words, Rule rule, Views views) {
        this.words = words;
        this.rule = rule;
        this.views = views;
        this.subject = views.subject();
        this.windowSeconds = rule.scope() == Rule.Scope.FINISHED_JOB
                ? views.window().toSeconds()
                : rule.timing().window().toSeconds();
    }

    /** From now on one member of a list is meant. */
    void meaning(String variable, View view) {
        memberVariable = variable;
        member = view;
    }

    /** From now on no single member is meant, but these were picked. */
    void picked(List<View> picked) {
        member = null;
        memberVariable = "";
        selected = picked;
    }

    View subject() {
        return subject;
    }

    View queue() {
        return views.queue();
    }

    Optional<View> member() {
        return Optional.ofNullable(member);
    }

    /** A parameter of the rule, or {@link Shortcut#GIVE_UP}. */
    Object parameter(String name) {
        Object value = rule.parameters().get(name);
        return value == null ? Shortcut.GIVE_UP : value;
    }

    List<View> list(String plural) {
        return views.seen(plural, rule.minimumCoverage());
    }

    List<View> selected() {
        return selected;
    }

    double coverage() {
        return views.coverage();
    }

    long windowSeconds() {
        return windowSeconds;
    }

    @Override
    public Optional<Object> find(String name) {
        if (member != null && name.equals(memberVariable)) {
            return Optional.of(member);
        }
        if (name.equals(words.subject().variable())) {
            return Optional.of(subject);
        }
        for (Words.Members members : words.lists()) {
            if (name.equals(members.plural())) {
                return Optional.of(list(name));
            }
        }
        return switch (name) {
            case "queue" -> words.queue() ? Optional.of(queue()) : Optional.empty();
            case "params" -> Optional.of(rule.parameters());
            case "selected" -> Optional.of(selected);
            case "coverage" -> Optional.of(coverage());
            case "window_seconds" -> Optional.of(windowSeconds);
            default -> Optional.empty();
        };
    }
}
