package io.fairwatch.collector.judge;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.Horizon;
import io.fairwatch.rules.Escalation;
import io.fairwatch.rules.Escalation.Episode;
import io.fairwatch.rules.GpuFacts;
import io.fairwatch.rules.JobAllocation;
import io.fairwatch.rules.JobFacts;
import io.fairwatch.rules.JobUse;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Judges all running jobs by all rules. Confined to one thread at a time; blocks on the store. */
public final class Judge {
    private static final Logger LOG = LoggerFactory.getLogger(Judge.class);

    /** Coverage of a run's past from which it can be said that something never happened in it. */
    private static final double SEEN_WELL = 0.9;

    private final Store store;
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
        Map<RunKey, List<GpuUse>> whole = new HashMap<>();
        for (Rule rule : rules.rules()) {
            Optional<Duration> window = Optional.of(rule.timing().window());
            Map<RunKey, List<GpuUse>> gpus = gpuUse(running, nodes, now, window);
            Map<RunKey, io.fairwatch.collector.store.JobUse> jobs =
                    store.jobUse(spans(running, nodes, now, window)).stream()
                            .collect(Collectors.toMap(io.fairwatch.collector.store.JobUse::run, Function.identity()));
            // the past of a run matters only where something is idle now, and can be weeks long
            List<Run> idle = running.stream()
                    .filter(run -> !whole.containsKey(run.key()))
                    .filter(run -> gpus.getOrDefault(run.key(), List.of()).stream()
                            .anyMatch(use -> use.lastBusyAt().isEmpty()))
                    .toList();
            whole.putAll(gpuUse(idle, nodes, now, Optional.empty()));
            for (Run run : running) {
                Optional<FindingRow> before = Optional.ofNullable(open.get(new Subject(run.key(), rule.name())));
                Decision decision;
                try {
                    Verdict verdict = rules.judge(
                            rule,
                            facts(
                                    run,
                                    rule,
                                    Horizon.of(run, nodes, now),
                                    gpus.getOrDefault(run.key(), List.of()),
                                    whole.getOrDefault(run.key(), List.of()),
                                    Optional.ofNullable(jobs.get(run.key()))));
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

    private Map<RunKey, List<GpuUse>> gpuUse(
            List<Run> runs, Map<String, NodeState> nodes, Instant now, Optional<Duration> window)
            throws StoreException {
        return store.gpuUse(spans(runs, nodes, now, window), settings.busyAboveRatio()).stream()
                .collect(Collectors.groupingBy(GpuUse::run));
    }

    /** The last {@code window} of each run, or all of it. */
    private static List<RunSpan> spans(
            List<Run> runs, Map<String, NodeState> nodes, Instant now, Optional<Duration> window) {
        return runs.stream()
                .map(run -> {
                    Instant to = Horizon.of(run, nodes, now);
                    Instant from = window.map(to::minus)
                            .filter(first -> first.isAfter(run.key().start()))
                            .orElse(run.key().start());
                    return new RunSpan(run, from, to);
                })
                .toList();
    }

    private JobFacts facts(
            Run run,
            Rule rule,
            Instant to,
            List<GpuUse> window,
            List<GpuUse> whole,
            Optional<io.fairwatch.collector.store.JobUse> job) {
        JobAllocation allocation = new JobAllocation(
                run.key().jobId(),
                run.displayId(),
                new JobAllocation.Submission(
                        run.owner().user(),
                        said(run.owner().account()),
                        said(run.owner().partition()),
                        said(run.owner().qos()),
                        Optional.of(run.name())),
                new JobAllocation.Resources(
                        run.allocation().nodes().size(),
                        run.allocation().gpus(),
                        run.allocation().cpus(),
                        run.allocation().memoryBytes()),
                run.heldWithin(run.key().start(), to).toSeconds(),
                run.timeLimit().map(limit -> OptionalLong.of(limit.toSeconds())).orElse(OptionalLong.empty()),
                run.interactive(),
                // how long it has been running since it was resumed is not known, and idleness while suspended is no
                // fault
                run.suspended().isZero());
        List<GpuFacts> gpus = window.stream()
                .map(use -> gpuFacts(run, use, sameGpu(use, whole), isDoubtful(use, window)))
                .toList();
        return new JobFacts(
                allocation,
                job.map(use -> new JobUse(use.processesMax(), use.cpuSeconds())).orElse(JobUse.NOT_KNOWN),
                to.minus(rule.timing().window()),
                to,
                gpus);
    }

    private static Optional<GpuUse> sameGpu(GpuUse use, List<GpuUse> whole) {
        return whole.stream()
                .filter(other -> other.node().equals(use.node())
                        && other.allocated()
                                .map(AllocatedGpu::gresIndex)
                                .equals(use.allocated().map(AllocatedGpu::gresIndex))
                        && other.device()
                                .map(GpuDevice::uuid)
                                .equals(use.device().map(GpuDevice::uuid)))
                .findFirst();
    }

    /**
     * Whether it is doubtful that this is the GPU that Slurm means: the numbers of the node are contradicted, or the run has
     * processes on a card there that it was not given. Then its use may be somebody else's, and accuses nobody.
     */
    private static boolean isDoubtful(GpuUse use, List<GpuUse> window) {
        boolean contradicted = use.allocated()
                .map(gpu -> switch (gpu.confidence()) {
                    case UNKNOWN, CONTRADICTED -> true;
                    case ASSUMED, CERTAIN, CONFIRMED -> false;
                })
                .orElse(false);
        return contradicted
                || window.stream()
                        .anyMatch(other -> other.allocated().isEmpty()
                                && other.node().equals(use.node())
                                && other.processesMax().orElse(0) > 0);
    }

    private GpuFacts gpuFacts(Run run, GpuUse use, Optional<GpuUse> whole, boolean doubtful) {
        Optional<Instant> lastBusy = use.lastBusyAt().or(() -> whole.flatMap(GpuUse::lastBusyAt));
        OptionalLong idleSeconds = OptionalLong.empty();
        if (use.utilizationMaxRatio().isPresent()) {
            Instant idleFrom =
                    lastBusy.orElse(neverBusy(whole).isPresent() ? run.key().start() : use.from());
            idleSeconds = OptionalLong.of(
                    Math.max(0, Duration.between(idleFrom, use.to()).toSeconds()));
        }
        return new GpuFacts(
                use.node(),
                use.device().map(GpuDevice::uuid),
                use.allocated().stream().mapToInt(AllocatedGpu::gresIndex).findFirst(),
                use.device().map(GpuDevice::name),
                use.allocated().isPresent(),
                measured(use),
                doubtful
                        ? GpuFacts.Use.NOT_KNOWN
                        : new GpuFacts.Use(
                                use.utilizationMeanRatio(),
                                use.utilizationMaxRatio(),
                                use.memoryUsedMaxBytes(),
                                use.device().map(GpuDevice::memoryTotalBytes).orElse(OptionalLong.empty()),
                                use.processesMax(),
                                idleSeconds,
                                lastBusy.isPresent() ? Optional.of(true) : neverBusy(whole)));
    }

    /** Coverage by readings that tell how busy the GPU was; by all of them where the product never tells. */
    private static double measured(GpuUse use) {
        double length = Duration.between(use.from(), use.to()).toMillis() / 1000.0;
        return use.utilizationMaxRatio().isPresent() && length > 0
                ? Math.min(use.coverage(), (use.busySeconds() + use.idleSeconds()) / length)
                : use.coverage();
    }

    /** That nothing ever ran can only be said of a past that was seen. */
    private static Optional<Boolean> neverBusy(Optional<GpuUse> whole) {
        return whole.filter(use -> use.coverage() >= SEEN_WELL).map(use -> false);
    }

    private static Optional<String> said(String text) {
        return text.isEmpty() ? Optional.empty() : Optional.of(text);
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
