package io.fairwatch.collector.store;

import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.Asked.Column;
import io.fairwatch.collector.store.Sources.Interval;
import io.fairwatch.collector.store.Store.RunSpan;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Spans that a query is about, each with the part that is answered from roll-ups. Immutable.
 *
 * <p>That part is the inside of a long span, in whole sealed hours: a roll-up holds what its readings hold, so the answer
 * is the same and a week is a few thousand rows instead of a hundred thousand. And it is whatever lies before the first
 * reading that is still kept; there the five minutes at its ends count by the share that lies in the span.
 */
final class Spans {
    private static final long LEAST_INSIDE_MS = 3 * Rollups.HOUR_MS;

    /** A span in milliseconds; {@code (rollFromMs, rollToMs]} is answered from roll-ups, empty if they are the same. */
    record Cut(long fromMs, long toMs, long rollFromMs, long rollToMs) {
        boolean isRolled() {
            return rollToMs > rollFromMs;
        }

        /**
         * Cuts.
         *
         * @param keptFromMs from when on readings are kept
         * @param sealedUntilMs until when there are roll-ups
         * @param may whether roll-ups may stand for readings that are kept
         */
        static Cut of(long fromMs, long toMs, long keptFromMs, long sealedUntilMs, boolean may) {
            long insideFrom = Math.floorDiv(fromMs, Rollups.HOUR_MS) * Rollups.HOUR_MS + Rollups.HOUR_MS;
            long insideTo = Math.min(Math.floorDiv(toMs, Rollups.HOUR_MS) * Rollups.HOUR_MS, sealedUntilMs);
            boolean inside = may && insideTo - insideFrom >= LEAST_INSIDE_MS;
            if (fromMs >= keptFromMs) {
                return inside ? new Cut(fromMs, toMs, insideFrom, insideTo) : new Cut(fromMs, toMs, fromMs, fromMs);
            }
            long from = Math.floorDiv(fromMs, Rollups.LENGTH_MS) * Rollups.LENGTH_MS;
            long to = Math.min(
                    Math.floorDiv(toMs + Rollups.LENGTH_MS - 1, Rollups.LENGTH_MS) * Rollups.LENGTH_MS, keptFromMs);
            return new Cut(fromMs, toMs, from, inside ? Math.max(to, insideTo) : to);
        }
    }

    private static final List<Column> COLUMNS = List.of(
            new Column("no", "INTEGER"),
            new Column("job_id", "BIGINT"),
            new Column("uid", "INTEGER"),
            new Column("from_ms", "BIGINT"),
            new Column("to_ms", "BIGINT"),
            new Column("roll_from_ms", "BIGINT"),
            new Column("roll_to_ms", "BIGINT"));

    static final List<Column> GPU_COLUMNS = List.of(new Column("no", "INTEGER"), new Column("uuid", "VARCHAR"));

    private final List<RunSpan> spans;
    private final List<Cut> cuts;

    private Spans(List<RunSpan> spans, List<Cut> cuts) {
        this.spans = spans;
        this.cuts = cuts;
    }

    static Spans of(List<RunSpan> spans, Sources sources, long keptFromMs, boolean may) {
        return of(spans, sources, keptFromMs, span -> may);
    }

    /** @param may for which spans roll-ups may stand for readings that are kept */
    static Spans of(List<RunSpan> spans, Sources sources, long keptFromMs, Predicate<RunSpan> may) {
        return new Spans(
                spans,
                spans.stream()
                        .map(span -> Cut.of(
                                span.from().toEpochMilli(),
                                span.to().toEpochMilli(),
                                keptFromMs,
                                sources.sealedUntilMs(),
                                may.test(span)))
                        .toList());
    }

    /** Whether any part is answered from roll-ups. */
    boolean isRolled() {
        return cuts.stream().anyMatch(Cut::isRolled);
    }

    /** The spans themselves: {@code span(no, job_id, uid, from_ms, to_ms, roll_from_ms, roll_to_ms)}. */
    Asked asked(Session session) throws SQLException {
        List<List<@Nullable Object>> rows = new ArrayList<>();
        for (int no = 0; no < spans.size(); no++) {
            Run run = spans.get(no).run();
            Cut cut = cuts.get(no);
            rows.add(Arrays.asList(
                    no,
                    run.key().jobId(),
                    run.owner().uid().isPresent() ? (Integer) run.owner().uid().getAsInt() : null,
                    cut.fromMs(),
                    cut.toMs(),
                    cut.rollFromMs(),
                    cut.rollToMs()));
        }
        return Asked.of(session, "span", COLUMNS, rows);
    }

    /** The devices that Slurm gave each run, each once. */
    List<Set<String>> given() {
        List<Set<String>> given = new ArrayList<>();
        for (RunSpan span : spans) {
            Set<String> uuids = new LinkedHashSet<>();
            for (AllocatedGpu gpu : span.run().gpus()) {
                gpu.uuid().map(Rows::clean).ifPresent(uuids::add);
            }
            given.add(uuids.size() < 2 ? Set.copyOf(uuids) : uuids);
        }
        return given;
    }

    /** The times for which readings are asked. */
    List<Interval> readings() {
        return merged(cut -> cut.isRolled()
                ? Stream.of(new Interval(cut.fromMs(), cut.rollFromMs()), new Interval(cut.rollToMs(), cut.toMs()))
                : Stream.of(new Interval(cut.fromMs(), cut.toMs())));
    }

    /** The times for which roll-ups are asked. */
    List<Interval> rollups() {
        return merged(cut -> cut.isRolled() ? Stream.of(new Interval(cut.rollFromMs(), cut.rollToMs())) : Stream.of());
    }

    private List<Interval> merged(Function<Cut, Stream<Interval>> parts) {
        List<Interval> merged = new ArrayList<>();
        cuts.stream()
                .flatMap(parts)
                .filter(part -> part.toMs() > part.fromMs())
                .sorted(Comparator.comparingLong(Interval::fromMs))
                .forEach(part -> {
                    Interval last = merged.isEmpty() ? null : merged.get(merged.size() - 1);
                    if (last != null && part.fromMs() <= last.toMs()) {
                        merged.set(merged.size() - 1, new Interval(last.fromMs(), Math.max(last.toMs(), part.toMs())));
                    } else {
                        merged.add(part);
                    }
                });
        return merged;
    }

    long earliest() {
        return cuts.stream().mapToLong(Cut::fromMs).min().orElse(0);
    }

    long latest() {
        return cuts.stream().mapToLong(Cut::toMs).max().orElse(0);
    }
}
