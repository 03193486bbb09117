package io.fairwatch.rules;

import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.EnumMap;
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
 * @param enabled whether it judges at all
 * @param severity how much it matters
 * @param timing its window and its patience
 * @param minimumCoverage a GPU with less coverage than this is not known; ratio 0..1
 * @param parameters thresholds by name, as {@code params} in expressions; values are Long, Double, Boolean, String, or
 *     List of String
 * @param exemptions whom it leaves alone
 * @param coveredBy rules whose finding says the same and more: while one of them finds something in a subject, this one
 *     does not
 * @param variants settings that hold for some subjects only; the first that matches holds
 * @param expressions its CEL expressions and texts, as written
 * @param escalation who hears of its findings, and what is done. Absent: as the site does it for all rules */
public record Rule(
        String name,
        String description,
        Scope scope,
        boolean enabled,
        Severity severity,
        Timing timing,
        double minimumCoverage,
        Map<String, Object> parameters,
        Exemptions exemptions,
        List<String> coveredBy,
        List<Variant> variants,
        Expressions expressions,
        Optional<Ladder> escalation) {

    /** Copies the parameters, keeping the order. */
    public Rule {
        Objects.requireNonNull(name, "name");
        Facts.ratio("minimumCoverage", minimumCoverage);
        parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
        coveredBy = List.copyOf(coveredBy);
        variants = List.copyOf(variants);
    }

    /** The rule as it holds for a subject. */
    Rule effective(Views views) {
        for (Variant variant : variants) {
            if (variant.match().names().entrySet().stream()
                    .allMatch(entry -> views.isOne(entry.getKey(), entry.getValue()))) {
                return variant.rule();
            }
        }
        return this;
    }

    /** The same for a subject that goes by these names; of a kind that it has no name of there is none. */
    public Rule effective(Map<Match.Of, String> its) {
        for (Variant variant : variants) {
            if (variant.match().names().entrySet().stream()
                    .allMatch(entry -> entry.getValue().contains(its.getOrDefault(entry.getKey(), "")))) {
                return variant.rule();
            }
        }
        return this;
    }

    /** What a rule judges. */
    public enum Scope {
        /** One run of a job, while it runs. */
        RUNNING_JOB,
        /** One run of a job, once, after its end, over all of its time. */
        FINISHED_JOB,
        /** A job that waits. */
        PENDING_JOB,
        /** A node. */
        NODE,
        /** A user over a period, which is the rule's window. */
        USER
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

    /** Whom a rule leaves alone.
     *
     * @param by what they go by, to their names; what is missing exempts nobody */
    public record Exemptions(Map<By, List<Exemption>> by) {
        /** Nobody is exempt. */
        public static final Exemptions NONE = new Exemptions(Map.of());

        /** Copies the lists. */
        public Exemptions {
            Map<By, List<Exemption>> copy = new EnumMap<>(By.class);
            by.forEach((key, list) -> {
                if (!list.isEmpty()) {
                    copy.put(key, List.copyOf(list));
                }
            });
            by = Collections.unmodifiableMap(copy);
        }

        /** Whether nobody is exempt. */
        public boolean isEmpty() {
            return by.isEmpty();
        }

        /** What somebody goes by. */
        public enum By {
            /** Login names. */
            USERS("user"),
            /** Charged groups. */
            ACCOUNTS("account"),
            /** Names of quality of service. */
            QOS("QoS"),
            /** Names of partitions. */
            PARTITIONS("partition"),
            /** Names of nodes; a job is exempt if one of its nodes is. */
            NODES("node"),
            /** Names of reservations. */
            RESERVATIONS("reservation"),
            /** Words in a job's comment, which its owner chooses. */
            COMMENTS("comment");

            private final String words;

            By(String words) {
                this.words = words;
            }

            /** One of them, in words. */
            String words() {
                return words;
            }

            /** Whether an exemption of that name means somebody who goes by the other. */
            boolean means(String exempt, String name) {
                return this == COMMENTS ? List.of(name.split("[\\s,;]+")).contains(exempt) : exempt.equals(name);
            }
        }

        /** One exemption.
         *
         * @param name compared exactly; of a comment, with each of its words
         * @param reason why, for staff and for {@code fairwatch why}. Absent: nobody said
         * @param until when it ends. Absent: never */
        public record Exemption(String name, Optional<String> reason, Optional<Instant> until) {
            /** Whether it holds at that time. */
            boolean inForce(Instant at) {
                return until.map(at::isBefore).orElse(true);
            }
        }
    }

    /** Settings that hold for some subjects only.
     *
     * @param match which ones
     * @param rule the rule as it holds for them, without variants of its own */
    public record Variant(Match match, Rule rule) {}

    /** Which subjects a variant is for: those that go by one name in each of the lists.
     *
     * @param names names by what they are names of; compared exactly */
    public record Match(Map<Of, List<String>> names) {
        /** Copies the lists. */
        public Match {
            Map<Of, List<String>> copy = new EnumMap<>(Of.class);
            names.forEach((key, list) -> copy.put(key, List.copyOf(list)));
            names = Collections.unmodifiableMap(copy);
        }

        /** What a variant can be for. */
        public enum Of {
            /** Names of partitions. */
            PARTITIONS,
            /** Slurm's names of kinds of GPUs. */
            GPU_MODELS,
            /** Charged groups. */
            ACCOUNTS,
            /** Names of quality of service. */
            QOS
        }
    }

    /** The expressions of a rule as written, to be shown to people.
     *
     * @param each what {@code select} calls one member of the list that it selects from, e.g. {@code gpu}
     * @param applies CEL of type bool, asked first and of the subject alone: is it of the kind that the rule is about?
     *     Absent: all are
     * @param select CEL of type bool over one member: is it affected? Absent: the rule is about the subject as a whole,
     *     and selects nothing
     * @param condition CEL of type bool over the selected members and all of them: is it a finding?
     * @param cancellable CEL of type bool, asked of a finding: may the job be ended because of it? Absent: never
     * @param evidence CEL by name: the numbers that a finding keeps
     * @param summary text with {@code {{ CEL }}} inserts
     * @param fix text with {@code {{ CEL }}} inserts */
    public record Expressions(
            String each,
            Optional<String> applies,
            Optional<String> select,
            String condition,
            Optional<String> cancellable,
            Map<String, String> evidence,
            String summary,
            String fix) {
        /** Copies the map, keeping the order. */
        public Expressions {
            evidence = Collections.unmodifiableMap(new LinkedHashMap<>(evidence));
        }

        /** Whether one of them names a fact, of whatever it may be. */
        public boolean names(String fact) {
            return says("." + fact);
        }

        /** Whether one of them has these characters in it, e.g. {@code job.cpu_seconds}. */
        public boolean says(String word) {
            return applies.orElse("").contains(word)
                    || select.orElse("").contains(word)
                    || condition.contains(word)
                    || cancellable.orElse("").contains(word)
                    || evidence.values().stream().anyMatch(text -> text.contains(word))
                    || summary.contains(word)
                    || fix.contains(word);
        }
    }
}
