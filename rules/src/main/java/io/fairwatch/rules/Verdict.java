package io.fairwatch.rules;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What one rule says of one job, node or user. Missing data never makes a {@link Finding}. */
public sealed interface Verdict {
    /** Nothing to complain of.
     *
     * @param why in one sentence; also says when the rule does not apply or the job is exempt */
    record Clear(String why) implements Verdict {}

    /** Something that its owner should hear of, if it lasts.
     *
     * @param selected the parts that are meant, never empty for a rule that selects some and requires one
     * @param evidence the numbers behind it, by name: what the rule's {@code evidence} computed (what was not known is
     *     left out) and the rule's parameters. Values are Long, Double, Boolean, String, or List of String
     * @param said what the owner reads
     * @param translations the same in other languages, by their tags, e.g. {@code da}
     * @param cancellable whether the rule allows that the job is ended because of it; false unless the rule says when */
    record Finding(
            List<Selected> selected,
            Map<String, Object> evidence,
            Said said,
            Map<String, Said> translations,
            boolean cancellable)
            implements Verdict {
        /** Copies the collections, keeping the order. */
        public Finding {
            selected = List.copyOf(selected);
            evidence = Collections.unmodifiableMap(new LinkedHashMap<>(evidence));
            translations = Collections.unmodifiableMap(new LinkedHashMap<>(translations));
        }

        /** What the owner reads first, in English. */
        public String summary() {
            return said.summary();
        }

        /** What the owner can do about it, in English. */
        public String fix() {
            return said.fix();
        }
    }

    /** What an owner reads, in one language.
     *
     * @param summary one paragraph; plain text, not escaped for any markup
     * @param fix what the owner can do about it; plain text, may have several lines */
    record Said(String summary, String fix) {}

    /** A part that a finding means.
     *
     * @param kind what rules call one of it, e.g. {@code gpu}
     * @param name what people know it by: a GPU's UUID, a job's number, a path; empty if it is not known
     * @param facts what is known of it */
    record Selected(String kind, String name, Record facts) {}

    /** Not enough is known to say either.
     *
     * @param why what is missing, or what went wrong */
    record Unknown(String why) implements Verdict {}
}
