package io.fairwatch.collector.judge;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.Escalation;
import io.fairwatch.rules.Escalation.Episode;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Judges all running jobs by all rules. Confined to one thread at a time; blocks on the store. */
public final class Judge {
    private static final Logger LOG = LoggerFactory.getLogger(Judge.class);

    private final Store store;
    private final FactSource source;
    private final RuleSet rules;
    private final Planner planner;
    private final InstantSource clock;
    private final Settings settings;
    private final JsonMapper json = JsonMapper.builder().build();

    /** Runs of which it was said that they cannot be judged. */
    private final Set<RunKey> complained = new HashSet<>();

    /**
     * How to judge.
     *
     * @param busyAboveRatio a reading above this counts as busy when idle time is told
     * @param staleAfter nobody is judged when Slurm's newest answer is older than this
     */
    public record Settings(double busyAboveRatio, Duration staleAfter) {}

    /**
     * What a cycle did.
     *
     * @param judged runs that were judged
     * @param findings verdicts that found something
     * @param unknown verdicts for which not enough was known, or what was known made no sense
     * @param skipped why nobody was judged; absent when they were
     */
    public record Cycle(int judged, int findings, int unknown, Optional<String> skipped) {}

    /** Makes the notice for a finding whose owner is to be told. */
    @FunctionalInterface
    public interface Planner {
        /** The notice, to be stored together with the finding; empty if this episode has one already. */
        Optional<Notice> plan(FindingRow finding) throws StoreException;
    }

    /** A run under a rule. */
    private record Subject(RunKey run, String rule) {}

    /** What comes of a verdict: the episode as it is to be kept, and the notice for its owner. */
    private record Decision(Verdict verdict, Optional<FindingRow> row, Optional<Notice> notice) {}

    /**
     * @param planner makes the notice for a finding whose owner is to be told; it is stored together with the finding
     */
    public Judge(Store store, RuleSet rules, Planner planner, InstantSource clock, Settings settings) {
        this.store = store;
        this.source = new FactSource(store, settings.busyAboveRatio());
        this.rules = rules;
        this.planner = planner;
        this.clock = clock;
        this.settings = settings;
    }

    /** Judges once. */
    public Cycle cycle() throws StoreException {
        Instant now = clock.instant();
        Optional<SlurmView> view = store.view();
        if (view.isEmpty()) {
            return skipped("Slurm has not answered yet");
        }
        Instant asOf = view.get().at();
        if (asOf.isBefore(now.minus(settings.staleAfter()))) {
            return skipped("Slurm's newest answer is of " + asOf);
        }
        List<Run> live = store.liveRuns();
        List<Run> running = live.stream()
                .filter(run -> run.state() == JobState.RUNNING && !run.asOf().isBefore(asOf))
                .toList();
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        Map<Subject, FindingRow> open = store.openFindings().stream()
                .collect(Collectors.toMap(row -> new Subject(row.run(), row.rule()), Function.identity()));

        List<FindingRow> findings = new ArrayList<>(ofEndedRuns(open.values(), live, now));
        List<Notice> notices = new ArrayList<>();
        int found = 0;
        int unknown = 0;
        FactSource.Round facts = source.round(running, nodes, now);
        for (Rule rule : rules.rules()) {
            FactSource.Window window = facts.over(rule.timing().window());
            for (Run run : running) {
                Optional<FindingRow> before = Optional.ofNullable(open.get(new Subject(run.key(), rule.name())));
                Decision decision;
                try {
                    Verdict verdict = rules.judge(rule, window.of(run));
                    decision = decide(run, rule, verdict, before, now);
                } catch (RuntimeException odd) {
                    complain(run, rule, odd);
                    unknown++;
                    continue;
                }
                found += decision.verdict() instanceof Verdict.Finding ? 1 : 0;
                unknown += decision.verdict() instanceof Verdict.Unknown ? 1 : 0;
                decision.row().ifPresent(findings::add);
                decision.notice().ifPresent(notices::add);
            }
        }
        complained.retainAll(running.stream().map(Run::key).toList());
        store.saveFindings(findings, notices);
        return new Cycle(running.size(), found, unknown, Optional.empty());
    }

    private Decision decide(Run run, Rule rule, Verdict verdict, Optional<FindingRow> before, Instant now)
            throws StoreException {
        Escalation.Step step = Escalation.step(before.map(Judge::episode), verdict, rule.timing(), now);
        if (step.episode().isEmpty()) {
            return new Decision(verdict, Optional.empty(), Optional.empty());
        }
        FindingRow row = row(run, rule, step.episode().get(), verdict, before);
        return new Decision(
                verdict,
                Optional.of(row),
                step.actions().contains(Escalation.Action.TELL_OWNER) ? planner.plan(row) : Optional.empty());
    }

    /** Says once for each run that it cannot be judged; the other runs are. */
    private void complain(Run run, Rule rule, RuntimeException odd) {
        if (complained.add(run.key())) {
            LOG.warn("job={} is not judged by rule={}: {}", run.key().jobId(), rule.name(), odd.toString(), odd);
        }
    }

    private static Cycle skipped(String why) {
        return new Cycle(0, 0, 0, Optional.of(why));
    }

    /** Episodes of runs that are over are over themselves. */
    private static List<FindingRow> ofEndedRuns(Collection<FindingRow> open, List<Run> live, Instant now) {
        Set<RunKey> alive = live.stream().map(Run::key).collect(Collectors.toSet());
        return open.stream()
                .filter(row -> !alive.contains(row.run()))
                .map(row -> new FindingRow(
                        row.run(),
                        row.rule(),
                        row.since(),
                        FindingRow.State.RESOLVED,
                        row.lastSeen(),
                        Optional.of(row.clearSince().orElse(now)),
                        row.toldAt(),
                        row.user(),
                        row.summary(),
                        row.fix(),
                        row.evidence()))
                .toList();
    }

    private static Episode episode(FindingRow row) {
        return new Episode(
                switch (row.state()) {
                    case SUSPECTED -> Escalation.State.SUSPECTED;
                    case FOUND -> Escalation.State.FOUND;
                    case TOLD -> Escalation.State.TOLD;
                    case RESOLVED -> Escalation.State.RESOLVED;
                },
                row.since(),
                row.lastSeen(),
                row.clearSince(),
                row.toldAt());
    }

    private FindingRow row(Run run, Rule rule, Episode episode, Verdict verdict, Optional<FindingRow> before) {
        Optional<Verdict.Finding> finding =
                verdict instanceof Verdict.Finding now ? Optional.of(now) : Optional.empty();
        return new FindingRow(
                run.key(),
                rule.name(),
                episode.since(),
                switch (episode.state()) {
                    case SUSPECTED -> FindingRow.State.SUSPECTED;
                    case FOUND -> FindingRow.State.FOUND;
                    case TOLD -> FindingRow.State.TOLD;
                    case RESOLVED -> FindingRow.State.RESOLVED;
                },
                episode.lastSeen(),
                episode.clearSince(),
                episode.toldAt(),
                run.owner().user(),
                finding.map(Verdict.Finding::summary)
                        .or(() -> before.map(FindingRow::summary))
                        .orElse(""),
                finding.map(Verdict.Finding::fix)
                        .or(() -> before.map(FindingRow::fix))
                        .orElse(""),
                finding.map(this::evidence)
                        .or(() -> before.map(FindingRow::evidence))
                        .orElse("{}"));
    }

    /** The numbers behind a finding, and which GPUs it means. */
    private String evidence(Verdict.Finding finding) {
        Map<String, Object> evidence = new LinkedHashMap<>(finding.evidence());
        evidence.put(
                "selected",
                finding.selected().stream().flatMap(gpu -> gpu.uuid().stream()).toList());
        try {
            return json.writeValueAsString(evidence);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("evidence of plain values cannot be written", e);
        }
    }
}
