package io.fairwatch.rules;

import io.fairwatch.rules.Vocabulary.Thing;
import java.util.List;
import java.util.Optional;

/** What the expressions of one scope can speak of. Immutable.
 *
 * @param subject what is judged, e.g. {@code job}
 * @param queue whether {@code queue} is known there
 * @param lists its parts, by lists; {@code select} is asked of each member of one of them */
record Words(Thing subject, boolean queue, List<Members> lists) {
    /** A list of parts.
     *
     * @param plural what rules call all of them, e.g. {@code gpus}
     * @param thing what each of them is; its variable is what {@code select} calls one */
    record Members(String plural, Thing thing) {}

    private static final Words JOB = new Words(
            Vocabulary.JOB,
            true,
            List.of(new Members("gpus", Vocabulary.GPU), new Members("nodes", Vocabulary.JOB_NODE)));

    private static final Words PENDING =
            new Words(Vocabulary.PENDING_JOB, true, List.of(new Members("places", Vocabulary.PLACE)));

    private static final Words NODE = new Words(
            Vocabulary.NODE,
            false,
            List.of(new Members("gpus", Vocabulary.NODE_GPU), new Members("directories", Vocabulary.DIRECTORY)));

    private static final Words USER = new Words(
            Vocabulary.USER,
            false,
            List.of(new Members("jobs", Vocabulary.USER_JOB), new Members("directories", Vocabulary.DIRECTORY)));

    /** The words of a scope. */
    static Words of(Rule.Scope scope) {
        return switch (scope) {
            case RUNNING_JOB, FINISHED_JOB -> JOB;
            case PENDING_JOB -> PENDING;
            case NODE -> NODE;
            case USER -> USER;
        };
    }

    /** The list whose members are called so, e.g. {@code gpu}. */
    Optional<Members> each(String variable) {
        return lists.stream()
                .filter(members -> members.thing().variable().equals(variable))
                .findFirst();
    }

    /** What members of its lists are called. */
    List<String> variables() {
        return lists.stream().map(members -> members.thing().variable()).toList();
    }
}
