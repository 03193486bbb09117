package io.fairwatch.collector;

import io.fairwatch.collector.enforce.Enforcer;
import io.fairwatch.collector.judge.Judge;
import io.fairwatch.collector.notice.Notifier;
import io.fairwatch.collector.store.Store.StoreException;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Judges, then takes deeds and delivers what is due; one after the other on one thread, because all write findings. Confined to that
 * thread, but for {@link #troubles}.
 */
final class JudgingRound {
    private static final Logger LOG = LoggerFactory.getLogger(JudgingRound.class);

    /** Judging that takes less disturbs nobody; nineteen times of it are less than a minute. */
    private static final Duration SHORT = Duration.ofSeconds(3);

    private final Judge judge;
    private final Enforcer enforcer;
    private final Notifier notifier;
    private final InstantSource clock;
    private final Timer timer;
    private final Counter runs;
    private final Map<String, Counter> verdicts = new LinkedHashMap<>();
    private final Map<String, Counter> notices = new LinkedHashMap<>();
    private final Counter deeds;
    private volatile Optional<String> skipped = Optional.of("nobody has been judged yet");
    private volatile List<String> undelivered = List.of();

    JudgingRound(Judge judge, Enforcer enforcer, Notifier notifier, InstantSource clock, MeterRegistry meters) {
        this.judge = judge;
        this.enforcer = enforcer;
        this.notifier = notifier;
        this.clock = clock;
        this.timer = Timer.builder("fairwatch.rules.cycle")
                .description("How long judging all running jobs takes")
                .register(meters);
        this.runs = Counter.builder("fairwatch.rules.judged")
                .description("Runs that were judged, each as often as it was")
                .register(meters);
        for (String kind : List.of("finding", "unknown")) {
            verdicts.put(
                    kind,
                    Counter.builder("fairwatch.rules.verdicts")
                            .description("Verdicts that found something, or for which not enough was known")
                            .tag("kind", kind)
                            .register(meters));
        }
        for (String outcome : List.of("delivered", "refused", "withheld", "unconfirmed", "postponed", "bounced")) {
            notices.put(
                    outcome,
                    Counter.builder("fairwatch.notices")
                            .description("Notices by what became of them; one that is postponed counts again later")
                            .tag("outcome", outcome)
                            .register(meters));
        }
        this.deeds = Counter.builder("fairwatch.enforcement.deeds")
                .description("What was done to jobs, and seen in Slurm")
                .register(meters);
    }

    /** One round. Returns how long judging took, if that was long: the rest waits for Slurm and for mail servers. */
    Duration run() throws StoreException, InterruptedException {
        Instant from = clock.instant();
        long began = System.nanoTime();
        Judge.Cycle cycle;
        try {
            notifier.endRehearsals(); // before a deed could follow from what was only rehearsed
            cycle = judge.cycle(notifier.toTell());
        } catch (StoreException e) {
            skipped = Optional.of("the last round failed: " + e.getMessage()); // logged by whoever repeats this
            throw e;
        } catch (RuntimeException | Error e) { // memory that runs out, too, must be seen where people look
            skipped = Optional.of("the last round failed: " + e);
            throw e;
        }
        Duration judged = Duration.ofNanos(System.nanoTime() - began);
        timer.record(judged);
        if (!cycle.skipped().equals(skipped)) {
            cycle.skipped()
                    .ifPresentOrElse(
                            why -> LOG.warn("nobody is judged: {}", why),
                            () -> LOG.info("judging runs={}", cycle.judged()));
            skipped = cycle.skipped();
        }
        runs.increment(cycle.judged());
        count(verdicts, "finding", cycle.findings());
        count(verdicts, "unknown", cycle.unknown());
        if (cycle.skipped().isEmpty()) {
            deeds.increment(enforcer.round(from));
        }
        Notifier.Round round = notifier.deliverDue(judge::isCertain);
        count(notices, "delivered", round.delivered());
        count(notices, "refused", round.refused());
        count(notices, "withheld", round.withheld());
        count(notices, "unconfirmed", round.unconfirmed());
        count(notices, "postponed", round.postponed());
        count(notices, "bounced", round.bounced());
        undelivered = notifier.troubles();
        return judged.compareTo(SHORT) < 0 ? Duration.ZERO : judged;
    }

    private static void count(Map<String, Counter> counters, String which, int more) {
        Counter counter = counters.get(which);
        if (counter != null) {
            counter.increment(more);
        }
    }

    /** What keeps jobs from being judged, and staff from hearing of it, a sentence each; empty when nothing does. */
    List<String> troubles() {
        return Stream.concat(skipped.stream().map(why -> "Nobody is judged: " + why + "."), undelivered.stream())
                .toList();
    }
}
