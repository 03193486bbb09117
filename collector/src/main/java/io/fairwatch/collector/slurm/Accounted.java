package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/** Joins what accounting tells of ended runs with what was known of them. Stateless. */
final class Accounted {
    private Accounted() {}

    /**
     * What is news of ended runs, joined with what is known of the same runs.
     *
     * @param countsGpus whether accounting counts GPUs; if not, that it tells none says nothing
     */
    static List<Run> news(List<Run> ended, List<Run> known, boolean countsGpus) {
        Map<RunKey, Run> byKey = new HashMap<>();
        known.forEach(run -> byKey.put(run.key(), run));
        List<Run> news = new ArrayList<>();
        for (Run told : ended) {
            Run run = countsGpus || told.allocation().gpus().orElse(0) > 0 ? told : withUnknownGpus(told);
            Run before = byKey.get(run.key());
            Run after = before == null ? run : join(run, before);
            if (!after.equals(before)) {
                news.add(after);
            }
        }
        return news;
    }

    /**
     * Accounting tells how a run ended; what squeue told while it ran is better for the rest: the name before slurmdbd
     * changed its quotes, whether it was interactive, its GPUs, and their number where accounting does not track GPUs.
     */
    private static Run join(Run ended, Run known) {
        Run.Allocation told = ended.allocation();
        Run.Allocation before = known.allocation();
        OptionalInt gpus = told.gpus().orElse(0) > 0 ? told.gpus() : before.gpus();
        Run.Allocation allocation = new Run.Allocation(
                // in the order in which the GPUs were told
                Set.copyOf(told.nodes()).equals(Set.copyOf(before.nodes())) ? before.nodes() : told.nodes(),
                told.cpus().isPresent() ? told.cpus() : before.cpus(),
                told.memoryBytes().isPresent() ? told.memoryBytes() : before.memoryBytes(),
                gpus.isPresent() ? gpus : told.gpus(),
                told.tres().isEmpty() ? before.tres() : told.tres());
        Run joined = new Run(
                ended.key(),
                ended.ids(),
                ended.owner(),
                known.name().isEmpty() ? ended.name() : known.name(),
                known.interactive(),
                ended.submit(),
                ended.end(),
                ended.timeLimit(),
                ended.suspended(),
                ended.state(),
                ended.stateText(),
                allocation,
                known.gpus(),
                known.asOf(),
                new Run.Also(
                        ended.eligible().or(known::eligible),
                        known.resumed(),
                        known.comment(),
                        ended.reservation().or(known::reservation)));
        // Only when nothing else is new does it stay as it was said before.
        return joined.equals(known) ? known : withAsOf(joined, ended.asOf());
    }

    private static Run withUnknownGpus(Run run) {
        Run.Allocation told = run.allocation();
        return new Run(
                run.key(),
                run.ids(),
                run.owner(),
                run.name(),
                run.interactive(),
                run.submit(),
                run.end(),
                run.timeLimit(),
                run.suspended(),
                run.state(),
                run.stateText(),
                new Run.Allocation(told.nodes(), told.cpus(), told.memoryBytes(), OptionalInt.empty(), told.tres()),
                run.gpus(),
                run.asOf(),
                run.also());
    }

    private static Run withAsOf(Run run, Instant asOf) {
        return new Run(
                run.key(),
                run.ids(),
                run.owner(),
                run.name(),
                run.interactive(),
                run.submit(),
                run.end(),
                run.timeLimit(),
                run.suspended(),
                run.state(),
                run.stateText(),
                run.allocation(),
                run.gpus(),
                asOf,
                run.also());
    }
}
