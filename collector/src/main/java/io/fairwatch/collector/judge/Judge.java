package io.fairwatch.collector.judge;

import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.Exemptions;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
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
    private final Episodes episodes;
    private final InstantSource clock;
    private final Settings settings;

    /** Runs of which it was said that they cannot be judged. */
    private final Set<RunKey> complained = new HashSet<>();

    /**
     * How to judge.
     *
     * @param busyAboveRatio a reading above this counts as busy when idle time is told
     * @param staleAfter nobody is judged when Slurm's newest answer is older than this
     * @param ladder who hears of findings of rules that do not say so themselves
     */
    public record Settings(double busyAboveRatio, Duration staleAfter, Ladder ladder) {}

    /**
     * What a cycle did.
     *
     * @param judged runs that were judged
     * @param findings verdicts that found something
     * @param unknown verdicts for which not enough was known, or what was known made no sense
     * @param skipped why nobody was judged; absent when they were
     */
    public record Cycle(int judged, int findings, int unknown, Optional<String> skipped) {}

    /** A run under a rule. */
    private record Subject(RunKey run, String rule) {}

    /**
     * @param planner makes the notices that are due; they are stored together with their findings
     */
    public Judge(Store store, RuleSet rules, Episodes.Planner planner, InstantSource clock, Settings settings) {
        this.store = store;
        this.source = new FactSource(store, settings.busyAboveRatio());
        this.rules = rules;
        this.episodes = new Episodes(planner, settings.ladder());
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

        Exemptions exempt = new Exemptions(store.exemptions(now));

        List<FindingRow> findings = new ArrayList<>(
                Episodes.ofEndedRuns(open.values(), live.stream().map(Run::key).collect(Collectors.toSet()), now));
        List<Notice> notices = new ArrayList<>();
        int found = 0;
        int unknown = 0;
        FactSource.Round facts = source.round(running, nodes, now);
        for (Rule rule : rules.rules()) {
            FactSource.Window window = facts.over(rule.timing().window());
            for (Run run : running) {
                Optional<FindingRow> before = Optional.ofNullable(open.get(new Subject(run.key(), rule.name())));
                Verdict verdict;
                Episodes.Decision decision;
                try {
                    verdict = rules.judge(rule, window.of(run));
                    boolean paused = exempt.of(
                                    run.key(), run.owner().user(), run.owner().account(), rule.name())
                            .isPresent();
                    decision = episodes.decide(run, rule, verdict, before, paused, now);
                } catch (RuntimeException odd) {
                    complain(run, rule, odd);
                    unknown++;
                    continue;
                }
                found += verdict instanceof Verdict.Finding ? 1 : 0;
                unknown += verdict instanceof Verdict.Unknown ? 1 : 0;
                decision.row().ifPresent(findings::add);
                notices.addAll(decision.notices());
            }
        }
        complained.retainAll(running.stream().map(Run::key).toList());
        store.saveFindings(findings, notices);
        return new Cycle(running.size(), found, unknown, Optional.empty());
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
}
