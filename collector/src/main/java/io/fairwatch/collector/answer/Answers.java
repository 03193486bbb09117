package io.fairwatch.collector.answer;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairwatch.collector.answer.AnswerLinks.Claim;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.AuditEntry.Outcome;
import io.fairwatch.collector.store.Exemption;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Notice.Channel;
import io.fairwatch.collector.store.Notice.Topic;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;

/** Keeps what people say, with a record of it. Thread-safe; blocks. */
public final class Answers {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int LONGEST_REASON = 500;
    private static final int MOST_AUDIT = 1000;
    private static final String NEEDED = "needed until";

    /** What nothing comes of any more. */
    private static final Set<Notice.State> GIVEN_UP = Set.of(Notice.State.WITHHELD, Notice.State.REFUSED);

    private final Store store;
    private final Teller teller;
    private final Settings settings;
    private final InstantSource clock;

    /**
     * What can be answered. Immutable.
     *
     * @param longest longest time for which an owner can say that a job is needed
     * @param mostTimes how often, for one run
     * @param stop what comes of "it may be ended"
     * @param enforcement what the configuration says of enforcement, in sentences
     */
    public record Settings(Duration longest, int mostTimes, Stop stop, List<String> enforcement) {
        public Settings {
            enforcement = List.copyOf(enforcement);
        }
    }

    /** Makes notices, see {@code Notifier#news}. */
    @FunctionalInterface
    public interface Teller {
        List<Notice> news(FindingRow finding, int step, Topic topic, List<Channel> channels, String what);
    }

    public Answers(Store store, Teller teller, Settings settings, InstantSource clock) {
        this.store = store;
        this.teller = teller;
        this.settings = settings;
        this.clock = clock;
    }

    /** What comes of "it may be ended". */
    public enum Stop {
        /** It cannot be said of this. */
        NOT_ASKED,
        /** Staff are told. */
        STAFF,
        /** The job is ended. */
        ENDS
    }

    /**
     * What a claim is about, as it stands. Immutable.
     *
     * @param subject a run, a waiting job or a user, as the store has it
     * @param job as Slurm's commands take it; empty for a user
     * @param name name of the job; empty for a user
     * @param open whether there is still something to answer
     * @param stop what comes of "it may be ended"
     * @param times how often the owner may still say that it is needed
     * @param until until when it is excused for now; absent: it is not
     */
    record Case(
            Subject subject,
            String job,
            String name,
            FindingRow finding,
            boolean open,
            Stop stop,
            int times,
            Optional<Instant> until) {}

    /** What a claim is about, before its finding is looked at. */
    private record About(
            Subject subject, String job, String name, String user, String account, boolean there, Stop stop) {}

    /** What a claim is about; empty if the store does not know it, or not any more. */
    Optional<Case> look(Claim claim) throws StoreException {
        Optional<About> found = about(claim).filter(one -> one.user().equals(claim.user()));
        if (found.isEmpty()) {
            return Optional.empty();
        }
        About about = found.get();
        Optional<FindingRow> finding = finding(about, claim);
        if (finding.isEmpty()) {
            return Optional.empty();
        }
        Instant now = clock.instant();
        return Optional.of(new Case(
                about.subject(),
                about.job(),
                about.name(),
                finding.get(),
                about.there() && finding.get().state() != FindingRow.State.RESOLVED,
                about.stop(),
                (int) Math.max(0, settings.mostTimes - timesSaid(about.subject(), claim)),
                store.exemptions(now).stream()
                        .filter(one -> one.covers(about.subject(), claim.user(), about.account(), claim.rule()))
                        .flatMap(one -> one.until().stream())
                        .max(Instant::compareTo)));
    }

    private Optional<About> about(Claim claim) throws StoreException {
        Stop stop = settings.stop;
        if (claim.subject() instanceof RunKey key) {
            return store.runsOf(key.jobId()).stream()
                    .filter(run -> sameRun(run.key(), key))
                    .findFirst()
                    .map(run -> new About(
                            run.key(),
                            run.displayId(),
                            run.name(),
                            run.owner().user(),
                            run.owner().account(),
                            run.end().isEmpty(),
                            stop));
        }
        if (claim.subject() instanceof Subject.Waiting waits) {
            return waiting(waits.jobId())
                    .filter(job -> job.cluster().equals(waits.cluster())
                            && job.submit().getEpochSecond() == waits.submit().getEpochSecond())
                    .map(job -> new About(
                            new Subject.Waiting(job.cluster(), job.jobId(), job.submit()),
                            job.displayId().replaceFirst("%\\d+]$", "]"), // as scancel takes it
                            job.name(),
                            job.owner().user(),
                            job.owner().account(),
                            true,
                            job.isRestOfArray() && stop == Stop.ENDS ? Stop.STAFF : stop));
        }
        return claim.subject() instanceof Subject.Person person
                ? Optional.of(new About(person, "", "", person.user(), "", true, Stop.NOT_ASKED))
                : Optional.empty();
    }

    private Optional<FindingRow> finding(About about, Claim claim) throws StoreException {
        return about.subject() instanceof RunKey run
                ? store.findingsOf(run.jobId()).stream()
                        .filter(row -> sameRun(row.run(), run)
                                && row.rule().equals(claim.rule())
                                && row.since().toEpochMilli() == claim.since().toEpochMilli())
                        .findFirst()
                : store.finding(about.subject(), claim.rule(), claim.since());
    }

    /** How often it was said that it is needed: of a run, of a waiting job, of an episode of a user. */
    private long timesSaid(Subject subject, Claim claim) throws StoreException {
        OptionalLong job = jobOf(subject);
        return store
                .audit(new Store.AuditFilter(
                        job.isPresent() ? Optional.of(job.getAsLong()) : Optional.empty(),
                        job.isPresent() ? Optional.empty() : Optional.of(claim.user()),
                        Optional.empty(),
                        MOST_AUDIT))
                .stream()
                .filter(entry -> entry.what().equals(NEEDED) && isAbout(entry, subject, claim))
                .count();
    }

    private static boolean isAbout(AuditEntry entry, Subject subject, Claim claim) {
        if (subject instanceof RunKey run) {
            return entry.run().filter(key -> sameRun(key, run)).isPresent();
        }
        return entry.run().isEmpty()
                && (subject instanceof Subject.Waiting waits
                        ? !entry.at().isBefore(waits.submit()) // of another job that had this number before
                        : entry.job().isEmpty()
                                && entry.rule().equals(Optional.of(claim.rule()))
                                && entry.inputs().contains(claim.since().toString()));
    }

    private static boolean sameRun(RunKey one, RunKey other) {
        return one.cluster().equals(other.cluster())
                && one.jobId() == other.jobId()
                && one.start().getEpochSecond() == other.start().getEpochSecond();
    }

    private static OptionalLong jobOf(Subject subject) {
        return subject instanceof RunKey run
                ? OptionalLong.of(run.jobId())
                : subject instanceof Subject.Waiting job ? OptionalLong.of(job.jobId()) : OptionalLong.empty();
    }

    private static Optional<RunKey> runOf(Subject subject) {
        return subject instanceof RunKey run ? Optional.of(run) : Optional.empty();
    }

    /** What an answer excuses: of a run or a waiting job whatever rule finds it, of a user only what the mail was about. */
    private static Exemption excuse(String what, Subject subject, Claim claim, Instant now, Instant until, String why) {
        String value = subject instanceof RunKey run
                ? Exemption.valueOf(run)
                : subject instanceof Subject.Waiting job ? Exemption.valueOf(job) : claim.user();
        return new Exemption(
                id(what, subject, claim, value),
                subject instanceof RunKey
                        ? Exemption.Scope.RUN
                        : subject instanceof Subject.Waiting ? Exemption.Scope.WAITING : Exemption.Scope.USER,
                value,
                subject instanceof Subject.Person ? Optional.of(claim.rule()) : Optional.empty(),
                now,
                Optional.of(until),
                "owner " + claim.user(),
                why);
    }

    /** The same for the same, and fit for an address. */
    private static String id(String what, Subject subject, Claim claim, String value) {
        if (subject instanceof Subject.Person) {
            // names that differ in a dot only are two persons
            return what.replace(' ', '-') + "-"
                    + UUID.nameUUIDFromBytes((value + "\n" + claim.rule()).getBytes(StandardCharsets.UTF_8));
        }
        return (what + (subject instanceof Subject.Waiting ? "-waiting-" : "-") + value)
                .replaceAll("[^A-Za-z0-9]", "-");
    }

    /**
     * The owner needs it as it is.
     *
     * @param length how long; no longer than allowed
     * @return until when; empty if it cannot be said any more
     */
    synchronized Optional<Instant> need(Claim claim, Duration length, String reason) throws StoreException {
        Optional<Case> about = look(claim).filter(one -> one.open() && one.times() > 0);
        if (about.isEmpty() || length.isNegative() || length.isZero()) {
            return Optional.empty();
        }
        Instant now = clock.instant();
        Instant until = now.plus(length.compareTo(settings.longest) < 0 ? length : settings.longest);
        String why = Plain.line(reason, LONGEST_REASON);
        ObjectNode inputs = inputs(claim);
        inputs.put("until", until.toString());
        Subject subject = about.get().subject();
        store.saveDecisions(new Store.Decisions(
                List.of(),
                List.of(),
                // who needs the job needs it whatever rule found it
                List.of(excuse("owner", subject, claim, now, until, why)),
                List.of(entry(
                        "owner " + claim.user(),
                        NEEDED,
                        Outcome.NOTED,
                        runOf(subject),
                        Optional.of(claim.rule()),
                        claim.user(),
                        why,
                        inputs,
                        jobOf(subject)))));
        return Optional.of(until);
    }

    /**
     * The owner says that the job may be ended: it will be, or staff are told.
     *
     * @return what comes of it; empty: there is nothing to end any more
     */
    synchronized Optional<Stop> stop(Claim claim, String answer) throws StoreException {
        Optional<Case> about = look(claim).filter(one -> one.open() && one.stop() != Stop.NOT_ASKED);
        if (about.isPresent()) {
            keepAnswer(about.get(), claim, AuditEntry.STOP, answer, about.get().stop() == Stop.ENDS);
        }
        return about.map(Case::stop);
    }

    /**
     * The person who got the mail says that it is not theirs: staff are told, and nothing comes of it meanwhile.
     *
     * @return false: it is over
     */
    synchronized boolean notMine(Claim claim, String answer) throws StoreException {
        Optional<Case> about = look(claim).filter(Case::open);
        if (about.isPresent()) {
            keepAnswer(about.get(), claim, "not mine", answer, false);
        }
        return about.isPresent();
    }

    private void keepAnswer(Case about, Claim claim, String what, String answer, boolean act) throws StoreException {
        Instant now = clock.instant();
        FindingRow finding = about.finding();
        Subject subject = about.subject();
        int step = finding.progress().planned();
        List<Notice> notices = new ArrayList<>();
        if (act) {
            notices.add(new Notice(
                    "stop "
                            + (subject instanceof Subject.Waiting job
                                    ? "waiting " + Exemption.valueOf(job)
                                    : Exemption.valueOf((RunKey) subject)),
                    subject,
                    finding.rule(),
                    finding.since(),
                    new Notice.Aim(step, Channel.SLURM, Topic.ANSWERED, "cancel"),
                    finding.user(),
                    Optional.empty(),
                    Notice.State.PLANNED,
                    Optional.empty(),
                    now,
                    now,
                    0,
                    ""));
        } else {
            notices.addAll(teller.news(finding, step, Topic.ANSWERED, List.of(Channel.STAFF), answer));
        }
        Set<String> known = (jobOf(subject).isPresent()
                        ? store.noticesOf(jobOf(subject).getAsLong())
                        : store.noticesIn(
                                List.of(Notice.State.values()), finding.since().minusMillis(1)))
                .stream()
                        .filter(one -> !act || !GIVEN_UP.contains(one.state())) // asked again, it is tried again
                        .map(Notice::id)
                        .collect(Collectors.toSet());
        store.saveDecisions(new Store.Decisions(
                List.of(),
                notices.stream().filter(one -> !known.contains(one.id())).toList(),
                act ? List.of() : List.of(excuse(what, subject, claim, now, now.plus(settings.longest), what)),
                List.of(entry(
                        "owner " + claim.user(),
                        what,
                        Outcome.NOTED,
                        runOf(subject),
                        Optional.of(claim.rule()),
                        claim.user(),
                        act ? "the job is to be ended" : "staff are told",
                        inputs(claim),
                        jobOf(subject)))));
    }

    // ---- staff

    /** Staff excuse somebody or something. */
    Exemption exempt(
            Exemption.Scope scope,
            String value,
            Optional<String> rule,
            Optional<Instant> until,
            String by,
            String reason)
            throws StoreException {
        Exemption exemption = new Exemption(
                UUID.randomUUID().toString().substring(0, 8),
                scope,
                value,
                rule,
                clock.instant(),
                until,
                "staff " + by,
                Plain.line(reason, LONGEST_REASON));
        ObjectNode inputs = JSON.createObjectNode();
        inputs.put("exemption", exemption.id());
        inputs.put("scope", scope.name());
        inputs.put("value", value);
        until.ifPresent(end -> inputs.put("until", end.toString()));
        keepSaid(exemption, "exempt", by, reason, inputs);
        return exemption;
    }

    /** Staff end an exemption, whoever began it; empty if there is none of that id. */
    Optional<Exemption> end(String id, String by) throws StoreException {
        Optional<Exemption> found = store.exemptions(clock.instant()).stream()
                .filter(one -> one.id().equals(id))
                .findFirst();
        if (found.isPresent()) {
            ObjectNode inputs = JSON.createObjectNode();
            inputs.put("exemption", id);
            inputs.put("value", found.get().value());
            keepSaid(
                    found.get().endedAt(clock.instant()),
                    "end exemption",
                    by,
                    found.get().reason(),
                    inputs);
        }
        return found;
    }

    /** Staff stop all that is done to jobs; mails go on. */
    Exemption switchOff(Optional<Instant> until, String by, String reason) throws StoreException {
        Exemption exemption = new Exemption(
                UUID.randomUUID().toString().substring(0, 8),
                Exemption.Scope.DEEDS,
                "",
                Optional.empty(),
                clock.instant(),
                until,
                "staff " + by,
                Plain.line(reason, LONGEST_REASON));
        ObjectNode inputs = JSON.createObjectNode();
        inputs.put("exemption", exemption.id());
        until.ifPresent(end -> inputs.put("until", end.toString()));
        keepSaid(exemption, "enforcement off", by, reason, inputs);
        return exemption;
    }

    /** Staff end that; returns what was ended. */
    List<Exemption> switchOn(String by) throws StoreException {
        List<Exemption> off = switchedOff();
        for (Exemption one : off) {
            ObjectNode inputs = JSON.createObjectNode();
            inputs.put("exemption", one.id());
            keepSaid(one.endedAt(clock.instant()), "enforcement on", by, one.reason(), inputs);
        }
        return off;
    }

    private List<Exemption> switchedOff() throws StoreException {
        return store.exemptions(clock.instant()).stream()
                .filter(one -> one.scope() == Exemption.Scope.DEEDS)
                .toList();
    }

    /** What is done to jobs now, in sentences. */
    List<String> enforcement() throws StoreException {
        List<String> state = new ArrayList<>(settings.enforcement());
        for (Exemption one : switchedOff()) {
            state.add("Nothing is done to any job: switched off by " + Plain.line(one.by(), 80)
                    + one.until().map(end -> " until " + end).orElse("") + ": " + Plain.line(one.reason(), 200));
        }
        return state;
    }

    private void keepSaid(Exemption exemption, String what, String by, String reason, ObjectNode inputs)
            throws StoreException {
        store.saveDecisions(new Store.Decisions(
                List.of(),
                List.of(),
                List.of(exemption),
                List.of(entry(
                        "staff " + by,
                        what,
                        Outcome.NOTED,
                        runOf(exemption),
                        exemption.rule(),
                        exemption.scope() == Exemption.Scope.USER ? exemption.value() : "",
                        Plain.line(reason, LONGEST_REASON),
                        inputs,
                        jobOf(exemption)))));
    }

    /** The number of the run or waiting job that it is about. */
    private static OptionalLong jobOf(Exemption exemption) {
        String[] parts = exemption.value().split("/", -1);
        return (exemption.scope() == Exemption.Scope.RUN || exemption.scope() == Exemption.Scope.WAITING)
                        && parts.length == 3
                ? OptionalLong.of(Long.parseLong(parts[1]))
                : OptionalLong.empty();
    }

    /** The newest run of a job that still holds its allocation; empty if none does. */
    Optional<Run> liveRun(long jobId) throws StoreException {
        return store.runsOf(jobId).stream()
                .filter(run -> run.key().jobId() == jobId && run.end().isEmpty())
                .findFirst();
    }

    /** A job that waits, by Slurm's newest answer. */
    Optional<Subject.Waiting> waitingJob(long jobId) throws StoreException {
        return waiting(jobId).map(job -> new Subject.Waiting(job.cluster(), job.jobId(), job.submit()));
    }

    private Optional<PendingJob> waiting(long jobId) throws StoreException {
        return store.view().stream()
                .flatMap(view -> view.pending().stream())
                .filter(job -> job.jobId() == jobId)
                .findFirst();
    }

    /** Staff write something down about a job that runs, ran or waits; false if nobody knows the job. */
    boolean comment(long jobId, String by, String text) throws StoreException {
        // what waits first: of a requeued job the run before is another matter
        Optional<PendingJob> waits = waiting(jobId);
        Optional<Run> run = waits.isPresent()
                ? Optional.empty()
                : store.runsOf(jobId).stream().findFirst();
        if (run.isEmpty() && waits.isEmpty()) {
            return false;
        }
        store.saveDecisions(new Store.Decisions(
                List.of(),
                List.of(),
                List.of(),
                List.of(entry(
                        "staff " + by,
                        "comment",
                        Outcome.NOTED,
                        run.map(Run::key),
                        Optional.empty(),
                        waits.map(PendingJob::owner)
                                .or(() -> run.map(Run::owner))
                                .orElseThrow()
                                .user(),
                        Plain.line(text, LONGEST_REASON),
                        JSON.createObjectNode(),
                        OptionalLong.of(jobId)))));
        return true;
    }

    List<Exemption> exemptions() throws StoreException {
        return store.exemptions(clock.instant());
    }

    List<AuditEntry> audit(Store.AuditFilter filter) throws StoreException {
        return store.audit(filter);
    }

    private static Optional<RunKey> runOf(Exemption exemption) {
        String[] parts = exemption.value().split("/", -1);
        return exemption.scope() == Exemption.Scope.RUN && parts.length == 3
                ? Optional.of(
                        new RunKey(parts[0], Long.parseLong(parts[1]), Instant.ofEpochSecond(Long.parseLong(parts[2]))))
                : Optional.empty();
    }

    private AuditEntry entry(
            String actor,
            String what,
            Outcome outcome,
            Optional<RunKey> run,
            Optional<String> rule,
            String user,
            String reason,
            ObjectNode inputs,
            OptionalLong job) {
        return new AuditEntry(
                UUID.randomUUID().toString(),
                clock.instant(),
                actor,
                what,
                outcome,
                run,
                rule,
                user,
                reason,
                inputs.toString(),
                job);
    }

    private static ObjectNode inputs(Claim claim) {
        ObjectNode inputs = JSON.createObjectNode();
        inputs.put("since", claim.since().toString());
        inputs.put("link_expires", claim.expires().toString());
        return inputs;
    }
}
