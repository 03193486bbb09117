package io.fairwatch.collector.answer;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairwatch.collector.answer.AnswerLinks.Claim;
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

    private final Store store;
    private final Teller teller;
    private final Settings settings;
    private final InstantSource clock;

    /**
     * What can be answered. Immutable.
     *
     * @param longest longest time for which an owner can say that a job is needed
     * @param mostTimes how often, for one run
     * @param stopByOwner whether "it may be ended" ends the job; else staff are told
     * @param enforcement what the configuration says of enforcement, in sentences
     */
    public record Settings(Duration longest, int mostTimes, boolean stopByOwner, List<String> enforcement) {
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

    /**
     * What a claim is about, as it stands. Immutable.
     *
     * @param open whether there is still something to answer
     * @param times how often the owner may still say that it is needed
     * @param until until when the job is excused for now; absent: it is not
     */
    public record Case(Run run, FindingRow finding, boolean open, int times, Optional<Instant> until) {}

    /** What a claim is about; empty if the store does not know it. */
    Optional<Case> look(Claim claim) throws StoreException {
        Optional<Run> run = store.runsOf(claim.run().jobId()).stream()
                .filter(one -> sameRun(one.key(), claim.run()))
                .findFirst();
        Optional<FindingRow> finding = store.findingsOf(claim.run().jobId()).stream()
                .filter(row -> sameRun(row.run(), claim.run())
                        && row.rule().equals(claim.rule())
                        && row.since().toEpochMilli() == claim.since().toEpochMilli())
                .findFirst();
        if (run.isEmpty() || finding.isEmpty() || !run.get().owner().user().equals(claim.user())) {
            return Optional.empty();
        }
        Instant now = clock.instant();
        long said = store
                .audit(new Store.AuditFilter(
                        Optional.of(claim.run().jobId()), Optional.empty(), Optional.empty(), MOST_AUDIT))
                .stream()
                .filter(entry -> entry.what().equals(NEEDED)
                        && entry.run().filter(key -> sameRun(key, claim.run())).isPresent())
                .count();
        return Optional.of(new Case(
                run.get(),
                finding.get(),
                run.get().end().isEmpty() && finding.get().state() != FindingRow.State.RESOLVED,
                (int) Math.max(0, settings.mostTimes - said),
                store.exemptions(now).stream()
                        .filter(one -> one.covers(
                                run.get().key(), claim.user(), run.get().owner().account(), claim.rule()))
                        .flatMap(one -> one.until().stream())
                        .max(Instant::compareTo)));
    }

    private static boolean sameRun(RunKey one, RunKey other) {
        return one.cluster().equals(other.cluster())
                && one.jobId() == other.jobId()
                && one.start().getEpochSecond() == other.start().getEpochSecond();
    }

    /** The same for the same run, and fit for an address. */
    private static String id(String what, RunKey run) {
        return (what + "-" + Exemption.valueOf(run)).replaceAll("[^A-Za-z0-9]", "-");
    }

    /**
     * The owner needs the job as it is.
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
        RunKey run = about.get().run().key();
        store.saveDecisions(new Store.Decisions(
                List.of(),
                List.of(),
                List.of(new Exemption(
                        id("owner", run),
                        Exemption.Scope.RUN,
                        Exemption.valueOf(run),
                        // who needs the job needs it whatever rule found it
                        Optional.empty(),
                        now,
                        Optional.of(until),
                        "owner " + claim.user(),
                        why)),
                List.of(entry(
                        "owner " + claim.user(),
                        NEEDED,
                        Outcome.NOTED,
                        Optional.of(run),
                        Optional.of(claim.rule()),
                        claim.user(),
                        why,
                        inputs))));
        return Optional.of(until);
    }

    /**
     * The owner says that the job may be ended: it will be, or staff are told.
     *
     * @return false: there is nothing to end any more
     */
    synchronized boolean stop(Claim claim, String answer) throws StoreException {
        return said(claim, "stop it", answer, settings.stopByOwner);
    }

    /**
     * The person who got the mail says that it is not theirs: staff are told, and nothing comes of it meanwhile.
     *
     * @return false: it is over
     */
    synchronized boolean notMine(Claim claim, String answer) throws StoreException {
        return said(claim, "not mine", answer, false);
    }

    private boolean said(Claim claim, String what, String answer, boolean act) throws StoreException {
        Optional<Case> about = look(claim).filter(Case::open);
        if (about.isEmpty()) {
            return false;
        }
        Instant now = clock.instant();
        FindingRow finding = about.get().finding();
        RunKey run = about.get().run().key();
        int step = finding.progress().planned();
        List<Notice> notices = new ArrayList<>();
        if (act) {
            notices.add(new Notice(
                    "stop " + Exemption.valueOf(run),
                    run,
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
        Set<String> known =
                store.noticesOf(run.jobId()).stream().map(Notice::id).collect(Collectors.toSet());
        store.saveDecisions(new Store.Decisions(
                List.of(),
                notices.stream().filter(one -> !known.contains(one.id())).toList(),
                act
                        ? List.of()
                        : List.of(new Exemption(
                                id(what, run),
                                Exemption.Scope.RUN,
                                Exemption.valueOf(run),
                                Optional.empty(),
                                now,
                                Optional.of(now.plus(settings.longest)),
                                "owner " + claim.user(),
                                what)),
                List.of(entry(
                        "owner " + claim.user(),
                        what,
                        Outcome.NOTED,
                        Optional.of(run),
                        Optional.of(claim.rule()),
                        claim.user(),
                        act ? "the job is to be ended" : "staff are told",
                        inputs(claim)))));
        return true;
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
        return store.view().stream()
                .flatMap(view -> view.pending().stream())
                .filter(job -> job.jobId() == jobId)
                .findFirst()
                .map(job -> new Subject.Waiting(job.cluster(), job.jobId(), job.submit()));
    }

    /** Staff write something down about a job; false if nobody knows the job. */
    boolean comment(long jobId, String by, String text) throws StoreException {
        Optional<Run> run = store.runsOf(jobId).stream().findFirst();
        if (run.isEmpty()) {
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
                        Optional.of(run.get().key()),
                        Optional.empty(),
                        run.get().owner().user(),
                        Plain.line(text, LONGEST_REASON),
                        JSON.createObjectNode()))));
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
            ObjectNode inputs) {
        return entry(
                actor,
                what,
                outcome,
                run,
                rule,
                user,
                reason,
                inputs,
                run.isPresent() ? OptionalLong.of(run.get().jobId()) : OptionalLong.empty());
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
