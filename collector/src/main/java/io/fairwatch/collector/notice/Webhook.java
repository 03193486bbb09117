package io.fairwatch.collector.notice;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import java.util.Optional;

/** Tells a program of the site. */
@FunctionalInterface
public interface Webhook {
    /** Hands one finding over and waits for the answer, no longer than its deadline. Does not throw. */
    Outbox.Outcome send(Notice notice, Optional<Run> run, FindingRow finding);
}
