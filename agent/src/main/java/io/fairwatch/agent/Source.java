package io.fairwatch.agent;

import io.fairwatch.agent.probe.PolledProbe;
import io.fairwatch.agent.probe.Probe;
import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.wire.ProbeOutcome;
import java.time.Duration;
import java.time.Instant;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A probe and where its reading belongs in a snapshot. Immutable.
 *
 * @param probe reads
 * @param into puts what was read into the snapshot
 */
record Source<T>(Probe<T> probe, BiConsumer<SnapshotDraft, T> into) {

    private static final Logger log = LoggerFactory.getLogger(Source.class);

    /** How a reading ended, and what it adds to the snapshot. */
    record Result(ProbeOutcome outcome, Consumer<SnapshotDraft> addition) {
        static Result without(ProbeOutcome outcome) {
            return new Result(outcome, draft -> {});
        }
    }

    /** Work that reads nothing itself. */
    interface Step {
        void take(Instant at) throws ProbeException;
    }

    /** Work that the probes after it rest on, and that is timed and bounded like theirs. */
    static Source<Instant> step(String name, Step work) {
        return new Source<>(
                new Probe<>() {
                    @Override
                    public String name() {
                        return name;
                    }

                    @Override
                    public Instant read(Instant at) throws ProbeException {
                        work.take(at);
                        return at;
                    }
                },
                (draft, at) -> {});
    }

    String name() {
        return probe.name();
    }

    /** Reads now; whatever goes wrong becomes an outcome. Blocks. */
    Result read(Instant at) {
        long began = System.nanoTime();
        try {
            T reading = probe.read(at);
            return new Result(new ProbeOutcome.Read(since(began)), draft -> into.accept(draft, reading));
        } catch (NothingToReadException e) {
            return Result.without(new ProbeOutcome.Nothing(sentence(e)));
        } catch (ProbeException e) {
            return Result.without(new ProbeOutcome.Failed(sentence(e), since(began)));
        } catch (RuntimeException | LinkageError e) { // our bug, or a library that does not fit: the rest goes on
            return Result.without(new ProbeOutcome.Failed(sentence(e), since(began)));
        }
    }

    /** What was read last reached nobody. Blocks. */
    void missed() {
        try {
            probe.missed();
        } catch (RuntimeException | LinkageError e) {
            log.debug("what was missed is not told again probe={}", name(), e);
        }
    }

    boolean isPolled() {
        return probe instanceof PolledProbe<?>;
    }

    /** Looks in between; what goes wrong shows again, and is told, at the next reading. Blocks. */
    void poll() {
        if (probe instanceof PolledProbe<?> polled) {
            try {
                polled.poll();
            } catch (ProbeException | RuntimeException | LinkageError expected) {
                log.debug("poll failed probe={}", name(), expected);
            }
        }
    }

    private static Duration since(long began) {
        return Duration.ofNanos(System.nanoTime() - began);
    }

    private static String sentence(Throwable e) {
        String text = e instanceof ProbeException && e.getMessage() != null ? e.getMessage() : e.toString();
        String printable = text.replaceAll("\\p{Cntrl}+", " ");
        return printable.substring(0, Math.min(ProbeOutcome.LONGEST_REASON, printable.length()));
    }
}
