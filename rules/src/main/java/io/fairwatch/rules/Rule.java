package io.fairwatch.rules;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** A rule as read from its file, the site's overrides applied. Data only; {@link RuleSet#judge} asks it. Immutable.
 *
 * @param name lower case words joined by hyphens, the same in mails, commands and the store
 * @param description what it is for, in a sentence, for staff
 * @param scope what it judges
 * @param severity how much it matters
 * @param timing its window and its patience
 * @param minimumCoverage a GPU with less coverage than this is not known; ratio 0..1
 * @param parameters thresholds by name, as {@code params} in expressions; values are Long, Double, Boolean, String, or
 *     List of String
 * @param exemptions whom it leaves alone
 * @param expressions its CEL expressions and texts, as written
 * @param escalation who hears of its findings, and what is done. Absent: as the site does it for all rules */
public record Rule(
        String name,
        String description,
        Scope scope,
        Severity severity,
        Timing timing,
        double minimumCoverage,
        Map<String, Object> parameters,
        Exemptions exemptions,
        Expressions expressions,
        Optional<Ladder> escalation) {

    /** Copies the parameters, keeping the order. */
    public Rule {
        Objects.requireNonNull(name, "name");
        Facts.ratio("minimumCoverage", minimumCoverage);
        parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
    }

    /** What a rule judges. */
    public enum Scope {
        /** One run of a job, while it runs. */
        RUNNING_JOB
    }

    /** How much a finding matters. */
    public enum Severity {
        /** Good to know. */
        INFO,
        /** Something is wasted that others could use. */
        WARNING,
        /** Others are being hurt now. */
        CRITICAL
    }

    /** When a rule looks, and how long it waits.
     *
     * @param window how far back the facts reach, more than zero
     * @param warmUp age that a run must have before it is judged; before that the verdict is Clear
     * @param hold how long the condition must have been true before it is a finding; zero: at once
     * @param resolveAfter how long the condition must have been false before an episode is over; zero: at once */
    public record Timing(Duration window, Duration warmUp, Duration hold, Duration resolveAfter) {
        /** Checks the ranges. */
        public Timing {
            if (window.isNegative() || window.isZero()) {
                throw new IllegalArgumentException("window: " + window + " (expected: more than zero)");
            }
            notNegative("warmUp", warmUp);
            notNegative("hold", hold);
            notNegative("resolveAfter", resolveAfter);
        }

        private static void notNegative(String name, Duration value) {
            if (value.isNegative()) {
                throw new IllegalArgumentException(name + ": " + value + " (expected: zero or more)");
            }
        }
    }

    /** Whom a rule leaves alone; compared exactly. All lists may be empty.
     *
     * @param users login names
     * @param accounts charged groups
     * @param qos names of quality of service
     * @param partitions names of partitions */
    public record Exemptions(List<String> users, List<String> accounts, List<String> qos, List<String> partitions) {
        /** Nobody is exempt. */
        public static final Exemptions NONE = new Exemptions(List.of(), List.of(), List.of(), List.of());

        /** Copies the lists. */
        public Exemptions {
            users = List.copyOf(users);
            accounts = List.copyOf(accounts);
            qos = List.copyOf(qos);
            partitions = List.copyOf(partitions);
        }
    }

    /** The expressions of a rule as written, to be shown to people.
     *
     * @param select CEL of type bool over {@code gpu}: is this GPU affected? Absent: the rule is about the job as a
     *     whole, and selects no GPUs
     * @param condition CEL of type bool over the selected GPUs and all GPUs: is it a finding?
     * @param evidence CEL by name: the numbers that a finding keeps
     * @param summary text with {@code {{ CEL }}} inserts
     * @param fix text with {@code {{ CEL }}} inserts */
    public record Expressions(
            Optional<String> select, String condition, Map<String, String> evidence, String summary, String fix) {
        /** Copies the map, keeping the order. */
        public Expressions {
            evidence = Collections.unmodifiableMap(new LinkedHashMap<>(evidence));
        }
    }
}
