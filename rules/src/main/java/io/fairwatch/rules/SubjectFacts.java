package io.fairwatch.rules;

import java.time.Instant;

/** All that is known of one thing that rules judge, when they are asked about it. */
public sealed interface SubjectFacts permits JobFacts, PendingFacts, NodeFacts, UserFacts {
    /** Start of the window, inclusive. */
    Instant from();

    /** End of the window, exclusive: the moment of judging. */
    Instant to();
}
