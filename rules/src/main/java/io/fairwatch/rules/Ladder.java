package io.fairwatch.rules;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Who hears of a finding, in which order, and what is done about it in the end. Immutable.
 *
 * @param steps one after the other; none: nobody hears of it, and it is only kept */
public record Ladder(List<Step> steps) {
    private static final int MOST = 20;

    /** Copies the list.
     *
     * @throws IllegalArgumentException if something is done to a job whose owner was not told before */
    public Ladder {
        steps = List.copyOf(steps);
        if (steps.size() > MOST) {
            throw new IllegalArgumentException("steps: " + steps.size() + " (expected: at most " + MOST + ")");
        }
        boolean told = false;
        for (Step step : steps) {
            told |= step.target() == Target.OWNER;
            if (step.target().isDeed() && !told) {
                throw new IllegalArgumentException("steps: " + step.target().word()
                        + " comes before owner (expected: a step that tells the owner" + " first)");
            }
        }
    }

    /** One step. It is due when the one before was delivered, {@code after} has passed since then, and the condition
     * still holds.
     *
     * @param target whom it tells, or what it does
     * @param after how long after the step before was delivered; of the first, after it was found */
    public record Step(Target target, Duration after) {
        /** Checks the length. */
        public Step {
            Objects.requireNonNull(target, "target");
            if (after.isNegative()) {
                throw new IllegalArgumentException("after: " + after + " (expected: zero or more)");
            }
        }
    }

    /** Whom a step tells, or what it does. */
    public enum Target {
        /** Whose job it is. */
        OWNER,
        /** Who coordinates the account that is charged. */
        COORDINATOR,
        /** The site's support staff. */
        STAFF,
        /** A program of the site's, by HTTP. */
        WEBHOOK,
        /** The job is ended. */
        CANCEL,
        /** The job is held back. Of use for waiting jobs only. */
        HOLD,
        /** The job is ended and queued again. */
        REQUEUE,
        /** The job's time limit becomes shorter. */
        SHORTEN,
        /** The job gets a quality of service that others may displace. */
        LOWER_QOS;

        /** Whether it does something to the job, instead of telling somebody. */
        public boolean isDeed() {
            return switch (this) {
                case OWNER, COORDINATOR, STAFF, WEBHOOK -> false;
                case CANCEL, HOLD, REQUEUE, SHORTEN, LOWER_QOS -> true;
            };
        }

        /** Whether something comes of it for what rules of a scope are about; else it would be passed over in silence. */
        boolean fits(Rule.Scope scope) {
            return switch (scope) {
                case RUNNING_JOB -> this != HOLD && this != LOWER_QOS;
                case PENDING_JOB -> this != REQUEUE;
                case USER -> !isDeed();
                case NODE -> this == STAFF || this == WEBHOOK;
                case FINISHED_JOB -> false;
            };
        }

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What the value of a key {@code escalation} must be. */
    static final String EXPECTED = "a list such as [{step: owner}, {step: staff, after: 4h}]; steps are " + words();

    /** A ladder out of a list of mappings as YAML has them.
     *
     * @param scope what the rule is about; absent: not known, so that its steps are not checked by it
     * @param problems takes what is wrong, each as what and what was expected */
    static Optional<Ladder> parse(Object value, Optional<Rule.Scope> scope, BiConsumer<String, String> problems) {
        if (!(value instanceof List<?> list)) {
            problems.accept("escalation: " + value, EXPECTED);
            return Optional.empty();
        }
        List<Step> steps = new ArrayList<>();
        for (Object item : list) {
            step(item, problems).ifPresent(steps::add);
        }
        if (steps.size() < list.size()) {
            return Optional.empty();
        }
        for (Step step : steps) {
            if (scope.isPresent() && !step.target().fits(scope.get())) {
                problems.accept(
                        "escalation: step: " + step.target().word() + " in a rule about "
                                + scope.get().name().toLowerCase(Locale.ROOT),
                        fitting(scope.get()));
                return Optional.empty();
            }
        }
        try {
            return Optional.of(new Ladder(steps));
        } catch (IllegalArgumentException e) {
            problems.accept("escalation: " + e.getMessage(), "that order");
            return Optional.empty();
        }
    }

    private static Optional<Step> step(Object item, BiConsumer<String, String> problems) {
        if (!(item instanceof Map<?, ?> keys)) {
            problems.accept("escalation: " + item, EXPECTED);
            return Optional.empty();
        }
        for (Object key : keys.keySet()) {
            if (!"step".equals(key) && !"after".equals(key)) {
                problems.accept("escalation: unknown key " + key, "step, after");
                return Optional.empty();
            }
        }
        Optional<Target> target = Optional.empty();
        for (Target one : Target.values()) {
            if (one.word().equals(keys.get("step"))) {
                target = Optional.of(one);
            }
        }
        if (target.isEmpty()) {
            problems.accept("escalation: step: " + keys.get("step"), "one of " + words());
        }
        Optional<Duration> after = keys.containsKey("after")
                ? Durations.parse(String.valueOf(keys.get("after")))
                : Optional.of(Duration.ZERO);
        if (after.isEmpty()) {
            problems.accept("escalation: after: " + keys.get("after"), Durations.EXPECTED);
        }
        return target.isPresent() && after.isPresent()
                ? Optional.of(new Step(target.get(), after.get()))
                : Optional.empty();
    }

    private static String fitting(Rule.Scope scope) {
        return switch (scope) {
            case FINISHED_JOB -> "none: what is found of a job that is over is a note, and nobody is told";
            case NODE -> "one of " + words(scope) + ": a node is nobody's";
            case RUNNING_JOB, PENDING_JOB, USER -> "one of " + words(scope);
        };
    }

    private static String words(Rule.Scope scope) {
        return words(Stream.of(Target.values()).filter(target -> target.fits(scope)));
    }

    private static String words() {
        return words(Stream.of(Target.values()));
    }

    private static String words(Stream<Target> targets) {
        return targets.map(Target::word).collect(Collectors.joining(", "));
    }
}
