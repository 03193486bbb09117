package io.fairwatch.collector.lookup;

import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** What rules found, with who was told. Thread-safe; blocks on the store. */
public final class FindingList {
    private static final int MOST_PARTS = 50;

    private final Store store;
    private final InstantSource clock;

    public FindingList(Store store, InstantSource clock) {
        this.store = store;
        this.clock = clock;
    }

    /**
     * Which findings are asked for; what is absent is not asked for.
     *
     * @param user whose
     * @param rule name of the rule
     * @param node node that it is about
     * @param job job that it is about, as people write it
     * @param all those of the job that have ended, too
     */
    public record Query(
            Optional<String> user, Optional<String> rule, Optional<String> node, Optional<String> job, boolean all) {
        public Query {
            if (all && job.isEmpty()) {
                throw new IllegalArgumentException("state: all comes with a job (expected: job=83549)");
            }
        }

        boolean takes(FindingRow finding) {
            return finding.state() != FindingRow.State.SUSPECTED
                    && (all || finding.state() != FindingRow.State.RESOLVED)
                    && (user.isEmpty() || user.get().equals(finding.user()))
                    && (rule.isEmpty() || rule.get().equals(finding.rule()))
                    && (node.isEmpty()
                            || (finding.subject() instanceof Subject.OnNode on
                                    && on.node().equals(node.get())));
        }
    }

    private record Episode(Subject subject, String rule, Instant since) {}

    /** The asked part of what was found, newest first. */
    public Listing<FindingLine> find(Query query, Page page) throws StoreException {
        Optional<SlurmView> view = store.view();
        List<FindingRow> rows =
                query.job().isPresent() ? ofJob(JobId.parse(query.job().get()), view) : store.openFindings();
        Page.Part<FindingRow> part = page.of(
                rows.stream()
                        .filter(query::takes)
                        .sorted(Comparator.comparing(FindingList::key))
                        .toList(),
                FindingList::key);
        Map<Episode, List<Notice>> notices = notices(part.items());
        return new Listing<>(
                clock.instant(),
                view.map(SlurmView::at),
                store.nodes().stream()
                        .flatMap(node -> node.simulated().stream())
                        .findFirst(),
                part.items().stream()
                        .map(row -> FindingLine.of(
                                row,
                                notices.getOrDefault(new Episode(row.subject(), row.rule(), row.since()), List.of())))
                        .toList(),
                part.next());
    }

    private static String key(FindingRow row) {
        return FindingLine.of(row, List.of()).key();
    }

    /** Of its runs, and of the job while it waits. */
    private List<FindingRow> ofJob(JobId job, Optional<SlurmView> view) throws StoreException {
        List<FindingRow> rows = new ArrayList<>();
        for (long id : store.runsOf(job.number()).stream()
                .filter(job::isOf)
                .map(run -> run.key().jobId())
                .distinct()
                .limit(MOST_PARTS)
                .toList()) {
            rows.addAll(store.findingsOf(id));
        }
        Set<Subject> waiting = view.map(SlurmView::pending).orElse(List.of()).stream()
                .filter(pending -> job.isOf(pending.jobId(), pending.displayId()))
                .map(pending -> new Subject.Waiting(pending.cluster(), pending.jobId(), pending.submit()))
                .collect(Collectors.toSet());
        if (!waiting.isEmpty()) {
            store.openFindings().stream()
                    .filter(row -> waiting.contains(row.subject()))
                    .forEach(rows::add);
        }
        return rows;
    }

    /** Of all findings together: a finding's notices are no older than itself. */
    private Map<Episode, List<Notice>> notices(List<FindingRow> findings) throws StoreException {
        Optional<Instant> oldest = findings.stream().map(FindingRow::since).min(Comparator.naturalOrder());
        return oldest.isEmpty()
                ? Map.of()
                : store
                        .noticesIn(
                                EnumSet.allOf(Notice.State.class), oldest.get().minusMillis(1))
                        .stream()
                        .sorted(Comparator.comparing(Notice::createdAt))
                        .collect(Collectors.groupingBy(
                                notice -> new Episode(notice.subject(), notice.rule(), notice.since())));
    }
}
