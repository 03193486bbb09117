package io.fairwatch.collector.notice;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.usage.Horizon;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Plans one notice for each episode and sees it delivered at most once. Thread-safe; blocks, so it is called from a worker.
 *
 * <p>It reads a finding and writes it back when its owner was told. Whoever else writes findings must not do so between,
 * or the mark is lost (the notice is not, so nobody is told twice): call {@link #deliverDue} from the same single worker.
 */
public final class Notifier {
    private static final Logger LOG = LoggerFactory.getLogger(Notifier.class);

    /** Whether mails are sent. */
    public enum Mode {
        /** Notices are kept and no mail leaves. */
        RECORD,
        /** Mails are sent. */
        NOTIFY
    }

    /**
     * How to notify. Immutable.
     *
     * @param mode whether mails are sent
     * @param redirectAllTo all mails go there and owners get none: for rehearsals; absent: owners get them
     * @param mostPerDay most mails to one person within 24 hours; what exceeds it is withheld for good
     * @param retryFirst wait before the second attempt; doubled from one attempt to the next
     * @param retryMost longest wait between attempts
     * @param busyAboveRatio a reading counts as busy when its largest sample is above this
     * @param staleAfter nothing is sent while Slurm's newest answer is older than this
     */
    public record Settings(
            Mode mode,
            Optional<String> redirectAllTo,
            int mostPerDay,
            Duration retryFirst,
            Duration retryMost,
            double busyAboveRatio,
            Duration staleAfter) {

        public Settings {
            redirectAllTo.ifPresent(to -> {
                if (!Addresses.isAddress(to)) {
                    throw new IllegalArgumentException(
                            "redirectAllTo: " + Plain.line(to, 80) + " (expected: an address)");
                }
            });
            if (mostPerDay < 1) {
                throw new IllegalArgumentException("mostPerDay: " + mostPerDay + " (expected: 1 or more)");
            }
            if (retryFirst.isNegative() || retryFirst.isZero() || retryMost.compareTo(retryFirst) < 0) {
                throw new IllegalArgumentException("retryFirst: " + retryFirst
                        + " (expected: more than 0 and at most retryMost " + retryMost + ")");
            }
        }

        Duration waitAfter(int attempts) {
            Duration wait = retryFirst;
            for (int i = 1; i < attempts && wait.compareTo(retryMost) < 0; i++) {
                wait = wait.multipliedBy(2);
            }
            return wait.compareTo(retryMost) < 0 ? wait : retryMost;
        }
    }

    /**
     * What one call of {@link #deliverDue} did.
     *
     * @param delivered taken by the mail server
     * @param refused never to be taken
     * @param withheld not sent on purpose
     * @param unconfirmed handed over without an answer
     * @param postponed failed for now
     */
    public record Round(int delivered, int refused, int withheld, int unconfirmed, int postponed) {}

    private final Store store;
    private final Outbox outbox;
    private final Addresses addresses;
    private final LetterWriter writer;
    private final Function<FindingRow, Duration> windowOf;
    private final Settings settings;
    private final InstantSource clock;
    private final ReentrantLock oneAtATime = new ReentrantLock();

    /**
     * @param windowOf the window of the rule behind a finding: letters look back that far before the episode began
     */
    public Notifier(
            Store store,
            Outbox outbox,
            Addresses addresses,
            LetterWriter writer,
            Function<FindingRow, Duration> windowOf,
            Settings settings,
            InstantSource clock) {
        this.store = store;
        this.outbox = outbox;
        this.addresses = addresses;
        this.writer = writer;
        this.windowOf = windowOf;
        this.settings = settings;
        this.clock = clock;
    }

    /**
     * Notices for a step of an episode, to be saved by the caller in one transaction with the finding; those that are
     * there already, whatever became of them, are left out.
     *
     * @return empty if there is nobody to tell
     */
    public Optional<List<Notice>> plan(FindingRow finding, Run run, Notice.Aim aim) throws Store.StoreException {
        Set<String> known =
                store.noticesOf(finding.run().jobId()).stream().map(Notice::id).collect(Collectors.toSet());
        Instant now = clock.instant();
        List<String> recipients = recipients(finding, aim);
        return recipients.isEmpty()
                ? Optional.empty()
                : Optional.of(recipients.stream()
                        .map(to -> planned(finding, new Notice.Aim(aim.step(), aim.channel(), aim.topic(), to), now))
                        .filter(notice -> !known.contains(notice.id()))
                        .toList());
    }

    private static List<String> recipients(FindingRow finding, Notice.Aim aim) {
        return switch (aim.channel()) {
            case OWNER -> List.of(finding.user());
            case SLURM -> List.of(aim.recipient());
            case COORDINATOR, STAFF, WEBHOOK -> List.of();
        };
    }

    private Notice planned(FindingRow finding, Notice.Aim aim, Instant now) {
        return new Notice(
                id(finding.run(), finding.rule(), finding.since(), aim),
                finding.run(),
                finding.rule(),
                finding.since(),
                aim,
                finding.user(),
                addresses.of(finding.user()) instanceof Addresses.Answer.Found found
                        ? Optional.of(found.address())
                        : Optional.empty(),
                Notice.State.PLANNED,
                Optional.empty(),
                now,
                now,
                0,
                "");
    }

    /** The same for the same step of the same episode, at any time and in any process. */
    static String id(RunKey run, String rule, Instant since, Notice.Aim aim) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (String part : List.of(
                    run.cluster(),
                    Long.toString(run.jobId()),
                    run.start().toString(),
                    rule,
                    since.toString(),
                    aim.toString())) {
                byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
                digest.update((bytes.length + ":").getBytes(StandardCharsets.US_ASCII));
                digest.update(bytes);
            }
            return HexFormat.of().formatHex(digest.digest(), 0, 16);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("every Java has SHA-256", impossible);
        }
    }

    /**
     * Marks what was being sent when a collector died: nobody knows whether it left, so it is not sent again. Called by
     * {@link #deliverDue}, too, for what an earlier call could not write down.
     *
     * @return how many
     */
    public int recover() throws Store.StoreException {
        if (!oneAtATime.tryLock()) {
            return 0;
        }
        try {
            return markLost();
        } finally {
            oneAtATime.unlock();
        }
    }

    private int markLost() throws Store.StoreException {
        List<Notice> lost = new ArrayList<>();
        for (Notice notice : store.noticesIn(List.of(Notice.State.SENDING))) {
            lost.add(with(
                    notice, Notice.State.UNCONFIRMED, notice.attempts(), "the collector stopped while sending it"));
        }
        if (!lost.isEmpty()) {
            store.saveFindings(List.of(), lost);
            lost.forEach(notice -> LOG.warn(
                    "notice unconfirmed, not sent again notice={} job={} user={}",
                    notice.id(),
                    notice.run().jobId(),
                    Plain.line(notice.user(), 80)));
        }
        return lost.size();
    }

    /**
     * Deals with every notice that is due, oldest first. While one call runs, another does nothing.
     *
     * @throws Store.StoreException if the store fails; what was not written down was not sent, or is never sent again
     */
    public Round deliverDue() throws Store.StoreException {
        if (!oneAtATime.tryLock()) {
            return new Round(0, 0, 0, 0, 0);
        }
        try {
            Tally tally = new Tally();
            tally.unconfirmed += markLost();
            List<Notice> planned = store.noticesIn(List.of(Notice.State.PLANNED));
            Map<String, Integer> sentToday = planned.isEmpty() ? new HashMap<>() : sentToday();
            for (Notice notice : planned) {
                if (notice.aim().channel() == Notice.Channel.OWNER
                        && isDue(notice)
                        && !deliver(notice, sentToday, tally)) {
                    break;
                }
            }
            return tally.round();
        } finally {
            oneAtATime.unlock();
        }
    }

    private boolean isDue(Notice notice) {
        return notice.attempts() == 0
                || !clock.instant().isBefore(notice.changedAt().plus(settings.waitAfter(notice.attempts())));
    }

    /** Mails to each user within the last 24 hours. */
    private Map<String, Integer> sentToday() throws Store.StoreException {
        Instant from = clock.instant().minus(Duration.ofDays(1));
        Map<String, Integer> count = new HashMap<>();
        for (Notice notice : store.noticesIn(List.of(Notice.State.DELIVERED, Notice.State.UNCONFIRMED), from)) {
            count.merge(notice.user(), 1, Integer::sum);
        }
        return count;
    }

    /** Deals with one notice; false: the others would fare no better now. */
    private boolean deliver(Notice notice, Map<String, Integer> sentToday, Tally tally) throws Store.StoreException {
        Optional<Run> run = store.runsOf(notice.run().jobId()).stream()
                .filter(one -> one.key().equals(notice.run()))
                .findFirst();
        Optional<FindingRow> finding = finding(notice);
        if (run.isEmpty() || finding.isEmpty()) {
            withhold(notice, "its run or its finding is not in the store", tally);
            return true;
        }
        if (finding.get().progress().done() >= notice.aim().step()) {
            withhold(notice, "the owner was told already", tally);
            return true;
        }
        if (finding.get().state() == FindingRow.State.RESOLVED
                || run.get().end().isPresent()
                || !run.get().state().holdsAllocation()) {
            withhold(notice, "over before it was sent", tally);
            return true;
        }
        if (finding.get().clearSince().isPresent() || !isCurrent(run.get())) {
            return true; // it waits: nobody is told what may have ceased to be true
        }
        if (!(addresses.of(notice.user()) instanceof Addresses.Answer.Found owner)) {
            String why = addresses.of(notice.user()) instanceof Addresses.Answer.None none ? none.why() : "";
            save(with(notice, Notice.State.REFUSED, notice.attempts(), why));
            LOG.warn(
                    "notice refused notice={} job={} why=\"{}\"",
                    notice.id(),
                    notice.run().jobId(),
                    why);
            tally.refused++;
            return true;
        }
        if (sentToday.getOrDefault(notice.user(), 0) >= settings.mostPerDay) {
            withhold(notice, "already " + settings.mostPerDay + " mails to this person within 24 hours", tally);
            return true;
        }
        Letter letter;
        try {
            letter = letter(run.get(), finding.get());
        } catch (RuntimeException broken) {
            LOG.error(
                    "letter could not be written notice={} job={}",
                    notice.id(),
                    notice.run().jobId(),
                    broken);
            postpone(notice, notice.attempts() + 1, "the letter could not be written: " + broken, tally);
            return true;
        }
        if (settings.mode == Mode.RECORD) {
            withhold(notice, "mails are switched off", tally);
            return true;
        }
        return handOver(readdressed(notice, owner.address()), letter, sentToday, tally);
    }

    /** Whether Slurm's newest answer names the run, and is not older than it takes to judge again. */
    private boolean isCurrent(Run run) throws Store.StoreException {
        Optional<Store.SlurmView> view = store.view();
        return view.isPresent()
                && !view.get().at().isBefore(clock.instant().minus(settings.staleAfter))
                && !run.asOf().isBefore(view.get().at());
    }

    private Letter letter(Run run, FindingRow finding) throws Store.StoreException {
        Instant now = clock.instant();
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        Optional<String> simulated = run.allocation().nodes().stream()
                .flatMap(name -> Optional.ofNullable(nodes.get(name)).stream())
                .flatMap(node -> node.simulated().stream())
                .findFirst();
        Instant lookBack = finding.since().minus(windowOf.apply(finding));
        Instant from =
                lookBack.isAfter(run.key().start()) ? lookBack : run.key().start();
        Store.RunSpan span = new Store.RunSpan(run, from, Horizon.of(run, nodes, now));
        List<GpuUse> use = store.gpuUse(List.of(span), settings.busyAboveRatio);
        return writer.write(new LetterWriter.Matter(run, finding, use, simulated, now));
    }

    private boolean handOver(Notice notice, Letter letter, Map<String, Integer> sentToday, Tally tally)
            throws Store.StoreException {
        String owner = notice.address().orElseThrow();
        String to = settings.redirectAllTo.orElse(owner);
        Notice sending = with(readdressed(notice, to), Notice.State.SENDING, notice.attempts() + 1, "");
        // from here on it is never sent a second time, whatever dies
        save(sending);
        Outbox.Outcome outcome = outbox.send(new Outbox.Mail(
                notice.id(),
                to,
                clock.instant(),
                settings.redirectAllTo.isPresent() ? letter.rehearsedFor(owner) : letter));
        if (outcome instanceof Outbox.Outcome.Delivered) {
            delivered(sending, outcome.detail());
            sentToday.merge(notice.user(), 1, Integer::sum);
            tally.delivered++;
        } else if (outcome instanceof Outbox.Outcome.Refused) {
            save(with(sending, Notice.State.REFUSED, sending.attempts(), outcome.detail()));
            LOG.warn("notice refused notice={} to={} why=\"{}\"", notice.id(), to, outcome.detail());
            tally.refused++;
        } else if (outcome instanceof Outbox.Outcome.Unknown) {
            save(with(sending, Notice.State.UNCONFIRMED, sending.attempts(), outcome.detail()));
            LOG.warn(
                    "notice unconfirmed, not sent again notice={} to={} why=\"{}\"", notice.id(), to, outcome.detail());
            sentToday.merge(notice.user(), 1, Integer::sum);
            tally.unconfirmed++;
            return false; // a server that is too slow for one is too slow for all, and each would lose its only mail
        } else if (outcome instanceof Outbox.Outcome.TryAgain again) {
            postpone(readdressed(sending, owner), sending.attempts(), again.detail(), tally);
            if (again.everybody()) {
                LOG.error("mails cannot be sent now why=\"{}\"", again.detail());
                return false;
            }
        }
        return !Thread.currentThread().isInterrupted();
    }

    private void delivered(Notice sending, String detail) throws Store.StoreException {
        boolean rehearsal = settings.redirectAllTo.isPresent();
        Notice notice = with(
                sending,
                Notice.State.DELIVERED,
                sending.attempts(),
                rehearsal ? "rehearsal, owner not told; " + detail : detail);
        List<FindingRow> told = new ArrayList<>();
        if (!rehearsal) {
            // as it is now: it may have gone on while the mail server answered
            finding(notice)
                    .map(row -> row.delivered(notice.aim().step(), true, notice.changedAt()))
                    .ifPresent(told::add);
        }
        store.saveFindings(told, List.of(notice));
        LOG.info(
                "notice delivered notice={} job={} to={}",
                notice.id(),
                notice.run().jobId(),
                notice.address().orElse(""));
    }

    private void withhold(Notice notice, String why, Tally tally) throws Store.StoreException {
        save(with(notice, Notice.State.WITHHELD, notice.attempts(), why));
        LOG.info(
                "notice withheld notice={} job={} why=\"{}\"",
                notice.id(),
                notice.run().jobId(),
                why);
        tally.withheld++;
    }

    private void postpone(Notice notice, int attempts, String why, Tally tally) throws Store.StoreException {
        save(with(notice, Notice.State.PLANNED, attempts, why));
        LOG.warn("notice postponed notice={} attempts={} why=\"{}\"", notice.id(), attempts, why);
        tally.postponed++;
    }

    private void save(Notice notice) throws Store.StoreException {
        store.saveFindings(List.of(), List.of(notice));
    }

    private Notice with(Notice notice, Notice.State state, int attempts, String detail) {
        return notice.with(state, attempts, detail, clock.instant());
    }

    private static Notice readdressed(Notice notice, String address) {
        return notice.in(notice.mail(), Optional.of(address));
    }

    /** Counts of one round. Confined to its caller. */
    private static final class Tally {
        int delivered;
        int refused;
        int withheld;
        int unconfirmed;
        int postponed;

        Round round() {
            return new Round(delivered, refused, withheld, unconfirmed, postponed);
        }
    }

    private Optional<FindingRow> finding(Notice notice) throws Store.StoreException {
        return store.findingsOf(notice.run().jobId()).stream()
                .filter(row -> row.run().equals(notice.run())
                        && row.rule().equals(notice.rule())
                        && row.since().equals(notice.since()))
                .findFirst();
    }
}
