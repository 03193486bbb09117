package io.fairwatch.collector.report;

import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.store.GpuSeen;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.PeriodFacts;
import io.fairwatch.collector.store.PeriodFacts.Group;
import io.fairwatch.collector.store.PeriodFacts.GroupKey;
import io.fairwatch.collector.store.PeriodFacts.Sums;
import java.time.Instant;
import java.time.ZoneId;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * What every section of a report is made of. Immutable.
 *
 * @param period what it covers
 * @param scope whose it is
 * @param settings what the site decided
 * @param structure which department and faculty an account belongs to
 * @param tree what Slurm's accounting says of accounts, users and QoS; absent if it never told
 * @param zone the site's
 * @param facts the period in sums
 * @param capacity what there was
 * @param people how people appear
 * @param earlier periods to compare with, newest first
 * @param nodes what nodes report now: scratch
 * @param gpus every GPU ever reported
 */
record Basis(
        Period period,
        Report.Scope scope,
        ReportSettings settings,
        Structure structure,
        Optional<AccountTree> tree,
        ZoneId zone,
        PeriodFacts facts,
        Capacity capacity,
        Pseudonyms people,
        List<Earlier> earlier,
        List<NodeState> nodes,
        List<GpuSeen> gpus) {

    /** An earlier period. */
    record Earlier(Period period, List<Group> groups) {
        Sums total() {
            return groups.stream().map(Group::sums).reduce(Sums.NONE, Sums::plus);
        }
    }

    Sums total() {
        return facts.groups().stream().map(Group::sums).reduce(Sums.NONE, Sums::plus);
    }

    /** Sums of runs that agree in something. */
    Map<String, Sums> by(Function<GroupKey, String> what) {
        return by(facts.groups(), what);
    }

    static Map<String, Sums> by(List<Group> groups, Function<GroupKey, String> what) {
        Map<String, Sums> sums = new LinkedHashMap<>();
        groups.forEach(group -> sums.merge(what.apply(group.key()), group.sums(), Sums::plus));
        return sums;
    }

    /** Until when the period has passed, as far as anybody told. */
    Instant until() {
        Optional<Instant> told = facts.viewAt().or(facts::accountingUntil);
        return told.filter(at -> at.isBefore(period.to())).orElse(period.to());
    }

    /** Whether it is about the whole cluster. */
    boolean whole() {
        return scope instanceof Report.Scope.Cluster;
    }
}
