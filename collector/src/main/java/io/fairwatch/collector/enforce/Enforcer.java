package io.fairwatch.collector.enforce;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairwatch.collector.enforce.Conditions.Answer;
import io.fairwatch.collector.enforce.Deeds.Deed;
import io.fairwatch.collector.enforce.Deeds.Job;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.AuditEntry.Outcome;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Notice.Channel;
import io.fairwatch.collector.store.Notice.State;
import io.fairwatch.collector.store.Notice.Topic;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.function.BiFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes deeds that are due, or decides against them, and keeps why. Confined to one thread at a time; blocks. */
public final class Enforcer {
    private static final Logger LOG = LoggerFactory.getLogger(Enforcer.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String ACTOR = "fairwatch";
    private static final int MOST_ATTEMPTS = 5;

    /** What comes of a deed that is due. */
    public enum Mode {
        /** Nothing. */
        OFF,
        /** Staff are given the command. */
        PROPOSE,
        /** It is done. */
        ACT
    }

    /**
     * How to enforce. Immutable.
     *
     * @param mode what comes of a deed that is due
     * @param rules rules for which the mode holds; for all others it is off
     * @param rehearsal mails do not reach owners: what a ladder comes to is not done, and kept as what would have been
     * @param stopByOwner whether a job is ended when its owner says so by the link in a mail
     * @param mostPerHour most deeds within an hour
     * @param mostPerUser most deeds to one user's jobs within 24 hours
     * @param switchFile while this file exists nothing is done; absent: there is no such file
     * @param minimumCoverage each GPU of the run must have been measured for this share of the window, ratio 0..1
     * @param staleAfter nothing is done while Slurm's newest answer is older than this
     * @param shortenTo how long a job whose time limit is shortened may still run
     * @param lowQos QoS that a job is moved to; absent: that deed is not taken
     */
    public record Settings(
            Mode mode,
            Set<String> rules,
            boolean rehearsal,
            boolean stopByOwner,
            int mostPerHour,
            int mostPerUser,
            Optional<Path> switchFile,
            double minimumCoverage,
            Duration staleAfter,
            Duration shortenTo,
            Optional<String> lowQos) {
        public Settings {
            rules = Set.copyOf(rules);
        }

        /** The limit of a job that may still run for {@link #shortenTo}, whole minutes as Slurm counts. */
        Duration limit(Job job, Instant now) {
            Duration ran = job instanceof Job.Running running
                    ? Duration.between(running.run().key().start(), now)
                            .minus(running.run().suspended())
                    : Duration.ZERO;
            return Duration.ofMinutes(ran.plus(shortenTo).toMinutes() + 1);
        }

        /** What staff would type. */
        String command(Deed deed, Job job, Instant now) {
            return switch (deed) {
                case CANCEL -> "scancel " + job.name();
                case HOLD -> "scontrol hold " + job.id();
                case REQUEUE -> "scontrol requeue " + job.id();
                case SHORTEN ->
                    "scontrol update JobId=" + job.id() + " TimeLimit="
                            + limit(job, now).toMinutes();
                case LOWER_QOS -> "scontrol update JobId=" + job.id() + " QOS=" + lowQos.orElse("");
            };
        }

        /** What comes of a deed that is due under a rule. */
        public Mode modeOf(String rule) {
            return rules.contains(rule) ? mode : Mode.OFF;
        }
    }

    /** Tells people what was done. */
    @FunctionalInterface
    public interface Teller {
        /** Notices about it, to be kept together with what was done. */
        List<Notice> news(FindingRow finding, int step, Topic topic, List<Channel> channels, String what);
    }

    private final Store store;
    private final Deeds deeds;
    private final Teller teller;
    private final Settings settings;
    private final InstantSource clock;
    private final Conditions conditions;

    /** @param windowOf the window of a rule, as it is in force for a run */
    public Enforcer(
            Store store,
            Deeds deeds,
            Teller teller,
            BiFunction<String, Run, Duration> windowOf,
            Settings settings,
            InstantSource clock) {
        this.store = store;
        this.deeds = deeds;
        this.teller = teller;
        this.settings = settings;
        this.clock = clock;
        this.conditions = new Conditions(store, windowOf, settings, clock);
    }

    /** A deed that is due, with what it is about. */
    record Due(Notice notice, Deed deed, Job job, FindingRow finding, Instant asOf) {}

    /**
     * Deals with every deed that is due, oldest first.
     *
     * @param judgedFrom when the judging began that just ended: only what it saw counts
     * @return how many were done
     */
    public int round(Instant judgedFrom) throws StoreException, InterruptedException {
        Instant from = judgedFrom.truncatedTo(ChronoUnit.MILLIS); // as the store keeps what was seen
        List<Notice> open = store.noticesIn(List.of(State.PLANNED, State.SENDING)).stream()
                .filter(notice -> notice.aim().channel() == Channel.SLURM)
                .toList();
        if (open.isEmpty()) {
            return 0;
        }
        Optional<Store.SlurmView> view = store.view();
        if (view.isEmpty() || view.get().at().isBefore(clock.instant().minus(settings.staleAfter))) {
            return 0;
        }
        Map<Subject, Job> present = new HashMap<>();
        store.liveRuns().forEach(run -> present.put(run.key(), new Job.Running(run)));
        for (PendingJob waits : view.get().pending()) {
            Job job = new Job.Waiting(waits, view.get().at());
            present.put(job.subject(), job);
        }
        int done = 0;
        for (Notice notice : open) {
            Optional<Due> due = due(notice, present, view.get().at());
            if (due.isEmpty()) {
                continue;
            }
            if (notice.state() == State.SENDING) {
                done += settle(due.get()) ? 1 : 0;
                continue;
            }
            done += decide(due.get(), from) ? 1 : 0;
        }
        return done;
    }

    private Optional<Due> due(Notice notice, Map<Subject, Job> present, Instant asOf) throws StoreException {
        Optional<Job> job = Optional.ofNullable(present.get(notice.subject()));
        if (job.isEmpty() && notice.subject() instanceof RunKey key) {
            job = store.runsOf(key.jobId()).stream()
                    .filter(run -> run.key().equals(key))
                    .<Job>map(Job.Running::new)
                    .findFirst();
        }
        Optional<FindingRow> finding = store.finding(notice.subject(), notice.rule(), notice.since());
        Optional<Deed> deed = Deed.of(notice.aim().recipient());
        if (job.isPresent() && finding.isPresent() && deed.isPresent()) {
            return Optional.of(new Due(notice, deed.get(), job.get(), finding.get(), asOf));
        }
        String why = notice.subject() instanceof Subject.Waiting
                ? "the job does not wait any more"
                : "its run or its finding is not in the store";
        Notice ended = notice.state() == State.SENDING
                ? changed(notice, State.UNCONFIRMED, "the collector stopped while doing it, and " + why)
                : changed(notice, State.WITHHELD, why);
        keep(List.of(), List.of(ended), List.of());
        return Optional.empty();
    }

    // ---- deciding

    private boolean decide(Due due, Instant judgedFrom) throws StoreException, InterruptedException {
        if (due.notice.attempts() > 0
                && clock.instant().isBefore(due.notice.changedAt().plus(Duration.ofMinutes(due.notice.attempts())))
                && !due.notice.changedAt().isAfter(clock.instant())) {
            return false; // it failed a moment ago
        }
        Answer answer = due.notice.aim().topic() == Topic.ANSWERED
                ? conditions.asked(due)
                : conditions.examine(due, judgedFrom);
        if (answer instanceof Answer.Yes yes) {
            boolean proposes = settings.modeOf(due.notice.rule()) == Mode.PROPOSE
                    && due.notice.aim().topic() == Topic.FINDING;
            return proposes ? propose(due, yes.inputs()) : act(due, yes.inputs());
        }
        if (answer instanceof Answer.Rehearsed rehearsed) {
            rehearse(due, rehearsed.inputs());
            return false;
        }
        boolean forGood = answer instanceof Answer.Never;
        String why = answer instanceof Answer.Never never
                ? never.why()
                : answer instanceof Answer.Wait wait ? wait.why() : "its owner is told first that this will be done";
        List<Notice> notices = new ArrayList<>();
        if (answer instanceof Answer.Announce) {
            notices.addAll(teller.news(
                    due.finding, due.notice.aim().step(), Topic.ANNOUNCED, List.of(Channel.OWNER), due.deed.word()));
        }
        if (forGood || !why.equals(due.notice.detail())) {
            LOG.info(
                    "deed not taken deed={} job={} rule={} final={} why=\"{}\"",
                    due.deed.word(),
                    due.job.id(),
                    due.notice.rule(),
                    forGood,
                    why);
            notices.add(changed(due.notice, forGood ? State.WITHHELD : State.PLANNED, why));
            keep(List.of(), notices, List.of(entry(due, Outcome.NOT_TAKEN, why, inputs(due))));
        }
        return false;
    }

    /** All holds, but only a rehearsal: kept as what would have been done. A job that it would have ended has no next step. */
    private void rehearse(Due due, ObjectNode inputs) throws StoreException {
        String why = Notice.REHEARSAL + "nothing done: "
                + (settings.modeOf(due.notice.rule()) == Mode.PROPOSE
                        ? "staff would have been given the command now"
                        : "it would have been done now");
        LOG.info("deed rehearsed deed={} job={} rule={}", due.deed.word(), due.job.id(), due.notice.rule());
        keep(
                due.deed.ends()
                        ? List.of()
                        : List.of(due.finding.delivered(due.notice.aim().step(), false, clock.instant())),
                List.of(changed(due.notice, State.WITHHELD, why)),
                List.of(entry(due, Outcome.NOT_TAKEN, why, inputs)));
    }

    // ---- doing

    private boolean propose(Due due, ObjectNode inputs) throws StoreException {
        Notice given = changed(due.notice, State.DELIVERED, "proposed to staff");
        List<Notice> notices = new ArrayList<>(List.of(given));
        notices.addAll(teller.news(
                due.finding,
                due.notice.aim().step(),
                Topic.PROPOSED,
                List.of(Channel.STAFF),
                settings.command(due.deed, due.job, clock.instant())));
        keep(
                List.of(due.finding.delivered(due.notice.aim().step(), false, clock.instant())),
                notices,
                List.of(entry(due, Outcome.PROPOSED, "staff are given the command", inputs)));
        return false;
    }

    private boolean act(Due due, ObjectNode inputs) throws StoreException, InterruptedException {
        Notice doing = due.notice.with(State.SENDING, due.notice.attempts() + 1, "", clock.instant());
        keep(
                List.of(),
                List.of(doing),
                List.of(entry(
                        due,
                        Outcome.INTENDED,
                        due.notice.aim().topic() == Topic.ANSWERED
                                ? "its owner said that it may be ended"
                                : "told, and it goes on",
                        inputs)));
        LOG.info(
                "deed begins deed={} job={} user={} rule={}",
                due.deed.word(),
                due.job.id(),
                due.job.owner().user(),
                due.notice.rule());
        Deeds.Outcome outcome = deeds.take(due.deed, due.job);
        if (outcome instanceof Deeds.Outcome.Done done) {
            finish(due, doing, done.detail());
            return true;
        }
        boolean refused = outcome instanceof Deeds.Outcome.Refused || doing.attempts() >= MOST_ATTEMPTS;
        String why =
                outcome instanceof Deeds.Outcome.Refused no ? no.reason() : ((Deeds.Outcome.Failed) outcome).reason();
        LOG.warn("deed failed deed={} job={} final={} why=\"{}\"", due.deed.word(), due.job.id(), refused, why);
        keep(
                List.of(),
                List.of(changed(doing, refused ? State.REFUSED : State.PLANNED, why)),
                List.of(entry(due, Outcome.FAILED, why, inputs(due))));
        return false;
    }

    /** After a crash: what became of it is told by Slurm. */
    private boolean settle(Due due) throws StoreException {
        if (!due.asOf.isAfter(due.notice.changedAt())) {
            return false; // an answer that is no newer says nothing
        }
        if (due.job instanceof Job.Running running && due.deed.ends() && Conditions.isOver(running.run())) {
            if (due.deed == Deed.REQUEUE || running.run().state() == JobState.CANCELLED) {
                finish(due, due.notice, "seen ended (" + due.job.state() + ") after the collector came back");
                return true;
            }
            keep(
                    List.of(),
                    List.of(changed(due.notice, State.WITHHELD, "the job ended by itself")),
                    List.of(entry(due, Outcome.NOT_TAKEN, "the job ended by itself: " + due.job.state(), inputs(due))));
            return false;
        }
        if (isSeen(due)) {
            finish(due, due.notice, "seen in Slurm after the collector came back");
            return true;
        }
        // it goes on, or cannot be seen: looked at anew, from the beginning
        keep(List.of(), List.of(changed(due.notice, State.PLANNED, "the collector stopped while doing it")), List.of());
        return false;
    }

    /** Whether Slurm tells of the job what a deed leaves behind that does not end it. */
    private boolean isSeen(Due due) {
        if (due.deed == Deed.SHORTEN && due.job instanceof Job.Running running) {
            Duration asked = settings.limit(due.job, due.notice.changedAt()).plusMinutes(1);
            return running.run()
                    .timeLimit()
                    .filter(limit -> limit.compareTo(asked) <= 0)
                    .isPresent();
        }
        return due.job instanceof Job.Waiting waiting
                && (due.deed == Deed.LOWER_QOS
                        ? settings.lowQos
                                .filter(waiting.job().owner().qos()::equals)
                                .isPresent()
                        : due.deed == Deed.HOLD && waiting.job().reason().startsWith("JobHeld"));
    }

    private void finish(Due due, Notice doing, String detail) throws StoreException {
        Instant now = clock.instant();
        List<Notice> notices = new ArrayList<>(List.of(changed(doing, State.DELIVERED, detail)));
        notices.addAll(teller.news(
                due.finding,
                due.notice.aim().step(),
                Topic.DONE,
                List.of(Channel.OWNER, Channel.STAFF),
                due.deed.word()));
        keep(
                due.notice.aim().topic() == Topic.FINDING
                        ? List.of(due.finding.delivered(due.notice.aim().step(), false, now))
                        : List.of(),
                notices,
                List.of(entry(due, Outcome.DONE, detail, inputs(due))));
        LOG.info("deed done deed={} job={} detail=\"{}\"", due.deed.word(), due.job.id(), detail);
    }

    private void keep(List<FindingRow> findings, List<Notice> notices, List<AuditEntry> audit) throws StoreException {
        store.saveDecisions(new Store.Decisions(findings, notices, List.of(), audit));
    }

    private Notice changed(Notice notice, State state, String why) {
        return notice.with(state, notice.attempts(), why, clock.instant());
    }

    private AuditEntry entry(Due due, Outcome outcome, String reason, ObjectNode inputs) {
        return new AuditEntry(
                UUID.randomUUID().toString(),
                clock.instant(),
                ACTOR,
                due.deed.word(),
                outcome,
                due.job.subject() instanceof RunKey run ? Optional.of(run) : Optional.empty(),
                Optional.of(due.notice.rule()),
                due.job.owner().user(),
                reason,
                inputs.toString(),
                OptionalLong.of(due.job.id()));
    }

    static ObjectNode inputs(Due due) {
        ObjectNode inputs = JSON.createObjectNode();
        inputs.put("step", due.notice.aim().step());
        inputs.put("since", due.finding.since().toString());
        inputs.put("last_seen", due.finding.lastSeen().toString());
        due.finding.toldAt().ifPresent(at -> inputs.put("told_at", at.toString()));
        due.finding.progress().doneAt().ifPresent(at -> inputs.put("step_before_at", at.toString()));
        inputs.put("slurm_as_of", due.asOf.toString());
        inputs.put("run_as_of", due.job.asOf().toString());
        inputs.put("run_state", due.job.state());
        inputs.put("summary", due.finding.summary());
        try {
            JsonNode evidence = JSON.readTree(due.finding.evidence());
            inputs.set("evidence", evidence);
        } catch (JsonProcessingException unreadable) {
            inputs.put("evidence", due.finding.evidence());
        }
        return inputs;
    }
}
