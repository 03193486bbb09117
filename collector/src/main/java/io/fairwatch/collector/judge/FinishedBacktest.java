package io.fairwatch.collector.judge;

import io.fairwatch.collector.judge.Backtest.Episode;
import io.fairwatch.collector.judge.Backtest.Outcome;
import io.fairwatch.collector.judge.Backtest.Plan;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.JobFacts;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.BooleanSupplier;
import java.util.function.DoubleConsumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Rehearses a rule about finished jobs: each run that ended in the time is asked about once, by its summary, as {@link Judge}
 * does. Nodes have the shape that they have now. Confined to one thread.
 */
final class FinishedBacktest {
    private static final Duration DAY = Duration.ofDays(1);

    private final Store store;
    private final FactSource source;
    private final RuleSet set;
    private final Rule rule;
    private final Plan plan;
    private final List<Episode> episodes = new ArrayList<>();
    private int runs;
    private long judgements;
    private long unknown;

    FinishedBacktest(Store store, double busyAboveRatio, RuleSet set, Rule rule, Plan plan) {
        this.store = store;
        this.source = new FactSource(store, busyAboveRatio);
        this.set = set;
        this.rule = rule;
        this.plan = plan;
    }

    Outcome run(DoubleConsumer progress, BooleanSupplier stopped) throws StoreException {
        Map<String, NodeState> nodes =
                store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
        Cluster cluster = new Cluster(
                store.view().orElse(new SlurmView(plan.from(), "", List.of(), List.of(), List.of())),
                List.of(),
                FactSource.gpusOfNodes(store.gpus(), plan.to()));
        double whole = Duration.between(plan.from(), plan.to()).toMillis();
        Instant day = plan.from();
        while (day.isBefore(plan.to()) && !stopped.getAsBoolean()) {
            Instant from = day;
            Instant to = day.plus(DAY).isBefore(plan.to()) ? day.plus(DAY) : plan.to();
            List<Run> ended = store.runsWithin(from.minusMillis(1), to).stream() // and who ended just then
                    .filter(run -> run.end()
                            .filter(end -> !end.isBefore(from) && end.isBefore(to))
                            .isPresent())
                    .toList();
            Map<RunKey, Supplier<JobFacts>> facts = source.ofFinished(ended, nodes, cluster);
            for (Run run : ended) {
                Supplier<JobFacts> known = facts.get(run.key());
                if (known != null) {
                    judge(run, known);
                }
            }
            day = to;
            progress.accept(Duration.between(plan.from(), day).toMillis() / whole);
        }
        return new Outcome(
                rule.name(),
                plan.from(),
                plan.to(),
                rule.scope(),
                runs,
                judgements,
                unknown,
                episodes.size(),
                0,
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                0,
                0,
                episodes.stream()
                        .sorted((one, other) -> one.toldAt().compareTo(other.toldAt()))
                        .toList());
    }

    private void judge(Run run, Supplier<JobFacts> facts) {
        runs++;
        for (RuleSet.Judgement judgement :
                set.ask(Rule.Scope.FINISHED_JOB, one -> one.name().equals(rule.name()), window -> facts.get())) {
            judgements++;
            if (judgement.verdict() instanceof Verdict.Unknown) {
                unknown++;
            } else if (judgement.verdict() instanceof Verdict.Finding finding) {
                Instant end = run.end().orElseThrow();
                episodes.add(new Episode(
                        run.displayId(),
                        run.owner().user(),
                        run.allocation().gpus().orElse(run.gpus().size()),
                        end,
                        end,
                        Optional.empty(),
                        Optional.empty(),
                        run.end(),
                        finding.summary(),
                        0));
            }
        }
    }
}
