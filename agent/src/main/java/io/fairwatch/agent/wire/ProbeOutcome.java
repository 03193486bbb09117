package io.fairwatch.agent.wire;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.time.Duration;

/** How one probe fared in one snapshot. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "outcome")
@JsonSubTypes({
    @JsonSubTypes.Type(value = ProbeOutcome.Read.class, name = "read"),
    @JsonSubTypes.Type(value = ProbeOutcome.Nothing.class, name = "nothing"),
    @JsonSubTypes.Type(value = ProbeOutcome.Failed.class, name = "failed")
})
public sealed interface ProbeOutcome {
    /** The longest reason that is sent. */
    int LONGEST_REASON = 500;

    /**
     * It was read.
     *
     * @param took wall time of the reading
     */
    record Read(Duration took) implements ProbeOutcome {}

    /**
     * The source is not on this node, e.g. no NVIDIA driver. Nothing is wrong.
     *
     * @param why one sentence
     */
    record Nothing(String why) implements ProbeOutcome {
        public Nothing {
            Check.text("probes.why", why, LONGEST_REASON);
        }
    }

    /**
     * The source is there but could not be read; its readings are missing from the snapshot.
     *
     * @param why one sentence
     * @param took wall time until it was given up
     */
    record Failed(String why, Duration took) implements ProbeOutcome {
        public Failed {
            Check.text("probes.why", why, LONGEST_REASON);
        }
    }
}
