package io.fairwatch.collector.notice;

import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.Bounce;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Notice.Channel;
import io.fairwatch.collector.store.Notice.State;
import io.fairwatch.collector.store.Notice.Topic;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.text.Plain;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What comes of mails that came back: their notices were not delivered after all. Immutable; blocks on the store. */
final class Returned {
    private static final Logger LOG = LoggerFactory.getLogger(Returned.class);

    private final Store store;
    private final NoticePlanner planner;
    private final Notifier.Bouncing settings;
    private final InstantSource clock;

    Returned(Store store, NoticePlanner planner, Notifier.Bouncing settings, InstantSource clock) {
        this.store = store;
        this.planner = planner;
        this.settings = settings;
        this.clock = clock;
    }

    /**
     * Changes the notices of mails that came back since the last time, and plans what staff are to hear of it.
     *
     * @return how many notices were thought to be delivered and were not
     */
    int take() throws Store.StoreException {
        Instant now = clock.instant();
        int count = 0;
        for (Bounce bounce : store.bounces(now.minus(settings.remember()))) {
            if (bounce.takenAt().isPresent()) {
                continue;
            }
            if (bounce.kind() == Bounce.Kind.FAILED) {
                count += take(bounce, now);
            }
            // last: when it is lost, the same is done again and changes nothing
            store.saveBounces(List.of(bounce.taken(now)));
        }
        return count;
    }

    private int take(Bounce bounce, Instant now) throws Store.StoreException {
        List<Notice> notices = new ArrayList<>();
        List<FindingRow> findings = new ArrayList<>();
        int count = 0;
        for (Notice notice :
                store.noticesIn(List.of(State.DELIVERED, State.UNCONFIRMED), now.minus(settings.remember()))) {
            if (!notice.mail().equals(Optional.of(bounce.mail()))) {
                continue;
            }
            count++;
            String why = (notice.isRehearsed() ? Notice.REHEARSAL : "") + "came back: " + said(bounce);
            notices.add(notice.with(State.BOUNCED, notice.attempts(), why, now));
            LOG.warn(
                    "notice came back notice={} about={} address={} status={} why=\"{}\"",
                    notice.id(),
                    notice.subject(),
                    bounce.address(),
                    bounce.status().orElse("unknown"),
                    bounce.reason());
            if (notice.aim().channel() != Channel.OWNER) {
                continue;
            }
            Optional<FindingRow> row = store.finding(notice.subject(), notice.rule(), notice.since());
            if (row.isPresent() && isTold(notice)) {
                if (isOnlyOne(notice)) {
                    findings.add(row.get().untold());
                }
                notices.addAll(
                        planner.news(row.get(), notice.aim().step(), Topic.UNREACHABLE, List.of(Channel.STAFF), why));
            }
        }
        store.saveFindings(findings, notices);
        return count;
    }

    private static String said(Bounce bounce) {
        return Plain.line(
                bounce.address() + ": "
                        + bounce.status().map(code -> code + " ").orElse("") + bounce.reason(),
                280);
    }

    /** News of what was done need no answer; what was found does. */
    private static boolean isTold(Notice notice) {
        return (notice.subject() instanceof RunKey || notice.subject() instanceof Subject.Waiting)
                && (notice.aim().topic() == Topic.FINDING || notice.aim().topic() == Topic.ANNOUNCED);
    }

    /** Whether no other mail of the episode reached the owner. */
    private boolean isOnlyOne(Notice notice) throws Store.StoreException {
        long job = notice.subject() instanceof RunKey run ? run.jobId() : ((Subject.Waiting) notice.subject()).jobId();
        return store.noticesOf(job).stream()
                .noneMatch(other -> !other.id().equals(notice.id())
                        && other.subject().equals(notice.subject())
                        && other.rule().equals(notice.rule())
                        && other.since().equals(notice.since())
                        && other.aim().channel() == Channel.OWNER
                        && isTold(other)
                        && other.state() == State.DELIVERED);
    }

    /** Why an address gets no mails; empty if it does. */
    Optional<String> why(String address) throws Store.StoreException {
        List<Bounce> back = counting().stream()
                .filter(bounce -> bounce.address().equalsIgnoreCase(address))
                .toList();
        return back.stream().map(Bounce::mail).distinct().count() < settings.stopAfter()
                ? Optional.empty()
                : Optional.of("mails to it came back, the last one on "
                        + back.stream()
                                .map(Bounce::at)
                                .max(Comparator.naturalOrder())
                                .orElseThrow()
                        + " (" + said(back.get(0)) + "); when it is good again: fairwatch bounces --forget");
    }

    private List<Bounce> counting() throws Store.StoreException {
        return store.bounces(clock.instant().minus(settings.remember())).stream()
                .filter(bounce -> bounce.kind() == Bounce.Kind.FAILED
                        && bounce.forgottenAt().isEmpty())
                .toList();
    }
}
