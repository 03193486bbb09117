package io.fairwatch.collector;

import io.fairwatch.collector.judge.Judge;
import io.fairwatch.collector.notice.Notifier;
import io.fairwatch.collector.store.Store.StoreException;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Judges, then delivers what is due; one after the other on one thread, because both write findings. Confined to that
 * thread, but for {@link #troubles}.
 */
final class JudgingRound {
    private static final Logger LOG = LoggerFactory.getLogger(JudgingRound.class);

    private final Judge judge;
    private final Notifier notifier;
    private final Timer timer;
    private final Counter delivered;
    private final Counter unknown;
    private volatile Optional<String> skipped = Optional.of("nobody has been judged yet");

    JudgingRound(Judge judge, Notifier notifier, MeterRegistry meters) {
        this.judge = judge;
        this.notifier = notifier;
        this.timer = Timer.builder("fairwatch.rules.cycle")
                .description("How long judging all running jobs takes")
                .register(meters);
        this.delivered = Counter.builder("fairwatch.notices.delivered")
                .description("Mails that the mail server took")
                .register(meters);
        this.unknown = Counter.builder("fairwatch.rules.unknown")
                .description("Verdicts for which not enough was known")
                .register(meters);
    }

    void run() throws StoreException {
        long began = System.nanoTime();
        Judge.Cycle cycle;
        try {
            cycle = judge.cycle();
        } catch (StoreException e) {
            skipped = Optional.of("the last round failed: " + e.getMessage()); // logged by whoever repeats this
            throw e;
        } catch (RuntimeException | Error e) { // memory that runs out, too, must be seen where people look
            skipped = Optional.of("the last round failed: " + e);
            throw e;
        }
        timer.record(Duration.ofNanos(System.nanoTime() - began));
        if (!cycle.skipped().equals(skipped)) {
            cycle.skipped()
                    .ifPresentOrElse(
                            why -> LOG.warn("nobody is judged: {}", why),
                            () -> LOG.info("judging runs={}", cycle.judged()));
            skipped = cycle.skipped();
        }
        unknown.increment(cycle.unknown());
        delivered.increment(notifier.deliverDue().delivered());
    }

    /** What keeps jobs from being judged, a sentence; empty when nothing does. */
    List<String> troubles() {
        return skipped.stream().map(why -> "Nobody is judged: " + why + ".").toList();
    }
}
