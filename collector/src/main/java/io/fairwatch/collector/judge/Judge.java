package io.fairwatch.collector.judge;

import io.fairwatch.collector.run.JobState;
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
import io.fairwatch.collector.usage.LiveRuns;
import io.fairwatch.rules.JobFacts;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.NodeFacts;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.UserFacts;
import io.fairwatch.rules.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Judges all running jobs by all rules. Confined to one thread at a time; blocks on the store. */
public final class Judge {
    private static final Logger LOG = LoggerFactory.getLogger(Judge.class);

    /**
     * A rule is asked so often while its window passes: what a longer time adds up to changes more slowly. Short ones are
     * asked in each cycle.
     */
    private static final int PER_WINDOW = 12;

    private static final Duration SHORTEST_REST = Duration.ofMinutes(1);
    private static final Duration LONGEST_REST = Duration.ofMinutes(10);
    /**
     * Up to so many running jobs are all judged by what the store knows: their readings are added up in a second or two. Of
     * more, sums in memory tell first for which of them that is needed.
     */
    private static final int MANY = 5_000;

    /** Running jobs of which is held in memory at one time what they did: each time the store reads what is of all. */
    private static final int AT_ONCE = 20_000;

    /** The same of sums: fewer, because what lives briefly costs the garbage collector little. */
    private static final int SUMS_AT_ONCE = 10_000;

    private static final Duration NODES_EVERY = Duration.ofMinutes(5);
    private static final Duration USERS_EVERY = Duration.ofHours(1);

    /** Until when ended runs have been judged. */
    private static final String FINISHED = "finished_judged_until";

    private static final Duration SETTLED = Duration.ofMinutes(2);
    private static final Duration FIRST_LOOK = Duration.ofHours(1);
    private static final Duration LONGEST_STEP = Duration.ofHours(6);

    private final Store store;
    private final FactSource source;
    private final WiderFacts wider;
    private final Supplier<RuleSet> inForce;
    private final Episodes episodes;
    private final InstantSource clock;
    private final Settings settings;
    private final int many;
    /** When rules about running jobs were asked last, by their longest window. */
    private final Map<Duration, Instant> lastAsked = new HashMap<>();

    private Instant lastNodes = Instant.EPOCH;
    private Instant lastUsers = Instant.EPOCH;

    /** What the newest cycle found of running jobs by what the store knows. */
    private volatile Set<Place> certain = Set.of();

    /** Runs of which it was said that they cannot be judged. */
    private final Set<Subject> complained = new HashSet<>();

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

    /** A subject under a rule. */
    private record Place(Subject subject, String rule) {}

    /** What a cycle gathers. Confined to it. */
    private final class Gathering {
        private final String cluster;
        private final Instant now;
        private final Map<Place, FindingRow> open;
        private final Set<Subject> troubled;
        /** Of whom something is to be said or done now. */
        private final Set<Subject> pressing;

        private final Set<Place> certain = new HashSet<>();
        private final Exemptions exempt;
        private final List<FindingRow> findings = new ArrayList<>();
        private final List<Notice> notices = new ArrayList<>();
        private final Set<Duration> asked = new HashSet<>();
        private int found;
        private int unknown;

        Gathering(String cluster, Set<Subject> toTell, Instant now) throws StoreException {
            this.cluster = cluster;
            this.now = now;
            this.open = store.openFindings().stream()
                    .collect(Collectors.toMap(row -> new Place(row.subject(), row.rule()), Function.identity()));
            this.troubled = open.values().stream().map(FindingRow::subject).collect(Collectors.toSet());
            this.pressing = new HashSet<>(toTell);
            store.noticesIn(List.of(Notice.State.PLANNED, Notice.State.SENDING)).stream()
                    .filter(notice -> notice.aim().channel() == Notice.Channel.SLURM)
                    .map(Notice::subject)
                    .forEach(pressing::add);
            this.exempt = new Exemptions(store.exemptions(now));
        }

        /** A rule that was taken away, renamed or switched off finds nothing any more, and nobody is told what it found. */
        void endThoseWithoutRule(RuleSet rules) {
            Set<String> names = rules.rules().stream().map(Rule::name).collect(Collectors.toSet());
            open.values().stream()
                    .filter(row -> !names.contains(row.rule()))
                    .map(row -> row.resolved(now))
                    .forEach(findings::add);
        }

        /** Without those that nothing can come of: nearly all. */
        List<RuleSet.Judgement> remarkable(Subject subject, List<RuleSet.Judgement> judgements) {
            return troubled.contains(subject)
                    ? judgements
                    : judgements.stream()
                            .filter(judgement -> !(judgement.verdict() instanceof Verdict.Clear))
                            .toList();
        }

        void take(Subject subject, String user, String account, Optional<Run> run, RuleSet.Judgement judgement)
                throws StoreException {
            judgement.odd().ifPresent(odd -> complain(subject, judgement.rule(), odd));
            Optional<FindingRow> before = before(subject, judgement.rule());
            if (judgement.verdict() instanceof Verdict.Clear && before.isEmpty()) {
                return;
            }
            Optional<Episodes.Decision> decision = decide(subject, user, account, run, judgement, before);
            if (decision.isEmpty()) {
                unknown++;
                return;
            }
            found += judgement.verdict() instanceof Verdict.Finding ? 1 : 0;
            unknown += judgement.verdict() instanceof Verdict.Unknown ? 1 : 0;
            decision.get().row().ifPresent(findings::add);
            notices.addAll(decision.get().notices());
        }

        /** Whether anything would change because of it but for when it was seen. */
        boolean isNews(Run run, RuleSet.Judgement judgement) {
            if (judgement.odd().isPresent()) {
                return true; // then it is complained of
            }
            Optional<FindingRow> before = before(run.key(), judgement.rule());
            if (!(judgement.verdict() instanceof Verdict.Finding) && before.isEmpty()) {
                return false;
            }
            Rule rule = judgement.rule();
            try {
                return episodes.isNews(
                        rule,
                        judgement.verdict(),
                        before,
                        isPaused(run.key(), run.owner().user(), run.owner().account(), rule),
                        now);
            } catch (RuntimeException odd) {
                return true;
            }
        }

        private boolean isPaused(Subject subject, String user, String account, Rule rule) {
            return exempt.of(subject, user, account, rule.name()).isPresent();
        }

        private Optional<FindingRow> before(Subject subject, Rule rule) {
            return Optional.ofNullable(open.get(new Place(subject, rule.name())));
        }

        /** What comes of it; empty: it makes no sense. */
        private Optional<Episodes.Decision> decide(
                Subject subject,
                String user,
                String account,
                Optional<Run> run,
                RuleSet.Judgement judgement,
                Optional<FindingRow> before)
                throws StoreException {
            Rule rule = judgement.rule();
            try {
                boolean paused = exempt.of(subject, user, account, rule.name()).isPresent();
                return Optional.of(episodes.decide(subject, user, run, rule, judgement.verdict(), before, paused, now));
            } catch (RuntimeException odd) {
                complain(subject, rule, odd);
                return Optional.empty();
            }
        }
    }

    /**
     * @param planner makes the notices that are due; they are stored together with their findings
     */
    public Judge(Store store, RuleSet rules, Episodes.Planner planner, InstantSource clock, Settings settings) {
        this(store, new LiveRuns(settings.busyAboveRatio()), () -> rules, planner, clock, settings);
    }

    /**
     * @param live what it knows is not asked of the store
     * @param inForce the rules, asked for once in each cycle
     * @param planner as before
     */
    public Judge(
            Store store,
            LiveRuns live,
            Supplier<RuleSet> inForce,
            Episodes.Planner planner,
            InstantSource clock,
            Settings settings) {
        this(store, live, inForce, planner, clock, settings, MANY);
    }

    /** @param many up to so many running jobs are all judged by what the store knows */
    Judge(
            Store store,
            LiveRuns live,
            Supplier<RuleSet> inForce,
            Episodes.Planner planner,
            InstantSource clock,
            Settings settings,
            int many) {
        this.store = store;
        this.source = new FactSource(store, live, settings.busyAboveRatio(), clock);
        this.wider = new WiderFacts(store, settings.busyAboveRatio());
        this.inForce = inForce;
        this.episodes = new Episodes(planner, settings.ladder());
        this.clock = clock;
        this.settings = settings;
        this.many = many;
    }

    /**
     * Judges once.
     *
     * @param toTell of whom people are about to be told what was found before; these are judged by all rules, and by readings
     */
    public Cycle cycle(Set<Subject> toTell) throws StoreException {
        certain = Set.of();
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
        Cluster cluster = new Cluster(
                view.get(),
                live.stream()
                        .filter(run ->
                                run.state().holdsAllocation() && !run.asOf().isBefore(asOf))
                        .toList(),
                FactSource.gpusOfNodes(store.gpus(), now));
        Map<String, NodeState> nodes = nodesByName();
        Gathering gathering = new Gathering(view.get().cluster(), toTell, now);
        Set<Subject> alive = alive(live, view.get().pending());
        gathering.findings.addAll(Episodes.ofEnded(
                gathering.open.values(),
                subject -> subject instanceof Subject.OnNode
                        || subject instanceof Subject.Person
                        || alive.contains(subject),
                now));
        RuleSet rules = inForce.get();
        gathering.endThoseWithoutRule(rules);
        judgeRunning(rules, running, nodes, cluster, gathering);
        judgePending(rules, view.get().pending(), cluster, gathering);
        judgeNodes(rules, running, nodes, cluster, gathering);
        judgeUsers(rules, view.get(), running, nodes, gathering);
        Optional<Instant> finishedUntil = judgeFinished(rules, nodes, cluster, gathering);
        complained.retainAll(running.stream().map(Run::key).toList());
        store.saveFindings(gathering.findings, gathering.notices);
        // not before: what could not be saved is asked again
        gathering.asked.forEach(window -> lastAsked.put(window, now));
        if (finishedUntil.isPresent()) {
            // after the notes: when this is lost they are made again, and are the same
            store.saveMark(FINISHED, finishedUntil.get());
        }
        certain = Set.copyOf(gathering.certain);
        return new Cycle(running.size(), gathering.found, gathering.unknown, Optional.empty());
    }

    private Map<String, NodeState> nodesByName() throws StoreException {
        return store.nodes().stream().collect(Collectors.toMap(NodeState::node, Function.identity()));
    }

    /** Nodes have much that changes seldom, and a short hold: every few minutes will do. */
    private void judgeNodes(
            RuleSet rules, List<Run> running, Map<String, NodeState> nodes, Cluster cluster, Gathering gathering)
            throws StoreException {
        if (!due(lastNodes, NODES_EVERY, gathering.now)) {
            return;
        }
        Map<Duration, Map<String, NodeFacts>> facts = new HashMap<>();
        for (Duration window : rules.windows(Rule.Scope.NODE, rule -> true)) {
            facts.put(window, wider.ofNodes(window, nodes, running, cluster, gathering.now));
        }
        List<String> names = List.copyOf(nodes.keySet());
        List<List<RuleSet.Judgement>> judged = names.parallelStream()
                .map(node -> rules.judge(
                        Rule.Scope.NODE,
                        rule -> true,
                        window -> Objects.requireNonNull(
                                Objects.requireNonNull(facts.get(window)).get(node))))
                .toList();
        for (int i = 0; i < names.size(); i++) {
            for (RuleSet.Judgement judgement : judged.get(i)) {
                gathering.take(
                        new Subject.OnNode(gathering.cluster, names.get(i)), "", "", Optional.empty(), judgement);
            }
        }
        lastNodes = gathering.now;
    }

    /** A week changes little within an hour. */
    private void judgeUsers(
            RuleSet rules, SlurmView view, List<Run> running, Map<String, NodeState> nodes, Gathering gathering)
            throws StoreException {
        Set<Duration> windows = rules.windows(Rule.Scope.USER, rule -> true);
        if (windows.isEmpty() || !due(lastUsers, USERS_EVERY, gathering.now)) {
            return;
        }
        Map<Duration, Map<String, UserFacts>> facts = new HashMap<>();
        Set<String> everybody = new HashSet<>();
        for (Duration window : windows) {
            Map<String, UserFacts> known = wider.ofUsers(window, nodes, running, view.pending(), gathering.now);
            facts.put(window, known);
            everybody.addAll(known.keySet());
        }
        for (String user : everybody) {
            for (RuleSet.Judgement judgement : rules.judge(Rule.Scope.USER, rule -> true, window -> {
                UserFacts known = Objects.requireNonNull(facts.get(window)).get(user);
                if (known == null) {
                    throw new IllegalArgumentException(user + " did nothing in the last " + window);
                }
                return known;
            })) {
                gathering.take(new Subject.Person(view.cluster(), user), user, "", Optional.empty(), judgement);
            }
        }
        // who did nothing in the whole period has nothing to answer for
        gathering.open.values().stream()
                .filter(row -> row.subject() instanceof Subject.Person person && !everybody.contains(person.user()))
                .forEach(row -> gathering.findings.add(row.resolved(gathering.now)));
        lastUsers = gathering.now;
    }

    private static boolean due(Instant last, Duration every, Instant now) {
        return last.isAfter(now) || !last.plus(every).isAfter(now);
    }

    /** What episodes can be about now; those of nodes and users end by their own verdicts. */
    private static Set<Subject> alive(List<Run> live, List<PendingJob> pending) {
        Set<Subject> alive = new HashSet<>();
        live.forEach(run -> alive.add(run.key()));
        pending.forEach(job -> alive.add(waiting(job)));
        return alive;
    }

    private static Subject waiting(PendingJob job) {
        return new Subject.Waiting(job.cluster(), job.jobId(), job.submit());
    }

    private void judgeRunning(
            RuleSet rules, List<Run> running, Map<String, NodeState> nodes, Cluster cluster, Gathering gathering)
            throws StoreException {
        Map<Set<Duration>, Set<Rule>> byWindows = new LinkedHashMap<>();
        rules.rules().stream()
                .filter(rule -> rule.scope() == Rule.Scope.RUNNING_JOB)
                .forEach(rule -> byWindows
                        .computeIfAbsent(
                                rules.windows(Rule.Scope.RUNNING_JOB, rule::equals),
                                windows -> Collections.newSetFromMap(new IdentityHashMap<>()))
                        .add(rule));
        gathering.asked.addAll(asked(byWindows, gathering.now));
        Map<Set<Duration>, Set<Rule>> due = new LinkedHashMap<>(byWindows);
        due.keySet().removeIf(windows -> !gathering.asked.contains(Collections.max(windows)));
        // where a mail or a deed is about to go out, it must still be true
        Map<Boolean, List<Run>> urgent =
                running.stream().collect(Collectors.partitioningBy(run -> gathering.pressing.contains(run.key())));
        List<Run> others = urgent.getOrDefault(false, List.of());
        judgeRunning(rules, due, others, others.size() > many, nodes, cluster, gathering);
        judgeRunning(rules, byWindows, urgent.getOrDefault(true, List.of()), false, nodes, cluster, gathering);
    }

    /** Of many runs sums in memory tell for which anything is new; these are judged again by what the store knows. */
    private void judgeRunning(
            RuleSet rules,
            Map<Set<Duration>, Set<Rule>> byWindows,
            List<Run> running,
            boolean bySums,
            Map<String, NodeState> nodes,
            Cluster cluster,
            Gathering gathering)
            throws StoreException {
        if (byWindows.isEmpty()) {
            return;
        }
        List<Run> news = bySums ? news(rules, byWindows, running, cluster, gathering) : running;
        for (List<Run> some : parts(news, AT_ONCE)) {
            FactSource.Round readings = source.round(some, nodes, cluster, gathering.now);
            List<List<RuleSet.Judgement>> judged = judge(rules, byWindows, some, readings, gathering);
            for (int i = 0; i < some.size(); i++) {
                RunKey run = some.get(i).key();
                take(some.get(i), judged.get(i), gathering);
                judged.get(i).stream()
                        .filter(judgement -> judgement.verdict() instanceof Verdict.Finding)
                        .forEach(judgement -> gathering.certain.add(
                                new Place(run, judgement.rule().name())));
            }
        }
    }

    /** Judges by sums in memory, and leaves out those of which more must be known. */
    private List<Run> news(
            RuleSet rules,
            Map<Set<Duration>, Set<Rule>> byWindows,
            List<Run> running,
            Cluster cluster,
            Gathering gathering)
            throws StoreException {
        List<Run> news = new ArrayList<>();
        for (List<Run> some : parts(running, SUMS_AT_ONCE)) {
            // sums go on while others are judged: what they are of must end with them
            FactSource.Round sums = source.largeRound(some, nodesByName(), cluster, clock.instant());
            List<List<RuleSet.Judgement>> judged = judge(rules, byWindows, some, sums, gathering);
            for (int i = 0; i < some.size(); i++) {
                Run run = some.get(i);
                if (judged.get(i).stream().anyMatch(judgement -> gathering.isNews(run, judgement))) {
                    news.add(run);
                } else {
                    take(run, judged.get(i), gathering);
                }
            }
        }
        return news;
    }

    /** What a large cluster did in one window fills much memory: some runs after the others. */
    private static List<List<Run>> parts(List<Run> runs, int most) {
        List<List<Run>> parts = new ArrayList<>();
        for (int from = 0; from < runs.size(); from += most) {
            parts.add(runs.subList(from, Math.min(from + most, runs.size())));
        }
        return parts;
    }

    private static void take(Run run, List<RuleSet.Judgement> judgements, Gathering gathering) throws StoreException {
        for (RuleSet.Judgement judgement : judgements) {
            gathering.take(run.key(), run.owner().user(), run.owner().account(), Optional.of(run), judgement);
        }
    }

    /** What rules say of each run, in their order. */
    private static List<List<RuleSet.Judgement>> judge(
            RuleSet rules,
            Map<Set<Duration>, Set<Rule>> byWindows,
            List<Run> runs,
            FactSource.Round facts,
            Gathering gathering)
            throws StoreException {
        List<List<RuleSet.Judgement>> judged = new ArrayList<>(Collections.nCopies(runs.size(), List.of()));
        for (Map.Entry<Set<Duration>, Set<Rule>> group : byWindows.entrySet()) {
            facts.over(group.getKey(), rules);
            judge(rules, group.getValue(), runs, facts.ofRuns(), gathering, judged);
        }
        judged.replaceAll(rules::withoutCovered);
        return judged;
    }

    /** Runs are judged each by itself, on all cores; what comes of it is decided in their order. */
    private static void judge(
            RuleSet rules,
            Set<Rule> asked,
            List<Run> runs,
            List<FactSource.RunFacts> facts,
            Gathering gathering,
            List<List<RuleSet.Judgement>> judged) {
        IntStream.range(0, runs.size()).parallel().forEach(i -> {
            List<RuleSet.Judgement> some = gathering.remarkable(
                    runs.get(i).key(), rules.ask(Rule.Scope.RUNNING_JOB, asked::contains, facts.get(i)));
            if (!some.isEmpty()) {
                judged.set(i, plus(judged.get(i), some));
            }
        });
    }

    /**
     * Which windows it is time for: with a long one all that are shorter, and with each rule those that cover it, for what
     * they find takes the place of what it finds.
     */
    private List<Duration> asked(Map<Set<Duration>, Set<Rule>> groups, Instant now) {
        List<Duration> windows = groups.keySet().stream()
                .map(Collections::max)
                .distinct()
                .sorted()
                .toList();
        lastAsked.keySet().retainAll(windows);
        Duration longest = Duration.ZERO;
        for (Duration window : windows) {
            if (due(lastAsked.getOrDefault(window, Instant.EPOCH), rest(window), now)) {
                longest = window;
            }
        }
        Map<String, Duration> ofRule = new HashMap<>();
        groups.forEach((its, rules) -> rules.forEach(rule -> ofRule.put(rule.name(), Collections.max(its))));
        for (Duration before = Duration.ZERO; !before.equals(longest); ) {
            before = longest;
            for (Set<Rule> rules : groups.values()) {
                for (Rule rule : rules) {
                    if (ofRule.getOrDefault(rule.name(), Duration.ZERO).compareTo(before) <= 0) {
                        for (String covering : rule.coveredBy()) {
                            Duration other = ofRule.getOrDefault(covering, Duration.ZERO);
                            longest = other.compareTo(longest) > 0 ? other : longest;
                        }
                    }
                }
            }
        }
        Duration most = longest;
        return windows.stream().filter(window -> window.compareTo(most) <= 0).toList();
    }

    private static Duration rest(Duration window) {
        Duration part = window.dividedBy(PER_WINDOW);
        if (part.compareTo(SHORTEST_REST) < 0) {
            return Duration.ZERO;
        }
        return part.compareTo(LONGEST_REST) < 0 ? part : LONGEST_REST;
    }

    private static <T> List<T> plus(List<T> some, List<T> more) {
        List<T> all = new ArrayList<>(some);
        all.addAll(more);
        return all;
    }

    private void judgePending(RuleSet rules, List<PendingJob> pending, Cluster cluster, Gathering gathering)
            throws StoreException {
        for (PendingJob job : pending) {
            for (RuleSet.Judgement judgement : rules.judge(
                    Rule.Scope.PENDING_JOB,
                    rule -> true,
                    window -> FactMaker.facts(job, window, gathering.now, cluster))) {
                gathering.take(waiting(job), job.owner().user(), job.owner().account(), Optional.empty(), judgement);
            }
        }
    }

    /** Makes notes on runs that ended since the last time; returns until when that is done. */
    private Optional<Instant> judgeFinished(
            RuleSet rules, Map<String, NodeState> nodes, Cluster cluster, Gathering gathering) throws StoreException {
        Optional<Instant> accounting = store.accountingUntil();
        if (accounting.isEmpty()
                || rules.windows(Rule.Scope.FINISHED_JOB, rule -> true).isEmpty()) {
            return Optional.empty();
        }
        // what nodes kept back while they could not reach us should have come
        Instant until = gathering.now.minus(SETTLED).isBefore(accounting.get())
                ? gathering.now.minus(SETTLED)
                : accounting.get();
        Instant from = store.mark(FINISHED).orElse(until.minus(FIRST_LOOK));
        if (!from.isBefore(until)) {
            return Optional.empty();
        }
        if (from.isBefore(until.minus(LONGEST_STEP))) {
            until = from.plus(LONGEST_STEP); // a long absence is made good in steps
        }
        Instant last = until;
        List<Run> ended = store.runsWithin(from.minusMillis(1), until).stream() // and who ended just then
                .filter(run -> run.end()
                        .filter(end -> !end.isBefore(from) && end.isBefore(last))
                        .isPresent())
                .toList();
        Map<RunKey, Supplier<JobFacts>> facts = source.ofFinished(ended, nodes, cluster);
        for (Run run : ended) {
            Supplier<JobFacts> known = facts.get(run.key());
            if (known == null) {
                continue; // it took no time at all
            }
            for (RuleSet.Judgement judgement :
                    rules.judge(Rule.Scope.FINISHED_JOB, rule -> true, window -> known.get())) {
                if (judgement.verdict() instanceof Verdict.Finding finding) {
                    gathering.findings.add(Episodes.note(run, judgement.rule(), finding));
                }
            }
        }
        return Optional.of(until);
    }

    /** Says once for each subject that it cannot be judged; the others are. */
    private void complain(Subject subject, Rule rule, RuntimeException odd) {
        if (complained.add(subject)) {
            LOG.warn("subject={} is not judged by rule={}: {}", subject, rule.name(), odd.toString(), odd);
        }
    }

    /** Whether the newest cycle found that what a notice about a running job tells is so. */
    public boolean isCertain(Notice notice) {
        return certain.contains(new Place(notice.subject(), notice.rule()));
    }

    private static Cycle skipped(String why) {
        return new Cycle(0, 0, 0, Optional.of(why));
    }
}
