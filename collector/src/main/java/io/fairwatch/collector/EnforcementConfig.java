package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile.Default;
import io.fairwatch.agent.config.ConfigFile.Range;
import io.fairwatch.collector.enforce.Deeds.Deed;
import io.fairwatch.collector.enforce.Enforcer;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What is done to jobs. Off by default. Immutable. See {@link Enforcer.Settings}.
 *
 * @param mode {@code off}; {@code propose}: staff are mailed the command; {@code act}: it is done
 * @param rules for which the mode holds; for all others it is off
 * @param stopByOwner whether a job is ended when its owner says so by the link in a mail; never in a rehearsal
 * @param mostPerHour most deeds within an hour
 * @param mostPerUser most deeds to one user's jobs within 24 hours
 * @param switchFile while this file exists nothing is done
 * @param minimumCoverage each GPU must have been measured for this share of the rule's window
 * @param shortenTo how long a job whose time limit is shortened may still run
 * @param lowQos QoS that a job is moved to by {@code lower_qos}; absent: that is not done
 */
record EnforcementConfig(
        @Default("off") Enforcer.Mode mode,
        List<String> rules,
        @Default("false") boolean stopByOwner,
        @Default("10") @Range(from = "1", to = "100000") int mostPerHour,
        @Default("3") @Range(from = "1", to = "100000") int mostPerUser,
        @Default("/etc/fairwatch/enforcement-off") Path switchFile,

        @Default("0.9") @Range(from = "0.5", to = "1") double minimumCoverage,

        @Default("1h") @Range(from = "1m", to = "30d") Duration shortenTo,
        Optional<String> lowQos) {
    EnforcementConfig {
        if (lowQos.isPresent() && !lowQos.get().matches("[A-Za-z0-9_.-]{1,64}")) {
            throw new IllegalArgumentException("lowQos: " + lowQos.get() + " (expected: the name of a QoS)");
        }
    }

    /** What is wrong with it, given the rules that are there: deeds that Slurm does not do to the jobs that a rule is about. */
    List<String> problems(RuleSet all, Ladder siteLadder) {
        Map<String, Rule> byName = all.rules().stream().collect(Collectors.toMap(Rule::name, rule -> rule));
        List<String> problems = new ArrayList<>();
        for (String name : rules) {
            Rule rule = byName.get(name);
            if (rule == null) {
                problems.add("enforcement.rules: " + name + " (expected: rules that are there)");
                continue;
            }
            for (Ladder.Step step : rule.escalation().orElse(siteLadder).steps()) {
                Deed.of(step.target().name().toLowerCase(Locale.ROOT))
                        .filter(deed -> !fits(deed, rule.scope()))
                        .ifPresent(deed -> problems.add("enforcement.rules: " + name + ": its escalation says "
                                + deed.word() + " (expected: "
                                + Stream.of(Deed.values())
                                        .filter(one -> fits(one, rule.scope()))
                                        .map(Deed::word)
                                        .collect(Collectors.joining(", "))
                                + "; hold and lower_qos are for rules about jobs that wait, and nothing is done because"
                                + " of rules about nodes, users or ended jobs)"));
            }
        }
        return problems;
    }

    /** What it says, for staff. */
    List<String> sentences() {
        String what =
                switch (mode) {
                    case OFF -> "Enforcement is off.";
                    case PROPOSE -> "Staff are given the commands for these rules: ";
                    case ACT -> "It is done for these rules: ";
                };
        return List.of(
                what + (mode == Enforcer.Mode.OFF ? "" : String.join(", ", rules)),
                "While the file " + switchFile + " exists nothing is done. At most " + mostPerHour
                        + " within an hour, and " + mostPerUser + " to one user's jobs within 24 hours.");
    }

    private static boolean fits(Deed deed, Rule.Scope scope) {
        return switch (scope) {
            case RUNNING_JOB -> deed.isForRunning();
            case PENDING_JOB -> deed.isForWaiting();
            case FINISHED_JOB, NODE, USER -> false;
        };
    }

    /**
     * @param rehearsal whether mails do not reach owners; then none of their links ends a job, for who else follows it is not
     *     known
     */
    Enforcer.Settings settings(Duration staleAfter, boolean rehearsal) {
        return new Enforcer.Settings(
                mode,
                Set.copyOf(rules),
                rehearsal,
                stopByOwner && !rehearsal,
                mostPerHour,
                mostPerUser,
                Optional.of(switchFile),
                minimumCoverage,
                staleAfter,
                shortenTo,
                lowQos);
    }
}
