package io.fairwatch.collector.store;

import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Exemptions that hold now, found by what they are about. Immutable. */
public final class Exemptions {
    private final Map<Object, List<Exemption>> byTarget = new HashMap<>();

    public Exemptions(Collection<Exemption> exemptions) {
        for (Exemption one : exemptions) {
            byTarget.computeIfAbsent(List.of(one.scope(), one.value()), target -> new ArrayList<>())
                    .add(one);
        }
    }

    /** The first that is about something of a user under a rule. */
    public Optional<Exemption> of(Subject subject, String user, String account, String rule) {
        if (byTarget.isEmpty()) {
            return Optional.empty();
        }
        return Stream.of(ofJob(subject), List.of(Exemption.Scope.USER, user), List.of(Exemption.Scope.ACCOUNT, account))
                .flatMap(target -> byTarget.getOrDefault(target, List.of()).stream())
                .filter(one -> one.covers(subject, user, account, rule))
                .findFirst();
    }

    private static List<Object> ofJob(Subject subject) {
        if (subject instanceof RunKey run) {
            return List.of(Exemption.Scope.RUN, Exemption.valueOf(run));
        }
        return subject instanceof Subject.Waiting job
                ? List.of(Exemption.Scope.WAITING, Exemption.valueOf(job))
                : List.of();
    }
}
