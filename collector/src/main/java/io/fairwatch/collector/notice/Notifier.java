package io.fairwatch.collector.notice;

import io.fairwatch.collector.notice.DueNotices.Due;
import io.fairwatch.collector.notice.DueNotices.Look;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Notice.Channel;
import io.fairwatch.collector.store.Notice.State;
import io.fairwatch.collector.store.Notice.Topic;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.text.Plain;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sees each notice delivered at most once; what is due to one person goes out in one mail. Thread-safe; blocks, so it is called from a worker.
 *
 * <p>It reads findings and writes them back when a step was delivered. Whoever else writes findings must not do so between,
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
     * @param redirectAllTo all mails go there and nobody else gets any: for rehearsals; absent: people get theirs
     * @param mostPerDay most mails to one person within 24 hours; what exceeds it waits
     * @param retryFirst wait before the second attempt; doubled from one attempt to the next
     * @param retryMost longest wait between attempts
     * @param staleAfter nothing is sent while Slurm's newest answer is older than this
     * @param quiet when people are left in peace
     * @param bouncing what becomes of addresses from which mails come back
     */
    public record Settings(
            Mode mode,
            Optional<String> redirectAllTo,
            int mostPerDay,
            Duration retryFirst,
            Duration retryMost,
            Duration staleAfter,
            QuietTime quiet,
            Bouncing bouncing) {

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

        /** Whether nobody is told by mail whom it concerns. */
        boolean rehearses() {
            return mode == Mode.RECORD || redirectAllTo.isPresent();
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
     * What becomes of addresses from which mails come back. Immutable.
     *
     * @param stopAfter an address gets no more mails when so many came back
     * @param remember how long one counts
     */
    public record Bouncing(int stopAfter, Duration remember) {
        public static final Bouncing DEFAULTS = new Bouncing(2, Duration.ofDays(30));
    }

    /**
     * Who there is to be told. Immutable.
     *
     * @param directory how to write to users
     * @param staff addresses of support staff
     * @param coordinators user names of an account's coordinators
     * @param webhook the site's program; absent: none
     */
    public record Recipients(
            Directory directory,
            List<String> staff,
            Function<String, List<String>> coordinators,
            Optional<Webhook> webhook) {
        public Recipients {
            staff = List.copyOf(staff);
        }
    }

    /**
     * What one call of {@link #deliverDue} did, in notices.
     *
     * @param delivered taken by the mail server
     * @param refused never to be taken
     * @param withheld not sent on purpose
     * @param unconfirmed handed over without an answer
     * @param postponed failed for now
     * @param bounced taken by the mail server and come back later
     */
    public record Round(int delivered, int refused, int withheld, int unconfirmed, int postponed, int bounced) {
        static final Round NOTHING = new Round(0, 0, 0, 0, 0, 0);
    }

    /** People who are judged must not wait for letters to others. */
    private static final Duration LONGEST_ROUND = Duration.ofMinutes(1);

    /** Letters of which is asked together what they tell. */
    private static final int TOGETHER = 200;

    private final Store store;
    private final Outbox outbox;
    private final Recipients recipients;
    private final NoticePlanner planner;
    private final Returned returned;
    private final MatterSource matters;
    private final LetterWriter writer;
    private final Settings settings;
    private final InstantSource clock;
    private final ReentrantLock oneAtATime = new ReentrantLock();
    /** Guarded by the lock. */
    private final Set<Subject> toTell = new HashSet<>();
    /** What waits because not all of it is certain. Guarded by the lock. */
    private final Set<Envelope> held = new HashSet<>();

    /** Whether nothing is left of a rehearsal that went before. Guarded by the lock. */
    private boolean earnest;

    public Notifier(
            Store store,
            Outbox outbox,
            Recipients recipients,
            MatterSource matters,
            LetterWriter writer,
            Settings settings,
            InstantSource clock) {
        this.store = store;
        this.outbox = outbox;
        this.recipients = recipients;
        this.planner = new NoticePlanner(store, recipients, matters::windowOf, clock);
        this.returned = new Returned(store, planner, settings.bouncing, clock);
        this.matters = matters;
        this.writer = writer;
        this.settings = settings;
        this.clock = clock;
    }

    // ---- delivering

    /**
     * Marks what was being sent when a collector died: nobody knows whether it left, so it is not sent again. Called by
     * {@link #deliverDue}, too, for what an earlier call could not write down.
     *
     * @return how many notices
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
        List<Notice> lost = store.noticesIn(List.of(State.SENDING)).stream()
                .filter(notice -> notice.aim().channel() != Channel.SLURM)
                .map(notice -> changed(
                        notice,
                        State.UNCONFIRMED,
                        notice.attempts(),
                        (notice.isRehearsed() ? Notice.REHEARSAL : "") + "the collector stopped while sending it"))
                .toList();
        if (!lost.isEmpty()) {
            store.saveFindings(List.of(), lost);
            lost.forEach(notice -> LOG.warn(
                    "notice unconfirmed, not sent again notice={} about={} user={}",
                    notice.id(),
                    notice.subject(),
                    Plain.line(notice.user(), 80)));
        }
        return lost.size();
    }

    /**
     * When mails are switched on, what was rehearsed is no reason for a next step: its episodes end, and what goes on is found
     * anew, so that its owner is told first. Once in the life of a collector, for only its configuration switches them on.
     * Called by {@link #deliverDue}, too; whoever does something to jobs before calls it first.
     */
    public void endRehearsals() throws Store.StoreException {
        oneAtATime.lock();
        try {
            if (!earnest && !settings.rehearses()) {
                endRehearsed();
                earnest = true;
            }
        } finally {
            oneAtATime.unlock();
        }
    }

    private void endRehearsed() throws Store.StoreException {
        List<FindingRow> open = store.openFindings().stream()
                .filter(row -> row.progress().planned() > 0)
                .toList();
        Optional<Instant> first = open.stream().map(FindingRow::since).min(Comparator.naturalOrder());
        if (first.isPresent()) {
            // somewhat before, because the clock may have been set back
            List<Notice> all =
                    store.noticesIn(List.of(State.values()), first.get().minus(Duration.ofDays(1)));
            Set<List<Object>> rehearsed = all.stream()
                    .filter(Notice::isRehearsed) // news, too: staff did not hear who could not be told
                    .map(Notifier::episode)
                    .collect(Collectors.toSet());
            List<FindingRow> ended = open.stream()
                    .filter(row -> rehearsed.contains(List.<Object>of(row.subject(), row.rule(), row.since())))
                    .map(row -> row.resolved(clock.instant()))
                    .toList();
            if (!ended.isEmpty()) {
                // that the rehearsal's mail did not arrive concerns nobody: the real one comes
                List<Notice> unreachable = all.stream()
                        .filter(notice -> notice.state() == State.PLANNED
                                && notice.aim().topic() == Topic.UNREACHABLE
                                && rehearsed.contains(episode(notice)))
                        .map(notice ->
                                changed(notice, State.WITHHELD, notice.attempts(), Notice.REHEARSAL + notice.detail()))
                        .toList();
                store.saveFindings(ended, unreachable);
                LOG.info("mails are switched on, what was rehearsed begins anew episodes={}", ended.size());
            }
        }
    }

    private static List<Object> episode(Notice notice) {
        return List.of(notice.subject(), notice.rule(), notice.since());
    }

    /** A mail to be: everything of one topic for one recipient. */
    private record Envelope(Channel channel, Topic topic, String recipient, String about) {
        static Envelope of(Notice notice) {
            // news are about one thing each, a digest is about all
            return new Envelope(
                    notice.aim().channel(),
                    DueNotices.isNews(notice) ? notice.aim().topic() : Topic.FINDING,
                    notice.aim().recipient(),
                    DueNotices.isNews(notice) ? notice.id() : "");
        }
    }

    /**
     * Deals with every notice that is due: the person with the oldest first, all that is due to one in one mail. After a
     * minute no more is begun, and the rest waits for the next call. While one call runs, another does nothing.
     *
     * @param certain whether what a notice is about was just seen to be so; of other runs nobody is told that something was
     *     found, and {@link #toTell} names them for the next judging
     *
     * @throws Store.StoreException if the store fails; what was not written down was not sent, or is never sent again
     */
    public Round deliverDue(Predicate<Notice> certain) throws Store.StoreException {
        if (!oneAtATime.tryLock()) {
            return Round.NOTHING;
        }
        try {
            toTell.clear();
            Set<Envelope> heldBefore = Set.copyOf(held);
            held.clear();
            Instant until = clock.instant().plus(LONGEST_ROUND);
            Tally tally = new Tally();
            tally.unconfirmed += markLost();
            endRehearsals();
            tally.bounced += returned.take();
            Map<Envelope, List<Due>> mails = new LinkedHashMap<>();
            Set<Envelope> due = new HashSet<>();
            DueNotices round = new DueNotices(store, settings.staleAfter, clock);
            for (Notice notice : store.noticesIn(List.of(State.PLANNED))) {
                boolean isDue = isDue(notice);
                // a program is called for each by itself
                if (notice.aim().channel() == Channel.SLURM
                        || (!isDue && notice.aim().channel() == Channel.WEBHOOK)) {
                    continue;
                }
                Look look = round.look(notice);
                if (look instanceof Look.Now now) {
                    mails.computeIfAbsent(Envelope.of(notice), one -> new ArrayList<>())
                            .add(now.due());
                    if (isDue) {
                        due.add(Envelope.of(notice));
                    }
                } else if (look instanceof Look.Never never) {
                    withhold(List.of(notice), never.why(), tally);
                }
            }
            mails.keySet().retainAll(due); // with the first that is due go those that were put off
            Map<String, Integer> sentToday = mails.isEmpty() ? new HashMap<>() : sentToday();
            send(mails, new Sending(certain, heldBefore, until, sentToday, tally));
            return tally.round();
        } finally {
            oneAtATime.unlock();
        }
    }

    /**
     * One round. Confined to it.
     *
     * @param certain what may be told
     * @param heldBefore what waited in the round before because not all of it was certain
     * @param until nothing more is begun then
     * @param sentToday mails to each recipient within the last day
     */
    private record Sending(
            Predicate<Notice> certain,
            Set<Envelope> heldBefore,
            Instant until,
            Map<String, Integer> sentToday,
            Tally tally) {
        boolean isCertain(Due due) {
            return due.run().isEmpty() || DueNotices.isNews(due.notice()) || certain.test(due.notice());
        }
    }

    /**
     * Letters of one recipient and topic each, in this order, some at a time so that what they tell is asked together; at last
     * the site's program, for which no mail waits.
     */
    private void send(Map<Envelope, List<Due>> mails, Sending round) throws Store.StoreException {
        List<Addressed> next = new ArrayList<>();
        List<Due> calls = new ArrayList<>();
        int late = 0;
        boolean going = true;
        for (Map.Entry<Envelope, List<Due>> mail : mails.entrySet()) {
            if (mail.getKey().channel() == Channel.WEBHOOK) {
                calls.addAll(mail.getValue());
                continue;
            }
            going = going && !isOver(round.until);
            if (going) {
                address(mail.getKey(), mail.getValue(), round).ifPresent(next::add);
                if (next.size() == TOGETHER) {
                    going = deliver(next, round);
                    next.clear();
                }
            } else {
                if (late++ < TOGETHER && !settings.quiet.isQuiet(clock.instant())) {
                    name(mail.getValue()); // about as many as will come next
                }
                if (round.heldBefore.contains(mail.getKey())) {
                    held.add(mail.getKey());
                }
            }
        }
        if (!Thread.currentThread().isInterrupted()) { // what is begun while the collector ends may stay unconfirmed
            deliver(next, round); // those who were addressed, though that took long
            callWebhook(calls, round);
        }
    }

    /**
     * What may be told now. If that is not all, all of it waits for one round, to go out together; then what can be told
     * does not wait for the rest.
     */
    private List<Due> tellable(Envelope envelope, List<Due> due, Sending round) {
        List<Due> certain = due.stream().filter(round::isCertain).toList();
        if (certain.size() == due.size()) {
            return due;
        }
        name(due);
        held.add(envelope);
        return round.heldBefore.contains(envelope) ? certain : List.of();
    }

    /** For the next judging. */
    private void name(List<Due> due) {
        due.stream()
                .filter(one -> one.run().isPresent() && !DueNotices.isNews(one.notice()))
                .forEach(one -> toTell.add(one.notice().subject()));
    }

    /** Of which runs people would have been told if it had been certain: to be judged next. */
    public Set<Subject> toTell() {
        oneAtATime.lock();
        try {
            return Set.copyOf(toTell);
        } finally {
            oneAtATime.unlock();
        }
    }

    /** Whether the rest must wait for the next round: what was found may be over by then, and is looked at again. */
    private boolean isOver(Instant until) {
        return Thread.currentThread().isInterrupted() || clock.instant().isAfter(until);
    }

    /** Whether staff hear nothing because mails to them come back; all may read it, so it names nobody. */
    public List<String> troubles() throws Store.StoreException {
        for (String address : recipients.staff) {
            if (returned.why(settings.redirectAllTo.orElse(address)).isPresent()) {
                return List.of("Staff get no mails, because mails to them came back: see fairwatch bounces.");
            }
        }
        return List.of();
    }

    private boolean isDue(Notice notice) {
        Instant now = clock.instant();
        return notice.attempts() == 0
                || notice.changedAt().isAfter(now) // a clock that was set back makes nobody wait for what it lost
                || !now.isBefore(notice.changedAt().plus(settings.waitAfter(notice.attempts())));
    }

    /** Mails to each address within the last 24 hours. */
    private Map<String, Integer> sentToday() throws Store.StoreException {
        Map<String, Set<String>> mails = new HashMap<>();
        List<State> counting = settings.mode == Mode.RECORD
                ? List.of(State.DELIVERED, State.UNCONFIRMED, State.WITHHELD)
                : List.of(State.DELIVERED, State.UNCONFIRMED);
        for (Notice notice : store.noticesIn(counting, clock.instant().minus(Duration.ofDays(1)))) {
            if (settings.rehearses() || !notice.isRehearsed()) { // what went elsewhere filled nobody's letter box
                notice.mail()
                        .ifPresent(mail -> mails.computeIfAbsent(notice.aim().recipient(), one -> new HashSet<>())
                                .add(mail));
            }
        }
        Map<String, Integer> count = new HashMap<>();
        mails.forEach((recipient, ids) -> count.put(recipient, ids.size()));
        return count;
    }

    /** What one person is told now, and how to reach them. */
    private record Addressed(Envelope envelope, Person person, List<Due> due) {}

    /** Empty: nothing is told now, and what became of it is written down. */
    private Optional<Addressed> address(Envelope envelope, List<Due> all, Sending round) throws Store.StoreException {
        Instant now = clock.instant();
        boolean news = envelope.topic() != Topic.FINDING;
        if (!news && settings.quiet.isQuiet(now)) {
            return Optional.empty();
        }
        Directory.Answer answer = envelope.channel() == Channel.STAFF
                ? new Directory.Answer.Found(Person.at(envelope.recipient()))
                : recipients.directory.of(envelope.recipient());
        if (answer instanceof Directory.Answer.Away away) {
            postpone(notices(all), away.why(), round.tally);
            return Optional.empty();
        }
        if (answer instanceof Directory.Answer.None none) {
            refuse(notices(tellable(envelope, all, round)), none.why(), round.tally);
            return Optional.empty();
        }
        Person person = ((Directory.Answer.Found) answer).person();
        boolean weekly = settings.quiet.isWeeklyDay(now);
        List<Due> wanted = all.stream()
                .filter(one -> news || weekly || !(person.weekly() || matters.isWeekly(one.finding(), one.run())))
                // while the rule does not allow it there is nothing to announce, and it may allow it again
                .filter(one -> one.notice().aim().topic() != Topic.ANNOUNCED
                        || matters.next(one.finding(), one.run(), now).isPresent())
                .toList();
        Optional<String> dead = returned.why(settings.redirectAllTo.orElse(person.address()));
        if (dead.isEmpty() && hadEnough(envelope, round)) {
            return Optional.empty();
        }
        List<Due> due = tellable(envelope, wanted, round);
        if (dead.isPresent()) {
            refuse(notices(due), dead.get(), round.tally);
            return Optional.empty();
        }
        return due.isEmpty() ? Optional.empty() : Optional.of(new Addressed(envelope, person, due));
    }

    /** Whether it waits for tomorrow. */
    private boolean hadEnough(Envelope envelope, Sending round) {
        return envelope.topic() == Topic.FINDING
                && round.sentToday.getOrDefault(envelope.recipient(), 0) >= settings.mostPerDay;
    }

    /** Writes letters and sends them; false: the others would fare no better now. */
    private boolean deliver(List<Addressed> letters, Sending round) throws Store.StoreException {
        if (letters.isEmpty()) {
            return true;
        }
        Instant now = clock.instant();
        List<MatterSource.Found> found;
        try {
            found = matters.of(letters.stream().map(Notifier::wanted).toList(), now);
        } catch (Store.StoreException | RuntimeException broken) {
            if (letters.size() > 1) { // one of them; the others are written all the same
                return deliverOneByOne(letters, round);
            }
            unwritten(letters.get(0), broken, round.tally); // which fails, too, if all of the store does
            return true;
        }
        Instant until = clock.instant().plus(LONGEST_ROUND); // what was read is sent, however long that took
        for (int i = 0; i < letters.size(); i++) {
            Addressed one = letters.get(i);
            if (isOver(until)) {
                letters.subList(i, letters.size()).forEach(late -> name(late.due));
                return false;
            }
            if (hadEnough(one.envelope, round)) { // one before told them enough
                continue;
            }
            Written written;
            try {
                written = letter(one, found.get(i), now);
            } catch (RuntimeException broken) {
                unwritten(one, broken, round.tally);
                continue;
            }
            if (settings.mode == Mode.RECORD) {
                rehearse(written.due(), Optional.of(one.person.address()), round.tally);
                round.sentToday.merge(one.envelope.recipient(), 1, Integer::sum);
            } else if (!handOver(one, written, round)) {
                return false;
            }
        }
        return true;
    }

    private boolean deliverOneByOne(List<Addressed> letters, Sending round) throws Store.StoreException {
        Instant until = clock.instant().plus(LONGEST_ROUND);
        for (int i = 0; i < letters.size(); i++) {
            if (i > 0 && isOver(until)) {
                letters.subList(i, letters.size()).forEach(late -> name(late.due));
                return false;
            }
            if (!deliver(List.of(letters.get(i)), round)) {
                return false;
            }
        }
        return true;
    }

    private void unwritten(Addressed one, Exception broken, Tally tally) throws Store.StoreException {
        LOG.error("letter could not be written about={}", subjects(one.due), broken);
        postpone(notices(one.due), "the letter could not be written: " + broken, tally);
    }

    private static MatterSource.Wanted wanted(Addressed one) {
        Map<RunKey, List<FindingRow>> byRun = new LinkedHashMap<>();
        Map<RunKey, Run> runs = new LinkedHashMap<>();
        for (Due due : one.due) {
            due.run().ifPresent(run -> {
                byRun.computeIfAbsent(run.key(), key -> new ArrayList<>()).add(due.finding());
                runs.put(run.key(), run);
            });
        }
        return new MatterSource.Wanted(runs.values(), byRun);
    }

    /** A letter, and what it is about with what it says will be done. */
    private record Written(Letter letter, List<Due> due) {}

    private Written letter(Addressed one, MatterSource.Found found, Instant now) {
        Envelope envelope = one.envelope;
        Notice first = one.due.get(0).notice();
        Optional<LetterWriter.News> news =
                switch (envelope.topic()) {
                    case FINDING, ANNOUNCED -> Optional.empty();
                    case PROPOSED -> Optional.of(new LetterWriter.News.Proposed(first.detail()));
                    case UNREACHABLE -> Optional.of(new LetterWriter.News.Unreachable(first.detail()));
                    case DONE -> Optional.of(new LetterWriter.News.Done(first.detail(), first.createdAt()));
                    case ANSWERED -> Optional.of(new LetterWriter.News.Answered(first.detail()));
                };
        LetterWriter.Order order = new LetterWriter.Order(
                switch (envelope.channel()) {
                    case OWNER -> LetterWriter.Audience.OWNER;
                    case COORDINATOR -> LetterWriter.Audience.COORDINATOR;
                    case STAFF, WEBHOOK, SLURM -> LetterWriter.Audience.STAFF;
                },
                one.person,
                envelope.recipient(),
                found.matters(),
                one.due.stream()
                        .filter(due -> due.run().isEmpty())
                        .map(due -> matters.other(due.finding(), now))
                        .toList(),
                news,
                found.simulated(),
                now);
        Set<Subject> told = writer.told(order);
        boolean announces = envelope.channel() == Channel.OWNER && news.isEmpty() && settings.redirectAllTo.isEmpty();
        return new Written(
                writer.write(order),
                one.due.stream()
                        .map(due -> announces && told.contains(due.notice().subject()) ? announcing(due, now) : due)
                        .toList());
    }

    private Due announcing(Due one, Instant now) {
        return new Due(
                one.notice()
                        .announcing(matters.next(one.finding(), one.run(), now)
                                .map(next -> new Notice.Announced(next.deed(), next.notBefore()))),
                one.run(),
                one.finding());
    }

    private boolean handOver(Addressed one, Written written, Sending round) throws Store.StoreException {
        String address = one.person.address();
        String to = settings.redirectAllTo.orElse(address);
        String mail = mailOf(written.due);
        List<Notice> going = notices(written.due).stream()
                .map(notice -> notice.in(Optional.of(mail), Optional.of(to)))
                .toList();
        List<Notice> sending = going.stream()
                .map(notice ->
                        changed(notice, State.SENDING, notice.attempts() + 1, rehearsed(notice) + notice.detail()))
                .toList();
        // from here on it is never sent a second time, whatever dies
        store.saveFindings(List.of(), sending);
        Letter letter = written.letter;
        Outbox.Outcome outcome = outbox.send(new Outbox.Mail(
                mail, to, clock.instant(), settings.redirectAllTo.isPresent() ? letter.rehearsedFor(address) : letter));
        if (outcome instanceof Outbox.Outcome.Delivered) {
            delivered(sending, outcome.detail());
            round.sentToday.merge(one.envelope.recipient(), 1, Integer::sum);
            round.tally.delivered += sending.size();
        } else if (outcome instanceof Outbox.Outcome.Refused) {
            refuse(sending, outcome.detail(), round.tally);
        } else if (outcome instanceof Outbox.Outcome.Unknown) {
            unconfirmed(sending, outcome.detail(), round.tally);
            round.sentToday.merge(one.envelope.recipient(), 1, Integer::sum);
            return false; // a server that is too slow for one is too slow for all, and each would lose its only mail
        } else if (outcome instanceof Outbox.Outcome.TryAgain again) {
            postpone(going, again.detail(), round.tally);
            if (again.everybody()) {
                LOG.error("mails cannot be sent now why=\"{}\"", again.detail());
                return false;
            }
        }
        return !Thread.currentThread().isInterrupted();
    }

    private static String mailOf(List<Due> due) {
        return NoticePlanner.digest(
                due.stream().map(one -> one.notice().id()).sorted().toList());
    }

    /**
     * Mails are switched off: what would have gone out is kept as withheld, and the ladder goes on as if it had. The finding is
     * not marked as told, and no deed follows a warning that was only rehearsed.
     */
    private void rehearse(List<Due> due, Optional<String> address, Tally tally) throws Store.StoreException {
        Optional<String> mail = address.map(to -> mailOf(due));
        List<Notice> notices = new ArrayList<>();
        List<FindingRow> findings = new ArrayList<>();
        for (Due one : due) {
            Notice notice = one.notice();
            notices.add(changed(
                    notice.in(mail, address),
                    State.WITHHELD,
                    notice.attempts(),
                    Notice.REHEARSAL + "nobody told: mails are switched off"));
            if (notice.aim().topic() == Topic.FINDING) {
                findings.add(one.finding().delivered(notice.aim().step(), false, clock.instant()));
            }
        }
        store.saveFindings(findings, notices);
        notices.forEach(notice -> LOG.info(
                "notice rehearsed notice={} about={} rule={} step={} to={}",
                notice.id(),
                notice.subject(),
                notice.rule(),
                notice.aim().step(),
                notice.address().orElse(notice.aim().recipient())));
        tally.withheld += notices.size();
    }

    private void callWebhook(List<Due> all, Sending round) throws Store.StoreException {
        if (recipients.webhook.isEmpty()) {
            withhold(notices(all), "there is no webhook any more", round.tally);
            return;
        }
        Tally tally = round.tally;
        List<Due> due = all.stream().filter(round::isCertain).toList();
        name(all.stream().filter(one -> !round.isCertain(one)).toList());
        if (settings.mode == Mode.RECORD) {
            rehearse(due, Optional.empty(), tally);
            return;
        }
        Instant until = clock.instant().plus(LONGEST_ROUND);
        for (int i = 0; i < due.size(); i++) {
            Due one = due.get(i);
            if (Thread.currentThread().isInterrupted() || (i > 0 && isOver(until))) {
                name(due.subList(i, due.size()));
                return;
            }
            List<Notice> sending = List.of(changed(
                    one.notice(),
                    State.SENDING,
                    one.notice().attempts() + 1,
                    one.notice().detail()));
            store.saveFindings(List.of(), sending);
            Outbox.Outcome outcome = recipients.webhook.get().send(one.notice(), one.run(), one.finding());
            if (outcome instanceof Outbox.Outcome.Delivered) {
                delivered(sending, outcome.detail());
                tally.delivered++;
            } else if (outcome instanceof Outbox.Outcome.Refused) {
                refuse(sending, outcome.detail(), tally);
            } else if (outcome instanceof Outbox.Outcome.Unknown) {
                unconfirmed(sending, outcome.detail(), tally);
                return;
            } else {
                postponeAfter(sending, outcome.detail(), tally);
                return;
            }
        }
    }

    private void delivered(List<Notice> sending, String detail) throws Store.StoreException {
        boolean rehearsal = isRehearsal(sending.get(0));
        List<Notice> notices = new ArrayList<>();
        List<FindingRow> findings = new ArrayList<>();
        for (Notice one : sending) {
            Notice notice = changed(
                    one,
                    State.DELIVERED,
                    one.attempts(),
                    rehearsal ? Notice.REHEARSAL + "nobody told; " + detail : detail);
            notices.add(notice);
            if (notice.aim().topic() == Topic.FINDING) {
                // as it is now: it may have gone on while the mail server answered
                finding(notice)
                        .map(row -> row.delivered(
                                notice.aim().step(),
                                !rehearsal && notice.aim().channel() == Channel.OWNER,
                                notice.changedAt()))
                        .ifPresent(findings::add);
            }
        }
        store.saveFindings(findings, notices);
        notices.forEach(notice -> LOG.info(
                "notice delivered notice={} about={} rule={} step={} to={}",
                notice.id(),
                notice.subject(),
                notice.rule(),
                notice.aim().step(),
                notice.address().orElse(notice.aim().recipient())));
    }

    /** Whether nobody whom it concerns could hear of it; a program of the site is called in its own right. */
    private boolean isRehearsal(Notice notice) {
        return settings.rehearses() && notice.aim().channel() != Channel.WEBHOOK;
    }

    private String rehearsed(Notice notice) {
        return isRehearsal(notice) ? Notice.REHEARSAL : "";
    }

    private void refuse(List<Notice> notices, String why, Tally tally) throws Store.StoreException {
        List<Notice> saved = new ArrayList<>();
        for (Notice notice : notices) {
            saved.add(changed(notice, State.REFUSED, notice.attempts(), rehearsed(notice) + why));
            // the ladder stands still, so somebody must hear of it
            if (notice.aim().channel() == Channel.OWNER && isAboutJob(notice)) {
                finding(notice)
                        .map(row -> planner.news(
                                row,
                                notice.aim().step(),
                                Topic.UNREACHABLE,
                                List.of(Channel.STAFF),
                                Plain.line(why, 300)))
                        .ifPresent(saved::addAll);
            }
        }
        store.saveFindings(List.of(), saved);
        notices.forEach(notice -> LOG.warn(
                "notice refused notice={} about={} user={} why=\"{}\"",
                notice.id(),
                notice.subject(),
                Plain.line(notice.aim().recipient(), 80),
                why));
        tally.refused += notices.size();
    }

    private static boolean isAboutJob(Notice notice) {
        return notice.subject() instanceof RunKey || notice.subject() instanceof Subject.Waiting;
    }

    private void unconfirmed(List<Notice> notices, String why, Tally tally) throws Store.StoreException {
        save(notices, State.UNCONFIRMED, 0, rehearsed(notices.get(0)) + why);
        notices.forEach(notice -> LOG.warn(
                "notice unconfirmed, not sent again notice={} about={} why=\"{}\"",
                notice.id(),
                notice.subject(),
                why));
        tally.unconfirmed += notices.size();
    }

    private void withhold(List<Notice> notices, String why, Tally tally) throws Store.StoreException {
        save(notices, State.WITHHELD, 0, why);
        notices.forEach(notice ->
                LOG.info("notice withheld notice={} about={} why=\"{}\"", notice.id(), notice.subject(), why));
        tally.withheld += notices.size();
    }

    /** Something before the mail server failed: that counts as an attempt, so that it is tried ever less often. */
    private void postpone(List<Notice> notices, String why, Tally tally) throws Store.StoreException {
        again(notices, 1, why, tally);
    }

    /** The attempt was counted when it began. */
    private void postponeAfter(List<Notice> sending, String why, Tally tally) throws Store.StoreException {
        again(sending, 0, why, tally);
    }

    private void again(List<Notice> notices, int more, String why, Tally tally) throws Store.StoreException {
        save(notices, State.PLANNED, more, why);
        notices.forEach(notice -> LOG.warn(
                "notice postponed notice={} attempts={} why=\"{}\"", notice.id(), notice.attempts() + more, why));
        tally.postponed += notices.size();
    }

    private void save(List<Notice> notices, State state, int moreAttempts, String why) throws Store.StoreException {
        store.saveFindings(
                List.of(),
                notices.stream()
                        .map(notice -> changed(
                                notice,
                                state,
                                notice.attempts() + moreAttempts,
                                // what news are about is kept until they are told
                                state == State.PLANNED && notice.aim().topic() != Topic.FINDING
                                        ? notice.detail()
                                        : why))
                        .toList());
    }

    private Notice changed(Notice notice, State state, int attempts, String detail) {
        return notice.with(state, attempts, detail, clock.instant());
    }

    private static List<Notice> notices(List<Due> due) {
        return due.stream().map(Due::notice).toList();
    }

    private static List<Subject> subjects(List<Due> due) {
        return due.stream().map(one -> one.notice().subject()).distinct().toList();
    }

    private Optional<FindingRow> finding(Notice notice) throws Store.StoreException {
        return store.finding(notice.subject(), notice.rule(), notice.since());
    }

    /** Counts of one round. Confined to its caller. */
    private static final class Tally {
        int delivered;
        int refused;
        int withheld;
        int unconfirmed;
        int postponed;
        int bounced;

        Round round() {
            return new Round(delivered, refused, withheld, unconfirmed, postponed, bounced);
        }
    }
}
