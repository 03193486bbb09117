package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Fills the store with runs that ended long ago, from Slurm's accounting: backwards from what is known, one window at a
 * time, so that it can end at any moment and go on from there. What Slurm gave is exact; what was used is unknown and stays
 * absent.
 *
 * <p>A window that is answered quickly makes the next one longer, up to a month; one that is slow or large makes it
 * shorter, so that slurmdbd is never asked for more than it can bear. {@link #step} blocks; confined to one thread at a time.
 */
public final class HistoryImport {
    private static final Duration FIRST = Duration.ofDays(1);
    private static final Duration LONGEST = Duration.ofDays(31);
    private static final Duration SHORTEST = Duration.ofHours(1);

    private static final int MANY_ROWS = 50_000;
    private static final Duration SLOW = Duration.ofSeconds(10);
    private static final int FEW_ROWS = 20_000;
    private static final Duration QUICK = Duration.ofSeconds(3);

    private final SlurmSettings settings;
    private final SlurmCommand command;
    private final Source source;
    private final Store store;
    private final InstantSource clock;
    private Duration window = FIRST;
    private @Nullable SlurmConf conf;

    public HistoryImport(SlurmSettings settings, Store store, InstantSource clock) {
        this.settings = settings;
        this.command = new SlurmCommand(settings);
        this.source = Source.of(settings);
        this.store = store;
        this.clock = clock;
    }

    /**
     * One window that was read.
     *
     * @param from its beginning: runs that ended since then are known completely
     * @param to its end
     * @param runs runs that ended in it, as far as they could be read
     * @param took how long Slurm took to answer
     * @param problems what could not be read, one sentence each
     */
    public record Step(Instant from, Instant to, int runs, Duration took, List<String> problems) {
        public Step {
            problems = List.copyOf(problems);
        }
    }

    /** Since when runs are known completely; now, if nothing is known yet. */
    public Instant completeSince() throws StoreException {
        Optional<Instant> from = store.accountingFrom();
        return from.isPresent() ? from.get() : store.accountingUntil().orElseGet(this::now);
    }

    /**
     * Reads the window before what is known.
     *
     * @param since how far back to go in all
     * @return empty if everything since then is known
     * @throws SlurmException if accounting did not answer, even for the shortest window; trying again may help
     */
    public Optional<Step> step(Instant since) throws SlurmException, StoreException, InterruptedException {
        Instant to = completeSince();
        if (!since.isBefore(to)) {
            return Optional.empty();
        }
        if (store.accountingUntil().isEmpty()) {
            store.saveAccountingUntil(to); // from here on the live part goes on forwards
        }
        String cluster = cluster();
        while (true) {
            Instant from = to.minus(window).isAfter(since) ? to.minus(window) : since;
            try {
                return Optional.of(read(cluster, from, to));
            } catch (SlurmException e) {
                if (window.compareTo(SHORTEST) <= 0) {
                    throw e;
                }
                shorten(); // too much, or too slow, or refused by MaxQueryTimeRange; else it fails again at once
            }
        }
    }

    private Step read(String cluster, Instant from, Instant to)
            throws SlurmException, StoreException, InterruptedException {
        Instant now = now();
        long began = System.nanoTime();
        SacctParser.Ended answer = source.ended(cluster, from, to, now);
        Duration took = Duration.ofNanos(System.nanoTime() - began);
        // what ended later is known, and may be known better
        List<Run> ended = answer.runs().stream()
                .filter(run -> run.end().filter(end -> end.isBefore(to)).isPresent())
                .toList();
        List<Run> news = Accounted.news(ended, store.runsWithin(from.minusSeconds(1), to), conf().countsGpus());
        if (!news.isEmpty()) {
            store.saveRuns(news);
        }
        store.saveAccountingFrom(from);
        if (answer.rows() > MANY_ROWS || took.compareTo(SLOW) > 0) {
            shorten();
        } else if (answer.rows() < FEW_ROWS && took.compareTo(QUICK) < 0) {
            Duration longer = window.multipliedBy(2);
            window = longer.compareTo(LONGEST) < 0 ? longer : LONGEST;
        }
        return new Step(from, to, ended.size(), took, answer.problems());
    }

    private void shorten() {
        Duration shorter = window.dividedBy(2);
        window = shorter.compareTo(SHORTEST) > 0 ? shorter : SHORTEST;
    }

    private String cluster() throws SlurmException, StoreException, InterruptedException {
        Optional<String> known = settings.cluster();
        if (known.isEmpty()) {
            known = store.view().map(SlurmView::cluster);
        }
        return known.or(conf()::clusterName)
                .orElseThrow(() -> new SlurmException("scontrol show config told no ClusterName; set slurm.cluster"));
    }

    private SlurmConf conf() throws InterruptedException {
        if (conf == null) {
            try {
                conf = SlurmConf.parse(
                        new String(command.run("scontrol", List.of("show", "config")), StandardCharsets.UTF_8));
            } catch (SlurmException expected) {
                return new SlurmConf(Map.of()); // accounting answers without a controller
            }
        }
        return conf;
    }

    private Instant now() {
        return clock.instant().truncatedTo(ChronoUnit.SECONDS);
    }
}
