package io.fairwatch.collector.enforce;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairwatch.collector.enforce.Deeds.Deed;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.AuditEntry.Outcome;
import io.fairwatch.collector.store.Exemption;
import io.fairwatch.collector.store.Exemptions;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Notice.Channel;
import io.fairwatch.collector.store.Notice.State;
import io.fairwatch.collector.store.Notice.Topic;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.Horizon;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes deeds that are due, or decides against them, and keeps why. Confined to one thread at a time; blocks. */
public final class Enforcer {
    private static final Logger LOG = LoggerFactory.getLogger(Enforcer.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String ACTOR = "fairwatch";
    private static final int MOST_ATTEMPTS = 5;
    private static final int MOST_AUDIT = 100_000;

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
        Duration limit(Run run, Instant now) {
            Duration ran = Duration.between(run.key().start(), now).minus(run.suspended());
            return Duration.ofMinutes(ran.plus(shortenTo).toMinutes() + 1);
        }

        /** What staff would type. */
        String command(Deed deed, Run run, Instant now) {
            long job = run.key().jobId();
            return switch (deed) {
                case CANCEL -> "scancel " + run.displayId();
                case HOLD -> "scontrol hold " + job;
                case REQUEUE -> "scontrol requeue " + job;
                case SHORTEN ->
                    "scontrol update JobId=" + job + " TimeLimit="
                            + limit(run, now).toMinutes();
                case LOWER_QOS -> "scontrol update JobId=" + job + " QOS=" + lowQos.orElse("");
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
    private final Function<String, Duration> windowOf;
    private final Settings settings;
    private final InstantSource clock;

    /** @param windowOf the window of a rule */
    public Enforcer(
            Store store,
            Deeds deeds,
            Teller teller,
            Function<String, Duration> windowOf,
            Settings settings,
            InstantSource clock) {
        this.store = store;
        this.deeds = deeds;
        this.teller = teller;
        this.windowOf = windowOf;
        this.settings = settings;
        this.clock = clock;
    }

    /** A deed that is due, with what it is about. */
    private record Due(Notice notice, Deed deed, Run run, FindingRow finding, Instant asOf) {}

    /** What was found out before deciding. */
    private sealed interface Answer {
        record Yes(ObjectNode inputs) implements Answer {}

        /** Not now. */
        record Wait(String why) implements Answer {}

        /** Not any more. */
        record Never(String why) implements Answer {}
    }

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
        Map<RunKey, Run> live = new HashMap<>();
        store.liveRuns().forEach(run -> live.put(run.key(), run));
        int done = 0;
        for (Notice notice : open) {
            Optional<Due> due = due(notice, live, view.get().at());
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

    private Optional<Due> due(Notice notice, Map<RunKey, Run> live, Instant asOf) throws StoreException {
        Optional<Run> run = Optional.ofNullable(live.get(notice.run()));
        if (run.isEmpty()) {
            run = store.runsOf(notice.run().jobId()).stream()
                    .filter(one -> one.key().equals(notice.run()))
                    .findFirst();
        }
        Optional<FindingRow> finding = store.findingsOf(notice.run().jobId()).stream()
                .filter(row -> row.run().equals(notice.run())
                        && row.rule().equals(notice.rule())
                        && row.since().equals(notice.since()))
                .findFirst();
        Optional<Deed> deed = Deed.of(notice.aim().recipient());
        if (run.isEmpty() || finding.isEmpty() || deed.isEmpty()) {
            keep(
                    List.of(),
                    List.of(changed(notice, State.WITHHELD, "its run or its finding is not in the store")),
                    List.of());
            return Optional.empty();
        }
        return Optional.of(new Due(notice, deed.get(), run.get(), finding.get(), asOf));
    }

    // ---- deciding

    private boolean decide(Due due, Instant judgedFrom) throws StoreException, InterruptedException {
        if (due.notice.attempts() > 0
                && clock.instant().isBefore(due.notice.changedAt().plus(Duration.ofMinutes(due.notice.attempts())))
                && !due.notice.changedAt().isAfter(clock.instant())) {
            return false; // it failed a moment ago
        }
        Answer answer = due.notice.aim().topic() == Topic.ANSWERED ? asked(due) : examine(due, judgedFrom);
        if (answer instanceof Answer.Yes yes) {
            boolean proposes = settings.modeOf(due.notice.rule()) == Mode.PROPOSE
                    && due.notice.aim().topic() == Topic.FINDING;
            return proposes ? propose(due, yes.inputs) : act(due, yes.inputs);
        }
        boolean forGood = answer instanceof Answer.Never;
        String why = answer instanceof Answer.Never never ? never.why : ((Answer.Wait) answer).why;
        if (forGood || !why.equals(due.notice.detail())) {
            LOG.info(
                    "deed not taken deed={} job={} rule={} final={} why=\"{}\"",
                    due.deed.word(),
                    due.run.key().jobId(),
                    due.notice.rule(),
                    forGood,
                    why);
            keep(
                    List.of(),
                    List.of(changed(due.notice, forGood ? State.WITHHELD : State.PLANNED, why)),
                    List.of(entry(due, Outcome.NOT_TAKEN, why, inputs(due))));
        }
        return false;
    }

    /** The owner asked for it: then nothing needs to hold but that it is still that run. */
    private Answer asked(Due due) throws StoreException {
        if (!settings.stopByOwner) {
            return new Answer.Never("jobs are not ended by their owners' answers here");
        }
        if (isOver(due.run)) {
            return new Answer.Never("the job has ended");
        }
        if (due.run.asOf().isBefore(due.asOf)) {
            return new Answer.Wait("Slurm's newest answer does not name the job");
        }
        return switchedOff().orElse(new Answer.Yes(inputs(due)));
    }

    private Answer examine(Due due, Instant judgedFrom) throws StoreException {
        Instant now = clock.instant();
        FindingRow finding = due.finding;
        Run run = due.run;
        if (settings.modeOf(due.notice.rule()) == Mode.OFF) {
            return new Answer.Never("enforcement is off for this rule");
        }
        if (finding.state() == FindingRow.State.RESOLVED || isOver(run)) {
            return new Answer.Never("over before it was done");
        }
        if (finding.toldAt().isEmpty() || !wasWarned(due)) {
            return new Answer.Never("the owner's last warning was not delivered");
        }
        if (finding.progress().planned() != due.notice.aim().step()
                || finding.progress().done() != due.notice.aim().step() - 1) {
            return new Answer.Never("the step before was not delivered, or this one is done");
        }
        if (run.state() != JobState.RUNNING || run.asOf().isBefore(due.asOf)) {
            return new Answer.Wait("Slurm's newest answer does not say that the job runs");
        }
        if (!run.owner().user().equals(finding.user())) {
            return new Answer.Never("the job is not the same user's any more");
        }
        if (finding.lastSeen().isAfter(now)) {
            return new Answer.Wait("the clock went back behind the last judging");
        }
        if (finding.clearSince().isPresent() || finding.lastSeen().isBefore(judgedFrom)) {
            return new Answer.Wait("the condition was not seen to hold by the last judging");
        }
        if (due.deed == Deed.LOWER_QOS && settings.lowQos.isEmpty()) {
            return new Answer.Never("no QoS is configured for it");
        }
        if (due.deed.endsRun() && !isCancellable(finding)) {
            return new Answer.Wait("the rule does not allow it with what it found");
        }
        Optional<Exemption> exemption = new Exemptions(store.exemptions(now))
                .of(run.key(), run.owner().user(), run.owner().account(), finding.rule());
        if (exemption.isPresent()) {
            return new Answer.Wait("excused by " + exemption.get().by());
        }
        Optional<Answer> off = switchedOff();
        if (off.isPresent()) {
            return off.get();
        }
        ObjectNode inputs = inputs(due);
        Optional<String> incomplete = incomplete(due, inputs);
        if (incomplete.isPresent()) {
            return new Answer.Wait(incomplete.get());
        }
        return capped(due, inputs, now).orElse(new Answer.Yes(inputs));
    }

    private static boolean isOver(Run run) {
        return run.end().isPresent() || !run.state().holdsAllocation();
    }

    private Optional<Answer> switchedOff() {
        return settings.switchFile
                .filter(Files::exists)
                .map(file -> new Answer.Wait("the switch file " + file + " is there"));
    }

    /** Whether the newest mail to the owner in this episode was taken by the mail server. */
    private boolean wasWarned(Due due) throws StoreException {
        return store.noticesOf(due.run.key().jobId()).stream()
                .filter(notice -> notice.run().equals(due.notice.run())
                        && notice.rule().equals(due.notice.rule())
                        && notice.since().equals(due.notice.since())
                        && notice.aim().channel() == Channel.OWNER
                        && notice.aim().topic() == Topic.FINDING
                        && notice.aim().step() < due.notice.aim().step())
                .max(Comparator.comparingInt(notice -> notice.aim().step()))
                .map(notice -> notice.state() == State.DELIVERED)
                .orElse(false);
    }

    /** Whether the rule said, of what it found last, that a job may be ended for it. */
    private static boolean isCancellable(FindingRow finding) {
        try {
            return JSON.readTree(finding.evidence()).path("cancellable").asBoolean(false);
        } catch (JsonProcessingException unreadable) {
            return false;
        }
    }

    /** Why a run was not measured well enough; empty if it was. Missing data accuses nobody. */
    private Optional<String> incomplete(Due due, ObjectNode inputs) throws StoreException {
        Run run = due.run;
        if (run.allocation().gpus().isEmpty()) {
            return Optional.of("Slurm does not tell how many GPUs the job has");
        }
        Map<String, NodeState> nodes = store.nodes().stream().collect(Collectors.toMap(NodeState::node, one -> one));
        Instant to = Horizon.of(run, nodes, clock.instant());
        Instant from = to.minus(windowOf.apply(due.notice.rule()));
        List<GpuUse> given = store
                .gpuUse(
                        List.of(new RunSpan(
                                run,
                                from.isAfter(run.key().start())
                                        ? from
                                        : run.key().start(),
                                to)),
                        0)
                .stream()
                .filter(use -> use.allocated().isPresent())
                .toList();
        double coverage = given.stream().mapToDouble(GpuUse::coverage).min().orElse(given.isEmpty() ? 1 : 0);
        inputs.put("gpus_allocated", run.allocation().gpus().getAsInt());
        inputs.put("gpus_seen", given.size());
        inputs.put("lowest_coverage_now", coverage);
        if (given.size() != run.allocation().gpus().getAsInt()) {
            return Optional.of("not all GPUs of the job are known");
        }
        if (coverage < settings.minimumCoverage) {
            return Optional.of("not all GPUs of the job were measured all the time");
        }
        boolean doubtful = given.stream()
                .flatMap(use -> use.allocated().stream())
                .map(AllocatedGpu::confidence)
                .anyMatch(one -> switch (one) {
                    case UNKNOWN, CONTRADICTED -> true;
                    case ASSUMED, CERTAIN, CONFIRMED -> false;
                });
        return doubtful ? Optional.of("it is doubtful which GPUs are the job's") : Optional.empty();
    }

    private Optional<Answer> capped(Due due, ObjectNode inputs, Instant now) throws StoreException {
        List<AuditEntry> intended = store
                .audit(new Store.AuditFilter(
                        Optional.empty(), Optional.empty(), Optional.of(now.minus(Duration.ofDays(1))), MOST_AUDIT))
                .stream()
                .filter(entry -> entry.outcome() == Outcome.INTENDED)
                .toList();
        long hour = intended.stream()
                .filter(entry -> entry.at().isAfter(now.minus(Duration.ofHours(1))))
                .count();
        long user = intended.stream()
                .filter(entry -> entry.user().equals(due.run.owner().user()))
                .count();
        inputs.put("deeds_within_an_hour", hour);
        inputs.put("deeds_to_user_within_a_day", user);
        if (hour >= settings.mostPerHour) {
            return Optional.of(new Answer.Wait("already " + settings.mostPerHour + " within an hour"));
        }
        return user >= settings.mostPerUser
                ? Optional.of(new Answer.Wait("already " + settings.mostPerUser + " to this user within 24 hours"))
                : Optional.empty();
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
                settings.command(due.deed, due.run, clock.instant())));
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
                due.run.key().jobId(),
                due.run.owner().user(),
                due.notice.rule());
        Deeds.Outcome outcome = deeds.take(due.deed, due.run);
        if (outcome instanceof Deeds.Outcome.Done done) {
            finish(due, doing, done.detail());
            return true;
        }
        boolean refused = outcome instanceof Deeds.Outcome.Refused || doing.attempts() >= MOST_ATTEMPTS;
        String why =
                outcome instanceof Deeds.Outcome.Refused no ? no.reason() : ((Deeds.Outcome.Failed) outcome).reason();
        LOG.warn(
                "deed failed deed={} job={} final={} why=\"{}\"",
                due.deed.word(),
                due.run.key().jobId(),
                refused,
                why);
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
        if (due.deed.endsRun() && isOver(due.run)) {
            boolean cancelled = due.deed == Deed.REQUEUE || due.run.state() == JobState.CANCELLED;
            if (cancelled) {
                finish(due, due.notice, "seen ended (" + due.run.stateText() + ") after the collector came back");
                return true;
            }
            keep(
                    List.of(),
                    List.of(changed(due.notice, State.WITHHELD, "the job ended by itself")),
                    List.of(entry(
                            due, Outcome.NOT_TAKEN, "the job ended by itself: " + due.run.stateText(), inputs(due))));
            return false;
        }
        // it goes on, or cannot be seen: looked at anew, from the beginning
        keep(List.of(), List.of(changed(due.notice, State.PLANNED, "the collector stopped while doing it")), List.of());
        return false;
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
        LOG.info(
                "deed done deed={} job={} detail=\"{}\"",
                due.deed.word(),
                due.run.key().jobId(),
                detail);
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
                Optional.of(due.run.key()),
                Optional.of(due.notice.rule()),
                due.run.owner().user(),
                reason,
                inputs.toString());
    }

    private static ObjectNode inputs(Due due) {
        ObjectNode inputs = JSON.createObjectNode();
        inputs.put("step", due.notice.aim().step());
        inputs.put("since", due.finding.since().toString());
        inputs.put("last_seen", due.finding.lastSeen().toString());
        due.finding.toldAt().ifPresent(at -> inputs.put("told_at", at.toString()));
        due.finding.progress().doneAt().ifPresent(at -> inputs.put("step_before_at", at.toString()));
        inputs.put("slurm_as_of", due.asOf.toString());
        inputs.put("run_as_of", due.run.asOf().toString());
        inputs.put("run_state", due.run.stateText());
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
