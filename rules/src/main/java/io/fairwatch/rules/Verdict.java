package io.fairwatch.rules;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What one rule says of one job. Missing data never makes a {@link Finding}. */
public sealed interface Verdict {
    /** Nothing to complain of.
     *
     * @param why in one sentence; also says when the rule does not apply or the job is exempt */
    record Clear(String why) implements Verdict {}

    /** Something that its owner should hear of, if it lasts.
     *
     * @param selected the GPUs that are meant, never empty for a rule that selects GPUs and requires one
     * @param evidence the numbers behind it, by name: what the rule's {@code evidence} computed (what was not known is
     *     left out) and the rule's parameters. Values are Long, Double, Boolean, String, or List of String
     * @param summary one paragraph for the owner; plain text, not escaped for any markup
     * @param fix what the owner can do about it; plain text, may have several lines */
    record Finding(List<GpuFacts> selected, Map<String, Object> evidence, String summary, String fix)
            implements Verdict {
        /** Copies the collections, keeping the order. */
        public Finding {
            selected = List.copyOf(selected);
            evidence = Collections.unmodifiableMap(new LinkedHashMap<>(evidence));
        }
    }

    /** Not enough is known to say either.
     *
     * @param why what is missing, or what went wrong */
    record Unknown(String why) implements Verdict {}
}
