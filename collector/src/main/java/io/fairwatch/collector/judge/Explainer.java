package io.fairwatch.collector.judge;

import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.Exemptions;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.JobFacts;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.Verdict;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Says why a job was found, or was not: every rule with what it looked at, what it says, and what came of it. It judges
 * anew and changes nothing. Thread-safe; blocks on the store.
 */
public final class Explainer {
    private static final int MOST_PARTS = 8;

    private final Store store;
    private final Supplier<RuleSet> rules;
    private final InstantSource clock;
    private final Judge.Settings settings;

    /**
     * Why a job was found, or was not. Immutable.
     *
     * @param at when it was asked
     * @param slurmAsOf when Slurm said what is known of it
     * @param parts the newest run of each part of the job, or the job that waits; at most 8
     * @param left how many parts were left out
     */
    public record Why(Instant at, Optional<Instant> slurmAsOf, List<Part> parts, int left) {
        public Why {
            parts = List.copyOf(parts);
        }
    }

    /**
     * One run, or one waiting job. Immutable.
     *
     * @param job as people write it
     * @param user whose it is
     * @param state Slurm's word
     * @param start when the run began; absent while it waits
     * @param judgedAt as of when the rules were asked: now, or at the end of the run
     * @param answers what each rule says
     */
    public record Part(
            String job,
            String user,
            String state,
            Optional<Instant> start,
            Instant judgedAt,
            List<RuleAnswer> answers) {
        public Part {
            answers = List.copyOf(answers);
        }
    }

    /**
     * What one rule says. Immutable.
     *
     * @param rule name
     * @param scope what it judges, e.g. {@code running_job}
     * @param verdict {@code clear}, {@code finding} or {@code unknown}
     * @param why in a sentence
     * @param cancellable whether the rule allows that the job is ended because of this
     * @param windowSeconds how far back it looked
     * @param holdSeconds how long the condition must hold before anything comes of it
     * @param coverage least coverage of the parts that it looked at, 0..1
     * @param minimumCoverage what it asks for, 0..1
     * @param thresholds its parameters
     * @param inputs facts of the job that it names
     * @param absent names of facts that it names and nobody knows
     * @param members the same for each part of the job that it looked at, e.g. each GPU
     * @param evidence the numbers that a finding keeps
     * @param excused by whom, until when and why nothing comes of it; absent: nobody excused it
     * @param episodes what came of it so far, newest first
     */
    public record RuleAnswer(
            String rule,
            String scope,
            String verdict,
            String why,
            boolean cancellable,
            long windowSeconds,
            long holdSeconds,
            double coverage,
            double minimumCoverage,
            Map<String, Object> thresholds,
            Map<String, Object> inputs,
            List<String> absent,
            List<Map<String, Object>> members,
            Map<String, Object> evidence,
            Optional<String> excused,
            List<EpisodeLine> episodes) {}

    /**
     * One time that it was found. Immutable.
     *
     * @param since when the condition was first seen to hold
     * @param state {@code suspected}, {@code found}, {@code told} or {@code resolved}
     * @param lastSeen when it was last seen to hold
     * @param clearSince since when it does not; absent while it does
     * @param sent what was sent and done, oldest first
     */
    public record EpisodeLine(
            Instant since, String state, Instant lastSeen, Optional<Instant> clearSince, List<Sent> sent) {}

    /**
     * Something that was sent or done. Immutable.
     *
     * @param step of the ladder, from 1
     * @param way e.g. {@code owner} or {@code slurm}
     * @param state e.g. {@code delivered} or {@code withheld}
     * @param at when that was so
     * @param detail what the other side said; empty if nothing
     */
    public record Sent(int step, String way, String state, Instant at, String detail) {}

    public Explainer(Store store, Supplier<RuleSet> rules, InstantSource clock, Judge.Settings settings) {
        this.store = store;
        this.rules = rules;
        this.clock = clock;
        this.settings = settings;
    }

    /**
     * Explains a job.
     *
     * @param id as people write it: {@code 83549}, {@code 83549_3}, {@code 83549+1}
     * @return empty if nobody knows the job
     * @throws IllegalArgumentException if it is no job id
     */
    public Optional<Why> why(String id) throws StoreException {
        if (!id.matches("\\d{1,18}([_+]\\d{1,9})?")) {
            throw new IllegalArgumentException("job: expected a number such as 83549, 83549_3 or 83549+1");
        }
        long number = Long.parseLong(id.replaceFirst("[_+].*", ""));
        boolean one = id.contains("_") || id.contains("+");
        Instant now = clock.instant();
        Optional<SlurmView> view = store.view();
        Map<Long, Run> newest = new LinkedHashMap<>();
        store.runsOf(number).stream()
                .filter(run -> !one || run.displayId().equals(id))
                .sorted(Comparator.comparing((Run run) -> run.key().start()).reversed())
                .forEach(run -> newest.putIfAbsent(run.key().jobId(), run));
        SlurmView slurm = view.orElse(new SlurmView(Instant.EPOCH, "", List.of(), List.of(), List.of()));
        Cluster cluster = new Cluster(
                slurm,
                store.liveRuns().stream()
                        .filter(run ->
                                run.state().holdsAllocation() && !run.asOf().isBefore(slurm.at()))
                        .toList(),
                FactSource.gpusOfNodes(store.gpus(), now));
        List<Part> parts = new ArrayList<>();
        for (Run run : newest.values().stream().limit(MOST_PARTS).toList()) {
            parts.add(explain(run, cluster, now));
        }
        if (parts.isEmpty()) {
            List<PendingJob> waiting = slurm.pending().stream()
                    .filter(job -> job.displayId().equals(id)
                            || (!one
                                    && (job.jobId() == number || job.displayId().startsWith(number + "_"))))
                    .limit(MOST_PARTS)
                    .toList();
            for (PendingJob job : waiting) {
                parts.add(explain(job, cluster, now));
            }
        }
        return parts.isEmpty()
                ? Optional.empty()
                : Optional.of(new Why(now, view.map(SlurmView::at), parts, Math.max(0, newest.size() - MOST_PARTS)));
    }

    /** What came of a job or a run so far. */
    private record Past(
            Subject subject, Run.Owner owner, List<FindingRow> rows, List<Notice> notices, Exemptions exempt) {}

    private Part explain(PendingJob job, Cluster cluster, Instant now) throws StoreException {
        Subject.Waiting waiting = new Subject.Waiting(job.cluster(), job.jobId(), job.submit());
        Past past = past(waiting, job.owner(), store.openFindings(), store.noticesOf(job.jobId()), now);
        List<RuleAnswer> answers =
                rules
                        .get()
                        .explain(Rule.Scope.PENDING_JOB, window -> FactMaker.facts(job, window, now, cluster))
                        .stream()
                        .map(explanation -> answer(explanation, past))
                        .toList();
        return new Part(job.displayId(), job.owner().user(), "PENDING", Optional.empty(), now, answers);
    }

    private Past past(Subject subject, Run.Owner owner, List<FindingRow> rows, List<Notice> notices, Instant now)
            throws StoreException {
        return new Past(
                subject,
                owner,
                rows.stream().filter(row -> row.subject().equals(subject)).toList(),
                notices.stream()
                        .filter(notice -> notice.subject().equals(subject))
                        .toList(),
                new Exemptions(store.exemptions(now)));
    }

    private Part explain(Run run, Cluster cluster, Instant now) throws StoreException {
        RuleSet set = rules.get();
        FactSource source = new FactSource(store, settings.busyAboveRatio());
        Map<String, NodeState> nodes = store.nodes().stream()
                .filter(node -> run.allocation().nodes().contains(node.node()))
                .collect(Collectors.toMap(NodeState::node, Function.identity()));
        FactSource.Round round = source.round(List.of(run), nodes, cluster, now);
        round.over(set.windows(Rule.Scope.RUNNING_JOB, rule -> true), set);
        Past past = past(
                run.key(),
                run.owner(),
                store.findingsOf(run.key().jobId()),
                store.noticesOf(run.key().jobId()),
                now);
        List<RuleSet.Explanation> explanations = new ArrayList<>(
                set.explain(Rule.Scope.RUNNING_JOB, round.ofRuns().get(0)));
        if (run.end().isPresent()) {
            Map<RunKey, Supplier<JobFacts>> facts = source.ofFinished(List.of(run), nodes, cluster);
            Supplier<JobFacts> whole = facts.get(run.key());
            if (whole != null) {
                explanations.addAll(set.explain(Rule.Scope.FINISHED_JOB, window -> whole.get()));
            }
        }
        return new Part(
                run.displayId(),
                run.owner().user(),
                run.state().name(),
                Optional.of(run.key().start()),
                run.end().orElse(now),
                explanations.stream()
                        .map(explanation -> answer(explanation, past))
                        .toList());
    }

    private static RuleAnswer answer(RuleSet.Explanation explanation, Past past) {
        Rule rule = explanation.judgement().rule();
        Verdict verdict = explanation.judgement().verdict();
        return new RuleAnswer(
                rule.name(),
                rule.scope().name().toLowerCase(Locale.ROOT),
                verdict instanceof Verdict.Finding ? "finding" : verdict instanceof Verdict.Clear ? "clear" : "unknown",
                verdict instanceof Verdict.Finding finding
                        ? finding.summary()
                        : verdict instanceof Verdict.Clear clear ? clear.why() : ((Verdict.Unknown) verdict).why(),
                verdict instanceof Verdict.Finding finding && finding.cancellable(),
                rule.timing().window().toSeconds(),
                rule.timing().hold().toSeconds(),
                explanation.coverage(),
                rule.minimumCoverage(),
                rule.parameters(),
                explanation.subject(),
                explanation.absent(),
                explanation.members(),
                verdict instanceof Verdict.Finding finding ? finding.evidence() : Map.of(),
                past.exempt()
                        .of(past.subject(), past.owner().user(), past.owner().account(), rule.name())
                        .map(one -> one.by()
                                + one.until().map(end -> " until " + end).orElse("")
                                + (one.reason().isEmpty() ? "" : ": " + one.reason())),
                past.rows().stream()
                        .filter(row -> row.rule().equals(rule.name()))
                        .map(row -> episode(row, past.notices()))
                        .toList());
    }

    private static EpisodeLine episode(FindingRow row, List<Notice> notices) {
        return new EpisodeLine(
                row.since(),
                row.state().name().toLowerCase(Locale.ROOT),
                row.lastSeen(),
                row.clearSince(),
                notices.stream()
                        .filter(notice -> notice.rule().equals(row.rule())
                                && notice.since().equals(row.since()))
                        .sorted(Comparator.comparing(Notice::createdAt))
                        .map(notice -> new Sent(
                                notice.aim().step(),
                                notice.aim().channel().name().toLowerCase(Locale.ROOT),
                                notice.state().name().toLowerCase(Locale.ROOT),
                                notice.changedAt(),
                                notice.detail()))
                        .toList());
    }
}
