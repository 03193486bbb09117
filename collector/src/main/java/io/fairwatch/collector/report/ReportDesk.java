package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Report.Scope;
import io.fairwatch.collector.report.ReportSettings.People;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Where reports are asked for: one is made at a time, so that memory stays bounded, and the newest is kept for a moment,
 * so that its page, its PDF and its tables are of one piece. Thread-safe; {@link #report} blocks.
 */
public final class ReportDesk {
    private static final Duration KEPT = Duration.ofMinutes(2);

    private record Asked(Period period, Scope scope, People people) {}

    private record Made(Asked asked, Report report, Instant at) {}

    private final ReportMaker maker;
    private final InstantSource clock;
    private @Nullable Made newest;
    private volatile @Nullable String step;

    public ReportDesk(ReportMaker maker, InstantSource clock) {
        this.maker = maker;
        this.clock = clock;
    }

    public ReportSettings settings() {
        return maker.settings();
    }

    /** The report of a period; waits while another one is made. */
    public synchronized Report report(Period period, Scope scope, People people) throws StoreException {
        Asked asked = new Asked(period, scope, people);
        Instant now = clock.instant();
        Made kept = newest;
        if (kept != null && kept.asked().equals(asked) && kept.at().plus(KEPT).isAfter(now)) {
            return kept.report();
        }
        newest = null;
        try {
            Report report = maker.make(period, scope, people, said -> step = period.name() + ": " + said);
            newest = new Made(asked, report, now);
            return report;
        } finally {
            step = null;
        }
    }

    /** What is being added up now; absent while nothing is. */
    public Optional<String> progress() {
        return Optional.ofNullable(step);
    }

    /** The runs of a period, one row each, as a Parquet file. */
    public byte[] runs(Period period, People people) throws StoreException {
        return maker.runs(period, people);
    }
}
