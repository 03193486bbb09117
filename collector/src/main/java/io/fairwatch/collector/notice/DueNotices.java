package io.fairwatch.collector.notice;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.Exemptions;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Notice.Channel;
import io.fairwatch.collector.store.Notice.Topic;
import io.fairwatch.collector.store.Store;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Which planned notices go out in a round, by what the store says of their runs and findings. Confined to the round. */
final class DueNotices {
    private final Store store;
    private final Duration staleAfter;
    private final InstantSource clock;
    private final Map<RunKey, Run> live = new HashMap<>();
    private final Map<List<Object>, FindingRow> open = new HashMap<>();
    private Exemptions exempt = new Exemptions(List.of());
    private Optional<Store.SlurmView> view = Optional.empty();
    private boolean read;

    DueNotices(Store store, Duration staleAfter, InstantSource clock) {
        this.store = store;
        this.staleAfter = staleAfter;
        this.clock = clock;
    }

    /** A notice with what it is about. */
    record Due(Notice notice, Optional<Run> run, FindingRow finding) {}

    /** What is to become of one. */
    sealed interface Look {
        record Now(Due due) implements Look {}

        record Later() implements Look {}

        record Never(String why) implements Look {}
    }

    /** Whether it is true for ever, and not only while what was found lasts. */
    static boolean isNews(Notice notice) {
        return notice.aim().topic() != Topic.FINDING && notice.aim().topic() != Topic.ANNOUNCED;
    }

    private void read() throws Store.StoreException {
        if (read) {
            return;
        }
        store.liveRuns().forEach(run -> live.put(run.key(), run));
        store.openFindings().forEach(row -> open.put(List.of(row.subject(), row.rule(), row.since()), row));
        exempt = new Exemptions(store.exemptions(clock.instant()));
        view = store.view();
        read = true;
    }

    /** What is to become of a planned notice in this round. */
    Look look(Notice notice) throws Store.StoreException {
        read();
        Optional<FindingRow> finding =
                Optional.ofNullable(open.get(List.of(notice.subject(), notice.rule(), notice.since())));
        if (finding.isEmpty()) {
            finding = store.finding(notice.subject(), notice.rule(), notice.since());
        }
        if (!(notice.subject() instanceof RunKey key)) {
            return aboutNoRun(notice, finding);
        }
        Optional<Run> run = Optional.ofNullable(live.get(key));
        if (run.isEmpty()) {
            run = store.runsOf(key.jobId()).stream()
                    .filter(one -> one.key().equals(key))
                    .findFirst();
        }
        if (run.isEmpty() || finding.isEmpty()) {
            return new Look.Never("its run or its finding is not in the store");
        }
        Due due = new Due(notice, run, finding.get());
        if (isNews(notice)) {
            return new Look.Now(due);
        }
        if (isToldAlready(notice, finding.get())) {
            return new Look.Never("told already");
        }
        if (finding.get().state() == FindingRow.State.RESOLVED
                || run.get().end().isPresent()
                || !run.get().state().holdsAllocation()) {
            return new Look.Never("over before it was sent");
        }
        boolean waits = finding.get().clearSince().isPresent()
                || !isCurrent(run.get())
                || exempt.of(key, run.get().owner().user(), run.get().owner().account(), notice.rule())
                        .isPresent();
        // nobody is told what may have ceased to be true
        return waits ? new Look.Later() : new Look.Now(due);
    }

    /** A waiting job, a node or a user: what is over is not told, and what is just clear waits. */
    private Look aboutNoRun(Notice notice, Optional<FindingRow> finding) {
        if (finding.isPresent() && isNews(notice)) {
            return new Look.Now(new Due(notice, Optional.empty(), finding.get()));
        }
        if (finding.isEmpty() || finding.get().state() == FindingRow.State.RESOLVED) {
            return new Look.Never("over before it was sent");
        }
        if (isToldAlready(notice, finding.get())) {
            return new Look.Never("told already");
        }
        return finding.get().clearSince().isPresent() || !isFresh() || isExcused(notice, finding.get())
                ? new Look.Later()
                : new Look.Now(new Due(notice, Optional.empty(), finding.get()));
    }

    private boolean isExcused(Notice notice, FindingRow finding) {
        String account = notice.subject() instanceof Subject.Waiting waiting
                ? view.stream()
                        .flatMap(now -> now.pending().stream())
                        .filter(job -> job.jobId() == waiting.jobId())
                        .map(job -> job.owner().account())
                        .findFirst()
                        .orElse("")
                : "";
        return exempt.of(notice.subject(), finding.user(), account, notice.rule())
                .isPresent();
    }

    /** A step of one owner is done with the first delivery; of several others the next still get theirs. */
    private static boolean isToldAlready(Notice notice, FindingRow finding) {
        int done = finding.progress().done();
        return done > notice.aim().step()
                || (done == notice.aim().step() && notice.aim().channel() == Channel.OWNER);
    }

    private boolean isFresh() {
        return view.isPresent() && !view.get().at().isBefore(clock.instant().minus(staleAfter));
    }

    /** Whether Slurm's newest answer names the run, and is not older than it takes to judge again. */
    private boolean isCurrent(Run run) {
        return isFresh() && !run.asOf().isBefore(view.orElseThrow().at());
    }
}
